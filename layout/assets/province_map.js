"use strict";
/* Draw a province that lies in the page: its counties by one figure of a year, the table of counties, equity, border pupils, and what failed.
   Every word goes in as text, nothing is fetched, nothing is evaluated. Colours stand in plan_map.css and province_map.css. */

function drawProvince(map) {
  const data = JSON.parse(document.getElementById("plan-data").textContent);
  const FIGURES = data.figures, VIEWS = ["today", "planned"], BANDS = ["lower", "upper", "junior"], LISTED = 200, CLASSES = 5;
  const yearsOf = (scenario, view) => [...new Set(data.rows.filter((r) => r.scenario === scenario && r.view === view).map((r) => r.year))].sort((a, b) => a - b);
  const state = { lang: data.lang, scenario: 0, view: "planned", year: null, figure: "oversized_classes", sort: null, chosen: null, drawn: {}, ready: false, open: { counties: true, problems: true } };
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue("--" + name).trim();
  document.body.classList.add("province");

  /* ---- words and elements: text nodes only ---- */
  const fill = (text, fields) => text.replace(/\{(\w+)\}/g, (whole, name) => (fields && name in fields ? String(fields[name]) : whole));
  const t = (key, fields) => fill(data.text[state.lang][key] || key, fields);
  const word = (list, code) => (data.words[state.lang][list] || {})[code] || code;
  const count = (n) => (n === null || n === undefined ? "" : n.toLocaleString("en-US"));
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
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
  const grid = (heads, rows) => h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => (head instanceof HTMLTableCellElement ? head : h("th", { scope: "col" }, head))))), h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map(cellOf)))));
  // money is spoken of in ten thousands
  const shown = (figure, n) => (n === null || n === undefined ? t("province.none") : figure === "cost_yuan" ? count(Math.round(n / 1e4)) : figure.endsWith("_share") ? n.toFixed(1) : count(n));

  /* ---- figures of the counties ---- */
  const scenario = () => data.scenarios[state.scenario];
  const rowsNow = () => data.rows.filter((r) => r.scenario === state.scenario && r.view === state.view && r.year === state.year);
  const value = (r, figure) => {
    if (figure === "unserved_share") return r.pupils ? (100 * r.unserved) / r.pupils : 0;
    return r[figure];
  };
  const stateOf = (county) => data.states.find((s) => s.scenario === state.scenario && s.county === county);
  function bounds() {
    // five classes of as many counties each; where most have none, those with none are a class of their own
    const numbers = rowsNow().map((r) => value(r, state.figure)).filter((n) => n > 0).sort((a, b) => a - b);
    const cuts = [];
    for (let k = 1; k < CLASSES; k++) cuts.push(numbers.length ? numbers[Math.min(numbers.length - 1, Math.floor((k * numbers.length) / CLASSES))] : 0);
    return [...new Set(cuts)];
  }
  const classOf = (n, cuts) => (n > 0 ? 1 + cuts.filter((cut) => n >= cut).length : 0);
  const lookOf = (k) => ({ fillColor: colour("class-" + k), fillOpacity: 0.85, color: "#5b5148", weight: 1 });

  /* ---- the map ---- */
  const unfold = (line) => {
    let lon = 0, lat = 0;
    const points = [];
    for (let i = 0; i < line.length; i += 2) points.push([(lat += line[i + 1]) / 1e5, (lon += line[i]) / 1e5]);
    return points;
  };
  const shapes = data.counties.map((c) => c.rings.map((rings) => rings.map(unfold)));
  const canvas = L.canvas({ padding: 0.2 }), group = L.layerGroup().addTo(map);
  map.attributionControl.setPrefix("Leaflet");
  L.control.scale({ imperial: false, maxWidth: 160, position: "bottomright" }).addTo(map);
  function draw() {
    group.clearLayers();
    state.drawn = { done: 0, failed: 0 };
    const byCounty = new Map(rowsNow().map((r) => [r.county, r])), cuts = bounds();
    data.counties.forEach((c, i) => {
      if (!shapes[i].length) return;
      const r = byCounty.get(i), look = r ? lookOf(classOf(value(r, state.figure), cuts)) : { fillColor: "#ffffff", fillOpacity: 0.6, color: colour("bad"), weight: 2, dashArray: [5, 4] };
      const area = L.polygon(shapes[i], { renderer: canvas, ...look });
      area.bindTooltip(() => h("div", {}, h("b", {}, c.name), h("div", {}, r ? word("figure", state.figure) + "：" + shown(state.figure, value(r, state.figure)) : t("province.no_plan"))), { sticky: true });
      area.on("click", (event) => { L.DomEvent.stop(event); open(i); });
      group.addLayer(area);
      state.drawn[r ? "done" : "failed"] += 1;
    });
  }
  function link(i, text) {
    const said = stateOf(i);
    return said && said.done ? h("a", { href: ["counties", data.counties[i].county, scenario(), "map.html"].map(encodeURIComponent).join("/") }, text) : h("span", {}, text);
  }

  /* ---- the card of a county ---- */
  const card = document.getElementById("plan-card");
  function open(i) {
    state.chosen = i;
    const c = data.counties[i], said = stateOf(i);
    const mine = data.rows.filter((r) => r.county === i && r.scenario === state.scenario).sort((a, b) => a.year - b.year || VIEWS.indexOf(a.view) - VIEWS.indexOf(b.view));
    card.replaceChildren(h("button", { type: "button", class: "close", "aria-label": t("card.close"), on: { click: close } }, "✕"), h("h2", { tabindex: "-1" }, c.name), h("p", { class: "note" }, c.code + " " + c.county),
      said && said.done ? h("p", {}, link(i, t("province.open_map"))) : h("p", { class: "note" }, t("province.no_plan")),
      ...(mine.length ? [grid(["", ...FIGURES.map((f) => word("figure", f))], mine.map((r) => [r.year + " " + word("view", r.view), ...FIGURES.map((f) => shown(f, value(r, f)))]))] : []),
      ...problemRows(i).map((p) => h("p", {}, h("b", {}, p.where), " ", p[state.lang])));
    card.hidden = false;
    card.scrollTop = 0;
    card.querySelector("h2").focus({ preventScroll: true });
  }
  function close() {
    state.chosen = null;
    card.hidden = true;
  }
  const problemRows = (i) => data.problems.filter((p) => p.county === i && p.scenario === state.scenario);

  /* ---- the tables of the panel ---- */
  function countiesTable() {
    const by = state.sort || state.figure, rows = [...rowsNow()].sort((a, b) => (by === "name" ? 0 : value(b, by) - value(a, by)) || data.counties[a.county].county.localeCompare(data.counties[b.county].county));
    const head = (code, text) => h("th", { scope: "col", "aria-sort": code === by ? (code === "name" ? "ascending" : "descending") : null }, h("button", { type: "button", id: "sort-" + code, on: { click: () => { state.sort = code; refresh(); } } }, text));
    const all = (f) => (f === "unserved_share" ? (sum(rows.map((r) => r.pupils)) ? (100 * sum(rows.map((r) => r.unserved))) / sum(rows.map((r) => r.pupils)) : 0) : sum(rows.map((r) => r[f])));
    const total = [t("province.all", { n: rows.length }), ...FIGURES.map((f) => shown(f, all(f)))];
    return [grid([head("name", t("province.county")), ...FIGURES.map((f) => head(f, word("figure", f)))],
      [total, ...rows.map((r) => [h("th", { scope: "row" }, link(r.county, data.counties[r.county].name)), ...FIGURES.map((f) => shown(f, value(r, f)))])]), h("p", { class: "note" }, t("province.money_note"))];
  }
  function yearsTable() {
    const rows = data.rows.filter((r) => r.scenario === state.scenario);
    return [grid(["", t("province.counties"), ...FIGURES.map((f) => word("figure", f))], VIEWS.flatMap((view) => yearsOf(state.scenario, view).map((year) => {
      const here = rows.filter((r) => r.view === view && r.year === year), pupils = sum(here.map((r) => r.pupils));
      return [year + " " + word("view", view), count(here.length), ...FIGURES.map((f) => shown(f, f === "unserved_share" ? (pupils ? (100 * sum(here.map((r) => r.unserved))) / pupils : 0) : sum(here.map((r) => r[f]))))];
    })))];
  }
  function equityTable() {
    const rows = data.equity.filter((r) => r.scenario === state.scenario && r.view === state.view && r.year === state.year).sort((a, b) => BANDS.indexOf(a.band) - BANDS.indexOf(b.band));
    const share = (r) => (r.theil > 0 ? Math.round((100 * r.theil_between) / r.theil) : 0);
    return [grid([t("province.band"), t("province.pupils"), t("province.mean"), t("province.range"), t("province.gini"), t("province.gini_between"), t("province.theil"), t("province.between")],
      rows.map((r) => [t("band." + r.band), count(r.pupils), r.mean.toFixed(1), r.lowest_mean.toFixed(1) + "—" + r.highest_mean.toFixed(1), r.gini.toFixed(3), r.gini_between.toFixed(3), r.theil.toFixed(3), share(r) + " %"])), h("p", { class: "note" }, t("province.equity_note"))];
  }
  function bordersTable() {
    // the years of a plan are those of its pupils, whoever's schools are open
    const rows = data.borders.filter((r) => r.scenario === state.scenario && r.year === state.year).sort((a, b) => b.pupils - a.pupils || a.from - b.from || a.to - b.to);
    const name = (i) => data.counties[i].name;
    return [grid([t("province.from"), t("province.to"), t("province.band"), t("province.villages"), t("province.pupils"), t("province.nearer")],
      rows.slice(0, LISTED).map((r) => [name(r.from), h("td", { class: "text" }, name(r.to)), h("td", { class: "text" }, t("band." + r.band)), count(r.villages), count(Math.round(r.pupils)), r.nearer_m === null ? t("province.none") : (r.nearer_m / 1000).toFixed(1)])),
      ...(rows.length > LISTED ? [h("p", { class: "note" }, t("province.more", { n: rows.length - LISTED }))] : []), h("p", { class: "note" }, t("province.borders_note"))];
  }
  function problemsTable() {
    const rows = data.problems.filter((p) => p.scenario === state.scenario);
    if (!rows.length) return [h("p", { class: "note" }, t("province.no_problems"))];
    return [grid([t("province.county"), t("province.where"), t("province.what")], rows.slice(0, LISTED).map((p) => [data.counties[p.county].name, h("td", { class: "text" }, p.where), h("td", { class: "text" }, p[state.lang])])),
      ...(rows.length > LISTED ? [h("p", { class: "note" }, t("province.more", { n: rows.length - LISTED }))] : [])];
  }
  const TABLES = [["problems", problemsTable], ["counties", countiesTable], ["years", yearsTable], ["equity", equityTable], ["borders", bordersTable]];

  /* ---- the panel ---- */
  function choice(name, options, value, pick) {
    return h("div", { class: "choices", role: "radiogroup", "aria-label": t("province.choose_" + name) }, options.map(([code, text]) =>
      h("label", {}, h("input", { type: "radio", name, id: name + "-" + code, value: code, checked: code === value, on: { change: () => pick(code) } }), h("span", {}, text))));
  }
  function details([name, make]) {
    const box = h("details", { id: "table-" + name, open: state.open[name] || false }, h("summary", {}, t("province.table_" + name)));
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
  function legend() {
    const cuts = bounds(), rows = rowsNow(), say = (n) => shown(state.figure, n);
    const texts = [t("province.class_none"), ...cuts.map((cut, k) => (k === 0 ? t("province.class_under", { to: say(cut) }) : t("province.class_range", { from: say(cuts[k - 1]), to: say(cut) }))), cuts.length ? t("province.class_over", { from: say(cuts[cuts.length - 1]) }) : null];
    const swatch = (k) => h("span", { class: "swatch class-" + k, "aria-hidden": "true" });
    const items = texts.map((text, k) => [text, k, rows.filter((r) => classOf(value(r, state.figure), cuts) === k).length]).filter(([text, , n]) => text && n);
    const missing = data.states.filter((s) => s.scenario === state.scenario && !s.done).length;
    return [...items.map(([text, k, n]) => h("li", {}, swatch(k), h("span", {}, text), h("span", { class: "count" }, t("province.n_counties", { n })))),
      ...(missing ? [h("li", {}, h("span", { class: "swatch failed", "aria-hidden": "true" }), h("span", {}, t("province.no_plan")), h("span", { class: "count" }, t("province.n_counties", { n: missing })))] : [])];
  }
  function pickScenario(i) {
    state.scenario = i;
    settle();
    refresh();
  }
  function settle() {
    // a scenario without any plan of one view still shows the other
    if (!yearsOf(state.scenario, state.view).length) state.view = state.view === "planned" ? "today" : "planned";
    const years = yearsOf(state.scenario, state.view);
    if (!years.includes(state.year)) state.year = years.length ? years[years.length - 1] : null;
  }
  function panel() {
    const select = h("select", { id: "plan-scenario", "aria-label": t("province.choose_scenario"), on: { change: (event) => pickScenario(Number(event.target.value)) } },
      data.scenarios.map((name, i) => h("option", { value: i, selected: i === state.scenario }, name === "base" ? t("province.base") : name)));
    document.getElementById("plan-panel").replaceChildren(
      h("div", { class: "screen-only" }, data.scenarios.length > 1 ? select : null,
        choice("view", VIEWS.map((view) => [view, word("view", view)]), state.view, (code) => { state.view = code; settle(); refresh(); }),
        choice("year", yearsOf(state.scenario, state.view).map((year) => [year, String(year)]), state.year, (year) => { state.year = year; refresh(); }),
        choice("figure", FIGURES.map((figure) => [figure, word("figure", figure)]), state.figure, (code) => { state.figure = code; state.sort = null; refresh(); })),
      h("ul", { class: "key", id: "plan-legend" }, legend()), ...TABLES.map(details), h("p", { class: "note" }, t("province.folder_note")));
  }
  function head() {
    document.documentElement.lang = state.lang === "zh" ? "zh-CN" : "en";
    document.title = t("province.title", { name: data.name });
    document.getElementById("plan-head").replaceChildren(
      h("div", { class: "grow" }, h("h1", {}, t("province.title", { name: data.name })), h("p", {}, h("b", { id: "plan-now" }))),
      h("div", { class: "stamp" }, t("stamp.internal")),
      h("button", { type: "button", id: "plan-print", class: "screen-only", on: { click: () => window.print() } }, t("button.print")),
      h("button", { type: "button", id: "plan-lang", class: "screen-only", lang: state.lang === "zh" ? "en" : "zh-CN", on: { click: () => { state.lang = state.lang === "zh" ? "en" : "zh"; build(); document.getElementById("plan-lang").focus(); } } }, t("button.lang")));
  }
  function refresh() {
    const focused = document.activeElement && document.activeElement.id;
    draw();
    panel();
    const states = data.states.filter((s) => s.scenario === state.scenario);
    document.getElementById("plan-now").textContent = t("province.now", { done: states.filter((s) => s.done).length, all: states.length, view: word("view", state.view), year: state.year === null ? "" : state.year, figure: word("figure", state.figure) });
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
    if (state.chosen !== null && !card.hidden) open(state.chosen);
  }

  let zoom = null;
  function build() {
    head();
    if (zoom) zoom.remove();
    zoom = L.control.zoom({ position: "topleft", zoomInTitle: t("button.zoom_in"), zoomOutTitle: t("button.zoom_out") }).addTo(map);
    map.getContainer().setAttribute("aria-label", t("map_label"));
    map.getContainer().setAttribute("role", "region");
    refresh();
  }
  document.addEventListener("keydown", (e) => { if (e.key === "Escape") close(); });
  map.invalidateSize({ animate: false, pan: false });
  map.fitBounds(data.bounds, { animate: false, padding: [18, 18] });
  settle();
  build();
  state.ready = true;
  window.planMap = { map, state, open, refresh, data };
}
