"""Two plans beside each other: every difference worked by hand, every sum kept, other counties refused."""

import dataclasses
import json
import re
from importlib.resources import files

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from test_maps import _paper_classes, _paper_headline, _paper_summary, hostile_plan, island, paper_plan
from typer.testing import CliRunner

from layout import messages
from layout.cli import app
from layout.compare import BUILT, FIGURES, TABLES, compare_plans
from layout.compare_page import PROPOSAL_CHANGES, SCHOOL_CHANGES, VILLAGE_CHANGES, draw_comparison, save_comparison
from layout.compare_sheets import write_comparison
from layout.plan import STATUSES
from layout.scenario import Scenario
from layout.tables import BANDS, CountyDataError, band_of, check, schemas


def with_assignment(plan, assignment, **changes):
    """Return a plan whose planned view has another assignment, and the tables that follow from it."""
    planned = dataclasses.replace(
        plan.planned, assignment=check("assignment", assignment), classes=_paper_classes(assignment, plan.standards),
        headline=_paper_headline(assignment, "planned", plan.county.settlements), **changes,
    )  # fmt: skip
    return dataclasses.replace(plan, planned=planned, summary=_paper_summary((plan.today, planned)))


def other_plan():
    """Return the paper plan otherwise: no teaching point N, forty beds in 2030 in place of seventy, S1 built on.

    E's 18 children of grades 1-3 walk 2 km to S2 at 54 m a minute: 37.04 minutes, beyond the limit of 30. Without thirty of the
    beds A's 30 junior children have none.
    """
    plan = paper_plan()
    rows = plan.planned.assignment
    at_e = (rows["settlement_id"] == "E") & (rows["grade"] <= 3)
    at_a = (rows["settlement_id"] == "A") & (rows["grade"] >= 7)
    rows = rows.assign(
        school_id=rows["school_id"].mask(at_e, "S2").mask(at_a, ""), minutes=rows["minutes"].mask(at_e, 37.04).mask(at_a, np.nan),
        status=rows["status"].mask(at_e, "beyond_limit").mask(at_a, "no_bed"), mode=rows["mode"].mask(at_a, "none"),
    )  # fmt: skip
    years = plan.planned.school_years[plan.planned.school_years["school_id"] != "N"]
    years = years.assign(rooms=[8, 9], beds=[0, 60])
    given_up = plan.proposals[plan.proposals["school_id"] != "N"]
    built = given_up.assign(
        action=["expand", "add_boarding"], year=[2035, 2030], rooms=[2, 0], beds=[0, 40], cost_yuan=[0.8e6, 1.3e6], pupils=[180, 314],
        yuan_a_year=[2e4, 5e4],
    )  # fmt: skip
    found = with_assignment(plan, rows, school_years=check("school_years", years))
    return dataclasses.replace(found, proposals=check("proposals", built), scenario=Scenario(variant="low"))


@pytest.fixture(scope="module")
def found():
    return compare_plans(paper_plan(), other_plan())


def differing(table, columns, change="change"):
    return table.loc[table[change] != "same", columns].reset_index(drop=True)


# --- the tables ---------------------------------------------------------------------------------------------------------


def test_villages_by_hand(found):
    columns = ["settlement_id", "band", "pupils_a", "pupils_b", "served_a", "served_b", "beyond_limit_b", "without_b", "boarders_a", "boarders_b",
               "minutes_a", "minutes_b", "school_id_a", "school_id_b", "change"]  # fmt: skip
    expected = pd.DataFrame(
        [("A", "junior", 30, 30, 30, 0, 0, 30, 30, 0, np.nan, np.nan, "S2", "", "loses_place"),
         ("E", "lower", 18, 18, 18, 0, 18, 0, 0, 0, 3.7, 37.04, "N", "S2", "slower")], columns=columns,
    ).astype({c: "str" for c in ("settlement_id", "band", "school_id_a", "school_id_b", "change")})  # fmt: skip
    assert_frame_equal(differing(found.villages, columns), expected)
    assert len(found.villages) == 5 * 3 and set(found.villages["year"]) == {2035}


def test_schools_by_hand(found):
    columns = ["school_id", "open_a", "open_b", "kind_b", "rooms_a", "rooms_b", "beds_a", "beds_b", "pupils_a", "pupils_b", "change"]
    # S2 taught 306, without the 30 of A and with the 18 of E it teaches 294
    expected = pd.DataFrame(
        [("N", True, False, "", 3, 0, 0, 0, 18, 0, "only_a"), ("S1", True, True, "primary", 6, 8, 0, 0, 180, 180, "other_size"),
         ("S2", True, True, "nine_year", 9, 9, 90, 60, 306, 294, "other_size")], columns=columns,
    ).astype({c: "str" for c in ("school_id", "kind_b", "change")})  # fmt: skip
    assert_frame_equal(differing(found.schools, columns), expected)


def test_townships_by_hand(found):
    one = found.townships.set_index(["township_id", "year", "band"])
    # A lies in T1, E in T2
    assert one.loc[("T1", 2035, "junior"), ["served_a", "served_b", "no_bed_a", "no_bed_b"]].tolist() == [90, 60, 0, 30]
    assert one.loc[("T2", 2035, "lower"), ["served_a", "served_b", "beyond_limit_a", "beyond_limit_b"]].tolist() == [78, 60, 0, 18]
    same = [c for c in found.townships if c.endswith("_a") and (found.townships[c] == found.townships[f"{c[:-1]}b"]).all()]
    assert same == ["pupils_a", "no_seat_a", "no_route_a", "away_a"]


def test_proposals_by_hand(found):
    columns = ["school_id", "action", "year_a", "year_b", "rooms_a", "rooms_b", "beds_a", "beds_b", "cost_yuan_a", "cost_yuan_b", "change"]
    gone = np.nan
    expected = pd.DataFrame(
        [("N", "open", 2035, gone, 3, gone, 0, gone, 1.2e6, gone, "only_a"), ("S1", "expand", gone, 2035, gone, 2, gone, 0, gone, 0.8e6, "only_b"),
         ("S1", "keep", 2035, gone, 0, gone, 0, gone, 0.0, gone, "only_a"),
         ("S2", "add_boarding", 2035, 2030, 0, 0, 70, 40, 2.3e6, 1.3e6, "other_year_and_size")], columns=columns,
    ).astype({"school_id": "str", "action": "str", "change": "str"} | {c: "float64" for c in columns[2:10]})  # fmt: skip
    assert_frame_equal(found.proposals[columns], expected)


def test_several_proposals_of_one_action_are_paired_by_year_first():
    plan = paper_plan()
    row = plan.proposals[plan.proposals["school_id"] == "S2"]

    def proposed(*pairs):
        rows = [row.assign(year=year, beds=beds, action="add_boarding") for year, beds in pairs]
        return dataclasses.replace(plan, proposals=check("proposals", pd.concat(rows, ignore_index=True)))

    pairs = compare_plans(proposed((2026, 10), (2030, 20), (2035, 30)), proposed((2030, 20), (2031, 30))).proposals
    # 2030 meets 2030; what is left is paired in order: 2026 with 2031, 2035 with nothing
    assert pairs[["place", "year_a", "year_b", "change"]].fillna(0).values.tolist() == [
        [1, 2026, 2031, "other_year_and_size"], [2, 2030, 2030, "same"], [3, 2035, 0, "only_a"]]  # fmt: skip
    swapped = compare_plans(proposed((2026, 10)), proposed((2027, 10)))
    assert swapped.proposals["change"].tolist() == ["other_year"]


def test_money_and_main_figures_by_hand(found):
    money = found.money[["year", "action", "proposals_a", "proposals_b", "cost_yuan_a", "cost_yuan_b", "difference"]].values.tolist()
    assert money == [
        [2030, "add_boarding", 0, 1, 0.0, 1.3e6, 1.3e6], [2035, "add_boarding", 1, 0, 2.3e6, 0.0, -2.3e6], [2035, "expand", 0, 1, 0.0, 0.8e6, 0.8e6],
        [2035, "keep", 1, 0, 0.0, 0.0, 0.0], [2035, "open", 1, 0, 1.2e6, 0.0, -1.2e6]]  # fmt: skip
    figures = {r.figure: (r.value_a, r.value_b, r.difference) for r in found.headline.itertuples() if r.difference}
    assert figures == {
        "served": (504, 456, -48), "beyond_limit": (0, 18, 18), "no_bed": (0, 30, 30), "open_schools": (3, 2, -1), "openings": (1, 0, -1),
        # N's three classes are gone; grades 7 to 9 of S2 had 56 children each, without A's ten they have 46
        "rooms": (3, 2, -1), "beds": (70, 40, -30), "investment_yuan": (3.5e6, 2.1e6, -1.4e6), "yuan_a_year": (0, 7e4, 7e4), "classes": (18, 15, -3),
        "oversized_classes": (3, 0, -3),
    }  # fmt: skip
    assert set(found.headline["figure"]) == {*FIGURES, *BUILT}


def test_what_they_rest_on_is_named(found):
    assert found.basis[["kind", "item", "text_a", "text_b"]].values.tolist() == [["scenario", "variant", '"medium"', '"low"']]
    plan = paper_plan()
    rules = dict(plan.standards.rules)
    rules["travel.limit.walk.lower"] = dataclasses.replace(rules["travel.limit.walk.lower"], value=25.0)
    county = dataclasses.replace(plan.county, inputs={"county.xlsx": "abc"})
    other = dataclasses.replace(plan, standards=dataclasses.replace(plan.standards, rules=rules), county=county)
    assert compare_plans(plan, other).basis[["kind", "item", "text_a", "text_b"]].values.tolist() == [
        ["file", "county.xlsx", "", "abc"], ["standard", "travel.limit.walk.lower", json.dumps(plan.standards["travel.limit.walk.lower"]), "25.0"]]  # fmt: skip


def test_a_year_that_only_one_plan_has_is_told_without_the_other():
    plan = paper_plan()
    long = dataclasses.replace(plan, years=(2025, 2030, 2035), summary=check("summary", pd.concat([
        plan.summary, plan.summary[plan.summary["view"] == "planned"].assign(year=2030)], ignore_index=True)))  # fmt: skip
    found = compare_plans(plan, long)
    assert found.years == (2035,)
    served = found.by_year[(found.by_year["figure"] == "served") & (found.by_year["view"] == "planned")]
    assert served[["year", "value_a", "value_b", "difference"]].fillna(-1).values.tolist() == [[2030, -1, 504, -1], [2035, 504, 504, 0]]
    assert found.basis.values.tolist() == [["year", "2030", "", "2030"]]


# --- properties ---------------------------------------------------------------------------------------------------------


def conserved(found):
    for side, plan in (("a", found.a), ("b", found.b)):
        rows = plan.planned.assignment[plan.planned.assignment["year"].isin(found.years)]
        for table in (found.villages, found.townships):
            assert table[f"pupils_{side}"].sum() == rows["pupils"].sum()
            parts = ["served", "beyond_limit", "away", *(("without",) if "without_a" in table else ("no_seat", "no_bed", "no_route"))]
            assert (table[[f"{p}_{side}" for p in parts]].sum(axis=1) == table[f"pupils_{side}"]).all()
        assert found.schools[f"pupils_{side}"].sum() == rows.loc[rows["school_id"] != "", "pupils"].sum()
        assert found.proposals[f"cost_yuan_{side}"].sum() == found.money[f"cost_yuan_{side}"].sum() == plan.proposals["cost_yuan"].sum()
        assert found.proposals[f"year_{side}"].notna().sum() == found.money[f"proposals_{side}"].sum() == len(plan.proposals)
        figures = found.by_year.dropna(subset=f"value_{side}").pivot_table(index=["view", "year"], columns="figure", values=f"value_{side}")
        summary = plan.summary.set_index(["view", "year"])
        assert (figures[list(STATUSES)].sum(axis=1) == figures["pupils"]).all() and figures["pupils"].sum() == summary["pupils"].sum()


def test_sums_of_both_plans_are_kept(found):
    conserved(found)


def naive_villages(plan, year):
    out = {}
    for r in plan.planned.assignment.itertuples():
        if r.year != year or r.pupils == 0:
            continue
        own = out.setdefault(
            (r.settlement_id, band_of(r.grade)), {"pupils": 0, "without": 0, "beyond": 0, "board": 0, "day": 0, "minutes": 0.0, "to": {}}
        )
        own["pupils"] += r.pupils
        own["without"] += r.pupils * (r.status in ("no_seat", "no_bed", "no_route"))
        own["beyond"] += r.pupils * (r.status == "beyond_limit")
        own["board"] += r.pupils * (r.mode == "board")
        if r.mode in ("walk", "bus"):
            own["day"] += r.pupils
            own["minutes"] += r.pupils * r.minutes
        if r.school_id:
            own["to"][r.school_id] = own["to"].get(r.school_id, 0) + r.pupils
    return out


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_random_plans_against_a_naive_count(seed):
    random = np.random.default_rng(seed)
    plan = paper_plan()

    def shaken():
        rows = plan.planned.assignment
        rows = rows[random.random(len(rows)) > 0.1].reset_index(drop=True)
        lost = random.random(len(rows)) < 0.25
        board = random.random(len(rows)) < 0.2
        school = random.choice(["N", "S1", "S2"], len(rows))
        rows = rows.assign(
            pupils=random.integers(0, 30, len(rows)), school_id=np.where(lost, "", school), mode=np.where(lost, "none", np.where(board, "board", "walk")),
            status=np.where(lost, random.choice(["no_seat", "no_bed", "no_route"], len(rows)), random.choice(["served", "beyond_limit"], len(rows))),
            minutes=np.where(lost, np.nan, random.uniform(1, 60, len(rows)).round(2)),
        )  # fmt: skip
        return with_assignment(plan, rows)

    one, other = shaken(), shaken()
    found = compare_plans(one, other)
    conserved(found)
    naive = [naive_villages(p, 2035) for p in (one, other)]
    nothing = {"pupils": 0, "without": 0, "beyond": 0, "board": 0, "day": 0, "minutes": 0.0, "to": {}}
    assert {(r.settlement_id, r.band) for r in found.villages.itertuples()} == set(naive[0]) | set(naive[1])
    for r in found.villages.itertuples():
        a, b = (side.get((r.settlement_id, r.band), nothing) for side in naive)
        means = [x["minutes"] / x["day"] if x["day"] else np.nan for x in (a, b)]
        most = [min(x["to"], key=lambda s, x=x: (-x["to"][s], s)) if x["to"] else "" for x in (a, b)]
        assert (r.pupils_a, r.pupils_b, r.without_a, r.without_b, r.boarders_a, r.boarders_b) == (
            a["pupils"], b["pupils"], a["without"], b["without"], a["board"], b["board"])  # fmt: skip
        np.testing.assert_allclose([r.minutes_a, r.minutes_b], means)
        assert [r.school_id_a, r.school_id_b] == most
        longer = 0 if np.isnan(means).any() else means[1] - means[0]
        if a["without"] != b["without"]:
            said = "loses_place" if b["without"] > a["without"] else "gains_place"
        elif a["board"] != b["board"]:
            said = "more_board" if b["board"] > a["board"] else "fewer_board"
        elif abs(longer) >= 1:
            said = "slower" if longer > 0 else "quicker"
        elif a["beyond"] != b["beyond"]:
            said = "more_beyond" if b["beyond"] > a["beyond"] else "fewer_beyond"
        else:
            said = "other_school" if most[0] != most[1] else "other_pupils" if a["pupils"] != b["pupils"] else "same"
        assert r.change == said
    back = compare_plans(other, one)
    mirrored = found.villages.rename(columns={c: c[:-1] + {"a": "b", "b": "a"}[c[-1]] for c in found.villages if c[-2:] in ("_a", "_b")})
    assert_frame_equal(back.villages.drop(columns="change"), mirrored[back.villages.columns].drop(columns="change"))


def test_a_plan_and_itself_differ_in_nothing():
    plan = other_plan()
    found = compare_plans(plan, plan)
    for name in TABLES:
        table = found.table(name)
        schema = schemas()[name]
        assert not table.duplicated(list(schema.key)).any() and table.equals(table.sort_values(list(schema.key), ignore_index=True))
        if "change" in table:
            assert set(table["change"]) == {"same"}
        if "difference" in table:
            assert (table["difference"] == 0).all()
    assert len(found.basis) == 0


def test_the_plans_are_left_as_they_were():
    one, other = paper_plan(), other_plan()
    before = [p.planned.assignment.copy() for p in (one, other)]
    compare_plans(one, other)
    for plan, table in zip((one, other), before, strict=True):
        assert_frame_equal(plan.planned.assignment, table)


def test_another_county_base_year_and_horizon_are_refused_at_once():
    plan = paper_plan()
    county = dataclasses.replace(plan.county, name="别县", base_year=2024)
    with pytest.raises(CountyDataError, match="不是同一个县") as raised:
        compare_plans(plan, dataclasses.replace(plan, county=county, years=(2024, 2030)))
    assert [p.key for p in raised.value.problems] == ["compare_other_county", "compare_other_base_year", "compare_no_common_year"]
    assert "2035 and 2030" in str(raised.value) and "纸上县 520000 与 别县 520000" in str(raised.value)


# --- the page -----------------------------------------------------------------------------------------------------------


def test_the_page_holds_the_tables(found):
    data = island(draw_comparison(found, names=("甲", "乙")).get_root().render())
    assert data["names"] == ["甲", "乙"] and data["years"] == [2035]
    changed = [
        [data["villages"][r[0]][0], list(BANDS)[r[2]], VILLAGE_CHANGES[r[3]], *r[4:]] for r in data["village_rows"] if VILLAGE_CHANGES[r[3]] != "same"
    ]
    ids = [s[0] for s in data["schools"]]
    assert changed == [["A", "junior", "loses_place", 30, 30, 0, 30, 0, 0, 30, 0, None, None, ids.index("S2"), -1],
                       ["E", "lower", "slower", 18, 18, 0, 0, 0, 18, 0, 0, 3.7, 37, ids.index("N"), ids.index("S2")]]  # fmt: skip
    assert [[ids[r[0]], SCHOOL_CHANGES[r[2]], *r[15:17]] for r in data["school_rows"]] == [
        ["N", "only_a", 18, 0], ["S1", "other_size", 180, 180], ["S2", "other_size", 306, 294]]  # fmt: skip
    assert [[ids[r[0]], r[1], PROPOSAL_CHANGES[r[2]]] for r in data["proposals"]] == [
        ["N", "open", "only_a"], ["S1", "expand", "only_b"], ["S1", "keep", "only_a"], ["S2", "add_boarding", "other_year_and_size"]]  # fmt: skip
    assert [f[0] for f in data["headline"]] == [*FIGURES, *BUILT] and data["headline"][1] == ["served", 504, 456, -48]


def test_every_change_of_the_tables_has_its_mark_and_word(found):
    lists = {"compared_villages": VILLAGE_CHANGES, "compared_schools": SCHOOL_CHANGES, "compared_proposals": PROPOSAL_CHANGES}
    for name, order in lists.items():
        assert sorted(schemas()[name].columns["change"].values) == sorted(order)
    style = files("layout").joinpath("assets", "compare_map.css").read_text(encoding="utf-8")
    assert all(f"--change-{change}:" in style for change in (*VILLAGE_CHANGES, *SCHOOL_CHANGES))


def test_the_script_writes_text_only_and_every_sentence_exists():
    script = files("layout").joinpath("assets", "compare_map.js").read_text(encoding="utf-8")
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setHTML|createContextualFragment|fetch\(|XMLHttpRequest|https?://"
    assert re.findall(forbidden, script) == []
    known = messages.catalogue("zh")
    used = set(re.findall(r'\bt\("([\w.]+)"[,)]', script)) | set(re.findall(r'[?:] "(compare\.\w+)"', script))
    assert len(used) > 40 and {key for key in used if key not in known and f"maps.{key}" not in known} == set()
    own = {key for key in known if key.startswith("compare.")}
    by_list = {f"compare.table_{name}" for name in re.findall(r'\["(\w+)", \w+Table\]', script)} | {f"compare.plan_{s}" for s in "ab"}
    by_list |= {f"compare.see_{s}" for s in ("differences", "beside")} | {f"compare.choose_{s}" for s in ("see", "year", "band")}
    assert own - used - by_list == {"compare.internal_only", "compare.left_out"}
    styles = "".join(files("layout").joinpath("assets", name).read_text(encoding="utf-8") for name in ("plan_map.css", "compare_map.css"))
    assert all(f"--{name}:" in styles for name in re.findall(r'colour\("([\w-]+)"\)', script))


def test_nothing_is_fetched_and_only_the_scripts_of_the_page_may_run(found):
    html = draw_comparison(found).get_root().render()
    assert not re.search(r"<script[^>]+src=|<link\b|@import|<iframe|<object|<base\b", html) and '<html lang="zh-CN">' in html
    assert re.findall(r"url\((?!data:|#)[^)]*\)", html) == []
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)[1]
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe-inline" not in policy.split("style-src")[0]


def test_two_pages_are_the_same_bytes_and_whole_or_not_at_all(found, tmp_path):
    save_comparison(found, tmp_path / "甲" / "c.html")
    again = compare_plans(paper_plan(), other_plan())
    assert (tmp_path / "甲" / "c.html").read_bytes() == draw_comparison(again).get_root().render().encode()
    broken = dataclasses.replace(found, headline=found.headline.drop(columns="difference"))
    with pytest.raises(KeyError, match="difference"):
        save_comparison(broken, tmp_path / "甲" / "c.html")
    assert [p.name for p in (tmp_path / "甲").iterdir()] == ["c.html"]


@pytest.mark.parametrize(
    ("option", "words"), [({"lang": "fr"}, "lang must be"), ({"audience": "press"}, "audience must be"), ({"audience": "public"}, "小数目")]
)
def test_wrong_options_are_refused(found, option, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        draw_comparison(found, **option)
    with pytest.raises(ValueError, match=words):
        write_comparison(found, tmp_path / "c.xlsx", **option)
    assert list(tmp_path.iterdir()) == []


def test_hostile_names_stay_in_the_island():
    plan = hostile_plan()
    html = draw_comparison(compare_plans(plan, plan), names=('</script><img src=x onerror="window.hacked=1">', "`${1}`")).get_root().render()
    clean = draw_comparison(compare_plans(paper_plan(), paper_plan())).get_root().render()
    assert html.count("</script>") == clean.count("</script>") and html.count("<img") == clean.count("<img")
    assert island(html)["names"][0] == '</script><img src=x onerror="window.hacked=1">'


# --- the workbook -------------------------------------------------------------------------------------------------------


def test_the_workbook_has_a_sheet_of_every_table(found, tmp_path):
    write_comparison(found, tmp_path / "c.xlsx", names=("甲", "乙"))
    book = openpyxl.load_workbook(tmp_path / "c.xlsx")
    assert book.sheetnames == ["说明", "总体差异", "学年差异", "乡镇差异", "村寨差异", "学校差异", "建议差异", "经费差异", "依据差异"]
    rows = list(book["村寨差异"].iter_rows(min_row=3, values_only=True))
    assert [(r[0], r[1], r[3]) for r in rows] == [("A", "A村", "7—9年级"), ("E", "E村", "1—3年级")] and rows[0][-1] == "缺学位等增加"
    headings = [c.value for c in book["村寨差异"][2]]
    assert len(headings) == len(set(headings)) and "A学生数（人）" in headings
    said = " ".join(str(c) for r in book["说明"].iter_rows(values_only=True) for c in r if c)
    assert "不变的 13 行不列" in said and "内部" in said
    write_comparison(found, tmp_path / "d.xlsx", names=("甲", "乙"))
    assert (tmp_path / "c.xlsx").read_bytes() == (tmp_path / "d.xlsx").read_bytes()


def test_names_are_texts_in_the_workbook(tmp_path):
    plan = hostile_plan()
    rows, small = plan.planned.assignment, plan.planned.assignment["grade"] <= 6
    gone = with_assignment(plan, rows.assign(
        school_id=rows["school_id"].mask(small, ""), mode=rows["mode"].mask(small, "none"), status=rows["status"].mask(small, "no_seat"),
        minutes=rows["minutes"].mask(small)))  # fmt: skip
    write_comparison(compare_plans(plan, gone), tmp_path / "c.xlsx", lang="en")
    book = openpyxl.load_workbook(tmp_path / "c.xlsx")
    cells = [c for sheet in book for row in sheet for c in row if c.value is not None]
    assert not [c for c in cells if c.data_type == "f"] and any(str(c.value).startswith("=HYPERLINK") for c in cells)


# --- the command line ---------------------------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"LAYOUT_LANG": None})


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plans")
    about = {"format": 1, "years": [2025, 2035], "inputs": {}, "county": {
        "name": "纸上县", "code": "520000", "base_year": 2025, "base_date": "2025-08-31", "crs": "EPSG:4545", "roads": {"attribution": ""},
        "terrain": [], "obstacles": None, "notes": [], "sources": {}}}  # fmt: skip
    for name, plan in (("近", paper_plan()), ("省", other_plan())):
        dataclasses.replace(plan, manifest=about | {"scenario": dataclasses.asdict(plan.scenario)}).save(folder / name)
    return folder


def test_compare_writes_page_and_workbook(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("compare", saved / "近", saved / "省" / "plan.gpkg", "-o", "out/比较.html", "--xlsx")
    assert done.exit_code == 0, done.output
    assert "缺学位、床位或道路的人增加的村寨 1 个，减少的 0 个，变慢 1 个，变快 0 个；布局建议有 4 项不同" in done.stdout
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["比较.html", "比较.xlsx"]
    assert island((tmp_path / "out" / "比较.html").read_text(encoding="utf-8"))["names"] == ["近", "省"]
    assert run("compare", saved / "近", saved / "省", "--lang", "en").exit_code == 0
    assert [p.as_posix() for p in (tmp_path / "maps").rglob("*.html")] == [f"{(tmp_path / 'maps').as_posix()}/纸上县/compare.html"]


def test_compare_lists_all_that_is_wrong_and_writes_nothing(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    missing = run("compare", "nowhere", "nor here")
    assert missing.exit_code == 1 and missing.stderr.count("这里没有保存的规划") == 2
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_bytes((saved / "近" / "manifest.json").read_bytes())
    (tmp_path / "broken" / "plan.gpkg").write_bytes(b"not a geopackage")
    broken = run("compare", saved / "近", "broken")
    assert broken.exit_code == 1 and "plan.gpkg" in broken.stderr and "Traceback" not in broken.output
    public = run("compare", saved / "近", saved / "省", "--audience", "public")
    assert public.exit_code == 2 and "只有内部版" in public.stderr
    other = json.loads((saved / "省" / "manifest.json").read_text(encoding="utf-8"))
    other["county"]["name"] = "别县"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text(json.dumps(other), encoding="utf-8")
    (tmp_path / "other" / "plan.gpkg").write_bytes((saved / "省" / "plan.gpkg").read_bytes())
    refused = run("compare", saved / "近", "other")
    assert refused.exit_code == 1 and "不是同一个县" in refused.stderr
    assert not (tmp_path / "maps").exists()
