"""A plan for other programs: GeoPackage with its styles, GeoParquet, Shapefile, KML and CSV, with a list of what every column means."""

from __future__ import annotations

import csv
import datetime as dt
import errno
import html
import io
import os
import re
import tempfile
import unicodedata
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

from layout import messages
from layout.county import export_crs
from layout.gis_layers import in_words, layer_fields, layer_title, plan_layers
from layout.gis_styles import Symbol, cell_word, layer_style, style_document
from layout.map_files import written
from layout.plan import Plan

#: Formats in the order in which they are listed.
FORMATS = ("gpkg", "parquet", "shp", "kml", "csv")
# a date in place of the clock keeps a file the same from run to run
_DATE = "2000-01-01T00:00:00.000Z"
# a Shapefile's cell holds no more
# bytes before the first record of a Shapefile's attributes (at least) and of its shapes
_DBF_HEADER, _SHP_HEADER = 33, 100
_CELL_BYTES = 254
_KML = "http://www.opengis.net/kml/2.2"
# roads and ways would bury the places in a viewer that has no legend
_IN_KML = ("proposals", "schools", "villages", "candidates", "exclusions", "boundary")


def export_plan(plan: Plan, folder: str | Path, *, formats: Sequence[str] = FORMATS, lang: str = "zh") -> dict[str, Path]:
    """Write the layers of a plan for a GIS, whole or not at all.

    Every file counts children by village: none is for publication, and the note in the folder says so.

    Parameters
    ----------
    plan
        From :func:`layout.make_plan` or :func:`layout.read_plan`.
    folder
        Folder to write into; made where it does not exist. Files of formats not asked for are left as they are.
    formats
        Some of :data:`FORMATS`: ``gpkg`` (``plan_gis.gpkg``, every layer with headings in the language and styles that QGIS takes
        up by itself), ``parquet`` (GeoParquet with codes, English names and no rounding, for research), ``shp`` (Shapefiles with ASCII names and
        UTF-8 cells; texts longer than 254 bytes are cut and counted in the note), ``kml`` (``plan.kml`` in WGS 84, for
        奥维 and others), ``csv`` (UTF-8 with BOM, longitude and latitude in WGS 84, points only).
    lang
        ``zh`` or ``en``: headings, words and notes.

    Returns
    -------
    dict
        Path by name relative to the folder, in the order of the formats, then ``fields.csv`` (every column of every layer by
        its names in each format, with its meaning) and ``README.txt`` (coordinate systems, files, stamp).

    Raises
    ------
    ValueError
        An unknown format or language.
    ImportError
        ``parquet`` without pyarrow.
    OSError
        If the folder cannot be written, or a file of it is open in another program (Windows).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(export_plan(layout.make_plan(paper, to=2026), folder, formats=["gpkg", "kml"]))
    ['README.txt', 'fields.csv', 'plan.kml', 'plan_gis.gpkg']
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise ValueError(f"formats must be some of {', '.join(FORMATS)}, not {', '.join(unknown) or 'none'}")
    messages.catalogue(lang)
    layers = plan_layers(plan)
    folder = Path(folder)
    makers: Mapping[str, Callable[[], list[str]]]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".layout-") as scratch:
        made = Path(scratch)
        crs = export_crs(plan.county)
        makers = {
            "gpkg": lambda: _geopackage(plan, layers, made, crs, lang), "parquet": lambda: _parquet(layers, made, crs),
            "shp": lambda: _shapefiles(plan, layers, made, crs, lang), "kml": lambda: _kml(plan, layers, made, lang),
            "csv": lambda: _csv(plan, layers, made, lang),
        }  # fmt: skip
        wanted = [name for name in FORMATS if name in formats]
        with written(folder.name):
            notes = [note for name in wanted for note in makers[name]()]
        _code_book(plan, layers, made, lang)
        _note(plan, layers, made, crs, wanted, notes, lang)
        paths = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
        for path in paths:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).replace(folder / path)
    return {path.as_posix(): folder / path for path in paths}


# --- one writer a format; each returns what the note must say


def _shown(plan: Plan, layer: str, frame: gpd.GeoDataFrame, lang: str) -> gpd.GeoDataFrame:
    headings = {field.name: field.heading for field in layer_fields(layer, plan.years, lang=lang)}
    return in_words(layer, frame, lang).rename(columns=headings)


def _geopackage(plan: Plan, layers: Mapping[str, gpd.GeoDataFrame], made: Path, crs: str, lang: str) -> list[str]:
    import pyogrio

    path = made / "plan_gis.gpkg"
    styles = []
    # the version that programs of the last six years read without a warning
    options = {"VERSION": "1.2"}
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _DATE})
    try:
        for layer, frame in layers.items():
            title = layer_title(layer, lang)
            pyogrio.write_dataframe(_shown(plan, layer, frame, lang).to_crs(crs), path, layer=title, driver="GPKG", dataset_options=options)
            styles.append({
                "f_table_catalog": "", "f_table_schema": "", "f_table_name": title, "f_geometry_column": "geom", "styleName": title,
                "styleQML": style_document(layer, plan.years, lang=lang), "styleSLD": "", "useAsDefault": True, "description": title, "owner": "",
                "ui": "", "update_time": dt.datetime(2000, 1, 1),
            })  # fmt: skip
        # QGIS looks into a table of this name and these columns for the style of a layer
        pyogrio.write_dataframe(pd.DataFrame(styles), path, layer="layer_styles", driver="GPKG", dataset_options=options, layer_options={"FID": "id"})
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    return []


def _parquet(layers: Mapping[str, gpd.GeoDataFrame], made: Path, crs: str) -> list[str]:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(messages.text("gis.no_pyarrow")) from error
    folder = made / "parquet"
    folder.mkdir()
    for layer, frame in layers.items():
        frame.to_crs(crs).to_parquet(folder / f"{layer}.parquet", index=False)
    return []


def _shapefiles(plan: Plan, layers: Mapping[str, gpd.GeoDataFrame], made: Path, crs: str, lang: str) -> list[str]:
    import pyogrio

    folder = made / "shp"
    folder.mkdir()
    notes = []
    for layer, frame in layers.items():
        fields = [field for field in layer_fields(layer, plan.years, lang=lang) if field.short]
        table = in_words(layer, frame, lang)[[*(f.name for f in fields), "geometry"]].rename(columns={f.name: f.short for f in fields})
        cut = 0
        for column in table.columns.drop("geometry"):
            if not pd.api.types.is_numeric_dtype(table[column]):
                whole = table[column].fillna("").astype("str")
                table[column] = [_within(text) for text in whole]
                cut += int((table[column] != whole).sum())
        if cut:
            notes.append(messages.text("gis.cut", lang, layer=layer_title(layer, lang), count=cut, bytes=_CELL_BYTES))
        with warnings.catch_warnings():
            # a county without one of its columns' values is no fault of the reader's
            warnings.filterwarnings("ignore", message=".*laundered.*|.*truncated.*", category=RuntimeWarning)
            pyogrio.write_dataframe(table.to_crs(crs), folder / f"{layer}.shp", driver="ESRI Shapefile", encoding="UTF-8")
        # bytes 1 to 3 of the attribute file hold the day on which it was written
        attributes = folder / f"{layer}.dbf"
        data = attributes.read_bytes()
        _whole(folder / f"{layer}.shp", data)
        attributes.write_bytes(data[:1] + bytes([100, 1, 1]) + data[4:])
    return notes


def _whole(path: Path, attributes: bytes) -> None:
    """Raise where a Shapefile is shorter than it says: its driver does not notice that a disk is full."""
    # an end mark follows the records
    records, start, each = (int.from_bytes(attributes[i:j], "little") for i, j in ((4, 8), (8, 10), (10, 12)))
    shapes = [path, path.with_suffix(".shx")]
    said = [2 * int.from_bytes(file.read_bytes()[24:28], "big") for file in shapes]
    unfinished = start < _DBF_HEADER or len(attributes) < start + records * each + 1
    if unfinished or any(file.stat().st_size < max(n, _SHP_HEADER) for file, n in zip(shapes, said, strict=True)):
        raise OSError(f"{path.name}: {os.strerror(errno.ENOSPC)}")


def _within(text: str) -> str:
    return text.encode("utf-8")[:_CELL_BYTES].decode("utf-8", errors="ignore")


def _csv(plan: Plan, layers: Mapping[str, gpd.GeoDataFrame], made: Path, lang: str) -> list[str]:
    folder = made / "csv"
    folder.mkdir()
    for layer, frame in layers.items():
        if set(frame.geom_type) != {"Point"}:
            continue
        where = frame.geometry.to_crs(4326)
        table = pd.DataFrame(_shown(plan, layer, frame, lang).drop(columns="geometry"))
        table[messages.text("gis.longitude", lang)], table[messages.text("gis.latitude", lang)] = where.x.round(6), where.y.round(6)
        for column in table.columns:
            if not pd.api.types.is_numeric_dtype(table[column]):
                table[column] = [_harmless(text) for text in table[column].fillna("").astype("str")]
        text = table.to_csv(index=False, lineterminator="\r\n")
        (folder / f"{layer}.csv").write_bytes(b"\xef\xbb\xbf" + text.encode("utf-8"))
    return []


def _harmless(text: str) -> str:
    # a spreadsheet would run what begins so
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _kml(plan: Plan, layers: Mapping[str, gpd.GeoDataFrame], made: Path, lang: str) -> list[str]:
    root = ET.Element("kml", xmlns=_KML)
    document = ET.SubElement(root, "Document")
    ET.SubElement(document, "name").text = _clean(messages.text("gis.title", lang, county=plan.county.name, years=_years(plan)))
    ET.SubElement(document, "description").text = messages.text("gis.stamp", lang)
    for layer in _IN_KML:
        for i, symbol in enumerate(layer_style(layer).symbols.values()):
            _kml_style(document, f"{layer}-{i}", symbol)
    for layer in _IN_KML:
        if layer in layers:
            _kml_folder(document, plan, layer, layers[layer], lang)
    ET.indent(root)
    (made / "plan.kml").write_bytes(b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode").encode("utf-8") + b"\n")
    return []


def _kml_style(document: ET.Element, name: str, symbol: Symbol) -> None:
    style = ET.SubElement(document, "Style", id=name)
    if symbol.kind == "marker":
        icon = ET.SubElement(style, "IconStyle")
        ET.SubElement(icon, "color").text = _abgr(symbol.fill)
        ET.SubElement(icon, "scale").text = f"{symbol.size / 3:.2f}"
    line = ET.SubElement(style, "LineStyle")
    ET.SubElement(line, "color").text = _abgr(symbol.outline)
    ET.SubElement(line, "width").text = "1.5"
    face = ET.SubElement(style, "PolyStyle")
    ET.SubElement(face, "color").text = _abgr(symbol.fill, "66") if symbol.fill else "00ffffff"


def _abgr(colour: str, opacity: str = "ff") -> str:
    return (opacity + colour[5:7] + colour[3:5] + colour[1:3]).lower()


def _kml_folder(document: ET.Element, plan: Plan, layer: str, frame: gpd.GeoDataFrame, lang: str) -> None:
    node = ET.SubElement(document, "Folder")
    ET.SubElement(node, "name").text = layer_title(layer, lang)
    style = layer_style(layer)
    codes = list(style.symbols)
    fields = layer_fields(layer, plan.years, lang=lang)
    shown = in_words(layer, frame, lang)
    names = shown["name"] if "name" in shown else shown.iloc[:, 0]
    shapes = frame.geometry.to_crs(4326)
    for i in range(len(frame)):
        place = ET.SubElement(node, "Placemark")
        named = str(names.iloc[i])
        ET.SubElement(place, "name").text = _clean(f"{shown['action'].iloc[i]} {named}" if layer == "proposals" else named)
        values = [(field.heading, _cell(shown[field.name].iloc[i])) for field in fields]
        # the text of a balloon is read as HTML, so what comes from tables is escaped once more
        ET.SubElement(place, "description").text = "<br/>".join(f"{html.escape(h)}: {html.escape(v)}" for h, v in values if v)
        code = str(frame[style.column].iloc[i]) if style.column else ""
        ET.SubElement(place, "styleUrl").text = f"#{layer}-{codes.index(code) if code in codes else 0}"
        _kml_shape(place, shapes.iloc[i])


def _kml_shape(parent: ET.Element, shape: shapely.Geometry) -> None:
    parts = list(getattr(shape, "geoms", [shape]))
    holder = ET.SubElement(parent, "MultiGeometry") if len(parts) > 1 else parent
    for part in parts:
        if part.geom_type == "Point":
            ET.SubElement(ET.SubElement(holder, "Point"), "coordinates").text = _corners(part)
        elif part.geom_type == "Polygon":
            polygon = ET.SubElement(holder, "Polygon")
            for kind, rings in (("outerBoundaryIs", [part.exterior]), ("innerBoundaryIs", part.interiors)):
                for ring in rings:
                    ET.SubElement(ET.SubElement(ET.SubElement(polygon, kind), "LinearRing"), "coordinates").text = _corners(ring)
        else:
            ET.SubElement(ET.SubElement(holder, "LineString"), "coordinates").text = _corners(part)


def _corners(shape: shapely.Geometry) -> str:
    return " ".join(f"{x:.6f},{y:.6f}" for x, y in shapely.get_coordinates(shape))


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value) or value is pd.NA:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return _clean(str(value))


def _clean(text: str) -> str:
    # XML has no place for control characters, and nobody can see the marks that turn the direction of writing
    kept = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs") or c in "\n\t")
    return re.sub(r"[\ufffe\uffff]", "", kept)


# --- what goes with them


def _years(plan: Plan) -> str:
    return ", ".join(map(str, plan.years))


def _code_book(plan: Plan, layers: Mapping[str, gpd.GeoDataFrame], made: Path, lang: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([messages.text(f"gis.book.{key}", lang) for key in ("layer", "file", "heading", "name", "short", "meaning", "codes")])
    for layer in layers:
        style = layer_style(layer)
        for field in layer_fields(layer, plan.years, lang=lang):
            codes = [c for c in style.symbols if c] if field.name == style.column else []
            words = "; ".join(f"{c} = {cell_word(layer, c, lang)}" for c in codes)
            writer.writerow([layer_title(layer, lang), layer, field.heading, field.name, field.short, field.meaning, words])
    (made / "fields.csv").write_bytes(b"\xef\xbb\xbf" + text.getvalue().encode("utf-8"))


def _note(plan: Plan, layers: Mapping[str, gpd.GeoDataFrame], made: Path, crs: str, formats: Sequence[str], notes: Sequence[str], lang: str) -> None:
    lines = [
        messages.text("gis.title", lang, county=_clean(plan.county.name), years=_years(plan)), messages.text("gis.stamp", lang), "",
        messages.text("gis.systems", lang, crs=crs), "",
        *(messages.text(f"gis.format.{name}", lang) for name in formats), messages.text("gis.format.fields", lang), "",
        *(messages.text("gis.rows", lang, layer=layer_title(layer, lang), file=layer, count=len(frame)) for layer, frame in layers.items()),
        *(["", *notes] if notes else []),
    ]  # fmt: skip
    (made / "README.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode("utf-8") + b"\r\n")
