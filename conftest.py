"""Names that every doctest may use, and the promise that nothing is skipped where everything is there."""

import importlib.util
import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _doctest_names(request, doctest_namespace):
    if not isinstance(request.node, pytest.DoctestItem):
        return
    import numpy as np
    import pandas as pd
    from scipy import sparse

    import layout

    spec = importlib.util.spec_from_file_location("paper_county", Path(__file__).parent / "tests" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    doctest_namespace.update(np=np, pd=pd, sparse=sparse, layout=layout, paper=module.make_paper())


# ends of the reasons of tests that a machine does not permit
_NOT_PERMITTED = ("may not be mounted here", "only clocks were tried")


def pytest_sessionfinish(session, exitstatus):
    """Fail where everything is there and a test was skipped all the same (doctests that only show a call are not tests)."""
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    skipped = [r for r in reporter.stats.get("skipped", []) if r.nodeid.startswith("tests/")] if reporter else []
    # what a machine does not permit is no fault of the tests; another test tries the same by other means
    skipped = [r for r in skipped if not str(r.longrepr).rstrip("')").endswith(_NOT_PERMITTED)]
    if os.environ.get("LAYOUT_NO_SKIPS") and skipped and exitstatus == 0:
        session.exitstatus = 1
        reporter.write_line(f"LAYOUT_NO_SKIPS is set and {len(skipped)} tests were skipped: {skipped[0].nodeid}", red=True)
