"""Nothing lost and nothing twice, whatever befalls the function: a few hundred short schedules."""

import pytest

from . import plan
from .bugs import BUGS
from .schedules import Total, run_schedule

SCHEDULES, AT_ONCE = 160, 10
ENOUGH_TO_NOTICE_A_BUG = 60


@pytest.fixture(scope="module")
def total():
    return Total()


@pytest.mark.parametrize("first", range(0, SCHEDULES, AT_ONCE))
def test_after_any_faults_the_table_is_the_truth_and_the_ledger_explains_it(first, ports, total):
    for seed in range(first, first + AT_ONCE):
        result = run_schedule(str(seed), ports)
        total.add(result)
        again = (
            f"again, with its log: python -m tests.faults.soak --schedules 1 --seed {seed} --log"
        )
        assert not result.findings, "\n".join([*result.findings, again])


def test_the_schedules_had_every_fault_and_led_everywhere(total):
    if total.schedules < SCHEDULES:
        pytest.skip("asks about all schedules together")
    assert set(total.faults) == {*plan.ANY_CALL, *plan.OTHER_FAULTS}
    assert set(total.actions) >= {"ingested", "notified", "done", "superseded", "paused", "stale"}
    assert total.dead_letters > 0


@pytest.mark.parametrize("sow", BUGS, ids=lambda sow: sow.__name__)
def test_a_bug_is_noticed(sow, ports, monkeypatch):
    sow(monkeypatch)
    for seed in range(ENOUGH_TO_NOTICE_A_BUG):
        if run_schedule(f"bug {seed}", ports, crowded=sow in BUGS[:1]).findings:
            return
    pytest.fail(f"{ENOUGH_TO_NOTICE_A_BUG} schedules did not notice it")
