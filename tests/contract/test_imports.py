"""The house: each room imports only from rooms above it, and has only its own third parties."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[2] / "festival"
LONGEST_MODULE = 350

# From the top floor down: what a room may import besides the standard library and the rooms above.
ROOMS = {
    "errors": set(),
    "lineup": set(),
    "table": {"boto3", "botocore", "urllib3"},  # urllib3 is what botocore itself sends with
    "ingest": {"boto3", "botocore"},
    "analysis": {"boto3", "botocore", "pandas", "matplotlib", "numpy", "openpyxl"},
    "ops": {
        *("boto3", "botocore", "yaml", "moto", "werkzeug"),
        *("papermill", "nbformat", "nbconvert", "nbclient", "traitlets", "tqdm"),
    },
    "cli": {"boto3", "botocore", "click"},
}
FLOORS = list(ROOMS)
IN_THE_ZIP = ("errors", "lineup", "table", "ingest")


class Import(NamedTuple):
    module: str
    line: int


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[Import]:
    """Every import that runs, wherever it stands; those only for type checking do not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from imports(other)
        elif isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "festival" and not node.level:
                yield from (Import(f"festival.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield Import("." * node.level + (node.module or ""), node.lineno)
        else:
            yield from imports(node)


def complaint(room: str, module: str) -> str | None:
    """Why a room may not import a module, or None."""
    if module.startswith("."):
        return "says its import without the package's name"
    first, *rest = module.split(".")
    if module == "festival":
        return None
    if first == "festival":
        other = rest[0]
        if other not in ROOMS:
            return f"imports {module}, which is no room of the house"
        if FLOORS.index(other) > FLOORS.index(room):
            return f"imports {module}, from a room below its own"
        return None
    if first in sys.stdlib_module_names or first in ROOMS[room]:
        return None
    return f"imports {module}, which the room {room} may not have"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_rooms_above_its_own(path):
    room = room_of(path)
    if room == "__init__":
        return
    complaints = [
        f"{path.relative_to(PACKAGE)}:{line} {why}"
        for module, line in imports(ast.parse(path.read_text(encoding="utf-8")))
        if (why := complaint(room, module))
    ]
    assert complaints == []


def test_an_arrow_that_points_the_other_way_is_seen():
    assert complaint("lineup", "festival.table.item")
    assert complaint("ingest", "festival.ops.build")
    assert complaint("table", "pandas")
    assert complaint("lineup", "boto3")
    assert complaint("ingest", ".report")
    assert complaint("ops", "festival.cli.main")
    assert complaint("cli", "festival.lineup.model") is None


def test_an_import_inside_a_function_counts_and_one_for_type_checking_does_not():
    source = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "def draw():\n    import matplotlib.pyplot\n"
    )
    assert [module for module, _ in imports(ast.parse(source))] == ["typing", "matplotlib.pyplot"]


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "errors"])
def test_a_room_re_exports_nothing_so_that_importing_one_module_loads_no_other(room):
    body = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")).body
    assert [node for node in body if not isinstance(node, ast.Expr)] == []


def test_what_goes_into_the_function_needs_boto3_and_the_standard_library_only():
    assert set().union(*(ROOMS[room] for room in IN_THE_ZIP)) == {"boto3", "botocore", "urllib3"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_fits_on_a_few_screens(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def test_every_room_of_the_house_is_a_room_of_the_design():
    there = {room_of(path) for path in modules()} - {"__init__", "__main__"}
    assert there <= set(ROOMS)
