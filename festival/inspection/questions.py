"""Examines what the cells leave open: dates, times, nights, names, popularities.

Each function examines one kind of doubt. If the cells settle it, an option is added to the
proposal; if not, a question with the possible answers.
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from festival.inspection.evidence import Evidence, normalised
from festival.inspection.forms import (
    BLANK,
    EPOCH,
    LARGE,
    LATE,
    OTHER,
    PLACEHOLDER,
    as_moment,
    counted_forms,
    date_form,
    dates_in,
    is_open_end,
    is_open_range,
    is_placeholder,
    is_range,
    time_in,
)
from festival.inspection.matching import match_fields
from festival.inspection.result import THE_FILE, Answer, Question
from festival.lineup.fields.text import RuleError, fold, preview, text_of
from festival.lineup.fields.times import parts
from festival.lineup.mapped.dates import (
    NUMBERS,
    WEEKDAY,
    WEEKDAY_AND_DAY,
    WrittenDate,
)
from festival.lineup.model import DURATION, END_DATE, MINUTES_PER_DAY, TIME, Performance, clock

_SHORT_YEAR = re.compile(r"[0-9]{2}-[0-9]{1,2}-[0-9]{1,2}")
_ZONES = "such as Europe/Paris"
_LABELS = 12
_ID = re.compile(r"[0-9]+|[0-9a-f]{24}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_STATUS = re.compile(r"status|state|active|cancel|published|confirmed|visible", re.IGNORECASE)
_NOT_PLAYED = frozenset(("n", "no", "false", "0", "cancelled", "canceled", "draft", "withdrawn"))
_OFTEN = 3
_BEST = 100
_MANY = 3
_TIMES = ("Start", "End", TIME)
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
# A length's minimum and maximum in each unit, the likeliest unit first.
_UNITS = {"hours": (0.1, 24), "seconds": (300, 86400), "days": (0.003, 1), "minutes": (1, 1440)}
_DECIMAL_HOUR = re.compile(r"[12]?[0-9](?:\.[05]|\.[27]5)?")
_CLOCK_FORMS = frozenset(("20:00", "19h30", "HHMM", "integer"))
_LEAST_GAP = 3 * 60
_MORNING = 6 * 60
_NOON = 12 * 60
_LONG_DAY = 12 * 60


def examine(evidence: Evidence) -> None:
    """Collect everything that the sample adds to the given mapping."""
    match_fields(evidence)
    for name, column in evidence.by_field.items():
        if name not in (DURATION, END_DATE):
            evidence.forms += counted_forms(name, evidence.sample.cells(column))
    _examine_fill_down(evidence)
    _examine_dates(evidence)
    _examine_instants(evidence)
    _examine_integers(evidence)
    _examine_clock(evidence)
    _examine_lengths(evidence)
    _examine_ends(evidence)
    _examine_names(evidence)
    _examine_popularity(evidence)
    _examine_nights(evidence)


def _examine_fill_down(evidence: Evidence) -> None:
    """Ask about cells merged in a spreadsheet: a value once, then blanks below it."""
    blanks = {}
    for name in ("Date", "Stage"):
        column = evidence.by_field.get(name)
        texts = [preview(row.get(column)).strip() for row in evidence.rows_with_start() if column]
        blank = texts.count("")
        if texts and texts[0] and blank and (blank >= len(texts) / 4 or blank > _MANY):
            blanks[name] = blank
    if fields := [*blanks]:
        evidence.ask(
            f"blank cells below a {' or '.join(fields)}: {sum(blanks.values()):,}",
            "fill_down",
            f"{' and '.join(fields)}, if they mean the value above",
            must=True,
            answers=[Answer(", ".join(fields), {"fill_down": fields})],
        )


def _examine_dates(evidence: Evidence) -> None:
    column = evidence.by_field.get("Date")
    cells = evidence.sample.cells(column)
    given = dict(evidence.given.dates)
    texts = [text_of(cell) for cell in cells if isinstance(cell, str) and fold(cell) not in given]
    dates = [(text, each) for text in texts for each in dates_in(text)[:1]]
    readings = [each for _, each in dates]
    _examine_order(evidence, dates)
    _examine_years(evidence, readings)
    if days := sum(each.form in (WEEKDAY, WEEKDAY_AND_DAY) for each in readings):
        seen = f"dates that are weekdays or days of a month: {days:,}"
        _ask_first_date(evidence, seen, "2025-06-12")
    labels = dict.fromkeys(
        preview(cell)
        for cell in cells
        if date_form(cell) == OTHER and fold(preview(cell)) not in given
    )
    if labels and column:
        some = ", ".join(list(labels)[:_LABELS]) + (", …" if len(labels) > _LABELS else "")
        each_day = {label: f"2025-06-{12 + at % 18:02d}" for at, label in enumerate(labels)}
        evidence.ask(
            f"words or numbers for dates: {some}",
            "dates",
            f"what date each stands for, such as {next(iter(labels))} = 2025-06-12",
            must=True,
            assumed={"dates": each_day},
        )


def _examine_years(evidence: Evidence, readings: Sequence[WrittenDate]) -> None:
    without = [
        each
        for each in readings
        if each.year is None and each.form not in (WEEKDAY, WEEKDAY_AND_DAY)
    ]
    if not without or evidence.given.first_date or evidence.given.year:
        return
    months = {each.month or _month(each, evidence) for each in without}
    if {1, 12} <= months:
        seen = f"dates without a year, around New Year: {len(without):,}"
        _ask_first_date(evidence, seen, "2025-12-01")
        return
    evidence.ask("dates without a year", "year", "such as 2025", must=True, assumed={"year": 2025})


def _month(reading: WrittenDate, evidence: Evidence) -> int:
    first, second = reading.numbers or (0, 0)
    return first if evidence.options.get("date_order") == "month_first" else second


def _ask_first_date(evidence: Evidence, seen: str, example: str) -> None:
    evidence.ask(
        seen,
        "first_date",
        "the festival's first day, as YYYY-MM-DD; or in dates each one's date",
        must=True,
        assumed={"first_date": example},
    )


def _examine_order(evidence: Evidence, dates: Sequence[tuple[str, WrittenDate]]) -> None:
    readings = [each for _, each in dates]
    numbers = [each.numbers for each in readings if each.numbers and each.form == NUMBERS]
    if "date_order" in evidence.options:
        return
    between = [text for text, each in dates if each.month and each.last is not None]
    if between and not numbers:
        _ask_order(evidence, between, ["day_first", "year_first"])
    if not numbers:
        return
    texts = [text for text, each in dates if each.numbers]
    orders = _orders(texts, numbers)
    if len(orders) == 1:
        evidence.options["date_order"] = orders[0]
        evidence.ask(
            f"dates taken as {orders[0]}, since {max(map(max, numbers))} is not a month",
            "date_order",
            "day_first or month_first",
        )
        return
    _ask_order(evidence, texts, orders)


def _ask_order(evidence: Evidence, texts: Sequence[str], orders: Sequence[str]) -> None:
    answers = [Answer(order, {"date_order": order}) for order in orders]
    evidence.ask(
        f"dates that can be read in {len(orders)} ways, such as {texts[0]}: {len(texts):,}",
        "date_order",
        " or ".join(orders),
        must=True,
        answers=answers,
        assumed=answers[0].options,
    )


def _orders(texts: Sequence[str], numbers: Sequence[tuple[int, int]]) -> list[str]:
    """The orders that fit all of these numeric dates."""
    first, second = (max(each[place] for each in numbers) for place in (0, 1))
    orders = ["day_first", "month_first"]
    if first > 12 >= second:
        orders = ["day_first"]
    elif second > 12 >= first:
        orders = ["month_first"]
    # Dates such as 25-06-13 begin with the year as often as they end with it; 13/06/25 rarely does.
    if all(_SHORT_YEAR.fullmatch(text) for text in texts) and second <= 12:
        orders.append("year_first")
    return orders


def _examine_instants(evidence: Evidence) -> None:
    epochs = sum(evidence.count(name, EPOCH) for name in ("Date", *_TIMES))
    offsets = sum(evidence.count(name, "date-time with offset") for name in _TIMES)
    if epochs:
        evidence.ask(
            f"instants: {epochs:,}", "time_zone", _ZONES, must=True, assumed={"time_zone": "UTC"}
        )
    elif offsets:
        cells = [cell for cell in evidence.cells(*_TIMES) if isinstance(cell, str)]
        in_utc = sum((time := as_moment(cell)) is not None and time.offset == 0 for cell in cells)
        seen = "date-times with an offset, read as the local time there"
        if in_utc * 2 > len(cells):
            seen = f"date-times in UTC: {in_utc:,}"
        evidence.ask(seen, "time_zone", f"{_ZONES}, if they are not local")


def _examine_integers(evidence: Evidence) -> None:
    """Ask what times that are numbers count: hours, hours and minutes, or minutes."""
    texts = _texts_of(evidence.cells("Start"))
    if texts and all(text.isdecimal() and int(text) < 25 for text in texts):
        answers = [Answer(each, {"integer_is": each}) for each in ("hour", "hhmm")]
        evidence.ask(
            f"times that are whole numbers below 25, such as {texts[0]}: {len(texts):,}",
            "integer_is",
            "hour or hhmm",
            must=True,
            answers=answers,
            assumed=answers[0].options,
        )
    elif texts and all(_DECIMAL_HOUR.fullmatch(text) for text in texts):
        _ask_what_counts(evidence, texts, "hour")
    elif any(map(_is_not_hhmm, [*texts, *_texts_of(evidence.cells("End"))])):
        _ask_what_counts(evidence, texts, "minute")


def _texts_of(cells: Sequence[Any]) -> list[str]:
    return [preview(cell).strip() for cell in cells]


def _is_not_hhmm(text: str) -> bool:
    return text.isdecimal() and len(text) in (3, 4) and int(text[-2:]) > 59


def _ask_what_counts(evidence: Evidence, texts: Sequence[str], unit: str) -> None:
    answers = [Answer(unit, {"integer_is": unit})]
    evidence.ask(
        f"times that are numbers, such as {texts[0]}: {len(texts):,}",
        "integer_is",
        f"{unit}, if they count {unit}s from midnight",
        must=True,
        answers=answers,
        assumed=answers[0].options,
    )


def _halves(cells: Sequence[Any]) -> list[Any]:
    halves: list[Any] = []
    for cell in cells:
        try:
            halves += [half for half in parts(cell) if half]
        except RuleError:
            halves.append(cell)
    return halves


def _examine_clock(evidence: Evidence) -> None:
    """Ask about hours up to 12 without am or pm, which may be on either clock."""
    if evidence.given.clock or any(each.option == "integer_is" for each in evidence.questions):
        return
    cells = [*evidence.cells("Start", "End"), *_halves(evidence.cells(TIME))]
    times = [each for cell in cells if (each := as_moment(cell))]
    if not times or any(each.form not in _CLOCK_FORMS for each in times):
        return
    if not all(60 <= each.minutes < 13 * 60 for each in times):
        return
    starts = [*evidence.cells("Start"), *(_halves([cell])[0] for cell in evidence.cells(TIME))]
    halves = _half_days(evidence, starts)
    answers = [Answer(each, {"clock": each}) for each in ("24h", *halves)]
    evidence.ask(
        f"no hour is above 12, and none has am or pm: {len(times):,} times",
        "clock",
        " or ".join(each.label for each in answers),
        answers=answers,
        assumed=answers[1].options,
    )


def _half_days(evidence: Evidence, starts: Sequence[Any]) -> list[str]:
    """The 12-hour readings: from noon on and, if a start is at 10 or 11, from the morning on.

    The first is that in which a stage's performances are nearest to the order of the rows.
    """
    late_morning = range(10 * 60, 12 * 60)
    if not any((time := as_moment(cell)) and time.minutes in late_morning for cell in starts):
        return ["12h"]
    return sorted(("12h", "12h from 10:00"), key=lambda each: _disorder(evidence, {"clock": each}))


def _disorder(evidence: Evidence, options: dict[str, Any]) -> int:
    """How often a row begins before the row above it with the same stage and date."""
    mapping = evidence.trial(options)
    rows = normalised(evidence.sample.rows, mapping).performances if mapping else []
    return sum(
        (before.stage, before.date) == (after.stage, after.date) and after.start < before.start
        for before, after in pairwise(rows)
    )


def _examine_lengths(evidence: Evidence) -> None:
    """Ask about lengths that are bare numbers: only their size suggests the unit."""
    texts = _texts_of(evidence.cells(DURATION))
    numbers = [float(each.replace(",", ".")) for each in texts if _NUMBER.fullmatch(each)]
    if not numbers or all(each.is_integer() and 10 <= each <= 1440 for each in numbers):
        return
    likely = [unit for unit, (least, most) in _UNITS.items() if _lie(numbers, least, most)]
    answers = [Answer(unit, {"length_is": unit}) for unit in likely]
    evidence.ask(
        f"lengths in an unknown unit, such as {texts[0]}: {len(numbers):,}",
        "length_is",
        " or ".join(likely or _UNITS),
        must=True,
        answers=answers,
        assumed=answers[0].options if answers else None,
    )


def _lie(numbers: Sequence[float], least: float, most: float) -> bool:
    return all(least <= each <= most or not each for each in numbers)


def _examine_ends(evidence: Evidence) -> None:
    if late := sum(evidence.count(name, LATE) for name in _TIMES):
        evidence.ask(
            f"times past 24:00: {late:,}",
            "day_starts_at",
            "such as 06:00, with date_is festival_day",
            must=True,
            answers=[_festival_day(_MORNING)],
            assumed=_festival_day(_MORNING).options,
        )
    if DURATION in evidence.by_field or "Duration" in dict(evidence.given.columns):
        return
    open_ended = [
        each
        for each in evidence.forms
        if each.field == TIME
        and (
            is_open_range(each.form)
            or not (is_range(each.form) or each.form in (OTHER, BLANK, PLACEHOLDER))
        )
    ]
    column = evidence.by_field.get("End")
    ends = [row.get(column) for row in evidence.rows_with_start() if column]
    blank = sum(not preview(end).strip() for end in ends) + sum(e.count for e in open_ended)
    if blank:
        evidence.ask(
            f"missing ends: {blank:,}",
            "default_length",
            "minutes",
            must=True,
            assumed={"default_length": 60},
        )


def _examine_names(evidence: Evidence) -> None:
    placeholders = set(map(fold, evidence.given.placeholders))
    for name, candidates in (
        *((each, evidence.cells(each)) for each in ("Performer", "Stage", "End")),
        ("End", [_open_end(cell) for cell in evidence.cells(TIME)]),
    ):
        means_unknown = is_open_end if name == "End" else is_placeholder
        cells = [cell for cell in candidates if means_unknown(cell)]
        texts = dict.fromkeys(map(preview, cells))
        words = [text for text in texts if fold(text) not in placeholders]
        if not words:
            continue
        quoted = ", ".join(f'"{word}"' for word in words[:_LABELS])
        article = "an" if name[0] in "AEIOU" else "a"
        choices = f"[{quoted}], if this is not {article} {name}"
        options: dict[str, Any] = {"placeholders": words}
        if name == "End" and not evidence.given.default_length:
            choices += ", and default_length"
            options["default_length"] = 60
        label = ", ".join(words) + (", 60 minutes long" if len(options) > 1 else "")
        some = f"the {name} is '{words[0]}'" + (" or similar" if len(words) > 1 else "")
        evidence.questions.append(
            Question(
                f"{some}: {len(cells):,}", "placeholders", choices, False, (Answer(label, options),)
            )
        )
    _examine_ids(evidence)
    _examine_cancelled(evidence)


def _examine_ids(evidence: Evidence) -> None:
    """Ask about a performer or stage that is a number or an id in every row."""
    for name in ("Performer", "Stage"):
        column = evidence.by_field.get(name)
        texts = _texts_of(evidence.cells(name))
        if texts and column and all(map(_ID.fullmatch, texts)):
            evidence.ask(
                f"the {name} is a number or an id, such as '{texts[0]}': {len(texts):,}",
                "lookups",
                f"where in the document '{column}' is a key; or another column",
            )


def _open_end(cell: Any) -> str:
    """The end of a cell such as `10pm - late`."""
    try:
        return preview(parts(cell, time_in)[1])
    except RuleError:
        return ""


def _examine_cancelled(evidence: Evidence) -> None:
    """Report a column that says which rows will not be played."""
    used = set(evidence.by_field.values())
    for name in evidence.sample.names:
        if name in used or not _STATUS.search(name):
            continue
        words = Counter(fold(preview(cell)) for cell in evidence.sample.cells(name))
        off = {word: n for word, n in words.items() if word in _NOT_PLAYED}
        if off and len(off) < len(words):
            word, count = next(iter(off.items()))
            evidence.ask(
                f"the column '{name}' says '{word}': {count:,}; such rows are read like the others",
                THE_FILE,
                "take out rows that are not played",
            )


def _examine_popularity(evidence: Evidence) -> None:
    texts = _texts_of(evidence.cells("Popularity"))
    whole = Counter(int(text) for text in texts if text.isdecimal() and len(text) < 9)
    answers = [Answer(each, {"popularity_is": each}) for each in ("rank", "score")]
    if odd := evidence.count("Popularity", LARGE):
        evidence.ask(
            f"popularities that are not from 1 to 100: {odd:,}",
            "popularity_is",
            "rank, if 1 is the biggest",
            answers=answers,
        )
        largest, count = max(whole.items(), default=(0, 0))
        if count >= _OFTEN:
            evidence.ask(
                f"the largest popularity is {largest}: {count:,}",
                "popularity_none",
                f"[{largest}], if that means none",
                answers=[Answer(str(largest), {"popularity_none": [largest]})],
            )
    elif _are_all_from_1(whole):
        evidence.ask(
            f"the popularities are 1 to {len(whole)}, each once or more",
            "popularity_is",
            "rank, if 1 is the biggest, or score",
            answers=answers,
        )


def _are_all_from_1(scores: Counter[int]) -> bool:
    """Whether the scores are all the numbers from 1 to some number, as ranks are.

    If they are 1 to 100, and some occur twice, they are scores.
    """
    last = len(scores)
    is_all = last >= _MANY and sorted(scores) == list(range(1, last + 1))
    return is_all and (last < _BEST or scores.total() == last)


def _examine_nights(evidence: Evidence) -> None:
    """Ask whether starts after midnight belong to the evening before them."""
    if any(each.option == "day_starts_at" for each in evidence.questions):
        return
    dated = evidence.by_field.get("Date") == evidence.by_field.get("Start")
    mapping = evidence.trial()
    if mapping is None or mapping.date_is or dated:
        return
    performances = normalised(evidence.sample.rows, mapping).performances
    morning = _day_starts(performances)
    nights = [each for each in performances if each.start % MINUTES_PER_DAY < morning]
    if not nights or (len(nights) == len(performances) and len(performances) < 2):
        return
    first = nights[0]
    day, minutes = first.date, first.start
    answers = []
    for label, options in (
        ("festival_day", {"day_starts_at": clock(morning), "date_is": "festival_day"}),
        ("calendar_day", {"day_starts_at": clock(morning), "date_is": "calendar_day"}),
        ("as written", {"date_is": "calendar_day"}),
    ):
        answers.append(Answer(label, options, _night(label, day, minutes)))
    evidence.ask(
        f"starts before {clock(morning)}, such as {first.performer}'s at {clock(minutes)}: "
        f"{len(nights):,}",
        "day_starts_at",
        f"{clock(morning)}, with date_is festival_day if Date is the evening's, else calendar_day",
        answers=answers,
    )


def _night(label: str, day: str, minutes: int) -> str:
    """How an answer reads a start after midnight."""
    try:
        at = date.fromisoformat(day)
        after = at + timedelta(days=label == "festival_day")
        evening = after - timedelta(days=1)
    except (ValueError, OverflowError):
        return ""
    if label == "as written":
        return f"{day} {clock(minutes)}"
    return f"the night of {evening:%a %d %b} to {after:%a %d %b}"


def _festival_day(minutes: int) -> Answer:
    return Answer("festival_day", {"day_starts_at": clock(minutes), "date_is": "festival_day"})


def _day_starts(performances: Sequence[Performance]) -> int:
    """The middle of the widest gap between performances, on the hour; 06:00 if none is wide.

    Only a gap that ends by noon counts: starts before it may belong to the evening before.
    """
    busy = [False] * MINUTES_PER_DAY
    for each in performances:
        length = min(max(each.end - each.start, 1), _LONG_DAY)
        for minute in range(each.start, each.start + length):
            busy[minute % MINUTES_PER_DAY] = True
    gaps: list[tuple[int, int]] = []
    begin = 0
    for minute in range(_NOON + 1):
        if busy[minute]:
            gaps.append((minute - begin, begin))
            begin = minute + 1
    gaps.append((_NOON - begin, begin))
    width, begin = max(gaps)
    if width < _LEAST_GAP:
        return _MORNING
    middle = begin + width // 2
    return min(max((middle + 59) // 60 * 60, 60), _NOON)
