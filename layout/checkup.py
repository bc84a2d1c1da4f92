"""How ready a county's data are: what is wrong, what is missing for which result, and a score for each stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from layout.county import County, inspect_county
from layout.plan import plan_notes
from layout.sheets import Sheet
from layout.standards import Standards, read_standards
from layout.tables import CountyDataError, Problem, schemas
from layout.travel import unjoined

Note = tuple[str, Mapping[str, object]]
# what each stage is made from: without the first it cannot be computed; each of the others makes it better
STAGES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pupils": (("settlements", "population"), ("births", "history", "attendance", "registered", "grade_ages", "controls")),
    "minutes": (("settlements", "schools", "roads"), ("terrain", "obstacles", "boundary", "joined")),
    "classes": (("schools", "classes"), ("rosters", "class_bins", "rooms", "zones", "history")),
    "boarding": (("schools", "beds"), ("boarding", "boarders", "terrain")),
    "relocation": (("moves",), ("move_ages", "site_schools", "persons_of_moves")),
    "proposals": (("settlements", "schools", "population", "roads"), ("exclusions", "expandable_rooms", "site_area", "candidates", "standards")),
}
_TABLES = (
    "settlements",
    "births",
    "history",
    "attendance",
    "grade_ages",
    "controls",
    "schools",
    "class_bins",
    "zones",
    "boarding",
    "moves",
    "move_ages",
    "rosters",
    "class_totals",
)


@dataclass(frozen=True)
class Checkup:
    """What a look at a county folder found.

    Parameters
    ----------
    name
        Of the county, or of its folder.
    county
        None where there are problems.
    problems
        Everything that is wrong.
    notes
        What a reader should know and what looks implausible: message keys with their fields.
    items
        item, state (there, assumed, missing, faulty), stages (; between them), sorted by item.
    scores
        stage, score (0 to 100), there, assumed, wanted, blocked (needed items that are missing or faulty), in the order of the stages.
    """

    name: str
    county: County | None
    problems: tuple[Problem, ...]
    notes: tuple[Note, ...]
    items: pd.DataFrame
    scores: pd.DataFrame


def check_up(folder: str | Path) -> Checkup:
    """Look at a county folder: everything that is wrong, everything that is missing, and how far each stage can be computed.

    The score of a stage is the share of its ingredients that are there, an assumed or partly filled one counting half, in per cent;
    it is 0 while an ingredient is missing or faulty without which the stage cannot be computed. All ingredients weigh the same.

    Parameters
    ----------
    folder
        The county folder.

    Returns
    -------
    Checkup
        Never raises for what is in the folder.

    Examples
    --------
    >>> found = check_up("no such folder")
    >>> [p.key for p in found.problems], found.scores.score.unique().tolist()
    (['no_folder'], [0])
    """
    county, problems, sheets = inspect_county(folder)
    notes: list[Note] = []
    joined = False
    if county is not None:
        notes += list(county.notes)
        try:
            standards = read_standards(county.standards_path)
            # what only a stage can see is looked at too: moves larger than their village, places far from any road
            notes += [n for n in plan_notes(county, standards) if n not in notes]
            joined = county.roads is not None and not _off(county, standards)
        except CountyDataError as error:
            county, problems = None, list(error.problems)
    states = _states(county, sheets, problems, joined)
    wanted: dict[str, list[str]] = {}
    for stage, parts in STAGES.items():
        for item in dict.fromkeys((*parts[0], *parts[1])):
            wanted.setdefault(item, []).append(stage)
    items = pd.DataFrame([(item, states[item], ";".join(stages)) for item, stages in sorted(wanted.items())], columns=["item", "state", "stages"])
    name = county.name if county is not None else Path(folder).name
    return Checkup(name, county, tuple(problems), tuple(notes), items, _scores(states))


def _off(county: County, standards: Standards) -> bool:
    """Say whether a place is farther from every road than anybody is joined to one."""
    far = [unjoined(county.roads, table, standards=standards) for table in (county.settlements, county.schools)] if county.roads is not None else []
    return any(len(found) for found in far)


def _states(county: County | None, sheets: Mapping[str, Sheet], problems: Sequence[Problem], joined: bool) -> dict[str, str]:
    """Say of every ingredient whether it is there, assumed, missing or faulty."""
    faulty = {p.sheet for p in problems} | {p.file for p in problems if not p.sheet}
    out: dict[str, str] = {}
    for table in _TABLES:
        frame = sheets[table].frame if table in sheets else pd.DataFrame()
        names = {schemas()[table].zh, table, sheets[table].sheet if table in sheets else ""}
        out[table] = "faulty" if names & faulty - {""} else "there" if len(frame) else "missing"
    own = sheets["population"].frame if "population" in sheets else pd.DataFrame()
    instead = all(t in sheets and len(sheets[t].frame) for t in ("township_totals", "pyramid"))
    out["population"] = "there" if len(own) else "assumed" if instead else "missing"
    if {schemas()["population"].zh, "population"} & faulty:
        out["population"] = "faulty"
    classes = [out[t] for t in ("rosters", "class_totals")]
    # classes split evenly from totals are no observed classes
    out["classes"] = "faulty" if "faulty" in classes else "there" if classes[0] == "there" else "assumed" if classes[1] == "there" else "missing"

    def column(table: str, name: str) -> str:
        frame = sheets[table].frame if table in sheets else pd.DataFrame()
        if name not in frame or not len(frame):
            return "missing"
        filled = float((frame[name].notna() & (frame[name].astype("str") != "")).mean())
        return "there" if filled > 0.9 else "assumed" if filled > 0 else "missing"

    columns = {"rooms": "rooms", "beds": "beds", "boarders": "boarders", "expandable_rooms": "expandable_rooms", "site_area": "site_area_m2"}
    out |= {item: column("schools", name) for item, name in columns.items()}
    out |= {"registered": column("population", "registered"), "persons_of_moves": column("moves", "persons")}
    frame = sheets["schools"].frame if "schools" in sheets else pd.DataFrame()
    listed = "status" in frame and bool((frame["status"] == "candidate").any())
    out["candidates"] = "there" if listed else "missing"
    sites = set(sheets["moves"].frame["to_id"]) if "moves" in sheets and "to_id" in sheets["moves"].frame else set()
    homes = sheets["settlements"].frame if "settlements" in sheets else pd.DataFrame()
    known = bool(sites) and "settlement_id" in homes and sites <= set(homes["settlement_id"])
    out["site_schools"] = "there" if known and listed else "assumed" if known else "missing"
    found: Mapping[str, Callable[[County], bool]] = {
        "roads": lambda c: c.roads is not None,
        "terrain": lambda c: c.terrain is not None,
        "boundary": lambda c: c.boundary is not None,
        "obstacles": lambda c: c.obstacles is not None,
        "exclusions": lambda c: len(c.exclusions) > 0,
        "standards": lambda c: c.standards_path is not None,
    }
    for item, there in found.items():
        own_file = any(item in name for name in faulty)
        out[item] = "faulty" if own_file else "missing" if county is None or not there(county) else "there"
    out["joined"] = "there" if joined else "missing"
    return out


def _scores(states: Mapping[str, str]) -> pd.DataFrame:
    rows = []
    for stage, (needed, better) in STAGES.items():
        items = list(dict.fromkeys((*needed, *better)))
        blocked = [item for item in needed if states[item] in ("missing", "faulty")]
        there, assumed = (sum(states[item] == state for item in items) for state in ("there", "assumed"))
        score = 0 if blocked else round(100 * (there + assumed / 2) / len(items))
        rows.append((stage, score, there, assumed, len(items), ";".join(blocked)))
    return pd.DataFrame(rows, columns=["stage", "score", "there", "assumed", "wanted", "blocked"])
