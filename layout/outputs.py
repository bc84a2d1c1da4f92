"""Every file of a plan in one folder, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
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


class FileHeldError(OSError):
    """A file of the old plan is open in another program; the message names it and says what to do."""


def write_plan(plan: Plan, folder: str | Path, *, lang: str = "zh", audience: str = "internal") -> dict[str, Path]:
    """Write map, workbook, report, tables and manifest of a plan into a folder.

    The report has marked places for its maps; :func:`layout.write_report` draws them.

    The plan is made in a folder of its own beside the old one, its manifest last; the old one is kept as ``<folder>.previous`` until
    the new one is in its place, and other files in it move along. Stopped at any moment, :func:`layout.read_plan` finds the old plan or
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
        write_workbook(plan, made / "plan.xlsx", lang=lang, audience=audience)
        if audience == "internal":
            write_report(plan, made / "report.docx", lang=lang, maps=False)
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
    for path in sorted(previous.iterdir()):
        if path.name not in FILES and not (folder / path.name).exists():
            path.rename(folder / path.name)
    shutil.rmtree(previous)


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
    return {name: folder / name for name in names}
