"""What the documents say is so: the commands, the links, the names, the pictures."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "README.zh.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "maps/README.md",
    "docs/population.md",
    "docs/minutes.md",
    "docs/catchment.md",
    "docs/location.md",
    "docs/placement.md",
    "docs/map.md",
    "docs/province.md",
]
COMMANDS = ['python -m pip install -e ".[test]" && layout demo', 'python -m pip install -e ".[test]" && pytest']


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_readme_opens_with_the_two_commands(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    places = [text.index(command) for command in COMMANDS]
    assert places == sorted(places)
    assert text[: places[0]].count("\n") < 30, "the commands stand at the top"


def test_ci_runs_exactly_the_commands_of_the_readme():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line in COMMANDS] == COMMANDS


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_are_there(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (path.parent / target).exists(), f"{page}: {target}"


@pytest.mark.slow
def test_the_library_lines_of_the_readme_run(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.S)[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 6
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "map.html").stat().st_size > 100_000


def test_command_names_in_the_readme_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    from typer.main import get_command

    from layout.cli import app

    known = set(get_command(app).commands)
    named = set(re.findall(r"^layout (\w+)", text, re.M)) | set(re.findall(r"`layout (\w+)", text))
    assert named and named <= known, named - known


def test_every_dependency_has_its_line_in_contributing():
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    block = re.search(r"install_requires =\n((?:    .+\n)+)", setup)[1]
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("|")]
    for name in re.findall(r"^\s+([a-zA-Z-]+)", block, re.M):
        assert any(name in line.split("|")[1] for line in table), name


def test_no_word_of_the_workplace():
    banned = re.compile(r"(?<![\w.])/(work|root|home|tmp)/|\bpypi\.org|registry\.npmjs|files\.pythonhosted", re.I)
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        ours = path.suffix in {".py", ".md", ".cfg", ".toml", ".js", ".css"} and not inside.parts[0].startswith((".git", ".venv", "build"))
        if ours and path.name != "test_docs.py" and "leaflet" not in path.name:
            assert not banned.search(path.read_text(encoding="utf-8")), inside


def test_the_reference_has_every_public_name_once():
    import layout

    named = re.findall(r"^\.\. auto(?:class|function):: layout\.(\w+)$", (ROOT / "docs" / "api.rst").read_text(encoding="utf-8"), re.M)
    assert sorted(named) == sorted(layout.__all__)


def test_every_page_of_the_methods_is_in_the_guide():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^(\w+)$", index, re.M))
    assert {path.stem for path in (ROOT / "docs").glob("*.[mr][ds]*")} - {"index"} <= listed
