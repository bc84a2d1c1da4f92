"""How do many counties compare?

许多县放在一起怎么比？逐县用同样的几步（学生、分钟、去向、班级），各表加上县代码后合并，再比较县与县之间、县内部的差距。
The same stages county by county, their tables put together with the county's id, since ids of villages and schools repeat from county to
county. Here fictional counties from seeds; with your own, read a folder each. One county is in memory at a time. Runs in seconds.
"""

import pandas as pd

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTIES = {"529901": 1, "529902": 2, "529903": 3, "529904": 4}  # id: seed
SETTLEMENTS = 60  # of each
STANDARDS = layout.read_standards()
FILE = "counties.csv"

# %% County by county: children, minutes, who goes where today, classes. Keep the tables, not the counties.
ways, classes, places = {}, {}, {}
for county_id, seed in COUNTIES.items():
    county = layout.make_sample_county(seed=seed, settlements=SETTLEMENTS)  # or layout.read_county(folder)
    pupils = layout.project_pupils(county, STANDARDS, years=[county.base_year])
    times = layout.county_times(county, STANDARDS)
    ways[county_id] = layout.assign(pupils, times, county.schools, STANDARDS, seat_schools=layout.seat_schools(county))
    classes[county_id] = layout.class_sizes(ways[county_id], county.schools, county.rosters, STANDARDS, base_year=county.base_year)
    places[county_id] = county.settlements[["settlement_id", "township_id", "name"]]
ways, classes, places = (pd.concat(tables, names=["county_id"]).reset_index("county_id") for tables in (ways, classes, places))

# %% Grades 1-3: who has no school within the limit; the minutes of those who go to and fro every day.
young = ways.query("grade <= 3 and attends == 'home'")
short = young.query("status != 'served'").groupby("county_id")["pupils"].sum()
daily = young.query("mode in ['walk', 'bus']").dropna(subset="minutes")
even = daily.groupby("county_id")[["minutes", "pupils"]].apply(lambda rows: layout.gini(rows["minutes"], rows["pupils"]))
mean = daily["minutes"].mul(daily["pupils"]).groupby(daily["county_id"]).sum() / daily.groupby("county_id")["pupils"].sum()
large = classes.groupby("county_id")[["classes", "oversized_classes"]].sum()

# %% One row a county; a table that Excel opens.
table = pd.DataFrame({"pupils": young.groupby("county_id")["pupils"].sum(), "short": short, "mean_minutes": mean, "gini": even}).join(large)
table = table.assign(short_share=table["short"] / table["pupils"], oversized_share=table["oversized_classes"] / table["classes"])
table.round(3).to_csv(FILE, encoding="utf-8-sig")
print(table.round(3).to_string())

# %% Between counties or within them? Where the worst-off tenth of all children live, and the villages with most of the children who are short.
last = daily.sort_values("minutes", ascending=False)
tenth = last[last["pupils"].cumsum() <= 0.1 * daily["pupils"].sum()].groupby("county_id")["pupils"].sum()
print((tenth / tenth.sum()).round(2).rename("share of the worst-off tenth").to_string())
worst = young.query("status != 'served'").groupby(["county_id", "settlement_id"], as_index=False)["pupils"].sum()
worst = worst.merge(places, on=["county_id", "settlement_id"]).sort_values(["pupils", "county_id"], ascending=[False, True])
print(worst.head(8).to_string(index=False))

# %% The answer.
everyone, among = layout.gini(daily["minutes"], daily["pupils"]), layout.gini(table["mean_minutes"], table["pupils"])
print(f"{len(table)} counties: from {table['short_share'].min():.0%} to {table['short_share'].max():.0%} of the children of grades 1-3 have "
      f"no school within the limit; Gini of minutes {everyone:.2f} over all children, {among:.2f} over the counties' means. {FILE}")  # fmt: skip
