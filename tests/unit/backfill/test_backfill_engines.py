"""Which engine suits a backfill, and that it says why."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from festival.backfill.engines import DirectEngine
from festival.backfill.plan import BackfillPlan, Effort, ListedFile, make_plan
from festival.backfill.run import choose_engine, pick_engine
from festival.errors import FestivalError

FRIDAY = datetime(2025, 7, 11, 12, tzinfo=UTC)


def choice(files=1, rows=1_000, workers=10):
    return choose_engine(Effort(files, rows), workers=workers)


def test_a_weekend_of_files_is_for_this_process():
    assert choice(files=40, rows=4_000) == (
        "direct",
        "40 files with about 4,000 rows take this process about 0.1 minutes",
    )


def test_many_small_files_are_for_the_fleet():
    engine, why = choice(files=12_000, rows=600_000)
    assert engine == "queue"
    assert why == (
        "12,000 files with about 600,000 rows would take this process about 15.0 minutes; "
        "10 workers of the function take about 10.1"
    )


def test_tens_of_millions_of_rows_are_for_the_fleet():
    assert choice(files=500, rows=30_000_000)[0] == "queue"


def test_without_a_fleet_this_process_takes_them_and_says_so():
    engine, why = choice(files=12_000, rows=600_000, workers=0)
    assert engine == "direct"
    assert "no function reads this bucket into this table" in why


OUTPUTS = SimpleNamespace(upload_bucket="uploads", table="table")


def pick(wanted, bucket="uploads", **more):
    plan = BackfillPlan(bucket, ())
    return pick_engine(wanted, plan, None, None, OUTPUTS, **more)


def test_a_run_that_stops_at_the_first_failure_stays_in_this_process():
    engine, why = pick("auto", stop_at_failure=True, files_at_once=2)
    assert engine == DirectEngine(None, 2)
    assert "stop" in why


def test_the_fleet_is_refused_for_a_bucket_that_the_function_does_not_read():
    with pytest.raises(
        FestivalError, match=r"^engine queue: the function reads uploads into table"
    ):
        pick("queue", bucket="archive")


@pytest.mark.parametrize("given", [{"bucket": "archive"}, {"table": "winter"}])
def test_a_bucket_or_a_table_that_is_not_the_functions_is_for_this_process(given):
    with pytest.raises(FestivalError, match="engine queue: the function reads uploads into table"):
        pick("queue", **given)
    engine, _ = pick("auto", files_at_once=7, **given)
    assert engine == DirectEngine(None, 7)
    engine, why = pick("direct", files_at_once=7, **given)
    assert (engine, why) == (DirectEngine(None, 7), "as asked for")


class CloudFormation:
    """A stack whose queue may run three hundred functions at once."""

    def create_client(self, service):
        assert service == "cloudformation"
        return self

    def describe_stacks(self, StackName):  # noqa: N803
        parameter = {"ParameterKey": "MaximumConcurrency", "ParameterValue": "300"}
        return {
            "Stacks": [
                {
                    "StackName": StackName,
                    "StackId": f"arn:aws:cloudformation:eu-west-1:1:stack/{StackName}/1",
                    "StackStatus": "CREATE_COMPLETE",
                    "CreationTime": datetime(2025, 7, 1, tzinfo=UTC),
                    "Parameters": [parameter],
                }
            ]
        }


def test_the_fleet_has_as_many_workers_as_the_stack_says():
    """And files at once make this process faster, which is for the choice, too."""
    outputs = SimpleNamespace(
        **vars(OUTPUTS), stack="summer", queue_url="queue", dead_letter_queue_url="dead"
    )
    clients = SimpleNamespace(session=CloudFormation(), sqs=None)
    ingestor = SimpleNamespace(resources=None)
    files = [(ListedFile(f"{n}.csv", "v1", 60, FRIDAY), None) for n in range(9_000)]
    plan = make_plan("uploads", files)
    engine, why = pick_engine("auto", plan, ingestor, clients, outputs, files_at_once=4)
    assert engine.workers == 300
    assert "300 workers of the function" in why
    engine, _ = pick_engine("auto", plan, ingestor, clients, outputs, files_at_once=8)
    assert engine == DirectEngine(ingestor, 8)


@pytest.mark.parametrize("name", ["fast", "bulk"])
def test_another_name_is_refused_with_those_there_are(name):
    with pytest.raises(FestivalError, match=f"engine is '{name}': expected auto, direct or queue"):
        pick(name)


def test_a_choice_and_the_plan_tell_of_the_same_minutes():
    effort = Effort(files=100, new_rows=2_300_000)
    plan = BackfillPlan("uploads", ())
    assert plan.minutes == 0
    assert effort.seconds() / 60 == pytest.approx(38.5, abs=0.1)
    assert (
        "about 38.5 minutes; 10 workers of the function take about 38.5"
        in (choose_engine(effort, workers=10)[1])
    ), "the partition of PopularityIndex is as narrow for the fleet"


def test_rows_that_are_there_already_cost_a_quarter_and_wait_for_no_partition():
    new, same = Effort(1, 1_000_000), Effort(1, 0, 1_000_000)
    assert (new.write_units, same.write_units) == (4_000_000, 1_000_000)
    assert new.seconds() == pytest.approx(1_000, rel=0.01)
    assert same.seconds() < 60
    assert same.dollars(0.625e-6) == pytest.approx(0.625)
    assert same.dollars(None) is None


def test_a_worker_has_its_share_of_a_processor():
    same = Effort(1, 0, 30_000_000)
    assert same.seconds() == pytest.approx(1_000)
    assert same.fleet_seconds(10, memory_mb=256) == pytest.approx(1_000 * 1769 / 2560, rel=0.01)
    # One vCPU is what one thread can use, whatever memory buys beyond it.
    assert same.fleet_seconds(10, memory_mb=10_240) == pytest.approx(100)
