"""Parameters of a notebook: read from its cell, and what people give checked against them."""

import nbformat
import pytest

from festival.errors import FestivalError
from festival.notebook.parameters import (
    Parameter,
    between,
    check_given,
    checked_namespace,
    parse,
    read_parameters,
)

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
    with pytest.raises(FestivalError, match="is not a notebook") as caught:
        read_parameters(tmp_path / "broken.ipynb")
    assert "\n" not in str(caught.value)
    with pytest.raises(FestivalError, match="No such file"):
        read_parameters(tmp_path / "missing.ipynb")


def running(injected="", **values):
    """The namespace of a notebook whose parameters cell declared these, after papermill's cell."""
    declared = {"performer": str, "minimum": int, "share": float, "dry_run": bool}
    defaults = {"performer": "Elbow", "minimum": 80, "share": 0.5, "dry_run": True}
    cells = ["", CELL, f"# Parameters\n{injected}\n"]
    return {"__annotations__": declared, "In": cells, **defaults, **values}


class TestInTheNotebookItself:
    @pytest.mark.parametrize(
        ("name", "given", "value"),
        [
            ("dry_run", "false", False),
            ("dry_run", "True", True),
            ("dry_run", False, False),
            ("minimum", "90", 90),
            ("share", 1, 1.0),
            ("performer", 1914, "1914"),
            ("performer", None, ""),
        ],
    )
    def test_what_papermill_made_of_a_value_becomes_the_declared_type(self, name, given, value):
        found = checked_namespace(running(**{name: given}), {})[name]
        assert (found, type(found)) == (value, type(value))

    @pytest.mark.parametrize(
        ("name", "given", "expected"),
        [
            ("dry_run", "maybe", "parameter dry_run is 'maybe': expected true or false"),
            ("dry_run", 0, "parameter dry_run is 0: expected true or false"),
            ("minimum", True, "parameter minimum is True: expected a whole number"),
            ("minimum", 8.0, "parameter minimum is 8.0: expected a whole number"),
            ("share", float("nan"), "parameter share is nan: expected a number"),
            ("performer", 1.1, "parameter performer is 1.1: expected text"),
            ("performer", ["Elbow"], "parameter performer is ['Elbow']: expected text"),
        ],
    )
    def test_a_value_of_another_type_is_refused_in_one_line(self, name, given, expected):
        with pytest.raises(FestivalError) as refused:
            checked_namespace(running(**{name: given}), {})
        assert str(refused.value).startswith(expected)
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize("given", [0, -3, 65])
    def test_a_number_out_of_its_range_is_refused_with_the_range(self, given):
        with pytest.raises(FestivalError, match=f"minimum is {given}: expected 1 to 64"):
            checked_namespace(running(minimum=given), {"minimum": between(1, 64)})

    def test_a_range_may_be_open(self):
        assert checked_namespace(running(minimum=10**9), {"minimum": between(0)})
        with pytest.raises(FestivalError, match="expected 0 or more"):
            checked_namespace(running(minimum=-1), {"minimum": between(0)})

    def test_a_text_that_is_no_choice_is_refused_with_the_choices(self):
        with pytest.raises(FestivalError, match="performer is 'Elbow': expected Pulp, Björk"):
            checked_namespace(running(), {"performer": ("Pulp", "Björk")})

    def test_a_parameter_that_the_notebook_does_not_have_is_refused_with_the_nearest(self):
        with pytest.raises(FestivalError, match="no parameter 'dryrun': did you mean dry_run"):
            checked_namespace(running(injected="dryrun = False"), {})

    def test_names_of_the_notebooks_own_cells_are_no_parameters(self):
        assert checked_namespace(running(weekend="Saturday"), {})["minimum"] == 80
