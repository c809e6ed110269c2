"""Running schedules by number: the same seed gives the same schedule again."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .checker import Checker
from .invocation import Ports
from .store import Store
from .world import Backend, World


@dataclass(frozen=True)
class Result:
    """What one schedule came to."""

    seed: str
    findings: list[str]
    world: World


@dataclass
class Total:
    """What many schedules came to."""

    schedules: int = 0
    invocations: int = 0
    calls: int = 0
    uploads: int = 0
    dead_letters: int = 0
    mails: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    failed: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        record = result.world.record
        self.schedules += 1
        self.invocations += record.invocations
        self.calls += len(record.calls)
        self.uploads += sum(map(len, record.uploads.values()))
        self.dead_letters += len(record.redriven)
        self.mails += len(record.mails)
        self.faults += result.world.happened
        self.actions += record.actions
        if result.findings:
            self.failed.append(result)


def stand_in() -> Backend:
    """An empty store."""
    return Store("performances", "ledger")


def run_schedule(
    seed: str,
    ports: Ports,
    backend: Callable[[], Backend] = stand_in,
    *,
    crowded: bool | None = None,
) -> Result:
    """One schedule to its end: checked once when the queue is empty, and again after a redrive.

    `crowded` schedules have versions of one file that come while others are worked on; None lets
    the seed decide.
    """
    world = World(seed, backend(), ports, crowded=crowded)
    findings = []
    try:
        world.run()
        findings += Checker(world).findings()
        if world.dead.letters:
            world.redrive()
            findings += [f"after the redrive: {each}" for each in Checker(world).findings()]
            if world.dead.letters:
                findings.append("after the redrive: the dead-letter queue is not empty")
    except AssertionError as error:
        findings.append(f"{type(error).__name__}: {error}")
    finally:
        world.close()
    return Result(seed, findings, world)
