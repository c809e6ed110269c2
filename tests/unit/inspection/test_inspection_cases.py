"""Strange files: what inspect asks and proposes, and that check with the proposal says the same."""

import json

import pytest

from festival.inspection.inspect import inspect_lineup
from festival.lineup.mapping import LineupMapping
from tests.lineup_reading import read

HEAD = "Artist,Stage,Date,Start,End\n"


def csv(*rows, head=HEAD):
    return (head + "".join(f"{row}\n" for row in rows)).encode()


def document(value):
    return json.dumps(value, indent=1).encode()


ANA = {"artist": "Ana", "stage": "Main", "date": "2025-06-13", "start": "18:00", "end": "19:00"}
APP = {
    "artists": [{"id": 11, "name": "Ana"}, {"id": 12, "name": "Ben"}],
    "stages": [{"id": 1, "name": "Main"}, {"id": 2, "name": "Tent"}],
    "sets": [
        {"artist_id": 11, "stage_id": 1, "start": "2025-06-13T20:00", "end": "2025-06-13T21:00"},
        {"artist_id": 12, "stage_id": 2, "start": "2025-06-13T23:00", "end": "2025-06-14T00:15"},
    ],
}
PRETALX = {
    "schedule": {
        "conference": {
            "title": "F",
            "start": "2025-06-13",
            "end": "2025-06-14",
            "days": [
                {
                    "date": "2025-06-13",
                    "rooms": {
                        room: [
                            {
                                "title": name,
                                "room": room,
                                "date": "2025-06-13T20:00:00+02:00",
                                "start": "20:00",
                                "duration": "01:15",
                            }
                        ]
                        for room, name in (("Main", "Ana"), ("Yard", "Ben"))
                    },
                }
            ],
        }
    }
}
JSON_LD = {
    "@type": "Festival",
    "name": "Summer",
    "startDate": "2025-06-13",
    "subEvent": [
        {
            "name": f"{name} live",
            "startDate": "2025-06-13T20:00:00+02:00",
            "endDate": "2025-06-13T21:00:00+02:00",
            "location": {"name": "Main"},
            "performer": performer,
        }
        for name, performer in (("Ana", [{"name": "Ana"}]), ("Ben", {"name": "Ben"}))
    ],
}
CLASHFINDER = {
    "locations": [
        {
            "name": "Main",
            "events": [
                {"name": "Ana", "start": "2025-06-13 20:00", "end": "2025-06-13 21:00"},
                {"name": "Ben", "start": "2025-06-13 22:00", "end": "2025-06-13 23:00"},
            ],
        }
    ]
}
GOOGLE = (
    b"Subject,Start Date,Start Time,End Date,End Time,All Day Event,Location\n"
    b"Ana,06/13/2025,10:00 PM,06/14/2025,2:00 AM,False,Main\n"
    b"Expo,06/13/2025,10:00 AM,06/15/2025,6:00 PM,False,Hall\n"
)
EVENTS_CALENDAR = (
    b"Event Name,Event Venue Name,Event Start Date,Event Start Time,Event End Date,Event End Time\n"
    b"Ana,Main,2025-06-13,20:00:00,2025-06-13,21:00:00\n"
)
TWO_DATES = [
    {"name": "Ana", "stage": "Main", "start": "2025-06-13", "start_time": "20:00",
     "end": "2025-06-13", "end_time": "21:00"}
]  # fmt: skip

# A file, the options that are asked in order, and how many of how many rows are kept.
FILES = {
    "capitals without accents": (
        b"GROUPE,SCENE,DATE,DEBUT,FIN\nAna,Main,2026-06-18,19h30,20h20\n", [], 1, 1),
    "dates without a year": (csv("Ana,Main,11 June,20:00,21:00"), ["year"], 0, 1),
    "dates around New Year": (
        csv("Ana,Main,31 Dec,20:00,21:00", "Ben,Main,1 Jan,20:00,21:00"), ["first_date"], 0, 2),
    "Windows-1250": (
        csv("Čoček Łódź,Główna,2025-06-13,20:00,21:00").decode().encode("cp1250"),
        ["encoding"], 0, 1),
    "American date-times": (
        b"Artist,Stage,Start,End\nAna,Main,6/13/2025 8:00 PM,6/13/2025 9:30 PM\n",
        ["date_order"], 1, 1),
    "a length and a room": (
        b"Title,Room,Date,Start,Duration\nAna,Hall,2025-02-01,19:00,1:30\n", [], 1, 1),
    "minutes beside one time": (
        b"act,stage,date,time,minutes\nAna,Main,2025-06-13,20:00,60\n", [], 1, 1),
    "columns with words in their names": (
        b"artist,area,day,set_start,set_end\nAna,Main,2025-06-13,20:00,21:15\n",
        ["columns"], 1, 1),
    "Google Calendar": (GOOGLE, ["date_order"], 1, 2),
    "The Events Calendar": (EVENTS_CALENDAR, [], 1, 1),
    "rows with too many cells": (
        b"Performer,Stage,Date,Start,End\nAna,Main,2025-06-13,20:00,21:00\n"
        b"Cy,Main,2025-06-13,22:00,23:00,late\n", [], 1, 2),
    "hours as whole numbers": (
        document([{**ANA, "start": 20, "end": 21}]), ["integer_is"], 0, 1),
    "one object a line in a document": (
        b'{"updated": "2025", "sets": [\n' + json.dumps(ANA).encode() + b",\n"
        + json.dumps({**ANA, "artist": "Ben"}).encode() + b"\n]}\n", [], 2, 2),
    "two lists side by side": (
        document({"music": [ANA], "updated": "2025-05-01", "comedy": [ANA]}), [], 2, 2),
    "rows that one path cannot reach": (
        document({"days": {"sets": [ANA, ANA]}, "extra": [ANA]}), ["rows"], 2, 2),
    "a list with an element that has no rows": (
        document({"data": [{"name": "Ana", "performances": [
            {"stage_name": "Amp", "start_time": "2025-07-25T02:30:00+00:00",
             "end_time": "2025-07-25T04:00:00+00:00"}]}, {"id": 7}]}),
        ["time_zone", "the file"], 1, 1),
    "acts and stages in lists of their own": (document(APP), ["lookups", "lookups"], 2, 2),
    "the same in one line": (json.dumps(APP).encode(), ["lookups", "lookups"], 2, 2),
    "pretalx": (document(PRETALX), [], 2, 2),
    "JSON-LD": (document(JSON_LD), ["columns", "time_zone"], 2, 2),
    "Clashfinder": (document(CLASHFINDER), [], 2, 2),
    "start and start_time": (document(TWO_DATES), [], 1, 1),
    "two performers in one row": (
        document([{**{k: v for k, v in ANA.items() if k != "artist"}, "artists": ["Ana", "Ben"]}]),
        ["the file"], 1, 1),
    "popularities that may be ranks": (
        csv(*(f"A{n},Main,2025-06-13,1{n}:00,1{n}:30,{n}" for n in (1, 2, 3)),
            head=HEAD[:-1] + ",Popularity\n"), ["popularity_is"], 3, 3),
    "one column with the start only": (
        b"Artist,Stage,Date,Time\nAna,Main,2025-06-13,8:00 PM\n", ["default_length"], 0, 1),
    "titles above the header": (
        b"Summer Fest,,,,\n,,,,\n" + csv("Ana,Main,2025-06-13,20:00,21:00"), [], 1, 1),
    "a 12-hour clock without am and pm": (
        csv("Ana,Main,2024-09-20,12:45,1:15", "Ben,Main,2024-09-20,1:55,2:25"), ["clock"], 2, 2),
    "merged cells": (
        csv("Ana,Main,2025-06-13,20:00,21:00", "Ben,,,21:30,22:30"), ["fill_down"], 1, 2),
    "sections for days and stages": (
        b"Artist,Start,End\nFriday 13 June 2025,,\nMain,,\nAna,20:00,21:00\n", ["sections"], 0, 3),
    "two digits that may be a year": (csv("Ana,Main,25-06-13,20:00,21:00"), ["date_order"], 0, 1),
    "words for ends": (
        csv("Ana,Main,2025-06-13,20:00,late", "Ben,Main,2025-06-13,22:00,close"),
        ["placeholders"], 0, 2),
    "rows that are not played": (
        b"active," + HEAD.encode() + b"Y,Ana,Main,2025-06-13,20:00,21:00\n"
        b"N,Ben,Main,2025-06-13,22:00,23:00\n", ["the file"], 2, 2),
    "no header": (
        b"Ana,Main,2025-06-13,20:00,21:00\nBen,Main,2025-06-13,21:00,22:00\n", ["header"], 0, 2),
    "no header, and stages as titles": (
        b"MAIN\nAna,2025-06-13,20:00,21:00\n\nTENT\nBen,2025-06-13,20:00,21:00\n",
        ["header", "sections"], 0, 4),
    "a header of two lines": (
        b"Artist,Stage,Date,Set,Set\n,,,Start,End\nAna,Main,2025-06-13,20:00,21:00\n", [], 1, 1),
    "a header of other words below a title": (
        b"Summer Fest\nAct name,Area,When,On,Off\nAna,Main,2025-06-13,20:00,21:00\n",
        ["header_row", *["columns"] * 3], 0, 1),
    "stages as titles, each above a header": (
        b"MAIN\nArtist,Date,Start,End\nAna,2025-06-13,20:00,21:00\n\n"
        b"TENT\nArtist,Date,Start,End\nBen,2025-06-13,20:00,21:00\n",
        ["header_row", "sections"], 0, 4),
    "a footnote": (
        csv("Ana,Main,2025-06-13,20:00,21:00", "All times may change,,,,"), ["fill_down"], 1, 2),
    "lengths in an unknown unit": (
        b"Artist,Stage,Date,Start,Duration\nAna,Main,2025-06-13,20:00,1.5\n", ["length_is"], 0, 1),
    "two columns that may be start and end": (
        b"Artist,Stage,Date,On,Off\nAna,Main,2025-06-13,20:00,21:00\n", ["columns"] * 2, 0, 1),
    "a spreadsheet's day numbers": (
        b"Artist,Stage,Start,End\nAna,Main,45821.875,45821.9375\n", [], 1, 1),
    "a range with an open end": (
        b"Artist,Stage,Date,Time\nAna,Main,2025-06-13,8pm - late\n", ["placeholders"], 0, 1),
    "a month between two numbers": (csv("Ana,Main,13-Jun-25,20:00,21:00"), ["date_order"], 0, 1),
    "date-times in words": (
        b'Artist,Stage,Start,End\n'
        b'Ana,Main,"Friday, June 13, 2025 at 8:00 PM","Friday, June 13, 2025 at 9:00 PM"\n',
        [], 1, 1),
    "UTF-16 without a mark": (
        csv("Ana,Main,2025-06-13,20:00,21:00").decode().encode("utf-16-le"), ["encoding"], 0, 1),
    "performers as keys": (
        document({"2025-06-13": {"Main": {"Ana": {"start": "18:00", "end": "19:00"}}}}),
        ["rows"], 1, 1),
    "dates as keys": (
        document({"2025-06-13": [{k: v for k, v in ANA.items() if k != "date"}]}), [], 1, 1),
    "what is said in objects beside the times": (
        document([{"artist": {"name": "Ana"}, "stage": {"name": "Main"},
                   "time": {"start": "2025-06-13T18:00", "end": "2025-06-13T19:00"}}]), [], 1, 1),
    "stages with a name, and artists": (
        document({"stages": [{"name": "Main", "sets": [
            {k: v for k, v in ANA.items() if k != "stage"}]}]}), [], 1, 1),
    "ids that are keys": (
        document({"venues": {"m": {"title": "Main"}},
                  "sets": [{**{k: v for k, v in ANA.items() if k != "stage"}, "venue": "m"}] * 2}),
        ["lookups"], 2, 2),
    "ids of things that are not in the file": (
        document([{**ANA, "stage": "17"}]), ["lookups"], 1, 1),
    "a schedule with rooms and tracks": (
        document({"days": [{"date": "2025-06-13", "rooms": {"Hall": [
            {"title": "Ana", "room": "Hall", "track": "Art", "start": "20:00", "duration": "1:00"}
        ]}}]}), [], 1, 1),
    "times in UTC beside those of the place": (
        document([{"title": "Ana", "venue": {"venue": "Main"},
                   "start_date": "2025-06-13 20:00:00", "end_date": "2025-06-13 21:00:00",
                   "utc_start_date": "2025-06-13 18:00:00",
                   "utc_end_date": "2025-06-13 19:00:00"}]), ["columns"], 1, 1),
    "a header above each part": (
        csv("Ana,Main,2025-06-13,20:00,21:00", HEAD[:-1], "Ben,Tent,2025-06-13,20:00,21:00"),
        [], 2, 3),
    "a CSV of Clashfinder": (
        b"// name,Lantern 2024\n// timezone,Europe/London\n"
        b"// Start,End,Name,Location,Short Name,Extra Data\n"
        b"2024/06/28 23:40,2024/06/29 00:40,Ana,Main,ana(1)\n", ["header_row"], 1, 1),
    "a weekday beside date-times": (
        document([{**ANA, "date": "Friday", "start": "2025-06-13T18:00",
                   "end": "2025-06-13T19:00"}]), [], 1, 1),
    "days in a list of their own": (
        document({"days": [{"id": "fri", "name": "Friday", "date": "2025-06-13"}],
                  "sets": [{**{k: v for k, v in ANA.items() if k != "date"}, "dayId": "fri"}]}),
        ["lookups"], 1, 1),
    "a title above names": (
        document({"title": "Summer", "acts": [
            {**{k: v for k, v in ANA.items() if k != "artist"}, "name": "Ana"}]}), [], 1, 1),
    "areas and stages": (
        document({"areas": [{"area": "Village", "days": {"2025-06-13": [
            {"title": "Main", "sets": [{"artist": "Ana", "start": "18:00", "end": "19:00"}]},
            {"title": "Tent", "sets": [{"artist": "Ben", "start": "18:00", "end": "19:00"}]},
        ]}}]}), ["columns"], 0, 2),
    "stages below their own key, and areas": (
        document({"stages": {stage: {area: [{"artist": "Ana", "date": "2025-06-13",
                                             "start": "18:00", "end": "19:00"}]
                                     for area in ("Hill", "Lake")} for stage in ("Main", "Tent")}}),
        ["rows"], 4, 4),
    "one stage as the only key": (
        document({"Main": [{"artist": "Ana", "date": "2025-06-13", "start": "18:00",
                            "end": "19:00"}]}), ["rows", "constants"], 0, 1),
    "minutes since midnight": (
        document([{**ANA, "start": 1080, "end": 1140}]), ["integer_is"], 0, 1),
    "hours with decimals": (document([{**ANA, "start": 18.5, "end": 19.25}]), ["integer_is"], 0, 1),
    "a column for each stage": (b"Time,Main,Tent\n20:00,Ana,Ben\n", ["default_length", "the file"],
                                0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_strange_file_is_asked_about_in_one_round(name):
    data, asked, kept, rows = FILES[name]
    found = inspect_lineup([data])
    assert [each.option for each in found.questions] == asked
    assert (found.kept, found.rows) == (kept, rows)


@pytest.mark.parametrize("name", FILES)
def test_what_inspect_counts_is_what_the_reader_keeps_and_refuses(name):
    found = inspect_lineup([FILES[name][0]])
    reading = read(FILES[name][0], mapping=found.proposal)
    assert len(reading.performances) == found.kept
    assert sum(each.count for each in found.refused) == len(reading.rejections)
    assert (reading.error or "") == found.refusal


def answered(name, **options):
    found = inspect_lineup([FILES[name][0]])
    whole = LineupMapping.from_dict({**found.proposal.to_dict(), **options})
    return [each[:5] for each in read(FILES[name][0], mapping=whole).performances]


@pytest.mark.parametrize(
    ("name", "options", "row"),
    [
        ("Windows-1250", {"encoding": "cp1250"},
         ("Čoček Łódź", "Główna", "2025-06-13", 1200, 1260)),
        ("American date-times", {}, ("Ana", "Main", "2025-06-13", 1200, 1290)),
        ("a length and a room", {}, ("Ana", "Hall", "2025-02-01", 1140, 1230)),
        ("columns with words in their names", {}, ("Ana", "Main", "2025-06-13", 1200, 1275)),
        ("Google Calendar", {}, ("Ana", "Main", "2025-06-13", 1320, 1560)),
        ("hours as whole numbers", {"integer_is": "hour"},
         ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("acts and stages in lists of their own", {}, ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("pretalx", {}, ("Ana", "Main", "2025-06-13", 1200, 1275)),
        ("JSON-LD", {}, ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("a 12-hour clock without am and pm", {"clock": "12h"},
         ("Ana", "Main", "2024-09-20", 765, 795)),
        ("no header", {"header": ["Artist", "Stage", "Date", "Start", "End"]},
         ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("no header, and stages as titles",
         {"header": ["Artist", "Date", "Start", "End"], "sections": ["Stage"]},
         ("Ana", "MAIN", "2025-06-13", 1200, 1260)),
        ("a header of two lines", {}, ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("stages as titles, each above a header", {"sections": ["Stage"]},
         ("Ana", "MAIN", "2025-06-13", 1200, 1260)),
        ("lengths in an unknown unit", {"length_is": "hours"},
         ("Ana", "Main", "2025-06-13", 1200, 1290)),
        ("a spreadsheet's day numbers", {}, ("Ana", "Main", "2025-06-13", 1260, 1350)),
        ("a range with an open end", {"placeholders": ["late"], "default_length": 60},
         ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("date-times in words", {}, ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("UTF-16 without a mark", {"encoding": "utf-16-le"},
         ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("performers as keys", {}, ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("what is said in objects beside the times", {},
         ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("stages with a name, and artists", {}, ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("ids that are keys", {}, ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("a CSV of Clashfinder", {}, ("Ana", "Main", "2024-06-28", 1420, 1480)),
        ("a weekday beside date-times", {}, ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("days in a list of their own", {}, ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("a title above names", {}, ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("areas and stages", {"columns": {"Stage": "above.title"}},
         ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("stages below their own key, and areas", {}, ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("one stage as the only key", {"rows": ["<Stage>"]},
         ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("minutes since midnight", {"integer_is": "minute"},
         ("Ana", "Main", "2025-06-13", 1080, 1140)),
        ("hours with decimals", {"integer_is": "hour"},
         ("Ana", "Main", "2025-06-13", 1110, 1155)),
        ("a schedule with rooms and tracks", {}, ("Ana", "Hall", "2025-06-13", 1200, 1260)),
        ("times in UTC beside those of the place", {},
         ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("two digits that may be a year", {"date_order": "year_first"},
         ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("sections for days and stages", {"sections": ["Date", "Stage"]},
         ("Ana", "Main", "2025-06-13", 1200, 1260)),
        ("a list with an element that has no rows", {"time_zone": "America/Vancouver"},
         ("Ana", "Amp", "2025-07-24", 1170, 1260)),
    ],
)  # fmt: skip
def test_the_proposal_and_the_answers_give_the_right_row(name, options, row):
    assert answered(name, **options)[0] == row


def test_both_readings_of_a_question_are_shown_on_a_real_row():
    found = inspect_lineup([FILES["hours as whole numbers"][0]])
    assert [each.reading for each in found.questions[0].answers] == [
        "Ana 2025-06-13 20:00–21:00",
        "Ana 2025-06-13 00:20–00:21",
    ]


def test_the_day_starts_in_the_middle_of_its_widest_gap():
    rows = csv("Ana,Main,2025-06-13,22:00,23:30", "Ben,Main,2025-06-13,0:30,4:00",
               "Cy,Main,2025-06-14,12:00,13:00")  # fmt: skip
    [question] = inspect_lineup([rows]).questions
    assert question.answers[0].options == {"day_starts_at": "08:00", "date_is": "festival_day"}
    assert [each.label for each in question.answers] == [
        "festival_day",
        "calendar_day",
        "as written",
    ]
