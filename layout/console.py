"""What the command line prints: sentences, tables of problems, progress, and words for what can go wrong outside the program."""

from __future__ import annotations

import contextlib
import errno
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from layout import messages

if TYPE_CHECKING:
    import pandas as pd

    from layout.province import Step
    from layout.tables import CountyDataError

DATA_PROBLEMS, USAGE, NO_PLAN = 1, 2, 3
# what a shell itself says of a command that Ctrl-C ended
STOPPED = 130
# counties of a live table that are shown beside those at work
_RECENT = 8
# output that goes to a file is not folded at the width of a screen
_PIPED_WIDTH = 220


def forgive() -> None:
    """Let characters that a console cannot show become question marks instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def open_console(*, stderr: bool = False) -> Console:
    """Return a console that takes no markup from texts and folds no lines of a file.

    Parameters
    ----------
    stderr
        Whether it writes where errors go.

    Returns
    -------
    rich.console.Console
        Opened anew: what the streams are may change.
    """
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True, width=None if stream.isatty() else _PIPED_WIDTH)


def say(key: str, lang: str, **fields: object) -> None:
    """Print a sentence of the catalogue.

    Parameters
    ----------
    key, lang, **fields
        As in :func:`layout.messages.text`.

    Examples
    --------
    >>> say("cli.doctor.fine", "en")
    Ready to use.
    """
    open_console().print(messages.text(key, lang, **fields))


def stop(key: str, lang: str, **fields: object) -> NoReturn:
    """Print a sentence where errors go and leave with the code of a wrong use.

    Parameters
    ----------
    key, lang, **fields
        As in :func:`layout.messages.text`.

    Raises
    ------
    typer.Exit
        Always.
    """
    open_console(stderr=True).print(messages.text(key, lang, **fields))
    raise typer.Exit(USAGE)


def shown(text: str) -> str:
    """Take out of a text of somebody's data what would steer the terminal.

    Parameters
    ----------
    text
        From a sheet or a file name.

    Returns
    -------
    str
        With blanks for control and format characters.

    Examples
    --------
    >>> shown("A\\x1b[31mB")
    'A [31mB'
    """
    # control characters in somebody's data must not steer the terminal
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf") else c for c in text)


@contextlib.contextmanager
def exits(lang: str, *, stream: object = None) -> Iterator[None]:
    """Turn what can go wrong for reasons outside the program into words and exit codes.

    Parameters
    ----------
    lang
        Language of the words.
    stream
        Standard output where a command's answer is the list of problems; None for the stream of errors.

    Yields
    ------
    None
        The work that may go wrong.

    Raises
    ------
    typer.Exit
        With 1 for problems in data, 2 for use and the system, 3 where there is no plan, 130 after Ctrl-C.
    """
    from layout.hindrances import NoPlanError
    from layout.solver import NoSolutionError
    from layout.tables import CountyDataError

    try:
        yield
    except CountyDataError as error:
        print_problems(error, lang, stderr=stream is not sys.stdout)
        raise typer.Exit(DATA_PROBLEMS) from None
    except NoSolutionError as error:
        causes = error.words(lang) if isinstance(error, NoPlanError) else [str(error)]
        said = ("；" if lang == "zh" else "; ").join(causes)
        open_console(stderr=True).print(messages.text("cli.no_plan", lang, error=shown(said)))
        raise typer.Exit(NO_PLAN) from None
    except OSError as error:
        # the system has no memory for its own tables either
        words = messages.text("cli.no_memory", lang) if error.errno == errno.ENOMEM else messages.text("cli.os_error", lang, error=shown(str(error)))
        open_console(stderr=True).print(words)
        raise typer.Exit(USAGE) from None
    except UnicodeEncodeError as error:
        # a name from a system whose language setting it does not fit
        name = str(error.object).encode(errors="replace").decode()
        open_console(stderr=True).print(messages.text("cli.name_encoding", lang, name=shown(name)))
        raise typer.Exit(USAGE) from None
    except MemoryError:
        open_console(stderr=True).print(messages.text("cli.no_memory", lang))
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        open_console(stderr=True).print(messages.text("cli.stopped", lang))
        raise typer.Exit(STOPPED) from None


def print_problems(error: CountyDataError, lang: str, *, stderr: bool) -> None:
    """Print what is wrong with data as a table.

    Parameters
    ----------
    error
        All problems of a reading.
    lang
        Language.
    stderr
        Whether to print where errors go.
    """
    found = error.table(lang)
    console = open_console(stderr=stderr)
    console.print(messages.text("problem.headline", lang, count=len(found)))
    console.print(problem_table(found, lang), soft_wrap=False)


def problem_table(found: pd.DataFrame, lang: str) -> Table:
    """Lay out problems.

    Parameters
    ----------
    found
        Table of problems: file, sheet, row, column, value, what, remedy.
    lang
        Language of the headings.

    Returns
    -------
    rich.table.Table
        One row a problem, numbered.
    """
    columns = ["file", "sheet", "row", "column", "value", "what", "remedy"]
    table = Table("#", *(messages.text(f"cli.problem.{column}", lang) for column in columns), show_lines=True)
    for number, row in enumerate(found[columns].astype(object).to_dict("records"), start=1):
        values = ["" if _nothing(v) else shown(str(int(v) if column == "row" else v)) for column, v in row.items()]
        table.add_row(str(number), *values)
    return table


def _nothing(value: object) -> bool:
    import pandas as pd

    return value is None or value is pd.NA or value != value


@contextlib.contextmanager
def province_progress(lang: str) -> Iterator[Callable[[Step], None]]:
    """Show a live table of the counties at work; without a terminal, a line for every county that begins or ends.

    Parameters
    ----------
    lang
        Language.

    Yields
    ------
    callable
        Takes each :class:`layout.province.Step`.
    """
    console = open_console()
    words = lambda step: messages.text(f"province.state.{step.state}", lang)  # noqa: E731
    if not console.is_terminal:

        def tell(step: Step) -> None:
            if step.state != "stage":
                say("cli.province_plain", lang, finished=step.finished, runs=step.runs, county=shown(step.county), scenario=shown(step.scenario),
                    state=words(step), stage="")  # fmt: skip

        yield tell
        return
    begun: dict[tuple[str, str], float] = {}
    steps: dict[tuple[str, str], Step] = {}

    def table() -> Table:
        latest = max(steps.values(), key=lambda s: s.finished, default=None)
        failed = sum(s.state == "failed" for s in steps.values())
        counted = {"finished": 0 if latest is None else latest.finished, "runs": 0 if latest is None else latest.runs, "failed": failed}
        keys = (
            "cli.province_head_county",
            "cli.province_head_scenario",
            "cli.province_head_state",
            "cli.province_head_stage",
            "cli.province_head_time",
        )
        heads = [messages.text(key, lang) for key in keys]
        out = Table(*heads, title=messages.text("cli.province_table", lang, **counted), title_justify="left")
        over = [s for s in steps.values() if s.state in ("done", "failed", "kept")]
        for step in [*over[-_RECENT:], *(s for s in steps.values() if s.state in ("begun", "stage", "again"))]:
            since = begun.get((step.county, step.scenario))
            stage = messages.text(f"stage.{step.stage}", lang) if step.stage else ""
            running = "" if since is None or step in over else f"{time.monotonic() - since:.0f} s"
            out.add_row(shown(step.county), shown(step.scenario), words(step), stage, running)
        return out

    with Live(get_renderable=table, console=console, refresh_per_second=2):

        def show(step: Step) -> None:
            key = (step.county, step.scenario)
            begun.setdefault(key, time.monotonic())
            # the latest news stands last
            steps.pop(key, None)
            steps[key] = step

        yield show


@contextlib.contextmanager
def working(key: str, lang: str) -> Iterator[None]:
    """Say what is being done while it is.

    Parameters
    ----------
    key, lang
        Sentence of the catalogue and language.

    Yields
    ------
    None
        The work.
    """
    console, text = open_console(), messages.text(key, lang)
    if console.is_terminal:
        with console.status(text):
            yield
    else:
        console.print(text)
        yield


@contextlib.contextmanager
def plan_progress(lang: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show the stage that a plan is in; without a terminal, a line for each.

    Parameters
    ----------
    lang
        Language.

    Yields
    ------
    callable
        Takes stage, stages done and stages in all.
    """
    console = open_console()
    if not console.is_terminal:

        def tell(stage: str, done: int, total: int) -> None:
            console.print(messages.text("cli.step", lang, done=done + 1, total=total, stage=messages.text(f"stage.{stage}", lang)))

        yield tell
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("", total=None)

        def show(stage: str, done: int, total: int) -> None:
            bar.update(task, description=messages.text(f"stage.{stage}", lang), completed=done, total=total)

        yield show
        bar.update(task, completed=bar.tasks[0].total)
