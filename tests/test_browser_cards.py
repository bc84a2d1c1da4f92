"""Cards, search, presentation, keys and paper in a real browser with no network: each as a person at the meeting does it."""

import dataclasses
import io
import re

import pypdf
import pytest
from test_browser import chromium, drawn_once, show  # noqa: F401
from test_maps import CRS, HOSTILE, paper_plan

import layout
from layout import messages
from layout.findings import Findings
from layout.maps import save_map
from layout.plan import make_plan
from layout.tables import BANDS, band_of, empty, label

pytestmark = pytest.mark.browser
CORPUS = [
    *HOSTILE,
    '<img src=x onerror="window.hacked=1">村',
    "`${window.hacked=1}`\\",
    "甲乙" * 250,
    "\u200f\u202eدفتر\u202c村\u2066",
    "村\x00小学",
    "👩‍🏫" * 60,
    "&lt;b&gt;&amp;#x3c;村",
]


@pytest.fixture(scope="module")
def plan():
    """Return a plan of a small county with a year between today and its last year, and with ranges."""
    return make_plan(layout.make_sample_county(seed=3, settlements=40), to=2030, draws=20)


@pytest.fixture
def page(show, plan):  # noqa: F811
    return show(plan)


def texts(page, selector):
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


def cells(page, selector):
    """Return the rows of a table as lists of words, those only heard left out."""
    return page.evaluate(
        """(selector) => [...document.querySelectorAll(selector + " tbody tr")].map((row) => [...row.children].map((cell) => {
        const copy = cell.cloneNode(true);
        copy.querySelectorAll(".spoken").forEach((n) => n.remove());
        copy.querySelectorAll("br").forEach((n) => n.replaceWith(" "));
        copy.querySelectorAll("div, .mode, .chip").forEach((n) => n.before(" "));
        return copy.textContent.replace(/\\s+/g, " ").trim();
    }))""",
        selector,
    )


def zh(key, **fields):
    return messages.text(f"maps.{key}", "zh", **fields)


def only(table, **equal):
    for name, value in equal.items():
        table = table[table[name] == value]
    return table


def steps_of(plan):
    """Return what the columns of a card are: today, the plan by year, nothing done."""
    base, *years = plan.years
    return [(plan.today, base), *((plan.planned, year) for year in years), (plan.today, years[-1])]


def named(n):
    return f"{n:,}"


# --- the card of a village --------------------------------------------------------------------------------------------


def expected_ways(plan, village):
    """Reckon the table of where a village's children go from the assignments alone."""
    columns = []
    for outcome, year in steps_of(plan):
        rows = only(outcome.assignment, settlement_id=village, year=year)
        rows = rows[rows["pupils"] > 0]
        rows = rows.assign(band=rows["grade"].map(band_of), mode=rows["mode"].astype("str"), status=rows["status"].astype("str"))
        groups = rows.assign(school_id=rows["school_id"].astype("str")).groupby(["band", "school_id", "mode", "status"])
        columns.append({key: (int(g["pupils"].sum()), g["minutes"].max()) for key, g in groups})
    names = dict(zip(plan.schools["school_id"], plan.schools["name"], strict=True))
    expected = {}
    for band, school, mode, status in {key for column in columns for key in column}:
        where = names[school] if school else label("assignment", "status", "away", "zh") if status == "away" else zh("card.no_school")
        said = where + ("" if mode == "none" else f" {label('assignment', 'mode', mode, 'zh')}")
        line = expected.setdefault((band, said), [[] for _ in columns])
        for column, cell in zip(columns, line, strict=True):
            if (band, school, mode, status) not in column:
                continue
            pupils, minutes = column[band, school, mode, status]
            told = f"{named(pupils)} 人" + ("" if minutes != minutes else f" {_whole(minutes)} 分钟")
            if status not in ("served", "away"):
                told += " ▲" + ("" if status == "beyond_limit" else label("assignment", "status", status, "zh"))
            cell.append((status, told))
    return {key: [" ".join(told for _, told in sorted(cell, reverse=True)) or "—" for cell in line] for key, line in expected.items()}


def _whole(minutes):
    # the page has tenths and rounds halves away from zero
    return int(round(float(minutes), 1) + 0.5)


def test_a_village_card_says_what_the_tables_say(page, plan):
    ids = plan.county.settlements["settlement_id"].tolist()
    beyond = plan.planned.assignment.query("status != 'served' and status != 'away'")["settlement_id"].unique()
    chosen = {0, len(ids) - 1, ids.index(beyond[0])}
    assert len(chosen) == 3
    forecast, ranged = only(plan.forecast, level="settlement", group="all"), 0
    for i in chosen:
        page.evaluate(f"window.planMap.fly('village', {i})")
        assert page.locator("#plan-card h2").inner_text() == plan.county.settlements["name"].iloc[i]
        rows = forecast[forecast["area_id"] == ids[i]].sort_values("year")
        assert len(rows) == 6
        spans = {r.year: f"{named(round(r.low))}–{named(round(r.high))}" if r.low == r.low else "" for r in rows.itertuples()}
        ranged += all(spans.values())
        line = ", ".join(f"{r.year} {named(round(r.pupils))}" + (f" ({spans[r.year]})" if spans[r.year] else "") for r in rows.itertuples())
        assert page.locator("#plan-card svg.chart").get_attribute("aria-label").endswith(f"：{line}")
        # children of the assignment by band, and the range of the forecast under them
        today = only(plan.today.assignment, settlement_id=ids[i])
        sums = today.assign(band=today["grade"].map(band_of)).pivot_table(index="band", columns="year", values="pupils", aggfunc="sum", fill_value=0)
        sums = sums.reindex(index=list(BANDS), columns=plan.years, fill_value=0)
        assert cells(page, "#plan-card .scroll:not(:has(.steps))") == [
            *([zh(f"band.{band}"), *map(named, sums.loc[band])] for band in BANDS),
            ["合计", *map(named, sums.sum())],
            *([["区间（10%—90%）", *(spans[year] or "—" for year in plan.years)]] if any(spans.values()) else []),
        ]
        band, seen = None, {}
        for first, *rest in cells(page, "#plan-card table.steps"):
            if rest:
                seen[band, first] = rest
            else:
                band = next(b for b in BANDS if zh(f"band.{b}") == first)
        assert seen == expected_ways(plan, ids[i])
    assert ranged >= 2


def test_a_village_card_gives_the_reasons_clauses_and_gates_that_concern_it(page, plan):
    served = plan.planned.assignment.query("pupils > 0 and school_id != ''")
    village = served[served["school_id"].isin(plan.proposals["school_id"])]["settlement_id"].iloc[0]
    mine = plan.proposals[plan.proposals["school_id"].isin(served.query("settlement_id == @village")["school_id"])]
    assert len(mine)
    page.evaluate(f"window.planMap.fly('village', {plan.county.settlements['settlement_id'].tolist().index(village)})")
    assert sorted(texts(page, "#plan-card .proposal .reason")) == sorted(mine["reason_zh"])
    page.locator("#plan-card .proposal summary").first.press("Enter")
    assert "依据：" in texts(page, "#plan-card .proposal details[open]")[0]
    # from there to the school, and back to it by the list of its villages
    page.locator("#plan-card .proposal button").first.press("Enter")
    assert page.locator("#plan-card h2").inner_text() in set(plan.schools["name"])


# --- the card of a school ---------------------------------------------------------------------------------------------


def test_a_school_card_says_what_the_tables_say(page, plan):
    ids = plan.schools["school_id"].tolist()
    grown = plan.proposals.query("action == 'expand' or action == 'add_boarding'")["school_id"].iloc[0]
    opened = plan.proposals.query("action == 'open'")["school_id"].iloc[0]
    for school in (grown, opened):
        page.evaluate(f"window.planMap.fly('school', {ids.index(school)})")
        columns, seats = [], []
        for outcome, year in steps_of(plan):
            columns.append(only(outcome.classes, school_id=school, year=year))
            table = only(outcome.school_years, year=year) if len(outcome.school_years) else plan.county.schools
            row = only(table, school_id=school, status="open")
            seats.append([named(int(row[name].iloc[0])) for name in ("rooms", "beds")] if len(row) else ["—", "—"])
        there = [k for k, (column, seat) in enumerate(zip(columns, seats, strict=True)) if len(column) or seat[0] != "—"]
        grades = sorted({g for column in columns for g in column["grades"]}, key=lambda g: (int(g.split(",")[0]), g))
        table, ways = (page.locator("#plan-card table.steps").nth(k) for k in (0, 1))
        page.evaluate("document.querySelectorAll('#plan-card table.steps').forEach((t, k) => t.classList.add('t' + k))")
        expected = []
        for grade in grades:
            line = [f"{grade} 年级" + ("（复式）" if any(c.loc[c["grades"] == grade, "mixed"].any() for c in columns) else "")]
            for k in there:
                mine = columns[k][columns[k]["grades"] == grade]
                line.append(
                    f"{mine['classes'].iloc[0]} 班 {named(mine['pupils'].iloc[0])} 人 最大 {mine['largest_class'].iloc[0]}" if len(mine) else "—"
                )
            expected.append(line)
        totals = [columns[k][["classes", "pupils", "oversized_classes"]].sum() if len(columns[k]) else None for k in there]
        expected.append(["合计", *("—" if n is None else f"{n['classes']} 班 {named(n['pupils'])} 人" for n in totals)])
        expected.append(["大班额（个班）", *("—" if n is None else named(n["oversized_classes"]) for n in totals)])
        expected += [[name, *(seats[k][n] for k in there)] for n, name in enumerate(("教室（间）", "床位（张）"))]
        assert cells(page, "#plan-card table.t0") == expected
        # the tier is heard and has a mark beside its colour
        tiers = [label("classes", "tier", t, "zh") for g in grades for k in there for t in columns[k].loc[columns[k]["grades"] == g, "tier"]]
        assert table.locator("tbody .chip .spoken").all_text_contents() == tiers and table.locator("tbody .chip canvas").count() == len(tiers)
        # minutes by band and mode: all children of a row, the slowest of them
        expected = {}
        for n, (outcome, year) in enumerate(steps_of(plan)):
            if n not in there:
                continue
            here = only(outcome.assignment, school_id=school, year=year)
            here = here[here["pupils"] > 0]
            here = here.assign(band=here["grade"].map(band_of), mode=here["mode"].astype("str"))
            for (band, mode), group in here.groupby(["band", "mode"]):
                line = expected.setdefault(f"{zh(f'band.{band}')} {label('assignment', 'mode', mode, 'zh')}", ["—"] * len(there))
                longest = group["minutes"].max()
                told = f"{named(group['pupils'].sum())} 人" + ("" if longest != longest else f" 最长 {_whole(longest)} 分钟")
                line[there.index(n)] = told + (" ▲" if (group["status"] == "beyond_limit").any() else "")
        assert {row[0]: row[1:] for row in cells(page, "#plan-card table.t1")} == expected and ways.count() == 1
        # the chart: with the plan by the classes of its years with the range of the forecast, and if nothing is done
        forecast = only(plan.forecast, level="school", group="all", area_id=school).set_index("year")
        told = page.locator("#plan-card svg.chart").get_attribute("aria-label")
        planned = only(plan.planned.classes, school_id=school).groupby("year")["pupils"].sum()
        ranges = {y: f"{named(round(forecast.loc[y, 'low']))}–{named(round(forecast.loc[y, 'high']))}" for y in planned.index}
        assert "按规划：" + ", ".join(f"{y} {named(n)} ({ranges[y]})" for y, n in planned.items()) in told
        today = only(plan.today.classes, school_id=school).groupby("year")["pupils"].sum()
        assert ("维持现状：" in told) == (len(today) > 0)
        assert not len(today) or told.endswith("维持现状：" + ", ".join(f"{y} {named(n)}" for y, n in today.items()))
        # reason, clauses and gates of its own proposals
        own = only(plan.proposals, school_id=school)
        assert texts(page, "#plan-card .proposal .reason") == own["reason_zh"].tolist()
        card = page.locator("#plan-card").inner_text()
        for keys in own["clauses"]:
            for key in filter(None, keys.split(";")):
                assert plan.standards.rules[key.strip()].cite("zh") in card


# --- search, and the list of proposals --------------------------------------------------------------------------------


def test_search_by_any_part_of_a_name_is_driven_by_keys(page, plan):
    school = plan.schools["name"].iloc[0]
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "plan-search"
    page.keyboard.type("小学")
    box = page.locator("#plan-search")
    found = page.locator("#plan-found [role=option]")
    assert box.get_attribute("aria-expanded") == "true" and found.count() == 10
    assert all("小学" in name for name in found.locator(".name").all_inner_texts())
    # what it is and where
    townships = set(plan.county.townships["name"])
    kinds = [text.split(" · ") for text in found.locator(".kind").all_inner_texts()]
    assert all(kind and township in townships for kind, township in kinds)
    total = sum("小学" in name for table in (plan.schools, plan.county.settlements) for name in table["name"])
    assert zh("find.more", n=total - 10) in texts(page, "#plan-found li")
    assert page.locator("#plan-found-said").inner_text() == zh("find.count", n=total)
    third = found.nth(2).locator(".name").inner_text()
    page.keyboard.press("ArrowUp")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    assert box.get_attribute("aria-activedescendant") == "plan-found-2" and found.nth(2).get_attribute("aria-selected") == "true"
    page.keyboard.press("Enter")
    assert page.locator("#plan-card h2").inner_text() == third and page.locator("#plan-found").is_hidden()
    assert page.evaluate("document.activeElement.id") == "plan-card-name"
    # closing gives the focus back to the box; there Escape first closes the list, then empties it
    page.keyboard.press("Escape")
    assert page.locator("#plan-card").is_hidden() and page.evaluate("document.activeElement.id") == "plan-search"
    page.keyboard.press("ArrowDown")
    assert page.locator("#plan-found").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#plan-found").is_hidden() and box.input_value() == "小学"
    page.keyboard.press("Escape")
    assert box.input_value() == ""
    # two words, full-width letters, an id, a township, and what does not exist
    page.fill("#plan-search", f"{plan.county.townships['name'].iloc[0]} {school[-2:]}")
    assert found.count() >= 1
    page.fill("#plan-search", plan.schools["school_id"].iloc[0])
    assert found.first.locator(".name").inner_text() == school
    page.fill("#plan-search", plan.county.townships["name"].iloc[1])
    assert zh("find.township") in texts(page, "#plan-found .kind")
    page.fill("#plan-search", "没有这个地方")
    assert texts(page, "#plan-found li") == [zh("find.none")]
    page.keyboard.press("Enter")
    assert page.locator("#plan-card").is_hidden()


def test_proposals_are_listed_by_year_and_action_and_each_is_flown_to(page, plan):
    rank = ["open", "reopen", "expand", "add_boarding", "change_grades", "convert_to_teaching_point", "review_for_merger", "keep"]
    table = plan.proposals.assign(rank=plan.proposals["action"].map(rank.index))
    names = dict(zip(plan.schools["school_id"], plan.schools["name"], strict=True))
    expected = []
    for year, of in table.groupby("year"):
        expected.append(f"{year} 年（{len(of)} 项）")
        for action, group in of.sort_values("rank").groupby("action", sort=False):
            expected.append(f"{label('proposals', 'action', action, 'zh')}（{len(group)}）")
    page.evaluate("document.querySelectorAll('#plan-proposals details').forEach((d) => { d.open = true; })")
    assert texts(page, "#plan-proposals summary, #plan-proposals h3") == expected and len(expected) > 3
    buttons = page.locator("#plan-proposals button")
    assert sorted(buttons.locator("bdi:first-child").all_inner_texts()) == sorted(names[s] for s in table["school_id"])
    last = table.sort_values(["year", "rank", "pupils"], ascending=[True, True, False], kind="stable").iloc[-1]
    buttons.last.press("Enter")
    assert page.locator("#plan-card h2").inner_text() == names[last["school_id"]]
    place = plan.schools.set_index("school_id").to_crs(4326).geometry[last["school_id"]]
    off = page.evaluate("([lat, lng]) => window.planMap.map.getCenter().distanceTo([lat, lng])", [place.y, place.x])
    # the middle of the map, to a pixel or two
    assert off < 3 * page.evaluate(
        "(m => m.distance(m.containerPointToLatLng([0, 9]), m.containerPointToLatLng([1, 9])))(window.planMap.map)"
    ) + 1  # fmt: skip


# --- presenting -------------------------------------------------------------------------------------------------------


def test_the_presentation_steps_from_today_to_every_proposal(page, plan):
    state = "(({ state, map }) => [state.situation, { ...state.shown }, map.getZoom(), map.getCenter().lat.toFixed(4)])(window.planMap)"
    page.locator("#show-zones").check()
    before = page.evaluate(state)
    page.locator("#plan-present").focus()
    page.keyboard.press("Enter")
    story, title = page.locator("#plan-story"), page.locator("#plan-story h2")
    base, *years = plan.years
    summary = plan.summary.set_index(["view", "year"])

    def figures():
        return {name: values[-1] for name, *values in cells(page, "#plan-story")}

    def expected(view, year):
        row = summary.loc[(view, year)]
        sums = [row["pupils"], row["served"], row["no_seat"] + row["no_bed"], row["beyond_limit"] + row["no_route"], row["oversized_classes"]]
        names = ["headline.pupils", "headline.served", "headline.no_place", "headline.out_of_reach", "headline.oversized"]
        return {zh(name): named(int(n)) for name, n in zip(names, sums, strict=True)}

    assert title.inner_text() == zh("story.today", year=base) and page.locator("#plan-panel").is_hidden()
    assert figures().items() >= expected("today", base).items()
    assert page.evaluate("parseFloat(getComputedStyle(document.getElementById('plan-story')).fontSize)") >= 18
    assert f"1 / {2 + len(years) + len(plan.proposals)}" in story.inner_text()
    # a presenter's remote sends the page keys
    page.keyboard.press("PageDown")
    assert title.inner_text() == zh("story.nothing", year=years[-1]) and figures().items() >= expected("today", years[-1]).items()
    for year in years:
        page.keyboard.press("ArrowRight")
        assert title.inner_text() == zh("story.year", year=year) and figures().items() >= expected("planned", year).items()
        # the map shows that very year
        assert f"规划 {year}" in page.locator("#plan-now").inner_text()
        actions = only(plan.proposals, year=year)["action"].value_counts()
        assert {line.split("\n")[0]: line.split("\n")[-1] for line in texts(page, "#plan-story .actions li")} == {
            label("proposals", "action", action, "zh"): f"{n} 项" for action, n in actions.items()
        }
    page.keyboard.press("ArrowRight")
    ordered = plan.proposals[plan.proposals["year"] == plan.proposals["year"].min()]
    assert page.locator("#plan-story .reason").inner_text() in ordered["reason_zh"].tolist()
    seen = [page.locator("#plan-story .reason").inner_text()]
    for _ in range(len(plan.proposals) - 1):
        page.keyboard.press("ArrowRight")
        seen.append(page.locator("#plan-story .reason").inner_text())
    assert sorted(seen) == sorted(plan.proposals["reason_zh"])
    assert page.locator("#story-next").is_disabled()
    page.keyboard.press("ArrowRight")
    assert page.locator("#plan-story .reason").inner_text() == seen[-1]
    page.keyboard.press("2")
    assert title.inner_text() == zh("story.nothing", year=years[-1])
    page.keyboard.press("End")
    assert page.locator("#plan-story .reason").inner_text() == seen[-1]
    page.keyboard.press("Home")
    page.keyboard.press("l")
    assert title.inner_text() == messages.text("maps.story.today", "en", year=base)
    page.keyboard.press("l")
    page.keyboard.press("Escape")
    assert story.is_hidden() and page.evaluate(state) == before and page.evaluate("document.activeElement.id") == "plan-present"


def test_a_plan_that_proposes_nothing_is_presented_too(show):  # noqa: F811
    plan = paper_plan()
    nothing = {name: empty(name, CRS) for name in ("proposals", "candidates", "rejected")}
    page = show(dataclasses.replace(plan, **nothing, must_stay=empty("must_stay"), findings=Findings()))
    assert zh("panel.no_proposals") in texts(page, "#plan-panel > p")
    page.keyboard.press("d")
    titles = []
    for _ in range(5):
        titles.append(page.locator("#plan-story h2").inner_text())
        page.keyboard.press("ArrowRight")
    assert titles == [zh("story.today", year=2025), zh("story.nothing", year=2035), *[zh("story.year", year=2035)] * 3]
    assert zh("story.no_actions") in page.locator("#plan-story").inner_text()


# --- keys and those who hear the page ---------------------------------------------------------------------------------


def test_everything_is_reached_by_keys_and_the_focus_is_seen(page, plan):
    seen = []
    for _ in range(90):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """(() => { const e = document.activeElement, s = getComputedStyle(e.type === "radio" ? e.nextElementSibling : e);
            return [e.id || e.className.toString().split(" ")[0] || e.tagName, parseFloat(s.outlineWidth) > 0 && s.outlineStyle !== "none",
                (e.getAttribute("aria-label") || e.textContent || (e.labels && e.labels[0] && e.labels[0].textContent) || e.title).trim()]; })()"""
            )
        )
        if seen[-1][0] == "BODY":
            break
    reached = [name for name, *_ in seen]
    assert reached[:5] == ["plan-present", "plan-print", "plan-paper", "plan-lang", "plan-help"]
    assert {"plan-search", "situation-planned", "band-lower", "show-minutes", "what-if-on", "folium-map"} <= {
        r.replace("map_plan", "folium-map") for r in reached
    }
    assert [name for name, visible, _ in seen if not visible and name != "BODY"] == []
    assert [name for name, _, spoken in seen if not spoken and name != "BODY"] == []


def test_single_keys_do_what_the_panel_says_and_can_be_switched_off(page, plan):
    page.keyboard.press("?")
    panel = page.locator("#plan-help-box")
    assert panel.is_visible() and page.evaluate("document.activeElement.id") == "plan-help-title"
    told = dict(row for row in cells(page, "#plan-help-box"))
    assert {"/", "s", "b", "d", "p", "l", "0", "?", "Esc", "Tab", "Enter"} <= set(told)
    page.keyboard.press("Escape")
    assert panel.is_hidden()
    now = lambda: page.locator("#plan-now").inner_text()  # noqa: E731
    first = now()
    page.keyboard.press("s")
    assert now() != first and "现状" in now() and page.locator("#situation-base").is_checked()
    page.keyboard.press("b")
    assert "4—6年级" in now()
    page.evaluate("window.planMap.map.setZoom(14)")
    page.keyboard.press("0")
    assert page.evaluate("window.planMap.map.getBounds().contains(window.planMap.data.bounds)")
    page.keyboard.press("l")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.keyboard.press("l")
    # no key of the page while somebody types, nor with Ctrl
    page.fill("#plan-search", "")
    page.focus("#plan-search")
    page.keyboard.type("sbl0")
    assert page.locator("#plan-search").input_value() == "sbl0" and "4—6年级" in now() and "现状" in now()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    page.locator("#plan-keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    assert "4—6年级" in now()


def test_the_map_is_read_by_keys_too(page, plan):
    page.evaluate("window.planMap.map.getContainer().focus()")
    page.evaluate("window.planMap.map.setView(window.planMap.villages[3].at, 15, { animate: false })")
    page.keyboard.press("Enter")
    assert page.locator("#plan-card").is_visible()
    heading = page.locator("#plan-card h2").inner_text()
    near = page.evaluate(
        """(() => { const m = window.planMap, c = m.map.getCenter(), all = [...m.schools, ...m.villages];
        return all.map((p) => [c.distanceTo(p.at), p.name]).sort((a, b) => a[0] - b[0])[0][1]; })()"""
    )
    assert heading == near
    page.keyboard.press("Escape")
    assert "folium-map" in page.evaluate("document.activeElement.className")


def test_an_open_card_follows_what_is_shown_and_leaves_the_focus(page):
    page.evaluate("window.planMap.fly('school', window.planMap.data.proposals[0].school)")
    assert texts(page, "#plan-card table.steps >> nth=0 >> td.now") != []
    page.evaluate("document.getElementById('plan-card').scrollTop = 120")
    before = page.evaluate("[...document.querySelector('#plan-card table.steps tbody tr').children].findIndex((c) => c.className === 'now')")
    page.locator("#situation-nothing").press("Space")
    after = page.evaluate("[...document.querySelector('#plan-card table.steps tbody tr').children].findIndex((c) => c.className === 'now')")
    assert after != before
    assert page.evaluate("[document.activeElement.id, document.getElementById('plan-card').scrollTop]") == ["situation-nothing", 120]


def test_the_page_is_told_to_those_who_hear_it(page):
    card = page.locator("#plan-card")
    page.evaluate("window.planMap.fly('school', 0)")
    assert card.get_attribute("role") == "dialog" and card.get_attribute("aria-labelledby") == "plan-card-name"
    assert page.locator("#plan-now").get_attribute("role") == "status"
    assert page.locator("#plan-search").get_attribute("role") == "combobox"
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, input, select, svg[role], [role=region], [role=listbox]")].filter((e) =>
        !(e.getAttribute("aria-label") || e.textContent.trim() || (e.labels && e.labels.length) || e.title)).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    # beside its colour every tier has a mark of its own form or size
    marks = page.evaluate("Object.values(window.planMap.tierMark).map((m) => m.shape + m.radius)")
    assert len(marks) == len(set(marks)) == 6


# --- on paper ---------------------------------------------------------------------------------------------------------


def on_paper(page, size):
    page.locator("#plan-paper").select_option(size)
    return pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True, print_background=True)))


def squeezed(reader):
    return re.sub(r"\s+", "", "".join(sheet.extract_text() for sheet in reader.pages))


@pytest.mark.parametrize(("size", "width", "height"), [("A3", 420, 297), ("A4", 297, 210)])
def test_paper_has_title_dates_legend_scale_north_and_stamp_as_text(show, size, width, height):  # noqa: F811
    plan = paper_plan()
    page = show(plan)
    reader = on_paper(page, size)
    assert [[round(float(n) / 72 * 25.4) for n in sheet.mediabox[2:]] for sheet in reader.pages] == [[width, height]]
    text = squeezed(reader)
    for said in (
        "纸上县义务教育学校布局图",
        "数据日期2025-08-31",
        "内部工作用图",
        f"（{size}纸）",
        "比例尺约1:",
        "打印于20",
        "北",
        "©OpenStreetMapcontributors",
    ):
        assert said in text, said
    # what is shown has its legend, what is not shown has none
    for layer in page.evaluate("window.planMap.layers"):
        assert (re.sub(r"\s+", "", zh(f"layer.{layer}")) in text) == page.locator(f"#show-{layer}").is_checked(), layer
    for line in texts(page, "#plan-layers .key li"):
        assert re.sub(r"\s+", "", line) in text, line
    assert "新建11增设寄宿11保留11" in text
    # neither buttons nor the panel of tries
    assert "演示" not in text and "试一试" not in text and "English" not in text
    # the map keeps its scale: the number is that of the paper's width
    scale = int(re.search(r"比例尺约1:([\d]+)（", text)[1])
    assert 1000 < scale < 1_000_000


def test_a_long_legend_gets_a_sheet_of_its_own_and_loses_nothing(page, plan):
    for layer in page.evaluate("window.planMap.layers"):
        page.locator(f"#show-{layer}").check()
    reader = on_paper(page, "A4")
    assert len(reader.pages) >= 2
    text = squeezed(reader)
    for line in texts(page, "#plan-layers .key li, #plan-layers label"):
        assert re.sub(r"\s+", "", line) in text, line


def test_a_tried_idea_is_not_printed_as_the_plan(page):
    page.evaluate("new Promise((done) => { const look = () => (window.planMap.whatIf ? done(true) : setTimeout(look, 10)); look(); })")
    assert "试算" not in squeezed(on_paper(page, "A3"))
    page.locator("#what-if-on").check()
    assert re.sub(r"\s+", "", zh("print.tried")) in squeezed(on_paper(page, "A3"))


def test_the_stamp_on_paper_is_the_users_number_and_never_invented(show):  # noqa: F811
    plan = paper_plan()
    assert "审图号：（未取得）" in squeezed(on_paper(show(plan, audience="public"), "A3"))
    assert "审图号：黔S（2026）001号" in squeezed(on_paper(show(plan, audience="public", review_no="黔S（2026）001号"), "A4"))


# --- old browsers -----------------------------------------------------------------------------------------------------


@pytest.fixture
def old(chromium, drawn_once):  # noqa: F811
    """Open the paper plan in a browser that lacks something; return the page."""
    contexts = []

    def run(script="", **options):
        contexts.append(chromium.new_context(offline=True, locale="zh-CN", **options))
        page = contexts[-1].new_page()
        if script:
            page.add_init_script(script)
        page.goto(drawn_once(paper_plan()).as_uri())
        return page

    yield run
    for context in contexts:
        context.close()


def test_without_scripts_there_is_a_sentence_in_both_languages(old):
    told = old(java_script_enabled=False).locator("body").inner_text()
    for lang in messages.LANGUAGES:
        assert messages.text("maps.no_script", lang) in told and messages.text("maps.too_old", lang) in told


@pytest.mark.parametrize(
    "lacking", ["delete Element.prototype.replaceChildren", "delete Array.prototype.flat", "delete window.Promise; window.Promise = undefined"]
)
def test_an_old_browser_sees_the_sentence_and_not_a_blank(old, lacking):
    page = old(lacking)
    assert page.locator("#plan-old").is_visible()
    assert messages.text("maps.too_old", "zh") in page.locator("#plan-old").inner_text()


def test_without_a_way_to_inflate_the_cards_are_read_all_the_same(chromium, drawn_once, plan):  # noqa: F811
    context = chromium.new_context(offline=True, locale="zh-CN")
    page = context.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(drawn_once(plan).as_uri())
    page.evaluate("window.planMap.fly('village', 0)")
    assert page.locator("#plan-card svg.chart").count() == 1
    assert [f"规划\n{year}" for year in plan.years[1:]] == [head for head in texts(page, "#plan-card table.steps thead th") if "规划" in head]
    context.close()


def test_what_fails_in_drawing_brings_the_sentence_back(old):
    page = old("Object.defineProperty(window, 'planFinder', { get() { throw new Error('gone'); }, set() {} })")
    assert page.locator("#plan-old").is_visible()
    assert old().locator("#plan-old").is_hidden()


# --- a whole county of names that try something -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(plan):
    names = lambda table, start: [CORPUS[(start + k) % len(CORPUS)] for k in range(len(table))]  # noqa: E731
    county = dataclasses.replace(
        plan.county,
        name=CORPUS[6],
        settlements=plan.county.settlements.assign(name=names(plan.county.settlements, 0)),
        townships=plan.county.townships.assign(name=names(plan.county.townships, 5)),
        exclusions=plan.county.exclusions.assign(layer=names(plan.county.exclusions, 3), source=names(plan.county.exclusions, 7)),
    )
    reasons = names(plan.proposals, 1)
    proposals = plan.proposals.assign(reason_zh=reasons, reason_en=reasons, gates=CORPUS[3])
    candidates = plan.candidates.assign(name=names(plan.candidates, 2), flags=CORPUS[0])
    rejected = plan.rejected.assign(name=names(plan.rejected, 4))
    schools = plan.schools.assign(name=names(plan.schools, 9))
    return dataclasses.replace(plan, county=county, schools=schools, proposals=proposals, candidates=candidates, rejected=rejected)


def test_a_county_of_hostile_names_is_text_everywhere(show, hostile):  # noqa: F811
    page = show(hostile)
    page.evaluate("new Promise((done) => { const look = () => (window.planMap.whatIf ? done(true) : setTimeout(look, 10)); look(); })")
    for layer in page.evaluate("window.planMap.layers"):
        page.locator(f"#show-{layer}").check()
    for band in ("upper", "junior", "lower"):
        page.evaluate(f"document.getElementById('band-{band}').click()")
    # every card, in both languages
    for lang in messages.LANGUAGES:
        for what, table in (("village", hostile.county.settlements), ("school", hostile.schools), ("township", hostile.county.townships)):
            heads = page.evaluate(
                "([what, n]) => [...Array(n).keys()].map((i) => { window.planMap.open(what, i); return document.querySelector('#plan-card h2').textContent; })",
                [what, len(table)],
            )
            assert heads == table["name"].tolist(), (lang, what)
        page.keyboard.press("Escape")
        page.locator("#plan-lang").click()
    # search finds them by what is typed, and shows it
    for name in CORPUS:
        if name.startswith("👩") or "\x00" in name:
            continue
        page.fill("#plan-search", name[:40])
        assert any(name.startswith(told[:30]) for told in page.locator("#plan-found .name").all_text_contents()), name
    page.fill("#plan-search", "")
    names = dict(zip(hostile.schools["school_id"], hostile.schools["name"], strict=True))
    listed = page.locator("#plan-proposals button bdi:first-child").all_text_contents()
    assert sorted(listed) == sorted(names[s] for s in hostile.proposals["school_id"])
    # tooltips of all marks
    page.evaluate("void window.planMap.map.eachLayer((l) => { if (l.getTooltip && l.getTooltip()) { l.openTooltip(); l.closeTooltip(); } })")
    page.locator("#plan-present").click()
    for k in range(2, 2 + len(hostile.years) + min(6, len(hostile.proposals))):
        page.evaluate(f"window.planMap.story.to({k})")
    assert page.locator("#plan-story .reason").text_content() in CORPUS
    page.keyboard.press("Escape")
    text = squeezed(on_paper(page, "A3"))
    assert "<imgsrc=xonerror=" in text and CORPUS[6][:10].replace(" ", "") in text
    page.locator("#what-if-on").check()
    with page.expect_download() as caught:
        page.locator("#what-if-save").click()
    assert not set('<>:"/\\|?*\x00') & set(caught.value.suggested_filename)
    assert page.evaluate("window.hacked") is None
    # the ground is the only picture: no name has become an element
    assert page.locator("img").count() == page.locator(".leaflet-shade-pane img").count()
    # nothing wider than its place: the long names wrap
    page.locator("#what-if-on").uncheck()
    page.evaluate(f"window.planMap.fly('village', {CORPUS.index('甲乙' * 250)})")
    assert page.evaluate(
        "document.documentElement.scrollWidth <= window.innerWidth && document.getElementById('plan-card').scrollWidth <= document.getElementById('plan-card').clientWidth"
    )


def test_the_file_of_a_hostile_county_holds_no_live_name(hostile, tmp_path):
    save_map(hostile, tmp_path / "map.html")
    html = (tmp_path / "map.html").read_text(encoding="utf-8")
    plain = html[: html.index('id="plan-data">')]
    assert "<img" not in plain and "onerror=&quot;" in plain
    for island in re.findall(r'<script type="application/json" id="[\w-]+">(.*?)</script>', html, re.DOTALL):
        assert not re.search("[<>&\u2028\u2029]", island)
    assert len(re.findall(r"<script", html)) == len(re.findall(r"</script>", html)) == 9


# --- one obvious place ------------------------------------------------------------------------------------------------


def test_a_colour_is_changed_in_one_line(show, plan, monkeypatch, tmp_path):  # noqa: F811
    from layout import maps

    asset = maps._asset
    monkeypatch.setattr(maps, "_asset", lambda name: asset(name).replace("--minutes-1: #2166ac;", "--minutes-1: #123456;"))
    assert asset("plan_map.css").count("--minutes-1:") == 1
    page = show(dataclasses.replace(plan))
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--minutes-1')").strip() == "#123456"
    assert page.evaluate("(() => { let n = 0; window.planMap.map.eachLayer((l) => { n += l.options.fillColor === '#123456'; }); return n; })()") > 0


def test_colours_stand_in_one_file():
    from importlib.resources import files

    read = lambda name: files("layout").joinpath("assets", name).read_text(encoding="utf-8")  # noqa: E731
    known = set(re.findall(r"--([\w-]+):", read("plan_map.css")))
    for name in ("meeting.css", "print.css"):
        sheet = read(name)
        assert set(re.findall(r"#[0-9a-f]{3,8}\b", sheet)) <= {"#fff"} and set(re.findall(r"var\(--([\w-]+)\)", sheet)) <= known
    for name in ("cards.js", "finder.js", "story.js"):
        assert re.findall(r"#[0-9a-f]{6}\b", read(name)) == []
