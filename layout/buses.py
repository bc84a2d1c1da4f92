"""School buses: how many a service needs, and whether it has riders enough."""

from __future__ import annotations

import numpy as np
import pandas as pd

from layout.standards import Standards
from layout.tables import check, empty


def bus_services(assignment: pd.DataFrame, standards: Standards, *, schools: pd.DataFrame | None = None) -> pd.DataFrame:
    """Count riders and buses of every school.

    Parameters
    ----------
    assignment
        Table ``assignment``; rows of mode ``bus`` count.
    standards
        ``bus.occupants.max`` (all aboard), ``bus.attendants`` (grown-ups among them), ``bus.runs`` (runs of a bus before
        school begins) and ``bus.riders.min``.
    schools
        Table ``schools`` of today: whose services exist (``school_bus``); None: of all that somebody rides to.

    Returns
    -------
    pandas.DataFrame
        Table ``bus_services``: whether the service exists, riders, seats of a bus for children, buses (riders over seats and runs, rounded up) and
        whether there are riders enough for a service, by school and year; no rows where nobody rides.

    References
    ----------
    GB 24407-2012 专用校车安全技术条件: at most 56 aboard.

    Examples
    --------
    >>> rows = pd.DataFrame({"school_id": ["S1", "S1", "S2"], "year": 2025, "mode": "bus", "pupils": [60, 50, 4]})
    >>> bus_services(rows, layout.read_standards())[["school_id", "riders", "buses", "enough_riders"]].values.tolist()
    [['S1', 110, 2, True], ['S2', 4, 1, False]]
    """
    riding = assignment[(assignment["mode"] == "bus") & (assignment["school_id"] != "")]
    if not len(riding):
        return empty("bus_services")
    table = riding.groupby(["school_id", "year"])["pupils"].sum().rename("riders").reset_index()
    # a bus full of grown-ups takes one child all the same, so that the need is seen
    seats = max(1, int(standards["bus.occupants.max"] - standards["bus.attendants"]))
    buses = np.ceil(table["riders"] / (seats * standards["bus.runs"])).astype("int64")
    there = table["school_id"] if schools is None else schools.loc[(schools["status"] == "open") & schools["school_bus"], "school_id"]
    table["exists"] = table["school_id"].astype("str").isin(set(there.astype("str")))
    return check("bus_services", table.assign(seats=seats, buses=buses, enough_riders=table["riders"] >= standards["bus.riders.min"]))
