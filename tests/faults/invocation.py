"""One run of the function, with its own port to AWS, so that it can be cut off from everything."""

import io
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from random import Random
from threading import Event, Thread, local
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import botocore.session
import pytest
from botocore.config import Config

from festival import kit
from festival.ingest import handler, messages, reports_bucket
from festival.ingest.attempt import Budget, Ingestor
from festival.ingest.clients import Clients
from festival.ingest.handler import FunctionSettings
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.log import Log
from festival.ingest.mail import Mailer
from festival.ingest.resources import Resources
from festival.lineup.decode import Limits
from festival.table.connection import Connection
from festival.table.writer import BulkWriter

from .wire import CUT_OFF, Proxy, Reply, Request

REAL_SECONDS = 60.0  # after which a schedule that hangs fails


class Clock:
    """The one time of a schedule, in epoch seconds. Nobody really sleeps."""

    def __init__(self, now: float = 1_751_000_000.0) -> None:
        self.now = now

    def pass_by(self, seconds: float) -> None:
        self.now += max(0.0, seconds)


class Port:
    """A proxy and the clients that speak to it; kept from schedule to schedule."""

    def __init__(self, tries: int) -> None:
        self.proxy = Proxy(lambda request: CUT_OFF)
        self.tries = tries
        self.clients = Clients(_Session(self.proxy.url, tries))
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            clients = self.clients
            self._connection = Connection.from_client(clients.dynamodb, clock=clients.clock.now)
        return self._connection

    def close(self) -> None:
        for name in ("s3", "dynamodb", "sqs", "sns"):
            if name in self.clients.__dict__:
                self.clients.__dict__[name].close()
        if self._connection is not None:
            self._connection.close()
        self.proxy.close()


class _Session:
    """Makes the function's clients, but for one endpoint, and with so many tries.

    The older retry mode has no quota that would carry over from one schedule to the next.
    """

    def __init__(self, url: str, tries: int) -> None:
        self._session = botocore.session.Session()
        self._session.set_credentials("testing", "testing")
        self._url = url
        self._tries = tries

    def create_client(self, service: str, config: Config) -> Any:
        tries = min(self._tries, config.retries["total_max_attempts"])
        mine = Config(
            read_timeout=REAL_SECONDS, retries={"mode": "legacy", "total_max_attempts": tries}
        )
        return self._session.create_client(
            service, region_name="us-east-1", endpoint_url=self._url, config=config.merge(mine)
        )


class Ports:
    """Ports to use again, by how often their clients try a call."""

    def __init__(self) -> None:
        self._idle: dict[int, list[Port]] = {}

    def take(self, tries: int) -> Port:
        idle = self._idle.setdefault(tries, [])
        return idle.pop() if idle else Port(tries)

    def give_back(self, port: Port) -> None:
        port.proxy.decide = lambda request: CUT_OFF
        self._idle[port.tries].append(port)

    def close(self) -> None:
        for ports in self._idle.values():
            for port in ports:
                port.close()
        self._idle.clear()


@dataclass
class Ticket:
    """A request that waits for the world to decide about it."""

    request: Request
    reply: Reply = CUT_OFF
    asked: float = 0.0
    decided: Event = field(default_factory=Event)

    def decide(self, reply: Reply) -> None:
        self.reply = reply
        self.decided.set()


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the function runs in one schedule. Times in seconds; `tick` is what a block costs.

    A pass over a file takes this `share` of the time that it may take. State of more than
    `ledger_bytes` is kept in the reports bucket.
    """

    settings: FunctionSettings
    timeout: float
    batch_size: int
    tick: float
    share: float
    ledger_bytes: int
    limits: Limits
    lanes: int
    tries: int


class Invocation:
    """Runs the handler (or another job) in a thread of its own, as far as it is let."""

    def __init__(
        self,
        number: int,
        port: Port,
        clock: Clock,
        conditions: Conditions,
        messages: list[dict[str, Any]],
        news: "SimpleQueue[Invocation]",
        lifetime: int | None,
    ) -> None:
        self.number = number
        self.port = port
        self.messages = messages
        self.ends = clock.now + conditions.timeout
        self.lifetime = lifetime
        self.waiting: list[Ticket] = []
        self.dead = self.finished = False
        self.result: Any = None
        self.crash: BaseException | None = None
        self.nth: Counter[str] = Counter()
        self.reading: dict[str, str] = {}
        self.log = io.StringIO()
        self._clock = clock
        self._conditions = conditions
        self._news = news
        self._random = Random(number)
        self._thread: Thread | None = None

    def start(self, job: Callable[[], Any]) -> None:
        self.port.proxy.decide = self._ask
        self._thread = Thread(target=self._run, args=(job,), name=f"invocation {self.number}")
        self._thread.start()

    def run_handler(self) -> Any:
        """What Lambda does with a batch of messages."""
        event = {
            "Records": [
                {
                    "messageId": message["MessageId"],
                    "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                }
                for message in self.messages
            ]
        }
        context = SimpleNamespace(
            aws_request_id=f"request-{self.number}",
            get_remaining_time_in_millis=lambda: int((self.ends - self._clock.now) * 1000),
        )
        return handler.lambda_handler(event, context)

    def kill(self) -> None:
        """From now on nothing that it does is seen by anybody."""
        self.dead = True
        for ticket in self.waiting:
            ticket.decide(CUT_OFF)
        self.waiting.clear()

    def join(self) -> None:
        assert self._thread is not None
        self._thread.join(REAL_SECONDS)
        assert not self._thread.is_alive(), f"invocation {self.number} hangs"

    def resources(self) -> Resources:
        """The function's own means, on this invocation's port and in the schedule's time."""
        settings, conditions, port = self._conditions.settings, self._conditions, self.port
        return replace(
            handler.resources_of(settings, port.clients),
            ledger=Ledger(port.clients.dynamodb, settings.ledger_table, now=self._monotonic),
            mailer=Mailer(
                port.clients.sns,
                settings.topic_arn,
                clock=self._monotonic,
                sleep=self.sleep,
            ),
            open_writer=self._open_writer,
            clock=self._ticking,
            limits=conditions.limits,
        )

    def _run(self, job: Callable[[], Any]) -> None:
        _mine.invocation = self
        try:
            self.result = job()
        except BaseException as error:
            self.crash = error
        finally:
            self.finished = True
            self._news.put(self)

    def _ask(self, request: Request) -> Reply:
        if self.dead:
            return CUT_OFF
        ticket = Ticket(request, asked=self._clock.now)
        self.waiting.append(ticket)
        self._news.put(self)
        ticket.decided.wait()
        return ticket.reply

    def _open_writer(self, source: str, deadline: float) -> BulkWriter:
        return _SteadyWriter(
            self.port.connection,
            self._conditions.settings.table,
            source=source,
            lanes=self._conditions.lanes,
            deadline=deadline,
            clock=self._monotonic,
            sleep=self.sleep,
            random=self._random.random,
        )

    def _monotonic(self) -> float:
        # A killed process has no time: whatever it still waits for is over.
        return self._clock.now + (1e9 if self.dead else 0.0)

    def _ticking(self) -> float:
        self.sleep(self._conditions.tick)
        return self._monotonic()

    def sleep(self, seconds: float) -> None:
        if not self.dead:
            self._clock.pass_by(seconds)


class _SteadyWriter(BulkWriter):
    """With one lane it waits for what can be sent now, so that a seed gives the same run again."""

    def put(self, performances: Any) -> None:
        super().put(performances)
        with self._changed:
            while self._active and self._pace.most == 1:
                self._changed.wait()


_mine = local()


@contextmanager
def functions_in_threads(conditions: Conditions) -> Iterator[None]:
    """The handler module serves whichever invocation runs in a thread; botocore never sleeps."""

    def function() -> tuple[FunctionSettings, Ingestor, Any]:
        mine: Invocation = _mine.invocation
        return mine._conditions.settings, Ingestor(mine.resources()), mine.port.clients

    def budget(remaining: float) -> Budget:
        whole = Budget.of_invocation(remaining)
        return whole._replace(work=whole.work * conditions.share)

    def log() -> Log:
        return Log(out=_mine.invocation.log)

    def uniform(low: float, high: float) -> float:
        mine: Invocation = _mine.invocation
        return mine._random.uniform(low, high)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handler, "_function", function)
        patch.setattr(handler, "Log", log)
        patch.setattr(messages, "random", SimpleNamespace(uniform=uniform))
        patch.setattr(kit, "random", SimpleNamespace(uniform=uniform))
        patch.setattr(messages, "Budget", SimpleNamespace(of_invocation=budget))
        patch.setattr(reports_bucket, "LEDGER_BYTES", conditions.ledger_bytes)
        patch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda seconds: None))
        yield
