"""All files of a plan, whole or not at all, under names that every system takes."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_workbook import hand_plan

from layout import outputs
from layout.outputs import FILES, OLD_NOTE, made_anew, of_an_older_plan, plan_folder, safe_name, write_map, write_plan
from layout.plan import Plan
from layout.saved_plan import read_plan
from layout.tables import CountyDataError


@pytest.fixture(scope="module")
def plan():
    return hand_plan()


def contents(folder):
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_all_files_are_written_and_read_back(tmp_path, plan):
    folder = tmp_path / "maps" / "纸上县"
    paths = write_plan(plan, folder)
    assert list(paths) == list(FILES) and all(p.stat().st_size > 100 for p in paths.values())
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)
    assert [p.name for p in folder.parent.iterdir()] == ["纸上县"], "nothing half made stays behind"
    assert json.loads(paths["manifest.json"].read_text(encoding="utf-8"))["format"] == 1
    assert read_plan(folder).years == plan.years


def test_two_runs_give_the_same_bytes_and_keep_foreign_files(tmp_path, plan):
    write_plan(plan, tmp_path)
    first = contents(tmp_path)
    (tmp_path / "笔记.docx").write_bytes(b"mine")
    write_plan(plan, tmp_path)
    second = contents(tmp_path)
    assert second.pop("笔记.docx") == hashlib.sha256(b"mine").hexdigest()
    assert second == first


@pytest.mark.parametrize("broken", ["save_map", "write_workbook", "write_report"])
def test_a_failing_writer_leaves_the_earlier_result(tmp_path, plan, monkeypatch, broken):
    folder = tmp_path / "plan"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text(f"earlier {name}", encoding="utf-8")
    before = contents(tmp_path)

    def fail(_plan, path, **_):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(outputs, broken, fail)
    with pytest.raises(OSError, match="disk full"):
        write_plan(plan, folder)
    assert contents(tmp_path) == before


def test_a_failing_writer_leaves_no_new_folder(tmp_path, plan, monkeypatch):
    monkeypatch.setattr(outputs, "write_workbook", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_plan(plan, tmp_path / "a" / "b")
    assert contents(tmp_path) == {} and not (tmp_path / "a" / "b").exists()


@pytest.fixture(scope="module")
def saved(tmp_path_factory, plan):
    """The tables and manifest of the plan and of a later one, written once."""
    home = tmp_path_factory.mktemp("saved")
    plan.save(home / "plan")
    later(plan).save(home / "later")
    return home


@pytest.fixture
def stubbed(monkeypatch, saved):
    """Writers that are quick; tables and manifest are copies of real ones, each put in place in one step as they really are."""
    for writer in ("save_map", "write_workbook", "write_report"):
        monkeypatch.setattr(outputs, writer, lambda _plan, path, **_: Path(path).write_bytes(b"new"))

    def save(self, folder):
        for name in ("plan.gpkg", "manifest.json"):
            shutil.copyfile(saved / ("later" if "note" in self.manifest else "plan") / name, folder / f"{name}.part")
            (folder / f"{name}.part").replace(folder / name)

    monkeypatch.setattr(Plan, "save", save)


def later(plan):
    return dataclasses.replace(plan, manifest={**plan.manifest, "note": "later"})


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_file_held_open_is_named_and_the_new_plan_waits_beside(tmp_path, plan, monkeypatch, stubbed, lang):
    """As when plan.xlsx is open in Excel on Windows: neither it nor its folder can be renamed."""
    folder = tmp_path / "县"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text(f"earlier {name}", encoding="utf-8")
    before = contents(folder)
    rename = Path.rename

    def refuse(self, target):
        if self in (folder, folder / "plan.xlsx"):
            raise PermissionError(13, "open in another program")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        with pytest.raises(outputs.FileHeldError, match=r"plan\.xlsx.*县\.new") as caught:
            write_plan(plan, folder, lang=lang)
    assert ("WPS" in str(caught.value)) and "map.html" not in str(caught.value)
    assert contents(folder) == before and read_plan(tmp_path / "县.new").years == plan.years
    assert sorted(p.name for p in tmp_path.iterdir()) == ["县", "县.new"]
    # once it is closed the next run puts everything right
    write_plan(plan, folder)
    assert read_plan(folder).years == plan.years and [p.name for p in tmp_path.iterdir()] == ["县"]


def test_a_held_map_is_named_and_nothing_else_changes(tmp_path, plan, monkeypatch, stubbed):
    write_plan(plan, tmp_path / "县")
    before = contents(tmp_path)
    replace = Path.replace

    def refuse(self, target):
        if Path(target) == tmp_path / "县" / "map.html":
            raise PermissionError(13, "open")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(outputs.FileHeldError, match=r"map\.html"):
        write_map(plan, tmp_path / "县")
    assert contents(tmp_path) == before


def killed_writing(plan, folder, steps):
    """Write a plan in a process of its own that dies at its n-th renaming; say whether it died."""
    process = os.fork()
    if process == 0:
        count = 0

        def counted(of):
            def step(*arguments, **named):
                nonlocal count
                if count == steps:
                    os._exit(9)
                count += 1
                return of(*arguments, **named)

            return step

        Path.rename, Path.replace, shutil.rmtree = counted(Path.rename), counted(Path.replace), counted(shutil.rmtree)
        try:
            write_plan(plan, folder)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9


def test_killed_at_any_step_there_is_the_old_plan_or_the_new_one(tmp_path, plan, stubbed):
    seen, died = [], 0
    write_plan(plan, tmp_path / "old")
    for steps in range(20):
        folder = tmp_path / str(steps) / "县"
        shutil.copytree(tmp_path / "old", folder)
        (folder / "笔记.docx").write_bytes(b"mine")
        (folder / "public").mkdir()
        (folder / "public" / "map.html").write_bytes(b"public")
        if not killed_writing(later(plan), folder, steps):
            break
        died += 1
        found = read_plan(folder)
        seen.append("note" in found.manifest)
        assert found.summary.equals(plan.summary)
        # the map is drawn from one of them too, and the folder is whole again
        write_map(found, folder)
        assert ("note" in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))) == seen[-1]
        assert (folder / "笔记.docx").read_bytes() == b"mine" and (folder / "public" / "map.html").read_bytes() == b"public"
        # and the next run is as if nothing had happened
        write_plan(later(plan), folder)
        left = sorted(p.name for p in folder.parent.iterdir() if not p.name.startswith(".layout-"))
        assert left == ["县"] and json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["note"] == "later"
        assert (folder / "笔记.docx").read_bytes() == b"mine"
    assert died >= 8 and seen == sorted(seen) and {False, True} == set(seen)


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path, plan):
    code = (
        "import sys; sys.path.insert(0, 'tests'); from test_workbook import hand_plan; from layout import write_plan; p = hand_plan()\n"
        "print('ready', flush=True)\nwhile True: write_plan(p, sys.argv[1])"
    )
    folder = tmp_path / "县"
    write_plan(plan, folder)
    for wait in (0.3, 0.9, 1.7, 2.2, 3.1, 4.3):
        process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
        process.stdout.readline()
        time.sleep(wait)
        process.kill()
        process.wait()
        assert read_plan(folder).summary.equals(plan.summary)


def test_tables_of_another_plan_are_noticed(tmp_path, plan, saved):
    shutil.copytree(saved / "plan", tmp_path / "a")
    dataclasses.replace(plan, summary=plan.summary.iloc[:1]).save(tmp_path / "b")
    shutil.copyfile(tmp_path / "b" / "plan.gpkg", tmp_path / "a" / "plan.gpkg")
    with pytest.raises(CountyDataError, match="不是同一份规划"):
        read_plan(tmp_path / "a")


def test_files_of_others_move_along(tmp_path, plan, stubbed):
    folder = tmp_path / "县"
    write_plan(plan, folder)
    (folder / "批复.pdf").write_bytes(b"p")
    (folder / "附件").mkdir()
    (folder / "附件" / "a.txt").write_bytes(b"a")
    write_plan(plan, folder)
    assert (folder / "批复.pdf").read_bytes() == b"p" and (folder / "附件" / "a.txt").read_bytes() == b"a"
    assert [p.name for p in tmp_path.iterdir()] == ["县"]


@pytest.mark.parametrize("inside", [False, True])
def test_what_was_made_from_an_older_plan_says_so(tmp_path, plan, stubbed, monkeypatch, inside):
    folder = tmp_path / "县"
    write_plan(plan, folder)
    for name in ("gis", "figures", "public", "别的"):
        (folder / name).mkdir()
    for file in ("gis/规划.gpkg", "gis/我的.qgz", "figures/classes_2035.png", "public/map.html", "别的/a.txt"):
        (folder / file).write_bytes(b"old")
    if inside:
        # who stands in the folder has its files exchanged one by one
        monkeypatch.chdir(folder)
    write_plan(plan, folder)
    assert of_an_older_plan(folder) == [] and not list(folder.rglob(OLD_NOTE)), "the same plan again makes nothing old"
    write_plan(later(plan), folder)
    assert of_an_older_plan(folder) == ["gis", "figures", "public"] and not (folder / "别的" / OLD_NOTE).exists()
    said = (folder / "gis" / OLD_NOTE).read_text(encoding="utf-8-sig")
    assert "上一版规划" in said and "older plan" in said and "layout export" in said
    assert (folder / "gis" / "我的.qgz").read_bytes() == b"old" and (folder / "figures" / "classes_2035.png").read_bytes() == b"old"
    # a part made anew leaves the mark, the whole takes it off; a project of somebody's own is no part of it
    (folder / "gis" / "村寨.gpkg").write_bytes(b"old too")
    assert made_anew(folder / "gis", [folder / "gis" / "规划.gpkg"]) and "gis" in of_an_older_plan(folder)
    assert not made_anew(folder / "gis", [folder / "gis" / "规划.gpkg", folder / "gis" / "村寨.gpkg"])
    assert of_an_older_plan(folder) == ["figures", "public"]
    assert not made_anew(tmp_path / "elsewhere", []), "no mark, nothing to say"
    if not inside:
        write_plan(later(plan), folder / "public", audience="public")
        assert of_an_older_plan(folder) == ["figures"], "the public edition is made by the plan itself"


def test_the_folder_in_which_somebody_stands_stays_theirs(tmp_path, plan, monkeypatch, stubbed):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_bytes(b"m")
    inode = tmp_path.stat().st_ino
    write_plan(plan, ".")
    write_plan(plan, ".")
    assert tmp_path.stat().st_ino == inode and sorted(p.name for p in tmp_path.iterdir()) == sorted([*FILES, "mine.txt"])
    assert read_plan(".").years == plan.years


def test_public_edition_has_no_tables(tmp_path, plan):
    paths = write_plan(plan, tmp_path / "public", audience="public")
    assert list(paths) == ["map.html", "plan.xlsx"] and sorted(contents(tmp_path / "public")) == ["map.html", "plan.xlsx"]


def test_public_edition_never_lies_beside_the_tables(tmp_path, plan):
    write_plan(plan, tmp_path)
    before = contents(tmp_path)
    for write in (write_plan, write_map):
        with pytest.raises(FileExistsError, match=r"plan\.gpkg"):
            write(plan, tmp_path, audience="public")
    assert contents(tmp_path) == before


def test_map_alone(tmp_path, plan):
    write_plan(plan, tmp_path)
    before = contents(tmp_path)
    (tmp_path / "map.html").write_text("old", encoding="utf-8")
    assert write_map(plan, tmp_path) == tmp_path / "map.html"
    assert contents(tmp_path) == before, "the same plan gives the same map"


def test_unknown_audience_or_language_writes_nothing(tmp_path, plan):
    with pytest.raises(ValueError, match="audience must be one of internal, public, not 'press'"):
        write_plan(plan, tmp_path / "x", audience="press")
    with pytest.raises(ValueError, match="lang must be one of zh, en, not 'fr'"):
        write_plan(plan, tmp_path / "x", lang="fr")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("三都水族自治县", "三都水族自治县"), ("../../etc", "etc"), ("a/b\\c", "a_b_c"), ('x:*?"<>|y', "x_y"), ("CON", "CON_"),
        ("lpt1.txt", "lpt1_.txt"),
        ("", "county"), ("..", "county"), (" a. ", "a"), ("a\x00\nb", "ab"), ("e\u0301", "é"), ("a\u202eb", "ab"), ("县" * 100, "县" * 60),
    ],
)  # fmt: skip
def test_names_by_hand(name, safe):
    assert safe_name(name) == safe


@given(st.text(max_size=300))
def test_every_name_becomes_one_safe_component(name):
    safe = safe_name(name)
    assert safe and safe == unicodedata.normalize("NFC", safe) and len(safe.encode("utf-8")) <= 181
    assert not set(safe) & set('\\/:*?"<>|') and safe.isprintable() and safe not in (".", "..") and safe[-1] not in " ."
    assert safe.split(".")[0].strip().upper() not in {"CON", "NUL", "AUX", "PRN", "COM1", "LPT9"}
    assert Path(safe).name == safe
    assert safe_name(safe) == safe, "a safe name stays as it is"


def test_the_folder_stays_inside(tmp_path):
    assert plan_folder(tmp_path, "../../x") == tmp_path / "x"
    (tmp_path / "link").symlink_to(tmp_path.parent)
    with pytest.raises(ValueError, match="leads out of"):
        plan_folder(tmp_path, "link")
