"""The AWS clients of an ingest, made once a process, by botocore alone: faster than boto3."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import botocore.session
from botocore.config import Config

CONFIG = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
    tcp_keepalive=True,
)
# An e-mail whose answer got lost may have been sent: the ledger decides about sending it again.
ONCE = Config(connect_timeout=3, read_timeout=20, retries={"total_max_attempts": 1})


@dataclass
class Clients:
    """Low-level clients, each made when it is first asked for."""

    session: Any

    @classmethod
    def of_environment(cls) -> "Clients":
        """Credentials, region and endpoints by botocore's own rules."""
        return cls(botocore.session.get_session())

    @cached_property
    def s3(self) -> Any:
        return self.session.create_client("s3", config=CONFIG)

    @cached_property
    def dynamodb(self) -> Any:
        return self.session.create_client("dynamodb", config=CONFIG)

    @cached_property
    def sqs(self) -> Any:
        return self.session.create_client("sqs", config=CONFIG)

    @cached_property
    def sns(self) -> Any:
        return self.session.create_client("sns", config=ONCE)
