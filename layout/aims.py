"""What a county wants of its plan: plan years, budgets, schools that must open, how many may, and whether children may be left without a place."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from layout.tables import Problem

# what to do where a child has no place in a plan year: list the children, or make no plan
UNSERVED = ("list", "refuse")
_KEYS = ("years", "budget", "must_open", "must_keep", "most_open", "unserved")
_LATEST = 2100


@dataclass(frozen=True)
class Aims:
    """What a county wants of its plan; nothing asked for by default.

    ``years``: plan years, none: the usual ones. ``budget``: most that a plan year may invest, yuan by year. ``must_open``: ids of sites
    that must be open in the last plan year. ``must_keep``: ids of schools about which nothing but rooms and beds is proposed.
    ``most_open``: most new schools by then. ``unserved``: ``list`` names the children without a place, ``refuse`` makes no plan then.
    """

    years: tuple[int, ...] = ()
    budget: Mapping[int, float] = field(default_factory=dict)
    must_open: tuple[str, ...] = ()
    must_keep: tuple[str, ...] = ()
    most_open: int | None = None
    unserved: str = UNSERVED[0]


def read_aims(given: object, *, base_year: int, file: str) -> tuple[Aims, list[Problem]]:
    """Read the table ``plan`` of a county's settings.

    Parameters
    ----------
    given
        What stands there; an empty mapping where nothing does.
    base_year
        Plan years come after it.
    file
        Name of the file, for problems.

    Returns
    -------
    tuple
        Aims, and everything that is wrong.

    Examples
    --------
    >>> read_aims({"years": [2026, 2030], "budget": {"2026": 5e6}}, base_year=2025, file="county.toml")[0].budget
    {2026: 5000000.0}
    >>> [p.column for p in read_aims({"years": [2020], "unserved": "hide"}, base_year=2025, file="county.toml")[1]]
    ['plan.years', 'plan.unserved']
    """
    problems: list[Problem] = []

    def wrong(key: str, value: object, wanted: str) -> None:
        problems.append(Problem("bad_setting", file, column=f"plan.{key}" if key else "plan", value=str(value), fields={"wanted": wanted}))

    if not isinstance(given, Mapping):
        wrong("", given, "[plan]")
        return Aims(), problems
    for key in given:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1, cutoff=0.0)[0]
            problems.append(Problem("unknown_setting", file, column=f"plan.{key}", fields={"near": f"plan.{near}"}))
    years = given.get("years", [])
    if not isinstance(years, list) or not all(_whole(y) and base_year < y <= _LATEST for y in years) or len(set(years)) < len(years):
        wrong("years", years, f"[{base_year + 1}, {base_year + 5}, …] > {base_year}")
        years = []
    budget = given.get("budget", {})
    if not isinstance(budget, Mapping) or not all(str(y).isdigit() and _amount(n) for y, n in budget.items()):
        wrong("budget", budget, f"{{ {base_year + 1} = 5000000 }}")
        budget = {}
    if years and set(map(int, budget)) - set(years):
        wrong("budget", ", ".join(sorted(set(budget) - set(map(str, years)))), ", ".join(map(str, sorted(years))))
        budget = {}
    named: dict[str, tuple[str, ...]] = {}
    for key in ("must_open", "must_keep"):
        ids = given.get(key, [])
        if not isinstance(ids, list) or not all(isinstance(s, str) and s for s in ids):
            wrong(key, ids, '["C-…"]')
            ids = []
        named[key] = tuple(sorted(set(ids)))
    most = given.get("most_open")
    if most is not None and not (_whole(most) and most >= 0):
        wrong("most_open", most, "0, 1, 2 …")
        most = None
    unserved = given.get("unserved", UNSERVED[0])
    if unserved not in UNSERVED:
        wrong("unserved", unserved, ", ".join(UNSERVED))
        unserved = UNSERVED[0]
    spend = {int(y): float(n) for y, n in sorted(budget.items(), key=lambda item: int(item[0]))}
    return Aims(tuple(sorted(years)), spend, named["must_open"], named["must_keep"], most, unserved), problems


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")
