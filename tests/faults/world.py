"""One schedule: uploads, a queue, a function that is run and interrupted, until nothing is left.

Everything is decided in one thread, from one seed: a run of the function only goes on while the
world waits for it, so that the order of all calls is the seed's, also of two runs at once.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from random import Random
from typing import Any, Protocol
from urllib.parse import quote_plus

from festival.ingest.events import files_of_message
from festival.ingest.ledger import Ledger
from festival.ingest.settings import Settings
from festival.lineup.limits import Limits
from festival.ops.dlq import dead_letters, redrive

from . import plan as faults
from .expressions import Item
from .invocation import (
    REAL_SECONDS,
    Clock,
    Conditions,
    Invocation,
    Ports,
    Ticket,
    functions_in_threads,
)
from .lineups import Lineup, make_lineup
from .plan import Plan, make_plan
from .sqs import Queue
from .store import json_answer, json_error, s3_error, sns_error
from .wire import CUT_OFF, Answer, Reply, Request

UPLOADS, REPORTS = "upload-bucket", "reports-bucket"
QUEUE, DEAD_QUEUE = "http://sqs/ingest", "http://sqs/dead"
TOPIC = "arn:aws:sns:us-east-1:123456789012:ingest"
MOST_INVOCATIONS = 600


class Backend(Protocol):
    """What stands for AWS behind the proxies."""

    table: str
    ledger: str

    def answer(self, request: Request) -> Answer: ...
    def put(self, bucket: str, key: str, body: bytes) -> str: ...
    def delete(self, bucket: str, key: str) -> None: ...
    def newest(self, bucket: str) -> Any: ...
    def all_items(self) -> list[Item]: ...
    def all_entries(self) -> list[Item]: ...


class EndlessError(AssertionError):
    """The queue never becomes empty."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that reached the world: what it was, what befell it, what AWS answered."""

    number: int
    invocation: int
    service: str
    operation: str
    fault: str
    status: int | None
    request: Request


@dataclass(frozen=True, slots=True)
class Upload:
    """A version of a file; `lineup` None: the file was deleted."""

    version: str
    lineup: Lineup | None


@dataclass(frozen=True, slots=True)
class Write:
    """Items that reached the table: by which call, of which version of which file."""

    call: int
    file: str
    version: str
    keys: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail that SNS took."""

    call: int
    invocation: int
    file: str
    version: str
    subject: str
    settled: bool


@dataclass
class Record:
    """Everything that happened, for the checker."""

    uploads: dict[str, list[Upload]] = field(default_factory=lambda: defaultdict(list))
    calls: list[Call] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    settled: set[tuple[str, str]] = field(default_factory=set)
    died: dict[int, int] = field(default_factory=dict)
    redriven: dict[tuple[str, str], int] = field(default_factory=dict)
    reasons: set[tuple[str, int]] = field(default_factory=set)
    by_people: set[int] = field(default_factory=set)
    together: set[str] = field(default_factory=set)
    actions: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    invocations: int = 0


class World:
    """A schedule on its way."""

    def __init__(
        self, seed: str, backend: Backend, ports: Ports, *, crowded: bool | None = None
    ) -> None:
        self.random = Random(seed)
        self.backend = backend
        self.clock = Clock()
        self.plan: Plan = make_plan(self.random, seed)
        self.conditions = _conditions(self.random, backend)
        self.record = Record()
        self.dead = Queue(lambda: self.clock.now, 60)
        self.queue = Queue(
            lambda: self.clock.now,
            6 * self.conditions.timeout,
            self.conditions.settings.max_receive_count,
            self.dead,
        )
        self.logs: list[str] = []
        self._ports = ports
        self._news: SimpleQueue[Invocation] = SimpleQueue()
        self._active: list[Invocation] = []
        self._corpses: list[Invocation] = []
        # In a crowd versions come while others are at work, and the younger run overtakes.
        self._crowded = self.random.random() < 0.3 if crowded is None else crowded
        self._together = 3 if self._crowded else self.random.choice((1, 2, 2, 3))
        self._repeated: set[str] = set()
        self._actions = self._agenda()

    def run(self) -> None:
        """Let everything happen, with faults and then without, until the queue is empty."""
        with functions_in_threads():
            while self._step():
                pass
            self.plan.enabled = False
            self._together = 1  # runs at once use up one another's time, which is a fault, too
            while self._step():
                pass
            self._bury()

    def redrive(self) -> None:
        """Put back what is in the dead-letter queue, as a person would, and let it be done."""
        for letter in self.dead.letters.values():
            for event in files_of_message(letter.body):
                self.record.redriven[event.file, event.version] = len(self.record.calls)
        with functions_in_threads():
            self._start(self._redrive_job, [])
            self.record.by_people.add(self.record.invocations)
            while self._step():
                pass
            self._bury()

    def close(self) -> None:
        """Let nothing of it run on."""
        for invocation in list(self._active):
            self._kill(invocation, faults.KILLED)
        self._bury()

    def _redrive_job(self, invocation: Invocation) -> None:
        clients = invocation.port.clients
        ledger = Ledger(clients.dynamodb, self.backend.ledger, now=lambda: self.clock.now)
        letters = dead_letters(clients.sqs, DEAD_QUEUE, ledger)
        list(redrive(clients.sqs, DEAD_QUEUE, QUEUE, ledger, letters))

    # What people do

    def _agenda(self) -> list[tuple[float, str, Lineup | None]]:
        """When which file is uploaded, uploaded anew, deleted."""
        actions: list[tuple[float, str, Lineup | None]] = []
        spread = 0.4 if self._crowded else self.random.choice((2, 60, 600))
        for number in range(1 if self._crowded else self.random.choice((1, 2, 2, 3))):
            key = f"lineups/day {number} é.csv"
            when, lineup = self.clock.now, None
            for _ in range(self.random.choice((1, 1, 2, 3))):
                when += self.random.uniform(0, spread)
                lineup = make_lineup(self.random, f"no. {number}", lineup)
                actions.append((when, key, lineup))
            if self.random.random() < 0.1:
                actions.append((when + self.random.uniform(0, spread), key, None))
        return sorted(actions, key=lambda action: action[0])

    def _act(self) -> None:
        """Let people do what is due."""
        while self._actions and self._actions[0][0] <= self.clock.now:
            _, key, lineup = self._actions.pop(0)
            if lineup is None:
                self.backend.delete(UPLOADS, key)
                self.record.uploads[key].append(Upload("", None))
                continue
            version = self.backend.put(UPLOADS, key, lineup.body)
            self.record.uploads[key].append(Upload(version, lineup))
            for _ in range(1 + self._befalls(0.1, faults.REPEATED)):
                late = not self._crowded and self.random.random() < 0.5
                delay = self.random.uniform(0, 120) if late else 0
                self.queue.send(_event(key, version, len(self.record.calls)), delay)

    def _befalls(self, chance: float, kind: str) -> bool:
        if not self.plan.enabled or self.random.random() >= chance:
            return False
        self.plan.happened[kind] += 1
        return True

    # What happens next

    def _step(self) -> bool:
        """One call, one more run of the function, or a leap in time; False: nothing is left."""
        self._await_quiet()
        self._act()
        ready = self.queue.visible() if len(self._active) < self._together else []
        if ready and (not self._active or self.random.random() < (0.5 if self._crowded else 0.15)):
            self._deliver(ready)
            return True
        waiting = [(each, ticket) for each in self._active for ticket in each.waiting]
        if waiting:
            overtakes = self._crowded and self.random.random() < 0.7
            self._decide(*(waiting[-1] if overtakes else self.random.choice(waiting)))
            return True
        return self._leap()

    def _await_quiet(self) -> None:
        """Wait until every run has either asked something or ended."""
        while True:
            for invocation in [each for each in self._active if each.finished]:
                self._finish(invocation)
            if all(each.waiting for each in self._active):
                return
            try:
                self._news.get(timeout=REAL_SECONDS)
            except Empty:
                raise EndlessError("a run of the function hangs") from None

    def _leap(self) -> bool:
        moments = [action[0] for action in self._actions[:1]]
        if (visible := self.queue.next_visible()) is not None:
            moments.append(visible)
        if not moments:
            return False
        self.clock.now = max(self.clock.now, min(moments))
        return True

    def _deliver(self, ready: list[Any]) -> None:
        self.random.shuffle(ready)
        received = []
        for letter in ready[: self.conditions.batch_size]:
            together = self._befalls(0.03, faults.TOGETHER)
            if together:
                self.record.together.add(letter.body)
            received.append(self.queue.receive(letter, hide=not together))
        self._start(Invocation.run_handler, received)

    def _start(self, job: Callable[[Invocation], Any], received: list[Any]) -> None:
        self.record.invocations += 1
        number = self.record.invocations
        if number > MOST_INVOCATIONS:
            raise EndlessError(f"{number} runs of the function, and the queue is not empty")
        invocation = Invocation(
            number,
            self._ports.take(self.conditions.tries),
            self.clock,
            self.conditions,
            received,
            self._news,
            self.plan.lifetime(number) if self.plan.enabled else None,
        )
        self._active.append(invocation)
        invocation.start(lambda: job(invocation))

    def _finish(self, invocation: Invocation) -> None:
        self._active.remove(invocation)
        self._let_go(invocation)
        if self.clock.now > invocation.ends:
            self._note_death(invocation, faults.TIMED_OUT)
            return
        if invocation.crash is not None:
            self.record.crashes.append(repr(invocation.crash))
            return
        failures = (invocation.result or {}).get("batchItemFailures", [])
        failed = {each["itemIdentifier"] for each in failures}
        for message in invocation.messages:
            if message["MessageId"] not in failed:
                self._delete(message["MessageId"])

    def _delete(self, message_id: str) -> None:
        letter = self.queue.letters.get(message_id)
        if letter and message_id not in self._repeated and self._befalls(0.05, faults.REPEATED):
            self._repeated.add(message_id)
            letter.visible_at = self.clock.now + self.random.uniform(0, 60)
        else:
            self.queue.delete(message_id)

    def _kill(self, invocation: Invocation, kind: str) -> None:
        self._note_death(invocation, kind)
        self._active.remove(invocation)
        self._corpses.append(invocation)
        invocation.kill()
        if len(self._corpses) > 2:
            self._bury()

    def _note_death(self, invocation: Invocation, kind: str) -> None:
        self.plan.happened[kind] += 1
        self.record.died[invocation.number] = len(self.record.calls)

    def _bury(self) -> None:
        for corpse in self._corpses:
            self._let_go(corpse)
        self._corpses.clear()

    def _let_go(self, invocation: Invocation) -> None:
        invocation.join()
        self._ports.give_back(invocation.port)
        end = "died" if invocation.dead else f"{invocation.result} {invocation.crash or ''}"
        ids = [message["MessageId"] for message in invocation.messages]
        log = invocation.log.getvalue()
        self.logs.append(f"-- {invocation.number} {ids}: {end}\n{log}")
        if not invocation.dead:
            self._note_log(log)

    def _note_log(self, log: str) -> None:
        """What the tries did, and which left a reason why they failed in the ledger."""
        for line in map(json.loads, log.splitlines()):
            if line.get("message", "").startswith("file "):
                self.record.actions[line["message"].removeprefix("file ")] += 1
            receive = (line.get("messageId", ""), line.get("receives", 0))
            if line.get("message") == "try failed":
                self.record.reasons.add(receive)
            elif line.get("message") == "the reason could not be kept":
                self.record.reasons.discard(receive)

    # What becomes of a call

    def _decide(self, invocation: Invocation, ticket: Ticket) -> None:
        invocation.waiting.remove(ticket)
        self.clock.pass_by(self.random.uniform(0.005, 0.05))
        self._act()
        service, operation = ticket.request.call
        nth = invocation.nth[operation] = invocation.nth[operation] + 1
        fault = self.plan.fault(invocation.number, service, operation, nth)
        if fault == faults.SLOW:
            self.clock.pass_by(self.random.uniform(0.02, 0.4) * self.conditions.timeout)
        last = invocation.lifetime == invocation.nth.total()
        if self.clock.now > invocation.ends or (last and self.random.random() < 0.5):
            late = self.clock.now > invocation.ends
            ticket.decide(CUT_OFF)
            self._kill(invocation, faults.TIMED_OUT if late else faults.KILLED)
            return
        if last:
            fault = faults.KILLED_LATE
        reply, status = self._befall(invocation, ticket.request, fault)
        self.record.calls.append(
            Call(
                len(self.record.calls),
                invocation.number,
                service,
                operation,
                fault,
                status,
                ticket.request,
            )
        )
        if fault and not last:
            self.plan.happened[fault] += 1
        ticket.decide(reply)
        if last:
            self._kill(invocation, faults.KILLED_LATE)

    def _befall(
        self, invocation: Invocation, request: Request, fault: str
    ) -> tuple[Reply, int | None]:
        """What the client gets to see, and the status that AWS gave; None: it never saw it."""
        service, _ = request.call
        if fault == faults.REFUSED:
            return CUT_OFF, None
        if fault in (faults.THROTTLED, faults.FAILED):
            return Reply(_error(service, fault)), None
        if fault == faults.UNPROCESSED:
            answer = self._part(invocation, request)
            return Reply(answer), answer.status
        answer = self._forward(invocation, request)
        if fault == faults.FAILED_LATE:
            return Reply(_error(service, faults.FAILED)), answer.status
        if fault in (faults.LOST, faults.KILLED_LATE):
            return CUT_OFF, answer.status
        if fault == faults.TRUNCATED:
            part = self.random.randrange(len(answer.body)) if answer.body else 0
            whole = request.method == "HEAD" or not answer.body
            return (CUT_OFF if whole else Reply(answer, part)), answer.status
        return Reply(answer), answer.status

    def _forward(self, invocation: Invocation, request: Request) -> Answer:
        service, operation = request.call
        if service == "sqs":
            queue = self.queue if request.json["QueueUrl"] == QUEUE else self.dead
            return queue.answer(operation, request.json)
        answer = self.backend.answer(request)
        if answer.status < 300:
            self._note(invocation, request, answer)
        return answer

    def _part(self, invocation: Invocation, request: Request) -> Answer:
        """DynamoDB stores some of a batch, and gives the others back."""
        ((table, items),) = request.json["RequestItems"].items()
        given_back = [item for item in items if self.random.random() < 0.5] or items[:1]
        taken = [item for item in items if item not in given_back]
        if taken:
            body = json.dumps({"RequestItems": {table: taken}}).encode()
            self._forward(invocation, _with_body(request, body))
        return json_answer({"UnprocessedItems": {table: given_back}})

    def _note(self, invocation: Invocation, request: Request, answer: Answer) -> None:
        number = len(self.record.calls)
        operation = request.call[1]
        if operation == "HeadObject" and self._crowded and self._actions:
            # The worst moment for a new version: right after the old one was found the newest.
            when, *what = self._actions[0]
            self._actions[0] = (min(when, self.clock.now), *what)
        elif operation == "GetObject":
            bucket, key = request.bucket_and_key
            if bucket == UPLOADS:
                invocation.reading[f"{bucket}/{key}"] = request.query.get("versionId", "")
        elif operation == "BatchWriteItem":
            self._note_writes(invocation, request, number)
        elif operation == "Publish":
            self.record.mails.append(self._mail(invocation, request, number))
        elif operation == "UpdateItem" and "Outcome = " in request.json["UpdateExpression"]:
            key = request.json["Key"]
            version = key["Entry"]["S"].removeprefix("VERSION#")
            self.record.settled.add((key["File"]["S"], version))

    def _mail(self, invocation: Invocation, request: Request, number: int) -> Mail:
        lines = request.form["Message"].splitlines()
        text = dict(line.split(": ", 1) for line in lines if ": " in line)
        name = (text["File"], text.get("Version", ""))
        settled = name in self.record.settled
        return Mail(number, invocation.number, *name, request.form["Subject"], settled)

    def _note_writes(self, invocation: Invocation, request: Request, number: int) -> None:
        written: dict[str, set[tuple[str, str]]] = defaultdict(set)
        ((_, items),) = request.json["RequestItems"].items()
        for each in items:
            item = each["PutRequest"]["Item"]
            written[item["Source"]["S"]].add((item["Performer"]["S"], item["Performance"]["S"]))
        for file, keys in written.items():
            version = invocation.reading[file]
            self.record.writes.append(Write(number, file, version, frozenset(keys)))

    @property
    def happened(self) -> Counter[str]:
        return self.plan.happened


def _conditions(random: Random, backend: Backend) -> Conditions:
    settings = Settings(
        table=backend.table,
        ledger_table=backend.ledger,
        topic_arn=TOPIC,
        reports_bucket=REPORTS,
        queue_url=QUEUE,
        max_receive_count=random.choice((2, 3, 5, 5)),
    )
    timeout = random.choice((12.0, 12.0, 60.0, 300.0))
    batch_size = random.choice((1, 1, 1, 3))
    # A block has to be shorter than what an invocation keeps in reserve for its end. The last
    # message of a batch is begun with as little as four seconds left.
    reserve = min(20.0, (timeout if batch_size == 1 else 4.0) / 4)
    in_passes = random.random() < 0.6
    return Conditions(
        settings,
        timeout,
        batch_size,
        tick=reserve / 3 * random.uniform(0.5, 1) if in_passes else 0.001,
        limits=Limits(
            block_rows=random.choice((1, 2, 3, 5)), block_bytes=random.choice((60, 200, 4096))
        )
        if in_passes
        else Limits(),
        lanes=random.choice((1, 1, 1, 4)),
        tries=random.choice((1, 4)),
    )


def _event(key: str, version: str, sequencer: int) -> str:
    """An S3 event as S3 sends it (docs: "Event message structure")."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": UPLOADS},
            "object": {
                "key": quote_plus(key, safe="/"),
                "versionId": version,
                "sequencer": f"{sequencer:016X}",
            },
        },
    }
    return json.dumps({"Records": [record]})


def _error(service: str, fault: str) -> Answer:
    throttled = fault == faults.THROTTLED
    if service == "s3":
        return s3_error(503, "SlowDown") if throttled else s3_error(500, "InternalError")
    if service == "sns":
        return sns_error(400, "Throttling") if throttled else sns_error(500, "InternalError")
    if throttled:
        return json_error("ThrottlingException", "Rate exceeded")
    return json_error("InternalServerError", "Internal server error", 500)


def _with_body(request: Request, body: bytes) -> Request:
    return Request(request.method, request.target, request.headers, body)
