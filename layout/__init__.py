"""Plan the schools of a mountain county: people into pupils, roads into minutes, shortages into proposals, one map."""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# public name -> module that defines it; a name is loaded on first use (PEP 562), so importing layout does nothing else
_HOMES = {
    "County": "county",
    "CountyDataError": "tables",
    "Outcome": "plan",
    "Plan": "plan",
    "Roads": "roads",
    "Standards": "standards",
    "Terrain": "terrain",
    "apply_proposals": "placement",
    "assign": "catchment",
    "band_of": "tables",
    "birth_factor": "population",
    "candidate_sites": "placement",
    "class_sizes": "class_size",
    "county_times": "plan",
    "describe": "sheets",
    "download_roads": "roads",
    "draw_map": "maps",
    "headline": "catchment",
    "judged_minutes": "standards",
    "make_plan": "plan",
    "make_sample_county": "sample",
    "must_stay": "placement",
    "nearest": "travel",
    "nearest_school": "catchment",
    "open_county": "open_data",
    "prepare_network": "travel",
    "project_people": "population",
    "project_pupils": "population",
    "propose": "placement",
    "read_county": "county",
    "read_plan": "plan",
    "read_roads": "roads",
    "read_standards": "standards",
    "read_terrain": "terrain",
    "save_map": "maps",
    "seat_schools": "plan",
    "travel_matrix": "travel",
    "travel_times": "travel",
    "write_county": "county",
    "write_plan": "outputs",
    "write_template": "county",
    "write_workbook": "workbook",
}

__all__ = [
    "County",
    "CountyDataError",
    "Outcome",
    "Plan",
    "Roads",
    "Standards",
    "Terrain",
    "apply_proposals",
    "assign",
    "band_of",
    "birth_factor",
    "candidate_sites",
    "class_sizes",
    "county_times",
    "describe",
    "download_roads",
    "draw_map",
    "headline",
    "judged_minutes",
    "make_plan",
    "make_sample_county",
    "must_stay",
    "nearest",
    "nearest_school",
    "open_county",
    "prepare_network",
    "project_people",
    "project_pupils",
    "propose",
    "read_county",
    "read_plan",
    "read_roads",
    "read_standards",
    "read_terrain",
    "save_map",
    "seat_schools",
    "travel_matrix",
    "travel_times",
    "write_county",
    "write_plan",
    "write_template",
    "write_workbook",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'layout' has no attribute {name!r}")
    return getattr(importlib.import_module(f"layout.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
