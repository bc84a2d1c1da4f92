"""What the report says of carrying a plan out: staff and money, projects of the near term, measures, procedure, and the appendices."""

from __future__ import annotations

from typing import Any

from layout import messages
from layout.document import Block
from layout.narrative import BASES, KEPT, NEAR_TERM, YUAN, Told, counted
from layout.pages import heading, measured, sheet_title, township_heading
from layout.privacy import records, shown_notes
from layout.sheets import describe
from layout.standards import Rule
from layout.tables import BANDS, GRADES, label

_PRIMARY = BANDS["upper"][-1]
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
_LEADS = {"open": "lead.school", "reopen": "lead.reopen", "expand": "lead.rooms", "change_grades": "lead.rooms", "add_boarding": "lead.beds"}


def delivery(told: Told) -> list[Block]:
    """Tell the chapters 9 to 12: staff and money, the near term, measures, procedure.

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
    >>> delivery(told)  # doctest: +SKIP
    """
    return [*_staff(told), *_near_term(told), *_measures(told), *_process(told)]


# --- 9 staff and money


def _staff(told: Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    out = [told.head("staff", 1), told.head("posts"), told.text("staff.posts", cite=told.cited("staff.ratio.primary", "staff.ratio.junior"))]
    table = plan.findings.school_needs
    if told.edition.public:
        out.append(told.text("internal_only"))
    elif len(table):
        # beds stand in the table of beds, which counts whole rooms for boys and for girls
        columns = ("pupils", "classes", "posts", "teachers", "teachers_missing")
        rows = []
        for year in plan.years:
            own = table[table["year"] == year]
            row: dict[str, Any] = {"year": year} | {c: float(own[c].sum(min_count=1)) for c in columns}
            rows.append(row | {f: float(own[f"{f}_yuan"].sum()) / YUAN for f in ("funding", "funding_boarders", "funding_floor")})
        heads = {"year": (heading(plan, lang, "school_needs", "year"), "year")}
        heads |= {c: (heading(plan, lang, "school_needs", c), "int") for c in columns}
        heads |= {f: (told.say(f"col.{f}"), "int") for f in ("funding", "funding_boarders", "funding_floor")}
        out.append(told.table("staff", heads, rows, note=told.say("staff.idle")))
        if table["unverified"].any():
            out.append(told.text("staff.unverified"))
    out += [told.text("staff.funding", cite=told.cited("fund.per_pupil.primary", "fund.boarder_extra", "fund.small_floor")), told.head("money")]
    spent = plan.proposals[plan.proposals["cost_yuan"] > 0]
    if told.edition.public:
        out.append(told.text("internal_only"))
    elif not len(spent):
        out.append(told.text("staff.no_money"))
    else:
        rows = []
        soon, whole_term = (
            counted({str(a): float(v) / YUAN for a, v in of.groupby("action", observed=True)["cost_yuan"].sum().items()})
            for of in (spent.assign(cost_yuan=spent["cost_yuan"].where(spent["year"] <= NEAR_TERM, 0.0)), spent)
        )
        for action, own in sorted(spent.groupby("action", observed=True)):
            rows.append(
                {
                    "action": label("proposals", "action", action, lang),
                    "count": len(own),
                    "rooms": int(own["rooms"].sum()),
                    "beds": int(own["beds"].sum()),
                    "near": soon[action],
                    "all": whole_term[action],
                }
            )
        total = {c: sum(r[c] for r in rows) for c in ("count", "rooms", "beds", "near", "all")}
        heads_of = {
            "action": heading(plan, lang, "proposals", "action"),
            "count": told.say("col.items"),
            "rooms": heading(plan, lang, "proposals", "rooms"),
            "beds": heading(plan, lang, "proposals", "beds"),
            "near": told.say("col.near_cost", year=NEAR_TERM),
            "all": told.say("col.all_cost"),
        }
        out.append(
            told.table(
                "money",
                {c: (h, "text" if c == "action" else "int") for c, h in heads_of.items()},
                [*rows, {"action": told.say("sum"), **total}],
                sums=1,
            )
        )
    return [*out, told.text("staff.blank")]


# --- 10 near term, 11 measures, 12 process


def _near_term(told: Told) -> list[Block]:
    plan, lang = told.plan, told.lang
    page = told.pages["proposals"]
    rules = plan.standards.rules
    frame = page.frame.assign(code=plan.proposals["action"].tolist())
    frame = told.in_code_order(frame[(frame["year"] <= NEAR_TERM) & ~frame["code"].isin(KEPT)], ["year"])
    out = [told.head("near_term", 1), told.text("near.what", year=NEAR_TERM)]
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
                "stage": told.listed(label("site_pupils", "stage", s, lang) for s in stages),
                "what": _content(told, row),
                "start": max(start, told.base),
                "year": row["year"],
                "cost": cost if isinstance(cost, str) else cost / YUAN,
                "duty": told.say("blank.duty"),
                "money": told.say("blank.source"),
            }
        )
    if not rows:
        out.append(told.text("near.none", year=NEAR_TERM))
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
        costs = [row["cost"] for row in rows]
        # a sum would tell what a public edition hides
        sums = [{"name": told.say("sum"), "cost": sum(costs)}] if not told.edition.public else []
        out.append(told.table("near_term", columns, [*rows, *sums], sums=len(sums), note=told.say("unit.money")))
        out.append(told.text("near.leads", marks=messages.text("standards.unverified", lang)))
    return [*out, *told.drawn("near_term"), told.text("near.years")]


def _content(told: Told, row: dict[str, Any]) -> str:
    """Say what is built, without what is not."""
    counts = {part: row[part] if isinstance(row[part], str) else told.number(row[part]) for part in ("rooms", "beds") if row[part] != 0}
    parts = [told.say(f"near.{part}", count=count) for part, count in counts.items()]
    return told.say("near.item", action=row["action"], said=told.listed(parts)) if parts else str(row["action"])


def _measures(told: Told) -> list[Block]:
    keys = ("organise", "land", "money", "staff", "boarding", "bus", "watch", "buildings")
    return [told.head("measures", 1), *(Block("item", told.say(f"measure.{key}")) for key in keys)]


def _process(told: Told) -> list[Block]:
    lang = told.lang
    out = [told.head("process", 1), told.head("clock"), told.text("process.clock")]
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
                "time": told.apart(figures) or "—",
                "clause": told.cited(*keys) or "—",
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
    out.append(told.table("clock", columns, rows))
    for form, heads in (
        ("opinions", ("no", "from", "opinion_text", "taken", "why")),
        ("experts", ("no", "expert", "expert_text", "answer")),
        ("risks", ("no", "risk", "level", "answer")),
        ("legality", ("no", "law_text", "verdict", "date")),
    ):
        blank = {h: told.say("blank.cell") for h in heads if h != "no"}
        columns = {h: (told.say(f"col.{h}"), "int" if h == "no" else "text" if h in ("date", "taken", "level", "verdict") else "long") for h in heads}
        out += [told.head(form), told.table(form, columns, [{"no": n, **blank} for n in (1, 2, 3)])]
    return out


def _value(told: Told, rule: Rule) -> str:
    if isinstance(rule.value, str):
        return rule.value
    share = rule.unit in _SHARES
    text = told.number(float(rule.value) * (100 if share else 1), 6)
    return text.rstrip("0").rstrip(".") + ("%" if share else "")


def _measured(told: Told, rule: Rule) -> str:
    return told.say(_SHARES[rule.unit]) if rule.unit in _SHARES else measured(rule.unit, told.lang)


_TIMES = {"days": "days", "working days": "working_days", "years": "years"}
# told in per cent
_SHARES = {"share": "percent.share", "share a year": "percent.share_a_year"}


def _unit(unit: str, lang: str) -> str:
    return messages.text(f"report.time.{_TIMES[unit]}", lang)


# --- appendices


def annexes(told: Told) -> list[Block]:
    """List schools, reasons, sources, assumptions and what is unverified.

    Parameters
    ----------
    told
        The plan and its readers.

    Returns
    -------
    list of Block
        Five appendices.

    Examples
    --------
    >>> annexes(told)  # doctest: +SKIP
    """
    plan, lang = told.plan, told.lang
    out = [Block("page"), Block("annex", told.say("head.schools_list"))]
    page = told.pages["schools"]
    names = ["name", "township", "kind", "rooms", "beds", "base.pupils", "base.classes", "base.largest_class", "base.tier"]
    schools = plan.county.schools
    there = page.frame[page.frame["school_id"].isin(schools.loc[schools["status"] == "open", "school_id"])]
    out.append(told.chosen("schools_list", page, names, told.in_code_order(there), sums=("rooms", "beds", "base.pupils", "base.classes")))
    closed = int((schools["status"] == "closed").sum())
    out += [told.text("data.closed", count=closed, sheet=sheet_title("schools", lang))] if closed else []
    page = told.pages["proposals"]
    out.append(Block("annex", told.say("head.reasons")))
    if not len(page.frame):
        out.append(told.text("layout.none"))
    else:
        out.append(told.chosen("reasons", page, ["name", "year", "action", "reason"], told.in_code_order(page.frame, ["year"])))
        out.append(told.text("layout.bases"))
        for action, own in page.frame.groupby("action", sort=True):
            lines = {c: dict.fromkeys(line for cell in own[c] for line in str(cell).split("\n") if line) for c in ("clauses", "gates")}
            joined = {c: told.apart(found) or "—" for c, found in lines.items()}
            out.append(Block("item", told.say("layout.bases_of", action=action, **joined)))
    out += [Block("annex", told.say("head.data")), told.text("data.inputs", files=told.listed(sorted(plan.county.inputs)) or "—")]
    out += [
        Block("item", s)
        for s in describe([n for n in shown_notes(plan, told.audience) if not n[0].startswith(("population.say.", "population.source."))], lang)
    ]
    page = told.pages["sources"]
    kind = messages.text("workbook.source.assumption", lang)
    assumed = [str(r["what"]) for r in records(page.frame) if r["kind"] == kind]
    out += [Block("annex", told.say("head.assumed")), *([Block("item", text) for text in assumed] or [told.text("data.no_assumed")])]
    keys = {k.strip() for row in plan.proposals["clauses"].tolist() for k in str(row).split(";")} | set(plan.merger_gates["clause"])
    keys |= (
        {key for keys_of in _STEPS.values() for key in keys_of}
        | set(BASES)
        | {k for k in plan.standards.rules if k.startswith(("travel.limit.", "cost.", "lead.")) and ".obs." not in k}
    )
    doubtful = [r for r in told.rules(*sorted(keys)) if r.verified == "U"]
    out += [Block("annex", told.say("head.doubtful")), told.text("data.doubtful", count=len(doubtful))]
    out += [
        Block(
            "item",
            told.say("data.rule", name=told.named(r), value=_value(told, r), unit=_measured(told, r), cite=r.cite(lang)),
        )
        for r in doubtful
    ]
    return out
