"""Cost distance against peers in the same run.

Prints a table and ends with an error where a limit is missed: on 3000 x 3000 cells of rugged ground, walked by Tobler's
function, eight neighbours at least 1.8 times as fast as skimage.graph.MCP_Geometric (which knows no slope) and with knight's
moves at least 1.3 times. Medians of runs that take turns, after compilation. On 1000 x 1000 scipy's csgraph, which is given
the same moves as edges, shows that the minutes are the same. Peak memory is that of a process that does ours only.
"""

import functools
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from skimage.graph import MCP_Geometric

import layout
from layout.terrain import tobler_factor

CELL = 30.0
LIMITS = {"ours, 8 neighbours": 1.8, "ours, 16 with knight's moves": 1.3}
RUNS = {1000: 5, 3000: 3}


@functools.cache
def ground(size):
    """Hills upon hills, mean slope about 0.2, and speeds from 2 to 5 km/h."""
    rng = np.random.default_rng(0)
    z = np.zeros((size, size))
    wave = size
    while wave > 4:
        # every finer layer is half as wide and a little more than half as high
        knots = size // wave + 4
        z += zoom(rng.normal(0, 0.05 * CELL * wave**0.9, (knots, knots)), wave, order=3, grid_mode=True, mode="nearest")[:size, :size]
        wave //= 2
    return z, rng.uniform(2, 5, (size, size))


def ours(size, knight):
    z, speed = ground(size)
    return lambda: layout.cost_distance(z, speed, [(size // 2, size // 2)], cell_m=CELL, knight=knight)


def skimage(size):
    _, speed = ground(size)
    return lambda: MCP_Geometric(0.06 / speed * CELL).find_costs([(size // 2, size // 2)])[0]


def csgraph(size):
    z, speed = ground(size)
    pace, index = 0.06 / speed, np.arange(size * size).reshape(size, size)

    def run():
        ends, costs = [], []
        for a, b in ((0, 1), (1, 0), (1, 1), (1, -1)):
            here = (slice(0, size - a), slice(max(-b, 0), size - max(b, 0)))
            there = (slice(a, size), slice(max(b, 0), size + min(b, 0)))
            length = CELL * np.hypot(a, b)
            for start, end in ((here, there), (there, here)):
                # towards the source: the graph is searched against the direction of travel
                slope = (z[start] - z[end]) / length
                ends.append((index[start].ravel(), index[end].ravel()))
                costs.append((length * (pace[start] + pace[end]) / 2 / tobler_factor(slope)).ravel())
        rows, columns = (np.concatenate(e) for e in zip(*ends, strict=True))
        graph = csr_array((np.concatenate(costs), (rows, columns)), shape=(size * size, size * size))
        return dijkstra(graph, indices=size // 2 * size + size // 2).reshape(size, size)

    return run


def peak(size):
    # the kernel's own mark of the process: the one of getrusage begins at that of the parent
    code = f"""
import re, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import numpy as np, layout
mark = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
size = {size}
z, speed = np.tile(np.sin(np.arange(size) / 9) * 30, (size, 1)), np.full((size, size), 4.0)
layout.cost_distance(z[:5, :5], speed[:5, :5], [(0, 0)], cell_m=30)
before = mark()
layout.cost_distance(z, speed, [(size // 2, size // 2)], cell_m=30)
print(mark() - before)
"""
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, encoding="utf-8").stdout)


ours(5, True)()
missed = []
for size, runs in RUNS.items():
    engines = {"skimage MCP_Geometric, 8, no slope": skimage(size), **dict(zip(LIMITS, (ours(size, False), ours(size, True)), strict=True))}
    if size == 1000:
        engines["scipy csgraph, 8, building included"] = csgraph(size)
    seconds = {name: [] for name in engines}
    answers = {}
    for _ in range(runs):
        for name, run in engines.items():
            start = time.perf_counter()
            answers[name] = run()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: float(np.median(s)) for name, s in seconds.items()}
    peer = next(iter(medians.values()))
    z, _ = ground(size)
    slope = np.hypot(*np.gradient(z, CELL)).mean()
    print(f"{size} x {size}, mean slope {slope:.2f}")
    for name, value in medians.items():
        limit = LIMITS.get(name) if size == 3000 else None
        verdict = "" if limit is None else ("ok" if peer / value >= limit else "MISSED")
        asked = "" if limit is None else f"at least {limit:g} x"
        print(f"  {name:<40} {value:7.3f} s {peer / value:6.2f} x MCP  {asked:<14} {verdict}")
        if verdict == "MISSED":
            missed.append(name)
    if size == 1000:
        first, last = answers["ours, 8 neighbours"], answers["scipy csgraph, 8, building included"]
        print(f"  {'ours and csgraph, largest relative difference':<40} {np.nanmax(np.abs(first - last) / np.maximum(first, 1e-9)):.1e}")
    if Path("/proc/self/status").exists():
        print(f"  {'ours, peak memory beyond the input':<40} {peak(size):7.0f} MB")
sys.exit(f"missed: {', '.join(missed)}" if missed else 0)
