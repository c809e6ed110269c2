"""Fills the gaps between AWS and moto that matter to the kit.

`patched` corrects moto itself while the embedded AWS runs. After each change to a stack,
`complete_stacks` makes the calls that CloudFormation makes and moto silently leaves out.
"""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from inspect import signature
from typing import TYPE_CHECKING, Any
from unittest import mock

from moto.cloudformation import parsing
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Event
from moto.cloudformation.parsing import OutputMap, ResourceMap
from moto.cloudformation.responses import CloudFormationResponse
from moto.s3 import notifications
from moto.s3.models import S3Backend

from festival.errors import FestivalError
from festival.stack.stack import find_stack, list_resources
from festival.stack.template import parse_template

if TYPE_CHECKING:
    import boto3

TAP_SUFFIX = "-mail"
MADE_FOR = "5.2.5"
"""The version of moto that is corrected here."""

_sequence = itertools.count(1)


def _made_for(owner: Any, name: str, parameters: str) -> Any:
    """A function of moto that is corrected here, if its parameters still begin with these.

    Raises FestivalError otherwise, because a correction that does not fit would only show as a
    mysterious failure of a stack.
    """
    function = getattr(owner, name, None)
    if not callable(function) or not " ".join(signature(function).parameters).startswith(
        parameters
    ):
        raise FestivalError(
            f"the embedded AWS corrects {owner.__name__}.{name} of moto {MADE_FOR}, and moto "
            f"{version('moto')} has another: pip install 'moto=={MADE_FOR}'"
        )
    return function


@contextmanager
def patched() -> Iterator[None]:
    """Correct moto while the block runs."""
    with (
        mock.patch.object(notifications, "_get_s3_event", _event_with_version),
        mock.patch.object(S3Backend, "delete_object", _delete_with_event),
        mock.patch.object(parsing, "clean_json", _resolve_without_gaps),
        mock.patch.object(ResourceMap, "build_resource_diff", _diff_of_changed_parameters),
        mock.patch.object(parsing, "parse_and_update_resource", _update_or_keep),
        mock.patch.object(ChangeSet, "diff", _diff_with_parameters),
        mock.patch.object(ChangeSet, "apply", _apply_whole_template),
        mock.patch.object(parsing, "parse_and_create_resource", _create_or_name_the_failure),
        mock.patch.object(CloudFormationBackend, "create_stack", _create_stack_or_roll_back),
        mock.patch.object(CloudFormationBackend, "execute_change_set", _execute_or_roll_back),
        mock.patch.object(
            CloudFormationResponse, "create_change_set", _create_change_set_with_on_failure
        ),
    ):
        yield


_moto_event = _made_for(notifications, "_get_s3_event", "event_name bucket key notification_id")


def _event_with_version(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
    """AWS names the version that the put created, and numbers a key's events. moto does neither.

    Source: the S3 guide, "Event message structure".
    """
    event = _moto_event(event_name, bucket, key, notification_id)
    described = event["Records"][0]["s3"]["object"]
    described["sequencer"] = f"{next(_sequence):016X}"
    if bucket.is_versioned:
        described["versionId"] = key.version_id
    described["key"] = described["key"].replace("%2F", "/")
    return event


_moto_delete = _made_for(S3Backend, "delete_object", "self bucket_name key_name version_id bypass")


def _delete_with_event(
    backend: Any, bucket_name: str, key_name: str, version_id: str | None = None, **more: Any
) -> Any:
    """AWS reports every removal; moto, in a versioned bucket, only that of the last version.

    Source: the S3 guide, "Supported event types for SQS, SNS, and Lambda".
    """
    bucket = backend.get_bucket(bucket_name)
    before = list(bucket.keys.getlist(key_name, ()))
    answer = _moto_delete(backend, bucket_name, key_name, version_id, **more)
    left = list(bucket.keys.getlist(key_name, ()))
    objects = [key for key in [*before, *left] if hasattr(key, "etag")]
    if bucket.is_versioned and left and objects and len(left) != len(before):
        kind = notifications.S3NotificationEvent.OBJECT_REMOVED_DELETE_EVENT
        if version_id is None:
            kind = notifications.S3NotificationEvent.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT
        notifications.send_event(backend.account_id, kind, bucket, objects[-1])
    return answer


_moto_resolve = _made_for(parsing, "clean_json", "resource_json resources_map")


def _resolve_without_gaps(template_part: Any, resources_map: Any) -> Any:
    """`AWS::NoValue` removes its element from a list; moto leaves a null in its place."""
    resolved = _moto_resolve(template_part, resources_map)
    if isinstance(resolved, list):
        return [each for each in resolved if each is not None]
    return resolved


_moto_resource_diff = _made_for(
    ResourceMap, "build_resource_diff", "self other_template parameters"
)


def _diff_of_changed_parameters(
    resources: Any, template: Any, parameters: Mapping[str, Any] | None = None
) -> Any:
    """A parameter that keeps its value or its default changes no resource."""
    known = resources.resolved_parameters
    changed = {
        name: value
        for name, value in (parameters or {}).items()
        if str(known.get(name)) != str(value)
    }
    return _moto_resource_diff(resources, template, changed)


_moto_update = _made_for(
    parsing,
    "parse_and_update_resource",
    "logical_id resource_json resources_map account_id region_name",
)


def _update_or_keep(logical_id: str, resource_json: Any, resources_map: Any, **more: Any) -> Any:
    """A resource that moto cannot update stays as it is; moto would forget it."""
    before = resources_map[logical_id]
    return _moto_update(logical_id, resource_json, resources_map, **more) or before


_moto_diff = _made_for(ChangeSet, "diff", "self")


def _diff_with_parameters(change_set: Any) -> Any:
    """A parameter's new value changes the resources that refer to it. moto overlooks that."""
    resources = change_set.stack.resource_map
    compare = partial(resources.build_resource_diff, parameters=change_set.parameters)
    with mock.patch.object(resources, "build_resource_diff", compare):
        return _moto_diff(change_set)


_moto_apply = _made_for(ChangeSet, "apply", "self")


def _apply_whole_template(change_set: Any) -> None:
    """A change set also updates the stack's template, parameters and outputs. moto forgets to."""
    stack = change_set.stack
    stack.template = change_set.template
    stack._parse_template()
    stack.parameters = change_set.parameters
    _moto_apply(change_set)
    stack.output_map = stack._create_output_map()


class ResourceFailedError(Exception):
    """A resource could not be created: its name in the template, its type, the reason."""

    def __init__(self, name: str, type_: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name
        self.type = type_
        self.reason = reason


_moto_create = _made_for(
    parsing,
    "parse_and_create_resource",
    "logical_id resource_json resources_map account_id region_name",
)


def _create_or_name_the_failure(
    logical_id: str, resource_json: Any, *others: Any, **more: Any
) -> Any:
    """Names the resource that failed. A KeyError passes, because moto uses it internally."""
    try:
        return _moto_create(logical_id, resource_json, *others, **more)
    except (ResourceFailedError, KeyError):
        raise
    except Exception as error:
        reason = getattr(error, "message", None) or str(error) or type(error).__name__
        raise ResourceFailedError(logical_id, resource_json.get("Type", ""), reason) from error


_moto_create_stack = _made_for(
    CloudFormationBackend,
    "create_stack",
    "self name template parameters",
)


def _create_stack_or_roll_back(backend: Any, **request: Any) -> Any:
    """CreateStack rolls back a failed creation and still succeeds; moto leaves it half done."""
    try:
        return _moto_create_stack(backend, **request)
    except ResourceFailedError as failure:
        stack = backend.get_stack(request["name"])
        _roll_creation_back(stack, failure)
        return stack


_moto_create_change_set = _made_for(CloudFormationResponse, "create_change_set", "self")


def _create_change_set_with_on_failure(response: Any) -> Any:
    """A change set has OnStackFailure, which says what to do with a failed creation."""
    answer = _moto_create_change_set(response)
    newest = list(response.cloudformation_backend.change_sets.values())[-1]
    newest.on_stack_failure = response._get_param("OnStackFailure")
    return answer


_moto_execute = _made_for(
    CloudFormationBackend, "execute_change_set", "self change_set_name stack_name"
)


def _execute_or_roll_back(
    backend: Any, change_set_name: str, stack_name: str | None = None
) -> None:
    """A failed change is rolled back; in an update, what was already changed stays changed."""
    change_set = backend.describe_change_set(change_set_name)
    stack = change_set.stack
    before = stack.template, stack.parameters
    try:
        _moto_execute(backend, change_set_name, stack_name)
    except ResourceFailedError as failure:
        change_set.execution_status = "EXECUTE_FAILED"
        if change_set.change_set_type == "CREATE":
            _roll_creation_back(stack, failure)
            if change_set.on_stack_failure == "DELETE":
                backend.delete_stack(stack.stack_id)
            return
        _add_failure(stack, "UPDATE_FAILED", failure)
        stack.template, stack.parameters = before
        stack._parse_template()
        stack.output_map = stack._create_output_map()
        stack.status = "UPDATE_ROLLBACK_COMPLETE"
        stack._add_stack_event(stack.status)


def _roll_creation_back(stack: Any, failure: ResourceFailedError) -> None:
    _add_failure(stack, "CREATE_FAILED", failure)
    with suppress(Exception):  # moto cannot delete a resource that was never created
        stack.resource_map.delete()
    stack.resource_map._resource_json_map = {}  # else moto creates them when it lists them
    stack.output_map = OutputMap(stack.resource_map, {}, stack.stack_id)
    stack.status = "ROLLBACK_COMPLETE"
    stack._add_stack_event(stack.status)


def _add_failure(stack: Any, status: str, failure: ResourceFailedError) -> None:
    stack.events.append(
        Event(
            stack_id=stack.stack_id,
            stack_name=stack.name,
            logical_resource_id=failure.name,
            physical_resource_id="",
            resource_type=failure.type,
            resource_status=status,
            resource_status_reason=failure.reason,
            resource_properties=None,
        )
    )


def complete_stacks(session: "boto3.Session") -> None:
    """Make the calls that CloudFormation makes for the stacks' templates and moto leaves out."""
    for stack in session.client("cloudformation").describe_stacks()["Stacks"]:
        if stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            _complete_stack(session, stack["StackName"])


def _complete_stack(session: "boto3.Session", name: str) -> None:
    cloudformation = session.client("cloudformation")
    template = parse_template(cloudformation.get_template(StackName=name)["TemplateBody"])
    stack = find_stack(cloudformation, name)
    assert stack is not None
    physical = {each.name: each.id for each in list_resources(cloudformation, name)}
    for type_, step in STEPS.items():
        for logical, resource in template["Resources"].items():
            if resource["Type"] == type_ and (logical in physical or type_ in UNKNOWN_TO_MOTO):
                properties = resource.get("Properties", {})
                names = {**stack.parameters, **physical}
                step(session, physical.get(logical, ""), properties, names)


def _complete_bucket(
    session: "boto3.Session", bucket: str, properties: Mapping[str, Any], names: Mapping[str, str]
) -> None:
    """moto creates a bare bucket; AWS makes it versioned and has it notify the queue."""
    s3 = session.client("s3")
    if "VersioningConfiguration" in properties:
        s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration=properties["VersioningConfiguration"]
        )
    notification = properties.get("NotificationConfiguration", {})
    queues: list[Any] = [
        {
            "QueueArn": queue_arn(session, names[queue["Queue"]["Fn::GetAtt"][0]]),
            "Events": [queue["Event"]],
        }
        for queue in notification.get("QueueConfigurations", [])
    ]
    if queues:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": queues}
        )


def _complete_table(
    session: "boto3.Session", table: str, properties: Mapping[str, Any], names: Mapping[str, str]
) -> None:
    """moto ignores point-in-time recovery; AWS turns it on, and exports need it."""
    if "PointInTimeRecoverySpecification" in properties:
        session.client("dynamodb").update_continuous_backups(
            TableName=table,
            PointInTimeRecoverySpecification=properties["PointInTimeRecoverySpecification"],
        )


def _complete_mapping(
    session: "boto3.Session", mapping: str, properties: Mapping[str, Any], names: Mapping[str, str]
) -> None:
    """AWS makes no such call. moto's own mapping receives messages without running the function.

    Each receive counts, so messages would go to the dead-letter queue too early. The poller does
    the mapping's work instead.
    """
    session.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)


def _complete_subscription(
    session: "boto3.Session", nothing: str, properties: Mapping[str, Any], names: Mapping[str, str]
) -> None:
    """AWS creates a subscription, which somebody confirms; moto does not.

    Because moto sends no e-mails either, a queue that is subscribed to the topic collects them.
    """
    topic = names[properties["TopicArn"]["Ref"]]
    address = names[properties["Endpoint"]["Ref"]]
    tap = session.client("sqs").create_queue(QueueName=tap_name(topic))["QueueUrl"]
    sns = session.client("sns")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn(session, tap))
    sns.subscribe(TopicArn=topic, Protocol=properties["Protocol"], Endpoint=address)


def tap_name(topic: str) -> str:
    """The name of the queue that stands in for a topic's mailbox."""
    return f"{topic.rpartition(':')[2]}{TAP_SUFFIX}"


def queue_arn(session: "boto3.Session", url: str) -> str:
    """A queue's ARN."""
    answer = session.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


UNKNOWN_TO_MOTO = ("AWS::SNS::Subscription",)

# The mapping comes first, because setting the bucket's notification sends a message at once.
STEPS = {
    "AWS::Lambda::EventSourceMapping": _complete_mapping,
    "AWS::S3::Bucket": _complete_bucket,
    "AWS::DynamoDB::Table": _complete_table,
    "AWS::SNS::Subscription": _complete_subscription,
}
