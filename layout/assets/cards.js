"use strict";
/* The cards of a village and of a school: charts, who goes where in every plan year, classes by grade, reasons, clauses, gates.
   Figures beyond those of the map lie in the page as "card-data" and are read when the first card opens. */

function planCards(page) {
  const { data, h, t, word, both, count, sample, row, villages, schools, BANDS, TIERS, tierMark } = page;
  const SVG = L.SVG.create("svg").namespaceURI, LISTED = 12, MODES = ["walk", "bus", "board", "seat", "none"];
  let more = null;
  // what only the cards need; the public page has none of it
  function extra() {
    if (more) return more;
    const island = document.getElementById("card-data");
    more = { years: data.years, villages: [], schools: {}, gates: [] };
    try {
      if (island) Object.assign(more, page.unpack(JSON.parse(island.textContent)));
    } catch (error) {
      // a browser that cannot unpack has the cards without them, and the panel says so
    }
    return more;
  }
  // today, the plan year by year, and last what comes if nothing is done; in a year between too while the map shows that
  function steps() {
    const all = page.allViews(), now = page.now(), of = (key) => all.filter((view) => view.key === key), last = of("nothing").slice(-1);
    return [...of("base"), ...of("planned"), ...(now.key === "nothing" && !last.includes(now) ? [now] : []), ...last];
  }
  const svg = (tag, attributes, ...children) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const name = (text) => h("bdi", {}, text);
  const isNumber = (n) => n !== null && n !== undefined;

  /* ---- a chart of children by year: a line with its range, a second line dashed with hollow marks ---- */
  function chart(years, lines, label) {
    const W = 440, H = 132, left = 54, right = 16, top = 20, bottom = 22, all = lines.flatMap((l) => [...l.values, ...(l.high || [])]).filter(isNumber);
    const most = nice(Math.max(1, ...all)), x = (k) => left + ((W - left - right) * (years[k] - years[0])) / Math.max(1, years[years.length - 1] - years[0]), y = (n) => H - bottom - ((H - top - bottom) * n) / most;
    const parts = [0, most / 2, most].map((n) => [svg("line", { x1: left, x2: W - right, y1: y(n), y2: y(n), class: "grid" }), svg("text", { x: left - 20, y: y(n) + 4, class: "axis end" }, count(n))]).flat();
    for (const k of marked(years)) parts.push(svg("text", { x: x(k), y: H - 6, class: "axis" + (k === years.length - 1 ? " end" : "") }, String(years[k])));
    lines.forEach((line, which) => {
      const known = years.map((_, k) => k).filter((k) => isNumber(line.values[k])), ranged = known.filter((k) => line.low && isNumber(line.low[k]) && isNumber(line.high[k]));
      if (ranged.length > 1) parts.push(svg("polygon", { class: "range", points: [...ranged.map((k) => [x(k), y(line.high[k])]), ...ranged.reverse().map((k) => [x(k), y(line.low[k])])].join(" ") }));
      else for (const k of ranged) parts.push(svg("line", { class: "range-bar", x1: x(k), x2: x(k), y1: y(line.low[k]), y2: y(line.high[k]) }));
      parts.push(svg("polyline", { class: which ? "second" : "first", points: known.map((k) => [x(k), y(line.values[k])]).join(" ") }));
      for (const k of marked(years).filter((k) => known.includes(k))) {
        parts.push(svg("circle", { class: which ? "second" : "first", cx: x(k), cy: y(line.values[k]), r: 3.5 }));
        // of two lines the higher one has its number above
        const under = lines.length > 1 && isNumber(lines[1 - which].values[k]) && (line.values[k] < lines[1 - which].values[k] || (line.values[k] === lines[1 - which].values[k] && which));
        if (!(under && line.values[k] === lines[1 - which].values[k])) parts.push(svg("text", { x: x(k), y: y(line.values[k]) + (under ? 16 : -8), class: (which ? "value second" : "value") + (k === years.length - 1 ? " end" : "") }, count(line.values[k])));
      }
    });
    const told = lines.map((l) => t("cards.told", { what: l.name, text: years.map((year, k) => (isNumber(l.values[k]) ? year + " " + count(l.values[k]) + (l.low && isNumber(l.low[k]) ? " (" + range(l.low[k], l.high[k]) + ")" : "") : null)).filter(Boolean).join(", ") })).join("; ");
    return svg("svg", { viewBox: "0 0 " + W + " " + H, class: "chart", role: "img", "aria-label": label + "; " + told }, ...parts);
  }
  const range = (low, high) => count(low) + "–" + count(high);
  function nice(n) {
    const step = 10 ** Math.floor(Math.log10(n));
    return [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].map((k) => k * step).find((k) => k >= n) || 10 * step;
  }
  // the years that have a number: those of the plan, where they do not crowd
  function marked(years) {
    const own = years.map((_, k) => k).filter((k) => data.years.includes(years[k])), span = years[years.length - 1] - years[0];
    return own.filter((k, i) => i === own.length - 1 || (years[own[own.length - 1]] - years[k]) * 10 >= span && (i === 0 || (years[k] - years[own[i - 1]]) * 10 >= span || i === 1 && span < 3)) || own;
  }

  /* ---- tables by step ---- */
  const table = (heads, rows, cls) => h("div", { class: "scroll" }, h("table", { class: cls }, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows)));
  const headOf = (view) => h("span", {}, t("cards." + view.key), h("br"), String(view.year));
  const cell = (view, ...inside) => h("td", { class: view === page.now() ? "now" : null }, ...inside);
  const minutes = (n) => (isNumber(n) ? t("cards.minutes", { n: n.toFixed(0) }) : "");
  const beyond = (f) => !["served", "away"].includes(f.status);

  function whereTable(i) {
    const views = steps(), keyOf = (f) => [BANDS.indexOf(f.band), f.school, f.mode, f.school < 0 ? f.status : ""].join("|"), keys = new Map();
    for (const view of views) for (const f of view.byVillage[i]) keys.set(keyOf(f), f);
    if (!keys.size) return null;
    // by grades; what there is in the first years first
    const first = (f) => views.findIndex((view) => view.byVillage[i].some((g) => keyOf(g) === keyOf(f)));
    const lines = [...keys.values()].sort((a, b) => BANDS.indexOf(a.band) - BANDS.indexOf(b.band) || first(a) - first(b) || a.school - b.school || MODES.indexOf(a.mode) - MODES.indexOf(b.mode));
    const rows = [];
    for (const [n, f] of lines.entries()) {
      if (!n || lines[n - 1].band !== f.band) rows.push(h("tr", { class: "band" }, h("th", { colspan: String(views.length + 1), scope: "colgroup" }, t("band." + f.band))));
      const where = f.school >= 0 ? [h("button", { type: "button", class: "link", on: { click: () => page.fly("school", f.school) } }, name(schools[f.school].name))] : [f.status === "away" ? word("status", "away") : t("card.no_school")];
      rows.push(h("tr", {}, h("th", { scope: "row" }, ...where, f.mode === "none" ? null : h("span", { class: "mode" }, word("mode", f.mode))), views.map((view) => {
        const there = view.byVillage[i].filter((g) => keyOf(g) === keyOf(f));
        if (!there.length) return cell(view, h("span", { class: "nothing" }, t("card.none")));
        return cell(view, there.map((g) => h("div", { class: beyond(g) ? "beyond" : null }, g.pupils === null ? (g.minutes === null ? "✓" : "") : t("unit.pupils", { n: count(g.pupils) }), g.minutes === null || g.pupils === null ? null : h("br"),
          minutes(g.minutes), beyond(g) ? h("span", { class: "flag", title: word("status", g.status) }, " ▲", g.school < 0 || g.status !== "beyond_limit" ? word("status", g.status) : null) : null)));
      })));
    }
    return table([t("cards.school_mode"), ...views.map(headOf)], rows, "steps");
  }
  function villageCard(i) {
    const v = villages[i], parts = [h("h2", { tabindex: "-1" }, v.name), h("p", { class: "note" }, [word("kind", v.kind), page.townshipOf(v), v.id].filter(Boolean).join(" · "))];
    const known = extra().villages[i];
    if (data.pupils.length) {
      const [pupils, low, high] = known || [data.years.map((_, k) => page.childrenOf(i, k)), null, null], years = known ? extra().years : data.years;
      parts.push(h("h3", {}, t("cards.pupils", { from: years[0], to: years[years.length - 1] })), chart(years, [{ name: t("cards.expected"), values: pupils, low, high }], v.name));
      if (known) parts.push(h("p", { class: "note" }, low.some(isNumber) ? t("cards.range_note") + " " : null, t("cards.whole_note")));
      const of = (k) => years.indexOf(data.years[k]);
      parts.push(table([t("card.band"), ...data.years.map(String)], [
        ...BANDS.map((band, b) => row([t("band." + band), ...data.years.map((_, k) => count(data.pupils[i][k][b]))])),
        row([t("cards.all"), ...data.years.map((_, k) => count(page.childrenOf(i, k)))], { class: "strong" }),
        ...(low && low.some(isNumber) ? [row([t("cards.range"), ...data.years.map((_, k) => (isNumber(low[of(k)]) ? range(low[of(k)], high[of(k)]) : t("card.none")))], { class: "sub range-row" })] : []),
      ]));
    }
    const where = whereTable(i);
    if (where) parts.push(h("h3", {}, t("cards.where")), where, h("p", { class: "note" }, t("cards.where_note", { walk: BANDS.map((b) => data.limits[b].walk).join("/"), bus: BANDS.map((b) => data.limits[b].bus).join("/"), week: data.limits.junior.week })));
    const own = data.proposals.filter((p) => steps().some((view) => view.key === "planned" && view.byVillage[i].some((f) => f.school === p.school)));
    if (own.length) parts.push(h("h3", {}, t("cards.concerns", { n: own.length })), ...own.map((p) => proposal(p, true)));
    parts.push(...page.villageFindings(i));
    const moving = data.moves.filter((m) => m.from === i || m.to === i);
    if (moving.length) parts.push(h("h3", {}, t("layer.moves")), h("ul", {}, moving.map((m) => h("li", {}, page.moveText(m)))));
    return parts;
  }
  // a proposal with its reason; clauses and gates fold away where it is not the subject
  function proposal(p, folded) {
    const [head, reason, ...rest] = page.proposalText(p);
    if (!folded) return h("section", { class: "proposal" }, head, reason, ...rest);
    return h("section", { class: "proposal" }, h("p", {}, sample(page.actionMark(p.action)), h("button", { type: "button", class: "link", on: { click: () => page.fly("school", p.school) } }, name(t("proposal.line", { year: p.year, action: word("action", p.action), name: schools[p.school].name })))),
      reason, h("details", {}, h("summary", {}, t("cards.basis")), ...rest));
  }

  /* ---- a school ---- */
  // the tier by colour, by the shape of its mark and in words for those who hear the page
  function tierChip(tier, text) {
    const spoken = word("tier", tier);
    return h("span", { class: "chip " + tier, title: spoken }, sample({ ...tierMark[tier], radius: Math.min(tierMark[tier].radius, 5.5) }), h("span", {}, text), h("span", { class: "spoken" }, spoken));
  }
  function classTable(i) {
    const views = steps().filter((view) => view.bySchool[i].seats || view.bySchool[i].roll), grades = new Map();
    if (!views.length) return [];
    for (const view of views) for (const c of view.bySchool[i].classes) grades.set(c[1] + (c[6] ? "m" : ""), c);
    const order = [...grades.values()].sort((a, b) => parseInt(a[1], 10) - parseInt(b[1], 10) || (a[1] < b[1] ? -1 : 1));
    const seats = (name, place) => row([t("cards." + name), ...views.map((view) => cell(view, view.bySchool[i].seats ? count(view.bySchool[i].seats[place]) : t("card.none")))], { class: "sub" });
    const total = (of) => views.map((view) => cell(view, view.bySchool[i].roll ? of(view.bySchool[i].roll) : t("card.none")));
    const rows = [
      ...order.map((g) => h("tr", {}, h("th", { scope: "row" }, t("cards.grade", { grade: g[1] }) + (g[6] ? t("card.mixed") : "")), views.map((view) => {
        const c = view.bySchool[i].classes.find((one) => one[1] === g[1] && one[6] === g[6]);
        return cell(view, c ? [h("div", {}, t("cards.classes", { n: c[3], pupils: count(c[2]) })), tierChip(c[5], t("cards.largest", { n: c[4] }))] : h("span", { class: "nothing" }, t("card.none")));
      }))),
      h("tr", { class: "strong" }, h("th", { scope: "row" }, t("cards.all")), total((roll) => [h("div", {}, t("cards.n_classes", { n: roll.classes })), h("div", {}, t("unit.pupils", { n: count(roll.pupils) })), order.length ? null : tierChip(roll.tier, word("tier", roll.tier))])),
      h("tr", { class: "sub" }, h("th", { scope: "row" }, t("cards.oversized")), total((roll) => count(roll.oversized))), seats("rooms", 4), seats("beds", 5),
    ];
    return [h("h3", {}, t("cards.by_grade")), table([t("card.grade"), ...views.map(headOf)], rows, "steps"),
      order.length ? h("p", { class: "note tiers" }, TIERS.map((tier) => tierChip(tier, t("tier." + tier, data.tiers)))) : null];
  }
  function wayTable(i) {
    const views = steps().filter((view) => view.bySchool[i].from.length), lines = new Map();
    for (const view of views) for (const f of view.bySchool[i].from) lines.set(BANDS.indexOf(f.band) + "|" + MODES.indexOf(f.mode), [f.band, f.mode]);
    if (!lines.size) return [];
    const sorted = [...lines.keys()].sort().map((key) => lines.get(key));
    return [h("h3", {}, t("cards.ways")), table([t("cards.band_mode"), ...views.map(headOf)], sorted.map(([band, mode]) => h("tr", {}, h("th", { scope: "row" }, t("band." + band), h("span", { class: "mode" }, word("mode", mode))), views.map((view) => {
      const flows = view.bySchool[i].from.filter((f) => f.band === band && f.mode === mode), longest = flows.filter((f) => isNumber(f.minutes)).reduce((most, f) => Math.max(most, f.minutes), -1), late = flows.some(beyond);
      if (!flows.length) return cell(view, h("span", { class: "nothing" }, t("card.none")));
      const pupils = flows.some((f) => f.pupils === null) ? null : flows.reduce((sum, f) => sum + f.pupils, 0);
      return cell(view, h("div", { class: late ? "beyond" : null }, pupils === null ? null : t("unit.pupils", { n: count(pupils) }), pupils === null || longest < 0 ? null : h("br"), longest < 0 ? null : t("cards.longest", { n: longest.toFixed(0) }), late ? h("span", { class: "flag", title: word("status", "beyond_limit") }, " ▲") : null));
    }))), "steps"), h("p", { class: "note" }, t("cards.ways_note"))];
  }
  function fromList(i) {
    const flows = page.now().bySchool[i].from, sums = new Map();
    for (const f of flows) sums.set(f.village, (sums.get(f.village) || 0) + (f.pupils || 0));
    if (!sums.size) return [];
    const sorted = [...sums].sort((a, b) => b[1] - a[1] || a[0] - b[0]), fold = sorted.length > LISTED;
    const item = ([v, n]) => h("li", {}, h("button", { type: "button", class: "link", on: { click: () => page.fly("village", v) } }, name(villages[v].name)), n ? " " + t("unit.pupils", { n: count(n) }) : null);
    return [h("h3", {}, t("cards.from", { situation: page.situationName(page.now()), n: sorted.length })), h("ul", { class: "from" }, sorted.slice(0, LISTED).map(item)),
      fold ? h("details", {}, h("summary", {}, t("cards.others", { n: sorted.length - LISTED })), h("ul", { class: "from" }, sorted.slice(LISTED).map(item))) : null];
  }
  function schoolCard(i) {
    const s = schools[i], parts = [h("h2", { tabindex: "-1" }, s.name)], seats = page.now().bySchool[i].seats;
    parts.push(h("p", { class: "note" }, [word("school_kind", s.kind), page.townshipOf(s), s.id].filter(Boolean).join(" · ")));
    parts.push(h("p", { class: "note" }, t("cards.told", { what: page.situationName(page.now()), text: seats ? t("card.seats", { status: word("school_status", seats[1]), first: seats[2], last: seats[3], rooms: seats[4], beds: count(seats[5]) }) : t("card.not_open") })));
    for (const p of data.proposals.filter((p) => p.school === i)) parts.push(proposal(p, false));
    for (const m of data.must_stay.filter((m) => m[0] === i)) parts.push(h("p", {}, m[2] === null ? t("card.must_stay_public", { year: m[1], minutes: page.minutesWord(m[3]) }) : t(m[3] === null ? "card.must_stay_only" : "card.must_stay", { year: m[1], n: count(m[2]), minutes: m[3] === null ? "" : m[3].toFixed(0) })));
    for (const [, year, next, way, pupils, lower, upper, reason] of data.review.filter((r) => r[0] === i)) {
      parts.push(h("p", {}, t("card.review", { year, name: page.schoolName(next), minutes: page.minutesWord(way) })));
      if (reason) parts.push(h("p", { class: "note" }, t("card.review_pupils", { n: count(pupils), lower: count(lower), upper: count(upper), reason: word("review", reason) })));
    }
    const gates = extra().gates.filter((g) => g[0] === i);
    if (gates.length) parts.push(h("h3", {}, t("cards.merger_gates")), table(["gate", "state", "figures"].map((k) => t("cards." + k)), gates.map(([, gate, , state, figures, clause]) => row([both(gate), both(state), h("td", {}, both(figures), clause ? h("div", { class: "note" }, both(clause)) : null)])), "gates"));
    // the public page has no range and its numbers are rounded: a line of them would mislead
    if (data.audience !== "public") {
      const known = extra().schools[i] || {}, planned = data.years.map((year, k) => (k ? page.rollIn("planned", year, i) : null)), today = data.years.map((year, k) => page.rollIn(k ? "nothing" : "base", year, i));
      const lines = [{ name: t("cards.with_plan"), values: planned, low: known.low, high: known.high }, { name: t("cards.without_plan"), values: today }].filter((l) => l.values.some(isNumber));
      if (lines.length) parts.push(h("h3", {}, t("cards.school_pupils", { from: data.years[0], to: data.years[data.years.length - 1] })), chart(data.years, lines, s.name),
        h("p", { class: "note" }, h("span", { class: "line-first" }), t("cards.with_plan"), "　", h("span", { class: "line-second" }), t("cards.without_plan"), known.low ? "　" + t("cards.range_note") : ""));
    }
    parts.push(...classTable(i), ...wayTable(i), ...fromList(i), ...page.schoolFindings(i));
    return parts.filter(Boolean);
  }
  page.cards.village = villageCard;
  page.cards.school = schoolCard;
  page.steps = steps;
}
