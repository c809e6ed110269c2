"""A file in several passes: which message goes on with it, and which has nothing to say."""

import itertools

import pytest

from festival.errors import RetryableError
from festival.ingest.attempt import Action, Budget, Ingestor
from festival.ingest.events import FileEvent
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.records import Status
from festival.ingest.reports_bucket import Reports
from festival.ingest.resources import Resources
from festival.lineup.decode import Limits
from festival.table.item import to_item
from festival.table.writer import WriteOutcome

from .people import UPLOADS
from .reconciling import Line, reconciling_store
from .wire import Answer
from .world import REPORTS

ROWS = "".join(f"Band {number},Park,2025-06-28,20:00,21:00\n" for number in range(12))
LINEUP = f"Performer,Stage,Date,Start,End\n{ROWS}".encode()
FEW_BLOCKS = Budget(work=2.0, write=200.0, lease=300.0)
THROTTLED = RetryableError("DynamoDB was throttled")


class Writer:
    """Stores what it is given at once."""

    deadline, stopped = 0.0, ""

    def __init__(self, store, source):
        self._store, self._source = store, source

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def put(self, rows):
        self._store.items |= {row.key: to_item(row, source=self._source) for row in rows}

    def flush(self):
        return WriteOutcome((), (), "", 0, 0, 0)


class Post:
    def __init__(self):
        self.subjects = []

    def send(self, report, note="", until=0.0, **more):
        self.subjects.append(report.status)
        return f"mail-{len(self.subjects)}"


class Work:
    """One file, and the continuations that its passes send."""

    def __init__(self, line):
        line.store = self.store = reconciling_store()
        line.tick = lambda: None
        self.sent, self.post, seconds = [], Post(), itertools.count(1_752_300_000)
        self.ledger = Ledger(line.clients.dynamodb, "ledger", now=lambda: 1_752_300_000.0)
        self.ingestor = Ingestor(
            Resources(
                s3=line.clients.s3,
                ledger=self.ledger,
                open_writer=lambda source, deadline: Writer(self.store, source),
                reports=Reports(line.clients.s3, REPORTS),
                mailer=self.post,
                send_continuation=lambda event, attempt: self.sent.append(attempt),
                clock=lambda: float(next(seconds)),
                limits=Limits(block_rows=2, block_bytes=60),
            )
        )
        self.version = self.store.put(UPLOADS, "large.csv", LINEUP)

    def event(self, continues=0):
        return FileEvent(UPLOADS, "large.csv", self.version, continues=continues)

    def go_on(self, continues=0):
        return self.ingestor.ingest(self.event(continues), f"try {continues}", FEW_BLOCKS).action

    def give_up(self, continues=0):
        return self.ingestor.give_up(self.event(continues), "the last try", FEW_BLOCKS, THROTTLED)

    @property
    def status(self):
        return self.ledger.find(f"{UPLOADS}/large.csv", self.version).status


@pytest.fixture(scope="module")
def line():
    return Line()


@pytest.fixture
def work(line):
    return Work(line)


def test_each_pass_asks_for_the_next_until_the_file_is_done(work):
    actions = [work.go_on()]
    while actions[-1] == Action.PAUSED:
        actions.append(work.go_on(work.sent[-1]))
    assert actions[-1] == Action.INGESTED
    assert len(actions) > 2
    assert len(work.store.items) == 12
    assert (work.status, work.post.subjects) == (Status.NOTIFIED, ["success"])


def test_a_continuation_that_another_pass_has_overtaken_is_stale(work):
    work.go_on()
    work.go_on(work.sent[0])
    assert work.go_on(work.sent[0]) == Action.STALE


def test_the_save_of_a_continuations_number_that_comes_too_late_is_refused(work):
    """Else both would count as stale: the continuation before it, its sender after it."""
    work.go_on()
    answer, late = work.store.answer, []

    def losing(request):
        if request.call[1] == "UpdateItem" and b'\\"continues\\": 2' in request.body:
            late.append(request)
            return Answer(500, b"{}")
        return answer(request)

    work.store.answer = losing
    with pytest.raises(RetryableError):
        work.go_on(work.sent[0])
    work.store.answer = answer
    assert work.go_on(work.sent[1]) == Action.STALE
    assert answer(late[0]).status == 400
    assert work.go_on(work.sent[0]) == Action.PAUSED
    while work.go_on(work.sent[-1]) == Action.PAUSED:
        pass
    assert (work.status, work.post.subjects) == (Status.NOTIFIED, ["success"])


def test_a_stale_continuation_cannot_give_up_what_another_one_goes_on_with(work):
    work.go_on()
    work.go_on(work.sent[0])
    assert work.give_up(work.sent[0]) is False
    assert (work.status, work.post.subjects) == (Status.RUNNING, [])


def test_the_event_that_began_a_file_cannot_give_up_what_a_continuation_goes_on_with(work):
    work.go_on()
    assert work.give_up() is False
    assert work.status == Status.RUNNING


def test_the_continuation_whose_turn_it_is_gives_up_and_may_go_on_after_a_redrive(work):
    work.go_on()
    assert work.give_up(work.sent[-1]) is True
    assert (work.status, work.post.subjects) == (Status.FAILED, ["failure"])
    assert work.ledger.reopen(f"{UPLOADS}/large.csv", work.version)
    while work.go_on(work.sent[-1]) == Action.PAUSED:
        pass
    assert (work.status, work.post.subjects) == (Status.NOTIFIED, ["failure", "success"])
    assert len(work.store.items) == 12


def test_a_file_that_was_never_read_is_given_up_by_its_event(work):
    assert work.give_up() is True
    assert work.status == Status.FAILED


def test_what_is_done_cannot_be_given_up(work):
    while work.go_on(work.sent[-1] if work.sent else 0) == Action.PAUSED:
        pass
    assert work.give_up() is False
    assert work.status == Status.NOTIFIED
