"""What the cards of the map know beyond the map, worked by hand on the paper plan, and the sentence for old browsers."""

import base64
import dataclasses
import json
import re
import zlib
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from test_maps import island, paper_plan, render

from layout import messages
from layout.map_cards import make_cards
from layout.tables import check, label

FORECAST = ["level", "area_id", "year", "group", "pupils", "low", "middle", "high", "registered", "noise"]


@pytest.fixture(scope="module")
def plan():
    """Return the paper plan with a forecast of two villages and two schools, and the gates of one."""
    rows = [
        ("settlement", "A", 2025, "all", 90.4, 88.0, 90.0, 93.0, 0.0, False),
        ("settlement", "A", 2026, "all", 89.6, 84.4, 90.0, 95.6, 0.0, False),
        ("settlement", "A", 2035, "all", 91.0, np.nan, np.nan, np.nan, 0.0, False),
        # a band is not the whole, and a year without a row is unknown, not nothing
        ("settlement", "A", 2035, "lower", 30.0, 20.0, 30.0, 40.0, 0.0, False),
        ("settlement", "C", 2035, "all", 7.0, 3.0, 7.0, 11.0, 0.0, True),
        ("school", "N", 2035, "all", 18.0, 12.0, 18.0, 24.0, 0.0, False),
        ("school", "S1", 2025, "all", 180.0, 170.0, 180.0, 190.0, 0.0, False),
        ("school", "S1", 2035, "all", 180.0, 160.0, 180.0, 200.0, 0.0, False),
        ("county", "", 2035, "all", 504.0, 480.0, 504.0, 520.0, 0.0, False),
    ]
    gates = {"school_id": "S2", "gate": ["hearing", "few_pupils"], "year": 2035, "state": ["people", "met"]}
    gates |= {"figures": ["", "12 人 / 12 pupils"], "clause": ["", "travel.limit.walk.lower"]}
    return dataclasses.replace(
        paper_plan(), forecast=check("forecast", pd.DataFrame(rows, columns=FORECAST)), merger_gates=check("merger_gates", pd.DataFrame(gates))
    )


def test_the_figures_of_the_cards_are_those_of_the_tables(plan):
    cards = make_cards(plan)
    assert cards["years"] == [2025, 2026, 2035]
    # villages A to E in the order of the county
    assert cards["villages"] == [
        [[90, 90, 91], [88, 84, None], [93, 96, None]],
        None,
        [[None, None, 7], [None, None, 3], [None, None, 11]],
        None,
        None,
    ]
    # N, S1, S2 in the order of the plan's schools; 2025 and 2035; no range of the base year, which is the rosters'
    assert cards["schools"] == {
        "0": {"low": [None, 12], "high": [None, 24]},
        "1": {"low": [None, 160], "high": [None, 200]},
    }
    few, hearing = cards["gates"]
    words = lambda name, code: {lang: label("merger_gates", name, code, lang) for lang in messages.LANGUAGES}  # noqa: E731
    clause = {lang: plan.standards.rules["travel.limit.walk.lower"].cite(lang) for lang in messages.LANGUAGES}
    assert few == [2, words("gate", "few_pupils"), 2035, words("state", "met"), {"zh": "12 人", "en": "12 pupils"}, clause]
    assert hearing == [2, words("gate", "hearing"), 2035, words("state", "people"), {"zh": "", "en": ""}, None]


def test_without_a_forecast_the_cards_have_the_plan_years(plan):
    cards = make_cards(paper_plan())
    assert cards["years"] == [2025, 2035] and cards["villages"] == [None] * 5 and cards["gates"] == []
    assert cards["schools"] == {}


def unpacked(html):
    found = json.loads(re.search(r'<script type="application/json" id="card-data">(.*?)</script>', html, re.DOTALL)[1])
    raw = zlib.decompress(base64.b64decode(found["data"]), -15)
    assert len(raw) == found["size"]
    return json.loads(raw)


def test_the_page_holds_them_packed(plan):
    html = render(plan)
    assert unpacked(html) == make_cards(plan)
    # pupils by school stand in the views of the map, for the cards too: N, S1, S2
    rolls = {view["key"]: {roll[0]: roll[1] for roll in view["rolls"]} for view in island(html)["situations"]}
    assert rolls == {"base": {1: 180, 2: 254}, "nothing": {1: 180, 2: 254}, "planned": {0: 18, 1: 180, 2: 306}}


def test_the_public_page_has_nothing_of_the_cards(plan):
    public = render(plan, audience="public")
    assert 'id="card-data"' not in public and "tryOut" not in public
    other = dataclasses.replace(plan, forecast=plan.forecast.assign(pupils=77.0, low=66.0, high=99.0), merger_gates=plan.merger_gates.iloc[:1])
    assert render(other, audience="public") == public


# --- the sentence for old browsers ------------------------------------------------------------------------------------


def test_the_sentence_for_old_browsers_stands_before_every_script_of_the_page(plan):
    html = render(plan)
    body = html[html.index("<body>") :]
    said = body[: body.index("<script")]
    for lang in messages.LANGUAGES:
        assert messages.text("maps.too_old", lang) in said and messages.text("maps.no_script", lang) in said
    assert re.search(r"<noscript>(.*?)</noscript>", said)[1].count("<p>") == len(messages.LANGUAGES)
    assert body.index("plan-old") < body.index("(function () {") < body.index('id="plan-data"')


def test_the_guard_keeps_to_the_oldest_language():
    code = files("layout").joinpath("assets", "guard.js").read_text(encoding="utf-8")
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", code, flags=re.DOTALL)
    code = re.sub(r'"[^"\n]*"', '""', code)
    # neither words nor signs that came after the third edition, no keyword as a name, no comma before a closing bracket
    assert re.findall(r"\b(?:let|const|class|async|await|of|import|export|yield|super|get|set|debugger)\b", code) == []
    assert re.findall(r"=>|`|\.\.\.|\?\.|\?\?|\*\*|,\s*[\]})]", code) == []
    assert re.findall(r"\.(?:catch|finally|default|delete|in|new|for|if|return|typeof|this|var|void|with|float|int|char|double|final)\b", code) == []
    assert code.count("(") == code.count(")") and code.count("{") == code.count("}")
