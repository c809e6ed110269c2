"""Tables as people read them."""

import re

import pandas as pd
import pytest

from festival.analysis.frames import performances_frame
from festival.analysis.lineups import clashes
from festival.lineup.model import Performance
from festival.notebook.cells import Box
from festival.notebook.tables import dollars, html_table

NIGHT = Performance("Burial <3", "Tent", "2025-07-12", 1410, 1530, None, 4)


def cells(html, row=0):
    body = html.split("<tbody>")[1].split("</tbody>")[0]
    return re.findall(r"<td(?: class=\"(\w)\")?>(.*?)</td>", body.split("</tr>")[row])


def test_text_is_left_and_figures_are_right_with_units_in_the_heads():
    html = html_table(performances_frame([NIGHT]))
    assert '<th class="n">Length (h:mm)</th>' in html
    assert cells(html) == [
        ("", "Burial &lt;3"),
        ("", "Tent"),
        ("k", "Sat 2025-07-12"),
        ("k", "23:30"),
        ("k", "01:30"),
        ("n", "2:00"),
        ("n", ""),
    ]


def test_a_day_stands_there_once_and_moments_on_their_own_are_whole():
    moments = performances_frame([NIGHT])[["Start"]]
    assert cells(html_table(moments)) == [("k", "Sat 2025-07-12 23:30")]


def test_of_two_performances_in_a_row_the_day_stands_there_once():
    other = NIGHT._replace(performer="Fever Ray", stage="Field", start=1380)
    (row,) = [cells(html_table(clashes(performances_frame([NIGHT, other]))))]
    assert [text for kind, text in row if kind == "k"] == [
        "Sat 2025-07-12 23:00",
        "01:30",
        "23:30",
        "01:30",
    ]


def test_money_has_a_total_and_figures_have_commas():
    frame = pd.DataFrame({"what": ["writes", "reads"], "dollars": [1234.5, 0.004], "n": [1000, 2]})
    frame.attrs["total"] = ("dollars",)
    html = html_table(frame)
    assert "US dollars" in html
    assert cells(html, 0) == [("", "writes"), ("n", "1,234.50"), ("n", "1,000")]
    assert cells(html, 2) == [("", "total"), ("n", "1,234.50"), ("n", "")]


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0.00"), (0.0123, "0.01"), (0.0061, "0.0061"), (1e-6, "under 0.0001")]
)
def test_dollars_have_two_to_four_digits(amount, text):
    assert dollars(amount) == text


def test_of_a_long_table_the_first_rows_are_shown_and_the_others_counted():
    html = html_table(performances_frame([NIGHT] * 2_993))
    assert html.count("<tr>") == 201
    assert "and 2,793 more rows" in html


def test_an_empty_table_keeps_its_heads_and_says_so():
    html = html_table(performances_frame([]))
    assert ">Performer</th>" in html
    assert "<p>none</p>" in html


def test_an_index_with_names_is_a_column():
    assert cells(html_table(pd.DataFrame({"n": [3]}, index=pd.Index(["Tent"], name="Stage")))) == [
        ("", "Tent"),
        ("n", "3"),
    ]


def test_a_box_is_sentences_in_both_forms_and_leaves_out_what_is_not_said():
    box = Box("A & B.", "", "C.")
    assert repr(box) == "A & B.\nC."
    assert box._repr_html_().count("<p ") == 2
    assert "A &amp; B." in box._repr_html_()
