"""AWS's time: this machine's wall clock, corrected by the `Date` of every answer.

A lease ends at a moment in AWS's time. Unlike CLOCK_MONOTONIC, the wall clock keeps running while a
machine is suspended; if it is wrong, AWS's answers say by how much.
"""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from threading import local
from typing import Any

from festival.errors import FestivalError

# AWS refuses a signature that is 5 minutes off ("Signature Version 4": request expiration).
MOST_SKEW_SECONDS = 240.0


class ClockSkewError(FestivalError):
    """This machine's clock is further off than can be corrected."""


class AwsClock:
    """Epoch seconds as AWS counts them, as nearly as its answers say.

    An answer's `Date` has whole seconds and was written between sending and receiving, which bounds
    the offset from both sides. The smallest offset within the bounds is used.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._bounds = (float("-inf"), float("inf"))
        self._mine = local()

    def now(self) -> float:
        """Raises ClockSkewError if this machine's clock is off by more than four minutes."""
        least, most = self._bounds
        offset = min(max(0.0, least), most)
        if abs(offset) > MOST_SKEW_SECONDS:
            where = "behind" if offset > 0 else "ahead of"
            raise ClockSkewError(
                f"this machine's clock is {abs(offset):,.0f} s {where} AWS's; expected "
                f"at most {MOST_SKEW_SECONDS:,.0f} s: set the clock, for example with "
                "`timedatectl set-ntp true`, and try again"
            )
        return self._wall() + offset

    def watch(self, client: Any) -> None:
        """Learn from every answer that a botocore client gets."""
        client.meta.events.register("before-send", self._note_sent)
        client.meta.events.register("before-parse", self._note_answer)

    def learn(self, date: str, sent: float, received: float) -> None:
        """Take an answer's `Date`, and the wall-clock times of its request and its arrival."""
        try:
            stamp = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        least, most = stamp - received, stamp + 1 - sent
        both = max(least, self._bounds[0]), min(most, self._bounds[1])
        # Bounds that contradict each other: the clock was set in between.
        self._bounds = both if both[0] <= both[1] else (least, most)

    def _note_sent(self, **_: Any) -> None:
        self._mine.sent = self._wall()

    def _note_answer(self, response_dict: dict[str, Any], **_: Any) -> None:
        received = self._wall()
        if date := response_dict["headers"].get("date"):
            self.learn(date, getattr(self._mine, "sent", received), received)
