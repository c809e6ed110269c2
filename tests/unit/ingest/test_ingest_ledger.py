"""The ledger: one worker a file, fencing by attempts, and what a version's record says."""

from dataclasses import replace
from itertools import count

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from festival.errors import Remedy
from festival.ingest.ledger.leases import LeaseHeldError, LeaseLostError
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.reconciliations import RecordedRemoval, Removal
from festival.ingest.ledger.records import Status, VersionRecord
from festival.ingest.report import Counts, IngestReport

FILE = "upload/summer.csv"


class Clock:
    def __init__(self):
        self.now = 1_752_300_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="module")
def dynamodb():
    with mock_aws():
        yield boto3.client("dynamodb", region_name="us-east-1")


@pytest.fixture
def ledger(dynamodb, clock):
    dynamodb.create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("File", "Entry", "Day", "StartedAt")
        ],
        KeySchema=keys("File", "Entry"),
        GlobalSecondaryIndexes=[
            {
                "IndexName": "RecentIndex",
                "KeySchema": keys("Day", "StartedAt"),
                "Projection": {"ProjectionType": "ALL"},
            },
        ],
    )
    yield Ledger(dynamodb, "ledger", clock)
    dynamodb.delete_table(TableName="ledger")


def keys(partition, sort):
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def report(version="v1", **counts):
    return IngestReport(FILE, Counts(**counts), [], [], [], "", version)


def finished(ledger, lease, version="v1"):
    ledger.begin(lease, version)
    ledger.finish(lease, version, "written", report(version, read=3), "{}", 12)


def test_one_owner_at_a_time(ledger, clock):
    ledger.leases.acquire(FILE, "first", 60)
    clock.now += 59
    with pytest.raises(LeaseHeldError) as held:
        ledger.leases.acquire(FILE, "second", 60)
    assert held.value.owner == "first"
    assert held.value.until == clock.now + 1


def test_a_lapsed_lease_is_taken_over_as_the_next_attempt(ledger, clock):
    first = ledger.leases.acquire(FILE, "first", 60)
    clock.now += 60
    second = ledger.leases.acquire(FILE, "second", 60)
    assert (first.attempt, second.attempt) == (1, 2)


def test_a_released_lease_is_free_at_once(ledger):
    ledger.leases.release(ledger.leases.acquire(FILE, "first", 60))
    assert ledger.leases.acquire(FILE, "second", 60).attempt == 2


def test_releasing_a_lease_that_was_taken_over_leaves_it_to_its_new_owner(ledger, clock):
    first = ledger.leases.acquire(FILE, "first", 60)
    clock.now += 61
    ledger.leases.acquire(FILE, "second", 60)
    ledger.leases.release(first)
    with pytest.raises(LeaseHeldError):
        ledger.leases.acquire(FILE, "third", 60)


def test_a_renewed_lease_lives_longer_and_a_lost_one_cannot_be_renewed(ledger, clock):
    lease = ledger.leases.acquire(FILE, "first", 60)
    clock.now += 50
    lease = ledger.leases.renew(lease, 60)
    assert lease.until == clock.now + 60
    clock.now += 61
    ledger.leases.acquire(FILE, "second", 60)
    with pytest.raises(LeaseLostError):
        ledger.leases.renew(lease, 60)


def test_whoever_lost_the_lease_can_record_nothing_any_more(ledger, clock):
    first = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(first, "v1")
    clock.now += 61
    second = ledger.leases.acquire(FILE, "second", 60)
    ledger.begin(second, "v1")
    with pytest.raises(LeaseLostError):
        ledger.save_progress(first, "v1", "{}")
    with pytest.raises(LeaseLostError):
        ledger.finish(first, "v1", "written", report(), "{}", 1)
    with pytest.raises(LeaseLostError):
        ledger.begin(first, "v1")
    with pytest.raises(LeaseLostError):
        ledger.adopt(first, "v1")
    with pytest.raises(LeaseLostError):
        ledger.reconciliations.save(first, "v1", Removal(3))
    with pytest.raises(LeaseLostError):
        ledger.reconciliations.finish(first._replace(attempt=second.attempt), "v1", Removal(3))
    assert ledger.reconciliations.head(FILE).reconciled == ""


def test_who_comes_second_in_a_race_is_told_who_has_the_lease_and_until_when(ledger, monkeypatch):
    """Both saw a free file; DynamoDB's condition decides."""
    seen = ledger._table.get(FILE, "HEAD")
    first = ledger.leases.acquire(FILE, "first", 60)
    get = ledger._table.get
    looks = iter([seen])
    monkeypatch.setattr(
        ledger._table, "get", lambda *key: next((look for look in looks), get(*key))
    )
    with pytest.raises(LeaseHeldError) as held:
        ledger.leases.acquire(FILE, "second", 60)
    assert (held.value.owner, held.value.until) == ("first", first.until)


def test_written_comes_before_notified(ledger):
    lease = ledger.leases.acquire(FILE, "first", 60)
    finished(ledger, lease)
    record = ledger.find(FILE, "v1")
    assert record.awaits_notice
    assert not record.is_done
    ledger.mark_notified(lease, "v1", record.status, "e-mail 7")
    record = ledger.find(FILE, "v1")
    assert record.is_done
    assert (record.status, record.outcome, record.notified_by) == (
        "notified",
        "success",
        "e-mail 7",
    )
    assert record.counts == Counts(read=3)


def test_an_e_mail_that_is_sent_late_still_says_what_has_to_change(ledger):
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v1")
    broken = replace(report(), error="the first line is not a header", remedy=Remedy.MAPPING)
    ledger.finish(lease, "v1", "failed", broken, "{}", 12)
    assert ledger.find(FILE, "v1").report.remedy is Remedy.MAPPING


def test_a_newer_version_supersedes_one_that_was_never_finished(ledger):
    first = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(first, "v1")
    ledger.make_current(first, "v1")
    ledger.leases.release(first)
    second = ledger.leases.acquire(FILE, "second", 60)
    ledger.begin(second, "v2")
    ledger.make_current(second, "v2")
    assert ledger.find(FILE, "v1").status == "superseded"


def test_giving_up_an_older_version_leaves_the_newer_one_to_be_finished(ledger):
    second = ledger.leases.acquire(FILE, "second", 60)
    ledger.begin(second, "v2")
    ledger.make_current(second, "v2")
    ledger.leases.release(second)
    ledger.begin(ledger.leases.acquire(FILE, "first", 60), "v1")
    assert ledger.find(FILE, "v2").status == "running"


def test_a_call_that_is_made_again_because_its_answer_got_lost_changes_nothing(ledger):
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v1")
    ledger.begin(lease, "v1")
    ledger.make_current(lease, "v1")
    ledger.make_current(lease, "v1")
    ledger.finish(lease, "v1", "written", report(read=3), "{}", 12)
    ledger.leases.acquire(FILE, "first", 60)
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.adopt(lease, "v1")
    ledger.adopt(lease, "v1")
    assert ledger.find(FILE, "v1").attempt == lease.attempt == 3


@pytest.fixture
def copies(ledger):
    """Every UpdateItem so far, each to be carried out once more, late."""
    client, made = ledger._table._client, []

    def noted(params, **_):
        made.append(dict(params))

    client.meta.events.register("provide-client-params.dynamodb.UpdateItem", noted)

    def carry_out_late(number):
        with pytest.raises(ClientError, match="ConditionalCheckFailedException"):
            client.update_item(**made[number])

    return carry_out_late


def test_an_older_place_that_is_saved_late_does_not_replace_a_newer_one(ledger, copies):
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v1")
    ledger.save_progress(lease, "v1", "line 100")
    ledger.save_progress(lease, "v1", "line 200")
    copies(-2)
    assert ledger.find(FILE, "v1").progress == "line 200"


def test_a_beginning_that_is_carried_out_late_does_not_forget_the_place(ledger, copies):
    finished(ledger, ledger.leases.acquire(FILE, "first", 60))
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v1", again=True)
    ledger.save_progress(lease, "v1", "line 100")
    copies(-2)
    assert ledger.find(FILE, "v1").progress == "line 100"


def test_a_renewal_that_is_carried_out_late_does_not_shorten_the_lease(ledger, copies, clock):
    lease = ledger.leases.acquire(FILE, "first", 60)
    clock.now += 20
    lease = ledger.leases.renew(lease, 60)
    clock.now += 20
    lease = ledger.leases.renew(lease, 60)
    copies(-2)
    clock.now += 59
    with pytest.raises(LeaseHeldError):
        ledger.leases.acquire(FILE, "second", 60)


def test_a_renewal_that_is_carried_out_late_does_not_revive_a_released_lease(ledger, copies):
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.leases.release(ledger.leases.renew(lease, 60))
    copies(-2)
    assert ledger.leases.acquire(FILE, "second", 60).owner == "second"


def test_a_removals_older_place_that_is_saved_late_does_not_replace_a_newer_one(ledger, copies):
    lease = ledger.leases.acquire(FILE, "first", 60)
    finished(ledger, lease)
    ledger.reconciliations.save(lease, "v1", Removal(removed=25))
    ledger.reconciliations.save(lease, "v1", Removal(removed=50))
    copies(-2)
    assert ledger.reconciliations.find(FILE, "v1").removal.removed == 50


def test_the_next_process_numbers_its_writes_from_one_again(ledger, monkeypatch):
    finished(ledger, ledger.leases.acquire(FILE, "first", 60))
    monkeypatch.setattr("festival.ingest.ledger.leases._numbers", count(1))
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.adopt(lease, "v1")
    ledger.mark_notified(lease, "v1", Status.WRITTEN, "e-mail 7")
    monkeypatch.setattr("festival.ingest.ledger.leases._numbers", count(1))
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v1", again=True)
    ledger.save_progress(lease, "v1", "line 100")
    assert ledger.find(FILE, "v1").progress == "line 100"


def test_a_version_that_was_superseded_amid_its_work_is_not_finished_or_notified(ledger):
    lease = ledger.leases.acquire(FILE, "request-1", 60)
    ledger.begin(lease, "v1")
    ledger.supersede(FILE, "v1")
    for act in (
        lambda: ledger.save_progress(lease, "v1", "{}"),
        lambda: ledger.finish(lease, "v1", Status.WRITTEN, report(), "{}", 1),
        lambda: ledger.mark_notified(lease, "v1", Status.WRITTEN, "e-mail 1"),
    ):
        with pytest.raises(LeaseLostError):
            act()
    assert ledger.find(FILE, "v1").status == Status.SUPERSEDED


def test_a_finished_version_is_never_called_superseded(ledger):
    lease = ledger.leases.acquire(FILE, "first", 60)
    finished(ledger, lease)
    ledger.supersede(FILE, "v1")
    assert ledger.find(FILE, "v1").status == "written"


def test_again_forgets_what_an_earlier_ingest_left(ledger):
    lease = ledger.leases.acquire(FILE, "first", 60)
    finished(ledger, lease)
    ledger.mark_notified(lease, "v1", "written", "e-mail 7")
    ledger.leases.release(lease)
    ledger.begin(ledger.leases.acquire(FILE, "second", 60), "v1", again=True)
    record = ledger.find(FILE, "v1")
    assert (record.status, record.notified_at, record.outcome) == ("running", "", "")


def test_again_forgets_all_that_an_earlier_ingest_left(ledger):
    """Whatever it was: given up, deleted, reconciled, overtaken; or the next would believe it."""
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v1")
    ledger.save_progress(lease, "v1", '{"position": 7}')
    failed = replace(report(read=3, unwritten=3), error="throttled", given_up=True)
    ledger.finish(lease, "v1", Status.FAILED, failed, "{}", 12)
    ledger.mark_notified(lease, "v1", Status.FAILED, "e-mail 7")
    ledger.note_removed(lease, "v1", removed=True)
    ledger.reconciliations.finish(lease, "v1", Removal(3, done_to=("Björk", "2025")), "3 went")
    ledger.make_current(lease._replace(current_version="v1"), "v2")
    before = ledger.find(FILE, "v1")
    assert all(
        (before.progress, before.notified_at, before.finished_at, before.outcome, before.error)
    )
    assert all((before.given_up, before.reconciled_at, before.removed_at, before.overtaken_by))

    ledger.leases.release(lease)
    lease = ledger.leases.acquire(FILE, "second", 60)
    ledger.begin(lease, "v1", again=True)
    again, fresh = ledger.find(FILE, "v1"), VersionRecord(FILE, "v1", Status.RUNNING)
    kept = {"attempt", "started_at", "counts", "milliseconds"}
    assert again == fresh._replace(**{name: getattr(again, name) for name in kept})
    assert ledger.reconciliations.find(FILE, "v1") == RecordedRemoval(Removal())


def test_an_older_attempt_of_the_same_owner_holds_nothing_any_more(ledger):
    """A call of its that is carried out late must not end, prolong or rename the newer one's."""
    older = ledger.leases.acquire(FILE, "a person", 60)
    newer = ledger.leases.acquire(FILE, "a person", 60)
    ledger.leases.release(older)
    with pytest.raises(LeaseHeldError) as held:
        ledger.leases.acquire(FILE, "another", 60)
    assert held.value.until == newer.until
    with pytest.raises(LeaseLostError):
        ledger.leases.renew(older, 3600)
    with pytest.raises(LeaseLostError):
        ledger.leases.name_current(older, "v1")


def test_a_version_is_called_overtaken_before_the_head_names_the_next(ledger, monkeypatch):
    """If the process dies in between, the older one is ingested once more; not the other way."""
    lease = ledger.leases.acquire(FILE, "first", 60)
    finished(ledger, lease)
    ledger.mark_notified(lease, "v1", Status.WRITTEN, "e-mail 7")
    ledger.make_current(lease, "v1")
    ledger.leases.release(lease)
    assert ledger.find(FILE, "v1").is_settled

    def power_cut(lease, version):
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger.leases, "name_current", power_cut)
    lease = ledger.leases.acquire(FILE, "second", 60)
    ledger.begin(lease, "v2")
    with pytest.raises(KeyboardInterrupt):
        ledger.make_current(lease, "v2")
    assert not ledger.find(FILE, "v1").is_settled


def test_a_removal_keeps_its_first_moment(ledger, clock):
    lease = ledger.leases.acquire(FILE, "first", 3600)
    finished(ledger, lease)
    ledger.note_removed(lease, "v1", removed=True)
    first = ledger.find(FILE, "v1").removed_at
    clock.now += 600
    ledger.note_removed(lease, "v1", removed=True)
    assert ledger.find(FILE, "v1").removed_at == first


def test_what_is_put_back_is_not_notified_yet(ledger):
    """Or a failure of the next try would count as told, and its e-mail would never come."""
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v1")
    ledger.finish(lease, "v1", Status.FAILED, report(read=3, unwritten=3), "{}", 1)
    ledger.mark_notified(lease, "v1", Status.FAILED, "e-mail 7")
    assert ledger.reopen(FILE, "v1")
    ledger.begin(lease, "v1")
    ledger.finish(lease, "v1", Status.FAILED, report(read=3, unwritten=3), "{}", 1)
    record = ledger.find(FILE, "v1")
    assert (record.is_done, record.awaits_notice) == (False, True)


@pytest.mark.parametrize("status", [Status.WRITTEN, Status.FAILED])
def test_the_end_and_the_notice_may_be_recorded_twice(ledger, status):
    """botocore repeats a call whose answer got lost."""
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v1")
    for _ in range(2):
        ledger.finish(lease, "v1", status, report(read=3), "{}", 12)
    for _ in range(2):
        ledger.mark_notified(lease, "v1", status, "e-mail 7")
    assert ledger.find(FILE, "v1").is_done


def test_a_later_attempts_record_is_nobody_elses(ledger):
    first = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(first, "v1")
    later = first._replace(attempt=first.attempt + 1)
    for act in (
        lambda: ledger.finish(later, "v1", Status.WRITTEN, report(), "{}", 1),
        lambda: ledger.reconciliations.save(later, "v1", Removal()),
    ):
        with pytest.raises(LeaseLostError):
            act()


def test_the_event_that_began_a_version_is_recorded(ledger):
    ledger.begin(ledger.leases.acquire(FILE, "first", 60), "v1", sequencer="0055AED6DCD90281E5")
    assert ledger.find(FILE, "v1").sequencer == "0055AED6DCD90281E5"


def test_reasons_of_failed_tries_are_kept_by_message(ledger):
    ledger.note_failed_try(FILE, "v1", "m-1 receive 1", "throttled")
    ledger.note_failed_try(FILE, "v1", "m-1 receive 2", "x" * 1000)
    reasons = ledger.find(FILE, "v1").reasons
    assert reasons["m-1 receive 1"] == "throttled"
    assert len(reasons["m-1 receive 2"]) == 400


def test_of_a_version_that_is_not_finished_the_record_says_what_to_do(ledger):
    ledger.begin(ledger.leases.acquire(FILE, "first", 60), "v1")
    advice = ledger.find(FILE, "v1").advice
    assert "`festival dlq --redrive`" in advice
    assert f"`festival ingest s3://{FILE}`" in advice


def test_a_message_that_was_not_understood_is_not_running_for_ever(ledger):
    ledger.note_failed_try("message/m-1", "-", "m-1 receive 1", "not JSON", Status.FAILED)
    (record,) = ledger.history("message/m-1")
    assert record.status == Status.FAILED
    assert record.advice == "a message that was not understood: `festival dlq` shows it"


def test_only_a_failed_version_is_reopened(ledger):
    lease = ledger.leases.acquire(FILE, "first", 60)
    finished(ledger, lease)
    assert not ledger.reopen(FILE, "v1")
    ledger.begin(ledger.leases.acquire(FILE, "first", 60), "v2")
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v2")
    ledger.finish(lease, "v2", "failed", report("v2", read=3, unwritten=3), "{}", 1)
    assert ledger.reopen(FILE, "v2")
    assert ledger.find(FILE, "v2").status == "running"


def test_history_is_by_file_and_recent_ones_by_day(ledger, clock):
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v1")
    clock.now += 24 * 3600
    lease = ledger.leases.acquire("upload/other.csv", "first", 60)
    ledger.begin(lease, "w1")
    clock.now += 1
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v2")
    assert [record.version for record in ledger.history(FILE)] == ["v1", "v2"]
    assert [record.version for record in ledger.recent(days=1)] == ["v2", "w1"]
    assert [record.version for record in ledger.recent(days=3)] == ["v2", "w1", "v1"]


def test_history_is_in_the_order_of_time_and_not_of_the_versions_names(ledger, clock):
    """S3's version ids come in no order."""
    for version in ("v-zulu", "v-alpha", "v-mike"):
        clock.now += 60
        ledger.begin(ledger.leases.acquire(FILE, "first", 60), version)
    assert [each.version for each in ledger.history(FILE)] == ["v-zulu", "v-alpha", "v-mike"]
    assert [each.version for each in ledger.recent(days=1)] == ["v-mike", "v-alpha", "v-zulu"]


def test_the_lease_of_a_dead_owner_is_broken_and_no_other(ledger):
    ledger.leases.acquire(FILE, "first", 60)
    ledger.leases.break_lease(FILE, "somebody else")
    with pytest.raises(LeaseHeldError):
        ledger.leases.acquire(FILE, "second", 60)
    ledger.leases.break_lease(FILE, "first")
    assert ledger.leases.acquire(FILE, "second", 60).attempt == 2


def test_the_record_expires_after_ninety_days_or_more_and_the_head_never(ledger, clock):
    lease = ledger.leases.acquire(FILE, "first", 60)
    ledger.begin(lease, "v1")
    head = ledger._table.get(FILE, "HEAD")
    version = ledger._table.get(FILE, "VERSION#v1")
    assert "ExpiresAt" not in head
    assert version["ExpiresAt"] - clock.now > 90 * 24 * 3600 - 1


def test_whatever_made_a_record_it_expires_as_late(ledger, clock):
    ledger.note_failed_try(FILE, "v1", "m-1 receive 1", "throttled")
    ledger.supersede(FILE, "v2")
    for version in ("v1", "v2"):
        expires = ledger._table.get(FILE, f"VERSION#{version}")["ExpiresAt"]
        assert expires - clock.now > 90 * 24 * 3600 - 1
