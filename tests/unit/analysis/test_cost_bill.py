"""The bill, line by line, against arithmetic a reader can redo."""

import json

import pytest

from festival.analysis.cost.bill import IDLE_RECEIVES, bill, idle_bill, total
from festival.analysis.cost.capacity import EXAMPLE_SOURCE
from festival.analysis.cost.original import compare, differences
from festival.analysis.cost.prices import price_list
from festival.analysis.cost.workload import (
    StackProfile,
    Workload,
    read_units_of,
    row_profile,
)
from festival.errors import FestivalError
from festival.lineup.model import Performance
from festival.table.item import item_size, put_request_encoder, to_item

BJORK = Performance("Björk", "Main Stage", "2025-07-12", 1290, 1380, 97, 2)
BAND = Performance("Local Band", "Tent", "2025-07-13", 600, 645, None, 3)
VIRGINIA = price_list("us-east-1")
PROFILE = row_profile([BJORK, BAND])


def line(lines, item, component=None):
    (found,) = [one for one in lines if one.item == item and component in (None, one.component)]
    return found


def test_a_profile_is_the_mean_of_real_items():
    sizes = [item_size(to_item(row, source=EXAMPLE_SOURCE)) for row in (BJORK, BAND)]
    assert PROFILE.item_bytes == sum(sizes) / 2
    assert PROFILE.write_units == 3.5
    assert PROFILE.index_units["PopularityIndex"] == 0.5


def test_the_item_that_is_priced_is_the_item_that_is_written():
    """The writer's own request, for the file that the profile is told."""
    source = "uploads-of-a-festival/2025/saturday.csv"
    put = json.loads(put_request_encoder(source=source)(BJORK))["PutRequest"]["Item"]
    assert row_profile([BJORK], source=source).item_bytes == item_size(put)


def test_a_row_that_its_source_brings_over_a_kilobyte_costs_twice_as_much():
    assert row_profile([BJORK], source="s" * 1024).table_units == 2


def test_a_file_has_a_key_list_for_each_block_of_it():
    lines = bill(Workload(rows_per_day=100_000), PROFILE, VIRGINIA)
    blocks = -(-100_000 * PROFILE.in_file // (64 * 1024))
    assert line(lines, "key lists").amount == 30 * blocks
    assert line(lines, "key lists, storage").amount > 0


def test_the_function_is_billed_by_gigabyte_seconds_of_1024_megabytes():
    stack = StackProfile(memory_mb=2048)
    took = stack.ingest_time(10_000, PROFILE.shape).seconds
    lines = bill(Workload(rows_per_day=10_000), PROFILE, VIRGINIA, stack=stack)
    assert line(lines, "duration").amount == pytest.approx(30 * took * 2)


def test_point_in_time_recovery_keeps_the_ledger_without_its_index():
    lines = bill(Workload(rows_per_day=0, files_per_day=1000), PROFILE, VIRGINIA)
    kept, stored = line(lines, "point-in-time recovery"), line(lines, "ledger", "DynamoDB storage")
    assert kept.amount == pytest.approx(stored.amount / 2)


def test_old_versions_are_stored_for_thirty_days_and_no_longer():
    again = Workload(rows_per_day=10_000, repeated=0.5)
    half_a_month, month_and_a_half, a_year = (
        line(bill(again, PROFILE, VIRGINIA, month=month), "old versions").amount
        for month in (1, 2, 12)
    )
    assert month_and_a_half == a_year == pytest.approx(2 * half_a_month)


def test_a_log_that_is_kept_for_longer_costs_more_storage_and_no_more_ingestion():
    short, long = (
        bill(Workload(rows_per_day=10_000), PROFILE, VIRGINIA, stack=StackProfile(log_days=days))
        for days in (30, 90)
    )
    assert line(long, "logs, storage").amount == pytest.approx(
        3 * line(short, "logs, storage").amount
    )
    assert line(long, "logs, ingestion").amount == line(short, "logs, ingestion").amount


def test_no_performance_has_no_profile():
    with pytest.raises(FestivalError, match="at least one performance"):
        row_profile([])


def test_a_thousand_rows_a_day_cost_three_and_a_half_wru_each():
    lines = bill(Workload(rows_per_day=1000), PROFILE, VIRGINIA)
    rows = [one for one in lines if one.component == "DynamoDB writes" and one.item != "ledger"]
    assert sum(one.amount for one in rows) == 30_000 * 3.5
    assert sum(one.dollars for one in rows) == pytest.approx(30_000 * 3.5 * 0.625e-6)


def test_files_uploaded_again_unchanged_cost_the_tables_writes_and_old_versions():
    once = bill(Workload(rows_per_day=1000), PROFILE, VIRGINIA, month=3)
    again = bill(Workload(rows_per_day=1000, repeated=1.0), PROFILE, VIRGINIA, month=3)
    assert line(again, "table").amount == 2 * line(once, "table").amount
    assert line(again, "DateIndex").amount == line(once, "DateIndex").amount
    assert line(once, "old versions").amount == 0
    assert line(again, "old versions").amount > 0


def test_an_idle_stack_pays_for_polling_alarms_and_the_dashboard():
    lines = idle_bill(VIRGINIA, stack=StackProfile(alarms=6))
    assert IDLE_RECEIVES == 648_000
    assert {one.item for one in lines} == {"polling", "alarms", "dashboard"}
    assert total(lines) == pytest.approx(0.648 * 0.40 + 6 * 0.10 + 3.00)


def test_an_idle_stack_is_free_within_the_accounts_allowances():
    assert total(idle_bill(VIRGINIA, stack=StackProfile(alarms=6), free_tier=True)) == 0


def test_an_allowance_is_shared_by_the_lines_it_is_for():
    files = Workload(rows_per_day=1000, files_per_day=10_000)
    lines = bill(files, PROFILE, VIRGINIA, free_tier=True)
    queue = [one for one in lines if one.component == "SQS"]
    used = sum(one.amount for one in queue)
    assert sum(one.dollars for one in queue) == pytest.approx((used - 1_000_000) * 0.4e-6)


def test_a_gigabyte_is_two_to_the_thirty_bytes():
    """As DynamoDB, S3 and CloudWatch count them (their pricing pages)."""
    storage = line(bill(Workload(rows_per_day=1000), PROFILE, VIRGINIA), "table and indexes")
    on_average = 15 * 1000  # rows that the first month holds
    assert storage.amount * 2**30 == pytest.approx(on_average * PROFILE.stored)


def test_storage_grows_with_the_months():
    first = line(bill(Workload(1000), PROFILE, VIRGINIA, month=1), "table and indexes")
    fifth = line(bill(Workload(1000), PROFILE, VIRGINIA, month=5), "table and indexes")
    assert fifth.amount == pytest.approx(9 * first.amount)


def test_point_in_time_recovery_is_billed_for_the_table_without_its_indexes():
    lines = bill(Workload(1000), PROFILE, VIRGINIA)
    assert line(lines, "point-in-time recovery").amount < line(lines, "table and indexes").amount
    without = bill(
        Workload(1000), PROFILE, VIRGINIA, stack=StackProfile(point_in_time_recovery=False)
    )
    assert not [one for one in without if one.item == "point-in-time recovery"]


def test_metrics_are_billed_only_in_the_hours_that_report():
    once = line(bill(Workload(1000), PROFILE, VIRGINIA), "custom metrics")
    hourly = line(bill(Workload(1000, files_per_day=48), PROFILE, VIRGINIA), "custom metrics")
    assert once.amount == pytest.approx(5 / 24)
    assert hourly.amount == 5


def test_a_key_of_its_own_for_the_topic_is_on_the_bill():
    lines = bill(Workload(1000), PROFILE, VIRGINIA, stack=StackProfile(topic_key=True))
    assert line(lines, "topic's key").dollars == 1.0


def test_a_question_that_finds_a_hundred_rows_reads_them_as_one():
    size = round(item_size(to_item(BJORK, source=EXAMPLE_SOURCE)))
    assert read_units_of([BJORK], answer_rows=100) == -(-100 * size // 4096) / 2


def test_a_file_of_which_rows_are_rejected_costs_the_ledger_seventeen_wru():
    lines = bill(Workload(1000, files_per_day=10, rejecting=0.5), PROFILE, VIRGINIA)
    assert line(lines, "ledger", "DynamoDB writes").amount == 150 * 9
    assert line(lines, "ledger, rejected rows").amount == 150 * 17
    assert line(lines, "rejected rows").amount == 150


def test_a_nightly_backfill_is_billed_by_the_minute_begun():
    nightly = StackProfile(builds_per_day=1, build_minutes=3.2, archive_mb=512)
    lines = [one for one in idle_bill(VIRGINIA, stack=nightly) if one.component == "schedule"]
    assert {one.item: one.amount for one in lines} == {
        "CodeBuild": 30 * 4,
        "starts": 30,
        "archive": 0.5,
    }
    assert line(lines, "CodeBuild").dollars == pytest.approx(0.60)


def test_the_readme_table_is_compared_row_by_row():
    small, middle, large = compare(PROFILE, VIRGINIA)
    assert [row.rows_per_day for row in (small, middle, large)] == [1_000, 10_000, 100_000]
    assert small.idle == middle.idle == large.idle
    assert small.work < middle.work < large.work
    assert large.original_from <= large.here <= large.original_to


def test_the_differences_to_the_readme_begin_with_the_index_writes():
    found = list(differences(PROFILE, VIRGINIA))
    assert found[0].what == "WRU for a new row"
    assert found[0].dollars_a_day == pytest.approx(0.1 * 0.625 * 2.5)
    cheaper = next(one for one in found if "price" in one.what)
    assert cheaper.dollars_a_day == pytest.approx(0.1 * (0.625 - 1.25))
