"""A plan as layers for a GIS: one row a village, school, proposal or road, with columns that can be read without the data dictionary."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layout import messages
from layout.pages import school_names, township_names
from layout.plan import Plan
from layout.tables import BANDS, band_of, label

#: Layers in the order in which they lie, the lowest last.
LAYERS = ("proposals", "schools", "villages", "candidates", "rejected", "ways", "roads", "exclusions", "boundary")
#: What a village's children of the plan's last year have.
STATES = ("none", "served", "beyond_limit", "unplaced")
TIERS = ("small", "normal", "elevated", "oversized", "super")
_UNPLACED = ("no_seat", "no_bed", "no_route")
_VIEWS = {"today": "t", "planned": "p"}


@dataclass(frozen=True)
class LayerField:
    """One column of a layer: its name, its heading in the reader's language, a name that a Shapefile takes (empty: left out there)."""

    name: str
    heading: str
    short: str
    meaning: str


def plan_layers(plan: Plan) -> dict[str, gpd.GeoDataFrame]:
    """Make the layers of a plan.

    Parameters
    ----------
    plan
        From :func:`layout.make_plan` or :func:`layout.read_plan`.

    Returns
    -------
    dict
        Frames by name of :data:`LAYERS`, in the coordinates of the county, sorted by their ids; a layer without rows is left out.
        ``villages`` has pupils (without those away) by plan year, and for the base year today and every plan year as planned those
        without a place (no seat, no bed, no way), those beyond their limit, and the mean minutes one way of the day pupils
        (NaN where there are none). ``ways`` has a line from each village to each school that children of a band go to in the
        plan's last year; children without a school have no line and are counted in ``villages``.

    Examples
    --------
    >>> layers = plan_layers(layout.make_plan(paper, to=2026))
    >>> sorted(layers)
    ['proposals', 'roads', 'schools', 'villages', 'ways']
    >>> layers["villages"][["settlement_id", "pupils_2026", "unplaced_planned_2026", "state"]].values.tolist()[0]
    ['A', 90, 0, 'served']
    """
    made = {
        "proposals": _proposals(plan), "schools": _schools(plan), "villages": _villages(plan), "candidates": _sites(plan, "candidates"),
        "rejected": _sites(plan, "rejected"), "ways": _ways(plan), "roads": _roads(plan), "exclusions": _exclusions(plan),
        "boundary": _boundary(plan),
    }  # fmt: skip
    return {name: made[name] for name in LAYERS if len(made[name])}


def layer_fields(layer: str, years: Sequence[int], *, lang: str = "zh") -> tuple[LayerField, ...]:
    """List the columns of a layer, its geometry aside.

    Parameters
    ----------
    layer
        One of :data:`LAYERS`.
    years
        Base year and plan years.
    lang
        ``zh`` or ``en``: of headings and meanings.

    Returns
    -------
    tuple of LayerField
        In their order; names, headings and short names are each unique, short ones at most ten ASCII letters.

    Raises
    ------
    KeyError
        An unknown layer.

    Examples
    --------
    >>> [field.heading for field in layer_fields("roads", [2025, 2030])]
    ['路段编号', '道路等级', '道路名称']
    >>> [field.short for field in layer_fields("villages", [2025])][5:]
    ['pup2025', 'unt2025', 'bet2025', 'mit2025', 'state']
    """
    out: list[LayerField] = []
    block: list[Mapping[str, str]] = []
    for row in [*_catalogue()[layer], {"name": ""}]:
        if "{year}" in row["name"]:
            block.append(row)
            continue
        out += _spread(block, years, lang)
        block = []
        if row["name"]:
            out.append(_field(row, lang, {}))
    return tuple(out)


def layer_title(layer: str, lang: str) -> str:
    """Return the title of a layer.

    Parameters
    ----------
    layer
        One of :data:`LAYERS`.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        The title.

    Examples
    --------
    >>> layer_title("villages", "zh"), layer_title("ways", "en")
    ('村寨', 'ways to school')
    """
    return messages.text(f"gis.layer.{layer}", lang)


@functools.cache
def _catalogue() -> Mapping[str, tuple[Mapping[str, str], ...]]:
    text = files("layout").joinpath("gis_fields.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return {layer: tuple(row for row in rows if row["layer"] == layer) for layer in LAYERS}


def _spread(block: Sequence[Mapping[str, str]], years: Sequence[int], lang: str) -> list[LayerField]:
    """Repeat columns for every year, and for the view that is theirs: the base year stands as it is, the others as planned."""
    base = min(years, default=0)
    out = []
    for row in block:
        for year in years:
            view = "today" if year == base else "planned"
            words = {"view": view, "view_zh": messages.text(f"gis.view.{view}", "zh"), "v": _VIEWS[view], "year": str(year)}
            out.append(_field(row, lang, words))
    return out


def _field(row: Mapping[str, str], lang: str, words: Mapping[str, str]) -> LayerField:
    name, heading, short, meaning = (row[key].format(**words) for key in ("name", lang, "short", f"meaning_{lang}"))
    return LayerField(name, heading, short, meaning)


def _ordered(plan: Plan, layer: str, frame: pd.DataFrame, by: Sequence[str], crs: str | None = None) -> gpd.GeoDataFrame:
    names = [field.name for field in layer_fields(layer, plan.years)]
    table = frame[[*names, "geometry"]].sort_values(list(by), ignore_index=True)
    return gpd.GeoDataFrame(table, geometry="geometry", crs=crs or plan.county.crs)


def _rows_of(plan: Plan, year: int) -> pd.DataFrame:
    outcome = plan.today if year == plan.county.base_year else plan.planned
    rows = outcome.assignment[(outcome.assignment["year"] == year)]
    return rows.assign(status=rows["status"].astype("str"), settlement_id=rows["settlement_id"].astype("str"))


def _villages(plan: Plan) -> gpd.GeoDataFrame:
    table = plan.county.settlements.copy()
    keys = table["settlement_id"].astype("str")
    table["township"] = table["township_id"].map(township_names(plan)).fillna("")
    for year in plan.years:
        view = "today" if year == plan.county.base_year else "planned"
        rows = _rows_of(plan, year)
        here = rows[rows["status"] != "away"]

        def summed(part: pd.DataFrame) -> np.ndarray:
            return keys.map(part.groupby("settlement_id")["pupils"].sum()).fillna(0).round().astype("int64").to_numpy()

        table[f"pupils_{year}"] = summed(here)
        table[f"unplaced_{view}_{year}"] = summed(here[here["status"].isin(_UNPLACED)])
        table[f"beyond_{view}_{year}"] = summed(here[here["status"] == "beyond_limit"])
        going = here[here["minutes"].notna() & (here["pupils"] > 0) & (here["mode"].astype("str") != "board")]
        weighed = (going["minutes"] * going["pupils"]).groupby(going["settlement_id"]).sum() / going.groupby("settlement_id")["pupils"].sum()
        table[f"minutes_{view}_{year}"] = keys.map(weighed).round(1).to_numpy(float)
    last, view = max(plan.years), "today" if max(plan.years) == plan.county.base_year else "planned"
    pupils, unplaced, beyond = (table[f"{what}_{last}"] for what in ("pupils", f"unplaced_{view}", f"beyond_{view}"))
    table["state"] = np.select([pupils == 0, unplaced > 0, beyond > 0], ["none", "unplaced", "beyond_limit"], "served")
    return _ordered(plan, "villages", table, ["settlement_id"])


def _schools(plan: Plan) -> gpd.GeoDataFrame:
    base, last = plan.county.base_year, max(plan.years)
    table = plan.schools.copy()
    standing = plan.planned.school_years
    standing = standing[standing["year"] == last].set_index("school_id")
    for column in ("kind", "status", "first_grade", "last_grade", "rooms", "beds"):
        at_end = table["school_id"].map(standing[column].astype("object"))
        table[column] = at_end.where(at_end.notna(), table[column].astype("object"))
    numbers = ["first_grade", "last_grade", "rooms", "beds"]
    table[numbers] = table[numbers].astype("float").fillna(0).astype("int64")
    table["is_new"] = (~table["school_id"].isin(plan.county.schools["school_id"])).astype("int64")
    table["must_stay"] = table["school_id"].isin(plan.must_stay["school_id"]).astype("int64")
    table["township"] = table["township_id"].map(township_names(plan)).fillna("")
    tier = pd.Series("", index=table.index)
    for year in plan.years:
        outcome = plan.today if year == base else plan.planned
        classes = outcome.classes[outcome.classes["year"] == year]
        sums = classes.groupby(classes["school_id"].astype("str"))[["pupils", "largest_class"]].agg({"pupils": "sum", "largest_class": "max"})
        for column, name in (("pupils", f"pupils_{year}"), ("largest_class", f"largest_class_{year}")):
            table[name] = table["school_id"].map(sums[column]).fillna(0).astype("int64")
        if year == last:
            rank = {t: i for i, t in enumerate(TIERS)}
            worst = classes["tier"].astype("str").map(rank).groupby(classes["school_id"].astype("str")).max()
            tier = table["school_id"].map(worst).map(dict(enumerate(TIERS))).fillna("")
    table["tier"] = tier.astype("str")
    return _ordered(plan, "schools", table, ["school_id"])


def _proposals(plan: Plan) -> gpd.GeoDataFrame:
    table = plan.proposals.copy()
    where = dict(zip(plan.schools["school_id"], plan.schools["township_id"], strict=True))
    table["name"] = table["school_id"].map(school_names(plan)).fillna("")
    table["township"] = table["school_id"].map(where).map(township_names(plan)).fillna("")
    return _ordered(plan, "proposals", table, ["school_id", "year", "action"])


def _sites(plan: Plan, layer: str) -> gpd.GeoDataFrame:
    table = getattr(plan, layer).copy()
    table["township"] = table["township_id"].map(township_names(plan)).fillna("") if "township_id" in table else ""
    return _ordered(plan, layer, table, ["school_id", *(["layer", "clause"] if layer == "rejected" else [])])


def _ways(plan: Plan) -> gpd.GeoDataFrame:
    rows = _rows_of(plan, max(plan.years))
    rows = rows[rows["school_id"].astype("str").isin(set(plan.schools["school_id"])) & (rows["pupils"] > 0)]
    keyed = rows.assign(band=[band_of(g) for g in rows["grade"]], school_id=rows["school_id"].astype("str"), mode=rows["mode"].astype("str"))
    keys = ["settlement_id", "school_id", "band", "mode", "status"]
    flows = keyed.groupby(keys, observed=True).agg(pupils=("pupils", "sum"), minutes=("minutes", "max")).reset_index()
    homes, schools = plan.county.settlements.set_index("settlement_id"), plan.schools.set_index("school_id")
    ends = np.stack([
        shapely.get_coordinates(homes.geometry.reindex(flows["settlement_id"]).to_numpy()),
        shapely.get_coordinates(schools.geometry.reindex(flows["school_id"]).to_numpy()),
    ], axis=1) if len(flows) else np.empty((0, 2, 2))  # fmt: skip
    flows["geometry"] = shapely.linestrings(ends) if len(flows) else []
    flows["settlement"] = flows["settlement_id"].map(homes["name"])
    flows["school"] = flows["school_id"].map(schools["name"])
    flows["pupils"] = flows["pupils"].round().astype("int64")
    flows["minutes"] = flows["minutes"].astype(float).round(1)
    flows["order"] = flows["band"].map({band: i for i, band in enumerate(BANDS)})
    flows = flows.sort_values(["settlement_id", "order", "school_id", "mode", "status"], ignore_index=True)
    flows["way_id"] = np.arange(1, len(flows) + 1)
    return _ordered(plan, "ways", flows, ["way_id"])


def _roads(plan: Plan) -> gpd.GeoDataFrame:
    roads = plan.county.roads
    if roads is None or not len(roads.edges):
        return gpd.GeoDataFrame({"geometry": []}, geometry="geometry", crs=plan.county.crs)
    return _ordered(plan, "roads", roads.edges.drop_duplicates("edge_id"), ["edge_id"])


def _exclusions(plan: Plan) -> gpd.GeoDataFrame:
    table = plan.county.exclusions.copy()
    table["hard"] = table["hard"].astype("int64")
    return _ordered(plan, "exclusions", table, ["exclusion_id"])


def _boundary(plan: Plan) -> gpd.GeoDataFrame:
    county = plan.county
    shapes = [] if county.boundary is None else [county.boundary]
    return _ordered(plan, "boundary", pd.DataFrame({"name": [county.name] * len(shapes), "geometry": shapes}), ["name"])


def in_words(layer: str, frame: gpd.GeoDataFrame, lang: str) -> gpd.GeoDataFrame:
    """Put the words that people read in the place of codes.

    Parameters
    ----------
    layer, frame
        From :func:`plan_layers`.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    geopandas.GeoDataFrame
        The same rows; codes without a word stay as they are.

    Examples
    --------
    >>> made = plan_layers(layout.make_plan(paper, to=2026))["schools"]
    >>> in_words("schools", made, "zh")["kind"].tolist()
    ['小学', '九年一贯制']
    """
    coded = {
        "villages": {"kind": ("settlements", "kind")},
        "schools": {"kind": ("schools", "kind"), "status": ("schools", "status"), "tier": ("classes", "tier")},
        "proposals": {"action": ("proposals", "action"), "role": ("schools", "kind")},
        "ways": {"band": ("headline", "band"), "mode": ("assignment", "mode"), "status": ("assignment", "status")},
        "candidates": {"origin": ("candidates", "origin")},
    }
    out = frame.copy()
    for column, (table, name) in coded.get(layer, {}).items():
        out[column] = [label(table, name, str(v), lang) if str(v) else "" for v in out[column]]
    if layer == "proposals":
        gates = {key.removeprefix("gate."): word for key, word in messages.catalogue(lang).items() if key.startswith("gate.")}
        out["gates"] = ["; ".join(gates.get(g.strip(), g.strip()) for g in str(listed).split(";") if g.strip()) for listed in out["gates"]]
    if layer == "villages":
        out["state"] = [messages.text(f"gis.state.{v}", lang) for v in out["state"]]
    return out
