"""Which fault befalls which call: decided by a seed, and by what the call is, not by when it is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

THROTTLED = "throttled"
FAILED = "500"
FAILED_LATE = "500 after it was done"
REFUSED = "connection dropped before"
LOST = "connection dropped after it was done"
TRUNCATED = "answer truncated"
SLOW = "slow"
UNPROCESSED = "part unprocessed"
KILLED = "killed before a call"
KILLED_LATE = "killed after a call"
TIMED_OUT = "ended by Lambda's timeout"
REPEATED = "message delivered twice"
TOGETHER = "message delivered to two at once"

ANY_CALL = (THROTTLED, FAILED, FAILED_LATE, REFUSED, LOST, TRUNCATED, SLOW)
OTHER_FAULTS = (UNPROCESSED, KILLED, KILLED_LATE, TIMED_OUT, REPEATED, TOGETHER)
# After these the work is done and the client does not know it.
DONE_UNKNOWN = frozenset({FAILED_LATE, LOST, TRUNCATED, KILLED_LATE})


@dataclass
class Plan:
    """The faults of one schedule. `rates` are chances by service, 0 to 1."""

    seed: str
    rates: Mapping[str, float]
    kill: float
    enabled: bool = True
    happened: Counter[str] = field(default_factory=Counter)

    def lifetime(self, invocation: int) -> int | None:
        """After how many calls this invocation is killed, or None."""
        random = Random(f"{self.seed}/{invocation}")
        return random.randint(1, 24) if random.random() < self.kill else None

    def fault(self, invocation: int, service: str, operation: str, nth: int) -> str:
        """What befalls an invocation's nth call of an operation; '' is nothing."""
        if not self.enabled:
            return ""
        random = Random(f"{self.seed}/{invocation}/{operation}/{nth}")
        chance = random.random()
        if operation == "BatchWriteItem" and chance < 2 * self.rates[service]:
            return random.choice((*ANY_CALL, *[UNPROCESSED] * len(ANY_CALL)))
        return random.choice(ANY_CALL) if chance < self.rates[service] else ""


def make_plan(random: Random, seed: str) -> Plan:
    """A third of the schedules is mild, a third harsh; one in ten has no fault but duplicates."""
    harshness = random.choice((0, 0.03, 0.03, 0.08, 0.08, 0.08, 0.2, 0.2, 0.2, 0.35))
    rates = {
        service: min(0.6, harshness * random.choice((0.3, 1, 1.5)))
        for service in ("s3", "dynamodb", "sns", "sqs")
    }
    return Plan(seed, rates, kill=random.choice((0, 0, 0.2, 0.5)) if harshness else 0)
