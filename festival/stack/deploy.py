"""Deploys the stack: uploads the zip, plans a change set, executes it step by step.

Source: the CloudFormation guide, "Update CloudFormation stacks using change sets".
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from festival.errors import FestivalError
from festival.stack.build import PYTHON, build_zip, content_key
from festival.stack.stack import (
    BUCKET,
    DEFAULT_STACK,
    POLL_SECONDS,
    QUEUE,
    TABLE,
    TEMPLATE,
    WELL,
    Stack,
    StackOutputs,
    Step,
    causes,
    find_stack,
    follow,
    last_step,
    list_resources,
    read_outputs,
    read_template,
    why_it_failed,
)

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

LONGEST_BUCKET_NAME = 63


def default_bucket_name(prefix: str, account: str, region: str) -> str:
    """A bucket name that is very likely free: no two buckets in AWS can have the same name.

    Raises FestivalError if it would be too long for S3.
    """
    name = f"{prefix}-{account}-{region}".lower()
    if len(name) > LONGEST_BUCKET_NAME:
        raise FestivalError(
            f"The bucket name {name} has {len(name)} characters and S3 allows"
            f" {LONGEST_BUCKET_NAME}: name the bucket yourself with --upload-bucket"
        )
    return name


def ensure_bucket(session: "boto3.Session", name: str, account: str) -> None:
    """Find this account's bucket in this region, or create it: private and versioned.

    Raises FestivalError if the bucket belongs to another account or is in another region.
    """
    s3 = session.client("s3")
    try:
        head = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise FestivalError(
                f"The deployment bucket {name} does not belong to the account {account}, or you may"
                " not see it: choose another name with --deployment-bucket"
            ) from error
        _create_bucket(s3, name, session.region_name)
        return
    region = head.get("BucketRegion", session.region_name)
    if region != session.region_name:
        raise FestivalError(
            f"The deployment bucket {name} is in {region} and the stack in {session.region_name}:"
            " Lambda takes its code from its own region; name another with --deployment-bucket"
        )


def upload_once(session: "boto3.Session", bucket: str, key: str, file: Path) -> str:
    """Upload the file under a key made from its content, unless it is there; return the key."""
    s3 = session.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    if not any(entry["Key"] == key for entry in listed.get("Contents", [])):
        with file.open("rb") as content:
            s3.put_object(Bucket=bucket, Key=key, Body=content)
    return key


def _create_bucket(s3: "S3Client", name: str, region: str) -> None:
    # us-east-1 is S3's default, and the one region that must not be named here.
    location: Any = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    s3.create_bucket(Bucket=name, **location)
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
# CloudFormation has no error code for a change set without changes, only these words.
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
HOLDS_DATA = (TABLE, BUCKET, QUEUE)
FUNCTION = "processFestivalData"


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What to deploy. A parameter that is not given keeps its value or takes its default.

    `parameters` are the template's own, by name. `archive` is the kit's archive for a scheduled
    backfill (`build.make_archive`).
    """

    stack: str = DEFAULT_STACK
    parameters: Mapping[str, str] = field(default_factory=dict)
    template: Path = TEMPLATE
    archive: Path | None = None


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What a change set would do to one resource, in CloudFormation's own words.

    `action` is Add, Modify, Remove and the like; `replacement` is True, False or Conditional, and
    empty if the action is not Modify.
    """

    action: str
    resource: str
    type: str
    replacement: str = ""

    @property
    def warning(self) -> str:
        """What would happen to a table, bucket or queue and its data; empty if it stays."""
        if self.type not in HOLDS_DATA:
            return ""
        if self.action == "Remove":
            return f"{self.resource} ({self.type}) would be removed"
        would = {"True": "would", "Conditional": "may"}.get(self.replacement)
        return f"{self.resource} ({self.type}) {would} be replaced by an empty one" if would else ""


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """A change set that waits to be executed. Without one there is nothing to do."""

    stack: str
    stack_id: str
    creates: bool
    change_set: str | None
    changes: tuple[ResourceChange, ...]


@dataclass(frozen=True, slots=True)
class PendingPlan:
    """A change set that this kit created and nobody has executed yet."""

    name: str
    created: datetime | None


def deploy(session: "boto3.Session", deploy_request: DeployRequest) -> StackOutputs:
    """Plan, execute and guard in one go. `session` is a boto3 session.

    Raises FestivalError with the reason of the resource that failed.
    """
    for _ in execute(session, plan(session, deploy_request)):
        pass
    for _ in guard(session, deploy_request.stack):
        pass
    return read_outputs(session, deploy_request.stack)


def plan(session: "boto3.Session", deploy_request: DeployRequest) -> DeployPlan:
    """Upload the code and ask CloudFormation what would change. Does not change the stack.

    Earlier plans that were never executed are discarded (`pending_plans` lists them). Raises
    FestivalError if the stack is busy or stuck, if a failed creation has to be removed first, if a
    name is taken, or if a parameter is missing or unknown.
    """
    cloudformation = session.client("cloudformation")
    body = read_template(deploy_request.template)
    stack = _ready_for_a_plan(cloudformation, find_stack(cloudformation, deploy_request.stack))
    known = dict(stack.parameters) if stack else {}
    given = dict(deploy_request.parameters)
    account = session.client("sts").get_caller_identity()["Account"]
    declared = cloudformation.get_template_summary(TemplateBody=body)["Parameters"]
    bucket = (
        given.get("DeploymentBucketName")
        or known.get("DeploymentBucketName")
        or default_bucket_name("festival-deployment", account, session.region_name)
    )
    given |= {"DeploymentBucketName": bucket, "LambdaZipKey": ""}
    uploads = given.get("UploadBucketName") or known.get("UploadBucketName")
    fallbacks = {
        "UploadBucketName": uploads
        or default_bucket_name(f"{deploy_request.stack}-uploads", account, session.region_name)
    }
    change_set_parameters(declared, given, known, fallbacks)  # before uploading anything
    require_free_names(session, deploy_request.stack, {**fallbacks, **given}, known)
    ensure_bucket(session, bucket, account)
    with TemporaryDirectory() as folder:
        archive = build_zip(Path(folder) / "function.zip")
        given["LambdaZipKey"] = upload_once(session, bucket, content_key(archive), archive)
    if deploy_request.archive is not None:
        kit = upload_once(
            session, bucket, content_key(deploy_request.archive, "kit/"), deploy_request.archive
        )
        given |= {"KitArchiveKey": kit, "KitPython": PYTHON}
    parameters = change_set_parameters(declared, given, known, fallbacks)
    return _create_change_set(cloudformation, deploy_request.stack, stack is None, body, parameters)


def function_name(stack: str, parameters: Mapping[str, str]) -> str:
    """The function's name, as the template makes it from the stack's name and FunctionName.

    >>> function_name("o240-festival", {})
    'processFestivalData'
    >>> function_name("winter", {})
    'winter-processFestivalData'
    """
    return parameters.get("FunctionName") or (
        FUNCTION if stack == DEFAULT_STACK else f"{stack}-{FUNCTION}"
    )


def require_free_names(
    session: "boto3.Session", stack: str, parameters: Mapping[str, str], known: Mapping[str, str]
) -> None:
    """Raises FestivalError if a name that the stack does not have yet is already in use.

    `known` are the deployed stack's parameters, empty if there is no stack. CloudFormation would
    notice a taken name only halfway, and roll everything back.
    """
    uploads = parameters["UploadBucketName"]
    if uploads != known.get("UploadBucketName") and _exists(
        lambda: session.client("s3").head_bucket(Bucket=uploads)
    ):
        raise FestivalError(
            f"The bucket {uploads} exists already, in this account or another: the stack makes its"
            " own; name another with --upload-bucket"
        )
    function = function_name(stack, {**known, **parameters})
    if known and function == function_name(stack, known):
        return
    if _exists(lambda: session.client("lambda").get_function_configuration(FunctionName=function)):
        raise FestivalError(
            f"A function {function} exists already: name another with -p FunctionName NAME"
        )
    group = f"/aws/lambda/{function}"
    groups = session.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    if any(each["logGroupName"] == group for each in groups):
        raise FestivalError(
            f"A log group {group} exists already: if nobody needs its lines, run aws logs"
            f" delete-log-group --log-group-name {group}; or name another function with"
            " -p FunctionName NAME"
        )


def _exists(look_up: Callable[[], object]) -> bool:
    """Whether `look_up` finds something. Denied access counts as found."""
    try:
        look_up()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("404", "NoSuchBucket", "ResourceNotFoundException"):
            return False
        if code not in ("403", "301", "PermanentRedirect"):
            raise
    return True


def execute(session: "boto3.Session", plan: DeployPlan) -> Iterator[Step]:
    """Carry out a plan, yielding each step as it happens.

    Raises FestivalError at the end, with the first causes, if the deployment failed.
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
    status = _final_status(cloudformation, plan.stack_id, steps)
    if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return
    left = " and nothing of it is left" if status == "DELETE_COMPLETE" else ""
    raise FestivalError(
        f"The stack {plan.stack} could not be deployed{left} ({status}): {causes(steps)}"
    )


def _final_status(
    cloudformation: "CloudFormationClient", stack_id: str, steps: Sequence[Step]
) -> str:
    if steps and steps[-1].ends_the_change:
        return steps[-1].status
    stack = find_stack(cloudformation, stack_id)
    return stack.status if stack else "DELETE_COMPLETE"


def guard(session: "boto3.Session", name: str = DEFAULT_STACK) -> Iterator[Step]:
    """Protect a stack's tables from deletion; yields a step for each that was not protected.

    The template cannot do this: CloudFormation could then not roll back a failed creation.
    """
    dynamodb = session.client("dynamodb")
    for table in list_resources(session.client("cloudformation"), name):
        if table.type != TABLE or not table.exists:
            continue
        described = dynamodb.describe_table(TableName=table.id)["Table"]
        if not described.get("DeletionProtectionEnabled"):
            dynamodb.update_table(TableName=table.id, DeletionProtectionEnabled=True)
            yield table.step("PROTECTED", "deletion protection is on")


def watch(session: "boto3.Session", name: str = DEFAULT_STACK) -> Iterator[Step]:
    """The steps of a change that is in progress, until it ends; for example after an interrupt.

    None if the stack is not being changed or does not exist.
    """
    cloudformation = session.client("cloudformation")
    stack = find_stack(cloudformation, name)
    if stack is not None and stack.in_progress:
        yield from follow(cloudformation, stack.id, last_step(cloudformation, stack.id))


def discard(session: "boto3.Session", plan: DeployPlan) -> None:
    """Discard a plan. If it would have created the stack, nothing of the stack remains."""
    cloudformation = session.client("cloudformation")
    if plan.change_set is not None:
        cloudformation.delete_change_set(ChangeSetName=plan.change_set)
    if plan.creates:
        cloudformation.delete_stack(StackName=plan.stack_id)


def change_set_parameters(
    declared: Sequence[Mapping[str, Any]],
    given: Mapping[str, str],
    known: Mapping[str, str],
    fallbacks: Mapping[str, str],
) -> list[dict[str, Any]]:
    """A change set's parameters: the values given, else the stack's, else the defaults.

    `declared` are the template's parameters as GetTemplateSummary lists them, `known` the values of
    the deployed stack. Raises FestivalError if one is unknown, or has no value at all.
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


def _ready_for_a_plan(cloudformation: "CloudFormationClient", stack: Stack | None) -> Stack | None:
    if stack is None or stack.status in WELL:
        return stack
    if stack.status == "REVIEW_IN_PROGRESS":  # a plan that was never executed
        cloudformation.delete_stack(StackName=stack.id)
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack.id)
        return None
    cause = "" if stack.in_progress else f" ({why_it_failed(cloudformation, stack.id)})"
    raise FestivalError(f"The stack {stack.name} is {stack.status}{cause}: {stack.remedy}")


def pending_plans(session: "boto3.Session", name: str = DEFAULT_STACK) -> list[PendingPlan]:
    """This kit's plans for a stack that were never executed: interrupted ones, or a colleague's."""
    cloudformation = session.client("cloudformation")
    if find_stack(cloudformation, name) is None:
        return []
    return [
        PendingPlan(listed["ChangeSetName"], listed.get("CreationTime"))
        for listed in _pending(cloudformation, name)
    ]


def _pending(cloudformation: "CloudFormationClient", name: str) -> Iterator[Mapping[str, Any]]:
    for page in cloudformation.get_paginator("list_change_sets").paginate(StackName=name):
        for listed in page["Summaries"]:
            is_ours = listed["ChangeSetName"].startswith(CHANGE_SET_PREFIX)
            if is_ours and listed.get("ExecutionStatus") in (
                "AVAILABLE",
                "UNAVAILABLE",
                "OBSOLETE",
            ):
                yield listed


def _create_change_set(
    cloudformation: "CloudFormationClient",
    name: str,
    creates: bool,
    body: str,
    parameters: list[Any],
) -> DeployPlan:
    if not creates:  # a stack can have only a limited number of change sets
        for pending in list(_pending(cloudformation, name)):
            cloudformation.delete_change_set(ChangeSetName=pending["ChangeSetId"])
    # A failed creation leaves no stack, but the stack's id still gives its events, with the causes.
    on_failure: Any = {"OnStackFailure": "DELETE"} if creates else {}
    try:
        answer = cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=f"{CHANGE_SET_PREFIX}{time.strftime('%Y%m%d-%H%M%S')}",
            ChangeSetType="CREATE" if creates else "UPDATE",
            TemplateBody=body,
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM"],
            **on_failure,
        )
    except ClientError as error:
        if any(words in str(error) for words in NO_CHANGES):  # moto reports it at once
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


def _wait_for_change_set(
    cloudformation: "CloudFormationClient", change_set: str
) -> Mapping[str, Any]:
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
