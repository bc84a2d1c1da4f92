"""Roads and terrain that several counties of a province share: read once, and cut to each county."""

from __future__ import annotations

import difflib
import functools
import glob
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from layout.obstacles import is_extract, read_obstacles
from layout.roads import Roads, read_roads
from layout.tables import CountyDataError, Problem
from layout.terrain import Terrain, clip_terrain, read_terrain

FORMAT = 1
#: The file beside the county folders that names what they share.
SETTINGS = "province.toml"
# shared ground so far beyond the outermost places of a county still belongs to its ways, in degrees (about ten kilometres)
MARGIN_DEG = 0.1

# a file, its size and when it was changed
_Stamp = tuple[Path, int, int]


@dataclass(frozen=True)
class SharedGround:
    """Files that counties of a province share.

    Parameters
    ----------
    name
        What the province is called.
    roads
        A file of roads, taken by every county without its own; None without.
    terrain
        Elevation tiles, taken by every county without its own.
    """

    name: str = ""
    roads: Path | None = None
    terrain: tuple[Path, ...] = ()


def read_shared(folder: str | Path) -> SharedGround:
    """Read ``province.toml`` of a folder of county folders.

    Parameters
    ----------
    folder
        The folder. Its ``province.toml`` may give ``name`` and a table ``[shared]`` with ``roads`` (a file) and ``terrain`` (a file or
        a list of files), all inside the folder.

    Returns
    -------
    SharedGround
        Nothing shared where there is no such file.

    Raises
    ------
    CountyDataError
        A file that cannot be read, unknown settings, files that are missing or lie elsewhere: all at once.

    Examples
    --------
    >>> read_shared("no such folder")
    SharedGround(name='', roads=None, terrain=())
    """
    folder = Path(folder)
    path = folder / SETTINGS
    if not path.is_file():
        return SharedGround()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CountyDataError([Problem("not_toml", path.name, fields={"error": str(error)})]) from error
    shared = given.get("shared", {})
    problems = [_unknown(key, known, path.name) for part, known in ((given, ("format", "name", "shared")), (shared, ("roads", "terrain")))
                for key in (part if isinstance(part, Mapping) else ()) if key not in known]  # fmt: skip
    if given.get("format", FORMAT) != FORMAT:
        problems.append(Problem("newer_format", path.name, column="format", value=str(given["format"]), fields={"known": FORMAT}))
    found: dict[str, list[Path]] = {}
    for role in ("roads", "terrain"):
        named = shared.get(role, []) if isinstance(shared, Mapping) else []
        found[role] = []
        for name in named if isinstance(named, list) else [named]:
            file = folder / str(name)
            # only files of the folder itself: no network drivers, no way out of it
            inside = file.resolve().is_relative_to(folder.resolve()) and "://" not in str(name) and file.suffix.lower() != ".vrt"
            if inside and file.is_file():
                found[role].append(file)
            else:
                problems.append(Problem("no_file" if inside else "outside_folder", path.name, column=f"shared.{role}", value=str(name)))
    if problems:
        raise CountyDataError(problems)
    return SharedGround(str(given.get("name", "")), found["roads"][0] if found["roads"] else None, tuple(found["terrain"]))


def shared_roads(shared: SharedGround, bounds: tuple[float, float, float, float], *, crs: str) -> Roads | None:
    """Return the shared roads about a county.

    Parameters
    ----------
    shared
        From :func:`read_shared`.
    bounds
        West, south, east, north of the county's places in degrees; roads up to 0.1 degrees beyond come along.
    crs
        The county's metric system.

    Returns
    -------
    Roads or None
        None where no roads are shared. The file is read once a process and metric system.

    Raises
    ------
    CountyDataError
        If it cannot be read, or has no road there.

    Examples
    --------
    >>> shared_roads(SharedGround(), (107, 26, 108, 27), crs="EPSG:4545") is None
    True
    """
    if shared.roads is None:
        return None
    roads = _whole_roads(shared.roads, _stamps(shared.roads), crs)
    edges = roads.edges
    area = gpd.GeoSeries([shapely.box(*_grown(bounds))], crs=4326).segmentize(0.01).to_crs(crs).iloc[0]
    # the index is made once for all counties
    edges = edges.iloc[np.sort(edges.sindex.query(area, predicate="intersects"))].reset_index(drop=True)
    if not len(edges):
        raise CountyDataError([Problem("roads_none", shared.roads.name)])
    nodes = roads.nodes[roads.nodes["node_id"].isin(np.union1d(edges["from_node"], edges["to_node"]))].reset_index(drop=True)
    return Roads(nodes, edges, crs, roads.source)


def shared_terrain(shared: SharedGround, bounds: tuple[float, float, float, float]) -> Terrain | None:
    """Return the shared terrain under a county.

    Parameters
    ----------
    shared, bounds
        As in :func:`shared_roads`.

    Returns
    -------
    Terrain or None
        None where no terrain is shared. The files are read once a process.

    Raises
    ------
    CountyDataError
        If they cannot be read.

    Examples
    --------
    >>> shared_terrain(SharedGround(), (107, 26, 108, 27)) is None
    True
    """
    if not shared.terrain:
        return None
    return clip_terrain(_whole_terrain(tuple(_stamps(path)[0] for path in shared.terrain)), _grown(bounds), crs="EPSG:4326")


def shared_obstacles(shared: SharedGround, roads: Roads) -> gpd.GeoDataFrame | None:
    """Return what nobody crosses off the road about a county, where the shared roads are an OSM extract.

    Parameters
    ----------
    shared
        From :func:`read_shared`.
    roads
        The county's part, from :func:`shared_roads`.

    Returns
    -------
    geopandas.GeoDataFrame or None
        As from :func:`layout.read_obstacles`; None where nothing is known of any. The file is read once a process and metric system.

    Examples
    --------
    >>> shared_obstacles(SharedGround(), paper.roads) is None
    True
    """
    if shared.roads is None or not is_extract(shared.roads):
        return None
    found = _whole_obstacles(shared.roads, _stamps(shared.roads), roads.crs)
    # as far beyond the roads as anybody walks
    area = shapely.box(*(roads.edges.total_bounds + np.array([-1, -1, 1, 1]) * 5000.0))
    return found.iloc[np.sort(found.sindex.query(area, predicate="intersects"))].reset_index(drop=True)


def file_hash(path: Path) -> str:
    """Return the sha256 of a file; of one that has not changed since, without reading it again.

    Parameters
    ----------
    path
        The file; a Shapefile stands for all its parts (classes and widths of roads lie in its ``.dbf``).

    Returns
    -------
    str
        Hexadecimal digits.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "a").write_bytes(b"")
    ...     file_hash(Path(folder) / "a")[:8]
    'e3b0c442'
    """
    stamps = _stamps(path)
    if len(stamps) == 1:
        return _hash(*stamps[0])
    return hashlib.sha256("".join(f"{part.name} {_hash(part, size, changed)}\n" for part, size, changed in stamps).encode("utf-8")).hexdigest()


def _grown(bounds: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    west, south, east, north = bounds
    return west - MARGIN_DEG, south - MARGIN_DEG, east + MARGIN_DEG, north + MARGIN_DEG


def _unknown(key: str, known: tuple[str, ...], file: str) -> Problem:
    return Problem("unknown_setting", file, column=key, fields={"near": difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]})


def _stamps(path: Path) -> tuple[_Stamp, ...]:
    # a file that was exchanged is read again
    parts = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*")) if path.suffix.lower() == ".shp" else [path]
    return tuple((part.resolve(), part.stat().st_size, part.stat().st_mtime_ns) for part in parts)


@functools.lru_cache(maxsize=3)
def _whole_roads(path: Path, stamps: tuple[_Stamp, ...], crs: str) -> Roads:
    return read_roads(path, crs=crs)


@functools.lru_cache(maxsize=1)
def _whole_terrain(files: tuple[_Stamp, ...]) -> Terrain:
    return read_terrain([path for path, _, _ in files])


@functools.lru_cache(maxsize=3)
def _whole_obstacles(path: Path, stamps: tuple[_Stamp, ...], crs: str) -> gpd.GeoDataFrame:
    return read_obstacles(path, crs=crs)


@functools.lru_cache(maxsize=64)
def _hash(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
