"""Memory goes back to the machine, and nothing else happens."""

import subprocess
import sys

import pytest

from layout.memory import give_back

_FREED = """
import numpy as np
from layout.memory import give_back
def now():
    return next(int(line.split()[1]) for line in open("/proc/self/status", encoding="ascii") if line.startswith("VmRSS"))
# small pieces, of which every thousandth is kept: what lies between them stays with the process
pieces = [np.ones(500) for _ in range(50_000)]
kept = pieces[::1000]
full = now()
del pieces
before = now()
give_back()
print(full, before, now(), sum(p.sum() for p in kept))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the C library has no such call")
def test_free_memory_between_what_is_kept_goes_back():
    found = subprocess.run([sys.executable, "-c", _FREED], capture_output=True, text=True, encoding="utf-8", check=True).stdout.split()
    full, before, after = map(int, found[:3])
    assert after < before - 50_000 and after < full - 100_000 and float(found[3]) == 50 * 500.0


def test_a_library_without_the_call_is_no_fault(monkeypatch):
    import ctypes

    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    give_back()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "CDLL", None)
    give_back()
