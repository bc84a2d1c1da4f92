"""A province of paper counties: each the paper county again, so many kilometres farther along the road."""

import dataclasses

import geopandas as gpd
import pandas as pd
from shapely.affinity import translate

from conftest import make_paper
from layout.county import write_county
from layout.roads import Roads, write_roads

APART_KM = 10.0


def shifted(k, *, kilometres=APART_KM, roads=True):
    """The paper county k steps to the east, with a name of its own."""
    county = make_paper()
    dx = 1000 * kilometres * k
    moved = {name: getattr(county, name).assign(geometry=getattr(county, name).translate(dx)) for name in ("settlements", "schools")}
    way = shifted_roads(county.roads, dx) if roads else None
    return dataclasses.replace(county, name=f"纸上{k}县", code=f"52000{k}", roads=way, **moved)


def shifted_roads(roads, dx):
    return Roads(roads.nodes.assign(x=roads.nodes.x + dx), roads.edges.assign(geometry=roads.edges.translate(dx)), roads.crs, roads.source)


def joined_roads(count):
    """The roads of several paper counties in one file; the last junction of one is the first of the next."""
    base = make_paper().roads
    nodes = pd.concat([base.nodes.assign(node_id=base.nodes.node_id + 10 * k, x=base.nodes.x + 10_000 * k) for k in range(count)]).drop_duplicates(
        "node_id"
    )
    edges = pd.concat([
        base.edges.assign(edge_id=base.edges.edge_id + 10 * k, from_node=base.edges.from_node + 10 * k, to_node=base.edges.to_node + 10 * k,
                          way_id=k + 1, geometry=[translate(g, 10_000 * k) for g in base.edges.geometry]) for k in range(count)
    ])  # fmt: skip
    return Roads(
        nodes.reset_index(drop=True), gpd.GeoDataFrame(edges.reset_index(drop=True), geometry="geometry", crs=base.crs), base.crs, base.source
    )


def write_paper_province(folder, count, *, shared=False, name="纸上省"):
    """Write so many paper counties into a folder; with shared roads none has its own."""
    for k in range(count):
        write_county(shifted(k, roads=not shared), folder / f"{k}县")
    if shared:
        write_roads(joined_roads(count), folder / "roads.gpkg")
        (folder / "province.toml").write_text(f'name = "{name}"\n[shared]\nroads = "roads.gpkg"\n', encoding="utf-8")
    return folder


def contents(folder):
    """Every file of a folder with its bytes, temporary ones too."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
