"""What S3 says now, under a lease that lives: mappings that change, undos, suspends, half answers.

Each story ends with the truth. Each bug, sown into the code, makes the story beside it go wrong.
"""

import gzip
import itertools
from contextlib import suppress
from dataclasses import replace

import pytest

from festival import kit
from festival.errors import RetryableError
from festival.ingest import attempt, reports_bucket, sidecar
from festival.ingest.attempt import Action, Attempt, Budget, Ingestor
from festival.ingest.events import FileEvent
from festival.ingest.ledger.leases import HEAD, LeaseHeldError, Leases
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.reconciliations import Head, Reconciliations
from festival.ingest.ledger.records import Status, VersionRecord
from festival.ingest.ledger.table import ConditionFailed, LedgerTable
from festival.ingest.reports_bucket import Reports
from festival.ingest.resources import Resources
from festival.lineup.decode import Limits
from festival.lineup.mapping import LineupMapping
from festival.table.faults import Response
from festival.table.writer import BulkWriter

from .people import UPLOADS
from .reconciling import Line, reconciling_store
from .wire import Answer, Request
from .world import REPORTS

BY_SCORE = b'{"columns": {"Popularity": "Score"}}'
BY_RANK = b'{"columns": {"Popularity": "Rank"}}'
HEADER = "Performer,Stage,Date,Start,End,Score,Rank\n"
BJORK = f"{HEADER}Björk,Park,2025-06-28,20:00,21:00,90,7\n".encode()
SAULT = f"{HEADER}Björk,Park,2025-06-28,20:00,21:30,50,3\n".encode()
LARGE = (
    HEADER + "".join(f"Band {number},Park,2025-06-28,20:00,21:00,90,7\n" for number in range(12))
).encode()
MANY = (
    HEADER + "".join(f"Band {number},Park,2025-06-28,20:00,21:00,90,7\n" for number in range(200))
).encode()
THROTTLED = RetryableError("DynamoDB was throttled")
WHOLE = Budget(work=280.0, write=290.0, lease=315.0)
FEW_BLOCKS = Budget(work=6.0, write=290.0, lease=315.0)


class Wire:
    """The bulk writer's connection, straight into a store; the story may go on around a batch."""

    def __init__(self, story):
        self._story = story

    def call(self, operation, body, *, timeout=None):
        self._story.before_batch()
        answer = self._story.store.answer(
            Request(
                "POST",
                "/",
                {
                    "authorization": "Credential=a/b/us-east-1/dynamodb/aws4_request",
                    "x-amz-target": f"DynamoDB.{operation}",
                },
                body,
            )
        )
        self._story.after_batch()
        return Response(answer.status, answer.body)


class Post:
    """SNS; down for as many e-mails as it is told."""

    def __init__(self):
        self.subjects, self.down = [], 0

    def send(self, report, note="", until=0.0, **more):
        if self.down:
            self.down -= 1
            raise RetryableError("SNS does not answer")
        self.subjects.append(str(report.status))
        return f"mail-{len(self.subjects)}"


class Story:
    """One file, in a time that only goes on as the story says."""

    key = "lineup.csv"

    def __init__(self, line, store=None, now=1_752_300_000.0):
        line.store = self.store = store or reconciling_store()
        self.line, self.now, self.ticking = line, now, 0.0
        line.tick = lambda: None
        self.post, self.sent = Post(), []
        self.before_batch = self.after_batch = lambda: None
        self.ledger = Ledger(line.clients.dynamodb, "ledger", now=lambda: self.now)
        self.resources = Resources(
            s3=line.clients.s3,
            ledger=self.ledger,
            open_writer=self.open_writer,
            reports=Reports(line.clients.s3, REPORTS),
            mailer=self.post,
            send_continuation=lambda event, attempt: self.sent.append(
                event._replace(continues=attempt)
            ),
            clock=self.clock,
            limits=Limits(block_rows=2, block_bytes=100),
        )
        self.owners = itertools.count()

    def clock(self):
        self.now += self.ticking
        return self.now

    def open_writer(self, source, deadline):
        return BulkWriter(
            Wire(self),
            "performances",
            source=source,
            lanes=1,
            deadline=deadline,
            clock=lambda: self.now,
        )

    @property
    def file(self):
        return f"{UPLOADS}/{self.key}"

    def upload(self, body):
        return self.store.put(UPLOADS, self.key, body)

    def map(self, mapping):
        self.store.put(UPLOADS, self.key + ".mapping.json", mapping)

    def undo(self, key=""):
        """Delete the newest version by its id, or a delete marker."""
        self.store.objects[UPLOADS, key or self.key].pop()

    def event(self, version="", **more):
        return FileEvent(UPLOADS, self.key, version, **more)

    def look(self, event=None, budget=WHOLE, **resources):
        made = replace(self.resources, **resources)
        event = event or self.event(removed=True)
        return Ingestor(made).ingest(event, f"try {next(self.owners)}", budget).action

    def give_up(self, event):
        return Ingestor(self.resources).give_up(event, "the last try", WHOLE, THROTTLED)

    def pause_before_the_outcome(self, seconds):
        """Time goes by between the last row and the record of what became of them."""
        answer = self.store.answer

        def slow(request):
            if "Outcome = :outcome" in str(request.body):
                self.now += seconds
            return answer(request)

        self.store.answer = slow

    def record(self, version):
        return self.ledger.find(self.file, version)

    @property
    def popularities(self):
        return {item.get("Popularity", {}).get("N") for item in self.store.items.values()}

    @property
    def ends(self):
        return {item["EndTime"]["S"] for item in self.store.items.values()}


@pytest.fixture(scope="module")
def line():
    return Line()


@pytest.fixture
def story(line):
    return Story(line)


# Done means that the table has it now


def a_mapping_that_returns_is_what_the_table_has(story):
    story.upload(BJORK)
    for mapping, popularity in ((BY_SCORE, "90"), (BY_RANK, "7"), (BY_SCORE, "90")):
        story.map(mapping)
        assert story.look() == Action.INGESTED
        assert story.popularities == {popularity}
    assert story.look() == Action.DONE
    assert story.post.subjects == ["success"] * 3


def an_undo_brings_the_older_version_back(story):
    story.look(story.event(story.upload(BJORK)))
    story.look(story.event(story.upload(SAULT)))
    assert story.record("v0001").overtaken_by
    story.undo()
    assert not story.record("v0001").is_settled  # a backfill would take it, too
    assert story.look() == Action.INGESTED
    assert story.record("v0001").is_settled
    assert story.ends == {"21:00"}


def an_undo_brings_a_version_that_was_superseded(story):
    first, second = story.upload(BJORK), story.upload(SAULT)
    assert story.look(story.event(first)) == Action.SUPERSEDED
    story.look(story.event(second))
    story.undo()
    assert story.look() == Action.INGESTED
    assert story.ends == {"21:00"}


def what_was_deleted_before_it_was_read_is_read_when_it_is_there_again(story):
    version = story.upload(BJORK)
    lease = story.ledger.leases.acquire(story.file, "killed", 30.0)
    story.ledger.begin(lease, version)
    story.ledger.make_current(lease, version)
    story.now += 60
    story.store.delete(UPLOADS, story.key)
    assert story.look(story.event(version)) == Action.INGESTED  # as a failure: it is gone
    story.undo()  # takes the delete marker away
    assert story.look() == Action.INGESTED
    assert (story.ends, story.post.subjects) == ({"21:00"}, ["failure", "success"])


def a_mapping_that_goes_is_not_used_any_more(story):
    story.upload(BJORK)
    story.map(BY_RANK)
    story.look()
    story.undo(story.key + ".mapping.json")
    key = story.key + ".mapping.json"
    event = FileEvent(UPLOADS, key, removed=True)
    assert story.look(event) == Action.INGESTED
    assert story.popularities == {None}


def a_mapping_that_comes_before_its_file_waits_for_it(story):
    story.map(BY_RANK)
    assert story.look(FileEvent(UPLOADS, story.key + ".mapping.json", "v0001")) == Action.AWAITED
    assert story.look(story.event(story.upload(BJORK))) == Action.INGESTED
    assert (story.popularities, story.post.subjects) == ({"7"}, ["success"])


def a_file_that_is_deleted_is_recorded_and_stays_in_the_table(story):
    version = story.upload(BJORK)
    story.look(story.event(version))
    story.store.delete(UPLOADS, story.key)
    assert story.look() == Action.REMOVED
    assert story.record(version).removed_at
    assert len(story.store.items) == 1
    assert story.look(story.event(version)) == Action.DONE  # a late copy of its event
    story.undo()  # takes the delete marker away
    assert story.look() == Action.DONE
    assert not story.record(version).removed_at
    assert story.post.subjects == ["success"]


# A paused file is never orphaned


def a_default_mapping_that_changes_amid_a_file_is_what_the_whole_file_is_read_with(story):
    story.ticking = 1.0
    by_score = LineupMapping.from_json(BY_SCORE)
    by_rank = LineupMapping.from_json(BY_RANK)
    version = story.upload(LARGE)
    assert story.look(story.event(version), FEW_BLOCKS, mapping=by_score) == Action.PAUSED
    left = story.sent[-1]
    story.post.down = 1  # the first try of the new reading fails, and its message comes back
    with pytest.raises(RetryableError):
        story.look(left, mapping=by_rank)
    assert story.look(left, mapping=by_rank) == Action.NOTIFIED
    assert len(story.store.items) == 12
    assert story.popularities == {"7"}
    assert story.record(f"{version}+{by_score.fingerprint()}").status == Status.SUPERSEDED


def what_goes_on_with_a_changed_mapping_can_be_given_up(story):
    story.ticking = 1.0
    version = story.upload(LARGE)
    by_score = LineupMapping.from_json(BY_SCORE)
    assert story.look(story.event(version), FEW_BLOCKS, mapping=by_score) == Action.PAUSED
    assert story.give_up(story.sent[-1])
    assert story.post.subjects == ["failure"]


def an_ingest_again_that_dies_amid_a_paused_file_leaves_it_to_its_continuation(story):
    story.ticking = 1.0
    version = story.upload(LARGE)
    assert story.look(story.event(version), FEW_BLOCKS) == Action.PAUSED
    left = story.sent[-1]
    lease = story.ledger.leases.acquire(story.file, "a person", 30.0)
    story.ledger.begin(lease, version, again=True)  # and there it is killed
    story.now += 60
    assert story.look(left) == Action.INGESTED
    assert (len(story.store.items), story.post.subjects) == (12, ["success"])


def what_an_ingest_again_left_is_given_up_as_well(story):
    story.ticking = 1.0
    version = story.upload(LARGE)
    story.look(story.event(version), FEW_BLOCKS)
    lease = story.ledger.leases.acquire(story.file, "a person", 30.0)
    story.ledger.begin(lease, version, again=True)
    story.now += 60
    assert story.give_up(story.sent[-1]) is True
    assert story.post.subjects == ["failure"]


def a_put_that_is_carried_out_late_spoils_no_progress(story):
    story.ticking, answer, late = 1.0, story.store.answer, []

    def losing(request):  # the first of two states of a pass comes after the second
        if request.method == "PUT" and "/state/" in request.target and not late:
            late.append(request)
        return answer(request)

    version, short = story.upload(LARGE), Budget(work=4.0, write=290.0, lease=315.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports_bucket, "LEDGER_BYTES", 0)
        assert story.look(story.event(version), short) == Action.PAUSED
        story.store.answer = losing
        assert story.look(story.sent[-1], short) == Action.PAUSED
        answer(late[0])
        assert story.look(story.sent[-1]) == Action.INGESTED
    assert len(story.store.items) == 12


# Under the lease


def nothing_is_asked_of_s3_before_the_lease(story):
    version, calls, answer = story.upload(BJORK), [], story.store.answer
    story.store.answer = lambda request: calls.append(request.call[1]) or answer(request)
    story.look(story.event(version))
    lease = calls.index("UpdateItem")
    assert {"HeadObject", "GetObject"} <= set(calls[lease:])
    assert not {"HeadObject", "GetObject"} & set(calls[:lease])


def a_clock_that_is_ahead_takes_no_living_lease(story):
    version = story.upload(BJORK)
    story.ledger.leases.acquire(story.file, "another", 30.0)
    true = story.now
    story.now = true + 40  # until the first answer says what time it is

    def tick():
        story.now = true

    story.line.tick = tick
    with pytest.raises(RetryableError, match="is being ingested by another"):
        story.look(story.event(version))


def two_lost_answers_leave_nobody_writing_without_a_lease(story):
    version, answer, taken = story.upload(BJORK), story.store.answer, []

    def slow(request):
        if request.call[1] == "UpdateItem":
            story.store.answer = rival
            story.now += 40  # of the 30 that the lease has
        return answer(request)

    def rival(request):
        came = answer(request)
        if "CurrentVersion = " in str(request.body):
            story.store.answer = answer
            with suppress(LeaseHeldError):
                taken.append(story.ledger.leases.acquire(story.file, "another", 30.0))
        return came

    story.store.answer = slow
    with suppress(RetryableError):
        story.look(story.event(version), Budget.of_command())
    assert not (taken and story.store.items)


def an_answer_that_comes_late_is_time_that_the_invocation_has_no_more(story):
    version, answer = story.upload(LARGE), story.store.answer

    def slow(request):  # the first of all, the ledger's about the lease
        story.store.answer = answer
        story.now += 282
        return answer(request)

    story.store.answer = slow
    assert story.look(story.event(version)) == Action.PAUSED  # and is not killed amid the file


def a_suspended_process_writes_nothing_more(story):
    version = story.upload(MANY)

    def lid():
        story.after_batch = lambda: None
        later = Story(story.line, story.store, story.now + 3600)
        later.look(later.event(later.upload(SAULT)))
        story.now = later.now

    story.after_batch = lid
    at_once = Limits(block_rows=50, block_bytes=10_000)  # 25 rows are sent, 25 wait behind them
    with pytest.raises(RetryableError):
        story.look(story.event(version), Budget.of_command(), limits=at_once)
    assert len(story.store.items) == 25 + 1  # what was sent before, and the newer version's row
    assert story.ends == {"21:00", "21:30"}


def what_was_sent_after_the_lease_is_put_right(story):
    story.upload(BJORK)

    def lid():  # after the look at the lease, before the send
        story.before_batch = lambda: None
        later = Story(story.line, story.store, story.now + 3600)
        later.look(later.event(later.upload(SAULT)))
        story.now = later.now

    story.before_batch, said = lid, []
    kit.ingest_object(
        Ingestor(story.resources), story.event(), say=said.append, sleep=lambda seconds: None
    )
    assert "this process was suspended while writing" in said[0]
    assert story.ends == {"21:30"}


def nobody_mails_after_the_lease(story):
    version, answer = story.upload(BJORK), story.store.answer
    story.pause_before_the_outcome(3600)
    with pytest.raises(RetryableError):
        story.look(story.event(version))
    assert story.post.subjects == []
    story.store.answer = answer
    assert story.look(story.event(version)) == Action.NOTIFIED


# Half an answer


def half_a_head_supersedes_nothing(story):
    version, answer = story.upload(BJORK), story.store.answer

    def cut(request):
        whole = answer(request)
        if request.method == "HEAD":
            story.store.answer = answer
            headers = {n: v for n, v in whole.headers.items() if n != "x-amz-version-id"}
            return replace(whole, headers=headers)
        return whole

    story.store.answer = cut
    with pytest.raises(RetryableError, match="incomplete answer"):
        story.look(story.event(version))
    assert story.record(version) is None
    assert story.look(story.event(version)) == Action.INGESTED


def one_answer_alone_supersedes_nothing(story):
    version, answer = story.upload(BJORK), story.store.answer

    def astray(request):  # once, as from a cache
        if request.method == "HEAD":
            story.store.answer = answer
            return Answer(404, b"", {})
        return answer(request)

    story.store.answer = astray
    with pytest.raises(RetryableError, match="is changing right now"):
        story.look(story.event(version))
    assert story.record(version) is None
    assert story.look(story.event(version)) == Action.INGESTED


# The tail


def a_superseded_version_is_not_mourned(story):
    version = story.upload(BJORK)
    story.look(story.event(story.upload(SAULT)))
    assert story.give_up(story.event(version)) is False
    assert story.record(version).status == Status.SUPERSEDED
    assert story.post.subjects == ["success"]


def a_version_that_is_gone_is_mourned_once(story):
    version = story.upload(BJORK)
    story.store.delete(UPLOADS, story.key)
    for _ in range(2):
        assert story.give_up(story.event(version)) is False
    assert story.look(story.event(version)) == Action.DONE
    assert story.record(version).status == Status.FAILED
    assert story.post.subjects == ["failure"]


def a_late_copy_of_an_overtaken_version_is_not_mourned_while_s3_is_silent(story):
    first = story.upload(BJORK)
    story.look(story.event(first))
    story.look(story.event(story.upload(SAULT)))
    answer = story.store.answer

    def silent(request):
        return Answer(503, b"", {}) if request.call[0] == "s3" else answer(request)

    story.store.answer = silent
    assert story.give_up(story.event(first)) is False
    assert story.record(first).status == Status.NOTIFIED
    assert story.post.subjects == ["success"] * 2


def a_failed_try_of_a_removal_leaves_no_record_that_runs_for_ever(story):
    version = story.upload(BJORK)
    story.look(story.event(version))
    story.store.delete(UPLOADS, story.key)
    Ingestor(story.resources).note_failed_try(story.event(removed=True), "letter", "S3 is silent")
    found = story.ledger.history(story.file)
    assert [(each.version, each.status) for each in found] == [(version, Status.NOTIFIED)]
    assert found[0].reasons == {"letter": "S3 is silent"}


def an_outage_of_sns_costs_an_e_mail_later_and_no_row_twice(story):
    version, batches = story.upload(BJORK), []
    story.after_batch = lambda: batches.append(1)
    story.post.down = 2
    for _ in range(2):
        with pytest.raises(RetryableError):
            story.look(story.event(version))
    assert story.look(story.event(version)) == Action.NOTIFIED
    assert (len(batches), story.post.subjects) == (1, ["success"])


def a_call_that_is_carried_out_late_opens_nothing_again(story):
    version = story.upload(BJORK)
    began, update = [], LedgerTable.update

    def noting(self, file, entry, changes, *rest):
        if "StartedAt" in changes and entry.startswith("VERSION#"):
            began.append((file, entry, changes, *rest))
        return update(self, file, entry, changes, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LedgerTable, "update", noting)
        story.look(story.event(version))
    with pytest.raises(ConditionFailed):
        update(story.ledger._table, *began[0])
    assert story.record(version).status == Status.NOTIFIED


def what_has_a_name_that_cannot_be_a_lineup_ends_in_an_e_mail(story):
    story.key = ".mapping.json"
    version = story.upload(b"{}")
    assert story.look(story.event(version)) == Action.INGESTED
    assert story.post.subjects == ["failure"]
    assert story.record(version).outcome == "failure"


def a_file_of_empty_lines_ends_in_an_e_mail(story):
    rows = BJORK + b"\n" * 100_000
    version = story.upload(gzip.compress(rows, mtime=0))
    made = replace(story.resources, limits=Limits(rowless_bytes=50_000))
    assert Ingestor(made).ingest(story.event(version), "me", WHOLE).action == Action.INGESTED
    assert story.post.subjects == ["failure"]
    assert "50,000 bytes of lines without a row" in story.record(version).error
    assert len(story.store.items) == 1


def a_file_without_rows_is_stopped_by_the_clock(story):
    version = story.upload(gzip.compress(b"\n" * 100_000, mtime=0))
    answer = story.store.answer

    def slow(request):
        if request.method == "GET" and request.bucket_and_key[1] == story.key:
            story.now += 286  # of the 280 for reading, and the 290 for writing
        return answer(request)

    story.store.answer = slow
    with pytest.raises(RetryableError, match="not one block of rows"):
        story.look(story.event(version))


# The bugs


def done_is_what_was_ever_done(patch):
    patch.setattr(Attempt, "_is_current", lambda self, version: not self._again)


def superseded_counts_as_done(patch):
    done_is_what_was_ever_done(patch)
    patch.setattr(VersionRecord, "is_settled", VersionRecord.is_done)


def a_mapping_that_went_is_used_all_the_same(patch):
    mapping = LineupMapping.from_json(BY_RANK)

    def remembered(self):
        self._applied = sidecar.AppliedMapping(mapping, mapping.fingerprint())

    patch.setattr(Attempt, "_read_mapping", remembered)


def a_removal_is_a_failure(patch):
    patch.setattr(Attempt, "_removed", lambda self: self._fail(self._lease.current_version))


def only_its_own_progress_is_continued(patch):
    def is_stale(self, progress):
        return self._event.continues != (progress.continues if progress else 0)

    patch.setattr(Attempt, "_is_continued_by_another", is_stale)


def an_attempt_has_one_state(patch):
    save = Reports.save_progress

    def overwriting(self, file, name, progress):
        return save(self, file, name.rpartition("-")[0], progress)

    patch.setattr(Reports, "save_progress", overwriting)


def the_mapping_is_read_before_the_lease(patch):
    acquire = Leases.acquire

    def late(self, file, *rest, **more):
        line = late.line
        bucket, _, key = file.partition("/")
        sidecar.applied_mapping(line.clients.s3, bucket, key, LineupMapping())
        return acquire(self, file, *rest, **more)

    patch.setattr(Leases, "acquire", late)
    return late


def the_clock_is_believed(patch):
    get = LedgerTable.get

    def nothing(self, file, entry):
        return {} if entry == HEAD else get(self, file, entry)

    patch.setattr(LedgerTable, "get", nothing)


def a_lease_counts_from_its_answer(patch):
    acquire = Leases.acquire

    def counted(self, file, owner, seconds, *, since=None):
        lease = acquire(self, file, owner, seconds, since=since)
        return lease._replace(until=self._now() + seconds)

    patch.setattr(Leases, "acquire", counted)


def deadlines_stand_still_in_a_suspend(patch):
    patch.setattr(BulkWriter, "_may_send", lambda self, attempt, trouble, began: True)
    send = BulkWriter._send

    def blind(self, rows, *, again):
        self.deadline = float("inf")
        return send(self, rows, again=again)

    patch.setattr(BulkWriter, "_send", blind)


def nobody_asks_whether_rows_came_late(patch):
    patch.setattr(Attempt, "may_have_written_late", False)


def an_e_mail_is_sent_without_a_look(patch):
    patch.setattr(Attempt, "_check_time", lambda self: None)


def a_head_without_a_version_is_believed(patch):
    head = attempt.current_object

    def believing(s3, bucket, key, *, versioned):
        return head(s3, bucket, key)

    patch.setattr(attempt, "current_object", believing)
    patch.setattr(Attempt, "_newest", lambda self: self._head())


def the_last_try_fails_whatever_s3_says(patch):
    give_up = Attempt.give_up

    def blind(self, error):
        self._event = self._event._replace(version=self._head().version)
        return give_up(self, error) or self._settle_unread(self._event.version, str(error))

    patch.setattr(Attempt, "give_up", blind)


def nobody_records_a_removal(patch):
    patch.setattr(Ledger, "note_removed", lambda self, lease, version, *, removed: None)


def no_version_is_current(patch):
    patch.setattr(Reconciliations, "head", lambda self, file: Head("", ""))


def nothing_that_failed_is_ever_done(patch):
    patch.setattr(VersionRecord, "is_done", False)


def an_e_mail_that_failed_has_the_rows_written_again(patch):
    patch.setattr(VersionRecord, "awaits_notice", property(lambda self: False))


def begin_compares_the_attempt_alone(patch):
    update = LedgerTable.update

    def loose(self, file, entry, changes, condition, *rest):
        if "StartedAt" in changes and condition and ":running" in condition:
            condition = "attribute_not_exists(Attempt) OR Attempt <= :attempt"
        return update(self, file, entry, changes, condition, *rest)

    patch.setattr(LedgerTable, "update", loose)


def every_mapping_belongs_to_a_file(patch):
    def of_sidecar(event):
        key = event.key.removesuffix(".mapping.json")
        return event if key == event.key else event._replace(key=key, version="", by_sidecar=True)

    patch.setattr("festival.ingest.attempt.file_of_sidecar", of_sidecar)


def empty_lines_are_read_for_ever(patch):
    patch.setattr("festival.lineup.read._limited", lambda blocks, limits: blocks)


def the_clock_is_asked_by_rows_alone(patch):
    patch.setattr(Attempt, "_watch", lambda self, stored, tally: None)


STORIES = (
    (a_file_of_empty_lines_ends_in_an_e_mail, empty_lines_are_read_for_ever),
    (a_file_without_rows_is_stopped_by_the_clock, the_clock_is_asked_by_rows_alone),
    (a_mapping_that_returns_is_what_the_table_has, done_is_what_was_ever_done),
    (an_undo_brings_the_older_version_back, done_is_what_was_ever_done),
    (an_undo_brings_a_version_that_was_superseded, superseded_counts_as_done),
    (
        what_was_deleted_before_it_was_read_is_read_when_it_is_there_again,
        nobody_records_a_removal,
    ),
    (a_mapping_that_goes_is_not_used_any_more, a_mapping_that_went_is_used_all_the_same),
    (a_mapping_that_comes_before_its_file_waits_for_it, a_removal_is_a_failure),
    (a_file_that_is_deleted_is_recorded_and_stays_in_the_table, a_removal_is_a_failure),
    (
        a_default_mapping_that_changes_amid_a_file_is_what_the_whole_file_is_read_with,
        only_its_own_progress_is_continued,
    ),
    (
        what_goes_on_with_a_changed_mapping_can_be_given_up,
        only_its_own_progress_is_continued,
    ),
    (
        an_ingest_again_that_dies_amid_a_paused_file_leaves_it_to_its_continuation,
        only_its_own_progress_is_continued,
    ),
    (what_an_ingest_again_left_is_given_up_as_well, only_its_own_progress_is_continued),
    (a_put_that_is_carried_out_late_spoils_no_progress, an_attempt_has_one_state),
    (nothing_is_asked_of_s3_before_the_lease, the_mapping_is_read_before_the_lease),
    (a_clock_that_is_ahead_takes_no_living_lease, the_clock_is_believed),
    (
        two_lost_answers_leave_nobody_writing_without_a_lease,
        a_lease_counts_from_its_answer,
    ),
    (
        an_answer_that_comes_late_is_time_that_the_invocation_has_no_more,
        a_lease_counts_from_its_answer,
    ),
    (a_suspended_process_writes_nothing_more, deadlines_stand_still_in_a_suspend),
    (what_was_sent_after_the_lease_is_put_right, nobody_asks_whether_rows_came_late),
    (nobody_mails_after_the_lease, an_e_mail_is_sent_without_a_look),
    (one_answer_alone_supersedes_nothing, a_head_without_a_version_is_believed),
    (half_a_head_supersedes_nothing, a_head_without_a_version_is_believed),
    (a_superseded_version_is_not_mourned, the_last_try_fails_whatever_s3_says),
    (
        a_late_copy_of_an_overtaken_version_is_not_mourned_while_s3_is_silent,
        nothing_that_failed_is_ever_done,
    ),
    (
        a_failed_try_of_a_removal_leaves_no_record_that_runs_for_ever,
        no_version_is_current,
    ),
    (a_version_that_is_gone_is_mourned_once, nothing_that_failed_is_ever_done),
    (
        an_outage_of_sns_costs_an_e_mail_later_and_no_row_twice,
        an_e_mail_that_failed_has_the_rows_written_again,
    ),
    (a_call_that_is_carried_out_late_opens_nothing_again, begin_compares_the_attempt_alone),
    (
        what_has_a_name_that_cannot_be_a_lineup_ends_in_an_e_mail,
        every_mapping_belongs_to_a_file,
    ),
)


def name(part):
    return part.__name__


@pytest.mark.parametrize("tell", [tell for tell, _ in STORIES], ids=name)
def test_the_story_ends_well(tell, story):
    tell(story)


@pytest.mark.parametrize(("tell", "sow"), STORIES, ids=name)
def test_a_bug_makes_the_story_end_badly(tell, sow, story, monkeypatch):
    sown = sow(monkeypatch)
    if sown is not None:
        sown.line = story.line
    with pytest.raises((AssertionError, RetryableError, pytest.fail.Exception)):
        tell(story)
