"use strict";
/* Draw two plans that lie in the page: what differs on one map, or both side by side, and the tables of differences.
   Every word goes in as text, nothing is fetched, nothing is evaluated. Colours stand in plan_map.css and compare_map.css. */

function drawComparison(map) {
  const data = JSON.parse(document.getElementById("plan-data").textContent);
  const BANDS = ["lower", "upper", "junior"], SIDES = ["a", "b"], LISTED = 200;
  const [VILLAGE_CHANGES, SCHOOL_CHANGES, PROPOSAL_CHANGES] = data.changes;
  const state = { lang: data.lang, see: "differences", year: data.years[data.years.length - 1], band: "lower", card: null, drawn: {}, ready: false, open: { headline: true, proposals: true } };
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue("--" + name).trim();
  document.body.classList.add("comparing");

  /* ---- words and elements: text nodes only ---- */
  const fill = (text, fields) => text.replace(/\{(\w+)\}/g, (whole, name) => (fields && name in fields ? String(fields[name]) : whole));
  const t = (key, fields) => fill(data.text[state.lang][key] || key, fields);
  const word = (list, code) => (data.words[state.lang][list] || {})[code] || code;
  const count = (n) => (n === null || n === undefined ? "" : n.toLocaleString("en-US"));
  const signed = (n) => (n === null ? "" : n > 0 ? "+" + count(n) : n < 0 ? "−" + count(-n) : "0");
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const planName = (k) => t("compare.plan_" + SIDES[k]) + (data.names[k] ? t("compare.named", { name: data.names[k] }) : "");
  function h(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "on") for (const [event, run] of Object.entries(value)) node.addEventListener(event, run);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
    return node;
  }
  const cellOf = (cell, i) => (cell instanceof HTMLTableCellElement ? cell : h(i ? "td" : "th", i ? {} : { scope: "row" }, cell));
  const grid = (heads, rows) => h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map(cellOf)))));
  const turn = (difference) => h("td", { class: difference > 0 ? "up" : difference < 0 ? "down" : null }, signed(difference));

  /* ---- marks on canvas: a shape beside every colour ---- */
  const SHAPES = {
    square: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
    diamond: [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]],
    up: [[0, -1.2], [1.15, 0.85], [-1.15, 0.85]],
    down: [[0, 1.2], [1.15, -0.85], [-1.15, -0.85]],
    bar: [[-1.3, -0.45], [1.3, -0.45], [1.3, 0.45], [-1.3, 0.45]],
    plus: [[-0.4, -1.1], [0.4, -1.1], [0.4, -0.4], [1.1, -0.4], [1.1, 0.4], [0.4, 0.4], [0.4, 1.1], [-0.4, 1.1], [-0.4, 0.4], [-1.1, 0.4], [-1.1, -0.4], [-0.4, -0.4]],
    cross: [[-1, -0.5], [-0.5, -1], [0, -0.5], [0.5, -1], [1, -0.5], [0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5], [-0.5, 1], [-1, 0.5], [-0.5, 0]],
  };
  function trace(context, shape, x, y, r) {
    context.beginPath();
    if (!(shape in SHAPES)) return context.arc(x, y, r, 0, 2 * Math.PI);
    SHAPES[shape].forEach(([dx, dy], i) => context[i ? "lineTo" : "moveTo"](x + r * dx, y + r * dy));
    context.closePath();
  }
  function letter(context, text, x, y, r) {
    context.globalAlpha = 1;
    context.fillStyle = "#fff";
    context.font = "bold " + Math.round(r * 1.35) + "px " + getComputedStyle(document.body).fontFamily;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(text, x, y + r * 0.08);
  }
  const Mark = L.CircleMarker.extend({
    _project() {
      this._point = this._map.latLngToLayerPoint(this._latlng).add(this.options.offset || [0, 0]);
      this._updateBounds();
    },
    _updatePath() {
      const renderer = this._renderer, o = this.options;
      if (!renderer._drawing || this._empty()) return;
      trace(renderer._ctx, o.shape, this._point.x, this._point.y, this._radius);
      renderer._fillStroke(renderer._ctx, this);
      if (o.letter) letter(renderer._ctx, o.letter, this._point.x, this._point.y, this._radius);
    },
  });
  function sample(look) {
    const node = h("canvas", { width: 60, height: 44, "aria-hidden": "true" }), context = node.getContext("2d");
    node.style.width = "30px";
    node.style.height = "22px";
    context.scale(2, 2);
    context.lineWidth = look.weight || 1;
    context.strokeStyle = look.color || "#333";
    context.fillStyle = look.fillColor || "#fff";
    trace(context, look.shape, 15, 11, Math.min(look.radius || 6, 8));
    context.fill();
    context.stroke();
    if (look.letter) letter(context, look.letter, 15, 11, Math.min(look.radius || 6, 8));
    return node;
  }
  const key = (look, text, number) => h("li", {}, look ? sample(look) : null, h("span", {}, text), number === undefined ? null : h("span", { class: "count" }, number));

  const VILLAGE_SHAPES = ["down", "up", "diamond", "circle", "diamond", "circle", "square", "square", "circle", "circle", "circle"], VILLAGE_SIZES = [7, 7, 6.5, 6, 5, 4.5, 6, 5, 4.5, 3, 2.2];
  const villageMark = (i) => ({ shape: VILLAGE_SHAPES[i], radius: VILLAGE_SIZES[i], fillColor: colour("change-" + VILLAGE_CHANGES[i]), color: i > 8 ? "#8a949c" : "#222", weight: i < 4 ? 1.4 : 0.9 });
  const SCHOOL_SHAPES = ["cross", "plus", "square", "up", "down", "square"], SCHOOL_SIZES = [9, 9, 7.5, 6, 6, 3];
  const schoolMark = (i) => ({ shape: SCHOOL_SHAPES[i], radius: SCHOOL_SIZES[i], fillColor: colour("change-" + SCHOOL_CHANGES[i]), color: "#111", weight: 1.6 });
  const tierMark = (tier) => ({ shape: tier === "oversized" || tier === "super" ? "diamond" : "square", radius: tier === "oversized" || tier === "super" ? 8 : 5.5, fillColor: colour("tier-" + (tier || "none")), color: "#333", weight: 1.2 });
  const proposalMark = (i) => ({ shape: "circle", radius: 10, color: "#fff", weight: 1.5, fillColor: i === 0 ? colour("plan-a") : i === 1 ? colour("plan-b") : colour("accent"), letter: ["A", "B", "±", "±", "±", "="][i] });
  const lostMark = { shape: "cross", radius: 6, fillColor: colour("no_seat"), color: "#fff", weight: 1 }, boardMark = { shape: "circle", radius: 5, fillColor: colour("boarding") };

  /* ---- places and rows ---- */
  const place = (list) => list.map(([id, name, kind, township, lon, lat]) => ({ id, name, kind, township, at: L.latLng(lat / 1e5, lon / 1e5) }));
  const villages = place(data.villages), schools = place(data.schools);
  const unfold = (line) => {
    let lon = 0, lat = 0;
    const points = [];
    for (let i = 0; i < line.length; i += 2) points.push([(lat += line[i + 1]) / 1e5, (lon += line[i]) / 1e5]);
    return points;
  };
  const pair = (row, at) => [row[at], row[at + 1]];
  const villageRows = data.village_rows.map((r) => ({ place: r[0], year: r[1], band: BANDS[r[2]], change: r[3], pupils: pair(r, 4), without: pair(r, 6), beyond: pair(r, 8), boarders: pair(r, 10), minutes: pair(r, 12), school: pair(r, 14) }));
  const schoolRows = data.school_rows.map((r) => ({ place: r[0], year: r[1], change: r[2], open: pair(r, 3), kind: pair(r, 5), first: pair(r, 7), last: pair(r, 9), rooms: pair(r, 11), beds: pair(r, 13), pupils: pair(r, 15), classes: pair(r, 17), largest: pair(r, 19), oversized: pair(r, 21), tier: pair(r, 23) }));
  const proposals = data.proposals.map((r) => ({ place: r[0], action: r[1], change: r[2], year: pair(r, 3), role: pair(r, 5), first: pair(r, 7), last: pair(r, 9), rooms: pair(r, 11), beds: pair(r, 13), cost: pair(r, 15), pupils: pair(r, 17) }));
  const villagesNow = () => villageRows.filter((r) => r.year === state.year && r.band === state.band);
  const schoolsNow = () => schoolRows.filter((r) => r.year === state.year);
  const schoolName = (i) => (i < 0 ? t("compare.none") : schools[i].name);
  const minutesWord = (n) => (n === null ? t("compare.none") : n.toFixed(1));

  /* ---- the two maps move as one ---- */
  const otherBox = h("div", { id: "plan-other", "aria-label": planName(1), role: "region" });
  map.getContainer().after(otherBox);
  const other = L.map(otherBox, { zoomControl: false, zoomAnimation: false, fadeAnimation: false, zoomSnap: 0.25, minZoom: 6, maxZoom: 18, preferCanvas: true });
  const maps = [map, other];
  let moving = false;
  maps.forEach((one, k) => one.on("move", () => {
    if (moving || state.see !== "beside") return;
    moving = true;
    maps[1 - k].setView(one.getCenter(), one.getZoom(), { animate: false });
    moving = false;
  }));
  const canvases = maps.map(() => L.canvas({ padding: 0.2 })), groups = maps.map((one) => L.layerGroup().addTo(one));
  const ROADS = { motorway: 3, national: 2.7, provincial: 2.4, county: 1.9, township: 1.4, village: 0.9, path: 0.8 };
  maps.forEach((one) => {
    one.createPane("ground").style.zIndex = 220;
    one.getPane("ground").style.pointerEvents = "none";
    const ground = L.canvas({ pane: "ground", padding: 0.2 });
    if (data.ground.shade) L.imageOverlay(data.ground.shade.image, data.ground.shade.bounds, { pane: "tilePane", opacity: 0.55, interactive: false }).addTo(one);
    for (const [cls, lines] of [...data.ground.roads].reverse()) L.polyline(lines.map(unfold), { renderer: ground, interactive: false, color: colour("road-" + cls), weight: ROADS[cls], dashArray: cls === "path" ? [4, 3] : null }).addTo(one);
    for (const ring of data.ground.boundary) L.polyline(unfold(ring), { renderer: ground, interactive: false, color: colour("boundary"), weight: 2, dashArray: [10, 4, 2, 4] }).addTo(one);
    one.attributionControl.setPrefix("Leaflet");
    for (const credit of data.attribution) one.attributionControl.addAttribution(credit);
    L.control.scale({ imperial: false, maxWidth: 160, position: "bottomright" }).addTo(one);
  });

  function put(k, id, at, look, text, open) {
    const mark = new Mark(at, { renderer: canvases[k], fillOpacity: 1, ...look });
    mark.bindTooltip(() => h("div", {}, text().map((line, i) => h(i ? "div" : "b", {}, line))), { direction: "top", offset: [0, -6] });
    mark.on("click", (event) => { L.DomEvent.stop(event); open(); });
    groups[k].addLayer(mark);
    state.drawn[id] = (state.drawn[id] || 0) + 1;
  }
  const villageTip = (r) => [villages[r.place].name, word("village_change", VILLAGE_CHANGES[r.change]), ...[0, 1].map((k) => t("compare.tip_village", { plan: t("compare.plan_" + SIDES[k]), n: count(r.pupils[k]), minutes: minutesWord(r.minutes[k]), school: schoolName(r.school[k]) }))];
  const schoolTip = (r) => [schools[r.place].name, word("school_change", SCHOOL_CHANGES[r.change]), ...[0, 1].map((k) => t("compare.tip_school", { plan: t("compare.plan_" + SIDES[k]), n: count(r.pupils[k]), c: count(r.classes[k]), largest: count(r.largest[k]) }))];
  const limits = () => { const walk = data.limits[state.band][0]; return [walk / 3, (2 * walk) / 3, walk, 1.5 * walk].map(Math.round); };
  const minutesClass = (n) => limits().filter((limit) => n > limit).length;
  const minutesMark = (i) => ({ shape: i > 2 ? "diamond" : "circle", radius: 6, fillColor: colour("minutes-" + (i + 1)), color: i > 2 ? "#111" : "#456", weight: i > 2 ? 1.6 : 0.8 });

  function drawDifferences() {
    const order = [...villagesNow()].sort((a, b) => b.change - a.change || a.place - b.place);
    for (const r of order) put(0, "villages", villages[r.place].at, villageMark(r.change), () => villageTip(r), () => openCard("village", r.place));
    for (const r of [...schoolsNow()].sort((a, b) => b.change - a.change || a.place - b.place)) put(0, "schools", schools[r.place].at, schoolMark(r.change), () => schoolTip(r), () => openCard("school", r.place));
    const differing = proposals.filter((p) => p.place >= 0 && PROPOSAL_CHANGES[p.change] !== "same"), seen = new Map();
    for (const p of differing) {
      const nth = seen.get(p.place) || 0;
      seen.set(p.place, nth + 1);
      put(0, "proposals", schools[p.place].at, { ...proposalMark(p.change), offset: [nth * 21, -19] }, () => [schools[p.place].name, word("action", p.action) + "：" + word("proposal_change", PROPOSAL_CHANGES[p.change])], () => openCard("school", p.place));
    }
  }
  function drawPlan(k) {
    for (const r of villagesNow()) {
      if (!r.pupils[k]) continue;
      const look = r.without[k] ? lostMark : r.minutes[k] === null ? boardMark : minutesMark(minutesClass(r.minutes[k]));
      put(k, "villages_" + SIDES[k], villages[r.place].at, look, () => villageTip(r), () => openCard("village", r.place));
    }
    for (const r of schoolsNow()) if (r.open[k]) put(k, "schools_" + SIDES[k], schools[r.place].at, tierMark(r.tier[k]), () => schoolTip(r), () => openCard("school", r.place));
  }
  function draw() {
    state.drawn = {};
    groups.forEach((group) => group.clearLayers());
    if (state.see === "beside") [0, 1].forEach(drawPlan);
    else drawDifferences();
  }

  /* ---- cards ---- */
  const card = document.getElementById("plan-card");
  const heads = () => ["", t("compare.plan_a"), t("compare.plan_b"), t("compare.difference")];
  const line = (label, values) => [label, count(values[0]), count(values[1]), turn(values[1] - values[0])];
  function villageCard(i) {
    const v = villages[i], parts = [h("h2", { tabindex: "-1" }, v.name), h("p", { class: "note" }, (v.township >= 0 ? data.townships[v.township] : "") + " " + v.id)];
    for (const band of BANDS) {
      const r = villageRows.find((x) => x.place === i && x.year === state.year && x.band === band);
      if (!r) continue;
      parts.push(h("h3", {}, t("compare.card_band", { year: r.year, band: t("band." + band), change: word("village_change", VILLAGE_CHANGES[r.change]) })), grid(heads(), [
        line(t("compare.pupils"), r.pupils), line(t("compare.without"), r.without), line(t("compare.beyond"), r.beyond), line(t("compare.boarders"), r.boarders),
        [t("compare.minutes"), minutesWord(r.minutes[0]), minutesWord(r.minutes[1]), h("td", {}, r.minutes[0] === null || r.minutes[1] === null ? "" : signed(Math.round(10 * (r.minutes[1] - r.minutes[0])) / 10))],
        [t("compare.school"), schoolName(r.school[0]), schoolName(r.school[1]), ""]]));
    }
    return parts;
  }
  function schoolCard(i) {
    const s = schools[i], parts = [h("h2", { tabindex: "-1" }, s.name), h("p", { class: "note" }, s.id)];
    for (const r of schoolRows.filter((x) => x.place === i)) {
      const said = (k) => (r.open[k] ? word("kind", r.kind[k]) + " " + r.first[k] + "—" + r.last[k] : t("compare.not_open"));
      parts.push(h("h3", {}, t("compare.card_school", { year: r.year, change: word("school_change", SCHOOL_CHANGES[r.change]) })), grid(heads(), [
        [t("compare.kind"), said(0), said(1), ""], line(t("compare.rooms"), r.rooms), line(t("compare.beds"), r.beds), line(t("compare.pupils"), r.pupils),
        line(t("compare.classes"), r.classes), line(t("compare.largest"), r.largest), line(t("compare.oversized"), r.oversized)]));
    }
    for (const p of proposals.filter((x) => x.place === i)) parts.push(h("h3", {}, word("action", p.action) + "：" + word("proposal_change", PROPOSAL_CHANGES[p.change])),
      ...[0, 1].map((k) => h("p", { class: "note" }, t("compare.plan_" + SIDES[k]) + " " + proposalSize(p, k))));
    return parts;
  }
  const proposalSize = (p, k) => (p.year[k] === null ? t("compare.none") : t("compare.proposal", { year: p.year[k], role: word("kind", p.role[k]), first: p.first[k], last: p.last[k], rooms: p.rooms[k], beds: p.beds[k], cost: count(Math.round(p.cost[k] / 1e4)) }));
  const cards = { village: villageCard, school: schoolCard };
  function openCard(what, i) {
    state.card = [what, i];
    card.replaceChildren(h("button", { type: "button", class: "close", "aria-label": t("card.close"), on: { click: closeCard } }, "✕"), ...cards[what](i));
    card.hidden = false;
    card.scrollTop = 0;
    card.querySelector("h2").focus({ preventScroll: true });
  }
  function closeCard() {
    state.card = null;
    card.hidden = true;
  }
  function fly(what, i) {
    map.setView((what === "village" ? villages : schools)[i].at, Math.max(map.getZoom(), 12), { animate: false });
    openCard(what, i);
  }
  const named = (what, i) => h("th", { scope: "row" }, h("button", { type: "button", on: { click: () => fly(what, i) } }, (what === "village" ? villages : schools)[i].name));
  const arrow = (values, say) => say(values[0]) + " → " + say(values[1]);

  /* ---- the tables of the panel ---- */
  function headlineTable() {
    return [grid(heads(), data.headline.map(([figure, a, b, d]) => [word("figure", figure), count(a), count(b), turn(d)])), h("p", { class: "note" }, t("compare.headline_note", { year: data.years[data.years.length - 1] }))];
  }
  function yearsTable() {
    return data.year_rows.map(([view, year, figures]) => [h("p", { class: "note" }, h("b", {}, word("view", view) + " " + year)), grid(heads(), figures.filter(([, a, b, d]) => d !== 0 || a === null || b === null).map(([figure, a, b, d]) => [word("figure", figure), count(a), count(b), turn(d)]))]).flat();
  }
  const townshipName = (i) => (i < 0 ? t("compare.none") : data.townships[i]);
  function townshipsTable() {
    const parts = ["pupils", ...data.statuses], rows = data.township_rows.filter((r) => r[1] === state.year && BANDS[r[2]] === state.band);
    const differ = rows.filter((r) => parts.some((_, i) => r[3 + 2 * i] !== r[4 + 2 * i]));
    return [grid([t("compare.township"), ...parts.map((p) => (p === "pupils" ? t("compare.pupils") : word("status", p)))],
      differ.map((r) => [townshipName(r[0]), ...parts.map((_, i) => (r[3 + 2 * i] === r[4 + 2 * i] ? count(r[3 + 2 * i]) : arrow([r[3 + 2 * i], r[4 + 2 * i]], count)))])), h("p", { class: "note" }, t("compare.others_same", { n: rows.length - differ.length }))];
  }
  function listed(rows, make, headings) {
    const parts = [grid(headings, rows.slice(0, LISTED).map(make))];
    if (rows.length > LISTED) parts.push(h("p", { class: "note" }, t("compare.more", { n: rows.length - LISTED })));
    return parts;
  }
  function villagesTable() {
    const rows = villagesNow().filter((r) => VILLAGE_CHANGES[r.change] !== "same").sort((a, b) => a.change - b.change || Math.max(...b.pupils) - Math.max(...a.pupils) || a.place - b.place);
    return listed(rows, (r) => [named("village", r.place), h("td", { class: "text" }, word("village_change", VILLAGE_CHANGES[r.change])), arrow(r.pupils, count), arrow(r.without, count), arrow(r.minutes, minutesWord)],
      [t("compare.village"), t("compare.change"), t("compare.pupils"), t("compare.without"), t("compare.minutes")]);
  }
  function schoolsTable() {
    const rows = schoolsNow().filter((r) => SCHOOL_CHANGES[r.change] !== "same").sort((a, b) => a.change - b.change || a.place - b.place);
    return listed(rows, (r) => [named("school", r.place), h("td", { class: "text" }, word("school_change", SCHOOL_CHANGES[r.change])), arrow(r.rooms, count), arrow(r.beds, count), arrow(r.pupils, count), arrow(r.largest, count)],
      [t("compare.school"), t("compare.change"), t("compare.rooms"), t("compare.beds"), t("compare.pupils"), t("compare.largest")]);
  }
  function proposalsTable() {
    const rows = [...proposals].sort((a, b) => a.change - b.change || a.place - b.place);
    return listed(rows, (p) => [p.place < 0 ? t("compare.none") : named("school", p.place), h("td", { class: "text" }, word("action", p.action)), h("td", { class: "text" }, word("proposal_change", PROPOSAL_CHANGES[p.change])), h("td", { class: "text" }, proposalSize(p, 0)), h("td", { class: "text" }, proposalSize(p, 1))],
      [t("compare.school"), t("compare.action"), t("compare.change"), t("compare.plan_a"), t("compare.plan_b")]);
  }
  function moneyTable() {
    const money = (n) => count(Math.round(n / 1e4)), all = (at) => sum(data.money.map((r) => r[at]));
    return [grid([t("compare.year_action"), t("compare.items"), t("compare.plan_a"), t("compare.plan_b"), t("compare.difference")],
      [...data.money.map((r) => [r[0] + " " + word("action", r[1]), arrow([r[2], r[3]], count), money(r[4]), money(r[5]), turn(Math.round(r[8] / 1e4))]),
        [t("compare.total"), arrow([all(2), all(3)], count), money(all(4)), money(all(5)), turn(Math.round(all(8) / 1e4))]]), h("p", { class: "note" }, t("compare.money_note"))];
  }
  function basisTable() {
    if (!data.basis.length) return [h("p", { class: "note" }, t("compare.same_basis"))];
    return [grid([t("compare.basis_kind"), t("compare.item"), t("compare.plan_a"), t("compare.plan_b")], data.basis.map(([kind, item, a, b]) => [word("basis", kind), h("td", { class: "text" }, item), h("td", { class: "text" }, a.slice(0, 120)), h("td", { class: "text" }, b.slice(0, 120))]))];
  }
  const TABLES = [["headline", headlineTable], ["proposals", proposalsTable], ["villages", villagesTable], ["schools", schoolsTable], ["townships", townshipsTable], ["years", yearsTable], ["money", moneyTable], ["basis", basisTable]];

  /* ---- legend ---- */
  function legend() {
    const rows = villagesNow(), tally = (list) => t("unit.pupils_villages", { n: count(sum(list.map((r) => Math.max(...r.pupils)))), v: list.length });
    if (state.see === "beside") {
      const marks = [0, 1, 2, 3, 4].map((i) => [minutesMark(i), i === 0 ? t("minutes.upto", { to: limits()[0] }) : i === 4 ? t("minutes.over", { from: limits()[3] }) : t(i === 2 ? "minutes.limit" : "minutes.range", { from: limits()[i - 1], to: limits()[i] }), (r, k) => !r.without[k] && r.minutes[k] !== null && minutesClass(r.minutes[k]) === i]);
      marks.push([boardMark, t("compare.no_day"), (r, k) => !r.without[k] && r.minutes[k] === null], [lostMark, t("compare.some_without"), (r, k) => r.without[k] > 0]);
      const schoolsHere = schoolsNow();
      return [h("p", { class: "note" }, t("compare.beside_note")), ...marks.map(([look, text, test]) => key(look, text, [0, 1].map((k) => t("unit.villages", { v: rows.filter((r) => r.pupils[k] && test(r, k)).length })).join(" → "))),
        ...["super", "oversized", "elevated", "normal", "small", ""].map((tier) => key(tierMark(tier), tier ? word("tier", tier) : t("compare.no_class"), [0, 1].map((k) => t("unit.schools", { n: schoolsHere.filter((r) => r.open[k] && r.tier[k] === tier).length })).join(" → ")))];
    }
    const kinds = (list, changes, i) => list.filter((r) => r.change === i);
    return [h("li", {}, h("b", {}, t("compare.legend_villages"))), ...VILLAGE_CHANGES.map((change, i) => key(villageMark(i), word("village_change", change), tally(kinds(rows, VILLAGE_CHANGES, i)))),
      h("li", {}, h("b", {}, t("compare.legend_schools"))), ...SCHOOL_CHANGES.map((change, i) => key(schoolMark(i), word("school_change", change), t("unit.schools", { n: kinds(schoolsNow(), SCHOOL_CHANGES, i).length }))),
      h("li", {}, h("b", {}, t("compare.legend_proposals"))), ...[0, 1, 2].map((i) => key(proposalMark(i), i < 2 ? word("proposal_change", PROPOSAL_CHANGES[i]) : t("compare.proposal_differs"), t("unit.items", { n: proposals.filter((p) => p.place >= 0 && (i < 2 ? p.change === i : p.change > 1 && PROPOSAL_CHANGES[p.change] !== "same")).length })))];
  }

  /* ---- the panel ---- */
  function choice(name, options, value, pick) {
    return h("div", { class: "choices", role: "radiogroup", "aria-label": t("compare.choose_" + name) }, options.map(([code, text]) =>
      h("label", {}, h("input", { type: "radio", name, id: name + "-" + code, value: code, checked: code === value, on: { change: () => pick(code) } }), h("span", {}, text))));
  }
  function details([name, make]) {
    const box = h("details", { id: "table-" + name, open: state.open[name] || false }, h("summary", {}, t("compare.table_" + name)));
    const body = h("div", { class: "rows" }, state.open[name] ? make() : []);
    box.append(body);
    // a long table is made when somebody opens it
    box.addEventListener("toggle", () => {
      if (state.open[name] === box.open) return;
      state.open[name] = box.open;
      body.replaceChildren(...(box.open ? make() : []));
    });
    return box;
  }
  function panel() {
    document.getElementById("plan-panel").replaceChildren(
      h("div", { class: "screen-only" },
        choice("see", [["differences", t("compare.see_differences")], ["beside", t("compare.see_beside")]], state.see, (code) => { state.see = code; arrange(); refresh(); }),
        choice("year", data.years.map((year) => [year, t("compare.year", { year })]), state.year, (year) => { state.year = year; refresh(); }),
        choice("band", BANDS.map((band) => [band, t("band." + band)]), state.band, (code) => { state.band = code; refresh(); })),
      h("ul", { class: "key", id: "plan-legend" }, legend()), ...TABLES.map(details), h("p", { class: "note" }, t("compare.no_names")));
  }
  function head() {
    document.documentElement.lang = state.lang === "zh" ? "zh-CN" : "en";
    document.title = t("compare.title", { county: data.county });
    document.getElementById("plan-head").replaceChildren(
      h("div", { class: "grow" }, h("h1", {}, t("compare.title", { county: data.county })), h("p", {}, t("compare.subtitle", { a: planName(0), b: planName(1), base: data.base_year, date: data.base_date }), " · ", h("b", { id: "plan-now" }))),
      h("div", { class: "stamp" }, t("stamp.internal")),
      h("button", { type: "button", id: "plan-print", class: "screen-only", on: { click: () => window.print() } }, t("button.print")),
      h("button", { type: "button", id: "plan-lang", class: "screen-only", lang: state.lang === "zh" ? "en" : "zh-CN", on: { click: () => { state.lang = state.lang === "zh" ? "en" : "zh"; build(); document.getElementById("plan-lang").focus(); } } }, t("button.lang")));
  }
  function refresh() {
    const focused = document.activeElement && document.activeElement.id;
    draw();
    panel();
    document.getElementById("plan-now").textContent = t("compare.now", { see: t("compare.see_" + state.see), year: state.year, band: t("band." + state.band) });
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
    if (state.card && !card.hidden) openCard(...state.card);
  }

  /* ---- furniture ---- */
  const corner = (one, position, cls) => {
    const control = L.control({ position });
    control.onAdd = () => h("div", { class: cls });
    return control.addTo(one).getContainer();
  };
  const which = maps.map((one, k) => corner(one, "topright", "which " + SIDES[k])), norths = maps.map((one) => corner(one, "bottomright", "north"));
  let zoom = null;
  function furniture() {
    if (zoom) zoom.remove();
    zoom = L.control.zoom({ position: "topleft", zoomInTitle: t("button.zoom_in"), zoomOutTitle: t("button.zoom_out") }).addTo(map);
    norths.forEach((node) => node.replaceChildren(h("div", {}, "▲"), h("div", {}, t("north"))));
    which.forEach((node, k) => { node.textContent = planName(k); });
    maps.forEach((one, k) => one.getContainer().setAttribute("aria-label", t("map_label") + " " + planName(k)));
    map.getContainer().setAttribute("role", "region");
  }
  function arrange() {
    document.body.classList.toggle("beside", state.see === "beside");
    which.forEach((node) => { node.hidden = state.see !== "beside"; });
    for (const one of maps) one.invalidateSize({ animate: false, pan: false });
    map.fitBounds(data.bounds, { animate: false, padding: [18, 18] });
    if (state.see === "beside") other.setView(map.getCenter(), map.getZoom(), { animate: false });
  }
  function build() {
    head();
    furniture();
    arrange();
    refresh();
  }
  document.addEventListener("keydown", (e) => { if (e.key === "Escape") closeCard(); });
  other.setView(map.getCenter(), map.getZoom(), { animate: false });
  build();
  state.ready = true;
  window.planMap = { map, other, state, fly, open: openCard, refresh, data };
}
