"""What a new version of a lineup changed, told and drawn."""

from types import SimpleNamespace

from festival.analysis.changes import changes_frame, changes_picture, files_frame
from festival.ingest.ledger.reconciliations import Removal
from festival.ingest.reconcile.compare import Change, ChangeKind, Listing, compare
from festival.lineup.model import Performance

BJORK = Performance("Björk", "Main Stage", "2025-07-12", 1290, 1380, 97, 2)
MITSKI = Performance("Mitski", "Tent", "2025-07-12", 1200, 1260, 80, 3)
CARIBOU = Performance("Caribou", "Tent", "2025-07-12", 1300, 1360, None, 4)
LATER = BJORK._replace(start=1320, end=1410)
SUNDAY = MITSKI._replace(date="2025-07-13", stage="Main Stage")


def listing(version, *rows):
    return Listing(version, {row.key: row for row in rows})


COMPARISON = compare(
    [listing("v1", BJORK, MITSKI, CARIBOU)],
    listing("v2", LATER, SUNDAY, BJORK._replace(performer="New Kid")),
)


def test_a_moved_performance_tells_where_it_was_where_it_is_and_how_much_later():
    rows = {row["performer"]: row for row in changes_frame(COMPARISON.changes).to_dict("records")}
    assert rows["Björk"]["was"] == "2025-07-12 21:30-23:00 Main Stage (97)"
    assert rows["Björk"]["is"] == "2025-07-12 22:00-23:30 Main Stage (97)"
    assert rows["Björk"]["minutes later"] == 30
    assert rows["Mitski"]["minutes later"] == 24 * 60


def test_what_was_cancelled_is_nowhere_and_what_was_added_was_nowhere():
    frame = changes_frame(COMPARISON.changes).set_index("performer")
    assert frame.loc["Caribou", "is"] == ""
    assert frame.loc["New Kid", "was"] == ""
    assert frame["minutes later"].isna().tolist().count(True) == 2


def words_of(*changes):
    """What stands beside each row of the picture, its day's heading left out."""
    (axes,) = changes_picture(changes, "a.csv").axes
    return [text.get_text().strip() for text in axes.texts if ":" in text.get_text()]


def test_each_change_has_a_row_of_its_own_under_its_day():
    (axes,) = changes_picture(COMPARISON.changes, "uploads/a.csv").axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["Mitski", "Björk", "Caribou", "New Kid"]
    assert axes.texts[0].get_text().strip() == "2025-07-12"
    assert axes.get_title(loc="left") == "uploads/a.csv: 2 moved, 1 cancelled, 1 added"


def test_old_and_new_stand_beside_each_row_in_words():
    assert words_of(*COMPARISON.changes) == [
        "moved: 2025-07-12 → 2025-07-13, Tent → Main Stage",
        "moved: 21:30 → 22:00",
        "cancelled: 21:40 Tent",
        "added: 21:30 Main Stage",
    ]


def test_another_length_and_another_popularity_are_said_too():
    longer = BJORK._replace(end=1395, popularity=None)
    assert words_of(Change(ChangeKind.CHANGED, BJORK, longer)) == [
        "changed: until 23:00 → 23:15, popularity 97 → none"
    ]
    earlier = BJORK._replace(start=1260)
    assert words_of(Change(ChangeKind.MOVED, BJORK, earlier)) == [
        "moved: 21:30 → 21:00, until 23:00 → 23:00"
    ]


def test_a_picture_of_many_changes_draws_the_first_forty():
    rows = [BJORK._replace(performer=f"Band {number}") for number in range(50)]
    comparison = compare([listing("v1", *rows)], listing("v2"))
    (axes,) = changes_picture(comparison.changes, "a").axes
    assert axes.get_title(loc="left") == "a: 50 cancelled (the first 40 are drawn)"
    assert len(axes.get_yticklabels()) == 40


def test_a_long_name_leaves_room_for_the_bars():
    name = "The Global Education Center's Orchestra of Everything"
    (axes,) = changes_picture(
        [Change(ChangeKind.CANCELLED, BJORK._replace(performer=name))], "a"
    ).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"{name[:35]}…"]


def test_nothing_changed_is_an_empty_picture_and_an_empty_frame():
    assert changes_frame([]).empty
    assert changes_picture([], "a").axes[0].get_title(loc="left") == "a: nothing changed"


def test_a_file_is_counted_by_kind_beside_what_becomes_of_its_items():
    review = SimpleNamespace(file="uploads/a.csv", comparison=COMPARISON)
    (row,) = files_frame([(review, Removal(removed=3, kept=1))]).to_dict("records")
    assert row == {
        "file": "uploads/a.csv",
        "moved": 2,
        "cancelled": 1,
        "changed": 0,
        "added": 1,
        "removed": 3,
        "kept": 1,
        "gone before": 0,
    }
