"""The forecast of partition limits, held against loads worked out by hand."""

import pytest

from festival.analysis.cost.forecast import (
    BURST_SECONDS,
    COLD_START_SECONDS,
    Forecast,
    forecast,
    ingest_time,
    repeated,
    typical,
)
from festival.backfill.plan import Effort
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


def took(rows, placements=5):
    return forecast(rows, placements=placements).partitions(len(rows))


def test_the_constant_popularity_takes_a_thousand_rows_a_second_in_every_placement():
    found = forecast(lineup(1000), placements=5)
    assert found.hottest == "PopularityIndex POPULARITY"
    assert found.loads[0].units == 1000
    assert 0.8 < found.partitions(1000).low <= found.partitions(1000).high < 1.4


def test_what_is_simulated_is_scaled_to_what_is_asked():
    found = Forecast(1000, (0.5, 1.0, 2.0), ())
    assert found.partitions(10_000) == pytest.approx((4.5, 10.0, 22.0))
    assert found.partitions(10_000, credit=6) == pytest.approx((0.0, 4.0, 16.0))


def test_burst_credit_is_taken_off_what_the_partitions_take():
    found = forecast(lineup(1000), placements=3)
    assert found.partitions(1000, credit=BURST_SECONDS) == (0, 0, 0)
    without = found.partitions(1_000_000)
    assert found.partitions(1_000_000, credit=300).median == pytest.approx(without.median - 300)


def test_rows_without_popularity_pass_while_the_others_wait():
    rows = lineup(1000)
    rows[::2] = [row._replace(popularity=None) for row in rows[::2]]
    assert took(rows).median < 0.8 * took(lineup(1000)).median


def test_where_the_keys_lie_makes_a_range_if_no_row_has_a_popularity():
    found = took(lineup(1000, dates=4, popularity=None), placements=20)
    assert found.high > 1.5 * found.low
    assert found.low < found.median < found.high


def test_a_file_sorted_by_date_stays_at_one_partition():
    rows = lineup(1000, dates=2, popularity=None)
    assert took(sorted(rows, key=lambda row: row.date)).median > 0.8


def test_the_same_lineup_has_the_same_forecast_in_any_process():
    assert forecast(lineup(200), placements=3) == forecast(lineup(200), placements=3)


def test_a_lineup_of_nothing_takes_no_time():
    assert forecast([], placements=2).partitions(0) == (0, 0, 0)
    assert forecast([], placements=2).hottest == ""


def test_a_row_larger_than_a_partition_second_is_written_all_the_same():
    large = lineup(1)[0]._replace(performer="x" * 2000)
    assert forecast([large] * 3, placements=1).rows == 3


def test_a_larger_lineup_of_the_same_shape_has_other_performers():
    twice = repeated(lineup(2), 4)
    assert [row.performer for row in twice] == ["Band 0 0", "Band 1 0", "Band 0 1", "Band 1 1"]


class TestIngestTime:
    def test_the_median_placement_without_credit_is_what_it_takes(self):
        found = ingest_time(100_000, memory_mb=1769)
        assert found.decided_by == "the hottest partition (PopularityIndex POPULARITY)"
        assert found.seconds == COLD_START_SECONDS + found.partitions.median
        assert found.range.low < found.seconds <= found.range.high

    def test_with_credit_the_processor_decides(self):
        found = ingest_time(10_000, memory_mb=256)
        assert found.range.low == COLD_START_SECONDS + found.processor

    def test_memory_buys_processor_up_to_one_cpu(self):
        small, whole, more = (
            ingest_time(9_000, memory_mb=mb).processor for mb in (256, 1769, 3008)
        )
        assert small / whole == pytest.approx(1769 / 256)
        assert more == whole

    def test_the_plan_of_a_backfill_forecasts_by_the_same_model(self):
        assert Effort(files=1, new_rows=500_000).seconds() == pytest.approx(
            typical().partitions(500_000).median
        )
