"""The compiled inner part of whole villages: moves, exchanges and short chains of moves under a falling threshold.

Importing this module imports numba, so others import it inside functions only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

_GRADES, _BANDS = 9, 3
# columns of the tables of options and schools, of what stands at each school, and of what an option is worth
OWNER, SCHOOL, RANK, BED_ONLY = range(4)
ROOMS, BEDS, MIXED, LONGEST, FIRST = range(_GRADES, _GRADES + 5)
COUNT, OVER = range(2)
COST, RELIEF, SPARED = range(3)
# steps after which the threshold falls and the schools above their seats are looked up anew
_STRETCH = 1024
# share of the steps at the end in which nothing worse is taken
_STILL = 0.1
# share of the steps that begin at a school above its seats, that move a second village, and of those that put it where the first was;
# where areas stay in one piece, share of the steps that take a neighbour along
_FOCUS, _SECOND, _EXCHANGE, _ALONG = 0.3, 0.75, 0.5, 0.2
# a step must gain this much to be taken when nothing worse is
_GAIN = 1e-6


class Facts(NamedTuple):
    """What a search does not change.

    Parameters
    ----------
    pupils
        Villages x 9, whole; a village is a settlement's children of one band.
    band
        Of each village, 0 to 2.
    start
        Options of village u are ``start[u]`` to ``start[u + 1]``, the likeliest first.
    options
        Village and school of each option, the order in which the options of a school get its beds (-1 where none is wanted), and whether
        there is no day way (1: who has no bed has no place and no seat).
    worth
        Cost of each option if the whole village goes there without beds, what a bed saves a child, and what beds save the village at most.
    by_school
        Options of each village by rising school, in the same places as ``start`` says.
    none
        Cost of each village without a school.
    schools
        Sizes of a class of grades 1 to 9 (0: not taught), rooms, beds, size of a class of several grades (0: there are none), the most
        grades in one, and where the school's villages begin in ``members``.
    link_start, links
        Neighbours of node n are ``links[link_start[n]:link_start[n + 1]]``: nodes are villages, then grounds that anybody may cross.
        Empty: no area need be in one piece.
    """

    pupils: np.ndarray
    band: np.ndarray
    start: np.ndarray
    options: np.ndarray
    worth: np.ndarray
    by_school: np.ndarray
    none: np.ndarray
    schools: np.ndarray
    link_start: np.ndarray
    links: np.ndarray


class Standing(NamedTuple):
    """Where a search stands: what was chosen, and what follows from it at each school.

    Parameters
    ----------
    chosen
        Option of each village, -1: none.
    load
        Schools x 9: children of its villages, and others who have a seat.
    short
        Schools x 9: children of the load without bed and day way, who take no seat.
    held
        Villages of each school, and children above its seats.
    saved
        What the beds of each school save.
    members
        Villages of each school from its place on.
    place
        Where in ``members`` each village is.
    """

    chosen: np.ndarray
    load: np.ndarray
    short: np.ndarray
    held: np.ndarray
    saved: np.ndarray
    members: np.ndarray
    place: np.ndarray


class _Room(NamedTuple):
    """Room to reckon in."""

    row: np.ndarray
    short: np.ndarray
    takes: np.ndarray
    wanting: np.ndarray
    seen: np.ndarray
    stack: np.ndarray


@njit(cache=True, nogil=True)
def search(facts: Facts, standing: Standing, price: float, hot: float, cold: float, steps: int, seed: int) -> None:
    """Move villages so that the sum of costs falls; what stands at the end is left in ``standing``.

    A step moves a village to another school, and often a village of that school to where the first was or elsewhere. It is taken where
    the sum rises by no more than a threshold, which falls from ``hot`` to ``cold`` and then to nothing. Areas stay in one piece; then
    a step may also take a neighbour along.

    Parameters
    ----------
    facts
        Villages, options, schools.
    standing
        Options to begin with, members and load of each school that follow; changed in place.
    price
        Cost of a child above the seats.
    hot, cold
        Thresholds at the beginning and the end.
    steps
        How many are tried.
    seed
        Of the choices, above 0.

    References
    ----------
    Dueck, G., & Scheuer, T. (1990). Threshold accepting. Journal of Computational Physics, 90(1).

    Examples
    --------
    Two villages of 30 children begin at the one room of the first of two schools, five minutes from the second.

    >>> pupils, none = 30 * np.eye(9, dtype=int)[[0, 0]], np.zeros(0, int)
    >>> options = np.array([[0, 0, -1, 0], [0, 1, -1, 0], [1, 0, -1, 0], [1, 1, -1, 0]])
    >>> worth = np.array([[0.0, 0.0, 0.0], [150.0, 0.0, 0.0], [0.0, 0.0, 0.0], [120.0, 0.0, 0.0]])
    >>> schools = np.array([[45, *[0] * 8, 1, 0, 0, 1, first] for first in (0, 2)])
    >>> facts = Facts(
    ...     pupils, np.zeros(2, int), np.array([0, 2, 4]), options, worth, np.arange(4), np.full(2, 3e7), schools, none, none)
    >>> load = np.array([pupils.sum(axis=0), np.zeros(9, int)])
    >>> standing = Standing(
    ...     np.array([0, 2]), load, np.zeros((2, 9), int), np.array([[2, 0], [0, 0]]), np.zeros(2), np.array([0, 1, 0, 0]), np.array([0, 1]))
    >>> search(facts, standing, 1e4, 5e3, 5.0, 1000, 1)
    >>> standing.chosen.tolist()
    [0, 3]
    """
    # arrays by name: to take them out of a record in a loop costs more than the loop
    start, options, worth, none, schools, pupils = facts.start, facts.options, facts.worth, facts.none, facts.schools, facts.pupils
    chosen, held, saved, members = standing.chosen, standing.held, standing.saved, standing.members
    room = _room(facts)
    touched = np.zeros(4, np.int64)
    villages, pieces = len(start) - 1, len(facts.link_start) > 0
    for k in range(len(schools)):
        _settle(facts, standing, room, k)
    state = np.array([seed], np.uint64)
    full, many = np.zeros(len(schools), np.int64), 0
    falling = int(steps * (1.0 - _STILL))
    limit = hot
    for step in range(steps):
        if step % _STRETCH == 0:
            limit = hot * (cold / hot) ** (step / falling) if step < falling else -_GAIN
            many = 0
            for k in range(len(schools)):
                if held[k, OVER] > 0 and held[k, COUNT] > 0:
                    full[many] = k
                    many += 1
        u = int(_next(state) * villages)
        if many > 0 and _next(state) < _FOCUS:
            k = full[int(_next(state) * many)]
            if held[k, COUNT] > 0:
                u = members[schools[k, FIRST] + int(_next(state) * held[k, COUNT])]
        option, old = _likely(start, u, state), chosen[u]
        if option < 0 or option == old:
            continue
        k, h = options[option, SCHOOL], options[old, SCHOOL] if old >= 0 else -1
        v, second = -1, -1
        if pieces and _next(state) < _ALONG:
            # a neighbour comes along
            v = _neighbour(facts, u, state)
            second = _option_at(start, options, facts.by_school, v, k) if v >= 0 else -1
        elif _next(state) < _SECOND:
            if held[k, COUNT] == 0:
                continue
            v = members[schools[k, FIRST] + int(_next(state) * held[k, COUNT])]
            second = _option_at(start, options, facts.by_school, v, h) if _next(state) < _EXCHANGE else _likely(start, v, state)
        if v >= 0 and (second < 0 or second == chosen[v]):
            continue
        # what changes but for seats and beds, and how much these may give at most: no step takes longer than until it is hopeless
        rise = worth[option, COST] - (worth[old, COST] if old >= 0 else none[u])
        hope, f, t = worth[option, SPARED], -1, -1
        if v >= 0:
            f, t = options[chosen[v], SCHOOL] if chosen[v] >= 0 else -1, options[second, SCHOOL]
            rise += worth[second, COST] - (worth[chosen[v], COST] if chosen[v] >= 0 else none[v])
            hope += worth[second, SPARED]
        touched[0], touched[1], touched[2], touched[3] = h, k, f, t
        for i in range(4):
            for j in range(i):
                if touched[j] == touched[i]:
                    touched[i] = -1
            if touched[i] >= 0:
                hope += price * held[touched[i], OVER]
        for i in range(4):
            if rise - hope > limit:
                break
            s = touched[i]
            if s < 0:
                continue
            out, also = u if s == h else -1, v if s == f else -1
            hope -= price * held[s, OVER]
            if s != k and s != t and held[s, OVER] == 0 and options[chosen[out if out >= 0 else also], RANK] < 0 and (out < 0 or also < 0):
                # nothing is gained where nobody is above the seats or wants a bed
                continue
            into, too = option if s == k else -1, second if s == t else -1
            hope -= (worth[into, SPARED] if into >= 0 else 0.0) + (worth[too, SPARED] if too >= 0 else 0.0)
            rise += _change(
                price, s, out, also, into, too, chosen, held, saved, members, standing.load, standing.short, schools, options, worth, pupils,
                room.row, room.short, room.takes, room.wanting,
            )  # fmt: skip
        if rise <= limit and (not pieces or _in_pieces(facts, standing, room, u, option, v, second)):
            _take(facts, standing, room, u, option, v, second)


@njit(cache=True, nogil=True)
def unite(facts: Facts, standing: Standing) -> None:
    """Keep the largest piece of every school and band, and give the villages of the others to a school whose area they touch, if any.

    Parameters
    ----------
    facts
        Villages, options, schools, and who borders on whom.
    standing
        Options to begin with, members and load of each school that follow; changed in place.
    """
    room = _room(facts)
    piece = np.full(len(facts.start) - 1, -1, np.int64)
    for k in range(len(facts.schools)):
        for band in range(_BANDS):
            best, most = -1, -1
            for u in _members(facts, standing, k):
                if facts.band[u] != band or piece[u] >= 0:
                    continue
                _reach(facts, standing, room, k, u, -1, -1, -1, -1)
                children = 0
                for v in _members(facts, standing, k):
                    if facts.band[v] == band and room.seen[v] == room.seen[-1]:
                        piece[v] = u
                        children += facts.pupils[v].sum()
                if children > most:
                    best, most = u, children
            for u in _members(facts, standing, k).copy():
                if facts.band[u] == band and piece[u] != best:
                    _leave(facts, standing, u)
    changed = True
    while changed:
        changed = False
        for u in range(len(facts.start) - 1):
            if standing.chosen[u] >= 0:
                continue
            for option in range(facts.start[u], facts.start[u + 1]):
                if _in_piece(facts, standing, room, facts.options[option, SCHOOL], facts.band[u], -1, -1, u, -1):
                    _join(facts, standing, u, option)
                    changed = True
                    break


@njit(cache=True, nogil=True)
def _room(facts: Facts) -> _Room:
    villages, nodes = len(facts.start) - 1, max(len(facts.link_start) - 1, 0)
    return _Room(
        np.zeros(_GRADES, np.int64), np.zeros(_GRADES, np.int64), np.zeros((2 * _GRADES, 2), np.int64), np.zeros(villages + 1, np.int64),
        np.zeros(nodes + 1, np.int64), np.zeros(nodes + 1, np.int64),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _next(state: np.ndarray) -> float:
    """Return the next number from 0 to 1 (xorshift; Marsaglia 2003)."""
    x = state[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    state[0] = x
    return (x >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def _likely(start: np.ndarray, u: int, state: np.ndarray) -> int:
    """Draw an option of a village, the first far more often than the last; -1 where there is none."""
    part = _next(state)
    many = start[u + 1] - start[u]
    return start[u] + int(many * part * part * part) if many > 0 else -1


@njit(cache=True, nogil=True)
def _option_at(start: np.ndarray, options: np.ndarray, by_school: np.ndarray, u: int, k: int) -> int:
    """Return the option of a village at a school, -1 if it has none."""
    low, high = start[u], start[u + 1]
    while low < high:
        middle = (low + high) // 2
        if options[by_school[middle], SCHOOL] < k:
            low = middle + 1
        else:
            high = middle
    return by_school[low] if low < start[u + 1] and options[by_school[low], SCHOOL] == k else -1


@njit(cache=True, nogil=True)
def _at(facts: Facts, standing: Standing, u: int) -> int:
    return facts.options[standing.chosen[u], SCHOOL] if standing.chosen[u] >= 0 else -1


@njit(cache=True, nogil=True)
def _members(facts: Facts, standing: Standing, k: int) -> np.ndarray:
    return standing.members[facts.schools[k, FIRST] : facts.schools[k, FIRST] + standing.held[k, COUNT]]


@njit(cache=True, nogil=True)
def _neighbour(facts: Facts, u: int, state: np.ndarray) -> int:
    """Draw a village that borders on another; -1 where the draw is open ground or there is none."""
    many = facts.link_start[u + 1] - facts.link_start[u]
    if many == 0:
        return -1
    v = facts.links[facts.link_start[u] + int(_next(state) * many)]
    return v if v < len(facts.start) - 1 else -1


# ---- what a step costs


@njit(cache=True, nogil=True)
def _change(
    price: float, k: int, out: int, also: int, into: int, too: int, chosen: np.ndarray, held: np.ndarray, saved: np.ndarray, members: np.ndarray,
    load: np.ndarray, short: np.ndarray, schools: np.ndarray, options: np.ndarray, worth: np.ndarray, pupils: np.ndarray, row: np.ndarray,
    lacking: np.ndarray, takes: np.ndarray, wanting: np.ndarray,
) -> float:  # fmt: skip
    """Return what the seats and beds of a school cost more without one or two villages and with one or two options."""
    beds = (into >= 0 and options[into, RANK] >= 0) or (too >= 0 and options[too, RANK] >= 0)
    beds = beds or (out >= 0 and options[chosen[out], RANK] >= 0) or (also >= 0 and options[chosen[also], RANK] >= 0)
    now = saved[k]
    if beds:
        now = _allot(k, out, also, into, too, chosen, held, members, schools, options, worth, pupils, lacking, wanting)
    for g in range(_GRADES):
        n = load[k, g] - (lacking[g] if beds else short[k, g])
        if out >= 0:
            n -= pupils[out, g]
        if also >= 0:
            n -= pupils[also, g]
        if into >= 0:
            n += pupils[options[into, OWNER], g]
        if too >= 0:
            n += pupils[options[too, OWNER], g]
        row[g] = n
    return price * (_above(k, schools, row, takes) - held[k, OVER]) + saved[k] - now


@njit(cache=True, nogil=True)
def _allot(
    k: int, out: int, also: int, into: int, too: int, chosen: np.ndarray, held: np.ndarray, members: np.ndarray, schools: np.ndarray,
    options: np.ndarray, worth: np.ndarray, pupils: np.ndarray, lacking: np.ndarray, wanting: np.ndarray,
) -> float:  # fmt: skip
    """Give out the beds of a school by rank; return what they save, and in ``lacking`` who has neither bed nor day way."""
    many, first, count = 0, schools[k, FIRST], held[k, COUNT]
    lacking[:] = 0
    for i in range(count + 2):
        # the options that come are last
        wants = into if i == count else too if i > count else chosen[members[first + i]]
        if i < count and (members[first + i] == out or members[first + i] == also):
            continue
        if wants < 0 or options[wants, RANK] < 0:
            continue
        at = many
        while at > 0 and options[wanting[at - 1], RANK] > options[wants, RANK]:
            wanting[at] = wanting[at - 1]
            at -= 1
        wanting[at] = wants
        many += 1
    left, gain = schools[k, BEDS], 0.0
    for i in range(many):
        wants, given = wanting[i], 0
        for g in range(_GRADES):
            # the lower grades first
            n = pupils[options[wants, OWNER], g]
            bed = min(n, left)
            left -= bed
            given += bed
            if options[wants, BED_ONLY]:
                lacking[g] += n - bed
        gain += given * worth[wants, RELIEF]
    return gain


@njit(cache=True, nogil=True)
def _above(k: int, schools: np.ndarray, row: np.ndarray, takes: np.ndarray) -> int:
    """Count the children of a row above the seats of a school, as :func:`layout.villages.above_seats` does."""
    extra, taught, first, many = 0, 0, -1, 0
    for g in range(_GRADES):
        if schools[k, g] == 0:
            extra += row[g]
        else:
            taught |= 1 << g
            many += 1
            if first < 0:
                first = g
    best = _alone(k, schools, row, takes, schools[k, ROOMS], taught)
    if schools[k, MIXED] == 0 or best == 0:
        return extra + best
    # every cut into runs of neighbours (a school's grades follow each other): bit i cuts after the i-th grade
    # all cuts at once are the classes of one grade above
    for cuts in range((1 << (many - 1)) - 1):
        begin, classes, over, single, fits = 0, 0, 0, 0, True
        while begin < many and fits:
            end, together = begin, row[first + begin]
            while end < many - 1 and not cuts >> end & 1:
                end += 1
                together += row[first + end]
            if end == begin:
                single |= 1 << (first + begin)
            else:
                classes += 1
                fits = end - begin < schools[k, LONGEST]
                over += max(together - schools[k, MIXED], 0)
            begin = end + 1
        if fits and classes <= schools[k, ROOMS] and over < best:
            best = min(best, over + _alone(k, schools, row, takes, schools[k, ROOMS] - classes, single))
    return extra + best


@njit(cache=True, nogil=True)
def _alone(k: int, schools: np.ndarray, row: np.ndarray, takes: np.ndarray, rooms: int, grades: int) -> int:
    """Count the children of some grades (bits) above their seats in classes of one grade: rooms go to the classes that take most."""
    needed, over = 0, 0
    for g in range(_GRADES):
        if grades >> g & 1 and row[g] > 0:
            needed += -(-row[g] // schools[k, g])
            over += row[g]
    if needed <= rooms:
        return 0
    many = 0
    for g in range(_GRADES):
        if grades >> g & 1 and row[g] > 0:
            # classes that are full, and one with the rest
            takes[many, 0], takes[many, 1] = schools[k, g], row[g] // schools[k, g]
            takes[many + 1, 0], takes[many + 1, 1] = row[g] % schools[k, g], 1
            many += 2
    while rooms > 0:
        best = 0
        for i in range(1, many):
            if takes[i, 0] > takes[best, 0]:
                best = i
        used = min(rooms, takes[best, 1])
        over -= used * takes[best, 0]
        rooms -= used
        takes[best, 0] = 0
    return over


# ---- taking a step


@njit(cache=True, nogil=True)
def _take(facts: Facts, standing: Standing, room: _Room, u: int, option: int, v: int, second: int) -> None:
    h = _at(facts, standing, u)
    if h >= 0:
        _leave(facts, standing, u)
    if v >= 0:
        f = _at(facts, standing, v)
        if f >= 0:
            _leave(facts, standing, v)
        _join(facts, standing, v, second)
        _settle(facts, standing, room, facts.options[second, SCHOOL])
        if f >= 0:
            _settle(facts, standing, room, f)
    _join(facts, standing, u, option)
    _settle(facts, standing, room, facts.options[option, SCHOOL])
    if h >= 0:
        _settle(facts, standing, room, h)


@njit(cache=True, nogil=True)
def _leave(facts: Facts, standing: Standing, u: int) -> None:
    k = facts.options[standing.chosen[u], SCHOOL]
    last = standing.members[facts.schools[k, FIRST] + standing.held[k, COUNT] - 1]
    standing.members[standing.place[u]] = last
    standing.place[last] = standing.place[u]
    standing.held[k, COUNT] -= 1
    for g in range(_GRADES):
        standing.load[k, g] -= facts.pupils[u, g]
    standing.chosen[u] = -1


@njit(cache=True, nogil=True)
def _join(facts: Facts, standing: Standing, u: int, option: int) -> None:
    k = facts.options[option, SCHOOL]
    standing.place[u] = facts.schools[k, FIRST] + standing.held[k, COUNT]
    standing.members[standing.place[u]] = u
    standing.held[k, COUNT] += 1
    for g in range(_GRADES):
        standing.load[k, g] += facts.pupils[u, g]
    standing.chosen[u] = option


@njit(cache=True, nogil=True)
def _settle(facts: Facts, standing: Standing, room: _Room, k: int) -> None:
    """Reckon beds and seats of a school anew."""
    standing.saved[k] = _allot(
        k, -1, -1, -1, -1, standing.chosen, standing.held, standing.members, facts.schools, facts.options, facts.worth, facts.pupils, room.short,
        room.wanting,
    )  # fmt: skip
    for g in range(_GRADES):
        standing.short[k, g] = room.short[g]
        room.row[g] = standing.load[k, g] - room.short[g]
    standing.held[k, OVER] = _above(k, facts.schools, room.row, room.takes)


# ---- areas in one piece


@njit(cache=True, nogil=True)
def _in_pieces(facts: Facts, standing: Standing, room: _Room, u: int, option: int, v: int, second: int) -> bool:
    """Say whether the areas that a step touches stay in one piece."""
    h, k, band = _at(facts, standing, u), facts.options[option, SCHOOL], facts.band[u]
    f = _at(facts, standing, v) if v >= 0 else -1
    t = facts.options[second, SCHOOL] if v >= 0 else -1
    alike = v >= 0 and facts.band[v] == band
    for s in (h, k):
        out, into = u if s == h else -1, u if s == k else -1
        also, too = v if alike and s == f else -1, v if alike and s == t else -1
        if s >= 0 and not _in_piece(facts, standing, room, s, band, out, also, into, too):
            return False
    for s in (f, t):
        # those looked at already
        if s < 0 or (alike and s in (h, k)):
            continue
        if not _in_piece(facts, standing, room, s, facts.band[v], v if s == f else -1, -1, v if s == t else -1, -1):
            return False
    return True


@njit(cache=True, nogil=True)
def _in_piece(facts: Facts, standing: Standing, room: _Room, k: int, band: int, out: int, also: int, into: int, too: int) -> bool:
    """Say whether the villages of a school and band are one piece without one or two villages and with others."""
    many, begin = 0, -1
    for w in _members(facts, standing, k):
        if facts.band[w] == band and w != out and w != also:
            many, begin = many + 1, w
    for w in (into, too):
        if w >= 0:
            many, begin = many + 1, w
    return many <= 1 or _reach(facts, standing, room, k, begin, out, also, into, too) == many


@njit(cache=True, nogil=True)
def _reach(facts: Facts, standing: Standing, room: _Room, k: int, begin: int, out: int, also: int, into: int, too: int) -> int:
    """Count the villages of a school that can be reached from one of them, across open grounds too."""
    villages = len(facts.start) - 1
    # the last entry is the mark of this search
    room.seen[-1] += 1
    mark = room.seen[-1]
    room.seen[begin], room.stack[0] = mark, begin
    many, top = 0, 1
    while top > 0:
        top -= 1
        here = room.stack[top]
        if here < villages:
            many += 1
        for i in range(facts.link_start[here], facts.link_start[here + 1]):
            there = facts.links[i]
            if room.seen[there] == mark or there in (out, also):
                continue
            if there >= villages or there in (into, too) or _at(facts, standing, there) == k:
                room.seen[there] = mark
                room.stack[top] = there
                top += 1
    return many
