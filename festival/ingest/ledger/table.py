"""Reads and conditional writes of the ledger's table. Items are plain Python values."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from festival.errors import FestivalError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def pack(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{"Attempt": 3}` as `{"Attempt": {"N": "3"}}`; for text, numbers, maps and lists."""
    return {name: _typed(value) for name, value in values.items()}


def unpack(item: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `pack`."""
    return {name: _plain(value) for name, value in item.items()}


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | float):
        return {"N": repr(value)}
    if isinstance(value, Mapping):
        return {"M": pack(value)}
    return {"L": [_typed(each) for each in value]}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        return int(content) if content.lstrip("-").isdigit() else float(content)
    if kind == "M":
        return unpack(content)
    if kind == "L":
        return [_plain(each) for each in content]
    return content


Item = dict[str, Any]


class ConditionFailed(FestivalError):  # noqa: N818 - DynamoDB's own word for it
    """The item did not meet the write's condition."""


class LedgerTable:
    """Items by `File` and `Entry`, as plain values."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self.name = name

    def get(self, file: str, entry: str) -> Item:
        """One item, read consistently; empty if there is none."""
        answer = self._client.get_item(
            TableName=self.name, Key=pack({"File": file, "Entry": entry}), ConsistentRead=True
        )
        return unpack(answer.get("Item", {}))

    def update(
        self,
        file: str,
        entry: str,
        changes: str,
        condition: str | None,
        values: dict[str, Any],
        names: dict[str, str],
    ) -> Item:
        """Change one item if the condition holds; return the changed item.

        Raises ConditionFailed if it does not hold.
        """
        request: dict[str, Any] = {
            "TableName": self.name,
            "Key": pack({"File": file, "Entry": entry}),
            "UpdateExpression": changes,
            "ReturnValues": "ALL_NEW",
        }
        if values:
            request["ExpressionAttributeValues"] = pack(values)
        if condition:
            request["ConditionExpression"] = condition
        if names:
            request["ExpressionAttributeNames"] = names
        try:
            answer = self._client.update_item(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise ConditionFailed from None
            raise
        return unpack(answer["Attributes"])

    def query(self, **request: Any) -> Iterator[Item]:
        """Every item of a Query, paged to the end."""
        while True:
            answer = self._client.query(TableName=self.name, **request)
            yield from (unpack(item) for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
