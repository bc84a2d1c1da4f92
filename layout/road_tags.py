"""What the tags of OSM say about walking and driving: on a way, and past a node."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

# highway classes that a vehicle may use, as the OSM wiki describes them; a track (机耕路) is for farm vehicles only
_DRIVABLE = {
    "motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link", "tertiary",
    "tertiary_link", "unclassified", "residential", "living_street", "service", "road", "ferry",
}  # fmt: skip
# classes on which people walk besides those (a motorway only where a tag says so): a moving staircase or a lift is walked
# like steps and a corridor; via_ferrata needs climbing gear, bus_guideway takes buses of its own kind: neither is a road
_WALK_ONLY = {"track", "path", "footway", "pedestrian", "steps", "bridleway", "cycleway", "corridor", "escalator", "elevator"}
# wide enough for a car where a tag lets it in
_WIDE = {"track", "pedestrian"}
_MOTORWAYS = {"motorway", "motorway_link"}
# values of an access tag that keep a child or a school bus out; `destination` keeps only through traffic out, and the school
# is a destination; `customers` are the drives of shops, no way for a bus; who needs a `permit` is not presumed to have one
_FOOT_DENIED = {"no", "private", "use_sidepath", "agricultural", "forestry", "delivery", "military", "permit"}
_VEHICLE_DENIED = {"no", "private", "agricultural", "forestry", "delivery", "emergency", "military", "customers", "permit"}
_ALLOWED = {"yes", "designated", "permissive", "official"}
_MOTOR_KEYS = ("motorcar", "motor_vehicle", "vehicle", "access")
_BUS_KEYS = ("bus", "psv")
TAGS = (
    "highway", "route", "name", "oneway", "junction", "access", "foot", "vehicle", "motor_vehicle", "motorcar", "bus", "psv", "motorroad",
    "maxspeed", "maxspeed:forward", "maxspeed:backward", "maxspeed:type", "source:maxspeed", "zone:maxspeed", "zone:traffic",
    "width", "width:carriageway", "est_width", "lanes", "bridge", "tunnel", "covered", "surface", "tracktype", "ford", "area", "duration",
    "sidewalk", "sidewalk:left", "sidewalk:right", "sidewalk:both", "oneway:foot", "foot:forward", "foot:backward", "conveying",
    "oneway:bus", "oneway:psv", "busway", "busway:left", "busway:right", "busway:both", "bus:backward", "psv:backward",
    "lanes:bus:backward", "lanes:psv:backward",
)  # fmt: skip
#: Tags of a node that may stop somebody.
NODE_TAGS = ("barrier", "access", "foot", "vehicle", "motor_vehicle", "motorcar", "bus", "psv")
# a node that is something else than a place on the road: its access tags speak of that thing
_OTHER_THINGS = ("amenity", "building", "entrance", "leisure", "office", "shop", "tourism")
# barriers that a vehicle passes, in the sense of OSRM's car profile (profiles/car.lua, barrier_whitelist) and its exceptions;
# a bus trap and a sump buster are there to let buses through; what is not listed stops vehicles
_VEHICLE_PASSES = {
    "border_control", "bump_gate", "bus_trap", "cattle_grid", "coupure", "entrance", "gate", "hampshire_gate", "height_restrictor",
    "kerb", "lift_gate", "no", "sally_port", "sliding_gate", "sump_buster", "swing_gate", "toll_booth",
}  # fmt: skip
# barriers that nobody on foot passes; every other has a gap, steps or a gate (OSRM, profiles/foot.lua)
_WALK_STOPS = {"cable_barrier", "city_wall", "ditch", "fence", "guard_rail", "hedge", "retaining_wall", "wall"}
_UNITS_KPH = {"": 1.0, "km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": 1.609344, "knots": 1.852}
# the greatest first: where a line was merged of several classes, the least of them counts
_CLASSES = (
    "motorway", "trunk", "primary", "secondary", "tertiary", "motorway_link", "trunk_link", "primary_link", "secondary_link", "tertiary_link",
    "unclassified", "residential", "busway", "living_street", "service", "road", "track", "pedestrian", "cycleway", "bridleway", "footway", "path",
    "corridor", "steps", "escalator", "elevator", "ferry",
)  # fmt: skip


def is_road(tags: Mapping[str, str], *, ferries: bool) -> bool:
    """Say whether a way is a road that people walk or drive on.

    Parameters
    ----------
    tags
        Of the way.
    ferries
        Whether ferry lines count.

    Returns
    -------
    bool
        False for what is planned, being built or given up, and for what is no way of travel.

    Examples
    --------
    >>> is_road({"highway": "track"}, ferries=False), is_road({"highway": "construction"}, ferries=False)
    (True, False)
    """
    highway = tags.get("highway")
    if highway in _DRIVABLE or highway in _WALK_ONLY or highway == "busway":
        return True
    return ferries and tags.get("route") == "ferry"


def least_class(classes: Iterable[str]) -> str:
    """Return the least of several highway classes: what a merged line can be trusted to be everywhere.

    Parameters
    ----------
    classes
        OSM classes, at least one.

    Returns
    -------
    str
        One of them; an unknown class counts as the greatest.

    Examples
    --------
    >>> least_class(["service", "residential"])
    'service'
    """
    return max(sorted(classes), key=lambda c: _CLASSES.index(c) if c in _CLASSES else -1)


def facts_of(tags: Mapping[str, str]) -> dict[str, object]:
    """Return what the tags say, by the columns of ``Roads.edges``.

    Parameters
    ----------
    tags
        Of a way that :func:`is_road` accepts. The most specific access tag counts; conditional tags
        (``access:conditional``, ``maxspeed:conditional`` ...) are ignored, since no hour is known; of values in a list the
        slowest or narrowest counts, and an access list denies only where each of its values does.

    Returns
    -------
    dict
        ``highway``, ``name``, ``oneway``, ``walk``, ``drive``, ``maxspeed_kph``, ``width_m``, ``bridge``, ``tunnel``,
        ``steps``, ``surface``, ``bus``, ``maxspeed_back_kph``, ``speed_zone``, ``tracktype``, ``lanes``, ``ford``,
        ``oneway_foot``, ``oneway_bus``; for a ferry with a timetable also ``duration_h``.

    Examples
    --------
    >>> facts = facts_of({"highway": "service", "access": "private", "foot": "yes", "maxspeed": "CN:urban"})
    >>> facts["walk"], facts["drive"], facts["bus"], facts["speed_zone"]
    (True, False, False, 'CN:urban')
    """
    ferry = not is_road(tags, ferries=False)
    highway = "ferry" if ferry else tags["highway"]
    oneway = _oneway(tags)
    drive, bus = _vehicles(tags, highway)
    forward, back, zone = _speeds(tags)
    facts: dict[str, object] = {
        "highway": highway, "name": tags.get("name", ""), "oneway": oneway, "walk": _walks(tags, highway), "drive": drive, "maxspeed_kph": forward,
        "width_m": _width(tags),
        # an aqueduct or a boardwalk carries the way as any bridge does
        "bridge": tags.get("bridge", "no") not in ("no", "0", "false"),
        # under a house, under a gallery, or over a pipe the way still lies on the ground; so does one that is only covered
        "tunnel": tags.get("tunnel", "no") not in ("no", "0", "false", "building_passage", "avalanche_protector", "culvert"),
        "steps": highway in ("steps", "escalator"), "surface": tags.get("surface", ""), "bus": bus, "maxspeed_back_kph": back, "speed_zone": zone,
        "tracktype": tags.get("tracktype", ""), "lanes": _least(tags.get("lanes", ""), _count), "ford": tags.get("ford", "no") != "no",
        "oneway_foot": _oneway_foot(tags), "oneway_bus": _oneway_bus(tags, oneway),
    }  # fmt: skip
    hours = _hours(tags.get("duration", ""))
    return {**facts, "duration_h": hours} if ferry and hours else facts


def closed_by(tags: Mapping[str, str]) -> tuple[bool, bool]:
    """Say whether a node on a way stops people on foot, and vehicles.

    Parameters
    ----------
    tags
        Of the node.

    Returns
    -------
    tuple of bool
        Nobody on foot may pass; no vehicle may pass. An access tag overrules what the barrier is; a barrier that lets buses
        through stops no vehicle.

    References
    ----------
    OSRM, profiles/car.lua and profiles/foot.lua (github.com/Project-OSRM/osrm-backend).

    Examples
    --------
    >>> closed_by({"barrier": "bollard"}), closed_by({"barrier": "gate", "access": "private", "foot": "yes"}), closed_by({"barrier": "gate"})
    ((False, True), (False, True), (False, False))
    """
    barrier = tags.get("barrier", "")
    if not barrier and any(key in tags for key in _OTHER_THINGS):
        return False, False
    foot, motor = _first(tags, ("foot", "access")), _first(tags, _MOTOR_KEYS)
    walk_closed = _denies(foot, _FOOT_DENIED) or (not _allows(foot) and barrier in _WALK_STOPS)
    stops = bool(barrier) and barrier not in _VEHICLE_PASSES and tags.get("bollard") != "rising"
    drive_closed = _denies(motor, _VEHICLE_DENIED) or (not _allows(motor) and stops)
    return walk_closed, drive_closed and not _allows(_first(tags, _BUS_KEYS))


def parse_speed(text: str) -> float:
    """Return a posted limit in km/h.

    Parameters
    ----------
    text
        Value of the tag ``maxspeed``; of a list with ``;`` the slowest number.

    Returns
    -------
    float
        NaN where it is not a positive number with a known unit.

    Examples
    --------
    >>> parse_speed("50"), parse_speed("50 mph"), parse_speed("CN:urban"), parse_speed("60;40")
    (50.0, 80.4672, nan, 40.0)
    """
    return _least(text.lower(), _kph)


def parse_width(text: str) -> float:
    """Return a width in metres.

    Parameters
    ----------
    text
        Value of the tag ``width``; of a list with ``;`` the narrowest.

    Returns
    -------
    float
        NaN where it is not a positive number of metres.

    Examples
    --------
    >>> parse_width("3.5 m"), parse_width("4,5"), parse_width("narrow")
    (3.5, 4.5, nan)
    """
    return _least(text.lower(), _metres)


def _walks(tags: Mapping[str, str], highway: str) -> bool:
    foot = _first(tags, ("foot", "access"))
    if _denies(foot, _FOOT_DENIED):
        return False
    if highway == "busway" or highway in _MOTORWAYS:
        return _allows(tags.get("foot", ""))
    # who may not walk on the carriageway walks on a footway beside it where one is tagged; one that is drawn by itself
    # (`separate`) does not forbid the carriageway, for often only half of it is drawn
    beside = any(tags.get(k, "no") not in ("no", "none", "separate") for k in ("sidewalk", "sidewalk:left", "sidewalk:right", "sidewalk:both"))
    return tags.get("motorroad") != "yes" or _allows(tags.get("foot", "")) or beside


def _vehicles(tags: Mapping[str, str], highway: str) -> tuple[bool, bool]:
    """Return whether vehicles may use a way, and whether a bus may."""
    motor, own = _first(tags, _MOTOR_KEYS), _first(tags, _BUS_KEYS)
    if tags.get("area") == "yes":
        return False, False
    if highway == "ferry":
        # a ferry takes vehicles only where it says so
        drive = _allows(motor)
    elif highway in _DRIVABLE:
        drive = not _denies(motor, _VEHICLE_DENIED)
    else:
        drive = highway in _WIDE and _allows(_first(tags, ("motorcar", "motor_vehicle")))
    carries = highway in _DRIVABLE or highway in _WIDE or highway == "busway"
    bus = (drive or (carries and _allows(own)) or highway == "busway") and not _denies(own, _VEHICLE_DENIED)
    return drive, bus


def _first(tags: Mapping[str, str], keys: Iterable[str]) -> str:
    return next((tags[k] for k in keys if k in tags), "")


def _denies(value: str, denied: set[str]) -> bool:
    return value in denied or (";" in value and all(part.strip() in denied for part in value.split(";")))


def _allows(value: str) -> bool:
    return value in _ALLOWED or (";" in value and any(part.strip() in _ALLOWED for part in value.split(";")))


def _direction(value: str) -> int | None:
    if value in ("yes", "true", "1"):
        return 1
    if value in ("-1", "reverse"):
        return -1
    return 0 if value in ("no", "false", "0") else None


def _oneway(tags: Mapping[str, str]) -> int:
    # a direction that changes with the hour (reversible, alternating) counts as open both ways
    said = _direction(tags.get("oneway", ""))
    return int(tags.get("junction") in ("roundabout", "circular") or tags.get("highway") == "motorway") if said is None else said


def _oneway_foot(tags: Mapping[str, str]) -> int:
    said = _direction(tags.get("oneway:foot", ""))
    if said is not None:
        return said
    # a moving staircase carries one way
    if tags.get("foot:backward") == "no" or tags.get("conveying") == "forward":
        return 1
    return -1 if tags.get("foot:forward") == "no" or tags.get("conveying") == "backward" else 0


def _oneway_bus(tags: Mapping[str, str], oneway: int) -> int:
    said = _direction(tags.get("oneway:bus", tags.get("oneway:psv", "")))
    if said is not None:
        return said
    lane = any(tags.get(k, "").startswith("opposite") for k in ("busway", "busway:left", "busway:right", "busway:both"))
    back = any(_allows(tags.get(k, "")) for k in ("bus:backward", "psv:backward"))
    lanes = any(_count(tags.get(k, "")) > 0 for k in ("lanes:bus:backward", "lanes:psv:backward"))
    return 0 if oneway == 1 and (lane or back or lanes) else oneway


def _speeds(tags: Mapping[str, str]) -> tuple[float, float, str]:
    """Return the limit along the line, the limit against it where it differs, and the zone that stands for a limit."""
    posted, zone = parse_speed(tags.get("maxspeed", "")), ""
    if math.isnan(posted):
        for key in ("maxspeed", "zone:maxspeed", "maxspeed:type", "source:maxspeed", "zone:traffic"):
            posted, zone = _zone(tags.get(key, ""), plain=key != "maxspeed")
            if zone or not math.isnan(posted):
                break
    forward = parse_speed(tags.get("maxspeed:forward", ""))
    back = parse_speed(tags.get("maxspeed:backward", ""))
    forward, back = (posted if math.isnan(v) else v for v in (forward, back))
    return forward, math.nan if back == forward else back, zone


def _zone(text: str, *, plain: bool) -> tuple[float, str]:
    # "CN:urban", "walk", and with a number "CN:30", "zone:30", "CN:zone30"; `sign` and the like name no zone
    for part in (p.strip() for p in text.split(";")):
        if part == "walk":
            return math.nan, part
        if found := re.fullmatch(r"((?:[A-Za-z]{2}(?:-[A-Za-z]+)?:)?(?:[Zz]one:?)?)(\d+)", part):
            if found[1] or plain:
                return float(found[2]) or math.nan, part
        elif re.fullmatch(r"[A-Z]{2}(?:-[A-Za-z]+)?:[a-z_]+", part):
            return math.nan, part
    return math.nan, ""


def _width(tags: Mapping[str, str]) -> float:
    widths = (parse_width(tags.get(key, "")) for key in ("width:carriageway", "width", "est_width"))
    return next((w for w in widths if not math.isnan(w)), math.nan)


def _least(text: str, parse) -> float:  # type: ignore[no-untyped-def]
    values = [v for v in map(parse, text.split(";")) if not math.isnan(v)] if text else []
    return min(values, default=math.nan)


def _kph(text: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z/]*)\s*", text)
    if not match or match[2] not in _UNITS_KPH or float(match[1]) == 0:
        return math.nan
    return float(match[1]) * _UNITS_KPH[match[2]]


def _metres(text: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:[.,]\d+)?)\s*m?\s*", text)
    width = float(match[1].replace(",", ".")) if match else 0.0
    return width if width > 0 else math.nan


def _count(text: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*", text)
    return float(match[1]) if match and float(match[1]) > 0 else math.nan


def _hours(text: str) -> float:
    match = re.fullmatch(r"(\d+):(\d\d)(?::(\d\d))?", text.strip())
    return int(match[1]) + int(match[2]) / 60 + int(match[3] or 0) / 3600 if match else 0.0
