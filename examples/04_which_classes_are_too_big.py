"""Which classes are too big?

Today's real classes from the rosters, and the classes of a later year if nothing is done. 56 pupils and over is an
oversized class (大班额), 66 and over a super-oversized one (超大班额). Runs in about half a minute.
"""

from pathlib import Path

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTY = Path(__file__).parents[1] / "data" / "sample"  # the county folder
YEAR = 2030  # the later school year

# %% Pupils, minutes, and who goes where under today's schools.
county = layout.read_county(COUNTY)
standards = layout.read_standards(county.standards_path)
pupils = layout.project_pupils(county, standards, years=[county.base_year, YEAR])
times = layout.county_times(county, standards)
seat_schools = layout.seat_schools(county)
assignment = layout.assign(pupils, times, county.schools, standards, seat_schools=seat_schools)

# %% Classes of both years.
classes = layout.class_sizes(assignment, county.schools, county.rosters, standards, base_year=county.base_year)
named = classes.merge(county.schools[["school_id", "name"]], on="school_id")

# %% The largest classes of each year.
columns = ["year", "name", "class_group", "pupils", "classes", "largest_class", "tier", "rooms_missing"]
print(named.sort_values(["year", "largest_class"], ascending=[True, False]).groupby("year")[columns].head(8).to_string(index=False))

# %% The answer.
counts = classes.groupby("year")[["classes", "oversized_classes", "super_classes"]].sum()
now, then = counts.loc[county.base_year], counts.loc[YEAR]
print(
    f"{now.oversized_classes} of {now.classes} classes are oversized in {county.base_year} ({now.super_classes} of them super-oversized); "
    f"if nothing is done, {then.oversized_classes} of {then.classes} in {YEAR}."
)
