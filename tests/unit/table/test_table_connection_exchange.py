"""One request and its answer over an open socket, however the answer is cut."""

import socket
import threading
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from festival.table.wire import Reply, UnusualAnswerError, exchange, message

HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: Server\r\nContent-Type: application/x-amz-json-1.0\r\n"
    b"Content-Length: %d\r\nConnection: keep-alive\r\nx-amz-crc32: 1234\r\n\r\n"
)
BODY = b'{"UnprocessedItems":{}}'


def answered(*parts, timeout=5.0):
    """What `exchange` makes of an answer that comes in these parts, then ends."""
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def reply():
            theirs.recv(65536)
            with suppress(OSError):  # our side may have closed already
                for part in parts:
                    theirs.sendall(part)
                theirs.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=reply)
        thread.start()
        try:
            return exchange(ours, b"POST / HTTP/1.1\r\n\r\n", timeout)
        finally:
            ours.close()
            thread.join()


def test_a_request_is_one_piece_with_its_length():
    assert message("/", {"host": "dynamodb", "X-Amz-Target": "DynamoDB_20120810.Query"}, b"{}") == (
        b"POST / HTTP/1.1\r\nAccept-Encoding: identity\r\nhost: dynamodb\r\n"
        b"X-Amz-Target: DynamoDB_20120810.Query\r\nContent-Length: 2\r\n\r\n{}"
    )


@given(cuts=st.lists(st.integers(0, 200), max_size=6))
def test_an_answer_is_the_same_however_it_is_cut(cuts):
    whole = HEAD % len(BODY) + BODY
    edges = [0, *sorted(cuts), len(whole)]
    parts = [whole[first:last] for first, last in pairwise(edges)]
    assert answered(*filter(None, parts)) == Reply(200, BODY, "1234", closes=False)


def test_a_megabyte_comes_whole():
    page = bytes(range(256)) * 4096
    assert answered(HEAD % len(page), page[:70_000], page[70_000:]).body == page


def test_an_answer_may_have_no_checksum_no_body_and_be_the_last():
    empty = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nConnection: close\r\n\r\n"
    assert answered(empty) == Reply(503, b"", None, closes=True)


def test_a_headers_name_within_another_ones_value_is_not_that_header():
    head = b"HTTP/1.1 200 OK\r\nVia: x-amz-crc32: 99\r\nContent-Length: 2\r\n\r\n"
    assert answered(head + b"{}") == Reply(200, b"{}", None, closes=False)


@pytest.mark.parametrize(
    "odd",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD % 2 + b"{}",
        HEAD % 2 + b"{}surplus",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"x" * 200_000,
    ],
)
def test_what_is_no_plain_answer_is_left_to_a_library(odd):
    with pytest.raises(UnusualAnswerError):
        answered(odd)


@pytest.mark.parametrize("cut", [0, 10, 120, -5])
def test_an_answer_that_breaks_off_is_a_broken_connection(cut):
    with pytest.raises(ConnectionError, match="before the answer was whole"):
        answered((HEAD % len(BODY) + BODY)[:cut])


@pytest.mark.parametrize("begun", [b"", HEAD % 1_000_000], ids=["its head", "its body"])
def test_an_answer_that_trickles_past_the_time_is_not_waited_for(begun):
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def trickle():
        theirs.sendall(begun)
        while not stop.wait(0.01):
            theirs.sendall(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        with pytest.raises(TimeoutError):
            exchange(ours, b"POST", 0.5)  # a busy machine may stand still for 0.1
    finally:
        stop.set()
        thread.join()
        ours.close()
        theirs.close()
