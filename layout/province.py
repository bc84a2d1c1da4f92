"""Many counties and scenarios at once on Dask: what machines do on the way costs no county its plan."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import functools
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from layout import messages
from layout.borders import border_minutes, border_rows
from layout.province_page import save_province
from layout.province_sheets import write_province
from layout.province_tables import Province, county_rows, equity_rows, outlines, year_rows
from layout.runs import Run, Told, alone, carry_out, certified, county_folders, failed, give_up, is_done, prepared, scenarios_of, sweep
from layout.scenario import Scenario
from layout.shared_ground import SharedGround, read_shared
from layout.standards import read_standards
from layout.tables import check, empty

if TYPE_CHECKING:
    from distributed import Client, Future

# how often what the workers say is looked at, and how long a worker is waited for
_LOOK_S, _PATIENCE_S = 0.3, 120.0
# share of the free memory, and of what workers say they may take, that tasks may fill
_FILLED = 0.8
# a task whose worker was lost so often is given up, and so often the cluster of this machine is made whole again
_LOST, _MENDED = 3, 20
_TOPIC = "layout-province"
# one thread each in everything that would otherwise take all cores
_ONE_THREAD = {name: "1" for name in ("NUMBA_NUM_THREADS", "GDAL_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
# memory that a county leaves goes back to the system, not into the next county's peak
_TIDY = {"MALLOC_TRIM_THRESHOLD_": "65536"}
#: States that :class:`Step` tells: kept from before, begun, in a stage, begun once more after a worker was lost, done, without a plan.
STATES = ("kept", "begun", "stage", "again", "done", "failed")


@dataclass(frozen=True)
class Step:
    """One piece of news of a provincial run.

    Parameters
    ----------
    county, scenario
        Which run.
    state
        One of ``STATES``.
    stage
        Stage of the plan that begins.
    worker
        Process that works on it, 0 where none does.
    finished, runs
        How many runs are finished, of how many.
    """

    county: str
    scenario: str
    state: str
    stage: str = ""
    worker: int = 0
    finished: int = 0
    runs: int = 0


Progress = Callable[[Step], None]


def plan_province(
    folder: str | Path, out: str | Path, *, scenarios: str | Path | Sequence[Scenario] | None = None, scheduler: str | None = None,
    workers: int | None = None, resume: bool = False, to: int | None = None, draws: int = 0, lang: str = "zh", progress: Progress | None = None,
) -> Province:  # fmt: skip
    """Plan every county of a folder under every scenario, each as a task of its own.

    Every task reads its county folder, plans it and writes its files; nothing but a word comes back, so that a province takes the memory
    of the counties at work. A worker that is killed gives its task back, up to three times. A county that fails is told with its own
    problems and stops no other. In a script, call this under ``if __name__ == "__main__":``, as worker processes import the script.

    Parameters
    ----------
    folder
        Folder of county folders; its ``province.toml`` may name roads and terrain that they share (:func:`layout.shared_ground.read_shared`).
    out
        Folder for the results: ``counties/<county>/<scenario>/`` (map, workbook, report, tables and manifest of each plan),
        ``tables/<table>/county=…/scenario=…/`` (GeoParquet), ``runs/`` (what each run rests on), ``province.html``, ``province.xlsx``.
    scenarios
        Folder of scenario files, or scenarios; the plain plan, ``base``, is always made. None: only that.
    scheduler
        Address of a running ``dask scheduler``, whose workers see both folders under the same paths and have this version of layout;
        None: a cluster of this machine's own, bound to it alone, which ends with the run.
    workers
        Number of processes of that cluster, one thread each; None: one for every core, as far as the memory allows.
    resume
        Whether runs that are done, whole and from the same inputs, are kept.
    to, draws
        As in :func:`layout.make_plan`.
    lang
        Language of the files.
    progress
        Called with every step.

    Returns
    -------
    Province
        Tables of the whole province; counties without a plan are in ``problems``.

    Raises
    ------
    CountyDataError
        If there is no county folder, or ``province.toml`` or a scenario cannot be read.
    ValueError
        If both a scheduler and workers are asked for, or fewer than one worker.
    ImportError
        Without Dask or pyarrow (extra ``province``).
    OSError
        If the scheduler cannot be reached or is lost, workers cannot be started, another run is at work in ``out``, or it cannot be
        written. Runs that were done stay done: ``resume=True`` goes on.

    Examples
    --------
    >>> plan_province("counties", "results", workers=2)  # doctest: +SKIP
    """
    messages.catalogue(lang)
    if scheduler is not None and workers is not None:
        raise ValueError("give a scheduler or a number of workers, not both")
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    _need_dask(lang)
    folder, out = Path(folder).resolve(), Path(out).resolve()
    shared, named = read_shared(folder), scenarios_of(scenarios)
    options = {"to": to, "draws": draws, "lang": lang}
    runs = [Run(county, scenario, path, out, supposed, shared, options) for county, path in county_folders(folder, out=out).items()
            for scenario, supposed in named.items()]  # fmt: skip
    tell = progress or (lambda step: None)
    with alone(out) as (work, turn):
        ready = [prepared(run, turn) for run in runs]
        told = [found for found in ready if isinstance(found, Told)]
        runs = [found if isinstance(found, Run) else run for run, found in zip(runs, ready, strict=True)]
        told += [Told(run.county, run.scenario, True) for run, found in zip(runs, ready, strict=True) if found is run and resume and is_done(run)]
        for count, one in enumerate(told, 1):
            tell(Step(one.county, one.scenario, "kept" if one.done else "failed", finished=count, runs=len(runs)))
        there = {(t.county, t.scenario) for t in told}
        waiting = [run for run in runs if (run.county, run.scenario) not in there]
        client: Client | None = None
        with _in_peace(), contextlib.ExitStack() as crew:
            if waiting:
                client, ceiling = crew.enter_context(_cluster(work, scheduler, workers, len(waiting), lang))
                try:
                    told += _work(client, waiting, ceiling, tell, len(runs), lang)
                except BaseException:
                    # workers that the run has lost, or leaves to a scheduler, go on: from here on they certify nothing
                    give_up(out)
                    raise
                finally:
                    # however it ended, tables hold nothing that no finished run stands for
                    sweep(out, runs, [(run.county, run.scenario) for run in runs if certified(run)])
            done = sorted((t.county, t.scenario) for t in told if t.done)
            sweep(out, runs, done)
            province = _add_up(shared, folder, out, done, [t for t in told if not t.done], client)
        _write(province, work, lang)
    return province


def dask_setup(worker: object) -> None:
    """Make a worker of this machine's own cluster leave the keyboard to the process that started it; Dask calls this when one starts.

    Parameters
    ----------
    worker
        The worker.

    Examples
    --------
    >>> dask_setup(None)  # doctest: +SKIP
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _need_dask(lang: str) -> None:
    try:
        import distributed  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(messages.text("province.no_dask", lang)) from error


# --- the cluster


@contextlib.contextmanager
def _cluster(work: Path, scheduler: str | None, workers: int | None, tasks: int, lang: str) -> Iterator[tuple[Client, float]]:
    """Connect to a scheduler, or start a cluster of this machine's own; yield the client and the bytes that tasks may fill together."""
    import dask
    from distributed import Client, LocalCluster

    if scheduler is not None:
        try:
            client = Client(scheduler, timeout="30s", set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise ConnectionError(messages.text("province.no_scheduler", lang, address=scheduler)) from error
        with client:
            yield client, 0.0
        return
    import psutil

    # no dashboard, and what is left of its port on this machine alone
    quiet = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}
    ceiling = _FILLED * psutil.virtual_memory().available
    count = workers or max(1, min(os.cpu_count() or 1, tasks, int(ceiling // 1e9)))
    settings = {
        "distributed.scheduler.allowed-failures": _LOST - 1, "distributed.scheduler.worker-ttl": None, "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.limit": "1h", "distributed.deploy.lost-worker-timeout": f"{_PATIENCE_S / 2:g}s",
        "distributed.scheduler.work-stealing": False, "distributed.nanny.pre-spawn-environ": _ONE_THREAD | _TIDY,
        "distributed.worker.multiprocessing-method": "spawn",
    }  # fmt: skip
    with _environment_kept(), dask.config.set(settings), contextlib.ExitStack() as crew:
        try:
            cluster = crew.enter_context(LocalCluster(
                n_workers=count, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, scheduler_kwargs=quiet,
                local_directory=str(work), memory_limit=int(ceiling), silence_logs=50, preload=["layout.province"],
            ))  # fmt: skip
        except RuntimeError as error:
            # what Dask says of a worker that does not start; why it did not is the cause
            why = error.__cause__ or error
            raise ChildProcessError(messages.text("province.no_start", lang, error=f"{type(why).__name__}: {why}")) from error
        client = crew.enter_context(Client(cluster, set_as_default=False))
        yield client, ceiling


@contextlib.contextmanager
def _in_peace() -> Iterator[None]:
    """Keep to themselves what Dask and its server say of workers that come and go: what matters comes back as words of a run."""
    import distributed  # noqa: F401  # importing it is what makes its loggers talk

    loggers = [logging.getLogger(name) for name in [*logging.root.manager.loggerDict] if name.split(".")[0] in ("distributed", "tornado", "asyncio")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _environment_kept() -> Iterator[None]:
    """Put the variables back that starting workers sets in this process too."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD | _TIDY}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _task(run: Run) -> Told:
    """Carry out a run on a worker and say on the way what it is at."""
    from distributed import get_worker

    worker = get_worker()

    def tell(stage: str) -> None:
        worker.log_event(_TOPIC, {"county": run.county, "scenario": run.scenario, "stage": stage, "process": os.getpid()})

    # writers set options of GDAL for the whole process: threads of one worker take turns
    with _turn():
        return carry_out(run, tell)


@functools.cache
def _turn() -> threading.Lock:
    return threading.Lock()


def _work(client: Client, runs: Sequence[Run], ceiling: float, tell: Progress, total: int, lang: str) -> list[Told]:
    """Hand out the runs, the largest first, no more at once than workers and memory allow, and gather what became of them."""
    news: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
    client.subscribe_topic(_TOPIC, lambda event: news.put(event[1]))
    waiting = sorted(runs, key=lambda run: (-run.memory, run.county, run.scenario))
    going: dict[Future, Run] = {}
    told: list[Told] = []
    at_work: dict[tuple[str, str], int] = {}
    before, since, whole, mended = total - len(runs), time.monotonic(), 1, 0
    while waiting or going:
        crew = _crew(client, lang)
        if len(crew) >= whole:
            since, whole = time.monotonic(), len(crew)
        elif time.monotonic() - since > _PATIENCE_S:
            # a process that could not be started again in time is left out for good: the cluster of this machine is made whole
            since, mended = time.monotonic(), mended + 1
            if client.cluster is not None and mended <= _MENDED:
                client.cluster.scale(whole)
            elif not crew:
                raise ConnectionError(messages.text("province.no_workers", lang, seconds=f"{_PATIENCE_S:g}"))
        room = ceiling or _FILLED * sum(w["memory_limit"] or float("inf") for w in crew.values())
        while waiting and len(going) < len(crew) and (not going or waiting[0].memory + sum(r.memory for r in going.values()) <= room):
            run = waiting.pop(0)
            # asked only of workers that say how much memory they have
            says = [w["resources"]["memory"] for w in crew.values() if "memory" in w["resources"]]
            wants = {"memory": min(run.memory, max(says))} if len(says) == len(crew) else None
            # a name of its own for every attempt: nothing that an earlier run left with a scheduler is taken
            name = f"layout-{run.county}-{run.scenario}-{run.key[:8]}-{time.monotonic_ns()}"
            going[client.submit(_task, run, key=name, pure=False, resources=wants)] = run
        if not any(future.done() for future in going):
            time.sleep(_LOOK_S)
        finished = before + len(told)
        _pass_on(news, at_work, tell, finished, total)
        for future in [f for f in going if f.done()]:
            run = going.pop(future)
            told.append(_outcome(future, run, lang))
            at_work.pop((run.county, run.scenario), None)
            tell(Step(run.county, run.scenario, "done" if told[-1].done else "failed", finished=before + len(told), runs=total))
    client.unsubscribe_topic(_TOPIC)
    return told


def _outcome(future: Future, run: Run, lang: str) -> Told:
    """Return what became of a run that is over, whether its worker could tell or not."""
    from distributed import KilledWorker

    try:
        if future.status not in ("cancelled", "lost"):
            return future.result(timeout=_PATIENCE_S)
    except KilledWorker as error:
        return failed(run, "province.worker_lost", times=error.allowed_failures + 1)
    except (asyncio.CancelledError, concurrent.futures.CancelledError, OSError):
        # said below
        pass
    except Exception as error:
        return failed(run, "province.fault", error=f"{type(error).__name__}: {error}")
    raise ConnectionError(messages.text("province.scheduler_lost", lang))


def _crew(client: Client, lang: str) -> dict[str, Any]:
    """Return the workers as the scheduler knows them."""
    try:
        if client.status in ("running", "newly-created"):
            return dict(client.scheduler_info(n_workers=-1)["workers"])
    except (OSError, TimeoutError):
        # said below
        pass
    raise ConnectionError(messages.text("province.scheduler_lost", lang))


def _pass_on(news: queue.SimpleQueue[Mapping[str, Any]], at_work: dict[tuple[str, str], int], tell: Progress, finished: int, total: int) -> None:
    """Pass on what the workers said; a run that begins anew in another process was lost with its worker."""
    while not news.empty():
        event = news.get()
        key, worker = (str(event["county"]), str(event["scenario"])), int(event["process"])
        state = "begun" if key not in at_work else "again" if at_work[key] != worker else "stage"
        at_work[key] = worker
        tell(Step(*key, state, stage=str(event["stage"]), worker=worker, finished=finished, runs=total))


# --- the whole


def _add_up(
    shared: SharedGround, folder: Path, out: Path, done: Sequence[tuple[str, str]], lost: Sequence[Told], client: Client | None
) -> Province:  # fmt: skip
    tables = out / "tables"
    # a problem that no file has, such as a lost worker, stands nowhere
    nowhere = {"file": "", "sheet": "", "row": None, "column": "", "value": ""}
    rows = [nowhere | {"county": t.county, "scenario": t.scenario, "number": i, **p} for t in lost for i, p in enumerate(t.problems, 1)]
    problems = check("province_problems", pd.DataFrame(rows)) if rows else empty("province_problems")
    borders = border_rows(tables, done)
    if shared.roads is not None and len(borders):
        borders = check("border_pupils", pd.concat(_over_borders(borders, tables, shared, client), ignore_index=True))
    return Province(
        name=shared.name or folder.name, out=out, counties=county_rows(tables, done, problems, [(t.county, t.scenario) for t in lost]),
        years=year_rows(tables, done), equity=equity_rows(tables, done), borders=borders, problems=problems, outlines=outlines(tables, done),
    )  # fmt: skip


def _over_borders(borders: pd.DataFrame, tables: Path, shared: SharedGround, client: Client | None) -> list[pd.DataFrame]:
    """Measure the ways over every county's borders, on the workers that have the shared roads at hand where there are any."""
    standards = read_standards()
    groups = [group for _, group in borders.groupby(["county", "scenario"])]
    if client is not None:
        from distributed import KilledWorker

        # a worker may be lost here too: then it is measured in this process
        with contextlib.suppress(KilledWorker, OSError):
            return list(client.gather([client.submit(border_minutes, group, tables, shared, standards, pure=False) for group in groups]))
    return [border_minutes(group, tables, shared, standards) for group in groups]


def _write(province: Province, work: Path, lang: str) -> None:
    """Write the tables of the whole province, its workbook and its page, each whole or not at all."""
    tables = province.out / "tables"
    for name, table in (("province_years", province.years), ("province_equity", province.equity), ("border_pupils", province.borders)):
        path = tables / f"{name}.parquet"
        if len(table):
            table.to_parquet(work / path.name, index=False)
            (work / path.name).replace(path)
        else:
            path.unlink(missing_ok=True)
    write_province(province, province.out / "province.xlsx", lang=lang)
    save_province(province, province.out / "province.html", lang=lang)
