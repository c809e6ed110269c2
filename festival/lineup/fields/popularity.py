"""Popularities: scores from 1 to 100, and the ranks that some files have in their place."""

import re
from collections.abc import Iterable
from typing import Any

from festival.lineup.fields.text import RuleError, text_of
from festival.lineup.model import Performance

_BEST = 100
_FEWEST_RANKS = 3
_WHOLE = re.compile(r"([0-9]{1,9})(?:\.0+)?")


def popularity(value: Any) -> int | None:
    """A whole number from 1 to 100, or None for a blank. Raises RuleError for anything else.

    `80.0` counts as whole: spreadsheets and pandas write that once a cell in the column is blank.
    """
    score = _whole(text_of(value))
    if score is not None and not 1 <= score <= _BEST:
        raise RuleError(
            "is not a whole number from 1 to 100; kept without it, unless popularity_is: rank",
            "popularity_is",
        )
    return score


def rank(value: Any) -> int | None:
    """The popularity for a rank: 101 minus the rank, and at least 1. Rank 1 is the biggest.

    None for a blank. Raises RuleError for anything but a whole number from 1 up.
    """
    place = _whole(text_of(value))
    if place is None:
        return None
    if place < 1:
        raise RuleError("is not a rank, a whole number from 1 up; kept without it")
    return max(1, _BEST + 1 - place)


class SeenScores:
    """Finds out whether the popularities are 1, 2, 3, … and each performer has a different one.

    Ranks look like that; scores hardly ever do.
    """

    def __init__(self) -> None:
        self._by_score: dict[int, str] = {}
        self._by_performer: dict[str, int] = {}
        self._are_shared = False

    def note(self, performances: Iterable[Performance]) -> None:
        """Remember scores until two performers share one or one performer has two."""
        if self._are_shared:
            return
        for performer, *_, score, _ in performances:
            if score is None:
                continue
            if (
                self._by_score.setdefault(score, performer) != performer
                or self._by_performer.setdefault(performer, score) != score
            ):
                self._are_shared = True
                return

    @property
    def ranks(self) -> int:
        """How many ranks there are; 0 if the scores do not look like ranks."""
        last = len(self._by_score)
        is_all = not self._are_shared and last == max(self._by_score, default=0)
        return last if is_all and last >= _FEWEST_RANKS else 0


def _whole(text: str) -> int | None:
    if not text:
        return None
    whole = _WHOLE.fullmatch(text)
    if not whole:
        raise RuleError("is not a whole number; kept without it")
    return int(whole[1])
