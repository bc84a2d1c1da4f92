"""A fictional province: county folders in the shapes and with the ages of real counties, or on a grid, for measuring and trying out."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.ndimage import gaussian_filter1d, map_coordinates
from shapely.geometry.base import BaseGeometry

from layout.county import County, write_county
from layout.roads import Roads, metric_crs
from layout.sample import CRS as GRID_CRS
from layout.sample import MIDDLE, NAME, SIDE_GROWTH, SIZE_M, USUAL, make_sample_county
from layout.tables import check
from layout.terrain import Terrain

#: Settlements of all 88 counties together, where nobody says how many.
VILLAGES = 18_000
FEWEST, MOST = 40, 1500
# files among the shapes: outlines with CODE and NAME, and the census of 2020 by county, sex and age
OUTLINES, CENSUS = "guizhou_counties_wgs84.geojson", "census2020_county_guizhou.csv"
# rows on which the width of a county is taken, how far it is smoothed, and the least width against the widest
_ROWS, _SMOOTH, _LEAST = 240, 8.0, 0.35
_CELL_M = 90.0
# ground beyond the outline that the terrain still covers
_BEYOND_M = 3000.0


@dataclass(frozen=True)
class Shape:
    """One county to make: code, name, outline in degrees, children, ages of the census (None: those of the sample county)."""

    code: str
    name: str
    outline: BaseGeometry
    children: float
    census: pd.DataFrame | None


def make_sample_province(
    folder: str | Path, *, counties: int = 88, seed: int = 0, shapes: str | Path | None = None, villages: int | None = None
) -> dict[str, int]:  # fmt: skip
    """Write the county folders of a fictional province.

    Each county is one of :func:`layout.make_sample_county` with villages in proportion to its children, and the people by village that such
    a county has; only their ages have the shape of the census. With shapes its ground, roads and places are stretched, row by row from
    south to north, to the width of the real outline, heights with them, so that neighbours meet at their borders; in bays of an outline
    some places come to lie outside it.

    Parameters
    ----------
    folder
        Folder to write into, one folder a county by its code, and ``province.toml``.
    counties
        How many; of real shapes evenly spaced by code.
    seed
        The same seed gives the same province.
    shapes
        Folder with the outlines and the census of real counties (``guizhou_counties_wgs84.geojson``,
        ``census2020_county_guizhou.csv``), read and never copied; None: counties side by side on a grid.
    villages
        Settlements of all counties together, at least; each county has 40 to 1,500. None: 18,000 for the 88 real shapes and as many
        fewer as their children are fewer, or 40 a county on a grid.

    Returns
    -------
    dict
        Number of settlements by county folder.

    Raises
    ------
    ValueError
        If there are no counties, or more than there are shapes.
    CountyDataError
        If one of the folders holds a county already.
    OSError
        If the shapes cannot be read.

    Examples
    --------
    >>> make_sample_province("province", counties=4)  # doctest: +SKIP
    {'529901': 40, '529902': 40, '529903': 40, '529904': 40}
    """
    folder = Path(folder)
    if shapes is None:
        if counties < 1:
            raise ValueError(f"counties must be at least 1, not {counties}")
        each = max(FEWEST, math.ceil((villages or 0) / counties))
        made, total = _on_a_grid(counties, each), each * counties
    else:
        every = _real(Path(shapes))
        if not 1 <= counties <= len(every):
            raise ValueError(f"counties must be 1 to {len(every)}, not {counties}")
        made = [every[i] for i in np.linspace(0, len(every) - 1, counties).round().astype(int)]
        share = sum(s.children for s in made) / sum(s.children for s in every)
        total = math.ceil(VILLAGES * share) if villages is None else villages
    people = sum(shape.children for shape in made)
    counts = {s.code: min(MOST, max(FEWEST, math.ceil(total * s.children / people))) for s in made}
    folder.mkdir(parents=True, exist_ok=True)
    for k, shape in enumerate(made):
        county = make_sample_county(seed=seed * 1000 + k, settlements=counts[shape.code], name=shape.name, code=shape.code, census=shape.census)
        write_county(_fitted(county, shape.outline), folder / shape.code)
    (folder / "province.toml").write_text(f'format = 1\nname = "{NAME[:-1]}省（虚构）"\n', encoding="utf-8", newline="\n")
    return counts


def _on_a_grid(counties: int, settlements: int) -> list[Shape]:
    larger = settlements > USUAL
    width, height = (side * (settlements / USUAL) ** SIDE_GROWTH[larger] for side in SIZE_M)
    columns = math.ceil(math.sqrt(counties))
    boxes = [
        shapely.box(MIDDLE[0] + (k % columns) * width, MIDDLE[1] + (k // columns) * height, MIDDLE[0] + (k % columns + 1) * width,
                    MIDDLE[1] + (k // columns + 1) * height) for k in range(counties)
    ]  # fmt: skip
    degrees = gpd.GeoSeries(boxes, crs=GRID_CRS).to_crs(4326)
    return [Shape(f"5299{k + 1:02d}", f"{NAME[:-1]}{k + 1}县", shape, 1.0, None) for k, shape in enumerate(degrees)]


def _real(shapes: Path) -> list[Shape]:
    outlines = gpd.read_file(shapes / OUTLINES).to_crs(4326).sort_values("CODE", ignore_index=True)
    with (shapes / CENSUS).open(encoding="utf-8-sig", newline="") as stream:
        rows = {str(row["区划代码"]).split(".")[0]: row for row in csv.DictReader(stream)}
    out = []
    for code, name, shape in zip(outlines["CODE"].astype(str), outlines["NAME"], outlines.geometry, strict=True):
        census = _ages(rows[code])
        young = census[census["age_from"] < 15]
        out.append(Shape(code, str(name), shape.buffer(0), float(young[["female", "male"]].sum().sum()), census))
    return out


def _ages(row: dict[str, Any]) -> pd.DataFrame:
    groups = [(0, "0岁"), (1, "1到4岁"), *((a, f"{a}到{a + 4}岁") for a in range(5, 85, 5)), (85, "85岁以上")]
    return pd.DataFrame([{"age_from": age, **{sex: float(row[f"{word}_{name}"] or 0) for sex, word in (("female", "女"), ("male", "男"))}}
                         for age, name in groups])  # fmt: skip


def _fitted(county: County, outline: BaseGeometry) -> County:
    """Return a sample county stretched row by row into an outline in degrees, in the metric system of its new place."""
    middle = outline.centroid
    crs = metric_crs(middle.x, middle.y)
    shape = gpd.GeoSeries([outline], crs=4326).segmentize(0.005).to_crs(crs).iloc[0]
    terrain, roads = county.terrain, county.roads
    if terrain is None or roads is None:
        raise ValueError("a sample county has roads and terrain")
    rows, columns = terrain.elevation.shape
    wide, high = columns * terrain.cell_x, rows * terrain.cell_y
    south = terrain.north - high
    _, foot, _, top = shape.bounds
    left, right = _sides(shape)
    levels = np.linspace(0, 1, _ROWS)

    def forward(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u, v = (x - terrain.west) / wide, (y - south) / high
        a, b = np.interp(v, levels, left), np.interp(v, levels, right)
        return a + u * (b - a), foot + v * (top - foot)

    stretch = math.sqrt(float((right - left).mean()) * (top - foot) / (wide * high))
    ways = roads.edges.set_geometry(gpd.GeoSeries(_moved(roads.edges.geometry, forward), crs=crs), crs=crs)
    ways["length_m"] = ways.geometry.length.round(1)
    x, y = forward(roads.nodes["x"].to_numpy(), roads.nodes["y"].to_numpy())
    tables: dict[str, Any] = {}
    for name in ("settlements", "schools", "exclusions"):
        table = getattr(county, name)
        moved = gpd.GeoSeries(_moved(table.geometry, forward), crs=crs)
        if name == "exclusions":
            moved = moved.make_valid()
        else:
            # as a planner types them: seven decimals of a degree
            degrees = moved.to_crs(4326)
            moved = gpd.GeoSeries(shapely.points(np.round(degrees.x, 7), np.round(degrees.y, 7)), crs=4326).to_crs(crs)
        frame = gpd.GeoDataFrame(pd.DataFrame(table.drop(columns="geometry")).reset_index(drop=True), geometry=moved.to_numpy(), crs=crs)
        tables[name] = check(name, frame)
    return replace(
        county, crs=crs, boundary=shape, terrain=_ground(terrain, shape, (left, right), stretch, crs),
        roads=Roads(roads.nodes.assign(x=np.round(x, 1), y=np.round(y, 1)), ways, crs, roads.source), **tables,
    )  # fmt: skip


def _sides(shape: BaseGeometry) -> tuple[np.ndarray, np.ndarray]:
    """Return the western and eastern side of an outline from its foot to its top, smoothed, nowhere narrower than a share of the widest."""
    west, foot, east, top = shape.bounds
    spans = []
    for y in np.linspace(foot, top, _ROWS + 2)[1:-1]:
        row = shape.intersection(shapely.LineString([(west - 1, y), (east + 1, y)]))
        spans.append((row.bounds[0], row.bounds[2]) if not row.is_empty else (math.nan, math.nan))
    sides = pd.DataFrame(spans).interpolate(limit_direction="both").to_numpy()
    left, right = (gaussian_filter1d(side, _SMOOTH, mode="nearest") for side in sides.T)
    lacking = np.maximum(_LEAST * (right - left).max() - (right - left), 0) / 2
    return left - lacking, right + lacking


def _moved(shapes: gpd.GeoSeries, forward: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return shapely.transform(shapes.to_numpy(), lambda at: np.round(np.column_stack(forward(at[:, 0], at[:, 1])), 1))


def _ground(terrain: Terrain, shape: BaseGeometry, sides: Sequence[np.ndarray], stretch: float, crs: str) -> Terrain:
    """Return the terrain under an outline: heights where the stretched ground has them, as much lower as the ground is shorter."""
    west, foot, east, top = shape.bounds
    left, right = sides
    # all that is stretched, which may reach beyond the outline
    west, east = min(west, float(left.min())) - _BEYOND_M, max(east, float(right.max())) + _BEYOND_M
    columns, rows = math.ceil((east - west) / _CELL_M), math.ceil((top - foot + 2 * _BEYOND_M) / _CELL_M)
    north = top + _BEYOND_M
    y, x = (north - (np.arange(rows) + 0.5) * _CELL_M)[:, None], (west + (np.arange(columns) + 0.5) * _CELL_M)[None, :]
    v = (y - foot) / (top - foot)
    a, b = (np.interp(v, np.linspace(0, 1, _ROWS), side) for side in (left, right))
    old_rows, old_columns = terrain.elevation.shape
    at = np.broadcast_arrays((1 - v) * old_rows - 0.5, (x - a) / (b - a) * old_columns - 0.5)
    height = map_coordinates(terrain.elevation.astype(float), at, order=1, mode="nearest")
    floor = float(terrain.elevation.min())
    lower = np.round(floor + (height - floor) * min(1.0, stretch)).astype("float32")
    return Terrain(np.ascontiguousarray(lower), west, north, _CELL_M, _CELL_M, crs, ())
