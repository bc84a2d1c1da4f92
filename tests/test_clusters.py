"""Clusters and rounds: hubs, posts and lessons by hand; days and weeks against every way of cutting them."""

import dataclasses
from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest

import layout
from layout.clusters import SUBJECTS, best_legs, school_clusters
from layout.rounds import hub_days, teaching_rounds
from layout.standards import read_standards
from layout.tables import check

STANDARDS = read_standards()


def ways(*rows, mode="drive"):
    table = pd.DataFrame(rows, columns=["from_id", "to_id", "minutes", "minutes_back"])
    both = pd.concat([table, table.rename(columns={"from_id": "to_id", "to_id": "from_id", "minutes": "minutes_back", "minutes_back": "minutes"})])
    return check("times", both.assign(mode=mode, band="junior"))


def schools_of(*rows):
    names = ["school_id", "name", "township_id", "kind", "first_grade", "last_grade", "teachers", "owner"]
    return pd.DataFrame(rows, columns=names).assign(status="open", urban_rural="village", rooms=9, beds=0)


def classes_of(*rows):
    """Classes from (school, grades, pupils, classes)."""
    table = pd.DataFrame(rows, columns=["school_id", "grades", "pupils", "classes"])
    return table.assign(year=2030, class_group=table["grades"], mixed=table["grades"].str.contains(","))


TOWN = [
    ("M", "甲乡中心小学", "T1", "primary", 1, 6, 30.0, "public"), ("N", "甲乡第二小学", "T1", "primary", 1, 6, 40.0, "public"),
    ("Q", "乙乡小学", "T2", "nine_year", 1, 9, np.nan, "public"), ("V", "民办小学", "T1", "primary", 1, 6, 9.0, "private"),
]  # fmt: skip
FULL = [(s, str(g), n, 2) for s, n in (("M", 80), ("N", 90), ("Q", 70), ("V", 99)) for g in range(1, 7)]


def test_lessons_and_posts_of_a_six_class_school_by_hand():
    """52 + 120 = 172 lessons; PE 4+4+3x4 = 20, art 24, English 12, so 116 general ones. Seven teachers give 119: three of PE, 17+24+12 are left."""
    schools = schools_of(*TOWN, ("S", "某村小学", "T1", "small_primary", 1, 6, 7.0, "public"))
    classes = classes_of(*FULL, *[("S", str(g), 10, 1) for g in range(1, 7)])
    row = school_clusters(classes, ways(("M", "S", 20, 25), ("N", "S", 5, 5)), schools, STANDARDS).iloc[0]
    assert row[["hub_id", "basis", "minutes", "mode", "pupils", "classes", "lessons"]].tolist() == [
        "M",
        "township_centre",
        25.0,
        "drive",
        60,
        6,
        172.0,
    ]
    assert [row[f"lessons_{s}_short"] for s in ("english", "art", "pe", "general")] == [12, 24, 17, 0]
    # 60/19 posts against 6 x 1.7
    assert row["posts_by_ratio"] == pytest.approx(60 / 19) and row["posts_by_class"] == pytest.approx(10.2) and row["posts"] == 11
    assert row["lessons_shared"] == 53 and row["posts_shared"] == pytest.approx(53 / 17) and row["posts_own"] == pytest.approx(11 - 53 / 17)
    # the hub: 12 classes, 4 x 26 + 8 x 30 = 344 lessons; 30 teachers give 510
    assert row["balance"] == 166.0 and row["unverified"] and not row["teachers_assumed"]


def test_a_mixed_class_has_the_lessons_of_its_highest_grade_and_unknown_teachers_are_those_of_the_ratio():
    schools = schools_of(*TOWN, ("S", "教学点", "T1", "teaching_point", 1, 3, np.nan, "public"))
    classes = classes_of(*FULL, ("S", "1,2", 12, 1), ("S", "3", 8, 1))
    row = school_clusters(classes, ways(("M", "S", 20, 20)), schools, STANDARDS).iloc[0]
    # 26 + 30; 20/19 posts are two teachers, who give 34; PE 4+3, art 8, English 3: 38 general lessons
    assert row["lessons"] == 56 and row["teachers"] == 2 and row["teachers_assumed"]
    assert [row[f"lessons_{s}_short"] for s in ("english", "art", "pe", "general")] == [3, 8, 7, 4]
    assert row["posts"] == 4  # two classes: 3.4


def test_hubs_centre_then_nearest_then_none():
    rows = [("S", "某村小学", "T1", "small_primary", 1, 6, 7.0, "public"), ("U", "丙村小学", "T3", "small_primary", 1, 6, 7.0, "public")]
    schools = schools_of(*TOWN, *rows)
    classes = classes_of(*FULL, *[(s, str(g), 10, 1) for s in "SU" for g in range(1, 7)])

    def found(times, schools=schools):
        table = school_clusters(classes, times, schools, STANDARDS).set_index("school_id")
        return table.loc["S", ["hub_id", "basis"]].tolist(), table.loc["U", ["hub_id", "basis"]].tolist()

    # the centre is out of reach in one direction, the private school never counts; among as near ones the lower id
    far = ways(("M", "S", 30, 46), ("N", "S", 44, 44), ("Q", "S", 44, 44), ("V", "S", 1, 1), ("Q", "U", 45, 45))
    assert found(far) == (["N", "nearest"], ["Q", "nearest"])
    assert found(ways(("M", "S", 45, 45), ("N", "S", 1, 1), ("M", "U", 46, 1))) == (["M", "township_centre"], ["", "none"])
    # without a school called 中心 the largest of the township
    plain = schools.assign(name=schools["name"].str.replace("中心", ""))
    assert found(ways(("M", "S", 5, 5), ("N", "S", 9, 9)), plain)[0] == ["N", "township_centre"]
    alone = school_clusters(classes, ways(("M", "S", 5, 5)), schools, STANDARDS).set_index("school_id").loc["U"]
    assert alone["lessons_shared"] == 0 and alone["posts_own"] == alone["posts"] == 11 and np.isnan(alone["balance"]) and np.isnan(alone["minutes"])
    assert alone["lessons_art_short"] == 24


def test_who_is_small_and_who_is_not():
    rows = [("S", "大教学点", "T1", "teaching_point", 1, 3, 9.0, "public"), ("E", "百人小学", "T1", "primary", 1, 6, 9.0, "public"),
            ("F", "九十九人小学", "T1", "primary", 1, 6, 9.0, "public"), ("W", "镇上小学", "T1", "primary", 1, 6, 9.0, "public"),
            ("J", "小初中", "T1", "junior", 7, 9, 9.0, "public"), ("O", "空教学点", "T1", "teaching_point", 1, 3, 0.0, "public")]  # fmt: skip
    schools = schools_of(*TOWN, *rows)
    schools.loc[schools["school_id"] == "W", "urban_rural"] = "town"
    classes = classes_of(*FULL, ("S", "1", 120, 3), ("E", "1", 100, 3), ("F", "1", 99, 3), ("W", "1", 20, 1), ("J", "7", 20, 1))
    table = school_clusters(classes, ways(("M", "S", 9, 9)), schools, STANDARDS)
    assert table["school_id"].tolist() == ["F", "O", "S"]
    assert table.set_index("school_id").loc["O", ["pupils", "lessons", "posts", "lessons_shared"]].tolist() == [0, 0, 0, 0]
    # a teaching point of 120 is paired, but its posts are those of pupils
    assert np.isnan(table.set_index("school_id").loc["S", "posts_by_class"]) and table.set_index("school_id").loc["S", "posts"] == 7


def test_the_quickest_way_counts():
    legs = pd.concat([ways(("M", "S", 20, 20)), ways(("M", "S", 15, 26), mode="walk"), ways(("M", "S", 20, 20), mode="bus")])
    assert best_legs(legs).query("from_id == 'M'")[["mode", "minutes"]].values.tolist() == [["bus", 20.0]]


def random_hub(rng, count):
    names = [f"S{i:02d}" for i in range(count)]
    spots = rng.uniform(-25, 25, (count + 1, 2))
    legs = {}
    for a, i in zip(["H", *names], range(count + 1), strict=True):
        for b, j in zip(["H", *names], range(count + 1), strict=True):
            if i != j and (i == 0 or j == 0 or rng.random() < 0.8):
                legs[a, b] = round(float(np.hypot(*(spots[i] - spots[j])) * rng.uniform(1, 1.3) + 2), 3)
    return names, legs


def cuts(items):
    """Yield every way of cutting a list into groups."""
    if not items:
        yield []
        return
    for rest in cuts(items[1:]):
        yield [[items[0]], *rest]
        for i in range(len(rest)):
            yield [*rest[:i], [items[0], *rest[i]], *rest[i + 1 :]]


@pytest.mark.parametrize("seed", range(12))
def test_days_are_fewest_then_shortest_of_all_ways_of_cutting_them(seed):
    rng = np.random.default_rng(seed)
    names, legs = random_hub(rng, int(rng.integers(2, 7)))
    lessons = {name: int(rng.integers(1, 4)) for name in names}

    def tour(group):
        orders = [["H", *order, "H"] for order in permutations(group)]
        sums = [sum(legs.get(pair, np.inf) for pair in pairwise(o)) for o in orders]
        return min(sums)

    travel = 80.0
    reached = [n for n in names if tour([n]) <= travel]
    best = (np.inf, np.inf)
    for cut in cuts(reached):
        minutes = [tour(group) for group in cut]
        if all(m <= travel for m in minutes) and all(sum(lessons[n] for n in group) <= 4 for group in cut):
            best = min(best, (len(cut), round(sum(minutes), 3)))
    days, method = hub_days("H", lessons, legs, lessons_day=4, travel_day=travel)
    assert method == "exact" and (len(days), round(sum(m for m, _ in days), 3)) == (best if reached else (0, 0.0))
    assert {s: n for _, stops in days for s, n in stops} == {n: lessons[n] for n in reached}


@pytest.mark.parametrize("count", [8, 16])
def test_rounds_keep_their_bounds_and_lose_no_lesson(count):
    rng = np.random.default_rng(count)
    names, legs = random_hub(rng, count)
    times = check("times", pd.DataFrame([(a, b, m, legs.get((b, a), m)) for (a, b), m in legs.items()], columns=["from_id", "to_id", "minutes", "minutes_back"])
                  .assign(mode="drive", band="junior"))  # fmt: skip
    short = {f"lessons_{s}_short": rng.integers(0, 15, count) for s in SUBJECTS}
    clusters = pd.DataFrame({"view": "planned", "year": 2030, "school_id": names, "hub_id": "H", **short})
    table = teaching_rounds(clusters, times, STANDARDS)
    # small visits of more than ten schools are too many to be cut exactly
    assert set(table["method"]) == {"exact"} if count <= 10 else "insertion" in set(table["method"])
    wanted = {(n, s): int(k) for s in SUBJECTS for n, k in zip(names, short[f"lessons_{s}_short"], strict=True) if k and 2 * legs["H", n] < 110}
    given = table.groupby(["school_id", "subject"])["lessons"].sum().to_dict()
    assert wanted.items() <= given.items() and sum(given.values()) <= sum(int(k.sum()) for k in short.values())
    days = table.groupby(["round_id", "day"]).agg(lessons=("lessons", "sum"), minutes=("day_minutes", "first"), subjects=("subject", "nunique"))
    assert days["lessons"].max() <= 4 and days["minutes"].max() <= 120 and days["subjects"].max() == 1
    weeks = table.groupby("round_id").agg(lessons=("lessons", "sum"), days=("day", "nunique"))
    assert weeks["lessons"].max() <= 17 and weeks["days"].max() <= 5
    for _, day in table.groupby(["round_id", "day"]):
        places = ["H", *day["school_id"], "H"]
        assert day["day_minutes"].iloc[0] == pytest.approx(sum(legs[p] for p in pairwise(places)))
    again = teaching_rounds(clusters.sample(frac=1, random_state=1), times.sample(frac=1, random_state=2), STANDARDS)
    pd.testing.assert_frame_equal(table, again)


def test_no_hub_and_nothing_short_make_no_rounds():
    clusters = pd.DataFrame({"view": "planned", "year": 2030, "school_id": ["P", "Q"], "hub_id": ["", "H"], "lessons_art_short": [6, 0],
                             "lessons_english_short": 0, "lessons_pe_short": 0})  # fmt: skip
    assert not len(teaching_rounds(clusters, ways(("H", "P", 9, 9), ("H", "Q", 9, 9)), STANDARDS))


def test_more_teachers_never_leave_more_lessons_to_others():
    schools = schools_of(*TOWN, ("S", "某村小学", "T1", "small_primary", 1, 6, 0.0, "public"))
    classes = classes_of(*FULL, *[("S", str(g), 10, 1) for g in range(1, 7)])
    shared, general = [], []
    for teachers in range(12):
        changed = schools.assign(teachers=schools["teachers"].where(schools["school_id"] != "S", float(teachers)))
        row = school_clusters(classes, ways(("M", "S", 20, 25)), changed, STANDARDS).iloc[0]
        shared.append(row["lessons_shared"])
        general.append(row["lessons_general_short"])
        assert row["lessons_shared"] + row["lessons_general_short"] == max(172 - 17 * teachers, 0)
    assert shared == sorted(shared, reverse=True) and general == sorted(general, reverse=True) and shared[-1] == general[-1] == 0 < shared[0]


def test_clusters_of_a_plan_agree_with_what_schools_need(paper):
    paper = dataclasses.replace(paper, schools=paper.schools.assign(kind=["small_primary", "nine_year"], teachers=[5.0, 40.0]))
    paper = dataclasses.replace(paper, population=paper.population.assign(persons=paper.population["persons"] / 2))
    plan = layout.make_plan(paper, to=2027)
    clusters = plan.findings.clusters
    assert {("today", 2025), ("today", 2026), ("today", 2027), ("planned", 2026), ("planned", 2027)} == set(
        zip(clusters["view"], clusters["year"], strict=True)
    )
    needs = plan.findings.school_needs.merge(clusters[clusters["view"] == "today"], on=["school_id", "year"])
    assert len(needs) == 3 and (needs["posts_x"] == needs["posts_y"]).all()
    assert (clusters["hub_id"] == "S2").all() and plan.findings.rounds["hub_id"].eq("S2").all() and len(plan.findings.rounds)
    # 5.5 km of tertiary road
    assert clusters["minutes"].between(5, 12).all()


@pytest.mark.slow
def test_the_bundled_county_agrees_with_what_schools_need_and_no_lesson_is_lost(request):
    county = layout.read_county(request.config.rootpath / "data" / "sample")
    standards = layout.read_standards(county.standards_path)
    pupils = layout.project_pupils(county, standards, years=[2035])
    there = county.schools[county.schools["status"] == "open"]
    assignment = layout.assign(pupils, layout.county_times(county, standards), county.schools, standards)
    classes = layout.class_sizes(assignment, county.schools, county.rosters, standards)
    between = layout.travel_times(county.roads, there, there, mode="drive", band="junior", terrain=county.terrain, limit=120, standards=standards)
    clusters = school_clusters(classes, between, county.schools, standards, view="today")
    both = clusters.merge(layout.school_needs(classes, assignment, county.schools, standards), on=["school_id", "year"])
    assert len(both) == len(clusters) > 30 and (both["posts_x"] == both["posts_y"]).all()
    rounds = teaching_rounds(clusters, between, standards)
    assert rounds["lessons"].sum() == clusters["lessons_shared"].sum() > 100
    assert (clusters["minutes"].dropna() <= 45).all() and clusters["basis"].value_counts().index[0] == "township_centre"
