"""The compiled inner part of the bound of a plan: the best that each site can make of prices for children, over all plan years.

Importing this module imports numba, so others import it inside functions only. A price is what serving a child is worth; gains are prices less
costs. Children are counted by *segments*: those who may come to a site in a plan year in a grade.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_NEVER = -1e30
# grades of a school, and what a seat in the parts of a new one is called
_GRADES = 9
_LEAST = 1e-12


@njit(cache=True, nogil=True)
def sort_segment(order: np.ndarray, gain: np.ndarray, first: int, last: int) -> None:
    """Sort the entries of a segment by falling gain, from an order that is nearly right.

    Parameters
    ----------
    order
        Entries by segment; changed between ``first`` and ``last``.
    gain
        Of the entries.
    first, last
        Where the segment begins and ends.

    Examples
    --------
    >>> order = np.arange(3)
    >>> sort_segment(order, np.array([1.0, 3.0, 2.0]), 0, 3), order.tolist()
    (None, [1, 2, 0])
    """
    for i in range(first + 1, last):
        entry = order[i]
        worth, j = gain[entry], i - 1
        while j >= first and gain[order[j]] < worth:
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = entry


@njit(cache=True, nogil=True)
def seat_gains(order: np.ndarray, gain: np.ndarray, count: np.ndarray, first: int, last: int, size: float, above: float, out: np.ndarray) -> int:
    """Add up what seats gain, class by class: the best children sit first, and a child without a seat costs ``above``.

    Parameters
    ----------
    order, gain, count
        Entries by falling gain in the segment; gain of a child; children.
    first, last
        The segment.
    size
        Children of a class.
    above
        What a child above the standard costs.
    out
        ``out[c]`` is set to the gain of c classes.

    Returns
    -------
    int
        Classes beyond which nothing is gained.

    Examples
    --------
    >>> out = np.zeros(5)
    >>> seat_gains(np.array([0, 1]), np.array([9.0, 2.0]), np.array([3.0, 3.0]), 0, 2, 4.0, 5.0, out), out[:3].tolist()
    (2, [0.0, 17.0, 21.0])
    """
    out[0] = 0.0
    c, left, total, i, rest = 0, 0.0, 0.0, first, 0.0
    if i < last:
        rest = count[order[i]]
    while i < last and gain[order[i]] > 0.0:
        if left <= _LEAST:
            if c + 1 >= len(out):
                return c
            c += 1
            left = size
            out[c] = total
        take = min(left, rest)
        total += take * min(gain[order[i]], above)
        out[c] = total
        left -= take
        rest -= take
        if rest <= _LEAST:
            i += 1
            if i < last:
                rest = count[order[i]]
    return c


@njit(cache=True, nogil=True)
def take_seats(
    order: np.ndarray, gain: np.ndarray, count: np.ndarray, segments: np.ndarray, number: int, starts: np.ndarray, seats: float, above: float,
    taken: np.ndarray,
) -> tuple[float, float]:  # fmt: skip
    """Seat the best children of some segments together, and add those whose gain bears to be above the standard.

    Parameters
    ----------
    order, gain, count, starts
        Entries, as in :func:`seat_gains`; ``starts`` of the segments.
    segments, number
        The first ``number`` of the segments sit together.
    seats
        Seats there are.
    above
        What a child without a seat costs.
    taken
        Children taken of each entry; set where it is more than there was.

    Returns
    -------
    tuple of float
        Gain of the seats (without what children gain above the standard), and children above the standard.

    Examples
    --------
    >>> taken = np.zeros(2)
    >>> given = np.array([0, 1]), np.array([9.0, 2.0]), np.array([3.0, 3.0]), np.array([0]), 1, np.array([0, 2])
    >>> take_seats(*given, 4.0, 5.0, taken), taken.tolist()
    ((17.0, 0.0), [3.0, 1.0])
    """
    place = np.empty(number, np.int64)
    for s in range(number):
        place[s] = starts[segments[s]]
    left, total, over = seats, 0.0, 0.0
    while True:
        best, at = 0.0, -1
        for s in range(number):
            if place[s] < starts[segments[s] + 1] and gain[order[place[s]]] > best:
                best, at = gain[order[place[s]]], s
        if at < 0:
            break
        entry = order[place[at]]
        place[at] += 1
        sits = min(left, count[entry])
        left -= sits
        total += sits * min(best, above)
        if best > above:
            over += count[entry] - sits
            sits = count[entry]
        if sits > taken[entry]:
            taken[entry] = sits
        if left <= _LEAST and best <= above:
            break
    return total, over


@njit(cache=True, nogil=True)
def best_rooms(
    order: np.ndarray, gain: np.ndarray, count: np.ndarray, starts: np.ndarray, segment: int, first: int, last: int, size: np.ndarray, above: float,
    mixed: float, longest: int, least: int, rooms: int, worth: np.ndarray, choice: np.ndarray,
) -> None:  # fmt: skip
    """Find the most that at most so many rooms gain, for every number of rooms: classes by grade, neighbouring grades together where they may.

    Parameters
    ----------
    order, gain, count, starts
        Entries, as in :func:`seat_gains`.
    segment
        Segment of grade 1.
    first, last
        Grades.
    size
        Children of a class by grade.
    above
        What a child above the standard costs.
    mixed, longest
        Children and grades of a class of several grades; ``longest`` 1: none.
    least
        Classes that a grade has at least, unless it sits with others.
    rooms
        Most rooms.
    worth
        ``worth[r]`` is set to the gain of the seats in r rooms; very low where the least classes do not fit.
    choice
        ``choice[g, r]`` of the last grade g and r rooms: classes of the grade, or minus the number of grades that sit together.

    References
    ----------
    Dynamic programming over the grades; the classes of a grade gain less one after another.

    Examples
    --------
    >>> worth, choice = np.zeros(3), np.zeros((9, 3), np.int64)
    >>> given = np.array([0, 1]), np.array([9.0, 2.0]), np.array([3.0, 3.0]), np.array([0, 1, 2] + [2] * 8)
    >>> best_rooms(*given, 0, 1, 2, np.full(9, 4.0), 99.0, 4.0, 2, 0, 2, worth, choice), worth.tolist()
    (None, [0.0, 29.0, 33.0])
    """
    grades = last - first + 1
    value = np.full((grades + 1, rooms + 1), _NEVER)
    value[0, :] = 0.0
    gains = np.empty(rooms + 2)
    together, none = np.empty(_GRADES, np.int64), np.zeros(0)
    for i in range(1, grades + 1):
        g = first + i - 1
        s = segment + g - 1
        most = seat_gains(order, gain, count, starts[s], starts[s + 1], size[g - 1], above, gains)
        for c in range(most + 1, least + 1):
            gains[c] = gains[most]
        most = min(max(most, least), rooms)
        for r in range(rooms + 1):
            for c in range(least, min(most, r) + 1):
                if value[i - 1, r - c] + gains[c] > value[i, r]:
                    value[i, r] = value[i - 1, r - c] + gains[c]
                    choice[g - 1, r] = c
        for n in range(2, min(longest, i) + 1):
            for j in range(n):
                together[j] = s - j
            run = _run_gain(order, gain, count, together, n, starts, mixed, above, none)
            for r in range(1, rooms + 1):
                if value[i - n, r - 1] + run > value[i, r]:
                    value[i, r] = value[i - n, r - 1] + run
                    choice[g - 1, r] = -n
    for r in range(rooms + 1):
        worth[r] = value[grades, r]


@njit(cache=True, nogil=True)
def _run_gain(
    order: np.ndarray, gain: np.ndarray, count: np.ndarray, segments: np.ndarray, number: int, starts: np.ndarray, seats: float, above: float,
    none: np.ndarray,
) -> float:  # fmt: skip
    place = np.empty(number, np.int64)
    for s in range(number):
        place[s] = starts[segments[s]]
    left, total = seats, 0.0
    while left > _LEAST:
        best, at = 0.0, -1
        for s in range(number):
            if place[s] < starts[segments[s] + 1] and gain[order[place[s]]] > best:
                best, at = gain[order[place[s]]], s
        if at < 0:
            break
        sits = min(left, count[order[place[at]]])
        place[at] += 1
        left -= sits
        total += sits * min(best, above)
    return total


@njit(cache=True, nogil=True)
def spare_gain(
    order: np.ndarray, gain: np.ndarray, count: np.ndarray, starts: np.ndarray, segment: int, first: int, last: int, above: float
) -> float:
    """Add up what children gain even where none of them has a seat.

    Parameters
    ----------
    order, gain, count, starts, segment, first, last, above
        As in :func:`best_rooms`.

    Returns
    -------
    float
        Sum of what gains exceed ``above``.

    Examples
    --------
    >>> spare_gain(np.array([0]), np.array([9.0]), np.array([3.0]), np.array([0, 1] + [1] * 9), 0, 1, 1, 5.0)
    12.0
    """
    total = 0.0
    for g in range(first, last + 1):
        for i in range(starts[segment + g - 1], starts[segment + g]):
            over = gain[order[i]] - above
            if over <= 0.0:
                break
            total += over * count[order[i]]
    return total


@njit(cache=True, nogil=True)
def take_rooms(
    order: np.ndarray, gain: np.ndarray, count: np.ndarray, starts: np.ndarray, segment: int, first: int, last: int, size: np.ndarray, above: float,
    mixed: float, rooms: int, choice: np.ndarray, taken: np.ndarray,
) -> float:  # fmt: skip
    """Take the children of the best classes in so many rooms.

    Parameters
    ----------
    order, gain, count, starts, segment, first, last, size, above, mixed, choice
        As in :func:`best_rooms`.
    rooms
        Rooms.
    taken
        Children taken of each entry.

    Returns
    -------
    float
        Children above the standard.

    Examples
    --------
    >>> worth, choice, taken = np.zeros(3), np.zeros((9, 3), np.int64), np.zeros(2)
    >>> given = np.array([0, 1]), np.array([9.0, 2.0]), np.array([3.0, 3.0]), np.array([0, 1, 2] + [2] * 8), 0, 1, 2, np.full(9, 4.0), 99.0, 4.0
    >>> best_rooms(*given, 2, 0, 1, worth[:2], choice)
    >>> take_rooms(*given, 1, choice, taken), taken.tolist()
    (0.0, [3.0, 1.0])
    """
    over, g, r = 0.0, last, rooms
    segments = np.empty(_GRADES, np.int64)
    while g >= first:
        c = choice[g - 1, r]
        n = 1 if c >= 0 else -c
        for j in range(n):
            segments[j] = segment + g - 1 - j
        seats = c * size[g - 1] if c >= 0 else mixed
        over += take_seats(order, gain, count, segments, n, starts, seats, above, taken)[1]
        r -= c if c >= 0 else 1
        g -= n
    return over


@njit(cache=True, nogil=True)
def path_of_rooms(worth: np.ndarray, year_cost: np.ndarray, have: int, most: np.ndarray, begin: int, rooms: np.ndarray) -> float:
    """Choose rooms for every plan year from a first one on, never fewer than before, for the most gain.

    Parameters
    ----------
    worth
        Years x rooms (those there and those added together).
    year_cost
        What a further room costs, by year.
    have
        Rooms there are.
    most
        Most rooms that may be added, by year.
    begin
        First plan year that counts.
    rooms
        Set to the rooms added, by year.

    Returns
    -------
    float
        The gain, very low where it cannot be.

    Examples
    --------
    >>> rooms = np.zeros(2, np.int64)
    >>> path_of_rooms(np.array([[0.0, 1.0], [0.0, 9.0]]), np.array([2.0, 2.0]), 0, np.array([1, 1]), 0, rooms), rooms.tolist()
    (7.0, [0, 1])
    """
    years = len(worth)
    top = most[years - 1]
    best, back = np.full((years, top + 1), _NEVER), np.zeros((years, top + 1), np.int64)
    for t in range(begin, years):
        before, at = 0.0, 0
        for a in range(min(top, most[t]) + 1):
            if t > begin and (a == 0 or best[t - 1, a] > before):
                before, at = best[t - 1, a], a
            best[t, a] = before + worth[t, have + a] - year_cost[t] * a
            back[t, a] = at
    total, a = _NEVER, 0
    for b in range(top + 1):
        if best[years - 1, b] > total:
            total, a = best[years - 1, b], b
    for t in range(years - 1, begin - 1, -1):
        rooms[t] = a
        a = back[t, a]
    for t in range(begin):
        rooms[t] = 0
    return total


@njit(cache=True, nogil=True)
def price_of_room(
    order: np.ndarray, gain: np.ndarray, count: np.ndarray, starts: np.ndarray, segment: int, first: int, last: int, most: float
) -> float:
    """Find the gain of the first child that finds no room in a school of so many children at most.

    Parameters
    ----------
    order, gain, count, starts, segment, first, last
        As in :func:`best_rooms`.
    most
        Children at most.

    Returns
    -------
    float
        0 where all who gain find room.

    Examples
    --------
    >>> price_of_room(np.array([0, 1]), np.array([9.0, 2.0]), np.array([3.0, 3.0]), np.array([0, 2] + [2] * 8), 0, 1, 1, 4.0)
    2.0
    """
    number = last - first + 1
    place = np.empty(number, np.int64)
    total = 0.0
    for j in range(number):
        place[j] = starts[segment + first - 1 + j]
        for i in range(place[j], starts[segment + first + j]):
            if gain[order[i]] <= 0.0:
                break
            total += count[order[i]]
    if total <= most:
        return 0.0
    found, best = 0.0, 0.0
    while found <= most:
        best, at = 0.0, -1
        for j in range(number):
            if place[j] < starts[segment + first + j] and gain[order[place[j]]] > best:
                best, at = gain[order[place[j]]], j
        if at < 0:
            return 0.0
        found += count[order[place[at]]]
        place[at] += 1
    return best


@njit(cache=True, nogil=True)
def part_gains(
    gain: np.ndarray, count: np.ndarray, day: np.ndarray, starts: np.ndarray, segment: int, first: int, last: int, bonus: float, only_day: bool,
    least: float, most: float, mine: np.ndarray, order: np.ndarray,
) -> float:  # fmt: skip
    """Set the gains of the children of a part: raised alike until its least children gain, lowered until no more than its most do.

    Parameters
    ----------
    gain, count, day, starts, segment
        Entries, as in :func:`best_rooms`; ``day`` where they come by day.
    first, last
        Grades of the part.
    bonus
        What each child gains besides.
    only_day
        Whether only those by day may come.
    least, most
        Children the part needs, of those by day where it is a primary part; and children at most.
    mine
        Set to the gains.
    order
        Sorted by them.

    Returns
    -------
    float
        How much the gains were raised (below zero: lowered); very low where too few children can come.

    Examples
    --------
    >>> mine, order = np.zeros(2), np.arange(2)
    >>> given = np.array([2.0, -1.0]), np.ones(2), np.ones(2, np.bool_), np.array([0, 2] + [2] * 8), 0, 1, 1
    >>> part_gains(*given, 0.0, True, 2.0, 9.0, mine, order), mine.tolist()
    (1.0, [3.0, 0.0])
    """
    junior = first > 6
    for s in range(segment + first - 1, segment + last):
        for e in range(starts[s], starts[s + 1]):
            mine[e] = gain[e] + bonus if day[e] or not only_day else _NEVER
        sort_segment(order, mine, starts[s], starts[s + 1])
    number = last - first + 1
    place = np.empty(number, np.int64)
    for j in range(number):
        place[j] = starts[segment + first - 1 + j]
    found, raised = 0.0, 0.0
    while found < least - 1e-9:
        best, at = _NEVER, -1
        for j in range(number):
            end = starts[segment + first + j]
            while place[j] < end and not (day[order[place[j]]] or junior):
                place[j] += 1
            if place[j] < end and mine[order[place[j]]] > best:
                best, at = mine[order[place[j]]], j
        if at < 0:
            return _NEVER
        found += count[order[place[at]]]
        place[at] += 1
        raised = max(0.0, -best)
    if raised > 0.0:
        for s in range(segment + first - 1, segment + last):
            for e in range(starts[s], starts[s + 1]):
                if day[e] or junior:
                    mine[e] += raised
            sort_segment(order, mine, starts[s], starts[s + 1])
        return raised
    lowered = price_of_room(order, mine, count, starts, segment, first, last, most)
    if lowered > 0.0:
        for s in range(segment + first - 1, segment + last):
            for e in range(starts[s], starts[s + 1]):
                mine[e] -= lowered
    return -lowered


@njit(cache=True, nogil=True)
def part_worth(
    gain: np.ndarray, count: np.ndarray, day: np.ndarray, starts: np.ndarray, segment: int, first: int, last: int, bonus: float, only_day: bool,
    needed: float, most: float, mine: np.ndarray, order: np.ndarray, size: np.ndarray, above: float, mixed: float, longest: int,
    least_rooms: int, worth: np.ndarray,
    choice: np.ndarray,
) -> None:  # fmt: skip
    """Find what a part of a new school gains in a plan year, by rooms.

    Parameters
    ----------
    gain, count, day, starts, segment, first, last, bonus, only_day, needed, most, mine, order
        As in :func:`part_gains`; ``needed`` the least children, ``most`` the most.
    size, above, mixed, longest, worth, choice
        As in :func:`best_rooms`.
    least_rooms
        Fewest rooms.

    Examples
    --------
    >>> worth, choice = np.zeros(2), np.zeros((9, 2), np.int64)
    >>> given = np.array([2.0, 1.0]), np.ones(2), np.ones(2, np.bool_), np.array([0, 2] + [2] * 8), 0, 1, 1, 0.0, True, 2.0, 9.0
    >>> given = *given, np.zeros(2), np.arange(2)
    >>> part_worth(*given, np.full(9, 30.0), 5.0, 30.0, 1, 1, worth, choice), float(worth[1])
    (None, 3.0)
    """
    plain = np.full(len(worth), np.inf)
    raised = part_gains(gain, count, day, starts, segment, first, last, bonus, only_day, needed, most, mine, order)
    if raised == _NEVER:
        worth[:] = _NEVER
        return
    if raised < 0.0:
        # seats may keep children out as well: the lesser of both
        for s in range(segment + first - 1, segment + last):
            for e in range(starts[s], starts[s + 1]):
                mine[e] -= raised
        best_rooms(order, mine, count, starts, segment, first, last, size, above, mixed, longest, 1, len(worth) - 1, plain, choice)
        plain += spare_gain(order, mine, count, starts, segment, first, last, above)
        for s in range(segment + first - 1, segment + last):
            for e in range(starts[s], starts[s + 1]):
                mine[e] += raised
    best_rooms(order, mine, count, starts, segment, first, last, size, above, mixed, longest, 1, len(worth) - 1, worth, choice)
    spare = spare_gain(order, mine, count, starts, segment, first, last, above) - (raised * needed if raised > 0.0 else raised * most)
    for r in range(len(worth)):
        worth[r] = min(worth[r] + spare, plain[r]) if r >= least_rooms and worth[r] > _NEVER / 2 else _NEVER


@njit(cache=True, nogil=True)
def visit(
    gain: np.ndarray, count: np.ndarray, day: np.ndarray, starts: np.ndarray, order: np.ndarray, second: np.ndarray, existing: np.ndarray,
    room_for: np.ndarray,
    have: np.ndarray, more: np.ndarray, room_cost: np.ndarray, size: np.ndarray, grades: np.ndarray, mixes: np.ndarray, parts: np.ndarray,
    opens: np.ndarray, must: np.ndarray, site_cost: np.ndarray, floor: np.ndarray, bonus: np.ndarray, least: np.ndarray, least_rooms: np.ndarray,
    largest: np.ndarray, bed_gain: np.ndarray, above: np.ndarray, mixed: float, longest: int, taken: np.ndarray, states: np.ndarray,
    rooms: np.ndarray, over: np.ndarray,
    profit: np.ndarray,
) -> None:  # fmt: skip
    """Let each site make the best of the gains: what opens when, rooms by plan year, whole classes and who comes.

    Parameters
    ----------
    gain, count, day, starts
        Entries in segments (site, plan year, grade).
    order, second
        Entries by segment, as sorted the last time; the second for new schools.
    existing, room_for
        Whether a school is open at the site, and its most children.
    have, more
        Rooms there are; rooms that may be added, by site and year.
    room_cost, size
        By site, group (small or a school of today, primary, junior) and year; ``size`` by grade too.
    grades, mixes
        First and last grade of a school of today; whether its grades may sit together.
    parts, opens, must
        Parts that a new school may have (small, further grades, primary, junior); the first plan year in which each may open, and in which it
        is known to be open (the number of years where it is not).
    site_cost, floor, bonus
        By year: cost of a new school, running cost of a small one and what each of its children takes off that.
    least, least_rooms, largest
        Least children by part; least rooms of a small school by its parts; most children of a small school, and of a full part.
    bed_gain
        By site and year: what beds gain if a full part is open from that year on.
    above
        Cost of a child above the standard, by year.
    mixed, longest
        Children and grades of a class of several grades.
    taken, states, rooms, over, profit
        Set to the children taken of each entry, by site and year the parts that are open (bits), by site, group and year the rooms added, the
        children above the standard, and what each site gains.

    References
    ----------
    The best over the years in which each part opens; rooms by dynamic programming over the years; least children by one price for all.
    """
    years = len(above)
    sites = len(existing)
    taken[:] = 0.0
    states[:] = 0
    rooms[:] = 0
    over[:] = 0.0
    mine = np.zeros(len(gain))
    none = np.full(years, 0, np.int64)
    for k in range(sites):
        base = k * years * _GRADES
        if existing[k]:
            top = have[k] + more[k, years - 1]
            worth = np.empty((years, top + 1))
            choice = np.zeros((years, _GRADES, top + 1), np.int64)
            first, last = grades[k, 0], grades[k, 1]
            run = longest if mixes[k] else 1
            plain = np.empty(top + 1)
            for t in range(years):
                segment = base + t * _GRADES
                for s in range(segment + first - 1, segment + last):
                    sort_segment(order, gain, starts[s], starts[s + 1])
                best_rooms(order, gain, count, starts, segment, first, last, size[k, 0, t], above[t], mixed, run, 0, top, worth[t], choice[t])
                spare = spare_gain(order, gain, count, starts, segment, first, last, above[t])
                lowered = price_of_room(order, gain, count, starts, segment, first, last, room_for[k])
                for s in range(segment + first - 1, segment + last):
                    for e in range(starts[s], starts[s + 1]):
                        mine[e] = gain[e] - lowered
                if lowered > 0.0:
                    # the largest size keeps children out: the lesser of both bounds
                    best_rooms(order, mine, count, starts, segment, first, last, size[k, 0, t], above[t], mixed, run, 0, top, plain, choice[t])
                    more_spare = spare_gain(order, mine, count, starts, segment, first, last, above[t]) + lowered * room_for[k]
                    for r in range(top + 1):
                        worth[t, r] = min(worth[t, r] + spare, plain[r] + more_spare)
                else:
                    for r in range(top + 1):
                        worth[t, r] += spare
                for r in range(have[k] + more[k, t] + 1, top + 1):
                    worth[t, r] = _NEVER
            path = np.zeros(years, np.int64)
            profit[k] = path_of_rooms(worth, room_cost[k, 0], have[k], more[k], 0, path)
            for t in range(years):
                rooms[k, 0, t] = path[t]
                segment = base + t * _GRADES
                over[k, t] = take_rooms(
                    order, mine, count, starts, segment, first, last, size[k, 0, t], above[t], mixed, have[k] + path[t], choice[t], taken
                )
            continue
        top = more[k, years - 1]
        most = more[k]
        best, kind, begin, later = _NEVER, 0, years, years
        forced = False
        for p in range(4):
            forced = forced or must[k, p] < years
        # a small school: grades 1 to 3 from one year on, the further ones from a later one
        if parts[k, 0]:
            lower = np.full((years, top + 1), _NEVER)
            both = np.full((years, top + 1), _NEVER)
            choice2 = np.zeros((_GRADES, top + 1), np.int64)
            for t in range(min(opens[k, 0], opens[k, 1]), years):
                segment = base + t * _GRADES
                if t >= opens[k, 0]:
                    part_worth(
                        gain, count, day, starts, segment, 1, 3, bonus[t], True, least[0], largest[0], mine, second, size[k, 0, t], above[t],
                        mixed, longest,
                        least_rooms[0], lower[t], choice2,
                    )  # fmt: skip
                if parts[k, 1] and t >= opens[k, 1]:
                    part_worth(
                        gain, count, day, starts, segment, 1, 6, bonus[t], True, least[1], largest[0], mine, second, size[k, 0, t], above[t],
                        mixed, longest,
                        least_rooms[1], both[t], choice2,
                    )  # fmt: skip
            for a in range(opens[k, 0], min(must[k, 0], years - 1) + 1):
                if must[k, 2] < years or must[k, 3] < years:
                    break
                fixed = 0.0
                for t in range(a, years):
                    fixed += site_cost[t] + floor[t]
                for b in range(max(a, opens[k, 1]) if parts[k, 1] else years, min(must[k, 1], years) + 1):
                    merged = lower.copy()
                    for t in range(b, years):
                        merged[t] = both[t]
                    value = path_of_rooms(merged, room_cost[k, 0], 0, most, a, none) - fixed
                    if value > best:
                        best, kind, begin, later = value, 1, a, b
        # full parts, each from its own year on
        if (parts[k, 2] or parts[k, 3]) and must[k, 0] >= years and must[k, 1] >= years:
            of_part = np.full((2, years + 1), _NEVER)
            of_part[:, years] = 0.0
            for q in range(2):
                if must[k, 2 + q] < years:
                    of_part[q, years] = _NEVER
                if not parts[k, 2 + q]:
                    continue
                first, last = (1, 6) if q == 0 else (7, 9)
                worth = np.full((years, top + 1), _NEVER)
                choice2 = np.zeros((_GRADES, top + 1), np.int64)
                for t in range(opens[k, 2 + q], years):
                    part_worth(
                        gain, count, day, starts, base + t * _GRADES, first, last, 0.0, False, least[2 + q], largest[1], mine, second, size[k,
                        1 + q, t],
                        above[t], mixed, 1, last - first + 1, worth[t], choice2,
                    )  # fmt: skip
                for a in range(opens[k, 2 + q], min(must[k, 2 + q], years - 1) + 1):
                    of_part[q, a] = path_of_rooms(worth, room_cost[k, 1 + q], 0, most, a, none)
            for a in range(years + 1):
                for b in range(years + 1):
                    start = min(a, b)
                    if start == years:
                        continue
                    fixed = 0.0
                    for t in range(start, years):
                        fixed += site_cost[t]
                    total = of_part[0, a] + of_part[1, b] - fixed + bed_gain[k, start]
                    if total > best:
                        best, kind, begin, later = total, 2, a, b
        profit[k] = best
        if kind == 0 or (best <= 0.0 and not forced):
            continue
        for q in range(2):
            # the small school as one group; or the two full parts
            if kind == 1 and q == 1:
                break
            start = begin if kind == 1 or q == 0 else later
            if start >= years:
                continue
            group = 0 if kind == 1 else 1 + q
            worth = np.full((years, top + 1), _NEVER)
            choice = np.zeros((years, _GRADES, top + 1), np.int64)
            for again in range(2):
                for t in range(start, years):
                    segment = base + t * _GRADES
                    wide = kind == 1 and t >= later
                    first, last = (1, 6 if wide else 3) if kind == 1 else ((1, 6) if q == 0 else (7, 9))
                    p = (1 if wide else 0) if kind == 1 else 2 + q
                    part_worth(
                        gain, count, day, starts, segment, first, last, bonus[t] if kind == 1 else 0.0, kind == 1, least[p],
                        largest[0] if kind == 1 else largest[1], mine, second,
                        size[k, group, t], above[t], mixed, longest if kind == 1 else 1,
                        (least_rooms[1] if wide else least_rooms[0]) if kind == 1 else last - first + 1, worth[t], choice[t],
                    )  # fmt: skip
                    if again:
                        states[k, t] |= (3 if wide else 1) if kind == 1 else (4 << q)
                        over[k, t] += take_rooms(
                            second,
                            mine,
                            count,
                            starts,
                            segment,
                            first,
                            last,
                            size[k, group, t],
                            above[t],
                            mixed,
                            rooms[k, group, t],
                            choice[t],
                            taken,
                        )
                if not again:
                    path_of_rooms(worth, room_cost[k, group], 0, most, start, none)
                    for t in range(years):
                        rooms[k, group, t] = none[t]
