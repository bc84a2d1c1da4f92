"""A second way to plan tiny counties: every pattern of openings and beds is listed, then rooms from the cheapest up; only people are shared out by programs.

It shares nothing with the package but the figures of the standards: the rules are written anew from the text of ``propose``, classes are listed one by one.
A rule can be dropped (``drop``), which tells whether it binds: without it a better plan exists.
"""

import itertools
from functools import cache

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

BAND = {g: band for band, gs in {"lower": (1, 2, 3), "upper": (4, 5, 6), "junior": (7, 8, 9)}.items() for g in gs}
# parts of each role; the last ones break a rule and are tried only without it
PARTS = {"": (), "tp": ("small",), "sp": ("small", "village"), "pr": ("primary",), "jr": ("junior",), "nine": ("primary", "junior"),
         "vi": ("village",), "tpjr": ("small", "junior"), "spjr": ("small", "village", "junior")}  # fmt: skip
TAUGHT = {"small": (1, 2, 3), "village": (4, 5, 6), "primary": (1, 2, 3, 4, 5, 6), "junior": (7, 8, 9)}
ROLE = {"tp": "teaching_point", "sp": "small_primary", "pr": "primary", "jr": "junior", "nine": "nine_year"}
MONEY, SAME = 1e4, 1e-4
# a bound: grades together whatever the rooms
LOOSE = frozenset({"enough"})


def grades_of(state):
    return tuple(sorted({g for part in PARTS[state] for g in TAUGHT[part]}))


def kinds_of(state):
    """Kinds of rooms of a new school with the grades whose classes sit there: small, pr, jr."""
    small = tuple(g for part in ("small", "village") if part in PARTS[state] for g in TAUGHT[part])
    out = [("small", small)] if small else []
    return out + [(kind, TAUGHT[part]) for kind, part in (("pr", "primary"), ("jr", "junior")) if part in PARTS[state]]


def less(a, b):
    """Say whether a comes before b, level by level."""
    for x, y in zip(a, b, strict=True):
        if abs(x - y) > SAME:
            return x < y
    return False


@cache
def splits(grades, most):
    """All ways to cut neighbouring grades into runs of at most so many."""
    if not grades:
        return ((),)
    return tuple((grades[:n], *tail) for n in range(1, min(most, len(grades)) + 1) for tail in splits(grades[n:], most))


class Tiny:
    """A county of one school S and some sites: numbers only.

    ``pupils`` (year, village, grade) -> n, village "" for those who study in the county seat; ``day``: mode -> (village, site, band) -> minutes;
    ``week`` likewise.
    """

    def __init__(self, *, pupils, day, week, school, sites, years, weights, standards, first, budget):
        self.pupils, self.day, self.week = pupils, day, week
        self.school, self.sites, self.years, self.weights, self.s = school, sites, years, weights, standards
        self.first, self.budget = first, budget
        # sites that must be open in the last year, and most that may be
        self.must, self.most = (), None
        self.places = ("S", *sites)
        self.villages = sorted({v for _, v, _ in pupils})
        self.least = {p: standards[f"layout.min_pupils.{r}"] for p, r in
                      (("small", "teaching_point"), ("village", "small_primary"), ("primary", "primary"), ("junior", "junior"))}  # fmt: skip

    # ---- figures

    def size(self, small, grade, year, drop=frozenset()):
        stage = "primary_incomplete" if small else "junior" if grade > 6 else "primary"
        steps = [] if "steps" in drop else [st.pupils for st in self.s.steps if st.stage == stage and st.from_year <= year]
        return min([self.plain(small, grade), *steps])

    def plain(self, small, grade):
        return int(self.s["class_size.design.primary_incomplete" if small else f"class_size.yzjh.{'junior' if grade > 6 else 'primary'}.max"])

    def crf(self, life):
        r = self.s["cost.rate"]
        return r * (1 + r) ** life / ((1 + r) ** life - 1)

    def room(self, small, grades):
        """Investment and money a year of a room."""
        build = np.mean([self.plain(small, g) * self.s["floor.junior" if g > 6 else "floor.primary"] for g in grades]) * self.s["cost.build.day"]
        return build, build * self.crf(self.s["cost.life.building"]) + small * self.s["staff.small_school.per_class"] * self.s["staff.post.yuan"]

    def bed(self, grades):
        build = self.s["floor.boarding.junior" if max(grades) > 6 else "floor.boarding.primary"] * self.s["cost.build.boarding"]
        return build, build * self.crf(self.s["cost.life.building"])

    def rider(self):
        s = self.s
        bus = 1e4 * (s["bus.capex.default"] * self.crf(s["cost.life.bus"]) + s["bus.opex.default"])
        return bus / ((s["bus.occupants.max"] - s["bus.attendants"]) * s["bus.runs"])

    def can_come(self, site, band, *, day):
        """Children of the last year who could come to a site at all."""
        ways = [self.day[mode] for mode in ("walk", "bus")] if day else [self.day["walk"], self.day["bus"], self.weekly(band)]
        come = {v for v in self.villages if any((v, site, band) in w for w in ways)}
        if not day and self.sites[site]["seat"]:
            come |= {""}
        return sum(n for (y, v, g), n in self.pupils.items() if y == self.years[-1] and BAND[g] == band and v in come)

    def weekly(self, band):
        return {} if band == "lower" else {k: m for k, m in self.week.items() if m <= self.s["travel.limit.week"]}

    def full_grades(self, site):
        """Grades that a full school at a site could have: a junior part only where enough children of the last year can come."""
        return TAUGHT["junior"] if self.can_come(site, "junior", day=False) >= self.least["junior"] else TAUGHT["primary"]

    def cap(self):
        grades, s = self.school["grades"], self.s
        both = grades[0] <= 6 < grades[-1]
        held = self.school["rooms"] * max(self.size(self.school["small"], g, 0) for g in grades)
        return max(s["size.max.nine_year" if both else "size.max.primary_junior"], held)

    def cap_of(self, state):
        s, parts = self.s, PARTS[state]
        if state == "nine":
            return s["size.max.nine_year"]
        return sum(
            s["layout.small_school.max" if p in ("small", "village") else "size.max.primary_junior"]
            for p in parts
            if p != "village" or len(parts) == 1
        )

    # ---- classes

    def cuts(self, grades, rooms, small, must, year, drop=frozenset()):
        """All ways to form classes: each a dict of grades that have pupils -> seats; those that another beats are left out."""
        load = {g: sum(self.pupils.get((year, v, g), 0) for v in self.villages) for g in grades}
        found = set()
        # a school that has a room for each grade puts none together
        together = small and (rooms < len(grades) or "enough" in drop)
        for parts in splits(tuple(grades), int(self.s["class_size.mixed.max_grades"]) if together else 1):
            runs, single = [p for p in parts if len(p) > 1], [p[0] for p in parts if len(p) == 1]
            free = rooms - len(runs) - must * len(single)
            if free < 0:
                continue
            size = {g: self.size(small, g, year, drop) for g in single}
            wanted = [g for g in single if load[g]]
            more = {g: max(-(-load[g] // size[g]) - must, 0) for g in wanted}
            each = [range(min(free, more[g]) + 1) for g in wanted]
            for extra in itertools.product(*each):
                if sum(extra) == min(free, sum(more.values())):
                    most = self.s["class_size.mixed.max_pupils"]
                    seats = {tuple(g for g in run if load[g]): min(most, *(self.size(small, g, year, drop) for g in grades)) for run in runs}
                    seats |= {(g,): (must + e) * size[g] for g, e in zip(wanted, extra, strict=True)}
                    found.add(tuple(sorted((gs, n) for gs, n in seats.items() if gs)))
        cuts = [dict(c) for c in sorted(found)]
        return [a for a in cuts if not any(a != b and a.keys() == b.keys() and all(b[k] >= n for k, n in a.items()) for b in cuts)]

    def least_rooms(self, kind, grades):
        if kind != "small":
            return len(grades)
        most = int(self.s["class_size.mixed.max_grades"])
        return -(-3 // most) if len(grades) == 3 else -(-6 // most)

    def most_rooms(self, kind, grades, drop):
        """Rooms beyond which no class is missing."""
        small = kind == "small"
        need = [sum(-(-self.total(y, g) // self.size(small, g, y, drop)) or 1 for g in grades) for y in self.years]
        return max(*need, self.least_rooms(kind, grades))

    def total(self, year, grade):
        return sum(self.pupils.get((year, v, grade), 0) for v in self.villages)

    def optimum(self, drop=()):
        """Return the lexicographic optimum over all years: none, beyond, excess, above, money (yuan); without the rules dropped."""
        return Search(self, frozenset(drop)).optimum()


class Year:
    """People of one plan year: where they could go, as the rows of a program that every pattern shares."""

    def __init__(self, county, t, drop):
        self.c, self.t, self.year, self.drop = county, t, county.years[t], drop
        c = county
        self.demands = sorted({(v, BAND[g]) for (y, v, g), n in c.pupils.items() if y == self.year and n})
        self.flows = [f for d in self.demands for f in self.ways(*d)]
        self.n, self.d = len(self.flows), len(self.demands)
        by = {d: {g: c.pupils.get((self.year, d[0], g), 0) for g in BAND if BAND[g] == d[1]} for d in self.demands}
        self.load = np.array([[by[v, b].get(g, 0) for g in range(1, 10)] for v, b, *_ in self.flows]).reshape(self.n, 9).astype(float)
        self.child = self.load.sum(axis=1)
        self.each = np.array([sum(by[d].values()) for d in self.demands], float)
        a = np.zeros((self.d, self.n + self.d))
        for j, f in enumerate(self.flows):
            a[self.demands.index(f[:2]), j] = 1
        a[np.arange(self.d), self.n + np.arange(self.d)] = 1
        rows = [a]
        site = [f[2] for f in self.flows]
        mode = [f[3] for f in self.flows]
        junior = np.array([f[1] == "junior" for f in self.flows], bool)
        board = np.array([m == "board" for m in mode], bool)
        for s in c.places:
            here = self.child * np.array([x == s for x in site])
            for values in (here * board, here, -here * (~junior & ~board), -here * junior):
                rows.append(np.concatenate([values, np.zeros(self.d)])[None, :])
        late = np.array([f[5] for f in self.flows], float)
        self.costs = {
            "none": np.concatenate([np.zeros(self.n), self.each]), "beyond": np.concatenate([self.child * (late > 0), np.zeros(self.d)]),
            "excess": np.concatenate([self.child * late, np.zeros(self.d)]),
        }  # fmt: skip
        self.matrix = np.concatenate([*rows, *[c[None, :] for c in self.costs.values()]])
        self.moded = self.child * np.array([{"board": c.s["fund.boarder_extra"], "bus": c.rider()}.get(m, 0.0) for m in mode])
        self.memo = {}

    def ways(self, v, band):
        """Where the children of a village and band could go: village, band, site, mode, minutes, minutes over the limit."""
        c, grades = self.c, [g for g in BAND if BAND[g] == band and self.c.pupils.get((self.year, v, g), 0)]
        if not v:
            able = [s for s in c.places if (c.school["seat"] if s == "S" else c.sites[s]["seat"])]
            return [(v, band, s, "seat", 0.0, 0.0) for s in able if s != "S" or grades[0] in c.school["grades"]]
        out = []
        for s in c.places:
            walk, bus = (c.day[m].get((v, s, band)) for m in ("walk", "bus"))
            kept = [(m, mode) for m, mode in ((walk, "walk"), (bus, "bus")) if m is not None and m <= c.s.limit(mode, band)]
            some = kept[:1] or sorted((m, mode) for m, mode in ((walk, "walk"), (bus, "bus")) if m is not None)[:1]
            out += [(v, band, s, mode, m, max(m - c.s.limit(mode, band), 0.0)) for m, mode in some]
        near = grades[0] in c.school["grades"] and any(f[2] == "S" and not f[5] for f in out)
        # whoever has a school of today within the limit that cannot be full is not sent beyond it
        if near and self.roomy():
            out = [f for f in out if not f[5]]
        for s in c.places:
            m = c.week.get((v, s, band))
            boards = (band != "lower" or "lower boards" in self.drop) and not (band == "upper" and near and "upper boards" not in self.drop)
            if m is not None and m <= c.s["travel.limit.week"] and boards:
                out.append((v, band, s, "board", m, 0.0))
        return [f for f in out if f[2] != "S" or (grades[0] in c.school["grades"] and (f[3] != "board" or c.school["boards"]))]

    def roomy(self):
        c = self.c
        come = {(v, b) for v in c.villages for b in ("lower", "upper", "junior")
                if any((v, "S", b) in c.day[m] for m in c.day) or (v, "S", b) in c.weekly(b) or (not v and c.school["seat"])}  # fmt: skip
        return max(sum(n for (y, v, g), n in c.pupils.items() if y == year and (v, BAND[g]) in come) for year in c.years) <= c.cap()

    def open(self, states):
        """Say which flows a pattern of openings allows."""
        out = []
        for _, band, s, mode, *_ in self.flows:
            if s == "S" or "open" in self.drop:
                out.append(True)
                continue
            parts = [p for p in PARTS[states[s]] if band in {BAND[g] for g in TAUGHT[p]}]
            full = [p for p in parts if p in ("primary", "junior")]
            out.append(bool(parts if mode in ("walk", "bus") or "full" in self.drop else full))
        return np.array(out, bool)

    def bounds(self, states, beds):
        """Return the upper bounds of the columns and the bounds of the rows."""
        c, least, most = self.c, [1.0 - ("whole" in self.drop)] * self.d, [1.0] * self.d
        for s in c.places:
            state = states.get(s, "")
            need = {"primary": 0.0, "junior": 0.0}
            if "least" not in self.drop:
                parts = PARTS[state]
                highest = [c.least[p] for p in ("small", "village", "primary") if p in parts]
                need["primary"] = highest[-1] if highest else 0.0
                need["junior"] = c.least["junior"] if "junior" in parts else 0.0
            cap = np.inf if "largest" in self.drop else c.cap() if s == "S" else c.cap_of(state) if state else np.inf
            most += [np.inf if "beds" in self.drop else float(beds[s]), cap, -need["primary"], -need["junior"]]
            least += [-np.inf] * 4
        upper = np.concatenate([self.open(states).astype(float), np.ones(self.d)])
        return upper, np.array(least), np.array(most, float)

    def first(self, states, beds):
        """Least none, beyond and excess, one after another (seats do not matter for them); None where a school cannot be filled."""
        key = ("first", tuple(sorted(states.items())), tuple(sorted(beds.items())))
        if key not in self.memo:
            self.memo[key] = self.levels(states, beds)
        return self.memo[key]

    def levels(self, states, beds):
        upper, low, high = self.bounds(states, beds)
        low, high = np.concatenate([low, [-np.inf] * 3]), np.concatenate([high, [np.inf] * 3])
        found = []
        for i, cost in enumerate(self.costs.values()):
            if found and self.zero(cost, upper):
                found.append(0.0)
                continue
            value = solved(cost, self.matrix, low, high, upper)
            if value is None:
                return None
            found.append(max(value, 0.0))
            high[len(high) - 3 + i] = slack(found[-1])
        return tuple(found)

    def zero(self, cost, upper):
        return not (cost * upper).any()

    def money(self, states):
        small = np.array([bool({"small", "village"} & set(PARTS[states.get(f[2], "")])) and f[1] != "junior" for f in self.flows], bool)
        return np.concatenate([self.moded - self.child * small * self.c.s["fund.per_pupil.primary"], np.zeros(self.d)]) / MONEY

    def held(self, states, beds):
        upper, low, high = self.bounds(states, beds)
        first = self.first(states, beds)
        return upper, np.concatenate([low, [-np.inf] * 3]), np.concatenate([high, [slack(x) for x in first]])

    def cheapest(self, states, beds):
        """Least money of flows where no class is ever missing: a bound."""
        key = ("cheap", tuple(sorted(states.items())), tuple(sorted(beds.items())))
        if key not in self.memo:
            upper, low, high = self.held(states, beds)
            cost = self.money(states)
            self.memo[key] = solved(cost, self.matrix, low, high, upper) if cost.any() else 0.0
        return self.memo[key]

    def seated(self, states, beds, rooms, loose=frozenset()):
        """Least children above the standard in given rooms, over all ways to form classes; and with that the least money of flows."""
        key = ("seated", tuple(sorted(states.items())), tuple(sorted(beds.items())), tuple(sorted(rooms.items())), loose)
        if key not in self.memo:
            self.memo[key] = self.seats(states, beds, rooms, self.drop | loose)
        return self.memo[key]

    def mixing(self, states, rooms):
        """Say at which small schools grades may sit together in these rooms."""
        c = self.c
        here = [("S", "", c.school["grades"], c.school["rooms"])] * c.school["small"]
        here += [(s, kind, grades, 0) for s, state in states.items() for kind, grades in kinds_of(state) if kind == "small"]
        return [rooms[s, kind] + many < len(grades) for s, kind, grades, many in here]

    def covers(self, states, rooms, fewer):
        """Say whether whatever classes fit the fewer rooms fit these."""
        return all(rooms[k] >= n for k, n in fewer.items()) and self.mixing(states, rooms) == self.mixing(states, fewer)

    def seats(self, states, beds, rooms, drop):
        c = self.c
        groups = [("S", c.school["grades"], c.school["rooms"] + rooms["S", ""], c.school["small"], 0)]
        groups += [(s, grades, rooms[s, kind], kind == "small", 1) for s, state in states.items() for kind, grades in kinds_of(state)]
        missing = []
        for s, grades, many, small, must in groups:
            here = self.open(states) * np.array([f[2] == s for f in self.flows])
            most = (self.load * here[:, None]).sum(axis=0)
            cuts = c.cuts(grades, many, small, must, self.year, drop)
            if not cuts:
                return None
            if "classes" not in self.drop and not any(all(sum(most[g - 1] for g in gs) <= n for gs, n in cut.items()) for cut in cuts):
                missing.append((s, cuts))
        upper, low, high = self.held(states, beds)
        if not missing:
            return 0.0, lambda: self.cheapest(states, beds)
        width = self.n + self.d
        binaries = [len(cuts) if len(cuts) > 1 else 0 for _, cuts in missing]
        columns = width + len(missing) + sum(binaries)
        rows, least, most = [], [], []
        at, choices = width + len(missing), []
        for i, (s, cuts) in enumerate(missing):
            here = np.array([f[2] == s for f in self.flows])
            for p, cut in enumerate(cuts):
                for some in itertools.chain.from_iterable(itertools.combinations(cut, r) for r in range(1, len(cut) + 1)):
                    row = np.zeros(columns)
                    row[: self.n] = self.load[:, [g - 1 for gs in some for g in gs]].sum(axis=1) * here
                    row[width + i] = -1.0
                    seats = sum(cut[gs] for gs in some)
                    if binaries[i]:
                        spare = max(row[: self.n][row[: self.n] > 0].sum() - seats, 0.0)
                        row[at + p] = spare
                        seats += spare
                    rows.append(row)
                    least.append(-np.inf)
                    most.append(seats)
            if binaries[i]:
                row = np.zeros(columns)
                row[at : at + len(cuts)] = 1.0
                choices.append(range(at, at + len(cuts)))
                rows.append(row)
                least.append(1.0)
                most.append(1.0)
                at += len(cuts)
        wide = np.concatenate([self.matrix, np.zeros((len(self.matrix), columns - width))], axis=1)
        above = np.zeros(columns)
        above[width : width + len(missing)] = 1.0
        matrix = np.concatenate([wide, np.array(rows), above[None, :]])
        low, high = np.concatenate([low, least, [-np.inf]]), np.concatenate([high, most, [np.inf]])
        upper = np.concatenate([upper, np.full(len(missing), np.inf), np.ones(sum(binaries))])
        over = solved(above, matrix, low, high, upper, choices)
        money = np.concatenate([self.money(states), np.zeros(columns - width)])

        @cache
        def flows():
            if not money.any():
                return 0.0
            for loose in (1.0, 10.0):
                high[-1] = over + loose * (slack(over) - over)
                found = solved(money, matrix, low, high, upper, choices)
                if found is not None:
                    break
            return found

        return max(over, 0.0), flows


def slack(value):
    """Hold a level while the next one is solved: rounding error only."""
    return value + 1e-6 * max(1.0, abs(value))


def solved(cost, matrix, low, high, upper, choices=()):
    """Return the least value, or None where nothing meets the rows; of the columns of each choice one is chosen."""
    whole = np.zeros(len(cost), int)
    for columns in choices:
        whole[columns] = 1
    found = milp(cost, integrality=whole, bounds=Bounds(0.0, upper), constraints=LinearConstraint(matrix, low, high), options={"mip_rel_gap": 0.0})
    if found.status == 0 or not choices:
        assert found.status in (0, 2), found.message
        return float(found.fun) if found.status == 0 else None
    # the search with whole columns now and then loses its way: every choice is tried
    best = None
    for chosen in itertools.product(*choices):
        lower, most = np.zeros(len(cost)), upper * (whole == 0)
        lower[list(chosen)] = most[list(chosen)] = 1.0
        found = milp(cost, bounds=Bounds(lower, most), constraints=LinearConstraint(matrix, low, high))
        assert found.status in (0, 2), found.message
        if found.status == 0 and (best is None or found.fun < best):
            best = float(found.fun)
    return best


class Search:
    """All plans of a county, the best bound first."""

    def __init__(self, county, drop):
        self.c, self.drop = county, drop
        self.t = range(len(county.years))
        self.people = [Year(county, t, drop) for t in self.t]
        self.budget = {} if "budget" in drop else county.budget

    def ready(self, what, year):
        return "lead" in self.drop or year >= self.c.first[what]

    def rising(self, seq):
        return "stays" in self.drop or all(a <= b for a, b in itertools.pairwise(seq))

    def states(self, site, t):
        c = self.c
        if "lead" not in self.drop and c.years[t] < c.sites[site]["first"]:
            return ("",)
        known = set(c.sites[site]["states"])
        if "parts" in self.drop:
            known |= {"vi"} & {"vi" if "sp" in known else ""} | {"tpjr" if {"tp", "jr"} <= known else ""} | {"spjr" if {"sp", "jr"} <= known else ""}
        return tuple(s for s in PARTS if s in known and self.rooms_fit(s))

    def rooms_fit(self, state):
        return "rooms" in self.drop or sum(self.c.least_rooms(*k) for k in kinds_of(state)) <= self.c.s["site.new_rooms.max"]

    def patterns(self):
        """Openings of all years that keep their order."""
        runs = []
        for site in self.c.sites:
            options = itertools.product(*(self.states(site, t) for t in self.t))
            runs.append([o for o in options if "stays" in self.drop or all(set(PARTS[a]) <= set(PARTS[b]) for a, b in itertools.pairwise(o))])
        for combo in itertools.product(*runs):
            last = {site: seq[-1] for site, seq in zip(self.c.sites, combo, strict=True)}
            if all(last[s] for s in self.c.must) and (self.c.most is None or sum(map(bool, last.values())) <= self.c.most):
                yield tuple({site: seq[t] for site, seq in zip(self.c.sites, combo, strict=True)} for t in self.t)

    def bed_runs(self, states):
        """Beds of all years: S and sites, those that are added counted from zero; the most first."""
        c, most = self.c, int(self.c.s["site.beds.max"])
        each = []
        for s in c.places:
            can = []
            for t in self.t:
                if s == "S":
                    grows = c.school["may_grow_beds"] and self.ready("beds", c.years[t])
                else:
                    grows = c.sites[s]["beds"] and {"primary", "junior"} & set(PARTS[states[t][s]])
                can.append(range(most + 1) if grows and "beds" not in self.drop else (0,))
            each.append([seq for seq in itertools.product(*can) if self.rising(seq)])
        out = [tuple({s: seq[t] for s, seq in zip(c.places, combo, strict=True)} for t in self.t) for combo in itertools.product(*each)]
        return sorted(out, key=lambda beds: -sum(sum(b.values()) for b in beds))

    def room_runs(self, states):
        """Rooms of all years by school and kind, each with its cost."""
        c, out = self.c, []
        grow = [range(c.school["more"] + 1) if self.ready("rooms", y) else (0,) for y in c.years]
        spend = c.room(c.school["small"], c.school["grades"])
        out.append([(("S", ""), seq, spend) for seq in itertools.product(*grow) if self.rising(seq)])
        for site in c.sites:
            for kind in sorted({kind for t in self.t for kind, _ in kinds_of(states[t][site])}):
                can = []
                for t in self.t:
                    grades = dict(kinds_of(states[t][site])).get(kind)
                    least = 0 if grades is None or "rooms" in self.drop else c.least_rooms(kind, grades)
                    most = (
                        0
                        if grades is None or self.drop & {"rooms", "classes"}
                        else min(c.most_rooms(kind, grades, self.drop), int(c.s["site.new_rooms.max"]))
                    )
                    can.append(range(least, max(most, least) + 1))
                spend = c.room(kind == "small", TAUGHT["junior"] if kind == "jr" else TAUGHT["primary"])
                out.append([((site, kind), seq, spend) for seq in itertools.product(*can) if self.rising(seq)])
        return out

    def room_plans(self, states, most=np.inf):
        """All rooms of all years with their money, at most so much, the cheapest first."""
        runs = self.room_runs(states)
        worth = [[sum(w * n for w, n in zip(self.c.weights, seq, strict=True)) * spend[1] / MONEY for _, seq, spend in each] for each in runs]
        floor = sum(min(w) for w in worth)
        runs = [[(m, *r) for m, r in zip(w, each, strict=True) if floor - min(w) + m <= most] for w, each in zip(worth, runs, strict=True)]
        out = []
        cap = np.inf if "rooms" in self.drop else self.c.s["site.new_rooms.max"]
        for combo in itertools.product(*runs):
            money = sum(c[0] for c in combo)
            if money > most:
                continue
            rooms = tuple({key: seq[t] for _, key, seq, _ in combo} for t in self.t)
            if all(sum(n for (s, _), n in r.items() if s == site) <= cap for r in rooms for site in self.c.sites):
                out.append((money, len(out), rooms))
        return sorted(out, key=lambda p: p[:2])

    def standing(self, states, beds):
        """Money over all years of sites and beds, in ten thousand yuan, with the floor of small schools."""
        c, total = self.c, 0.0
        floor = c.s["fund.small_floor"] * c.s["fund.per_pupil.primary"]
        site = c.s["cost.build.site"] * c.crf(c.s["cost.life.building"])
        for w, state, bed in zip(c.weights, states, beds, strict=True):
            total += w * sum(site + floor * ("small" in PARTS[s]) for s in state.values() if s)
            total += w * sum(n * c.bed(c.school["grades"] if s == "S" else c.full_grades(s))[1] for s, n in bed.items() if n)
        return total / MONEY

    def affordable(self, states, beds, rooms):
        """Say whether what each year invests keeps to its budget: what stood the year before counts against it."""
        c, before = self.c, 0.0
        for t, year in enumerate(c.years):
            stock = sum(c.s["cost.build.site"] for s in states[t].values() if s)
            stock += sum(n * c.bed(c.school["grades"] if s == "S" else c.full_grades(s))[0] for s, n in beds[t].items() if n)
            for (s, kind), n in rooms[t].items():
                grades = c.school["grades"] if s == "S" else TAUGHT["junior"] if kind == "jr" else TAUGHT["primary"]
                stock += n * c.room(c.school["small"] if s == "S" else kind == "small", grades)[0]
            if year in self.budget and stock - before > self.budget[year] + 1e-3:
                return False
            before = stock
        return True

    def all_beds(self, beds):
        return {s: n + (self.c.school["beds"] if s == "S" else 0) for s, n in beds.items()}

    def over_years(self, states, beds, what):
        values = [getattr(self.people[t], what)(states[t], self.all_beds(beds[t])) for t in self.t]
        if any(v is None for v in values):
            return None
        return np.array([w * np.atleast_1d(v) for w, v in zip(self.c.weights, values, strict=True)]).sum(axis=0)

    def optimum(self):
        kept = self.best_first_levels()
        if not kept:
            return None
        first = kept[0][0]
        kept = [(states, beds) for _, states, beds in kept]
        if "rooms" in self.drop or "classes" in self.drop:
            above, kept = 0.0, [(0.0, *k) for k in kept]
        else:
            above, kept = self.least_above(kept)
        return (*first, above, self.least_money(kept, above) * MONEY)

    def best_first_levels(self):
        """All openings and beds with the least none, beyond and excess; the bound of a pattern is what the most beds give."""
        bounds = []
        for states in self.patterns():
            runs = self.bed_runs(states)
            found = self.over_years(states, runs[0], "first")
            if found is not None:
                bounds.append((tuple(found), len(bounds), states, runs))
        best, kept = None, []
        for bound, _, states, runs in sorted(bounds, key=lambda b: b[:2]):
            if best is not None and less(best, bound):
                continue
            for beds in runs:
                if self.budget and not any(self.affordable(states, beds, rooms) for _, _, rooms in self.room_plans(states)):
                    continue
                found = self.over_years(states, beds, "first") if beds is not runs[0] else bound
                if found is None:
                    continue
                value = tuple(found)
                if best is None or less(value, best):
                    best, kept = value, []
                if not less(best, value):
                    kept.append((value, states, beds))
        return kept

    def by_key(self, states):
        return [(each[0][0], [seq for _, seq, _ in each]) for each in self.room_runs(states)]

    def least_above(self, kept):
        """Least children above the standard: the most rooms bound a pattern, then rooms from the most down."""
        bounds = []
        for states, beds in kept:
            most = tuple({key: max(s[t] for s in seqs) for key, seqs in self.by_key(states)} for t in self.t)
            found = self.above(states, beds, most, LOOSE)
            if found is not None:
                bounds.append((found, len(bounds), states, beds))
        bounds.sort(key=lambda b: b[:2])
        best = None
        for bound, _, states, beds in bounds:
            if best is not None and bound > best - SAME:
                break
            tried = []
            for _, _, rooms in sorted(self.room_plans(states), key=lambda p: (-sum(sum(r.values()) for r in p[2]), p[1])):
                if best is not None and bound > best - SAME:
                    break
                if any(all(self.people[t].covers(states[t], r[t], rooms[t]) for t in self.t) for r in tried):
                    continue
                if self.budget and not self.affordable(states, beds, rooms):
                    continue
                tried.append(rooms)
                value = self.above(states, beds, rooms)
                if value is not None and (best is None or value < best):
                    best = value
        return best, [(b, s, d) for b, _, s, d in bounds if b <= best + SAME]

    def above(self, states, beds, rooms, loose=frozenset()):
        found = [self.people[t].seated(states[t], self.all_beds(beds[t]), rooms[t], loose) for t in self.t]
        return None if any(f is None for f in found) else sum(w * f[0] for w, f in zip(self.c.weights, found, strict=True))

    def least_money(self, kept, above):
        order = []
        for bound, states, beds in kept:
            fixed = self.standing(states, beds) + float(self.over_years(states, beds, "cheapest")[0])
            rooms = sum(
                min(sum(w * n for w, n in zip(self.c.weights, seq, strict=True)) for _, seq, _ in each) * each[0][2][1]
                for each in self.room_runs(states)
            )
            order.append((fixed + rooms / MONEY, len(order), fixed, bound, states, beds))
        best = np.inf
        for least, _, fixed, bound, states, beds in sorted(order, key=lambda o: o[:2]):
            if least >= best - 1e-7:
                break
            best = min(best, self.cheapest_rooms(states, beds, fixed, bound, above, best))
        return best

    def cheapest_rooms(self, states, beds, fixed, bound, above, best):
        c, free = self.c, self.drop & {"rooms", "classes"}
        most = tuple({key: max(s[t] for s in seqs) for key, seqs in self.by_key(states)} for t in self.t)
        full = [0.0 if free else self.people[t].seated(states[t], self.all_beds(beds[t]), most[t], LOOSE)[0] for t in self.t]
        failed = [[] for _ in self.t]
        for money, _, rooms in self.room_plans(states, best - fixed):
            if money + fixed >= best - 1e-7:
                break
            if self.budget and not self.affordable(states, beds, rooms):
                continue
            # what is missing in too few rooms is missing in fewer
            if any(self.people[t].covers(states[t], bad, rooms[t]) for t in self.t for bad in failed[t]):
                continue
            if free:
                best = min(best, money + fixed)
                break
            value, spent = 0.0, 0.0
            for t in self.t:
                found = self.people[t].seated(states[t], self.all_beds(beds[t]), rooms[t])
                if found is None or c.weights[t] * (found[0] - full[t]) + bound > above + SAME:
                    failed[t].append(rooms[t])
                    value = np.inf
                    break
                value += c.weights[t] * found[0]
            if value > above + SAME:
                continue
            spent = sum(c.weights[t] * self.people[t].seated(states[t], self.all_beds(beds[t]), rooms[t])[1]() for t in self.t)
            best = min(best, money + self.standing(states, beds) + spent)
        return best
