"""Opening bulk writers that share one connection to the table."""

from collections.abc import Callable
from typing import Any

from festival.table.connection import Connection
from festival.table.writer import BulkWriter


def writer_opener(client: Any, table: str) -> Callable[[str, float], BulkWriter]:
    """A function of a file's name and a deadline (monotonic seconds) that opens its writer.

    The connection is made at the first call and kept for the next.
    """
    connections: list[Connection] = []

    def open_writer(source: str, deadline: float) -> BulkWriter:
        if not connections:
            connections.append(Connection.from_client(client))
        return BulkWriter(connections[0], table, source=source, deadline=deadline)

    return open_writer
