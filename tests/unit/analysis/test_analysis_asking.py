"""What a Scan of a table would cost."""

import pytest
from botocore.exceptions import ClientError

from festival.analysis.table import TableSize, table_size
from festival.errors import FestivalError


class Table:
    def __init__(self, items, size):
        self.described = {"ItemCount": items, "TableSizeBytes": size}

    def describe_table(self, **_):
        return {"Table": self.described}


def test_a_scan_reads_the_whole_table_at_half_a_unit_for_four_kilobytes():
    assert table_size(Table(1000, 250_000), "festival").scan_units == 62 / 2
    assert TableSize(items=0, bytes=0).scan_units == 0.5


def test_a_table_that_is_not_there_is_one_clear_sentence():
    class Missing:
        def describe_table(self, **_):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeTable")

    with pytest.raises(FestivalError, match="table 'festival' cannot be described"):
        table_size(Missing(), "festival")
