"""What can a projection explain, and what can it not?

Carries the children of the 2010 census of every county of Guizhou on to 2020, with nobody moving, and sets the 2020 census beside
them. What is left is migration and children missed by a census: what no survival table knows. Needs the two census files in
the folder named by LAYOUT_REAL_DATA. Runs in seconds.
"""

import os
from pathlib import Path

import pandas as pd

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
CENSUS = Path(os.environ.get("LAYOUT_REAL_DATA", "data")) / "guizhou"  # folder with the two census files
OLD, NEW = "census2010_county_guizhou.csv", "census2020_county_guizhou.csv"
PROVINCE = "520000"  # code of the whole province

# %% The census of 2010: children by county, sex and five-year group; ages 0 and 1-4 are one group.
old = pd.read_csv(CENSUS / OLD, dtype={"区划代码": str}).rename(columns={"区划代码": "area_id"})
old["area_id"] = old["area_id"].str.replace(".0", "")
ages = old.melt("area_id", old.filter(regex=r"^\d+(-\d+)?岁（[男女]").columns, value_name="persons")
parts = ages["variable"].str.extract(r"^(?P<age>\d+).*（(?P<sex>[男女])")
ages = ages.assign(age=parts["age"].astype(int) // 5 * 5, sex=parts["sex"].map({"男": "male", "女": "female"}))
people = ages[ages["age"] <= 20].groupby(["area_id", "age", "sex"], as_index=False)["persons"].sum()

# %% Survival of the standards from group to group, and nobody is born: only those alive in 2010 are followed.
standards = layout.read_standards()
infant, small, school = standards["survival.0_1"], standards["survival.1_6"] ** (4 / 5), standards["survival.6_12"] ** (5 / 6)
groups = pd.MultiIndex.from_product([[2010, 2015], ["female", "male"], [0, 5, 10, 15, 20]], names=["year", "sex", "age"]).to_frame(index=False)
survival = groups.assign(survival=groups["age"].map({0: infant, 5: small, 10: school, 15: school, 20: school}))
fertility = pd.DataFrame({"year": [2010, 2015], "age": 15, "rate": 0.0})
carried = layout.project_cohorts(people, survival, fertility, srb=standards["fertility.srb"] / 100, years=[2010, 2015], step=5).people
carried = carried[(carried["year"] == 2020) & carried["age"].isin([10, 15])].groupby(["area_id", "age"])["persons"].sum()

# %% The census of 2020 beside them. A ratio of 1 is explained by survival alone.
new = pd.read_csv(CENSUS / NEW, dtype={"区划代码": str}).dropna(subset="区划代码").rename(columns={"区划代码": "area_id"})
new["area_id"] = new["area_id"].str.replace(".0", "")
seen = new.melt("area_id", new.filter(regex=r"^[男女]_1[05]到").columns, value_name="persons")
seen = seen.assign(age=seen["variable"].str.extract(r"_(\d+)到")[0].astype(int)).groupby(["area_id", "age"])["persons"].sum()
ratio = (seen / carried).dropna().rename("ratio").reset_index()
counties = ratio[~ratio["area_id"].str.endswith("00")]
print(counties.groupby("age")["ratio"].describe(percentiles=[0.1, 0.5, 0.9]).round(3).to_string())

# %% The answer.
whole = ratio[ratio["area_id"] == PROVINCE].set_index("age")["ratio"]
share = (counties["ratio"].sub(1).abs() <= 0.1).groupby(counties["age"]).mean()
print(f"Of those aged 0-4 in 2010 the province has {whole[10]:.2f} times as many at 10-14 in 2020 as survival explains, of those aged 5-9 "
      f"{whole[15]:.2f} times; within a tenth of survival alone lie {share[10]:.0%} and {share[15]:.0%} of its counties: "
      "the rest is migration and under-count.")  # fmt: skip
