"""A stand-in for DynamoDB in a process of its own: answers at once, or after a given latency.

It stores nothing: every BatchWriteItem succeeds, and every Query gives the same prepared pages. So
the figures are what a client costs, and not what an emulator costs. With `--upstream` every other
operation goes to the AWS there (a ledger needs a real table).

    python -m tests.benchmarks.endpoint --latency 0.01 --items 100000

prints its URL on a line of its own and serves until its standard input ends.
"""

import argparse
import asyncio
import re
import socket
import sys
from contextlib import closing
from http.client import HTTPConnection
from itertools import count, islice
from json import dumps
from zlib import crc32

from festival.table.item import to_item
from tests.benchmarks.lineups import performance

ITEMS_PER_PAGE = 2500
_OPERATION = re.compile(rb"x-amz-target: DynamoDB_20120810\.(\w+)", re.IGNORECASE)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_PAGE = re.compile(rb'"page (\d+)"')


def answer(body: bytes, status: str = "200 OK") -> bytes:
    """An HTTP answer with DynamoDB's headers; no `Date`, because it is made before it is needed."""
    head = (
        f"HTTP/1.1 {status}\r\nServer: Server\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n"
        "Connection: keep-alive\r\n"
        "x-amzn-RequestId: 4KBNVRGD25RG1KEO9UT4V3FQDJVV4KQNSO5AEMVJF66Q9ASUAAJG\r\n"
        f"x-amz-crc32: {crc32(body)}\r\n\r\n"
    )
    return head.encode() + body


def pages(items: int) -> list[bytes]:
    """The answers to a Query of PopularityIndex that finds this many items."""
    ranked = (row for row in map(performance, count()) if row.popularity is not None)
    rows = [to_item(row) for row in islice(ranked, items)]
    chunks = [rows[first : first + ITEMS_PER_PAGE] for first in range(0, items, ITEMS_PER_PAGE)]
    made = []
    for number, chunk in enumerate(chunks, start=1):
        page = {"Count": len(chunk), "Items": chunk, "ScannedCount": len(chunk)}
        if number < len(chunks):
            page["LastEvaluatedKey"] = chunk[-1] | {"Performer": {"S": f"page {number}"}}
        text = dumps(page, separators=(",", ":"), ensure_ascii=False)  # as DynamoDB spells it
        made.append(answer(text.encode()))
    return made


def description() -> bytes:
    """DescribeTable, for clients that ask for the key before they write."""
    keys = {"Performer": "HASH", "Performance": "RANGE"}
    schema = [{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()]
    types = [{"AttributeName": name, "AttributeType": "S"} for name in keys]
    table = {"TableName": "lineup", "TableStatus": "ACTIVE", "KeySchema": schema}
    return answer(dumps({"Table": table | {"AttributeDefinitions": types}}).encode())


class StandIn(asyncio.Protocol):
    """One connection."""

    def __init__(self, latency: float, prepared: list[bytes], upstream: str) -> None:
        self._latency = latency
        self._pages = prepared
        self._upstream = upstream
        self._stored = answer(b'{"UnprocessedItems":{}}')
        self._described = description()
        self._buffer = bytearray()
        self._wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._wanted:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._wanted = end + 4 + int(_LENGTH.search(self._buffer, 0, end)[1])
        if len(self._buffer) < self._wanted:
            return
        request = bytes(self._buffer[: self._wanted])
        del self._buffer[: self._wanted]
        self._wanted = 0
        loop = asyncio.get_running_loop()
        if (reply := self._reply(request)) is None:
            forwarded = loop.run_in_executor(None, forward, request, self._upstream)
            forwarded.add_done_callback(lambda done: self._transport.write(done.result()))
        elif self._latency:
            loop.call_later(self._latency, self._transport.write, reply)
        else:
            self._transport.write(reply)

    def _reply(self, request: bytes) -> bytes | None:
        match _OPERATION.search(request)[1]:
            case b"BatchWriteItem":
                return self._stored
            case _ if self._upstream:
                return None
            case b"Query":
                page = _PAGE.search(request)
                return self._pages[int(page[1]) if page else 0]
            case b"DescribeTable":
                return self._described
        return answer(b'{"__type":"ValidationException","message":"a stand-in"}', "400 Bad Request")


def forward(request: bytes, upstream: str) -> bytes:
    """The answer of another AWS to the same request."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:]]
    skipped = {"host", "connection", "content-length", "expect"}
    headers = {name: value for name, _, value in lines if name.lower() not in skipped}
    connection = HTTPConnection(upstream.rpartition("/")[2])
    with closing(connection):
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return answer(response.read(), f"{response.status} {response.reason}")


async def serve(latency: float, items: int, upstream: str) -> None:
    prepared = pages(items) if items else []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: StandIn(latency, prepared, upstream), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--items", type=int, default=0, help="items that a Query finds")
    parser.add_argument("--upstream", default="", help="the AWS for every other operation")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.latency, arguments.items, arguments.upstream))
