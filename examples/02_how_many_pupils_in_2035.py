"""How many pupils will there be in 2035?

Children already born decide primary entry for six years and junior entry for twelve; relocation moves are applied in
their years. Prints pupils by grade band and year. Runs in seconds.
"""

from pathlib import Path

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTY = Path(__file__).parents[1] / "data" / "sample"  # the county folder
YEARS = [2025, 2030, 2035]  # school years, by the calendar year in which they start

# %% People into pupils.
county = layout.read_county(COUNTY)
standards = layout.read_standards(county.standards_path)
pupils = layout.project_pupils(county, standards, years=YEARS)

# %% Pupils by grade band: grades 1-3, 4-6 and 7-9.
bands = pupils.assign(band=pupils.grade.map(layout.band_of))
print(bands.pivot_table(index="band", columns="year", values="pupils", aggfunc="sum", sort=False).round().to_string())

# %% Where they will live: relocation sites fill as their moves come due.
sites = county.settlements.query("kind == 'relocation'")[["settlement_id", "name"]]
at_sites = pupils.merge(sites, on="settlement_id")
print(at_sites.pivot_table(index="name", columns="year", values="pupils", aggfunc="sum").round().to_string())

# %% Registered births against the age list: why births alone would mislead.
print(layout.birth_factor(county, standards).to_string(index=False))

# %% The answer.
totals = pupils.groupby("year").pupils.sum()
first, last = YEARS[0], YEARS[-1]
print(f"{county.name}: {totals[first]:.0f} pupils in {first}, {totals[last]:.0f} in {last} ({totals[last] / totals[first] - 1:+.0%}).")
