"""What things cost, by hand: capital recovery, rooms, beds, posts, seats on a bus."""

import dataclasses

import pytest

from layout.costs import annuity, bed_cost, building_share, class_staff, rider_cost, room_cost
from layout.standards import read_standards

STANDARDS = read_standards()


def figures(**values):
    rules = {k: dataclasses.replace(r, value=values[k]) if k in values else r for k, r in STANDARDS.rules.items()}
    return dataclasses.replace(STANDARDS, rules=rules)


def test_an_annuity_pays_the_investment_off():
    """Two years at 6 %: what is owed after each payment is 1 x 1.06 - a, then nothing: a = 1.06^2 / 2.06."""
    a = annuity(2, STANDARDS)
    assert a == pytest.approx(1.06**2 / 2.06) and (1.06 - a) * 1.06 - a == pytest.approx(0)
    debt = 1.0
    for _ in range(50):
        debt = debt * 1.06 - building_share(STANDARDS)
    assert debt == pytest.approx(0, abs=1e-9)
    assert annuity(50, figures(**{"cost.rate": 0.0})) == 0.02


def test_rooms_are_paid_by_the_floor_of_their_class():
    # 45 x 7.8 m2 in primary grades, 50 x 10 m2 in junior ones, 30 x 7.8 m2 in a small school; nine grades: the mean
    assert room_cost("primary", (1, 2, 3, 4, 5, 6), STANDARDS) == pytest.approx(45 * 7.8 * 3800)
    assert room_cost("junior", (7, 8, 9), STANDARDS) == pytest.approx(50 * 10 * 3800)
    assert room_cost("small_primary", (1, 2, 3), STANDARDS) == pytest.approx(30 * 7.8 * 3800)
    assert room_cost("nine_year", tuple(range(1, 10)), STANDARDS) == pytest.approx((6 * 45 * 7.8 + 3 * 50 * 10) / 9 * 3800)


def test_beds_posts_and_riders():
    assert [bed_cost(g, STANDARDS) for g in ((1, 6), (1, 9), (7, 9))] == pytest.approx([6.55 * 4200, 6.74 * 4200, 6.74 * 4200])
    assert class_staff(STANDARDS) == pytest.approx(1.7 * 100_000)
    # a bus of 350,000 over ten years and 120,000 a year, twice a morning with 54 children
    bus = 350_000 * 0.06 * 1.06**10 / (1.06**10 - 1) + 120_000
    assert rider_cost(STANDARDS) == pytest.approx(bus / (54 * 2))
