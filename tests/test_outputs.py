"""All files of a plan, whole or not at all, under names that every system takes."""

import hashlib
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_workbook import hand_plan

from layout import outputs
from layout.outputs import FILES, plan_folder, safe_name, write_map, write_plan
from layout.plan import read_plan


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


@pytest.mark.parametrize("broken", ["save_map", "write_workbook"])
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


@pytest.mark.parametrize("locked", FILES)
def test_a_locked_file_leaves_the_earlier_result(tmp_path, plan, monkeypatch, locked):
    """As when plan.xlsx is open in Excel on Windows: it cannot be moved away, so nothing is exchanged."""
    for writer in ("save_map", "write_workbook"):
        monkeypatch.setattr(outputs, writer, lambda _plan, path, **_: Path(path).write_bytes(b"new"))
    for name in FILES:
        (tmp_path / name).write_text(f"earlier {name}", encoding="utf-8")
    before = contents(tmp_path)
    rename = Path.rename

    def refuse(self, target):
        if self == tmp_path / locked:
            raise PermissionError("open in another program")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError, match="open in another program"):
        write_plan(plan, tmp_path)
    assert contents(tmp_path) == before


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
