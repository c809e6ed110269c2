"""The form of a notebook: a question, parameters, look, act, conclusion; committed without runs."""

import ast
from pathlib import Path

import nbformat
import papermill
import pytest

from festival.notebook.parameters import read_parameters

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
ALLOWED_IMPORTS = {"festival", "pandas", "matplotlib", "itertools"}
LONGEST_FUNCTION = 5
LONGEST_CELL = 10
MOST_RESULTS_IN_A_ROW = 2
WRITES = {"backfill", "reconcile"}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def test_the_notebooks_are_there():
    assert {path.stem for path in NOTEBOOKS} >= {
        "validate",
        "backfill",
        "query",
        "cost_model",
        "reconcile",
    }


@every_notebook
def test_papermill_lists_every_parameter_with_its_help(path):
    listed = papermill.inspect_notebook(str(path))
    own = read_parameters(path)
    assert list(listed) == [parameter.name for parameter in own]
    assert all(one["help"] for one in listed.values())
    assert {one["inferred_type_name"] for one in listed.values()} <= {"str", "int", "float", "bool"}


@every_notebook
def test_the_parameters_are_checked_in_the_notebook_itself(path):
    assert "prepare(globals()" in code(path)[1].source


@every_notebook
def test_nothing_comes_from_the_command(path):
    named = [
        name
        for cell in code(path)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (getattr(node, "module", None), *(alias.name for alias in node.names))
        if name is not None
    ]
    assert [name for name in named if name == "cli" or name.startswith("festival.cli")] == []


@every_notebook
def test_no_run_is_committed(path):
    for cell in code(path):
        assert cell.outputs == []
        assert cell.execution_count is None
        assert set(cell.metadata) <= {"tags"}


@every_notebook
def test_metadata_says_the_kernel_and_no_more(path):
    metadata = read(path).metadata
    assert set(metadata) == {"kernelspec", "language_info"}
    assert metadata.kernelspec.name == "python3"
    assert dict(metadata.language_info) == {"name": "python"}


@every_notebook
def test_cells_have_names_for_ids_so_that_a_diff_is_readable(path):
    ids = [cell.id for cell in read(path).cells]
    assert len(set(ids)) == len(ids)
    assert all(name.replace("-", "").isalpha() and name.islower() for name in ids)


@every_notebook
def test_every_parameter_has_a_type_a_default_and_help(path):
    parameters = read_parameters(path)
    assert parameters
    for parameter in parameters:
        assert parameter.help, parameter.name
        assert parameter.optional or isinstance(
            parameter.default, int | float if parameter.type == "float" else eval(parameter.type)
        )


@every_notebook
def test_there_is_one_parameters_cell_right_behind_the_question(path):
    cells = read(path).cells
    tagged = [
        number for number, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])
    ]
    assert tagged == [1]
    assert cells[0].source.startswith("# ")
    assert cells[0].source.splitlines()[0].endswith("?") or path.stem in WRITES


@every_notebook
def test_it_ends_with_a_conclusion(path):
    titles = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    assert titles[-1].startswith("## Conclusion")


@every_notebook
def test_words_stand_between_the_results(path):
    in_a_row = 0
    for cell in read(path).cells[3:]:
        in_a_row = in_a_row + 1 if cell.cell_type == "code" else 0
        assert in_a_row <= MOST_RESULTS_IN_A_ROW, cell.id


@every_notebook
def test_a_notebook_asks_and_the_package_answers(path):
    for cell in code(path):
        tree = ast.parse(cell.source)
        for node in ast.walk(tree):
            assert not isinstance(node, ast.ClassDef), cell.id
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno < LONGEST_FUNCTION, cell.id
        if "parameters" not in cell.metadata.get("tags", []):
            assert len(cell.source.splitlines()) <= LONGEST_CELL, cell.id


@every_notebook
def test_a_notebook_imports_the_package_and_pandas_only(path):
    for cell in code(path):
        for node in ast.walk(ast.parse(cell.source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= ALLOWED_IMPORTS, cell.id


@every_notebook
def test_two_lines_of_imports_are_enough_and_none_is_the_commands(path):
    lines = [
        line
        for cell in code(path)
        for line in cell.source.splitlines()
        if line.startswith(("import ", "from "))
    ]
    assert len(lines) <= 2
    assert not any("festival.cli" in line for line in lines)


@every_notebook
def test_it_begins_with_its_conclusion_in_a_box(path):
    """A box is the first thing it shows."""
    results = [cell.source.splitlines()[-1] for cell in code(path)[1:]]
    shown = [line for line in results if " = " not in line and not line.startswith("prepare")]
    assert shown[0].startswith("Box(") or shown[0].endswith(".box")


@every_notebook
def test_mistakes_are_said_in_one_line_from_the_first_cell_on(path):
    calls = [line for line in code(path)[1].source.splitlines() if line.startswith("prepare(")]
    assert len(calls) == 1


@every_notebook
def test_a_notebook_that_writes_shows_its_plan_first(path):
    if path.stem in WRITES:
        dry_run = {parameter.name: parameter for parameter in read_parameters(path)}["dry_run"]
        assert (dry_run.type, dry_run.default) == ("bool", True)


@every_notebook
def test_dollars_in_prose_are_no_formulas(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            assert "$" not in cell.source, cell.id
