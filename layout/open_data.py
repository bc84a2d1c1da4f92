"""A county folder from open data alone: an OpenStreetMap extract, a population raster and elevation tiles."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from layout import messages
from layout.county import County, read_area, write_county
from layout.network import prepare_network
from layout.obstacles import read_obstacles
from layout.open_schools import SAME_SCHOOL_M, assumed_rooms, close_schools, nearest_row, tagged_schools
from layout.roads import Roads, metric_crs, read_roads
from layout.search import join_places
from layout.standards import Standards, read_standards
from layout.tables import BANDS, CountyDataError, Problem, check, empty
from layout.terrain import Terrain, clip_terrain, elevation_at, read_terrain
from layout.travel import travel_times

if TYPE_CHECKING:
    import rasterio

# place nodes where people live on their own; quarters, suburbs and squares are parts of one of these
PLACES: Mapping[str, str] = {"city": "town", "town": "town", "village": "village", "hamlet": "hamlet"}
# roads and ground this far outside still serve the county (about two kilometres)
_MARGIN_DEG = 0.02
# persons are kept to this many decimals, so that a workbook gives back what was written
_DECIMALS = 6
# most names that a note lists
_LISTED = 20
_Read = TypeVar("_Read")
_Tagged = tuple[str, dict[str, str], BaseGeometry]


@dataclass(frozen=True)
class _Features:
    """What the extract holds inside the area, sorted by id: tags in ``tags``, WGS 84 points in ``geometry``."""

    places: gpd.GeoDataFrame
    schools: gpd.GeoDataFrame
    kindergartens: gpd.GeoDataFrame
    unbuilt: tuple[str, ...]


@dataclass(frozen=True)
class _Cells:
    """Inhabited cells of the raster: WGS 84 middles and persons."""

    lon: np.ndarray
    lat: np.ndarray
    persons: np.ndarray


@dataclass(frozen=True)
class _Found:
    """The county's tables as far as open data and assumptions fill them, and what a reader should know."""

    tables: Mapping[str, pd.DataFrame]
    notes: tuple[tuple[str, Mapping[str, object]], ...]


def open_county(
    folder: str | Path,
    *,
    pbf: str | Path,
    population: str | Path,
    terrain: str | Path | Sequence[str | Path],
    boundary: str | Path | tuple[float, float, float, float] | None = None,
    name: str | None = None,
    base_year: int | None = None,
) -> County:
    """Build a county folder from open data alone, and mark every figure that open data cannot know.

    Settlements are place nodes (city, town, village, hamlet) and schools are ``amenity=school`` nodes and areas inside
    the boundary; their ids are ``n``, ``w`` or ``r`` and the OSM id. A cell of the raster counts when its middle is
    inside; its people go to the nearest settlement by straight line, however far, so that they add up to the raster.
    Ages follow the shares of a real census, townships the nearest town, grades the level or the words of a school's
    name, rooms are as many as today's children need for whom a school is the nearest on foot: all of this is listed in the
    table ``assumptions``. Kindergartens are listed but not planned for.

    Parameters
    ----------
    folder
        Folder to make; it must not hold a county yet. It appears whole or not at all.
    pbf
        OpenStreetMap extract (``.osm.pbf``).
    population
        Raster of persons per cell (GeoTIFF, such as WorldPop); cells without data or below zero count nothing.
    terrain
        Elevation tiles (``.hgt``, zipped or not, GeoTIFF), or one folder with ``.hgt`` tiles.
    boundary
        Polygon file (GeoJSON, GeoPackage, Shapefile), or a rectangle ``west,south,east,north`` in degrees; None for the
        extent of the raster.
    name
        Name of the county; None for the name of the folder.
    base_year
        Year of the raster; None to read it from the raster's file name. Ages are counted on 1 July.

    Returns
    -------
    County
        The county that was written, with notes on what a reader should know.

    Raises
    ------
    CountyDataError
        Every problem at once: files missing or broken, a boundary without area, no people, no place nodes, terrain
        that does not cover the places, no year.

    Examples
    --------
    >>> try:
    ...     open_county("new", pbf="no.osm.pbf", population="no_2020.tif", terrain="no.hgt", boundary="9,0,1,1")
    ... except CountyDataError as error:
    ...     [p.key for p in error.problems]
    ['no_open_file', 'no_open_file', 'no_open_file', 'bad_rectangle']
    """
    folder, pbf, population, tiles = Path(folder), Path(pbf), Path(population), _tiles(terrain)
    problems = _missing_files(folder, pbf, population, tiles)
    area = _collect(lambda: _area(boundary, population), problems)
    year = base_year if base_year is not None else _year_of(population.name)
    if year is None:
        problems.append(Problem("no_base_year", population.name))
    if problems or area is None or year is None:
        raise CountyDataError(problems)
    bounds = shapely.box(*area.bounds).buffer(_MARGIN_DEG, join_style="mitre").bounds
    cells = _collect(lambda: _read_cells(population, area), problems)
    features = _collect(lambda: _read_features(pbf, area), problems)
    ground = _collect(lambda: clip_terrain(read_terrain(tiles), bounds, crs="EPSG:4326"), problems)
    if features is not None and ground is not None:
        problems += _uncovered(ground, features)
    # an extract that could not be read once need not be blamed twice
    crs = _crs_of(features)
    roads = None if features is None else _collect(lambda: read_roads(pbf, bbox=bounds, crs=crs), problems)
    obstacles = None if features is None else _collect(lambda: read_obstacles(pbf, bbox=bounds, crs=crs), problems)
    if problems or cells is None or features is None or roads is None or ground is None or obstacles is None:
        raise CountyDataError(problems)
    used = [pbf, population, *tiles] + ([Path(str(boundary))] if isinstance(boundary, (str, Path)) and Path(boundary).is_file() else [])
    found = _found(features, cells, roads, ground, obstacles, pbf=pbf.name, raster=population.name)
    county = County(
        name=name or folder.name, code="", base_year=year, base_date=dt.date(year, 7, 1), crs=crs,
        **found.tables, exclusions=empty("exclusions", crs),  # type: ignore[arg-type]
        roads=roads, terrain=ground, boundary=gpd.GeoSeries([area], crs=4326).to_crs(crs).iloc[0], obstacles=obstacles,
        inputs={p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(used)}, notes=found.notes,
    )  # fmt: skip
    write_county(county, folder)
    return county


def _tiles(terrain: str | Path | Sequence[str | Path]) -> list[Path]:
    paths = [Path(terrain)] if isinstance(terrain, (str, Path)) else [Path(t) for t in terrain]
    if len(paths) == 1 and paths[0].is_dir():
        return sorted([*paths[0].glob("*.hgt"), *paths[0].glob("*.hgt.zip")])
    return sorted(paths)


def _missing_files(folder: Path, pbf: Path, population: Path, tiles: Sequence[Path]) -> list[Problem]:
    problems = [Problem("folder_taken", folder.name)] if (folder / "county.toml").exists() else []
    problems += [Problem("no_open_file", path.name, value=str(path)) for path in (pbf, population, *tiles) if not path.is_file()]
    return problems + ([] if tiles else [Problem("no_tiles")])


def _collect(read: Callable[[], _Read], problems: list[Problem]) -> _Read | None:
    try:
        return read()
    except CountyDataError as error:
        problems += error.problems
        return None


def _area(boundary: str | Path | tuple[float, float, float, float] | None, population: Path) -> BaseGeometry | None:
    if boundary is None:
        # a raster that is not there is blamed elsewhere
        return _extent(population) if population.is_file() else None
    if isinstance(boundary, (str, tuple)):
        numbers = _numbers(boundary.split(",") if isinstance(boundary, str) else boundary)
        if numbers is not None:
            west, south, east, north = numbers if len(numbers) == 4 else [math.nan] * 4
            if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
                raise CountyDataError([Problem("bad_rectangle", value=", ".join(f"{n:g}" for n in numbers))])
            return shapely.box(west, south, east, north)
        if isinstance(boundary, tuple):
            raise ValueError(f"boundary must have four numbers west, south, east, north, not {boundary!r}")
    return _read_area(Path(boundary))


def _numbers(parts: Sequence[object]) -> list[float] | None:
    try:
        return [float(str(part)) for part in parts]
    except ValueError:
        return None


def _read_area(path: Path) -> BaseGeometry:
    if not path.is_file():
        raise CountyDataError([Problem("no_open_file", path.name, value=str(path))])
    area = read_area(path).to_crs(4326).geometry.make_valid().union_all()
    if not area.area > 0:
        raise CountyDataError([Problem("no_polygons", path.name)])
    return area


def _year_of(name: str) -> int | None:
    years = {int(y) for y in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", name)}
    return years.pop() if len(years) == 1 else None


def _extent(population: Path) -> BaseGeometry:
    from rasterio.warp import transform_bounds

    with _raster(population) as raster:
        return shapely.box(*transform_bounds(raster.crs, "EPSG:4326", *raster.bounds))


@contextlib.contextmanager
def _raster(path: Path) -> Iterator[rasterio.DatasetReader]:
    import rasterio

    try:
        # any other format of GDAL may fetch what it names
        with rasterio.open(path, driver="GTiff") as raster:
            if raster.crs is None:
                raise CountyDataError([Problem("no_crs", path.name)])
            yield raster
    except rasterio.errors.RasterioError as error:
        raise CountyDataError([Problem("unreadable", path.name, fields={"error": str(error)})]) from error


def _read_cells(population: Path, area: BaseGeometry) -> _Cells:
    import rasterio.transform
    from pyproj import Transformer
    from rasterio.warp import transform_bounds
    from rasterio.windows import Window, from_bounds

    nobody = CountyDataError([Problem("no_people", population.name)])
    with _raster(population) as raster:
        wanted = from_bounds(*transform_bounds("EPSG:4326", raster.crs, *area.bounds), transform=raster.transform)
        # one cell more all round: a middle on the edge must not depend on rounding
        left, top = max(0, math.floor(wanted.col_off) - 1), max(0, math.floor(wanted.row_off) - 1)
        right = min(raster.width, math.ceil(wanted.col_off + wanted.width) + 1)
        bottom = min(raster.height, math.ceil(wanted.row_off + wanted.height) + 1)
        if left >= right or top >= bottom:
            raise nobody
        window = Window(left, top, right - left, bottom - top)
        values = raster.read(1, window=window, masked=True).filled(0).astype(float)
        rows, columns = np.nonzero(np.isfinite(values) & (values > 0))
        x, y = rasterio.transform.xy(raster.window_transform(window), rows, columns)
        lon, lat = Transformer.from_crs(raster.crs, 4326, always_xy=True).transform(x, y)
    shapely.prepare(area)
    inside = shapely.intersects_xy(area, lon, lat)
    if not inside.any():
        raise nobody
    return _Cells(lon[inside], lat[inside], values[rows, columns][inside])


def _read_features(pbf: Path, area: BaseGeometry) -> _Features:
    try:
        found, outlines = _scan(pbf)
    except RuntimeError as error:
        # osmium has no error class of its own for files that are broken or cut off
        raise CountyDataError([Problem("unreadable", pbf.name, fields={"error": str(error)})]) from error
    inside = {use: _inside(rows, area) for use, rows in found.items()}
    if not len(inside["place"]):
        raise CountyDataError([Problem("no_places", pbf.name, fields={"kinds": ", ".join(PLACES)})])
    built = {key for rows in found.values() for key, _, _ in rows}
    # the parts of a relation are not looked up: one that could not be closed is named wherever it lies
    unbuilt = sorted(key for key, shape in outlines.items() if key not in built and (shape is None or shape.intersects(area)))
    return _Features(inside["place"], inside["school"], inside["kindergarten"], tuple(unbuilt))


def _scan(pbf: Path) -> tuple[dict[str, list[_Tagged]], dict[str, BaseGeometry | None]]:
    import osmium

    shapes = osmium.geom.WKBFactory()
    found: dict[str, list[_Tagged]] = {"place": [], "school": [], "kindergarten": []}
    outlines: dict[str, BaseGeometry | None] = {}
    reader = osmium.FileProcessor(str(pbf)).with_areas(osmium.filter.KeyFilter("amenity"))
    item: Any
    for item in reader.with_filter(osmium.filter.KeyFilter("place", "amenity")):
        tags = dict(item.tags)
        use = tags.get("amenity", "")
        if item.is_node():
            point = shapely.Point(item.location.lon, item.location.lat)
            if tags.get("place") in PLACES:
                found["place"].append((f"n{item.id}", tags, point))
            if use in ("school", "kindergarten"):
                found[use].append((f"n{item.id}", tags, point))
        elif use not in ("school", "kindergarten"):
            continue
        elif item.is_area():
            shape = shapely.from_wkb(shapes.create_multipolygon(item))
            # a point inside the grounds, also where they are bent around something else
            found[use].append((f"{'w' if item.from_way() else 'r'}{item.orig_id()}", tags, shape.representative_point()))
        elif item.is_way():
            corners = [(n.location.lon, n.location.lat) for n in item.nodes if n.location.valid()]
            outlines[f"w{item.id}"] = shapely.MultiPoint(corners)
        else:
            outlines[f"r{item.id}"] = None
    return found, outlines


def _inside(rows: Sequence[_Tagged], area: BaseGeometry) -> gpd.GeoDataFrame:
    kept = sorted((row for row in rows if area.intersects(row[2])), key=lambda row: row[0])
    columns = {"id": [r[0] for r in kept], "tags": pd.Series([r[1] for r in kept], dtype=object)}
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries([r[2] for r in kept], crs=4326), crs=4326)


def _uncovered(ground: Terrain | None, features: _Features | None) -> list[Problem]:
    if ground is None or features is None:
        return []
    places = pd.concat([features.places, features.schools], ignore_index=True)
    x, y = places.geometry.x.to_numpy(), places.geometry.y.to_numpy()
    gone = np.isnan(elevation_at(ground, x, y, crs="EPSG:4326")) if ground.elevation.size else np.ones(len(places), bool)
    if not gone.any():
        return []
    names = "、".join(places["id"][gone].head(5))
    fields = {"count": int(gone.sum()), "total": len(places), "names": names}
    return [Problem("terrain_not_covering", ", ".join(ground.source), value=names, fields=fields)]


def _crs_of(features: _Features | None) -> str:
    if features is None:
        return ""
    return metric_crs(float(features.places.geometry.x.median()), float(features.places.geometry.y.median()))


def _found(features: _Features, cells: _Cells, roads: Roads, ground: Terrain, obstacles: gpd.GeoDataFrame, *, pbf: str, raster: str) -> _Found:
    standards = read_standards()
    places = features.places.to_crs(roads.crs)
    persons, furthest_m = _settle(places, cells)
    settlements, townships = _settlements(places, persons)
    ages = _ages()
    people = _population(settlements, persons, ages)
    schools = tagged_schools(features.schools.to_crs(roads.crs), settlements)
    schools["rooms"] = assumed_rooms(schools, people, _walks(schools, settlements, roads, ground, obstacles, standards), standards)
    tables = {"settlements": settlements, "townships": townships, "schools": schools.drop(columns="rule"), "population": people}
    tables["assumptions"] = _assumptions(tables, schools["rule"], features, pbf=pbf, raster=raster, census=str(ages.attrs["census"]))
    tables |= {name: empty(name) for name in ("rosters", "births", "rates", "moves", "attendance", "zones", "history")}
    fields = {"settlements": len(settlements), "schools": len(schools), "persons": f"{persons.sum():,.0f}", "pbf": pbf, "raster": raster}
    notes: list[tuple[str, Mapping[str, object]]] = [("open_data.note.sources", fields)]
    if not len(schools):
        notes.append(("open_data.note.no_schools", {}))
    notes.append(("open_data.note.furthest", {"km": f"{furthest_m / 1000:.1f}"}))
    left_out = schools.loc[schools["rule"] == "not_compulsory"]
    unnamed = settlements.loc[settlements["name"] == settlements["settlement_id"], "settlement_id"]
    told = {
        "unnamed": (len(unnamed), _listed(unnamed, unnamed)), "close_schools": (close_schools(schools), ""),
        "not_compulsory": (len(left_out), _listed(left_out["school_id"], left_out["name"])),
        "kindergartens": (len(features.kindergartens), _kindergartens(features)),
        "unbuilt": (len(features.unbuilt), _listed(features.unbuilt, features.unbuilt)),
    }  # fmt: skip
    for key, (count, names) in told.items():
        if count:
            notes.append((f"open_data.note.{key}", {"count": count, "names": names, "distance_m": f"{SAME_SCHOOL_M:g}"}))
    return _Found({name: check(name, table) for name, table in tables.items()}, tuple(notes))


def _walks(
    schools: gpd.GeoDataFrame, settlements: gpd.GeoDataFrame, roads: Roads, ground: Terrain, obstacles: gpd.GeoDataFrame, standards: Standards
) -> pd.DataFrame:
    to = schools.loc[schools["kind"] != "special", ["school_id", "geometry"]].reset_index(drop=True)
    if not len(to):
        return empty("times")
    network = prepare_network(roads, terrain=ground, standards=standards, obstacles=obstacles)
    homes, ends = join_places(network, settlements), join_places(network, to)
    ways = [travel_times(network, homes, ends, mode="walk", band=band) for band in BANDS]
    return pd.concat(ways, ignore_index=True)


def _settle(places: gpd.GeoDataFrame, cells: _Cells) -> tuple[np.ndarray, float]:
    from scipy.spatial import KDTree

    middles = gpd.GeoSeries(gpd.points_from_xy(cells.lon, cells.lat, crs=4326)).to_crs(places.crs)
    distance, row = KDTree(places.geometry.get_coordinates()).query(middles.get_coordinates())
    return np.bincount(row, cells.persons, len(places)), float(distance.max())


def _settlements(places: gpd.GeoDataFrame, persons: np.ndarray) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    tagged = pd.Series([tags["place"] for tags in places["tags"]], index=places.index)
    kind = tagged.map(PLACES)
    # the seat is the most populous city; where there is none, the most populous town, else the most populous place
    rank = tagged.map({"city": 2, "town": 1}).fillna(0).to_numpy()
    seat = int(np.lexsort((-persons, -rank))[0])
    kind.iloc[seat] = "county_seat"
    out = places.drop(columns="tags").rename(columns={"id": "settlement_id"})
    out.insert(1, "name", [tags.get("name", key) for key, tags in zip(places["id"], places["tags"], strict=True)])
    out["kind"] = kind
    towns = out[kind.isin(["town", "county_seat"])].reset_index(drop=True)
    out["township_id"] = towns["settlement_id"].to_numpy()[nearest_row(out.geometry, towns.geometry)]
    townships = pd.DataFrame({"township_id": towns["settlement_id"], "name": towns["name"], "is_county_seat": towns["kind"] == "county_seat"})
    return out, townships


def _ages() -> pd.DataFrame:
    text = files("layout").joinpath("age_structure.csv").read_text(encoding="utf-8-sig")
    groups = list(csv.DictReader(text.splitlines()))
    rows = []
    for group in groups:
        first = int(group["age_from"])
        # within a group every single age is as frequent; the open group stays one age
        last = int(group["age_to"]) if group["age_to"] else first
        for age in range(first, last + 1):
            rows += [(age, sex, float(group[sex]) / (last - first + 1)) for sex in ("female", "male")]
    ages = pd.DataFrame(rows, columns=["age", "sex", "share"])
    ages["share"] /= ages["share"].sum()
    ages.attrs["census"] = " ".join(groups[0][c] for c in ("county", "code", "source") if groups[0].get(c))
    return ages


def _population(settlements: gpd.GeoDataFrame, persons: np.ndarray, ages: pd.DataFrame) -> pd.DataFrame:
    out = pd.DataFrame({"settlement_id": np.repeat(settlements["settlement_id"].to_numpy(), len(ages))})
    for column in ("age", "sex"):
        out[column] = np.tile(ages[column].to_numpy(), len(settlements))
    out["persons"] = np.outer(persons, ages["share"]).ravel().round(_DECIMALS)
    return out


def _kindergartens(features: _Features) -> str:
    return _listed(features.kindergartens["id"], [tags.get("name", "") for tags in features.kindergartens["tags"]])


def _listed(ids: Iterable[str], names: Iterable[str]) -> str:
    words = [key if name in ("", key) else f"{key} {name}" for key, name in zip(ids, names, strict=True)]
    return "; ".join(words[:_LISTED]) + (" ..." if len(words) > _LISTED else "")


def _assumptions(tables: Mapping[str, pd.DataFrame], rule: pd.Series, features: _Features, *, pbf: str, raster: str, census: str) -> pd.DataFrame:
    settlements, townships, schools, people = (tables[n] for n in ("settlements", "townships", "schools", "population"))
    counts = {r: int((rule == r).sum()) for r in ("isced", "name", "assumed", "not_compulsory")}
    left_out = schools[rule == "not_compulsory"]
    listed = {"names": _listed(left_out["school_id"], left_out["name"]), "raster": raster, "census": census}
    graded = len(schools) - counts["isced"]
    rows = [
        ("settlements", "township_id", len(settlements), pbf, "township"), ("settlements", "kind", 1, pbf, "seat"),
        ("townships", "township_id", len(townships), pbf, "townships"), ("townships", "is_county_seat", len(townships), pbf, "seat"),
        ("schools", "township_id", len(schools), pbf, "township"), ("schools", "urban_rural", len(schools), pbf, "urban_rural"),
        ("schools", "kind", graded, pbf, "grades"), ("schools", "first_grade", graded, pbf, "grades"),
        ("schools", "last_grade", graded, pbf, "grades"),
        ("schools", "rooms", len(schools), "assume.rooms.min", "rooms"), ("schools", "beds", len(schools), pbf, "beds"),
        ("schools", "boarders", len(schools), pbf, "beds"), ("schools", "school_bus", len(schools), pbf, "school_bus"),
        ("population", "age", len(people), "age_structure.csv", "age"), ("population", "sex", len(people), "age_structure.csv", "age"),
        ("population", "persons", len(people), raster, "persons"),
    ]  # fmt: skip
    kindergartens = ("schools", "kindergartens", len(features.kindergartens), pbf, "kindergartens")
    fields = {**counts, **listed}
    out = []
    for table, column, count, basis, key in [*rows, kindergartens]:
        if count:
            own = fields | ({"names": _kindergartens(features)} if key == "kindergartens" else {})
            note = " / ".join(messages.text(f"open_data.assume.{key}", lang, **own) for lang in messages.LANGUAGES)
            out.append({"table": table, "column": column, "rows": count, "basis": basis, "note": note})
    return pd.DataFrame(out)
