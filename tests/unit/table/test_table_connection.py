"""The signed connection next to botocore's own: same signature, same TLS, same proxies."""

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from zlib import crc32

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.session import Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from festival.errors import FestivalError, RetryableError
from festival.table import wire
from festival.table.connection import Connection
from festival.table.faults import Response

BODY = b'{"TableName":"lineup","Key":{"Performer":{"S":"Sigur R\\u00f3s"}}}'


class DynamoStandIn(BaseHTTPRequestHandler):
    """Keeps every request, and answers as its server says."""

    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers.items()), body))
        answer = self.server.answer
        if answer is None:
            self.close_connection = True
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        for name, value in self.server.answer_headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def do_CONNECT(self):
        self.server.requests.append((self.path, dict(self.headers.items()), b""))
        self.send_error(502, "no tunnel today")

    def log_message(self, *args):
        pass


@contextmanager
def serving(answer=b"{}", status=200, answer_headers=None, certificate=None) -> Iterator:
    server = ThreadingHTTPServer(("127.0.0.1", 0), DynamoStandIn)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that breaks off is part of these tests
    server.requests, server.answer, server.status = [], answer, status
    server.connections = 0
    server.answer_headers = answer_headers or {}
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if certificate else "http"
    server.url = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def clean_shell(monkeypatch, tmp_path):
    for name in [*os.environ]:
        if name.upper().endswith("_PROXY") or name.startswith("AWS_") or "CA_BUNDLE" in name:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def client(url, credentials=None, **options):
    session = Session()
    session._credentials = credentials or Credentials(
        "AKIDEXAMPLE", "secret", options.pop("token", None)
    )
    return session.create_client("dynamodb", "eu-west-1", endpoint_url=url, **options)


@contextmanager
def connected(url, credentials=None, **options):
    connection = Connection.from_client(client(url, credentials, **options))
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody trusts, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "festival stand-in")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return str(file)


def test_an_answer_comes_back_with_its_status_and_body():
    with serving(b'{"Item":{}}') as server, connected(server.url) as connection:
        assert connection.call("GetItem", BODY) == Response(200, b'{"Item":{}}')
        assert connection.call("GetItem", BODY).status == 200
    assert [body for _, _, body in server.requests] == [BODY, BODY]
    assert server.requests[0][1]["X-Amz-Target"] == "DynamoDB_20120810.GetItem"


@pytest.mark.parametrize("token", [None, "session-token"])
def test_the_signature_is_botocores_own(token):
    """Signs the same request anew by botocore, in the same second, and compares all headers."""
    with serving() as server, connected(server.url, token=token) as connection:
        for _ in range(5):
            connection.call("Query", BODY)
            path, sent, _ = server.requests[-1]
            whole = AWSRequest(
                "POST",
                server.url + path,
                data=BODY,
                headers={
                    "Content-Type": "application/x-amz-json-1.0",
                    "X-Amz-Target": "DynamoDB_20120810.Query",
                },
            )
            credentials = Credentials("AKIDEXAMPLE", "secret", token)
            SigV4Auth(credentials, "dynamodb", "eu-west-1").add_auth(whole)
            if whole.headers["X-Amz-Date"] == sent["X-Amz-Date"]:
                break
    assert {name: sent[name] for name in whole.headers} == dict(whole.headers.items())


def test_a_boto3_client_sends_the_same_target_type_and_agent():
    with serving() as server:
        plain = client(server.url)
        plain.get_item(TableName="lineup", Key={"Performer": {"S": "Elbow"}})
        connection = Connection.from_client(plain)
        connection.call("GetItem", BODY)
        connection.close()
        plain.close()
    theirs, ours = (headers for _, headers, _ in server.requests)
    for name in ("X-Amz-Target", "Content-Type", "Host"):
        assert {key.lower(): value for key, value in ours.items()}[name.lower()] == {
            key.lower(): value for key, value in theirs.items()
        }[name.lower()]
    assert ours["User-Agent"].split()[0] == theirs["User-Agent"].split()[0]


def test_credentials_that_run_out_are_refreshed_between_two_requests():
    issued = []

    def refresh():
        issued.append(f"AKID{len(issued) + 1}")
        lifetime = timedelta(seconds=-1) if len(issued) == 1 else timedelta(hours=6)
        return {
            "access_key": issued[-1],
            "secret_key": "secret",
            "token": f"token {len(issued)}",
            "expiry_time": (datetime.now(UTC) + lifetime + timedelta(minutes=20)).isoformat(),
        }

    credentials = RefreshableCredentials.create_from_metadata(
        refresh() | {"expiry_time": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()},
        refresh,
        "test",
    )
    with serving() as server, connected(server.url, credentials) as connection:
        connection.call("Query", BODY)
        connection.call("Query", BODY)
    headers = [headers for _, headers, _ in server.requests]
    assert "Credential=AKID2/" in headers[0]["Authorization"]
    assert headers[0]["X-Amz-Security-Token"] == "token 2"
    assert "Credential=AKID2/" in headers[1]["Authorization"]
    assert issued == ["AKID1", "AKID2"]


def test_credentials_that_run_out_amid_a_run_are_not_used_again():
    """Refreshed after the first request was made with the pair before."""
    pairs = iter(("AKID2", "AKID3"))

    def refresh():
        return {
            "access_key": next(pairs),
            "secret_key": "secret",
            "token": "newer token",
            "expiry_time": (datetime.now(UTC) + timedelta(hours=6)).isoformat(),
        }

    first = {
        "access_key": "AKID1",
        "secret_key": "secret",
        "token": "older token",
        "expiry_time": (datetime.now(UTC) + timedelta(hours=6)).isoformat(),
    }
    credentials = RefreshableCredentials.create_from_metadata(first, refresh, "test")
    with serving() as server, connected(server.url, credentials) as connection:
        connection.call("Query", BODY)
        credentials._expiry_time = datetime.now(UTC) - timedelta(seconds=1)
        connection.call("Query", BODY)
    before, after = (headers for _, headers, _ in server.requests)
    assert "Credential=AKID1/" in before["Authorization"]
    assert before["X-Amz-Security-Token"] == "older token"
    assert "Credential=AKID2/" in after["Authorization"]
    assert after["X-Amz-Security-Token"] == "newer token"


def test_without_credentials_nothing_is_sent_and_the_reason_is_one_line():
    with serving() as server:
        session = Session()
        session._credentials = None
        session.get_credentials = lambda **_: None
        lonely = session.create_client("dynamodb", "eu-west-1", endpoint_url=server.url)
        with pytest.raises(FestivalError, match=r"^Query at .*Unable to locate credentials$"):
            Connection.from_client(lonely).call("Query", BODY)
    assert server.requests == []


@pytest.mark.parametrize("status", [200, 400])
def test_a_right_checksum_passes_and_a_wrong_one_is_a_passing_failure(status):
    good = {"x-amz-crc32": str(crc32(b'{"Count":1}'))}
    with (
        serving(b'{"Count":1}', status=status, answer_headers=good) as server,
        connected(server.url) as connection,
    ):
        assert connection.call("Query", BODY).body == b'{"Count":1}'
        server.answer = b'{"Count":7}'
        with pytest.raises(RetryableError, match="checksum is wrong"):
            connection.call("Query", BODY)


def test_a_dropped_connection_is_a_passing_failure_and_the_next_call_connects_again():
    with serving(None) as server, connected(server.url) as connection:
        with pytest.raises(RetryableError, match=r"^Query at http"):
            connection.call("Query", BODY)
        server.answer = b"{}"
        assert connection.call("Query", BODY).status == 200


def test_an_answer_that_breaks_off_is_a_passing_failure():
    with serving(b'{"Items"', answer_headers={"Content-Length": "5000"}) as server:
        server.answer = b'{"Items"'
        with connected(server.url) as connection, pytest.raises(RetryableError):
            connection.call("Query", BODY, timeout=0.5)


def test_a_request_waits_no_longer_than_its_time_out():
    class Slow(DynamoStandIn):
        def do_POST(self):
            super_sleep.wait(5)

    super_sleep = threading.Event()
    with serving() as server:
        server.RequestHandlerClass = Slow
        with (
            connected(server.url) as connection,
            pytest.raises(RetryableError, match=r"[Tt]imed out"),
        ):
            connection.call("Query", BODY, timeout=0.05)
        super_sleep.set()


def test_over_an_open_connection_it_waits_no_longer_than_the_client_would(monkeypatch):
    waits, exchange = [], wire.exchange

    def noting(connected, sent, timeout):
        waits.append(timeout)
        return exchange(connected, sent, timeout)

    monkeypatch.setattr(wire, "exchange", noting)
    with serving() as server:
        connection = Connection.from_client(client(server.url, config=Config(read_timeout=7)))
        connection.call("Query", BODY)  # which connects
        for timeout in (None, 3.0, 60.0):
            connection.call("Query", BODY, timeout=timeout)
        connection.close()
    assert waits == [7, 3.0, 7]


def test_an_endpoint_that_is_not_there_is_a_passing_failure():
    with serving() as server:
        gone = server.url
    with connected(gone) as connection, pytest.raises(RetryableError, match="refused"):
        connection.call("Query", BODY)


def test_a_certificate_nobody_trusts_is_refused_for_good(certificate):
    with serving(certificate=certificate) as server, connected(server.url) as connection:
        with pytest.raises(FestivalError, match="certificate verify failed") as caught:
            connection.call("Query", BODY)
        assert not isinstance(caught.value, RetryableError)
    assert server.requests == []


def test_a_clients_ca_bundle_is_trusted(certificate):
    with (
        serving(certificate=certificate) as server,
        connected(server.url, verify=certificate) as connection,
    ):
        assert connection.call("Query", BODY).status == 200


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_the_shells_ca_bundle_is_trusted(certificate, monkeypatch, name):
    monkeypatch.setenv(name, certificate)
    with serving(certificate=certificate) as server, connected(server.url) as connection:
        assert connection.call("Query", BODY).status == 200


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verification_is_off_where_the_client_has_it_off(certificate):
    with (
        serving(certificate=certificate) as server,
        connected(server.url, verify=False) as connection,
    ):
        assert connection.call("Query", BODY).status == 200


def test_a_proxy_of_the_clients_configuration_gets_the_whole_address():
    with serving() as proxy:
        config = Config(proxies={"http": proxy.url})
        with connected("http://dynamodb.example:8000", config=config) as connection:
            assert connection.call("Query", BODY).status == 200
    path, headers, body = proxy.requests[0]
    assert path == "http://dynamodb.example:8000/"
    assert headers["host"] == "dynamodb.example:8000"
    assert body == BODY


def test_a_proxy_of_the_shell_is_asked_for_a_tunnel_with_its_password(monkeypatch):
    with serving() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://roadie:backstage@"))
        with (
            connected("https://dynamodb.example") as connection,
            pytest.raises(RetryableError, match="no tunnel today"),
        ):
            connection.call("Query", BODY)
    path, headers, _ = proxy.requests[0]
    assert path == "dynamodb.example:443"
    assert headers["Proxy-Authorization"].startswith("Basic ")


def test_a_host_the_shell_exempts_goes_past_the_proxy(monkeypatch):
    with serving() as server:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with connected(server.url) as connection:
            assert connection.call("Query", BODY).status == 200


def test_small_requests_do_not_wait_for_an_acknowledgement():
    with serving() as server, connected(server.url) as connection:
        connection.call("Query", BODY)
        [kept_open] = [kept for kept in connection._transport._pool.pool.queue if kept]
        assert kept_open.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_requests_of_several_threads_share_open_connections():
    with serving() as server, connected(server.url) as connection:
        threads = [
            threading.Thread(target=lambda: [connection.call("Query", BODY) for _ in range(5)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.requests) == 20
    assert 1 <= server.connections <= 4


def test_a_connection_that_the_server_has_closed_meanwhile_is_not_used_again():
    with serving(answer_headers={"Connection": "close"}) as server:
        with connected(server.url) as connection:
            assert [connection.call("Query", BODY).status for _ in range(3)] == [200, 200, 200]
        assert server.connections == 3


def test_an_answer_in_chunks_is_left_to_the_library():
    class Chunking(DynamoStandIn):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b'4\r\n{"Co\r\n7\r\nunt":1}\r\n0\r\n\r\n')

    with serving() as server:
        server.RequestHandlerClass = Chunking
        with connected(server.url) as connection:
            bodies = [connection.call("Query", BODY).body for _ in range(3)]
    assert bodies == [b'{"Count":1}'] * 3


def test_the_short_way_and_the_librarys_way_send_the_same():
    with serving() as server, connected(server.url, token="session-token") as connection:
        connection.call("Query", BODY)
        connection.call("Query", BODY)
    by_library, short = (
        {name.lower(): value for name, value in headers.items()}
        for _, headers, _ in server.requests
    )
    changing = {"authorization", "x-amz-date"}
    assert {name: value for name, value in by_library.items() if name not in changing} == {
        name: value for name, value in short.items() if name not in changing
    }


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (
            {"__type": "com.amazonaws.dynamodb.v20120810#ValidationException", "message": "Bad"},
            "ValidationException",
            "Bad",
        ),
        (
            {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": "No"},
            "AccessDeniedException",
            "No",
        ),
        ({"__type": "InternalServerError"}, "InternalServerError", ""),
    ],
)
def test_an_error_has_its_code_and_message_in_both_spellings(body, code, message):
    assert Response(400, json.dumps(body).encode()).error() == (code, message)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"\xff\xfe", b"null", b"{}"])
def test_an_error_without_dynamodbs_body_keeps_its_status(body):
    assert Response(502, body).error()[0] == "HTTP 502"
