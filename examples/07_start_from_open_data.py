"""What can be planned where nothing but open data is at hand?

Builds a county folder of Grande Comore from an OpenStreetMap extract, a population raster and elevation tiles, plans it,
and prints the pupils beyond 30 minutes before and after. Open data know no rooms, grades or ages: those are assumed and
marked. Reads the folder named by LAYOUT_REAL_DATA; writes into maps/. Runs in some minutes.
"""

import os
from pathlib import Path

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
DATA = Path(os.environ.get("LAYOUT_REAL_DATA", "data")) / "comoros"  # extract, raster and tiles, downloaded before
AREA = "43.20,-12.0,43.55,-11.3"  # west,south,east,north in degrees; or a polygon file
NAME = "grande_comore"  # a new folder of this name is made in maps/
YEAR = 2030  # the plan year
GAP = 0.05  # the search stops when the money is proven to be within this share of the least possible

# %% From open data to a county folder; a folder that is already a county is never overwritten.
county = layout.open_county(
    Path("maps") / NAME / "county", pbf=DATA / "comoros.osm.pbf", population=DATA / "worldpop_2020_100m.tif",
    terrain=sorted(DATA.glob("*.hgt.zip")), boundary=AREA, name="Grande Comore",
)  # fmt: skip
print(county.assumptions.to_string(index=False, max_colwidth=100))

# %% The plan, and its files: the map, the workbook, and everything needed to draw them again.
plan = layout.make_plan(county, to=YEAR, gap=GAP)
files = layout.write_plan(plan, Path("maps") / NAME / "plan")

# %% Pupils of grades 1-3 without a school within the limit of half an hour, by settlement, before and after.
far = "year == @YEAR and grade <= 3 and attends == 'home' and status != 'served'"
before = plan.today.assignment.query(far).groupby("settlement_id").pupils.sum()
after = plan.planned.assignment.query(far).groupby("settlement_id").pupils.sum()
places = county.settlements.set_index("settlement_id")[["name"]].assign(before=before, after=after).fillna(0)
print(places.query("before > 0 or after > 0").to_string(float_format="%.0f"))

# %% The answer.
opened = int((plan.proposals.action == "open").sum())
assumed = ", ".join(county.assumptions.table + "." + county.assumptions.column)
print(
    f"In {YEAR} the plan opens {opened} schools and lowers pupils of grades 1-3 beyond 30 minutes from {before.sum():.0f} to {after.sum():.0f} "
    f"(map: {files['map.html']}); assumed figures: {assumed}."
)
