"""The only door in: a county folder becomes a County, or a list of everything that is wrong with it."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from layout import messages
from layout.age_split import split_population
from layout.aims import UNSERVED, Aims, read_aims
from layout.coordinates import SYSTEMS, to_wgs84
from layout.glance import in_a_line, in_a_table, on_a_map
from layout.map_files import admit
from layout.obstacles import in_water, is_extract, read_obstacles, write_obstacles
from layout.roads import FORMATS, Roads, metric_crs, read_roads, write_roads
from layout.rosters import disagreements, roster_notes, rosters_from_totals
from layout.shared_ground import SharedGround, file_hash, shared_obstacles, shared_roads, shared_terrain
from layout.sheets import SHEETS, Sheet, cross_check, read_sheets, traced, write_workbook_of
from layout.standards import read_standards
from layout.tables import BANDS, CountyDataError, Problem, check, empty, inspect, schemas
from layout.terrain import Terrain, elevation_at, in_void, read_terrain, void_notes, write_terrain

if TYPE_CHECKING:
    import folium

FORMAT = 1
_TOP = {"format", "name", "code", "base_year", "base_date", "coordinates", "crs", "files", "note", "sources", "plan"}
#: Where a county's ages and births come from; each has its bias (``source.*`` in the messages).
SOURCES = ("census", "hukou", "roll", "immunisation", "township_roster", "relocation_roster", "birth_register", "raster")
# a line among the exclusions becomes a strip so wide on either side
_STRIP_M = 0.5
_FILES = {"workbook", "roads", "terrain", "boundary", "townships", "exclusions", "obstacles", "standards"}
# no place of a county lies farther from its middle; what does is a mistyped coordinate
_WIDEST_DEG = 2.0
# a place this far outside the county's own ground cannot belong to it
_MARGIN_DEG = 0.3


@dataclass(frozen=True, repr=False)
class County:
    """Everything known about a county, in canonical tables and one metric coordinate system.

    Parameters
    ----------
    name, code
        Of the county.
    base_year
        Calendar year in which the school year of the base data starts.
    base_date
        Day on which ages were counted.
    crs
        Metric coordinate system of every geometry, e.g. ``EPSG:4545``.
    settlements, townships, schools, rosters, population, births, rates, moves, attendance, zones, exclusions, history, assumptions
        Tables of the data dictionary; without rows where the county has none.
    class_totals, class_bins, township_totals, pyramid, controls, grade_ages, move_ages, incoming, residence, boarding
        More tables of the data dictionary, which few counties have.
    sources
        Where the people come from, by table (population, births, pyramid): one of ``SOURCES``.
    roads, terrain
        None where the county has none: nothing can then be reached, or the ground counts as flat, and outputs say so.
    boundary
        Outline of the county, or None.
    township_areas
        Areas of townships as the county gives them: ``township_id``, ``geometry``, sorted by the id; None where it gives none.
    obstacles
        What nobody crosses off the road, as :func:`layout.read_obstacles` has it; None where nothing is known of any.
    standards_path
        The county's own ``standards.toml``, or None.
    aims
        What the county wants of its plan: years, budgets, schools that must open.
    inputs
        sha256 by file name.
    notes
        What a reader should know about the input: message keys with their fields.
    """

    name: str
    code: str
    base_year: int
    base_date: dt.date
    crs: str
    settlements: gpd.GeoDataFrame
    townships: pd.DataFrame
    schools: gpd.GeoDataFrame
    rosters: pd.DataFrame
    population: pd.DataFrame
    births: pd.DataFrame
    rates: pd.DataFrame
    moves: pd.DataFrame
    attendance: pd.DataFrame
    zones: pd.DataFrame
    exclusions: gpd.GeoDataFrame
    history: pd.DataFrame
    assumptions: pd.DataFrame
    class_totals: pd.DataFrame = field(default_factory=lambda: empty("class_totals"))
    class_bins: pd.DataFrame = field(default_factory=lambda: empty("class_bins"))
    township_totals: pd.DataFrame = field(default_factory=lambda: empty("township_totals"))
    pyramid: pd.DataFrame = field(default_factory=lambda: empty("pyramid"))
    controls: pd.DataFrame = field(default_factory=lambda: empty("controls"))
    grade_ages: pd.DataFrame = field(default_factory=lambda: empty("grade_ages"))
    move_ages: pd.DataFrame = field(default_factory=lambda: empty("move_ages"))
    incoming: pd.DataFrame = field(default_factory=lambda: empty("incoming"))
    residence: pd.DataFrame = field(default_factory=lambda: empty("residence"))
    boarding: pd.DataFrame = field(default_factory=lambda: empty("boarding"))
    sources: Mapping[str, str] = field(default_factory=dict)
    roads: Roads | None = None
    terrain: Terrain | None = None
    boundary: BaseGeometry | None = None
    township_areas: gpd.GeoDataFrame | None = None
    obstacles: gpd.GeoDataFrame | None = None
    standards_path: Path | None = None
    aims: Aims = field(default_factory=Aims)
    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[tuple[str, Mapping[str, object]], ...] = ()

    def __repr__(self) -> str:
        """Say in a line what it is."""
        return in_a_line(self, self._facts())

    def _repr_html_(self) -> str:
        """Show its tables with their rows."""
        return in_a_table(self, self._facts())

    def explore(self, *, lang: str = "zh") -> folium.Map:
        """Show it on a map in a notebook: settlements, schools, roads, areas closed to schools.

        Parameters
        ----------
        lang
            ``zh`` or ``en``.

        Returns
        -------
        folium.Map
            Needs no network: the page holds what it shows and has no tiles.

        Examples
        --------
        >>> drawn = paper.explore(lang="en")
        >>> "http://" in drawn.get_root().render().split("</head>")[0].replace("http://www.w3.org", "")
        False
        """
        return on_a_map(self, "county_map", "draw_county", lang=lang)

    def _facts(self) -> str:
        return f"{self.name} {self.code}".strip() + f" {self.base_year}, {self.population['persons'].sum():,.0f} persons"


def read_county(folder: str | Path, *, shared: SharedGround | None = None) -> County:
    """Read a county folder: ``county.toml``, a workbook or CSV files, roads and terrain.

    Everything is looked at before anything is said: sheets, headings, cells, ids that do not meet, coordinates that do
    not fit the county's own ground, files that are missing or broken, standards that do not exist.

    Parameters
    ----------
    folder
        The county folder. ``county.xlsx`` or CSV files (UTF-8 with or without BOM, GB18030) named like the tables, with
        the headings of the template in Chinese or English; ``roads.osm.pbf``, ``roads.gpkg`` or roads in any other format of
        :func:`layout.roads.read_roads`, also a transport bureau's; ``terrain.tif`` or
        ``.hgt`` tiles; optionally ``boundary``, ``townships``, ``exclusions`` and ``obstacles`` (GeoJSON, GeoPackage, Shapefile) and
        ``standards.toml``. Roads that come as an OSM extract bring their water, cliffs and motorways as obstacles along.
    shared
        Roads and terrain that the county shares with others, taken where the folder has none of its own; None without.

    Returns
    -------
    County
        Canonical tables, unique and sorted by their keys, in one metric coordinate system.

    Raises
    ------
    CountyDataError
        Every problem with file, sheet, row, column, value, what is wrong and what to do.

    Examples
    --------
    >>> try:
    ...     read_county("no such folder")
    ... except CountyDataError as error:
    ...     [p.key for p in error.problems]
    ['no_folder']
    """
    county, problems, _ = inspect_county(folder, shared=shared)
    if county is None:
        raise CountyDataError(problems)
    return county


def inspect_county(folder: str | Path, *, shared: SharedGround | None = None) -> tuple[County | None, list[Problem], dict[str, Sheet]]:
    """Read a county folder as far as it can be read.

    Parameters
    ----------
    folder
        The county folder.
    shared
        As in :func:`read_county`.

    Returns
    -------
    tuple
        The county, or None where there are problems; the problems; the sheets that could be read, by table.

    Examples
    --------
    >>> county, problems, sheets = inspect_county("no such folder")
    >>> county is None, [p.key for p in problems]
    (True, ['no_folder'])
    """
    folder = Path(folder)
    problems: list[Problem] = []
    if not folder.is_dir():
        return None, [Problem("no_folder", folder.name)], {}
    settings = _settings(folder, problems)
    paths = _paths(folder, settings, problems)
    sheets, found, notes = read_sheets(folder, paths["workbook"][0] if paths["workbook"] else None)
    problems += found
    standards_path = paths["standards"][0] if paths["standards"] else None
    if standards_path is not None:
        problems += _collect(lambda: read_standards(standards_path))[1]
    crs = str(settings.get("crs") or _crs_of(sheets, settings))
    roads, more = _collect(lambda: read_roads(paths["roads"][0], crs=crs)) if paths["roads"] else (None, [])
    problems += more
    terrain, more = _collect(lambda: read_terrain(paths["terrain"])) if paths["terrain"] else (None, [])
    problems += more
    lent: dict[str, str] = {}
    area = None if shared is None else _extent(sheets, settings)
    if shared is not None and area is not None:
        if roads is None and not paths["roads"] and shared.roads is not None:
            roads, more = _collect(lambda: shared_roads(shared, area, crs=crs))
            problems, lent = problems + more, lent | {_beside(shared.roads, folder): file_hash(shared.roads)}
        if terrain is None and not paths["terrain"] and shared.terrain:
            terrain, more = _collect(lambda: shared_terrain(shared, area))
            problems, lent = problems + more, lent | {_beside(path, folder): file_hash(path) for path in shared.terrain}
    boundary, more = _collect(lambda: _read_boundary(paths["boundary"][0], crs)) if paths["boundary"] else (None, [])
    problems += more
    exclusions, more = _collect(lambda: _read_exclusions(paths["exclusions"][0], crs)) if paths["exclusions"] else (None, [])
    problems += more
    obstacles, more = _collect(lambda: _read_obstacles(paths, roads, crs, shared))
    problems += more
    ground = _ground(roads, terrain, boundary)
    tables = {}
    for name in SHEETS:
        tables[name] = _table(name, sheets.get(name), str(settings["coordinates"]), crs, ground, problems)
    areas, more = _collect(lambda: _read_townships(paths["townships"][0], crs, tables["townships"])) if paths["townships"] else (None, [])
    problems += more
    problems += cross_check(sheets)
    problems += _uncovered(terrain, tables, crs)
    if not problems and not len(tables["population"]) and len(tables["pyramid"]):
        split, problems = _collect(lambda: split_population(tables["settlements"], tables["township_totals"], tables["pyramid"]))
        if split is not None:
            tables["population"], assumed = split
            tables["assumptions"] = check("assumptions", pd.concat([tables["assumptions"], assumed], ignore_index=True))
    if not problems:
        tables["rosters"], problems, more_notes = _classes(tables, sheets)
        notes += more_notes + roster_notes(tables["schools"], tables["rosters"], tables["history"], base_year=int(str(settings["base_year"])))
    if problems:
        return None, [_without_path(traced(p, sheets), folder) for p in problems], sheets
    notes = _kept_notes(settings) + notes + _road_notes(roads)
    for missing, note in ((roads, "note.no_roads"), (terrain, "note.no_terrain")):
        if missing is None:
            notes.append((note, {}))
    if terrain is not None:
        ids, x, y = _placed(tables)
        notes += void_notes(terrain, ids, x, y, crs=crs)
    if areas is not None:
        notes += _area_notes(areas, tables["townships"])
    if obstacles is not None:
        notes += _water_notes(obstacles, tables, crs)
    if not len(tables["rosters"]):
        notes.append(("note.no_rosters", {}))
    notes += _boarder_notes(tables["boarding"], tables["schools"])
    notes += _zone_notes(tables["zones"], tables["settlements"], tables["schools"])
    # what a written folder says already is not said twice
    notes = [note for i, note in enumerate(notes) if note not in notes[:i]]
    used = sorted(
        {p for group in paths.values() for p in group}
        | {folder / file for s in sheets.values() for file in ({o[0] for o in s.origins} or {s.file})}
        | {folder / "county.toml"}
    )
    county = County(
        name=str(settings["name"]), code=str(settings["code"]), base_year=int(str(settings["base_year"])),
        base_date=_date(settings["base_date"]), crs=crs, **tables,
        exclusions=empty("exclusions", crs) if exclusions is None else exclusions,
        sources={str(k): str(v) for k, v in settings["sources"].items()},  # type: ignore[attr-defined]
        roads=roads, terrain=terrain, boundary=boundary, township_areas=areas, obstacles=obstacles, standards_path=standards_path,
        aims=settings["aims"],  # type: ignore[arg-type]
        inputs={p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in used} | lent, notes=tuple(notes),
    )  # fmt: skip
    return county, [], sheets


def read_names(folder: str | Path) -> dict[str, pd.DataFrame | str]:
    """Read only which places and schools a county folder has: enough to count a register by them.

    Parameters
    ----------
    folder
        The county folder; the rest of it need not be ready.

    Returns
    -------
    dict
        ``settlements``, ``townships`` and ``schools`` with their ids and names, and the ``code`` of the county.

    Raises
    ------
    CountyDataError
        If one of the three sheets is missing or lacks these columns.

    Examples
    --------
    >>> try:
    ...     read_names("no such folder")
    ... except CountyDataError as error:
    ...     [p.key for p in error.problems]
    ['no_folder']
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CountyDataError([Problem("no_folder", folder.name)])
    problems: list[Problem] = []
    settings = _settings(folder, problems)
    paths = _paths(folder, settings, problems)
    sheets, _, _ = read_sheets(folder, paths["workbook"][0] if paths["workbook"] else None)
    out: dict[str, pd.DataFrame | str] = {"code": str(settings["code"])}
    for name, columns in (
        ("settlements", ("settlement_id", "name", "township_id")),
        ("townships", ("township_id", "name")),
        ("schools", ("school_id", "name")),
    ):
        where = f"{schemas()[name].zh} ({name})"
        if name not in sheets:
            problems.append(Problem("missing_sheet", paths["workbook"][0].name if paths["workbook"] else "county.xlsx", fields={"table": where}))
            continue
        lacking = [c for c in columns if c not in sheets[name].frame]
        problems += [
            Problem(
                "missing_column",
                sheets[name].file,
                sheets[name].sheet,
                None,
                schemas()[name].columns[c].zh,
                fields={"heading": schemas()[name].columns[c].zh},
            )
            for c in lacking
        ]
        out[name] = sheets[name].frame
    if problems:
        raise CountyDataError(problems)
    return out


def write_county(county: County, folder: str | Path) -> None:
    """Write a county as the folder that :func:`read_county` reads: settings, workbook, roads, terrain and areas.

    Parameters
    ----------
    county
        What to write.
    folder
        Folder to make; it must not hold a county yet. It appears whole or not at all.

    Raises
    ------
    CountyDataError
        If there is already a ``county.toml`` in it.

    Examples
    --------
    >>> write_county(paper, "some folder")  # doctest: +SKIP
    """
    _write_folder(county, Path(folder))


def write_template(folder: str | Path) -> None:
    """Write an empty county folder: settings to fill in and a workbook with every heading explained and an example row on every sheet.

    What the example rows hold is marked and never read as data.

    Parameters
    ----------
    folder
        Folder to make; it must not hold a county yet.

    Raises
    ------
    CountyDataError
        If there is already a ``county.toml`` in it.

    Examples
    --------
    >>> write_template("some folder")  # doctest: +SKIP
    """
    _write_folder(None, Path(folder))


def export_crs(county: County) -> str:
    """Return the coordinate system of exports: CGCS2000 in China, WGS 84 elsewhere.

    Parameters
    ----------
    county
        Its metric system tells.

    Returns
    -------
    str
        ``EPSG:4490`` or ``EPSG:4326``.

    Examples
    --------
    >>> export_crs(paper)
    'EPSG:4490'
    """
    epsg = int(county.crs.rsplit(":", 1)[-1])
    # all CGCS2000 Gauss-Krueger zones, three and six degrees, with and without prefix
    return "EPSG:4490" if 4491 <= epsg <= 4554 else "EPSG:4326"


def _beside(path: Path, folder: Path) -> str:
    # as seen from the county: two shared files may have one name
    return Path(os.path.relpath(path, folder)).as_posix()


def _without_path(problem: Problem, folder: Path) -> Problem:
    """Name files within the folder, or beside it where counties share them; where that lies on a machine is nobody's business."""
    error = str(problem.fields.get("error", ""))
    for place in (folder.resolve(), folder.absolute(), folder, folder.resolve().parent, folder.absolute().parent):
        # libraries write the paths of Windows either way
        for home in (str(place), place.as_posix(), str(place).replace("/", "\\")):
            error = error.replace(f"{home}/", "").replace(f"{home}\\", "") if len(home) > 1 else error
    return replace(problem, fields={**problem.fields, "error": error}) if error else problem


def _settings(folder: Path, problems: list[Problem]) -> dict[str, object]:
    out: dict[str, object] = {
        "coordinates": "wgs84", "name": folder.name, "code": "", "base_year": 0, "base_date": "", "files": {}, "sources": {}, "aims": Aims(),
    }  # fmt: skip
    path = folder / "county.toml"
    if not path.is_file():
        problems.append(Problem("no_settings", path.name))
        return out
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        problems.append(Problem("not_toml", path.name, fields={"error": str(error)}))
        return out
    files = given.get("files", {})
    for key, known in [(k, _TOP) for k in given] + [(k, _FILES) for k in files]:
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.0)[0]
            problems.append(Problem("unknown_setting", path.name, column=key, fields={"near": near}))
    out |= {k: v for k, v in given.items() if k in _TOP}
    if out.get("format", FORMAT) != FORMAT:
        problems.append(Problem("newer_format", path.name, column="format", value=str(out["format"]), fields={"known": FORMAT}))
    if str(out["coordinates"]).lower() not in SYSTEMS:
        problems.append(Problem("bad_setting", path.name, column="coordinates", value=str(out["coordinates"]), fields={"wanted": ", ".join(SYSTEMS)}))
        out["coordinates"] = "wgs84"
    out["coordinates"] = str(out["coordinates"]).lower()
    if not isinstance(out["base_year"], int) or not 1990 <= out["base_year"] <= 2100:
        problems.append(Problem("bad_setting", path.name, column="base_year", value=str(out["base_year"]), fields={"wanted": "2025, 2026 …"}))
    elif not out["base_date"]:
        out["base_date"] = dt.date(out["base_year"], 8, 31)
    sources = out["sources"] if isinstance(out["sources"], Mapping) else {"sources": out["sources"]}
    for table, source in sources.items():
        if table not in ("population", "births", "pyramid") or source not in SOURCES:
            wanted = ", ".join(SOURCES)
            problems.append(Problem("bad_setting", path.name, column=f"sources.{table}", value=str(source), fields={"wanted": wanted}))
    out["sources"] = sources
    out["aims"], found = read_aims(given.get("plan", {}), base_year=out["base_year"] if isinstance(out["base_year"], int) else 0, file=path.name)
    problems += found
    if _date(out["base_date"]) is None:
        problems.append(Problem("bad_setting", path.name, column="base_date", value=str(out["base_date"]), fields={"wanted": "2025-11-01"}))
    return out


def _classes(
    tables: Mapping[str, pd.DataFrame], sheets: Mapping[str, Sheet]
) -> tuple[pd.DataFrame, list[Problem], list[tuple[str, dict[str, object]]]]:
    """Return today's classes: the rosters, or classes made from totals and bins, with what contradicts them."""
    rosters, totals, bins = (tables[name] for name in ("rosters", "class_totals", "class_bins"))
    if len(rosters) or not (len(totals) or len(bins)):
        return rosters, [_at_row(p, sheets) for p in disagreements(rosters, totals, bins)], []
    made, problems = _collect(lambda: rosters_from_totals(totals, class_bins=bins))
    if made is None:
        return rosters, [_at_row(p, sheets) for p in problems], []
    fields = {"schools": made["school_id"].nunique(), "classes": len(made)}
    if not len(bins):
        return made, [], [("note.rosters_even", fields)]
    return made, [], [("note.rosters_binned", {**fields, "binned": int(bins["classes"].sum())})]


def _at_row(problem: Problem, sheets: Mapping[str, Sheet]) -> Problem:
    """Find the row of the file that a problem of a school and grade is about."""
    for name in ("class_totals", "class_bins"):
        if problem.sheet == schemas()[name].zh and name in sheets:
            sheet, numbers = sheets[name], sheets[name].frame.apply(pd.to_numeric, errors="coerce")
            here = (sheet.frame["school_id"] == problem.fields["school"]) & (numbers["grade"] == problem.fields["grade"])
            if "low" in problem.fields:
                here &= numbers["low"] == problem.fields["low"]
            rows = [row for row, found in zip(sheet.rows, here, strict=True) if found]
            return replace(problem, file=sheet.file, sheet=sheet.sheet, row=rows[0] if rows else None)
    return problem


def _road_notes(roads: Roads | None) -> list[tuple[str, dict[str, object]]]:
    counted = {} if roads is None else {k: int(roads.source.get(k) or 0) for k in ("unknown_class", "duplicates", "empty")}
    if roads is None or not any(counted.values()):
        return []
    return [("note.roads_counted", {"file": roads.source.get("file", ""), **counted})]


def _boarder_notes(boarding: pd.DataFrame, schools: pd.DataFrame) -> list[tuple[str, dict[str, object]]]:
    # the two may have been counted on different days: said, not refused
    both = boarding.groupby("school_id")["boarders"].sum().to_frame("listed").join(schools.set_index("school_id")[["name", "boarders"]], how="inner")
    both = both[both["boarders"].notna() & (both["boarders"] != both["listed"])]
    if not len(both):
        return []
    named = [f"{r['name']} {r['listed']:.0f}/{r['boarders']:.0f}" for r in both.head(5).to_dict("records")]
    return [("note.boarders_differ", {"count": len(both), "schools": "、".join(named)})]


def _zone_notes(zones: pd.DataFrame, settlements: pd.DataFrame, schools: pd.DataFrame) -> list[tuple[str, dict[str, object]]]:
    """Say which villages the zones leave out, and which zones lead to a school that is not open or teaches no grade of the band."""
    if not len(zones):
        return []
    notes: list[tuple[str, dict[str, object]]] = []
    given = zones.groupby("settlement_id")["band"].nunique()
    out = settlements[settlements["settlement_id"].map(given).fillna(0) < len(BANDS)]
    if len(out):
        notes.append(("note.zones_left_out", {"count": len(out), "all": len(settlements), "places": "、".join(out["name"].head(5))}))
    there = schools[schools["status"] == "open"].set_index("school_id")[["first_grade", "last_grade"]]
    span = zones.join(there, on="school_id")
    low, high = (zones["band"].map({b: g[i] for b, g in BANDS.items()}) for i in (0, -1))
    idle = span["first_grade"].isna() | (span["first_grade"] > high) | (span["last_grade"] < low)
    if idle.any():
        names = settlements.set_index("settlement_id")["name"].to_dict()
        rows = zones[idle].head(5)
        named = [f"{names[i]} {b} {s}" for i, b, s in zip(rows["settlement_id"], rows["band"], rows["school_id"], strict=True)]
        notes.append(("note.zones_idle", {"count": int(idle.sum()), "zones": "、".join(named)}))
    return notes


def _kept_notes(settings: Mapping[str, object]) -> list[tuple[str, dict[str, object]]]:
    given = settings.get("note", [])
    entries = [dict(n) for n in given if isinstance(n, Mapping)] if isinstance(given, list) else []
    known = messages.catalogue("zh")
    return [(str(n.pop("key")), n) for n in entries if n.get("key") in known]


def _date(value: object) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        return None  # type: ignore[return-value]


def _paths(folder: Path, settings: Mapping[str, object], problems: list[Problem]) -> dict[str, list[Path]]:
    usual = {
        "workbook": ["county.xlsx", "county.xls"], "roads": [f"roads{ending}" for ending in FORMATS],
        "terrain": ["terrain.tif", "*.hgt", "*.hgt.zip"], "boundary": ["boundary.geojson", "boundary.gpkg", "boundary.shp"],
        "townships": ["townships.geojson", "townships.gpkg", "townships.shp"],
        "exclusions": ["exclusions.geojson", "exclusions.gpkg", "exclusions.shp"],
        "obstacles": ["obstacles.geojson", "obstacles.gpkg", "obstacles.shp"], "standards": ["standards.toml"],
    }  # fmt: skip
    files = settings["files"] if isinstance(settings["files"], Mapping) else {}
    out: dict[str, list[Path]] = {}
    for role, patterns in usual.items():
        named = files.get(role)
        if named is None:
            found = [sorted(folder.glob(pattern)) for pattern in patterns]
            first = next((group for group in found if group), [])
            out[role] = first if role == "terrain" else first[:1]
            continue
        out[role] = []
        for name in named if isinstance(named, list) else [named]:
            path = folder / str(name)
            # only files of the folder itself: no network drivers, no way out of it
            inside = path.resolve().is_relative_to(folder.resolve()) and "://" not in str(name) and path.suffix.lower() != ".vrt"
            if inside and path.is_file():
                out[role].append(path)
            else:
                problems.append(Problem("no_file" if inside else "outside_folder", "county.toml", column=f"files.{role}", value=str(name)))
    return out


def _collect(read):  # type: ignore[no-untyped-def]
    try:
        return read(), []
    except CountyDataError as error:
        return None, list(error.problems)


def read_area(path: Path) -> gpd.GeoDataFrame:
    """Read a layer of polygons: a boundary or areas of exclusion.

    Parameters
    ----------
    path
        GeoJSON, GeoPackage or Shapefile.

    Returns
    -------
    geopandas.GeoDataFrame
        The polygons in the file's own coordinate system.

    Raises
    ------
    CountyDataError
        If it cannot be read, has no coordinate system, no polygons, or other shapes too.

    Examples
    --------
    >>> read_area(Path("boundary.geojson"))  # doctest: +SKIP
    """
    areas = _layer(path)
    if not len(areas) or not areas.geom_type.isin(["Polygon", "MultiPolygon"]).all():
        raise CountyDataError([Problem("no_polygons", path.name)])
    return areas


def _layer(path: Path) -> gpd.GeoDataFrame:
    # pyogrio gives the errors of GDAL as these two
    import pyogrio.errors

    admit(path)
    try:
        layer = gpd.read_file(path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, UnicodeDecodeError) as error:
        raise CountyDataError([Problem("unreadable", path.name, fields={"error": str(error)})]) from error
    if not isinstance(layer, gpd.GeoDataFrame):
        raise CountyDataError([Problem("no_polygons", path.name)])
    if layer.crs is None:
        raise CountyDataError([Problem("no_crs", path.name)])
    return layer


def _read_boundary(path: Path, crs: str) -> BaseGeometry:
    return read_area(path).to_crs(crs).geometry.make_valid().union_all()


def _read_townships(path: Path, crs: str, townships: pd.DataFrame) -> gpd.GeoDataFrame:
    """Read the areas of townships; each is known by its code, else by its name."""
    layer = read_area(path).to_crs(crs)
    columns = {h: c.name for c in schemas()["townships"].columns.values() for h in (c.zh, c.en, c.name) if h}
    layer = layer.rename(columns={h: columns[h] for h in layer.columns if h in columns})
    column = next((c for c in ("township_id", "name") if c in layer), None)
    if column is None:
        raise CountyDataError([Problem("township_areas_unnamed", path.name)])
    known = dict(zip(townships[column], townships["township_id"], strict=True))
    given = layer[column].astype("str").str.strip()
    fields = {"target": schemas()["townships"].zh, "count": len(layer)}
    problems = []
    for i, value in enumerate(given):
        if value not in known:
            near = difflib.get_close_matches(value, list(known), 1, 0) or ["—"]
            problems.append(Problem("unknown_id", path.name, "", i + 1, column, value, {**fields, "near": near[0]}))
    if problems:
        raise CountyDataError(problems)
    whole = gpd.GeoDataFrame({"township_id": given.map(known)}, geometry=layer.geometry.make_valid(), crs=crs).dissolve("township_id").reset_index()
    return whole[["township_id", "geometry"]].sort_values("township_id", ignore_index=True)


def _area_notes(areas: gpd.GeoDataFrame, townships: pd.DataFrame) -> list[tuple[str, dict[str, object]]]:
    names = townships.loc[~townships["township_id"].isin(areas["township_id"]), "name"].tolist()
    return [("note.townships_without_area", {"count": len(names), "names": "、".join(names[:5])})] if names else []


def _strips(path: Path) -> gpd.GeoDataFrame:
    """Read a layer of areas and lines: power lines, railways and pipelines are lines."""
    layer = _layer(path)
    kinds = ["Polygon", "MultiPolygon", "LineString", "MultiLineString"]
    if not len(layer) or not layer.geom_type.isin(kinds).all():
        raise CountyDataError([Problem("no_polygons", path.name)])
    return layer


def _read_exclusions(path: Path, crs: str) -> gpd.GeoDataFrame:
    areas = _strips(path).to_crs(crs)
    lines = areas.geom_type.isin(["LineString", "MultiLineString"])
    areas["geometry"] = areas.geometry.where(~lines, areas.geometry.buffer(_STRIP_M))
    columns = {h: c.name for c in schemas()["exclusions"].columns.values() for h in (c.zh, c.en, c.name) if h and c.dtype != "polygon"}
    areas = areas.rename(columns={h: columns[h] for h in areas.columns if h in columns})
    if "exclusion_id" not in areas:
        areas["exclusion_id"] = [f"X{i + 1}" for i in range(len(areas))]
    if "hard" in areas:
        areas["hard"] = areas["hard"].isin([True, 1, "1", "是", "true", "True"])
    for name in ("layer", "source"):
        if name not in areas:
            areas[name] = path.stem
    table, problems = inspect("exclusions", areas.assign(exclusion_id=areas["exclusion_id"].astype("str")), file=path.name)
    if problems:
        raise CountyDataError(problems)
    return table[list(schemas()["exclusions"].columns)]  # type: ignore[return-value]


def _read_obstacles(
    paths: Mapping[str, Sequence[Path]], roads: Roads | None, crs: str, shared: SharedGround | None
) -> gpd.GeoDataFrame | None:  # fmt: skip
    if paths["obstacles"]:
        return read_obstacles(paths["obstacles"][0], crs=crs)
    if roads is not None and not paths["roads"]:
        return None if shared is None else shared_obstacles(shared, roads)
    if roads is None or not is_extract(paths["roads"][0]):
        return None
    # as far beyond the roads as anybody walks
    area = roads.edges.total_bounds + np.array([-1, -1, 1, 1]) * 5000.0
    return read_obstacles(paths["roads"][0], bbox=tuple(gpd.GeoSeries([shapely.box(*area)], crs=crs).to_crs(4326).total_bounds), crs=crs)


def _water_notes(obstacles: gpd.GeoDataFrame, tables: Mapping[str, pd.DataFrame], crs: str) -> list[tuple[str, dict[str, object]]]:
    ids, x, y = _placed(tables)
    wet = in_water(obstacles, gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs=crs))
    names = [i for i, w in zip(ids, wet, strict=True) if w]
    return [("note.places_in_water", {"count": len(names), "places": "、".join(names[:5])})] if names else []


def _crs_of(sheets: Mapping[str, Sheet], settings: Mapping[str, object]) -> str:
    for name in ("settlements", "schools"):
        if name in sheets and {"lon", "lat"} <= set(sheets[name].frame):
            frame = sheets[name].frame[["lon", "lat"]].apply(pd.to_numeric, errors="coerce").dropna()
            if len(frame):
                lon, lat = to_wgs84(frame["lon"].to_numpy(), frame["lat"].to_numpy(), str(settings["coordinates"]))
                # the median does not follow a few swapped or mistyped places
                return metric_crs(float(np.median(lon)), float(np.median(lat)))
    return "EPSG:4545"


def _extent(sheets: Mapping[str, Sheet], settings: Mapping[str, object]) -> tuple[float, float, float, float] | None:
    """Return the box of the county's places in degrees, without those that lie farther from the middle than any county reaches."""
    parts = [s.frame[["lon", "lat"]] for n in ("settlements", "schools") if (s := sheets.get(n)) and {"lon", "lat"} <= set(s.frame)]
    frame = pd.concat(parts).apply(pd.to_numeric, errors="coerce").dropna() if parts else pd.DataFrame()
    if not len(frame):
        return None
    lon, lat = to_wgs84(frame["lon"].to_numpy(), frame["lat"].to_numpy(), str(settings["coordinates"]))
    near = (np.abs(lon - np.median(lon)) < _WIDEST_DEG) & (np.abs(lat - np.median(lat)) < _WIDEST_DEG)
    return float(lon[near].min()), float(lat[near].min()), float(lon[near].max()), float(lat[near].max())


def _ground(roads: Roads | None, terrain: Terrain | None, boundary: BaseGeometry | None) -> tuple[str, tuple[float, float, float, float]] | None:
    # the county's own ground, from the best source at hand, in degrees
    if boundary is not None and roads is not None:
        return "boundary", tuple(gpd.GeoSeries([boundary], crs=roads.crs).to_crs(4326).total_bounds)
    if roads is not None and len(roads.edges):
        return "roads", tuple(roads.edges.to_crs(4326).total_bounds)
    if terrain is not None:
        rows, columns = terrain.elevation.shape
        corners = gpd.points_from_xy(
            [terrain.west, terrain.west + columns * terrain.cell_x], [terrain.north - rows * terrain.cell_y, terrain.north], crs=terrain.crs
        )
        return "terrain", tuple(gpd.GeoSeries(corners).to_crs(4326).total_bounds)
    return None


def _table(
    name: str, sheet: Sheet | None, system: str, crs: str, ground: tuple[str, tuple[float, float, float, float]] | None, problems: list[Problem]
) -> pd.DataFrame:
    if sheet is None:
        return empty(name, crs)
    frame, rows = sheet.frame, np.array(sheet.rows, int)
    if "geometry" in schemas()[name].columns:
        frame, faults = _points(sheet, system, crs, ground)
        problems += faults
        sound = ~np.isin(rows, [p.row for p in faults if p.row])
        frame, rows = frame[sound], rows[sound]
        if "geometry" not in frame:
            return empty(name, crs)
    table, faults = inspect(name, frame, file=sheet.file, sheet=sheet.sheet, rows=list(rows))
    problems += faults
    if any(p.key == "missing_column" for p in faults):
        return empty(name, crs)
    return table


def _points(sheet: Sheet, system: str, crs: str, ground: tuple[str, tuple[float, float, float, float]] | None) -> tuple[pd.DataFrame, list[Problem]]:
    problems = []
    for column, zh in (("lon", "经度"), ("lat", "纬度")):
        if column not in sheet.frame:
            problems.append(Problem("missing_column", sheet.file, sheet.sheet, None, zh, fields={"heading": f"{zh} ({column})"}))
    if problems:
        return sheet.frame, problems
    frame = sheet.frame.copy()
    degrees = frame[["lon", "lat"]].apply(pd.to_numeric, errors="coerce")
    lon, lat = to_wgs84(degrees["lon"].to_numpy(float), degrees["lat"].to_numpy(float), system)
    for i, row in enumerate(sheet.rows):
        raw = f"{frame['lon'].iloc[i]}, {frame['lat'].iloc[i]}"
        blame = Problem("no_coordinates", sheet.file, sheet.sheet, row, "经度, 纬度", raw)
        if not (np.isfinite(lon[i]) and np.isfinite(lat[i])):
            problems.append(blame)
            continue
        swapped = abs(lat[i]) > 90
        if ground is not None and not swapped:
            swapped = not _inside(lon[i], lat[i], ground[1]) and _inside(lat[i], lon[i], ground[1])
        if swapped:
            problems.append(Problem("swapped_coordinates", sheet.file, sheet.sheet, row, "经度, 纬度", raw))
        elif ground is not None and not _inside(lon[i], lat[i], ground[1]):
            west, south, east, north = ground[1]
            fields = {"west": f"{west:.2f}", "south": f"{south:.2f}", "east": f"{east:.2f}", "north": f"{north:.2f}", "ground": ground[0]}
            problems.append(Problem("outside_county", sheet.file, sheet.sheet, row, "经度, 纬度", raw, fields))
    clean_lon, clean_lat = np.clip(np.nan_to_num(lon), -180, 180), np.clip(np.nan_to_num(lat), -89, 89)
    points = gpd.GeoSeries(gpd.points_from_xy(clean_lon, clean_lat, crs=4326), index=frame.index).to_crs(crs)
    return gpd.GeoDataFrame(frame.drop(columns=["lon", "lat"]), geometry=points, crs=crs), problems


def _inside(lon: float, lat: float, bounds: Sequence[float]) -> bool:
    west, south, east, north = bounds
    return west - _MARGIN_DEG <= lon <= east + _MARGIN_DEG and south - _MARGIN_DEG <= lat <= north + _MARGIN_DEG


def _placed(tables: Mapping[str, pd.DataFrame]) -> tuple[list[str], np.ndarray, np.ndarray]:
    parts = [(tables[name], schemas()[name].key[0]) for name in ("settlements", "schools") if len(tables[name])]
    ids = [i for table, key in parts for i in table[key]]
    x, y = (np.array([v for table, _ in parts for v in getattr(table.geometry, axis)], float) for axis in ("x", "y"))
    return ids, x, y


def _uncovered(terrain: Terrain | None, tables: Mapping[str, pd.DataFrame], crs: str) -> list[Problem]:
    if terrain is None:
        return []
    ids, x, y = _placed(tables)
    # a void inside the terrain is no fault of the county's: it is noted, and the ground there counts as level
    gone = np.isnan(elevation_at(terrain, x, y, crs=crs)) & ~in_void(terrain, x, y, crs=crs)
    if not gone.any():
        return []
    names = [i for i, g in zip(ids, gone, strict=True) if g]
    fields = {"count": len(names), "total": len(ids), "names": "、".join(names[:5])}
    return [Problem("terrain_not_covering", ", ".join(terrain.source), value="、".join(names[:5]), fields=fields)]


def _write_folder(county: County | None, folder: Path) -> None:
    if (folder / "county.toml").exists():
        raise CountyDataError([Problem("folder_taken", folder.name)])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".layout-") as scratch:
        made = Path(scratch)
        tables = {name: empty(name) for name in SHEETS} if county is None else {n: getattr(county, n) for n in SHEETS}
        write_workbook_of({n: _in_degrees(t) for n, t in tables.items()}, made / "county.xlsx", examples=county is None)
        (made / "county.toml").write_text(_settings_text(county), encoding="utf-8", newline="\n")
        if county is not None:
            if county.roads is not None:
                write_roads(county.roads, made / "roads.gpkg")
            if county.terrain is not None:
                write_terrain(county.terrain, made / "terrain.tif")
            if county.boundary is not None:
                _write_area(gpd.GeoDataFrame(geometry=[county.boundary], crs=county.crs), made / "boundary.geojson")
            if county.township_areas is not None:
                _write_area(county.township_areas, made / "townships.geojson")
            if len(county.exclusions):
                _write_area(county.exclusions, made / "exclusions.geojson")
            if county.obstacles is not None:
                write_obstacles(county.obstacles, made / "obstacles.geojson")
            if county.standards_path is not None:
                shutil.copyfile(county.standards_path, made / "standards.toml")
        folder.mkdir(exist_ok=True)
        # the settings go last: a folder without them is not taken for a county
        for path in sorted(made.iterdir(), key=lambda p: (p.name == "county.toml", p.name)):
            shutil.move(path, folder / path.name)


def _in_degrees(table: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(table, gpd.GeoDataFrame) or not len(table):
        return table
    points = table.geometry.to_crs(4326)
    return pd.DataFrame(table.drop(columns="geometry")).assign(lon=points.x, lat=points.y)


def _write_area(areas: gpd.GeoDataFrame, path: Path) -> None:
    text = areas.to_crs(4326).to_json(drop_id=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _settings_text(county: County | None) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    today = ("", "", 2025, "2025-08-31") if county is None else (county.name, county.code, county.base_year, county.base_date.isoformat())
    lines = [messages.text("county_toml.head", "zh"), messages.text("county_toml.head", "en"), f"format = {FORMAT}"]
    lines += [f"name = {quoted(today[0])}", f"code = {quoted(today[1])}", f"base_year = {today[2]}", f"base_date = {today[3]}"]
    lines += ['coordinates = "wgs84"'] + ([] if county is None else [f"crs = {quoted(county.crs)}"])
    if county is None:
        # what a planner may fill in
        lines += ["", f"# [sources]  # {', '.join(SOURCES)}", '# population = "hukou"', '# births = "birth_register"']
    elif county.sources:
        lines += ["", "[sources]", *(f"{table} = {quoted(source)}" for table, source in sorted(county.sources.items()))]
    lines += _aims_text(None if county is None else county.aims, quoted)
    for key, fields in () if county is None else county.notes:
        # what the reader should know about these data travels with them
        lines += ["", "[[note]]", f"key = {quoted(key)}"]
        lines += [f"{name} = {value if isinstance(value, (int, float)) else quoted(str(value))}" for name, value in fields.items()]
    return "\n".join(lines) + "\n"


def _aims_text(aims: Aims | None, quoted: Callable[[str], str]) -> list[str]:
    """Write the table ``plan``: what a planner may fill in, or what the county asks."""
    if aims is None:
        asked = ["# years = [2026, 2030, 2035]", "# must_open = []", "# must_keep = []", "# most_open = 5", '# unserved = "list"  # "refuse"']
        said = [messages.text("county_toml.plan", lang) for lang in messages.LANGUAGES]
        return ["", *said, "# [plan]", *asked, "# budget = { 2026 = 5000000 }"]
    given = [f"years = {list(aims.years)}"] if aims.years else []
    given += [f"must_open = [{', '.join(quoted(s) for s in aims.must_open)}]"] if aims.must_open else []
    given += [f"must_keep = [{', '.join(quoted(s) for s in aims.must_keep)}]"] if aims.must_keep else []
    given += [f"most_open = {aims.most_open}"] if aims.most_open is not None else []
    given += [f"unserved = {quoted(aims.unserved)}"] if aims.unserved != UNSERVED[0] else []
    given += [f"budget = {{ {', '.join(f'{year} = {money:.2f}' for year, money in aims.budget.items())} }}"] if aims.budget else []
    return ["", "[plan]", *given] if given else []
