import json
import zipfile
from datetime import date, time

import pytest
from openpyxl import Workbook, load_workbook

from festival.cli import main as command
from festival.cli.mapping import mapping_of
from festival.errors import LineupError
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping

ROSKILDE = "act;scene;day;from;to\nFever Ray;Arena;04/07/2025;23:30;00:45\n"


@pytest.fixture
def festival(capsys):
    def run(*args):
        with pytest.raises(SystemExit) as ended:
            command.main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return ended.value.code, out, err.splitlines()

    return run


@pytest.fixture
def roskilde(tmp_path):
    file = tmp_path / "roskilde.csv"
    file.write_text(ROSKILDE)
    return file


def keys(out):
    return [json.loads(line)["Performance"] for line in out.splitlines()]


def test_what_could_be_meant_both_ways_is_refused_until_it_is_decided(festival, roskilde):
    assert festival("check", roskilde)[0] == 2
    assert keys(festival("normalize", roskilde, "--date-order", "day_first")[1]) == [
        "2025-07-04#23:30#Arena"
    ]
    assert keys(festival("normalize", roskilde, "--date-order", "month_first")[1]) == [
        "2025-04-07#23:30#Arena"
    ]


def test_the_mapping_beside_the_file_is_taken_as_the_function_takes_it(festival, roskilde):
    roskilde.with_name("roskilde.csv.mapping.json").write_text('{"date_order": "day_first"}')
    assert keys(festival("normalize", roskilde)[1]) == ["2025-07-04#23:30#Arena"]


def test_a_named_mapping_goes_before_the_one_beside_the_file(festival, roskilde, tmp_path):
    roskilde.with_name("roskilde.csv.mapping.json").write_text('{"date_order": "day_first"}')
    other = tmp_path / "other.json"
    other.write_text('{"date_order": "month_first"}')
    out = festival("normalize", roskilde, "--mapping", other)[1]
    assert keys(out) == ["2025-04-07#23:30#Arena"]


def test_an_option_goes_before_the_mappings_own(festival, roskilde, tmp_path):
    said = tmp_path / "mapping.json"
    said.write_text('{"date_order": "month_first", "columns": {"Performer": "act"}}')
    given = {"date_order": "day_first", "columns": (("Stage", "scene"),)}
    assert mapping_of(str(roskilde), str(said), given) == LineupMapping.from_dict(
        {"date_order": "day_first", "columns": {"Performer": "act", "Stage": "scene"}}
    )


def test_without_options_and_files_the_contract_holds_unchanged():
    assert mapping_of("-", None, {"year": None, "dates": ()}) is DEFAULT_MAPPING


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("--year", "7"), "year is 7"),
        (("--day-starts-at", "06:00"), "day_starts_at needs date_is"),
        (("--column", "Performer", "band"), "band"),
        (("--column", "Band", "act"), "columns"),
        (("--time-zone", "Mars/Olympus"), "Mars/Olympus"),
        (("--rows", "[day"), "--rows"),
        (("--mapping", "no-such.json"), "no-such.json"),
        (("--sheet", "Friday"), "no sheet 'Friday'"),
    ],
)
def test_a_wrong_mapping_is_one_line_that_names_it(festival, roskilde, args, named):
    status, out, err = festival("normalize", roskilde, *args)
    assert (status, out, len(err)) == (2, "", 1)
    assert named in err[0]


def test_inspect_says_which_option_decides_and_saves_a_mapping_that_works(
    festival, roskilde, tmp_path
):
    status, out, err = festival("inspect", roskilde)
    assert (status, err) == (0, [])
    assert "semicolons" in out
    assert "date_order (day_first or month_first)" in out
    saved = roskilde.with_name("roskilde.csv.mapping.json")
    assert festival("inspect", roskilde, "--date-order", "day_first", "-o", saved)[0] == 0
    assert "1 would be written" in festival("check", roskilde)[1]


def test_inspect_as_json_is_one_document(festival, roskilde):
    found = json.loads(festival("inspect", roskilde, "--json")[1])
    assert found["file"] == str(roskilde)
    assert [each["field"] for each in found["columns"]] == [
        *("Performer", "Stage", "Date", "Start", "End")
    ]


def test_inspect_of_what_is_no_lineup_is_exit_2(festival, tmp_path):
    picture = tmp_path / "poster.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\x00")
    status, _, err = festival("inspect", picture)
    assert (status, len(err)) == (2, 1)
    assert "poster.png" in err[0]
    assert festival("inspect", tmp_path / "gone.csv")[0] == 2


@pytest.fixture
def workbook(tmp_path):
    book = Workbook()
    sheet = book.active
    sheet.title = "Friday"
    sheet.append(["Performer", "Stage", "Date", "Start", "End"])
    sheet.append(["Fever Ray", "Arena", date(2025, 7, 4), time(23, 30), time(0, 45)])
    sheet.append([1914, "Arena", "2025-07-04", "8pm", "9:15pm"])
    sheet.append(["Nobody", "Arena", None, "8pm", "9:15pm"])
    book.create_sheet("Notes")
    path = tmp_path / "roskilde.xlsx"
    book.save(path)
    return path


def test_the_one_sheet_with_rows_is_the_lineup(festival, workbook):
    status, out, err = festival("normalize", workbook)
    assert status == 0
    assert keys(out) == ["2025-07-04#23:30#Arena", "2025-07-04#20:00#Arena"]
    assert [json.loads(line)["Performer"] for line in out.splitlines()] == ["Fever Ray", "1914"]
    assert any(line.split()[:2] == ["4", "Date"] for line in err)
    assert "workbook" in festival("inspect", workbook)[1]


def test_of_several_sheets_with_rows_one_has_to_be_named(festival, workbook, tmp_path):
    book = load_workbook(workbook)
    book["Notes"].append(["remember", "the", "rain"])
    book.save(workbook)
    status, _, err = festival("check", workbook)
    assert status == 2
    assert "'Friday', 'Notes'" in err[0]
    assert "2 would be written" in festival("check", workbook, "--sheet", "Friday")[1]
    assert "no sheet 'Sunday'" in festival("check", workbook, "--sheet", "Sunday")[2][0]


def test_a_zip_that_is_no_workbook_is_one_line(festival, tmp_path):
    path = tmp_path / "photos.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photo.jpg", b"\xff\xd8")
    status, _, err = festival("check", path)
    assert (status, len(err)) == (2, 1)
    assert "not an Excel workbook" in err[0]
    path.write_bytes(b"PK\x03\x04 cut")
    assert festival("check", path)[0] == 2


def test_a_mapping_for_an_object_belongs_beside_it(festival):
    with pytest.raises(LineupError):
        mapping_of("lineup.csv", None, {"year": 7})
    status, _, err = festival("ingest", "s3://bucket/lineup.csv", "--year", "2025")
    assert (status, len(err)) == (2, 1)
    assert "s3://bucket/lineup.csv.mapping.json" in err[0]
