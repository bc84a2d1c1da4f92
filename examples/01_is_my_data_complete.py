"""Is my data complete?

Reads a county folder and lists what is in it, what is missing and what was left unread. If anything is wrong, all of
it is listed with file, sheet, row, column and what to do. Runs in seconds.
"""

from pathlib import Path

import layout

# --- change these lines ---------------------------------------------------------------------------------------------
COUNTY = Path(__file__).parents[1] / "data" / "sample"  # the county folder
LANGUAGE = "en"  # "zh" or "en"

# %% Read everything at once: a fault in any sheet is listed together with all others.
county = layout.read_county(COUNTY)

# %% What was left unread or is missing, in words.
notes = layout.describe(county.notes, LANGUAGE)
print("\n".join(notes))

# %% Figures that nobody measured and that were filled by assumption.
print(county.assumptions.to_string(index=False))

# %% Does the roll agree with the people? Pupils in the rosters against children aged 6 to 14.
children = county.population.query("6 <= age <= 14").persons.sum()
pupils = county.rosters.pupils.sum()
print(f"{pupils} pupils in the rosters, {children:.0f} residents aged 6 to 14: {pupils / children:.0%}")

# %% The answer.
print(
    f"{county.name}: {len(county.settlements)} settlements, {len(county.schools)} schools, {len(county.rosters)} classes, "
    f"no faults, {len(notes)} notes, {len(county.assumptions)} assumed columns."
)
