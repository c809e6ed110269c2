"""The ledger's table: consistent reads, and a Query to its last page."""

import pytest

from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.table import pack

VERSIONS = [
    {"File": "upload/a.csv", "Entry": f"VERSION#v{number}", "StartedAt": f"2025-07-1{number}"}
    for number in range(5)
]


class Pages:
    """DynamoDB with the versions of one file, two a page; it notes what it is asked for."""

    def __init__(self):
        self.asked = []

    def get_item(self, **request):
        self.asked.append(request)
        return {"Item": pack(VERSIONS[0])}

    def query(self, **request):
        self.asked.append(request)
        first = request.get("ExclusiveStartKey", {"at": 0})["at"]
        page = {"Items": [pack(item) for item in VERSIONS[first : first + 2]]}
        return (
            page if first + 2 >= len(VERSIONS) else page | {"LastEvaluatedKey": {"at": first + 2}}
        )


@pytest.fixture
def pages():
    return Pages()


@pytest.fixture
def ledger(pages):
    return Ledger(pages, "ledger", lambda: 1_752_300_000.0)


def test_a_file_with_many_versions_has_them_all_in_its_history(ledger, pages):
    assert [each.version for each in ledger.history("upload/a.csv")] == [
        "v0",
        "v1",
        "v2",
        "v3",
        "v4",
    ]
    assert [request["ConsistentRead"] for request in pages.asked] == [True] * 3


def test_a_day_with_many_ingests_has_them_all(ledger):
    assert len(list(ledger.recent(days=1))) == 5


def test_what_was_just_recorded_is_found(ledger, pages):
    """An eventually consistent read may not have it yet: a file would be ingested twice."""
    ledger.find("upload/a.csv", "v0")
    ledger.reconciliations.head("upload/a.csv")
    assert [request["ConsistentRead"] for request in pages.asked] == [True] * 2
