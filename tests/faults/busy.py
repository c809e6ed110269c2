"""Schedules in which people are busy, too: what no run of the function alone could show.

Mappings come, change, go and return; versions are deleted by id; `--again`, `reconcile --yes` and a
redrive race with the function; a person's process is stopped or suspended, and its clock is wrong.
Calls get lost for 20 seconds or are carried out late, answers are cut within their head or have
another checksum, and one service fails for a long time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import partial
from random import Random
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from festival import kit
from festival.errors import FestivalError
from festival.ingest.attempt import Ingestor
from festival.ingest.events import FileEvent
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.records import to_record
from festival.ingest.ledger.table import unpack
from festival.ingest.reconcile import reconciler
from festival.ingest.reconcile.items import Items
from festival.ingest.reconcile.reconciler import Reconciler
from festival.ingest.reports_bucket import KeyLists
from festival.ingest.sidecar import SIDECAR
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Performance
from festival.stack.dead_letters import HIDDEN_SECONDS
from festival.table.item import to_item

from . import plan as faults
from .invocation import Invocation, Ports, Ticket
from .lineups import Lineup, make_lineup
from .people import UPLOADS, event_body, redrive_dead_letters
from .reconciling import ReconcilingStore, reconciling_store
from .record import Upload
from .wire import CUT_OFF, Answer, Reply, Request
from .world import REPORTS, World, _error

LATE = "carried out late"
LOST_FOR_LONG = "lost for 20 s"
HEAD_CUT = "answer cut within its head"
WRONG_SUM = "wrong checksum"
STORM = "storm"
ASLEEP = "stopped or suspended"
LONGEST_LATE_SECONDS = 4.0  # less than what a writer leaves of its lease
UNCONDITIONAL = ("BatchWriteItem", "PutObject", "SendMessage")
CLOCKS_APART = (0.0, 0.0, 40.0, -40.0, 200.0, -200.0)

# What a mapping makes of a popularity. The keys stay, so that only values tell which one was read.
NONE, RANK, UNTOLD = b"", b'{"popularity_is": "rank"}', b'{"columns": {"Popularity": null}}'
READINGS: dict[bytes, Callable[[int], int | None]] = {
    NONE: lambda popularity: popularity,
    RANK: lambda popularity: 101 - popularity,
    UNTOLD: lambda popularity: None,
}

UPLOAD, DELETE, UNDO, MAP, UNMAP = "upload", "delete", "undo", "map", "unmap"
INGEST, AGAIN, RECONCILE, REDRIVE = "ingest", "again", "reconcile", "redrive"


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person does with a file, and when."""

    when: float
    what: str
    key: str
    lineup: Lineup | None = None
    mapping: bytes = NONE


def make_deeds(random: Random, now: float) -> list[Deed]:
    """Four to twelve deeds with one or two files, within seconds, minutes or an hour."""
    deeds = []
    spread = random.choice((1, 20, 200, 3000))
    for number in range(random.choice((1, 1, 2))):
        key, lineup = f"lineups/day {number}.csv", None
        when = now
        for nth in range(random.randint(3, 8)):
            when += random.uniform(0, spread)
            what = UPLOAD if nth == 0 else random.choice(DEEDS)
            if what == UPLOAD:
                lineup = _whole_lineup(random, f"no. {number}", lineup)
            mapping = random.choice((RANK, UNTOLD)) if what == MAP else NONE
            deeds.append(Deed(when, what, key, lineup if what == UPLOAD else None, mapping))
    return sorted(deeds, key=lambda deed: deed.when)


DEEDS = (
    UPLOAD,
    UPLOAD,
    UPLOAD,
    MAP,
    MAP,
    UNMAP,
    UNDO,
    DELETE,
    INGEST,
    AGAIN,
    RECONCILE,
    RECONCILE,
    REDRIVE,
)


def _whole_lineup(random: Random, owner: str, former: Lineup | None) -> Lineup:
    while True:
        lineup = make_lineup(random, owner, former)
        if not lineup.broken and lineup.accepted:
            return lineup


class BusyWorld(World):
    """A schedule of deeds and deliveries, with the faults that only time and people bring."""

    backend: ReconcilingStore

    def __init__(self, seed: str, ports: Ports) -> None:
        backend = reconciling_store()
        backend.may_be_unversioned = 0.0
        super().__init__(seed, backend, ports)
        self._crowded = False
        self._together = self.random.choice((2, 3, 4))
        self._agenda = make_deeds(self.random, self.clock.now)  # type: ignore[assignment]
        self._wakes: dict[Invocation, float] = {}
        self._early: dict[int, Reply] = {}
        self._late: list[tuple[float, Invocation, Request]] = []
        self.slept: dict[int, float] = {}
        self.owners: dict[int, set[str]] = {}
        self.begun: dict[tuple[str, str], int] = {}
        self.began_anew: set[int] = set()
        self.gave_up: set[int] = set()
        self.lineups: dict[str, list[tuple[str, Lineup]]] = {}
        self.unleased: list[str] = []
        self._skews: dict[int, float] = {}
        harsh = any(self.plan.rates.values())
        self._storm = ("", 0.0, 0.0)
        if harsh and self.random.random() < 0.3:
            begins = self.clock.now + self.random.uniform(0, 300)
            service = self.random.choice(("s3", "dynamodb", "sns", "sqs"))
            self._storm = (service, begins, begins + self.random.uniform(30, 3600))

    # What people do

    def _do(self, deed: Any) -> None:
        key = deed.key
        if deed.what == UPLOAD:
            version = self.backend.put(UPLOADS, key, deed.lineup.body)
            self.lineups.setdefault(key, []).append((version, deed.lineup))
            self.record.uploads[key].append(Upload(version, deed.lineup))
            self._tell("Created:Put", key, version)
        elif deed.what == MAP:
            self._tell(
                "Created:Put", key + SIDECAR, self.backend.put(UPLOADS, key + SIDECAR, deed.mapping)
            )
        elif deed.what in (UNMAP, DELETE):
            name = key + SIDECAR if deed.what == UNMAP else key
            if name in self.backend.newest(UPLOADS):
                self.backend.delete(UPLOADS, name)
                marker = self.backend.objects[UPLOADS, name][-1].id
                self._tell("Removed:DeleteMarkerCreated", name, marker)
        elif deed.what == UNDO:
            name = key + SIDECAR if self.random.random() < 0.3 else key
            if versions := self.backend.objects.get((UPLOADS, name)):
                self.backend.delete_version(UPLOADS, name, versions[-1].id)
                self._tell("Removed:Delete", name, versions[-1].id)
        else:
            self._start_person(partial(PEOPLE[deed.what], key))

    def _start_person(self, job: Callable[[Invocation], Any]) -> None:
        self.record.by_people.add(self.record.invocations + 1)
        self._skews[self.record.invocations + 1] = (
            self.random.choice(CLOCKS_APART) if self.plan.enabled else 0.0
        )
        self._start(job, [])

    def _tell(self, what: str, key: str, version: str) -> None:
        body = event_body([(key, version)], len(self.record.calls), "").replace(
            "ObjectCreated:Put", f"Object{what}"
        )
        for _ in range(2 if self._befalls(0.1, faults.REPEATED) else 1):
            delay = self.random.uniform(0, 120) if self.random.random() < 0.4 else 0
            self.queue.send(body, delay)

    def skew(self, number: int) -> float:
        """How far a process's clock is from AWS's, in seconds; Lambda's are right."""
        return self._skews.get(number, 0.0)

    # What happens next

    def _awake(self) -> list[Invocation]:
        for invocation, wakes in list(self._wakes.items()):
            if wakes <= self.clock.now or invocation not in self._active:
                del self._wakes[invocation]
                for ticket in invocation.waiting:
                    ticket.asked = self.clock.now
        return [each for each in self._active if each not in self._wakes]

    def _moments(self) -> list[float]:
        late = [when for when, _, _ in self._late]
        return [*super()._moments(), *self._wakes.values(), *late]

    def _act(self) -> None:
        super()._act()
        due = [each for each in self._late if each[0] <= self.clock.now]
        self._late = [each for each in self._late if each[0] > self.clock.now]
        for _, invocation, request in due:
            self._forward(invocation, request)

    def _decide(self, invocation: Invocation, ticket: Ticket) -> None:
        if (reply := self._early.pop(id(ticket), None)) is not None:
            invocation.waiting.remove(ticket)
            ticket.decide(reply)
            return
        is_person = invocation.number in self.record.by_people
        if is_person and self._befalls(0.02, ASLEEP):
            asleep = self.random.choice((20, 40, 100, 1000, 4000))
            self._wakes[invocation] = self.clock.now + asleep
            self.slept[invocation.number] = self.slept.get(invocation.number, 0) + asleep
            for each in invocation.waiting:
                unconditional = each.request.call[1] in UNCONDITIONAL
                if unconditional or self.random.random() < 0.5:
                    # On its way already; the process sees the answer when it goes on.
                    self._early[id(each)] = Reply(self._forward(invocation, each.request))
            return
        super()._decide(invocation, ticket)

    def _befall(
        self, invocation: Invocation, request: Request, fault: str
    ) -> tuple[Reply, int | None]:
        if self.plan.enabled and not fault and self._storms(request.call[0]):
            self.plan.happened[STORM] += 1
            return Reply(self._dated(_error(request.call[0], faults.FAILED))), None
        rate = self.plan.rates[request.call[0]]
        if self.plan.enabled and not fault and self.random.random() < rate / 2:
            return self._befall_anew(invocation, request)
        reply, status = super()._befall(invocation, request, fault)
        return replace(reply, answer=reply.answer and self._dated(reply.answer)), status

    def _storms(self, service: str) -> bool:
        """Whether a service fails now, as it does for a long time."""
        struck, begins, ends = self._storm
        now = self.clock.now
        return service == struck and begins <= now < ends and self.random.random() < 0.9

    def _befall_anew(self, invocation: Invocation, request: Request) -> tuple[Reply, int | None]:
        kinds = [LATE, LOST_FOR_LONG, HEAD_CUT, WRONG_SUM]
        if request.call[1] == "BatchWriteItem":
            kinds.remove(LATE)  # it knows no condition: the writer's docstring says what may come
        kind = self.random.choice(kinds)
        self.plan.happened[kind] += 1
        if kind == LATE:
            when = self.clock.now + self.random.uniform(0.1, LONGEST_LATE_SECONDS)
            self._late.append((when, invocation, request))
            return CUT_OFF, None
        answer = self._dated(self._forward(invocation, request))
        if kind == LOST_FOR_LONG:
            self.clock.pass_by(20)
            return CUT_OFF, answer.status
        if kind == WRONG_SUM:
            if "x-amz-crc32" not in answer.headers:
                return Reply(answer), answer.status
            return Reply(
                replace(answer, headers={**answer.headers, "x-amz-crc32": "1"})
            ), answer.status
        return Reply(answer, lines=self.random.randint(1, 1 + len(answer.headers))), answer.status

    def _dated(self, answer: Answer) -> Answer:
        date = formatdate(int(self.clock.now), usegmt=True)
        return replace(answer, headers={"Date": date, **answer.headers})

    # Who writes rows holds the lease now

    def _forward(self, invocation: Invocation, request: Request) -> Answer:
        operation = request.call[1]
        if operation == "UpdateItem":
            values = request.json.get("ExpressionAttributeValues", {})
            if ":start" in values:  # of two that begin a version, the last is at work
                key = request.json["Key"]
                self.begun[key["File"]["S"], key["Entry"]["S"]] = invocation.number
                if "REMOVE" in request.json["UpdateExpression"]:
                    self.began_anew.add(invocation.number)
            if owner := values.get(":owner"):
                self.owners.setdefault(invocation.number, set()).add(owner["S"])
        if operation == "BatchWriteItem":
            ((_, items),) = request.json["RequestItems"].items()
            for file in {each["PutRequest"]["Item"]["Source"]["S"] for each in items}:
                self._check_lease(invocation, file)
        return super()._forward(invocation, request)

    def _check_lease(self, invocation: Invocation, file: str) -> None:
        head = unpack(self.backend.entries.get(("HEAD", file), {}))
        mine = head.get("Owner") in self.owners.get(invocation.number, ())
        if not mine or head["LeaseUntil"] < self.clock.now:
            self.unleased.append(
                f"WITHOUT A LEASE: process {invocation.number} writes rows of {file} at "
                f"{self.clock.now:.1f}, and its head is {head}"
            )

    def _finish(self, invocation: Invocation) -> None:
        if invocation.result == GAVE_UP:
            self.gave_up.add(invocation.number)
            invocation.result = None
        super()._finish(invocation)

    def _note(self, invocation: Invocation, request: Request, answer: Answer) -> None:
        """What was read is not asked here: only what it comes to."""
        if request.call[1] == "Publish":
            self.record.mails.append(self._mail(invocation, request, len(self.record.calls)))

    # The end

    def settle(self) -> None:
        """Everything that a person can do so that what is left over is done."""
        for _ in range(10):
            if not self.dead.letters:
                break
            self.clock.pass_by(HIDDEN_SECONDS)  # somebody may have been looking at them
            self._run_person(redrive_dead_letters)
        self.clock.pass_by(1000)  # whoever held a lease and died holds none any more
        for key in self.lineups:
            self._run_person(partial(PEOPLE[RECONCILE], key))

    def _run_person(self, job: Callable[[Invocation], Any]) -> None:
        self._start_person(job)
        while self._step():
            pass
        self._bury()

    def findings(self) -> list[str]:
        """Everything that is not as it must be; empty is right."""
        return [
            *self.record.crashes,
            *(
                "an unexpected error in " + log[:2000]
                for log in self.logs
                if "unexpected error" in log
            ),
            *self.unleased,
            *(["the dead-letter queue does not become empty"] if self.dead.letters else []),
            *self._wrong_files(),
        ]

    def _wrong_files(self) -> Iterator[str]:
        items = {(i["Performer"]["S"], i["Performance"]["S"]): i for i in self.backend.all_items()}
        ever = {
            key: {each.key: None for _, lineup in versions for each in lineup.accepted}
            for key, versions in self.lineups.items()
        }
        there = self.backend.newest(UPLOADS)
        for key, versions in self.lineups.items():
            if key not in there:
                continue
            newest = self.backend.objects[UPLOADS, key][-1].id
            mapping = there.get(key + SIDECAR, NONE)
            file, lineup = f"{UPLOADS}/{key}", dict(versions)[newest]
            yield from self._wrong_record(file, newest, mapping)
            # Whoever breaks off an ingest --again sees in the history that it is not finished: its
            # rows are there, maybe as an earlier row of the file has them, and nothing is removed.
            begun_anew = self._was_broken_off(file, newest, mapping)
            others = {each for other, keys in ever.items() if other != key for each in keys}
            kept = {each.key: read_by(mapping, each) for each in lineup.accepted}
            for row in kept.values():
                item = items.get(row.key)
                if item and (row.key in others or begun_anew):
                    continue
                if item != to_item(row, source=file):
                    yield f"LOST: {key} {newest} by {mapping!r} has {row}, and the table {item}"
            for item_key, item in items.items():
                if item["Source"]["S"] == file and item_key not in kept and not begun_anew:
                    yield f"STALE: {item} is not in {key} {newest}, and was not reconciled"

    def _wrong_record(self, file: str, newest: str, mapping: bytes) -> Iterator[str]:
        mark = _mark(mapping)
        head = unpack(self.backend.entries.get(("HEAD", file), {}))
        if head.get("CurrentVersion") != newest + mark:
            yield f"{file} is {newest}{mark} in S3, and the ledger's head says {head}"
        entry = unpack(self.backend.entries.get((f"VERSION#{newest}{mark}", file), {}))
        is_done = bool(entry) and to_record(entry).is_done
        if not is_done and not self._was_broken_off(file, newest, mapping):
            yield f"FORGOTTEN: {file} {newest}{mark} is {entry.get('Status', 'unknown')}"

    def _was_broken_off(self, file: str, newest: str, mapping: bytes) -> bool:
        """Whether a person's command began this version last, and was killed or gave up."""
        entry = f"VERSION#{newest}{_mark(mapping)}"
        last = self.begun.get((file, entry), 0)
        record = unpack(self.backend.entries.get((entry, file), {}))
        is_done = bool(record) and to_record(record).is_done
        if is_done or last not in self.record.by_people:
            return False
        return last in self.record.died or (last in self.gave_up and last in self.began_anew)


def _mark(mapping: bytes) -> str:
    return "+" + LineupMapping.from_json(mapping).fingerprint() if mapping else ""


def read_by(mapping: bytes, row: Performance) -> Performance:
    """The performance as a mapping makes it of a row."""
    popularity = None if row.popularity is None else READINGS[mapping](row.popularity)
    return row._replace(popularity=popularity)


GAVE_UP = "gave up"  # after several tries, with a message for the person


def _ingest(key: str, invocation: Invocation, *, again: bool = False) -> str | None:
    resources = replace(invocation.resources(), send_continuation=None, mailer=None)
    try:
        kit.ingest_object(
            Ingestor(resources), FileEvent(UPLOADS, key), again=again, sleep=invocation.sleep
        )
    except FestivalError:
        return GAVE_UP
    return None


def _reconcile(key: str, invocation: Invocation) -> None:
    clients, ledger = invocation.port.clients, invocation.resources().ledger
    items = Items(clients.dynamodb, "performances", ledger.leases, sleep=invocation.sleep)
    made = Reconciler(clients.s3, ledger, KeyLists(clients.s3, REPORTS), items)
    with suppress(FestivalError, ClientError, BotoCoreError):
        kit.reconcile_file(made, f"{UPLOADS}/{key}", remove=True)


def _redrive(key: str, invocation: Invocation) -> None:
    with suppress(FestivalError, ClientError, BotoCoreError):
        redrive_dead_letters(invocation)


PEOPLE: dict[str, Callable[[str, Invocation], Any]] = {
    INGEST: _ingest,
    AGAIN: partial(_ingest, again=True),
    RECONCILE: _reconcile,
    REDRIVE: _redrive,
}


def has_died(world: BusyWorld, number: int) -> bool:
    """Whether a process of the schedule was killed."""
    return number in world.record.died


IS_DEAD = has_died


@contextmanager
def processes_of(world: BusyWorld) -> Iterator[None]:
    """Each person's process has a name, a life and a clock of its own."""
    resources = Invocation.resources

    def with_its_own_clock(self: Invocation) -> Any:
        made, aws = resources(self), self.port.clients.clock
        if not hasattr(self, "is_set"):
            aws._wall = lambda: self._monotonic() + world.skew(self.number)
            aws._bounds = (float("-inf"), float("inf"))
            self.is_set = True  # type: ignore[attr-defined]
        if self.number not in world.record.by_people:
            return made
        client, name = self.port.clients.dynamodb, made.ledger._table.name

        def ticking() -> float:
            self.sleep(self._conditions.tick)
            return aws.now()

        return replace(made, ledger=Ledger(client, name, now=aws.now), clock=ticking)

    def owner() -> str:
        from .invocation import _mine

        return f"process {_mine.invocation.number} of {world.plan.seed}"

    def is_dead(name: str) -> bool:
        number = name.split()[1] if name.startswith("process ") else ""
        return number.isdigit() and IS_DEAD(world, int(number))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Invocation, "resources", with_its_own_clock)
        patch.setattr(kit, "new_owner", owner)
        patch.setattr(kit, "is_dead", is_dead)
        patch.setattr(reconciler, "FILES_AT_ONCE", 1)
        yield


def run_busy(seed: str, ports: Ports) -> tuple[list[str], BusyWorld]:
    """One schedule to its end, after which a person has redriven and reconciled what is left."""
    from .invocation import functions_in_threads

    world = BusyWorld(seed, ports)
    findings: list[str] = []
    try:
        with processes_of(world):
            world.run()
            with functions_in_threads(world.conditions):
                world.settle()
        findings += world.findings()
    except AssertionError as error:
        findings.append(f"{type(error).__name__}: {error}")
    finally:
        world.close()
    return findings, world
