"""One reading: inspect, check, normalize, the notebook and the function agree row by row."""

import csv
import json
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from festival.analysis.lineups import read
from festival.cli.files import check, normalize
from festival.errors import LineupError
from festival.ingest.pipeline import ingest_blocks
from festival.ingest.sidecar import SIDECAR
from festival.ingest.tally import Tally
from festival.inspection.evidence import merged
from festival.inspection.reading import inspect_any
from festival.inspection.workbook import inspect_rows, read_rows
from festival.lineup.mapping import LineupMapping
from festival.lineup.read import read_lineup
from festival.table.item import attributes
from festival.table.writer import WriteOutcome
from tests.unit.inspection.test_inspection_cases import FILES

SAMPLES = {path.name: path.read_bytes() for path in Path("sample").glob("*.[cj]*")}


class TakenRows:
    """Takes performances as the table's writer would; of one key the last stays."""

    deadline = float("inf")
    stopped = ""

    def __init__(self):
        self.by_key = {}

    def put(self, performances):
        self.by_key.update((each.key, each) for each in performances)

    def flush(self):
        return WriteOutcome((), (), "", 0, 0, 0)


def bytes_of(name):
    return SAMPLES[name] if name in SAMPLES else FILES[name][0]


@cache
def inspected(name):
    """The file as inspect sees it once every question has been answered, as well as can be."""
    found = inspect_any([bytes_of(name)])
    for _ in range(4):
        options = found.proposal.to_dict()
        for question in found.questions:
            if question.must:
                first = question.answers[0].options if question.answers else question.assumed
                options = merged(options, first)
        if options == found.proposal.to_dict():
            break
        found = inspect_any([bytes_of(name)], mapping=LineupMapping.from_dict(options))
    return found


def plain(rows):
    return sorted((row["line"], row["field"], row["value"], row["reason"]) for row in rows)


@pytest.mark.parametrize("name", [*SAMPLES, *FILES])
def test_a_file_is_read_in_one_way_wherever_it_is_read(name, tmp_path):
    data, found = bytes_of(name), inspected(name)
    file = tmp_path / "lineup.csv"
    file.write_bytes(data)
    (tmp_path / f"lineup.csv{SIDECAR}").write_text(json.dumps(found.proposal.to_dict()))

    kept, tally = TakenRows(), Tally(source="lineup.csv")
    ended = ingest_blocks(read_lineup([data], mapping=found.proposal), tally, kept)
    report = tally.report("lineup.csv", error=ended.error)
    items = sorted(map(repr, map(attributes, kept.by_key.values())))

    assert found.kept == report.counts.read - report.counts.rejected
    assert found.refusal == ended.error
    assert ended.error or found.rows == report.counts.read

    checked = CliRunner().invoke(check, [str(file), "--json"])
    said = json.loads(checked.stdout)
    assert (said["read"], said["written"], said["rejected"], said["duplicates"]) == tuple(
        report.counts.to_dict()[count] for count in ("read", "written", "rejected", "duplicates")
    )
    assert plain(said["rejections"]) == plain(report.rejections)
    assert plain(said["warnings"]) == plain(report.warnings)

    lines = CliRunner().invoke(normalize, [str(file), "-o", str(tmp_path / "out.jsonl")])
    if lines.exit_code == 0:
        written = (tmp_path / "out.jsonl").read_text().splitlines()
        assert sorted(repr(json.loads(line)) for line in written) == items
    else:
        assert report.status == "failure"

    notebook = read(str(file))
    assert plain(notebook.rejections.to_dict("records")) == plain(report.rejections)
    assert plain(notebook.warnings.to_dict("records")) == plain(report.warnings)
    assert len(notebook.performances) == len(kept.by_key)


# What no option settles: rows that break a rule, and what only the festival knows.
LEFT = {
    "messy.csv",
    "Google Calendar",
    "rows with too many cells",
    "words for ends",
    "a footnote",
    "a header above each part",
    "a range with an open end",
    "a column for each stage",
}


@pytest.mark.parametrize("name", [*SAMPLES, *FILES])
def test_once_all_is_answered_every_row_is_kept_and_nothing_must_be_decided(name):
    found = inspected(name)
    if name not in LEFT:
        assert (found.kept, found.refused, found.refusal) == (found.rows, (), "")
        assert [each.line() for each in found.questions if each.must] == []


TABLES = {
    name: inspect_any([data]).delimiter
    for name, (data, *_) in FILES.items()
    if inspect_any([data]).shape == "csv" and data.isascii() and b"\0" not in data
}


@pytest.mark.parametrize("name", TABLES)
def test_a_sheet_is_asked_about_and_read_as_the_csv_of_its_cells_is(name):
    data = FILES[name][0]
    lines = data.decode().splitlines()
    rows = [next(csv.reader([line], delimiter=TABLES[name])) if line else [] for line in lines]
    told, sheet = inspect_any([data]), inspect_rows(rows)
    assert [each.line() for each in sheet.questions] == [each.line() for each in told.questions]
    assert sheet.proposal == told.proposal
    assert sheet.kept == told.kept
    proposal = inspected(name).proposal
    blocks = read_lineup([data], mapping=proposal)
    both = [
        [each for block in blocks for each in block.performances]
        for blocks in (_quietly(blocks), _quietly(read_rows(rows, mapping=proposal)))
    ]
    assert both[0] == both[1]


def _quietly(blocks):
    try:
        yield from blocks
    except LineupError:
        return
