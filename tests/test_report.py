"""The report: chapters, tables whose townships add up, blanks for people, no closure, the same bytes twice, an office's own template."""

import dataclasses
import importlib.util
import re
import zipfile

import docx
import pandas as pd
import pytest
from test_workbook import BASE, LAST, hand_plan

from layout import messages
from layout.chapters import chapters
from layout.document import Block, heading_number, shown, write_document
from layout.gates import GATES
from layout.narrative import FIGURES
from layout.pages import Field, Page
from layout.privacy import WITHOUT, edition_of
from layout.report import why_no_maps, write_report
from layout.tables import CountyDataError, check
from layout.workbook import workbook_pages

CHAPTERS = [
    "总则",
    "县情与人口",
    "现状评价",
    "学龄人口预测",
    "学位与班级需求",
    "布局方案",
    "选址与建设",
    "交通与校车",
    "师资与经费",
    "近期项目与年度计划",
    "保障措施",
    "程序与附件",
]


@pytest.fixture(scope="module")
def plan():
    return hand_plan()


@pytest.fixture(scope="module")
def reviewed(plan):
    """The plan with one school under review: what the data say of some gates, blanks of the others."""
    figures = {
        "few_pupils": "2026: 9; 2035: 7",
        "receiving_classes": "S2 2035: +7",
        "lower_travel": "28 / 30",
        "safe_way": "walk: 7",
        "beds_ready": "0",
    }
    rows = [{"school_id": "S1", "gate": gate, "year": 2026, "state": "met" if gate in figures and gate != "safe_way" else "people",
             "figures": figures.get(gate, ""), "clause": clause} for gate, clause in GATES.items()]  # fmt: skip
    return dataclasses.replace(plan, merger_gates=check("merger_gates", pd.DataFrame(rows)))


@pytest.fixture(scope="module")
def written(tmp_path_factory, reviewed):
    folder = tmp_path_factory.mktemp("reports")
    paths = {}
    for lang in ("zh", "en"):
        paths[lang] = folder / f"{lang}.docx"
        write_report(reviewed, paths[lang], lang=lang)
    return paths


def words(path):
    document = docx.Document(path)
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([p.text for p in document.paragraphs] + cells)


def tables(path):
    """Return the tables by title: a list of rows of cells."""
    out, title = {}, ""
    for element in docx.Document(path).element.body:
        if element.tag.endswith("}p"):
            text = "".join(t.text or "" for t in element.iter("{*}t"))
            title = re.sub(r"^(表\d+　|Table \d+  )", "", text) if re.match(r"表\d+|Table \d+", text) else title
        elif element.tag.endswith("}tbl"):
            rows = [["".join(t.text or "" for t in c.iter("{*}t")) for c in row.iter("{*}tc")] for row in element.iter("{*}tr")]
            assert title not in out, f"two tables {title}"
            out[title] = rows
    return out


def test_chapters_stand_in_order_and_are_numbered_as_official_documents(written):
    document = docx.Document(written["zh"])
    heads = [p.text for p in document.paragraphs if p.style.name == "Heading 1"]
    assert heads == [heading_number(1, [i], "zh") + text for i, text in enumerate(CHAPTERS, start=1)]
    assert [p.text for p in document.paragraphs if p.style.name == "Heading 2"][:3] == ["（一）编制依据", "（二）规划范围和期限", "（三）规划原则"]
    english = [p.text for p in docx.Document(written["en"]).paragraphs if p.style.name == "Heading 1"]
    assert len(english) == 12 and english[11].startswith("12 Procedure")


def test_look_of_an_official_document(written):
    document = docx.Document(written["zh"])
    section = document.sections[0]
    assert [round(getattr(section, f"{side}_margin").mm) for side in ("top", "bottom", "left", "right")] == [37, 35, 28, 26]
    for name, face, size in (
        ("Title", "方正小标宋简体", 22),
        ("Heading 1", "黑体", 16),
        ("Heading 2", "楷体_GB2312", 16),
        ("Layout Text", "仿宋_GB2312", 16),
    ):
        style = document.styles[name]
        assert (style.element.rPr.rFonts.get(docx.oxml.ns.qn("w:eastAsia")), style.font.size.pt) == (face, size)
    text = document.styles["Layout Text"].paragraph_format
    assert (text.line_spacing.pt, text.first_line_indent.pt) == (28, 32)
    assert "PAGE" in section.footer._element.xml and "PAGE" in section.even_page_footer._element.xml


def test_townships_add_up_to_the_county(written, plan):
    found = tables(written["zh"])
    checked = 0
    for title, rows in found.items():
        if rows[-1][0] != "合计" or rows[0][0] != "乡镇名称" or "最大班额" in "".join(rows[0]):
            continue
        assert [row[0] for row in rows[1:-1]] == ["甲乡", "乙镇"], title
        for column in range(1, len(rows[0])):
            assert sum(int(row[column]) for row in rows[1:-1]) == int(rows[-1][column]), (title, rows[0][column])
        checked += 1
    assert checked >= 4
    headline = plan.today.headline[plan.today.headline["year"] == BASE]
    rows = found["基年分乡镇就学情况"]
    assert rows[0][1:] == ["学龄学生", "时限内就学", "有学校但超时限", "学位缺口", "床位缺口", "无可达学校", "县外就读"]
    wanted = [int(headline[c].sum()) for c in ("pupils", "served", "beyond_limit", *WITHOUT, "away")]
    assert [int(v) for v in rows[-1][1:]] == wanted and wanted[4] > 0


def test_results_are_those_of_the_summary(written, plan):
    rows = {row[0]: row[1:] for row in tables(written["zh"])["规划效果比较"]}
    summary = plan.summary.set_index(["view", "year"])
    cases = [("today", BASE), ("today", LAST), ("planned", LAST)]
    assert len(rows["项目"]) == len(cases)
    for words_of, column in (
        ("学龄学生", "pupils"),
        ("有学校但超时限", "beyond_limit"),
        ("大班额（个班）", "oversized_classes"),
        ("床位缺口", "no_bed"),
    ):
        assert [int(v) for v in rows[words_of]] == [int(summary.loc[case, column]) for case in cases], words_of


def test_the_near_term_list_ends_in_2030_and_leaves_duty_blank(tmp_path, plan):
    soon = plan.proposals.assign(year=[2028] * len(plan.proposals))
    path = tmp_path / "r.docx"
    write_report(dataclasses.replace(plan, proposals=soon), path)
    rows = tables(path)["近期建设项目表"]
    built = soon[~soon["action"].isin(["keep", "review_for_merger"])]
    assert len(rows) == 1 + len(built) + 1
    head = rows[0]
    total = dict(zip(head, rows[-1], strict=True))
    assert total["项目（学校）"] == "合计" and total["估算投资（万元）"] == f"{built['cost_yuan'].sum() / 10_000:,.0f}" and not total["责任单位"]
    for row in rows[1:-1]:
        cell = dict(zip(head, row, strict=True))
        assert cell["责任单位"] == cell["资金来源"] == "【待填】" and cell["投用学年"] == "2028" and cell["学段"] in ("小学", "初中", "小学、初中")
    late = dataclasses.replace(plan, proposals=plan.proposals.assign(year=[2035] * len(plan.proposals)))
    write_report(late, path)
    assert "近期建设项目表" not in tables(path) and "至2030年没有建设项目" in words(path)


def test_gate_table_of_a_school_under_review(written):
    rows = tables(written["zh"])["S1小学论证事项表"]
    assert rows[0] == ["事项", "状态", "数据", "依据", "论证意见"]
    by_gate = {row[0]: row[1:] for row in rows[1:]}
    assert len(by_gate) == len(GATES) + 1
    assert by_gate["生源极少且持续"][:2] == ["数据支持", "2026年9人，2035年7人"] and by_gate["生源极少且持续"][3] == ""
    assert by_gate["接收学校班额规模"][1] == "S2九年制学校2035年增加7人"
    assert by_gate["1—3年级走读时间"][1] == "最长28分钟，时限30分钟"
    assert by_gate["听取家长意见"][1] == by_gate["听取家长意见"][3] == "【待填】"
    assert "国务院令第713号" in by_gate["听证"][2]
    assert by_gate["综合意见"][3].startswith("【待填")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_closure_no_map_number_and_the_words_of_officials(written, lang):
    text = words(written[lang])
    assert (
        "失学" not in text and not re.search(r"(建议|应当|拟)(撤|并)", text) and "close " not in text.replace("to close it", "").replace("closed", "")
    )
    assert not re.search(r"(审图号|approval number)[：:]?[^【\n]{0,6}\d|GS[(（]|黔S", text)
    for word in (
        ("学位缺口", "床位缺口", "无可达学校", "拟论证学校", "规划建议（供论证）", "备选点")
        if lang == "zh"
        else ("seat gap", "bed gap", "no reachable school")
    ):
        assert word in text
    assert text.count("【待填" if lang == "zh" else "【to fill in") > 30
    assert "待核实" in text


def test_the_clock_prints_the_figures_of_the_law(written):
    text = "\n".join(" | ".join(row) for row in tables(written["zh"])["程序时间表"])
    assert "地图审核期限：20个工作日" in text and "30日" in text and "合法性审查时间：7个工作日" in text and "地图管理条例第十九条" in text


def test_english_report_has_no_chinese_sentences(written, plan):
    document = docx.Document(written["en"])
    own = {*plan.schools["name"], *plan.county.settlements["name"], *plan.county.townships["name"], plan.county.name}
    for paragraph in document.paragraphs:
        text = re.sub(r"《[^》]*》|（[^）]*）|[(（][^)）]*[)）]", "", paragraph.text)
        for name in own:
            text = text.replace(name, "")
        han = re.findall(r"[\u4e00-\u9fff]", text)
        # documents are cited by their names
        if "Bases: " in text:
            continue
        assert len(han) < 0.5 * max(len(text), 1), paragraph.text


def test_two_runs_give_the_same_bytes_and_no_clock(tmp_path, reviewed, written):
    again = tmp_path / "again.docx"
    write_report(reviewed, again)
    assert again.read_bytes() == written["zh"].read_bytes()
    with zipfile.ZipFile(again) as parts:
        assert {i.date_time for i in parts.infolist()} == {(2000, 1, 1, 0, 0, 0)}
    about = docx.Document(again).core_properties
    assert (about.author, about.last_modified_by, about.created.year, about.modified.year) == ("", "", 2000, 2000)


def test_a_public_report_shows_no_more_than_the_public_workbook(tmp_path, reviewed):
    path = tmp_path / "public.docx"
    write_report(reviewed, path, audience="public")
    found = tables(path)
    inside = {"分乡镇村寨与人口", "基年分乡镇就学情况", "分乡镇学龄人口预测表", "学位供需平衡表（规划末年，维持现状）", "S1小学论证事项表",
              "上学时间超标或缺学位、床位、道路的村寨表", "寄宿床位表（规划末年）"}  # fmt: skip
    assert not inside & set(found)
    edition = edition_of(reviewed, "public")
    pages = workbook_pages(reviewed, "zh", edition)
    shown_cells = {str(v) for page in pages.values() for column in page.frame for v in page.frame[column].tolist()}
    for row in found["附录一" if "附录一" in found else "学校现状一览表"][1:]:
        assert {row[5]} <= shown_cells | {""}, row
    text = words(path)
    assert "审图号：【待填" in text and "不得公开" in text
    hidden = [cell for cell in edition.marks if cell[0] == "H"]
    rows = {row[0]: row[1:] for row in found["规划效果比较"]}
    assert set(rows) == {"项目", "学龄学生", "有学校但超时限", "学位、床位缺口及无可达学校", "班数（个）", "大班额（个班）", "其中超大班额（个班）"}
    if hidden:
        assert any("<" in v or "*" in v for row in rows.values() for v in row)


def test_names_from_data_stay_text(tmp_path, plan):
    bad = "<w:p>&甲\x00\x0b{{7*7}}]]>学校"
    schools = plan.schools.assign(name=[bad, *plan.schools["name"].tolist()[1:]])
    path = tmp_path / "r.docx"
    write_report(
        dataclasses.replace(
            plan, schools=schools, county=dataclasses.replace(plan.county, name="../<b>县&", schools=plan.county.schools.assign(name=bad))
        ),
        path,
    )
    text = words(path)
    assert "<w:p>&甲{{7*7}}]]>学校" in text and "../<b>县&" in text


def test_the_file_appears_whole_or_not_at_all(tmp_path, plan, monkeypatch):
    path = tmp_path / "report.docx"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(
        "layout.report.write_document", lambda blocks, to, **_: (to.write_bytes(b"half"), (_ for _ in ()).throw(OSError("disk full")))[1].__next__()
    )
    with pytest.raises(OSError, match="disk full"):
        write_report(plan, path)
    assert path.read_bytes() == b"earlier" and [p.name for p in tmp_path.iterdir()] == ["report.docx"]
    with pytest.raises(ValueError, match="audience must be one of"):
        write_report(plan, path, audience="press")
    with pytest.raises(ValueError, match="lang must be one of"):
        write_report(plan, path, lang="fr")


# --- an office's own template


def template_file(path, body=("红头文件", "{{正文}}", "抄送：")):
    document = docx.Document()
    document.styles["Heading 1"].font.size = docx.shared.Pt(30)
    document.sections[0].header.paragraphs[0].text = "{{county}}教育局"
    document.sections[0].top_margin = docx.shared.Mm(11)
    for text in body:
        document.add_paragraph(text)
    document.save(path)
    return path


def test_a_template_keeps_its_look_and_gives_the_report_its_place(tmp_path, plan):
    path = tmp_path / "r.docx"
    write_report(plan, path, template=template_file(tmp_path / "t.docx"))
    document = docx.Document(path)
    text = [p.text for p in document.paragraphs]
    assert text[0] == "红头文件" and text[-1] == "抄送：" and "{{正文}}" not in text and "一、总则" in text
    assert document.sections[0].header.paragraphs[0].text == f"{plan.county.name}教育局"
    assert document.styles["Heading 1"].font.size.pt == 30 and round(document.sections[0].top_margin.mm) == 11
    assert len(document.tables) > 5
    write_report(plan, path, template=template_file(tmp_path / "t.docx", ("只有抬头",)))
    assert docx.Document(path).paragraphs[0].text == "只有抬头"


def rezipped(source, target, change):
    with zipfile.ZipFile(source) as parts, zipfile.ZipFile(target, "w") as copy:
        for name in parts.namelist():
            copy.writestr(name, change(name, parts.read(name)))
    return target


def test_a_dotx_is_a_template_too(tmp_path, plan):
    plain = template_file(tmp_path / "t.docx")
    dotx = rezipped(
        plain, tmp_path / "t.dotx", lambda name, data: data.replace(b"document.main+xml", b"template.main+xml") if "Content_Types" in name else data
    )
    write_report(plan, tmp_path / "r.docx", template=dotx)
    assert docx.Document(tmp_path / "r.docx").paragraphs[0].text == "红头文件"


@pytest.mark.parametrize("kind", ["text", "empty zip", "macro", "excel", "cut"])
def test_what_is_no_template_is_refused(tmp_path, plan, kind):
    path = tmp_path / "t.docx"
    plain = template_file(tmp_path / "plain.docx")
    if kind == "text":
        path.write_text("模板", encoding="utf-8")
    elif kind == "cut":
        path.write_bytes(plain.read_bytes()[:2000])
    elif kind == "excel":
        rezipped(plain, path, lambda name, data: data.replace(b"wordprocessingml", b"spreadsheetml") if "Content_Types" in name else data)
    else:
        with zipfile.ZipFile(path, "w") as z:
            z.writestr("word/vbaProject.bin" if kind == "macro" else "a.txt", "x")
    with pytest.raises(CountyDataError, match="不能用作报告模板"):
        write_report(plan, tmp_path / "r.docx", template=path)
    assert not (tmp_path / "r.docx").exists()


# --- figures and pieces


def test_every_map_has_its_place_and_its_picture(plan):
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.new("RGB", (4, 3), "white").save(stream, "PNG")
    asked = []
    edition = edition_of(plan, "internal")

    def figure(layer):
        asked.append(layer)
        return stream.getvalue() if layer == "proposals" else b""

    blocks = chapters(plan, lang="zh", edition=edition, pages=workbook_pages(plan, "zh", edition), figure=figure)
    figures = [b for b in blocks if b.kind == "figure"]
    assert sorted(asked) == sorted(FIGURES) and len(figures) == len(FIGURES)
    assert [b.text for b in figures if b.image] == [messages.text("report.map.proposals", "zh")]


def test_pictures_are_put_in_and_missing_ones_are_marked(tmp_path):
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.new("RGB", (4, 3), "white").save(stream, "PNG")
    path = tmp_path / "d.docx"
    write_document([Block("figure", "甲", image=stream.getvalue()), Block("figure", "乙")], path, lang="zh", title="t")
    document = docx.Document(path)
    assert len(document.inline_shapes) == 1
    assert [p.text for p in document.paragraphs] == ["", "图1　甲", "【此处插图：乙】", "图2　乙"]


def test_tables_show_numbers_as_readers_read_them(tmp_path):
    fields = (Field("a", "名称"), Field("b", "人数", "int"), Field("c", "比例", "percent"), Field("d", "值", "number"))
    frame = pd.DataFrame({"a": ["甲", "合计"], "b": [1234.4, None], "c": [0.125, float("nan")], "d": [12.7517, 3000000.0]}, dtype=object)
    path = tmp_path / "d.docx"
    write_document([Block("table", "表名", page=Page("x", fields, frame), bold=(1,))], path, lang="zh", title="t")
    table = docx.Document(path).tables[0]
    assert [[c.text for c in row.cells] for row in table.rows] == [
        ["名称", "人数", "比例", "值"],
        ["甲", "1,234", "12.5%", "12.75"],
        ["合计", "", "", "3,000,000"],
    ]
    assert [row.cells[0].paragraphs[0].runs[0].bold for row in table.rows] == [True, None, True]


@pytest.mark.parametrize(
    ("value", "kind", "lang", "text"),
    [
        (0.0, "int", "zh", "0"),
        (-0.4, "int", "zh", "0"),
        (float("inf"), "minutes", "zh", "—"),
        ("<10", "int", "en", "<10"),
        (2035, "year", "en", "2035"),
        (0.5, "share", "zh", "0.50"),
    ],
)
def test_shown(value, kind, lang, text):
    assert shown(value, kind, lang).replace("-0", "0") == text


def test_headings_are_numbered_to_twenty():
    assert [heading_number(1, [n], "zh") for n in (1, 10, 11, 20, 21)] == ["一、", "十、", "十一、", "二十、", "二十一、"]


def test_maps_are_drawn_and_a_refusal_leaves_the_place_marked(tmp_path, plan, monkeypatch):
    from io import BytesIO

    from PIL import Image

    asked = []

    def pictures(_plan, *, lang, audience):
        def draw(layer, year, view):
            asked.append((layer, year, view))
            if layer == "sites":
                raise ValueError("no relocation site")
            stream = BytesIO()
            Image.new("RGB", (8, 6), "white").save(stream, "PNG")
            return stream.getvalue()

        return draw

    monkeypatch.setattr("layout.report.report_pictures", pictures)
    monkeypatch.setattr("layout.report.why_no_maps", lambda lang: "")
    path = tmp_path / "r.docx"
    write_report(plan, path)
    assert {("place", BASE, "today"), ("minutes", BASE, "today"), ("links", LAST, "planned"), ("limits", LAST, "planned")} <= set(asked)
    assert len(asked) == len(FIGURES) and len(docx.Document(path).inline_shapes) == len(FIGURES) - 1
    text = words(path)
    assert "【此处插图：安置点与学校】" in text and text.count("【此处插图") == 1 and "插图处只留位置" not in text


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_without_the_means_to_draw_the_report_says_how_to_get_maps(tmp_path, plan, monkeypatch, lang):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "matplotlib" else find(name, *rest))
    path = tmp_path / "r.docx"
    write_report(plan, path, lang=lang)
    text = words(path)
    assert 'pip install "layout[print]"' in text and "layout report" in text
    assert text.count("【此处插图" if lang == "zh" else "【figure goes here") == len(FIGURES)
    monkeypatch.undo()
    monkeypatch.setattr("layout.report.chinese_font", lambda: "")
    write_report(plan, path, lang=lang)
    assert messages.text("figures.no_font", lang) in words(path) and not docx.Document(path).inline_shapes


def test_real_maps_are_in_the_report_and_the_same_twice(tmp_path, plan):
    pytest.importorskip("matplotlib")
    if why_no_maps("zh"):
        pytest.skip("no Chinese font")
    write_report(plan, tmp_path / "a.docx")
    write_report(plan, tmp_path / "b.docx")
    assert (tmp_path / "a.docx").read_bytes() == (tmp_path / "b.docx").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.docx") as parts:
        pictures = [parts.read(n) for n in parts.namelist() if n.startswith("word/media/")]
    assert len(pictures) >= 8 and all(p.startswith(b"\x89PNG") and len(p) > 3_000 for p in pictures)


# --- other plans


def test_without_alternatives_the_plan_stands_beside_doing_nothing(written, plan):
    rows = {row[0]: row[1:] for row in tables(written["zh"])[f"本规划与维持现状（{LAST}学年）"]}
    summary = plan.summary.set_index(["view", "year"])
    assert rows["项目"] == ["维持现状", "本规划", "差额"]
    for said, column in (("学龄学生", "pupils"), ("有学校但超时限", "beyond_limit"), ("大班额（个班）", "oversized_classes")):
        values = [int(summary.loc[(view, LAST), column]) for view in ("today", "planned")]
        assert [int(v) for v in rows[said]] == [*values, values[1] - values[0]], said
    minutes = plan.time_distribution.set_index(["view", "year", "band"])
    assert (len(minutes) == 0) == (rows["走读学生平均单程（分钟）"] == ["", "", ""])
    built = plan.proposals
    seats = sum(r * {True: 50, False: 45}[first >= 7] for r, first, last in zip(built["rooms"], built["first_grade"], built["last_grade"], strict=True)
                if (first >= 7) == (last >= 7))  # fmt: skip
    seats += sum(r * (45 * (7 - first) + 50 * (last - 6)) / (last - first + 1)
                 for r, first, last in zip(built["rooms"], built["first_grade"], built["last_grade"], strict=True) if first < 7 <= last)  # fmt: skip
    assert rows["新增学位（个）"] == ["0", str(round(seats)), str(round(seats))]
    assert rows["估算投资（万元）"][1] == f"{built['cost_yuan'].sum() / 10_000:.0f}" and rows["新增床位（张）"][1] == str(built["beds"].sum())
    text = words(written["zh"])
    assert "layout plan 县文件夹 --alternatives" in text and "方案比选表" not in tables(written["zh"])
    assert "--alternatives" in words(written["en"])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_alternative_has_children_minutes_money_and_seats(tmp_path, plan, lang):
    made = dict.fromkeys(["openings", "rooms", "beds", "shared", "too_small"], 0) | {"stopped_by": "optimal", "near_tie": False, "dominated": False}
    child_years = {"without_place": 10.0, "beyond_limit": 20.0, "excess_minutes": 5.0, "above_standard": 0.0}
    rows = [
        {"alternative_id": "plan", **made, **child_years, "investment_yuan": 3e6, "cost_yuan": 1e6, "pupil_minutes": 1000.0, "money_gap": 0.1},
        {"alternative_id": "nothing", **made, **child_years, "investment_yuan": 0.0, "cost_yuan": 0.0, "pupil_minutes": 3000.0, "money_gap": None},
        {"alternative_id": "nearer", **made, **child_years, "beyond_limit": 8.0, "investment_yuan": 5e6, "cost_yuan": 2e6, "pupil_minutes": 900.0,
         "money_gap": 0.2},
        {"alternative_id": "expand_only", **made, **child_years, "investment_yuan": 2e6, "cost_yuan": 9e5, "pupil_minutes": 1500.0, "money_gap": 0.2,
         "dominated": True},
    ]  # fmt: skip
    others = plan.proposals.drop(columns="geometry").head(1).assign(alternative_id="nearer", first_grade=1, last_grade=6, rooms=4)
    path = tmp_path / "r.docx"
    compared = dataclasses.replace(plan, alternatives=check("alternatives", pd.DataFrame(rows)),
                                   alternative_proposals=check("alternative_proposals", pd.DataFrame(others)))  # fmt: skip
    write_report(compared, path, lang=lang, maps=False)
    title = messages.text("report.title.alternatives", lang)
    head, *body = tables(path)[title]
    names = [messages.text(f"alternative.{name}", lang) for name in ("plan", "nearer", "expand_only", "nothing")]
    assert [row[0] for row in body] == names
    nearer = dict(zip(head, body[1], strict=True))
    assert nearer[messages.text("report.col.seats_added", lang)] == "180" and nearer[messages.text("report.col.investment", lang)] == "500"
    weights = {2026: 0}
    from layout.horizon import horizon_of

    horizon = horizon_of(plan.years[1:], BASE, plan.standards)
    weights = dict(zip(horizon.years, horizon.weights, strict=True))
    children = sum(n * weights.get(y, 0) for y, n in zip(plan.pupils["year"], plan.pupils["pupils"], strict=True))
    assert nearer[messages.text("report.col.minutes_a_child", lang)] == f"{900 / children:.1f}"
    text = words(path)
    less = messages.text("report.alternatives.less", lang, what=messages.text("report.alternatives.beyond_limit", lang), amount="12")
    more = messages.text("report.alternatives.more", lang, what=messages.text("report.alternatives.investment", lang), amount="200")
    assert less in text and more in text and messages.text("report.alternatives.dominated", lang) in text and "--alternatives" not in text


def test_every_school_under_review_has_its_gate_table(tmp_path, reviewed):
    """Of the plan's own proposal, and of the list of schools that may be looked at together."""
    other = {"pupils": 12, "lower_pupils": 12, "upper_beyond": 0, "next_school_id": "S1", "next_minutes": 18.6, "reason": "others_in_reach"}
    listed = pd.DataFrame([{"school_id": school, "year": year, **other} for school in ("S2", "S1") for year in (BASE, LAST)])
    findings = dataclasses.replace(reviewed.findings, review_list=check("review_list", listed))
    path = tmp_path / "r.docx"
    write_report(dataclasses.replace(reviewed, findings=findings), path, maps=False)
    found = {title: rows for title, rows in tables(path).items() if title.endswith("论证事项表")}
    assert sorted(found) == ["S1小学论证事项表", "S2九年制学校论证事项表"], "one a school, the proposal's before the list's"
    rows = {row[0]: row[1:] for row in found["S2九年制学校论证事项表"][1:]}
    assert len(rows) == len(GATES) + 1
    assert rows["生源极少且持续"][1] == f"{BASE}年12人，{LAST}年12人" and rows["1—3年级走读时间"][:2] == ["数据支持", "最长19分钟，时限30分钟"]
    assert rows["接收学校班额规模"][1] == f"S1小学{LAST}年增加12人"
    assert all(rows[gate][1] == "【待填】" for gate in ("听取家长意见", "听证", "公示、过渡期与恢复程序") if gate in rows)
    # a way that nobody can go is never called good
    far = dataclasses.replace(reviewed.findings, review_list=check("review_list", listed.assign(next_minutes=None, school_id="S2").head(1)))
    write_report(dataclasses.replace(reviewed, findings=far), path, maps=False)
    row = next(r for r in tables(path)["S2九年制学校论证事项表"] if r[0] == "1—3年级走读时间")
    assert row[1:3] == ["须人工核定", "最长—分钟，时限30分钟"]


def test_what_is_built_is_said_without_what_is_not(tmp_path, plan):
    first = plan.proposals.head(1)
    rows = first.assign(year=2028, action="expand", rooms=3, beds=0)
    path = tmp_path / "r.docx"
    write_report(dataclasses.replace(plan, proposals=rows), path, maps=False)
    found = tables(path)["近期建设项目表"]
    assert [row[4] for row in found[1:]] == ["扩建：教室3间", ""] and found[-1][1] == "合计" and found[-1][7] == found[1][7] != ""


def test_no_number_is_broken_and_short_names_stay_in_one_line(plan, tmp_path):
    """A table of many columns: each is at least as wide as its numbers, its Latin words and its short names."""
    heads = {f"c{i}": f"规划期增加的经费合计（万元）{i}" for i in range(9)} | {"word": "investment in thousands"}
    fields = (Field("name", "方案"), *(Field(c, head, "int") for c, head in heads.items()), Field("why", "理由", "long"))
    frame = pd.DataFrame({"name": ["就近优先"], **{c: [123456] for c in heads}, "why": ["很长的理由" * 20]})
    path = tmp_path / "t.docx"
    write_document([Block("table", "宽表", page=Page("x", fields, frame))], path, lang="zh", title="t")
    table = docx.Document(path).tables[0]
    widths = [int(cell.get(docx.oxml.ns.qn("w:w"))) for cell in table._tbl.iter("{*}gridCol")]
    # half of nine points a Latin letter, in twentieths of a point, and the margins of the cell
    assert all(width >= 6 * 9 * 10 + 80 for width in widths[1:10]) and widths[0] >= 8 * 9 * 10 + 80 and widths[10] >= len("investment") * 9 * 10
    section = docx.Document(path).sections[0]
    assert sum(widths) * 635 <= section.page_width - section.left_margin - section.right_margin + 1000


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_units_of_unverified_figures_are_words_of_the_reader(written, plan, lang):
    doubtful = {rule.unit for rule in plan.standards.rules.values() if rule.verified == "U" and not isinstance(rule.value, str)}
    known = messages.catalogue(lang)
    assert all(f"report.measured.{re.sub('[^a-z0-9]+', '_', unit.lower()).strip('_')}" in known for unit in doubtful)
    text = words(written[lang])
    assert not re.search(r"\de\+\d", text)
    if lang == "zh":
        assert "元/平方米" in text and "1,000,000元/所" in text and "年折现率：6%/年" in text and "yuan/m2" not in text
    else:
        assert "1,000,000 yuan a school" in text


def test_a_public_report_asks_once_what_it_must_hide(tmp_path, reviewed, monkeypatch):
    """To find what must be hidden takes a while; its small counts are nowhere in the file, text or properties."""
    calls = []
    monkeypatch.setattr("layout.report.edition_of", lambda plan, audience: calls.append(audience) or edition_of(plan, audience))
    monkeypatch.setattr("layout.workbook.edition_of", lambda plan, audience: pytest.fail("asked again"))
    path = tmp_path / "p.docx"
    write_report(reviewed, path, audience="public", maps=False)
    assert calls == ["public"]
    found = tables(path)
    rows = {row[0]: row[1:] for row in found[f"本规划与维持现状（{LAST}学年）"][1:]}
    assert set(rows) == {"学龄学生", "学位、床位缺口及无可达学校", "有学校但超时限", "大班额（个班）", "走读学生平均单程（分钟）"}
    edition = edition_of(reviewed, "public")
    for said, measure in (("有学校但超时限", "beyond_limit"), ("学位、床位缺口及无可达学校", "without")):
        for i, view in enumerate(("today", "planned")):
            mark = edition.marks.get(("H", view, LAST, measure))
            assert mark is None or rows[said][i] == mark
            assert mark is None or rows[said][2] == "", "no difference gives a hidden count away"
