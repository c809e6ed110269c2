"""AWS's time: what a `Date` header proves of this machine's clock, and what cannot be corrected."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from festival.errors import FestivalError
from festival.ingest.clock import AwsClock

NOON = datetime(2025, 7, 12, 12, tzinfo=UTC).timestamp()


class Machine:
    """A clock that is so many seconds off, and the answers that its calls get."""

    def __init__(self, off=0.0):
        self.off = off
        self.true = NOON
        self.clock = AwsClock(lambda: self.true + self.off)

    def ask(self, seconds=0.01):
        sent = self.true + self.off
        date = format_datetime(datetime.fromtimestamp(int(self.true + seconds / 2), UTC))
        self.true += seconds
        self.clock.learn(date, sent, self.true + self.off)


def test_a_right_clock_is_left_alone():
    machine = Machine()
    for seconds in (0.01, 0.4, 20.0):
        machine.ask(seconds)
        assert machine.clock.now() == machine.true


@pytest.mark.parametrize("off", [-40.0, -3.0, 3.0, 40.0])
def test_a_wrong_clock_is_put_right_to_the_second(off):
    machine = Machine(off)
    machine.ask()
    assert abs(machine.clock.now() - machine.true) <= 1.01


def test_a_clock_that_is_set_amid_the_work_is_followed():
    machine = Machine()
    machine.ask()
    machine.off = 90.0
    machine.ask()
    assert abs(machine.clock.now() - machine.true) <= 1.01


def test_a_late_answer_proves_less_and_forgets_nothing():
    machine = Machine(-40.0)
    machine.ask()
    machine.ask(60.0)
    assert abs(machine.clock.now() - machine.true) <= 1.01


def test_a_suspended_machine_knows_how_late_it_is():
    machine = Machine()
    machine.ask()
    machine.true += 3600
    assert machine.clock.now() == NOON + 3600.01


@pytest.mark.parametrize(("off", "where"), [(-432.0, "behind"), (432.0, "ahead of")])
def test_a_clock_that_is_too_wrong_is_refused_in_one_line(off, where):
    machine = Machine(off)
    machine.ask()
    message = rf"clock is 43\d s {where} AWS's; expected at most 240"
    with pytest.raises(FestivalError, match=message) as said:
        machine.clock.now()
    assert "\n" not in str(said.value)


def test_an_answer_without_a_date_that_can_be_read_changes_nothing():
    machine = Machine()
    machine.clock.learn("half past twelve", NOON, NOON)
    assert machine.clock.now() == NOON
