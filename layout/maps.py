"""The meeting map: a plan as one HTML file that needs no network."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import re
import tempfile
import warnings
import zlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from layout import messages
from layout.choice import fit_error
from layout.comparisons import comparisons
from layout.ground import TOLERANCE_M, border_lines, degrees, folded, rings_of, road_lines, shaded_ground, water_shapes
from layout.map_cards import make_cards
from layout.plan import Outcome, Plan
from layout.privacy import shown_notes
from layout.sheets import describe
from layout.standards import Standards
from layout.tables import BANDS, band_of, label, schemas
from layout.walking_lines import walking_lines
from layout.what_if import make_what_if, packed

if TYPE_CHECKING:
    import folium

AUDIENCES = ("internal", "public")
# the terrain map of 天地图 and its names, in the page's own projection; its coordinates are CGCS2000, which on a map is WGS-84
_TILES = "https://t{s}.tianditu.gov.cn/{layer}_w/wmts?SERVICE=WMTS&REQUEST=GetTile&VERSION=1.0.0&LAYER={layer}&STYLE=default&TILEMATRIXSET=w&FORMAT=tiles&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk={key}"
_TILE_HOSTS = "https://*.tianditu.gov.cn"
# data longer than this lie in the page deflated: a page of 1,500 villages stays readable in its source
_PACKED_CHARACTERS = 4_000_000
#: A page of more bytes than this is hard to pass on by e-mail or messenger.
LARGE_BYTES = 15_000_000
_PARTS = ("no_seat", "no_bed", "beyond_limit", "no_route")
# what the page unpacks before it draws: the other years, lines of walking, other plans
_LATER = ("year_views", "walking", "comparisons")
# schools named on the map because the roll and the model differ most there, by band
_NAMED = 20
_STATUSES = ("served", "beyond_limit", "no_seat", "no_bed", "no_route", "away")
# what the page is made of beside Leaflet, in this order; plan_map.js draws and calls the others, colours stand in plan_map.css
_STYLES = ("plan_map.css", "meeting.css", "print.css")
_SCRIPTS = ("cards.js", "finder.js", "story.js", "ground.js", "layers.js", "plan_map.js")
# the words for codes that the page shows: table, column by the name of the list
_WORDS = {
    "kind": ("settlements", "kind"), "school_kind": ("schools", "kind"), "school_status": ("schools", "status"), "tier": ("classes", "tier"),
    "action": ("proposals", "action"), "mode": ("assignment", "mode"), "status": ("assignment", "status"), "origin": ("candidates", "origin"),
    "verdict": ("site_verdicts", "verdict"), "stage": ("site_verdicts", "stage"), "difference": ("zone_differences", "difference"),
    "breach": ("breaches", "breach"), "review": ("review_list", "reason"),
}  # fmt: skip


def draw_map(plan: Plan, *, lang: str = "zh", audience: str = "internal", review_no: str = "", tianditu_key: str = "") -> folium.Map:
    """Draw a plan as a folium map whose page holds everything it shows and fetches nothing.

    Parameters
    ----------
    plan
        From :func:`layout.make_plan` or :func:`layout.read_plan`.
    lang
        Language in which the page opens, ``zh`` or ``en``; both are in it.
    audience
        ``internal``: every count, stamped as not to be published. ``public``: only schools, proposals and the county have
        counts of children; those below ``privacy.small_count`` are shown as "<10" and all others rounded to tens, so that
        none can be found by subtraction. Children by village, by way of going to school and by class, persons who move, the
        reasons of proposals (they count the children of villages) and the outline of the county are left out; villages
        with fewer children than that without a place, beyond the limit or in the county seat are not told apart. Of the
        plan's findings only the schools that must stay and those under review are in it, without counts: the sums by
        township would narrow what the public workbook hides, and all else is by village, by class or by band of a school.
    review_no
        审图号 of a map that has passed the review; empty where it has not, and the public page asks for it.
    tianditu_key
        The user's own key of 天地图, to lay its terrain map under an internal plan in a notebook. The map then fetches its tiles, holds
        the key and cannot be saved: ``save`` refuses it, :func:`save_map` has no such option. Other tiles of China lie some hundred metres off
        (GCJ-02) and cannot be chosen.

    Returns
    -------
    folium.Map
        Shown by a notebook, written by ``save`` or :func:`save_map`. A folium plug-in added to it whose script would
        have to be fetched makes the page fail by name instead of arriving incomplete.

    Raises
    ------
    ValueError
        If the language or the audience is unknown, the plan has no place to draw, or the key is none or is given for the public page.

    Examples
    --------
    >>> draw_map(None, audience="press")
    Traceback (most recent call last):
        ...
    ValueError: audience must be one of internal, public, not 'press'
    """
    if lang not in messages.LANGUAGES:
        raise ValueError(f"lang must be one of {', '.join(messages.LANGUAGES)}, not {lang!r}")
    if audience not in AUDIENCES:
        raise ValueError(f"audience must be one of {', '.join(AUDIENCES)}, not {audience!r}")
    if not len(plan.county.settlements) and not len(plan.schools):
        raise ValueError("the plan has neither a settlement nor a school to draw")
    if tianditu_key and (audience == "public" or not re.fullmatch(r"[0-9A-Za-z]{8,64}", tianditu_key)):
        raise ValueError("tianditu_key must be the letters and figures of a key, and only an internal map can have tiles")
    data = _island(plan, lang, audience, review_no)
    if audience == "internal":
        # a public page hides nothing: what is in it can be searched for in its source
        data = _folded_up(data)
    if tianditu_key:
        data["ground"]["tiles"] = [_TILES.replace("{layer}", layer).replace("{key}", tianditu_key) for layer in ("ter", "cta")]
    # the public page has no children by village, so there is nothing in it to try out
    what_if = make_what_if(plan) if audience == "internal" else None
    to_try = None if what_if is None else packed(what_if)
    scripts = (*(("what_if.js",) if audience == "internal" else ()), *_SCRIPTS)
    drawn = offline_map(
        data, lang=lang, title=messages.text("maps.title", lang, county=data["county"]), to_try=to_try, scripts=scripts,
        # what the cards need beyond the map; read when the first is opened
        islands={} if audience == "public" else {"card-data": _squeezed(make_cards(plan))}, images=_TILE_HOSTS if tianditu_key else "",
    )  # fmt: skip
    if tianditu_key:
        # a file may be passed on, and the key with it
        drawn.save = drawn.get_root().save = _not_saved  # type: ignore[method-assign]
    return drawn


def _not_saved(*args: object, **options: object) -> None:
    raise ValueError("a map with tiles holds the key of its user and cannot be saved; draw it without tianditu_key")


def offline_map(
    data: Mapping[str, Any], *, lang: str, title: str, to_try: Mapping[str, Any] | None = None, scripts: Sequence[str] = _SCRIPTS,
    start: str = "drawPlan", styles: Sequence[str] = _STYLES, islands: Mapping[str, Mapping[str, Any]] | None = None, images: str = "",
) -> folium.Map:  # fmt: skip
    """Return a folium map whose page holds its data, styles and scripts and fetches nothing.

    Parameters
    ----------
    data
        What the page shows, as far as json goes; ``bounds`` is the frame of the map in degrees. Of a large county it lies in the page
        deflated.
    lang
        Language in which the page opens.
    title
        Title of its window.
    to_try
        What a meeting can try out, from :func:`layout.what_if.packed`; None without.
    scripts, start
        Scripts among the assets in their order, the last of which draws the data, and the function of it that is called with the map.
    styles
        Style sheets among the assets.
    islands
        Further data of the scripts, as far as json goes, by the id of the element that holds it.
    images
        Where the page may fetch pictures from; only a map that is never saved has such a place.

    Returns
    -------
    folium.Map
        As from :func:`draw_map`.

    Examples
    --------
    >>> page = offline_map({"bounds": [[26, 107], [27, 108]]}, lang="zh", title="<b>").get_root().render()
    >>> "<title>&lt;b&gt;</title>" in page, "http-equiv" in page
    (True, True)
    """
    import folium
    from branca.element import Template

    (south, west), (north, east) = data["bounds"]
    drawn = folium.Map(
        location=[(south + north) / 2, (west + east) / 2], zoom_start=10, tiles=None, prefer_canvas=True,
        zoom_control=False, zoom_animation=False, fade_animation=False, zoom_snap=0.25, min_zoom=6, max_zoom=18,
    )  # fmt: skip
    # folium names its elements at random; one fixed name makes the same plan the same file
    drawn._id = "plan"
    # nothing but Leaflet is needed, and Leaflet goes into the page
    drawn.default_js, drawn.default_css = [], []
    figure: Any = drawn.get_root()
    figure.page = functools.partial(
        _page, data=data, to_try=to_try, lang=lang, map_name=drawn.get_name(), title=title, scripts=scripts, start=start, styles=styles,
        islands=islands or {}, images=images,
    )  # fmt: skip
    figure._template = Template("{{ this.page(this) }}")
    figure.height = "720px"
    return drawn


def save_map(plan: Plan, path: str | Path, *, lang: str = "zh", audience: str = "internal", review_no: str = "") -> None:
    """Write the map of a plan as one HTML file, whole or not at all.

    Parameters
    ----------
    plan
        From :func:`layout.make_plan` or :func:`layout.read_plan`.
    path
        The file; its folder is made where it is missing.
    lang, audience, review_no
        As in :func:`draw_map`.

    Raises
    ------
    ValueError
        As :func:`draw_map`.

    Examples
    --------
    >>> save_map(None, "map.html", lang="fr")
    Traceback (most recent call last):
        ...
    ValueError: lang must be one of zh, en, not 'fr'
    """
    write_page(draw_map(plan, lang=lang, audience=audience, review_no=review_no), path)


def write_page(drawn: folium.Map, path: str | Path) -> None:
    """Write the page of an offline map as one HTML file, whole or not at all.

    Parameters
    ----------
    drawn
        From :func:`draw_map` or :func:`offline_map`.
    path
        The file; its folder is made where it is missing.

    Raises
    ------
    ValueError
        If the map has tiles, which need the key of whoever drew it.

    Warns
    -----
    UserWarning
        If the page has more than :data:`LARGE_BYTES`.

    Examples
    --------
    >>> write_page(draw_map(plan), "map.html")  # doctest: +SKIP
    """
    figure = drawn.get_root()
    if figure.save is _not_saved:
        _not_saved()
    text = figure.render()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".layout-") as scratch:
        made = Path(scratch) / "map.html"
        made.write_text(text, encoding="utf-8", newline="\n")
        size = made.stat().st_size
        made.replace(path)
    if size > LARGE_BYTES:
        fields = {"size": f"{size / 1e6:.0f}", "most": f"{LARGE_BYTES / 1e6:g}"}
        warnings.warn(" / ".join(messages.text("outputs.large_page", each, **fields) for each in messages.LANGUAGES), stacklevel=2)


def vendored() -> dict[str, dict[str, Any]]:
    """Return what is vendored for the page: name, version, licence, origin and sha256 of every file.

    Returns
    -------
    dict
        Entry by package.

    Examples
    --------
    >>> vendored()["leaflet"]["version"], vendored()["leaflet"]["licence"]
    ('1.9.4', 'BSD-2-Clause')
    """
    return json.loads(_asset("manifest.json"))


# --- the page ---------------------------------------------------------------------------------------------------------


def _page(
    figure: Any, *, data: Mapping[str, Any], to_try: Mapping[str, Any] | None, lang: str, map_name: str, title: str, scripts: Sequence[str],
    start: str, styles: Sequence[str], islands: Mapping[str, Mapping[str, Any]], images: str,
) -> str:  # fmt: skip
    from branca.element import CssLink, JavascriptLink

    foreign = [f"{name} ({child.url})" for name, child in figure.header._children.items() if isinstance(child, (JavascriptLink, CssLink))]
    if foreign:
        raise ValueError(f"the map must fetch nothing, but these would have to be fetched: {', '.join(foreign)}")
    holds = lambda name, text: f'<script type="application/json" id="{name}">{text}</script>'  # noqa: E731
    island, unpack = _island_text(data), []
    if len(island) > _PACKED_CHARACTERS:
        island, unpack = _island_text(_deflated(island)), [f"<script>{_asset('unpack.js')}\nunpackPlan('plan-data');</script>"]
    attempt = [] if to_try is None else [holds("what-if-data", _island_text(to_try)), "<script>tryOut(window.planMap);</script>"]
    leaflet, code = _asset("leaflet.js").replace("//# sourceMappingURL=leaflet.js.map", ""), "\n".join(_asset(name) for name in scripts)
    # said in the page itself: by an old browser and without scripts nothing else is seen
    said = {key: "".join(f"<p>{html.escape(messages.text(f'maps.{key}', each))}</p>" for each in ("zh", "en")) for key in ("no_script", "too_old")}
    warning = f'<div id="plan-old" role="alert">{said["too_old"]}<noscript>{said["no_script"]}</noscript></div>'
    body = "\n".join([
        f"<style>{_leaflet_css()}</style>", *(f"<style>{_asset(name)}</style>" for name in styles), f"<script>{leaflet}\n{_icons()}</script>",
        figure.header.render(), "</head>", "<body>", warning, f"<script>{_asset('guard.js')}</script>",
        '<header id="plan-head"></header>', '<aside id="plan-panel"></aside>', '<section id="plan-card" role="dialog" hidden></section>',
        figure.html.render(), holds("plan-data", island), *unpack, *(holds(name, _island_text(held)) for name, held in islands.items()),
        f"<script>{figure.script.render()}</script>", f"<script>{code}\n{start}({map_name});</script>", *attempt,
        "</body>", "</html>", "",
    ]).replace("\r", "")  # fmt: skip
    # only the scripts written here may run: each is named by its hash, anything slipped in by a name is not
    hashes = [hashlib.sha256(code.encode()).digest() for code in re.findall(r"<script>(.*?)</script>", body, flags=re.DOTALL)]
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    only = f"style-src 'unsafe-inline'; img-src {f'data: {images}'.strip()}; font-src data:; base-uri 'none'; form-action 'none'"
    policy = f"default-src 'none'; script-src {allowed}; {only}"
    head = [
        "<!DOCTYPE html>", f'<html lang="{"zh-CN" if lang == "zh" else "en"}">', "<head>", '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">', f"<title>{html.escape(title)}</title>",
    ]  # fmt: skip
    return "\n".join([*head, body])


def _folded_up(data: Mapping[str, Any]) -> dict[str, Any]:
    """Fold what is looked at later into one packed text, so that the page of a large county stays small."""
    return {key: value for key, value in data.items() if key not in _LATER} | {"later": _squeezed({key: data[key] for key in _LATER})}


def _island_text(data: Mapping[str, Any]) -> str:
    # json with the characters that could end the element or a line written as escapes
    island = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        island = island.replace(mark, f"\\u{ord(mark):04x}")
    return island


def _squeezed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return data as deflated JSON in letters, with its length."""
    packed = _deflated(json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    return {"size": packed["size"], "data": packed["deflated"]}


def _deflated(text: str) -> dict[str, Any]:
    raw = text.encode()
    # a raw stream: its end is known, and no clock stands in its head
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return {"size": len(raw), "deflated": base64.b64encode(squeezer.compress(raw) + squeezer.flush()).decode("ascii")}


def _asset(name: str) -> str:
    return files("layout").joinpath("assets", name).read_text(encoding="utf-8")


def _data_uri(name: str) -> str:
    return "data:image/png;base64," + base64.b64encode(files("layout").joinpath("assets", name).read_bytes()).decode()


def _leaflet_css() -> str:
    return re.sub(r"url\(images/([\w.-]+)\)", lambda found: f"url({_data_uri(found[1])})", _asset("leaflet.css"))


def _icons() -> str:
    # Leaflet guesses where its marker lies from a style sheet, which fails for one that lies in the page
    icons = {"iconUrl": "marker-icon.png", "iconRetinaUrl": "marker-icon-2x.png", "shadowUrl": "marker-shadow.png"}
    return f"L.Icon.Default.imagePath=' ';L.Icon.Default.mergeOptions({json.dumps({k: _data_uri(v) for k, v in icons.items()})});"


# --- what the page holds ----------------------------------------------------------------------------------------------


def _island(plan: Plan, lang: str, audience: str, review_no: str) -> dict[str, Any]:
    county, standards = plan.county, plan.standards
    threshold = int(standards["privacy.small_count"])
    least = threshold if audience == "public" else 0
    villages = {key: i for i, key in enumerate(county.settlements["settlement_id"])}
    schools = {key: i for i, key in enumerate(plan.schools["school_id"])}
    townships = {key: i for i, key in enumerate(county.townships["township_id"])}
    base, then = plan.years[0], plan.years[-1]
    places = gpd.GeoSeries(pd.concat([county.settlements.geometry, plan.schools.geometry], ignore_index=True), crs=county.crs)
    situations = (("base", plan.today, base), ("nothing", plan.today, then), ("planned", plan.planned, then))
    return {
        "lang": lang, "audience": audience, "review_no": review_no, "small_count": threshold,
        "county": county.name, "base_date": county.base_date.isoformat(), "base_year": base, "plan_year": then, "years": list(plan.years),
        "bounds": _bounds(places), "attribution": _credits(plan),
        "text": {each: _sentences(each) for each in messages.LANGUAGES}, "words": {each: _words(each) for each in messages.LANGUAGES},
        "limits": _limits(standards), "tiers": _tiers(standards), "townships": _townships(plan),
        "villages": _points(county.settlements, "settlement_id", townships), "schools": _points(plan.schools, "school_id", townships),
        "pupils": [] if least else _pupils(plan.today.assignment, villages, plan.years),
        "situations": [_view(key, plan, outcome, year, villages, schools, townships, least) for key, outcome, year in situations],
        "year_views": [
            [_view(key, plan, outcome, year, villages, schools, townships, least) for key, outcome, _ in situations[1:]]
            for year in plan.years[1:-1]
        ],
        "walking": walking_lines(plan), "comparisons": None if audience == "public" else comparisons(plan),
        "must_stay": [
            [schools[r.school_id], r.year, None if least else _published(r.pupils, 0), _number(r.next_minutes)] for r in _rows(plan.must_stay)
        ],
        "review": _review(plan, schools, least), "findings": {} if least else _findings(plan, villages, schools),
        "cited": _cited_by(plan), "moves": [_move(r, villages, audience) for r in _rows(county.moves)],
        "proposals": _proposals(plan, schools, audience, least),
        **_sites(plan), "ground": _ground(plan, places, audience), "assumptions": _assumptions(plan), "notes": _notes(plan, audience),
    }  # fmt: skip


def _credits(plan: Plan) -> list[str]:
    roads = plan.county.roads
    credit = "" if roads is None else str(roads.source.get("attribution", ""))
    return [credit] if credit else []


def _notes(plan: Plan, audience: str) -> list[dict[str, str]]:
    said = [describe(shown_notes(plan, audience), each) for each in messages.LANGUAGES]
    return [dict(zip(messages.LANGUAGES, pair, strict=True)) for pair in zip(*said, strict=True)]


def _move(move: Any, villages: Mapping[str, int], audience: str) -> dict[str, int | None]:
    told: dict[str, int | None] = {"from": villages[move.from_id], "to": villages[move.to_id], "year": move.year}
    if audience == "public":
        return told
    return told | {"households": _published(move.households, 0), "persons": _published(move.persons, 0)}


def _published(value: float, least: int) -> int | None:
    """Return a count as it may be shown: -1 below the threshold, else rounded to tens; unchanged where there is none."""
    if pd.isna(value):
        return None
    whole = round(float(value))
    if not least or whole == 0:
        return whole
    return -1 if whole < least else round(whole, -1) or 10


def _number(value: float) -> float | None:
    return None if pd.isna(value) else round(float(value), 1)


def _sentences(lang: str) -> dict[str, str]:
    return {key.removeprefix("maps."): text for key, text in messages.catalogue(lang).items() if key.startswith("maps.")}


def _words(lang: str) -> dict[str, dict[str, str]]:
    return {
        name: {code: label(table, column, code, lang) for code in schemas()[table].columns[column].values} for name, (table, column) in _WORDS.items()
    }


def _limits(standards: Standards) -> dict[str, dict[str, object]]:
    return {
        band: {
            "walk": standards.limit("walk", band), "bus": standards.limit("bus", band), "week": standards.limit("week", band),
            "clause": {each: standards.rules[f"travel.limit.walk.{band}"].cite(each) for each in messages.LANGUAGES},
        }
        for band in BANDS
    }  # fmt: skip


def _tiers(standards: Standards) -> dict[str, int]:
    small, elevated = int(standards["class_size.small.max"]), int(standards["class_size.elevated.max"])
    oversized, most = int(standards["class_size.oversize.min"]), int(standards["class_size.super_oversize.min"])
    return {"small": small, "elevated": elevated, "oversized": oversized, "super": most}


def _points(table: gpd.GeoDataFrame, key: str, townships: Mapping[str, int]) -> list[list[object]]:
    rows = zip(table[key], table["name"], table["kind"], table["township_id"], degrees(table.geometry).tolist(), strict=True)
    return [[one, name, kind, townships.get(township, -1), *at] for one, name, kind, township, at in rows]


def _bounds(places: gpd.GeoSeries) -> list[list[float]]:
    west, south, east, north = places.to_crs(4326).total_bounds
    # one place alone still needs a frame, about a kilometre around it
    grow = max(0.01 - (east - west), 0.01 - (north - south), 0) / 2
    return [[round(south - grow, 5), round(west - grow, 5)], [round(north + grow, 5), round(east + grow, 5)]]


def _townships(plan: Plan) -> list[dict[str, object]]:
    settlements = plan.county.settlements
    at = degrees(settlements.geometry)
    # a township's name stands at its seat, else in the middle of its villages
    rank = settlements["kind"].map({"county_seat": 0, "town": 1}).fillna(2).to_numpy()
    out = []
    for row in _rows(plan.county.townships):
        mine = np.flatnonzero(settlements["township_id"] == row.township_id)
        seat = mine[rank[mine] == rank[mine].min()] if len(mine) else mine
        where = None if not len(mine) else at[seat[0]].tolist() if rank[seat[0]] < 2 else np.rint(at[mine].mean(axis=0)).astype(int).tolist()
        out.append({"name": row.name, "seat": bool(row.is_county_seat), "at": where})
    return out


def _pupils(assignment: pd.DataFrame, villages: Mapping[str, int], years: Sequence[int]) -> list[list[list[int]]]:
    """Return children by village, year and band."""
    counts = np.zeros((len(villages), len(years), len(BANDS)), dtype="int64")
    rows = assignment[assignment["year"].isin(years)]
    year = rows["year"].map({y: i for i, y in enumerate(years)}).to_numpy()
    np.add.at(counts, (rows["settlement_id"].map(villages).to_numpy(int), year, _band_numbers(rows)), rows["pupils"].to_numpy())
    return counts.tolist()


def _band_numbers(rows: pd.DataFrame) -> np.ndarray:
    return rows["grade"].map({grade: list(BANDS).index(band_of(grade)) for grade in range(1, 10)}).to_numpy(int)


def _view(
    key: str, plan: Plan, outcome: Outcome, year: int,
    villages: Mapping[str, int], schools: Mapping[str, int], townships: Mapping[str, int], least: int,
) -> dict[str, Any]:  # fmt: skip
    classes = outcome.classes[outcome.classes["year"] == year]
    seats = outcome.school_years[outcome.school_years["year"] == year] if len(outcome.school_years) else plan.county.schools
    seats = seats[seats["status"] == "open"]
    total = plan.summary[(plan.summary["view"] == outcome.view) & (plan.summary["year"] == year)].iloc[0]
    counts = {name: int(total[name]) for name in ("pupils", *_STATUSES)}
    counts |= {"no_place": counts["no_seat"] + counts["no_bed"], "out_of_reach": counts["beyond_limit"] + counts["no_route"]}
    # the public page has the great sums only
    kept_back = _PARTS if least else ()
    few = _few_beds(plan.proposals, outcome.view, year, least)
    return {
        "key": key, "year": year, "flows": _flows(outcome.assignment, year, villages, schools, least),
        "headline": {name: None if name in kept_back else _published(n, least) for name, n in counts.items()},
        "oversized": [int(total["oversized_classes"]), int(total["super_classes"])],
        "open_schools": len(seats), "rolls": _rolls(classes, schools, least),
        "seats": [
            [schools[r.school_id], r.status, r.first_grade, r.last_grade, r.rooms, -1 if r.school_id in few else _published(r.beds, 0) or 0]
            for r in _rows(seats)
        ],
        "classes": [] if least else [
            [schools[r.school_id], r.grades, r.pupils, r.classes, r.largest_class, r.tier, r.mixed] for r in _rows(classes)
        ],
        "reach": [] if least else _reach(outcome.headline, year, townships),
        "short": [] if least else _short(plan.findings.short_villages, outcome.view, year, villages, schools),
    }  # fmt: skip


def _flows(
    assignment: pd.DataFrame, year: int, villages: Mapping[str, int], schools: Mapping[str, int], least: int
) -> list[list[object]]:  # fmt: skip
    """Return who goes where: village, band, school (-1: none), mode, status, children, minutes of the slowest."""
    rows = assignment[(assignment["year"] == year) & (assignment["pupils"] > 0)]
    rows = pd.DataFrame({
        "village": rows["settlement_id"].map(villages).astype("int64"), "band": _band_numbers(rows),
        "school": rows["school_id"].astype("str").map(schools).fillna(-1).astype("int64"),
        "mode": rows["mode"].astype("str"), "status": rows["status"].astype("str"), "pupils": rows["pupils"], "minutes": rows["minutes"],
    })  # fmt: skip
    groups = rows.groupby(["village", "band", "school", "mode", "status"], sort=True)
    flows = groups.agg(pupils=("pupils", "sum"), minutes=("minutes", "max")).reset_index()
    if least:
        # of few children it is not said that they have no place, nor that they study elsewhere
        flows = flows[(flows["status"] == "served") & (flows["mode"] != "seat") | (flows["pupils"] >= least)]
    return [[r.village, r.band, r.school, r.mode, r.status, None if least else r.pupils, _number(r.minutes)] for r in _rows(flows)]


def _rolls(classes: pd.DataFrame, schools: Mapping[str, int], least: int) -> list[list[object]]:
    """Return by school its children, classes, classes of 56 and over and of 66 and over, and the tier of the largest."""
    rows = []
    for school_id, group in classes.groupby("school_id", sort=True):
        largest = group["tier"].iloc[int(group["largest_class"].to_numpy().argmax())]
        sums = group[["pupils", "classes", "oversized_classes", "super_classes"]].sum().tolist()
        rows.append([schools[str(school_id)], _published(sums[0], least), *sums[1:], largest])
    return rows


def _reach(headline: pd.DataFrame, year: int, townships: Mapping[str, int]) -> list[list[int]]:
    """Return by township all children, those served, in reach without a place, out of reach, and away."""
    rows = headline[headline["year"] == year]
    sums = rows.groupby(rows["township_id"].astype("str"), sort=True)[["pupils", *_STATUSES]].sum().reset_index()
    return [
        [townships[r.township_id], r.pupils, r.served, r.no_seat + r.no_bed, r.beyond_limit + r.no_route, r.away]
        for r in _rows(sums) if r.township_id in townships
    ]  # fmt: skip


def _short(table: pd.DataFrame, view: str, year: int, villages: Mapping[str, int], schools: Mapping[str, int]) -> list[list[object]]:
    rows = table[(table["view"] == view) & (table["year"] == year)]
    return [
        [villages[r.settlement_id], _band(r), r.status, r.pupils, _number(r.minutes), schools.get(r.nearest_id, -1), _number(r.nearest_minutes)]
        for r in _rows(rows)
    ]


def _band(row: Any) -> int:
    return list(BANDS).index(row.band)


def _review(plan: Plan, schools: Mapping[str, int], least: int) -> list[list[object]]:
    """Return the schools under review: year, next school, minutes; children and why it is on the list only inside."""
    return [
        [schools[r.school_id], r.year, schools.get(r.next_school_id, -1), _number(r.next_minutes),
         *([None] * 4 if least else [r.pupils, r.lower_pupils, r.upper_beyond, r.reason])]
        for r in _rows(plan.findings.review_list)
    ]  # fmt: skip


def _findings(plan: Plan, villages: Mapping[str, int], schools: Mapping[str, int]) -> dict[str, Any]:
    """Return the rows of the plan's findings that the layers show, each a row of its table."""
    found = plan.findings
    zones = found.zone_differences
    other = zones[zones["difference"] != "same"]
    fit = found.base_year_fit
    # the largest differences of each band are named; equal ones by the order of the table
    rank = fit["difference"].abs().groupby(fit["band"].astype("str")).rank(method="first", ascending=False)
    errors = [fit_error(fit, model) for model in ("modelled", "nearest")]
    return {
        "breaches": [
            [schools[r.school_id], r.grade, r.breach, r.first_year, r.largest_class, r.last_year,
             None if pd.isna(r.probability) else round(r.probability, 2)]
            for r in _rows(found.breaches)
        ],
        "sites": [
            [villages[r.settlement_id], r.year, r.stage, r.verdict, r.shortage, *map(_number, (r.pupils, r.seats_near, r.pupils_near, r.balance))]
            for r in _rows(found.site_verdicts)
        ],
        "access": [[villages[r.settlement_id], _band(r), r.pupils, round(r.enhanced, 6)] for r in _rows(found.seat_access)],
        "zones": [
            [villages[r.settlement_id], _band(r), schools.get(r.zone_id, -1), _number(r.zone_minutes), schools.get(r.nearest_id, -1),
             _number(r.nearest_minutes), r.pupils, r.difference] for r in _rows(other)
        ],
        "zones_same": [int(((zones["band"] == band) & (zones["difference"] == "same")).sum()) for band in BANDS],
        "fit": [
            [schools[r.school_id], _band(r), *map(_number, (r.rostered, r.modelled, r.nearest, r.difference)), bool(place <= _NAMED)]
            for r, place in zip(_rows(fit), rank, strict=True)
        ],
        "fit_error": [None if pd.isna(error) else round(error, 4) for error in errors],
    }  # fmt: skip


def _few_beds(proposals: pd.DataFrame, view: str, year: int, least: int) -> set[str]:
    """Return the schools that get a few beds by then: what stands after less what stands before would count the children for whom they are."""
    beds = proposals.loc[(proposals["beds"] > 0) & (proposals["year"] <= year)].groupby("school_id")["beds"].min()
    return set(beds.index[beds < least]) if view == "planned" else set()


def _proposals(plan: Plan, schools: Mapping[str, int], audience: str, least: int) -> list[dict[str, Any]]:
    out = []
    for r in _rows(plan.proposals):
        clauses, gates = _parts(r.clauses), _parts(r.gates)
        # a bed stands for a child, and the money for a few beds says how many they are
        few = 0 < r.beds < least
        out.append({
            "school": schools[r.school_id], "year": r.year, "action": r.action, "role": r.role, "first": r.first_grade, "last": r.last_grade,
            "rooms": r.rooms, "beds": -1 if few else r.beds, "cost": None if few else _number(r.cost_yuan) or 0,
            "pupils": _published(r.pupils, least),
            # the sentence counts the children of single villages
            "reason": None if audience == "public" else {"zh": r.reason_zh, "en": r.reason_en},
            "clauses": clauses, "gates": gates,
        })  # fmt: skip
    return out


def _parts(listed: object) -> list[str]:
    return [part.strip() for part in str(listed).split(";") if part.strip()]


def _cited_by(plan: Plan) -> dict[str, dict[str, dict[str, str]]]:
    """Return what clauses and gates of the proposals say, once each: many proposals rest on the same clauses."""
    clauses, gates = (sorted({key for row in plan.proposals[name] for key in _parts(row)}) for name in ("clauses", "gates"))
    return {"clauses": {key: _cited(plan.standards, key) for key in clauses}, "gates": {key: _worded(key) for key in gates}}


def _cited(standards: Standards, key: str) -> dict[str, str]:
    rule = standards.rules.get(key)
    return {each: key if rule is None else f"{rule.zh if each == 'zh' else rule.en}: {rule.cite(each)}" for each in messages.LANGUAGES}


def _worded(gate: str) -> dict[str, str]:
    # a gate is the key of a sentence, or the sentence itself
    return {each: messages.catalogue(each).get(f"gate.{gate}", gate) for each in messages.LANGUAGES}


def _sites(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    opened = set(plan.proposals["school_id"])
    free = plan.candidates[~plan.candidates["school_id"].isin(opened)]
    candidates = [
        {"name": r.name, "origin": r.origin, "flags": r.flags, "at": at} for r, at in zip(_rows(free), degrees(free.geometry).tolist(), strict=True)
    ]
    layers = dict(zip(plan.county.exclusions["exclusion_id"], plan.county.exclusions["layer"], strict=True))
    rejected = [
        {"name": r.name, "exclusion": _turned_down(r, layers), "clause": _cited(plan.standards, r.clause), "at": at}
        for r, at in zip(_rows(plan.rejected), degrees(plan.rejected.geometry).tolist(), strict=True)
    ]
    shapes = plan.county.exclusions.geometry.simplify(TOLERANCE_M)
    areas = [
        {"layer": r.layer, "hard": bool(r.hard), "source": r.source, "rings": [rings_of(part) for part in _polygons(shape)]}
        for r, shape in zip(_rows(plan.county.exclusions), shapes.to_crs(4326), strict=True)
    ]
    return {"candidates": candidates, "rejected": rejected, "exclusions": areas}


def _turned_down(row: Any, layers: Mapping[str, str]) -> str:
    """Name what turns a site down: the layer of the area, or the road or water with the metres there are and those asked for."""
    named = str(layers.get(row.exclusion_id, "") or getattr(row, "layer", "") or row.exclusion_id)
    least = getattr(row, "least_m", 0.0)
    return f"{named}: {row.distance_m:.0f} m < {least:.0f} m" if least > 0 else named


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(pd.DataFrame(table).itertuples())


def _polygons(shape: Any) -> list[Any]:
    return [part for part in getattr(shape, "geoms", [shape]) if part.geom_type == "Polygon"]


def _assumptions(plan: Plan) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for r in _rows(plan.county.assumptions):
        table = schemas().get(r.table)
        column = None if table is None else table.columns.get(r.column)
        rule = plan.standards.rules.get(r.basis)
        names = {"zh": (table.zh if table else r.table, column.zh if column else r.column), "en": (r.table, r.column)}
        out.append({
            each: messages.text("maps.assumption", each, table=names[each][0], column=names[each][1], rows=r.rows,
                                note=messages.in_language(r.note, each),
                                basis=rule.cite(each) if rule else r.basis)
            for each in messages.LANGUAGES
        } | {"column": {each: " ".join(names[each]) for each in messages.LANGUAGES}})  # fmt: skip
    return out


def _ground(plan: Plan, places: gpd.GeoSeries, audience: str) -> dict[str, Any]:
    county = plan.county
    outline = [] if county.boundary is None or audience == "public" else _polygons(county.boundary.simplify(TOLERANCE_M))
    rings = gpd.GeoSeries([part.exterior for part in outline], crs=county.crs).to_crs(4326)
    # borders are those that the county gives, and for its own use only
    areas = None if audience == "public" else county.township_areas
    water = {"lines": [], "areas": []} if county.obstacles is None else water_shapes(county.obstacles)
    return {
        "roads": road_lines(county.roads.edges) if county.roads is not None and len(county.roads.edges) else [],
        "water": water, "townships": [] if areas is None else border_lines(areas),
        "boundary": [folded(ring) for ring in rings], "shade": None if county.terrain is None else shaded_ground(county.terrain, places),
    }  # fmt: skip
