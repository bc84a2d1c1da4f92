"""The rows of the proposals: figures, reasons in two languages, clauses and the steps that people must take first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from layout import messages
from layout.buildings import bed_cost, room_cost
from layout.candidates import clause_of
from layout.county import County
from layout.siting import Form, Model, Site
from layout.standards import Standards
from layout.tables import BANDS, band_of, label

# villages that a reason names; the others are counted
_NAMED = 5
# a share of a demand below this is rounding error
_SHARE = 1e-6
_OPENING = 0.5


@dataclass(frozen=True)
class Served:
    """The answer of the search for a year: the model, columns of buildings, columns of who goes where, pupils by site and grade."""

    model: Model
    built: np.ndarray
    settled: np.ndarray
    loads: pd.DataFrame
    year: int


@dataclass(frozen=True)
class _Site:
    """What became of one site."""

    number: int
    site: Site
    form: Form
    name: str
    township: str
    flows: pd.DataFrame
    rooms: int
    beds: int
    flags: str

    @property
    def place(self) -> str:
        """Name of the school with its township, unless it says so itself."""
        return self.name if not self.township or self.name.startswith(self.township.rstrip("乡镇街道")) else self.township + self.name


_Part = tuple[str, Mapping[str, object]]
# action, parts of its reason, clauses, gates, yuan
_Found = tuple[str, list[_Part], list[str], list[str], float]


def reason_rows(
    county: County,
    candidates: gpd.GeoDataFrame,
    served: Served,
    needed: pd.DataFrame,
    standards: Standards,
    *,
    assignment: pd.DataFrame | None = None,
) -> gpd.GeoDataFrame:
    """Write one row for every site that is opened, expanded, equipped with beds, or must stay.

    Parameters
    ----------
    county
        Names, positions and assumptions.
    candidates
        Table ``candidates``.
    served
        Answer of the search.
    needed
        Children of grades 1 to 3 that only one small school keeps within the limit: school_id, settlement_id, pupils,
        next_minutes.
    standards
        Figures that reasons quote.
    assignment
        Who goes where once the proposals stand, so that reasons quote the children of the plan; None takes the shares of the
        search.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns of the table ``proposals``; no rows where nothing is proposed.
    """
    about = ["school_id", "name", "township_id", "geometry", "flags"]
    places = pd.concat([county.schools.assign(flags="")[about], candidates[about]])
    places = places.drop_duplicates("school_id", keep="last").set_index("school_id")
    assumed = {str(c) for t, c in zip(county.assumptions["table"], county.assumptions["column"], strict=True) if t == "schools"}
    townships = dict(zip(county.townships["township_id"], county.townships["name"], strict=True))
    villages = dict(zip(county.settlements["settlement_id"], county.settlements["name"], strict=True))
    flows = _flows(served) if assignment is None else _placed(served, assignment)
    rows: list[dict[str, object]] = []
    for k, site in enumerate(served.model.sites):
        form = _form(served, k)
        if form is None:
            continue
        place = places.loc[site.school_id]
        there = _Site(
            k, site, form, str(place["name"]), str(townships.get(place["township_id"], "")), flows[flows["site"] == k], *_added(served, k),
            str(place["flags"]),
        )  # fmt: skip
        found = [_opened(there, served, standards, assumed)] if not site.existing else []
        if site.existing and there.rooms:
            found.append(_expanded(there, served, standards, assumed))
        if site.existing and there.beds:
            found.append(_boarding(there, served, standards, assumed))
        if site.existing and (needed["school_id"] == site.school_id).any():
            found.append(_kept(there, needed[needed["school_id"] == site.school_id], villages, standards))
        rows += [_row(there, served, place["geometry"], each) for each in found]
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=county.crs) if rows else gpd.GeoDataFrame(rows)


def _flows(served: Served) -> pd.DataFrame:
    """Return who goes where: site, settlement, band, mode, pupils, minutes, and the minutes and lateness by day before any change."""
    model = served.model
    table = model.flows.assign(share=served.settled[: len(model.flows)], existing=[model.sites[k].existing for k in model.flows["site"]])
    day = table[table["existing"] & table["mode"].isin(["walk", "bus"])].sort_values(["demand", "beyond", "excess", "minutes", "site"], kind="stable")
    before = day.drop_duplicates("demand").set_index("demand")
    demand = table["demand"]
    total = model.demands["total"].to_numpy(float)
    table = table.assign(
        pupils=table["share"] * total[demand.to_numpy(int)], before=demand.map(before["minutes"]),
        late=demand.map(before["beyond"]).astype("object").fillna(True).astype(bool),
        settlement_id=model.demands["settlement_id"].to_numpy()[demand.to_numpy(int)], band=model.demands["band"].to_numpy()[demand.to_numpy(int)],
    )  # fmt: skip
    return table[table["share"] > _SHARE].reset_index(drop=True)


def _placed(served: Served, assignment: pd.DataFrame) -> pd.DataFrame:
    """Return the same columns from an assignment: whole children instead of shares."""
    model = served.model
    names = {site.school_id: k for k, site in enumerate(model.sites)}
    table = assignment[(assignment["year"] == served.year) & assignment["school_id"].isin(names)]
    table = table.assign(site=table["school_id"].map(names), band=[band_of(g) for g in table["grade"]])
    day = model.flows.assign(
        existing=[model.sites[k].existing for k in model.flows["site"]],
        settlement_id=model.demands["settlement_id"].to_numpy()[model.flows["demand"]],
        band=model.demands["band"].to_numpy()[model.flows["demand"]],
    )  # fmt: skip
    day = day[day["existing"] & day["mode"].isin(["walk", "bus"])].sort_values(["beyond", "excess", "minutes", "site"], kind="stable")
    before = day.drop_duplicates(["settlement_id", "band"])[["settlement_id", "band", "minutes", "beyond"]]
    out = table.merge(before.rename(columns={"minutes": "before", "beyond": "late"}), on=["settlement_id", "band"], how="left")
    return out.assign(late=out["late"].astype("object").fillna(True).astype(bool))


def _form(served: Served, number: int) -> Form | None:
    at = served.model.at["forms"]
    return next((f for i, (k, f) in enumerate(served.model.forms) if k == number and served.built[at + i] > _OPENING), None)


def _added(served: Served, number: int) -> tuple[int, int]:
    """Return the rooms and beds that a site gets."""
    model, at, built = served.model, served.model.at, served.built
    rooms = built[at["rooms"] + number]
    if not model.sites[number].existing:
        rooms += sum(built[at["classes"] + j] for j, (i, _) in enumerate(model.classes) if model.forms[i][0] == number)
        rooms += sum(len(f.runs) for i, (k, f) in enumerate(model.forms) if k == number and built[at["forms"] + i] > _OPENING)
    return round(float(rooms)), round(float(built[at["beds"] + number]))


def _opened(there: _Site, served: Served, standards: Standards, assumed: set[str]) -> _Found:
    home = there.flows[there.flows["mode"] != "seat"]
    pupils, seat = _count(home), _count(there.flows[there.flows["mode"] == "seat"])
    parts: list[_Part] = [("open.what", {
        "place": there.place, "first": there.form.grades[0], "last": there.form.grades[-1], "rooms": there.rooms,
        "year": served.year, "role": there.form.role,
    })]  # fmt: skip
    if pupils:
        parts.append(("open.who", {"villages": home["settlement_id"].nunique(), "pupils": pupils}))
    late = _count(home[home["late"]])
    parts += [("open.late", {"late": late})] if late else [("open.full", {})] if pupils else []
    walks = home[home["mode"].isin(["walk", "bus"]) & home["before"].notna()]
    if _count(walks):
        before, after = (float(np.average(walks[c], weights=walks["pupils"])) for c in ("before", "minutes"))
        parts.append(("open.minutes", {"pupils": _count(walks), "before": round(before), "after": round(after)}))
    parts += [("open.seat", {"seat": seat})] if seat else []
    parts += [("open.beds", {"beds": there.beds})] if there.beds else []
    # rooms of the schools around decide whether a new one is needed
    parts += [("assumed.rooms", {})] if "rooms" in assumed else []
    clauses = ["law.school_plan", *(["layout.village_primary"] if there.form.grades[0] == 1 else []), *_limits(home, standards), *_sizes(there.form)]
    clauses += [f"layout.min_pupils.{r}" for r in _roles(there.form.role)] + (["law.boarding"] if there.beds else []) + ["decision.notice.min"]
    gates = ["public_notice", "hear_parents", "site_survey"]
    layers = [layer for layer in there.flags.split(";") if layer]
    clauses += [clause for clause in (clause_of(layer, standards) for layer in layers) if clause]
    gates += ["risk_assessment"] if layers else []
    cost = standards["cost.build.site"] + there.rooms * _mean_room(there, served, standards) + there.beds * bed_cost(there.form, standards)
    return "open", parts, clauses, gates, cost


def _expanded(there: _Site, served: Served, standards: Standards, assumed: set[str]) -> _Found:
    pupils = _count(there.flows)
    sizes = sorted({standards.class_size(g, incomplete=there.form.incomplete, year=served.year) for g in there.form.grades})
    parts: list[_Part] = [("expand.what", {
        "place": there.place, "year": served.year, "pupils": pupils, "rooms": there.site.rooms,
        "needed": there.site.rooms + there.rooms, "more": there.rooms, "standard": "/".join(str(s) for s in sizes),
    })]  # fmt: skip
    home = there.flows[there.flows["mode"] != "seat"]
    parts += [("expand.villages", {"villages": home["settlement_id"].nunique(), "pupils": _count(home)})] if len(home) else []
    parts += [("assumed.rooms", {})] if "rooms" in assumed else []
    cost = there.rooms * room_cost(there.site.forms[0], None, standards)
    return "expand", parts, ["law.school_plan", *_sizes(there.form)], ["site_survey"], cost


def _boarding(there: _Site, served: Served, standards: Standards, assumed: set[str]) -> _Found:
    board = there.flows[there.flows["mode"] == "board"]
    grades = [g for g in there.form.grades if standards.may_board(g) and band_of(g) in set(board["band"])] or list(there.form.grades)
    parts: list[_Part] = [("beds.what", {
        "first": grades[0], "last": grades[-1],
        "place": there.place, "year": served.year, "have": there.site.beds, "beds": there.beds,
        "boarders": _count(board), "villages": board["settlement_id"].nunique(), "week": round(float(board["minutes"].max())) if len(board) else 0,
    })]  # fmt: skip
    late = _count(board[board["late"]])
    parts += [("beds.late", {"late": late})] if late else []
    parts += [("assumed.beds", {})] if "beds" in assumed else []
    bands = {b for b in board["band"]}
    clauses = ["law.boarding", *(["layout.g4_6.boarding"] if "upper" in bands else []), *(["layout.g7_9.boarding"] if "junior" in bands else [])]
    cost = there.beds * bed_cost(there.form, standards)
    return "add_boarding", parts, [*clauses, "boarding.bed", "travel.limit.week"], ["hear_parents", "boarding_check"], cost


def _kept(there: _Site, needed: pd.DataFrame, villages: Mapping[str, str], standards: Standards) -> _Found:
    names = list(dict.fromkeys(str(villages[s]) for s in needed["settlement_id"]))
    fields = {
        "name": there.name, "pupils": int(needed["pupils"].sum()), "villages": needed["settlement_id"].nunique(),
        "names": names[:_NAMED], "limit": round(standards.limit("walk", "lower")),
    }  # fmt: skip
    parts: list[_Part] = [("keep.what", fields)]
    none = int(needed.loc[needed["next_minutes"].isna(), "pupils"].sum())
    if needed["next_minutes"].notna().any():
        parts.append(("keep.next", {"next": round(float(needed["next_minutes"].max())), "limit": fields["limit"]}))
    parts += [("keep.none", {"none": none})] if none else []
    return "keep", parts, ["layout.merge.principle", "travel.limit.walk.lower", "law.right.nearby"], [], 0.0


def _row(there: _Site, served: Served, position: object, found: _Found) -> dict[str, object]:
    action, parts, clauses, gates, cost = found
    return {
        "school_id": there.site.school_id, "year": served.year, "action": action, "role": there.form.role, "first_grade": there.form.grades[0],
        "last_grade": there.form.grades[-1], "rooms": there.rooms if action in ("open", "expand") else 0,
        "beds": there.beds if action in ("open", "add_boarding") else 0, "cost_yuan": round(cost), "pupils": _count(there.flows),
        "reason_zh": _say(parts, "zh"), "reason_en": _say(parts, "en"), "clauses": ";".join(dict.fromkeys(clauses)), "gates": ";".join(gates),
        "geometry": position,
    }  # fmt: skip


def _say(parts: Sequence[_Part], lang: str) -> str:
    said = []
    for key, fields in parts:
        words = {k: label("schools", "kind", str(v), lang) if k == "role" else v for k, v in fields.items()}
        if "names" in words:
            names = list(words["names"])  # type: ignore[call-overload]
            words["names"] = ("、" if lang == "zh" else ", ").join(names)
        said.append(messages.text(f"placement.{key}", lang, **words))
    return ("" if lang == "zh" else " ").join(said)


def _count(flows: pd.DataFrame) -> int:
    return round(float(flows["pupils"].sum()))


def _mean_room(there: _Site, served: Served, standards: Standards) -> float:
    """Return the mean cost of a new school's rooms, by the classes of each grade."""
    model, at = served.model, served.model.at
    if there.form.runs:
        return room_cost(there.form, None, standards)
    mine = [(g, served.built[at["classes"] + j]) for j, (i, g) in enumerate(model.classes) if model.forms[i] == (there.number, there.form)]
    return float(np.average([room_cost(there.form, g, standards) for g, _ in mine], weights=[n for _, n in mine]))


def _limits(home: pd.DataFrame, standards: Standards) -> list[str]:
    pairs = sorted(set(zip(home["mode"], home["band"], strict=True)), key=lambda p: (p[0], list(BANDS).index(p[1])))
    return [key for key in (f"travel.limit.{m}.{b}" for m, b in pairs) if key in standards.rules]


def _sizes(form: Form) -> list[str]:
    if form.incomplete:
        return ["class_size.mixed.max_pupils"] if form.runs else ["class_size.design.primary_incomplete"]
    parts = {"primary": (*BANDS["lower"], *BANDS["upper"]), "junior": BANDS["junior"]}
    return [f"class_size.yzjh.{part}.max" for part, grades in parts.items() if set(grades) & set(form.grades)]


def _roles(role: str) -> tuple[str, ...]:
    return ("primary", "junior") if role == "nine_year" else (role,)
