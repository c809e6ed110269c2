"""`festival demo`: runs every step on the embedded AWS and shows it as it happens."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import click

from festival.cli.printing import email_lines, performance_lines, queries, step
from festival.cli.stack import check_line
from festival.embedded.aws import EMAIL, EmbeddedAws
from festival.embedded.demo import FILES, SAMPLES, DemoAnswer, answers, drop, item_count
from festival.errors import FestivalError
from festival.notebook.run import find_notebook, run_notebook
from festival.stack.stack import StackOutputs
from festival.stack.verify import Verification
from festival.table.connection import Connection
from festival.text import counted

ROOT = SAMPLES.parent
NOTEBOOKS = {
    "validate": "what is in the lineups, and what is odd in them",
    "backfill": "what a backfill of the bucket would do (a dry run)",
    "query": "the table's answers as tables and pictures",
    "cost_model": "what all this costs, and how long it takes",
}


@click.command()
def demo() -> None:
    """Show every step on an embedded AWS: samples in, e-mails and answers out.

    Needs no account and contacts none: everything happens on this machine.
    """
    with EmbeddedAws() as aws:
        click.echo(f"An embedded AWS on {aws.endpoint_url}: nothing leaves this machine.\n")
        with step("deploying cloudformation/o240-stack.yaml"):
            outputs = aws.deploy()
        show_pipeline(aws, outputs)
        show_answers(aws, outputs)
        show_verification(aws)
        show_notebooks()
    click.echo("\n".join(next_lines()))


def show_pipeline(aws: EmbeddedAws, outputs: StackOutputs) -> None:
    """Sends each sample through S3, SQS, the function, DynamoDB and SNS; shows the e-mail."""
    for name in FILES:
        with step(f"sample/{name} → S3 → SQS → {outputs.function} → DynamoDB → SNS"):
            emails = drop(aws, outputs, SAMPLES / name)
        for email in emails:
            click.echo("\n".join(email_lines(email, EMAIL)))
        click.echo(f"  {counted(item_count(aws, outputs), 'item')} in the table\n")


def show_answers(aws: EmbeddedAws, outputs: StackOutputs) -> None:
    click.echo("▸ the table's answers, each compared with the files themselves\n")
    files = [SAMPLES / name for name in FILES]
    connection = Connection.from_client(aws.session().client("dynamodb"))
    for answer in answers(connection, outputs.table, files):
        click.echo("\n".join(answer_lines(answer)) + "\n")


def show_verification(aws: EmbeddedAws) -> None:
    """Runs `festival verify` as it would run against a stack in an account."""
    click.echo("▸ festival verify: one small lineup all the way through, and removed again\n")
    poller = aws.poller()
    poller.start(lambda error: click.echo(f"festival: the function stopped: {error}", err=True))
    for check in Verification(aws.session()).checks():
        click.echo(f"  {check_line(check)}")
        if check.remedy:
            raise FestivalError(f"{check.name}: {check.finding}: {check.remedy}")
    poller.stop()
    click.echo()


def answer_lines(answer: DemoAnswer) -> Iterator[str]:
    question, *conditions = answer.pattern.describe().splitlines()
    yield f"  {question}"
    yield from (f"  {condition}" for condition in conditions)
    yield from (f"    {line}" for line in performance_lines(answer.performances))
    rows = counted(len(answer.performances), "performance")
    yield f"    {rows} by {queries(answer.pattern)}"


def show_notebooks() -> None:
    """Runs four notebooks by papermill against this AWS, and says where their reports are."""
    with chdir(ROOT):
        for name, what in NOTEBOOKS.items():
            with step(f"notebooks/{name}.ipynb: {what}"):
                result = run_notebook(
                    find_notebook(name), out=f"runs/demo/{name}.ipynb", progress=False
                )
            click.echo(f"  open {result.report}")
    click.echo()


def next_lines() -> Iterator[str]:
    """Suggests what a newcomer may want to try next."""
    festival = command_name()
    yield "What to try next:"
    for command, what in (
        (f"{festival} check sample/messy.csv", "each refused row with its line and reason"),
        (f"{festival} local", "this AWS until Ctrl-C, for your own files"),
        ("make lab", "the same with JupyterLab on it"),
        (f"{festival} deploy --email you@example.com", "the same stack in your account"),
    ):
        yield f"  {command:<{len(festival) + 34}} {what}"


def command_name() -> str:
    """How to run this command here: by name if it is on the path."""
    if shutil.which("festival"):
        return "festival"
    here = Path(sys.argv[0])
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)
