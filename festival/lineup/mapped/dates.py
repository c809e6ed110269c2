"""Reads dates in words and figures, and finds the day that they mean under a mapping."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import product
from typing import NamedTuple

from festival.lineup.fields.text import RuleError, fold
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Day, Doubt, WarningKind
from festival.text import counted

_MONTHS = (
    "january januar jänner januari janvier enero gennaio janeiro styczeń stycznia leden ledna",
    "february februar feber februari février febrero febbraio fevereiro luty lutego únor února",
    "march märz maart marts mars marzo março marzec marca březen března",
    "april avril abril aprile kwiecień kwietnia duben dubna",
    "may mai mei maj mayo maggio maio maja květen května",
    "june juni juin junio giugno junho czerwiec czerwca",
    "july juli juillet julio luglio julho lipiec lipca",
    "august augustus augusti août agosto sierpień sierpnia srpen srpna",
    "september septembre septiembre settembre setembro wrzesień września",
    "october oktober octobre octubre ottobre outubro październik października říjen října",
    "november novembre noviembre novembro listopad listopada listopadu",
    "december dezember desember décembre diciembre dicembre dezembro grudzień grudnia prosinec",
)
# Names that begin like another month's name, and so count only in full.
_WHOLE_MONTHS = (
    "tammikuu tammikuuta",
    "helmikuu helmikuuta",
    "maaliskuu maaliskuuta",
    "huhtikuu huhtikuuta",
    "toukokuu toukokuuta",
    "kesäkuu kesäkuuta červen června",
    "heinäkuu heinäkuuta červenec července",
    "elokuu elokuuta",
    "syyskuu syyskuuta září",
    "lokakuu lokakuuta",
    "marraskuu marraskuuta",
    "joulukuu joulukuuta prosince",
)
_WEEKDAYS = (
    "monday montag lundi lunes lunedì segunda maandag mandag måndag maanantai poniedziałek pondělí",
    "tuesday dienstag mardi martes martedì terça dinsdag tirsdag tisdag tiistai wtorek úterý",
    "wednesday mittwoch mercredi miércoles mercoledì quarta woensdag onsdag keskiviikko środa "
    "středa",
    "thursday donnerstag jeudi jueves giovedì quinta donderdag torsdag torstai czwartek čtvrtek",
    "friday freitag vendredi viernes venerdì sexta vrijdag fredag perjantai piątek pátek",
    "saturday samstag samedi sábado sabato zaterdag lørdag lördag lauantai sobota",
    "sunday sonntag dimanche domingo domenica zondag søndag söndag sunnuntai niedziela neděle",
)
_WHOLE_WEEKDAYS = ("mo ma", "tu di", "we mi wo", "th do", "fr vr", "sa za sonnabend", "su so zo")
_SHORTEST = 3
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "ß": "ss"})


def months(word: str) -> frozenset[int]:
    """The months (January is 1) that a word may be: a name or at least its first 3 letters."""
    return frozenset(at + 1 for at in _matches(word, _MONTH_NAMES, _WHOLE_MONTH_NAMES))


def weekdays(word: str) -> frozenset[int]:
    """The weekdays (Monday is 0) that a word may be: a name or its beginning."""
    return _matches(word, _WEEKDAY_NAMES, _WHOLE_WEEKDAY_NAMES)


def _matches(
    word: str, names: tuple[frozenset[str], ...], whole: tuple[frozenset[str], ...]
) -> frozenset[int]:
    letters = _folded(word)
    exact = [at for at, each in enumerate(names) if letters in each or letters in whole[at]]
    if exact or len(letters) < _SHORTEST:
        return frozenset(exact)
    return frozenset(
        at for at, each in enumerate(names) if any(name.startswith(letters) for name in each)
    )


def _folded(word: str) -> str:
    letters = unicodedata.normalize("NFKD", word.casefold().translate(_LETTERS))
    return "".join(letter for letter in letters if letter.isalpha())


def _each_folded(groups: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(map(_folded, names.split())) for names in groups)


_MONTH_NAMES = _each_folded(_MONTHS)
_WHOLE_MONTH_NAMES = _each_folded(_WHOLE_MONTHS)
_WEEKDAY_NAMES = _each_folded(_WEEKDAYS)
_WHOLE_WEEKDAY_NAMES = _each_folded(_WHOLE_WEEKDAYS)


ISO = "YYYY-MM-DD"
YEAR_FIRST = "YYYY/MM/DD"
NUMBERS = "01/02/2025"
MONTH_NAME = "1 February 2025"
WEEKDAY = "weekday"
WEEKDAY_AND_DAY = "weekday and day"

_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_YEAR_FIRST = re.compile(r"((?:19|20|21)[0-9]{2})([/.-]?)([0-9]{1,2})\2([0-9]{1,2})")
_EAST_ASIAN = re.compile(r"([0-9]{4})[年년] ?([0-9]{1,2})[月월] ?([0-9]{1,2})[日일]")
_NUMBERS = re.compile(r"([0-9]{1,2}) ?([./-]) ?([0-9]{1,2})(?: ?\2 ?([0-9]{4}|[0-9]{2}))?\.?")
_WEEKDAY_FIRST = re.compile(r"([^\W\d_]+)[.,]? ([0-9].*)")
_FIGURES = frozenset((ISO, YEAR_FIRST, NUMBERS))
_TOKEN = re.compile(r"[^\W\d_]+|[0-9]+")
_BETWEEN = re.compile(r"[\s,.'’ºª/–-]*")
_FILLERS = frozenset(
    ("of", "de", "den", "der", "del", "the", "le", "el", "il", "am", "on", "d", "kl", "e")
) | {"st", "nd", "rd", "th", "er"}
_LONGEST_CHARACTERS, _LONGEST_WORDS = 60, 8
_WEEK = 7
_LONGEST_MONTH = 31
_PRELUDE = 31
_HALF_A_YEAR = 183
_TWO_MONTHS = 62


class WrittenDate(NamedTuple):
    """One reading of a date: its form and its parts. Monday is weekday 0.

    `numbers` are day and month, in either order. `last` is a two-digit number at the end, which is
    the year here but may be the day.
    """

    form: str
    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None
    numbers: tuple[int, int] | None = None
    last: int | None = None


def date_readings(text: str) -> tuple[WrittenDate, ...]:
    """Every reading of a text as a date; none if its form is unknown."""
    if match := _ISO.fullmatch(text):
        return (WrittenDate(ISO, int(match[1]), int(match[2]), int(match[3])),)
    if match := _YEAR_FIRST.fullmatch(text):
        year, divided, month, day = match.groups()
        if divided or len(text) == len("20250201"):
            return (WrittenDate(YEAR_FIRST, int(year), int(month), int(day)),)
    if match := _EAST_ASIAN.fullmatch(text):
        return (WrittenDate(YEAR_FIRST, int(match[1]), int(match[2]), int(match[3])),)
    if (named := _WEEKDAY_FIRST.fullmatch(text)) and (days := weekdays(named[1])):
        plain = [
            each
            for each in date_readings(named[2])
            if each.weekday is None and each.form in _FIGURES
        ]
        if plain:
            return tuple(each._replace(weekday=day) for each in plain for day in sorted(days))
    if match := _NUMBERS.fullmatch(text):
        first, _, second, year = match.groups()
        last = int(year) if year and len(year) == 2 else None
        numbers = (int(first), int(second))
        return (WrittenDate(NUMBERS, _century(year), numbers=numbers, last=last),)
    return _in_words(text)


def day_of(text: str, mapping: LineupMapping) -> Day:
    """A text's day under the mapping. Raises RuleError if it is ambiguous.

    >>> day_of("Friday 13 June", LineupMapping(year=2025)).text
    '2025-06-13'
    """
    if (label := fold(text)) in (labels := dict(mapping.dates)):
        return Day(labels[label])
    readings = date_readings(text)
    if not readings:
        raise RuleError(
            "is not a date; expected YYYY-MM-DD, or the mapping's dates to say what it stands for",
            "dates",
        )
    days: set[Day] = set()
    broken: RuleError | None = None
    for reading in readings:
        try:
            days.add(_day(reading, mapping))
        except RuleError as error:
            broken = broken or error
    if len(days) > 1:
        raise _either(day.text for day in days)
    if not days:
        raise broken or RuleError("is not a date; expected YYYY-MM-DD")
    return days.pop()


def _either(days: Iterable[str]) -> RuleError:
    both = " or ".join(sorted(days))
    return RuleError(f"may be {both}; expected the mapping's dates to say which", "dates")


def _day(reading: WrittenDate, mapping: LineupMapping) -> Day:
    first = date.fromisoformat(mapping.first_date) if mapping.first_date else None
    if reading.form in (WEEKDAY, WEEKDAY_AND_DAY):
        return _from_weekday(reading, first)
    year, month, day = reading.year or mapping.year, reading.month or 0, reading.day or 0
    if reading.numbers:
        year, month, day = _ordered(reading, mapping.date_order, year)
    elif reading.last is not None:
        year, day = _year_and_day(reading.last, day, mapping.date_order)
    result = _in_year(year, month, day, first)
    on = date.fromisoformat(result.text)
    if reading.weekday is not None and on.weekday() != reading.weekday:
        raise RuleError(
            f"has a weekday that does not fit: {result.text} is a {on:%A}; expected the right one"
        )
    return result


def _ordered(reading: WrittenDate, order: str, year: int) -> tuple[int, int, int]:
    """A reading's numbers as year, month and day."""
    first, second = reading.numbers or (0, 0)
    if order == "year_first" and reading.last is not None:
        return 2000 + first, second, reading.last
    if order in ("day_first", "month_first"):
        day, month = (first, second) if order == "day_first" else (second, first)
        return year, month, day
    ways = "day or month first" if reading.last is None else "day, month or year first"
    raise RuleError(f"may be {ways}; expected the mapping's date_order to say which", "date_order")


def _year_and_day(last: int, first: int, order: str) -> tuple[int, int]:
    """Which of the numbers around a month's name is the year, as in `13-Jun-25`."""
    if order == "year_first" or first > _LONGEST_MONTH:
        return 2000 + first, last
    if order or last > _LONGEST_MONTH:
        return 2000 + last, first
    raise RuleError(
        "may have its day or its year first; expected the mapping's date_order to say which",
        "date_order",
    )


def _in_year(year: int, month: int, day: int, first: date | None) -> Day:
    """A day in the given year; without one, in the year that fits the festival's first day.

    A day more than 31 days before the first day is taken to be in the next year. The day is
    doubtful if it is then before the first day, or more than 183 days after it.
    """
    if not year and first is None:
        raise RuleError("has no year; expected the mapping's year or first_date", "year")
    try:
        if year or first is None:
            return Day(date(year, month, day).isoformat())
        nearest = date(first.year, month, day)
        if nearest < first and (first - nearest).days > _PRELUDE:
            nearest = date(first.year + 1, month, day)
    except ValueError:
        raise RuleError("is not a day of the calendar; expected one") from None
    far = not 0 <= (nearest - first).days <= _HALF_A_YEAR
    return Day(nearest.isoformat(), _doubt(nearest, first) if far else None)


def _from_weekday(reading: WrittenDate, first: date | None) -> Day:
    if first is None:
        raise RuleError(
            "has no date; expected the mapping's first_date or dates to say it", "first_date"
        )
    if reading.day is None:
        wait = ((reading.weekday or 0) - first.weekday()) % _WEEK
        next_one = first + timedelta(days=wait)
        if wait == _WEEK - 1:
            raise _either((next_one.isoformat(), (first - timedelta(days=1)).isoformat()))
        return Day(next_one.isoformat(), _doubt(next_one, first) if wait == _WEEK - 2 else None)
    near = sorted(range(-_PRELUDE, _TWO_MONTHS), key=lambda days: (days < 0, abs(days)))
    days = [first + timedelta(days=each) for each in near]
    fitting = (e for e in days if e.day == reading.day and e.weekday() == reading.weekday)
    if (nearest := next(fitting, None)) is None:
        raise RuleError(
            f"has a weekday that does not fit in the weeks around {first.isoformat()}, the "
            "first_date; expected the right one"
        )
    return Day(nearest.isoformat(), _doubt(nearest, first) if nearest < first else None)


def _doubt(day: date, first: date) -> Doubt:
    away = (day - first).days
    side = "before" if away < 0 else "after"
    reason = f"is taken as {day.isoformat()}, {counted(abs(away), 'day')} {side} the first_date"
    return Doubt(WarningKind.DATE, reason)


def _in_words(text: str) -> tuple[WrittenDate, ...]:
    tokens = _TOKEN.findall(text)
    if len(text) > _LONGEST_CHARACTERS or len(tokens) > _LONGEST_WORDS:
        return ()
    if _BETWEEN.fullmatch(_TOKEN.sub("", text)) is None:
        return ()
    numbers = [token for token in tokens if token.isdigit()]
    years = [int(number) for number in numbers if len(number) == 4]
    days = [int(number) for number in numbers if len(number) <= 2]
    if len(years) > 1 or len(years) + len(days) != len(numbers) or len(numbers) > 2:
        return ()
    if len(days) > 2 - len(years) or (len(days) == 2 and not tokens[0].isdigit()):
        return ()
    year, day = (years[0] if years else None), (days[0] if days else None)
    last = days[1] if len(days) == 2 else None
    words = [list(_meanings(token)) for token in tokens if not token.isdigit()]
    readings = {
        reading
        for meanings in product(*words)
        if (reading := _from_words([each for each in meanings if each], year, day))
    }
    if last is not None:
        readings = {each._replace(year=2000 + last, last=last) for each in readings if each.month}
    # "mar 13" is the 13th of March in most languages, and a Tuesday only in some.
    with_month = {reading for reading in readings if reading.month}
    return tuple(sorted(with_month or readings, key=str))


def _meanings(word: str) -> Iterator[tuple[str, int] | None]:
    yield from (("month", month) for month in months(word))
    yield from (("weekday", weekday) for weekday in weekdays(word))
    if word.casefold() in _FILLERS:
        yield None


def _from_words(
    meanings: list[tuple[str, int]], year: int | None, day: int | None
) -> WrittenDate | None:
    named = dict(meanings)
    if len(named) < len(meanings):
        return None
    month, weekday = named.get("month"), named.get("weekday")
    if month and day:
        return WrittenDate(MONTH_NAME, year, month, day, weekday)
    if month or year or weekday is None:
        return None
    return WrittenDate(WEEKDAY_AND_DAY if day else WEEKDAY, day=day, weekday=weekday)


def _century(year: str | None) -> int | None:
    if year is None:
        return None
    return int(year) if len(year) == 4 else 2000 + int(year)
