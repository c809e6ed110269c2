"""The bulk writer: puts performances into the table by many requests at once, and loses none."""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Event
from types import TracebackType
from typing import NamedTuple, Self

from festival.errors import FestivalError
from festival.lineup.model import Performance, Rejection
from festival.table import batch
from festival.table.connection import Connection
from festival.table.faults import Response, pause
from festival.table.item import put_request_encoder, rejection
from festival.table.schema import MAX_BATCH_ITEMS

ANSWERS_TO_JUDGE_BY = 4  # for each request that may be in flight
ANSWERS_OF_REST = 1000


class Pace(NamedTuple):
    """How many requests may be in flight at once: from 1 to `most`.

    The number grows as long as that brings more answers a second: it doubles at first, and grows by
    one at a time once the table has throttled. A growth that brings nothing is undone, and tried
    again later.
    """

    most: int
    allowed: int = 2
    cut_at: float = float("-inf")
    answers: int = 0  # since the time `since`
    since: float = float("-inf")
    rate_before: float = 0.0  # answers a second before the last growth
    growth: int = 0  # by how much that growth was; 0 if none is on trial
    rest: int = 0  # answers before the next growth is tried

    def after_success(self, now: float) -> "Pace":
        """Grow, or undo a growth, once there are enough answers to judge by."""
        answers = self.answers + 1
        if self.since == float("-inf"):
            return self._replace(since=now)
        if answers < ANSWERS_TO_JUDGE_BY * self.allowed:
            return self._replace(answers=answers, rest=self.rest - 1)
        rate = answers / max(now - self.since, 1e-9)
        restarted = self._replace(answers=0, since=now, growth=0)
        if self.growth and rate < self.rate_before * self._least_gain:
            return restarted._replace(allowed=self.allowed - self.growth, rest=ANSWERS_OF_REST)
        growth = min(self.most - self.allowed, self.allowed if self.cut_at == float("-inf") else 1)
        if self.rest > 0 or not growth:
            return restarted._replace(rest=self.rest - 1)
        return restarted._replace(allowed=self.allowed + growth, growth=growth, rate_before=rate)

    def after_throttle(self, sent: float, now: float) -> "Pace":
        """Halve, once for all requests that were in flight together."""
        if sent < self.cut_at:
            return self
        return self._replace(
            allowed=max(1, self.allowed // 2), cut_at=now, answers=0, since=now, growth=0
        )

    @property
    def _least_gain(self) -> float:
        """The least gain in answers a second: a quarter of the growth, so 1.25 for a doubling."""
        return 1 + self.growth / (self.allowed - self.growth) / 4


class Batch(NamedTuple):
    """At most 25 rows to send together, and the lanes held until these rows are settled."""

    rows: list[Performance]
    lanes: list[int]


class Lanes:
    """A writer's waiting rows: each key has its lane, and a lane sends one batch at a time."""

    def __init__(self, count: int) -> None:
        self.waiting = 0
        self._rows: list[deque[Performance]] = [deque() for _ in range(count)]
        self._held = [False] * count
        self._full: deque[int] = deque()

    def add(self, rows: Iterable[Performance]) -> None:
        """Queue rows after those of the same key."""
        lanes, count = self._rows, len(self._rows)
        for row in rows:
            number = hash(row[0]) % count
            lane = lanes[number]
            lane.append(row)
            self.waiting += 1
            if len(lane) == MAX_BATCH_ITEMS and not self._held[number]:
                self._full.append(number)

    def take(self, *, partial: bool) -> Batch | None:
        """A full batch from one lane; if `partial`, also what is left in several lanes."""
        if self._full:
            return self._load([self._full.popleft()])
        if not partial:
            return None
        chosen, room = [], MAX_BATCH_ITEMS
        for number, lane in enumerate(self._rows):
            if lane and not self._held[number] and len(lane) <= room:
                chosen.append(number)
                room -= len(lane)
        return self._load(chosen) if chosen else None

    def give_back(self, load: Batch) -> None:
        """Reopen a batch's lanes, because its rows are stored, refused or given up."""
        for number in load.lanes:
            self._held[number] = False
            if len(self._rows[number]) >= MAX_BATCH_ITEMS:
                self._full.append(number)

    def drain(self) -> list[Performance]:
        """Take out all rows that are still waiting."""
        rows = [row for lane in self._rows for row in lane]
        for lane in self._rows:
            lane.clear()
        self._full.clear()
        self.waiting = 0
        return rows

    def _load(self, numbers: list[int]) -> Batch:
        rows: list[Performance] = []
        for number in numbers:
            lane = self._rows[number]
            self._held[number] = True
            rows += [lane.popleft() for _ in range(min(len(lane), MAX_BATCH_ITEMS))]
        self.waiting -= len(rows)
        return Batch(rows, numbers)


# Seconds. DynamoDB answers in milliseconds: an answer that takes longer than this is lost.
_LONGEST_REQUEST = 10.0
BATCHES_WAITING_PER_LANE = 4


class WriteOutcome(NamedTuple):
    """The rows put since the last flush that were not stored; all others were.

    `rejections` are rows that DynamoDB can never hold, `unwritten` those not stored when writing
    stopped, and `reason` says why it stopped. Both lists are in the order of the file's lines. Of
    several unwritten rows with one key, only the last is listed, because it would have overwritten
    the others. `requests` counts every call, `retries` those that repeat rows, `throttles` the
    answers that asked for fewer requests.
    """

    rejections: tuple[Rejection, ...]
    unwritten: tuple[Performance, ...]
    reason: str
    requests: int
    retries: int
    throttles: int


class BulkWriter:
    """Writes performances by BatchWriteItem, in lanes, at the pace the table allows.

    Rows with one key reach the table in the order in which they were put: they share a lane, and a
    lane sends its next rows only when those before are settled. If a batch would hold a key twice,
    only the last row is sent. Throttled or unprocessed rows are sent again, with exponential
    backoff, full jitter and fewer requests in flight.

    What is not guaranteed: a request without an answer (time-out, dropped connection) is sent again
    before anything newer in its lane, but DynamoDB may still carry out the first one late. If it
    does so after a newer row with the same key was stored, the older row stays until the file is
    ingested again. BatchWriteItem has no condition that would prevent this.

    `deadline` is a time on `clock`: no request begins after it, and none waits past it. It may be
    changed while rows are being written. With or without one, the writer gives up after `patience`
    seconds in which no request succeeded. Threads start when there is something to send, and end
    with `close()`.
    """

    def __init__(
        self,
        connection: Connection,
        table: str,
        *,
        source: str | None = None,
        lanes: int = 16,
        deadline: float | None = None,
        patience: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._connection = connection
        self._table = table
        self._encode = put_request_encoder(source=source)
        self.deadline = float("inf") if deadline is None else deadline
        self._patience = patience
        self._clock = clock
        self._closed = Event()
        self._sleep = self._closed.wait if sleep is None else sleep
        self._random = random
        self._threads = ThreadPoolExecutor(max_workers=lanes, thread_name_prefix="bulk-writer")
        # Everything below is shared with the threads, and touched only under this lock.
        self._changed = Condition()
        self._lanes = Lanes(lanes)
        self._most_waiting = lanes * MAX_BATCH_ITEMS * BATCHES_WAITING_PER_LANE
        self._pace = Pace(most=lanes, allowed=min(2, lanes))
        self._active = 0
        self._flushing = False
        self._stopped = ""
        self._crash: BaseException | None = None
        self._last_success = clock()
        self._begin_outcome()

    def put(self, performances: Sequence[Performance]) -> None:
        """Take rows to write. Blocks while too many are already waiting."""
        with self._changed:
            self._lanes.add(performances)
            self._start_threads()
            while self._lanes.waiting > self._most_waiting and self._active:
                self._changed.wait()

    @property
    def stopped(self) -> str:
        """Why nothing more will be written; empty while writing continues."""
        return self._stopped

    def flush(self) -> WriteOutcome:
        """Wait until every row put so far is stored, refused or given up; says which."""
        with self._changed:
            self._flushing = True
            self._start_threads()
            while self._active:
                self._changed.wait()
            self._flushing = False
            if self._crash is not None:
                raise self._crash
            unwritten = [*self._given_up, *self._lanes.drain()]
            outcome = WriteOutcome(
                rejections=tuple(sorted(self._rejections, key=lambda refused: refused.line)),
                unwritten=tuple(batch.last_of_each_key(sorted(unwritten, key=_by_line))),
                reason=self._stopped if unwritten else "",
                requests=self._requests,
                retries=self._retries,
                throttles=self._throttles,
            )
            self._begin_outcome()
            return outcome

    def close(self) -> None:
        """Stop: let requests in flight finish, send nothing new, end the threads. Flush first."""
        self._stop("the writer was closed")
        self._closed.set()
        self._threads.shutdown(wait=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin_outcome(self) -> None:
        self._rejections: list[Rejection] = []
        self._given_up: list[Performance] = []
        self._requests = self._retries = self._throttles = 0

    def _start_threads(self) -> None:
        """Start another thread for each batch that may be sent now. The caller holds the lock."""
        while self._active < self._pace.allowed and (load := self._next_load()):
            self._active += 1
            self._threads.submit(self._work, load)

    def _next_load(self) -> Batch | None:
        return None if self._stopped else self._lanes.take(partial=self._flushing)

    def _work(self, load: Batch | None) -> None:
        """Store batch after batch, until there is none or fewer threads are wanted."""
        try:
            while load is not None:
                load = self._settle(load, self._store(load.rows))
        except BaseException as error:
            with self._changed:
                self._crash = error
                self._active -= 1
                self._stop(f"{type(error).__name__}: {error}")

    def _settle(self, load: Batch, given_up: Sequence[Performance]) -> Batch | None:
        """Finish a batch and return the next; None ends the thread. The lock is held throughout:
        otherwise two threads might each end in favour of the other."""
        with self._changed:
            self._given_up += given_up
            self._lanes.give_back(load)
            following = self._next_load() if self._active <= self._pace.allowed else None
            if following is None:
                self._active -= 1
            self._start_threads()
            self._changed.notify_all()
            return following

    def _store(self, rows: Sequence[Performance]) -> Sequence[Performance]:
        """Send rows until each is stored or refused; return those that were given up."""
        attempt, trouble, began = 0, "", self._clock()
        while rows and self._may_send(attempt, trouble, began):
            match self._send(batch.last_of_each_key(rows), again=attempt > 0):
                case batch.Stored(unprocessed):
                    attempt = 1 if len(unprocessed) < len(rows) else attempt + 1
                    rows, trouble = unprocessed, "UnprocessedItems"
                case batch.Unprocessed(reason):
                    attempt, trouble = attempt + 1, reason
                case batch.Refused(message):
                    return self._store_apart(rows, message)
                case batch.Failed(reason):
                    self._stop(reason)
        return rows

    def _may_send(self, attempt: int, trouble: str, began: float) -> bool:
        """Pause before another try; return False if there is no time for one, or no point in it."""
        now = self._clock()
        wait = pause(attempt, self._random()) if attempt else 0.0
        if now + wait >= self.deadline:
            self._stop(f"the time for writing ran out{trouble and f'; last: {trouble}'}")
        elif attempt and now - max(began, self._last_success) > self._patience:
            self._stop(f"nothing was stored for {self._patience:g} s: {trouble}")
        elif wait and not self._stopped:
            self._sleep(wait)
        return not self._stopped

    def _store_apart(self, rows: Sequence[Performance], message: str) -> Sequence[Performance]:
        """Halve a refused batch, keeping its order, until the row at fault is found."""
        if len(rows) == 1:
            row = rows[0]
            self._refuse(rejection(row, "Performance", f"{row.performer} {row.sort_key}", message))
            return ()
        middle = len(rows) // 2
        left = self._store(rows[:middle])
        return [*left, *self._store(rows[middle:])]

    def _send(self, rows: Sequence[Performance], *, again: bool) -> batch.Verdict:
        body = batch.body(self._table, rows, self._encode)
        sent = self._clock()
        if sent >= self.deadline:
            return batch.Failed("the time for writing ran out")
        answer: Response | FestivalError
        try:
            timeout = min(_LONGEST_REQUEST, self.deadline - sent)
            answer = self._connection.call("BatchWriteItem", body, timeout=timeout)
        except FestivalError as error:
            answer = error
        verdict = batch.verdict(answer, self._table, rows)
        self._note(verdict, sent, again)
        return verdict

    def _note(self, verdict: batch.Verdict, sent: float, again: bool) -> None:
        """Update the counts and the pace from an answer."""
        with self._changed:
            self._requests += 1
            self._retries += again
            if isinstance(verdict, batch.Stored | batch.Unprocessed) and verdict.throttled:
                self._throttles += 1
                self._pace = self._pace.after_throttle(sent, self._clock())
            elif isinstance(verdict, batch.Stored):
                self._pace = self._pace.after_success(self._clock())
            if isinstance(verdict, batch.Stored):
                self._last_success = self._clock()

    def _refuse(self, why: Rejection) -> None:
        with self._changed:
            self._rejections.append(why)

    def _stop(self, reason: str) -> None:
        with self._changed:
            self._stopped = self._stopped or reason
            self._changed.notify_all()


def _by_line(performance: Performance) -> int:
    return performance.line
