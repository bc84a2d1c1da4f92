"""The generated province: county folders that are read without a problem, side by side, in the shapes and with the ages of real counties."""

import os
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from province_county import contents

import layout
from layout import sample_province
from layout.sample import age_profile, make_sample_county
from layout.sample_province import _fitted, _on_a_grid, _sides, make_sample_province
from layout.tables import CountyDataError

real = pytest.mark.skipif("LAYOUT_REAL_DATA" not in os.environ, reason="real shapes and census are read in place: set LAYOUT_REAL_DATA")


def test_counties_on_a_grid_lie_side_by_side_and_are_read_without_a_problem(tmp_path):
    counts = make_sample_province(tmp_path / "a", counties=2)
    assert counts == {"529901": 40, "529902": 40}
    counties = [layout.read_county(tmp_path / "a" / code) for code in counts]
    for county in counties:
        assert len(county.settlements) == 40 and not county.assumptions.shape[0]
        assert county.settlements.within(county.boundary).all()
        assert county.roads.edges["length_m"].to_numpy() == pytest.approx(county.roads.edges.geometry.length.to_numpy(), abs=0.06)
    # the same ground moved: nothing is stretched where there is no shape
    base = make_sample_county(seed=0, settlements=40)
    assert counties[0].roads.edges["length_m"].sum() == pytest.approx(base.roads.edges["length_m"].sum(), rel=0.01)
    a, b = (c.boundary for c in counties)
    assert a.intersection(b).area < 1e-3 * a.area and a.distance(b) < 1
    assert counties[0].name != counties[1].name and set(counties[0].settlements.settlement_id).isdisjoint(counties[1].settlements.settlement_id)
    assert tomllib.loads((tmp_path / "a" / "province.toml").read_text(encoding="utf-8"))["format"] == 1
    make_sample_province(tmp_path / "b", counties=2)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    with pytest.raises(CountyDataError):
        make_sample_province(tmp_path / "a", counties=1)


def test_as_many_counties_as_there_are():
    with pytest.raises(ValueError, match="at least 1"):
        make_sample_province("nowhere", counties=0)


def test_a_county_takes_the_width_of_its_outline_row_by_row():
    # a triangle that is widest at its foot
    outline = shapely.Polygon([(107.0, 26.0), (107.6, 26.0), (107.3, 26.5)])
    county = make_sample_county(seed=3, settlements=40)
    made = _fitted(county, outline)
    assert made.crs == "EPSG:4545" and len(made.settlements) == 40
    shape = made.boundary
    left, right = _sides(shape)
    width = right - left
    assert width[10] > 2 * width[-10] and width.min() >= 0.3 * width.max()
    # places keep their order from south to north, and stay between the two sides
    order = lambda c: c.settlements.assign(y=c.settlements.geometry.y).sort_values("y").settlement_id.tolist()  # noqa: E731
    assert order(made) == order(county)
    levels = np.linspace(shape.bounds[1], shape.bounds[3], len(left))
    x, y = made.settlements.geometry.x, made.settlements.geometry.y
    assert (x >= np.interp(y, levels, left) - 1).all() and (x <= np.interp(y, levels, right) + 1).all()
    assert made.settlements.within(shape.buffer(3000)).mean() > 0.9
    # what hangs together still does, and lies on the terrain
    nodes = made.roads.nodes.set_index("node_id")
    ends = made.roads.edges.geometry.apply(lambda g: shapely.Point(g.coords[0]))
    assert (
        np.hypot(ends.x - nodes.loc[made.roads.edges.from_node, "x"].to_numpy(), ends.y - nodes.loc[made.roads.edges.from_node, "y"].to_numpy()).max()
        < 0.2
    )
    assert not layout.terrain.in_void(made.terrain, x.to_numpy(), y.to_numpy(), crs=made.crs).any()
    heights = [
        layout.terrain.elevation_at(c.terrain, *(c.settlements.geometry.x.to_numpy(), c.settlements.geometry.y.to_numpy()), crs=c.crs)
        for c in (county, made)
    ]
    assert np.corrcoef(*heights)[0, 1] > 0.97


def test_ages_take_the_shape_of_another_census():
    ages = [0, 1, *range(5, 90, 5)]
    old = pd.DataFrame({"age_from": ages, "female": [10.0] * 10 + [1000.0] * 9, "male": [10.0] * 10 + [1000.0] * 9})
    profile, usual = age_profile(old), age_profile()
    share = lambda p: p[p.age >= 60].persons.sum() / p.persons.sum()  # noqa: E731
    assert share(profile) > 0.6 > 2 * share(usual)
    county = make_sample_county(seed=1, settlements=40, census=old, name="老人", code="111111")
    people = county.population
    assert people[people.age >= 60].persons.sum() > 0.5 * people.persons.sum()
    assert county.name == "老人（虚构）" and county.code == "111111" and county.townships.township_id.str.startswith("111111").all()


@real
def test_real_shapes_and_ages_are_read_in_place(tmp_path):
    shapes = Path(os.environ["LAYOUT_REAL_DATA"]) / "guizhou"
    every = sample_province._real(shapes)
    assert len(every) == 88 and sum(s.census[["female", "male"]].sum().sum() for s in every) == pytest.approx(38_562_148, rel=0.001)
    counts = make_sample_province(tmp_path, counties=2, shapes=shapes, villages=100)
    assert sum(counts.values()) >= 100 and list(counts) == [every[0].code, every[-1].code]
    outlines = gpd.read_file(shapes / sample_province.OUTLINES).set_index("CODE")
    for code in counts:
        county = layout.read_county(tmp_path / code)
        outline = outlines.to_crs(county.crs).loc[code].geometry
        assert county.boundary.symmetric_difference(outline).area < 0.001 * outline.area
        assert county.settlements.within(outline).mean() > 0.8 and county.name.startswith(outlines.loc[code, "NAME"])
        census = next(s.census for s in every if s.code == code)
        old = census[census.age_from >= 60][["female", "male"]].sum().sum() / census[["female", "male"]].sum().sum()
        people = county.population
        assert people[people.age >= 60].persons.sum() / people.persons.sum() == pytest.approx(old, abs=0.05)


@real
def test_all_counties_together_have_as_many_villages_as_the_province(monkeypatch, tmp_path):
    monkeypatch.setattr(sample_province, "make_sample_county", lambda **options: None)
    monkeypatch.setattr(sample_province, "_fitted", lambda county, outline: None)
    monkeypatch.setattr(sample_province, "write_county", lambda county, folder: None)
    shapes = Path(os.environ["LAYOUT_REAL_DATA"]) / "guizhou"
    counts = make_sample_province(tmp_path, counties=88, shapes=shapes)
    assert len(counts) == 88 and 18_000 <= sum(counts.values()) < 18_400 and min(counts.values()) >= 40 and max(counts.values()) <= 1500
    every = sample_province._real(shapes)
    young = {s.code: s.children for s in every}
    assert max(young, key=young.get) == max(counts, key=counts.get)
    with pytest.raises(ValueError, match="1 to 88"):
        make_sample_province(tmp_path, counties=89, shapes=shapes)


def test_there_is_a_box_for_each_county_of_a_grid():
    boxes = [s.outline for s in _on_a_grid(5, 40)]
    middles = {(round(b.centroid.x, 3), round(b.centroid.y, 3)) for b in boxes}
    assert len(middles) == 5
