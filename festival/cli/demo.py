"""`festival demo`: the whole way on the embedded AWS, told as it happens."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from festival.cli import answers as printed
from festival.cli.text import counted, printable
from festival.ops.demo import FILES, SAMPLES, Answer, answers, drop, item_count
from festival.ops.embedded import EMAIL, Email, EmbeddedAws
from festival.ops.stack import StackOutputs


@click.command()
def demo() -> None:
    """The whole way on an embedded AWS: samples in, e-mails and answers out.

    Needs no account and reaches none: all of it happens on this machine.
    """
    with EmbeddedAws() as aws:
        click.echo(f"An AWS of its own on {aws.endpoint_url}: nothing leaves this machine.\n")
        with step("deploying cloudformation/o240-stack.yaml"):
            outputs = aws.deploy()
        show_pipeline(aws, outputs)
        show_answers(aws, outputs)
    click.echo("\n".join(next_lines()))


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    click.echo(f"▸ {what} … ", nl=False)
    began = time.perf_counter()
    try:
        yield
    except BaseException:
        click.echo()
        raise
    click.echo(f"{time.perf_counter() - began:.1f} s")


def show_pipeline(aws: EmbeddedAws, outputs: StackOutputs) -> None:
    """Each sample through S3, SQS, the function, DynamoDB and SNS; the e-mail that comes of it."""
    for name in FILES:
        with step(f"sample/{name} → S3 → SQS → {outputs.function} → DynamoDB → SNS"):
            emails = drop(aws, outputs, SAMPLES / name)
        for email in emails:
            click.echo("\n".join(email_lines(email)))
        click.echo(f"  {counted(item_count(aws, outputs), 'item')} in the table\n")


def email_lines(email: Email) -> Iterator[str]:
    """An e-mail as it would arrive."""
    yield f"  ┌ To:      {EMAIL}"
    yield f"  │ Subject: {printable(email.subject)}"
    yield "  │"
    yield from (f"  │ {printable(line)}".rstrip() for line in email.body.rstrip().splitlines())
    yield "  └"


def show_answers(aws: EmbeddedAws, outputs: StackOutputs) -> None:
    click.echo("▸ what the table answers, each compared with the files themselves\n")
    files = [SAMPLES / name for name in FILES]
    client = aws.session().client("dynamodb")
    for answer in answers(client, outputs.table, files):
        click.echo("\n".join(answer_lines(answer)) + "\n")


def answer_lines(answer: Answer) -> Iterator[str]:
    question, *conditions = answer.pattern.describe().splitlines()
    yield f"  {question}"
    yield from (f"  {condition}" for condition in conditions)
    yield from (f"    {line}" for line in printed.lines(answer.performances))
    found = counted(len(answer.performances), "performance")
    yield f"    {found} by {printed.queries(answer.pattern)}"


def next_lines() -> Iterator[str]:
    """What a newcomer may want now."""
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
    """How to call this command here: by its name where it is on the path."""
    if shutil.which("festival"):
        return "festival"
    here = Path(sys.argv[0])
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)
