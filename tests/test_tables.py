"""Tables: the schema as data, the one way to check it, and whole children."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from conftest import make_paper
from layout.tables import BANDS, CountyDataError, band_of, check, data_dictionary, empty, inspect, label, schemas, whole

MOVES = pd.DataFrame({"from_id": ["b", "a"], "to_id": ["s", "s"], "year": [2027, 2026], "persons": [10.0, 5.0]})


def test_every_table_has_a_key_of_its_own_columns_and_words_in_two_languages():
    for table in schemas().values():
        assert table.key, table.name
        assert set(table.key) <= set(table.columns)
        assert table.zh and table.meaning_zh and table.meaning_en
        for column in table.columns.values():
            assert column.dtype in {"str", "int", "float", "bool", "point", "polygon"}, (table.name, column.name)
            assert column.meaning_zh and column.meaning_en
            assert column.dtype in ("point", "polygon") or (column.zh and column.en), (table.name, column.name)


def test_headings_of_a_table_are_unique():
    for table in schemas().values():
        headings = [h for c in table.columns.values() for h in (c.zh, c.en, *c.aliases) if h]
        assert len(headings) == len(set(headings)), table.name


def test_data_dictionary_is_the_one_in_the_repository(request):
    text = (request.config.rootpath / "data" / "README.md").read_text(encoding="utf-8")
    assert text == data_dictionary() + "\n", "print it again: layout.tables.data_dictionary()"


def test_check_sorts_types_and_fills_optional_columns():
    expected = pd.DataFrame(
        {
            "from_id": ["a", "b"], "to_id": ["s", "s"], "year": [2026, 2027], "households": [np.nan, np.nan],
            "persons": [5.0, 10.0], "whole_village": [False, False],
        }
    )  # fmt: skip
    assert_frame_equal(check("moves", MOVES), expected)
    assert MOVES.columns.tolist() == ["from_id", "to_id", "year", "persons"], "the caller's frame is not touched"


@pytest.mark.parametrize(
    ("broken", "key"),
    [
        (MOVES.drop(columns="to_id"), "missing_column"),
        (MOVES.assign(from_id=["a", ""]), "missing_value"),
        (MOVES.assign(year=[2026.5, 2026]), "not_whole"),
        (MOVES.assign(persons=[-1, 5]), "negative"),
        (MOVES.assign(persons=["many", 5]), "not_a_number"),
        (MOVES.assign(persons=[np.inf, 5]), "not_a_number"),
        (pd.concat([MOVES, MOVES.iloc[:1]]), "duplicate"),
    ],
)
def test_each_fault_is_named(broken, key):
    with pytest.raises(CountyDataError, match=r"数据有 1 处问题(.|\n)*have 1 problems") as error:
        check("moves", broken)
    assert [p.key for p in error.value.problems] == [key]
    table = error.value.table("en")
    assert table.columns.tolist() == ["file", "sheet", "row", "column", "value", "what", "remedy"]
    assert (table[["what", "remedy"]] != "").all(axis=None)


def test_all_faults_are_said_at_once_with_the_rows_of_the_file():
    broken = MOVES.assign(year=["next", 2026], persons=[-2, 5])
    _, problems = inspect("moves", broken, file="county.xlsx", sheet="搬迁", rows=[7, 9])
    assert [(p.key, p.row, p.column, p.value) for p in problems] == [("not_a_number", 7, "搬迁年份", "next"), ("negative", 7, "人数", "-2")]
    assert problems[0].line("zh").startswith("county.xlsx 工作表“搬迁” 第 7 行 “搬迁年份”列 值“next”：应为数字")


def test_a_year_of_two_figures_lets_no_site_open_at_once():
    schools = make_paper().schools
    years = [26.0, 20270.0, 2027.0, np.nan]
    some = schools.iloc[[0, 0, 0, 0]].assign(school_id=list("ABCD"), status="candidate", earliest_year=years)
    out, problems = inspect("schools", some, file="county.xlsx", sheet="学校")
    assert [(p.key, p.row, p.column, p.value) for p in problems] == [
        ("not_a_year", 1, "最早可用年份", "26"),
        ("not_a_year", 2, "最早可用年份", "20270"),
    ]
    assert out["school_id"].tolist() == ["C", "D"]


def test_coded_values_outside_the_list_are_refused():
    schools = make_paper().schools
    with pytest.raises(CountyDataError, match="不在可选值中") as error:
        check("schools", schools.assign(kind=["primary", "palace"]))
    assert error.value.problems[0].value == "palace"


def test_geometry_must_be_there_and_of_the_right_kind():
    settlements = make_paper().settlements
    moved = settlements.geometry.tolist()
    moved[0], moved[1] = None, moved[1].buffer(1)
    _, problems = inspect("settlements", settlements.set_geometry(gpd.GeoSeries(moved, crs=settlements.crs)))
    assert [p.key for p in problems] == ["no_geometry", "wrong_geometry"]


def test_empty_tables_have_every_column():
    for name, table in schemas().items():
        frame = empty(name, "EPSG:4545")
        assert list(frame.columns) == list(table.columns), name
        if len(table.columns) and "geometry" not in table.columns:
            assert_frame_equal(check(name, frame), frame)


def test_bands_cover_the_nine_grades_once():
    assert [g for grades in BANDS.values() for g in grades] == list(range(1, 10))
    with pytest.raises(ValueError, match="grade must be 1 to 9, not 0"):
        band_of(0)


def test_labels():
    assert label("schools", "kind", "nine_year") == "九年一贯制"
    assert label("schools", "kind", "unknown") == "unknown"
    assert label("schools", "kind", "nine_year", "en") == "nine year"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 3)), min_size=1, max_size=40))
def test_whole_children_keep_each_group_total_and_move_nobody_by_one(rows):
    values, groups = pd.Series([v for v, _ in rows]), pd.Series([g for _, g in rows])
    rounded = whole(values, [groups])
    assert rounded.dtype == "int64"
    assert ((rounded - values).abs() < 1).all() or np.isclose((rounded - values).abs().max(), 1, atol=1e-6)
    difference = rounded.groupby(groups).sum() - values.groupby(groups).sum()
    assert (difference.abs() <= 0.5 + 1e-6).all()


def test_whole_children_by_hand():
    # group a: 0.5 + 0.5 + 1.2 = 2.2 -> 2 children: the one whole child, then the first of the two halves
    values = pd.Series([0.5, 0.5, 1.2, 3.0], index=[9, 8, 7, 6])
    assert_frame_equal(
        whole(values, [pd.Series(list("aaab"), index=values.index)]).to_frame("n"), pd.DataFrame({"n": [1, 0, 1, 3]}, index=[9, 8, 7, 6])
    )
