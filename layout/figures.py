"""The layers of the meeting map as figures for a report: PNG, and PDF with its fonts, drawn by matplotlib without a browser."""

from __future__ import annotations

import base64
import io
import re
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from layout import messages
from layout.drawings import DASHES, INTERNAL, LAYERS, ROADS, Drawing, Look, colours, layer_drawing, outcome_of, points_of
from layout.ground import TOLERANCE_M, road_lines, shaded_ground
from layout.plan import Plan
from layout.privacy import AUDIENCES
from layout.tables import BANDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Layers that are of one grade band.
BANDED = ("minutes", "links")
#: Chinese fonts in the order in which they are taken.
FONTS = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "Microsoft YaHei", "SimHei", "SimSun", "PingFang SC", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Noto Sans CJK JP",
)  # fmt: skip
FORMATS = ("png", "pdf")
# A4 across in inches; the map's frame and the legend's in shares of it
_SHEET, _MAP, _KEY = (11.69, 8.27), (0.025, 0.035, 0.7, 0.85), (0.735, 0.035, 0.24, 0.85)
_DPI = 200
# a map in the text of a report: 146 mm wide at 260 dots an inch, its letters larger on the sheet so that they can be read there
_TEXT_PX, _TEXT_LARGER = 1_500, 1.5
# radius of the earth of the page's own projection, in metres
_EARTH_M = 6_378_137.0
_EARTH = "#f1eee7"
# Chinese characters beside the mark in a line of the legend, with a space before the count
_LINE = 19.9
# a name takes this share of the map's width for each of its characters, and this share of its height
_NAME_WIDE, _NAME_HIGH = 0.0155, 0.024


def draw_figure(
    plan: Plan, layer: str, *, lang: str = "zh", year: int | None = None, view: str | None = None, band: str = "lower", audience: str = "internal",
    review_no: str = "",
) -> Figure:  # fmt: skip
    """Draw a layer of a plan as a figure with title, legend, scale, north and stamp.

    Parameters
    ----------
    plan
        From :func:`layout.make_plan` or :func:`layout.read_plan`.
    layer
        One of :data:`LAYERS`: the place itself, pupils, minutes by band, whose school is whose, served or out of reach, class tiers,
        proposals, relocation sites, schools that must stay, what limits sites.
    lang
        ``zh`` or ``en``.
    year
        The base year or a plan year; None for the last one.
    view
        ``today`` or ``planned``; None for the plan in its years and today's schools in the base year.
    band
        Grades that the layers of a band show: ``lower``, ``upper`` or ``junior``.
    audience
        ``internal``, or ``public``, in which no figure counts children, villages with fewer than ``privacy.small_count`` children
        without a place or beyond the limit are not told apart, and the county's outline is left out.
    review_no
        审图号 of a map that has passed the review; never invented.

    Returns
    -------
    matplotlib.figure.Figure
        A4 across; written by :func:`save_figure`.

    Raises
    ------
    ValueError
        If an option is unknown, the plan lacks the year in that view, there is no place to draw, or the audience may not see the layer.
    ImportError
        If matplotlib is not installed (extra ``print``).

    Warns
    -----
    UserWarning
        If no Chinese font is found, so that Chinese words would become boxes.

    Examples
    --------
    >>> draw_figure(layout.make_plan(paper, to=2026), "classes").get_size_inches().round(2).tolist()  # doctest: +SKIP
    [11.69, 8.27]
    """
    outcome_of(plan, layer, lang, year, view, band, audience)
    _matplotlib()
    return _drawn(plan, layer, _backdrop(plan, audience), _face(), lang=lang, year=year, view=view, band=band, audience=audience, review_no=review_no)


def _drawn(
    plan: Plan, layer: str, below: _Backdrop, face: Sequence[str], *, lang: str, year: int | None, view: str | None, band: str, audience: str,
    review_no: str, larger: float = 1.0, dpi: float = 0,
) -> Figure:  # fmt: skip
    """Draw a layer over its ground; on a sheet so many times smaller letters and marks are so many times larger on it."""
    from matplotlib.figure import Figure

    outcome, year = outcome_of(plan, layer, lang, year, view, band, audience)
    drawing = layer_drawing(plan, layer, lang=lang, year=year, view=outcome.view, band=band, audience=audience)
    drawn = Figure(figsize=(_SHEET[0] / larger, _SHEET[1] / larger), dpi=dpi or _DPI, facecolor=colours()["paper"])
    sheet = drawn.add_axes((0.0, 0.0, 1.0, 1.0))
    sheet.set(xlim=(0, 1), ylim=(0, 1))
    sheet.axis("off")
    _title(sheet, plan, layer, lang, year, outcome.view, band, face, larger)
    _stamp(sheet, lang, audience, review_no, face, larger)
    axes = drawn.add_axes(_MAP, facecolor=_EARTH)
    _ground(axes, below)
    for look, rows in drawing.lines.groupby("look", sort=False):
        _lines(axes, rows, look)  # type: ignore[arg-type]
    for look, rows in drawing.marks.groupby("look", sort=False):
        _marks(axes, rows, look, face, larger)  # type: ignore[arg-type]
    _names(axes, plan, layer, drawing, face, larger)
    _scale(axes, lang, face)
    legend = drawn.add_axes(_KEY)
    _legend(legend, drawing.legend, face, _credit(plan), larger)
    return drawn


def report_pictures(plan: Plan, *, lang: str = "zh", audience: str = "internal") -> Callable[[str, int, str], bytes]:
    """Return what draws layers as pictures for the text of a report; the ground below all of them is drawn once.

    Parameters
    ----------
    plan, lang, audience
        As in :func:`draw_figure`.

    Returns
    -------
    Callable
        Takes layer, year and view (``today`` or ``planned``) and gives a PNG as wide as the text needs, in few colours, because a report
        goes by e-mail; the same bytes from run to run. Raises ValueError as :func:`draw_figure` does.

    Raises
    ------
    ImportError
        If matplotlib is not installed (extra ``print``).

    Examples
    --------
    >>> report_pictures(layout.make_plan(paper, to=2026))("classes", 2025, "today")[1:4]  # doctest: +SKIP
    b'PNG'
    """
    _matplotlib()
    dpi, face = _TEXT_PX * _TEXT_LARGER / _SHEET[0], _face()
    ground: list[_Backdrop] = []

    def draw(layer: str, year: int, view: str) -> bytes:
        outcome_of(plan, layer, lang, year, view, "lower", audience)
        if not ground:
            ground.append(_painted(_backdrop(plan, audience), dpi))
        drawn = _drawn(
            plan, layer, ground[0], face, lang=lang, year=year, view=view, band="lower", audience=audience, review_no="", larger=_TEXT_LARGER, dpi=dpi
        )
        return _few_colours(_pixels(drawn))

    return draw


def _painted(below: _Backdrop, dpi: float) -> _Backdrop:
    """Draw the ground once, as a picture that lies below every layer."""
    from matplotlib.figure import Figure

    sheet = Figure(figsize=(_SHEET[0] / _TEXT_LARGER * _MAP[2], _SHEET[1] / _TEXT_LARGER * _MAP[3]), dpi=dpi, facecolor=_EARTH)
    axes = sheet.add_axes((0.0, 0.0, 1.0, 1.0), facecolor=_EARTH)
    _ground(axes, below)
    axes.axis("off")
    return replace(below, painted=_pixels(sheet))


def _pixels(drawn: Figure) -> np.ndarray:
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(drawn)
    with mpl.rc_context({"axes.unicode_minus": False}), warnings.catch_warnings():
        # a letter that no font has is drawn as a box, and the words around it stay
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _few_colours(pixels: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    # an octree keeps the few strong colours of marks as they are
    Image.fromarray(pixels).quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def save_figure(drawn: Figure, path: str | Path) -> None:
    """Write a figure as PNG or PDF by the ending of its name, whole or not at all, the same bytes from run to run.

    Parameters
    ----------
    drawn
        From :func:`draw_figure`.
    path
        The file; its folder is made where it is missing. A PDF holds the font's outlines of the letters used, and its text can be searched.

    Raises
    ------
    ValueError
        If the name ends otherwise.

    Examples
    --------
    >>> save_figure(draw_figure(plan, "classes"), "classes.pdf")  # doctest: +SKIP
    """
    import matplotlib as mpl

    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise ValueError(f"a figure is written as {' or '.join(FORMATS)}, not {path.suffix!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    # no clock and no version in the file
    about = {"Software": None} if kind == "png" else {"Creator": "layout", "Producer": "layout", "CreationDate": None}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".layout-") as scratch:
        made = Path(scratch) / f"figure.{kind}"
        with mpl.rc_context({"pdf.fonttype": 42, "pdf.compression": 9, "axes.unicode_minus": False}), warnings.catch_warnings():
            # a letter that no font has is drawn as a box, and the words around it stay
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            drawn.savefig(made, format=kind, dpi=_DPI, metadata=about)
        made.replace(path)


def save_figures(
    plan: Plan, folder: str | Path, *, lang: str = "zh", year: int | None = None, audience: str = "internal", formats: Sequence[str] = FORMATS,
    review_no: str = "",
) -> list[Path]:  # fmt: skip
    """Write every layer that the audience may see as figures into a folder.

    Parameters
    ----------
    plan, lang, year, audience, review_no
        As in :func:`draw_figure`; layers of a band are drawn for all three.
    folder
        The folder; it is made where it is missing.
    formats
        Some of :data:`FORMATS`.

    Returns
    -------
    list of Path
        The files, such as ``minutes_lower_2035.png``.

    Raises
    ------
    ValueError, ImportError
        As :func:`draw_figure`.

    Examples
    --------
    >>> save_figures(plan, "maps/county/figures")  # doctest: +SKIP
    """
    unknown = [kind for kind in formats if kind not in FORMATS]
    if unknown:
        raise ValueError(f"a figure is written as {' or '.join(FORMATS)}, not {', '.join(unknown)}")
    if audience not in AUDIENCES:
        raise ValueError(f"audience must be one of {', '.join(AUDIENCES)}, not {audience!r}")
    year = max(plan.years) if year is None else year
    # what is asked for is looked at before anything is drawn
    outcome_of(plan, "classes", lang, year, None, "lower", audience)
    _matplotlib()
    below, face = _backdrop(plan, audience), _face()
    paths = []
    for layer in LAYERS:
        if audience == "public" and layer in INTERNAL:
            continue
        for band in BANDS if layer in BANDED else ("lower",):
            drawn = _drawn(plan, layer, below, face, lang=lang, year=year, view=None, band=band, audience=audience, review_no=review_no)
            for kind in formats:
                paths.append(Path(folder) / f"{layer}{f'_{band}' if layer in BANDED else ''}_{year}.{kind}")
                save_figure(drawn, paths[-1])
    return paths


def chinese_font() -> str:
    """Return the first Chinese font among the usual ones that matplotlib knows on this machine.

    Returns
    -------
    str
        Its name; empty where there is none, or no matplotlib.

    Examples
    --------
    >>> chinese_font() in ("", *FONTS)
    True
    """
    try:
        from matplotlib import font_manager
    except ImportError:
        return ""
    names = {font.name for font in font_manager.fontManager.ttflist}
    return next((font for font in FONTS if font in names), "")


def _matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(messages.text("figures.no_matplotlib", "zh") + " / " + messages.text("figures.no_matplotlib", "en")) from error


def _face() -> list[str]:
    font = chinese_font()
    if not font:
        warnings.warn(messages.text("figures.no_font", "zh") + " / " + messages.text("figures.no_font", "en"), stacklevel=3)
    return [font, "DejaVu Sans"] if font else ["DejaVu Sans"]


def _shown(text: str) -> str:
    # letters that steer a line, and dollars, which would be read as formulas elsewhere
    return "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else c for c in text)


def _write(axes: Axes, x: float, y: float, text: str, face: Sequence[str], **options: Any) -> Any:
    return axes.text(x, y, _shown(text), fontfamily=list(face), parse_math=False, **options)


def _title(sheet: Axes, plan: Plan, layer: str, lang: str, year: int, view: str, band: str, face: Sequence[str], larger: float) -> None:
    name = messages.text(f"figures.layer.{layer}", lang)
    if layer in BANDED:
        name += messages.text("maps.layer.banded", lang, band=messages.text(f"band.{band}", lang))
    situation = "planned" if view == "planned" else "base" if year == plan.county.base_year else "nothing"
    county = plan.county.name if len(plan.county.name) <= 40 else plan.county.name[:39] + "…"
    title = messages.text("figures.title", lang, county=county, layer=name)
    _write(sheet, 0.025, 0.945, title, face, fontsize=18 if larger == 1 else 13, va="center")
    about = messages.text("figures.subtitle", lang, situation=messages.text(f"maps.situation.{situation}", lang, year=year), crs=plan.county.crs,
                          date=plan.county.base_date.isoformat(), base=plan.county.base_year)  # fmt: skip
    _write(sheet, 0.025, 0.905, about, face, fontsize=10 if larger == 1 else 8, color=colours()["quiet"], va="center")


def _stamp(sheet: Axes, lang: str, audience: str, review_no: str, face: Sequence[str], larger: float) -> None:
    text = messages.text("maps.stamp.review_no", lang, number=review_no) if review_no else messages.text(f"maps.stamp.{audience}", lang)
    red = colours()["stamp"]
    _write(sheet, 0.975, 0.945, text, face, fontsize=10 if larger == 1 else 8, color=red, ha="right", va="center",
           bbox={"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": red, "linewidth": 1.4})  # fmt: skip


def _mercator(degrees: np.ndarray) -> np.ndarray:
    lon, lat = np.radians(degrees[:, 0]), np.radians(degrees[:, 1])
    return np.column_stack([_EARTH_M * lon, _EARTH_M * np.log(np.tan(np.pi / 4 + lat / 2))])


def _unfolded(line: Sequence[int]) -> np.ndarray:
    return _mercator(np.cumsum(np.asarray(line, "int64").reshape(-1, 2), axis=0) / 1e5)


@dataclass(frozen=True)
class _Backdrop:
    """What lies below every layer, in Mercator metres: the frame, the relief with its corners, roads by class, the outline."""

    frame: tuple[float, float, float, float]
    relief: np.ndarray | None
    corners: tuple[float, float, float, float]
    roads: Sequence[tuple[str, Sequence[np.ndarray]]]
    outline: Sequence[np.ndarray]
    painted: np.ndarray | None = None


def _backdrop(plan: Plan, audience: str) -> _Backdrop:
    county = plan.county
    places = gpd.GeoSeries(pd.concat([county.settlements.geometry, plan.schools.geometry], ignore_index=True), crs=county.crs)
    west, south, east, north = places.to_crs(3857).total_bounds
    shape = _SHEET[0] * _MAP[2] / (_SHEET[1] * _MAP[3])
    half_y = max(north - south, (east - west) / shape, 3000) * 0.54
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    frame = (middle_x - half_y * shape, middle_x + half_y * shape, middle_y - half_y, middle_y + half_y)
    shade = None if county.terrain is None else shaded_ground(county.terrain, places)
    relief, corners = None, np.zeros((2, 2))
    if shade is not None:
        from PIL import Image

        relief = np.asarray(Image.open(io.BytesIO(base64.b64decode(shade["image"].partition(",")[2]))))
        corners = _mercator(np.array(shade["bounds"])[:, ::-1])
    roads = road_lines(county.roads.edges) if county.roads is not None and len(county.roads.edges) else []
    # a public figure has no line of our own making
    shapes = [] if county.boundary is None or audience == "public" else list(getattr(county.boundary, "geoms", [county.boundary]))
    rings = gpd.GeoSeries([part.exterior for part in shapes if part.geom_type == "Polygon"], crs=county.crs).simplify(TOLERANCE_M).to_crs(3857)
    return _Backdrop(
        frame, relief, (*corners[:, 0], *corners[:, 1]), [(cls, [_unfolded(line) for line in lines]) for cls, lines, _ in reversed(roads)],
        [np.asarray(ring.coords) for ring in rings],
    )  # fmt: skip


def _ground(axes: Axes, below: _Backdrop) -> None:
    from matplotlib.collections import LineCollection

    tints = colours()
    axes.set(xlim=below.frame[:2], ylim=below.frame[2:], xticks=[], yticks=[], aspect="equal")
    if below.painted is not None:
        axes.imshow(below.painted, extent=below.frame, zorder=0, interpolation="nearest")
        return
    if below.relief is not None:
        axes.imshow(below.relief, extent=below.corners, alpha=0.55, zorder=0, interpolation="bilinear")
    for cls, lines in below.roads:
        style = (0, (3, 2)) if cls == "path" else "-"
        axes.add_collection(LineCollection(lines, colors=tints[f"road-{cls}"], linewidths=ROADS[cls], linestyles=style, zorder=1))
    axes.add_collection(LineCollection(below.outline, colors=tints["boundary"], linewidths=1.3, linestyles=(0, (8, 3, 1.5, 3)), zorder=1.5))
    # a picture moves the limits
    axes.set(xlim=below.frame[:2], ylim=below.frame[2:])


def _lines(axes: Axes, rows: pd.DataFrame, look: Look) -> None:
    from matplotlib.collections import LineCollection

    ends = list(rows[["x0", "y0", "x1", "y1"]].to_numpy(float).reshape(-1, 2, 2))
    if look.dash == "move":
        for (x0, y0), (x1, y1) in ends:
            arrow = {"arrowstyle": "-|>", "color": look.edge, "linewidth": look.weight, "shrinkA": 2, "shrinkB": 5}
            axes.annotate("", (x1, y1), (x0, y0), arrowprops=arrow, zorder=2)
        return
    axes.add_collection(LineCollection(ends, colors=look.edge, linewidths=look.weight, linestyles=DASHES[look.dash], zorder=2))


def _marks(axes: Axes, rows: pd.DataFrame, look: Look, face: Sequence[str], larger: float) -> None:
    left, right = axes.get_xlim()
    # a point of print in metres of the map
    point = (right - left) / (_SHEET[0] / larger * _MAP[2] * 72)
    across = rows["x"] + rows["beside"] * (look.size + 1) * point
    axes.plot(across, rows["y"], linestyle="none", marker=look.marker, markersize=look.size, markerfacecolor=look.fill,
              markeredgecolor=look.edge, markeredgewidth=look.weight, zorder=3)  # fmt: skip
    if look.letter:
        for x, y in zip(across, rows["y"], strict=True):
            _write(
                axes, x, y, look.letter, face, fontsize=look.size * 0.62, color="white", ha="center", va="center_baseline", zorder=3.1, clip_on=True
            )


def _names(axes: Axes, plan: Plan, layer: str, drawing: Drawing, face: Sequence[str], larger: float) -> None:
    """Name the seats of townships, and what a layer is about, as far as names keep clear of each other."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.2, foreground="white")]
    settlements = points_of(plan.county.settlements, "settlement_id")
    kinds = plan.county.settlements["kind"].astype("str").to_numpy()
    wanted = [
        (*settlements.iloc[i], 10 if kinds[i] == "county_seat" else 8) for rank in ("county_seat", "town") for i in np.flatnonzero(kinds == rank)
    ]
    if layer in ("proposals", "must_stay"):
        schools = points_of(plan.schools, "school_id")
        first = [i for look in ("open",) for i in plan.proposals.loc[plan.proposals["action"] == look, "school_id"]] if layer == "proposals" else []
        stay = [] if layer == "proposals" else plan.must_stay["school_id"].drop_duplicates().tolist()
        wanted += [(*schools.loc[i], 6.5) for i in dict.fromkeys([*first, *stay]) if i in schools.index]
    if layer == "sites":
        wanted += [(*settlements.loc[i], 7) for i in drawing.marks["id"]]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    taken: list[tuple[float, float, float, float]] = []
    for x, y, name, size in wanted:
        text = str(name) if len(str(name)) <= 16 else str(name)[:15] + "…"
        wide = sum(1.0 if ord(c) > 0x2E80 else 0.55 for c in text) * _NAME_WIDE * larger * size / 8
        u, v = (x - left) / (right - left), (y - bottom) / (top - bottom) + 0.012
        box = (u - wide / 2, v, u + wide / 2, v + _NAME_HIGH * larger * size / 8)
        if box[0] < 0 or box[2] > 1 or box[3] > 1 or any(box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in taken):
            continue
        taken.append(box)
        _write(
            axes, u, v, text, face, transform=axes.transAxes, fontsize=size, ha="center", va="bottom", path_effects=halo, zorder=4, color="#222222"
        )


def _scale(axes: Axes, lang: str, face: Sequence[str]) -> None:
    """Draw a bar of a round number of kilometres, and north; Mercator's metres are longer than those of the ground."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    stretch = np.cosh((bottom + top) / 2 / _EARTH_M)
    most = (right - left) / stretch * 0.22
    power = 10 ** np.floor(np.log10(most))
    metres = max(step * power for step in (1, 2, 5) if step * power <= most)
    wide = metres * stretch / (right - left)
    x, y = 0.975 - wide, 0.03
    axes.plot([x, x, x + wide, x + wide], [y + 0.012, y, y, y + 0.012], transform=axes.transAxes, color="#222222", linewidth=1.4, zorder=5)
    said = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    _write(axes, x + wide / 2, y + 0.008, said, face, transform=axes.transAxes, ha="center", va="bottom", fontsize=8, zorder=5)
    _write(axes, 0.965, 0.1, f"▲\n{messages.text('maps.north', lang)}".replace("\n", " "), face, transform=axes.transAxes, ha="center", va="center",
           fontsize=10, zorder=5)  # fmt: skip


def _credit(plan: Plan) -> str:
    return "" if plan.county.roads is None else str(plan.county.roads.source.get("attribution", ""))


def _legend(axes: Axes, legend: Sequence[tuple[Look | None, str, str]], face: Sequence[str], credit: str, larger: float) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.axis("off")
    y, step = 0.975, 0.034 * larger
    for look, words, count in legend:
        # words leave the room that the count needs
        lines = _folded(words, (23 if look is None else min(13.5, max(_LINE - _breadth(count) * larger, 6.0 * larger))) / larger)
        if look is not None and look.marker == "-":
            style = "-" if look.dash == "move" else DASHES[look.dash]
            axes.plot([0.01, 0.11], [y, y], color=look.edge, linewidth=look.weight * 1.3, linestyle=style)
        elif look is not None:
            axes.plot([0.06], [y], marker=look.marker, markersize=min(look.size, 24), markerfacecolor=look.fill, markeredgecolor=look.edge,
                      markeredgewidth=look.weight)  # fmt: skip
            if look.letter:
                _write(axes, 0.06, y, look.letter, face, fontsize=look.size * 0.62, color="white", ha="center", va="center_baseline")
        high = max(1.0, (look.size / 17) if look is not None else 1.0)
        for k, text in enumerate(lines):
            _write(axes, 0.0 if look is None else 0.14, y - k * step * 0.72, text, face, fontsize=8.5, va="center",
                   color=colours()["quiet"] if look is None else "#1d2733")  # fmt: skip
        if count:
            _write(axes, 1.0, y, count, face, fontsize=8.5, ha="right", va="center", color=colours()["quiet"])
        y -= step * (max(high, 1) + 0.72 * (len(lines) - 1) + 0.12)
    if credit:
        _write(axes, 1.0, 0.0, credit, face, fontsize=7, ha="right", va="bottom", color=colours()["quiet"])


def _breadth(text: str) -> float:
    return sum(1.0 if ord(c) > 0x2E80 else 0.52 for c in text)


def _folded(text: str, wide: float) -> list[str]:
    """Break a sentence into lines of at most so many Chinese characters; a Latin one counts half, and no line begins with a closing mark."""
    lines, width = [""], 0.0
    for part in re.findall(r"(?:[A-Za-z0-9.,%–-]+ ?|.)[，。；：、）]*", text):
        own = _breadth(part)
        if width + own > wide and lines[-1]:
            lines.append("")
            width = 0.0
        lines[-1] += part
        width += own
    return lines
