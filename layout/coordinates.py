"""Coordinates as planners paste them: WGS 84, CGCS2000, and the offset systems of Chinese web maps."""

from __future__ import annotations

import numpy as np

SYSTEMS = ("wgs84", "cgcs2000", "gcj02", "bd09")
# axes of the ellipsoid on which the two offset systems are defined (Krasovsky 1940)
_AXIS_M, _ECCENTRICITY2 = 6378245.0, 0.00669342162296594323
_BD_TURN = np.pi * 3000.0 / 180.0


def to_wgs84(lon: np.ndarray, lat: np.ndarray, system: str) -> tuple[np.ndarray, np.ndarray]:
    """Convert longitudes and latitudes to WGS 84.

    Parameters
    ----------
    lon, lat
        Degrees, any shape.
    system
        ``wgs84``, ``cgcs2000`` (the same to centimetres), ``gcj02`` (AMap, Tencent) or ``bd09`` (Baidu).

    Returns
    -------
    tuple of numpy.ndarray
        Longitudes and latitudes. The offset of ``gcj02`` is undone by fixed-point steps to 1e-9 degrees.

    Raises
    ------
    ValueError
        If the system is not one of the four.

    Examples
    --------
    >>> lon, lat = to_wgs84(np.array([116.41024449916938]), np.array([39.91640428150164]), "gcj02")
    >>> round(float(lon[0]), 7), round(float(lat[0]), 7)
    (116.404, 39.915)
    """
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    if system not in SYSTEMS:
        raise ValueError(f"coordinates must be one of {', '.join(SYSTEMS)}, not {system!r}")
    if system in ("wgs84", "cgcs2000"):
        return lon.copy(), lat.copy()
    wanted_lon, wanted_lat = (lon, lat) if system == "gcj02" else _bd09_to_gcj02(lon, lat)
    out_lon, out_lat = wanted_lon.copy(), wanted_lat.copy()
    for _ in range(8):  # the offset changes slowly, so each step shrinks the error about a thousandfold
        shifted_lon, shifted_lat = wgs84_to_gcj02(out_lon, out_lat)
        out_lon, out_lat = out_lon + wanted_lon - shifted_lon, out_lat + wanted_lat - shifted_lat
    return out_lon, out_lat


def wgs84_to_gcj02(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Apply the offset of Chinese web maps.

    Parameters
    ----------
    lon, lat
        WGS 84 degrees, any shape; meant for places in China.

    Returns
    -------
    tuple of numpy.ndarray
        GCJ-02 longitudes and latitudes.

    Examples
    --------
    >>> lon, lat = wgs84_to_gcj02(np.array([116.404]), np.array([39.915]))
    >>> round(float(lon[0]), 7), round(float(lat[0]), 7)
    (116.4102445, 39.9164043)
    """
    x, y = np.asarray(lon, float) - 105.0, np.asarray(lat, float) - 35.0
    wave = (20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)) * 2.0 / 3.0
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y**2 + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + wave
    d_lat += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    d_lat += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y * np.pi / 30.0)) * 2.0 / 3.0
    d_lon = 300.0 + x + 2.0 * y + 0.1 * x**2 + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + wave
    d_lon += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    d_lon += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    phi = np.radians(np.asarray(lat, float))
    magic = 1.0 - _ECCENTRICITY2 * np.sin(phi) ** 2
    metres_lat = _AXIS_M * (1.0 - _ECCENTRICITY2) / magic**1.5 * np.pi / 180.0
    metres_lon = _AXIS_M / np.sqrt(magic) * np.cos(phi) * np.pi / 180.0
    return np.asarray(lon, float) + d_lon / metres_lon, np.asarray(lat, float) + d_lat / metres_lat


def _bd09_to_gcj02(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Baidu turns and stretches GCJ-02; the forward rule is exact, so it is inverted by fixed-point steps too
    out_lon, out_lat = lon - 0.0065, lat - 0.006
    for _ in range(8):
        radius = np.hypot(out_lon, out_lat) + 0.00002 * np.sin(out_lat * _BD_TURN)
        angle = np.arctan2(out_lat, out_lon) + 0.000003 * np.cos(out_lon * _BD_TURN)
        out_lon = out_lon + lon - (radius * np.cos(angle) + 0.0065)
        out_lat = out_lat + lat - (radius * np.sin(angle) + 0.006)
    return out_lon, out_lat
