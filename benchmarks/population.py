"""The demographer's module against its limits, and against peers in the same run.

Prints a table and ends with an error where a limit is missed: 1,500 settlements x 100 ages x 2 sexes x 15 years at most 2 s, and
500 draws of them at most 60 s and 2 GB; 20,000 settlements at most 20 s. The peers are plain Python loops over one settlement
(extrapolated) and the same county in pandas, one merge a year. With --large the 20,000 settlements run too.
"""

import os
import subprocess
import sys

COUNTY = """
import dataclasses, datetime as dt, sys, time
import geopandas as gpd, numpy as np, pandas as pd
import layout
from layout.county import County
from layout.tables import check, empty, schemas

def county(places, ages=100):
    ids = [f"V{i:05d}" for i in range(places)]
    towns = [f"T{i % 20:02d}" for i in range(places)]
    points = gpd.points_from_xy(500_000 + np.arange(places), 2_950_000 + np.arange(places))
    settlements = gpd.GeoDataFrame({"settlement_id": ids, "name": ids, "township_id": towns, "kind": "village"}, geometry=points, crs="EPSG:4545")
    townships = pd.DataFrame({"township_id": sorted(set(towns)), "name": "x", "is_county_seat": False})
    index = pd.MultiIndex.from_product([ids, range(ages), ["female", "male"]], names=["settlement_id", "age", "sex"])
    people = pd.DataFrame({"persons": np.random.default_rng(0).poisson(3, len(index)).astype(float)}, index=index).reset_index()
    tables = {n: empty(n) for n in ("rosters", "births", "rates", "moves", "attendance", "zones", "history", "assumptions")}
    return County(name="benchmark", code="", base_year=2025, base_date=dt.date(2025, 8, 31), crs="EPSG:4545", schools=empty("schools", "EPSG:4545"),
                  settlements=check("settlements", settlements), townships=check("townships", townships), population=check("population", people),
                  exclusions=empty("exclusions", "EPSG:4545"), **tables)

STANDARDS, YEARS = layout.read_standards(), range(2025, 2041)
made = county(int(sys.argv[1]))
"""
PROJECT = """
start = time.perf_counter()
people = layout.project_people(made, STANDARDS, years=YEARS)
ours = time.perf_counter() - start
print(ours)
"""
DRAW = """
start = time.perf_counter()
drawn = layout.draw_pupils(made, STANDARDS, years=YEARS, draws=500)
print(time.perf_counter() - start)
"""
LOOPS = """
start = time.perf_counter()
people = layout.project_people(made, STANDARDS, years=YEARS)
ours = time.perf_counter() - start
one = made.population[made.population.settlement_id == "V00000"]
start = time.perf_counter()
for _ in range(5):
    now = {(r.sex, r.age): r.persons for r in one.itertuples()}
    for year in YEARS[1:]:
        then = {(s, a): now[s, a - 1] * 0.9995 for s in ("female", "male") for a in range(1, 100)}
        born = sum(0.05 * (now["female", a] + then["female", a]) / 2 for a in range(15, 50))
        now = then | {("female", 0): born * 0.47, ("male", 0): born * 0.53}
print((time.perf_counter() - start) / 5 * len(made.settlements) / ours)
"""
PANDAS = """
start = time.perf_counter()
people = layout.project_people(made, STANDARDS, years=YEARS)
ours = time.perf_counter() - start
start = time.perf_counter()
now, years = made.population[["settlement_id", "age", "sex", "persons"]], []
women = lambda t: t[(t.sex == "female") & t.age.between(15, 49)].set_index(["settlement_id", "age"]).persons
for year in YEARS[1:]:
    then = now.assign(age=now.age + 1, persons=now.persons * 0.9995).query("age < 100")
    born = (0.05 * (women(now).add(women(then), fill_value=0.0)) / 2).groupby(level=0).sum().rename("persons").reset_index()
    newborn = pd.concat([born.assign(age=0, sex=s, persons=born.persons * share) for s, share in (("female", 0.47), ("male", 0.53))])
    now = pd.concat([newborn, then], ignore_index=True).sort_values(["settlement_id", "age", "sex"], ignore_index=True)
    years.append(now.assign(year=year))
pd.concat(years, ignore_index=True)
print((time.perf_counter() - start) / ours)
"""
PEAK = "\nif sys.platform != 'win32':\n import resource; print('PEAK', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"


def run(code, *args):
    """Run code in a fresh process; return the figure that it printed and its peak megabytes."""
    done = subprocess.run([sys.executable, "-c", COUNTY + code + PEAK, *args], capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    lines = done.stdout.strip().splitlines()
    peak = float(lines.pop().split()[1]) if lines[-1].startswith("PEAK") else float("nan")
    return float(lines[-1]), peak


def rows():
    seconds, peak = run(PROJECT, "1500")
    yield "1,500 settlements x 100 ages x 2 sexes x 15 years", seconds, 2, "s"
    yield "  peak memory", peak, None, "MB"
    yield "  plain Python loops (one settlement, extrapolated) over ours", run(LOOPS, "1500")[0], None, "x"
    yield "  the same in pandas, one merge a year, over ours", run(PANDAS, "1500")[0], None, "x"
    seconds, peak = run(DRAW, "1500")
    yield "500 draws of them", seconds, 60, "s"
    yield "  peak memory", peak, 2000, "MB"
    if "--large" in sys.argv:
        seconds, peak = run(PROJECT, "20000")
        yield "20,000 settlements", seconds, 20, "s"
        yield "  peak memory", peak, None, "MB"


# a machine of unknown speed may take so many times as long before that is an error; the verdict is printed all the same
slack = float(os.environ.get("LAYOUT_TIME_SLACK", "1"))
missed = []
for name, value, limit, unit in rows():
    verdict = "" if limit is None else ("ok" if value <= limit else "MISSED")
    print(f"{name:<66} {value:9.2f} {unit:<3} {'' if limit is None else f'limit {limit:g} {unit}':<14} {verdict}")
    if verdict == "MISSED" and value > limit * (slack if unit == "s" else 1):
        missed.append(name)
sys.exit(f"missed: {', '.join(missed)}" if missed else 0)
