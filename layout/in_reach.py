"""What lies in reach: how many schools each child can reach, who shares a school, which villages are short, how far it is, who has seats."""

from __future__ import annotations

from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layout.access import METHODS, access_scores
from layout.catchment import ENTRY_GRADES
from layout.children import INCOMPLETE, ways_of, whole_children
from layout.standards import Standards
from layout.tables import BANDS, band_of, check, empty

#: Upper ends in minutes of the steps in which ways are counted; 30 is the half-hour line of grades 1 to 3.
STEPS = (10, 20, 30, 40, 60, 90, 120)
_SHORT = ("beyond_limit", "no_seat", "no_bed", "no_route")


def coverage(pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, settlements: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Count the schools that children have within the limit by day: none, one, two, or more.

    Parameters
    ----------
    pupils
        Table ``pupils``; children who study at home count.
    times, schools, standards
        As in :func:`layout.assign`; open schools that teach the child's grade.
    settlements
        Townships of the settlements.

    Returns
    -------
    pandas.DataFrame
        Table ``coverage`` by township, year and grade band; none, one, two and more add up to pupils. ``nearest`` and ``second`` are
        mean minutes to the nearest and the second nearest such school of those who have one, whether within the limit or not.

    Examples
    --------
    >>> pupils = pd.DataFrame({"settlement_id": ["A"], "year": [2026], "grade": [1], "pupils": [9.0]})
    >>> times = pd.DataFrame({"from_id": "A", "to_id": ["S1", "S2"], "mode": "walk", "band": "lower", "minutes": [28.0, 102.0], "minutes_back": 1.0})
    >>> coverage(pupils, times, paper.schools, paper.settlements, layout.read_standards())[["one", "nearest", "second"]].values.tolist()
    [[9.0, 28.0, 102.0]]
    """
    home, pairs = _pairs(pupils, times, schools, standards)
    if not len(home):
        return empty("coverage")
    pairs = pairs.sort_values(["child", "beyond", "minutes", "school_id"], kind="stable")
    rank = pairs.groupby("child").cumcount()
    many = pairs.loc[~pairs["beyond"], "child"].value_counts().reindex(home.index).fillna(0).astype(int)
    first, second = (pairs[rank == k].set_index("child")["minutes"].reindex(home.index) for k in (0, 1))
    rows = home.assign(
        township_id=home["settlement_id"].map(settlements.set_index("settlement_id")["township_id"].to_dict()).astype(object).fillna("").astype("str"),
        many=many,
        first=first * home["pupils"], second=second * home["pupils"], has=home["pupils"].where(first.notna(), 0),
        has_two=home["pupils"].where(second.notna(), 0),
    )  # fmt: skip
    for name, chosen in (("none", many == 0), ("one", many == 1), ("two", many == 2), ("more", many > 2)):
        rows[name] = rows["pupils"].where(chosen, 0)
    counts = ["pupils", "none", "one", "two", "more"]
    sums = rows.groupby(["township_id", "year", "band"])[[*counts, "first", "second", "has", "has_two"]].sum().reset_index()
    sums["nearest"] = sums["first"] / sums["has"].where(sums["has"] > 0)
    sums["second"] = sums["second"] / sums["has_two"].where(sums["has_two"] > 0)
    return check("coverage", sums[["township_id", "year", "band", *counts, "nearest", "second"]])


def overlap(pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Count the children whom each school has within the limit, and those of them who have another school within it too.

    Parameters
    ----------
    pupils, times, schools, standards
        As in :func:`coverage`.

    Returns
    -------
    pandas.DataFrame
        Table ``overlap`` by school, year and grade band: ``in_reach`` = ``only_here`` + ``shared``. Schools that nobody reaches within
        the limit have no row.

    Examples
    --------
    >>> pupils = pd.DataFrame({"settlement_id": ["A", "C"], "year": 2026, "grade": 1, "pupils": [9.0, 4.0]})
    >>> times = pd.DataFrame({"from_id": ["A", "C", "C"], "to_id": ["S1", "S1", "S2"], "mode": "walk", "band": "lower", "minutes": [28.0, 9.0, 29.0]})
    >>> times["minutes_back"] = times["minutes"]
    >>> overlap(pupils, times, paper.schools, layout.read_standards())[["school_id", "in_reach", "only_here", "shared"]].values.tolist()
    [['S1', 13, 9, 4], ['S2', 4, 0, 4]]
    """
    _, pairs = _pairs(pupils, times, schools, standards)
    near = pairs[~pairs["beyond"]] if len(pairs) else pairs
    if not len(near):
        return empty("overlap")
    many = near["child"].map(near["child"].value_counts())
    rows = near.assign(in_reach=near["pupils"], only_here=near["pupils"].where(many == 1, 0), shared=near["pupils"].where(many > 1, 0))
    return check("overlap", rows.groupby(["school_id", "year", "band"])[["in_reach", "only_here", "shared"]].sum().reset_index())


def short_villages(
    assignment: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards, *, view: str,
    school_years: pd.DataFrame | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Name the villages behind the headline: whose children are beyond the limit, or without a seat, a bed or a way.

    Parameters
    ----------
    assignment
        Table ``assignment``.
    times, schools, standards
        As in :func:`coverage`: which school of their grade is nearest.
    view
        ``today`` or ``planned``.
    school_years
        Table ``school_years``: which schools stand in which year; None: all in every year.

    Returns
    -------
    pandas.DataFrame
        Table ``short_villages`` by view, year, settlement, grade band and status: pupils, minutes to the school they go to (the longest,
        empty without one), and the nearest school that teaches their grade by day with its minutes (empty where none can be reached).

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "settlement_id": ["A", "B"], "year": 2026, "grade": 1, "attends": "home", "school_id": ["S1", "S1"], "mode": "walk",
    ...     "status": ["beyond_limit", "served"], "pupils": [9, 3], "minutes": [41.0, 12.0]})
    >>> times = pd.DataFrame({"from_id": ["A"], "to_id": ["S1"], "mode": ["walk"], "band": ["lower"], "minutes": [41.0], "minutes_back": [38.0]})
    >>> found = short_villages(rows, times, paper.schools, layout.read_standards(), view="today")
    >>> found[["settlement_id", "status", "pupils", "nearest_id", "nearest_minutes"]].values.tolist()
    [['A', 'beyond_limit', 9, 'S1', 41.0]]
    """
    rows = assignment[assignment["status"].isin(_SHORT) & (assignment["pupils"] > 0)]
    if not len(rows):
        return empty("short_villages")
    rows = rows.assign(band=[band_of(g) for g in rows["grade"]], settlement_id=rows["settlement_id"].astype("str"))
    key = ["year", "settlement_id", "band", "status"]
    out = rows.groupby(key, as_index=False, sort=True).agg(pupils=("pupils", "sum"), minutes=("minutes", "max"), grade=("grade", "min"))
    day = _day_ways(times, schools, standards)
    child = ["year", "settlement_id", "band", "grade"]
    best = out[child].drop_duplicates().merge(day, on=["settlement_id", "band"])
    if school_years is not None:
        standing = school_years.loc[school_years["status"] == "open", ["school_id", "year", "first_grade", "last_grade"]]
        best = best.drop(columns=["first_grade", "last_grade"]).merge(standing.astype({"school_id": "str"}), on=["school_id", "year"])
    best = best[(best["grade"] >= best["first_grade"]) & (best["grade"] <= best["last_grade"])]
    best = best.sort_values([*child, "beyond", "minutes", "school_id"], kind="stable")
    best = best.drop_duplicates(child).rename(columns={"school_id": "nearest_id", "minutes": "nearest_minutes"})
    out = out.merge(best[[*child, "nearest_id", "nearest_minutes"]], on=child, how="left")
    return check("short_villages", out.assign(view=view, nearest_id=out["nearest_id"].fillna("")).drop(columns="grade"))


def minute_steps(pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Count children by the minutes to the nearest school that teaches their grade.

    Parameters
    ----------
    pupils, times, schools, standards
        As in :func:`coverage`.

    Returns
    -------
    pandas.DataFrame
        Table ``minute_steps`` by year, grade band and step: pupils and their share of the band. ``upto_030`` ends at 30 minutes and
        begins after the step before (:data:`STEPS`), ``over_120`` is farther than the last, ``no_way`` are those who reach no school by
        day. The steps of a band add up to its children.

    Examples
    --------
    >>> pupils = pd.DataFrame({"settlement_id": ["A", "B"], "year": 2026, "grade": 1, "pupils": [9.0, 3.0]})
    >>> times = pd.DataFrame({"from_id": ["A"], "to_id": ["S1"], "mode": ["walk"], "band": ["lower"], "minutes": [28.0], "minutes_back": [22.0]})
    >>> minute_steps(pupils, times, paper.schools, layout.read_standards())[["step", "pupils", "share"]].values.tolist()
    [['no_way', 3, 0.25], ['upto_030', 9, 0.75]]
    """
    home, pairs = _pairs(pupils, times, schools, standards)
    if not len(home):
        return empty("minute_steps")
    least = pairs.groupby("child")["minutes"].min().reindex(home.index)
    names = np.array([*(f"upto_{m:03d}" for m in STEPS), f"over_{STEPS[-1]}", "no_way"])
    number = np.where(least.isna(), len(STEPS) + 1, np.searchsorted(np.array(STEPS, float), least.fillna(0.0) - 1e-9))
    sums = home.assign(step=names[number]).groupby(["year", "band", "step"])["pupils"].sum().reset_index()
    sums["share"] = sums["pupils"] / sums.groupby(["year", "band"])["pupils"].transform("sum")
    return check("minute_steps", sums)


def zone_differences(zones: pd.DataFrame, pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Hold today's zones (划片) against the nearest school.

    Parameters
    ----------
    zones
        Table ``zones``.
    pupils
        Table ``pupils``; the children of the first year are counted.
    times, schools, standards
        As in :func:`coverage`.

    Returns
    -------
    pandas.DataFrame
        Table ``zone_differences`` by settlement and grade band: the school of the zone and its minutes by day (empty without a way), the
        nearest school for the whole band and its minutes, what differs: same, nearer (another school is nearer), limit (the zone's
        school is beyond the limit and another within it), no_way, not_taught (the zone's school is not open or does not teach
        the band).

    Examples
    --------
    >>> zones = pd.DataFrame({"settlement_id": ["A"], "band": ["lower"], "school_id": ["S2"]})
    >>> pupils = pd.DataFrame({"settlement_id": ["A"], "year": [2026], "grade": [1], "pupils": [9.0]})
    >>> times = pd.DataFrame({"from_id": "A", "to_id": ["S1", "S2"], "mode": "walk", "band": "lower", "minutes": [28.0, 102.0], "minutes_back": 1.0})
    >>> zone_differences(zones, pupils, times, paper.schools, layout.read_standards())[["nearest_id", "difference", "pupils"]].values.tolist()
    [['S1', 'limit', 9]]
    """
    if not len(zones):
        return empty("zone_differences")
    there = _standing(schools)
    day = _day_ways(times, schools, standards)
    span = {b: (g[0], g[-1]) for b, g in BANDS.items()}
    low, high = (day["band"].map({b: s[i] for b, s in span.items()}) for i in (0, 1))
    whole = day[(day["first_grade"] <= low) & (day["last_grade"] >= high)].sort_values(
        ["settlement_id", "band", "beyond", "minutes", "school_id"], kind="stable"
    )
    best = whole.drop_duplicates(["settlement_id", "band"])
    out = pd.DataFrame(zones[["settlement_id", "band", "school_id"]]).astype("str").rename(columns={"school_id": "zone_id"})
    own = whole[["settlement_id", "band", "school_id", "minutes", "beyond"]].rename(
        columns={"school_id": "zone_id", "minutes": "zone_minutes", "beyond": "zone_beyond"}
    )
    out = out.merge(own, on=["settlement_id", "band", "zone_id"], how="left")
    near = best[["settlement_id", "band", "school_id", "minutes", "beyond"]].rename(columns={"school_id": "nearest_id", "minutes": "nearest_minutes"})
    out = out.merge(near, on=["settlement_id", "band"], how="left")
    spans = zip(there["school_id"], there["first_grade"], there["last_grade"], strict=True)
    taught = {(s, b) for s, a, z in spans for b, (f, e) in span.items() if a <= f and z >= e}
    counts = whole_children(pupils[pupils["year"] == pupils["year"].min()])
    home = counts[counts["attends"] == "home"].assign(band=lambda t: [band_of(g) for g in t["grade"]])
    total = home.groupby(["settlement_id", "band"])["pupils"].sum().to_dict()
    out["pupils"] = [int(total.get((s, b), 0)) for s, b in zip(out["settlement_id"], out["band"], strict=True)]
    out["difference"] = np.select(
        [
            np.array([(s, b) not in taught for s, b in zip(out["zone_id"], out["band"], strict=True)]), out["zone_minutes"].isna(),
            out["zone_id"] == out["nearest_id"], out["zone_beyond"].eq(True) & out["beyond"].eq(False),
        ],
        ["not_taught", "no_way", "same", "limit"], "nearer",
    )  # fmt: skip
    out["nearest_id"] = out["nearest_id"].fillna("")
    return check("zone_differences", out.drop(columns=["zone_beyond", "beyond"]))


def seat_access(pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Score the seats that the children of each settlement can count on, by every method of :func:`layout.access_scores`.

    Parameters
    ----------
    pupils
        Table ``pupils``; the children of the first year who study at home.
    times, schools, standards
        As in :func:`coverage`. Seats are rooms x class-size standard, shared among the grades of a school.

    Returns
    -------
    pandas.DataFrame
        Table ``seat_access`` by settlement and grade band: pupils and a score a method, on day ways within the limit of mode and
        band; a way by bus counts by the share of its own limit that it takes. 1 means a seat a child; 0 where no school is within
        the limit.

    References
    ----------
    As in :func:`layout.access_scores`.

    Examples
    --------
    >>> pupils = pd.DataFrame({"settlement_id": ["A"], "year": [2026], "grade": [1], "pupils": [90.0]})
    >>> times = pd.DataFrame({"from_id": ["A"], "to_id": ["S1"], "mode": ["walk"], "band": ["lower"], "minutes": [28.0], "minutes_back": [22.0]})
    >>> seat_access(pupils, times, paper.schools, layout.read_standards())[["two_step", "cumulative"]].values.tolist()
    [[1.5, 135.0]]
    """
    home = whole_children(pupils[pupils["year"] == pupils["year"].min()]) if len(pupils) else empty("pupils")
    home = home[home["attends"] == "home"].assign(band=lambda t: pd.Series([band_of(g) for g in t["grade"]], index=t.index, dtype="str"))
    demand = home.groupby(["settlement_id", "band"])["pupils"].sum()
    if not len(demand):
        return empty("seat_access")
    there, day = _standing(schools), _day_ways(times, schools, standards)
    frames = []
    for band, grades in BANDS.items():
        if band not in demand.index.get_level_values("band"):
            continue
        own = demand.xs(band, level="band")
        spans = zip(there["first_grade"], there["last_grade"], strict=True)
        share = [max(min(z, grades[-1]) - max(a, grades[0]) + 1, 0) / (z - a + 1) for a, z in spans]
        size = [standards.class_size(grades[0], incomplete=kind in INCOMPLETE) for kind in there["kind"]]
        seats = pd.Series(there["rooms"].to_numpy(float) * np.array(share) * np.array(size, float), index=there["school_id"].astype("str"))
        near = day[(day["band"] == band) & ~day["beyond"]]
        # ways by bus have a limit of their own: the share of the limit that a way takes is what is weighed
        limits = {mode: standards.limit(mode, band) for mode in ("walk", "bus")}
        part = near["minutes"] / near["mode"].map(limits).astype(float) * limits["walk"]
        ways = pd.DataFrame({"from_id": near["settlement_id"], "to_id": near["school_id"], "minutes": part.clip(upper=limits["walk"])})
        scores = {m: access_scores(own.astype(float), seats, ways, method=m, limit=limits["walk"]).to_numpy() for m in METHODS}
        names = {"2SFCA": "two_step", "E2SFCA": "enhanced", "3SFCA": "three_step", "gravity": "gravity", "cumulative": "cumulative"}
        frames.append(pd.DataFrame({"settlement_id": own.index, "band": band, "pupils": own.to_numpy(), **{names[m]: s for m, s in scores.items()}}))
    return check("seat_access", pd.concat(frames, ignore_index=True))


def settlement_adjacency(areas: gpd.GeoDataFrame) -> pd.DataFrame:
    """Say which settlements border on each other, from the service areas of the settlements themselves.

    Parameters
    ----------
    areas
        From :func:`layout.service_areas` with the settlements as places: ``place_id`` and geometry.

    Returns
    -------
    pandas.DataFrame
        Table ``adjacency``, each pair once, with the metres of the common border; areas that meet in a point do not border on each
        other. For :func:`layout.assign`, whose areas then are in one piece.

    Examples
    --------
    >>> from shapely.geometry import box
    >>> areas = gpd.GeoDataFrame({"place_id": ["A", "B", "C"]}, geometry=[box(0, 0, 1, 1), box(1, 0, 2, 1), box(2, 1, 3, 2)], crs="EPSG:4545")
    >>> settlement_adjacency(areas).values.tolist()
    [['A', 'B', 1.0]]
    """
    table = areas.sort_values("place_id", ignore_index=True)
    shapes = table.geometry.to_numpy()
    left, right = table.sindex.query(shapes, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    border = shapely.length(shapely.intersection(shapes[left], shapes[right]))
    names = table["place_id"].to_numpy()
    rows = pd.DataFrame({"settlement_id": names[left], "neighbour_id": names[right], "border_m": border})
    rows = rows[rows["border_m"] > 0]
    return check("adjacency", rows) if len(rows) else empty("adjacency")


def mid_stage_moves(assignment: pd.DataFrame, schools: pd.DataFrame) -> pd.DataFrame:
    """Name the children who change schools within a stage from one year of the table to the next.

    Rezoning takes those who enter grades 1 and 7; whoever else goes elsewhere than the cohort did in the year before moves. Between plan
    years the year before is the last one in the table, and a cohort that entered a stage since then does not count.

    Parameters
    ----------
    assignment
        Table ``assignment`` of some years.
    schools
        Which grades each school teaches.

    Returns
    -------
    pandas.DataFrame
        Table ``mid_stage_moves`` by settlement, year and grade entered, school before and after. As many of a cohort stay as both years
        have at a school, counted to the smaller cohort of the two; whoever leaves goes to the schools that gain, in the order of
        their ids. ``lost_grade``: the school before does not teach the grade. The first year has no rows.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "settlement_id": "A", "year": [2026, 2027, 2027], "grade": [1, 2, 2], "attends": "home", "school_id": ["S1", "S1", "S2"],
    ...     "mode": "walk", "status": "served", "pupils": [10, 6, 4], "minutes": 5.0})
    >>> mid_stage_moves(rows, paper.schools)[["from_id", "to_id", "pupils", "lost_grade"]].values.tolist()
    [['S1', 'S2', 4, False]]
    """
    placed = assignment[(assignment["school_id"] != "") & (assignment["attends"] == "home") & (assignment["pupils"] > 0)]
    sums = placed.groupby(["settlement_id", "year", "grade", "school_id"], observed=True)["pupils"].sum().reset_index()
    cohorts: dict[tuple[str, int, int], dict[str, int]] = {}
    for name, year, grade, to, n in zip(*(sums[c] for c in ("settlement_id", "year", "grade", "school_id", "pupils")), strict=True):
        cohorts.setdefault((str(name), int(year), int(grade)), {})[str(to)] = int(n)
    taught = {str(s): (a, z) for s, a, z in zip(schools["school_id"], schools["first_grade"], schools["last_grade"], strict=True)}
    rows = []
    years = sorted({year for _, year, _ in cohorts})
    last = dict(pairwise(reversed(years)))
    for (place, year, grade), now in sorted(cohorts.items()):
        gone = year - last.get(year, year)
        before = cohorts.get((place, year - gone, grade - gone)) if gone else None
        if before is None or any(g in ENTRY_GRADES for g in range(grade - gone + 1, grade + 1)):
            continue
        leave = {s: n - now.get(s, 0) for s, n in sorted(before.items()) if n > now.get(s, 0)}
        gain = {s: n - before.get(s, 0) for s, n in sorted(now.items()) if n > before.get(s, 0)}
        for school, n in leave.items():
            left = n
            for other in list(gain):
                moved = min(left, gain[other])
                if moved:
                    span = taught.get(school, (1, 9))
                    rows.append((place, year, grade, school, other, moved, not span[0] <= grade <= span[1]))
                    left, gain[other] = left - moved, gain[other] - moved
    columns = ["settlement_id", "year", "grade", "from_id", "to_id", "pupils", "lost_grade"]
    return check("mid_stage_moves", pd.DataFrame(rows, columns=columns)) if rows else empty("mid_stage_moves")


def _standing(schools: pd.DataFrame) -> pd.DataFrame:
    return schools[(schools["status"] == "open") & (schools["kind"] != "special")]


def _day_ways(times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    ways = ways_of(times, standards)
    there = _standing(schools)[["school_id", "first_grade", "last_grade"]].assign(school_id=lambda t: t["school_id"].astype("str"))
    return ways[ways["mode"] != "board"].merge(there, on="school_id")


def _pairs(pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the children who study at home, and with every school that teaches their grade and to which a day way leads."""
    children = whole_children(pupils)
    home = children[children["attends"] == "home"][["settlement_id", "year", "grade", "pupils"]].reset_index(drop=True)
    home["band"] = pd.Series([band_of(g) for g in home["grade"]], index=home.index, dtype="str")
    pairs = home.assign(child=home.index).merge(_day_ways(times, schools, standards), on=["settlement_id", "band"])
    return home, pairs[(pairs["grade"] >= pairs["first_grade"]) & (pairs["grade"] <= pairs["last_grade"])]
