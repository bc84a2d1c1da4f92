"""The page of two plans in a real browser with no network: what a person at the meeting does."""

import shutil
import subprocess

import pytest
from test_browser import chromium  # noqa: F401
from test_compare import other_plan
from test_maps import HOSTILE, hostile_plan, paper_plan

from layout.compare import compare_plans
from layout.compare_page import save_comparison

pytestmark = pytest.mark.browser


@pytest.fixture
def show(chromium, tmp_path):  # noqa: F811
    """Open the page of two plans offline; at the end no request, no console message and no error may have been seen."""
    seen, contexts = [], []

    def run(found, **options):
        save_comparison(found, tmp_path / "比较 #1.html", **options)
        context = chromium.new_context(offline=True, locale="zh-CN", viewport={"width": 1366, "height": 768})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: seen.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("request", lambda request: seen.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None)
        page.goto((tmp_path / "比较 #1.html").as_uri())
        assert page.evaluate("window.planMap.state.ready")
        return page

    yield run
    for context in contexts:
        context.close()
    assert seen == []


@pytest.fixture(scope="module")
def found():
    return compare_plans(paper_plan(), other_plan())


def drawn(page):
    return page.evaluate("window.planMap.state.drawn")


def counted(page):
    """Return the legend as words and counts."""
    return {
        item.locator("span").first.inner_text(): item.locator(".count").inner_text()
        for item in page.locator("#plan-legend li").all()
        if item.locator(".count").count()
    }


def test_the_page_opens_on_the_differences(show, found):
    page = show(found, names=("甲案", "乙案"))
    assert page.locator("h1").inner_text() == "纸上县两个布局方案比较"
    assert "方案A（甲案）" in page.locator("#plan-head").inner_text() and "不得公开" in page.locator(".stamp").inner_text()
    # every village and school has its mark; N, S1 and S2 have four proposals that differ
    assert drawn(page) == {"villages": 5, "schools": 3, "proposals": 4}
    said = counted(page)
    # grades 1-3: E's 18 children
    assert said["变慢"] == "18 人 / 1 村" and said["缺学位等增加"] == "0 人 / 0 村" and said["规模不同"] == "2 所"
    page.locator("label:has(#band-junior)").click()
    assert counted(page)["缺学位等增加"] == "30 人 / 1 村"
    assert page.locator(".leaflet-control-attribution svg").count() == 0 and "北" in page.locator(".north").first.inner_text()


def test_both_plans_side_by_side_move_as_one(show, found):
    page = show(found)
    page.locator("label:has(#see-beside)").click()
    # plan B has no school N
    assert drawn(page) == {"villages_a": 5, "schools_a": 3, "villages_b": 5, "schools_b": 2}
    assert page.locator(".which").all_inner_texts() == ["方案A", "方案B"]
    box = page.locator(".folium-map").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 220, steps=4)
    page.mouse.up()
    page.locator(".leaflet-control-zoom-in").click()
    views = page.evaluate("[window.planMap.map, window.planMap.other].map((m) => [m.getCenter().lat, m.getCenter().lng, m.getZoom()])")
    assert views[0] == pytest.approx(views[1], abs=1e-9)
    page.locator("label:has(#see-differences)").click()
    assert drawn(page)["villages"] == 5 and not page.locator("#plan-other").is_visible()


def test_tables_name_what_differs_and_fly_there(show, found):
    page = show(found)
    rows = page.locator("#table-headline tbody tr").all_inner_texts()
    assert "时限内就学\t504\t456\t−48" in rows and "估算投资\t3,500,000\t2,100,000\t−1,400,000" in rows
    page.locator("label:has(#band-junior)").click()
    page.locator("#table-villages summary").click()
    page.locator("#table-villages tbody tr").first.wait_for()
    assert page.locator("#table-villages tbody tr").all_inner_texts() == ["A村\t缺学位等增加\t30 → 30\t0 → 30\t无 → 无"]
    page.locator("#table-villages button").click()
    assert "A村" in page.locator("#plan-card h2").inner_text() and "缺学位等增加" in page.locator("#plan-card").inner_text()
    page.keyboard.press("Escape")
    assert not page.locator("#plan-card").is_visible()
    for name in ("schools", "townships", "years", "money", "basis"):
        page.locator(f"#table-{name} summary").click()
        page.locator(f"#table-{name} tbody tr").first.wait_for()
    assert page.locator("#table-townships tbody tr").count() == 1
    assert page.locator("#table-money tbody tr").last.inner_text() == "合计\t3 → 2\t350\t210\t−140"
    assert page.locator("#table-basis tbody tr").all_inner_texts() == ['情景\tvariant\t"medium"\t"low"']
    assert page.locator("#table-proposals tbody tr").count() == 4


def test_english_and_back_keep_what_is_shown(show, found):
    page = show(found)
    page.locator("label:has(#band-upper)").click()
    page.locator("#plan-lang").click()
    assert page.locator("h1").inner_text() == "纸上县: two layout plans compared" and page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.activeElement.id") == "plan-lang" and page.locator("#band-upper").is_checked()
    assert "slower" in counted(page)
    page.locator("#plan-lang").click()
    assert page.locator("h1").inner_text() == "纸上县两个布局方案比较"


def test_keyboard_reaches_choices_and_tables(show, found):
    page = show(found)
    page.locator("#see-differences").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#see-beside").is_checked() and page.evaluate("document.activeElement.id") == "see-beside"
    page.locator("#table-schools summary").focus()
    page.keyboard.press("Enter")
    page.locator("#table-schools tbody tr").nth(2).wait_for()
    assert page.locator("#table-schools tbody tr").count() == 3


def test_hostile_names_are_text_and_do_not_run(show):
    plan = hostile_plan()
    page = show(compare_plans(plan, plan), names=(HOSTILE[0], HOSTILE[1]))
    page.locator("label:has(#see-beside)").click()
    for i in range(5):
        page.evaluate(f"window.planMap.open('village', {i})")
        assert page.locator("#plan-card h2").inner_text() == HOSTILE[i]
    assert HOSTILE[0] in page.locator("#plan-head p").inner_text()
    assert page.evaluate("window.hacked") is None and page.locator("img[src=x]").count() == 0


def test_print_has_the_tables_as_text(show, found, tmp_path):
    page = show(found)
    page.pdf(path=tmp_path / "c.pdf", format="A3", landscape=True, print_background=True)
    if shutil.which("pdftotext"):
        text = subprocess.run(["pdftotext", str(tmp_path / "c.pdf"), "-"], check=True, capture_output=True, encoding="utf-8").stdout
        assert "两个布局方案比较" in text and "1,400,000" in text
    assert (tmp_path / "c.pdf").stat().st_size > 20_000
