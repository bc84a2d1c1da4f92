"""A plan as the report of a layout plan: a Word document in the look of an official one."""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from layout import messages
from layout.chapters import chapters
from layout.document import write_document
from layout.narrative import near_year
from layout.plan import Plan
from layout.privacy import AUDIENCES, edition_of
from layout.workbook import workbook_pages

# the module that draws the maps of a report, where it is there
_FIGURES = "layout.figures"
# 146 mm of text at 260 dots an inch
_WIDE_PX = 1_500
# what it draws for each map: layer, which year, which schools; the others are for the county to put in
_DRAWN = {
    "schools": ("classes", "base", "today"), "minutes": ("minutes", "base", "today"), "catchments": ("links", "base", "today"),
    "pupils_base": ("pupils", "base", "today"), "pupils_plan": ("pupils", "last", "planned"), "proposals": ("proposals", "last", "planned"),
    "planned_catchments": ("links", "last", "planned"), "relocation": ("sites", "last", "planned"), "near_term": ("proposals", "near", "planned"),
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
        Whether maps are drawn, which takes some seconds each; without, their places are marked.

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
    figure = _drawer(plan, lang, audience) if maps else lambda layer: b""
    blocks = chapters(plan, lang=lang, edition=edition, pages=workbook_pages(plan, lang, edition), figure=figure)
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
    """Return what draws a map as PNG; without the drawing module, or where it cannot draw one, its place stays marked."""
    if importlib.util.find_spec(_FIGURES) is None or importlib.util.find_spec("matplotlib") is None:
        return lambda layer: b""
    figures = importlib.import_module(_FIGURES)
    years = {"base": plan.county.base_year, "last": max(plan.years), "near": near_year(plan)}

    def draw(layer: str) -> bytes:
        if layer not in _DRAWN:
            return b""
        kind, year, view = _DRAWN[layer]
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "figure.png"
            try:
                figures.save_figure(figures.draw_figure(plan, kind, lang=lang, year=years[year], view=view, audience=audience), path)
            except ValueError:
                # nothing of this kind in the plan, or not for this audience
                return b""
            return _on_paper(path)

    return draw


def _on_paper(path: Path) -> bytes:
    """Return a picture as large as the width of the text needs, in few colours: a report goes by e-mail."""
    from PIL import Image

    stream = io.BytesIO()
    with Image.open(path) as picture:
        share = min(1.0, _WIDE_PX / picture.width)
        small = picture.convert("RGB").resize((round(picture.width * share), max(1, round(picture.height * share))), Image.Resampling.LANCZOS)
        small.quantize(256, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return stream.getvalue()
