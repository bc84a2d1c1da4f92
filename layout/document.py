"""A Word document in the look of an official one: headings numbered as such documents number them, tables, blanks to fill, the same bytes twice."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from layout import messages
from layout.pages import Field, Page
from layout.tables import CountyDataError, Problem

# sizes of Chinese type in points: 二号, 三号, 四号, 小四, 五号, 小五
_SIZES = {"title": 22.0, "body": 16.0, "page": 14.0, "line": 12.0, "table": 10.5, "narrow": 9.0}
# margins of the sheet in millimetres and the pitch of the lines in points (GB/T 9704-2012: 22 lines of 28 characters)
_MARGINS = {"top": 37, "bottom": 35, "left": 28, "right": 26}
_PITCH = 28.0
# faces as such documents name them; a machine without them takes the next of its own
_FACES = {"title": "方正小标宋简体", "heading1": "黑体", "heading2": "楷体_GB2312", "heading3": "仿宋_GB2312", "body": "仿宋_GB2312", "page": "宋体"}
_LATIN = "Times New Roman"
# width of a figure in millimetres: two of them stand on a page with their captions
_FIGURE = 138
# tables with more columns are set smaller
_WIDE_TABLE = 7
_NUMERALS = "零一二三四五六七八九"
# a column is as wide as its longest text between these, in Latin letters; a Chinese one takes two
_NARROW, _BROAD, _LONG, _WIDE_FROM = 4, 22, 60, 0x2010
# a text this short stays in one line, and letters that the room at the two edges of a cell takes
_TOGETHER, _AROUND = 8, 2.0
_WORD_OF = re.compile(r"[!-~]+")
# what people must fill in or look up stands out
_MARKED = re.compile(r"(【[^】]*】|\[待核实[^\]]*\])")
# bounds on a template: more is no letterhead
_MOST_PARTS, _MOST_BYTES = 2_000, 200_000_000
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.{}.main+xml"


@dataclass(frozen=True)
class Block:
    """One piece of a document.

    Parameters
    ----------
    kind
        ``title``, ``line`` (centred), ``heading``, ``annex`` (centred, among the contents), ``text``, ``item``, ``note`` (small),
        ``table``, ``figure``, ``contents``, ``page`` (a new page).
    text
        Its words; the title of a table or figure.
    level
        Of a heading, 1 to 3.
    page
        Columns and rows of a table; its note stands above it on the right.
    bold
        Rows of the table that are sums.
    image
        PNG of a figure; without it the figure's place is marked.
    """

    kind: str
    text: str = ""
    level: int = 1
    page: Page | None = None
    bold: tuple[int, ...] = ()
    image: bytes = b""


def write_document(
    blocks: Sequence[Block], path: Path, *, lang: str, title: str, template: Path | None = None, fields: Mapping[str, str] | None = None
) -> None:
    """Write blocks as a Word document.

    Parameters
    ----------
    blocks
        Its pieces in order.
    path
        File to write; its folder must exist.
    lang
        ``zh`` numbers headings 一、 （一） 1. and tables 表1, ``en`` 1, 1.1, Table 1.
    title
        For the properties of the file.
    template
        An office's own ``.docx`` or ``.dotx``: its styles, margins, headers and footers stay. The blocks take the place of a paragraph
        that reads ``{{report}}`` or ``{{正文}}``, or come at the end.
    fields
        Words for other ``{{name}}`` places of the template.

    Raises
    ------
    CountyDataError
        If the template is no Word document, or one with macros.

    Examples
    --------
    >>> write_document([Block("title", "三都县")], Path("report.docx"), lang="zh", title="三都县")  # doctest: +SKIP
    """
    import docx

    document = docx.Document() if template is None else docx.Document(_opened(template))
    if template is None:
        _set_page(document)
    _set_styles(document, own=template is None)
    body = document.element.body
    place = _place(document, fields or {})
    before = list(body)
    _write_blocks(document, blocks, lang)
    if place is not None:
        # what was written at the end moves to the place that the template keeps for it
        for element in [e for e in body if e not in before]:
            place.addprevious(element)
        body.remove(place)
    about = document.core_properties
    about.title, about.author, about.last_modified_by, about.comments = title, "", "", ""
    about.created = about.modified = dt.datetime(2000, 1, 1)
    about.revision = 1
    stream = io.BytesIO()
    document.save(stream)
    path.write_bytes(_undated(stream.getvalue()))


def heading_number(level: int, counts: Sequence[int], lang: str) -> str:
    """Number a heading.

    Parameters
    ----------
    level
        1 to 3.
    counts
        Its number and those of the headings above it.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        What stands before the heading.

    Examples
    --------
    >>> heading_number(1, [12], "zh"), heading_number(2, [1, 3], "zh"), heading_number(3, [1, 3, 2], "zh"), heading_number(2, [1, 3], "en")
    ('十二、', '（三）', '2. ', '1.3 ')
    """
    if lang == "en":
        return ".".join(str(n) for n in counts[:level]) + " "
    number = counts[level - 1]
    return {1: f"{_chinese(number)}、", 2: f"（{_chinese(number)}）"}.get(level, f"{number}. ")


def shown(value: object, kind: str, lang: str) -> str:
    """Write a value as a reader of a report reads it.

    Parameters
    ----------
    value
        Of a cell; None and not a number are blank.
    kind
        Kind of the column, as in :class:`layout.pages.Field`.
    lang
        ``zh`` or ``en``; both group thousands by commas, as the workbook does.

    Returns
    -------
    str
        Its text.

    Examples
    --------
    >>> shown(12345.0, "int", "zh"), shown(12345.0, "int", "en"), shown(0.125, "percent", "zh"), shown(None, "int", "zh")
    ('12,345', '12,345', '12.5%', '')
    """
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, str) or not hasattr(value, "__float__"):
        return str(value)
    number = float(value)
    if number in (float("inf"), float("-inf")):
        return "—"
    comma = "" if kind == "year" else ","
    if kind == "percent":
        return f"{number:.1%}"
    decimals = {"int": 0, "year": 0, "minutes": 0, "money": 0, "tenth": 1}.get(kind, 2)
    text = f"{number + 0.0:{comma}.{decimals}f}"
    return text if kind != "number" else text.rstrip("0").rstrip(".")


def _chinese(number: int) -> str:
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else "十" if tens == 1 else _NUMERALS[tens] + "十"
    return head + (_NUMERALS[ones] if ones or not tens else "")


# --- the template


def _opened(template: Path) -> io.BytesIO:
    """Return the bytes of an office's template, a .dotx as a document."""
    try:
        with zipfile.ZipFile(template) as parts:
            names = parts.namelist()
            if len(names) > _MOST_PARTS or sum(i.file_size for i in parts.infolist()) > _MOST_BYTES:
                raise CountyDataError([Problem("template_unfit", template.name, fields={"why": "zip"})])
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise CountyDataError([Problem("template_unfit", template.name, fields={"why": "VBA"})])
            types = parts.read("[Content_Types].xml").decode("utf-8")
            if "wordprocessingml" not in types:
                raise CountyDataError([Problem("template_unfit", template.name, fields={"why": ".docx"})])
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as copy:
                for name in names:
                    text = (
                        types.replace(_WORD.format("template"), _WORD.format("document")).encode()
                        if name == "[Content_Types].xml"
                        else parts.read(name)
                    )
                    copy.writestr(name, text)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, KeyError, OSError) as error:
        raise CountyDataError([Problem("template_unfit", template.name, fields={"why": type(error).__name__})]) from error
    out.seek(0)
    return out


def _place(document: Any, fields: Mapping[str, str]) -> Any:
    """Fill the places of a template with words; return the paragraph that gives way to the report."""
    found = None
    for paragraph in _paragraphs(document):
        text = paragraph.text
        if text.strip() in ("{{report}}", "{{正文}}") and paragraph._p.getparent() is document.element.body:
            found = paragraph._p if found is None else found
        elif "{{" in text:
            for name, value in fields.items():
                text = text.replace("{{" + name + "}}", _legal(value))
            if text != paragraph.text and paragraph.runs:
                # a place may be cut into runs: the first of them keeps its look and takes the words
                paragraph.runs[0].text = text
                for run in paragraph.runs[1:]:
                    run.text = ""
    return found


def _paragraphs(document: Any) -> list[Any]:
    out = list(document.paragraphs)
    out += [p for table in document.tables for row in table.rows for cell in row.cells for p in cell.paragraphs]
    for section in document.sections:
        for part in (section.header, section.footer):
            out += [] if part.is_linked_to_previous else list(part.paragraphs)
    return out


# --- the look


def _set_page(document: Any) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Mm, Pt

    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    for side, width in _MARGINS.items():
        setattr(section, f"{side}_margin", Mm(width))
    section.footer_distance = Mm(_MARGINS["bottom"] - 10)
    document.settings.odd_and_even_pages_header_footer = True
    for footer, align in ((section.footer, WD_ALIGN_PARAGRAPH.RIGHT), (section.even_page_footer, WD_ALIGN_PARAGRAPH.LEFT)):
        footer.is_linked_to_previous = False
        paragraph = footer.paragraphs[0]
        paragraph.alignment = align
        # one character in from the edge of the type
        paragraph.paragraph_format.left_indent = paragraph.paragraph_format.right_indent = Pt(_SIZES["page"])
        _run(paragraph, "— ", _FACES["page"], _SIZES["page"])
        _field(paragraph, "PAGE", "1", _FACES["page"], _SIZES["page"])
        _run(paragraph, " —", _FACES["page"], _SIZES["page"])


def _set_styles(document: Any, *, own: bool) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
    from docx.shared import Pt, RGBColor

    styles = document.styles
    there = {style.name for style in styles}

    def dressed(
        name: str, face: str, size: float, *, bold: bool = False, before: float = 0, pitch: float | None = _PITCH, indent: bool = False
    ) -> Any:
        style = styles[name] if name in there else styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.font.size, style.font.bold, style.font.italic = Pt(size), bold, False
        style.font.color.rgb = RGBColor(0, 0, 0)
        _faces(style.element.get_or_add_rPr(), face)
        form = style.paragraph_format
        form.space_before, form.space_after = Pt(before), Pt(0)
        form.first_line_indent = Pt(2 * size) if indent else Pt(0)
        if pitch is not None:
            form.line_spacing_rule, form.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(pitch)
        return style

    # an office's own template keeps its own styles; only what it lacks is added
    for name, face, size, bold, pitch in (
        ("Normal", _FACES["body"], _SIZES["body"], False, None), ("Title", _FACES["title"], _SIZES["title"], False, 36.0),
        ("Heading 1", _FACES["heading1"], _SIZES["body"], False, _PITCH), ("Heading 2", _FACES["heading2"], _SIZES["body"], False, _PITCH),
        ("Heading 3", _FACES["heading3"], _SIZES["body"], True, _PITCH),
    ):  # fmt: skip
        if own or name not in there:
            style = dressed(name, face, size, bold=bold, pitch=pitch, indent=name.startswith("Heading"))
            style.paragraph_format.keep_with_next = name.startswith("Heading")
            if name == "Title":
                style.paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
                # the title stands in the upper third of its page
                style.paragraph_format.space_before, style.paragraph_format.space_after = Pt(140), Pt(40)
                for border in style.element.findall(".//{*}pBdr"):
                    border.getparent().remove(border)
    dressed("Layout Text", _FACES["body"], _SIZES["body"], indent=True)
    dressed("Layout Line", _FACES["heading2"], _SIZES["body"]).paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
    annex = dressed("Layout Annex", _FACES["heading1"], _SIZES["body"])
    annex.paragraph_format.alignment, annex.paragraph_format.keep_with_next = WD_ALIGN_PARAGRAPH.CENTER, True
    _outline(annex.element)
    dressed("Layout Note", _FACES["body"], _SIZES["line"], pitch=20.0)
    caption = dressed("Layout Caption", _FACES["heading1"], _SIZES["line"], before=8, pitch=None)
    caption.paragraph_format.alignment, caption.paragraph_format.keep_with_next = WD_ALIGN_PARAGRAPH.CENTER, True
    unit = dressed("Layout Unit", _FACES["body"], _SIZES["table"], pitch=None)
    unit.paragraph_format.alignment, unit.paragraph_format.keep_with_next = WD_ALIGN_PARAGRAPH.RIGHT, True
    dressed("Layout Table", _FACES["body"], _SIZES["table"], pitch=None)
    dressed("Layout Narrow Table", _FACES["body"], _SIZES["narrow"], pitch=None)
    dressed("Layout Figure", _FACES["body"], _SIZES["table"], before=6, pitch=None).paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER


def _faces(properties: Any, face: str) -> None:
    from docx.oxml.ns import qn

    fonts = properties.get_or_add_rFonts()
    for name in list(fonts.attrib):
        del fonts.attrib[name]
    for name, value in (("ascii", _LATIN), ("hAnsi", _LATIN), ("cs", _LATIN), ("eastAsia", face)):
        fonts.set(qn(f"w:{name}"), value)


def _outline(style: Any) -> None:
    """Put the paragraphs of a style among the contents."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    form = style.get_or_add_pPr()
    if form.find(qn("w:outlineLvl")) is None:
        level = OxmlElement("w:outlineLvl")
        level.set(qn("w:val"), "0")
        form.append(level)


# --- the blocks


def _write_blocks(document: Any, blocks: Sequence[Block], lang: str) -> None:
    counts, tables, figures, items = [0, 0, 0], 0, 0, 0
    for block in blocks:
        items = items + 1 if block.kind == "item" else 0
        if block.kind == "heading":
            counts[block.level - 1] += 1
            counts[block.level :] = [0] * (3 - block.level)
            document.add_paragraph(_legal(heading_number(block.level, counts, lang) + block.text), style=f"Heading {block.level}")
        elif block.kind == "contents":
            _contents(document, blocks, lang, block.text)
        elif block.kind == "table" and block.page is not None:
            tables += 1
            _words(document.add_paragraph(style="Layout Caption"), messages.text("report.table", lang, n=tables, title=block.text))
            if block.page.note:
                _words(document.add_paragraph(style="Layout Unit"), block.page.note)
            _table(document, block.page, set(block.bold), lang)
        elif block.kind == "figure":
            figures += 1
            _figure(document, block, messages.text("report.figure", lang, n=figures, title=block.text), lang)
        elif block.kind == "page":
            document.add_page_break()
        else:
            styles = {"title": "Title", "line": "Layout Line", "annex": "Layout Annex", "note": "Layout Note"}
            paragraph = document.add_paragraph(style=styles.get(block.kind, "Layout Text"))
            _words(paragraph, (f"（{items}）" if lang == "zh" else f"({items}) ") + block.text if block.kind == "item" else block.text)


def _contents(document: Any, blocks: Sequence[Block], lang: str, title: str) -> None:
    """Write the chapters as a field that Word turns into page numbers, readable before it does."""
    document.add_paragraph(_legal(title), style="Layout Line")
    chapters = [b.text for b in blocks if b.kind == "heading" and b.level == 1]
    lines = [heading_number(1, [i], lang) + text for i, text in enumerate(chapters, start=1)] + [b.text for b in blocks if b.kind == "annex"]
    paragraph = document.add_paragraph(style="Layout Note")
    _field(paragraph, 'TOC \\o "1-2" \\h \\z \\u', "\n".join(lines), "", 0)


def _figure(document: Any, block: Block, caption: str, lang: str) -> None:
    from docx.shared import Mm

    paragraph = document.add_paragraph(style="Layout Figure")
    if block.image:
        paragraph.paragraph_format.keep_with_next = True
        paragraph.add_run().add_picture(io.BytesIO(block.image), width=Mm(_FIGURE))
    else:
        _words(paragraph, messages.text("report.figure_here", lang, title=block.text))
    document.add_paragraph(_legal(caption), style="Layout Caption").paragraph_format.keep_with_next = False


def _table(document: Any, page: Page, bold: set[int], lang: str) -> None:
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls
    from docx.shared import Mm

    columns = [[shown(value, f.kind, lang) for value in page.frame[f.name].tolist()] for f in page.fields]
    narrow = len(page.fields) > _WIDE_TABLE or any(_letters(cell) > _LONG for column in columns for cell in column)
    style = document.styles["Layout Narrow Table" if narrow else "Layout Table"].style_id
    section = document.sections[-1]
    total = int((section.page_width - section.left_margin - section.right_margin) / Mm(1) * 56.7)
    parts = [_breadth(f, column) for f, column in zip(page.fields, columns, strict=True)]
    widths = _shared(parts, total, _SIZES["narrow" if narrow else "table"])
    rows = [_row([f.heading for f in page.fields], widths, style, ["center"] * len(widths), bold=True, head=True)]
    aligned = ["left" if f.kind in ("text", "long") else "right" for f in page.fields]
    rows += [_row([column[i] for column in columns], widths, style, aligned, bold=i in bold) for i in range(len(page.frame))]
    edges = "".join(
        f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="000000"/>' for side in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    grid = "".join(f'<w:gridCol w:w="{w}"/>' for w in widths)
    xml = (
        f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblW w:w="{sum(widths)}" w:type="dxa"/><w:jc w:val="center"/><w:tblBorders>{edges}</w:tblBorders>'
        f'<w:tblLayout w:type="fixed"/><w:tblCellMar><w:left w:w="40" w:type="dxa"/><w:right w:w="40" w:type="dxa"/></w:tblCellMar></w:tblPr>'
        f"<w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>"
    )
    document.element.body.insert_element_before(parse_xml(xml), "w:sectPr")


def _breadth(field: Field, cells: Sequence[str]) -> tuple[float, float]:
    """Return the letters that a column takes at least, no number or Latin word broken, and what it would like: its cells, half its heading."""
    lines = [line for cell in cells for line in cell.split("\n")]
    longest, heading = max(map(_letters, lines), default=0), _letters(field.heading)
    words = max((_letters(word) for text in (field.heading, *lines) for word in _WORD_OF.findall(text)), default=0)
    whole = min(longest, _TOGETHER) if field.kind in ("text", "long") else longest
    least = max(min(words, _BROAD), whole, min(heading, _NARROW))
    return least, max(least, min(max(longest, heading / 2), _LONG if field.kind == "long" else _BROAD))


def _shared(parts: Sequence[tuple[float, float]], total: int, size: float) -> list[int]:
    """Share the width of a table: what each column needs, then what it would like, then the rest as they are wide."""
    least, liked = ([(part[k] + _AROUND) * size * 10 for part in parts] for k in (0, 1))
    if sum(least) >= total:
        return [int(total * width / sum(least)) for width in least]
    more = [b - a for a, b in zip(least, liked, strict=True)]
    share = min(1.0, (total - sum(least)) / sum(more)) if sum(more) else 0.0
    widths = [a + share * m for a, m in zip(least, more, strict=True)]
    return [int(total * width / sum(widths)) for width in widths]


def _letters(text: str) -> float:
    # a comma between thousands is half a digit wide
    return sum(2.0 if ord(c) >= _WIDE_FROM else 0.5 if c == "," else 1.0 for c in text)


def _row(cells: Sequence[str], widths: Sequence[int], style: str, aligned: Sequence[str], *, bold: bool = False, head: bool = False) -> str:
    out = ["<w:tr><w:trPr><w:cantSplit/>" + ("<w:tblHeader/>" if head else "") + "</w:trPr>"]
    shade = '<w:shd w:val="clear" w:color="auto" w:fill="E7E6E6"/>' if head else ""
    for text, width, align in zip(cells, widths, aligned, strict=True):
        runs = "".join(_run_xml(part, bold=bold) for part in _MARKED.split(_legal(text)) if part)
        out.append(
            f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{shade}<w:vAlign w:val="center"/></w:tcPr>'
            f'<w:p><w:pPr><w:pStyle w:val="{style}"/><w:jc w:val="{align}"/></w:pPr>{runs}</w:p></w:tc>'
        )
    return "".join(out) + "</w:tr>"


def _run_xml(text: str, *, bold: bool) -> str:
    # the text is data: letters of XML are written as such
    lines = [line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in text.split("\n")]
    look = ("<w:b/>" if bold else "") + ('<w:highlight w:val="yellow"/>' if _MARKED.fullmatch(text) else "")
    inner = "<w:br/>".join(f'<w:t xml:space="preserve">{line}</w:t>' for line in lines)
    return f"<w:r>{f'<w:rPr>{look}</w:rPr>' if look else ''}{inner}</w:r>"


def _words(paragraph: Any, text: str) -> None:
    from docx.enum.text import WD_COLOR_INDEX

    for part in _MARKED.split(_legal(text)):
        if part:
            run = paragraph.add_run(part)
            if _MARKED.fullmatch(part):
                run.font.highlight_color = WD_COLOR_INDEX.YELLOW


def _run(paragraph: Any, text: str, face: str, size: float) -> Any:
    from docx.shared import Pt

    run = paragraph.add_run(text)
    if face:
        run.font.size = Pt(size)
        _faces(run._r.get_or_add_rPr(), face)
    return run


def _field(paragraph: Any, instruction: str, until: str, face: str, size: float) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for kind in ("begin", "instruction", "separate", "words", "end"):
        run = _run(paragraph, _legal(until) if kind == "words" else "", face, size)
        if kind == "instruction":
            code = OxmlElement("w:instrText")
            code.set(qn("xml:space"), "preserve")
            code.text = instruction
            run._r.append(code)
        elif kind != "words":
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
            run._r.append(mark)


def _legal(text: str) -> str:
    # what XML cannot hold has no place in a name either
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", str(text))


def _undated(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as parts, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as copy:
        for name in parts.namelist():
            # one date for all in place of the clock
            entry = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o600 << 16, 3
            copy.writestr(entry, parts.read(name))
    return out.getvalue()
