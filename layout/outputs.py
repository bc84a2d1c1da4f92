"""Every file of a plan in one folder, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from layout import messages
from layout.maps import save_map
from layout.plan import Plan
from layout.privacy import AUDIENCES, Edition
from layout.report import write_report
from layout.workbook import write_workbook

# the manifest goes last: a folder without it holds no finished plan
FILES = ("map.html", "plan.xlsx", "report.docx", "plan.gpkg", "manifest.json")
#: Folders that are made from a plan and lie in its folder, with the command that makes each.
MADE_FROM = {"gis": "layout export", "figures": "layout figures", "public": "layout plan --audience public"}
#: The file that says in such a folder that it is of an older plan than the one beside it.
OLD_NOTE = "OLD-PLAN-旧规划.txt"
_MADE_KINDS = frozenset([".gpkg", ".parquet", ".shp", ".shx", ".dbf", ".prj", ".cpg", ".kml", ".csv", ".png", ".pdf"])
# names that Windows keeps for devices, and the longest name that every file system takes with room for a suffix
_DEVICES = frozenset(["CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³")])
_LONGEST_BYTES = 180


class FileHeldError(OSError):
    """A file of the old plan is open in another program; the message names it and says what to do."""


def write_plan(plan: Plan, folder: str | Path, *, lang: str = "zh", audience: str = "internal", edition: Edition | None = None) -> dict[str, Path]:
    """Write map, workbook, report, tables and manifest of a plan into a folder.

    The report has its maps where matplotlib (extra ``print``) and a Chinese font are installed, else it says how to get them.

    The plan is made in a folder of its own beside the old one, its manifest last; the old one is kept as ``<folder>.previous`` until
    the new one is in its place, and other files in it move along. What was made from the old plan (``gis``, ``figures``, ``public``) may
    hold somebody's own work, so it is neither deleted nor made anew: a file in it says that it is of the older plan, see
    :func:`of_an_older_plan`. Stopped at any moment, :func:`layout.read_plan` finds the old plan or
    the new one, never a mixture. Where a file of the old plan is held open, the new plan stays in ``<folder>.new``.

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
    edition
        As in :func:`layout.write_workbook`.

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
    FileHeldError
        If a file of the old plan is open in another program (Windows): it is named, and the new plan stays in ``<folder>.new``.
    OSError
        If the folder cannot be written.

    Examples
    --------
    >>> write_plan(plan, "maps/county")  # doctest: +SKIP
    """
    folder = Path(folder)
    _check(folder, lang, audience)

    def make(made: Path) -> None:
        save_map(plan, made / "map.html", lang=lang, audience=audience)
        write_workbook(plan, made / "plan.xlsx", lang=lang, audience=audience, edition=edition)
        if audience == "internal":
            write_report(plan, made / "report.docx", lang=lang)
            plan.save(made)

    return _exchange(make, folder, lang)


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
    finish(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".layout-") as scratch:
        save_map(plan, Path(scratch) / "map.html", lang=lang, audience=audience)
        try:
            (Path(scratch) / "map.html").replace(folder / "map.html")
        except PermissionError as error:
            raise FileHeldError(messages.text("outputs.map_held", lang, file="map.html")) from error
    return folder / "map.html"


def finish(folder: str | Path) -> None:
    """Finish an exchange of plans that was stopped: the new plan takes its place, or else the previous one goes back.

    Parameters
    ----------
    folder
        Folder of a plan; nothing is done where no exchange was stopped.

    Examples
    --------
    >>> finish("maps/no such county")
    """
    folder = Path(folder).resolve()
    if _beside(folder, "previous").is_dir():
        with _alone(folder):
            _finish(folder)


def _finish(folder: Path) -> None:
    new, previous = _beside(folder, "new"), _beside(folder, "previous")
    if not folder.exists():
        # what bears these names was complete before it got them
        if new.is_dir() and previous.is_dir():
            new.rename(folder)
        elif previous.is_dir():
            previous.rename(folder)
    if folder.is_dir() and previous.is_dir():
        _clear(previous, folder)


def of_an_older_plan(folder: str | Path) -> list[str]:
    """Return which of the folders made from a plan are of an older one than that beside them.

    Parameters
    ----------
    folder
        Folder of a plan.

    Returns
    -------
    list of str
        Of :data:`MADE_FROM`, in its order.

    Examples
    --------
    >>> of_an_older_plan("maps/no such county")
    []
    """
    return [name for name in MADE_FROM if (Path(folder) / name / OLD_NOTE).is_file()]


def made_anew(folder: str | Path, written: Sequence[Path]) -> bool:
    """Take the mark of an older plan off a folder that was made anew; it stays where a file of the older plan is left.

    Parameters
    ----------
    folder
        ``gis`` or ``figures`` of a plan's folder, or any other.
    written
        The files that were written into it.

    Returns
    -------
    bool
        Whether files of an older plan are left: of the kinds that are made from plans, and not among those written.

    Examples
    --------
    >>> made_anew("maps/no such county/gis", [])
    False
    """
    note = Path(folder) / OLD_NOTE
    if not note.is_file():
        return False
    new = {p.resolve() for p in written}
    if any(p.is_file() and p.suffix.lower() in _MADE_KINDS and p.resolve() not in new for p in Path(folder).rglob("*")):
        return True
    note.unlink()
    return False


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


def _exchange(make: Callable[[Path], None], folder: Path, lang: str) -> dict[str, Path]:
    home = folder.resolve()
    if home.is_dir() and Path.cwd().is_relative_to(home):
        # the folder in which somebody stands cannot be exchanged under them
        return _within(make, folder)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=".layout-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        make(made)
        names = [name for name in FILES if (made / name).is_file()]
        with _alone(home):
            _finish(home)
            if not home.exists():
                # one step: the folder appears with everything in it
                made.rename(home)
            else:
                new = _beside(home, "new")
                if new.is_dir():
                    # a plan that could not take its place before
                    shutil.rmtree(new)
                made.rename(new)
                _swap(new, home, lang)
    return {name: folder / name for name in names}


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process on this machine exchanges plans of a folder; a process that dies lets go."""
    key = hashlib.sha256(str(folder).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    try:
        file = (Path(tempfile.gettempdir()) / f"layout-{key}.lock").open("ab")
    except OSError:
        # another user's, or no room for it: the exchange itself needs nothing of it
        yield
        return
    with file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _swap(new: Path, folder: Path, lang: str) -> None:
    previous = _beside(folder, "previous")
    try:
        folder.rename(previous)
    except PermissionError as error:
        held = [name for name in FILES if _held(folder / name)]
        raise FileHeldError(messages.text("outputs.held", lang, files="、".join(held) or folder.name, new=new.name, folder=folder.name)) from error
    try:
        new.rename(folder)
    except BaseException:
        # the old plan goes back to its place
        previous.rename(folder)
        raise
    _clear(previous, folder)


def _clear(previous: Path, folder: Path) -> None:
    """Move what is no file of the old plan over to the new one, and delete the rest of the old one."""
    if _differ(previous, folder):
        _mark_old(previous)
    for path in sorted(previous.iterdir()):
        # the mark of a folder that is made anew here goes with what it was about
        if path.name not in (*FILES, OLD_NOTE) and not (folder / path.name).exists():
            path.rename(folder / path.name)
    shutil.rmtree(previous)


def _differ(one: Path, other: Path) -> bool:
    """Say whether two folders hold different plans; the same plan written again makes nothing old."""
    found = [(path / "manifest.json").read_bytes() if (path / "manifest.json").is_file() else b"" for path in (one, other)]
    return found[0] != found[1]


def _mark_old(folder: Path) -> None:
    """Write into what was made from a plan that the plan beside it is another one now."""
    for name, command in MADE_FROM.items():
        if (folder / name).is_dir() and any((folder / name).iterdir()):
            lines = [messages.text("outputs.old_note", lang, name=name, command=command) for lang in messages.LANGUAGES]
            (folder / name / OLD_NOTE).write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig", newline="")


def _beside(folder: Path, ending: str) -> Path:
    return folder.with_name(f"{folder.name}.{ending}")


def _held(path: Path) -> bool:
    """Say whether another program holds a file open: it cannot be renamed then, not even to itself."""
    try:
        path.rename(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _within(make: Callable[[Path], None], folder: Path) -> dict[str, Path]:
    """Exchange the files of a plan one by one: the old manifest leaves first and the new one comes last, so no mixture looks finished."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".layout-") as scratch:
        made, before = Path(scratch) / "made", Path(scratch) / "before"
        made.mkdir()
        before.mkdir()
        make(made)
        names = [name for name in FILES if (made / name).is_file()]
        other = _differ(folder, made)
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
        (folder / OLD_NOTE).unlink(missing_ok=True)
        if other:
            _mark_old(folder)
    return {name: folder / name for name in names}
