"""What the documents say is so: the commands, the links, the names, the pictures."""

import dataclasses
import inspect
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "README.zh.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "PRIVACY.md",
    "maps/README.md",
    "docs/population.md",
    "docs/minutes.md",
    "docs/catchment.md",
    "docs/location.md",
    "docs/placement.md",
    "docs/map.md",
    "docs/guide.md",
    "docs/windows.md",
    "docs/province.md",
    "docs/architecture.md",
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
def test_the_library_lines_of_the_readme_run(small_ground, tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.S)[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 6
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_ground / "data", tmp_path / "data")
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "map.html").stat().st_size > 100_000


@pytest.mark.parametrize("page", ["README.md", "README.zh.md", "docs/guide.md", "docs/windows.md"])
def test_command_names_in_the_pages_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    from typer.main import get_command

    from layout.cli import app

    known = set(get_command(app).commands)
    named = set(re.findall(r"^layout (\w+)", text, re.M)) | set(re.findall(r"`layout (\w+)", text))
    assert named and named <= known, named - known
    options = {o for command in get_command(app).commands.values() for p in command.params for o in p.opts}
    asked = {o for line in re.findall(r"(?:^|`)(layout \w+[^`\n]*)", text, re.M) for o in re.findall(r"(?<=\s)(--[\w-]+|-\w)\b", line)}
    assert asked <= options, asked - options


@pytest.mark.slow
def test_the_guide_leads_from_the_workbook_to_the_report(tmp_path, monkeypatch):
    """Every command of the guide, in its order, on a county that somebody filled in."""
    import layout
    from layout.cli import app

    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    (tmp_path / "slow.toml").write_text(re.search(r"```toml\n(.*?)```", text, re.S)[1], encoding="utf-8")
    county = layout.make_sample_county(seed=1, settlements=40)
    school, homes = county.schools.query("status == 'open' and first_grade == 1").iloc[0], county.settlements["name"].head(2)
    pupils = {"姓名": ["甲甲", "乙乙"], "学校标识码": school["school_id"], "学校名称": school["name"], "年级": ["一年级", "二年级"], "现住址": homes}
    pd.DataFrame(pupils).to_excel(tmp_path / "register.xlsx", sheet_name="学生", index=False)
    commands = [line for block in re.findall(r"```\n(layout .*?)```", text, re.S) for line in block.splitlines()]
    assert [c.split()[1] for c in commands] == ["doctor", "new", "aggregate", "check", "plan", "plan", "compare", "report", "export", "map"]
    for command in commands:
        done = CliRunner().invoke(app, command.split()[1:])
        assert done.exit_code == 0, f"{command}: {done.output[-500:]}"
        if command.startswith("layout new"):
            # what an office does next
            assert {p.name for p in (tmp_path / "data" / "mycounty").iterdir()} == {"county.toml", "county.xlsx"}
            shutil.rmtree(tmp_path / "data" / "mycounty")
            layout.write_county(county, tmp_path / "data" / "mycounty")
    assert b"\xe7\x94\xb2\xe7\x94\xb2" not in b"".join(zipfile.ZipFile("counts.xlsx").read(n) for n in zipfile.ZipFile("counts.xlsx").namelist())
    made = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file() and "data" not in p.parts}
    wanted = {"counts.xlsx", "compare.html", "compare.xlsx", "report.docx", "maps/first/public/map.html"}
    wanted |= {f"maps/{name}/{file}" for name in ("first", "slow") for file in ("map.html", "plan.xlsx", "report.docx", "plan.gpkg", "manifest.json")}
    assert wanted <= made and any(name.startswith("maps/first/gis/") for name in made), wanted - made
    code = re.search(r"```python\n(.*?)```", text, re.S)[1]
    exec(compile(code, "guide.md", "exec"), {})
    assert (tmp_path / "maps" / "again" / "manifest.json").is_file()


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


@pytest.mark.parametrize("page", ["population", "minutes", "catchment", "location", "placement"])
def test_every_page_of_a_method_has_formulas_and_the_sources_that_it_names(page):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    body, sources = re.split(r"^## (?:Sources|References)$", text, flags=re.M)
    formulas = re.findall(r"^(?:    |- `|  \().*(?:=|<=|>=|min |max |sum).*$", body, re.M)
    assert len(formulas) >= 3, "the formulas stand on lines of their own"
    assert "**给规划人员的三句话。**" in body
    # a source named in the text, as (Beasley 1993) or Held, Wolfe & Crowder 1974
    named = set(re.findall(r"([A-Z][a-zé]+) \(?((?:19|20)\d\d)\b", body)) - {("Claire", "1998"), ("In", "2020")}
    lacking = {f"{name} {year}" for name, year in named if not re.search(rf"{name}\b[^.]*?.{{0,120}}\b{year}\b", sources, re.S)}
    assert lacking == set()
    assert re.search(r"\((?:19|20)\d\d\)", sources)


# what a number is counted in, or where that is told
UNIT = re.compile(
    r"minutes?|seconds?|metres?|\bm2\b|km/h|degrees?|yuan|years?|persons|people|pupils|child|seats?|beds|rooms|classes|grades?|share|ratio|percent|%"
    r"|how many|numbers? of|number a|times|relative|nodes|neighbours|unit|:func:|:data:|:class:|table ``", re.I,
)  # fmt: skip
NUMBER = re.compile(r"\b(int|float|ndarray|Series)\b")
# seeds and ids are no quantities
NO_QUANTITY = {"seed", "closed"}
# of sites it knows neither minutes nor money: costs and limits are in the caller's unit
ANY_UNIT = {"locate", "Location"}


def sections(doc):
    """Split a docstring into its sections: name -> entry -> words."""
    found, entries, entry = {}, {}, ""
    lines = inspect.cleandoc(doc).splitlines()
    for line, under in zip(lines, [*lines[1:], ""], strict=True):
        if under and set(under) == {"-"}:
            entries = found.setdefault(line, {})
        elif line and not line.startswith((" ", "-")):
            entry = line
            entries[entry] = ""
        elif line.strip() and entry in entries:
            entries[entry] += f" {line.strip()}"
    return found


def told_in_parts(thing):
    """Say whether a public name has parameters: a function, or a record."""
    return inspect.isfunction(thing) or dataclasses.is_dataclass(thing)


def untold(function):
    """Name the numbers that a docstring tells no unit of, and parameters that it does not tell at all."""
    told, signature = sections(function.__doc__), inspect.signature(function)
    words = {name.strip(): text for names, text in told.get("Parameters", {}).items() for name in names.split(",")}
    found = [f"{name} is not told" for name in signature.parameters if name not in words]
    for name, parameter in signature.parameters.items():
        if NUMBER.search(str(parameter.annotation)) and name not in NO_QUANTITY and not UNIT.search(words.get(name, "")):
            found.append(f"{name}:{words.get(name, '')}")
    returned = "".join(told.get("Returns", {}).values())
    if NUMBER.search(str(signature.return_annotation)) and not UNIT.search(returned):
        found.append(f"returns:{returned}")
    return found


def test_every_number_of_the_reference_has_its_unit():
    import layout

    public = {name: getattr(layout, name) for name in layout.__all__}
    lacking = {name: untold(thing) for name, thing in public.items() if told_in_parts(thing) and name not in ANY_UNIT}
    assert {name: found for name, found in lacking.items() if found} == {}


def test_the_audit_of_units_can_fail():
    def silent(far: float, *, more: int = 0) -> float:
        """Do something.

        Parameters
        ----------
        far
            How far.

        Returns
        -------
        float
            It.
        """

    assert untold(silent) == ["more is not told", "far: How far.", "more:", "returns: It."]


def test_every_column_with_a_number_has_a_unit():
    from layout.tables import schemas

    # numbers in an order, and values whose unit the row tells
    ordinal = {
        ("rosters", "class_no"),
        ("rounds", "stop"),
        ("remedies", "rank"),
        ("plan_regrets", "rank"),
        ("compared_proposals", "place"),
        ("province_problems", "number"),
        ("province_problems", "row"),
    }
    by_row = {("class_targets", "value"), ("class_targets", "bound")}
    by_row |= {(t, c) for t in ("compared_years", "compared_headline") for c in ("value_a", "value_b", "difference")}
    bare = {(name, c.name) for name, table in schemas().items() for c in table.columns.values() if c.dtype in ("int", "float") and not c.unit}
    assert bare == ordinal | by_row
