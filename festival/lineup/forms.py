"""In which form a cell is written, told without a mapping and without deciding what it means."""

from typing import Any

from festival.lineup.clocks import moment, parts
from festival.lineup.dates import written
from festival.lineup.instants import epoch
from festival.lineup.model import MINUTES_PER_DAY
from festival.lineup.values import Number, RuleError, fold, shown, text_of

BLANK = "blank"
PLACEHOLDER = "placeholder"
OTHER = "other"
EPOCH = "epoch"
RANGE = "range"
LATE = "25:30"
_PLACEHOLDERS = frozenset(
    ("tba", "tbc", "tbd", "tobeannounced", "tobeconfirmed", "na", "n/a", "none", "?", "??", "???")
)
_LATEST = 2 * MINUTES_PER_DAY


def is_placeholder(cell: Any) -> bool:
    """Whether a cell only says that something is not known yet."""
    return isinstance(cell, str) and fold(cell) in _PLACEHOLDERS


def time_form(cell: Any) -> str:
    """The form of a time: `20:00`, `8:00pm`, `HHMM`, a date-time, a range of two, epoch, …"""
    common = _common_form(cell)
    if common:
        return common
    try:
        found = moment(cell, last=_LATEST)
        return LATE if found.minutes > MINUTES_PER_DAY else found.form
    except RuleError:
        pass
    try:
        first, second = parts(cell)
        return f"{RANGE} {moment(first).form}" + ("" if second else ", open")
    except RuleError:
        return OTHER


def date_form(cell: Any) -> str:
    """The form of a date: `YYYY-MM-DD`, `01/02/2025`, `1 February 2025`, a weekday, …"""
    common = _common_form(cell)
    if common:
        return common
    try:
        readings = written(text_of(cell))
        return readings[0].form if readings else moment(cell).form
    except RuleError:
        return OTHER


def popularity_form(cell: Any) -> str:
    """Whether a popularity is a whole number from 1 to 100, a larger one, or none."""
    text = cell.text if isinstance(cell, Number) else shown(cell)
    if not text.strip():
        return BLANK
    whole = text.strip().removesuffix(".0")
    if not (whole.isascii() and whole.isdigit()):
        return OTHER
    return "1 to 100" if len(whole) < 4 and 1 <= int(whole) <= 100 else "0 or above 100"


def _common_form(cell: Any) -> str:
    if is_placeholder(cell):
        return PLACEHOLDER
    if isinstance(cell, bool | list | dict):
        return OTHER
    if not text_of(cell):
        return BLANK
    return EPOCH if epoch(cell) else ""
