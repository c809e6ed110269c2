"""`festival inspect`: shows how a file is understood, before anything depends on it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import click

from festival.cli.mapping import mapping_options
from festival.cli.streams import STANDARD, inspection_of, refuse_same_file, written_whole
from festival.errors import LineupError
from festival.ingest.sidecar import SIDECAR
from festival.inspection.evidence import merged
from festival.inspection.result import Inspection, Question
from festival.lineup.mapping import LineupMapping
from festival.text import printable

_ROUNDS = 5
_WHOLE_NUMBERS = ("year", "default_length", "header_row")
_LISTS = ("placeholders", "popularity_none", "fill_down", "sections")


@click.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("-o", "--out", metavar="OUT", help="Where to save the proposed mapping.")
@click.option("--ask", is_flag=True, help=f"Ask here; save the answers as FILE{SIDECAR}, or OUT.")
@mapping_options
def inspect(
    file: str,
    mapping: LineupMapping,
    sheet: str | None,
    as_json: bool,
    out: str | None,
    ask: bool,
) -> None:
    """Show how a file is read, and what only you can decide.

    Shows the encoding, the delimiter, what each column was taken for, the forms of times and dates,
    what is ambiguous and which option settles it, and a mapping to save as FILE.mapping.json. With
    --ask it asks you and saves the mapping, which festival check FILE then uses. Give what you have
    already decided as options, as for festival check.
    """
    refuse_same_file(file, out)
    if ask and (file == STANDARD or as_json):
        raise LineupError("--ask needs a file by name, and no --json: it asks at the terminal")
    inspection = _inspected(file, mapping, sheet)
    if as_json:
        click.echo(json.dumps({"file": file} | inspection.to_dict(), ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(printable(line) for line in inspection.lines()))
    _require_readable(file, inspection)
    if ask:
        out = out or file + SIDECAR
        inspection = _ask_all(inspection, lambda decided: _inspected(file, decided, sheet))
        rows = f"{inspection.kept:,} of {inspection.rows:,} rows"
        click.echo(f"{printable(out)}: {rows} are performances")
    if out is not None:
        _save(inspection.proposal, out)


def _inspected(file: str, mapping: LineupMapping, sheet: str | None) -> Inspection:
    try:
        return inspection_of(file, mapping, sheet)
    except LineupError as error:
        raise LineupError(f"{printable(file)}: {error}") from None


def _require_readable(file: str, inspection: Inspection) -> None:
    """Raises LineupError for a file that no answer could make readable."""
    reason = inspection.refusal or (inspection.problem if not inspection.kept else "")
    if reason and not any(each.must for each in inspection.questions):
        raise LineupError(f"{printable(file)}: {reason}")


def _save(mapping: LineupMapping, out: str) -> None:
    options = json.dumps(mapping.to_dict(), ensure_ascii=False, indent=2) + "\n"
    with written_whole(out) as target:
        target.write(options.encode())


def _ask_all(
    inspection: Inspection, inspect_with: Callable[[LineupMapping], Inspection]
) -> Inspection:
    """Ask every question, then those that the answers raise; no question is asked twice."""
    asked: set[str] = set()
    for _ in range(_ROUNDS):
        questions = [each for each in inspection.questions if each.seen not in asked]
        if not questions:
            break
        options = inspection.proposal.to_dict()
        for question in questions:
            asked.add(question.seen)
            options = _ask(question, options)
        inspection = inspect_with(LineupMapping.from_dict(options))
    return inspection


def _ask(question: Question, options: dict[str, Any]) -> dict[str, Any]:
    """The options with a person's answer added; an empty answer adds nothing.

    Asks again until the answer is valid.
    """
    click.echo()
    click.echo(printable(f"{question.seen}: {question.option} ({question.choices})"))
    for number, answer in enumerate(question.answers, 1):
        reading = f" → {answer.reading}" if answer.reading else ""
        click.echo(printable(f"  {number}  {answer.label}{reading}"))
    while text := click.prompt("  answer", default="", show_default=False).strip():
        try:
            merged_options = merged(options, _options_of(question, text))
            LineupMapping.from_dict(merged_options)
            return merged_options
        except LineupError as error:
            click.echo(printable(f"  {error}"))
    return options


def _options_of(question: Question, text: str) -> Mapping[str, Any]:
    """What a typed answer means: an answer's number, its label, or the option's own value."""
    for number, answer in enumerate(question.answers, 1):
        if text in (str(number), answer.label):
            return answer.options
    if question.option == "dates":
        return {"dates": _pairs(text)}
    if question.option in ("columns", "constants"):
        return {question.option: _pairs(text)}
    value: Any = text
    if question.option in _LISTS:
        value = [part.strip() for part in text.split(",")]
    elif text.startswith(("[", "{")) or question.option in _WHOLE_NUMBERS:
        try:
            value = json.loads(text)
        except ValueError:
            value = text
    return {question.option: value}


def _pairs(text: str) -> dict[str, str]:
    """`Day 1 = 2025-06-12, Day 2 = 2025-06-13` as pairs."""
    pairs = [part.partition("=")[::2] for part in text.split(",")]
    if not all(name.strip() and value.strip() for name, value in pairs):
        raise LineupError(f"'{text}': expected WORD = VALUE, and a comma between two of them")
    return {name.strip(): value.strip() for name, value in pairs}
