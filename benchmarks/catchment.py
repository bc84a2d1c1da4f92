"""Who goes where at the size of a large county, against limits and against peers in the same run.

1,500 settlements, 400 schools, nine grades, ten years, drawn from a seed: villages in valleys, most schools small, some with
beds, seats short in the towns. `--large` adds 20,000 settlements and 1,000 schools for the nearest school. Prints a table
and ends with an error where a limit is missed; processor seconds (of all threads) stand beside those of the clock, which count what
else the machine does. Peer: HiGHS through scipy on the same rows for one year.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd

from layout.catchment import assign, nearest_school
from layout.class_size import class_sizes
from layout.standards import read_standards
from layout.tables import BANDS

WALK, RIDE = {"lower": 3.24, "upper": 3.6, "junior": 3.96}, 22.0
HILLS = 1.5  # a way over the straight line


def draw_places(settlements, rng):
    """Return towns and settlements in kilometres: half of these in the valleys, half about the towns."""
    side = 1.4 * np.sqrt(settlements)
    towns = rng.uniform(0, side, (max(settlements // 75, 4), 2))
    at = np.concatenate([
        rng.uniform(0, side, (settlements // 2, 2)),
        towns[rng.integers(len(towns), size=settlements - settlements // 2)] + rng.normal(0, 1.6, (settlements - settlements // 2, 2)),
    ])  # fmt: skip
    return towns, at


def draw_borders(settlements, seed=0):
    """Return the table adjacency: settlements border on those beside them (Delaunay)."""
    from scipy.spatial import Delaunay

    _, at = draw_places(settlements, np.random.default_rng(seed))
    pairs = {tuple(sorted(pair)) for a, b, c in Delaunay(at).simplices.tolist() for pair in ((a, b), (b, c), (a, c))}
    return pd.DataFrame([(f"V{a:05d}", f"V{b:05d}") for a, b in sorted(pairs)], columns=["settlement_id", "neighbour_id"])


def draw_county(settlements, schools, years, seed=0):
    """Return pupils, times, schools and school_years of a fictional county."""
    rng = np.random.default_rng(seed)
    towns, at = draw_places(settlements, rng)
    size = np.round(rng.lognormal(1.2, 0.8, settlements), 2)
    ids = np.array([f"V{i:05d}" for i in range(settlements)])
    frames = []
    for k, year in enumerate(years):
        drift = 1 + 0.01 * k * rng.normal(0, 1, settlements)
        for grade in range(1, 10):
            frames.append(
                pd.DataFrame(
                    {"settlement_id": ids, "year": year, "grade": grade, "pupils": np.maximum(size * drift * rng.gamma(9, 1 / 9, settlements), 0)}
                )
            )
    pupils = pd.concat(frames, ignore_index=True)
    # half of the schools are primary, a fifth teaching points, the rest junior or nine-year
    kinds = rng.choice(["primary", "teaching_point", "junior", "nine_year"], schools, p=[0.5, 0.2, 0.2, 0.1])
    span = {"primary": (1, 6), "teaching_point": (1, 3), "junior": (7, 9), "nine_year": (1, 9)}
    where = at[rng.choice(settlements, schools, replace=False, p=size / size.sum())] + rng.normal(0, 0.2, (schools, 2))
    first, last = np.array([span[k] for k in kinds]).T
    names = np.array([f"S{i:04d}" for i in range(schools)])
    km = HILLS * np.hypot(at[:, None, 0] - where[:, 0], at[:, None, 1] - where[:, 1])
    uphill = rng.uniform(1, 1.3, km.shape)
    bus, beds = rng.random(schools) < 0.25, np.where((last == 9) & (rng.random(schools) < 0.7), rng.integers(60, 400, schools), 0)
    parts = []
    for band, grades in BANDS.items():
        teaches = (first <= grades[-1]) & (last >= grades[0])
        for mode, minutes, offered, most in (
            ("walk", 60 * km / WALK[band] * uphill, teaches, 120.0), ("bus", 6 + 60 * km / RIDE, teaches & bus, 90.0),
            ("week", 6 + 60 * km / RIDE, teaches & (beds > 0), 120.0),
        ):  # fmt: skip
            if mode == "week" and band == "lower":
                continue
            i, j = np.nonzero((minutes <= most) & offered)
            parts.append(
                pd.DataFrame(
                    {"from_id": ids[i], "to_id": names[j], "mode": mode, "band": band, "minutes": minutes[i, j], "minutes_back": minutes[i, j]}
                )
            )
    times = pd.concat(parts, ignore_index=True)
    # rooms after the children who live next to a school: too few in many towns, to spare in the villages
    in_town = (np.hypot(where[:, None, 0] - towns[:, 0], where[:, None, 1] - towns[:, 1]).min(axis=1)) < 2
    rooms = np.zeros(schools, int)
    for grade in range(1, 10):
        teach = np.flatnonzero((first <= grade) & (last >= grade))
        load = np.bincount(teach[np.argmin(km[:, teach], axis=1)], size, minlength=schools)
        factor = np.where(in_town, rng.uniform(0.8, 1.3, schools), rng.uniform(1.0, 2.0, schools))
        rooms += np.where((first <= grade) & (last >= grade), np.maximum(np.round(load * factor / 45), 1).astype(int), 0)
    table = pd.DataFrame({
        "school_id": names, "kind": kinds, "status": "open", "first_grade": first, "last_grade": last, "rooms": rooms, "beds": beds,
    })  # fmt: skip
    school_years = pd.concat([table.drop(columns="kind").assign(year=y) for y in years], ignore_index=True)
    return pupils, times, table, school_years


def seconds(run, *args, **kwargs):
    """Return the answer, the seconds of the clock and those of the processor."""
    start, worked = time.perf_counter(), time.process_time()
    out = run(*args, **kwargs)
    return out, time.perf_counter() - start, time.process_time() - worked


def peer_seconds(pupils, times, schools, school_years):
    """Let HiGHS solve the seats of the lower grades of one year at once, level by level, on every column, as scipy hands them over."""
    from scipy import sparse
    from scipy.optimize import linprog

    standards = read_standards()
    near = (
        times[(times["band"] == "lower") & (times["mode"] != "week")]
        .sort_values(["from_id", "to_id", "minutes"])
        .drop_duplicates(["from_id", "to_id"])
    )
    children = pupils[pupils["grade"] == 1].set_index("settlement_id")["pupils"].round()
    teaches = schools[schools["first_grade"] == 1].set_index("school_id")
    near = near[near["to_id"].isin(teaches.index)]
    demand, school = pd.factorize(near["from_id"])[0], pd.factorize(near["to_id"])[0]
    n, d, s = len(near), demand.max() + 1, school.max() + 1
    amounts = children.reindex(pd.factorize(near["from_id"])[1]).to_numpy(float)
    span = teaches["last_grade"] - teaches["first_grade"] + 1
    seats = (teaches["rooms"] * standards["class_size.yzjh.primary.max"] / span).reindex(pd.factorize(near["to_id"])[1]).to_numpy(float)
    columns = np.arange(n)
    must = sparse.csr_matrix((np.ones(n + d), (np.append(demand, np.arange(d)), np.append(columns, n + np.arange(d)))), (d, n + d))
    most = sparse.csr_matrix((np.ones(n), (school, columns)), (s, n + d))
    minutes, none = np.append(near["minutes"].to_numpy(float), np.zeros(d)), np.append(np.zeros(n), np.ones(d))
    late = np.append((near["minutes"] > standards.limit("walk", "lower")).to_numpy(float), np.zeros(d))
    excess = np.append(np.maximum(near["minutes"].to_numpy(float) - standards.limit("walk", "lower"), 0), np.zeros(d))
    start, rows, right = time.perf_counter(), [most], [seats]
    for cost in (none, late, excess, minutes):
        found = linprog(cost, A_ub=sparse.vstack(rows, format="csr"), b_ub=np.concatenate(right), A_eq=must, b_eq=amounts, method="highs")
        if found.status:
            sys.exit(f"the peer failed: {found.message}")
        rows.append(sparse.csr_matrix(cost))
        right.append([found.fun + 1e-6])
    return time.perf_counter() - start


def lines(large):
    standards, years = read_standards(), list(range(2026, 2036))
    small = draw_county(60, 20, years[:1])
    for whole in (False, True):
        # loops compiled or read, libraries loaded
        assign(small[0], small[1], small[2], standards, school_years=small[3], whole_villages=whole)
    pupils, times, schools, school_years = draw_county(1500, 400, years)
    first = pupils[pupils["year"] == years[0]].reset_index(drop=True)
    now = school_years[school_years["year"] == years[0]]
    _, took, _ = seconds(nearest_school, times, schools, standards)
    yield "nearest school, 1,500 x 400, three bands", took, 2, "s"
    _, took_grade, _ = seconds(
        assign, first[first["grade"] == 1].reset_index(drop=True), times[times["band"] == "lower"], schools, standards, school_years=now
    )
    yield "one grade of one year, both steps and four levels", took_grade, None, "s"
    yield "  HiGHS by scipy on the same columns, seats alone, over ours", peer_seconds(first, times, schools, school_years) / took_grade, None, "x"
    divisible, took, worked = seconds(assign, pupils, times, schools, standards, school_years=school_years)
    yield "capacitated, 1,500 x 400 x 9 grades x 10 years", took, 60, "s"
    yield "  of the processor", worked, None, "s"
    levels = {level["name"]: level for level in divisible.attrs["gap"][years[0]]}
    yield "  bound of the children without a place, first year", levels["without_place"]["bound"], None, "children"
    yield "  without a place, first year", levels["without_place"]["objective"], None, "children"
    for what, adjacency in (("whole villages, one year", None), ("whole villages in one piece a school, one year", draw_borders(1500))):
        villages, took, worked = seconds(assign, first, times, schools, standards, school_years=now, whole_villages=True, adjacency=adjacency)
        bound = adjacency is None
        yield what, took, 60, "s"
        yield "  of the processor", worked, None, "s"
        # the divided optimum under the rules of whole villages, which say otherwise who may board
        reached, divided = ({level["name"]: level[of] for level in villages.attrs["gap"][years[0]]} for of in ("objective", "bound"))
        more = sum(reached[name] - divided[name] for name in ("without_place", "above_standard"))
        share = 100 * more / villages["pupils"].sum()
        yield "  more children without a place or above the seats than divided", share, 0.5 if bound else None, "% of all"
        yield "  more minutes than divided", 100 * (reached["minutes"] / divided["minutes"] - 1), 3 if bound else None, "%"
        for name in ("beyond_limit", "boarders"):
            yield f"  more children than divided, {name}", reached[name] - divided[name], None, "children"
    rosters = pd.DataFrame(columns=["school_id", "grade", "class_no", "pupils"])
    _, took, _ = seconds(class_sizes, divisible, schools, rosters, standards, school_years=school_years)
    yield "class tables, 400 schools x 9 grades x 10 years", took, 2, "s"
    if large:
        _, times, schools, _ = draw_county(20_000, 1000, years[:1])
        _, took, worked = seconds(nearest_school, times, schools, standards)
        yield "nearest school, 20,000 x 1,000", took, 30, "s"
        yield "  of the processor", worked, None, "s"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="20,000 settlements and 1,000 schools too")
    missed = False
    for name, value, limit, unit in lines(parser.parse_args().large):
        over = limit is not None and value > limit
        missed |= over
        print(f"{name:<66} {value:>12,.2f} {unit:<9} {'' if limit is None else f'limit {limit}'} {'MISSED' if over else ''}".rstrip(), flush=True)
    sys.exit(1 if missed else 0)
