"""`festival run`: runs a notebook by papermill, after checking its parameters."""

from pathlib import Path

import click

from festival.cli.printing import table
from festival.notebook.parameters import read_parameters
from festival.notebook.run import find_notebook, run_notebook


@click.command(context_settings={"help_option_names": []})
@click.argument("notebook", required=False)
@click.option(
    *("-p", "--parameter", "parameters"),
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter of the notebook. Repeat the option for each one.",
)
@click.option(
    *("-o", "--out"),
    metavar="OUT",
    help="The executed copy: a path, a folder/ or s3://…  Default: runs/NAME-TIME.ipynb",
)
@click.option("--help", "wants_help", is_flag=True, help="This text, or NOTEBOOK's parameters.")
@click.pass_context
def run(
    ctx: click.Context,
    notebook: str | None,
    parameters: tuple[tuple[str, str], ...],
    out: str | None,
    wants_help: bool,
) -> None:
    """Run a notebook, with its parameters checked first.

    NOTEBOOK is a path or the name of one in notebooks/ (query). An HTML report is written beside
    the executed copy. festival run --help NOTEBOOK lists the notebook's parameters.
    """
    if notebook is None:
        if not wants_help:
            raise click.UsageError("Missing argument 'NOTEBOOK'.", ctx)
        click.echo(ctx.get_help())
        return
    path = find_notebook(notebook)
    if wants_help:
        click.echo(parameters_of(path))
        return
    result = run_notebook(path, parameters, out)
    click.echo(f"executed notebook: {result.executed}\nreport:            {result.report}")


def parameters_of(path: Path) -> str:
    """A notebook's parameters as a table."""
    rows = [
        (parameter.name, parameter.declared, repr(parameter.default), parameter.help)
        for parameter in read_parameters(path)
    ]
    if not rows:
        return f"{path} has no parameters"
    return "\n".join([f"{path}", "", *table(("Parameter", "Type", "Default", ""), rows)])
