"""A province on one offline page: its counties by a figure of a year, each a click from its own map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from layout import messages
from layout.ground import rings_of
from layout.maps import offline_map, write_page
from layout.province_tables import Province
from layout.tables import label

if TYPE_CHECKING:
    import folium

#: Figures by which the page colours counties; the share is of pupils without a place.
FIGURES = ("oversized_classes", "pupils", "unserved", "unserved_share", "cost_yuan")
# outlines are drawn to about a hundred metres
_TOLERANCE_DEG = 0.001
# frame of a page without any plan
_NOWHERE = [[24.6, 103.6], [29.3, 109.6]]


def draw_province(province: Province, *, lang: str = "zh") -> folium.Map:
    """Draw a province as a folium map whose page holds everything it shows and fetches nothing.

    Parameters
    ----------
    province
        From :func:`layout.plan_province`.
    lang
        Language in which the page opens, ``zh`` or ``en``; both are in it.

    Returns
    -------
    folium.Map
        As from :func:`layout.draw_map`. Links lead to the counties' own maps beside it.

    Raises
    ------
    ValueError
        If the language is unknown.

    Examples
    --------
    >>> draw_province(province)  # doctest: +SKIP
    """
    messages.catalogue(lang)
    return offline_map(
        _island(province, lang), lang=lang, title=messages.text("province.title", lang, name=province.name), scripts=("province_map.js",),
        start="drawProvince", styles=("plan_map.css", "province_map.css"),
    )  # fmt: skip


def save_province(province: Province, path: str | Path, *, lang: str = "zh") -> None:
    """Write the page of a province as one HTML file, whole or not at all.

    Parameters
    ----------
    province, lang
        As in :func:`draw_province`.
    path
        The file; the links lead to ``counties/`` beside it.

    Raises
    ------
    ValueError
        As :func:`draw_province`.

    Examples
    --------
    >>> save_province(province, "results/province.html")  # doctest: +SKIP
    """
    write_page(draw_province(province, lang=lang), path)


def _island(province: Province, lang: str) -> dict[str, Any]:
    counties = sorted(set(province.counties["county"]))
    scenarios = list(dict.fromkeys(sorted(set(province.counties["scenario"]), key=lambda s: (s != "base", s))))
    place, plot = {c: i for i, c in enumerate(counties)}, {s: i for i, s in enumerate(scenarios)}
    named = province.counties.sort_values(["state", "scenario"]).drop_duplicates("county").set_index("county")
    shapes = (
        dict(zip(province.outlines["county"], province.outlines.geometry.simplify(_TOLERANCE_DEG), strict=True)) if len(province.outlines) else {}
    )
    west, south, east, north = province.outlines.total_bounds if shapes else (0.0, 0.0, 0.0, 0.0)
    figures = ["pupils", "unserved", "oversized_classes", "cost_yuan"]
    return {
        "lang": lang, "name": province.name, "figures": list(FIGURES), "scenarios": scenarios,
        "bounds": [[round(south, 4), round(west, 4)], [round(north, 4), round(east, 4)]] if shapes else _NOWHERE,
        "text": {each: _sentences(each) for each in messages.LANGUAGES}, "words": {each: _words(each) for each in messages.LANGUAGES},
        "counties": [{"county": c, "name": str(named.loc[c, "county_name"]) or c, "code": str(named.loc[c, "county_code"]),
                      "rings": _rings(shapes.get(c))} for c in counties],
        "states": [{"county": place[c], "scenario": plot[s], "done": state == "done"}
                   for c, s, state in province.counties[["county", "scenario", "state"]].itertuples(index=False)],
        "rows": [{"county": place[r["county"]], "scenario": plot[r["scenario"]], "view": r["view"], "year": int(r["year"]),
                  **{f: round(r[f]) for f in figures}} for r in province.years.to_dict("records")],
        "equity": [{**{k: (v if isinstance(v, str) else round(float(v), 5)) for k, v in r.items()}, "scenario": plot[r["scenario"]],
                    "year": int(r["year"])} for r in province.equity.to_dict("records")],
        "borders": _borders(province.borders, place, plot), "problems": _problems(province.problems, place, plot),
    }  # fmt: skip


def _rings(shape: Any) -> list[Any]:
    if shape is None or shape.is_empty:
        return []
    return [rings_of(part) for part in getattr(shape, "geoms", [shape]) if part.geom_type == "Polygon"]


def _sentences(lang: str) -> dict[str, str]:
    mine = {key: text for key, text in messages.catalogue(lang).items() if key.startswith(("maps.", "province.")) and "what_if" not in key}
    return {key.removeprefix("maps."): text for key, text in mine.items() if not key.startswith("maps.compare.")}


def _words(lang: str) -> dict[str, dict[str, str]]:
    return {
        "figure": {figure: messages.text(f"province.figure.{figure}", lang) for figure in FIGURES},
        "view": {view: label("province_years", "view", view, lang) for view in ("today", "planned")},
    }


def _borders(borders: pd.DataFrame, place: dict[str, int], plot: dict[str, int]) -> list[dict[str, Any]]:
    """Add border pupils up by pair of counties, band and year; the metres are the mean saved by the nearer school."""
    if not len(borders):
        return []
    known = borders["pupils"].where(borders["own_m"].notna(), 0.0)
    rows = borders.assign(nearer=(borders["own_m"] - borders["other_m"]) * borders["pupils"], known=known)
    sums = rows.groupby(["county", "other_county", "scenario", "band", "year"], as_index=False).agg(
        villages=("settlement_id", "nunique"), pupils=("pupils", "sum"), nearer=("nearer", "sum"), known=("known", "sum")
    )
    return [
        {"from": place[r["county"]], "to": place[r["other_county"]], "scenario": plot[r["scenario"]], "band": r["band"], "year": int(r["year"]),
         "villages": int(r["villages"]), "pupils": round(float(r["pupils"]), 1),
         "nearer_m": round(r["nearer"] / r["known"]) if r["known"] > 0 else None}
        for r in sums.to_dict("records")
    ]  # fmt: skip


def _problems(problems: pd.DataFrame, place: dict[str, int], plot: dict[str, int]) -> list[dict[str, Any]]:
    out = []
    for r in problems.to_dict("records"):
        row = "" if r["row"] is None or r["row"] is pd.NA or (isinstance(r["row"], float) and np.isnan(r["row"])) else str(int(r["row"]))
        where = " ".join(part for part in (r["file"], r["sheet"], row, r["column"], r["value"]) if part)
        said = {lang: f"{r[f'what_{lang}']} {r[f'remedy_{lang}']}".strip() for lang in messages.LANGUAGES}
        out.append({"county": place[r["county"]], "scenario": plot[r["scenario"]], "where": where, **said})
    return out
