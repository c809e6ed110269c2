"""What the exploring notebook looks at before anybody has asked."""

import pandas as pd
import pytest

from festival.analysis.frames import performances_frame
from festival.errors import FestivalError
from festival.lineup.model import Performance
from festival.notebook.cells import in_short, last_festival, most_popular

BJORK = Performance("Björk", "Main Stage", "2025-07-12", 1290, 1380, 97, 2)
NIGHT = Performance("Burial", "Tent", "2025-07-12", 1350, 1440, None, 4)


def dates(*days):
    return pd.DataFrame({"Date": pd.to_datetime(list(days))})


def iso(span):
    return tuple(day if isinstance(day, str) else f"{day:%Y-%m-%d}" for day in span)


def test_the_last_festival_is_the_last_run_of_days():
    known = dates("2024-07-05", "2024-07-06", "2025-07-11", "2025-07-12", "2025-07-14")
    assert iso(last_festival(known)) == ("2025-07-11", "2025-07-14")
    assert iso(last_festival(known, last="2024-12-31")) == ("2024-07-05", "2024-07-06")
    assert iso(last_festival(known, first="2025-07-12")) == ("2025-07-12", "2025-07-14")


def test_days_that_are_given_are_taken_as_they_are():
    assert last_festival(None, "2025-07-11", "2025-07-13") == ("2025-07-11", "2025-07-13")


def test_a_table_without_a_day_says_what_to_do():
    with pytest.raises(FestivalError, match="set scan to read the whole table"):
        last_festival(dates())


def test_a_lineup_in_short_is_its_size_its_most_popular_and_its_busiest_hour():
    size, popular, busy = in_short(performances_frame([BJORK, NIGHT]))
    assert size.startswith("2 performances of 2 performers on 2 stages, Sat 2025-07-12")
    assert popular == "Most popular: Björk (97), Main Stage, Sat 21:30."
    assert busy == "Busiest hour: Sat 22:00, with 2 performances."


def test_a_lineup_without_popularity_and_one_without_anything_are_said_to_be_so():
    assert "No performance has a popularity." in in_short(performances_frame([NIGHT]))
    assert in_short(performances_frame([])) == ["Nothing is on in these days."]
    assert most_popular(performances_frame([NIGHT]))["Performer"] == "Burial"
    with pytest.raises(FestivalError, match="name other days"):
        most_popular(performances_frame([]))
