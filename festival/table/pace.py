"""How fast to write: concurrency that adapts, and the pauses between tries. Pure arithmetic.

Additive increase, multiplicative decrease, as TCP meets a congested path (Chiu and Jain, 1989);
full jitter as in "Exponential Backoff And Jitter" (AWS Architecture Blog).
"""

from typing import NamedTuple

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0


class Pace(NamedTuple):
    """How many requests may be on their way at once: from 1 to `most`."""

    most: int
    allowed: float = 2.0
    cut_at: float = float("-inf")

    def after_success(self) -> "Pace":
        """One more for each whole window of requests that succeeded."""
        if self.allowed >= self.most:
            return self
        return self._replace(allowed=min(self.most, self.allowed + 1 / self.allowed))

    def after_throttle(self, sent: float, now: float) -> "Pace":
        """Half, once for all the requests that were on their way together."""
        if sent < self.cut_at:
            return self
        return self._replace(allowed=max(1.0, self.allowed / 2), cut_at=now)


def pause(attempt: int, chance: float) -> float:
    """Seconds to wait after the nth failed try (from 1); `chance` is random, 0 to 1."""
    return chance * min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 16))
