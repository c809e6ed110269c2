"""Many files by each engine, killed midway and started again, on a stand-in for all of AWS.

`python -m tests.benchmarks.backfill` does the same with 10,000 files.
"""

import pytest

from tests.benchmarks.backfill import measure


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ["direct", "queue"])
def test_a_backfill_that_is_killed_comes_to_the_exact_counts_and_one_email(engine: str):
    result = measure(60, engine)
    assert result["found"] == result["expected"]
    assert result["exit"] == 0, result["last line"]
    assert max(result["bytes of the report"].values()) < 2_000_000
