"""What the report says of the plan itself: schools opened, enlarged, kept and under review, sites, ways to school and buses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from layout import messages
from layout.document import Block
from layout.gates import GATES
from layout.hindrances import cause_words
from layout.narrative import KEPT, LISTED, Told, sums_of
from layout.pages import Page, heading, school_names, township_heading, township_names
from layout.plan import wrong_size_schools
from layout.privacy import WITHOUT, records
from layout.tables import check, empty, label
from layout.variants import variants


def scheme(told: Told) -> list[Block]:
    """Tell the chapters 6 to 8: the layout, sites and building, travel and buses.

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
    >>> scheme(told)  # doctest: +SKIP
    """
    return [*_layout(told), *_sites(told), *_travel(told)]


# --- 6 the layout


def _layout(told: Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    proposals = plan.proposals
    out = [told.head("layout", 1), told.head("whole"), told.text("layout.words")]
    counts = proposals["action"].value_counts()
    said = told.listed(told.say("layout.count", action=label("proposals", "action", a, lang), count=int(n)) for a, n in sorted(counts.items()))
    out.append(told.text("layout.counts", said=said) if len(proposals) else told.text("layout.none"))
    out += [_results(told), *told.drawn("layout")]
    page = told.pages["proposals"]
    order = told.in_code_order(page.frame.assign(code=proposals["action"].tolist()), ["year"])
    names = ["name", "township", "year", "action", "role", "first_grade", "last_grade", "rooms", "beds", "pupils"]
    changed, kept = order[~order["code"].isin(KEPT)], order[order["code"] == "keep"]
    out += [told.head("changes"), told.chosen("changes", page, names, changed, sums=("rooms", "beds"))] if len(changed) else []
    out += [told.text("layout.reasons")] if len(changed) else []
    # the rolls of single schools are an internal matter
    out += [Block("item", cause_words(cause, lang)) for cause in (wrong_size_schools(plan) if not told.edition.public else [])]
    out += _kept(told, page, names, kept)
    out += [*_relocation_supply(told), *_beds(told), *_review(told), *variants(told), *_left(told)]
    return out


def _results(told: Told) -> Block:
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
        columns[f"{view}.{year}"] = (messages.text(f"workbook.view.{scheme}", told.lang, year=year).strip("·-: "), "int")
    return told.table("results", columns, rows, note=told.say("unit.unless"))


def _kept(told: Told, page: Page, names: Sequence[str], kept: pd.DataFrame) -> list[Block]:
    out = [told.head("kept"), told.text("layout.kept", count=len(kept))]
    if len(kept):
        out += [told.chosen("kept", page, names[:7], kept)]
    schools = told.plan.county.schools
    others = set(schools.loc[schools["status"] == "open", "school_id"]) - set(told.plan.proposals["school_id"])
    out += [told.text("layout.others", count=len(others))] if others else []
    stay = told.plan.must_stay[told.plan.must_stay["year"] == told.base]
    out.append(told.text("layout.must_stay", count=stay["school_id"].nunique(), year=told.base, cite=told.cited("layout.merge.principle")))
    if len(stay):
        rows = told.pages["must_stay"].frame
        rows = rows[rows["year"] == told.base]
        note = told.say("layout.no_next") if rows["next_minutes"].isna().any() else ""
        out.append(told.chosen("must_stay", told.pages["must_stay"], ["name", "pupils", "next_minutes"], told.in_code_order(rows), note=note))
    return out


def _relocation_supply(told: Told) -> list[Block]:
    out = [told.head("supply")]
    if told.edition.public:
        return [*out, told.text("internal_only")]
    page = told.pages.get("site_verdicts")
    if page is None:
        return [*out, told.text("layout.no_sites")]
    rows = page.frame[page.frame["year"] == told.last]
    names = ["name", "township", "stage", "pupils", "seats_near", "pupils_near", "balance", "verdict"]
    return [*out, told.text("layout.supply", year=told.last), told.chosen("supply", page, names, rows)]


def _beds(told: Told) -> list[Block]:
    out = [told.head("beds"), told.text("layout.boarding", cite=told.cited("layout.g1_3.boarding", "boarding.bed"))]
    if told.edition.public:
        return [*out, told.text("internal_only")]
    table = told.plan.findings.boarding_demand
    table = table[(table["year"] == told.last) & (table["school_id"] != "")]
    if not len(table):
        return [*out, told.text("layout.no_beds")]
    own = table.assign(township=table["school_id"].map(told.homes()))
    columns = ("no_day_way", "by_choice", "beds_needed", "beds", "beds_missing")
    heads = {c: told.say("col.beds_missing") if c == "beds_missing" else heading(told.plan, told.lang, "boarding_demand", c) for c in columns}
    measures = {c: (head, "int", sums_of(own, "township", c)) for c, head in heads.items()}
    return [*out, told.text("layout.beds", year=told.last), told.by_township("beds", measures, note=told.say("unit.beds"))]


def _review(told: Told) -> list[Block]:
    """Write the gate table of every school under review; what only people can say is left blank for them."""
    plan, lang = told.plan, told.lang
    gates = plan.merger_gates
    out = [told.head("review"), told.text("review.words", cite=told.cited("layout.merge.principle", "layout.merge.hear_parents"))]
    if told.edition.public:
        return [*out, told.text("internal_only")]
    listed = _listed_gates(told)
    if len(listed):
        out.append(told.text("review.listed", count=listed["school_id"].nunique(), year=told.base))
    if not len(gates) and not len(listed):
        return [*out, told.text("review.none")]
    names, rules = school_names(plan), plan.standards.rules
    columns = {
        "gate": (heading(plan, lang, "merger_gates", "gate"), "text"),
        "state": (heading(plan, lang, "merger_gates", "state"), "text"),
        "figures": (heading(plan, lang, "merger_gates", "figures"), "long"),
        "clause": (heading(plan, lang, "merger_gates", "clause"), "long"),
        "opinion": (told.say("col.opinion"), "text"),
    }
    reasons = dict(zip(plan.proposals["school_id"], plan.proposals[f"reason_{lang}"], strict=True))
    reasons |= dict.fromkeys(listed["school_id"], told.say("review.why_listed"))
    gates = pd.concat([gates, listed], ignore_index=True) if len(listed) else gates
    under = told.in_code_order(gates.drop_duplicates("school_id"))["school_id"].tolist()
    out.append(told.text("review.tables", count=len(under)))
    order = {gate: i for i, gate in enumerate(GATES)}
    for school in under[:LISTED]:
        own = gates[gates["school_id"] == school].sort_values("gate", key=lambda gate: gate.astype("str").map(order))
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
        out.append(told.table("gates", columns, rows_of, name=name))
    return [*out, *told.rest(len(under), "small_schools")]


def _listed_gates(told: Told) -> pd.DataFrame:
    """Fill the gates of the small schools that may be looked at together, as far as the list says; the rest is for people."""
    plan = told.plan
    listed = plan.findings.review_list
    known = set(plan.merger_gates["school_id"])
    listed = listed[~listed["school_id"].isin(known)]
    few, limit = float(plan.standards["layout.min_pupils.teaching_point"]), plan.standards.limit("walk", "lower")
    rows = []
    for school in sorted(set(listed.loc[listed["year"] == told.base, "school_id"])):
        own = listed[listed["school_id"] == school].sort_values("year")
        far, other = own["next_minutes"].max(), str(own["next_school_id"].iloc[0])
        filled = {
            "few_pupils": ("met" if own["pupils"].max() < few else "people", "; ".join(f"{r['year']}: {r['pupils']}" for r in records(own))),
            "receiving_classes": ("people", f"{other} {own['year'].iloc[-1]}: +{own['pupils'].iloc[-1]}" if other else ""),
            "lower_travel": _way_on(far, limit, without=(own["reason"] == "no_lower_grades").all()),
        }
        rows += [
            {"school_id": school, "gate": gate, "year": told.base, "state": filled.get(gate, ("people", ""))[0],
             "figures": filled.get(gate, ("people", ""))[1], "clause": clause} for gate, clause in GATES.items()
        ]  # fmt: skip
    return check("merger_gates", pd.DataFrame(rows)) if rows else empty("merger_gates")


def _way_on(minutes: float, limit: float, *, without: bool) -> tuple[str, str]:
    if without:
        return "met", ""
    return ("people", f"— / {limit:g}") if pd.isna(minutes) else ("met" if minutes <= limit else "not_met", f"{minutes:.0f} / {limit:g}")


def _gate_figures(told: Told, gate: str, figures: str) -> str:
    """Say in words what the table of gates says in ids and codes."""
    names = school_names(told.plan)
    parts = [p.strip() for p in figures.split(";") if p.strip()]
    if gate == "few_pupils":
        return ("，" if told.lang == "zh" else ", ").join(
            told.say("review.series", year=p.split(":")[0], pupils=p.split(":")[1].strip()) for p in parts
        )
    if gate == "receiving_classes":
        found = [re.fullmatch(r"(.+) (\d{4}): \+(\d+)", p) for p in parts]
        return told.apart(
            told.say("review.receiving", name=names.get(m[1], m[1]), year=m[2], pupils=m[3]) if m else p for m, p in zip(found, parts, strict=True)
        )
    if gate == "lower_travel" and "/" in figures:
        longest, limit = (p.strip() for p in figures.split("/"))
        return told.say("review.minutes", longest=longest, limit=limit)
    if gate == "safe_way":
        pairs = [p.split(":") for p in parts]
        return told.listed(told.say("review.mode", mode=label("assignment", "mode", m.strip(), told.lang), pupils=n.strip()) for m, n in pairs)
    return (
        told.say("review.no_beds") if gate == "beds_ready" and figures == "0" else told.say("review.no_lower") if gate == "lower_travel" else figures
    )


def _left(told: Told) -> list[Block]:
    out = [told.head("left")]
    if told.edition.public:
        return [*out, told.text("internal_only")]
    return [*out, told.text("layout.left", year=told.last), told.headlines("headline_plan", "planned", told.last)]


# --- 7 sites and building


def _sites(told: Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    out = [
        told.head("sites", 1),
        told.head("screen"),
        told.text("sites.screen", rejected=plan.rejected["school_id"].nunique(), kept=len(plan.candidates)),
    ]
    out += told.drawn("sites")
    opened = plan.proposals[plan.proposals["action"].isin(["open", "reopen"])]
    names, townships, homes = school_names(plan), township_names(plan), told.homes()
    found = {r["school_id"]: r for r in records(pd.DataFrame(plan.candidates.drop(columns="geometry")))}
    rows = []
    for row in records(told.in_code_order(pd.DataFrame(opened.drop(columns="geometry")))):
        site = found.get(row["school_id"], {})
        flags = [f.strip() for f in str(site.get("flags") or "").split(";") if f.strip()]
        keys = [k.strip() for k in str(site.get("flag_clauses") or "").split(";") if k.strip()]
        rows.append(
            {
                "name": names.get(row["school_id"], row["school_id"]),
                "township": townships.get(homes.get(row["school_id"], ""), ""),
                "origin": label("candidates", "origin", site.get("origin", ""), lang),
                "flags": told.listed(flags) or told.say("sites.no_flag"),
                "clauses": told.cited(*keys) or "—",
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
        out.append(told.table("sites", columns, rows))
    else:
        out.append(told.text("sites.none"))
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
        out += [told.table("rejected", columns, rows[:LISTED]), *told.rest(len(rows), "sources")]
    return [*out, told.head("building"), told.text("sites.building"), told.text("sites.blank")]


# --- 8 travel and buses


def _travel(told: Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    out = [
        told.head("travel", 1),
        told.head("times"),
        told.text("travel.speeds", cite=told.cited("bus.speed.other.max", "bus.speed.hazard.max")),
    ]
    out += told.times("times_plan", "planned", told.last)
    out.append(told.head("buses"))
    page = told.pages["buses"]
    rows = page.frame[page.frame["year"].isin([told.base, told.last])] if len(page.frame) else page.frame
    out += (
        [told.chosen("buses", page, ["name", "year", "exists", "riders", "seats", "buses", "enough_riders"], rows)]
        if len(rows)
        else [told.text("travel.no_buses")]
    )
    out.append(told.text("travel.bus_blank", cite=told.cited("bus.priority")))
    out.append(told.head("far_villages"))
    if told.edition.public:
        out.append(told.text("internal_only"))
    else:
        page = told.pages["villages"]
        scheme = messages.text("workbook.scheme.planned", lang).strip("·- ")
        far = page.frame[(page.frame["year"] == told.last) & (page.frame["scheme"] == scheme)] if len(page.frame) else page.frame
        homes = dict(zip(plan.county.settlements["settlement_id"], plan.county.settlements["township_id"], strict=True))
        # the words of the tables by township
        said = {label("assignment", "status", status, lang): told.say(f"col.{status}") for status in ("beyond_limit", "no_bed", "no_route")}
        far = far.assign(home=far["settlement_id"].map(homes), status=far["status"].replace(said)) if len(far) else far
        far = far.sort_values(["home", "settlement_id"], kind="stable") if len(far) else far
        out.append(told.text("travel.far", year=told.last, villages=far["settlement_id"].nunique() if len(far) else 0))
        if len(far):
            out += [
                told.chosen("far_villages", page, ["name", "township", "band", "status", "pupils", "minutes", "school"], far.head(LISTED)),
                *told.rest(len(far), "villages"),
            ]
    page = told.pages["sensitivity"]
    words = label("sensitivity", "view", "planned", lang)
    rows = page.frame[(page.frame["year"] == told.last) & (page.frame["view"] == words)] if len(page.frame) else page.frame
    if len(rows):
        names = [f.name for f in page.fields if f.name not in ("year", "view")]
        out += [told.head("sensitivity"), told.text("travel.sensitivity"), told.chosen("sensitivity", page, names, rows)]
    return out
