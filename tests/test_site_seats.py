"""Seats of relocation sites: by hand, against a naive second reckoning, and what a further room changes."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from shapely.geometry import Point

import layout
from conftest import CRS
from layout.site_seats import site_verdicts
from layout.standards import read_standards
from layout.tables import band_of, check, empty

STANDARDS = read_standards()


def places_of(**kinds):
    table = {
        "settlement_id": list(kinds),
        "name": [f"{k}安置点" if v == "relocation" else k for k, v in kinds.items()],
        "township_id": "T",
        "kind": list(kinds.values()),
    }
    return gpd.GeoDataFrame(table, geometry=[Point(10_000 * i, 0) for i in range(len(kinds))], crs=CRS)


def schools_of(*rows):
    table = pd.DataFrame([r[:6] for r in rows], columns=["school_id", "kind", "first_grade", "last_grade", "rooms", "status"])
    return gpd.GeoDataFrame(table.assign(name=[r[6] for r in rows], township_id="T", beds=0), geometry=[Point(*r[7]) for r in rows], crs=CRS)


def times_of(*rows):
    table = pd.DataFrame(list(rows), columns=["from_id", "to_id", "mode", "band", "minutes"])
    return check("times", table.assign(minutes_back=1.0))


def pupils_of(*rows, year=2030):
    return check(
        "pupils", pd.DataFrame([(s, year, g, a, float(n)) for s, g, a, n in rows], columns=["settlement_id", "year", "grade", "attends", "pupils"])
    )


def case():
    """Site R: school P (1-6, 12 rooms: 2 x 45 a grade) 20 minutes on foot, N (1-9, 9 rooms: 1 x 45, 1 x 50) by bus in 25.

    100 children of grade 1 live at R and 30 of grade 7; V's 40 of grade 1 have P nearest in 10 minutes, W's 8 in 31 (beyond).
    """
    places = places_of(R="relocation", V="village", W="village")
    schools = schools_of(
        ("P", "primary", 1, 6, 12, "open", "P小学", (400, 0)), ("N", "nine_year", 1, 9, 9, "open", "N学校", (5000, 0)),
        ("C", "junior", 7, 9, 6, "candidate", "R安置点中学（拟建）", (900, 0)),
    )  # fmt: skip
    walk = [("R", "P", "walk", b, m) for b, m in (("lower", 20), ("upper", 18))]
    ride = [("R", "N", "bus", b, 25) for b in ("lower", "upper", "junior")]
    times = times_of(*walk, *ride, ("V", "P", "walk", "lower", 10), ("W", "P", "walk", "lower", 31))
    pupils = pupils_of(("R", 1, "home", 100), ("R", 1, "county_seat", 7), ("R", 7, "home", 30), ("V", 1, "home", 40), ("W", 1, "home", 8))
    return places, pupils, times, schools


def test_a_site_by_hand():
    """Primary: on foot 6 grades x 90 = 540 seats, with N 6 x 45 = 270 more; junior: 3 x 50 by bus."""
    places, pupils, times, schools = case()
    moves = check("moves", pd.DataFrame(
        [("V", "R", 2027, np.nan, 300.0, False), ("W", "R", 2029, 10, np.nan, False), ("V", "R", 2031, np.nan, 9.0, False), ("W", "R", 2028, np.nan, np.nan, True)],
        columns=["from_id", "to_id", "year", "households", "persons", "whole_village"]))  # fmt: skip
    out = site_verdicts(places, pupils, times, schools, STANDARDS, moves=moves)
    expected = pd.DataFrame([
        ("R", 2030, "junior", 30.0, 328.1, 1, 0.0, 150.0, 30.0, 0.0, 0.0, 120.0, 0, "C", np.nan, "enough"),
        ("R", 2030, "primary", 107.0, 328.1, 1, 540.0, 810.0, 140.0, 0.0, 8.0, 670.0, 0, "P", 20.0, "enough"),
    ], columns=["settlement_id", "year", "stage", "pupils", "arrivals", "moves_unknown", "seats_walk", "seats_near", "pupils_near", "pupils_out",
                "pupils_beyond", "balance", "shortage", "built_for", "walk_minutes", "verdict"])  # fmt: skip
    assert_frame_equal(out, check("site_verdicts", expected))
    known = site_verdicts(places.assign(persons=[0.0, 0.0, 52.0]), pupils, times, schools, STANDARDS, moves=moves)
    assert known[["arrivals", "moves_unknown"]].values.tolist() == [[pytest.approx(380.1), 0], [pytest.approx(380.1), 0]]


def test_verdicts_in_their_order():
    places, pupils, times, schools = case()
    few = schools.assign(rooms=[2, 0, 6])

    def verdict(*args, **kwargs):
        return site_verdicts(places, *args, STANDARDS, **kwargs).set_index("stage")

    # 2 rooms of 45 against 140; no junior room for 30
    short = verdict(pupils, times, few)
    assert short[["verdict", "balance", "shortage"]].values.tolist() == [["short", -30.0, 30], ["short", -50.0, 50]]
    prior = pd.DataFrame({
        "settlement_id": "R", "year": 2030, "stage": ["primary", "junior"], "persons": 1000.0, "pupils": [107.0, 30.0], "per_thousand": [107.0, 30.0],
        "prior_low": [120.0, 20.0], "prior_high": [130.0, 40.0], "difference": [-13.0, 0.0],
    })  # fmt: skip
    checked = verdict(pupils, times, few, site_pupils=check("site_pupils", prior))
    assert checked["verdict"].tolist() == ["short", "check_pupils"]
    assert checked[["prior_low", "prior_high"]].values.tolist() == [[20.0, 40.0], [120.0, 130.0]]
    # without the bus nobody of grade 7 has a school, whatever the prior says
    on_foot = times[times["mode"] == "walk"]
    lost = verdict(pupils, on_foot, schools, site_pupils=check("site_pupils", prior.assign(difference=1.0)))
    assert lost[["verdict", "pupils_out", "shortage"]].values.tolist() == [["no_school_in_reach", 30.0, 30], ["check_pupils", 0.0, 0]]
    assert verdict(pupils[pupils["grade"] == 1], times, schools)["verdict"].tolist() == ["nobody", "enough"]


def test_a_school_of_the_plan_gives_its_seats_from_its_year():
    places, pupils, times, schools = case()
    both = pd.concat([pupils, pupils.assign(year=2035)], ignore_index=True)
    years = check("school_years", pd.DataFrame(
        [("P", 2030, 1, 6, 12), ("N", 2030, 1, 9, 9), ("P", 2035, 1, 6, 12), ("N", 2035, 1, 9, 9), ("C", 2035, 7, 9, 6)],
        columns=["school_id", "year", "first_grade", "last_grade", "rooms"]).assign(status="open", beds=0))  # fmt: skip
    more = pd.concat([times, times_of(("R", "C", "walk", "junior", 9))])
    out = site_verdicts(places, both, more, schools, STANDARDS, school_years=years)
    junior = out[out["stage"] == "junior"].set_index("year")
    assert junior["seats_walk"].to_dict() == {2030: 0.0, 2035: 300.0} and junior["seats_near"].to_dict() == {2030: 150.0, 2035: 450.0}
    assert junior["walk_minutes"].fillna(-1).to_dict() == {2030: -1.0, 2035: 9.0}


def test_the_school_of_a_site_is_near_or_bears_its_name():
    places, pupils, times, schools = case()

    def built(table):
        return site_verdicts(places, pupils, times, table, STANDARDS)["built_for"].tolist()

    far = schools.set_geometry([Point(501, 0), Point(499, 0), Point(9000, 0)], crs=CRS)
    assert built(far) == ["N", "N"], "what stands within 500 m goes before a name"
    named = far.set_geometry([Point(3000, 0), Point(2000, 0), Point(9000, 0)], crs=CRS).assign(name=["R安置点小学", "N学校", "R安置点中学"])
    assert built(named) == ["C", "P"] and built(named.assign(status="closed")) == ["", ""]


def test_sites_that_are_not_known_and_counties_without_sites():
    places, pupils, times, schools = case()
    moves = check("moves", pd.DataFrame({"from_id": ["V"], "to_id": ["Q"], "year": 2027, "persons": 3.0}))
    with pytest.raises(ValueError, match="moves lead to settlements that are not known: Q"):
        site_verdicts(places, pupils, times, schools, STANDARDS, moves=moves)
    assert not len(site_verdicts(places.assign(kind="village"), pupils, times, schools, STANDARDS))
    assert not len(site_verdicts(places, empty("pupils"), times, schools, STANDARDS))
    to_village = site_verdicts(places.assign(kind="village"), pupils, times, schools, STANDARDS, moves=moves.assign(to_id="W"))
    assert set(to_village["settlement_id"]) == {"W"} and (to_village["arrivals"] == 3).all()


def random_case(rng):
    places = places_of(**{f"V{i}": "relocation" if i < 3 else "village" for i in range(9)})
    kinds = [("teaching_point", 1, 3), ("primary", 1, 6), ("nine_year", 1, 9), ("junior", 7, 9)]
    schools = schools_of(*[(f"S{i}", *kinds[rng.integers(4)], int(rng.integers(1, 12)), "open", f"S{i}", (float(i), 9e5)) for i in range(6)])
    rows = [(f"V{v}", f"S{s}", m, b, float(rng.integers(5, 75))) for v in range(9) for s in range(6) for m in ("walk", "bus")
            for b in ("lower", "upper", "junior") if rng.random() < 0.6]  # fmt: skip
    pupils = pupils_of(*[(f"V{v}", g, "home", rng.integers(0, 90) / 2) for v in range(9) for g in range(1, 10)])
    return places, pupils, times_of(*rows), schools


def naive(pupils, times, schools, site, grades):
    ways = {(f, t, m, b): n for f, t, m, b, n in zip(*(times[c] for c in ("from_id", "to_id", "mode", "band", "minutes")), strict=True)}
    spans = {s.school_id: (s.first_grade, s.last_grade, s.rooms, s.kind) for s in schools.itertuples()}

    def way(village, school, grade):
        first, last, *_ = spans[school]
        band = band_of(grade)
        options = [(m, ways[village, school, m, band]) for m in ("walk", "bus") if (village, school, m, band) in ways and first <= grade <= last]
        for mode, minutes in options:
            if minutes <= STANDARDS.limit(mode, band):
                return False, minutes, mode
        return (True, min(n for _, n in options), "") if options else None

    out = dict.fromkeys(("seats_walk", "seats_near", "pupils_near", "pupils_out", "pupils_beyond"), 0.0)
    for grade in grades:
        near = {s: way(site, s, grade) for s in spans}
        near = {s: w for s, w in near.items() if w and not w[0]}
        for school, (_, _, mode) in near.items():
            first, last, rooms, kind = spans[school]
            seats = rooms / (last - first + 1) * STANDARDS.class_size(grade, incomplete=kind == "teaching_point")
            out["seats_near"] += seats
            out["seats_walk"] += seats if mode == "walk" else 0
        for village, n in pupils.loc[pupils["grade"] == grade, ["settlement_id", "pupils"]].itertuples(index=False):
            best = min([(*w[:2], s) for s in spans if (w := way(village, s, grade))], default=None)
            if best and best[2] in near:
                out["pupils_beyond" if best[0] else "pupils_near"] += n
            if village == site and not near:
                out["pupils_out"] += n
                out["pupils_near"] += n
    return out


@pytest.mark.parametrize("counties", [10, pytest.param(40, marks=pytest.mark.slow)])
def test_against_a_naive_second_reckoning(counties):
    rng = np.random.default_rng(2)
    seen = set()
    for _ in range(counties):
        places, pupils, times, schools = random_case(rng)
        out = site_verdicts(places, pupils, times, schools, STANDARDS)
        assert len(out) == 6
        for row in out.to_dict("records"):
            wanted = naive(pupils, times, schools, row["settlement_id"], range(1, 7) if row["stage"] == "primary" else range(7, 10))
            assert {k: row[k] for k in wanted} == pytest.approx(wanted)
            assert row["balance"] == pytest.approx(row["seats_near"] - row["pupils_near"]) and row["shortage"] >= -row["balance"] - 1e-5
        seen |= set(out["verdict"])
        more = site_verdicts(places, pupils, times, schools.assign(rooms=schools["rooms"] + 1), STANDARDS)
        assert (more["balance"] >= out["balance"]).all() and (more["shortage"] <= out["shortage"]).all()
        shuffled = [t.sample(frac=1, random_state=1) for t in (places, pupils, times, schools)]
        assert_frame_equal(site_verdicts(*shuffled, STANDARDS), out)
    assert {"enough", "short", "no_school_in_reach"} <= seen


def test_the_sample_county_has_a_verdict_for_every_site():
    county = layout.make_sample_county(seed=0, settlements=120)
    pupils = layout.project_pupils(county, STANDARDS, years=[2025, 2030])
    people = layout.project_people(county, STANDARDS, years=[2025, 2030])
    prior = layout.site_pupils(county, STANDARDS, people, pupils)
    times = layout.county_times(county, STANDARDS)
    out = site_verdicts(county.settlements, pupils, times, county.schools, STANDARDS, site_pupils=prior, moves=county.moves)
    sites = set(county.settlements.loc[county.settlements["kind"] == "relocation", "settlement_id"])
    assert set(out["settlement_id"]) == sites and len(out) == len(sites) * 4
    assert (out.groupby("settlement_id")["arrivals"].max() > 0).all()
    assert (out["seats_walk"] <= out["seats_near"]).all() and (out["built_for"] != "").any()
