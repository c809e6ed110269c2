"""An ingest that is stopped at any call, and goes on when something else has happened.

Ctrl-Z, a closed lid, a call that is carried out late: its lease lapses, another process ingests
what S3 says then, and whatever the first one still does must not show in the table.
"""

import itertools
from functools import partial

import pytest

from festival import kit
from festival.ingest.attempt import Attempt, Ingestor
from festival.ingest.events import FileEvent
from festival.ingest.reports_bucket import Reports
from festival.ingest.resources import Resources
from festival.ingest.sidecar import SIDECAR
from festival.table.item import to_item
from festival.table.writer import WriteOutcome

from .busy_bugs import done_whatever_the_table_has_now
from .people import UPLOADS
from .reconciling import Line
from .test_reconciling import Town, Writer
from .world import REPORTS

HEAD = "Performer,Stage,Date,Start,End,Popularity\n"
BJORK, SAULT = "Björk,Main,2025-07-12,20:00,21:15,{}\n", "Sault,Main,2025-07-12,22:00,23:00,{}\n"
NAME = "lineup.csv"
RANK = b'{"popularity_is": "rank"}'
UNTOLD = b'{"columns": {"Popularity": null}}'


class TimedWriter(Writer):
    """Looks at the time before each row, as the real one does before each request.

    It may be stopped before that, and between its look and the sending.
    """

    def __init__(self, town, source, deadline):
        super().__init__(town, source)
        self.deadline, self._left = deadline, []

    def put(self, rows):
        for row in rows:
            self._town.tick()
            if self.stopped or self._town.now >= self.deadline:
                self.stopped = "the time for writing ran out"
                self._left.append(row)
                continue
            self._town.tick()
            self._town.store.items[row.key] = to_item(row, source=self._source)
            self._town.tick()

    def flush(self):
        return WriteOutcome((), tuple(self._left), self.stopped, 0, 0, 0)


class Village(Town):
    """A town where a person ingests, too."""

    def upload(self, text, name=NAME):
        return self.store.put(UPLOADS, name, (HEAD + text).encode())

    def map(self, mapping):
        self.store.put(UPLOADS, NAME + SIDECAR, mapping)

    def by_hand(self, *, again=False):
        """`festival ingest s3://…`, with a short lease that is renewed."""
        resources = Resources(
            s3=self.clients.s3,
            ledger=self.ledger,
            open_writer=lambda source, deadline: TimedWriter(self, source, deadline),
            reports=Reports(self.clients.s3, REPORTS),
            clock=self.clock,
        )
        kit.ingest_object(
            Ingestor(resources), FileEvent(UPLOADS, NAME), again=again, sleep=self.sleep
        )

    def sleep(self, seconds):
        self.now += seconds

    def popularities(self):
        return {
            item["Performer"]["S"]: int(item["Popularity"]["N"]) if "Popularity" in item else None
            for item in self.store.items.values()
        }


def a_newer_version(village):
    village.upload(BJORK.format(30) + SAULT.format(31))
    village.by_hand()
    return {"Björk": 30, "Sault": 31}


def a_mapping(village):
    village.map(RANK)
    village.by_hand()
    return {"Björk": 81, "Sault": 80}


def another_mapping_and_back(village):
    village.map(UNTOLD)
    village.by_hand()
    village.store.delete(UPLOADS, NAME + SIDECAR)
    village.by_hand()
    return {"Björk": 20, "Sault": 21}


def an_undo(village):
    newest = village.store.objects[UPLOADS, NAME][-1].id
    village.store.delete_version(UPLOADS, NAME, newest)
    village.by_hand()
    return {"Björk": 10, "Sault": 11}


def the_same_again(village):
    village.by_hand(again=True)
    return {"Björk": 20, "Sault": 21}


MEANWHILE = (a_newer_version, a_mapping, another_mapping_and_back, an_undo, the_same_again)


@pytest.fixture(scope="module")
def line():
    return Line()


def wrong_after_a_stop(line, meanwhile):
    """Each call at which a stop leaves something else in the table than S3 says, with what."""
    wrong, nth, stopped = [], 0, True
    while stopped:
        nth += 1
        village = two_versions(line)
        expected = {}
        stopped, _ = village.sleeps_at(
            nth, village.by_hand, partial(do, meanwhile, village, expected)
        )
        if stopped and village.popularities() != expected:
            wrong.append((nth, village.popularities()))
    assert nth > 20
    return wrong


def do(meanwhile, village, expected):
    expected.update(meanwhile(village))


def two_versions(line):
    """The older one is in the table, the newer one in the bucket."""
    village = Village(line)
    village.upload(BJORK.format(10) + SAULT.format(11))
    village.by_hand()
    village.upload(BJORK.format(20) + SAULT.format(21))
    return village


@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=lambda meanwhile: meanwhile.__name__)
def test_an_ingest_that_was_stopped_spoils_nothing_that_came_meanwhile(line, meanwhile):
    assert wrong_after_a_stop(line, meanwhile) == []


@pytest.mark.parametrize("meanwhile", MEANWHILE, ids=lambda meanwhile: meanwhile.__name__)
def test_what_a_killed_ingest_left_is_put_right_by_the_next(line, meanwhile):
    for nth in itertools.count(1):
        village = two_versions(line)
        died = village.dies_at(nth, village.by_hand)
        expected = meanwhile(village)
        assert village.popularities() == expected, nth
        if not died:
            break


# Bugs to be sown: each has to be noticed.


def a_clock_that_stands_still(patch):
    """Time as CLOCK_MONOTONIC has it: the sleep is not part of it."""
    patch.setattr(Attempt, "_until", lambda self, seconds: float("inf"))
    patch.setattr(Attempt, "may_have_written_late", False)
    patch.setattr(TimedWriter, "put", Writer.put)


def nobody_asks_whether_rows_came_late(patch):
    """What was sent between the look at the lease and its end stays in the table."""
    patch.setattr(Attempt, "may_have_written_late", False)


@pytest.mark.parametrize(
    "sow",
    [
        a_clock_that_stands_still,
        nobody_asks_whether_rows_came_late,
        done_whatever_the_table_has_now,
    ],
    ids=lambda sow: sow.__name__,
)
def test_a_bug_is_noticed(line, monkeypatch, sow):
    sow(monkeypatch)
    assert any(wrong_after_a_stop(line, meanwhile) for meanwhile in MEANWHILE)
