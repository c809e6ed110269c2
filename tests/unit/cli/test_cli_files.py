import csv
import io
import json
import os
import re
import stat
import subprocess
import sys

import pytest

from festival.cli import main as command
from festival.cli.files import COLUMNS

HEADER = "Performer,Stage,Date,Start,End,Popularity\n"
TWO_ROWS = HEADER + (
    "Bicep,West Holts,2025-06-27,10:15pm,11:45pm,88\nWet Leg,Other Stage,2025-06-27,19:45,20:45,\n"
)
ONE_BAD_ROW = TWO_ROWS + "Scissor Sisters,Woodsies,2025-06-31,9:30pm,10:45pm,80\n"


@pytest.fixture
def festival(capfdbinary):
    """Runs the command: exit status, standard output as bytes, lines of standard error."""

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            command.main([str(arg) for arg in args])
        out, err = capfdbinary.readouterr()
        return ended.value.code, out, err.decode().splitlines()

    return run


@pytest.fixture
def lineup(tmp_path):
    def write(text, name="lineup.csv"):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


def test_check_tells_what_would_be_written(festival, lineup):
    status, out, err = festival("check", lineup(ONE_BAD_ROW))
    assert (status, err) == (0, [])
    assert "partial. 3 rows read: 2 would be written, 1 rejected" in out.decode()
    assert re.search(r"4 +Date +2025-06-31 +is not a day of the calendar", out.decode())


def test_check_as_json_is_one_document_and_nothing_else(festival, lineup):
    file = lineup(ONE_BAD_ROW)
    status, out, err = festival("check", file, "--json")
    report = json.loads(out)
    assert (status, err) == (0, [])
    assert list(report)[:7] == [
        *("file", "status", "read", "written", "rejected", "duplicates", "unwritten")
    ]
    assert (report["file"], report["status"], report["read"]) == (str(file), "partial", 3)
    [rejection] = report["rejections"]
    assert list(rejection) == ["line", "field", "value", "reason"]
    assert (rejection["line"], rejection["field"]) == (4, "Date")
    assert report["duplicate_rows"] == report["warnings"] == []


def test_rejections_are_exit_1_only_with_strict(festival, lineup):
    assert festival("check", lineup(ONE_BAD_ROW), "--strict")[0] == 1
    assert festival("check", lineup(TWO_ROWS), "--strict")[0] == 0
    assert festival("normalize", lineup(ONE_BAD_ROW), "--strict")[0] == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG\r\n\x1a\n\x00\x00", b'[{"Performer": "Bic', b"a,b\n1,2\n", HEADER.encode()],
    ids=["empty", "a picture", "cut JSON", "other columns", "no row"],
)
@pytest.mark.parametrize("name", ["check", "normalize"])
def test_what_is_no_lineup_is_exit_2_and_one_line(festival, lineup, content, name):
    status, _, err = festival(name, lineup(content))
    assert (status, len(err)) == (2, 1)
    assert "lineup.csv: " in err[0]


def test_a_file_whose_every_row_is_bad_is_exit_2_with_the_first_reason(festival, lineup):
    status, out, err = festival("check", lineup(HEADER + "Bicep,West Holts,soon,22:15,23:45,\n"))
    assert status == 2
    assert "none of 1 row could be kept; the first is line 2: is not a date" in err[0]
    assert b"1 rejected" in out


@pytest.mark.parametrize("content", [b"\x00\x01\x02", None], ids=["no lineup", "not there"])
def test_with_json_an_unreadable_file_still_has_its_report(festival, tmp_path, content):
    file = tmp_path / "gone.csv"
    if content is not None:
        file.write_bytes(content)
    status, out, err = festival("check", file, "--json")
    report = json.loads(out)
    assert (status, len(err)) == (2, 1)
    assert (report["status"], report["read"], report["written"]) == ("failure", 0, 0)
    assert report["error"]


def test_a_folder_is_one_line(festival, tmp_path):
    status, _, err = festival("check", tmp_path)
    assert (status, err) == (2, [f"festival: {tmp_path}: cannot be read: Is a directory"])


def test_a_name_that_is_no_utf_8_is_told_all_the_same(festival, tmp_path):
    status, out, _ = festival(
        "check", os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"), "--json"
    )
    assert status == 2
    assert json.loads(out)["file"].endswith("caf\udce9.csv")


def normalized(out):
    return [json.loads(line) for line in out.splitlines()]


def test_normalize_writes_every_attribute_of_the_table(festival, lineup):
    status, out, err = festival("normalize", lineup(TWO_ROWS))
    assert (status, err) == (0, [])
    assert normalized(out)[0] == {
        "Performer": "Bicep",
        "Performance": "2025-06-27#22:15#West Holts",
        "Stage": "West Holts",
        "Date": "2025-06-27",
        "StartTime": "22:15",
        "EndTime": "23:45",
        "StartMinutes": 1335,
        "EndMinutes": 1425,
        "DateStart": "2025-06-27#22:15",
        "StartSort": "22:15",
        "Popularity": 88,
        "PopularityBucket": "POPULARITY",
    }
    assert "Popularity" not in normalized(out)[1]


def test_normalize_to_csv_has_a_header_and_the_same_values(festival, lineup):
    _, out, _ = festival("normalize", lineup(TWO_ROWS), "--to", "csv")
    rows = list(csv.DictReader(io.StringIO(out.decode(), newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["Performer"], row["Popularity"]) for row in rows] == [
        ("Bicep", "88"),
        ("Wet Leg", ""),
    ]


def test_normalize_leaves_out_the_row_that_a_later_one_replaced(festival, lineup):
    again = TWO_ROWS + "Bicep,West Holts,2025-06-27,22:15,23:50,90\n"
    status, out, err = festival("normalize", lineup(again))
    assert status == 0
    assert [(one["Performer"], one["EndTime"]) for one in normalized(out)] == [
        ("Wet Leg", "20:45"),
        ("Bicep", "23:50"),
    ]
    assert "2 accepted, 1 duplicate" in err[0]


def test_normalize_tells_rejections_on_standard_error_only(festival, lineup):
    status, out, err = festival("normalize", lineup(ONE_BAD_ROW))
    assert (status, len(normalized(out))) == (0, 2)
    assert any("2025-06-31" in line for line in err)


def test_normalize_writes_its_output_whole_or_not_at_all(festival, lineup, tmp_path):
    out_file = tmp_path / "out.jsonl"
    out_file.write_text("yesterday's")
    status, out, err = festival("normalize", lineup(b'[{"Performer": "Bic'), "-o", out_file)
    assert (status, out, len(err)) == (2, b"", 1)
    assert out_file.read_text() == "yesterday's"
    assert festival("normalize", lineup(TWO_ROWS), "-o", out_file) == (0, b"", [])
    assert len(normalized(out_file.read_bytes())) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lineup.csv", "out.jsonl"]


def test_normalize_keeps_the_rights_that_other_files_get(festival, lineup, tmp_path):
    festival("normalize", lineup(TWO_ROWS), "-o", tmp_path / "out.csv")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == 0o666 & ~mask
    assert (tmp_path / "out.csv").read_text().startswith("Performer,Performance,")


def test_normalize_never_replaces_its_input(festival, lineup):
    file = lineup(TWO_ROWS)
    status, _, err = festival("normalize", file, "-o", file)
    assert status == 2
    assert "is the input itself" in err[0]
    assert file.read_text() == TWO_ROWS


def test_normalize_writes_into_a_pipe_and_does_not_replace_it(festival, lineup, tmp_path):
    """So it is with a device: a rename over /dev/null would take it from the whole machine."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert festival("normalize", lineup(TWO_ROWS), "-o", pipe) == (0, b"", [])
        assert len(normalized(os.read(reader, 65536))) == 2
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_folder_that_is_not_there_is_one_line(festival, lineup, tmp_path):
    status, _, err = festival("normalize", lineup(TWO_ROWS), "-o", tmp_path / "no" / "out.jsonl")
    assert (status, len(err)) == (2, 1)
    assert "No such file or directory" in err[0]


def test_a_file_that_breaks_midway_gives_the_rows_before_the_break(festival, lineup):
    bicep = {"Performer": "Bicep", "Stage": "West Holts", "Date": "2025-06-27", "Start": 2215}
    cut = json.dumps([bicep | {"End": 2345}, bicep])[:-9]
    status, out, err = festival("normalize", lineup(cut))
    assert (status, len(err)) == (2, 1)
    assert [one["Performer"] for one in normalized(out)] == ["Bicep"]


def test_a_dash_is_standard_input():
    done = subprocess.run(
        [sys.executable, "-m", "festival.cli.main", "normalize", "-"],
        input=TWO_ROWS.encode(),
        capture_output=True,
        check=True,
    )
    assert [one["Performer"] for one in normalized(done.stdout)] == ["Bicep", "Wet Leg"]


def test_the_two_samples_are_the_same_performances(festival, sample):
    code, rows, _ = festival("normalize", sample / "sample.csv")
    assert festival("normalize", sample / "sample.json")[:2] == (code, rows)


def told_lines(text, heading):
    """The line numbers in the table under a heading of the samples' README."""
    part = text.split(f"\n{heading}", 1)[1].split("\n\n", 2)[1]
    return [int(number) for number in re.findall(r"^\| (\d+) \|", part, re.MULTILINE)]


def test_the_samples_readme_names_every_flaw_and_no_other(festival, sample):
    text = (sample / "README.md").read_text(encoding="utf-8")
    report = json.loads(festival("check", sample / "messy.csv", "--json")[1])
    assert [row["line"] for row in report["rejections"]] == told_lines(text, "Refused")
    assert [row["line"] for row in report["warnings"]] == told_lines(text, "Kept, with a warning")
    assert [row["line"] for row in report["duplicate_rows"]] == told_lines(text, "Duplicates")
    assert report["duplicate_rows"][0]["kept_line"] == 23
    assert report["written"] == 10
    assert len(report["rejections"]) >= 12


def test_several_files_are_checked_one_by_one(festival, lineup):
    good, bad = lineup(TWO_ROWS, "good.csv"), lineup(ONE_BAD_ROW, "bad.csv")
    no_lineup = lineup("\x89PNG", "picture.csv")
    status, out, err = festival("check", good, bad)
    assert (status, err) == (0, [])
    said = [line for line in out.decode().splitlines() if "rows read" in line]
    assert [line.partition(":")[0] for line in said] == [str(good), str(bad)]
    assert festival("check", good, bad, "--strict")[0] == 1
    status, out, err = festival("check", no_lineup, good)
    assert status == 2
    assert f"{good}: success" in out.decode()
    assert [line.startswith(f"festival: {no_lineup}: ") for line in err] == [True]


def test_several_reports_as_json_are_one_array(festival, lineup):
    files = lineup(TWO_ROWS, "good.csv"), lineup("", "empty.csv"), lineup(ONE_BAD_ROW, "bad.csv")
    status, out, _ = festival("check", *files, "--json")
    assert status == 2
    assert [report["status"] for report in json.loads(out)] == ["success", "failure", "partial"]


def test_each_of_several_files_is_read_with_the_mapping_beside_it(festival, lineup):
    theirs = "act,Stage,Date,Start,End\nBicep,West Holts,2025-06-27,10:15pm,11:45pm\n"
    mapped, plain = (
        lineup(theirs.replace("act", "who"), "mapped.csv"),
        lineup(TWO_ROWS, "plain.csv"),
    )
    lineup('{"columns": {"Performer": "who"}}', "mapped.csv.mapping.json")
    assert festival("check", mapped, plain)[0] == 0
