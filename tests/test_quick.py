"""The quick estimate: worked by hand, against a naive simulation child by child, and what holds for every answer."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

import layout
from layout.quick import NEVER, SecondsMatrix, limit_seconds, quick_estimate, seconds_matrix, worse_off
from layout.standards import read_standards
from layout.tables import BANDS, band_of

STANDARDS = read_standards()
FORM = ["school_id", "kind", "first_grade", "last_grade", "rooms", "beds"]


def matrix_of(walk, bus=None, week=None):
    """Return a matrix whose bands are alike from seconds by settlement and school."""
    walk = np.array(walk)
    none = np.full(walk.shape, NEVER)
    tables = [np.stack([none if t is None else np.array(t)] * 3).astype("uint16") for t in (walk, bus, week)]
    return SecondsMatrix(tuple("ABCDEFGH"[: walk.shape[0]]), tuple(f"S{k}" for k in range(walk.shape[1])), *tables)


def pupils_of(rows, year=2030):
    table = pd.DataFrame(rows, columns=["settlement_id", "grade", "pupils", "attends"][: len(rows[0])])
    return table.assign(year=year).assign(attends=table.get("attends", "home"))


def told(found):
    return found.children[["settlement_id", "grade", "school_id", "mode", "status", "pupils", "seconds"]].values.tolist()


# --- by hand -------------------------------------------------------------------------------------------------------------


def test_the_nearest_sit_first_and_the_rest_go_on():
    # one room a grade at S0 (45 seats in grade 1), as much as wanted at S1
    matrix = matrix_of([[600, 900], [300, 1200]])
    seats = pd.DataFrame([("S0", "primary", 1, 6, 6, 0), ("S1", "primary", 1, 6, 12, 0)], columns=FORM)
    found = quick_estimate(matrix, pupils_of([("A", 1, 30), ("B", 1, 40)]), seats, open_ids=["S0", "S1"])
    # B is nearer to S0 and takes 40 of its 45 seats
    assert told(found) == [
        ["A", 1, "S0", "walk", "served", 5, 600], ["A", 1, "S1", "walk", "served", 25, 900], ["B", 1, "S0", "walk", "served", 40, 300],
    ]  # fmt: skip
    assert found.totals["day_seconds"] == 5 * 600 + 25 * 900 + 40 * 300 and found.totals["longest"] == 900
    # S0: its first class is full, each other grade has an empty one of 45; S1: 20 in the class of grade 1, and six rooms more
    left = found.schools.set_index("school_id")["seats_left"]
    assert left.to_dict() == {"S0": 5 * 45, "S1": 20 + 5 * 45 + 6 * 45}


def test_ties_go_to_the_smaller_ids():
    matrix = matrix_of([[600, 600], [600, 600]])
    seats = pd.DataFrame([("S0", "primary", 1, 6, 6, 0), ("S1", "primary", 1, 6, 6, 0)], columns=FORM)
    found = quick_estimate(matrix, pupils_of([("A", 1, 40), ("B", 1, 40)]), seats, open_ids=["S1", "S0"])
    assert [(r[0], r[2], r[5]) for r in told(found)] == [("A", "S0", 40), ("B", "S0", 5), ("B", "S1", 35)]


def test_on_foot_within_the_limit_else_by_bus_else_beyond_by_the_quicker():
    # grades 1 to 3: 30 minutes on foot and by bus
    seats = pd.DataFrame([("S0", "primary", 1, 6, 12, 0)], columns=FORM)
    for walk, bus, mode, status, seconds in (
        (1800, 60, "walk", "served", 1800), (1801, 1800, "bus", "served", 1800), (1801, 1900, "walk", "beyond_limit", 1801),
        (2000, 1900, "bus", "beyond_limit", 1900), (2000, 2000, "walk", "beyond_limit", 2000), (NEVER, NEVER, "none", "no_route", 0),
    ):  # fmt: skip
        found = quick_estimate(matrix_of([[walk]], [[bus]]), pupils_of([("A", 2, 9)]), seats, open_ids=["S0"])
        assert told(found) == [["A", 2, "" if mode == "none" else "S0", mode, status, 9, seconds]], (walk, bus)
    moved = limit_seconds(STANDARDS) | {"walk.lower": 3600}
    assert told(quick_estimate(matrix_of([[3600]]), pupils_of([("A", 2, 9)]), seats, open_ids=["S0"], limit=moved))[0][4] == "served"


def test_boarders_need_a_grade_that_boards_a_bed_a_seat_and_a_weekly_way():
    seats = pd.DataFrame([("S0", "nine_year", 1, 9, 9, 20)], columns=FORM)
    matrix = matrix_of([[NEVER], [7000]], week=[[1200], [1300]])
    found = quick_estimate(matrix, pupils_of([("A", 3, 5), ("A", 8, 15), ("B", 8, 8)]), seats, open_ids=["S0"])
    # grade 3 may not board; A is nearer by the week; three of B find no bed and go beyond the limit by day
    assert told(found) == [
        ["A", 3, "", "none", "no_route", 5, 0], ["A", 8, "S0", "board", "served", 15, 1200],
        ["B", 8, "S0", "board", "served", 5, 1300], ["B", 8, "S0", "walk", "beyond_limit", 3, 7000],
    ]  # fmt: skip
    assert (found.totals["boarders"], found.totals["beds_left"]) == (20, 0)
    # nobody comes by day: without a bed it is no_bed, with a bed and no seat no_seat
    far = matrix_of([[NEVER]], week=[[1200]])
    for beds, rooms, status in ((0, 9, "no_bed"), (90, 9, "no_seat"), (90, 0, "no_seat")):
        one = seats.assign(beds=beds, rooms=rooms)
        assert told(quick_estimate(far, pupils_of([("A", 8, 200)]), one, open_ids=["S0"]))[0][4] == status
    assert told(quick_estimate(matrix_of([[NEVER]], week=[[7201]]), pupils_of([("A", 8, 5)]), seats, open_ids=["S0"]))[0][4] == "no_route"


def test_grades_of_a_teaching_point_with_few_rooms_sit_together():
    seats = pd.DataFrame([("S0", "teaching_point", 1, 3, 2, 0)], columns=FORM)
    found = quick_estimate(matrix_of([[60]]), pupils_of([("A", 1, 50), ("A", 3, 20)]), seats, open_ids=["S0"])
    # 2 rooms x 30 children of whatever grade, the lower grade first
    assert [(r[1], r[4], r[5]) for r in told(found)] == [(1, "served", 50), (3, "no_seat", 10), (3, "served", 10)]
    row = found.schools.iloc[0]
    # with the ten turned away: 35 and 35, above 30 and below 56
    assert (row.turned_away, row.classes, row.largest_class, row.above_standard, row.oversized) == (10, 2, 35, 2, 0)
    # a primary school has a class for as many grades as it has rooms, whoever comes first
    primary = pd.DataFrame([("S0", "primary", 1, 6, 1, 0)], columns=FORM)
    found = quick_estimate(matrix_of([[60], [50]]), pupils_of([("A", 1, 5), ("B", 4, 5)]), primary, open_ids=["S0"])
    assert [(r[0], r[4]) for r in told(found)] == [("A", "no_seat"), ("B", "served")]


def test_classes_if_those_without_a_seat_came_all_the_same():
    seats = pd.DataFrame([("S0", "junior", 7, 9, 3, 0)], columns=FORM)
    found = quick_estimate(matrix_of([[60]]), pupils_of([("A", 7, 70), ("A", 8, 56), ("A", 9, 51)]), seats, open_ids=["S0"])
    row = found.schools.iloc[0]
    assert (row.pupils, row.turned_away, row.largest_class) == (150, 27, 70)
    assert (row.above_standard, row.oversized, row["super"]) == (3, 2, 1)
    assert found.totals["no_seat"] == 27 and found.totals["classes"] == 3


def test_children_of_the_county_seat_sit_first_by_rooms_a_grade():
    # S0: 12 rooms for six grades, S1: 9 rooms for nine: two to one; S2 is a teaching point and takes nobody from elsewhere
    seats = pd.DataFrame(
        [("S0", "primary", 1, 6, 12, 0), ("S1", "nine_year", 1, 9, 9, 0), ("S2", "teaching_point", 1, 6, 6, 0)], columns=FORM
    )  # fmt: skip
    pupils = pupils_of([("A", 1, 100, "county_seat"), ("A", 7, 60, "county_seat"), ("A", 1, 30, "home"), ("A", 1, 7, "away")])
    found = quick_estimate(matrix_of([[60, 90, 120]]), pupils, seats, open_ids=["S0", "S1", "S2"], seat_ids=["S0", "S1", "S2"])
    # grade 1: 67 and 33; S1 has one class of 50 in grade 7 for 60, and S0 does not teach it
    assert found.totals["no_seat"] == 10 and found.totals["away"] == 7 and found.totals["pupils"] == 197
    by_school = found.schools.set_index("school_id")["pupils"].to_dict()
    # S0: 67 + 30 of the home children, in three classes; S1: 33 + 50
    assert by_school == {"S0": 97, "S1": 83, "S2": 0}
    none = quick_estimate(matrix_of([[60, 90, 120]]), pupils, seats, open_ids=["S2"], seat_ids=["S2"])
    assert none.totals["no_route"] == 160


def test_who_fares_worse():
    matrix = matrix_of([[600, 900], [300, 1200], [NEVER, 2400]])
    seats = pd.DataFrame([("S0", "primary", 1, 6, 6, 0), ("S1", "primary", 1, 6, 6, 0)], columns=FORM)
    pupils = pupils_of([("A", 1, 20), ("B", 1, 20), ("C", 1, 5)])
    both, one = (quick_estimate(matrix, pupils, seats, open_ids=ids) for ids in (["S0", "S1"], ["S1"]))
    # B comes to S1 after A and finds all its 20; C had a seat beyond the limit, and 45 are just enough
    assert worse_off(one, both).values.tolist() == [["B", 0, 0, 20 * 900], ["A", 0, 0, 20 * 300]]
    assert len(worse_off(both, one)) == 0
    none = quick_estimate(matrix, pupils, seats, open_ids=[])
    assert worse_off(none, both)["unserved_change"].tolist() == [20, 20, 5]
    assert worse_off(none, both)["beyond_change"].tolist() == [0, 0, -5]


def test_what_cannot_be_is_refused():
    seats = pd.DataFrame([("S0", "primary", 1, 6, 6, 0)], columns=FORM)
    two = pd.concat([pupils_of([("A", 1, 5)]), pupils_of([("A", 1, 5)], 2031)])
    with pytest.raises(ValueError, match="one year, not of 2"):
        quick_estimate(matrix_of([[60]]), two, seats, open_ids=["S0"])
    with pytest.raises(ValueError, match="settlement Z"):
        quick_estimate(matrix_of([[60]]), pupils_of([("Z", 1, 5)]), seats, open_ids=["S0"])


def test_seconds_are_those_of_the_judged_direction_rounded(paper):
    times = layout.county_times(paper, STANDARDS)
    matrix = seconds_matrix(times, STANDARDS, settlement_ids=paper.settlements["settlement_id"], school_ids=["S2", "S1"])
    walk = times[(times["mode"] == "walk") & (times["band"] == "upper")]
    for row in walk.itertuples():
        v, k = matrix.settlement_ids.index(row.from_id), matrix.school_ids.index(row.to_id)
        assert matrix.walk[1, v, k] == math.floor(max(row.minutes, row.minutes_back) * 60 + 0.5)
    assert (matrix.walk[1] < NEVER).sum() == len(walk) and matrix.school_ids == ("S1", "S2")


# --- against a simulation child by child, which shares nothing with the package but the standards ------------------------


def simulated(matrix, pupils, seats, limit, seat_ids):
    """Let every single child look for the school whose turn it is; return counts by (settlement, grade, school, mode, status)."""
    year = int(pupils["year"].iloc[0])
    form = {r.school_id: r for r in seats.itertuples()}
    taught = {s: range(r.first_grade, r.last_grade + 1) for s, r in form.items()}
    incomplete = {s: r.kind in ("teaching_point", "small_primary") for s, r in form.items()}
    size = {(s, g): STANDARDS.class_size(g, incomplete=incomplete[s], year=year) for s in form for g in taught[s]}
    sits = {s: dict.fromkeys(taught[s], 0) for s in form}
    beds = {s: r.beds for s, r in form.items()}

    def fits(school, grade):
        """Say whether whole classes hold one child more."""
        if grade not in taught[school]:
            return False
        rooms, trial = form[school].rooms, {**sits[school], grade: sits[school][grade] + 1}
        if incomplete[school] and 0 < rooms < len(trial):
            return sum(trial.values()) <= 30 * rooms
        kept = 1 if rooms >= len(trial) else 0
        return sum(max(math.ceil(n / size[school, g]), kept) for g, n in trial.items()) <= rooms

    out = {}
    ids = sorted(form)
    for grade in range(1, 10):
        waiting = int(pupils[(pupils["attends"] == "county_seat") & (pupils["grade"] == grade)]["pupils"].sum())
        schools = [s for s in ids if s in seat_ids and grade in taught[s] and not incomplete[s]]
        if not schools:
            out["seat", grade, "no_route"] = waiting
            continue
        weight = {s: form[s].rooms / len(taught[s]) for s in schools}
        if sum(weight.values()) == 0:
            weight = dict.fromkeys(schools, 1.0)
        exact = {s: waiting * w / sum(weight.values()) for s, w in weight.items()}
        quota = {s: math.floor(x + 1e-9) for s, x in exact.items()}
        for s in sorted(schools, key=lambda s: (-round(exact[s] - quota[s], 9), s))[: waiting - sum(quota.values())]:
            quota[s] += 1
        for first in (True, False):
            for s in schools:
                for other in [s] if first else schools:
                    while quota[s] and fits(other, grade):
                        sits[other][grade] += 1
                        quota[s] -= 1
        out["seat", grade, "no_seat"] = sum(quota.values())
    children = []
    for r in pupils[pupils["attends"] == "home"].itertuples():
        children += [(r.settlement_id, r.grade)] * int(r.pupils)
    for step in ("near", "board", "far"):
        ways = []
        for v, name in enumerate(matrix.settlement_ids):
            for b, band in enumerate(BANDS):
                for k, school in enumerate(matrix.school_ids):
                    if school not in form:
                        continue
                    walk, bus, week = (int(t[b, v, k]) for t in (matrix.walk, matrix.bus, matrix.week))
                    on_foot, rides = walk <= limit[f"walk.{band}"], bus <= limit[f"bus.{band}"]
                    if step == "near" and (on_foot or rides):
                        ways.append((walk if on_foot else bus, name, b, school, "walk" if on_foot else "bus", "served"))
                    if step == "far" and not on_foot and not rides and min(walk, bus) < NEVER:
                        ways.append((min(walk, bus), name, b, school, "walk" if walk <= bus else "bus", "beyond_limit"))
                    if step == "board" and band != "lower" and week <= limit["week"]:
                        ways.append((week, name, b, school, "board", "served"))
        for seconds, name, b, school, mode, status in sorted(ways):
            for child in [c for c in children if c[0] == name and band_of(c[1]) == list(BANDS)[b]]:
                if fits(school, child[1]) and (mode != "board" or beds[school] > 0):
                    children.remove(child)
                    sits[school][child[1]] += 1
                    beds[school] -= mode == "board"
                    key = (name, child[1], school, mode, status, seconds)
                    out[key] = out.get(key, 0) + 1
    return {k: n for k, n in out.items() if n}, len(children), sits


def random_case(seed):
    random = np.random.default_rng(seed)
    places, sites = int(random.integers(2, 6)), int(random.integers(1, 5))
    tables = []
    for most, there in ((4000, 0.8), (3000, 0.3), (9000, 0.9)):
        seconds = random.integers(0, most // 100, (3, places, sites)) * 100
        tables.append(np.where(random.random(seconds.shape) < there, seconds, NEVER).astype("uint16"))
    matrix = SecondsMatrix(tuple("ABCDEF"[:places]), tuple(f"S{k}" for k in range(sites)), *tables)
    kinds = {"teaching_point": (1, 3), "small_primary": (1, 6), "primary": (1, 6), "junior": (7, 9), "nine_year": (1, 9)}
    chosen = random.choice(list(kinds), sites)
    seats = pd.DataFrame([(f"S{k}", kind, *kinds[kind], int(random.integers(0, 14)), int(random.integers(0, 30))) for k, kind in enumerate(chosen)], columns=FORM)  # fmt: skip
    rows = [(name, grade, int(random.integers(0, 40)), "home") for name in matrix.settlement_ids for grade in range(1, 10)]
    rows += [("A", grade, int(random.integers(0, 90)), "county_seat") for grade in range(1, 10)]
    limit = limit_seconds(STANDARDS) | {"walk.lower": int(random.integers(600, 3000))}
    return matrix, pupils_of(rows), seats, limit, [s for s in matrix.school_ids if random.random() < 0.5]


@pytest.mark.parametrize("seed", range(12))
def test_the_same_as_child_by_child(seed):
    matrix, pupils, seats, limit, seat_ids = random_case(seed)
    found = quick_estimate(matrix, pupils, seats, open_ids=seats["school_id"], limit=limit, seat_ids=seat_ids)
    expected, lost, sits = simulated(matrix, pupils, seats, limit, seat_ids)
    placed = found.children[found.children["school_id"] != ""]
    mine = {(r.settlement_id, r.grade, r.school_id, r.mode, r.status, r.seconds): r.pupils for r in placed.itertuples()}
    assert mine == {k: n for k, n in expected.items() if k[0] != "seat"}
    assert found.children.loc[found.children["school_id"] == "", "pupils"].sum() == lost
    assert found.schools.set_index("school_id")["pupils"].to_dict() == {s: sum(n.values()) for s, n in sits.items()}
    seated = {k: n for k, n in expected.items() if k[0] == "seat"}
    assert found.totals["no_seat"] + found.totals["no_bed"] + found.totals["no_route"] == lost + sum(seated.values())


@pytest.mark.parametrize("seed", range(20, 40))
def test_what_holds_for_every_estimate(seed):
    matrix, pupils, seats, limit, seat_ids = random_case(seed)
    found = quick_estimate(matrix, pupils, seats, open_ids=seats["school_id"], limit=limit, seat_ids=seat_ids)
    totals = found.totals
    assert totals["pupils"] == pupils["pupils"].sum() == sum(totals[s] for s in ("served", "beyond_limit", "no_seat", "no_bed", "no_route", "away"))
    assert found.schools["pupils"].sum() == totals["served"] + totals["beyond_limit"]
    assert (found.schools[["seats_left", "beds_left"]] >= 0).all().all()
    again = quick_estimate(matrix, pupils.sample(frac=1, random_state=seed), seats.iloc[::-1], open_ids=list(seats["school_id"])[::-1], limit=limit, seat_ids=seat_ids)  # fmt: skip
    pd.testing.assert_frame_equal(found.children, again.children)
    # nobody is passed over: within the limit no seat at a nearer school is taken by a child of the grade from farther away
    day = found.children[found.children["mode"].isin(["walk", "bus"]) & (found.children["status"] == "served")]
    for row in found.children.itertuples():
        v, b = matrix.settlement_ids.index(row.settlement_id), list(BANDS).index(band_of(row.grade))
        for other in day[(day["grade"] == row.grade) & (day["school_id"] != row.school_id)].itertuples():
            k = matrix.school_ids.index(other.school_id)
            walk, bus = int(matrix.walk[b, v, k]), int(matrix.bus[b, v, k])
            near = walk if walk <= limit[f"walk.{list(BANDS)[b]}"] else bus if bus <= limit[f"bus.{list(BANDS)[b]}"] else NEVER
            own = row.seconds if row.status == "served" and row.mode in ("walk", "bus") else NEVER
            assert not (near < own and near < other.seconds), (row, other)


def test_a_closed_school_is_as_one_that_is_not_there():
    matrix, pupils, seats, limit, seat_ids = random_case(77)
    gone = seats["school_id"].iloc[0]
    closed = quick_estimate(matrix, pupils, seats, open_ids=[s for s in seats["school_id"] if s != gone], limit=limit, seat_ids=seat_ids)
    kept = [k for k, s in enumerate(matrix.school_ids) if s != gone]
    fewer = dataclasses.replace(
        matrix,
        school_ids=tuple(matrix.school_ids[k] for k in kept),
        walk=matrix.walk[:, :, kept],
        bus=matrix.bus[:, :, kept],
        week=matrix.week[:, :, kept],
    )
    without = quick_estimate(fewer, pupils, seats, open_ids=seats["school_id"], limit=limit, seat_ids=seat_ids)
    assert closed.totals == without.totals
    pd.testing.assert_frame_equal(closed.children, without.children)


def test_a_special_school_takes_no_part():
    seats = pd.DataFrame([("S0", "special", 1, 9, 9, 0)], columns=FORM)
    found = quick_estimate(matrix_of([[60]]), pupils_of([("A", 1, 5)]), seats, open_ids=["S0"])
    assert found.totals["no_route"] == 5 and len(found.schools) == 0


def test_a_dated_schedule_lowers_the_class_size():
    steps = (layout.standards.Step(2030, "primary", 40, "all_grades"),)
    seats = pd.DataFrame([("S0", "primary", 1, 6, 6, 0)], columns=FORM)
    for year, seated in ((2029, 45), (2030, 40)):
        found = quick_estimate(matrix_of([[60]]), pupils_of([("A", 1, 99)], year), seats, open_ids=["S0"], standards=dataclasses.replace(STANDARDS, steps=steps))  # fmt: skip
        assert found.totals["served"] == seated
