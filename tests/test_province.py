"""Many counties at once: the same answer whatever machines do on the way, and a broken county that costs the others nothing."""

import contextlib
import dataclasses
import itertools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import geopandas as gpd
import numpy as np
import pandas as pd
import psutil
import pyarrow.dataset as ds
import pytest
from province_county import contents, shifted, write_paper_province
from python_calamine import CalamineWorkbook
from typer.testing import CliRunner

import layout
from layout import county as counties
from layout import messages, runs
from layout.borders import border_rows
from layout.cli import app
from layout.county import write_county
from layout.plan import make_plan
from layout.province import plan_province
from layout.province_tables import PARTS, equity_rows, part_path, read_part
from layout.saved_plan import read_plan
from layout.scenario import Scenario
from layout.shared_ground import SharedGround, read_shared, shared_roads
from layout.tables import BANDS, CountyDataError, Problem, band_of, empty

ALL = 3
BROKEN = "坏县"


def bad_county(folder):
    """A county far away whose base year cannot be."""
    write_county(shifted(7, roads=False), folder)
    text = (folder / "county.toml").read_text(encoding="utf-8")
    (folder / "county.toml").write_text(text.replace("base_year = 2025", "base_year = 1066"), encoding="utf-8")


def tables_of(out):
    return {name: data for name, data in contents(out).items() if name.startswith("tables/")}


@dataclasses.dataclass(frozen=True)
class Ran:
    home: Path
    out: Path
    province: object
    steps: list
    listening: set


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """Three paper counties on one road and a broken one, on two workers of this machine."""
    folder = tmp_path_factory.mktemp("省 份")
    write_paper_province(folder / "各县", ALL, shared=True)
    bad_county(folder / "各县" / BROKEN)
    steps, listening = [], set()

    def tell(step):
        steps.append(step)
        if step.state == "begun":
            for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
                listening.update(c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN)

    out = folder / "结果 #1"
    found = plan_province(folder / "各县", out, workers=2, to=2026, draws=20, progress=tell)
    return Ran(folder / "各县", out, found, steps, listening)


def test_every_county_has_its_plan_and_the_broken_one_its_problems(ran):
    states = dict(zip(ran.province.counties["county"], ran.province.counties["state"], strict=True))
    assert states == {"0县": "done", "1县": "done", "2县": "done", BROKEN: "failed"}
    problems = ran.province.problems
    assert set(problems["county"]) == {BROKEN} and problems["value"].tolist() == ["1066", ""]
    # it lies where no shared road comes near
    assert problems["file"].tolist() == ["county.toml", "roads.gpkg"]
    assert ran.province.counties.set_index("county").loc[BROKEN, "problems"] == 2
    for county in ("0县", "1县", "2县"):
        assert sorted(p.name for p in (ran.out / "counties" / county / "base").iterdir()) == sorted(layout.outputs.FILES)
    assert not (ran.out / "counties" / BROKEN).exists()
    ends = [s for s in ran.steps if s.state in ("done", "failed")]
    assert [s.finished for s in ends] == [1, 2, 3, 4] and {s.runs for s in ran.steps} == {4}


def test_a_plan_of_the_province_is_the_plan_of_the_county(ran):
    """The county read and planned alone, without the province's machinery, has the same tables."""
    county = layout.read_county(ran.home / "1县", shared=read_shared(ran.home))
    alone, found = make_plan(county, to=2026, draws=20), read_plan(ran.out / "counties" / "1县" / "base")
    for name in ("pupils", "summary", "time_distribution"):
        pd.testing.assert_frame_equal(getattr(alone, name), getattr(found, name), check_like=True)
    pd.testing.assert_frame_equal(
        alone.planned.assignment.drop(columns="minutes"), found.planned.assignment.drop(columns="minutes"), check_categorical=False
    )
    assert found.manifest["inputs"]["../roads.gpkg"] == runs._sha(ran.home / "roads.gpkg")


def test_nothing_is_left_lying_about_and_nothing_listens_beyond_this_machine(ran):
    names = [p.name for p in ran.out.rglob("*")]
    assert not [n for n in names if n.startswith(".layout-") or n.endswith((".part", ".new", ".previous"))] and ".work" not in names
    assert sorted(p.name for p in ran.out.iterdir()) == [".lock", "counties", "province.html", "province.xlsx", "runs", "tables"]
    assert ran.listening and ran.listening <= {"127.0.0.1", "::1"}


def test_duckdb_pyarrow_and_geopandas_read_the_tables(ran):
    tables = ran.out / "tables"
    found = duckdb.sql(
        f"select county, scenario, year, sum(pupils) as pupils from read_parquet('{tables}/summary/*/*/*.parquet', hive_partitioning=true) "
        "where view = 'today' group by all order by all"
    ).df()
    years = ran.province.years
    expected = years[years["view"] == "today"][["county", "scenario", "year", "pupils"]].reset_index(drop=True)
    assert found["county"].tolist() == expected["county"].tolist() and found["pupils"].tolist() == expected["pupils"].tolist()
    one = (
        ds.dataset(tables / "assignment", partitioning="hive").to_table(filter=(ds.field("county") == "2县") & (ds.field("year") == 2026)).to_pandas()
    )
    assert len(one) and set(one["county"]) == {"2县"} and set(one["year"]) == {2026} and set(one["view"]) == {"today", "planned"}
    schools = gpd.read_parquet(tables / "schools")
    assert (
        isinstance(schools, gpd.GeoDataFrame)
        and schools.crs.to_epsg() == 4490
        and schools.groupby("county", observed=True).size().tolist() == [2, 2, 2]
    )
    west = schools.geometry.x.groupby(schools["county"].astype(str)).min()
    assert west.is_monotonic_increasing and west.nunique() == ALL
    for table in PARTS:
        frame = ds.dataset(tables / table, partitioning="hive").to_table().to_pandas()
        assert set(frame["county"].astype(str)) == {"0县", "1县", "2县"} and set(frame["scenario"].astype(str)) == {"base"}, table


def test_the_sums_are_those_of_the_plans(ran):
    for county in ("0县", "1县", "2县"):
        plan = read_plan(ran.out / "counties" / county / "base")
        rows = ran.province.years[ran.province.years["county"] == county].set_index(["view", "year"])
        for r in plan.summary.itertuples():
            told = rows.loc[(r.view, r.year)]
            assert told[["pupils", "served", "beyond_limit", "oversized_classes"]].tolist() == [
                r.pupils,
                r.served,
                r.beyond_limit,
                r.oversized_classes,
            ]
            assert told["unserved"] == r.no_seat + r.no_bed + r.no_route
            assert told["pupils"] == told["served"] + told["beyond_limit"] + told["unserved"] + told["away"]
        money = plan.proposals["cost_yuan"].sum()
        assert rows.loc["planned", "cost_yuan"].sum() == pytest.approx(money) and rows.loc["today", "cost_yuan"].sum() == 0 and money > 0


def test_equity_is_that_of_every_pupil_written_out(ran):
    plans = [read_plan(ran.out / "counties" / c / "base") for c in ("0县", "1县", "2县")]
    for row in ran.province.equity.itertuples():
        minutes, home = [], []
        for k, plan in enumerate(plans):
            for r in getattr(plan, row.view).assignment.itertuples():
                if r.year == row.year and band_of(r.grade) == row.band and r.mode in ("walk", "bus") and not math.isnan(r.minutes):
                    minutes += [r.minutes] * int(r.pupils)
                    home += [k] * int(r.pupils)
        x = np.array(minutes)
        differences = np.abs(x[:, None] - x[None, :]).mean()
        assert row.pupils == len(x) and row.mean == pytest.approx(x.mean()) and row.gini == pytest.approx(differences / 2 / x.mean(), abs=1e-9)
        assert row.theil == pytest.approx(np.mean(x / x.mean() * np.log(x / x.mean())), abs=1e-9)
        assert row.theil == pytest.approx(row.theil_between + row.theil_within, abs=1e-12) and row.counties == ALL


@pytest.mark.parametrize("people", [3.0, 7.0, 1e6 / 3, 504.0])
def test_those_who_have_the_same_are_never_less_than_equal(people):
    for minutes in np.random.default_rng(0).uniform(1, 60, 50):
        assert 0 <= layout.gini(np.array([minutes]), np.array([people])) < 1e-12
        assert all(0 <= part < 1e-12 for part in layout.theil(np.array([minutes, minutes]), np.array([people, 1.0]), np.array(["a", "b"])))


def test_theil_parts_against_the_formula_by_hand():
    # county a: two children of 10 and 30 minutes; county b: one of 20, one of 60
    x, g = np.array([10.0, 30.0, 20.0, 60.0]), np.array(["a", "a", "b", "b"])
    t = lambda v: np.mean(v / v.mean() * np.log(v / v.mean()))  # noqa: E731
    between = (40 / 120) * np.log((40 / 120) / 0.5) + (80 / 120) * np.log((80 / 120) / 0.5)
    within = (40 / 120) * t(x[:2]) + (80 / 120) * t(x[2:])
    assert layout.theil(x, groups=g) == pytest.approx((t(x), between, within))
    assert layout.theil(np.array([5.0, 5.0]), np.array([3, 4])) == (0.0, 0.0, 0.0)
    assert all(math.isnan(part) for part in layout.theil(np.zeros(3)))
    assert layout.theil(np.array([0.0, 2.0]))[0] == pytest.approx(math.log(2))
    with pytest.raises(ValueError, match="at least 0"):
        layout.theil(np.array([-1.0]))


def test_border_pupils_are_those_a_double_loop_finds(ran):
    def arc(a, b):
        (x1, y1), (x2, y2) = (np.radians([p.x, p.y]) for p in (a, b))
        h = math.sin((y2 - y1) / 2) ** 2 + math.cos(y1) * math.cos(y2) * math.sin((x2 - x1) / 2) ** 2
        return 2 * 6_371_008.8 * math.asin(math.sqrt(h))

    counties = {k: shifted(k) for k in range(ALL)}
    expected = {}
    for k, county in counties.items():
        homes = county.settlements.to_crs(4326)
        for band, grades in BANDS.items():
            for v in homes.itertuples():
                near = {}
                for j, other in counties.items():
                    teaching = other.schools.to_crs(4326)
                    teaching = teaching[(teaching.first_grade <= grades[0]) & (teaching.last_grade >= grades[-1])]
                    near[j] = min((arc(v.geometry, s.geometry), f"{j}县", s.school_id) for s in teaching.itertuples())
                best = min(near[j] for j in counties if j != k)
                if best[0] < near[k][0]:
                    expected[f"{k}县", v.settlement_id, band] = (best[1], best[2], best[0], near[k][0])
    found = ran.province.borders
    assert expected and {(r.county, r.settlement_id, r.band) for r in found.itertuples()} == set(expected)
    for r in found.itertuples():
        county, school, other, own = expected[r.county, r.settlement_id, r.band]
        assert (
            (r.other_county, r.other_school_id) == (county, school)
            and r.other_m == pytest.approx(other, abs=0.5)
            and r.own_m == pytest.approx(own, abs=0.5)
        )
    # ten expected children of A in each junior grade, from table pupils itself
    there = read_part(ran.out / "tables", "pupils", "1县", "base")
    for r in found[(found["county"] == "1县") & (found["settlement_id"] == "A")].itertuples():
        assert r.pupils == pytest.approx(there[(there["settlement_id"] == "A") & (there["year"] == r.year) & (there["grade"] > 6)]["pupils"].sum())


def test_ways_over_the_border_take_the_minutes_of_the_shared_road(ran):
    rows = ran.province.borders[ran.province.borders["band"] == "junior"]
    assert len(rows) and rows["other_minutes"].notna().all()
    # one flat straight road: minutes are in proportion to metres, the same for both sides
    pace = np.concatenate([rows["other_minutes"] / rows["other_m"], rows["own_minutes"] / rows["own_m"]])
    assert pace.max() - pace.min() < 0.01 * pace.mean()


def test_without_shared_roads_there_are_no_minutes(ran):
    found = border_rows(ran.out / "tables", [("0县", "base"), ("1县", "base")])
    assert len(found) and found["own_minutes"].isna().all() and found["other_minutes"].isna().all()
    assert len(border_rows(ran.out / "tables", [("0县", "base")])) == 0


def test_the_page_holds_everything_and_fetches_nothing(ran):
    text = (ran.out / "province.html").read_text(encoding="utf-8")
    data = json.loads(text.split('id="plan-data">')[1].split("</script>")[0])
    assert [c["county"] for c in data["counties"]] == ["0县", "1县", "2县", BROKEN] and len(data["rows"]) == len(ran.province.years)
    assert {s["county"]: s["done"] for s in data["states"]} == {0: True, 1: True, 2: True, 3: False}
    assert data["problems"][0]["county"] == 3 and "1066" in data["problems"][0]["where"]
    assert all(c["rings"] for c in data["counties"][:3]) and not data["counties"][3]["rings"]
    assert sum(b["pupils"] for b in data["borders"]) == pytest.approx(ran.province.borders["pupils"].sum(), abs=0.5)
    assert "http-equiv" in text and "<script src" not in text and "<link" not in text and str(ran.out) not in text


def test_the_workbook_has_the_tables(ran):
    book = CalamineWorkbook.from_path(ran.out / "province.xlsx")
    assert book.sheet_names == ["说明", "各县结果", "各县学年", "全省均衡", "县界学生", "各县问题"]
    years = book.get_sheet_by_name("各县学年").to_python()
    assert len(years) == 2 + len(ran.province.years) and "纸上0县" in years[2]
    assert not [c for c in years[1] if "_" in c]
    problems = book.get_sheet_by_name("各县问题").to_python()
    assert len(problems) == 4 and BROKEN in problems[2] and not [c for c in problems[1] if "英文" in c]


def test_written_twice_the_page_and_the_workbook_have_the_same_bytes(ran, tmp_path):
    for lang in ("zh", "en"):
        for k in (0, 1):
            layout.write_province(ran.province, tmp_path / f"{k}.xlsx", lang=lang)
            layout.save_province(ran.province, tmp_path / f"{k}.html", lang=lang)
        assert (tmp_path / "0.xlsx").read_bytes() == (tmp_path / "1.xlsx").read_bytes()
        assert (tmp_path / "0.html").read_bytes() == (tmp_path / "1.html").read_bytes()
    assert (tmp_path / "0.html").read_text(encoding="utf-8").count("<title>纸上省: layout plans") == 1


def runs_of(ran, **options):
    shared = read_shared(ran.home)
    asked = {"to": 2026, "draws": 20, "lang": "zh"} | options
    made = [runs.Run(c, "base", p, ran.out, Scenario(), shared, asked) for c, p in runs.county_folders(ran.home).items()]
    return {run.county: dataclasses.replace(run, key=runs.fingerprint(run)) for run in made}


def test_what_is_done_is_known_by_its_inputs_and_by_every_byte(ran, tmp_path):
    copied = dataclasses.replace(ran, home=tmp_path / "各县", out=tmp_path / "结果")
    shutil.copytree(ran.home, copied.home)
    shutil.copytree(ran.out, copied.out)
    done = lambda **options: [c for c, run in runs_of(copied, **options).items() if runs.is_done(run)]  # noqa: E731
    assert done() == ["0县", "1县", "2县"]
    assert done(draws=21) == done(to=2030) == done(lang="en") == []
    # cut short, changed in place, gone
    part = copied.out / "tables" / part_path("summary", "0县", "base")
    part.write_bytes(part.read_bytes()[:-1])
    page = copied.out / "counties" / "1县" / "base" / "map.html"
    page.write_bytes(page.read_bytes()[:-1] + b"!")
    assert done() == ["2县"]
    (copied.out / "runs" / "2县" / "base.json").write_text('{"format": 1, "key"', encoding="utf-8")
    assert done() == []
    shutil.copytree(ran.out, copied.out, dirs_exist_ok=True)
    assert done() == ["0县", "1县", "2县"]
    # an input of one county, then what all of them share
    with (copied.home / "2县" / "county.toml").open("a", encoding="utf-8") as stream:
        stream.write("# a word\n")
    (copied.home / "1县" / "~$county.xlsx").write_bytes(b"open in a spreadsheet")
    assert done() == ["0县", "1县"]
    os.utime(copied.home / "roads.gpkg", (1, 1))
    assert done() == ["0县", "1县"]
    (copied.home / "roads.gpkg").write_bytes((copied.home / "roads.gpkg").read_bytes() + b"\0")
    assert done() == []


def test_a_version_of_a_package_makes_another_fingerprint(ran, monkeypatch):
    before = {c: run.key for c, run in runs_of(ran).items()}
    real = runs.importlib.metadata.version
    monkeypatch.setattr(runs.importlib.metadata, "version", lambda name: "9.9" if name == "layout" else real(name))
    after = {c: run.key for c, run in runs_of(ran).items()}
    assert all(before[c] != after[c] for c in before)


def one_run(tmp_path, **more):
    """Return the run of a paper county by itself."""
    home = small(tmp_path, 1)
    options = {"to": 2026, "draws": 0, "lang": "zh"}
    return runs.Run("0县", "base", home / "0县", tmp_path / "out", **({"supposed": Scenario(), "shared": SharedGround(), "options": options} | more))


def test_every_part_of_what_is_shared_counts(tmp_path):
    """Of two shared tiles with one name either may change, and of a Shapefile any part: classes and widths lie in its .dbf."""
    for name in ("west/dem.tif", "east/dem.tif", "roads.shp", "roads.dbf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"before")
    ground = SharedGround(roads=tmp_path / "roads.shp", terrain=(tmp_path / "west" / "dem.tif", tmp_path / "east" / "dem.tif"))
    run = one_run(tmp_path, shared=ground)
    found = [runs.fingerprint(run)]
    for name in ("west/dem.tif", "east/dem.tif", "roads.dbf"):
        (tmp_path / name).write_bytes(b"another size")
        found.append(runs.fingerprint(run))
    assert len(set(found)) == 4 and runs.fingerprint(run) == found[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_name_in_another_encoding_stops_nobody(tmp_path):
    run = one_run(tmp_path)
    before = runs.fingerprint(run)
    (Path(os.fsdecode(os.fsencode(run.folder) + b"/\xd6\xd0.txt"))).write_bytes(b"")
    assert runs.fingerprint(run) != before


def test_a_county_that_cannot_be_read_is_told_and_stops_nobody(tmp_path, monkeypatch):
    """No file of it may be opened: it fails before anything begins, in words, and without the path."""
    run = one_run(tmp_path)

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(runs, "_sha", refused)
    found = plan_province(run.folder.parent, tmp_path / "out", workers=1, to=2026)
    assert found.counties["state"].tolist() == ["failed"] and found.problems["county"].tolist() == ["0县"]
    assert "Permission denied" in found.problems["what_en"].iloc[0] and str(tmp_path) not in found.problems["what_en"].iloc[0]


def test_what_a_plan_would_refuse_is_not_unpacked_to_count_it(tmp_path, monkeypatch):
    import python_calamine

    run, opened = one_run(tmp_path), []
    usual = python_calamine.CalamineWorkbook.from_path
    monkeypatch.setattr(python_calamine, "CalamineWorkbook", type("Book", (), {"from_path": lambda path: opened.append(path) or usual(path)}))
    assert runs.memory_needed(run.folder) > 0 and len(opened) == 1
    monkeypatch.setattr("layout.sheets._MOST_BYTES", 10)
    assert runs.memory_needed(run.folder) > 0 and len(opened) == 1


def test_a_task_whose_turn_is_over_replaces_nothing(tmp_path):
    """As on a scheduler whose worker goes on after its run was stopped and another began."""
    run = runs.prepared(one_run(tmp_path), "mine")
    run.out.mkdir()
    (run.out / ".turn").write_text("mine", encoding="utf-8")

    def tell(stage):
        if stage == "writing":
            (run.out / ".turn").write_text("of another", encoding="utf-8")

    told = runs.carry_out(run, tell)
    assert not told.done and "another provincial run" in told.problems[0]["what_en"]
    assert not run.plan_folder.exists() and not run.manifest.exists()
    (run.out / ".turn").write_text("mine", encoding="utf-8")
    assert runs.carry_out(run).done and run.manifest.is_file()


def test_where_shared_files_lie_is_nobodys_business(tmp_path):
    run = one_run(tmp_path)
    home = run.folder.parent
    for text in (f"cannot open {home / 'roads.shx'}", f"cannot open {home}\\roads.shx", f"cannot open {run.folder}/roads.shx"):
        problem = Problem("unreadable", "roads.shp", fields={"error": text})
        assert runs._without_folders_in(problem, run).fields["error"] == "cannot open roads.shx"
        assert counties._without_path(problem, run.folder).fields["error"] == "cannot open roads.shx"


def test_inputs_that_change_while_they_are_read_are_not_certified(ran, tmp_path):
    run = dataclasses.replace(runs_of(ran)["0县"], out=tmp_path, key="of other files")
    told = runs.carry_out(run)
    assert not told.done and "同一版本" in told.problems[0]["what_zh"] and not run.manifest.exists()


def test_a_fault_of_the_program_costs_one_county(ran, tmp_path, monkeypatch):
    run = dataclasses.replace(runs_of(ran)["0县"], out=tmp_path)

    def broken(*args, **options):
        raise RuntimeError(f"no such thing in {run.folder}")

    monkeypatch.setattr(runs, "make_plan", broken)
    told = runs.carry_out(run)
    assert not told.done and "RuntimeError: no such thing in 0县" in told.problems[0]["what_en"] and str(run.folder) not in json.dumps(told.problems)

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "make_plan", full)
    told = runs.carry_out(run)
    assert not told.done and "No space left" in told.problems[0]["what_zh"] and not run.manifest.exists()


def test_sweeping_keeps_only_what_finished_runs_stand_for(ran, tmp_path):
    out = tmp_path / "结果"
    shutil.copytree(ran.out, out)
    (out / "counties" / "0县" / ".layout-left").mkdir()
    made = [dataclasses.replace(run, out=out) for run in runs_of(ran).values()]
    runs.sweep(out, made, [("0县", "base"), ("2县", "base")])
    for table in PARTS:
        assert {p.parent.parent.name for p in (out / "tables" / table).glob("*/*/*")} == {"county=0县", "county=2县"}
    assert sorted(p.parent.name for p in (out / "runs").glob("*/*.json")) == ["0县", "2县"]
    assert not (out / "counties" / "0县" / ".layout-left").exists() and (out / "counties" / "1县" / "base" / "map.html").exists()
    assert (out / "tables" / "province_years.parquet").is_file()


def test_sweeping_bears_what_another_process_takes_away_first(ran, tmp_path, monkeypatch):
    out = tmp_path / "结果"
    shutil.copytree(ran.out, out)
    for left in (out / "tables" / ".layout-left" / "summary", out / "counties" / "0县" / ".layout-left"):
        left.mkdir(parents=True)
    rmtree, unlink = shutil.rmtree, Path.unlink

    def late(real):
        def twice(path, *args, **options):
            real(path)
            return real(path, *args, **options)

        return twice

    monkeypatch.setattr(runs.shutil, "rmtree", late(rmtree))
    monkeypatch.setattr(Path, "unlink", late(unlink))
    runs.sweep(out, [], [])
    assert not [p for p in contents(out) if p.startswith(("tables/summary", "runs/")) or ".layout-" in p]


def test_a_run_that_breaks_off_ends_its_turn_before_it_sweeps(ran, tmp_path, monkeypatch):
    def lost(*args):
        raise ConnectionError("lost")

    out, swept = tmp_path / "out", []
    monkeypatch.setattr(layout.province, "_cluster", lambda *args: contextlib.nullcontext((None, 0.0)))
    monkeypatch.setattr(layout.province, "_work", lost)
    monkeypatch.setattr(layout.province, "sweep", lambda folder, made, done: swept.append(runs.carry_out(made[0])))
    with pytest.raises(ConnectionError, match="lost"):
        plan_province(ran.home, out, to=2026)
    assert [told.done for told in swept] == [False] and "another provincial run" in swept[0].problems[0]["what_en"]


def test_one_run_at_a_time_in_a_folder(tmp_path):
    with runs.alone(tmp_path / "out") as (work, _):
        (work / "unfinished").write_text("x", encoding="utf-8")
        with pytest.raises(BlockingIOError, match="another provincial run"), runs.alone(tmp_path / "out"):
            pass
        assert (work / "unfinished").is_file()
    assert not work.exists()
    with runs.alone(tmp_path / "out"):
        pass


def test_memory_grows_with_villages_and_pairs(tmp_path):
    for k, settlements in enumerate((40, 300)):
        county = layout.make_sample_county(seed=1, settlements=settlements)
        write_county(dataclasses.replace(county, roads=None, terrain=None), tmp_path / str(k))
    small, large, unknown = (runs.memory_needed(tmp_path / name) for name in ("0", "1", "2"))
    assert runs._counted(tmp_path / "0")[0] == 40 and runs._counted(tmp_path / "1")[0] == 300
    assert small < 900_000_000 < large < 2_500_000_000 and unknown > small


def test_folders_that_are_no_counties_are_passed_over(tmp_path):
    for name in ("a", ".hidden", "_old", "empty", "no settings"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "county.toml").write_text("", encoding="utf-8")
    (tmp_path / ".hidden" / "county.toml").write_text("", encoding="utf-8")
    (tmp_path / "no settings" / "county.xlsx").write_bytes(b"")
    assert list(runs.county_folders(tmp_path)) == ["a", "no settings"]
    # results among the counties are no county, though a workbook lies in them
    assert list(runs.county_folders(tmp_path, out=tmp_path / "no settings")) == ["a"]
    with pytest.raises(CountyDataError) as error:
        runs.county_folders(tmp_path / "empty")
    assert [p.key for p in error.value.problems] == ["no_counties"]


def test_names_that_some_systems_take_for_one_are_refused(tmp_path):
    for name in ("a=1", "a_1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "county.toml").write_text("", encoding="utf-8")
    with pytest.raises(CountyDataError) as error:
        runs.county_folders(tmp_path)
    assert [p.key for p in error.value.problems] == ["same_county_name"]
    with pytest.raises(CountyDataError) as error:
        runs.scenarios_of([Scenario("Wet"), Scenario("wet")])
    assert [p.key for p in error.value.problems] == ["same_scenario_name"]
    with pytest.raises(CountyDataError) as error:
        runs.scenarios_of(tmp_path / "nothing")
    assert [p.key for p in error.value.problems] == ["no_scenarios"]


def test_province_toml_is_held_to_its_folder(tmp_path):
    home = tmp_path / "省"
    home.mkdir()
    (tmp_path / "roads.gpkg").write_bytes(b"")
    (home / "province.toml").write_text(
        'format = 9\ncolour = 1\n[shared]\nroads = "../roads.gpkg"\nterrain = ["no.tif"]\nrivers = ""\n', encoding="utf-8"
    )
    with pytest.raises(CountyDataError) as error:
        read_shared(home)
    assert sorted(p.key for p in error.value.problems) == ["newer_format", "no_file", "outside_folder", "unknown_setting", "unknown_setting"]
    (home / "province.toml").write_text("[shared", encoding="utf-8")
    with pytest.raises(CountyDataError) as error:
        read_shared(home)
    assert [p.key for p in error.value.problems] == ["not_toml"]


def test_shared_roads_are_read_once_and_cut_to_the_county(ran, monkeypatch):
    from layout import shared_ground

    shared = read_shared(ran.home)
    assert shared.name == "纸上省"
    shared_ground._whole_roads.cache_clear()
    reads = []
    real = shared_ground.read_roads
    monkeypatch.setattr(shared_ground, "read_roads", lambda path, **options: (reads.append(path), real(path, **options))[1])
    counties = [layout.read_county(ran.home / f"{k}县", shared=shared) for k in range(ALL)]
    assert len(reads) == 1
    ends = [c.roads.edges.total_bounds for c in counties]
    # ten kilometres to the place beyond the outermost, no more than an edge farther
    for county, (west, _, east, _) in zip(counties, ends, strict=True):
        places = pd.concat([county.settlements.geometry, county.schools.geometry])
        assert west >= places.x.min() - 12_000 and east <= places.x.max() + 12_000
    assert len(counties[0].roads.edges) < 30 and not [key for key, _ in counties[0].notes if key == "note.no_roads"]
    with pytest.raises(CountyDataError):
        shared_roads(shared, (100.0, 20.0, 100.1, 20.1), crs="EPSG:4545")
    assert shared_roads(SharedGround(), (107, 26, 108, 27), crs="EPSG:4545") is None


def test_usage_is_checked_before_anything_is_done(tmp_path):
    with pytest.raises(ValueError, match="not both"):
        plan_province(tmp_path, tmp_path / "out", scheduler="tcp://127.0.0.1:1", workers=1)
    with pytest.raises(ValueError, match="at least 1"):
        plan_province(tmp_path, tmp_path / "out", workers=0)
    with pytest.raises(ValueError, match="lang"):
        plan_province(tmp_path, tmp_path / "out", lang="fr")
    with pytest.raises(CountyDataError):
        plan_province(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_workers_that_cannot_be_started_are_told_in_words(tmp_path, monkeypatch):
    import distributed

    def refuse(**options):
        raise RuntimeError("Nanny failed to start.") from OSError(11, "Resource temporarily unavailable")

    home = write_paper_province(tmp_path / "各县", 1)
    monkeypatch.setattr(distributed, "LocalCluster", refuse)
    with pytest.raises(ChildProcessError, match=r"cannot be started \(BlockingIOError.*temporarily unavailable\): .*--workers"):
        plan_province(home, tmp_path / "out", workers=1, lang="en")
    assert not (tmp_path / "out" / ".work").exists()


def test_states_and_stages_have_words():
    from layout.province import STATES

    for lang, state in itertools.product(messages.LANGUAGES, STATES):
        assert messages.text(f"province.state.{state}", lang)
    for lang, stage in itertools.product(
        messages.LANGUAGES, ("reading", "pupils", "candidates", "minutes", "today", "propose", "planned", "writing")
    ):
        assert messages.text(f"stage.{stage}", lang)


def test_tables_without_any_county_are_empty():
    assert len(equity_rows("nowhere", [])) == 0 and list(border_rows("nowhere", [])) == list(empty("border_pupils"))


def test_a_province_without_any_plan_still_says_why(tmp_path):
    from layout.province import _add_up, _write

    lost = [runs.Told("甲", "base", False, ({"what_zh": "坏了", "what_en": "broken", "remedy_zh": "", "remedy_en": ""},))]
    found = _add_up(SharedGround(), tmp_path / "各县", tmp_path, [], lost, None)
    (tmp_path / "tables").mkdir()
    _write(found, tmp_path, "en")
    assert found.counties["state"].tolist() == ["failed"] and found.problems["what_en"].tolist() == ["broken"]
    assert "broken" in (tmp_path / "province.html").read_text(encoding="utf-8") and (tmp_path / "province.xlsx").is_file()
    assert "Province" in repr(found) and "各县" in found._repr_html_()


# --- what machines do


def small(tmp_path, count):
    return write_paper_province(tmp_path / "各县", count)


@pytest.fixture(scope="session")
def quiet(tmp_path_factory):
    """Return what two paper counties come to where nothing disturbs the run."""
    folder = tmp_path_factory.mktemp("quiet")
    plan_province(small(folder, 2), folder / "out", workers=2, to=2026)
    return folder / "out"


@pytest.mark.slow
def test_a_worker_killed_on_the_way_changes_no_byte_of_the_tables(tmp_path, quiet):
    home = small(tmp_path, 2)
    killed = []

    def kill(step):
        # in the midst of writing as well as of planning
        if (step.state, step.stage) in (("stage", "minutes"), ("stage", "writing")) and len(killed) < 2 and step.stage not in [k[1] for k in killed]:
            killed.append((step.county, step.stage))
            os.kill(step.worker, signal.SIGKILL)
        steps.append(step)

    steps = []
    found = plan_province(home, tmp_path / "killed", workers=2, to=2026, progress=kill)
    assert len(killed) == 2 and [s for s in steps if s.state == "again"]
    assert set(found.counties["state"]) == {"done"}
    calm, loud = tables_of(quiet), tables_of(tmp_path / "killed")
    assert set(calm) == set(loud) and [name for name in calm if calm[name] != loud[name]] == []
    whole = [contents(quiet), contents(tmp_path / "killed")]
    assert [n for n in whole[0] if whole[0][n] != whole[1].get(n)] == []


@pytest.mark.slow
def test_a_county_whose_worker_is_always_lost_is_given_up_and_the_others_are_done(tmp_path):
    home = small(tmp_path, 3)
    begun = []

    def kill(step):
        if step.county == "1县" and step.state in ("begun", "again"):
            begun.append(step.worker)
            os.kill(step.worker, signal.SIGKILL)

    found = plan_province(home, tmp_path / "out", workers=1, to=2026, progress=kill)
    states = dict(zip(found.counties["county"], found.counties["state"], strict=True))
    assert states == {"0县": "done", "1县": "failed", "2县": "done"} and 2 <= len(begun) <= 5
    assert "丢失" in found.problems["what_zh"].iloc[0]
    again = plan_province(home, tmp_path / "out", workers=1, to=2026, resume=True)
    assert set(again.counties["state"]) == {"done"}


@pytest.mark.slow
def test_stopped_and_resumed_it_redoes_only_what_is_missing_or_changed(tmp_path, quiet):
    home, out = small(tmp_path, 2), tmp_path / "out"

    def stop(step):
        if step.state == "done":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan_province(home, out, workers=1, to=2026, progress=stop)
    assert not (out / ".work").exists() and not [p for p in psutil.Process().children(recursive=True) if "spawn" in " ".join(p.cmdline())]
    done = sorted(p.parent.name for p in (out / "runs").glob("*/*.json"))
    assert len(done) == 1
    steps = []
    plan_province(home, out, workers=1, to=2026, resume=True, progress=steps.append)
    assert sorted(s.county for s in steps if s.state == "kept") == done
    assert sorted(s.county for s in steps if s.state == "begun") == sorted({"0县", "1县"} - set(done))
    assert tables_of(out) == tables_of(quiet)
    # one county changes: only it is planned again; nothing changes: nobody works
    text = (home / "1县" / "county.toml").read_text(encoding="utf-8")
    (home / "1县" / "county.toml").write_text(text.replace("纸上1县", "改名县"), encoding="utf-8")
    steps.clear()
    found = plan_province(home, out, workers=1, to=2026, resume=True, progress=steps.append)
    assert {s.county for s in steps if s.state == "begun"} == {"1县"} and "改名县" in found.counties["county_name"].tolist()
    steps.clear()
    plan_province(home, out, workers=1, to=2026, resume=True, progress=steps.append)
    assert {s.state for s in steps} == {"kept"}
    # a county that is taken away leaves the tables too
    shutil.rmtree(home / "0县")
    found = plan_province(home, out, workers=1, to=2026, resume=True)
    assert found.counties["county"].tolist() == ["1县"]
    assert sorted(p.name for p in (out / "tables" / "summary").iterdir()) == ["county=1县"]


@pytest.mark.slow
def test_scenarios_stand_beside_the_plain_plan(tmp_path):
    home = small(tmp_path, 2)
    (tmp_path / "情景").mkdir()
    (tmp_path / "情景" / "雨季.toml").write_text('format = 1\nseason = "rain"\n', encoding="utf-8")
    found = plan_province(home, tmp_path / "out", workers=2, to=2026, scenarios=tmp_path / "情景", lang="en")
    assert found.counties[["county", "scenario", "state"]].values.tolist() == [
        ["0县", "base", "done"], ["0县", "雨季", "done"], ["1县", "base", "done"], ["1县", "雨季", "done"]
    ]  # fmt: skip
    mean = found.equity[(found.equity["view"] == "today") & (found.equity["band"] == "lower")].groupby("scenario")["mean"].mean()
    assert mean["雨季"] > mean["base"]
    page = (tmp_path / "out" / "province.html").read_text(encoding="utf-8")
    assert json.loads(page.split('id="plan-data">')[1].split("</script>")[0])["scenarios"] == ["base", "雨季"]


def started(folder, *command):
    log = (folder / f"{command[1]}-{time.monotonic_ns()}.log").open("w", encoding="utf-8")
    return subprocess.Popen([sys.executable, "-m", "dask", *command[1:]], stdout=log, stderr=log, cwd=folder)


@pytest.mark.slow
def test_a_real_scheduler_and_two_workers_as_processes_of_their_own(tmp_path, quiet):
    home = small(tmp_path, 2)
    note = tmp_path / "scheduler.json"
    processes = [started(tmp_path, "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(note))]
    try:
        until = time.monotonic() + 60
        while not note.is_file() and time.monotonic() < until:
            time.sleep(0.2)
        address = json.loads(note.read_text(encoding="utf-8"))["address"]
        for _ in range(2):
            processes.append(started(tmp_path, "dask", "worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"))
        steps = []
        found = plan_province(home, tmp_path / "afar", scheduler=address, to=2026, progress=steps.append)
        assert set(found.counties["state"]) == {"done"}
        workers = {s.worker for s in steps if s.worker}
        family = {p.pid for q in processes[1:] for p in (psutil.Process(q.pid), *psutil.Process(q.pid).children(recursive=True))}
        assert len(workers) == 2 and workers <= family
        # the workers go on living, and the scheduler takes another run, until it is killed itself
        assert all(p.poll() is None for p in processes)

        def kill(step):
            if step.state == "done":
                processes[0].kill()

        with pytest.raises(ConnectionError, match="断了"):
            plan_province(home, tmp_path / "cut", scheduler=address, to=2026, progress=kill)
        certified = sorted((tmp_path / "cut" / "runs").glob("*/*.json"))
        assert 1 <= len(certified) <= 2 and not (tmp_path / "cut" / ".work").exists()
    finally:
        for p in reversed(processes):
            p.terminate()
        for p in processes:
            p.wait(30)
    plan_province(home, tmp_path / "cut", workers=1, to=2026, resume=True)
    assert tables_of(tmp_path / "afar") == tables_of(quiet) == tables_of(tmp_path / "cut")
    with pytest.raises(ConnectionError, match="dask scheduler"):
        plan_province(home, tmp_path / "afar", scheduler=address, to=2027)


@pytest.mark.slow
def test_the_command_lists_what_failed_and_ends_with_one(tmp_path):
    home = small(tmp_path, 1)
    bad_county(home / BROKEN)
    result = CliRunner().invoke(app, ["province", str(home), "--out", str(tmp_path / "out"), "--workers", "1", "--to", "2026", "--draws", "0"])
    assert result.exit_code == 1, result.output
    assert f"{BROKEN} base 没有规划" in result.output and "1066" in result.output and "1/2 项有规划，1 项没有" in result.output
    assert (tmp_path / "out" / "counties" / "0县" / "base" / "map.html").is_file() and (tmp_path / "out" / "province.html").is_file()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_stopped_by_the_keyboard_the_command_says_how_to_go_on(tmp_path):
    home = small(tmp_path, 2)
    command = [
        sys.executable,
        "-m",
        "layout",
        "province",
        str(home),
        "--out",
        str(tmp_path / "out"),
        "--workers",
        "1",
        "--to",
        "2026",
        "--draws",
        "0",
        "--lang",
        "en",
    ]
    # as a terminal does it: the signal goes to the workers too; and whatever started the tests may have it ignored
    options = {"start_new_session": True, "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", **options) as process:
        for line in process.stdout:
            if ": done" in line:
                os.killpg(process.pid, signal.SIGINT)
                break
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 130 and "go on with --resume" in said and "Traceback" not in said
    assert not (tmp_path / "out" / ".work").exists()
    result = subprocess.run([*command, "--resume"], capture_output=True, text=True, encoding="utf-8", check=False)
    assert result.returncode == 0 and ": kept" in result.stdout and "2 of 2 runs have a plan" in result.stdout
