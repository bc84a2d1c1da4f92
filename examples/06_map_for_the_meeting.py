"""The map for the meeting.

Makes a plan and writes one HTML file that opens from a USB stick without a network, the workbook beside it, and
everything needed to draw it again. Runs in about a minute.
"""

from pathlib import Path

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTY = Path(__file__).parents[1] / "data" / "sample"  # the county folder
YEAR = 2035  # the plan year
FOLDER = Path("maps") / "meeting"  # where the files go
LANGUAGE = "zh"  # language in which the page opens: "zh" or "en"

# %% Plan.
county = layout.read_county(COUNTY)
plan = layout.make_plan(county, to=YEAR)

# %% Write map.html, plan.xlsx, plan.gpkg and manifest.json, all or nothing.
files = layout.write_plan(plan, FOLDER, lang=LANGUAGE)

# %% An edition without small counts, for people outside the bureau. Showing it in public also needs a map review (审图号).
layout.write_plan(plan, FOLDER / "public", lang=LANGUAGE, audience="public")

# %% The answer.
size_mb = files["map.html"].stat().st_size / 1e6
print(f"The map of {county.name} is {FOLDER / 'map.html'} ({size_mb:.1f} MB): open it by double-click, no network is needed.")
