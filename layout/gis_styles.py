"""How the layers of a plan look in QGIS: the colours of the meeting map as style documents that lie in the GeoPackage itself."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from layout import messages
from layout.gis_layers import STATES, TIERS, layer_fields
from layout.tables import label, schemas

# the oldest QGIS whose documents these are
_VERSION = "3.22.0"
_FORMS = ("star", "diamond", "pentagon", "cross_fill", "triangle", "arrowhead", "hexagon", "circle", "square")


@dataclass(frozen=True)
class Symbol:
    """A mark, a line or a face: its colours as #rrggbb, its shape and its size in millimetres."""

    kind: str
    fill: str
    outline: str = "#333333"
    shape: str = "circle"
    size: float = 2.4
    dash: str = "solid"


@dataclass(frozen=True)
class Style:
    """How one layer is drawn: a symbol for each code of a column, or one for all, and the column that names the rows."""

    column: str
    symbols: Mapping[str, Symbol]
    named_by: str = ""


def map_colours() -> dict[str, str]:
    """Read the colours of the meeting map from its style sheet, their only place.

    Returns
    -------
    dict
        ``#rrggbb`` by name.

    Examples
    --------
    >>> map_colours()["tier-super"]
    '#8e0152'
    """
    sheet = files("layout").joinpath("assets", "plan_map.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{6});", sheet))


def layer_style(layer: str) -> Style:
    """Return how a layer is drawn.

    Parameters
    ----------
    layer
        One of :data:`layout.gis_layers.LAYERS`.

    Returns
    -------
    Style
        Its symbols differ in shape, size or dash as well as in colour.

    Examples
    --------
    >>> style = layer_style("schools")
    >>> style.column, len({(s.shape, s.size) for s in style.symbols.values()}) == len(style.symbols)
    ('tier', True)
    """
    c = map_colours()
    if layer == "villages":
        fills = ("#ffffff", c["part-served"], c["beyond_limit"], c["no_seat"])
        forms = (("circle", 1.4), ("circle", 2.0), ("triangle", 3.0), ("square", 3.0))
        marks = {s: Symbol("marker", f, shape=form, size=mm) for s, f, (form, mm) in zip(STATES, fills, forms, strict=True)}
        return Style("state", marks, "name")
    if layer == "schools":
        tiers = ("", *TIERS)
        marks = {t: Symbol("marker", c[f"tier-{t or 'none'}"], shape="square", size=2.2 + 0.5 * i) for i, t in enumerate(tiers)}
        return Style("tier", marks, "name")
    if layer == "proposals":
        actions = list(schemas()["proposals"].columns["action"].values)
        marks = {a: Symbol("marker", c["accent"], "#ffffff", _FORMS[i % len(_FORMS)], 4.2 + 0.2 * i) for i, a in enumerate(actions)}
        return Style("action", marks)
    if layer == "ways":
        drawn = {"walk": ("#2166ac", "solid"), "bus": ("#1b7837", "dash"), "board": (c["boarding"], "dot")}
        codes = schemas()["assignment"].columns["mode"].values
        return Style("mode", {m: _way(drawn.get(m), 0.3 + 0.05 * i) for i, m in enumerate(codes)})
    one = {
        "candidates": Symbol("marker", "#ffffff", c["accent"], "diamond", 2.4), "rejected": Symbol("marker", "#ffffff", c["stamp"], "cross", 2.8),
        "roads": Symbol("line", "#9a9488", size=0.25), "exclusions": Symbol("fill", "#f4d6d2", c["stamp"], dash="dash"),
        "boundary": Symbol("fill", "", "#333333", size=0.5),
    }  # fmt: skip
    return Style("", {"": one[layer]})


def style_document(layer: str, years: Sequence[int], *, lang: str = "zh") -> str:
    """Write the style of a layer as a document of QGIS (QML).

    Parameters
    ----------
    layer
        One of :data:`layout.gis_layers.LAYERS`.
    years
        Base year and plan years, for the headings.
    lang
        ``zh`` or ``en``: the language of the words that the layer's cells hold.

    Returns
    -------
    str
        XML; the same for the same arguments.

    Examples
    --------
    >>> document = style_document("villages", [2025, 2030])
    >>> document[:15], 'attr="情况"' in document
    ('<!DOCTYPE qgis ', True)
    """
    style = layer_style(layer)
    headings = {field.name: field.heading for field in layer_fields(layer, years, lang=lang)}
    root = ET.Element("qgis", version=_VERSION, styleCategories="Symbology|Labeling", labelsEnabled="1" if style.named_by else "0")
    plain = not style.column
    renderer = ET.SubElement(root, "renderer-v2", type="singleSymbol" if plain else "categorizedSymbol", enableorderby="0", forceraster="0")
    if not plain:
        renderer.set("attr", headings[style.column])
        categories = ET.SubElement(renderer, "categories")
        for i, code in enumerate(style.symbols):
            word = cell_word(layer, code, lang)
            ET.SubElement(categories, "category", value=word, symbol=str(i), label=word or messages.text("gis.none", lang), render="true")
    symbols = ET.SubElement(renderer, "symbols")
    for i, symbol in enumerate(style.symbols.values()):
        _symbol(symbols, str(i), symbol)
    if style.named_by:
        _labels(root, headings[style.named_by])
    ET.indent(root)
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ET.tostring(root, encoding="unicode") + "\n"


def cell_word(layer: str, code: str, lang: str) -> str:
    """Return the word that stands in a layer's cell for a code of its styled column.

    Parameters
    ----------
    layer
        One of the layers with a styled column.
    code
        A code; empty for none.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        The word, empty for the empty code.

    Examples
    --------
    >>> cell_word("villages", "served", "zh"), cell_word("schools", "", "zh")
    ('均在时限内', '')
    """
    if layer == "villages":
        return messages.text(f"gis.state.{code}", lang)
    table, column = {"schools": ("classes", "tier"), "proposals": ("proposals", "action"), "ways": ("assignment", "mode")}[layer]
    return label(table, column, code, lang) if code else ""


def _way(known: tuple[str, str] | None, millimetres: float) -> Symbol:
    fill, dash = known or ("#757575", "dash dot")
    return Symbol("line", fill, size=millimetres, dash=dash)


def _symbol(parent: ET.Element, name: str, symbol: Symbol) -> None:
    node = ET.SubElement(
        parent, "symbol", type=symbol.kind, name=name, alpha="0.6" if symbol.kind == "fill" else "1", clip_to_extent="1", force_rhr="0"
    )
    if symbol.kind == "marker":
        kind, options = "SimpleMarker", {
            "name": symbol.shape, "color": _rgba(symbol.fill), "outline_color": _rgba(symbol.outline), "outline_width": "0.25",
            "outline_width_unit": "MM", "size": f"{symbol.size:.1f}", "size_unit": "MM",
        }  # fmt: skip
    elif symbol.kind == "line":
        kind, options = "SimpleLine", {
            "line_color": _rgba(symbol.fill), "line_width": f"{symbol.size:.2f}", "line_width_unit": "MM", "line_style": symbol.dash,
            "capstyle": "round",
        }  # fmt: skip
    else:
        kind, options = "SimpleFill", {
            "color": _rgba(symbol.fill or "#ffffff"), "style": "solid" if symbol.fill else "no", "outline_color": _rgba(symbol.outline),
            "outline_width": "0.4", "outline_width_unit": "MM", "outline_style": symbol.dash,
        }  # fmt: skip
    layer = ET.SubElement(node, "layer", {"class": kind, "enabled": "1", "locked": "0", "pass": "0"})
    held = ET.SubElement(layer, "Option", type="Map")
    for key, value in options.items():
        ET.SubElement(held, "Option", name=key, type="QString", value=value)


def _labels(root: ET.Element, heading: str) -> None:
    settings = ET.SubElement(ET.SubElement(root, "labeling", type="simple"), "settings", calloutType="simple")
    text = ET.SubElement(
        settings, "text-style", fieldName=heading, isExpression="0", fontFamily="Microsoft YaHei", fontSize="8", fontSizeUnit="Point",
        textColor=_rgba("#1d2733"), namedStyle="Regular", textOpacity="1",
    )  # fmt: skip
    ET.SubElement(
        text, "text-buffer", bufferDraw="1", bufferSize="0.8", bufferSizeUnits="MM", bufferColor=_rgba("#ffffff"), bufferOpacity="1", bufferNoFill="1"
    )
    ET.SubElement(settings, "placement", placement="6", dist="1", distUnits="MM", priority="5")
    # names come when there is room for them; the smaller number is the closer view
    ET.SubElement(settings, "rendering", scaleVisibility="1", scaleMin="1", scaleMax="150000", obstacle="1", drawLabels="1", displayAll="0")


def _rgba(colour: str) -> str:
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5)) + ",255"
