"""What rules a place out for a school: forbidden areas, and distances to roads, railways, power lines and pipelines."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layout.county import County
from layout.roads import Roads
from layout.standards import Standards

# the rule of a hard area that no other rule names
_COUNTY_AREA = "site.county_area"
# what the name of a layer says it is, the first that fits; power lines and railways have rules by voltage and place
_WORDS = (
    (r"易发区|prone", "site.geohazard.prone_zone"),
    (r"危险区|danger zone", "site.geohazard.danger_zone"),
    (r"基本农田|farmland", "site.farmland"),
    (r"危险化学品|危化品|重大危险源|hazardous chemical", "site.hazchem"),
    (r"殡仪|火葬|太平间|传染病|易燃|易爆|加油站|加气站|fuel station|funeral|mortuary", "site.noxious"),
    (r"断裂带|滑坡|崩塌|泥石流|塌陷|采空|暗河|溶洞|洪|河道|水库管理|隐患|flood|landslide|subsidence", "site.forbidden.hazard"),
    (r"输油|输气|燃气管|油气管|天然气管|pipeline", "site.pipeline"),
    (r"电力|高压|输电|架空线|千伏|kV|power line|power corridor", "power"),
    (r"铁路|高铁|railway", "rail"),
)
# an area of such a name already reaches as far as the rule asks for; any other is the thing itself
_REACHES = r"保护区|控制区|走廊|通道|管理范围|保护范围|危险区|易发区|corridor|zone|protected"
# most kilovolts of each class of lines
_VOLTAGES = ((10, "1_10"), (110, "35_110"), (330, "154_330"))
# administrative class by OSM class, as files of transport bureaus are read too: for want of a number in the name
_BY_HIGHWAY = {"motorway": "motorway", "trunk": "national", "primary": "provincial", "secondary": "county", "tertiary": "township"}
# road numbers: G and S with one, two or four figures are motorways
_NUMBER = re.compile(r"(?<![A-Za-z0-9])([GSXYC])\s?(\d{1,4})(?![0-9])")
_NUMBERED = {"G": "national", "S": "provincial", "X": "county", "Y": "township", "C": "village"}
# 320国道 or 国道320, but no 县道口小学路
_NAMED = re.compile(r"(国道|省道|县道|乡道|村道)(?:\d+)?$")
_NAMES = {"国道": "national", "省道": "provincial", "县道": "county", "乡道": "township", "村道": "village"}
# a street of a town; its traffic is heard where it is one of the great ones
_STREET = re.compile(r"(?:(?<!公)路|街|大道|巷)(?:[东南西北中]?段)?$")
_ARTERIAL = ("trunk", "primary")
_SCHOOL_DISTANCE = {"motorway": "national_provincial", "national": "national_provincial", "provincial": "national_provincial",
                    "county": "county_township", "township": "county_township"}  # fmt: skip
# a railway or road this near to the middle of a town runs through it
_IN_TOWN_M = 1000.0
_COLUMNS = ("bar_id", "kind", "clause", "layer", "least_m", "hard", "new_only")
_Row = tuple[str, str, str, str, float, bool, bool, Any]


def layer_clause(layer: str, standards: Standards) -> str:
    """Return the key of the rule that a layer of exclusions rests on.

    Parameters
    ----------
    layer
        Name of the layer, or key of a rule.
    standards
        Rules whose key begins with ``site.``.

    Returns
    -------
    str
        The rule whose key is the name, else the one that its words tell, else the first whose Chinese name holds it; empty where there is
        none. A power line of unknown voltage has the narrowest corridor.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> [layer_clause(name, read_standards()) for name in ("地质灾害易发区", "110kV高压线", "县里自定的范围")]
    ['site.geohazard.prone_zone', 'site.power.corridor.35_110', '']
    """
    layer, of_sites = layer.strip(), [r for k, r in standards.rules.items() if k.startswith("site.")]
    if not layer:
        return ""
    if any(r.key == layer for r in of_sites):
        return layer
    key = next((key for words, key in _WORDS if re.search(words, layer, re.IGNORECASE)), "")
    if key == "power":
        return f"site.power.corridor.{_voltage(layer) or _VOLTAGES[0][1]}"
    if key == "rail":
        return _rail_key(layer, "village")
    return key or next((r.key for r in of_sites if layer in r.zh), "")


def road_class(highway: str, name: str, *, in_town: bool = True) -> str:
    """Return the administrative class of a road, on which the distances of schools rest.

    Parameters
    ----------
    highway
        OSM class.
    name
        Name or number of the road: G, S, X, Y and C with figures, or 国道, 省道, 县道, 乡道, 村道, go before the OSM class; a name that ends
        as those of streets do (路 but not 公路, 街, 大道, 巷) is one of a town.
    in_town
        Whether it runs where a street may be.

    Returns
    -------
    str
        motorway, national, provincial, county, township; empty for village roads, streets and paths, which have no such
        distance. Without a number the class is presumed: trunk national, primary provincial, secondary county, tertiary
        township.

    References
    ----------
    公路安全保护条例 第十一条、第十四条、第七十五条.

    Examples
    --------
    >>> road_class("primary", "G210"), road_class("tertiary", ""), road_class("unclassified", "X983 某线"), road_class("residential", "")
    ('national', 'township', 'county', '')
    """
    plain = highway.removesuffix("_link")
    if plain == "motorway":
        return "motorway"
    found = _NUMBER.search(name)
    if found is not None:
        expressway = found[1] in "GS" and len(found[2]) != 3
        told = "motorway" if expressway else _NUMBERED[found[1]]
    elif (named := _NAMED.search(name)) is not None:
        told = _NAMES[named[1]]
    else:
        told = "" if in_town and is_street(name) else _BY_HIGHWAY.get(plain, "")
    return "" if told == "village" else told


def is_street(name: str) -> bool:
    """Say whether a name is that of a street in a town.

    Parameters
    ----------
    name
        Of a road.

    Returns
    -------
    bool
        Whether it ends as such names do.

    Examples
    --------
    >>> is_street("人民路"), is_street("迎宾大道"), is_street("贵黄公路"), is_street("")
    (True, True, False, False)
    """
    return _STREET.search(name) is not None


def site_bars(county: County, standards: Standards) -> gpd.GeoDataFrame:
    """List everything that a school must keep out of or away from.

    Parameters
    ----------
    county
        Exclusions, roads, and water among the obstacles.
    standards
        Rules ``site.*``.

    Returns
    -------
    geopandas.GeoDataFrame
        ``bar_id`` (of the exclusion, edge of the road or obstacle), ``kind`` (area, line, water, road), ``clause`` (key of the rule), ``layer``
        (its name), ``least_m`` (a site nearer than this breaks the rule; 0: inside), ``hard`` (else it only flags), ``new_only`` (not for
        schools that stood there before), geometry. Hard are areas that the county marks so and those that a law forbids whatever
        the county says. Distances to roads run from the middle line: half the width where it is known, the control zone and the
        distance of schools; the width of ditches and verges is not known, so that nearer sites break the rule for certain.
        Tunnels and village roads count for nothing.

    References
    ----------
    公路安全保护条例 第十一、十三、十四条; 铁路安全管理条例 第二十七条; 电力设施保护条例 第十条; 石油天然气管道保护法 第三十条;
    地质灾害防治条例 第十九、二十一条; 土地管理法 第三十五条; GB 50099-2011 §4.1.2, §4.1.3, §4.1.6.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> site_bars(paper, read_standards())[["clause", "least_m"]].drop_duplicates().values.tolist()
    [['site.road.control_zone.township', 5.0], ['site.road.school_distance.county_township', 25.0]]
    """
    places = county.settlements
    towns = {c: np.array(places.geometry[places["kind"].isin(kinds)]) for c, kinds in (("city", ["county_seat"]), ("suburb", ["town", "relocation"]))}
    rows = [row for e in county.exclusions.to_dict("records") for row in _exclusion_rows(e, towns, standards)]
    if county.obstacles is not None:
        wet = county.obstacles[county.obstacles["kind"].isin(["sea", "water"])]
        rows += [
            (str(o["obstacle_id"]), "water", "site.forbidden.hazard", str(o["name"]) or str(o["kind"]), 0.0, True, False, o["geometry"])
            for o in wet.to_dict("records")
        ]  # fmt: skip
    rows += _road_rows(county.roads, np.concatenate(list(towns.values())), standards) if county.roads is not None else []
    table = pd.DataFrame([row[:-1] for row in rows], columns=list(_COLUMNS)).astype({"least_m": float, "hard": bool, "new_only": bool})
    shapes = gpd.GeoSeries([row[-1] for row in rows], crs=county.crs)
    # areas first, by their ids, then what is kept at a distance: the first one is named where several bar a site
    order = table.assign(off=table["kind"] != "area").sort_values(["off", "bar_id", "least_m"], kind="stable").index
    return gpd.GeoDataFrame(table, geometry=shapes, crs=county.crs).loc[order].reset_index(drop=True)


def bars_near(points: Sequence[shapely.Point] | np.ndarray, bars: gpd.GeoDataFrame) -> pd.DataFrame:
    """Find which bars each point breaks.

    Parameters
    ----------
    points
        In the coordinate system of the bars.
    bars
        From :func:`site_bars`.

    Returns
    -------
    pandas.DataFrame
        ``point`` and ``bar`` (row numbers), ``distance_m``: every pair nearer than ``least_m``, or inside; by point, then bar.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> bars = site_bars(paper, read_standards())
    >>> near = bars_near(paper.settlements.geometry.to_numpy()[:1], bars)
    >>> bars["clause"][near["bar"]].tolist(), near["distance_m"].tolist()
    (['site.road.control_zone.township', 'site.road.school_distance.county_township'], [0.0, 0.0])
    """
    none = pd.DataFrame({"point": np.zeros(0, int), "bar": np.zeros(0, int), "distance_m": np.zeros(0)})
    shapes = np.asarray(points, object)
    if not len(shapes) or not len(bars):
        return none
    least, walls = bars["least_m"].to_numpy(float), bars.geometry.to_numpy()
    bar, point = shapely.STRtree(shapes).query(walls, predicate="dwithin", distance=least)
    metres = shapely.distance(walls[bar], shapes[point])
    kept = (metres < least[bar]) | (metres == 0)
    found = pd.DataFrame({"point": point[kept], "bar": bar[kept], "distance_m": metres[kept]})
    return found.sort_values(["point", "bar"], kind="stable", ignore_index=True)


def _exclusion_rows(area: Mapping[Hashable, Any], towns: Mapping[str, np.ndarray], standards: Standards) -> list[_Row]:
    layer, shape, number = str(area["layer"]), area["geometry"], str(area["exclusion_id"])
    key = layer_clause(layer, standards) or _COUNTY_AREA
    reaches = re.search(_REACHES, layer, re.IGNORECASE) is not None
    least = 0.0
    if key.startswith("site.rail."):
        near = next((c for c, spots in towns.items() if len(spots) and shapely.distance(shape, spots).min() <= _IN_TOWN_M), "village")
        key = _rail_key(layer, near)
    rule = standards.rules[key]
    if rule.unit == "m" and not reaches:
        least = standards[key]
    # a law binds whatever the county writes; of other rules the county says whether they forbid
    hard = bool(area["hard"]) or (rule.level == "law" and rule.hard)
    rows: list[_Row] = [(number, "line" if least else "area", key, layer, least, hard, False, shape)]
    if key.startswith("site.power.corridor.") and not _voltage(layer) and not reaches:
        # of unknown voltage: the narrowest corridor for certain, the widest one perhaps
        rows.append((number, "line", "site.power.corridor.500", layer, standards["site.power.corridor.500"], False, False, shape))
    if key.startswith("site.rail.") and not reaches:
        rows.append((number, "line", "site.rail.window_wall", layer, standards["site.rail.window_wall"], False, False, shape))
    return rows


def _rail_key(layer: str, place: str) -> str:
    fast = "_high_speed" if re.search(r"高铁|高速铁路|客运专线|high.speed", layer, re.IGNORECASE) else ""
    return f"site.rail.protection_zone.{place}{fast}"


def _voltage(layer: str) -> str:
    found = re.search(r"(\d+)\s*(?:千伏|kV)", layer, re.IGNORECASE)
    return "" if found is None else next((name for most, name in _VOLTAGES if int(found[1]) <= most), "500")


def _road_rows(roads: Roads, towns: np.ndarray, standards: Standards) -> list[_Row]:
    edges = roads.edges[~roads.edges["tunnel"].to_numpy(bool)]
    rows: list[_Row] = []
    in_town = np.zeros(len(edges), bool)
    if len(towns) and len(edges):
        in_town[shapely.STRtree(edges.geometry.to_numpy()).query(towns, predicate="dwithin", distance=_IN_TOWN_M)[1]] = True
    columns = (edges[c] for c in ("edge_id", "highway", "name", "width_m"))
    for number, highway, name, width, shape, town in zip(*columns, edges.geometry, in_town, strict=True):
        told, wall = road_class(str(highway), str(name), in_town=bool(town)), "site.expressway.window_wall"
        half = float(width) / 2 if np.isfinite(width) else 0.0
        if told == "motorway" or (not told and town and is_street(str(name)) and str(highway).removesuffix("_link") in _ARTERIAL):
            rows.append((str(number), "road", wall, str(name) or str(highway), half + standards[wall], False, False, shape))
        if not told:
            continue
        zone, more = f"site.road.control_zone.{told}", f"site.road.school_distance.{_SCHOOL_DISTANCE[told]}"
        layer, least = str(name) or str(highway), half + standards[zone]
        rows.append((str(number), "road", zone, layer, least, True, True, shape))
        rows.append((str(number), "road", more, layer, least + standards[more], True, True, shape))
    return rows
