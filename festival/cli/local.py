"""`festival local` and `festival lab`: the embedded AWS until Ctrl-C, alone or under JupyterLab."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import click

from festival.cli.printing import email_lines, step
from festival.embedded.aws import EMAIL, EmbeddedAws
from festival.embedded.demo import FILES, SAMPLES, drop
from festival.errors import FestivalError
from festival.stack.stack import StackOutputs

ENVIRONMENT_FILE = Path(".festival", "env")
NOTEBOOKS = Path("notebooks")
LAB_FOLDER = Path("runs", "lab")
JUPYTER = (sys.executable, "-m", "jupyterlab")
POLL_SECONDS = 0.3
WAKE_SECONDS = 1.0
# Unsets whatever would lead a shell to another AWS or table; works in bash, zsh and sh.
CLEAR = (
    "for name in $(env | cut -d= -f1 | grep -E '^(AWS_|BOTO_|FESTIVAL_(TABLE|STACK)$)');"
    ' do unset "$name"; done\n'
)

port_option = click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: any.")
empty_option = click.option("--empty", is_flag=True, help="Do not ingest the samples.")


@click.command()
@port_option
@empty_option
def local(port: int, empty: bool) -> None:
    """Run the embedded AWS until Ctrl-C.

    Deploys the stack and ingests the samples. Every file uploaded after that is ingested as on AWS,
    and its e-mail is shown here. You may deploy and remove stacks while it runs.
    """
    with started(port, empty) as (aws, outputs), environment_file(aws, outputs) as variables:
        click.echo(f"\nIn another terminal:  source {ENVIRONMENT_FILE}   or:\n\n{variables}")
        click.echo("E-mails appear here as they are sent. Ctrl-C ends.", err=True)
        seen = {outputs.stack: len(aws.emails())}
        while True:
            deployed = aws.work(complain)
            seen = {stack: seen.get(stack, 0) for stack in deployed}
            for stack in deployed:
                with suppress(FestivalError):  # just torn down
                    for email in aws.emails(stack)[seen[stack] :]:
                        seen[stack] += 1
                        click.echo("\n".join(email_lines(email, EMAIL)))
            time.sleep(POLL_SECONDS)


@click.command(context_settings={"ignore_unknown_options": True})
@empty_option
@click.argument("jupyter_options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def lab(ctx: click.Context, empty: bool, jupyter_options: tuple[str, ...]) -> None:
    """Run the embedded AWS with JupyterLab on it.

    JupyterLab opens copies of the notebooks in runs/lab; existing copies are kept. Other options go
    to JupyterLab (--no-browser, --port 9000), and this command exits with JupyterLab's status.
    """
    if find_spec("jupyterlab") is None:
        raise FestivalError(
            "this command needs jupyterlab: run pip install -e '.[lab]' in the kit's folder"
        )
    if is_root() and "--allow-root" not in jupyter_options:
        raise FestivalError(
            "JupyterLab refuses to run as root: add --allow-root, or run this as another user"
        )
    status = 0
    with started(0, empty) as (aws, outputs), environment_file(aws, outputs):
        folder = copied_notebooks(NOTEBOOKS, LAB_FOLDER)
        click.echo(f"notebooks: copies in {folder}/; other terminals: source {ENVIRONMENT_FILE}")
        status = run_to_its_end([*JUPYTER, *jupyter_options, str(folder)])
    ctx.exit(status)


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def copied_notebooks(source: Path, folder: Path) -> Path:
    """Copy the notebooks into `folder` and return it. An existing copy is kept: it may be edited.

    Raises FestivalError if there are no notebooks.
    """
    notebooks = sorted(source.glob("*.ipynb"))
    if not notebooks:
        raise FestivalError(f"no notebooks in {source}/: run this in a checkout of the kit")
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in notebooks:
        if not (folder / notebook.name).exists():
            shutil.copyfile(notebook, folder / notebook.name)
    return folder


def run_to_its_end(command: Sequence[str]) -> int:
    """Run a program that handles Ctrl-C itself; returns its exit status, 128 + n for a signal n.

    SIGTERM is passed on to it.
    """
    with subprocess.Popen(command) as process:
        handlers = {
            # Ctrl-C also reaches the program, which asks what to do.
            signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
            signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
        }
        try:
            # Not one long wait, because a signal received by another thread would not end it.
            while (status := process.poll()) is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(WAKE_SECONDS)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return status if status >= 0 else 128 - status


@contextmanager
def started(port: int, empty: bool) -> Iterator[tuple[EmbeddedAws, StackOutputs]]:
    """The embedded AWS with the stack, the samples and a running function.

    Ends cleanly on Ctrl-C and SIGTERM, leaving nothing behind.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with EmbeddedAws(port) as aws:
        with step(f"the embedded AWS on {aws.endpoint_url}; deploying the stack"):
            outputs = aws.deploy()
        for name in () if empty else FILES:
            with step(f"sample/{name}"):
                drop(aws, outputs, SAMPLES / name)
        aws.work(complain)
        with suppress(KeyboardInterrupt):
            yield aws, outputs


def complain(error: Exception) -> None:
    click.echo(
        f"festival: the function gets no more messages: {error}; the next deployment restarts it",
        err=True,
    )


@contextmanager
def environment_file(aws: EmbeddedAws, outputs: StackOutputs) -> Iterator[str]:
    """Writes a file that makes another shell reach this AWS and no other."""
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
    """The variables as `export` lines for a shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
