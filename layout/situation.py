"""What the report says of how things stand: the county and its people, schools today, pupils to come, classes and seats they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from layout import messages
from layout.document import Block
from layout.narrative import LISTED, Told, counted, sums_of
from layout.pages import heading, township_heading, township_names
from layout.privacy import records, shown_notes
from layout.sheets import describe
from layout.tables import BANDS, label, schemas


def situation(told: Told) -> list[Block]:
    """Tell the chapters 2 to 5: county and people, today, forecast, needs.

    Parameters
    ----------
    told
        The plan and its readers.

    Returns
    -------
    list of Block
        The chapters in their order.

    Examples
    --------
    >>> situation(told)  # doctest: +SKIP
    """
    return [*_county(told), *_today(told), *_forecast(told), *_needs(told)]


# --- 2 county and people


def _county(told: Told) -> list[Block]:
    county, plan = told.plan.county, told.plan
    homes = dict(zip(county.settlements["settlement_id"], county.settlements["township_id"], strict=True))
    sites = county.settlements["kind"] == "relocation"
    people = county.population.assign(township=county.population["settlement_id"].map(homes))
    top = int(people["age"].max()) if len(people) else 0
    roads = county.roads
    out = [told.head("people", 1), told.head("land")]
    out.append(told.text("people.land", county=county.name, townships=len(county.townships), settlements=int((~sites).sum()), sites=int(sites.sum())))
    if roads is not None and len(roads.edges):
        source = roads.source.get("attribution") or told.say("blank.roads")
        out.append(told.text("people.roads", km=told.number(roads.edges["length_m"].sum() / 1000), source=source))
    else:
        out.append(told.text("people.no_roads"))
    out.append(told.text("people.terrain" if county.terrain is not None else "people.no_terrain"))
    out += told.drawn("people")
    registered = people["registered"].notna().any()
    ages = told.say("people.all_ages") if top >= 60 else told.say("people.to_age", age=top)
    persons = float(people["persons"].sum())
    out += [
        told.head("residents"),
        told.text("people.persons", ages=ages, persons=told.number(round(persons, -1) if told.edition.public else persons)),
    ]
    if registered and not told.edition.public:
        out.append(
            told.text(
                "people.registered",
                registered=told.number(people["registered"].sum()),
                difference=told.number(people["registered"].sum() - persons),
            )
        )
    if not told.edition.public:
        pupils = plan.pupils[plan.pupils["year"] == told.base]
        pupils = pupils.assign(township=pupils["settlement_id"].map(homes))
        counts = county.settlements.assign(site=sites, place=~sites)
        measures = {
            "places": (told.say("col.places"), "int", sums_of(counts, "township_id", "place")),
            "sites": (told.say("col.sites"), "int", sums_of(counts, "township_id", "site")),
            "persons": (told.say("col.persons", ages=ages), "int", counted(sums_of(people, "township", "persons"))),
        }
        if registered:
            measures["registered"] = (told.say("col.registered", ages=ages), "int", counted(sums_of(people, "township", "registered")))
        measures["pupils"] = (told.say("col.school_age", year=told.base), "int", counted(sums_of(pupils, "township", "pupils")))
        out.append(told.by_township("people", measures, note=told.say("rounded")))
    out += [Block("text", s) for s in describe([n for n in shown_notes(plan, told.audience) if n[0].startswith("population.source.")], told.lang)]
    return [*out, *_relocation(told)]


def _relocation(told: Told) -> list[Block]:
    page = told.pages["sites"]
    if not len(page.frame):
        return [told.head("relocation"), told.text("people.no_sites")]
    names = ["name", "township", "years", "households", "persons", "pupils_base", "pupils_plan"]
    return [told.head("relocation"), told.text("people.sites", count=len(page.frame)), told.chosen("sites_moved", page, names)]


# --- 3 today


def _today(told: Told) -> list[Block]:
    plan = told.plan
    schools = plan.county.schools[plan.county.schools["status"] == "open"]
    kinds = [k for k in dict.fromkeys(schools["kind"])]
    order = [k for k in ("teaching_point", "small_primary", "primary", "junior", "nine_year") if k in kinds]
    order += sorted(k for k in kinds if k not in order)
    out = [told.head("today", 1), told.head("schools")]
    counts = told.listed(told.say("today.kind", kind=label("schools", "kind", k, told.lang), count=int((schools["kind"] == k).sum())) for k in order)
    out.append(
        told.text(
            "today.schools",
            count=len(schools),
            kinds=counts,
            rooms=told.number(schools["rooms"].sum()),
            beds=told.number(schools["beds"].sum()),
        )
    )
    measures = {
        k: (label("schools", "kind", k, told.lang), "int", sums_of(schools.assign(one=schools["kind"] == k), "township_id", "one")) for k in order
    }
    measures |= {c: (heading(plan, told.lang, "schools", c), "int", sums_of(schools, "township_id", c)) for c in ("rooms", "beds")}
    out.append(told.by_township("schools", measures, note=told.say("unit.schools")))
    out += told.drawn("today")
    return [*out, *_class_sizes(told), *_boarding_now(told, schools), *_ways_now(told), *_targets(told)]


def _class_sizes(told: Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    shares = plan.findings.class_shares
    now = shares[(shares["view"] == "today") & (shares["year"] == told.base)]
    out = [told.head("class_sizes")]
    county = records(now[now["level"] == "county"])
    if not county:
        return [*out, told.text("today.no_classes")]
    whole_county = county[0]
    out.append(
        told.text(
            "today.classes",
            year=told.base,
            classes=told.number(whole_county["classes"]),
            oversized=told.number(whole_county["oversized"]),
            share=_percent(whole_county["oversized_share"]),
            above=told.number(whole_county["above_standard"]),
            super=told.number(whole_county["super"]),
            cite=told.cited("class_size.oversize.share_max.guizhou", "class_size.yzjh.primary.max", "class_size.yzjh.junior.max"),
        )
    )
    if not told.edition.public:
        names, columns = township_names(plan), ("classes", "oversized", "super", "above_standard", "largest_class")
        rows = [
            {"township": names[r["area_id"]], **r} for r in records(now[now["level"] == "township"].sort_values("area_id")) if r["area_id"] in names
        ]
        heads = {"township": (township_heading(plan, lang), "text")} | {c: (heading(plan, lang, "class_shares", c), "int") for c in columns}
        out.append(told.table("class_shares", heads, [*rows, {"township": told.say("sum"), **whole_county}], sums=1, note=told.say("unit.largest")))
    return out


def _percent(value: float) -> str:
    return "—" if pd.isna(value) else f"{value:.1%}"


def _boarding_now(told: Told, schools: pd.DataFrame) -> list[Block]:
    out = [told.head("boarding_now")]
    if told.edition.public:
        return [*out, told.text("internal_only")]
    beds, boarders = float(schools["beds"].sum()), float(schools["boarders"].sum())
    out.append(told.text("today.boarding", schools=int((schools["beds"] > 0).sum()), beds=told.number(beds), boarders=told.number(boarders)))
    young = told.plan.findings.young_boarders
    if len(young):
        out.append(
            told.text(
                "today.young",
                count=told.number(young["boarders"].sum()),
                schools=young["school_id"].nunique(),
                cite=told.cited(*dict.fromkeys(young["clause"])),
            )
        )
    return out


def _ways_now(told: Told) -> list[Block]:
    out = [told.head("ways_now")]
    limit = {band: told.plan.standards.limit("walk", band) for band in BANDS}
    out.append(told.text("today.ways", lower=f"{limit['lower']:g}", cite=told.cited("travel.limit.walk.lower")))
    if not told.edition.public:
        out.append(told.headlines("headline_base", "today", told.base))
    out += told.times("times_base", "today", told.base)
    return out


def _targets(told: Told) -> list[Block]:
    out = [told.head("targets")]
    page = told.pages.get("class_targets")
    if page is not None:
        table = told.plan.findings.class_targets
        views = label("class_targets", "view", "today", told.lang)
        rows = page.frame[(page.frame["year"] == told.base) & (page.frame["view"] == views)]
        order = [label("class_targets", "target", code, told.lang) for code in schemas()["class_targets"].columns["target"].values]
        rows = rows.sort_values("target", key=lambda column: column.map(order.index), kind="stable")
        rows = rows.assign(due=rows["due"].replace("", told.say("today.no_date")))
        # numbers of pupils and shares stand in one column
        out.append(told.chosen("class_targets", page, ["target", "level", "due", "unit", "value", "bound", "met", "clause"], rows))
        failing = table[(table["view"] == "today") & (table["year"] == told.base) & table["in_force"] & ~table["met"]]
        out.append(told.text("today.failing", count=len(failing)))
    return [*out, told.text("today.yzjh_blank")]


# --- 4 forecast


def _forecast(told: Told) -> list[Block]:
    plan, lang, public = told.plan, told.lang, told.edition.public
    least = int(plan.standards["privacy.small_count"]) if public else 0
    out = [told.head("forecast", 1), told.head("method"), told.text("forecast.method")]
    out += [Block("text", s) for s in describe([n for n in plan.county.notes if n[0].startswith("population.say.")], lang)]
    county = plan.forecast[plan.forecast["level"] == "county"]
    found = {(r["year"], r["group"]): r for r in records(county)}
    out.append(told.head("series"))
    if not found:
        out.append(told.text("forecast.none"))
    else:
        out.append(told.text("forecast.ranges" if county["low"].notna().any() else "forecast.no_ranges"))
        rows = []
        for year in sorted({y for y, _ in found}):
            groups = {g: found[year, g] for g in ("primary", "junior", "all") if (year, g) in found}
            row: dict[str, Any] = {"year": year, **{g: _hidden(told, r["pupils"], least) for g, r in groups.items()}}
            rows.append(row | {c: _hidden(told, groups["all"][c], least) for c in ("low", "middle", "high") if "all" in groups})
        columns = {"year": (heading(plan, lang, "forecast", "year"), "year")}
        columns |= {g: (_stage(told, g), "int") for g in ("primary", "junior", "all")}
        columns |= {c: (heading(plan, lang, "forecast", c), "int") for c in ("low", "middle", "high") if county[c].notna().any()}
        out += [told.table("series", columns, rows, note=told.say("unit.pupils")), told.text("forecast.rounding")]
    out.append(
        told.text("forecast.variant", variant=label("scenario", "variant", plan.scenario.variant, lang), name=plan.scenario.name or told.say("base"))
    )
    out += told.drawn("forecast")
    out.append(told.head("by_township"))
    if public:
        return [*out, told.text("internal_only")]
    townships = plan.forecast[plan.forecast["level"] == "township"]
    if len(townships):
        measures = {}
        for year in dict.fromkeys((told.base, told.near, told.last)):
            for group in ("primary", "junior"):
                own = townships[(townships["year"] == year) & (townships["group"] == group)]
                head = messages.text("workbook.view.year", lang, year=year) + _stage(told, group)
                measures[f"{group}.{year}"] = (head, "int", counted(sums_of(own, "area_id", "pupils")))
        out.append(told.by_township("forecast", measures, note=told.say("unit.pupils")))
    return out


def _stage(told: Told, group: str) -> str:
    return told.say("sum") if group == "all" else label("site_pupils", "stage", group, told.lang)


def _hidden(told: Told, value: float, least: int) -> Any:
    small = not pd.isna(value) and 0 < value < least
    return messages.text("privacy.small", told.lang, least=least) if small else (None if pd.isna(value) else round(value))


# --- 5 seats and classes


def _needs(told: Told) -> list[Block]:
    plan, lang, findings = told.plan, told.lang, told.plan.findings
    out = [told.head("needs", 1), told.head("rooms")]
    if told.edition.public:
        return [*out, told.text("internal_only")]
    table = findings.rooms_needed
    columns = ("classes_needed", "rooms", "rooms_missing", "rooms_spare", "seats_spare")
    rows = []
    for year in dict.fromkeys((told.base, told.near, told.last)):
        for standard in dict.fromkeys(table["standard_key"]):
            own = table[(table["year"] == year) & (table["standard_key"] == standard)]
            words = label("rooms_needed", "standard_key", standard, lang)
            if len(own):
                rows.append({"year": year, "standard": words, **{c: int(own[c].sum()) for c in columns}})
    if not rows:
        out.append(told.text("needs.none"))
    else:
        heads = {
            "year": (heading(plan, lang, "rooms_needed", "year"), "year"),
            "standard": (heading(plan, lang, "rooms_needed", "standard_key"), "text"),
        }
        out.append(told.text("needs.rooms"))
        out.append(told.table("rooms", heads | {c: (heading(plan, lang, "rooms_needed", c), "int") for c in columns}, rows))
        own = table[(table["year"] == told.last) & (table["standard_key"] == "yzjh")]
        own = own.assign(township=own["school_id"].map(told.homes()))
        measures: dict[str, tuple[str, str, Mapping[str, float]]] = {}
        headline = plan.today.headline[plan.today.headline["year"] == told.last]
        measures["pupils"] = (told.say("col.resident_pupils"), "int", sums_of(headline, "township_id", "pupils"))
        measures |= {c: (heading(plan, lang, "rooms_needed", c), "int", sums_of(own, "township", c)) for c in columns}
        out.append(told.text("needs.balance", year=told.last))
        out.append(told.by_township("balance", measures, note=told.say("unit.seats")))
    out.append(told.head("breaches"))
    breaches = findings.breaches[findings.breaches["breach"] == "oversized"]
    if not len(breaches):
        return [*out, told.text("needs.no_breach")]
    out.append(told.text("needs.breach", schools=breaches["school_id"].nunique(), grades=len(breaches), first=int(breaches["first_year"].min())))
    page = told.pages["breaches"]
    first = page.frame[page.frame["breach"] == label("breaches", "breach", "oversized", lang)].sort_values(["first_year", "school_id", "grade"])
    names = ["name", "township", "grade", "first_year", "largest_class", "last_year", "peak_largest", "probability"]
    return [*out, told.chosen("breaches", page, names, first.head(LISTED)), *told.rest(len(first), "breaches")]
