"""What the page holds to try schools out, and that it is what Python reckons with."""

import base64
import dataclasses
import json
import re
import zlib
from importlib.resources import files

import numpy as np
import pytest

import layout
from conftest import make_paper
from layout import messages
from layout.plan import make_plan
from layout.quick import NEVER, quick_estimate, seconds_matrix
from layout.school_changes import NewSchool, SchoolChanges, school_fingerprint
from layout.tables import empty
from layout.what_if import estimate_changes, make_what_if, packed, plan_changes


@pytest.fixture(scope="module")
def plan():
    return make_plan(make_paper(), to=2026)


@pytest.fixture(scope="module")
def what_if(plan):
    return make_what_if(plan)


def unpacked(island):
    """Read the blocks back: low bytes first, signs folded in, differences."""
    data, at, out = zlib.decompress(base64.b64decode(island["data"]), -15), 0, {}
    for name, count, wide in island["blocks"]:
        folded = sum(np.frombuffer(data, "uint8", count, at + k * count).astype("int64") << (8 * k) for k in range(wide))
        out[name] = np.cumsum(np.where(folded % 2, -(folded + 1) // 2, folded // 2))
        at += count * wide
    assert at == len(data)
    return out


def test_the_page_holds_what_python_has(what_if):
    island = json.loads(json.dumps(packed(what_if), allow_nan=False))
    blocks = unpacked(island)
    matrix, shape = what_if.matrix, what_if.matrix.walk[0].shape
    # grades 7 to 9 walk fastest and stand first; week and bus of the others as differences
    walk = np.full(shape, NEVER)
    coded = blocks["walk2"].reshape(shape)
    walk[np.ix_(blocks["rows"], blocks["columns"])] = np.where(coded == 0, NEVER, coded - 1)
    assert np.array_equal(walk, matrix.walk[2])
    assert sorted(blocks["rows"]) == list(range(shape[0])) and sorted(blocks["columns"]) == list(range(shape[1]))
    pupils = blocks["pupils_2026_medium"]
    home = pupils[: 9 * shape[0]].reshape(-1, 9)
    assert home.sum() + pupils[9 * shape[0] :].sum() == estimate_changes(what_if, plan_changes(what_if, 2026)).totals["pupils"]
    assert np.array_equal(blocks["path_lon"], what_if.paths.lon) and np.array_equal(blocks["path_ahead"] - 1, what_if.paths.ahead)
    assert island["schools_sha256"] == school_fingerprint(what_if.plan.county.schools)


def test_the_same_plan_is_packed_the_same(plan, what_if):
    assert json.dumps(packed(make_what_if(plan))) == json.dumps(packed(what_if))


def test_the_estimate_of_the_plan_is_the_quick_estimate(plan, what_if):
    found = estimate_changes(what_if, plan_changes(what_if, 2026))
    years = plan.planned.school_years.drop(columns="kind").merge(plan.schools[["school_id", "kind"]], on="school_id")
    times = plan.planned.times
    matrix = seconds_matrix(times, plan.standards, settlement_ids=plan.county.settlements["settlement_id"], school_ids=years["school_id"])
    # the page keeps one weekly way, to ten seconds
    assert (
        np.abs(matrix.week[1].astype(int) - what_if.matrix.week[1][:, [what_if.matrix.school_ids.index(s) for s in matrix.school_ids]]) < 10
    ).all()
    matrix = dataclasses.replace(matrix, week=what_if.matrix.week[:, :, [what_if.matrix.school_ids.index(s) for s in matrix.school_ids]])
    direct = quick_estimate(matrix, plan.pupils.query("year == 2026"), years, open_ids=years["school_id"], standards=plan.standards, seat_ids=what_if.seat_ids)  # fmt: skip
    assert found.totals == direct.totals and found.children.equals(direct.children)


def test_a_limit_a_class_size_and_a_new_school_change_it(what_if):
    start = plan_changes(what_if, 2025)

    def beyond(found):
        return found.children.query("grade <= 3 and status == 'beyond_limit'")["pupils"].sum()

    # E walks 37 minutes to S2 in grades 1 to 3
    assert beyond(estimate_changes(what_if, start)) == 18
    assert beyond(estimate_changes(what_if, dataclasses.replace(start, limits={"walk.lower": 38}))) == 0
    # 30 a grade at S1, 26 at S2: 20 a class and nine rooms for nine grades turn six a grade away, S1 takes them in no grade within reach
    small = estimate_changes(what_if, dataclasses.replace(start, class_size={"primary": 20, "junior": 20}))
    assert small.totals["no_seat"] > 0 and small.totals["above_standard"] > 0
    place = what_if.plan.county.settlements.to_crs(4326).set_index("settlement_id").geometry["E"]
    new = NewSchool("new-1", "新", "teaching_point", round(place.x, 5), round(place.y, 5), 1, 3, 3, 0)
    grown = estimate_changes(what_if, dataclasses.replace(start, new=(new,)))
    assert beyond(grown) == 0 and grown.schools.set_index("school_id")["pupils"]["new-1"] == 18
    walk = grown.children.query("settlement_id == 'E' and grade == 1")
    assert walk["seconds"].iloc[0] <= 2


def test_a_new_school_in_the_seat_takes_the_seats_children(what_if):
    # D is the county seat; a school beside it is one of the seat's
    place = what_if.plan.county.settlements.to_crs(4326).set_index("settlement_id").geometry["D"]
    new = NewSchool("new-1", "新", "primary", round(place.x, 5) + 0.0005, round(place.y, 5), 1, 6, 12, 0)
    seat = what_if.pupils[2025, "medium"].assign(attends="county_seat")
    only = dataclasses.replace(what_if, pupils={(2025, "medium"): seat})
    found = estimate_changes(only, dataclasses.replace(plan_changes(what_if, 2025), new=(new,)))
    # S2: nine rooms for nine grades, the new one twelve for six: two children in three, as far as its classes of 45 hold
    assert found.schools.set_index("school_id")["pupils"]["new-1"] == 6 * round(56 * 2 / 3)


def test_the_variants_are_those_of_the_projection(what_if):
    low, high = (what_if.pupils[2026, v]["pupils"].sum() for v in ("low", "high"))
    assert low <= what_if.pupils[2026, "medium"]["pupils"].sum() <= high
    expected = layout.project_pupils(what_if.plan.county, what_if.plan.standards, years=(2025, 2026), scenario=layout.Scenario(variant="low"))
    assert low == expected.query("year == 2026")["pupils"].sum()


def test_without_times_or_pupils_there_is_nothing_to_try(plan):
    none = dataclasses.replace(plan.today, times=empty("times")), dataclasses.replace(plan.planned, times=empty("times"))
    assert make_what_if(dataclasses.replace(plan, today=none[0], planned=none[1])) is None
    assert make_what_if(dataclasses.replace(plan, pupils=empty("pupils"))) is None


def test_a_county_without_roads_or_terrain_can_be_tried(plan):
    bare = make_what_if(dataclasses.replace(plan, county=dataclasses.replace(plan.county, roads=None)))
    assert len(bare.paths.lon) == 0 and len(unpacked(packed(bare))["path_lon"]) == 0
    far = SchoolChanges("520000", "", 2025, new=(NewSchool("x", "x", "primary", 100.0, 20.0, 1, 6, 6, 0),))
    assert estimate_changes(bare, far).schools.set_index("school_id")["pupils"]["x"] == 0


def test_every_sentence_of_the_what_if_exists_and_is_used():
    script = files("layout").joinpath("assets", "what_if.js").read_text(encoding="utf-8")
    known = {key.removeprefix("maps.") for key in messages.catalogue("zh") if key.startswith("maps.what_if.")}
    named = set(re.findall(r'"(what_if\.[\w.]*)"', script))
    prefixes = {name for name in named if name.endswith(".")} - {"what_if."}
    assert {name for name in named if not name.endswith(".")} <= known
    # radio groups are named by their id
    groups = {f"what_if.{name}" for name in re.findall(r'choice\("(\w+)"', script)}
    assert {k for k in known if k not in named | groups and not k.startswith(tuple(prefixes))} == set()
    style = files("layout").joinpath("assets", "plan_map.css").read_text(encoding="utf-8")
    assert all(f"--{name}:" in style for name in re.findall(r'colour\("([\w-]+[\w])"\)', script))
