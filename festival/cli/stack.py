"""`festival build`, `deploy`, `verify` and `teardown`: build, run, check and remove the stack."""

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from festival.cli.printing import step, table
from festival.errors import FestivalError
from festival.kit import Kit
from festival.stack.build import build_zip, make_archive
from festival.stack.deploy import (
    DeployPlan,
    DeployRequest,
    PendingPlan,
    discard,
    execute,
    guard,
    pending_plans,
    plan,
    watch,
)
from festival.stack.stack import Resource, StackOutputs, Step, read_outputs
from festival.stack.teardown import TeardownPlan, plan_teardown
from festival.stack.teardown import teardown as remove_stack
from festival.stack.verify import WAIT_SECONDS, Check, Verification
from festival.text import counted, printable

stack_option = click.option(
    "--stack", metavar="NAME", help="Default: FESTIVAL_STACK, else o240-festival."
)
NEVER = "never"
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@click.option("-o", "--out", metavar="OUT", default="build/function.zip", show_default=True)
def build(out: str) -> None:
    """Build the function's zip.

    The same sources give the same bytes.
    """
    archive = build_zip(Path(out))
    click.echo(f"{archive} ({archive.stat().st_size:,} bytes)")


@click.command()
@stack_option
@click.option("--email", metavar="ADDRESS", help="Who gets the e-mails. Required the first time.")
@click.option(
    "--upload-bucket", metavar="NAME", help="Default: named after stack, account and region."
)
@click.option(
    "--deployment-bucket", metavar="NAME", help="Holds the zip. Default: the kit makes one."
)
@click.option(
    "--schedule",
    metavar="WHEN",
    help="When the backfill runs: 'cron(0 3 * * ? *)', 'rate(1 day)', or never.",
)
@click.option(
    *("-p", "--parameter", "template_parameters"),
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="Any parameter of the template. Parameters not given keep their values.",
)
@yes_option
def deploy(
    stack: str | None,
    email: str | None,
    upload_bucket: str | None,
    deployment_bucket: str | None,
    schedule: str | None,
    template_parameters: tuple[tuple[str, str], ...],
    yes: bool,
) -> None:
    """Create or update the stack.

    Builds the zip, uploads it under a name made from its content, and shows what would change
    before changing anything. At the end, protects the tables from deletion. Safe to run again at
    any time, even after an interrupt.
    """
    kit = Kit.from_environment()
    options = {
        "EmailAddress": email,
        "UploadBucketName": upload_bucket,
        "DeploymentBucketName": deployment_bucket,
        "BackfillSchedule": "" if schedule == NEVER else schedule,
    }
    parameters = dict(template_parameters)
    parameters |= {name: value for name, value in options.items() if value is not None}
    session, name = kit.session, stack or kit.stack
    deploy_request = DeployRequest(name, parameters)
    with TemporaryDirectory() as folder:
        if parameters.get("BackfillSchedule"):
            with step("collecting every wheel that a scheduled backfill needs"):
                deploy_request = replace(
                    deploy_request, archive=make_archive(Path(folder) / "kit.zip")
                )
        for event in watch(session, name):
            click.echo(step_line(event))
        for pending in pending_plans(session, name):
            click.echo(pending_line(pending))
            if not agreed(yes, "Discard it?"):
                raise FestivalError("nothing was changed")
        planned = plan(session, deploy_request)
    click.echo("\n".join(plan_lines(planned)))
    if planned.change_set is not None:
        if not agreed(yes, "Go ahead?"):
            discard(session, planned)
            raise FestivalError("nothing was changed")
        for event in execute(session, planned):
            click.echo(step_line(event))
    for event in guard(session, name):
        click.echo(step_line(event))
    outputs = read_outputs(session, name)
    click.echo("\n".join(outputs_lines(outputs, planned)))


def pending_line(pending: PendingPlan) -> str:
    since = f" of {pending.created:%Y-%m-%d %H:%M} UTC" if pending.created else ""
    return (
        f"The plan {pending.name}{since} was never carried out: an interrupt left it, or somebody"
        " is looking at it now."
    )


def outputs_lines(outputs: StackOutputs, planned: DeployPlan) -> Iterator[str]:
    """The names of the stack's resources, and what to do next."""
    yield ""
    names = [(name.replace("_", " "), value) for name, value in asdict(outputs).items()]
    yield from table(("Output", ""), names)
    yield ""
    yield "The tables are protected from deletion; festival teardown removes that protection."
    if planned.creates:
        yield "SNS has sent an e-mail to confirm the subscription: open it and confirm."
    yield f"Next: aws s3 cp sample/sample.csv s3://{outputs.upload_bucket}/"


@click.command()
@stack_option
@click.option("--delete-data", is_flag=True, help="Also remove tables and buckets that hold data.")
@yes_option
def teardown(stack: str | None, delete_data: bool, yes: bool) -> None:
    """Remove the stack.

    Shows what it would remove, then asks. If the tables or buckets hold data, it stops unless
    --delete-data is given.
    """
    kit = Kit.from_environment()
    planned = plan_teardown(kit.session, stack or kit.stack)
    click.echo("\n".join(teardown_lines(planned)))
    if planned.holding_data and not delete_data:
        names = ", ".join(resource.id for resource in planned.holding_data)
        raise FestivalError(f"there is data in {names}: pass --delete-data to remove it for good")
    if planned.attached:
        raise FestivalError(
            f"a policy of the stack is still attached: run {'; '.join(planned.attached)}; then"
            " festival teardown again"
        )
    if not agreed(yes, f"Remove the stack {planned.stack} for good?"):
        raise FestivalError("nothing was removed")
    for event in remove_stack(kit.session, planned, delete_data=delete_data):
        click.echo(step_line(event))
    if planned.deployment_bucket:
        click.echo(
            f"The deployment bucket stays: aws s3 rb s3://{planned.deployment_bucket} --force"
        )


@click.command()
@stack_option
@click.option(
    *("--wait", "seconds"),
    type=click.IntRange(1, 3600),
    default=int(WAIT_SECONDS),
    show_default=True,
    help="How many seconds the lineup may take.",
)
def verify(stack: str | None, seconds: int) -> None:
    """Send one small lineup all the way through the stack.

    Checks the function, alarms and subscription, uploads its own lineup, follows it into the table,
    asks the five questions, then removes everything again. Sends one e-mail. Exit status 2 if a
    check fails.
    """
    kit = Kit.from_environment()
    verification = Verification(kit.session, stack or kit.stack, float(seconds))
    failed = 0
    for check in verification.checks():
        click.echo(check_line(check))
        failed += bool(check.remedy)
    if failed:
        raise FestivalError(f"{counted(failed, 'check')} failed: each line with ✗ says what to do")
    click.echo("The stack works.")


def check_line(check: Check) -> str:
    mark, remedy = ("✗", f": {printable(check.remedy)}") if check.remedy else ("✓", "")
    return f"{mark} {check.name} ({check.seconds:.1f} s): {printable(check.finding)}{remedy}"


def teardown_lines(planned: TeardownPlan) -> Iterator[str]:
    """What a teardown would remove."""
    existing = [resource for resource in planned.resources if resource.exists]
    yield f"To remove the stack {planned.stack}: {counted(len(existing), 'resource')}"
    rows = [_resource_cells(resource, planned) for resource in existing]
    yield from (f"  {line}" for line in table(("Resource", "Type", "Name", "Data"), rows))


def _resource_cells(resource: Resource, planned: TeardownPlan) -> tuple[str, str, str, str]:
    data = "holds data" if resource in planned.holding_data else ""
    return (resource.name, resource.type, resource.id, data)


def agreed(yes: bool, question: str) -> bool:
    """Whether the person agrees, by --yes or by answering at a terminal."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise FestivalError("not a terminal: pass --yes to continue")
    return click.confirm(question)


def plan_lines(planned: DeployPlan) -> Iterator[str]:
    """What a change set would do."""
    if planned.change_set is None:
        yield f"The stack {planned.stack} is up to date: nothing to change."
        return
    verb = "create" if planned.creates else "update"
    yield f"To {verb} the stack {planned.stack}: {counted(len(planned.changes), 'change')}"
    rows = [
        (change.action, change.resource, change.type, change.replacement)
        for change in planned.changes
    ]
    yield from (f"  {line}" for line in table(("Action", "Resource", "Type", "Replacement"), rows))
    yield from (f"Careful: {change.warning}" for change in planned.changes if change.warning)


def step_line(event: Step) -> str:
    reason = f"  {event.reason}" if event.reason else ""
    return f"  {event.time:%H:%M:%S}  {event.status:<28}  {event.resource}{reason}"
