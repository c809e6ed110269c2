"""A list of any length that may be read while it grows."""

from festival.ingest.tally import MEMORY_BYTES, Spool


def test_rows_come_back_in_order_and_as_often_as_asked():
    spool = Spool()
    for number in range(5):
        spool.append({"line": number})
    assert [row["line"] for row in spool] == [0, 1, 2, 3, 4]
    assert [row["line"] for row in spool] == [0, 1, 2, 3, 4]
    assert len(spool) == 5


def test_what_is_more_than_a_megabyte_is_read_from_the_disk():
    spool = Spool()
    row = "x" * 10_000
    while spool.bytes < 2 * MEMORY_BYTES:
        spool.append(row)
    assert all(each == row for each in spool)
    spool.append("the last")
    assert list(spool)[-1] == "the last"


def test_appending_while_reading_loses_nothing():
    spool = Spool()
    spool.append("first")
    for row in spool:
        spool.append(row + " again")
    assert list(spool) == ["first", "first again"]
