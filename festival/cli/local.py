"""`festival local` and `festival lab`: the embedded AWS until Ctrl-C, alone or under JupyterLab."""

import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import click

from festival.cli.steps import email_lines, step
from festival.embedded.aws import EMAIL, EmbeddedAws
from festival.embedded.demo import FILES, SAMPLES, drop
from festival.errors import FestivalError
from festival.stack.stack import StackOutputs

ENVIRONMENT_FILE = Path(".festival", "env")
LOOK_SECONDS = 0.3
# Clears another shell of what would lead away from this AWS, whatever it has set; bash, zsh and sh.
CLEAR = (
    "for name in $(env | cut -d= -f1 | grep -E '^(AWS_|BOTO_|FESTIVAL_(TABLE|STACK)$)');"
    ' do unset "$name"; done\n'
)

port_option = click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: any.")
empty_option = click.option("--empty", is_flag=True, help="Leave the samples out.")


@click.command()
@port_option
@empty_option
def local(port: int, empty: bool) -> None:
    """Run the embedded AWS until Ctrl-C.

    The stack is deployed and the samples are ingested. Every file that is uploaded from then on is
    ingested as on AWS, and its e-mail is shown here. Stacks may be removed and deployed meanwhile.
    """
    with started(port, empty) as (aws, outputs), environment_file(aws, outputs) as variables:
        click.echo(f"\nIn another terminal:  source {ENVIRONMENT_FILE}   or:\n\n{variables}")
        click.echo("E-mails appear here as they are sent. Ctrl-C ends.", err=True)
        shown = {outputs.stack: len(aws.emails())}
        while True:
            deployed = aws.work(complain)
            shown = {stack: shown.get(stack, 0) for stack in deployed}
            for stack in deployed:
                with suppress(FestivalError):  # torn down just now
                    for email in aws.emails(stack)[shown[stack] :]:
                        shown[stack] += 1
                        click.echo("\n".join(email_lines(email, EMAIL)))
            time.sleep(LOOK_SECONDS)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--empty", is_flag=True, help="Leave the samples out.")
@click.argument("jupyter_options", nargs=-1, type=click.UNPROCESSED)
def lab(empty: bool, jupyter_options: tuple[str, ...]) -> None:
    """Run the embedded AWS with JupyterLab on it.

    Other options go to JupyterLab (--no-browser, --port 9000).
    """
    if find_spec("jupyterlab") is None:
        raise FestivalError(
            "this command needs jupyterlab: run pip install -e '.[lab]' in the kit's folder"
        )
    with started(0, empty):
        subprocess.run([sys.executable, "-m", "jupyterlab", *jupyter_options], check=False)


@contextmanager
def started(port: int, empty: bool) -> Iterator[tuple[EmbeddedAws, StackOutputs]]:
    """The embedded AWS with the stack and the samples, and the function at work.

    Ends cleanly on Ctrl-C and SIGTERM: nothing is left behind.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with EmbeddedAws(port) as aws:
            with step(f"an AWS of its own on {aws.endpoint_url}; deploying the stack"):
                outputs = aws.deploy()
            for name in () if empty else FILES:
                with step(f"sample/{name}"):
                    drop(aws, outputs, SAMPLES / name)
            aws.work(complain)
            yield aws, outputs
    except KeyboardInterrupt:
        return


def complain(error: Exception) -> None:
    click.echo(f"festival: the function's poller stopped: {error}", err=True)


@contextmanager
def environment_file(aws: EmbeddedAws, outputs: StackOutputs) -> Iterator[str]:
    """What another shell needs to reach this AWS and no other, as a file of export lines."""
    variables = CLEAR + exports(
        {
            name: aws.environment[name]
            for name in sorted(aws.environment)
            if name.startswith("AWS_") or name.upper() == "NO_PROXY"
        }
        | {
            "TABLE_NAME": outputs.table,
            "UPLOAD_BUCKET": outputs.upload_bucket,
        }
    )
    ENVIRONMENT_FILE.parent.mkdir(exist_ok=True)
    ENVIRONMENT_FILE.write_text(variables, encoding="utf-8")
    try:
        yield variables
    finally:
        ENVIRONMENT_FILE.unlink(missing_ok=True)


def exports(variables: Mapping[str, str]) -> str:
    """Lines that a shell can read."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
