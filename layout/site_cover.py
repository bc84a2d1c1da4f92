"""Where a school would be within the limit of most children who have none: settlements and road junctions, chosen one after another."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy import sparse

from layout import messages
from layout.children import ways_of
from layout.county import County
from layout.roads import Roads
from layout.standards import Standards
from layout.tables import BANDS, GRADES, band_of

# of the junctions in a square this wide one is enough
_JUNCTION_M = 500.0
# sums of expected children closer than this are equal
_DIGITS = 6
_CELL = ["settlement_id", "band"]


def possible_sites(county: County, pupils: pd.DataFrame, standards: Standards, *, times: pd.DataFrame | None = None) -> gpd.GeoDataFrame:
    """List the places from which :func:`cover_sites` chooses: settlements and road junctions near children without a school.

    Parameters
    ----------
    county, pupils, standards, times
        As in :func:`cover_sites`.

    Returns
    -------
    geopandas.GeoDataFrame
        Keyed by ``school_id``: ``C-`` and the settlement's id, ``J-`` and that of the node; ``name``, ``township_id`` (of a junction those of the
        nearest settlement), ``place_id`` (of the settlement or node), geometry. Junctions are ends of three or more edges that people walk or
        drive, one a square of 500 m (most edges, then the lower id). No place from which no child without a school is within the limit by
        the straight line. With these as destinations, :func:`layout.travel_times` gives minutes to use instead of that line.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pupils = pd.DataFrame({"settlement_id": ["D", "E"], "year": 2035, "grade": 1, "pupils": [30.0, 40.0]})
    >>> far = paper.schools.assign(status=["open", "closed"])
    >>> import dataclasses
    >>> possible_sites(dataclasses.replace(paper, schools=far), pupils, read_standards())["school_id"].tolist()
    ['C-D', 'C-E']
    """
    places = county.settlements
    homes = pd.DataFrame(places[["settlement_id", "name", "township_id", "geometry"]])
    homes = homes.assign(school_id="C-" + homes["settlement_id"].astype("str"), place_id=homes["settlement_id"].astype("str"))
    without = _without_school(county, pupils, standards, times)
    near = [places[places["settlement_id"].isin(without.loc[without["band"] == b, "settlement_id"])].geometry.to_numpy() for b in BANDS]
    found = pd.concat([homes, _junctions(county.roads, places)] if county.roads is not None else [homes], ignore_index=True)
    points = found["geometry"].to_numpy()
    useful = np.zeros(len(found), bool)
    for band, there in zip(BANDS, near, strict=True):
        if len(there):
            useful[np.unique(shapely.STRtree(points).query(there, predicate="dwithin", distance=_reach_m(band, standards))[1])] = True
    out = gpd.GeoDataFrame(found, geometry="geometry", crs=county.crs)[["school_id", "name", "township_id", "place_id", "geometry"]]
    return out[useful].drop_duplicates("school_id").sort_values("school_id", ignore_index=True)


def cover_sites(
    county: County, pupils: pd.DataFrame, standards: Standards, *, times: pd.DataFrame | None = None, chosen: gpd.GeoDataFrame | None = None,
    apart_m: float = 300.0,
) -> gpd.GeoDataFrame:  # fmt: skip
    """Choose places from which most children without a school within the limit would be within it.

    Parameters
    ----------
    county
        Settlements, open schools and roads.
    pupils
        Table ``pupils``: children who study at home, by village and band in the year in which they are most.
    standards
        Limits, walking speeds, ``travel.straight_factor``, least pupils of new schools.
    times
        Table ``times``: who has a school within the limit today, and, where its destinations are those of :func:`possible_sites`, who
        would have. None, and pairs that are not in it though their place is: the straight line on foot times the factor, and no way.
    chosen
        Table ``candidates`` already listed: they cover too, and no place is chosen within ``apart_m`` of them.
    apart_m
        Least metres between places.

    Returns
    -------
    geopandas.GeoDataFrame
        Rows of :func:`possible_sites` in the order of choice with ``covered``: the children that each adds.

    References
    ----------
    Greedy maximal covering (Church and ReVelle 1974, Papers of the Regional Science Association 32): at each step the place that adds most
    children; ties to settlements, then the lower id. First each child counts once, until the best place adds fewer than
    ``layout.min_pupils.teaching_point``; then children covered once count a second time, until it adds fewer than that of a small primary
    school. But for the metres between places, what the first round covers is at least 1 - 1/e of what as many places could
    (Nemhauser, Wolsey and Fisher 1978). A band counts at a place only where the children within reach would fill the
    smallest school that teaches it: a teaching point, a small primary school, a junior school.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pupils = pd.DataFrame({"settlement_id": ["D", "E"], "year": 2035, "grade": 1, "pupils": [30.0, 40.0]})
    >>> import dataclasses
    >>> far = dataclasses.replace(paper, schools=paper.schools.assign(status=["open", "closed"]))
    >>> cover_sites(far, pupils, read_standards())[["school_id", "covered"]].values.tolist()
    [['C-E', 40.0], ['C-D', 30.0]]
    """
    pool = possible_sites(county, pupils, standards, times=times)
    without = _without_school(county, pupils, standards, times)
    if not len(pool) or not len(without):
        return pool.iloc[:0].assign(covered=np.zeros(0))
    everyone = _most(_at_home(pupils))
    reach = _reached(county, pool, everyone, standards, times)
    had = np.zeros(len(without), int)
    cells = {cell: i for i, cell in enumerate(zip(without["settlement_id"], without["band"], strict=True))}
    if chosen is not None and len(chosen):
        listed = gpd.GeoDataFrame(chosen.assign(place_id=""), crs=county.crs)
        gives = _cells_of(_worth(_reached(county, listed, everyone, standards, times), standards), cells, len(listed))
        had += np.asarray(gives.sum(axis=0)).ravel().astype(int)
    covers = _cells_of(_worth(reach, standards), cells, len(pool))
    points = pool.geometry.to_numpy()
    free = np.ones(len(pool), bool)
    if chosen is not None and len(chosen):
        free[np.unique(shapely.STRtree(points).query(chosen.geometry.to_numpy(), predicate="dwithin", distance=apart_m)[1])] = False
    junction = pool["school_id"].str.startswith("J-").to_numpy()
    weight, picked, gains = without["pupils"].to_numpy(float), [], []
    # once where a teaching point may fill, then a second time where a small primary school may, should the first place be ruled out
    for wanted, role in ((1, "teaching_point"), (2, "small_primary")):
        while free.any():
            gain = np.where(free, np.round(covers @ (weight * (had < wanted)), _DIGITS), -1.0)
            best = int(np.lexsort((np.arange(len(pool)), junction, -gain))[0])
            if gain[best] < standards[f"layout.min_pupils.{role}"]:
                break
            picked.append(best)
            gains.append(float(gain[best]))
            had += covers[[best]].toarray().ravel().astype(int)
            free &= shapely.distance(points, points[best]) > apart_m
    return pool.iloc[picked].assign(covered=gains).reset_index(drop=True)


def _at_home(pupils: pd.DataFrame) -> pd.DataFrame:
    home = pupils if "attends" not in pupils else pupils[pupils["attends"].isin(["home", ""])]
    return pd.DataFrame({
        "settlement_id": home["settlement_id"].astype("str"), "year": home["year"], "grade": home["grade"].astype(int),
        "band": [band_of(int(g)) for g in home["grade"]], "pupils": home["pupils"].astype(float),
    })  # fmt: skip


def _most(home: pd.DataFrame) -> pd.DataFrame:
    """Return the children of each settlement and band in the year in which they are most."""
    sums = home.groupby([*_CELL, "year"], sort=True)["pupils"].sum()
    most = sums.groupby(level=[0, 1], sort=True).max().reset_index()
    return most[most["pupils"] > 0].reset_index(drop=True)


def _without_school(county: County, pupils: pd.DataFrame, standards: Standards, times: pd.DataFrame | None) -> pd.DataFrame:
    """Return the children by settlement and band whom no open school that teaches their grade is within the limit of."""
    home = _at_home(pupils)
    open_ = county.schools[(county.schools["status"] == "open") & (county.schools["kind"] != "special")]
    # a school to which no way leads is out of reach, however near it lies
    within = _reached(county, open_, home[_CELL].drop_duplicates().assign(pupils=1.0), standards, times, line=times is None)
    within = within.merge(pd.DataFrame(open_[["school_id", "first_grade", "last_grade"]]), on="school_id")
    # a school teaches a run of grades: one row a settlement and grade that is served
    parts = [within[(within["first_grade"] <= g) & (within["last_grade"] >= g) & (within["band"] == band_of(g))].assign(grade=g) for g in GRADES]
    served = pd.concat(parts, ignore_index=True)[["settlement_id", "grade"]].drop_duplicates()
    left = home.merge(served.assign(served=True), on=["settlement_id", "grade"], how="left")
    return _most(left[left["served"].isna()])


def _reach_m(band: str, standards: Standards) -> float:
    """Return how far the straight line may be for a walk within the limit."""
    return standards.limit("walk", band) * standards[f"walk.speed.{band}"] * 1000 / 60 / standards["travel.straight_factor"]


def _reached(
    county: County, sites: gpd.GeoDataFrame, children: pd.DataFrame, standards: Standards, times: pd.DataFrame | None, *, line: bool = True
) -> pd.DataFrame:  # fmt: skip
    """Return site, settlement, band and children of every pair within the limit: by the ways where the site has any, else by the line."""
    known = times[times["to_id"].isin(sites["school_id"])] if times is not None else None
    parts = []
    if known is not None and len(known):
        ways = ways_of(known, standards)
        parts.append(ways.loc[(ways["mode"] != "board") & ~ways["beyond"], ["school_id", *_CELL]])
    by_line = sites if known is None else sites[~sites["school_id"].isin(known["to_id"]) & line]
    places = county.settlements[["settlement_id", "geometry"]]
    if len(by_line):
        tree = shapely.STRtree(by_line.geometry.to_numpy())
        for band in BANDS:
            home, site = tree.query(places.geometry.to_numpy(), predicate="dwithin", distance=_reach_m(band, standards))
            ids = places["settlement_id"].to_numpy()[home]
            parts.append(pd.DataFrame({"school_id": by_line["school_id"].to_numpy()[site], "settlement_id": ids, "band": band}))
    pairs = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["school_id", *_CELL])
    order = {name: i for i, name in enumerate(sites["school_id"])}
    out = pairs.astype("str").drop_duplicates().merge(children, on=_CELL)
    return out.assign(site=out["school_id"].map(order)).sort_values(["site", *_CELL], kind="stable", ignore_index=True)


def _worth(reach: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Keep the bands of a site whose children within reach would fill the smallest school that teaches them."""
    sums = reach.groupby(["school_id", "band"])["pupils"].sum().unstack(fill_value=0).reindex(columns=list(BANDS), fill_value=0.0)
    filled = pd.DataFrame({
        "lower": sums["lower"] >= standards["layout.min_pupils.teaching_point"],
        "upper": sums["lower"] + sums["upper"] >= standards["layout.min_pupils.small_primary"],
        "junior": sums["junior"] >= standards["layout.min_pupils.junior"],
    })  # fmt: skip
    kept = [(school, band) for band in BANDS for school in filled.index[filled[band]]]
    return reach[pd.MultiIndex.from_frame(reach[["school_id", "band"]]).isin(kept)]


def _cells_of(reach: pd.DataFrame, cells: dict[tuple[str, str], int], count: int) -> sparse.csr_matrix:
    column = np.array([cells.get(cell, -1) for cell in zip(reach["settlement_id"], reach["band"], strict=True)], int)
    kept = column >= 0
    data = (np.ones(int(kept.sum())), (reach["site"].to_numpy(int)[kept], column[kept]))
    return sparse.csr_matrix(data, shape=(count, len(cells)))


def _junctions(roads: Roads | None, places: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return the junctions of roads, one a square, named after the nearest settlement."""
    columns = ["school_id", "name", "township_id", "place_id", "geometry"]
    if roads is None or not len(roads.edges) or not len(places):
        return pd.DataFrame(columns=columns)
    edges = roads.edges
    used = edges[(edges["walk"] | edges["drive"]) & ~edges["bridge"] & ~edges["tunnel"]]
    ends = pd.concat([used["from_node"], used["to_node"]]).value_counts()
    # a bridge or tunnel that begins at a node leaves no ground for a school there
    off = edges[edges["bridge"] | edges["tunnel"]]
    ends = ends[(ends >= 3) & ~ends.index.isin(pd.concat([off["from_node"], off["to_node"]]))]
    nodes = roads.nodes[roads.nodes["node_id"].isin(ends.index)]
    nodes = nodes.assign(edges=nodes["node_id"].map(ends), col=nodes["x"] // _JUNCTION_M, row=nodes["y"] // _JUNCTION_M)
    nodes = nodes.sort_values(["col", "row", "edges", "node_id"], ascending=[True, True, False, True], kind="stable")
    nodes = nodes.drop_duplicates(["col", "row"]).sort_values("node_id", ignore_index=True)
    points = gpd.GeoSeries(gpd.points_from_xy(nodes["x"], nodes["y"]), crs=roads.crs).to_crs(places.crs).to_numpy()
    near = shapely.STRtree(places.geometry.to_numpy()).nearest(points) if len(points) else np.zeros(0, int)
    names, homes = (places[c].astype("str").to_numpy()[near] for c in ("name", "township_id"))
    ids, named = nodes["node_id"].astype("str"), [messages.text("candidate.junction", "zh", name=n) for n in names]
    return pd.DataFrame({"school_id": "J-" + ids, "name": named, "township_id": homes, "place_id": ids, "geometry": points})
