"use strict";
/* Presenting on a screen: the plan step by step in large type; the keys, with a panel that lists them; what is stamped on paper. */

const planStory = (() => {
  const STORY_LAYERS = { today: ["minutes", "unserved", "classes"], nothing: ["minutes", "unserved", "classes"], year: ["minutes", "unserved", "classes", "proposals"], proposal: ["minutes", "unserved", "classes", "proposals"] };
  const FIGURES = ["pupils", "served", "no_place", "out_of_reach"], PAPERS = ["A3", "A4"];
  let paper = "A3", keys = true;

  /* ---- head: present, print, help, language ---- */
  function buttons(page) {
    const { h, t, state } = page, button = (id, text, run, more) => h("button", { type: "button", id: "plan-" + id, class: "screen-only", on: { click: run }, ...more }, text);
    return [
      button("present", t("button.present"), () => page.story.open()),
      h("span", { class: "screen-only together" }, button("print", t("button.print"), () => print(page)),
        h("select", { id: "plan-paper", "aria-label": t("print.paper"), on: { change: (e) => setPaper(page, e.target.value) } }, PAPERS.map((size) => h("option", { value: size, selected: size === paper }, t("print.size", { size }))))),
      button("lang", t("button.lang"), () => language(page), { lang: state.lang === "zh" ? "en" : "zh-CN" }),
      button("help", "?", () => page.help.toggle(), { "aria-label": t("help.title"), title: t("help.title") }),
    ];
  }
  function language(page) {
    page.state.lang = page.state.lang === "zh" ? "en" : "zh";
    page.build();
    page.story.draw();
    page.help.draw();
    document.getElementById("plan-lang").focus();
  }
  function print(page) {
    setPaper(page, paper);
    window.print();
  }
  function setPaper(page, size) {
    paper = PAPERS.includes(size) ? size : PAPERS[0];
    document.body.classList.toggle("a4", paper === "A4");
    let rule = document.getElementById("plan-page");
    if (!rule) document.head.append((rule = page.h("style", { id: "plan-page" })));
    rule.textContent = "@page { size: " + paper + " landscape; }";
    const box = document.getElementById("plan-paper");
    if (box) box.value = paper;
  }
  // a legend that is longer than its two columns beside the map gets sheets of its own
  function lay(page) {
    const panel = document.getElementById("plan-panel"), trial = page.h("div", { class: "paper-trial" }, [...panel.children].map((child) => child.cloneNode(true)));
    document.body.append(trial);
    const millimetre = 96 / 25.4, room = 2 * (paper === "A4" ? 225 : 245) * millimetre;
    document.body.classList.toggle("long", trial.scrollHeight > room);
    trial.remove();
  }
  // what only paper has: the scale there, the day of printing, and that something was tried out
  function stamp(page) {
    const { map, t, state } = page, size = map.getSize(), middle = size.y / 2, metres = map.distance(map.containerPointToLatLng([0, middle]), map.containerPointToLatLng([size.x, middle])) / size.x;
    const scale = metres / (0.0254 / 96), round = 10 ** Math.max(0, Math.floor(Math.log10(scale)) - 1), day = new Date(), two = (n) => String(n).padStart(2, "0");
    const told = [t("print.scale", { n: (Math.round(scale / round) * round).toLocaleString("en-US").replace(/,/g, " "), size: paper }), t("print.date", { date: [day.getFullYear(), two(day.getMonth() + 1), two(day.getDate())].join("-") })];
    if (state.quiet) told.unshift(t("print.tried"));
    document.getElementById("plan-printed").textContent = " · " + told.join(" · ");
  }

  /* ---- the story ---- */
  function story(page) {
    const { h, t, word, both, count, data, map, state, sample, actionMark, schools, townshipOf } = page, box = h("section", { id: "plan-story", role: "dialog", "aria-modal": "false", hidden: true });
    let steps = [], at = 0, before = null, ring = null;
    document.body.append(box);
    function plan() {
      const views = page.steps(), planned = views.filter((v) => v.key === "planned"), last = planned[planned.length - 1], list = [], years = planFinder.grouped(data);
      list.push({ kind: "today", view: views[0] }, { kind: "nothing", view: views[views.length - 1] });
      for (const year of [...new Set([...years.keys(), ...planned.map((v) => v.year)])].sort((a, b) => a - b)) list.push({ kind: "year", year, actions: years.get(year) || new Map(), view: planned.find((v) => v.year === year) || null, shown: planned.find((v) => v.year >= year) || last });
      planFinder.sorted(data).forEach((proposal, k) => list.push({ kind: "proposal", proposal, k, shown: planned.find((v) => v.year >= proposal.year) || last }));
      return list;
    }
    const chapters = () => ["today", "nothing", "year", "proposal"].map((kind) => [kind, steps.findIndex((s) => s.kind === kind)]).filter(([, k]) => k >= 0);
    // figures of a view beside those it is compared with
    function figures(view, other) {
      const line = (text, of, bad) => {
        const n = of(view), m = other ? of(other) : null;
        return h("tr", { class: bad && n > 0 ? "bad" : null }, h("th", { scope: "row" }, text), other ? h("td", { class: "other" }, count(m)) : null, h("td", { class: "figure" }, count(n)));
      };
      return h("table", {}, other ? h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col" }, page.situationName(other)), h("th", { scope: "col" }, page.situationName(view)))) : null,
        h("tbody", {}, FIGURES.map((name) => line(t("headline." + name), (v) => v.headline[name], name === "no_place" || name === "out_of_reach")), line(t("headline.oversized"), (v) => v.oversized[0], true), line(t("headline.schools"), (v) => v.open_schools)));
    }
    function content(step) {
      const title = (text, sub) => [h("h2", { tabindex: "-1", id: "plan-story-title" }, h("bdi", {}, text)), sub ? h("p", { class: "sub" }, sub) : null];
      const [today] = steps;
      if (step.kind === "today") return [...title(t("story.today", { year: step.view.year })), figures(step.view, null), h("p", {}, t("story.today_note", { band: t("band." + state.band) }))];
      if (step.kind === "nothing") return [...title(t("story.nothing", { year: step.view.year })), figures(step.view, today.view), h("p", {}, t("story.nothing_note"))];
      if (step.kind === "year") {
        const list = [...step.actions];
        return [...title(t("story.year", { year: step.year })), list.length ? h("ul", { class: "actions" }, list.map(([action, of]) => h("li", {}, sample(actionMark(action)), h("span", {}, word("action", action)), h("b", {}, t("unit.items", { n: of.length }))))) : h("p", {}, t("story.no_actions")),
          step.view ? figures(step.view, page.allViews().find((v) => v.key === "nothing" && v.year === step.year)) : h("p", { class: "sub" }, t("story.no_view"))];
      }
      const p = step.proposal, school = schools[p.school], [, reason, adds, ...basis] = page.proposalText(p);
      return [...title(school.name, [townshipOf(school), t("story.of", { k: step.k + 1, n: data.proposals.length })].filter(Boolean).join(" · ")),
        h("p", { class: "what" }, sample(actionMark(p.action)), h("b", {}, t("story.action", { year: p.year, action: word("action", p.action), role: word("school_kind", p.role) }))), reason, adds, h("div", { class: "basis" }, ...basis)];
    }
    function show() {
      const step = steps[at], view = step.view || step.shown, kinds = STORY_LAYERS[step.kind];
      page.lookAt(view);
      for (const layer of page.layers) if (!page.ground.includes(layer)) state.shown[layer] = kinds.includes(layer);
      if (ring) ring.remove();
      ring = null;
      if (step.kind === "proposal") {
        const school = schools[step.proposal.school];
        map.setView(school.at, page.near(), { animate: false });
        ring = new page.Mark(school.at, { renderer: page.canvas, shape: "circle", radius: 24, fill: false, color: page.colour("ring"), weight: 5, interactive: false }).addTo(map);
      } else page.whole();
      page.refresh();
      if (ring) ring.bringToFront();
      draw();
    }
    function draw() {
      if (box.hidden) return;
      const step = steps[at], go = (id, text, run, off, more) => h("button", { type: "button", id: "story-" + id, disabled: off, on: { click: run }, ...more }, text), held = box.contains(document.activeElement) ? document.activeElement.id : "";
      box.setAttribute("aria-labelledby", "plan-story-title");
      box.replaceChildren(
        h("div", { class: "chapters" }, chapters().map(([kind, k], n) => go("chapter-" + kind, n + 1 + " " + t("story.chapter." + kind), () => to(k), false, { "aria-current": step.kind === kind ? "step" : null }))),
        h("div", { class: "content" }, content(step)),
        h("div", { class: "strides" }, go("back", "◀ " + t("story.back"), () => to(at - 1), at === 0), h("span", { class: "place" }, at + 1 + " / " + steps.length), go("next", t("story.next") + " ▶", () => to(at + 1), at === steps.length - 1), go("leave", t("story.leave"), leave, false)),
      );
      const again = held && document.getElementById(held);
      (again && !again.disabled ? again : document.getElementById("plan-story-title")).focus({ preventScroll: true });
    }
    function to(k) {
      if (k < 0 || k >= steps.length) return;
      at = k;
      show();
    }
    function open() {
      if (!box.hidden) return;
      if (state.quiet && page.whatIf) page.whatIf.toggle(false);
      page.close();
      steps = plan();
      before = { view: page.now(), shown: { ...state.shown }, centre: map.getCenter(), zoom: map.getZoom(), focus: document.activeElement };
      document.body.classList.add("presenting");
      box.hidden = false;
      map.invalidateSize({ animate: false, pan: false });
      to(0);
    }
    function leave() {
      if (box.hidden) return;
      if (ring) ring.remove();
      ring = null;
      box.hidden = true;
      document.body.classList.remove("presenting");
      map.invalidateSize({ animate: false, pan: false });
      page.lookAt(before.view);
      Object.assign(state.shown, before.shown);
      map.setView(before.centre, before.zoom, { animate: false });
      page.refresh();
      const opener = before.focus && before.focus.id ? document.getElementById(before.focus.id) : null;
      (opener || map.getContainer()).focus({ preventScroll: true });
    }
    const STEPS = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };
    // true where the key was for the story
    function press(e) {
      if (box.hidden) return false;
      const onButton = e.target.tagName === "BUTTON";
      if (e.key in STEPS && !(e.key === " " && onButton)) to(at + STEPS[e.key]);
      else if (e.key === "Home") to(0);
      else if (e.key === "End") to(steps.length - 1);
      else if (/^[1-4]$/.test(e.key) && chapters()[e.key - 1]) to(chapters()[e.key - 1][1]);
      else if (e.key === "Escape") leave();
      else return false;
      return true;
    }
    return { open, leave, draw, press, to, get steps() { return steps; }, get at() { return at; }, get on() { return !box.hidden; } };
  }

  /* ---- the keys ---- */
  const KEYS = [["/", "search"], ["s", "situation"], ["b", "band"], ["d", "present"], ["p", "print"], ["l", "language"], ["0", "whole"], ["?", "help"]];
  const FIXED = [["Tab", "tab"], ["← ↑ → ↓  + −", "map"], ["Enter", "nearest"], ["← → PageUp PageDown", "steps"], ["1 2 3 4", "chapters"], ["Ctrl+Z", "undo"], ["Esc", "escape"]];
  function help(page) {
    const { h, t } = page, box = h("section", { id: "plan-help-box", role: "dialog", "aria-modal": "false", "aria-labelledby": "plan-help-title", hidden: true });
    let opener = null;
    document.body.append(box);
    function draw() {
      if (box.hidden) return;
      const line = ([keysOf, name]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, keysOf)), h("td", {}, t("help." + name)));
      box.replaceChildren(h("button", { type: "button", class: "close", "aria-label": t("card.close"), on: { click: close } }, "✕"), h("h2", { id: "plan-help-title", tabindex: "-1" }, t("help.title")),
        h("table", {}, h("tbody", {}, FIXED.map(line), KEYS.map(line))),
        h("label", {}, h("input", { type: "checkbox", id: "plan-keys", checked: keys, on: { change: (e) => { keys = e.target.checked; } } }), " ", t("help.single")), h("p", { class: "note" }, t("help.marks")));
    }
    function open() {
      opener = document.activeElement;
      box.hidden = false;
      draw();
      document.getElementById("plan-help-title").focus();
    }
    function close() {
      const held = box.contains(document.activeElement);
      box.hidden = true;
      const back = opener && opener.id ? document.getElementById(opener.id) : opener;
      if (held) (back && back !== document.body ? back : document.getElementById("plan-help")).focus({ preventScroll: true });
    }
    return { draw, close, toggle: () => (box.hidden ? open() : close()), get on() { return !box.hidden; } };
  }
  function turn(list, value) {
    return list[(list.indexOf(value) + 1) % list.length];
  }
  function start(page) {
    page.story = story(page);
    page.help = help(page);
    const { map, state, data } = page, container = map.getContainer();
    const run = {
      "/": () => { const box = document.getElementById("plan-search"); box.focus(); box.select(); },
      s: () => { page.lookAt(page.views()[turn(data.situations.map((v) => v.key), page.now().key)] || page.views()[data.situations[0].key]); page.refresh(); },
      b: () => { state.band = turn(page.BANDS, state.band); page.refresh(); },
      d: () => page.story.open(), p: () => print(page), l: () => language(page), 0: page.whole, "?": () => page.help.toggle(),
    };
    document.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return;
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) && !/^(checkbox|radio|range)$/.test(e.target.type);
      let done = false;
      if (e.key === "Escape" && page.help.on) {
        page.help.close();
        done = true;
      } else if (e.key === "Escape" && state.card) return;
      else if (!typing && page.story.press(e)) done = true;
      else if (!typing && keys && e.key in run && !(page.story.on && "sp0/".includes(e.key))) {
        run[e.key]();
        done = true;
      } else if (e.key === "Enter" && e.target === container) done = nearest(page);
      if (done) {
        e.preventDefault();
        e.stopPropagation();
      }
    }, true);
    setPaper(page, paper);
  }
  // for those who move the map by keys: the place under the cross in its middle
  function nearest(page) {
    const { map } = page, middle = map.getSize().divideBy(2), best = { d: Infinity };
    const look = (what, list) => list.forEach((p, i) => {
      const d = map.latLngToContainerPoint(p.at).distanceTo(middle);
      if (d < best.d - 1e-9) Object.assign(best, { d, what, i });
    });
    look("school", page.schools);
    look("village", page.villages);
    if (!best.what) return false;
    page.open(best.what, best.i);
    return true;
  }
  return { buttons, start, lay, stamp };
})();
