"""Every policy number, with the document and clause it comes from and how well it was verified."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from layout import messages
from layout.tables import CountyDataError, Problem, band_of

# what is divided by: fewer than one of them is none
_AT_LEAST_ONE = frozenset({"bus.runs", "bus.occupants.max", "staff.lessons_per_teacher", "staff.round.lessons_day", "travel.straight_factor"})
#: Where a step of the schedule of class sizes applies, and whom it reaches.
STAGES = ("primary", "junior", "primary_incomplete")
APPLIES_TO = ("entry_grades", "all_grades")
_SCHEDULE = "class_size.schedule"
_BINS = "class_size.stat_bins"
# school years that a plan may look at
_YEARS = range(2000, 2101)
_FIRST_JUNIOR = 7


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
class Step:
    """One lower class-size standard of a county's dated schedule (逐步降低班额标准).

    ``from_year``: the school year that starts in it is the first. ``stage``: primary, junior or primary_incomplete. ``applies_to``:
    entry_grades, the classes that enter the stage from then on, so that it climbs a grade a year; or all_grades at once.
    """

    from_year: int
    stage: str
    pupils: int
    applies_to: str = "entry_grades"
    doc: str = ""
    clause: str = ""

    @property
    def unverified(self) -> bool:
        """Say whether the county gave no document for it."""
        return not self.doc

    def cite(self, lang: str = "zh") -> str:
        """Name the document and clause, the county as its level, and 待核实 where there is no document."""
        document = (self.doc or messages.text("standards.county_file", lang)) + self.clause
        mark = messages.text("standards.unverified", lang) if self.unverified else ""
        return messages.text("standards.cite", lang, document=document, level=messages.text("level.county", lang), mark=mark)


@dataclass(frozen=True)
class Standards:
    """The figures in force for a county.

    Parameters
    ----------
    rules
        Rule by key, sorted.
    steps
        The county's schedule of lower class sizes, by stage and year.
    """

    rules: Mapping[str, Rule]
    steps: tuple[Step, ...] = ()

    def __getitem__(self, key: str) -> float:
        """Return the number of a rule."""
        value = self.rules[key].value
        if isinstance(value, str):
            raise TypeError(f"{key} is text ({value}), not a number: read it from rules")
        return value

    def class_size(self, grade: int, *, incomplete: bool = False, year: int | None = None) -> int:
        """Return the class-size standard of a grade, lower in an incomplete primary school (教学点).

        With the year in which a school year starts, the county's schedule counts: a step for entry grades once it was in force in
        the year in which the cohort entered grade 1 or 7, a step for all grades from its own year on.
        """
        stage = "primary_incomplete" if incomplete else "junior" if band_of(grade) == "junior" else "primary"
        size = int(self[_standard_key(stage)])
        if year is None:
            return size
        entered = year - (grade - (_FIRST_JUNIOR if grade >= _FIRST_JUNIOR else 1))
        reached = {"entry_grades": entered, "all_grades": year}
        return min([size, *(s.pupils for s in self.steps if s.stage == stage and s.from_year <= reached[s.applies_to])])

    def mixed_size(self, grades: Iterable[int], *, year: int | None = None) -> int:
        """Return the most pupils of a class of several grades: never more than the standard of one of its grades alone."""
        return min([int(self["class_size.mixed.max_pupils"]), *(self.class_size(g, incomplete=True, year=year) for g in grades)])

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
        there = {key: rule for key, rule in self.rules.items() if rule.valid_from <= day and (not rule.valid_to or day <= rule.valid_to)}
        return replace(self, rules=there)

    def to_frame(self) -> pd.DataFrame:
        """Return every rule as a table sorted by key."""
        return pd.DataFrame([vars(rule) for rule in self.rules.values()])

    def steps_frame(self) -> pd.DataFrame:
        """Return the schedule of class sizes as a table sorted by stage and year; :func:`steps_of` reads it back."""
        return pd.DataFrame([asdict(step) for step in self.steps], columns=[f.name for f in fields(Step)])


def steps_of(frame: pd.DataFrame) -> tuple[Step, ...]:
    """Read a schedule back from its table.

    Parameters
    ----------
    frame
        As :meth:`Standards.steps_frame` has it; empty texts may have become missing values.

    Returns
    -------
    tuple of Step
        In the order of the rows; none without rows.

    Examples
    --------
    >>> steps = (Step(2027, "primary", 42), Step(2030, "primary", 40, doc="某县规划"))
    >>> steps_of(Standards({}, steps).steps_frame()) == steps
    True
    """
    texts = ("stage", "applies_to", "doc", "clause")
    rows = frame.assign(**{name: frame[name].fillna("").astype("str") for name in texts}).to_dict("records")
    return tuple(Step(int(r["from_year"]), r["stage"], int(r["pupils"]), r["applies_to"], r["doc"], r["clause"]) for r in rows)


def size_bins(standards: Standards) -> tuple[tuple[str, int, int | None], ...]:
    """Return the bins in which official forms count classes by size.

    Parameters
    ----------
    standards
        ``class_size.stat_bins``.

    Returns
    -------
    tuple
        Label, smallest and largest size of each bin, the smallest first; the last has no largest size (None).

    References
    ----------
    教督〔2017〕6号, school form: ten bins; the form of 2008 had seven.

    Examples
    --------
    >>> size_bins(read_standards())[0], size_bins(read_standards())[-1]
    (('<=25', 1, 25), ('>=66', 66, None))
    """
    found = _bins(str(standards.rules[_BINS].value))
    if found is None:
        raise ValueError(f"{_BINS} does not cover every class size once: {standards.rules[_BINS].value}")
    return found


def read_standards(path: str | Path | None = None) -> Standards:
    """Read the standards, and a county's own figures over them.

    A county's file is TOML: ``"travel.limit.walk.upper" = 35``, or a table with ``value``, ``doc`` and ``clause`` where
    the county has a document. County figures outrank national and provincial ones; a figure of a law can be made
    stricter but not relaxed. Class sizes that are to fall on a date are tables ``[[class_size.schedule]]`` with ``from_year``,
    ``stage`` (primary, junior, primary_incomplete), ``pupils`` and, where they apply, ``applies_to`` (entry_grades, or
    all_grades), ``doc`` and ``clause``; within a stage the years rise and the sizes fall.

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
        Unknown keys (with the nearest known one), values of the wrong kind, laws relaxed, steps of the schedule that are not
        steps down: all at once.

    Examples
    --------
    >>> standards = read_standards()
    >>> standards["class_size.oversize.min"], standards.limit("walk", "lower")
    (56.0, 30.0)
    >>> standards.rules["walk.speed.lower"].verified
    'U'
    """
    standards = Standards(dict(sorted(_shipped().items())))
    if path is None:
        return standards
    path = Path(path)
    try:
        overlay = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CountyDataError([Problem("not_toml", path.name, fields={"error": str(error)})]) from error
    return overlay_standards(standards, overlay, file=path.name)


def overlay_standards(standards: Standards, overlay: Mapping[str, object], *, file: str = "") -> Standards:
    """Put other figures in the place of some.

    Parameters
    ----------
    standards
        Figures in force.
    overlay
        As a county's ``standards.toml`` has them: values, or tables with value and source, by the keys of the standards; and a
        schedule of class sizes, which takes the place of the one there is.
    file
        Where they come from, for problems.

    Returns
    -------
    Standards
        The figures with the others on top.

    Raises
    ------
    CountyDataError
        As from :func:`read_standards`.

    Examples
    --------
    >>> overlay_standards(read_standards(), {"travel": {"limit": {"walk": {"lower": 25}}}}).limit("walk", "lower")
    25.0
    """
    rules = dict(standards.rules)
    problems: list[Problem] = []
    schedule: object = None
    for key, given in _entries(overlay, "", rules):
        if key == _SCHEDULE:
            schedule = given
        elif key not in rules:
            near = difflib.get_close_matches(key, [*rules, _SCHEDULE], n=1, cutoff=0.0)[0]
            problems.append(Problem("unknown_standard", file, column=key, value=str(given), fields={"near": near}))
        else:
            problem, rules[key] = _overlaid(rules[key], given if isinstance(given, Mapping) else {"value": given})
            problems += [replace(problem, file=file)] if problem else []
    steps, more = (standards.steps, []) if schedule is None else _schedule(schedule, Standards(rules))
    problems += [replace(problem, file=file) for problem in more]
    if problems:
        raise CountyDataError(problems)
    return Standards(dict(sorted(rules.items())), steps)


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
        below = isinstance(value, Mapping) and key != _SCHEDULE and "value" not in value
        if isinstance(value, Mapping) and below and (key not in rules or any(f"{key}.{name}" in rules for name in value)):
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
        if not isinstance(value, str) or (rule.key == _BINS and _bins(value) is None):
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


def _standard_key(stage: str) -> str:
    return "class_size.design.primary_incomplete" if stage == "primary_incomplete" else f"class_size.yzjh.{stage}.max"


def _bins(text: str) -> tuple[tuple[str, int, int | None], ...] | None:
    """Read bins such as ``<=25,26-30,>=31``; None where they do not cover every size once."""
    out: list[tuple[str, int, int | None]] = []
    for label in (part.strip() for part in text.split(",")):
        found = re.fullmatch(r"<=(?P<most>\d+)|(?P<low>\d+)-(?P<high>\d+)|>=(?P<least>\d+)", label)
        if found is None:
            return None
        low = int(found["low"] or found["least"] or 1)
        high = None if found["least"] else int(found["high"] or found["most"])
        expected = 1 if not out else (out[-1][2] or 0) + 1
        if (out and out[-1][2] is None) or low != expected or (high is not None and high < low):
            return None
        out.append((label, low, high))
    return tuple(out) if out[-1][2] is None else None


def _schedule(given: object, standards: Standards) -> tuple[tuple[Step, ...], list[Problem]]:
    """Check the steps of a county's schedule whole, and sort them by stage and year."""
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(entry, Mapping) for entry in given):
        return (), [Problem("schedule_not_steps", column=_SCHEDULE, value=str(given))]
    steps: list[Step] = []
    problems: list[Problem] = []
    last: dict[str, Step] = {}
    for i, entry in enumerate(given, start=1):
        faults = _step_faults(entry)
        problems += [Problem(key, column=f"{_SCHEDULE} [{i}] {name}", value=value, fields=about) for key, name, value, about in faults]
        if faults:
            continue
        step = Step(**entry)
        before = last.get(step.stage)
        least = before.pupils if before else int(standards[_standard_key(step.stage)])
        if step.pupils >= least:
            about = {"stage": step.stage, "least": least}
            problems.append(Problem("schedule_not_lower", column=f"{_SCHEDULE} [{i}] pupils", value=str(step.pupils), fields=about))
        if before and step.from_year <= before.from_year:
            about = {"stage": step.stage, "before": before.from_year}
            problems.append(Problem("schedule_years", column=f"{_SCHEDULE} [{i}] from_year", value=str(step.from_year), fields=about))
        last[step.stage] = step
        steps.append(step)
    return tuple(sorted(steps, key=lambda s: (STAGES.index(s.stage), s.from_year))), problems


def _step_faults(entry: Mapping[str, object]) -> Iterable[tuple[str, str, str, dict[str, object]]]:
    names = [f.name for f in fields(Step)]
    faults: list[tuple[str, str, str, dict[str, object]]] = []
    for name in sorted(set(entry) - set(names)):
        faults.append(("schedule_field", name, str(entry[name]), {"near": difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]}))
    wanted: dict[str, object] = {
        "from_year": f"{_YEARS[0]}-{_YEARS[-1]}", "pupils": "1, 2, 3 …", "stage": ", ".join(STAGES), "applies_to": ", ".join(APPLIES_TO),
        "doc": "\"…\"", "clause": "\"…\"",
    }  # fmt: skip
    for name in names:
        value = entry.get(name, {"applies_to": APPLIES_TO[0], "doc": "", "clause": ""}.get(name))
        count = isinstance(value, int) and not isinstance(value, bool)
        sound = {
            "from_year": count and value in _YEARS, "pupils": count and value >= 1, "stage": value in STAGES,  # type: ignore[operator]
            "applies_to": value in APPLIES_TO, "doc": isinstance(value, str), "clause": isinstance(value, str),
        }  # fmt: skip
        if not sound[name]:
            faults.append(("schedule_value", name, "" if value is None else str(value), {"wanted": wanted[name]}))
    return faults
