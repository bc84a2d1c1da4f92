"""Where the children of a plan go, site by site and year by year, and how they would come without any change."""

from __future__ import annotations

import numpy as np
import pandas as pd

from layout.built import Built
from layout.programme import Model
from layout.tables import band_of

# a share of a demand below this is rounding error
_SHARE = 1e-6
_COLUMNS = ["site", "at", "settlement_id", "band", "mode", "pupils", "minutes", "before", "late"]


def whereabouts(model: Model, built: Built, assignment: pd.DataFrame | None = None) -> pd.DataFrame:
    """List the children of every site and plan year.

    Parameters
    ----------
    model, built
        The plan.
    assignment
        Whole children once the plan stands; None takes the shares of the search.

    Returns
    -------
    pandas.DataFrame
        site, at (position of the plan year), settlement_id (empty in the shares of the search for those who study in the county seat),
        band, mode, pupils, minutes, before (minutes by day to the nearest school of today), late (no school of today within the limit
        by day).
    """
    flows, demands = model.journeys.flows, model.journeys.demands
    demand = flows["demand"].to_numpy(int)
    named = flows.assign(**{c: demands[c].to_numpy()[demand] for c in ("settlement_id", "band", "at")})
    usual = named[named["usual"] & (named["mode"] != "seat")].drop_duplicates(["settlement_id", "band", "at"])
    usual = usual[["settlement_id", "band", "at", "minutes", "beyond"]].rename(columns={"minutes": "before", "beyond": "late"})
    if assignment is None:
        table = named.assign(pupils=built.shares * demands["total"].to_numpy(float)[demand])[built.shares > _SHARE]
    else:
        sites = {s.school_id: k for k, s in enumerate(model.sites)}
        at = {year: t for t, year in enumerate(model.horizon.years)}
        table = assignment[assignment["school_id"].isin(sites) & assignment["year"].isin(at)]
        table = table.assign(site=table["school_id"].map(sites), at=table["year"].map(at), band=[band_of(g) for g in table["grade"]])
        table = table.astype({"settlement_id": "str"})
    out = table.merge(usual, on=["settlement_id", "band", "at"], how="left")
    out = out.assign(late=out["late"].astype("object").fillna(True).astype(bool) & (out["mode"] != "seat").to_numpy())
    return out[_COLUMNS].astype({"site": int, "at": int}).sort_values(_COLUMNS[:5], kind="stable", ignore_index=True)


def mean_minutes(rows: pd.DataFrame, column: str) -> float:
    """Return the mean of a column of minutes over the children.

    Parameters
    ----------
    rows, column
        Rows of :func:`whereabouts` with children, and ``minutes`` or ``before``.

    Returns
    -------
    float
        Minutes.
    """
    return float(np.average(rows[column], weights=rows["pupils"]))
