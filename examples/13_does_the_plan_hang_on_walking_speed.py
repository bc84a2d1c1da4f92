"""Does the plan hang on how fast children walk?

规划结果会不会因步行速度而变？按慢、中、快三种步速各做一个规划，看哪些建议三种步速都有（无悔建议），哪些只在某一种步速下出现；
再把每个规划放到别的步速下检验。步速是最不确定的假设之一（待核实），所以报告里应附上这两张表。
One plan for each speed of the standards (slow, medium, fast: half a km/h apart), which proposals they share, and every plan judged at every
speed by whole children, classes and beds: one with more rooms or beds may come out better at another speed too. Runs in a minute.
"""

import pandas as pd

import layout
from layout.sensitivity import walking_speeds

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTY = layout.make_sample_county(seed=1, settlements=40)  # or layout.read_county("data/mycounty")
YEAR = 2030  # the last plan year
SPEEDS = ["slow", "fast"]  # beside the medium one; "brisk" is what was measured of unladen children

# %% How fast that is: km/h on the level by grade band.
standards = layout.read_standards(COUNTY.standards_path)
kph = pd.DataFrame({speed: walking_speeds(standards, speed) for speed in ["medium", *SPEEDS]})
print(kph.to_string())

# %% A plan for each speed, each judged at all of them.
plan = layout.make_plan(COUNTY, standards, to=YEAR)
plan = layout.with_futures(plan, [layout.Scenario(name=speed, walking=speed) for speed in SPEEDS])
common = plan.common_proposals

# %% What stays: proposals by the speeds that make them, and how much of one plan is in another (same school, action and role).
print(pd.crosstab(common["action"], common["kind"], margins=True).to_string())
made = common["scenario_ids"].str.get_dummies(sep=";").rename(columns={"plan": "medium"})
shared, sizes = made.T @ made, made.sum()
overlap = shared / (sizes.to_numpy()[:, None] + sizes.to_numpy() - shared)
print("proposals in both", shared.to_string(), "share of those in either", overlap.round(2).to_string(), sep="\n")
print(common.query("kind != 'all'")[["school_id", "action", "role", "scenario_ids"]].to_string(index=False))

# %% Children beyond the limit in child-years: a row a plan, a column a speed at which it is judged; and which plan regrets least.
beyond = plan.evaluations.replace("plan", "medium").pivot(index="plan_id", columns="scenario_id", values="beyond_limit")
print(beyond.round().to_string())
print(plan.plan_regrets[["plan_id", "worst_id", "regret_without_place", "regret_beyond_limit", "regret_cost_yuan", "rank"]].to_string(index=False))

# %% The answer.
same = common.query("kind == 'all'")
print(f"{len(same)} of {len(common)} proposals stand at all {len(kph.columns)} speeds, with "
      f"{same['cost_yuan_least'].sum() / common['cost_yuan_most'].sum():.0%} of the money that all of them might need; the plan at medium speed "
      f"leaves {beyond.loc['medium', 'slow']:.0f} child-years beyond the limit where children walk slowly, {beyond.loc['medium', 'fast']:.0f} "
      "where they walk fast.")  # fmt: skip
