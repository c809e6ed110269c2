"""The forecast of partition limits against an endpoint that throttles by the same rules.

The bulk writer itself does the writing. No machine is faster than the endpoint's partitions, and a
slow one only slower: `python -m tests.benchmarks.throttled` compares the other end of the range.
"""

import pytest

from tests.benchmarks.throttled import scenarios


@pytest.mark.parametrize("scenario", list(scenarios(900)), ids=str)
def test_the_writer_is_not_faster_than_the_forecasts_range(scenario):
    endpoint, took = scenario.write()
    assert sorted(endpoint.stored) == sorted(row.key for row in scenario.rows)
    assert took >= scenario.forecast().low


@pytest.mark.parametrize("scenario", [each for each in scenarios(900) if each.credit == 0], ids=str)
def test_without_credit_some_rows_are_throttled_and_none_is_lost(scenario):
    endpoint, _ = scenario.write()
    assert endpoint.refused > 0
    assert sorted(endpoint.stored) == sorted(row.key for row in scenario.rows)
