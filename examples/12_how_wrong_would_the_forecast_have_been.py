"""How wrong would the forecast have been?

如果当年就用同样的方法推算，会差多少？一个城市21年的小学在校生逐年回测：与“照抄上年”“随班升级”两种简单推算比较，检验区间；
再用加拿大五十年的人口回测6至11岁儿童：已出生的推得准，未出生的推不准。每一年只用它以前的数据。
For your own county put its table ``history`` in place of the classes. Needs the folders enrolment and demography in the folder named by
LAYOUT_REAL_DATA. Runs in seconds.
"""

import os
from pathlib import Path

import pandas as pd

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
DATA = Path(os.environ.get("LAYOUT_REAL_DATA", "data"))
CLASSES = DATA / "enrolment" / "eau_claire_sections_1998_2018.csv"  # a row a class of a primary school and year
BASES = range(2003, 2014)  # years from which five years are forecast with their range
CANADA, STARTS = DATA / "demography" / "canada_1x1", range(1960, 2011, 5)  # years from which ten years are carried on

# %% The roll by school, year and grade (kindergarten is 0, the entry). Median error in percent, and that of two naive forecasts.
rows = pd.read_csv(CLASSES, dtype={"grade": str}).rename(columns={"school": "school_id", "students": "pupils"})
rows = rows.assign(year=rows["count_date"].str[:4].astype(int), grade=rows["grade"].replace("K", "0").astype(int))
history = rows.groupby(["school_id", "year", "grade"], as_index=False)["pupils"].sum()
tested = layout.back_test(history)
print(layout.back_test_errors(tested).query("ahead in [1, 3, 5]").round(1).to_string(index=False))

# %% Small schools are harder: a year ahead, grades in school, by quarters of the roll of the school in the year forecast from.
roll = history.groupby(["school_id", "year"])["pupils"].sum().rename("roll").rename_axis(["school_id", "base"]).reset_index()
near = tested.query("ahead == 1 and kind == 'school' and school_id != '' and actual > 0").merge(roll, on=["school_id", "base"])
near = near.assign(error=(near["forecast"] / near["actual"] - 1).abs() * 100, naive=(near["last_year"] / near["actual"] - 1).abs() * 100)
print(near.groupby(pd.qcut(near["roll"], 4))[["error", "naive"]].median().round(1).to_string())

# %% Does the range hold? Eight in ten outcomes should lie inside; each base year knows its own past only.
ranges, children = [], []
for base in BASES:
    ranges.append(layout.project_enrolment(history.query("year <= @base"), years=range(base + 1, base + 6)).assign(base=base))
came = pd.concat(ranges).merge(history, on=["school_id", "year", "grade"], suffixes=("", "_came"))
inside = came["pupils_came"].between(came["low"], came["high"]).groupby(came["year"] - came["base"]).mean()
print(inside.rename_axis("ahead").rename("inside").round(3).to_string())

# %% Cohorts of a country: births, deaths and migration go on as in the first year. Percent by which children of 6-11 are missed.
read = {path.stem: pd.read_csv(path).rename(columns={"time_start": "year", "age_start": "age"}) for path in CANADA.glob("*.csv")}
seen = read["expected_pop_count_age_sex_1x1"].query("sex != 'both'").rename(columns={"value": "persons"})[["year", "age", "sex", "persons"]]
survival = read["in_life_table_Sx_nMx"].query("indicator == 'lt_Sx'").rename(columns={"value": "survival"})
fertility, migration = read["in_fert_rate_age_f"], read["in_mig_net_count_age_sex"].rename(columns={"value": "migrants"})
rates = [survival, fertility.rename(columns={"value": "rate"}), read["in_srb"].rename(columns={"value": "srb"}), migration]
for start in STARTS:
    years = pd.DataFrame({"year": range(start, start + 10)})
    held = [rate.query("year == @start").drop(columns="year").merge(years, how="cross") for rate in rates]
    done = layout.project_cohorts(seen.query("year == @start"), held[0], held[1], srb=held[2], years=years["year"], migration=held[3]).people
    both = done.query("6 <= age <= 11").merge(seen, on=["year", "age", "sex"], suffixes=("", "_came"))
    children.append(both.groupby("year", as_index=False)[["persons", "persons_came"]].sum().assign(start=start))
carried = pd.concat(children)
carried = carried.assign(ahead=carried["year"].astype(int) - carried["start"], error=(carried["persons"] / carried["persons_came"] - 1) * 100)
missed = carried.pivot(index="start", columns="ahead", values="error")
print(missed[[1, 3, 6, 8, 10]].round(1).to_string())

# %% The answer.
print(f"A grade of a school is missed by {near['error'].median():.1f}% a year ahead (last year copied: {near['naive'].median():.1f}%); "
      f"{inside[5]:.0%} of what came lies in the range five years ahead; the children of a country are missed by "
      f"{missed[6].abs().median():.1f}% six and by {missed[10].abs().median():.1f}% ten years ahead.")  # fmt: skip
