"""Proposals of several years: what is proven on each level, the gap of avoidable money, time and memory, by size of county.

Counties of `make_sample_county`, three bands, three plan years; sites are the schools of today and the candidates, of which so many are taken
(evenly by id) that there are as many sites as the name says, 80 candidates at least. A process makes county, sites and minutes; another one reads them, plans a
small county, which compiles the loops (`compiled` is what that took), and proposes. Levels 1 to 3 count child-years over the horizon; *could be better off* is value less bound,
in child-years and, over the school years of the horizon, in children a year. Avoidable money leaves out what no plan can avoid: the least that each
child's seat on a bus or bed must cost (per-pupil constants and what stands already are in no level). Wall and processor time, and the most memory
of the process, are of `propose` alone, sites and minutes being at hand; memory counts the libraries and what was read. Ends with an error where a limit is missed. `--sample`: a small county in under a minute.
"""

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import layout
from layout.candidates import Candidates
from layout.children import ways_of, whole_children
from layout.horizon import horizon_of
from layout.plan import county_times
from layout.programme import flow_money
from layout.siting import journeys_of, sites_of
from layout.standards import read_standards

YEARS = [2026, 2030, 2035]
# settlements, sites, most gap of avoidable money in per cent, most seconds of the clock, most GB
SIZES = {"300x80": (300, 80, 3.5, 60, None), "1500x400": (1500, 400, 4.0, 180, 1.0), "5000x800": (5000, 800, None, 900, 3.0)}
SAMPLE = (60, 0, None, None, None)
# fewest candidates that are kept
FEWEST = 80
# larger counties run only where they are asked for by name
LARGEST = 1500
GAP = 0.03
rows, missed = [], []


def say(what, measured, unit, limit=None):
    over = limit is not None and not measured <= limit
    wanted = "" if limit is None else f"at most {limit:g}"
    rows.append((what, f"{measured:,.5g} {unit}".strip(), wanted))
    print(f"{what:<72} {measured:>16,.3f} {unit:<22} {wanted} {'MISSED' if over else ''}".rstrip(), flush=True)
    if over:
        missed.append(what)


def made(settlements, count, standards):
    """Make a county with its children, so many sites, and the minutes to them."""
    county = layout.make_sample_county(seed=0, settlements=settlements)
    pupils = layout.project_pupils(county, standards, years=YEARS)
    found = layout.candidate_sites(county, pupils, standards)
    open_count = int((county.schools["status"] == "open").sum())
    kept = min(len(found.sites), max(count - open_count, FEWEST))
    chosen = found.sites.iloc[np.unique(np.linspace(0, len(found.sites) - 1, kept).round().astype(int))].reset_index(drop=True)
    times = county_times(county, standards, candidates=chosen)
    return county, pupils, Candidates(chosen, found.rejected), times, open_count


def constants(county, pupils, candidates, times, standards):
    """Return the yuan of the horizon that children cost in any plan: the least of the ways of each."""
    horizon = horizon_of(YEARS, county.base_year, standards)
    children = whole_children(pupils)
    sites = sites_of(county, candidates.sites, horizon, standards)
    journeys, kept = journeys_of(children, ways_of(times, standards), sites, horizon, standards)
    model = layout.programme.Model(journeys, kept, horizon, standards)
    demand = journeys.flows["demand"].to_numpy(int)
    least = np.full(len(journeys.demands), np.inf)
    np.minimum.at(least, demand, flow_money(model))
    weight = np.array(horizon.weights, float)[journeys.demands["at"].to_numpy(int)] * journeys.demands["total"].to_numpy(float)
    return float((np.where(np.isfinite(least), least, 0.0) * weight).sum())


def proposed(given, standards, limit):
    county, pupils, candidates, times, _ = given
    wall, spent = time.monotonic(), time.process_time()
    found = layout.propose(county, pupils, times, standards, years=YEARS, candidates=candidates, gap=GAP, time_limit=limit)
    return found.attrs["solve"], time.monotonic() - wall, time.process_time() - spent


def prepared(name, path):
    """Make the counties of a size, the small one first, with sites and minutes."""
    settlements, count, *_ = SIZES.get(name, SAMPLE)
    standards = read_standards()
    with path.open("wb") as file:
        pickle.dump((made(40, 0, standards), made(settlements, count, standards)), file)


def alone(name, path):
    """Run one size and print what it came to; the name is that of a size, or ``sample``."""
    *_, seconds, _ = SIZES.get(name, SAMPLE)
    standards = read_standards()
    # written by this very program a moment ago
    with path.open("rb") as file:
        small, given = pickle.load(file)
    spent = time.process_time()
    proposed(small, standards, 300)
    compiled = time.process_time() - spent
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    out = {"compiled": compiled, "schools": given[4], "candidates": len(given[2].sites), "settlements": len(given[0].settlements), "before": before}
    try:
        solve, wall, spent = proposed(given, standards, 10 * (seconds or 60))
    except layout.NoSolutionError as error:
        out["failed"] = str(error)
    else:
        out |= {"solve": solve, "wall": wall, "cpu": spent, "constants": constants(*given[:4], standards)}
    out["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(out))


def report(name):
    _, _, gap, seconds, memory = SIZES.get(name, SAMPLE)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "made.pickle")
        subprocess.run([sys.executable, __file__, "--prepare", name, path], check=True)
        done = subprocess.run([sys.executable, __file__, "--alone", name, path], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{name}: {found['settlements']} settlements, {found['schools']} schools and {found['candidates']} candidates")
    say(f"{name}: compiled, with a county of 40 settlements", found["compiled"], "s (processor)")
    if "failed" in found:
        print(f"  no plan: {found['failed']}")
        missed.append(f"{name}: a plan")
        return
    solve = found["solve"]
    years = sum(solve["weights"].values())
    for level in solve["levels"]:
        unit = {"excess_minutes": "minutes", "minutes": "minutes", "money": "yuan"}.get(level["name"], "child-years")
        say(f"{name}: {level['name']} ({level['status']})", level["objective"], unit)
        if level["name"] in ("minutes", "change"):
            continue
        say("  bound", level["bound"], unit)
        if unit == "child-years":
            say("  could be better off", level["gap"], unit)
            say("  could be better off, a year", level["gap"] / years, "children")
    money = next(level for level in solve["levels"] if level["name"] == "money")
    avoidable = money["objective"] - found["constants"]
    say(f"{name}: avoidable money", avoidable, "yuan")
    say("  gap of avoidable money", 100 * money["gap"] / avoidable if avoidable else 0.0, "%", gap)
    say(f"{name}: wall time", found["wall"], "s", seconds)
    say("  processor time", found["cpu"], "s")
    say("  most memory of the process", found["memory"], "GB", memory)
    say("  of it before the search: libraries, county, minutes", found["before"], "GB")


def core():
    """Run the divisible core at 1,500 x 400, as `location.py` does: sites with capacities, no school words."""
    done = subprocess.run([sys.executable, str(Path(__file__).with_name("location.py")), "--alone"], check=True, capture_output=True, text=True)
    gap, seconds, memory = json.loads(done.stdout)
    say("divisible core, 1,500 x 400: certified within", 100 * gap, "%", 1)
    say("  processor time", seconds, "s", 15)
    say("  most memory of the process", memory, "GB", 1)


def write_docs():
    """Put what was measured between the marks of docs/placement.md; a part that did not run keeps its rows."""
    path = Path(__file__).parents[1] / "docs" / "placement.md"
    head, _, rest = path.read_text(encoding="utf-8").partition("<!-- measured -->\n")
    old, _, rest = rest.partition("<!-- end -->")
    blocks = {}

    def add(lines, fresh):
        name = None
        for line in lines:
            cell = line.split("|")[1]
            name = cell.strip().partition(":")[0] if not cell.startswith("  ") else name
            if fresh and name not in seen:
                blocks[name] = []
                seen.add(name)
            blocks.setdefault(name, []).append(line)

    seen = set()
    add(old.splitlines()[2:], False)
    add([f"| {what} | {measured} | {wanted} |" for what, measured, wanted in rows], True)
    lines = ["| county | measured | wanted |", "|---|---|---|", *(line for block in blocks.values() for line in block)]
    path.write_text(head + "<!-- measured -->\n" + "\n".join(lines) + "\n<!-- end -->" + rest, encoding="utf-8", newline="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join([*SIZES, 'core'])}; default all but the largest")
    parser.add_argument("--sample", action="store_true", help="only a small county")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/placement.md")
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    for asked, run in ((given.prepare, prepared), (given.alone, alone)):
        if asked:
            return run(asked[0], Path(asked[1]))
    usual = [name for name, size in SIZES.items() if size[0] <= LARGEST]
    for part in ["sample"] if given.sample else given.parts or [*usual, "core"]:
        core() if part == "core" else report(part)
    if given.docs:
        write_docs()
    if missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
