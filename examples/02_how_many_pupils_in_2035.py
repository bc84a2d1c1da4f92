"""How many pupils will there be in 2035, and how sure is that?

Children already born decide primary entry for six years and junior entry for twelve; relocation moves are applied in their years.
Prints pupils by grade band and year with their range, three scenarios, the year of the peak. Runs in seconds.
"""

from pathlib import Path

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTY = Path(__file__).parents[1] / "data" / "sample"  # the county folder
YEARS = range(2025, 2036)  # school years, by the calendar year in which they start
DRAWS = 200  # draws behind the ranges

# %% People into pupils, once as expected and many times with chance and drift.
county = layout.read_county(COUNTY)
standards = layout.read_standards(county.standards_path)
pupils = layout.project_pupils(county, standards, years=YEARS)
drawn = layout.draw_pupils(county, standards, years=YEARS, draws=DRAWS)
forecast = layout.forecast_pupils(county, standards, years=YEARS, draws=drawn)

# %% The county by grade band: eight times in ten the pupils lie between low and high.
whole = forecast.query("level == 'county' and group in ['lower', 'upper', 'junior', 'all'] and year in [2025, 2030, 2035]")
print(whole[["group", "year", "pupils", "low", "high", "registered"]].round().to_string(index=False))

# %% What the width rests on, and the year in which each band is largest.
print(layout.drifts(county, standards))
print(layout.peak_years(pupils).round().to_string(index=False))

# %% Where they will live: relocation sites fill as their moves come due.
sites = county.settlements.query("kind == 'relocation'")[["settlement_id", "name"]]
at_sites = pupils.query("year in [2025, 2030, 2035]").merge(sites, on="settlement_id")
print(at_sites.pivot_table(index="name", columns="year", values="pupils", aggfunc="sum").round().to_string())

# %% If half as many study out of their township, and if births and migration are low: pupils schooled at the county seat, all pupils.
halved = layout.project_pupils(county, standards, years=[2035], scenario=layout.Scenario(attendance="halved"))
low = layout.project_pupils(county, standards, years=[2035], scenario=layout.Scenario(variant="low"))
print(halved.groupby("attends").pupils.sum().round().to_dict(), round(low.pupils.sum()))

# %% Registered births against the age list: why births alone would mislead.
print(layout.birth_factor(county, standards).to_string(index=False))
print(layout.entry_ratios(county, standards).round(2).head().to_string(index=False))

# %% The answer.
last = whole.query("group == 'all' and year == 2035").iloc[0]
first = whole.query("group == 'all' and year == 2025").pupils.sum()
print(f"{county.name}: {first:.0f} pupils in 2025, {last.pupils:.0f} in 2035 ({last.pupils / first - 1:+.0%}), "
      f"between {last.low:.0f} and {last.high:.0f} eight times in ten.")  # fmt: skip
