"""Several calls at once: their order, their number, and their end."""

import doctest
from threading import Barrier, Event

import pytest

from festival import threads
from festival.threads import at_once


def test_the_example_of_the_docstring_holds():
    assert doctest.testmod(threads).failed == 0


def test_results_come_in_the_order_of_the_items_although_the_first_is_the_slowest():
    rest_are_done = Barrier(2)

    def name(number: int) -> str:
        if number in (0, 2):
            rest_are_done.wait(timeout=10)
        return f"stage {number}"

    assert list(at_once(name, range(3), 3)) == ["stage 0", "stage 1", "stage 2"]


def test_results_come_as_they_are_known_where_order_does_not_matter():
    headliner_may_begin = Event()

    def play(act: str) -> str:
        if act == "headliner":
            headliner_may_begin.wait(timeout=10)
        return act

    playing = at_once(play, ["headliner", "opener"], 2, in_order=False)
    assert next(playing) == "opener"
    headliner_may_begin.set()
    assert list(playing) == ["headliner"]


def test_after_a_call_that_raises_no_further_call_begins():
    begun = []

    def play(act: str) -> str:
        begun.append(act)
        if act == "encore":
            Event().wait(timeout=0.05)  # long enough for the others to be called off
            return act
        raise ValueError(f"{act} fell off the stage")

    with pytest.raises(ValueError, match="opener fell off the stage"):
        list(at_once(play, ["opener", *["encore"] * 1000], 1))
    assert len(begun) < 1000


def test_closing_it_waits_for_calls_under_way():
    ended = []
    begun = Event()

    def play(act: str) -> str:
        if act == "second":
            begun.set()
        elif act == "first":
            begun.wait(timeout=10)
        ended.append(act)
        return act

    playing = at_once(play, ["first", "second"], 2)
    next(playing)
    playing.close()
    assert sorted(ended) == ["first", "second"]
