"""Which school families really choose: a model calibrated on today's rosters, for the years in which nothing is done."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from layout.children import INCOMPLETE, ways_of
from layout.standards import Standards
from layout.sums import products
from layout.tables import band_of, check, empty

# rounds of balancing, and the relative change below which they end
_ROUNDS, _DONE = 60, 1e-4
# the draw of a school lies between the median's so many times and its reciprocal
_MOST = 1e4


def enrolled_pupils(
    pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, rosters: pd.DataFrame, standards: Standards, *, seat_schools: Sequence[str] = ()
) -> pd.DataFrame:
    """Say how many pupils every school has in each year and grade if families go on choosing as today's rosters show.

    A settlement's children choose among the open schools of their grade: the more of them a school draws, and the nearer it is,
    the more go there. How much a school draws is fitted so that the base year meets its rosters, grade by grade where it has
    them; it stays the same in later years, while villages and relocation sites shrink and grow. Nobody is refused.

    Parameters
    ----------
    pupils
        Table ``pupils``; its first year is that of the rosters.
    times
        Table ``times``; the better of the day way and, where the grade may board and the school has beds, the weekly way
        counted as ``choice.boarding.minutes`` and a fifth of its minutes a day.
    schools, rosters, standards
        As in :func:`layout.class_sizes`; ``choice.*``. A grade without a roster draws as its neighbours of the band do on average.
    seat_schools
        Schools among which children who study in the county seat choose, wherever they live.

    Returns
    -------
    pandas.DataFrame
        Table ``assignment``, all served: what :func:`layout.class_sizes` takes. Totals of a year and grade are those of the children who
        reach a school, rounded; those of a school, year and grade are exact to a child, those of a settlement to a child but
        where no rounding keeps both. Children who reach no school have no row. Without rosters there are no rows.

    References
    ----------
    Wilson, A. G. (1971). A family of spatial interaction models, and associated developments. Environment and Planning A, 3: draws by
    balancing factors, exp(-minutes / decay).

    Examples
    --------
    >>> pupils = pd.DataFrame({"settlement_id": ["A", "A"], "year": [2025, 2026], "grade": 1, "pupils": [40.0, 20.0]})
    >>> times = pd.DataFrame({"from_id": "A", "to_id": ["S1", "S2"], "mode": "walk", "band": "lower", "minutes": [9.0, 90.0], "minutes_back": 9.0})
    >>> rosters = pd.DataFrame({"school_id": ["S1", "S2"], "grade": 1, "class_no": 1, "pupils": [30, 10]})
    >>> enrolled_pupils(pupils, times, paper.schools, rosters, layout.read_standards())[["school_id", "year", "pupils"]].values.tolist()
    [['S1', 2025, 30], ['S2', 2025, 10], ['S1', 2026, 15], ['S2', 2026, 5]]
    """
    if not len(rosters) or not len(pupils):
        return empty("assignment")
    base = int(pupils["year"].min())
    ways = _choices(pupils, times, schools, standards, seat_schools)
    on_roll = rosters.groupby([rosters["school_id"].astype("str"), "grade"])["pupils"].sum().astype(float)
    draws = _all_draws(ways, on_roll, base)
    parts = [part for grade, choice in sorted(ways.items()) for year in choice["years"] for part in _rows(choice, draws[grade], year, grade)]
    if not parts:
        return empty("assignment")
    # one table of all of them: a small county has a hundred parts of a few rows each
    rows = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    return check("assignment", rows[rows["pupils"] > 0].assign(status="served"))


def _rows(choice: dict, draw: np.ndarray, year: int, grade: int) -> list[dict[str, np.ndarray]]:  # type: ignore[type-arg]
    """Turn expected flows into whole pupils: columns of those who live at home, then of those who study in the county seat."""
    children = _now(choice, year)
    pull = choice["near"] * draw
    whole = pull.sum(axis=1)
    counts = _whole_flows(pull * (np.where(whole > 0, children, 0.0) / np.where(whole > 0, whole, 1.0))[:, None])
    names, schools = np.array(choice["origins"], object), np.array(choice["schools"], object)
    i, j = np.nonzero(counts)
    home = names[i] != ""

    def part(
        places: np.ndarray, attends: str, school: np.ndarray, pupils: np.ndarray, mode: np.ndarray, minutes: np.ndarray
    ) -> dict[str, np.ndarray]:
        same = {"attends": np.full(len(places), attends, object), "year": np.full(len(places), year), "grade": np.full(len(places), grade)}
        return {"settlement_id": places, "school_id": school, "pupils": pupils, "mode": mode, "minutes": minutes, **same}

    i_home, j_home = i[home], j[home]
    parts = [part(
        names[i_home], "home", schools[j_home], counts[i_home, j_home], choice["mode"][i_home, j_home], choice["minutes"][i_home, j_home]
    )] if home.any() else []  # fmt: skip
    seat = choice["seat"][choice["seat"]["year"] == year] if (~home).any() else choice["seat"][:0]
    if len(seat):
        share, places = seat["pupils"].to_numpy(float) / seat["pupils"].sum(), seat["settlement_id"].to_numpy(object)
        for k, n in zip(j[~home], counts[i[~home], j[~home]], strict=True):
            own = np.diff(np.floor(np.cumsum(share) * n + 0.5 + 1e-9), prepend=0.0).astype(int)
            there = np.full(len(own), schools[k], object)
            parts.append(part(places, "county_seat", there, own, np.full(len(own), "seat", object), np.full(len(own), np.nan)))
    return parts


def base_year_fit(
    pupils: pd.DataFrame, times: pd.DataFrame, assignment: pd.DataFrame, schools: pd.DataFrame, rosters: pd.DataFrame, standards: Standards,
    *, seat_schools: Sequence[str] = (),
) -> pd.DataFrame:  # fmt: skip
    """Hold what the models say of the base year against its rosters, by school and grade band.

    The choice model is tested on what it has not seen: each grade is reckoned with draws fitted on the other grades of its band.

    Parameters
    ----------
    pupils, times, schools, rosters, standards, seat_schools
        As in :func:`enrolled_pupils`.
    assignment
        Table ``assignment`` of today's view: by zone or the nearest school.

    Returns
    -------
    pandas.DataFrame
        Table ``base_year_fit`` for the first year of the pupils: on the rosters, by the choice model, by the choice model without the
        pull of the county seat (those who study there stay at home), and by zone or nearest school. Without rosters no rows.

    Examples
    --------
    >>> pupils = pd.DataFrame({"settlement_id": "A", "year": 2025, "grade": [1, 2], "pupils": [40.0, 44.0]})
    >>> times = pd.DataFrame({"from_id": "A", "to_id": ["S1", "S2"], "mode": "walk", "band": "lower", "minutes": [9.0, 90.0], "minutes_back": 9.0})
    >>> rosters = pd.DataFrame({"school_id": ["S1", "S2"] * 2, "grade": [1, 1, 2, 2], "class_no": 1, "pupils": [30, 10, 22, 22]})
    >>> fit = base_year_fit(pupils, times, empty("assignment"), paper.schools, rosters, layout.read_standards())
    >>> fit[["school_id", "rostered", "modelled"]].round(6).values.tolist()  # 40 x 22/44 + 44 x 30/40
    [['S1', 52.0, 53.0], ['S2', 32.0, 31.0]]
    """
    if not len(rosters) or not len(pupils):
        return empty("base_year_fit")
    base = int(pupils["year"].min())
    now = pupils[pupils["year"] == base]
    on_roll = rosters.groupby([rosters["school_id"].astype("str"), "grade"])["pupils"].sum().astype(float)
    stay = now.assign(attends=now["attends"].where(now["attends"] != "county_seat", "home")) if "attends" in now else now
    sums: dict[str, dict[tuple[str, str], float]] = {"modelled": {}, "without_seat": {}}
    for name, table in (("modelled", now), ("without_seat", stay)):
        ways = _choices(table, times, schools, standards, seat_schools)
        for grade, choice in ways.items():
            others = {g: c for g, c in ways.items() if g != grade and band_of(g) == band_of(grade)}
            draw = _filled(choice["schools"], _all_draws(others, on_roll, base), others, on_roll)
            for school, n in zip(choice["schools"], _shares(choice, draw, _now(choice, base)), strict=True):
                key = school, band_of(grade)
                sums[name][key] = sums[name].get(key, 0.0) + float(n)
    seated = assignment[(assignment["year"] == base) & (assignment["school_id"] != "")]
    near = seated.groupby([seated["school_id"].astype("str"), seated["grade"].map(band_of).astype("str")])["pupils"].sum()
    roll = on_roll.reset_index().assign(band=lambda t: t["grade"].map(band_of)).groupby(["school_id", "band"])["pupils"].sum()
    keys = sorted({*roll.index, *near.index, *sums["modelled"], *sums["without_seat"]})
    out = pd.DataFrame({
        "school_id": [k[0] for k in keys], "band": [k[1] for k in keys], "rostered": [float(roll.get(k, 0.0)) for k in keys],
        **{name: [found.get(k, 0.0) for k in keys] for name, found in sums.items()}, "nearest": [float(near.get(k, 0)) for k in keys],
    })  # fmt: skip
    return check("base_year_fit", out.assign(difference=out["modelled"] - out["rostered"]))


def fit_error(fit: pd.DataFrame, model: str = "modelled") -> float:
    """Return the weighted absolute error of a model: the sum of the differences over the pupils on the rosters.

    Parameters
    ----------
    fit
        Table ``base_year_fit``.
    model
        ``modelled``, ``without_seat`` or ``nearest``.

    Returns
    -------
    float
        Share of the pupils; NaN without pupils.

    Examples
    --------
    >>> fit_error(pd.DataFrame({"rostered": [60.0, 40.0], "modelled": [50.0, 50.0]}))
    0.2
    """
    total = float(fit["rostered"].sum())
    return float((fit[model] - fit["rostered"]).abs().sum() / total) if total else float("nan")


def _choices(pupils: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards, seat_schools: Sequence[str]) -> dict:  # type: ignore[type-arg]
    """Return by grade the schools, the children by origin and year, and how near each origin is to each school."""
    there = schools[(schools["status"] == "open") & (schools["kind"] != "special")].sort_values("school_id")
    ways = ways_of(times, standards)
    beds = dict(zip(there["school_id"].astype("str"), there["beds"].fillna(0) if "beds" in there else [0] * len(there), strict=True))
    board = (ways["mode"] == "board").to_numpy()
    usable = ~board | (ways["school_id"].map(beds).fillna(0) > 0).to_numpy()
    weight = np.where(board, standards["choice.boarding.minutes"] + ways["minutes"] / 5, ways["minutes"])
    near = ways[usable].assign(near=np.exp(-weight / standards["choice.decay.minutes"])[usable])
    table = pupils.assign(settlement_id=pupils["settlement_id"].astype("str"), attends=pupils.get("attends", "home"))
    table = table[table["attends"].isin(["home", "county_seat", ""]) & (table["pupils"] > 0)]
    out = {}
    for grade in sorted(int(g) for g in set(table["grade"])):
        mine = there[(there["first_grade"] <= grade) & (there["last_grade"] >= grade)]
        names = mine["school_id"].astype("str").tolist()
        if not names:
            continue
        own = near[(near["band"] == band_of(grade)) & near["school_id"].isin(names)]
        own = own if standards.may_board(grade) else own[own["mode"] != "board"]
        best = own.sort_values("near", ascending=False, kind="stable").drop_duplicates(["settlement_id", "school_id"])
        rows = table[table["grade"] == grade]
        seat = rows["attends"] == "county_seat"
        at_seat = rows[seat].groupby(["settlement_id", "year"])["pupils"].sum().reset_index()
        children = rows["pupils"].groupby([np.where(seat, "", rows["settlement_id"]), rows["year"]]).sum()
        origins, years = sorted(set(children.index.get_level_values(0))), sorted({int(y) for y in children.index.get_level_values(1)})
        place, column = {o: i for i, o in enumerate(origins)}, {s: j for j, s in enumerate(names)}
        best = best[best["settlement_id"].isin(place)]
        i, j = best["settlement_id"].map(place).to_numpy(int), best["school_id"].map(column).to_numpy(int)
        closeness, minutes = np.zeros((len(origins), len(names))), np.full((len(origins), len(names)), np.nan)
        mode = np.full(closeness.shape, "walk", object)
        closeness[i, j], minutes[i, j], mode[i, j] = best["near"], best["minutes"], best["mode"]
        if "" in place:
            # who studies in the seat chooses among its schools alone, and lives near all of them
            allowed = [s in set(seat_schools) and k not in INCOMPLETE for s, k in zip(names, mine["kind"], strict=True)]
            closeness[place[""]] = np.array(allowed, float)
        out[grade] = {
            "schools": names,
            "years": years,
            "children": children.unstack().reindex(index=origins, columns=years).fillna(0.0).to_numpy(float),
            "origins": origins,
            "near": closeness,
            "minutes": minutes,
            "mode": mode,
            "seat": at_seat,
        }
    return out


def _now(choice: dict, year: int) -> np.ndarray:  # type: ignore[type-arg]
    """Return the children of each origin in a year."""
    there = choice["years"].index(year) if year in choice["years"] else None
    return np.zeros(len(choice["origins"])) if there is None else choice["children"][:, there]


def _wanted(on_roll: pd.Series, choice: dict, grade: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.array([float(on_roll.get((s, grade), 0.0)) for s in choice["schools"]])


def _all_draws(ways: dict, on_roll: pd.Series, base: int) -> dict[int, np.ndarray]:  # type: ignore[type-arg]
    """Fit the draws of every grade; a school without a roster of a grade draws as in the other grades of its band, else as the median."""
    first = {g: _draws(c, _now(c, base), _wanted(on_roll, c, g), np.ones(len(c["schools"]))) for g, c in ways.items()}
    out = {}
    for grade, choice in ways.items():
        band = {g: c for g, c in ways.items() if g != grade and band_of(g) == band_of(grade)}
        others = _filled(choice["schools"], {g: first[g] for g in band}, band, on_roll)
        out[grade] = _draws(choice, _now(choice, base), _wanted(on_roll, choice, grade), others)
    return out


def _filled(schools: Sequence[str], draws: dict[int, np.ndarray], ways: dict, on_roll: pd.Series) -> np.ndarray:  # type: ignore[type-arg]
    """Return the mean draw of each school over the grades of which it has a roster; 1, the median, where there is none."""
    found: dict[str, list[float]] = {}
    for grade, draw in draws.items():
        for school, value in zip(ways[grade]["schools"], draw, strict=True):
            if float(on_roll.get((school, grade), 0.0)) > 0:
                found.setdefault(school, []).append(float(value))
    return np.array([np.mean(found[s]) if s in found else 1.0 for s in schools])


def _draws(choice: dict, children: np.ndarray, wanted: np.ndarray, unknown: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Fit how much each school draws, so that those with rosters share their children as these say; the others draw as given."""
    known = wanted > 0
    if not known.any():
        return unknown
    draw = unknown.astype(float)
    for _ in range(_ROUNDS):
        found = _shares(choice, draw, children)
        total = found[known].sum()
        ratio = np.where(known & (found > 0), wanted / wanted.sum() * total / np.maximum(found, 1e-12), 1.0)
        draw = draw * ratio
        # only proportions count: together the known draw as expected; a school with more pupils than anybody near it explains draws _MOST
        level = np.exp(np.mean(np.log(draw[known])) - np.mean(np.log(unknown[known])))
        draw = np.where(known, np.clip(draw / level, 1 / _MOST, _MOST), unknown)
        if np.abs(ratio - 1).max() < _DONE:
            break
    return draw


def _shares(choice: dict, draw: np.ndarray, children: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    pull = choice["near"] * draw
    whole = pull.sum(axis=1)
    return products(children / np.where(whole > 0, whole, np.inf), pull)


def _whole_flows(flow: np.ndarray) -> np.ndarray:
    """Round flows so that origins and schools keep their rounded totals: the largest parts first, of equals the earlier."""
    # totals of origins by running sums, as children are rounded elsewhere
    rows = np.diff(np.floor(np.cumsum(flow.sum(axis=1)) + 0.5 + 1e-9), prepend=0.0).astype(int)
    columns = flow.sum(axis=0)
    low = np.floor(columns + 1e-9).astype(int)
    order = np.argsort(-(columns - low), kind="stable")
    low[order[: max(int(rows.sum()) - int(low.sum()), 0)]] += 1
    out = np.floor(flow + 1e-9).astype(int)
    need_row, need_column = rows - out.sum(axis=1), low - out.sum(axis=0)
    missing = int(np.maximum(need_column, 0).sum())
    for strict in (True, False):
        # what fits both totals; then what is left of the schools goes where the largest parts are
        i, j = np.nonzero((flow > 0) & (need_column > 0)[None, :] & ((need_row > 0)[:, None] | (not strict)))
        part = flow[i, j] - np.floor(flow[i, j] + 1e-9)
        order = np.lexsort((j, i, -part))
        for a, b in zip(i[order].tolist(), j[order].tolist(), strict=True):
            if not missing:
                return out
            if need_column[b] > 0 and (need_row[a] > 0 or not strict):
                out[a, b] += 1
                need_row[a] -= 1
                need_column[b] -= 1
                missing -= 1
    return out
