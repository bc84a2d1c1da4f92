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
    assert sorted(layers) == sorted(drawn(page)) and len(layers) == 24
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
    page.locator("label", has_text="维持现状 2035").first.click()
    assert drawn(page)["classes"] == 2 and drawn(page)["unserved"] == 3
    assert page.locator("td.now").first.inner_text() == "504"
    page.locator("label", has_text="7—9年级").first.click()
    assert "（7—9年级）" in page.locator("#layer-minutes label").inner_text()
    page.locator("#show-links").check()
    # grades 7-9 today: C boards, D and E walk; A and B have no bed
    assert drawn(page)["links"] == 3
    assert "维持现状 2035，7—9年级" in page.locator("#plan-now").inner_text()


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
    page.press("#plan-search", "Enter")
    card = page.locator("#plan-card")
    assert card.locator("h2").inner_text() == "E村"
    lines = [[cell.strip() for cell in row.split("\t")] for row in texts(page, "#plan-card table.steps tbody tr")]
    # grades 1-3 today, planned and if nothing is done; grades 4-6 stay
    assert lines[:5] == [
        ["1—3年级"],
        ["S2九年制学校\n步行", "18 人\n37 分钟 ▲", "—", "18 人\n37 分钟 ▲"],
        ["E村校址\n步行", "—", "18 人\n4 分钟", "—"],
        ["4—6年级"],
        ["S2九年制学校\n步行", *["18 人\n33 分钟"] * 3],
    ]
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
    assert texts(page, "#plan-proposals button") == ["E村校址\n乙镇", "S2九年制学校\n乙镇", "S1小学\n甲乡"]
    assert texts(page, "#plan-proposals summary, #plan-proposals h3") == ["2035 年（3 项）", "新建（1）", "增设寄宿（1）", "保留（1）"]
    page.locator("#plan-lang").click()
    assert card.locator(".reason").inner_text().startswith("18 children of E")


# layer, a line of its legend today in grades 1-3 (bars, sites and classes: all grades), where to click, what its card says
FINDINGS = [
    ("reach", "够得着但没有学位、床位 70 人", "townships", 0, ["够不着\t0\t0\t0", "名单：现状 2025，3 个村寨", "A村 7—9年级 · 无床位 · 30 人"]),
    ("short", "超过时限 18 人 / 1 村", "villages", 4, ["没解决的：现状 2025", "1—3年级\t超过时限\t18\t37\t—"]),
    ("site_seats", "够 1 处", "villages", 1, ["2025\t小学\t48\t270\t180\t+90\t够", "2035\t小学\t48\t270\t300\t−30\t缺学位"]),
    ("access", "每人 0.5 至不足 1 个 24 人 / 1 村", "villages", 3, ["1—3年级\t60\t1.75"]),
    ("zones", "划片超时限而另校在时限内 36 人 / 1 村", "villages", 2, ["划片：S2九年制学校，56 分钟 · 最近：S1小学，19 分钟", "未开办或不教该学段"]),
    ("must_stay", "拟论证：没有该校也无低年级孩子因此超时 1 所", "schools", 2, ["2025 学年拟论证：仍保留的次近学校 S1小学，130 分钟。"]),
    ("class_change", "大班额（56 人及以上） 0 → 0 → 1 所", "schools", 2, ["7\t大班额\t2031\t56\t2032\t83%", "7\t超过班额标准\t2027\t51\t2035\t—"]),
    ("fit", "推算少于在校 1 所", "schools", 1, ["1—3年级\t90\t84\t100\t−6"]),
]  # fmt: skip


def test_a_finding_has_its_legend_and_a_click_tells_it(show, plan):
    page = show(plan)
    page.evaluate("document.getElementById('situation-base').click()")
    for layer in page.evaluate("window.planMap.layers"):
        assert layer not in [row[0] for row in FINDINGS] or not page.locator(f"#show-{layer}").is_checked(), layer
        page.locator(f"#show-{layer}").uncheck()
    for layer, legend, kind, number, told in FINDINGS:
        page.locator(f"#show-{layer}").check()
        assert legend in [line.replace("\n", " ") for line in texts(page, f"#layer-{layer} .key li")], layer
        page.mouse.move(*_spot(page, layer, kind, number))
        assert page.locator(".leaflet-tooltip").count() == 1, layer
        page.mouse.click(*_spot(page, layer, kind, number))
        card = page.locator("#plan-card").inner_text()
        assert [line for line in told if line not in card] == [], layer
        page.keyboard.press("Escape")
        page.locator(f"#show-{layer}").uncheck()


def _spot(page, layer, kind, number):
    """Return where on the screen a layer marks a place."""
    return page.evaluate(
        """([layer, kind, k]) => {
        const m = window.planMap, data = JSON.parse(document.getElementById("plan-data").textContent), place = data[kind][k];
        const [lon, lat] = Array.isArray(place) ? [place[4], place[5]] : place.at, point = m.map.latLngToContainerPoint([lat / 1e5, lon / 1e5]);
        const corner = m.map.getContainer().getBoundingClientRect(), off = { reach: -11, class_change: 16 }[layer] || 0;
        return [corner.x + point.x, corner.y + point.y + off];
    }""",
        [layer, kind, number],
    )


def test_the_names_of_the_base_year_keep_to_their_layer(show, plan):
    page = show(plan)
    for other in page.evaluate("window.planMap.layers"):
        page.locator(f"#show-{other}").set_checked(other == "fit")
    assert texts(page, ".place-name") == ["S1小学 −6", "S2九年制学校 +0"]
    assert "加权绝对误差（各学段合计）：推算 5.3%，划片或就近 16.7%" in texts(page, "#layer-fit .key li")
    page.evaluate("document.getElementById('band-junior').click()")
    assert texts(page, ".place-name") == ["S2九年制学校 +10"]
    page.evaluate("window.planMap.map.panBy([30, 20])")
    assert texts(page, ".place-name") == ["S2九年制学校 +10"] and drawn(page)["fit"] == 1
    page.locator("#show-fit").uncheck()
    assert texts(page, ".place-name") == []


def test_a_township_lists_its_villages_and_flies_there(show, plan):
    page = show(plan)
    page.evaluate("document.getElementById('situation-nothing').click()")
    page.locator("#show-reach").check()
    page.evaluate("window.planMap.open('township', 1)")
    named = page.locator("#plan-card .named button")
    assert named.all_inner_texts() == ["E村"]
    named.first.press("Enter")
    assert page.locator("#plan-card h2").inner_text() == "E村"
    page.locator("#plan-lang").click()
    assert "Short: do nothing 2035" in page.locator("#plan-card").inner_text()


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
    for k, name in enumerate((HOSTILE[0], HOSTILE[4])):
        page.evaluate(f"window.planMap.open('township', {k})")
        assert page.locator("#plan-card h2").text_content() == name
    page.evaluate("document.getElementById('situation-base').click()")
    for k, name in enumerate((HOSTILE[5], HOSTILE[0], HOSTILE[1])):
        page.evaluate(f"window.planMap.fly('school', {k})")
        assert page.locator("#plan-card h2").text_content() == name
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
    # who must stay and who is under review, without a child; nothing else of what the plan found
    assert [layer for layer in ("reach", "short", "site_seats", "access", "zones", "fit") if page.locator(f"#show-{layer}").count()] == []
    page.locator("#show-must_stay").check()
    page.evaluate("window.planMap.fly('school', 1)")
    assert "2025 学年应留；次近学校：130 分钟。" in page.locator("#plan-card").inner_text()
    page.evaluate("window.planMap.fly('school', 2)")
    assert "2025 学年拟论证" in page.locator("#plan-card").inner_text() and "4—6年级将超时" not in page.locator("#plan-card").inner_text()
