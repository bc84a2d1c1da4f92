"""What SECURITY.md and PRIVACY.md promise, held: no code in data, no network unless asked, no file that leads elsewhere, no key in an output."""

import ast
import http.server
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import rasterio
from rasterio.transform import from_origin
from shapely.geometry import LineString, box

from conftest import make_paper
from layout.county import read_area, read_county, write_county
from layout.elevation_tiles import read_tiles
from layout.map_files import admit
from layout.obstacles import read_obstacles
from layout.outputs import plan_folder, safe_name
from layout.roads import read_roads
from layout.tables import CountyDataError

ROOT = Path(__file__).parents[1]
# modules that speak to the network, each only in the command or function that is named for it
NETWORK = {"machine": {"socket"}, "roads": {"osmnx", "requests"}, "province": {"asyncio"}}
NETWORKED = {
    "socket",
    "ssl",
    "http",
    "urllib",
    "ftplib",
    "smtplib",
    "asyncio",
    "requests",
    "httpx",
    "urllib3",
    "aiohttp",
    "osmnx",
    "webbrowser",
    "xmlrpc",
}
# what turns data into code
CODE = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "code", "codeop"}
RUNS = {"eval", "exec", "compile", "__import__"}


def trees():
    for path in sorted((ROOT / "layout").glob("*.py")):
        yield path.stem, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def faults(module, tree):
    """Say what in a module could run data as code, start a program, or speak to the network unasked."""
    names = set(imported(tree))
    found = [f"{module}: {name}" for name in sorted(names & CODE)]
    found += [f"{module}: {name}" for name in sorted((names & NETWORKED) - NETWORK.get(module, set()))]
    # memory.py calls one function of the C library, with a number
    found += [f"{module}: {name}" for name in sorted(names & {"subprocess", "multiprocessing", *(() if module == "memory" else ("ctypes",))})]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in RUNS:
                found.append(f"{module}:{node.lineno} {called.id}")
            of_os = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "os"
            if isinstance(called, ast.Attribute) and (
                called.attr in {"read_pickle", "to_pickle"} or (of_os and (called.attr in {"system", "popen", "startfile"} or "exec" in called.attr))
            ):
                found.append(f"{module}:{node.lineno} {called.attr}")
            # pandas' query and eval run text as code
            if isinstance(called, ast.Attribute) and called.attr == "eval":
                found.append(f"{module}:{node.lineno} .eval")
            if any(k.arg == "allow_pickle" and not (isinstance(k.value, ast.Constant) and k.value.value is False) for k in node.keywords):
                found.append(f"{module}:{node.lineno} allow_pickle")
            if any(k.arg == "shell" for k in node.keywords):
                found.append(f"{module}:{node.lineno} shell")
    return found


def test_no_module_runs_data_or_speaks_to_the_network_unasked():
    assert [fault for module, tree in trees() for fault in faults(module, tree)] == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "eval(x)",
        "import urllib.request",
        "frame.eval('a')",
        "np.load(f, allow_pickle=True)",
        "import subprocess",
        "import ctypes",
        "os.system(x)",
        "pd.read_pickle(x)",
    ],
)
def test_the_audit_can_fail(line):
    assert faults("tables", ast.parse(line)) != []


def test_the_modules_that_may_speak_do_so_inside_functions_only():
    for module, tree in trees():
        if module == "roads":
            assert not {name for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) for name in imported(node)} & NETWORKED


# --- a machine on which nobody may speak


_MUTE = """
import socket, sys
def refuse(*a, **k): raise AssertionError("the network was asked")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse
from layout.cli import main
sys.argv = ["layout", *sys.argv[1:]]
main()
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """The paper county checked and planned on a machine without a network, with keys in its environment."""
    home = tmp_path_factory.mktemp("mute")
    write_county(make_paper(), home / "county")
    # a library of C has no socket of Python: GDAL and PROJ would go through this proxy, where nothing but a count waits
    with listening() as (address, hits):
        secrets = {"TIANDITU_KEY": SECRET, "TIANDITU_TOKEN": SECRET, "GDAL_HTTP_HEADERS": f"Authorization: {SECRET}"}
        env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "http_proxy": address, "https_proxy": address} | secrets
        for command in (["check", "county"], ["plan", "county", "--draws", "5", "--out", "out"]):
            run = subprocess.run(
                [sys.executable, "-c", _MUTE, *command], check=False, cwd=home, env=env, capture_output=True, text=True, encoding="utf-8"
            )
            assert run.returncode == 0, run.stdout + run.stderr
        assert hits == []
    return home


SECRET = "5e8f0a77c0ffee11d00d5e8f0a77c0ff"


def listening():
    hits = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_HEAD = do_CONNECT = do_POST = do_GET

        def log_message(self, *_):
            pass

    class Server:
        def __enter__(self):
            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=self.server.serve_forever, daemon=True).start()
            return f"http://127.0.0.1:{self.server.server_port}", hits

        def __exit__(self, *_):
            self.server.shutdown()
            self.server.server_close()

    return Server()


def test_a_plan_is_made_without_the_network(planned):
    assert (planned / "out" / "manifest.json").is_file() and (planned / "out" / "map.html").is_file()


def everything_in(path):
    """Bytes of a file, and of everything in it where it is an archive."""
    data = path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as parts:
            data += b"".join(parts.read(name) for name in parts.namelist())
    return data


def test_no_key_of_the_machine_and_no_path_of_it_is_in_an_output(planned):
    files = [p for p in planned.rglob("*") if p.is_file() and "county" not in p.relative_to(planned).parts[0]]
    assert len(files) >= 7
    for path in files:
        data = everything_in(path)
        assert SECRET.encode() not in data, path.name
        assert str(planned).encode() not in data and str(ROOT).encode() not in data, path.name


def test_the_map_fetches_nothing(planned):
    page = (planned / "out" / "map.html").read_text(encoding="utf-8")
    for sign in ('src="http', "src='http", 'href="//', "@import", "url(http", "fetch(", "XMLHttpRequest", "sendBeacon"):
        assert sign not in page, sign


# --- files that are not what they say


SQUARE = box(107.0, 26.0, 107.1, 26.1)


def shapes(path, **more):
    gpd.GeoDataFrame({"name": ["a"]}, geometry=[SQUARE], crs=4326).to_file(path, **more)


def geojson(**more):
    return json.dumps({
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {}, "geometry": json.loads(gpd.GeoSeries([SQUARE]).to_json())["features"][0]["geometry"]}], **more,
    })  # fmt: skip


def vrt(source):
    return f'<OGRVRTDataSource><OGRVRTLayer name="other"><SrcDataSource>{source}</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'


def disguises(address, other):
    """Contents by name: each would make GDAL open an address or another file."""
    link = {"type": "link", "properties": {"href": f"{address}/crs", "type": "proj4"}}
    stream = json.dumps({"type": "gdal_streamed_alg", "command_line": f"gdal vector pipeline read {other}"})
    return {
        "vrt.gpkg": vrt(f"/vsicurl/{address}/x.geojson"),
        "vrt.geojson": vrt(other),
        "vrt.shp": vrt(other),
        "stream.geojson": stream,
        "stream.json": stream,
        "service.geojson": f"<OGRWFSDataSource><URL>{address}/wfs</URL></OGRWFSDataSource>",
        "service.gpkg": f"<OGRWFSDataSource><URL>{address}/wfs</URL></OGRWFSDataSource>",
        "link.geojson": geojson(crs=link),
        "capital.geojson": geojson(CRS={"Type": "LINK", "Properties": {"HREF": f"{address}/crs"}}),
        "url.geojson": geojson(crs={"type": "URL", "properties": {"url": f"{address}/crs"}}),
        "twice.geojson": geojson(crs=link)[:-1] + ', "crs": null}',
        "reference.geojson": geojson(coordRefSys={"type": "Reference", "href": f"{address}/crs"}),
        "other.gpkg": geojson(),
    }


NAMES = list(disguises("", ""))


@pytest.fixture
def listener():
    with listening() as found:
        yield found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("read", [read_area, read_obstacles, read_roads], ids=["areas", "obstacles", "roads"])
def test_a_disguised_layer_is_refused_in_words_before_it_is_opened(tmp_path, listener, name, read):
    address, hits = listener
    shapes(tmp_path / "secret.geojson", driver="GeoJSON")
    path = tmp_path / name
    path.write_text(disguises(address, (tmp_path / "secret.geojson").as_posix())[name], encoding="utf-8")
    with pytest.raises(CountyDataError) as error:
        read(path)
    assert {p.key for p in error.value.problems} <= {"disguised", "crs_is_a_link"} and error.value.problems[0].file == name
    assert error.value.problems[0].line("zh") and str(tmp_path) not in error.value.problems[0].line("en")
    assert hits == []


def test_gdal_itself_would_have_followed_some_of_them(tmp_path, listener):
    """The check is needed: without it GDAL reads another file under the name of this one, and asks an address."""
    address, hits = listener
    shapes(tmp_path / "secret.geojson", driver="GeoJSON")
    (tmp_path / "boundary.geojson").write_text(vrt((tmp_path / "secret.geojson").as_posix()).replace("other", "secret"), encoding="utf-8")
    assert len(gpd.read_file(tmp_path / "boundary.geojson")) == 1
    (tmp_path / "link.geojson").write_text(disguises(address, "")["link.geojson"], encoding="utf-8")
    gpd.read_file(tmp_path / "link.geojson")
    # the listener answers in a thread of its own
    for _ in range(100):
        if hits:
            break
        time.sleep(0.1)
    assert set(hits) == {"/crs"}


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.geojson", "a.json"])
def test_honest_layers_pass(tmp_path, name):
    shapes(tmp_path / name, **({"driver": "GeoJSON"} if name.endswith("json") else {}))
    admit(tmp_path / name)
    assert len(read_area(tmp_path / name)) == 1


def test_an_honest_archive_passes_and_a_disguised_member_does_not(tmp_path):
    line = gpd.GeoDataFrame({"公路等级": ["三级"]}, geometry=[LineString([(107, 26), (107.01, 26.01)])], crs=4326)
    line.to_file(tmp_path / "r.geojson", driver="GeoJSON")
    with zipfile.ZipFile(tmp_path / "roads.zip", "w") as archive:
        archive.write(tmp_path / "r.geojson", "r.geojson")
    assert len(read_roads(tmp_path / "roads.zip").edges)
    with zipfile.ZipFile(tmp_path / "roads.zip", "w") as archive:
        archive.writestr("r.geojson", vrt((tmp_path / "r.geojson").as_posix()))
    with pytest.raises(CountyDataError) as error:
        read_roads(tmp_path / "roads.zip")
    assert [p.key for p in error.value.problems] == ["disguised"]


def test_another_database_is_no_geopackage(tmp_path):
    with sqlite3.connect(tmp_path / "boundary.gpkg") as base:
        base.execute("create table t (a)")
    base.close()
    with pytest.raises(CountyDataError) as error:
        read_area(tmp_path / "boundary.gpkg")
    assert [p.key for p in error.value.problems] == ["disguised"]


def test_a_virtual_grid_under_the_name_of_a_tile_is_refused(tmp_path, listener):
    address, hits = listener
    with rasterio.open(
        tmp_path / "real.tif",
        "w",
        driver="GTiff",
        height=4,
        width=4,
        count=1,
        dtype="int16",
        crs="EPSG:4326",
        transform=from_origin(107, 26, 0.1, 0.1),
    ) as file:
        file.write(np.ones((4, 4), "int16"), 1)
    assert len(read_tiles(tmp_path / "real.tif")) == 1
    band = '<VRTRasterBand dataType="Int16" band="1"><SimpleSource><SourceFilename>{}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>'
    frame = '<VRTDataset rasterXSize="4" rasterYSize="4"><SRS>EPSG:4326</SRS><GeoTransform>107,.1,0,26,0,-.1</GeoTransform>{}</VRTDataset>'
    grids = {
        "near.tif": frame.format(band.format((tmp_path / "real.tif").as_posix())),
        "far.tif": frame.format(band.format(f"/vsicurl/{address}/v.tif")),
        "tiles.tif": f'<GDAL_WMS><Service name="TMS"><ServerUrl>{address}/${{z}}.png</ServerUrl></Service></GDAL_WMS>',
        "n26e107.hgt": frame.format(band.format(f"/vsicurl/{address}/v.tif")),
    }
    for name, words in grids.items():
        (tmp_path / name).write_text(words, encoding="utf-8")
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.write(tmp_path / name, name)
        for path in (tmp_path / name, tmp_path / f"{name}.zip"):
            with pytest.raises(CountyDataError) as error:
                read_tiles(path)
            assert [p.key for p in error.value.problems] == ["unreadable"]
    assert hits == []


@pytest.mark.parametrize(
    "value", ["../roads.gpkg", "/etc/passwd", "http://127.0.0.1/roads.gpkg", "/vsicurl/http://127.0.0.1/r.gpkg", "C:\\roads.gpkg", "a.vrt"]
)
def test_settings_name_files_of_the_folder_alone(tmp_path, value):
    write_county(make_paper(), tmp_path / "county")
    shapes(tmp_path / "roads.gpkg")
    settings = tmp_path / "county" / "county.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("[files]", "") + f"\n[files]\nroads = {json.dumps(value)}\n", encoding="utf-8")
    with pytest.raises(CountyDataError) as error:
        read_county(tmp_path / "county")
    assert {p.key for p in error.value.problems} <= {"outside_folder", "no_file"}


@pytest.mark.parametrize(
    "name", ["../x", "..", "/etc", "C:\\x", "C:", "CON", "nul", "NUL.txt", "com1", "LPT¹", "a/b", "a\\b", "x\x00y", "a:b", " ", "x.", "‮gnp"]
)
def test_no_name_becomes_a_path(tmp_path, name):
    safe = safe_name(name)
    assert safe not in ("", ".", "..") and not set(safe) & set('\\/:*?"<>|\x00') and safe.split(".")[0].upper() not in {"CON", "NUL", "COM1", "LPT¹"}
    assert plan_folder(tmp_path, name).parent == tmp_path


def test_text_of_a_workbook_is_neither_script_nor_formula(planned):
    """Names come from workbooks of others: they are text in the map, and never a formula in an output."""
    for path in (planned / "out" / "plan.xlsx",):
        book = openpyxl.load_workbook(path)
        assert not [c.coordinate for sheet in book for row in sheet.iter_rows() for c in row if c.data_type == "f"]
