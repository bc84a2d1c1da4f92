"""The command line: its commands, and the only place that configures logging."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import os
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from layout import messages
from layout.console import (
    DATA_PROBLEMS,
    STOPPED,
    USAGE,
    exits,
    forgive,
    open_console,
    plan_progress,
    problem_table,
    province_progress,
    say,
    shown,
    stop,
    working,
)

if TYPE_CHECKING:
    from layout.county import County
    from layout.plan import Plan
    from layout.standards import Standards

# draws behind the ranges of a plan: a tenth is then known to about two in a hundred
DRAWS = 200
# the plan year where none is asked for
LAST_YEAR = 2035
# findings of one kind that are named
_NAMED = 5
# sentence of each kind of gap in the roads, and the note that says the same
_GAPS = {"far_settlement": ("cli.gap_far_settlement", "note.far_settlement"), "school_off_network": ("cli.gap_school_off_network", "note.far_school"),
         "isolated_piece": ("cli.gap_isolated_piece", ""), "open_end": ("cli.gap_open_end", "")}  # fmt: skip
# places outside the outermost settlements whose roads children may use
_MARGIN_DEG = 0.05


def _help(key: str) -> str:
    lang = os.environ.get("LAYOUT_LANG", "")
    return messages.text(f"cli.help.{key}", lang if lang in messages.LANGUAGES else "zh")


app = typer.Typer(name="layout", help=_help("layout"), no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Lang = Annotated[Literal["zh", "en"], typer.Option("--lang", envvar="LAYOUT_LANG", help=_help("lang"))]
Audience = Annotated[Literal["internal", "public"], typer.Option("--audience", help=_help("audience"))]
Draws = Annotated[int, typer.Option("--draws", min=0, max=10_000, help=_help("draws"))]
Out = Annotated[Path | None, typer.Option("--out", file_okay=False, help=_help("out"))]
CountyFolder = Annotated[Path, typer.Argument(metavar="DIR", help=_help("dir"))]


def main() -> None:
    """Run the command line; characters that a console cannot show become question marks instead of an error."""
    forgive()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        app()
    except (MemoryError, ImportError) as error:
        # libraries are loaded where they are needed, and there may be no room for them
        if isinstance(error, ImportError) and "segment" not in str(error) and "allocate" not in str(error):
            raise
        lang = os.environ.get("LAYOUT_LANG", "")
        open_console(stderr=True).print(messages.text("cli.no_memory", lang if lang in messages.LANGUAGES else "zh"))
        sys.exit(USAGE)


@app.callback()
def _every_command() -> None:
    forgive()


@app.command(help=_help("demo"))
def demo(out: Out = None, lang: Lang = "zh") -> None:
    """Plan the fictional county and say where the map is."""
    from layout.county import read_county

    with exits(lang):
        sample = Path(__file__).resolve().parents[1] / "data" / "sample"
        if (sample / "county.toml").is_file():
            say("cli.reading", lang, folder=sample)
            county = read_county(sample)
        else:
            from layout.sample import make_sample_county

            say("cli.making", lang)
            county = make_sample_county(seed=0)
        _plan(county, to=None, scenario=None, draws=DRAWS, out=out, lang=lang, audience="internal")


@app.command(help=_help("new"))
def new(
    folder: CountyFolder,
    pbf: Annotated[Path | None, typer.Option("--pbf", help=_help("pbf"))] = None,
    population: Annotated[Path | None, typer.Option("--population", help=_help("population"))] = None,
    terrain: Annotated[list[Path] | None, typer.Option("--terrain", help=_help("terrain"))] = None,
    boundary: Annotated[str | None, typer.Option("--boundary", help=_help("boundary"))] = None,
    name: Annotated[str | None, typer.Option("--name", help=_help("name"))] = None,
    base_year: Annotated[int | None, typer.Option("--base-year", min=1990, max=2100, help=_help("base_year"))] = None,
    lang: Lang = "zh",
) -> None:
    """Write an empty county folder, or build one from open data."""
    given = {"--pbf": pbf, "--population": population, "--terrain": terrain}
    missing = [option for option, value in given.items() if not value]
    with exits(lang):
        if len(missing) == len(given):
            unused = [o for o, v in (("--boundary", boundary), ("--name", name), ("--base-year", base_year)) if v is not None]
            if unused:
                stop("cli.only_with_open_data", lang, options=", ".join(unused))
            from layout.county import write_template

            write_template(folder)
            say("cli.template_written", lang, folder=folder)
            return
        if pbf is None or population is None or not terrain:
            stop("cli.open_data_incomplete", lang, missing=", ".join(missing))
        from layout.open_data import open_county

        with working("cli.opening", lang):
            county = open_county(folder, pbf=pbf, population=population, terrain=terrain, boundary=boundary, name=name, base_year=base_year)
        _describe(county, lang)
        say("cli.county_written", lang, folder=folder)


@app.command(help=_help("check"))
def check(folder: CountyFolder, out: Out = None, lang: Lang = "zh") -> None:
    """List everything that is wrong with a county folder; write it as a page and as a workbook with the faulty cells marked."""
    from layout.check_page import write_check
    from layout.checkup import check_up
    from layout.outputs import plan_folder
    from layout.standards import read_standards
    from layout.tables import CountyDataError

    with exits(lang, stream=sys.stdout):
        found = check_up(folder)
        if folder.is_dir():
            _list_files(list(write_check(found, folder, out or plan_folder("maps", found.name), lang=lang).values()), lang)
        if found.county is None:
            raise CountyDataError(found.problems)
        say("cli.no_problems", lang)
        _describe(found.county, lang)
        _say_notes(found.notes[len(found.county.notes) :], lang)
        _say_gaps(found.county, read_standards(found.county.standards_path), {key for key, _ in found.notes}, lang)
        for row in found.scores.to_dict("records"):
            say("cli.score", lang, stage=messages.text(f"check.stage.{row['stage']}", lang), **{str(k): row[k] for k in ("score", "there", "wanted")})


@app.command(help=_help("aggregate"))
def aggregate(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help=_help("register"))],
    county: Annotated[Path, typer.Option("--county", file_okay=False, help=_help("dir"))] = Path(),
    out: Annotated[Path | None, typer.Option("--file", "-o", dir_okay=False, help=_help("aggregate_file"))] = None,
    lang: Lang = "zh",
) -> None:
    """Turn a register of pupils into counts by place, school and grade, keeping no names."""
    from layout.county import read_names
    from layout.register import aggregate_register
    from layout.sheets import write_workbook_of

    with exits(lang):
        places = read_names(county)
        tables, counts = aggregate_register(file, **places)  # type: ignore[arg-type]
        target = out or file.with_name("counts.xlsx")
        if target.resolve() == file.resolve():
            stop("cli.aggregate_itself", lang)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".layout-") as scratch:
            write_workbook_of(tables, Path(scratch) / target.name)
            (Path(scratch) / target.name).replace(target)
        say("cli.aggregated", lang, file=target, **{k: f"{v:,}" for k, v in counts.items()})


@app.command(help=_help("plan"))
def plan(
    folder: CountyFolder,
    to: Annotated[int | None, typer.Option("--to", min=1991, max=2100, help=_help("to"))] = None,
    lang: Lang = "zh",
    audience: Audience = "internal",
    out: Out = None,
    scenario: Annotated[Path | None, typer.Option("--scenario", dir_okay=False, help=_help("scenario"))] = None,
    cover: Annotated[bool, typer.Option("--cover", help=_help("cover"))] = False,
    alternatives: Annotated[bool, typer.Option("--alternatives", help=_help("alternatives"))] = False,
    futures: Annotated[Path | None, typer.Option("--futures", file_okay=False, help=_help("futures"))] = None,
    draws: Draws = DRAWS,
) -> None:
    """Plan a county and write map, workbook, tables and manifest."""
    from layout.county import read_county

    with exits(lang):
        say("cli.reading", lang, folder=folder)
        _plan(
            read_county(folder), to=to, scenario=scenario, draws=draws, out=out, lang=lang, audience=audience, alternatives=alternatives,
            futures=futures, cover=cover,
        )  # fmt: skip


@app.command("map", help=_help("map"))
def draw(folder: CountyFolder, out: Out = None, lang: Lang = "zh", audience: Audience = "internal") -> None:
    """Draw the map of a plan that was made before."""
    from layout.outputs import plan_folder, write_map
    from layout.saved_plan import read_plan

    with exits(lang):
        home = out
        if home is None:
            home = folder if (folder / "plan.gpkg").is_file() else plan_folder("maps", _county_name(folder))
        found = read_plan(home)
        path = write_map(found, home / "public" if audience == "public" else home, lang=lang, audience=audience)
        _list_files([path], lang)


@app.command(help=_help("export"))
def export(
    folder: CountyFolder,
    formats: Annotated[list[str] | None, typer.Option("--format", metavar="gpkg|parquet|shp|kml|csv", help=_help("format"))] = None,
    out: Out = None,
    lang: Lang = "zh",
) -> None:
    """Write the layers of a plan for other programs."""
    from layout.exports import FORMATS, export_plan
    from layout.outputs import plan_folder
    from layout.saved_plan import read_plan

    wanted = formats or list(FORMATS)
    with exits(lang):
        unknown = [name for name in wanted if name not in FORMATS]
        if unknown:
            stop("cli.unknown_format", lang, given=shown(", ".join(unknown)), known=", ".join(FORMATS))
        home = folder if (folder / "plan.gpkg").is_file() else plan_folder("maps", _county_name(folder))
        try:
            written = export_plan(read_plan(home), out or home / "gis", formats=wanted, lang=lang)
        except ImportError as error:
            stop("cli.words", lang, text=str(error))
        say("cli.exported", lang, folder=(out or home / "gis").resolve(), count=len(written))
        _say_made_anew(out or home / "gis", list(written.values()), lang)


@app.command(help=_help("compare"))
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help=_help("compare_a"))],
    b: Annotated[Path, typer.Argument(metavar="B", help=_help("compare_b"))],
    out: Annotated[Path | None, typer.Option("--out", "-o", dir_okay=False, help=_help("compare_out"))] = None,
    xlsx: Annotated[bool, typer.Option("--xlsx", help=_help("compare_xlsx"))] = False,
    lang: Lang = "zh",
    audience: Audience = "internal",
) -> None:
    """Compare two plans of one county on one offline page."""
    if audience == "public":
        stop("compare.internal_only", lang)
    from layout.compare import compare_plans
    from layout.compare_page import save_comparison
    from layout.compare_sheets import write_comparison
    from layout.outputs import plan_folder
    from layout.saved_plan import read_plans

    with exits(lang):
        one, other = read_plans([a, b])
        found = compare_plans(one, other)
        path = plan_folder("maps", one.county.name) / "compare.html" if out is None else out
        names = (_plan_name(a), _plan_name(b))
        with working("cli.comparing", lang):
            save_comparison(found, path, names=names, lang=lang)
            if xlsx:
                write_comparison(found, path.with_suffix(".xlsx"), names=names, lang=lang)
        say("cli.file", lang, what=messages.text("cli.files.compare", lang), path=path.resolve(), size=f"{path.stat().st_size / 1e6:.1f}")
        if xlsx:
            table = path.with_suffix(".xlsx")
            say("cli.file", lang, what=messages.text("cli.files.compare_xlsx", lang), path=table.resolve(), size=f"{table.stat().st_size / 1e6:.1f}")
        counts = found.villages[found.villages["year"] == found.years[-1]].groupby("change")["settlement_id"].nunique()
        say("cli.compared", lang, year=found.years[-1], proposals=int((found.proposals["change"] != "same").sum()),
             **{name: int(counts.get(name, 0)) for name in ("loses_place", "gains_place", "slower", "quicker")})  # fmt: skip


def _plan_name(path: Path) -> str:
    # a plan is called by its folder
    folder = path.resolve()
    return shown((folder.parent if folder.is_file() else folder).name)


@app.command(help=_help("figures"))
def figures(
    folder: Annotated[Path, typer.Argument(metavar="PLAN", help=_help("figures_plan"))],
    out: Annotated[Path | None, typer.Option("--out", "-o", file_okay=False, help=_help("figures_out"))] = None,
    year: Annotated[int | None, typer.Option("--year", help=_help("figures_year"))] = None,
    lang: Lang = "zh",
    audience: Audience = "internal",
) -> None:
    """Draw the layers of a plan that was made before as figures."""
    if importlib.util.find_spec("matplotlib") is None:
        stop("figures.no_matplotlib", lang)
    from layout.drawings import INTERNAL
    from layout.figures import chinese_font, save_figures
    from layout.saved_plan import read_plans

    with exits(lang):
        found = read_plans([folder])[0]
        if year is not None and year not in found.years:
            stop("cli.no_such_year", lang, year=year, years=", ".join(map(str, found.years)))
        home = folder.parent if folder.name == "plan.gpkg" else folder
        target = (home / "public" if audience == "public" else home) / "figures" if out is None else out
        if not chinese_font():
            say("cli.note", lang, text=messages.text("figures.no_font", lang))
        with working("cli.drawing", lang), warnings.catch_warnings():
            # the missing font has been told
            warnings.simplefilter("ignore", UserWarning)
            paths = save_figures(found, target, lang=lang, year=year, audience=audience)
        say("cli.figures_written", lang, count=len(paths), folder=target.resolve())
        _say_made_anew(target, paths, lang)
        if audience == "public":
            say("cli.figures_inside", lang, layers="、".join(messages.text(f"figures.layer.{layer}", lang) for layer in INTERNAL))


@app.command(help=_help("report"))
def report(
    folder: CountyFolder,
    file: Annotated[Path | None, typer.Option("--file", "-o", dir_okay=False, help=_help("report_file"))] = None,
    template: Annotated[Path | None, typer.Option("--template", exists=True, dir_okay=False, help=_help("template"))] = None,
    lang: Lang = "zh",
    audience: Audience = "internal",
) -> None:
    """Write the report of a plan that was made before."""
    from layout.outputs import plan_folder
    from layout.report import write_report
    from layout.saved_plan import read_plan

    with exits(lang):
        home = folder if (folder / "plan.gpkg").is_file() else plan_folder("maps", _county_name(folder))
        # a public edition never takes the place of the internal one
        path = file or home / ("public" if audience == "public" else "") / "report.docx"
        found = read_plan(home)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_report(found, path, lang=lang, audience=audience, template=template)
        _list_files([path], lang)


@app.command(help=_help("roads"))
def roads(
    folder: CountyFolder,
    pbf: Annotated[Path | None, typer.Option("--pbf", exists=True, dir_okay=False, help=_help("roads_pbf"))] = None,
    online: Annotated[bool, typer.Option("--online", help=_help("online"))] = False,
    lang: Lang = "zh",
) -> None:
    """Put the roads of an extract, or of OpenStreetMap online, into a county folder."""
    from layout.obstacles import is_extract, read_obstacles, write_obstacles
    from layout.roads import download_roads, read_roads, write_roads

    if (pbf is None) != online:
        stop("cli.pbf_or_online", lang)
    with exits(lang):
        if (folder / "roads.osm.pbf").exists():
            stop("cli.roads_in_the_way", lang, folder=folder)
        area, crs = _area(folder, lang, needed=online)
        with working("cli.fetching_roads" if online else "cli.reading_roads", lang):
            bbox = None if area is None else area.bounds
            found = download_roads(area, crs=crs) if pbf is None else read_roads(pbf, bbox=bbox, crs=crs)
            barriers = None if pbf is None or not is_extract(pbf) else read_obstacles(pbf, bbox=bbox, crs=found.crs)
            target = folder / "roads.gpkg"
            with tempfile.TemporaryDirectory(dir=folder, prefix=".layout-") as scratch:
                write_roads(found, Path(scratch) / target.name)
                if barriers is not None:
                    write_obstacles(barriers, Path(scratch) / "obstacles.geojson")
                    (Path(scratch) / "obstacles.geojson").replace(folder / "obstacles.geojson")
                (Path(scratch) / target.name).replace(target)
        say("cli.roads_written", lang, file=target, edges=f"{len(found.edges):,}", km=f"{found.edges['length_m'].sum() / 1000:,.0f}")


@app.command(help=_help("province"))
def province(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=_help("province_dir"))],
    out: Annotated[Path, typer.Option("--out", file_okay=False, help=_help("province_out"))],
    scheduler: Annotated[str | None, typer.Option("--scheduler", metavar="tcp://HOST:PORT", help=_help("scheduler"))] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help=_help("workers"))] = None,
    scenarios: Annotated[Path | None, typer.Option("--scenarios", file_okay=False, help=_help("scenarios"))] = None,
    resume: Annotated[bool, typer.Option("--resume", help=_help("resume"))] = False,
    to: Annotated[int | None, typer.Option("--to", min=1991, max=2100, help=_help("to"))] = None,
    draws: Draws = DRAWS,
    lang: Lang = "zh",
) -> None:
    """Plan every county of a folder under every scenario."""
    from layout.province import plan_province

    if scheduler is not None and workers is not None:
        stop("cli.words", lang, text="--scheduler / --workers")
    with exits(lang):
        say("cli.reading", lang, folder=folder)
        try:
            with province_progress(lang) as progress:
                found = plan_province(
                    folder, out, scenarios=scenarios, scheduler=scheduler, workers=workers, resume=resume, to=to, draws=draws, lang=lang,
                    progress=progress,
                )  # fmt: skip
        except ImportError as error:
            stop("cli.words", lang, text=str(error))
        except KeyboardInterrupt:
            open_console(stderr=True).print(messages.text("cli.province_stopped", lang))
            raise typer.Exit(STOPPED) from None
        for key, file in (("province", "province.html"), ("province_xlsx", "province.xlsx")):
            path = out / file
            say("cli.file", lang, what=messages.text(f"cli.files.{key}", lang), path=path.resolve(), size=f"{path.stat().st_size / 1e6:.1f}")
        for (county, scenario), rows in found.problems.groupby(["county", "scenario"]):
            say("cli.province_failed", lang, county=shown(str(county)), scenario=shown(str(scenario)))
            open_console().print(problem_table(rows.rename(columns={f"{part}_{lang}": part for part in ("what", "remedy")}), lang), soft_wrap=False)
        done = int((found.counties["state"] == "done").sum())
        say("cli.province_done", lang, done=done, runs=len(found.counties), failed=len(found.counties) - done)
        if done < len(found.counties):
            raise typer.Exit(DATA_PROBLEMS)


@app.command(help=_help("doctor"))
def doctor(network: Annotated[bool, typer.Option("--network", help=_help("network"))] = False, lang: Lang = "zh") -> None:
    """Look at everything that the program needs on this machine; the network only when asked."""
    from layout.machine import connections, examinations

    table = Table("", *(messages.text(f"cli.doctor.{head}", lang) for head in ("what", "found", "advice")))
    failed = False
    for key, found, good, needed in (*examinations(), *(connections() if network else ())):
        mark = messages.text("cli.doctor.good" if good else ("cli.doctor.bad" if needed else "cli.doctor.optional"), lang)
        advice = "" if good else messages.text(f"cli.doctor.{key}_advice", lang)
        table.add_row(mark, messages.text(f"cli.doctor.{key}", lang), found, advice)
        failed |= needed and not good
    open_console().print(table)
    say("cli.doctor.failed" if failed else "cli.doctor.fine", lang)
    if failed:
        raise typer.Exit(DATA_PROBLEMS)


def _plan(
    county: County, *, to: int | None, scenario: Path | None, draws: int, out: Path | None, lang: str, audience: str, alternatives: bool = False,
    futures: Path | None = None, cover: bool = False,
) -> None:  # fmt: skip
    from layout.alternatives import with_alternatives, with_futures
    from layout.compiled import cached
    from layout.hindrances import cause_words, limits_below_any_way
    from layout.outputs import MADE_FROM, of_an_older_plan, plan_folder, write_plan
    from layout.plan import make_plan, unserved, wrong_size_schools
    from layout.privacy import edition_of
    from layout.scenario import read_scenario
    from layout.school_changes import tried_year
    from layout.workbook import summary_sentence

    _describe(county, lang)
    supposed = None if scenario is None else read_scenario(scenario)
    # every file is read before the long work begins
    others = [] if futures is None else [read_scenario(path) for path in sorted(futures.glob("*.toml"))]
    if futures is not None and not others:
        stop("cli.no_futures", lang, folder=futures)
    # the year that a meeting looked at, where it lies ahead
    tried = None if supposed is None else tried_year(supposed.school_changes, after=county.base_year)
    to = to or tried
    last = to or max(county.aims.years, default=LAST_YEAR)
    if last <= county.base_year:
        stop("cli.year_not_after_base", lang, to=last, base=county.base_year)
    home = out
    if home is None:
        # a public edition never takes the place of the plan itself
        home = plan_folder("maps", county.name) / ("public" if audience == "public" else "")
    if county.terrain is not None and not cached("cost_surface_kernels"):
        say("cli.compiling", lang)
    with plan_progress(lang) as progress:
        made: Plan = make_plan(county, scenario=supposed, draws=draws, progress=progress, to=to, cover=cover)
    if alternatives:
        with working("cli.alternatives", lang):
            made = with_alternatives(made)
    if others:
        with working("cli.futures", lang):
            made = with_futures(made, others)
    with working("cli.writing", lang):
        # what a public edition must hide is worked out once for all its files
        edition = edition_of(made, audience)
        paths = write_plan(made, home, lang=lang, audience=audience, edition=edition)
    _list_files(list(paths.values()), lang)
    _say_no_maps(lang, written="report.docx" in paths)
    for name in of_an_older_plan(home):
        say("cli.note", lang, text=messages.text("outputs.old_folder", lang, name=name, command=MADE_FROM[name]))
    _say_notes(made.county.notes[len(county.notes) :], lang)
    if audience == "internal":
        for cause in (*unserved(made.planned, made.county), *wrong_size_schools(made), *limits_below_any_way(made.planned.times, made.standards)):
            say("cli.note", lang, text=shown(cause_words(cause, lang)))
    open_console().print(summary_sentence(made, lang=lang, audience=audience, edition=edition))


def _say_made_anew(folder: Path, written: Sequence[Path], lang: str) -> None:
    from layout.outputs import made_anew

    if made_anew(folder, written):
        say("cli.note", lang, text=messages.text("outputs.old_left", lang, name=folder.name))


def _say_no_maps(lang: str, *, written: bool) -> None:
    from layout.report import why_no_maps

    why = why_no_maps(lang) if written else ""
    if why:
        say("cli.note", lang, text=messages.text("report.reading.no_maps", lang, why=why))


def _say_notes(notes: Iterable[tuple[str, Mapping[str, object]]], lang: str) -> None:
    from layout.sheets import describe

    for sentence in describe(notes, lang):
        say("cli.note", lang, text=shown(sentence))


def _say_gaps(county: County, standards: Standards, said: Collection[str], lang: str) -> None:
    from layout.data_gaps import road_gaps

    if county.roads is None:
        return
    found = road_gaps(county.roads, county.settlements, county.schools, standards)
    for gap, rows in found.groupby("gap"):
        key, note = _GAPS[str(gap)]
        if note in said:
            continue
        first = rows.sort_values(["settlements", "length_m", "id"], ascending=[False, False, True])["id"].head(_NAMED)
        say("cli.note", lang, text=messages.text(key, lang, count=len(rows), names=shown("、".join(first)),
             km=f"{rows['length_m'].sum() / 1000:,.1f}", settlements=rows["settlements"].sum()))  # fmt: skip


def _describe(county: County, lang: str) -> None:
    from layout.tables import schemas

    say("cli.county", lang, name=shown(county.name), base=county.base_year, settlements=len(county.settlements), schools=len(county.schools),
         rosters=len(county.rosters), persons=f"{county.population['persons'].sum():,.0f}")  # fmt: skip
    _say_notes(county.notes, lang)
    # columns filled in by one rule are named together
    for key, group in county.assumptions.groupby(["table", "rows", "note", "basis"], sort=False):
        table, rows, note, basis = map(str, key)
        known = schemas().get(table)
        words = [c if lang == "en" or known is None or c not in known.columns else known.columns[c].zh for c in group["column"]]
        title = table if lang == "en" or known is None else known.zh
        say("cli.assumption", lang, table=shown(title), column=shown(("、" if lang == "zh" else ", ").join(words)), rows=rows,
             note=shown(messages.in_language(note, lang)), basis=shown(basis))  # fmt: skip


def _list_files(paths: Sequence[Path], lang: str) -> None:
    for path in paths:
        say("cli.file", lang, what=messages.text(f"cli.files.{path.stem}", lang), path=path.resolve(), size=f"{path.stat().st_size / 1e6:.1f}")


def _county_name(folder: Path) -> str:
    from layout.tables import CountyDataError, Problem

    path = folder / "county.toml"
    if not path.is_file():
        raise CountyDataError([Problem("no_settings" if folder.is_dir() else "no_folder", path.name if folder.is_dir() else folder.name)])
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8-sig")).get("name", folder.name))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CountyDataError([Problem("not_toml", path.name, fields={"error": str(error)})]) from error


def _area(folder: Path, lang: str, *, needed: bool):  # type: ignore[no-untyped-def]
    """Return the county's area in degrees and its metric system; nothing where its tables are not ready and none is needed."""
    import geopandas as gpd

    from layout.county import read_county
    from layout.tables import CountyDataError

    if not folder.is_dir():
        _county_name(folder)
    try:
        county = read_county(folder)
    except CountyDataError:
        if needed:
            raise
        say("cli.whole_extract", lang)
        return None, None
    shape = gpd.GeoSeries(county.settlements.geometry if county.boundary is None else [county.boundary], crs=county.crs).to_crs(4326).union_all()
    if shape.is_empty:
        if needed:
            stop("cli.no_settlements", lang)
        say("cli.whole_extract", lang)
        return None, None
    # widened first: places in a row have a hull without any width
    return shape.buffer(_MARGIN_DEG).convex_hull, county.crs
