"""Cells of sheets as people type them: folded for comparing, plain as text."""

from __future__ import annotations

import re
import unicodedata

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def fold(text: object) -> str:
    """Fold a heading so that spaces, line breaks, full-width letters, stars and units in brackets do not matter.

    Parameters
    ----------
    text
        Heading or sheet name.

    Returns
    -------
    str
        Folded text, to be compared only.

    Examples
    --------
    >>> fold(" 常住人口（人）★"), fold("学校（机构）标识码")
    ('常住人口', '学校(机构)标识码')
    """
    out = re.sub(r"[\s★*]", "", unicodedata.normalize("NFKC", str(text))).lower()
    return re.sub(r"\((人|名|个|所|间|张|户|岁|年|m2|平方米|㎡|元|辆)\)$", "", out)


def is_id_number(text: str) -> bool:
    """Say whether a text is a Chinese citizen's ID number with the right check digit.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    bool
        True only for 18 characters whose last is the check digit of GB 11643.

    Examples
    --------
    >>> is_id_number("11010519491231002X"), is_id_number("110105194912310021"), is_id_number("522401001001")
    (True, False, False)
    """
    if not re.fullmatch(r"[1-9]\d{16}[\dXx]", text):
        return False
    remainder = sum(int(d) * w for d, w in zip(text[:17], _ID_WEIGHTS, strict=True)) % 11
    return "10X98765432"[remainder] == text[-1].upper()


def clean(cell: object) -> str:
    """Return a cell as text: whole numbers without a point, texts without spaces around them.

    Parameters
    ----------
    cell
        As a reader of workbooks gives it.

    Returns
    -------
    str
        Its text; nothing for an empty cell.

    Examples
    --------
    >>> clean(3.0), clean(2.5), clean(" a "), clean(None), clean(True)
    ('3', '2.5', 'a', '', '1')
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e16 else repr(cell)
    return str(cell).strip()
