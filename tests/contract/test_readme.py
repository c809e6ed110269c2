"""What the README shows is what there is."""

import json
import re
import shlex
from dataclasses import fields
from pathlib import Path

import botocore.session
import click
import pytest
from botocore import xform_name

import festival
from festival.cli import main as command
from festival.lineup.columns import ALIASES, LAST_ALIASES
from festival.lineup.mapping import LineupMapping
from festival.query.patterns import (
    AccessPattern,
    KeyQuery,
    by_performer,
    more_popular_than,
    on_date,
    stage_at_exactly,
)
from festival.stack.template import parse_template
from tests.benchmarks.readme import BEGIN, END, FIGURES, section

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TEMPLATE = (ROOT / "cloudformation" / "o240-stack.yaml").read_text(encoding="utf-8")


def commands(program):
    """Every call of a program that the README shows in a block."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)).replace("\\\n", " ")
    shown = [line.split(" #")[0].strip() for line in blocks.splitlines()]
    return [line for line in shown if line.startswith(f"{program} ")]


def parse(args):
    """Let click parse a call as it would before running it."""
    context = command.festival.make_context("festival", list(args))
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, found, rest = context.command.resolve_command(context, rest)
        context = found.make_context(name, rest, parent=context)


@pytest.mark.parametrize("line", commands("festival"))
def test_every_festival_command_of_the_readme_is_understood(line):
    parse(shlex.split(line.replace("[", "").replace("]", ""))[1:])


@pytest.mark.parametrize("line", commands("aws"))
def test_every_aws_command_of_the_readme_is_one_that_aws_has(line):
    """Services, operations and what can be waited for are botocore's, as the AWS CLI's are."""
    service, operation, *rest = shlex.split(line)[1:]
    if service in ("s3", "logs"):  # with commands of the CLI's own: cp, tail
        assert operation in {"s3": ("cp", "ls", "sync"), "logs": ("tail",)}[service]
        return
    session = botocore.session.Session()
    service = "s3" if service == "s3api" else service
    if operation == "wait":
        waiters = session.get_waiter_model(service).waiter_names
        assert rest[0] in {xform_name(each, "-") for each in waiters}
        return
    operations = session.get_service_model(service).operation_names
    assert operation in {xform_name(each, "-") for each in operations}


def test_a_command_that_is_not_there_would_be_seen():
    with pytest.raises(click.UsageError):
        parse(["query", "performer"])
    with pytest.raises(click.UsageError):
        parse(["dlq", "--undo"])


def test_the_readme_names_every_command():
    shown = {shlex.split(line)[1] for line in commands("festival")}
    shown |= set(re.findall(r"`festival (\w+)", README))
    assert shown | {"lab"} == set(command.COMMANDS)


@pytest.mark.parametrize("line", commands("make"))
def test_every_make_target_of_the_readme_is_there(line):
    assert re.search(rf"^{shlex.split(line)[1]}:", MAKEFILE, re.MULTILINE)


def test_two_commands_are_shown_first():
    first = re.search(r"```sh\n(.*?)```", README, re.DOTALL)[1]
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]


def options(line):
    """The options of an aws command by name."""
    words = shlex.split(line)
    return {
        word: following
        for word, following in zip(words, [*words[1:], ""], strict=True)
        if word.startswith("--")
    }


def spelled(query):
    """A Query in one spelling, whatever its placeholders are called."""
    return AccessPattern("", (query,), order=str).describe()


def query_of(line):
    given = options(line)
    return KeyQuery(
        given.get("--index-name"),
        given["--key-condition-expression"],
        json.loads(given.get("--expression-attribute-names", "{}")),
        json.loads(given["--expression-attribute-values"]),
    )


def test_the_aws_queries_of_the_readme_are_the_access_patterns():
    shown = {spelled(query_of(line)) for line in commands("aws dynamodb query")}
    patterns = [
        by_performer("Megan Thee Stallion"),
        on_date("2025-07-12", "16:00", "21:00"),
        stage_at_exactly("Main Stage", "2025-07-12", "20:00"),
        more_popular_than(80),
    ]
    assert shown == {spelled(pattern.queries[0]) for pattern in patterns}


def test_the_parameters_of_the_readmes_create_stack_are_those_without_a_default():
    [line] = commands("aws cloudformation create-stack")
    given = set(re.findall(r"ParameterKey=(\w+)", line))
    declared = parse_template(TEMPLATE)["Parameters"]
    needed = {name for name, parameter in declared.items() if "Default" not in parameter}
    assert given == needed


def test_files_that_the_readme_links_to_are_there():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_the_picture_is_what_the_timeline_draws():
    rows = festival.read(str(ROOT / "sample/sample.csv")).performances
    saturday = festival.timeline(rows[rows["Date"] == "2025-07-12"])
    assert (ROOT / "sample/saturday.svg").read_text(encoding="utf-8") == saturday.svg()


def test_the_parameters_of_the_readme_are_the_templates():
    names = re.findall(r"`-p ([A-Z]\w*[a-z]\w*)", README)
    assert len(names) >= 3
    assert set(names) <= set(parse_template(TEMPLATE)["Parameters"])


@pytest.mark.parametrize("field", ALIASES)
def test_the_readme_lists_every_alias(field):
    [row] = re.findall(rf"^\| {field}[^|]* \| (.*) \|$", README.split("| also called |")[1], re.M)[
        :1
    ]
    assert ALIASES[field] in row
    assert LAST_ALIASES.get(field, "") in row


def test_the_readme_explains_every_option_of_a_mapping():
    table = README.split("| what it decides |")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.*?) \|", table, re.M)))
    assert set(named) == {each.name for each in fields(LineupMapping)}


def test_the_readmes_figures_are_those_of_the_saved_run():
    """`make bench ARGS=--publish` renews both."""
    saved = json.loads(FIGURES.read_text(encoding="utf-8"))
    shown = README.split(BEGIN)[1].split(END)[0]
    assert shown == section(saved)
    assert saved["date"] in shown and f"load {saved['load']:.1f}" in shown
    assert f"medians of {saved['times']} runs" in shown


def test_the_readme_shows_every_figure_that_has_a_goal():
    saved = json.loads(FIGURES.read_text(encoding="utf-8"))
    rows = README.split(BEGIN)[1].split(END)[0].splitlines()
    compared = {(one["what"], one["call"]) for one in saved["results"] if one["against"]}
    shown = [row for row in rows if row.startswith("| ")][1:]
    for what, call in compared:
        if not what.startswith("notebook"):
            assert any(what in row and f"`{call}`" in row for row in shown), what
    assert {one["cores"] for one in saved["results"]} == {"free", "one"}
