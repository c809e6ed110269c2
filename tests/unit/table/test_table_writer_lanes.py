"""Rows in lanes: full batches first, and never two rows of a key on their way in two batches."""

from hypothesis import given
from hypothesis import strategies as st

from festival.lineup.model import Performance
from festival.table.writer import Lanes


def row(performer, line=0):
    return Performance(performer, "Park", "2024-06-28", line % 1440, line % 1440 + 60, None, line)


def test_a_lane_waits_for_a_full_batch():
    lanes = Lanes(4)
    lanes.add([row("Elbow", line) for line in range(24)])
    assert lanes.take(partial=False) is None
    lanes.add([row("Elbow", 24)])
    load = lanes.take(partial=False)
    assert load is not None
    assert [taken.line for taken in load.rows] == list(range(25))


def test_a_lane_with_rows_on_their_way_is_held_until_they_are_settled():
    lanes = Lanes(4)
    lanes.add([row("Elbow", line) for line in range(50)])
    load = lanes.take(partial=False)
    assert load is not None
    assert lanes.take(partial=True) is None
    lanes.give_back(load)
    following = lanes.take(partial=False)
    assert following is not None
    assert following.rows[0].line == 25


def test_a_small_file_goes_in_as_few_batches_as_it_can():
    lanes = Lanes(16)
    lanes.add([row(f"Artist {number}", number) for number in range(60)])
    loads = []
    while load := lanes.take(partial=True):
        loads.append(len(load.rows))
    assert sum(loads) == 60
    assert len(loads) <= 4


def test_what_is_drained_no_longer_waits():
    lanes = Lanes(2)
    lanes.add([row("Elbow", line) for line in range(30)])
    assert len(lanes.drain()) == 30
    assert lanes.waiting == 0
    assert lanes.take(partial=True) is None


@given(st.lists(st.lists(st.integers(0, 6), max_size=60), max_size=8), st.data())
def test_every_row_leaves_once_and_in_the_order_of_its_key(puts, data):
    lanes, line, sent, held = Lanes(3), 0, [], []
    for performers in puts:
        rows = []
        for performer in performers:
            line += 1
            rows.append(row(str(performer), line))
        lanes.add(rows)
        for _ in range(data.draw(st.integers(0, 4))):
            if held and data.draw(st.booleans()):
                lanes.give_back(held.pop(0))
            elif load := lanes.take(partial=data.draw(st.booleans())):
                assert 1 <= len(load.rows) <= 25
                sent += load.rows
                held.append(load)
    while held or lanes.waiting:
        for load in held:
            lanes.give_back(load)
        held = []
        while load := lanes.take(partial=True):
            sent += load.rows
            held.append(load)
    assert sorted(taken.line for taken in sent) == list(range(1, line + 1))
    for performer in range(7):
        lines = [taken.line for taken in sent if taken.performer == str(performer)]
        assert lines == sorted(lines)
