"""A scenario: what a plan supposes beyond the data."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from layout import messages
from layout.aims import Aims, read_aims
from layout.standards import Standards, overlay_standards
from layout.tables import CountyDataError, Problem, label, schemas

FORMAT = 1
# settings that are tables of their own in a file
_TABLES = ("standards", "plan")


@dataclass(frozen=True)
class Scenario:
    """What a projection supposes beyond the data; see the table ``scenario`` of the data dictionary.

    Parameters
    ----------
    name
        Shown with every result.
    attendance
        ``frozen``: shares of attendance stay; ``trend``: they go on as their years did; ``halved``: from the year after the base year
        half as many leave their township.
    variant
        ``medium``; ``low`` and ``high``: births and migration on the 10 % and 90 % path of their drift.
    season
        ``dry``, ``rain`` or ``ice``: whose roads and speeds all minutes are computed for.
    walking
        ``medium``: the walking speeds of the standards; ``slow``, ``fast``: less or more by ``walk.speed.margin``; ``brisk``:
        ``walk.speed.brisk``, what children walk unladen on even ground.
    buses
        ``listed``: the services of today count; ``none``: nobody rides; ``any``: in the plan every school and candidate may run a service,
        whose seats cost money; today still has those of today.
    road_edits
        GeoJSON of roads built, closed or re-timed, as :func:`layout.road_edits.edits_of` reads it; empty for none.
    school_changes
        JSON of schools closed, changed and new, limits and class sizes, as the map's what-if saves it and
        :func:`layout.school_changes.read_changes` reads it; empty for none.
    standards
        JSON of other figures, as :func:`layout.standards.overlay_standards` takes them (in a file: a table ``[standards]``); empty for none.
    plan
        JSON of what the plan is asked in place of what the county asks: years, budget, must_open, must_keep, most_open, unserved (in a
        file: a table ``[plan]``); empty for none.
    demand
        ``resident`` children (义务教育法 §15), ``registered`` (hukou) ones, or residents at the level of the school ``roll``.
    """

    name: str = ""
    attendance: str = "frozen"
    variant: str = "medium"
    demand: str = "resident"
    season: str = "dry"
    walking: str = "medium"
    buses: str = "listed"
    road_edits: str = ""
    school_changes: str = ""
    standards: str = ""
    plan: str = ""


def read_scenario(path: str | Path) -> Scenario:
    """Read a scenario from TOML (written by people) or JSON (saved by the map).

    Parameters
    ----------
    path
        The file: ``format = 1`` and any of the settings of :class:`Scenario`. ``road_edits`` may name a GeoJSON file in the
        same folder.

    Returns
    -------
    Scenario
        Its name is that of the file where it gives none.

    Raises
    ------
    CountyDataError
        A file that cannot be read, a newer format, unknown settings or values: all at once.

    Examples
    --------
    >>> try:
    ...     read_scenario("no such file.toml")
    ... except CountyDataError as error:
    ...     error.problems[0].key
    'no_scenario'
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        given = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise CountyDataError([Problem("no_scenario", path.name)]) from error
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CountyDataError([Problem("not_toml", path.name, fields={"error": str(error)})]) from error
    given = given if isinstance(given, dict) else {}
    problems: list[Problem] = []
    if given.pop("format", FORMAT) != FORMAT:
        problems.append(Problem("newer_format", path.name, column="format", fields={"known": FORMAT}))
    settings: dict[str, object] = asdict(Scenario(name=path.stem)) | given
    settings["road_edits"] = _edits_beside(path, settings["road_edits"], problems)
    for key in ("school_changes", *_TABLES):
        if isinstance(settings[key], dict):
            settings[key] = json.dumps(settings[key], ensure_ascii=False, sort_keys=True)
    problems += _problems(settings, path.name)
    if problems:
        raise CountyDataError(problems)
    return Scenario(**settings)  # type: ignore[arg-type]


def check_scenario(scenario: Scenario | None) -> Scenario:
    """Return the scenario, the plain one for None.

    Parameters
    ----------
    scenario
        What was asked for.

    Returns
    -------
    Scenario
        The same.

    Raises
    ------
    CountyDataError
        If a setting has a value that is not known.

    Examples
    --------
    >>> check_scenario(None)
    Scenario(name='', attendance='frozen', variant='medium', demand='resident', season='dry', walking='medium', buses='listed', road_edits='',
             school_changes='', standards='', plan='')
    """
    scenario = Scenario() if scenario is None else scenario
    problems = _problems(asdict(scenario), "")
    if problems:
        raise CountyDataError(problems)
    return scenario


def supposed_standards(standards: Standards, scenario: Scenario) -> Standards:
    """Return the figures that a scenario supposes.

    Parameters
    ----------
    standards
        Figures in force.
    scenario
        Its ``standards``.

    Returns
    -------
    Standards
        The same where it has none.

    Raises
    ------
    CountyDataError
        Unknown keys, values of the wrong kind, laws relaxed: all at once.

    Examples
    --------
    >>> supposed_standards(layout.read_standards(), Scenario(standards='{"travel.limit.walk.lower": 25}')).limit("walk", "lower")
    25.0
    """
    return overlay_standards(standards, json.loads(scenario.standards), file=scenario.name) if scenario.standards else standards


def supposed_aims(aims: Aims, scenario: Scenario, *, base_year: int) -> Aims:
    """Return what a scenario asks of the plan.

    Parameters
    ----------
    aims
        What the county asks.
    scenario
        Its ``plan``: what it names takes the place of the county's.
    base_year
        Plan years come after it.

    Returns
    -------
    Aims
        The same where it asks nothing.

    Raises
    ------
    CountyDataError
        Unknown keys and values that cannot be: all at once.

    Examples
    --------
    >>> supposed_aims(Aims(most_open=3), Scenario(plan='{"years": [2030]}'), base_year=2025)
    Aims(years=(2030,), budget={}, must_open=(), must_keep=(), most_open=3, unserved='list')
    """
    if not scenario.plan:
        return aims
    given = json.loads(scenario.plan)
    found, problems = read_aims(given, base_year=base_year, file=scenario.name)
    if problems:
        raise CountyDataError(problems)
    return replace(aims, **{key: getattr(found, key) for key in given})


def scenario_notes(scenario: Scenario) -> list[tuple[str, dict[str, object]]]:
    """Say what a scenario supposes, as a note that every output shows first.

    Parameters
    ----------
    scenario
        What was supposed.

    Returns
    -------
    list
        Key and fields of the message, its settings in both languages; empty for the plain scenario.

    Examples
    --------
    >>> scenario_notes(Scenario()), scenario_notes(Scenario(name="wet", season="rain"))[0][1]["settings"]
    ([], '季节：雨季 / season: rain')
    """
    plain, told = asdict(Scenario()), []
    columns = schemas()["scenario"].columns
    changed = [c for c, value in asdict(scenario).items() if c != "name" and value != plain[c]]
    for lang in messages.LANGUAGES:
        zh = lang == "zh"
        parts = []
        for c in changed:
            name = columns[c].zh if zh else columns[c].en.replace("_", " ")
            value = label("scenario", c, getattr(scenario, c), lang) if columns[c].values else messages.text("note.scenario_edits", lang)
            parts.append(f"{name}：{value}" if zh else f"{name}: {value}")
        told.append(("；" if zh else "; ").join(parts))
    return [("note.scenario", {"name": scenario.name, "settings": " / ".join(told)})] if changed else []


def _edits_beside(path: Path, given: object, problems: list[Problem]) -> object:
    """Return edits of roads as the text that was given, or of the file beside the scenario that it names."""
    if isinstance(given, dict):
        # as a map saves them
        return json.dumps(given, ensure_ascii=False, sort_keys=True)
    if not isinstance(given, str) or not given or given.lstrip().startswith("{"):
        return given
    try:
        # only a file beside the scenario: no way out of its folder
        beside = (path.parent / given).resolve()
        if beside.parent == path.parent.resolve() and beside.is_file():
            text = beside.read_bytes()
            try:
                return text.decode("utf-8-sig")
            except UnicodeDecodeError:
                return text.decode("gb18030")
    except (OSError, ValueError):
        # a text that is no name, or a file that cannot be read
        pass
    problems.append(Problem("no_file", path.name, column="road_edits", value=given[:80]))
    return ""


def _problems(settings: dict[str, object], file: str) -> list[Problem]:
    columns = schemas()["scenario"].columns
    problems = []
    for key, value in settings.items():
        if key not in columns:
            problems.append(Problem("bad_setting", file, column=key, value=str(value), fields={"wanted": ", ".join(columns)}))
        elif key in _TABLES and not _is_table(value):
            problems.append(Problem("bad_setting", file, column=key, value=str(value)[:80], fields={"wanted": f"[{key}]"}))
        elif not isinstance(value, str) or (columns[key].values and value not in columns[key].values):
            problems.append(Problem("bad_setting", file, column=key, value=str(value), fields={"wanted": ", ".join(columns[key].values)}))
    return problems


def _is_table(value: object) -> bool:
    try:
        return value == "" or (isinstance(value, str) and isinstance(json.loads(value), dict))
    except json.JSONDecodeError:
        return False
