"""The pupils of county, townships, settlements and schools year by year, with their ranges and what to make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from layout.county import County
from layout.draws import GROUPS, PupilDraws, pupil_ranges, school_ranges
from layout.plausibility import Note, peak_notes
from layout.population import project_pupils
from layout.scenario import Scenario, check_scenario
from layout.standards import Standards
from layout.tables import CountyDataError, check, empty

# groups of grades of a settlement: its single grades stand in the table ``pupils``
_SETTLEMENT_GROUPS = ("lower", "upper", "junior", "primary", "all")


def forecast_pupils(
    county: County,
    standards: Standards,
    *,
    years: Sequence[int],
    scenario: Scenario | None = None,
    draws: PupilDraws | None = None,
    pupils: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Sum the projection up by county, township and settlement, with ranges and registered children beside it.

    Parameters
    ----------
    county, standards, scenario
        As for :func:`layout.project_pupils`.
    years
        School years.
    draws
        From :func:`layout.draw_pupils` for the same years and scenario; None: no ranges.
    pupils
        The projection of these years, where it was made already.

    Returns
    -------
    pandas.DataFrame
        Table ``forecast``: pupils (expected, wherever they study), low, middle, high (10, 50, 90 % of the sums of each draw), registered
        (the same projection from registered persons; empty where they are not known for all), noise (fewer than
        ``forecast.noise``). ``attrs["registered"]`` is empty, or says why registered children could not be projected.

    Examples
    --------
    >>> found = forecast_pupils(paper, layout.read_standards(), years=[2025])
    >>> found[found.level == "county"][["group", "pupils", "registered"]].values.tolist()[-1]
    ['upper', 168.0, 168.0]
    """
    scenario = check_scenario(scenario)
    if pupils is None:
        pupils = project_pupils(county, standards, years=years, scenario=scenario)
    parts = [_level(pupils, county, level, draws, "pupils") for level in ("county", "settlement", "township")]
    out = pd.concat(parts, ignore_index=True)
    why = ""
    registered = county.population["registered"]
    if scenario.demand != "registered" and len(registered) and registered.notna().all():
        beside = Scenario(scenario.name, scenario.attendance, scenario.variant, "registered")
        try:
            other = project_pupils(county, standards, years=years, scenario=beside)
        except CountyDataError as error:
            # residents move who are registered elsewhere: said, not guessed
            why = error.problems[0].key
        else:
            keys = ["level", "area_id", "year", "group"]
            rows = [_level(other, county, level, None, "registered") for level in ("county", "settlement", "township")]
            out = out.merge(pd.concat(rows, ignore_index=True)[[*keys, "registered"]], on=keys, how="outer").fillna({"pupils": 0.0})
    elif scenario.demand == "registered":
        out["registered"] = out["pupils"]
    out["noise"] = out["pupils"] < standards["forecast.noise"]
    table = check("forecast", out) if len(out) else empty("forecast")
    table.attrs["registered"] = why
    return table


def school_forecast(assignment: pd.DataFrame, standards: Standards, *, draws: PupilDraws | None = None, whole_county: bool = False) -> pd.DataFrame:
    """Sum an assignment up by school, with ranges.

    Parameters
    ----------
    assignment
        Table ``assignment``.
    standards
        ``forecast.noise``.
    draws
        From :func:`layout.draw_pupils`, holding the years; None: no ranges.
    whole_county
        As in :func:`layout.school_ranges`.

    Returns
    -------
    pandas.DataFrame
        Rows of the table ``forecast`` of the level school.

    Examples
    --------
    >>> rows = pd.DataFrame({"settlement_id": ["A"], "year": 2025, "grade": 1, "school_id": "S1", "pupils": [10]})
    >>> school_forecast(rows, layout.read_standards())[["area_id", "group", "pupils"]].values.tolist()
    [['S1', '1', 10.0], ['S1', 'all', 10.0], ['S1', 'lower', 10.0], ['S1', 'primary', 10.0]]
    """
    rows = assignment[assignment["school_id"].astype("str") != ""]
    if not len(rows):
        return empty("forecast")
    sums = rows.assign(area_id=rows["school_id"].astype("str")).groupby(["area_id", "year", "grade"], observed=True)["pupils"].sum().reset_index()
    out = _grouped(sums, GROUPS, "pupils").assign(level="school")
    out = out[out["pupils"] > 0]
    if draws is not None:
        ranges = school_ranges(draws, assignment, whole_county=whole_county).rename(columns={"school_id": "area_id"})
        out = out.merge(ranges.drop(columns="mean"), on=["area_id", "year", "group"], how="left")
    return check("forecast", out.assign(noise=out["pupils"] < standards["forecast.noise"], pupils=out["pupils"].astype(float)))


def forecast_notes(pupils: pd.DataFrame, table: pd.DataFrame, draws: PupilDraws | None) -> tuple[Note, ...]:
    """Say the course of the pupils, their range, and what the range rests on.

    Parameters
    ----------
    pupils
        Table ``pupils``, every year of the horizon.
    table
        Table ``forecast``.
    draws
        Those behind the ranges, or None.

    Returns
    -------
    tuple
        Message keys with their fields, in the form of ``County.notes``.

    Examples
    --------
    >>> pupils = layout.project_pupils(paper, layout.read_standards(), years=[2025, 2031])
    >>> [key for key, _ in forecast_notes(pupils, empty("forecast"), None)]
    ['population.say.peak']
    """
    notes = list(peak_notes(pupils, table))
    if table.attrs.get("registered"):
        notes.append(("population.note.registered_unknown", {}))
    if draws is not None:
        widths = draws.drifts
        births, migration = (np.hypot(widths[f"{name}_county"], widths[f"{name}_township"]) for name in ("births", "migration"))
        basis = "own" if widths["changes"] else "default"
        notes.append((f"population.note.ranges_{basis}", {
            "draws": len(draws.pupils), "seed": draws.seed, "births": f"{births:.1%}", "migration": f"{migration:.1%}",
            "turnover": f"{widths['turnover']:.1%}", "years": int(widths["changes"]),
        }))  # fmt: skip
    return tuple(notes)


def _level(pupils: pd.DataFrame, county: County, level: str, draws: PupilDraws | None, column: str) -> pd.DataFrame:
    ids = county.settlements["settlement_id"]
    alone = dict(zip(ids, ids, strict=True))
    areas: Mapping[str, str] = {
        "county": dict.fromkeys(ids, ""), "township": dict(zip(ids, county.settlements["township_id"], strict=True)), "settlement": alone,
    }[level]  # fmt: skip
    groups = GROUPS if level != "settlement" else {g: GROUPS[g] for g in _SETTLEMENT_GROUPS}
    sums = pupils.assign(area_id=pupils["settlement_id"].astype("str").map(areas)).groupby(["area_id", "year", "grade"])["pupils"].sum().reset_index()
    out = _grouped(sums, groups, column).assign(level=level)
    if draws is not None:
        ranges = pupil_ranges(draws, areas=None if level == "settlement" else areas)
        out = out.merge(ranges.drop(columns="mean"), on=["area_id", "year", "group"], how="left")
    return out


def _grouped(sums: pd.DataFrame, groups: Mapping[str, tuple[int, ...]], column: str) -> pd.DataFrame:
    wide = sums.pivot_table(index=["area_id", "year"], columns="grade", values="pupils", aggfunc="sum").fillna(0.0)
    wide = wide.reindex(columns=sorted({g for grades in groups.values() for g in grades}), fill_value=0.0)
    table = pd.DataFrame({group: wide[list(grades)].sum(axis=1) for group, grades in groups.items()}, index=wide.index)
    return pd.Series(table.rename_axis(columns="group").stack(), name=column).reset_index()
