"""Files of shapes before they are opened: what is in them decides, never their name, and nothing in them may lead elsewhere."""

from __future__ import annotations

import codecs
import contextlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from layout.tables import CountyDataError, Problem

# first bytes of each format that is read; GDAL would otherwise take any of its sixty, and some of them fetch what they name
_SQLITE, _SHAPES = b"SQLite format 3\0", b"\x00\x00\x27\x0a"
# where a SQLite file says what it is for, and what a GeoPackage says there
_APPLICATION, _PACKAGES = slice(68, 72), (b"GPKG", b"GP10", b"GP11")
_GEOJSON = frozenset(
    ["featurecollection", "feature", "point", "multipoint", "linestring", "multilinestring", "polygon", "multipolygon", "geometrycollection"]
)


def admit(path: Path, *, member: str = "") -> None:
    """Refuse a file of shapes that is not what its name says, or whose content leads to another file or into the network.

    Parameters
    ----------
    path
        ``.gpkg``, ``.shp``, ``.geojson`` or ``.json``; or the ``.zip`` that holds such a file.
    member
        Name of the file inside the archive; empty where the path itself is meant.

    Raises
    ------
    CountyDataError
        If it is anything else under that name (a virtual layer, a web service, a stream of GDAL), a GeoJSON that cannot be read, or one
        whose coordinate system is a link.
    OSError, zipfile.BadZipFile
        If the file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "boundary.gpkg"
    ...     _ = path.write_text("<OGRVRTDataSource/>", encoding="utf-8")
    ...     try:
    ...         admit(path)
    ...     except CountyDataError as error:
    ...         error.problems[0].key
    'disguised'
    """
    ending = Path(member or path.name).suffix.lower()
    if ending in (".geojson", ".json"):
        _admit_geojson(_bytes(path, member, None), path.name, ending)
        return
    head = _bytes(path, member, 100)
    good = (head.startswith(_SQLITE) and head[_APPLICATION] in _PACKAGES) if ending == ".gpkg" else head.startswith(_SHAPES) and ending == ".shp"
    if not good:
        raise CountyDataError([Problem("disguised", path.name, fields={"ending": ending})])


@contextlib.contextmanager
def written(file: str) -> Iterator[None]:
    """Tell what GDAL says of a file that cannot be written as the OSError that it is.

    Parameters
    ----------
    file
        Name of what is being written.

    Yields
    ------
    None
        While it is written.

    Raises
    ------
    OSError
        If GDAL cannot write it, as when the disk is full.

    Examples
    --------
    >>> with written("plan.gpkg"):
    ...     pass
    """
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        yield
    except (DataSourceError, DataLayerError) as error:
        # the first line, without the statements of a database that follow
        raise OSError(f"{file}: {str(error).splitlines()[0][:120]}") from error


def _bytes(path: Path, member: str, count: int | None) -> bytes:
    if member:
        with zipfile.ZipFile(path) as archive, archive.open(member) as inner:
            return inner.read(-1 if count is None else count)
    with path.open("rb") as file:
        return file.read(-1 if count is None else count)


def _admit_geojson(data: bytes, file: str, ending: str) -> None:
    links: list[bool] = []

    def glance(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        # GDAL takes names in any case, and of two alike the last; the rest of an object is of no concern here
        kept = {name.casefold(): value for name, value in pairs if name.casefold() in ("type", "href", "url", "properties")}
        links.extend(_leads_away(value) for name, value in pairs if name.casefold() in ("crs", "coordrefsys"))
        return kept

    if not data.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
        raise CountyDataError([Problem("disguised", file, fields={"ending": ending})])
    try:
        found = json.loads(data, object_pairs_hook=glance)
    except (ValueError, RecursionError) as error:
        raise CountyDataError([Problem("unreadable", file, fields={"error": str(error)[:120]})]) from error
    kind = found.get("type") if isinstance(found, dict) else None
    if not isinstance(kind, str) or kind.casefold() not in _GEOJSON:
        raise CountyDataError([Problem("disguised", file, fields={"ending": ending})])
    if any(links):
        raise CountyDataError([Problem("crs_is_a_link", file)])


def _leads_away(crs: object) -> bool:
    """Say whether a coordinate system is given by an address to look up."""
    if isinstance(crs, list):
        return any(map(_leads_away, crs))
    if not isinstance(crs, dict):
        return False
    inner = crs.get("properties")
    kind = crs.get("type")
    return bool({"href", "url"} & ({*crs} | ({*inner} if isinstance(inner, dict) else set()))) or (
        isinstance(kind, str) and kind.casefold() in ("link", "url")
    )
