"""The map's what-if: what the page holds to try schools out, and the same estimate in Python."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.children import INCOMPLETE, whole_children
from layout.footpaths import Footpaths, dropped_seconds, make_footpaths, nearest_settlement, z_order
from layout.network import prepare_network
from layout.plan import Plan
from layout.population import project_pupils
from layout.quick import NEVER, Estimate, SecondsMatrix, limit_seconds, quick_estimate, seconds_matrix
from layout.road_edits import edits_of
from layout.roads import empty_roads
from layout.school_changes import CLASS_SIZES, LIMITS, ChangedSchool, NewSchool, SchoolChanges, changed_standards, school_fingerprint
from layout.search import join_places
from layout.sensitivity import walking_speeds
from layout.tables import BANDS, GRADES, CountyDataError

FORMAT = 1
VARIANTS = ("low", "medium", "high")
_STATE = ["school_id", "kind", "first_grade", "last_grade", "rooms", "beds"]
_DEGREE = 100_000
# weekly ways are kept to so many seconds, upwards, where a page has no more than so many pairs of settlement and school: they
# decide nothing finer in a county, and of a whole prefecture the page would be too large
_WEEK_STEPS = ((2_000_000, 10), (5_000_000, 60), (12_000_000, 300), (None, 600))
# a class size that binds nowhere, to read what a county's schedule allows at most
_NO_SIZE = 9999


@dataclass(frozen=True)
class WhatIf:
    """What a meeting can try out: every number that the page's estimate uses.

    Parameters
    ----------
    plan
        What it was made from.
    years
        School years to choose from.
    schools
        Table ``schools`` of the plan without special schools and those that no way is known to, sorted by id.
    seat_ids
        Those of them that lie in the county seat.
    states
        By year the schools of the plan: id, kind, grades, rooms, beds.
    pupils
        Table ``pupils`` by year and variant.
    matrix
        Seconds to every school; the weekly way of all bands is that of grades 4 to 6, who walk more slowly to the road, rounded up to
        ``week_step``.
    paths
        For a school put anywhere.
    speeds
        Walking speed by band, in whole metres an hour.
    week_step
        Seconds to which weekly ways are rounded up: more in a county of very many settlements and schools, and the page says so.
    """

    plan: Plan
    years: tuple[int, ...]
    schools: gpd.GeoDataFrame
    seat_ids: frozenset[str]
    states: Mapping[int, pd.DataFrame]
    pupils: Mapping[tuple[int, str], pd.DataFrame]
    matrix: SecondsMatrix
    paths: Footpaths
    speeds: tuple[int, ...]
    week_step: int = 10


def make_what_if(plan: Plan) -> WhatIf | None:
    """Gather what the page needs to try schools out.

    Parameters
    ----------
    plan
        From :func:`layout.make_plan` or :func:`layout.read_plan`.

    Returns
    -------
    WhatIf or None
        None where the plan has no pupils or no times: then there is nothing to try.

    Examples
    --------
    >>> what_if = make_what_if(layout.make_plan(paper, to=2026))
    >>> what_if.years, list(what_if.schools.school_id)
    ((2025, 2026), ['S1', 'S2'])
    """
    county, standards = plan.county, plan.standards
    times = pd.concat([plan.today.times, plan.planned.times], ignore_index=True)
    if not len(times) or not len(plan.pupils) or not len(county.settlements):
        return None
    times = times.drop_duplicates(["from_id", "to_id", "mode", "band"], ignore_index=True)
    today = county.schools[county.schools["status"] == "open"]
    ids = set(today["school_id"]) | set(plan.planned.school_years["school_id"].astype("str"))
    schools = plan.schools[plan.schools["school_id"].isin(ids) & (plan.schools["kind"] != "special")].sort_values("school_id", ignore_index=True)
    seats = set(county.townships.loc[county.townships["is_county_seat"], "township_id"])
    years = tuple(int(year) for year in sorted(set(plan.pupils["year"])))
    states = {year: _state(plan, schools, year) for year in years}
    speeds = walking_speeds(standards, plan.scenario.walking)
    paths = _paths(plan, speeds)
    matrix = seconds_matrix(times, standards, settlement_ids=county.settlements["settlement_id"], school_ids=schools["school_id"])
    week_step = _week_step(len(county.settlements) * len(schools))
    matrix = replace(matrix, week=np.stack([_coarse(matrix.week[list(BANDS).index("upper")], week_step)] * len(BANDS)))
    return WhatIf(
        plan, years, schools, frozenset(schools.loc[schools["township_id"].isin(seats), "school_id"]), states, _variants(plan, years), matrix, paths,  # type: ignore[arg-type]
        tuple(round(speeds[band] * 1000) for band in BANDS), week_step,
    )  # fmt: skip


def plan_changes(what_if: WhatIf, year: int) -> SchoolChanges:
    """Return the schools that the plan has in a year as changes of the county's own.

    Parameters
    ----------
    what_if
        From :func:`make_what_if`.
    year
        One of its years.

    Returns
    -------
    SchoolChanges
        Without any limit or class size moved.

    Examples
    --------
    >>> plan_changes(make_what_if(layout.make_plan(paper, to=2026)), 2025).closed
    ()
    """
    county = what_if.plan.county
    own = _own(county.schools)
    now = _own(what_if.states[year].assign(status="open"))
    places = _places(what_if.schools)
    name = dict(zip(what_if.schools["school_id"], what_if.schools["name"], strict=True))
    new = [NewSchool(i, name[i], values[0], *places[i], *values[1:]) for i, values in now.items() if i not in own]
    changed = [ChangedSchool(i, *values) for i, values in now.items() if i in own and own[i] != values]
    closed = sorted(set(own) - set(now))
    return SchoolChanges(county.code, school_fingerprint(county.schools), year, tuple(closed), tuple(changed), tuple(new))


def estimate_changes(what_if: WhatIf, changes: SchoolChanges, *, variant: str = "medium") -> Estimate:
    """Estimate what changes of the schools do: the page's estimate in Python.

    Parameters
    ----------
    what_if
        From :func:`make_what_if`.
    changes
        From :func:`layout.school_changes.read_changes` or :func:`plan_changes`.
    variant
        ``low``, ``medium`` or ``high``.

    Returns
    -------
    Estimate
        From :func:`layout.quick_estimate`; new schools that the plan knows keep their times, others are joined to the network on foot
        and have neither bus nor boarders from afar.

    Examples
    --------
    >>> what_if = make_what_if(layout.make_plan(paper, to=2026))
    >>> estimate_changes(what_if, plan_changes(what_if, 2025)).totals["pupils"]
    504
    """
    matrix = what_if.matrix
    state: dict[str, tuple[Any, ...]] = {i: (i, *v) for i, v in _own(what_if.plan.county.schools).items() if i not in changes.closed}
    state |= {s.school_id: tuple(vars(s).values()) for s in changes.changed}
    state |= {s.school_id: (s.school_id, s.kind, s.first_grade, s.last_grade, s.rooms, s.beds) for s in changes.new}
    seats = pd.DataFrame(list(state.values()), columns=_STATE)
    seat_ids = set(what_if.seat_ids)
    dropped = [s for s in changes.new if s.school_id not in matrix.school_ids]
    if dropped:
        matrix = _with_dropped(what_if, dropped)
        seat = _in_seat(what_if)
        seat_ids |= {s.school_id for s in dropped if seat[nearest_settlement(what_if.paths, s.lon, s.lat)]}
    standards = changed_standards(what_if.plan.standards, changes)
    return quick_estimate(
        matrix, what_if.pupils[changes.year, variant], seats, open_ids=set(seats["school_id"]), limit=limit_seconds(standards), standards=standards,
        seat_ids=seat_ids,
    )  # fmt: skip


def packed(what_if: WhatIf) -> dict[str, Any]:
    """Pack what the page needs, for a script that reads whole numbers only.

    Parameters
    ----------
    what_if
        From :func:`make_what_if`.

    Returns
    -------
    dict
        Plain figures, and ``data``: blocks of whole numbers as differences, byte by byte, deflated, in base64; ``blocks`` says the name,
        count and bytes of each.

    Examples
    --------
    >>> sorted(packed(make_what_if(layout.make_plan(paper, to=2026))))[:4]
    ['bands', 'base_year', 'blocks', 'boards']
    """
    plan, matrix, paths = what_if.plan, what_if.matrix, what_if.paths
    standards = plan.standards
    blocks = {**_matrix_blocks(what_if), **_path_blocks(paths), **_pupil_blocks(what_if)}
    data, sizes = _deflated(blocks)
    own = _own(plan.county.schools)
    place = _places(what_if.schools)
    steps = changed_standards(standards, SchoolChanges("", "", 0, class_size=dict.fromkeys(CLASS_SIZES, _NO_SIZE)))
    exact = plan.planned.assignment[plan.planned.assignment["year"] == what_if.years[-1]]
    day = exact[exact["mode"].astype("str").isin(["walk", "bus"])]
    return {
        "format": FORMAT, "code": plan.county.code, "schools_sha256": school_fingerprint(plan.county.schools), "base_year": plan.county.base_year,
        "years": list(what_if.years), "variants": [v for v in VARIANTS if (what_if.years[0], v) in what_if.pupils],
        "scenario": {k: v for k, v in asdict(plan.scenario).items() if k not in ("school_changes", "name")},
        "inherited": {k: json.loads(plan.scenario.school_changes or "{}").get(k, {}) for k in ("limits", "class_size")},
        "settlements": list(matrix.settlement_ids), "seat": [int(s) for s in _in_seat(what_if)],
        "schools": [
            [i, name, kind, int(i in what_if.seat_ids), *(round(v * _DEGREE) for v in place[i]), list(own[i]) if i in own else None]
            for i, name, kind in zip(*(what_if.schools[c].astype("str") for c in ("school_id", "name", "kind")), strict=True)
        ],
        "states": [[list(row[1:]) if row else None for row in _rows_of(what_if, year)] for year in what_if.years],
        "bands": [[g - 1 for g in grades] for grades in BANDS.values()], "boards": [int(standards.may_board(grades[0])) for grades in BANDS.values()],
        "incomplete": list(INCOMPLETE), "limits": {key: standards.limit(*_split(key)) for key in LIMITS},
        "sizes": {key: int(standards[rule]) for key, rule in CLASS_SIZES.items()},
        "size_steps": [[[steps.class_size(g, incomplete=i, year=y) for g in GRADES] for i in (False, True)] for y in what_if.years],
        "mixed": int(standards["class_size.mixed.max_pupils"]), "oversized": int(standards["class_size.oversize.min"]),
        "super": int(standards["class_size.super_oversize.min"]), "speeds": list(what_if.speeds), "never": NEVER, "week_step": what_if.week_step,
        "paths": {key: getattr(paths, key) for key in ("lon_mm", "lat_mm", "pace", "radius_mm", "longest")}
        | {"slower": int(paths.slower), "corner": list(paths.corner), "step": list(paths.step), "heights": list(paths.heights.shape)},
        "exact": {
            "unserved": int(exact.loc[exact["status"].astype("str").isin(["no_seat", "no_bed", "no_route"]), "pupils"].sum()),
            "beyond": int(exact.loc[exact["status"].astype("str") == "beyond_limit", "pupils"].sum()),
            "minutes": round(float((day["pupils"] * day["minutes"]).sum() / max(day["pupils"].sum(), 1)), 2),
        },
        "blocks": sizes, "data": data,
    }  # fmt: skip


def _state(plan: Plan, schools: pd.DataFrame, year: int) -> pd.DataFrame:
    """Return the schools of the plan in a year."""
    planned = plan.planned.school_years
    kinds = schools.set_index("school_id")["kind"].to_dict()
    if year in set(planned["year"]):
        there = planned[(planned["year"] == year) & (planned["status"] == "open")]
        rows = pd.DataFrame(there[there["school_id"].isin(schools["school_id"])]).reindex(columns=_STATE)
        # a school may become another kind over the years
        rows["kind"] = rows["kind"].where(rows["kind"].notna() & (rows["kind"] != ""), rows["school_id"].map(kinds))
    else:
        now = plan.county.schools
        rows = pd.DataFrame(now.loc[(now["status"] == "open") & now["school_id"].isin(schools["school_id"]), _STATE])
    rows = rows.assign(beds=rows["beds"].fillna(0))
    return rows[_STATE].astype({c: "int64" for c in _STATE[2:]}).sort_values("school_id", ignore_index=True)


def _rows_of(what_if: WhatIf, year: int) -> list[Sequence[Any] | None]:
    state = {str(row[0]): row for row in what_if.states[year].itertuples(index=False)}
    return [state.get(s) for s in what_if.schools["school_id"]]


def _own(schools: pd.DataFrame) -> dict[str, tuple[str, int, int, int, int]]:
    """Return kind, grades, rooms and beds of the county's own open schools."""
    rows = pd.DataFrame(schools.loc[(schools["status"] == "open") & (schools["kind"] != "special"), _STATE])
    rows = rows.assign(beds=rows["beds"].fillna(0))
    return {str(r[0]): (str(r[1]), int(r[2]), int(r[3]), int(r[4]), int(r[5])) for r in rows.itertuples(index=False)}


def _places(schools: gpd.GeoDataFrame) -> dict[str, tuple[float, float]]:
    there = schools.geometry.to_crs(4326)
    return {str(i): (round(p.x, 5), round(p.y, 5)) for i, p in zip(schools["school_id"], there, strict=True)}


def _in_seat(what_if: WhatIf) -> list[bool]:
    townships = what_if.plan.county.townships
    seats = set(townships.loc[townships["is_county_seat"], "township_id"])
    place = dict(zip(*(what_if.plan.county.settlements[c] for c in ("settlement_id", "township_id")), strict=True))
    return [place[s] in seats for s in what_if.matrix.settlement_ids]


def _variants(plan: Plan, years: Sequence[int]) -> dict[tuple[int, str], pd.DataFrame]:
    """Return the pupils of each year and variant; low and high only where they can be projected."""
    out = {(year, "medium"): plan.pupils[plan.pupils["year"] == year].reset_index(drop=True) for year in years}
    for variant in ("low", "high"):
        try:
            found = project_pupils(plan.county, plan.standards, years=years, scenario=replace(plan.scenario, variant=variant))
        except CountyDataError:
            continue
        if set(years) <= set(found["year"]):
            out |= {(year, variant): found[found["year"] == year].reset_index(drop=True) for year in years}
    return out


def _week_step(pairs: int) -> int:
    return next(step for most, step in _WEEK_STEPS if most is None or pairs <= most)


def _coarse(seconds: np.ndarray, step: int) -> np.ndarray:
    up = (seconds.astype("int64") + step - 1) // step * step
    return np.where((seconds >= NEVER) | (up >= NEVER), NEVER, up).astype("uint16")


def _paths(plan: Plan, speeds: Mapping[str, float]) -> Footpaths:
    county, scenario = plan.county, plan.scenario
    roads = county.roads if county.roads is not None else empty_roads(county.crs)
    fastest = max(BANDS, key=lambda band: speeds[band])
    network = prepare_network(
        roads, terrain=county.terrain, standards=plan.standards, obstacles=county.obstacles, season=scenario.season,
        edits=edits_of(scenario.road_edits, roads), band=fastest, level_kph=speeds[fastest],
    )  # fmt: skip
    return make_footpaths(network, join_places(network, county.settlements.sort_values("settlement_id", ignore_index=True)))


def _with_dropped(what_if: WhatIf, dropped: Sequence[NewSchool]) -> SecondsMatrix:
    """Return the matrix with new schools as its last columns, reached on foot only."""
    matrix, paths = what_if.matrix, what_if.paths
    columns = np.stack([dropped_seconds(paths, s.lon, s.lat) for s in dropped], axis=1)
    walk = np.stack([_slowed(columns, what_if.speeds, b, paths.longest) for b in range(len(BANDS))])
    none = np.full(walk.shape, NEVER, "uint16")
    grown = (np.concatenate([old, more.astype("uint16")], axis=2) for old, more in ((matrix.walk, walk), (matrix.bus, none), (matrix.week, none)))
    return SecondsMatrix(matrix.settlement_ids, (*matrix.school_ids, *(s.school_id for s in dropped)), *grown)


def _slowed(seconds: np.ndarray, speeds: Sequence[int], band: int, longest: int) -> np.ndarray:
    """Return seconds of the fastest band at the speed of another."""
    fastest, own = max(speeds), speeds[band]
    slow = (2 * seconds.astype("int64") * fastest + own) // (2 * own)
    return np.where((seconds >= NEVER) | (slow > longest), NEVER, slow)


def _matrix_blocks(what_if: WhatIf) -> dict[str, np.ndarray]:
    """Return the seconds in the order of a Z-shaped curve; of further bands only what differs from the first."""
    matrix, paths = what_if.matrix, what_if.paths
    rows = z_order(paths.settlement_lon, paths.settlement_lat)
    place = _places(what_if.schools)
    at = np.array([[round(v * _DEGREE) for v in place[s]] for s in matrix.school_ids], "int64").reshape(-1, 2)
    columns = z_order(at[:, 0], at[:, 1])
    fastest = int(np.argmax(what_if.speeds))
    blocks = {"rows": rows, "columns": columns}

    def coded(table: np.ndarray) -> np.ndarray:
        there = table[rows][:, columns].astype("int64")
        return np.where(there >= NEVER, 0, there + 1).ravel()

    blocks["week"] = (coded(matrix.week[0]) + what_if.week_step - 1) // what_if.week_step
    ridden = np.flatnonzero((matrix.bus < NEVER).any(axis=(0, 1)))
    blocks["ridden"] = ridden
    for b in (fastest, *(b for b in range(len(BANDS)) if b != fastest)):
        slow = _slowed(matrix.walk[fastest], what_if.speeds, b, paths.longest)
        blocks[f"walk{b}"] = coded(matrix.walk[b]) - (0 if b == fastest else coded(slow))
        rides = matrix.bus[b][:, ridden].astype("int64")
        blocks[f"bus{b}"] = np.where(rides >= NEVER, 0, rides + 1).ravel()
    return blocks


def _path_blocks(paths: Footpaths) -> dict[str, np.ndarray]:
    numbers = {name: getattr(paths, name) for name in ("lon", "lat", "tail", "head", "place", "node", "settlement_lon", "settlement_lat", "slopes")}
    # a way that is closed is nought
    open_ways = {name: getattr(paths, name) + 1 for name in ("ahead", "behind", "out", "back")}
    return {f"path_{name}": values for name, values in {**numbers, **open_ways, "grid": paths.heights.ravel()}.items()}


def _pupil_blocks(what_if: WhatIf) -> dict[str, np.ndarray]:
    """Return whole children by settlement and grade, those of the county seat by grade, and those away, by year and variant."""
    blocks = {}
    for (year, variant), pupils in what_if.pupils.items():
        children = whole_children(pupils)
        row = pd.Index(list(what_if.matrix.settlement_ids)).get_indexer(pd.Index(children["settlement_id"].astype("str")))
        grade, count, at = children["grade"].to_numpy(int) - 1, children["pupils"].to_numpy("int64"), children["attends"].to_numpy(object)
        home, seat = np.zeros((len(what_if.matrix.settlement_ids), len(GRADES)), "int64"), np.zeros(len(GRADES), "int64")
        np.add.at(home, (row[at == "home"], grade[at == "home"]), count[at == "home"])
        np.add.at(seat, grade[at == "county_seat"], count[at == "county_seat"])
        blocks[f"pupils_{year}_{variant}"] = np.concatenate([home.ravel(), seat, [count[at == "away"].sum()]])
    return blocks


def _deflated(blocks: Mapping[str, np.ndarray]) -> tuple[str, list[list[Any]]]:
    """Write blocks as differences, signs folded in, the low bytes of all first, then the higher ones."""
    parts, sizes = [], []
    for name, values in blocks.items():
        step = np.diff(np.asarray(values, "int64"), prepend=0)
        folded = np.where(step < 0, -2 * step - 1, 2 * step)
        wide = max(1, (int(folded.max()).bit_length() + 7) // 8) if len(folded) else 1
        parts += [((folded >> (8 * k)) & 255).astype("uint8").tobytes() for k in range(wide)]
        sizes.append([name, len(folded), wide])
    # a raw stream: its end is known, and no clock stands in its head
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(squeezer.compress(b"".join(parts)) + squeezer.flush()).decode("ascii"), sizes


def _split(key: str) -> tuple[str, str]:
    mode, _, band = key.partition(".")
    return mode, band or "junior"
