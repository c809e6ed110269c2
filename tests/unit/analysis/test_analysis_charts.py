"""The pictures: what they show, in words a test can read. (That they look well, a person sees.)"""

from itertools import pairwise

import pytest

from festival.analysis import charts
from festival.analysis.cost import charts as cost_charts
from festival.analysis.cost.bill import bill
from festival.analysis.cost.forecast import Forecast, PartitionLoad
from festival.analysis.cost.prices import price_list
from festival.analysis.cost.workload import StackProfile, Workload, row_profile
from festival.analysis.drawing import spread_out
from festival.analysis.frames import performances_frame
from festival.errors import FestivalError
from festival.lineup.model import Performance

BJORK = Performance("Björk", "Main Stage", "2025-07-12", 1290, 1380, 97, 2)
GUEST = Performance("A$AP Rocky", "Main Stage", "2025-07-12", 1350, 1440, None, 3)
NIGHT = Performance("Burial", "Tent", "2025-07-12", 1410, 1530, 88, 4)
NEXT = Performance("Yoga", "Tent", "2025-07-13", 600, 720, 12, 5)
ROWS = [BJORK, GUEST, NIGHT, NEXT]
PROFILE, PRICES = row_profile([BJORK]), price_list("us-east-1")


def texts(figure):
    (axes,) = figure.axes
    return [text.get_text() for text in axes.texts]


def test_popularity_names_each_stages_median_and_its_most_popular():
    figure = charts.popularity(performances_frame(ROWS))
    assert texts(figure)[:2] == ["97", "Björk (97)"]
    assert texts(figure)[2:4] == ["50", "Burial (88)"]
    assert "1 without one" in figure.axes[0].get_title(loc="left")
    assert "1 to 100" in figure.axes[0].get_xlabel()


def test_a_very_long_name_leaves_room_for_the_dots(recwarn):
    row = Performance(
        "The Extraordinarily Long-Named Collective " * 4, "Tent", "2025-07-12", 0, 60, 9, 2
    )
    assert "The Extraordinarily" in charts.popularity(performances_frame([row])).svg()
    assert not recwarn.list


def test_a_performance_counts_in_every_hour_it_is_on():
    grid = charts.hours_grid(performances_frame([NIGHT]))
    assert grid.iloc[0].tolist() == [1, 1, 1]
    assert grid.columns.tolist() == [23, 24, 25]


def test_a_performance_that_ends_on_the_hour_is_not_on_in_the_next():
    grid = charts.hours_grid(performances_frame([NEXT]))
    assert grid.columns.tolist() == [10, 11]


def test_each_hour_of_the_clock_has_one_column_however_the_lineup_dates_the_night():
    small_hours = Performance("Fog", "Tent", "2025-07-13", 60, 120, 5, 6)
    grid = charts.hours_grid(performances_frame([*ROWS, small_hours]))
    assert grid.columns.tolist() == list(range(10, 26))
    assert grid.loc["2025-07-12", 25] == 2


def test_a_day_on_which_nothing_is_on_stands_between_its_neighbours():
    later = NEXT._replace(date="2025-07-15")
    assert len(charts.hours_grid(performances_frame([NEXT, later]))) == 3
    wrong_year = NEXT._replace(date="2052-07-13")
    assert len(charts.hours_grid(performances_frame([NEXT, wrong_year]))) == 2


def test_stages_by_hours_show_the_highest_popularity_of_each_hour():
    grid = charts.hours_grid(performances_frame(ROWS), rows="stage", show="popularity")
    assert grid.loc["Main Stage", 22] == 97
    assert grid.index.tolist() == ["Main Stage", "Tent"]


def test_what_has_nothing_to_show_says_so_and_is_not_a_blank_box():
    zero = performances_frame([NEXT._replace(end=600, popularity=None)])
    for answer in (zero, performances_frame([])):
        assert texts(charts.heat_map(answer)) == ["no performance to show"]
        assert texts(charts.popularity(answer)) == ["no performance has a popularity"]


def test_a_heat_map_writes_each_count_into_its_cell_and_units_on_its_axes():
    figure = charts.heat_map(performances_frame(ROWS))
    assert sorted(texts(figure)) == sorted(["1", "2", "2", "1", "1", "1", "1"])
    assert figure.axes[0].get_xlabel().startswith("Hour of the day")
    assert figure.axes[0].get_ylabel() == "Festival day"


@pytest.mark.parametrize(
    ("asked", "told"),
    [({"rows": "week"}, "expected day or stage"), ({"show": "noise"}, "expected performances or")],
)
def test_a_heat_map_of_something_else_is_refused(asked, told):
    with pytest.raises(FestivalError, match=told):
        charts.heat_map(performances_frame(ROWS), **asked)


def test_a_notebook_gets_letters_and_not_outlines_so_that_any_script_is_shown(recwarn):
    figure = charts.popularity(performances_frame([BJORK._replace(stage="日本 🎪 A$AP$")]))
    assert "日本 🎪 A$AP$" in figure.svg()
    assert not recwarn.list


def test_cost_by_component_is_on_two_logarithmic_axes():
    bills = {rows: bill(Workload(rows), PROFILE, PRICES) for rows in (1_000, 10_000, 100_000)}
    axes = cost_charts.cost_by_component(bills, month=1).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert "US dollars a month" in axes.get_ylabel()
    assert any(text.get_text() == "DynamoDB writes" for text in axes.texts)


SHAPE = Forecast(1000, (0.5, 1.0, 2.0), (PartitionLoad("PopularityIndex", "POPULARITY", 1000),))


def test_time_to_ingest_names_the_hottest_partition():
    figure = cost_charts.time_to_ingest([100, 1_000_000], stack=StackProfile(), shape=SHAPE)
    assert "hottest partition: PopularityIndex POPULARITY" in texts(figure)


def test_forecasts_show_the_range_and_the_median_with_and_without_credit():
    figure = cost_charts.forecasts({"by date": SHAPE}, 400_000)
    without, lent = (text.strip() for text in texts(figure))
    assert without == "180.0 to 880.0 s, median 400.0 s"
    assert lent == "0.0 to 580.0 s, median 100.0 s"
    first, second = figure.axes[0].patches
    assert (first.get_x(), first.get_width()) == pytest.approx((180, 700))
    assert (second.get_x(), second.get_width()) == pytest.approx((0, 580))


def test_the_bars_of_the_original_readme_end_where_its_figures_do():
    bills = {rows: bill(Workload(rows), PROFILE, PRICES) for rows in (1_000, 100_000)}
    axes = cost_charts.cost_by_component(bills, month=1).axes[0]
    bars = {line.get_xdata()[0]: line for line in axes.lines if line.get_linewidth() == 7}
    assert list(bars[10_000].get_ydata()) == pytest.approx([0.05 * 30, 0.15 * 30])
    assert bars[1_000].get_ydata()[0] == axes.get_ylim()[0]
    assert {line.get_solid_capstyle() for line in bars.values()} == {"butt"}


@pytest.mark.parametrize("places", [[1.0, 1.0, 1.0], [3.0, 1.0, 2.0], [0.0]])
def test_labels_are_moved_apart_and_keep_their_order(places):
    moved = spread_out(places, 1.0)
    ordered = sorted(moved)
    assert all(b - a >= 0.99 for a, b in pairwise(ordered))
    assert sorted(range(len(places)), key=lambda n: places[n]) == sorted(
        range(len(places)), key=lambda n: moved[n]
    )


def test_a_picture_is_saved_as_what_the_name_ends_in(tmp_path):
    chart = charts.heat_map(performances_frame([]))
    begins = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}
    for suffix, first in begins.items():
        assert chart.save(tmp_path / f"hours{suffix}").read_bytes().startswith(first)
    with pytest.raises(FestivalError, match=r"expected a name that ends in \.svg, \.png, \.pdf"):
        chart.save(tmp_path / "hours.docx")
    with pytest.raises(FestivalError, match="cannot be written: No such file or directory"):
        chart.save(tmp_path / "nowhere" / "hours.png")
