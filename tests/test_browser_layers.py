"""The layers and the slider of the map in a real browser with no network, as a person at the meeting uses them."""

import re

import pytest
from map_county import YEARS, map_plan
from test_browser import chromium, drawn, drawn_once, show, texts  # noqa: F401

pytestmark = pytest.mark.browser
# marks on the map by shape, those of the ground left out
SHAPES = "(() => { const seen = {}; window.planMap.map.eachLayer((l) => { const s = l.options.shape; if (s) seen[s] = (seen[s] || 0) + 1; }); return seen; })()"


@pytest.fixture(scope="module")
def plan():
    return map_plan()


@pytest.fixture
def page(show, plan):  # noqa: F811
    return show(plan)


def legend(page, layer):
    return [line.replace("\n", " ") for line in texts(page, f"#layer-{layer} .key li")]


def only(page, *layers):
    """Leave some layers on, by clicking."""
    for layer in page.evaluate("window.planMap.layers"):
        if page.locator(f"#show-{layer}").is_checked() != (layer in layers):
            page.locator(f"#show-{layer}").click()
    shown = drawn(page)
    assert {layer for layer, n in shown.items() if n} <= set(layers)


def headline(page, label):
    row = page.locator("#plan-headline tr", has=page.locator("th", has_text=re.compile(f"^{label}$")))
    return [int(cell.replace(",", "")) for cell in row.locator("td").all_inner_texts()]


# --- the slider -------------------------------------------------------------------------------------------------------


def test_the_slider_goes_through_the_years_with_the_arrow_keys(page, plan):
    slider = page.locator("#plan-year")
    assert slider.input_value() == "3" and texts(page, ".years .ticks span") == [str(year) for year in YEARS]
    summary = plan.summary.set_index(["view", "year"])
    for k, year in reversed(list(enumerate(YEARS))[1:]):
        expected = [int(summary.loc[key, "served"]) for key in (("today", 2025), ("today", year), ("planned", year))]
        assert headline(page, "时限内就学") == expected
        assert f"规划 {year}" in page.locator("#plan-now").inner_text() and slider.get_attribute("aria-valuetext") == f"规划 {year}"
        assert texts(page, "#plan-panel .choices >> nth=0")[0].split() == ["现状", "2025", "维持现状", str(year), "规划", str(year)]
        assert slider.input_value() == str(k)
        slider.press("ArrowLeft")
    # the base year is today, and one step on it is the plan again
    assert "现状 2025" in page.locator("#plan-now").inner_text() and page.locator("#situation-base").is_checked()
    slider.press("ArrowRight")
    assert "规划 2026" in page.locator("#plan-now").inner_text()
    slider.press("End")
    assert "规划 2035" in page.locator("#plan-now").inner_text()


def test_the_way_that_was_looked_at_is_kept_over_the_base_year(page):
    page.locator("label", has_text="维持现状 2035").first.click()
    page.locator("#plan-year").press("Home")
    assert "现状 2025" in page.locator("#plan-now").inner_text()
    page.locator("#plan-year").press("End")
    assert "维持现状 2035" in page.locator("#plan-now").inner_text()


def test_layers_follow_the_slider(page, plan):
    only(page, "pupils", "classes")
    counts = []
    for _ in range(3):
        counts.append(next(line for line in legend(page, "pupils") if "学年合计" in line))
        page.locator("#plan-year").press("ArrowLeft")
    totals = plan.summary[plan.summary["view"] == "today"].set_index("year")["pupils"]
    assert counts == [f"{year} 学年合计 {totals[year]} 人" for year in (2035, 2030, 2026)]
    # the school that opens in 2030 has no mark in 2026
    page.locator("#plan-year").press("End")
    assert drawn(page)["classes"] == 3
    page.locator("#plan-year").press("ArrowLeft")
    page.locator("#plan-year").press("ArrowLeft")
    assert drawn(page)["classes"] == 2


def test_a_card_that_is_open_follows_the_slider(page):
    # the column of what the map shows is marked; a year between without the plan has one only while it is looked at
    shown = """(() => { const t = document.querySelector("#plan-card table.steps"), words = [...t.tHead.rows[0].cells].map((c) => c.innerText.replace(/\\s+/g, " "));
        return [words.slice(1), [...new Set([...t.querySelectorAll("td.now")].map((c) => words[c.cellIndex]))]]; })()"""
    page.locator("#plan-search").fill("D村（乙镇）")
    page.locator("#plan-search").press("Enter")
    columns = ["现状 2025", *(f"规划 {year}" for year in YEARS[1:]), "维持现状 2035"]
    assert page.evaluate(shown) == [columns, ["规划 2035"]]
    page.locator("#plan-year").press("ArrowLeft")
    assert page.evaluate(shown) == [columns, ["规划 2030"]]
    page.locator("#plan-flip").click()
    assert page.evaluate(shown) == [[*columns[:-1], "维持现状 2030", columns[-1]], ["维持现状 2030"]]


def test_flip_shows_the_plan_and_doing_nothing_in_turn(page):
    page.locator("#plan-flip").click()
    assert "维持现状 2035" in page.locator("#plan-now").inner_text() and page.locator("#situation-nothing").is_checked()
    page.locator("#plan-flip").press("Enter")
    assert "规划 2035" in page.locator("#plan-now").inner_text()


# --- the way to school ------------------------------------------------------------------------------------------------


def test_minutes_can_be_asked_for_by_the_way_of_going(page, plan):
    only(page, "minutes")
    page.locator("label", has_text="维持现状 2035").first.click()
    page.locator("label", has_text="7—9年级").first.click()
    everyone = drawn(page)["minutes"]
    rows = plan.today.assignment[
        (plan.today.assignment["year"] == 2035) & (plan.today.assignment["grade"] >= 7) & (plan.today.assignment["pupils"] > 0)
    ]
    for mode, word in (("walk", "步行"), ("board", "寄宿"), ("bus", "校车")):
        page.locator(".modes label", has_text=word).click()
        home = rows[(rows["mode"] == mode) & (rows["status"] != "away")]
        assert drawn(page)["minutes"] == home["settlement_id"].nunique()
        total = sum(int(found) for line in legend(page, "minutes") for found in re.findall(r" (\d+) 人 / \d+ 村", line))
        assert total == home["pupils"].sum()
    page.locator(".modes label", has_text="全部").click()
    assert drawn(page)["minutes"] == everyone > 0


def test_where_one_walks_to_school_today_and_in_the_plan(page):
    only(page, "walking")
    lines = legend(page, "walking")
    assert lines[0].startswith("现有学校：步行 30 分钟以内 2 所 / 7 km²") and lines[1].startswith("规划 2035 的学校：步行 30 分钟以内 3 所 / 10 km²")
    more = drawn(page)["walking"]
    page.locator("#plan-year").press("Home")
    assert len(legend(page, "walking")) == 2 and 0 < drawn(page)["walking"] < more
    page.locator("label", has_text="7—9年级").first.click()
    assert legend(page, "walking")[0].startswith("现有学校：步行 40 分钟以内 1 所")


def test_before_and_after_tells_who_gains(page, plan):
    only(page, "changes")

    # villages whose children of grades 1-3 have fewer without a place within the limit, by hand from the tables
    def bad(assignment):
        rows = assignment[
            (assignment["year"] == 2035) & (assignment["grade"] <= 3) & (assignment["mode"] != "seat") & (assignment["status"] != "away")
        ]
        return rows[rows["status"] != "served"].groupby(rows["settlement_id"].astype("str"))["pupils"].sum()

    before, after = bad(plan.today.assignment), bad(plan.planned.assignment)
    gained = [v for v in before.index if before[v] > after.get(v, 0)]
    assert len(gained) > 0
    line = next(line for line in legend(page, "changes") if line.startswith("有了学位、床位或道路，或回到时限内"))
    assert line.endswith(f"人 / {len(gained)} 村")
    assert page.evaluate(SHAPES).get("star", 0) == len(gained)


# --- sites fill -------------------------------------------------------------------------------------------------------


def test_relocation_fills_by_year(page):
    only(page, "moves")
    assert [line for line in legend(page, "moves") if "已搬" in line] == ["到 2035 学年已搬 2 项"]
    slider = page.locator("#plan-year")
    slider.press("ArrowLeft")
    slider.press("ArrowLeft")
    # A moved in 2026, C moves in 2030
    assert [line for line in legend(page, "moves") if "搬" in line][-2:] == ["到 2026 学年已搬 1 项", "2026 学年以后搬 1 项"]
    slider.press("Home")
    assert [line for line in legend(page, "moves") if "搬" in line][-2:] == ["到 2025 学年已搬 0 项", "2025 学年以后搬 2 项"]
    # an outline of the site, but no house in it yet
    assert page.evaluate(SHAPES) == {"arrow": 2, "house": 1}


# --- other plans and futures ----------------------------------------------------------------------------------------------


def test_an_alternative_is_chosen_and_shown_on_the_map_beside_the_plan(page, plan):
    only(page)
    options = texts(page, "#plan-alternative option")
    assert options[:2] == ["就近优先", "只扩不建"] and options[-1] == "维持现状" and len(options) == 4
    page.locator("#plan-alternative").select_option(label="只扩不建")
    # its proposals come onto the map in place of the plan's
    assert page.locator("#show-alternatives").is_checked() and not page.locator("#show-proposals").is_checked()
    # both enlarge S1 and S2 (five rows), the plan alone opens a school
    assert legend(page, "alternatives")[:3] == ["两个方案都有 5 项", "只有“只扩不建”有 0 项", "“只扩不建”不做 1 项"]
    assert page.evaluate(SHAPES) == {"badge": 5, "wedge": 1}
    rows = [line.split("\t") for line in texts(page, "#plan-differences tbody tr")]
    table = plan.alternatives.set_index("alternative_id")
    assert rows[0][0] == "新开学校" and rows[0][1:] == ["1", "0", "−1"]
    late = next(row for row in rows if row[0] == "超时限学生")
    assert late[1:] == [f"{table.loc['plan', 'beyond_limit']:.0f}", f"{table.loc['expand_only', 'beyond_limit']:.0f}", "+108"]
    page.locator("#plan-alternative").select_option(label="维持现状")
    assert page.evaluate(SHAPES) == {"wedge": 6}


def test_all_alternatives_stand_side_by_side(page):
    page.locator("#plan-all-alternatives").click()
    card = page.locator("#plan-card")
    assert card.locator("thead th").all_inner_texts()[1:] == [
        "本规划",
        "就近优先",
        "只扩不建",
        page.locator("#plan-alternative option").nth(2).inner_text(),
        "维持现状",
    ]
    assert card.locator("tbody tr").count() == 12 and "各项都不如另一方案" in card.inner_text()
    assert card.locator("svg circle").count() + card.locator("svg path.off").count() == 6
    box = card.bounding_box()
    assert box["x"] >= 0 and box["width"] > 600
    page.keyboard.press("Escape")
    assert card.is_hidden()


def test_futures_say_which_proposals_hold_and_what_is_regretted(page, plan):
    only(page, "common")
    assert legend(page, "common")[:3] == ["各种将来都要（可先办） 5 项", "部分将来要 0 项", "只有一种将来要 0 项"]
    assert drawn(page)["common"] == 5
    rows = [line.split("\t") for line in texts(page, "#plan-regrets tbody tr")]
    assert [row[0] for row in rows] == ["1 high", "2 本规划", "3 各情景共有部分", "4 low"]
    assert rows[1][1:] == ["high", "超时限儿童多 12", "1 / 3"]


def test_without_other_plans_there_is_nothing_of_them(show, plan):  # noqa: F811
    import dataclasses

    from layout.tables import empty

    names = ("alternatives", "alternative_proposals", "frontier", "evaluations", "regrets", "plan_regrets", "common_proposals", "future_proposals")
    page = show(dataclasses.replace(plan, **{name: empty(name) for name in names}))
    assert not {"alternatives", "common"} & set(page.evaluate("window.planMap.layers"))
    assert page.locator("#plan-comparison").inner_text() == ""


# --- the ground -------------------------------------------------------------------------------------------------------


def test_the_ground_has_roads_by_class_water_and_borders(page):
    only(page, "roads", "water", "townships", "boundary", "shade", "names")
    assert legend(page, "roads") == ["国道 3 公里", "乡道 4 公里", "小路、机耕路 3 公里"]
    assert legend(page, "water") == ["江河", "湖库水面"]
    assert legend(page, "townships") == ["乡镇界（县提供；数为乡镇数） 2"]
    counts = drawn(page)
    # an edge under the national road besides the three
    assert (counts["roads"], counts["water"], counts["townships"], counts["boundary"]) == (4, 2, 3, 1)


def test_names_come_with_the_zoom_and_never_over_each_other(page):
    overlap = """(() => {
      const boxes = [...document.querySelectorAll('.place-name span')].map((s) => s.getBoundingClientRect());
      return boxes.some((a, i) => boxes.some((b, j) => i < j && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom));
    })()"""
    seen = []
    for _ in range(4):
        seen.append({kind: page.locator(f".place-name.{kind}").count() for kind in ("seat", "town", "water", "school", "village")})
        assert not page.evaluate(overlap)
        # around C, where a school and the river are near
        page.evaluate("(() => { const p = window.planMap; p.map.setView(p.villages[2].at, p.map.getZoom() + 1); })()")
    assert seen[0] == {"seat": 1, "town": 1, "water": 0, "school": 0, "village": 0}
    assert seen[1]["water"] > 0 == seen[1]["school"] and seen[2]["school"] > 0 == seen[2]["village"] and seen[3]["village"] > 0


def test_roads_grow_as_one_zooms_in(page):
    wide = "(() => { let most = 0; window.planMap.map.eachLayer((l) => { if (l.options.pane === undefined && l.options.weight && !l.options.shape) most = Math.max(most, l.options.weight); }); return most; })()"
    first = page.evaluate(wide)
    page.evaluate("(() => { window.planMap.map.setZoom(window.planMap.map.getZoom() + 3); })()")
    assert page.evaluate(wide) == pytest.approx(2 * first, rel=0.01)


def test_the_pointer_has_coordinates_and_their_system(page):
    page.mouse.move(900, 400)
    assert re.fullmatch(r"北纬 26\.\d{5}°　东经 \d{3}\.\d{5}°（WGS-84.*）", page.locator(".position").inner_text())


def test_exclusions_are_told_by_what_they_are(page):
    only(page, "exclusions")
    assert legend(page, "exclusions") == ["地质灾害危险区 · 不得建校 1", "永久基本农田 · 慎重建校 1"]


# --- both languages, the public page, print ------------------------------------------------------------------------------


def test_every_layer_and_the_comparison_speak_english(page):
    page.locator("#plan-lang").click()
    for layer in page.evaluate("window.planMap.layers"):
        if not page.locator(f"#show-{layer}").is_checked():
            page.locator(f"#show-{layer}").click()
    own = re.compile(r"[\u4e00-\u9fff]")
    clause = page.evaluate("window.planMap.data.limits[window.planMap.state.band].clause.en")
    # names of places, layers and schools stay as they are given
    given = ("S2九年制学校", "地质灾害危险区", "永久基本农田", "县自然资源局", "村", "小学", "学校", "甲乡", "乙镇", "纸上县", "校址")
    for box in ("#plan-layers", "#plan-comparison", "#plan-headline", ".years", ".modes"):
        # documents are cited by their own numbers
        text = page.locator(box).first.inner_text().replace(clause, "")
        for word in given:
            text = text.replace(word, "")
        assert not own.search(text), (box, own.search(text), text)


def test_the_public_page_has_the_slider_but_no_other_plan(show, plan):  # noqa: F811
    page = show(plan, audience="public")
    layers = page.evaluate("window.planMap.layers")
    assert not {"alternatives", "common", "changes", "townships", "boundary"} & set(layers) and {"walking", "moves", "roads", "water"} <= set(layers)
    for layer in layers:
        if not page.locator(f"#show-{layer}").is_checked():
            page.locator(f"#show-{layer}").click()
    for key in ("Home", "ArrowRight", "ArrowRight", "End"):
        page.locator("#plan-year").press(key)
    assert "规划 2035" in page.locator("#plan-now").inner_text() and page.locator("#plan-comparison").inner_text() == ""


def test_on_paper_there_is_neither_slider_nor_choice(page):
    page.emulate_media(media="print")
    assert page.locator(".years").is_hidden() and page.locator(".modes").is_hidden() and page.locator("#plan-alternative").is_hidden()
    page.emulate_media(media="screen")


def test_every_mark_has_a_shape_or_a_letter_of_its_own_beside_its_colour(page):
    """In each layer with several kinds of marks, no two kinds differ by colour alone."""
    looks = """(id) => { const p = window.planMap; const seen = []; p.map.eachLayer((l) => { const o = l.options; if (o.shape && !o.parts) seen.push([o.shape, o.letter || '', o.fillColor, Math.round(o.radius)]); }); return seen; }"""
    for layer in ("changes", "alternatives", "common"):
        only(page, layer)
        if layer == "alternatives":
            page.locator("#plan-alternative").select_option(index=2)
        colours = {}
        for shape, _, fill, _ in page.evaluate(looks, layer):
            colours.setdefault(shape, set()).add(fill)
        # one shape, one colour: triangles up and stars are the better ones, wedges and crosses the worse
        assert all(len(fills) == 1 for fills in colours.values()), (layer, colours)


def test_a_script_can_look_at_every_year(page, plan):
    looked = page.evaluate("""window.planMap.allViews().map((view) => {
      window.planMap.lookAt(view);
      window.planMap.refresh();
      return [view.key, view.year, document.getElementById("plan-now").textContent.split("，")[0].replace("图上：", ""), view.headline.served];
    })""")
    served = plan.summary.set_index(["view", "year"])["served"]
    names = {"base": "现状", "nothing": "维持现状", "planned": "规划"}
    expected = [("base", 2025), *((key, year) for year in YEARS[1:] for key in ("nothing", "planned"))]
    assert looked == [[k, y, f"{names[k]} {y}", int(served["planned" if k == "planned" else "today", y])] for k, y in expected]
