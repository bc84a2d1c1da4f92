"""The direction rules of the house: who may import whom, and that importing does nothing."""

import ast
import inspect
import subprocess
import sys

import pytest

# a module imports only from rooms above its own; the stages never import each other
ROOMS = [
    ["messages", "compiled", "cells", "memory", "processors", "sums"],
    ["tables"],
    ["forms", "map_files"],
    ["standards", "coordinates", "sheets", "road_tags", "age_split", "cohorts", "enrolment", "rosters", "glance", "aims"],
    ["scenario", "register"],
    ["elevation_tiles"],
    ["terrain", "cost_surface_kernels"],
    ["cost_surface"],
    ["road_edges", "road_noding"],
    ["road_graph", "bureau_roads"],
    ["roads"],
    ["obstacles"],
    ["shared_ground"],
    ["county", "data_gaps"],
    ["solver"],
    ["programs", "relaxations", "location_kernels", "location_case"],
    ["lagrange", "location_rows"],
    ["swaps", "location_families", "covering"],
    ["neighbourhoods"],
    ["ascents"],
    ["divided"],
    ["branching"],
    ["location"],
    ["transport_kernels", "villages_kernels"],
    ["transport"],
    ["kernels", "topology", "relief", "road_edits"],
    ["hierarchy", "barriers"],
    ["open_ground"],
    ["strands"],
    ["pace"],
    ["network"],
    ["joins"],
    ["search"],
    ["reach", "roadside", "explain"],
    ["reach_areas"],
    ["children", "site_rules", "grades", "attendance", "relocation"],
    ["site_cover"],
    ["candidates"],
    ["age_list", "seats", "horizon", "costs", "classrooms", "staying"],
    ["villages"],
    ["siting", "flows"],
    ["viable"],
    ["programme"],
    ["built"],
    ["marginal", "whereabouts", "gates", "settling", "rounding", "early_years", "seat_cuts"],
    ["few_schools"],
    ["buildings", "hindrances"],
    ["reasons", "school_changes"],
    ["population", "travel", "catchment", "class_size", "placement"],
    ["plausibility", "regret", "draws", "sensitivity", "buses", "access", "equity", "small_school", "boarding", "site_seats", "choice"],
    ["in_reach", "quick"],
    ["footpaths"],
    ["forecast", "needs"],
    ["remedy", "clusters"],
    ["rounds"],
    ["sample_ground", "sample_schools", "open_schools"],
    ["sample", "open_data"],
    ["sample_province"],
    ["findings"],
    ["plan"],
    ["saved_plan"],
    ["province_tables"],
    ["futures", "checkup", "borders"],
    ["check_page"],
    ["alternatives"],
    ["privacy", "ground", "what_if", "map_cards", "compare"],
    ["walking_lines", "comparisons"],
    ["maps"],
    ["drawings"],
    ["compare_page", "county_map", "figures", "province_page"],
    ["pages"],
    ["finding_sheets"],
    ["meeting_sheets"],
    ["workbook", "document", "gis_layers"],
    ["narrative", "gis_styles"],
    ["variants"],
    ["situation", "scheme", "delivery"],
    ["chapters"],
    ["report", "exports"],
    ["outputs", "compare_sheets", "province_sheets"],
    ["runs"],
    ["province"],
    ["console", "machine"],
    ["cli"],
    ["__init__", "__main__"],
]  # fmt: skip
LEVEL = {name: level for level, names in enumerate(ROOMS) for name in names}
# solvers of programs: they know no school words
STRANGERS = {
    "solver", "programs", "relaxations", "location", "location_case", "location_families", "location_kernels", "location_rows", "lagrange", "swaps", "covering", "neighbourhoods",
    "ascents", "divided", "branching",
}  # fmt: skip
STAGES = {"population", "travel", "catchment", "class_size", "placement"}
HOMES = {
    "folium": {"maps", "compare_page", "county_map", "county", "plan", "province_page"}, "branca": {"maps"}, "matplotlib": {"figures"}, "osmnx": {"roads"}, "osmium": {"roads", "obstacles", "open_data"},
    "highspy": {"solver", "relaxations"}, "dask": {"province"}, "distributed": {"province"}, "numba": {"kernels", "cost_surface_kernels", "transport_kernels", "location_kernels", "villages_kernels"}, "pymetis": {"hierarchy"}, "docx": {"document"}, "typer": {"cli", "console"}, "rich": {"cli", "console"},
}  # fmt: skip
# within one room only these
SIDEWAYS = {("sample", "sample_ground")}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            if node.module == "layout":
                yield from (f"layout.{alias.name}" for alias in node.names)
            else:
                yield node.module


def broken_rules(module, imported):
    """Say which rules the imports of a module break."""
    broken = []
    for name in imported:
        package, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if package == "layout" and target:
            if target in STAGES and module in STAGES and target != module:
                broken.append(f"{module} -> {target}: stages never import each other")
            elif LEVEL[target] > LEVEL[module] or (LEVEL[target] == LEVEL[module] and (module, target) not in SIDEWAYS):
                broken.append(f"{module} -> {target}: not from above")
            elif module in STRANGERS and target not in {"messages", "compiled", "sums"} | STRANGERS:
                broken.append(f"{module} -> {target}: {module} knows no school words")
            elif module == "maps" and target in STAGES:
                broken.append(f"{module} -> {target}: a writer never computes")
        elif module not in HOMES.get(package, {module}):
            broken.append(f"{module} -> {package}: it lives in {sorted(HOMES[package])} only")
    return broken


def modules(request):
    return sorted((request.config.rootpath / "layout").glob("*.py"))


def test_every_module_has_a_room(request):
    assert sorted(p.stem for p in modules(request)) == sorted(set(LEVEL))


def test_imports_keep_the_direction(request):
    broken = [rule for path in modules(request) for rule in broken_rules(path.stem, imports_of(path))]
    assert broken == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("tables", "layout.county"),
        ("travel", "layout.catchment"),
        ("maps", "folium.plugins, layout.placement"),
        ("roads", "highspy"),
        ("programs", "layout.tables"),
    ],
)
def test_the_rules_can_fail(module, imported):
    assert broken_rules(module, imported.split(", ")) != []


def test_no_public_name_is_that_of_a_module(request):
    import layout

    # importing the module would put it in place of the function
    assert {p.stem for p in modules(request)} & set(layout.__all__) == set()


def test_importing_reads_nothing_and_loads_no_heavy_library():
    code = (
        "import sys, layout; heavy = {'osmnx', 'folium', 'matplotlib', 'rasterio', 'highspy', 'osmium', 'geopandas', 'pandas'} & set(sys.modules); "
        "assert not heavy, heavy; assert sorted(layout.__all__) == list(layout.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there_and_documented():
    import layout

    assert sorted(layout.__all__) == sorted(layout._HOMES)
    for name in layout.__all__:
        thing = getattr(layout, name)
        assert thing.__doc__ and len(thing.__doc__.split("\n")[0]) > 20, name
        if inspect.isfunction(thing):
            assert ">>> " in thing.__doc__, f"{name} shows no example"
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        layout.magic  # noqa: B018


def test_package_code_has_no_assert_print_or_bare_except(request):
    for path in modules(request):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.Assert), f"{path.name}:{node.lineno} assert"
            assert not (isinstance(node, ast.ExceptHandler) and node.type is None), f"{path.name}:{node.lineno} bare except"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and path.stem != "cli":
                assert node.func.id != "print", f"{path.name}:{node.lineno} print"
                if node.func.id == "open":
                    assert any(k.arg == "encoding" for k in node.keywords) or any(
                        isinstance(a, ast.Constant) and "b" in str(a.value) for a in node.args[1:]
                    ), f"{path.name}:{node.lineno} open without encoding"
