"""Hypothesis strategies: small counties on a straight road, and files with bytes changed."""

import dataclasses
import functools
import os

import geopandas as gpd
import pandas as pd
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from conftest import CRS, at, make_paper
from layout.tables import BANDS, check

# the suite runs the same few examples every time; -m long runs many new ones
# a machine that others use as well may take seconds for what is drawn, which says nothing of the laws
_SLOW = [HealthCheck.too_slow]
QUICK = settings(max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=_SLOW)
LONG = settings(max_examples=int(os.environ.get("LAYOUT_EXAMPLES", "1000")), deadline=None, suppress_health_check=_SLOW)


def sampled(count):
    """How many of so many fixed cases a long test takes: all of them, or as many as LAYOUT_EXAMPLES allows, one at least."""
    return max(1, count * min(LONG.max_examples, 1000) // 1000)


# made once: no strategy changes its tables
_paper = functools.cache(make_paper)
places_km = st.integers(0, 40).map(lambda quarter: quarter / 4)


@st.composite
def counties(draw):
    """A county of one to six villages and one to four schools along the ten kilometres of the paper county's road."""
    villages = draw(st.lists(st.tuples(places_km, st.integers(0, 60)), min_size=1, max_size=6))
    schools = draw(
        st.lists(st.tuples(places_km, st.sampled_from(["primary", "nine_year"]), st.integers(0, 12), st.integers(0, 60)), min_size=1, max_size=4)
    )
    paper = _paper()
    ids = [f"V{i}" for i in range(len(villages))]
    settlements = gpd.GeoDataFrame(
        {"settlement_id": ids, "name": ids, "township_id": "T1", "kind": ["county_seat", *["village"] * (len(ids) - 1)]},
        geometry=[at(km) for km, _ in villages], crs=CRS,
    )  # fmt: skip
    people = [(name, age, "both", float(n), float(n)) for name, (_, n) in zip(ids, villages, strict=True) for age in range(15)]
    population = pd.DataFrame(people, columns=["settlement_id", "age", "sex", "persons", "registered"])
    names = [f"S{i}" for i in range(len(schools))]
    table = gpd.GeoDataFrame(
        {
            "school_id": names, "name": names, "township_id": "T1", "kind": [s[1] for s in schools], "urban_rural": "village", "owner": "public",
            "status": "open", "first_grade": 1, "last_grade": [6 if s[1] == "primary" else 9 for s in schools], "rooms": [s[2] for s in schools],
            "beds": [s[3] for s in schools], "boarders": 0, "expandable_rooms": 0, "school_bus": False,
        },
        geometry=[at(s[0]) for s in schools], crs=CRS,
    )  # fmt: skip
    return dataclasses.replace(
        paper,
        settlements=check("settlements", settlements),
        schools=check("schools", table),
        population=check("population", population),
        rosters=paper.rosters.iloc[:0],
    )


@st.composite
def planned_counties(draw):
    """A county as in ``counties``, some of whose schools mix grades, with children who study in the county seat or outside the county."""
    county = draw(counties())
    small = [draw(st.booleans()) and kind == "primary" for kind in county.schools["kind"]]
    schools = county.schools.assign(kind=county.schools["kind"].where(~pd.Series(small), "small_primary"))
    rows = []
    for band in BANDS:
        seat, outside = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
        rows += [
            ("T1", band, "home", (10 - seat - outside) / 10),
            ("T1", band, "county_seat", seat / 10),
            ("T1", band, "out_of_county", outside / 10),
        ]
    attendance = check("attendance", pd.DataFrame(rows, columns=["township_id", "band", "place", "share"]))
    # the villages lie in T1, the seat is T2: of the first school alone
    schools = schools.assign(township_id=["T2", *["T1"] * (len(schools) - 1)])
    return dataclasses.replace(county, schools=check("schools", schools), attendance=attendance)


@st.composite
def additions(draw):
    """What a plan may add to a county: rooms or beds at its first school, or a school."""
    what = draw(st.sampled_from(["rooms", "beds", "school"]))
    if what != "school":
        return what, draw(st.integers(1, 12))
    return what, (
        draw(places_km),
        draw(st.sampled_from(["primary", "small_primary", "nine_year"])),
        draw(st.integers(1, 12)),
        draw(st.integers(0, 60)),
    )


@st.composite
def changed_bytes(draw, data):
    """The bytes of a valid file with a few of them changed, a part cut out, or a part doubled."""
    out = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        where, kind = draw(st.integers(0, max(len(out) - 1, 0))), draw(st.sampled_from(["change", "cut", "double"]))
        length = draw(st.integers(1, 400))
        if kind == "change":
            new = draw(st.binary(min_size=1, max_size=8))
            out[where : where + len(new)] = new
        elif kind == "cut":
            del out[where : where + length]
        else:
            out[where:where] = out[where : where + length]
    return bytes(out)
