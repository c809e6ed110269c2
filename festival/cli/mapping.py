"""The mapping options of commands: they say what a file's columns and values mean."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from festival.cli.streams import STANDARD
from festival.errors import LineupError
from festival.ingest.sidecar import SIDECAR
from festival.inspection.evidence import merged
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping

Command = Callable[..., Any]

OPTIONS = (
    click.option(
        "--mapping",
        "mapping_file",
        metavar="JSON",
        help=f"A mapping file. Default: FILE{SIDECAR} if there is one.",
    ),
    click.option(
        *("--column", "columns"),
        nargs=2,
        multiple=True,
        metavar="FIELD NAME",
        help="The column of a field; also of Time (start and end in one), End date and Duration.",
    ),
    click.option(
        *("--constant", "constants"),
        nargs=2,
        multiple=True,
        metavar="FIELD VALUE",
        help="The value of a field that is the same in every row and not in the file.",
    ),
    click.option(
        *("--rows", "rows"),
        metavar="JSON",
        help='Where the rows of a JSON document are: \'["<Date>", "<Stage>"]\'.',
    ),
    click.option(
        *("--lookup", "lookups"),
        nargs=2,
        multiple=True,
        metavar="COLUMN JSON",
        help='A column of ids: stage_id \'{"rows": ["stages"], "key": "id", "value": "name"}\'.',
    ),
    click.option(
        "--encoding",
        metavar="CODEC",
        help="The text's encoding, such as cp1250, mac_roman or shift_jis.",
    ),
    click.option(
        "--header-row", type=click.INT, metavar="LINE", help="The number of the header's line."
    ),
    click.option(
        *("--header", "header"),
        metavar="JSON",
        help='The columns\' names, if the file has none: \'["Artist", "Stage", "Date"]\'.',
    ),
    click.option(
        *("--fill-down", "fill_down"),
        multiple=True,
        metavar="FIELD",
        help="A field whose blank cells have the value of the row above.",
    ),
    click.option(
        *("--section", "sections"),
        multiple=True,
        metavar="FIELD",
        help="The field, Stage or Date, that a row of one cell gives to the rows below it.",
    ),
    click.option(
        "--clock",
        metavar="CLOCK",
        help="How to read times without am or pm: 24h, 12h, '12h from 10:00'.",
    ),
    click.option(
        "--integer-is",
        type=click.Choice(["hour", "hhmm", "minute"]),
        help="Whole numbers as times: 20 is 20:00 (hour), 00:20 (hhmm); 1290 is 21:30 (minute).",
    ),
    click.option(
        "--length-is",
        type=click.Choice(["minutes", "hours", "seconds", "days"]),
        help="The unit of a Duration that is one number.",
    ),
    click.option(
        "--date-order",
        type=click.Choice(["day_first", "month_first", "year_first"]),
        help="How to read 01/02/2025, 01-02-03 and 13-Jun-25.",
    ),
    click.option("--year", type=click.INT, help="The year of dates that have none."),
    click.option(
        "--first-date",
        metavar="DATE",
        help="The festival's first day. A weekday without a date is the first one from then on.",
    ),
    click.option(
        *("--date-word", "dates"),
        nargs=2,
        multiple=True,
        metavar="WORD DATE",
        help="A word that stands for a date: 'Day 1' 2025-06-12.",
    ),
    click.option(
        "--time-zone",
        metavar="ZONE",
        help="The festival's time zone, such as Europe/Paris, for times in UTC or with an offset.",
    ),
    click.option(
        "--day-starts-at",
        metavar="HH:MM",
        help="A start before this time belongs to the night before.",
    ),
    click.option(
        "--date-is",
        type=click.Choice(["festival_day", "calendar_day"]),
        help="The Date of a start after midnight: the evening's day, or the morning's.",
    ),
    click.option(
        "--default-length",
        type=click.INT,
        metavar="MINUTES",
        help="The length of a performance without an end.",
    ),
    click.option(
        *("--placeholder", "placeholders"),
        multiple=True,
        metavar="TEXT",
        help="Text that means 'not announced yet', such as TBA.",
    ),
    click.option(
        "--popularity-is",
        type=click.Choice(["rank", "score"]),
        help="rank: 1 is the most popular; score: 100 is.",
    ),
    click.option(
        "--popularity-none",
        multiple=True,
        metavar="VALUE",
        help="A value that means no popularity.",
    ),
    click.option("--sheet", metavar="NAME", help="The sheet of a workbook, if several have rows."),
)


def mapping_options(command: Command) -> Command:
    """Add the mapping options to a command, and pass it `mapping`, the mapping of its `file`.

    A command that takes several `files` gets a function from a file's name to its mapping.
    """

    @functools.wraps(command)
    def run(mapping_file: str | None, **arguments: Any) -> Any:
        names = [name for name in arguments if name in LineupMapping.__dataclass_fields__]
        options = {name: arguments.pop(name) for name in names}
        mapping = functools.partial(mapping_of, mapping_file=mapping_file, options=options)
        several = "files" in arguments
        return command(mapping=mapping if several else mapping(arguments["file"]), **arguments)

    for option in reversed(OPTIONS):
        run = option(run)
    return run


def mapping_of(file: str, mapping_file: str | None, options: dict[str, Any]) -> LineupMapping:
    """The mapping in `mapping_file`, or else beside the lineup; `options` override it.

    Raises LineupError if the mapping is wrong, FestivalError if its file cannot be read.
    """
    set_here = {
        name: _plain(name, value) for name, value in options.items() if value not in (None, ())
    }
    path = mapping_file or _beside(file)
    if path is None:
        return LineupMapping.from_dict(set_here) if set_here else DEFAULT_MAPPING
    try:
        saved = LineupMapping.from_json(Path(path).read_bytes()).to_dict()
        return LineupMapping.from_dict(merged(saved, set_here))
    except OSError as error:
        raise LineupError(f"{path}: cannot be read: {error.strerror or error}") from None
    except LineupError as error:
        raise LineupError(f"{path}: {error}") from None


def _plain(name: str, value: Any) -> Any:
    if name == "lookups":
        return {column: _json("--lookup", text, "an object") for column, text in value}
    if name in ("columns", "constants", "dates"):
        return dict(value)
    if name in ("rows", "header"):
        return _json(f"--{name}", value, "a list")
    return list(value) if isinstance(value, tuple) else value


def _beside(file: str) -> str | None:
    path = Path(file + SIDECAR)
    return str(path) if file != STANDARD and path.is_file() else None


def _json(option: str, text: str, expected: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise LineupError(f"{option} {text}: not JSON ({error}); expected {expected}") from None
