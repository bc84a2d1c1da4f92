"""A plan for other programs: what goes out comes back, in every format."""

import csv
import dataclasses
import sqlite3
import xml.etree.ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from pandas.testing import assert_frame_equal
from typer.testing import CliRunner

from conftest import make_paper
from layout import exports, messages
from layout.cli import app
from layout.exports import FORMATS, export_plan
from layout.gis_layers import LAYERS, in_words, layer_fields, layer_title, plan_layers
from layout.gis_styles import cell_word, layer_style, map_colours, style_document
from layout.plan import make_plan
from layout.sample import make_sample_county

KML = {"k": "http://www.opengis.net/kml/2.2"}
EVIL = '<img src=x onerror=alert(1)>]]>"\u202e=cmd|\x07'


@pytest.fixture(scope="module")
def plan():
    return make_plan(make_sample_county(seed=0, settlements=60), years=[2030])


@pytest.fixture(scope="module")
def out(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gis")
    return folder, export_plan(plan, folder)


def plain(frame):
    """Everything but the geometry, whole numbers and texts as other programs give them back."""
    table = pd.DataFrame(frame).drop(columns="geometry")
    for column in table.columns:
        kind = pd.api.types.is_numeric_dtype(table[column])
        table[column] = table[column].astype("float64") if kind else table[column].fillna("").astype("str")
    return table.reset_index(drop=True)


def same_places(one, other, metres):
    assert one.geometry.to_crs(one.crs).hausdorff_distance(other.geometry.to_crs(one.crs).reset_index(drop=True)).max() < metres


# --- layers


def test_layers_count_what_the_plan_counts(plan):
    layers = plan_layers(plan)
    assert list(layers) == [name for name in LAYERS if name in layers] and {"villages", "schools", "proposals", "ways", "roads"} <= set(layers)
    rows = plan.planned.assignment[plan.planned.assignment["year"] == 2030]
    here = rows[rows["status"] != "away"]
    villages, schools, ways = layers["villages"], layers["schools"], layers["ways"]
    assert villages["pupils_2030"].sum() == here["pupils"].sum() > 0
    assert villages["unplaced_planned_2030"].sum() == here.loc[here["status"].isin(["no_seat", "no_bed", "no_route"]), "pupils"].sum()
    assert villages["beyond_planned_2030"].sum() == here.loc[here["status"] == "beyond_limit", "pupils"].sum()
    # every child has a line or is without a place
    assert ways["pupils"].sum() + here.loc[here["school_id"].astype("str") == "", "pupils"].sum() == here["pupils"].sum()
    classes = plan.planned.classes[plan.planned.classes["year"] == 2030]
    assert schools["pupils_2030"].sum() == classes["pupils"].sum() and schools["largest_class_2030"].max() == classes["largest_class"].max()
    assert schools["is_new"].sum() == len(plan.schools) - len(plan.county.schools) and len(layers["proposals"]) == len(plan.proposals)
    for name, frame in layers.items():
        key = {"proposals": ["school_id", "year", "action"], "rejected": ["school_id", "layer", "clause"]}.get(name, [frame.columns[0]])
        assert frame.crs == plan.county.crs and not frame.duplicated(key).any() and list(frame.index) == list(range(len(frame))), name


def test_words_stand_for_codes(plan):
    shown = in_words("proposals", plan_layers(plan)["proposals"], "zh")
    assert shown["gates"].str.contains("充分听取学生家长意见").any() and not shown["gates"].str.contains("hear_parents").any()
    assert set(shown["action"]) <= {"保留", "扩建", "新建", "增设寄宿", "调整年级", "转为教学点", "恢复", "列入论证"}


def test_layers_of_the_paper_county_by_hand():
    layers = plan_layers(make_plan(make_paper(), to=2026))
    ways = layers["ways"]
    # the children of A of grades 1-3 walk 27.8 minutes to S1, 10 in each grade
    first = ways[(ways["settlement_id"] == "A") & (ways["band"] == "lower")]
    assert first[["school_id", "mode", "pupils", "minutes", "status"]].values.tolist() == [["S1", "walk", 30, 27.8, "served"]]
    assert shapely.get_num_points(ways.geometry).tolist() == [2] * len(ways)
    row = layers["villages"].set_index("settlement_id").loc["A"]
    assert (row["unplaced_planned_2026"], row["beyond_planned_2026"], row["state"]) == (0, 0, "served")


def test_a_plan_of_a_county_without_anything_has_empty_layers_left_out():
    paper = make_paper()
    layers = plan_layers(make_plan(dataclasses.replace(paper, roads=None), to=2026))
    assert not {"roads", "boundary", "exclusions"} & set(layers) and len(layers["villages"]) == len(paper.settlements)


def test_names_of_columns_are_unique_and_short_enough():
    years = [2025, 2026, 2030, 2035]
    for layer in LAYERS:
        for lang in messages.LANGUAGES:
            fields = layer_fields(layer, years, lang=lang)
            for names in ([f.name for f in fields], [f.heading for f in fields], [f.short for f in fields if f.short]):
                assert len(set(names)) == len(names) and all(names), (layer, names)
        assert all(f.short.isascii() and len(f.short) <= 10 for f in layer_fields(layer, years))
    with pytest.raises(KeyError, match="lakes"):
        layer_fields("lakes", years)


# --- every format gives back what went in


def test_geopackage_round_trip(plan, out):
    for layer, frame in plan_layers(plan).items():
        back = pyogrio.read_dataframe(out[1]["plan_gis.gpkg"], layer=layer_title(layer, "zh"))
        names = {f.heading: f.name for f in layer_fields(layer, plan.years)}
        assert_frame_equal(plain(back.rename(columns=names)), plain(in_words(layer, frame, "zh")), obj=layer)
        same_places(frame, back, 0.01)


def test_every_layer_of_the_geopackage_has_its_style(plan, out):
    with sqlite3.connect(out[1]["plan_gis.gpkg"]) as base:
        styles = base.execute("SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles").fetchall()
        shapes = dict(base.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchall())
    assert {name: column for name, column, _, _ in styles} == shapes and all(default == 1 for *_, default in styles)
    for layer, frame in plan_layers(plan).items():
        document = ET.fromstring(next(qml for name, _, qml, _ in styles if name == layer_title(layer, "zh")))
        headings = {f.heading for f in layer_fields(layer, plan.years)}
        renderer, symbols = document.find("renderer-v2"), document.findall("renderer-v2/symbols/symbol")
        label = document.find("labeling/settings/text-style")
        assert symbols and (label is None or label.get("fieldName") in headings)
        if renderer.get("type") == "categorizedSymbol":
            column = next(f.name for f in layer_fields(layer, plan.years) if f.heading == renderer.get("attr"))
            drawn = {c.get("value") for c in document.iter("category")}
            # what no category takes would not be drawn
            assert set(in_words(layer, frame, "zh")[column]) <= drawn and len(drawn) == len(symbols), layer


def test_geoparquet_round_trip(plan, out):
    for layer, frame in plan_layers(plan).items():
        back = gpd.read_parquet(out[1][f"parquet/{layer}.parquet"])
        assert_frame_equal(plain(back), plain(frame), obj=layer)
        same_places(frame, back, 0.01)


def test_shapefile_round_trip(plan, out):
    for layer, frame in plan_layers(plan).items():
        back = pyogrio.read_dataframe(out[1][f"shp/{layer}.shp"])
        fields = [f for f in layer_fields(layer, plan.years) if f.short]
        assert list(back.columns) == [*(f.short for f in fields), "geometry"]
        sent = plain(in_words(layer, frame, "zh")[[*(f.name for f in fields), "geometry"]])
        sent = sent.map(lambda v: v.encode()[:254].decode(errors="ignore") if isinstance(v, str) else v)
        assert_frame_equal(plain(back.rename(columns={f.short: f.name for f in fields})), sent, obj=layer, rtol=1e-9)
        same_places(frame, back, 0.01)


def test_csv_round_trip(plan, out):
    for layer in ("villages", "schools", "proposals", "candidates", "rejected"):
        frame = plan_layers(plan).get(layer)
        path = out[1][f"csv/{layer}.csv"]
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        back = pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False, dtype="str")
        fields = layer_fields(layer, plan.years)
        assert list(back.columns) == [*(f.heading for f in fields), "经度", "纬度"]
        where = gpd.GeoSeries(gpd.points_from_xy(back["经度"].astype(float), back["纬度"].astype(float)), crs=4326).to_crs(frame.crs)
        assert where.distance(frame.geometry).max() < 0.2
        words = in_words(layer, frame, "zh")
        for f in fields:
            if pd.api.types.is_numeric_dtype(words[f.name]):
                read = pd.to_numeric(back[f.heading], errors="coerce").to_numpy(float)
                assert np.array_equal(read, words[f.name].to_numpy(float), equal_nan=True), f.name
            else:
                assert back[f.heading].tolist() == words[f.name].fillna("").astype("str").tolist(), f.name


def test_kml_has_every_place_with_its_style(plan, out):
    root = ET.parse(out[1]["plan.kml"]).getroot()
    styles = {f"#{s.get('id')}" for s in root.iterfind(".//k:Style", KML)}
    folders = {f.findtext("k:name", namespaces=KML): f for f in root.iterfind(".//k:Folder", KML)}
    for layer in ("proposals", "schools", "villages", "candidates", "exclusions", "boundary"):
        frame, places = plan_layers(plan)[layer], folders[layer_title(layer, "zh")].findall("k:Placemark", KML)
        assert len(places) == len(frame)
        assert {p.findtext("k:styleUrl", namespaces=KML) for p in places} <= styles
    where = plan_layers(plan)["schools"].geometry.to_crs(4326)
    first = folders["学校"].find("k:Placemark/k:Point/k:coordinates", KML).text.split(",")
    assert (float(first[0]), float(first[1])) == pytest.approx((where.iloc[0].x, where.iloc[0].y), abs=1e-6)


def test_fields_and_note_say_what_is_there(plan, out):
    rows = list(csv.DictReader((out[0] / "fields.csv").read_text(encoding="utf-8-sig").splitlines()))
    told = {(r["文件名"], r["英文列名（GeoParquet）"], r["简写（Shapefile）"], r["列名"]) for r in rows}
    assert told == {(layer, f.name, f.short, f.heading) for layer in plan_layers(plan) for f in layer_fields(layer, plan.years)}
    note = (out[0] / "README.txt").read_text(encoding="utf-8-sig")
    assert "EPSG:4490" in note and "EPSG:4326" in note and "不得公开" in note and f"村寨（villages）：{len(plan.county.settlements)} 条" in note


# --- manners


def test_the_same_plan_gives_the_same_bytes(plan, out, tmp_path):
    again = export_plan(plan, tmp_path)
    assert list(again) == list(out[1])
    assert [name for name in again if again[name].read_bytes() != out[1][name].read_bytes()] == []


def test_text_from_tables_stays_text(tmp_path):
    paper = make_paper()
    schools, settlements = paper.schools.copy(), paper.settlements.copy()
    schools["name"], settlements["name"] = EVIL, "=HYPERLINK(1)"
    plan = make_plan(dataclasses.replace(paper, schools=schools, settlements=settlements, name=EVIL), to=2026)
    made = export_plan(plan, tmp_path)
    names = [p.findtext("k:name", namespaces=KML) for p in ET.parse(made["plan.kml"]).getroot().iterfind(".//k:Placemark", KML)]
    assert EVIL.replace("\u202e", "").replace("\x07", "") in names
    # a balloon is HTML: read once as XML, no tag but the breaks of lines is left in it
    texts = [p.findtext("k:description", namespaces=KML) or "" for p in ET.parse(made["plan.kml"]).getroot().iterfind(".//k:Placemark", KML)]
    assert any("&lt;img" in text for text in texts) and not any("<" in text.replace("<br/>", "") for text in texts)
    cells = list(csv.reader(made["csv/villages.csv"].read_text(encoding="utf-8-sig").splitlines()))
    assert cells[1][1] == "'=HYPERLINK(1)"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.txt", "csv", "fields.csv", "parquet", "plan.kml", "plan_gis.gpkg", "shp"]


def test_what_fails_leaves_nothing(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "_note", lambda *args: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="the disk is full"):
        export_plan(plan, tmp_path, formats=["csv"])
    assert list(tmp_path.iterdir()) == []


def test_unknown_formats_and_languages(plan, tmp_path):
    with pytest.raises(ValueError, match="formats must be some of gpkg, parquet, shp, kml, csv, not dwg"):
        export_plan(plan, tmp_path, formats=["gpkg", "dwg"])
    with pytest.raises(ValueError, match="not none"):
        export_plan(plan, tmp_path, formats=[])
    with pytest.raises(ValueError, match="lang must be one of"):
        export_plan(plan, tmp_path, lang="fr")


def test_parquet_without_its_library_says_so(plan, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pyarrow"):
        export_plan(plan, tmp_path, formats=["parquet"])


def test_styles_differ_in_more_than_colour():
    assert set(map_colours()) >= {"tier-super", "no_seat", "beyond_limit", "part-served", "boarding", "accent", "stamp"}
    for layer in ("villages", "schools", "proposals", "ways"):
        symbols = layer_style(layer).symbols.values()
        assert len({(s.shape, s.size, s.dash) for s in symbols}) == len(symbols)
        words = [cell_word(layer, code, "zh") for code in layer_style(layer).symbols]
        assert len(set(words)) == len(words)
    assert style_document("villages", [2025], lang="en") == style_document("villages", [2025], lang="en")


def test_the_command_line(plan, tmp_path):
    plan.save(tmp_path / "a plan")
    run = CliRunner().invoke(app, ["export", str(tmp_path / "a plan"), "--format", "csv", "--format", "gpkg", "--lang", "en"])
    assert run.exit_code == 0, run.output
    there = tmp_path / "a plan" / "gis"
    assert sorted(p.name for p in there.iterdir()) == ["README.txt", "csv", "fields.csv", "plan_gis.gpkg"] and "not for publication" in run.output
    wrong = CliRunner().invoke(app, ["export", str(tmp_path / "a plan"), "--format", "dwg"])
    assert wrong.exit_code == 2 and "dwg" in wrong.output and ", ".join(FORMATS) in wrong.output
