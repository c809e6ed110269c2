"""The bulk writer over real sockets, to an endpoint that drops, lies and stalls."""

import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zlib import crc32

import engines
import pytest

from festival.lineup.model import Performance
from festival.table.connection import ClientTransport, Connection
from festival.table.item import from_item
from festival.table.writer import BulkWriter

FAULTS = [
    *("dropped before", "dropped after", "half an answer", "wrong checksum"),
    *("stalled", "503", "throttled", "unprocessed"),
]


class Unreliable(BaseHTTPRequestHandler):
    """Stores what it is sent, and three times in ten something goes wrong around that."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            faulty = self.server.random.random() < 0.3
            fault = self.server.random.choice(FAULTS) if faulty else "none"
            self.server.seen.append(fault)
        puts = json.loads(body)["RequestItems"]["lineup"]
        if fault == "dropped before":
            self.close_connection = True
        elif fault == "503":
            self._answer(503, b"<html>busy</html>")
        elif fault == "throttled":
            self._answer(400, b'{"__type":"x#ThrottlingException","message":"slow down"}')
        else:
            stored = puts[: len(puts) // 2] if fault == "unprocessed" else puts
            self._store(stored)
            left = {"lineup": puts[len(stored) :]} if len(stored) < len(puts) else {}
            self._answer_oddly(fault, json.dumps({"UnprocessedItems": left}).encode())

    def _store(self, puts):
        with self.server.lock:
            for put in puts:
                item = put["PutRequest"]["Item"]
                self.server.table[item["Performer"]["S"], item["Performance"]["S"]] = item

    def _answer_oddly(self, fault, body):
        if fault == "dropped after":
            self.close_connection = True
        elif fault == "stalled":
            self.server.stopping.wait(5)
            self.close_connection = True
        elif fault == "half an answer":
            self._answer(200, body[:3], length=len(body))
            self.close_connection = True
        else:
            self._answer(200, body, checksum=crc32(body) ^ (fault == "wrong checksum"))

    def _answer(self, status, body, *, length=None, checksum=None):
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        if checksum is not None:
            self.send_header("x-amz-crc32", str(checksum))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def unreliable(request):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unreliable)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    server.lock, server.stopping = threading.Lock(), threading.Event()
    server.random, server.seen, server.table = random.Random(request.param), [], {}
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.stopping.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("way", ["the fast transport", "the client's methods"])
@pytest.mark.parametrize("unreliable", [2024, 2025], indirect=True)
def test_every_row_arrives_and_the_last_of_each_key_stands(unreliable, way, monkeypatch):
    monkeypatch.setattr("festival.table.writer._LONGEST_REQUEST", 0.3)
    monkeypatch.setattr("festival.table.faults.LONGEST_PAUSE", 0.02)
    rows = [
        Performance(f"Artist {n % 70}", "Park", "2024-06-28", n % 9, 60, 1 + n % 100, n)
        for n in range(2000)
    ]
    client = engines.client(f"http://127.0.0.1:{unreliable.server_port}", read_timeout=0.3)
    connection = Connection.from_client(client)
    if way == "the client's methods":
        connection._transport = ClientTransport(client)
    with BulkWriter(connection, "lineup", lanes=8) as writer:
        for first in range(0, len(rows), 250):
            writer.put(rows[first : first + 250])
        outcome = writer.flush()
    connection.close()
    client.close()
    assert set(unreliable.seen) == {"none", *FAULTS}, "not every fault was tried"
    assert (outcome.rejections, outcome.unwritten) == ((), ())
    assert outcome.retries > 0
    last = {row.key: row._replace(line=0) for row in rows}
    assert {key: from_item(item) for key, item in unreliable.table.items()} == last
