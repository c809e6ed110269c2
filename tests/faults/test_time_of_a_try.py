"""How long a try works, and what it hands on when it ends: deadlines, renewals, saved places."""

import itertools
from contextlib import suppress
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from festival.errors import RetryableError
from festival.ingest import attempt
from festival.ingest.attempt import Action, Budget, Ingestor, TryFailedError
from festival.ingest.events import FileEvent, continuation, files_of_message
from festival.ingest.ledger.records import Status
from festival.ingest.report import Counts
from festival.ingest.tally import Tally
from festival.table.writer import WriteOutcome

from .reconciling import Line
from .test_continuing import FEW_BLOCKS, Work, Writer
from .test_what_s3_says_now import BJORK, BY_RANK, HEADER, LARGE, MANY, SAULT, WHOLE, Story
from .wire import Answer
from .world import REPORTS


class PowerCutError(BaseException):
    """The process ends here: no `except` of the code sees it."""


@pytest.fixture(scope="module")
def line():
    return Line()


@pytest.fixture
def story(line):
    return Story(line)


@pytest.fixture
def work(line):
    return Work(line)


def until(story):
    """The end of the lease, as the ledger has it."""
    return float(story.store.entries["HEAD", story.file]["LeaseUntil"]["N"])


class TestCommand:
    """A try without an end, whose short lease is renewed along the way."""

    def test_a_file_that_takes_minutes_is_written_in_one_try(self, story):
        story.upload(MANY)
        story.ticking, began = 1.0, story.now  # a hundred blocks
        assert story.look(story.event(), Budget.of_command()) == Action.INGESTED
        assert story.now - began > 2 * 30
        assert len(story.store.items) == 200

    def test_its_lease_lives_while_not_one_row_comes(self, story):
        story.upload(HEADER.encode() + b"\n" * 10_000 + BJORK.removeprefix(HEADER.encode()))
        began = story.now

        def clock():
            story.now += 1.0
            assert until(story) > story.now
            return story.now

        story.ledger.now = clock
        assert story.look(story.event(), Budget.of_command()) == Action.INGESTED
        assert story.now - began > 2 * 30

    def test_its_e_mail_is_sent_though_the_last_rows_took_long(self, story):
        story.upload(BJORK)
        story.after_batch = lambda: setattr(story, "now", story.now + 26)
        assert story.look(story.event(), Budget.of_command()) == Action.INGESTED
        assert story.post.subjects == ["success"]

    @pytest.mark.parametrize("budget", [Budget.of_command(), Budget.of_invocation(300.0)])
    def test_no_row_may_be_sent_in_the_last_five_seconds_of_a_lease(self, story, budget):
        story.upload(MANY)
        story.ticking, open_writer, opened = 0.1, story.open_writer, []

        def noting(source, deadline):
            opened.append(open_writer(source, deadline))
            assert opened[0].deadline <= until(story) - 5
            return opened[0]

        def look():
            assert opened[0].deadline <= until(story) - 5

        story.before_batch = look
        assert story.look(story.event(), budget, open_writer=noting) == Action.INGESTED


class TestNotice:
    """What the mailer is told beside the report."""

    @pytest.fixture
    def told(self, story):
        found = {}
        send = story.post.send

        def noting(report, note="", **more):
            found.update(more, ends=until(story))
            return send(report, note, **more)

        story.post.send = noting
        return found

    def test_an_e_mail_may_be_sent_as_long_as_rows_and_no_longer(self, story, told):
        story.look(story.event(story.upload(BJORK)))
        assert told["until"] == told["ends"] - (WHOLE.lease - WHOLE.write)

    def test_none_is_tried_when_the_functions_time_is_over_though_its_lease_is_not(
        self, story, told
    ):
        version = story.upload(BJORK)
        story.pause_before_the_outcome(291)
        with pytest.raises(RetryableError):
            story.look(story.event(version))
        assert told == {}

    def test_a_run_is_named_as_who_tells_and_no_e_mail_is_sent(self, story, told):
        version = story.upload(BJORK)
        assert story.look(story.event(version, run="backfill-1")) == Action.INGESTED
        assert (told, story.record(version).notified_by) == ({}, "run backfill-1")

    def test_it_knows_the_mapping_that_the_file_was_read_with(self, story, told):
        story.map(BY_RANK)
        story.look(story.event(story.upload(BJORK)))
        assert told["mapping"].to_dict() == {"columns": {"Popularity": "Rank"}}

    def test_of_a_large_file_it_has_the_first_refused_rows_of_all_passes(self, story):
        refused = f"{HEADER}Nobody,Park,some day,20:00,21:00,90,7\n".encode()
        version, reports = story.upload(LARGE.replace(HEADER.encode(), refused)), []
        story.post.send = lambda report, note="", **_: reports.append(report) or "mail-1"
        story.ticking = 1.0
        action = story.look(story.event(version), FEW_BLOCKS)
        while action == Action.PAUSED:
            action = story.look(story.sent[-1], FEW_BLOCKS)
        assert len(story.sent) > 1
        (report,) = reports
        assert (report.counts.read, report.counts.rejected) == (13, 1)
        assert [row["line"] for row in report.rejections] == [2]
        assert report.rejected_rows_at.startswith(f"s3://{REPORTS}/rejected/")

    def test_refused_rows_of_each_pass_are_kept_for_correction(self, story):
        rows = LARGE.decode().splitlines(keepends=True)
        rows[2:2] = ["Nobody,Park,some day,20:00,21:00,90,7\n"]
        rows[12:12] = ["Somebody,Park,any day,20:00,21:00,90,7\n"]
        version = story.upload("".join(rows).encode())
        story.ticking = 1.0
        action = story.look(story.event(version), FEW_BLOCKS)
        while action == Action.PAUSED:
            action = story.look(story.sent[-1], FEW_BLOCKS)
        kept = [
            versions[-1].body.decode("utf-8-sig")
            for (_, key), versions in story.store.objects.items()
            if key.startswith("rejected/")
        ]
        assert len(kept) == 2
        assert "Nobody" in "".join(kept) and "Somebody" in "".join(kept)


class TestSavedPlace:
    """A place is saved only once every row before it is stored."""

    @pytest.fixture(autouse=True)
    def a_place_after_each_block(self, monkeypatch):
        monkeypatch.setattr(attempt, "CHECKPOINT_SECONDS", 0.0)

    @pytest.mark.parametrize("nth", range(1, 7))
    @pytest.mark.parametrize("end", [PowerCutError, None], ids=["power cut", "unwritten"])
    def test_rows_that_were_not_stored_when_a_try_ended_are_stored_by_the_next(
        self, work, nth, end
    ):
        flushes = itertools.count(1)

        class Waiting(Writer):
            """Holds rows until the flush; the nth flush fails, and stores nothing more."""

            waiting = ()

            def put(self, rows):
                self.waiting = (*self.waiting, *rows)

            def flush(self):
                rows, self.waiting = self.waiting, ()
                if next(flushes) == nth:
                    if end:
                        raise end
                    self.stopped = "throttled"
                if self.stopped:
                    return WriteOutcome((), rows, self.stopped, 1, 0, 0)
                super().put(rows)
                return super().flush()

        resources = replace(
            work.ingestor.resources, open_writer=lambda source, _: Waiting(work.store, source)
        )
        work.ingestor = Ingestor(resources)
        with suppress(PowerCutError, RetryableError):
            work.ingestor.ingest(work.event(), "try 0", WHOLE)
        lease = work.store.entries["HEAD", f"{work.event().file}"]
        lease["LeaseUntil"] = {"N": "0"}
        for continues in (0, *work.sent):
            with suppress(RetryableError):
                work.ingestor.ingest(work.event(continues), f"again {continues}", WHOLE)
        assert len(work.store.items) == 12

    def test_a_throttled_try_that_advanced_is_gone_on_with_and_does_not_count_as_failed(self, work):
        class Throttled(Writer):
            """Stores three blocks, and then nothing."""

            def flush(self):
                if len(self._store.items) < 6:
                    return super().flush()
                self.stopped = "throttled"
                return WriteOutcome((), (), self.stopped, 1, 0, 0)

        resources = replace(
            work.ingestor.resources, open_writer=lambda source, _: Throttled(work.store, source)
        )
        assert Ingestor(resources).ingest(work.event(), "try 0", WHOLE).action == Action.PAUSED
        assert work.ingestor.ingest(work.event(work.sent[-1]), "try 1", WHOLE).report is not None
        assert len(work.store.items) == 12

    def test_amid_a_continuation_the_first_event_still_cannot_give_the_file_up(self, work):
        work.go_on()

        class Dying(Writer):
            def flush(self):
                return super().flush()

            def put(self, rows):
                if len(self._store.items) >= 10:
                    raise PowerCutError
                super().put(rows)

        resources = replace(
            work.ingestor.resources, open_writer=lambda source, _: Dying(work.store, source)
        )
        with pytest.raises(PowerCutError):
            Ingestor(resources).ingest(work.event(work.sent[-1]), "dying", WHOLE)
        assert work.give_up() is False
        assert work.status == Status.RUNNING


class TestContinuation:
    """What a pass sends to its successor."""

    def test_it_names_the_version_though_the_event_before_it_named_none(self, story):
        """A mapping's event, or a removal's, asks for whatever is current."""
        version = story.upload(LARGE)
        story.ticking = 1.0
        assert story.look(story.event(removed=True), FEW_BLOCKS) == Action.PAUSED
        (sent,) = story.sent
        assert sent.version == version
        assert files_of_message(continuation(sent, 7)) == [
            FileEvent(sent.bucket, sent.key, version, continues=7)
        ]

    def test_a_pass_that_dies_as_it_sends_one_is_gone_on_with_by_its_own_message(self, work):
        work.go_on()

        def power_cut(event, attempt):
            raise PowerCutError

        resources = replace(work.ingestor.resources, send_continuation=power_cut)
        with pytest.raises(PowerCutError):
            Ingestor(resources).ingest(work.event(work.sent[-1]), "dying", FEW_BLOCKS)
        assert work.go_on(work.sent[-1]) == Action.PAUSED
        while work.go_on(work.sent[-1]) == Action.PAUSED:
            pass
        assert len(work.store.items) == 12


class TestGivingUp:
    def test_the_e_mail_counts_what_earlier_passes_stored(self, work):
        work.go_on()
        assert work.give_up(work.sent[-1])
        record = work.ledger.find(work.event().file, work.version)
        assert record.counts.read == record.counts.written > 0

    def test_and_what_the_last_try_left_unwritten(self, work):
        tally = Tally(Counts(read=12, unwritten=5))
        failed = TryFailedError("throttled", tally.report(work.event().file))
        assert work.ingestor.give_up(work.event(), "the last try", FEW_BLOCKS, failed)
        record = work.ledger.find(work.event().file, work.version)
        assert (record.counts, record.error) == (Counts(read=12, unwritten=5), "throttled")
        assert record.given_up

    def test_one_whose_time_is_over_before_it_has_the_lease_records_nothing(self, story):
        version, answer = story.upload(BJORK), story.store.answer

        def slow(request):
            story.store.answer = answer
            story.now += WHOLE.write
            return answer(request)

        story.store.answer = slow
        with pytest.raises(RetryableError, match="time of this try is over"):
            story.give_up(story.event(version))
        assert story.record(version) is None

    def test_while_s3_is_silent_nothing_that_is_given_up_becomes_current(self, story):
        first = story.upload(BJORK)
        story.look(story.event(first))
        answer = story.store.answer

        def silent(request):
            return Answer(503, b"", {}) if request.call[0] == "s3" else answer(request)

        story.store.answer = silent
        assert story.give_up(story.event("v9999")) is True
        assert story.record(first).is_settled
        assert story.ledger.reconciliations.head(story.file).current == first

    def test_what_an_undo_brought_back_is_not_done_and_its_last_try_tells(self, story):
        """It was ingested once, and the table has the values of what was undone."""
        first = story.upload(BJORK)
        story.look(story.event(first))
        story.look(story.event(story.upload(SAULT)))
        story.undo()
        assert story.give_up(story.event(removed=True)) is True
        assert story.record(first).status == Status.FAILED
        assert story.post.subjects == ["success", "success", "failure"]

    def test_a_mapping_or_a_removal_whose_file_is_gone_is_nothing_to_give_up(self, story):
        story.map(BY_RANK)
        for event in (story.event(removed=True), FileEvent("uploads", story.key + ".mapping.json")):
            assert story.give_up(event._replace(bucket=story.event().bucket)) is False
        assert story.post.subjects == []


class TestRecords:
    def test_the_event_that_was_ingested_is_recorded(self, story):
        version = story.upload(BJORK)
        story.look(story.event(version, sequencer="0055AED6DCD90281E5"))
        assert story.record(version).sequencer == "0055AED6DCD90281E5"

    def test_why_a_try_failed_is_kept_under_the_mapping_that_it_was_read_with(self, story):
        story.map(BY_RANK)
        version = story.upload(BJORK)
        Ingestor(story.resources).note_failed_try(story.event(version), "m-1", "throttled")
        (record,) = story.ledger.history(story.file)
        assert record.version.startswith(f"{version}+")
        assert story.look(story.event(version)) == Action.INGESTED
        (record,) = story.ledger.history(story.file)
        assert (record.status, record.reasons) == (Status.NOTIFIED, {"m-1": "throttled"})

    def test_a_removal_believes_no_answer_without_a_version(self, story):
        story.look(story.event(story.upload(BJORK)))
        answer = story.store.answer

        def cut(request):
            whole = answer(request)
            headers = {n: v for n, v in whole.headers.items() if n != "x-amz-version-id"}
            return replace(whole, headers=headers) if request.method == "HEAD" else whole

        story.store.answer = cut
        with pytest.raises(RetryableError, match="incomplete answer"):
            story.look()


def test_an_undo_that_is_killed_at_any_call_is_read_from_its_beginning(line):
    """And not on from where the large file's earlier reading was saved."""
    for nth in itertools.count(1):
        story = Story(line)
        story.ticking = 1.0
        action = story.look(story.event(story.upload(LARGE)), FEW_BLOCKS)
        while action == Action.PAUSED:
            action = story.look(story.sent[-1], FEW_BLOCKS)
        story.look(story.event(story.upload(LARGE.replace(b"21:00", b"21:30"))))
        story.undo()
        calls = itertools.count(1)

        def tick(calls=calls, nth=nth):
            if next(calls) == nth:
                raise PowerCutError

        line.tick, died = tick, False
        try:
            story.look()
        except PowerCutError:
            died = True
        line.tick = lambda: None
        story.now += 1000
        with suppress(RetryableError, ClientError):
            story.look()
        assert story.ends == {"21:00"}, nth
        if not died:
            break
    assert nth > 15
