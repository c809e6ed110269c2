"""The bulk writer against an endpoint that misbehaves: nothing lost, nothing out of order."""

import json
import random
import signal
import threading
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from festival.errors import FestivalError, RetryableError
from festival.lineup.model import Performance
from festival.table.faults import Response
from festival.table.item import from_item, to_item
from festival.table.writer import BulkWriter, Pace

ELBOW = Performance("Elbow", "Park", "2024-06-28", 1200, 1290, 71, 2)


def lineup(count, artists=10**9):
    return [
        Performance(f"Artist {n % artists}", f"Stage {n % 3}", "2024-06-28", n, n + 60, None, n + 2)
        for n in range(count)
    ]


class FakeClock:
    """Time that passes by sleeping only, and a little with each look at it."""

    def __init__(self):
        self.now = 1000.0
        self.slept = []
        self._lock = threading.Lock()

    def __call__(self):
        with self._lock:
            self.now += 0.0001
            return self.now

    def sleep(self, seconds):
        with self._lock:
            self.now += seconds
            self.slept.append(seconds)


class FakeDynamo:
    """A table behind a connection; `faults` says what goes wrong at each call, then all is well."""

    def __init__(self, faults=(), poison=(), clock=time.monotonic, delay=0.0):
        self.faults = list(faults)
        self.poison = set(poison)
        self.clock = clock
        self.delay = delay
        self.table = {}
        self.calls = []
        self.timeouts = []
        self.in_flight = Counter()
        self.busiest = 0
        self._lock = threading.Lock()

    def call(self, operation, body, *, timeout=None):
        assert operation == "BatchWriteItem"
        assert timeout is not None and timeout > 0
        [(table, puts)] = json.loads(body)["RequestItems"].items()
        assert table == "lineup"
        items = [put["PutRequest"]["Item"] for put in puts]
        keys = [(item["Performer"]["S"], item["Performance"]["S"]) for item in items]
        assert len(set(keys)) == len(keys) <= 25, "DynamoDB refuses such a batch"
        with self._lock:
            self.calls.append((self.clock(), len(items)))
            self.timeouts.append(timeout)
            fault = self.faults.pop(0) if self.faults else "none"
            self.in_flight.update(keys)
            assert max(self.in_flight[key] for key in keys) == 1, "one key in two requests at once"
            self.busiest = max(self.busiest, len(self.calls) - getattr(self, "done", 0))
        try:
            if self.delay:
                time.sleep(self.delay)
            return self._answer(fault, items, keys)
        finally:
            with self._lock:
                self.in_flight.subtract(keys)
                self.done = getattr(self, "done", 0) + 1

    def _answer(self, fault, items, keys):
        if fault == "dropped before":
            raise RetryableError("connection dropped")
        if fault in {"AccessDeniedException", "ResourceNotFoundException"}:
            return error(fault, "no")
        if fault == "throttled":
            return error("ThrottlingException", "slow down")
        if fault == "500":
            return Response(500, b"{}")
        if any(item["Performer"]["S"] in self.poison for item in items):
            return error("ValidationException", "The parameter cannot be converted")
        stored = items
        if fault == "unprocessed":
            stored = items[: len(items) // 2]
        with self._lock:
            for item, key in zip(stored, keys, strict=False):
                self.table[key] = item
        if fault == "dropped after":
            raise RetryableError("read timed out")
        left = [{"PutRequest": {"Item": item}} for item in items[len(stored) :]]
        return Response(
            200, json.dumps({"UnprocessedItems": {"lineup": left} if left else {}}).encode()
        )

    def rows(self):
        return sorted(from_item(item) for item in self.table.values())


def error(code, message):
    return Response(400, json.dumps({"__type": f"v#{code}", "message": message}).encode())


def write(dynamo, rows, clock=None, seed=1, **options):
    clock = clock or FakeClock()
    options = {"clock": clock, "sleep": clock.sleep, "random": random.Random(seed).random} | options
    with BulkWriter(dynamo, "lineup", **options) as writer:
        for first in range(0, len(rows), 40):
            writer.put(rows[first : first + 40])
        return writer.flush()


def without_lines(rows):
    return sorted(row._replace(line=0) for row in rows)


def test_a_lineup_is_stored_in_full_batches():
    dynamo, rows = FakeDynamo(), lineup(1000)
    outcome = write(dynamo, rows)
    assert dynamo.rows() == without_lines(rows)
    assert (outcome.rejections, outcome.unwritten, outcome.reason) == ((), (), "")
    assert outcome.requests == len(dynamo.calls) <= 56


def test_sixty_rows_take_a_handful_of_requests():
    dynamo = FakeDynamo()
    write(dynamo, lineup(60))
    assert len(dynamo.calls) <= 4


def test_the_source_is_in_the_items():
    dynamo = FakeDynamo()
    write(dynamo, [ELBOW], source="friday.csv")
    assert list(dynamo.table.values()) == [to_item(ELBOW, source="friday.csv")]


FAULTS = ["none", "throttled", "500", "unprocessed", "dropped before", "dropped after"]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    faults=st.lists(st.sampled_from(FAULTS), max_size=30),
    artists=st.integers(1, 40),
    poison=st.sets(st.integers(0, 40), max_size=2),
    deadline=st.none() | st.floats(0.01, 30),
    lanes=st.sampled_from([1, 3, 16]),
)
def test_every_row_is_stored_refused_or_unwritten(seed, faults, artists, poison, deadline, lanes):
    clock = FakeClock()
    dynamo = FakeDynamo(faults, {f"Artist {n}" for n in poison}, clock)
    rows = [
        row._replace(start=row.start % 4, popularity=1 + row.line % 100)
        for row in lineup(120, artists)
    ]
    ends = None if deadline is None else clock.now + deadline
    outcome = write(dynamo, rows, clock, seed, lanes=lanes, deadline=ends)

    last = {row.key: row for row in rows}
    stored = {from_item(item).key: from_item(item) for item in dynamo.table.values()}
    refused = {rejected.line for rejected in outcome.rejections}
    unwritten = {row.key for row in outcome.unwritten}
    assert len(refused) == len(outcome.rejections)
    assert len(unwritten) == len(outcome.unwritten)
    for key, row in last.items():
        if key in unwritten:
            assert row in outcome.unwritten
        elif row.performer in dynamo.poison:
            assert row.line in refused
            assert key not in stored
        else:
            assert stored[key] == row._replace(line=0), "an older row stands in a newer one's place"
            assert row.line not in refused
    assert bool(outcome.unwritten) == bool(outcome.reason)
    if ends is not None and lanes == 1:  # with more, one thread's pause moves another's clock
        assert all(sent <= ends + 0.001 for sent, _ in dynamo.calls)
        assert all(
            sent + wait <= ends + 0.01
            for (sent, _), wait in zip(dynamo.calls, dynamo.timeouts, strict=True)
        )
    if ends is None:
        assert not outcome.unwritten
    assert outcome.requests == len(dynamo.calls)


def test_rows_with_one_key_reach_the_table_in_file_order_while_others_overtake_them():
    rows = [ELBOW._replace(popularity=1 + n % 100, line=n) for n in range(500)]
    dynamo = FakeDynamo(["dropped after", "throttled"] * 5)
    write(dynamo, [row for pair in zip(rows, lineup(500), strict=True) for row in pair])
    assert from_item(dynamo.table[ELBOW.key]).popularity == rows[-1].popularity


def test_a_row_that_dynamodb_refuses_is_found_and_its_neighbours_are_stored():
    rows = lineup(100)
    rows[37] = ELBOW._replace(performer="Cursed", line=39)
    dynamo = FakeDynamo(poison={"Cursed"})
    outcome = write(dynamo, rows)
    [rejected] = outcome.rejections
    assert (rejected.line, rejected.field) == (39, "Performance")
    assert rejected.value == "Cursed 2024-06-28#20:00#Park"
    assert rejected.reason == "The parameter cannot be converted"
    assert len(dynamo.table) == 99


def test_an_older_row_is_stored_when_the_newer_one_of_its_key_is_refused():
    class RefusesHeadliners(FakeDynamo):
        def _answer(self, fault, items, keys):
            if any(item["Popularity"]["N"] == "100" for item in items):
                return error("ValidationException", "too loud")
            return super()._answer(fault, items, keys)

    dynamo = RefusesHeadliners()
    outcome = write(dynamo, [ELBOW, ELBOW._replace(popularity=100, line=3)])
    assert [rejected.line for rejected in outcome.rejections] == [3]
    assert dynamo.rows() == [ELBOW._replace(line=0)]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_call_that_can_never_succeed_stops_the_writer_and_says_why(code):
    dynamo, rows = FakeDynamo([code] * 100), lineup(300)
    clock = FakeClock()
    with BulkWriter(dynamo, "lineup", clock=clock, sleep=clock.sleep) as writer:
        writer.put(rows)
        outcome = writer.flush()
        calls = len(dynamo.calls)
        assert writer.stopped == f"table lineup: {code}: no"
        writer.put(rows[:50])
        again = writer.flush()
    assert outcome.unwritten == tuple(rows)
    assert outcome.reason == again.reason == f"table lineup: {code}: no"
    assert again.unwritten == tuple(rows[:50])
    assert len(dynamo.calls) == calls <= 2


def test_a_second_flush_tells_only_what_came_after_the_first():
    dynamo = FakeDynamo(poison={"Cursed"})
    clock = FakeClock()
    with BulkWriter(dynamo, "lineup", clock=clock, sleep=clock.sleep) as writer:
        writer.put([ELBOW._replace(performer="Cursed")])
        assert len(writer.flush().rejections) == 1
        writer.put([ELBOW])
        second = writer.flush()
    assert (second.rejections, second.unwritten, second.requests) == ((), (), 1)


def test_no_request_begins_after_the_deadline_and_none_may_wait_past_it():
    clock = FakeClock()
    dynamo = FakeDynamo(["throttled"] * 10_000, clock=clock)
    rows = lineup(200)
    deadline = clock.now + 20
    outcome = write(dynamo, rows, clock, deadline=deadline)
    assert outcome.unwritten == tuple(rows)
    assert outcome.reason == (
        "the time for writing ran out; last: table lineup: ThrottlingException: slow down"
    )
    assert max(sent for sent, _ in dynamo.calls) < deadline + 0.001
    assert min(dynamo.timeouts) < 10


def test_after_the_deadline_nothing_is_sent_at_all():
    clock = FakeClock()
    dynamo = FakeDynamo(clock=clock)
    outcome = write(dynamo, [ELBOW], clock, deadline=clock.now - 1)
    assert dynamo.calls == []
    assert outcome.unwritten == (ELBOW,)
    assert outcome.reason == "the time for writing ran out"


def test_an_endpoint_that_stays_away_is_given_up_in_a_minute():
    clock = FakeClock()
    dynamo = FakeDynamo(["dropped before"] * 10_000, clock=clock)
    outcome = write(dynamo, [ELBOW], clock)
    assert outcome.unwritten == (ELBOW,)
    assert outcome.reason == "nothing was stored for 60 s: connection dropped"
    assert 60 < sum(clock.slept) < 70


def test_pauses_grow_while_nothing_gets_through():
    clock = FakeClock()
    write(FakeDynamo(["500"] * 12), [ELBOW], clock, random=lambda: 1.0)
    assert clock.slept == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0, 5.0]


def test_pauses_stay_short_while_a_part_of_each_batch_gets_through():
    clock = FakeClock()
    outcome = write(FakeDynamo(["unprocessed"] * 4), lineup(20), clock, lanes=1, random=lambda: 1.0)
    assert clock.slept == [0.05] * 4
    assert (outcome.retries, outcome.throttles) == (4, 4)


def test_throttles_slow_the_writer_down_and_success_speeds_it_up():
    class StandingStill(FakeClock):
        """By which twice as many answers are always twice as fast."""

        def __call__(self):
            return self.now

    eager = FakeDynamo(delay=0.002)
    write(eager, lineup(5000), StandingStill())
    slowed = FakeDynamo(["throttled"] * 60, delay=0.002)
    write(slowed, lineup(300))
    assert eager.busiest > 4
    assert slowed.busiest <= 2


def test_a_writer_at_full_speed_allows_itself_less_with_each_throttle():
    clock, dynamo = FakeClock(), FakeDynamo()
    options = {"clock": clock, "sleep": clock.sleep, "random": lambda: 1.0}
    with BulkWriter(dynamo, "lineup", **options) as writer:
        writer._pace = Pace(most=16, allowed=12.0)
        dynamo.faults = ["throttled"] * 2
        writer.put([ELBOW])
        writer.flush()
        assert 3 <= writer._pace.allowed < 6


def test_patience_counts_from_the_last_success_and_not_from_a_batchs_own_start():
    """A part of the batch gets through every 25 s: that is slow, and no reason to give up."""
    clock = FakeClock()

    class Slow(FakeDynamo):
        def call(self, operation, body, *, timeout=None):
            clock.sleep(25)
            return super().call(operation, body, timeout=timeout)

    outcome = write(Slow(["unprocessed"] * 5), lineup(25), clock, lanes=1)
    assert (outcome.unwritten, outcome.reason) == ((), "")
    assert sum(clock.slept) > 2 * 60


def test_patience_does_not_count_the_time_in_which_there_was_nothing_to_send():
    clock = FakeClock()
    options = {"clock": clock, "sleep": clock.sleep, "random": lambda: 1.0}
    with BulkWriter(FakeDynamo(["500"]), "lineup", **options) as writer:
        clock.sleep(3600)  # a slow source
        writer.put([ELBOW])
        outcome = writer.flush()
    assert (outcome.unwritten, outcome.retries) == ((), 1)


def test_of_two_threads_that_are_one_too_many_only_one_makes_way():
    """The one that ends is no longer counted when the other asks, or both would end."""
    with BulkWriter(FakeDynamo(), "lineup", lanes=4) as writer:
        writer._lanes.add(lineup(400, artists=40))
        loads = [writer._next_load(), writer._next_load()]
        writer._active, writer._pace = 2, Pace(most=4, allowed=1)
        assert writer._settle(loads[0], ()) is None
        assert writer._active == 1
        assert writer._settle(loads[1], ()) is not None


def test_put_waits_while_too_many_rows_are_waiting():
    dynamo = FakeDynamo(delay=0.001)
    with BulkWriter(dynamo, "lineup", lanes=2) as writer:
        writer.put(lineup(1000))
        assert len(dynamo.table) >= 1000 - 2 * 25 * 4 - 2 * 25
        writer.flush()
    assert len(dynamo.table) == 1000


def test_closing_ends_a_long_pause_and_every_thread(monkeypatch):
    monkeypatch.setattr("festival.table.faults.FIRST_PAUSE", 3600.0)
    monkeypatch.setattr("festival.table.faults.LONGEST_PAUSE", 3600.0)
    before = threading.active_count()
    writer = BulkWriter(FakeDynamo(["500"] * 100), "lineup", random=lambda: 1.0)
    writer.put(lineup(1000))
    assert threading.active_count() > before
    writer.close()
    assert threading.active_count() == before
    outcome = writer.flush()
    assert (len(outcome.unwritten), outcome.reason) == (1000, "the writer was closed")


def test_an_interrupt_ends_writing_without_leaving_threads():
    before = threading.active_count()
    # A job in the background of a shell ignores SIGINT, and so does what it starts.
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)

    class Interrupting(FakeDynamo):
        def call(self, operation, body, *, timeout=None):
            time.sleep(0.05)  # until the main thread waits for the flush
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.05)
            return super().call(operation, body, timeout=timeout)

    with pytest.raises(KeyboardInterrupt), BulkWriter(Interrupting(), "lineup") as writer:
        writer.put([ELBOW])
        writer.flush()
    signal.signal(signal.SIGINT, ignored)
    assert threading.active_count() == before


def test_a_writer_that_has_nothing_to_do_starts_no_thread():
    before = threading.active_count()
    with BulkWriter(FakeDynamo(), "lineup") as writer:
        writer.put([])
        assert writer.flush().requests == 0
        assert threading.active_count() == before


def test_a_defect_in_a_thread_is_raised_and_not_swallowed():
    class Defective(FakeDynamo):
        def call(self, operation, body, *, timeout=None):
            raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        write(Defective(), lineup(100))


def test_a_connection_without_credentials_stops_the_writer():
    class Penniless(FakeDynamo):
        def call(self, operation, body, *, timeout=None):
            raise FestivalError("Unable to locate credentials")

    assert write(Penniless(), [ELBOW]).reason == "Unable to locate credentials"
