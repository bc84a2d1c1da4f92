"""Compiled inner loops of the searches: whole ticks in, whole ticks out; imported only where a search is worth compiling for."""

from __future__ import annotations

import numpy as np
from numba import njit

# sources that one sweep carries side by side: enough to fill vector registers
LANES = 128
# ticks of what cannot be reached; twice as much still fits 32 bits
NEVER = 2**30 - 1
# buckets of ticks in which vertices wait to be settled: at most so many, and one for so many vertices
_BUCKETS, _A_BUCKET = 4096, 16


@njit(cache=True, nogil=True)
def _put(into, at, values, count):
    """Copy the first values to a place; assigning a slice says the same and takes seconds to compile."""
    for i in range(count):
        into[at + i] = values[i]


@njit(cache=True, nogil=True)
def chains(fixed, tail, head):
    """Return chain of every piece, its place in the chain, whether it runs against it, and both ends of every chain.

    A vertex where just two piece ends meet is inside a chain unless it is fixed; a ring without any junction begins at its
    lowest vertex.
    """
    vertices = len(fixed)
    pieces = len(tail)
    degree = np.zeros(vertices, np.int32)
    for p in range(pieces):
        degree[tail[p]] += 1
        degree[head[p]] += 1
    first = np.zeros(vertices + 1, np.int64)
    for v in range(vertices):
        first[v + 1] = first[v] + degree[v]
    fill = first[:-1].copy()
    at = np.empty(2 * pieces, np.int32)
    for p in range(pieces):
        at[fill[tail[p]]] = p
        fill[tail[p]] += 1
        at[fill[head[p]]] = p
        fill[head[p]] += 1
    chain = np.full(pieces, -1, np.int32)
    slot = np.zeros(pieces, np.int32)
    flip = np.zeros(pieces, np.bool_)
    order = np.empty(pieces, np.int32)
    starts = np.empty(pieces + 1, np.int64)
    chain_tail = np.empty(pieces, np.int32)
    chain_head = np.empty(pieces, np.int32)
    count = 0
    done = 0
    # first from junctions and ends, then the rings that are left
    for ring in range(2):
        for v in range(vertices):
            if ring == 0 and degree[v] == 2 and not fixed[v]:
                continue
            for i in range(first[v], first[v + 1]):
                p = at[i]
                if chain[p] >= 0:
                    continue
                starts[count] = done
                chain_tail[count] = v
                u = v
                while True:
                    chain[p] = count
                    slot[p] = done - starts[count]
                    flip[p] = tail[p] != u
                    order[done] = p
                    done += 1
                    u = tail[p] if flip[p] else head[p]
                    if degree[u] != 2 or fixed[u] or u == v:
                        break
                    q = at[first[u]]
                    if q == p:
                        q = at[first[u] + 1]
                    if chain[q] >= 0:
                        break
                    p = q
                chain_head[count] = u
                count += 1
    starts[count] = done
    return chain, slot, flip, order, starts[: count + 1].copy(), chain_tail[:count].copy(), chain_head[:count].copy()


@njit(cache=True, nogil=True)
def fill_in(first, neighbours):
    """Return the upward neighbours of every vertex after elimination in order of rank, as pointers and sorted heads."""
    n = len(first) - 1
    pointer = np.zeros(n + 1, np.int64)
    mark = np.full(n, -1, np.int32)
    child = np.full(n, -1, np.int32)
    sibling = np.full(n, -1, np.int32)
    out = np.empty(max(2 * len(neighbours), 16), np.int32)
    end = 0
    for v in range(n):
        start = end
        if end + n - v > len(out):
            bound = first[v + 1] - first[v]
            c = child[v]
            while c >= 0:
                bound += pointer[c + 1] - pointer[c]
                c = sibling[c]
            if end + bound > len(out):
                more = np.empty(2 * len(out) + bound, np.int32)
                _put(more, 0, out, end)
                out = more
        for i in range(first[v], first[v + 1]):
            w = neighbours[i]
            if w > v and mark[w] != v:
                mark[w] = v
                out[end] = w
                end += 1
        c = child[v]
        while c >= 0:
            for i in range(pointer[c], pointer[c + 1]):
                w = out[i]
                if w != v and mark[w] != v:
                    mark[w] = v
                    out[end] = w
                    end += 1
            c = sibling[c]
        pointer[v + 1] = end
        if end > start:
            parent = out[start]
            for i in range(start + 1, end):
                parent = min(parent, out[i])
            sibling[v] = child[parent]
            child[parent] = v
    # dealing the arcs out by rising head sorts every list without comparing
    by_head = np.zeros(n + 1, np.int64)
    for i in range(end):
        by_head[out[i] + 1] += 1
    for v in range(n):
        by_head[v + 1] += by_head[v]
    tails = np.empty(end, np.int32)
    for v in range(n):
        for i in range(pointer[v], pointer[v + 1]):
            tails[by_head[out[i]]] = v
            by_head[out[i]] += 1
    heads = np.empty(end, np.int32)
    filled = pointer[:-1].copy()
    start = 0
    for h in range(n):
        for i in range(start, by_head[h]):
            heads[filled[tails[i]]] = h
            filled[tails[i]] += 1
        start = by_head[h]
    return pointer, heads


@njit(cache=True, nogil=True)
def customise(pointer, heads, low, high, along, against):
    """Return the ticks of every upward arc and back, shortcuts included: the least over all lower triangles."""
    up = np.full(len(heads), NEVER, np.int32)
    down = np.full(len(heads), NEVER, np.int32)
    for c in range(len(low)):
        a, b = low[c], high[c]
        i, j = pointer[a], pointer[a + 1]
        while i < j:
            middle = (i + j) // 2
            if heads[middle] < b:
                i = middle + 1
            else:
                j = middle
        up[i] = min(up[i], along[c])
        down[i] = min(down[i], against[c])
    for v in range(len(pointer) - 1):
        last = pointer[v + 1]
        for i in range(pointer[v], last):
            x = heads[i]
            e = pointer[x]
            to_x, from_x = up[i], down[i]
            for j in range(i + 1, last):
                while heads[e] != heads[j]:
                    e += 1
                there = np.int32(from_x + up[j])
                back = np.int32(down[j] + to_x)
                if there < up[e]:
                    up[e] = there
                if back < down[e]:
                    down[e] = back
    return up, down


@njit(cache=True, nogil=True)
def ancestors(pointer, heads, vertices, within):
    """Mark vertices and everything above them in the elimination tree."""
    for vertex in vertices:
        v = vertex
        while not within[v]:
            within[v] = True
            if pointer[v] == pointer[v + 1]:
                break
            v = heads[pointer[v]]


@njit(cache=True, nogil=True)
def restrict(pointer, heads, up, down, chosen, position):
    """Return the upward arcs among chosen vertices (closed upwards), their heads as positions, and their ticks."""
    total = 0
    for v in chosen:
        total += pointer[v + 1] - pointer[v]
    first = np.zeros(len(chosen) + 1, np.int64)
    out, rise, fall = np.empty(total, np.int32), np.empty(total, np.int32), np.empty(total, np.int32)
    end = 0
    for k in range(len(chosen)):
        for i in range(pointer[chosen[k]], pointer[chosen[k] + 1]):
            out[end] = position[heads[i]]
            rise[end] = up[i]
            fall[end] = down[i]
            end += 1
        first[k + 1] = end
    return first, out, rise, fall


@njit(cache=True, nogil=True)
def _set_out(labels, begin_first, begin_at, begin_ticks, batch, lanes):
    for lane in range(lanes):
        for i in range(begin_first[batch + lane], begin_first[batch + lane + 1]):
            k = begin_at[i]
            labels[k, lane] = min(labels[k, lane], begin_ticks[i])


@njit(cache=True, nogil=True)
def _up_and_down(first, heads, rise, fall, labels, lanes, reached, wanted):
    """Sweep labels up from the vertices that are reached (marking what is above them) and down to those that are wanted."""
    for k in range(len(first) - 1):
        if reached[k]:
            for i in range(first[k], first[k + 1]):
                h, w = heads[i], rise[i]
                reached[h] = True
                for lane in range(lanes):
                    labels[h, lane] = min(np.int32(labels[k, lane] + w), labels[h, lane])
    for k in range(len(first) - 2, -1, -1):
        if wanted[k]:
            for i in range(first[k], first[k + 1]):
                h, w = heads[i], fall[i]
                for lane in range(lanes):
                    labels[k, lane] = min(np.int32(labels[h, lane] + w), labels[k, lane])


@njit(cache=True, nogil=True)
def _arrive(labels, finish_first, finish_at, finish_ticks, batch, lanes, out):
    for t in range(len(finish_first) - 1):
        for i in range(finish_first[t], finish_first[t + 1]):
            k, w = finish_at[i], finish_ticks[i]
            for lane in range(lanes):
                new = np.int32(labels[k, lane] + w)
                if new < out[t, batch + lane]:
                    out[t, batch + lane] = new


@njit(cache=True, nogil=True)
def sweep(first, heads, rise, fall, wanted, begin_first, begin_at, begin_ticks, finish_first, finish_at, finish_ticks, low, high, width, out):
    """Fill columns low to high of out (finishes x sources) with least ticks from those sources, width sources at a time."""
    labels = np.empty((len(first) - 1, width), np.int32)
    reached = np.empty(len(first) - 1, np.bool_)
    for batch in range(low, high, width):
        lanes = min(width, high - batch)
        labels[:, :] = NEVER
        reached[:] = False
        for i in range(begin_first[batch], begin_first[batch + lanes]):
            reached[begin_at[i]] = True
        _set_out(labels, begin_first, begin_at, begin_ticks, batch, lanes)
        _up_and_down(first, heads, rise, fall, labels, lanes, reached, wanted)
        _arrive(labels, finish_first, finish_at, finish_ticks, batch, lanes, out)


@njit(cache=True, nogil=True)
def relay(
    first, heads, walk_rise, walk_fall, ride_rise, ride_fall, begin_first, begin_at, begin_ticks, board_first, board_at, board_ticks,
    leave_first, leave_at, leave_ticks, finish_first, finish_at, finish_ticks, low, high, width, out,
):  # fmt: skip
    """Fill columns low to high of out (finishes x sources) with least ticks by walking, then riding, then walking."""
    labels = np.empty((len(first) - 1, width), np.int32)
    everything = np.ones(len(first) - 1, np.bool_)
    for batch in range(low, high, width):
        lanes = min(width, high - batch)
        labels[:, :] = NEVER
        _set_out(labels, begin_first, begin_at, begin_ticks, batch, lanes)
        _up_and_down(first, heads, walk_rise, walk_fall, labels, lanes, everything, everything)
        _set_out(labels, board_first, board_at, board_ticks, batch, lanes)
        _up_and_down(first, heads, ride_rise, ride_fall, labels, lanes, everything, everything)
        _arrive(labels, leave_first, leave_at, leave_ticks, batch, lanes, out)
        _up_and_down(first, heads, walk_rise, walk_fall, labels, lanes, everything, everything)
        _arrive(labels, finish_first, finish_at, finish_ticks, batch, lanes, out)


@njit(cache=True, nogil=True)
def along(
    from_place, from_chain, from_at, from_ahead, from_behind, from_low, from_high, from_ground, by_chain, to_place, to_at, to_ahead, to_behind,
    to_low, to_high, to_ground, shut_ahead, shut_behind, out,
):  # fmt: skip
    """Lower out (origins x destinations) to the ticks between places on one chain, without passing its ends.

    Destinations are sorted by chain, those of chain c between by_chain[c] and by_chain[c + 1].
    """
    for i in range(len(from_place)):
        for j in range(by_chain[from_chain[i]], by_chain[from_chain[i] + 1]):
            best = np.int64(NEVER)
            if from_at[i] <= to_at[j] and shut_ahead[max(to_high[j], from_low[i])] == shut_ahead[from_low[i]]:
                best = to_ahead[j] - from_ahead[i]
            if from_at[i] >= to_at[j] and shut_behind[max(from_high[i], to_low[j])] == shut_behind[to_low[j]]:
                best = min(best, from_behind[i] - to_behind[j])
            best += from_ground[i] + to_ground[j]
            if best < out[from_place[i], to_place[j]]:
                out[from_place[i], to_place[j]] = best


@njit(cache=True, nogil=True)
def near(x1, y1, x2, y2, by_x, radius, pace, out):
    """Return the pairs of places within the radius that a level way straight on at that pace would bring nearer.

    by_x are the positions of the second places in order of x; pairs come by first and second place.
    """
    found = 0
    by = x2[by_x]
    first, second = np.empty(64, np.int64), np.empty(64, np.int64)
    for i in range(len(x1)):
        low, high = 0, len(by_x)
        while low < high:
            middle = (low + high) // 2
            if by[middle] < x1[i] - radius:
                low = middle + 1
            else:
                high = middle
        begin = found
        while low < len(by) and by[low] <= x1[i] + radius:
            j = by_x[low]
            low += 1
            dx, dy = x2[j] - x1[i], y2[j] - y1[i]
            square = dx * dx + dy * dy
            if square <= radius * radius and np.sqrt(square) * pace < out[i, j]:
                if found == len(first):
                    first, second = np.append(first, first), np.append(second, second)
                first[found], second[found] = i, j
                found += 1
        if found - begin > 1:
            second[begin:found] = np.sort(second[begin:found])
    return first[:found].copy(), second[:found].copy()


@njit(cache=True, nogil=True)
def to_minutes(ticks, fixed, most, a_minute):
    """Return ticks and those spent once a trip as minutes in float32, infinite above the most."""
    out = np.empty(ticks.shape, np.float32)
    for i in range(ticks.shape[0]):
        for j in range(ticks.shape[1]):
            out[i, j] = np.float32((ticks[i, j] + fixed) / a_minute) if ticks[i, j] <= most else np.float32(np.inf)
    return out


@njit(cache=True, nogil=True)
def _push(keys, size, key):
    # a heap with four children a node touches fewer cache lines than one with two
    i = size
    while i > 0:
        parent = (i - 1) >> 2
        if keys[parent] <= key:
            break
        keys[i] = keys[parent]
        i = parent
    keys[i] = key
    return size + 1


@njit(cache=True, nogil=True)
def _pop(keys, size):
    size -= 1
    last = keys[size]
    i = 0
    while True:
        child = 4 * i + 1
        if child >= size:
            break
        best = child
        for c in range(child + 1, min(child + 4, size)):
            if keys[c] < keys[best]:
                best = c
        if keys[best] >= last:
            break
        keys[i] = keys[best]
        i = best
    keys[i] = last
    return size


@njit(cache=True, nogil=True)
def _settle(first, arcs, label, begin_at, begin_ticks, low, high, limit, room):
    """Settle what the beginnings low to high reach within the limit, in order of ticks; return how many.

    An arc is one number: ticks times 2^32, and the vertex it leads to. What waits lies in buckets of ticks; only those of
    the bucket at hand are put in order, by a heap.
    """
    head, following, waiting, heap, at, took, _ = room
    shift = 0
    while (limit >> shift) >= len(head):
        shift += 1
    items = 0
    last = -1
    done = 0
    head[:] = -1
    for i in range(low, high):
        v, d = begin_at[i], begin_ticks[i]
        if d > limit or d >= label[v]:
            continue
        label[v] = d
        b = d >> shift
        waiting[items] = (np.int64(d) << 32) | v
        following[items] = head[b]
        head[b] = items
        items += 1
        last = max(last, b)
    bucket = 0
    while bucket <= last:
        size = 0
        i = head[bucket]
        while i >= 0:
            key = waiting[i]
            i = following[i]
            if np.int32(key >> 32) == label[key & 0xFFFFFFFF]:
                size = _push(heap, size, key)
        while size > 0:
            key = heap[0]
            size = _pop(heap, size)
            v, d = np.int32(key & 0xFFFFFFFF), np.int32(key >> 32)
            # only what comes at fewer ticks waits again, so no vertex is settled twice
            if d > label[v]:
                continue
            at[done] = v
            took[done] = d
            done += 1
            for k in range(first[v], first[v + 1]):
                arc = arcs[k]
                w, new = np.int32(arc & 0xFFFFFFFF), np.int32(d + (arc >> 32))
                if new > limit or new >= label[w]:
                    continue
                label[w] = new
                b = new >> shift
                if b == bucket:
                    size = _push(heap, size, (np.int64(new) << 32) | w)
                else:
                    waiting[items] = (np.int64(new) << 32) | w
                    following[items] = head[b]
                    head[b] = items
                    items += 1
                    last = max(last, b)
        bucket += 1
    return done


def scratch(vertices, arcs):
    """Return what a search needs to work in, without any memory touched yet.

    Every vertex is settled once, and every arc and beginning waits once at most. A thread of its own would have to fetch this
    memory anew, so it is made outside.
    """
    buckets = max(64, min(_BUCKETS, vertices // _A_BUCKET))
    return (
        np.empty(buckets, np.int32), np.empty(arcs, np.int32), np.empty(arcs, np.int64), np.empty(arcs, np.int64),
        np.empty(vertices, np.int32), np.empty(vertices, np.int32), np.empty(vertices, np.int32),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def nearest_source(first, arcs, at, start, source, limit, room):
    """Return least ticks from any source to every vertex and which source it is; ties go to the lower source."""
    n = len(first) - 1
    label = np.full(n, NEVER, np.int32)
    done = _settle(first, arcs, label, at, start, 0, len(at), limit, room)
    settled = room[4]
    nobody = np.int32(0x7FFFFFFF)
    owner = np.full(n, nobody, np.int32)
    for i in range(len(at)):
        if start[i] == label[at[i]]:
            owner[at[i]] = min(owner[at[i]], source[i])
    # along the arcs that lead to a vertex at its least ticks, in order; arcs of no ticks may lead back in it
    again = True
    while again:
        again = False
        for i in range(done):
            v = settled[i]
            for k in range(first[v], first[v + 1]):
                arc = arcs[k]
                w = np.int32(arc & 0xFFFFFFFF)
                if label[v] + (arc >> 32) == label[w] and owner[v] < owner[w]:
                    owner[w] = owner[v]
                    again = again or arc >> 32 == 0
    for v in range(n):
        if owner[v] == nobody:
            owner[v] = -1
    return label, owner


@njit(cache=True, nogil=True)
def _along_chains(label, order, flip, tail, head, ticks, ticks_back, towards):
    """Bring labels along all chains, to their ends and back."""
    for way in range(2):
        for k in range(len(order)):
            p = order[k] if way == 0 else order[len(order) - 1 - k]
            # passing from a to b along the chain, then from b to a
            turned = flip[p] != (way == 1)
            a, b = (head[p], tail[p]) if turned else (tail[p], head[p])
            # who goes towards the places walks from b to a
            w = ticks[p] if turned == towards else ticks_back[p]
            if w < NEVER:
                label[b] = min(label[b], label[a] + (np.int64(w) << 32))


@njit(cache=True, nogil=True)
def nearest_by_sweep(
    rank, order, flip, tail, head, ticks, ticks_back, towards, pointer, heads, rise, fall, at, start, source, limit
):  # fmt: skip
    """Return what nearest_source does, by one sweep up and down the hierarchy: ticks and sources are looked after as one number."""
    far = (np.int64(NEVER) << 32) | 0x7FFFFFFF
    label = np.full(len(rank), far, np.int64)
    for i in range(len(at)):
        label[at[i]] = min(label[at[i]], (np.int64(start[i]) << 32) | source[i])
    _along_chains(label, order, flip, tail, head, ticks, ticks_back, towards)
    ranked = np.full(len(pointer) - 1, far, np.int64)
    for v in range(len(rank)):
        if rank[v] >= 0:
            ranked[rank[v]] = label[v]
    for k in range(len(ranked)):
        mine = ranked[k]
        if mine < far:
            for i in range(pointer[k], pointer[k + 1]):
                if rise[i] < NEVER:
                    ranked[heads[i]] = min(ranked[heads[i]], mine + (np.int64(rise[i]) << 32))
    for k in range(len(ranked) - 1, -1, -1):
        mine = ranked[k]
        for i in range(pointer[k], pointer[k + 1]):
            mine = min(mine, ranked[heads[i]] + (np.int64(fall[i]) << 32))
        ranked[k] = mine
    for v in range(len(rank)):
        if rank[v] >= 0:
            label[v] = ranked[rank[v]]
    _along_chains(label, order, flip, tail, head, ticks, ticks_back, towards)
    least, owner = np.empty(len(rank), np.int32), np.empty(len(rank), np.int32)
    for v in range(len(rank)):
        reached = label[v] >> 32 <= limit
        least[v] = label[v] >> 32 if reached else NEVER
        owner[v] = label[v] & 0xFFFFFFFF if reached else -1
    return least, owner


@njit(cache=True, nogil=True)
def within(first, arcs, begin_first, begin_at, begin_ticks, low, high, limits, asked_first, asked, answers, room):
    """Settle what each of the sources low to high reaches within its limit.

    Fills answers with the ticks at the vertices asked for; with nothing to answer, returns counts by source, vertices and
    ticks reached, each source's sorted by ticks.
    """
    label = room[6]
    label[:] = NEVER
    counts = np.zeros(high - low, np.int64)
    listing = len(answers) == 0
    all_at, all_took = np.empty(4096 if listing else 0, np.int32), np.empty(4096 if listing else 0, np.int32)
    end = 0
    for s in range(low, high):
        done = _settle(first, arcs, label, begin_at, begin_ticks, begin_first[s], begin_first[s + 1], limits[s], room)
        at, took = room[4], room[5]
        if listing:
            counts[s - low] = done
            if end + done > len(all_at):
                more_at, more_took = np.empty(2 * (end + done), np.int32), np.empty(2 * (end + done), np.int32)
                _put(more_at, 0, all_at, end)
                _put(more_took, 0, all_took, end)
                all_at, all_took = more_at, more_took
            _put(all_at, end, at, done)
            _put(all_took, end, took, done)
            end += done
        else:
            for i in range(asked_first[s], asked_first[s + 1]):
                answers[i] = label[asked[i]]
        # all that got a label was settled in the end
        for i in range(done):
            label[at[i]] = NEVER
    return counts, all_at[:end].copy(), all_took[:end].copy()
