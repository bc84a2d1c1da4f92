"""What tags say: who may use a way, limits and zones, directions, obstacles."""

from __future__ import annotations

import math

import pytest

from layout.road_tags import closed_by, facts_of, is_road, least_class


def facts(**tags):
    return facts_of({"highway": "tertiary", **{k.replace("__", ":"): v for k, v in tags.items()}})


@pytest.mark.parametrize(
    ("tags", "drive", "bus"),
    [
        ({}, True, True),
        ({"bus": "no"}, True, False),
        ({"motor_vehicle": "no"}, False, False),
        ({"motor_vehicle": "no", "bus": "yes"}, False, True),
        ({"motor_vehicle": "no", "bus": "designated"}, False, True),
        ({"access": "no", "psv": "yes"}, False, True),
        ({"psv": "yes", "bus": "no"}, True, False),
        ({"highway": "busway"}, False, True),
        ({"highway": "pedestrian", "psv": "yes"}, False, True),
        ({"highway": "footway", "bus": "yes"}, False, False),
        ({"highway": "track", "motor_vehicle": "yes"}, True, True),
        ({"highway": "track", "motor_vehicle": "agricultural"}, False, False),
        ({"highway": "path", "motor_vehicle": "yes"}, False, False),
        ({"access": "customers"}, False, False),
        ({"access": "permit"}, False, False),
        ({"access": "destination"}, True, True),
        ({"motor_vehicle": "private;delivery"}, False, False),
        ({"motor_vehicle": "private;destination"}, True, True),
        ({"area": "yes", "bus": "yes"}, False, False),
    ],
)
def test_cars_and_buses(tags, drive, bus):
    found = facts_of({"highway": "tertiary", **tags})
    assert (found["drive"], found["bus"]) == (drive, bus)


@pytest.mark.parametrize(
    ("tags", "walk"),
    [
        ({"motorroad": "yes"}, False), ({"motorroad": "yes", "foot": "yes"}, True), ({"motorroad": "yes", "sidewalk": "both"}, True),
        ({"motorroad": "yes", "sidewalk": "separate"}, False), ({"motorroad": "yes", "sidewalk:left": "yes"}, True), ({"sidewalk": "no"}, True),
        ({"sidewalk": "separate"}, True), ({"foot": "use_sidepath"}, False), ({"access": "permit"}, False), ({"access": "customers"}, True),
        ({"highway": "busway"}, False), ({"highway": "busway", "foot": "yes"}, True), ({"highway": "escalator"}, True), ({"highway": "elevator"}, True),
    ],
)  # fmt: skip
def test_on_foot(tags, walk):
    assert facts_of({"highway": "trunk", **tags})["walk"] == walk


@pytest.mark.parametrize(
    ("tags", "forward", "back", "zone"),
    [
        ({"maxspeed": "50"}, 50, None, ""),
        ({"maxspeed": "50 mph"}, 80.4672, None, ""),
        ({"maxspeed": "none"}, None, None, ""),
        ({"maxspeed": "signals"}, None, None, ""),
        ({"maxspeed": "CN:urban"}, None, None, "CN:urban"),
        ({"maxspeed": "walk"}, None, None, "walk"),
        ({"maxspeed:type": "CN:rural"}, None, None, "CN:rural"),
        ({"source:maxspeed": "CN:urban"}, None, None, "CN:urban"),
        ({"source:maxspeed": "sign"}, None, None, ""),
        ({"maxspeed:type": "sign", "zone:traffic": "CN:rural"}, None, None, "CN:rural"),
        ({"zone:maxspeed": "CN:30"}, 30, None, "CN:30"),
        ({"zone:maxspeed": "30"}, 30, None, "30"),
        ({"maxspeed": "CN:zone30"}, 30, None, "CN:zone30"),
        ({"maxspeed": "40", "source:maxspeed": "CN:urban"}, 40, None, ""),
        ({"maxspeed": "60;40"}, 40, None, ""),
        ({"maxspeed": "60", "maxspeed:backward": "40"}, 60, 40, ""),
        ({"maxspeed:forward": "30", "maxspeed": "50"}, 30, 50, ""),
        ({"maxspeed:forward": "30", "maxspeed:backward": "30"}, 30, None, ""),
        ({"maxspeed:backward": "20"}, None, 20, ""),
        ({"maxspeed:conditional": "30 @ (07:00-08:00)"}, None, None, ""),
    ],
)
def test_limits_and_zones(tags, forward, back, zone):
    found = facts_of({"highway": "tertiary", **tags})
    numbers = [math.nan if v is None else v for v in (forward, back)]
    assert [found["maxspeed_kph"], found["maxspeed_back_kph"]] == pytest.approx(numbers, nan_ok=True)
    assert found["speed_zone"] == zone


@pytest.mark.parametrize(
    ("tags", "column", "value"),
    [
        ({"oneway": "yes"}, "oneway_bus", 1), ({"oneway": "yes", "oneway:bus": "no"}, "oneway_bus", 0), ({"oneway": "yes", "oneway:psv": "no"}, "oneway_bus", 0),
        ({"oneway": "yes", "busway": "opposite_lane"}, "oneway_bus", 0), ({"oneway": "yes", "busway:left": "opposite"}, "oneway_bus", 0),
        ({"oneway": "yes", "lanes:psv:backward": "1"}, "oneway_bus", 0), ({"oneway": "yes", "bus:backward": "designated"}, "oneway_bus", 0),
        ({"oneway": "-1"}, "oneway_bus", -1), ({"oneway:bus": "yes"}, "oneway_bus", 1), ({"busway": "lane"}, "oneway_bus", 0),
        ({"oneway": "yes"}, "oneway_foot", 0), ({"oneway:foot": "yes"}, "oneway_foot", 1), ({"oneway:foot": "-1"}, "oneway_foot", -1),
        ({"foot:backward": "no"}, "oneway_foot", 1), ({"foot:forward": "no"}, "oneway_foot", -1), ({"conveying": "backward"}, "oneway_foot", -1),
        ({"width": "6;4 m"}, "width_m", 4), ({"est_width": "5"}, "width_m", 5), ({"width": "7", "est_width": "5"}, "width_m", 7), ({"lanes": "2;1"}, "lanes", 1),
        ({"lanes": "1.5"}, "lanes", 1.5), ({"tracktype": "grade2"}, "tracktype", "grade2"), ({"ford": "yes"}, "ford", True), ({"ford": "no"}, "ford", False),
        ({"ford": "stepping_stones"}, "ford", True), ({"bridge": "viaduct"}, "bridge", True), ({"bridge": "no"}, "bridge", False), ({"tunnel": "yes"}, "tunnel", True),
        ({"tunnel": "building_passage"}, "tunnel", False), ({"tunnel": "avalanche_protector"}, "tunnel", False), ({"tunnel": "culvert"}, "tunnel", False),
        ({"covered": "yes"}, "tunnel", False),
    ],
)  # fmt: skip
def test_directions_sizes_and_structures(tags, column, value):
    assert facts_of({"highway": "tertiary", **tags})[column] == value


def test_what_climbs_or_is_guided_is_no_road():
    assert not any(is_road({"highway": kind}, ferries=True) for kind in ("via_ferrata", "bus_guideway", "rest_area", "escape"))
    assert least_class(["primary", "footway", "service"]) == "footway" and least_class(["nonsense", "primary"]) == "primary"


@pytest.mark.parametrize(
    ("tags", "walk", "drive"),
    [
        *[({"barrier": b}, False, False) for b in ("gate", "lift_gate", "swing_gate", "cattle_grid", "toll_booth", "border_control", "entrance", "kerb", "no", "bus_trap")],
        *[({"barrier": b}, False, True) for b in ("bollard", "block", "chain", "jersey_barrier", "stile", "cycle_barrier", "log", "turnstile", "yes", "debris")],
        *[({"barrier": b}, True, True) for b in ("wall", "fence", "ditch", "city_wall")],
        ({"barrier": "bollard", "motor_vehicle": "yes"}, False, False),
        ({"barrier": "bollard", "bollard": "rising"}, False, False),
        ({"barrier": "bollard", "bus": "yes"}, False, False),
        ({"barrier": "gate", "access": "private"}, True, True),
        ({"barrier": "gate", "access": "no", "foot": "yes"}, False, True),
        ({"barrier": "gate", "foot": "no"}, True, False),
        ({"barrier": "fence", "foot": "yes"}, False, True),
        ({"barrier": "gate", "access": "destination"}, False, False),
        ({"access": "no"}, True, True),
        ({"motor_vehicle": "no"}, False, True),
        ({"amenity": "parking_entrance", "access": "private"}, False, False),
        ({}, False, False),
    ],
)  # fmt: skip
def test_who_may_pass_a_node(tags, walk, drive):
    assert closed_by(tags) == (walk, drive)


def test_most_specific_tag_counts():
    assert facts(access="no", vehicle="yes")["drive"] and not facts(access="yes", motor_vehicle="no")["drive"]
    assert facts(maxspeed__forward="20")["maxspeed_kph"] == 20
