"""A notebook's parameters: reads their declarations and checks the values that a user gives.

They are declared in the notebook's `parameters` cell. papermill's own inspector drops optional
types and takes a `#` inside a default for the help, and its command turns `007` into 7. So this
module reads the cell with `ast` and `tokenize`, and converts each value to its declared type.
"""

import ast
import io
import math
import tokenize
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import nbformat

from festival.errors import FestivalError

Value = str | int | float | bool | None

TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
TRUE, FALSE, NONE = ("true", "yes", "1"), ("false", "no", "0"), "none"
# The first line of the cell that papermill inserts after the parameters cell.
INJECTED = "# Parameters"
EXPECTED = {"int": "a whole number", "float": "a number", "bool": "true or false"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `name: type = default  # help`, where the type may end in `| None`."""

    name: str
    type: str
    optional: bool
    default: Value
    help: str

    @property
    def declared(self) -> str:
        return f"{self.type} | None" if self.optional else self.type


def read_parameters(notebook: Path) -> tuple[Parameter, ...]:
    """A notebook's parameters, in its order. Raises FestivalError if it is not a notebook."""
    for cell in _cells(notebook):
        if "parameters" in cell.metadata.get("tags", []):
            return tuple(parse(cell.source, notebook.name))
    return ()


def parse(source: str, name: str = "notebook") -> Iterator[Parameter]:
    """The parameters that a cell declares. Raises FestivalError for any other statement."""
    helps = _comments(source)
    for statement in ast.parse(source).body:
        if not isinstance(statement, ast.AnnAssign) or statement.value is None:
            line = ast.unparse(statement)
            raise FestivalError(f"{name}: {line!r}: expected `name: type = default  # help`")
        declared = ast.unparse(statement.annotation)
        kind = declared.removesuffix(" | None")
        if kind not in TYPES:
            raise FestivalError(f"{name}: type {declared!r}: expected {', '.join(TYPES)}")
        yield Parameter(
            name=ast.unparse(statement.target),
            type=kind,
            optional=declared != kind,
            default=ast.literal_eval(statement.value),
            help=helps.get(statement.end_lineno or 0, ""),
        )


def check_given(
    parameters: Iterable[Parameter],
    given: Iterable[tuple[str, str]],
    notebook: str = "the notebook",
) -> dict[str, Value]:
    """The texts that a user gave, converted to the declared types; `007` and dates stay text.

    Raises FestivalError for a name that the notebook does not have and for a value of a wrong type.
    """
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Value] = {}
    for name, text in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
            raise FestivalError(f"{notebook} has no parameter {name!r}: {hint}")
        values[name] = _value(known[name], text)
    return values


@dataclass(frozen=True, slots=True)
class Between:
    """The numbers from `low` to `high`, both included; without `high` there is no upper limit."""

    low: float
    high: float = math.inf

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{self.low:,g} or more"
        return f"{self.low:,} to {self.high:,}"


def between(low: float, high: float = math.inf) -> Between:
    """A range of allowed numbers: `between(1, 64)`, or `between(0)` for 0 or more."""
    return Between(low, high)


# The allowed values of a parameter: a range of numbers, or a choice of texts.
Allowed = Between | tuple[str, ...]


def checked_namespace(
    namespace: Mapping[str, Any], allowed: Mapping[str, Allowed]
) -> dict[str, Value]:
    """A running notebook's parameters, as values of the declared types.

    The declared types are in the namespace's `__annotations__`, whatever papermill has assigned
    since. For `-p dry_run false`, for example, it assigns the text "false", which is true to
    Python. Raises FestivalError, in one line, for a value of a wrong type or one that is not
    `allowed`, and for a parameter that the notebook does not have.
    """
    parameters = {
        name: parameter
        for name, kind in namespace.get("__annotations__", {}).items()
        if name in namespace and (parameter := _declared(name, kind))
    }
    check_given(parameters.values(), ((name, "") for name in _unknown(namespace, parameters)))
    values = {name: _typed(parameter, namespace[name]) for name, parameter in parameters.items()}
    for name, choices in allowed.items():
        value: Any = values[name]
        if value not in choices:
            expected = str(choices) if isinstance(choices, Between) else ", ".join(choices)
            raise FestivalError(f"parameter {name} is {value!r}: expected {expected}")
    return values


def _declared(name: str, kind: Any) -> Parameter | None:
    """A parameter by its annotation: `str`, `int | None`, or the same as text."""
    declared = kind.__name__ if isinstance(kind, type) else str(kind)
    base = declared.removesuffix(" | None")
    return Parameter(name, base, declared != base, None, "") if base in TYPES else None


def _unknown(namespace: Mapping[str, Any], known: Container[str]) -> Iterator[str]:
    """The names that papermill's inserted cell sets, but the notebook does not declare."""
    for source in namespace.get("In", ()):
        if source.startswith(INJECTED):
            for statement in ast.parse(source).body:
                if isinstance(statement, ast.Assign):
                    names = (ast.unparse(target) for target in statement.targets)
                    yield from (name for name in names if name not in known)


def _typed(parameter: Parameter, value: Any) -> Value:
    """A Python value as one of the declared type; text is read as on the command line."""
    wanted = parameter.type
    if isinstance(value, str):
        # papermill's own command turns `None` into None, but leaves `none` as text.
        return _value(parameter, value)
    if value is None and parameter.optional:
        return None
    if isinstance(value, bool):
        if wanted == "bool":
            return value
    elif wanted == "str" and (value is None or isinstance(value, int)):
        # "1914" is a band, and papermill makes it a number. The text of 1.10 cannot be recovered.
        return "" if value is None else str(value)
    elif wanted == "int" and isinstance(value, int):
        return value
    elif wanted == "float" and isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    expected = EXPECTED.get(wanted, "text (papermill -r gives it as it is)")
    expected += " or none" if parameter.optional else ""
    raise FestivalError(f"parameter {parameter.name} is {value!r}: expected {expected}")


def _value(parameter: Parameter, text: str) -> Value:
    if parameter.optional and text.lower() == NONE:
        return None
    if parameter.type == "bool":
        if text.lower() in TRUE + FALSE:
            return text.lower() in TRUE
    elif parameter.type == "str":
        return text
    else:
        try:
            number: int | float = TYPES[parameter.type](text)
        except ValueError:
            pass
        else:
            # Python accepts `nan` and `inf` as floats; no parameter can mean them.
            if number - number == 0:
                return number
    expected = EXPECTED[parameter.type] + (" or none" if parameter.optional else "")
    raise FestivalError(f"parameter {parameter.name} is {text!r}: expected {expected}")


def _comments(source: str) -> dict[int, str]:
    """The comment on each line that has one, without its `#`."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _cells(notebook: Path) -> list[Any]:
    try:
        read: Any = nbformat.read
        return list(read(notebook, as_version=4).cells)
    except OSError as error:
        raise FestivalError(f"notebook {notebook}: {error.strerror}") from None
    except Exception as error:
        raise FestivalError(
            f"{notebook} is not a notebook: {' '.join(str(error).split())}"
        ) from None
