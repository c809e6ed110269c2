"""The simulation of partition limits, held against loads worked out by hand."""

import pytest

from festival.analysis.cost import forecast
from festival.analysis.cost.forecast import simulate
from festival.lineup.model import Performance

DATES = [f"2025-07-{day:02d}" for day in range(1, 29)]


def lineup(count, *, dates=28, popularity=80):
    return [
        Performance(
            f"Band {number}",
            f"Stage {number % 50}",
            DATES[number % dates],
            600 + number // 50 % 800,
            700 + number // 50 % 800,
            popularity,
            number + 2,
        )
        for number in range(count)
    ]


def test_the_constant_popularity_takes_a_thousand_rows_a_second():
    run = simulate(lineup(3000))
    assert run.seconds == pytest.approx(3.0)
    assert (run.loads[0].where, run.loads[0].key) == ("PopularityIndex", "POPULARITY")
    assert run.loads[0].units == 3000


def test_rows_without_popularity_pass_while_the_others_wait():
    rows = lineup(4000)
    rows[::2] = [row._replace(popularity=None) for row in rows[::2]]
    assert simulate(rows).seconds == pytest.approx(2.0, abs=0.1)


def test_without_popularity_the_keys_spread_over_the_partitions():
    assert simulate(lineup(8000, popularity=None)).seconds < simulate(lineup(8000)).seconds / 2


def test_a_file_sorted_by_date_stays_at_one_partition_even_without_popularity():
    rows = lineup(4000, dates=2, popularity=None)
    mixed = simulate(rows)
    one_by_one = simulate(sorted(rows, key=lambda row: row.date))
    assert one_by_one.seconds == pytest.approx(4.0, abs=0.5)
    assert mixed.seconds <= one_by_one.seconds


def test_a_slow_writer_is_the_limit_when_it_is_slower_than_the_partitions():
    run = simulate(lineup(2000), rows_per_second=500)
    assert run.seconds == pytest.approx(4.0)


def test_a_table_has_twice_the_partitions_after_each_half_hour(monkeypatch):
    rows = [row._replace(popularity=None) for row in lineup(3000)]
    assert simulate(rows, partitions=1).seconds == pytest.approx(3.0)
    monkeypatch.setattr(forecast, "DOUBLING_SECONDS", 1)
    assert 1.9 < simulate(rows, partitions=1).seconds < 2.6


def test_a_lineup_of_nothing_takes_no_time():
    run = simulate([])
    assert (run.rows, run.seconds, run.rows_per_second, run.loads) == (0, 0.0, 0.0, ())


def test_a_row_larger_than_a_partition_second_is_written_all_the_same():
    assert simulate([lineup(1)[0]._replace(performer="x" * 2000)] * 3).rows == 3
