"""One place turns options and environment into what everything outside the function works with."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from festival.errors import FestivalError, NotYetError, RetryableError
from festival.ingest.attempt import WrittenLateError
from festival.ingest.events import FileEvent
from festival.ingest.ledger.leases import LeaseHeldError, LeaseLostError
from festival.ingest.s3_object import NoBucketError
from festival.kit import (
    LONGEST_WAIT_SECONDS,
    TRIES,
    Kit,
    connect,
    event_of,
    ingest_object,
    is_dead,
    new_owner,
    reconcile_file,
    reconcile_files,
)
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Performance

ELSEWHERE = "another-machine pid 1 abcdef"


class TestKit:
    def test_the_table_that_is_named_goes_before_the_environments(self, monkeypatch):
        monkeypatch.setenv("FESTIVAL_TABLE", "from-environment")
        assert Kit.from_environment().table_name("named") == "named"
        assert Kit.from_environment().table_name() == "from-environment"

    def test_an_empty_stack_name_is_the_default_stack(self, monkeypatch):
        monkeypatch.setenv("FESTIVAL_STACK", "")
        assert Kit.from_environment().stack == "o240-festival"
        monkeypatch.setenv("FESTIVAL_STACK", "mine")
        assert Kit.from_environment().stack == "mine"

    def test_a_session_that_is_given_makes_every_client(self):
        import boto3

        session = boto3.Session("AKIAEXAMPLE", "secret", region_name="eu-west-3")
        kit = Kit(given_session=session)
        assert kit.clients.dynamodb.meta.region_name == "eu-west-3"
        assert kit.session is session

    def test_it_reads_files_without_a_mapping_as_the_stack_says(self):
        """The ingest of a command and of a backfill, as the function does it."""
        kit = Kit(table="lineup")
        kit.__dict__["parameters"] = {"DefaultMapping": '{"date_order": "day_first"}'}
        kit.__dict__["outputs"] = SimpleNamespace(ledger_table="ledger", reports_bucket="reports")
        kit.__dict__["clients"] = SimpleNamespace(
            s3=None, dynamodb=None, clock=SimpleNamespace(now=None)
        )
        assert kit.ingestor().resources.mapping == LineupMapping.from_dict(
            {"date_order": "day_first"}
        )


AWS_TIME = 9_000_000_000.0  # 2255: no machine that runs this has it
BJORK = Performance("Björk", "Park", "2025-06-28", 1200, 1260, None, 2)


class Aws:
    """A stack's clients, in AWS's time; which tables were written."""

    def __init__(self):
        self.s3 = None
        self.dynamodb = self.sns = self
        self.clock = SimpleNamespace(now=lambda: AWS_TIME)
        # Without the private parts that the quick way needs: the writer uses the methods below.
        events = SimpleNamespace(register=lambda *_: None)
        self.meta = SimpleNamespace(endpoint_url="http://dynamodb", events=events)
        self.tables, self.e_mails = [], 0

    def batch_write_item(self, RequestItems):  # noqa: N803
        self.tables += RequestItems
        return {"UnprocessedItems": {}}

    def publish(self, **_):
        self.e_mails += 1
        return {"MessageId": "m-1"}


@pytest.fixture
def aws():
    return Aws()


@pytest.fixture
def kit(aws):
    made = Kit()
    made.__dict__["clients"] = aws
    made.__dict__["parameters"] = {}
    made.__dict__["outputs"] = SimpleNamespace(
        table="lineup", ledger_table="ledger", reports_bucket="reports", topic_arn="topic"
    )
    return made


def written(opened):
    with opened as writer:
        writer.put([BJORK])
        return writer.flush()


class TestWiring:
    def test_a_command_goes_by_awss_clock_wherever_it_asks_for_the_time(self, kit):
        resources = kit.ingestor().resources
        assert (resources.clock(), resources.ledger.now()) == (AWS_TIME, AWS_TIME)
        assert kit.reconciler().ledger.now() == AWS_TIME

    def test_it_writes_nothing_past_a_deadline_by_awss_clock(self, kit, aws):
        open_writer = kit.ingestor().resources.open_writer
        assert "ran out" in written(open_writer("a.csv", AWS_TIME - 1)).reason
        assert aws.tables == []

    def test_it_mails_nothing_past_a_deadline_by_awss_clock(self, kit, aws):
        with pytest.raises(NotYetError):
            kit.mailer.publish("late", "", until=AWS_TIME - 1)
        assert aws.e_mails == 0

    def test_an_ingest_writes_the_table_that_is_named(self, kit, aws):
        written(kit.ingestor("winter").resources.open_writer("a.csv", AWS_TIME + 60))
        written(kit.ingestor().resources.open_writer("a.csv", AWS_TIME + 60))
        assert aws.tables == ["winter", "lineup"]

    def test_a_reconciling_changes_the_table_that_is_named(self, kit):
        assert kit.reconciler("winter").items.table == "winter"
        assert kit.reconciler().items.table == "lineup"

    def test_nobody_is_mailed_unless_a_mailer_is_given(self, kit):
        assert kit.ingestor().resources.mailer is None
        assert kit.ingestor(mailer=kit.mailer).resources.mailer is kit.mailer


class TestConnect:
    @pytest.fixture(autouse=True)
    def stacks(self, monkeypatch):
        """Each stack has a table of its name."""
        monkeypatch.setattr(
            "festival.kit.read_outputs", lambda session, stack: SimpleNamespace(table=stack)
        )
        monkeypatch.setattr("festival.kit.Kit.clients", SimpleNamespace(dynamodb=None))

    def test_a_name_goes_before_everything_and_a_stack_that_is_named_before_the_environment(
        self, monkeypatch
    ):
        monkeypatch.setenv("FESTIVAL_TABLE", "from-environment")
        monkeypatch.setenv("FESTIVAL_STACK", "summer")
        assert connect("named", stack="winter").name == "named"
        assert connect(stack="winter").name == "winter"
        assert connect().name == "from-environment"

    def test_without_a_name_it_is_the_stacks_table(self, monkeypatch):
        monkeypatch.setenv("FESTIVAL_STACK", "summer")
        assert connect().name == "summer"
        monkeypatch.delenv("FESTIVAL_STACK")
        assert connect().name == "o240-festival"

    def test_of_a_table_that_is_not_the_stacks_nothing_is_recorded(self):
        with pytest.raises(FestivalError, match="table winter does not belong to the stack"):
            connect("winter").recorded_contents()


class Tries:
    """An ingestor whose tries end as told, the last with a result; in the ledger's time."""

    def __init__(self, *ends):
        self.ends = list(ends)
        self.again = []
        self.broken = []
        self.now = 1_752_300_000.0
        leases = SimpleNamespace(break_lease=lambda file, owner: self.broken.append(owner))
        ledger = SimpleNamespace(now=lambda: self.now, leases=leases)
        self.resources = SimpleNamespace(ledger=ledger)
        self.said, self.slept = [], []

    def ingest(self, event, owner, budget, *, again=False):
        assert budget.renew
        self.again.append(again)
        if self.ends:
            raise self.ends.pop(0)
        return "the result"

    def run(self, **options):
        event = FileEvent("uploads", "a.csv")
        return ingest_object(self, event, say=self.said.append, sleep=self.slept.append, **options)


THROTTLED = RetryableError("DynamoDB was throttled")
LATE = WrittenLateError("rows may have come too late")


class TestIngestObject:
    def test_five_failed_tries_are_enough(self):
        tries = Tries(*[THROTTLED] * 9)
        with pytest.raises(RetryableError, match="throttled"):
            tries.run()
        assert len(tries.again) == TRIES == 5
        assert len(tries.slept) == len(tries.said) == 4

    def test_a_bucket_that_is_not_there_is_not_tried_again(self):
        tries = Tries(NoBucketError("s3://uplaods: there is no bucket of that name"))
        with pytest.raises(NoBucketError):
            tries.run()
        assert (len(tries.again), tries.slept) == (1, [])

    def test_rows_that_may_have_come_too_late_are_written_again_whatever_the_next_try_says(self):
        tries = Tries(LATE, THROTTLED)
        assert tries.run() == "the result"
        assert tries.again == [False, True, True]

    def test_after_a_later_attempt_took_over_its_work_is_believed_and_not_done_again(self):
        tries = Tries(LeaseLostError("overtaken"))
        assert tries.run(again=True) == "the result"
        assert tries.again == [True, False]
        assert tries.said == ["overtaken"]

    def test_a_live_lease_is_waited_for_by_the_ledgers_clock_and_not_for_long_at_once(self):
        soon, later = (
            LeaseHeldError("uploads/a.csv", ELSEWHERE, 1_752_300_000.0 + more) for more in (4, 300)
        )
        tries = Tries(soon, later)
        tries.run()
        assert tries.slept == [4.0, LONGEST_WAIT_SECONDS]
        assert [line.split(" until ")[0] for line in tries.said] == [
            f"uploads/a.csv is being ingested by {ELSEWHERE}"
        ] * 2

    def test_the_lease_of_a_dead_process_is_taken_over_without_a_wait(self):
        dead = f"{new_owner().partition(' pid ')[0]} pid 99999999 abcdef"
        tries = Tries(LeaseHeldError("uploads/a.csv", dead, 1_752_300_300.0))
        tries.run()
        assert (tries.broken, tries.slept) == ([dead], [])

    def test_and_waited_for_if_the_ledger_does_not_answer_to_that(self):
        dead = f"{new_owner().partition(' pid ')[0]} pid 99999999 abcdef"
        tries = Tries(LeaseHeldError("uploads/a.csv", dead, 1_752_300_003.0))

        def silent(file, owner):
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "UpdateItem")

        tries.resources.ledger.leases.break_lease = silent
        assert tries.run() == "the result"
        assert tries.slept == [3.0]


class TestEventOf:
    def test_a_key_may_have_slashes_and_spaces(self):
        assert event_of("s3://uploads/2025/day 1.csv").file == "uploads/2025/day 1.csv"

    @pytest.mark.parametrize("name", ["s3://uploads", "s3://uploads/", "s3:///key", "x", "a/b"])
    def test_what_names_no_object_is_refused_by_name(self, name):
        with pytest.raises(FestivalError, match="expected s3://BUCKET/KEY"):
            event_of(name)


class HeldReconciler:
    """The lease of its file is held by `owner`, until it is broken."""

    def __init__(self, owner):
        self.owner = owner
        self.broken = []
        self.ledger = SimpleNamespace(leases=SimpleNamespace(break_lease=self.break_lease))

    def break_lease(self, file, owner):
        self.broken.append((file, owner))

    def files(self):
        return ["uploads/a.csv", "uploads/b.csv"]

    def reconcile(self, file, owner):
        if not self.broken:
            raise LeaseHeldError(file, self.owner, 1_752_300_000.0)
        return "review", "removal"


class TestReconcile:
    def test_a_file_that_another_machine_works_on_is_for_later(self):
        with pytest.raises(RetryableError, match=r"uploads/a\.csv .* until 2025-07-12T06:00"):
            reconcile_file(HeldReconciler(ELSEWHERE), "uploads/a.csv", remove=True)

    def test_the_lease_of_a_dead_process_of_this_machine_is_taken_over(self):
        machine = new_owner().partition(" pid ")[0]
        dead = f"{machine} pid 99999999 abcdef"
        reconciler = HeldReconciler(dead)
        done = reconcile_file(reconciler, "uploads/a.csv", remove=True)
        assert (done.removal, done.done) == ("removal", True)
        assert reconciler.broken == [("uploads/a.csv", dead)]

    def test_of_all_files_one_that_cannot_be_reconciled_now_does_not_stop_the_others(self):
        said = []
        found = reconcile_files(HeldReconciler(ELSEWHERE), remove=True, say=said.append)
        assert list(found) == []
        assert [line.split()[0] for line in said] == ["uploads/a.csv", "uploads/b.csv"]


class Looker:
    """Two files with older versions, one of them reconciled already; nothing may be removed."""

    def files(self):
        return ["uploads/a.csv", "uploads/b.csv"]

    def review(self, file):
        versions = SimpleNamespace(older=("v1",), is_reconciled=file == "uploads/b.csv")
        return SimpleNamespace(file=file, versions=versions)

    def removable(self, review):
        return "what would go"

    def reconcile(self, file, owner):
        raise AssertionError("a look removes nothing")


@pytest.mark.parametrize("file", [None, "s3://uploads/a.csv"])
def test_a_look_shows_what_is_not_reconciled_yet_and_removes_nothing(file):
    found = list(reconcile_files(Looker(), file))
    assert [(one.review.file, one.removal, one.done) for one in found] == [
        ("uploads/a.csv", "what would go", False)
    ]


class TestIsDead:
    @pytest.fixture
    def dead(self):
        """The name of a process of this machine that has ended."""
        process = subprocess.Popen(
            [sys.executable, "-c", "from festival.kit import new_owner; print(new_owner())"],
            stdout=subprocess.PIPE,
            text=True,
        )
        return process.communicate()[0].strip()

    def test_a_process_of_this_machine_that_has_ended_is_dead(self, dead):
        assert is_dead(dead)

    def test_a_process_that_lives_is_not_not_even_when_it_is_stopped(self):
        stopped = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import os, signal; from festival.kit import new_owner; "
                "print(new_owner(), flush=True); os.kill(os.getpid(), signal.SIGSTOP)",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        owner = stopped.stdout.readline().strip()
        os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
        assert not is_dead(owner)
        stopped.kill()
        stopped.communicate()
        assert not is_dead(new_owner())

    def test_a_killed_process_that_was_not_reaped_is_dead(self):
        killed = subprocess.Popen(["sleep", "60"])
        owner = f"{new_owner().partition(' pid ')[0]} pid {killed.pid} abcdef"
        assert not is_dead(owner)
        killed.kill()
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays
        assert is_dead(owner)
        killed.wait()

    def test_a_process_of_another_user_lives(self, monkeypatch):
        def refuse(pid, number):
            raise PermissionError

        monkeypatch.setattr(os, "kill", refuse)
        assert not is_dead(new_owner())

    def test_of_another_host_with_this_ones_name_nobodys_death_is_known(self, dead, monkeypatch):
        """Root namespaces of process ids have the same number everywhere: the boot id differs."""
        read = Path.read_text
        monkeypatch.setattr(
            Path,
            "read_text",
            lambda self: "another boot\n" if self.name == "boot_id" else read(self),
        )
        assert not is_dead(dead)

    def test_without_a_boot_id_nobodys_death_is_known(self, monkeypatch):
        monkeypatch.setattr("festival.kit._this_machine", lambda: "")
        assert not is_dead("some-host pid 99999999 abcdef")
        assert not is_dead(" pid 99999999 abcdef")
