"use strict";
/* Draw a county as it was read: settlements, schools, roads, outline and areas where no school may stand. Every word goes in as text,
   nothing is fetched, nothing is evaluated. Colours stand in plan_map.css. */

function drawCounty(map) {
  const data = JSON.parse(document.getElementById("plan-data").textContent);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue("--" + name).trim();
  const element = (tag, text) => {
    const node = document.createElement(tag);
    node.textContent = text;
    return node;
  };
  const unfold = (line) => {
    let lon = 0, lat = 0;
    const points = [];
    for (let i = 0; i < line.length; i += 2) points.push([(lat += line[i + 1]) / 1e5, (lon += line[i]) / 1e5]);
    return points;
  };
  const ROADS = { motorway: 3, national: 2.7, provincial: 2.4, county: 1.9, township: 1.4, village: 0.9, path: 0.8 };
  map.createPane("ground").style.zIndex = 220;
  map.getPane("ground").style.pointerEvents = "none";
  const ground = L.canvas({ pane: "ground", padding: 0.2 });
  if (data.shade) L.imageOverlay(data.shade.image, data.shade.bounds, { pane: "tilePane", opacity: 0.55, interactive: false }).addTo(map);
  for (const [cls, lines] of [...data.roads].reverse()) L.polyline(lines.map(unfold), { renderer: ground, interactive: false, color: colour("road-" + cls), weight: ROADS[cls], dashArray: cls === "path" ? [4, 3] : null }).addTo(map);
  for (const ring of data.boundary) L.polyline(unfold(ring), { renderer: ground, interactive: false, color: colour("boundary"), weight: 2, dashArray: [10, 4, 2, 4] }).addTo(map);
  for (const [name, hard, rings] of data.exclusions) L.polygon(rings.map((ring) => [unfold(ring)]), { color: colour(hard ? "stamp" : "review"), weight: 1, fillOpacity: 0.15 }).bindTooltip(element("span", name)).addTo(map);
  const shown = (row, look) => {
    const box = document.createElement("div");
    row.slice(2).forEach((line, i) => box.append(element(i ? "div" : "b", line)));
    L.circleMarker([row[0], row[1]], look).bindTooltip(box).addTo(map);
  };
  for (const row of data.settlements) shown(row, { radius: 4, weight: 1, color: "#333333", fillColor: "#ffffff", fillOpacity: 1 });
  for (const row of data.schools) shown(row, { radius: 6, weight: 1.5, color: "#ffffff", fillColor: colour("accent"), fillOpacity: 1 });
  map.attributionControl.setPrefix("Leaflet");
  L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
  document.getElementById("plan-head").replaceChildren(element("h1", data.title), element("p", data.stamp));
  document.getElementById("plan-panel").replaceChildren(...data.facts.map((line) => element("p", line)));
  map.fitBounds(data.bounds, { padding: [16, 16] });
}
