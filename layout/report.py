"""A plan as the report of a layout plan: a Word document in the look of an official one."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

from layout import messages
from layout.chapters import chapters
from layout.document import write_document
from layout.plan import Plan
from layout.privacy import AUDIENCES, edition_of
from layout.workbook import workbook_pages

# the module that draws the maps of a report where it is there, and its function
_FIGURES = ("layout.figures", "draw_figure")


def write_report(plan: Plan, path: str | Path, *, lang: str = "zh", audience: str = "internal", template: str | Path | None = None) -> None:
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
    blocks = chapters(
        plan, lang=lang, audience=audience, edition=edition, pages=workbook_pages(plan, lang, edition), figure=_drawer(plan, lang, audience)
    )
    fields = {"county": plan.county.name, "base_year": str(plan.county.base_year), "last_year": str(max(plan.years))}
    path = Path(path)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        title = next(block.text for block in blocks if block.kind == "title")
        write_document(blocks, scratch, lang=lang, title=title, template=None if template is None else Path(template), fields=fields)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _drawer(plan: Plan, lang: str, audience: str) -> Callable[[str], bytes]:
    """Return what draws a layer as PNG; without the drawing module every place stays marked."""
    module, function = _FIGURES
    if importlib.util.find_spec(module) is None:
        return lambda layer: b""
    draw = getattr(importlib.import_module(module), function)
    return lambda layer: draw(plan, layer, lang=lang, audience=audience)
