"""Files of elevation, read one by one: where each lies and how many metres it tells."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyproj

from layout.tables import CountyDataError, Problem

# values that stand for "nothing known" in files that do not say so: SRTM, other 16-bit tiles, ASTER and exports of GIS programs
_VOIDS = (-32768, -32767, -9999, -99999, 32767, 65535)
# metres between which all ground lies: the Dead Sea, Everest
_LOWEST, _HIGHEST = -500.0, 9000.0
# metres in a unit of height, by the names that files use
_UNITS = {
    **dict.fromkeys(("", "m", "metre", "metres", "meter", "meters", "米"), 1.0),
    **dict.fromkeys(("ft", "foot", "feet", "international foot", "international feet", "英尺"), 0.3048),
    **dict.fromkeys(("us survey foot", "us survey feet", "us-ft", "ftus", "foot_us", "us_survey_foot", "survey foot"), 1200 / 3937),
    **dict.fromkeys(("km", "kilometre", "kilometer", "kilometres", "kilometers"), 1000.0),
    **dict.fromkeys(("dm", "decimetre", "decimeter", "decimetres", "decimeters"), 0.1),
    **dict.fromkeys(("cm", "centimetre", "centimeter", "centimetres", "centimeters"), 0.01),
}
# the one format of GDAL that may stand behind each name: others fetch what they name
_DRIVERS = {".hgt": "SRTMHGT", ".tif": "GTiff", ".tiff": "GTiff"}
_ENDINGS = tuple(_DRIVERS)


class Tile(NamedTuple):
    """One grid as it lies in a file: metres (NaN where void), outer corner of the first cell, size of a cell, CRS, name."""

    elevation: np.ndarray
    west: float
    north: float
    cell_x: float
    cell_y: float
    crs: str
    name: str


def read_tiles(path: Path) -> list[Tile]:
    """Read a file of elevation, or every tile of a zip archive.

    Heights in feet, or in any unit of length that the band or the vertical coordinate system names, become metres, and the
    band's own scale and offset are applied. Heights that no ground has (below -500 or above 9000 m) and the numbers that
    commonly stand for nothing become void.

    Parameters
    ----------
    path
        GeoTIFF, SRTM tile ``.hgt``, or a zip archive of them.

    Returns
    -------
    list[Tile]
        In the order of the names in the archive.

    Raises
    ------
    CountyDataError
        Damaged, without coordinate system, turned, a picture, or not metres: all of the archive's at once.

    Examples
    --------
    >>> read_tiles(Path("nowhere.hgt"))
    Traceback (most recent call last):
    ...
    layout.tables.CountyDataError: ...
    """
    if path.suffix.lower() != ".zip":
        return [_read(str(path), path.name)]
    members = _members(path)
    tiles: list[Tile] = []
    problems: list[Problem] = []
    for member in members:
        name = path.name if len(members) == 1 else f"{path.name}/{member}"
        try:
            # gdal tells the place of a tile from the name of the .hgt inside
            tiles.append(_read(f"/vsizip/{path.resolve().as_posix()}/{member}", name))
        except CountyDataError as error:
            problems += error.problems
    if problems:
        raise CountyDataError(problems)
    return tiles


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            # archives made on a Mac hold a hidden companion of every file
            inside = [n for n in sorted(archive.namelist()) if n.lower().endswith(_ENDINGS) and not Path(n).name.startswith("._")]
            for name in inside:
                # gdal does not look at the checksum, so damage would pass for mountains
                with archive.open(name) as member:
                    while member.read(1 << 20):
                        pass
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise CountyDataError([Problem("unreadable", path.name, fields={"error": str(error)})]) from error
    if not inside:
        raise CountyDataError([Problem("terrain_empty_zip", path.name)])
    return inside


def _read(address: str, name: str) -> Tile:
    import rasterio
    import rasterio.errors

    try:
        with rasterio.open(address, driver=_DRIVERS.get(Path(address).suffix.lower(), "GTiff")) as file:
            if file.crs is None:
                raise CountyDataError([Problem("no_crs", name)])
            turn = file.transform
            if turn.b or turn.d or turn.a <= 0 or turn.e >= 0:
                raise CountyDataError([Problem("terrain_turned", name)])
            # eight bits hold shades of grey, not the heights of a county
            if np.dtype(file.dtypes[0]).itemsize < 2 or np.dtype(file.dtypes[0]).kind == "c" or file.colorinterp[0].name in ("red", "palette"):
                raise CountyDataError([Problem("terrain_picture", name)])
            authority = file.crs.to_authority()
            crs, unit = _horizontal(":".join(authority) if authority else file.crs.to_wkt())
            unit = file.units[0] or unit
            if unit.strip().lower() not in _UNITS:
                raise CountyDataError([Problem("terrain_unit", name, value=unit)])
            factor = _UNITS[unit.strip().lower()]
            band = file.read(1, masked=True).astype("float32").filled(np.nan)
            scale, offset = file.scales[0], file.offsets[0]
    except (rasterio.errors.RasterioError, OSError) as error:
        raise CountyDataError([Problem("unreadable", name, fields={"error": str(error)})]) from error
    return Tile(_metres(band, scale * factor, offset * factor, name), turn.c, turn.f, turn.a, -turn.e, crs, name)


def _horizontal(name: str) -> tuple[str, str]:
    # another vertical datum only shifts all heights alike, so of a compound system nothing but its unit of height counts
    crs = pyproj.CRS.from_user_input(name)
    if len(crs.axis_info) < 3:
        return name, ""
    flat = crs.to_2d()
    authority = flat.to_authority()
    return ":".join(authority) if authority else flat.to_wkt(), crs.axis_info[2].unit_name


def _metres(band: np.ndarray, scale: float, offset: float, name: str) -> np.ndarray:
    band[np.isin(band, np.array(_VOIDS, "float32")) | np.isinf(band)] = np.nan
    if scale != 1 or offset:
        band = (band.astype(float) * scale + offset).astype("float32")
    known = int(np.isfinite(band).sum())
    if not known:
        return band
    low, high = float(np.nanmin(band)), float(np.nanmax(band))
    # a share of light lies between 0 and 1; so does hardly any ground, and never all of it in fractions
    shade = low >= 0 and high <= 1 and bool((band[np.isfinite(band)] % 1 != 0).any())
    elsewhere = (band < _LOWEST) | (band > _HIGHEST)
    if shade or elsewhere.sum() > known / 2:
        fields = {"low": f"{low:g}", "high": f"{high:g}"}
        raise CountyDataError([Problem("terrain_not_metres", name, fields=fields)])
    if low < _LOWEST or high > _HIGHEST:
        band[elsewhere] = math.nan
    return band
