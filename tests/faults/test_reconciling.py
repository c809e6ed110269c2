"""Reconciling among faults: the right items go, the others stay, whenever a process ends."""

import itertools
from random import Random
from types import SimpleNamespace

import pytest

from festival.errors import RetryableError
from festival.ingest import reconcile_files
from festival.ingest.attempt import Means
from festival.ingest.budget import Budget
from festival.ingest.events import FileEvent
from festival.ingest.kept import Reports
from festival.ingest.key_lists import KeyLists
from festival.ingest.leases import LeaseHeldError
from festival.ingest.ledger import Ledger
from festival.ingest.reconcile_files import NotReconcilableError, Reconciler
from festival.ingest.reconcile_items import Items
from festival.ingest.reconcile_upload import OnUpload
from festival.ingest.service import Ingestor
from festival.table.item import to_item
from festival.table.writer import WriteOutcome

from .reconciling import Line, let_the_function_reconcile, reconciling_store, stale_items
from .schedules import run_schedule
from .world import REPORTS, UPLOADS

HEAD = "Performer,Stage,Date,Start,End\n"
BJORK, BJORK_LATER = "Björk,Main,2025-07-12,20:00,21:15\n", "Björk,Main,2025-07-12,21:00,22:15\n"
BJORK_LONGER = "Björk,Main,2025-07-12,20:00,21:30\n"
SAULT, SONS = "Sault,Main,2025-07-12,22:00,23:00\n", "Sons,Tent,2025-07-13,17:00,18:00\n"


class PowerCutError(BaseException):
    """The process ends here: no `except` of the code sees it."""


class Writer:
    """Stores what it is given at once; a power cut may come behind every row."""

    deadline, stopped = 0.0, ""

    def __init__(self, town, source):
        self._town, self._source = town, source

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def put(self, rows):
        for row in rows:
            self._town.tick()
            self._town.store.items[row.key] = to_item(row, source=self._source)
            self._town.tick()

    def flush(self):
        return WriteOutcome((), (), "", 0, 0, 0)


class Post:
    def __init__(self):
        self.notes = []

    def send(self, report, note=""):
        self.notes.append(note)
        return f"mail-{len(self.notes)}"


class Town:
    """A store, its clock, and the power, which can be cut at the nth call."""

    def __init__(self, line):
        self.store, self.now = reconciling_store(), 1_752_300_000.0
        self.left, self.calls = -1, 0
        line.store, line.tick, self.clients = self.store, self.tick, line.clients
        self.ledger = Ledger(self.clients.dynamodb, "ledger", now=self.clock)
        lists = KeyLists(self.clients.s3, REPORTS)
        items = Items(self.clients.dynamodb, "performances")
        self.reconciler = Reconciler(self.clients.s3, self.ledger, lists, items)

    def clock(self):
        self.now += 0.01
        return self.now

    def tick(self):
        self.calls += 1
        self.left -= 1
        if self.left == 0:
            raise PowerCutError

    def upload(self, text, name="lineup.csv"):
        return self.store.put(UPLOADS, name, (HEAD + text).encode())

    def ingest(self, name="lineup.csv", on_upload=None, mailer=None):
        means = Means(
            s3=self.clients.s3,
            ledger=self.ledger,
            open_writer=lambda source, deadline: Writer(self, source),
            reports=Reports(self.clients.s3, REPORTS),
            mailer=mailer,
            on_upload=on_upload,
            monotonic=lambda: self.now,
        )
        budget = Budget.of_invocation(300)
        return Ingestor(means).ingest(FileEvent(UPLOADS, name), f"try {self.calls}", budget)

    def reconcile(self, name="lineup.csv"):
        return self.reconciler.reconcile(f"{UPLOADS}/{name}", f"try {self.calls}")

    def dies_at(self, nth, work):
        """Whether the power was cut at the nth call of some work; leases lapse after it."""
        self.left = nth
        try:
            work()
        except PowerCutError:
            self.now += 1000
            return True
        finally:
            self.left = -1
        return False

    def table(self):
        """Who begins when and ends when, of which file."""
        return {
            (
                item["Performer"]["S"],
                item["StartTime"]["S"],
                item["EndTime"]["S"],
                item["Source"]["S"].partition("/")[2],
            )
            for item in self.store.items.values()
        }


@pytest.fixture(scope="module")
def line():
    return Line()


@pytest.fixture
def one_item_a_step(monkeypatch):
    monkeypatch.setattr(reconcile_files, "ITEMS_A_STEP", 1)
    monkeypatch.setattr("festival.ingest.reconcile_others.LOOKS_AT_ONCE", 1)


@pytest.mark.usefixtures("one_item_a_step")
def test_a_reconciling_that_ends_at_any_call_is_finished_by_the_next(line):
    for nth in itertools.count(1):
        town = Town(line)
        town.upload(BJORK_LONGER, "evening.csv")
        town.ingest("evening.csv")
        for text in (BJORK + SAULT + SONS, SONS):
            town.upload(text)
            town.ingest()
        died = town.dies_at(nth, town.reconcile)
        town.reconcile()
        assert town.table() == {
            ("Björk", "20:00", "21:30", "evening.csv"),
            ("Sons", "17:00", "18:00", "lineup.csv"),
        }, nth
        if not died:
            break
    assert nth > 40


@pytest.mark.usefixtures("one_item_a_step")
def test_the_mail_says_the_same_whenever_the_function_ended(line):
    note = ""
    for nth in itertools.count(1):
        town, post = Town(line), Post()
        on_upload = OnUpload(town.reconciler, 70)
        town.upload(BJORK + SAULT + SONS)
        town.ingest()
        town.upload(BJORK_LATER + SONS)

        def work(town=town, on_upload=on_upload, post=post):
            town.ingest(on_upload=on_upload, mailer=post)

        died = town.dies_at(nth, work)
        work()
        note = note or post.notes[0]
        assert set(post.notes) == {note}, nth
        assert town.table() == {
            ("Björk", "21:00", "22:15", "lineup.csv"),
            ("Sons", "17:00", "18:00", "lineup.csv"),
        }, nth
        if not died:
            break
    assert nth > 60
    assert note.startswith("Removed: 2 performances")


@pytest.mark.parametrize("seed", range(60))
def test_after_everything_was_reconciled_the_table_has_what_the_newest_versions_have(line, seed):
    """Uploads, ingests and reconcilings of three files in any order, with the power cut at will."""
    random, town = Random(seed), Town(line)
    names = ("friday.csv", "saturday.csv", "friday.corrected.csv")
    for _ in range(random.randint(3, 14)):
        name = random.choice(names)
        work = SimpleNamespace(do=lambda name=name: town.reconcile(name))
        if random.random() < 0.6:
            town.upload(lineup(random), name)
            work.do = lambda name=name: town.ingest(name)
        try:
            town.dies_at(random.choice((-1, random.randint(1, 80))), work.do)
        except (NotReconcilableError, LeaseHeldError, RetryableError):
            continue
    there = [name for name in names if (UPLOADS, name) in town.store.objects]
    for name in random.sample(there, len(there)):
        town.ingest(name)
    for name in random.sample(there, len(there)):
        town.reconcile(name)
    assert town.table() == wanted(town, there), seed


def lineup(random):
    """A few of few performances, so that files and versions share keys; never none."""
    rows = [
        f"{performer},Main,2025-07-{day},{start}:00,{start + 1}:{random.choice(('00', '15'))}\n"
        for performer in ("Björk", "Sault")
        for day in (11, 12)
        for start in (18, 20)
        if random.random() < 0.4
    ]
    return "".join(rows) or SONS


def wanted(town, names):
    """Of each key the values of the file that was ingested last of those that have it now."""
    records = {
        name: town.ledger.find(
            f"{UPLOADS}/{name}", town.ledger.reconciliations.head(f"{UPLOADS}/{name}").current
        )
        for name in names
    }
    found = {}
    for name in sorted(names, key=lambda name: records[name].finished_at):
        body = town.store.objects[UPLOADS, name][-1].body.decode()
        for line in body.removeprefix(HEAD).splitlines():
            performer, stage, date, start, end = line.split(",")
            found[performer, stage, date, start] = (performer, start, end, name)
    return set(found.values())


@pytest.mark.parametrize("seed", range(12))
def test_a_function_that_reconciles_loses_nothing_under_faults(seed, ports, monkeypatch):
    let_the_function_reconcile(monkeypatch)
    result = run_schedule(f"reconciling {seed}", ports, reconciling_store)
    assert result.findings == []
    assert stale_items(result.world) == []
