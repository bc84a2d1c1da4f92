"""What small schools are there, and how many children do they hold?

Reads a school census as offices really keep it: nine sheets, titles above the headings, notes below the rows, counts hidden behind
marks. It has no rooms and no coordinates, so it answers this question but cannot be planned with; the example says what is missing.
Needs the workbook (primary schools of Northern Ireland, autumn 2023) in the folder named by LAYOUT_REAL_DATA. Runs in seconds.
"""

import os
from pathlib import Path

import pandas as pd

import layout
from layout.tables import check, inspect

# --- change these lines ---------------------------------------------------------------------------------------------
BOOK = Path(os.environ.get("LAYOUT_REAL_DATA", "data")) / "ni_small_schools" / "School level - primary schools - data 202324.XLSX"
OWN = Path("standards.toml")  # the rule there: small is below 105 pupils in the country, below 140 in towns
OWN.write_text('"layout.small_school.max" = 104\n"layout.small_school.max.urban" = 139\n', encoding="utf-8")

# %% Schools: the headings stand in the fourth row. What a county folder needs and the workbook does not have is listed.
names = {"De ref": "school_id", "school name": "name", "district council (2014)": "township_id", "Urban/ Rural": "urban_rural"}
sheets = pd.read_excel(BOOK, sheet_name=["reference data", "Enrolments"], header=3, engine="calamine")
schools = sheets["reference data"].rename(columns=str.strip)[list(names)].rename(columns=names).astype({"school_id": str})
schools = schools.assign(urban_rural=schools["urban_rural"].map({"RURAL": "village", "URBAN": "town"}), kind="primary", status="open")
_, missing = inspect("schools", schools.assign(first_grade=1, last_grade=7))
print("\n".join(sorted({problem.line("en") for problem in missing})))

# %% Pupils by school and grade. Rows without a school's number are notes; every total must be the sum of its cells (nursery included).
roll = sheets["Enrolments"].rename(columns={"DE ref": "school_id"}).astype({"school_id": str}).query("school_id in @schools.school_id")
wrong = roll[roll.loc[:, "nursery full-time":"year 7"].sum(axis=1) != roll["total enrolment"]]
pupils = roll.melt("school_id", roll.filter(regex=r"^year \d$").columns, var_name="grade", value_name="pupils")
pupils = check("history", pupils.assign(year=2023, grade=pupils["grade"].str[-1].astype(int)))
grid = pupils.pivot(index="school_id", columns="grade", values="pupils")
print(f"{len(schools)} schools, {roll['total enrolment'].sum():,.0f} on roll, {len(wrong)} totals differ; {pupils['pupils'].sum():,.0f} in years 1-7")

# %% Small by the rule there, and by the Chinese one, which knows small schools in the country only. Years 1 to 7 are counted.
key = schools["urban_rural"].map({"village": "layout.small_school.max", "town": "layout.small_school.max.urban"})
schools["pupils"] = schools["school_id"].map(grid.sum(axis=1))
small = schools[schools["pupils"] <= key.map(layout.read_standards(OWN).__getitem__)].set_index("school_id")
china = schools[schools["pupils"] <= key.map(layout.read_standards().__getitem__)]
print(small.groupby("urban_rural")["pupils"].agg(["size", "sum"]).to_string())

# %% Two neighbouring years that fit one mixed class; free meals, where * hides 1 to 4 children and # any number.
both = (grid + grid.shift(-1, axis=1)).where((grid > 0) & (grid.shift(-1, axis=1) > 0)).loc[small.index]
mixed = (both <= layout.read_standards()["class_size.mixed.max_pupils"]).any(axis=1)
meals = pd.read_excel(BOOK, sheet_name="Free School Meals", header=2, engine="calamine").astype({"DE ref": str})
free = meals.set_index("DE ref").loc[small.index, "fsme"].astype(str)
low, high = free.replace({"*": "1", "#": "0"}).astype(float), free.replace("*", "4").mask(free == "#", small["pupils"]).astype(float)
print(f"{mixed.sum()} of the small schools can teach two years in one class; free meals for {low.sum():,.0f} to {high.sum():,.0f} of their children")

# %% The answer.
share, chinese = small["pupils"].sum() / schools["pupils"].sum(), china["pupils"].sum() / schools["pupils"].sum()
rural, urban = small["urban_rural"].eq("village").sum(), small["urban_rural"].eq("town").sum()
print(f"{rural} rural and {urban} urban schools are small, with {share:.1%} of the pupils; by the Chinese rule {len(china)}, with {chinese:.1%}.")
