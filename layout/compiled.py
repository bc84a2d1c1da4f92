"""The compiled loops, and a word to those who wait for them the first time."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import ModuleType


def loops(name: str = "kernels") -> ModuleType:
    """Return a module of compiled loops; say so in the log where they are yet to be compiled.

    Parameters
    ----------
    name
        ``kernels`` or another module of the package with such loops (``cost_surface_kernels``, ``transport_kernels``,
        ``villages_kernels``, ``location_kernels``).

    Returns
    -------
    types.ModuleType
        The module. What is compiled is kept on disk beside it, where that may be written, or in the user's cache.

    Examples
    --------
    >>> loops().NEVER
    1073741823
    """
    import importlib

    full = f"layout.{name}"
    if full not in sys.modules and not cached(name):
        logging.getLogger("layout").info("compiling inner loops (%s): some seconds, once on this machine", name)
    return importlib.import_module(full)


def cached(name: str) -> bool:
    """Say whether compiled loops of a module lie on the disk.

    Parameters
    ----------
    name
        As in :func:`loops`.

    Returns
    -------
    bool
        False where they are yet to be compiled; they may then lie somewhere that is not looked at.

    Examples
    --------
    >>> cached("no such module")
    False
    """
    import os

    places = [Path(__file__).parent / "__pycache__"]
    if os.environ.get("NUMBA_CACHE_DIR"):
        places.append(Path(os.environ["NUMBA_CACHE_DIR"]))
    return any(next(place.rglob(f"{name}.*.nbi"), None) is not None for place in places if place.is_dir())
