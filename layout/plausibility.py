"""What a reader should know about the people of a county: what was assumed, what looks wrong, how far the sources can be trusted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from layout.age_list import MOTHERS_END, YOUNGEST, age_list, ages_are_assumed, compared_cohorts
from layout.attendance import attendance_from_residence
from layout.county import County
from layout.scenario import Scenario, check_scenario
from layout.standards import Standards
from layout.tables import BANDS, age_span, band_of, schemas

Note = tuple[str, Mapping[str, object]]
# places named in a sentence; the table has all of them
_NAMED = 5
_CHILDREN = 15


def population_notes(county: County, standards: Standards, scenario: Scenario | None = None) -> tuple[Note, ...]:
    """Say what a reader should know about the projection of this county.

    Parameters
    ----------
    county, standards, scenario
        As for :func:`layout.project_people`.

    Returns
    -------
    tuple
        Message keys with their fields, in the form of ``County.notes``: what was assumed, what is implausible
        (:func:`implausible_counts`), and the bias of each source that county.toml names.

    Examples
    --------
    >>> population_notes(paper, layout.read_standards())
    (('population.note.no_mothers', {'last': 14, 'births': '56'}),)
    """
    scenario = check_scenario(scenario)
    base = age_list(county, standards, scenario)
    cohorts = compared_cohorts(base, county, standards)
    against = set(cohorts["against"])
    past = int((county.moves["year"] <= base.year).sum())
    factors = base.factor[np.isfinite(base.factor)]
    total = cohorts["expected"].sum()
    both = len(county.attendance) > 0 and len(county.residence) > 0
    few = county.attendance.assign(year=county.attendance["year"].fillna(county.base_year)).groupby("township_id")["year"].nunique()
    notes: list[tuple[bool, str, Mapping[str, object]]] = [
        (base.shift > 0, "shifted", {"date": county.base_date.isoformat(), "year": base.year, "share": f"{base.shift:.3f}"}),
        (base.top <= MOTHERS_END, "no_mothers", {"last": base.top, "births": f"{base.constant.sum():.0f}"}),
        (base.youngest > 0, "youngest_filled", {"age": base.youngest}),
        (len(cohorts) > 0, "factor" if "age_list" in against else "factor_grade_1", {
            "factor": f"{cohorts['children'].sum() / total:.2f}" if total > 0 else "", "cohorts": cohorts["year"].nunique(),
            "least": f"{factors.min():.2f}" if len(factors) else "", "most": f"{factors.max():.2f}" if len(factors) else "",
        }),
        (len(county.births) > 0 and not len(cohorts), "factor_unknown", {}),
        (base.late > 0 or base.repeat > 0, "behind", {"late": f"{base.late:.1%}", "repeat": f"{base.repeat:.1%}"}),
        (past > 0, "moves_counted", {"count": past, "year": base.year}),
        (scenario.demand != "resident", f"demand_{scenario.demand}", {"year": county.base_year}),
        (scenario.attendance == "halved", "attendance_halved", {"year": county.base_year + 1}),
        (scenario.attendance == "trend" and len(few) > 0, "attendance_trend", {"alone": int((few < 2).sum()), "count": len(few)}),
        (scenario.variant != "medium", f"variant_{scenario.variant}", {}),
        (both, "attendance_leads", {}),
        (len(county.residence) > 0 and not both, "residence", _pull(county)),
        (len(county.township_totals) > 0 and "population" not in set(county.assumptions["table"]), "totals_beside", _totals(county)),
        (len(county.controls) > 0, "controls", {"years": ", ".join(str(y) for y in sorted(set(county.controls["year"])) if y >= county.base_year)}),
    ]  # fmt: skip
    out = [(f"population.note.{name}", fields) for holds, name, fields in notes if holds]
    found = implausible_counts(county, standards)
    names = dict(zip(county.settlements["settlement_id"], county.settlements["name"], strict=True))
    names |= dict(zip(county.townships["township_id"], county.townships["name"], strict=True))
    for what, rows in found.groupby("what", sort=True):
        places = "、".join(str(names.get(a, a)) for a in rows["area_id"].head(_NAMED)) + ("…" if len(rows) > _NAMED else "")
        out.append((f"population.note.{what}", {"count": len(rows), "places": places, **_threshold(str(what), standards)}))
    for table, source in sorted(county.sources.items()):
        out.append((f"population.source.{source}", {"table": f"{schemas()[table].zh} ({table})"}))
    return tuple(out)


def implausible_counts(county: County, standards: Standards) -> pd.DataFrame:
    """List counts of people that look wrong; nothing is changed.

    Parameters
    ----------
    county
        Settlements, townships, population and births.
    standards
        ``check.hukou_ratio``, ``check.births_spread``, ``check.least``.

    Returns
    -------
    pandas.DataFrame
        what (hukou_high: registered children far above residents; births_off: children per registered birth far from the county's;
        same_counts: the same ages as another settlement, perhaps entered twice; ages_missing: a township without any child aged 0-2
        where others have them), area_id, value, expected; sorted by its key, what
        and area_id. Places with fewer children than ``check.least`` are not looked at.

    Examples
    --------
    >>> len(implausible_counts(paper, layout.read_standards()))
    0
    """
    least = standards["check.least"]
    rows: list[tuple[str, str, float, float]] = []
    children = county.population[county.population["age"] < _CHILDREN]
    sums = children.groupby("settlement_id")[["persons", "registered"]].sum(min_count=1)
    high = (sums["registered"] > sums["persons"] * standards["check.hukou_ratio"]) & (sums["registered"] >= least)
    rows += [("hukou_high", str(i), float(r), float(p)) for i, p, r in sums[high].itertuples()]
    base = age_list(county, standards, Scenario())
    cohorts = compared_cohorts(base, county, standards)
    own = cohorts[cohorts["township_id"] != ""].groupby("township_id")[["expected", "children"]].sum()
    split = ages_are_assumed(county)
    # children that were split from totals cannot accuse a register
    if len(own) > 1 and not split:
        mean = own["children"].sum() / max(own["expected"].sum(), 1.0)
        apart = (own["children"] - own["expected"] * mean).abs() > own["expected"] * mean * standards["check.births_spread"]
        rows += [("births_off", str(t), float(c), float(e * mean)) for t, e, c in own[apart & (own.max(axis=1) >= least)].itertuples()]
    young = children[children["age"] < YOUNGEST].groupby("settlement_id")["persons"].sum()
    if young.sum() > 0:
        town = dict(zip(county.settlements["settlement_id"], county.settlements["township_id"], strict=True))
        by_town = pd.DataFrame({"all": children.groupby("settlement_id")["persons"].sum(), "young": young}).fillna(0.0).groupby(town).sum()
        lacking = by_town[(by_town["young"] <= 0) & (by_town["all"] >= least)]
        share = young.sum() / children["persons"].sum()
        rows += [("ages_missing", str(t), 0.0, float(n * share)) for t, n in lacking["all"].items()]
    if not split and len(children):
        wide = children.pivot_table(index="settlement_id", columns=["age", "sex"], values="persons", aggfunc="sum").fillna(0.0)
        # round figures of one size everywhere are an example, not a slip
        wide = wide[(wide.sum(axis=1) >= least) & (wide.nunique(axis=1) > 2)]
        twin = wide.duplicated(keep=False)
        rows += [("same_counts", str(i), float(n), float(n)) for i, n in wide[twin].sum(axis=1).items()]
    frame = pd.DataFrame(rows, columns=["what", "area_id", "value", "expected"])
    return frame.sort_values(["what", "area_id"], ignore_index=True)


def peak_years(pupils: pd.DataFrame) -> pd.DataFrame:
    """Return the year in which each group of grades is largest.

    Parameters
    ----------
    pupils
        Table ``pupils``, every year of the horizon; ``away`` counts as well.

    Returns
    -------
    pandas.DataFrame
        group (lower, upper, junior, all), year (the first of the largest), pupils, first_year, first, last_year, last.

    Examples
    --------
    >>> pupils = layout.project_pupils(paper, layout.read_standards(), years=range(2025, 2036))
    >>> peak_years(pupils)[["group", "year", "pupils"]].round(1).values.tolist()[0]
    ['all', 2025, 504.0]
    """
    grades = pupils.assign(group=pupils["grade"].map(band_of))
    table = grades.groupby(["year", "group"], observed=True)["pupils"].sum().unstack("group").fillna(0.0)
    table["all"] = table.sum(axis=1)
    rows = []
    for group in sorted(table.columns):
        # years that differ by rounding are one plateau: its first year
        values = table[group].round(6)
        year = int(str(values.idxmax()))
        rows.append(
            (group, year, float(values[year]), int(str(table.index[0])), float(values.iloc[0]), int(str(table.index[-1])), float(values.iloc[-1]))
        )
    return pd.DataFrame(rows, columns=["group", "year", "pupils", "first_year", "first", "last_year", "last"])


def peak_notes(pupils: pd.DataFrame, ranges: pd.DataFrame) -> tuple[Note, ...]:
    """Say the course of the pupils so that a planner can read it aloud.

    Parameters
    ----------
    pupils
        Table ``pupils``, every year of the horizon.
    ranges
        Table ``forecast``; the county's range of the last year is said where it has one.

    Returns
    -------
    tuple
        Message keys with their fields: peak by primary and junior school, the last year, its range.

    Examples
    --------
    >>> pupils = layout.project_pupils(paper, layout.read_standards(), years=[2025, 2031])
    >>> from layout.tables import empty
    >>> layout.describe(peak_notes(pupils, empty("forecast")), "en")[0][:61]
    'Primary pupils are most in 2025 (336) and 335 in 2031; junior'
    """
    if not len(pupils):
        return ()
    stage = np.where(pupils["grade"] <= BANDS["upper"][-1], "primary", "junior")
    sums = pupils.groupby(["year", stage])["pupils"].sum().unstack().fillna(0.0)
    last = int(str(sums.index[-1]))
    fields: dict[str, object] = {"last": last}
    for name in ("primary", "junior"):
        # years that differ by rounding are one plateau: its first year
        values = sums[name].round(6) if name in sums else pd.Series(0.0, index=sums.index)
        fields |= {f"{name}_year": int(str(values.idxmax())), f"{name}_most": f"{values.max():,.0f}", f"{name}_last": f"{values.iloc[-1]:,.0f}"}
    notes: list[Note] = [("population.say.peak", fields)]
    county = ranges[(ranges["level"] == "county") & (ranges["group"] == "all") & (ranges["year"] == last) & ranges["low"].notna()]
    for low, high in zip(county["low"], county["high"], strict=True):
        notes.append(("population.say.range", {"year": last, "low": f"{low:,.0f}", "high": f"{high:,.0f}"}))
    return tuple(notes)


def _threshold(what: str, standards: Standards) -> dict[str, object]:
    keys = {"hukou_high": ("ratio", "check.hukou_ratio"), "births_off": ("spread", "check.births_spread")}
    if what not in keys:
        return {}
    name, key = keys[what]
    return {name: f"{standards[key]:g}" if name == "ratio" else f"{standards[key]:.0%}"}


def _pull(county: County) -> dict[str, object]:
    if not len(county.residence):
        return {}
    attendance, incoming = attendance_from_residence(county)
    seats = attendance[attendance["place"] == "county_seat"]
    return {"share": f"{seats['share'].mean():.1%}" if len(seats) else "0%", "incoming": f"{incoming['pupils'].sum():.0f}"}


def _totals(county: County) -> dict[str, object]:
    totals = county.township_totals
    whole = [age_span(t) == (0, None) for t in totals["age_group"]]
    return {"list": f"{county.population['persons'].sum():,.0f}", "totals": f"{totals.loc[whole, 'persons'].sum():,.0f}"}
