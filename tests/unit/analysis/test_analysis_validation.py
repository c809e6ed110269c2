"""The validate notebook's work: files, folders, prefixes; what they would come to."""

import io
from datetime import UTC, date, datetime, time
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from openpyxl import Workbook

from festival.analysis import validation
from festival.analysis.validation import check_lineups
from festival.errors import FestivalError
from festival.inspection.sources import LineupSource
from festival.notebook.validate import formats_frame, questions_frame

HEAD = b"Performer,Stage,Date,Start,End,Popularity\n"
BJORK = b"Bj\xc3\xb6rk,Main Stage,2025-07-12,21:30,23:00,97\n"
BAD = b"Mitski,Tent,soon,20:00,21:00,80\n"


def checked_file(name, content):
    return validation.check_lineup(LineupSource(name, lambda: [content]))


class Shelf:
    """An S3 of a few objects."""

    def __init__(self, objects):
        self.objects = objects

    def get_paginator(self, name):
        assert name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket, Prefix):  # noqa: N803 - boto3's names
        keys = sorted(key for key in self.objects if key.startswith(Prefix))
        return [{"Contents": [{"Key": key} for key in keys]}] if keys else [{}]

    def head_object(self, *, Bucket, Key):  # noqa: N803
        return {"ETag": '"e"', "ContentLength": len(self.objects[Key]), "VersionId": "v1"}

    def get_object(self, *, Bucket, Key, **_):  # noqa: N803
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        body = io.BytesIO(self.objects[Key])
        return {"Body": Body(body), "LastModified": datetime.now(UTC)}


class Body(io.BytesIO):
    def __init__(self, other):
        super().__init__(other.read())

    def iter_chunks(self, size):
        while chunk := self.read(size):
            yield chunk


def test_a_folder_is_every_lineup_in_it_and_nothing_else(tmp_path):
    (tmp_path / "friday.csv").write_bytes(HEAD + BJORK)
    (tmp_path / "friday").mkdir()
    (tmp_path / "friday" / "late.JSON").write_bytes(b"[]")
    (tmp_path / "README.md").write_text("not a lineup")
    files = [one.file for one in check_lineups(str(tmp_path))]
    assert [name.replace("\\", "/") for name in files] == ["friday/late.JSON", "friday.csv"]


def test_a_single_file_may_have_any_name(tmp_path):
    path = tmp_path / "lineup.of.2025"
    path.write_bytes(HEAD + BJORK)
    (checked,) = check_lineups(str(path))
    assert checked.report.status == "success"
    assert [row.performer for row in checked.performances] == ["Björk"]


def test_a_folder_without_a_lineup_is_an_error(tmp_path):
    with pytest.raises(FestivalError, match=r"no lineup in .*\.csv"):
        list(check_lineups(str(tmp_path)))


def test_a_prefix_in_s3_is_read_like_a_folder():
    shelf = Shelf({"2025/a.csv": HEAD + BJORK, "2025/notes.pdf": b"%PDF", "2024/b.csv": HEAD})
    (checked,) = check_lineups("s3://uploads/2025/", SimpleNamespace(s3=shelf))
    assert checked.file == "s3://uploads/2025/a.csv"
    assert checked.report.counts.written == 1


def test_an_excel_workbook_is_read_like_any_lineup(tmp_path):
    workbook = Workbook()
    workbook.active.append(["Performer", "Stage", "Date", "Start", "End", "Popularity"])
    workbook.active.append(["Björk", "Main Stage", date(2025, 7, 12), time(21, 30), "23:00", 97])
    workbook.active.append(["Mitski", "Tent", "soon", "20:00", "21:00", None])
    workbook.save(tmp_path / "lineup.xlsx")
    (checked,) = check_lineups(str(tmp_path))
    assert [row.key for row in checked.performances] == [("Björk", "2025-07-12#21:30#Main Stage")]
    assert checked.report.counts.rejected == 1
    assert checked.inspection.shape == "workbook"


def test_one_object_in_s3_may_have_any_name():
    shelf = Shelf({"lineup": HEAD + BJORK})
    (checked,) = check_lineups("s3://uploads/lineup", SimpleNamespace(s3=shelf))
    assert checked.report.counts.read == 1


AMERICAN = b"act,venue,day,from,to\nMitski,Tent,07/12/2025,20:00,21:00\n"
SAID = (
    b'{"columns": {"Performer": "act", "Stage": "venue", "Date": "day", "Start": "from",'
    b' "End": "to"}, "date_order": "month_first"}'
)


def test_a_file_is_read_with_the_mapping_beside_it(tmp_path):
    (tmp_path / "us.csv").write_bytes(AMERICAN)
    (tmp_path / "us.csv.mapping.json").write_bytes(SAID)
    (checked,) = check_lineups(str(tmp_path))
    assert [row.date for row in checked.performances] == ["2025-07-12"]
    shelf = Shelf({"us.csv": AMERICAN, "us.csv.mapping.json": SAID})
    (stored,) = check_lineups("s3://uploads/", SimpleNamespace(s3=shelf))
    assert stored.performances == checked.performances


def test_files_without_one_are_read_with_the_mapping_that_was_given(tmp_path):
    (tmp_path / "us.csv").write_bytes(AMERICAN)
    (tmp_path / "said.json").write_bytes(SAID)
    (checked,) = check_lineups(str(tmp_path / "us.csv"), mapping=str(tmp_path / "said.json"))
    assert checked.report.counts.written == 1
    with pytest.raises(FestivalError, match=r"mapping .*none\.json: No such file"):
        list(check_lineups(str(tmp_path / "us.csv"), mapping=str(tmp_path / "none.json")))


def test_a_wrong_mapping_beside_a_file_is_that_files_failure(tmp_path):
    (tmp_path / "us.csv").write_bytes(AMERICAN)
    (tmp_path / "us.csv.mapping.json").write_bytes(b'{"colums": {}}')
    (checked,) = check_lineups(str(tmp_path))
    assert checked.report.status == "failure"
    assert "us.csv.mapping.json" in checked.report.error
    assert "colums" in checked.report.error


def test_what_a_file_leaves_open_is_told_with_the_option_that_decides_it():
    checked = checked_file("us.csv", AMERICAN.replace(b"07/12", b"02/01"))
    questions = questions_frame([(checked.file, checked.inspection)])
    assert "date_order" in questions["option"].tolist()
    (row,) = formats_frame([(checked.file, checked.inspection)]).to_dict("records")
    assert row["shape"] == "csv"
    assert "Performer: act" in row["fields, and their columns"]


def test_an_empty_prefix_is_an_error():
    with pytest.raises(FestivalError, match="no lineup in s3://uploads/"):
        list(check_lineups("s3://uploads/", SimpleNamespace(s3=Shelf({}))))


def test_of_rows_with_one_key_the_last_is_kept():
    later = BJORK.replace(b"23:00", b"23:30")
    checked = checked_file("a.csv", HEAD + BJORK + later)
    assert checked.report.counts.duplicates == 1
    assert [row.end for row in checked.performances] == [23 * 60 + 30]


def test_of_two_files_with_one_key_the_last_file_has_it():
    first = checked_file("a.csv", HEAD + BJORK)
    second = checked_file("b.csv", HEAD + BJORK.replace(b"97", b"12"))
    assert [row.popularity for row in validation.all_performances([first, second])] == [12]


def test_strict_names_the_number_of_rejected_rows():
    clean, messy = (
        checked_file("a.csv", HEAD + BJORK),
        checked_file("b.csv", HEAD + BJORK + BAD),
    )
    validation.require_clean([clean])
    with pytest.raises(FestivalError, match="strict: 1 row rejected in 1 of 2 files"):
        validation.require_clean([clean, messy])


def test_strict_names_a_file_that_could_not_be_kept():
    with pytest.raises(FestivalError, match=r"strict: photo\.csv could not be kept"):
        validation.require_clean([checked_file("photo.csv", b"\x89PNG\r\n")])


def test_the_verdict_counts_everything_once():
    checked = [checked_file("b.csv", HEAD + BJORK + BAD)]
    assert validation.verdict(checked, []) == (
        "1 file, 2 rows: 1 would be written, 1 rejected, 0 replaced by later ones; "
        "0 files could not be kept; 0 findings to look at."
    )
