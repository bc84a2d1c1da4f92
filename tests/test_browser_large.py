"""The page of a place larger than a county: what lies deflated in it comes out whole, and the coarser what-if is what it says."""

import base64
import json
import random
import zlib

import pytest
from test_browser import chromium, show  # noqa: F401
from test_browser_what_if import READY, RUN, assert_alike, plan, random_scenario, state_of  # noqa: F401
from test_maps import island, render

from layout.maps import save_map
from layout.quick import NEVER
from layout.what_if import make_what_if

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def as_if_large():
    """Set the thresholds so low that a small county is treated as a place of ten thousands of villages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("layout.maps._PACKED_CHARACTERS", 1000)
        patch.setattr("layout.what_if._WEEK_STEPS", ((None, 600),))
        yield


@pytest.fixture(scope="module")
def drawn_once(as_if_large, tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")

    def path_of(plan, **options):  # noqa: F811
        path = folder / f"map {'-'.join(map(str, options.values()))}.html"
        if not path.exists():
            save_map(plan, path, **options)
        return path

    return path_of


def test_weekly_ways_are_rounded_up_and_nothing_else_is(plan, as_if_large):  # noqa: F811
    coarse = make_what_if(plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("layout.what_if._WEEK_STEPS", ((None, 1),))
        exact = make_what_if(plan)
    assert (coarse.week_step, exact.week_step) == (600, 1)
    there = exact.matrix.week < NEVER
    more = coarse.matrix.week.astype(int) - exact.matrix.week
    assert (coarse.matrix.week[coarse.matrix.week < NEVER] % 600 == 0).all()
    assert there.sum() > 100 and (more[there] >= 0).all() and (more[there] < 600).all() and (coarse.matrix.week[~there] == NEVER).all()
    assert (coarse.matrix.walk == exact.matrix.walk).all() and (coarse.matrix.bus == exact.matrix.bus).all()


def test_the_page_draws_and_reckons_as_python_does(show, plan, as_if_large):  # noqa: F811
    what_if, page = make_what_if(plan), show(plan)
    page.evaluate(READY)
    assert page.evaluate("window.planMap.state.drawn.minutes") > 30
    start = state_of(page)
    for seed in range(5):
        assert_alike(page.evaluate(RUN, list(random_scenario(seed, start, what_if))), what_if)


def test_the_page_says_what_is_coarser(show, plan):  # noqa: F811
    page = show(plan)
    page.evaluate(READY)
    page.locator("#what-if-on").check()
    assert "只取整到 10 分钟" in page.locator("#what-if-coarse").inner_text()
    page.locator("#plan-lang").click()
    assert "rounded up to 10 minutes" in page.locator("#what-if-coarse").inner_text()


def test_every_kind_of_deflated_block_is_unpacked(show, plan):  # noqa: F811
    page = show(plan)
    chance = random.Random(0)
    texts = ["", "山", "苗" * 70_000, json.dumps([chance.choice("甲乙丙丁戊一二三") * chance.randint(1, 400) for _ in range(3000)], ensure_ascii=False),
             "".join(chance.choice("abcdefghij") for _ in range(100_000))]  # fmt: skip
    for text in texts:
        for level, strategy in ((0, zlib.Z_DEFAULT_STRATEGY), (9, zlib.Z_FIXED), (9, zlib.Z_DEFAULT_STRATEGY), (1, zlib.Z_HUFFMAN_ONLY)):
            squeezer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
            raw = squeezer.compress(text.encode()) + squeezer.flush()
            packed = json.dumps({"size": len(text.encode()), "deflated": base64.b64encode(raw).decode()})
            read = """(packed) => { const node = document.createElement("script"); node.type = "text/plain"; node.id = "probe"; node.textContent = packed;
                document.body.append(node); unpackPlan("probe"); const text = node.textContent; node.remove(); return text; }"""
            assert page.evaluate(read, packed) == text


def test_the_public_page_of_a_large_place_is_unpacked_too(show, plan):  # noqa: F811
    page = show(plan, audience="public")
    assert page.evaluate("document.getElementById('plan-data').textContent.length") > 1000
    assert page.evaluate("window.planMap.data.audience") == "public" and set(island(render(plan, audience="public"))) == {"size", "deflated"}
