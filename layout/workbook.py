"""A plan as the planner's workbook: one sheet a table, headings with units, every figure with its source."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from layout import messages
from layout.finding_sheets import finding_pages, internal_only, nothing_found
from layout.hindrances import cause_words
from layout.meeting_sheets import MEETING_TABLES, hidden_pages, meeting_pages
from layout.pages import Field, Page, heading, in_tens, measured, school_names, sheet_title, township_heading, township_names, view_prefix
from layout.plan import Plan, wrong_size_schools
from layout.privacy import (
    AUDIENCES,
    PLACED,
    WITHOUT,
    Edition,
    edition_of,
    headline_cell,
    proposal_cell,
    records,
    relocation_sites,
    round_people,
    shown_notes,
    site_cells,
    unserved_villages,
)  # fmt: skip
from layout.sensitivity import CASES
from layout.sheets import describe
from layout.standards import judged_minutes
from layout.tables import BANDS, label, schemas

# the sheets behind the guide: who there is, classes and what schools need, the way to school, what to do, how sure it is, sources
_ORDER = (
    "townships", "forecast", "base_year_fit", "schools", "classes", "class_shares", "class_targets", "breaches", "remedies", "rooms_needed",
    "school_needs", "villages", "coverage", "overlap", "minute_steps", "zone_differences", "seat_access", "proposals", *MEETING_TABLES, "must_stay",
    "small_schools", "clusters", "rounds", "sites", "site_verdicts", "boarding_demand", "young_boarders", "times", "sensitivity", "buses",
    "standards", "sources",
)  # fmt: skip
# Excel takes no longer text in a cell
_LONGEST_TEXT = 32_000
# height of a line of a heading in points, and the code point from which characters are two wide
_LINE, _WIDE = 15, 0x2E80
_TIER_COLOURS = {"small": "#DDEBF7", "elevated": "#FFF2CC", "oversized": "#F8CBAD", "super": "#FF9999"}
_WIDTHS = {"text": 16, "long": 48, "int": 11, "year": 8, "minutes": 11, "money": 15, "number": 12, "yes": 8, "share": 10, "percent": 10}
_FORMATS = {"int": "#,##0", "year": "0", "minutes": "0.0", "money": "#,##0", "number": "General", "share": "0.00", "percent": "0.0%"}


def write_workbook(plan: Plan, path: str | Path, *, lang: str = "zh", audience: str = "internal", edition: Edition | None = None) -> None:
    """Write the planner's tables of a plan as an Excel workbook.

    The first sheet says of every other what it answers; tables of the findings without rows have no sheet. Texts are written as
    texts, never as formulas or links. The file appears whole or not at all, and two runs give
    the same bytes.

    Parameters
    ----------
    plan
        What to write.
    path
        File to write; an earlier one is replaced.
    lang
        ``zh`` or ``en``.
    audience
        ``internal`` for every figure. In ``public``, counts of people under ``privacy.small_count`` are shown as
        ``<10``; where such a count could be worked out from the totals around it, the next smallest count is hidden
        too (``*``), and the numbers of people in the reasons are rounded to tens. Findings about single villages and schools
        are left out, and the guide names the sheets that only the internal edition has.
    edition
        From :func:`layout.privacy.edition_of` for this audience where it is known already: to find what must be hidden takes a while.

    Raises
    ------
    ValueError
        If the language or the audience is not known.

    Examples
    --------
    >>> write_workbook(plan, "plan.xlsx")  # doctest: +SKIP
    """
    if audience not in AUDIENCES:
        raise ValueError(f"audience must be one of {', '.join(AUDIENCES)}, not {audience!r}")
    edition = edition or edition_of(plan, audience)
    pages = list(workbook_pages(plan, lang, edition).values())
    pages = [_guide(plan, lang, audience, edition, pages), *pages]
    write_pages(pages, path, stamp=messages.text(f"workbook.stamp.{audience}", lang), county=plan.county.name, lang=lang)


def write_pages(pages: list[Page], path: str | Path, *, stamp: str, county: str, lang: str) -> None:
    """Write pages as the sheets of an Excel workbook, whole or not at all, texts as texts, the same bytes from run to run.

    Parameters
    ----------
    pages
        The sheets in their order.
    path
        File to write; an earlier one is replaced.
    stamp
        Stands beside the title of every sheet.
    county
        Title of the workbook.
    lang
        ``zh`` or ``en``.

    Examples
    --------
    >>> write_pages(pages, "plan.xlsx", stamp="内部", county="三都县", lang="zh")  # doctest: +SKIP
    """
    path = Path(path)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _write(pages, scratch, stamp, county, lang)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def workbook_pages(plan: Plan, lang: str, edition: Edition) -> dict[str, Page]:
    """Return the pages behind the guide, which the report shows too: what one hides the other hides.

    Parameters
    ----------
    plan
        What to show.
    lang
        ``zh`` or ``en``.
    edition
        What is hidden from its readers.

    Returns
    -------
    dict
        Page by key, in the order of the workbook.

    Examples
    --------
    >>> workbook_pages(plan, "zh", Edition(False, {}))["proposals"].frame  # doctest: +SKIP
    """
    own: dict[str, Callable[[Plan, str, Edition], Page]] = {
        "townships": _townships, "forecast": _forecast, "schools": _schools, "classes": _classes, "villages": _villages,
        "proposals": _proposals, "must_stay": _must_stay, "sites": _sites, "times": _times, "sensitivity": _sensitivity, "buses": _buses,
        "standards": _standards, "sources": _sources,
    }  # fmt: skip
    found = finding_pages(plan, lang, edition) | meeting_pages(plan, lang, edition)
    return {key: found[key] if key in found else own[key](plan, lang, edition) for key in _ORDER if key in found or key in own}


def summary_sentence(plan: Plan, *, lang: str = "zh", audience: str = "internal", edition: Edition | None = None) -> str:
    """Say a plan in one sentence: pupils, pupils beyond the limit, oversized classes, proposals.

    Parameters
    ----------
    plan
        What to say.
    lang
        ``zh`` or ``en``.
    audience, edition
        As in :func:`write_workbook`.

    Returns
    -------
    str
        The sentence.

    Examples
    --------
    >>> summary_sentence(plan, lang="en")  # doctest: +SKIP
    """
    return _summary(plan, lang, edition or edition_of(plan, audience))


def _summary(plan: Plan, lang: str, edition: Edition) -> str:
    base, last = plan.county.base_year, max(plan.years)
    rows = {(r["view"], r["year"]): r for r in records(plan.summary)}
    nothing = dict.fromkeys(["pupils", "beyond_limit", *WITHOUT, "oversized_classes"], 0)
    before, idle, after = (rows.get(key, nothing) for key in (("today", base), ("today", last), ("planned", last)))

    def shown(view: str, year: int, measure: str, value: float) -> str:
        return edition.shown(("H", view, year, measure), f"{int(value):,}")

    return messages.text(
        "workbook.summary", lang, name=plan.county.name, base=base, year=last, pupils=shown("", last, "pupils", idle["pupils"]),
        before=shown("today", base, "beyond_limit", before["beyond_limit"]), idle=shown("today", last, "beyond_limit", idle["beyond_limit"]),
        after=shown("planned", last, "beyond_limit", after["beyond_limit"]),
        **{name: shown(view, year, "without", sum(row[m] for m in WITHOUT)) for name, view, year, row in (
            ("lost_before", "today", base, before), ("lost_idle", "today", last, idle), ("lost_after", "planned", last, after))},
        big_before=int(before["oversized_classes"]),
        big_idle=int(idle["oversized_classes"]), big_after=int(after["oversized_classes"]), proposals=int((plan.proposals["action"] != "keep").sum()),
    )  # fmt: skip


# --- rows that several sheets share


def _nearest(plan: Plan, settlement: str, year: int | None) -> tuple[str, float]:
    """Return the open school of grade 1 that takes the fewest minutes on foot or by bus, and these minutes."""
    schools = plan.county.schools if year is None else plan.planned.school_years[plan.planned.school_years["year"] == year]
    taught = schools[(schools["status"] == "open") & (schools["first_grade"] <= 1)]["school_id"]
    times = (plan.today if year is None else plan.planned).times
    own = times[(times["from_id"] == settlement) & (times["band"] == "lower") & times["mode"].isin(["walk", "bus"]) & times["to_id"].isin(taught)]
    ways = sorted(zip(judged_minutes(own, plan.standards), own["to_id"], strict=True))
    return (str(ways[0][1]), float(ways[0][0])) if ways else ("", float("nan"))


# --- the sheets


def _guide(plan: Plan, lang: str, audience: str, edition: Edition, pages: list[Page]) -> Page:
    county, manifest = plan.county, plan.manifest
    solve, gap = manifest.get("solve"), "：" if lang == "zh" else ": "
    rows: list[tuple[str, object]] = [
        ("stamp", messages.text(f"workbook.stamp.{audience}", lang)), ("what", messages.text("workbook.what", lang)),
        ("county", f"{county.name} {county.code}".strip()), ("base_year", str(county.base_year)),
        ("years", ", ".join(str(y) for y in plan.years)), ("summary", _summary(plan, lang, edition)),
    ]  # fmt: skip
    rows += [("sheets", f"{sheet_title(p.key, lang)}{gap}{messages.text(f'workbook.answer.{p.key}', lang)}") for p in pages]
    nothing, inside = nothing_found(plan, lang, edition), [*internal_only(plan, lang), *hidden_pages(plan, lang)] if edition.public else []
    listed = "、" if lang == "zh" else ", "
    rows += [(item, listed.join(titles)) for item, titles in (("nothing", nothing), ("inside", inside)) if titles]
    # the levels of the solve are counts of children: an internal matter
    solved = solve if isinstance(solve, Mapping) else {}
    sentences = _solve_sentences(solved, lang) if audience == "internal" else []
    if solved.get("stopped_by"):
        sentences.append(messages.text(f"workbook.status.{solved['stopped_by']}", lang))
    rows += [("solve", sentence) for sentence in sentences or [messages.text("workbook.no_solve", lang)]]
    if audience == "public":
        rows.append(("privacy", messages.text("workbook.privacy", lang, least=int(plan.standards["privacy.small_count"]))))
    rows += [("notes", sentence) for sentence in describe(shown_notes(plan, audience), lang)]
    # the rolls of single schools are an internal matter
    rows += [("notes", cause_words(cause, lang)) for cause in (wrong_size_schools(plan) if audience == "internal" else [])]
    rows += [("assumption", sentence) for sentence in _assumptions(plan, lang)] or [("assumption", messages.text("workbook.no_assumptions", lang))]
    unverified = [rule for rule in plan.standards.rules.values() if rule.verified == "U"]
    named = [(rule, rule.zh if lang == "zh" else rule.en) for rule in unverified]
    rows += [("unverified", f"{name}{gap}{_plain(rule.value)} {measured(rule.unit, lang)} ({rule.key})") for rule, name in named]
    frame = pd.DataFrame([(messages.text(f"workbook.guide.{key}", lang), value) for key, value in rows], columns=["item", "content"])
    fields = (Field("item", messages.text("workbook.head.item", lang)), Field("content", messages.text("workbook.head.content", lang), "long"))
    return Page("guide", fields, frame)


def _solve_sentences(solve: Mapping[str, object], lang: str) -> list[str]:
    levels = solve.get("levels")
    out = []
    for level in levels if isinstance(levels, (list, tuple)) else []:
        fields = {k: f"{level[k] + 0.0:,.0f}" for k in ("objective", "bound", "gap")}
        name = messages.text(f"workbook.level.{level['name']}", lang)
        out.append(messages.text("workbook.level_line", lang, name=name, status=messages.text(f"workbook.status.{level['status']}", lang), **fields))
    return out


def _plain(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def _assumptions(plan: Plan, lang: str) -> list[str]:
    out = []
    for row in records(plan.county.assumptions):
        table = schemas().get(row["table"])
        column = table.columns.get(row["column"]) if table else None
        if lang == "zh":
            row |= {"table": table.zh if table else row["table"], "column": column.zh if column else row["column"]}
        out.append(messages.text("workbook.assumption", lang, **{**row, "note": messages.in_language(str(row["note"]), lang)}))
    return out


def _townships(plan: Plan, lang: str, edition: Edition) -> Page:
    measures = (*PLACED, *WITHOUT)
    names = {"": messages.text("workbook.whole_county", lang)} | township_names(plan)
    views, columns = ("today", "planned"), ["pupils", "away", *measures]
    own = pd.concat([plan.today.headline, plan.planned.headline])
    whole = own.groupby(["view", "year", "band"], as_index=False, observed=True)[columns].sum().assign(township_id="")
    found = {(r["view"], r["township_id"], r["year"], r["band"]): r for r in records(pd.concat([own, whole]))}
    rows = []
    for year, township in sorted({(year, township) for _, township, year, _ in found}):
        for band in BANDS:
            row: dict[str, object] = {"year": year, "township": names.get(township, township), "band": messages.text(f"band.{band}", lang)}
            for view in views:
                counts = found.get((view, township, year, band), {})
                shown = {m: edition.shown(headline_cell(view, township, year, band, m), counts[m]) for m in columns if counts}
                row |= {m if m in ("pupils", "away") else f"{view}.{m}": value for m, value in shown.items()}
            rows.append(row)
    fields = [Field("year", heading(plan, lang, "headline", "year"), "year"), Field("township", township_heading(plan, lang))]
    fields += [Field("band", heading(plan, lang, "headline", "band")), Field("pupils", heading(plan, lang, "headline", "pupils"), "int")]
    for view in views:
        fields += [Field(f"{view}.{m}", heading(plan, lang, "headline", m, messages.text(f"workbook.scheme.{view}", lang)), "int") for m in measures]
    fields.append(Field("away", heading(plan, lang, "headline", "away"), "int"))
    return Page("townships", tuple(fields), pd.DataFrame(rows, columns=[f.name for f in fields]), 3)


def _forecast(plan: Plan, lang: str, edition: Edition) -> Page:
    table = plan.forecast[plan.forecast["level"].isin(["county"] if edition.public else ["county", "township"])]
    names = {"": messages.text("workbook.whole_county", lang)} | township_names(plan)
    order = {group: i for i, group in enumerate(("all", "primary", *BANDS))}
    table = table[table["group"].isin(order)]
    table = table.assign(rank=table["group"].map(order)).sort_values(["area_id", "rank", "year"], ignore_index=True)
    columns = ("pupils", "low", "middle", "high", "registered")
    frame = pd.DataFrame({"township": table["area_id"].map(names).fillna(table["area_id"]), "group": [
        label("forecast", "group", group, lang) for group in table["group"]], "year": table["year"]})  # fmt: skip
    for column in columns:
        frame[column] = table[column].round()
    if edition.public:
        # a sum of the whole county that is itself small
        frame = frame[(table["pupils"] >= plan.standards["privacy.small_count"]).to_numpy()].reset_index(drop=True)
    else:
        frame["noise"] = [messages.text("workbook.yes", lang) if noise else "" for noise in table["noise"]]
    fields = [Field("township", township_heading(plan, lang)), Field("group", heading(plan, lang, "forecast", "group"))]
    fields += [Field("year", heading(plan, lang, "forecast", "year"), "year")]
    fields += [Field(c, heading(plan, lang, "forecast", c), "int") for c in columns if table[c].notna().any()]
    fields += [] if edition.public else [Field("noise", heading(plan, lang, "forecast", "noise"))]
    return Page("forecast", tuple(fields), frame[[f.name for f in fields]], 3)


def _schools(plan: Plan, lang: str, edition: Edition) -> Page:
    county, base, last = plan.county, plan.county.base_year, max(plan.years)
    plain = ["school_id", "name", "kind", "urban_rural", "owner", "status"]
    numbers = ["first_grade", "last_grade", "rooms", "expandable_rooms", "beds", "boarders", "teachers", "site_area_m2"]
    fields = [Field(c, heading(plan, lang, "schools", c)) for c in plain[:2]] + [Field("township", township_heading(plan, lang))]
    fields += [Field(c, heading(plan, lang, "schools", c)) for c in plain[2:]] + [Field(c, heading(plan, lang, "schools", c), "int") for c in numbers]
    frame = pd.DataFrame(county.schools[plain + numbers])
    frame["township"] = county.schools["township_id"].map(township_names(plan)).fillna(county.schools["township_id"])
    for column in plain[2:]:
        frame[column] = [label("schools", column, value, lang) for value in frame[column]]
    boarders = [edition.shown(("B", s), n) for s, n in zip(frame["school_id"], frame["boarders"], strict=True)]
    frame["boarders"] = pd.Series(boarders, index=frame.index, dtype=object)
    for name, outcome, year in (("base", plan.today, base), ("idle", plan.today, last), ("planned", plan.planned, last)):
        totals = _school_totals(plan, outcome.view, outcome.classes, year, lang, edition)
        prefix = view_prefix(plan, outcome.view, year, lang)
        for column in ("pupils", "classes", "largest_class", "tier", "oversized_classes", "rooms_missing"):
            fields.append(Field(f"{name}.{column}", heading(plan, lang, "classes", column, prefix), "text" if column == "tier" else "int"))
            frame[f"{name}.{column}"] = pd.Series([totals.get(s, {}).get(column) for s in frame["school_id"]], index=frame.index, dtype=object)
    return Page("schools", tuple(fields), frame[[f.name for f in fields]], 2)


def _school_totals(plan: Plan, view: str, classes: pd.DataFrame, year: int, lang: str, edition: Edition) -> dict[str, dict[str, object]]:
    least = plan.standards["privacy.small_count"] if edition.public else 0
    out: dict[str, dict[str, object]] = {}
    of_school: dict[str, list[dict[str, Any]]] = {}
    for row in records(classes[classes["year"] == year]):
        of_school.setdefault(str(row["school_id"]), []).append(row)
    for school, rows in sorted(of_school.items()):
        largest = max(rows, key=lambda r: r["largest_class"])
        total = ("S", view, year, school)
        # the largest class is named only where the class it is may be named
        closed = edition.marks.get(("C", view, year, school, largest["class_group"])) or edition.marks.get(total)
        if not closed and 0 < largest["largest_class"] < least:
            closed = messages.text("privacy.small", lang, least=int(least))
        out[school] = {
            "pupils": edition.shown(total, int(sum(r["pupils"] for r in rows))), "classes": int(sum(r["classes"] for r in rows)),
            "largest_class": closed or int(largest["largest_class"]), "tier": label("classes", "tier", largest["tier"], lang),
            "oversized_classes": int(sum(r["oversized_classes"] for r in rows)), "rooms_missing": int(max(r["rooms_missing"] for r in rows)),
        }  # fmt: skip
    return out


def _classes(plan: Plan, lang: str, edition: Edition) -> Page:
    base, last = plan.county.base_year, max(plan.years)
    names = school_names(plan)
    least = int(plan.standards["privacy.small_count"]) if edition.public else 0
    rows: dict[tuple[str, str], dict[str, object]] = {}
    fields = [Field("school_id", heading(plan, lang, "classes", "school_id")), Field("name", heading(plan, lang, "schools", "name"))]
    fields.append(Field("class_group", heading(plan, lang, "classes", "class_group"), "int"))
    shown = {"class_size": "minutes", "tier": "text"} | dict.fromkeys(["pupils", "classes", "largest_class", "oversized_classes", "standard"], "int")
    order = ["pupils", "classes", "class_size", "largest_class", "oversized_classes", "tier", "standard"]
    for key, outcome, year in (("base", plan.today, base), ("idle", plan.today, last), ("planned", plan.planned, last)):
        prefix = view_prefix(plan, outcome.view, year, lang)
        fields += [Field(f"{key}.{c}", heading(plan, lang, "classes", c, prefix), shown[c]) for c in order]
        for found in records(outcome.classes[outcome.classes["year"] == year]):
            group = str(found["class_group"])
            row = rows.setdefault((str(found["school_id"]), group), {"class_group": int(group) if group.isdigit() else group})
            closed = edition.marks.get(("C", outcome.view, year, found["school_id"], found["class_group"]))
            values = {c: found[c] for c in shown} | {"tier": label("classes", "tier", found["tier"], lang)}
            if closed:
                values |= {"pupils": closed, "class_size": closed, "largest_class": closed}
            elif 0 < found["largest_class"] < least:
                small = messages.text("privacy.small", lang, least=least)
                values |= {"class_size": small, "largest_class": small}
            row |= {f"{key}.{c}": value for c, value in values.items()}
    keys = sorted(rows, key=lambda k: (k[0], not k[1].isdigit(), int(k[1]) if k[1].isdigit() else 0, k[1]))
    frame = pd.DataFrame([{"school_id": k[0], "name": names.get(k[0], k[0])} | rows[k] for k in keys], columns=[f.name for f in fields])
    return Page("classes", tuple(fields), frame, 3)


def _villages(plan: Plan, lang: str, edition: Edition) -> Page:
    places = {p["settlement_id"]: (p["name"], p["township_id"]) for p in records(plan.county.settlements[["settlement_id", "name", "township_id"]])}
    townships, schools = township_names(plan), school_names(plan)
    key = ["view", "year", "settlement_id", "band", "status"]
    nearest = {tuple(r[c] for c in key): (r["nearest_id"], r["nearest_minutes"]) for r in records(plan.findings.short_villages)}
    rows = []
    for outcome in (plan.today, plan.planned):
        scheme = messages.text(f"workbook.scheme.{outcome.view}", lang).strip("·- ")
        for row in records(unserved_villages(outcome.assignment)):
            cell = ("V", outcome.view, row["year"], row["settlement_id"], row["band"], row["status"])
            name, township = places[row["settlement_id"]]
            near, near_minutes = nearest.get(cell[1:2] + cell[2:], ("", None))
            rows.append(
                row | {
                    "scheme": scheme, "name": name, "township": townships.get(township, township), "band": messages.text(f"band.{row['band']}", lang),
                    "status": label("assignment", "status", row["status"], lang), "pupils": edition.shown(cell, row["pupils"]),
                    "school": "、".join(schools.get(s, s) for s in row["school_ids"]),
                    "nearest": schools.get(near, near), "nearest_minutes": near_minutes,
                }
            )  # fmt: skip
    fields: tuple[Field, ...] = (
        Field("scheme", heading(plan, lang, "headline", "view")), Field("year", heading(plan, lang, "assignment", "year"), "year"),
        Field("settlement_id", heading(plan, lang, "settlements", "settlement_id")), Field("name", heading(plan, lang, "settlements", "name")),
        Field("township", township_heading(plan, lang)), Field("band", heading(plan, lang, "headline", "band")),
        Field("status", heading(plan, lang, "assignment", "status")), Field("pupils", heading(plan, lang, "assignment", "pupils"), "int"),
        Field("minutes", messages.text("workbook.head.longest_minutes", lang), "minutes"),
        Field("school", messages.text("workbook.head.school", lang), "long"),
    )  # fmt: skip
    if len(plan.findings.short_villages):
        fields += (Field("nearest", messages.text("workbook.head.nearest_any", lang)),
                   Field("nearest_minutes", heading(plan, lang, "short_villages", "nearest_minutes"), "minutes"))  # fmt: skip
    return Page("villages", fields, pd.DataFrame(rows, columns=[f.name for f in fields]), 4)


def _proposals(plan: Plan, lang: str, edition: Edition) -> Page:
    names, townships = school_names(plan), township_names(plan)
    home = dict(zip(plan.candidates["school_id"], plan.candidates["township_id"], strict=True))
    home |= dict(zip(plan.schools["school_id"], plan.schools["township_id"], strict=True))
    rules = plan.standards.rules
    rows = []
    for found in records(pd.DataFrame(plan.proposals.drop(columns="geometry"))):
        school, reason = str(found["school_id"]), str(found[f"reason_{lang}"])
        clauses = [c.strip() for c in str(found["clauses"]).split(";") if c.strip()]
        beds = edition.shown(("D", school, found["year"], found["action"]), found["beds"])
        # the money for a few beds says how many they are
        found |= {"beds": beds, "cost_yuan": messages.text("privacy.hidden", lang) if beds != found["beds"] else found["cost_yuan"]}
        gates = [g.strip() for g in str(found["gates"]).split(";") if g.strip()]
        rows.append(
            found | {
                "name": names.get(school, school), "township": townships.get(home.get(school, ""), home.get(school, "")),
                "action": label("proposals", "action", found["action"], lang), "role": label("proposals", "role", found["role"], lang),
                # to name the cell takes a search of the classes
                "pupils": edition.shown(proposal_cell(plan, school, found["year"]), found["pupils"]) if edition.public else found["pupils"],
                "reason": round_people(reason) if edition.public else reason,
                "clauses": "\n".join(rules[c].cite(lang) if c in rules else c for c in clauses), "gates": "\n".join(_gate(g, lang) for g in gates),
            }
        )  # fmt: skip
    fields = [Field("school_id", heading(plan, lang, "proposals", "school_id")), Field("name", heading(plan, lang, "schools", "name"))]
    fields += [Field("township", township_heading(plan, lang)), Field("year", heading(plan, lang, "proposals", "year"), "year")]
    fields += [Field(c, heading(plan, lang, "proposals", c)) for c in ("action", "role")]
    fields += [Field(c, heading(plan, lang, "proposals", c), "int") for c in ("first_grade", "last_grade", "rooms", "beds")]
    fields += [
        Field("cost_yuan", heading(plan, lang, "proposals", "cost_yuan"), "money"),
        Field("pupils", heading(plan, lang, "proposals", "pupils"), "int"),
    ]
    fields += [Field("reason", heading(plan, lang, "proposals", f"reason_{lang}"), "long")]
    fields += [Field(c, heading(plan, lang, "proposals", c), "long") for c in ("clauses", "gates")]
    return Page("proposals", tuple(fields), pd.DataFrame(rows, columns=[f.name for f in fields]), 2)


def _gate(key: str, lang: str) -> str:
    return messages.catalogue(lang).get(f"gate.{key}", key)


def _must_stay(plan: Plan, lang: str, edition: Edition) -> Page:
    table, names = plan.must_stay, school_names(plan)
    frame = pd.DataFrame(table[["school_id", "year", "pupils", "next_minutes"]])
    frame["name"] = [names.get(s, s) for s in frame["school_id"]]
    frame["pupils"] = pd.Series([edition.shown(("K", r["school_id"], r["year"]), r["pupils"]) for r in records(table)], dtype=object)
    fields = [Field("school_id", heading(plan, lang, "must_stay", "school_id")), Field("name", heading(plan, lang, "schools", "name"))]
    fields += [Field("year", heading(plan, lang, "must_stay", "year"), "year"), Field("pupils", heading(plan, lang, "must_stay", "pupils"), "int")]
    fields.append(Field("next_minutes", heading(plan, lang, "must_stay", "next_minutes"), "minutes"))
    return Page("must_stay", tuple(fields), frame[[f.name for f in fields]], 2)


def _sites(plan: Plan, lang: str, edition: Edition) -> Page:
    frame, names = relocation_sites(plan), school_names(plan)
    ids = frame["settlement_id"]
    frame["township"] = frame["township_id"].map(township_names(plan)).fillna(frame["township_id"])
    rows = records(frame)
    for row in rows:
        row |= {column: edition.shown(cell, row[column]) for cell, column in site_cells(row["settlement_id"]).items()}
    frame = pd.DataFrame(rows, columns=frame.columns)
    for view in ("today", "planned"):
        found = [_nearest(plan, i, None if view == "today" else max(plan.years)) for i in ids]
        frame[f"minutes_{view}"] = [minutes for _, minutes in found]
        frame[f"school_{view}"] = [names.get(school, school) for school, _ in found]
    fields = [Field("settlement_id", heading(plan, lang, "settlements", "settlement_id")), Field("name", heading(plan, lang, "settlements", "name"))]
    fields += [Field("township", township_heading(plan, lang)), Field("years", heading(plan, lang, "moves", "year"))]
    fields += [Field(c, heading(plan, lang, "moves", c), "int") for c in ("households", "persons")]
    for name, year in (("base", plan.county.base_year), ("plan", max(plan.years))):
        prefix = messages.text("workbook.view.year", lang, year=year)
        fields.append(Field(f"pupils_{name}", heading(plan, lang, "pupils", "pupils", prefix), "int"))
    for view in ("today", "planned"):
        prefix = messages.text(f"workbook.scheme.{view}", lang)
        fields.append(Field(f"school_{view}", prefix + messages.text("workbook.head.nearest_school", lang)))
        fields.append(Field(f"minutes_{view}", prefix + messages.text("workbook.head.nearest_minutes", lang), "minutes"))
    # ratios to persons that are shown would give a hidden count away
    checked = plan.site_pupils[plan.site_pupils["year"] == max(plan.years)]
    for stage in () if edition.public else sorted(set(checked["stage"]), reverse=True):
        rows = checked[checked["stage"] == stage].set_index("settlement_id")
        for column in ("per_thousand", "prior_low", "prior_high", "difference"):
            frame[f"{stage}.{column}"] = frame["settlement_id"].map(rows[column])
            prefix = label("site_pupils", "stage", stage, lang) + (" " if lang == "en" else "")
            fields.append(Field(f"{stage}.{column}", heading(plan, lang, "site_pupils", column, prefix), "minutes"))
    return Page("sites", tuple(fields), frame[[f.name for f in fields]], 2)


def _times(plan: Plan, lang: str, edition: Edition) -> Page:
    least = int(plan.standards["privacy.small_count"])
    order = {band: i for i, band in enumerate(BANDS)}
    rows = [
        {
            **r,
            "view": label("time_distribution", "view", r["view"], lang),
            "band": messages.text(f"band.{r['band']}", lang),
            "pupils": in_tens(r["pupils"], least, edition),
        }
        for r in sorted(records(plan.time_distribution), key=lambda r: (r["year"], r["view"] != "today", order[r["band"]]))
        # the ways of a few children are theirs
        if not (edition.public and r["pupils"] < least)
    ]
    fields = [
        Field("year", heading(plan, lang, "time_distribution", "year"), "year"),
        Field("view", heading(plan, lang, "time_distribution", "view")),
    ]
    fields += [
        Field("band", heading(plan, lang, "time_distribution", "band")),
        Field("pupils", heading(plan, lang, "time_distribution", "pupils"), "int"),
    ]
    longest = () if edition.public else ("longest",)
    fields += [Field(c, heading(plan, lang, "time_distribution", c), "minutes") for c in ("mean", "median", "p90", *longest, "worst_tenth")]
    fields.append(Field("gini", heading(plan, lang, "time_distribution", "gini"), "share"))
    return Page("times", tuple(fields), pd.DataFrame(rows, columns=[f.name for f in fields]), 3)


def _sensitivity(plan: Plan, lang: str, edition: Edition) -> Page:
    least = int(plan.standards["privacy.small_count"])
    found: dict[tuple[int, str, str], dict[str, object]] = {}
    for r in records(plan.sensitivity):
        row = found.setdefault((r["year"], r["view"], r["band"]), {"pupils": in_tens(r["pupils"], least, edition)})
        # differences between cases would tell of the few who depend on a bus
        row[r["case"]] = in_tens(r["within"], least, edition)
    order = {band: i for i, band in enumerate(BANDS)}
    rows = [
        {**row, "year": year, "view": label("sensitivity", "view", view, lang), "band": messages.text(f"band.{band}", lang)}
        for (year, view, band), row in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] != "today", order[item[0][2]]))
    ]
    fields = [Field("year", heading(plan, lang, "sensitivity", "year"), "year"), Field("view", heading(plan, lang, "sensitivity", "view"))]
    fields += [Field("band", heading(plan, lang, "sensitivity", "band")), Field("pupils", heading(plan, lang, "sensitivity", "pupils"), "int")]
    gap = ": " if lang == "en" else "："
    fields += [Field(c, heading(plan, lang, "sensitivity", "within", label("sensitivity", "case", c, lang) + gap), "int") for c in CASES]
    return Page("sensitivity", tuple(fields), pd.DataFrame(rows, columns=[f.name for f in fields]), 3)


def _buses(plan: Plan, lang: str, edition: Edition) -> Page:
    names, least = school_names(plan), int(plan.standards["privacy.small_count"])
    rows = [
        {**r, "name": names.get(r["school_id"], r["school_id"]), "riders": in_tens(r["riders"], least, edition),
         **{name: messages.text(f"workbook.{'yes' if r[name] else 'no'}", lang) for name in ("exists", "enough_riders")}}
        for r in records(plan.bus_services)
    ]  # fmt: skip
    fields = [Field("school_id", heading(plan, lang, "bus_services", "school_id")), Field("name", heading(plan, lang, "schools", "name"))]
    fields += [Field("year", heading(plan, lang, "bus_services", "year"), "year"), Field("exists", heading(plan, lang, "bus_services", "exists"))]
    fields += [Field(c, heading(plan, lang, "bus_services", c), "int") for c in ("riders", "seats", "buses")]
    fields.append(Field("enough_riders", heading(plan, lang, "bus_services", "enough_riders")))
    return Page("buses", tuple(fields), pd.DataFrame(rows, columns=[f.name for f in fields]), 2)


def _standards(plan: Plan, lang: str, edition: Edition) -> Page:
    rows = []
    for rule in sorted(plan.standards.rules.values(), key=lambda r: (r.key.partition(".")[0], r.key)):
        mark = messages.text("workbook.unverified" if rule.verified == "U" else "workbook.verified", lang)
        rows.append(vars(rule) | {"section": rule.key.partition(".")[0], "mark": mark,
                                  "name": rule.zh if lang == "zh" else rule.en, "unit": measured(rule.unit, lang),
                                  "level": messages.text(f"level.{rule.level}", lang),
                                  "hard": messages.text(f"workbook.{'yes' if rule.hard else 'no'}", lang)})  # fmt: skip
    kinds = {"name": "long", "value": "number", "doc": "long", "note": "long"}
    names = ("key", "section", "name", "value", "unit", "op", "level", "doc", "doc_no", "clause", "issued", "mark", "hard", "note")
    fields = tuple(Field(c, messages.text(f"workbook.head.{c}", lang), kinds.get(c, "text")) for c in names)
    return Page("standards", fields, pd.DataFrame(rows, columns=list(names)), 2)


def _sources(plan: Plan, lang: str, edition: Edition) -> Page:
    county = plan.county
    rows: list[tuple[str, str, str]] = [(messages.text("workbook.source.file", lang), name, sha) for name, sha in county.inputs.items()]
    if county.roads is not None and county.roads.source.get("attribution"):
        rows += [(messages.text("workbook.source.roads", lang), county.roads.source.get("attribution", ""), county.roads.source.get("sha256", ""))]
    if county.terrain is not None:
        rows += [(messages.text("workbook.source.terrain", lang), name, "") for name in county.terrain.source]
    notes = shown_notes(plan, "public" if edition.public else "internal")
    rows += [(messages.text("workbook.source.note", lang), sentence, "") for sentence in describe(notes, lang)]
    rows += [(messages.text("workbook.source.assumption", lang), sentence, "") for sentence in _assumptions(plan, lang)]
    versions = plan.manifest.get("versions")
    if isinstance(versions, Mapping):
        rows += [(messages.text("workbook.source.version", lang), f"{name} {version}", "") for name, version in versions.items() if version]
    fields = (Field("kind", messages.text("workbook.head.source", lang)), Field("what", messages.text("workbook.head.content", lang), "long"),
              Field("sha256", "sha256", "long"))  # fmt: skip
    return Page("sources", fields, pd.DataFrame(rows, columns=["kind", "what", "sha256"]))


# --- writing


def _write(pages: list[Page], path: Path, stamp: str, county: str, lang: str) -> None:
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": county, "comments": stamp, "created": dt.datetime(2000, 1, 1)})
        face = {"font_name": "微软雅黑", "font_size": 10, "valign": "top"}
        title = book.add_format({**face, "bold": True, "font_size": 14})
        head = book.add_format({**face, "bold": True, "bg_color": "#DDEBF7", "text_wrap": True, "border": 1})
        formats = {kind: book.add_format({**face, "num_format": number}) for kind, number in _FORMATS.items()}
        formats |= {"text": book.add_format(face), "long": book.add_format({**face, "text_wrap": True})}
        colours = {tier: book.add_format({"bg_color": colour}) for tier, colour in _TIER_COLOURS.items()}
        for page in pages:
            sheet = book.add_worksheet(sheet_title(page.key, lang))
            name = messages.text("workbook.title", lang, county=county, sheet=sheet.get_name(), stamp=stamp)
            if page.note:
                sheet.write_rich_string(0, 0, title, name, formats["text"], f"　{page.note}", title)
            else:
                sheet.write_string(0, 0, name, title)
            sheet.freeze_panes(2, page.frozen)
            sheet.set_row(1, _LINE * max([3, *(_lines(field) for field in page.fields)]))
            last = max(1, 1 + len(page.frame))
            sheet.autofilter(1, 0, last, len(page.fields) - 1)
            for j, field in enumerate(page.fields):
                sheet.set_column(j, j, _WIDTHS[field.kind])
                sheet.write_string(1, j, field.heading, head)
                for i, value in enumerate(page.frame[field.name].tolist() if len(page.frame) else [], start=2):
                    _write_cell(sheet, i, j, value, formats[field.kind], formats["text"])
                if field.name.endswith("tier") and len(page.frame):
                    for tier, colour in colours.items():
                        criteria = {"type": "cell", "criteria": "==", "value": f'"{label("classes", "tier", tier, lang)}"', "format": colour}
                        sheet.conditional_format(2, j, last, j, criteria)
            sheet.set_landscape()
            sheet.fit_to_pages(1, 0)
            sheet.repeat_rows(1)


def _lines(field: Field) -> int:
    """Return how many lines a heading takes in its column; a Chinese character is two wide, and one may not fit at the end of a line."""
    return -(-sum(2 if ord(c) > _WIDE else 1 for c in field.heading) // (_WIDTHS[field.kind] - 1))


def _write_cell(sheet, row: int, column: int, value: object, number, text) -> None:  # type: ignore[no-untyped-def]
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        # an infinite number has no cell
        sheet.write_number(row, column, float(value), number) if np.isfinite(value) else sheet.write_string(row, column, str(value), text)
    elif str(value):
        sheet.write_string(row, column, str(value)[:_LONGEST_TEXT], number if text is not number and "\n" in str(value) else text)
