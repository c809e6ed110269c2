"""One schedule: uploads, a queue, a function that is run and interrupted, until nothing is left.

Everything is decided in one thread, from one seed: a run of the function only goes on while the
world waits for it, so that the order of all calls is the seed's, also of two runs at once.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from random import Random
from random import seed as seed_jitter
from typing import Any, Protocol

from festival.ingest.events import files_of_message
from festival.ingest.handler import FunctionSettings
from festival.ingest.sidecar import SIDECAR
from festival.lineup.decode import Limits

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
from .people import (
    DEAD_QUEUE,
    DELETE,
    INGEST,
    MAPPING,
    MARK,
    QUEUE,
    UPLOADS,
    Act,
    event_body,
    ingest_by_hand,
    make_agenda,
    redrive_dead_letters,
)
from .plan import Plan, make_plan
from .record import Call, Mail, Record, Upload, Write
from .sqs import Queue
from .store import json_answer, json_error, s3_error, sns_error
from .wire import CUT_OFF, Answer, Reply, Request

REPORTS = "reports-bucket"
TOPIC = "arn:aws:sns:us-east-1:123456789012:ingest"
# Where half of all calls fail, copies of what waits for its turn may multiply faster than they are
# worked on: nobody's faults go on for ever, and when they are over the queue becomes empty.
MOST_WITH_FAULTS, MOST_INVOCATIONS = 300, 1000
# Shorter than the time between a writer's deadline and its lease's end: what arrives later than
# that was never sent.
LONGEST_WAIT_SECONDS = 4.0


class Backend(Protocol):
    """What stands for AWS behind the proxies."""

    table: str
    ledger: str
    versioned: bool
    may_be_unversioned: float

    def answer(self, request: Request) -> Answer: ...
    def put(self, bucket: str, key: str, body: bytes) -> str: ...
    def delete(self, bucket: str, key: str) -> None: ...
    def newest(self, bucket: str) -> Any: ...
    def all_items(self) -> list[Item]: ...
    def all_entries(self) -> list[Item]: ...


class EndlessError(AssertionError):
    """The queue never becomes empty."""


class World:
    """A schedule on its way."""

    def __init__(
        self, seed: str, backend: Backend, ports: Ports, *, crowded: bool | None = None
    ) -> None:
        self.random = Random(seed)
        seed_jitter(seed)  # the code under test and botocore wait at random, too
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
        self._versioned = backend.versioned = self.random.random() >= backend.may_be_unversioned
        self._repeated: set[str] = set()
        self._agenda = make_agenda(self.random, self.clock.now, crowded=self._crowded)

    def run(self) -> None:
        """Let everything happen, with faults and then without, until the queue is empty."""
        with functions_in_threads(self.conditions):
            while self.record.invocations < MOST_WITH_FAULTS and self._step():
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
        with functions_in_threads(self.conditions):
            self._start(redrive_dead_letters, [])
            self.record.by_people.add(self.record.invocations)
            while self._step():
                pass
            self._bury()

    def close(self) -> None:
        """Let nothing of it run on."""
        for invocation in list(self._active):
            self._kill(invocation, faults.KILLED)
        self._bury()

    # What people do

    def _act(self) -> None:
        """Let people do what is due."""
        while self._agenda and self._agenda[0].when <= self.clock.now:
            self._do(self._agenda.pop(0))

    def _do(self, act: Act) -> None:
        if act.what == INGEST:
            self._start(partial(ingest_by_hand, act.key), [])
            self.record.by_people.add(self.record.invocations)
        elif act.what == DELETE:
            self.backend.delete(UPLOADS, act.key)
            self.record.uploads[act.key].append(Upload("", None))
        else:
            self._upload(act)

    def _upload(self, act: Act) -> None:
        assert act.lineup is not None
        if act.is_mapped and act.key not in self.record.uploads:
            self.backend.put(UPLOADS, act.key + SIDECAR, MAPPING)
        version = self.backend.put(UPLOADS, act.key, act.lineup.body)
        mark = MARK if act.is_mapped else ""
        self.record.uploads[act.key].append(Upload(version + mark, act.lineup))
        named = [(act.key, version if self._versioned else "")]
        if self._versioned and self.random.random() < 0.1:  # one message may be about several
            named += [
                (key, uploads[-1].version.removesuffix(MARK))
                for key, uploads in self.record.uploads.items()
                if uploads[-1].lineup is not None and key != act.key
            ]
        for run in ["", *[""] * self._befalls(0.1, faults.REPEATED), *act.runs]:
            late = not self._crowded and self.random.random() < 0.5
            delay = self.random.uniform(0, 120) if late else 0
            self.queue.send(event_body(named, len(self.record.calls), run), delay)

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
        awake = self._awake()
        ready = self.queue.visible() if len(awake) < self._together else []
        if ready and (not awake or self.random.random() < (0.5 if self._crowded else 0.15)):
            self._deliver(ready)
            return True
        waiting = [(each, ticket) for each in awake for ticket in each.waiting]
        if waiting:
            overtakes = self._crowded and self.random.random() < 0.7
            self._decide(*(waiting[-1] if overtakes else self.random.choice(waiting)))
            return True
        return self._leap()

    def _awake(self) -> list[Invocation]:
        """Whoever is at work."""
        return self._active

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
        moments = self._moments()
        if not moments:
            return False
        self.clock.now = max(self.clock.now, min(moments))
        return True

    def _moments(self) -> list[float]:
        """When something happens next, if nobody does anything."""
        moments = [act.when for act in self._agenda[:1]]
        if (visible := self.queue.next_visible()) is not None:
            moments.append(visible)
        return moments

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
        if not received:  # a person's process is ended by nobody
            invocation.ends = math.inf
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
        if self.clock.now - ticket.asked > LONGEST_WAIT_SECONDS:
            fault = faults.REFUSED  # its client does not wait for it any more
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
        if fault == faults.SLOW:
            self.clock.pass_by(self.random.uniform(0.02, 0.4) * self.conditions.timeout)
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
            queue = self.dead if request.json["QueueUrl"] == DEAD_QUEUE else self.queue
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
        if operation == "HeadObject" and self._crowded and self._agenda:
            # The worst moment for a new version: right after the old one was found the newest.
            first = self._agenda[0]
            self._agenda[0] = replace(first, when=min(first.when, self.clock.now))
        elif operation == "GetObject":
            bucket, key = request.bucket_and_key
            if bucket == UPLOADS and not key.endswith(SIDECAR):
                read = request.query.get("versionId", "")
                versions = [each.version for each in self.record.uploads[key]]
                named = [version for version in versions if version.startswith(read)]
                invocation.reading[f"{bucket}/{key}"] = named[-1]
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
    settings = FunctionSettings(
        table=backend.table,
        ledger_table=backend.ledger,
        topic_arn=TOPIC,
        reports_bucket=REPORTS,
        queue_url=QUEUE,
        max_receive_count=random.choice((2, 3, 5, 5)),
    )
    timeout = random.choice((12.0, 12.0, 60.0, 300.0))
    batch_size = random.choice((1, 1, 1, 3))
    in_passes = random.random() < 0.6
    return Conditions(
        settings,
        timeout,
        batch_size,
        tick=timeout * random.uniform(0.015, 0.03) if in_passes else 0.001,
        share=random.choice((0.1, 0.2, 0.4)) if in_passes else 1,
        ledger_bytes=random.choice((100, 100 * 1024)),
        limits=Limits(
            block_rows=random.choice((1, 2, 2, 3)), block_bytes=random.choice((60, 200, 4096))
        )
        if in_passes
        else Limits(),
        lanes=random.choice((1, 1, 1, 4)),
        tries=random.choice((1, 4)),
    )


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
