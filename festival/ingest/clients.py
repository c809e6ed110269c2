"""An ingest's AWS clients, made once per process with botocore alone: faster than boto3."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import IncompleteReadError

from festival.ingest.clock import AwsClock

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


@contextmanager
def paused() -> Iterator[None]:
    """No garbage collection within the block; what exists at its end is never collected."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


CONFIG = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    tcp_keepalive=True,
)
# An e-mail whose answer was lost may have been sent: the ledger decides whether to send it again.
ONCE = Config(connect_timeout=3, read_timeout=20, retries={"total_max_attempts": 1})


@dataclass
class Clients:
    """Low-level clients, each made on first use."""

    session: Any
    clock: AwsClock = field(default_factory=AwsClock)

    @classmethod
    def of_environment(cls) -> "Clients":
        """Credentials, region and endpoints by botocore's own rules."""
        return cls(botocore.session.get_session())

    @cached_property
    def s3(self) -> "S3Client":
        client: S3Client = self._client("s3", CONFIG)
        return client

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        client: DynamoDBClient = self._client("dynamodb", CONFIG)
        return client

    @cached_property
    def sqs(self) -> "SQSClient":
        client: SQSClient = self._client("sqs", CONFIG)
        return client

    @cached_property
    def sns(self) -> "SNSClient":
        client: SNSClient = self._client("sns", ONCE)
        return client

    def _client(self, service: str, config: Config) -> Any:
        with paused():
            client = self.session.create_client(service, config=config)
        client.meta.events.register("before-parse", refuse_part_of_an_answer)
        self.clock.watch(client)
        return client


def refuse_part_of_an_answer(
    operation_model: Any, response_dict: dict[str, Any], **others: Any
) -> None:
    """Raise IncompleteReadError if the connection broke in the middle of an answer.

    botocore does not compare lengths itself: it takes half of a GetItem's answer for a missing
    item, and a ledger that forgets means a file ingested twice. http.client accepts headers that
    are cut off, but AWS always gives the length of a successful answer.
    """
    body, headers = response_dict["body"], response_dict["headers"]
    said = headers.get("content-length")
    succeeded = response_dict["status_code"] in (200, 206)
    if succeeded and said is None and "transfer-encoding" not in headers:
        raise IncompleteReadError(actual_bytes=0, expected_bytes=1)
    if said is None or not isinstance(body, bytes) or operation_model.http["method"] == "HEAD":
        return
    if len(body) != int(said):
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=int(said))
