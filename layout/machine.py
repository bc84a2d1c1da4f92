"""What the program needs of the machine it runs on."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge", "microsoft-edge")
# where roads are asked for online, and for how long an answer is waited for
_HOSTS, _PATIENCE_S = ("overpass-api.de", "nominatim.openstreetmap.org"), 5.0
_PACKAGES = ("layout", "numpy", "pandas", "scipy", "geopandas", "shapely", "pyproj", "pyogrio", "rasterio", "osmium", "osmnx", "networkx", "folium",
             "highspy", "xlsxwriter", "python-calamine", "python-docx", "typer", "rich")  # fmt: skip


def examinations() -> Iterator[tuple[str, str, bool, bool]]:
    """Look at everything that the program needs.

    Yields
    ------
    tuple
        What was looked at, what was found, whether it is good, and whether nothing goes without it.

    Examples
    --------
    >>> next(iter(examinations()))[0]
    'python'
    """
    version = platform.python_version()
    yield "python", f"{version} {platform.system()} {platform.machine()}", sys.version_info >= (3, 11), True
    for package in _PACKAGES:
        found = _version(package)
        yield "package", f"{package} {found}", bool(found), True
    yield "solver", *_solves(), True
    yield "write", str(Path.cwd()), _may_write(Path.cwd()), True
    drawing = _version("matplotlib")
    yield "print", f"matplotlib {drawing}", bool(drawing), False
    font = _cjk_font()
    yield "font", font, bool(font), False
    browser = next((path for path in map(shutil.which, _BROWSERS) if path), "")
    yield "browser", browser, bool(browser), False
    yield "console", sys.stdout.encoding or "", _shows_chinese(), False


def connections() -> Iterator[tuple[str, str, bool, bool]]:
    """Look whether the servers can be reached from which roads are taken when asked to.

    Yields
    ------
    tuple
        As of :func:`examinations`: ``network``, the host, whether it answers, False.
    """
    for host in _HOSTS:
        try:
            with socket.create_connection((host, 443), timeout=_PATIENCE_S):
                good = True
        except OSError:
            good = False
        yield "network", host, good, False


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        if package == "layout":
            import layout

            # run from a checkout that was never installed
            return layout.__version__
        return ""


def _solves() -> tuple[str, bool]:
    if importlib.util.find_spec("highspy") is None:
        return "", False
    import numpy as np
    from scipy import sparse

    from layout.programs import solve
    from layout.solver import Program

    # the least of x + y with 2x + 3y >= 7 in whole numbers: 3, as x = 2 and y = 1
    program = Program(np.zeros(2), np.full(2, 9.0), np.ones(2, bool), sparse.csr_matrix([[2.0, 3.0]]), np.array([7.0]), np.array([np.inf]))
    answer = solve(program, {"sum": np.array([1.0, 1.0])})
    return f"min x + y = {answer.values.sum():g}", answer.values.sum() == 3


def _may_write(folder: Path) -> bool:
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _cjk_font() -> str:
    from layout.figures import chinese_font

    return chinese_font()


def _shows_chinese() -> bool:
    try:
        "县".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
