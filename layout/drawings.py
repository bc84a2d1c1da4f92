"""What each layer of a figure holds: marks, lines and legend as tables, before anything is drawn."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from layout import messages
from layout.ground import road_lines
from layout.plan import STATUSES, Outcome, Plan
from layout.privacy import AUDIENCES
from layout.tables import BANDS, band_of, label

#: The layers, in the order of the report.
LAYERS = ("place", "pupils", "minutes", "links", "reach", "classes", "proposals", "sites", "must_stay", "limits")
#: Layers of which a public edition has nothing to show: they count the children of villages.
INTERNAL = ("pupils", "reach")
_TIERS = ("small", "normal", "elevated", "oversized", "super")
#: Dashes of a line by how children travel.
DASHES: Mapping[str, Any] = {"walk": "-", "bus": (0, (5, 2.5)), "board": (0, (1, 2))}
#: Breadth of a road by its class, broadest first.
ROADS = {"motorway": 1.8, "national": 1.6, "provincial": 1.4, "county": 1.1, "township": 0.8, "village": 0.5, "path": 0.4}
# near schools that must not have the colour of a school
_NEAR = 6
_LETTERED = ("keep", "expand", "open", "add_boarding", "change_grades", "convert_to_teaching_point", "reopen", "review_for_merger")
_VERDICTS = ("enough", "short", "no_school_in_reach", "check_pupils", "nobody")
_NO_LINES = ("x0", "y0", "x1", "y1", "look")


@dataclass(frozen=True)
class Look:
    """How a mark is drawn: marker of matplotlib, colours, size in points, and a letter in it or a dash of a line."""

    marker: str = "o"
    fill: str = "#ffffff"
    edge: str = "#333333"
    size: float = 6.0
    letter: str = ""
    dash: str = ""
    weight: float = 0.8


@dataclass(frozen=True)
class Drawing:
    """What a layer shows.

    Parameters
    ----------
    marks
        ``id``, ``x``, ``y`` in metres of the web's Mercator projection, ``beside`` (the how manieth mark of its place, which stand side
        by side), ``look``.
    lines
        ``x0, y0, x1, y1`` in the same metres, ``look``.
    legend
        Look (None for a sentence), words, count with its unit.
    """

    marks: pd.DataFrame
    lines: pd.DataFrame
    legend: Sequence[tuple[Look | None, str, str]]


def layer_drawing(
    plan: Plan, layer: str, *, lang: str = "zh", year: int | None = None, view: str | None = None, band: str = "lower", audience: str = "internal"
) -> Drawing:  # fmt: skip
    """Return the marks, lines and legend of a layer; needs no matplotlib.

    Parameters
    ----------
    plan, layer, lang, year, view, band, audience
        As in :func:`layout.draw_figure`.

    Returns
    -------
    Drawing
        What is drawn, and the legend with units and counts.

    Raises
    ------
    ValueError
        As :func:`layout.draw_figure`.

    Examples
    --------
    >>> drawing = layer_drawing(layout.make_plan(paper, to=2026), "pupils")
    >>> [(words, count) for look, words, count in drawing.legend][-2:]
    [('2026 学年合计', '504 人'), ('有学生的村寨', '5')]
    """
    outcome, year = outcome_of(plan, layer, lang, year, view, band, audience)
    least = int(plan.standards["privacy.small_count"]) if audience == "public" else 0
    makers: Mapping[str, Callable[[_Scene], Drawing]] = {
        "place": _place, "pupils": _pupils, "minutes": _minutes, "links": _links, "reach": _reach, "classes": _classes,
        "proposals": _proposals, "sites": _sites, "must_stay": _must_stay, "limits": _limits,
    }  # fmt: skip
    return makers[layer](_Scene(plan, outcome, year, band, lang, least))


def outcome_of(plan: Plan, layer: str, lang: str, year: int | None, view: str | None, band: str, audience: str) -> tuple[Outcome, int]:
    """Look at what is asked for, and return the view it is of.

    Parameters
    ----------
    plan, layer, lang, year, view, band, audience
        As in :func:`layout.draw_figure`.

    Returns
    -------
    tuple of Outcome and int
        Today or the plan, and the school year.

    Raises
    ------
    ValueError
        As :func:`layout.draw_figure`.

    Examples
    --------
    >>> outcome_of(layout.make_plan(paper, to=2026), "pupils", "zh", None, None, "lower", "internal")[1]
    2026
    """
    for name, value, known in (
        ("layer", layer, LAYERS), ("lang", lang, messages.LANGUAGES), ("band", band, tuple(BANDS)), ("audience", audience, AUDIENCES),
        ("view", view, (None, "today", "planned")),
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(str(k) for k in known)}, not {value!r}")
    if audience == "public" and layer in INTERNAL:
        raise ValueError(messages.text("figures.internal_only", lang, layer=messages.text(f"figures.layer.{layer}", lang)))
    if not len(plan.county.settlements) and not len(plan.schools):
        raise ValueError("the plan has neither a settlement nor a school to draw")
    year = max(plan.years) if year is None else int(year)
    view = view or ("today" if year == plan.county.base_year else "planned")
    outcome = plan.today if view == "today" else plan.planned
    if year not in set(plan.summary.loc[plan.summary["view"] == view, "year"]):
        raise ValueError(f"the plan has no year {year} in the view {view}; it has {', '.join(map(str, plan.years))}")
    return outcome, year


@dataclass(frozen=True)
class _Scene:
    plan: Plan
    outcome: Outcome
    year: int
    band: str
    lang: str
    least: int

    def say(self, key: str, **fields: object) -> str:
        return messages.text(f"maps.{key}", self.lang, **fields)

    @functools.cached_property
    def villages(self) -> pd.DataFrame:
        return points_of(self.plan.county.settlements, "settlement_id")

    @functools.cached_property
    def schools(self) -> pd.DataFrame:
        return points_of(self.plan.schools, "school_id")

    def flows(self) -> pd.DataFrame:
        """Return who goes where; of few children a public figure says neither that they have no place nor that they study elsewhere."""
        rows = self.outcome.assignment
        rows = rows[(rows["year"] == self.year) & (rows["pupils"] > 0)]
        rows = rows.assign(band=rows["grade"].map({g: band_of(g) for grades in BANDS.values() for g in grades}))
        texts = {c: rows[c].astype("str") for c in ("settlement_id", "school_id", "mode", "status")}
        key = ["settlement_id", "band", "school_id", "mode", "status"]
        flows = rows.assign(**texts).groupby(key, as_index=False).agg(pupils=("pupils", "sum"), minutes=("minutes", "max"))
        shown = (flows["status"] == "served") & (flows["mode"] != "seat") | (flows["pupils"] >= self.least)
        return flows[shown].reset_index(drop=True)

    def tally(self, rows: pd.DataFrame) -> str:
        """Say how many children in how many villages; of children nothing in public."""
        places = rows["settlement_id"].nunique()
        if self.least:
            return self.say("unit.villages", v=places)
        return self.say("unit.pupils_villages", n=f"{int(rows['pupils'].sum()):,}", v=places)


def points_of(table: gpd.GeoDataFrame, key: str) -> pd.DataFrame:
    """Return points in the projection of the page.

    Parameters
    ----------
    table
        Points with a name.
    key
        Its column of ids.

    Returns
    -------
    pandas.DataFrame
        x and y in metres of Web Mercator, and name, by id.

    Examples
    --------
    >>> points_of(paper.schools, "school_id")["name"].tolist() == paper.schools["name"].tolist()
    True
    """
    at = table.geometry.to_crs(3857)
    return pd.DataFrame({"x": at.x.to_numpy(), "y": at.y.to_numpy(), "name": table["name"].to_numpy()}, index=table[key].astype("str"))


def _marked(places: pd.DataFrame, looks: Mapping[str, Look] | pd.Series) -> pd.DataFrame:
    """Put looks on places, the first below."""
    ids = [i for i in looks.keys() if i in places.index]  # noqa: SIM118
    there = places.loc[ids]
    return pd.DataFrame({"id": ids, "x": there["x"].to_numpy(), "y": there["y"].to_numpy(), "beside": 0, "look": [looks[i] for i in ids]})


def _drawing(marks: pd.DataFrame, legend: Sequence[tuple[Look | None, str, str]], lines: pd.DataFrame | None = None) -> Drawing:
    return Drawing(marks, pd.DataFrame(columns=list(_NO_LINES)) if lines is None else lines, tuple(legend))


@functools.cache
def colours() -> Mapping[str, str]:
    """Return the colours of the page's style sheet, the one place where they stand.

    Returns
    -------
    dict
        Colours by name.

    Examples
    --------
    >>> colours()["paper"]
    '#fbfaf7'
    """
    style = files("layout").joinpath("assets", "plan_map.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{6})\b", style))


def _place(scene: _Scene) -> Drawing:
    """Show the county itself: its settlements by kind over relief and roads."""
    kinds = scene.plan.county.settlements["kind"].astype("str")
    tints = colours()
    small, town = Look("o", "#ffffff", "#555555", 3.2, weight=0.7), Look("o", tints["quiet"], "#ffffff", 6.0)
    looks = {"village": small, "hamlet": replace(small, size=2.4), "town": town,
             "county_seat": Look("*", tints["stamp"], "#ffffff", 15.0), "relocation": Look("p", tints["move"], "#ffffff", 9.0)}  # fmt: skip
    there = [kind for kind in looks if (kinds == kind).any()]
    ids = scene.plan.county.settlements["settlement_id"].astype("str")
    marks = _marked(scene.villages, {i: looks[kind] for kind in there for i in sorted(ids[kinds == kind])})
    legend: list[tuple[Look | None, str, str]] = [
        (looks[kind], label("settlements", "kind", kind, scene.lang), f"{int((kinds == kind).sum()):,}") for kind in reversed(there)
    ]
    roads = scene.plan.county.roads
    if roads is not None and len(roads.edges):
        classes = [cls for cls, _, _ in road_lines(roads.edges)]
        legend += [(Look("-", "", tints[f"road-{c}"], dash="bus" if c == "path" else "walk", weight=ROADS[c] * 1.4),
                    messages.text(f"maps.road.{c}", scene.lang), "") for c in ROADS if c in classes]  # fmt: skip
    return _drawing(marks, legend)


def _limits(scene: _Scene) -> Drawing:
    """Show where no school may stand, which sites that turned down, and which are left."""
    plan, tints = scene.plan, colours()
    looks = {"kept": Look("D", tints["must-stay"], "#ffffff", 5.5), "rejected": Look("X", tints["stamp"], "#ffffff", 7.0)}
    edges = {True: Look("-", "", tints["stamp"], dash="walk", weight=1.6), False: Look("-", "", tints["review"], dash="bus", weight=1.2)}
    parts, looks_of = [], []
    for name, table in (("kept", plan.candidates), ("rejected", plan.rejected.drop_duplicates("school_id"))):
        parts.append(points_of(table, "school_id"))
        looks_of.append({i: looks[name] for i in parts[-1].index})
    marks = pd.concat([_marked(part, own) for part, own in zip(parts, looks_of, strict=True)], ignore_index=True)
    rows = []
    areas = plan.county.exclusions
    for shape, hard in zip(areas.geometry.to_crs(3857) if len(areas) else [], areas["hard"], strict=True):
        for part in getattr(shape, "geoms", [shape]):
            at = np.asarray(part.exterior.coords)
            rows += [(*one, *other, edges[bool(hard)]) for one, other in zip(at[:-1, :2], at[1:, :2], strict=True)]
    said = {key: messages.text(f"figures.legend.{key}", scene.lang) for key in ("kept", "rejected", "hard", "soft", "limits")}
    legend: list[tuple[Look | None, str, str]] = [
        (looks["kept"], said["kept"], scene.say("unit.sites", n=len(parts[0]))),
        (looks["rejected"], said["rejected"], scene.say("unit.sites", n=len(parts[1]))),
        *((edges[hard], said["hard" if hard else "soft"], f"{int((areas['hard'] == hard).sum()):,}") for hard in (True, False) if len(areas)),
        (None, said["limits"], ""),
    ]  # fmt: skip
    return _drawing(marks, legend, pd.DataFrame(rows, columns=list(_NO_LINES)))


def _pupils(scene: _Scene) -> Drawing:
    flows = scene.flows()
    counts = flows.groupby("settlement_id")["pupils"].sum()
    own = scene.plan.today.assignment
    every_year = pd.concat([own, scene.plan.planned.assignment])
    # one scale for all years, so that two figures may be laid beside each other
    peak = max(1, int(every_year.groupby(["settlement_id", "year", "grade", "attends", "school_id", "mode", "status"], observed=True)["pupils"]
                      .max().groupby(["settlement_id", "year"], observed=True).sum().max() if len(every_year) else 1))  # fmt: skip
    tint = colours()["pupils"]

    def look(count: float) -> Look:
        return Look("o", tint + "88", tint, round(2.5 + 22 * (max(count, 0) / peak) ** 0.5, 2))

    looks = {str(i): look(n) for i, n in counts.sort_values(ascending=False, kind="stable").items()}
    steps = sorted({max(1, round(n / 50) * 50 if n > 100 else round(n / 5) * 5) for n in (peak, peak / 4, peak / 20)}, reverse=True)
    legend: list[tuple[Look | None, str, str]] = [(look(n), scene.say("legend.pupils", n=f"{n:,}"), "") for n in steps]
    legend += [(None, scene.say("legend.total", year=scene.year), scene.say("unit.pupils", n=f"{int(counts.sum()):,}")),
               (None, scene.say("legend.villages"), str(len(counts)))]  # fmt: skip
    return _drawing(_marked(scene.villages, looks), legend)


def _minutes(scene: _Scene) -> Drawing:
    """Draw the slowest day child of each village; boarders alone and children without a school apart."""
    flows = scene.flows()
    home = flows[(flows["band"] == scene.band) & (flows["mode"] != "seat") & (flows["status"] != "away")]
    walk, bus = (scene.plan.standards.limit(mode, scene.band) for mode in ("walk", "bus"))
    breaks = [round(walk / 3), round(2 * walk / 3), round(walk), round(1.5 * walk)]
    day = home[home["mode"].isin(["walk", "bus"])].groupby("settlement_id")["minutes"].max()
    lost = set(home.loc[home["school_id"] == "", "settlement_id"])
    beyond = set(home.loc[home["status"] == "beyond_limit", "settlement_id"])
    of = {i: (int(sum(day[i] > b for b in breaks)) if i in day.index else 6 if i in lost else 5) for i in home["settlement_id"].unique()}
    tints = colours()
    looks = [Look("o", tints[f"minutes-{i + 1}"], "#445566", 6.5) for i in range(5)]
    looks += [Look("o", tints["boarding"], "#333333", 5.5), Look("X", "#ffffff", tints["no_route"], 6.5, weight=1.4)]
    late = [Look("D", tints[f"minutes-{i + 1}"], "#111111", 6.0, weight=1.4) for i in range(5)]
    order = sorted(of, key=lambda i: (of[i] in (5, 6), of[i], i))
    marks = _marked(scene.villages, {i: late[of[i]] if i in beyond and of[i] < 5 else looks[of[i]] for i in order})
    words = [scene.say("minutes.upto", to=breaks[0]), scene.say("minutes.range", **{"from": breaks[0]}, to=breaks[1]),
             scene.say("minutes.limit", **{"from": breaks[1]}, to=breaks[2]), scene.say("minutes.range", **{"from": breaks[2]}, to=breaks[3]),
             scene.say("minutes.over", **{"from": breaks[3]}), scene.say("legend.boards"), scene.say("legend.lost")]  # fmt: skip
    shown = [late[i] if i in (3, 4) else looks[i] for i in range(7)]
    kinds = home["settlement_id"].map(of)
    legend: list[tuple[Look | None, str, str]] = [(shown[i], words[i], scene.tally(home[kinds == i])) for i in range(7)]
    legend.append((None, scene.say("legend.diamond", walk=f"{walk:g}", bus=f"{bus:g}"), ""))
    return _drawing(marks, legend)


def _links(scene: _Scene) -> Drawing:
    flows = scene.flows()
    sent = flows[(flows["band"] == scene.band) & (flows["school_id"] != "") & flows["mode"].isin(list(DASHES))]
    tint = _school_colours(scene.schools)
    homes, schools = ({i: (x, y) for i, x, y in zip(t.index, t["x"], t["y"], strict=True)} for t in (scene.villages, scene.schools))
    rows = [
        (*homes[home], *schools[school], Look("-", "", tint[school], dash=mode, weight=1.2))
        for home, school, mode in zip(sent["settlement_id"], sent["school_id"], sent["mode"], strict=True)
        if home in homes and school in schools
    ]
    attended = set(sent["school_id"].tolist())
    used = [i for i in scene.schools.index if i in attended]
    marks = _marked(scene.schools, {i: Look("s", tint[i], "#222222", 6.0) for i in used})
    lines = pd.DataFrame(rows, columns=list(_NO_LINES))
    grey = "#444444"
    legend: list[tuple[Look | None, str, str]] = [
        (Look("-", "", grey, dash=mode, weight=1.4), label("assignment", "mode", mode, scene.lang), scene.tally(sent[sent["mode"] == mode]))
        for mode in DASHES
    ]
    legend += [(Look("s", colours()["school-1"], "#222222", 6.0), messages.text("figures.legend.school", scene.lang),
                scene.say("unit.schools", n=len(used))), (None, scene.say("legend.links"), "")]  # fmt: skip
    return _drawing(marks, legend, lines)


def _school_colours(schools: pd.DataFrame) -> dict[str, str]:
    """Give neighbouring schools different colours: the one least used among the nearest already coloured."""
    palette = [colours()[f"school-{i}"] for i in range(1, 9)]
    given: list[int] = []
    at = schools[["x", "y"]].to_numpy()
    for i in range(len(at)):
        away = np.hypot(*(at[:i] - at[i]).T)
        near = np.argsort(away, kind="stable")[:_NEAR]
        used = np.bincount([given[j] for j in near], minlength=len(palette))
        given.append(int(np.argmin(used)))
    return {i: palette[k] for i, k in zip(schools.index, given, strict=True)}


def _reach(scene: _Scene) -> Drawing:
    """Draw the worst that befalls a village's children: no way, beyond the limit, no bed, no seat; else that all are served."""
    flows = scene.flows()
    tints = colours()
    looks = {
        "served": Look("o", tints["part-served"], "#557788", 4.5), "no_seat": Look("v", tints["no_seat"], "#222222", 7.0),
        "no_bed": Look("^", tints["no_bed"], "#222222", 7.0), "beyond_limit": Look("D", tints["beyond_limit"], "#222222", 6.0),
        "no_route": Look("X", tints["no_route"], "#222222", 7.5), "away": Look("o", "#ffffff", "#999999", 3.0),
    }  # fmt: skip
    rank = {status: i for i, status in enumerate(("away", "served", "no_seat", "no_bed", "beyond_limit", "no_route"))}
    worst = flows.assign(rank=flows["status"].map(rank)).groupby("settlement_id")["rank"].max()
    names = {i: status for status, i in rank.items()}
    marks = _marked(scene.villages, {str(i): looks[names[r]] for i, r in worst.sort_values(kind="stable").items()})
    legend: list[tuple[Look | None, str, str]] = [
        (looks[s], label("assignment", "status", s, scene.lang), scene.tally(flows[flows["status"] == s])) for s in STATUSES
    ]
    legend += [(None, messages.text("figures.legend.reach", scene.lang), "")]
    return _drawing(marks, legend)


def _tier_looks() -> dict[str, Look]:
    tints = colours()
    shapes = {"none": ("s", 4.0), "small": ("s", 5.0), "normal": ("s", 6.0), "elevated": ("s", 7.0), "oversized": ("D", 7.5), "super": ("*", 13.0)}
    return {tier: Look(marker, tints[f"tier-{tier}"], "#222222", size) for tier, (marker, size) in shapes.items()}


def _classes(scene: _Scene) -> Drawing:
    tiers, looks = _tiers(scene), _tier_looks()
    order = sorted(tiers, key=lambda i: (["none", *_TIERS].index(tiers[i]), i))
    marks = _marked(scene.schools, {i: looks[tiers[i]] for i in order})
    standards = scene.plan.standards
    numbers = {"small": standards["class_size.small.max"], "elevated": standards["class_size.elevated.max"],
               "oversized": standards["class_size.oversize.min"], "super": standards["class_size.super_oversize.min"]}  # fmt: skip
    said = {tier: scene.say(f"tier.{tier}", **{k: int(v) for k, v in numbers.items()}) for tier in _TIERS} | {"none": scene.say("legend.no_class")}
    counts = pd.Series(tiers).value_counts()
    legend: list[tuple[Look | None, str, str]] = [
        (looks[tier], said[tier], scene.say("unit.schools", n=int(counts.get(tier, 0)))) for tier in (*reversed(_TIERS), "none")
    ]
    rows = scene.outcome.classes[scene.outcome.classes["year"] == scene.year]
    big = rows[["oversized_classes", "super_classes"]].sum()
    legend.append((None, scene.say("legend.oversized", n=int(big.iloc[0]), m=int(big.iloc[1])), ""))
    return _drawing(marks, legend)


def _tiers(scene: _Scene) -> dict[str, str]:
    """Return the tier of the largest class of each school, ``none`` of an open one without a class."""
    rows = scene.outcome.classes[scene.outcome.classes["year"] == scene.year]
    years = scene.outcome.school_years
    there = years[years["year"] == scene.year] if len(years) else scene.plan.county.schools
    tiers = dict.fromkeys(there.loc[there["status"] == "open", "school_id"].astype("str"), "none")
    largest = rows.sort_values(["school_id", "largest_class"], ascending=[True, False], kind="stable").drop_duplicates("school_id")
    return tiers | dict(zip(largest["school_id"].astype("str"), largest["tier"].astype("str"), strict=True))


def _proposals(scene: _Scene) -> Drawing:
    proposals = scene.plan.proposals
    # what stands by the year of the figure
    rows = proposals[proposals["year"] <= scene.year]
    tints = colours()
    tint = {"open": "proposal-open", "reopen": "proposal-open", "review_for_merger": "proposal-review"}
    looks = {
        action: Look("s" if action == "review_for_merger" else "o", tints[tint.get(action, "proposal")], "#ffffff", 9.0 if action == "keep" else 12.0,
                     letter=scene.say(f"letter.{action}"))
        for action in _LETTERED
    }  # fmt: skip
    at = rows.geometry.to_crs(3857)
    marks = pd.DataFrame({"id": rows["school_id"].astype("str"), "x": at.x, "y": at.y, "action": rows["action"].astype("str")})
    # an action of several years has one mark, several actions at one school stand side by side
    marks = marks.drop_duplicates(["id", "action"])
    marks = marks.assign(beside=marks.groupby("id").cumcount(), rank=marks["action"].map({"keep": 0, "review_for_merger": 1}).fillna(2))
    marks = marks.sort_values(["rank", "id", "beside"], kind="stable").assign(look=marks["action"].map(looks))
    counts = rows["action"].value_counts()
    legend: list[tuple[Look | None, str, str]] = [
        (looks[action], label("proposals", "action", action, scene.lang), scene.say("unit.items", n=int(counts.get(action, 0))))
        for action in ("open", "reopen", "expand", "add_boarding", "change_grades", "convert_to_teaching_point", "review_for_merger", "keep")
    ]
    built = rows[rows["action"] != "keep"]
    legend.append((None, messages.text("figures.legend.built", scene.lang, year=scene.year, rooms=int(built["rooms"].sum())), ""))
    if not scene.least:
        beds, money = int(built["beds"].sum()), built["cost_yuan"].sum() / 1e4
        legend.append((None, messages.text("figures.legend.money", scene.lang, beds=f"{beds:,}", money=f"{money:,.0f}"), ""))
    return _drawing(marks[["id", "x", "y", "beside", "look"]].reset_index(drop=True), legend)


def _sites(scene: _Scene) -> Drawing:
    county = scene.plan.county
    moves = county.moves[county.moves["year"] <= scene.year]
    ids = set(county.settlements.loc[county.settlements["kind"] == "relocation", "settlement_id"].astype("str")) | set(moves["to_id"].astype("str"))
    tints = colours()
    verdicts = scene.plan.findings.site_verdicts
    own = verdicts[(verdicts["year"] == scene.year) & (verdicts["stage"] == "primary")] if not scene.least else verdicts.iloc[:0]
    found = dict(zip(own["settlement_id"].astype("str"), own["verdict"].astype("str"), strict=True))
    looks = {v: Look("o" if v in ("enough", "nobody") else "s", tints[f"verdict-{v}"], "#ffffff", 12.0, letter=scene.say(f"letter.{v}"))
             for v in _VERDICTS}  # fmt: skip
    plain = Look("p", tints["move"], "#ffffff", 10.0)
    marks = _marked(scene.villages, {i: looks[found[i]] if i in found else plain for i in sorted(ids)})
    way = Look("-", "", tints["move"], dash="move", weight=1.1)
    rows = []
    for one, other in sorted(set(zip(moves["from_id"].astype("str"), moves["to_id"].astype("str"), strict=True))):
        if one in scene.villages.index and other in scene.villages.index:
            rows.append((*scene.villages.loc[one, ["x", "y"]], *scene.villages.loc[other, ["x", "y"]], way))
    legend: list[tuple[Look | None, str, str]] = [
        (looks[v], label("site_verdicts", "verdict", v, scene.lang), scene.say("unit.sites", n=list(found.values()).count(v)))
        for v in _VERDICTS if found
    ]  # fmt: skip
    legend.append((plain, messages.text("figures.legend.site", scene.lang), scene.say("unit.sites", n=len(ids - set(found)))))
    legend.append((way, messages.text("figures.legend.way", scene.lang), messages.text("figures.legend.moves", scene.lang, n=len(rows))))
    if found:
        stage = label("site_verdicts", "stage", "primary", scene.lang)
        legend.append((None, scene.say("legend.site_seats", year=scene.year, stage=stage), ""))
    return _drawing(marks, legend, pd.DataFrame(rows, columns=list(_NO_LINES)))


def _must_stay(scene: _Scene) -> Drawing:
    plan, tints = scene.plan, colours()
    stay = set(plan.must_stay.loc[plan.must_stay["year"] == scene.year, "school_id"].astype("str"))
    review = plan.findings.review_list
    under = set(review.loc[review["year"] == scene.year, "school_id"].astype("str")) - stay
    others = set(_tiers(scene)) - stay - under
    looks = {"other": Look("s", tints["tier-normal"], "#555555", 4.0), "review": Look("s", "#ffffff", tints["review"], 9.0, weight=2.0),
             "stay": Look("o", "#ffffff", tints["must-stay"], 10.0, weight=2.4)}  # fmt: skip
    order = [*((i, "other") for i in sorted(others)), *((i, "review") for i in sorted(under)), *((i, "stay") for i in sorted(stay))]
    legend: list[tuple[Look | None, str, str]] = [
        (looks["stay"], scene.say("legend.must_stay"), scene.say("unit.schools", n=len(stay))),
        (looks["review"], scene.say("legend.review"), scene.say("unit.schools", n=len(under))),
        (looks["other"], messages.text("figures.legend.other_school", scene.lang), scene.say("unit.schools", n=len(others))),
        (None, scene.say("legend.review_note"), ""),
    ]
    return _drawing(_marked(scene.schools, {i: looks[kind] for i, kind in order}), legend)
