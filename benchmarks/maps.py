"""The meeting map at the size of a large county, in Chromium without a network: 1,500 villages by 400 schools, roads, terrain.

Makes a fictional county of 1,500 settlements, adds candidate sites as schools until there are 400, plans it without a search,
and writes its map. Prints the size of the file and of the what-if in it, the time until the page is ready and until schools can
be tried, a toggle with redraw, a school dropped anywhere, and how far a school dropped where one stands is off. Then the sample
county: the quick estimate beside the exact plan. Then 12,000 polygons and 3,000 schools, with every one of them drawn: size, time until
the page is ready, a step of the slider over the years and a layer switched on, each with redraw. Ends with an error where a limit is missed. Medians; the browser's own clock.
"""

import dataclasses
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

import layout
from layout.footpaths import dropped_seconds
from layout.plan import make_plan
from layout.quick import NEVER
from layout.what_if import estimate_changes, make_what_if, packed, plan_changes

SETTLEMENTS, SCHOOLS, ROUNDS = 1500, 400, 40
MEGABYTES, READY_MS, TOGGLE_MS, DROP_MS = 4, 2000, 50, 100
POLYGONS, MANY_SCHOOLS, MANY_MEGABYTES, MANY_READY_MS = 12_000, 3000, 8, 2500
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
OPENED = """new Promise((done) => { const look = () => (window.planMap && window.planMap.whatIf ? done([window.planReady, performance.now()]) : setTimeout(look, 5)); look(); })"""
# until the next frame has been painted
TOGGLE = """async (k) => {
  const w = window.planMap.whatIf, start = performance.now();
  w.set({ edits: { ...w.state.edits, [k]: { open: !w.now.schools[k] } } });
  await new Promise((done) => requestAnimationFrame(() => { const port = new MessageChannel(); port.port1.onmessage = done; port.port2.postMessage(0); }));
  return performance.now() - start;
}"""
DROP = """async ([lat, lng]) => {
  const w = window.planMap.whatIf, start = performance.now();
  w.place({ lat, lng });
  await new Promise((done) => requestAnimationFrame(() => { const port = new MessageChannel(); port.port1.onmessage = done; port.port2.postMessage(0); }));
  return performance.now() - start;
}"""
# a step of the slider, and a layer switched off and on, until the next frame has been painted
PAINTED = "new Promise((done) => requestAnimationFrame(() => { const port = new MessageChannel(); port.port1.onmessage = done; port.port2.postMessage(0); }))"
STEP = f"""async (k) => {{
  const slider = document.getElementById('plan-year'), start = performance.now();
  slider.value = String(k);
  slider.dispatchEvent(new Event('input'));
  await {PAINTED};
  return performance.now() - start;
}}"""
SWITCH = f"""async (id) => {{
  const start = performance.now();
  document.getElementById('show-' + id).click();
  await {PAINTED};
  return performance.now() - start;
}}"""
SEEN = "Object.defineProperty(window, 'planMap', { set(v) { window.planReady = performance.now(); this._m = v; }, get() { return this._m; }, configurable: true });"
missed = []


def judged(name, measured, most, unit):
    print(f"{name:<58} {measured:>9.2f} {unit:<4} limit {most:g}", flush=True)
    if measured > most:
        missed.append(name)


def large_plan():
    """Return the plan of a large county in which candidate sites are open too, so that it has 400 schools."""
    county = layout.make_sample_county(seed=0, settlements=SETTLEMENTS)
    standards = layout.read_standards()
    pupils = layout.project_pupils(county, standards, years=[county.base_year])
    sites = layout.candidate_sites(county, pupils, standards).sites.to_crs(4326)
    there = set(county.schools.loc[county.schools["status"] == "open", "school_id"])
    new = [
        {"school_id": r.school_id, "name": r.name, "kind": "small_primary", "lon": round(r.geometry.x, 5), "lat": round(r.geometry.y, 5),
         "first_grade": 1, "last_grade": 6, "rooms": 6, "beds": 0} for r in sites[~sites["school_id"].isin(there)].itertuples()
    ][: SCHOOLS - len(there)]  # fmt: skip
    text = {"county": county.code, "schools_sha256": layout.school_fingerprint(county.schools), "year": 2035, "new": new}
    return make_plan(county, scenario=layout.Scenario(school_changes=json.dumps(text)))


def in_chromium(path, what_if):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=FLAGS)
        ready, tryable = [], []
        for _ in range(5):
            page = browser.new_context(offline=True, viewport={"width": 1366, "height": 768}).new_page()
            page.add_init_script(SEEN)
            page.goto(path.as_uri())
            first, second = page.evaluate(OPENED)
            ready.append(first)
            tryable.append(second)
        steps, switches = slider_and_layers(page)
        page.locator("#what-if-on").check()
        random = np.random.default_rng(0)
        toggles = [page.evaluate(TOGGLE, int(k)) for k in random.integers(0, len(what_if.schools), ROUNDS)]
        places = random.integers(0, len(what_if.paths.settlement_lon), ROUNDS)
        at = [(what_if.paths.settlement_lat[i] / 1e5 + random.uniform(-0.01, 0.01), what_if.paths.settlement_lon[i] / 1e5) for i in places]
        drops = [page.evaluate(DROP, [float(lat), float(lon)]) for lat, lon in at]
        browser.close()
    judged("page ready", statistics.median(ready), READY_MS, "ms")
    judged("schools can be tried", statistics.median(tryable), READY_MS, "ms")
    judged("toggle with redraw, median", statistics.median(toggles), TOGGLE_MS, "ms")
    print(f"{'a step of the slider, a layer on or off, with redraw':<58} {statistics.median(steps):>9.1f} {statistics.median(switches):.1f} ms")
    judged("drop a school with redraw, median", statistics.median(drops), DROP_MS, "ms")
    print(f"{'slowest toggle and drop':<58} {max(toggles):>9.1f} {max(drops):.1f} ms")


def slider_and_layers(page):
    last = page.evaluate("Number(document.getElementById('plan-year').max)")
    # the first look at a year makes its view: once each before the clock runs
    steps = [page.evaluate(STEP, k) for k in [*range(last + 1)] * 4][last + 1 :]
    return steps, [page.evaluate(SWITCH, layer) for layer in ("roads", "classes", "roads", "classes", "minutes", "minutes")]


def many_shapes():
    """Return a small county's plan with 12,000 areas in which no school may be built and 3,000 schools with the classes of one of its own."""
    county = layout.make_sample_county(seed=0, settlements=40)
    plan = make_plan(county, to=2030)
    random, (west, south, east, north) = np.random.default_rng(0), county.settlements.total_bounds
    x, y = random.uniform(west, east, POLYGONS), random.uniform(south, north, POLYGONS)
    angle = np.linspace(0, 2 * np.pi, 17)[:-1]
    reach = random.uniform(60, 160, (POLYGONS, 16))
    rings = np.stack([x[:, None] + reach * np.cos(angle), y[:, None] + reach * np.sin(angle)], axis=2)
    layers = np.where(np.arange(POLYGONS) % 2 == 0, "地质灾害危险区", "永久基本农田")
    ids = [f"X{i:05d}" for i in range(POLYGONS)]
    areas = gpd.GeoDataFrame({"exclusion_id": ids, "layer": layers, "hard": layers == "地质灾害危险区", "source": ""},
                             geometry=shapely.polygons(rings), crs=county.crs)  # fmt: skip
    own = plan.county.schools.iloc[[0]]
    names = [f"M{i:04d}" for i in range(MANY_SCHOOLS)]
    at = gpd.points_from_xy(random.uniform(west, east, MANY_SCHOOLS), random.uniform(south, north, MANY_SCHOOLS))
    many = gpd.GeoDataFrame(pd.concat([own] * MANY_SCHOOLS, ignore_index=True).assign(school_id=names, name=[f"第{i}小学" for i in range(MANY_SCHOOLS)]),
                            geometry=at, crs=county.crs)  # fmt: skip
    schools = gpd.GeoDataFrame(pd.concat([plan.schools, many], ignore_index=True), geometry="geometry", crs=county.crs)

    def filled(table):
        mine = table[table["school_id"].astype("str") == own["school_id"].iloc[0]].astype({"school_id": "str"})
        more = pd.concat([mine.assign(school_id=name) for name in names], ignore_index=True)
        return pd.concat([table.astype({"school_id": "str"}), more], ignore_index=True)

    outcomes = {
        view: dataclasses.replace(o, classes=filled(o.classes), school_years=filled(o.school_years) if len(o.school_years) else o.school_years)
        for view, o in (("today", plan.today), ("planned", plan.planned))
    }
    county = dataclasses.replace(
        county, exclusions=areas, schools=gpd.GeoDataFrame(pd.concat([county.schools, many], ignore_index=True), geometry="geometry", crs=county.crs)
    )
    return dataclasses.replace(plan, county=county, schools=schools, **outcomes)


def many_in_chromium(path):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=FLAGS)
        ready = []
        for _ in range(5):
            page = browser.new_context(offline=True, viewport={"width": 1366, "height": 768}).new_page()
            page.add_init_script(SEEN)
            page.goto(path.as_uri())
            ready.append(page.evaluate("window.planReady"))
        areas = [page.evaluate(SWITCH, "exclusions") for _ in range(5)]
        drawn = page.evaluate("window.planMap.state.drawn")
        steps = [page.evaluate(STEP, k) for k in (0, 1, 2, 1, 2)]
        browser.close()
    if drawn["exclusions"] != POLYGONS or drawn["classes"] < MANY_SCHOOLS:
        sys.exit(f"not all were drawn: {drawn}")
    judged("page ready, 3,000 schools drawn", statistics.median(ready), MANY_READY_MS, "ms")
    print(f"{'12,000 polygons on or off, a step of the slider over them':<58} {statistics.median(areas):>9.1f} {statistics.median(steps):.1f} ms")


def dropped_where_one_stands(what_if):
    off = []
    for k, point in enumerate(what_if.schools.to_crs(4326).geometry):
        quick = dropped_seconds(what_if.paths, point.x, point.y)
        exact = what_if.matrix.walk[int(np.argmax(what_if.speeds))][:, k].astype(int)
        both = (quick < NEVER) & (exact < NEVER)
        off += np.abs(quick - exact)[both].tolist()
    print(f"{'dropped where a school stands: off by, median, 90 %':<58} {np.median(off):>9.0f} {np.percentile(off, 90):.0f} s ({len(off):,} pairs)")


def beside_the_exact_plan():
    plan = make_plan(layout.read_county(Path(__file__).resolve().parents[1] / "data" / "sample"), draws=0)
    what_if = make_what_if(plan)
    quick, exact = estimate_changes(what_if, plan_changes(what_if, plan.years[-1])).totals, packed(what_if)["exact"]
    lost = quick["no_seat"] + quick["no_bed"] + quick["no_route"]
    print(f"sample county, {plan.years[-1]}: {quick['pupils']:,} children; quick estimate and exact plan:")
    print(f"  without a place {lost} and {exact['unserved']}, beyond the limit {quick['beyond_limit']} and {exact['beyond']}, "
          f"mean minutes by day {quick['day_seconds'] / quick['day_pupils'] / 60:.2f} and {exact['minutes']}")  # fmt: skip
    dropped_where_one_stands(what_if)


if __name__ == "__main__":
    plan = large_plan()
    start = time.process_time()
    what_if = make_what_if(plan)
    island = packed(what_if)
    print(f"{len(plan.county.settlements):,} settlements, {len(what_if.schools)} schools, {len(what_if.paths.lon):,} points of roads; "
          f"what-if made in {time.process_time() - start:.1f} s of a processor")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.html"
        layout.save_map(plan, path)
        judged("map", path.stat().st_size / 1e6, MEGABYTES, "MB")
        print(f"{'of it the what-if':<58} {len(json.dumps(island)) / 1e6:>9.2f} MB")
        in_chromium(path, what_if)
    dropped_where_one_stands(what_if)
    beside_the_exact_plan()
    many = many_shapes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.html"
        layout.save_map(many, path)
        judged("12,000 polygons and 3,000 schools", path.stat().st_size / 1e6, MANY_MEGABYTES, "MB")
        many_in_chromium(path)
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")
