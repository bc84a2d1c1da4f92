"""Every sentence that a user reads, in Chinese and in English."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files

LANGUAGES = ("zh", "en")


@functools.cache
def catalogue(lang: str) -> Mapping[str, str]:
    """Read the sentences of one language.

    Parameters
    ----------
    lang
        ``zh`` or ``en``.

    Returns
    -------
    Mapping[str, str]
        Sentence with ``{field}`` places by dotted key.

    Raises
    ------
    ValueError
        If there is no catalogue of that language.

    Examples
    --------
    >>> catalogue("en")["action.open"]
    'open'
    """
    if lang not in LANGUAGES:
        raise ValueError(f"lang must be one of {', '.join(LANGUAGES)}, not {lang!r}")
    sentences: dict[str, str] = {}
    path = files("layout").joinpath("messages", f"{lang}.toml")
    _flatten(tomllib.loads(path.read_text(encoding="utf-8")), "", sentences)
    return sentences


def text(key: str, lang: str = "zh", **fields: object) -> str:
    """Return one sentence with its places filled.

    Parameters
    ----------
    key
        Dotted key of the catalogue.
    lang
        ``zh`` or ``en``.
    **fields
        Values of the ``{field}`` places.

    Returns
    -------
    str
        The sentence.

    Raises
    ------
    KeyError
        If the catalogue has no such sentence or a field is missing.

    Examples
    --------
    >>> text("action.open", "zh")
    '新建'
    """
    return catalogue(lang)[key].format(**fields)


def in_language(note: str, lang: str) -> str:
    """Return the half of a note that is written in both languages.

    Parameters
    ----------
    note
        ``Chinese / English``, or a note in one language only.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        The half; the whole note where it has no two halves.

    Examples
    --------
    >>> in_language("未知 / unknown", "en")
    'unknown'
    """
    halves = note.split(" / ")
    return halves[LANGUAGES.index(lang)] if len(halves) == len(LANGUAGES) else note


def _flatten(node: Mapping[str, object], prefix: str, out: dict[str, str]) -> None:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            _flatten(value, f"{key}.", out)
        else:
            out[key] = str(value)
