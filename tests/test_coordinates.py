"""Coordinates: the two offset systems against published points, to a millimetre, and back."""

import numpy as np
import pytest

from layout.coordinates import to_wgs84, wgs84_to_gcj02

# published with the reference routines of this offset (googollee/eviltransform, test vectors; wandergis/coordtransform, README): lon, lat
GCJ02 = [
    ((121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
    ((113.912316, 22.543847), (113.9171764808363, 22.540796131694766)),
    ((116.377817, 39.911954), (116.38404722455657, 39.91334545536069)),
    ((116.404, 39.915), (116.41024449916938, 39.91640428150164)),
]
BD09 = ((116.404, 39.915), (116.41662724378733, 39.922699552216216))
# a published routine rounds one constant of the ellipsoid, which is worth some millimetres; its own points are exact below that
METRE_DEG = 1 / 111_320


@pytest.mark.parametrize(("wgs", "gcj"), GCJ02)
def test_gcj02_published_points_to_a_millimetre(wgs, gcj):
    lon, lat = wgs84_to_gcj02(np.array([wgs[0]]), np.array([wgs[1]]))
    assert abs(lon[0] - gcj[0]) < 0.001 * METRE_DEG and abs(lat[0] - gcj[1]) < 0.001 * METRE_DEG
    lon, lat = to_wgs84(np.array([gcj[0]]), np.array([gcj[1]]), "gcj02")
    assert abs(lon[0] - wgs[0]) < 0.001 * METRE_DEG and abs(lat[0] - wgs[1]) < 0.001 * METRE_DEG


def test_bd09_published_point_to_a_millimetre():
    lon, lat = to_wgs84(np.array([BD09[1][0]]), np.array([BD09[1][1]]), "bd09")
    assert abs(lon[0] - BD09[0][0]) < 0.001 * METRE_DEG and abs(lat[0] - BD09[0][1]) < 0.001 * METRE_DEG


def test_there_and_back_over_guizhou():
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(103.6, 109.6, 500), rng.uniform(24.6, 29.3, 500)
    shifted = wgs84_to_gcj02(lon, lat)
    back = to_wgs84(*shifted, "gcj02")
    assert np.abs(back[0] - lon).max() < 1e-9 and np.abs(back[1] - lat).max() < 1e-9
    metres = np.hypot((shifted[0] - lon) * np.cos(np.radians(lat)), shifted[1] - lat) / METRE_DEG
    # the offset in Guizhou was measured as 384-599 m
    assert metres.min() > 380 and metres.max() < 600


@pytest.mark.parametrize("system", ["wgs84", "cgcs2000"])
def test_true_systems_stay(system):
    lon, lat = np.array([107.5]), np.array([26.5])
    out = to_wgs84(lon, lat, system)
    assert out[0][0] == 107.5 and out[1][0] == 26.5 and out[0] is not lon


def test_unknown_system_is_refused():
    with pytest.raises(ValueError, match="coordinates must be one of wgs84, cgcs2000, gcj02, bd09, not 'mars'"):
        to_wgs84(np.zeros(1), np.zeros(1), "mars")
