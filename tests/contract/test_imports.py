"""The house: each room imports only from rooms above it, and has only its own third parties."""

import ast
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from festival.stack.build import build_zip

PACKAGE = Path(__file__).parents[2] / "festival"

# From the top floor down: what a room may import besides the standard library and the rooms above.
ROOMS = {
    "errors": set(),
    "text": set(),
    "threads": set(),
    "progress": set(),
    "lineup": set(),
    "table": {"boto3", "botocore", "urllib3"},  # urllib3 is what botocore itself sends with
    "ingest": {"boto3", "botocore"},
    "query": {"boto3", "botocore"},
    "inspection": {"openpyxl", "icalendar"},
    "analysis": {"boto3", "botocore", "pandas", "matplotlib", "numpy"},
    "stack": {"boto3", "botocore", "yaml"},
    "kit": {"boto3", "botocore"},
    "embedded": {"boto3", "botocore", "moto", "werkzeug"},
    "backfill": {"boto3", "botocore"},
    "notebook": {
        *("boto3", "botocore", "pandas", "matplotlib", "IPython", "matplotlib_inline"),
        *("papermill", "nbformat", "nbconvert", "nbclient", "traitlets"),
    },
    "cli": {"boto3", "botocore", "click"},
}
FLOORS = list(ROOMS)
IN_THE_ZIP = ("text", "errors", "threads", "lineup", "table", "ingest")


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
            module = "." * node.level + (node.module or "")
            yield Import(module, node.lineno)
            # A name may be a module of the package that is named.
            yield from (Import(f"{module}.{alias.name}", node.lineno) for alias in node.names)
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
            return f"imports {module}, which is not a room of the house"
        if FLOORS.index(other) > FLOORS.index(room):
            return f"imports {module}, from a room below its own"
        return None
    if first in sys.stdlib_module_names or first in ROOMS[room]:
        return None
    return f"imports {module}, which the room {room} may not have"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_rooms_above_its_own(path):
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    complaints = [
        f"{path.relative_to(PACKAGE)}:{line} {why}"
        for module, line in imports(ast.parse(path.read_text(encoding="utf-8")))
        if (why := complaint(room, module))
    ]
    assert complaints == []


def test_an_arrow_that_points_the_other_way_is_seen():
    assert complaint("lineup", "festival.table.item")
    assert complaint("ingest", "festival.stack.build")
    assert complaint("table", "pandas")
    assert complaint("lineup", "boto3")
    assert complaint("ingest", ".report")
    assert complaint("backfill", "festival.cli.main")
    assert complaint("cli", "festival.lineup.model") is None


def test_an_import_inside_a_function_counts_and_one_for_type_checking_does_not():
    source = (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "def draw():\n    import matplotlib.pyplot\n"
    )
    assert [module for module, _ in imports(ast.parse(source))] == [
        *("typing", "typing.TYPE_CHECKING"),
        "matplotlib.pyplot",
    ]


@pytest.mark.parametrize(
    "init", sorted(PACKAGE.glob("*/**/__init__.py")), ids=lambda path: path.parent.name
)
def test_a_room_re_exports_nothing_so_that_importing_one_module_loads_no_other(init):
    body = ast.parse(init.read_text(encoding="utf-8")).body
    assert [node for node in body if not isinstance(node, ast.Expr)] == []


def test_what_goes_into_the_function_needs_boto3_and_the_standard_library_only():
    assert set().union(*(ROOMS[room] for room in IN_THE_ZIP)) == {"boto3", "botocore", "urllib3"}


def reached_from(module: str) -> set[str]:
    """The files of the package that a module can come to import, at once or later."""
    reached, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        place = PACKAGE.parent / name.replace(".", "/")
        path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if path in reached or not path.is_file():
            continue
        reached.add(path)
        waiting += [each.module for each in imports(ast.parse(path.read_text(encoding="utf-8")))]
        if "." in name:
            waiting.append(name.rpartition(".")[0])
    return {path.relative_to(PACKAGE.parent).as_posix() for path in reached}


def test_the_zip_holds_what_the_handler_can_reach_and_nothing_else(tmp_path):
    with zipfile.ZipFile(build_zip(tmp_path / "function.zip")) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".py")}
    reached = reached_from("festival.ingest.handler")
    assert packed - reached == set(), "in the zip, and the handler never imports it"
    assert reached - packed == set(), "imported by the handler, and not in the zip"


def test_every_room_of_the_house_is_a_room_of_the_design():
    there = {room_of(path) for path in modules()} - {"__init__", "__main__"}
    assert there == set(ROOMS)


def test_a_class_has_a_name_of_its_own():
    """Two classes of one name are two ideas that a reader takes for one."""
    names: dict[str, list[str]] = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                place = path.relative_to(PACKAGE).as_posix()
                names.setdefault(node.name.lstrip("_"), []).append(place)
    assert {name: places for name, places in names.items() if len(places) > 1} == {}
