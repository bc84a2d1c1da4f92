"""Every file of a plan in one folder, whole or not at all."""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

from layout import messages
from layout.maps import save_map
from layout.plan import Plan
from layout.privacy import AUDIENCES
from layout.report import write_report
from layout.workbook import write_workbook

# the manifest goes last: a folder without it holds no finished plan
FILES = ("map.html", "plan.xlsx", "report.docx", "plan.gpkg", "manifest.json")
# names that Windows keeps for devices, and the longest name that every file system takes with room for a suffix
_DEVICES = frozenset(["CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³")])
_LONGEST_BYTES = 180


def write_plan(plan: Plan, folder: str | Path, *, lang: str = "zh", audience: str = "internal") -> dict[str, Path]:
    """Write map, workbook, report, tables and manifest of a plan into a folder.

    All files are made beside their places first and then exchanged with an earlier result; if anything fails the earlier
    result stays as it was. Other files in the folder are not touched.

    Parameters
    ----------
    plan
        What to write.
    folder
        Folder to write into; it is made where it does not exist.
    lang
        ``zh`` or ``en``.
    audience
        ``internal`` for every file; ``public`` for map and workbook alone, in which small counts are hidden: the tables
        of ``plan.gpkg`` hold every count and stay inside.

    Returns
    -------
    dict
        Path by file name: ``map.html``, ``plan.xlsx``, ``report.docx``, ``plan.gpkg``, ``manifest.json``.

    Raises
    ------
    ValueError
        If the language or the audience is not known.
    FileExistsError
        If a public edition would come to lie beside the tables of an internal one.
    OSError
        If the folder cannot be written, or a file of it is open in another program (Windows).

    Examples
    --------
    >>> write_plan(plan, "maps/county")  # doctest: +SKIP
    """
    folder = Path(folder)
    _check(folder, lang, audience)

    def make(made: Path) -> None:
        save_map(plan, made / "map.html", lang=lang, audience=audience)
        write_workbook(plan, made / "plan.xlsx", lang=lang, audience=audience)
        if audience == "internal":
            write_report(plan, made / "report.docx", lang=lang)
            plan.save(made)

    return _exchange(make, folder)


def write_map(plan: Plan, folder: str | Path, *, lang: str = "zh", audience: str = "internal") -> Path:
    """Draw the map of a plan anew into its folder.

    Parameters
    ----------
    plan, folder, lang, audience
        As in :func:`write_plan`.

    Returns
    -------
    pathlib.Path
        The map.

    Raises
    ------
    ValueError, FileExistsError, OSError
        As in :func:`write_plan`.

    Examples
    --------
    >>> write_map(plan, "maps/county")  # doctest: +SKIP
    """
    folder = Path(folder)
    _check(folder, lang, audience)
    return _exchange(lambda made: save_map(plan, made / "map.html", lang=lang, audience=audience), folder)["map.html"]


def safe_name(name: str, *, fallback: str = "county") -> str:
    """Make a folder name that every system takes out of any name.

    Parameters
    ----------
    name
        For instance of a county; composed (NFC), without reserved and control characters, no device name of Windows, at
        most 180 bytes long.
    fallback
        Used where nothing is left.

    Returns
    -------
    str
        One path component: never empty, never ``.`` or ``..``, without separators.

    Examples
    --------
    >>> safe_name("三都县"), safe_name("../a:b"), safe_name("CON"), safe_name(" .. ")
    ('三都县', 'a_b', 'CON_', 'county')
    """
    text = unicodedata.normalize("NFC", name)
    text = re.sub(r'[\\/:*?"<>|]+', "_", text)
    # letters that cannot be seen or stored: control, format, surrogate, private use, separators of lines
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    text = unicodedata.normalize("NFC", re.sub(r"\s+", " ", text))
    text = text.strip(" ._")
    text = text.encode("utf-8")[:_LONGEST_BYTES].decode("utf-8", errors="ignore").rstrip(" .")
    if text.split(".")[0].strip().upper() in _DEVICES:
        stem, dot, rest = text.partition(".")
        text = f"{stem.strip()}_{dot}{rest}"
    return text or fallback


def plan_folder(out: str | Path, county: str) -> Path:
    """Return the folder of a county's plan inside another.

    Parameters
    ----------
    out
        The folder above.
    county
        Name of the county.

    Returns
    -------
    pathlib.Path
        A folder directly in ``out``.

    Raises
    ------
    ValueError
        If it would lie elsewhere, as when a link of that name leads out.

    Examples
    --------
    >>> plan_folder("maps", "三都县").as_posix()
    'maps/三都县'
    """
    folder = Path(out) / safe_name(county)
    if folder.resolve().parent != Path(out).resolve():
        raise ValueError(f"{folder} leads out of {out}")
    return folder


def _check(folder: Path, lang: str, audience: str) -> None:
    if audience not in AUDIENCES:
        raise ValueError(f"audience must be one of {', '.join(AUDIENCES)}, not {audience!r}")
    messages.catalogue(lang)
    if audience == "public" and (folder / "plan.gpkg").exists():
        raise FileExistsError(messages.text("outputs.public_beside_internal", lang, folder=folder.name))


def _exchange(make: Callable[[Path], None], folder: Path) -> dict[str, Path]:
    above = folder if folder.is_dir() else folder.parent
    above.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=above, prefix=".layout-") as scratch:
        made, before = Path(scratch) / "made", Path(scratch) / "before"
        made.mkdir()
        before.mkdir()
        make(made)
        names = [name for name in FILES if (made / name).is_file()]
        if not folder.is_dir():
            # one step: the folder appears with everything in it
            made.rename(folder)
        else:
            _swap(names, made, folder, before)
    return {name: folder / name for name in names}


def _swap(names: list[str], made: Path, folder: Path, before: Path) -> None:
    # the old manifest leaves first and the new one comes last, so that no mixed state looks finished
    moved: list[tuple[Path, Path]] = []
    steps = [(folder / name, before / name) for name in reversed(names) if (folder / name).exists()]
    steps += [(made / name, folder / name) for name in names]
    try:
        for source, target in steps:
            source.rename(target)
            moved.append((source, target))
    finally:
        # whatever stopped it, the earlier files go back to their places
        if len(moved) < len(steps):
            for source, target in reversed(moved):
                target.rename(source)
