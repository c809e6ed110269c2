"""What a new version of a lineup changed, and what of the older ones is stale. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from festival.ingest.ledger.reconciliations import Removal
from festival.ingest.reconcile.compare import (
    Change,
    ChangeKind,
    Comparison,
    Listing,
    TooManyStaleError,
    compare,
    guard,
    place_and_time,
    stale_performers,
)
from festival.ingest.reconcile.on_upload import CHANGES_SHOWN, refused_note, removed_note
from festival.ingest.reports_bucket import corrected_name, is_corrections, rows_by_key
from festival.lineup.model import Performance

FRIDAY, SATURDAY = "2025-07-11", "2025-07-12"


def at(performer, clock, *, stage="Main Stage", date=SATURDAY, minutes=60, popularity=None, line=1):
    hour, minute = clock.split(":")
    start = 60 * int(hour) + int(minute)
    return Performance(performer, stage, date, start, start + minutes, popularity, line)


def version(name, *rows, settled=True):
    return Listing(name, rows_by_key(rows), settled)


def changes(older, newest):
    return compare([version("v1", *older)], version("v2", *newest)).changes


BJORK, SAULT, SONS = at("Björk", "20:00"), at("Sault", "21:30"), at("Sons of Kemet", "17:00")


class TestCompare:
    def test_the_first_version_of_a_file_changes_nothing(self):
        assert compare([], version("v1", BJORK, SAULT)) == Comparison()

    def test_the_same_lineup_again_changes_nothing(self):
        assert changes([BJORK, SAULT], [SAULT, BJORK]) == ()

    def test_a_performance_that_was_not_there_is_added(self):
        assert changes([BJORK], [BJORK, SAULT]) == (Change(ChangeKind.ADDED, None, SAULT),)

    def test_a_performance_that_is_not_there_any_more_is_cancelled(self):
        assert changes([BJORK, SAULT], [BJORK]) == (Change(ChangeKind.CANCELLED, SAULT, None),)

    def test_another_start_is_a_move_and_not_a_cancellation(self):
        later = at("Björk", "21:00")
        assert changes([BJORK], [later]) == (Change(ChangeKind.MOVED, BJORK, later),)

    @pytest.mark.parametrize(
        "new",
        [
            at("Björk", "20:00", stage="Le Chapiteau"),
            at("Björk", "20:00", date=FRIDAY),
            at("Björk", "23:30", stage="Le Chapiteau", date=FRIDAY),
        ],
    )
    def test_another_stage_or_day_is_a_move(self, new):
        assert changes([BJORK], [new]) == (Change(ChangeKind.MOVED, BJORK, new),)

    def test_somebody_else_at_the_same_time_is_no_move(self):
        stand_in = at("Kelela", "20:00")
        assert changes([BJORK], [stand_in]) == (
            Change(ChangeKind.CANCELLED, BJORK),
            Change(ChangeKind.ADDED, None, stand_in),
        )

    @pytest.mark.parametrize("new", [BJORK._replace(end=1320), BJORK._replace(popularity=97)])
    def test_another_end_or_popularity_is_a_change_under_the_same_key(self, new):
        assert changes([BJORK], [new]) == (Change(ChangeKind.CHANGED, BJORK, new),)

    def test_another_line_alone_is_no_change(self):
        assert changes([BJORK], [BJORK._replace(line=77)]) == ()

    def test_the_nearest_in_time_is_where_a_performance_moved(self):
        noon, evening = at("The Paper Lanterns", "12:00"), at("The Paper Lanterns", "19:00")
        new_evening, new_noon = at("The Paper Lanterns", "19:30"), at("The Paper Lanterns", "12:15")
        assert changes([noon, evening], [new_evening, new_noon]) == (
            Change(ChangeKind.MOVED, noon, new_noon),
            Change(ChangeKind.MOVED, evening, new_evening),
        )

    def test_a_time_around_midnight_is_near(self):
        before, after = at("Zsófia Éjfél", "23:45", date=FRIDAY), at("Zsófia Éjfél", "00:15")
        far = at("Zsófia Éjfél", "14:00", date=FRIDAY)
        assert Change(ChangeKind.MOVED, before, after) in changes([before], [far, after])

    def test_the_same_stage_is_preferred_among_times_alike(self):
        elsewhere = at("Björk", "20:30", stage="Le Chapiteau")
        here = at("Björk", "22:00")
        assert Change(ChangeKind.MOVED, BJORK, here) in changes([BJORK], [elsewhere, here])

    def test_two_performances_that_swap_their_stages_moved_by_little(self):
        friday = at("Björk", "20:00", date=FRIDAY)
        saturday = at("Björk", "18:00", stage="Le Chapiteau")
        new_friday = at("Björk", "20:15", stage="Le Chapiteau", date=FRIDAY)
        new_saturday = at("Björk", "18:10")
        assert changes([friday, saturday], [new_friday, new_saturday]) == (
            Change(ChangeKind.MOVED, friday, new_friday),
            Change(ChangeKind.MOVED, saturday, new_saturday),
        )

    def test_one_new_place_takes_one_of_two(self):
        matinee, new = at("Björk", "15:00"), at("Björk", "21:00")
        assert changes([matinee, BJORK], [new]) == (
            Change(ChangeKind.CANCELLED, matinee),
            Change(ChangeKind.MOVED, BJORK, new),
        )

    def test_a_second_performance_that_stays_is_not_where_the_first_moved(self):
        matinee = at("Björk", "15:00")
        assert changes([matinee, BJORK], [BJORK]) == (Change(ChangeKind.CANCELLED, matinee),)

    def test_changes_come_in_the_order_of_time(self):
        late, early = at("Sault", "23:00", date=FRIDAY), at("Sons of Kemet", "11:00")
        found = changes([BJORK, late, early], [])
        assert [change.performance for change in found] == [late, early, BJORK]

    def test_what_only_an_earlier_version_had_is_stale_too(self):
        found = compare([version("v1", SONS), version("v2", BJORK)], version("v3", BJORK))
        assert found.stale == (SONS,)
        assert found.changes == (Change(ChangeKind.CANCELLED, SONS),)

    def test_a_move_of_two_versions_ago_is_still_a_move(self):
        later = at("Björk", "21:00")
        found = compare([version("v1", BJORK), version("v2", later)], version("v3", later, SAULT))
        assert found.changes == (
            Change(ChangeKind.MOVED, BJORK, later),
            Change(ChangeKind.ADDED, None, SAULT),
        )

    def test_a_performance_that_comes_back_is_added_and_not_stale(self):
        found = compare([version("v1", BJORK), version("v2", SAULT)], version("v3", BJORK, SAULT))
        assert found.stale == ()
        assert found.changes == (Change(ChangeKind.ADDED, None, BJORK),)

    def test_what_is_new_is_told_by_the_last_version_that_was_ingested_whole(self):
        half = version("v2", SONS, settled=False)
        found = compare([version("v1", BJORK, SAULT), half], version("v3", BJORK, SAULT))
        assert found.changes == (Change(ChangeKind.CANCELLED, SONS),)
        assert found.before == 2

    def test_a_performer_with_hundreds_of_performances_is_compared_in_no_time(self):
        def dj(minute):
            return at("DJ", f"{minute // 60:02d}:{minute % 60:02d}", minutes=1)

        found = changes([dj(2 * n) for n in range(700)], [dj(2 * n + 1) for n in range(700)])
        assert {change.kind for change in found} == {ChangeKind.MOVED}
        assert len(found) == 700

    rows = st.lists(
        st.builds(
            Performance,
            st.sampled_from(["Björk", "Sault", "DJ"]),
            st.sampled_from(["Main Stage", "Le Chapiteau"]),
            st.sampled_from([FRIDAY, SATURDAY]),
            st.integers(0, 6).map(lambda n: 240 * n),
            st.integers(1500, 1502),
            st.sampled_from([None, 1, 97]),
            st.just(1),
        ),
        max_size=12,
    )

    @given(st.lists(rows, min_size=1, max_size=3), rows)
    def test_every_row_is_accounted_for_once(self, older, new):
        versions = [version(f"v{n}", *rows) for n, rows in enumerate(older)]
        newest = version("new", *new)
        found = compare(versions, newest)
        had = {key for each in versions for key in each.rows}
        assert {row.key for row in found.stale} == had - newest.rows.keys()
        leaving = [
            c.old.key for c in found.changes if c.kind in (ChangeKind.MOVED, ChangeKind.CANCELLED)
        ]
        assert sorted(leaving) == [row.key for row in found.stale]
        arriving = [c.new for c in found.changes if c.kind in (ChangeKind.MOVED, ChangeKind.ADDED)]
        assert len(set(arriving)) == len(arriving)
        assert {row.key for row in arriving} >= newest.rows.keys() - versions[-1].rows.keys()
        assert all(newest.rows[row.key] == row for row in arriving)
        for change in found.changes:
            if change.old and change.new:
                assert change.old.performer == change.new.performer

    @given(st.lists(rows, min_size=1, max_size=3), rows)
    def test_who_is_stale_is_found_in_flat_memory_as_well(self, older, new):
        found = compare([version("v", *rows) for rows in older], version("new", *new))
        seen = stale_performers(new, [row for rows in older for row in rows], 99)
        assert seen == {row.performer for row in found.stale}


def test_rows_of_one_key_keep_the_last_line_in_whatever_order_they_are_read():
    first, last = at("Björk", "20:00", minutes=45, line=5), at("Björk", "20:00", line=900)
    assert rows_by_key([first, last]) == rows_by_key([last, first]) == {BJORK.key: last}


class TestGuard:
    def test_as_much_as_the_guard_allows_may_go(self):
        guard(3, 10, 30)

    def test_one_more_may_not(self):
        with pytest.raises(TooManyStaleError, match=r"4 of 10 performances would go, .* 30%"):
            guard(4, 10, 30)

    def test_a_guard_of_nothing_lets_nothing_go_and_one_of_all_everything(self):
        guard(10, 10, 100)
        with pytest.raises(TooManyStaleError):
            guard(1, 1000, 0)

    def test_too_many_for_memory_are_noticed_while_they_are_read(self):
        stream = (at("DJ", "10:00", stage=f"Stage {n}") for n in range(10**9))
        with pytest.raises(TooManyStaleError, match="more than 100 performances"):
            stale_performers([BJORK], stream, 100)

    def test_a_key_of_two_older_versions_counts_once(self):
        assert stale_performers([SAULT], [BJORK, SAULT, BJORK, BJORK], 1) == {"Björk"}


class TestNote:
    later = at("Björk", "21:00", stage="Le Chapiteau")

    def test_it_says_what_went_and_where_it_is_now(self):
        found = compare([version("v1", BJORK, SAULT)], version("v2", self.later))
        lines = removed_note(found, Removal(removed=1, gone=1), 0).splitlines()
        assert lines[0].startswith("Removed: 2 performances")
        assert "(1 moved, 1 cancelled)" in lines[0]
        assert lines[1:] == [
            "  moved Björk: 2025-07-12 20:00-21:00 Main Stage -> 2025-07-12 21:00-22:00 "
            "Le Chapiteau",
            "  cancelled Sault: 2025-07-12 21:30-22:30 Main Stage",
        ]

    def test_it_shows_twenty_and_counts_the_others(self):
        rows = [at("DJ", "10:00", stage=f"Stage {n:02d}") for n in range(CHANGES_SHOWN + 3)]
        lines = removed_note(compare([version("v1", *rows)], version("v2")), Removal(23), 0)
        assert len(lines.splitlines()) == 1 + CHANGES_SHOWN + 1
        assert lines.endswith("... and 3 more")

    def test_it_says_what_stays_because_another_file_has_it(self):
        found = compare([version("v1", BJORK, SAULT)], version("v2", BJORK))
        assert "1 of them stay" in removed_note(found, Removal(kept=1), 0)

    def test_it_warns_where_rows_were_rejected(self):
        found = compare([version("v1", BJORK, SAULT)], version("v2", BJORK))
        assert "rejected counts as cancelled" in removed_note(found, Removal(1), 2)
        assert "rejected" not in removed_note(found, Removal(1), 0)

    def test_it_is_silent_where_nothing_was_stale(self):
        found = compare([version("v1", BJORK)], version("v2", BJORK, SAULT))
        assert removed_note(found, Removal(), 0) == ""

    def test_a_name_with_a_line_break_cannot_write_into_the_mail(self):
        evil = replace_performer(BJORK, "Björk\nStatus: success")
        found = compare([version("v1", evil)], version("v2"))
        assert "\nStatus" not in removed_note(found, Removal(1), 0)
        assert "\nStatus" not in refused_note("b/x\nStatus: success.csv", "a\nStatus: b")

    def test_a_refusal_names_the_reason_and_the_command(self):
        text = refused_note("upload/summer.csv", "7 of 10 performances would go")
        assert "7 of 10 performances would go" in text
        assert "`festival reconcile`" in text
        assert "s3://upload/summer.csv" in text


def replace_performer(row, performer):
    return row._replace(performer=performer)


def test_a_night_is_told_by_the_clock_on_the_wall():
    assert place_and_time(at("Vantablack Disco", "23:30", minutes=120)) == (
        "2025-07-12 23:30-01:30 Main Stage"
    )


@pytest.mark.parametrize("key", ["summer.csv", "a/b/summer.2025.csv.gz", "Łódź.json"])
def test_corrections_are_known_by_their_name(key):
    assert is_corrections(corrected_name(key, "v1"))
    assert not is_corrections(key)
    assert not is_corrections("corrections.csv")
