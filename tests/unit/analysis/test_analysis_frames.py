"""DataFrames with types that answer questions right."""

import pandas as pd

from festival.analysis import frames
from festival.analysis.cost.bill import bill
from festival.analysis.cost.prices import price_list
from festival.analysis.cost.workload import Workload, row_profile
from festival.lineup.model import Performance
from festival.notebook.cost_model import bill_frame, prices_frame

NIGHT = Performance("Burial", "Tent", "2025-07-12", 1410, 1530, 88, 2)
FESTIVAL_NIGHT = Performance("Four Tet", "Tent", "2025-07-12", 1530, 1600, None, 3)


def test_a_set_that_ends_after_midnight_ends_on_the_next_day():
    frame = frames.performances_frame([NIGHT])
    (row,) = frame.itertuples()
    assert row.Date == pd.Timestamp("2025-07-12")
    assert row.Start == pd.Timestamp("2025-07-12 23:30")
    assert row.End == pd.Timestamp("2025-07-13 01:30")
    assert row.Minutes == 120


def test_a_start_past_24_hours_is_the_next_calendar_day_of_the_same_lineup_day():
    (row,) = frames.performances_frame([FESTIVAL_NIGHT]).itertuples()
    assert row.Date == pd.Timestamp("2025-07-12")
    assert row.Start == pd.Timestamp("2025-07-13 01:30")


def test_popularity_is_a_whole_number_or_missing():
    frame = frames.performances_frame([NIGHT, FESTIVAL_NIGHT])
    assert str(frame["Popularity"].dtype) == "Int64"
    assert frame["Popularity"].isna().tolist() == [False, True]


def test_no_performance_still_has_columns_and_types():
    frame = frames.performances_frame([])
    assert frame.empty
    assert pd.api.types.is_datetime64_any_dtype(frame["Start"])
    assert str(frame["Popularity"].dtype) == "Int64"


def test_summaries_keep_counts_as_whole_numbers():
    summary = {
        "file": "a.csv",
        "status": "partial",
        "read": 3,
        "written": 2,
        "rejected": 1,
        "duplicates": 0,
        "unwritten": 0,
    }
    frame = frames.summaries_frame([summary, summary | {"error": "broken"}])
    assert frame["written"].tolist() == [2, 2]
    assert str(frame["read"].dtype) == "Int64"
    assert frame["error"].tolist() == ["", "broken"]
    assert frames.summaries_frame([]).columns[0] == "file"


def test_rows_of_several_files_stand_below_each_other():
    rejected = {"line": 7, "field": "Date", "value": "soon", "reason": "no date", "original": {}}
    frame = frames.rows_frame([("a.csv", [rejected]), ("b.csv", [])], ["line", "field", "reason"])
    assert frame.to_dict("records") == [
        {"file": "a.csv", "line": 7, "field": "Date", "reason": "no date"}
    ]


def test_the_shares_of_a_bill_add_up_to_one():
    lines = bill(Workload(1000), row_profile([NIGHT]), price_list("eu-west-1"))
    frame = bill_frame(lines)
    assert abs(frame["share"].sum() - 1) < 1e-9
    assert frame["dollars"].sum() > 0


def test_the_prices_frame_marks_what_is_not_confirmed():
    frame = prices_frame(price_list("ap-southeast-2"))
    assert not frame["confirmed"].all()
    assert frame.loc[~frame["confirmed"], "seen"].str.contains("not confirmed").all()
