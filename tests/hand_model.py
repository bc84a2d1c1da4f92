"""Small models worked by hand: demands and flows by name."""

import pandas as pd

from layout.horizon import Horizon
from layout.programme import Model
from layout.siting import Journeys, Site
from layout.tables import GRADES, band_of


def school(name, kind, grades, *, rooms, beds=0, more_rooms=0, more_beds=0):
    return Site(name, kind, tuple(grades), rooms, beds, more_rooms, more_beds, False)


def candidate(name, *parts, first=2026):
    return Site(name, "", (), 0, 0, 36, 0, False, parts, first)


def model_of(standards, sites, children, ways, *, years=(2030,), weights=(1,), budget=None):
    """Build a model: ``children`` (village, at) -> pupils by grade of one band; ``ways`` (village, site, mode, minutes, over the limit), the usual first."""
    order = sorted(children, key=lambda key: (key[0], key[1]))
    demands = pd.DataFrame(
        [{"settlement_id": v, "band": band_of(min(children[v, t])), "run": 0, "at": t, **{g: children[v, t].get(g, 0) for g in GRADES},
          "first": min(children[v, t]), "total": sum(children[v, t].values())} for v, t in order]
    )  # fmt: skip
    numbers = {s.school_id: k for k, s in enumerate(sites)}
    usual = {}
    for v, name, *_ in ways:
        if sites[numbers[name]].existing:
            usual.setdefault(v, name)
    flows = [
        {
            "demand": d,
            "site": numbers[name],
            "mode": mode,
            "minutes": minutes,
            "beyond": over > 0,
            "excess": float(over),
            "usual": usual.get(v) == name,
        }
        for d, (place, t) in enumerate(order)
        for v, name, mode, minutes, over in ways
        if v == place and years[t] >= sites[numbers[name]].first_year
    ]
    horizon = Horizon(tuple(years), tuple(weights), 2026, 2026, 2026)
    return Model(Journeys(demands, pd.DataFrame(flows)), tuple(sites), horizon, standards, dict(budget or {}))
