"""A backfill: what it plans from bucket and ledger, and what it does with files that fail."""

from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from time import sleep
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from festival.backfill.engines import outcome_of_report
from festival.backfill.plan import (
    Effort,
    ListedFile,
    Selection,
    list_files,
    look_up,
    make_plan,
    plan_rows,
    plan_sentence,
)
from festival.backfill.run import (
    FileOutcome,
    new_run_id,
    notify,
    outcome_rows,
    outcome_sentence,
    require_no_stop,
    run_backfill,
    summary,
    written_effort,
)
from festival.errors import FestivalError, Remedy, RetryableError
from festival.ingest.attempt import Action, TryFailedError, TryResult
from festival.ingest.ledger.records import Status, VersionRecord
from festival.ingest.report import Counts, IngestReport
from festival.lineup.mapping import LineupMapping

FRIDAY = datetime(2025, 7, 11, 12, tzinfo=UTC)
SATURDAY = datetime(2025, 7, 12, 12, tzinfo=UTC)


class Bucket:
    """An S3 that lists object versions."""

    def __init__(self, *entries):
        self.entries = entries

    def get_paginator(self, name):
        assert name == "list_object_versions"
        return self

    def paginate(self, *, Bucket, Prefix):  # noqa: N803 - boto3's names
        if Bucket != "uploads":
            raise ClientError({"Error": {"Code": "NoSuchBucket"}}, "ListObjectVersions")
        yield {"Versions": [one for one in self.entries if one["Key"].startswith(Prefix)]}


def entry(key, modified=FRIDAY, version="v1", latest=True, size=600):
    return {
        "Key": key,
        "VersionId": version,
        "IsLatest": latest,
        "Size": size,
        "LastModified": modified,
        "ETag": '"abc"',
    }


def listed(key, size=600):
    return ListedFile(key, "v1", size, FRIDAY)


def record(status, **more):
    return VersionRecord("uploads/a.csv", "v1", status, **more)


def keys(bucket, **selection):
    return [one.key for one in list_files(bucket, Selection("uploads", **selection))]


def test_only_current_versions_are_listed_oldest_first():
    bucket = Bucket(
        entry("b.csv", SATURDAY, "v2"),
        entry("b.csv", FRIDAY, "v1", latest=False),
        entry("a/", FRIDAY),
        entry("a/a.csv", FRIDAY),
    )
    assert keys(bucket) == ["a/a.csv", "b.csv"]


@pytest.mark.parametrize("newest_first", [True, False])
def test_of_several_versions_it_is_the_current_one_that_is_ingested(newest_first):
    """By its version: the key is the same for all of them."""
    versions = [
        entry("b.csv", SATURDAY, "v3"),
        entry("b.csv", SATURDAY, "v2", latest=False),
        entry("b.csv", FRIDAY, "v1", latest=False),
    ]
    bucket = Bucket(*(versions if newest_first else reversed(versions)))
    assert [(one.key, one.version) for one in list_files(bucket, Selection("uploads"))] == [
        ("b.csv", "v3")
    ]


def test_a_mapping_beside_a_file_is_no_lineup_and_the_file_knows_of_it():
    bucket = Bucket(entry("a.csv"), entry("a.csv.mapping.json"), entry("b.csv"))
    found = list_files(bucket, Selection("uploads"))
    assert [(one.key, one.has_sidecar) for one in found] == [("a.csv", True), ("b.csv", False)]


class Ledger:
    """A ledger that knows one version of one file."""

    def __init__(self, file, version):
        self.known = (file, version)

    def find(self, file, version):
        return record(Status.NOTIFIED) if (file, version) == self.known else None


def test_what_was_read_with_another_mapping_is_not_done():
    mapping = LineupMapping.from_dict({"date_order": "day_first"})
    files = [listed("a.csv")]
    ledger = Ledger("uploads/a.csv", "v1")
    assert look_up(ledger, "uploads", files)[0][1] is not None
    assert look_up(ledger, "uploads", files, mapping=mapping)[0][1] is None
    mapped = Ledger("uploads/a.csv", f"v1+{mapping.fingerprint()}")
    assert look_up(mapped, "uploads", files, mapping=mapping)[0][1] is not None


def test_the_mapping_beside_a_file_is_part_of_its_version():
    text = b'{"date_order": "day_first"}'
    shelf = SimpleNamespace(get_object=lambda **_: {"Body": BytesIO(text)})
    mark = LineupMapping.from_json(text).fingerprint()
    files = [replace(listed("a.csv"), has_sidecar=True)]
    ledger = Ledger("uploads/a.csv", f"v1+{mark}")
    assert look_up(ledger, "uploads", files, s3=shelf)[0][1] is not None


def test_without_versioning_etag_and_time_are_the_version():
    (one,) = list_files(Bucket(entry("a.csv", version="null")), Selection("uploads"))
    assert one.version == "etag-abc-20250711T120000"


def test_since_and_until_include_their_days():
    bucket = Bucket(entry("friday.csv", FRIDAY), entry("saturday.csv", SATURDAY))
    assert keys(bucket, since="2025-07-12") == ["saturday.csv"]
    assert keys(bucket, until="2025-07-11") == ["friday.csv"]
    assert keys(bucket, since="2025-07-11", until="2025-07-12") == ["friday.csv", "saturday.csv"]
    assert keys(bucket, since="2025-07-12T12:00") == ["saturday.csv"]


def test_since_and_until_include_their_moments_and_a_day_ends_before_the_next():
    midnight = datetime(2025, 7, 12, tzinfo=UTC)
    bucket = Bucket(entry("friday.csv", FRIDAY), entry("midnight.csv", midnight))
    assert keys(bucket, until="2025-07-11T12:00") == ["friday.csv"]
    assert keys(bucket, until="2025-07-11") == ["friday.csv"]
    assert keys(bucket, since="2025-07-12") == ["midnight.csv"]
    assert keys(bucket, until="2025-07-12T02:00+02:00") == ["friday.csv", "midnight.csv"]


def test_prefix_and_glob_choose_by_name():
    bucket = Bucket(entry("2025/a.csv"), entry("2025/b.json"), entry("2024/a.csv"))
    assert keys(bucket, prefix="2025/", glob="*.csv") == ["2025/a.csv"]


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({"prefix": "none/"}, "nothing to ingest in s3://uploads/none/: it is empty"),
        ({"glob": "*.xlsx"}, "none of its 1 files matches glob '*.xlsx'"),
        ({"since": "2026-01-01"}, "matches glob '*', since 2026-01-01"),
        ({"since": "yesterday"}, "since 'yesterday': expected YYYY-MM-DD"),
    ],
)
def test_a_selection_of_nothing_is_one_clear_sentence(selection, said):
    with pytest.raises(FestivalError) as caught:
        keys(Bucket(entry("a.csv")), **selection)
    assert said in str(caught.value)


def test_a_bucket_that_is_not_there_is_one_clear_sentence():
    with pytest.raises(FestivalError, match="bucket 'missing' cannot be listed"):
        list_files(Bucket(), Selection("missing"))


def test_what_the_ledger_shows_as_done_is_skipped_and_force_takes_it_again():
    files = [
        (listed("new.csv"), None),
        (listed("half.csv"), record(Status.RUNNING)),
        (listed("told.csv"), record(Status.NOTIFIED)),
        (listed("bad.csv"), record(Status.FAILED, notified_at="2025-07-11")),
        (listed("untold.csv"), record(Status.FAILED)),
        (listed("undone.csv"), record(Status.NOTIFIED, overtaken_by="v2")),
        (listed("never in.csv"), record(Status.SUPERSEDED)),
    ]
    plan = make_plan("uploads", files)
    assert [file.listed.key for file in plan.to_ingest] == [
        "new.csv",
        "half.csv",
        "untold.csv",
        "undone.csv",
        "never in.csv",
    ]
    assert [file.listed.key for file in plan.failed_before] == ["bad.csv"]
    assert [row["ledger"] for row in plan_rows(plan)] == [
        "new",
        "unfinished",
        "done",
        "failed before",
        "unfinished",
        "unfinished",
        "unfinished",
    ]
    forced = make_plan("uploads", files, again=True)
    assert len(forced.to_ingest) == 7
    assert forced.failed_before == ()


def test_a_plan_says_bytes_rows_dollars_and_minutes():
    plan = make_plan("uploads", [(listed("a.csv", 6_000_000), None)], region="us-east-1")
    assert plan.dollars == pytest.approx(100_000 * 4 * 0.625e-6)
    assert plan.minutes == pytest.approx(100 / 60, rel=0.01)
    assert plan_sentence(plan) == (
        "1 of 1 file to ingest, 6,000,000 bytes, about 100,000 rows; about $0.2500 for writes and "
        "1.7 minutes"
    )


def test_a_plan_counts_what_it_will_ingest_and_not_what_it_skips():
    files = [(listed("new.csv", 600), None), (listed("old.csv", 6_000), record(Status.NOTIFIED))]
    said = plan_sentence(make_plan("uploads", files))
    assert said.startswith("1 of 2 files to ingest, 600 bytes, about 10 rows;")


@pytest.mark.parametrize(
    ("key", "rows"),
    [("a.csv", 50), ("a.json", 20), ("a.jsonl", 20), ("a.csv.gz", 300), ("A.JSON.GZ", 120)],
)
def test_rows_are_estimated_by_a_files_size_and_name(key, rows):
    (planned,) = make_plan("uploads", [(listed(key, 3_000), None)]).files
    assert planned.rows == rows


def test_rows_that_the_ledger_has_counted_are_not_estimated_and_cost_a_unit_when_unchanged():
    done = record(Status.NOTIFIED)._replace(counts=Counts(read=1_200))
    plan = make_plan(
        "uploads", [(listed("a.csv", 6_000_000), done)], again=True, region="us-east-1"
    )
    assert plan.effort == Effort(files=1, new_rows=0, same_rows=1_200)
    assert plan.dollars == pytest.approx(1_200 * 0.625e-6)
    assert "about 1,200 rows, 1,200 of them unchanged" in plan_sentence(plan)


def test_a_report_counts_by_the_plans_own_model():
    done = record(Status.NOTIFIED)._replace(counts=Counts(read=100))
    plan = make_plan(
        "uploads",
        [(listed("old.csv"), done), (listed("new.csv"), None)],
        again=True,
        region="us-east-1",
    )
    outcomes = [
        FileOutcome("uploads/old.csv", "success", Counts(read=100)),
        FileOutcome("uploads/new.csv", "partial", Counts(read=60, rejected=10)),
    ]
    assert written_effort(plan, outcomes) == Effort(files=2, new_rows=50, same_rows=100)
    assert "Writes: about 300 write units, $0.0002" in summary(plan, outcomes, "run-1")[1]


def test_a_region_without_prices_has_no_dollars_and_a_plan_all_the_same():
    plan = make_plan("uploads", [(listed("a.json.gz"), None)], region="eu-south-9")
    assert plan.dollars is None
    assert "no prices for this region" in plan_sentence(plan)


class Fleet:
    """An ingestor whose files do what they are told to: a report, or an error."""

    def __init__(self, **behaviour):
        self.behaviour = behaviour
        self.worked_on = []
        self.noted = []
        self.resources = SimpleNamespace(ledger=self)

    def note_failed_try(self, event, message, reason):
        self.noted.append((event.file, message, reason))

    def ingest(self, event, owner, budget, *, again=False):
        self.worked_on.append((event.key, event.version, event.run, again))
        outcome = self.behaviour.get(event.key.removesuffix(".csv"), Counts(read=10))
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is Action.DONE:
            report = IngestReport(event.file, Counts(read=10), [], [], [])
            return TryResult(Action.DONE, event.file, event.version, report)
        error = "" if outcome.written else "the file is empty"
        report = IngestReport(event.file, outcome, [], [], [], error)
        return TryResult(Action.INGESTED, event.file, event.version, report)


def plan_of(*names):
    return make_plan("uploads", [(listed(f"{name}.csv"), None) for name in names])


def test_every_file_of_the_plan_is_ingested_under_the_runs_name(capsys):
    fleet = Fleet()
    outcomes = run_backfill(plan_of("a", "b"), fleet, "run-1")
    assert sorted(fleet.worked_on) == [
        ("a.csv", "v1", "run-1", False),
        ("b.csv", "v1", "run-1", False),
    ]
    assert [one.file for one in outcomes] == ["uploads/a.csv", "uploads/b.csv"]
    assert capsys.readouterr().err == "2 of 2 files, 20 rows, in 0:00:00\n"


def test_a_file_that_fails_does_not_stop_the_others():
    fleet = Fleet(bad=Counts(), worse=ValueError("no\nsuch thing"), done=Action.DONE)
    outcomes = run_backfill(plan_of("bad", "worse", "done", "good"), fleet, "run-1")
    assert [one.status for one in outcomes] == ["failure", "failure", "done", "success"]
    assert outcomes[1].error == "ValueError: no\\nsuch thing"
    assert fleet.noted == [("uploads/worse.csv", "run-1", "ValueError: no\\nsuch thing")]
    require_no_stop(outcomes)


def test_a_reason_that_the_ledger_cannot_take_stops_no_other_file():
    fleet = Fleet(worse=ValueError("no such thing"))

    def silent(event, message, reason):
        raise RetryableError("the ledger does not answer")

    fleet.note_failed_try = silent
    outcomes = run_backfill(plan_of("worse", "good"), fleet, "run-1", files_at_once=1)
    assert [one.status for one in outcomes] == ["failure", "success"]


def test_a_file_that_was_stopped_half_way_has_the_counts_of_what_was_written():
    report = IngestReport("uploads/half.csv", Counts(read=10, unwritten=4), [], [], [])
    fleet = Fleet(half=TryFailedError("throttled", report))
    (outcome,) = run_backfill(plan_of("half"), fleet, "run-1")
    assert (outcome.status, outcome.error) == ("failure", "throttled")
    assert outcome.counts.written == 6


def test_the_rows_of_a_file_that_another_run_has_done_meanwhile_are_not_this_runs():
    fleet = Fleet(done=Action.DONE)
    (outcome,) = run_backfill(plan_of("done"), fleet, "run-1")
    assert (outcome.status, outcome.counts) == ("done", Counts())


def test_no_more_files_are_ingested_at_once_than_was_asked_for():
    busy, most = [], []

    class Slow(Fleet):
        def ingest(self, event, *rest, **more):
            busy.append(event.key)
            most.append(len(busy))
            sleep(0.01)
            busy.remove(event.key)
            return super().ingest(event, *rest, **more)

    run_backfill(plan_of(*"abcdefgh"), Slow(), "run-1", files_at_once=1)
    assert max(most) == 1


def test_stop_begins_no_further_file_and_fails_the_run():
    outcomes = run_backfill(
        plan_of("bad", "a", "b"), Fleet(bad=Counts()), "run-1", on_error="stop", files_at_once=1
    )
    assert [one.status for one in outcomes] == ["failure", "not started", "not started"]
    with pytest.raises(
        FestivalError, match=r"stopped at uploads/bad\.csv: .*; 2 files were not started"
    ):
        require_no_stop(outcomes)


def test_force_ingests_finished_files_again():
    fleet = Fleet()
    run_backfill(plan_of("a"), fleet, "run-1", again=True)
    assert fleet.worked_on == [("a.csv", "v1", "run-1", True)]


def test_an_unknown_on_error_is_refused_before_anything_runs():
    fleet = Fleet()
    with pytest.raises(FestivalError, match="on_error is 'explode'"):
        run_backfill(plan_of("a"), fleet, "run-1", on_error="explode")
    assert fleet.worked_on == []


def test_one_summary_tells_of_the_whole_run():
    plan = make_plan(
        "uploads",
        [
            (listed("a.csv"), None),
            (listed("old.csv"), record(Status.NOTIFIED)),
            (listed("sad.csv"), record(Status.FAILED, notified_at="2025-07-11")),
        ],
    )
    outcomes = [
        FileOutcome("a.csv", "partial", Counts(read=10, rejected=2)),
        FileOutcome("b.csv", "failure", Counts(), "the file is empty"),
    ]
    subject, body = summary(plan, outcomes, "run-1")
    assert subject == "FAILURE: backfill of 2 files - 8 rows written, 1 file failed"
    assert len(subject) < 100
    assert "a.csv: 2 rows rejected" in body
    assert "b.csv: the file is empty" in body
    assert "2 files, done before" in body
    assert "Failed in an earlier run" in body
    assert "sad.csv" in body


def test_a_summary_lists_twenty_files_and_counts_the_rest():
    outcomes = [FileOutcome(f"{number}.csv", "failure", Counts(), "empty") for number in range(25)]
    _, body = summary(plan_of("a"), outcomes, "run-1")
    assert "19.csv" in body
    assert "20.csv" not in body
    assert "and 5 more" in body


def test_a_run_that_did_something_sends_one_email_and_one_that_did_not_sends_none():
    sent = []
    mailer = SimpleNamespace(publish=lambda subject, body: sent.append(subject))
    assert "no e-mail" in notify(mailer, plan_of("a"), [], "run-1")
    assert sent == []
    said = notify(mailer, plan_of("a"), [FileOutcome("a.csv", "success", Counts(read=1))], "run-1")
    assert sent == ["SUCCESS: backfill of 1 file - 1 row written"]
    assert sent[0] in said


def test_the_outcomes_are_rows_of_a_table():
    (row,) = outcome_rows([FileOutcome("a.csv", "success", Counts(read=3), seconds=1.234)])
    assert row == {
        "file": "a.csv",
        "status": "success",
        "read": 3,
        "written": 3,
        "rejected": 0,
        "duplicates": 0,
        "unwritten": 0,
        "seconds": 1.23,
        "reason": "",
    }


def test_of_many_files_those_that_failed_come_first_and_a_long_table_is_cut_and_says_so():
    outcomes = [FileOutcome(f"{n}.csv", "success", Counts(read=1)) for n in range(10_000)]
    outcomes[5_000] = FileOutcome("partial.csv", "partial", Counts(read=2, rejected=1))
    outcomes[9_999] = FileOutcome("failed.csv", "failure", Counts(), "the file is empty")
    rows = outcome_rows(outcomes)
    assert [row["file"] for row in rows[:3]] == ["failed.csv", "partial.csv", "0.csv"]
    assert len(rows) == 200
    assert outcome_sentence(outcomes) == (
        "10,000 files: 9,998 success, 1 partial, 1 failure. The table shows the first 200."
    )


ROWS = [
    {"line": 4, "field": "Date", "value": "10/07/2025", "reason": "expected YYYY-MM-DD"},
    {"line": 5, "field": "Stage", "value": "", "reason": "is blank"},
    {"line": 9, "field": "Date", "value": "11/07/2025", "reason": "expected YYYY-MM-DD"},
]


def test_the_email_says_of_a_file_its_first_reason_the_others_and_where_the_rows_are():
    at = "s3://reports/rejected/park/"
    report = IngestReport(
        "uploads/park.csv", Counts(read=9, rejected=3), ROWS, [], [], rejected_rows_at=at
    )
    outcome = outcome_of_report(report.file, report)
    _, body = summary(plan_of("park"), [outcome], "run-1")
    assert body.endswith(
        "With rejected rows:\n"
        "  uploads/park.csv: 3 rows rejected\n"
        '    first: line 4, Date = "10/07/2025": expected YYYY-MM-DD\n'
        "    reasons: 2 × Date expected YYYY-MM-DD; 1 × Stage is blank\n"
        f"    all of them: {at}\n"
    )


def test_a_file_of_which_nothing_was_kept_is_listed_once_with_all_that_is_known():
    report = IngestReport(
        "uploads/park.csv", Counts(read=3, rejected=3), ROWS, [], [], "no row kept"
    )
    _, body = summary(plan_of("park"), [outcome_of_report(report.file, report)], "run-1")
    assert body.count("uploads/park.csv") == 1
    assert "Not kept:\n  uploads/park.csv: no row kept; 3 rows rejected\n    first: line 4" in body
    assert "     failure:        1 file\n" in body


def test_a_file_that_a_mapping_settles_comes_with_the_command_that_saves_one():
    row = {**ROWS[0], "reason": "may be day or month first", "option": "date_order"}
    report = IngestReport("uploads/park 1.csv", Counts(read=9, rejected=1), [row], [], [])
    _, body = summary(plan_of("park"), [outcome_of_report(report.file, report)], "run-1")
    assert body.endswith("    festival inspect 's3://uploads/park 1.csv' --ask\n")


@pytest.mark.parametrize("remedy", list(Remedy))
def test_a_file_that_cannot_be_read_comes_with_that_command_if_a_mapping_helps(remedy):
    report = IngestReport(
        "uploads/park.csv", Counts(), [], [], [], "the mapping is in a mood", remedy=remedy
    )
    _, body = summary(plan_of("park"), [outcome_of_report(report.file, report)], "run-1")
    command = "    festival inspect s3://uploads/park.csv --ask\n"
    assert body.endswith(command) == (remedy is not Remedy.FILE)


def test_run_names_differ_and_say_when():
    assert new_run_id() != new_run_id()
    assert new_run_id().startswith("backfill-20")
