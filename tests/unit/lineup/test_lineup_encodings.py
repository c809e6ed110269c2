"""How text is told from bytes: marks, UTF-16, gzip, CP1252 as the last resort, and what is none."""

import gzip
import io
import json
import zipfile

import pytest

from festival.lineup.decode import Limits
from tests.lineup_reading import HEADER, csv_of, read, row

TEXT = csv_of(row("Sigur Rós"), row("Молчат Дома"), row("👩‍🎤"))
NAMES = ["Sigur Rós", "Молчат Дома", "👩‍🎤"]
AS_JSON = json.dumps(
    [
        {"Performer": n, "Stage": "S", "Date": "2025-06-12", "Start": "8pm", "End": "9pm"}
        for n in NAMES
    ],
    ensure_ascii=False,
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
@pytest.mark.parametrize("text", [TEXT, AS_JSON])
def test_utf8_and_utf16_are_told_by_their_marks_packed_or_not(encoding, packed, size, text):
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    data = mark + text.encode(encoding)
    reading = read(gzip.compress(data) if packed else data, size)
    assert reading.names == NAMES
    assert reading.warnings == []


def test_a_file_in_windows_1252_is_read_with_a_warning_for_each_such_line():
    data = csv_of(row("Abba"), row("Beyoncé"), row("Guns N’ Roses")).encode("cp1252")
    reading = read(data)
    assert reading.names == ["Abba", "Beyoncé", "Guns N’ Roses"]
    assert [each.line for each in reading.warnings] == [3, 4]
    assert "Windows-1252" in reading.warnings[0].reason


def test_a_byte_that_is_no_utf8_in_a_file_that_is_utf8_is_damage():
    data = csv_of(row("Sigur Rós"), row("Beyonc?"), row("Abba")).encode().replace(b"?", b"\xe9")
    reading = read(data)
    assert reading.names == ["Sigur Rós", "Abba"]
    assert [each.line for each in reading.rejections] == [3]
    assert "not UTF-8" in reading.rejections[0].reason


def test_windows_1252_before_the_first_utf8_is_believed_and_after_it_is_not():
    data = csv_of(row("Beyonc?"), row("Sigur Rós"), row("Zo?")).encode().replace(b"?", b"\xe9")
    reading = read(data)
    assert reading.names == ["Beyoncé", "Sigur Rós"]
    assert [each.line for each in reading.warnings] == [2]
    assert [each.line for each in reading.rejections] == [4]


def test_a_byte_that_no_encoding_knows_refuses_its_row():
    reading = read(csv_of(row("Abba"), row("Bj?rk")).encode().replace(b"?", b"\x81"))
    assert reading.names == ["Abba"]
    assert "neither" in reading.rejections[0].reason


def test_a_header_in_windows_1252_is_a_header():
    header = "Künstler;Bühne;Datum;Beginn;Ende"
    data = csv_of("Röyksopp;Zelt;2025-06-12;20:00;21:00", header=header).encode("cp1252")
    reading = read(data)
    assert reading.names == ["Röyksopp"]
    assert [each.line for each in reading.warnings] == [1, 2]


def test_json_elements_and_lines_have_the_same_last_resort():
    objects = [{"Performer": n, **json.loads(AS_JSON)[0]} | {"Performer": n} for n in "éaöß"]
    lines = [json.dumps(each, ensure_ascii=False).encode("cp1252") for each in objects]
    for data in (b"\n".join(lines), b"[" + b",".join(lines) + b"]"):
        for size in (1, 1 << 20):
            reading = read(data, size)
            assert reading.names == ["é", "a", "ö", "ß"]
            assert [each.line for each in reading.warnings] == [1, 3, 4]
    damaged = [*lines, "é".encode().join(lines[1].split(b"a", 1)), lines[0]]
    for data in (b"\n".join(damaged), b"[" + b",".join(damaged) + b"]"):
        assert [each.line for each in read(data).rejections] == [6]


def test_half_a_utf16_character_refuses_its_row_alone():
    data = csv_of(row("Abba"), row("Bj\ud83drk"), row("Pulp")).encode("utf-16", "surrogatepass")
    reading = read(data)
    assert reading.names == ["Abba", "Pulp"]
    assert [each.line for each in reading.rejections] == [3]
    assert "UTF-16" in reading.rejections[0].reason
    cut = read(csv_of(row("Abba"), row("Pulp")).rstrip("\n,").encode("utf-16")[:-1])
    assert cut.names == ["Abba"]
    assert len(cut.rejections) == 1


def test_a_gzip_file_of_several_members_with_padding_is_one_file():
    head, rest = TEXT[:60].encode(), TEXT[60:].encode()
    data = gzip.compress(head) + bytes(7) + gzip.compress(rest) + bytes(512)
    for size in (1, 5, 1 << 20):
        assert read(data, size).names == NAMES


def test_a_gzip_file_cut_short_gives_its_whole_rows_and_then_the_error():
    rows = [row(f"Band {number} {hash(str(number))}") for number in range(500)]
    data = gzip.compress(csv_of(*rows).encode())
    reading = read(data[: len(data) // 2])
    assert 100 < len(reading.performances) < 400
    assert reading.rejections == []
    assert "gzip file ends early" in reading.error
    array = gzip.compress(json.dumps([json.loads(AS_JSON)[0]] * 50_000).encode())
    cut = read(array[: len(array) // 2])
    assert cut.performances
    assert "gzip file ends early" in cut.error


def test_a_damaged_gzip_file_is_one_error():
    data = bytearray(gzip.compress(TEXT.encode()))
    data[20] ^= 255
    assert "gzip" in read(bytes(data)).error
    assert "gzip" in read(gzip.compress(TEXT.encode()) + b"more").error
    assert "gzip" in read(b"\x1f\x8b").error


def test_a_gzip_bomb_is_refused_at_the_limit_of_what_it_may_hold():
    data = gzip.compress(csv_of(row()).encode() + b"\n" * 300_000)
    reading = read(data, limits=Limits(decompressed_bytes=100_000))
    assert reading.names == ["Abba"]
    assert "100,000 bytes" in reading.error


def workbook() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b" \r\n \t\n", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG picture"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "JPEG picture"),
        (b"%PDF-1.7\n%", "PDF"),
        (workbook(), "Excel workbook"),
        pytest.param(gzip.compress(workbook()), "Excel workbook", id="gzipped workbook"),
        (TEXT.encode("utf-32"), "UTF-32"),
        (TEXT.encode("utf-16-le"), "NUL byte"),
        (bytes(1_000), "NUL byte"),
        (b"Dear all,\nsee you at the festival", "Dear all,"),
        (b"null", "null"),
        (b"\x80\x81\x82\n" * 9, "neither UTF-8"),
    ],
)
def test_what_is_no_lineup_is_one_error_that_says_what_was_found(data, found):
    reading = read(data)
    assert found in reading.error
    assert "expected a CSV with a header row" in reading.error
    assert "\n" not in reading.error
    assert reading.error.isprintable()
    assert reading.blocks == []


def test_a_nul_byte_in_a_row_refuses_that_row_alone():
    reading = read(csv_of(row("Abba"), row("Bl\0ur"), row("Pulp")))
    assert reading.names == ["Abba", "Pulp"]
    assert reading.refused == [(3, "Performer", "Bl\\x00ur")]


def test_an_unreadable_header_line_over_the_limit_is_an_error():
    limits = Limits(record_bytes=100, block_bytes=50)
    assert "100 bytes" in read(HEADER + "x" * 500, limits=limits).error
