"""One place turns options and environment into what everything outside the function works with."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from festival.errors import FestivalError, RetryableError
from festival.ingest.ledger.leases import LeaseHeldError
from festival.kit import Kit, event_of, is_dead, new_owner, reconcile_file, reconcile_files
from festival.lineup.mapping import LineupMapping

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
        assert not is_dead(stopped.stdout.readline().strip())
        stopped.kill()
        stopped.communicate()
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
