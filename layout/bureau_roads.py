"""Roads as a transport bureau keeps them: lines with Chinese fields become nodes and edges."""

from __future__ import annotations

import codecs
import glob
import hashlib
import math
import re
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors
import pyproj
import shapely

from layout.map_files import admit
from layout.road_edges import edge_frame, in_degrees, metric_crs, node_frame
from layout.road_noding import node_lines
from layout.road_tags import facts_of, is_road, parse_speed, parse_width
from layout.tables import CountyDataError, Problem

# nodes, edges, coordinate system and provenance: the parts of Roads
Parts = tuple[pd.DataFrame, gpd.GeoDataFrame, str, dict[str, str]]
# headings by what they mean, the surest first; the letters are the first ones of the pinyin, as a Shapefile's ten allow
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "class": (
        "highway", "fclass", "路线类型", "行政等级", "路线行政等级", "公路行政等级", "xzdj", "lxlx", "道路等级", "公路等级", "路线等级", "dldj",
        "gldj", "道路类型", "公路类型", "道路类别", "道路分类", "dllx", "roadclass", "roadtype", "class", "等级", "类型", "类别", "grade", "level",
        "type", "daoludengji", "xingzhengdengji",
    ),
    "technical": (
        "技术等级", "公路技术等级", "jsdj", "technicalclass", "techgrade", "jishudengji",
    ),
    "code": (
        "路线编号", "路线编码", "路线代码", "道路编号", "道路编码", "线路编号", "编号", "lxbh", "lxbm", "lxdm", "dlbh", "dlbm", "ref", "routecode",
        "roadcode", "luxianbianhao", "luxianbianma",
    ),
    "name": (
        "路线名称", "道路名称", "公路名称", "名称", "路名", "lxmc", "dlmc", "glmc", "mc", "name", "roadname", "mingcheng", "luxianmingcheng",
        "daolumingcheng",
    ),
    "limit": (
        "限速", "最高限速", "限制速度", "限速值", "车速", "xs", "xiansu", "maxspeed", "speedlimit", "speed", "chesu",
    ),
    "design": (
        "设计速度", "设计时速", "设计车速", "计算行车速度", "sjsd", "sjcs", "sjss", "designspeed", "shejisudu", "shejichesu",
    ),
    "width": (
        "路面宽度", "路面宽", "行车道宽度", "lmkd", "lumiankuandu", "width", "roadwidth", "宽度", "路宽", "道路宽度", "kd", "kuandu", "路基宽度",
        "路基宽", "ljkd", "lujikuandu",
    ),
    "lanes": (
        "车道数", "车道数量", "车道", "cds", "chedaoshu", "lanes", "lanenum",
    ),
    "surface": (
        "路面类型", "面层类型", "路面材料", "路面", "lmlx", "mclx", "lumianleixing", "surface", "pavement",
    ),
    "bridge": (
        "桥梁", "是否桥梁", "是否桥", "桥", "ql", "qiaoliang", "bridge",
    ),
    "tunnel": (
        "隧道", "是否隧道", "sd", "suidao", "tunnel",
    ),
    "oneway": (
        "单行", "单向", "是否单行", "是否单向", "单行道", "单行线", "单向通行", "通行方向", "dx", "danxing", "oneway",
    ),
}  # fmt: skip
# words in a value, in this order: the administrative class first, then streets, then paths
_WORDS = (
    ("匝道", "motorway_link"), ("高速", "motorway"), ("快速路", "trunk"), ("国道", "trunk"), ("省道", "primary"), ("县道", "secondary"),
    ("乡道", "tertiary"), ("村道", "unclassified"), ("专用公路", "unclassified"), ("专用道", "unclassified"), ("次干", "secondary"),
    ("主干", "primary"), ("支路", "residential"), ("街巷", "residential"), ("机耕", "track"), ("田间", "track"), ("生产路", "track"),
    ("小路", "path"), ("步道", "path"), ("人行", "path"), ("小径", "path"), ("步行", "path"),
)  # fmt: skip
# classes that OSM would give for the design speeds of 公路工程技术标准 JTG B01-2014 (一级 60-100 km/h, 二级 60-80, 三级 30-40,
# 四级 20-30, 等外 below any class): the class whose ordinary speed lies there
_TECHNICAL = (("高速", "motorway"), ("一级", "trunk"), ("二级", "primary"), ("三级", "tertiary"), ("四级", "unclassified"), ("等外", "service"))
_DIGITS = {"1": "一级", "2": "二级", "3": "三级", "4": "四级", "i": "一级", "ii": "二级", "iii": "三级", "iv": "四级"}
# letters of GB/T 917 公路路线标识规则和国道编号
_LETTERS = {"G": "trunk", "S": "primary", "X": "secondary", "Y": "tertiary", "C": "unclassified", "Z": "unclassified"}
_SURFACES = (
    ("沥青", "asphalt"), ("柏油", "asphalt"), ("水泥", "concrete"), ("混凝土", "concrete"), ("泥结", "compacted"), ("碎石", "gravel"),
    ("砂石", "gravel"), ("砾石", "gravel"), ("石板", "sett"), ("条石", "sett"), ("块石", "sett"), ("弹石", "sett"), ("土", "ground"),
)  # fmt: skip
_NO = {"", "0", "否", "无", "no", "n", "false", "f", "双向", "双", "b", "none", "nan", "不是", "非"}
_AGAINST = {"-1", "reverse", "反向", "逆向", "t-"}
_DEGREES = (180.0, 90.0)
# bytes of a letter at most, and bytes of a Shapefile's heading
_LETTER_BYTES, _HEADING_BYTES = 4, 10
# a coordinate system is used this far (degrees) outside the place it is made for at most; beyond, its name is wrong
_STRETCH_DEG = 15.0


def read_bureau_roads(path: Path, *, crs: str | None = None) -> Parts:
    """Read the roads of a transport bureau.

    Fields are known by their headings in Chinese, English or pinyin. The class is the administrative one (国道, 省道, 县道 ...,
    or the layer's name), else that of the route's code (G320, X123), else the technical class (一级 ... 等外), else what the
    name says; an unknown one becomes ``road``, the slowest. The design speed (设计速度) is no posted limit, but stands for
    one where a road has none: a county road is rarely driven faster than it was built for, and minutes only ever take the
    lesser of limit and class.

    Lines are cut where they cross or touch, and ends within ``SNAP_M`` of each other or of a line are joined; bridges and
    tunnels meet others only at their ends, motorways only where one of the two ends.

    Parameters
    ----------
    path
        GeoPackage (all its layers of lines), Shapefile (text as its ``.cpg`` says and its bytes bear out, else UTF-8 or
        GB18030), GeoJSON, or a zipped Shapefile.
    crs
        Metric coordinate system wanted; None takes that of the middle of the lines.

    Returns
    -------
    tuple
        Nodes, edges (``way_id`` counts the lines of the file from 1), coordinate system, and provenance: what was counted is
        in ``unknown_class``, ``duplicates``, ``empty`` (lines without any length), ``design_speed``.

    Raises
    ------
    CountyDataError
        If a layer cannot be read, has no coordinate system or one that its coordinates do not fit, or no lines.

    Examples
    --------
    >>> import tempfile
    >>> lines = gpd.GeoSeries.from_wkt(["LINESTRING (0 0, 2000 0)", "LINESTRING (900 0, 900 500)"]).translate(500000, 2950000)
    >>> table = gpd.GeoDataFrame({"道路等级": ["县道", "机耕路"]}, geometry=lines, crs="EPSG:4545")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_file(Path(folder) / "公路.gpkg", layer="公路")
    ...     nodes, edges, *_ = read_bureau_roads(Path(folder) / "公路.gpkg")
    >>> edges.highway.tolist(), edges.length_m.round().tolist(), len(nodes)
    (['secondary', 'secondary', 'track'], [900.0, 1100.0, 500.0], 4)
    """
    layers = _layers(path)
    problems = [problem for name, layer in layers for problem in _faults(name, layer, path.name)]
    if problems:
        raise CountyDataError(problems)
    table, geometry, empty = _lines(layers, crs, path.name)
    crs = str(geometry.crs) if crs is None else crs
    lines = geometry.to_numpy()
    first, twice, oneway = _single(lines, table["oneway"].to_numpy())
    table, lines = table.iloc[first].assign(oneway=oneway[first]), lines[first]
    apart = (table["bridge"] | table["tunnel"]).to_numpy(bool)
    noded = node_lines(lines, ends_only=apart, no_crossing=table["highway"].isin(["motorway"]).to_numpy(bool))
    data: dict[str, object] = {str(c): table[c].to_numpy()[noded.line] for c in table if c not in ("unknown", "designed")}
    data |= {"from_node": noded.start + 1, "to_node": noded.end + 1, "length_m": shapely.length(noded.pieces)}
    counted = {"unknown_class": table["unknown"].sum(), "duplicates": twice, "empty": empty, "design_speed": table["designed"].sum()}
    edges = edge_frame(data, noded.pieces, crs)
    source = {"file": path.name, "sha256": _sha256(path), "attribution": "", "date": "", "bbox": in_degrees(edges.to_crs(4326).total_bounds)}
    nodes = node_frame(np.arange(1, len(noded.x) + 1), noded.x, noded.y)
    return nodes, edges, crs, source | {k: str(int(v)) for k, v in counted.items()}


def road_class(value: object) -> str:
    """Return the OSM class of a Chinese administrative class, street, path or letter.

    Parameters
    ----------
    value
        What a field says.

    Returns
    -------
    str
        Empty where it says no class.

    Examples
    --------
    >>> [road_class(v) for v in ("县道", "X", "机耕路", "主干路", "tertiary", "9")]
    ['secondary', 'secondary', 'track', 'primary', 'tertiary', '']
    """
    text = _plain(value)
    if is_road({"highway": text}, ferries=False):
        return text
    return _LETTERS.get(text.upper(), "") or next((c for word, c in _WORDS if word in text), "")


def technical_class(value: object) -> str:
    """Return the OSM class of a technical class.

    Parameters
    ----------
    value
        高速, 一级 to 四级, 等外.

    Returns
    -------
    str
        Empty where it is none of them.

    Examples
    --------
    >>> [technical_class(v) for v in ("二级公路", "四级", "等外公路", "好")]
    ['primary', 'unclassified', 'service', '']
    """
    text = re.sub(r"^(iii|ii|iv|i|[1-4])级", lambda found: _DIGITS[found[1]], _plain(value))
    return next((c for word, c in _TECHNICAL if word in text), "")


def route_class(value: object) -> str:
    """Return the OSM class of a route's code.

    Parameters
    ----------
    value
        G320, S206, X123, Y012, C345, with or without the county's six figures behind it.

    Returns
    -------
    str
        ``motorway`` for G or S with one, two or four figures, as expressways are numbered; empty for what is no code.

    Examples
    --------
    >>> [route_class(v) for v in ("G320", "G60", "S206", "x123520425", "Y012", "C345", "八一路")]
    ['trunk', 'motorway', 'primary', 'secondary', 'tertiary', 'unclassified', '']
    """
    found = re.fullmatch(r"([GSXYCZ])([0-9A-Z]{1,4}?)(\d{6})?", _plain(value).upper())
    if not found or not any(c.isdigit() for c in found[2]):
        return ""
    if found[1] in "GS" and len(found[2]) != 3:
        return "motorway"
    return _LETTERS[found[1]]


def _plain(value: object) -> str:
    text = "" if value is None or value != value else unicodedata.normalize("NFKC", str(value)).strip().lower()
    return text.removesuffix(".0") if re.fullmatch(r"-?\d+\.0", text) else text


def _layers(path: Path) -> list[tuple[str, gpd.GeoDataFrame]]:
    """Return the layers of lines by name; text decoded."""
    try:
        inside = _zipped(path) if path.suffix.lower() == ".zip" else [""]
        for inner in inside:
            admit(path, member=inner)
        places = [f"/vsizip/{path}/{inner}" if inner else str(path) for inner in inside]
        found = []
        for place in places:
            # GDAL refuses a heading that was cut within a letter, so the texts of a Shapefile are decoded here
            shapes = place.lower().endswith(".shp")
            for name, kind in pyogrio.list_layers(place):
                # a layer of mixed or unknown kind may hold lines
                if kind is not None and ("LineString" in kind or kind in ("Unknown", "GeometryCollection", "Geometry")):
                    table = pyogrio.read_dataframe(place, layer=name, encoding="ISO-8859-1" if shapes else None)
                    table = _decoded(table, _cpg(path, place)) if shapes and isinstance(table, gpd.GeoDataFrame) else table
                    found += [(str(name), table)] if isinstance(table, gpd.GeoDataFrame) else []
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise CountyDataError([Problem("roads_unreadable", path.name, fields={"error": str(error)})]) from error
    if not found:
        raise CountyDataError([Problem("roads_no_lines", path.name)])
    return found


def _zipped(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return sorted(n for n in archive.namelist() if n.lower().endswith((".shp", ".gpkg", ".geojson")) and ".." not in n)


def _decoded(table: gpd.GeoDataFrame, said: str) -> gpd.GeoDataFrame:
    """Return a table whose bytes were read one a letter with its real texts: in the encoding that they bear out."""
    texts = [c for c in table if c != table.geometry.name and not pd.api.types.is_numeric_dtype(table[c]) and table[c].map(_is_text).any()]
    every = {v.encode("latin-1") for c in texts for v in table[c].unique() if _is_text(v)} | {str(c).encode("latin-1") for c in table}
    named = {"utf8": "utf-8", "936": "gb18030", "gbk": "gb18030", "gb2312": "gb18030", "ansi 936": "gb18030", "cp936": "gb18030"}.get(said, said)
    known = [name for name in (named, "utf-8", "gb18030") if name and _is_codec(name)]
    encoding = min(known, key=lambda name: sum(not _bears_out(v, name) for v in every))
    # a heading or a text that was too long for its field may end within a letter
    out = table.rename(columns={c: str(c).encode("latin-1").decode(encoding, "ignore") for c in table if c != table.geometry.name})
    renamed = dict(zip(table.columns, out.columns, strict=True))
    return out.assign(**{renamed[c]: table[c].map(lambda v: v.encode("latin-1").decode(encoding, "ignore") if _is_text(v) else v) for c in texts})


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_codec(name: str) -> bool:
    try:
        return bool(codecs.lookup(name))
    except LookupError:
        return False


def _bears_out(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return error.end >= len(data) and len(data) - error.start < _LETTER_BYTES
    return True


def _cpg(path: Path, place: str) -> str:
    """Return what the .cpg beside a Shapefile says of its encoding."""
    if path.suffix.lower() == ".zip":
        inner = place.removeprefix(f"/vsizip/{path}/")[:-4].lower() + ".cpg"
        with zipfile.ZipFile(path) as archive:
            found = [archive.read(name) for name in archive.namelist() if name.lower() == inner]
    else:
        found = [p.read_bytes() for p in path.parent.glob(f"{glob.escape(path.stem)}.*") if p.suffix.lower() == ".cpg"]
    return found[0].decode("ascii", "ignore").strip().lower() if found else ""


def _faults(name: str, table: gpd.GeoDataFrame, file: str) -> list[Problem]:
    """Say what is wrong with the coordinate system of a layer."""
    if table.crs is None:
        return [Problem("no_crs", file, sheet=name)]
    points = shapely.get_coordinates(table.geometry.to_numpy())
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return []
    fields = {"crs": table.crs.name, "x": f"{points[0, 0]:.2f}", "y": f"{points[0, 1]:.2f}"}
    small = bool((np.abs(points) <= _DEGREES).all())
    if table.crs.is_geographic != small:
        return [Problem("roads_not_metres" if small else "roads_not_degrees", file, sheet=name, fields=fields)]
    lon, lat = pyproj.Transformer.from_crs(table.crs, 4326, always_xy=True).transform(*np.median(points, axis=0))
    use = table.crs.area_of_use
    west, south, east, north = use.bounds if use else (-180.0, -90.0, 180.0, 90.0)
    inside = west - _STRETCH_DEG <= lon <= east + _STRETCH_DEG and south - _STRETCH_DEG <= lat <= north + _STRETCH_DEG
    # an area across the date line has its west in the east
    if math.isfinite(lon) and math.isfinite(lat) and (inside or west > east):
        return []
    return [Problem("roads_crs_elsewhere", file, sheet=name, fields=fields)]


def _lines(layers: list[tuple[str, gpd.GeoDataFrame]], crs: str | None, file: str) -> tuple[pd.DataFrame, gpd.GeoSeries, int]:
    """Return the facts and the single lines of all layers in a metric coordinate system, and how many had no length."""
    if crs is None:
        west, south, east, north = np.array([layer.to_crs(4326).total_bounds for _, layer in layers if len(layer)]).reshape(-1, 4).T
        crs = metric_crs((west.min() + east.max()) / 2, (south.min() + north.max()) / 2) if len(west) and np.isfinite(west).all() else "EPSG:4326"
    tables, shapes, empty, before = [], [], 0, 0
    for name, layer in layers:
        known = ~shapely.is_missing(layer.geometry.to_numpy())
        parts, of = shapely.get_parts(shapely.force_2d(layer.geometry.to_crs(crs).to_numpy()[known]), return_index=True)
        parts, again = shapely.get_parts(parts, return_index=True)
        of = np.flatnonzero(known)[of[again]]
        line = shapely.get_type_id(parts) == 1
        sound = line & np.isfinite(shapely.length(parts)) & (shapely.length(parts) > 0)
        # coordinates that are no numbers give no length; lines are counted, not their parts
        lost = np.setdiff1d(np.arange(len(layer)), of[sound])
        other = np.setdiff1d(of[~line], of[line])
        empty += len(np.setdiff1d(lost, other))
        facts = _facts(layer, name).assign(way_id=np.arange(1, len(layer) + 1) + before)
        tables.append(facts.iloc[of[sound]])
        shapes.append(shapely.remove_repeated_points(parts[sound]))
        before += len(layer)
    lines = np.concatenate(shapes) if shapes else np.zeros(0, object)
    if not len(lines):
        raise CountyDataError([Problem("roads_no_lines", file)])
    return pd.concat(tables, ignore_index=True), gpd.GeoSeries(lines, crs=crs), empty


def _facts(layer: gpd.GeoDataFrame, name: str) -> pd.DataFrame:
    """Return the columns of ``Roads.edges`` for every line, and whether its class is unknown and its limit the design speed."""
    fields = {role: _columns(layer, role) for role in _FIELDS}
    highway = np.full(len(layer), "", dtype=object)
    steps: list[tuple[str, Callable[[object], str]]] = [("class", road_class)]
    steps += [("code", route_class), ("technical", technical_class), ("class", technical_class), ("name", _named_class)]
    for role, reader in steps:
        for column in fields[role]:
            highway = np.where(highway == "", _mapped(column, reader), highway)
    # the class of a layer is that of its lines where they say none themselves
    highway = np.where(highway == "", road_class(name) if not name.isascii() else "", highway)
    unknown = highway == ""
    highway = np.where(unknown, "road", highway).astype(object)
    by_class = {c: facts_of({"highway": c}) for c in set(highway)}
    limit, design, width, lanes = (
        _numbers(fields[role], parse, len(layer))
        for role, parse in (("limit", parse_speed), ("design", parse_speed), ("width", parse_width), ("lanes", parse_width))
    )
    facts = {c: [by_class[h][c] for h in highway] for c in ("walk", "drive", "bus", "steps")}
    frame = pd.DataFrame({**facts, "highway": highway}, index=range(len(layer)))
    bridge, tunnel = (_texts(fields[role], lambda v: "" if _plain(v) in _NO else "1", len(layer)) == "1" for role in ("bridge", "tunnel"))
    oneway = _directions(fields["oneway"][0]) if fields["oneway"] else np.zeros(len(layer), "int64")
    return frame.assign(
        name=_texts(fields["name"], lambda v: "" if v is None or v != v else str(v).strip(), len(layer)),
        maxspeed_kph=np.where(np.isnan(limit), design, limit), width_m=width, lanes=lanes, surface=_texts(fields["surface"], _surface, len(layer)),
        bridge=bridge, tunnel=tunnel, oneway=oneway, unknown=unknown,
        designed=np.isnan(limit) & ~np.isnan(design),
    )  # fmt: skip


def _columns(layer: gpd.GeoDataFrame, role: str) -> list[pd.Series]:
    """Return the columns that mean something, the surest first."""
    plain = {re.sub(r"[\s_\-]|\(.*?\)|\[.*?\]", "", _plain(c)): c for c in reversed(layer.columns) if c != layer.geometry.name}
    # in UTF-8 a Shapefile keeps three letters of a Chinese heading
    short = {h: h.encode()[:_HEADING_BYTES].decode("utf-8", "ignore") for h in _FIELDS[role] if not h.isascii()}
    named = dict.fromkeys(plain[h] for h in (*_FIELDS[role], *short.values()) if h in plain)
    return [layer[c] for c in named]


def _mapped(column: pd.Series, reader: Callable[[object], str]) -> np.ndarray:
    # few values differ
    known = {v: reader(v) for v in column.dropna().unique()}
    return column.map(known).fillna("").to_numpy(object)


def _texts(columns: list[pd.Series], reader: Callable[[object], str], rows: int) -> np.ndarray:
    out = np.full(rows, "", dtype=object)
    for column in columns:
        out = np.where(out == "", _mapped(column, reader), out)
    return out


def _numbers(columns: list[pd.Series], parse: Callable[[str], float], rows: int) -> np.ndarray:
    out = np.full(rows, math.nan)
    for column in columns:
        text = _mapped(column, lambda v: re.sub(r"(公里|千米)/(小?时|h)|米|条|车道", "", _plain(v)))
        known = {t: parse(t) for t in set(text)}
        out = np.where(np.isnan(out), np.array([known[t] for t in text], float), out)
    return out


def _surface(value: object) -> str:
    text = _plain(value)
    return next((surface for word, surface in _SURFACES if word in text), text)


def _named_class(value: object) -> str:
    text = _plain(value)
    # a name may say more than the class: 县道口小学路 is no county road, so it must end with it or be a code
    return route_class(text) or next((c for word, c in _WORDS if text.endswith((word, word + "路", word + "公路"))), "")


def _directions(column: pd.Series) -> np.ndarray:
    # F, T, B are "from-to", "to-from" and "both" where B occurs (shapes of Geofabrik), else false and true
    letters = "b" in {_plain(v) for v in column.dropna().unique()}

    def one(value: object) -> int:
        text = _plain(value)
        if letters and text in ("f", "t", "b"):
            return {"f": 1, "t": -1, "b": 0}[text]
        return -1 if text in _AGAINST else 0 if text in _NO or text == "2" else 1

    known = {v: one(v) for v in column.dropna().unique()}
    return column.map(known).fillna(0).to_numpy("int64")


def _single(lines: np.ndarray, oneway: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
    """Return positions of lines without their duplicates, how many were dropped, and directions: drawn both ways it is open both ways."""
    canonical = shapely.normalize(lines)
    along = shapely.equals_exact(canonical, lines, tolerance=0)
    _, first, group = np.unique(shapely.to_wkb(canonical), return_index=True, return_inverse=True)
    sense = oneway * np.where(along, 1, -1)
    spread = [np.zeros(len(first)), np.zeros(len(first))]
    np.minimum.at(spread[0], group, sense)
    np.maximum.at(spread[1], group, sense)
    free = np.zeros(len(first), bool)
    np.logical_or.at(free, group, oneway == 0)
    both = free | (spread[0] * spread[1] < 0)
    kept = np.sort(first)
    return kept, len(lines) - len(first), np.where(both[group], 0, oneway)


def _sha256(path: Path) -> str:
    # a Shapefile is its parts
    parts = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*")) if path.suffix.lower() == ".shp" else [path]
    wanted = {".shp", ".dbf", ".prj", ".cpg"} if path.suffix.lower() == ".shp" else {path.suffix.lower()}
    digest = hashlib.sha256()
    for part in parts:
        if part.suffix.lower() in wanted:
            digest.update(part.read_bytes())
    return digest.hexdigest()
