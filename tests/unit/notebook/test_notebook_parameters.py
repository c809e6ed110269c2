"""Parameters of a notebook: read from its cell, and what people give checked against them."""

import nbformat
import pytest

from festival.errors import FestivalError
from festival.notebook.parameters import Parameter, check_given, parse, read_parameters

CELL = """\
# What to ask.
performer: str = "Sleater-Kinney #1"  # a performer, as in the lineup
since: str | None = None  # only files from this day on
minimum: int = 80  # popularity above this
share: float = 0.5  # between 0 and 1
dry_run: bool = True  # show the plan only
"""
PARAMETERS = tuple(parse(CELL))


def test_each_parameter_has_a_type_a_default_and_its_help():
    assert PARAMETERS[0] == Parameter(
        "performer", "str", False, "Sleater-Kinney #1", "a performer, as in the lineup"
    )
    assert PARAMETERS[1].declared == "str | None"
    assert [one.name for one in PARAMETERS] == ["performer", "since", "minimum", "share", "dry_run"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("performer", "007", "007"),
        ("performer", "nan", "nan"),
        ("performer", "true", "true"),
        ("performer", "none", "none"),
        ("performer", "", ""),
        ("since", "2025-07-11", "2025-07-11"),
        ("since", "none", None),
        ("minimum", "90", 90),
        ("minimum", "-1", -1),
        ("share", "1e-3", 0.001),
        ("share", "1", 1.0),
        ("dry_run", "False", False),
        ("dry_run", "yes", True),
    ],
)
def test_a_value_becomes_what_its_declared_type_says(name, text, value):
    found = check_given(PARAMETERS, [(name, text)])
    assert found == {name: value}
    assert type(found[name]) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("minimum", "many", "parameter minimum is 'many': expected a whole number"),
        ("minimum", "8.5", "parameter minimum is '8.5': expected a whole number"),
        ("minimum", "none", "parameter minimum is 'none': expected a whole number"),
        ("share", "nan", "parameter share is 'nan': expected a number"),
        ("share", "-inf", "parameter share is '-inf': expected a number"),
        ("dry_run", "maybe", "parameter dry_run is 'maybe': expected true or false"),
    ],
)
def test_a_value_of_another_type_is_one_clear_line(name, text, expected):
    with pytest.raises(FestivalError) as caught:
        check_given(PARAMETERS, [(name, text)])
    assert str(caught.value) == expected


def test_an_unknown_parameter_is_refused_with_the_nearest_name():
    with pytest.raises(FestivalError, match="'perfomer': did you mean performer"):
        check_given(PARAMETERS, [("perfomer", "Björk")])
    with pytest.raises(FestivalError, match="it has performer, since, minimum, share, dry_run"):
        check_given(PARAMETERS, [("zzz", "1")])


def test_the_last_of_two_values_for_one_parameter_counts():
    assert check_given(PARAMETERS, [("minimum", "1"), ("minimum", "2")]) == {"minimum": 2}


@pytest.mark.parametrize("cell", ["x = 1", "x: int", "print('hello')", "x: list = []"])
def test_a_parameters_cell_that_is_not_clear_is_an_error(cell):
    with pytest.raises(FestivalError, match="expected"):
        list(parse(cell))


def test_the_cell_with_the_parameters_tag_is_the_one_that_counts(tmp_path):
    cells = [
        nbformat.v4.new_code_cell("other: int = 1"),
        nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]}),
    ]
    path = tmp_path / "query.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    assert read_parameters(path) == PARAMETERS


def test_a_notebook_without_parameters_has_none(tmp_path):
    path = tmp_path / "plain.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), path)
    assert read_parameters(path) == ()


def test_what_is_no_notebook_is_said_in_one_line(tmp_path):
    (tmp_path / "broken.ipynb").write_text("{")
    with pytest.raises(FestivalError, match="is no notebook") as caught:
        read_parameters(tmp_path / "broken.ipynb")
    assert "\n" not in str(caught.value)
    with pytest.raises(FestivalError, match="No such file"):
        read_parameters(tmp_path / "missing.ipynb")
