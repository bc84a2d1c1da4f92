"""The page of a province in a real browser with no network: what a person of the provincial office does."""

import pytest
from test_browser import chromium  # noqa: F401
from test_province import BROKEN, ran  # noqa: F401

pytestmark = pytest.mark.browser
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&县"


@pytest.fixture
def page(chromium, ran):  # noqa: F811
    """Open the page offline; at the end no request, no console message and no error may have been seen."""
    seen = []
    context = chromium.new_context(offline=True, locale="zh-CN", viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.on("console", lambda message: seen.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: seen.append(f"error: {error}"))
    page.on("request", lambda request: seen.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None)
    page.goto((ran.out / "province.html").as_uri())
    assert page.evaluate("window.planMap.state.ready")
    yield page
    context.close()
    assert seen == []


def test_it_opens_on_oversized_classes_of_the_last_planned_year(page, ran):  # noqa: F811
    assert page.locator("h1").inner_text() == "纸上省：各县学校布局规划"
    assert page.locator("#plan-now").inner_text() == "3/4 个县有规划 · 规划 2026 · 大班额班数"
    assert page.evaluate("window.planMap.state.drawn") == {"done": 3, "failed": 0}
    legend = page.locator("#plan-legend").inner_text()
    assert "没有" in legend and "1 个县" in legend
    years = ran.province.years
    rows = years[(years["view"] == "planned") & (years["year"] == 2026)]
    cells = page.locator("#table-counties tbody tr").first.locator("td").all_inner_texts()
    assert cells[:3] == [str(rows["oversized_classes"].sum()), f"{rows['pupils'].sum():,}", str(rows["unserved"].sum())]
    assert cells[4] == f"{round(rows['cost_yuan'].sum() / 1e4):,}"


def test_a_click_goes_to_the_map_of_the_county(page, ran):  # noqa: F811
    page.evaluate("window.planMap.open(1)")
    assert page.locator("#plan-card h2").inner_text() == "纸上1县"
    page.locator("#plan-card a").click()
    page.wait_for_load_state()
    assert page.locator("h1").inner_text().startswith("纸上1县") and page.url == (ran.out / "counties" / "1县" / "base" / "map.html").as_uri()


def test_figure_year_and_view_are_chosen(page):
    page.locator("label:has(#view-today)").click()
    assert page.locator("#year-2025").count() == 1 and "现状 2026" in page.locator("#plan-now").inner_text()
    page.locator("label:has(#year-2025)").click()
    page.locator("label:has(#figure-pupils)").click()
    assert page.locator("#plan-now").inner_text().endswith("现状 2025 · 学生数")
    page.locator("#sort-name").click()
    names = page.locator("#table-counties tbody tr th").all_inner_texts()
    assert names[1:] == ["纸上0县", "纸上1县", "纸上2县"]


def test_what_failed_and_the_border_are_told_in_both_languages(page):
    assert BROKEN in page.locator("#table-problems").inner_text() and "1066" in page.locator("#table-problems").inner_text()
    page.locator("#table-borders summary").click()
    page.locator("#table-equity summary").click()
    # rows are made once the browser says that the box is open
    page.locator("#table-borders tbody tr").first.wait_for()
    page.locator("#table-equity tbody tr").first.wait_for()
    assert "纸上0县" in page.locator("#table-borders").inner_text() and page.locator("#table-equity tbody tr").count() == 3
    page.locator("#plan-lang").click()
    assert page.locator("h1").inner_text() == "纸上省: layout plans of its counties"
    assert "the value is not valid" in page.locator("#table-problems").inner_text()


def test_a_hostile_name_is_text(chromium, ran, tmp_path):  # noqa: F811
    import dataclasses

    from layout.province_page import save_province

    counties = ran.province.counties.assign(county_name=HOSTILE)
    save_province(dataclasses.replace(ran.province, name=HOSTILE, counties=counties), tmp_path / "page.html")
    page = chromium.new_context(offline=True).new_page()
    told = []
    page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
    page.goto((tmp_path / "page.html").as_uri())
    page.evaluate("window.planMap.open(0)")
    assert page.locator("#plan-card h2").inner_text() == HOSTILE and HOSTILE in page.locator("h1").inner_text()
    assert told == [] and page.locator("img[src=x]").count() == 0
