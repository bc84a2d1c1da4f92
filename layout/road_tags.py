"""What the tags of an OSM way say about walking and driving on it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

# highway classes that a vehicle may use, as the OSM wiki describes them; a track (机耕路) is for farm vehicles only
_DRIVABLE = {
    "motorway", "motorway_link", "trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link", "tertiary",
    "tertiary_link", "unclassified", "residential", "living_street", "service", "road", "ferry",
}  # fmt: skip
# classes on which people walk besides those; a motorway only where a tag says so
_WALK_ONLY = {"track", "path", "footway", "pedestrian", "steps", "bridleway", "cycleway", "corridor"}
_MOTORWAYS = {"motorway", "motorway_link"}
# values of an access tag that keep a child or a school bus out
_FOOT_DENIED = {"no", "private", "use_sidepath", "agricultural", "forestry", "delivery", "military"}
_VEHICLE_DENIED = {"no", "private", "agricultural", "forestry", "delivery", "emergency", "military"}
TAGS = (
    "highway", "route", "name", "oneway", "junction", "access", "foot", "vehicle", "motor_vehicle", "motorcar", "bus", "maxspeed",
    "width", "bridge", "tunnel", "surface", "area", "duration",
)  # fmt: skip
_UNITS_KPH = {"": 1.0, "km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": 1.609344, "knots": 1.852}


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
    if tags.get("highway") in _DRIVABLE | _WALK_ONLY:
        return True
    return ferries and tags.get("route") == "ferry"


def facts_of(tags: Mapping[str, str]) -> dict[str, object]:
    """Return what the tags say, by the columns of ``Roads.edges``.

    Parameters
    ----------
    tags
        Of a way that :func:`is_road` accepts.

    Returns
    -------
    dict
        ``highway``, ``name``, ``oneway``, ``walk``, ``drive``, ``maxspeed_kph``, ``width_m``, ``bridge``, ``tunnel``,
        ``steps``, ``surface``; for a ferry with a timetable also ``duration_h``. The most specific access tag counts.

    Examples
    --------
    >>> facts = facts_of({"highway": "service", "access": "private", "foot": "yes"})
    >>> facts["walk"], facts["drive"]
    (True, False)
    """
    ferry = tags.get("highway") not in _DRIVABLE | _WALK_ONLY
    highway = "ferry" if ferry else tags["highway"]
    foot = tags.get("foot", tags.get("access", ""))
    motor = next((tags[k] for k in ("motorcar", "motor_vehicle", "vehicle", "access") if k in tags), "")
    walk = foot not in _FOOT_DENIED and (highway not in _MOTORWAYS or foot in ("yes", "designated", "permissive"))
    drive = highway in _DRIVABLE and motor not in _VEHICLE_DENIED and tags.get("bus", "") not in _VEHICLE_DENIED
    if ferry:
        # a ferry takes vehicles only where it says so
        drive = drive and motor in ("yes", "designated", "permissive")
    facts: dict[str, object] = {
        "highway": highway, "name": tags.get("name", ""), "oneway": _oneway(tags), "walk": walk,
        "drive": drive and tags.get("area") != "yes", "maxspeed_kph": parse_speed(tags.get("maxspeed", "")),
        "width_m": parse_width(tags.get("width", "")), "bridge": tags.get("bridge", "no") != "no",
        "tunnel": tags.get("tunnel", "no") not in ("no", "building_passage"), "steps": highway == "steps",
        "surface": tags.get("surface", ""),
    }  # fmt: skip
    hours = _hours(tags.get("duration", ""))
    return {**facts, "duration_h": hours} if ferry and hours else facts


def _oneway(tags: Mapping[str, str]) -> int:
    value = tags.get("oneway", "")
    if value in ("yes", "true", "1"):
        return 1
    if value in ("-1", "reverse"):
        return -1
    implied = tags.get("junction") in ("roundabout", "circular") or tags.get("highway") == "motorway"
    return int(implied and value not in ("no", "false", "0"))


def parse_speed(text: str) -> float:
    """Return a posted limit in km/h.

    Parameters
    ----------
    text
        Value of the tag ``maxspeed``.

    Returns
    -------
    float
        NaN where it is not a positive number with a known unit.

    Examples
    --------
    >>> parse_speed("50"), parse_speed("50 mph"), parse_speed("CN:urban")
    (50.0, 80.4672, nan)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z/]*)\s*", text.lower())
    if not match or match[2] not in _UNITS_KPH or float(match[1]) == 0:
        return math.nan
    return float(match[1]) * _UNITS_KPH[match[2]]


def parse_width(text: str) -> float:
    """Return a width in metres.

    Parameters
    ----------
    text
        Value of the tag ``width``.

    Returns
    -------
    float
        NaN where it is not a positive number of metres.

    Examples
    --------
    >>> parse_width("3.5 m"), parse_width("4,5"), parse_width("narrow")
    (3.5, 4.5, nan)
    """
    match = re.fullmatch(r"\s*(\d+(?:[.,]\d+)?)\s*m?\s*", text.lower())
    width = float(match[1].replace(",", ".")) if match else 0.0
    return width if width > 0 else math.nan


def _hours(text: str) -> float:
    match = re.fullmatch(r"(\d+):(\d\d)(?::(\d\d))?", text.strip())
    return int(match[1]) + int(match[2]) / 60 + int(match[3] or 0) / 3600 if match else 0.0
