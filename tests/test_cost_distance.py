"""Cost distance: against a naive search over the same moves, closed forms, and rules that any minutes must keep."""

from __future__ import annotations

import functools
import heapq
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import layout
from layout import cost_distance
from layout.cost_surface_kernels import spread
from layout.terrain import tobler_factor

KING = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
KNIGHT = [(a, b) for a in (-2, -1, 1, 2) for b in (-2, -1, 1, 2) if abs(a) != abs(b)]
ALL = KING + KNIGHT
relaxed = functools.partial(settings, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def touched(r, c, a, b):
    """The cells between the ends of a move: those the straight line passes closest to."""
    if max(abs(a), abs(b)) < 2:
        return [(r, c), (r + a, c + b)]
    if abs(a) == 2:
        return [(r, c), (r + a // 2, c), (r + a // 2, c + b), (r + a, c + b)]
    return [(r, c), (r, c + b // 2), (r + a, c + b // 2), (r + a, c + b)]


def move_minutes(z, speed, foot, r, c, a, b, cell):
    """Minutes of one move from (r, c); inf where it is barred."""

    def barred(y, x):
        return not (0 <= y < z.shape[0] and 0 <= x < z.shape[1]) or not speed[y, x] > 0 or (foot[y, x] and np.isnan(z[y, x]))

    cells = touched(r, c, a, b)
    if any(barred(*place) for place in cells):
        return math.inf
    if abs(a) == abs(b) == 1 and barred(r + a, c) and barred(r, c + b):
        return math.inf
    length = math.hypot(a * cell[1], b * cell[0])
    slope = (z[r + a, c + b] - z[r, c]) / length
    factor = 1.0 if np.isnan(slope) else float(tobler_factor(slope))
    return length * np.mean([60 / (1000 * speed[p] * (factor if foot[p] else 1)) for p in cells])


def naive(z, speed, sources, *, cell, foot, direction="towards", knight=True, start=None, limit=math.inf):
    out = np.full(z.shape, math.inf)
    queue = [(s, tuple(p)) for s, p in zip(start or [0.0] * len(sources), sources, strict=True)]
    heapq.heapify(queue)
    while queue:
        now, (r, c) = heapq.heappop(queue)
        if now >= out[r, c] or now > limit or not speed[r, c] > 0 or (foot[r, c] and np.isnan(z[r, c])):
            continue
        out[r, c] = now
        for a, b in ALL if knight else KING:
            if 0 <= r + a < z.shape[0] and 0 <= c + b < z.shape[1]:
                ends = (r, c, a, b) if direction == "from" else (r + a, c + b, -a, -b)
                heapq.heappush(queue, (now + move_minutes(z, speed, foot, *ends, cell), (r + a, c + b)))
    return out


@st.composite
def rasters(draw, barriers=True):
    rows, columns = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    z = rng.normal(0, draw(st.sampled_from([0, 5, 30, 300])), (rows, columns))
    speed = rng.choice(draw(st.sampled_from([[4.0], [2.0, 5.0], [0.01, 3.0, 90.0]])), (rows, columns))
    foot = rng.random((rows, columns)) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    if barriers:
        z[rng.random(z.shape) < draw(st.sampled_from([0, 0.15]))] = np.nan
        speed[rng.random(z.shape) < draw(st.sampled_from([0, 0.2, 0.4]))] = rng.choice([0, np.nan])
    sources = [(int(rng.integers(rows)), int(rng.integers(columns))) for _ in range(draw(st.integers(1, 3)))]
    cell = draw(st.sampled_from([(30.0, 30.0), (27.3, 30.9)]))
    return z, speed, foot, sources, cell


@relaxed(max_examples=400)
@given(rasters(), st.sampled_from(["towards", "from"]), st.booleans(), st.booleans(), st.sampled_from([math.inf, 3.0]))
def test_it_agrees_with_a_naive_search(raster, direction, knight, late, limit):
    z, speed, foot, sources, cell = raster
    start = [1.5 * k for k in range(len(sources))] if late else None
    ours = cost_distance(z, speed, sources, cell_m=cell, on_foot=foot, direction=direction, knight=knight, start_minutes=start, limit=limit)
    theirs = naive(z, speed, sources, cell=cell, foot=foot, direction=direction, knight=knight, start=start, limit=limit)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize("quick", [None, 1e-3, 5000.0])
def test_a_larger_raster_agrees_too(quick):
    # far more minutes than there are open buckets, and a few cells so quick that buckets cannot be as narrow as their moves
    rng = np.random.default_rng(7)
    z = np.cumsum(rng.normal(0, 4, (50, 60)), axis=1)
    speed = rng.uniform(2, 5, z.shape)
    if quick:
        speed[rng.random(z.shape) < 0.02] = quick
    speed[rng.random(z.shape) < 0.1] = 0
    speed[25, 30] = 4
    foot = rng.random(z.shape) < 0.8
    ours = cost_distance(z, speed, [(25, 30)], cell_m=30, on_foot=foot)
    np.testing.assert_allclose(ours, naive(z, speed, [(25, 30)], cell=(30, 30), foot=foot), rtol=1e-9)


@pytest.mark.parametrize("grade", [0.02, 0.1, 0.25])
@pytest.mark.parametrize("direction", ["towards", "from"])
def test_on_a_tilted_plane_the_closed_form_holds_in_all_sixteen_directions(grade, direction):
    # up to a grade of 2/7 no zigzag is quicker than the straight line
    size, middle, cell = 121, 60, 30.0
    z = np.tile(np.arange(size) * cell * grade, (size, 1))
    minutes = cost_distance(z, 4.0, [(middle, middle)], cell_m=cell, direction=direction)
    for a, b in ALL:
        steps = 50 // max(abs(a), abs(b))
        length = steps * cell * math.hypot(a, b)
        slope = grade * b / math.hypot(a, b) * (-1 if direction == "towards" else 1)
        expected = length * 0.06 / 4 * math.exp(3.5 * abs(slope + 0.05)) / math.exp(0.175)
        assert minutes[middle + a * steps, middle + b * steps] == pytest.approx(expected, rel=1e-9), (a, b)


def test_on_the_level_the_worst_direction_is_too_long_by_what_is_said():
    r, c = np.mgrid[-80:81, -80:81]
    straight = np.hypot(r, c) * 0.03
    for knight, worst in ((True, 1.0275), (False, 1.0824)):
        minutes = cost_distance(None, 60.0, (r == 0) & (c == 0), cell_m=30, knight=knight)
        far = straight > 1
        assert (minutes[far] / straight[far]).min() > 1 - 1e-12 and (minutes[far] / straight[far]).max() == pytest.approx(worst, abs=5e-4)


@relaxed(max_examples=60)
@given(rasters())
def test_there_and_back_are_each_other_s_transpose(raster):
    z, speed, foot, _, cell = raster
    places = [(r, c) for r in range(z.shape[0]) for c in range(z.shape[1])][:12]
    there = [cost_distance(z, speed, [p], cell_m=cell, on_foot=foot, direction="towards") for p in places]
    back = [cost_distance(z, speed, [p], cell_m=cell, on_foot=foot, direction="from") for p in places]
    for i, p in enumerate(places):
        for j, q in enumerate(places):
            np.testing.assert_allclose(there[i][q], back[j][p], rtol=1e-12)
            # by way of a third place it is never quicker
            for k, middle in enumerate(places):
                assert there[i][q] <= (there[k][q] + there[i][middle]) * (1 + 1e-12)


@relaxed(max_examples=60)
@given(rasters())
def test_turned_upside_down_the_way_there_is_the_way_back(raster):
    z, speed, foot, sources, cell = raster
    there = cost_distance(z, speed, sources, cell_m=cell, on_foot=foot, direction="towards")
    np.testing.assert_array_equal(there, cost_distance(-z, speed, sources, cell_m=cell, on_foot=foot, direction="from"))
    # the datum does not matter
    np.testing.assert_allclose(there, cost_distance(z + 37.0, speed, sources, cell_m=cell, on_foot=foot), rtol=1e-9)


@relaxed(max_examples=60)
@given(rasters(), st.data())
def test_a_quicker_cell_and_a_further_source_make_nothing_slower(raster, data):
    z, speed, foot, sources, cell = raster
    before = cost_distance(z, speed, sources, cell_m=cell, on_foot=foot)
    r, c = data.draw(st.integers(0, z.shape[0] - 1)), data.draw(st.integers(0, z.shape[1] - 1))
    quicker = speed.copy()
    quicker[r, c] = 10.0 if np.isnan(speed[r, c]) else speed[r, c] * 2 + 1
    after = cost_distance(z, quicker, sources, cell_m=cell, on_foot=foot)
    assert (after <= before * (1 + 1e-12)).all()
    more = cost_distance(z, speed, [*sources, (r, c)], cell_m=cell, on_foot=foot)
    assert (more <= before).all()
    # and several sources are the least of each
    alone = [cost_distance(z, speed, [s], cell_m=cell, on_foot=foot) for s in sources]
    np.testing.assert_allclose(before, np.min(alone, axis=0), rtol=1e-12)


@relaxed(max_examples=60)
@given(rasters())
def test_mirrored_and_turned_rasters_give_mirrored_and_turned_minutes(raster):
    z, speed, foot, sources, cell = raster
    mask = np.zeros(z.shape, bool)
    mask[tuple(np.transpose(sources))] = True
    before = cost_distance(z, speed, mask, cell_m=cell, on_foot=foot)
    np.testing.assert_array_equal(before, cost_distance(z, speed, sources, cell_m=cell, on_foot=foot))
    for turn in (np.flipud, np.fliplr):
        np.testing.assert_array_equal(turn(before), cost_distance(turn(z), turn(speed), turn(mask), cell_m=cell, on_foot=turn(foot)))
    np.testing.assert_array_equal(before.T, cost_distance(z.T, speed.T, mask.T, cell_m=cell[::-1], on_foot=foot.T))


def test_rivers_stop_whoever_has_no_bridge():
    speed = np.full((12, 12), 4.0)
    speed[5] = 0
    # a river one cell wide is not jumped
    assert np.isinf(cost_distance(None, speed, [(0, 0)], cell_m=30)[6:]).all()
    slanting = np.where(np.eye(12, dtype=bool), 0, 4.0)
    # and one drawn cell by cell does not leak at its corners
    across = cost_distance(None, slanting, [(0, 11)], cell_m=30)
    assert np.isinf(across[np.tril_indices(12)]).all() and np.isfinite(across[np.triu_indices(12, 1)]).all()
    slanting[5, 5] = 4.0
    assert np.isfinite(cost_distance(None, slanting, [(0, 11)], cell_m=30)[11, 0])


def test_voids_are_barriers_on_foot_and_level_on_wheels():
    z = np.array([[0.0, np.nan, 60.0]])
    assert cost_distance(z, 6.0, [(0, 0)], cell_m=100)[0].tolist() == [0, np.inf, np.inf]
    assert cost_distance(z, 6.0, [(0, 1)], cell_m=100)[0].tolist() == [np.inf] * 3
    np.testing.assert_allclose(cost_distance(z, 6.0, [(0, 0)], cell_m=100, on_foot=False)[0], [0, 1, 2])
    np.testing.assert_allclose(cost_distance(z, 6.0, [(0, 0)], cell_m=100, on_foot=[[True, False, True]])[0], [0, 1, 2])
    masked = np.ma.masked_invalid(z)
    assert cost_distance(masked, 6.0, [(0, 0)], cell_m=100)[0].tolist() == [0, np.inf, np.inf]


def test_a_cliff_bars_walkers_only():
    z = np.array([[0.0, 1e6]])
    assert cost_distance(z, 6.0, [(0, 0)], cell_m=100, on_foot=False)[0, 1] == pytest.approx(1)
    assert cost_distance(z, 6.0, [(0, 0)], cell_m=100)[0, 1] > 1e200


def test_seeds_on_barriers_beyond_the_limit_or_absent_reach_nothing():
    speed = np.array([[0.0, 4.0, 4.0]])
    assert np.isinf(cost_distance(None, speed, [(0, 0)], cell_m=30)).all()
    assert np.isinf(cost_distance(None, speed, [], cell_m=30)).all()
    assert np.isinf(cost_distance(None, speed * 0, np.ones((1, 3), bool), cell_m=30)).all()
    assert np.isinf(cost_distance(None, speed, [(0, 1)], cell_m=30, start_minutes=5, limit=4)).all()
    assert cost_distance(None, speed, [(0, 1)], cell_m=30, limit=0)[0].tolist() == [np.inf, 0, np.inf]
    assert cost_distance(None, np.empty((0, 3)), [], cell_m=30).shape == (0, 3)


def test_start_minutes_by_source_by_mask_and_by_raster():
    mask = np.array([[True, False, False, True]])
    by_pair = cost_distance(None, 6.0, [(0, 3), (0, 0)], cell_m=100, start_minutes=[0.5, 7.0], on_foot=np.ones((1, 4), bool))
    np.testing.assert_allclose(by_pair, [[3.5, 2.5, 1.5, 0.5]])
    np.testing.assert_array_equal(by_pair, cost_distance(None, 6.0, mask, cell_m=100, start_minutes=[7.0, 0.5]))
    np.testing.assert_array_equal(by_pair, cost_distance(None, 6.0, mask, cell_m=100, start_minutes=np.array([[7.0, 9, 9, 0.5]])))
    twice = cost_distance(None, 6.0, [(0, 3), (0, 3), (0, 0)], cell_m=100, start_minutes=[8, 0.5, np.inf], on_foot=np.ones((1, 4), bool))
    np.testing.assert_array_equal(by_pair, twice)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"direction": "to"}, "'towards' or 'from'"),
        ({"cell_m": 0}, "cell_m"),
        ({"cell_m": (30, np.nan)}, "cell_m"),
        ({"limit": -1}, "limit"),
        ({"limit": np.nan}, "limit"),
        ({"speed_kph": -1.0}, "speed_kph"),
        ({"speed_kph": np.inf}, "speed_kph"),
        ({"speed_kph": np.ones((3, 3))}, "speed_kph is shaped"),
        ({"on_foot": np.ones((1, 2), bool)}, "on_foot is shaped"),
        ({"elevation": np.zeros(4)}, "rows and columns"),
        ({"elevation": None}, "must be a raster"),
        ({"sources": [(0, 2)]}, "outside"),
        ({"sources": [(-1, 0)]}, "outside"),
        ({"sources": [(0.0, 1.0)]}, "whole numbers"),
        ({"sources": [1, 1]}, "whole numbers"),
        ({"sources": np.ones((1, 2), bool)}, "sources is shaped"),
        ({"start_minutes": [1, 2]}, "start_minutes is shaped"),
        ({"start_minutes": -1}, "start_minutes must"),
        ({"start_minutes": np.nan}, "start_minutes must"),
    ],
)
def test_what_makes_no_sense_is_refused(change, match):
    given_ = {"elevation": np.zeros((2, 2)), "speed_kph": 4.0, "sources": [(0, 0)], "cell_m": 30} | change
    with pytest.raises(ValueError, match=match):
        cost_distance(given_.pop("elevation"), given_.pop("speed_kph"), given_.pop("sources"), **given_)


def test_nothing_given_is_changed_and_answers_are_repeated_exactly():
    rng = np.random.default_rng(3)
    z, speed = rng.normal(0, 20, (40, 40)).astype("float32"), rng.uniform(1, 5, (40, 40))
    before = z.copy(), speed.copy()
    first = cost_distance(z, speed, [(3, 4)], cell_m=30)
    for thing in (z, speed):
        thing.flags.writeable = False
    assert first.tobytes() == cost_distance(z, speed, [(3, 4)], cell_m=30).tobytes()
    np.testing.assert_array_equal((z, speed), before)


free = np.zeros((0, 1), "uint32")


def prepared(size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 5, (size, size)), 0.06 / rng.uniform(2, 5, (size, size)), np.ones((size, size), bool)


@pytest.mark.parametrize("towards", [True, False])
def test_the_kernel_stops_once_its_targets_are_settled(towards):
    ground = prepared(60)
    seeds, none, nobody = np.array([[30, 30]]), np.empty((0, 2), np.int64), np.zeros(0, "int32")
    full = spread(*ground, seeds, np.zeros(1), none, 30.0, 30.0, towards, True, np.inf, nobody, np.inf, free)[0]
    targets = np.array([[30, 36], [25, 30], [30, 36]])
    part = spread(*ground, seeds, np.zeros(1), targets, 30.0, 30.0, towards, True, np.inf, nobody, np.inf, free)[0]
    settled = np.isfinite(part)
    assert settled[tuple(targets.T)].all() and settled.mean() < 0.5
    np.testing.assert_array_equal(part[settled], full[settled])
    # a target that no one reaches does not keep the others from their minutes; targets on barriers only: nothing to do
    ground[1][0, 0] = np.nan
    both = spread(*ground, seeds, np.zeros(1), np.array([[0, 0], [30, 36]]), 30.0, 30.0, towards, True, np.inf, nobody, np.inf, free)[0]
    assert both[30, 36] == full[30, 36] and np.isfinite(both).mean() < 0.5
    assert not np.isfinite(spread(*ground, seeds, np.zeros(1), np.array([[0, 0]]), 30.0, 30.0, towards, True, np.inf, nobody, np.inf, free)[0]).any()


@pytest.mark.parametrize("towards", [True, False])
def test_every_cell_belongs_to_the_seed_it_is_nearest_to(towards):
    ground = prepared(50, 7)
    seeds, none = np.array([[5, 5], [40, 12], [22, 47]]), np.empty((0, 2), np.int64)
    begin = np.array([0.0, 3.0, 1.0])
    both = spread(*ground, seeds, begin, none, 30.0, 30.0, towards, True, 9.0, np.array([7, 3, 9], "int32"), np.inf, free)
    nobody = np.zeros(0, "int32")
    each = np.stack([
        spread(*ground, seeds[[i]], begin[[i]], none, 30.0, 30.0, towards, True, 9.0, nobody, np.inf, free)[0] for i in range(3)
    ])  # fmt: skip
    np.testing.assert_array_equal(both[0], each.min(axis=0))
    np.testing.assert_array_equal(both[1], np.where(np.isfinite(both[0]), np.array([7, 3, 9])[each.argmin(axis=0)], -1))
    assert (both[1] == -1).any() and len(np.unique(both[1])) == 4
    one = spread(*ground, seeds[:1], np.zeros(1), none, 30.0, 30.0, towards, True, np.inf, np.zeros(1, "int32"), 600.0, free)
    away = np.hypot(*(np.indices((50, 50)) - 5)) * 30
    np.testing.assert_array_equal(np.isfinite(one[0]), away <= 600)


def test_the_kernel_gives_the_same_from_threads():
    none, nobody = np.empty((0, 2), np.int64), np.zeros(0, "int32")

    def run(seed):
        return spread(*prepared(40, seed % 5), np.array([[seed % 7, 3]]), np.zeros(1), none, 30.0, 30.0, True, True, 20.0, nobody, np.inf, free)[0]

    with ThreadPoolExecutor(4) as pool:
        for seed, answer in enumerate(pool.map(run, range(40))):
            np.testing.assert_array_equal(answer, run(seed))


def test_importing_the_package_does_not_load_numba():
    code = "import sys, layout; layout.cost_distance; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
    assert callable(layout.cost_distance)


def test_every_kind_of_array_uses_the_one_compiled_kernel():
    z, speed = np.zeros((6, 5)), np.full((6, 5), 4.0)
    cost_distance(z, speed, [(1, 1)], cell_m=30)
    kinds = len(spread.signatures)
    z.flags.writeable = False
    for odd in (z, z.astype("float32"), z.astype("int16"), np.asfortranarray(z), z[::-1, ::-1], np.ma.masked_less(z, -1), z.tolist(), None):
        expected = cost_distance(np.zeros((6, 5)), speed, [(1, 1)], cell_m=30, limit=7.0)
        np.testing.assert_array_equal(cost_distance(odd, speed, np.array([[1, 1]], "uint8"), cell_m=30, limit=7, knight=1), expected)
        np.testing.assert_array_equal(cost_distance(odd, 4, np.arange(30).reshape(6, 5) == 6, cell_m=(30, 30), limit=7), expected)
    assert len(spread.signatures) == kinds
