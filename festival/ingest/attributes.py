"""Plain values and DynamoDB's typed attribute values (docs: AttributeValue), for the ledger."""

from collections.abc import Mapping
from typing import Any


def pack(values: Mapping[str, Any]) -> dict[str, Any]:
    """`{"Attempt": 3}` as `{"Attempt": {"N": "3"}}`; text, numbers, maps and lists."""
    return {name: _typed(value) for name, value in values.items()}


def unpack(item: Mapping[str, Any]) -> dict[str, Any]:
    """The way back from `pack`."""
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
