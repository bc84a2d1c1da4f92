"""The meeting map at the size of a large county, in Chromium without a network: 1,500 villages by 400 schools, roads, terrain.

Makes a fictional county of 1,500 settlements, adds candidate sites as schools until there are 400, plans it without a search,
and writes its map. Prints the size of the file and of the what-if in it, the time until the page is ready and until schools can
be tried, a toggle with redraw, a school dropped anywhere, and how far a school dropped where one stands is off. Then the sample
county: the quick estimate beside the exact plan. Then 12,000 polygons and 3,000 schools, with every one of them drawn: size, time until
the page is ready, a step of the slider over the years and a layer switched on, each with redraw. Ends with an error where a limit is missed. Medians; the browser's own clock.

Then two places larger than any county, laid out at random with every child sent to a near school: 12,000 settlements by 3,000
schools (size and time until the page is ready), and 20,000 settlements, which must still be written, with a warning where the page is
large and a what-if that says what is coarser in it.
"""

import dataclasses
import json
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

import layout
from layout.findings import Findings
from layout.footpaths import dropped_seconds
from layout.plan import Outcome, make_plan
from layout.quick import NEVER
from layout.tables import check
from layout.what_if import estimate_changes, make_what_if, packed, plan_changes

SETTLEMENTS, SCHOOLS, ROUNDS = 1500, 400, 40
MEGABYTES, READY_MS, TOGGLE_MS, DROP_MS = 4, 2000, 50, 100
POLYGONS, MANY_SCHOOLS, MANY_MEGABYTES, MANY_READY_MS = 12_000, 3000, 8, 2500
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
OPENED = """new Promise((done) => { const look = () => (window.planMap && window.planMap.whatIf ? done([window.planReady, performance.now()]) : setTimeout(look, 5)); look(); })"""
SET_READY = "Object.defineProperty(window, 'planMap', { set(v) { window.planReady = performance.now(); this._m = v; }, get() { return this._m; }, configurable: true });"
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
HUGE, HUGE_MEGABYTES, HUGE_READY_MS, MOST_SETTLEMENTS = (12_000, 3_000), 8, 2500, (20_000, 500)
# schools to which a settlement of a huge place has weekly ways
WEEKLY = 300
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


def huge_plan(settlements, schools):
    """Return a plan of a place of many settlements: positions at random, children to the nearest school, minutes by the distance."""
    random = np.random.default_rng(0)
    small = layout.make_sample_county(seed=0, settlements=60)
    base = make_plan(small, to=small.base_year + 1)
    crs, township = small.crs, small.townships["township_id"].iloc[0]
    (west, south, east, north) = small.settlements.total_bounds
    # as densely as in the small county
    wide = ((east - west) * (north - south) * settlements / len(small.settlements)) ** 0.5
    at = np.column_stack([west + random.uniform(0, wide, settlements), south + random.uniform(0, wide, settlements)])
    stands = at[:schools] + 150
    villages = gpd.GeoDataFrame(
        {"settlement_id": [f"V{i:05d}" for i in range(settlements)], "name": [f"第{i}村" for i in range(settlements)],
         "township_id": random.choice(small.townships["township_id"], settlements), "kind": "village"},
        geometry=gpd.points_from_xy(*at.T), crs=crs)  # fmt: skip
    sites = gpd.GeoDataFrame(
        {"school_id": [f"S{i:04d}" for i in range(schools)], "name": [f"第{i}学校" for i in range(schools)], "township_id": township, "kind": "nine_year",
         "status": "open", "first_grade": 1, "last_grade": 9, "rooms": 9, "beds": 100}, geometry=gpd.points_from_xy(*stands.T), crs=crs)  # fmt: skip
    away, near = cKDTree(stands).query(at, k=min(WEEKLY, schools))
    grid = pd.MultiIndex.from_product([range(settlements), range(1, 10)]).to_frame(index=False, name=["v", "grade"])
    # most go to the nearest school, some to the second
    second = (random.random(len(grid)) < 0.2).astype(int)
    ids = {"settlement_id": villages["settlement_id"].to_numpy()[grid["v"]], "school_id": sites["school_id"].to_numpy()[near[grid["v"], second]]}
    minutes = np.maximum(1, away[grid["v"], second] / 55)
    went = pd.DataFrame({**ids, "grade": grid["grade"], "attends": "home", "mode": "walk", "pupils": random.integers(0, 9, len(grid)),
                         "minutes": minutes.round(1), "status": np.where(minutes > 40, "beyond_limit", "served")})  # fmt: skip
    ways = {"from_id": np.repeat(villages["settlement_id"].to_numpy(), near.shape[1]), "to_id": sites["school_id"].to_numpy()[near.ravel()]}
    bands = [("walk", band, away.ravel() / kph, away.ravel() / kph < 90) for band, kph in (("lower", 54), ("upper", 60), ("junior", 66))]
    # to the road, along it, and from it, as on a network: each place has its own way to the road
    weekly = 15 + away.ravel() / 400 + np.repeat(random.uniform(0, 9, settlements), near.shape[1]) + random.uniform(0, 9, schools)[near.ravel()]
    bands.append(("week", "upper", weekly, weekly < 220))
    times = pd.concat([
        pd.DataFrame({**{k: v[keep] for k, v in ways.items()}, "mode": mode, "band": band, "minutes": m[keep], "minutes_back": m[keep]})
        for mode, band, m, keep in bands], ignore_index=True)  # fmt: skip
    villages, sites = check("settlements", villages), check("schools", sites)
    outcomes = []
    for outcome, years in ((base.today, base.years), (base.planned, base.years[1:])):
        assignment = check("assignment", pd.concat([went.assign(year=year) for year in years], ignore_index=True))
        open_years = check("school_years", pd.concat([pd.DataFrame(sites.drop(columns="geometry")).assign(year=year) for year in years]))
        classes = layout.class_sizes(assignment, sites, small.rosters.iloc[:0], base.standards, school_years=open_years)
        outcomes.append(Outcome(outcome.view, open_years.iloc[:0] if outcome.view == "today" else open_years, times, assignment, classes,
                                layout.headline(assignment, villages, view=outcome.view)))  # fmt: skip
    figures = [c for c in base.summary if c not in ("view", "year")]
    county = dataclasses.replace(small, settlements=villages, schools=sites, moves=small.moves.iloc[:0], zones=small.zones.iloc[:0],
                                 population=small.population.iloc[:0], rosters=small.rosters.iloc[:0], notes=())  # fmt: skip
    pupils = check("pupils", pd.concat([went.assign(year=year)[["settlement_id", "year", "grade", "attends", "pupils"]] for year in base.years]))
    return dataclasses.replace(
        base, county=county, schools=sites, pupils=pupils, today=outcomes[0], planned=outcomes[1], findings=Findings(),
        **{name: getattr(base, name).iloc[:0] for name in ("candidates", "rejected", "proposals", "must_stay", "site_pupils", "forecast")},
        summary=base.summary.assign(**{name: 0 for name in figures}))  # fmt: skip


def written(plan, path):
    """Write a map, and return what it was warned of."""
    start = time.process_time()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        layout.save_map(plan, path)
    county = plan.county
    print(
        f"{len(county.settlements):,} settlements by {len(county.schools):,} schools: written in {time.process_time() - start:.0f} s of a processor"
    )
    return [str(w.message) for w in told if "MB" in str(w.message)]


def ready_in_chromium(path):
    """Return the milliseconds until the page is ready, and until schools can be tried."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=FLAGS)
        times = []
        for _ in range(3):
            page = browser.new_context(offline=True, viewport={"width": 1366, "height": 768}).new_page()
            page.add_init_script(SET_READY)
            page.goto(path.as_uri())
            times.append(page.evaluate(OPENED))
            page.close()
        browser.close()
    return [statistics.median(each) for each in zip(*times, strict=True)]


def huge_places(folder):
    plan = huge_plan(*HUGE)
    told = written(plan, folder / "huge.html")
    judged("map of the 12,000", (folder / "huge.html").stat().st_size / 1e6, HUGE_MEGABYTES, "MB")
    ready, tryable = ready_in_chromium(folder / "huge.html")
    judged("page of the 12,000 ready", ready, HUGE_READY_MS, "ms")
    print(f"{'schools can be tried there':<58} {tryable:>9.0f} ms; warned: {told or 'no'}")
    del plan
    plan = huge_plan(*MOST_SETTLEMENTS)
    told = written(plan, folder / "most.html")
    megabytes = (folder / "most.html").stat().st_size / 1e6
    ready, tryable = ready_in_chromium(folder / "most.html")
    print(f"{'map of the 20,000':<58} {megabytes:>9.2f} MB, ready {ready:.0f} ms, schools can be tried {tryable:.0f} ms")
    print(f"weekly ways there rounded up to {make_what_if(plan).week_step} s; warned: {told or 'no'}")
    if bool(told) != (megabytes > 15):
        missed.append("warning of a large page")


def in_chromium(path, what_if):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=FLAGS)
        ready, tryable = [], []
        for _ in range(5):
            page = browser.new_context(offline=True, viewport={"width": 1366, "height": 768}).new_page()
            page.add_init_script(SET_READY)
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
            page.add_init_script(SET_READY)
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
    with tempfile.TemporaryDirectory() as folder:
        huge_places(Path(folder))
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")
