"""A CloudFormation stack: its status, outputs, resources and events, and the kit's template."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from festival.errors import FestivalError

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_cloudformation import CloudFormationClient

DEFAULT_STACK = "o240-festival"
POLL_SECONDS = 2.0
# DescribeStacks may be out of date: it may show the stack at rest before its final event.
QUIET_POLLS = 15
# CloudFormation throttles frequent callers. These pauses add up to ten minutes.
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, *(30.0,) * 19)
THROTTLES = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "ServiceUnavailable"}
SHOWN_CAUSES = 3
TEMPLATE = Path(__file__).parents[2] / "cloudformation" / "o240-stack.yaml"


@dataclass(frozen=True, slots=True)
class StackOutputs:
    """The names of a deployed stack's resources."""

    stack: str
    upload_bucket: str
    reports_bucket: str
    table: str
    ledger_table: str
    topic_arn: str
    queue_url: str
    dead_letter_queue_url: str
    function: str

    @classmethod
    def from_outputs(cls, stack: str, outputs: Mapping[str, str]) -> "StackOutputs":
        """Raises FestivalError if an output is missing: the template is another or an older one."""
        try:
            return cls(
                stack=stack,
                upload_bucket=outputs["UploadBucketNameOut"],
                reports_bucket=outputs["ReportsBucketNameOut"],
                table=outputs["TableNameOut"],
                ledger_table=outputs["LedgerTableNameOut"],
                topic_arn=outputs["TopicArnOut"],
                queue_url=outputs["QueueUrlOut"],
                dead_letter_queue_url=outputs["DeadLetterQueueUrlOut"],
                function=outputs["FunctionNameOut"],
            )
        except KeyError as missing:
            raise FestivalError(
                f"The stack {stack} has no output {missing}: it was made from another template, or"
                " from an older one of this kit; run festival deploy"
            ) from missing


WELL = (
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
    *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"),
)
_REMOVE = "fix the cause, run festival teardown --stack {0}, then festival deploy"
REMEDIES = {
    "REVIEW_IN_PROGRESS": "it was planned and never created: run festival deploy",
    "CREATE_FAILED": _REMOVE,
    "ROLLBACK_COMPLETE": _REMOVE,
    "ROLLBACK_FAILED": _REMOVE,
    "DELETE_FAILED": "fix the cause, then run festival teardown --stack {0} again",
    "UPDATE_FAILED": (
        "fix the cause, run aws cloudformation rollback-stack --stack-name {0}, then festival"
        " deploy"
    ),
    "UPDATE_ROLLBACK_FAILED": (
        "fix the cause, run aws cloudformation continue-update-rollback --stack-name {0}, then"
        " festival deploy"
    ),
    "IMPORT_ROLLBACK_FAILED": (
        "fix the cause and finish the import in the CloudFormation console, then festival deploy"
    ),
}


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as CloudFormation describes it."""

    name: str
    id: str
    status: str
    reason: str = ""
    changed: datetime | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def remedy(self) -> str:
        """What to do about this status; empty if the stack is well.

        Source: the CloudFormation guide, "Stack status codes".
        """
        if self.status in WELL:
            return ""
        if self.in_progress:
            return "wait until it is done"
        return REMEDIES.get(self.status, "open it in the CloudFormation console").format(self.name)


STACK_TYPE = "AWS::CloudFormation::Stack"
TABLE, BUCKET, QUEUE = "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue"


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a stack: what happened to a resource and why, in CloudFormation's words."""

    id: str
    time: datetime
    resource: str
    type: str
    status: str
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether this resource failed by itself; others are cancelled because one failed."""
        return self.status.endswith("_FAILED") and "cancelled" not in self.reason

    @property
    def ends_the_change(self) -> bool:
        """Whether the stack itself is at rest after this event."""
        return self.type == STACK_TYPE and not self.status.endswith("_IN_PROGRESS")


@dataclass(frozen=True, slots=True)
class Resource:
    """One of a stack's resources: its name in the template, its type, AWS's name, its status."""

    name: str
    type: str
    id: str
    status: str

    @property
    def exists(self) -> bool:
        return bool(self.id) and self.status != "DELETE_COMPLETE"

    def step(self, status: str, reason: str) -> Step:
        """What the kit itself did to this resource, as an event like CloudFormation's."""
        return Step("", datetime.now(UTC), self.name, self.type, status, reason)


def find_stack(cloudformation: "CloudFormationClient", name: str) -> Stack | None:
    """The stack with that name or id, or None. `cloudformation` is a boto3 client."""
    try:
        answer = cloudformation.describe_stacks(StackName=name)
    except ClientError as error:
        if "does not exist" in str(error):  # CloudFormation has no error code for this
            return None
        raise
    described = answer["Stacks"][0]
    return Stack(
        name=described["StackName"],
        id=described["StackId"],
        status=described["StackStatus"],
        reason=described.get("StackStatusReason", ""),
        changed=described.get("LastUpdatedTime") or described.get("CreationTime"),
        parameters={
            parameter["ParameterKey"]: parameter.get("ParameterValue", "")
            for parameter in described.get("Parameters", [])
        },
        outputs={
            output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])
        },
    )


def existing_stack(session: "boto3.Session", name: str, remedy: str) -> Stack:
    """The stack with that name. `session` is a boto3 session.

    Raises FestivalError, with `remedy` as what to do, if there is no such stack.
    """
    stack = find_stack(session.client("cloudformation"), name)
    if stack is None:
        raise FestivalError(f"There is no stack {name} in {session.region_name}: {remedy}")
    return stack


def list_resources(cloudformation: "CloudFormationClient", stack: str) -> list[Resource]:
    """All the stack's resources. `stack` is its name or id."""
    return [
        Resource(
            name=listed["LogicalResourceId"],
            type=listed["ResourceType"],
            id=listed.get("PhysicalResourceId", ""),
            status=listed["ResourceStatus"],
        )
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
        for listed in page["StackResourceSummaries"]
        if listed["LogicalResourceId"]  # moto gives no name to types it does not know
    ]


def causes(steps: Iterable[Step]) -> str:
    """Why a stack failed, in the words of the resources that failed first."""
    failed = [step for step in steps if step.failed and step.reason]
    resources = [step for step in failed if step.type != STACK_TYPE]
    reasons = [f"{step.resource}: {step.reason}" for step in resources or failed]
    return "; ".join(reasons[:SHOWN_CAUSES]) or "no resource gave a reason"


def why_it_failed(cloudformation: "CloudFormationClient", stack_id: str) -> str:
    """The causes over the stack's whole life."""
    return causes(_steps_since(cloudformation, stack_id, ""))


def last_step(cloudformation: "CloudFormationClient", stack_id: str) -> str:
    """The id of a stack's newest event, from which `follow` can tell what is new."""
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    return str(events[0]["EventId"]) if events else ""


def follow(cloudformation: "CloudFormationClient", stack_id: str, since: str) -> Iterator[Step]:
    """A stack's events after the event `since`, as they come, until the stack is at rest.

    The stack's own final event marks the end. DescribeStacks may still show the state before the
    change, so it is believed only if nothing has happened for half a minute.
    """
    quiet = 0
    while quiet < QUIET_POLLS:
        stack = _with_retries(partial(find_stack, cloudformation, stack_id))
        steps = _with_retries(partial(_steps_since, cloudformation, stack_id, since))
        yield from steps
        if stack is None or any(step.ends_the_change for step in steps):
            return
        since = steps[-1].id if steps else since
        quiet = 0 if stack.in_progress or steps else quiet + 1
        time.sleep(POLL_SECONDS)


Answer = TypeVar("Answer")


def _with_retries(call: Callable[[], Answer]) -> Answer:
    """A call's answer; while CloudFormation is too busy, it is repeated for up to ten minutes."""
    for pause in PAUSES:
        try:
            return call()
        except (BotoCoreError, ClientError) as error:
            if not _is_temporary(error):
                raise
        time.sleep(pause)
    return call()


def _is_temporary(error: BotoCoreError | ClientError) -> bool:
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error.response["Error"]["Code"] in THROTTLES or status >= 500
    return isinstance(error, HTTPClientError)


def _steps_since(cloudformation: "CloudFormationClient", stack_id: str, since: str) -> list[Step]:
    """The events after `since`, oldest first. CloudFormation lists the newest first."""
    steps: list[Step] = []
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        for event in page["StackEvents"]:
            if event["EventId"] == since:
                return steps[::-1]
            steps.append(
                Step(
                    id=event["EventId"],
                    time=event["Timestamp"],
                    resource=event["LogicalResourceId"],
                    type=event["ResourceType"],
                    status=event["ResourceStatus"],
                    reason=event.get("ResourceStatusReason", ""),
                )
            )
    return steps[::-1]


def read_outputs(session: "boto3.Session", name: str = DEFAULT_STACK) -> StackOutputs:
    """The outputs of the stack with that name. `session` is a boto3 session.

    Raises FestivalError if AWS cannot be reached or there is no such stack.
    """
    remedy = "run festival deploy, or name the stack in FESTIVAL_STACK, or the table with --table"
    try:
        stack = existing_stack(session, name, remedy)
    except (BotoCoreError, ClientError) as error:
        raise FestivalError(f"The stack {name} cannot be looked up: {error}") from error
    return StackOutputs.from_outputs(name, stack.outputs)


def read_template(path: Path = TEMPLATE) -> str:
    """The template's text. Raises FestivalError if the file cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise FestivalError(
            f"The template {path} cannot be read: {error}; it is part of the kit's repository, not"
            " of the installed package"
        ) from error
