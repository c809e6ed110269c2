"""iCalendar files: events are rows, and what the calendar says itself is not asked."""

import pytest

pytest.importorskip("icalendar")

from festival.errors import LineupError
from festival.inspection.calendar import inspect_calendar, read_calendar
from festival.inspection.reading import inspect_any, read_any
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import WarningKind


def calendar(*events, head=""):
    inside = "\n".join(f"BEGIN:VEVENT\n{each}\nEND:VEVENT" for each in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Tent//EN\n{head}{inside}\nEND:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def performances(data, **options):
    blocks = read_calendar(data, mapping=LineupMapping.from_dict(options))
    return [each[:6] for block in blocks for each in block.performances]


ANA = "SUMMARY:Ana\nLOCATION:Main\nDTSTART;TZID=Europe/Paris:20250613T230000\n"


def test_a_summary_plays_at_a_location_by_the_clock_of_its_zone():
    assert performances(calendar(ANA + "DTEND;TZID=Europe/Paris:20250614T003000")) == [
        ("Ana", "Main", "2025-06-13", 1380, 1470, None)
    ]


def test_a_duration_is_an_end():
    assert performances(calendar(ANA + "DURATION:PT1H30M"))[0][3:5] == (1380, 1470)


def test_utc_times_are_in_the_zone_that_the_calendar_names():
    event = "SUMMARY:Ana\nLOCATION:Main\nDTSTART:20250613T220000Z\nDTEND:20250613T230000Z"
    named = calendar(event, head="X-WR-TIMEZONE:Europe/Paris\n")
    assert performances(named)[0][2:5] == ("2025-06-14", 0, 60)
    assert inspect_calendar(named).questions == ()


def test_utc_times_without_a_zone_are_asked_about():
    event = "SUMMARY:Ana\nLOCATION:Main\nDTSTART:20250613T180000Z\nDTEND:20250613T190000Z"
    found = inspect_calendar(calendar(event))
    assert [each.option for each in found.questions] == ["time_zone"]
    assert "UTC" in found.questions[0].seen
    assert performances(calendar(event), time_zone="Europe/Paris")[0][3:5] == (1200, 1260)


def test_lines_are_those_on_which_events_begin():
    blocks = [*read_calendar(calendar(ANA + "DURATION:PT1H", "SUMMARY:Ben\nDTSTART:20250613"))]
    [rejection] = [each for block in blocks for each in block.rejections]
    [performance] = [each for block in blocks for each in block.performances]
    assert (performance.line, rejection.line) == (4, 10)


def test_a_cancelled_event_is_refused_and_one_that_recurs_is_warned_of():
    recurring = ANA + "DURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3"
    blocks = [*read_calendar(calendar(recurring, ANA + "STATUS:CANCELLED"))]
    assert [each.reason for block in blocks for each in block.rejections] == [
        "is cancelled; expected an event"
    ]
    assert any("recurs (RRULE)" in each.reason for block in blocks for each in block.warnings)
    assert sum(block.read for block in blocks) == 2


def test_a_mapping_goes_before_what_the_calendar_says():
    rows = performances(calendar(ANA + "DURATION:PT1H"), constants={"Stage": "Tent"})
    assert rows[0][1] == "Tent"


def test_a_broken_start_is_refused_by_name():
    found = inspect_calendar(calendar("SUMMARY:Ana\nLOCATION:Main\nDTSTART:2025xx"))
    assert (found.rows, found.kept, [each.field for each in found.refused]) == (1, 0, ["Date"])


def test_a_calendar_without_an_event_is_not_a_lineup():
    with pytest.raises(LineupError, match="no event"):
        performances(calendar())
    assert "no event" in inspect_calendar(calendar()).problem


def test_a_calendar_is_told_by_its_content():
    data = calendar(ANA + "DURATION:PT1H")
    assert [len(block.performances) for block in read_any([data])] == [1]
    assert (inspect_any([data]).shape, inspect_any([data]).kept) == ("calendar", 1)


def test_a_calendar_that_is_not_utf8_is_read_with_a_warning_or_as_it_is_told():
    data = calendar(ANA.replace("Ana", "Beyoncé") + "DURATION:PT1H").decode().encode("cp1252")
    blocks = [*read_calendar(data)]
    assert [each.performer for block in blocks for each in block.performances] == ["Beyoncé"]
    assert [each.kind for block in blocks for each in block.warnings] == [WarningKind.ENCODING]
    polish = calendar(ANA.replace("Ana", "Łódź") + "DURATION:PT1H").decode().encode("cp1250")
    with pytest.raises(LineupError, match="the mapping's encoding"):
        [*read_calendar(polish)]
    assert performances(polish, encoding="cp1250")[0][0] == "Łódź"
