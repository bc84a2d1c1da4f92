"""How even is access to schools on an island, by open data alone?

一座岛上的就学机会有多均衡？只用开放数据：步行分钟数、两步移动搜寻法（2SFCA、E2SFCA）、基尼系数、限时以外儿童的比例、等时圈。
Open data know no seats, so every school counts alike: a score of 1 is the island's mean; a school that nobody has mapped is none. Needs the
extract, raster and tiles of Grande Comore in the folder named by LAYOUT_REAL_DATA; writes a county folder and isochrones.gpkg. Runs in half a minute.
"""

import os
from pathlib import Path

import pandas as pd
import rasterio
from rasterio.mask import mask

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
DATA = Path(os.environ.get("LAYOUT_REAL_DATA", "data")) / "comoros"
PEOPLE = DATA / "worldpop_2020_100m.tif"  # persons a cell
AREA = "43.20,-12.0,43.55,-11.3"  # west,south,east,north in degrees; or a polygon file
OUT = Path("island")  # a new folder
BANDS = [15, 30, 60]  # minutes of the isochrones

# %% A county folder; children of grades 1-3 by settlement (ages follow a census elsewhere, marked as assumed), and schools for them.
county = layout.open_county(OUT, pbf=DATA / "comoros.osm.pbf", population=PEOPLE, terrain=sorted(DATA.glob("*.hgt.zip")), boundary=AREA)
standards = layout.read_standards()
limit = standards.limit("walk", "lower")
pupils = layout.project_pupils(county, standards, years=[county.base_year]).query("grade <= 3").groupby("settlement_id")["pupils"].sum()
schools = county.schools.query("status == 'open' and first_grade == 1")

# %% Minutes on foot over the island's slopes, and as if it were flat: the slower direction counts; whoever has no way is beyond every limit.
network = layout.prepare_network(county.roads, terrain=county.terrain, obstacles=county.obstacles)
hilly, flat = layout.nearest(network, county.settlements, schools), layout.nearest(county.roads, county.settlements, schools)
minutes = pd.DataFrame({"hilly": layout.judged_minutes(hilly.set_index("from_id"), standards),
                        "flat": layout.judged_minutes(flat.set_index("from_id"), standards)}, index=pupils.index)  # fmt: skip
beyond = 1 - (minutes <= limit).mul(pupils, axis=0).sum() / pupils.sum()

# %% Scores: schools within the limit over the children within the limit of each, plain and weighted by minutes.
times, alike = layout.travel_times(network, county.settlements, schools), pd.Series(pupils.sum() / len(schools), schools["school_id"])
scores = pd.DataFrame({"2SFCA": layout.access_scores(pupils, alike, times, method="2SFCA", limit=limit),
                       "E2SFCA": layout.access_scores(pupils, alike, times, method="E2SFCA", limit=limit)})  # fmt: skip
near, none = minutes["hilly"].dropna(), pupils[scores["2SFCA"] == 0].sum() / pupils.sum()
gini = {"minutes": layout.gini(near, pupils[near.index]), **scores.apply(layout.gini, weights=pupils)}
print(scores.assign(pupils=pupils, **minutes).describe(percentiles=[0.1, 0.5, 0.9]).round(2).to_string())
print(pd.DataFrame({"gini": gini, "share beyond the limit": beyond}).round(3).to_string())

# %% Isochrones, and the people of the raster inside them: a village is not a point.
bands = layout.isochrones(network, schools, BANDS)
bands.to_file("isochrones.gpkg")
print((bands.dissolve("minutes").area / 1e6).round(1).rename("km2").to_string())
with rasterio.open(PEOPLE) as raster:
    inside = mask(raster, bands.query("minutes <= @limit").to_crs(raster.crs).geometry, nodata=0)[0].clip(0).sum()

# %% The answer.
print(f"{beyond['hilly']:.0%} of the children of grades 1-3 live farther than {limit:.0f} minutes from a school ({beyond['flat']:.0%} if it were "
      f"flat), {none:.0%} have a score of 0; Gini of 2SFCA {gini['2SFCA']:.2f}, of E2SFCA {gini['E2SFCA']:.2f}; by cells of 100 m "
      f"{1 - inside / county.population['persons'].sum():.0%} of the people live farther.")  # fmt: skip
