"""Sums of products: what NumPy gives, to the same bit under any number of BLAS threads."""

import os
import subprocess
import sys

import numpy as np
import pytest

from layout.sums import dot, products


@pytest.mark.parametrize(("left", "right"), [((4, 3), (3, 5)), ((4, 3), (3,)), ((3,), (3, 5)), ((0, 3), (3, 5)), ((4, 0), (0, 5))])
def test_products_are_those_of_matrices(left, right):
    rng = np.random.default_rng(0)
    a, b = rng.random(left), rng.random(right)
    assert products(a, b).shape == (a @ b).shape
    assert np.allclose(products(a, b), a @ b, rtol=1e-14, atol=0)


def test_whole_numbers_are_exact():
    a = np.arange(12).reshape(3, 4)
    assert products(a, a.T).tolist() == (a @ a.T).tolist()
    assert dot(a[1], a[2]) == float(a[1] @ a[2])


_BITS = """
import numpy as np
from layout.sums import dot, products
rng = np.random.default_rng(0)
a, b, c = rng.random(200_001), rng.random(200_001) * 1e5, rng.random((1500, 100))
print(dot(a, b).hex(), products(c, c[:100, :9]).sum().hex(), products(c.T, c).sum(axis=0)[3].hex(), float(a @ b).hex())
"""


def test_the_number_of_threads_changes_no_bit():
    printed = []
    for threads in ("1", "2"):
        env = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        printed.append(subprocess.run([sys.executable, "-c", _BITS], env=env, capture_output=True, text=True, check=True).stdout.split())
    assert printed[0][:3] == printed[1][:3]
