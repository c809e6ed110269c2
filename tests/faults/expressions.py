"""DynamoDB's update and condition expressions, as far as the ledger uses them.

Source: "Expressions in DynamoDB" (docs: Expressions.UpdateExpressions,
Expressions.OperatorsAndFunctions). Stricter than moto: unused names and values are refused.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Any

Item = dict[str, Any]
_TOKEN = re.compile(r"\s*([#:]?\w+(?:\.[#\w]+)*|<>|<=|>=|[-+(),=<>])")


class RefusedExpressionError(Exception):
    """What DynamoDB would answer with a ValidationException."""


class Expression:
    """One expression with its names and values, read token by token."""

    def __init__(self, text: str, item: Item, request: Mapping[str, Any]) -> None:
        self._tokens = _tokens(text)
        self._place = 0
        self._item = item
        self._names = request.get("ExpressionAttributeNames", {})
        self._values = request.get("ExpressionAttributeValues", {})
        self.used: set[str] = set()

    def holds(self) -> bool:
        """Whether the item is as this condition demands."""
        result = self._either()
        self._expect("")
        return result

    def changed(self) -> Item:
        """The item as this update leaves it."""
        changes: list[tuple[list[str], Any]] = []
        while section := self._take():
            while True:
                path = self._path(self._take())
                if section == "SET":
                    self._expect("=")
                    changes.append((path, self._sum()))
                elif section == "REMOVE":
                    changes.append((path, None))
                else:
                    raise RefusedExpressionError(f"unknown clause {section}")
                if self._peek() != ",":
                    break
                self._take()
        item = dict(self._item)
        for path, value in changes:
            _put(item, path, value)
        return item

    def _either(self) -> bool:
        result = self._both()
        while self._peek() == "OR":
            self._take()
            result = self._both() or result
        return result

    def _both(self) -> bool:
        result = self._primary()
        while self._peek() == "AND":
            self._take()
            result = self._primary() and result
        return result

    def _primary(self) -> bool:
        if self._peek() == "(":
            self._take()
            result = self._either()
            self._expect(")")
            return result
        if self._peek() in ("attribute_exists", "attribute_not_exists"):
            wanted = self._take() == "attribute_exists"
            self._expect("(")
            found = _get(self._item, self._path(self._take())) is not None
            self._expect(")")
            return found is wanted
        if self._peek() == "begins_with":
            self._take()
            self._expect("(")
            left = self._operand()
            self._expect(",")
            right = self._operand()
            self._expect(")")
            return left is not None and left["S"].startswith(right["S"])
        left = self._operand()
        return _compare(left, self._take(), self._operand())

    def _sum(self) -> Any:
        value = self._operand()
        if self._peek() == "+":
            self._take()
            more = self._operand()
            return {"N": str(Decimal(value["N"]) + Decimal(more["N"]))}
        return value

    def _operand(self) -> Any:
        token = self._take()
        if token == "if_not_exists":
            self._expect("(")
            found = _get(self._item, self._path(self._take()))
            self._expect(",")
            otherwise = self._operand()
            self._expect(")")
            return otherwise if found is None else found
        if token.startswith(":"):
            self.used.add(token)
            if token not in self._values:
                raise RefusedExpressionError(f"{token} is not defined")
            return self._values[token]
        return _get(self._item, self._path(token))

    def _path(self, token: str) -> list[str]:
        return [self._name(part) for part in token.split(".")]

    def _name(self, part: str) -> str:
        if part.startswith("#"):
            self.used.add(part)
            if part not in self._names:
                raise RefusedExpressionError(f"{part} is not defined")
            return str(self._names[part])
        if part.upper() in reserved_words():
            raise RefusedExpressionError(f"Attribute name is a reserved keyword: {part}")
        return part

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._place += 1
        return token

    def _expect(self, token: str) -> None:
        if (found := self._take()) != token:
            raise RefusedExpressionError(f"{found!r} where {token!r} was expected")


def check_all_used(request: Mapping[str, Any], used: set[str]) -> None:
    """DynamoDB refuses names and values that no expression of the request mentions."""
    given = {
        *request.get("ExpressionAttributeNames", {}),
        *request.get("ExpressionAttributeValues", {}),
    }
    if unused := given - used:
        raise RefusedExpressionError(f"unused in expressions: {', '.join(sorted(unused))}")


@lru_cache
def reserved_words() -> frozenset[str]:
    """DynamoDB's reserved words, from the list that moto carries."""
    text = (files("moto.dynamodb.parsing") / "reserved_keywords.txt").read_text()
    return frozenset(text.upper().split())


@lru_cache
def _tokens(text: str) -> tuple[str, ...]:
    found = tuple(_TOKEN.findall(text))
    if "".join(found) != "".join(text.split()):
        raise RefusedExpressionError(f"cannot be read: {text}")
    return found


def _compare(left: Any, operator: str, right: Any) -> bool:
    if left is None or right is None:
        return False
    ((kind, mine),), ((other, theirs),) = left.items(), right.items()
    if kind == "N":
        mine, theirs = Decimal(mine), Decimal(theirs)
    if operator in ("=", "<>"):
        return ((kind, mine) == (other, theirs)) is (operator == "=")
    if kind != other:
        return False
    return {"<": mine < theirs, "<=": mine <= theirs, ">": mine > theirs, ">=": mine >= theirs}[
        operator
    ]


def _get(item: Item, path: list[str]) -> Any:
    *parents, last = path
    for name in parents:
        item = item[name]["M"]
    return item.get(last)


def _put(item: Item, path: list[str], value: Any) -> None:
    *parents, last = path
    for name in parents:
        if name not in item:
            raise RefusedExpressionError("The document path provided is invalid for update")
        item[name] = {"M": dict(item[name]["M"])}
        item = item[name]["M"]
    if value is None:
        item.pop(last, None)
    else:
        item[last] = value
