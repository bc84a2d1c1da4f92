"use strict";
/* The ground of the map: relief, waters, roads by class, borders, and tiles where a notebook asks for them.
   Colours stand in plan_map.css, sentences in the message catalogue. */

function groundLayers(page) {
  const { map, data, t, key, put, line, still, colour, count, unfold } = page;
  // width at the first view, and of the dark edge of great roads; all grow as one zooms in
  const ROADS = {
    motorway: { wide: 3.4, edge: 1.6 }, national: { wide: 3, edge: 1.4 }, provincial: { wide: 2.6, edge: 1.2 }, county: { wide: 2.1 }, township: { wide: 1.5 },
    village: { wide: 0.9 }, path: { wide: 0.8, dash: [4, 3] },
  };
  const WATER = { sea: {}, water: {}, river: {}, other: {}, cliff: { dash: [1, 4], wide: 2.4 } };
  const BORDER = { county: { wide: 2, dash: [10, 4, 2, 4] }, township: { wide: 1.3, dash: [5, 4] } };
  // three steps of zoom make a line twice as wide
  const growth = () => Math.min(2.5, Math.max(1, 1 + (map.getZoom() - page.firstZoom()) / 3));
  const drawn = [];
  const road = (cls, lines, wide, tint, dash) => drawn.push([line("roads", lines, { renderer: still.roads, color: tint, weight: wide * growth(), dashArray: dash || null }), wide]);
  map.on("zoomend", () => { for (const [layer, wide] of drawn) layer.setStyle({ weight: wide * growth() }); });
  const waters = () => [...new Set([...data.ground.water.lines, ...data.ground.water.areas].map(([kind]) => kind))];

  // a name for each water: in the middle of its largest area, else of its longest line
  const named = new Map();
  const offer = (name, size, at) => { if (name && !(named.has(name) && named.get(name)[0] >= size)) named.set(name, [size, at]); };
  for (const [, name, points] of data.ground.water.lines) { const way = unfold(points); offer(name, way.length, L.latLng(way[way.length >> 1])); }
  for (const [, name, rings] of data.ground.water.areas) { const box = L.latLngBounds(unfold(rings[0])); offer(name, 1e6 * (box.getNorth() - box.getSouth() + box.getEast() - box.getWest()), box.getCenter()); }
  page.waters = [...named].map(([name, [, at]]) => ["water", name, at]);

  return [
    { id: "tiles", group: "ground", on: true, when: () => data.ground.tiles,
      draw() {
        for (const address of data.ground.tiles)
          put("tiles", L.tileLayer(address, { pane: "tiles", subdomains: "01234567", maxZoom: 18, maxNativeZoom: 14, attribution: t("legend.tiles") }));
      },
      legend: () => [key(null, t("legend.tiles_note"))] },
    { id: "shade", group: "ground", on: true, when: () => data.ground.shade && !data.ground.tiles,
      draw() { put("shade", L.imageOverlay(data.ground.shade.image, data.ground.shade.bounds, { pane: "shade", opacity: page.SHADE, interactive: false })); },
      legend: () => [] },
    { id: "water", group: "ground", on: true, when: () => waters().length,
      draw() {
        for (const [kind, , rings] of data.ground.water.areas)
          put("water", L.polygon(rings.map(unfold), { renderer: still.water, interactive: false, color: colour("water-line"), weight: 0.8, fillColor: colour("water"), fillOpacity: 0.9 }));
        for (const [kind, , points] of data.ground.water.lines)
          line("water", unfold(points), { renderer: still.water, color: colour(kind === "cliff" ? "cliff" : "water-line"), weight: WATER[kind].wide || 1.8, dashArray: WATER[kind].dash || null });
      },
      legend: () => waters().map((kind) => {
        const area = kind !== "cliff" && data.ground.water.areas.some((w) => w[0] === kind);
        const mark = area ? { shape: "square", radius: 7, fillColor: colour("water"), color: colour("water-line") }
          : { line: true, color: colour(kind === "cliff" ? "cliff" : "water-line"), weight: WATER[kind].wide || 1.8, dash: WATER[kind].dash || [] };
        return key(mark, t("water." + kind));
      }) },
    { id: "roads", group: "ground", on: true, when: () => data.ground.roads.length,
      draw() {
        drawn.length = 0;
        const lines = [...data.ground.roads].reverse().map(([cls, folded]) => [cls, folded.map(unfold)]);
        // all edges lie under all roads, so that a crossing looks like one
        for (const [cls, points] of lines) if (ROADS[cls].edge) road(cls, points, ROADS[cls].wide + ROADS[cls].edge, colour("road-edge"));
        for (const [cls, points] of lines) road(cls, points, ROADS[cls].wide, colour("road-" + cls), ROADS[cls].dash);
      },
      legend: () => data.ground.roads.map(([cls, , km]) => key({ line: true, color: colour("road-" + cls), weight: ROADS[cls].wide, edge: ROADS[cls].edge ? colour("road-edge") : null, dash: ROADS[cls].dash || [] }, t("road." + cls), t("unit.km", { n: count(Math.round(km)) }))) },
    { id: "townships", group: "ground", on: true, when: () => data.ground.townships.length,
      draw() { for (const border of data.ground.townships) line("townships", unfold(border), { renderer: still.areas, color: colour("township"), weight: BORDER.township.wide, dashArray: BORDER.township.dash }); },
      legend: () => [key({ line: true, color: colour("township"), weight: BORDER.township.wide, dash: BORDER.township.dash }, t("legend.townships"), count(data.townships.length))] },
    { id: "boundary", group: "ground", on: true, when: () => data.ground.boundary.length,
      draw() { for (const ring of data.ground.boundary) line("boundary", unfold(ring), { renderer: still.areas, color: colour("boundary"), weight: BORDER.county.wide, dashArray: BORDER.county.dash }); },
      legend: () => [key({ line: true, color: colour("boundary"), weight: BORDER.county.wide, dash: BORDER.county.dash }, t("legend.boundary"))] },
  ];
}
