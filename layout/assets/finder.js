"use strict";
/* Search by name, and the list of proposals by year and action. */

const planFinder = (() => {
  const SHOWN = 10, RANK = ["open", "reopen", "expand", "add_boarding", "change_grades", "convert_to_teaching_point", "review_for_merger", "keep"];
  const plain = (text) => text.normalize("NFKC").toLowerCase();

  function targets(page) {
    const { data, word, t, townshipOf } = page, list = [];
    const offer = (what, kind) => (p, i) => list.push({ what, i, name: p.name, kind: kind(p), township: what === "township" ? "" : townshipOf(p), id: p.id || "" });
    page.schools.forEach(offer("school", (p) => word("school_kind", p.kind)));
    page.villages.forEach(offer("village", (p) => word("kind", p.kind)));
    // a township's card counts the children of its villages; the public page has none
    if (data.pupils.length) data.townships.forEach(offer("township", () => t("find.township")));
    for (const one of list) one.text = plain([one.name, one.township, one.id].join(" "));
    return list;
  }
  // every word must be somewhere in name, township or id; a name that begins with it comes first, then one that holds it
  function found(list, typed) {
    const words = plain(typed).split(/[\s（()）]+/).filter(Boolean);
    if (!words.length) return [];
    const rank = (one) => { const at = plain(one.name).indexOf(words[0]); return at === 0 ? (plain(one.name).length === words[0].length ? 0 : 1) : at > 0 ? 2 : 3; };
    return list.map((one, n) => [one, n]).filter(([one]) => words.every((w) => one.text.includes(w))).sort((a, b) => rank(a[0]) - rank(b[0]) || a[1] - b[1]).map(([one]) => one);
  }
  function search(page) {
    const { h, t } = page;
    let list = null, hits = [], active = -1;
    const box = h("ul", { id: "plan-found", role: "listbox", "aria-label": t("find.results"), hidden: true }), said = h("p", { class: "spoken", role: "status", id: "plan-found-said" });
    const input = h("input", { type: "search", id: "plan-search", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder: t("search.hint"), "aria-label": t("search.hint"), "aria-autocomplete": "list", "aria-controls": "plan-found", "aria-expanded": "false", on: { input: renew, keydown: key, focus: renew, blur: () => close() } });
    function close() {
      box.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    }
    function renew() {
      if (!list) list = targets(page);
      const all = found(list, input.value);
      hits = all.slice(0, SHOWN);
      active = hits.length ? 0 : -1;
      const typed = input.value.trim() !== "";
      box.replaceChildren(...hits.map((one, k) => h("li", { role: "option", id: "plan-found-" + k, on: { mousedown: (e) => e.preventDefault(), click: () => choose(k), mousemove: () => point(k) } },
        h("bdi", { class: "name" }, one.name), h("span", { class: "kind" }, one.kind, one.township ? " · " : null, one.township ? h("bdi", {}, one.township) : null))),
        ...(all.length > hits.length ? [h("li", { class: "note", role: "presentation" }, t("find.more", { n: all.length - hits.length }))] : []), ...(typed && !all.length ? [h("li", { class: "note", role: "presentation" }, t("find.none"))] : []));
      box.hidden = !typed;
      input.setAttribute("aria-expanded", String(typed));
      said.textContent = typed ? (all.length ? t("find.count", { n: all.length }) : t("find.none")) : "";
      point(active);
    }
    function point(k) {
      active = k;
      [...box.querySelectorAll("[role=option]")].forEach((node, n) => node.setAttribute("aria-selected", String(n === k)));
      if (k < 0) return input.removeAttribute("aria-activedescendant");
      input.setAttribute("aria-activedescendant", "plan-found-" + k);
      box.children[k].scrollIntoView({ block: "nearest" });
    }
    function choose(k) {
      const one = hits[k];
      close();
      page.fly(one.what, one.i);
    }
    function key(e) {
      if (e.isComposing) return;
      if ((e.key === "ArrowDown" || e.key === "ArrowUp") && box.hidden) renew();
      else if (e.key === "ArrowDown" && hits.length) point((active + 1) % hits.length);
      else if (e.key === "ArrowUp" && hits.length) point((active + hits.length - 1) % hits.length);
      else if (e.key === "Enter" && !box.hidden && active >= 0) choose(active);
      else if (e.key === "Enter" && box.hidden) renew();
      else if (e.key === "Escape" && (!box.hidden || input.value)) {
        // the first press closes the list, the second empties the box
        if (box.hidden) input.value = "";
        close();
      } else return;
      e.preventDefault();
      e.stopPropagation();
    }
    return [h("div", { class: "finder screen-only", role: "search" }, input, box, said)];
  }

  function sorted(data) {
    return data.proposals.map((p, n) => [p, n]).sort(([a, m], [b, n]) => a.year - b.year || RANK.indexOf(a.action) - RANK.indexOf(b.action) || b.pupils - a.pupils || m - n).map(([p]) => p);
  }
  // years in order, in each the actions that are in it with their proposals
  function grouped(data) {
    const years = new Map();
    for (const p of sorted(data)) {
      if (!years.has(p.year)) years.set(p.year, new Map());
      const actions = years.get(p.year);
      actions.set(p.action, [...(actions.get(p.action) || []), p]);
    }
    return years;
  }
  function proposals(page) {
    const { h, t, word, data, sample, actionMark, schools, townshipOf } = page, years = grouped(data), n = data.proposals.length;
    if (!n) return [h("h2", {}, t("panel.proposals", { n })), h("p", {}, t("panel.no_proposals"))];
    const button = (p) => h("li", {}, h("button", { type: "button", on: { click: () => page.fly("school", p.school) } }, h("bdi", {}, schools[p.school].name), townshipOf(schools[p.school]) ? h("bdi", { class: "kind" }, townshipOf(schools[p.school])) : null));
    const size = (actions) => [...actions.values()].reduce((sum, list) => sum + list.length, 0);
    const list = [...years].map(([year, actions], k) => h("details", { class: "year", open: k === 0 }, h("summary", {}, t("find.year", { year, n: size(actions) })),
      [...actions].map(([action, of]) => h("section", {}, h("h3", {}, sample(actionMark(action)), t("find.action", { action: word("action", action), n: of.length })), h("ul", {}, of.map(button))))));
    const kinds = RANK.filter((action) => data.proposals.some((p) => p.action === action)), number = (year, action) => ((years.get(year) || new Map()).get(action) || []).length;
    const paper = h("table", { class: "print-only", id: "plan-proposals-paper" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("find.actions")), [...years.keys()].map((year) => h("th", { scope: "col" }, String(year))), h("th", { scope: "col" }, t("cards.all")))),
      h("tbody", {}, kinds.map((action) => h("tr", {}, h("th", { scope: "row" }, word("action", action)), [...years.keys()].map((year) => h("td", {}, String(number(year, action)))), h("td", {}, String(data.proposals.filter((p) => p.action === action).length))))));
    return [h("h2", {}, t("panel.proposals", { n })), h("div", { id: "plan-proposals", class: "screen-only" }, list), paper, h("p", { class: "note print-only" }, t("find.paper"))];
  }
  return { search, proposals, sorted, grouped, found, targets };
})();
