"""What rooms, beds, sites, posts, buses and boarders cost: investment, and money a year."""

from __future__ import annotations

from layout.children import INCOMPLETE
from layout.standards import Standards
from layout.tables import BANDS, band_of


def annuity(life_years: float, standards: Standards) -> float:
    """Return the share of an investment that each year of its life carries.

    Parameters
    ----------
    life_years
        Years of use.
    standards
        ``cost.rate`` (unverified).

    Returns
    -------
    float
        r (1+r)^n / ((1+r)^n - 1); 1 / n without interest.

    References
    ----------
    Capital recovery factor of engineering economics.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> round(annuity(50, read_standards()), 4)
    0.0634
    """
    rate = standards["cost.rate"]
    return rate / (1 - (1 + rate) ** -life_years) if rate else 1 / life_years


def room_cost(kind: str, grades: tuple[int, ...], standards: Standards) -> float:
    """Return the yuan that a room of a school costs: class size x floor area a pupil x unit cost, the mean over its grades.

    Parameters
    ----------
    kind
        Kind of the school.
    grades
        Grades whose classes sit there.
    standards
        Class sizes of the design, ``floor.primary``, ``floor.junior``, ``cost.build.day``: unverified unit figures.

    Returns
    -------
    float
        Yuan. A room outlasts a dated schedule of class sizes, so it is built for the standard without the schedule.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> room_cost("teaching_point", (1, 2, 3), read_standards())
    889200.0
    """
    floor = {g: standards["floor.junior" if band_of(g) == "junior" else "floor.primary"] for g in grades}
    area = [standards.class_size(g, incomplete=kind in INCOMPLETE) * floor[g] for g in grades]
    return sum(area) / len(area) * standards["cost.build.day"]


def bed_cost(grades: tuple[int, ...], standards: Standards) -> float:
    """Return the yuan that a bed costs: the larger of the floor areas of its grades x unit cost.

    Parameters
    ----------
    grades
        Grades of the school.
    standards
        ``floor.boarding.primary``, ``floor.boarding.junior``, ``cost.build.boarding``.

    Returns
    -------
    float
        Yuan.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> bed_cost((7, 8, 9), read_standards())
    28308.0
    """
    junior = grades[-1] > BANDS["upper"][-1]
    return standards["floor.boarding.junior" if junior else "floor.boarding.primary"] * standards["cost.build.boarding"]


def building_share(standards: Standards) -> float:
    """Return the share of an investment in buildings and sites that a year carries.

    Parameters
    ----------
    standards
        ``cost.life.building`` and ``cost.rate``.

    Returns
    -------
    float
        Share.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> building_share(read_standards()) == annuity(50, read_standards())
    True
    """
    return annuity(standards["cost.life.building"], standards)


def class_staff(standards: Standards) -> float:
    """Return the yuan a year that the staff of one more class of a small school costs.

    Parameters
    ----------
    standards
        ``staff.small_school.per_class`` and ``staff.post.yuan`` (both unverified).

    Returns
    -------
    float
        Yuan a year. Posts of larger schools follow the pupils (19 and 13.5 a post) wherever they sit, so a plan does not change them.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> class_staff(read_standards())
    170000.0
    """
    return standards["staff.small_school.per_class"] * standards["staff.post.yuan"]


def rider_cost(standards: Standards) -> float:
    """Return the yuan a year that a pupil who rides costs: purchase and running of a full bus, over its riders.

    Parameters
    ----------
    standards
        ``bus.capex.default``, ``bus.opex.default``, ``cost.life.bus``, ``bus.occupants.max``, ``bus.attendants``, ``bus.runs``.

    Returns
    -------
    float
        Yuan a pupil and year.

    Examples
    --------
    >>> from layout.standards import read_standards
    >>> round(rider_cost(read_standards()))
    1551
    """
    year = (standards["bus.capex.default"] * annuity(standards["cost.life.bus"], standards) + standards["bus.opex.default"]) * 1e4
    return year / ((standards["bus.occupants.max"] - standards["bus.attendants"]) * standards["bus.runs"])
