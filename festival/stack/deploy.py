"""Deploying the stack: the zip and its bucket, a change set to look at, its execution step by step.

Source: the CloudFormation guide, "Update CloudFormation stacks using change sets".
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import ClientError

from festival.errors import FestivalError
from festival.stack.build import build_zip, content_key
from festival.stack.kit_archive import PYTHON
from festival.stack.stack import (
    DEFAULT_STACK,
    POLL_SECONDS,
    TEMPLATE,
    Stack,
    StackOutputs,
    Step,
    causes,
    find_stack,
    follow,
    last_step,
    read_outputs,
    read_template,
    why_it_failed,
)

LONGEST_BUCKET_NAME = 63


def default_bucket_name(prefix: str, account: str, region: str) -> str:
    """A bucket name that is free in all likelihood: names are shared by everyone on AWS.

    Raises FestivalError where it would be too long for S3.
    """
    name = f"{prefix}-{account}-{region}".lower()
    if len(name) > LONGEST_BUCKET_NAME:
        raise FestivalError(
            f"The bucket name {name} has {len(name)} characters and S3 takes"
            f" {LONGEST_BUCKET_NAME}: name the bucket yourself"
        )
    return name


def ensure_bucket(session: Any, name: str, account: str) -> None:
    """Find the bucket of this account in this region, or make it: private, versioned.

    Raises FestivalError where the name belongs to another account or the bucket is elsewhere.
    """
    s3 = session.client("s3")
    try:
        found = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise FestivalError(
                f"The deployment bucket {name} is not of the account {account}, or may not be seen:"
                " choose another name with --deployment-bucket"
            ) from error
        _make_bucket(s3, name, session.region_name)
        return
    region = found.get("BucketRegion", session.region_name)
    if region != session.region_name:
        raise FestivalError(
            f"The deployment bucket {name} is in {region} and the stack in {session.region_name}:"
            " Lambda takes its code from its own region; choose another with --deployment-bucket"
        )


def upload_once(session: Any, bucket: str, key: str, file: Path) -> str:
    """Put the file under a key that stands for its content, unless it is there; return the key."""
    s3 = session.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    if not any(entry["Key"] == key for entry in listed.get("Contents", [])):
        with file.open("rb") as content:
            s3.put_object(Bucket=bucket, Key=key, Body=content)
    return key


def _make_bucket(s3: Any, name: str, region: str) -> None:
    # us-east-1 is S3's default and the one region that may not be named here.
    where = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    s3.create_bucket(Bucket=name, **where)
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


CHANGE_SET_PREFIX = "festival-"
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
AT_REST_AND_WELL = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
HOLDS_DATA = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue")
NEVER_CAME_UP = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What is to be deployed. What is not said keeps its value, or takes the template's default.

    `parameters` are the template's own, by name. `archive` is the kit's, for a backfill by schedule
    (`kit_archive.make_archive`).
    """

    stack: str = DEFAULT_STACK
    parameters: Mapping[str, str] = field(default_factory=dict)
    template: Path = TEMPLATE
    archive: Path | None = None


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What a change set would do to one resource, in CloudFormation's own words.

    `action` is Add, Modify, Remove and the like; `replacement` is True, False or Conditional, and
    nothing where the action is not Modify.
    """

    action: str
    resource: str
    type: str
    replacement: str = ""

    @property
    def warning(self) -> str:
        """What would become of a table, bucket or queue with its data; nothing where it stays."""
        if self.type not in HOLDS_DATA:
            return ""
        if self.action == "Remove":
            return f"{self.resource} ({self.type}) would be removed"
        would = {"True": "would", "Conditional": "may"}.get(self.replacement)
        return f"{self.resource} ({self.type}) {would} be replaced by an empty one" if would else ""


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """A change set that waits for a yes. Without a change set there is nothing to do."""

    stack: str
    stack_id: str
    creates: bool
    change_set: str | None
    changes: tuple[ResourceChange, ...]


def deploy(session: Any, deploy_request: DeployRequest) -> StackOutputs:
    """Plan and execute in one go. `session` is a boto3 session.

    Raises FestivalError with the reason of the resource that failed.
    """
    for _ in execute(session, plan(session, deploy_request)):
        pass
    return read_outputs(session, deploy_request.stack)


def plan(session: Any, deploy_request: DeployRequest) -> DeployPlan:
    """Upload the code and let CloudFormation say what it would change. The stack stays as it is.

    Raises FestivalError where the stack is busy or stuck, where a former try has to be removed
    first, and where a parameter is missing or unknown.
    """
    cloudformation = session.client("cloudformation")
    body = read_template(deploy_request.template)
    stack = _ready_for_a_plan(cloudformation, find_stack(cloudformation, deploy_request.stack))
    known = dict(stack.parameters) if stack else {}
    given = dict(deploy_request.parameters)
    account = session.client("sts").get_caller_identity()["Account"]
    bucket = (
        given.get("DeploymentBucketName")
        or known.get("DeploymentBucketName")
        or default_bucket_name("festival-deployment", account, session.region_name)
    )
    uploads = default_bucket_name(f"{deploy_request.stack}-uploads", account, session.region_name)
    ensure_bucket(session, bucket, account)
    with TemporaryDirectory() as folder:
        archive = build_zip(Path(folder) / "function.zip")
        key = upload_once(session, bucket, content_key(archive), archive)
    given |= {"DeploymentBucketName": bucket, "LambdaZipKey": key}
    if deploy_request.archive is not None:
        kit = upload_once(
            session, bucket, content_key(deploy_request.archive, "kit/"), deploy_request.archive
        )
        given |= {"KitArchiveKey": kit, "KitPython": PYTHON}
    declared = cloudformation.get_template_summary(TemplateBody=body)["Parameters"]
    parameters = change_set_parameters(declared, given, known, {"UploadBucketName": uploads})
    return _create_change_set(cloudformation, deploy_request.stack, stack is None, body, parameters)


def execute(session: Any, plan: DeployPlan) -> Iterator[Step]:
    """Carry out a plan; each step as it happens.

    Raises FestivalError at the end where the stack did not come up, naming the first causes.
    """
    if plan.change_set is None:
        return
    cloudformation = session.client("cloudformation")
    since = last_step(cloudformation, plan.stack_id)
    cloudformation.execute_change_set(ChangeSetName=plan.change_set)
    steps: list[Step] = []
    for step in follow(cloudformation, plan.stack_id, since):
        steps.append(step)
        yield step
    stack = find_stack(cloudformation, plan.stack_id)
    status = stack.status if stack else "gone"
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise FestivalError(
            f"The stack {plan.stack} could not be deployed ({status}): {causes(steps)}"
        )


def watch(session: Any, name: str = DEFAULT_STACK) -> Iterator[Step]:
    """The steps of a change that is already under way, as after an interrupt, until it ends.

    Nothing where the stack is at rest, or there is none.
    """
    cloudformation = session.client("cloudformation")
    stack = find_stack(cloudformation, name)
    if stack is not None and stack.in_progress:
        yield from follow(cloudformation, stack.id, last_step(cloudformation, stack.id))


def discard(session: Any, plan: DeployPlan) -> None:
    """Forget a plan that nobody wants. A stack that would have been created leaves no trace."""
    cloudformation = session.client("cloudformation")
    if plan.change_set is not None:
        cloudformation.delete_change_set(ChangeSetName=plan.change_set)
    if plan.creates:
        cloudformation.delete_stack(StackName=plan.stack_id)


def change_set_parameters(
    declared: list[Mapping[str, Any]],
    given: Mapping[str, str],
    known: Mapping[str, str],
    fallbacks: Mapping[str, str],
) -> list[dict[str, Any]]:
    """The parameters of a change set: what is given, else what the stack has, else a default.

    `declared` are the template's parameters as GetTemplateSummary lists them, `known` the values of
    the deployed stack. Raises FestivalError where one is unknown, or has no value at all.
    """
    names = [parameter["ParameterKey"] for parameter in declared]
    if unknown := sorted(set(given) - set(names)):
        raise FestivalError(
            f"The template has no parameter {', '.join(unknown)}: it has {', '.join(names)}"
        )
    parameters: list[dict[str, Any]] = []
    for parameter in declared:
        name = parameter["ParameterKey"]
        if name in given:
            parameters.append({"ParameterKey": name, "ParameterValue": given[name]})
        elif name in known:
            parameters.append({"ParameterKey": name, "UsePreviousValue": True})
        elif name in fallbacks:
            parameters.append({"ParameterKey": name, "ParameterValue": fallbacks[name]})
        elif "DefaultValue" not in parameter:
            raise FestivalError(
                f"The parameter {name} has no value yet: {parameter.get('Description', '')}"
            )
    return parameters


def _ready_for_a_plan(cloudformation: Any, stack: Stack | None) -> Stack | None:
    if stack is None or stack.status in AT_REST_AND_WELL:
        return stack
    if stack.status == "REVIEW_IN_PROGRESS":  # a plan that nobody carried out
        cloudformation.delete_stack(StackName=stack.id)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack.id)
        return None
    if stack.in_progress:
        raise FestivalError(
            f"The stack {stack.name} is being changed ({stack.status}): wait until it is done"
        )
    if stack.status in NEVER_CAME_UP:
        raise FestivalError(
            f"The stack {stack.name} is {stack.status} from a former try"
            f" ({why_it_failed(cloudformation, stack.id)}): mend the cause, remove what is left"
            " with festival teardown, and deploy again"
        )
    raise FestivalError(
        f"The stack {stack.name} is stuck in {stack.status}"
        f" ({why_it_failed(cloudformation, stack.id)}): mend the cause, then run aws cloudformation"
        f" continue-update-rollback --stack-name {stack.name} and deploy again"
    )


def _create_change_set(
    cloudformation: Any, name: str, creates: bool, body: str, parameters: list[dict[str, Any]]
) -> DeployPlan:
    if not creates:
        _forget_former_plans(cloudformation, name)
    try:
        answer = cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=f"{CHANGE_SET_PREFIX}{time.strftime('%Y%m%d-%H%M%S')}",
            ChangeSetType="CREATE" if creates else "UPDATE",
            TemplateBody=body,
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM"],
        )
    except ClientError as error:
        if any(words in str(error) for words in NO_CHANGES):  # moto says so at once
            return DeployPlan(name, name, creates, None, ())
        raise FestivalError(f"CloudFormation refuses the change of {name}: {error}") from error
    change_set = answer["Id"]
    described = _wait_for_change_set(cloudformation, change_set)
    if described["Status"] == "FAILED":
        reason = described.get("StatusReason", "")
        cloudformation.delete_change_set(ChangeSetName=change_set)
        if any(words in reason for words in NO_CHANGES):
            return DeployPlan(name, answer["StackId"], creates, None, ())
        raise FestivalError(f"CloudFormation refuses the change of {name}: {reason}")
    changes = tuple(
        _change(entry["ResourceChange"])
        for page in cloudformation.get_paginator("describe_change_set").paginate(
            ChangeSetName=change_set
        )
        for entry in page["Changes"]
    )
    return DeployPlan(name, answer["StackId"], creates, change_set, changes)


def _forget_former_plans(cloudformation: Any, name: str) -> None:
    """Change sets of the kit's that an interrupt left behind; a stack has room for so many."""
    for page in cloudformation.get_paginator("list_change_sets").paginate(StackName=name):
        for listed in page["Summaries"]:
            ours = listed["ChangeSetName"].startswith(CHANGE_SET_PREFIX)
            if ours and listed.get("ExecutionStatus") in ("AVAILABLE", "UNAVAILABLE", "OBSOLETE"):
                cloudformation.delete_change_set(ChangeSetName=listed["ChangeSetId"])


def _wait_for_change_set(cloudformation: Any, change_set: str) -> Mapping[str, Any]:
    while True:
        described: Mapping[str, Any] = cloudformation.describe_change_set(ChangeSetName=change_set)
        if described["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
            return described
        time.sleep(POLL_SECONDS)


def _change(change: Mapping[str, Any]) -> ResourceChange:
    return ResourceChange(
        action=change["Action"],
        resource=change["LogicalResourceId"],
        type=change["ResourceType"],
        replacement=change.get("Replacement", ""),
    )
