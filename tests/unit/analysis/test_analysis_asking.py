"""Questions asked of a table, and what they took."""

import pytest
from botocore.exceptions import ClientError

from festival.analysis import asking
from festival.analysis.asking import TableSize, ask_and_measure, table_size
from festival.errors import FestivalError
from festival.lineup.model import Performance
from festival.query.patterns import by_performer
from festival.table.item import item_size, to_item

ROWS = [
    Performance("Björk", "Main Stage", f"2025-07-{day}", 1290, 1380, 97, 0) for day in range(11, 14)
]


class Table:
    """A DynamoDB that answers every Query with the same items, two to a page."""

    def __init__(self, items=0, size=0):
        self.described = {"ItemCount": items, "TableSizeBytes": size}
        self.asked = []

    def query(self, **request):
        self.asked.append(request)
        begin = int(request.get("ExclusiveStartKey", {"at": 0})["at"])
        page = ROWS[begin : begin + 2]
        answer = {
            "Items": [to_item(row) for row in page],
            "ScannedCount": len(page),
            "ConsumedCapacity": {"CapacityUnits": 0.5},
        }
        if begin + 2 < len(ROWS):
            answer["LastEvaluatedKey"] = {"at": begin + 2}
        return answer

    def describe_table(self, **_):
        return {"Table": self.described}


def test_a_question_is_measured_over_all_its_pages():
    asked = ask_and_measure(Table(), "festival", by_performer("Björk"))
    assert [row.date for row in asked.performances] == ["2025-07-11", "2025-07-12", "2025-07-13"]
    assert (asked.pages, asked.looked_at) == (2, 3)
    assert (asked.read_units, asked.units_by_rule) == (1.0, 1.0)
    assert asked.milliseconds >= 0


def test_a_days_question_is_asked_for_each_day():
    table = Table()
    asking.lineup_of(table, "festival", "2025-07-31", 2)
    dates = {
        value["S"]
        for request in table.asked
        for value in request["ExpressionAttributeValues"].values()
    }
    assert {"2025-07-31", "2025-08-01"} <= dates


def test_no_days_have_no_performance_and_what_is_no_date_is_an_error():
    assert asking.lineup_of(Table(), "festival", "2025-07-31", 0) == []
    with pytest.raises(FestivalError, match=r"31\.7\."):
        asking.lineup_of(Table(), "festival", "31.7.", 1)


def test_a_scan_reads_the_whole_table_at_half_a_unit_for_four_kilobytes():
    assert TableSize(items=1000, bytes=250_000).scan_units == 62 / 2
    assert TableSize(items=0, bytes=0).scan_units == 0.5


def test_a_table_not_weighed_yet_is_estimated_by_the_items_found():
    asked = [ask_and_measure(Table(), "festival", by_performer("Björk"))]
    assert table_size(Table(300, 66_000), "festival", asked).bytes == 66_000
    estimated = table_size(Table(300, 0), "festival", asked)
    assert estimated.bytes >= 300 * item_size(to_item(ROWS[0]))


def test_a_table_that_is_not_there_is_one_clear_sentence():
    class Missing:
        def describe_table(self, **_):
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeTable")

    with pytest.raises(FestivalError, match="table 'festival' cannot be described"):
        table_size(Missing(), "festival")


def test_the_table_of_questions_has_conditions_units_and_the_price_of_a_scan():
    asked = [ask_and_measure(Table(), "festival", by_performer("Björk"))]
    size = TableSize(1000, 400_000)
    (row,) = asking.asked_frame(asked, size).to_dict("records")
    assert row["key condition"] == "table: Performer = 'Björk'"
    assert (row["found"], row["RRU by the rules"], row["RRU as a Scan"]) == (3, 1.0, 49.0)
    assert "49 times as much" in asking.scan_sentence(asked, size).replace(".0", "")
