"""Judge a plan of a tiny county by counting: every rule of ``propose`` is looked at, every level is added up; nothing is searched for."""

import itertools

import pytest
from placement_oracle import BAND, PARTS, TAUGHT, Tiny, grades_of, kinds_of

SAME = 1e-4
KIND = {"": "", "small": "small", "primary": "pr", "junior": "jr"}


def plain(county, model, built):
    """Write a plan of the package as numbers by name: where people go, what stands."""
    sites = [s.school_id for s in model.sites]
    states = {frozenset(parts): state for state, parts in PARTS.items()}
    years = range(len(model.horizon.years))
    flows, demands = model.journeys.flows, model.journeys.demands
    going = {}
    for share, flow in zip(built.shares, flows.to_dict("records"), strict=True):
        d = demands.loc[flow["demand"]]
        if share > 0:
            key = (int(d["at"]), d["settlement_id"], d["band"], sites[flow["site"]], flow["mode"])
            going[key] = going.get(key, 0.0) + float(share)
    none = {(int(d["at"]), d["settlement_id"], d["band"]): float(n) for d, n in zip(demands.to_dict("records"), built.none, strict=True)}
    return {
        "going": going, "none": none,
        "states": [{**dict.fromkeys(county.sites, ""), **{s: states[frozenset(built.parts.get((k, t), ()))] for k, s in enumerate(sites) if s != "S"}} for t in years],
        "rooms": [{(sites[k], KIND[g]): n for (k, g, at), n in built.rooms.items() if at == t} for t in years],
        "beds": [{sites[k]: n for (k, at), n in built.beds.items() if at == t} for t in years],
        "classes": [{(sites[k], KIND[g]): dict(c.classes) for (k, g, at), c in built.classes.items() if at == t} for t in years],
    }  # fmt: skip


def judged(county: Tiny, plan):
    """Return none, beyond, excess, above and money (yuan) of a plan over all years, after looking at each rule (a) to (j)."""
    c, sums, spent = county, [0.0] * 5, []
    for t, (year, weight) in enumerate(zip(c.years, c.weights, strict=True)):
        children = {}
        for (y, v, g), n in c.pupils.items():
            if y == year and n:
                children.setdefault((v, BAND[g]), {})[g] = n
        going = {key[1:]: share for key, share in plan["going"].items() if key[0] == t}
        # (a) every child is somewhere, or counted as without a place
        for (v, band), grades in children.items():
            total = sum(share for (w, b, _, _), share in going.items() if (w, b) == (v, band)) + plan["none"][t, v, band]
            assert total == pytest.approx(1, abs=SAME), "(a)"
            sums[0] += weight * sum(grades.values()) * plan["none"][t, v, band]
        assert {(v, b) for v, b, _, _ in going} <= set(children) and min(going.values(), default=0) >= 0
        load = {}
        for (v, band, s, mode), share in going.items():
            children_here = share * sum(children[v, band].values())
            minutes, limit = _way(c, t, v, band, s, mode, plan["states"][t])
            sums[1] += weight * children_here * (minutes > limit)
            sums[2] += weight * children_here * max(minutes - limit, 0.0)
            sums[4] += weight * children_here * {"board": c.s["fund.boarder_extra"], "bus": c.rider()}.get(mode, 0.0)
            for g, n in children[v, band].items():
                load[s, g, mode] = load.get((s, g, mode), 0.0) + share * n
        sums[3] += weight * _classes(c, plan, t, load)
        _sizes(c, plan, t, load)
        sums[4] += weight * _standing(c, plan, t, load)
        spent.append(_stock(c, plan, t))
        # (j) what a year invests keeps to its budget
        if year in c.budget:
            assert spent[-1] - (spent[-2] if t else 0.0) <= c.budget[year] + 1, "(j)"
    _years(c, plan)
    return tuple(sums)


def _way(c, t, v, band, s, mode, states):
    """Return minutes and limit of a way, after looking at (b) and the grades of (h)."""
    year = c.years[t]
    grades = [g for g in BAND if BAND[g] == band and c.pupils.get((year, v, g), 0)]
    taught = c.school["grades"] if s == "S" else grades_of(states[s])
    assert set(grades) <= set(taught), "(b) a part that teaches them is open"
    full = [g for p in PARTS.get(states.get(s, ""), ()) if p in ("primary", "junior") for g in TAUGHT[p]]
    if mode == "seat":
        assert not v and (c.school["seat"] if s == "S" else c.sites[s]["seat"] and set(grades) <= set(full)), "(b) from the county seat to full parts"
        return 0.0, 0.0
    assert v
    if mode == "board":
        assert band != "lower", "(h) grades 1 to 3 never board"
        near = [m for kind, m in ((k, c.day[k].get((v, "S", band))) for k in ("walk", "bus")) if m is not None and m <= c.s.limit(kind, band)]
        assert not (band == "upper" and set(grades) <= set(c.school["grades"]) and near), "(h) grades 4 to 6 board only where no day way serves"
        assert c.school["boards"] if s == "S" else set(grades) <= set(full), "(b) boarders at full parts"
        return c.week[v, s, band], c.s["travel.limit.week"]
    walk = c.day["walk"].get((v, s, band))
    assert mode == "walk" or walk is None or walk > c.s.limit("walk", band), "who can walk does not ride"
    return c.day[mode][v, s, band], c.s.limit(mode, band)


def _classes(c, plan, t, load):
    """Return the children above the standard, after looking at (d), (e) and (f)."""
    year, above = c.years[t], 0.0
    kinds = [("S", "", c.school["grades"], c.school["small"])]
    kinds += [(s, kind, grades, kind == "small") for s, state in plan["states"][t].items() for kind, grades in kinds_of(state)]
    assert set(plan["classes"][t]) == {k[:2] for k in kinds}, "(d) classes of what is open"
    for s, kind, grades, small in kinds:
        formed, rooms = plan["classes"][t][s, kind], plan["rooms"][t].get((s, kind), 0) + (c.school["rooms"] if s == "S" else 0)
        assert sum(formed.values()) <= rooms, "(f) classes in rooms"
        in_class = sorted(g for gs, n in formed.items() for g in gs if n or s == "S")
        assert in_class == sorted(grades), "(f) each grade of a new school in a class, none in two"
        for gs, n in formed.items():
            pupils = sum(load.get((s, g, m), 0.0) for g in gs for m in ("walk", "bus", "board", "seat"))
            if len(gs) > 1:
                neighbours = list(grades[grades.index(gs[0]) : grades.index(gs[-1]) + 1])
                assert rooms < len(grades), "grades together where there are fewer rooms than grades"
                assert small and n == 1 and list(gs) == neighbours and len(gs) <= c.s["class_size.mixed.max_grades"], "grades together"
            above += max(pupils - n * min([c.s["class_size.mixed.max_pupils"]] * (len(gs) > 1) + [c.size(small, g, year) for g in gs]), 0.0)
    return above


def _sizes(c, plan, t, load):
    """Look at (g) and the beds of (h)."""
    for s in c.places:
        here = {(g, m): n for (x, g, m), n in load.items() if x == s}
        total, board = sum(here.values()), sum(n for (_, m), n in here.items() if m == "board")
        assert board <= plan["beds"][t].get(s, 0) + (c.school["beds"] if s == "S" else 0) + SAME, "(h) a bed for each boarder"
        if s == "S":
            assert total <= c.cap() + SAME, "(g) largest size"
            continue
        state = plan["states"][t][s]
        assert not state or total <= c.cap_of(state) + SAME, "(g) largest size"
        assert state or not total
        primary = sum(n for (g, m), n in here.items() if g <= 6 and m != "board")
        junior = sum(n for (g, _), n in here.items() if g > 6)
        least = [c.least[p] for p in ("small", "village", "primary") if p in PARTS[state]]
        assert not least or primary >= least[-1] - SAME, "(g) least pupils"
        assert "junior" not in PARTS[state] or junior >= c.least["junior"] - SAME, "(g) least pupils"
        assert not plan["beds"][t].get(s, 0) or (c.sites[s]["beds"] and {"primary", "junior"} & set(PARTS[state])), "(h) beds beside a full part"


def _standing(c, plan, t, load):
    """Return the money of a year of what stands: written-off buildings, staff of small schools, their running money."""
    share, s = c.crf(c.s["cost.life.building"]), c.s
    money = _stock(c, plan, t) * share
    small_rooms = sum(n for (x, kind), n in plan["rooms"][t].items() if kind == "small" or (x == "S" and c.school["small"]))
    money += small_rooms * s["staff.small_school.per_class"] * s["staff.post.yuan"]
    for x, state in plan["states"][t].items():
        if "small" in PARTS[state]:
            money += s["fund.per_pupil.primary"] * (s["fund.small_floor"] - sum(n for (y, _, _), n in load.items() if x == y))
    return money


def _stock(c, plan, t):
    """Return the yuan that all that was added by a year cost to build."""
    stock = sum(c.s["cost.build.site"] for state in plan["states"][t].values() if state)
    for (s, kind), n in plan["rooms"][t].items():
        grades = c.school["grades"] if s == "S" else TAUGHT["junior"] if kind == "jr" else TAUGHT["primary"]
        stock += n * c.room(kind == "small" or (s == "S" and c.school["small"]), grades)[0]
    return stock + sum(n * c.bed(c.school["grades"] if s == "S" else c.full_grades(s))[0] for s, n in plan["beds"][t].items() if n)


def _years(c, plan):
    """Look at (c), (d), (i) and the bounds of rooms and beds."""
    for a, b in itertools.pairwise(range(len(c.years))):
        assert all(set(PARTS[state]) <= set(PARTS[plan["states"][b][s]]) for s, state in plan["states"][a].items()), "(c) open stays open"
        for what in ("rooms", "beds"):
            assert all(n <= plan[what][b].get(key, 0) for key, n in plan[what][a].items()), "(c) built stays"
    for t, year in enumerate(c.years):
        assert set(plan["states"][t].values()) <= {"", "tp", "sp", "pr", "jr", "nine"}, "(d) parts that go together"
        for s, state in plan["states"][t].items():
            assert not state or year >= c.sites[s]["first"], "(i) lead years of a school"
            rooms = {kind: n for (x, kind), n in plan["rooms"][t].items() if x == s}
            assert sum(rooms.values()) <= c.s["site.new_rooms.max"] and (state or not any(rooms.values()))
            assert all(rooms[kind] >= c.least_rooms(kind, grades) for kind, grades in kinds_of(state))
        added = plan["rooms"][t].get(("S", ""), 0)
        assert added <= c.school["more"] and (not added or year >= c.first["rooms"]), "(i) lead years of rooms"
        for s, n in plan["beds"][t].items():
            assert n <= c.s["site.beds.max"] and (s != "S" or not n or (year >= c.first["beds"] and c.school["may_grow_beds"])), (
                "(i) lead years of beds"
            )
