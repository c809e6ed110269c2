"""Files of another kind: one sentence says what was recognised, and the way out."""

import pytest

from festival.lineup.formats.foreign import other_kind
from tests.lineup_reading import read


@pytest.mark.parametrize(
    ("text", "kind", "way"),
    [
        ("const LINEUP = [\n {artist: 'Ana'},\n]", "JavaScript", "from its ["),
        ("// 2025\nexport default {\n acts: [] }", "JavaScript", "as JSON"),
        ('callback([{"artist": "Ana"}])', "JavaScript", "as JSON"),
        ("#ifndef LINEUP_H\n#define LINEUP_H\n", "source code in C", "as CSV"),
        ('static const Act ACTS[] = {\n {"Ana", 2000},', "source code in C", "as CSV"),
        ("<!DOCTYPE html>\n<html><table>", "a web page", "spreadsheet"),
        ('<?xml version="1.0"?>\n<schedule><day>', "a schedule in XML", "JSON or CSV export"),
        ("<rss><channel>", "XML", "as CSV"),
        ("acts:\n  - name: Ana\n", "YAML", "as CSV"),
        ("INSERT INTO acts VALUES (1, 'Ana');", "SQL", "as CSV"),
        ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "an iCalendar file", "festival normalize"),
    ],
)
def test_another_kind_of_file_is_named_with_what_to_keep(text, kind, way):
    reading = read(text)
    assert reading.performances == []
    assert reading.error.startswith(f"the file is {kind}")
    assert way in reading.error


@pytest.mark.parametrize(
    "text",
    ["Set times", "Let's go", "letters,stage", "Main Stage (outdoor)", "hello", "20:00 Ana - Main"],
)
def test_a_file_of_words_is_not_taken_for_code(text):
    assert other_kind(text) == ""
