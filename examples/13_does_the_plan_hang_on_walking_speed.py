"""Does the plan hang on how fast children walk?

规划结果会不会因步行速度而变？按慢、中、快三种步速各做一个规划，看哪些建议三种步速都有，哪些只在某一种步速下出现，两两之间重合多少；
再看按中等步速做的规划，孩子走得慢些或快些时还有多少在限时之内。步速是最不确定的假设之一（待核实），报告里应附上这些表。
A plan for each speed of the standards (slow and fast: half a km/h off the medium one), which proposals they share, and how many children the plan
made at medium speed leaves within the limit at the others. Runs in a minute.
"""

import pandas as pd

import layout
from layout.sensitivity import walking_speeds

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTY = layout.make_sample_county(seed=1, settlements=40)  # or layout.read_county("data/mycounty")
YEAR = 2030  # the last plan year
SPEEDS = ["slow", "medium", "fast"]  # and "brisk", what was measured of unladen children

# %% How fast that is: km/h on the level by grade band.
standards = layout.read_standards(COUNTY.standards_path)
kph = pd.DataFrame({speed: walking_speeds(standards, speed) for speed in SPEEDS})
print(kph.to_string())

# %% A plan for each speed, and what it comes to in the last year.
plans = {speed: layout.make_plan(COUNTY, standards, to=YEAR, scenario=layout.Scenario(name=speed, walking=speed)) for speed in SPEEDS}
outcomes = pd.concat({speed: plan.summary.query("view == 'planned' and year == @YEAR") for speed, plan in plans.items()}).droplevel(1)
money = pd.Series({speed: plan.proposals["cost_yuan"].sum() / 1e6 for speed, plan in plans.items()}, name="million yuan")
print(outcomes[["served", "beyond_limit", "no_bed", "no_route", "lower_out_of_limit", "boarders"]].join(money.round(1)).to_string())

# %% What stays: the same school, action and role. How many proposals two plans share, and which share that is of those in either.
common = layout.no_regret({speed: plan.proposals for speed, plan in plans.items()})
print(pd.crosstab(common["action"], common["kind"], margins=True).to_string())
made = common["scenario_ids"].str.get_dummies(sep=";")[SPEEDS]
shared, sizes = made.T @ made, made.sum().to_numpy()
print("proposals in both", shared.to_string(), "share of those in either", sep="\n")
print((shared / (sizes[:, None] + sizes - shared)).round(2).to_string())
print(common.query("kind != 'all'")[["school_id", "action", "role", "scenario_ids"]].to_string(index=False))

# %% The plan made at medium speed, if children walk otherwise: children within the limit by grade band (seats and beds left out).
cases = plans["medium"].sensitivity.query("view == 'planned' and year == @YEAR and case in ['slower', 'base', 'faster']")
within = cases.pivot(index="band", columns="case", values="within")[["slower", "base", "faster"]]
print(within.join(cases.groupby("band")["pupils"].first()).to_string())

# %% The answer.
same, sums = common.query("kind == 'all'"), within.sum()
print(f"{len(same)} of {len(common)} proposals stand at all {len(SPEEDS)} speeds ({same['cost_yuan_least'].sum() / 1e6:.1f} million yuan); with the "
      f"plan made at medium speed {sums['base']} children have a school within the limit, {sums['slower']} if they walk half a km/h slower and "
      f"{sums['faster']} if faster.")  # fmt: skip
