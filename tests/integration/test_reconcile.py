"""Old items go, and nothing else: versions of lineups reconciled on the embedded AWS."""

import itertools
import json
import os
import subprocess
import time
from dataclasses import replace
from datetime import date, timedelta

import pytest

from festival.cli.main import run
from festival.embedded.aws import REGION, EmbeddedAws
from festival.errors import RetryableError
from festival.ingest.attempt import Budget, Ingestor
from festival.ingest.clients import Clients
from festival.ingest.events import FileEvent
from festival.ingest.ledger.reconciliations import Removal
from festival.ingest.reconcile.compare import ChangeKind
from festival.ingest.reconcile.on_upload import OnUpload
from festival.ingest.reconcile.reconciler import Reconciler
from festival.ingest.reports_bucket import Reports, corrected_name
from festival.ingest.resources import Resources, writer_opener
from festival.kit import ingest_object, new_owner

QUIET = "a-bucket-that-tells-no-queue"
DAYS = ((date(2025, 6, 1) + timedelta(days=n)).isoformat() for n in itertools.count())
HEAD = "Performer,Stage,Date,Start,End"
BJORK, SAULT = "Björk,Main,{},20:00,21:15", "Sault,Main,{},22:00,23:00"
SONS = "Sons,Tent,{},17:00,18:00"
BJORK_LATER = "Björk,Main,{},21:00,22:15"
BJORK_LONGER = "Björk,Main,{},20:00,21:30"


class Post:
    """A mailer that keeps what it was to send."""

    def __init__(self):
        self.notes = []

    def send(self, report, note="", until=0.0, **more):
        self.notes.append(note)
        return f"mail-{len(self.notes)}"


class Kit:
    """The stack, and one day of its own for each test, so that no test sees another's keys."""

    def __init__(self, aws, clients, outputs):
        self.aws, self.clients, self.outputs = aws, clients, outputs
        self.bucket, self.day = QUIET, next(DAYS)
        self.reconciler = Reconciler.of(
            self.clients,
            table=outputs.table,
            ledger_table=outputs.ledger_table,
            reports_bucket=outputs.reports_bucket,
        )
        self.ledger = self.reconciler.ledger

    def file(self, name="lineup.csv"):
        return f"{self.bucket}/{self.day}/{name}"

    def put(self, *rows, name="lineup.csv"):
        text = "\n".join([HEAD, *rows]).format(*[self.day] * len(rows))
        key = f"{self.day}/{name}"
        answer = self.clients.s3.put_object(Bucket=self.bucket, Key=key, Body=text.encode())
        return answer["VersionId"]

    def ingest(self, *rows, name="lineup.csv", **resources):
        """Upload the rows, and ingest them from this process."""
        version = self.put(*rows, name=name)
        return self.go_on(name=name, version=version, **resources)

    def go_on(self, *, name="lineup.csv", version="", **resources):
        event = self.event(name, version)
        return ingest_object(self.ingestor(**resources), event, sleep=lambda _: None)

    def event(self, name, version=""):
        return FileEvent(self.bucket, f"{self.day}/{name}", version)

    def ingestor(self, **resources):
        made = {
            "s3": self.clients.s3,
            "ledger": self.ledger,
            "open_writer": writer_opener(self.clients.dynamodb, self.outputs.table, time.time),
            "reports": Reports(self.clients.s3, self.outputs.reports_bucket),
        }
        return Ingestor(Resources(**{**made, **resources}))

    def reconcile(self, name="lineup.csv"):
        return self.reconciler.reconcile(self.file(name), new_owner())

    def items(self):
        """The day's items: who starts when, until when, and of which file."""
        found = self.clients.dynamodb.scan(TableName=self.outputs.table, ConsistentRead=True)
        return sorted(
            (i["Performer"]["S"], i["StartTime"]["S"], i["EndTime"]["S"], name_of(i))
            for i in found["Items"]
            if i["Date"]["S"] == self.day
        )


def name_of(item):
    return item["Source"]["S"].rpartition("/")[2]


@pytest.fixture(scope="module")
def aws():
    with EmbeddedAws() as embedded:
        yield embedded


@pytest.fixture(scope="module")
def outputs(aws, clients):
    region = {"LocationConstraint": REGION}
    clients.s3.create_bucket(Bucket=QUIET, CreateBucketConfiguration=region)
    clients.s3.put_bucket_versioning(Bucket=QUIET, VersioningConfiguration={"Status": "Enabled"})
    return aws.deploy(ReconcileOnUpload="yes", ReconcileGuardPercent="50")


@pytest.fixture(scope="module")
def clients(aws):
    return Clients.of_environment()


@pytest.fixture
def kit(aws, clients, outputs):
    return Kit(aws, clients, outputs)


class TestReconcile:
    def test_what_the_newest_version_has_not_goes_and_the_rest_stays(self, kit):
        kit.ingest(BJORK, SAULT, SONS)
        kit.ingest(BJORK_LATER, SONS)
        assert len(kit.items()) == 4
        review, removal = kit.reconcile()
        assert [change.kind for change in review.comparison.changes] == [
            ChangeKind.MOVED,
            ChangeKind.CANCELLED,
        ]
        assert (removal.removed, removal.gone, removal.kept) == (2, 0, 0)
        assert kit.items() == [
            ("Björk", "21:00", "22:15", "lineup.csv"),
            ("Sons", "17:00", "18:00", "lineup.csv"),
        ]

    def test_looking_changes_nothing(self, kit):
        kit.ingest(BJORK, SAULT)
        kit.ingest(BJORK)
        before = kit.items()
        review = kit.reconciler.review(kit.file())
        assert kit.reconciler.removable(review) == Removal(removed=1)
        assert kit.items() == before
        assert not kit.reconciler.review(kit.file()).versions.is_reconciled

    def test_a_second_time_nothing_is_left_to_do(self, kit):
        kit.ingest(BJORK, SAULT)
        kit.ingest(BJORK)
        kit.reconcile()
        review, removal = kit.reconcile()
        assert review.versions.is_reconciled
        assert review.stale == ()
        assert removal == Removal()

    def test_the_ledger_knows(self, kit):
        kit.ingest(BJORK, SAULT)
        kit.ingest(BJORK)
        kit.reconcile()
        first, second = kit.ledger.history(kit.file())
        assert (first.reconciled_at, second.reconciled_at != "", second.removed) == ("", True, 1)


class TestOtherFiles:
    def test_what_another_file_has_too_is_given_its_values(self, kit):
        kit.ingest(BJORK_LONGER, name="evening.csv")
        kit.ingest(BJORK, SAULT)
        kit.ingest(SAULT)
        review = kit.reconciler.review(kit.file())
        assert kit.reconciler.removable(review) == Removal(kept=1)
        assert kit.reconcile()[1].kept == 1
        assert kit.items() == [
            ("Björk", "20:00", "21:30", "evening.csv"),
            ("Sault", "22:00", "23:00", "lineup.csv"),
        ]

    def test_and_goes_when_that_file_gives_it_up_too(self, kit):
        kit.ingest(BJORK_LONGER, SONS, name="evening.csv")
        kit.ingest(BJORK, SAULT)
        kit.ingest(SAULT)
        kit.reconcile()
        kit.ingest(SONS, name="evening.csv")
        assert kit.reconcile("evening.csv")[1].removed == 1
        assert [item[0] for item in kit.items()] == ["Sault", "Sons"]

    def test_what_another_file_wrote_later_is_not_touched(self, kit):
        kit.ingest(BJORK, SAULT)
        kit.ingest(BJORK_LONGER, name="evening.csv")
        kit.ingest(SAULT)
        assert kit.reconcile()[1] == Removal(kept=1, done_to=done_to(kit, "Björk", "20:00"))
        assert kit.items()[0] == ("Björk", "20:00", "21:30", "evening.csv")

    def test_corrections_of_rejected_rows_stay_when_the_file_gives_them_up(self, kit):
        kit.ingest(BJORK, SAULT)
        version = kit.ingest("Björk,Main,{},TBA,TBA", SAULT).version
        corrections = corrected_name("lineup.csv", version)
        kit.ingest(BJORK_LONGER, name=corrections)
        kit.reconcile()
        assert kit.items() == [
            ("Björk", "20:00", "21:30", corrections),
            ("Sault", "22:00", "23:00", "lineup.csv"),
        ]


def done_to(kit, performer, clock):
    return (performer, f"{kit.day}#{clock}#Main")


class TestOnUpload:
    """The function itself, as deployed: ReconcileOnUpload=yes, ReconcileGuardPercent=50."""

    def mail(self, kit, *rows, name="lineup.csv"):
        kit.bucket = kit.outputs.upload_bucket
        before = len(kit.aws.emails())
        kit.put(*rows, name=name)
        assert kit.aws.drain().left == 0
        (mail,) = kit.aws.emails()[before:]
        return mail.body

    def test_the_first_version_says_nothing_of_it(self, kit):
        body = self.mail(kit, BJORK, SAULT)
        assert "Removed" not in body
        assert "reconcile" not in body

    def test_the_second_removes_what_it_has_not_and_says_so(self, kit):
        self.mail(kit, BJORK, SAULT, SONS)
        body = self.mail(kit, BJORK_LATER, SAULT, SONS)
        assert "Removed: 1 performance that" in body
        assert f"moved Björk: {kit.day} 20:00-21:15 Main -> {kit.day} 21:00-22:15 Main" in body
        assert [item[:2] for item in kit.items()] == [
            ("Björk", "21:00"),
            ("Sault", "22:00"),
            ("Sons", "17:00"),
        ]

    def test_past_the_guard_nothing_goes_and_the_mail_says_how_a_person_does_it(self, kit):
        self.mail(kit, BJORK, SAULT, SONS)
        body = self.mail(kit, SONS)
        assert "2 of 3 performances would go" in body
        assert f"`festival reconcile` with s3://{kit.file()}" in body
        assert len(kit.items()) == 3
        kit.reconcile()
        assert len(kit.items()) == 1

    def test_a_file_without_rows_removes_nothing_and_says_so(self, kit):
        self.mail(kit, BJORK)
        assert "are still in the table: this version is not completely in the table" in self.mail(
            kit
        )
        assert len(kit.items()) == 1

    def test_corrections_uploaded_again_remove_nothing(self, kit):
        corrections = corrected_name("lineup.csv", "v1")
        self.mail(kit, BJORK, name=corrections)
        assert "Removed" not in self.mail(kit, SAULT, name=corrections)
        assert len(kit.items()) == 2

    def test_the_last_try_mails_why_it_was_not_reconciled(self, kit):
        kit.ingest(BJORK, SAULT)
        post, gone = Post(), replace(kit.reconciler.items, table="no-such-table")
        broken = OnUpload(replace(kit.reconciler, items=gone), 50)
        with pytest.raises(RetryableError) as failed:
            kit.ingest(BJORK, mailer=post, on_upload=broken)
        assert post.notes == []
        ingestor = kit.ingestor(mailer=post, on_upload=broken)
        budget = Budget.of_invocation(60)
        ingestor.give_up(kit.event("lineup.csv"), new_owner(), budget, failed.value)
        assert "are still in the table" in post.notes[0]
        assert "no-such-table" in post.notes[0] or "ResourceNotFound" in post.notes[0]
        assert kit.ledger.history(kit.file())[-1].status == "notified"


@pytest.fixture
def festival(capsys):
    """Run a command; its exit status, standard output, and lines of standard error."""

    def call(*args):
        status = run([str(arg) for arg in args])
        printed = capsys.readouterr()
        return status, printed.out, printed.err.splitlines()

    return call


class TestCommand:
    def test_it_shows_old_and_new_times_and_removes_nothing(self, festival, kit):
        kit.ingest(BJORK, SAULT)
        kit.ingest(BJORK_LATER)
        status, out, err = festival("reconcile", f"s3://{kit.file()}")
        assert (status, err) == (0, [])
        assert f"s3://{kit.file()}: 1 moved, 1 cancelled" in out
        assert f"{kit.day} 20:00–21:15 Main  {kit.day} 21:00–22:15 Main" in out
        assert "2 items to remove: --yes removes" in out
        assert len(kit.items()) == 3

    def test_with_yes_it_removes(self, festival, kit):
        kit.ingest(BJORK, SAULT)
        kit.ingest(BJORK_LATER)
        status, out, _ = festival("reconcile", f"s3://{kit.file()}", "--yes")
        assert status == 0
        assert "2 items removed" in out
        assert len(kit.items()) == 1
        assert "reconciled on" in festival("reconcile", f"s3://{kit.file()}")[1]

    def test_json_is_one_document(self, festival, kit):
        kit.ingest(BJORK, SAULT)
        kit.ingest(BJORK_LATER)
        _, out, _ = festival("reconcile", f"s3://{kit.file()}", "--json")
        document = json.loads(out)
        assert [change["change"] for change in document["changes"]] == ["moved", "cancelled"]
        assert document["changes"][0]["new"]["StartTime"] == "21:00"
        assert document["changes"][1]["new"] is None
        assert (document["to_remove"], document["kept"], document["gone"]) == (2, 0, 0)

    def test_without_a_file_it_shows_every_file_with_something_to_do(self, festival, kit):
        kit.ingest(BJORK, name="once.csv")
        for rows in ([SAULT], [SONS]):
            kit.ingest(*rows, name="twice.csv")
        _, out, _ = festival("reconcile", "--json")
        files = [document["file"] for document in json.loads(out)]
        assert kit.file("twice.csv") in files
        assert kit.file("once.csv") not in files

    def test_a_file_with_one_version_has_nothing_to_compare(self, festival, kit):
        kit.ingest(BJORK)
        status, out, _ = festival("reconcile", f"s3://{kit.file()}")
        assert status == 0
        assert "one version" in out

    def test_a_file_that_is_being_ingested_is_for_later(self, festival, kit):
        kit.ingest(BJORK, SAULT)
        kit.ingest(BJORK)
        lease = kit.ledger.leases.acquire(kit.file(), "the function", 60)
        status, out, err = festival("reconcile", f"s3://{kit.file()}", "--yes")
        assert (status, out, len(err)) == (2, "", 1)
        assert "is being ingested by the function" in err[0]
        assert err[0].endswith("try again then")
        kit.ledger.leases.release(lease)

    def test_what_a_dead_process_left_is_gone_on_with_at_once(self, festival, kit):
        kit.ingest(BJORK, SAULT)
        kit.ingest(BJORK)
        with subprocess.Popen(["true"]) as process:
            dead = new_owner().replace(f"pid {os.getpid()}", f"pid {process.pid}")
        kit.ledger.leases.acquire(kit.file(), dead, 60)
        assert festival("reconcile", f"s3://{kit.file()}", "--yes")[0] == 0
        assert len(kit.items()) == 1

    @pytest.mark.parametrize("file", ["summer.csv", "s3://upload", "s3://upload/never.csv"])
    def test_a_mistake_is_one_line_that_names_it(self, festival, file):
        status, out, err = festival("reconcile", file)
        assert (status, out, len(err)) == (2, "", 1)
        assert file in err[0]
