"""The compiled inner part of transports: what a place at a full resource is worth, by shortest augmenting paths.

Importing this module imports numba, so others import it inside functions only.
"""

from __future__ import annotations

import heapq

import numpy as np
from numba import njit

_LEAST = 1e-9


@njit(cache=True, nogil=True)
def resource_prices(start: np.ndarray, sink: np.ndarray, cost: np.ndarray, amounts: np.ndarray, capacity: np.ndarray) -> np.ndarray:
    """Price the sinks of a transport: demands in order, each by shortest augmenting paths.

    Parameters
    ----------
    start
        Columns of demand d are ``start[d]`` to ``start[d + 1]``, by rising cost, int64.
    sink
        Sink of each column, -1 for one that takes everything; each demand has such a column.
    cost
        Cost of a unit of each column.
    amounts, capacity
        Of demands and sinks.

    Returns
    -------
    numpy.ndarray
        Price of each sink, at least 0, 0 where it is not full: every unit flows over a column whose cost and price are least.

    References
    ----------
    Jonker, R., & Volgenant, A. (1987). A shortest augmenting path algorithm for dense and sparse linear assignment problems.
    Computing, 38(4); here with amounts and capacities.

    Examples
    --------
    >>> resource_prices(np.array([0, 2, 4]), np.array([0, -1, 0, -1]), np.array([10.0, 30, 10, 20]), np.array([5.0, 5]), np.array([6.0])).tolist()
    [10.0]
    """
    sinks, n = len(capacity), len(sink)
    price = np.zeros(sinks)
    left = capacity.copy()
    flow = np.zeros(n)
    owner = np.zeros(n, np.int64)
    # columns with a flow, listed by sink
    head, after, before = np.full(sinks, -1, np.int64), np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    for d in range(len(amounts)):
        for j in range(start[d], start[d + 1]):
            owner[j] = d
    best = np.full(sinks, np.inf)
    via, back = np.full(sinks, -1, np.int64), np.full(sinks, -1, np.int64)
    done = np.zeros(sinks, np.bool_)
    seen = np.zeros(sinks, np.int64)
    for d in range(len(amounts)):
        rest = amounts[d]
        while rest > _LEAST:
            heap = [(np.inf, -1)]
            heap.clear()
            count = 0
            # the least way that ends at a place with room left, or outside: its column, and the sink it comes from
            end, end_column, end_from = np.inf, -1, -1
            current, reached, origin = 0.0, -1, d
            base = 0.0
            first = True
            while True:
                # look along the columns of the demands that could leave the sink last reached
                k = -1 if first else head[reached]
                while first or k >= 0:
                    e = origin if first else owner[k]
                    if not first:
                        base = current - (cost[k] + price[reached])
                    for j in range(start[e], start[e + 1]):
                        if base + cost[j] >= end:
                            break
                        s = sink[j]
                        if s < 0:
                            end, end_column, end_from = base + cost[j], j, reached
                            continue
                        if done[s]:
                            continue
                        length = base + cost[j] + price[s]
                        if length < best[s] - 1e-12 and length < end:
                            if best[s] == np.inf:
                                seen[count] = s
                                count += 1
                            best[s], via[s], back[s] = length, j, reached
                            if left[s] > _LEAST:
                                end, end_column, end_from = length, j, reached
                            else:
                                heapq.heappush(heap, (length, s))
                    if first:
                        first = False
                        break
                    k = after[k]
                reached = -1
                while len(heap):
                    length, s = heapq.heappop(heap)
                    if not done[s] and length <= best[s]:
                        current, reached = length, s
                        break
                if reached < 0 or current >= end:
                    break
                done[reached] = True
            # places passed on the way are worth more by what the detour costs
            amount = rest
            if sink[end_column] >= 0:
                amount = min(amount, left[sink[end_column]])
            j, s = end_column, end_from
            while s >= 0:
                # the demand of column j leaves sink s for that of j
                amount = min(amount, flow[_leaving(j, s, head, after, owner)])
                j, s = via[s], back[s]
            for i in range(count):
                s = seen[i]
                if done[s]:
                    price[s] += end - best[s]
            j, s = end_column, end_from
            while True:
                flow[j] += amount
                t = sink[j]
                if t >= 0 and flow[j] - amount <= _LEAST:
                    after[j], before[j] = head[t], -1
                    if head[t] >= 0:
                        before[head[t]] = j
                    head[t] = j
                if s < 0:
                    break
                k = _leaving(j, s, head, after, owner)
                flow[k] -= amount
                if flow[k] <= _LEAST:
                    flow[k] = 0.0
                    if before[k] >= 0:
                        after[before[k]] = after[k]
                    else:
                        head[s] = after[k]
                    if after[k] >= 0:
                        before[after[k]] = before[k]
                j, s = via[s], back[s]
            if sink[end_column] >= 0:
                left[sink[end_column]] -= amount
            rest -= amount
            for i in range(count):
                s = seen[i]
                best[s], done[s] = np.inf, False
    return price


@njit(cache=True, nogil=True)
def _leaving(j: int, s: int, head: np.ndarray, after: np.ndarray, owner: np.ndarray) -> int:
    """Return the column by which the demand of column ``j`` has its flow in sink ``s``."""
    k = head[s]
    while k >= 0 and owner[k] != owner[j]:
        k = after[k]
    return k
