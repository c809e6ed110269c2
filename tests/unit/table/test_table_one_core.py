"""One core while a lineup is written, and the cores of before afterwards."""

import os
import threading

import pytest

from festival.table.one_core import one_core

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this platform cannot keep a process on a core"
)


def cores():
    return os.sched_getaffinity(0)


def of_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(cores()))
    thread.start()
    thread.join()
    return found[0]


def test_threads_that_start_within_it_share_the_core_of_the_one_that_writes():
    allowed = cores()
    with one_core():
        assert len(cores()) == 1
        assert cores() <= allowed
        assert of_a_thread() == cores()


def test_the_cores_of_before_are_restored_even_after_an_error():
    before = cores()
    with pytest.raises(KeyboardInterrupt), one_core():
        raise KeyboardInterrupt
    assert cores() == of_a_thread() == before


def test_another_thread_of_the_process_keeps_its_cores():
    seen, within, looked = [], threading.Event(), threading.Event()

    def look():
        within.wait(10)
        seen.append(cores())
        looked.set()

    before = cores()
    thread = threading.Thread(target=look)
    thread.start()
    with one_core():
        within.set()
        looked.wait(10)
    thread.join()
    assert seen == [before]


def test_where_it_is_forbidden_the_work_goes_on(monkeypatch):
    def forbidden(*_):
        raise PermissionError("not in this container")

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    with one_core():
        done = True
    assert done


def test_it_stays_within_the_cores_that_were_allowed(monkeypatch):
    allowed = cores()
    monkeypatch.setattr("festival.table.one_core._core_of_this_thread", lambda: 9999)
    with one_core():
        assert cores() <= allowed
