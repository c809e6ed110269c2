"""Removes the stack: shows beforehand what would be removed, deletes data only on request."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from festival.errors import FestivalError
from festival.stack.stack import (
    BUCKET,
    DEFAULT_STACK,
    TABLE,
    Resource,
    Step,
    causes,
    existing_stack,
    find_stack,
    follow,
    last_step,
    list_resources,
)

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

POLICY = "AWS::IAM::ManagedPolicy"
OBJECTS_A_CALL = 1000


@dataclass(frozen=True, slots=True)
class TeardownPlan:
    """What a teardown would remove, which of it holds data, and the bucket that stays.

    `attached` are the commands that detach the stack's policies from people: IAM does not delete a
    policy that is attached to somebody.
    """

    stack: str
    stack_id: str
    resources: tuple[Resource, ...]
    holding_data: tuple[Resource, ...]
    attached: tuple[str, ...]
    deployment_bucket: str


def plan_teardown(session: "boto3.Session", name: str = DEFAULT_STACK) -> TeardownPlan:
    """Find out what a teardown would remove. `session` is a boto3 session.

    Raises FestivalError if there is no such stack, or it is being changed.
    """
    cloudformation = session.client("cloudformation")
    stack = existing_stack(session, name, "nothing to remove")
    if stack.in_progress:
        raise FestivalError(
            f"The stack {name} is being changed ({stack.status}): wait until it is done"
        )
    resources = tuple(list_resources(cloudformation, stack.id))
    return TeardownPlan(
        stack=name,
        stack_id=stack.id,
        resources=resources,
        holding_data=_holding_data(session, resources),
        attached=_attached(session, resources),
        deployment_bucket=stack.parameters.get("DeploymentBucketName", ""),
    )


def teardown(
    session: "boto3.Session", plan: TeardownPlan, *, delete_data: bool = False
) -> Iterator[Step]:
    """Remove the stack, yielding each step as it happens.

    Data and policies are checked again, because the plan may be out of date. Raises FestivalError
    before it removes anything if there is data and no `delete_data`, or if a policy is attached to
    somebody; and at the end, with the reason, if something could not be removed.
    """
    with_data = _holding_data(session, plan.resources)
    if with_data and not delete_data:
        raise FestivalError(
            f"The stack {plan.stack} holds data in {', '.join(each.id for each in with_data)}:"
            " nothing was removed; pass --delete-data to remove it for good"
        )
    if attached := _attached(session, plan.resources):
        raise FestivalError(
            f"A policy of the stack {plan.stack} is still attached: nothing was removed; run"
            f" {'; '.join(attached)}"
        )
    for bucket in _of_type(with_data, BUCKET):
        yield bucket.step("EMPTIED", f"{_empty(session, bucket.id):,} object versions")
    for table in _of_type(plan.resources, TABLE):
        session.client("dynamodb").update_table(TableName=table.id, DeletionProtectionEnabled=False)
        yield table.step("UNPROTECTED", "deletion protection is off")
    cloudformation = session.client("cloudformation")
    since = last_step(cloudformation, plan.stack_id)
    cloudformation.delete_stack(StackName=plan.stack_id)
    failures = []
    for step in follow(cloudformation, plan.stack_id, since):
        failures += [step] if step.failed else []
        yield step
    stack = find_stack(cloudformation, plan.stack_id)
    if stack is not None and stack.status != "DELETE_COMPLETE":
        raise FestivalError(
            f"The stack {plan.stack} could not be removed ({stack.status}): {causes(failures)};"
            " fix that and run festival teardown again"
        )


def _of_type(resources: tuple[Resource, ...], type_: str) -> list[Resource]:
    return [each for each in resources if each.type == type_ and each.exists]


def _attached(session: "boto3.Session", resources: tuple[Resource, ...]) -> tuple[str, ...]:
    """Commands that detach the stack's policies from every entity outside the stack."""
    iam = session.client("iam")
    own = {each.id for each in resources if each.type == "AWS::IAM::Role"}
    commands = []
    for policy in _of_type(resources, POLICY):
        pages: Iterable[Any] = iam.get_paginator("list_entities_for_policy").paginate(
            PolicyArn=policy.id
        )
        for page in pages:
            for kind in ("User", "Group", "Role"):
                commands += [
                    f"aws iam detach-{kind.lower()}-policy --{kind.lower()}-name {name}"
                    f" --policy-arn {policy.id}"
                    for name in (each[f"{kind}Name"] for each in page[f"Policy{kind}s"])
                    if name not in own
                ]
    return tuple(commands)


def _holding_data(
    session: "boto3.Session", resources: tuple[Resource, ...]
) -> tuple[Resource, ...]:
    dynamodb, s3 = session.client("dynamodb"), session.client("s3")
    tables = [t for t in _of_type(resources, TABLE) if _has_an_item(dynamodb, t.id)]
    buckets = [b for b in _of_type(resources, BUCKET) if _has_an_object(s3, b.id)]
    return (*tables, *buckets)


def _has_an_item(dynamodb: "DynamoDBClient", table: str) -> bool:
    """Scans for one item, because DescribeTable's ItemCount may be six hours old."""
    return bool(dynamodb.scan(TableName=table, Limit=1, Select="COUNT")["Count"])


def _has_an_object(s3: "S3Client", bucket: str) -> bool:
    """Old versions and delete markers count too: S3 will not delete a bucket that has any."""
    answer = s3.list_object_versions(Bucket=bucket, MaxKeys=1)
    return bool(answer.get("Versions") or answer.get("DeleteMarkers"))


def _empty(session: "boto3.Session", bucket: str) -> int:
    s3 = session.client("s3")
    removed = 0
    while _has_an_object(s3, bucket):
        answer = s3.list_object_versions(Bucket=bucket, MaxKeys=OBJECTS_A_CALL)
        objects: list[Any] = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for each in (*answer.get("Versions", []), *answer.get("DeleteMarkers", []))
        ]
        errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}).get(
            "Errors"
        )
        if errors:
            raise FestivalError(
                f"{errors[0]['Key']} in the bucket {bucket} cannot be deleted:"
                f" {errors[0].get('Message', errors[0].get('Code'))}"
            )
        removed += len(objects)
    return removed
