"""The what-if in a real browser: the same estimate as Python to the last pupil, and what a person at the meeting does."""

import dataclasses
import json
import random
import re

import pytest
from test_browser import chromium, drawn_once, show  # noqa: F401
from test_maps import HOSTILE

import layout
from layout.maps import save_map
from layout.plan import make_plan
from layout.saved_plan import read_plan
from layout.scenario import read_scenario
from layout.school_changes import read_changes
from layout.what_if import estimate_changes, make_what_if, packed, plan_changes

pytestmark = pytest.mark.browser
SCENARIOS = 50
KINDS = {"teaching_point": (1, 3), "small_primary": (1, 6), "primary": (1, 6), "junior": (7, 9), "nine_year": (1, 9)}
MODES, STATUSES = ("walk", "bus", "board", "none"), ("served", "beyond_limit", "no_seat", "no_bed", "no_route")
READY = "new Promise((done) => { const look = () => (window.planMap.whatIf ? done(true) : setTimeout(look, 10)); look(); })"
RUN = """([state, added]) => {
  const w = window.planMap.whatIf;
  w.set(state);
  for (const [lat, lng, school] of added) { w.place({ lat, lng }); w.state.added[w.state.added.length - 1].state = school; }
  w.set({});
  return { saved: w.saved(), totals: w.now.totals, rows: w.now.rows, schools: w.now.schools, worse: w.worse() };
}"""


@pytest.fixture(scope="module")
def plan():
    """Return a plan of a small county that a meeting tried before: one school closed, one more, a limit moved."""
    county = layout.make_sample_county(seed=3, settlements=40)
    there = county.settlements.to_crs(4326).geometry.iloc[5]
    new = {
        "school_id": "tried-1",
        "name": "会议提的学校",
        "kind": "nine_year",
        "lon": round(there.x, 5),
        "lat": round(there.y, 5),
        "first_grade": 1,
        "last_grade": 9,
        "rooms": 9,
        "beds": 60,
    }
    text = {
        "county": county.code,
        "schools_sha256": layout.school_fingerprint(county.schools),
        "year": 2030,
        "limits": {"bus.junior": 55},
        "closed": [county.schools["school_id"].iloc[0]],
        "new": [new],
    }
    return make_plan(county, to=2030, scenario=layout.Scenario(school_changes=json.dumps(text)))


@pytest.fixture(scope="module")
def what_if(plan):
    return make_what_if(plan)


@pytest.fixture
def page(show, plan):  # noqa: F811
    opened = show(plan)
    opened.evaluate(READY)
    opened.locator("#what-if-on").check()
    return opened


def state_of(page):
    return page.evaluate("JSON.parse(JSON.stringify(window.planMap.whatIf.state))")


def random_scenario(seed, start, what_if):
    """Return a state of the page and schools to be dropped."""
    dice = random.Random(seed)
    state = {**start, "year": dice.randrange(len(what_if.years)), "variant": dice.choice(["low", "medium", "high"]), "edits": {}, "added": []}
    for k in dice.sample(range(len(what_if.schools)), dice.choice([0, 2, 8, len(what_if.schools) // 2])):
        edit = {"open": dice.random() < 0.4} if dice.random() < 0.6 else {}
        edit |= {"rooms": dice.randrange(30)} if dice.random() < 0.5 else {}
        state["edits"][str(k)] = edit | ({"beds": dice.choice([0, 0, 40, 400])} if dice.random() < 0.5 else {})
    if seed % 10 == 9:
        # hardly a school, and no bed
        left = dice.sample(range(len(what_if.schools)), 3)
        state["edits"] = {str(k): {"open": k in left, "beds": 0} for k in range(len(what_if.schools))}
    for name, most in (("limits", 150), ("sizes", 60)):
        state[name] = {key: dice.randrange(1, most) if dice.random() < 0.3 else value for key, value in start[name].items()}
    added, paths = [], what_if.paths
    for _ in range(dice.choice([0, 0, 1, 3])):
        i, kind = dice.randrange(len(paths.settlement_lon)), dice.choice(sorted(KINDS))
        lat, lng = ((int(v[i]) + dice.randrange(-2000, 2000)) / 1e5 for v in (paths.settlement_lat, paths.settlement_lon))
        added.append([lat, lng, [kind, *KINDS[kind], dice.randrange(20), 0]])
    return state, added


def assert_alike(found, what_if):
    """Compare what the page reckons with what Python makes of the file that the page saves."""
    changes, variant = read_changes(json.dumps(found["saved"]["school_changes"]), what_if.plan.county), found["saved"]["variant"]
    expected = estimate_changes(what_if, changes, variant=variant)
    assert found["totals"] == dict(expected.totals)
    ids = [*what_if.matrix.school_ids, *(s.school_id for s in changes.new if s.school_id not in what_if.matrix.school_ids), ""]
    rows = [found["rows"][i : i + 7] for i in range(0, len(found["rows"]), 7)]
    mine = sorted((what_if.matrix.settlement_ids[v], g, ids[k], MODES[m], STATUSES[s], n, sec) for v, g, k, m, s, n, sec in rows)
    columns = ["settlement_id", "grade", "school_id", "mode", "status", "pupils", "seconds"]
    assert mine == sorted(expected.children[columns].itertuples(index=False, name=None))
    told = {r.pop("school_id"): r for r in expected.schools.to_dict("records")}
    assert {i: s for i, s in zip(ids, found["schools"], strict=False) if s} == told
    plain = dataclasses.replace(plan_changes(what_if, changes.year), limits=changes.limits, class_size=changes.class_size)
    worse = layout.worse_off(expected, estimate_changes(what_if, plain, variant=variant))
    assert [[what_if.matrix.settlement_ids[v], *rest] for v, *rest in found["worse"]] == worse.values.tolist()
    return expected


def test_page_and_python_agree_to_the_last_pupil(page, what_if):
    start, seen = state_of(page), []
    for seed in range(SCENARIOS):
        seen.append(assert_alike(page.evaluate(RUN, list(random_scenario(seed, start, what_if))), what_if).totals)
    # the scenarios are not all alike, and every outcome occurs
    assert len({tuple(t.values()) for t in seen}) > 0.8 * SCENARIOS
    assert all(any(t[name] for t in seen) for name in STATUSES)


@pytest.mark.slow
def test_page_and_python_agree_on_the_sample_county(show, demo):  # noqa: F811
    plan = read_plan(demo.folder)
    what_if, opened = make_what_if(plan), show(plan)
    opened.evaluate(READY)
    start = state_of(opened)
    for seed in range(SCENARIOS):
        assert_alike(opened.evaluate(RUN, list(random_scenario(1000 + seed, start, what_if))), what_if)
    # and by how much the estimate differs from the exact answer, as the page prints it: children without a place in a thousand,
    # those beyond the limit too, and the mean minutes
    quick, exact = estimate_changes(what_if, plan_changes(what_if, plan.years[-1])).totals, packed(what_if)["exact"]
    lost = sum(quick[name] for name in STATUSES[2:])
    assert 0 <= lost - exact["unserved"] <= 0.01 * quick["pupils"]
    assert 0 <= lost + quick["beyond_limit"] - exact["unserved"] - exact["beyond"] <= 0.03 * quick["pupils"]
    assert abs(quick["day_seconds"] / quick["day_pupils"] / 60 - exact["minutes"]) < 1.5
    opened.locator("#what-if-on").check()
    assert f"估算 {lost} 人、准确 {exact['unserved']} 人" in opened.locator("#what-if-differs").inner_text()


def test_a_browser_that_cannot_inflate_does_it_by_hand(chromium, drawn_once, plan, what_if):  # noqa: F811
    for spoil in (
        "delete window.DecompressionStream",
        "window.DecompressionStream = class { constructor(kind) { if (kind === 'deflate-raw') throw new TypeError(kind); } }",
    ):
        context = chromium.new_context(offline=True)
        context.add_init_script(spoil)
        opened = context.new_page()
        opened.goto(drawn_once(plan).as_uri())
        opened.evaluate(READY)
        start = state_of(opened)
        assert_alike(opened.evaluate(RUN, list(random_scenario(7, start, what_if))), what_if)
        context.close()


def test_a_browser_that_cannot_unpack_sees_a_sentence(chromium, drawn_once, plan):  # noqa: F811
    context = chromium.new_context(offline=True)
    context.add_init_script("window.atob = undefined")
    opened = context.new_page()
    opened.goto(drawn_once(plan).as_uri())
    opened.evaluate(READY)
    assert "不可用" in opened.locator("#plan-what-if").inner_text() and opened.evaluate("window.planMap.state.ready")
    opened.locator("#plan-lang").click()
    assert "cannot unpack" in opened.locator("#plan-what-if").inner_text()
    context.close()


# --- as a person does it ------------------------------------------------------------------------------------------------


def number(page, name):
    return float(page.locator(f"#what-if-{name}").inner_text())


def test_close_a_school_undo_and_reset(page, plan, what_if):
    # the school with most pupils
    k = page.evaluate("window.planMap.whatIf.now.schools.map((s) => (s ? s.pupils : 0)).reduce((best, n, i, all) => (n > all[best] ? i : best), 0)")
    name = what_if.schools["name"].iloc[k]
    before = number(page, "unserved")
    page.locator("#what-if-search").fill(name)
    page.locator("#what-if-search").press("Enter")
    assert page.locator("#what-if-chosen h3").inner_text() == name
    # the button has the focus: the keyboard is enough
    assert page.evaluate("document.activeElement.id") == "what-if-open"
    page.keyboard.press("Enter")
    assert page.locator("#what-if-open").inner_text() == "开办这所学校"
    assert number(page, "unserved") > before
    losers = page.locator("#what-if-losers button")
    first = losers.first.inner_text()
    assert losers.count() > 0 and first in set(what_if.plan.county.settlements["name"])
    losers.first.click()
    assert page.locator("#plan-card h2").inner_text() == first
    page.keyboard.press("Escape")
    page.locator("#what-if-undo").click()
    assert number(page, "unserved") == before and page.locator("#what-if-undo").is_disabled()
    page.locator("#what-if-rooms").fill("0")
    page.locator("#what-if-rooms").press("Enter")
    changed = number(page, "unserved")
    page.locator("#what-if-limit-walk-lower").fill("5")
    page.locator("#what-if-limit-walk-lower").press("Enter")
    assert changed > before and number(page, "beyond_limit") > 0
    page.locator("#what-if-limit-walk-lower").fill("-3")
    page.locator("#what-if-limit-walk-lower").press("Enter")
    assert state_of(page)["limits"]["walk.lower"] == 5
    page.locator("#what-if-reset").click()
    assert number(page, "unserved") == before and state_of(page)["limits"]["walk.lower"] == 30
    page.keyboard.press("Control+z")
    assert state_of(page)["limits"]["walk.lower"] == 5


def test_a_school_is_dropped_by_a_click_changed_and_taken_away(page):
    page.locator("#what-if-drop").click()
    assert "点一下" in page.locator("#what-if-drop").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#what-if-drop").inner_text() == "在图上放一所学校"
    page.locator("#what-if-drop").click()
    # a spot beside the middle of the map where no mark is
    spot = page.evaluate(
        "(() => { const c = window.planMap.map.getContainer().getBoundingClientRect(); return [c.x + c.width / 2 + 40, c.y + c.height / 2 + 25]; })()"
    )
    page.mouse.click(*spot)
    (school,) = state_of(page)["added"]
    there = page.evaluate(
        "([x, y]) => { const m = window.planMap.map, c = m.getContainer().getBoundingClientRect(), p = m.containerPointToLatLng([x - c.x, y - c.y]); return [p.lng, p.lat]; }",
        spot,
    )
    assert abs(school["east"] - there[0] * 1e5) <= 1 and abs(school["north"] - there[1] * 1e5) <= 1
    page.locator("#what-if-name").fill(HOSTILE[0])
    page.locator("#what-if-name").press("Enter")
    assert page.locator("#what-if-chosen h3").inner_text() == HOSTILE[0]
    page.locator("#what-if-kind").select_option("nine_year")
    page.locator("#what-if-rooms").fill("27")
    page.locator("#what-if-rooms").press("Enter")
    assert state_of(page)["added"][0]["state"] == ["nine_year", 1, 9, 27, 0]
    page.locator("#what-if-drop-centre").click()
    assert len(state_of(page)["added"]) == 2
    page.locator("#what-if-remove").click()
    assert [s["name"] for s in state_of(page)["added"]] == [HOSTILE[0]] and page.evaluate("window.hacked") is None


def test_a_scenario_is_saved_read_by_python_and_opened_again(page, plan, tmp_path):
    page.evaluate("window.planMap.whatIf.place(window.planMap.map.getCenter())")
    page.locator("#what-if-year-0").click(force=True)
    page.locator("#what-if-variant-low").click(force=True)
    page.locator("#what-if-size-primary").fill("40")
    page.locator("#what-if-size-primary").press("Enter")
    wanted, totals = state_of(page), page.evaluate("window.planMap.whatIf.now.totals")
    with page.expect_download() as caught:
        page.locator("#what-if-save").click()
    path = tmp_path / caught.value.suggested_filename
    caught.value.save_as(path)
    assert path.name == f"{plan.county.name}试算方案.json"
    scenario = read_scenario(path)
    changes = read_changes(scenario.school_changes, plan.county)
    assert (scenario.variant, changes.year, changes.class_size, changes.limits) == (
        "low", plan.county.base_year, {"primary": 40}, {"bus.junior": 55},
    )  # fmt: skip
    assert [s.name for s in changes.new] == ["新校址1"]
    page.locator("#what-if-reset").click()
    page.locator("#what-if-file").set_input_files(path)
    page.locator("#what-if-told", has_text="方案已打开").wait_for()
    assert page.evaluate("window.planMap.whatIf.now.totals") == totals
    again = state_of(page)
    assert {k: again[k] for k in ("year", "variant", "limits", "sizes", "added")} == {
        k: wanted[k] for k in ("year", "variant", "limits", "sizes", "added")
    }


def test_a_file_that_does_not_fit_is_refused_in_words(page, tmp_path):
    good = page.evaluate("window.planMap.whatIf.saved()")

    def told(content):
        path = tmp_path / "x.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        page.locator("#what-if-file").set_input_files(path)
        page.locator("#what-if-told", has_text=re.compile("没有打开|已打开")).wait_for()
        text = page.locator("#what-if-told").inner_text()
        page.locator("#what-if-reset").click()
        return text

    inside = good["school_changes"]
    assert "已打开" in told(good)
    assert "另一个县" in told({**good, "school_changes": {**inside, "county": "520999"}})
    assert "学校表已经变了" in told({**good, "school_changes": {**inside, "schools_sha256": "0"}})
    assert "格式" in told({**good, "format": 2})
    for broken in (
        "{", "[]", "null", '"x"', "{}", {**good, "school_changes": {**inside, "closed": ["nobody"]}}, {**good, "school_changes": {**inside, "closed": 3}},
        {**good, "school_changes": {**inside, "year": 1999}}, {**good, "variant": "huge"}, {**good, "school_changes": {**inside, "new": [{"school_id": "a"}]}},
        {**good, "school_changes": {**inside, "limits": {"walk.lower": "x"}}}, {**good, "school_changes": {**inside, "class_size": {"__proto__x": 3}}},
    ):  # fmt: skip
        assert "已损坏" in told(broken), broken


def test_the_language_changes_and_nothing_of_the_plan_is_lost(page):
    page.locator("#plan-lang").click()
    assert page.locator("#what-if-undo").inner_text() == "Undo"
    # the page itself never scrolls, only its panel
    assert page.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
    left = [line for line in page.locator("#plan-what-if").inner_text().split("\n") if re.search("[\u4e00-\u9fff]", line)]
    assert left == []
    shown = page.evaluate("Object.values(window.planMap.state.drawn).filter(Boolean).length")
    page.locator("#what-if-on").uncheck()
    assert page.evaluate("Object.values(window.planMap.state.drawn).filter(Boolean).length") > shown
    assert page.locator("#what-if-results").count() == 0


def test_a_plan_that_a_meeting_tried_keeps_its_figures_and_schools(page, plan):
    saved = page.evaluate("window.planMap.whatIf.saved()")["school_changes"]
    changes = read_changes(plan.scenario.school_changes, plan.county)
    again = read_changes(json.dumps(saved), plan.county)
    assert again == changes and again.limits == {"bus.junior": 55}
    page.locator("#what-if-limit-bus-junior").fill("50")
    page.locator("#what-if-limit-bus-junior").press("Enter")
    assert page.evaluate("window.planMap.whatIf.saved()")["school_changes"]["limits"] == {"bus.junior": 50}


def test_the_public_page_has_nothing_to_try(plan, tmp_path):
    save_map(plan, tmp_path / "map.html", audience="public")
    html = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert 'id="what-if-data"' not in html and "tryOut(window" not in html


def test_names_that_try_to_run_are_text(show, plan):  # noqa: F811
    names = (HOSTILE * 40)[: len(plan.county.settlements)]
    county = dataclasses.replace(plan.county, name=HOSTILE[0], settlements=plan.county.settlements.assign(name=names))
    hostile = dataclasses.replace(plan, county=county, schools=plan.schools.assign(name=(HOSTILE * 40)[: len(plan.schools)]))
    opened = show(hostile)
    opened.evaluate(READY)
    opened.locator("#what-if-on").check()
    opened.evaluate("window.planMap.whatIf.choose('school', 0)")
    assert opened.locator("#what-if-chosen h3").text_content() == hostile.schools["name"].iloc[0]
    opened.locator("#what-if-open").click()
    with opened.expect_download() as caught:
        opened.locator("#what-if-save").click()
    assert not set('<>:"/\\|?*') & set(caught.value.suggested_filename)
    assert opened.evaluate("window.hacked") is None
