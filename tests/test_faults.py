"""What machines do to a run: full disks, cut files, Ctrl-C, missing rights, odd clocks and locales, little memory, two runs at once."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from test_workbook import hand_plan

from conftest import make_paper
from layout import outputs
from layout.county import read_county, write_county
from layout.exports import export_plan
from layout.outputs import FILES, write_map, write_plan
from layout.plan import Plan
from layout.saved_plan import read_plan
from layout.tables import CountyDataError

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="faults are made with the means of POSIX")
# a fault, then the command line as it is started
_FAULT = "import resource, signal, sys, os, pathlib, shutil\n{fault}\nfrom layout.cli import main\nsys.argv = ['layout', *sys.argv[1:]]\nmain()\n"


def contents(folder):
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def command(*arguments, cwd, fault="", **environment):
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "LAYOUT_LANG": "en"} | environment
    env = {name: value for name, value in env.items() if value is not None}
    code = _FAULT.format(fault=fault)
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=cwd, env=env, capture_output=True, check=False, timeout=570)


def said(run):
    text = (run.stdout + run.stderr).decode("utf-8", "replace")
    assert "Traceback" not in text, text
    return text


def in_a_process(work):
    """Run work in a process of its own; return how it ended, in one line."""
    out, into = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            work()
            line = "done"
        except BaseException as error:
            line = f"{'OSError' if isinstance(error, OSError) else type(error).__name__}: {error}"
        os.write(into, line.encode()[:400])
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        line = pipe.read().decode()
    os.waitpid(process, 0)
    return line


@pytest.fixture(scope="module")
def plan():
    return hand_plan()


@pytest.fixture(scope="module")
def saved(tmp_path_factory, plan):
    folder = tmp_path_factory.mktemp("saved") / "县"
    write_plan(plan, folder)
    return folder


@pytest.fixture
def folder(tmp_path, saved):
    shutil.copytree(saved, tmp_path / "我的 县" / "县")
    return tmp_path / "我的 县" / "县"


# --- the disk is full


def limit_files(size):
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [500, 30_000, 70_000, 200_000, 460_000])
def test_a_disk_that_fills_leaves_the_earlier_plan(folder, plan, size):
    before = contents(folder.parent)

    def work():
        limit_files(size)
        write_plan(plan, folder)

    assert in_a_process(work).startswith("OSError: ")
    assert contents(folder.parent) == before
    assert read_plan(folder).summary.equals(plan.summary)


@pytest.mark.parametrize("format", ["gpkg", "parquet", "shp", "kml", "csv"])
def test_an_export_is_whole_or_not_there(tmp_path, plan, format):
    """The largest file of each format is cut by one byte more than fits."""
    whole = export_plan(plan, tmp_path / "whole", formats=[format])
    largest = max(path.stat().st_size for path in whole.values())

    def work():
        limit_files(largest - 1)
        export_plan(plan, tmp_path / "gis", formats=[format])

    assert in_a_process(work).startswith("OSError: ")
    assert contents(tmp_path / "gis") == {}


def test_a_full_disk_is_told_in_words_by_the_command(folder):
    before = contents(folder)
    run = command("map", folder, cwd=folder.parent, fault="resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))")
    assert run.returncode == 2 and "Earlier results are unchanged" in said(run)
    assert contents(folder) == before


@pytest.fixture
def small_disk(tmp_path):
    home = tmp_path / "disk"
    home.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2200k", "none", str(home)], check=False, capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("a small disk may not be mounted here")
    yield home
    subprocess.run(["umount", str(home)], check=True)


def test_a_real_small_disk(small_disk, plan, saved):
    shutil.copytree(saved, small_disk / "县")
    before = contents(small_disk)
    assert in_a_process(lambda: write_plan(plan, small_disk / "县")).startswith("OSError: ")
    assert contents(small_disk) == before


# --- files cut short


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_plan_with_a_file_cut_short(folder, plan, name, share):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * share)])
    if name in ("map.html", "plan.xlsx", "report.docx"):
        # these are for people: a plan is read from its tables
        assert read_plan(folder).summary.equals(plan.summary)
    else:
        with pytest.raises(CountyDataError) as error:
            read_plan(folder)
        assert {p.file.split("/")[-1] for p in error.value.problems} == {name}
        run = command("map", folder, cwd=folder.parent) if share == 0.5 else None
        assert run is None or (run.returncode == 1 and name in said(run))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A county folder with every kind of file."""
    folder = tmp_path_factory.mktemp("inputs") / "县"
    shutil.copytree(ROOT / "data" / "sample", folder)
    (folder / "standards.toml").write_text('"privacy.small_count" = 12\n', encoding="utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize(
    "name", ["county.toml", "county.xlsx", "roads.gpkg", "terrain.tif", "boundary.geojson", "exclusions.geojson", "standards.toml"]
)
def test_an_input_cut_short_is_named_or_still_whole(tmp_path, inputs, name, share):
    shutil.copytree(inputs, tmp_path / "县")
    data = (inputs / name).read_bytes()
    (tmp_path / "县" / name).write_bytes(data[: int(len(data) * share)])
    try:
        found = read_county(tmp_path / "县")
    except CountyDataError as error:
        assert name in {p.file for p in error.problems} and all(p.line("zh") and p.line("en") for p in error.problems)
    else:
        # what was cut says nothing: a comment, a line end, or a setting that has a default
        assert name in ("county.toml", "standards.toml", "boundary.geojson", "exclusions.geojson", "terrain.tif") and len(found.settlements)
        if name == "terrain.tif":
            assert share == 0.999


# --- Ctrl-C

# the n-th time that something is put in its place, somebody presses Ctrl-C
_PRESS = """
count = 0
def pressing(of):
    def step(*a, **k):
        global count
        count += 1
        if count == {moment}: os.kill(os.getpid(), signal.SIGINT)
        return of(*a, **k)
    return step
pathlib.Path.rename, pathlib.Path.replace = pressing(pathlib.Path.rename), pressing(pathlib.Path.replace)
"""


def test_ctrl_c_at_any_step_of_writing_leaves_a_whole_plan(folder, plan):
    import dataclasses

    later = dataclasses.replace(plan, manifest={**plan.manifest, "note": "later"})
    seen = []
    for moment in range(1, 12):

        def work(moment=moment):
            count = 0

            def pressing(of):
                def step(*arguments, **named):
                    nonlocal count
                    count += 1
                    if count == moment:
                        os.kill(os.getpid(), signal.SIGINT)
                    return of(*arguments, **named)

                return step

            for writer in ("save_map", "write_workbook", "write_report"):
                setattr(outputs, writer, lambda _plan, path, **_: Path(path).write_bytes(b"new"))
            Path.rename, Path.replace = pressing(Path.rename), pressing(Path.replace)
            write_plan(later, folder)

        ended = in_a_process(work)
        found = read_plan(folder)
        assert found.summary.equals(plan.summary)
        seen.append("note" in found.manifest)
        left = sorted(p.name for p in folder.parent.iterdir())
        # a whole new plan may wait beside the old one; the next run takes it away
        assert left in (["县"], ["县", "县.new"])
        if ended == "done":
            break
        assert ended.startswith("KeyboardInterrupt")
    assert ended == "done" and left == ["县"] and len(seen) >= 4 and seen[0] is False and seen[-1] is True


@pytest.mark.slow
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_ctrl_c_on_the_command_line(folder, moment):
    assert command("map", folder, cwd=folder.parent).returncode == 0
    before = contents(folder)
    run = command("map", folder, cwd=folder.parent, fault=_PRESS.format(moment=moment))
    text = said(run)
    assert (run.returncode == 130 and "Stopped" in text) if run.returncode else moment > 1
    assert contents(folder) == before, "a map is drawn the same every time, or not at all"
    assert not [p for p in folder.iterdir() if p.name.startswith(".layout-")]


@pytest.mark.slow
def test_ctrl_c_while_it_plans(tmp_path):
    write_county(make_paper(), tmp_path / "county")
    fault = "import layout.plan as p\nmade = p.check\n" + (
        "count = 0\ndef check(*a, **k):\n    global count\n    count += 1\n    if count == 3: os.kill(os.getpid(), signal.SIGINT)\n    return made(*a, **k)\np.check = check"
    )
    run = command("plan", "county", "--draws", "0", "--out", "out", cwd=tmp_path, fault=fault)
    assert run.returncode == 130 and "Stopped" in said(run)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["county"]


# --- rights


def unprivileged():
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


def test_no_right_to_write_is_told_and_changes_nothing(tmp_path, plan, saved):
    # everybody may walk here, nobody else may write
    home = Path(tempfile.mkdtemp(dir=tempfile.gettempdir()))
    try:
        shutil.copytree(saved, home / "县")
        for path in (home, home / "县"):
            path.chmod(0o555)
        before = contents(home)

        def work():
            unprivileged()
            write_plan(plan, home / "县")

        assert in_a_process(work).startswith("OSError: ")

        def draw():
            unprivileged()
            write_map(plan, home / "县")

        assert in_a_process(draw).startswith("OSError: ")
        assert contents(home) == before
    finally:
        for path in (home, home / "县"):
            path.chmod(0o755)
        shutil.rmtree(home)


# --- two at once


def test_two_plans_into_one_folder_at_once(tmp_path, plan, monkeypatch):
    """Whoever comes last is there, whole; nobody fails, nothing stays behind, other people's files stay."""
    for writer in ("save_map", "write_workbook", "write_report"):
        monkeypatch.setattr(outputs, writer, lambda _plan, path, **_: Path(path).write_bytes(b"new"))
    template = tmp_path / "template"
    plan.save(template)

    def save(self, folder):
        for name in ("plan.gpkg", "manifest.json"):
            shutil.copyfile(template / name, folder / name)

    monkeypatch.setattr(Plan, "save", save)
    home = tmp_path / "maps" / "县"
    write_plan(plan, home)
    (home / "笔记.docx").write_bytes(b"mine")
    ends = []
    processes = []
    for number in range(3):
        out, into = os.pipe()
        process = os.fork()
        if process == 0:
            line = "done"
            try:
                for _ in range(12):
                    write_plan(plan, home)
            except BaseException as error:
                line = f"{number}: {type(error).__name__}: {error}"
            os.write(into, line.encode()[:300])
            os._exit(0)
        os.close(into)
        processes.append((process, out))
    for process, out in processes:
        with os.fdopen(out, "rb") as pipe:
            ends.append(pipe.read().decode())
        os.waitpid(process, 0)
    assert ends == ["done"] * 3
    assert read_plan(home).summary.equals(plan.summary)
    assert sorted(p.name for p in home.parent.iterdir()) == ["县"] and (home / "笔记.docx").read_bytes() == b"mine"


# --- clocks, locales, paths, memory


@pytest.mark.slow
def test_neither_clock_nor_locale_nor_folder_changes_a_byte(tmp_path, folder):
    """Years before and after ours, Chinese and Turkish settings, a folder with spaces and Chinese."""
    home = folder.parent
    assert command("map", folder, cwd=home).returncode == 0
    want = contents(folder)["map.html"]
    places = tmp_path / "locales"
    places.mkdir()
    settings = [{"SOURCE_DATE_EPOCH": "1"}, {"TZ": "Pacific/Kiritimati"}]
    for name, source, charmap in (("zh_CN.GB18030", "zh_CN", "GB18030"), ("tr_TR.UTF-8", "tr_TR", "UTF-8")):
        tool = shutil.which("localedef")
        made = tool and subprocess.run([tool, "-i", source, "-f", charmap, str(places / name)], check=False, capture_output=True)
        if made and (places / name).is_dir():
            settings.append({"LC_ALL": name, "LANG": name, "LOCPATH": str(places), "PYTHONUTF8": "0", "PYTHONIOENCODING": None})
    plain = tmp_path / "plain letters"
    shutil.copytree(folder, plain)
    for number, environment in enumerate(settings):
        odd = "import time\nreal = time.time\ntime.time = lambda: real() - 1.5e9\n" if number % 2 else ""
        for place in (plain, folder):
            (place / "map.html").unlink()
            run = command("map", place, cwd=home, fault=odd, **environment)
            text = said(run)
            if place == folder and "GB18030" in environment.get("LC_ALL", ""):
                # the name of the folder is UTF-8, and the machine was told that names are not
                assert run.returncode == 2 and "language setting" in text and not (place / "map.html").exists()
                (place / "map.html").write_bytes((plain / "map.html").read_bytes())
            else:
                assert run.returncode == 0, (environment, text)
            assert contents(place)["map.html"] == want, environment
    if len(settings) < 4:
        pytest.skip("locales cannot be made here: only clocks were tried")


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [400, 700, 1000, 1400])
def test_little_memory_is_told_in_words(folder, megabytes):
    """Wherever the memory ends, the plan that is there stays whole."""
    before = contents(folder)
    run = command(
        "map",
        folder,
        cwd=folder.parent,
        fault=f"resource.setrlimit(resource.RLIMIT_AS, ({megabytes}_000_000, {megabytes}_000_000))",
        OPENBLAS_NUM_THREADS="1",
    )
    after = contents(folder)
    assert {n: h for n, h in after.items() if n != "map.html"} == {n: h for n, h in before.items() if n != "map.html"}
    read_plan(folder)
    text = (run.stdout + run.stderr).decode("utf-8", "replace")
    if run.returncode == 0:
        assert not [p for p in folder.iterdir() if p.name.startswith(".layout-")] and "Traceback" not in text, text
    elif run.returncode == 2:
        # to take the scratch folder away the system may have had no memory either
        assert "Earlier results are unchanged" in text and "Traceback" not in text, text
    else:
        # a library that finds no memory may end the process on the spot, or lose its error
        assert run.returncode in (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGKILL) or "OpenBLAS error" in text or "SystemError" in text, text


def test_random_bytes_in_every_output_never_pass_for_a_plan(folder):
    rng = random.Random(0)
    for name in ("plan.gpkg", "manifest.json"):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(rng.randbytes(len(data)))
        with pytest.raises(CountyDataError):
            read_plan(folder)
        (folder / name).write_bytes(data)
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["format"] == 1
