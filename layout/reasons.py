"""The rows of the proposals: figures, reasons in two languages, clauses and the steps that people must take first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from layout import messages
from layout.built import Built, formed_at, role_at
from layout.candidates import clause_of
from layout.county import County
from layout.gates import Fading
from layout.marginal import Loss, loss_without, next_best, yearly_money
from layout.programme import Model, bed_year, grade_sums, room_year, site_year
from layout.standards import Standards
from layout.tables import BANDS, band_of, label
from layout.whereabouts import mean_minutes

# villages that a reason names; the others are counted
_NAMED = 5
# a change of fewer minutes is not named
_MINUTE = 0.5


@dataclass(frozen=True)
class Served:
    """The plan that reasons speak of: the model, what is built, where the children are (:func:`layout.whereabouts.whereabouts`)."""

    model: Model
    built: Built
    people: pd.DataFrame


@dataclass(frozen=True)
class _Place:
    """A site in words."""

    number: int
    school_id: str
    name: str
    township: str
    flags: str
    origin: str
    position: object

    @property
    def title(self) -> str:
        """Name of the school with its township, unless it says so itself."""
        if not self.township or self.name.startswith(self.township.rstrip("乡镇街道")):
            return self.name
        # letters need a gap, characters none
        return self.township + ("" if self.township[-1] >= "\u2e80" else " ") + self.name


_Part = tuple[str, Mapping[str, object]]


@dataclass(frozen=True)
class _Found:
    """One proposal before it is written: its year (position), what is added, what it costs, its words, clauses and gates."""

    action: str
    at: int
    parts: Sequence[_Part]
    clauses: Sequence[str]
    gates: Sequence[str]
    rooms: int = 0
    beds: int = 0
    yuan: float = 0.0
    yuan_a_year: float = 0.0
    needed_to: int | None = None


def reason_rows(
    county: County, candidates: gpd.GeoDataFrame, served: Served, needed: pd.DataFrame, fading: Sequence[Fading], standards: Standards
) -> gpd.GeoDataFrame:
    """Write one row for everything that is opened, added, changed, kept or looked at.

    Parameters
    ----------
    county
        Names, positions and assumptions.
    candidates
        Table ``candidates``.
    served
        The plan.
    needed
        Children of grades 1 to 3 that only one small school keeps within the limit: school_id, year, settlement_id, pupils,
        next_minutes.
    fading
        Schools that are to be looked at.
    standards
        Figures that reasons quote.

    Returns
    -------
    geopandas.GeoDataFrame
        Columns of the table ``proposals``; no rows where nothing is proposed.
    """
    words = _words_of(county, candidates, served, standards)
    rows: list[dict[str, object]] = []
    for k, site in enumerate(served.model.sites):
        place = words.place(k)
        if place is None:
            continue
        found = _existing(words, place) if site.existing else _new(words, place)
        if site.existing and (needed["school_id"] == site.school_id).any():
            found.append(_kept(words, place, needed[needed["school_id"] == site.school_id]))
        found += [_faded(words, place, each) for each in fading if each.site == k]
        rows += [_row(words, place, each) for each in found]
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=county.crs) if rows else gpd.GeoDataFrame(rows)


@dataclass(frozen=True)
class _Words:
    """Names and figures that reasons look up; ``loads`` are pupils by site, plan year and grade, ``by_site`` the people of a site and year."""

    served: Served
    standards: Standards
    places: pd.DataFrame
    assumed: frozenset[str]
    townships: Mapping[str, str]
    villages: Mapping[str, str]
    loads: np.ndarray
    by_site: Mapping[tuple[int, int], pd.DataFrame]

    @property
    def model(self) -> Model:
        """Return what the plan is about."""
        return self.served.model

    @property
    def built(self) -> Built:
        """Return the plan."""
        return self.served.built

    def place(self, k: int) -> _Place | None:
        school = self.model.sites[k].school_id
        if school not in self.places.index:
            return None
        row = self.places.loc[school]
        township = str(self.townships.get(str(row["township_id"]), ""))
        return _Place(k, school, str(row["name"]), township, str(row["flags"]), str(row["origin"]), row["geometry"])

    def people(self, k: int, t: int) -> pd.DataFrame:
        return self.by_site.get((k, t), self.served.people.iloc[:0])

    def year(self, t: int) -> int:
        return self.model.horizon.years[t]

    def ends(self, t: int) -> int:
        """Return the last school year that a plan year speaks for."""
        return self.year(t) + self.model.horizon.weights[t] - 1


def _words_of(county: County, candidates: gpd.GeoDataFrame, served: Served, standards: Standards) -> _Words:
    about = ["school_id", "name", "township_id", "geometry", "flags", "origin"]
    places = pd.concat([county.schools.assign(flags="", origin="")[about], candidates[about]])
    return _Words(
        served, standards, places.drop_duplicates("school_id", keep="last").set_index("school_id"),
        frozenset(str(c) for t, c in zip(county.assumptions["table"], county.assumptions["column"], strict=True) if t == "schools"),
        dict(zip(county.townships["township_id"], county.townships["name"], strict=True)),
        dict(zip(county.settlements["settlement_id"], county.settlements["name"], strict=True)),
        grade_sums(served.model, served.built.shares), {(int(str(k)), int(str(t))): rows for (k, t), rows in served.people.groupby(["site", "at"])},
    )  # fmt: skip


def _new(words: _Words, place: _Place) -> list[_Found]:
    """Say what opens at a candidate, and how it grows."""
    model, built, k = words.model, words.built, place.number
    years = [t for t in range(len(model.horizon.years)) if built.parts.get((k, t))]
    if not years:
        return []
    found = [_opened(words, place, years[0])]
    for t in years[1:]:
        more = {g: built.rooms.get((k, g, t), 0) - built.rooms.get((k, g, t - 1), 0) for g in model.groups(k)}
        beds = built.beds.get((k, t), 0) - built.beds.get((k, t - 1), 0)
        if built.parts[k, t] != built.parts[k, t - 1]:
            found.append(_grown(words, place, t, more, beds))
            continue
        found += [_expanded(words, place, t, g, n) for g, n in more.items() if n] + ([_boarding(words, place, t, beds)] if beds else [])
    return found


def _opened(words: _Words, place: _Place, t: int) -> _Found:
    model, built, k, standards = words.model, words.built, place.number, words.standards
    role, grades = role_at(model, built, k, t)
    rooms = sum(built.rooms.get((k, g, t), 0) for g in model.groups(k))
    beds = built.beds.get((k, t), 0)
    people = words.people(k, t)
    home = people[people["mode"] != "seat"]
    pupils, seat = _count(home), _count(people[people["mode"] == "seat"])
    again = place.origin == "closed_school"
    parts: list[_Part] = [(
        "open.again" if again else "open.what",
        {"place": place.title, "first": grades[0], "last": grades[-1], "rooms": rooms, "year": words.year(t), "role": role},
    )]  # fmt: skip
    if pupils:
        parts.append(("open.who", {"villages": home["settlement_id"].nunique(), "pupils": pupils}))
    late = _count(home[home["late"]])
    parts += [("open.late", {"late": late})] if late else [("open.full", {})] if pupils else []
    parts += _minutes(words, home)
    parts += [("open.seat", {"seat": seat})] if seat else []
    parts += [("open.beds", {"beds": beds})] if beds else []
    last = len(model.horizon.years) - 1
    parts += [("open.last", {"year": words.year(last), "pupils": _count(words.people(k, last))})] if last != t else []
    parts += _comparison(words, k)
    money = yearly_money(model, built, k, t)
    small = "small" in built.parts[k, t]
    parts.append(("money.year", {"money": f"{money / 1e4:.1f}", "detail": small}))
    # rooms of the schools around decide whether a new one is needed
    parts += [("assumed.rooms", {})] if "rooms" in words.assumed else []
    clauses = ["law.school_plan", *(["layout.village_primary"] if grades[0] == 1 else []), *_limits(home, standards), *_sizes(role, grades, small)]
    clauses += [f"layout.min_pupils.{r}" for r in _roles(role)] + (["law.boarding"] if beds else []) + ["decision.notice.min", *_unit_costs(small)]
    gates = ["public_notice", "hear_parents", "site_survey"]
    layers = [layer for layer in place.flags.split(";") if layer]
    clauses += [clause for clause in (clause_of(layer, standards) for layer in layers) if clause]
    gates += ["risk_assessment"] if layers else []
    cost = site_year(model)[0] + sum(built.rooms.get((k, g, t), 0) * room_year(model, k, g)[0] for g in model.groups(k))
    cost += beds * bed_year(model, k)[0] if beds else 0.0
    return _Found("reopen" if again else "open", t, parts, clauses, gates, rooms, beds, cost, money, words.ends(last))


def _minutes(words: _Words, home: pd.DataFrame) -> list[_Part]:
    """Say how the ways change, and which villages gain and lose most."""
    walks = home[home["mode"].isin(["walk", "bus"]) & home["before"].notna()]
    if not _count(walks):
        return []
    before, after = (mean_minutes(walks, c) for c in ("before", "minutes"))
    parts: list[_Part] = [("open.minutes", {"pupils": _count(walks), "before": round(before), "after": round(after)})]
    change = walks.assign(change=(walks["before"] - walks["minutes"]) * walks["pupils"]).groupby("settlement_id")[["change", "pupils"]].sum()
    each = (change["change"] / change["pupils"]).sort_values(kind="stable")
    for key, chosen in (("open.gain", each[each > _MINUTE][::-1]), ("open.lose", each[each < -_MINUTE])):
        names = [f"{words.villages.get(str(s), str(s))} {-minutes:+.0f}" for s, minutes in chosen.head(_NAMED).items()]
        parts += [(key, {"names": names})] if names else []
    return parts


def _comparison(words: _Words, k: int) -> list[_Part]:
    """Say what happens without a new school, and why not the next-best site."""
    model, built = words.model, words.built
    # the school years in which it stands
    length = sum(w for at, w in enumerate(model.horizon.weights) if (k, at) in built.parts)
    loss = loss_without(model, built, k)
    parts: list[_Part] = _worse("without", loss, length) or [("without.none", {})]
    rival = next_best(model, built, k)
    other = words.place(rival.site) if rival is not None else None
    if rival is None or other is None:
        return [*parts, ("next.only", {})]
    if rival.too_few:
        return [*parts, ("next.few", {"name": other.title, "year": model.horizon.years[-1]})]
    more = rival.loss.minutes / max(rival.loss.children, 1.0)
    return [*parts, ("next.name", {"name": other.title}), *_worse("next", rival.loss, length), ("next.minutes", {"minutes": f"{more:+.1f}"})]


def _worse(key: str, loss: Loss, length: int) -> list[_Part]:
    """Say how many children a year are worse off, each kind where there are any."""
    none, late = _tenth(loss.without_place / length), _tenth(loss.beyond_limit / length)
    parts: list[_Part] = [(f"{key}.late", {"late": late})] if late != "0.0" else []
    return parts + ([(f"{key}.place", {"none": none})] if none != "0.0" else [])


def _tenth(value: float) -> str:
    return f"{value + 0.0:.1f}".replace("-0.0", "0.0")


def _grown(words: _Words, place: _Place, t: int, more: Mapping[str, int], beds: int) -> _Found:
    model, built, k = words.model, words.built, place.number
    role, grades = role_at(model, built, k, t)
    old, _ = role_at(model, built, k, t - 1)
    rooms = sum(more.values())
    fields = {
        "place": place.title,
        "year": words.year(t),
        "first": grades[0],
        "last": grades[-1],
        "rooms": rooms,
        "pupils": _count(words.people(k, t)),
    }
    parts: list[_Part] = [("grow.what", {**fields, "role": role, "old": old})]
    parts += [("open.beds", {"beds": beds})] if beds else []
    cost = sum(n * room_year(model, k, g)[0] for g, n in more.items()) + (beds * bed_year(model, k)[0] if beds else 0.0)
    year = yearly_money(model, built, k, t) - yearly_money(model, built, k, t - 1)
    clauses = ["law.school_plan", *_sizes(role, grades, "small" in built.parts[k, t]), *(f"layout.min_pupils.{r}" for r in _roles(role))]
    return _Found("change_grades", t, parts, clauses, ["public_notice", "hear_parents", "site_survey"], rooms, beds, cost, year, _end(words))


def _existing(words: _Words, place: _Place) -> list[_Found]:
    built, k, found = words.built, place.number, []
    for t in range(len(words.model.horizon.years)):
        rooms = built.rooms.get((k, "", t), 0) - built.rooms.get((k, "", t - 1), 0)
        beds = built.beds.get((k, t), 0) - built.beds.get((k, t - 1), 0)
        found += [_expanded(words, place, t, "", rooms)] if rooms else []
        found += [_boarding(words, place, t, beds)] if beds else []
    return found


def _expanded(words: _Words, place: _Place, t: int, group: str, rooms: int) -> _Found:
    model, built, k = words.model, words.built, place.number
    role, grades = role_at(model, built, k, t)
    people = words.people(k, t)
    before = model.sites[k].rooms + built.rooms.get((k, group, t - 1), 0)
    sizes = sorted({round(model.size(k, group, g, t)) for g in grades if g in model.grades(k, group)})
    parts: list[_Part] = [("expand.what", {
        "place": place.title, "year": words.year(t), "pupils": _count(people), "rooms": before,
        "needed": before + rooms, "more": rooms, "standard": "/".join(str(s) for s in sizes),
    })]  # fmt: skip
    home = people[people["mode"] != "seat"]
    parts += [("expand.villages", {"villages": home["settlement_id"].nunique(), "pupils": _count(home)})] if len(home) else []
    over = formed_at(model, built.parts, words.loads, k, group, t, before).over - built.classes[k, group, t].over
    parts += [("expand.without", {"over": round(over)})] if over > _MINUTE else []
    used = [built.classes[k, group, y].rooms if (k, group, y) in built.classes else 0 for y in range(len(model.horizon.years))]
    needed, until, borrow = _needed(words, t, [min(n - before, rooms) for n in used])
    parts += needed
    build, year = room_year(model, k, group)
    small = model.mixes(k, group)
    parts.append(("money.year", {"money": f"{rooms * year / 1e4:.1f}", "detail": small}))
    parts += [("assumed.rooms", {})] if "rooms" in words.assumed else []
    gates = ["site_survey", *(["borrow_first"] if borrow else [])]
    clauses = ["law.school_plan", *_sizes(role, grades, small), *_unit_costs(small)] + (["lead.borrow"] if borrow else [])
    return _Found("expand", t, parts, clauses, gates, rooms, 0, rooms * build, rooms * year, until)


def _boarding(words: _Words, place: _Place, t: int, beds: int) -> _Found:
    model, built, k, standards = words.model, words.built, place.number, words.standards
    people = words.people(k, t)
    board = people[people["mode"] == "board"]
    _, taught = role_at(model, built, k, t)
    grades = [g for g in taught if standards.may_board(g) and band_of(g) in set(board["band"])] or list(taught)
    have = model.sites[k].beds + built.beds.get((k, t - 1), 0)
    parts: list[_Part] = [("beds.what", {
        "first": grades[0], "last": grades[-1],
        "place": place.title, "year": words.year(t), "have": have, "beds": beds,
        "boarders": _count(board), "villages": board["settlement_id"].nunique(), "week": round(float(board["minutes"].max())) if len(board) else 0,
    })]  # fmt: skip
    late = _count(board[board["late"]])
    parts += [("beds.late", {"late": late})] if late else []
    parts.append(("beds.without", {"beds": beds}))
    sleeping = [_count(words.people(k, y)[words.people(k, y)["mode"] == "board"]) for y in range(len(model.horizon.years))]
    needed, until, borrow = _needed(words, t, [min(n - have, beds) for n in sleeping])
    parts += needed
    build, year = bed_year(model, k)
    parts.append(("money.year", {"money": f"{beds * year / 1e4:.1f}", "detail": False}))
    parts += [("assumed.beds", {})] if "beds" in words.assumed else []
    bands = set(board["band"])
    clauses = ["law.boarding", *(["layout.g4_6.boarding"] if "upper" in bands else []), *(["layout.g7_9.boarding"] if "junior" in bands else [])]
    clauses += ["boarding.bed", "travel.limit.week", "cost.build.boarding", "cost.rate", "cost.life.building"] + (["lead.borrow"] if borrow else [])
    gates = ["hear_parents", "boarding_check", *(["borrow_first"] if borrow else [])]
    return _Found("add_boarding", t, parts, clauses, gates, 0, beds, beds * build, beds * year, until)


def _needed(words: _Words, t: int, used: Sequence[int]) -> tuple[list[_Part], int, bool]:
    """Say for which school years how much of what is added at a plan year is needed, until when, and whether it should be borrowed first."""
    years = [y for y in range(t, len(used)) if used[y] > 0] or [t]
    fewer: list[_Part] = []
    if len({used[y] for y in years}) > 1:
        fewer = [("needed.fewer", {"years": [f"{words.year(y)}: {used[y]}" for y in years]})]
    until, span = words.ends(years[-1]), sum(words.model.horizon.weights[y] for y in years)
    if years[-1] == len(used) - 1:
        # what comes after the plan is not known
        return [("needed.end", {"since": words.year(t)}), *fewer], until, False
    least = round(words.standards["lead.borrow"])
    parts: list[_Part] = [("needed.span", {"since": words.year(years[0]), "until": until, "years": span}), *fewer]
    borrow = span < least
    return parts + ([("needed.borrow", {"least": least})] if borrow else []), until, borrow


def _kept(words: _Words, place: _Place, needed: pd.DataFrame) -> _Found:
    years = sorted(int(y) for y in needed["year"].unique())
    first = needed[needed["year"] == years[0]]
    names = list(dict.fromkeys(str(words.villages[s]) for s in first["settlement_id"]))
    limit = round(words.standards.limit("walk", "lower"))
    fields = {
        "name": place.name, "pupils": int(first["pupils"].sum()), "villages": first["settlement_id"].nunique(),
        "names": names[:_NAMED], "limit": limit, "years": years,
    }  # fmt: skip
    parts: list[_Part] = [("keep.what", fields)]
    none = int(first.loc[first["next_minutes"].isna(), "pupils"].sum())
    if first["next_minutes"].notna().any():
        parts.append(("keep.next", {"next": round(float(first["next_minutes"].max())), "limit": limit}))
    parts += [("keep.none", {"none": none})] if none else []
    clauses = ["layout.merge.principle", "travel.limit.walk.lower", "law.right.nearby"]
    return _Found("keep", words.model.horizon.years.index(years[0]), parts, clauses, [])


def _faded(words: _Words, place: _Place, each: Fading) -> _Found:
    series = ", ".join(f"{y}: {n}" for y, n in zip(words.model.horizon.years, each.pupils, strict=True))
    review = each.action == "review_for_merger"
    fields = {"place": place.title, "series": series}
    parts: list[_Part] = [("review.what", fields) if review else ("review.convert", {**fields, "first": each.grades[0], "last": each.grades[-1]})]
    if len(each.onward):
        schools = [words.place(int(k)) for k in dict.fromkeys(each.onward.sort_values("pupils", ascending=False, kind="stable")["school"])]
        names = [p.title for p in schools if p is not None][:_NAMED]
        parts.append(("review.onward", {"names": names, "longest": round(float(each.onward["minutes"].max()))}))
    else:
        parts.append(("review.nobody", {}))
    if review:
        floor, each_pupil = words.standards["fund.small_floor"], words.standards["fund.per_pupil.primary"]
        parts.append(("review.money", {"money": f"{max(floor - each.pupils[each.at], 0) * each_pupil:,.0f}"}))
    clauses = [
        "layout.merge.principle",
        "layout.merge.procedure",
        *(f"layout.merge.veto.{v}" for v in ("parents", "travel", "safety", "lodging", "crowding")),
    ]
    return _Found(
        each.action,
        each.at,
        parts,
        [*clauses, "layout.min_pupils.teaching_point", "fund.small_floor"],
        ["merger_gates", "hear_parents", "public_notice"],
    )


def _row(words: _Words, place: _Place, found: _Found) -> dict[str, object]:
    role, grades = role_at(words.model, words.built, place.number, found.at)
    if found.action == "convert_to_teaching_point":
        role, grades = "teaching_point", tuple(g for g in grades if g in BANDS["lower"])
    return {
        "school_id": place.school_id, "year": words.year(found.at), "action": found.action, "role": role, "first_grade": grades[0],
        "last_grade": grades[-1], "rooms": found.rooms, "beds": found.beds, "cost_yuan": round(found.yuan),
        "pupils": _count(words.people(place.number, found.at)), "needed_to": found.needed_to, "yuan_a_year": max(round(found.yuan_a_year), 0),
        "reason_zh": _say(found.parts, "zh"), "reason_en": _say(found.parts, "en"), "clauses": ";".join(dict.fromkeys(found.clauses)),
        "gates": ";".join(found.gates), "geometry": place.position,
    }  # fmt: skip


def _say(parts: Sequence[_Part], lang: str) -> str:
    said = []
    for key, fields in parts:
        words = {k: label("schools", "kind", str(v), lang) if k in ("role", "old") else v for k, v in fields.items()}
        for k in ("names", "years"):
            if isinstance(words.get(k), list):
                words[k] = ("、" if lang == "zh" else ", ").join(str(v) for v in words[k])  # type: ignore[attr-defined]
        if key == "money.year":
            words["detail"] = messages.text("placement.money.staff", lang) if words["detail"] else ""
        said.append(messages.text(f"placement.{key}", lang, **words))
    return ("" if lang == "zh" else " ").join(said)


def _count(flows: pd.DataFrame) -> int:
    return round(float(flows["pupils"].sum()))


def _end(words: _Words) -> int:
    return words.ends(len(words.model.horizon.years) - 1)


def _limits(home: pd.DataFrame, standards: Standards) -> list[str]:
    pairs = sorted(set(zip(home["mode"], home["band"], strict=True)), key=lambda p: (p[0], list(BANDS).index(p[1])))
    return [key for key in (f"travel.limit.{m}.{b}" for m, b in pairs) if key in standards.rules]


def _sizes(role: str, grades: tuple[int, ...], small: bool) -> list[str]:
    if small:
        return ["class_size.design.primary_incomplete", "class_size.mixed.max_pupils"]
    parts = {"primary": (*BANDS["lower"], *BANDS["upper"]), "junior": BANDS["junior"]}
    return [f"class_size.yzjh.{part}.max" for part, taught in parts.items() if set(taught) & set(grades)]


def _unit_costs(small: bool) -> list[str]:
    costs = ["cost.build.day", "cost.rate", "cost.life.building"]
    return [*costs, "staff.small_school.per_class", "staff.post.yuan", "fund.small_floor"] if small else costs


def _roles(role: str) -> tuple[str, ...]:
    return ("primary", "junior") if role == "nine_year" else (role,)
