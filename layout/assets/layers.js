"use strict";
/* Layers that answer a meeting's further questions: how far children walk, what the plan changes, how sites fill, and what
   other plans and other futures would build. Colours stand in plan_map.css, sentences in the message catalogue. */

function questionLayers(page) {
  const { map, data, state, t, h, both, word, count, key, mark, line, put, clickable, colour, canvas, still, villages, schools, unfold, BANDS } = page;
  const { now, views, tally, sum, villageTip, openCard, actionMark } = page;
  const bandNumber = () => BANDS.indexOf(state.band);

  /* ---- where a school is in walking distance ---- */
  const inWalking = (view, year) => data.walking.lines.find((l) => l.band === bandNumber() && l.view === view && l.years.includes(year));
  const WALKING = { today: { dash: [6, 4], wide: 1.6 }, planned: { dash: [], wide: 2 } };
  // a plan begins after the base year: there is but one line in it
  const walkingNow = () => [["today", inWalking("today", now().year)], ["planned", inWalking("planned", now().year)]].filter(([, l]) => l);
  const walking = { id: "walking", group: "journey", on: false, banded: true, when: () => data.walking.lines.length,
    draw() {
      // today's line lies over that of the plan
      for (const [view, l] of walkingNow().reverse())
        if (l.shape >= 0) for (const rings of data.walking.shapes[l.shape])
          put("walking", L.polygon(rings.map(unfold), { renderer: still.areas, interactive: false, color: colour("walking-" + view), weight: WALKING[view].wide, dashArray: WALKING[view].dash, fillColor: colour("walking-" + view), fillOpacity: view === "today" ? 0.16 : 0.1 }));
    },
    legend: () => walkingNow().map(([view, l]) => key({ shape: "square", radius: 7, fillColor: colour("walking-" + view), fillOpacity: 0.25, color: colour("walking-" + view), weight: WALKING[view].wide, dash: WALKING[view].dash },
      t("legend.walking_" + view, { minutes: l.minutes, year: now().year }), t("unit.schools_km2", { n: l.schools, a: count(Math.round(l.km2)) }))).concat(key(null, t("legend.walking"))) };

  /* ---- before and after ---- */
  const LEAST = 5, CHANGES = ["lost", "gained", "farther", "nearer", "other"];
  const changeMark = {
    gained: { shape: "star", fillColor: colour("change-better"), radius: 7 },
    nearer: { shape: "triangle", fillColor: colour("change-better"), radius: 6.5 },
    other: { shape: "circle", fillColor: colour("change-other"), radius: 4.5 },
    farther: { shape: "wedge", fillColor: colour("change-worse"), radius: 6.5 },
    lost: { shape: "cross", fillColor: colour("change-worse"), radius: 7 },
  };
  // children of a village in a band: how many, those without a place within the limit, mean minutes by day, main school
  function fate(flows) {
    const mine = flows.filter((f) => f.band === state.band && f.mode !== "seat" && f.status !== "away");
    const day = mine.filter((f) => (f.mode === "walk" || f.mode === "bus") && f.minutes !== null), n = sum(day.map((f) => f.pupils));
    const main = mine.filter((f) => f.school >= 0).sort((a, b) => b.pupils - a.pupils || a.school - b.school)[0];
    return { pupils: sum(mine.map((f) => f.pupils)), bad: sum(mine.filter((f) => f.status !== "served").map((f) => f.pupils)),
      minutes: n ? day.reduce((all, f) => all + f.pupils * f.minutes, 0) / n : null, school: main ? main.school : -1 };
  }
  function changesNow() {
    const before = views().nothing.byVillage, after = views().planned.byVillage, out = [];
    villages.forEach((_, i) => {
      const a = fate(before[i]), b = fate(after[i]);
      if (!b.pupils) return;
      const step = a.minutes === null || b.minutes === null ? 0 : b.minutes - a.minutes;
      const kind = b.bad > a.bad ? "lost" : b.bad < a.bad ? "gained" : step >= LEAST ? "farther" : step <= -LEAST ? "nearer" : a.school !== b.school ? "other" : null;
      if (kind) out.push({ village: i, kind, before: a, after: b });
    });
    return out;
  }
  const told = (f) => [f.school < 0 ? t("card.no_school") : schools[f.school].name, f.minutes === null ? "" : t("card.minutes", { n: f.minutes.toFixed(0) }), f.bad ? t("tip.change_bad", { n: count(f.bad) }) : ""].filter(Boolean).join(" · ");
  const changes = { id: "changes", group: "journey", on: false, banded: true, when: () => data.pupils.length,
    draw() {
      const found = changesNow().sort((a, b) => CHANGES.indexOf(b.kind) - CHANGES.indexOf(a.kind) || a.village - b.village);
      for (const c of found)
        if (c.after.school >= 0) line("changes", [villages[c.village].at, schools[c.after.school].at], { renderer: canvas, color: changeMark[c.kind].fillColor, weight: 1.4, opacity: 0.7, dashArray: c.kind === "other" ? [3, 4] : null });
      for (const c of found)
        clickable(mark("changes", villages[c.village].at, { ...changeMark[c.kind], color: "#222" }), () => [villages[c.village].name, t("change." + c.kind), t("tip.change_before", { told: told(c.before) }), t("tip.change_after", { told: told(c.after) })], () => openCard("village", c.village));
    },
    legend() {
      const found = changesNow();
      return CHANGES.map((kind) => {
        const mine = found.filter((c) => c.kind === kind);
        return key(changeMark[kind], t("change." + kind, { n: LEAST }), tally(sum(mine.map((c) => c.after.pupils)), mine.length));
      }).concat(key(null, t("legend.changes", { year: views().planned.year })));
    } };

  /* ---- relocation sites fill ---- */
  const sites = {};
  for (const m of data.moves) (sites[m.to] = sites[m.to] || []).push(m);
  const persons = (list) => sum(list.map((m) => m.persons || 0)), fullest = Math.max(1, ...Object.values(sites).map(persons));
  const arrived = (list, year) => list.filter((m) => m.year <= year);
  const siteSize = (n) => 6 + 9 * Math.sqrt(n / fullest), known = data.moves.some((m) => m.persons);
  const houseMark = { shape: "house", fillColor: colour("move"), color: "#fff", weight: 1.2 }, houseOutline = { shape: "house", fillColor: "#fff", fillOpacity: 0.75, color: colour("move"), weight: 2 };
  const personsWord = (n) => (known ? t("unit.persons", { n: count(n) }) : "");
  const moves = { id: "moves", group: "children", on: false, when: () => data.moves.length,
    draw() {
      const year = now().year;
      for (const m of data.moves) {
        const from = map.project(villages[m.from].at, 12), to = map.project(villages[m.to].at, 12), turn = Math.atan2(to.y - from.y, to.x - from.x), done = m.year <= year;
        line("moves", [villages[m.from].at, villages[m.to].at], { renderer: canvas, color: colour("move"), weight: done ? 2 : 1.5, opacity: done ? 0.9 : 0.6, dashArray: done ? null : [3, 6] });
        clickable(mark("moves", map.unproject(from.add(to.subtract(from).multiplyBy(0.62)), 12), { shape: "arrow", turn, radius: 6, fillColor: done ? colour("move") : "#fff", color: done ? "#fff" : colour("move"), weight: 1.4 }), () => [page.moveText(m), t(m.year <= now().year ? "move.done" : "move.to_come", { year: now().year })], () => openCard("village", m.from));
      }
      villages.forEach((v, i) => {
        if (v.kind !== "relocation" && !sites[i]) return;
        const all = sites[i] || [], here = arrived(all, year), some = known ? persons(here) > 0 : here.length > 0;
        const tip = () => [...villageTip(i), known ? t("tip.filling", { year: now().year, n: count(persons(arrived(all, now().year))), all: count(persons(all)) }) : t("tip.filling_moves", { year: now().year, n: arrived(all, now().year).length, all: all.length })];
        clickable(mark("moves", v.at, { ...houseOutline, radius: siteSize(known ? persons(all) : 0) + 2 }), tip, () => openCard("village", i));
        if (some) clickable(mark("moves", v.at, { ...houseMark, radius: siteSize(known ? persons(here) : 0) }), tip, () => openCard("village", i));
      });
    },
    legend() {
      const year = now().year, done = arrived(data.moves, year), later = data.moves.filter((m) => m.year > year);
      return [key({ ...houseOutline, radius: 9 }, t("legend.site_all"), t("unit.sites", { n: villages.filter((v, i) => v.kind === "relocation" || sites[i]).length })),
        key({ ...houseMark, radius: 7 }, t("legend.site_arrived", { year }), known ? t("unit.of_persons", { n: count(persons(done)), all: count(persons(data.moves)) }) : ""),
        key({ line: true, color: colour("move"), weight: 2 }, t("legend.moves_done", { year }), [t("unit.items", { n: done.length }), personsWord(persons(done))].filter(Boolean).join(" / ")),
        key({ line: true, color: colour("move"), weight: 1.5, dash: [3, 6] }, t("legend.moves_to_come", { year }), [t("unit.items", { n: later.length }), personsWord(persons(later))].filter(Boolean).join(" / "))];
    } };

  /* ---- other plans ---- */
  const other = data.comparisons || { places: [], alternatives: [], frontier: [], regrets: [], common: [] };
  const places = other.places.map(([id, name, at]) => ({ id, name, at: at && L.latLng(at[1] / 1e5, at[0] / 1e5) })), schoolOf = new Map(schools.map((s, i) => [s.id, i]));
  const main = other.alternatives.find((a) => a.id === "plan");
  const goTo = (k) => { if (schoolOf.has(places[k].id)) openCard("school", schoolOf.get(places[k].id)); };
  const SIDES = ["shared", "only", "dropped"];
  // what both build is round, what only the other plan builds is square, what it leaves out points down and is pale
  const sideMark = (side, action) => ({ ...actionMark(action), shape: { shared: "badge", only: "cell", dropped: "wedge" }[side], radius: { shared: 9, only: 10, dropped: 12 }[side],
    fillColor: colour("side-" + side), color: side === "dropped" ? "#222" : "#fff" });
  const chosen = () => other.alternatives[state.alternative];
  function sidesOf(alternative) {
    const name = (p) => p[0] + " " + p[2] + " " + p[3], own = new Set(main.proposals.map(name)), its = new Set(alternative.proposals.map(name));
    return { shared: alternative.proposals.filter((p) => own.has(name(p))), only: alternative.proposals.filter((p) => !own.has(name(p))), dropped: main.proposals.filter((p) => !its.has(name(p))) };
  }
  const proposalWords = ([, year, action, role, first, last, rooms, beds, yuan]) => [t("proposal.line", { year, action: word("action", action), name: word("school_kind", role) }), t("tip.builds", { first, last, rooms, beds, cost: count(Math.round(yuan / 1e4)) })];
  const letters = (actions) => key(null, [...new Set(actions)].map((a) => t("letter." + a) + "=" + word("action", a)).join(t("panel.and")));
  const alternatives = { id: "alternatives", group: "plan", on: false, when: () => main && other.alternatives.length > 1,
    draw() {
      const sides = sidesOf(chosen()), stacked = {};
      for (const side of ["dropped", "shared", "only"])
        for (const p of sides[side]) {
          const at = places[p[0]].at, k = (stacked[p[0]] = (stacked[p[0]] || 0) + 1) - 1;
          if (at) clickable(mark("alternatives", at, { ...sideMark(side, p[2]), offset: [21 * k, 0] }), () => [places[p[0]].name, t("side." + side, { name: both(chosen().title) }), ...proposalWords(p), ...(p[9] ? [both(p[9])] : [])], () => goTo(p[0]));
        }
    },
    legend() {
      const sides = sidesOf(chosen()), hidden = [...sides.only, ...sides.shared].filter((p) => !places[p[0]].at).length;
      return SIDES.map((side) => key(sideMark(side, side === "only" ? "open" : "expand"), t("side." + side, { name: both(chosen().title) }), t("unit.items", { n: sides[side].length })))
        .concat(hidden ? [key(null, t("legend.no_place", { n: hidden }))] : [], letters([...main.proposals, ...chosen().proposals].map((p) => p[2])));
    } };
  const COMMON = ["all", "some", "one"];
  const commonMark = (kind, action) => ({ ...actionMark(action), shape: { all: "badge", some: "cell", one: "wedge" }[kind], radius: { all: 10, some: 9, one: 12 }[kind], fillColor: colour("common-" + kind), color: kind === "one" ? "#222" : "#fff" });
  const range = (a, b) => (a === b ? count(a) : count(a) + "—" + count(b));
  const common = { id: "common", group: "plan", on: false, when: () => other.common.length,
    draw() {
      const stacked = {};
      for (const kind of ["one", "some", "all"])
        for (const [k, action, role, of, , names, first, last, r0, r1, b0, b1, y0, y1] of other.common.filter((c) => c[3] === kind)) {
          const at = places[k].at, n = (stacked[k] = (stacked[k] || 0) + 1) - 1;
          if (at) clickable(mark("common", at, { ...commonMark(of, action), offset: [21 * n, 0] }), () => [places[k].name, word("action", action) + " · " + word("school_kind", role), t("common." + of), names.map(both).join(t("panel.and")),
            t("tip.common", { years: first === last ? first : first + "—" + last, rooms: range(r0, r1), beds: range(b0, b1), cost: range(Math.round(y0 / 1e4), Math.round(y1 / 1e4)) })], () => goTo(k));
        }
    },
    legend: () => COMMON.map((kind) => key(commonMark(kind, "expand"), t("common." + kind), t("unit.items", { n: other.common.filter((c) => c[3] === kind).length }))).concat(letters(other.common.map((c) => c[1])), key(null, t("legend.common", { n: other.futures }))) };

  /* ---- other plans beside this one, in the panel ---- */
  const money = (column, value) => (column === "investment_yuan" || column === "cost_yuan" ? count(Math.round(value / 1e4)) : count(value));
  const COLUMNS = ["openings", "rooms", "beds", "investment_yuan", "without_place", "beyond_limit", "excess_minutes", "above_standard", "cost_yuan", "pupil_minutes", "too_small", "shared"];
  const plus = (n) => (n > 0 ? "+" : n < 0 ? "−" : "") + count(Math.abs(n));
  const headOf = (i) => other.heads[state.lang][i] + (COLUMNS[i].endsWith("_yuan") ? t("compare.ten_thousand") : "");
  const row = (cells, cls) => h("tr", { class: cls || null }, cells.map((cell, i) => h(i ? "td" : "th", i ? {} : { scope: "row" }, cell)));
  function pick(k) {
    state.alternative = k;
    // its proposals in place of those of the plan
    state.shown.alternatives = true;
    if ("proposals" in state.shown) state.shown.proposals = false;
    page.refresh();
  }
  function comparison() {
    const its = chosen(), difference = (i) => its.figures[i] - main.figures[i];
    return h("table", { id: "plan-differences" }, h("thead", {}, h("tr", {}, [t("compare.measure"), both(main.title), both(its.title), t("compare.difference")].map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, COLUMNS.map((column, i) => row([headOf(i), money(column, main.figures[i]), money(column, its.figures[i]), column.endsWith("_yuan") ? plus(Math.round(its.figures[i] / 1e4) - Math.round(main.figures[i] / 1e4)) : plus(difference(i))]))));
  }
  function svg(tag, attributes, ...children) {
    const node = L.SVG.create(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }
  // money to the right, children who are not served upwards: the lower left is the better
  function frontier() {
    const W = 340, H = 170, left = 46, low = 30, most = Math.max(1, ...other.frontier.map((p) => p[1])), dear = Math.max(1, ...other.frontier.map((p) => p[2]));
    const x = (p) => left + ((W - left - 12) * p[2]) / dear, y = (p) => 12 + (H - low - 12) * (1 - p[1] / most), best = other.frontier.filter((p) => p[3]).sort((a, b) => a[2] - b[2]);
    const node = svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": t("compare.frontier"), class: "frontier" });
    const text = (px, py, words, anchor) => svg("text", { x: px, y: py, "text-anchor": anchor || "start" }, words);
    node.append(svg("path", { d: `M${left} 8V${H - low}H${W - 6}`, class: "axis" }), text(left - 4, 16, count(most), "end"), text(left - 4, H - low, "0", "end"), text(W - 6, H - low + 13, count(Math.round(dear / 1e4)), "end"), text(left, H - 4, t("compare.across")), text(left + 8, 10, t("compare.up")));
    if (best.length > 1) node.append(svg("path", { d: best.map((p, i) => (i ? "L" : "M") + x(p) + " " + y(p)).join(""), class: "best" }));
    for (const p of other.frontier) {
      const mine = both(p[0]) === both(chosen().title), point = p[3] ? svg("circle", { cx: x(p), cy: y(p), r: mine ? 7 : 4.5, class: mine ? "on mine" : "on" }) : svg("path", { d: `M${x(p) - 4} ${y(p) - 4}l8 8m-8 0l8 -8`, class: mine ? "off mine" : "off" });
      point.append(svg("title", {}, t("compare.point", { title: both(p[0]), n: count(p[1]), cost: count(Math.round(p[2] / 1e4)) })));
      node.append(point);
    }
    return node;
  }
  const grid = (heads, rows, attributes) => h("table", attributes || {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows));
  function card() {
    const heads = [t("compare.measure"), ...other.alternatives.map((a) => both(a.title))];
    const notes = other.alternatives.filter((a) => a.dominated || a.near_tie).map((a) => h("li", {}, t(a.dominated ? "compare.dominated" : "compare.near_tie", { title: both(a.title) })));
    return [h("h2", { tabindex: "-1" }, t("compare.title")), h("p", { class: "note" }, t("compare.note")),
      grid(heads, COLUMNS.map((column, i) => row([headOf(i), ...other.alternatives.map((a) => money(column, a.figures[i]))]))), notes.length ? h("ul", { class: "note" }, notes) : null,
      ...(other.frontier.length ? [h("h3", {}, t("compare.frontier")), frontier(), h("p", { class: "note" }, t("compare.frontier_note"))] : [])].filter(Boolean);
  }
  const lostWord = (level, n) => (level ? t("compare.more", { level: other.levels[state.lang][level], n: level === "cost_yuan" ? t("unit.ten_thousand", { n: count(Math.round(n / 1e4)) }) : count(n) }) : t("compare.as_good"));
  function panel() {
    const parts = [];
    if (main && other.alternatives.length > 1) {
      parts.push(h("h2", {}, t("compare.title")), h("div", { class: "screen-only row" },
        h("label", {}, h("span", {}, t("compare.pick")), h("select", { id: "plan-alternative", on: { change: (e) => pick(Number(e.target.value)) } }, other.alternatives.map((a, k) => (a === main ? null : h("option", { value: String(k), selected: k === state.alternative }, both(a.title)))))),
        h("button", { type: "button", id: "plan-all-alternatives", on: { click: () => openCard("alternatives", 0) } }, t("compare.all"))), comparison(), h("p", { class: "note" }, t("compare.note")));
      if (other.frontier.length) parts.push(h("h3", {}, t("compare.frontier")), frontier());
    }
    if (other.regrets.length) parts.push(h("h2", {}, t("compare.futures", { n: other.futures })), grid(["plan", "worst", "lost", "best_in"].map((name) => t("compare." + name)),
      other.regrets.map(([title, rank, worst, level, n, best, all]) => row([rank + " " + both(title), both(worst), lostWord(level, n), best + " / " + all], rank === 1 ? "strong" : null)), { id: "plan-regrets" }), h("p", { class: "note" }, t("compare.futures_note")));
    return parts;
  }
  // on paper it stands beside the map that shows it
  function renew() {
    const box = document.getElementById("plan-comparison");
    if (!box) return;
    const focus = box.contains(document.activeElement) ? document.activeElement.id : "";
    box.replaceChildren(...panel());
    box.classList.toggle("screen-only", !state.shown.alternatives);
    if (focus && document.getElementById(focus)) document.getElementById(focus).focus();
  }
  state.alternative = Math.max(0, other.alternatives.findIndex((a) => a.id !== "plan"));

  return { layers: { walking, changes, moves, alternatives, common }, panel, renew, cards: { alternatives: card } };
}

/* ---- a slider over the years; the base year is today, all others are looked at with or without the plan ---- */
function yearSlider(page) {
  const { state, h, t, years } = page, last = years.length - 1;
  const ticks = () => years.map((year, k) => h("span", { class: k === position() ? "now" : null }, String(year)));
  const position = () => (state.situation === "base" ? 0 : years.indexOf(state.year));
  function go(k) {
    if (k > 0) state.year = years[k];
    if (k === 0) {
      if (state.situation !== "base") state.way = state.situation;
      state.situation = "base";
    } else if (state.situation === "base") state.situation = state.way;
    page.refresh();
  }
  return {
    box: () => h("div", { class: "years screen-only" }, h("label", { for: "plan-year" }, t("choice.year")),
      h("input", { type: "range", id: "plan-year", min: "0", max: String(last), step: "1", value: String(position()), on: { input: (e) => go(Number(e.target.value)) } }), h("div", { class: "ticks", "aria-hidden": "true" }, ticks()),
      h("button", { type: "button", id: "plan-flip", on: { click: () => { state.situation = state.situation === "planned" ? "nothing" : "planned"; page.refresh(); } } }, t("button.flip"))),
    renew() {
      const input = document.getElementById("plan-year");
      input.value = String(position());
      input.setAttribute("aria-valuetext", page.situationName(page.now()));
      input.parentNode.querySelector(".ticks").replaceChildren(...ticks());
    },
  };
}
