"""The timeline: every performance in place, with its whole name. A person sees if it looks good."""

import re
import warnings
from html import unescape
from itertools import combinations, pairwise

import pytest
from matplotlib import font_manager

from festival.analysis import drawing, findings
from festival.analysis.findings import find_all
from festival.analysis.frames import performances_frame
from festival.analysis.grid import Clock, day_grids, text_width, wrapped
from festival.analysis.shapes import RAMP
from festival.analysis.timeline import timeline
from festival.errors import FestivalError
from festival.lineup.model import Performance

BJORK = Performance("Björk", "Main Stage", "2025-07-12", 1290, 1380, 97, 2)
GUEST = Performance("A$AP Rocky", "Main Stage", "2025-07-12", 1350, 1440, None, 3)
NIGHT = Performance("Burial", "Tent", "2025-07-12", 1410, 1530, 88, 4)
NEXT = Performance("Yoga", "Tent", "2025-07-13", 600, 720, 12, 5)
ROWS = [BJORK, GUEST, NIGHT, NEXT]
COMEDIANS = [
    "Christopher Macarthur-Boyd",
    "きゃりーぱみゅぱみゅ",
    "🎸 Guitars for Peace 👩‍👩‍👧",
    "Ludwig von Rabenstein-Hohenzollern and his Orchestra of Many Friends",
    "محمد منير",
    "Supercalifragilisticexpialidociousness",
]


def cabaret(sets, stages, minutes=5):
    """Sets without a pause between them, each too short for its performer's name."""
    return [
        Performance(
            COMEDIANS[number % len(COMEDIANS)] + f" {number}",
            f"Tent {number % stages}",
            "2025-07-12",
            600 + minutes * (number // stages),
            600 + minutes * (number // stages + 1),
            number % 101 or None,
            number + 2,
        )
        for number in range(sets)
    ]


def words(markup):
    """The words of each card as a reader sees them, its lines joined."""
    cards = re.findall(r"<g[^>]*><title>(.*?)</title>(.*?)</g>", markup, flags=re.DOTALL)
    return [
        (unescape(title.split("\n")[0]), unescape("".join(re.findall(r"<text[^>]*>(.*?)<", body))))
        for title, body in cards
    ]


def overlapping(one, other):
    across = one.left < other.left + other.room - 0.1 and other.left < one.left + one.room - 0.1
    return across and one.top < other.top + other.height and other.top < one.top + one.height


@pytest.mark.parametrize("rows", [ROWS, cabaret(60, 2), cabaret(3_000, 85)])
def test_every_performance_is_there_with_its_whole_name_and_its_times(rows):
    shown = words(timeline(rows, ())._repr_html_())
    assert len(shown) == len(rows)
    for name, text in shown:
        assert text.replace(" ", "").startswith(name.replace(" ", ""))
        assert re.search(r"\d\d:\d\d–\d\d:\d\d", text)


def test_no_name_covers_another_however_short_the_sets_are():
    (day,) = day_grids(cabaret(60, 2), ())
    assert not any(overlapping(one, other) for one, other in combinations(day.cards, 2))


def test_a_name_is_as_wide_as_the_room_it_is_given():
    (day,) = day_grids(cabaret(60, 2), ())
    for card in day.cards:
        assert max(text_width(line, 12) for line in card.label.name) <= card.room
        assert card.label.height <= card.height


def test_three_thousand_performances_are_a_page_of_less_than_one_and_a_half_megabytes():
    assert len(timeline(cabaret(3_000, 85))._repr_html_().encode()) < 1_500_000


def test_the_frame_of_an_answer_and_its_performances_give_the_same_timeline():
    from_frame = timeline(performances_frame(ROWS))
    assert words(from_frame.html()) == words(timeline(ROWS).html())
    assert str(timeline(performances_frame([]))) == "Timeline of 0 performances, 0 stages, 0 days"


def test_a_frame_without_the_columns_of_an_answer_is_refused():
    with pytest.raises(FestivalError, match="no column Stage, End: expected an answer"):
        timeline(performances_frame(ROWS).drop(columns=["Stage", "End"]))


def test_each_day_is_a_grid_of_its_own_and_a_night_stays_whole():
    first, second = timeline(ROWS).days
    assert [card.row for card in first.cards] == [BJORK, GUEST, NIGHT]
    assert [card.row for card in second.cards] == [NEXT]
    assert first.clock.hours == [21, 22, 23, 24, 25, 26]
    assert "Sun 07-13" in timeline(ROWS).html()


def test_performances_that_overlap_share_a_stage_without_hiding_each_other():
    day, _ = timeline(ROWS).days
    bjork, guest, _ = day.cards
    assert guest.top >= bjork.top + bjork.height
    assert [stage.name for stage in day.stages] == ["Main Stage", "Tent"]


def test_stages_stand_as_the_lineup_names_them_or_the_most_popular_first():
    rows = [NIGHT, BJORK]
    assert [stage.name for stage in timeline(rows).days[0].stages] == ["Tent", "Main Stage"]
    by_popularity = timeline(rows, order="popularity").days[0]
    assert [stage.name for stage in by_popularity.stages] == ["Main Stage", "Tent"]
    with pytest.raises(FestivalError, match="order 'name': expected lineup or popularity"):
        timeline(rows, order="name")


def test_one_wrong_length_does_not_stretch_the_day_and_is_marked_as_going_on():
    rows = cabaret(40, 2, minutes=45)
    wrong = rows[0]._replace(stage="Forum", end=rows[0].start + 1_430)
    (day,) = timeline([*rows, wrong]).days
    (long,) = (card for card in day.cards if card.row is wrong)
    assert day.clock.end == 25 * 60
    assert long.goes_on
    assert "10:00–09:50 · 0 →" not in timeline([*rows, wrong]).html()
    assert re.search(r"10:00–09:50[^<]* →", timeline([*rows, wrong]).html())


def test_a_field_that_is_open_all_day_is_shown_to_its_end():
    rows = [BJORK._replace(stage=f"Field {n}", start=600, end=1_800) for n in range(3)]
    (day,) = timeline(rows).days
    assert day.clock.end == 1_800
    assert not any(card.goes_on for card in day.cards)


def test_long_empty_stretches_are_left_out_and_marked():
    (day,) = timeline([BJORK._replace(start=30, end=90), BJORK]).days
    assert day.clock.stretches == ((0, 2), (21, 23))
    assert len(day.clock.cuts) == 1


def test_the_clock_runs_evenly_and_jumps_over_what_is_left_out():
    clock = Clock(((0, 2), (21, 23)), scale=2.0)
    assert [clock.at(minute) for minute in (0, 30, 120, 1260, 1380)] == [0, 60, 240, 266, 506]
    assert clock.at(600) == 240
    assert clock.at(-5) == 0
    assert clock.at(5_000) == clock.width == 506


def test_a_finding_is_an_edge_with_its_reason_on_hover_and_in_a_list_that_links_to_it():
    html = timeline(ROWS, find_all(ROWS)).html()
    reason = "Main Stage: A$AP Rocky (2025-07-12 22:30–24:00) begins before Björk"
    assert html.count(reason) == 3
    assert "<span><svg" in html and f"{findings.OVERLAP}</span>" in html
    ids = re.findall(r'id="([^"]+)"', html)
    links = re.findall(r'href="#([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert links and set(links) <= set(ids)
    assert reason not in timeline(ROWS, ()).html()


def test_what_has_no_popularity_is_a_colour_of_its_own_and_not_a_finding():
    html = timeline([GUEST]).html()
    assert "no popularity</span>" in html
    assert "1 finding" not in html


def test_the_steps_of_popularity_survive_a_grey_printer():
    def lightness(colour):
        red, green, blue = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
        return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2

    steps = [lightness(colour) ** (1 / 2.2) for colour in RAMP]
    assert all(darker < lighter - 0.05 for lighter, darker in pairwise(steps))
    # Black letters on the darkest: at least 4.5 to 1 (WCAG 2, contrast).
    assert (lightness(RAMP[-1]) + 0.05) / 0.05 > 4.5


def test_a_page_needs_nothing_from_anywhere_and_takes_names_as_words():
    html = timeline([BJORK._replace(performer="<script>alert('$x$')</script> & Sons")]).html()
    assert "<script" not in html
    assert not re.search(r"(src|href)=\"(?!#)", html)
    assert "&lt;script&gt;" in html


def test_in_a_notebook_it_follows_the_notebooks_theme_and_changes_nothing_else():
    html = timeline(ROWS)._repr_html_()
    style = re.search(r"<style>(.*?)</style>", html, flags=re.DOTALL).group(1)
    selectors = re.findall(r"(?:^|[}\n])\s*([^{}@\n][^{}@]*)\{", style)
    assert all(".fl" in one for selector in selectors for one in selector.split(","))
    assert "data-jp-theme-light=false" in style
    assert "prefers-color-scheme" not in html
    assert "tex2jax_ignore" in html


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("day.html", b"<!DOCTYPE"),
        ("day.SVG", b"<svg"),
        ("day.png", b"\x89PNG"),
        ("day.pdf", b"%PDF"),
    ],
)
def test_it_is_saved_as_what_the_name_ends_in(tmp_path, name, begins):
    assert timeline(ROWS).save(tmp_path / name).read_bytes().startswith(begins)


def test_a_drawing_has_the_same_words_as_the_page(tmp_path):
    svg = timeline(ROWS).svg()
    for text in (
        "Björk",
        "A$AP Rocky",
        "Main Stage",
        "Saturday 2025-07-12: 3 performances on 2 st",
    ):
        assert text in svg
    assert timeline([]).save(tmp_path / "empty.png").stat().st_size


def test_a_name_of_another_kind_and_a_place_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(FestivalError, match=r"expected a name that ends in \.html, \.svg"):
        timeline(ROWS).save(tmp_path / "day.docx")
    with pytest.raises(FestivalError, match="cannot be written: No such file"):
        timeline(ROWS).save(tmp_path / "nowhere" / "day.html")


def test_letters_that_no_font_here_has_are_named_where_they_would_be_boxes(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "_installed", lambda: ())
    drawing._family_of.cache_clear()
    rows = [BJORK._replace(performer="新しい学校")]
    with pytest.warns(UserWarning, match="no font on this machine has い し 学 新 校"):
        timeline(rows).save(tmp_path / "day.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "新しい学校" in timeline(rows).save(tmp_path / "day.svg").read_text("utf-8")
    drawing._family_of.cache_clear()


def test_a_font_is_looked_for_among_all_that_are_installed():
    letter = "∮"
    family = drawing._family_of(letter)
    if family is None:
        assert drawing.undrawable([letter]) == [letter]
    else:
        path = font_manager.findfont(family)
        assert ord(letter) in font_manager.get_font(path).get_charmap()


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        ("Björk", 10_000, ("Björk",)),
        ("Megan Thee Stallion", 90, ("Megan Thee", "Stallion")),
        ("新しい学校のリーダーズ", 60, ("新しい学", "校のリー", "ダーズ")),
        ("ABCDEFGH", 30, ("ABC", "DEF", "GH")),
        ("e\u0301\u0301te\u0301", 12, ("e\u0301\u0301", "t", "e\u0301")),
    ],
)
def test_names_are_broken_between_words_and_else_between_letters(text, room, lines):
    assert wrapped(text, room, 12) == lines


def test_only_so_many_days_are_drawn_if_that_is_asked():
    assert [day.date for day in timeline(ROWS, days=1).days] == ["2025-07-12"]
