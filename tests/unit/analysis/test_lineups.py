"""Lineup files as an analyst reads them, and what a visitor asks of a lineup."""

import json

import pandas as pd
import pytest

import festival
from festival.analysis.frames import ANSWER_DTYPES, performances_frame
from festival.errors import FestivalError
from festival.lineup.model import Performance

SAMPLE = "sample/sample.csv"
HEAD = "Performer,Stage,Date,Start,End,Popularity\n"
LISTS = (("artist", "acts"), ("stage", "areas"))


@pytest.fixture
def friday(tmp_path):
    path = tmp_path / "friday.csv"
    path.write_text(
        HEAD
        + "Elbow,Park,2024-06-28,20:00,21:30,71\n"
        + "Pulp,Pyramid,2024-06-28,22:30,00:30,\n"
        + "Pulp,Pyramid,2024-06-28,22:30,00:45,\n"
        + "Nobody,Tent,2024-06-28,25 o'clock,21:00,\n"
        + "Björk,Park,2024-06-28,19:00,20:00,many\n"
    )
    return path


class TestRead:
    def test_a_file_is_read_as_an_ingest_would(self, friday):
        lineup = festival.read(str(friday))
        assert sorted(lineup.performances["Performer"]) == ["Björk", "Elbow", "Pulp"]
        assert {n: str(t) for n, t in lineup.performances.dtypes.items()} == ANSWER_DTYPES
        assert lineup.rejections[["line", "field"]].values.tolist() == [[5, "Start"]]
        assert lineup.warnings[["line", "field"]].values.tolist() == [[6, "Popularity"]]
        assert lineup.duplicates[["line", "kept_line"]].values.tolist() == [[3, 4]]
        assert lineup.report.loc[0, ["status", "read", "written"]].tolist() == ["partial", 5, 3]
        assert repr(lineup) == "Lineup: 5 read, 3 written, 1 rejected, 1 duplicate"

    def test_an_option_of_the_mapping_goes_before_the_one_beside_the_file(self, tmp_path):
        path = tmp_path / "day.csv"
        path.write_text("Act,Where,Day,From,To\nElbow,Park,01/02/2024,20:00,21:00\n")
        beside = tmp_path / "day.csv.mapping.json"
        columns = {"Performer": "Act", "Stage": "Where", "Date": "Day", "Start": "From"}
        beside.write_text(json.dumps({"columns": columns, "date_order": "day_first"}))
        told = festival.read(str(path), columns={"End": "To"}, date_order="month_first")
        assert told.performances.loc[0, "Date"] == pd.Timestamp("2024-01-02")

    def test_a_lookup_is_added_to_those_of_the_mapping_beside_the_file(self, tmp_path):
        path = tmp_path / "app.json"
        times = {"date": "2024-06-28", "start": "20:00", "end": "21:00"}
        acts = [{"id": 7, "name": "Elbow"}]
        areas = [{"id": 1, "name": "Park"}]
        path.write_text(
            json.dumps({"sets": [{"artist": 7, "stage": 1, **times}], "acts": acts, "areas": areas})
        )
        lookups = {name: {"rows": [rows], "key": "id", "value": "name"} for name, rows in LISTS}
        beside = {"rows": ["sets"], "lookups": {"stage": lookups["stage"]}}
        (tmp_path / "app.json.mapping.json").write_text(json.dumps(beside))
        lineup = festival.read(str(path), lookups={"artist": lookups["artist"]})
        assert lineup.performances.loc[0, ["Performer", "Stage"]].tolist() == ["Elbow", "Park"]

    def test_a_wrong_option_is_named(self, friday):
        with pytest.raises(FestivalError, match="dat_order"):
            festival.read(str(friday), dat_order="day_first")

    def test_what_is_not_there_is_named(self):
        with pytest.raises(FestivalError, match=r"nowhere\.csv is not there"):
            festival.read("nowhere.csv")

    def test_a_file_that_is_no_lineup_says_why(self, tmp_path):
        (tmp_path / "empty.csv").write_text("")
        lineup = festival.read(str(tmp_path / "empty.csv"))
        assert lineup.report.loc[0, "status"] == "failure"
        assert "empty" in repr(lineup)
        assert list(lineup.performances.columns) == list(ANSWER_DTYPES)


ROWS = performances_frame(
    [
        Performance("Elbow", "Park", "2024-06-28", 1200, 1290, 71, 0),
        Performance("Pulp", "Pyramid", "2024-06-28", 1260, 1380, 95, 0),
        Performance("Björk", "West Holts", "2024-06-28", 1290, 1350, 98, 0),
        Performance("Soundcheck", "Tent", "2024-06-28", 1270, 1270, None, 0),
        Performance("Dawn", "Park", "2024-06-28", 1430, 1530, None, 0),
        Performance("Early", "Tent", "2024-06-29", 60, 120, None, 0),
    ]
)


class TestClashes:
    def test_pairs_that_share_time_are_found_once_with_the_minutes_they_share(self):
        found = festival.clashes(ROWS)
        assert found[["Performer", "Other", "Minutes"]].values.tolist() == [
            ["Elbow", "Pulp", 30],
            ["Pulp", "Björk", 60],
            ["Dawn", "Early", 30],
        ]

    def test_with_a_performer_it_is_first_whoever_began_first(self):
        found = festival.clashes(ROWS, with_="Pulp")
        assert found[["Performer", "Other"]].values.tolist() == [
            ["Pulp", "Elbow"],
            ["Pulp", "Björk"],
        ]

    def test_touching_and_zero_length_performances_do_not_clash(self):
        assert "Soundcheck" not in set(festival.clashes(ROWS)["Other"])
        assert len(festival.clashes(ROWS.iloc[[0, 2]])) == 0

    def test_an_unknown_performer_is_refused_with_the_nearest_name(self):
        with pytest.raises(FestivalError, match="did you mean 'Björk'"):
            festival.clashes(ROWS, with_="bjork")

    def test_of_an_empty_answer_there_are_no_clashes_and_the_columns_stay(self):
        assert "Minutes" in festival.clashes(ROWS.iloc[:0]).columns


class TestCompare:
    def test_moved_cancelled_and_changed_are_told(self):
        old = performances_frame(
            [
                Performance("Elbow", "Park", "2024-06-28", 1200, 1290, 71, 0),
                Performance("Pulp", "Pyramid", "2024-06-28", 1260, 1380, 95, 0),
            ]
        )
        new = performances_frame(
            [
                Performance("Elbow", "Park", "2024-06-28", 1230, 1320, 71, 0),
                Performance("Björk", "Park", "2024-06-28", 1350, 1400, None, 0),
            ]
        )
        found = festival.compare(old, new)
        assert dict(zip(found["performer"], found["change"], strict=True)) == {
            "Elbow": "moved",
            "Pulp": "cancelled",
            "Björk": "added",
        }

    def test_files_and_lineups_can_be_compared_with_each_other(self, friday):
        assert festival.compare(str(friday), festival.read(str(friday))).empty

    def test_a_file_that_breaks_off_is_refused_for_its_end_would_pass_for_cancelled(
        self, friday, tmp_path
    ):
        broken = tmp_path / "broken.json"
        broken.write_text('[{"Performer": "Elbow", "Stage": "Park", "Date": "2024-06-28",')
        with pytest.raises(FestivalError, match=r"broken\.json: .*pass \.performances"):
            festival.compare(str(friday), str(broken))


@pytest.mark.parametrize("ask", [festival.clashes, festival.timeline, festival.heat_map])
def test_a_lineup_a_file_and_a_frame_are_the_same_to_a_picture(ask):
    lineup = festival.read(SAMPLE)
    whole = str(ask(lineup.performances))
    assert str(ask(lineup)) == whole
    assert str(ask(SAMPLE)) == whole


@pytest.mark.parametrize(
    "ask", [festival.clashes, festival.timeline, festival.heat_map, festival.popularity]
)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (pd.DataFrame({"Performer": ["Björk"]}), "the frame has no column "),
        (None, "a NoneType: expected an answer of the table"),
    ],
)
def test_what_is_no_lineup_is_said_in_one_line(ask, given, said):
    with pytest.raises(FestivalError, match=f"^{said}"):
        ask(given)


def test_one_duplicate_is_one(tmp_path):
    row = "Björk,Main,2025-07-12,20:00,21:15\n"
    file = tmp_path / "twice.csv"
    file.write_text("Performer,Stage,Date,Start,End\n" + row + row, encoding="utf-8")
    assert repr(festival.read(str(file))).endswith("1 duplicate")
