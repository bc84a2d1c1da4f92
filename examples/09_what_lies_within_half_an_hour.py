"""What ground lies within half an hour of a school, and whose school is nearest?

Bands of minutes around every open school and the ground divided by the nearest one, as layers for QGIS. Runs in seconds.
"""

from pathlib import Path

import geopandas as gpd

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTY = Path(__file__).parents[1] / "data" / "sample"  # the county folder
BAND = "lower"  # "lower" (grades 1-3), "upper" (4-6) or "junior" (7-9)
MINUTES = [15, 30]  # upper ends of the bands
OUT = Path("layout_reach.gpkg")  # the file to write

# %% Roads, slopes and water, prepared once.
county = layout.read_county(COUNTY)
network = layout.prepare_network(county.roads, band=BAND, terrain=county.terrain, obstacles=county.obstacles)
grades = layout.tables.BANDS[BAND]
schools = county.schools.query("status == 'open' and first_grade <= @grades[0] and last_grade >= @grades[-1]")
places = layout.join_places(network, schools[["school_id", "geometry"]])

# %% Walking towards the school: bands that do not overlap, the outermost first.
bands = layout.isochrones(network, places, MINUTES)
areas = layout.service_areas(network, places)
bands.to_file(OUT, layer="bands", driver="GPKG")
areas.to_file(OUT, layer="service_areas", driver="GPKG")

# %% Which settlements lie in no band of any school?
inside = gpd.sjoin(county.settlements, bands, predicate="within").settlement_id.unique()
outside = county.settlements[~county.settlements.settlement_id.isin(inside)]
print(outside[["settlement_id", "name"]].head(20).to_string(index=False))

# %% The answer.
print(
    f"{len(outside)} of {len(county.settlements)} settlements lie farther than {MINUTES[-1]} minutes on foot ({BAND}) from every one of "
    f"{len(schools)} schools; the service areas of {len(areas)} schools cover {areas.area_m2.sum() / 1e6:,.0f} km2. Layers: {OUT.name}"
)
