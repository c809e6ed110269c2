import nbformat
import pytest

from festival.cli import main as command

CELL = """performer: str = "Megan Thee Stallion"  # whose performances
minimum: int = 80  # popularity above this
table: str | None = None  # none: the stack's"""


@pytest.fixture
def notebook(tmp_path):
    cell = nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]})
    path = tmp_path / "ask.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


@pytest.fixture
def festival(capsys):
    def run(*args):
        with pytest.raises(SystemExit) as ended:
            command.main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return ended.value.code, out, err.splitlines()

    return run


def test_help_with_a_notebook_lists_its_parameters(festival, notebook):
    status, out, err = festival("run", "--help", notebook)
    assert (status, err) == (0, [])
    assert "performer  str         'Megan Thee Stallion'  whose performances" in out
    assert "table      str | None  None" in out


def test_help_without_a_notebook_is_the_commands_own(festival):
    status, out, _ = festival("run", "--help")
    assert status == 0
    assert out.startswith("Usage: festival run")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("performers", "Bicep"), "did you mean performer?"),
        (("minimum", "many"), "parameter minimum is 'many': expected a whole number"),
    ],
)
def test_a_wrong_parameter_is_one_line_before_anything_runs(festival, notebook, given, told):
    status, out, err = festival("run", notebook, "-p", *given)
    assert (status, out, len(err)) == (2, "", 1)
    assert told in err[0]
    assert not (notebook.parent / "runs").exists()


def test_a_notebook_has_to_be_named(festival):
    assert festival("run")[2] == [
        "festival: Missing argument 'NOTEBOOK'. (see festival run --help)"
    ]


def test_a_notebook_that_is_not_there_is_one_line(festival):
    status, _, err = festival("run", "asking")
    assert (status, len(err)) == (2, 1)
    assert "no notebook 'asking'" in err[0]
