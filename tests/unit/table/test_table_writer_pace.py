"""Concurrency and pauses, as arithmetic."""

from hypothesis import given
from hypothesis import strategies as st

from festival.table.faults import FIRST_PAUSE, LONGEST_PAUSE, pause
from festival.table.writer import Pace


def after(pace, answers, rate):
    """A pace after so many answers of so many a second for each request that may be on its way."""
    now = 100.0
    for _ in range(answers):
        now += 1 / rate(pace.allowed)
        pace = pace.after_success(now)
    return pace


def test_concurrency_doubles_while_that_doubles_the_answers():
    assert after(Pace(most=16), 200, lambda allowed: 100.0 * allowed).allowed == 16


def test_concurrency_that_brings_nothing_is_taken_back_and_tried_again_much_later():
    paces, now = [Pace(most=16)], 0.0
    for _ in range(5000):
        now += 0.01  # as fast as this processor is, however many requests are on their way
        paces.append(paces[-1].after_success(now))
    allowed = [pace.allowed for pace in paces]
    assert set(allowed) == {2, 4}
    assert allowed.count(4) < len(allowed) / 10


def test_concurrency_grows_as_far_as_it_helps_and_no_further():
    pace = after(Pace(most=16), 400, lambda allowed: 100.0 * min(allowed, 8))
    assert pace.allowed == 8


def test_concurrency_never_passes_the_most():
    assert after(Pace(most=3), 1000, lambda allowed: 100.0 * allowed).allowed == 3


def test_after_a_throttle_concurrency_grows_by_one():
    pace = Pace(most=16, allowed=12).after_throttle(sent=1.0, now=99.0)
    grown = after(pace, 4 * 6 + 1, lambda allowed: 100.0 * allowed)
    assert (pace.allowed, grown.allowed) == (6, 7)


def test_a_throttle_halves_the_concurrency():
    assert Pace(most=16, allowed=12).after_throttle(sent=1.0, now=1.1).allowed == 6


def test_requests_that_were_on_their_way_together_halve_it_once():
    pace = Pace(most=16, allowed=16)
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


def test_a_pause_has_full_jitter():
    """So that writers that were throttled together do not come back together."""
    assert [pause(attempt, 0.0) for attempt in (1, 5, 100)] == [0.0, 0.0, 0.0]
    assert [pause(attempt, 1.0) for attempt in (1, 2, 3, 100)] == [0.05, 0.1, 0.2, 5.0]
    assert pause(2, 0.5) == 0.05
