"""Whatever people, clocks and calls do, the table has in the end what S3 says.

Each schedule ends with a person who redrives what is dead and reconciles every file. Then each key
of a file's current version has the values of its current mapping, nothing of older readings is
left, the ledger's head is right, and nobody wrote rows without a lease.
"""

import pytest

from . import busy
from .busy import run_busy
from .busy_bugs import BUSY_BUGS

SCHEDULES, AT_ONCE = 40, 10


@pytest.mark.parametrize("first", range(0, SCHEDULES, AT_ONCE))
def test_after_busy_people_the_table_is_what_s3_says(first, ports):
    for number in range(first, first + AT_ONCE):
        findings, world = run_busy(f"busy {number}", ports)
        assert not findings, "\n".join([f"busy {number}", *findings, *world.logs[-3:]])


def test_busy_schedules_have_their_own_faults(ports):
    happened = set()
    for number in range(SCHEDULES):
        happened |= set(run_busy(f"busy {number}", ports)[1].plan.happened)
        if happened >= OWN_FAULTS:
            return
    pytest.fail(f"never: {OWN_FAULTS - happened}")


OWN_FAULTS = {
    busy.LATE,
    busy.LOST_FOR_LONG,
    busy.HEAD_CUT,
    busy.WRONG_SUM,
    busy.STORM,
    busy.ASLEEP,
}


@pytest.mark.parametrize("sow", BUSY_BUGS, ids=lambda sow: sow.__name__)
def test_a_bug_is_noticed(sow, ports, monkeypatch):
    sow(monkeypatch)
    assert any(run_busy(f"busy {number}", ports)[0] for number in BUSY_BUGS[sow])
