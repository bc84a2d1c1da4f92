"""Small rural schools: which may be looked at together, what each costs and earns, and where its children go on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from layout.children import whole_children
from layout.placement import day_ways, needed_alone
from layout.programs import solve
from layout.solver import Level, Program, sparse_rows
from layout.standards import Standards, judged_minutes
from layout.tables import BANDS, band_of, check, empty

# branch-and-bound nodes of a level of the review list: counted work, so the answer does not depend on the machine
_NODES = 2000
# levels count schools, children and places in a list: less than one is none
_LESS_THAN_ONE = 0.999
_LAST_PRIMARY = BANDS["upper"][-1]
# expected children closer than this are as many
_DIGITS = 9
_GROUP = ["settlement_id", "grade"]


def review_list(
    pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards, *, year: int | None = None,
    work_limit: int = _NODES, time_limit: float = 300.0,
) -> pd.DataFrame:  # fmt: skip
    """List as many small schools as can be gone all at once without a child of grades 1 to 3 breaking the limit for it.

    :func:`layout.must_stay` asks for each school alone, so two that stand in for each other both pass. Here every child who
    is within the limit today keeps a school within the limit when all schools of the list are gone together. It is a list of
    schools to look at with the people concerned, never a list of closures.

    Parameters
    ----------
    pupils
        Table ``pupils``; only children who study at home count.
    times
        Table ``times``; walking and bus count.
    schools
        Table ``schools``; open ones. May be listed: those with ``layout.small_school.max`` children or fewer whose nearest they
        are, that teach one of grades 1 to 3 and none above grade 6. All others always stand.
    standards
        That number and the limits.
    year
        School year; None for every year of ``pupils``.
    work_limit, time_limit
        Branch-and-bound nodes of a level, and seconds for a year (a guard only).

    Returns
    -------
    pandas.DataFrame
        Table ``review_list`` by school and year. ``next_school_id`` is where most of the children of grades 1 to 3 whose nearest
        the school is would go (ties: the lower id), ``next_minutes`` the longest way of any of them to the nearest school that
        remains, empty where one reaches none (and is then beyond the limit today as well). ``upper_beyond`` counts children
        of grades 4 to 6 who are within their limit today and would have no school within it by day.
        ``attrs["gap"]``: by year the levels with objective, bound and gap; a gap below one proves that no longer list exists.

    References
    ----------
    Objective, in this order: (1) small schools that stay, fewest; (2) their pupils, most; (3) their places in the order of ids,
    lowest sum. Subject to: for every settlement and grade of 1 to 3 with children, within the limit today and of no school that
    always stands, at least one of the small schools within the limit stays. Set cover: Toregas et al. 1971, Operations
    Research 19(6). 国办发〔2018〕27号: 应留必留.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pupils = pd.DataFrame({"settlement_id": ["A", "B"], "year": 2026, "grade": 1, "pupils": [9.0, 8.0]})
    >>> times = pd.DataFrame({
    ...     "from_id": ["A", "A", "B", "B"], "to_id": ["S1", "S2", "S1", "S2"], "mode": "walk", "band": "lower",
    ...     "minutes": [5.0, 20.0, 20.0, 5.0], "minutes_back": 1.0})
    >>> schools = paper.schools.assign(kind="primary", last_grade=6)  # either stands in for the other, the larger one stays
    >>> review_list(pupils, times, schools, read_standards())[["school_id", "pupils", "next_school_id", "next_minutes"]].values.tolist()
    [['S2', 8, 'S1', 20.0]]
    """
    chosen = pupils if year is None else pupils[pupils["year"] == year]
    return _review(chosen, day_ways(times, schools, standards), schools, standards, work_limit, time_limit)


def _review(
    pupils: pd.DataFrame, ways: pd.DataFrame, schools: pd.DataFrame, standards: Standards, work_limit: int = _NODES, time_limit: float = 300.0
) -> pd.DataFrame:
    at_home = _at_home(pupils)
    home = at_home.merge(ways.drop_duplicates(_GROUP), on=_GROUP)
    within = ways.loc[~ways["beyond"] & ways["grade"].isin(BANDS["lower"]), [*_GROUP, "school_id"]]
    frames, gaps = [], {}
    for year in sorted({int(y) for y in at_home["year"]}):
        children = home[home["year"] == year]
        small = _small(children, schools, standards)
        listed, levels = _jointly_removable(children, within, small, work_limit, time_limit)
        frames.append(_reviewed(children, ways, listed, year))
        gaps[year] = [vars(level) for level in levels]
    rows = pd.concat(frames, ignore_index=True) if frames else empty("review_list")
    out = check("review_list", rows) if len(rows) else empty("review_list")
    out.attrs["gap"] = gaps
    return out


def joint_proof(pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards, reviewed: pd.DataFrame) -> pd.DataFrame:
    """Name the school that remains for every child of grades 1 to 3, with all schools under review gone at once.

    Parameters
    ----------
    pupils, times, schools, standards
        As in :func:`review_list`.
    reviewed
        Table ``review_list``, or any table with ``school_id`` and ``year`` of schools that would be gone together.

    Returns
    -------
    pandas.DataFrame
        Table ``review_proof``: a row a settlement, year and grade that is within the limit today: the school now, the one that
        remains, and whether that is within the limit too. ``holds`` is true in every row of a list by :func:`review_list`.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> pupils = pd.DataFrame({"settlement_id": ["A"], "year": 2026, "grade": 1, "pupils": [9.0]})
    >>> times = pd.DataFrame({"from_id": "A", "to_id": ["S1", "S2"], "mode": "walk", "band": "lower", "minutes": [5.0, 31.0], "minutes_back": 1.0})
    >>> gone = pd.DataFrame({"school_id": ["S1"], "year": [2026]})
    >>> joint_proof(pupils, times, paper.schools, read_standards(), gone)[["school_id", "remaining_id", "holds"]].values.tolist()
    [['S1', 'S2', False]]
    """
    home = _at_home(pupils)
    home = home[home["grade"].isin(BANDS["lower"])]
    ways = day_ways(times, schools, standards)
    now = home.merge(ways.drop_duplicates(_GROUP), on=_GROUP)
    now = now[~now["beyond"]]
    frames = []
    for year, group in now.groupby("year", sort=True):
        gone = reviewed.loc[reviewed["year"] == year, "school_id"]
        left = ways[~ways["school_id"].isin(gone)].drop_duplicates(_GROUP).drop(columns="mode")
        left = left.rename(columns={"school_id": "remaining_id", "minutes": "remaining_minutes"})
        found = group.drop(columns=["mode", "beyond"]).merge(left, on=_GROUP, how="left")
        frames.append(found.assign(holds=found["beyond"].eq(False), remaining_id=found["remaining_id"].fillna("")).drop(columns="beyond"))
    return check("review_proof", pd.concat(frames, ignore_index=True)) if frames else empty("review_proof")


def small_schools(
    pupils: pd.DataFrame, times: pd.DataFrame, assignment: pd.DataFrame, classes: pd.DataFrame, schools: pd.DataFrame, standards: Standards, *,
    stay: pd.DataFrame | None = None, reviewed: pd.DataFrame | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Describe every small school: classes taught together, teachers, money, and where its children go on.

    Parameters
    ----------
    pupils, times
        Tables ``pupils`` and ``times``.
    assignment, classes
        Tables ``assignment`` and ``classes`` of the same view; their years are described.
    schools
        Table ``schools``; open ones, special schools left out.
    standards
        Number of pupils of a small school, public funds and their floor, lessons of a week, staff ratios.
    stay, reviewed
        Tables ``must_stay`` and ``review_list``; None finds them.

    Returns
    -------
    pandas.DataFrame
        Table ``small_schools`` by school and year: schools of primary grades only that have ``layout.small_school.max`` pupils or
        fewer in ``classes`` (none at all included), and every school of ``stay`` and ``reviewed``.

        ``funding_yuan`` is the public funds (公用经费) of a year: pupils by stage, counted as ``fund.small_floor`` where they are
        fewer (not in cities, not without any pupil; the missing ones at the rate of the lowest stage taught), and
        ``fund.boarder_extra`` for each boarder of the assignment; ``floor_yuan`` is what the floor adds, and what the county
        no longer gets without the school. Salaries are not in it. ``teachers_by_class`` is lessons of all classes a week over
        ``staff.lessons_per_teacher`` (a mixed class has the lessons of its highest grade), ``posts_by_ratio`` is pupils over the
        staff ratio.

        For schools that end before grade 6 ``next_*`` tell where children go at the first grade beyond: children of that grade in
        the settlements that send children to the school, each settlement with the share of its children of the school's grades
        who attend it. ``next_school_id`` takes most of them (ties: the lower id), ``next_without`` are those without a place,
        ``next_minutes`` the longest daily way to it, ``next_week_minutes`` the longest weekly way of a boarder there,
        ``next_beds_free`` its beds less its boarders, at least 0. Empty for other schools and where there are no such children.

    References
    ----------
    国办发〔2018〕27号 (small schools, floor of 100 pupils); 国办发〔2001〕74号 (19 and 13.5 pupils a post).

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> standards = read_standards()
    >>> assignment = pd.DataFrame({"settlement_id": ["A"], "year": 2026, "grade": [1], "attends": "home", "school_id": "S1", "mode": "walk",
    ...     "status": "served", "pupils": [40], "minutes": 20.0})
    >>> classes = layout.class_sizes(assignment, paper.schools, paper.rosters, standards)
    >>> pupils = assignment[["settlement_id", "year", "grade", "pupils"]]
    >>> out = small_schools(pupils, layout.county_times(paper, standards), assignment, classes, paper.schools, standards)
    >>> out[["school_id", "pupils", "funding_yuan", "floor_yuan"]].values.tolist()
    [['S1', 40, 72000.0, 43200.0]]
    """
    years = sorted({int(y) for y in assignment["year"]})
    there = schools[(schools["status"] == "open") & (schools["kind"] != "special")]
    if not years or not len(there):
        return empty("small_schools")
    pupils = pupils[pupils["year"].isin(years)]
    ways = day_ways(times, schools, standards) if stay is None or reviewed is None else empty("times")
    stay = needed_alone(pupils, ways, standards) if stay is None else stay
    reviewed = _review(pupils, ways, schools, standards) if reviewed is None else reviewed
    table = pd.DataFrame(there).reindex(columns=["school_id", "kind", "first_grade", "last_grade", "urban_rural", "teachers", "beds"])
    table = table.merge(pd.DataFrame({"year": years}), how="cross").set_index(["school_id", "year"], drop=False).sort_index()
    own = classes.groupby(["school_id", "year"])
    table = table.assign(
        pupils=own["pupils"].sum().reindex(table.index, fill_value=0), classes=own["classes"].sum().reindex(table.index, fill_value=0),
        must_stay=table.index.isin(pd.MultiIndex.from_frame(stay[["school_id", "year"]])),
        review=table.index.isin(pd.MultiIndex.from_frame(reviewed[["school_id", "year"]])),
    )  # fmt: skip
    few = (table["pupils"] <= standards["layout.small_school.max"]) & (table["last_grade"] <= _LAST_PRIMARY)
    table = table[few | table["must_stay"] | table["review"]]
    if not len(table):
        return empty("small_schools")
    mixed = classes[classes["mixed"]].groupby(["school_id", "year"])["class_group"].agg(";".join).reindex(table.index).fillna("")
    table = table.assign(mixed=mixed != "", mixed_grades=mixed)
    table = _funded(_staffed(table, classes, standards), classes, assignment, standards)
    table = table.join(_onwards(table, assignment, times, schools, standards))
    texts = table[["next_school_id", "next_mode"]].fillna("")
    return check("small_schools", table.assign(**texts).drop(columns=["urban_rural", "beds"]).reset_index(drop=True))


def _at_home(pupils: pd.DataFrame) -> pd.DataFrame:
    children = whole_children(pupils)
    return children.loc[children["attends"] == "home", ["settlement_id", "year", "grade", "pupils"]]


def _small(children: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.Series:
    """Return the pupils of each school that may be listed, by id: those whose nearest it is."""
    size = children.groupby("school_id")["pupils"].sum()
    lower = BANDS["lower"]
    fits = (schools["status"] == "open") & (schools["kind"] != "special")
    fits &= (schools["first_grade"] <= lower[-1]) & (schools["last_grade"] >= lower[0]) & (schools["last_grade"] <= _LAST_PRIMARY)
    size = size.reindex(sorted(schools.loc[fits, "school_id"].astype("str")), fill_value=0)
    return size[size <= standards["layout.small_school.max"]]


def _jointly_removable(
    children: pd.DataFrame, within: pd.DataFrame, small: pd.Series, work_limit: int, time_limit: float
) -> tuple[list[str], tuple[Level, ...]]:
    """Choose the fewest small schools that must stay, and return the others."""
    within = children[_GROUP].merge(within, on=_GROUP)
    number = within["school_id"].map({name: i for i, name in enumerate(small.index)})
    group = within.groupby(_GROUP, sort=True).ngroup()
    # who has a school that always stands needs none of the small ones
    needs = ~group.isin(group[number.isna()])
    if not needs.any():
        return list(small.index), (Level("kept", 0.0, 0.0, 0.0, "optimal"),)
    sets: dict[int, list[int]] = {}
    for one, school in zip(group[needs], number[needs].astype(int), strict=True):
        sets.setdefault(int(one), []).append(int(school))
    covers = sorted({tuple(sorted(numbers)) for numbers in sets.values()})
    rows = np.repeat(np.arange(len(covers)), [len(c) for c in covers])
    count = len(small)
    program = Program(
        lower=np.zeros(count), upper=np.ones(count), integer=np.ones(count, bool),
        matrix=sparse_rows(len(covers), count, (rows, np.concatenate([np.array(c) for c in covers]), 1.0)),
        row_lower=np.ones(len(covers)), row_upper=np.full(len(covers), np.inf),
    )  # fmt: skip
    goals = {"kept": np.ones(count), "pupils_kept": -small.to_numpy(float), "order": np.arange(count, dtype=float)}
    answer = solve(
        program, goals, absolute_gaps=dict.fromkeys(goals, _LESS_THAN_ONE), work_limit=work_limit, time_limit=time_limit, start=np.ones(count)
    )
    return list(small.index[answer.values < 0.5]), answer.levels


def _reviewed(children: pd.DataFrame, ways: pd.DataFrame, listed: list[str], year: int) -> pd.DataFrame:
    own = children[children["school_id"].isin(listed)]
    after = ways[ways["settlement_id"].isin(own["settlement_id"]) & ~ways["school_id"].isin(listed)].drop_duplicates(_GROUP)
    after = after.rename(columns={"school_id": "next_school_id", "minutes": "next_minutes", "beyond": "next_beyond"}).drop(columns="mode")
    own = own.merge(after, on=_GROUP, how="left")
    lower, upper = (own[own["grade"].isin(BANDS[band])] for band in ("lower", "upper"))
    stranded = upper[~upper["beyond"] & ~upper["next_beyond"].eq(False)]
    to = _most(lower[lower["next_school_id"].notna()].assign(weight=lower["pupils"]), ["school_id"], "next_school_id")
    out = pd.DataFrame({"pupils": own.groupby("school_id")["pupils"].sum().reindex(listed, fill_value=0)}, index=pd.Index(listed, name="school_id"))
    out = out.assign(
        year=year,
        lower_pupils=lower.groupby("school_id")["pupils"].sum().reindex(listed, fill_value=0),
        upper_beyond=stranded.groupby("school_id")["pupils"].sum().reindex(listed, fill_value=0),
        next_school_id=to.set_index("school_id")["next_school_id"].reindex(listed).fillna(""),
        next_minutes=lower.groupby("school_id")["next_minutes"].agg(lambda m: m.max(skipna=False)).reindex(listed),
    )  # fmt: skip
    late = out.index.isin(lower.loc[lower["beyond"], "school_id"])
    reason = pd.Series("others_in_reach", index=out.index).mask(late, "beyond_today").mask(out["lower_pupils"] == 0, "no_lower_grades")
    return out.assign(reason=reason.mask(out["pupils"] == 0, "nobody_near")).reset_index()


def _staffed(table: pd.DataFrame, classes: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    last = classes["grades"].str.rsplit(",", n=1).str[-1].astype(int)
    lessons = last.map({g: standards[f"lessons.week.{'g1_2' if g <= 2 else 'g3_6' if g <= _LAST_PRIMARY else 'g7_9'}"] for g in range(1, 10)})
    posts = classes["pupils"] / [standards[f"staff.ratio.{_stage(g)}"] for g in last]
    load = classes["classes"] * lessons / standards["staff.lessons_per_teacher"]
    key = [classes["school_id"], classes["year"]]
    return table.assign(
        teachers_by_class=load.groupby(key).sum().reindex(table.index, fill_value=0.0),
        posts_by_ratio=posts.groupby(key).sum().reindex(table.index, fill_value=0.0),
    )


def _funded(table: pd.DataFrame, classes: pd.DataFrame, assignment: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    rates = {stage: standards[f"fund.per_pupil.{stage}"] for stage in ("primary", "junior")}
    first = classes["grades"].str.split(",", n=1).str[0].astype(int)
    own = classes["pupils"] * [rates[_stage(g)] for g in first]
    funds = own.groupby([classes["school_id"], classes["year"]]).sum().reindex(table.index, fill_value=0.0)
    missing = (standards["fund.small_floor"] - table["pupils"]).clip(lower=0).where((table["pupils"] > 0) & (table["urban_rural"] != "city"), 0)
    floor = missing * [rates[_stage(int(g))] for g in table["first_grade"]]
    boarders = _boarders(assignment).reindex(table.index, fill_value=0)
    total = funds + floor + boarders * standards["fund.boarder_extra"]
    return table.assign(funding_yuan=total, floor_yuan=floor, funding_per_pupil=total / table["pupils"].where(table["pupils"] > 0))


def _onwards(table: pd.DataFrame, assignment: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Follow the children of incomplete schools to the first grade that these do not teach."""
    columns = ["next_grade", "next_children", "next_without", "next_school_id", "next_pupils", "next_mode", "next_minutes", "next_week_minutes",
               "next_beds_free"]  # fmt: skip
    home = assignment[assignment["attends"].isin(["home", ""])]
    week = times[times["mode"] == "week"]
    week = pd.DataFrame({"settlement_id": week["from_id"], "school_id": week["to_id"], "band": week["band"], "week": judged_minutes(week, standards)})
    place, parts = ["settlement_id", "year"], []
    incomplete = table[table["last_grade"] < _LAST_PRIMARY]
    for first, last in sorted(set(zip(incomplete["first_grade"].astype(int), incomplete["last_grade"].astype(int), strict=True))):
        ids = incomplete.loc[(incomplete["first_grade"] == first) & (incomplete["last_grade"] == last), "school_id"]
        own = home[home["grade"].isin(range(first, last + 1))]
        sent = own[own["school_id"].isin(ids)].groupby([*place, "school_id"])["pupils"].sum().rename("sent").reset_index()
        sent = sent.merge(own.groupby(place)["pupils"].sum().rename("all").reset_index(), on=place)
        sent = sent.assign(share=sent["sent"] / sent["all"]).rename(columns={"school_id": "from_id"})[[*place, "from_id", "share"]]
        on = home[home["grade"] == last + 1][[*place, "school_id", "mode", "pupils", "minutes"]].merge(sent, on=place)
        parts.append(on.assign(next_grade=last + 1, weight=on["pupils"] * on["share"]))
    moves = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if not len(moves):
        return pd.DataFrame(columns=columns, index=table.index[:0]).astype({c: float for c in columns if c not in ("next_school_id", "next_mode")})
    key = ["from_id", "year"]
    out = moves.groupby(key).agg(next_grade=("next_grade", "first"), next_children=("weight", "sum"))
    placed = moves["school_id"] != ""
    out["next_without"] = moves[~placed].groupby(key)["weight"].sum().reindex(out.index, fill_value=0.0)
    best = _most(moves[placed], key, "school_id").rename(columns={"school_id": "next_school_id", "weight": "next_pupils"})
    there = moves[placed].merge(best[[*key, "next_school_id"]], left_on=[*key, "school_id"], right_on=[*key, "next_school_id"])
    there = there.assign(band=[band_of(g) for g in there["next_grade"]]).merge(week, on=["settlement_id", "school_id", "band"], how="left")
    # on foot goes before the bus, and both before boarding, where as many go
    ways = _most(there.assign(mode=there["mode"].map({"walk": 0, "bus": 1, "board": 2})), key, "mode").set_index(key)["mode"]
    daily = there[there["mode"].isin(["walk", "bus"])]
    found = best.set_index(key).assign(
        next_mode=ways.map({0: "walk", 1: "bus", 2: "board"}), next_minutes=daily.groupby(key)["minutes"].max(),
        next_week_minutes=there.groupby(key)["week"].max(),
    )  # fmt: skip
    beds = schools.set_index("school_id")["beds"].fillna(0) if "beds" in schools else pd.Series(dtype=float)
    taken = _boarders(assignment).reindex(pd.MultiIndex.from_arrays([found["next_school_id"], found.index.get_level_values("year")]), fill_value=0)
    free = found["next_school_id"].map(beds).fillna(0).to_numpy(float) - taken.to_numpy(float)
    out = out.join(found.assign(next_beds_free=np.maximum(free, 0)))
    return out.rename_axis(["school_id", "year"])[columns]


def _most(rows: pd.DataFrame, key: list[str], column: str) -> pd.DataFrame:
    """Return the value of a column that most of the weight of each key has, ties to the lower value."""
    sums = rows.groupby([*key, column], as_index=False)["weight"].sum()
    order = sums.assign(rounded=-sums["weight"].round(_DIGITS)).sort_values([*key, "rounded", column], kind="stable")
    return order.drop_duplicates(key)[[*key, column, "weight"]]


def _boarders(assignment: pd.DataFrame) -> pd.Series:
    return assignment[assignment["mode"] == "board"].groupby(["school_id", "year"])["pupils"].sum()


def _stage(grade: int) -> str:
    return "primary" if grade <= _LAST_PRIMARY else "junior"
