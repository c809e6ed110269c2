"""Files as festivals publish them, each with the values that a person reads in it."""

import json
import subprocess
import sys

import pytest

from festival.lineup.decode import Limits
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import RejectionKind, WarningKind, wall_clock
from tests.lineup_reading import Reading, read


def by(**options) -> LineupMapping:
    return LineupMapping.from_dict(options)


def rows(reading: Reading) -> list[str]:
    """Each performance on one line: performer, stage, date, start and end."""
    return [
        f"{p.performer} {p.stage} {p.date[5:]} {wall_clock(p.start)}-{wall_clock(p.end)}"
        + "+" * (p.end >= 1440)
        for p in reading.performances
    ]


def kinds(reading: Reading) -> list[WarningKind]:
    return [each.kind for each in reading.warnings if each.kind is not WarningKind.COLUMNS]


def test_capitals_that_lost_their_accents_are_the_same_columns():
    reading = read("GROUPE,SCENE,DATE,DEBUT,FIN\nAna,Main,2026-06-18,19h30,20h20\n")
    assert rows(reading) == ["Ana Main 06-18 19:30-20:20"]


def test_the_day_before_the_first_date_is_that_day_with_a_warning():
    text = (
        "Artist,Stage,Date,Start,End\nAna,Main,11 June,20:00,21:00\nBen,Main,12 June,20:00,21:00\n"
    )
    reading = read(text, mapping=by(first_date="2025-06-12"))
    assert rows(reading) == ["Ana Main 06-11 20:00-21:00", "Ben Main 06-12 20:00-21:00"]
    assert reading.performances[0].date == "2025-06-11"
    assert kinds(reading) == [WarningKind.DATE]
    assert "1 day before the first_date" in reading.warnings[0].reason


def test_the_weekday_before_the_first_dates_is_a_question():
    text = "Artist,Stage,Date,Start,End\nAna,Main,Wednesday,20:00,21:00\n"
    [refused] = read(text, mapping=by(first_date="2025-06-12")).rejections
    assert "may be 2025-06-11 or 2025-06-18" in refused.reason
    assert (refused.kind, refused.option) == (RejectionKind.UNSETTLED, "dates")


CP1250 = "Performer,Stage,Date,Start,End\nČoček Łódź,Główna,2025-06-13,20:00,21:00\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CP1250, "cp1250"),
        ("Performer,Stage,Date,Start,End\nCafé Bjork,Måin,2025-06-13,20:00,21:00\n", "mac_roman"),
        ("Performer,Stage,Date,Start,End\nきのこ帝国,メイン,2025-06-13,20:00,21:00\n", "shift_jis"),
        ("Performer,Stage,Date,Start,End\nКино,Сцена,2025-06-13,20:00,21:00\n", "cp1251"),
    ],
)
def test_another_encoding_is_asked_about_and_read_once_it_is_told(text, encoding):
    data = text.encode(encoding)
    unread = read(data)
    assert unread.performances == []
    assert "the mapping's encoding" in unread.rejections[0].reason
    assert unread.rejections[0].option == "encoding"
    told = read(data, mapping=by(encoding=encoding))
    assert told.performances == read(text).performances
    assert (told.rejections, told.warnings) == ([], [])


def test_a_byte_that_a_told_encoding_does_not_have_refuses_its_row():
    data = CP1250.encode("cp1250") + b"Blur\x83,Main,2025-06-13,20:00,21:00\n"
    reading = read(data, mapping=by(encoding="cp1250"))
    assert reading.names == ["Čoček Łódź"]
    assert "not CP1250" in reading.rejections[0].reason


def test_a_file_that_is_told_to_be_utf8_is_not_read_as_windows_1252():
    data = "Performer,Stage,Date,Start,End\nBjörk,Main,2025-06-13,20:00,21:00\n".encode("cp1252")
    assert read(data).names == ["Björk"]
    assert read(data, mapping=by(encoding="utf-8")).names == []


def test_a_told_encoding_reads_on_from_any_block():
    text = CP1250 + "".join(f"Łąka {n},Główna,2025-06-13,20:00,21:00\n" for n in range(5000))
    data = text.encode("cp1250")
    mapping = by(encoding="cp1250")
    whole = read(data, mapping=mapping)
    assert len(whole.blocks) > 2
    rest = read(data, mapping=mapping, start=whole.blocks[0].end)
    assert whole.blocks[0].performances + rest.performances == whole.performances


def test_a_date_and_a_time_in_one_cell_are_read():
    text = (
        "Artist,Stage,Start,End\nAna,Main,6/13/2025 8:00 PM,6/13/2025 9:30 PM\n"
        "Ben,Main,6/13/2025 11:00 PM,6/14/2025 12:30 AM\n"
    )
    reading = read(text, mapping=by(columns={"Date": "Start"}, date_order="month_first"))
    assert rows(reading) == ["Ana Main 06-13 20:00-21:30", "Ben Main 06-13 23:00-00:30+"]
    assert reading.warnings == []
    [refused, _] = read(text, mapping=by(columns={"Date": "Start"})).rejections
    assert refused.option == "date_order"


@pytest.mark.parametrize(
    "cell",
    [
        *("2025-06-13 8:00 PM", "2025/06/13 20:00", "13 June 2025, 20.00 Uhr", "45821.8333333"),
        *("Friday 13 June 2025 at 8pm", "20:00 13 June 2025", "2025-06-13T20:00:00"),
    ],
)
def test_common_date_times_need_no_more_than_their_column(cell):
    text = json.dumps([{"Performer": "Ana", "Stage": "Main", "Begins": cell, "End": "21:00"}] * 1)
    reading = read(text, mapping=by(columns={"Date": "Begins", "Start": "Begins"}))
    assert rows(reading) == ["Ana Main 06-13 20:00-21:00"]


def test_a_duration_is_the_length():
    text = (
        "Title,Room,Date,Start,Duration\nAna,Hall,2025-02-01,19:00,1:30\n"
        "Ben,Hall,2025-02-01,20:45,0:30\nCy,Hall,2025-02-01,23:30,2:00\n"
    )
    reading = read(text, mapping=by(columns={"Stage": "Room"}))
    assert rows(reading) == [
        "Ana Hall 02-01 19:00-20:30",
        "Ben Hall 02-01 20:45-21:15",
        "Cy Hall 02-01 23:30-01:30+",
    ]
    assert reading.warnings == []


@pytest.mark.parametrize(
    ("cell", "minutes"),
    [
        *(("1:30", 90), ("01:30:00", 90), ("90", 90), ("90 min", 90), ("90'", 90), ("1h30", 90)),
        *(("1h 30m", 90), ("1.5 hours", 90), ("PT1H30M", 90), ("PT90M", 90), ("P1D", 1440)),
        *(("1 hour", 60), ("2 Stunden", 120), ("0", 0), ("45 minutes", 45)),
    ],
)
def test_lengths_have_many_forms(cell, minutes):
    text = f"Performer,Stage,Date,Start,Length\nAna,Main,2025-06-13,19:00,{cell}\n"
    [performance] = read(text).performances
    assert performance.end - performance.start == minutes


@pytest.mark.parametrize("cell", ["long", "5400", "1.5", "30:00", "-90", "P"])
def test_a_length_that_is_not_clear_is_refused(cell):
    text = f"Performer,Stage,Date,Start,Duration\nAna,Main,2025-06-13,19:00,{cell}\n"
    [refused] = read(text).rejections
    assert (refused.field, cell in refused.reason) == ("End", True)


@pytest.mark.parametrize(
    ("cell", "unit", "minutes"),
    [
        *(("1", "hours", 60), ("1.5", "hours", 90), ("5400", "seconds", 5400 // 60)),
        *(("5", "minutes", 5), ("0.0625", "days", 90), ("90", "minutes", 90)),
    ],
)
def test_a_number_that_may_be_in_another_unit_is_asked_about(cell, unit, minutes):
    text = f"Performer,Stage,Date,Start,Duration\nAna,Main,2025-06-13,19:00,{cell}\n"
    told = read(text, mapping=by(length_is=unit)).performances[0]
    assert told.end - told.start == minutes
    if cell != "90":
        [refused] = read(text).rejections
        assert (refused.kind, refused.option) == (RejectionKind.UNSETTLED, "length_is")


def test_an_end_goes_before_a_duration_that_says_otherwise():
    text = "Performer,Stage,Date,Start,End,Duration\nAna,Main,2025-06-13,19:00,20:00,90\n"
    mapping = by(columns={"Duration": "Duration"})
    reading = read(text, mapping=mapping)
    assert rows(reading) == ["Ana Main 06-13 19:00-20:00"]
    assert kinds(reading) == [WarningKind.LENGTH]
    blank = read(text.replace("20:00,90", ",90"), mapping=mapping)
    assert rows(blank) == ["Ana Main 06-13 19:00-20:30"]
    assert kinds(blank) == []


def test_a_time_of_one_start_and_a_duration_make_a_performance():
    text = "Performer,Stage,Date,Time,Duration\nAna,Main,2025-06-13,8:00 PM,90\n"
    assert rows(read(text)) == ["Ana Main 06-13 20:00-21:30"]


CALENDAR = (
    "Subject,Start Date,Start Time,End Date,End Time,All Day Event,Location\n"
    "Ana,06/13/2025,10:00 PM,06/14/2025,2:00 AM,False,Main\n"
    "Expo,06/13/2025,10:00 AM,06/15/2025,6:00 PM,False,Hall\n"
    "Walk,06/13/2025,10:00 AM,06/14/2025,11:00 AM,False,Hall\n"
)


def test_an_end_date_counts():
    reading = read(CALENDAR, mapping=by(columns={"Performer": "Subject"}, date_order="month_first"))
    assert rows(reading) == ["Ana Main 06-13 22:00-02:00+"]
    assert [each.line for each in reading.rejections] == [3, 4]
    assert all("more than 24 hours" in each.reason for each in reading.rejections)


def test_an_end_date_counts_on_a_festival_day():
    text = (
        "Performer,Stage,Date,Start,End,End date\n"
        "Ana,Main,2025-06-13,22:00,02:00,2025-06-14\nBen,Main,2025-06-13,02:00,03:00,2025-06-14\n"
    )
    reading = read(text, mapping=by(day_starts_at="06:00", date_is="festival_day"))
    assert rows(reading) == ["Ana Main 06-13 22:00-02:00+", "Ben Main 06-13 02:00-03:00+"]
    assert reading.performances[1].start == 26 * 60


def test_a_comma_at_the_end_of_a_row_is_taken_and_a_further_cell_is_not():
    text = (
        "Performer,Stage,Date,Start,End\nAna,Main,2025-06-13,20:00,21:00\n"
        "Ben,Main,2025-06-13,21:00,22:00,\nCy,Main,2025-06-13,22:00,23:00,late\n"
    )
    reading = read(text)
    assert reading.names == ["Ana", "Ben"]
    assert [each.line for each in reading.rejections] == [4]


def hours(*pairs: tuple[object, object]) -> str:
    return json.dumps(
        [
            {"performer": name, "stage": "Main", "date": "2025-06-13", "start": start, "end": end}
            for name, (start, end) in zip(("Ana", "Ben", "Cy"), pairs, strict=False)
        ]
    )


def test_whole_numbers_that_may_be_hours_are_asked_about():
    text = hours((20, 21), (21, 23))
    unread = read(text)
    assert unread.performances == []
    assert {each.option for each in unread.rejections} == {"integer_is"}
    told = read(text, mapping=by(integer_is="hour"))
    assert rows(told) == ["Ana Main 06-13 20:00-21:00", "Ben Main 06-13 21:00-23:00"]
    as_minutes = read(text, mapping=by(integer_is="hhmm"))
    assert as_minutes.performances[0].start == 20


def test_whole_numbers_in_a_csv_may_be_hours_too():
    text = "Performer,Stage,Date,Start,End\nAna,Main,2025-06-13,20,21\n"
    assert read(text).rejections[0].option == "integer_is"
    assert rows(read(text, mapping=by(integer_is="hour"))) == ["Ana Main 06-13 20:00-21:00"]


def test_whole_numbers_of_three_or_four_digits_are_hours_and_minutes():
    assert rows(read(hours((2030, 2130), (100, 245)))) == [
        "Ana Main 06-13 20:30-21:30",
        "Ben Main 06-13 01:00-02:45",
    ]


ARENA = {
    "arena": {
        "Friday": {
            "Main": [{"artist": "Ana", "start": "18:00", "end": "19:00"}],
            "Tent": [{"artist": "Ben", "start": "18:00", "end": "19:00"}],
        },
        "Saturday": {
            "Main": [{"artist": "Cy", "start": "18:00", "end": "19:00"}],
            "Tent": [{"artist": "Dee", "start": "18:00", "end": "19:00"}],
        },
    },
    "village": {"Friday": {"Main": [{"artist": "Eve", "start": "18:00", "end": "19:00"}]}},
}


def test_a_star_goes_through_keys_that_say_nothing():
    mapping = by(rows=["*", "<Date>", "<Stage>"], first_date="2025-06-13")
    assert rows(read(json.dumps(ARENA), mapping=mapping)) == [
        "Ana Main 06-13 18:00-19:00",
        "Ben Tent 06-13 18:00-19:00",
        "Cy Main 06-14 18:00-19:00",
        "Dee Tent 06-14 18:00-19:00",
        "Eve Main 06-13 18:00-19:00",
    ]


def act(name: str, stage: str, start: str = "18:00", end: str = "19:00") -> dict[str, str]:
    return {"performer": name, "stage": stage, "date": "2025-06-13", "start": start, "end": end}


def test_a_rows_own_stage_goes_before_the_key_of_its_list():
    groups = {"headliners": [act("Ana", "Main")], "support": [act("Ben", "Tent")]}
    reading = read(json.dumps(groups), mapping=by(rows=["<Stage>"]))
    assert rows(reading) == ["Ana Main 06-13 18:00-19:00", "Ben Tent 06-13 18:00-19:00"]


SETS = [
    act("Ana", "Main"),
    act("Ben", "Main", "19:30", "20:30"),
    act("Cy", "Main", "21:00", "22:00"),
]


def test_a_document_with_one_object_a_line_is_one_document():
    lines = ",\n".join(map(json.dumps, SETS))
    text = f'{{"updated": "2025-05-01", "sets": [\n{lines}\n]}}\n'
    for reading in (read(text), read(text, mapping=by(rows=["sets"]))):
        assert rows(reading) == [
            "Ana Main 06-13 18:00-19:00",
            "Ben Main 06-13 19:30-20:30",
            "Cy Main 06-13 21:00-22:00",
        ]


def test_json_lines_stay_json_lines_if_the_first_is_damaged():
    lines = ['{"performer": "Bro', *map(json.dumps, SETS)]
    reading = read("\n".join(lines))
    assert (reading.names, reading.refused[0][0]) == (["Ana", "Ben", "Cy"], 1)


def test_an_element_without_the_key_is_passed_over_and_counted():
    document = {
        "data": [
            {
                "name": "Ana",
                "performances": [
                    {
                        "stage_name": "Amp",
                        "start_time": "2025-07-25T02:30:00+00:00",
                        "end_time": "2025-07-25T04:00:00+00:00",
                    }
                ],
            },
            {"id": 7, "deleted_at": "2025-07-27T23:47:15+00:00"},
        ]
    }
    reading = read(
        json.dumps(document),
        mapping=by(
            rows=["data", "performances"],
            columns={"Date": "start_time"},
            time_zone="America/Vancouver",
        ),
    )
    assert rows(reading) == ["Ana Amp 07-24 19:30-21:00"]
    assert kinds(reading) == [WarningKind.PASSED_OVER]
    assert reading.warnings[-1].reason.endswith("data → performances: 1")


def test_two_lists_are_read_by_a_star():
    document = {
        "music": [act("Ana", "Main")],
        "updated": "2025-05-01",
        "comedy": [act("Ben", "Tent")],
    }
    text = json.dumps(document)
    assert read(text).performances == []
    reading = read(text, mapping=by(rows=["*"]))
    assert reading.names == ["Ana", "Ben"]
    assert read(text, mapping=by(rows=["music"])).names == ["Ana"]


def test_columns_go_into_objects_and_lists():
    events = [
        {
            "@type": "MusicEvent",
            "name": "Spring night",
            "start": "2026-03-07T21:00:00+01:00",
            "end": "2026-03-07T23:30:00+01:00",
            "location": {"name": "Hall"},
            "performer": [{"name": "Ana"}, {"name": "Ben"}],
        }
    ]
    columns = {"Performer": "performer[0].name", "Stage": "location.name", "Date": "start"}
    reading = read(json.dumps(events), mapping=by(columns=columns))
    assert rows(reading) == ["Ana Hall 03-07 21:00-23:30"]


def test_ids_are_looked_up_in_another_list_of_the_document():
    document = {
        "stages": [{"id": 1, "name": "Main"}, {"id": 2, "name": "Tent"}],
        "acts": [{"key": "a", "title": "Ana"}, {"key": "b", "title": "Ben"}],
        "slots": [
            {"act": "a", "stage_id": 1, "date": "2025-06-13", "start": "18:00", "end": "19:00"},
            {"act": "b", "stage_id": "2", "date": "2025-06-13", "start": "19:00", "end": "20:00"},
            {"act": "c", "stage_id": 2, "date": "2025-06-13", "start": "20:00", "end": "21:00"},
        ],
    }
    mapping = by(
        rows=["slots"],
        lookups={
            "stage_id": {"rows": ["stages"], "key": "id", "value": "name"},
            "act": {"rows": ["acts"], "key": "key"},
        },
        columns={"Stage": "stage_id", "Performer": "act.title"},
    )
    reading = read(json.dumps(document), mapping=mapping)
    assert rows(reading) == ["Ana Main 06-13 18:00-19:00", "Ben Tent 06-13 19:00-20:00"]
    assert "the act 'c', which is not in acts" in reading.rejections[0].reason


def test_a_header_below_titles_is_found_and_named():
    text = (
        "Summer Fest 2025 - running order,,,,\nlast update 3 May,,,,\n,,,,\n"
        "Artist,Stage,Date,Start,End\nAna,Main,2025-06-13,20:00,21:00\n"
    )
    reading = read(text)
    assert rows(reading) == ["Ana Main 06-13 20:00-21:00"]
    assert [(each.line, each.kind) for each in reading.warnings] == [(4, WarningKind.HEADER)]
    told = read(text, mapping=by(header_row=4))
    assert (rows(told), told.warnings) == (rows(reading), [])
    assert "expected a line of the file" in read(text, mapping=by(header_row=40)).error


def test_a_header_below_titles_that_lacks_a_column_is_named_with_its_line():
    text = "Summer Fest\n\nArtist,Place,Date,Start,End\nAna,Main,2025-06-13,20:00,21:00\n"
    error = read(text).error
    assert "seems to be in line 3" in error
    assert "the mapping's header_row" in error
    assert "no column for Stage" in error


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_line_that_names_the_separator_is_not_the_header(line):
    text = f"{line}\nPerformer;Stage;Date;Start;End\nAna;Main;2025-06-13;20:00;21:00\n"
    reading = read(text)
    assert rows(reading) == ["Ana Main 06-13 20:00-21:00"]


TWELVE = (
    "Artist,Stage,Date,Start,End\nAna,Main,2024-09-20,12:45,1:15\nBen,Main,2024-09-20,1:55,2:25\n"
    "Cy,Main,2024-09-20,6:05,7:05\nDee,Main,2024-09-20,8:15,10:00\n"
)


def test_a_clock_that_may_have_12_hours_is_a_warning_until_it_is_told():
    assert WarningKind.CLOCK in kinds(read(TWELVE))
    told = read(TWELVE, mapping=by(clock="12h"))
    assert rows(told) == [
        "Ana Main 09-20 12:45-13:15",
        "Ben Main 09-20 13:55-14:25",
        "Cy Main 09-20 18:05-19:05",
        "Dee Main 09-20 20:15-22:00",
    ]
    as_written = read(TWELVE, mapping=by(clock="24h"))
    assert WarningKind.CLOCK not in kinds(as_written)
    assert as_written.performances[3].start == 8 * 60 + 15


def test_starts_on_a_12_hour_clock_are_from_the_earliest_one_on():
    text = "Artist,Stage,Date,Start,End\nAna,Main,2024-09-20,11:00,12:15\n"
    assert rows(read(text, mapping=by(clock="12h from 10:00"))) == ["Ana Main 09-20 11:00-12:15"]
    late = read(text, mapping=by(clock="12h"))
    assert rows(late) == ["Ana Main 09-20 23:00-00:15+"]
    assert kinds(late) == [WarningKind.CLOCK]
    assert "taken as 23:00 and not 11:00" in late.warnings[0].reason


def test_am_and_pm_need_no_clock():
    text = "Artist,Stage,Date,Start,End\nAna,Main,2024-09-20,12:45pm,1:15pm\n"
    assert read(text).warnings == []
    assert rows(read(text, mapping=by(clock="12h from 10:00"))) == ["Ana Main 09-20 12:45-13:15"]


@pytest.mark.parametrize(
    ("cell", "start", "end"),
    [
        *(("7-8pm", "19:00", "20:00"), ("8:30-10pm", "20:30", "22:00")),
        *(("11-1am", "23:00", "01:00"), ("11-1pm", "11:00", "13:00"), ("7pm-8", "19:00", "20:00")),
        *(("11pm – 12:30", "23:00", "00:30"), ("20-21:30", "20:00", "21:30")),
        *(
            ("20-22 Uhr", "20:00", "22:00"),
            ("20-22", "20:00", "22:00"),
            ("20h-22h", "20:00", "22:00"),
        ),
        *(("noon - 1pm", "12:00", "13:00"), ("10pm-midnight", "22:00", "00:00")),
        *(("8pm to 10pm", "20:00", "22:00"),),
    ],
)
def test_a_range_says_am_or_pm_once(cell, start, end):
    text = f"Performer,Stage,Date,Time\nAna,Main,2025-06-13,{cell}\n"
    [performance] = read(text).performances
    assert (wall_clock(performance.start), wall_clock(performance.end)) == (start, end)


@pytest.mark.parametrize("cell", ["8-8pm", "7-8", "19-8pm", "0-8pm"])
def test_a_range_that_may_be_two_is_refused(cell):
    text = f"Performer,Stage,Date,Time\nAna,Main,2025-06-13,{cell}\n"
    assert read(text).performances == []


@pytest.mark.parametrize(
    ("cell", "minutes"),
    [
        *(
            ("noon", 720),
            ("12 Noon", 720),
            ("midnight", 0),
            ("Mitternacht", 0),
            ("20:00 Uhr", 1200),
        ),
        *(("20 Uhr", 1200), ("20.00 Uhr", 1200), ("kl. 20.00", 1200), ("kl 20", 1200)),
        *(("20h", 1200), ("20:00h", 1200), ("2000 hrs", 1200), ("8p", 1200), ("8:00 p.m.", 1200)),
        *(("0.875", 1260), ("0.8333333", 1200), (".75", 1080), ("0.75", 1080), ("0.5", 720)),
    ],
)
def test_times_in_the_words_of_posters_and_the_numbers_of_spreadsheets(cell, minutes):
    text = f"Performer,Stage,Date,Start,End\nAna,Main,2025-06-13,{cell},23:00\n"
    [performance] = read(text).performances
    assert performance.start == minutes


@pytest.mark.parametrize("cell", ["0.30", "8", "late", "close", "25 Uhr", "kl.", "0.x"])
def test_what_may_be_no_time_or_two_is_refused(cell):
    text = f"Performer,Stage,Date,Start,End\nAna,Main,2025-06-13,{cell},23:00\n"
    assert read(text).performances == []


@pytest.mark.parametrize(
    "cell",
    [
        *("Thursday June 12 2025", "2025/06/12", "12 June 2025", "2025-06-12 00:00:00", "45820"),
        "2025年6月12日",
    ],
)
def test_a_plain_date_needs_no_mapping(cell):
    text = f"Performer,Stage,Date,Start,End\nAna,Main,{cell},20:00,21:00\n"
    assert rows(read(text)) == ["Ana Main 06-12 20:00-21:00"]


@pytest.mark.parametrize(
    ("cell", "option"),
    [
        *(("01/02/2025", "date_order"), ("25-06-13", "date_order"), ("13 June", "year")),
        *(("Friday", "first_date"), ("Day 1", "dates"), ("422", "dates")),
        *(("2025-06-13T22:00:00Z", "time_zone"), ("1749837600", "time_zone")),
    ],
)
def test_a_date_that_is_not_clear_names_the_option_that_settles_it(cell, option):
    text = f"Performer,Stage,Date,Start,End\nAna,Main,{cell},20:00,21:00\n"
    [refused] = read(text).rejections
    assert (refused.kind, refused.option) == (RejectionKind.UNSETTLED, option)
    assert option in refused.reason


def test_two_digits_of_a_year_may_come_first():
    text = "Performer,Stage,Date,Start,End\nAna,Main,25-06-13,20:00,21:00\n"
    [performance] = read(text, mapping=by(date_order="year_first")).performances
    assert performance.date == "2025-06-13"


def test_a_date_long_before_the_first_date_is_the_next_years_with_a_warning():
    text = (
        "Performer,Stage,Date,Start,End\nAna,Main,31 December,20:00,21:00\n"
        "Ben,Main,1 January,20:00,21:00\nCy,Main,1 November,20:00,21:00\n"
    )
    reading = read(text, mapping=by(first_date="2025-12-30"))
    assert [each.date for each in reading.performances] == [
        "2025-12-31",
        "2026-01-01",
        "2026-11-01",
    ]
    assert [(each.line, each.kind) for each in reading.warnings] == [(4, WarningKind.DATE)]


NIGHT = (
    "Performer,Stage,Date,Start,End\nAna,Main,2025-06-13,23:00,00:30\n"
    "Ben,Main,2025-06-13,01:00,02:00\n"
)


def test_a_night_that_may_be_the_evenings_is_a_warning_until_it_is_told():
    assert kinds(read(NIGHT)) == [WarningKind.NIGHT]
    for mapping in (
        by(date_is="calendar_day"),
        by(date_is="festival_day", day_starts_at="06:00"),
        by(date_is="calendar_day", day_starts_at="06:00"),
    ):
        assert kinds(read(NIGHT, mapping=mapping)) == []
    as_written = read(NIGHT, mapping=by(date_is="calendar_day"))
    assert as_written.performances == read(NIGHT).performances


def clock_change(*times: tuple[str, str]) -> str:
    return json.dumps(
        [
            {"performer": name, "stage": "Main", "start": start, "end": end}
            for name, (start, end) in zip(("Ana", "Ben"), times, strict=False)
        ]
    )


def test_a_length_over_a_clock_change_is_the_real_one():
    text = clock_change(
        ("2025-10-25T23:30:00Z", "2025-10-26T00:30:00Z"),
        ("2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"),
    )
    reading = read(text, mapping=by(columns={"Date": "start"}, time_zone="Europe/Paris"))
    assert [each.end - each.start for each in reading.performances] == [60, 60]
    assert [wall_clock(each.start) for each in reading.performances] == ["01:30", "02:30"]
    assert kinds(reading) == [WarningKind.CLOCK_CHANGE, WarningKind.CLOCK_CHANGE]


def test_times_in_utc_are_named_until_a_time_zone_is_told():
    text = clock_change(("2025-06-13T18:00:00Z", "2025-06-13T19:00:00Z"))
    columns = {"Date": "start"}
    assert kinds(read(text, mapping=by(columns=columns, constants={}))) == [WarningKind.UTC]
    local = read(text, mapping=by(columns=columns, time_zone="Europe/Paris"))
    assert (rows(local), kinds(local)) == (["Ana Main 06-13 20:00-21:00"], [])


def test_merged_cells_are_filled_down():
    text = (
        "Performer,Stage,Date,Start,End\nAna,Main,2025-06-13,20:00,21:00\n"
        "Ben,,,21:00,22:00\n,,,,\nCy,Tent,,22:00,23:00\n"
    )
    assert len(read(text).rejections) == 2
    reading = read(text, mapping=by(fill_down=["Stage", "Date"]))
    assert rows(reading) == [
        "Ana Main 06-13 20:00-21:00",
        "Ben Main 06-13 21:00-22:00",
        "Cy Tent 06-13 22:00-23:00",
    ]
    assert reading.rejections == []


def test_titles_name_the_stage_and_the_day_of_the_rows_below_them():
    text = (
        "Friday 13 June 2025,,\nMAIN STAGE,,\nArtist,Start,End\nAna,20:00,21:00\n\nTENT,,\n"
        "Artist,Start,End\nBen,20:00,21:00\nSaturday 14 June 2025,,\nMAIN STAGE,,\n"
        "Artist,Start,End\nCy,20:00,21:00\n"
    )
    reading = read(text, mapping=by(sections=["Date", "Stage"]))
    assert rows(reading) == [
        "Ana MAIN STAGE 06-13 20:00-21:00",
        "Ben TENT 06-13 20:00-21:00",
        "Cy MAIN STAGE 06-14 20:00-21:00",
    ]
    assert reading.rejections == []


def test_titles_are_known_to_whoever_reads_on():
    acts = "".join(f"Act {n},2025-06-13,20:00,21:00\n" for n in range(2000))
    text = f"Artist,Date,Start,End\nMain\n{acts}Tent\n{acts}"
    mapping = by(sections="Stage")
    whole = read(text, mapping=mapping)
    assert [each.stage for each in whole.performances] == ["Main"] * 2000 + ["Tent"] * 2000
    rest = read(
        text.encode()[whole.blocks[0].end.offset :], mapping=mapping, start=whole.blocks[0].end
    )
    assert whole.blocks[0].performances + rest.performances == whole.performances


def test_rows_before_the_first_title_are_refused():
    text = "Artist,Date,Start,End\nAna,2025-06-13,20:00,21:00\nMain\nBen,2025-06-13,20:00,21:00\n"
    reading = read(text, mapping=by(sections="Stage"))
    assert (reading.names, reading.refused) == (["Ben"], [(2, "Stage", "")])


def test_a_time_without_am_or_pm_among_times_with_it_is_a_warning():
    head = "Performer,Stage,Date,Start,End\n"
    text = f"{head}Ana,Main,2025-06-13,7pm,8pm\nBen,Main,2025-06-13,8:15,9pm\n"
    assert WarningKind.CLOCK in kinds(read(text))
    with_24_hours = text + "Cy,Main,2025-06-13,21:00,22:00\n"
    assert WarningKind.CLOCK not in kinds(read(with_24_hours))


@pytest.mark.parametrize(
    ("cells", "field", "option"),
    [
        (",2025-06-13,20:00,21:00", "Stage", "fill_down"),
        ("Main,,20:00,21:00", "Date", "fill_down"),
        ("Main,2025-06-13,20:00,", "End", "default_length"),
        ("Main,2025-06-13,20:00,late", "End", "placeholders"),
        ("Main,2025-06-13,8,21:00", "Start", "integer_is"),
        ("Main,2025-06-13,24:30,25:30", "Start", "day_starts_at"),
        ("Main,01/02/2025,20:00,21:00", "Date", "date_order"),
        ("Main,11 June,20:00,21:00", "Date", "year"),
        ("Main,Day 1,20:00,21:00", "Date", "dates"),
    ],
)
def test_a_refusal_names_the_option_that_settles_it(cells, field, option):
    [refused] = read(f"Performer,Stage,Date,Start,End\nAna,{cells}\n").rejections
    assert (refused.field, refused.option, option in refused.reason) == (field, option, True)


@pytest.mark.parametrize(
    ("changed", "field", "option"),
    [
        ({"performer": {"name": "Ana"}}, "Performer", "columns"),
        ({"performer": ["Ana"]}, "Performer", "columns"),
        ({"stage": None}, "Stage", "columns"),
        ({"start": 20}, "Start", "integer_is"),
        ({"start": 1749844800}, "Start", "time_zone"),
        ({"end": None}, "End", "default_length"),
    ],
)
def test_a_refused_object_names_the_option_that_settles_it(changed, field, option):
    act = {"performer": "Ana", "stage": "Main", "date": "2025-06-13", "start": "20:00"}
    [refused] = read(json.dumps([{**act, "end": "21:00", **changed}])).rejections
    assert (refused.field, refused.option, option in refused.reason) == (field, option, True)


def test_a_time_of_one_start_asks_for_a_length():
    text = "Artist,Stage,Date,Time\nAna,Main,2025-06-13,8:00 PM\nBen,Main,2025-06-13,9:30 PM\n"
    assert {each.option for each in read(text).rejections} == {"default_length"}
    reading = read(text, mapping=by(default_length=60))
    assert rows(reading) == ["Ana Main 06-13 20:00-21:00", "Ben Main 06-13 21:30-22:30"]
    assert kinds(reading) == [WarningKind.NO_END] * 2


def test_a_popularity_above_100_may_be_a_rank():
    text = "Performer,Stage,Date,Start,End,Popularity\nAna,Main,2025-06-13,20:00,21:00,144\n"
    assert "popularity_is: rank" in read(text).warnings[0].reason


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_read_once_it_is_told(encoding):
    text = "Performer,Stage,Date,Start,End\nBjörk,Main,2025-06-13,20:00,21:00\n"
    assert "encoding" in read(text.encode(encoding)).error
    assert read(text.encode(encoding), mapping=by(encoding=encoding)).names == ["Björk"]


@pytest.mark.parametrize(
    "cell", ["Friday, 2025-06-13", "Fri 2025/06/13", "Friday 13 June 2025", "20250613T200000"]
)
def test_a_weekday_beside_a_date_is_held_against_it(cell):
    text = f'Performer,Stage,Date,Start,End\nAna,Main,"{cell}",20:00,21:00\n'
    assert rows(read(text)) == ["Ana Main 06-13 20:00-21:00"]
    wrong = text.replace("Fri", "Thurs", 1)
    assert "T" in cell or "2025-06-13 is a Friday" in read(wrong).rejections[0].reason


def test_a_weekday_and_numbers_need_their_order():
    text = "Performer,Stage,Date,Start,End\nAna,Main,Fri 13/06/2025,20:00,21:00\n"
    assert read(text).rejections[0].option == "date_order"
    assert rows(read(text, mapping=by(date_order="day_first"))) == ["Ana Main 06-13 20:00-21:00"]


def test_the_lines_of_json_lines_may_hold_their_rows():
    lines = [{"day": 1, "sets": SETS[:1]}, {"day": 2, "sets": SETS[1:]}]
    reading = read("\n".join(map(json.dumps, lines)), mapping=by(rows=["sets"]))
    assert reading.names == ["Ana", "Ben", "Cy"]


def test_dtstart_and_dtend_are_start_and_end():
    text = "Summary,Location,DTSTART,DTEND\nAna,Main,20250613T200000,20250613T213000\n"
    mapping = by(columns={"Performer": "Summary", "Date": "DTSTART"})
    assert rows(read(text, mapping=mapping)) == ["Ana Main 06-13 20:00-21:30"]


def test_a_null_end_leaves_the_duration_to_tell_it():
    sets = [{**SETS[0], "end": None, "duration": 90}, {**SETS[1], "duration": "seconds: 3600"}]
    reading = read(json.dumps(sets))
    assert rows(reading) == ["Ana Main 06-13 18:00-19:30", "Ben Main 06-13 19:30-20:30"]
    assert kinds(reading) == [WarningKind.LENGTH]


def test_elements_without_the_brackets_of_their_array_are_not_json_lines():
    reading = read(",\n".join(map(json.dumps, SETS)))
    assert reading.performances == []
    assert "put [ before the first and ] after the last" in reading.error


def test_objects_that_hold_the_performances_ask_for_the_rows():
    reading = read(json.dumps([{"date": "2025-06-13", "sets": SETS}]))
    assert [each.option for each in reading.rejections] == ["rows"]
    told = read(json.dumps([{"date": "2025-06-13", "sets": SETS}]), mapping=by(rows=["sets"]))
    assert told.names == ["Ana", "Ben", "Cy"]


def test_a_year_is_one_of_these_centuries():
    text = "Performer,Stage,Date,Start,End\nAna,Main,12111012,20:00,21:00\n"
    assert read(text).performances == []
    assert rows(read(text.replace("12111012", "2025-6-13"))) == ["Ana Main 06-13 20:00-21:00"]


def test_reading_the_kits_own_forms_loads_nothing_that_only_mappings_need():
    text = "Performer,Stage,Date,Start,End\\nAbba,Main,2025-06-13,20:00,9:30pm\\n"
    program = (
        "import sys; from festival.lineup.read import read_lineup; "
        f"[*read_lineup([b'{text}'])]; "
        "print([name for name in sys.modules if 'mapped' in name or name == 'zoneinfo'])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert told.stdout.strip() == b"[]"


def test_an_id_that_two_objects_have_is_refused():
    document = {
        "stages": [{"id": 1, "name": "Main"}, {"id": 1, "name": "Tent"}],
        "slots": [{**SETS[0], "stage": 1}],
    }
    lookups = {"stage": {"rows": ["stages"], "key": "id", "value": "name"}}
    [refused] = read(json.dumps(document), mapping=by(rows=["slots"], lookups=lookups)).rejections
    assert "the stage '1', which is twice in stages" in refused.reason


def test_a_name_that_is_said_to_be_the_stages_is_not_a_performers():
    slot = {"who": "Ana", "date": "2025-06-13", "start": "18:00", "end": "19:00"}
    text = json.dumps({"stages": [{"name": "Main", "slots": [slot]}]})
    where = {"rows": ["stages", "slots"]}
    reading = read(text, mapping=by(**where, columns={"Stage": "stages.name"}))
    assert reading.performances == []
    told = read(text, mapping=by(**where, columns={"Stage": "stages.name", "Performer": "who"}))
    assert rows(told) == ["Ana Main 06-13 18:00-19:00"]


def scored(*scores, performers="ABCDEFGH"):
    rows = zip(performers, scores, strict=False)
    text = "".join(f"{name},Main,2025-06-13,20:00,21:00,{score}\n" for name, score in rows)
    return "Performer,Stage,Date,Start,End,Popularity\n" + text


def test_popularities_from_1_on_once_each_are_a_warning_until_it_is_told_what_they_are():
    text = scored(3, 1, "", 2)
    [warning] = read(text).warnings
    assert (warning.field, warning.value, warning.line) == ("Popularity", "1 to 3", 0)
    assert "the mapping's popularity_is to rank or score" in warning.reason
    for kind, popularities in (("rank", [98, 100, None, 99]), ("score", [3, 1, None, 2])):
        told = read(text, mapping=by(popularity_is=kind))
        assert [each.popularity for each in told.performances] == popularities
        assert told.warnings == []


@pytest.mark.parametrize(
    "text",
    [
        scored(1, 2, 2, 3),
        scored(1, 2, 4),
        scored(1, 2),
        scored(2, 3, 4),
        scored(1, 2, 3, performers="ABA"),
        scored("", "", ""),
    ],
)
def test_popularities_that_are_shared_or_leave_one_out_are_scores(text):
    assert read(text).warnings == []


def test_ranks_are_known_over_the_blocks_of_a_file_and_by_a_performers_every_row():
    text = scored(3, 1, 2, 3, performers="ABCA")
    limits = Limits(block_rows=1)
    assert kinds(read(text, limits=limits)) == [WarningKind.POPULARITY]


def test_an_afternoon_on_a_12_hour_clock_is_not_the_night():
    text = "Artist,Stage,Date,Start,End\nAna,Main,2025-06-13,1:55,2:25\n"
    reading = read(text, mapping=by(clock="12h"))
    assert rows(reading) == ["Ana Main 06-13 13:55-14:25"]
    assert kinds(reading) == []


@pytest.mark.parametrize(
    ("cell", "order", "day"),
    [
        ("13-Jun-25", "day_first", "2025-06-13"),
        ("13 Jun 25", "month_first", "2025-06-13"),
        ("25-Jun-13", "year_first", "2025-06-13"),
        ("13-Jun-45", "", "2045-06-13"),
        ("45-Jun-13", "", "2045-06-13"),
    ],
)
def test_a_month_between_two_numbers_may_have_its_year_on_either_side(cell, order, day):
    text = f"Performer,Stage,Date,Start,End\nAna,Main,{cell},20:00,21:00\n"
    assert read(text, mapping=by(date_order=order or None)).performances[0].date == day
    if order:
        assert read(text).rejections[0].option == "date_order"


def test_a_year_for_dates_around_new_year_is_a_warning():
    head = "Performer,Stage,Date,Start,End\n"
    text = head + "Ana,Main,31 Dec,23:00,23:30\nBen,Main,1 Jan,20:00,21:00\n"
    [warning] = read(text, mapping=by(year=2025)).warnings
    assert (warning.field, warning.kind) == ("Date", WarningKind.DATE)
    assert "the mapping's first_date" in warning.reason
    assert read(text, mapping=by(first_date="2025-12-31")).warnings == []
    whole = text.replace("Dec", "Dec 2025").replace("Jan", "Jan 2025")
    assert read(whole, mapping=by(year=2025)).warnings == []


def test_ids_are_looked_up_among_the_keys_of_an_object():
    sets = [{"artist": 11, "venue": "m", "start": "2025-06-13T20:00", "end": "2025-06-13T21:00"}]
    document = {"artists": {"11": "Ana"}, "venues": {"m": {"title": "Main"}}, "sets": sets}
    lookups = {
        "artist": {"rows": ["artists"], "key": "*"},
        "venue": {"rows": ["venues"], "key": "*", "value": "title"},
    }
    mapping = by(columns={"Date": "start"}, rows=["sets"], lookups=lookups)
    assert rows(read(json.dumps(document), mapping=mapping)) == ["Ana Main 06-13 20:00-21:00"]
    sets[0]["venue"] = "x"
    [refused] = read(json.dumps(document), mapping=mapping).rejections
    assert "has the venue 'x', which is not in venues" in refused.reason


def test_a_row_where_a_list_is_expected_is_passed_over_and_counted():
    act = {"artist": "Ana", "start": "18:00", "end": "19:00"}
    document = {"2025-06-13": {"Main": [act]}, "2025-06-14": [{**act, "stage": "Main"}]}
    reading = read(json.dumps(document), mapping=by(rows=["<Date>", "<Stage>"]))
    assert rows(reading) == ["Ana Main 06-13 18:00-19:00"]
    assert kinds(reading) == [WarningKind.PASSED_OVER]


def test_names_of_the_columns_may_be_told():
    rows_alone = "Ana,2025-06-13,20:00,21:00\n\nTENT\nBen,2025-06-13,20:00,21:00\n"
    mapping = by(header=["Artist", "Date", "Start", "End"], sections=["Stage"])
    expected = ["Ana MAIN 06-13 20:00-21:00", "Ben TENT 06-13 20:00-21:00"]
    assert rows(read("MAIN\n" + rows_alone, mapping=mapping)) == expected
    named = by(header=["Artist", "Date", "Start", "End"], sections=["Stage"], header_row=2)
    assert rows(read("MAIN\nWho,When,,\n" + rows_alone, mapping=named)) == expected
    semicolons = rows_alone.replace(",", ";")
    assert rows(read("MAIN\n" + semicolons, mapping=mapping)) == expected


def test_a_file_without_a_header_is_read_on_from_any_block():
    text = "Ana,Main,2025-06-13,20:00,21:00\nBen,Main,2025-06-13,21:00,22:00\n"
    mapping = by(header=["Artist", "Stage", "Date", "Start", "End"])
    first, second = read(text, mapping=mapping, limits=Limits(block_rows=1, block_bytes=1)).blocks
    again = read(text[first.end.offset :], mapping=mapping, start=first.end)
    assert again.performances == second.performances


def test_a_header_of_two_lines_is_one():
    text = "Artist,Stage,Date,Set,Set\n,,,Start,End\nAna,Main,2025-06-13,20:00,21:00\n"
    reading = read(text)
    assert rows(reading) == ["Ana Main 06-13 20:00-21:00"]
    assert kinds(reading) == [WarningKind.HEADER]


def test_a_subject_is_the_performer_if_no_other_column_is():
    text = "Subject,{}Location,Date,Start,End\nAna,{}Main,2025-06-13,20:00,21:00\n"
    assert rows(read(text.format("", ""))) == ["Ana Main 06-13 20:00-21:00"]
    assert rows(read(text.format("Artist,", "Ben,"))) == ["Ben Main 06-13 20:00-21:00"]


def test_small_objects_beside_the_rows_belong_to_them():
    times = {"start": "2025-06-13T20:00", "end": "2025-06-13T21:00"}
    document = [{"artist": {"name": "Ana"}, "stage": {"name": "Main"}, "times": [times]}]
    names = {"Performer": "artist.name", "Stage": "stage.name", "Date": "start"}
    reading = read(json.dumps(document), mapping=by(rows=["times"], columns=names))
    assert rows(reading) == ["Ana Main 06-13 20:00-21:00"]


@pytest.mark.parametrize(
    ("start", "unit", "minutes"),
    [(1290, "minute", 1290), (20.5, "hour", 1230), (20.75, "hour", 1245), (20, "hour", 1200)],
)
def test_numbers_may_count_hours_or_minutes(start, unit, minutes):
    act = {
        "performer": "Ana",
        "stage": "Main",
        "date": "2025-06-13",
        "start": start,
        "end": "23:59",
    }
    [refused] = read(json.dumps([act])).rejections
    assert (refused.field, refused.option) == ("Start", "integer_is")
    assert read(json.dumps([act]), mapping=by(integer_is=unit)).performances[0].start == minutes
    text = f"Performer,Stage,Date,Start,End\nAna,Main,2025-06-13,{start},23:59\n"
    if start != 20.75:
        assert read(text, mapping=by(integer_is=unit)).performances[0].start == minutes


def test_a_rows_own_name_goes_before_the_title_of_all():
    act = {"name": "Ana", "stage": "Main", "date": "2025-06-13", "start": "20:00", "end": "21:00"}
    document = json.dumps({"title": "Summer", "acts": [act]})
    assert rows(read(document, mapping=by(rows=["acts"]))) == ["Ana Main 06-13 20:00-21:00"]
    above = by(rows=["acts"], columns={"Performer": "above.title"})
    assert rows(read(document, mapping=above)) == ["Summer Main 06-13 20:00-21:00"]
    told = by(rows=["acts"], columns={"Performer": "title"})
    assert rows(read(document, mapping=told)) == ["Summer Main 06-13 20:00-21:00"]
