"""What the page holds of the ground and of other plans, by hand."""

import base64
import dataclasses
import json
import zlib

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from map_county import YEARS, map_county, map_plan
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon, box
from test_maps import island, render

import layout
from conftest import CRS, EAST, NORTH, at, make_paper
from layout.comparisons import COMPARED, comparisons
from layout.ground import border_lines, folded, road_lines, water_shapes
from layout.maps import draw_map, save_map
from layout.tables import CountyDataError
from layout.travel import travel_times
from layout.walking_lines import walking_lines


def unfolded(line):
    return np.cumsum(np.reshape(line, (-1, 2)), axis=0) / 1e5


def metric(shape):
    return gpd.GeoSeries([shape], crs=4326).to_crs(CRS)[0]


def later(html):
    """Unpack what the page unpacks before it draws."""
    packed = island(html)["later"]
    text = zlib.decompress(base64.b64decode(packed["data"]), wbits=-15)
    assert len(text) == packed["size"]
    return json.loads(text)


@pytest.fixture(scope="module")
def plan():
    return map_plan()


@pytest.fixture(scope="module")
def html(plan):
    return render(plan)


# --- the ground -------------------------------------------------------------------------------------------------------


def test_the_number_of_a_road_goes_before_its_osm_class():
    edges = [("secondary", "G320"), ("trunk", ""), ("primary", "S207 某线"), ("tertiary", "X983"), ("secondary", ""), ("tertiary", ""),
             ("unclassified", "Y001"), ("residential", "环城路"), ("track", ""), ("steps", ""), ("motorway_link", ""), ("primary", "S30")]  # fmt: skip
    lines = [LineString([(EAST, NORTH + 100 * i), (EAST + 1000 * (i + 1), NORTH + 100 * i)]) for i in range(len(edges))]
    frame = gpd.GeoDataFrame(pd.DataFrame(edges, columns=["highway", "name"]), geometry=lines, crs=CRS)
    # edge i is i + 1 kilometres long; S and G with one or two figures are expressways
    assert [(name, len(lines), km) for name, lines, km in road_lines(frame)] == [
        ("motorway", 2, 11.0 + 12.0), ("national", 2, 1.0 + 2.0), ("provincial", 1, 3.0), ("county", 2, 4.0 + 5.0), ("township", 2, 6.0 + 7.0),
        ("village", 1, 8.0), ("path", 2, 9.0 + 10.0),
    ]  # fmt: skip


def test_roads_without_names_are_told_by_their_class():
    frame = gpd.GeoDataFrame({"highway": ["trunk"]}, geometry=[LineString([at(0), at(2)])], crs=CRS)
    assert [(name, km) for name, _, km in road_lines(frame)] == [("national", 2.0)]


def test_waters_are_lines_and_areas_where_they_lie():
    ring = box(EAST, NORTH, EAST + 3000, NORTH + 3000).difference(box(EAST + 1000, NORTH + 1000, EAST + 2000, NORTH + 2000))
    shapes = [
        MultiPolygon([ring, box(EAST + 5000, NORTH, EAST + 6000, NORTH + 900)]),
        LineString([at(0), at(4)]),
        LineString([at(5), at(6)]),
        LineString([at(1), at(9)]),
    ]
    table = gpd.GeoDataFrame(
        {"obstacle_id": list("abcd"), "kind": ["water", "river", "cliff", "motorway"], "name": ["湖", "河", None, ""]}, geometry=shapes, crs=CRS
    )
    found = water_shapes(table)
    assert [(kind, name) for kind, name, _ in found["lines"]] == [("river", "河"), ("cliff", "")]
    assert metric(LineString(unfolded(found["lines"][0][2]))).hausdorff_distance(shapes[1]) < 1.5
    # two polygons of one lake, the first with a hole
    assert [(kind, name, len(rings)) for kind, name, rings in found["areas"]] == [("water", "湖", 2), ("water", "湖", 1)]
    back = Polygon(unfolded(found["areas"][0][2][0]), [unfolded(found["areas"][0][2][1])])
    assert metric(back).symmetric_difference(ring).area < 2e-3 * ring.area


def test_a_border_between_two_is_drawn_once():
    areas = gpd.GeoDataFrame(geometry=[box(EAST, NORTH, EAST + 1000, NORTH + 1000), box(EAST + 1000, NORTH, EAST + 3000, NORTH + 1000)], crs=CRS)
    lines = [metric(LineString(unfolded(line))) for line in border_lines(areas)]
    # twice two and four kilometres around, of which one is shared
    assert sum(line.length for line in lines) == pytest.approx(4000 + 6000 - 1000, abs=8)


def test_the_page_has_the_ground_of_the_county(html, plan):
    ground = island(html)["ground"]
    assert [(name, km) for name, _, km in ground["roads"]] == [("national", 3.0), ("township", 4.0), ("path", 3.0)]
    assert [row[:2] for row in ground["water"]["lines"]] == [["river", "纸河"]] and [row[:2] for row in ground["water"]["areas"]] == [
        ["water", "墨湖"]
    ]
    assert len(ground["townships"]) == 3 and len(ground["boundary"]) == 1


def test_borders_and_other_plans_are_not_in_the_public_page(plan):
    told = render(plan, audience="public")
    data = island(told)
    assert data["ground"]["townships"] == data["ground"]["boundary"] == [] and data["comparisons"] is None
    # what is in the public page can be read in its source
    assert "later" not in data and [[v["key"], v["year"]] for pair in data["year_views"] for v in pair] == [
        [key, year] for year in YEARS[1:-1] for key in ("nothing", "planned")
    ]
    for pair in data["year_views"]:
        for view in pair:
            assert view["short"] == view["reach"] == view["classes"] == [] and {row[5] for row in view["flows"]} == {None}
            counts = [n for n in view["headline"].values() if n is not None and n != -1] + [roll[1] for roll in view["rolls"] if roll[1] != -1]
            assert {n % 10 for n in counts} == {0}


# --- borders that the county gives ---------------------------------------------------------------------------------------


def write_areas(folder, areas):
    areas.to_crs(4326).to_file(folder / "townships.geojson", driver="GeoJSON")


def test_a_county_keeps_the_borders_of_its_townships(tmp_path):
    county = map_county()
    layout.write_county(county, tmp_path / "a")
    again = layout.read_county(tmp_path / "a")
    assert again.township_areas["township_id"].tolist() == ["T1", "T2"] and again.township_areas.crs == again.crs
    for one, other in zip(again.township_areas.geometry.to_crs(CRS), county.township_areas.geometry, strict=True):
        assert one.symmetric_difference(other).area < 1e-3 * other.area
    assert "townships.geojson" in again.inputs and not [n for n in again.notes if n[0] == "note.townships_without_area"]


def test_townships_are_known_by_name_too_and_those_without_an_area_are_named(tmp_path):
    layout.write_county(make_paper(), tmp_path / "a")
    assert layout.read_county(tmp_path / "a").township_areas is None
    # two areas of one township; nothing of the other
    parts = [box(EAST, NORTH, EAST + 1000, NORTH + 900), box(EAST + 1000, NORTH, EAST + 2000, NORTH + 900)]
    write_areas(tmp_path / "a", gpd.GeoDataFrame({"乡镇名称": ["甲乡", "甲乡 "]}, geometry=parts, crs=CRS))
    county = layout.read_county(tmp_path / "a")
    assert county.township_areas["township_id"].tolist() == ["T1"]
    assert ("note.townships_without_area", {"count": 1, "names": "乙镇"}) in county.notes


def test_areas_of_unknown_townships_are_all_told(tmp_path):
    layout.write_county(make_paper(), tmp_path / "a")
    shapes = [box(EAST + 1000 * i, NORTH, EAST + 1000 * i + 900, NORTH + 900) for i in range(3)]
    write_areas(tmp_path / "a", gpd.GeoDataFrame({"township_id": ["T1", "T3", "X"]}, geometry=shapes, crs=CRS))
    with pytest.raises(CountyDataError, match="T3") as error:
        layout.read_county(tmp_path / "a")
    assert [(p.key, p.row, p.value) for p in error.value.problems] == [("unknown_id", 2, "T3"), ("unknown_id", 3, "X")]
    write_areas(tmp_path / "a", gpd.GeoDataFrame({"code": ["T1"]}, geometry=shapes[:1], crs=CRS))
    with pytest.raises(CountyDataError, match="township_id"):
        layout.read_county(tmp_path / "a")


def test_a_saved_plan_keeps_the_borders(plan, tmp_path):
    plan.save(tmp_path)
    again = layout.read_plan(tmp_path)
    assert again.county.township_areas["township_id"].tolist() == ["T1", "T2"]
    one, other = ([metric(LineString(unfolded(line))) for line in island(render(p))["ground"]["townships"]] for p in (again, plan))
    # lines may run the other way round
    assert len(one) == len(other) == 3 and MultiLineString(one).hausdorff_distance(MultiLineString(other)) < 2


# --- years ------------------------------------------------------------------------------------------------------------


def test_every_year_is_in_the_page_with_the_figures_of_the_summary(html, plan):
    views = [v for pair in later(html)["year_views"] for v in pair] + island(html)["situations"]
    assert sorted((v["year"], v["key"]) for v in views) == sorted(
        [(2025, "base"), *((year, key) for year in YEARS[1:] for key in ("nothing", "planned"))]
    )
    for view in views:
        row = plan.summary[
            (plan.summary["view"] == ("planned" if view["key"] == "planned" else "today")) & (plan.summary["year"] == view["year"])
        ].iloc[0]
        assert {name: view["headline"][name] for name in ("pupils", "served", "beyond_limit", "no_seat")} == {
            name: int(row[name]) for name in ("pupils", "served", "beyond_limit", "no_seat")
        }
        assert sum(flow[5] for flow in view["flows"]) == row["pupils"]


# --- walking lines ----------------------------------------------------------------------------------------------------


def test_settlements_lie_within_the_line_when_they_walk_no_longer_than_the_limit(plan):
    """Against the minutes of the plan: inside by a tenth is inside the line, outside by a tenth is outside."""
    found = walking_lines(plan)
    county = plan.county
    checked = 0
    for entry in found["lines"]:
        shapes = [metric(Polygon(unfolded(p[0]), [unfolded(r) for r in p[1:]])) for p in found["shapes"][entry["shape"]]]
        band = ("lower", "upper", "junior")[entry["band"]]
        grades = {"lower": (1, 3), "upper": (4, 6), "junior": (7, 9)}[band]
        table = county.schools if entry["view"] == "today" else plan.planned.school_years[plan.planned.school_years["year"] == entry["years"][0]]
        ids = table.loc[(table["first_grade"] <= grades[0]) & (table["last_grade"] >= grades[1]), "school_id"].tolist()
        assert entry["schools"] == len(ids) and entry["minutes"] == plan.standards.limit("walk", band)
        times = pd.concat([plan.today.times, plan.planned.times])
        times = times[(times["mode"] == "walk") & (times["band"] == band) & times["to_id"].isin(ids)]
        minutes = times.groupby("from_id")["minutes"].min()
        for r in county.settlements.itertuples():
            least = minutes.get(r.settlement_id, np.inf)
            inside = any(s.contains(r.geometry) for s in shapes)
            if least < 0.9 * entry["minutes"] or least > 1.1 * entry["minutes"]:
                assert inside == (least < entry["minutes"]), (entry, r.settlement_id, least)
                checked += 1
    assert checked >= 25


def test_the_line_on_a_flat_road_ends_where_the_minutes_end():
    """Without terrain a child of grades 1-3 walks the limit along the road at one speed; beyond it ends."""
    plan = layout.make_plan(make_paper(), to=2026)
    found = walking_lines(plan)
    entry = next(line for line in found["lines"] if line["band"] == 2 and line["view"] == "today")
    shape = [metric(Polygon(unfolded(p[0]))) for p in found["shapes"][entry["shape"]]]
    # only S2, at km 7, has grades 7-9; the road goes to km 10 and ends there
    places = gpd.GeoDataFrame({"id": [f"{k}" for k in range(101)]}, geometry=[Point(EAST + 100 * k, NORTH) for k in range(101)], crs=CRS)
    school = plan.county.schools[plan.county.schools["school_id"] == "S2"].rename(columns={"school_id": "id"})[["id", "geometry"]]
    times = travel_times(plan.county.roads, places, school, mode="walk", band="junior", standards=plan.standards)
    within = set(times.loc[times["minutes"] <= entry["minutes"], "from_id"])
    west = min(int(k) for k in within) * 100
    assert min(s.bounds[0] for s in shape) - EAST == pytest.approx(west, abs=160)


def test_without_roads_or_minutes_there_are_no_lines(plan):
    none = {"shapes": [], "lines": []}
    assert walking_lines(dataclasses.replace(plan, county=dataclasses.replace(plan.county, roads=None))) == none
    assert walking_lines(dataclasses.replace(plan, today=dataclasses.replace(plan.today, times=plan.today.times.iloc[:0]))) == none


# --- other plans ------------------------------------------------------------------------------------------------------


def test_other_plans_are_rows_of_their_tables(plan, html):
    found = comparisons(plan)
    assert later(html)["comparisons"] == json.loads(json.dumps(found))
    # this plan first, doing nothing last
    assert [a["id"] for a in found["alternatives"]] == ["plan", "nearer", "expand_only", "without_C-E", "nothing"]
    assert [a["title"]["zh"] for a in found["alternatives"]] == ["本规划", "就近优先", "只扩不建", f"不设{name_of(plan, 'C-E')}", "维持现状"]
    rows = plan.alternatives.set_index("alternative_id")
    names = [p[0] for p in found["places"]]
    for a in found["alternatives"]:
        assert a["figures"] == [round(float(rows.loc[a["id"], column])) for column in COMPARED]
        table = plan.proposals if a["id"] == "plan" else plan.alternative_proposals.query("alternative_id == @a['id']")
        assert [(names[p[0]], p[1], p[2], p[6], p[7]) for p in a["proposals"]] == list(
            table[["school_id", "year", "action", "rooms", "beds"]].itertuples(index=False, name=None)
        )
    # only what this plan has not brings its own reason
    assert [(names[p[0]], p[9] is None) for p in found["alternatives"][3]["proposals"]] == [
        ("C-D", False),
        ("S1", True),
        ("S1", True),
        ("S2", True),
        ("S2", True),
    ]
    # 72 children for 10.6 million are no better than 72 for 10.0
    assert [(p[0]["zh"], p[1], p[3]) for p in found["frontier"]] == [
        ("只扩不建", 180, False), ("就近优先", 72, False), ("维持现状", 940, True), ("本规划", 72, True), ("本规划少开1所", 234, True),
        (f"不设{name_of(plan, 'C-E')}", 180, True),
    ]  # fmt: skip


def name_of(plan, school_id):
    return dict(zip(plan.schools["school_id"], plan.schools["name"], strict=True))[school_id]


def test_futures_say_what_all_of_them_build_and_what_is_lost(plan):
    found = comparisons(plan)
    assert found["futures"] == 3 and {row[3] for row in found["common"]} == {"all"}
    expand = next(row for row in found["common"] if found["places"][row[0]][0] == "S2" and row[1] == "expand")
    assert expand[4] == 3 and expand[6:10] == [2026, 2026, 3, 9] and [f["zh"] for f in expand[5]] == ["high", "low", "本规划"]
    ranks = plan.plan_regrets.set_index("plan_id")
    assert [(title["zh"], rank) for title, rank, *_ in found["regrets"]] == [("high", 1), ("本规划", 2), ("各情景共有部分", 3), ("low", 4)]
    # the plan loses children beyond the limit first, in the high future
    assert found["regrets"][1][2:] == [{"zh": "high", "en": "high"}, "beyond_limit", round(ranks.loc["plan", "regret_beyond_limit"]), 1, 3]


def test_a_site_that_the_plan_does_not_know_has_no_position(plan):
    strange = plan.common_proposals.assign(school_id=["Z9", *plan.common_proposals["school_id"].iloc[1:]])
    found = comparisons(dataclasses.replace(plan, common_proposals=strange))
    assert [p for p in found["places"] if p[0] == "Z9"] == [["Z9", "Z9", None]]


# --- tiles ------------------------------------------------------------------------------------------------------------

KEY = "0123456789abcdef0123456789abcdef"


def policy(html):
    return html.split('Content-Security-Policy" content="')[1].split('"')[0]


def test_only_a_notebook_has_tiles_and_such_a_map_cannot_be_saved(plan, html, tmp_path):
    drawn = draw_map(plan, tianditu_key=KEY)
    shown = drawn.get_root().render()
    assert island(shown)["ground"]["tiles"][0].endswith(f"tk={KEY}") and "img-src data: https://*.tianditu.gov.cn;" in policy(shown)
    for save in (drawn.save, drawn.get_root().save):
        with pytest.raises(ValueError, match="cannot be saved"):
            save(tmp_path / "map.html")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TypeError, match="tianditu_key"):
        save_map(plan, tmp_path / "map.html", tianditu_key=KEY)
    assert "tiles" not in island(html)["ground"] and "img-src data:;" in policy(html) and "tianditu.gov.cn" not in html


@pytest.mark.parametrize("options", [{"tianditu_key": 'x" onload='}, {"tianditu_key": "short"}, {"tianditu_key": KEY, "audience": "public"}])
def test_a_key_that_is_none_or_for_the_public_is_refused(plan, options):
    with pytest.raises(ValueError, match="tianditu_key"):
        draw_map(plan, **options)


def test_folded_lines_unfold():
    line = LineString([(107.1, 26.2), (107.10003, 26.19998), (107.2, 26.3)])
    assert np.abs(unfolded(folded(line)) - np.asarray(line.coords)).max() < 1e-9
