"""Which table, stack and AWS a command works with: its options, then the environment."""

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from festival.ingest.clients import Clients
from festival.ops.stack import DEFAULT_STACK, StackOutputs, read_outputs

if TYPE_CHECKING:
    import boto3


@dataclass
class Settings:
    """`table` and `stack` as the environment names them; AWS is asked when it is needed."""

    table: str
    stack: str

    @classmethod
    def from_environment(cls) -> "Settings":
        return cls(
            table=os.environ.get("FESTIVAL_TABLE", ""),
            stack=os.environ.get("FESTIVAL_STACK", "") or DEFAULT_STACK,
        )

    @cached_property
    def session(self) -> "boto3.Session":
        import boto3  # its own import takes as long as a small file

        return boto3.Session()

    @cached_property
    def clients(self) -> Clients:
        return Clients.of_environment()

    @cached_property
    def outputs(self) -> StackOutputs:
        """Raises FestivalError where there is no such stack."""
        return read_outputs(self.session, self.stack)

    def table_name(self, named: str | None) -> str:
        """`--table`, else FESTIVAL_TABLE, else the stack's."""
        return named or self.table or self.outputs.table
