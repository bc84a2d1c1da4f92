"""What leaves the house: the public page is searched whole, unpacked, for counts of the plan that it must not hold."""

import base64
import binascii
import dataclasses
import re
import zlib

import pytest
from shapely.geometry import box
from test_maps import EAST, NORTH, _paper_classes, _paper_headline, _paper_summary, island, paper_plan, render, thin

from layout.drawings import INTERNAL, LAYERS, layer_drawing
from layout.tables import check

# counts that occur nowhere else: of villages, of moves, of boarders, of a class, of findings; none is round
VILLAGE, PERSONS, HOUSEHOLDS, BOARDERS, CLASS, STAY, FOUND = 7919, 4177, 1931, 3331, 2203, 6373, 8117


def everything(html):
    """Return the page and everything that lies packed in it, as far as it can be read, as one text."""
    parts = [html]
    for found in re.findall(r"[A-Za-z0-9+/]{40,}={0,2}", html):
        try:
            raw = base64.b64decode(found, validate=True)
        except binascii.Error:
            continue
        parts.append(raw.decode("latin-1"))
        for wbits in (-15, 15, 31):
            try:
                parts.append(zlib.decompress(raw, wbits).decode("utf-8", "replace"))
            except zlib.error:
                continue
    return "\n".join(parts)


def told(number, text):
    """Say whether a number stands in a text, also with a comma or a decimal part, and not as part of a longer one."""
    return re.search(rf"(?<![\d.])({number}|{number:,})(?![\d])", text) is not None


def marked_plan():
    """Return the paper plan with counts that can be searched for."""
    plan = paper_plan()
    outcomes = []
    for outcome in (plan.today, plan.planned):
        rows = outcome.assignment
        # one grade of one village, so that every sum with it is another number
        rows = rows.assign(pupils=rows["pupils"].mask((rows["settlement_id"] == "B") & (rows["grade"] == 2), VILLAGE))
        outcomes.append(dataclasses.replace(outcome, assignment=check("assignment", rows), classes=_paper_classes(rows, plan.standards),
                                            headline=_paper_headline(rows, outcome.view, plan.county.settlements)))  # fmt: skip
    county = plan.county
    rosters = county.rosters.assign(pupils=CLASS)
    county = dataclasses.replace(
        county, moves=county.moves.assign(persons=float(PERSONS), households=HOUSEHOLDS), rosters=rosters,
        schools=county.schools.assign(boarders=BOARDERS), boundary=box(EAST - 777, NORTH - 2500, EAST + 11000, NORTH + 2500),
    )  # fmt: skip
    found = plan.findings
    found = dataclasses.replace(
        found, short_villages=found.short_villages.assign(pupils=FOUND), seat_access=found.seat_access.assign(pupils=FOUND),
        review_list=found.review_list.assign(pupils=FOUND, lower_pupils=FOUND, upper_beyond=FOUND),
        breaches=found.breaches.assign(largest_class=FOUND), site_verdicts=found.site_verdicts.assign(pupils=float(FOUND), balance=float(-FOUND)),
        base_year_fit=found.base_year_fit.assign(rostered=float(FOUND), modelled=float(FOUND)),
    )  # fmt: skip
    reasons = plan.proposals.assign(reason_zh=f"{VILLAGE}名孩子", reason_en=f"{VILLAGE} children")
    return dataclasses.replace(
        plan, county=county, today=outcomes[0], planned=outcomes[1], summary=_paper_summary(outcomes), findings=found, proposals=reasons,
        must_stay=plan.must_stay.assign(pupils=STAY),
    )  # fmt: skip


NUMBERS = {"village": VILLAGE, "persons": PERSONS, "households": HOUSEHOLDS, "must stay": STAY, "findings": FOUND}
# class rosters and boarders are in neither page
NEVER = {"boarders": BOARDERS, "class": CLASS}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "deflated"])
def test_no_count_of_few_or_of_a_village_is_anywhere_in_the_public_page(packed, monkeypatch):
    if packed:
        monkeypatch.setattr("layout.maps._PACKED_CHARACTERS", 1000)
    plan = marked_plan()
    inside, outside = everything(render(plan)), everything(render(plan, audience="public"))
    # the search finds what is there
    assert {name for name, number in NUMBERS.items() if not told(number, inside)} == set()
    assert {name for name, number in (NUMBERS | NEVER).items() if told(number, outside)} == set()


def test_sums_that_would_give_a_village_away_are_rounded(monkeypatch):
    plan = marked_plan()
    outside = everything(render(plan, audience="public"))
    sums = set()
    for outcome in (plan.today, plan.planned):
        sums |= set(outcome.classes["pupils"]) | set(outcome.classes.groupby(["school_id", "year"])["pupils"].sum())
        sums |= set(outcome.headline["pupils"]) | set(outcome.assignment.groupby(["settlement_id", "year"])["pupils"].sum())
    sums |= set(plan.summary["pupils"]) | set(plan.summary["served"])
    large = {int(n) for n in sums if n > 2100 and n % 10}
    assert len(large) > 4 and {n for n in large if told(n, outside)} == set()
    # what is shown of the many is shown in tens
    assert told(round(int(plan.summary["pupils"].max()), -1), outside)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "deflated"])
def test_pages_of_two_plans_that_differ_in_the_few_only_are_the_same_bytes(packed, monkeypatch):
    if packed:
        monkeypatch.setattr("layout.maps._PACKED_CHARACTERS", 1000)
    assert render(thin(1), audience="public") == render(thin(2), audience="public")


def test_the_public_page_has_no_outline_no_roster_and_nothing_to_try():
    plan = marked_plan()
    page = render(plan, audience="public")
    data = island(page)
    assert data["ground"]["boundary"] == [] and "what-if-data" not in page and data["pupils"] == []
    assert len(island(render(plan))["ground"]["boundary"]) == 1
    # no village says how many of its children go where
    assert all(flow[5] is None for view in data["situations"] for flow in view["flows"])


def test_public_figures_hold_none_of_these_counts():
    plan = marked_plan()
    for layer in LAYERS:
        if layer in INTERNAL:
            continue
        for year in plan.years:
            text = "\n".join(f"{words} {count}" for _, words, count in layer_drawing(plan, layer, year=year, audience="public").legend)
            assert {name for name, number in (NUMBERS | NEVER).items() if told(number, text)} == set(), layer
    # the search finds what is there: all children of the base year
    inside = "\n".join(f"{words} {count}" for _, words, count in layer_drawing(plan, "pupils", year=2025).legend)
    assert told(int(plan.today.assignment.query("year == 2025")["pupils"].sum()), inside)


def test_few_children_beyond_the_limit_leave_no_mark_on_a_public_figure():
    # E has 9 children beyond the limit: in the house a diamond, outside the village is left out of those classes
    inside, outside = (layer_drawing(thin(3), "minutes", year=2025, audience=audience) for audience in ("internal", "public"))
    marks = [{i: look.marker for i, look in zip(d.marks["id"], d.marks["look"], strict=True)} for d in (inside, outside)]
    assert marks[0]["E"] == "D" and "E" not in marks[1] and set(marks[1]) == set("ABCD")


def test_the_helper_reads_what_is_packed():
    text = "村里有 4242 人" * 9
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = base64.b64encode(squeezer.compress(text.encode()) + squeezer.flush()).decode()
    packed = raw if len(raw) >= 40 else base64.b64encode(text.encode()).decode()
    assert told(4242, everything(f"<script>{packed}</script>")) and not told(4243, everything(packed)) and not told(424, text)
    assert len({*NUMBERS.values(), *NEVER.values()}) == len(NUMBERS) + len(NEVER)
