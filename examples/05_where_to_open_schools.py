"""Where should schools be opened, enlarged or given beds?

Solves for the proposals that leave the fewest children without a place, then the fewest beyond the limit, then cost
least, and prints each with its reason. Runs in about a minute.
"""

from pathlib import Path

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTY = Path(__file__).parents[1] / "data" / "sample"  # the county folder
YEAR = 2035  # the plan year

# %% The whole straight line: pupils, minutes, classes, proposals, and once more with the proposals.
county = layout.read_county(COUNTY)
plan = layout.make_plan(county, to=YEAR)

# %% Each proposal in one sentence; money is an estimate from unit costs that are not verified (待核实).
print(plan.proposals.query("action != 'keep'")[["action", "reason_en"]].to_string(index=False, max_colwidth=200))

# %% Small schools that must stay, and why.
print(plan.proposals.query("action == 'keep'")[["school_id", "reason_en"]].to_string(index=False, max_colwidth=200))

# %% Before and after.
print(plan.summary.to_string(index=False))

# %% How good is it? Every level of the search with its bound.
print(plan.manifest["solve"])

# %% The answer.
today = plan.summary.query("view == 'today' and year == @YEAR").iloc[0]
planned = plan.summary.query("view == 'planned' and year == @YEAR").iloc[0]
actions = plan.proposals.action.value_counts()
print(
    f"In {YEAR} the plan opens {actions.get('open', 0)} schools, enlarges {actions.get('expand', 0)}, adds beds at {actions.get('add_boarding', 0)} "
    f"and keeps {actions.get('keep', 0)} small ones: pupils of grades 1-3 beyond the limit or without a school fall from "
    f"{today.lower_out_of_limit} to {planned.lower_out_of_limit}."
)
