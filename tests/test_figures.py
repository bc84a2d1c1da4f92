"""Figures for the report: what they show is what the map shows, the PDF can be searched, and the same plan gives the same bytes."""

import dataclasses
import re
import warnings
import zlib

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import box
from test_maps import HOSTILE, hostile_plan, island, paper_plan, render, thin
from typer.testing import CliRunner

from layout import drawings, figures, messages
from layout.cli import app
from layout.drawings import INTERNAL, LAYERS, layer_drawing
from layout.figures import chinese_font, draw_figure, report_pictures, save_figure, save_figures
from layout.tables import BANDS

mpl = pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra print)")


@pytest.fixture(scope="module")
def plan():
    return paper_plan()


def legend(plan, layer, **options):
    return {words: count for _, words, count in layer_drawing(plan, layer, **options).legend}


def drawn_as(drawing, marker):
    return sorted(i for i, look in zip(drawing.marks["id"], drawing.marks["look"], strict=True) if look.marker == marker)


# --- what they show -----------------------------------------------------------------------------------------------------


def test_minutes_by_hand(plan):
    # today A 27.8, C and D 18.5, B 9.3 minutes, E 37.0 of 30; in the plan E goes to N, 3.7 minutes
    said = legend(plan, "minutes", year=2025)
    assert [said[w] for w in ("10 分钟以内", "10—20 分钟", "20—30 分钟（时限）", "30—45 分钟", "超过 45 分钟")] == [
        "24 人 / 1 村", "96 人 / 2 村", "30 人 / 1 村", "18 人 / 1 村", "0 人 / 0 村"]  # fmt: skip
    assert drawn_as(layer_drawing(plan, "minutes", year=2025), "D") == ["E"]
    assert legend(plan, "minutes")["10 分钟以内"] == "42 人 / 2 村" and drawn_as(layer_drawing(plan, "minutes"), "D") == []
    # the junior children of A and B have no bed today, some of C's board
    junior = legend(plan, "minutes", year=2025, band="junior")
    assert junior["没有学校可上"] == "90 人 / 3 村" and junior["寄宿（按周往返）"] == "0 人 / 0 村"


def test_pupils_and_who_is_served_by_hand(plan):
    assert legend(plan, "pupils", year=2025)["2025 学年合计"] == "504 人" and legend(plan, "pupils")["有学生的村寨"] == "5"
    said = legend(plan, "reach", year=2025)
    assert {w: said[w] for w in ("已安排", "超过时限", "无床位", "无学位")} == {
        "已安排": "416 人 / 5 村", "超过时限": "18 人 / 1 村", "无床位": "70 人 / 3 村", "无学位": "0 人 / 0 村"}  # fmt: skip
    assert drawn_as(layer_drawing(plan, "reach", year=2025), "^") == ["A", "B", "C"]
    assert drawn_as(layer_drawing(plan, "reach"), "o") == list("ABCDE")


def test_place_and_limits_by_hand(plan):
    said = legend(plan, "place", year=2025)
    kinds = (
        plan.county.settlements["kind"]
        .astype("str")
        .map({"village": "行政村", "county_seat": "县城", "town": "集镇", "relocation": "安置点", "hamlet": "自然寨"})
    )
    assert {w: said[w] for w in set(kinds)} == {w: str(n) for w, n in kinds.value_counts().items()} and "乡道" in said
    assert sorted(layer_drawing(plan, "place", year=2025).marks["id"]) == sorted(plan.county.settlements["settlement_id"])
    drawing = layer_drawing(plan, "limits")
    assert drawn_as(drawing, "D") == sorted(plan.candidates["school_id"]) and drawn_as(drawing, "X") == sorted(set(plan.rejected["school_id"]))
    square = box(*plan.county.settlements.total_bounds[:2], *(plan.county.settlements.total_bounds[:2] + 500))
    areas = gpd.GeoDataFrame({"exclusion_id": ["X1", "X2"], "layer": "采空区", "hard": [True, False], "source": ""}, geometry=[square, square.buffer(9)],
                             crs=plan.county.crs)  # fmt: skip
    closed = dataclasses.replace(plan, county=dataclasses.replace(plan.county, exclusions=areas))
    drawing = layer_drawing(closed, "limits")
    first = drawing.lines["look"].map(lambda look: look.dash)
    assert (first == "walk").sum() == 4 and (first == "bus").sum() > 4, "a line for every side, hard and soft apart"
    assert [legend(closed, "limits")[w] for w in ("禁止建校的区域", "须评估的区域")] == ["1", "1"]


def test_pictures_of_a_report_share_their_ground_and_are_the_same_twice(plan, monkeypatch):
    from io import BytesIO

    from PIL import Image

    drawn = []
    monkeypatch.setattr(figures, "_TEXT_PX", 400)
    below = figures._backdrop
    monkeypatch.setattr(figures, "_backdrop", lambda *rest: drawn.append(1) or below(*rest))
    draw = report_pictures(plan)
    pictures = [draw("classes", 2025, "today"), draw("proposals", 2035, "planned"), draw("classes", 2025, "today")]
    assert len(drawn) == 1 and pictures[0] == pictures[2] == report_pictures(plan)("classes", 2025, "today") and pictures[0] != pictures[1]
    with Image.open(BytesIO(pictures[0])) as picture:
        assert picture.format == "PNG" and abs(picture.width - 400) <= 1 and picture.mode == "P" and len(picture.convert("RGB").getcolors(9999)) > 8
    with pytest.raises(ValueError, match="no year 2031"):
        draw("classes", 2031, "planned")
    with pytest.raises(ValueError, match="按村列出人数"):
        report_pictures(plan, audience="public")("pupils", 2025, "today")


def test_words_of_a_legend_leave_room_for_the_count_and_no_line_begins_with_a_closing_mark():
    lines = figures._folded("20—30 分钟（时限）的学生；其余见表。", 5.0)
    assert "".join(lines) == "20—30 分钟（时限）的学生；其余见表。" and len(lines) > 3
    assert all(line[0] not in "，。；：、）" for line in lines)


def test_schools_by_hand(plan):
    assert legend(plan, "classes", year=2025) == legend(plan, "classes", year=2025, view="today")
    said = legend(plan, "classes")
    assert {w: c for w, c in said.items() if c not in ("", "0 所")} == {
        "正常（班额标准以内）": "1 所",
        "大班额（56 人及以上）": "1 所",
        "小班（25 人及以下）": "1 所",
    }
    assert "大班额共 3 个班，其中超大班额 0 个" in said
    stay = layer_drawing(plan, "must_stay", year=2025)
    # S1 must stay, S2 is under review
    assert drawn_as(stay, "o") == ["S1"] and [c for _, _, c in stay.legend] == ["1 所", "1 所", "0 所", ""]
    links = layer_drawing(plan, "links", band="junior")
    assert len(links.lines) == 5 and {look.dash for look in links.lines["look"]} == {"walk", "board"}


def test_proposals_and_sites_by_hand(plan):
    drawing = layer_drawing(plan, "proposals")
    assert sorted(zip(drawing.marks["id"], (look.letter for look in drawing.marks["look"]), strict=True)) == [("N", "建"), ("S1", "留"), ("S2", "宿")]
    said = legend(plan, "proposals")
    assert said["新建"] == "1 项" and "至 2035 学年共增加教室 3 间" in said and "床位 70 张，估算投资 350 万元（单价待核实）" in said
    assert len(layer_drawing(plan, "proposals", year=2025).marks) == 0
    sites = layer_drawing(plan, "sites")
    # B is a site with too few seats; people move from C to D
    assert dict(zip(sites.marks["id"], (look.letter for look in sites.marks["look"]), strict=True)) == {"B": "缺", "D": ""}
    assert len(sites.lines) == 1 and legend(plan, "sites")["搬迁方向"] == "1 条"


def test_two_actions_at_one_school_stand_side_by_side(plan):
    more = pd.concat([plan.proposals, plan.proposals[plan.proposals["school_id"] == "S2"].assign(action="expand", year=2030)], ignore_index=True)
    marks = layer_drawing(dataclasses.replace(plan, proposals=more), "proposals").marks
    assert sorted(marks.loc[marks["id"] == "S2", "beside"]) == [0, 1]


def test_marks_lie_where_the_page_has_them(plan):
    data = island(render(plan))
    marks = layer_drawing(plan, "reach").marks.set_index("id")
    for one, _, _, _, lon, lat in data["villages"]:
        x, y = marks.loc[one, ["x", "y"]]
        assert np.degrees(x / 6_378_137) == pytest.approx(lon / 1e5, abs=1e-5)
        assert np.degrees(2 * np.arctan(np.exp(y / 6_378_137)) - np.pi / 2) == pytest.approx(lat / 1e5, abs=1e-5)


def test_flows_are_those_of_the_page():
    for audience in ("internal", "public"):
        for made in (thin(3),):
            data = island(render(made, audience=audience))
            page = data["situations"][0]["flows"]
            scene = drawings._Scene(made, made.today, 2025, "lower", "zh", 10 if audience == "public" else 0)
            own = [[r.settlement_id, r.band, r.school_id, r.mode, r.status] for r in scene.flows().itertuples()]
            ids = [v[0] for v in data["villages"]], [s[0] for s in data["schools"]]
            assert sorted(own) == sorted([ids[0][f[0]], list(BANDS)[f[1]], "" if f[2] < 0 else ids[1][f[2]], f[3], f[4]] for f in page)


def test_colours_are_those_of_the_page(plan):
    css = (drawings.files("layout") / "assets" / "plan_map.css").read_text(encoding="utf-8")
    for layer in LAYERS:
        drawing = layer_drawing(plan, layer, year=2025)
        looks = {look for look, _, _ in drawing.legend if look is not None and look.fill not in ("", "#ffffff")}
        assert looks, layer
        assert all(look.fill[:7] in css for look in looks)


# --- the public edition -------------------------------------------------------------------------------------------------


def words_of(drawn):
    return [text.get_text() for axes in drawn.axes for text in axes.texts]


def test_a_public_figure_is_the_same_whatever_the_few_are():
    one, two = thin(1), thin(2)
    for layer in LAYERS:
        if layer in INTERNAL:
            continue
        for year in (2025, 2035):
            sides = [layer_drawing(made, layer, year=year, audience="public") for made in (one, two)]
            assert sides[0].legend == sides[1].legend and sides[0].marks.equals(sides[1].marks) and sides[0].lines.equals(sides[1].lines), layer
            assert not [c for _, _, c in sides[0].legend if "人" in c]
    assert layer_drawing(one, "pupils", year=2025).legend != layer_drawing(two, "pupils", year=2025).legend


def test_a_public_figure_has_no_outline_and_its_stamp(plan, tmp_path):
    assert len(figures._backdrop(plan, "public").outline) == 0 and len(figures._backdrop(plan, "internal").outline) == 1
    drawn = draw_figure(plan, "proposals", audience="public")
    assert any("未取得" in words for words in words_of(drawn)) and not any("张" in words or "万元" in words for words in words_of(drawn))
    assert "审图号：黔S（2026）001号" in words_of(draw_figure(plan, "proposals", audience="public", review_no="黔S（2026）001号"))
    # a relocation site's verdict counts its children
    assert set(layer_drawing(plan, "sites", audience="public").marks["look"].map(lambda look: look.letter)) == {""}
    for layer in INTERNAL:
        with pytest.raises(ValueError, match="只有内部版"):
            draw_figure(plan, layer, audience="public")


# --- on paper -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_has_title_legend_scale_north_and_stamp(plan, layer, lang):
    words = words_of(draw_figure(plan, layer, lang=lang))
    assert any("纸上县" in w and messages.text(f"figures.layer.{layer}", lang) in w for w in words)
    assert messages.text("maps.stamp.internal", lang) in words and {"1 km", "2 km"} & set(words)
    assert any(messages.text("maps.north", lang) in w and "▲" in w for w in words)
    for _, said, count in layer_drawing(plan, layer, lang=lang).legend:
        assert "".join(said.split())[:6] in "".join("".join(w.split()) for w in words) and (not count or count in words)
    assert ("© OpenStreetMap contributors") in words


def test_the_scale_is_true(plan):
    drawn = draw_figure(plan, "classes")
    axes = drawn.axes[1]
    bar = next(line for line in axes.lines if line.get_transform() == axes.transAxes)
    across = (max(bar.get_xdata()) - min(bar.get_xdata())) * np.ptp(axes.get_xlim())
    said = next(re.fullmatch(r"(\d+) km", w)[1] for w in words_of(drawn) if w.endswith(" km"))
    # A and D lie six kilometres apart on the ground
    marks = layer_drawing(plan, "reach").marks.set_index("id")
    six = np.hypot(*(marks.loc["A", ["x", "y"]] - marks.loc["D", ["x", "y"]]).to_numpy(float))
    assert across / six == pytest.approx(float(said) / 6, rel=2e-3)
    box = axes.get_position()
    assert np.ptp(axes.get_xlim()) / np.ptp(axes.get_ylim()) == pytest.approx(11.69 * box.width / (8.27 * box.height), rel=1e-6)


def test_files_are_the_same_bytes_and_whole_or_not_at_all(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_DPI", 60)
    for kind in ("png", "pdf"):
        for name in ("a", "b"):
            save_figure(draw_figure(plan, "classes"), tmp_path / name / f"f.{kind}")
        made = (tmp_path / "a" / f"f.{kind}").read_bytes()
        assert made == (tmp_path / "b" / f"f.{kind}").read_bytes() and len(made) > 20_000
        assert b"CreationDate" not in made and mpl.__version__.encode() not in made
    with pytest.raises(ValueError, match=r"png or pdf, not '\.svg'"):
        save_figure(draw_figure(plan, "classes"), tmp_path / "a" / "f.svg")
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["f.pdf", "f.png"]


def streams(made):
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", made, re.DOTALL):
        try:
            yield zlib.decompress(found[1])
        except zlib.error:
            continue


@pytest.mark.skipif(not chinese_font(), reason="no Chinese font on this machine")
def test_the_pdf_holds_its_font_and_its_text_can_be_searched(plan, tmp_path):
    save_figure(draw_figure(plan, "classes"), tmp_path / "f.pdf")
    made = (tmp_path / "f.pdf").read_bytes()
    assert b"/FontFile2" in made or b"/FontFile3" in made
    # every letter of the title is in a table from glyphs to letters
    tables = b"\n".join(s for s in streams(made) if b"beginbfchar" in s or b"beginbfrange" in s)
    pairs = [int(code, 16) for code in re.findall(rb"<([0-9a-fA-F]{4})>", tables)]
    assert {ord(letter) for letter in "纸上县学校最大班额内部工作用图"} <= set(pairs)


@pytest.mark.skipif(not chinese_font(), reason="no Chinese font on this machine")
def test_every_chinese_letter_has_a_glyph(plan):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_figure(plan, "minutes").canvas.draw()


def test_a_missing_font_is_said_in_words(plan, monkeypatch):
    monkeypatch.setattr(figures, "FONTS", ("No Such Font",))
    assert chinese_font() == ""
    with pytest.warns(UserWarning, match="没有找到中文字体.*no Chinese font found"):
        draw_figure(plan, "classes")


def test_hostile_names_are_drawn_as_text(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_DPI", 40)
    plan = hostile_plan()
    named = plan.county.settlements.assign(name=["$x^2$ $\\frac{", "a" * 500, "\x00\u2028", HOSTILE[5], "$"])
    plan = dataclasses.replace(plan, county=dataclasses.replace(plan.county, settlements=named, name="$\\frac{$" + HOSTILE[0] * 9))
    for layer in ("sites", "proposals", "must_stay"):
        save_figure(draw_figure(plan, layer), tmp_path / "f.png")
    assert all("\x00" not in w and "\u202e" not in w and len(w) < 500 for w in words_of(draw_figure(plan, "sites")))


def test_a_bare_plan_is_drawn_too(plan, tmp_path):
    county = dataclasses.replace(plan.county, roads=None, terrain=None, boundary=None)
    bare = dataclasses.replace(
        plan, county=county, findings=type(plan.findings)(), proposals=plan.proposals.iloc[:0], must_stay=plan.must_stay.iloc[:0]
    )
    for layer in LAYERS:
        figure = draw_figure(bare, layer)
        figure.canvas.draw()
        assert any(plan.county.name in text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text"))), layer


def test_the_plan_is_left_as_it_was(plan):
    before = plan.today.assignment.copy(), plan.proposals.copy()
    for layer in LAYERS:
        layer_drawing(plan, layer, year=2025)
    pd.testing.assert_frame_equal(plan.today.assignment, before[0])
    pd.testing.assert_frame_equal(plan.proposals, before[1])


@pytest.mark.parametrize(
    ("option", "words"),
    [({"lang": "fr"}, "lang must be"), ({"audience": "press"}, "audience must be"), ({"band": "all"}, "band must be"), ({"year": 2031}, "no year 2031"),
     ({"view": "both"}, "view must be"), ({"view": "planned", "year": 2025}, "no year 2025 in the view planned")],
)  # fmt: skip
def test_wrong_options_are_refused(plan, option, words):
    with pytest.raises(ValueError, match=words):
        draw_figure(plan, "classes", **option)
    with pytest.raises(ValueError, match="layer must be one of place"):
        draw_figure(plan, "tiles")


def test_without_matplotlib_the_extra_is_named(plan, monkeypatch):
    import builtins

    real = builtins.__import__

    def absent(name, *rest):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=r"layout\[print\]"):
        draw_figure(plan, "classes")
    assert chinese_font() == ""
    # what is drawn can be reckoned all the same
    assert len(layer_drawing(plan, "classes").marks) == 3


# --- the command line ---------------------------------------------------------------------------------------------------


def test_figures_of_a_written_plan(plan, tmp_path, monkeypatch):
    about = {"format": 1, "years": [2025, 2035], "inputs": {}, "scenario": {}, "county": {
        "name": "纸上县", "code": "520000", "base_year": 2025, "base_date": "2025-08-31", "crs": "EPSG:4545", "roads": {"attribution": ""},
        "terrain": [], "obstacles": None, "notes": [], "sources": {}}}  # fmt: skip
    dataclasses.replace(plan, manifest=about).save(tmp_path / "plan")
    # coarse and few, so that the test is quick
    monkeypatch.setattr(figures, "LAYERS", ("pupils", "minutes", "classes"))
    monkeypatch.setattr(figures, "_DPI", 50)
    run = lambda *a: CliRunner().invoke(app, ["figures", *map(str, a)], env={"LAYOUT_LANG": None})  # noqa: E731
    done = run(tmp_path / "plan", "--year", 2025, "--audience", "public")
    assert done.exit_code == 0, done.output
    assert "已画 8 个图形文件" in done.stdout and "没有画：各村学生数" in done.stdout
    names = sorted(p.name for p in (tmp_path / "plan" / "public" / "figures").iterdir())
    kinds = [*(f"minutes_{band}_2025" for band in BANDS), "classes_2025"]
    assert names == sorted(f"{kind}.{ending}" for kind in kinds for ending in ("png", "pdf"))
    missing, wrong = run(tmp_path / "nowhere"), run(tmp_path / "plan", "--year", 2031)
    assert missing.exit_code == 1 and "这里没有保存的规划" in missing.stderr
    assert wrong.exit_code == 2 and "没有 2031 学年" in wrong.stderr
    with pytest.raises(ValueError, match="png or pdf, not svg"):
        save_figures(plan, tmp_path / "x", formats=["svg"])
    assert not (tmp_path / "x").exists()
