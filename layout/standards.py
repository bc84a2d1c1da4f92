"""Every policy number, with the document and clause it comes from and how well it was verified."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from layout import messages
from layout.tables import CountyDataError, Problem, band_of

# what is divided by: fewer than one of them is none
_AT_LEAST_ONE = frozenset({"bus.runs", "bus.occupants.max"})


@dataclass(frozen=True)
class Rule:
    """One figure: value, unit, operator, level, where it applies, its source and how well that was verified."""

    key: str
    value: float | str
    unit: str
    op: str
    level: str
    stage: str
    urban_rural: str
    valid_from: str
    valid_to: str
    doc: str
    doc_no: str
    clause: str
    issued: str
    verified: str
    source: str
    hard: bool
    zh: str
    en: str
    note: str

    def cite(self, lang: str = "zh") -> str:
        """Name the document, its number and clause, the level, and 待核实 where it is unverified."""
        document = "".join(part for part in (self.doc, f"（{self.doc_no}）" if self.doc_no else "", self.clause))
        mark = messages.text("standards.unverified", lang) if self.verified == "U" else ""
        return messages.text("standards.cite", lang, document=document, level=messages.text(f"level.{self.level}", lang), mark=mark)


@dataclass(frozen=True)
class Standards:
    """The figures in force for a county.

    Parameters
    ----------
    rules
        Rule by key, sorted.
    """

    rules: Mapping[str, Rule]

    def __getitem__(self, key: str) -> float:
        """Return the number of a rule."""
        value = self.rules[key].value
        if isinstance(value, str):
            raise TypeError(f"{key} is text ({value}), not a number: read it from rules")
        return value

    def class_size(self, grade: int, *, incomplete: bool = False) -> int:
        """Return the class-size standard of a grade, lower in an incomplete primary school (教学点)."""
        if incomplete:
            return int(self["class_size.design.primary_incomplete"])
        return int(self["class_size.yzjh.junior.max" if band_of(grade) == "junior" else "class_size.yzjh.primary.max"])

    def limit(self, mode: str, band: str) -> float:
        """Return the limit in minutes one way of a mode and band; a boarder's is that of the weekly trip."""
        return self["travel.limit.week"] if mode in ("board", "week") else self[f"travel.limit.{mode}.{band}"]

    def may_board(self, grade: int) -> bool:
        """Say whether children of a grade may board."""
        return bool(self[f"layout.{ {'lower': 'g1_3', 'upper': 'g4_6', 'junior': 'g7_9'}[band_of(grade)] }.boarding"])

    def on(self, date: dt.date | str) -> Standards:
        """Return the figures in force on a day.

        Parameters
        ----------
        date
            A day, or its ISO text.

        Returns
        -------
        Standards
            The rules that had begun by then and had not ended; the first and the last day of a rule count, and a rule without days
            is always in force. What a later one superseded keeps its own key.

        Raises
        ------
        ValueError
            Text that is not an ISO day.

        Examples
        --------
        >>> standards = layout.read_standards()
        >>> "class_size.oversize.share_max.guizhou" in standards.on("2025-12-30").rules
        False
        >>> standards.on("2025-12-31")["class_size.oversize.share_max.guizhou"]
        0.0
        """
        day = (dt.date.fromisoformat(date) if isinstance(date, str) else dt.date(date.year, date.month, date.day)).isoformat()
        return Standards({key: rule for key, rule in self.rules.items() if rule.valid_from <= day and (not rule.valid_to or day <= rule.valid_to)})

    def to_frame(self) -> pd.DataFrame:
        """Return every rule as a table sorted by key."""
        return pd.DataFrame([vars(rule) for rule in self.rules.values()])


def read_standards(path: str | Path | None = None) -> Standards:
    """Read the standards, and a county's own figures over them.

    A county's file is TOML: ``"travel.limit.walk.upper" = 35``, or a table with ``value``, ``doc`` and ``clause`` where
    the county has a document. County figures outrank national and provincial ones; a figure of a law can be made
    stricter but not relaxed.

    Parameters
    ----------
    path
        The county's ``standards.toml``; None for the standards alone.

    Returns
    -------
    Standards
        The figures in force.

    Raises
    ------
    CountyDataError
        Unknown keys (with the nearest known one), values of the wrong kind, laws relaxed: all at once.

    Examples
    --------
    >>> standards = read_standards()
    >>> standards["class_size.oversize.min"], standards.limit("walk", "lower")
    (56.0, 30.0)
    >>> standards.rules["walk.speed.lower"].verified
    'U'
    """
    rules = dict(_shipped())
    if path is None:
        return Standards(dict(sorted(rules.items())))
    path = Path(path)
    try:
        overlay = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CountyDataError([Problem("not_toml", path.name, fields={"error": str(error)})]) from error
    problems: list[Problem] = []
    for key, given in _entries(overlay, "", rules):
        if key not in rules:
            near = difflib.get_close_matches(key, rules, n=1, cutoff=0.0)[0]
            problems.append(Problem("unknown_standard", path.name, column=key, value=str(given), fields={"near": near}))
            continue
        entry = given if isinstance(given, Mapping) else {"value": given}
        problem, rule = _overlaid(rules[key], entry)
        if problem:
            problems.append(replace(problem, file=path.name))
        else:
            rules[key] = rule
    if problems:
        raise CountyDataError(problems)
    return Standards(dict(sorted(rules.items())))


def judged_minutes(times: pd.DataFrame, standards: Standards) -> pd.Series:
    """Return the minutes on which limits are checked.

    Parameters
    ----------
    times
        Table ``times``.
    standards
        ``travel.judge_slower`` says whether the slower direction counts (1) or the way to school (0).

    Returns
    -------
    pandas.Series
        Minutes with the index of ``times``.

    Examples
    --------
    >>> times = pd.DataFrame({"minutes": [20.0, 31.0], "minutes_back": [28.0, 30.0]})
    >>> judged_minutes(times, read_standards()).tolist()
    [28.0, 31.0]
    """
    if standards["travel.judge_slower"] and "minutes_back" in times:
        return pd.Series(np.fmax(times["minutes"], times["minutes_back"]), index=times.index, name="judged")
    return times["minutes"].rename("judged")


@functools.cache
def _shipped() -> Mapping[str, Rule]:
    # seven hundred rules that never change while the programme runs
    text = files("layout").joinpath("standards.csv").read_text(encoding="utf-8-sig")
    rules = {}
    for row in csv.DictReader(text.splitlines()):
        number = _number(row["value"])
        value = row["value"] if number is None else number
        rules[row["key"]] = Rule(**{**row, "value": value, "hard": row["hard"] == "yes"})  # type: ignore[arg-type]
    return rules


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _entries(node: Mapping[str, object], prefix: str, rules: Mapping[str, Rule]):  # type: ignore[no-untyped-def]
    # TOML nests dotted keys that are not quoted, so both spellings are followed down to a rule or a leaf; a rule may have rules below it
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and "value" not in value and (key not in rules or any(f"{key}.{below}" in rules for below in value)):
            yield from _entries(value, f"{key}.", rules)
        else:
            yield key, value


def _overlaid(rule: Rule, entry: Mapping[str, object]) -> tuple[Problem | None, Rule]:
    unknown = sorted(set(entry) - {"value", "doc", "doc_no", "clause", "issued", "verified", "note"})
    value = entry.get("value")
    if unknown or value is None or isinstance(value, (list, Mapping)):
        return Problem("bad_standard", column=rule.key, value=str(dict(entry)), fields={"unit": rule.unit}), rule
    number = _number(value) if not isinstance(value, bool) else float(value)
    if isinstance(rule.value, str):
        if not isinstance(value, str):
            return Problem("bad_standard", column=rule.key, value=str(value), fields={"unit": rule.unit}), rule
        new: float | str = value
    elif number is None or not np.isfinite(number) or number < 0 or (number < 1 and rule.key in _AT_LEAST_ONE):
        return Problem("bad_standard", column=rule.key, value=str(value), fields={"unit": rule.unit}), rule
    else:
        new = number
        relaxed = (rule.op == "<=" and number > rule.value) or (rule.op == ">=" and number < rule.value)
        if rule.level == "law" and (relaxed or (rule.op in ("in", "flag") and number != rule.value)):
            fields = {"law": rule.value, "document": rule.doc, "clause": rule.clause}
            return Problem("law_relaxed", column=rule.key, value=str(value), fields=fields), rule
    level = rule.level if rule.level == "law" else "county"
    own = {k: str(entry[k]) for k in ("doc", "doc_no", "clause", "issued", "verified", "note") if k in entry}
    if "doc" not in own and new != rule.value:
        own = {"doc": messages.text("standards.county_file", "zh"), "doc_no": "", "clause": "", "issued": "", "verified": "U", **own}
    return None, replace(rule, value=new, level=level, **own)  # type: ignore[arg-type]
