"""Where children study: shares by township and band, their scenarios, and pupils who come from outside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from layout.county import County
from layout.scenario import Scenario
from layout.tables import BANDS, GRADES, band_of, check, empty

#: Places of the table ``attendance``, in the order of the arrays here.
PLACES = ("home", "county_seat", "other_township", "out_of_county")
TOLERANCE = 1e-6


def place_shares(county: County, townships: Sequence[str], *, years: Sequence[int], scenario: Scenario) -> np.ndarray:
    """Return the shares of the children of a township who study in each place.

    The base is the latest year of ``attendance`` up to the base year (rows without a year are of the base year); where the county
    has no such table, the shares of ``residence`` (:func:`attendance_from_residence`). Townships and bands without a row study at
    home. ``trend``: a straight line through the years, from the base on, within 0 and 1; one year alone is no trend and stays.
    ``halved``: after the base year half of those who left their township stay.

    Parameters
    ----------
    county
        Tables attendance, residence, settlements, townships and schools; base year.
    townships
        Township ids.
    years
        School years.
    scenario
        ``attendance`` says how the shares go on.

    Returns
    -------
    numpy.ndarray
        Township, year, band (lower, upper, junior), place (``PLACES``); places sum to one.

    Examples
    --------
    >>> from layout.scenario import Scenario
    >>> place_shares(paper, ["T1"], years=[2025], scenario=Scenario())[0, 0].tolist()
    [[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """
    table = county.attendance
    if not len(table) and len(county.residence):
        table, _ = attendance_from_residence(county)
    base = np.zeros((len(townships), len(BANDS), len(PLACES)))
    slope = np.zeros_like(base)
    row, when = {t: i for i, t in enumerate(townships)}, table["year"].fillna(county.base_year).astype(int)
    # one table for all: a pivot for every township and band takes many times as long
    keys = ["township_id", "band", "year"]
    plain = table.assign(year=when, township_id=table["township_id"].astype("str"), band=table["band"].astype("str"))
    every = plain.groupby([*keys, "place"], observed=True)["share"].sum().unstack("place").reindex(columns=list(PLACES)).fillna(0.0)
    for (township, band), part in every.groupby(keys[:2], sort=True):
        wide = part.set_axis(part.index.get_level_values("year"), axis=0)
        past = wide[wide.index <= county.base_year]
        if township not in row or not len(wide):
            continue
        cell = row[township], list(BANDS).index(str(band))
        base[cell] = (past.iloc[-1] if len(past) else wide.iloc[0]).to_numpy()
        if len(wide) > 1:
            at = wide.index.to_numpy(float) - wide.index.to_numpy(float).mean()
            slope[cell] = at @ wide.to_numpy() / (at @ at)
    base[..., 0][base.sum(axis=2) == 0] = 1.0
    out = np.repeat(base[:, None], len(years), axis=1)
    for i, year in enumerate(years):
        if scenario.attendance == "trend":
            out[:, i] = np.clip(base + slope * (year - county.base_year), 0.0, 1.0)
            out[:, i] /= out[:, i].sum(axis=2, keepdims=True)
        elif scenario.attendance == "halved" and year > county.base_year:
            out[:, i, :, 1:] /= 2
            out[:, i, :, 0] = 1 - out[:, i, :, 1:].sum(axis=2)
    return out


def attendance_from_residence(county: County) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn a matrix of residence by school into shares of attendance and pupils from outside.

    A pupil who studies in a school of the township of residence is at home, in one of the county seat at the seat, else in another
    township. The roll of a county does not hold children who study out of it: their share is 0 here, and only ``attendance`` can
    tell it.

    Parameters
    ----------
    county
        Tables residence, settlements, townships and schools.

    Returns
    -------
    tuple of pandas.DataFrame
        Tables ``attendance`` and ``incoming``.

    Examples
    --------
    >>> import dataclasses
    >>> rows = pd.DataFrame({"residence_id": ["A", "A", ""], "school_id": ["S1", "S2", "S2"], "grade": 1, "pupils": [6.0, 2.0, 5.0]})
    >>> county = dataclasses.replace(paper, residence=check("residence", rows))
    >>> attendance, incoming = attendance_from_residence(county)
    >>> attendance[["township_id", "band", "place", "share"]].values.tolist(), incoming.values.tolist()
    ([['T1', 'lower', 'county_seat', 0.25], ['T1', 'lower', 'home', 0.75]], [['T2', 'lower', 5.0]])
    """
    table = county.residence
    home = dict(zip(county.settlements["settlement_id"], county.settlements["township_id"], strict=True)) | {
        t: t for t in county.townships["township_id"]
    }
    school = dict(zip(county.schools["school_id"], county.schools["township_id"], strict=True))
    seats = set(county.townships.loc[county.townships["is_county_seat"], "township_id"])
    rows = table.assign(
        lives=table["residence_id"].map(home).fillna(""), studies=table["school_id"].map(school).fillna(""), band=[band_of(g) for g in table["grade"]]
    )
    outside = rows[rows["lives"] == ""].groupby(["studies", "band"], sort=True)["pupils"].sum().reset_index()
    incoming = check("incoming", outside.rename(columns={"studies": "township_id"})) if len(outside) else empty("incoming")
    inside = rows[rows["lives"] != ""].copy()
    if not len(inside):
        return empty("attendance"), incoming
    where = np.select([inside["lives"] == inside["studies"], inside["studies"].isin(seats)], ["home", "county_seat"], "other_township")
    sums = inside.assign(place=where).groupby(["lives", "band", "place"], sort=True)["pupils"].sum().reset_index()
    total = sums.groupby(["lives", "band"])["pupils"].transform("sum")
    shares = sums.assign(share=sums["pupils"] / total, year=np.nan)[total > 0].rename(columns={"lives": "township_id"})
    return check("attendance", shares[["township_id", "band", "place", "year", "share"]]), incoming


def incoming_pupils(county: County, ids: Sequence[str], persons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pupils who live outside the county and study in it, at the settlement where they are counted.

    They have no home in the county: they are counted at the most populous settlement of the township where they study, a third of
    their band in each grade, and stay as many as they are.

    Parameters
    ----------
    county
        Tables incoming (else residence), settlements and townships.
    ids, persons
        Settlements and their people, which choose the place.

    Returns
    -------
    tuple of numpy.ndarray
        Pupils by settlement and grade who study near where they are counted, and who study in the county seat.

    Examples
    --------
    >>> near, seat = incoming_pupils(paper, ["A"], np.ones(1))
    >>> near.sum() + seat.sum()
    np.float64(0.0)
    """
    near, seat = np.zeros((len(ids), len(GRADES))), np.zeros((len(ids), len(GRADES)))
    table = county.incoming
    if not len(table) and len(county.residence) and not len(county.attendance):
        _, table = attendance_from_residence(county)
    seats = set(county.townships.loc[county.townships["is_county_seat"], "township_id"])
    township = dict(zip(county.settlements["settlement_id"], county.settlements["township_id"], strict=True))
    for name, band, pupils in zip(table["township_id"], table["band"], table["pupils"], strict=True):
        places = [i for i, s in enumerate(ids) if township.get(s) == name]
        if places:
            largest = max(places, key=lambda i: (persons[i], -i))
            grades = [g - 1 for g in BANDS[band]]
            (seat if name in seats else near)[largest, grades] += pupils / len(grades)
    return near, seat


def shares_not_one(county: County) -> list[tuple[str, str, float]]:
    """List townships and bands whose shares of a year do not add up to one.

    Parameters
    ----------
    county
        Table attendance.

    Returns
    -------
    list of tuple
        Township, band and sum.

    Examples
    --------
    >>> shares_not_one(paper)
    []
    """
    table = county.attendance
    sums = table.assign(year=table["year"].fillna(0)).groupby(["township_id", "band", "year"], sort=True)["share"].sum().reset_index()
    rows = zip(sums["township_id"], sums["band"], sums["share"], strict=True)
    return [(str(t), str(b), float(total)) for t, b, total in rows if abs(total - 1) > TOLERANCE]
