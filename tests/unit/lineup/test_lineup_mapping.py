"""Mappings: what they say, what they may not say, and what files become by them."""

import json

import pytest

from festival.errors import LineupError
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import clock
from tests.lineup_reading import csv_of, read, row


def by(**options):
    return LineupMapping.from_dict(options)


EVERYTHING = {
    "columns": {"Performer": "act", "Time": "set times", "Popularity": None},
    "constants": {"Stage": "Main"},
    "rows": ["data", "<Date>"],
    "lookups": {"act_id": {"rows": ["acts"], "key": "id", "value": "name"}},
    "encoding": "cp1250",
    "header_row": 4,
    "header": ["act", "set times"],
    "fill_down": ["Start"],
    "clock": "12h from 10:00",
    "integer_is": "hour",
    "length_is": "hours",
    "date_order": "day_first",
    "year": 2025,
    "first_date": "2025-06-12",
    "dates": {"day1": "2025-06-12"},
    "time_zone": "Europe/Paris",
    "day_starts_at": "06:00",
    "date_is": "festival_day",
    "default_length": 60,
    "placeholders": ["TBA"],
    "popularity_is": "rank",
    "popularity_none": ["1000"],
}


def test_a_mapping_says_what_it_was_given():
    mapping = LineupMapping.from_dict(EVERYTHING)
    assert mapping.to_dict() == EVERYTHING
    assert LineupMapping.from_json(json.dumps(EVERYTHING)) == mapping
    assert mapping.day_starts_at == 360


def test_sections_and_fields_to_fill_down_are_said_in_any_order_and_as_one_or_many():
    assert by(sections="Stage").to_dict() == {"sections": ["Stage"]}
    assert by(sections=["Stage", "Date"]).sections == ("Date", "Stage")
    assert by(fill_down="Date").fill_down == ("Date",)
    assert by(sections="Stage").fingerprint() != ""


def test_an_encoding_is_kept_under_the_name_that_python_has_for_it():
    assert by(encoding="Windows-1250").encoding == "cp1250"


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_option_changes_the_fingerprint_and_its_order_does_not(name):
    whole = LineupMapping.from_dict(EVERYTHING)
    linked = {"day_starts_at": "date_is", "date_is": "day_starts_at", "rows": "lookups"}
    fewer = {key: EVERYTHING[key] for key in EVERYTHING if key not in (name, linked.get(name))}
    assert LineupMapping.from_dict(fewer).fingerprint() != whole.fingerprint()
    backwards = LineupMapping.from_dict(dict(reversed(EVERYTHING.items())))
    assert backwards.fingerprint() == whole.fingerprint()
    assert len(whole.fingerprint()) == 12


@pytest.mark.parametrize("options", [{}, {"year": None}, {"columns": {}}])
def test_a_mapping_that_says_nothing_is_the_default(options):
    assert LineupMapping.from_dict(options) == DEFAULT_MAPPING
    assert LineupMapping.from_dict(options).fingerprint() == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"yaer": 2025}, "did you mean year?"),
        ({"speed": 1}, "expected one of columns"),
        ({"columns": "Performer"}, "expected fields"),
        ({"columns": {"Artist": "act"}}, "expected fields"),
        ({"columns": {"Performer": ""}}, "expected fields"),
        ({"columns": {"Performer": 3}}, "expected fields"),
        ({"constants": {"Start": "20:00"}}, "values for Performer, Stage, Date"),
        ({"constants": {"Date": "12/06/2025"}}, "YYYY-MM-DD"),
        ({"constants": {"Stage": " "}}, "not blank"),
        ({"rows": "data"}, "a list of keys"),
        ({"rows": []}, "a list of keys"),
        ({"rows": ["<Day>"]}, "in angle brackets"),
        ({"date_order": "dmy"}, "day_first or month_first or year_first"),
        ({"lookups": {"stage_id": "stages"}}, "columns with where to look"),
        ({"lookups": {"stage_id": {"rows": ["stages"]}}}, "columns with where to look"),
        ({"lookups": {"stage_id": {"rows": [], "key": "id"}}}, "a list of keys"),
        ({"encoding": "windows-9999"}, "text codecs"),
        ({"encoding": "hex"}, "text codecs"),
        ({"encoding": "punycode"}, "text codecs"),
        ({"encoding": 1250}, "text codecs"),
        ({"header_row": 0}, "the header's line"),
        ({"header_row": "4"}, "the header's line"),
        ({"fill_down": ["Popularity"]}, "a list of fields"),
        ({"fill_down": True}, "a list of fields"),
        ({"sections": "Performer"}, "a list of fields, of Date, Stage"),
        ({"clock": 12}, "12h, 24h, or 12h with"),
        ({"clock": "12h from 25:00"}, "12h, 24h, or 12h with"),
        ({"integer_is": "minutes"}, "hour or hhmm or minute"),
        ({"year": "2025"}, "four digits"),
        ({"year": 25}, "four digits"),
        ({"year": True}, "four digits"),
        ({"first_date": "2025-02-30"}, "YYYY-MM-DD"),
        ({"first_date": "2025-W24-4"}, "YYYY-MM-DD"),
        ({"dates": {"Day 1": "Friday"}}, "YYYY-MM-DD"),
        ({"dates": {"Day 1": "2025-06-12", "day1": "2025-06-13"}}, "each word once"),
        ({"dates": ["Friday"]}, "words with their dates"),
        ({"time_zone": "Paris"}, "such as Europe/Paris"),
        ({"time_zone": 2}, "such as Europe/Paris"),
        ({"time_zone": "../etc/passwd"}, "such as Europe/Paris"),
        ({"day_starts_at": "6"}, "from 00:01 to 12:00"),
        ({"day_starts_at": "18:00", "date_is": "festival_day"}, "from 00:01 to 12:00"),
        ({"day_starts_at": "00:00", "date_is": "festival_day"}, "from 00:01 to 12:00"),
        ({"date_is": "today", "day_starts_at": "06:00"}, "festival_day or calendar_day"),
        ({"default_length": 0}, "from 1 to 1440"),
        ({"default_length": "60"}, "from 1 to 1440"),
        ({"placeholders": [""]}, "not blank"),
        ({"placeholders": [3]}, "not blank"),
        ({"popularity_is": "stars"}, "rank or score"),
        ({"popularity_none": [None]}, "a number or text"),
    ],
)
def test_a_wrong_option_is_named_with_its_value_and_what_was_expected(options, said):
    with pytest.raises(LineupError, match="mapping") as raised:
        LineupMapping.from_dict(options)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": {"Time": "t", "Start": "s"}}, "both start and end, and Start"),
        ({"columns": {"Performer": "Name", "Stage": "name"}}, "is Performer and Stage"),
        ({"columns": {"Stage": "s"}, "constants": {"Stage": "Main"}}, "Stage is given twice"),
        ({"columns": {"Date": "d"}, "rows": ["<Date>"]}, "Date is given twice"),
        ({"rows": ["<Stage>", "<Stage>"]}, "Stage is given twice"),
        ({"columns": {"Stage": None}}, "no column is the Stage"),
        ({"columns": {"End": None}}, "a default_length"),
        ({"day_starts_at": "06:00"}, "needs date_is"),
        ({"date_is": "festival_day"}, "needs day_starts_at"),
        ({"sections": "Stage", "constants": {"Stage": "Main"}}, "Stage is given twice"),
        ({"lookups": {"stage": {"rows": ["stages"], "key": "id"}}}, "lookups need rows"),
        ({"year": 2024, "first_date": "2025-06-12"}, "year is 2024"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_an_error_that_says_how(options, said):
    with pytest.raises(LineupError, match="contradicts itself") as raised:
        LineupMapping.from_dict(options)
    assert said in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '"columns"', b"\xff", "3"])
def test_a_mapping_file_that_is_no_object_is_an_error(text):
    with pytest.raises(LineupError, match=r"(not JSON|not a JSON object)"):
        LineupMapping.from_json(text)


def test_a_column_that_the_mapping_names_must_be_there():
    reading = read(csv_of(row()), mapping=by(columns={"Performer": "act"}))
    assert "'act' is the Performer; expected a column of that name" in reading.error


def test_columns_are_what_the_mapping_says():
    header = "Artist,Name,Room,Date,From,Till,Performer"
    text = csv_of("Abba,x,Main,2025-06-12,20:00,21:00,y", header=header)
    mapping = by(columns={"Performer": "artist", "Stage": "ROOM"})
    reading = read(text, mapping=mapping)
    [performance] = reading.performances
    assert (performance.performer, performance.stage) == ("Abba", "Main")
    assert reading.warnings[0].value == "Name, Performer"


def test_what_is_the_same_in_every_row_is_a_constant():
    text = csv_of("Abba,20:00,21:00", header="act,from,to")
    mapping = by(constants={"Stage": "Main", "Date": "2025-06-12"})
    [performance] = read(text, mapping=mapping).performances
    assert performance.identity == ("Abba", "Main", "2025-06-12", 1200)


@pytest.mark.parametrize(
    ("cell", "times"),
    [
        ("02:30 - 02:45", ("02:30", "02:45")),
        ("02:30\u00a0–\u00a002:45", ("02:30", "02:45")),
        ("8:30 PM - 12:15 AM", ("20:30", "24:15")),
        ("19h30-20h45", ("19:30", "20:45")),
        ("2230–0040", ("22:30", "24:40")),
        ("20:00 to 21:00", ("20:00", "21:00")),
        ("20:00 bis 21:00", ("20:00", "21:00")),
        ("2025-06-12T20:00 - 2025-06-12T21:00", ("20:00", "21:00")),
    ],
)
def test_one_cell_may_have_both_times(cell, times):
    text = csv_of(f"Abba,Main,2025-06-12,{cell}", header="Performer,Stage,Date,Time")
    [performance] = read(text).performances
    assert (clock(performance.start), clock(performance.end)) == times


@pytest.mark.parametrize(
    "cell", ["8:30 - 8:30 PM", "TBA", "20:00", "20:00 - 21:00 - 22:00", "", "-"]
)
def test_a_cell_whose_times_are_not_clear_is_refused(cell):
    text = csv_of(f"Abba,Main,2025-06-12,{cell}", header="Performer,Stage,Date,Time")
    [rejection] = read(text).rejections
    assert (rejection.field in ("Start", "End"), rejection.value) == (True, cell)
    as_json = json.dumps(
        [{"Performer": "A", "Stage": "S", "Date": "2025-06-12", "Time": cell} for _ in range(2)]
    )
    assert len(read(as_json).rejections) == 2


def test_a_range_stands_only_where_neither_start_nor_end_has_a_column():
    header = "Performer,Stage,Date,Start,Time"
    error = read(csv_of("Abba,Main,2025-06-12,20:00,20:00 - 21:00", header=header)).error
    assert "no column for End" in error


def test_a_missing_end_takes_the_default_length_and_is_told():
    mapping = by(default_length=90, placeholders=["tba"])
    rows = (
        row(end=""),
        row("Blur", end="TBA"),
        row("Pulp", end="soon"),
        row("Air", start="23:00", end=""),
    )
    reading = read(csv_of(*rows), mapping=mapping)
    assert [each.end for each in reading.performances] == [1290, 1290, 1470]
    assert [(each.line, each.field) for each in reading.warnings] == [
        (2, "End"),
        (3, "End"),
        (5, "End"),
    ]
    assert reading.refused == [(4, "End", "soon")]
    without = csv_of("Abba,Main,2025-06-12,20:00", header="Performer,Stage,Date,Start")
    assert read(without, mapping=mapping).performances[0].end == 1290
    spoken = csv_of("Abba,Main,2025-06-12,20:00 - TBA", header="Performer,Stage,Date,Time")
    assert read(spoken, mapping=mapping).performances[0].end == 1290


def test_placeholders_refuse_the_row_that_has_them_for_a_name():
    rows = row("TBA"), row("tba "), row("TBA Collective"), row(stage="T.B.A")
    reading = read(csv_of(*rows), mapping=by(placeholders=["TBA", "T.B.A"]))
    assert reading.names == ["TBA Collective"]
    assert [each.field for each in reading.rejections] == ["Performer", "Performer", "Stage"]
    assert read(csv_of(*rows)).rejections == []


def test_a_rank_becomes_a_popularity_and_none_is_none():
    mapping = by(popularity_is="rank", popularity_none=[1000])
    ranks = ["1", "2", "100", "101", "144", "1000", "", "0", "high"]
    rows = [row(f"Band {rank}", popularity=rank) for rank in ranks]
    reading = read(csv_of(*rows), mapping=mapping)
    scores = [each.popularity for each in reading.performances]
    assert scores == [100, 99, 1, 1, 1, None, None, None, None]
    assert [each.value for each in reading.warnings] == ["0", "high"]


def test_none_alone_leaves_scores_as_they_are():
    rows = [row(popularity="1000"), row("Blur", popularity="80"), row("Pulp", popularity="300")]
    reading = read(csv_of(*rows), mapping=by(popularity_none="1000"))
    assert [each.popularity for each in reading.performances] == [None, 80, None]
    assert [each.value for each in reading.warnings] == ["300"]


def test_date_times_can_be_the_date_too():
    header = "name,venue,startTime,endTime"
    cells = "Abba,Main,2025-06-12T23:00:00+02:00,2025-06-13T01:00:00+02:00"
    assert "no column for Date" in read(csv_of(cells, header=header)).error
    [performance] = read(
        csv_of(cells, header=header), mapping=by(columns={"Date": "startTime"})
    ).performances
    assert performance[2:5] == ("2025-06-12", 1380, 1500)


def test_instants_become_the_clock_times_of_their_zone():
    mapping = by(columns={"Date": "start"}, time_zone="Europe/Paris")
    header = "name,venue,start,end"
    rows = [
        "Abba,Main,2025-06-12T22:30:00Z,2025-06-12T23:30:00Z",
        "Blur,Main,1749767400,1749771000000",
        "Pulp,Main,2025-06-13T00:30:00,2025-06-13T01:30:00+02:00",
    ]
    reading = read(csv_of(*rows, header=header), mapping=mapping)
    assert [each[2:5] for each in reading.performances] == [("2025-06-13", 30, 90)] * 3
    asked = read(csv_of(rows[1], header=header), mapping=by(columns={"Date": "start"}))
    assert "time_zone" in asked.rejections[0].reason


def test_epoch_numbers_of_json_are_instants_only_with_a_zone():
    act = {"title": "A", "stage": "S", "start": 1749767400000, "end": 1749771000000}
    mapping = by(columns={"Date": "start"}, time_zone="America/New_York")
    [performance] = read(json.dumps([act]), mapping=mapping).performances
    assert performance[2:5] == ("2025-06-12", 18 * 60 + 30, 19 * 60 + 30)
    assert read(json.dumps([{**act, "date": "2025-06-12"}])).refused[0][1] == "Start"


NIGHT = [
    "Abba,Main,2025-06-12,23:30,00:30",
    "Blur,Main,2025-06-12,1:30am,3am",
    "Pulp,Main,2025-06-12,6:00,7:00",
]


def test_a_start_in_the_night_belongs_to_the_festival_day_that_date_names():
    mapping = by(day_starts_at="06:00", date_is="festival_day")
    reading = read(csv_of(*NIGHT, header="Performer,Stage,Date,Start,End"), mapping=mapping)
    assert [each[2:5] for each in reading.performances] == [
        ("2025-06-12", 1410, 1470),
        ("2025-06-12", 1530, 1620),
        ("2025-06-12", 360, 420),
    ]
    assert reading.performances[1].sort_key == "2025-06-12#25:30#Main"


def test_a_start_in_the_night_goes_to_the_festival_day_before_its_calendar_day():
    mapping = by(day_starts_at="06:00", date_is="calendar_day")
    reading = read(csv_of(*NIGHT, header="Performer,Stage,Date,Start,End"), mapping=mapping)
    assert [each[2:4] for each in reading.performances] == [
        ("2025-06-12", 1410),
        ("2025-06-11", 1530),
        ("2025-06-12", 360),
    ]


def test_clocks_that_go_on_past_24_are_read_where_date_is_the_festival_day():
    mapping = by(day_starts_at="06:00", date_is="festival_day")
    text = csv_of(
        row(start="25:30", end="26:15"),
        row("Blur", start="23:30", end="25:00"),
        row("Pulp", start="31:00"),
    )
    reading = read(text, mapping=mapping)
    assert [each[3:5] for each in reading.performances] == [(1530, 1575), (1410, 1500)]
    assert reading.refused == [(4, "Start", "31:00")]
    assert read(text).performances == []


def test_a_date_time_in_the_night_fits_the_festival_day_it_stands_under():
    rows = [
        row(start="2025-06-13T01:30", end="2025-06-13T02:30"),
        row("B", start="2025-06-12T01:30"),
    ]
    mapping = by(day_starts_at="06:00", date_is="festival_day")
    reading = read(csv_of(*rows), mapping=mapping)
    assert [each[2:5] for each in reading.performances][:1] == [("2025-06-12", 1530, 1590)]
    assert [(each.line, each.field) for each in reading.warnings][:1] == [(3, "Start")]
    calendar = by(day_starts_at="06:00", date_is="calendar_day", columns={"Date": "Start"})
    moved = read(csv_of(rows[0]).replace("Date", "Day"), mapping=calendar)
    assert moved.performances[0][2:5] == ("2025-06-12", 1530, 1590)
    assert moved.warnings[0].value == "Day"
    wrong = by(day_starts_at="06:00", date_is="festival_day", columns={"Date": "Start"})
    assert "calendar_day" in read(csv_of(rows[0]).replace("Date", "Day"), mapping=wrong).error


def test_a_cell_in_an_object_is_named_by_its_path():
    acts = [
        {
            "artist": {"name": "Abba"},
            "stage": {"name": "Main"},
            "date": "2025-06-12",
            "start": "8pm",
            "end": "9pm",
        },
        {"artist": None, "stage": {}, "date": "2025-06-12", "start": "8pm", "end": "9pm"},
    ]
    mapping = by(columns={"Performer": "artist.name", "Stage": "stage.name"})
    reading = read(json.dumps(acts), mapping=mapping)
    assert reading.names == ["Abba"]
    assert "expected a column of that name" in reading.rejections[0].reason


@pytest.mark.parametrize("shape", ["csv", "json"])
def test_reading_on_by_a_mapping_gives_the_rest_by_the_mapping(shape):
    from festival.lineup.decode import Limits

    mapping = by(day_starts_at="06:00", date_is="festival_day", placeholders=["TBA"])
    names = ["Abba", "TBA", "Blur", "Pulp", "Air"]
    text = csv_of(*(row(name, start="1:30", end="2am") for name in names))
    if shape == "json":
        cells = {"Stage": "S", "Date": "2025-06-12", "Start": "1:30", "End": "2am"}
        text = json.dumps([{"Performer": name, **cells} for name in names])
    limits = Limits(block_rows=1, block_bytes=10)
    reading = read(text, mapping=mapping, limits=limits)
    assert [each.start for each in reading.performances] == [1530] * 4
    for index, block in enumerate(reading.blocks):
        rest = read(text[block.end.offset :], mapping=mapping, start=block.end, limits=limits)
        assert (
            rest.performances
            == reading.performances[len(reading.performances) - len(rest.performances) :]
        )
        assert len(rest.blocks) == len(reading.blocks) - index - 1
