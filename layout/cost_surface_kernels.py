"""The compiled inner part of cost distances: minutes spread over a raster from seeds.

Importing this module imports numba, so others import it inside functions only.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# rows and columns of barrier around the raster, as wide as the longest move, so that no move has to look for the border
_RIM = 2
# buckets of minutes that are open at a time; what lies beyond them waits in one more list
_BUCKETS = 4096
# Tobler's factor on the slope where walking is fastest, exp(-0.175): no move is quicker than its level minutes times this
_QUICKEST = 0.8394570207692074
# eight neighbours, then the knight's moves: rows and columns moved, and the two cells a move passes between
MOVES = np.array(
    [
        (-1, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0), (0, -1, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0),
        (-1, -1, -1, 0, 0, -1), (-1, 1, -1, 0, 0, 1), (1, -1, 1, 0, 0, -1), (1, 1, 1, 0, 0, 1),
        (-2, -1, -1, 0, -1, -1), (-2, 1, -1, 0, -1, 1), (2, -1, 1, 0, 1, -1), (2, 1, 1, 0, 1, 1),
        (-1, -2, 0, -1, -1, -1), (-1, 2, 0, 1, -1, 1), (1, -2, 0, -1, 1, -1), (1, 2, 0, 1, 1, 1),
    ],
    dtype=np.int64,
)  # fmt: skip


@njit(cache=True, nogil=True)
def spread(
    height: np.ndarray, pace: np.ndarray, on_foot: np.ndarray, seeds: np.ndarray, seed_minutes: np.ndarray, targets: np.ndarray,
    cell_x: float, cell_y: float, towards: bool, knight: bool, limit: float, owners: np.ndarray, radius: float,
    blocked: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Spread minutes from seeds over a raster; the rules of the moves are those of :func:`layout.cost_distance`.

    For small windows too: callable from other compiled code and, as it lets go of the interpreter, from threads. Nothing is
    checked and nothing passed in is changed; every call takes about 45 bytes a cell and gives all but the answer back.

    Parameters
    ----------
    height
        Metres, float64, two-dimensional; NaN is a void: a barrier on foot, level otherwise.
    pace
        Minutes a metre on the level, float64, above 0; NaN or inf is a barrier.
    on_foot
        Booleans: where the slope counts.
    seeds
        Rows and columns to begin at, int64, shape (n, 2), all inside; those on barriers do not count.
    seed_minutes
        Minutes that each seed begins with, float64, at least 0.
    targets
        Rows and columns, int64, shape (n, 2): the spreading stops when all that are no barriers are settled, and cells not
        settled by then are inf. Empty: no early stop; every target that cannot be reached means there is none either.
    cell_x, cell_y
        Metres between columns and between rows.
    towards
        True: minutes from each cell to a seed; False: from a seed to each cell.
    knight
        True: sixteen moves; False: eight.
    limit
        Minutes beyond which cells are not reached; inf for none.
    owners
        Numbers of those that the seeds belong to, int32; empty: nobody asks whose a cell is.
    radius
        Where owners are given: metres in a straight line beyond which no seed spreads.
    blocked
        Of every cell the moves that are barred, bit m for move m of :data:`MOVES`, uint32; without rows where none is.

    Returns
    -------
    tuple of numpy.ndarray
        Minutes, float64, inf where not reached; and the owner of the seed that each cell is reached from, int32, -1 where
        it is not reached, without rows where nobody asks. A seed does not spread through cells that another one reaches
        sooner, even where that one ends at its radius before it. Between equally near seeds the answer is either, always the same.

    Examples
    --------
    >>> flat, level, walked = np.zeros((1, 4)), np.full((1, 4), 0.01), np.ones((1, 4), bool)
    >>> seeds, targets = np.array([[0, 0]]), np.array([[0, 2]])
    >>> nobody, free = np.zeros(0, "int32"), np.zeros((0, 4), "uint32")
    >>> spread(flat, level, walked, seeds, np.zeros(1), targets, 100.0, 100.0, True, True, np.inf, nobody, np.inf, free)[0].tolist()
    [[0.0, 1.0, 2.0, inf]]
    """
    rows, columns = height.shape
    wide = columns + 2 * _RIM
    size = (rows + 2 * _RIM) * wide
    # a barrier has minutes of minus infinity: no move makes them less
    minutes = np.full(size, -np.inf)
    z = np.empty(size)
    # minutes a metre; negative where the slope does not count
    p = np.empty(size)
    least, total, count = np.inf, 0.0, 0
    for r in range(rows):
        for c in range(columns):
            here = pace[r, c]
            walked = on_foot[r, c]
            if here < np.inf and not (walked and math.isnan(height[r, c])):
                i = (r + _RIM) * wide + c + _RIM
                minutes[i] = np.inf
                z[i] = height[r, c]
                p[i] = here if walked else -here
                least = min(least, here)
                total += here
                count += 1
    asked, hindered = len(owners) > 0, len(blocked) > 0
    out, whose = np.full((rows, columns), np.inf), np.full((rows if asked else 0, columns), np.int32(-1))
    if count == 0:
        return out, whose
    owner = np.full(size if asked else 0, np.int32(-1))
    many = 16 if knight else 8
    step, run, half, first, second = np.empty(16, np.int64), np.empty(16), np.empty(16), np.empty(16, np.int64), np.empty(16, np.int64)
    for m in range(16):
        step[m] = MOVES[m, 0] * wide + MOVES[m, 1]
        first[m] = MOVES[m, 2] * wide + MOVES[m, 3]
        second[m] = MOVES[m, 4] * wide + MOVES[m, 5]
        length = math.hypot(MOVES[m, 0] * cell_y, MOVES[m, 1] * cell_x)
        half[m] = length / 2 if m < 8 else length / 4
        run[m] = (-1.0 if towards else 1.0) / length
    # a bucket no wider than the quickest move settles every cell at once; a wider one, for the sake of rare quick cells, repeats some
    width = min(cell_x, cell_y) * _QUICKEST * max(least, total / count / 32)
    # each cell waits in at most one list: the next one in it, and the one before or, for the first, minus the list minus two; -1 is in none
    head = np.full(_BUCKETS + 1, -1, np.int32)
    after, before = np.empty(size, np.int32), np.full(size, -1, np.int32)
    base = 0.0
    for k in range(len(seeds)):
        i = (seeds[k, 0] + _RIM) * wide + seeds[k, 1] + _RIM
        if seed_minutes[k] < minutes[i] and seed_minutes[k] <= limit:
            if before[i] == -1:
                after[i] = head[_BUCKETS]
                if after[i] >= 0:
                    before[after[i]] = i
                head[_BUCKETS] = i
                before[i] = -2 - _BUCKETS
            minutes[i] = seed_minutes[k]
            if asked:
                owner[i] = k
    waited = np.zeros(size if len(targets) else 0, np.bool_)
    missing = 0
    for k in range(len(targets)):
        i = (targets[k, 0] + _RIM) * wide + targets[k, 1] + _RIM
        if minutes[i] >= 0 and not waited[i]:
            waited[i] = True
            missing += 1
    bucket = _BUCKETS
    while len(targets) == 0 or missing > 0:
        if bucket == _BUCKETS:
            # all open buckets are done: open those from the least that waits
            i = head[_BUCKETS]
            if i < 0:
                break
            base = np.inf
            while i >= 0:
                base = min(base, np.floor(minutes[i] / width))
                i = after[i]
            i, head[_BUCKETS] = head[_BUCKETS], -1
            while i >= 0:
                following = after[i]
                place = min(minutes[i] / width - base, float(_BUCKETS))
                slot = int(place)
                after[i] = head[slot]
                if after[i] >= 0:
                    before[after[i]] = i
                head[slot] = i
                before[i] = -2 - slot
                i = following
            bucket = 0
        while head[bucket] >= 0:
            i = head[bucket]
            head[bucket] = after[i]
            if after[i] >= 0:
                before[after[i]] = -2 - bucket
            before[i] = -1
            if missing > 0 and waited[i]:
                waited[i] = False
                missing -= 1
            now, level = minutes[i], z[i]
            walk_here = max(p[i], 0.0)
            ride_here = walk_here - p[i]
            for m in range(many):
                j = i + step[m]
                known = minutes[j]
                if known <= now:
                    continue
                walk = max(p[j], 0.0)
                ride = ride_here + (walk - p[j])
                walk += walk_here
                if m >= 8:
                    # the cells passed between count too, and a barrier there bars the move
                    a, b = i + first[m], i + second[m]
                    if minutes[a] < 0 or minutes[b] < 0:
                        continue
                    walk_a, walk_b = max(p[a], 0.0), max(p[b], 0.0)
                    ride += (walk_a - p[a]) + (walk_b - p[b])
                    walk += walk_a + walk_b
                rise = z[j] - level
                if math.isnan(rise):
                    rise = 0.0
                # a cliff of more than 200 to 1 would make it infinite, and a share of nothing walked not a number
                power = 3.5 * (min(abs(rise * run[m] + 0.05), 200.0) - 0.05)
                # exp(x) is never below 1 + x: most moves need no exponential to be seen as too slow
                if now + half[m] * (ride + walk * (0.999999 + power)) >= known:
                    continue
                then = now + half[m] * (ride + walk * math.exp(power))
                if then >= known or then > limit:
                    continue
                if m >= 4 and m < 8 and minutes[i + first[m]] < 0 and minutes[i + second[m]] < 0:
                    continue
                if hindered and (blocked[i // wide - _RIM, i % wide - _RIM] >> m) & 1:
                    continue
                if asked:
                    k = owner[i]
                    down = (j // wide - _RIM - seeds[k, 0]) * cell_y
                    across = (j % wide - _RIM - seeds[k, 1]) * cell_x
                    if down * down + across * across > radius * radius:
                        continue
                    owner[j] = k
                minutes[j] = then
                slot = int(min(then / width - base, float(_BUCKETS)))
                if before[j] != -1:
                    if slot == int(min(known / width - base, float(_BUCKETS))):
                        continue
                    if before[j] >= 0:
                        after[before[j]] = after[j]
                    else:
                        head[-2 - before[j]] = after[j]
                    if after[j] >= 0:
                        before[after[j]] = before[j]
                after[j] = head[slot]
                if after[j] >= 0:
                    before[after[j]] = j
                head[slot] = j
                before[j] = -2 - slot
        bucket += 1
    for r in range(rows):
        for c in range(columns):
            i = (r + _RIM) * wide + c + _RIM
            if minutes[i] >= 0 and before[i] == -1:
                out[r, c] = minutes[i]
                if asked and owner[i] >= 0:
                    whose[r, c] = owners[owner[i]]
    return out, whose
