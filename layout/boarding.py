"""Boarders: which share boards, how many beds that takes by sex and room, and the young ones who should not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from layout.children import INCOMPLETE, TOLERANCE, ways_of
from layout.standards import Standards
from layout.tables import BANDS, band_of, check, empty, whole

#: The rule that grades 1 to 3 do not board.
_YOUNG = "layout.g1_3.boarding"


def boarding_shares(
    assignment: pd.DataFrame, rosters: pd.DataFrame, boarding: pd.DataFrame, schools: pd.DataFrame, standards: Standards, *, year: int
) -> pd.DataFrame:
    """Find the share of each school's pupils who board, from the best source there is.

    Parameters
    ----------
    assignment
        Table ``assignment``, of which ``year`` counts: the pupils of schools without a roster, and who has no day way.
    rosters, boarding
        Tables ``rosters`` and ``boarding``.
    schools
        Table ``schools``; closed and special ones left out, candidates not.
    standards
        Who may board, ``boarding.share.prior.gz.*`` and the sex ratio.
    year
        School year of rosters and boarding.

    Returns
    -------
    pandas.DataFrame
        Table ``boarding_shares`` by school and band that may board (grades 1 to 3 do not). ``source``: ``observed``, boarders of
        the band in the sheet over its pupils, for every school in the sheet (a band it does not name has none); ``school``, all
        boarders of the school over its pupils of the bands that may board, and 0 for a school known to have no bed; else ``prior``,
        the rate of rural Guizhou in 2015, and 0 at teaching points and small primary schools. Shares above 1 count as 1.
        ``choice_share`` is the share of those who have a day way within the limit: (share - m) / (1 - m), at least 0, with m the
        share of the school's children in ``assignment`` who board or are beyond the limit. Such children board anyhow, and a
        share of all pupils holds them already: without this they would be counted twice. ``girls_share`` is that of the sheet,
        else of children at the sex ratio at birth ``fertility.srb``.

    References
    ----------
    贵州省"十三五"教育事业发展规划: 30 % of rural primary and 70 % of rural junior pupils boarded in 2015, for whatever reason.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> sheet = pd.DataFrame({"school_id": ["S2"], "grade": [7], "boarders": [42], "girls": [21]})
    >>> shares = boarding_shares(layout.tables.empty("assignment"), paper.rosters, sheet, paper.schools, read_standards(), year=2025)
    >>> shares[["school_id", "band", "share", "source"]].values.tolist()
    [['S1', 'upper', 0.0, 'school'], ['S2', 'junior', 0.25, 'observed'], ['S2', 'upper', 0.0, 'observed']]
    """
    bands = _bands(standards)
    there = schools[(schools["status"] != "closed") & (schools["kind"] != "special")]
    rolls = _rolls(assignment, rosters, year)
    sheet = boarding.assign(band=[band_of(int(g)) for g in boarding["grade"]])
    known = sheet["girls"] if "girls" in sheet else pd.Series(np.nan, index=sheet.index)
    sheet = sheet.assign(girls=known, counted=sheet["boarders"].where(known.notna(), 0))
    sums = {c: _by_band(sheet, c) for c in ("boarders", "girls", "counted")}
    bound = _without_day_way(assignment, year)
    seen, usual = set(sheet["school_id"]), 100 / (100 + standards["fertility.srb"])
    rows = []
    for row in there.reindex(columns=["school_id", "kind", "first_grade", "last_grade", "beds", "boarders"]).to_dict("records"):
        school, all_boarders = str(row["school_id"]), float(row["boarders"])
        own = [b for b in bands if row["first_grade"] <= BANDS[b][-1] and row["last_grade"] >= BANDS[b][0]]
        pupils = {b: rolls.get((school, b), 0.0) for b in own}
        together = sum(pupils.values())
        for band in own:
            listed, girls, counted = (sums[c].get((school, band), 0.0) for c in ("boarders", "girls", "counted"))
            if school in seen:
                share, source = _share(listed, pupils[band]), "observed"
            elif all_boarders == 0 or (all_boarders > 0 and together):
                share, source = _share(all_boarders, together), "school"
            elif row["beds"] == 0:
                share, source = 0.0, "school"
            else:
                share, source = 0.0 if row["kind"] in INCOMPLETE else _prior(standards, band), "prior"
            must = bound.get((school, band), 0.0)
            choice = max(share - must, 0.0) / (1 - must) if must < 1 else 0.0
            boarders = listed if school in seen else np.nan
            rows.append((school, band, pupils[band], boarders, share, source, choice, girls / counted if counted else usual))
    columns = list(empty("boarding_shares").columns)
    return check("boarding_shares", pd.DataFrame(rows, columns=columns)) if rows else empty("boarding_shares")


def boarding_demand(
    assignment: pd.DataFrame,
    shares: pd.DataFrame,
    times: pd.DataFrame,
    standards: Standards,
    *,
    schools: pd.DataFrame,
    school_years: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Count the beds that each school needs: for children without a day way, and for those who board by choice.

    Parameters
    ----------
    assignment
        Table ``assignment``.
    shares
        Table ``boarding_shares``; ``choice_share`` counts (``share`` where a table lacks it). A school without a row has the prior.
    times
        Table ``times``: the weekly ways of children for whom no bed was found.
    standards
        Who may board, ``boarding.room_beds``, prior and sex ratio.
    schools
        Table ``schools``: kinds, and beds of the view of today.
    school_years
        Table ``school_years``: beds by year; None for those of ``schools``.

    Returns
    -------
    pandas.DataFrame
        Table ``boarding_demand`` by school, year and band that may board; bands without pupils have no row.

        ``no_day_way``: children who board in the assignment, are beyond the limit by day, or found no bed. These last
        (status ``no_bed``) have no school; they count at the school of their grade with the shortest weekly way, schools with beds
        before others and full schools before teaching points and small primary schools (none within the weekly limit: an empty id).
        ``by_choice``: the share of the other children, rounded within a school and year so that its total is kept. A bed room is
        for one sex and one band: ``beds_needed`` is boys and girls each rounded up to whole rooms. ``beds`` are the school's,
        given to its bands in proportion to what they need; ``beds_missing`` adds up over the bands to what the school lacks.

    References
    ----------
    教体艺〔2008〕5号: one bed a boarder. beds_needed = ceil(boys / k) k + ceil(girls / k) k, k beds a room.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> rows = pd.DataFrame({
    ...     "settlement_id": ["A", "B"], "year": 2026, "grade": 7, "attends": "home", "school_id": "S2", "mode": ["board", "walk"],
    ...     "status": "served", "pupils": [5, 20], "minutes": 30.0})
    >>> shares = pd.DataFrame({"school_id": ["S2"], "band": "junior", "share": [0.25], "girls_share": [0.5]})
    >>> out = boarding_demand(rows, shares, layout.county_times(paper, read_standards()), read_standards(), schools=paper.schools)
    >>> out[["pupils", "no_day_way", "by_choice", "girls", "beds_needed", "beds_missing"]].values.tolist()
    [[25, 5, 5, 5, 12, 0]]
    """
    years = sorted({int(y) for y in assignment["year"]})
    there = _standing(schools, school_years, years)
    rows = assignment[["settlement_id", "year", "grade", "school_id", "mode", "status", "pupils"]]
    rows = rows.assign(band=[band_of(int(g)) for g in rows["grade"]])
    rows = rows[rows["band"].isin(_bands(standards)) & ((rows["school_id"] != "") | (rows["status"] == "no_bed"))]
    if not len(rows):
        return empty("boarding_demand")
    rows = pd.concat([rows[rows["school_id"] != ""], _bedless(rows[rows["school_id"] == ""], times, there, standards)], ignore_index=True)
    key = ["school_id", "year", "band"]
    out = rows.assign(no_day_way=rows["pupils"].where(_must(rows), 0)).groupby(key, sort=True)[["pupils", "no_day_way"]].sum().reset_index()
    chosen = shares.assign(share=shares["choice_share"]) if "choice_share" in shares else shares
    out = out.merge(chosen[["school_id", "band", "share", "girls_share"]], on=["school_id", "band"], how="left")
    prior = out["band"].map({b: _prior(standards, b) for b in BANDS})
    out = out.assign(share=out["share"].fillna(prior), girls_share=out["girls_share"].fillna(100 / (100 + standards["fertility.srb"])))
    school = [out["school_id"], out["year"]]
    out = out.assign(by_choice=whole(out["share"] * (out["pupils"] - out["no_day_way"]), school))
    boarders = out["no_day_way"] + out["by_choice"]
    girls = np.floor(boarders * out["girls_share"] + 0.5 + TOLERANCE).astype("int64")
    room = int(standards["boarding.room_beds"])
    needed = sum(-(-sex // room) * room for sex in (girls, boarders - girls))
    beds = there.set_index(["school_id", "year"])["beds"].reindex(pd.MultiIndex.from_arrays(school), fill_value=0).to_numpy(float)
    # where nobody needs a bed the beds stand with the pupils
    weight = needed.where(needed.groupby(school).transform("sum") > 0, out["pupils"]).astype(float)
    given = whole(weight * beds / weight.groupby(school).transform("sum"), school)
    out = out.assign(girls=girls, beds_needed=needed, beds=given, beds_missing=(needed - given).clip(lower=0))
    return check("boarding_demand", out.drop(columns=["share", "girls_share"]))


def young_boarders(boarding: pd.DataFrame, schools: pd.DataFrame) -> pd.DataFrame:
    """List the boarders of grades 1 to 3, who in principle do not board.

    Parameters
    ----------
    boarding
        Table ``boarding``.
    schools
        Table ``schools``: names.

    Returns
    -------
    pandas.DataFrame
        Table ``young_boarders`` by school and grade, with the key of the rule; grades without boarders have no row.

    References
    ----------
    国办发〔2018〕27号 二(四): 1—3年级学生原则上不寄宿.

    Examples
    --------
    >>> sheet = pd.DataFrame({"school_id": ["S2", "S2"], "grade": [3, 4], "boarders": [6, 9]})
    >>> young_boarders(sheet, paper.schools)[["school_id", "grade", "boarders"]].values.tolist()
    [['S2', 3, 6]]
    """
    young = boarding[boarding["grade"].isin(BANDS["lower"]) & (boarding["boarders"] > 0)]
    if not len(young):
        return empty("young_boarders")
    names = schools.set_index("school_id")["name"]
    found = young["school_id"].map(names)
    return check("young_boarders", young[["school_id", "grade", "boarders"]].assign(name=found.fillna(young["school_id"]), clause=_YOUNG))


def _bands(standards: Standards) -> list[str]:
    return [band for band, grades in BANDS.items() if any(standards.may_board(g) for g in grades)]


def _prior(standards: Standards, band: str) -> float:
    return standards[f"boarding.share.prior.gz.{'junior' if band == 'junior' else 'primary'}"]


def _share(boarders: float, pupils: float) -> float:
    return min(boarders / pupils, 1.0) if pupils else float(boarders > 0)


def _rolls(assignment: pd.DataFrame, rosters: pd.DataFrame, year: int) -> dict[tuple[str, str], float]:
    """Return the pupils of each school and band: of its roster, else of the assignment."""
    placed = assignment[(assignment["year"] == year) & (assignment["school_id"] != "") & ~assignment["school_id"].isin(rosters["school_id"])]
    both = pd.concat([t[["school_id", "grade", "pupils"]] for t in (rosters, placed) if len(t)] or [rosters[["school_id", "grade", "pupils"]]])
    return _by_band(both.assign(band=[band_of(int(g)) for g in both["grade"]]), "pupils")


def _by_band(table: pd.DataFrame, column: str) -> dict[tuple[str, str], float]:
    sums = table.groupby(["school_id", "band"], as_index=False)[column].sum()
    return {(str(s), str(b)): float(n) for s, b, n in zip(sums["school_id"], sums["band"], sums[column], strict=True)}


def _without_day_way(assignment: pd.DataFrame, year: int) -> dict[tuple[str, str], float]:
    """Return the share of a school's children in a band who have no day way to it within the limit, in the assignment of a year."""
    rows = assignment[(assignment["year"] == year) & (assignment["school_id"] != "")]
    rows = rows.assign(band=[band_of(int(g)) for g in rows["grade"]], must=rows["pupils"].where(_must(rows), 0))
    all_of = _by_band(rows, "pupils")
    return {key: number / all_of[key] for key, number in _by_band(rows, "must").items() if all_of[key]}


def _must(rows: pd.DataFrame) -> pd.Series:
    return (rows["mode"] == "board") | rows["status"].isin(["beyond_limit", "no_bed"])


def _standing(schools: pd.DataFrame, school_years: pd.DataFrame | None, years: list[int]) -> pd.DataFrame:
    """Return the schools of each year with their grades, beds and whether they are incomplete."""
    columns = ["school_id", "status", "first_grade", "last_grade", "beds"]
    if school_years is None:
        table = pd.DataFrame(schools).reindex(columns=[*columns, "kind"]).merge(pd.DataFrame({"year": years}), how="cross")
    else:
        table = school_years[[*columns, "year"]].merge(pd.DataFrame(schools)[["school_id", "kind"]], on="school_id", how="left")
    table = table[(table["status"] == "open") & (table["kind"] != "special")]
    return table.assign(beds=table["beds"].fillna(0), incomplete=table["kind"].isin(INCOMPLETE))


def _bedless(rows: pd.DataFrame, times: pd.DataFrame, there: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Give children without a bed the school where a bed would serve them."""
    if not len(rows):
        return rows
    ways = ways_of(times[times["from_id"].isin(rows["settlement_id"]) & (times["mode"] == "week")], standards)
    ways = ways.loc[ways["mode"] == "board", ["settlement_id", "band", "school_id", "minutes"]]
    key = ["settlement_id", "year", "grade"]
    pairs = rows[[*key, "band"]].drop_duplicates().merge(ways, on=["settlement_id", "band"]).merge(there, on=["school_id", "year"])
    pairs = pairs[pairs["grade"].between(pairs["first_grade"], pairs["last_grade"])]
    pairs = pairs.assign(none=pairs["beds"] == 0).sort_values([*key, "none", "incomplete", "minutes", "school_id"], kind="stable")
    best = pairs.drop_duplicates(key)[[*key, "school_id"]]
    found = rows.drop(columns="school_id").merge(best, on=key, how="left")
    return found.assign(school_id=found["school_id"].fillna(""))[list(rows.columns)]
