"""A deployed stack's state: its queues, latest ingests, alarms and e-mail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from festival.errors import FestivalError
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.records import VersionRecord
from festival.stack.dead_letters import QueueDepth, queue_depth
from festival.stack.stack import DEFAULT_STACK, Stack, StackOutputs, existing_stack

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sns import SNSClient

DEPLOY = "run festival deploy"
CONFIRMED, PENDING, REMOVED = "confirmed", "waiting for confirmation", "not subscribed"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm. `state` is OK, ALARM or INSUFFICIENT_DATA; `description` has the remedy."""

    name: str
    state: str
    description: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """An address that should get the e-mails: its state, and what to do if they do not arrive."""

    address: str
    state: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class StackStatus:
    """Everything that `festival status` shows."""

    stack: Stack
    outputs: StackOutputs
    queue: QueueDepth
    dead_letters: QueueDepth
    recent: tuple[VersionRecord, ...]
    alarms: tuple[Alarm, ...]
    subscriptions: tuple[Subscription, ...]


def read_status(
    session: "boto3.Session", name: str = DEFAULT_STACK, *, ingests: int = 10
) -> StackStatus:
    """A stack's state, with at most `ingests` of the latest ingests.

    Raises FestivalError if there is no such stack, or it has no outputs yet.
    """
    stack = existing_stack(session, name, DEPLOY)
    if not stack.outputs:
        raise FestivalError(
            f"The stack {name} is {stack.status} and has no outputs: {stack.remedy or DEPLOY}"
        )
    outputs = StackOutputs.from_outputs(name, stack.outputs)
    sqs = session.client("sqs")
    ledger = Ledger(session.client("dynamodb"), outputs.ledger_table)
    return StackStatus(
        stack=stack,
        outputs=outputs,
        queue=queue_depth(sqs, outputs.queue_url),
        dead_letters=queue_depth(sqs, outputs.dead_letter_queue_url),
        recent=tuple(islice(ledger.recent(), ingests)),
        alarms=tuple(read_alarms(session.client("cloudwatch"), name)),
        subscriptions=tuple(read_subscriptions(session.client("sns"), stack, outputs)),
    )


def read_subscriptions(
    sns: "SNSClient", stack: Stack, outputs: StackOutputs
) -> Iterator[Subscription]:
    """The e-mail subscriptions of a stack's topic, the stack's own address first."""
    expected = stack.parameters.get("EmailAddress", "")
    return subscriptions(_subscribed(sns, outputs.topic_arn), expected, outputs.topic_arn)


def subscriptions(
    subscribed: Mapping[str, str], expected: str, topic_arn: str
) -> Iterator[Subscription]:
    """The state of each e-mail subscription; the expected address is always among them.

    `subscribed` maps each address to its subscription's ARN. SNS drops a subscription that was
    removed or not confirmed within 48 hours; the address is then not listed at all.
    """
    subscribe = (
        f"aws sns subscribe --topic-arn {topic_arn} --protocol email --notification-endpoint"
    )
    for address in dict.fromkeys([*([expected] if expected else []), *subscribed]):
        arn = subscribed.get(address, "Deleted")
        if arn == "PendingConfirmation":
            yield Subscription(
                address,
                PENDING,
                'confirm in the mail "AWS Notification - Subscription Confirmation"',
            )
        elif arn == "Deleted":
            yield Subscription(address, REMOVED, f"{subscribe} {address}, then confirm in the mail")
        else:
            yield Subscription(address, CONFIRMED)


def _subscribed(sns: "SNSClient", topic_arn: str) -> dict[str, str]:
    return {
        each["Endpoint"]: each["SubscriptionArn"]
        for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
        for each in page["Subscriptions"]
        if each["Protocol"] == "email"
    }


def read_alarms(cloudwatch: "CloudWatchClient", stack: str) -> Iterator[Alarm]:
    """A stack's alarms: the names that CloudFormation generates start with the stack's name."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack}-")
    for page in pages:
        for alarm in page["MetricAlarms"]:
            yield Alarm(alarm["AlarmName"], alarm["StateValue"], alarm.get("AlarmDescription", ""))
