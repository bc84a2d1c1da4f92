"""A plan that was saved before, read back: the same tables with the same values."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.aims import Aims
from layout.county import County
from layout.findings import TABLES as FINDINGS
from layout.findings import Findings
from layout.map_files import admit
from layout.obstacles import no_obstacles
from layout.plan import FORMAT, OUTCOME_TABLES, PLAN_TABLES, Outcome, Plan
from layout.roads import Roads
from layout.scenario import Scenario
from layout.sheets import SHEETS
from layout.standards import Rule, Standards, steps_of
from layout.tables import CountyDataError, Problem, check, empty, schemas
from layout.terrain import Terrain


def read_plan(folder: str | Path) -> Plan:
    """Read back what :meth:`Plan.save` wrote.

    Parameters
    ----------
    folder
        Folder with ``plan.gpkg`` and ``manifest.json``.

    Returns
    -------
    Plan
        The same tables with the same values; positions to a micrometre.

    Raises
    ------
    CountyDataError
        If one of the two files is missing, broken, of a newer format, or not of the same plan as the other.

    Examples
    --------
    >>> try:
    ...     read_plan("no such folder")
    ... except CountyDataError as error:
    ...     error.problems[0].key
    'no_plan'
    """
    folder = _in_place(Path(folder))
    for name in ("manifest.json", "plan.gpkg"):
        if not (folder / name).is_file():
            raise CountyDataError([Problem("no_plan", f"{folder.name}/{name}")])
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CountyDataError([Problem("unreadable", "manifest.json", fields={"error": str(error)})]) from error
    if manifest.get("format") != FORMAT:
        raise CountyDataError([Problem("newer_format", "manifest.json", value=str(manifest.get("format")), fields={"known": FORMAT})])
    files = manifest.pop("files", {})
    found = hashlib.sha256((folder / "plan.gpkg").read_bytes()).hexdigest()
    if files and files.get("plan.gpkg") != found:
        raise CountyDataError([Problem("plan_mixed", f"{folder.name}/plan.gpkg")])
    from pyogrio.errors import DataLayerError, DataSourceError

    admit(folder / "plan.gpkg")
    try:
        return _load(folder / "plan.gpkg", manifest)
    except (DataSourceError, DataLayerError) as error:
        raise CountyDataError([Problem("unreadable", "plan.gpkg", fields={"error": str(error)})]) from error


def read_plans(places: Sequence[str | Path]) -> list[Plan]:
    """Read several plans; what is wrong with any of them is said at once.

    Parameters
    ----------
    places
        Folders of plans, or the ``plan.gpkg`` in them.

    Returns
    -------
    list of Plan
        As from :func:`read_plan`, in this order.

    Raises
    ------
    CountyDataError
        As :func:`read_plan`.

    Examples
    --------
    >>> try:
    ...     read_plans(["no such folder", "nor/plan.gpkg"])
    ... except CountyDataError as error:
    ...     [problem.file for problem in error.problems]
    ['no such folder/manifest.json', 'nor/manifest.json']
    """
    plans: list[Plan] = []
    problems: list[Problem] = []
    for place in map(Path, places):
        try:
            plans.append(read_plan(place.parent if place.name == "plan.gpkg" else place))
        except CountyDataError as error:
            problems += error.problems
    if problems:
        raise CountyDataError(problems)
    return plans


def _in_place(folder: Path) -> Path:
    """Return where a plan lies whose exchange was stopped between two steps: the new one, else the previous one."""
    beside = [folder.with_name(f"{folder.name}.{ending}") for ending in ("new", "previous")] if folder.name and not folder.exists() else []
    # the new one got its name when it was complete; alone it waits for somebody to close a file
    return next((path for path in beside if beside[1].is_dir() and (path / "manifest.json").is_file()), folder)


def _load(path: Path, manifest: Mapping[str, object]) -> Plan:
    import pyogrio

    layers = {str(name) for name, _ in pyogrio.list_layers(path)}
    about = dict(manifest["county"])  # type: ignore[call-overload]
    crs = about["crs"]

    def raw(name: str) -> pd.DataFrame:
        frame = pyogrio.read_dataframe(path, layer=name)
        return frame.to_crs(crs) if isinstance(frame, gpd.GeoDataFrame) else frame

    def table(layer: str, name: str) -> pd.DataFrame:
        if layer not in layers:
            return empty(name, crs)
        found = raw(layer)
        return check(name, found[[c for c in schemas()[name].columns if c in found]])

    roads = None
    if "roads" in layers:
        edges = raw("roads")
        for flag in ("walk", "drive", "bridge", "tunnel", "steps"):
            edges[flag] = edges[flag].astype(bool)
        for text in ("highway", "name", "surface"):
            edges[text] = edges[text].fillna("").astype("str")
        roads = Roads(raw("road_nodes"), edges, crs, about["roads"] or {})
    tables: dict[str, Any] = {name: table(f"county_{name}", name) for name in (*SHEETS, "exclusions")}
    county = County(
        name=about["name"], code=about["code"], base_year=about["base_year"], base_date=dt.date.fromisoformat(about["base_date"]), crs=crs,
        **tables, roads=roads,
        terrain=_unpacked(dict(raw("terrain").iloc[0]), about["terrain"] or ()) if "terrain" in layers else None,
        boundary=raw("boundary").geometry.iloc[0] if "boundary" in layers else None,
        township_areas=raw("township_areas") if "township_areas" in layers else None,
        obstacles=raw("obstacles") if "obstacles" in layers else no_obstacles(crs) if about.get("obstacles") is not None else None,
        aims=_aims(about.get("aims", {})), inputs=dict(manifest["inputs"]),  # type: ignore[call-overload]
        notes=tuple((key, fields) for key, fields in about["notes"]), sources=dict(about.get("sources", {})),
    )  # fmt: skip
    rules = raw("standards").fillna("")
    in_force: dict[str, Rule] = {}
    for i in range(len(rules)):
        given: dict[str, Any] = {str(name): rules[name].iloc[i] for name in rules.columns}
        in_force[given["key"]] = Rule(**{**given, "value": json.loads(given["value"]), "hard": bool(given["hard"])})
    standards = Standards(in_force, steps_of(raw("class_size_steps")) if "class_size_steps" in layers else ())
    outcomes = {view: Outcome(view, **{n: table(f"{view}_{n}", n) for n in OUTCOME_TABLES}) for view in ("today", "planned")}
    return Plan(
        county=county, standards=standards, years=tuple(manifest["years"]), scenario=Scenario(**manifest.get("scenario", {})),  # type: ignore[arg-type]
        schools=table("schools", "schools"),  # type: ignore[arg-type]
        findings=Findings(**{name: table(name, name) for name in FINDINGS}),
        **{name: table(name, name) for name in PLAN_TABLES}, **outcomes, manifest=manifest,  # type: ignore[arg-type]
    )  # fmt: skip


def _unpacked(row: Mapping[str, object], source: Sequence[str]) -> Terrain:
    tenths = np.frombuffer(zlib.decompress(base64.b64decode(str(row["data"]))), "<i4").reshape(int(str(row["rows"])), int(str(row["columns"])))
    elevation = np.where(tenths == np.iinfo("int32").min, np.nan, tenths / 10).astype("float32")
    sizes = [float(str(row[k])) for k in ("west", "north", "cell_x", "cell_y")]
    return Terrain(elevation, sizes[0], sizes[1], sizes[2], sizes[3], str(row["crs"]), tuple(source))


def _aims(about: Mapping[str, Any]) -> Aims:
    # years are text once they were keys of JSON
    budget = {int(year): float(money) for year, money in about.get("budget", {}).items()}
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in about.items()}
    return Aims(**(given | {"budget": budget}))
