"""A county on a map before anything is planned: what it shows, nothing fetched, names that stay text."""

import dataclasses
import json
import re

import pytest

from conftest import make_paper
from layout import messages
from layout.county_map import draw_county


def page_of(county, **options):
    return draw_county(county, **options).get_root().render()


def data_of(page):
    return json.loads(re.search(r'id="plan-data">(.*?)</script>', page, re.DOTALL)[1])


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_place_is_there_with_its_figures(lang):
    county = make_paper()
    data = data_of(page_of(county, lang=lang))
    assert [row[2] for row in data["settlements"]] == county.settlements["name"].tolist()
    assert data["settlements"][0][4] == messages.text("county_map.persons", lang, persons="150")
    assert [row[2] for row in data["schools"]] == ["S1小学", "S2九年制学校"] and "1" in data["schools"][0][4] and "6" in data["schools"][0][4]
    lat, lon = county.schools.to_crs(4326).geometry.iloc[0].y, county.schools.to_crs(4326).geometry.iloc[0].x
    assert data["schools"][0][:2] == [pytest.approx(lat, abs=1e-5), pytest.approx(lon, abs=1e-5)]
    (south, west), (north, east) = data["bounds"]
    assert all(south <= row[0] <= north and west <= row[1] <= east for row in [*data["settlements"], *data["schools"]])
    assert data["stamp"] == messages.text("maps.stamp.internal", lang)


def test_the_page_fetches_nothing_and_is_the_same_twice():
    page = page_of(make_paper())
    assert not re.search(r'<(script|img|link|iframe)[^>]+(src|href)=["\']?(https?:)?//', page) and "default-src 'none'" in page
    assert page == page_of(make_paper()) == make_paper().explore().get_root().render()


def test_hostile_names_stay_in_the_island():
    county, bad = make_paper(), "</script><img src=x onerror=alert(1)>"
    hostile = dataclasses.replace(county, name=bad, settlements=county.settlements.assign(name=bad), schools=county.schools.assign(name=bad))
    page = page_of(hostile)
    assert len(re.findall(r"<script", page)) == len(re.findall(r"<script", page_of(county))) and "<img src=x" not in page
    assert data_of(page)["settlements"][0][2] == bad


def test_nothing_to_draw_and_unknown_languages_are_said():
    county = make_paper()
    with pytest.raises(ValueError, match="lang must be one of"):
        draw_county(county, lang="fr")
    with pytest.raises(ValueError, match="neither a settlement nor a school"):
        draw_county(dataclasses.replace(county, settlements=county.settlements.iloc[:0], schools=county.schools.iloc[:0]))
