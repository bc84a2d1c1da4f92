"""Two plans of one county, one beside the other: what differs by village, school, township and year, in proposals and in money."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from layout.plan import STATUSES, Plan
from layout.tables import BANDS, CountyDataError, Problem, band_of, check, empty

#: The tables of a comparison, in the order in which a meeting reads them.
TABLES = (
    "compared_headline", "compared_years", "compared_townships", "compared_villages", "compared_schools", "compared_proposals", "compared_money",
    "compared_basis",
)  # fmt: skip
#: Figures of the county's sums, in the order in which they are read.
FIGURES = (
    "pupils", "served", "beyond_limit", "no_seat", "no_bed", "no_route", "away", "lower_out_of_limit", "boarders", "classes", "oversized_classes",
    "super_classes", "open_schools",
)  # fmt: skip
#: Figures of the proposals.
BUILT = ("proposals", "openings", "rooms", "beds", "investment_yuan", "yuan_a_year")
_WITHOUT = ("no_seat", "no_bed", "no_route")
# a mean way that differs by less than a minute is the same way
_SAME_MINUTES = 1.0
# what makes two proposals of one school and action another size
_SIZE = ["role", "first_grade", "last_grade", "rooms", "beds"]
_SCHOOL = ["kind", "first_grade", "last_grade", "rooms", "beds"]


@dataclass(frozen=True)
class Comparison:
    """Two plans and what differs between them.

    Parameters
    ----------
    a, b
        The plans; every ``_a`` is of the first, every ``_b`` of the second.
    years
        Plan years of both.
    headline, by_year, townships, villages, schools, proposals, money, basis
        Tables ``compared_…`` of the data dictionary. All rows are there, those without a difference too, so that the sums of
        either plan are those of its own tables.
    """

    a: Plan
    b: Plan
    years: tuple[int, ...]
    headline: pd.DataFrame
    by_year: pd.DataFrame
    townships: pd.DataFrame
    villages: pd.DataFrame
    schools: pd.DataFrame
    proposals: pd.DataFrame
    money: pd.DataFrame
    basis: pd.DataFrame

    def table(self, name: str) -> pd.DataFrame:
        """Return a table by its name in the data dictionary."""
        return getattr(self, {"compared_years": "by_year"}.get(name, name.removeprefix("compared_")))


def compare_plans(a: Plan, b: Plan) -> Comparison:
    """Compare two plans of one county.

    Parameters
    ----------
    a, b
        From :func:`layout.make_plan` or :func:`layout.read_plan`: the same county and base year, at least one plan year of both.

    Returns
    -------
    Comparison
        Differences by village, school, township and year, of proposals, of money and of the main figures, and of what the plans rest
        on. Villages and schools that only one plan knows are there with nothing for the other.

    Raises
    ------
    CountyDataError
        If the plans are of different counties or base years, or have no plan year in common; all that is wrong is said at once.

    Examples
    --------
    >>> plan = layout.make_plan(paper, to=2026)
    >>> found = compare_plans(plan, plan)
    >>> found.villages.change.unique().tolist(), int(found.villages.pupils_a.sum()), len(found.basis)
    (['same'], 504, 0)
    """
    years = tuple(sorted(set(a.years[1:]) & set(b.years[1:])))
    _refuse(a, b, years)
    by_year, money, proposals = _years(a, b), _money(a, b), _proposals(a.proposals, b.proposals)
    return Comparison(
        a=a, b=b, years=years, headline=_headline(a, b, by_year, years[-1]), by_year=by_year, townships=_townships(a, b, years),
        villages=_villages(a, b, years), schools=_schools(a, b, years), proposals=proposals, money=money, basis=_basis(a, b),
    )  # fmt: skip


def _refuse(a: Plan, b: Plan, years: Sequence[int]) -> None:
    problems = []
    if (a.county.code, a.county.name) != (b.county.code, b.county.name):
        names = {"a": f"{a.county.name} {a.county.code}".strip(), "b": f"{b.county.name} {b.county.code}".strip()}
        problems.append(Problem("compare_other_county", fields=names))
    if a.county.base_year != b.county.base_year:
        problems.append(Problem("compare_other_base_year", fields={"a": a.county.base_year, "b": b.county.base_year}))
    if not years:
        given = {name: ", ".join(map(str, plan.years[1:])) for name, plan in (("a", a), ("b", b))}
        problems.append(Problem("compare_no_common_year", fields=given))
    if problems:
        raise CountyDataError(problems)


def _beside(a: pd.DataFrame, b: pd.DataFrame, key: Sequence[str], *, text: Sequence[str] = ()) -> pd.DataFrame:
    """Put two tables side by side by their key; what one of them lacks is nought, or empty for texts."""
    joined = a.merge(b, on=list(key), how="outer", suffixes=("_a", "_b"))
    for column in joined.columns.difference(list(key)):
        name = column[:-2]
        if name in text:
            joined[column] = joined[column].fillna("").astype("str")
        elif not name.startswith("minutes") and name != "open":
            joined[column] = joined[column].fillna(0)
    return joined


# --- villages -----------------------------------------------------------------------------------------------------------


def _villages(a: Plan, b: Plan, years: Sequence[int]) -> pd.DataFrame:
    key = ["settlement_id", "year", "band"]
    joined = _beside(_whereabouts(a, years), _whereabouts(b, years), key, text=["school_id"])
    lost = joined["without_b"] - joined["without_a"]
    boards = joined["boarders_b"] - joined["boarders_a"]
    longer = (joined["minutes_b"] - joined["minutes_a"]).fillna(0)
    beyond = joined["beyond_limit_b"] - joined["beyond_limit_a"]
    joined["change"] = np.select(
        [lost > 0, lost < 0, boards > 0, boards < 0, longer >= _SAME_MINUTES, longer <= -_SAME_MINUTES, beyond > 0, beyond < 0,
         joined["school_id_a"] != joined["school_id_b"], joined["pupils_a"] != joined["pupils_b"]],
        ["loses_place", "gains_place", "more_board", "fewer_board", "slower", "quicker", "more_beyond", "fewer_beyond", "other_school",
         "other_pupils"],
        "same",
    )  # fmt: skip
    return check("compared_villages", joined)


def _whereabouts(plan: Plan, years: Sequence[int]) -> pd.DataFrame:
    """Return where the children of each settlement, year and band go."""
    rows = plan.planned.assignment
    rows = rows[rows["year"].isin(years) & (rows["pupils"] > 0)]
    status, mode, pupils = rows["status"].astype("str"), rows["mode"].astype("str"), rows["pupils"].to_numpy("int64")
    by_day = mode.isin(["walk", "bus"]).to_numpy()
    table = pd.DataFrame({
        "settlement_id": rows["settlement_id"].astype("str"), "year": rows["year"], "band": rows["grade"].map(_band_of_grade()), "pupils": pupils,
        **{name: np.where(status == name, pupils, 0) for name in ("served", "beyond_limit", "away")},
        "without": np.where(status.isin(_WITHOUT), pupils, 0), "boarders": np.where(mode == "board", pupils, 0),
        "day": np.where(by_day, pupils, 0), "day_minutes": np.where(by_day, pupils * rows["minutes"].fillna(0), 0.0),
        "school_id": rows["school_id"].astype("str"),
    })  # fmt: skip
    key = ["settlement_id", "year", "band"]
    sums = table.drop(columns="school_id").groupby(key, as_index=False).sum()
    sums["minutes"] = (sums["day_minutes"] / sums["day"]).where(sums["day"] > 0)
    # the school of most of them, of equal ones the one with the smaller id
    sent = table[table["school_id"] != ""].groupby([*key, "school_id"])["pupils"].sum().reset_index()
    most = sent.sort_values([*key, "pupils", "school_id"], ascending=[True] * 3 + [False, True]).drop_duplicates(key)
    found = sums.merge(most[[*key, "school_id"]], on=key, how="left").drop(columns=["day", "day_minutes"])
    return found.assign(school_id=found["school_id"].fillna(""))


def _band_of_grade() -> dict[int, str]:
    return {grade: band_of(grade) for grades in BANDS.values() for grade in grades}


# --- schools ------------------------------------------------------------------------------------------------------------


def _schools(a: Plan, b: Plan, years: Sequence[int]) -> pd.DataFrame:
    joined = _beside(_standing(a, years), _standing(b, years), ["school_id", "year"], text=["kind", "tier"])
    for side in ("a", "b"):
        joined[f"open_{side}"] = joined[f"open_{side}"].eq(True)
    size = np.zeros(len(joined), bool)
    for name in _SCHOOL:
        size |= (joined[f"{name}_a"] != joined[f"{name}_b"]).to_numpy()
    more = joined["pupils_b"] - joined["pupils_a"]
    joined["change"] = np.select(
        [joined["open_a"] & ~joined["open_b"], joined["open_b"] & ~joined["open_a"], size, more > 0, more < 0],
        ["only_a", "only_b", "other_size", "more_pupils", "fewer_pupils"], "same",
    )  # fmt: skip
    return check("compared_schools", joined)


def _standing(plan: Plan, years: Sequence[int]) -> pd.DataFrame:
    """Return the schools of each year that are open or have pupils: what they are, their pupils and classes."""
    key = ["school_id", "year"]
    there = plan.planned.school_years
    there = there[there["year"].isin(years) & (there["status"] == "open")]
    kinds = dict(zip(plan.schools["school_id"], plan.schools["kind"].astype("str"), strict=True))
    kind = there["kind"].astype("str") if "kind" in there else pd.Series("", index=there.index)
    there = there[[*key, "first_grade", "last_grade", "rooms", "beds"]].assign(
        open=True, kind=kind.where(kind != "", there["school_id"].map(kinds)).fillna("")
    )
    classes = plan.planned.classes
    classes = classes[classes["year"].isin(years)]
    sums = classes.groupby(key, as_index=False)[["pupils", "classes", "oversized_classes"]].sum()
    largest = classes.sort_values([*key, "largest_class", "class_group"], ascending=[True, True, False, True]).drop_duplicates(key)
    held = sums.merge(largest[[*key, "largest_class", "tier"]], on=key)
    found = there.merge(held, on=key, how="outer")
    texts = {"kind": found["kind"].fillna(""), "tier": found["tier"].fillna(""), "open": found["open"].eq(True)}
    numbers = found.columns.difference([*key, *texts])
    return found.assign(**texts, **{c: found[c].fillna(0).astype("int64") for c in numbers})


# --- sums ---------------------------------------------------------------------------------------------------------------


def _townships(a: Plan, b: Plan, years: Sequence[int]) -> pd.DataFrame:
    key, measures = ["township_id", "year", "band"], ["pupils", *STATUSES]
    sides = [plan.planned.headline[plan.planned.headline["year"].isin(years)][[*key, *measures]] for plan in (a, b)]
    return check("compared_townships", _beside(sides[0], sides[1], key))


def _years(a: Plan, b: Plan) -> pd.DataFrame:
    key = ["view", "year", "figure"]
    sides = [_figures(plan).rename(columns={"value": name}) for name, plan in (("value_a", a), ("value_b", b))]
    joined = sides[0].merge(sides[1], on=key, how="outer")
    return check("compared_years", joined.assign(difference=joined["value_b"] - joined["value_a"]))


def _figures(plan: Plan) -> pd.DataFrame:
    rows = plan.summary.assign(
        open_schools=[_open_schools(plan, str(view), int(year)) for view, year in zip(plan.summary["view"], plan.summary["year"], strict=True)]
    )
    long = rows.melt(["view", "year"], list(FIGURES), "figure", "value")
    return long.assign(value=long["value"].astype(float))


def _open_schools(plan: Plan, view: str, year: int) -> int:
    if view == "today":
        return int((plan.county.schools["status"] == "open").sum())
    there = plan.planned.school_years
    return int(((there["year"] == year) & (there["status"] == "open")).sum())


def _headline(a: Plan, b: Plan, by_year: pd.DataFrame, year: int) -> pd.DataFrame:
    last = by_year[(by_year["view"] == "planned") & (by_year["year"] == year)]
    built = [_built(plan.proposals) for plan in (a, b)]
    more = pd.DataFrame({"figure": list(BUILT), "value_a": [built[0][f] for f in BUILT], "value_b": [built[1][f] for f in BUILT]})
    joined = pd.concat([last[["figure", "value_a", "value_b"]], more], ignore_index=True)
    return check("compared_headline", joined.assign(difference=joined["value_b"] - joined["value_a"]))


def _built(proposals: pd.DataFrame) -> dict[str, float]:
    """Sum up what the proposals build; keeping a school builds nothing and is not counted."""
    return {
        "proposals": float((proposals["action"] != "keep").sum()), "openings": float(proposals["action"].isin(["open", "reopen"]).sum()),
        "rooms": float(proposals["rooms"].sum()), "beds": float(proposals["beds"].sum()), "investment_yuan": float(proposals["cost_yuan"].sum()),
        "yuan_a_year": float(proposals["yuan_a_year"].fillna(0).sum()),
    }  # fmt: skip


def _money(a: Plan, b: Plan) -> pd.DataFrame:
    key = ["year", "action"]
    sides = []
    for plan in (a, b):
        rows = pd.DataFrame(plan.proposals[[*key, "cost_yuan", "yuan_a_year"]]).assign(proposals=1)
        rows["yuan_a_year"] = rows["yuan_a_year"].fillna(0.0)
        sides.append(rows.groupby(key, as_index=False).sum())
    joined = _beside(sides[0], sides[1], key)
    return check("compared_money", joined.assign(difference=joined["cost_yuan_b"] - joined["cost_yuan_a"]))


# --- proposals ----------------------------------------------------------------------------------------------------------


def _proposals(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Pair the proposals of one school and action: first those of one year, then the others in the order of years."""
    values = ["year", *_SIZE, "cost_yuan", "pupils"]
    sides = []
    for proposals in (a, b):
        own = pd.DataFrame(proposals[["school_id", "action", *values]]).astype({"school_id": "str", "action": "str", "role": "str"})
        sides.append({key: rows[values].sort_values("year").to_dict("records") for key, rows in own.groupby(["school_id", "action"])})
    rows = []
    for key in sorted(set(sides[0]) | set(sides[1])):
        for place, (one, other) in enumerate(_paired(sides[0].get(key, []), sides[1].get(key, [])), start=1):
            row: dict[str, object] = {"school_id": key[0], "action": key[1], "place": place, "change": _alike(one, other)}
            for side, proposal in (("a", one), ("b", other)):
                row |= {f"{name}_{side}": "" if name == "role" else np.nan for name in values}
                row |= {f"{name}_{side}": value for name, value in (proposal or {}).items()}
            rows.append(row)
    return check("compared_proposals", pd.DataFrame(rows)) if rows else empty("compared_proposals")


def _paired(one: list[dict], other: list[dict]) -> list[tuple[dict | None, dict | None]]:
    same = {p["year"] for p in one} & {p["year"] for p in other}
    pairs: list[tuple[dict | None, dict | None]] = [
        (next(p for p in one if p["year"] == year), next(p for p in other if p["year"] == year)) for year in sorted(same)
    ]
    left, right = ([p for p in side if p["year"] not in same] for side in (one, other))
    for i in range(max(len(left), len(right))):
        pairs.append((left[i] if i < len(left) else None, right[i] if i < len(right) else None))
    return sorted(pairs, key=lambda pair: min(p["year"] for p in pair if p is not None))


def _alike(one: dict | None, other: dict | None) -> str:
    if one is None or other is None:
        return "only_b" if one is None else "only_a"
    year, size = one["year"] != other["year"], any(one[name] != other[name] for name in _SIZE)
    return {(False, False): "same", (True, False): "other_year", (False, True): "other_size", (True, True): "other_year_and_size"}[year, size]


# --- what they rest on --------------------------------------------------------------------------------------------------


def _basis(a: Plan, b: Plan) -> pd.DataFrame:
    """Return the files, standards, scenario, years and versions in which the plans differ."""
    sides = [_rests_on(plan) for plan in (a, b)]
    keys = sorted(key for key in set(sides[0]) | set(sides[1]) if sides[0].get(key) != sides[1].get(key))
    rows = [
        {"kind": kind, "item": item, **{f"text_{s}": side.get((kind, item), "") for s, side in zip("ab", sides, strict=True)}} for kind, item in keys
    ]
    return check("compared_basis", pd.DataFrame(rows)) if rows else empty("compared_basis")


def _rests_on(plan: Plan) -> dict[tuple[str, str], str]:
    versions = plan.manifest.get("versions")
    out = {("file", name): str(sha) for name, sha in plan.county.inputs.items()}
    out |= {("scenario", name): json.dumps(value, ensure_ascii=False, default=str) for name, value in asdict(plan.scenario).items()}
    out |= {("standard", key): json.dumps(rule.value, ensure_ascii=False) for key, rule in plan.standards.rules.items()}
    out |= {("version", str(name)): str(value) for name, value in (versions.items() if isinstance(versions, dict) else ())}
    return out | {("year", str(year)): str(year) for year in plan.years}
