"""Whatever people, clocks and calls do, the table has in the end what S3 says.

Each schedule ends with a person who redrives what is dead and reconciles every file. Then each key
of a file's current version has the values of its current mapping, nothing of older readings is
left, the ledger's head is right, and nobody wrote rows without a lease.
"""

import pytest

from . import busy
from .busy import run_busy
from .busy_bugs import BUSY_BUGS
from .invocation import Ports

SCHEDULES = (1, 2, 3, 4, 11, 15, 16, 18, 21, 24, 37, 40, 53)  # quick ones; soak has all others
OWN_FAULTS = {
    busy.LATE,
    busy.LOST_FOR_LONG,
    busy.HEAD_CUT,
    busy.WRONG_SUM,
    busy.STORM,
    busy.ASLEEP,
}


def test_after_busy_people_the_table_is_what_s3_says(ports):
    happened: set[str] = set()
    for number in SCHEDULES:
        findings, world = run_busy(f"busy {number}", ports)
        assert not findings, "\n".join([f"busy {number}", *findings, *world.logs[-3:]])
        happened |= set(world.plan.happened)
    assert happened >= OWN_FAULTS


@pytest.mark.parametrize("sow", BUSY_BUGS, ids=lambda sow: sow.__name__)
def test_a_bug_is_noticed(sow, monkeypatch):
    sow(monkeypatch)
    ports = Ports()  # clients that were made before have nothing of the bug
    try:
        assert any(run_busy(f"busy {number}", ports)[0] for number in BUSY_BUGS[sow])
    finally:
        ports.close()
