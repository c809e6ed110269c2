"""Finds the columns that no name or alias shows: by their cells, or by words in their names."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from festival.inspection.evidence import Evidence, Sample
from festival.inspection.forms import (
    BLANK,
    DATED,
    EPOCH,
    OTHER,
    PLACEHOLDER,
    date_form,
    is_length,
    is_range,
    main_form,
    time_form,
)
from festival.inspection.paths import METADATA, field_of_ids, field_of_path
from festival.inspection.result import THE_FILE, Answer, ColumnUse, Question
from festival.lineup.columns import Unclear, match
from festival.lineup.fields.text import fold, preview
from festival.lineup.mapped.dates import WEEKDAY, WEEKDAY_AND_DAY
from festival.lineup.model import DURATION, END_DATE, FIELDS, TIME

_EXAMPLES = 3
_MOST_OFFERED = 5
_ABOVE = "above."
_UTC = re.compile(r"(?:^|[\W_])(?:utc|gmt)(?:[\W_]|$)", re.IGNORECASE)
_NO_TIME = (BLANK, OTHER, PLACEHOLDER)
_VAGUE = frozenset(("name", "title", "location"))
_WORDS = {
    "Performer": "subject summary artist act band performer who headliner lineup speaker session "
    "what name title künstler artiste artista konst program",
    "Stage": "room hall place floor area tent stage venue where ort platz bühne saal salle sal "
    "track location scene podium lieu",
    "Start": "start begin from début debut anfang beginn inicio inizio od von ab dtstart",
    "End": "end fin finish stop until to bis slut close dtend ende",
    "Date": "date day datum dato jour tag fecha dag dtstart start begin",
    DURATION: "duration length runtime dauer durée duree minutes mins len durata duración",
    END_DATE: "end fin finish until bis slut ende dtend",
}


def match_fields(evidence: Evidence) -> None:
    """Find each field's column: propose what the cells show, and ask about the rest."""
    _drop_repeated_headers(evidence)
    _drop_copies(evidence)
    names = evidence.sample.names
    columns = match(names, evidence.given)
    by_field = {
        name: names[place]
        for name, place in zip(FIELDS, columns.places, strict=True)
        if place is not None
    }
    if columns.is_range:
        by_field[TIME] = by_field.pop("Start")
        del by_field["End"]
    for name, place in zip((END_DATE, DURATION), columns.end_parts, strict=False):
        if place is not None:
            by_field[name] = names[place]
    evidence.by_field = by_field
    _ask_which(evidence, columns.unclear)
    search = _CellSearch(evidence, set(columns.missing))
    search.lookups()
    search.by_path()
    search.swapped()
    search.range()
    search.ends()
    search.times()
    search.dates()
    search.texts()
    search.sections()
    for name in (each for each in FIELDS if each in search.missing):
        search.ask(name)
    _report_grid(evidence, search.missing)
    evidence.columns = [_use(evidence, name) for name in names if fold(name)]


def _drop_repeated_headers(evidence: Evidence) -> None:
    """Leave out headers that are repeated above each part of a table."""
    names = [*evidence.sample.names]
    rows = [row for row in evidence.sample.rows if [*map(preview, row.values())] != names]
    evidence.sample = Sample(names, rows)


def _drop_copies(evidence: Evidence) -> None:
    """Of `stages.name` and an identical `name`, keep the former, which says whose name it is."""
    names = evidence.sample.names
    cells = evidence.sample.cells
    copies = [
        name
        for name in names
        if name.startswith(_ABOVE)
        and any(
            each != name and each.endswith(f".{name[len(_ABOVE) :]}") and cells(each) == cells(name)
            for each in names
        )
    ]
    evidence.sample = Sample([name for name in names if name not in copies], evidence.sample.rows)
    for path in names:
        plain, field = path.rpartition(".")[2], field_of_path(path)
        if not field or plain not in names or plain == path:
            continue
        if evidence.sample.cells(plain) != evidence.sample.cells(path):
            continue
        others = [name for name in evidence.sample.names if name != plain]
        is_missing = match(others, evidence.given).places[FIELDS.index(field)] is None
        if is_missing or dict(evidence.given.columns).get(field) == path:
            evidence.sample = Sample(others, evidence.sample.rows)


def _ask_which(evidence: Evidence, unclear: Iterable[Unclear]) -> None:
    """Ask about fields that several columns could be."""
    for each in unclear:
        names = [*dict.fromkeys(each.candidates)]
        answers = [Answer(name, {"columns": {each.field: name}}) for name in names]
        if len(answers) < 2:
            answers = []
        assumed = answers[0].options if answers else {}
        choices = " or ".join(names) if answers else "which column it is"
        question = Question(each.reason, "columns", choices, True, tuple(answers), assumed)
        evidence.questions.append(question)


class _CellSearch:
    """Looks for the columns of missing fields; each method tries one kind of evidence."""

    def __init__(self, evidence: Evidence, missing: set[str]) -> None:
        self.missing = missing
        self._evidence = evidence
        self._sample = evidence.sample
        self._mapped = dict(evidence.given.columns)
        self._assumed_start = ""
        self._forms = {
            name: main_form(self._sample.cells(name), time_form) for name in evidence.sample.names
        }

    @property
    def _free(self) -> list[str]:
        used = set(self._evidence.by_field.values())
        return [name for name in self._sample.names if name not in used and fold(name)]

    def _propose(self, field: str, column: str) -> None:
        self._evidence.by_field[field] = column
        self._evidence.column(field, column)
        self.missing.discard(field)

    def lookups(self) -> None:
        """A column of ids is the field they stand for: acts are the Performer, stages the Stage."""
        for column in self._evidence.options.get("lookups", {}):
            field = field_of_ids(column)
            if field in self.missing:
                self._propose(field, column)

    def by_path(self) -> None:
        """`performer.name` is a performer, even if the event has a name of its own."""
        for field in ("Performer", "Stage"):
            nested = [name for name in self._free if field_of_path(name) == field]
            present = self._evidence.by_field.get(field)
            vague = present is not None and fold(present) in _VAGUE and field not in self._mapped
            if not nested or not (field in self.missing or vague):
                continue
            self._propose(field, nested[0])
            if present is not None or len(nested) > 1:
                choices = [nested[0], *([present] if present else []), *nested[1:]]
                self._evidence.ask(
                    f"the {field} is taken from '{nested[0]}'",
                    "columns",
                    " or ".join(choices),
                    answers=[Answer(each, {"columns": {field: each}}) for each in choices],
                )

    def swapped(self) -> None:
        """Take columns called start and end as dates, if they hold dates and others the times."""
        for field, date_field in (("Start", "Date"), ("End", END_DATE)):
            column = self._evidence.by_field.get(field)
            if column is None or field in self._mapped or self._forms[column] not in _NO_TIME:
                continue
            times = self._worded(field, self._timed())
            if main_form(self._sample.cells(column), date_form) in _NO_TIME or len(times) != 1:
                continue
            self._propose(field, times[0])
            if date_field in self.missing or date_field == END_DATE:
                self._propose(date_field, column)

    def range(self) -> None:
        """Take a column with both times as Time."""
        ranges = [name for name in self._free if is_range(self._forms[name])]
        if {"Start", "End"} <= self.missing and len(ranges) == 1:
            self._propose(TIME, ranges[0])
            self.missing -= {"Start", "End"}

    def ends(self) -> None:
        """Take a column as the length, if none has the ends; the reader knows some by name."""
        by_field = self._evidence.by_field
        end, time = by_field.get("End"), by_field.get(TIME)
        single = time is not None and not is_range(self._forms[time])
        dates_only = end is not None and "End" not in self._mapped and self._forms[end] == OTHER
        known = by_field.get(DURATION)
        if not ("End" in self.missing or single or dates_only) or (known and not dates_only):
            return
        lengths = [
            name
            for name in self._worded(DURATION, [known] if known else self._free)
            if (cells := [c for c in self._sample.cells(name) if preview(c).strip()])
            and all(map(is_length, cells))
        ]
        if len(lengths) == 1 and (dates_only or not self._worded("End", self._timed())):
            self._propose(DURATION, lengths[0])
            self.missing.discard("End")
            if dates_only:
                del by_field["End"]
                columns = {**self._evidence.options["columns"], "End": None}
                self._evidence.options["columns"] = columns

    def times(self) -> None:
        """Take Start and End by the words in their names, if the cells are times."""
        for field in ("Start", "End"):
            if field not in self.missing:
                continue
            likely = self._worded(field, self._timed())
            if len(likely) == 1:
                self._propose(field, likely[0])

    def dates(self) -> None:
        """Take the Date from date-times, or from the only column of dates that is not the end's."""
        started = self._evidence.by_field.get("Start")
        date_column = self._evidence.by_field.get("Date")
        if "Date" not in self.missing:
            cells = self._sample.cells(date_column)
            form = main_form(cells, date_form)
            vague = form in (WEEKDAY, WEEKDAY_AND_DAY, *_NO_TIME) and date_column != started
            if vague and "Date" not in self._mapped and started and self._forms[started] in DATED:
                self._propose("Date", started)
            return
        if started and self._forms[started] in DATED:
            self._propose("Date", started)
            return
        dates = self._dated()
        named = [name for name in dates if not self._worded(END_DATE, [name])]
        if len(named) == 1:
            self._propose("Date", named[0])

    def texts(self) -> None:
        """Take Performer and Stage by the words in their names, and ask whether that is right."""
        for field in ("Stage", "Performer"):
            likely = self._best_worded(field)
            if field in self.missing and len(likely) == 1:
                others = [name for name in self._worded_texts() if name != likely[0]]
                self._propose(field, likely[0])
                choices = [likely[0], *others[: _MOST_OFFERED - 1]]
                self._evidence.ask(
                    f"the {field} is taken from '{likely[0]}'",
                    "columns",
                    " or ".join(choices),
                    answers=[Answer(each, {"columns": {field: each}}) for each in choices],
                )

    def sections(self) -> None:
        """Take rows with one cell as titles, if no column has the Stage or the Date."""
        untitled = [name for name in ("Date", "Stage") if name in self.missing]
        titles = [row for row in self._sample.rows if _is_title(row)]
        if not untitled or not titles or len(titles) == len(self._sample.rows):
            return
        rows = [row for row in self._sample.rows if not _is_title(row)]
        self._evidence.sample = Sample(self._sample.names, rows)
        texts = [preview(next(cell for cell in row.values() if cell)) for row in titles]
        dated = sum(date_form(text) not in _NO_TIME for text in texts)
        fields = untitled
        if len(untitled) == 2 and dated in (0, len(texts)):
            fields = ["Date" if dated else "Stage"]
        self.missing -= set(fields)
        answers = [Answer(" and ".join(fields), {"sections": fields})]
        some = ", ".join(f"'{text}'" for text in [*dict.fromkeys(texts)][:3])
        self._evidence.ask(
            f"rows of one cell, such as {some}: {len(titles):,}",
            "sections",
            f"{' and '.join(fields)}, if they name those of the rows below",
            must=True,
            answers=answers,
            assumed=answers[0].options,
        )

    def ask(self, name: str) -> None:
        """Ask which column a field is, naming those whose cells look like it."""
        likely = self._likely(name)
        if name == "End" and len(likely) > 1:
            likely = [each for each in likely if each != self._assumed_start] or likely
        elif name == "Start":
            self._assumed_start = likely[0] if likely else ""
        answers = [Answer(column, {"columns": {name: column}}) for column in likely]
        assumed = answers[0].options if answers else {}
        choices = f"one of {', '.join(likely)}" if likely else "its column"
        if name == "End":
            option = "columns" if likely else "default_length"
            choices = (
                f"{choices}; or default_length, such as 60" if likely else "minutes, such as 60"
            )
            assumed = assumed or {"default_length": 60}
            seen = "no column is the End"
            self._evidence.ask(seen, option, choices, must=True, answers=answers, assumed=assumed)
            return
        if name in ("Stage", "Date") and not assumed:
            assumed = {"constants": {name: "2025-01-01" if name == "Date" else name}}
        constant = " or, in constants, its value" if name in ("Stage", "Date") else ""
        self._evidence.ask(
            f"no column is the {name}",
            "columns" if likely or not constant else "constants",
            choices + constant if likely or not constant else "its value in every row",
            must=True,
            answers=answers,
            assumed=assumed,
        )

    def _likely(self, name: str) -> list[str]:
        if name in ("Start", "End"):
            other = "End" if name == "Start" else "Start"
            timed = self._timed()
            return [each for each in timed if not self._worded(other, [each])] or timed
        if name == "Date":
            return self._dated()
        worded = self._worded(name, self._worded_texts())
        return [*dict.fromkeys((*worded, *self._worded_texts()))][:_MOST_OFFERED]

    def _timed(self) -> list[str]:
        return _local([name for name in self._free if self._is_time_column(name)])

    def _is_time_column(self, name: str) -> bool:
        form = self._forms[name]
        if form in _NO_TIME or is_range(form):
            return False
        if form in ("integer", "HHMM", EPOCH):
            return bool(self._worded("Start", [name]) or self._worded("End", [name]))
        return not METADATA.search(name)

    def _dated(self) -> list[str]:
        return _local([name for name in self._free if self._is_date_column(name)])

    def _is_date_column(self, name: str) -> bool:
        form = main_form(self._sample.cells(name), date_form)
        if form in _NO_TIME or METADATA.search(name):
            return False
        return form in DATED or self._forms[name] in _NO_TIME or form == EPOCH

    def _worded_texts(self) -> list[str]:
        return [
            name
            for name in self._free
            if not self._is_time_column(name)
            and not self._is_date_column(name)
            and _is_text(self._sample.cells(name))
        ]

    def _best_worded(self, field: str) -> list[str]:
        """The text columns whose names have the likeliest of the field's words."""
        words = _WORDS[field].split()
        texts = self._worded_texts()
        best = next((word for word in words if any(_has_word(n, [word]) for n in texts)), "")
        return [name for name in texts if _has_word(name, [best])]

    def _worded(self, field: str, names: Iterable[str]) -> list[str]:
        return [name for name in names if _has_word(name, _WORDS[field].split())]


def _local(names: Sequence[str]) -> list[str]:
    """The columns not in UTC, if there are any; otherwise all."""
    return [name for name in names if not _UTC.search(name)] or [*names]


_PARTS = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-zà-ÿ])(?=[A-Z])")


def _has_word(name: str, words: Sequence[str]) -> bool:
    """Whether a name has one of these words: `set_start` and `StartTime` have start."""
    parts = [part.casefold() for part in _PARTS.findall(_CAMEL.sub(" ", name))]
    return any(
        part in words or any(len(w) > 4 and part.startswith(w) for w in words) for part in parts
    )


def _is_text(cells: Sequence[object]) -> bool:
    """Whether most cells are words rather than numbers, links or nothing."""
    texts = [text for cell in cells if (text := preview(cell).strip())]
    worded = [text for text in texts if not _NO_NAME.match(text)]
    return bool(texts) and len(worded) >= len(texts) / 2


_NO_NAME = re.compile(r"https?://|[\d.,\-]+$|true$|false$|[{\[]|.{121,}", re.IGNORECASE)


class HeaderByCells(NamedTuple):
    """Names for the columns of a file without a header, and how its first row reads with them."""

    names: tuple[str, ...]
    reading: str


def headers_by_cells(lines: Sequence[str], delimiters: Sequence[str]) -> list[HeaderByCells]:
    """Names for the columns, by their cells; none if no column has the time.

    Of two text columns, either may be the performer: a person has to decide.
    """
    divided = [next(csv.reader([line], delimiter=each)) for each in delimiters for line in lines]
    widths = Counter(len(cells) for cells in divided if len(cells) > 2)
    if not widths:
        return []
    rows = [cells for cells in divided if len(cells) == max(widths, key=lambda w: (widths[w], w))]
    forms = [main_form(column, time_form) for column in zip(*rows, strict=True)]
    dates = [main_form(column, date_form) not in _NO_TIME for column in zip(*rows, strict=True)]
    times = iter(("Start", "End"))
    texts: list[int] = []
    names = [f"column {at}" for at in range(1, len(forms) + 1)]
    for at, form in enumerate(forms):
        if dates[at] and "Date" not in names:
            names[at] = "Date"
        elif is_range(form):
            names[at] = TIME
        elif form not in _NO_TIME and form != EPOCH:
            names[at] = next(times, names[at])
        else:
            texts.append(at)
    timed = next((at for at, name in enumerate(names) if name in ("Start", TIME)), None)
    if timed is None or not texts or time_form(rows[0][timed]) in _NO_TIME:
        return []
    orders = [texts[:2], texts[:2][::-1]] if len(texts) > 1 else [texts]
    headers = []
    for order in orders:
        named = [*names]
        for at, field in zip(order, ("Performer", "Stage"), strict=False):
            named[at] = field
        reading = " at ".join(rows[0][at].strip() for at in order)
        headers.append(HeaderByCells(tuple(named), reading))
    return headers


def _report_grid(evidence: Evidence, missing: set[str]) -> None:
    """Report a table with a column for each stage, which cannot be read."""
    names = evidence.sample.names
    starts = [name for name in names if _has_word(name, _WORDS["Start"].split())]
    ends = [name for name in names if _has_word(name, ("end", "ende", "fin", "slut"))]
    used = set(evidence.by_field.values())
    texts = [n for n in names if fold(n) and n not in used and _is_text(evidence.sample.cells(n))]
    timed = {"Start", TIME} & set(evidence.by_field)
    guessed = "Stage" in missing or "Stage" in evidence.options.get("columns", {})
    nameless = texts and not any(_has_word(n, _WORDS["Performer"].split()) for n in texts)
    wide = len(starts) > 1 and len(ends) > 1 and {"Start", "End"} <= missing
    if "Performer" in missing and (wide or (timed and guessed and nameless)):
        seen = "this looks like a table with a column for each stage, which is not read"
        remedy = "one row for each performance, with its stage"
        evidence.questions = [Question(seen, THE_FILE, remedy, True)]


def _is_title(row: dict[str, object]) -> bool:
    return sum(1 for cell in row.values() if preview(cell).strip()) == 1


def _use(evidence: Evidence, column: str) -> ColumnUse:
    fields = [name for name, used in evidence.by_field.items() if used == column]
    how = ""
    if fields:
        own, mapped = fields[0], dict(evidence.given.columns)
        how = "alias"
        if mapped.get(own) or column == f"<{own}>":
            how = "mapping"
        elif own in evidence.options.get("columns", {}):
            how = "cells"
        elif fold(column) == fold(own):
            how = "name"
    texts = dict.fromkeys(preview(cell) for cell in evidence.sample.cells(column))
    examples = [text for text in texts if text.strip()][:_EXAMPLES]
    return ColumnUse(preview(column), " and ".join(fields), how, tuple(examples))
