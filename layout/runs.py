"""One county under one scenario as a piece of work of its own: what goes in, how much memory, whether it is done, and doing it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import logging
import os
import shutil
import tempfile
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from layout import messages
from layout.county import read_county
from layout.outputs import FILES, safe_name, write_plan
from layout.plan import make_plan
from layout.province_tables import PARTS, part_path, plan_parts, write_parts
from layout.scenario import Scenario, read_scenario
from layout.shared_ground import SharedGround, file_hash
from layout.solver import NoSolutionError
from layout.tables import CountyDataError, Problem

FORMAT = 1
#: The scenario of the plain plan.
PLAIN = "base"
# what a plan needs beside its villages, and for each of them, and for each pair of a village and a site; measured
_MEMORY, _PER_VILLAGE, _PER_PAIR = 680_000_000, 1_200_000, 3_000
# sites looked at for each village; villages where they cannot be counted
_SITES, _VILLAGES = 0.6, 300
# far longer than any search takes: where it stops must not depend on the machine
_PATIENCE_S = 6 * 3600.0
# beside the lock: whose turn it is
_TURN = ".turn"
_PACKAGES = ("layout", "numpy", "pandas", "scipy", "geopandas", "shapely", "highspy", "pyarrow")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """One county under one scenario.

    Parameters
    ----------
    county, scenario
        Names in the output folder.
    folder, out
        The county folder, and the output folder of the province.
    supposed
        The scenario.
    shared
        What the counties share.
    options
        Plan year, draws and language.
    key
        Fingerprint of all that goes in.
    memory
        Bytes that it is expected to take.
    turn
        From :func:`alone`; where given, nothing is written once that turn is over.
    """

    county: str
    scenario: str
    folder: Path
    out: Path
    supposed: Scenario
    shared: SharedGround
    options: Mapping[str, object]
    key: str = ""
    memory: int = 0
    turn: str = ""

    @property
    def plan_folder(self) -> Path:
        """Folder of the plan."""
        return self.out / "counties" / self.county / self.scenario

    @property
    def manifest(self) -> Path:
        """File that says the run is done."""
        return self.out / "runs" / self.county / f"{self.scenario}.json"


@dataclass(frozen=True)
class Told:
    """What became of a run.

    Parameters
    ----------
    county, scenario
        Which.
    done
        Whether there is a plan.
    problems
        Rows of table ``province_problems`` without the key.
    """

    county: str
    scenario: str
    done: bool
    problems: tuple[Mapping[str, object], ...] = field(default=())


def county_folders(folder: str | Path, *, out: Path | None = None) -> dict[str, Path]:
    """Find the county folders of a province.

    Parameters
    ----------
    folder
        The folder above them.
    out
        A folder of results that may lie among them and is none.

    Returns
    -------
    dict
        Folder by its name in the outputs, sorted. A county folder lies directly in it and holds ``county.toml``, a workbook or CSV
        files; one without settings counts too, so that it is reported.

    Raises
    ------
    CountyDataError
        If there is no such folder, or no county folder in it, or two whose names are the same to some systems.

    Examples
    --------
    >>> try:
    ...     county_folders("no such folder")
    ... except CountyDataError as error:
    ...     error.problems[0].key
    'no_folder'
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CountyDataError([Problem("no_folder", folder.name)])
    found: dict[str, Path] = {}
    problems = []
    for path in sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] not in "._" and p.resolve() != out):
        if not ((path / "county.toml").is_file() or any(p.suffix.lower() in (".xlsx", ".xls", ".csv") for p in path.iterdir())):
            continue
        key = partition_name(path.name)
        if key.casefold() in {k.casefold() for k in found}:
            problems.append(Problem("same_county_name", path.name))
        found[key] = path.resolve()
    if not found:
        problems.append(Problem("no_counties", folder.name))
    if problems:
        raise CountyDataError(problems)
    return found


def scenarios_of(given: str | Path | Sequence[Scenario] | None) -> dict[str, Scenario]:
    """Return the scenarios of a provincial run by their names in the outputs.

    Parameters
    ----------
    given
        Folder of scenario files (``.toml``, ``.json``), or scenarios; None for none.

    Returns
    -------
    dict
        First the plain one, ``base``, unless one is called so, then the others by name.

    Raises
    ------
    CountyDataError
        Files that cannot be read, no file, or two of one name: all at once.

    Examples
    --------
    >>> list(scenarios_of(None)), list(scenarios_of([Scenario("b"), Scenario("a")]))
    (['base'], ['base', 'a', 'b'])
    """
    problems: list[Problem] = []
    named: list[Scenario] = []
    if isinstance(given, (str, Path)):
        paths = sorted(p for p in Path(given).glob("*") if p.suffix.lower() in (".toml", ".json"))
        if not paths:
            problems.append(Problem("no_scenarios", Path(given).name))
        for path in paths:
            try:
                named.append(read_scenario(path))
            except CountyDataError as error:
                problems += error.problems
    else:
        named = list(given or [])
    found: dict[str, Scenario] = {}
    for scenario in named:
        key = partition_name(scenario.name)
        if key.casefold() in {k.casefold() for k in found}:
            problems.append(Problem("same_scenario_name", scenario.name))
        found[key] = scenario
    if problems:
        raise CountyDataError(problems)
    return ({} if PLAIN in found else {PLAIN: Scenario()}) | dict(sorted(found.items()))


def partition_name(name: str) -> str:
    """Make a name that a folder of a partitioned table can have out of any name.

    Parameters
    ----------
    name
        Of a county folder or scenario.

    Returns
    -------
    str
        As :func:`layout.outputs.safe_name`, without the two characters that such folders give a meaning.

    Examples
    --------
    >>> partition_name("三都县"), partition_name("a=50%")
    ('三都县', 'a_50')
    """
    return safe_name(name.replace("=", "_").replace("%", "_"), fallback="x")


def fingerprint(run: Run) -> str:
    """Return the fingerprint of everything that goes into a run.

    Parameters
    ----------
    run
        The run; its own ``key`` does not count.

    Returns
    -------
    str
        Changes with any file of the county folder or of what is shared, the scenario, an option, or the version of a package that counts.

    Examples
    --------
    >>> fingerprint(run)  # doctest: +SKIP
    """
    return hashlib.sha256(json.dumps(_inputs(run), sort_keys=True, ensure_ascii=False).encode("utf-8")).hexdigest()


def memory_needed(folder: Path) -> int:
    """Estimate the memory that the plan of a county takes.

    Parameters
    ----------
    folder
        The county folder.

    Returns
    -------
    int
        Bytes, from the rows of the sheets of settlements and schools and the pairs of a village and a site; generous. Where the rows
        cannot be counted, that of an usual county.

    Examples
    --------
    >>> memory_needed(Path("no such folder")) > 500_000_000
    True
    """
    villages, schools = _counted(folder)
    return int(_MEMORY + _PER_VILLAGE * villages + _PER_PAIR * villages * (schools + _SITES * villages))


def is_done(run: Run) -> bool:
    """Say whether a run is done: from the same inputs, with every file as it was written.

    Parameters
    ----------
    run
        The run with its ``key``.

    Returns
    -------
    bool
        False where its manifest is missing, broken or of other inputs, or a file is missing, cut short or changed.

    Examples
    --------
    >>> is_done(run)  # doctest: +SKIP
    """
    try:
        said = json.loads(run.manifest.read_text(encoding="utf-8"))
        if said["format"] != FORMAT or said["key"] != run.key:
            return False
        # both the plan and its tables, each file whole
        return bool(said["files"]) and all(_whole(run.out / name, about) for name, about in said["files"].items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def certified(run: Run) -> bool:
    """Say whether the manifest of a run says that it is done from these inputs, without looking at its files.

    Parameters
    ----------
    run
        The run with its ``key``.

    Returns
    -------
    bool
        False where its manifest is missing, broken or of other inputs.

    Examples
    --------
    >>> certified(run)  # doctest: +SKIP
    """
    try:
        return bool(json.loads(run.manifest.read_text(encoding="utf-8"))["key"] == run.key)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def prepared(run: Run, turn: str) -> Run | Told:
    """Complete a run by what is to be known before it begins.

    Parameters
    ----------
    run
        Which.
    turn
        From :func:`alone`.

    Returns
    -------
    Run or Told
        With fingerprint, memory and turn; where the county's files cannot be read, what is to be told of it.

    Examples
    --------
    >>> prepared(run, "")  # doctest: +SKIP
    """
    try:
        return replace(run, key=fingerprint(run), memory=memory_needed(run.folder), turn=turn)
    except OSError as error:
        return failed(run, "province.os_error", error=_without_folders(str(error), run))


def carry_out(run: Run, tell: Tell | None = None) -> Told:
    """Plan a county under a scenario and write its files; whatever goes wrong is told, not raised.

    The tables are written aside; then the manifest of the earlier run goes, the plan takes its folder as a whole, the tables move in,
    and the manifest comes last. Stopped at any moment, nothing half-written is taken as done.

    Parameters
    ----------
    run
        The run with its ``key``.
    tell
        Called with the stage that begins.

    Returns
    -------
    Told
        Done, or the list of its problems.

    Examples
    --------
    >>> carry_out(run)  # doctest: +SKIP
    """
    try:
        _carry_out(run, tell or (lambda stage: None))
    except CountyDataError as error:
        return Told(run.county, run.scenario, False, tuple(_row(_without_folders_in(p, run)) for p in error.problems))
    except NoSolutionError as error:
        causes = [error.words(lang) for lang in messages.LANGUAGES] if hasattr(error, "words") else [[str(error)]] * 2
        return Told(run.county, run.scenario, False, tuple({"what_zh": zh, "what_en": en} for zh, en in zip(*causes, strict=True)))
    except MemoryError:
        return failed(run, "province.memory")
    except OSError as error:
        return failed(run, "province.os_error", error=_without_folders(str(error), run))
    except Exception as error:
        # a fault of ours in one county must not cost the others their night
        logging.getLogger(__name__).error("%s %s: %s", run.county, run.scenario, traceback.format_exc())
        return failed(run, "province.fault", error=_without_folders(f"{type(error).__name__}: {error}", run))
    return Told(run.county, run.scenario, True)


def failed(run: Run, key: str, **fields: object) -> Told:
    """Say that a run failed for a reason that no sheet has.

    Parameters
    ----------
    run
        Which.
    key
        Message key; the same with ``_remedy`` says what to do.
    **fields
        Values of its places.

    Returns
    -------
    Told
        One problem.

    Examples
    --------
    >>> failed(run, "province.memory")  # doctest: +SKIP
    """
    said = {f"what_{lang}": messages.text(key, lang, **fields) for lang in messages.LANGUAGES}
    said |= {f"remedy_{lang}": messages.text(f"{key}_remedy", lang) for lang in messages.LANGUAGES}
    return Told(run.county, run.scenario, False, (said,))


def sweep(out: Path, runs: Sequence[Run], done: Sequence[tuple[str, str]]) -> None:
    """Remove from an output folder what no finished run stands for: parts of tables, unfinished files.

    Parameters
    ----------
    out
        The output folder.
    runs
        All runs of the province; those of other counties and scenarios leave the tables too.
    done
        County and scenario of those that are done.

    Examples
    --------
    >>> sweep(Path("no such folder"), [], [])
    """
    # a worker that a lost scheduler left behind may be taking its own away at the same time
    for path in [p for pattern in ("counties/*/.layout-*", "tables/.layout-*", "runs/*/.*.part") for p in out.glob(pattern)]:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    kept = {part_path(table, *key) for key in done for table in PARTS}
    for path in sorted(out.glob("tables/*/county=*/scenario=*/*")):
        if path.parents[2].name in PARTS and path.relative_to(out / "tables") not in kept:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                # only folders that are empty now
                path.parent.rmdir()
                path.parents[1].rmdir()
    stood = {run.manifest for run in runs if (run.county, run.scenario) in set(done)}
    for path in sorted(out.glob("runs/*/*.json")):
        if path not in stood:
            path.unlink(missing_ok=True)


def give_up(out: Path) -> None:
    """End the turn of the run that is at work in an output folder: tasks that are still on their way write nothing more.

    Parameters
    ----------
    out
        The output folder.

    Examples
    --------
    >>> give_up(Path("no such folder"))
    """
    (out / _TURN).unlink(missing_ok=True)


@contextlib.contextmanager
def alone(out: Path) -> Iterator[tuple[Path, str]]:
    """Keep an output folder to one run at a time, and give it a folder for what is unfinished.

    A task that a scheduler goes on with after its run was stopped sees that the turn is over and writes nothing more.

    Parameters
    ----------
    out
        The output folder; it is made.

    Yields
    ------
    tuple of pathlib.Path and str
        A folder inside it that is removed at the end, and the name of this turn.

    Raises
    ------
    BlockingIOError
        If another run is at work in it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, alone(Path(folder) / "out") as (work, turn):
    ...     work.name
    '.work'
    """
    out.mkdir(parents=True, exist_ok=True)
    work = out / ".work"
    with (out / ".lock").open("a+b") as lock:
        if not _locked(lock.fileno()):
            raise BlockingIOError(messages.text("province.taken", "zh") + " / " + messages.text("province.taken", "en"))
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(exist_ok=True)
        turn = uuid.uuid4().hex
        (out / _TURN).write_text(turn, encoding="utf-8")
        try:
            yield work, turn
        finally:
            give_up(out)
            shutil.rmtree(work, ignore_errors=True)


def _still_wanted(run: Run) -> None:
    """Raise unless what was read is what the fingerprint stands for, and the run that handed this out is still the one at work."""
    if fingerprint(run) != run.key:
        raise CountyDataError([Problem("changed_meanwhile", run.county)])
    turn = run.out / _TURN
    if run.turn and (not turn.is_file() or turn.read_text(encoding="utf-8") != run.turn):
        raise BlockingIOError(messages.text("province.taken", "zh") + " / " + messages.text("province.taken", "en"))


def _locked(descriptor: int) -> bool:
    # the system lets go of it when the process ends, however it ends
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _carry_out(run: Run, tell: Tell) -> None:
    inputs = _inputs(run)
    _still_wanted(run)
    tell("reading")
    county = read_county(run.folder, shared=run.shared)
    options = run.options
    plan = make_plan(
        county, scenario=run.supposed, to=options["to"], draws=int(str(options["draws"])), time_limit=_PATIENCE_S,  # type: ignore[arg-type]
        progress=lambda stage, done, total: tell(stage),
    )  # fmt: skip
    tell("writing")
    parts = plan_parts(plan)
    tables = run.out / "tables"
    tables.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tables, prefix=".layout-") as scratch:
        paths = write_parts(parts, scratch, county=run.county, scenario=run.scenario)
        _still_wanted(run)
        run.manifest.unlink(missing_ok=True)
        write_plan(plan, run.plan_folder, lang=str(options["lang"]))
        for path in paths:
            (tables / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(scratch) / path).replace(tables / path)
    for gone in {part_path(table, run.county, run.scenario) for table in PARTS} - set(paths):
        (tables / gone).unlink(missing_ok=True)
    _still_wanted(run)
    written = [tables / path for path in paths] + [run.plan_folder / name for name in FILES]
    files = {path.relative_to(run.out).as_posix(): {"bytes": path.stat().st_size, "sha256": _sha(path)} for path in sorted(written)}
    said = {"format": FORMAT, "county": run.county, "scenario": run.scenario, "key": run.key, **inputs, "files": files}
    run.manifest.parent.mkdir(parents=True, exist_ok=True)
    scratch_file = run.manifest.with_name(f".{run.manifest.name}.{os.getpid()}.part")
    scratch_file.write_text(json.dumps(said, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
    scratch_file.replace(run.manifest)


def _inputs(run: Run) -> dict[str, object]:
    files = {
        _readable(p.relative_to(run.folder).as_posix()): _sha(p) for p in sorted(run.folder.rglob("*")) if p.is_file() and not _aside(p, run.folder)
    }
    shared = [*([] if run.shared.roads is None else [run.shared.roads]), *run.shared.terrain]
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # run from a checkout that was never installed
            versions[package] = ""
    lent = {_readable(os.path.relpath(path, run.folder)): file_hash(path) for path in shared}
    return {"inputs": files, "shared": lent, "supposed": asdict(run.supposed), "options": dict(run.options), "versions": versions}


def _readable(name: str) -> str:
    # a name may hold bytes of another encoding, as archives of other systems leave them
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _aside(path: Path, folder: Path) -> bool:
    # hidden files, and those that a spreadsheet makes beside an open workbook
    return any(part.startswith((".", "~$")) for part in path.relative_to(folder).parts)


def _sha(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _whole(path: Path, about: Mapping[str, object]) -> bool:
    return path.is_file() and path.stat().st_size == about["bytes"] and _sha(path) == about["sha256"]


def _row(problem: Problem) -> dict[str, object]:
    said = {f"what_{lang}": problem.what(lang) for lang in messages.LANGUAGES} | {
        f"remedy_{lang}": problem.remedy(lang) for lang in messages.LANGUAGES
    }
    return {"file": problem.file, "sheet": problem.sheet, "row": problem.row, "column": problem.column, "value": problem.value, **said}


def _without_folders(text: str, run: Run) -> str:
    # where the folders lie on a machine is nobody's business
    for folder in (run.folder, run.out, run.folder.parent):
        # libraries write the paths of Windows either way
        for home in (str(folder), folder.as_posix()):
            text = text.replace(f"{home}/", "").replace(f"{home}\\", "").replace(home, folder.name)
    return text


def _without_folders_in(problem: Problem, run: Run) -> Problem:
    error = problem.fields.get("error")
    return problem if error is None else replace(problem, fields={**problem.fields, "error": _without_folders(str(error), run)})


def _counted(folder: Path) -> tuple[int, int]:
    """Return how many settlements and schools the sheets of a county folder have, looking at nothing else in them."""
    from python_calamine import CalamineWorkbook

    from layout.sheets import table_named, unfit

    counts = {"settlements": 0, "schools": 0}
    try:
        for path in sorted(folder.iterdir()):
            table = table_named(path.stem)
            if path.suffix.lower() == ".csv" and table is not None and table.name in counts:
                with path.open("rb") as stream:
                    counts[table.name] = sum(1 for _ in stream) - 1
            elif path.suffix.lower() in (".xlsx", ".xls") and not _aside(path, folder) and unfit(path) is None:
                with CalamineWorkbook.from_path(path) as book:
                    for title in book.sheet_names:
                        table = table_named(title)
                        if table is not None and table.name in counts:
                            counts[table.name] = book.get_sheet_by_name(title).height - 1
    except Exception:
        # what cannot be read, whatever a reader says of it, is reported by the run itself
        logging.getLogger(__name__).debug("no count of %s", folder.name, exc_info=True)
    return (counts["settlements"] or _VILLAGES, counts["schools"])
