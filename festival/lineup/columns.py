"""Finds each field's column by name. If two columns match, that is reported, not guessed."""

import unicodedata
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from festival.lineup.fields.text import fold, preview
from festival.lineup.fields.times import as_range, with_end_parts
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import DURATION, END_DATE, FIELDS, TIME

REQUIRED = FIELDS[:5]

ALIASES = {
    "Performer": "performers, performer name, artist, artists, artist(s), artist name, act, acts, "
    "act name, band, bands, band name, title, name, event/artist, artist/event, artist/band, "
    "band/artist, kuenstler, groupe, artiste, artista, artiest, kunstner, künstler, interpret",
    "Stage": "stage name, venue, venue name, location, scene, scène, bühne, escenario, palco, "
    "podium, lieu, plats, buehne",
    "Date": "day, weekday, festival day, performance date, event date, show date, datum, dato, "
    "jour, tag, fecha, dag",
    "Start": "start time, starts, starts at, start datetime, start date time, time start, from, "
    "dtstart, begin, begins, begin time, début, heure début, heure de début, beginn, startzeit, "
    "anfang, inicio, hora inicio, inizio, ora inizio, aanvang, begintijd, starttid, fra",
    "End": "end time, ends, ends at, end datetime, end date time, time end, finish, finishes, "
    "dtend, finish time, to, until, till, stop, stop time, fin, heure fin, heure de fin, ende, "
    "endzeit, hora fin, fine, ora fine, einde, eindtijd, slut, slutt, sluttid, til, bis",
    "Popularity": "",
    TIME: "times, set time, set times, time slot, horaire, horaires, uhrzeit",
    END_DATE: "date end, finish date, date de fin, date fin, fecha fin, data fine, enddatum",
    DURATION: "length, runtime, run time, set length, dauer, durée, duración, durata, duur",
}
LAST_ALIASES = {
    "Performer": "subject, event name, event title, session title, headliner, summary",
    "Stage": "event venue name, event location, room, scena, scéna",
    "Start": "event start time",
    "End": "event end time",
    END_DATE: "event end date",
}
"""Names that count only if the field has no other: beside another, they mean something else."""
_START_DATE = frozenset(("startdate", "datestart", "eventstartdate"))


def _folded(aliases: str) -> frozenset[str]:
    """Aliases folded for comparison, with and without accents: capitals often lose theirs."""
    names = {fold(alias) for alias in aliases.split(",")} - {""}
    return frozenset(names | {unaccented(name) for name in names})


def unaccented(text: str) -> str:
    """A text without the accents on its letters."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


_FOLDED_ALIASES = {field: _folded(aliases) for field, aliases in ALIASES.items()}
_FOLDED_LAST = {field: _folded(aliases) for field, aliases in LAST_ALIASES.items()}


class Unclear(NamedTuple):
    """Why a field's column is not clear, and which columns it could be."""

    reason: str
    field: str = ""
    candidates: tuple[str, ...] = ()


class Columns(NamedTuple):
    """Each of the six fields' column index, or None; the other columns are ignored.

    `end_parts` are the columns of the end's date and of the length. `constants` are the values of
    fields without a column. With `is_range`, one column is both Start and End. `missing` fields
    have no column; `unclear` are the matches that a person has to settle.
    """

    places: tuple[int | None, ...]
    end_parts: tuple[int | None, ...] = ()
    constants: tuple[tuple[int, str], ...] = ()
    is_range: bool = False
    ignored: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unclear: tuple[Unclear, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the cells come straight from the columns."""
        return not self.constants and not self.is_range and not self.end_parts

    @property
    def picked(self) -> tuple[int | None, ...]:
        """The columns whose cells `completed` takes."""
        return self.places + self.end_parts

    def completed(self, picked: tuple[Any, ...]) -> tuple[Any, ...]:
        """Six cells: constants filled in, a range as start and end, an end with its parts."""
        cells, end_parts = picked[: len(FIELDS)], picked[len(FIELDS) :]
        if self.constants:
            constants = dict(self.constants)
            cells = tuple(constants.get(field, cell) for field, cell in enumerate(cells))
        if self.is_range:
            cells = as_range(cells)
        return with_end_parts(cells, *end_parts) if end_parts else cells


def match(names: Sequence[str], mapping: LineupMapping) -> Columns:
    """Find each field's column: by the mapping, else by the field's name, else by an alias.

    One `Time` column stands for Start and End if neither has a column of its own.
    """
    search = _Search(names, mapping)
    places = {field: search.place(field) for field in FIELDS}
    is_range = search.is_mapped(TIME) or (places["Start"] is None and places["End"] is None)
    time = search.place(TIME) if is_range else None
    if time is not None:
        places["Start"] = places["End"] = time
    if mapping.date_is == "festival_day" and places["Date"] == places["Start"] is not None:
        search.unclear.append(
            Unclear(
                "Date and Start are one column, whose date is the calendar_day; expected the "
                "mapping's date_is to say so"
            )
        )
    if places["Date"] is None and places["Start"] is not None and not time:
        places["Date"] = search.start_date()
    end_parts = search.end_parts(None if time is not None else places["End"])
    constants = dict(mapping.constants)
    elsewhere = {*constants, *mapping.sections}
    if mapping.default_length or end_parts[-1:] not in ((), (None,)):
        elsewhere.add("End")
    used = {*places.values(), *end_parts}
    return Columns(
        places=tuple(places.values()),
        end_parts=end_parts,
        constants=tuple((FIELDS.index(field), text) for field, text in mapping.constants),
        is_range=time is not None,
        ignored=tuple(name for at, name in enumerate(names) if at not in used and fold(name)),
        missing=tuple(f for f in REQUIRED if places[f] is None and f not in elsewhere),
        unclear=tuple(search.unclear),
    )


class _Search:
    """Looks for columns by name and records unclear matches."""

    def __init__(self, names: Sequence[str], mapping: LineupMapping) -> None:
        self.unclear: list[Unclear] = []
        self._names = names
        self._folded = [fold(name) for name in names]
        self._mapped = dict(mapping.columns)
        self._constants = dict(mapping.constants)
        self._sections = mapping.sections
        # The Start may be the Date's column: date-times are both.
        taken = {fold(name) for field, name in self._mapped.items() if name and field != "Date"}
        self._free = [name if name not in taken else "" for name in self._folded]

    def is_mapped(self, field: str) -> bool:
        """Whether the mapping names a column for the field."""
        return bool(self._mapped.get(field))

    def start_date(self) -> int | None:
        """The column of the start's date, if no other column is the Date."""
        if "Date" in self._mapped or "Date" in self._constants:
            return None
        return self._only("Date", self._free, _START_DATE)

    def end_parts(self, end: int | None) -> tuple[int | None, ...]:
        """The columns of the end's date and of the length; empty if there is neither.

        If there is an End, only a column called or mapped as Duration is the length.
        """
        date = None if end is None and not self.is_mapped(END_DATE) else self.place(END_DATE)
        if end is None or DURATION in self._mapped:
            length = self.place(DURATION)
        else:
            length = self._only(DURATION, self._free, {fold(DURATION)})
        return () if date is None and length is None else (date, length)

    def place(self, field: str) -> int | None:
        """The index of the field's column, or None. A column `<Field>` has a document's keys."""
        if field in self._mapped:
            name = self._mapped[field]
            return self._by_mapping(field, name) if name else None
        if field in self._constants or field in self._sections:
            return None
        if (key := f"<{field}>") in self._names:
            return self._names.index(key)
        for wanted in ({fold(field)}, _FOLDED_ALIASES[field], _FOLDED_LAST.get(field, frozenset())):
            if not wanted.isdisjoint(self._free):
                return self._only(field, self._free, wanted)
        return None

    def _by_mapping(self, field: str, name: str) -> int | None:
        place = self._only(field, self._folded, {fold(name)})
        if place is None:
            self.unclear.append(
                Unclear(
                    f"the mapping's columns say that '{preview(name)}' is the {field}; "
                    "expected a column of that name"
                )
            )
        return place

    def _only(self, field: str, folded: Sequence[str], wanted: Collection[str]) -> int | None:
        places = [at for at, name in enumerate(folded) if name in wanted]
        if len(places) > 1:
            candidates = tuple(self._names[at] for at in places)
            both = " and ".join(f"'{preview(name)}'" for name in candidates)
            reason = (
                f"the columns {both} could each be the {field}; expected one: say which with the "
                "mapping's columns"
            )
            self.unclear.append(Unclear(reason, field, candidates))
        return places[0] if places else None
