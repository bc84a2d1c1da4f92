"use strict";
/* Draw the plan that lies in the page. Every word goes in as text, nothing is fetched, nothing is evaluated.
   Colours stand in plan_map.css, sentences in the message catalogue; here is only what is drawn where. */

function drawPlan(map) {
  const data = JSON.parse(document.getElementById("plan-data").textContent);
  // a browser that cannot unpack shows the first year and the last one, and says so
  const unpack = (packed) => JSON.parse(new TextDecoder().decode(whatIf.inflate(whatIf.bytesOf(packed.data), packed.size)));
  let unpacked = true;
  if (data.later)
    try {
      Object.assign(data, unpack(data.later));
    } catch (error) {
      Object.assign(data, { year_views: [], walking: { shapes: [], lines: [] }, comparisons: null });
      unpacked = false;
    }
  const BANDS = ["lower", "upper", "junior"];
  const TIERS = ["small", "normal", "elevated", "oversized", "super"];
  const state = { lang: data.lang, situation: "planned", way: "planned", year: data.plan_year, band: "lower", mode: "all", shown: {}, drawn: {}, card: null, ready: false, quiet: false };
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue("--" + name).trim();

  /* ---- words ---- */
  const fill = (text, fields) => text.replace(/\{(\w+)\}/g, (whole, name) => (fields && name in fields ? String(fields[name]) : whole));
  const t = (key, fields) => fill(data.text[state.lang][key] || key, fields);
  const word = (list, code) => (data.words[state.lang][list] || {})[code] || code;
  const both = (pair) => pair[state.lang];
  // a count below the publication threshold is -1, one that isn't published at all is null
  const count = (n) => (n === null || n === undefined ? "" : n < 0 ? "<" + data.small_count : n.toLocaleString("en-US"));
  const tally = (pupils, places) => (pupils === null ? t("unit.villages", { v: places }) : t("unit.pupils_villages", { n: count(pupils), v: places }));
  const sum = (numbers) => numbers.reduce((a, b) => (a === null || b === null ? null : a + Math.max(b, 0)), 0);

  /* ---- elements: text nodes only ---- */
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
  const row = (cells, attributes) => h("tr", attributes, cells.map((cell, i) => (cell instanceof Node ? cell : h(i ? "td" : "th", i ? {} : { scope: "row" }, cell))));
  const grid = (heads, rows) => h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows));

  /* ---- marks on canvas: circle, square, diamond, triangles, cross, star, arrow, badge with a letter ---- */
  const POLYGONS = {
    square: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]],
    diamond: [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]],
    triangle: [[0, -1.2], [1.15, 0.85], [-1.15, 0.85]],
    wedge: [[0, 1.2], [1.15, -0.85], [-1.15, -0.85]],
    arrow: [[1.3, 0], [-1, -0.9], [-0.4, 0], [-1, 0.9]],
    plate: [[-1, -0.36], [1, -0.36], [1, 0.36], [-1, 0.36]],
    house: [[0, -1.3], [1.1, -0.3], [1.1, 1], [-1.1, 1], [-1.1, -0.3]],
    cross: [[-1, -0.5], [-0.5, -1], [0, -0.5], [0.5, -1], [1, -0.5], [0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5], [-0.5, 1], [-1, 0.5], [-0.5, 0]],
    star: Array.from({ length: 10 }, (_, i) => [Math.sin((i * Math.PI) / 5) * (i % 2 ? 0.6 : 1.4), -Math.cos((i * Math.PI) / 5) * (i % 2 ? 0.6 : 1.4)]),
  };
  function trace(context, shape, x, y, r, turn) {
    context.beginPath();
    if (shape === "circle" || shape === "badge") return context.arc(x, y, r, 0, 2 * Math.PI);
    if (shape === "cell") return context.roundRect ? context.roundRect(x - r, y - r, 2 * r, 2 * r, r / 2) : context.rect(x - r, y - r, 2 * r, 2 * r);
    const cos = Math.cos(turn || 0), sin = Math.sin(turn || 0);
    POLYGONS[shape].forEach(([dx, dy], i) => context[i ? "lineTo" : "moveTo"](x + r * (dx * cos - dy * sin), y + r * (dx * sin + dy * cos)));
    context.closePath();
  }
  function letter(context, text, x, y, r, fillColour, shape) {
    context.fillStyle = fillColour;
    context.font = "bold " + Math.round(r * (shape === "wedge" ? 0.95 : 1.35)) + "px " + getComputedStyle(document.body).fontFamily;
    context.textAlign = "center";
    context.textBaseline = "middle";
    // a wedge has its room at the top
    context.fillText(text, x, y + r * (shape === "wedge" ? -0.25 : 0.08));
  }
  // a bar of parts, left to right; beside its colour each part has a pattern of its own: plain, slanted, crossed, empty
  const PARTS = ["served", "no_place", "out_of_reach", "away"], STRIPES = { no_place: [1], out_of_reach: [1, -1] };
  function stack(context, numbers, x, y, r, high) {
    const total = numbers.reduce((a, b) => a + b, 0) || 1;
    // a part that is there can be seen
    const wide = numbers.map((n) => (n ? Math.max(3, (2 * r * n) / total) : 0)), all = wide.reduce((a, b) => a + b, 0) || 1;
    let left = x - r;
    context.save();
    context.globalAlpha = 1;
    context.setLineDash([]);
    PARTS.forEach((part, i) => {
      const w = (wide[i] * 2 * r) / all, top = y - high / 2;
      if (!w) return;
      context.save();
      context.beginPath();
      context.rect(left, top, w, high);
      context.fillStyle = colour("part-" + part);
      context.fill();
      context.clip();
      context.beginPath();
      for (const way of STRIPES[part] || [])
        for (let k = -high; k < w + high; k += 5) {
          context.moveTo(left + k, way > 0 ? top + high : top);
          context.lineTo(left + k + high, way > 0 ? top : top + high);
        }
      context.strokeStyle = "rgba(255, 255, 255, 0.75)";
      context.lineWidth = 1.2;
      context.stroke();
      context.restore();
      context.strokeStyle = "#222";
      context.lineWidth = 1;
      context.strokeRect(left, top, w, high);
      left += w;
    });
    context.restore();
  }
  const Mark = L.CircleMarker.extend({
    _project() {
      this._point = this._map.latLngToLayerPoint(this._latlng).add(this.options.offset || [0, 0]);
      this._updateBounds();
    },
    _updatePath() {
      const renderer = this._renderer, o = this.options;
      if (!renderer._drawing || this._empty()) return;
      if (o.parts) return stack(renderer._ctx, o.parts, this._point.x, this._point.y, this._radius, o.high);
      trace(renderer._ctx, o.shape, this._point.x, this._point.y, this._radius, o.turn);
      renderer._fillStroke(renderer._ctx, this);
      if (o.letter) {
        renderer._ctx.globalAlpha = 1;
        letter(renderer._ctx, o.letter, this._point.x, this._point.y, this._radius, "#fff", o.shape);
      }
    },
  });
  function sample(options) {
    // the same drawing as on the map, for the legend
    const r = options.shape === "star" || options.shape === "diamond" ? Math.min(options.radius || 7, 6.5) : options.radius || 7;
    const tall = options.shape === "wedge" || options.shape === "triangle" ? 2.5 : 2, wide = Math.max(30, 2.4 * r + 2), high = Math.max(22, tall * r + 4), x = wide / 2, y = high / 2;
    const node = h("canvas", { width: 2 * wide, height: 2 * high, "aria-hidden": "true" }), context = node.getContext("2d");
    node.style.width = wide + "px";
    node.style.height = high + "px";
    context.scale(2, 2);
    if (options.parts) {
      stack(context, options.parts, x, y, r, options.high);
      return node;
    }
    context.lineWidth = options.weight === undefined ? 1 : options.weight;
    context.strokeStyle = options.color || "#333";
    context.fillStyle = options.fillColor || "#fff";
    if (options.line) {
      if (options.edge) {
        const [wide, tint] = [context.lineWidth, context.strokeStyle];
        context.lineWidth += 1.4;
        context.strokeStyle = options.edge;
        context.beginPath();
        context.moveTo(2, 11);
        context.lineTo(28, 11);
        context.stroke();
        [context.lineWidth, context.strokeStyle] = [wide, tint];
      }
      context.setLineDash(options.dash || []);
      context.beginPath();
      context.moveTo(2, 11);
      context.lineTo(28, 11);
      context.stroke();
      return node;
    }
    if (options.dash) context.setLineDash(options.dash);
    trace(context, options.shape, x, y, r, options.turn);
    context.globalAlpha = options.fillOpacity === undefined ? 1 : options.fillOpacity;
    if (options.fill !== false) context.fill();
    context.globalAlpha = 1;
    if (options.stroke !== false) context.stroke();
    if (options.letter) letter(context, options.letter, x, y, r, "#fff", options.shape);
    return node;
  }
  const key = (mark, text, number) => h("li", {}, mark ? sample(mark) : null, h("span", {}, text), number === undefined ? null : h("span", { class: "count" }, number));

  /* ---- places ---- */
  const place = (list) => list.map(([id, name, kind, township, lon, lat]) => ({ id, name, kind, township, at: L.latLng(lat / 1e5, lon / 1e5) }));
  const villages = place(data.villages), schools = place(data.schools);
  const unfold = (line) => {
    let lon = 0, lat = 0;
    const points = [];
    for (let i = 0; i < line.length; i += 2) points.push([(lat += line[i + 1]) / 1e5, (lon += line[i]) / 1e5]);
    return points;
  };
  const flow = ([village, band, school, mode, status, pupils, minutes]) => ({ village, band: BANDS[band], school, mode, status, pupils, minutes });
  let views = {};
  function arranged(view) {
    const flows = view.flows.map(flow), byVillage = villages.map(() => []), bySchool = schools.map(() => ({ classes: [], seats: null, from: [] }));
    for (const f of flows) {
      byVillage[f.village].push(f);
      if (f.school >= 0) bySchool[f.school].from.push(f);
    }
    for (const c of view.classes) bySchool[c[0]].classes.push(c);
    for (const s of view.seats) bySchool[s[0]].seats = s;
    for (const s of view.rolls) bySchool[s[0]].roll = { pupils: s[1], classes: s[2], oversized: s[3], superClasses: s[4], tier: s[5] };
    return { ...view, flows, byVillage, bySchool };
  }
  // today's base year, and one plan year without and with the plan; those of the other years are made when they are looked at
  const allSituations = [...data.situations, ...data.year_views.flat()], seenYears = {};
  const years = data.years.filter((year) => year === data.base_year || allSituations.some((v) => v.year === year));
  const threeOf = (year) => [data.situations[0], ...allSituations.filter((v) => v.key !== "base" && v.year === year)];
  function viewsOf(year) {
    if (!seenYears[year]) seenYears[year] = Object.fromEntries(threeOf(year).map((v) => [v.key, v.key === "base" && views.base ? views.base : arranged(v)]));
    return seenYears[year];
  }
  function turnTo(year) {
    views = viewsOf(year);
    data.situations = threeOf(year);
  }
  turnTo(state.year);
  // pupils of a school in any year, without arranging that year for the map
  function rollIn(key, year, i) {
    const raw = allSituations.find((v) => v.key === key && v.year === year), roll = raw && raw.rolls.find((r) => r[0] === i);
    return roll ? roll[1] : null;
  }
  // today, then every plan year without and with the plan
  const allViews = () => [views.base, ...years.slice(1).flatMap((year) => [viewsOf(year).nothing, viewsOf(year).planned])];
  function lookAt(view) {
    if (view.key !== "base") state.year = view.year;
    state.situation = view.key;
  }
  const now = () => views[state.situation];
  const yearOf = (view) => data.years.indexOf(view.year);
  // all children of a village in the k-th year
  const childrenOf = (i, k) => sum(data.pupils[i][k]);
  const townshipOf = (p) => (p.township >= 0 ? data.townships[p.township].name : "");
  const limitOf = (band) => data.limits[band].walk;
  const MODES = ["all", "walk", "bus", "board"];
  const modeLimit = (band) => data.limits[band][{ bus: "bus", board: "week" }[state.mode] || "walk"] || limitOf(band);
  const breaks = (band) => [modeLimit(band) / 3, (2 * modeLimit(band)) / 3, modeLimit(band), 1.5 * modeLimit(band)].map(Math.round);

  // neighbouring schools get different colours: the one least used among the six nearest already coloured
  const palette = Array.from({ length: 8 }, (_, i) => colour("school-" + (i + 1)));
  const schoolColour = [];
  schools.forEach((school, i) => {
    const near = [];
    for (let j = 0; j < i; j++) {
      const far = (schools[j].at.lat - school.at.lat) ** 2 + (schools[j].at.lng - school.at.lng) ** 2;
      if (near.length === 6 && far >= near[5][0]) continue;
      let k = near.length === 6 ? 5 : near.length;
      for (; k > 0 && near[k - 1][0] > far; k--) near[k] = near[k - 1];
      near[k] = [far, j];
    }
    const used = palette.map((c) => near.filter(([, j]) => schoolColour[j] === c).length);
    schoolColour.push(palette[used.indexOf(Math.min(...used))]);
  });

  /* ---- the ground ---- */
  for (const [name, z] of [["tiles", 205], ["shade", 210], ["water", 215], ["roads", 220], ["areas", 230], ["names", 640]]) {
    map.createPane(name).style.zIndex = z;
    map.getPane(name).style.pointerEvents = "none";
  }
  const still = { water: L.canvas({ pane: "water", padding: 0.2 }), roads: L.canvas({ pane: "roads", padding: 0.2 }), areas: L.canvas({ pane: "areas", padding: 0.2 }) };
  const canvas = L.canvas({ padding: 0.2 });
  // a browser prints a canvas as a white sheet with marks on it, so on paper the ground is drawn into the uppermost one
  let printing = false;
  canvas._draw = function () {
    if (printing) {
      const context = this._ctx, size = this._bounds.getSize();
      context.fillStyle = colour("paper");
      context.fillRect(this._bounds.min.x, this._bounds.min.y, size.x, size.y);
      for (const image of map.getPane("shade").getElementsByTagName("img")) {
        const at = L.DomUtil.getPosition(image);
        context.globalAlpha = SHADE;
        context.drawImage(image, at.x, at.y, parseFloat(image.style.width), parseFloat(image.style.height));
      }
      this._drawing = true;
      for (const below of Object.values(still))
        for (let order = below._drawFirst; order; order = order.next) {
          order.layer._renderer = this;
          order.layer._updatePath();
          order.layer._renderer = below;
        }
    }
    L.Canvas.prototype._draw.call(this);
  };
  const groups = {};
  let firstZoom = 0;
  const put = (id, layer) => {
    groups[id].addLayer(layer);
    state.drawn[id] += 1;
    return layer;
  };
  const mark = (id, at, options) => put(id, new Mark(at, { renderer: canvas, radius: 7, weight: 1, color: "#333", fillOpacity: 1, ...options }));
  const clickable = (layer, text, open) => {
    layer.bindTooltip(() => h("div", {}, text().map((line, i) => h(i ? "div" : "b", {}, line))), { direction: "top", offset: [0, -6] });
    return layer.on("click", (event) => { L.DomEvent.stop(event); open(); });
  };
  const line = (id, points, options) => put(id, L.polyline(points, { interactive: false, ...options }));

  /* ---- the layers, each a question ---- */
  const SHADE = 0.55;
  const peak = data.pupils.flat().reduce((most, bands) => Math.max(most, sum(bands)), 1);
  const size = (n) => 2 + 18 * Math.sqrt(Math.max(n, 0) / peak);
  const journey = (flows, band) => {
    // the slowest day child stands for the village; boarders and those without a place are told apart
    const home = flows.filter((f) => f.band === band && f.mode !== "seat" && f.status !== "away" && (state.mode === "all" || f.mode === state.mode));
    if (!home.length) return null;
    const day = home.filter((f) => (state.mode === "all" ? f.mode === "walk" || f.mode === "bus" : f.minutes !== null));
    const minutes = day.length ? Math.max(...day.map((f) => f.minutes)) : null;
    const lost = home.some((f) => f.school < 0), beyond = home.some((f) => f.status === "beyond_limit");
    return { minutes, lost, beyond, boards: home.some((f) => f.mode === "board"), pupils: sum(home.map((f) => f.pupils)) };
  };
  const minutesClass = (minutes, band) => breaks(band).filter((b) => minutes > b).length;
  const minutesText = (band) => {
    const [a, b, c, d] = breaks(band);
    return [t("minutes.upto", { to: a }), t("minutes.range", { from: a, to: b }), t("minutes.limit", { from: b, to: c }), t("minutes.range", { from: c, to: d }), t("minutes.over", { from: d })];
  };
  const minutesMark = (i) => ({ shape: i > 2 ? "diamond" : "circle", fillColor: colour("minutes-" + (i + 1)), color: i > 2 ? "#111" : "#456", weight: i > 2 ? 1.6 : 0.8, radius: 6 });
  const boardMark = { shape: "circle", fillColor: colour("boarding"), radius: 5 }, lostMark = { shape: "circle", fillColor: "#fff", color: colour("no_route"), weight: 2.5, radius: 4.5 };
  const tierMark = {
    none: { shape: "square", fillColor: colour("tier-none"), color: "#666", radius: 4 },
    small: { shape: "square", fillColor: colour("tier-small"), radius: 5.5 },
    normal: { shape: "square", fillColor: colour("tier-normal"), radius: 6.5 },
    elevated: { shape: "square", fillColor: colour("tier-elevated"), radius: 7.5 },
    oversized: { shape: "diamond", fillColor: colour("tier-oversized"), radius: 8.5, weight: 1.8 },
    super: { shape: "star", fillColor: colour("tier-super"), radius: 9, weight: 1.4 },
  };
  const gapMark = {
    beyond_limit: { shape: "diamond", fillColor: colour("beyond_limit") },
    no_seat: { shape: "wedge", fillColor: colour("no_seat") },
    no_bed: { shape: "triangle", fillColor: colour("no_bed") },
    no_route: { shape: "cross", fillColor: colour("no_route") },
  };
  const DASH = { walk: null, bus: [7, 4], board: [2, 4] };
  const actionMark = (action, scale) => ({
    shape: action === "review_for_merger" ? "cell" : "badge", letter: t("letter." + action), color: "#fff", weight: 1.5, radius: (action === "keep" ? 9 : 11) * (scale || 1),
    fillColor: colour(action === "open" || action === "reopen" ? "proposal-open" : action === "review_for_merger" ? "proposal-review" : "proposal"),
  });
  const tierOf = (entry) => (entry.roll ? entry.roll.tier : entry.seats && entry.seats[1] === "open" ? "none" : null);
  const byAction = [...data.proposals.keys()].sort((a, b) => (data.proposals[a].action === "keep" ? 0 : 1) - (data.proposals[b].action === "keep" ? 0 : 1) || a - b);

  // what the plan found; the public page has none of it but the schools that must stay and those under review
  const found = { breaches: [], sites: [], access: [], zones: [], zones_same: [0, 0, 0], fit: [], fit_error: [], ...data.findings };
  const inBand = (rows, at) => rows.filter((r) => BANDS[r[at]] === state.band);
  const big = (tier) => tier === "oversized" || tier === "super";
  const tiersOf = (i) => data.situations.map((v) => tierOf(views[v.key].bySchool[i]));
  const partMark = (part) => ({ parts: PARTS.map((p) => (p === part ? 1 : 0)), radius: 11, high: 12 });
  const reachPeak = Math.max(1, ...allSituations.flatMap((v) => v.reach.map((r) => r[1])));
  const shortPeak = Math.max(1, ...allSituations.flatMap((v) => v.short.map((r) => r[3])));
  const shortSize = (n) => 4 + 11 * Math.sqrt(n / shortPeak);
  const stayMark = { shape: "circle", radius: 12, fill: true, fillOpacity: 0.01, color: colour("must-stay"), weight: 3 };
  const reviewMark = { shape: "square", radius: 10, fill: true, fillOpacity: 0.01, color: colour("review"), weight: 2.5, dashArray: [4, 3] };
  const VERDICTS = ["enough", "short", "no_school_in_reach", "check_pupils", "nobody"];
  const verdictMark = (verdict) => ({ shape: verdict === "enough" || verdict === "nobody" ? "badge" : "cell", letter: t("letter." + verdict), radius: 11, color: "#fff", weight: 1.5, fillColor: colour("verdict-" + verdict) });
  const stageOf = () => (state.band === "junior" ? "junior" : "primary");
  const sitesNow = () => found.sites.filter((r) => r[1] === now().year && r[2] === stageOf());
  // the classes of seats a child: none, under half, under one, one and more, one and a half and more
  const ACCESS = [0.5, 1, 1.5];
  const accessClass = (seats) => (seats > 0 ? 1 + ACCESS.filter((b) => seats >= b).length : 0);
  const accessMark = (i) => ({ shape: i === 0 ? "cross" : i < 3 ? "diamond" : "circle", fillColor: colour("access-" + i), color: "#333", radius: i === 0 ? 4.5 : 6 });
  const accessText = () => [t("access.none"), t("access.under", { to: ACCESS[0] }), t("access.range", { from: ACCESS[0], to: ACCESS[1] }), t("access.range", { from: ACCESS[1], to: ACCESS[2] }), t("access.over", { from: ACCESS[2] })];
  const zoneMark = {
    nearer: { shape: "circle", fillColor: colour("zone-nearer"), radius: 6 },
    limit: { shape: "diamond", fillColor: colour("zone-limit"), radius: 6.5 },
    no_way: { shape: "cross", fillColor: colour("zone-no_way"), radius: 6.5 },
    not_taught: { shape: "square", fillColor: colour("zone-not_taught"), radius: 6 },
  };
  const fitPeak = Math.max(1, ...found.fit.map((r) => Math.abs(r[5])));
  const signed = (n) => (n > 0 ? "+" : n < 0 ? "−" : "") + Math.abs(n).toFixed(0);
  // more in the model than on the roll points up, fewer points down; within half a child is a dot
  const fitSide = (n) => (Math.abs(n) < 0.5 ? "same" : n > 0 ? "more" : "fewer");
  const fitMark = (n) => ({ shape: { same: "circle", more: "triangle", fewer: "wedge" }[fitSide(n)], fillColor: colour("fit-" + fitSide(n)), fillOpacity: 0.85, color: "#333", radius: 3.5 + 11 * Math.sqrt(Math.abs(n) / fitPeak) });
  const percent = (share) => (share === null || share === undefined ? t("card.unknown") : (100 * share).toFixed(1) + "%");
  const minutesWord = (n) => (n === null ? t("card.no_way") : t("card.minutes", { n: n.toFixed(0) }));
  const schoolName = (i) => (i < 0 ? t("card.no_school") : schools[i].name);

  const page = {
    map, data, state, t, h, both, word, count, tally, sum, key, put, mark, line, clickable, colour, canvas, still, villages, schools, unfold, BANDS, SHADE,
    years, allViews, lookAt, now, actionMark, villageTip, openCard, moveText, situationName, refresh, views: () => views, firstZoom: () => firstZoom,
  };
  const ground = groundLayers(page), questions = questionLayers(page), slider = yearSlider(page);
  // many proposals are drawn smaller while the whole county is looked at
  const crowded = () => data.proposals.length > CROWDED && map.getZoom() < firstZoom + 1, CROWDED = 40;
  const LAYERS = [
    ...ground,
    { id: "names", group: "ground", on: true, draw: drawNames, legend: () => [] },
    { id: "exclusions", group: "sites", on: false, when: () => data.exclusions.length,
      draw() {
        for (const area of data.exclusions) {
          const tint = colour(area.hard ? "exclusion-hard" : "exclusion-flag");
          const shape = put("exclusions", L.polygon(area.rings.map((part) => part.map(unfold)), { renderer: canvas, color: tint, weight: 1.5, fillColor: tint, fillOpacity: area.hard ? 0.28 : 0.14, dashArray: area.hard ? null : [6, 4] }));
          shape.bindTooltip(() => h("div", {}, h("b", {}, area.layer), h("div", {}, t(area.hard ? "legend.hard" : "legend.flag")), h("div", {}, area.source)), { sticky: true });
        }
      },
      // by what they are, those where no school may be built first
      legend: () => [true, false].flatMap((hard) => {
        const mine = data.exclusions.filter((a) => a.hard === hard), tint = colour(hard ? "exclusion-hard" : "exclusion-flag");
        return [...new Set(mine.map((a) => a.layer))].map((layer) => key({ shape: "square", radius: 8, fillColor: tint, color: tint, fillOpacity: hard ? 0.28 : 0.14, dash: hard ? [] : [3, 2] },
          layer + " · " + t(hard ? "legend.hard" : "legend.flag"), count(mine.filter((a) => a.layer === layer).length)));
      }) },
    { id: "pupils", group: "children", on: false, when: () => data.pupils.length,
      draw() {
        const year = yearOf(now());
        villages.forEach((v, i) => {
          const n = childrenOf(i, year);
          if (n === 0) return;
          clickable(mark("pupils", v.at, { shape: "circle", radius: size(n), fillColor: colour("pupils"), fillOpacity: 0.45, color: colour("pupils"), weight: 1.2 }), () => villageTip(i), () => openCard("village", i));
        });
      },
      legend() {
        const year = yearOf(now()), steps = [...new Set([peak, peak / 4, peak / 20].map((n) => Math.max(1, n > 100 ? Math.round(n / 50) * 50 : Math.round(n / 5) * 5)))];
        return [...steps.map((n) => key({ shape: "circle", radius: size(n), fillColor: colour("pupils"), fillOpacity: 0.45, color: colour("pupils") }, t("legend.pupils", { n: count(n) }))),
          key(null, t("legend.total", { year: now().year }), t("unit.pupils", { n: count(now().headline.pupils) })),
          key(null, t("legend.villages"), count(villages.filter((_, i) => childrenOf(i, year) !== 0).length))];
      } },
    questions.layers.walking,
    { id: "links", group: "journey", on: false, banded: true,
      draw() {
        for (const f of now().flows)
          if (f.band === state.band && f.school >= 0 && f.mode in DASH)
            line("links", [villages[f.village].at, schools[f.school].at], { renderer: canvas, color: schoolColour[f.school], weight: f.pupils === null ? 1.4 : 1 + Math.min(3, f.pupils / 30), opacity: 0.85, dashArray: DASH[f.mode] });
      },
      legend: () => Object.keys(DASH).map((mode) => {
        const flows = now().flows.filter((f) => f.band === state.band && f.school >= 0 && f.mode === mode);
        return key({ line: true, color: palette[0], weight: 2, dash: DASH[mode] || [] }, word("mode", mode), tally(sum(flows.map((f) => f.pupils)), new Set(flows.map((f) => f.village)).size));
      }).concat(key(null, t("legend.links"))) },
    { id: "minutes", group: "journey", on: true, banded: true,
      draw() {
        villages.forEach((v, i) => {
          const j = journey(now().byVillage[i], state.band);
          if (!j) return;
          const look = j.minutes === null ? (j.lost ? lostMark : boardMark) : minutesMark(minutesClass(j.minutes, state.band));
          if (j.beyond && j.minutes !== null) Object.assign(look, { shape: "diamond", color: "#111", weight: 2.2 });
          else if (look.shape === "diamond") Object.assign(look, { shape: "circle", color: "#456", weight: 0.8 });
          clickable(mark("minutes", v.at, look), () => villageTip(i), () => openCard("village", i));
        });
      },
      legend() {
        const js = now().byVillage.map((flows) => journey(flows, state.band)).filter(Boolean), labels = minutesText(state.band);
        const total = (list) => tally(sum(list.map((j) => j.pupils)), list.length);
        return labels.map((text, i) => key({ ...minutesMark(i) }, text, total(js.filter((j) => j.minutes !== null && minutesClass(j.minutes, state.band) === i))))
          .concat(key(boardMark, t("legend.boards"), total(js.filter((j) => j.minutes === null && !j.lost))),
            key(lostMark, t("legend.lost"), total(js.filter((j) => j.minutes === null && j.lost))),
            key(null, t("legend.diamond", { walk: data.limits[state.band].walk, bus: data.limits[state.band].bus })),
            key(null, both(data.limits[state.band].clause)));
      } },
    questions.layers.changes,
    ...[["unserved", ["no_seat", "no_bed", "no_route"], true], ["beyond", ["beyond_limit"], false]].map(([id, statuses, on]) => ({ id, group: "children", on,
      draw() {
        now().byVillage.forEach((flows, i) => {
          const gaps = statuses.filter((gap) => flows.some((f) => f.status === gap));
          gaps.forEach((gap, k) => clickable(mark(id, villages[i].at, { ...gapMark[gap], radius: 6, color: "#fff", weight: 1.2, offset: [k * 12 - (gaps.length - 1) * 6, -11] }), () => villageTip(i), () => openCard("village", i)));
        });
      },
      legend: () => statuses.map((gap) => key({ ...gapMark[gap], radius: 6 }, word("status", gap), tally(now().headline[gap], now().byVillage.filter((flows) => flows.some((f) => f.status === gap)).length))) })),
    { id: "reach", group: "children", on: false, when: () => allSituations.some((v) => v.reach.length),
      draw() {
        for (const [k, pupils, ...parts] of now().reach) {
          const at = data.townships[k].at;
          if (at && pupils) clickable(mark("reach", L.latLng(at[1] / 1e5, at[0] / 1e5), { shape: "square", parts, high: 13, offset: [0, -11], radius: 16 + 26 * Math.sqrt(pupils / reachPeak) }), () => [data.townships[k].name, ...PARTS.map((part, i) => t("headline." + part) + " " + t("unit.pupils", { n: count(parts[i]) }))], () => openCard("township", k));
        }
      },
      legend: () => PARTS.map((part) => key(partMark(part), t("headline." + part), t("unit.pupils", { n: count(now().headline[part]) })))
        .concat(key(null, t("legend.reach", { n: now().reach.filter((r) => r[1]).length }))) },
    { id: "short", group: "children", on: false, banded: true, when: () => allSituations.some((v) => v.short.length),
      draw() {
        // the many first, so that the few stay on top
        const rows = inBand(now().short, 1).sort((a, b) => b[3] - a[3] || a[0] - b[0]);
        for (const [v, , status, pupils, minutes] of rows)
          clickable(mark("short", villages[v].at, { ...gapMark[status], radius: shortSize(pupils), fillOpacity: 0.8, color: "#fff", weight: 1.2 }),
            () => [villages[v].name, word("status", status) + " " + t("unit.pupils", { n: count(pupils) }), ...(minutes === null ? [] : [minutesWord(minutes)])], () => openCard("village", v));
      },
      legend() {
        const rows = inBand(now().short, 1);
        return Object.keys(gapMark).map((gap) => {
          const mine = rows.filter((r) => r[2] === gap);
          return key({ ...gapMark[gap], radius: 6 }, word("status", gap), tally(sum(mine.map((r) => r[3])), mine.length));
        }).concat([...new Set([shortPeak, Math.max(1, Math.round(shortPeak / 6))])].map((n) => key({ shape: "circle", radius: shortSize(n), fillColor: "#ddd" }, t("legend.pupils", { n: count(n) }))));
      } },
    { id: "site_seats", group: "children", on: false, when: () => found.sites.length,
      draw() {
        for (const [v, , , verdict, , pupils, seats, , balance] of sitesNow())
          clickable(mark("site_seats", villages[v].at, verdictMark(verdict)), () => [villages[v].name, word("verdict", verdict), t("tip.site", { n: pupils.toFixed(0), seats: seats.toFixed(0), balance: signed(balance) })], () => openCard("village", v));
      },
      legend: () => VERDICTS.map((verdict) => key(verdictMark(verdict), word("verdict", verdict), t("unit.sites", { n: sitesNow().filter((r) => r[3] === verdict).length })))
        .concat(key(null, t("legend.site_seats", { year: now().year, stage: word("stage", stageOf()) }))) },
    { id: "access", group: "journey", on: false, banded: true, when: () => found.access.length,
      draw() {
        for (const [v, , pupils, seats] of inBand(found.access, 1))
          clickable(mark("access", villages[v].at, accessMark(accessClass(seats))), () => [villages[v].name, t("tip.access", { seats: seats.toFixed(2), n: count(pupils) })], () => openCard("village", v));
      },
      legend() {
        const rows = inBand(found.access, 1);
        return accessText().map((text, i) => {
          const mine = rows.filter((r) => accessClass(r[3]) === i);
          return key(accessMark(i), text, tally(sum(mine.map((r) => r[2])), mine.length));
        }).concat(key(null, t("legend.access", { year: data.base_year })));
      } },
    { id: "zones", group: "journey", on: false, banded: true, when: () => found.zones.length,
      draw() {
        for (const [v, , zone, minutes, nearest, nearer, pupils, difference] of inBand(found.zones, 1)) {
          if (zone >= 0) line("zones", [villages[v].at, schools[zone].at], { renderer: canvas, color: zoneMark[difference].fillColor, weight: 2.4 });
          if (nearest >= 0) line("zones", [villages[v].at, schools[nearest].at], { renderer: canvas, color: colour("zone-nearest"), weight: 1.8, dashArray: [3, 4] });
          clickable(mark("zones", villages[v].at, zoneMark[difference]), () => [villages[v].name, word("difference", difference) + " " + t("unit.pupils", { n: count(pupils) }),
            t("tip.zone", { name: schoolName(zone), minutes: minutesWord(minutes) }), t("tip.nearest", { name: schoolName(nearest), minutes: minutesWord(nearer) })], () => openCard("village", v));
        }
      },
      legend() {
        const rows = inBand(found.zones, 1);
        return Object.keys(zoneMark).map((difference) => {
          const mine = rows.filter((r) => r[7] === difference);
          return key(zoneMark[difference], word("difference", difference), tally(sum(mine.map((r) => r[6])), mine.length));
        }).concat(key({ line: true, color: colour("zone-nearer"), weight: 2.4 }, t("legend.zone")), key({ line: true, color: colour("zone-nearest"), weight: 1.8, dash: [3, 4] }, t("legend.zone_nearest")),
          key(null, t("legend.zones_same", { n: found.zones_same[BANDS.indexOf(state.band)], year: data.base_year })));
      } },
    { id: "classes", group: "schools", on: true,
      draw() {
        now().bySchool.forEach((entry, i) => {
          const tier = tierOf(entry);
          if (tier) clickable(mark("classes", schools[i].at, tierMark[tier]), () => schoolTip(i), () => openCard("school", i));
        });
      },
      legend() {
        const tiers = now().bySchool.map(tierOf);
        return [...TIERS, "none"].map((tier) => key(tierMark[tier], tier === "none" ? t("legend.no_class") : t("tier." + tier, data.tiers), t("unit.schools", { n: tiers.filter((x) => x === tier).length })))
          .concat(key(null, t("legend.oversized", { n: now().oversized[0], m: now().oversized[1] })));
      } },
    { id: "class_change", group: "schools", on: false,
      draw() {
        // where schools lie close the worst lies on top
        const worst = (i) => Math.max(...tiersOf(i).map((tier) => TIERS.indexOf(tier)));
        for (const i of [...schools.keys()].sort((a, b) => worst(a) - worst(b) || a - b)) {
          const tiers = tiersOf(i), school = schools[i];
          if (!tiers.some(big)) continue;
          mark("class_change", school.at, { shape: "plate", radius: 30, fillColor: "#fff", fillOpacity: 0.85, color: "#666", offset: [0, 16], interactive: false });
          tiers.forEach((tier, k) => {
            if (tier) clickable(mark("class_change", school.at, { ...tierMark[tier], offset: [(k - 1) * 19, 16] }), () => [school.name, ...data.situations.map((v, n) => situationName(v) + "：" + (tiers[n] ? word("tier", tiers[n]) : t("card.not_open")))], () => openCard("school", i));
          });
        }
      },
      legend() {
        const all = schools.map((_, i) => tiersOf(i));
        return ["super", "oversized", "elevated", "normal", "small"].map((tier) => key(tierMark[tier], t("tier." + tier, data.tiers), t("unit.schools", { n: data.situations.map((_, k) => all.filter((tiers) => tiers[k] === tier).length).join(" → ") })))
          .concat(key(null, t("legend.class_change", { names: data.situations.map(situationName).join(" → ") })), key(null, t("legend.class_count", { n: data.situations.map((v) => v.oversized[0]).join(" → "), m: data.situations.map((v) => v.oversized[1]).join(" → ") })));
      } },
    { id: "must_stay", group: "schools", on: false, when: () => data.must_stay.length || data.review.length,
      draw() {
        for (const [s, year, , minutes] of data.must_stay)
          if (year === now().year) clickable(mark("must_stay", schools[s].at, stayMark), () => [...schoolTip(s), t("legend.must_stay"), t("tip.next", { minutes: minutesWord(minutes) })], () => openCard("school", s));
        for (const [s, year, next, minutes] of data.review)
          if (year === now().year) clickable(mark("must_stay", schools[s].at, reviewMark), () => [...schoolTip(s), t("legend.review"), t("tip.nearest", { name: schoolName(next), minutes: minutesWord(minutes) })], () => openCard("school", s));
      },
      legend: () => [key({ ...stayMark, radius: 8, fill: false }, t("legend.must_stay"), t("unit.schools", { n: data.must_stay.filter((m) => m[1] === now().year).length })),
        key({ ...reviewMark, radius: 7, fill: false, dash: [4, 3] }, t("legend.review"), t("unit.schools", { n: data.review.filter((m) => m[1] === now().year).length })), key(null, t("legend.review_note"))] },
    questions.layers.moves,
    { id: "fit", group: "check", on: false, banded: true, when: () => found.fit.length, draw: drawFit,
      legend() {
        const rows = inBand(found.fit, 1), named = rows.filter((r) => r[6]).sort((a, b) => Math.abs(b[5]) - Math.abs(a[5]) || a[0] - b[0]);
        return ["more", "fewer", "same"].map((side) => key({ ...fitMark({ more: 1, fewer: -1, same: 0 }[side]), radius: side === "same" ? 3.5 : 7 }, t("fit." + side), t("unit.schools", { n: rows.filter((r) => fitSide(r[5]) === side).length })))
          .concat(key(null, t("legend.fit_error", { modelled: percent(found.fit_error[0]), nearest: percent(found.fit_error[1]) })), key(null, t("legend.fit_named", { n: named.length })),
            named.map(([s, , rostered, modelled, , difference]) => key(null, schools[s].name, t("fit.line", { difference: signed(difference), modelled: modelled.toFixed(0), rostered: rostered.toFixed(0) }))));
      } },
    { id: "candidates", group: "sites", on: false, when: () => data.candidates.length,
      draw() { for (const c of data.candidates) mark("candidates", L.latLng(c.at[1] / 1e5, c.at[0] / 1e5), { shape: "star", radius: 6, fillColor: "#fff", color: colour("candidate"), weight: 1.5 }).bindTooltip(() => h("div", {}, h("b", {}, c.name), h("div", {}, word("origin", c.origin)), h("div", {}, c.flags))); },
      legend: () => [key({ shape: "star", radius: 6, fillColor: "#fff", color: colour("candidate"), weight: 1.5 }, t("legend.candidates"), count(data.candidates.length))] },
    { id: "rejected", group: "sites", on: false, when: () => data.rejected.length,
      draw() { for (const c of data.rejected) mark("rejected", L.latLng(c.at[1] / 1e5, c.at[0] / 1e5), { shape: "cross", radius: 6, fillColor: colour("exclusion-hard"), color: "#fff" }).bindTooltip(() => h("div", {}, h("b", {}, c.name), h("div", {}, t("legend.rejected")), h("div", {}, c.exclusion), h("div", {}, both(c.clause)))); },
      // by the rule that turns them down
      legend: () => [key({ shape: "cross", radius: 6, fillColor: colour("exclusion-hard"), color: "#fff" }, t("legend.rejected"), count(data.rejected.length)),
        ...[...new Set(data.rejected.map((c) => both(c.clause)))].map((rule) => key(null, rule, count(data.rejected.filter((c) => both(c.clause) === rule).length)))] },
    questions.layers.common,
    questions.layers.alternatives,
    { id: "proposals", group: "plan", on: true, when: () => data.proposals.length,
      draw() {
        const stacked = {};
        for (const i of byAction) {
          const p = data.proposals[i];
          // a year between shows what serves by then
          if (now().key === "planned" && p.year > now().year) continue;
          const k = (stacked[p.school] = (stacked[p.school] || 0) + 1) - 1, scale = crowded() ? 0.72 : 1;
          clickable(mark("proposals", schools[p.school].at, { ...actionMark(p.action, scale), offset: [(13 + 23 * k) * scale, -15 * scale] }), () => [word("action", p.action) + " · " + schools[p.school].name, ...(p.reason ? [both(p.reason)] : [])], () => openCard("school", p.school));
        }
      },
      legend() {
        const actions = [...new Set(data.proposals.map((p) => p.action))];
        return actions.map((action) => key(actionMark(action), word("action", action), t("unit.items", { n: data.proposals.filter((p) => p.action === action).length })));
      } },
  ];
  const GROUPS = ["children", "journey", "schools", "plan", "check", "sites", "ground"];
  const layers = LAYERS.filter((layer) => !layer.when || layer.when());
  for (const layer of layers) {
    state.shown[layer.id] = layer.on;
    groups[layer.id] = L.layerGroup();
  }

  // what no year and no band changes is made once: the ground, which lies below by itself, and areas and sites
  const GROUND = ["tiles", "shade", "water", "roads", "townships", "boundary"], MADE_ONCE = [...GROUND, "exclusions", "candidates", "rejected"], made = {};
  // while a meeting tries schools out, only the ground stays
  const wanted = (layer) => state.shown[layer.id] && !(state.quiet && layer.group !== "ground");
  function drawLayer(layer) {
    const { id } = layer, group = groups[id];
    if (!(id in made)) {
      group.clearLayers();
      state.drawn[id] = 0;
      if (wanted(layer)) layer.draw();
      if (wanted(layer) && MADE_ONCE.includes(id)) made[id] = state.drawn[id];
    }
    if (id in made) state.drawn[id] = wanted(layer) ? made[id] : 0;
    if (wanted(layer)) map.addLayer(group);
    else map.removeLayer(group);
  }
  // one canvas is drawn in the order of adding, so the whole stack upon the ground is laid again
  function draw() {
    for (const layer of layers) if (!GROUND.includes(layer.id)) map.removeLayer(groups[layer.id]);
    for (const layer of layers) drawLayer(layer);
  }

  /* ---- names, the important ones first, none over another ---- */
  const wideOf = (text) => [...text].reduce((w, c) => w + (c.charCodeAt(0) > 255 ? 1 : 0.56), 0);
  function cut(name) {
    while (wideOf(name) > 16) name = [...name.replace(/…$/, "")].slice(0, -1).join("") + "…";
    return name;
  }
  function drawFit() {
    const rows = inBand(found.fit, 1).sort((a, b) => Math.abs(b[5]) - Math.abs(a[5]) || a[0] - b[0]), taken = [];
    for (const [s, , rostered, modelled, nearest, difference] of rows)
      clickable(mark("fit", schools[s].at, fitMark(difference)), () => [schools[s].name, t("tip.fit", { rostered: rostered.toFixed(0), modelled: modelled.toFixed(0), nearest: nearest.toFixed(0) })], () => openCard("school", s));
    for (const [s, , , , , difference] of rows.filter((r) => r[6])) {
      const text = cut(schools[s].name) + " " + signed(difference), p = map.latLngToContainerPoint(schools[s].at), wide = 12 * wideOf(text);
      const box = [p.x + 8, p.y - 18, p.x + 8 + wide, p.y - 3];
      if (taken.some((b) => b[0] < box[2] && box[0] < b[2] && b[1] < box[3] && box[1] < b[3])) continue;
      taken.push(box);
      groups.fit.addLayer(L.marker(schools[s].at, { pane: "names", interactive: false, keyboard: false, icon: L.divIcon({ className: "place-name school", html: h("span", {}, text), iconSize: null, iconAnchor: [-8, 18] }) }));
    }
  }
  function drawNames() {
    const close = map.getZoom() - firstZoom, taken = [], labels = [];
    for (const place of data.townships) if (place.at) labels.push([place.seat ? "seat" : "town", place.name, L.latLng(place.at[1] / 1e5, place.at[0] / 1e5)]);
    labels.sort((a, b) => (a[0] === "seat" ? 0 : 1) - (b[0] === "seat" ? 0 : 1));
    if (close >= 0.75) labels.push(...page.waters);
    if (close >= 1.5) for (const [i, s] of schools.entries()) if (now().bySchool[i].seats) labels.push(["school", s.name, s.at]);
    if (close >= 2.5) for (const v of villages) labels.push(["village", v.name, v.at]);
    const view = map.getBounds().pad(0.05);
    for (const [kind, full, at] of labels) {
      if (!view.contains(at)) continue;
      const scale = { seat: 17, town: 14, school: 12, village: 12, water: 13 }[kind];
      const name = cut(full);
      const p = map.latLngToContainerPoint(at), wide = scale * wideOf(name);
      const box = [p.x + 8, p.y + 3, p.x + 8 + wide, p.y + 3 + scale * 1.3];
      if (taken.some((b) => b[0] < box[2] && box[0] < b[2] && b[1] < box[3] && box[1] < b[3])) continue;
      taken.push(box);
      put("names", L.marker(at, { pane: "names", interactive: false, keyboard: false, icon: L.divIcon({ className: "place-name " + kind, html: h("span", {}, name), iconSize: null, iconAnchor: [-8, -3] }) }));
    }
  }

  /* ---- cards ---- */
  function moveText(m) { return t("persons" in m ? "move.line" : "move.public", moveFields(m)); }
  const moveFields = (m) => ({ from: villages[m.from].name, to: villages[m.to].name, year: m.year, persons: count(m.persons) || t("card.unknown"), households: count(m.households) || t("card.unknown") });
  const minutesOf = (f) => (f.minutes === null ? "" : t("card.minutes", { n: f.minutes.toFixed(0) }));
  function villageTip(i) {
    const lines = [villages[i].name + (townshipOf(villages[i]) ? " · " + townshipOf(villages[i]) : "")];
    if (data.pupils.length) lines.push(t("tip.pupils", { year: now().year, n: count(childrenOf(i, yearOf(now()))) }));
    const j = journey(now().byVillage[i], state.band);
    if (j && j.minutes !== null) lines.push(t("band." + state.band) + " " + t("card.minutes", { n: j.minutes.toFixed(0) }));
    return lines;
  }
  function schoolTip(i) {
    const roll = now().bySchool[i].roll, lines = [schools[i].name];
    if (roll) lines.push(t("tip.roll", { n: count(roll.pupils), c: roll.classes, tier: word("tier", roll.tier) }));
    return lines;
  }
  function villageFindings(i) {
    const parts = [], mine = (rows) => rows.filter((r) => r[0] === i), byBand = (rows) => mine(rows).sort((a, b) => a[1] - b[1]), bandName = (b) => t("band." + BANDS[b]);
    const short = byBand(now().short), sites = mine(found.sites), access = byBand(found.access), zones = byBand(found.zones);
    if (short.length) parts.push(h("h3", {}, t("card.short", { situation: situationName(now()) })), grid(["band", "status", "pupils", "attended_minutes", "nearest"].map((k) => t("card." + k)),
      short.map(([, b, status, pupils, minutes, nearest, nearer]) => row([bandName(b), word("status", status), count(pupils), minutes === null ? t("card.none") : minutes.toFixed(0), nearest < 0 ? t("card.none") : schools[nearest].name + " " + minutesWord(nearer)]))));
    if (sites.length) parts.push(h("h3", {}, t("layer.site_seats")), grid(["year", "stage", "pupils", "seats_near", "pupils_near", "balance", "verdict"].map((k) => t("card." + k)),
      sites.map(([, year, stage, verdict, , pupils, seats, near, balance]) => row([String(year), word("stage", stage), pupils.toFixed(0), seats.toFixed(0), near.toFixed(0), signed(balance), word("verdict", verdict)]))));
    if (access.length) parts.push(h("h3", {}, t("card.access", { year: data.base_year })), grid(["band", "pupils", "seats_per"].map((k) => t("card." + k)), access.map(([, b, pupils, seats]) => row([bandName(b), count(pupils), seats.toFixed(2)]))));
    if (zones.length) parts.push(h("h3", {}, t("layer.zones")), h("ul", {}, zones.map(([, b, zone, minutes, nearest, nearer, , difference]) => h("li", {}, [bandName(b), word("difference", difference),
      t("tip.zone", { name: schoolName(zone), minutes: minutesWord(minutes) }), t("tip.nearest", { name: schoolName(nearest), minutes: minutesWord(nearer) })].join(" · ")))));
    return parts;
  }
  function schoolFindings(i) {
    const parts = [], breaches = found.breaches.filter((b) => b[0] === i), fitted = found.fit.filter((r) => r[0] === i).sort((a, b) => a[1] - b[1]);
    if (breaches.length) parts.push(h("h3", {}, t("card.breaches")), grid(["grade", "breach", "first_year", "largest", "last_year", "probability"].map((k) => t("card." + k)),
      breaches.map(([, grade, breach, first, largest, last, probability]) => row([String(grade), word("breach", breach), String(first), count(largest), String(last), probability === null ? t("card.none") : (100 * probability).toFixed(0) + "%"]))));
    if (fitted.length) parts.push(h("h3", {}, t("layer.fit")), grid(["band", "rostered", "modelled", "nearest_model", "difference"].map((k) => t("card." + k)),
      fitted.map(([, b, rostered, modelled, nearest, difference]) => row([t("band." + BANDS[b]), rostered.toFixed(0), modelled.toFixed(0), nearest.toFixed(0), signed(difference)]))));
    return parts;
  }
  const LISTED = 30;
  function townshipCard(k) {
    const place = data.townships[k], parts = [h("h2", { tabindex: "-1" }, place.name), h("h3", {}, t("layer.reach"))];
    const reached = data.situations.map((v) => v.reach.find((r) => r[0] === k)), names = ["pupils", ...PARTS];
    parts.push(grid([t("headline.unit"), ...data.situations.map(situationName)], names.map((name, n) => row([t("headline." + name), ...reached.map((r) => (r ? count(r[n + 1]) : ""))]))));
    const short = now().short.filter((r) => villages[r[0]].township === k).sort((a, b) => b[3] - a[3] || a[0] - b[0] || a[1] - b[1]);
    parts.push(h("h3", {}, t("card.named", { situation: situationName(now()), n: new Set(short.map((r) => r[0])).size })), h("ul", { class: "named" }, short.slice(0, LISTED).map(([v, b, status, pupils]) =>
      h("li", {}, h("button", { type: "button", on: { click: () => fly("village", v) } }, villages[v].name), " ", [t("band." + BANDS[b]), word("status", status), t("unit.pupils", { n: count(pupils) })].join(" · ")))));
    if (short.length > LISTED) parts.push(h("p", { class: "note" }, t("card.more", { n: short.length - LISTED })));
    return parts;
  }
  function proposalText(p) {
    const parts = [h("h3", {}, t("card.proposal", { year: p.year, action: word("action", p.action), role: word("school_kind", p.role) }))];
    parts.push(h("p", { class: "reason" }, p.reason ? both(p.reason) : t("card.reason_withheld")));
    parts.push(h("p", { class: "note" }, t("card.adds", { first: p.first, last: p.last, rooms: p.rooms, beds: count(p.beds), cost: p.cost === null ? "*" : count(Math.round(p.cost / 1e4)), n: count(p.pupils) })));
    if (p.clauses.length) parts.push(h("p", { class: "note" }, t("card.clauses")), h("ul", { class: "note" }, p.clauses.map((c) => h("li", {}, both(data.cited.clauses[c])))));
    if (p.gates.length) parts.push(h("p", { class: "note" }, t("card.gates")), h("ul", { class: "note" }, p.gates.map((g) => h("li", {}, both(data.cited.gates[g])))));
    return parts;
  }
  const card = document.getElementById("plan-card"), cards = { township: townshipCard, ...questions.cards };
  // the card is a dialog: it takes the focus and gives it back to whatever opened it
  let opener = null;
  function openCard(what, i, renewed) {
    // a card that only follows what is shown keeps its place and leaves the focus where it is
    const at = renewed ? card.scrollTop : 0, elsewhere = renewed && !card.contains(document.activeElement);
    if (card.hidden) opener = document.activeElement;
    state.card = [what, i];
    card.replaceChildren(h("button", { type: "button", class: "close", "aria-label": t("card.close"), on: { click: closeCard } }, "✕"), ...cards[what](i));
    card.hidden = false;
    card.classList.toggle("wide", what === "alternatives");
    // below the head, however many lines it has
    const top = document.getElementById("plan-head").offsetHeight + 14;
    card.style.top = top + "px";
    card.style.maxHeight = "calc(100vh - " + (top + 44) + "px)";
    card.scrollTop = at;
    const heading = card.querySelector("h2");
    heading.id = "plan-card-name";
    card.setAttribute("aria-labelledby", heading.id);
    if (!elsewhere) heading.focus({ preventScroll: true });
  }
  function closeCard() {
    const held = card.contains(document.activeElement);
    state.card = null;
    card.hidden = true;
    if (held) (opener && opener.isConnected && opener !== document.body ? opener : map.getContainer()).focus({ preventScroll: true });
  }
  function fly(what, i) {
    const seat = what === "township" ? data.townships[i].at : null, at = what === "township" ? seat && L.latLng(seat[1] / 1e5, seat[0] / 1e5) : (what === "village" ? villages : schools)[i].at;
    if (at) map.setView(at, Math.max(map.getZoom(), Math.min(firstZoom + (what === "township" ? 1.5 : 2.5), 15)), { animate: false });
    openCard(what, i);
  }

  /* ---- the panel ---- */
  function situationName(view) { return t("situation." + view.key, { year: view.year }); }
  function choice(name, options, value, pick) {
    return h("div", { class: "choices", role: "radiogroup", "aria-label": t("choice." + name) }, options.map(([code, text]) =>
      h("label", {}, h("input", { type: "radio", name, id: name + "-" + code, value: code, checked: code === value, on: { change: () => pick(code) } }), h("span", {}, text))));
  }
  function headlineTable() {
    const views3 = data.situations, cell = (text, view) => h("td", { class: view.key === state.situation ? "now" : null }, text);
    const line3 = (label, value, cls) => h("tr", { class: cls }, h("th", { scope: "row" }, label), views3.map((v) => cell(value(v), v)));
    const one = (name) => (v) => count(v.headline[name]);
    const part = (name) => (views3[0].headline[name] === null ? null : line3(word("status", name), one(name), "sub"));
    return h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("headline.unit")), views3.map((v) => h("th", { scope: "col" }, situationName(v))))), h("tbody", {}, 
      line3(t("headline.pupils"), one("pupils"), "strong"), line3(t("headline.served"), one("served"), "strong"),
      line3(t("headline.no_place"), one("no_place"), "strong"), part("no_seat"), part("no_bed"),
      line3(t("headline.out_of_reach"), one("out_of_reach"), "strong"), part("beyond_limit"), part("no_route"),
      line3(t("headline.away"), one("away")), line3(t("headline.oversized"), (v) => count(v.oversized[0]), "strong"), line3(t("headline.super"), (v) => count(v.oversized[1]), "sub"),
      line3(t("headline.schools"), (v) => count(v.open_schools))));
  }
  function layerBox(layer) {
    const box = h("div", { class: "layer", id: "layer-" + layer.id });
    const input = h("input", { type: "checkbox", id: "show-" + layer.id, checked: state.shown[layer.id], on: { change: (e) => { state.shown[layer.id] = e.target.checked; refresh(); } } });
    box.append(h("label", {}, input, h("span", {}, t("layer." + layer.id) + (layer.banded ? t("layer.banded", { band: t("band." + state.band) }) : ""))));
    return box;
  }
  function legends() {
    for (const layer of layers) {
      const box = document.getElementById("layer-" + layer.id), items = state.shown[layer.id] ? layer.legend() : [];
      const old = box.querySelector(".key");
      if (old) old.remove();
      box.classList.toggle("off", !state.shown[layer.id]);
      box.querySelector("label span").textContent = t("layer." + layer.id) + (layer.banded ? t("layer.banded", { band: t("band." + state.band) }) : "");
      if (items.length) box.append(h("ul", { class: "key" }, items));
    }
    for (const field of document.querySelectorAll("#plan-layers fieldset")) field.classList.toggle("empty", !field.querySelector(".layer:not(.off)"));
  }
  function panel() {
    const fields = GROUPS.map((group) => [group, layers.filter((layer) => layer.group === group)]).filter(([, members]) => members.length);
    document.getElementById("plan-panel").replaceChildren(
      ...planFinder.search(page),
      h("h2", {}, t("panel.situation")),
      h("div", { class: "screen-only" }, choice("situation", data.situations.map((v) => [v.key, situationName(v)]), state.situation, (code) => { state.situation = code; refresh(); })),
      slider.box(), unpacked ? "" : h("p", { class: "note" }, t("panel.packed")),
      h("div", { id: "plan-headline" }, headlineTable()), h("p", { class: "note" }, t(data.audience === "public" ? "panel.rounded" : "panel.headline_note", { k: data.small_count })),
      h("h2", {}, t("panel.layers")),
      h("div", { class: "screen-only" }, choice("band", BANDS.map((band) => [band, t("band." + band)]), state.band, (code) => { state.band = code; refresh(); })),
      h("div", { class: "screen-only modes" }, choice("mode", MODES.map((mode) => [mode, mode === "all" ? t("choice.all_modes") : word("mode", mode)]), state.mode, (code) => { state.mode = code; refresh(); })),
      h("div", { id: "plan-layers" }, fields.map(([group, members]) => h("fieldset", {}, h("legend", {}, t("group." + group)), members.map(layerBox)))),
      h("div", { id: "plan-comparison" }, questions.panel()),
      h("div", { id: "plan-what-if", class: "screen-only" }),
      ...planFinder.proposals(page).filter(Boolean),
      ...(data.assumptions.length ? [h("h2", {}, t("panel.assumptions")), h("ul", { class: "note screen-only", id: "plan-assumptions" }, data.assumptions.map((a) => h("li", {}, both(a)))),
        h("p", { class: "note print-only" }, t("panel.assumed", { n: data.assumptions.length, names: data.assumptions.map((a) => a.column[state.lang]).join(t("panel.and")) }))] : []),
      ...(data.notes.length ? [h("h2", { class: "screen-only" }, t("panel.notes")), h("ul", { class: "note screen-only" }, data.notes.map((n) => h("li", {}, both(n))))] : []),
    );
  }
  function head() {
    document.documentElement.lang = state.lang === "zh" ? "zh-CN" : "en";
    document.title = t("title", { county: data.county });
    document.getElementById("plan-head").replaceChildren(
      h("div", { class: "grow" }, h("h1", {}, t("title", { county: data.county })), h("p", { id: "plan-dates" }, t("subtitle", { date: data.base_date, base: data.base_year, plan: data.plan_year }), " · ", h("b", { id: "plan-now", role: "status" }), h("span", { id: "plan-printed", class: "print-only" }))),
      h("div", { class: "stamp" }, data.review_no ? t("stamp.review_no", { number: data.review_no }) : t("stamp." + data.audience)),
      ...planStory.buttons(page));
  }
  function refresh() {
    turnTo(state.year);
    for (const [name, value] of [["situation", state.situation], ["band", state.band], ["mode", state.mode]]) {
      const box = document.getElementById(name + "-" + value);
      if (box) box.checked = true;
    }
    for (const view of data.situations) document.getElementById("situation-" + view.key).nextElementSibling.textContent = situationName(view);
    slider.renew();
    questions.renew();
    for (const layer of layers) document.getElementById("show-" + layer.id).checked = state.shown[layer.id];
    draw();
    legends();
    document.getElementById("plan-headline").replaceChildren(headlineTable());
    document.getElementById("plan-now").textContent = t("now", { situation: situationName(now()), band: t("band." + state.band) });
    if (state.card && card.hidden === false) openCard(...state.card, true);
  }

  /* ---- furniture of the map ---- */
  map.attributionControl.setPrefix("Leaflet");
  for (const credit of data.attribution) map.attributionControl.addAttribution(credit);
  L.control.scale({ imperial: false, maxWidth: 160, position: "bottomright" }).addTo(map);
  const corner = (position, cls) => {
    const control = L.control({ position });
    control.onAdd = () => h("div", { class: cls });
    return control.addTo(map).getContainer();
  };
  const north = corner("bottomright", "north"), position = corner("bottomleft", "position");
  position.hidden = true;
  map.on("mousemove", (e) => {
    position.hidden = false;
    position.textContent = t("position", { lat: e.latlng.lat.toFixed(5), lon: e.latlng.lng.toFixed(5) });
  });
  let zoom = null;
  function furniture() {
    if (zoom) zoom.remove();
    zoom = L.control.zoom({ position: "topleft", zoomInTitle: t("button.zoom_in"), zoomOutTitle: t("button.zoom_out") }).addTo(map);
    north.replaceChildren(h("div", {}, "▲"), h("div", {}, t("north")));
    map.getContainer().setAttribute("aria-label", t("map_label"));
    map.getContainer().setAttribute("role", "region");
  }
  function build() {
    head();
    panel();
    furniture();
    refresh();
    if (window.planMap && window.planMap.whatIf) window.planMap.whatIf.draw();
  }
  document.addEventListener("keydown", (e) => { if (e.key === "Escape" && !e.defaultPrevented) closeCard(); });
  const names = layers.find((layer) => layer.id === "names");
  const fit = layers.find((layer) => layer.id === "fit");
  let wasCrowded = null;
  map.on("moveend", () => {
    if (state.ready) drawLayer(names);
    // its names keep clear of each other at every scale
    if (state.ready && fit && state.shown.fit) drawLayer(fit);
    if (state.ready && wasCrowded !== crowded()) draw();
    wasCrowded = crowded();
  });
  // the paper has a size of its own: the map takes it before the page is laid out for print, and gives it back
  let seen = null;
  const resize = () => map.invalidateSize({ animate: false, pan: false });
  const print = (on) => {
    if (on) seen = [map.getCenter(), map.getZoom(), map.getBounds()];
    printing = on;
    if (on) planStory.lay(page);
    map.getContainer().classList.toggle("printing", on);
    resize();
    // who looks at the whole county gets it as large as the paper allows, who has zoomed in gets that part
    if (on && seen[2].contains(data.bounds)) map.fitBounds(data.bounds, { animate: false, padding: [40, 40] });
    else if (on) map.fitBounds(seen[2], { animate: false });
    else if (seen) map.setView(seen[0], seen[1], { animate: false });
    for (const renderer of [...Object.values(still), canvas]) if (renderer._map) renderer._update();
    if (on) planStory.stamp(page);
  };
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));

  const quiet = (wanted) => { state.quiet = wanted; draw(); };
  Object.assign(page, {
    fly, open: openCard, close: closeCard, build, quiet, unpack, rollIn, cards, layers: layers.map((layer) => layer.id), show: (id, wanted) => { state.shown[id] = wanted; refresh(); },
    ground: layers.filter((layer) => layer.group === "ground").map((layer) => layer.id), near: () => Math.min(firstZoom + 2.5, 15), whole: () => map.fitBounds(data.bounds, { animate: false, padding: [18, 18] }),
    sample, grid, row, Mark, TIERS, tierMark, townshipOf, childrenOf, minutesWord, schoolName, villageFindings, schoolFindings, proposalText,
  });
  planCards(page);
  // the head takes its height first, so that the map is fitted to what is left
  head();
  resize();
  page.whole();
  firstZoom = map.getZoom();
  wasCrowded = crowded();
  build();
  state.ready = true;
  window.planMap = page;
  planStory.start(page);
}
