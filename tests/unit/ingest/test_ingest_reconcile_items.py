"""Single items: at most a hundred actions a call, under every lease, and read to the last one."""

import pytest

from festival.errors import RetryableError
from festival.ingest.ledger.leases import Lease, Leases
from festival.ingest.ledger.table import LedgerTable
from festival.ingest.reconcile.items import ItemOutcome, Items
from festival.lineup.model import Performance

FILE = "upload/summer.csv"
MINE, THEIRS = Lease(FILE, "me", 100.0, 7), Lease("upload/late.csv", "me", 100.0, 3)
ROWS = [Performance(f"Band {n}", "Park", "2025-06-28", 1200, 1260, None, n) for n in range(250)]


class Dynamo:
    """Carries out every transaction, and gives at most forty items of a batch at once."""

    def __init__(self):
        self.calls, self.reads = [], []

    def transact_write_items(self, TransactItems):  # noqa: N803
        self.calls.append(TransactItems)

    def batch_get_item(self, RequestItems):  # noqa: N803
        ((table, wanted),) = RequestItems.items()
        self.reads.append(wanted)
        keys, left = wanted["Keys"][:40], wanted["Keys"][40:]
        answer = {"Responses": {table: [{**key, "Source": {"S": FILE}} for key in keys]}}
        return answer | {"UnprocessedKeys": {table: {**wanted, "Keys": left}} if left else {}}


@pytest.fixture
def dynamo():
    return Dynamo()


@pytest.fixture
def items(dynamo):
    leases = Leases(LedgerTable(dynamo, "ledger"), lambda: 0.0)
    return Items(dynamo, "lineup", leases, sleep=lambda seconds: None)


def kinds(call):
    return [kind for action in call for kind in action]


@pytest.mark.parametrize("held", [(MINE,), (MINE, THEIRS)], ids=["one lease", "two leases"])
def test_no_transaction_has_more_than_a_hundred_actions_with_its_leases(items, dynamo, held):
    assert items.delete(ROWS, FILE, *held) == [ItemOutcome.CHANGED] * 250
    assert max(map(len, dynamo.calls)) == 100
    assert sum(kinds(call).count("Delete") for call in dynamo.calls) == 250


def test_every_transaction_checks_owner_and_attempt_of_each_lease(items, dynamo):
    items.hand_over(ROWS[:3], FILE, THEIRS.file, MINE, THEIRS)
    (call,) = dynamo.calls
    assert kinds(call) == ["ConditionCheck"] * 2 + ["Put"] * 3
    for lease, action in zip((MINE, THEIRS), call, strict=False):
        check = action["ConditionCheck"]
        assert check["TableName"] == "ledger"
        assert check["Key"] == {"File": {"S": lease.file}, "Entry": {"S": "HEAD"}}
        assert check["ConditionExpression"] == "#o = :owner AND Attempt = :attempt"
        assert check["ExpressionAttributeValues"] == {
            ":owner": {"S": "me"},
            ":attempt": {"N": str(lease.attempt)},
        }


def test_an_item_that_is_handed_over_has_the_other_files_name_and_needs_this_ones(items, dynamo):
    items.hand_over(ROWS[:1], FILE, THEIRS.file, MINE, THEIRS)
    put = dynamo.calls[0][-1]["Put"]
    assert put["Item"]["Source"] == {"S": THEIRS.file}
    assert put["ConditionExpression"] == "#f = :file"
    assert put["ExpressionAttributeValues"] == {":file": {"S": FILE}}


def test_owners_are_read_consistently_and_what_dynamodb_leaves_out_is_asked_for_again(
    items, dynamo
):
    assert items.sources(ROWS) == {row.key: FILE for row in ROWS}
    assert len(dynamo.reads) == 3 + 3 + 2
    assert {read["ConsistentRead"] for read in dynamo.reads} == {True}


def test_an_item_that_dynamodb_never_gives_is_a_failed_try_and_not_a_missing_item(items, dynamo):
    dynamo.batch_get_item = lambda RequestItems: {  # noqa: N803
        "Responses": {},
        "UnprocessedKeys": RequestItems,
    }
    with pytest.raises(RetryableError, match="lineup: 100 items could not be read"):
        items.sources(ROWS)
