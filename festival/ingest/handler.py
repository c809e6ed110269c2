"""The Lambda function: SQS batches of S3 events in, batch item failures out."""

import os
import uuid
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from festival.errors import FestivalError
from festival.ingest import startup  # first, because it makes the other imports faster
from festival.ingest.attempt import Ingestor
from festival.ingest.clients import Clients
from festival.ingest.events import FileEvent, continuation
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.log import Log
from festival.ingest.mail import Mailer
from festival.ingest.messages import Message, MessageHandler
from festival.ingest.reports_bucket import Reports
from festival.ingest.resources import Resources, writer_opener
from festival.ingest.sidecar import mapping_of
from festival.table.one_core import one_core

if TYPE_CHECKING:
    from festival.ingest.reconcile.on_upload import OnUpload

startup.over()

CONTINUATION_DELAY_SECONDS = 2


class FunctionSettings(NamedTuple):
    """The function's environment variables, as the stack's template sets them."""

    table: str
    ledger_table: str
    topic_arn: str
    reports_bucket: str
    queue_url: str
    max_receive_count: int = 20
    maximum_concurrency: int = 2
    reconcile_on_upload: bool = False
    reconcile_guard_percent: int = 30
    function_name: str = "festival"
    log_level: str = "INFO"
    default_mapping: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "FunctionSettings":
        """Raises FestivalError if a variable is missing or not a number."""
        try:
            return cls(
                table=environment["TABLE_NAME"],
                ledger_table=environment["LEDGER_TABLE_NAME"],
                topic_arn=environment["TOPIC_ARN"],
                reports_bucket=environment["REPORTS_BUCKET_NAME"],
                queue_url=environment["QUEUE_URL"],
                max_receive_count=int(environment.get("MAX_RECEIVE_COUNT", 20)),
                maximum_concurrency=int(environment.get("MAXIMUM_CONCURRENCY", 2)),
                reconcile_on_upload=environment.get("RECONCILE_ON_UPLOAD", "no") == "yes",
                reconcile_guard_percent=int(environment.get("RECONCILE_GUARD_PERCENT", 30)),
                function_name=environment.get("AWS_LAMBDA_FUNCTION_NAME", "festival"),
                default_mapping=environment.get("DEFAULT_MAPPING", ""),
                log_level=environment.get("LOG_LEVEL", "INFO"),
            )
        except KeyError as error:
            raise FestivalError(
                f"environment variable {error.args[0]} is not set; the stack's template sets it on "
                "the function"
            ) from None
        except ValueError as error:
            raise FestivalError(f"an environment variable is not a whole number: {error}") from None


def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Ingest the files of every message, and name the messages that SQS must deliver again.

    Returns `{"batchItemFailures": [{"itemIdentifier": message id}, …]}` (docs: "Reporting batch
    item failures").
    """
    message_handler = _message_handler(Log().with_context(requestId=context.aws_request_id))
    failures = []
    for record in event["Records"]:
        message = Message.of_record(record)
        owner = f"{context.aws_request_id} {uuid.uuid4().hex[:8]}"
        with one_core():
            done = message_handler.work_on(
                message, owner, lambda: context.get_remaining_time_in_millis() / 1000
            )
        if not done:
            failures.append({"itemIdentifier": message.id})
    return {"batchItemFailures": failures}


def _message_handler(log: Log) -> MessageHandler:
    settings, ingestor, clients = _function()
    return MessageHandler(
        ingestor,
        clients.sqs,
        settings.queue_url,
        settings.max_receive_count,
        settings.function_name,
        log.at_level(settings.log_level),
    )


@cache
def _function() -> tuple[FunctionSettings, Ingestor, Clients]:
    """Made once and kept across warm invocations."""
    settings = FunctionSettings.from_environment(os.environ)
    clients = Clients.of_environment()
    return settings, Ingestor(resources_of(settings, clients)), clients


def resources_of(settings: FunctionSettings, clients: Clients) -> Resources:
    """What the function's ingests need, made from its settings."""

    def send_continuation(event: FileEvent, attempt: int) -> None:
        clients.sqs.send_message(
            QueueUrl=settings.queue_url,
            MessageBody=continuation(event, attempt),
            DelaySeconds=CONTINUATION_DELAY_SECONDS,
        )

    def warn_of_slow_writes(line: str) -> None:
        Log().warning(line)
        Log().metrics(settings.function_name, {"SlowConnections": 1})

    return Resources(
        s3=clients.s3,
        ledger=Ledger(clients.dynamodb, settings.ledger_table, now=clients.clock.now),
        open_writer=writer_opener(
            clients.dynamodb, settings.table, clients.clock.now, warn_of_slow_writes
        ),
        reports=Reports(clients.s3, settings.reports_bucket),
        mailer=Mailer(
            clients.sns, settings.topic_arn, settings.maximum_concurrency, clients.clock.now
        ),
        on_upload=_on_upload(settings, clients) if settings.reconcile_on_upload else None,
        send_continuation=send_continuation,
        clock=clients.clock.now,
        mapping=mapping_of(settings.default_mapping),
    )


def _on_upload(settings: FunctionSettings, clients: Clients) -> "OnUpload":
    # Imported here, because it is off by default and would slow down every cold start.
    from festival.ingest.reconcile.on_upload import OnUpload
    from festival.ingest.reconcile.reconciler import Reconciler

    reconciler = Reconciler.of(
        clients,
        table=settings.table,
        ledger_table=settings.ledger_table,
        reports_bucket=settings.reports_bucket,
    )
    return OnUpload(reconciler, settings.reconcile_guard_percent)
