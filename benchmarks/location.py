"""Where to open sites: optima of two libraries, large instances of whole and of divided demands, against peers in the same run.

CPU seconds of one core, models built included. Parts: `medians` (OR-Library p-median 1-20), `spopt` (the same 6-15 with spopt and CBC),
`whole` (71 single-source instances, and the same program handed to HiGHS as it is), `counties` (generated single-source instances, the
best known being the best of ours, of bare HiGHS, and with --long of ten minutes of both), `divided` (1,500 x 400). Ends with an error where
a limit is missed. Real data are read from LAYOUT_REAL_DATA.
"""

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import shortest_path

from layout.location import locate

DATA = Path(os.environ.get("LAYOUT_REAL_DATA", "."))
MEDIANS = [5819, 4093, 4250, 3034, 1355, 7824, 5631, 4445, 2734, 1255, 7696, 6634, 4374, 2968, 1729, 8162, 6999, 4809, 2845, 1789]
COUNTIES = [(300, 33, 0, 1.5), (500, 34, 1, 2.0), (800, 35, 2, 3.0), (1000, 33, 4, 5.0), (1300, 36, 3, 2.0)]
PARTS = ["medians", "spopt", "whole", "counties", "divided"]
rows, missed = [], []


def say(what, measured, unit, limit=None, *, at_least=False):
    over = limit is not None and (measured < limit if at_least else measured > limit)
    wanted = "" if limit is None else f"{'at least' if at_least else 'at most'} {limit:g}"
    rows.append((what, f"{measured:,.4g} {unit}".strip(), wanted))
    print(f"{what:<84} {measured:>12,.4f} {unit:<4} {wanted} {'MISSED' if over else ''}".rstrip(), flush=True)
    if over:
        missed.append(what)


def cpu(run, *args, **kwargs):
    start = time.process_time()
    out = run(*args, **kwargs)
    return out, time.process_time() - start


def children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read_pmed(number):
    path = DATA / "pmed" / f"pmed{number}.txt"
    n, _, p = (int(v) for v in path.read_text(encoding="utf-8").split()[:3])
    graph = np.full((n, n), np.inf)
    for i, j, cost in np.loadtxt(path, skiprows=1).reshape(-1, 3):
        graph[int(i) - 1, int(j) - 1] = graph[int(j) - 1, int(i) - 1] = cost
    return shortest_path(graph, directed=False), p


def read_holmberg(number):
    values = np.array((DATA / "sscflp_holmberg" / f"p{number}").read_text(encoding="utf-8").split(), float)
    m, n = values[:2].astype(int)
    room, fixed, load, costs = np.split(values[2:], np.cumsum([m, m, n]))
    return costs[: m * n].reshape(n, m), load, room, fixed


def county(n, m, seed, ratio):
    """Draw whole demands at random places, sites with root-like fixed costs, capacities `ratio` times the load."""
    rng = np.random.default_rng(seed)
    at, sites = rng.uniform(0, 100, (n, 2)), rng.uniform(0, 100, (m, 2))
    load = rng.integers(5, 36, n).astype(float)
    room = rng.uniform(10, 160, m)
    room = np.maximum(np.round(room / room.sum() * load.sum() * ratio), 40)
    fixed = np.round((rng.uniform(0, 90, m) + rng.uniform(100, 110, m) * np.sqrt(room / load.sum() * 5000)) * n / 100)
    km = np.hypot(*(at[:, None] - sites).transpose(2, 0, 1))
    return np.round(km * load[:, None] / 10, 2), load, room, fixed


def large_county(n=1500, m=400, seed=0):
    rng = np.random.default_rng(seed)
    at, sites = rng.uniform(0, 60, (n, 2)), rng.uniform(0, 60, (m, 2))
    sites[: m // 2] = at[rng.choice(n, m // 2, replace=False)] + 0.2
    load = np.round(rng.lognormal(3, 0.8, n)) + 1
    room = np.round(rng.uniform(0.5, 2, m) * load.sum() * 4 / m)
    return 1.4 * np.hypot(*(at[:, None] - sites).transpose(2, 0, 1)), load, room, rng.uniform(0.7, 1.3, m) * load.mean() * n * 25 / m


def bare(costs, load, room, fixed, seconds):
    """Hand the same strong program to HiGHS as it is; return objective and bound."""
    import highspy

    n, m = costs.shape
    pairs = np.arange(n * m)
    i, j = np.divmod(pairs, m)
    row = np.concatenate([i, n + j, n + np.arange(m), n + m + pairs, n + m + pairs])
    column = np.concatenate([pairs, pairs, n * m + np.arange(m), pairs, n * m + j])
    value = np.concatenate([np.ones(n * m), load[i], -room, np.ones(n * m), -np.ones(n * m)])
    matrix = sparse.csr_matrix((value, (row, column)), shape=(n + m + n * m, n * m + m))
    model = highspy._Highs()
    for key, option in {"output_flag": False, "threads": 1, "parallel": "off", "time_limit": seconds, "mip_rel_gap": 1e-4}.items():
        model.setOptionValue(key, option)
    lp = highspy.HighsLp()
    lp.num_row_, lp.num_col_ = matrix.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.append(costs.ravel(), fixed), np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])
    lp.row_lower_ = np.append(np.ones(n), np.full(m + n * m, -np.inf))
    lp.row_upper_ = np.append(np.ones(n), np.zeros(m + n * m))
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    lp.integrality_ = [highspy.HighsVarType.kInteger] * matrix.shape[1]
    model.passModel(lp)
    model.run()
    info = model.getInfo()
    return float(info.objective_function_value), float(info.mip_dual_bound)


def medians(given):
    total, proven = 0.0, 0
    for number, best in enumerate(MEDIANS, 1):
        costs, p = read_pmed(number)
        found, seconds = cpu(locate, costs, count=p)
        total, proven = total + seconds, proven + (found.objective == best and found.bound > best - 1)
    say("OR-Library p-median 1-20: proven of 20", proven, "", 20, at_least=True)
    say("  together", total, "s", 240)


def spopt_peer(given):
    warnings.simplefilter("ignore")
    import pulp
    from spopt.locate import PMedian

    ratios = []
    for number in range(6, 16):
        costs, p = read_pmed(number)
        _, ours = cpu(locate, costs, count=p)
        start = time.process_time() + children()
        # it raises an error where CBC was stopped
        with contextlib.suppress(RuntimeError):
            model = PMedian.from_cost_matrix(costs, np.ones(len(costs)), p_facilities=p)
            model.solve(pulp.PULP_CBC_CMD(msg=False, timeLimit=given.seconds), results=False)
        theirs = time.process_time() + children() - start
        ratios.append(theirs / ours)
        print(
            f"  pmed{number}: ours {ours:.2f} s (CPU), spopt with CBC {theirs:.1f} s (CBC stopped after {given.seconds} s at the latest)", flush=True
        )
    say("spopt with CBC on p-median 6-15, time over ours, median", statistics.median(ratios), "x", 5, at_least=True)


def whole(given):
    best = [float(v) for v in (DATA / "sscflp_holmberg" / "os").read_text(encoding="utf-8").split()]
    ours, theirs, longest, worst, proven, shut = 0.0, 0.0, 0.0, 0.0, 0, 0
    for number, optimum in enumerate(best, 1):
        costs, load, room, fixed = read_holmberg(number)
        found, seconds = cpu(locate, costs, load=load, capacity=room, fixed_cost=fixed, single_source=True, time_limit=given.wall)
        (value, bound), peer = cpu(bare, costs, load, room, fixed, float(given.wall))
        ours, theirs, longest = ours + seconds, theirs + peer, max(longest, seconds)
        worst, proven = max(worst, 100 * (found.objective / optimum - 1)), proven + (found.gap <= 1e-4)
        shut += value - bound <= 1e-4 * value
        print(f"  p{number}: {found.objective:g} of {optimum:g}, {found.status}, {seconds:.2f} s; bare HiGHS {value:g}, {peer:.2f} s", flush=True)
    say("71 single-source instances: worst above the optimum", worst, "%", 0.05)
    say("  proven at 1e-4, of 71", proven, "", 69, at_least=True)
    say(f"  bare HiGHS, at most {given.wall} s of the clock each, as ours: proven", shut, "")
    say("  together", ours, "s", 480)
    say("  longest", longest, "s", 60)
    say("  time over that of bare HiGHS", ours / theirs, "x", 0.8)


def counties(given):
    for n, m, seed, ratio in COUNTIES:
        costs, load, room, fixed = county(n, m, seed, ratio)
        asked = {"load": load, "capacity": room, "fixed_cost": fixed, "single_source": True}
        found, seconds = cpu(locate, costs, **asked, time_limit=120)
        peer = bare(costs, load, room, fixed, 600.0 if given.long else 120.0)[0]
        known = min(found.objective, peer)
        if given.long:
            known = min(known, locate(costs, **asked, time_limit=600).objective)
        what = f"single source, {n:,} x {m}, capacity {ratio:g} of the load"
        say(f"{what}: above the best known", 100 * (found.objective / known - 1), "%", 0.05)
        say("  own bound below the objective", 100 * found.gap, "%")
        say("  time", seconds, "s", 120)
        say("  bare HiGHS above the best known", 100 * (peer / known - 1), "%")


def divided(given):
    done = subprocess.run([sys.executable, __file__, "--alone"], check=True, capture_output=True, text=True)
    gap, seconds, memory = json.loads(done.stdout)
    say("divided demands, 1,500 x 400: certified within", 100 * gap, "%", 1)
    say("  time, in a process of its own after compilation", seconds, "s", 15)
    say("  memory of that process", memory, "GB", 1)


def alone():
    costs, load, room, fixed = large_county(60, 20)
    locate(costs, weight=load, capacity=room, fixed_cost=fixed, gap=0.01)  # loops read, libraries loaded
    costs, load, room, fixed = large_county()
    found, seconds = cpu(locate, costs, weight=load, capacity=room, fixed_cost=fixed, gap=0.01)
    print(json.dumps([found.gap, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))


def write_docs():
    """Put what was measured between the marks of docs/location.md; a part that did not run keeps its rows."""
    path = Path(__file__).parents[1] / "docs" / "location.md"
    head, _, rest = path.read_text(encoding="utf-8").partition("<!-- measured -->\n")
    old, _, rest = rest.partition("<!-- end -->")
    new = {what: "| " + " | ".join((what, measured, wanted)) + " |" for what, measured, wanted in rows if not what.startswith("  ")}
    blocks, name = {}, None
    for line in old.splitlines()[2:]:
        cell = line.split("|")[1]
        name = cell.strip() if not cell.startswith("  ") else name
        blocks.setdefault(name, []).append(line)
    name = None
    for what, measured, wanted in rows:
        if what in new:
            name = what
            blocks[name] = []
        blocks[name].append(f"| {what} | {measured} | {wanted} |")
    lines = ["| instances | measured | wanted |", "|---|---|---|", *(line for block in blocks.values() for line in block)]
    path.write_text(head + "<!-- measured -->\n" + "\n".join(lines) + "\n<!-- end -->" + rest, encoding="utf-8", newline="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default all")
    parser.add_argument("--long", action="store_true", help="ten minutes of ours and of bare HiGHS for the best known of the counties")
    parser.add_argument("--seconds", type=int, default=120, help="limit of CBC for each instance")
    parser.add_argument("--wall", type=int, default=60, help="seconds of the clock for each of the 71; more where the machine is shared")
    parser.add_argument("--docs", action="store_true", help="put the table into docs/location.md")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        return alone()
    locate(np.array([[1.0, 2.0], [2.0, 1.0]]), count=1)  # loops compiled or read
    costs, load, room, fixed = county(40, 8, 0, 2.0)
    locate(costs, load=load, capacity=room, fixed_cost=fixed, single_source=True)
    for part in given.parts or PARTS:
        {"medians": medians, "spopt": spopt_peer, "whole": whole, "counties": counties, "divided": divided}[part](given)
    if given.docs:
        write_docs()
    if missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
