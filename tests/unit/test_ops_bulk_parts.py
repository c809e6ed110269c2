"""Rows dealt out to the objects of a bulk load: every key once, the last one wins, none is lost."""

import gzip
import io
import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from festival.lineup.model import Performance
from festival.ops.bulk_parts import (
    MOST_PARTS,
    Line,
    Parts,
    PartWriter,
    last_of_each_key,
    part_count,
    part_of,
    read_lines,
    write_part,
)
from festival.table.item import to_item

BJORK = Performance("Björk", "Orange", "2025-07-04", 1290, 1380, 97, 2)
NOBODY = Performance("Dj Nobody", "Tent", "2025-07-04", 1500, 1560, None, 3)

rows = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.builds(
            Performance,
            st.sampled_from(["Björk", "Sigur Rós", "1914"]),
            st.just("Orange"),
            st.just("2025-07-04"),
            st.sampled_from([1200, 1290]),
            st.integers(1300, 1400),
            st.none(),
            st.integers(1, 9),
        ),
    ),
    max_size=30,
)


@given(rows)
def test_the_last_row_of_the_last_file_wins_in_whatever_order_files_are_read(pairs):
    in_order = sorted(pairs, key=lambda pair: pair[0])
    expected = {row.key: (number, row) for number, row in in_order}
    found = last_of_each_key(pairs)
    assert {line.performance.key: (line.number, line.performance) for line in found} == expected
    for line in found:
        files = {number for number, row in pairs if row.key == line.performance.key}
        assert line.losers == files - {line.number}


@given(st.integers(0, 10**15))
def test_a_load_of_any_size_has_objects_that_dynamodb_takes(size):
    parts = part_count(size)
    assert 1 <= parts <= MOST_PARTS <= 50_000
    if size * 8 <= MOST_PARTS * 5 * 1024**3:
        assert size * 8 / parts <= 5 * 1024**3


def test_a_small_load_is_one_object_and_a_gigabyte_is_many():
    assert part_count(2_000) == 1
    assert part_count(1024**3) == 128


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 5000))
def test_a_key_is_always_in_the_same_part(performer, sort_key, parts):
    assert 0 <= part_of(performer, sort_key, parts) < parts
    assert part_of(performer, sort_key, parts) == part_of(performer, sort_key, parts)


def test_keys_spread_evenly_over_the_parts():
    sizes = [0] * 8
    for number in range(8_000):
        sizes[part_of("Björk", f"2025-07-04#20:{number:05d}#Orange", 8)] += 1
    assert min(sizes) > 800
    assert max(sizes) < 1_200


def test_rows_come_back_from_disk_as_they_were_and_in_the_order_of_their_file(tmp_path):
    parts = Parts(tmp_path, 1)
    PartWriter(parts, 4).put([BJORK, NOBODY])
    PartWriter(parts, 2).put([BJORK])
    assert list(parts.rows(0)) == [(4, BJORK), (4, NOBODY), (2, BJORK)]


def test_rows_of_several_threads_never_mix_and_none_is_lost(tmp_path):
    parts = Parts(tmp_path, 3)

    def read(number):
        for minute in range(400):
            PartWriter(parts, number).put([BJORK._replace(start=minute, line=minute + 1)])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(read, range(4)))
    found = [pair for part in range(3) for pair in parts.rows(part)]
    assert len(found) == 1600
    assert len(set(found)) == 1600


def test_nothing_is_refused_before_dynamodb_has_seen_it(tmp_path):
    writer = PartWriter(Parts(tmp_path, 1), 0)
    outcome = writer.flush()
    assert (outcome.rejections, outcome.unwritten, writer.stopped) == ((), (), "")


def test_an_object_has_the_items_that_every_other_way_in_writes():
    lines = [Line(0, BJORK), Line(1, NOBODY, frozenset({0}))]
    items, index = io.BytesIO(), io.BytesIO()
    write_part(lines, ["up/a.csv", "up/b.csv"], items, index)
    text = gzip.decompress(items.getvalue()).decode()
    assert text.count("\n") == 2
    found = [json.loads(line)["Item"] for line in text.splitlines()]
    index.seek(0)
    places = list(read_lines(index))
    by_line = {places[n][1]: (found[n], places[n]) for n in range(2)}
    assert by_line[2] == (to_item(BJORK, source="up/a.csv"), [0, 2])
    assert by_line[3] == (to_item(NOBODY, source="up/b.csv"), [1, 3, 0])


def test_neighbouring_keys_are_shuffled():
    lines = [Line(0, BJORK._replace(start=minute, line=minute)) for minute in range(1000)]
    items, index = io.BytesIO(), io.BytesIO()
    write_part(lines, ["a.csv"], items, index)
    index.seek(0)
    order = [line for _, line in read_lines(index)]
    assert sorted(order) == list(range(1000))
    follow = sum(after == before + 1 for before, after in pairwise(order))
    assert follow < 20
