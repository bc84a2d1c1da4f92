"""Elevation: tiles, voids, points between cells, smoothing, shade and Tobler's function."""

from __future__ import annotations

import math
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from layout import messages
from layout.tables import CountyDataError
from layout.terrain import (
    Terrain,
    clip_terrain,
    elevation_at,
    hillshade,
    in_void,
    read_terrain,
    slope_raster,
    smooth_terrain,
    tobler_factor,
    void_notes,
    void_share,
    write_terrain,
)

METRIC = "EPSG:4545"
REAL = os.environ.get("LAYOUT_REAL_DATA")


def grid(rows: list[list[float]], cell: float = 30.0) -> Terrain:
    z = np.array(rows, "float32")
    return Terrain(z, 0.0, len(z) * cell, cell, cell, METRIC)


def write_hgt(path: Path, metres: np.ndarray) -> None:
    # an SRTM tile is nothing but big-endian 16-bit numbers from north to south; its name says where
    path.write_bytes(metres.astype(">i2").tobytes())


def srtm(value: int) -> np.ndarray:
    return np.full((1201, 1201), value, "int16")


def test_hgt_plain_and_zipped_with_voids(tmp_path):
    metres = srtm(100)
    metres[0, 0], metres[5, 7] = -32768, 2361
    write_hgt(tmp_path / "N26E107.hgt", metres)
    plain = read_terrain([tmp_path / "N26E107.hgt"])
    assert plain.elevation.shape == (1201, 1201)
    assert np.isnan(plain.elevation[0, 0])
    assert np.isnan(plain.elevation).sum() == 1
    assert plain.elevation[5, 7] == 2361
    # cell middles lie on the whole degrees, so the first one begins half a cell outside
    assert (plain.west, plain.north, plain.cell_x) == pytest.approx((107 - 1 / 2400, 27 + 1 / 2400, 1 / 1200))
    assert (plain.crs, plain.source) == ("EPSG:4326", ("N26E107.hgt",))
    with zipfile.ZipFile(tmp_path / "N26E107.hgt.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "N26E107.hgt", "N26E107.hgt")
    zipped = read_terrain([tmp_path / "N26E107.hgt.zip"])
    np.testing.assert_array_equal(zipped.elevation, plain.elevation)
    assert zipped.source == ("N26E107.hgt.zip",)


def test_tiles_are_put_together_in_any_order_and_fill_each_other_s_voids(tmp_path):
    west, east = srtm(100), srtm(200)
    # the tiles share a column of cells: where the western one is void there the eastern one counts
    west[10, 1200] = -32768
    write_hgt(tmp_path / "N26E107.hgt", west)
    write_hgt(tmp_path / "N26E108.hgt", east)
    paths = [tmp_path / "N26E107.hgt", tmp_path / "N26E108.hgt"]
    both = read_terrain(paths)
    assert both.elevation.shape == (1201, 2401)
    assert both.elevation[10, 1199:1202].tolist() == [100, 200, 200]
    assert both.elevation[11, 1199:1202].tolist() == [100, 100, 200]
    turned = read_terrain(paths[::-1])
    np.testing.assert_array_equal(both.elevation, turned.elevation)
    assert both.source == turned.source == ("N26E107.hgt", "N26E108.hgt")


def test_a_gap_between_tiles_is_void(tmp_path):
    write_hgt(tmp_path / "N26E107.hgt", srtm(100))
    write_hgt(tmp_path / "N27E108.hgt", srtm(200))
    both = read_terrain([tmp_path / "N26E107.hgt", tmp_path / "N27E108.hgt"])
    corner = elevation_at(both, np.array([107.5, 108.5, 107.5, 108.5]), np.array([26.5, 27.5, 27.5, 26.5]), crs="EPSG:4326")
    np.testing.assert_array_equal(corner, [100, 200, np.nan, np.nan])


def test_everything_wrong_is_said_at_once(tmp_path):
    (tmp_path / "short.tif").write_bytes(b"II*\x00 not really")
    (tmp_path / "broken.hgt.zip").write_bytes(b"PK not a zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    profile = {"driver": "GTiff", "height": 2, "width": 2, "count": 1, "dtype": "int16"}
    with rasterio.open(tmp_path / "nowhere.tif", "w", transform=from_origin(0, 0, 1, 1), **profile) as file:
        file.write(np.zeros((2, 2), "int16"), 1)
    with rasterio.open(tmp_path / "upside.tif", "w", crs=METRIC, transform=rasterio.Affine(1, 0, 0, 0, 1, 0), **profile) as file:
        file.write(np.zeros((2, 2), "int16"), 1)
    paths = [*sorted(tmp_path.iterdir()), tmp_path / "missing.hgt"]
    with pytest.raises(CountyDataError, match="6 problems") as caught:
        read_terrain(paths)
    assert {p.file: p.key for p in caught.value.problems} == {
        "broken.hgt.zip": "unreadable", "empty.zip": "terrain_empty_zip", "missing.hgt": "unreadable", "nowhere.tif": "no_crs",
        "short.tif": "unreadable", "upside.tif": "terrain_turned",
    }  # fmt: skip


def test_tiles_of_another_grid_are_refused(tmp_path):
    write_terrain(grid([[1, 2], [3, 4]]), tmp_path / "a.tif")
    write_terrain(Terrain(np.ones((2, 2), "float32"), 15.0, 60.0, 30.0, 30.0, METRIC), tmp_path / "b.tif")
    with pytest.raises(CountyDataError, match=r"b\.tif.*a\.tif"):
        read_terrain([tmp_path / "a.tif", tmp_path / "b.tif"])
    with pytest.raises(ValueError, match="at least one"):
        read_terrain([])
    with pytest.raises(ValueError, match="list of files"):
        read_terrain(tmp_path / "a.tif")


@pytest.mark.parametrize("rows", [[[1, 2, 3], [4, np.nan, 6]], [[1.25, 2], [np.nan, -3.5]]])
def test_written_terrain_is_read_back_exactly(tmp_path, rows):
    before = grid(rows)
    write_terrain(before, tmp_path / "terrain.tif")
    after = read_terrain([tmp_path / "terrain.tif"])
    np.testing.assert_array_equal(after.elevation, before.elevation)
    assert after.elevation.dtype == np.float32
    assert (after.west, after.north, after.cell_x, after.cell_y, after.crs) == (before.west, before.north, 30, 30, METRIC)


def test_elevation_between_cells_beside_voids_and_outside():
    #  middles at x 15, 45, 75; the northern row at y 45, the southern at y 15
    g = grid([[0, 10, 20], [40, 50, np.nan]])
    x = [15, 30, 30, 0, 45, 60, 60, 45.0, 91, 30]
    y = [45, 45, 30, 60, 15, 45, 30, 30.0, 30, -1]
    # north-west middle; half way east; middle of four (0+10+40+50)/4; outer corner; a middle; beside no void; beside a void; column
    expected = [0, 5, 25, 0, 50, 15, np.nan, 30, np.nan, np.nan]
    np.testing.assert_allclose(elevation_at(g, np.array(x, float), np.array(y, float), crs=METRIC), expected)


def test_elevation_is_the_same_by_any_coordinate_system():
    g = Terrain(np.arange(400, dtype="float32").reshape(20, 20), 500_000, 2_900_600, 30, 30, METRIC)
    rng = np.random.default_rng(1)
    x, y = 500_000 + rng.uniform(0, 600, 50), 2_900_000 + rng.uniform(0, 600, 50)
    from pyproj import Transformer

    lon, lat = Transformer.from_crs(METRIC, 4326, always_xy=True).transform(x, y)
    np.testing.assert_allclose(elevation_at(g, x, y, crs=METRIC), elevation_at(g, lon, lat, crs="EPSG:4326"), atol=1e-3)


def test_clip_keeps_what_is_asked_and_every_elevation_inside():
    rng = np.random.default_rng(2)
    g = Terrain(rng.uniform(0, 900, (50, 60)).astype("float32"), 1000, 3000, 30, 30, METRIC)
    part = clip_terrain(g, (1300, 2100, 1600, 2400), crs=METRIC)
    assert part.elevation.shape == (12, 12)
    x, y = rng.uniform(1300, 1600, 99), rng.uniform(2100, 2400, 99)
    np.testing.assert_allclose(elevation_at(g, x, y, crs=METRIC), elevation_at(part, x, y, crs=METRIC), atol=1e-9)
    assert clip_terrain(g, (9e6, 9e6, 9.1e6, 9.1e6), crs=METRIC).elevation.size == 0


def test_smoothing_keeps_a_plane_and_evens_out_noise():
    across = np.arange(40)[None, :] * 3.0 + np.arange(30)[:, None] * 5.0
    plane = Terrain(across.astype("float32"), 0, 900, 30, 30, METRIC)
    np.testing.assert_allclose(smooth_terrain(plane, width_m=100).elevation, plane.elevation, atol=1e-4)
    noise = np.random.default_rng(3).normal(0, 3, (200, 200))
    noisy = Terrain(noise.astype("float32"), 0, 6000, 30, 30, METRIC)
    # the mean of nine cells has a third of their spread
    assert smooth_terrain(noisy, width_m=100).elevation[1:-1, 1:-1].std() == pytest.approx(1.0, rel=0.05)
    # 1200 m cells are too coarse to be smoothed
    coarse = Terrain(noise.astype("float32"), 0, 240_000, 1200, 1200, METRIC)
    np.testing.assert_array_equal(smooth_terrain(coarse, width_m=100).elevation, coarse.elevation)


def test_smoothing_leaves_voids_void_and_does_not_count_them():
    g = smooth_terrain(grid([[3, 3, 3], [3, np.nan, 9], [3, 3, 3]]), width_m=90)
    # the border is cut evenly: corners keep their own, the middle of a side is the mean of its line
    np.testing.assert_array_equal(g.elevation, np.array([[3, 3, 3], [3, np.nan, 5], [3, 3, 3]], "float32"))


def test_shade_by_hand():
    flat = hillshade(grid(np.full((4, 4), 7.0).tolist()))
    np.testing.assert_allclose(flat, math.sin(math.radians(45)), rtol=1e-6)
    # a 45 degree slope that faces the sun in the east: full light; facing away: none
    rising_west = np.tile(np.arange(5)[::-1] * 30.0, (5, 1)).tolist()
    assert hillshade(grid(rising_west), azimuth=90, exaggeration=1)[2, 2] == pytest.approx(1.0, abs=1e-6)
    assert hillshade(grid(rising_west), azimuth=270, exaggeration=1)[2, 2] == pytest.approx(0.0, abs=1e-6)
    # and a slope that faces north, under a northern and a southern sun
    facing_north = np.tile((np.arange(5) * 30.0)[:, None], (1, 5)).tolist()
    assert hillshade(grid(facing_north), azimuth=0, exaggeration=1)[2, 2] == pytest.approx(1.0, abs=1e-6)
    assert hillshade(grid(facing_north), azimuth=180, exaggeration=1)[2, 2] == pytest.approx(0.0, abs=1e-6)


def test_tobler_is_one_on_the_level_and_steeper_is_slower():
    # 15 % uphill takes 1.42 times as long as downhill: exp(3.5 x 0.2) / exp(3.5 x 0.1)
    assert tobler_factor(0.0) == 1
    assert tobler_factor(-0.15) / tobler_factor(0.15) == pytest.approx(math.exp(0.35))
    slopes = np.linspace(-0.05, 1, 50)
    assert (np.diff(tobler_factor(slopes)) < 0).all()
    assert (np.diff(tobler_factor(-0.1 - slopes)) < 0).all()


def write_tif(
    path: Path, values: object, dtype: str = "float32", crs: str = METRIC, unit: str = "", scale: float = 1, offset: float = 0, **more: object
) -> Path:
    bands = np.atleast_3d(np.array(values, dtype).T).T
    profile = {"driver": "GTiff", "count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": dtype, "crs": crs} | more
    with rasterio.open(path, "w", transform=from_origin(500_000, 2_900_000, 30, 30), **profile) as file:
        file.write(bands)
        file.units, file.scales, file.offsets = (unit,) * len(bands), (scale,) * len(bands), (offset,) * len(bands)
    return path


def problems_of(*paths: Path) -> list[tuple[str, str]]:
    with pytest.raises(CountyDataError) as caught:
        read_terrain(paths)
    for lang in messages.LANGUAGES:
        assert "{" not in caught.value.text(lang)
    return [(p.file, p.key) for p in caught.value.problems]


def test_several_tiles_in_one_archive(tmp_path):
    for name, value in (("N26E107.hgt", 100), ("N26E108.hgt", 200)):
        write_hgt(tmp_path / name, srtm(value))
    apart = read_terrain([tmp_path / "N26E107.hgt", tmp_path / "N26E108.hgt"])
    with zipfile.ZipFile(tmp_path / "tiles.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "N26E108.hgt", "east/N26E108.hgt")
        archive.write(tmp_path / "N26E107.hgt", "N26E107.HGT")
        archive.writestr("__MACOSX/east/._N26E108.hgt", b"companion")
    together = read_terrain([tmp_path / "tiles.zip"])
    np.testing.assert_array_equal(together.elevation, apart.elevation)
    assert together.source == ("tiles.zip/N26E107.HGT", "tiles.zip/east/N26E108.hgt")


def test_damaged_and_cut_short_files_are_said_in_words(tmp_path):
    noise = np.random.default_rng(0).integers(0, 900, (1201, 1201)).astype("int16")
    write_hgt(tmp_path / "N26E107.hgt", noise)
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "N26E107.hgt", "N26E107.hgt")
    whole = (tmp_path / "whole.zip").read_bytes()
    middle = len(whole) // 2
    # gdal alone reads these bytes as ground
    (tmp_path / "bits.zip").write_bytes(whole[:middle] + bytes(2000) + whole[middle + 2000 :])
    (tmp_path / "short.zip").write_bytes(whole[:middle])
    (tmp_path / "N26E108.hgt").write_bytes((tmp_path / "N26E107.hgt").read_bytes()[:-500])
    tif = write_tif(tmp_path / "whole.tif", noise, "int16", compress="deflate").read_bytes()
    for share in (3, 10):
        (tmp_path / f"short{share}.tif").write_bytes(tif[: len(tif) * share // 11])
    (tmp_path / "nothing.tif").write_bytes(b"")
    broken = ["N26E108.hgt", "bits.zip", "nothing.tif", "short.zip", "short10.tif", "short3.tif"]
    assert problems_of(*(tmp_path / b for b in broken)) == [(b, "unreadable") for b in broken]


def test_heights_in_other_units_become_metres(tmp_path):
    foot = write_tif(tmp_path / "foot.tif", [[1000, 2000]], unit="ft")
    np.testing.assert_allclose(read_terrain([foot]).elevation, [[304.8, 609.6]], rtol=1e-6)
    survey = write_tif(tmp_path / "survey.tif", [[1000, 2000]], crs="EPSG:2263+6360")
    np.testing.assert_allclose(read_terrain([survey]).elevation, [[304.8006, 609.6012]], rtol=1e-6)
    # the band's own unit, scale and offset count; 0.1 x 12345 + 5 m
    packed = write_tif(tmp_path / "packed.tif", [[12345, -32768]], "int16", unit="metre", scale=0.1, offset=5)
    np.testing.assert_allclose(read_terrain([packed]).elevation, [[1239.5, np.nan]], rtol=1e-6)
    assert problems_of(write_tif(tmp_path / "fathom.tif", [[1, 2]], unit="fathom")) == [("fathom.tif", "terrain_unit")]


def test_another_vertical_datum_is_no_other_grid(tmp_path):
    sea = write_tif(tmp_path / "a.tif", [[700, 710]], crs="EPSG:4490")
    ellipsoid = write_tif(tmp_path / "b.tif", [[668, 678]], crs="EPSG:4480")
    geoid = write_tif(tmp_path / "c.tif", [[668, 678]], crs="EPSG:4490+5737")
    assert {read_terrain([p]).crs for p in (sea, ellipsoid, geoid)} == {"EPSG:4490"}
    np.testing.assert_array_equal(slope_raster(read_terrain([sea])), slope_raster(read_terrain([ellipsoid])))


@pytest.mark.parametrize(
    ("values", "dtype", "more", "key"),
    [
        ([[0, 255], [128, 3]], "uint8", {}, "terrain_picture"),
        ([[[9, 8]], [[7, 6]], [[5, 4]]], "uint16", {"photometric": "RGB"}, "terrain_picture"),
        ([[0.2, 0.9], [1.0, 0.71]], "float32", {}, "terrain_not_metres"),
        # decimetres of a plateau, and the bottom of the sea
        ([[12000, 21000], [8000, 30000]], "int16", {}, "terrain_not_metres"),
        ([[-6000, -5000], [-800, 3]], "int16", {}, "terrain_not_metres"),
    ],
)
def test_what_cannot_be_metres_of_elevation_is_refused(tmp_path, values, dtype, more, key):
    assert problems_of(write_tif(tmp_path / "other.tif", values, dtype, **more)) == [("other.tif", key)]


def test_voids_that_the_file_does_not_declare(tmp_path):
    for k, gone in enumerate((-32768, -9999, -3.4028234663852886e38, np.inf, 1e20, np.nan)):
        some = read_terrain([write_tif(tmp_path / f"{k}.tif", [[gone, gone if gone != 1e20 else 4, 2.5, 700]])])
        assert np.isnan(some.elevation[0, 0]) and some.elevation[0, 2:].tolist() == [2.5, 700]
    # a lonely spike is void; low ground, in fractions of a metre or on the level, is ground
    assert np.isnan(read_terrain([write_tif(tmp_path / "spike.tif", [[9500, 10, 20]])]).elevation).tolist() == [[True, False, False]]
    for rows in ([[0.0, 0.0]], [[0.0, 1.0]], [[0.5, 1.5]], [[-0.5, 0.5]]):
        np.testing.assert_array_equal(read_terrain([write_tif(tmp_path / "low.tif", rows)]).elevation, rows)


def test_voids_are_counted_and_places_in_them_are_named():
    g = grid([[1, 2, 3], [4, np.nan, 6], [7, 8, 9], [1, 1, 1]])
    assert void_share(g) == pytest.approx(1 / 12) and void_share(grid([[1.0]])) == 0
    # on the void; beside it; on a middle two rows below; outside; on a middle right beside it, where its share is nil
    x, y = np.array([45.0, 60, 45, 500, 45]), np.array([75.0, 80, 15, 15, 45])
    assert in_void(g, x, y, crs=METRIC).tolist() == [True, True, False, False, False]
    notes = void_notes(g, list("ABCDE"), x, y, crs=METRIC)
    assert notes == [("note.terrain_void", {"count": 1, "total": 12, "percent": "8.3"}), ("note.places_in_void", {"count": 2, "places": "A、B"})]
    for lang in messages.LANGUAGES:
        assert all(messages.text(key, lang, **fields) for key, fields in notes)
    assert void_notes(grid([[1, 2]]), ["A"], x[:1], y[:1], crs=METRIC) == []


def test_slope_by_horn_s_formula():
    rng = np.random.default_rng(5)
    z = rng.normal(0, 20, (7, 9))
    slope = slope_raster(Terrain(z.astype("float32"), 0, 280, 30, 40, METRIC))
    for r in range(1, 6):
        for c in range(1, 8):
            (a, b, cc), (d, _, f), (g, h, i) = z[r - 1 : r + 2, c - 1 : c + 2]
            east, north = ((cc + 2 * f + i) - (a + 2 * d + g)) / (8 * 30), ((a + 2 * b + cc) - (g + 2 * h + i)) / (8 * 40)
            assert slope[r, c] == pytest.approx(math.hypot(east, north), rel=1e-5)
    assert slope.dtype == np.float32 and slope.shape == z.shape


def test_slope_of_a_plane_holds_up_to_the_border_and_beside_voids_is_unknown():
    plane = (np.arange(6)[None, :] * 3.0 + np.arange(5)[:, None] * 4.0).tolist()
    np.testing.assert_allclose(slope_raster(grid(plane, 10.0)), 0.5, rtol=1e-6)
    plane[2][2] = np.nan
    unknown = np.isnan(slope_raster(grid(plane, 10.0)))
    assert unknown[1:4, 1:4].all() and unknown.sum() == 9
    assert slope_raster(grid([[0, 3, 6]], 10.0))[0].tolist() == pytest.approx([0.3] * 3)
    assert slope_raster(grid([[5]])).tolist() == [[0]] and slope_raster(grid([[]])).shape == (1, 0)


def test_slope_in_degrees_knows_that_meridians_meet():
    east = np.tile(np.arange(5) * 10.0, (1001, 1)).astype("float32")
    slope = slope_raster(Terrain(east, 107, 60, 0.01, 0.06, "EPSG:4326"))
    latitude = 60 - 0.06 * (np.arange(1001) + 0.5)
    np.testing.assert_allclose(slope[:, 2], 10 / (0.01 * 111_195 * np.cos(np.radians(latitude))), rtol=1e-5)


@pytest.mark.skipif(not REAL, reason="LAYOUT_REAL_DATA is not set: no real elevation tiles")
def test_comoros_tiles():
    folder = Path(REAL) / "comoros"
    terrain = read_terrain(sorted(folder.glob("*.hgt.zip")))
    assert terrain.elevation.shape == (7201, 7201)
    assert np.nanmin(terrain.elevation) >= -20
    assert 2300 < np.nanmax(terrain.elevation) < 2400
    # Karthala's crater rim, and the sea between the islands
    summit = elevation_at(terrain, np.array([43.36]), np.array([-11.76]), crs="EPSG:4326")
    assert 2000 < summit[0] < 2361
