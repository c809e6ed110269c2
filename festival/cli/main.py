"""The `festival` command: which module has each command, and how every mistake becomes one line.

A command's module is loaded only when the command is called, so `festival check` needs only boto3
and click, and starts at once.
"""

import os
import signal
import sys
from importlib import import_module
from typing import NamedTuple

import click

from festival.errors import FestivalError

COULD_NOT = 2
INTERRUPTED = 128 + signal.SIGINT
BROKEN_PIPE = 128 + 13  # SIGPIPE, as a shell reports it


class LazyCommand(NamedTuple):
    """A command not loaded yet: its module in `festival.cli`, and the first sentence of its help.

    `name` is the command's name in its module, if it differs from what a user types.
    """

    module: str
    summary: str
    name: str = ""


COMMANDS = {
    "demo": LazyCommand(
        "demo", "Show every step on an embedded AWS: samples in, e-mails and answers out."
    ),
    "check": LazyCommand(
        "files", "Show which rows of a lineup would be accepted; nothing is written."
    ),
    "inspect": LazyCommand("inspect", "Show how a file is read, and what only you can decide."),
    "normalize": LazyCommand(
        "files", "Write the accepted performances with the table's attributes."
    ),
    "ingest": LazyCommand("ingest", "Put a lineup into the table."),
    "query": LazyCommand("query", "Ask the table."),
    "list": LazyCommand("query", "Show what is in the table: dates, stages, performers.", "list_"),
    "status": LazyCommand(
        "operate", "Show the stack, its queues, ingests, alarms and subscription."
    ),
    "reconcile": LazyCommand(
        "reconcile", "Show what a new version of a lineup changed; remove what it left."
    ),
    "history": LazyCommand("operate", "Show the result of every ingest, from the ledger."),
    "dlq": LazyCommand("operate", "Show the dead-letter queue, and put messages back."),
    "run": LazyCommand("run", "Run a notebook, with its parameters checked first."),
    "local": LazyCommand("local", "Run the embedded AWS until Ctrl-C."),
    "lab": LazyCommand("local", "Run the embedded AWS with JupyterLab on it."),
    "build": LazyCommand("stack", "Build the function's zip."),
    "deploy": LazyCommand("stack", "Create or update the stack."),
    "verify": LazyCommand("stack", "Send one small lineup all the way through the stack."),
    "teardown": LazyCommand("stack", "Remove the stack."),
}

# Which extra installs a missing module.
EXTRAS = {
    "analysis": {"pandas", "matplotlib", "openpyxl", "icalendar", "numpy"},
    "notebooks": {"papermill", "ipykernel", "nbconvert", "nbformat", "nbclient"},
    "local": {"moto", "yaml", "flask", "werkzeug"},
}

REMEDIES = {
    "NoCredentialsError": "run aws configure, or name a profile in AWS_PROFILE",
    "NoRegionError": "name one in AWS_REGION, or in the profile",
}


class Commands(click.Group):
    """A group that loads each command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        lazy = COMMANDS[cmd_name]
        command = getattr(import_module(f"festival.cli.{lazy.module}"), lazy.name or cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in COMMANDS.items()])


@click.group(cls=Commands, invoke_without_command=True, no_args_is_help=False)
@click.version_option(package_name="festival", message="festival %(version)s")
@click.pass_context
def festival(ctx: click.Context) -> None:
    """Festival lineups from a file in S3 to answers in a notebook."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(args: list[str] | None = None) -> None:
    """Exit status: 0 done; 1 done, with rejections and --strict; 2 could not be done."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = BROKEN_PIPE
    sys.exit(status)


def run(args: list[str] | None) -> int:
    """Run one command and return its exit status. A user's mistake is one line on stderr."""
    try:
        with festival.make_context("festival", sys.argv[1:] if args is None else args) as context:
            festival.invoke(context)
        return 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "festival"
        return complain(f"{error.format_message()} (see {where} --help)")
    except click.ClickException as error:
        return complain(error.format_message())
    except ModuleNotFoundError as error:
        return complain(missing(error))
    except FestivalError as error:
        return complain(str(error))
    except OSError as error:
        return complain(f"{error.filename or 'festival'}: {error.strerror or error}")
    except Exception as error:
        if is_from_aws(error):
            remedy = REMEDIES.get(type(error).__name__, "")
            return complain(f"AWS: {error}{remedy and f': {remedy}'}")
        raise


def complain(message: str) -> int:
    click.echo(f"festival: {' '.join(message.split())}", err=True)
    return COULD_NOT


def missing(error: ModuleNotFoundError) -> str:
    """Which extra to install for a missing module."""
    name = (error.name or "").split(".")[0]
    for extra, modules in EXTRAS.items():
        if name in modules:
            return f"this command needs {name}: run pip install -e '.[{extra}]' in the kit's folder"
    raise error


def is_from_aws(error: Exception) -> bool:
    """Whether botocore raised it: no credentials, no connection, access denied, a bad answer."""
    if "botocore" not in sys.modules:
        return False
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return isinstance(error, BotoCoreError | ClientError | ResponseParserError)


if __name__ == "__main__":
    main()
