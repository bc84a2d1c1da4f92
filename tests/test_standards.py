"""Standards: every figure has a source, a county's own file is laid over them, laws hold."""

import csv
import re

import pandas as pd
import pytest

from layout.messages import catalogue
from layout.standards import judged_minutes, read_standards
from layout.tables import CountyDataError


def rows(request):
    text = (request.config.rootpath / "layout" / "standards.csv").read_text(encoding="utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def test_every_row_is_whole(request):
    found = rows(request)
    assert len(found) >= 40
    assert [r["key"] for r in found] == sorted({r["key"] for r in found}), "keys are unique and sorted"
    for row in found:
        assert row["verified"] in {"V1", "V2", "U"}, row["key"]
        assert row["level"] in {"law", "national", "provincial", "county", "scenario"}, row["key"]
        assert row["op"] in {"<=", ">=", "in", "flag"}, row["key"]
        assert row["stage"] in {"primary", "junior", "all"} and row["urban_rural"] in {"city", "town", "village", "all"}, row["key"]
        assert row["doc"] and row["unit"] and row["source"] and row["zh"] and row["en"], row["key"]
        assert row["hard"] in {"yes", "no"}, row["key"]
        # a figure without a document is a county or scenario value, and says that it is unverified
        if row["doc"] == "县级参数" and not row["key"].startswith("bus.hazard"):
            assert row["verified"] == "U" and row["level"] in {"county", "scenario"}, row["key"]


def test_every_key_is_used_and_every_use_is_a_key(request):
    keys = {r["key"] for r in rows(request)}
    code = "\n".join(p.read_text(encoding="utf-8") for p in sorted((request.config.rootpath / "layout").glob("*.py")))
    literal = set(
        re.findall(
            r"[\"']((?:class_size|layout|travel|walk|bus|entry|survival|fertility|floor|cost|site|law|size|boarding|decision|privacy|assume|check|uncertainty|relocation|household|forecast|enrolment|drive|road|staff|fund)\.[a-z0-9_.]*)[\"']",
            code,
        )
    )
    # keys put together from a grade band, role or age group are looked for by their stem
    stems = set(re.findall(r"f[\"']((?:[a-z_0-9]+\.)+)", code)) | {k for k in literal if k.endswith(".")}
    sentences = set(catalogue("zh"))
    assert {k for k in literal - stems if k not in keys | sentences and not k.startswith(("layout.messages", "layout.kernels"))} == set()
    # the stem of module names is not one of keys
    stems = stems - {"layout."} | {"layout.g"}
    unused = {k for k in keys if k not in literal and not any(k.startswith(s) for s in stems)}
    assert unused == set()


def test_county_figures_are_laid_over_the_standards(tmp_path):
    path = tmp_path / "standards.toml"
    path.write_text(
        '"travel.limit.walk.upper" = 35\n[entry]\ncutoff = "12-31"\n'
        '["travel.limit.walk.junior"]\nvalue = 50\ndoc = "本县布局规划"\nclause = "第三章"\nverified = "V1"\n',
        encoding="utf-8",
    )
    standards = read_standards(path)
    assert standards.limit("walk", "upper") == 35 and standards.rules["travel.limit.walk.upper"].verified == "U"
    assert standards.rules["entry.cutoff"].value == "12-31"
    junior = standards.rules["travel.limit.walk.junior"]
    assert (junior.value, junior.doc, junior.clause, junior.verified, junior.level) == (50, "本县布局规划", "第三章", "V1", "county")
    assert read_standards()["travel.limit.walk.upper"] == 40, "the standards themselves do not change"


def test_all_faults_of_a_county_file_are_said_at_once(tmp_path):
    path = tmp_path / "standards.toml"
    path.write_text(
        '"travel.limit.walk.uper" = 35\n"bus.speed.other.max" = 70\n"cost.build.day" = "dear"\n"travel.daily_max" = -1\n"decision.notice.min" = 20\n',
        encoding="utf-8",
    )
    with pytest.raises(CountyDataError, match=r"最接近的是 travel.limit.walk.upper(.|\n)*不能放宽（校车安全管理条例第三十五条第一款）") as error:
        read_standards(path)
    assert [p.key for p in error.value.problems] == ["unknown_standard", "law_relaxed", "bad_standard", "bad_standard", "law_relaxed"]


def test_a_law_can_be_made_stricter(tmp_path):
    path = tmp_path / "standards.toml"
    path.write_text('"bus.speed.other.max" = 50\n"decision.notice.min" = 60\n', encoding="utf-8")
    standards = read_standards(path)
    assert (standards["bus.speed.other.max"], standards["decision.notice.min"]) == (50, 60)
    assert standards.rules["bus.speed.other.max"].level == "law"


def test_broken_toml_is_said(tmp_path):
    path = tmp_path / "standards.toml"
    path.write_text("travel = [", encoding="utf-8")
    with pytest.raises(CountyDataError, match="不是有效的 TOML"):
        read_standards(path)


def test_class_size_by_grade_and_kind_of_school():
    standards = read_standards()
    assert [standards.class_size(g) for g in (1, 6, 7, 9)] == [45, 45, 50, 50]
    assert standards.class_size(3, incomplete=True) == 30


def test_only_grades_four_and_up_may_board():
    standards = read_standards()
    assert [g for g in range(1, 10) if standards.may_board(g)] == [4, 5, 6, 7, 8, 9]


def test_text_is_not_a_number():
    with pytest.raises(TypeError, match="entry.cutoff is text"):
        read_standards()["entry.cutoff"]


def test_citation_marks_what_is_unverified():
    rules = read_standards().rules
    assert rules["walk.speed.lower"].cite("zh") == "县级参数（测算参数）【待核实】"
    assert rules["bus.speed.other.max"].cite("zh") == "校车安全管理条例（国务院令第617号）第三十五条第一款（法律法规）"


def test_the_slower_direction_is_judged_unless_the_county_says_otherwise(tmp_path):
    times = pd.DataFrame({"minutes": [20.0, 31.0], "minutes_back": [28.0, 30.0]}, index=[5, 3])
    assert judged_minutes(times, read_standards()).tolist() == [28.0, 31.0]
    path = tmp_path / "standards.toml"
    path.write_text('"travel.judge_slower" = 0\n', encoding="utf-8")
    assert judged_minutes(times, read_standards(path)).to_dict() == {5: 20.0, 3: 31.0}
