"""The tables of a provincial run: parts by county and scenario on disk, and what is added up from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely import MultiPoint

from layout import messages
from layout.county import County, export_crs
from layout.equity import gini, theil
from layout.glance import in_a_line, in_a_table
from layout.plan import Plan
from layout.tables import band_of, check, empty

#: Tables that are kept by county and scenario, beside those of the whole province.
PARTS = ("county", "summary", "settlements", "schools", "proposals", "classes", "assignment", "pupils", "time_distribution")
_PART = "part.parquet"
# outline of a county that gives none: the hull of its places, grown by a walk
_BESIDE_M = 2000.0


@dataclass(frozen=True, repr=False)
class Province:
    """What a provincial run found.

    Parameters
    ----------
    name
        Of the province.
    out
        Folder with everything.
    counties, years, equity, borders, problems
        Tables ``province_counties``, ``province_years``, ``province_equity``, ``border_pupils`` and ``province_problems``.
    outlines
        Outline of every county with a plan: ``county``, ``geometry`` in degrees.
    """

    name: str
    out: Path
    counties: pd.DataFrame
    years: pd.DataFrame
    equity: pd.DataFrame
    borders: pd.DataFrame
    problems: pd.DataFrame
    outlines: gpd.GeoDataFrame = field(default_factory=gpd.GeoDataFrame)

    def __repr__(self) -> str:
        """Say in a line what it is."""
        return in_a_line(self, self.name)

    def _repr_html_(self) -> str:
        """Show its tables with their rows."""
        return in_a_table(self, self.name)


def plan_parts(plan: Plan) -> dict[str, pd.DataFrame]:
    """Return the tables of a plan that a provincial run keeps.

    Parameters
    ----------
    plan
        The plan of a county.

    Returns
    -------
    dict
        Table by name of ``PARTS``, without those that have no rows; positions in the coordinate system of exports, ids as texts,
        ``view`` in those of both views. ``county`` has one row: name, code, years, counts and the outline. ``summary`` also has
        the open schools of the year and the investment that serves from it.

    Examples
    --------
    >>> parts = plan_parts(layout.make_plan(paper, to=2026))
    >>> parts["summary"][["view", "year", "open_schools"]].values.tolist()
    [['planned', 2026, 2], ['today', 2025, 2], ['today', 2026, 2]]
    """
    county = plan.county
    open_now = int((county.schools["status"] == "open").sum())
    there = plan.planned.school_years
    served = there.loc[there["status"] == "open", "year"].value_counts()
    money = pd.Series(plan.proposals["cost_yuan"].to_numpy(), index=plan.proposals["year"].to_numpy()).groupby(level=0).sum()
    planned = plan.summary["view"] == "planned"
    summary = plan.summary.assign(
        open_schools=np.where(planned, plan.summary["year"].map(served).fillna(0), open_now).astype("int64"),
        cost_yuan=np.where(planned, plan.summary["year"].map(money).fillna(0), 0.0),
    )  # fmt: skip
    outcomes = (plan.today, plan.planned)
    found = {
        "county": _about(county, plan.years), "summary": summary, "settlements": county.settlements, "schools": plan.schools,
        "proposals": plan.proposals, "pupils": plan.pupils, "time_distribution": plan.time_distribution,
        **{name: pd.concat([getattr(o, name).assign(view=o.view) for o in outcomes], ignore_index=True) for name in ("classes", "assignment")},
    }  # fmt: skip
    return {name: _plain(found[name], export_crs(county)) for name in PARTS if len(found[name])}


def write_parts(parts: Mapping[str, pd.DataFrame], folder: str | Path, *, county: str, scenario: str) -> list[Path]:
    """Write tables of one county and scenario as GeoParquet, partitioned by both.

    Parameters
    ----------
    parts
        Table by name.
    folder
        Folder of the tables.
    county, scenario
        Values of the partition.

    Returns
    -------
    list of pathlib.Path
        Each file, relative to the folder: ``<table>/county=<county>/scenario=<scenario>/part.parquet``. Tables with a geometry are
        GeoParquet, the others plain Parquet; ``year`` is a column.

    Raises
    ------
    ImportError
        Without pyarrow.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [p.as_posix() for p in write_parts({"a": pd.DataFrame({"x": [1]})}, folder, county="c", scenario="base")]
    ['a/county=c/scenario=base/part.parquet']
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(messages.text("province.no_pyarrow")) from error
    made = []
    for name, table in sorted(parts.items()):
        path = part_path(name, county, scenario)
        (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
        table.to_parquet(Path(folder) / path, index=False)
        made.append(path)
    return made


def part_path(table: str, county: str, scenario: str) -> Path:
    """Return where a table of a county and scenario lies in the folder of the tables.

    Parameters
    ----------
    table, county, scenario
        Name of the table and values of the partition.

    Returns
    -------
    pathlib.Path
        Relative to that folder.

    Examples
    --------
    >>> part_path("summary", "520102", "base").as_posix()
    'summary/county=520102/scenario=base/part.parquet'
    """
    return Path(table) / f"county={county}" / f"scenario={scenario}" / _PART


def read_part(tables: str | Path, table: str, county: str, scenario: str, *, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read one table of one county and scenario.

    Parameters
    ----------
    tables
        Folder of the tables.
    table, county, scenario
        Which.
    columns
        Only these; with ``geometry`` among them, or None, tables of places come as GeoDataFrame.

    Returns
    -------
    pandas.DataFrame
        Without any column where the county has no row of it.

    Examples
    --------
    >>> read_part("no such folder", "summary", "a", "base").empty
    True
    """
    path = Path(tables) / part_path(table, county, scenario)
    if not path.is_file():
        return pd.DataFrame()
    spatial = table in ("county", "settlements", "schools", "proposals") and (columns is None or "geometry" in columns)
    given = None if columns is None else list(columns)
    return gpd.read_parquet(path, columns=given) if spatial else pd.read_parquet(path, columns=given)


def county_rows(tables: str | Path, done: Iterable[tuple[str, str]], problems: pd.DataFrame, failed: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Return what became of every county.

    Parameters
    ----------
    tables
        Folder of the tables.
    done, failed
        County and scenario of those with a plan and of those without.
    problems
        Table ``province_problems``.

    Returns
    -------
    pandas.DataFrame
        Table ``province_counties``.

    Examples
    --------
    >>> county_rows("no such folder", [], empty("province_problems"), [("a", "base")])[["county", "state", "problems"]].values.tolist()
    [['a', 'failed', 0]]
    """
    counted = problems.groupby(["county", "scenario"]).size()
    rows = []
    for key in done:
        about = read_part(tables, "county", *key).drop(columns="geometry").iloc[0].to_dict()
        rows.append({"county": key[0], "scenario": key[1], "state": "done", "problems": 0, **about})
    rows += [
        {"county": c, "scenario": s, "state": "failed", "problems": int(counted.get((c, s), 0)), "county_name": c, "county_code": ""}
        for c, s in failed
    ]
    return check("province_counties", pd.DataFrame(rows)) if rows else empty("province_counties")


def year_rows(tables: str | Path, done: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Add up every county by view and year.

    Parameters
    ----------
    tables, done
        As in :func:`county_rows`.

    Returns
    -------
    pandas.DataFrame
        Table ``province_years``.

    Examples
    --------
    >>> len(year_rows("no such folder", []))
    0
    """
    frames = [read_part(tables, "summary", *key).assign(county=key[0], scenario=key[1]) for key in done]
    if not frames:
        return empty("province_years")
    rows = pd.concat(frames, ignore_index=True)
    rows["unserved"] = rows[["no_seat", "no_bed", "no_route"]].sum(axis=1)
    return check("province_years", rows[list(empty("province_years").columns)])


def equity_rows(tables: str | Path, done: Iterable[tuple[str, str]]) -> pd.DataFrame:
    """Measure how unevenly the minutes of day pupils are shared between and within counties.

    Parameters
    ----------
    tables, done
        As in :func:`county_rows`.

    Returns
    -------
    pandas.DataFrame
        Table ``province_equity``: by scenario, view, year and grade band, of pupils on foot or by bus whose minutes are known.

    Notes
    -----
    Theil's T of all is the sum of its parts between and within counties. The Gini coefficient has no such parts: beside that of
    all stands the one of the counties' means, each child counted with the mean of its county. Years are compared as counties
    have them: a county without a year is not in it, which the number of counties shows.

    Examples
    --------
    >>> len(equity_rows("no such folder", []))
    0
    """
    frames = []
    for county, scenario in done:
        rows = read_part(tables, "assignment", county, scenario, columns=["view", "year", "grade", "mode", "minutes", "pupils"])
        if not len(rows):
            continue
        rows = rows[rows["mode"].isin(["walk", "bus"]) & rows["minutes"].notna() & (rows["pupils"] > 0)]
        rows = rows.assign(band=[band_of(g) for g in rows["grade"]])
        # as many rows as there are different minutes
        sums = rows.groupby(["view", "year", "band", "minutes"], as_index=False)["pupils"].sum()
        frames.append(sums.assign(county=county, scenario=scenario))
    if not frames:
        return empty("province_equity")
    out = []
    for key, group in pd.concat(frames, ignore_index=True).groupby(["scenario", "view", "year", "band"]):
        x, w, home = group["minutes"].to_numpy(float), group["pupils"].to_numpy(float), group["county"].to_numpy(str)
        names, member = np.unique(home, return_inverse=True)
        people = np.bincount(member, w)
        means = np.bincount(member, w * x) / people
        whole, between, within = theil(x, w, home)
        # where everybody lives at the school all have the same
        some = float((w * x).sum()) > 0
        out.append({
            **dict(zip(("scenario", "view", "year", "band"), key, strict=True)), "counties": len(names), "pupils": round(w.sum()),
            "mean": np.average(x, weights=w), "lowest_mean": means.min(), "highest_mean": means.max(), "gini": gini(x, w) if some else 0.0,
            "gini_between": gini(means, people) if some else 0.0,
            **dict(zip(("theil", "theil_between", "theil_within"), (whole, between, within) if some else (0.0, 0.0, 0.0), strict=True)),
        })  # fmt: skip
    return check("province_equity", pd.DataFrame(out))


def outlines(tables: str | Path, done: Iterable[tuple[str, str]]) -> gpd.GeoDataFrame:
    """Return the outline of every county in degrees.

    Parameters
    ----------
    tables, done
        As in :func:`county_rows`; of several scenarios the first counts.

    Returns
    -------
    geopandas.GeoDataFrame
        ``county``, ``geometry`` in EPSG:4326, sorted by county.

    Examples
    --------
    >>> len(outlines("no such folder", []))
    0
    """
    first: dict[str, str] = {}
    for county, scenario in done:
        first.setdefault(county, scenario)
    shapes = [read_part(tables, "county", c, s, columns=["geometry"]).to_crs(4326).geometry.iloc[0] for c, s in sorted(first.items())]  # type: ignore[operator]
    return gpd.GeoDataFrame({"county": sorted(first)}, geometry=gpd.GeoSeries(shapes, crs=4326), crs=4326)


def _about(county: County, years: Sequence[int]) -> gpd.GeoDataFrame:
    shape = county.boundary
    if shape is None:
        places = [*county.settlements.geometry, *county.schools.geometry]
        shape = MultiPoint(places).convex_hull.buffer(_BESIDE_M, quad_segs=4)
    row = {
        "county_name": county.name, "county_code": county.code, "base_year": county.base_year, "last_year": max(years),
        "settlements": len(county.settlements), "schools": int((county.schools["status"] == "open").sum()),
        "persons": float(county.population["persons"].sum()),
    }  # fmt: skip
    return gpd.GeoDataFrame([row], geometry=[shape], crs=county.crs)


def _plain(table: pd.DataFrame, crs: str) -> pd.DataFrame:
    """Return a table as it is written: in the system of exports, ids as texts, structured cells as JSON."""
    out = table.to_crs(crs) if isinstance(table, gpd.GeoDataFrame) else table.copy()
    out.attrs = {}
    for column in out.columns:
        if column == "geometry":
            continue
        values = out[column]
        if isinstance(values.dtype, pd.CategoricalDtype):
            out[column] = values.astype("str")
        elif values.dtype == object:
            # a column of nothing but missing values has no type of its own
            out[column] = pd.Series([_text(v) for v in values], index=out.index, dtype="str")
    return out


def _text(value: object) -> str | None:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
