"""A second, slow way to plan tiny counties: every pattern of openings, rooms, classes and beds is tried; only people are shared out by linear programs.

It shares nothing with the package but the figures of the standards: rules are written anew from the text of ``propose``.
"""

import itertools

import numpy as np
from scipy.optimize import linprog

BAND = {g: band for band, gs in {"lower": (1, 2, 3), "upper": (4, 5, 6), "junior": (7, 8, 9)}.items() for g in gs}
GRADES = {"": (), "tp": (1, 2, 3), "sp": (1, 2, 3, 4, 5, 6), "pr": (1, 2, 3, 4, 5, 6), "jr": (7, 8, 9), "nine": (1, 2, 3, 4, 5, 6, 7, 8, 9)}
ROLE = {"tp": "teaching_point", "sp": "small_primary", "pr": "primary", "jr": "junior", "nine": "nine_year"}
# what a site may be later, if it is this now
LATER = {"": ("", "tp", "sp", "pr", "jr", "nine"), "tp": ("tp", "sp"), "sp": ("sp",), "pr": ("pr", "nine"), "jr": ("jr", "nine"), "nine": ("nine",)}
SAME = 1e-6


class Tiny:
    """A county of one school S (existing) and two sites: numbers only."""

    def __init__(self, *, pupils, walk, week, school, sites, years, weights, standards, first_school, first_rooms, first_beds, budget):
        self.pupils, self.walk, self.week = pupils, walk, week  # (year, village, grade) -> n; (village, site, band) -> minutes
        self.school, self.sites, self.years, self.weights = school, sites, years, weights
        self.s, self.first = standards, {"school": first_school, "rooms": first_rooms, "beds": first_beds}
        self.budget = budget
        self.villages = sorted({v for _, v, _ in pupils})
        self.cache = {}

    # ---- figures

    def size(self, small, grade, year):
        key = "class_size.design.primary_incomplete" if small else f"class_size.yzjh.{'junior' if grade > 6 else 'primary'}.max"
        n = int(self.s.rules[key].value)
        stage = "primary_incomplete" if small else "junior" if grade > 6 else "primary"
        return min([n, *(st.pupils for st in self.s.steps if st.stage == stage and st.from_year <= year)])

    def crf(self, life):
        r = self.s["cost.rate"]
        return r * (1 + r) ** life / ((1 + r) ** life - 1)

    def room(self, kind):
        """Investment and money a year of a room; ``kind`` is small, pr or jr, or that of the school with its grades."""
        small, grades = kind
        base = {
            g: int(self.s.rules["class_size.design.primary_incomplete" if small else f"class_size.yzjh.{'junior' if g > 6 else 'primary'}.max"].value)
            for g in grades
        }
        area = np.mean([base[g] * self.s["floor.junior" if g > 6 else "floor.primary"] for g in grades])
        build = area * self.s["cost.build.day"]
        staff = self.s["staff.small_school.per_class"] * self.s["staff.post.yuan"] if small else 0.0
        return build, build * self.crf(self.s["cost.life.building"]) + staff

    def bed(self, grades):
        build = self.s["floor.boarding.junior" if max(grades) > 6 else "floor.boarding.primary"] * self.s["cost.build.boarding"]
        return build, build * self.crf(self.s["cost.life.building"])

    # ---- options

    def room_kinds(self, state):
        """Kinds of rooms of a new school: small or full primary, junior."""
        out = []
        if state in ("tp", "sp"):
            out.append(("small", GRADES[state]))
        if state in ("pr", "nine"):
            out.append(("pr", GRADES["pr"]))
        if state in ("jr", "nine"):
            out.append(("jr", GRADES["jr"]))
        return out

    def cuts(self, grades, rooms, small, must):
        """All ways to form classes in so many rooms: lists of (grades, classes); only those that no other holds more than."""
        loaded = [g for g in grades if any(self.pupils.get((y, v, g), 0) for y in self.years for v in self.villages)]
        most = int(self.s["class_size.mixed.max_grades"]) if small else 1
        found = []

        def split(rest):
            if not rest:
                yield []
            for n in range(1, min(most, len(rest)) + 1):
                for tail in split(rest[n:]):
                    yield [tuple(rest[:n]), *tail]

        for parts in split(list(grades)):
            single = [p for p in parts if len(p) == 1]
            runs = [p for p in parts if len(p) > 1]
            free = rooms - len(runs) - (len(single) if must else 0)
            if free < 0:
                continue
            wanted = [p for p in single if p[0] in loaded]
            top = {p: -(-sum(max(self.pupils.get((y, v, p[0]), 0) for y in self.years) for v in self.villages) // 1) for p in wanted}
            for extra in itertools.product(*(range(min(free, int(top[p])) + 1) for p in wanted)):
                if sum(extra) <= free and (sum(extra) == free or all(e == min(free, int(top[p])) for e, p in zip(extra, wanted, strict=False))):
                    counts = {p: (1 if must else 0) for p in single}
                    for p, e in zip(wanted, extra, strict=False):
                        counts[p] += e
                    found.append([*((r, 1) for r in runs), *counts.items()])
        if not found and not must:
            found = [[((g,), 0) for g in grades]]
        return found

    def least_rooms(self, kind, grades):
        if kind != "small":
            return len(grades)
        most = int(self.s["class_size.mixed.max_grades"])
        return -(-len([g for g in grades if g <= 3]) // most) if max(grades) <= 3 else -(-6 // most)

    # ---- one year

    def flows(self, t, states):
        year, school = self.years[t], self.school
        out = []
        for v in self.villages:
            for band in ("lower", "upper", "junior"):
                n = {g: self.pupils.get((year, v, g), 0) for g in BAND if BAND[g] == band}
                if not sum(n.values()):
                    continue
                near = False
                if any(g in school["grades"] for g in n):
                    m = self.walk.get((v, "S", band))
                    near = m is not None and m <= self.s.limit("walk", band)
                for site, state in (("S", None), *states.items()):
                    grades = school["grades"] if site == "S" else GRADES[state]
                    if not any(g in grades for g in n):
                        continue
                    m = self.walk.get((v, site, band))
                    if m is not None:
                        out.append((v, band, site, "walk", m, max(m - self.s.limit("walk", band), 0.0)))
                    boards = school["boards"] if site == "S" else state in ("pr", "jr", "nine")
                    w = self.week.get((v, site, band))
                    if boards and band != "lower" and w is not None and w <= self.s["travel.limit.week"] and not (band == "upper" and near):
                        out.append((v, band, site, "board", w, 0.0))
        return out

    def first_levels(self, t, states, beds):
        """Least (none, beyond, excess) of a year: seats do not matter for them."""
        key = ("first", t, tuple(sorted(states.items())), tuple(sorted(beds.items())))
        if key not in self.cache:
            self.cache[key] = self.solve_year(t, states, beds, None, {}, ("none", "beyond", "excess"))
        return self.cache[key]

    def solve_year(self, t, states, beds, seats, held, levels):
        """Least of some levels of a year, one after another, with others held; seats: site -> list of (grades, classes), None: unbounded."""
        year = self.years[t]
        flows = self.flows(t, states)
        demand = sorted({(v, BAND[g]) for (y, v, g), n in self.pupils.items() if y == year and n})
        total = {d: sum(self.pupils.get((year, d[0], g), 0) for g in BAND if BAND[g] == d[1]) for d in demand}
        units = [(s, gs, c) for s, each in (seats or {}).items() for gs, c in each]
        n = len(flows) + len(demand) + len(units)
        index = {d: i for i, d in enumerate(demand)}
        equal = np.zeros((len(demand), n))
        for j, f in enumerate(flows):
            equal[index[f[0], f[1]], j] = 1
        equal[np.arange(len(demand)), len(flows) + np.arange(len(demand))] = 1
        rows, high = [], []

        def row(values, most):
            rows.append(values)
            high.append(most)

        def load(site, test):
            return np.array([total[f[0], f[1]] * (f[2] == site and test(f)) for f in flows] + [0.0] * (n - len(flows)))

        for i, (s, gs, c) in enumerate(units):
            small = self.school["small"] if s == "S" else states[s] in ("tp", "sp")
            each = self.s["class_size.mixed.max_pupils"] if len(gs) > 1 else self.size(small, gs[0], year)
            values = np.array(
                [sum(self.pupils.get((year, f[0], g), 0) for g in gs if BAND[g] == f[1]) * (f[2] == s) for f in flows] + [0.0] * (n - len(flows)),
                float,
            )
            values[len(flows) + len(demand) + i] = -1
            row(values, c * each)
        for s in ("S", *states):
            row(load(s, lambda f: f[3] == "board"), beds[s])
        school = self.school
        both = min(school["grades"]) <= 6 and max(school["grades"]) > 6
        cap = max(
            self.s["size.max.nine_year" if both else "size.max.primary_junior"],
            school["rooms"] * max(self.size(school["small"], g, 0) for g in school["grades"]),
        )
        row(load("S", lambda f: True), cap)
        least = {r: self.s[f"layout.min_pupils.{ROLE[r]}"] for r in ("tp", "sp", "pr", "jr")}
        for s, state in states.items():
            if not state:
                continue
            caps = {"tp": "layout.small_school.max", "sp": "layout.small_school.max", "nine": "size.max.nine_year"}
            row(load(s, lambda f: True), self.s[caps.get(state, "size.max.primary_junior")])
            if state != "jr":
                row(-load(s, lambda f: f[1] != "junior" and f[3] != "board"), -least["pr" if state == "nine" else state])
            if state in ("jr", "nine"):
                row(-load(s, lambda f: f[1] == "junior"), -least["jr"])
        small_here = np.array([states.get(f[2], "") in ("tp", "sp") for f in flows], float)
        child = np.array([total[f[0], f[1]] for f in flows], float)
        pad = np.zeros(n - len(flows))
        costs = {
            "none": np.concatenate([np.zeros(len(flows)), [total[d] for d in demand], np.zeros(len(units))]),
            "beyond": np.concatenate([child * np.array([f[5] > 0 for f in flows]), pad]),
            "excess": np.concatenate([child * np.array([f[5] for f in flows]), pad]),
            "above": np.concatenate([np.zeros(len(flows) + len(demand)), np.ones(len(units))]),
            "money": np.concatenate(
                [
                    child
                    * (np.array([f[3] == "board" for f in flows]) * self.s["fund.boarder_extra"] - small_here * self.s["fund.per_pupil.primary"]),
                    pad,
                ]
            )
            / 1e4,
        }
        for name, most in held.items():
            row(costs[name], most + 1e-6 * max(1.0, abs(most)))
        found = []
        for name in levels:
            answer = linprog(costs[name], A_ub=np.array(rows), b_ub=high, A_eq=equal, b_eq=np.ones(len(demand)), bounds=(0, None), method="highs")
            if answer.status != 0:
                return None
            found.append(answer.fun)
            row(costs[name], answer.fun + 1e-6 * max(1.0, abs(answer.fun)))
        return tuple(found)

    # ---- all years

    def site_states(self, site, t):
        if self.years[t] < max(self.first["school"], self.sites[site]["first"]):
            return ("",)
        # what all children of the last year together could not fill is never open: open stays open
        last = [(BAND[g], n) for (y, _, g), n in self.pupils.items() if y == self.years[-1]]
        primary, junior = (sum(n for b, n in last if (b == "junior") == j) for j in (False, True))
        lower = sum(n for b, n in last if b == "lower")
        least = {r: self.s[f"layout.min_pupils.{ROLE[r]}"] for r in ("tp", "sp", "pr", "jr")}
        can = {"": True, "tp": lower >= least["tp"], "sp": primary >= least["sp"], "pr": primary >= least["pr"], "jr": junior >= least["jr"]}
        can["nine"] = can["pr"] and can["jr"]
        # a teaching point may be on the way to a small primary school
        can["tp"] = can["tp"] or can["sp"]
        most = self.s["site.new_rooms.max"]
        can = {s: ok and sum(self.least_rooms(kind, grades) for kind, grades in self.room_kinds(s)) <= most for s, ok in can.items()}
        return tuple(s for s in self.sites[site]["states"] if can[s])

    def patterns(self):
        """Openings and beds of all years that keep their order: ((states, beds) by year)."""
        names = list(self.sites)
        years = range(len(self.years))
        runs = []
        for site in names:
            options = [
                seq
                for seq in itertools.product(*(self.site_states(site, t) for t in years))
                if all(b in LATER[a] for a, b in itertools.pairwise(seq))
            ]
            runs.append(options)
        most = int(self.s["site.beds.max"])
        school_beds = [0] if not self.school["may_grow_beds"] else range(most + 1)
        bed_runs = [
            seq
            for seq in itertools.product(*(school_beds if self.years[t] >= self.first["beds"] else [0] for t in years))
            if all(a <= b for a, b in itertools.pairwise(seq))
        ]
        for seqs in itertools.product(*runs):
            # beds of new schools
            new = []
            for site, seq in zip(names, seqs, strict=False):
                can = [range(most + 1) if self.sites[site]["beds"] and seq[t] in ("pr", "jr", "nine") else [0] for t in years]
                new.append([b for b in itertools.product(*can) if all(x <= y for x, y in itertools.pairwise(b))])
            for more in bed_runs:
                for each in itertools.product(*new):
                    states = [{site: seq[t] for site, seq in zip(names, seqs, strict=False)} for t in years]
                    beds = [{"S": self.school["beds"] + more[t], **{site: b[t] for site, b in zip(names, each, strict=False)}} for t in years]
                    yield states, beds

    def room_options(self, states):
        """Rooms of all years: S's added rooms and each new school's rooms by kind, rising."""
        years = range(len(self.years))
        out = []
        grow = [range(self.school["more"] + 1) if self.years[t] >= self.first["rooms"] else [0] for t in years]
        out.append([("S", "", seq) for seq in itertools.product(*grow) if all(a <= b for a, b in itertools.pairwise(seq))])
        for site in self.sites:
            kinds = sorted({kind for t in years for kind, _ in self.room_kinds(states[t][site])})
            for kind in kinds:
                can = []
                for t in years:
                    grades = dict(self.room_kinds(states[t][site])).get(kind)
                    if grades is None:
                        can.append([0])
                        continue
                    small = kind == "small"
                    need = sum(
                        max(
                            1,
                            -(
                                -max(sum(self.pupils.get((y, v, g), 0) for v in self.villages) for y in self.years)
                                // min(self.size(small, g, y) for y in self.years)
                            ),
                        )
                        for g in grades
                    )
                    least = self.least_rooms(kind, grades)
                    can.append(range(least, min(max(need, least), int(self.s["site.new_rooms.max"])) + 1))
                out.append([(site, kind, seq) for seq in itertools.product(*can) if all(a <= b for a, b in itertools.pairwise(seq))])
        for combo in itertools.product(*out):
            rooms = [{(site, kind): seq[t] for site, kind, seq in combo} for t in years]
            most = self.s["site.new_rooms.max"]
            if all(sum(n for (s, _), n in r.items() if s == site) <= most for r in rooms for site in self.sites):
                yield rooms

    def fixed_money(self, states, beds, rooms):
        """Money over all years without what depends on who goes where, in ten thousand yuan; and the investment by year in yuan."""
        total, spent, before = 0.0, [], None
        site_build = self.s["cost.build.site"]
        floor = self.s["fund.small_floor"] * self.s["fund.per_pupil.primary"]
        small = self.school["small"]
        for t, w in enumerate(self.weights):
            stock = {}
            for site, state in states[t].items():
                if state:
                    stock[site, "site"] = (
                        1,
                        site_build,
                        site_build * self.crf(self.s["cost.life.building"]) + (floor if state in ("tp", "sp") else 0.0),
                    )
                if state:
                    stock[site, "bed"] = (beds[t][site], *self.bed(self.full_grades(site)))
                for kind, _ in self.room_kinds(state):
                    stock[site, kind] = (rooms[t][site, kind], *self.room((kind == "small", self.sites[site]["kind_grades"][kind])))
            stock["S", "room"] = (rooms[t]["S", ""], *self.room((small, self.school["grades"])))
            stock["S", "bed"] = (beds[t]["S"] - self.school["beds"], *self.bed(self.school["grades"]))
            total += w * sum(n * year for n, _, year in stock.values())
            built = {k: n * build for k, (n, build, _) in stock.items()}
            spent.append(sum(built.values()) - (sum(before.values()) if before else 0.0))
            before = built
        return total / 1e4, spent

    def full_grades(self, site):
        """Grades that a full school at a site could have: a junior part only where enough children of the last year can come."""
        come = {
            v for v in self.villages if (v, site, "junior") in self.walk or self.week.get((v, site, "junior"), np.inf) <= self.s["travel.limit.week"]
        }
        junior = sum(n for (y, v, g), n in self.pupils.items() if y == self.years[-1] and g > 6 and v in come)
        return (7, 8, 9) if junior >= self.s["layout.min_pupils.junior"] else (1, 2, 3, 4, 5, 6)

    def affordable(self, spent):
        return all(s <= self.budget[y] + SAME for y, s in zip(self.years, spent, strict=False) if y in self.budget)

    def seatings(self, states, rooms):
        """All ways to form classes in the rooms of a year."""
        each = [[("S", c) for c in self.cuts(self.school["grades"], self.school["rooms"] + rooms["S", ""], self.school["small"], False)]]
        for site, state in states.items():
            for kind, grades in self.room_kinds(state):
                each.append([(site, c) for c in self.cuts(grades, rooms[site, kind], kind == "small", True)])
        for combo in itertools.product(*each):
            seats = {}
            for site, cut in combo:
                seats.setdefault(site, []).extend(cut)
            yield seats

    def best_year(self, t, states, beds, rooms):
        """Least (none, beyond, excess, above, money of flows) of a year in given rooms, over all ways to form classes."""
        key = ("best", t, tuple(sorted(states.items())), tuple(sorted(beds.items())), tuple(sorted(rooms.items())))
        if key not in self.cache:
            first = self.first_levels(t, states, beds)
            best = None
            if first is not None:
                held = dict(zip(("none", "beyond", "excess"), first, strict=False))
                each = []
                for n, seats in enumerate(self.seatings(states, rooms)):
                    found = self.solve_year(t, states, beds, seats, held, ("above",))
                    if found is not None:
                        each.append((found[0], n, seats))
                    if found is not None and found[0] <= SAME and "money" not in self.flow_levels(t, states, beds):
                        break
                least = min(each)[0]
                ties = [seats for above, _, seats in each if above <= least + 1e-5]
                money = [self.solve_year(t, states, beds, seats, {**held, "above": least}, ("money",)) for seats in ties]
                best = (*first, least, min(m[0] for m in money if m is not None))
            self.cache[key] = best
        return self.cache[key]

    def flow_levels(self, t, states, beds):
        """Say whether money depends on who goes where: boarders, or children of a new small school."""
        return ("money",) if any(beds.values()) or {"tp", "sp"} & set(states.values()) else ()

    def optimum(self):
        """Return the lexicographic optimum over all years: none, beyond, excess, above, money (yuan)."""
        first, kept = None, []
        for states, beds in self.patterns():
            years = [self.first_levels(t, states[t], beds[t]) for t in range(len(self.years))]
            if any(y is None for y in years):
                continue
            if self.budget:
                least = {
                    k: (0 if not k[1] else self.least_rooms(k[1], dict(self.room_kinds(states[t][k[0]]))[k[1]]))
                    for t in range(len(self.years))
                    for k in [("S", ""), *((s, kind) for s in states[t] for kind, _ in self.room_kinds(states[t][s]))]
                }
                rooms = [
                    {k: (least[k] if k[1] == "" or k[1] in dict(self.room_kinds(states[t][k[0]])) else 0) for k in least}
                    for t in range(len(self.years))
                ]
                if not self.affordable(self.fixed_money(states, beds, rooms)[1]):
                    continue
            value = tuple(round(sum(w * y[i] for w, y in zip(self.weights, years, strict=False)), 4) for i in range(3))
            if first is None or value < first:
                first, kept = value, []
            if value == first:
                kept.append((states, beds))
        plans = []
        for states, beds in kept:
            for rooms in self.room_options(states):
                money, spent = self.fixed_money(states, beds, rooms)
                if self.affordable(spent):
                    plans.append((money, len(plans), states, beds, rooms))
        floor = -sum(w * self.s["fund.per_pupil.primary"] * 2 * self.s["layout.small_school.max"] for w in self.weights) / 1e4
        # children above the standard: most rooms first, then stop as soon as none are left
        least_above = None
        # without a budget only the most rooms of each pattern matter for that
        counts = {}
        for _, n, states, beds, rooms in plans:
            counts.setdefault(str((states, beds)), []).append((sum(sum(r.values()) for r in rooms), n))
        fullest = {n for each in counts.values() for total, n in each if self.budget or total == max(each)[0]}
        for _, n, states, beds, rooms in plans:
            if n not in fullest:
                continue
            if least_above is not None and least_above <= SAME:
                break
            years = [self.best_year(t, states[t], beds[t], rooms[t]) for t in range(len(self.years))]
            if all(y is not None for y in years):
                above = sum(w * y[3] for w, y in zip(self.weights, years, strict=False))
                least_above = above if least_above is None else min(least_above, above)
        best = None
        for money, _, states, beds, rooms in sorted(plans, key=lambda p: p[:2]):
            if best is not None and money + floor > best:
                break
            years = [self.best_year(t, states[t], beds[t], rooms[t]) for t in range(len(self.years))]
            if any(y is None for y in years) or sum(w * y[3] for w, y in zip(self.weights, years, strict=False)) > least_above + 1e-4:
                continue
            whole = money + sum(w * y[4] for w, y in zip(self.weights, years, strict=False))
            best = whole if best is None else min(best, whole)
        return (*first, least_above, best * 1e4)
