"""`festival inspect`: one round of questions, and `--ask` at the terminal."""

import json

import pytest
from click.testing import CliRunner

from festival.cli.inspect import inspect

ROSKILDE = (
    "act;area;day;from;to;Popularity\n"
    "Fever Ray;Arena;04/07/2025;8:30;9:45;1\n"
    "Mø;Arena;05/07/2025;9:30;10:45;2\n"
    "Tba;Avalon;05/07/2025;8:00;9:00;3\n"
)


@pytest.fixture
def roskilde(tmp_path):
    file = tmp_path / "roskilde.csv"
    file.write_text(ROSKILDE)
    return file


def run(*args, typed=""):
    return CliRunner().invoke(inspect, [str(arg) for arg in args], input=typed)


def test_all_questions_are_asked_in_one_round_in_the_order_of_weight(roskilde):
    found = json.loads(run(roskilde, "--json").stdout)
    assert [each["option"] for each in found["questions"]] == [
        *("columns", "date_order", "clock", "placeholders", "popularity_is")
    ]
    order = found["questions"][1]
    assert [each["reading"] for each in order["answers"]] == [
        "Fever Ray 2025-07-04 20:30–21:45",
        "Fever Ray 2025-04-07 20:30–21:45",
    ]


def test_each_question_is_one_line_with_both_readings_of_a_real_row(roskilde):
    lines = run(roskilde).stdout.splitlines()
    [clock] = [line for line in lines if "clock" in line]
    assert "24h → Fever Ray 2025-07-04 08:30–09:45; 12h" in clock
    assert "Fever Ray 2025-07-04 20:30–21:45" in clock
    [score] = [line for line in lines if "popularity_is" in line]
    assert "rank → Fever Ray has popularity 100; score → Fever Ray has popularity 1" in score


def test_ask_asks_each_and_saves_a_mapping_that_check_takes(roskilde):
    result = run(roskilde, "--ask", typed="1\nday_first\n2\n1\nrank\n")
    assert result.exit_code == 0
    saved = json.loads((roskilde.parent / "roskilde.csv.mapping.json").read_text())
    assert saved == {
        "columns": {"Stage": "area"},
        "clock": "12h",
        "date_order": "day_first",
        "placeholders": ["Tba"],
        "popularity_is": "rank",
    }
    assert "2 of 3 rows are performances" in result.stdout


def test_an_empty_answer_leaves_a_question_open_and_a_wrong_one_is_asked_again(roskilde, tmp_path):
    out = tmp_path / "out.json"
    result = run(roskilde, "--ask", "-o", out, typed="\nsideways\nmonth_first\n\n\n\n")
    assert "expected day_first or month_first" in result.stdout
    assert json.loads(out.read_text()) == {
        "columns": {"Stage": "area"},
        "date_order": "month_first",
    }


def test_ask_goes_on_with_what_the_answers_open(tmp_path):
    file = tmp_path / "days.csv"
    file.write_text("Artist,Stage,Day,Start,End\nAna,Main,Day 1,20:00,21:00\n")
    run(file, "--ask", typed="Day 1 = 2025-06-13\n")
    saved = json.loads((tmp_path / "days.csv.mapping.json").read_text())
    assert saved == {"dates": {"day1": "2025-06-13"}}


def test_what_needs_no_decision_is_asked_nothing(tmp_path):
    file = tmp_path / "plain.csv"
    file.write_text("Performer,Stage,Date,Start,End\nAna,Main,2025-06-13,20:00,21:00\n")
    result = run(file, "--ask")
    assert (result.exit_code, "answer" in result.stdout) == (0, False)


def test_a_file_that_is_no_lineup_is_asked_nothing_and_is_exit_2(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("Things to buy\nmilk\neggs\n")
    result = run(file)
    assert result.exception is not None
    assert "decide" not in result.stdout
    assert "column" not in result.stdout


def test_a_table_without_a_row_has_a_reason(tmp_path):
    file = tmp_path / "empty.csv"
    file.write_text("Performer,Stage,Date,Start,End\n")
    assert "has no row" in str(run(file).exception)
