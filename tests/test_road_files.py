"""Roads of every format in a county folder and on the command line."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

import geopandas as gpd
import osmium
import osmnx
import pytest
from shapely.geometry import LineString
from typer.testing import CliRunner

from conftest import make_paper
from layout.cli import app
from layout.county import read_county, write_county
from layout.roads import Roads, complete_edges, read_roads, write_roads
from layout.tables import CountyDataError


def run(*words: object):
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture
def folder(tmp_path) -> Path:
    home = tmp_path / "county"
    write_county(make_paper(), home)
    (home / "roads.gpkg").unlink()
    return home


def make(kind: str, home: Path) -> Path:
    """Write the paper road, ten kilometres of 县道, in a format."""
    roads, path = make_paper().roads, home / f"roads{kind}"
    if kind == ".graphml":
        osmnx.save_graphml(roads.to_networkx(), path)
    elif ".osm" in kind:
        nodes = gpd.GeoSeries(gpd.points_from_xy(roads.nodes.x, roads.nodes.y), crs=roads.crs).to_crs(4326)
        writer = osmium.SimpleWriter(str(path))
        for n, point in enumerate(nodes, start=1):
            writer.add_node(osmium.osm.mutable.Node(id=n, location=(point.x, point.y)))
        writer.add_way(osmium.osm.mutable.Way(id=1, nodes=range(1, 12), tags={"highway": "secondary"}))
        writer.close()
    elif kind == ".zip":
        (home / "parts").mkdir()
        make(".shp", home / "parts")
        with zipfile.ZipFile(path, "w") as archive:
            for part in (home / "parts").iterdir():
                archive.write(part, part.name)
        shutil.rmtree(home / "parts")
    else:
        table = gpd.GeoDataFrame({"道路等级": ["县道"] * 10}, geometry=roads.edges.geometry, crs=roads.crs)
        # a Shapefile keeps ten bytes of a heading: four Chinese letters only in GB18030
        table.to_crs(4326 if kind == ".geojson" else roads.crs).to_file(path, **({"encoding": "gb18030"} if kind == ".shp" else {}))
    return path


KINDS = [".gpkg", ".shp", ".zip", ".geojson", ".graphml", ".osm", ".osm.gz", ".osm.bz2", ".osm.pbf"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_county_takes_roads_of_every_format(folder, kind):
    make(kind, folder)
    county = read_county(folder)
    assert county.roads.edges.length_m.sum() == pytest.approx(10_000, rel=1e-4)
    assert county.roads.crs == county.crs and county.roads.edges.walk.all() and county.roads.edges.drive.all()
    assert f"roads{kind}" in county.inputs and not [n for n, _ in county.notes if n == "note.no_roads"]
    if kind != ".graphml":
        assert set(county.roads.edges.highway) == {"secondary"}


@pytest.mark.parametrize("kind", KINDS)
def test_roads_of_every_format_are_put_into_a_folder(folder, tmp_path, kind):
    result = run("roads", folder, "--pbf", make(kind, tmp_path), "--lang", "en")
    assert result.exit_code == 0 and "10 km" in result.output
    assert read_roads(folder / "roads.gpkg").edges.length_m.sum() == pytest.approx(10_000, rel=1e-4)
    assert read_county(folder).roads.source["file"] in (f"roads{kind}", "paper")


def test_a_name_in_the_settings_is_taken(folder):
    make(".shp", folder).rename(folder / "农村公路.shp")
    for ending in (".dbf", ".shx", ".prj", ".cpg"):
        (folder / f"roads{ending}").rename(folder / f"农村公路{ending}")
    with (folder / "county.toml").open("a", encoding="utf-8") as file:
        file.write("\n[files]\nroads = '农村公路.shp'\n")
    assert read_county(folder).roads.source["file"] == "农村公路.shp"
    (folder / "农村公路.prj").unlink()
    with pytest.raises(CountyDataError, match="农村公路") as error:
        read_county(folder)
    assert [p.key for p in error.value.problems] == ["no_crs"]


def test_what_reading_counted_is_said(folder):
    lines = make_paper().roads.edges.geometry
    gpd.GeoDataFrame({"等级": ["怪"] * 10 + ["县道"]}, geometry=[*lines, lines[0]], crs=lines.crs).to_file(folder / "roads.gpkg", layer="l")
    assert read_county(folder).notes[0] == ("note.roads_counted", {"file": "roads.gpkg", "unknown_class": 10, "duplicates": 1, "empty": 0})
    assert "10 roads have a class that is not known" in run("check", folder, "--lang", "en").output


def gappy() -> Roads:
    """The paper road, a lane that stops 10 m short of it, and a piece apart; two villages more lie far off."""
    roads = make_paper().roads
    x, y = roads.nodes.x[3] + 500, roads.nodes.y[3]
    more = [LineString([(x, y + 10), (x, y + 700)]), LineString([(x, y + 5000), (x, y + 5700)])]
    edges = complete_edges(roads.edges)
    new = edges.iloc[[0, 0]].assign(edge_id=[10, 11], from_node=[11, 13], to_node=[12, 14], length_m=[690.0, 700.0])
    new = new.set_geometry(gpd.GeoSeries(more, index=new.index, crs=roads.crs))
    frame = gpd.pd.concat([edges, new], ignore_index=True)
    spots = gpd.pd.DataFrame({"node_id": range(11, 15), "x": x, "y": [y + 10, y + 700, y + 5000, y + 5700]})
    return Roads(gpd.pd.concat([roads.nodes, spots], ignore_index=True), frame, roads.crs, roads.source)


@pytest.mark.parametrize(
    ("lang", "sentences"),
    [
        (
            "en",
            [r"2 pieces are not connected with the rest \(1\.4 km\); 0 settlements .*: 11、10", r"1 ends stop just short of another road.*nodes 11"],
        ),
        ("zh", [r"有 2 片与其余道路不相连（共 1\.4 公里），0 个村寨.*：11、10", r"有 1 个断头离另一条路很近.*：11"]),
    ],
)
def test_check_tells_the_gaps(folder, lang, sentences):
    write_roads(gappy(), folder / "roads.gpkg")
    result = run("check", folder, "--lang", lang)
    assert result.exit_code == 0, result.output
    assert all(re.search(s, result.output) for s in sentences), result.output
    # a place far from any road is told once
    assert result.output.count("too far from any road") == 0
