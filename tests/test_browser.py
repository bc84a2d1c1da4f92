"""The map in a real browser with no network: what a person at the meeting does."""

import os
import shutil

import pytest
from test_maps import HOSTILE, hostile_plan, paper_plan, thin

from layout.maps import save_map

pytestmark = pytest.mark.browser
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _absent(what):
    if os.environ.get("LAYOUT_REQUIRE_BROWSER") == "1":
        pytest.fail(f"LAYOUT_REQUIRE_BROWSER is set but {what}")
    pytest.skip(what)


@pytest.fixture(scope="module")
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        _absent("Chromium is not installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _absent("playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def drawn_once(tmp_path_factory):
    """Write the map of a plan and its options once for all tests."""
    folder, made = tmp_path_factory.mktemp("地图 #1"), {}

    def path_of(plan, **options):
        key = (id(plan), *sorted(options.items()))
        if key not in made:
            # the plan is kept with its file, so that its id is not given to another
            made[key] = (folder / f"map {len(made)}.html", plan)
            save_map(plan, made[key][0], **options)
        return made[key][0]

    return path_of


@pytest.fixture
def show(chromium, drawn_once):
    """Open a plan's map offline; at the end no request, no console message and no error may have been seen."""
    seen, contexts = [], []

    def run(plan, **options):
        path = drawn_once(plan, **options)
        context = chromium.new_context(offline=True, locale="zh-CN", viewport={"width": 1366, "height": 768})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: seen.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("request", lambda request: seen.append(request.url) if not request.url.startswith(("file:", "data:", "blob:")) else None)
        page.goto(path.as_uri())
        assert page.evaluate("window.planMap.state.ready")
        return page

    yield run
    for context in contexts:
        context.close()
    assert seen == []


@pytest.fixture(scope="module")
def plan():
    return paper_plan()


def texts(page, selector):
    return page.locator(selector).all_inner_texts()


def drawn(page):
    return page.evaluate("window.planMap.state.drawn")


def test_the_map_opens_with_title_stamp_scale_and_north(show, plan):
    page = show(plan)
    assert page.locator("h1").inner_text() == "纸上县义务教育学校布局图"
    assert "不得公开" in page.locator(".stamp").inner_text()
    assert "2025-08-31" in page.locator("#plan-dates").inner_text()
    assert page.locator(".leaflet-control-scale-line").inner_text() in ("1 km", "2 km", "3 km", "500 m")
    assert "北" in page.locator(".north").inner_text()
    assert page.locator(".leaflet-control-attribution").inner_text().replace(" ", "") == "Leaflet|©OpenStreetMapcontributors"
    assert page.locator(".leaflet-control-attribution svg").count() == 0
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.evaluate("window.planMap.map.getBounds().contains(JSON.parse(document.getElementById('plan-data').textContent).bounds)")
    assert page.locator("#plan-assumptions li").count() == 1


def test_every_layer_can_be_shown_and_hidden_by_keyboard(show, plan):
    page = show(plan)
    page.evaluate("document.getElementById('situation-base').click()")
    layers = page.evaluate("window.planMap.layers")
    assert sorted(layers) == sorted(drawn(page)) and len(layers) == 23
    for layer in layers:
        box = page.locator(f"#show-{layer}")
        if box.is_checked():
            assert drawn(page)[layer] > 0, layer
            box.press("Space")
        assert drawn(page)[layer] == 0, layer
        box.press("Space")
        assert drawn(page)[layer] > 0, layer
    # all at once: five villages with children; eleven links of grades 1-3 would be wrong, one a village is right
    counts = drawn(page)
    assert {
        name: counts[name] for name in ("pupils", "minutes", "links", "beyond", "unserved", "classes", "must_stay", "proposals", "exclusions")
    } | {name: counts[name] for name in ("reach", "short", "site_seats", "access", "zones", "class_change", "fit")} == {
        "pupils": 5,
        "minutes": 5,
        "links": 5,
        "beyond": 1,
        "unserved": 3,
        "classes": 2,
        # one that must stay, one under review
        "must_stay": 2,
        "proposals": 3,
        "exclusions": 2,
        "reach": 2,
        "short": 1,
        "site_seats": 1,
        "access": 5,
        # two lines and a mark
        "zones": 3,
        # one school with a plate and three marks
        "class_change": 4,
        "fit": 2,
    }


def test_legends_carry_counts_and_units(show, plan):
    page = show(plan)
    page.locator("label", has_text="现状 2025").first.click()
    page.locator("#plan-layers .layer#layer-unserved").scroll_into_view_if_needed()
    assert [line.replace("\n", " ") for line in texts(page, "#layer-unserved .key li")] == [
        "无学位 0 人 / 0 村",
        "无床位 70 人 / 3 村",
        "无路可达 0 人 / 0 村",
    ]
    minutes = [line.replace("\n", " ") for line in texts(page, "#layer-minutes .key li")]
    # grades 1-3: B 9.3; C and D 18.5; A 27.8; E 37.0 minutes
    assert minutes[:5] == [
        "10 分钟以内 24 人 / 1 村",
        "10—20 分钟 96 人 / 2 村",
        "20—30 分钟（时限） 30 人 / 1 村",
        "30—45 分钟 18 人 / 1 村",
        "超过 45 分钟 0 人 / 0 村",
    ]
    assert [line.replace("\n", " ") for line in texts(page, "#layer-classes .key li")][:2] == [
        "小班（25 人及以下） 0 所",
        "正常（班额标准以内） 2 所",
    ]


def test_situation_and_band_change_what_is_drawn(show, plan):
    page = show(plan)
    assert drawn(page)["classes"] == 3 and drawn(page)["unserved"] == 0
    page.locator("label", has_text="不作为 2035").first.click()
    assert drawn(page)["classes"] == 2 and drawn(page)["unserved"] == 3
    assert page.locator("td.now").first.inner_text() == "504"
    page.locator("label", has_text="7—9年级").first.click()
    assert "（7—9年级）" in page.locator("#layer-minutes label").inner_text()
    page.locator("#show-links").check()
    # grades 7-9 today: C boards, D and E walk; A and B have no bed
    assert drawn(page)["links"] == 3
    assert "不作为 2035，7—9年级" in page.locator("#plan-now").inner_text()


def test_beyond_the_limit_has_a_shape_of_its_own(show, plan):
    page = show(plan)
    for layer in ("classes", "proposals", "unserved"):
        page.locator(f"#show-{layer}").uncheck()
    shapes = "(() => { const seen = []; window.planMap.map.eachLayer((l) => seen.push(l.options.shape)); return seen.filter(Boolean).sort(); })()"
    assert page.evaluate(shapes) == ["circle"] * 5
    page.locator("label", has_text="现状 2025").first.click()
    # grades 1-3 of E walk 37 minutes
    assert page.evaluate(shapes) == ["circle"] * 4 + ["diamond"]


def test_search_finds_a_village_and_a_school(show, plan):
    page = show(plan)
    page.fill("#plan-search", "E村（乙镇）")
    card = page.locator("#plan-card")
    assert card.locator("h2").inner_text() == "E村"
    text = card.inner_text()
    assert "1—3年级 · S2九年制学校 · 步行 · 37 分钟 · 18 人 · ▲ 超过时限" in text
    assert "1—3年级 · E村校址 · 步行 · 4 分钟 · 18 人" in text
    page.fill("#plan-search", "S1")
    page.press("#plan-search", "Enter")
    assert card.locator("h2").inner_text() == "S1小学"
    assert "2035 学年应留" in card.inner_text()
    page.keyboard.press("Escape")
    assert card.is_hidden()


def test_a_proposal_flies_there_and_gives_its_reason(show, plan):
    page = show(plan)
    before = page.evaluate("window.planMap.map.getZoom()")
    page.locator("#plan-proposals button").first.click()
    card = page.locator("#plan-card")
    assert "18名1—3年级孩子步行到S2九年制学校要37分钟" in card.locator(".reason").inner_text()
    assert "用地预审" in card.inner_text() and "国办发" in card.inner_text()
    assert page.evaluate("window.planMap.map.getZoom()") > before
    # what opens stands first, what stays stands last
    assert texts(page, "#plan-proposals button") == ["2035 年 新建：E村校址", "2035 年 增设寄宿：S2九年制学校", "2035 年 保留：S1小学"]
    page.locator("#plan-lang").click()
    assert card.locator(".reason").inner_text().startswith("18 children of E")


def test_a_click_on_the_map_opens_the_card(show, plan):
    page = show(plan)
    for layer in ("classes", "proposals"):
        page.locator(f"#show-{layer}").uncheck()
    page.evaluate("window.villages = JSON.parse(document.getElementById('plan-data').textContent).villages")
    at = page.evaluate("window.planMap.map.latLngToContainerPoint([window.villages[1][5] / 1e5, window.villages[1][4] / 1e5])")
    corner = page.evaluate("window.planMap.map.getContainer().getBoundingClientRect()")
    x, y = corner["x"] + at["x"], corner["y"] + at["y"]
    page.mouse.click(x, y)
    assert page.locator("#plan-card h2").inner_text() == "B村"


def test_the_language_changes_everywhere(show, plan):
    page = show(plan)
    page.locator("#plan-lang").click()
    assert page.locator("h1").inner_text() == "纸上县: layout of compulsory schools"
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.activeElement.id") == "plan-lang"
    left = [
        text
        for text in texts(page, "#plan-panel .layer label, #plan-panel h2, #plan-panel legend, #plan-headline th")
        if any("\u4e00" <= c <= "\u9fff" for c in text)
    ]
    assert left == []
    page.locator("#plan-lang").click()
    assert page.locator("h1").inner_text() == "纸上县义务教育学校布局图"
    english = show(plan, lang="en")
    assert english.locator(".stamp").inner_text().startswith("Internal working map")


def test_hostile_names_are_text_and_do_not_run(show):
    page = show(hostile_plan())
    for layer in page.evaluate("window.planMap.layers"):
        page.locator(f"#show-{layer}").check()
    for band in ("upper", "junior"):
        page.evaluate(f"document.getElementById('band-{band}').click()")
    for k in range(5):
        page.evaluate(f"window.planMap.fly('village', {k})")
        assert page.locator("#plan-card h2").text_content() == HOSTILE[k]
    for k in range(3):
        page.locator("#plan-proposals button").nth(k).click()
        assert page.locator("#plan-card .reason").text_content() == HOSTILE[0]
    page.locator("#plan-lang").click()
    assert HOSTILE[0] in page.locator("h1").text_content()
    assert page.evaluate("window.hacked") is None
    # the only pictures are the shaded ground
    assert page.locator("img").count() == page.locator(".leaflet-shade-pane img").count() == 1


def test_print_is_one_page_of_a3_with_searchable_text(show, plan, tmp_path):
    page = show(plan)
    view = "(m => [m.getSize().x, m.getSize().y, m.getZoom(), m.getCenter().lat.toFixed(4)])(window.planMap.map)"
    before = page.evaluate(view)
    page.evaluate("window.addEventListener('beforeprint', () => { window.paper = window.planMap.map.getSize(); })")
    pdf = page.pdf(path=tmp_path / "map.pdf", prefer_css_page_size=True, print_background=True)
    assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") == 1
    # A3 landscape in points, rounded
    width, height = (float(n) for n in pdf.split(b"/MediaBox [0 0 ")[1].split(b"]")[0].split())
    assert (round(width / 72 * 25.4), round(height / 72 * 25.4)) == (420, 297)
    assert b"/ToUnicode" in pdf
    # 255 x 256 mm at 96 pixels an inch; afterwards the screen is as it was
    assert page.evaluate("[window.paper.x, window.paper.y]") == [964, 968]
    assert page.evaluate(view) == before


def test_the_public_page_shows_marks_in_place_of_small_counts(show):
    page = show(thin(2), audience="public")
    assert "审图号" in page.locator(".stamp").inner_text() and "未取得" in page.locator(".stamp").inner_text()
    assert "<10" in page.locator("#plan-headline").inner_text()
    page.locator("#plan-proposals button").first.click()
    assert "公开版不列" in page.locator("#plan-card .reason").inner_text() and "就读 <10 人" in page.locator("#plan-card").inner_text()
    page.evaluate("window.planMap.fly('village', 4)")
    assert page.locator("#plan-card h3").count() >= 1
    assert page.locator("#show-pupils").count() == 0
