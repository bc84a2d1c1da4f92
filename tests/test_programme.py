"""The programme of several years on tiny counties: against every plan there is, and what binds where."""

import dataclasses

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from placement_oracle import ROLE, Tiny
from shapely.geometry import Point

from conftest import CRS, make_paper
from layout.candidates import Candidates
from layout.placement import apply_proposals, propose
from layout.standards import Standards, Step, read_standards
from layout.tables import check, empty

STANDARDS = read_standards()
YEARS, WEIGHTS, BASE = (2028, 2032), (4, 1), 2025
STATES = ("", "tp", "sp", "pr", "jr", "nine")
LEVELS = ("without_place", "beyond_limit", "excess_minutes", "above_standard", "money")


def figures(values, steps=()):
    rules = {k: dataclasses.replace(r, value=float(values[k])) if k in values else r for k, r in STANDARDS.rules.items()}
    return Standards(rules, tuple(steps))


def tiny(seed):
    """Draw a county of four villages, one school and two sites, two bands, two years; return what propose takes and what the oracle takes."""
    rng = np.random.default_rng([seed, 77])
    bands = (("lower", (1, 2)), ("upper", (4,))) if seed % 3 else (("upper", (4, 5)), ("junior", (7,)))
    villages, sites = list("ABCD"), ["X", "Y"]
    pupils = {}
    for v in villages:
        gone = rng.random() < 0.25
        for _, grades in bands:
            for g in grades:
                for y in YEARS:
                    n = int(rng.integers(0, 4)) * (not (gone and y == YEARS[1]))
                    if n:
                        pupils[y, v, g] = n
    for y in YEARS:  # a year without children of a band is no case of its own
        pupils.setdefault((y, "A", bands[0][1][0]), 1)
    junior = bands[1][0] == "junior"
    kind = str(rng.choice(["junior", "nine_year", "primary"] if junior else ["teaching_point", "small_primary", "primary"]))
    first, last = {"teaching_point": (1, 3), "small_primary": (1, 6), "primary": (1, 6), "junior": (7, 9), "nine_year": (1, 9)}[kind]
    values = {
        "class_size.yzjh.primary.max": 5, "class_size.yzjh.junior.max": 5, "class_size.design.primary_incomplete": 4, "class_size.mixed.max_pupils": 4,
        "class_size.mixed.max_grades": int(rng.integers(2, 4)), "layout.min_pupils.teaching_point": int(rng.integers(2, 6)),
        "layout.min_pupils.small_primary": int(rng.integers(6, 9)), "layout.min_pupils.primary": int(rng.integers(6, 10)),
        "layout.min_pupils.junior": int(rng.integers(4, 9)), "layout.small_school.max": int(rng.integers(8, 14)),
        "size.max.primary_junior": int(rng.integers(9, 16)), "size.max.nine_year": int(rng.integers(14, 22)), "site.beds.max": 2,
        "site.new_rooms.max": int(rng.choice([3, 7, 10])), "lead.school": int(rng.choice([2, 2, 5])), "lead.rooms": int(rng.choice([1, 1, 5])),
        "lead.beds": int(rng.choice([1, 1, 5])),
    }  # fmt: skip
    steps = [Step(2031, "primary", 4, "all_grades"), Step(2031, "junior", 4, "all_grades"), Step(2031, "primary_incomplete", 3, "all_grades")]
    standards = figures(values, steps if rng.random() < 0.4 else ())
    rooms, more = int(rng.integers(1, 4)), int(rng.integers(0, 3))
    boards = kind in ("primary", "junior", "nine_year")
    beds = int(rng.integers(0, 3)) if boards else 0
    earliest = 2030 if rng.random() < 0.2 else 0
    walk, week = {}, {}
    for v in villages:
        for s in ("S", *sites):
            minutes = float(rng.integers(3, 75))
            if rng.random() < 0.85:
                walk |= {(v, s, b): minutes for b, _ in bands}
            away = float(rng.integers(10, 150))
            if rng.random() < 0.8:
                week |= {(v, s, b): away for b, _ in bands if b != "lower"}
    budget = {}
    if rng.random() < 0.2:
        budget = {y: float(rng.choice([3e5, 1.5e6, 4e6])) for y in YEARS}
    base = make_paper()
    spots = {s: Point(500_000 + 5_000 * i, 2_950_000) for i, s in enumerate([*villages, "S", "X", "Y"])}
    settlements = gpd.GeoDataFrame(
        {"settlement_id": villages, "name": villages, "township_id": "T1", "kind": "village"}, geometry=[spots[v] for v in villages], crs=CRS
    )
    listed = {"school_id": ["S", "X"], "name": ["S", "X"], "township_id": "T1", "kind": [kind, "primary"], "urban_rural": "village", "owner": "public",
              "status": ["open", "candidate"], "first_grade": [first, 1], "last_grade": [last, 6], "rooms": [rooms, 0], "beds": [beds, 0],
              "expandable_rooms": [more, 0], "earliest_year": [np.nan, earliest or np.nan], "school_bus": False}  # fmt: skip
    schools = gpd.GeoDataFrame(listed, geometry=[spots["S"], spots["X"]], crs=CRS)
    county = dataclasses.replace(
        base, settlements=check("settlements", settlements), schools=check("schools", schools), base_year=BASE,
        townships=base.townships.assign(is_county_seat=False),
    )  # fmt: skip
    with_beds = rng.random() < 0.3
    candidates = gpd.GeoDataFrame(
        {"school_id": sites, "name": sites, "township_id": "T1", "origin": ["county_list" if with_beds else "populous_village", "populous_village"], "flags": ""},
        geometry=[spots[s] for s in sites], crs=CRS,
    )  # fmt: skip
    table = check("pupils", pd.DataFrame(
        [(v, y, g, "home", float(n)) for (y, v, g), n in pupils.items()], columns=["settlement_id", "year", "grade", "attends", "pupils"]
    ))  # fmt: skip
    rows = [(v, s, "walk", b, m, m) for (v, s, b), m in walk.items()] + [(v, s, "week", b, m, m) for (v, s, b), m in week.items()]
    times = check("times", pd.DataFrame(rows, columns=["from_id", "to_id", "mode", "band", "minutes", "minutes_back"]))
    small = kind in ("teaching_point", "small_primary")
    school = {
        "grades": tuple(range(first, last + 1)), "rooms": rooms, "more": more, "beds": beds, "small": small,
        "boards": boards, "may_grow_beds": boards and (beds > 0 or last > 6),
    }  # fmt: skip
    oracle = Tiny(
        pupils=pupils, walk=walk, week=week, school=school, years=YEARS, weights=WEIGHTS, standards=standards, budget=budget,
        first_school=BASE + values["lead.school"], first_rooms=BASE + values["lead.rooms"], first_beds=BASE + values["lead.beds"],
        sites={s: {
            "states": STATES, "first": earliest if s == "X" else 0, "beds": with_beds and s == "X",
            "kind_grades": {"small": (1, 2, 3, 4, 5, 6), "pr": (1, 2, 3, 4, 5, 6), "jr": (7, 8, 9)},
        } for s in sites},
    )  # fmt: skip
    given = {
        "county": county,
        "pupils": table,
        "times": times,
        "standards": standards,
        "candidates": Candidates(check("candidates", candidates), empty("rejected", CRS)),
    }
    return given, budget, oracle


def planned(given, budget, **changes):
    args = {**given, **changes}
    return propose(
        args["county"], args["pupils"], args["times"], args["standards"], years=YEARS, candidates=args["candidates"], gap=0.0, budget=budget or None
    )


def levels_of(found):
    levels = {level["name"]: level for level in found.attrs["solve"]["levels"]}
    return tuple(levels[name]["objective"] for name in LEVELS), tuple(levels[name]["bound"] for name in LEVELS)


def again(oracle, given, found):
    """Evaluate the buildings of a plan with the code of the oracle: the best that can be had in them."""
    roles = {v: k for k, v in ROLE.items()}
    years = apply_proposals(given["county"].schools, found, years=YEARS)
    states, beds, rooms = [], [], []
    for year in YEARS:
        there = years[years["year"] == year].set_index("school_id")
        states.append({s: roles[there.loc[s, "kind"]] if s in there.index else "" for s in ("X", "Y")})
        beds.append({s: int(there.loc[s, "beds"]) if s in there.index else 0 for s in ("S", "X", "Y")})
        room = {("S", ""): int(there.loc["S", "rooms"]) - oracle.school["rooms"]}
        for s in ("X", "Y"):
            kinds = [kind for kind, _ in oracle.room_kinds(states[-1][s])]
            if len(kinds) == 1:
                room[s, kinds[0]] = int(there.loc[s, "rooms"])
            elif kinds:
                return None  # the split of a nine-year school's rooms is not in the tables
        rooms.append(room)
    for t in range(len(YEARS)):
        for s in ("X", "Y"):
            for kind in ("small", "pr", "jr"):
                rooms[t].setdefault((s, kind), 0)
    best = [oracle.best_year(t, states[t], beds[t], rooms[t]) for t in range(len(YEARS))]
    money, spent = oracle.fixed_money(states, beds, rooms)
    assert oracle.affordable(spent)
    sums = [sum(w * b[i] for w, b in zip(WEIGHTS, best, strict=True)) for i in range(5)]
    return (*sums[:4], (money + sums[4]) * 1e4)


def compare(seed):
    given, budget, oracle = tiny(seed)
    found = planned(given, budget)
    values, bounds = levels_of(found)
    expected = oracle.optimum()
    for name, value, bound, best in zip(LEVELS, values, bounds, expected, strict=True):
        # the oracle holds each level to a ten-millionth when it solves the next
        tolerance = 30.0 if name == "money" else 0.02
        assert bound <= best + tolerance, f"{seed}: the bound of {name}"
        assert value == pytest.approx(best, abs=tolerance), f"{seed}: {name}"
    stands = again(oracle, given, found)
    assert stands is None or stands == pytest.approx(values, abs=30.0), f"{seed}: the plan is what it says"
    return found


# counties that the oracle lists to the end in seconds; others take it many minutes
MORE = (2, 4, 6, 10, 15, 16, 32, 33)
QUICK = (3, 8, 9, 11, 12, 14, 17, 18, 19, 20, 21, 24, 25, 26, 27, 28, 30, 36, 38, 39)


@pytest.mark.parametrize("seed", QUICK)
def test_the_plan_is_the_best_of_all(seed):
    compare(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", MORE)
def test_the_plan_is_the_best_of_all_in_more_counties(seed):
    compare(seed)
