"""The pictures: what they show, in words a test can read. (That they look well, a person sees.)"""

from itertools import pairwise

import pytest
from matplotlib.patches import Rectangle

from festival.analysis import charts, checks, timeline
from festival.analysis.checks import find_all
from festival.analysis.cost import charts as cost_charts
from festival.analysis.cost.bill import bill
from festival.analysis.cost.forecast import simulate
from festival.analysis.cost.ingest_time import Spread
from festival.analysis.cost.prices import price_list
from festival.analysis.cost.workload import StackProfile, Workload, row_profile
from festival.analysis.drawing import drawable, spread_out
from festival.analysis.frames import performances_frame
from festival.lineup.model import Performance

BJORK = Performance("Björk", "Main Stage", "2025-07-12", 1290, 1380, 97, 2)
GUEST = Performance("A$AP Rocky", "Main Stage", "2025-07-12", 1350, 1440, None, 3)
NIGHT = Performance("Burial", "Tent", "2025-07-12", 1410, 1530, 88, 4)
NEXT = Performance("Yoga", "Tent", "2025-07-13", 600, 720, 12, 5)
ROWS = [BJORK, GUEST, NIGHT, NEXT]


def bars(figure):
    (axes,) = figure.axes
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def texts(figure):
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts]


def ticks(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_each_day_of_a_lineup_has_a_timeline_of_its_own():
    first, second = timeline.day_timelines(ROWS)
    assert first.axes[0].get_title(loc="left") == "2025-07-12: 3 performances on 2 stages"
    assert len(bars(first)) == 3
    assert len(bars(second)) == 1


def test_performances_that_overlap_share_a_row_without_hiding_each_other():
    day, _ = timeline.day_timelines(ROWS)
    main_stage = bars(day)[:2]
    assert main_stage[0].get_y() != main_stage[1].get_y()
    assert ticks(day.axes[0].yaxis) == ["Main Stage", "Tent"]


def test_findings_are_marked_by_hatch_and_edge_and_named_in_a_legend():
    day, _ = timeline.day_timelines(ROWS, find_all(ROWS))
    hatched = [bar for bar in bars(day) if bar.get_hatch()]
    assert len(hatched) == 2
    (legend,) = day.legends
    assert checks.OVERLAP in [text.get_text() for text in legend.get_texts()]


def test_a_night_goes_on_past_midnight_on_the_same_picture():
    day, _ = timeline.day_timelines(ROWS)
    assert "00:00" in ticks(day.axes[0].xaxis)
    night = max(bars(day), key=lambda bar: bar.get_x())
    assert night.get_width() == 2.0
    assert "midnight" in day.axes[0].get_xlabel()


def test_long_empty_stretches_are_left_out_and_marked():
    early = BJORK._replace(start=30, end=90)
    figure = timeline.day_timeline([early, BJORK])
    assert ticks(figure.axes[0].xaxis) == ["00:00", "01:00", "02:00", "21:00", "22:00", "23:00"]
    assert "empty hours left out" in figure.axes[0].get_xlabel()
    assert [round(bar.get_width(), 6) for bar in bars(figure)[:2]] == [1.0, 1.5]


def test_names_stand_in_their_bars_where_they_fit_and_are_no_formulas():
    day, _ = timeline.day_timelines(ROWS)
    assert "Björk" in texts(day)
    assert any("A$AP" in text for text in texts(day))
    short = timeline.day_timeline([BJORK._replace(end=1292), NIGHT])
    assert "Björk" not in texts(short)


def test_characters_without_a_font_are_drawn_as_boxes_and_not_warned_of(recwarn):
    figure = timeline.day_timeline([BJORK._replace(performer="\U000e0041 Björk", end=1600)])
    figure.draw_without_rendering()
    assert drawable("\U000e0041") == "▯"
    assert not recwarn.list


def test_an_empty_day_is_an_empty_picture():
    assert timeline.day_timeline([]).axes[0].get_title(loc="left").startswith("no performance")
    assert list(timeline.day_timelines([])) == []


def test_popularity_by_stage_names_the_median_and_what_is_missing():
    figure = charts.popularity_by_stage(performances_frame(ROWS))
    assert texts(figure) == ["50", "97"]
    assert "1 have none" in figure.axes[0].get_title(loc="left")


def test_a_performance_counts_in_every_hour_it_is_on():
    grid = charts.hours_grid(performances_frame([NIGHT]))
    assert grid.iloc[0].tolist() == [1, 1, 1]
    assert grid.columns.tolist() == [23, 24, 25]


def test_a_performance_that_ends_on_the_hour_is_not_on_in_the_next():
    grid = charts.hours_grid(performances_frame([NEXT]))
    assert grid.columns.tolist() == [10, 11]


def test_a_zero_length_performance_keeps_no_hour_busy():
    assert charts.hours_grid(performances_frame([NEXT._replace(end=600)])).empty
    charts.busy_hours(performances_frame([]))


def test_busy_hours_writes_each_count_into_its_cell():
    figure = charts.busy_hours(performances_frame(ROWS))
    assert sorted(texts(figure)) == sorted(["1", "2", "2", "1", "1", "1", "1"])


def test_cost_by_component_is_on_two_logarithmic_axes():
    profile, prices = row_profile([BJORK]), price_list("us-east-1")
    bills = {rows: bill(Workload(rows), profile, prices) for rows in (1_000, 10_000, 100_000)}
    axes = cost_charts.cost_by_component(bills, month=1).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert "US dollars a month" in axes.get_ylabel()
    assert any(text.get_text() == "DynamoDB writes" for text in axes.texts)


def test_time_to_ingest_names_the_hottest_partition():
    figure = cost_charts.time_to_ingest(
        [100, 10_000, 1_000_000], stack=StackProfile(), spread=Spread()
    )
    assert "hottest partition: PopularityIndex" in texts(figure)


def test_partition_runs_say_seconds_and_the_busiest_key():
    rows = [BJORK._replace(performer=f"Band {number}") for number in range(500)]
    figure = cost_charts.partition_runs({"constant POPULARITY": simulate(rows)})
    (text,) = texts(figure)
    assert text.strip().startswith("0.5 s, 1,000 rows/s; busiest: ")


@pytest.mark.parametrize("places", [[1.0, 1.0, 1.0], [3.0, 1.0, 2.0], [0.0]])
def test_labels_are_moved_apart_and_keep_their_order(places):
    moved = spread_out(places, 1.0)
    ordered = sorted(moved)
    assert all(b - a >= 0.99 for a, b in pairwise(ordered))
    assert sorted(range(len(places)), key=lambda n: places[n]) == sorted(
        range(len(places)), key=lambda n: moved[n]
    )
