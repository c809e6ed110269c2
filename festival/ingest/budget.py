"""How long one try at a file may take."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """How long one try may work, in seconds from its start.

    Reading stops at `work`, writing at `write`, and the lease lapses at `lease`. With `renew` all
    three move on while the work goes on, for a process that no service ends.
    """

    work: float
    write: float
    lease: float
    renew: bool = False

    @classmethod
    def of_invocation(cls, remaining: float) -> "Budget":
        """For a function that is ended in `remaining` seconds; the lease outlives it."""
        reserve = min(20.0, remaining / 4)
        return cls(remaining - reserve, remaining - reserve / 2, remaining + 15.0)

    @classmethod
    def of_command(cls) -> "Budget":
        """For a process that works until it is done: a short lease, renewed as it goes."""
        return cls(math.inf, 25.0, 30.0, renew=True)
