"""Concurrency and pauses, as arithmetic."""

from hypothesis import given
from hypothesis import strategies as st

from festival.table.faults import FIRST_PAUSE, LONGEST_PAUSE, pause
from festival.table.writer import Pace


def test_concurrency_grows_by_one_for_each_window_that_succeeds():
    pace = Pace(most=16, allowed=4.0)
    for _ in range(5):
        pace = pace.after_success()
    assert 5.0 <= pace.allowed < 6.0


def test_concurrency_never_passes_the_most():
    pace = Pace(most=3)
    for _ in range(100):
        pace = pace.after_success()
    assert pace.allowed == 3


def test_a_throttle_halves_the_concurrency():
    assert Pace(most=16, allowed=12.0).after_throttle(sent=1.0, now=1.1).allowed == 6.0


def test_requests_that_were_on_their_way_together_halve_it_once():
    pace = Pace(most=16, allowed=16.0)
    for sent in (1.00, 1.01, 1.02, 1.03):
        pace = pace.after_throttle(sent, now=1.1)
    assert pace.allowed == 8.0
    assert pace.after_throttle(sent=1.2, now=1.3).allowed == 4.0


def test_one_request_is_always_allowed():
    pace = Pace(most=16)
    for second in range(20):
        pace = pace.after_throttle(sent=second, now=second + 0.5)
    assert pace.allowed == 1.0


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_is_anywhere_up_to_its_bound(attempt, chance):
    assert 0 <= pause(attempt, chance) <= LONGEST_PAUSE


def test_the_bound_of_a_pause_doubles_with_each_try():
    assert [pause(attempt, 1.0) for attempt in (1, 2, 3)] == [FIRST_PAUSE * n for n in (1, 2, 4)]
    assert pause(1000, 1.0) == LONGEST_PAUSE
