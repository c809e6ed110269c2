"""What a person wants to see in a lineup before the gates open."""

import pytest

from festival.analysis import findings
from festival.analysis.findings import find_all
from festival.lineup.model import Performance


def performance(performer, stage, start, end, *, date="2025-07-12", popularity=80):
    return Performance(performer, stage, date, start, end, popularity, 2)


def kinds(rows):
    return [finding.kind for finding in find_all(rows)]


def alike(one, other):
    rows = [performance(one, "Tent", 600, 660), performance(other, "Tent", 700, 760)]
    return [finding.what for finding in find_all(rows) if finding.kind == findings.ALIKE]


def test_a_clean_day_has_no_finding():
    rows = [
        performance("Björk", "Main Stage", 1200, 1290),
        performance("Sigur Rós", "Main Stage", 1290, 1380),
        performance("Mitski", "River Stage", 1200, 1290),
    ]
    assert find_all(rows) == []


def test_two_performances_overlap_on_one_stage():
    first = performance("Björk", "Main Stage", 1200, 1300)
    second = performance("Mitski", "Main Stage", 1290, 1350)
    (finding,) = find_all([second, first])
    assert finding.kind == findings.OVERLAP
    assert finding.performances == (first, second)
    assert finding.what == (
        "Main Stage: Mitski (2025-07-12 21:30–22:30) begins before "
        "Björk (2025-07-12 20:00–21:40) has ended"
    )


@pytest.mark.parametrize(("begins", "found"), [(1289, True), (1290, False)])
def test_a_single_minute_is_an_overlap_and_none_is_not(begins, found):
    rows = [
        performance("Björk", "Main Stage", 1200, 1290),
        performance("Mitski", "Main Stage", begins, 1350),
    ]
    assert (kinds(rows) == [findings.OVERLAP]) is found


@pytest.mark.parametrize(("begins", "found"), [(1289, True), (1290, False)])
def test_a_single_minute_on_two_stages_is_too_much_for_one_performer(begins, found):
    rows = [
        performance("Björk", "Main Stage", 1200, 1290),
        performance("Björk", "River Stage", begins, 1350),
    ]
    assert (findings.TWO_PLACES in kinds(rows)) is found


def test_a_set_past_midnight_overlaps_the_next_days_early_one():
    night = performance("Burial", "Tent", 1380, 1600)
    morning = performance("Four Tet", "Tent", 60, 120, date="2025-07-13")
    assert findings.OVERLAP in kinds([morning, night])


def test_a_long_set_overlaps_each_of_the_short_ones_within_it():
    whole = performance("House DJ", "Tent", 600, 820)
    inside = [
        performance(f"Guest {letter}", "Tent", at, at + 20)
        for letter, at in zip("ABC", (610, 640, 700), strict=True)
    ]
    assert kinds([whole, *inside]).count(findings.OVERLAP) == 3


def test_one_performer_cannot_be_on_two_stages():
    rows = [
        performance("Björk", "Main Stage", 1200, 1290),
        performance("Björk", "Tent", 1260, 1320),
    ]
    (finding,) = find_all(rows)
    assert finding.kind == findings.TWO_PLACES
    assert "Main Stage" in finding.what
    assert "Tent" in finding.what


def test_one_performer_may_play_twice_in_a_day():
    rows = [
        performance("Björk", "Main Stage", 1200, 1290),
        performance("Björk", "Tent", 1290, 1320),
    ]
    assert find_all(rows) == []


def test_long_and_zero_length_performances_are_seen():
    rows = [
        performance("Marathon", "Tent", 600, 841),
        performance("Ghost", "River Stage", 900, 900),
    ]
    assert kinds(rows) == [findings.LONG, findings.ZERO]
    assert find_all(rows)[0].what.endswith("lasts 4 h 01 min")


def test_a_zero_length_performance_between_two_others_overlaps_neither():
    rows = [
        performance("Before", "Tent", 600, 660),
        performance("Ghost", "Tent", 660, 660),
        performance("After", "Tent", 660, 720),
    ]
    assert kinds(rows) == [findings.ZERO]


def test_a_start_in_the_small_hours_asks_which_night_is_meant():
    rows = [performance("Caribou", "Tent", 359, 420), performance("Yoga", "Lawn", 360, 400)]
    (finding,) = find_all(rows)
    assert finding.kind == findings.EARLY
    assert "the night before 2025-07-12, or the night after?" in finding.what


def test_a_date_of_another_year_is_far_from_the_others():
    rows = [
        performance(f"Band {number}", "Tent", 600 + 60 * number, 640 + 60 * number)
        for number in range(5)
    ]
    slip = performance("Late Booking", "Tent", 600, 640, date="2052-07-12")
    (finding,) = find_all([*rows, slip])
    assert finding.kind == findings.FAR
    assert finding.what.startswith("2052-07-12 is 9,862 days from 2025-07-12")


def test_missing_popularity_is_one_finding_for_all():
    rows = [
        performance(f"Act {letter}", f"Hall {letter}", 600, 640, popularity=None)
        for letter in "ABC"
    ]
    (finding,) = find_all(rows)
    assert finding.what.startswith("3 of 3 performances")
    assert len(finding.performances) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Beyoncé", "Beyonce"),
        ("Florence + the Machine", "Florence and The Machine"),
        ("Megan Thee Stallion", "Megan The Stallion"),
        ("Radiohead", "Radioheed"),
        ("Radiohead", "Raidohead"),
        ("Radiohead", "Radiohed"),
        ("Sigur Rós", "SIGUR ROS"),
        ("The Killers", "Killers"),
        ("Die Ärzte", "Die Ärtze"),
        ("Straße", "Strasse"),
    ],
)
def test_names_one_error_apart_apart_are_alike(one, other):
    assert len(alike(one, other)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Stage 1", "Stage 2"),
        ("Stage 9", "Stage 10"),
        ("Hall A", "Hall B"),
        ("AIR", "AIM"),
        ("Blur", "Blue"),
        ("Radiohead", "Portishead"),
        ("きゃりー", "ぱみゅぱみゅ"),
        ("!!!", "???"),
    ],
)
def test_names_meant_to_differ_are_left_alone(one, other):
    assert alike(one, other) == []


def test_the_rarer_spelling_is_the_one_in_question():
    rows = [performance("Mitski", "Main Stage", at, at + 30) for at in (600, 700, 800)]
    slip = performance("Mitski", "Mian Stage", 900, 930)
    (finding,) = find_all([*rows, slip])
    assert finding.performances == (slip,)
    assert finding.what == "stage 'Mian Stage' (once), 'Main Stage' (3 times)"


def test_ten_thousand_numbered_performers_are_not_compared_with_one_another():
    rows = [
        performance(f"Performer {number:05d}", f"Stage {number % 10}", 600, 660)
        for number in range(10_000)
    ]
    comparisons = []
    original = findings._one_error_apart
    findings._one_error_apart = lambda *pair: comparisons.append(pair) or original(*pair)
    try:
        list(findings.alike("performer", rows, lambda row: row.performer))
    finally:
        findings._one_error_apart = original
    assert len(comparisons) < 10_000
