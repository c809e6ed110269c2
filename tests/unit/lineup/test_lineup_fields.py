"""The rules of the fields, cell by cell."""

import pytest

from festival.lineup.fields.popularity import popularity
from festival.lineup.fields.text import Number, RuleError, name, preview
from festival.lineup.fields.times import iso_date, moment
from festival.lineup.model import clock
from tests.lineup_reading import csv_of, read, row


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("8:00pm", "20:00"),
        ("8pm", "20:00"),
        ("8.30 PM", "20:30"),
        ("8:30\u202fPM", "20:30"),
        ("8:30\u00a0p.m.", "20:30"),
        ("11:35:00 PM", "23:35"),
        ("12am", "00:00"),
        ("12:30 AM", "00:30"),
        ("12 PM", "12:00"),
        ("20:00", "20:00"),
        ("20:00:59", "20:00"),
        (" 9:05 ", "09:05"),
        ("19h30", "19:30"),
        ("19H30", "19:30"),
        ("20h", "20:00"),
        ("2230", "22:30"),
        ("0040", "00:40"),
        ("100", "01:00"),
        ("000", "00:00"),
        (Number("2230"), "22:30"),
        (Number("100"), "01:00"),
        (Number("30"), "00:30"),
        (Number("0"), "00:00"),
        ("2025-06-12T20:15:00+02:00", "20:15"),
        ("2025-06-12T20:15Z", "20:15"),
        ("2025-06-12 20:15:00.000", "20:15"),
    ],
)
def test_a_time_is_read_in_every_form_it_is_written_in(written, meant):
    assert clock(moment(written).minutes) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("8", "13pm", "0am", "24:00", "25:00", "20:60", "20:00:60", "2460", "2400", "8:5", "TBA"),
        *("-1:00", "20:00 CET", "1e3", "٨:٠٠pm", "20::00", "12345", "2025-02-30T20:00", "8 pm ish"),
        *map(Number, ("2400", "2260", "-30", "20.5", "12345")),
        *("", None, True, ["20:00"], {"at": "20:00"}),
    ],
)
def test_what_is_no_time_is_refused(written):
    with pytest.raises(RuleError):
        moment(written)


@pytest.mark.parametrize("written", ["24:00", "2400", "24:00:00", Number("2400")])
def test_an_end_may_be_the_midnight_that_closes_the_day(written):
    assert moment(written, last=1440).minutes == 1440


def test_the_offset_and_the_date_of_a_date_time_are_kept_for_who_needs_them():
    found = moment("2025-06-12T20:15:00-04:30")
    assert (found.date, found.offset) == ("2025-06-12", -270)
    assert moment("2025-06-12T20:15:00+0530").offset == 330
    assert moment("2025-06-12T20:15:00z").offset == 0
    assert moment("2025-06-12T20:15").offset is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("  Sigur   Rós ", "Sigur Rós"),
        ("The\nBand", "The Band"),
        ("Hey,\u00a0Nothing", "Hey, Nothing"),
        ("Beyonce\u0301", "Beyoncé"),
        ("\ufeffAb\u200bba\u2060\u00ad", "Abba"),
        ("فرقة\u200cها", "فرقة\u200cها"),
        ("👩\u200d🎤", "👩\u200d🎤"),
        ("Молчат Дома", "Молчат Дома"),
        (Number("1914"), "1914"),
        (Number("0.10"), "0.10"),
        ("1914", "1914"),
    ],
)
def test_a_name_is_tidied_and_nothing_else(written, meant):
    assert name(written) == meant


@pytest.mark.parametrize("written", ["", "  \u00a0", "\u200b", None, True, [], {"name": "Abba"}])
def test_a_name_must_be_text(written):
    with pytest.raises(RuleError, match="text"):
        name(written)


@pytest.mark.parametrize("written", ["Ab\x00ba", "Ab\x1b[31mba", "Abba\x7f", "Abba \ud800"])
def test_a_name_that_could_not_be_stored_or_printed_is_refused(written):
    with pytest.raises(RuleError, match=r"U\+"):
        name(written)


@pytest.mark.parametrize(
    "written",
    [
        *("2025-02-29", "2025-13-01", "0000-01-01", "2025-6-12", "20250612", "12/06/2025"),
        *("2025-06-12T20:00", "June 12 2025", "２０２５-06-12", "2025-W24-4", "", None, []),
        Number("20250612"),
    ],
)
def test_a_date_is_a_day_of_the_calendar_as_year_month_day(written):
    with pytest.raises(RuleError, match=r"YYYY-MM-DD|text"):
        iso_date(written)


def test_a_leap_day_is_a_day():
    assert iso_date(" 2024-02-29 ") == "2024-02-29"


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1", 1), ("100", 100), (" 85 ", 85), ("85.0", 85), (Number("85"), 85), ("", None)],
)
def test_popularity_is_a_whole_number_or_nothing(written, meant):
    assert popularity(written) == meant


@pytest.mark.parametrize("written", ["0", "101", "85.5", "-3", "high", "1e2", "٨٥", True, [], "∞"])
def test_another_popularity_is_no_reason_to_lose_the_performance(written):
    with pytest.raises(RuleError):
        popularity(written)


def test_a_popularity_that_is_none_is_dropped_with_a_warning():
    reading = read(csv_of(row(popularity="101"), row("Blur", popularity="55")))
    assert [each.popularity for each in reading.performances] == [None, 55]
    [warning] = reading.warnings
    assert (warning.line, warning.field, warning.value) == (2, "Popularity", "101")


def test_a_value_in_a_message_is_printable_and_short():
    assert preview("Ab\x1bba\n") == "Ab\\x1bba\\n"
    assert preview("head" + "x" * 300 + "tail") == "head" + "x" * 95 + "…" + "x" * 96 + "tail"
    assert preview({"a": [Number("1"), Number("9" * 5000)]}).startswith('{"a": [1, "999')
    assert preview("\ud800") == "\\ud800"
