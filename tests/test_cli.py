"""The command line: what is printed, what is written, and the four exit codes."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import openpyxl
import osmium
import pytest
from typer.testing import CliRunner

from conftest import make_paper
from layout import messages
from layout.cli import app
from layout.county import read_county, write_county
from layout.roads import read_roads
from layout.sample import make_sample_county
from layout.solver import NoSolutionError

COMMANDS = ["demo", "new", "check", "plan", "map", "compare", "figures", "roads", "doctor"]
ROOT = Path(__file__).parents[1]
# a checkout is found from any folder, installed or not
ENV = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
FILES = ["manifest.json", "map.html", "plan.gpkg", "plan.xlsx", "report.docx"]


def run(*arguments, **env):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"LAYOUT_LANG": None, **env})


def contents(folder):
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return tmp_path / "cwd"


@pytest.fixture
def folder(tmp_path):
    write_county(make_paper(), tmp_path / "paper")
    return tmp_path / "paper"


@pytest.fixture
def faulty(folder):
    """The paper county's folder with six faults: twice the same id, minus pupils, a word for a number, no such school, setting, standard."""
    path = folder / "county.xlsx"
    book = openpyxl.load_workbook(path)

    def write(sheet, heading, row, value):
        headings = [c.value for c in book[sheet][1]]
        book[sheet].cell(row, headings.index(heading) + 1, value)

    write("村寨", "村寨编码", 3, "A")
    write("班级", "学生数", 2, -30)
    write("班级", "学校标识码", 3, "S9")
    write("学校", "教室数", 3, "六间")
    book.save(path)
    (folder / "county.toml").write_text((folder / "county.toml").read_text(encoding="utf-8") + 'nmae = "x"\n', encoding="utf-8")
    (folder / "standards.toml").write_text('"travel.limit.walk.lowr" = 25\n', encoding="utf-8")
    return folder


def test_help_names_every_command_and_loads_nothing_heavy():
    code = (
        "import sys, layout.cli; sys.exit(str({'pandas', 'geopandas', 'osmnx', 'folium', 'scipy', 'matplotlib', 'rasterio'} & set(sys.modules) or 0))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, env=ENV).stderr.strip() == b"0"
    started = time.perf_counter()
    shown = subprocess.run([sys.executable, "-m", "layout", "--help"], check=True, capture_output=True, encoding="utf-8", env=ENV)
    assert time.perf_counter() - started < 5
    assert all(f" {command} " in shown.stdout for command in COMMANDS)


def test_check_lists_every_fault_at_once_and_writes_only_its_page(faulty, here):
    before = contents(faulty)
    zh, en = run("check", faulty), run("check", faulty, "--lang", "en")
    assert (zh.exit_code, en.exit_code) == (1, 1)
    for words in (
        "编码重复",
        "不能为负数",
        "应为数字",
        "“学校”表里没有这个编码",
        "没有这个设置项",
        "没有这条标准",
        "六间",
        "S9",
        "-30",
        "travel.limit.walk.lower",
    ):
        assert words in zh.stdout, words
    for words in ("there twice", "cannot be negative", "should be a number", "no such id", "no such setting", "no such standard", "what to do"):
        assert words in en.stdout, words
    assert contents(faulty) == before and sorted(contents(here)) == ["maps/paper/check.html", "maps/paper/check.xlsx"]


def test_plan_with_faults_lists_them_and_writes_nothing(faulty, here):
    result = run("plan", faulty)
    assert result.exit_code == 1 and "编码重复" in result.stderr and "Traceback" not in result.output
    assert contents(here) == {} and not (here / "maps").exists()


def test_check_of_sound_data_says_so(folder, here):
    result = run("check", folder, "--lang", "en")
    assert result.exit_code == 0
    assert "No problems." in result.stdout and "5 settlements, 2 schools, 15 classes" in result.stdout
    assert "note: No terrain file" in result.stdout


def test_language_comes_from_the_environment_too(folder):
    assert "No problems." in run("check", folder, LAYOUT_LANG="en").stdout
    assert "没有问题" in run("check", folder).stdout


def test_new_writes_a_template_once(tmp_path):
    target = tmp_path / "new county"
    first = run("new", target)
    assert first.exit_code == 0 and str(target) in first.stdout
    assert sorted(p.name for p in target.iterdir()) == ["county.toml", "county.xlsx"]
    before = contents(target)
    second = run("new", target)
    assert second.exit_code == 1 and "已有 county.toml" in second.stderr and contents(target) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["new", "x", "--pbf", "a.pbf"], "--population, --terrain"), (["new", "x", "--name", "n"], "--name"), (["roads", "x"], "--pbf"),
        (["plan"], "DIR"), (["plan", "x", "--lang", "fr"], "fr"), (["plan", "x", "--audience", "press"], "press"),
        (["fly"], "fly"), (["plan", "x", "--to", "35"], "--to"),
    ],
)  # fmt: skip
def test_wrong_usage_is_two(here, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2 and words in result.output and contents(here) == {}


def test_a_year_before_the_base_is_wrong_usage(folder, here):
    result = run("plan", folder, "--to", 2025)
    assert result.exit_code == 2 and "2035" not in result.stderr and "必须晚于基年 2025" in result.stderr and contents(here) == {}


def test_no_folder_is_a_data_problem(here):
    for command in ("check", "plan", "map"):
        result = run(command, "nowhere")
        assert result.exit_code == 1 and "找不到这个文件夹" in result.output, command


def test_no_feasible_plan_is_three(folder, here, monkeypatch):
    def fail(*_, **__):
        raise NoSolutionError("beds")

    monkeypatch.setattr("layout.plan.make_plan", fail)
    result = run("plan", folder)
    assert result.exit_code == 3 and "没有可行的方案：beds" in result.stderr and contents(here) == {}


def test_a_full_disk_is_told_in_words(folder, here, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("layout.plan.make_plan", fail)
    result = run("plan", folder)
    assert result.exit_code == 2 and "No space left" in result.stderr and "Traceback" not in result.output


def test_memory_that_the_system_does_not_have_is_told_as_memory(folder, here, monkeypatch):
    def fail(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr("layout.plan.make_plan", fail)
    result = run("plan", folder)
    assert result.exit_code == 2 and "内存不够" in result.stderr and "Cannot allocate" not in result.stderr and contents(here) == {}


def test_doctor_finds_this_machine_fit(here):
    result = run("doctor", "--lang", "en")
    assert result.exit_code == 0 and "min x + y = 3" in result.stdout and "Ready to use." in result.stdout
    assert contents(here) == {}


def test_doctor_fails_without_a_package(here, monkeypatch):
    monkeypatch.setattr("layout.machine._PACKAGES", ("layout", "no-such-package"))
    result = run("doctor")
    assert result.exit_code == 1 and "缺失" in result.stdout and "python -m pip install" in result.stdout


@pytest.mark.parametrize("encoding", ["gbk", "ascii"])
def test_chinese_never_breaks_a_console(faulty, encoding):
    """As on a Windows console with code page 936, or through a pipe whose encoding lacks the signs."""
    env = ENV | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for arguments in (["--help"], ["check", str(faulty)]):
        shown = subprocess.run([sys.executable, "-m", "layout", *arguments], capture_output=True, env=env, check=False)
        text = (shown.stdout + shown.stderr).decode(encoding)
        assert shown.returncode == (0 if arguments == ["--help"] else 1) and "Traceback" not in text, text
        if encoding == "gbk":
            assert "数据有" in text


def test_signs_in_data_do_not_steer_the_terminal(tmp_path, here):
    folder = tmp_path / "county"
    write_county(make_paper(), folder)
    text = (folder / "county.toml").read_text(encoding="utf-8").replace("纸上县", "[red]\\u001b[2J县")
    (folder / "county.toml").write_text(text, encoding="utf-8")
    result = run("check", folder)
    assert result.exit_code == 0 and "\x1b" not in result.stdout and "[red]" in result.stdout


# --- roads


@pytest.fixture
def extract(tmp_path):
    """One road of two nodes near village A and one ten degrees away, as an .osm.pbf."""
    path = tmp_path / "province.osm.pbf"
    place = make_paper().settlements.to_crs(4326).geometry.iloc[0]
    writer = osmium.SimpleWriter(str(path))
    spots = {1: (place.x, place.y), 2: (place.x + 0.01, place.y), 3: (place.x + 10, place.y), 4: (place.x + 10.01, place.y)}
    for number, spot in spots.items():
        writer.add_node(osmium.osm.mutable.Node(id=number, location=spot))
    for number, nodes in ((1, [1, 2]), (2, [3, 4])):
        writer.add_way(osmium.osm.mutable.Way(id=number, nodes=nodes, tags={"highway": "tertiary"}))
    writer.close()
    return path


def test_roads_are_cut_to_the_county_and_read_from_then_on(folder, extract):
    result = run("roads", folder, "--pbf", extract, "--lang", "en")
    assert result.exit_code == 0 and "1 edges, 1 km" in result.stdout
    found = read_roads(folder / "roads.gpkg")
    assert len(found.edges) == 1 and found.crs == "EPSG:4545" and 900 < found.edges["length_m"].iloc[0] < 1100
    assert len(read_county(folder).roads.edges) == 1
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_roads_of_a_broken_extract_leave_the_earlier_ones(folder, tmp_path):
    broken = tmp_path / "broken.osm.pbf"
    broken.write_bytes(b"not a pbf")
    before = contents(folder)
    result = run("roads", folder, "--pbf", broken)
    assert result.exit_code == 1 and "broken.osm.pbf" in result.stderr and contents(folder) == before


def test_roads_that_would_not_be_read_are_refused(folder, extract):
    (folder / "roads.osm.pbf").write_bytes(b"")
    before = contents(folder)
    result = run("roads", folder, "--pbf", extract)
    assert result.exit_code == 2 and "roads.osm.pbf" in result.stderr and contents(folder) == before


def test_roads_online_ask_for_the_countys_own_ground(folder, monkeypatch):
    asked = {}

    def answer(polygon, *, crs=None):
        asked.update(bounds=polygon.bounds, crs=crs)
        return make_paper().roads

    monkeypatch.setattr("layout.roads.download_roads", answer)
    assert run("roads", folder, "--online").exit_code == 0
    west, south, east, north = make_paper().settlements.to_crs(4326).total_bounds
    assert asked["bounds"] == pytest.approx((west - 0.05, south - 0.05, east + 0.05, north + 0.05), abs=1e-6) and asked["crs"] == "EPSG:4545"


def test_no_network_is_told_in_words(folder, monkeypatch):
    import requests

    def fail(*_, **__):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr("osmnx.graph_from_polygon", fail)
    before = contents(folder)
    result = run("roads", folder, "--online", "--lang", "en")
    assert result.exit_code == 1 and "roads cannot be downloaded (no route)" in result.output and contents(folder) == before


# --- end to end


def test_plan_then_map_on_the_paper_county(folder, here):
    result = run("plan", folder, "--to", 2026)
    assert result.exit_code == 0, result.output
    home = here / "maps" / "纸上县"
    assert sorted(p.name for p in home.iterdir()) == FILES and [p.name for p in (here / "maps").iterdir()] == ["纸上县"]
    assert "[1/6] 预测学生" in result.stdout and str(home / "map.html") in result.stdout
    # 56 children in each of nine grades; E's 18 small children are beyond 30 minutes today
    assert "纸上县：2026年学生 504 人；超过上学时限的学生 2025年 " in result.stdout
    before = contents(home)
    (home / "map.html").unlink()
    again = run("map", folder)
    assert again.exit_code == 0 and contents(home) == before, "the same map"
    assert run("map", home).exit_code == 0, "the folder of the plan itself will do"


def test_folders_of_an_older_plan_are_told_and_made_anew(folder, here):
    home = here / "maps" / "纸上县"
    assert run("plan", folder, "--to", "2026", "--draws", "0").exit_code == 0
    assert run("export", folder, "--format", "csv").exit_code == 0 and not list(home.rglob("OLD-PLAN*"))
    later = run("plan", folder, "--to", "2027", "--draws", "0")
    assert later.exit_code == 0 and "文件夹 gis 仍是上一版规划的" in later.output and len(list(home.rglob("OLD-PLAN*"))) == 1
    assert run("export", folder, "--format", "csv").exit_code == 0 and not list(home.rglob("OLD-PLAN*"))


def test_public_edition_lies_apart_and_leaves_the_plan(folder, here):
    assert run("plan", folder, "--to", 2026).exit_code == 0
    before = contents(here / "maps" / "纸上县")
    assert run("plan", folder, "--to", 2026, "--audience", "public", "--lang", "en").exit_code == 0
    after = contents(here / "maps" / "纸上县")
    assert {k: after[k] for k in before} == before
    assert sorted(set(after) - set(before)) == ["public/map.html", "public/plan.xlsx"]
    assert run("map", folder, "--audience", "public", "--lang", "en").exit_code == 0
    assert contents(here / "maps" / "纸上县") == after


def test_public_edition_beside_the_tables_is_refused(folder, here):
    assert run("plan", folder, "--to", 2026, "--out", here / "out").exit_code == 0
    before = contents(here)
    result = run("plan", folder, "--to", 2026, "--out", here / "out", "--audience", "public")
    assert result.exit_code == 2 and "plan.gpkg" in result.stderr and contents(here) == before


def test_map_without_a_plan(folder, here):
    result = run("map", folder)
    assert result.exit_code == 1 and "manifest.json" in result.stderr and contents(here) == {}


@pytest.mark.slow
def test_demo_without_a_sample_folder_makes_the_county(here, monkeypatch):
    # as from an installed package; sixty settlements instead of three hundred keep it short
    monkeypatch.setattr("layout.sample.make_sample_county", lambda *, seed: make_sample_county(seed=seed, settlements=60))
    monkeypatch.setattr("layout.cli.__file__", str(here / "site-packages" / "layout" / "cli.py"))
    result = run("demo", "--out", here / "out", "--lang", "en")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (here / "out").iterdir()) == FILES
    last = result.stdout.strip().splitlines()[-1]
    assert "pupils in 2035; beyond the limit on the way to school" in last and last.endswith("proposals.")


@pytest.mark.slow
def test_demo_of_a_checkout_plans_data_sample(demo):
    assert demo.returncode == 0, demo.wrong
    # how long it takes is judged by benchmarks/straight_line.py, with nothing running beside it
    assert str(ROOT / "data" / "sample") in demo.said and sorted(p.name for p in demo.folder.iterdir()) == FILES


def test_every_sentence_of_the_command_line_is_used():
    text = "".join((ROOT / "layout" / name).read_text(encoding="utf-8") for name in ("cli.py", "console.py"))
    for key in messages.catalogue("zh"):
        parts = key.split(".")
        if parts[0] == "cli" and len(parts) == 2:
            assert f'"{key}"' in text, key
        elif parts[:2] == ["cli", "help"]:
            assert f'_help("{parts[2]}")' in text, key
