"""Ages by settlement where a county knows only township totals and an age pyramid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from layout import messages
from layout.tables import CountyDataError, Problem, age_span, check, empty, schemas

_TOLERANCE, _ROUNDS = 1e-10, 2000
# an open group from this age or below holds mothers and children, and no age can be read from it
_ADULTS_FROM = 49
# totals and the groups that make them up may differ by rounding
_ROUNDING = 0.005


def split_population(settlements: pd.DataFrame, township_totals: pd.DataFrame, pyramid: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split township totals to settlements, single ages and sexes by iterative proportional fitting.

    The pyramid's groups become single ages by a monotone spline of the cumulated people (no age below zero, every group kept). The
    seed is a settlement's share of its township's people times that structure; it is fitted in turn to the county's structure
    (scaled to the townships' sums) and to each township's totals by age group, until both hold. So every township has its own
    age structure as far as its groups tell, and the settlements of a township share one. An open last group from 49 or below holds
    several ages of children or mothers: its people are left out, and what remains is a list of children.

    Parameters
    ----------
    settlements
        Table ``settlements``; ``persons`` shares out the township. Where nobody's is known, settlements share alike; one without
        it among others counts as their mean.
    township_totals
        Table ``township_totals``: for every township the total, or groups that cover all ages, or both; the same groups everywhere.
    pyramid
        Table ``pyramid``: groups without gap from 0 to an open last one, for both sexes or for men and women.

    Returns
    -------
    tuple of pandas.DataFrame
        Table ``population`` (fractions of persons; ``registered`` in the proportion of the township's totals), and rows of the table
        ``assumptions`` that say what was assumed.

    Raises
    ------
    CountyDataError
        Townships without a total, groups that overlap, leave ages out or contradict their total, a pyramid with gaps.

    References
    ----------
    Deming & Stephan (1940), Annals of Mathematical Statistics 11(4); Fritsch & Carlson (1980) for the monotone spline.

    Examples
    --------
    >>> totals = pd.DataFrame({"township_id": ["T1", "T2"], "age_group": "total", "persons": [300.0, 260.0]})
    >>> pyramid = pd.DataFrame({"age_group": ["0-4", "5-14", "15+"], "sex": "both", "persons": [25.0, 75.0, 100.0]})
    >>> people, assumed = split_population(paper.settlements, totals, pyramid)
    >>> people.groupby("settlement_id").persons.sum().round(6).tolist()  # half are below 15; three share T1, two share T2
    [50.0, 50.0, 50.0, 65.0, 65.0]
    >>> round(float(people[people.age <= 4].persons.sum()), 6)  # an eighth of 560
    70.0
    """
    totals, pyramid = check("township_totals", township_totals), check("pyramid", pyramid)
    problems: list[Problem] = []
    sexes, groups, structure = _structure(pyramid, problems)
    townships = sorted(set(settlements["township_id"]))
    spans, wanted = _wanted(totals, townships, problems)
    if problems:
        raise CountyDataError(problems)
    weight, known = _weights(settlements)
    town = pd.Index(townships).get_indexer(settlements["township_id"])
    ages = np.arange(structure.shape[1])
    # which of the township's groups each age belongs to; the pyramid follows the townships' sums within each of them
    part = np.array([next(i for i, (low, high) in enumerate(spans) if low <= a and (high is None or a <= high)) for a in ages])
    sums = np.array([structure[:, part == i].sum() for i in range(len(spans))])
    short = [i for i in range(len(spans)) if sums[i] <= 0 < wanted[:, i].sum()]
    if short:
        raise CountyDataError([_problem("split_nobody", "pyramid", "persons", _label(spans[i])) for i in short])
    scaled = structure * np.divide(wanted.sum(axis=0), sums, out=np.zeros(len(spans)), where=sums > 0)[part]
    seed = weight[:, None, None] * structure[None]
    place, _, age = np.indices(seed.shape)
    local = (town[place] * len(spans) + part[age]).reshape(-1)
    cell = np.broadcast_to(np.arange(scaled.size).reshape(scaled.shape), seed.shape).reshape(-1)
    fitted = rake(seed.reshape(-1), [(cell, scaled.reshape(-1)), (local, wanted.reshape(-1))]).reshape(seed.shape)
    if structure.shape[1] - 1 <= _ADULTS_FROM:
        # an open group of "15+" is nobody's age: what is left is a list of children
        fitted = fitted[:, :, :-1]
    where, sex, age = np.nonzero(fitted > 0)
    frame = pd.DataFrame({
        "settlement_id": settlements["settlement_id"].to_numpy()[where], "age": age, "sex": np.array(sexes, object)[sex],
        "persons": fitted[where, sex, age], "registered": fitted[where, sex, age] * _registered(totals, townships)[town[where]],
    })  # fmt: skip
    note = "split.shared" if known else "split.alike"
    both = " / ".join(messages.text(f"population.note.{note}", lang, groups=groups) for lang in messages.LANGUAGES)
    assumed = [("population", c, len(frame), "township_totals, pyramid", both) for c in ("age", "persons", "sex")]
    assumptions = pd.DataFrame(assumed, columns=list(schemas()["assumptions"].columns))
    return (check("population", frame) if len(frame) else empty("population")), assumptions


def rake(seed: np.ndarray, margins: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Fit a table to its margins by iterative proportional fitting.

    Parameters
    ----------
    seed
        Cells, not negative; a cell of 0 stays 0.
    margins
        Pairs of the label of each cell (-1: in no sum) and the wanted sum of each label.

    Returns
    -------
    numpy.ndarray
        Cells whose sums are the wanted ones, the last margin to the last bit.

    Raises
    ------
    CountyDataError
        If the margins contradict each other, or somebody is wanted where the seed has nobody.

    References
    ----------
    Deming & Stephan (1940), Annals of Mathematical Statistics 11(4).

    Examples
    --------
    >>> rows, columns = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> rake(np.ones(4), [(rows, np.array([4.0, 6.0])), (columns, np.array([3.0, 7.0]))]).round(3).tolist()
    [1.2, 2.8, 1.8, 4.2]
    """
    out = seed.astype(float)
    for _ in range(_ROUNDS):
        worst = 0.0
        for labels, wanted in margins:
            sums = np.bincount(labels[labels >= 0], out[labels >= 0], minlength=len(wanted))
            ratio = np.divide(wanted, sums, out=np.ones(len(wanted)), where=sums > 0)
            worst = max(worst, np.abs(sums - wanted).max() / max(wanted.max(), 1.0))
            out = out * np.append(ratio, 1.0)[labels]
        if worst <= _TOLERANCE:
            return out
    raise CountyDataError([_problem("split_contradiction", "township_totals", "persons", f"{worst:.2g}")])


def _structure(pyramid: pd.DataFrame, problems: list[Problem]) -> tuple[tuple[str, ...], int, np.ndarray]:
    """Return the sexes, the number of groups and the people by sex and single age, the last age open."""
    sexes = tuple(sorted(set(pyramid["sex"])))
    if sexes not in (("both",), ("female", "male")):
        problems.append(_problem("split_sexes", "pyramid", "sex", ", ".join(sexes)))
        return ("both",), 0, np.zeros((1, 2))
    rows = []
    for sex in sexes:
        own = pyramid[pyramid["sex"] == sex]
        found = [(age_span(text) or (-1, -1), persons) for text, persons in zip(own["age_group"], own["persons"], strict=True)]
        # a total beside the groups says nothing about ages
        spans = sorted(((s, n) for s, n in found if s != (0, None)), key=lambda pair: _order(pair[0]))
        lows, highs = [s[0] for s, _ in spans], [s[1] for s, _ in spans]
        if len(spans) < 2 or lows[0] != 0 or highs[-1] is not None or any(h is None or h + 1 != b for h, b in zip(highs, lows[1:], strict=False)):
            problems.append(_problem("split_pyramid", "pyramid", "age_group", ", ".join(_label(s) for s, _ in spans)))
            continue
        cumulated = np.concatenate([[0.0], np.cumsum([n for _, n in spans[:-1]])])
        single = np.diff(PchipInterpolator([*lows], cumulated)(np.arange(lows[-1] + 1)))
        rows.append(np.append(np.maximum(single, 0.0), spans[-1][1]))
    if len({len(r) for r in rows}) > 1:
        problems.append(_problem("split_pyramid", "pyramid", "age_group", ", ".join(sexes)))
    return sexes, len(pyramid) // len(sexes), np.stack(rows) if len({len(r) for r in rows}) == 1 else np.zeros((1, 2))


def _wanted(totals: pd.DataFrame, townships: Sequence[str], problems: list[Problem]) -> tuple[list[tuple[int, int | None]], np.ndarray]:
    """Return the age groups of the townships, together all ages, and the people of each township in them."""
    table: dict[str, dict[tuple[int, int | None], float]] = {t: {} for t in townships}
    for town, text, persons in zip(totals["township_id"], totals["age_group"], totals["persons"], strict=True):
        span = age_span(text)
        if span is None:
            problems.append(_problem("split_group", "township_totals", "age_group", text))
        elif town in table:
            table[town][span] = float(persons)
    sets = {t: sorted((s for s in table[t] if s != (0, None)), key=_order) for t in townships}
    usual = max(sets.values(), key=lambda s: (list(sets.values()).count(s), str(s))) if sets else []
    spans = _closed(usual)
    if spans is None:
        problems.append(_problem("split_overlap", "township_totals", "age_group", ", ".join(_label(s) for s in usual)))
        return [(0, None)], np.zeros((len(townships), 1))
    out = np.zeros((len(townships), len(spans)))
    for i, town in enumerate(townships):
        total, given = table[town].get((0, None)), [table[town].get(s) for s in spans]
        known = sum(n for n in given if n is not None)
        missing = [j for j, n in enumerate(given) if n is None]
        fields = {"township": town, "total": f"{total or 0:g}", "groups": f"{known:g}", "wanted": ", ".join(_label(s) for s in usual)}
        if sets[town] != usual:
            problems.append(_problem("split_groups_differ", "township_totals", "age_group", ", ".join(_label(s) for s in sets[town]), fields))
        elif (missing and total is None) or len(missing) > 1:
            problems.append(_problem("split_no_total", "township_totals", "township_id", town, fields))
        elif total is not None and (total < known * (1 - _ROUNDING) or (not missing and total > known * (1 + _ROUNDING))):
            problems.append(_problem("split_total", "township_totals", "persons", town, fields))
        else:
            out[i] = [max((total or 0.0) - known, 0.0) if n is None else n for n in given]
    return spans, out


def _closed(spans: Sequence[tuple[int, int | None]]) -> list[tuple[int, int | None]] | None:
    """Fill the one gap that groups may leave between them and the total; None if they overlap or leave several."""
    out: list[tuple[int, int | None]] = []
    gaps, start = 0, 0
    for low, high in spans:
        if low < start:
            return None
        if low > start:
            out.append((start, low - 1))
            gaps += 1
        out.append((low, high))
        if high is None:
            return out if gaps <= 1 and (low, high) == spans[-1] else None
        start = high + 1
    return [*out, (start, None)] if gaps == 0 else None


def _weights(settlements: pd.DataFrame) -> tuple[np.ndarray, bool]:
    given = settlements["persons"].to_numpy(float) if "persons" in settlements else np.full(len(settlements), np.nan)
    town = settlements["township_id"]
    mean = pd.Series(given, index=settlements.index).groupby(town.to_numpy()).transform("mean").to_numpy(float)
    weight = np.where(np.isfinite(given), given, np.where(np.isfinite(mean), mean, 1.0))
    # a township whose settlements all say nobody shares alike, or its people would have nowhere to live
    sums = pd.Series(weight).groupby(town.to_numpy()).transform("sum").to_numpy(float)
    return np.where(sums > 0, weight, 1.0), bool(np.isfinite(given).all())


def _registered(totals: pd.DataFrame, townships: Sequence[str]) -> np.ndarray:
    rows = totals[[age_span(t) == (0, None) for t in totals["age_group"]]].set_index("township_id").reindex(list(townships))
    return (rows["registered"] / rows["persons"].where(rows["persons"] > 0)).to_numpy(float)


def _order(span: tuple[int, int | None]) -> tuple[int, float]:
    return span[0], np.inf if span[1] is None else span[1]


def _label(span: tuple[int, int | None]) -> str:
    low, high = span
    return f"{low}+" if high is None else (str(low) if low == high else f"{low}-{high}")


def _problem(key: str, table: str, column: str, value: object, fields: Mapping[str, object] | None = None) -> Problem:
    return Problem(key, sheet=schemas()[table].zh, column=schemas()[table].columns[column].zh, value=str(value), fields=fields or {})
