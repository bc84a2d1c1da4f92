"""Figures are published by the benchmarks themselves, and the README quotes nothing else."""

import re
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

ROOT = Path(__file__).parents[1]
# a figure of speed, size or of how many times as good
FIGURE = re.compile(r"\d[\d.,]*\s?(?:s|ms|seconds|MB|GB|times as|times faster|秒|毫秒|倍)(?![\w])")


def runner():
    loader = SourceFileLoader("benchmarks_run", str(ROOT / "benchmarks" / "run"))
    module = module_from_spec(spec_from_loader("benchmarks_run", loader))
    loader.exec_module(module)
    return module


def unpublished(text, results):
    """Lines of a page with a figure of speed or size that the results do not have word for word."""
    return [line for line in text.splitlines() if FIGURE.search(line) and line.strip() not in results]


def test_the_readme_quotes_only_what_was_printed():
    path = ROOT / "benchmarks" / "results.md"
    results = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for page in ("README.md", "README.zh.md"):
        assert unpublished((ROOT / page).read_text(encoding="utf-8"), [line.strip() for line in results]) == []


def test_the_rule_can_fail():
    assert unpublished("all roads   3.2 s", ["all roads   3.1 s"]) and not unpublished("all roads   3.2 s", ["all roads   3.2 s"])


def test_a_run_keeps_what_was_printed_and_names_what_did_not_run(tmp_path):
    """The runner beside two small scripts: one ends well, one misses its limit."""
    (tmp_path / "run").write_bytes((ROOT / "benchmarks" / "run").read_bytes())
    (tmp_path / "good.py").write_text("print('roads 1.5 s')", encoding="utf-8")
    (tmp_path / "bad.py").write_text("import sys; print('people 9 s'); sys.exit(1)", encoding="utf-8")
    (tmp_path / "left.py").write_text("print('never')", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run"), "--write", "good.py", "bad.py"], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 1 and "failed: bad.py" in done.stderr and "roads 1.5 s" in done.stdout
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "roads 1.5 s" in page and "people 9 s" in page and "exit code 1" in page and "never" not in page
    assert "Never run: left.py." in page and "numpy " in page and "processors" in page
    assert "/" not in page.replace("benchmarks/run", ""), "no path of the machine"
    # the next run renews its own sections, and one with other arguments has a section of its own
    (tmp_path / "good.py").write_text("import sys; print('roads 2.5 s', *sys.argv[1:])", encoding="utf-8")
    subprocess.run([sys.executable, str(tmp_path / "run"), "--write", "good.py", "good.py --wide 3", "left.py"], capture_output=True, check=True)
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## bad.py", "## good.py", "## good.py --wide 3", "## left.py"]
    assert "roads 1.5 s" not in page and "people 9 s" in page and "roads 2.5 s --wide 3" in page and "never" in page
    assert "Never run: nothing." in page


def test_the_page_that_is_kept_names_every_script():
    path = ROOT / "benchmarks" / "results.md"
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        assert all(script.name in text for script in (ROOT / "benchmarks").glob("*.py"))
    assert runner().SAMPLE.keys() <= {script.name for script in (ROOT / "benchmarks").glob("*.py")}
