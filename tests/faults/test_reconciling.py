"""Reconciling among faults: the right items go, the others stay, whenever a process ends."""

import itertools
from random import Random
from types import SimpleNamespace

import pytest

from festival.errors import RetryableError
from festival.ingest.attempt import Budget, Ingestor
from festival.ingest.events import FileEvent
from festival.ingest.ledger.leases import LeaseHeldError, LeaseLostError
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.reconcile import reconciler
from festival.ingest.reconcile.items import Items
from festival.ingest.reconcile.on_upload import OnUpload
from festival.ingest.reconcile.reconciler import NotReconcilableError, Reconciler
from festival.ingest.reports_bucket import KeyLists, Reports, corrected_name
from festival.ingest.resources import Resources
from festival.table.item import to_item
from festival.table.writer import WriteOutcome

from .people import UPLOADS
from .reconciling import Line, let_the_function_reconcile, reconciling_store, stale_items
from .schedules import run_schedule
from .world import REPORTS

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
    """A mailer that keeps what it was to send; it fails so many times before."""

    def __init__(self, fails=0):
        self.fails, self.notes = fails, []

    def send(self, report, note="", until=0.0, **more):
        self.fails -= 1
        if self.fails >= 0:
            raise RetryableError("SNS throttles")
        self.notes.append(note)
        return f"mail-{len(self.notes)}"


class Town:
    """A store, its clock, and the power, which can be cut at the nth call."""

    def __init__(self, line):
        self.store, self.now = reconciling_store(), 1_752_300_000.0
        self.left, self.calls, self.at_nth = -1, 0, self.cut_the_power
        line.store, line.tick, self.clients = self.store, self.tick, line.clients
        self.ledger = Ledger(self.clients.dynamodb, "ledger", now=self.clock)
        lists = KeyLists(self.clients.s3, REPORTS)
        items = Items(self.clients.dynamodb, "performances", self.ledger.leases)
        self.reconciler = Reconciler(self.clients.s3, self.ledger, lists, items)

    def clock(self):
        self.now += 0.01
        return self.now

    def tick(self):
        self.calls += 1
        self.left -= 1
        if self.left == 0:
            self.at_nth()

    def cut_the_power(self):
        raise PowerCutError

    def upload(self, text, name="lineup.csv"):
        return self.store.put(UPLOADS, name, (HEAD + text).encode())

    def ingested(self, *texts, name="lineup.csv"):
        """Versions of a file, each uploaded and ingested before the next."""
        for text in texts:
            self.upload(text, name)
            self.ingest(name)

    def ingest(self, name="lineup.csv", version="", on_upload=None, mailer=None, *, again=False):
        resources = Resources(
            s3=self.clients.s3,
            ledger=self.ledger,
            open_writer=lambda source, deadline: Writer(self, source),
            reports=Reports(self.clients.s3, REPORTS),
            mailer=mailer,
            on_upload=on_upload,
            clock=lambda: self.now,
        )
        budget = Budget.of_invocation(300)
        return Ingestor(resources).ingest(
            FileEvent(UPLOADS, name, version), f"try {self.calls}", budget, again=again
        )

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

    def sleeps_at(self, nth, work, meanwhile):
        """Some work is stopped at its nth call (Ctrl-Z, a closed lid, a call carried out late).

        Meanwhile its lease lapses and something else happens; then it goes on. Whether it was
        stopped at all, and what it raised.
        """
        stopped = False

        def stop():
            nonlocal stopped
            stopped = True
            self.now += 1000
            meanwhile()

        self.left, self.at_nth = nth, stop
        try:
            work()
        except (LeaseLostError, NotReconcilableError, RetryableError) as error:
            return stopped, error
        finally:
            self.left, self.at_nth = -1, self.cut_the_power
        return stopped, None

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
def town(line):
    return Town(line)


@pytest.fixture
def one_item_a_step(monkeypatch):
    monkeypatch.setattr(reconciler, "ITEMS_A_STEP", 1)
    monkeypatch.setattr("festival.ingest.reconcile.reconciler.FILES_AT_ONCE", 1)


class TestVersions:
    def test_what_two_versions_ago_left_behind_goes_as_well(self, town):
        town.ingested(BJORK, SAULT, SONS)
        assert town.reconcile()[1].removed == 2
        assert town.table() == {("Sons", "17:00", "18:00", "lineup.csv")}

    def test_versions_before_the_last_reconciling_are_not_looked_at_again(self, town):
        town.ingested(BJORK + SAULT, BJORK)
        town.reconcile()
        town.ingested(BJORK + SONS)
        review = town.reconciler.review(f"{UPLOADS}/lineup.csv")
        assert len(review.versions.older) == 1
        assert [each.performance.performer for each in review.comparison.changes] == ["Sons"]

    def test_rows_of_a_version_that_was_killed_and_overtaken_go_as_well(self, town):
        town.ingested(BJORK)
        town.upload(BJORK + SAULT + SONS)
        nth = 0
        while ("Sault", "22:00", "23:00", "lineup.csv") not in town.table():
            nth += 1
            town.dies_at(nth, town.ingest)
        town.ingested(BJORK)
        assert town.reconcile()[1].removed >= 1
        assert town.table() == {("Björk", "20:00", "21:15", "lineup.csv")}

    def test_another_mapping_of_the_same_object_is_another_version(self, town):
        night = "Vantablack Disco,Main,2025-07-12,01:00,02:30\n"
        town.ingested(night)
        mapping = b'{"day_starts_at": "06:00", "date_is": "festival_day"}'
        town.store.put(UPLOADS, "lineup.csv.mapping.json", mapping)
        town.ingest()
        review, removal = town.reconcile()
        assert [(change.old.clock, change.new.clock) for change in review.comparison.changes] == [
            ("01:00", "25:00")
        ]
        assert removal.removed == 1
        assert town.table() == {("Vantablack Disco", "01:00", "02:30", "lineup.csv")}

    @pytest.mark.parametrize("reconciled", [0, 1, 2])
    def test_a_mapping_that_goes_and_returns_leaves_nothing_of_the_one_between(
        self, town, reconciled
    ):
        """Whichever of the two readings before was reconciled; and a later version finds all."""
        night = "Vantablack Disco,Main,2025-07-12,01:00,02:30\n"
        mapping = b'{"day_starts_at": "06:00", "date_is": "festival_day"}'
        town.ingested(SONS, BJORK + night)
        if reconciled == 1:
            town.reconcile()
        town.store.put(UPLOADS, "lineup.csv.mapping.json", mapping)
        town.ingest()
        if reconciled == 2:
            town.reconcile()
        town.store.delete(UPLOADS, "lineup.csv.mapping.json")
        town.ingest(again=True)
        if reconciled:
            town.reconcile()
            assert len(town.store.items) == 2
        town.ingested(BJORK)
        town.reconcile()
        assert [key[0] for key in town.store.items] == ["Björk"]

    def test_what_was_between_a_reconciled_version_and_its_return_goes_later_too(self, town):
        town.ingested(SONS, BJORK)
        town.reconcile()
        between = town.upload(BJORK + SAULT)
        town.ingest()
        town.store.delete_version(UPLOADS, "lineup.csv", between)
        town.ingest(again=True)
        town.ingested(BJORK_LATER)
        assert town.reconcile()[1].removed == 2
        assert town.table() == {("Björk", "21:00", "22:15", "lineup.csv")}

    def test_a_version_that_an_undo_in_s3_brought_back_is_reconciled_anew(self, town):
        town.ingested(SONS, BJORK)
        town.reconcile()
        newer = town.upload(SAULT)
        town.ingest()
        town.reconcile()
        town.store.delete_version(UPLOADS, "lineup.csv", newer)
        town.ingest(again=True)
        assert town.reconcile()[1].removed == 1
        assert town.table() == {("Björk", "20:00", "21:15", "lineup.csv")}


class TestOtherFiles:
    def test_what_another_file_only_had_in_an_older_version_goes(self, town):
        town.ingested(BJORK + SONS, SONS, name="evening.csv")
        town.ingested(BJORK + SAULT, SAULT)
        assert town.reconcile()[1].removed == 1

    def test_another_file_whose_newest_version_failed_counts_with_all_it_had(self, town):
        town.ingested(BJORK_LONGER, "", name="evening.csv")
        town.ingested(BJORK + SAULT, SAULT)
        assert town.reconcile()[1].kept == 1
        assert ("Björk", "20:00", "21:30", "evening.csv") in town.table()

    def test_but_not_with_what_it_had_before_it_was_last_reconciled(self, town):
        town.ingested(BJORK_LONGER + SONS, SONS, name="evening.csv")
        town.reconcile("evening.csv")
        town.ingested("", name="evening.csv")
        town.ingested(BJORK + SAULT, SAULT)
        assert town.reconcile()[1].removed == 1

    def test_of_two_other_files_the_one_ingested_last_gets_the_item(self, town):
        town.ingested(BJORK_LONGER, name="a late correction.csv")
        town.ingested(BJORK.replace("21:15", "21:00"), name="evening.csv")
        town.ingested(BJORK + SAULT, SAULT)
        town.reconcile()
        assert ("Björk", "20:00", "21:00", "evening.csv") in town.table()

    def test_what_came_from_a_file_on_somebody_s_machine_is_not_touched(self, town):
        town.ingested(BJORK + SAULT, SAULT)
        (item,) = [each for each in town.store.items.values() if each["EndTime"]["S"] == "21:15"]
        item["Source"] = {"S": "late addition.csv"}  # without a list: it did not come by S3
        assert town.reconcile()[1].kept == 1
        assert len(town.table()) == 2

    def test_one_that_is_being_ingested_is_waited_for(self, town):
        town.ingested(BJORK_LONGER, name="evening.csv")
        town.ingested(BJORK + SAULT, SAULT)
        held = town.ledger.leases.acquire(f"{UPLOADS}/evening.csv", "an ingest", 60)
        with pytest.raises(LeaseHeldError, match=r"evening\.csv"):
            town.reconcile()
        assert ("Björk", "20:00", "21:15", "lineup.csv") in town.table()
        town.ledger.leases.release(held)
        assert town.reconcile()[1].kept == 1

    def test_lists_of_other_dates_are_not_read(self, town, monkeypatch):
        town.ingested(BJORK.replace("2025-07", "1999-08"), name="long ago.csv")
        town.ingested(BJORK + SAULT, SAULT)
        read, keep = [], KeyLists._lines

        def noted(self, part):
            read.append(part.key)
            return keep(self, part)

        monkeypatch.setattr(KeyLists, "_lines", noted)
        town.reconcile()
        assert len(read) == 2  # the file's own


class TestRefusals:
    def test_a_file_that_is_being_ingested(self, town):
        town.ingested(BJORK, SAULT)
        town.ledger.leases.acquire(f"{UPLOADS}/lineup.csv", "the function", 60)
        with pytest.raises(LeaseHeldError, match="the function"):
            town.reconcile()

    def test_a_newer_version_that_is_not_ingested_yet(self, town):
        town.ingested(BJORK + SAULT, BJORK)
        town.upload(SAULT)
        with pytest.raises(NotReconcilableError, match="was ingested last"):
            town.reconcile()
        assert len(town.table()) == 2

    def test_a_newest_version_that_failed(self, town):
        town.ingested(BJORK + SAULT, "")
        with pytest.raises(NotReconcilableError, match="not completely in the table"):
            town.reconcile()
        assert len(town.table()) == 2

    def test_a_file_that_was_deleted_from_its_bucket(self, town):
        town.ingested(BJORK + SAULT, BJORK)
        town.store.delete(UPLOADS, "lineup.csv")
        with pytest.raises(NotReconcilableError, match="deleted"):
            town.reconcile()
        assert len(town.table()) == 2

    def test_a_file_that_nobody_knows(self, town):
        with pytest.raises(NotReconcilableError, match="does not know"):
            town.reconcile("never.csv")

    def test_corrections_never_remove_anything_not_even_their_own(self, town):
        corrections = corrected_name("lineup.csv", "v1")
        town.ingested(BJORK, SAULT, name=corrections)
        with pytest.raises(NotReconcilableError, match="only ever add"):
            town.reconcile(corrections)
        assert len(town.table()) == 2


class TestTries:
    def test_a_try_whose_time_is_over_is_gone_on_with(self, town, one_item_a_step):
        town.ingested(BJORK + SAULT + SONS, BJORK_LATER)
        file = f"{UPLOADS}/lineup.csv"
        lease, review = town.ledger.leases.acquire(file, "me", 60), town.reconciler.review(file)
        town.ledger.adopt(lease, review.version)
        steps = iter(range(3))

        def step():
            if next(steps, None) is None:
                raise RetryableError("time is over")

        with pytest.raises(RetryableError, match="time is over"):
            town.reconciler.remove(review, lease, step)
        assert 1 < len(town.table()) < 4
        removal = town.reconciler.remove(review, lease, lambda: None)
        assert (removal.removed, removal.gone) == (3, 0)
        assert len(town.table()) == 1

    def test_a_long_reconciling_keeps_its_lease(self, town, line, one_item_a_step):
        town.ingested(BJORK + SAULT + SONS, BJORK_LATER)

        def seconds_pass():
            town.now += 5
            until = town.store.entries["HEAD", f"{UPLOADS}/lineup.csv"]["LeaseUntil"]["N"]
            assert float(until) == 0 or float(until) > town.now

        began, line.tick = town.now, seconds_pass
        assert town.reconcile()[1].removed == 3
        assert town.now - began > reconciler.LEASE_SECONDS

    def test_a_mail_that_could_not_be_sent_says_the_same_at_the_next_try(self, town):
        post = Post(fails=1)
        town.ingested(BJORK + SAULT)
        town.upload(BJORK)
        on_upload = OnUpload(town.reconciler, 50)
        with pytest.raises(RetryableError, match="throttles"):
            town.ingest(on_upload=on_upload, mailer=post)
        assert len(town.table()) == 1
        town.ingest(on_upload=on_upload, mailer=post)
        assert [note.splitlines()[0] for note in post.notes] == [
            "Removed: 1 performance that the previous version had and this one does not have "
            "(0 moved, 1 cancelled)."
        ]

    @pytest.mark.parametrize(("percent", "left"), [(49, 2), (50, 1)])
    def test_the_guard_is_asked_before_anything_goes(self, town, percent, left):
        post = Post()
        town.ingested(BJORK + SAULT)
        town.upload(BJORK)
        town.ingest(on_upload=OnUpload(town.reconciler, percent), mailer=post)
        assert len(town.table()) == left
        assert ("1 of 2 performances would go" in post.notes[0]) == (left == 2)

    def test_an_older_version_s_late_mail_reconciles_nothing(self, town):
        post = Post(fails=1)
        on_upload = OnUpload(town.reconciler, 100)
        town.ingested(BJORK + SAULT)
        first = town.upload(SAULT)
        with pytest.raises(RetryableError):
            town.ingest(on_upload=None, mailer=post)
        town.ingested(BJORK)
        town.ingest(version=first, on_upload=on_upload, mailer=post)
        assert post.notes == [""]
        assert len(town.table()) == 2


@pytest.mark.usefixtures("one_item_a_step")
def test_a_reconciling_that_ends_at_any_call_is_finished_by_the_next(line):
    for nth in itertools.count(1):
        town = Town(line)
        town.ingested(BJORK_LONGER, name="evening.csv")
        town.ingested(BJORK + SAULT + SONS, SONS)
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
def test_a_reconciling_stopped_at_any_call_takes_nothing_from_a_version_that_came_meanwhile(line):
    """Ctrl-Z, a closed lid, a call that is carried out late: whatever lets its lease lapse."""
    for nth in itertools.count(1):
        town = Town(line)
        town.ingested(BJORK_LONGER, name="evening.csv")
        town.ingested(BJORK + SAULT + SONS, SONS)
        town.reconcile(name="evening.csv")
        stopped, _ = town.sleeps_at(
            nth, town.reconcile, lambda town=town: town.ingested(BJORK + SAULT)
        )
        if not stopped:
            break
        assert {
            ("Björk", "20:00", "21:15", "lineup.csv"),
            ("Sault", "22:00", "23:00", "lineup.csv"),
        } <= town.table(), nth
        town.reconcile()
        assert town.table() == {
            ("Björk", "20:00", "21:15", "lineup.csv"),
            ("Sault", "22:00", "23:00", "lineup.csv"),
        }, nth
    assert nth > 40


@pytest.mark.usefixtures("one_item_a_step")
def test_nor_gives_an_item_to_a_file_that_gave_it_up_meanwhile(line):
    for nth in itertools.count(1):
        town = Town(line)
        town.ingested(BJORK_LONGER + SAULT, name="evening.csv")
        town.ingested(BJORK + SONS, SONS)

        def meanwhile(town=town):
            town.ingested(SAULT, name="evening.csv")
            town.reconcile("evening.csv")

        stopped, _ = town.sleeps_at(nth, town.reconcile, meanwhile)
        if not stopped:
            break
        town.reconcile()
        assert town.table() == {
            ("Sault", "22:00", "23:00", "evening.csv"),
            ("Sons", "17:00", "18:00", "lineup.csv"),
        }, nth
    assert nth > 30


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
