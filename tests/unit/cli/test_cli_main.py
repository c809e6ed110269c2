import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from festival import __main__ as first_step
from festival.cli import main as command
from festival.errors import FestivalError

ROOT = Path(__file__).parents[3]


def said(capsys, *args):
    """The exit status of the command, its standard output and the lines of its standard error."""
    with pytest.raises(SystemExit) as ended:
        command.main(list(args))
    out, err = capsys.readouterr()
    return ended.value.code, out, err.splitlines()


@pytest.fixture
def check_that(monkeypatch):
    """Let `festival check` do something else."""

    def replace(action):
        @click.command("check")
        def check():
            action()

        from festival.cli import files

        monkeypatch.setattr(files, "check", check)

    return replace


def raising(error):
    def action():
        raise error

    return action


def test_festival_alone_shows_its_commands(capsys):
    status, out, err = said(capsys)
    assert (status, err) == (0, [])
    assert all(f"\n  {name} " in out for name in command.COMMANDS)


@pytest.mark.parametrize(
    "args",
    [
        ["dance"],
        ["check"],
        ["normalize", "a.csv", "b.csv"],
        ["check", "--loud", "a.csv"],
        ["normalize", "a.csv", "--to", "xml"],
        ["query"],
        ["query", "popular", "--above", "very"],
        ["history", "--days", "0"],
        ["query", "stage", "Main Stage"],
    ],
    ids=" ".join,
)
def test_a_usage_error_is_one_line_and_exit_2(capsys, args):
    status, out, err = said(capsys, *args)
    assert (status, out, len(err)) == (2, "", 1), err
    assert err[0].startswith("festival: ")
    assert "--help)" in err[0]


def test_a_mistake_is_one_line_however_its_message_was_laid_out(capsys, check_that):
    check_that(raising(FestivalError("lineup.csv: no header:\n\texpected Performer")))
    status, _, err = said(capsys, "check")
    assert (status, err) == (2, ["festival: lineup.csv: no header: expected Performer"])


def test_ctrl_c_ends_quietly(capsys, check_that):
    check_that(raising(KeyboardInterrupt()))
    assert said(capsys, "check") == (130, "", [])


class InterruptedModule:
    """A module whose import Ctrl-C interrupts."""

    @property
    def main(self):
        raise KeyboardInterrupt


def test_ctrl_c_ends_quietly_even_while_modules_are_imported(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "festival.cli.main", InterruptedModule())
    with pytest.raises(SystemExit) as ended:
        first_step.main()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "")


def test_the_command_begins_with_a_step_that_imports_nothing_slow():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"festival": "festival.__main__:main"}
    loaded = subprocess.run(
        [sys.executable, "-c", "import festival.__main__, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {"click", "festival.cli.main"}.isdisjoint(loaded)


def test_a_missing_extra_is_named(capsys, check_that):
    check_that(raising(ModuleNotFoundError("No module named 'moto'", name="moto.server")))
    status, _, err = said(capsys, "check")
    assert (status, err) == (
        2,
        ["festival: this command needs moto: run pip install -e '.[local]' in the kit's folder"],
    )


@pytest.mark.parametrize("extra", command.EXTRAS)
def test_a_module_of_each_extra_is_known(extra):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    everywhere = [each for each in project["optional-dependencies"][extra] if "win32" not in each]
    names = {re.match(r"[\w-]+", each)[0].replace("pyyaml", "yaml") for each in everywhere}
    assert names <= command.EXTRAS[extra]


def test_a_fault_of_our_own_is_not_hidden(check_that):
    check_that(raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        command.run(["check"])


def test_no_credentials_are_one_line(capsys, check_that):
    from botocore.exceptions import NoCredentialsError

    check_that(raising(NoCredentialsError()))
    [line] = said(capsys, "check")[2]
    assert line.startswith("festival: AWS: Unable to locate credentials: run aws configure")


def test_a_reader_that_goes_away_is_no_error():
    """As in `festival normalize big.csv | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", "from festival.cli.main import main; main(['--help'])"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("name", command.COMMANDS)
def test_the_list_of_commands_says_what_each_one_says_of_itself(name):
    context = click.Context(command.festival)
    found = command.festival.get_command(context, name)
    assert found is not None
    assert found.help.splitlines()[0] == command.COMMANDS[name].summary


def test_check_needs_neither_pandas_nor_moto_nor_boto3():
    loaded = subprocess.run(
        [sys.executable, "-c", "import festival.cli.files, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert {"pandas", "moto", "boto3", "papermill", "matplotlib"}.isdisjoint(loaded)
    assert "click" in loaded
