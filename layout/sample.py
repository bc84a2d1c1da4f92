"""A fictional county of karst mountains, from a seed: what a planner would hand in, nothing that a person could be found by."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from shapely import MultiPoint, Point, concave_hull, make_valid, points
from shapely.affinity import rotate, scale

from layout import sample_ground as ground
from layout import sample_schools as teaching
from layout.county import County
from layout.tables import check, empty

CRS = "EPSG:4545"
MIDDLE = (450_000.0, 2_932_500.0)  # about 107.5 E 26.5 N
SIZE_M = (60_000.0, 45_000.0)  # west to east, south to north, for 300 settlements
LARGEST_COUNTY = 5000
USUAL = 300  # settlements for which the figures below are given
CODE, NAME = "529999", "峰林县"  # no county has this code or this name
BASE_YEAR, BASE_DATE = 2025, dt.date(2025, 11, 1)
PEOPLE, TOWNSHIPS = 276_000, 20
OLDEST = 90
NEAR_ROAD_M = 1000.0  # nobody founds a school farther from a road or path
# powers by which people, townships and schools, and the length of a side, grow with settlements: below the usual number,
# and above it, where villages also get smaller and stand closer
GROWTH, SIDE_GROWTH = (1.0, 0.6), (0.35, 0.2)
SHARES = {"county_seat": 0.26, "town": 0.22, "relocation": 0.008}
LARGEST = 3.2  # times the usual size of its kind that a place may have
# births of the province in ten thousand by calendar year: bulletins for 2016-2018 and 2021-2024; 2019 and 2020 lie on the
# straight line between, 2025 is held at 2024
PROVINCE_BIRTHS = {
    2016: 47.40, 2017: 50.05, 2018: 49.90, 2019: 48.9, 2020: 47.9, 2021: 46.9, 2022: 42.5, 2023: 41.1, 2024: 41.5, 2025: 41.5,
}  # fmt: skip
REGISTERED_BIRTHS = 0.78  # registered births for one child of the age list (in the province 1 / 1.28)
CENSUS_YEAR = 2020
# years of the relocations: done, coming, coming
MOVE_YEARS = (2019, 2027, 2029)
FIRST = "岩平龙石水青白红黄新上下长高马牛羊凤竹松杉桐梨桃云雷金银铜花木田沙响清大小双三五九老滥仓甘麻猫格摆打坝纳者巴"
SECOND = "坝寨坪塘井坡山沟河湾冲箐关场洞桥庄坳屯营堡窝岭岗溪林坨垭丫槽"
ENDINGS = {"county_seat": "社区", "town": "集镇", "relocation": "安置点", "village": "村", "hamlet": ""}
PLACE = ("上", "下", "大", "小", "新", "老", "中", "后", "前", "半")


@dataclass(frozen=True)
class Site:
    """The places of the county on the grid, by kind, and the roads to them."""

    seat: int
    towns: tuple[int, ...]
    kinds: tuple[str, ...]
    cells: tuple[int, ...]
    township: tuple[int, ...]
    links: ground.Links


def make_sample_county(
    *, seed: int = 0, settlements: int = USUAL, name: str = NAME, code: str = CODE, census: pd.DataFrame | None = None
) -> County:  # fmt: skip
    """Make a fictional county of karst mountains as its planner could have handed it in.

    Terrain with one valley and its river, roads that follow the ground and cross the river on few bridges, townships,
    settlements of very unequal size, people by single age, schools with rosters, relocations, and restricted areas. The
    ages have the shape of a real county's census, ``age_structure.csv``; where children study is drawn by distance and
    chance, not by the minutes and rules with which this library assigns them.

    Parameters
    ----------
    seed
        The same seed gives the same county.
    settlements
        Number of settlements, 40 to 5,000. Townships, schools, people and the area grow with it, above 300 more slowly.
    name, code
        Of the county; its name is followed by the word that it is fictional.
    census
        Ages whose shape its people take instead, as :func:`age_profile` reads them.

    Returns
    -------
    County
        Every table in its canonical form; geometry in EPSG:4545. A few hamlets are farther from any road than a place is
        joined to one, two stand on paths that lead nowhere, and the sites of coming relocations have no people yet.

    Raises
    ------
    ValueError
        If ``settlements`` is outside 40 to 5,000.

    References
    ----------
    Age structure: 第七次全国人口普查 分县资料 2020, 紫云苗族布依族自治县 (520425), aged forward to 2025.

    Examples
    --------
    >>> county = make_sample_county(seed=1, settlements=40)
    >>> len(county.settlements), county.crs, int(county.townships.is_county_seat.sum())
    (40, 'EPSG:4545', 1)
    """
    if not 40 <= settlements <= LARGEST_COUNTY:
        raise ValueError(f"settlements must be 40 to {LARGEST_COUNTY}, not {settlements}")
    larger = settlements > USUAL
    size = (settlements / USUAL) ** GROWTH[larger]
    longer = (settlements / USUAL) ** SIDE_GROWTH[larger]
    rng = [np.random.default_rng([seed, part]) for part in range(8)]
    width, height = (round(side * longer / ground.GRID_M) * ground.GRID_M for side in SIZE_M)
    terrain, river = ground.make_terrain(rng[0], west=MIDDLE[0] - width / 2, south=MIDDLE[1] - height / 2, width_m=width, height_m=height, crs=CRS)
    grid = ground.make_grid(rng[1], terrain, river, bridge_every_m=7500)
    site = _places(rng[2], grid, settlements, max(4, round(TOWNSHIPS * size)))
    roads = ground.to_roads(rng[3], grid, site.links, CRS)
    places, townships = _named(rng[4], grid, site, code)
    moves, population = _people(rng[5], places, round(PEOPLE * size), census)
    births = _births(rng[5], places, population)
    off_road = roads.edges.sindex.nearest(places.geometry, return_all=False, return_distance=True)[1]
    school_tables = teaching.make_schools(
        rng[6], places, townships, population, moves,
        reached=off_road < NEAR_ROAD_M, base_year=BASE_YEAR, base_date=BASE_DATE, size=size, county=name,
    )  # fmt: skip
    exclusions = _exclusions(rng[7], grid, river, places, school_tables["schools"])
    outline = concave_hull(MultiPoint(list(places.geometry)), ratio=0.35).buffer(2200).simplify(150)
    tables = {
        "settlements": places, "townships": townships, "population": population, "births": births, "moves": moves,
        "exclusions": exclusions, "rates": empty("rates"), "assumptions": empty("assumptions"), **school_tables,
    }  # fmt: skip
    checked: dict[str, Any] = {key: check(key, table) for key, table in tables.items()}
    for key in ("settlements", "schools"):
        # as a planner types them: seven decimals of a degree, so that the county is the same from its folder
        degrees = checked[key].geometry.to_crs(4326)
        typed = points(np.round(degrees.x, 7), np.round(degrees.y, 7))
        checked[key] = checked[key].set_geometry(gpd.GeoSeries(typed, crs=4326).to_crs(CRS))
    return County(
        name=f"{name}（虚构）", code=code, base_year=BASE_YEAR, base_date=BASE_DATE, crs=CRS, roads=roads, terrain=terrain, boundary=outline,
        notes=(("sample.fictional", {"seed": seed}),), **checked,
    )  # fmt: skip


def age_profile(census: pd.DataFrame | None = None) -> pd.DataFrame:
    """Age the census of the county that lends its age structure forward to the base date.

    Five-year groups become single ages by a monotone cubic through their cumulative counts (each group keeps its total).
    Children of 5-14 in 2025 are those of 0-9 in 2020; younger ones follow the province's births; from 15 on, where people
    come and go with age rather than with their cohort, the ages of 2020 stand.

    Parameters
    ----------
    census
        ``female`` and ``male`` of 2020 by ``age_from``: 0, 1, 5 and every fifth to the last, which is open. None: ``age_structure.csv``.

    Returns
    -------
    pandas.DataFrame
        ``persons`` by ``age`` (0 to 90, the last one open) and ``sex``.

    Examples
    --------
    >>> profile = age_profile()
    >>> int(profile[profile.age.between(5, 9)].persons.sum())  # 0 to 4 in 2020
    25911
    """
    if census is None:
        text = files("layout").joinpath("age_structure.csv").read_text(encoding="utf-8")
        rows: list[dict[str, Any]] = list(csv.DictReader(text.splitlines()))
    else:
        rows = [{str(k): v for k, v in row.items()} for row in census.to_dict("records")]
    frames = []
    for sex in ("female", "male"):
        edges = [int(row["age_from"]) for row in rows] + [OLDEST + 10]
        total = np.concatenate([[0.0], np.cumsum([float(row[sex]) for row in rows])])
        counted = np.diff(PchipInterpolator(edges, total)(np.arange(edges[-1] + 1)))
        counted = np.append(counted[:OLDEST], counted[OLDEST:].sum())
        ages = counted.copy()
        step = BASE_YEAR - CENSUS_YEAR
        ages[step:15] = counted[: 15 - step]
        # children of age a at the base date were born in the twelve months before; most of them in year 2025 - a
        ages[:step] = [counted[0] * PROVINCE_BIRTHS[BASE_YEAR - a] / PROVINCE_BIRTHS[CENSUS_YEAR] for a in range(step)]
        frames.append(pd.DataFrame({"age": np.arange(OLDEST + 1), "sex": sex, "persons": ages}))
    return pd.concat(frames, ignore_index=True).sort_values(["age", "sex"], ignore_index=True)


def _spread(rng: np.random.Generator, grid: ground.Grid, weight: np.ndarray, count: int, apart_m: float, taken: Sequence[int]) -> list[int]:
    # cells in an order drawn by weight, each kept if it is far enough from those before it
    order = np.argsort(-(np.log(np.maximum(weight, 1e-300)) + rng.gumbel(size=len(weight))), kind="stable")
    kept = list(taken)
    x, y = np.full(len(kept) + count, np.inf), np.full(len(kept) + count, np.inf)
    x[: len(kept)], y[: len(kept)] = grid.x[kept], grid.y[kept]
    found: list[int] = []
    for cell in order[: int((weight > 0).sum())]:
        if len(found) == count:
            break
        if np.min(np.hypot(x - grid.x[cell], y - grid.y[cell]), initial=np.inf) >= apart_m:
            x[len(kept) + len(found)], y[len(kept) + len(found)] = grid.x[cell], grid.y[cell]
            found.append(int(cell))
    return found


def _places(rng: np.random.Generator, grid: ground.Grid, settlements: int, townships: int) -> Site:
    width, height = np.ptp(grid.x), np.ptp(grid.y)
    edge = np.minimum.reduce([grid.x - grid.x.min(), grid.x.max() - grid.x, grid.y - grid.y.min(), grid.y.max() - grid.y])
    home = np.where(grid.dry & (edge > 2500), np.exp(-grid.slope / 0.08), 0)
    middle = np.hypot((grid.x - grid.x.mean()) / width, (grid.y - grid.y.mean()) / height)
    seat = int(np.argmax(home * np.exp(-middle / 0.06) * np.exp(-grid.from_river / 900)))
    ways = ground.ways(grid)
    links = _county_road(grid, ways, seat)
    towns = _spread(rng, grid, home * (edge > 4000), townships - 1, 0.6 * np.sqrt(width * height / townships), [seat])
    links = ground.lay(ways, links, [], towns, "tertiary")
    # a few roads join neighbouring townships across the hills
    for town in towns[:: max(2, len(towns) // 6)]:
        links = ground.lay(ways, links, [town], [_nearest(grid, town, towns)], "unclassified")
    links = ground.streets(grid, links, seat, blocks=4)
    for town in towns:
        links = ground.streets(grid, links, town, blocks=1)
    belongs = ground.reach(ways["unclassified"], [seat, *towns])[2]
    links, cells, kinds = _villages(rng, grid, ways, links, home, seat, towns, settlements)
    township = [[seat, *towns].index(int(belongs[cell])) for cell in cells]
    return Site(seat, tuple(towns), tuple(kinds), tuple(cells), tuple(township), links)


def _county_road(grid: ground.Grid, ways: Mapping[str, csr_array], seat: int) -> ground.Links:
    cost = ground.reach(ways["primary"], [seat])[0]
    column = np.arange(len(grid.x)) % grid.columns
    gates = [int(np.argmin(np.where(column == side, cost, np.inf))) for side in (0, grid.columns - 1)]
    return ground.lay(ways, {}, [seat], gates, "primary")


def _villages(
    rng: np.random.Generator, grid: ground.Grid, ways: Mapping[str, csr_array], links: ground.Links, home: np.ndarray,
    seat: int, towns: Sequence[int], settlements: int,
) -> tuple[ground.Links, list[int], list[str]]:  # fmt: skip
    middles = [seat, *towns]
    quarters = _spread(rng, grid, home * (_off(grid, [seat]) < 1900), max(2, min(settlements // 60, 12)), 600, [seat])
    near = _spread(rng, grid, home * (_off(grid, middles[:1]) < 2600), 1, 1200, [seat, *quarters])
    near += _spread(rng, grid, home * (_off(grid, towns) < 1500), 2, 900, [*middles, *near])
    remote = max(2, settlements // 75)
    rest = settlements - 1 - len(quarters) - len(towns) - len(near) - remote
    draw = home * (np.exp(-_off(grid, _cells(links)) / 1700) + 0.05) * (np.exp(-_off(grid, middles) / 4000) + 0.1)
    taken = [*middles, *quarters, *near]
    villages = _spread(rng, grid, draw, round(0.42 * rest), 800, taken)
    hamlets = _spread(rng, grid, draw, rest - len(villages), 400, [*taken, *villages])
    lanes = [h for h in hamlets if rng.random() < 0.6]
    walked = [h for h in hamlets if h not in lanes]
    links = ground.lay(ways, links, [], [*quarters, *near, *villages, *lanes], "unclassified")
    short_cuts = rng.choice(villages, max(2, settlements // 12), replace=False)
    for village in short_cuts:
        goal = _nearest(grid, village, [*villages, *towns])
        links = ground.lay(ways, links, [int(village)], [goal], "path", limit=9000)
    before = _cells(links)
    links = ground.lay(ways, links, [], walked, "path")
    links = _cut_off(links, before, walked, count=2)
    links = _quarry(grid, links, villages[0])
    far = _off(grid, _cells(links))
    lonely = _spread(rng, grid, home**0.3 * ((far > 1900) & (far < 4500)), remote, 900, [])
    more = _spread(rng, grid, draw, remote - len(lonely), 400, [*taken, *villages, *hamlets])
    links = ground.lay(ways, links, [], more, "path")
    groups = {
        "county_seat": [seat, *quarters], "town": towns, "relocation": near, "village": villages,
        "hamlet": [*lonely, *hamlets, *more],
    }  # fmt: skip
    return links, [c for cells in groups.values() for c in cells], [kind for kind, cells in groups.items() for _ in cells]


def _cells(links: ground.Links) -> list[int]:
    return sorted({cell for pair in links for cell in pair})


def _nearest(grid: ground.Grid, cell: int, cells: Sequence[int]) -> int:
    others = [c for c in cells if c != cell]
    return others[int(np.argmin(np.hypot(grid.x[others] - grid.x[cell], grid.y[others] - grid.y[cell])))]


def _off(grid: ground.Grid, cells: Sequence[int]) -> np.ndarray:
    return cKDTree(np.column_stack([grid.x[list(cells)], grid.y[list(cells)]])).query(np.column_stack([grid.x, grid.y]))[0]


def _cut_off(links: ground.Links, before: Sequence[int], walked: Sequence[int], *, count: int) -> ground.Links:
    # the longest paths that serve one hamlet only lose their far end, so that a piece of path leads nowhere
    old = set(before)
    beside: dict[int, list[int]] = {}
    for a, b in links:
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    spurs = []
    for hamlet in walked:
        way = [hamlet]
        while way[-1] not in old and len(beside[way[-1]]) <= 2:
            ahead = [c for c in beside[way[-1]] if c not in way[-2:]]
            if len(ahead) != 1:
                break
            way.append(ahead[0])
        if len(beside[hamlet]) == 1:
            spurs.append(way)
    out = dict(links)
    for way in sorted(spurs, key=lambda w: (-len(w), w))[:count]:
        for a, b in itertools.pairwise(way[6:]):
            out.pop((min(a, b), max(a, b)))
    return out


def _quarry(grid: ground.Grid, links: ground.Links, village: int) -> ground.Links:
    # five cells straight away from the village, closed to everybody
    out = dict(links)
    ends = [village + k * grid.columns for k in range(6)]
    for a, b in itertools.pairwise(ends):
        if b < len(grid.x) and grid.dry[a] and grid.dry[b]:
            out.setdefault((a, b), ground.CLOSED)
    return out


def _names(rng: np.random.Generator, count: int) -> list[str]:
    # two syllables as far as they go, then with a word of place before them
    pairs = [a + b for a in dict.fromkeys(FIRST) for b in dict.fromkeys(SECOND) if a != b]
    plain = [pairs[i] for i in rng.permutation(len(pairs))]
    return (plain + [p + name for p in PLACE for name in plain if name[0] not in PLACE])[:count]


def _named(rng: np.random.Generator, grid: ground.Grid, site: Site, code: str) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    count = len(site.cells)
    names = _names(rng, count + len(site.towns) + 1)
    own, township_names = names[len(site.towns) + 1 :], names[: len(site.towns) + 1]
    ids = [f"{code}{100 + i:03d}" for i in range(len(township_names))]
    townships = pd.DataFrame({
        "township_id": ids,
        "name": [f"{n}{'街道' if i == 0 else '镇' if i % 3 else '乡'}" for i, n in enumerate(township_names)],
        "is_county_seat": [i == 0 for i in range(len(ids))],
    })  # fmt: skip
    rows, serial = [], dict.fromkeys(ids, 0)
    for i, (kind, t) in enumerate(zip(site.kinds, site.township, strict=True)):
        serial[ids[t]] += 1
        name = (township_names[t] if kind == "town" else own[i]) + ENDINGS[kind]
        rows.append((f"{ids[t]}{serial[ids[t]]:03d}", name, ids[t], kind))
    at = np.array([grid.x[list(site.cells)], grid.y[list(site.cells)]]) + rng.uniform(-60, 60, (2, count))
    frame = pd.DataFrame(rows, columns=["settlement_id", "name", "township_id", "kind"])
    return gpd.GeoDataFrame(frame, geometry=points(*np.round(at, 1)), crs=CRS), townships


def _people(
    rng: np.random.Generator, places: gpd.GeoDataFrame, people: int, census: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    kinds, ids = places.kind.to_numpy(), places.settlement_id.to_numpy()
    sites = np.flatnonzero(kinds == "relocation")
    spread = np.where(kinds == "county_seat", 0.25, 0.7)
    weight = np.minimum(rng.lognormal(0, spread), LARGEST) * np.where(kinds == "hamlet", 0.2, 1.0)
    weight[sites[1:]] = 0  # nobody has moved to the coming sites yet
    # whole hamlets that left in 2019 still have people on the register; the remotest ones, first among hamlets, stay
    hamlets = np.flatnonzero(kinds == "hamlet")[::-1]
    count = max(2, len(places) // 30)
    gone, leaving = hamlets[:count], hamlets[count:]
    weight[gone] = 0
    groups = np.where(np.isin(kinds, list(SHARES)), kinds, "rest")
    shares = {**SHARES, "rest": 1 - sum(SHARES.values())}
    expected = np.array([shares[g] for g in groups]) * weight / pd.Series(weight).groupby(groups).transform("sum").to_numpy()
    totals = rng.multinomial(people, expected / expected.sum())
    profile = age_profile(census)
    age = profile.age.to_numpy()
    tilt = {
        "county_seat": np.select([age < 15, age < 45, age < 60], [1.05, 1.25, 1.0], 0.7),
        "town": np.select([age < 15, age < 45, age < 60], [1.05, 1.08, 1.0], 0.85),
        "rest": np.select([age < 15, age < 45, age < 60], [1.0, 0.82, 1.0], 1.3),
    }
    extra = np.select([age < 6, age < 15, age < 45], [0.08, 0.1, 0.4], 0.1)
    frames = []
    for i, total in enumerate(totals):
        share = profile.persons.to_numpy() * tilt.get(groups[i], tilt["rest"])
        persons = rng.multinomial(total, share / share.sum())
        # the register keeps those who left the villages and misses many of those who came to the seat
        registered = rng.binomial(persons, 0.72) if groups[i] == "county_seat" else persons + rng.poisson(persons * extra)
        if i in gone:
            registered = rng.multinomial(round(0.6 * totals[sites[0]] / len(gone)), share / share.sum())
        frames.append(profile[["age", "sex"]].assign(settlement_id=ids[i], persons=persons, registered=registered))
    population = pd.concat(frames, ignore_index=True).astype({"persons": float, "registered": float})
    population = population[(population.persons > 0) | (population.registered > 0)]
    return _moves(rng, places, totals, sites, gone, leaving, int(totals[sites[0]])), population


def _moves(
    rng: np.random.Generator, places: gpd.GeoDataFrame, totals: np.ndarray, sites: np.ndarray, gone: np.ndarray,
    leaving: np.ndarray, moved: int,
) -> pd.DataFrame:  # fmt: skip
    ids = places.settlement_id.to_numpy()
    past = rng.multinomial(round(0.97 * moved), np.full(len(gone), 1 / len(gone)))
    rows = [(ids[i], ids[sites[0]], MOVE_YEARS[0], float(n), True) for i, n in zip(gone, past, strict=True)]
    villages = np.flatnonzero((places.kind == "village").to_numpy())[::-1]
    each = max(2, len(places) // 60)
    for k, year in enumerate(MOVE_YEARS[1:]):
        whole, part = leaving[k * each : (k + 1) * each], villages[k * 2 : k * 2 + 2]
        # one whole village is given without its number of people, as lists often are
        rows += [(ids[i], ids[sites[k + 1]], year, np.nan if j == 0 else float(totals[i]), True) for j, i in enumerate(whole)]
        rows += [(ids[i], ids[sites[k + 1]], year, float(round(0.35 * totals[i])), False) for i in part]
    frame = pd.DataFrame(rows, columns=["from_id", "to_id", "year", "persons", "whole_village"])
    return frame.assign(households=np.ceil(frame.persons / 4.2))


def _births(rng: np.random.Generator, places: gpd.GeoDataFrame, population: pd.DataFrame) -> pd.DataFrame:
    township = population.settlement_id.map(places.set_index("settlement_id").township_id)
    count = population[population.age < 12].groupby([township, population.age]).persons.sum().unstack().fillna(0.0)
    count = count.reindex(sorted(set(places.township_id)), fill_value=0.0)
    # of those born in a calendar year, the ones born after the base date's day are a year younger
    after = (dt.date(BASE_YEAR, 12, 31) - BASE_DATE).days / 365
    rows = []
    for year in range(BASE_YEAR - 9, BASE_YEAR + 1):
        age = BASE_YEAR - year
        born = count[age] * (1 - after) + count[age - 1] * after if age else count[0]
        noise = rng.normal(1, 0.03, len(born))
        rows += [(t, year, float(round(b * REGISTERED_BIRTHS * e))) for t, b, e in zip(born.index, born, noise, strict=True)]
    return pd.DataFrame(rows, columns=["township_id", "year", "births"])


def _exclusions(
    rng: np.random.Generator, grid: ground.Grid, river: ground.LineString, places: gpd.GeoDataFrame, schools: gpd.GeoDataFrame
) -> gpd.GeoDataFrame:
    def patch(at: Point, along_m: tuple[float, float], across_m: tuple[float, float]) -> object:
        along, across, turn = rng.uniform(*along_m), rng.uniform(*across_m), rng.uniform(0, 180)
        return make_valid(rotate(scale(at.buffer(1, quad_segs=4), along, across), turn))

    # landslides threaten villages without a school; fields fill the valley floor near the seat
    villages = places[(places.kind == "village") & (places.distance(schools.union_all()) > 600)].geometry
    danger = [patch(p, (250, 400), (180, 260)) for p in villages.iloc[:3]]
    prone = [patch(p, (1500, 2500), (900, 1400)) for p in villages.iloc[2:6]]
    seat = places[places.kind == "county_seat"].geometry.iloc[0]
    off_seat = np.hypot(grid.x - seat.x, grid.y - seat.y)
    flat = np.flatnonzero((grid.slope < 0.05) & grid.dry & (off_seat > 1800) & (off_seat < 12000))
    fields = [patch(Point(grid.x[c], grid.y[c]), (500, 900), (200, 350)) for c in rng.choice(flat, 6)]
    layers = [
        ("D", "地质灾害危险区", True, "县自然资源局 地质灾害防治方案（虚构）", danger),
        ("P", "地质灾害易发区", False, "县自然资源局 地质灾害易发分区图（虚构）", prone),
        ("F", "永久基本农田", False, "县自然资源局 国土空间规划（虚构）", fields),
        ("R", "河道管理范围", True, "县水务局 河道管理范围划定（虚构）", [river.buffer(45, quad_segs=2).simplify(5)]),
    ]
    rows = [(f"{code}{i + 1}", *about, shape) for code, *about, shapes in layers for i, shape in enumerate(shapes)]
    frame = pd.DataFrame(rows, columns=["exclusion_id", "layer", "hard", "source", "geometry"])
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=CRS)
