"""School clusters: which stronger school stands by each small one, the posts both need, and the lessons that teachers bring there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from layout.needs import LAST_PRIMARY_GRADE, class_groups, standing_schools
from layout.standards import Standards
from layout.tables import check, empty

#: Subjects that teachers of a hub bring to small schools, in the order in which lessons nobody there gives fall on them.
SUBJECTS = ("english", "art", "pe")
# the quicker way counts; among as quick ones this order
_MODES = ("walk", "bus", "drive")
# minutes closer than this are as many
_DIGITS = 6
_CENTRE = "中心"
_STAGES = ("g1_2", "g3_6", "g7_9")


def school_clusters(
    classes: pd.DataFrame, times: pd.DataFrame, schools: pd.DataFrame, standards: Standards, *, school_years: pd.DataFrame | None = None,
    view: str = "planned",
) -> pd.DataFrame:  # fmt: skip
    """Pair every small school and teaching point with a stronger school, and reckon posts and lessons of both.

    Parameters
    ----------
    classes
        Table ``classes``: pupils and classes by school and year.
    times
        Table ``times`` between schools: ``from_id`` and ``to_id`` are schools, modes walk, bus and drive; the slower direction counts.
    schools
        Table ``schools``: township, kind, place, owner, teachers where they are known.
    standards
        ``staff.*``, ``lessons.*``, ``layout.small_school.max``.
    school_years
        As for :func:`layout.school_needs`.
    view
        ``today`` or ``planned``: goes into the table.

    Returns
    -------
    pandas.DataFrame
        Table ``clusters``, key view, school_id, year: one row a school that is a teaching point or small primary school, or, in a village or of
        unknown place and without junior grades, has at most ``layout.small_school.max`` pupils.

        The hub is the central school of the township: a public school that teaches grades 1 to 6 and is not small, whose name holds 中心
        where one does, else the one with most pupils of these grades (ties: the lower id). Where its teachers need longer than
        ``staff.round.reach`` one way, or there is none, the nearest such school of any township (``basis`` nearest); within reach
        of none, the hub is empty (``basis`` none) and nobody comes.

        ``posts`` is the larger of pupils over the pupils a post and, in small schools, classes times posts a class, rounded up. Lessons
        are those of the week of every class, a mixed class having those of its highest grade. Teachers of the school (those known, else
        the posts by ratio rounded up: ``teachers_assumed``) give general subjects first, then the subjects of :data:`SUBJECTS` from the
        last to the first; what is left of these falls to the hub (``lessons_shared``; zero without a hub), of general ones to posts of
        its own (``lessons_general_short``). ``posts_shared`` is the lessons shared over those of a teacher; ``posts_own`` the other
        posts. ``balance`` is what the hub's own teachers have left over after its own classes, below 0 where they are too few; it is
        that of the whole hub, not of each school.

    References
    ----------
    国办发〔2001〕74号 附表 (19 and 13.5 pupils a post); 意见 2021-01-21 第10条 (small schools by their reality); 教督〔2017〕6号: rural schools
    of 50 to 99 pupils count teachers who come on rounds; 义务教育课程方案 (lessons a week).

    Examples
    --------
    >>> standards = layout.read_standards()
    >>> pupils = pd.DataFrame({"school_id": ["S1", "S2"], "year": 2026, "grade": 1, "status": "served", "pupils": [20, 120]})
    >>> classes = layout.class_sizes(pupils, paper.schools, paper.rosters, standards)
    >>> times = pd.DataFrame({"from_id": ["S1", "S2"], "to_id": ["S2", "S1"], "mode": "drive", "band": "junior", "minutes": [11.0, 12.0],
    ...     "minutes_back": [12.0, 11.0]})
    >>> school_clusters(classes, times, paper.schools, standards)[["school_id", "hub_id", "basis", "minutes", "posts"]].values.tolist()
    [['S1', 'S2', 'nearest', 12.0, 2]]
    """
    years = sorted({int(y) for y in classes["year"]})
    standing = standing_schools(schools, school_years, years)
    if not len(standing) or not len(classes):
        return empty("clusters")
    table = _loads(classes, standing, schools, standards)
    legs = best_legs(times)
    small = table["small"]
    full = ~small & (table["first_grade"] == 1) & (table["last_grade"] >= LAST_PRIMARY_GRADE) & (table["primary_pupils"] > 0)
    full &= ~table["owner"].isin(["private", "other"])
    # looked up once, not for every small school
    legs_to = _near_legs(legs, table.loc[full, "school_id"], standards["staff.round.reach"])
    hubs = {year: _Hubs(_centres(rows), rows.set_index("school_id")) for year, rows in table[full].groupby("year")}
    none = _Hubs({}, table.iloc[:0].set_index("school_id"))
    rows = [
        _paired(school, hubs.get(school["year"], none), legs_to.get(str(school["school_id"]), []), standards)
        for school in table[small].to_dict("records")
    ]
    return check("clusters", pd.DataFrame(rows).assign(view=view)) if rows else empty("clusters")


def best_legs(times: pd.DataFrame) -> pd.DataFrame:
    """Return the quickest way between each two schools.

    Parameters
    ----------
    times
        Table ``times`` between schools; modes walk, bus and drive, others are left out.

    Returns
    -------
    pandas.DataFrame
        from_id, to_id, mode, minutes, minutes_back of the way with the least minutes there and back (ties: walk, bus, drive), by ids.

    Examples
    --------
    >>> times = pd.DataFrame({"from_id": "P", "to_id": "Q", "mode": ["drive", "walk"], "band": "junior", "minutes": [9.0, 8.0], "minutes_back": 9.0})
    >>> best_legs(times)[["mode", "minutes"]].values.tolist()
    [['walk', 8.0]]
    """
    found = times[times["mode"].isin(_MODES) & (times["from_id"].astype("str") != times["to_id"].astype("str"))]
    legs = pd.DataFrame({
        "from_id": found["from_id"].astype("str"), "to_id": found["to_id"].astype("str"), "mode": found["mode"].astype("str"),
        "minutes": found["minutes"].astype(float), "minutes_back": found["minutes_back"].astype(float),
    })  # fmt: skip
    both = (legs["minutes"] + legs["minutes_back"]).round(_DIGITS)
    order = legs.assign(both=both, rank=legs["mode"].map({m: i for i, m in enumerate(_MODES)}))
    order = order.sort_values(["from_id", "to_id", "both", "rank"], kind="stable").drop_duplicates(["from_id", "to_id"])
    return order.drop(columns=["both", "rank"]).reset_index(drop=True)


def _loads(classes: pd.DataFrame, standing: pd.DataFrame, schools: pd.DataFrame, standards: Standards) -> pd.DataFrame:
    """Return pupils, classes, lessons and posts of every school and year."""
    groups = class_groups(classes, standing, standards)
    at, n = groups["standing"].to_numpy(int), len(standing)
    heads, number, last = (groups[c].to_numpy(float) for c in ("pupils", "classes", "last_grade"))
    stage = [_STAGES[0] if g <= 2 else _STAGES[1] if g <= LAST_PRIMARY_GRADE else _STAGES[2] for g in last]
    # a class without pupils has no lessons
    taught = np.where(heads > 0, number, 0.0)
    out = standing.assign(
        pupils=np.bincount(at, heads, minlength=n), classes=np.bincount(at, taught, minlength=n),
        primary_pupils=np.bincount(at, heads * (groups["first_grade"].to_numpy(int) <= LAST_PRIMARY_GRADE), minlength=n),
        lessons=np.bincount(at, taught * [standards[f"lessons.week.{s}"] for s in stage], minlength=n),
        **{f"of_{name}": np.bincount(at, taught * [standards[f"lessons.subject.{name}.{s}"] for s in stage], minlength=n) for name in SUBJECTS},
    )  # fmt: skip
    known = pd.DataFrame(schools.drop(columns="geometry", errors="ignore")).set_index("school_id").reindex(out["school_id"])
    owner = known["owner"].fillna("") if "owner" in known else pd.Series("", index=known.index)
    ratio = out["primary_pupils"] / standards["staff.ratio.primary"] + (out["pupils"] - out["primary_pupils"]) / standards["staff.ratio.junior"]
    few, rural = out["pupils"] <= standards["layout.small_school.max"], out["urban_rural"].isin(["", "village"])
    small = out["incomplete"] | (rural & few & (out["last_grade"] <= LAST_PRIMARY_GRADE))
    by_class = (out["classes"] * standards["staff.small_school.per_class"]).where(small & few)
    return out.assign(
        township_id=known["township_id"].astype("str").to_numpy(), name=known["name"].astype("str").to_numpy(), owner=owner.to_numpy(), small=small,
        posts_by_ratio=ratio, posts_by_class=by_class, posts=np.ceil(np.round(np.fmax(ratio, by_class), _DIGITS)),
        teachers_assumed=out["teachers"].isna(), teachers=out["teachers"].where(out["teachers"].notna(), np.ceil(np.round(ratio, _DIGITS))),
    )  # fmt: skip


@dataclass(frozen=True)
class _Hubs:
    """Schools of a year that others may lean on: the centre of each township, and what each has by its id."""

    centre: Mapping[str, str]
    table: pd.DataFrame


def _near_legs(legs: pd.DataFrame, hubs: pd.Series, reach: float) -> dict[str, list[tuple[str, float, str]]]:
    """Return by school the hubs within reach of it, the nearest first, with minutes one way in the slower direction and mode."""
    there = legs[legs["from_id"].isin(hubs)]
    there = there.assign(slower=np.maximum(there["minutes"], there["minutes_back"]).round(_DIGITS))
    there = there[there["slower"] <= reach].sort_values(["slower", "from_id"], kind="stable")
    out: dict[str, list[tuple[str, float, str]]] = {}
    for to, *leg in zip(*(there[c].tolist() for c in ("to_id", "from_id", "slower", "mode")), strict=True):
        out.setdefault(to, []).append(tuple(leg))
    return out


def _centres(full: pd.DataFrame) -> dict[str, str]:
    """Return the centre school of each township: of those named so, else of all, the one with most pupils of the primary grades."""
    out = {}
    for township, own in full.groupby("township_id"):
        named = own[own["name"].str.contains(_CENTRE)]
        ordered = (named if len(named) else own).sort_values(["primary_pupils", "school_id"], ascending=[False, True], kind="stable")
        out[str(township)] = str(ordered["school_id"].iloc[0])
    return out


def _hub(school: Mapping[Hashable, Any], hubs: _Hubs, legs: Sequence[tuple[str, float, str]]) -> tuple[str, str, float, str]:
    """Return hub, basis, minutes one way in the slower direction and mode."""
    there = [leg for leg in legs if leg[0] in hubs.table.index]
    centre = next((leg for leg in there if leg[0] == hubs.centre.get(school["township_id"])), None)
    if centre is not None:
        return centre[0], "township_centre", *centre[1:]
    return (there[0][0], "nearest", *there[0][1:]) if there else ("", "none", float("nan"), "")


def _paired(
    school: Mapping[Hashable, Any], hubs: _Hubs, legs: Sequence[tuple[str, float, str]], standards: Standards
) -> dict[str, object]:  # fmt: skip
    load = standards["staff.lessons_per_teacher"]
    hub, basis, minutes, mode = _hub(school, hubs, legs)
    lessons, given = float(school["lessons"]), float(school["teachers"]) * load
    needed = {name: float(school[f"of_{name}"]) for name in SUBJECTS}
    general = lessons - sum(needed.values())
    left = max(given - general, 0.0)
    short = {}
    for name in reversed(SUBJECTS):
        own = min(needed[name], left)
        left, short[name] = left - own, round(needed[name] - own)
    shared = sum(short.values()) if hub else 0
    spare = float(hubs.table["teachers"][hub]) * load - float(hubs.table["lessons"][hub]) if hub else float("nan")
    posts = float(school["posts"])
    doubtful = [standards.rules[key].verified == "U" for key in ("staff.lessons_per_teacher", "staff.small_school.per_class", "staff.round.reach")]
    own_columns = ("school_id", "year", "kind", "pupils", "classes", "teachers", "teachers_assumed", "posts_by_ratio", "posts_by_class")
    return {
        **{c: school[c] for c in own_columns},
        "hub_id": hub, "basis": basis, "minutes": minutes, "mode": mode, "posts": posts, "lessons": lessons,
        "lessons_general_short": round(max(general - given, 0.0)), **{f"lessons_{name}_short": short[name] for name in SUBJECTS},
        "lessons_shared": shared, "posts_shared": shared / load, "posts_own": max(posts - shared / load, 0.0), "balance": spare,
        "unverified": any(doubtful),
    }  # fmt: skip
