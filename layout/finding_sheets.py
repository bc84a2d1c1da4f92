"""The sheets of what a plan finds: its tables with names, words and sources in place of ids, codes and keys; nothing is worked out here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from layout import messages
from layout.choice import fit_error
from layout.findings import TABLES
from layout.in_reach import STEPS
from layout.pages import Field, Page, heading, in_tens, school_names, sheet_title, township_heading, township_names, view_prefix
from layout.plan import Plan
from layout.privacy import PUBLIC_FINDINGS, Edition, parts_in_tens, records
from layout.tables import BANDS, Column, label, schemas

# tables that another sheet shows
_ELSEWHERE = {"short_villages": "villages", "review_list": "small_schools", "boarding_shares": "boarding_demand"}
_PAGES = tuple(table for table in TABLES if table not in _ELSEWHERE)
# columns that hold the id of a school other than the row's own
_OTHER_SCHOOLS = {"neighbour_id", "nearest_id", "next_school_id", "zone_id", "built_for", "hub_id", "from_id", "to_id"}
_KINDS = {"year": "year", "minutes": "minutes", "yuan/year": "money", "share": "percent", "share 0-1": "percent", "seats/pupil": "share"}
_WORDS = {"must_stay": "stays", "review": "under_review", "unverified": "unverified"}
_LEVELS = ("county", "township", "urban_rural", "school_kind")
_BEFORE_AND_AFTER = ("classes", "oversized", "oversized_share", "super", "above_standard", "largest_class", "share_max", "met")
_STANDARDS = ("yzjh", "design", "rural_far", "oversize")
_ROOMS = ("classes_needed", "rooms_missing", "rooms_spare", "seats_spare")
_FIRST_DIFFERENCES = ("limit", "no_way", "not_taught", "nearer", "same")
# in the order of minutes
_STEPS = (*(f"upto_{m:03d}" for m in STEPS), f"over_{STEPS[-1]}", "no_way")


def finding_pages(plan: Plan, lang: str, edition: Edition) -> dict[str, Page]:
    """Return a page for every table of a plan's findings that has rows and that the edition may show.

    Parameters
    ----------
    plan
        Its ``findings``.
    lang
        ``zh`` or ``en``.
    edition
        In a public one only those of :data:`layout.privacy.PUBLIC_FINDINGS`, in tens.

    Returns
    -------
    dict
        Page by name of the table. The review list stands on the page of the small schools, the boarding shares on that of the
        boarding demand, the short villages on the workbook's sheet of villages.

    Examples
    --------
    >>> finding_pages(plan, "zh", Edition(False, {}))  # doctest: +SKIP
    """
    special: dict[str, Callable[[Plan, str, Edition], Page]] = {
        "class_shares": _class_shares, "class_targets": _class_targets, "rooms_needed": _rooms, "small_schools": _small_schools,
        "boarding_demand": _boarding, "coverage": _coverage, "minute_steps": _steps, "zone_differences": _zones, "base_year_fit": _fit,
    }  # fmt: skip
    shown = [t for t in _PAGES if _filled(plan, t) and (t in PUBLIC_FINDINGS or not edition.public)]
    return {t: special[t](plan, lang, edition) if t in special else table_page(plan, lang, t, _shown_years(plan, t)) for t in shown}


def internal_only(plan: Plan, lang: str) -> list[str]:
    """Return the titles of the sheets with rows that a public edition leaves out.

    Parameters
    ----------
    plan
        Its ``findings``.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    list of str
        Titles, in the order of the tables.

    Examples
    --------
    >>> internal_only(plan, "zh")  # doctest: +SKIP
    """
    return [sheet_title(t, lang) for t in _PAGES if t not in PUBLIC_FINDINGS and _filled(plan, t)]


def nothing_found(plan: Plan, lang: str, edition: Edition) -> list[str]:
    """Return the titles of the sheets that are left out because their tables have no rows.

    Parameters
    ----------
    plan, lang, edition
        As in :func:`finding_pages`.

    Returns
    -------
    list of str
        Titles, in the order of the tables.

    Examples
    --------
    >>> nothing_found(plan, "zh", Edition(False, {}))  # doctest: +SKIP
    """
    return [sheet_title(t, lang) for t in _PAGES if (t in PUBLIC_FINDINGS or not edition.public) and not _filled(plan, t)]


def _filled(plan: Plan, table: str) -> bool:
    return any(len(getattr(plan.findings, t)) for t in (table, *(other for other, page in _ELSEWHERE.items() if page == table)))


# --- any table


def _shown_years(plan: Plan, table: str) -> pd.DataFrame:
    """Return a table in the years of the plan; breaches and the like tell their years themselves."""
    frame: pd.DataFrame = getattr(plan.findings, table)
    return frame[frame["year"].isin(plan.years)] if table == "school_needs" else frame


def table_page(plan: Plan, lang: str, table: str, frame: pd.DataFrame, extra: Mapping[str, tuple[Field, list[Any]]] | None = None) -> Page:
    """Show the columns of a table in their order, then others.

    Parameters
    ----------
    plan
        For names of places and schools.
    lang
        ``zh`` or ``en``.
    table
        Name of the table.
    frame
        Its rows.
    extra
        Further columns.

    Returns
    -------
    Page
        Ids with the names they stand for, codes in words, keys of standards as documents.

    Examples
    --------
    >>> table_page(plan, "zh", "overlap", plan.findings.overlap)  # doctest: +SKIP
    """
    fields: list[Field] = []
    shown: dict[str, list[Any]] = {}
    for name, column in schemas()[table].columns.items():
        for field, values in _column(plan, lang, table, column, frame[name].tolist() if name in frame else []):
            # a name that the table has itself is the one that was joined
            if field.name not in shown and name in frame:
                fields.append(field)
                shown[field.name] = values
    for field, values in (extra or {}).values():
        fields.append(field)
        shown[field.name] = values
    key = [f for f in fields if f.name in {"township", "name", *schemas()[table].key}]
    return Page(table, tuple(fields), pd.DataFrame(shown, columns=[f.name for f in fields], dtype=object), min(len(key), 4))


def _column(plan: Plan, lang: str, table: str, column: Column, values: list[Any]) -> list[tuple[Field, list[Any]]]:
    """Return a column as the columns that people read: an id with its names, a code in words, keys as documents."""
    name, own = column.name, Field(column.name, heading(plan, lang, table, column.name), _kind(column))
    there = [None if pd.isna(v) else v for v in values]
    if name == "school_id":
        homes = dict(zip(plan.schools["school_id"], plan.schools["township_id"], strict=True))
        return [(own, there), (Field("name", heading(plan, lang, "schools", "name")), _named(there, school_names(plan))),
                (Field("township", township_heading(plan, lang)), _named(_named(there, homes, ""), township_names(plan)))]  # fmt: skip
    if name == "settlement_id":
        places = plan.county.settlements
        called, homes = (dict(zip(places["settlement_id"], places[c], strict=True)) for c in ("name", "township_id"))
        return [(own, there), (Field("name", heading(plan, lang, "settlements", "name")), _named(there, called)),
                (Field("township", township_heading(plan, lang)), _named(_named(there, homes, ""), township_names(plan)))]  # fmt: skip
    if name == "township_id":
        return [(Field("township", township_heading(plan, lang)), _named(there, township_names(plan)))]
    if name in _OTHER_SCHOOLS:
        words = column.zh.removesuffix("标识码") if lang == "zh" else column.en.removesuffix("_id").replace("_", " ")
        return [(Field(name, words), _named(there, school_names(plan)))]
    if name in ("clause_zh", "clause_en"):
        title = heading(plan, lang, table, "clause_zh") if lang == "zh" else messages.text("workbook.head.clause", lang)
        return [(Field("clause", title), there)] if name == f"clause_{lang}" else []
    if name in ("clause", "clauses"):
        return [(own, [_cited(plan, v, lang) for v in there])]
    if name == "class_group":
        return [(Field(name, own.heading, "int"), [int(str(v)) if str(v).isdigit() else v for v in there])]
    if column.dtype == "bool":
        yes, no = (messages.text(f"workbook.{key}", lang) for key in ((_WORDS[name], "nothing") if name in _WORDS else ("yes", "no")))
        return [(own, [None if v is None else yes if v else no for v in there])]
    if column.values:
        words_of = {code: messages.text(f"band.{code}", lang) if name == "band" else label(table, name, code, lang) for code in column.values}
        return [(own, _named(there, words_of))]
    return [(own, there)]


def _kind(column: Column) -> str:
    if column.unit in _KINDS:
        return _KINDS[column.unit]
    return {"int": "int", "float": "minutes"}.get(column.dtype, "text")


def _named(values: list[Any], names: Mapping[str, str], other: str | None = None) -> list[Any]:
    return [None if v is None else names.get(v, v if other is None else other) for v in values]


def _cited(plan: Plan, keys: object, lang: str) -> str:
    rules = plan.standards.rules
    found = [key.strip() for key in str(keys or "").replace(";", ",").split(",") if key.strip()]
    return ("；" if lang == "zh" else "; ").join(dict.fromkeys(rules[key].cite(lang) if key in rules else key for key in found))


def _in_order(frame: pd.DataFrame, by: list[str], orders: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Sort, coded columns in the order of their codes."""
    ranks = {c: {value: i for i, value in enumerate(order)} for c, order in orders.items()}
    keys = {c: frame[c].map(ranks[c]).fillna(len(ranks[c])) if c in ranks else frame[c] for c in by}
    return frame.loc[pd.DataFrame(keys).sort_values(by, kind="stable").index].reset_index(drop=True)


# --- tables that are turned or joined


def _class_shares(plan: Plan, lang: str, edition: Edition) -> Page:
    """Stand the base year, doing nothing and the plan side by side, one row a place."""
    table, least = plan.findings.class_shares, int(plan.standards["privacy.small_count"])
    base, last = plan.county.base_year, max(plan.years)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    columns = schemas()["class_shares"].columns
    fields = [Field("level", heading(plan, lang, "class_shares", "level")), Field("area", heading(plan, lang, "class_shares", "area_id"))]
    names = {"county": {"": messages.text("workbook.whole_county", lang)}, "township": township_names(plan)}
    names |= {level: {code: label("schools", column, code, lang) for code in schemas()["schools"].columns[column].values}
              for level, column in (("urban_rural", "urban_rural"), ("school_kind", "kind"))}  # fmt: skip
    for key, view, year in (("base", "today", base), ("idle", "today", last), ("planned", "planned", last)):
        prefix = view_prefix(plan, view, year, lang)
        fields += [Field(f"{key}.{c}", heading(plan, lang, "class_shares", c, prefix), _kind(columns[c])) for c in _BEFORE_AND_AFTER]
        for found in records(table[(table["view"] == view) & (table["year"] == year)]):
            if edition.public and found["level"] != "county":
                continue
            row = rows.setdefault((found["level"], found["area_id"]), {})
            found |= {"met": messages.text(f"workbook.{'yes' if found['met'] else 'no'}", lang)}
            if edition.public and 0 < found["largest_class"] < least:
                found |= {"largest_class": messages.text("privacy.small", lang, least=least)}
            row |= {f"{key}.{c}": found[c] for c in _BEFORE_AND_AFTER}
    order = sorted(rows, key=lambda k: (_LEVELS.index(k[0]), k[1]))
    shown = [{"level": label("class_shares", "level", k[0], lang), "area": names[k[0]].get(k[1], k[1])} | rows[k] for k in order]
    return Page("class_shares", tuple(fields), pd.DataFrame(shown, columns=[f.name for f in fields], dtype=object), 2)


def _class_targets(plan: Plan, lang: str, edition: Edition) -> Page:
    frame, least = plan.findings.class_targets, int(plan.standards["privacy.small_count"])
    frame = frame.assign(scheme=frame["view"] != "today").sort_values(["scheme", "year"], kind="stable", ignore_index=True)
    page = table_page(plan, lang, "class_targets", frame)
    if edition.public:
        few = (frame["unit"] == "pupils") & frame["value"].between(0, least, inclusive="neither")
        page.frame["value"] = page.frame["value"].mask(few, messages.text("privacy.small", lang, least=least))
    general = tuple(Field(f.name, f.heading, "number") if f.name in ("value", "bound") else f for f in page.fields)
    return Page(page.key, general, page.frame, 3)


def _rooms(plan: Plan, lang: str, edition: Edition) -> Page:
    """Stand the standards side by side, one row a school and year."""
    table = plan.findings.rooms_needed
    table = table[table["year"].isin([plan.county.base_year, max(plan.years)])]
    first = table.drop_duplicates(["school_id", "year"]).reset_index(drop=True)
    page = table_page(plan, lang, "rooms_needed", first[["school_id", "year", "rooms"]])
    fields, frame = list(page.fields), page.frame
    found = {(r["school_id"], r["year"], r["standard_key"]): r for r in records(table)}
    keys = list(zip(first["school_id"], first["year"], strict=True))
    gap = ": " if lang == "en" else "·"
    for standard in _STANDARDS:
        prefix = label("rooms_needed", "standard_key", standard, lang) + gap
        for column in _ROOMS:
            fields.append(Field(f"{standard}.{column}", heading(plan, lang, "rooms_needed", column, prefix), "int"))
            frame[f"{standard}.{column}"] = pd.Series([found.get((*k, standard), {}).get(column) for k in keys], index=frame.index, dtype=object)
    sources = [",".join(dict.fromkeys(found[(*k, s)]["clauses"] for s in _STANDARDS if (*k, s) in found)) for k in keys]
    fields.append(Field("clauses", heading(plan, lang, "rooms_needed", "clauses")))
    frame["clauses"] = [_cited(plan, keys_of_row, lang) for keys_of_row in sources]
    return Page("rooms_needed", tuple(fields), frame, page.frozen)


def _small_schools(plan: Plan, lang: str, edition: Edition) -> Page:
    """Set beside each small school what the review list says of it; a school that only the list has gets a row of its own."""
    schools, reviewed = plan.findings.small_schools, plan.findings.review_list
    both = schools.merge(reviewed[["school_id", "year"]].assign(listed=True), on=["school_id", "year"], how="outer", sort=True)
    both["review"] = (both["review"] == True) | (both["listed"] == True)  # noqa: E712  (empty where one table has no row)
    prefix = messages.text("workbook.head.review", lang)
    joined = both[["school_id", "year"]].merge(reviewed, on=["school_id", "year"], how="left")
    extra = {}
    for name in ("lower_pupils", "upper_beyond", "next_school_id", "next_minutes", "reason"):
        ((field, values),) = _column(plan, lang, "review_list", schemas()["review_list"].columns[name], joined[name].tolist())
        extra[name] = (Field(f"review.{name}", prefix + field.heading, field.kind), values)
    return table_page(plan, lang, "small_schools", both, extra)


def _boarding(plan: Plan, lang: str, edition: Edition) -> Page:
    """Set beside the beds the share they come from; shares of a school and band without demand get a row without a year."""
    demand, shares = plan.findings.boarding_demand, plan.findings.boarding_shares
    both = demand.merge(shares.drop(columns="pupils"), on=["school_id", "band"], how="outer")
    both = _in_order(both, ["school_id", "year", "band"], {"band": tuple(BANDS)})
    extra = {}
    for name in ("boarders", "share", "source", "choice_share", "girls_share"):
        ((field, values),) = _column(plan, lang, "boarding_shares", schemas()["boarding_shares"].columns[name], both[name].tolist())
        extra[name] = (field, values)
    page = table_page(plan, lang, "boarding_demand", both, extra)
    page.frame["name"] = page.frame["name"].replace("", messages.text("workbook.no_school_in_week", lang))
    return page


def _coverage(plan: Plan, lang: str, edition: Edition) -> Page:
    frame, least = plan.findings.coverage, int(plan.standards["privacy.small_count"])
    frame = _in_order(frame, ["township_id", "year", "band"], {"band": tuple(BANDS)})
    page = table_page(plan, lang, "coverage", frame)
    if edition.public:
        parts = ["none", "one", "two", "more"]
        for i, row in enumerate(records(frame)):
            hidden: dict[str, Any] = dict(zip(parts, parts_in_tens([row[p] for p in parts], least), strict=True)) | {
                "pupils": in_tens(row["pupils"], least, edition)
            }
            # the ways of a few children are theirs
            hidden |= {c: None for c in ("nearest", "second") if row["pupils"] < least}
            for column, value in hidden.items():
                page.frame.at[i, column] = value
    return page


def _steps(plan: Plan, lang: str, edition: Edition) -> Page:
    """Stand the steps side by side, one row a year and band."""
    table, least = plan.findings.minute_steps, int(plan.standards["privacy.small_count"])
    table = _in_order(table, ["year", "band", "step"], {"band": tuple(BANDS), "step": _STEPS})
    there = set(table["step"])
    steps = [step for step in _STEPS if step in there]
    fields = [Field("year", heading(plan, lang, "minute_steps", "year"), "year"), Field("band", heading(plan, lang, "minute_steps", "band"))]
    for column, kind in (("pupils", "int"), *(() if edition.public else (("share", "percent"),))):
        for step in steps:
            kind_of, _, minutes = step.partition("_")
            words = messages.text(f"workbook.step.{step if step == 'no_way' else kind_of}", lang, minutes=minutes.lstrip("0"))
            gap = ": " if lang == "en" else "·"
            fields.append(Field(f"{column}.{step}", words + gap + heading(plan, lang, "minute_steps", column), kind))
    rows = []
    for (year, band), group in table.groupby(["year", "band"], sort=False):
        # a step that is not in the table has nobody
        found = group.set_index("step")[["pupils", "share"]].reindex(steps, fill_value=0)
        counts = found["pupils"].tolist()
        shown = {"pupils": parts_in_tens(counts, least) if edition.public else counts, "share": found["share"].tolist()}
        row = {"year": year, "band": messages.text(f"band.{band}", lang)}
        rows.append(row | {f"{c}.{step}": v for c, values in shown.items() for step, v in zip(steps, values, strict=True)})
    return Page("minute_steps", tuple(fields), pd.DataFrame(rows, columns=[f.name for f in fields], dtype=object), 2)


def _zones(plan: Plan, lang: str, edition: Edition) -> Page:
    frame = plan.findings.zone_differences
    orders = {"difference": _FIRST_DIFFERENCES, "band": tuple(BANDS)}
    return table_page(plan, lang, "zone_differences", _in_order(frame, ["difference", "settlement_id", "band"], orders))


def _fit(plan: Plan, lang: str, edition: Edition) -> Page:
    """Put the largest differences first, and the errors of the models over all."""
    frame = plan.findings.base_year_fit
    order = frame.assign(size=frame["difference"].abs()).sort_values(["size", "school_id", "band"], ascending=[False, True, True]).index
    page = table_page(plan, lang, "base_year_fit", frame.loc[order].reset_index(drop=True))
    errors = {model: f"{fit_error(frame, model):.1%}" for model in ("modelled", "without_seat", "nearest")}
    return Page(page.key, page.fields, page.frame, page.frozen, messages.text("workbook.fit", lang, **errors))
