"""Relocation sites: seats in reach against the children who need them, and what is to be done first."""

from __future__ import annotations

import re

import geopandas as gpd
import numpy as np
import pandas as pd

from layout.children import INCOMPLETE, ways_of
from layout.standards import Standards, judged_minutes
from layout.tables import BANDS, GRADES, band_of, check, empty

# a school so near in a straight line stands at the site: about the length of a large one
_AT_SITE_M = 500.0
_STAGES = {"primary": (*BANDS["lower"], *BANDS["upper"]), "junior": BANDS["junior"]}
_STAGE_OF = {g: stage for stage, grades in _STAGES.items() for g in grades}
# what a site's name may end in and its school's name leaves out
_ENDING = re.compile(r"(易地扶贫)?(搬迁)?(集中)?(安置点|安置区|安置社区|社区)$")
# parts of children below this are rounding error
_SMALL = 1e-6


def site_verdicts(
    county_settlements: gpd.GeoDataFrame,
    pupils: pd.DataFrame,
    times: pd.DataFrame,
    schools: gpd.GeoDataFrame,
    standards: Standards,
    *,
    site_pupils: pd.DataFrame | None = None,
    moves: pd.DataFrame | None = None,
    school_years: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Say for every relocation site, year and stage whether the schools in reach have seats for its children.

    Parameters
    ----------
    county_settlements
        Table ``settlements``; sites are those of kind ``relocation`` and those that ``moves`` lead to.
    pupils
        Table ``pupils``, expected numbers; its years are judged.
    times
        Table ``times``; it must reach the schools of ``school_years``.
    schools
        Table ``schools``: kinds and places, and without ``school_years`` the open ones of every year.
    standards
        Limits, class sizes, ``household.size``.
    site_pupils
        Table ``site_pupils``: the prior.
    moves
        Table ``moves``.
    school_years
        Table ``school_years``: open schools, grades and rooms by year.

    Returns
    -------
    pandas.DataFrame
        Table ``site_verdicts`` by site, year and stage (primary: grades 1 to 6).

        A school is in reach of a grade when the walk, or the ride by bus, keeps the limit of its band. Its seats for a grade are
        rooms / grades taught x the class-size standard of the grade. ``seats_walk``: seats of the stage in schools within the
        walking limit; ``seats_near``: by bus too. ``pupils_near``: children of every settlement who study at home and whose
        nearest school by day is one of these and within the limit, and the site's own who have none in reach
        (``pupils_out``); ``pupils_beyond``: those whose nearest one of these is, beyond the limit, not in the balance. ``balance``
        is seats_near - pupils_near, ``shortage`` what it lacks, rounded up. Children who study in the county seat or away are in
        ``pupils`` only, with the rest of the site's.

        ``verdict``, the first that holds: ``no_school_in_reach`` (a child of the site has none for its grade), ``check_pupils``
        (pupils outside the prior: check the count first), ``nobody`` (no child of the stage), ``short`` (balance below 0),
        ``enough``. ``arrivals``: persons who moved there by the year (households x ``household.size`` where only these are known,
        all persons of a whole village without a number where ``settlements`` has them); ``moves_unknown`` counts moves without
        any number. ``prior_low`` and ``prior_high`` are the prior in pupils. ``walk_minutes``: of grades 1 to 3, or 7 to 9, to the
        nearest school with all their grades. ``built_for``: the nearest open or candidate school of the stage within 500 m in a
        straight line, else the nearest one whose name holds the site's.

    Raises
    ------
    ValueError
        If ``moves`` lead to a settlement that is not among ``county_settlements``.

    References
    ----------
    义务教育法 第十五条: new settlements get their schools in step. GB 50099-2011 §3.0.1 and 教督〔2017〕6号 (class sizes).

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> standards, sites = read_standards(), paper.settlements.assign(kind=["village"] * 4 + ["relocation"])
    >>> pupils = layout.project_pupils(paper, standards, years=[2026])
    >>> out = site_verdicts(sites, pupils, layout.county_times(paper, standards), paper.schools, standards)
    >>> out[["settlement_id", "stage", "seats_walk", "pupils_near", "pupils_out", "verdict"]].round().values.tolist()
    [['E', 'junior', 150.0, 78.0, 0.0, 'enough'], ['E', 'primary', 135.0, 96.0, 18.0, 'no_school_in_reach']]
    """
    places = county_settlements.drop_duplicates("settlement_id").set_index("settlement_id", drop=False).sort_index()
    to = set(moves["to_id"]) if moves is not None else set()
    if to - set(places.index):
        raise ValueError(f"moves lead to settlements that are not known: {', '.join(sorted(to - set(places.index))[:5])}")
    sites = places[(places["kind"] == "relocation") | places.index.isin(to)]
    years = sorted({int(y) for y in pupils["year"]})
    if not len(sites) or not years:
        return empty("site_verdicts")
    seats = _seats(schools, school_years, years, standards)
    reach = _in_reach(times, seats, standards)
    key = ["settlement_id", "year", "stage"]
    out = pd.MultiIndex.from_product([sites.index, years, _STAGES], names=key).to_frame(index=False)
    out = out.join(_balance(pupils, reach, list(sites.index)), on=key).join(_walks(times, seats, list(sites.index), standards), on=key)
    out = out.join(_arrived(moves, places, years, standards), on=key[:2]).join(_built_for(sites, schools), on=["settlement_id", "stage"])
    out = out.join(_prior(site_pupils), on=key)
    # nobody, no seat or no move: no row of the parts
    counts = [c for c in out.columns if c.startswith(("pupils", "seats", "arrivals", "moves"))]
    out = out.assign(**{c: out[c].fillna(0.0) for c in counts})
    out = out.assign(balance=out["seats_near"] - out["pupils_near"])
    tests = [out["pupils_out"] > _SMALL, out["outside"].eq(True), out["pupils"] <= _SMALL, out["balance"] < -_SMALL]
    out = out.assign(
        shortage=np.ceil(np.maximum(-out["balance"] - _SMALL, 0)),
        verdict=np.select(tests, ["no_school_in_reach", "check_pupils", "nobody", "short"], "enough"),
    )
    return check("site_verdicts", out.drop(columns="outside"))


def _seats(schools: pd.DataFrame, school_years: pd.DataFrame | None, years: list[int], standards: Standards) -> pd.DataFrame:
    """Return the seats of every open school for each of its grades and years: its rooms shared evenly over the grades."""
    columns = ["school_id", "status", "first_grade", "last_grade", "rooms"]
    if school_years is None:
        table = pd.DataFrame(schools)[[*columns, "kind"]].merge(pd.DataFrame({"year": years}), how="cross")
    else:
        table = school_years[[*columns, "year"]].merge(pd.DataFrame(schools)[["school_id", "kind"]], on="school_id", how="left")
    table = table[(table["status"] == "open") & (table["kind"] != "special") & table["year"].isin(years)]
    first, last = table["first_grade"].clip(lower=GRADES[0]), table["last_grade"].clip(upper=GRADES[-1])
    table = table.assign(share=table["rooms"] / (last - first + 1), incomplete=table["kind"].isin(INCOMPLETE))
    table = table.merge(pd.DataFrame({"grade": GRADES, "band": [band_of(g) for g in GRADES]}), how="cross")
    table = table[table["grade"].between(table["first_grade"], table["last_grade"])]
    size = [standards.class_size(int(g), incomplete=bool(i)) for g, i in zip(table["grade"], table["incomplete"], strict=True)]
    return table.assign(seats=table["share"] * size)[["school_id", "year", "grade", "band", "seats"]].reset_index(drop=True)


def _in_reach(times: pd.DataFrame, seats: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Return the day ways of every settlement to the schools of each year and grade: within the limit, and on foot."""
    ways = ways_of(times[times["mode"].isin(["walk", "bus"])], standards)
    # a way by bus means that the walk is beyond its limit: within it one walks
    ways = ways.assign(walks=~ways["beyond"] & (ways["mode"] == "walk"))
    found = ways[["settlement_id", "band", "school_id", "minutes", "beyond", "walks"]].merge(seats, on=["school_id", "band"])
    order = ["settlement_id", "year", "grade", "beyond", "minutes", "school_id"]
    return found.sort_values(order, kind="stable", ignore_index=True)


def _balance(pupils: pd.DataFrame, reach: pd.DataFrame, sites: list[str]) -> pd.DataFrame:
    group, stage = ["settlement_id", "year", "grade"], ["settlement_id", "year", "stage"]
    children = pupils.assign(stage=pupils["grade"].map(_STAGE_OF))
    out = pd.DataFrame({"pupils": children[children["settlement_id"].isin(sites)].groupby(stage)["pupils"].sum()})
    attends = children["attends"] if "attends" in children else pd.Series("home", index=children.index)
    home = children[attends.isin(["home", ""])].groupby(group, as_index=False)["pupils"].sum()
    nearest = home.merge(reach.drop_duplicates(group), on=group)
    # children at each school and grade: those within the limit, and those beyond it
    load = nearest.assign(within=nearest["pupils"].where(~nearest["beyond"], 0.0), late=nearest["pupils"].where(nearest["beyond"], 0.0))
    load = load.groupby(["school_id", "year", "grade"], as_index=False)[["within", "late"]].sum()
    near = reach[reach["settlement_id"].isin(sites) & ~reach["beyond"]].merge(load, on=["school_id", "year", "grade"], how="left")
    near = near.assign(stage=near["grade"].map(_STAGE_OF), seats_walk=near["seats"].where(near["walks"], 0.0))
    sums = near.groupby(stage)[["seats_walk", "seats", "within", "late"]].sum()
    sums = sums.rename(columns={"seats": "seats_near", "within": "pupils_near", "late": "pupils_beyond"})
    own = home[home["settlement_id"].isin(sites)].merge(near[group].drop_duplicates(), on=group, how="left", indicator=True)
    lost = own[own["_merge"] == "left_only"].assign(stage=lambda t: t["grade"].map(_STAGE_OF)).groupby(stage)["pupils"].sum().rename("pupils_out")
    out = out.join(sums, how="outer").join(lost, how="outer").fillna(0.0)
    return out.assign(pupils_near=out["pupils_near"] + out["pupils_out"])


def _walks(times: pd.DataFrame, seats: pd.DataFrame, sites: list[str], standards: Standards) -> pd.Series:
    """Return the walk of the youngest band of each stage to the nearest school with all grades of the band."""
    bands = {"primary": "lower", "junior": "junior"}
    taught = seats.groupby(["school_id", "year", "band"]).size().rename("grades").reset_index()
    taught = taught[taught["grades"] == taught["band"].map({b: len(g) for b, g in BANDS.items()})]
    walk = times[(times["mode"] == "walk") & times["from_id"].isin(sites) & times["band"].isin(list(bands.values()))]
    walk = pd.DataFrame({
        "settlement_id": walk["from_id"].astype("str"), "school_id": walk["to_id"].astype("str"), "band": walk["band"].astype("str"),
        "walk_minutes": judged_minutes(walk, standards),
    }).merge(taught, on=["school_id", "band"])  # fmt: skip
    walk = walk.assign(stage=walk["band"].map({band: stage for stage, band in bands.items()}))
    return walk.groupby(["settlement_id", "year", "stage"])["walk_minutes"].min()


def _arrived(moves: pd.DataFrame | None, places: pd.DataFrame, years: list[int], standards: Standards) -> pd.DataFrame:
    moves = empty("moves") if moves is None else moves
    persons = moves["persons"].fillna(moves["households"] * standards["household.size"])
    village = moves["from_id"].map(places["persons"]) if "persons" in places else pd.Series(np.nan, index=moves.index)
    persons = persons.fillna(village.where(moves["whole_village"].astype(bool)))
    table = pd.DataFrame({"settlement_id": moves["to_id"], "moved": moves["year"], "arrivals": persons.fillna(0.0)})
    table = table.assign(moves_unknown=persons.isna().astype(float)).merge(pd.DataFrame({"year": years}), how="cross")
    return table[table["moved"] <= table["year"]].groupby(["settlement_id", "year"])[["arrivals", "moves_unknown"]].sum()


def _built_for(sites: gpd.GeoDataFrame, schools: gpd.GeoDataFrame) -> pd.Series:
    """Return the school at each site and stage, or nothing."""
    there = schools[schools["status"].isin(["open", "candidate"]) & (schools["kind"] != "special")]
    found = {}
    for site, name, place in zip(sites["settlement_id"], sites["name"], sites.geometry, strict=True):
        short = _ENDING.sub("", str(name))
        words = [w for w in {str(name), short} if len(w) > 1]
        off = there.distance(place)
        named = np.array([any(w in school for w in words) for school in there["name"]], bool)
        near = pd.DataFrame({"school_id": there["school_id"], "first": there["first_grade"], "last": there["last_grade"], "off": off})
        near = near.assign(far=off > _AT_SITE_M)[(off <= _AT_SITE_M) | named].sort_values(["far", "off", "school_id"], kind="stable")
        for stage, grades in _STAGES.items():
            own = near.loc[(near["first"] <= grades[-1]) & (near["last"] >= grades[0]), "school_id"]
            found[site, stage] = str(own.iloc[0]) if len(own) else ""
    return pd.Series(found, dtype="str", name="built_for").rename_axis(["settlement_id", "stage"])


def _prior(site_pupils: pd.DataFrame | None) -> pd.DataFrame:
    table = empty("site_pupils") if site_pupils is None else site_pupils
    # per 1000 persons into pupils
    in_pupils = {c: table[c] * table["persons"] / 1000 for c in ("prior_low", "prior_high")}
    table = table.assign(**in_pupils, outside=table["difference"].abs() > _SMALL)
    return table.set_index(["settlement_id", "year", "stage"])[["prior_low", "prior_high", "outside"]]
