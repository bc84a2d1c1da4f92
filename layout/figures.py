"""The layers of the meeting map as figures for a report: PNG, and PDF with its fonts, drawn by matplotlib without a browser."""

from __future__ import annotations

import base64
import functools
import io
import re
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from layout import messages
from layout.ground import TOLERANCE_M, road_lines, shaded_ground
from layout.plan import STATUSES, Outcome, Plan
from layout.privacy import AUDIENCES
from layout.tables import BANDS, band_of, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The layers, in the order of the report.
LAYERS = ("place", "pupils", "minutes", "links", "reach", "classes", "proposals", "sites", "must_stay", "limits")
#: Layers that are of one grade band.
BANDED = ("minutes", "links")
#: Layers of which a public edition has nothing to show: they count the children of villages.
INTERNAL = ("pupils", "reach")
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
_TIERS = ("small", "normal", "elevated", "oversized", "super")
_DASHES: Mapping[str, Any] = {"walk": "-", "bus": (0, (5, 2.5)), "board": (0, (1, 2))}
_ROADS = {"motorway": 1.8, "national": 1.6, "provincial": 1.4, "county": 1.1, "township": 0.8, "village": 0.5, "path": 0.4}
# near schools that must not have the colour of a school
_NEAR = 6
_LETTERED = ("keep", "expand", "open", "add_boarding", "change_grades", "convert_to_teaching_point", "reopen", "review_for_merger")
_VERDICTS = ("enough", "short", "no_school_in_reach", "check_pupils", "nobody")
# Chinese characters beside the mark in a line of the legend, with a space before the count
_LINE = 19.9
# a name takes this share of the map's width for each of its characters, and this share of its height
_NAME_WIDE, _NAME_HIGH = 0.0155, 0.024


@dataclass(frozen=True)
class Look:
    """How a mark is drawn: marker of matplotlib, colours, size in points, and a letter in it or a dash of a line."""

    marker: str = "o"
    fill: str = "#ffffff"
    edge: str = "#333333"
    size: float = 6.0
    letter: str = ""
    dash: str = ""
    weight: float = 0.8


@dataclass(frozen=True)
class Drawing:
    """What a layer shows.

    Parameters
    ----------
    marks
        ``id``, ``x``, ``y`` in metres of the web's Mercator projection, ``beside`` (the how manieth mark of its place, which stand side
        by side), ``look``.
    lines
        ``x0, y0, x1, y1`` in the same metres, ``look``.
    legend
        Look (None for a sentence), words, count with its unit.
    """

    marks: pd.DataFrame
    lines: pd.DataFrame
    legend: Sequence[tuple[Look | None, str, str]]


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
    _outcome(plan, layer, lang, year, view, band, audience)
    _matplotlib()
    return _drawn(plan, layer, _backdrop(plan, audience), _face(), lang=lang, year=year, view=view, band=band, audience=audience, review_no=review_no)


def _drawn(
    plan: Plan, layer: str, below: _Backdrop, face: Sequence[str], *, lang: str, year: int | None, view: str | None, band: str, audience: str,
    review_no: str, larger: float = 1.0, dpi: float = 0,
) -> Figure:  # fmt: skip
    """Draw a layer over its ground; on a sheet so many times smaller letters and marks are so many times larger on it."""
    from matplotlib.figure import Figure

    outcome, year = _outcome(plan, layer, lang, year, view, band, audience)
    drawing = layer_drawing(plan, layer, lang=lang, year=year, view=outcome.view, band=band, audience=audience)
    drawn = Figure(figsize=(_SHEET[0] / larger, _SHEET[1] / larger), dpi=dpi or _DPI, facecolor=_colours()["paper"])
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
        _outcome(plan, layer, lang, year, view, "lower", audience)
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
    _outcome(plan, "classes", lang, year, None, "lower", audience)
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


def layer_drawing(
    plan: Plan, layer: str, *, lang: str = "zh", year: int | None = None, view: str | None = None, band: str = "lower", audience: str = "internal"
) -> Drawing:  # fmt: skip
    """Return the marks, lines and legend of a layer; needs no matplotlib.

    Parameters
    ----------
    plan, layer, lang, year, view, band, audience
        As in :func:`draw_figure`.

    Returns
    -------
    Drawing
        What is drawn, and the legend with units and counts.

    Raises
    ------
    ValueError
        As :func:`draw_figure`.

    Examples
    --------
    >>> drawing = layer_drawing(layout.make_plan(paper, to=2026), "pupils")
    >>> [(words, count) for look, words, count in drawing.legend][-2:]
    [('2026 学年合计', '504 人'), ('有学生的村寨', '5')]
    """
    outcome, year = _outcome(plan, layer, lang, year, view, band, audience)
    least = int(plan.standards["privacy.small_count"]) if audience == "public" else 0
    makers: Mapping[str, Callable[[_Scene], Drawing]] = {
        "place": _place, "pupils": _pupils, "minutes": _minutes, "links": _links, "reach": _reach, "classes": _classes,
        "proposals": _proposals, "sites": _sites, "must_stay": _must_stay, "limits": _limits,
    }  # fmt: skip
    return makers[layer](_Scene(plan, outcome, year, band, lang, least))


# --- what is drawn ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scene:
    plan: Plan
    outcome: Outcome
    year: int
    band: str
    lang: str
    least: int

    def say(self, key: str, **fields: object) -> str:
        return messages.text(f"maps.{key}", self.lang, **fields)

    @functools.cached_property
    def villages(self) -> pd.DataFrame:
        return _points(self.plan.county.settlements, "settlement_id")

    @functools.cached_property
    def schools(self) -> pd.DataFrame:
        return _points(self.plan.schools, "school_id")

    def flows(self) -> pd.DataFrame:
        """Return who goes where; of few children a public figure says neither that they have no place nor that they study elsewhere."""
        rows = self.outcome.assignment
        rows = rows[(rows["year"] == self.year) & (rows["pupils"] > 0)]
        rows = rows.assign(band=rows["grade"].map({g: band_of(g) for grades in BANDS.values() for g in grades}))
        texts = {c: rows[c].astype("str") for c in ("settlement_id", "school_id", "mode", "status")}
        key = ["settlement_id", "band", "school_id", "mode", "status"]
        flows = rows.assign(**texts).groupby(key, as_index=False).agg(pupils=("pupils", "sum"), minutes=("minutes", "max"))
        shown = (flows["status"] == "served") & (flows["mode"] != "seat") | (flows["pupils"] >= self.least)
        return flows[shown].reset_index(drop=True)

    def tally(self, rows: pd.DataFrame) -> str:
        """Say how many children in how many villages; of children nothing in public."""
        places = rows["settlement_id"].nunique()
        if self.least:
            return self.say("unit.villages", v=places)
        return self.say("unit.pupils_villages", n=f"{int(rows['pupils'].sum()):,}", v=places)


def _outcome(plan: Plan, layer: str, lang: str, year: int | None, view: str | None, band: str, audience: str) -> tuple[Outcome, int]:
    for name, value, known in (
        ("layer", layer, LAYERS), ("lang", lang, messages.LANGUAGES), ("band", band, tuple(BANDS)), ("audience", audience, AUDIENCES),
        ("view", view, (None, "today", "planned")),
    ):  # fmt: skip
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(str(k) for k in known)}, not {value!r}")
    if audience == "public" and layer in INTERNAL:
        raise ValueError(messages.text("figures.internal_only", lang, layer=messages.text(f"figures.layer.{layer}", lang)))
    if not len(plan.county.settlements) and not len(plan.schools):
        raise ValueError("the plan has neither a settlement nor a school to draw")
    year = max(plan.years) if year is None else int(year)
    view = view or ("today" if year == plan.county.base_year else "planned")
    outcome = plan.today if view == "today" else plan.planned
    if year not in set(plan.summary.loc[plan.summary["view"] == view, "year"]):
        raise ValueError(f"the plan has no year {year} in the view {view}; it has {', '.join(map(str, plan.years))}")
    return outcome, year


def _points(table: gpd.GeoDataFrame, key: str) -> pd.DataFrame:
    at = table.geometry.to_crs(3857)
    return pd.DataFrame({"x": at.x.to_numpy(), "y": at.y.to_numpy(), "name": table["name"].to_numpy()}, index=table[key].astype("str"))


def _marked(places: pd.DataFrame, looks: Mapping[str, Look] | pd.Series) -> pd.DataFrame:
    """Put looks on places, the first below."""
    ids = [i for i in looks.keys() if i in places.index]  # noqa: SIM118
    there = places.loc[ids]
    return pd.DataFrame({"id": ids, "x": there["x"].to_numpy(), "y": there["y"].to_numpy(), "beside": 0, "look": [looks[i] for i in ids]})


_NO_LINES = ("x0", "y0", "x1", "y1", "look")


def _drawing(marks: pd.DataFrame, legend: Sequence[tuple[Look | None, str, str]], lines: pd.DataFrame | None = None) -> Drawing:
    return Drawing(marks, pd.DataFrame(columns=list(_NO_LINES)) if lines is None else lines, tuple(legend))


@functools.cache
def _colours() -> Mapping[str, str]:
    """Return the colours of the page's style sheet, the one place where they stand."""
    style = files("layout").joinpath("assets", "plan_map.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{6})\b", style))


def _place(scene: _Scene) -> Drawing:
    """Show the county itself: its settlements by kind over relief and roads."""
    kinds = scene.plan.county.settlements["kind"].astype("str")
    tints = _colours()
    small, town = Look("o", "#ffffff", "#555555", 3.2, weight=0.7), Look("o", tints["quiet"], "#ffffff", 6.0)
    looks = {"village": small, "hamlet": replace(small, size=2.4), "town": town,
             "county_seat": Look("*", tints["stamp"], "#ffffff", 15.0), "relocation": Look("p", tints["move"], "#ffffff", 9.0)}  # fmt: skip
    there = [kind for kind in looks if (kinds == kind).any()]
    ids = scene.plan.county.settlements["settlement_id"].astype("str")
    marks = _marked(scene.villages, {i: looks[kind] for kind in there for i in sorted(ids[kinds == kind])})
    legend: list[tuple[Look | None, str, str]] = [
        (looks[kind], label("settlements", "kind", kind, scene.lang), f"{int((kinds == kind).sum()):,}") for kind in reversed(there)
    ]
    roads = scene.plan.county.roads
    if roads is not None and len(roads.edges):
        classes = [cls for cls, _, _ in road_lines(roads.edges)]
        legend += [(Look("-", "", tints[f"road-{c}"], dash="bus" if c == "path" else "walk", weight=_ROADS[c] * 1.4),
                    messages.text(f"maps.road.{c}", scene.lang), "") for c in _ROADS if c in classes]  # fmt: skip
    return _drawing(marks, legend)


def _limits(scene: _Scene) -> Drawing:
    """Show where no school may stand, which sites that turned down, and which are left."""
    plan, tints = scene.plan, _colours()
    looks = {"kept": Look("D", tints["must-stay"], "#ffffff", 5.5), "rejected": Look("X", tints["stamp"], "#ffffff", 7.0)}
    edges = {True: Look("-", "", tints["stamp"], dash="walk", weight=1.6), False: Look("-", "", tints["review"], dash="bus", weight=1.2)}
    parts, looks_of = [], []
    for name, table in (("kept", plan.candidates), ("rejected", plan.rejected.drop_duplicates("school_id"))):
        parts.append(_points(table, "school_id"))
        looks_of.append({i: looks[name] for i in parts[-1].index})
    marks = pd.concat([_marked(part, own) for part, own in zip(parts, looks_of, strict=True)], ignore_index=True)
    rows = []
    areas = plan.county.exclusions
    for shape, hard in zip(areas.geometry.to_crs(3857) if len(areas) else [], areas["hard"], strict=True):
        for part in getattr(shape, "geoms", [shape]):
            at = np.asarray(part.exterior.coords)
            rows += [(*one, *other, edges[bool(hard)]) for one, other in zip(at[:-1, :2], at[1:, :2], strict=True)]
    said = {key: messages.text(f"figures.legend.{key}", scene.lang) for key in ("kept", "rejected", "hard", "soft", "limits")}
    legend: list[tuple[Look | None, str, str]] = [
        (looks["kept"], said["kept"], scene.say("unit.sites", n=len(parts[0]))),
        (looks["rejected"], said["rejected"], scene.say("unit.sites", n=len(parts[1]))),
        *((edges[hard], said["hard" if hard else "soft"], f"{int((areas['hard'] == hard).sum()):,}") for hard in (True, False) if len(areas)),
        (None, said["limits"], ""),
    ]  # fmt: skip
    return _drawing(marks, legend, pd.DataFrame(rows, columns=list(_NO_LINES)))


def _pupils(scene: _Scene) -> Drawing:
    flows = scene.flows()
    counts = flows.groupby("settlement_id")["pupils"].sum()
    own = scene.plan.today.assignment
    every_year = pd.concat([own, scene.plan.planned.assignment])
    # one scale for all years, so that two figures may be laid beside each other
    peak = max(1, int(every_year.groupby(["settlement_id", "year", "grade", "attends", "school_id", "mode", "status"], observed=True)["pupils"]
                      .max().groupby(["settlement_id", "year"], observed=True).sum().max() if len(every_year) else 1))  # fmt: skip
    tint = _colours()["pupils"]

    def look(count: float) -> Look:
        return Look("o", tint + "88", tint, round(2.5 + 22 * (max(count, 0) / peak) ** 0.5, 2))

    looks = {str(i): look(n) for i, n in counts.sort_values(ascending=False, kind="stable").items()}
    steps = sorted({max(1, round(n / 50) * 50 if n > 100 else round(n / 5) * 5) for n in (peak, peak / 4, peak / 20)}, reverse=True)
    legend: list[tuple[Look | None, str, str]] = [(look(n), scene.say("legend.pupils", n=f"{n:,}"), "") for n in steps]
    legend += [(None, scene.say("legend.total", year=scene.year), scene.say("unit.pupils", n=f"{int(counts.sum()):,}")),
               (None, scene.say("legend.villages"), str(len(counts)))]  # fmt: skip
    return _drawing(_marked(scene.villages, looks), legend)


def _minutes(scene: _Scene) -> Drawing:
    """Draw the slowest day child of each village; boarders alone and children without a school apart."""
    flows = scene.flows()
    home = flows[(flows["band"] == scene.band) & (flows["mode"] != "seat") & (flows["status"] != "away")]
    walk, bus = (scene.plan.standards.limit(mode, scene.band) for mode in ("walk", "bus"))
    breaks = [round(walk / 3), round(2 * walk / 3), round(walk), round(1.5 * walk)]
    day = home[home["mode"].isin(["walk", "bus"])].groupby("settlement_id")["minutes"].max()
    lost = set(home.loc[home["school_id"] == "", "settlement_id"])
    beyond = set(home.loc[home["status"] == "beyond_limit", "settlement_id"])
    of = {i: (int(sum(day[i] > b for b in breaks)) if i in day.index else 6 if i in lost else 5) for i in home["settlement_id"].unique()}
    tints = _colours()
    looks = [Look("o", tints[f"minutes-{i + 1}"], "#445566", 6.5) for i in range(5)]
    looks += [Look("o", tints["boarding"], "#333333", 5.5), Look("X", "#ffffff", tints["no_route"], 6.5, weight=1.4)]
    late = [Look("D", tints[f"minutes-{i + 1}"], "#111111", 6.0, weight=1.4) for i in range(5)]
    order = sorted(of, key=lambda i: (of[i] in (5, 6), of[i], i))
    marks = _marked(scene.villages, {i: late[of[i]] if i in beyond and of[i] < 5 else looks[of[i]] for i in order})
    words = [scene.say("minutes.upto", to=breaks[0]), scene.say("minutes.range", **{"from": breaks[0]}, to=breaks[1]),
             scene.say("minutes.limit", **{"from": breaks[1]}, to=breaks[2]), scene.say("minutes.range", **{"from": breaks[2]}, to=breaks[3]),
             scene.say("minutes.over", **{"from": breaks[3]}), scene.say("legend.boards"), scene.say("legend.lost")]  # fmt: skip
    shown = [late[i] if i in (3, 4) else looks[i] for i in range(7)]
    kinds = home["settlement_id"].map(of)
    legend: list[tuple[Look | None, str, str]] = [(shown[i], words[i], scene.tally(home[kinds == i])) for i in range(7)]
    legend.append((None, scene.say("legend.diamond", walk=f"{walk:g}", bus=f"{bus:g}"), ""))
    return _drawing(marks, legend)


def _links(scene: _Scene) -> Drawing:
    flows = scene.flows()
    sent = flows[(flows["band"] == scene.band) & (flows["school_id"] != "") & flows["mode"].isin(list(_DASHES))]
    tint = _school_colours(scene.schools)
    homes, schools = ({i: (x, y) for i, x, y in zip(t.index, t["x"], t["y"], strict=True)} for t in (scene.villages, scene.schools))
    rows = [
        (*homes[home], *schools[school], Look("-", "", tint[school], dash=mode, weight=1.2))
        for home, school, mode in zip(sent["settlement_id"], sent["school_id"], sent["mode"], strict=True)
        if home in homes and school in schools
    ]
    attended = set(sent["school_id"].tolist())
    used = [i for i in scene.schools.index if i in attended]
    marks = _marked(scene.schools, {i: Look("s", tint[i], "#222222", 6.0) for i in used})
    lines = pd.DataFrame(rows, columns=list(_NO_LINES))
    grey = "#444444"
    legend: list[tuple[Look | None, str, str]] = [
        (Look("-", "", grey, dash=mode, weight=1.4), label("assignment", "mode", mode, scene.lang), scene.tally(sent[sent["mode"] == mode]))
        for mode in _DASHES
    ]
    legend += [(Look("s", _colours()["school-1"], "#222222", 6.0), messages.text("figures.legend.school", scene.lang),
                scene.say("unit.schools", n=len(used))), (None, scene.say("legend.links"), "")]  # fmt: skip
    return _drawing(marks, legend, lines)


def _school_colours(schools: pd.DataFrame) -> dict[str, str]:
    """Give neighbouring schools different colours: the one least used among the nearest already coloured."""
    palette = [_colours()[f"school-{i}"] for i in range(1, 9)]
    given: list[int] = []
    at = schools[["x", "y"]].to_numpy()
    for i in range(len(at)):
        away = np.hypot(*(at[:i] - at[i]).T)
        near = np.argsort(away, kind="stable")[:_NEAR]
        used = np.bincount([given[j] for j in near], minlength=len(palette))
        given.append(int(np.argmin(used)))
    return {i: palette[k] for i, k in zip(schools.index, given, strict=True)}


def _reach(scene: _Scene) -> Drawing:
    """Draw the worst that befalls a village's children: no way, beyond the limit, no bed, no seat; else that all are served."""
    flows = scene.flows()
    tints = _colours()
    looks = {
        "served": Look("o", tints["part-served"], "#557788", 4.5), "no_seat": Look("v", tints["no_seat"], "#222222", 7.0),
        "no_bed": Look("^", tints["no_bed"], "#222222", 7.0), "beyond_limit": Look("D", tints["beyond_limit"], "#222222", 6.0),
        "no_route": Look("X", tints["no_route"], "#222222", 7.5), "away": Look("o", "#ffffff", "#999999", 3.0),
    }  # fmt: skip
    rank = {status: i for i, status in enumerate(("away", "served", "no_seat", "no_bed", "beyond_limit", "no_route"))}
    worst = flows.assign(rank=flows["status"].map(rank)).groupby("settlement_id")["rank"].max()
    names = {i: status for status, i in rank.items()}
    marks = _marked(scene.villages, {str(i): looks[names[r]] for i, r in worst.sort_values(kind="stable").items()})
    legend: list[tuple[Look | None, str, str]] = [
        (looks[s], label("assignment", "status", s, scene.lang), scene.tally(flows[flows["status"] == s])) for s in STATUSES
    ]
    legend += [(None, messages.text("figures.legend.reach", scene.lang), "")]
    return _drawing(marks, legend)


def _tier_looks() -> dict[str, Look]:
    tints = _colours()
    shapes = {"none": ("s", 4.0), "small": ("s", 5.0), "normal": ("s", 6.0), "elevated": ("s", 7.0), "oversized": ("D", 7.5), "super": ("*", 13.0)}
    return {tier: Look(marker, tints[f"tier-{tier}"], "#222222", size) for tier, (marker, size) in shapes.items()}


def _classes(scene: _Scene) -> Drawing:
    tiers, looks = _tiers(scene), _tier_looks()
    order = sorted(tiers, key=lambda i: (["none", *_TIERS].index(tiers[i]), i))
    marks = _marked(scene.schools, {i: looks[tiers[i]] for i in order})
    standards = scene.plan.standards
    numbers = {"small": standards["class_size.small.max"], "elevated": standards["class_size.elevated.max"],
               "oversized": standards["class_size.oversize.min"], "super": standards["class_size.super_oversize.min"]}  # fmt: skip
    said = {tier: scene.say(f"tier.{tier}", **{k: int(v) for k, v in numbers.items()}) for tier in _TIERS} | {"none": scene.say("legend.no_class")}
    counts = pd.Series(tiers).value_counts()
    legend: list[tuple[Look | None, str, str]] = [
        (looks[tier], said[tier], scene.say("unit.schools", n=int(counts.get(tier, 0)))) for tier in (*reversed(_TIERS), "none")
    ]
    rows = scene.outcome.classes[scene.outcome.classes["year"] == scene.year]
    big = rows[["oversized_classes", "super_classes"]].sum()
    legend.append((None, scene.say("legend.oversized", n=int(big.iloc[0]), m=int(big.iloc[1])), ""))
    return _drawing(marks, legend)


def _tiers(scene: _Scene) -> dict[str, str]:
    """Return the tier of the largest class of each school, ``none`` of an open one without a class."""
    rows = scene.outcome.classes[scene.outcome.classes["year"] == scene.year]
    years = scene.outcome.school_years
    there = years[years["year"] == scene.year] if len(years) else scene.plan.county.schools
    tiers = dict.fromkeys(there.loc[there["status"] == "open", "school_id"].astype("str"), "none")
    largest = rows.sort_values(["school_id", "largest_class"], ascending=[True, False], kind="stable").drop_duplicates("school_id")
    return tiers | dict(zip(largest["school_id"].astype("str"), largest["tier"].astype("str"), strict=True))


def _proposals(scene: _Scene) -> Drawing:
    proposals = scene.plan.proposals
    # what stands by the year of the figure
    rows = proposals[proposals["year"] <= scene.year]
    tints = _colours()
    tint = {"open": "proposal-open", "reopen": "proposal-open", "review_for_merger": "proposal-review"}
    looks = {
        action: Look("s" if action == "review_for_merger" else "o", tints[tint.get(action, "proposal")], "#ffffff", 9.0 if action == "keep" else 12.0,
                     letter=scene.say(f"letter.{action}"))
        for action in _LETTERED
    }  # fmt: skip
    at = rows.geometry.to_crs(3857)
    marks = pd.DataFrame({"id": rows["school_id"].astype("str"), "x": at.x, "y": at.y, "action": rows["action"].astype("str")})
    # an action of several years has one mark, several actions at one school stand side by side
    marks = marks.drop_duplicates(["id", "action"])
    marks = marks.assign(beside=marks.groupby("id").cumcount(), rank=marks["action"].map({"keep": 0, "review_for_merger": 1}).fillna(2))
    marks = marks.sort_values(["rank", "id", "beside"], kind="stable").assign(look=marks["action"].map(looks))
    counts = rows["action"].value_counts()
    legend: list[tuple[Look | None, str, str]] = [
        (looks[action], label("proposals", "action", action, scene.lang), scene.say("unit.items", n=int(counts.get(action, 0))))
        for action in ("open", "reopen", "expand", "add_boarding", "change_grades", "convert_to_teaching_point", "review_for_merger", "keep")
    ]
    built = rows[rows["action"] != "keep"]
    legend.append((None, messages.text("figures.legend.built", scene.lang, year=scene.year, rooms=int(built["rooms"].sum())), ""))
    if not scene.least:
        beds, money = int(built["beds"].sum()), built["cost_yuan"].sum() / 1e4
        legend.append((None, messages.text("figures.legend.money", scene.lang, beds=f"{beds:,}", money=f"{money:,.0f}"), ""))
    return _drawing(marks[["id", "x", "y", "beside", "look"]].reset_index(drop=True), legend)


def _sites(scene: _Scene) -> Drawing:
    county = scene.plan.county
    moves = county.moves[county.moves["year"] <= scene.year]
    ids = set(county.settlements.loc[county.settlements["kind"] == "relocation", "settlement_id"].astype("str")) | set(moves["to_id"].astype("str"))
    tints = _colours()
    verdicts = scene.plan.findings.site_verdicts
    own = verdicts[(verdicts["year"] == scene.year) & (verdicts["stage"] == "primary")] if not scene.least else verdicts.iloc[:0]
    found = dict(zip(own["settlement_id"].astype("str"), own["verdict"].astype("str"), strict=True))
    looks = {v: Look("o" if v in ("enough", "nobody") else "s", tints[f"verdict-{v}"], "#ffffff", 12.0, letter=scene.say(f"letter.{v}"))
             for v in _VERDICTS}  # fmt: skip
    plain = Look("p", tints["move"], "#ffffff", 10.0)
    marks = _marked(scene.villages, {i: looks[found[i]] if i in found else plain for i in sorted(ids)})
    way = Look("-", "", tints["move"], dash="move", weight=1.1)
    rows = []
    for one, other in sorted(set(zip(moves["from_id"].astype("str"), moves["to_id"].astype("str"), strict=True))):
        if one in scene.villages.index and other in scene.villages.index:
            rows.append((*scene.villages.loc[one, ["x", "y"]], *scene.villages.loc[other, ["x", "y"]], way))
    legend: list[tuple[Look | None, str, str]] = [
        (looks[v], label("site_verdicts", "verdict", v, scene.lang), scene.say("unit.sites", n=list(found.values()).count(v)))
        for v in _VERDICTS if found
    ]  # fmt: skip
    legend.append((plain, messages.text("figures.legend.site", scene.lang), scene.say("unit.sites", n=len(ids - set(found)))))
    legend.append((way, messages.text("figures.legend.way", scene.lang), messages.text("figures.legend.moves", scene.lang, n=len(rows))))
    if found:
        stage = label("site_verdicts", "stage", "primary", scene.lang)
        legend.append((None, scene.say("legend.site_seats", year=scene.year, stage=stage), ""))
    return _drawing(marks, legend, pd.DataFrame(rows, columns=list(_NO_LINES)))


def _must_stay(scene: _Scene) -> Drawing:
    plan, tints = scene.plan, _colours()
    stay = set(plan.must_stay.loc[plan.must_stay["year"] == scene.year, "school_id"].astype("str"))
    review = plan.findings.review_list
    under = set(review.loc[review["year"] == scene.year, "school_id"].astype("str")) - stay
    others = set(_tiers(scene)) - stay - under
    looks = {"other": Look("s", tints["tier-normal"], "#555555", 4.0), "review": Look("s", "#ffffff", tints["review"], 9.0, weight=2.0),
             "stay": Look("o", "#ffffff", tints["must-stay"], 10.0, weight=2.4)}  # fmt: skip
    order = [*((i, "other") for i in sorted(others)), *((i, "review") for i in sorted(under)), *((i, "stay") for i in sorted(stay))]
    legend: list[tuple[Look | None, str, str]] = [
        (looks["stay"], scene.say("legend.must_stay"), scene.say("unit.schools", n=len(stay))),
        (looks["review"], scene.say("legend.review"), scene.say("unit.schools", n=len(under))),
        (looks["other"], messages.text("figures.legend.other_school", scene.lang), scene.say("unit.schools", n=len(others))),
        (None, scene.say("legend.review_note"), ""),
    ]
    return _drawing(_marked(scene.schools, {i: looks[kind] for i, kind in order}), legend)


# --- on paper -----------------------------------------------------------------------------------------------------------


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
    _write(sheet, 0.025, 0.905, about, face, fontsize=10 if larger == 1 else 8, color=_colours()["quiet"], va="center")


def _stamp(sheet: Axes, lang: str, audience: str, review_no: str, face: Sequence[str], larger: float) -> None:
    text = messages.text("maps.stamp.review_no", lang, number=review_no) if review_no else messages.text(f"maps.stamp.{audience}", lang)
    red = _colours()["stamp"]
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

    tints = _colours()
    axes.set(xlim=below.frame[:2], ylim=below.frame[2:], xticks=[], yticks=[], aspect="equal")
    if below.painted is not None:
        axes.imshow(below.painted, extent=below.frame, zorder=0, interpolation="nearest")
        return
    if below.relief is not None:
        axes.imshow(below.relief, extent=below.corners, alpha=0.55, zorder=0, interpolation="bilinear")
    for cls, lines in below.roads:
        style = (0, (3, 2)) if cls == "path" else "-"
        axes.add_collection(LineCollection(lines, colors=tints[f"road-{cls}"], linewidths=_ROADS[cls], linestyles=style, zorder=1))
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
    axes.add_collection(LineCollection(ends, colors=look.edge, linewidths=look.weight, linestyles=_DASHES[look.dash], zorder=2))


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
    settlements = _points(plan.county.settlements, "settlement_id")
    kinds = plan.county.settlements["kind"].astype("str").to_numpy()
    wanted = [
        (*settlements.iloc[i], 10 if kinds[i] == "county_seat" else 8) for rank in ("county_seat", "town") for i in np.flatnonzero(kinds == rank)
    ]
    if layer in ("proposals", "must_stay"):
        schools = _points(plan.schools, "school_id")
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
            style = "-" if look.dash == "move" else _DASHES[look.dash]
            axes.plot([0.01, 0.11], [y, y], color=look.edge, linewidth=look.weight * 1.3, linestyle=style)
        elif look is not None:
            axes.plot([0.06], [y], marker=look.marker, markersize=min(look.size, 24), markerfacecolor=look.fill, markeredgecolor=look.edge,
                      markeredgewidth=look.weight)  # fmt: skip
            if look.letter:
                _write(axes, 0.06, y, look.letter, face, fontsize=look.size * 0.62, color="white", ha="center", va="center_baseline")
        high = max(1.0, (look.size / 17) if look is not None else 1.0)
        for k, text in enumerate(lines):
            _write(axes, 0.0 if look is None else 0.14, y - k * step * 0.72, text, face, fontsize=8.5, va="center",
                   color=_colours()["quiet"] if look is None else "#1d2733")  # fmt: skip
        if count:
            _write(axes, 1.0, y, count, face, fontsize=8.5, ha="right", va="center", color=_colours()["quiet"])
        y -= step * (max(high, 1) + 0.72 * (len(lines) - 1) + 0.12)
    if credit:
        _write(axes, 1.0, 0.0, credit, face, fontsize=7, ha="right", va="bottom", color=_colours()["quiet"])


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
