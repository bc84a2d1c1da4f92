"""The ranges and licences of what the package needs are written once each, and agree."""

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
# what the chosen part of the tests does not need: the map in a browser, many counties, lint and docs
LEFT_OUT = {"playwright", "dask"}


def ranges():
    """Least version by package and extra ('' for what everybody needs)."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lists = {"": setup["options"]["install_requires"], **setup["options.extras_require"]}
    for extra, lines in lists.items():
        for line in lines.strip().splitlines():
            name, least = re.fullmatch(r"([A-Za-z0-9-]+)(?:\[\w+\])?(?:>=([\d.]+))?(?:;.*)?", line.strip()).groups()
            yield extra, name.lower(), least


def padded(version):
    return [*map(int, version.split(".")), 0, 0][:3]


def test_the_file_of_least_versions_is_that_of_setup():
    lines = [line for line in (ROOT / "requirements" / "lowest.txt").read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    held = {name.lower(): version for name, version in (line.split("==") for line in lines)}
    wanted = {name: least for extra, name, least in ranges() if extra != "dev" and name not in LEFT_OUT}
    assert None not in wanted.values() and set(held) == set(wanted)
    assert {n: padded(v) for n, v in held.items()} == {n: padded(v) for n, v in wanted.items()}


def test_every_package_has_its_purpose_and_licence():
    table = [line.split("|") for line in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    for extra, name, _ in ranges():
        rows = [row for row in table if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", row[1].lower())]
        assert rows and rows[0][2].strip() and rows[0][3].strip(), f"{name} {extra}"


def test_ci_runs_both_ends():
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "pip install -q -r requirements/lowest.txt" in text and 'python -m pip install -e ".[test]"' in text
