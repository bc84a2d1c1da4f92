"""Who goes where at the size of a large county, against limits and against peers in the same run.

1,500 settlements, 400 schools, nine grades, ten years, drawn from a seed: villages in valleys, most schools small, some with
beds, seats short in the towns. `--large` adds 20,000 settlements and 1,000 schools for the nearest school. Prints a table
and ends with an error where a limit is missed. Peers: HiGHS through scipy on the same rows for one year, a merge in pandas for
the nearest school.
"""

import argparse
import sys
import time

import numpy as np
import pandas as pd

from layout.catchment import assign, nearest_school
from layout.standards import read_standards
from layout.tables import BANDS

WALK, RIDE = {"lower": 3.24, "upper": 3.6, "junior": 3.96}, 22.0
HILLS = 1.5  # a way over the straight line


def draw_county(settlements, schools, years, seed=0):
    """Return pupils, times, schools and school_years of a fictional county."""
    rng = np.random.default_rng(seed)
    side = 1.4 * np.sqrt(settlements)
    towns = rng.uniform(0, side, (max(settlements // 75, 4), 2))
    at = np.concatenate([
        rng.uniform(0, side, (settlements // 2, 2)),
        towns[rng.integers(len(towns), size=settlements - settlements // 2)] + rng.normal(0, 1.6, (settlements - settlements // 2, 2)),
    ])  # fmt: skip
    size = np.round(rng.lognormal(1.2, 0.8, settlements), 2)
    ids = np.array([f"V{i:05d}" for i in range(settlements)])
    frames = []
    for k, year in enumerate(years):
        drift = 1 + 0.01 * k * rng.normal(0, 1, settlements)
        for grade in range(1, 10):
            frames.append(pd.DataFrame({"settlement_id": ids, "year": year, "grade": grade, "pupils": np.maximum(size * drift * rng.gamma(9, 1 / 9, settlements), 0)}))
    pupils = pd.concat(frames, ignore_index=True)
    # half of the schools are primary, a fifth teaching points, the rest junior or nine-year
    kinds = rng.choice(["primary", "teaching_point", "junior", "nine_year"], schools, p=[0.5, 0.2, 0.2, 0.1])
    span = {"primary": (1, 6), "teaching_point": (1, 3), "junior": (7, 9), "nine_year": (1, 9)}
    where = at[rng.choice(settlements, schools, replace=False, p=size / size.sum())] + rng.normal(0, 0.2, (schools, 2))
    first, last = np.array([span[k] for k in kinds]).T
    names = np.array([f"S{i:04d}" for i in range(schools)])
    km = HILLS * np.hypot(at[:, None, 0] - where[:, 0], at[:, None, 1] - where[:, 1])
    uphill = rng.uniform(1, 1.3, km.shape)
    bus, beds = rng.random(schools) < 0.25, np.where((last == 9) & (rng.random(schools) < 0.7), rng.integers(60, 400, schools), 0)
    parts = []
    for band, grades in BANDS.items():
        teaches = (first <= grades[-1]) & (last >= grades[0])
        for mode, minutes, offered, most in (
            ("walk", 60 * km / WALK[band] * uphill, teaches, 120.0), ("bus", 6 + 60 * km / RIDE, teaches & bus, 90.0),
            ("week", 6 + 60 * km / RIDE, teaches & (beds > 0), 120.0),
        ):  # fmt: skip
            if mode == "week" and band == "lower":
                continue
            i, j = np.nonzero((minutes <= most) & offered)
            parts.append(pd.DataFrame({"from_id": ids[i], "to_id": names[j], "mode": mode, "band": band, "minutes": minutes[i, j], "minutes_back": minutes[i, j]}))
    times = pd.concat(parts, ignore_index=True)
    # rooms after the children who live next to a school, some too few, some too many
    rooms = np.zeros(schools, int)
    for grade in range(1, 10):
        teach = np.flatnonzero((first <= grade) & (last >= grade))
        load = np.bincount(teach[np.argmin(km[:, teach], axis=1)], size, minlength=schools)
        rooms += np.where((first <= grade) & (last >= grade), np.maximum(np.round(load * rng.uniform(0.7, 1.6, schools) / 45), 1).astype(int), 0)
    table = pd.DataFrame({
        "school_id": names, "kind": kinds, "status": "open", "first_grade": first, "last_grade": last, "rooms": rooms, "beds": beds,
    })  # fmt: skip
    school_years = pd.concat([table.drop(columns="kind").assign(year=y) for y in years], ignore_index=True)
    return pupils, times, table, school_years
