"""How long is the way to school?

Minutes on foot over the county's own roads and slopes, for the smallest children, to the nearest school that teaches
them. The slower direction is judged. Runs in seconds.
"""

from pathlib import Path

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTY = Path(__file__).parents[1] / "data" / "sample"  # the county folder
BAND = "lower"  # "lower" (grades 1-3), "upper" (4-6) or "junior" (7-9)

# %% Minutes from every settlement to every open school.
county = layout.read_county(COUNTY)
standards = layout.read_standards(county.standards_path)
schools = county.schools.query("status == 'open'")
times = layout.travel_times(county.roads, county.settlements, schools, band=BAND, terrain=county.terrain)

# %% The nearest school of each settlement; a settlement that reaches none has no row.
nearest = layout.nearest_school(times, schools, standards).query("band == @BAND")
pupils = layout.project_pupils(county, standards, years=[county.base_year]).query("attends == 'home'")
children = pupils[pupils.grade.map(layout.band_of) == BAND].groupby("settlement_id").pupils.sum()
ways = nearest.set_index("settlement_id").join(children).join(county.settlements.set_index("settlement_id").name)

# %% Who is beyond the limit of the standards, longest first.
limit = standards.limit("walk", BAND)
late = ways.query("minutes > @limit").sort_values("minutes", ascending=False)
print(late[["name", "school_id", "minutes", "pupils"]].head(20).round(1).to_string())
print(standards.rules[f"travel.limit.walk.{BAND}"].cite("zh"))

# %% The answer.
unreached = children.drop(nearest.settlement_id, errors="ignore")
print(
    f"{late.pupils.sum():.0f} of {children.sum():.0f} pupils ({BAND}) in {len(late)} settlements walk longer than {limit:.0f} minutes; "
    f"{unreached.sum():.0f} in {len(unreached)} settlements reach no school on foot."
)
