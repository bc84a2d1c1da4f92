"""What a layout plan says, chapter by chapter: numbers, tables and sentences of a plan in the order of a report; nothing is worked out here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from layout import messages
from layout.delivery import annexes, delivery
from layout.document import Block
from layout.narrative import BASES, NEAR_TERM, Told
from layout.pages import Page
from layout.plan import Plan
from layout.privacy import Edition
from layout.scheme import scheme
from layout.situation import situation
from layout.workbook import summary_sentence

# the documents of a list of bases stand in this order
_LEVELS = ("law", "national", "provincial")


def chapters(
    plan: Plan, *, lang: str, edition: Edition, pages: Mapping[str, Page], figure: Callable[[str], bytes] | None = None, no_maps: str = ""
) -> list[Block]:
    """Tell a plan in the chapters of a layout plan (布局专项规划).

    Parameters
    ----------
    plan
        What to tell.
    lang
        ``zh`` or ``en``.
    edition
        From :func:`layout.privacy.edition_of`; a public one has no tables of townships, villages and single schools' children but those of
        the public workbook.
    pages
        From :func:`layout.workbook.workbook_pages` for this edition.
    figure
        Gives the PNG of a layer of :data:`layout.narrative.FIGURES`, or nothing where it cannot be drawn: its place is then marked. None
        draws none.
    no_maps
        Why there are none, and how to get them.

    Returns
    -------
    list of Block
        Title, contents, twelve chapters, appendices.

    Examples
    --------
    >>> chapters(plan, lang="zh", edition=edition, pages=pages)  # doctest: +SKIP
    """
    told = Told(plan, lang, edition, pages, figure or (lambda layer: b""))
    return [*_front(told, no_maps), *_general(told), *situation(told), *scheme(told), *delivery(told), *annexes(told)]


# --- the front


def _front(told: Told, no_maps: str) -> list[Block]:
    county = told.plan.county
    return [
        Block("title", told.say("cover.title", county=county.name, first=told.base + 1, last=told.last)),
        Block("line", told.say("cover.draft")),
        Block("line", told.say(f"cover.{told.audience}")),
        Block("line", told.say("cover.office")),
        Block("line", told.say("cover.compiler")),
        Block("line", told.say("cover.date")),
        Block("page"),
        Block("contents", told.say("contents")),
        Block("page"),
        Block("line", told.say("head.reading")),
        *(Block("text", told.say(f"reading.{key}")) for key in ("what", "blanks", "unverified", "words")),
        *([told.text("reading.public", least=int(told.plan.standards["privacy.small_count"]))] if told.edition.public else []),
        *([told.text("reading.no_maps", why=no_maps)] if no_maps else []),
        Block("text", summary_sentence(told.plan, lang=told.lang, audience=told.audience, edition=told.edition)),
    ]


# --- 1 general


def _general(told: Told) -> list[Block]:
    plan, scenario = told.plan, told.plan.scenario
    keys = [k.strip() for row in plan.proposals["clauses"].tolist() for k in str(row).split(";") if k.strip()]
    keys += [str(k) for k in plan.merger_gates["clause"]]
    used = told.rules(*dict.fromkeys([*BASES, *keys]))
    documents: dict[tuple[int, str], list[str]] = {}
    for rule in used:
        # a figure that the county chose itself is no document
        if rule.level not in ("scenario", "county") and rule.doc:
            mark = messages.text("standards.unverified", told.lang) if rule.verified == "U" else ""
            name = f"《{rule.doc}》" + (f"（{rule.doc_no}）" if rule.doc_no else "")
            documents.setdefault((_LEVELS.index(rule.level), name), []).append(rule.clause + mark)
    out = [told.head("general", 1), told.head("bases"), told.text("general.bases")]
    for (_, name), clauses in sorted(documents.items()):
        said = "、".join(dict.fromkeys(c for c in clauses if c))
        out.append(Block("item", told.say("general.document", document=name, clauses=f"（{said}）" if said else "")))
    out += [
        told.text("general.provincial"),
        told.head("term"),
        told.text(
            "general.term",
            county=plan.county.name,
            base=told.base,
            date=told.day(plan.county.base_date),
            near=NEAR_TERM,
            last=told.last,
            years=told.listed(y for y in plan.years if y != told.base),
        ),
        told.head("principles"),
        told.text("general.principles", cite=told.cited("layout.merge.principle")),
        told.text("general.demand", cite=told.cited("law.school_plan")),
    ]
    if scenario.name:
        out.append(told.text("general.scenario", name=scenario.name))
    return out
