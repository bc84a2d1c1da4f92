"""Schools of the fictional county, and where its children study: drawn by distance, standing and chance."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.standards import read_standards
from layout.tables import BANDS, band_of

PRIMARY, ALL, JUNIOR, LOWER = (1, 6), (1, 9), (7, 9), (1, 3)
HISTORY_YEARS = 7
# schools of a county of 300 settlements: in the seat, in villages, teaching points, nine-year schools in townships
SEAT_PRIMARIES, SEAT_JUNIORS, VILLAGE_PRIMARIES, POINTS, NINE_YEAR = 5, 3, 36, 23, 4
# mean size of a class that a school forms: crowded in the seat, by the book in townships, small in the villages
CLASS_TARGET = {"seat": (49.0, 60.0), "town": (43.0, 47.0), "village": (36.0, 42.0), "point": (22.0, 28.0)}
LARGEST = {"seat": 70, "town": 50, "village": 45, "point": 32}
FAVOURITE = 65.0  # mean class of the school that everybody wants
HOLLOW = 0.02  # standing of a village school that families pass by on the way to town
REACH_KM = {"lower": 0.9, "upper": 1.1, "junior": 3.0}  # distance at which a school draws 1/e as strongly
BUS_KM, BUS_REACH = 8.0, 3.0  # a school bus is taken from as far, and a school with one draws from so many times as far
# shares of a township's children by place of study, before chance
AWAY = {"lower": (0.05, 0.02, 0.03), "upper": (0.07, 0.02, 0.035), "junior": (0.15, 0.03, 0.06)}
PLACES = ("home", "county_seat", "other_township", "out_of_county")


def make_schools(
    rng: np.random.Generator, places: gpd.GeoDataFrame, townships: pd.DataFrame, population: pd.DataFrame, moves: pd.DataFrame,
    *, reached: np.ndarray, base_year: int, base_date: dt.date, size: float, county: str,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    """Found schools where people live, and let the children choose among them.

    Every child of a settlement studies in its township, at the county seat, in another township or out of the county, in
    the shares of ``attendance``; within these it chooses by distance in a straight line, standing of the school and
    chance. Schools then form classes of their own customary size: minutes, limits, seats and standards play no part.

    Parameters
    ----------
    rng
        Source of chance.
    places, townships, population, moves
        Tables of the county.
    reached
        Whether a road or path leads to each place: only there is a school founded.
    base_year, base_date
        School year of the rosters; day on which ages were counted.
    size
        How many schools, against a county of 300 settlements.
    county
        Name of the county, for the schools of the seat.

    Returns
    -------
    dict
        Tables ``schools``, ``rosters``, ``attendance``, ``zones`` and ``history``, not yet in canonical form.
    """
    seat_id = str(townships.loc[townships.is_county_seat, "township_id"].iloc[0])
    schools = _found(rng, places, population, moves, reached, size, county)
    attendance = _attendance(rng, townships)
    pupils = _pupils(rng, places, population, base_date, base_year)
    roll = _choose(rng, places, schools, pupils, attendance, seat_id)
    schools, rosters = _classes(rng, schools, roll)
    history = _history(rng, schools, rosters, base_year)
    zones = _zones(places, schools, seat_id)
    # what only the making of the county needs is left out
    schools = schools.drop(columns=["place", "grades", "role", "draw", "bed_share"])
    return {"schools": schools, "rosters": rosters, "attendance": attendance, "zones": zones, "history": history}


def _found(
    rng: np.random.Generator, places: gpd.GeoDataFrame, population: pd.DataFrame, moves: pd.DataFrame,
    reached: np.ndarray, size: float, county: str,
) -> gpd.GeoDataFrame:  # fmt: skip
    people = places.settlement_id.map(population.groupby("settlement_id").persons.sum()).fillna(0.0).to_numpy()
    rows = _in_seat(rng, places, people, size, county) + _in_towns(rng, places, size)
    at = np.column_stack([places.geometry.x, places.geometry.y])
    rural = places.kind.isin(["village", "hamlet"]).to_numpy() & (people > 0) & reached
    leaving = places.settlement_id.isin(moves[moves.whole_village].from_id).to_numpy()
    taken = [at[row["place"]] for row in rows]
    where: list[int] = []
    weight = np.where(rural & ~leaving, people, 0.0)
    villages = np.where(places.kind == "village", weight, 0.0)
    for count, draw in ((max(4, round(VILLAGE_PRIMARIES * size)), villages), (max(3, round(POINTS * size)), weight)):
        for _ in range(count):
            # the place with most people and no school near comes next
            gap = np.min(np.hypot(at[:, None, 0] - np.array(taken)[:, 0], at[:, None, 1] - np.array(taken)[:, 1]), axis=1)
            best = int(np.argmax(draw * np.minimum(gap / 1000, 3.5) ** 2 * (gap > 900)))
            where.append(best)
            taken.append(at[best])
    primaries = max(4, round(VILLAGE_PRIMARIES * size))
    for k, place in enumerate(where):
        name = places.name.iloc[place].removesuffix("村")
        if k < primaries:
            standing = HOLLOW if k > 0.72 * primaries else rng.uniform(0.6, 1.0)  # the smallest villages come last
            row = {"name": f"{name}小学", "grades": PRIMARY, "role": "village", "kind": "primary", "draw": standing}
        else:
            row = {"name": f"{name}教学点", "grades": LOWER, "role": "point", "kind": "teaching_point", "draw": 0.3}
        rows.append({"place": place, **row})
    for row in rows[-round(0.2 * (len(where) - primaries)) :]:
        row["grades"] = (1, 4)
    rows += _not_open(places, moves, where, rural & ~leaving, county)
    usual = {"owner": "public", "status": "open", "bed_share": 0.0, "earliest_year": np.nan, "school_bus": False}
    frame = pd.DataFrame([{**usual, **row} for row in rows])
    frame["first_grade"], frame["last_grade"] = frame.grades.str[0], frame.grades.str[1]
    frame["township_id"] = places.township_id.to_numpy()[frame.place]
    # the national codes begin with the level: 21 primary, 31 junior
    prefix = np.where(frame.kind.isin(["primary", "small_primary", "teaching_point"]), "21", "31")
    frame["school_id"] = [f"{p}52999{i + 1:03d}" for i, p in enumerate(prefix)]
    step = np.where(frame.role == "seat", 260.0, 120.0)[:, None] * rng.uniform(-1, 1, (len(frame), 2))
    xy = np.round(at[frame.place] + step, 1)
    return gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(*xy.T), crs=places.crs)


def _in_seat(rng: np.random.Generator, places: gpd.GeoDataFrame, people: np.ndarray, size: float, county: str) -> list[dict[str, Any]]:
    quarters = np.flatnonzero((places.kind == "county_seat").to_numpy())
    quarters = quarters[np.argsort(-people[quarters], kind="stable")]
    numerals = "一二三四五六七八九十"
    rows: list[dict[str, Any]] = []
    primaries, juniors = max(2, round(SEAT_PRIMARIES * size)), max(1, round(SEAT_JUNIORS * size))
    for grades, count, kind, word in ((PRIMARY, primaries, "primary", "小学"), (JUNIOR, juniors, "junior", "中学")):
        for k in range(count):
            tens, ones = divmod(k + 1, 10)
            number = ("" if tens == 0 else "十" if tens == 1 else f"{numerals[tens - 1]}十") + (numerals[ones - 1] if ones else "")
            rows.append({
                "place": int(quarters[k % len(quarters)]), "name": f"{county}第{number}{word}", "grades": grades, "role": "seat",
                "kind": kind, "draw": 1.5 if k == 0 else rng.uniform(0.75, 1.15), "bed_share": 0.25 if grades == JUNIOR else 0.0,
            })  # fmt: skip
    rows.append({
        "place": int(quarters[-1]), "name": f"{county}启明学校", "grades": ALL, "role": "seat", "kind": "nine_year", "draw": 0.5,
        "owner": "private", "bed_share": 0.2,
    })  # fmt: skip
    return rows


def _in_towns(rng: np.random.Generator, places: gpd.GeoDataFrame, size: float) -> list[dict[str, Any]]:
    towns = np.flatnonzero((places.kind == "town").to_numpy())
    stems = places.name.str.removesuffix("集镇").to_numpy()
    nine_year = max(1, round(NINE_YEAR * size))
    rows: list[dict[str, Any]] = []
    for k, place in enumerate(towns):
        common = {"place": int(place), "role": "town"}
        if k < nine_year:
            # the first of them is a boarding school
            name = f"{stems[place]}九年一贯制{'寄宿制' if k == 0 else ''}学校"
            share = 0.6 if k == 0 else 0.15
            rows.append({**common, "name": name, "grades": ALL, "kind": "nine_year", "draw": 1.2, "bed_share": share})
            continue
        share = 0.1 if k % 7 == 0 else 0.0
        rows.append({
            **common, "name": f"{stems[place]}中心小学", "grades": PRIMARY, "kind": "primary", "draw": 1.1, "bed_share": share,
            "school_bus": (k - nine_year) % 6 == 1,
        })  # fmt: skip
        if k < nine_year + 0.8 * (len(towns) - nine_year):
            big, some = k == nine_year, k % 4 != 3
            name = f"{stems[place]}{'寄宿制初级中学' if big else '中学'}"
            share = 0.85 if big else float(rng.uniform(0.2, 0.55)) if some else 0.0
            standing = 1.6 if big else 1.0
            rows.append({**common, "name": name, "grades": JUNIOR, "kind": "junior", "draw": standing, "bed_share": share})
    return rows


def _not_open(places: gpd.GeoDataFrame, moves: pd.DataFrame, where: Sequence[int], rural: np.ndarray, county: str) -> list[dict[str, Any]]:
    # a school planned at the next relocation site, one planned in the seat, one village school that was closed
    coming = moves[moves.year > moves.year.min()].sort_values("year")
    site = int(np.flatnonzero((places.settlement_id == coming.to_id.iloc[0]).to_numpy())[0])
    quarter = int(np.flatnonzero((places.kind == "county_seat").to_numpy())[-1])
    closed = [int(i) for i in np.flatnonzero(rural) if i not in where][:1]
    name, first = places.name.to_list(), float(coming.year.iloc[0])
    common = {"draw": 0.0, "grades": PRIMARY, "kind": "primary"}
    return [
        {**common, "place": site, "name": f"{name[site]}小学（拟建）", "role": "town", "status": "candidate",
         "earliest_year": first},
        {**common, "place": quarter, "name": f"{county}新区九年一贯制学校（拟建）", "role": "seat", "status": "candidate",
         "earliest_year": first - 1, "grades": ALL, "kind": "nine_year"},
        *({**common, "place": i, "name": f"{name[i].removesuffix('村')}小学（已停办）", "role": "village", "status": "closed",
           "kind": "small_primary"} for i in closed),
    ]  # fmt: skip


def _attendance(rng: np.random.Generator, townships: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for township, is_seat in zip(townships.township_id, townships.is_county_seat, strict=True):
        for band in BANDS:
            shares = np.round(np.array(AWAY[band]) * rng.uniform(0.6, 1.4, 3), 3)
            if is_seat:  # its home is the seat
                shares[0] = 0
            home = round(1 - float(shares.sum()), 3)
            rows += [(township, band, place, float(share)) for place, share in zip(PLACES, [home, *shares], strict=True)]
    return pd.DataFrame(rows, columns=["township_id", "band", "place", "share"])


def _pupils(rng: np.random.Generator, places: gpd.GeoDataFrame, population: pd.DataFrame, base_date: dt.date, base_year: int) -> np.ndarray:
    # children by settlement and grade: those of age a at the base date were a on 31 August unless their birthday came since
    count = population.groupby(["settlement_id", "age"]).persons.sum().unstack()
    children = count.reindex(places.settlement_id).reindex(columns=range(18)).fillna(0.0).to_numpy().astype(int)
    since = (base_date - dt.date(base_year, 8, 31)).days / 365
    had = np.asarray(rng.binomial(children, since))
    on_the_day = children - had
    on_the_day[:, :-1] += had[:, 1:]
    return on_the_day[:, 6:15]


def _choose(
    rng: np.random.Generator, places: gpd.GeoDataFrame, schools: gpd.GeoDataFrame, pupils: np.ndarray,
    attendance: pd.DataFrame, seat_id: str,
) -> np.ndarray:  # fmt: skip
    by_place = attendance.set_index(["township_id", "band", "place"]).share.unstack()[list(PLACES)]
    shares = dict(zip(by_place.index, by_place.to_numpy(), strict=True))
    dx = places.geometry.x.to_numpy()[:, None] - schools.geometry.x.to_numpy()
    dy = places.geometry.y.to_numpy()[:, None] - schools.geometry.y.to_numpy()
    km = np.hypot(dx, dy) / 1000
    draw = np.log(np.maximum(schools.draw.to_numpy(), 1e-9))
    liking = rng.normal(0, 0.35, km.shape)
    opened, in_seat = (schools.status == "open").to_numpy(), (schools.role == "seat").to_numpy()
    township, bus = schools.township_id.to_numpy(), schools.school_bus.to_numpy()
    roll = np.zeros((len(schools), 10), int)
    for grade in range(1, 10):
        band = band_of(grade)
        offers = opened & (schools.first_grade <= grade).to_numpy() & (schools.last_grade >= grade).to_numpy()
        pull = draw + liking - km / REACH_KM[band] / np.where(bus, BUS_REACH, 1.0)
        for i, (home, children) in enumerate(zip(places.township_id, pupils[:, grade - 1], strict=True)):
            if not children:
                continue
            split = rng.multinomial(children, shares[home, band])
            near = township == home if (offers & (township == home)).any() else township != seat_id
            near = near | (bus & (km[i] < BUS_KM))
            # the seat is chosen by standing, other places by nearness too
            elsewhere = (township != home) & ~in_seat
            for part, among, score in ((split[0], near, pull), (split[1], in_seat, draw + liking), (split[2], elsewhere, pull)):
                who = np.flatnonzero(offers & among)
                if part and len(who):
                    odds = np.exp(score[i, who] - score[i, who].max())
                    roll[who, grade] += rng.multinomial(part, odds / odds.sum())
    return roll


def _classes(rng: np.random.Generator, schools: gpd.GeoDataFrame, roll: np.ndarray) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    rows, out = [], schools.copy()
    classes = np.zeros(len(schools), int)
    favourite = int(np.argmax(np.where((schools.role == "seat") & (schools.last_grade == 6), roll.sum(axis=1), 0)))
    for i, (school, role) in enumerate(zip(schools.school_id, schools.role, strict=True)):
        target = FAVOURITE if i == favourite else rng.uniform(*CLASS_TARGET[str(role)])
        for grade in range(1, 10):
            pupils = int(roll[i, grade])
            if not pupils:
                continue
            largest = LARGEST[str(role)]
            number = max(round(pupils / target), -(-pupils // largest), 1)
            # children are shared out evenly but for a few who asked for another class
            sizes = np.full(number, pupils // number) + (np.arange(number) < pupils % number)
            if number > 1 and sizes.max() < largest - 2:
                sizes[rng.integers(number)] += 2
                sizes[np.argmax(sizes[::-1])] -= 2
            rows += [(school, grade, c + 1, int(n)) for c, n in enumerate(sizes)]
            classes[i] += number
    return _equipped(rng, out, roll, classes), pd.DataFrame(rows, columns=["school_id", "grade", "class_no", "pupils"])


def _equipped(rng: np.random.Generator, schools: gpd.GeoDataFrame, roll: np.ndarray, classes: np.ndarray) -> gpd.GeoDataFrame:
    # rooms, beds, teachers and land as they have come about: none to spare in the seat, some in the towns
    out, count, role, status = schools.copy(), len(schools), schools.role, schools.status
    total, opened = roll.sum(axis=1), (status == "open").to_numpy()
    grades, small = (schools.last_grade - schools.first_grade + 1).to_numpy(), read_standards()["layout.small_school.max"]
    spare = np.where(role == "seat", 0, np.where(role == "town", rng.integers(0, 4, count), rng.integers(0, 2, count)))
    out["rooms"] = np.where(opened, np.maximum(classes + spare, grades), np.where(status == "closed", 4, 0))
    out["kind"] = np.where((schools.kind == "primary") & opened & (total <= small), "small_primary", schools.kind)
    senior = np.where(schools.last_grade == 9, roll[:, 7:].sum(axis=1), roll[:, 4:7].sum(axis=1))
    out["beds"] = np.round(senior * schools.bed_share * 1.1, -1).astype(int)
    out["boarders"] = np.minimum(np.round(senior * schools.bed_share), out.beds).astype(int)
    per_teacher = role.map({"seat": 18, "town": 18, "village": 14, "point": 12})
    out["teachers"] = np.where(opened, np.maximum(np.round(total / per_teacher), np.ceil(classes * 1.1)), 0).astype(int)
    area = np.where(role == "seat", 11, 24) * np.where(opened, np.maximum(total, 40), 500)
    out["site_area_m2"] = np.round(area * rng.uniform(0.8, 1.3, count), -1)
    where = [status == "candidate", role == "seat", role == "town"]
    room_for = [np.full(count, 24), rng.integers(0, 7, count), rng.integers(2, 9, count)]
    out["expandable_rooms"] = np.select(where, room_for, rng.integers(0, 4, count))
    out["kindergarten_rooms"] = np.where(opened & role.isin(["village", "point"]), rng.integers(0, 2, count), 0)
    out["urban_rural"] = role.map({"seat": "town", "town": "town", "village": "village", "point": "village"})
    return out


def _history(rng: np.random.Generator, schools: gpd.GeoDataFrame, rosters: pd.DataFrame, base_year: int) -> pd.DataFrame:
    # back from today: a cohort was a little larger in the villages and smaller in the seat a year before
    now = rosters.groupby(["school_id", "grade"]).pupils.agg(["sum", "size"])
    growth = {"seat": 1.012, "town": 0.995, "village": 0.985, "point": 0.975}
    rows = []
    facts = schools[["school_id", "role", "first_grade", "last_grade", "status"]]
    for school, role, first, last, status in facts.itertuples(index=False):
        years, cohort = range(base_year, base_year - HISTORY_YEARS, -1), {}
        if status == "candidate":
            continue
        if status == "closed":  # it lost its children until 2021
            cohort, years = {g: 3.0 for g in range(first, last + 1)}, range(base_year - 4, base_year - HISTORY_YEARS, -1)
        for year in years:
            if year == base_year:
                cohort = {g: float(now["sum"].get((school, g), 0)) for g in range(first, last + 1)}
                classes = {g: int(now["size"].get((school, g), 0)) for g in cohort}
            else:
                keeps = growth[str(role)] * rng.normal(1, 0.015, 9)
                # the last grade of primary and of junior came before children of other schools joined or left
                ahead = {g: cohort[g] * rng.normal(1, 0.03) if g in (6, last) else cohort[g + 1] for g in cohort}
                cohort = {g: float(round(n / keeps[g - 1])) for g, n in ahead.items()}
                size = {"seat": 58.0, "town": 46.0, "village": 42.0, "point": 28.0}[str(role)]
                classes = {g: max(1, round(n / size)) if n else 0 for g, n in cohort.items()}
            rows += [(school, year, g, n, float(classes[g])) for g, n in cohort.items() if n > 0]
    return pd.DataFrame(rows, columns=["school_id", "year", "grade", "pupils", "classes"])


def _zones(places: gpd.GeoDataFrame, schools: gpd.GeoDataFrame, seat_id: str) -> pd.DataFrame:
    seat = schools[(schools.status == "open") & (schools.role == "seat") & (schools.owner == "public")]
    rows: list[tuple[str, str, str]] = []
    for place in places[(places.township_id == seat_id) & places.kind.isin(["county_seat", "relocation"])].itertuples():
        for band, grades in BANDS.items():
            offers = seat[(seat.first_grade <= grades[0]) & (seat.last_grade >= grades[-1])]
            rows.append((place.settlement_id, band, str(offers.school_id.loc[offers.distance(place.geometry).idxmin()])))
    return pd.DataFrame(rows, columns=["settlement_id", "band", "school_id"])
