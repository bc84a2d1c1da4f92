"""Today's classes from totals and bins: by hand, against brute force, and every contradiction named."""

from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from layout.rosters import disagreements, roster_notes, rosters_from_totals
from layout.standards import read_standards, size_bins
from layout.tables import CountyDataError, check, empty

OFFICIAL = size_bins(read_standards())


def totals(*rows):
    return pd.DataFrame(rows, columns=["school_id", "grade", "classes", "pupils"])


def bins(*rows):
    return pd.DataFrame(rows, columns=["school_id", "grade", "low", "high", "classes"])


def rosters(*rows):
    return check("rosters", pd.DataFrame(rows, columns=["school_id", "grade", "class_no", "pupils"]))


def sizes(classes, pupils, *counted):
    """Make the classes of one grade from (low, high, classes)."""
    table = rosters_from_totals(totals(("S", 1, classes, pupils)), class_bins=bins(*[("S", 1, *c) for c in counted]))
    return table["pupils"].tolist()


def official(real):
    """Count sizes in the ten bins of the form."""
    return [(low, np.nan if high is None else high, sum(low <= n and (high is None or n <= high) for n in real)) for _, low, high in OFFICIAL]


def test_without_bins_classes_are_even():
    table = rosters_from_totals(totals(("S2", 1, 3, 100), ("S1", 7, 2, 99), ("S1", 1, 1, 12), ("S1", 2, 0, 0)))
    expected = rosters(("S1", 1, 1, 12), ("S1", 7, 1, 50), ("S1", 7, 2, 49), ("S2", 1, 1, 34), ("S2", 1, 2, 33), ("S2", 1, 3, 33))
    assert_frame_equal(table, expected)


def test_with_bins_every_class_lies_in_its_bin_and_the_pupils_add_up():
    # 150 in three classes would be 50 each; one is of 56-60 and two of 41-45: 60 + 45 + 45
    assert sizes(3, 150, (41, 45, 2), (56, 60, 1)) == [60, 45, 45]
    # 143: 47.7 on average, so the high class is at its lower end and the two below share 87: 44 + 43
    assert sizes(3, 143, (41, 45, 2), (56, 60, 1)) == [56, 44, 43]
    # the open bin takes what is left; a class of the lowest bin has at least one pupil
    assert sizes(2, 120, (0, 25, 1), (66, np.nan, 1)) == [95, 25]
    assert sizes(2, 67, (0, 25, 1), (66, np.nan, 1)) == [66, 1]
    # bins without classes and grades without bins change nothing
    assert sizes(2, 90, (41, 45, 2), (46, 50, 0)) == [45, 45]
    mixed = rosters_from_totals(totals(("S", 1, 2, 70), ("S", 2, 2, 70)), class_bins=bins(("S", 1, 20, 30, 1), ("S", 1, 40, 50, 1)))
    assert mixed["pupils"].tolist() == [40, 30, 35, 35]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=12))
def test_the_form_of_real_classes_is_met_in_every_bin(real):
    made = sizes(len(real), sum(real), *official(real))
    assert [n for _, _, n in official(made)] == [n for _, _, n in official(real)]
    assert sum(made) == sum(real)
    assert made == sorted(made, reverse=True)
    # so is the form of 2008 with other bins
    seven = [(0, 25), (26, 35), (36, 45), (46, 50), (51, 55), (56, 65), (66, np.nan)]
    counted = [(low, high, sum(low <= n and not n > high for n in real)) for low, high in seven]
    again = sizes(len(real), sum(real), *counted)
    assert [sum(low <= n and not n > high for n in again) for low, high in seven] == [n for _, _, n in counted] and sum(again) == sum(real)


def test_sizes_are_the_most_even_ones_that_the_bins_allow():
    """Against every choice of sizes: the least sum of squares of those that lie in the bins and add up."""
    rng = np.random.default_rng(4)
    cut = [(0, 4), (5, 8), (9, 12), (13, np.nan)]
    for _ in range(150):
        real = sorted(int(n) for n in rng.integers(1, 18, rng.integers(1, 5)))
        counted = [(low, high, sum(low <= n and not n > high for n in real)) for low, high in cut]
        within = lambda way: [sum(low <= n and not n > high for n in way) for low, high in cut] == [c for _, _, c in counted]  # noqa: E731, B023
        ways = [way for way in combinations_with_replacement(range(1, sum(real) + 1), len(real)) if sum(way) == sum(real) and within(way)]
        best = min(sum(n * n for n in way) for way in ways)
        assert sum(n * n for n in sizes(len(real), sum(real), *counted)) == best, real


def test_every_contradiction_is_said_at_once():
    given_totals = totals(
        ("A", 1, 2, 80), ("A", 2, 2, 200), ("A", 3, 0, 5), ("A", 4, 3, 2), ("A", 5, 2, 60), ("A", 6, 2, 60), ("B", 1, 1, 30), ("B", 2, 2, 140),
    )  # fmt: skip
    given_bins = bins(
        ("A", 1, 36, 40, 1), ("A", 2, 41, 45, 2), ("A", 5, 40, 30, 2), ("A", 6, 26, 30, 1), ("A", 6, 30, 35, 1),
        ("B", 1, 26, 30, 1), ("B", 2, 66, np.nan, 1), ("B", 2, 0, 25, 1), ("C", 1, 26, 30, 2), ("C", 2, 26, 30, 0),
    )  # fmt: skip
    with pytest.raises(
        CountyDataError, match=r"分档班数合计 1，班数为 2(.|\n)*2 classes of these sizes hold 82-90 pupils, the total says 200"
    ) as error:
        rosters_from_totals(given_totals, class_bins=given_bins)
    found = [(p.key, p.sheet, p.column, p.value, p.fields["school"], p.fields["grade"]) for p in error.value.problems]
    # B 2 is sound: 140 is 115 + 25
    assert found == [
        ("bin_turned", "班额情况", "班额下限", "40", "A", 5), ("bins_overlap", "班额情况", "班额下限", "30", "A", 6),
        ("class_counts", "班级汇总", "班数", "2", "A", 1), ("class_range", "班级汇总", "学生数", "200", "A", 2),
        ("class_none", "班级汇总", "班数", "0", "A", 3), ("class_fewer_pupils", "班级汇总", "学生数", "2", "A", 4),
        ("bins_without_total", "班额情况", "班数", "2", "C", 1),
    ]  # fmt: skip
    table = error.value.table("en")
    assert (table[["what", "remedy"]] != "").all(axis=None)


def test_an_open_bin_below_another_one_overlaps():
    with pytest.raises(CountyDataError, match="the bin from 30 overlaps the one from 20"):
        sizes(2, 60, (20, np.nan, 1), (30, 40, 1))
    with pytest.raises(CountyDataError, match="hold 66-∞ pupils, the total says 65"):
        sizes(1, 65, (66, np.nan, 1))


def test_nothing_given_is_no_class():
    assert_frame_equal(rosters_from_totals(empty("class_totals")), empty("rosters"))


def test_rosters_and_totals_must_agree():
    real = rosters(("S", 1, 1, 30), ("S", 1, 2, 58), ("S", 2, 1, 40), ("S", 2, 2, 0), ("S", 3, 1, 20))
    agreed = totals(("S", 1, 2, 88), ("S", 2, 1, 40), ("S", 3, 1, 20), ("S", 4, 0, 0))
    assert disagreements(real, agreed, bins(("S", 1, 26, 30, 1), ("S", 1, 56, np.nan, 1), ("S", 1, 31, 55, 0))) == []
    # grade 1 has another number of pupils, grade 2 of classes, grade 3 no total, grade 5 no roster; one bin holds another number
    differing = totals(("S", 1, 2, 87), ("S", 2, 2, 40), ("S", 5, 1, 9))
    found = disagreements(real, differing, bins(("S", 1, 26, 30, 2), ("S", 1, 56, np.nan, 1)))
    assert [(p.key, p.fields["grade"], p.value) for p in found] == [
        ("totals_differ", 1, "2"), ("totals_differ", 2, "2"), ("totals_differ", 3, "0"), ("totals_differ", 5, "1"), ("bins_differ", 1, "2"),
    ]  # fmt: skip
    assert disagreements(real, empty("class_totals"), empty("class_bins")) == []


def test_notes_name_what_does_not_fit(paper):
    rows = [("S1", 2025, 1, 30.0), ("S1", 2025, 2, 31.0), ("S1", 2024, 3, 99.0), ("S2", 2025, 8, 50.0), ("S1", 2025, 7, 4.0)]
    history = check("history", pd.DataFrame(rows, columns=["school_id", "year", "grade", "pupils"]))
    schools = paper.schools.assign(rooms=[0, 9])
    assert roster_notes(schools, paper.rosters, history, base_year=2025) == [
        ("note.rosters_history", {"year": 2025, "count": 3, "places": "S1 2: 30 / 31、S1 7: 0 / 4、S2 8: 56 / 50"}),
        ("note.rooms_none", {"count": 1, "schools": "S1"}),
    ]
    of_one = paper.rosters[paper.rosters["school_id"] == "S2"]
    assert roster_notes(schools, of_one, paper.history, base_year=2025) == [("note.rosters_none", {"count": 1, "schools": "S1"})]
    assert roster_notes(schools, empty("rosters"), history, base_year=2025) == []
