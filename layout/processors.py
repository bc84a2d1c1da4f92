"""How many processors this process may use."""

from __future__ import annotations

import os


def processors() -> int:
    """Return how many threads are worth starting: the processors of this process, or fewer where ``OMP_NUM_THREADS`` says so.

    Workers of a province have one each. No result depends on it.

    Returns
    -------
    int
        One at least.

    Examples
    --------
    >>> processors() >= 1
    True
    """
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(own, int(told)) if told.isdecimal() and int(told) else own
