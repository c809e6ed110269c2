"""What a bulk operation's counts and report mean for each file: nothing is taken on trust."""

import pytest

from festival.ingest.report import Counts
from festival.lineup.model import Performance
from festival.ops.bulk_load import Load, LoadedFile
from festival.ops.bulk_operation import Ended
from festival.ops.bulk_verdict import Refused, Verdict, judge

ALL = frozenset({0, 1, 2})
BJORK = Performance("Björk", "Orange", "2025-07-04", 1290, 1380, 97, 2)


def load(overtakes=()):
    files = tuple(
        LoadedFile("up", name, "v1", "v1", 1, Counts(read=10))
        for name in ("a.csv", "b.csv", "c.csv")
    )
    return Load(
        run="summer",
        token="t",
        table="table",
        bucket="reports",
        write_units=4000,
        parts=2,
        lines={0: 12, 1: 18},
        files=files,
        overtakes=frozenset(overtakes),
    )


def completed(processed=30, failed=0, status="COMPLETED"):
    return Ended(status, processed, failed)


def refused(number, losers=()):
    return Refused(number, BJORK, "too sweet", frozenset(losers))


def test_a_completed_load_leaves_nothing_open():
    assert judge(load(), completed()) == Verdict()


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_a_load_that_did_not_complete_leaves_every_file_open_and_says_why(status):
    verdict = judge(load(), Ended(status, 29, 0, "InternalFailure: try again"))
    assert verdict.left_open == ALL
    assert verdict.why == f"the bulk load ended as {status}: InternalFailure: try again"


def test_one_item_that_was_not_processed_leaves_every_file_open():
    verdict = judge(load(), completed(processed=29))
    assert verdict.left_open == ALL
    assert "of 30 items DynamoDB processed 29" in verdict.why


def test_refused_rows_that_the_report_names_are_rejections_and_nothing_is_open():
    rows = (refused(0), refused(2))
    verdict = judge(load(), completed(30, 2, "COMPLETED_WITH_ERRORS"), rows)
    assert (verdict.refused, verdict.left_open) == (rows, frozenset())


def test_a_refusal_that_the_report_does_not_name_leaves_every_file_open():
    verdict = judge(load(), completed(30, 3, "COMPLETED_WITH_ERRORS"), (refused(0), refused(2)))
    assert (verdict.refused, verdict.left_open) == ((), ALL)


def test_an_object_that_was_not_read_to_its_end_leaves_open_only_its_files():
    verdict = judge(
        load(),
        completed(19, 1, "COMPLETED_WITH_ERRORS"),
        stopped=frozenset({0}),
        in_stopped=frozenset({1}),
    )
    assert verdict.left_open == {1}


def test_items_missing_beyond_the_stopped_object_leave_every_file_open():
    verdict = judge(
        load(),
        completed(17, 1, "COMPLETED_WITH_ERRORS"),
        stopped=frozenset({0}),
        in_stopped=frozenset({1}),
    )
    assert verdict.left_open == ALL


def test_a_file_that_has_to_win_over_an_open_one_is_open_as_well():
    verdict = judge(
        load(overtakes=[(0, 1), (1, 2)]),
        completed(19, 1, "COMPLETED_WITH_ERRORS"),
        stopped=frozenset({0}),
        in_stopped=frozenset({0}),
    )
    assert verdict.left_open == ALL


def test_a_file_that_an_open_one_wins_over_stays_as_it_is():
    verdict = judge(
        load(overtakes=[(0, 1)]),
        completed(19, 1, "COMPLETED_WITH_ERRORS"),
        stopped=frozenset({0}),
        in_stopped=frozenset({1}),
    )
    assert verdict.left_open == {1}


def test_where_the_winner_is_refused_the_value_it_won_over_has_to_come_back():
    verdict = judge(
        load(overtakes=[(0, 1)]),
        completed(30, 2, "COMPLETED_WITH_ERRORS"),
        (refused(1, losers=[0]), refused(2)),
    )
    assert verdict.left_open == {0, 1}
    assert verdict.refused == (refused(2),)
