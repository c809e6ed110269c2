"""Refused rows as a CSV that a spreadsheet opens without harm and that comes back unchanged."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from festival.ingest.reports_bucket import corrected_name, rejected_key, write_rejected_rows
from festival.ingest.tally import Tally
from festival.lineup.formats.header import guard, is_rejected_rows_header, unguard
from festival.lineup.model import Rejection


def written(rows, file="upload/summer.csv"):
    out = io.StringIO(newline="")
    write_rejected_rows(rows, file, out)
    return list(csv.reader(io.StringIO(out.getvalue(), newline="")))


def refused(original, line=7):
    return {"line": line, "field": "Start", "value": "", "reason": "no time", "original": original}


def test_the_row_keeps_its_columns_and_gains_where_it_came_from_and_why():
    header, row = written([refused({"Performer": "Low", "Start": "25:99"})])
    assert header == ["Performer", "Start", "rejected_from", "line", "reason"]
    assert row == ["Low", "25:99", "upload/summer.csv", "7", "no time"]
    assert is_rejected_rows_header(header)


def test_rows_with_different_columns_share_one_table():
    header, one, two = written([refused({"a": "1"}), refused({"b": "2"})])
    assert header[:2] == ["a", "b"]
    assert (one[:2], two[:2]) == (["1", ""], ["", "2"])


def test_a_row_that_could_not_be_divided_is_kept_as_it_stood():
    header, row = written([refused('"Low,Main Stage')])
    assert header[0] == "unreadable_row"
    assert row[0] == '"Low,Main Stage'


def test_a_formula_is_harmless_in_a_spreadsheet():
    _, row = written([refused({"Performer": '=HYPERLINK("http://evil")'})])
    assert row[0].startswith("'=")


@given(st.text())
def test_a_guarded_cell_never_begins_a_formula_and_comes_back(cell):
    assert not guard(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguard(guard(cell)) == cell


@given(st.text(min_size=1, max_size=1024))
def test_any_file_name_gives_a_safe_key(name):
    key = rejected_key("bucket/" + name, "v1", 12)
    assert key.isascii()
    assert len(key) < 200


def test_the_corrected_file_gets_a_name_of_its_own():
    assert corrected_name("2025/summer.csv", "v1").startswith("2025/summer.corrections-")
    assert corrected_name("2025/summer.csv", "v1") != corrected_name("2025/summer.csv", "v2")
    assert corrected_name("summer.json.gz", "v1").endswith(".csv")


def test_a_refused_row_says_which_option_of_a_mapping_settles_it():
    """The e-mail proposes the mapping from that."""
    tally = Tally()
    tally.reject(
        [
            Rejection(2, "Date", "25/06/2025", "may be day or month first", option="date_order"),
            Rejection(3, "Start", "25:99", "is not a time"),
        ]
    )
    assert [row.get("option") for row in tally.rejections] == ["date_order", None]
    assert [row.get("option") for row in tally.preview["rejections"]] == ["date_order", None]
