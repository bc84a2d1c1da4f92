"""Every example runs as it stands and ends with its answer in words."""

import os
import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
ANSWERS = {
    "01_is_my_data_complete": r"^\S+: 30\d settlements, \d+ schools, \d+ classes, no faults, 1 notes, 0 assumed columns\.$",
    "02_how_many_pupils_in_2035": r"^\S+: \d+ pupils in 2025, \d+ in 2035 \([+-]\d+%\), between \d+ and \d+ eight times in ten\.$",
    "03_how_long_is_the_way_to_school": r"^\d+ of \d+ pupils \(lower\) in \d+ settlements walk longer than 30 minutes; \d+ in \d+ settlements reach no school on foot\.$",
    "04_which_classes_are_too_big": r"^\d+ of \d+ classes are oversized in 2025 \(\d+ of them super-oversized\); if nothing is done, \d+ of \d+ in 2030\.$",
    "05_where_to_open_schools": r"^In 2035 the plan opens \d+ schools, enlarges \d+, adds beds at \d+ and keeps \d+ small ones: .* fall from (\d+) to (\d+)\.$",
    "06_map_for_the_meeting": r"^The map of \S+ is maps.meeting.map\.html \(\d\.\d MB\): open it by double-click, no network is needed\.$",
    "08_what_can_a_projection_explain": r"the province has 1\.2\d times as many at 10-14 in 2020 .* within a tenth of survival alone lie 14% and 11% of its counties",
    "09_what_lies_within_half_an_hour": r"^\d+ of 30\d settlements lie farther than 30 minutes .* cover [1-9][\d,]+ km2\. Layers: layout_reach\.gpkg$",
    "07_start_from_open_data": r"opens [1-9]\d* .*from \d+ to \d+",
}


def test_every_example_has_an_answer_to_check():
    assert [p.stem for p in EXAMPLES] == sorted(ANSWERS)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_runs_and_answers(path, tmp_path, monkeypatch, capsys):
    if path.stem.startswith(("07", "08")) and not os.environ.get("LAYOUT_REAL_DATA"):
        pytest.skip("needs the real data named by LAYOUT_REAL_DATA")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    last = capsys.readouterr().out.strip().splitlines()[-1]
    match = re.search(ANSWERS[path.stem], last)
    assert match, last
    if path.stem.startswith("05"):
        assert int(match[2]) < int(match[1]), last
    if path.stem.startswith("06"):
        assert {p.name for p in (tmp_path / "maps" / "meeting").iterdir()} == {"map.html", "plan.xlsx", "plan.gpkg", "manifest.json", "public"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_is_short_and_plain(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 55, "at most about fifty lines"
    assert "# --- change these lines" in text and "# %%" in text
    for word in ("def ", "class ", "lambda", "for "):
        assert not re.search(rf"^\s*{word}", text, re.M), f"{word.strip()}: a planner reads this"
