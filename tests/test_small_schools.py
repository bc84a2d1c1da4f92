"""Small schools: the review list against every subset, what goes together, money and teachers by hand, where children go on."""

import itertools

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from strategies import sampled

import layout
from layout.catchment import assign
from layout.class_size import class_sizes
from layout.placement import must_stay
from layout.small_school import joint_proof, review_list, small_schools
from layout.standards import read_standards
from layout.tables import check, empty

STANDARDS = read_standards()
LIMIT = {"walk": 30.0, "bus": 30.0}


def schools_of(*rows):
    table = pd.DataFrame(list(rows), columns=["school_id", "kind", "first_grade", "last_grade"])
    return table.assign(name=table["school_id"], township_id="T", status="open", rooms=6, beds=0, urban_rural="village", teachers=np.nan)


def walks(*rows, band="lower", mode="walk"):
    table = pd.DataFrame(list(rows), columns=["from_id", "to_id", "minutes"])
    return check("times", table.assign(mode=mode, band=band, minutes_back=1.0))


def pupils_of(rows, year=2030):
    table = pd.DataFrame([(s, year, g, float(n)) for s, g, n in rows], columns=["settlement_id", "year", "grade", "pupils"])
    return check("pupils", table)


def naive_best(pupils, times, schools, year):
    """Every subset of the small schools: the most that can go together, then most pupils kept, then the lowest places kept."""
    slower = np.maximum(times["minutes"], times["minutes_back"])
    way = {}
    for f, t, b, m, n in zip(times["from_id"], times["to_id"], times["band"], times["mode"], slower, strict=True):
        if m in LIMIT:
            limit = STANDARDS.limit(m, b)
            # on foot within the limit, else by bus within the limit, else whatever is quicker
            way.setdefault((f, t, b), []).append((n > limit, n if n > limit else m == "bus", n))
    best = {k: min(v) for k, v in way.items()}
    spans = {r.school_id: (r.kind, r.first_grade, r.last_grade) for r in schools.itertuples()}
    groups = [(v, g, n) for v, y, g, n in zip(*(pupils[c] for c in ("settlement_id", "year", "grade", "pupils")), strict=True) if y == year and n]

    def reached(village, grade):
        band = {1: "lower", 2: "upper", 3: "junior"}[(grade + 2) // 3]
        out = []
        for school, (_, first, last) in spans.items():
            if first <= grade <= last and (village, school, band) in best:
                late, _, minutes = best[village, school, band]
                out.append((late, minutes, school))
        return sorted(out)

    size = dict.fromkeys(spans, 0)
    for village, grade, n in groups:
        if reached(village, grade):
            size[reached(village, grade)[0][2]] += n
    small = [s for s, (_, first, last) in sorted(spans.items()) if first <= 3 and last <= 6 and size[s] <= 99]
    need = [{s for late, _, s in reached(v, g) if not late} for v, g, _ in groups if g <= 3]
    need = [n for n in need if n]
    found = []
    for k in range(len(small) + 1):
        for gone in itertools.combinations(small, k):
            if all(n - set(gone) for n in need):
                kept = [s for s in small if s not in gone]
                found.append((len(kept), -sum(size[s] for s in kept), sum(small.index(s) for s in kept)))
    return min(found), small


def random_county(rng):
    villages, places = int(rng.integers(2, 12)), int(rng.integers(2, 11))
    kinds = [("teaching_point", 1, 3), ("teaching_point", 1, 2), ("primary", 1, 6), ("nine_year", 1, 9)]
    chosen = [kinds[i] for i in rng.choice(4, places, p=[0.4, 0.1, 0.35, 0.15])]
    schools = schools_of(*[(f"S{i}", *k) for i, k in enumerate(chosen)])
    rows = []
    for v in range(villages):
        for s in range(places):
            for mode, share in (("walk", 0.8), ("bus", 0.15)):
                for band, pace in (("lower", 1.0), ("upper", 0.9), ("junior", 0.8)):
                    if rng.random() < share:
                        minutes = float(np.round(rng.uniform(2, 70) * pace))
                        rows.append((f"V{v}", f"S{s}", mode, band, minutes, minutes + float(rng.integers(-2, 3))))
    times = pd.DataFrame(rows, columns=["from_id", "to_id", "mode", "band", "minutes", "minutes_back"])
    children = pupils_of([(f"V{v}", g, int(rng.integers(0, 14))) for v in range(villages) for g in range(1, 10)])
    return children, check("times", times), schools


# ---- the review list


def test_review_list_by_hand():
    """T1 and T2 stand in for each other, T3 alone serves C, nobody is nearest to T4, N is no village school.

    A (10 children a grade) has T1 in 5 and T2 in 20 minutes, B (12) T2 in 5 and T1 in 25, C (10) T3 in 5 and T2 in 31,
    D (10) N in 5 and T4 in 28: one of T1 and T2 must stay, the one with more pupils.
    """
    schools = schools_of(
        *((f"T{i}", "teaching_point", 1, 3) for i in range(1, 5)), ("N", "nine_year", 1, 9), ("X", "special", 1, 9)
    )  # fmt: skip
    times = walks(
        ("A", "T1", 5),
        ("A", "T2", 20),
        ("B", "T2", 5),
        ("B", "T1", 25),
        ("C", "T3", 5),
        ("C", "T2", 31),
        ("D", "N", 5),
        ("D", "T4", 28),
        ("D", "X", 1),
    )
    children = pupils_of([("A", 1, 10), ("B", 1, 12), ("C", 2, 10), ("D", 3, 10), ("E", 1, 99)])
    out = review_list(children, times, schools, STANDARDS)
    expected = pd.DataFrame({
        "school_id": ["T1", "T4"], "year": 2030, "pupils": [10, 0], "lower_pupils": [10, 0], "upper_beyond": 0, "next_school_id": ["T2", ""],
        "next_minutes": [20.0, np.nan], "reason": ["others_in_reach", "nobody_near"],
    })  # fmt: skip
    assert_frame_equal(out, check("review_list", expected))
    assert out.attrs["gap"][2030] == [
        {"name": "kept", "objective": 2.0, "bound": 2.0, "gap": 0.0, "status": "optimal"},
        {"name": "pupils_kept", "objective": -22.0, "bound": -22.0, "gap": 0.0, "status": "optimal"},
        {"name": "order", "objective": 3.0, "bound": 3.0, "gap": 0.0, "status": "optimal"},
    ]
    # either of T1 and T2 alone may go, so neither is on the list of single schools
    assert must_stay(children, times, schools, STANDARDS)["school_id"].tolist() == ["T3"]
    proof = joint_proof(children, times, schools, STANDARDS, out)
    assert proof[["settlement_id", "school_id", "remaining_id", "remaining_minutes", "holds"]].values.tolist() == [
        ["A", "T1", "T2", 20.0, True], ["B", "T2", "T2", 5.0, True], ["C", "T3", "T3", 5.0, True], ["D", "N", "N", 5.0, True]
    ]  # fmt: skip
    both = pd.DataFrame({"school_id": ["T1", "T2", "T3"], "year": 2030})
    lost = joint_proof(children, times, schools, STANDARDS, both)
    assert lost[["settlement_id", "remaining_id", "holds"]].values.tolist() == [
        ["A", "", False],
        ["B", "", False],
        ["C", "", False],
        ["D", "N", True],
    ]


def test_reasons_and_upper_grades():
    """P (1-6) has only children of grade 5, 35 minutes away, and Q is 45: by day beyond their 40. R's child is beyond today."""
    schools = schools_of(("P", "primary", 1, 6), ("Q", "nine_year", 1, 9), ("R", "primary", 1, 6))
    times = pd.concat([walks(("A", "P", 35), ("A", "Q", 45), ("B", "R", 5), ("B", "Q", 39), band="upper"), walks(("C", "R", 33), ("C", "Q", 50))])
    children = pupils_of([("A", 5, 7), ("B", 4, 3), ("C", 1, 2)])
    out = review_list(children, times, schools, STANDARDS)
    assert out.drop(columns="year").fillna({"next_minutes": -1}).values.tolist() == [
        ["P", 7, 0, 7, "", -1.0, "no_lower_grades"], ["R", 5, 2, 0, "Q", 50.0, "beyond_today"]
    ]  # fmt: skip


@pytest.mark.parametrize("counties", [60, pytest.param(300, marks=pytest.mark.long)])
def test_review_list_is_the_longest_that_any_subset_gives(counties):
    rng = np.random.default_rng(7)
    lengths, kept = [], []
    for _ in range(counties if counties < 300 else max(sampled(counties), 60)):
        children, times, schools = random_county(rng)
        best, small = naive_best(children, times, schools, 2030)
        out = review_list(children, times, schools, STANDARDS)
        assert len(out) == len(small) - best[0]
        assert set(out["school_id"]) <= set(small)
        levels = [round(level["objective"]) for level in out.attrs["gap"].get(2030, [])]
        if len(levels) > 1:
            assert tuple(levels) == best
        proof = joint_proof(children, times, schools, STANDARDS, out)
        assert proof["holds"].all() and not set(proof["remaining_id"]) & set(out["school_id"])
        stay = must_stay(children, times, schools, STANDARDS)
        assert not set(stay["school_id"]) & set(out["school_id"])
        lengths.append(len(out))
        kept.append(best[0])
    # the cases are not trivial: lists of many lengths, and schools that had to stay
    assert len(set(lengths)) >= 6 and np.mean(np.array(kept) > 0) > 0.6 and max(kept) >= 3


@pytest.mark.parametrize("counties", [15, pytest.param(60, marks=pytest.mark.slow)])
def test_a_further_school_never_shortens_the_list_and_nothing_more_can_go(counties):
    rng = np.random.default_rng(11)
    longer = 0
    for _ in range(counties):
        children, times, schools = random_county(rng)
        fewer = schools.iloc[:-1]
        before = review_list(children, times, fewer, STANDARDS)
        after = review_list(children, times, schools, STANDARDS)
        assert len(after) >= len(before)
        longer += len(after) > len(before)
        left = schools[~schools["school_id"].isin(after["school_id"])]
        assert not len(review_list(children, times, left, STANDARDS)), "with the list gone no school of the rest can go"
    assert longer > counties / 10


def test_years_and_order_of_rows():
    children, times, schools = random_county(np.random.default_rng(0))
    later = pd.concat([children, children.assign(year=2035, pupils=children["pupils"] * 3)], ignore_index=True)
    both = review_list(later, times, schools, STANDARDS)
    assert set(both["year"]) == {2030, 2035}
    one = review_list(later, times, schools, STANDARDS, year=2035)
    assert_frame_equal(one, both[both["year"] == 2035].reset_index(drop=True))
    mixed = [t.sample(frac=1, random_state=1) for t in (later, times, schools)]
    assert_frame_equal(review_list(*mixed, STANDARDS), both)
    assert not len(review_list(empty("pupils"), times, schools, STANDARDS))
    assert not len(joint_proof(empty("pupils"), times, schools, STANDARDS, both))


def test_a_year_in_which_nobody_reaches_a_school_still_lists_them():
    out = review_list(pupils_of([("A", 1, 5)]), empty("times"), schools_of(("T", "teaching_point", 1, 3)), STANDARDS)
    assert out[["school_id", "year", "reason"]].values.tolist() == [["T", 2030, "nobody_near"]]


# ---- what a small school is


def assigned(*rows):
    columns = ["settlement_id", "year", "grade", "school_id", "mode", "status", "pupils", "minutes"]
    return check("assignment", pd.DataFrame(list(rows), columns=columns).assign(attends="home"))


def small_case():
    """T (1-3, two rooms) teaches A's and half of B's children; P and Q have grade 4, Q with 30 beds.

    Grade 4: A's 8 children board at Q (minutes of the weekly way 50), B's 6 walk to P in 35 minutes, 2 of B find no place.
    """
    schools = schools_of(("T", "teaching_point", 1, 3), ("P", "primary", 1, 6), ("Q", "nine_year", 1, 9), ("Z", "primary", 1, 6))
    schools = schools.assign(rooms=[2, 6, 9, 6], beds=[0, 0, 30, 0], teachers=[4.0, 14.0, np.nan, 5.0])
    rows = [
        ("A", 2030, 1, "T", "walk", "served", 9, 5.0), ("A", 2030, 2, "T", "walk", "served", 7, 5.0), ("A", 2030, 3, "T", "walk", "served", 8, 5.0),
        ("B", 2030, 1, "T", "walk", "served", 4, 20.0), ("B", 2030, 1, "P", "walk", "served", 4, 25.0),
        ("A", 2030, 4, "Q", "board", "served", 8, 50.0), ("B", 2030, 4, "P", "walk", "served", 6, 35.0), ("B", 2030, 4, "", "none", "no_seat", 2, np.nan),
        ("C", 2030, 4, "Q", "board", "served", 5, 60.0), ("C", 2030, 5, "P", "bus", "served", 100, 20.0),
    ]  # fmt: skip
    times = pd.concat([
        walks(("A", "T", 5), ("B", "T", 20), ("B", "P", 25)), walks(("A", "Q", 50), ("C", "Q", 60), ("B", "P", 12), band="upper", mode="week"),
        walks(("B", "P", 35), band="upper"), walks(("C", "P", 20), band="upper", mode="bus"),
    ])  # fmt: skip
    table = assigned(*rows)
    children = table[["settlement_id", "year", "grade", "pupils"]].groupby(["settlement_id", "year", "grade"], as_index=False).sum()
    return children, times, table, schools


def test_a_small_school_by_hand():
    """28 pupils of three grades in one mixed class; 72 short of 100, each 720 yuan.

    Lessons: the 30 of grade 3 over 17. Posts 28 / 19. Grade 4: A sends all of its children to T
    (weight 1), B half of those in grades 1-3 (weight 4 / 8): 8 + 0.5 x (6 + 2) = 12 children, 1 without a place, 8 to Q.
    Q has 30 beds and 13 boarders.
    """
    children, times, table, schools = small_case()
    classes = class_sizes(table, schools, empty("rosters"), STANDARDS)
    out = small_schools(children, times, table, classes, schools, STANDARDS)
    assert out["school_id"].tolist() == ["T", "Z"], "P has 110 pupils, Q is no village school"
    row = out.iloc[0].to_dict()
    expected = {
        "kind": "teaching_point", "pupils": 28, "classes": 1, "mixed": True, "mixed_grades": "1-3", "must_stay": True, "review": False, "teachers": 4.0,
        "teachers_by_class": 30 / 17, "posts_by_ratio": 28 / 19, "funding_yuan": 72000.0, "floor_yuan": 51840.0, "funding_per_pupil": 72000 / 28,
        "next_grade": 4, "next_children": 12.0, "next_without": 1.0, "next_school_id": "Q", "next_pupils": 8.0, "next_mode": "board",
        "next_week_minutes": 50.0, "next_beds_free": 17,
    }  # fmt: skip
    numbers = {k: v for k, v in expected.items() if not isinstance(v, str)}
    assert {k: row[k] for k in numbers} == pytest.approx(numbers)
    assert {k: row[k] for k in expected if k not in numbers} == {k: v for k, v in expected.items() if k not in numbers}
    assert np.isnan(row["next_minutes"]), "nobody goes to Q by day"
    empty_one = out.iloc[1]
    assert (empty_one["pupils"], empty_one["funding_yuan"], empty_one["review"], empty_one["next_school_id"]) == (0, 0.0, True, "")
    assert np.isnan(empty_one["funding_per_pupil"])


def test_ties_go_to_the_lower_id_and_the_longest_way_counts():
    children, times, _, schools = small_case()
    # B walks to P with all eight: 4 weighted, then as many to P as to Q when half of A follows
    more = assigned(
        ("A", 2030, 1, "T", "walk", "served", 9, 5.0), ("A", 2030, 4, "Q", "walk", "served", 4, 31.0), ("A", 2030, 4, "P", "walk", "served", 4, 33.0),
        ("B", 2030, 1, "T", "walk", "served", 3, 5.0), ("B", 2030, 4, "P", "bus", "served", 1, 39.0), ("B", 2030, 4, "Q", "walk", "served", 1, 7.0),
    )  # fmt: skip
    classes = class_sizes(more, schools, empty("rosters"), STANDARDS)
    out = small_schools(children, times, more, classes, schools, STANDARDS).set_index("school_id").loc["T"]
    assert out[["next_school_id", "next_pupils", "next_mode", "next_minutes", "next_week_minutes"]].tolist() == ["P", 5.0, "walk", 39.0, 12.0]


def test_floor_of_funds_is_for_the_country_and_boarders_bring_more():
    children, times, table, schools = small_case()
    classes = class_sizes(table, schools, empty("rosters"), STANDARDS)
    town = small_schools(children, times, table, classes, schools.assign(urban_rural="city"), STANDARDS).set_index("school_id")
    assert town.loc["T", ["funding_yuan", "floor_yuan"]].tolist() == [28 * 720.0, 0.0]
    listed = pd.DataFrame({"school_id": ["Q"], "year": 2030})
    big = small_schools(children, times, table, classes, schools, STANDARDS, reviewed=listed, stay=empty("must_stay")).set_index("school_id")
    # 13 pupils of grade 4, all boarders; 87 more by the floor
    assert big.loc["Q", ["pupils", "funding_yuan", "review"]].tolist() == [13, 100 * 720.0 + 13 * 300.0, True]
    assert not big.loc["T", "must_stay"]


def test_without_anything_there_is_nothing():
    children, times, table, schools = small_case()
    assert not len(small_schools(children, times, empty("assignment"), empty("classes"), schools, STANDARDS))
    closed = schools.assign(status="closed")
    assert not len(small_schools(children, times, table, empty("classes"), closed, STANDARDS))
    large = schools[schools["school_id"] == "P"]
    classes = class_sizes(table, schools, empty("rosters"), STANDARDS)
    assert not len(small_schools(children, times, table, classes, large, STANDARDS))


def test_the_sample_county_has_small_schools_of_every_kind():
    county = layout.make_sample_county(seed=0, settlements=120)
    pupils = layout.project_pupils(county, STANDARDS, years=[2025, 2030])
    times = layout.county_times(county, STANDARDS)
    table = assign(pupils, times, county.schools, STANDARDS, seat_schools=layout.seat_schools(county))
    classes = class_sizes(table, county.schools, county.rosters, STANDARDS, base_year=county.base_year)
    out = small_schools(pupils, times, table, classes, county.schools, STANDARDS)
    stay, listed = must_stay(pupils, times, county.schools, STANDARDS), review_list(pupils, times, county.schools, STANDARDS)
    assert set(out["year"]) == {2025, 2030} and len(out) >= 10
    for column, table_of in (("must_stay", stay), ("review", listed)):
        marked = out.loc[out[column], ["school_id", "year"]]
        assert sorted(marked.itertuples(index=False)) == sorted(table_of[["school_id", "year"]].itertuples(index=False)), column
    assert not (out["must_stay"] & out["review"]).any()
    ends_early = out[out["next_grade"].notna()]
    assert len(ends_early) >= 2 and (ends_early["next_grade"] == ends_early["last_grade"] + 1).all()
    assert (ends_early["next_pupils"].fillna(0) + ends_early["next_without"] <= ends_early["next_children"] + 1e-9).all()
    full = out[(out["pupils"] > 0) & (out["pupils"] < 100)]
    assert np.allclose(full["funding_yuan"], 72000)
    assert joint_proof(pupils, times, county.schools, STANDARDS, listed)["holds"].all()
    assert all(level["gap"] < 1 for levels in listed.attrs["gap"].values() for level in levels)
