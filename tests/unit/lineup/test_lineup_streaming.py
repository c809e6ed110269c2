"""The same rows however the bytes arrive, from wherever reading goes on, whatever they are."""

import gzip
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from festival.lineup.decode import Limits
from festival.lineup.fields.text import Memo
from festival.lineup.model import Position
from tests.lineup_reading import HEADER, Reading, csv_of, read, row

SMALL = Limits(record_bytes=150, record_lines=6, block_bytes=40, block_rows=3)

cells = st.text(st.sampled_from('aé"\n\r, ;😀\u200b\x00'), max_size=6)
wild_lines = st.sampled_from(
    [
        row(),
        row('"Tyler, The Creator"'),
        row('"The\nBand"'),
        row('"Weird" Al'),
        row('"Open'),
        row(stage='Shut"'),
        row("Sigur Rós", end="1am"),
        row(start="TBA"),
        row() + ",more",
        ",,,,",
        "",
        '"',
        '""',
        'a","',
        '"a\r\n\r\nb',
        "x" * 200,
        "ÿ" * 90,
    ]
)
line_ends = st.sampled_from(["\n", "\r\n", "\r", "\n\n"])
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    header = draw(st.sampled_from([HEADER, HEADER.replace(",", ";"), '"Perf', HEADER + ",Notes"]))
    lines = draw(st.lists(st.one_of(wild_lines, cells), max_size=12))
    text = draw(line_ends).join([header, *lines]) + draw(st.sampled_from(["", "\n", "\r"]))
    return text.encode(draw(encodings), "replace")


@st.composite
def json_files(draw: st.DrawFn) -> bytes:
    good = {"Performer": "É", "Stage": "S", "Date": "2025-06-12", "Start": 2000, "End": "9pm"}
    elements = st.one_of(
        st.just(good),
        st.just({**good, "Performer": "x" * 200}),
        st.just({**good, "Start": "8"}),
        st.integers(),
        st.text(max_size=3),
        st.just({}),
        st.just([[[]]]),
    )
    rows = draw(st.lists(elements, max_size=8))
    ascii_only = draw(st.booleans())
    if draw(st.booleans()):
        text = json.dumps(rows, ensure_ascii=ascii_only, indent=draw(st.sampled_from([None, 2])))
    else:
        text = draw(line_ends).join(json.dumps(each, ensure_ascii=ascii_only) for each in rows)
    return text.encode(draw(encodings), "replace")


@st.composite
def damaged(draw: st.DrawFn, files: st.SearchStrategy[bytes]) -> bytes:
    """A file as it is, cut short, overwritten in a place, packed, or packed and then damaged."""
    data = draw(files)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        way = draw(st.sampled_from(["cut", "write", "pack"]))
        if way == "cut":
            data = data[:place]
        elif way == "write":
            data = data[:place] + draw(st.binary(max_size=3)) + data[place + 1 :]
        else:
            data = gzip.compress(data, mtime=0)
    return data


any_file = damaged(st.one_of(csv_files(), json_files()))


@given(any_file, st.integers(1, 60))
def test_any_file_chopped_at_any_size_gives_the_same_rows(data, size):
    assert read(data, size, limits=SMALL).rows() == read(data, limits=SMALL).rows()


@given(any_file, st.integers(1, 60))
def test_reading_on_from_the_end_of_any_block_gives_exactly_the_rest(data, size):
    reading = read(data, limits=SMALL)
    for index, block in enumerate(reading.blocks):
        end = Position.from_dict(json.loads(json.dumps(block.end.to_dict())))
        rest = read(data[end.offset :], size, start=end, limits=SMALL)
        assert rest.rows() == Reading(reading.blocks[index + 1 :], reading.error).rows()


@given(st.one_of(st.binary(max_size=300), any_file))
@example(b"Performer,Stage,Date,Start,End\r")
@example(b"[{]")
@example(b'{"a":[}')
@example(b"\xff\xfe")
@example(b"\x1f\x8b\x08")
def test_whatever_the_bytes_are_the_only_error_is_one_printable_line(data):
    reading = read(data, limits=SMALL)
    assert reading.error.isprintable()
    for block in reading.blocks:
        assert block.read == len(block.performances) + len(block.rejections)
    for each in [*reading.rejections, *reading.warnings]:
        assert each.value.isprintable()
        assert each.reason.isprintable()
        assert len(each.value) <= 1_000
    if not reading.error:
        assert reading.performances or reading.rejections


@given(st.lists(st.one_of(wild_lines, cells), max_size=8), st.data())
def test_no_good_row_is_lost_whatever_stands_before_and_behind_it(lines, data):
    """A plain row is always kept: no quote of another line can take it in."""
    place = data.draw(st.integers(0, len(lines)))
    good = row("Here I Am")
    text = csv_of(*lines[:place], good, *lines[place:])
    assert "Here I Am" in read(text).names


@given(any_file)
def test_the_lines_of_rows_only_ever_rise(data):
    reading = read(data, limits=SMALL)
    lines = [each.line for each in reading.performances]
    assert lines == sorted(set(lines))
    for block in reading.blocks:
        both = {each.line for each in block.performances} & {x.line for x in block.rejections}
        assert not both


@pytest.mark.parametrize("size", [1 << 12, 1 << 20])
def test_a_large_file_comes_in_blocks_of_some_thousand_rows(size):
    text = csv_of(*(row(f"Band {number}", popularity="50") for number in range(20_000)))
    reading = read(text, size)
    assert len(reading.performances) == 20_000
    sizes = [block.read for block in reading.blocks[:-1]]
    assert all(1_000 <= each <= 4_096 for each in sizes)
    array = json.dumps([{"Performer": "A", "Stage": "S"}] * 10_000)
    assert all(block.read <= 4_096 for block in read(array, size).blocks)


def test_tiny_lines_do_not_make_huge_blocks():
    reading = read(csv_of(*["x"] * 50_000))
    assert max(block.read for block in reading.blocks) <= 4_096
    assert len(reading.rejections) == 50_000


def test_the_offset_of_a_block_is_the_byte_of_the_object_behind_it():
    text = csv_of(row("Sigur Rós"), row("Abba"), row("Pulp"))
    reading = read("\ufeff" + text, limits=Limits(block_rows=1, block_bytes=1))
    data = ("\ufeff" + text).encode()
    tails = [data[block.end.offset :].decode() for block in reading.blocks]
    assert tails == [f"{row('Abba')}\n{row('Pulp')}\n", f"{row('Pulp')}\n", ""]
    assert [block.end.line for block in reading.blocks] == [3, 4, 5]


def test_an_error_of_the_source_is_not_taken_for_the_end_of_the_file():
    from festival.lineup.read import read_lineup

    def chunks():
        yield csv_of(row()).encode()
        raise ConnectionError("the line broke")

    with pytest.raises(ConnectionError):
        list(read_lineup(chunks()))


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_a_line_end_that_is_cut_in_two_is_one_line_end(ending):
    rows = ["x", row("Sigur Rós"), "", row("Pulp")]
    text = csv_of(*rows).replace("\n", ending)
    for block_bytes in range(1, 90):
        reading = read(text, 1, limits=Limits(block_bytes=block_bytes))
        assert [each.line for each in reading.performances] == [3, 5]
        assert [each.line for each in reading.rejections] == [2]


@pytest.mark.parametrize("shape", ["csv", "json", "jsonl"])
def test_that_a_file_is_utf8_is_known_in_every_later_block(shape):
    names = ["Abba", "Sigur Rós", "Blur", "Bj?rk"]
    cells = {"Stage": "S", "Date": "2025-06-12", "Start": "8pm", "End": "9pm"}
    objects = [json.dumps({"Performer": n, **cells}, ensure_ascii=False) for n in names]
    texts = {
        "csv": csv_of(*map(row, names)),
        "json": "[" + ",".join(objects) + "]",
        "jsonl": "\n".join(objects),
    }
    data = texts[shape].encode().replace(b"?", b"\xf6")
    limits = Limits(block_bytes=10, block_rows=1)
    reading = read(data, limits=limits)
    assert reading.names == names[:3]
    assert len(reading.rejections) == 1
    end = reading.blocks[-2].end
    assert end.seen_multibyte
    assert len(read(data[end.offset :], start=end, limits=limits).rejections) == 1


def test_json_lines_longer_than_a_block_are_json_lines():
    cells = {"Stage": "S", "Date": "2025-06-12", "Start": "8pm", "End": "9pm"}
    text = "\n".join(json.dumps({"Performer": name, **cells}) for name in ("Abba", "Pulp"))
    assert read(text, limits=Limits(block_bytes=10)).names == ["Abba", "Pulp"]


@pytest.mark.parametrize("block_rows", [1, 2, 3, 5])
def test_a_record_over_lines_is_whole_wherever_a_block_would_end(block_rows):
    text = csv_of(row(), row('"The\nvery\nlong\nBand"'), row("Pulp"), row('"Blur\nred"'))
    reading = read(text, limits=Limits(block_rows=block_rows))
    assert reading.names == ["Abba", "The very long Band", "Pulp", "Blur red"]


def test_what_is_remembered_is_bounded_in_number_and_length():
    memo = Memo(str.upper, bound=10)
    assert memo["x" * 1_000] == "X" * 1_000
    assert len(memo) == 0
    assert [memo[str(number)] for number in range(25)] == [str(number) for number in range(25)]
    assert len(memo) <= 10
