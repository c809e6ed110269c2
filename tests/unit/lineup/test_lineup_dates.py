"""Dates as lineups write them, in words and numbers and several languages."""

import pytest

from festival.lineup.fields.text import RuleError
from festival.lineup.mapped.dates import date_readings, day_of, months, weekdays
from festival.lineup.mapping import LineupMapping


def day(text: str, **options) -> str:
    return day_of(text, LineupMapping.from_dict(options)).text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2024-06-13", "2024-06-13"),
        ("2024/06/13", "2024-06-13"),
        ("2024.6.13", "2024-06-13"),
        ("20240613", "2024-06-13"),
        ("Thursday June 13 2024", "2024-06-13"),
        ("Thursday, June 13th, 2024", "2024-06-13"),
        ("Thu 13 Jun 2024", "2024-06-13"),
        ("13 June 2024", "2024-06-13"),
        ("13. Juni 2024", "2024-06-13"),
        ("jeudi 13 juin 2024", "2024-06-13"),
        ("jueves, 13 de junio de 2024", "2024-06-13"),
        ("giovedì 13 giugno 2024", "2024-06-13"),
        ("donderdag 13 juni 2024", "2024-06-13"),
        ("13 czerwca 2024", "2024-06-13"),
        ("torstai 13. kesäkuuta 2024", "2024-06-13"),
        ("13 června 2024", "2024-06-13"),
        ("1er août 2024", "2024-08-01"),
        ("4. März 2024", "2024-03-04"),
        ("mar 13 2024", "2024-03-13"),
        ("SÁBADO 15 JUNIO 2024", "2024-06-15"),
    ],
)
def test_a_date_that_names_its_year_is_clear_in_any_order_and_language(text, meant):
    assert day(text) == meant


@pytest.mark.parametrize(
    ("text", "options", "meant"),
    [
        ("28/06/2023", {"date_order": "day_first"}, "2023-06-28"),
        ("01/02/2025", {"date_order": "day_first"}, "2025-02-01"),
        ("01/02/2025", {"date_order": "month_first"}, "2025-01-02"),
        ("1.2.25", {"date_order": "day_first"}, "2025-02-01"),
        ("28.6.", {"date_order": "day_first", "year": 2024}, "2024-06-28"),
        ("4. juli", {"year": 2025}, "2025-07-04"),
        ("4. juli", {"first_date": "2025-07-02"}, "2025-07-04"),
        ("1 January", {"first_date": "2024-12-30"}, "2025-01-01"),
        ("12 June", {"first_date": "2025-06-12"}, "2025-06-12"),
        ("11 June", {"first_date": "2025-06-12"}, "2025-06-11"),
        ("Thu 12", {"first_date": "2025-06-12"}, "2025-06-12"),
        ("FRIDAY", {"first_date": "2025-06-12"}, "2025-06-13"),
        ("Jeudi", {"first_date": "2025-06-12"}, "2025-06-12"),
        ("Tue", {"first_date": "2025-06-12"}, "2025-06-17"),
        ("Fri 13", {"first_date": "2025-06-12"}, "2025-06-13"),
        ("lør.", {"first_date": "2025-06-12"}, "2025-06-14"),
        ("Day 1", {"dates": {"day 1": "2025-06-12"}}, "2025-06-12"),
        ("FRIDAY", {"dates": {"Friday": "2025-06-20"}, "year": 2025}, "2025-06-20"),
    ],
)
def test_what_a_date_leaves_open_the_mapping_says(text, options, meant):
    assert day(text, **options) == meant


@pytest.mark.parametrize(
    ("text", "options", "asked"),
    [
        ("01/02/2025", {"year": 2025}, "date_order"),
        ("28/06/2023", {}, "date_order"),
        ("4. juli", {}, "year or first_date"),
        ("FRIDAY", {"year": 2025}, "first_date"),
        ("Fri 13", {}, "first_date"),
        ("Day 1", {"year": 2025}, "dates"),
        ("5 jui 2024", {}, "may be 2024-06-05 or 2024-07-05"),
    ],
)
def test_a_date_that_is_not_clear_asks_for_the_option_that_makes_it_so(text, options, asked):
    with pytest.raises(RuleError, match=asked):
        day(text, **options)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Friday June 13 2024", {}),
        ("06/28/2023", {"date_order": "day_first"}),
        ("31. juni", {"year": 2025}),
        ("29 February", {"year": 2025}),
        ("Sat 13", {"first_date": "2025-06-12"}),
    ],
)
def test_a_date_that_there_is_not_is_refused(text, options):
    with pytest.raises(RuleError, match=r"a weekday that does not fit|not a day of the calendar"):
        day(text, **options)


@pytest.mark.parametrize(
    "text",
    [
        *("", "June", "2024", "13", "Abba", "June 13 14", "13 June 2024 2025", "June July 3"),
        *("Friday Saturday", "1" * 50, "June 13 @ 2024", "a " * 100, "20:00"),
    ],
)
def test_what_is_no_date_has_no_reading(text):
    assert date_readings(text) == ()


def test_no_name_of_a_month_or_weekday_is_another_ones():
    from festival.lineup.mapped import dates as names

    for at, group in enumerate(names._MONTHS):
        assert all(months(name) == {at + 1} for name in group.split())
    for at, group in enumerate(names._WHOLE_MONTHS):
        assert all(months(name) == {at + 1} for name in group.split())
    for at, group in enumerate(names._WEEKDAYS):
        assert all(weekdays(name) == {at} for name in group.split())
    for at, group in enumerate(names._WHOLE_WEEKDAYS):
        assert all(weekdays(name) == {at} for name in group.split())
