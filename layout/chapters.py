"""What a layout plan says, chapter by chapter: numbers, tables and sentences of a plan in the order of a report; nothing is worked out here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from layout import messages
from layout.document import Block
from layout.pages import Field, Page, heading, school_names, township_heading, township_names
from layout.plan import STATUSES, Plan
from layout.privacy import WITHOUT, Edition, records, shown_notes
from layout.sheets import describe
from layout.standards import Rule
from layout.tables import BANDS, GRADES, label, whole
from layout.workbook import summary_sentence

#: Maps that a layout plan must have, by layer, with the chapter in which each stands.
FIGURES = {
    "place": "people",
    "schools": "today",
    "minutes": "today",
    "catchments": "today",
    "pupils_base": "forecast",
    "pupils_plan": "forecast",
    "proposals": "layout",
    "planned_catchments": "layout",
    "relocation": "layout",
    "limits": "sites",
    "near_term": "near_term",
}
# end of the near term of a layout plan (近期)
_NEAR_TERM = 2030
# rows of a long list that stand in the text; the workbook has them all
_LISTED = 40
_YUAN = 10_000
_PRIMARY = BANDS["upper"][-1]
_KEPT = ("keep", "review_for_merger")
# documents on which every plan rests, beside those that its tables cite
_BASES = (
    "law.school_plan",
    "law.right.nearby",
    "law.boarding",
    "layout.plan.duty",
    "layout.merge.principle",
    "layout.2026.no1",
    "decision.notice.min",
)
# the steps of the procedure with the figures that the standards give
_STEPS = {
    "draft": (),
    "hear": ("layout.merge.hear_parents", "decision.hearing", "decision.hearing.papers"),
    "map": ("map.review", "map.review.needs", "map.review.time", "map.review.who"),
    "notice": ("decision.notice.min",),
    "expert": ("decision.expert",),
    "risk": ("decision.risk",),
    "legality": ("decision.legality", "decision.legality.time"),
    "meeting": ("decision.pack", "decision.two_options"),
    "filing": ("layout.plan.duty",),
    "publish": ("plan.publish",),
    "review": ("plan.review_cycle.anyang", "plan.review_cycle.luohe"),
}
_LEADS = {"open": "lead.school", "reopen": "lead.school", "expand": "lead.rooms", "change_grades": "lead.rooms", "add_boarding": "lead.beds"}


@dataclass(frozen=True)
class _Told:
    """A plan being told: to whom, in which language, and the pages of the workbook, which hide what these readers do not see."""

    plan: Plan
    lang: str
    edition: Edition
    pages: Mapping[str, Page]
    figure: Callable[[str], bytes]

    def say(self, key: str, **fields: object) -> str:
        return messages.text(f"report.{key}", self.lang, **fields)

    @property
    def base(self) -> int:
        return self.plan.county.base_year

    @property
    def last(self) -> int:
        return max(self.plan.years)

    @property
    def near(self) -> int:
        return near_year(self.plan)

    def number(self, value: float, decimals: int = 0) -> str:
        return f"{value + 0.0:{',' if self.lang == 'en' else ''}.{decimals}f}"

    def rules(self, *keys: str) -> list[Rule]:
        return [self.plan.standards.rules[key] for key in keys if key in self.plan.standards.rules]

    def cited(self, *keys: str) -> str:
        return ("；" if self.lang == "zh" else "; ").join(dict.fromkeys(rule.cite(self.lang) for rule in self.rules(*keys)))

    def named(self, rule: Rule) -> str:
        return rule.zh if self.lang == "zh" else rule.en


def chapters(
    plan: Plan, *, lang: str, audience: str, edition: Edition, pages: Mapping[str, Page], figure: Callable[[str], bytes] = lambda layer: b""
) -> list[Block]:
    """Tell a plan in the chapters of a layout plan (布局专项规划).

    Parameters
    ----------
    plan
        What to tell.
    lang
        ``zh`` or ``en``.
    audience
        ``internal`` or ``public``; a public edition has no tables of townships, villages and single schools' children but those of
        the public workbook.
    edition
        From :func:`layout.privacy.edition_of` for this audience.
    pages
        From :func:`layout.workbook.workbook_pages` for this edition.
    figure
        Gives the PNG of a layer of :data:`FIGURES`, or nothing where it cannot be drawn: its place is then marked.

    Returns
    -------
    list of Block
        Title, contents, twelve chapters, appendices.

    Examples
    --------
    >>> chapters(plan, lang="zh", audience="internal", edition=edition, pages=pages)  # doctest: +SKIP
    """
    told = _Told(plan, lang, edition, pages, figure)
    parts = (_general, _people, _today, _forecast, _needs, _layout, _sites, _travel, _staff, _near_term, _measures, _process)
    out = _front(told, audience)
    for part in parts:
        out += part(told)
    return [*out, *_appendix(told, audience)]


def near_year(plan: Plan) -> int:
    """Return the last plan year of the near term.

    Parameters
    ----------
    plan
        Its years.

    Returns
    -------
    int
        The last plan year up to 2030, or the last of all where none is.

    Examples
    --------
    >>> near_year(plan)  # doctest: +SKIP
    """
    return max((y for y in plan.years if plan.county.base_year < y <= _NEAR_TERM), default=max(plan.years))


# --- pieces


def _text(told: _Told, key: str, **fields: object) -> Block:
    return Block("text", told.say(key, **fields))


def _head(told: _Told, key: str, level: int = 2) -> Block:
    return Block("heading", told.say(f"head.{key}"), level)


def _drawn(told: _Told, chapter: str) -> list[Block]:
    return [Block("figure", told.say(f"map.{layer}"), image=told.figure(layer)) for layer, place in FIGURES.items() if place == chapter]


def _table(
    told: _Told, key: str, columns: Mapping[str, tuple[str, str]], rows: Sequence[Mapping[str, Any]], *, sums: int = 0, note: str = "", **named: str
) -> Block:
    """Make a table of rows; the last ``sums`` of them are totals."""
    fields = tuple(Field(name, head, kind) for name, (head, kind) in columns.items())
    frame = pd.DataFrame([{name: row.get(name) for name in columns} for row in rows], columns=list(columns), dtype=object)
    return Block("table", told.say(f"title.{key}", **named), page=Page(key, fields, frame, 1, note), bold=tuple(range(len(rows) - sums, len(rows))))


def _chosen(told: _Told, key: str, page: Page, names: Sequence[str], frame: pd.DataFrame | None = None) -> Block:
    """Show some columns of a page of the workbook."""
    rows = page.frame if frame is None else frame
    fields = {f.name: f for f in page.fields}
    return Block("table", told.say(f"title.{key}"), page=Page(key, tuple(fields[n] for n in names if n in fields), rows.reset_index(drop=True)))


def _by_township(told: _Told, key: str, measures: Mapping[str, tuple[str, str, Mapping[str, float]]], *, note: str = "") -> Block:
    """Make a table with a row for every township in the order of the codes, and their sum; measures give heading, kind and values."""
    names = township_names(told.plan)
    rows: list[dict[str, Any]] = []
    for code in sorted(names):
        rows.append({"township": names[code], **{m: values.get(code, 0) for m, (_, _, values) in measures.items()}})
    rows.append({"township": told.say("sum"), **{m: sum(values.get(c, 0) for c in names) for m, (_, _, values) in measures.items()}})
    columns = {"township": (township_heading(told.plan, told.lang), "text")} | {m: (head, kind) for m, (head, kind, _) in measures.items()}
    return _table(told, key, columns, rows, sums=1, note=note or told.say("rounded"))


def _sums(frame: pd.DataFrame, by: str, value: str) -> dict[str, float]:
    return {str(k): float(v) for k, v in frame.groupby(by, observed=True)[value].sum().items()}


def _counted(values: Mapping[str, float]) -> dict[str, float]:
    """Round the values of townships to whole ones whose sum is the rounded sum."""
    series = pd.Series(dict(sorted(values.items())), dtype=float)
    return dict(zip(series.index, whole(series, [pd.Series(0, index=series.index)]), strict=True)) if len(series) else {}


def _homes(told: _Told) -> dict[str, str]:
    plan = told.plan
    return dict(zip(plan.candidates["school_id"], plan.candidates["township_id"], strict=True)) | dict(
        zip(plan.schools["school_id"], plan.schools["township_id"], strict=True)
    )


def _in_code_order(told: _Told, frame: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    homes = _homes(told)
    keys = frame.assign(_home=[homes.get(str(s), "") for s in frame["school_id"]])
    return frame.loc[keys.sort_values(["_home", *by, "school_id"], kind="stable").index]


# --- the front


def _front(told: _Told, audience: str) -> list[Block]:
    county = told.plan.county
    return [
        Block("title", told.say("cover.title", county=county.name, first=told.base + 1, last=told.last)),
        Block("line", told.say("cover.draft")),
        Block("line", told.say(f"cover.{audience}")),
        Block("line", told.say("cover.office")),
        Block("line", told.say("cover.compiler")),
        Block("line", told.say("cover.date")),
        Block("page"),
        Block("contents", told.say("contents")),
        Block("page"),
        Block("line", told.say("head.reading")),
        *(Block("text", told.say(f"reading.{key}")) for key in ("what", "blanks", "unverified", "words")),
        *([_text(told, "reading.public", least=int(told.plan.standards["privacy.small_count"]))] if told.edition.public else []),
        Block("text", summary_sentence(told.plan, lang=told.lang, audience=audience)),
    ]


# --- 1 general


def _general(told: _Told) -> list[Block]:
    plan, scenario = told.plan, told.plan.scenario
    keys = [k.strip() for row in plan.proposals["clauses"].tolist() for k in str(row).split(";") if k.strip()]
    keys += [str(k) for k in plan.merger_gates["clause"]]
    used = told.rules(*dict.fromkeys([*_BASES, *keys]))
    documents: dict[str, list[str]] = {}
    for rule in used:
        # a figure that the county chose itself is no document
        if rule.level not in ("scenario", "county") and rule.doc:
            mark = messages.text("standards.unverified", told.lang) if rule.verified == "U" else ""
            name = f"《{rule.doc}》" + (f"（{rule.doc_no}）" if rule.doc_no else "")
            documents.setdefault(name, []).append(rule.clause + mark)
    out = [_head(told, "general", 1), _head(told, "bases"), _text(told, "general.bases")]
    for name, clauses in sorted(documents.items()):
        said = "、".join(dict.fromkeys(c for c in clauses if c))
        out.append(Block("item", told.say("general.document", document=name, clauses=f"（{said}）" if said else "")))
    out += [
        _text(told, "general.provincial"),
        _head(told, "term"),
        _text(
            told,
            "general.term",
            county=plan.county.name,
            base=told.base,
            date=plan.county.base_date.isoformat(),
            near=_NEAR_TERM,
            last=told.last,
            years="、".join(str(y) for y in plan.years if y != told.base),
        ),
        _head(told, "principles"),
        _text(told, "general.principles", cite=told.cited("layout.merge.principle")),
        _text(told, "general.demand", cite=told.cited("law.school_plan")),
    ]
    if scenario.name:
        out.append(_text(told, "general.scenario", name=scenario.name))
    return out


# --- 2 county and people


def _people(told: _Told) -> list[Block]:
    county, plan = told.plan.county, told.plan
    homes = dict(zip(county.settlements["settlement_id"], county.settlements["township_id"], strict=True))
    sites = county.settlements["kind"] == "relocation"
    people = county.population.assign(township=county.population["settlement_id"].map(homes))
    top = int(people["age"].max()) if len(people) else 0
    roads = county.roads
    out = [_head(told, "people", 1), _head(told, "land")]
    out.append(
        _text(told, "people.land", county=county.name, townships=len(county.townships), settlements=int((~sites).sum()), sites=int(sites.sum()))
    )
    if roads is not None and len(roads.edges):
        out.append(_text(told, "people.roads", km=told.number(roads.edges["length_m"].sum() / 1000), source=roads.source.get("attribution") or "—"))
    else:
        out.append(_text(told, "people.no_roads"))
    out.append(_text(told, "people.terrain" if county.terrain is not None else "people.no_terrain"))
    out += _drawn(told, "people")
    registered = people["registered"].notna().any()
    ages = told.say("people.all_ages") if top >= 60 else told.say("people.to_age", age=top)
    persons = float(people["persons"].sum())
    out += [
        _head(told, "residents"),
        _text(told, "people.persons", ages=ages, persons=told.number(round(persons, -1) if told.edition.public else persons)),
    ]
    if registered and not told.edition.public:
        out.append(
            _text(
                told,
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
            "places": (told.say("col.places"), "int", _sums(counts, "township_id", "place")),
            "sites": (told.say("col.sites"), "int", _sums(counts, "township_id", "site")),
            "persons": (told.say("col.persons", ages=ages), "int", _counted(_sums(people, "township", "persons"))),
        }
        if registered:
            measures["registered"] = (told.say("col.registered", ages=ages), "int", _counted(_sums(people, "township", "registered")))
        measures["pupils"] = (told.say("col.school_age", year=told.base), "int", _counted(_sums(pupils, "township", "pupils")))
        out.append(_by_township(told, "people", measures))
    out += [Block("text", s) for s in describe([n for n in shown_notes(plan, _audience(told)) if n[0].startswith("population.source.")], told.lang)]
    return [*out, *_relocation(told)]


def _audience(told: _Told) -> str:
    return "public" if told.edition.public else "internal"


def _relocation(told: _Told) -> list[Block]:
    page = told.pages["sites"]
    if not len(page.frame):
        return [_head(told, "relocation"), _text(told, "people.no_sites")]
    names = ["name", "township", "years", "households", "persons", "pupils_base", "pupils_plan"]
    return [_head(told, "relocation"), _text(told, "people.sites", count=len(page.frame)), _chosen(told, "sites_moved", page, names)]


# --- 3 today


def _today(told: _Told) -> list[Block]:
    plan = told.plan
    schools = plan.county.schools[plan.county.schools["status"] == "open"]
    kinds = [k for k in dict.fromkeys(schools["kind"])]
    order = [k for k in ("teaching_point", "small_primary", "primary", "junior", "nine_year") if k in kinds]
    order += sorted(k for k in kinds if k not in order)
    out = [_head(told, "today", 1), _head(told, "schools")]
    listed = "、" if told.lang == "zh" else ", "
    counts = listed.join(told.say("today.kind", kind=label("schools", "kind", k, told.lang), count=int((schools["kind"] == k).sum())) for k in order)
    out.append(
        _text(
            told,
            "today.schools",
            count=len(schools),
            kinds=counts,
            rooms=told.number(schools["rooms"].sum()),
            beds=told.number(schools["beds"].sum()),
        )
    )
    measures = {
        k: (label("schools", "kind", k, told.lang), "int", _sums(schools.assign(one=schools["kind"] == k), "township_id", "one")) for k in order
    }
    measures |= {c: (heading(plan, told.lang, "schools", c), "int", _sums(schools, "township_id", c)) for c in ("rooms", "beds")}
    out.append(_by_township(told, "schools", measures, note=told.say("unit.schools")))
    out += _drawn(told, "today")
    return [*out, *_class_sizes(told), *_boarding_now(told, schools), *_ways_now(told), *_targets(told)]


def _class_sizes(told: _Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    shares = plan.findings.class_shares
    now = shares[(shares["view"] == "today") & (shares["year"] == told.base)]
    out = [_head(told, "class_sizes")]
    county = records(now[now["level"] == "county"])
    if not county:
        return [*out, _text(told, "today.no_classes")]
    whole_county = county[0]
    out.append(
        _text(
            told,
            "today.classes",
            year=told.base,
            classes=told.number(whole_county["classes"]),
            oversized=whole_county["oversized"],
            share=_percent(whole_county["oversized_share"]),
            above=whole_county["above_standard"],
            super=whole_county["super"],
            cite=told.cited("class_size.oversize.share_max.guizhou", "class_size.yzjh.primary.max", "class_size.yzjh.junior.max"),
        )
    )
    if not told.edition.public:
        names, columns = township_names(plan), ("classes", "oversized", "super", "above_standard", "largest_class")
        rows = [
            {"township": names[r["area_id"]], **r} for r in records(now[now["level"] == "township"].sort_values("area_id")) if r["area_id"] in names
        ]
        heads = {"township": (township_heading(plan, lang), "text")} | {c: (heading(plan, lang, "class_shares", c), "int") for c in columns}
        out.append(_table(told, "class_shares", heads, [*rows, {"township": told.say("sum"), **whole_county}], sums=1))
    return out


def _percent(value: float) -> str:
    return "—" if pd.isna(value) else f"{value:.1%}"


def _boarding_now(told: _Told, schools: pd.DataFrame) -> list[Block]:
    out = [_head(told, "boarding_now")]
    if told.edition.public:
        return [*out, _text(told, "internal_only")]
    beds, boarders = float(schools["beds"].sum()), float(schools["boarders"].sum())
    out.append(_text(told, "today.boarding", schools=int((schools["beds"] > 0).sum()), beds=told.number(beds), boarders=told.number(boarders)))
    young = told.plan.findings.young_boarders
    if len(young):
        out.append(
            _text(
                told,
                "today.young",
                count=int(young["boarders"].sum()),
                schools=young["school_id"].nunique(),
                cite=told.cited(*dict.fromkeys(young["clause"])),
            )
        )
    return out


def _headlines(told: _Told, key: str, view: str, year: int) -> Block:
    """Show who is served by township: the three reasons for a child without a place are never added up to one."""
    plan = told.plan
    table = (plan.today if view == "today" else plan.planned).headline
    table = table[table["year"] == year]
    columns = ("pupils", *STATUSES)
    return _by_township(told, key, {c: (told.say(f"col.{c}"), "int", _sums(table, "township_id", c)) for c in columns}, note=told.say("unit.pupils"))


def _ways_now(told: _Told) -> list[Block]:
    out = [_head(told, "ways_now")]
    limit = {band: told.plan.standards.limit("walk", band) for band in BANDS}
    out.append(_text(told, "today.ways", lower=f"{limit['lower']:g}", cite=told.cited("travel.limit.walk.lower")))
    if not told.edition.public:
        out.append(_headlines(told, "headline_base", "today", told.base))
    out += _times(told, "times_base", "today", told.base)
    return out


def _times(told: _Told, key: str, view: str, year: int) -> list[Block]:
    page = told.pages["times"]
    words = label("time_distribution", "view", view, told.lang)
    rows = page.frame[(page.frame["year"] == year) & (page.frame["view"] == words)] if len(page.frame) else page.frame
    return [_chosen(told, key, page, ["band", "pupils", "mean", "median", "p90", "longest", "worst_tenth"], rows)] if len(rows) else []


def _targets(told: _Told) -> list[Block]:
    out = [_head(told, "targets")]
    page = told.pages.get("class_targets")
    if page is not None:
        table = told.plan.findings.class_targets
        views = label("class_targets", "view", "today", told.lang)
        rows = page.frame[(page.frame["year"] == told.base) & (page.frame["view"] == views)]
        out.append(_chosen(told, "class_targets", page, ["target", "level", "due", "value", "bound", "met", "clause"], rows))
        failing = table[(table["view"] == "today") & (table["year"] == told.base) & table["in_force"] & ~table["met"]]
        out.append(_text(told, "today.failing", count=len(failing)))
    return [*out, _text(told, "today.yzjh_blank")]


# --- 4 forecast


def _forecast(told: _Told) -> list[Block]:
    plan, lang, public = told.plan, told.lang, told.edition.public
    least = int(plan.standards["privacy.small_count"]) if public else 0
    out = [_head(told, "forecast", 1), _head(told, "method"), _text(told, "forecast.method")]
    out += [Block("text", s) for s in describe([n for n in plan.county.notes if n[0].startswith("population.say.")], lang)]
    county = plan.forecast[plan.forecast["level"] == "county"]
    found = {(r["year"], r["group"]): r for r in records(county)}
    out.append(_head(told, "series"))
    if not found:
        out.append(_text(told, "forecast.none"))
    else:
        out.append(_text(told, "forecast.ranges" if county["low"].notna().any() else "forecast.no_ranges"))
        rows = []
        for year in sorted({y for y, _ in found}):
            groups = {g: found[year, g] for g in ("primary", "junior", "all") if (year, g) in found}
            row: dict[str, Any] = {"year": year, **{g: _hidden(told, r["pupils"], least) for g, r in groups.items()}}
            rows.append(row | {c: _hidden(told, groups["all"][c], least) for c in ("low", "middle", "high") if "all" in groups})
        columns = {"year": (heading(plan, lang, "forecast", "year"), "year")}
        columns |= {g: (_stage(told, g), "int") for g in ("primary", "junior", "all")}
        columns |= {c: (heading(plan, lang, "forecast", c), "int") for c in ("low", "middle", "high") if county[c].notna().any()}
        out.append(_table(told, "series", columns, rows, note=told.say("unit.pupils")))
    out.append(
        _text(
            told, "forecast.variant", variant=label("scenario", "variant", plan.scenario.variant, lang), name=plan.scenario.name or told.say("base")
        )
    )
    out += _drawn(told, "forecast")
    out.append(_head(told, "by_township"))
    if public:
        return [*out, _text(told, "internal_only")]
    townships = plan.forecast[plan.forecast["level"] == "township"]
    if len(townships):
        measures = {}
        for year in dict.fromkeys((told.base, told.near, told.last)):
            for group in ("primary", "junior"):
                own = townships[(townships["year"] == year) & (townships["group"] == group)]
                measures[f"{group}.{year}"] = (f"{year} {_stage(told, group)}", "int", _counted(_sums(own, "area_id", "pupils")))
        out.append(_by_township(told, "forecast", measures, note=told.say("unit.pupils")))
    return out


def _stage(told: _Told, group: str) -> str:
    return told.say("sum") if group == "all" else label("site_pupils", "stage", group, told.lang)


def _hidden(told: _Told, value: float, least: int) -> Any:
    small = not pd.isna(value) and 0 < value < least
    return messages.text("privacy.small", told.lang, least=least) if small else (None if pd.isna(value) else round(value))


# --- 5 seats and classes


def _needs(told: _Told) -> list[Block]:
    plan, lang, findings = told.plan, told.lang, told.plan.findings
    out = [_head(told, "needs", 1), _head(told, "rooms")]
    if told.edition.public:
        return [*out, _text(told, "internal_only")]
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
        out.append(_text(told, "needs.none"))
    else:
        heads = {
            "year": (heading(plan, lang, "rooms_needed", "year"), "year"),
            "standard": (heading(plan, lang, "rooms_needed", "standard_key"), "text"),
        }
        out.append(_text(told, "needs.rooms"))
        out.append(_table(told, "rooms", heads | {c: (heading(plan, lang, "rooms_needed", c), "int") for c in columns}, rows))
        own = table[(table["year"] == told.last) & (table["standard_key"] == "yzjh")]
        own = own.assign(township=own["school_id"].map(_homes(told)))
        measures: dict[str, tuple[str, str, Mapping[str, float]]] = {}
        headline = plan.today.headline[plan.today.headline["year"] == told.last]
        measures["pupils"] = (told.say("col.resident_pupils"), "int", _sums(headline, "township_id", "pupils"))
        measures |= {c: (heading(plan, lang, "rooms_needed", c), "int", _sums(own, "township", c)) for c in columns}
        out.append(_text(told, "needs.balance", year=told.last))
        out.append(_by_township(told, "balance", measures))
    out.append(_head(told, "breaches"))
    breaches = findings.breaches[findings.breaches["breach"] == "oversized"]
    if not len(breaches):
        return [*out, _text(told, "needs.no_breach")]
    out.append(_text(told, "needs.breach", schools=breaches["school_id"].nunique(), grades=len(breaches), first=int(breaches["first_year"].min())))
    page = told.pages["breaches"]
    first = page.frame[page.frame["breach"] == label("breaches", "breach", "oversized", lang)].sort_values(["first_year", "school_id", "grade"])
    names = ["name", "township", "grade", "first_year", "largest_class", "last_year", "peak_largest", "probability"]
    return [*out, _chosen(told, "breaches", page, names, first.head(_LISTED)), *_rest(told, len(first), "breaches")]


def _rest(told: _Told, count: int, sheet: str) -> list[Block]:
    from layout.pages import sheet_title

    return [_text(told, "rest", shown=_LISTED, count=count, sheet=sheet_title(sheet, told.lang))] if count > _LISTED else []


# --- 6 the layout


def _layout(told: _Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    proposals = plan.proposals
    out = [_head(told, "layout", 1), _head(told, "whole"), _text(told, "layout.words")]
    counts = proposals["action"].value_counts()
    listed = "、" if lang == "zh" else ", "
    said = listed.join(told.say("layout.count", action=label("proposals", "action", a, lang), count=int(n)) for a, n in sorted(counts.items()))
    out.append(_text(told, "layout.counts", said=said) if len(proposals) else _text(told, "layout.none"))
    out += [_results(told), *_drawn(told, "layout")]
    page = told.pages["proposals"]
    order = _in_code_order(told, page.frame.assign(code=proposals["action"].tolist()), ["year"])
    names = ["name", "township", "year", "action", "role", "first_grade", "last_grade", "rooms", "beds", "pupils"]
    changed, kept = order[~order["code"].isin(_KEPT)], order[order["code"] == "keep"]
    out += [_head(told, "changes"), _chosen(told, "changes", page, names, changed)] if len(changed) else []
    out += [_text(told, "layout.reasons")] if len(changed) else []
    out += _kept(told, page, names, kept)
    out += [*_relocation_supply(told), *_beds(told), *_review(told), *_alternatives(told), *_left(told)]
    return out


def _results(told: _Told) -> Block:
    """Set the base year, doing nothing and the plan side by side; sums that a public edition may not show are not in it."""
    plan, edition = told.plan, told.edition
    found = {(r["view"], r["year"]): r for r in records(plan.summary)}
    cases = [("today", told.base), ("today", told.near), ("planned", told.near), ("today", told.last), ("planned", told.last)]
    cases = [case for case in dict.fromkeys(cases) if case in found]
    rows: list[dict[str, Any]] = []
    measures = ("pupils", "beyond_limit", "without") if edition.public else ("pupils", "served", "beyond_limit", *WITHOUT, "away", "boarders")
    for measure in (*measures, "classes", "oversized_classes", "super_classes"):
        row: dict[str, Any] = {"measure": told.say(f"col.{measure}")}
        for view, year in cases:
            case = found[view, year]
            value = int(sum(case[m] for m in WITHOUT) if measure == "without" else case[measure])
            row[f"{view}.{year}"] = edition.shown(("H", "" if measure == "pupils" else view, year, measure), value)
        rows.append(row)
    columns = {"measure": (messages.text("workbook.head.item", told.lang), "text")}
    for view, year in cases:
        scheme = "idle" if view == "today" and year != told.base else view
        columns[f"{view}.{year}"] = (messages.text(f"workbook.view.{scheme}", told.lang, year=year).strip("·- "), "int")
    return _table(told, "results", columns, rows)


def _kept(told: _Told, page: Page, names: Sequence[str], kept: pd.DataFrame) -> list[Block]:
    out = [_head(told, "kept"), _text(told, "layout.kept", count=len(kept))]
    if len(kept):
        out += [_chosen(told, "kept", page, names[:7], kept)]
    stay = told.plan.must_stay[told.plan.must_stay["year"] == told.base]
    out.append(_text(told, "layout.must_stay", count=stay["school_id"].nunique(), year=told.base, cite=told.cited("layout.merge.principle")))
    if len(stay):
        rows = told.pages["must_stay"].frame
        rows = rows[rows["year"] == told.base]
        out.append(_chosen(told, "must_stay", told.pages["must_stay"], ["name", "pupils", "next_minutes"], _in_code_order(told, rows)))
    return out


def _relocation_supply(told: _Told) -> list[Block]:
    out = [_head(told, "supply")]
    if told.edition.public:
        return [*out, _text(told, "internal_only")]
    page = told.pages.get("site_verdicts")
    if page is None:
        return [*out, _text(told, "layout.no_sites")]
    rows = page.frame[page.frame["year"] == told.last]
    names = ["name", "township", "stage", "pupils", "seats_near", "pupils_near", "balance", "verdict"]
    return [*out, _text(told, "layout.supply", year=told.last), _chosen(told, "supply", page, names, rows)]


def _beds(told: _Told) -> list[Block]:
    out = [_head(told, "beds"), _text(told, "layout.boarding", cite=told.cited("layout.g1_3.boarding", "boarding.bed"))]
    if told.edition.public:
        return [*out, _text(told, "internal_only")]
    table = told.plan.findings.boarding_demand
    table = table[(table["year"] == told.last) & (table["school_id"] != "")]
    if not len(table):
        return [*out, _text(told, "layout.no_beds")]
    own = table.assign(township=table["school_id"].map(_homes(told)))
    columns = ("no_day_way", "by_choice", "beds_needed", "beds", "beds_missing")
    measures = {
        c: (told.say("col.no_bed") if c == "beds_missing" else heading(told.plan, told.lang, "boarding_demand", c), "int", _sums(own, "township", c))
        for c in columns
    }
    return [*out, _text(told, "layout.beds", year=told.last), _by_township(told, "beds", measures, note=told.say("unit.beds"))]


def _review(told: _Told) -> list[Block]:
    """Write the gate table of every school under review; what only people can say is left blank for them."""
    plan, lang = told.plan, told.lang
    gates = plan.merger_gates
    out = [_head(told, "review"), _text(told, "review.words", cite=told.cited("layout.merge.principle", "layout.merge.hear_parents"))]
    if told.edition.public:
        return [*out, _text(told, "internal_only")]
    listed = plan.findings.review_list
    if len(listed):
        rows = listed[listed["year"] == told.base]
        out.append(_text(told, "review.listed", count=rows["school_id"].nunique(), year=told.base))
    if not len(gates):
        return [*out, _text(told, "review.none")]
    names, rules = school_names(plan), plan.standards.rules
    out.append(_text(told, "review.tables", count=gates["school_id"].nunique()))
    columns = {
        "gate": (heading(plan, lang, "merger_gates", "gate"), "text"),
        "state": (heading(plan, lang, "merger_gates", "state"), "text"),
        "figures": (heading(plan, lang, "merger_gates", "figures"), "long"),
        "clause": (heading(plan, lang, "merger_gates", "clause"), "long"),
        "opinion": (told.say("col.opinion"), "text"),
    }
    reasons = dict(zip(plan.proposals["school_id"], plan.proposals[f"reason_{lang}"], strict=True))
    for school in _in_code_order(told, gates.drop_duplicates("school_id"))["school_id"]:
        own = gates[gates["school_id"] == school]
        rows_of = []
        for row in records(own):
            blank = told.say("blank.opinion") if row["state"] == "people" else ""
            said = _gate_figures(told, row["gate"], str(row["figures"]))
            cite = rules[row["clause"]].cite(lang) if row["clause"] in rules else row["clause"]
            rows_of.append(
                {
                    "gate": label("merger_gates", "gate", row["gate"], lang),
                    "state": label("merger_gates", "state", row["state"], lang),
                    "figures": said or told.say("blank.figures"),
                    "clause": cite,
                    "opinion": blank,
                }
            )
        rows_of.append({"gate": told.say("col.overall"), "opinion": told.say("blank.overall")})
        name = names.get(school, school)
        out.append(Block("text", told.say("review.school", name=name, year=int(own["year"].min()), reason=reasons.get(school, ""))))
        out.append(_table(told, "gates", columns, rows_of, name=name))
    return out


def _gate_figures(told: _Told, gate: str, figures: str) -> str:
    """Say in words what the table of gates says in ids and codes."""
    names = school_names(told.plan)
    parts = [p.strip() for p in figures.split(";") if p.strip()]
    if gate == "few_pupils":
        return ("，" if told.lang == "zh" else ", ").join(
            told.say("review.series", year=p.split(":")[0], pupils=p.split(":")[1].strip()) for p in parts
        )
    if gate == "receiving_classes":
        found = [re.fullmatch(r"(.+) (\d{4}): \+(\d+)", p) for p in parts]
        return "；".join(
            told.say("review.receiving", name=names.get(m[1], m[1]), year=m[2], pupils=m[3]) if m else p for m, p in zip(found, parts, strict=True)
        )
    if gate == "lower_travel" and "/" in figures:
        longest, limit = (p.strip() for p in figures.split("/"))
        return told.say("review.minutes", longest=longest, limit=limit)
    if gate == "safe_way":
        pairs = [p.split(":") for p in parts]
        return "、".join(told.say("review.mode", mode=label("assignment", "mode", m.strip(), told.lang), pupils=n.strip()) for m, n in pairs)
    return (
        told.say("review.no_beds") if gate == "beds_ready" and figures == "0" else told.say("review.no_lower") if gate == "lower_travel" else figures
    )


def _alternatives(told: _Told) -> list[Block]:
    out = [_head(told, "alternatives"), _text(told, "alternatives.why", cite=told.cited("decision.two_options"))]
    if told.edition.public:
        return [*out, _text(told, "internal_only")]
    page = told.pages.get("alternatives")
    if page is None:
        return [*out, _text(told, "alternatives.none")]
    frame = page.frame.copy()
    for c in ("investment_yuan", "cost_yuan"):
        frame[c] = [None if pd.isna(v) else round(v / _YUAN) for v in page.frame[c]]
    money = {"investment_yuan": told.say("col.investment"), "cost_yuan": told.say("col.cost")}
    fields = tuple(Field(f.name, money.get(f.name, f.heading), "int" if f.name in money else f.kind) for f in page.fields)
    names = ["title", "openings", "rooms", "beds", "investment_yuan", "without_place", "beyond_limit", "above_standard", "cost_yuan", "money_gap"]
    return [
        *out,
        _chosen(told, "alternatives", Page(page.key, fields, frame), names),
        _text(told, "alternatives.note"),
        _text(told, "alternatives.blank"),
    ]


def _left(told: _Told) -> list[Block]:
    out = [_head(told, "left")]
    if told.edition.public:
        return [*out, _text(told, "internal_only")]
    return [*out, _text(told, "layout.left", year=told.last), _headlines(told, "headline_plan", "planned", told.last)]


# --- 7 sites and building


def _sites(told: _Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    out = [
        _head(told, "sites", 1),
        _head(told, "screen"),
        _text(told, "sites.screen", rejected=plan.rejected["school_id"].nunique(), kept=len(plan.candidates)),
    ]
    out += _drawn(told, "sites")
    opened = plan.proposals[plan.proposals["action"].isin(["open", "reopen"])]
    names, townships, homes = school_names(plan), township_names(plan), _homes(told)
    found = {r["school_id"]: r for r in records(pd.DataFrame(plan.candidates.drop(columns="geometry")))}
    rows = []
    for row in records(_in_code_order(told, pd.DataFrame(opened.drop(columns="geometry")))):
        site = found.get(row["school_id"], {})
        flags = [f.strip() for f in str(site.get("flags") or "").split(";") if f.strip()]
        keys = [k.strip() for k in str(site.get("flag_clauses") or "").split(";") if k.strip()]
        rows.append(
            {
                "name": names.get(row["school_id"], row["school_id"]),
                "township": townships.get(homes.get(row["school_id"], ""), ""),
                "origin": label("candidates", "origin", site.get("origin", ""), lang),
                "flags": "、".join(flags) or told.say("sites.no_flag"),
                "clauses": told.cited(*keys),
                "area": told.say("blank.area"),
                "survey": told.say("blank.survey"),
            }
        )
    if rows:
        columns = {
            "name": (heading(plan, lang, "candidates", "name"), "text"),
            "township": (township_heading(plan, lang), "text"),
            "origin": (heading(plan, lang, "candidates", "origin"), "text"),
            "flags": (heading(plan, lang, "candidates", "flags"), "long"),
            "clauses": (heading(plan, lang, "candidates", "flag_clauses"), "long"),
            "area": (told.say("col.land"), "text"),
            "survey": (told.say("col.survey"), "text"),
        }
        out.append(_table(told, "sites", columns, rows))
    else:
        out.append(_text(told, "sites.none"))
    rejected = plan.rejected
    if len(rejected):
        reasons = rejected.assign(
            what=[r["layer"] or r["clause"] or r["exclusion_id"] for r in records(pd.DataFrame(rejected.drop(columns="geometry")))]
        )
        rows = [
            {"what": what, "sites": own["school_id"].nunique(), "clause": told.cited(*dict.fromkeys(own["clause"]))}
            for what, own in sorted(reasons.groupby("what"), key=lambda item: (-item[1]["school_id"].nunique(), item[0]))
        ]
        columns = {
            "what": (heading(plan, lang, "rejected", "layer"), "text"),
            "sites": (told.say("col.rejected"), "int"),
            "clause": (heading(plan, lang, "rejected", "clause"), "long"),
        }
        out += [_table(told, "rejected", columns, rows[:_LISTED]), *_rest(told, len(rows), "sources")]
    return [*out, _head(told, "building"), _text(told, "sites.building"), _text(told, "sites.blank")]


# --- 8 travel and buses


def _travel(told: _Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    out = [
        _head(told, "travel", 1),
        _head(told, "times"),
        _text(told, "travel.speeds", cite=told.cited("bus.speed.other.max", "bus.speed.hazard.max")),
    ]
    out += _times(told, "times_plan", "planned", told.last)
    out.append(_head(told, "buses"))
    page = told.pages["buses"]
    rows = page.frame[page.frame["year"].isin([told.base, told.last])] if len(page.frame) else page.frame
    out += (
        [_chosen(told, "buses", page, ["name", "year", "riders", "seats", "buses", "enough_riders"], rows)]
        if len(rows)
        else [_text(told, "travel.no_buses")]
    )
    out.append(_text(told, "travel.bus_blank", cite=told.cited("bus.priority")))
    out.append(_head(told, "far_villages"))
    if told.edition.public:
        out.append(_text(told, "internal_only"))
    else:
        page = told.pages["villages"]
        scheme = messages.text("workbook.scheme.planned", lang).strip("·- ")
        far = page.frame[(page.frame["year"] == told.last) & (page.frame["scheme"] == scheme)] if len(page.frame) else page.frame
        homes = dict(zip(plan.county.settlements["settlement_id"], plan.county.settlements["township_id"], strict=True))
        far = far.assign(home=far["settlement_id"].map(homes)).sort_values(["home", "settlement_id"], kind="stable") if len(far) else far
        out.append(_text(told, "travel.far", year=told.last, villages=far["settlement_id"].nunique() if len(far) else 0))
        if len(far):
            out += [
                _chosen(told, "far_villages", page, ["name", "township", "band", "status", "pupils", "minutes", "school"], far.head(_LISTED)),
                *_rest(told, len(far), "villages"),
            ]
    page = told.pages["sensitivity"]
    words = label("sensitivity", "view", "planned", lang)
    rows = page.frame[(page.frame["year"] == told.last) & (page.frame["view"] == words)] if len(page.frame) else page.frame
    if len(rows):
        names = [f.name for f in page.fields if f.name not in ("year", "view")]
        out += [_head(told, "sensitivity"), _text(told, "travel.sensitivity"), _chosen(told, "sensitivity", page, names, rows)]
    return out


# --- 9 staff and money


def _staff(told: _Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    out = [_head(told, "staff", 1), _head(told, "posts"), _text(told, "staff.posts", cite=told.cited("staff.ratio.primary", "staff.ratio.junior"))]
    table = plan.findings.school_needs
    if told.edition.public:
        out.append(_text(told, "internal_only"))
    elif len(table):
        columns = {"pupils": "int", "classes": "int", "posts": "int", "teachers": "int", "teachers_missing": "int", "beds_missing": "int"}
        rows = []
        for year in plan.years:
            own = table[table["year"] == year]
            row: dict[str, Any] = {"year": year} | {c: float(own[c].sum(min_count=1)) for c in columns}
            rows.append(row | {f: float(own[f"{f}_yuan"].sum()) / _YUAN for f in ("funding", "funding_boarders", "funding_floor")})
        heads = {"year": (heading(plan, lang, "school_needs", "year"), "year")}
        heads |= {c: (told.say("col.no_bed") if c == "beds_missing" else heading(plan, lang, "school_needs", c), kind) for c, kind in columns.items()}
        heads |= {f: (told.say(f"col.{f}"), "int") for f in ("funding", "funding_boarders", "funding_floor")}
        out.append(_table(told, "staff", heads, rows, note=told.say("staff.idle")))
        if table["unverified"].any():
            out.append(_text(told, "staff.unverified"))
    out += [_head(told, "money"), _text(told, "staff.funding", cite=told.cited("fund.per_pupil.primary", "fund.boarder_extra", "fund.small_floor"))]
    spent = plan.proposals[plan.proposals["cost_yuan"] > 0]
    if len(spent) and not told.edition.public:
        rows = []
        for action, own in sorted(spent.groupby("action", observed=True)):
            near = own["year"] <= _NEAR_TERM
            rows.append(
                {
                    "action": label("proposals", "action", action, lang),
                    "count": len(own),
                    "rooms": int(own["rooms"].sum()),
                    "beds": int(own["beds"].sum()),
                    "near": own.loc[near, "cost_yuan"].sum() / _YUAN,
                    "all": own["cost_yuan"].sum() / _YUAN,
                }
            )
        total = {c: sum(r[c] for r in rows) for c in ("count", "rooms", "beds", "near", "all")}
        columns = {
            "action": heading(plan, lang, "proposals", "action"),
            "count": told.say("col.items"),
            "rooms": heading(plan, lang, "proposals", "rooms"),
            "beds": heading(plan, lang, "proposals", "beds"),
            "near": told.say("col.near_cost", year=_NEAR_TERM),
            "all": told.say("col.all_cost"),
        }
        out.append(
            _table(
                told,
                "money",
                {c: (h, "text" if c == "action" else "int") for c, h in columns.items()},
                [*rows, {"action": told.say("sum"), **total}],
                sums=1,
            )
        )
    return [*out, _text(told, "staff.blank")]


# --- 10 near term, 11 measures, 12 process


def _near_term(told: _Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    page = told.pages["proposals"]
    rules = plan.standards.rules
    frame = page.frame.assign(code=plan.proposals["action"].tolist())
    frame = _in_code_order(told, frame[(frame["year"] <= _NEAR_TERM) & ~frame["code"].isin(_KEPT)], ["year"])
    out = [_head(told, "near_term", 1), _text(told, "near.what", year=_NEAR_TERM)]
    rows = []
    for i, row in enumerate(records(frame), start=1):
        key = _LEADS.get(row["code"], "")
        start = row["year"] - int(rules[key].value) if key in rules else row["year"]
        stages = [
            s
            for s, grades in (("primary", GRADES[:_PRIMARY]), ("junior", GRADES[_PRIMARY:]))
            if set(grades) & set(range(int(row["first_grade"]), int(row["last_grade"]) + 1))
        ]
        cost = row["cost_yuan"]
        rows.append(
            {
                "no": i,
                "name": row["name"],
                "township": row["township"],
                "stage": "、".join(label("site_pupils", "stage", s, lang) for s in stages),
                "what": told.say("near.item", action=row["action"], rooms=row["rooms"], beds=row["beds"]),
                "start": max(start, told.base),
                "year": row["year"],
                "cost": cost if isinstance(cost, str) else cost / _YUAN,
                "duty": told.say("blank.duty"),
                "money": told.say("blank.source"),
            }
        )
    if not rows:
        out.append(_text(told, "near.none", year=_NEAR_TERM))
    else:
        columns = {
            "no": (told.say("col.no"), "int"),
            "name": (told.say("col.project"), "text"),
            "township": (township_heading(plan, lang), "text"),
            "stage": (heading(plan, lang, "site_pupils", "stage"), "text"),
            "what": (told.say("col.content"), "text"),
            "start": (told.say("col.start"), "year"),
            "year": (told.say("col.use"), "year"),
            "cost": (told.say("col.investment"), "int"),
            "duty": (told.say("col.duty"), "text"),
            "money": (told.say("col.source"), "text"),
        }
        out.append(_table(told, "near_term", columns, rows))
        out.append(_text(told, "near.leads", marks=messages.text("standards.unverified", lang)))
    return [*out, *_drawn(told, "near_term"), _text(told, "near.years")]


def _measures(told: _Told) -> list[Block]:
    keys = ("organise", "land", "money", "staff", "boarding", "bus", "watch", "buildings")
    return [_head(told, "measures", 1), *(Block("item", told.say(f"measure.{key}")) for key in keys)]


def _process(told: _Told) -> list[Block]:
    lang = told.lang
    out = [_head(told, "process", 1), _head(told, "clock"), _text(told, "process.clock")]
    rows = []
    for i, (step, keys) in enumerate(_STEPS.items(), start=1):
        figures = [
            told.say("process.figure", name=told.named(r), value=f"{r.value:g}", unit=_unit(r.unit, lang))
            for r in told.rules(*keys)
            if not isinstance(r.value, str) and r.unit in _TIMES
        ]
        rows.append(
            {
                "no": i,
                "step": told.say(f"step.{step}"),
                "time": "；".join(figures),
                "clause": told.cited(*keys),
                "date": told.say("blank.date"),
                "result": told.say("blank.result"),
            }
        )
    columns = {
        "no": (told.say("col.no"), "int"),
        "step": (told.say("col.step"), "long"),
        "time": (told.say("col.time"), "long"),
        "clause": (messages.text("workbook.head.clause", lang), "long"),
        "date": (told.say("col.date"), "text"),
        "result": (told.say("col.result"), "text"),
    }
    out.append(_table(told, "clock", columns, rows))
    for form, heads in (
        ("opinions", ("no", "from", "opinion_text", "taken", "why")),
        ("experts", ("no", "expert", "expert_text", "answer")),
        ("risks", ("no", "risk", "level", "answer")),
        ("legality", ("no", "law_text", "verdict", "date")),
    ):
        blank = {h: told.say("blank.cell") for h in heads if h != "no"}
        columns = {h: (told.say(f"col.{h}"), "int" if h == "no" else "text" if h in ("date", "taken", "level", "verdict") else "long") for h in heads}
        out += [_head(told, form), _table(told, form, columns, [{"no": n, **blank} for n in (1, 2, 3)])]
    return out


_TIMES = {"days": "days", "working days": "working_days", "years": "years"}


def _unit(unit: str, lang: str) -> str:
    return messages.text(f"report.time.{_TIMES[unit]}", lang)


# --- appendices


def _appendix(told: _Told, audience: str) -> list[Block]:
    """List schools, reasons, sources, assumptions and what is unverified."""
    plan, lang = told.plan, told.lang
    out = [Block("page"), Block("line", told.say("head.schools_list"))]
    page = told.pages["schools"]
    names = ["name", "township", "kind", "rooms", "beds", "base.pupils", "base.classes", "base.largest_class", "base.tier"]
    out.append(_chosen(told, "schools_list", page, names, _in_code_order(told, page.frame)))
    page = told.pages["proposals"]
    if len(page.frame):
        out.append(Block("line", told.say("head.reasons")))
        out.append(_chosen(told, "reasons", page, ["name", "year", "action", "reason"], _in_code_order(told, page.frame, ["year"])))
        out.append(_text(told, "layout.bases"))
        for action, own in page.frame.groupby("action", sort=True):
            lines = {c: dict.fromkeys(line for cell in own[c] for line in str(cell).split("\n") if line) for c in ("clauses", "gates")}
            joined = {c: ("；" if lang == "zh" else "; ").join(found) or "—" for c, found in lines.items()}
            out.append(Block("item", told.say("layout.bases_of", action=action, **joined)))
    out += [Block("line", told.say("head.data")), _text(told, "data.inputs", files="、".join(sorted(plan.county.inputs)) or "—")]
    out += [
        Block("item", s)
        for s in describe([n for n in shown_notes(plan, audience) if not n[0].startswith(("population.say.", "population.source."))], lang)
    ]
    page = told.pages["sources"]
    kind = messages.text("workbook.source.assumption", lang)
    assumed = [str(r["what"]) for r in records(page.frame) if r["kind"] == kind]
    out += [Block("line", told.say("head.assumed")), *(Block("item", text) for text in assumed)] if assumed else []
    keys = {k.strip() for row in plan.proposals["clauses"].tolist() for k in str(row).split(";")} | set(plan.merger_gates["clause"])
    keys |= (
        {key for keys_of in _STEPS.values() for key in keys_of}
        | set(_BASES)
        | {k for k in plan.standards.rules if k.startswith(("travel.limit.", "cost.", "lead.")) and ".obs." not in k}
    )
    doubtful = [r for r in told.rules(*sorted(keys)) if r.verified == "U"]
    out += [Block("line", told.say("head.doubtful")), _text(told, "data.doubtful", count=len(doubtful))]
    out += [
        Block(
            "item",
            told.say("data.rule", name=told.named(r), value=r.value if isinstance(r.value, str) else f"{r.value:g}", unit=r.unit, cite=r.cite(lang)),
        )
        for r in doubtful
    ]
    return out
