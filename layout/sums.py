"""Sums of products that come out the same, to the last bit, however many processors there are."""

from __future__ import annotations

import numpy as np


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Return the sum of products of two rows of numbers.

    NumPy's own product leaves long rows to BLAS, which splits them among its threads: the last digits then depend on how many there are, and
    with them what a search finds.

    Parameters
    ----------
    a, b
        One length.

    Returns
    -------
    float
        Added up pairwise, in one order.

    Examples
    --------
    >>> dot(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    11.0
    """
    return float(np.multiply(a, b).sum())


def products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the product of two matrices, or of one with a row of numbers on either side, as ``a @ b`` without BLAS.

    Parameters
    ----------
    a, b
        Of one or two dimensions; the last of ``a`` is as long as the first of ``b``.

    Returns
    -------
    numpy.ndarray
        Each of its numbers is added up in the order of that dimension.

    Examples
    --------
    >>> products(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([3.0, 4.0])).tolist()
    [11.0, 4.0]
    """
    left, right = "ij"[2 - np.ndim(a) :], "jk"[: np.ndim(b)]
    return np.asarray(np.einsum(f"{left},{right}->{left[:-1]}{right[1:]}", a, b, optimize=False))
