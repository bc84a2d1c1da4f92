"""A plan as the report of a layout plan: a Word document in the look of an official one."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

from layout import messages
from layout.chapters import chapters
from layout.document import write_document
from layout.figures import chinese_font, report_pictures
from layout.narrative import near_year
from layout.plan import Plan
from layout.privacy import AUDIENCES, edition_of
from layout.workbook import workbook_pages

# what it draws for each map: layer, which year, which schools
_DRAWN = {
    "place": ("place", "base", "today"), "schools": ("classes", "base", "today"), "minutes": ("minutes", "base", "today"),
    "catchments": ("links", "base", "today"), "pupils_base": ("pupils", "base", "today"), "pupils_plan": ("pupils", "last", "planned"),
    "proposals": ("proposals", "last", "planned"), "planned_catchments": ("links", "last", "planned"), "relocation": ("sites", "last", "planned"),
    "limits": ("limits", "last", "planned"), "near_term": ("proposals", "near", "planned"),
}  # fmt: skip


def write_report(
    plan: Plan, path: str | Path, *, lang: str = "zh", audience: str = "internal", template: str | Path | None = None, maps: bool = True
) -> None:
    """Write a plan as a report in Word: the chapters of a layout plan with its numbers, tables and reasons, and blanks for people to fill.

    Numbers come from the plan and from the pages of the workbook; nothing is recommended that the plan does not propose, and a school
    under review has its table of gates, never a recommendation to close it. The file appears whole or not at all, and two runs give the
    same bytes.

    Parameters
    ----------
    plan
        What to write.
    path
        File to write; an earlier one is replaced.
    lang
        ``zh`` or ``en``.
    audience
        ``internal`` for every figure; ``public`` for those that the public workbook shows, with a place for the map approval number.
    template
        An office's own ``.docx`` or ``.dotx``; its styles, margins, headers and footers are kept. The report stands in place of a
        paragraph ``{{report}}`` or ``{{正文}}``, or at the end; ``{{county}}``, ``{{base_year}}`` and ``{{last_year}}`` are filled.
    maps
        Whether maps are drawn, half a second each; without, or where matplotlib (extra ``print``) or a Chinese font is missing, their
        places are marked and the report says how to get them.

    Raises
    ------
    CountyDataError
        If the template is no Word document, or one with macros.
    ValueError
        If the language or the audience is not known.

    Examples
    --------
    >>> write_report(plan, "report.docx")  # doctest: +SKIP
    """
    if audience not in AUDIENCES:
        raise ValueError(f"audience must be one of {', '.join(AUDIENCES)}, not {audience!r}")
    messages.catalogue(lang)
    edition = edition_of(plan, audience)
    why = messages.text("report.maps_left_out", lang) if not maps else why_no_maps(lang)
    figure = None if why else _drawer(plan, lang, audience)
    blocks = chapters(plan, lang=lang, edition=edition, pages=workbook_pages(plan, lang, edition), figure=figure, no_maps=why)
    fields = {"county": plan.county.name, "base_year": str(plan.county.base_year), "last_year": str(max(plan.years))}
    path = Path(path)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        title = next(block.text for block in blocks if block.kind == "title")
        write_document(blocks, scratch, lang=lang, title=title, template=None if template is None else Path(template), fields=fields)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def why_no_maps(lang: str) -> str:
    """Say why the maps of a report cannot be drawn on this machine.

    Parameters
    ----------
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        What to install, matplotlib (extra ``print``) or a Chinese font; empty where they can be drawn.

    Examples
    --------
    >>> isinstance(why_no_maps("zh"), str)
    True
    """
    if importlib.util.find_spec("matplotlib") is None:
        return messages.text("figures.no_matplotlib", lang)
    # names are Chinese in both languages, and boxes are worse than no map
    return "" if chinese_font() else messages.text("figures.no_font", lang)


def _drawer(plan: Plan, lang: str, audience: str) -> Callable[[str], bytes]:
    """Return what draws a map as PNG; where it cannot draw one, its place stays marked."""
    years = {"base": plan.county.base_year, "last": max(plan.years), "near": near_year(plan)}
    draw = report_pictures(plan, lang=lang, audience=audience)

    def picture(layer: str) -> bytes:
        kind, year, view = _DRAWN[layer]
        try:
            return draw(kind, years[year], view)
        except ValueError:
            # nothing of this kind in the plan, or not for this audience
            return b""

    return picture
