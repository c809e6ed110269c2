"""A botocore or urllib3 that has changed: writer and reader go on, and nothing is lost."""

import json
import sys
from types import SimpleNamespace

import pytest
from botocore.config import Config
from botocore.exceptions import SSLError
from test_table_connection import client, serving

from festival.errors import FestivalError, RetryableError
from festival.lineup.model import Performance
from festival.query.columns import read_columns
from festival.query.patterns import by_performer
from festival.table import wire
from festival.table.connection import ClientTransport, Connection
from festival.table.item import to_item
from festival.table.writer import BulkWriter

BODY = b'{"TableName":"lineup"}'
ELBOW = Performance("Elbow", "Park", "2024-06-28", 1200, 1290, 71, 2)
ROWS = [ELBOW._replace(start=minute, line=minute) for minute in range(60)]
# What the adapter takes from a client by names that are botocore's own business.
OF_A_CLIENT = (
    "_endpoint",
    "_endpoint.http_session",
    "_endpoint.http_session._verify",
    "_endpoint.http_session._proxy_config",
    "_endpoint.http_session._proxy_config._proxies",
    "_endpoint.http_session._proxy_config.settings",
    "_endpoint.http_session._cert_file",
    "_endpoint.http_session._key_file",
    "_request_signer",
    "_request_signer._credentials",
    "_request_signer._credentials.get_frozen_credentials",
)
OF_A_SESSION = (
    "_proxy_config",
    "_get_connection_manager",
    "_setup_ssl_cert",
    "_get_request_target",
)
IMPORTED = (
    "botocore.auth.SigV4Auth",
    "botocore.httpsession.URLLib3Session",
    "urllib3.exceptions.HTTPError",
    "urllib3.util.Timeout",
    "urllib3.util.connection.is_connection_dropped",
)


class Without:
    """An object of which one attribute, at the end of a path, is not there."""

    def __init__(self, whole, path):
        self._whole = whole
        self._name, _, self._rest = path.partition(".")

    def __getattr__(self, name):
        if name != self._name:
            return getattr(self._whole, name)
        if not self._rest:
            raise AttributeError(f"no attribute {name!r}")
        return Without(getattr(self._whole, name), self._rest)


def is_fast(connection):
    return not isinstance(connection._transport, ClientTransport)


def write_and_read(connection, server):
    """Every row put, and one read, over this connection."""
    server.answer = b'{"UnprocessedItems":{}}'
    with BulkWriter(connection, "lineup") as writer:
        writer.put(ROWS)
        outcome = writer.flush()
    assert (outcome.unwritten, outcome.rejections) == ((), ())
    server.answer = json.dumps({"Items": [to_item(ELBOW)], "Count": 1, "ScannedCount": 1}).encode()
    assert read_columns(connection, "lineup", by_performer("Elbow"))["StartMinutes"] == [1200]
    bodies = [json.loads(body).get("RequestItems", {}) for _, _, body in server.requests]
    sent = [put["PutRequest"]["Item"] for puts in bodies for put in puts.get("lineup", ())]
    assert [item for item in sent if item not in map(to_item, ROWS)] == []
    assert len({item["Performance"]["S"] for item in sent}) == len(ROWS)


def survives(make_client, warned):
    with serving() as server:
        theirs = make_client(server.url)
        connection = Connection.from_client(theirs, warn=warned.append)
        write_and_read(connection, server)
        connection.close()
    assert not is_fast(connection)
    assert len(warned) == 1
    assert "client's own methods" in warned[0]


@pytest.fixture
def warned():
    return []


@pytest.mark.parametrize("name", OF_A_CLIENT)
def test_a_name_of_the_client_that_has_gone(name, warned):
    survives(lambda url: Without(client(url), name), warned)


@pytest.mark.parametrize("name", OF_A_SESSION)
def test_a_name_of_the_http_session_that_has_gone(name, warned, monkeypatch):
    def gone(self):
        raise AttributeError(name)

    changed = type("Changed", (wire.URLLib3Session,), {name: property(gone, lambda *_: None)})
    monkeypatch.setattr(wire, "URLLib3Session", changed)
    survives(client, warned)


@pytest.mark.parametrize("path", IMPORTED)
def test_a_name_that_can_no_longer_be_imported(path, warned, monkeypatch):
    with serving() as server:
        theirs = client(server.url)
        theirs.query(
            TableName="lineup", KeyConditionExpression="a = b"
        )  # all that it needs is loaded
        server.requests.clear()
        monkeypatch.delitem(sys.modules, "festival.table.wire")
        with monkeypatch.context() as gone:
            gone.delattr(path)
            connection = Connection.from_client(theirs, warn=warned.append)
        write_and_read(connection, server)
    assert not is_fast(connection)
    assert len(warned) == 1


@pytest.mark.parametrize("name", ["pool", "urlopen"])
def test_a_pool_that_works_in_another_way_is_left_at_the_first_request(name, warned):
    with serving() as server:
        connection = Connection.from_client(client(server.url), warn=warned.append)
        connection._transport._pool = Without(connection._transport._pool, name)
        write_and_read(connection, server)
    assert not is_fast(connection)
    assert len(warned) == 1


def test_a_signature_that_dynamodb_does_not_take_is_made_by_the_client(warned, monkeypatch):
    with serving() as server:
        connection = Connection.from_client(client(server.url), warn=warned.append)
        refused = {
            "__type": "v#InvalidSignatureException",
            "message": "The signature we calculated",
        }
        answers = SimpleNamespace(error=lambda: (refused["__type"][2:], refused["message"]))
        connection._transport.call = lambda *_, **__: answers
        write_and_read(connection, server)
    assert "InvalidSignatureException" in warned[0]


def test_a_wrong_secret_is_no_reason_to_leave_the_fast_transport(warned):
    refused = b'{"__type":"v#InvalidSignatureException","message":"Check your secret key"}'
    with serving(refused, status=400) as server:
        connection = Connection.from_client(client(server.url), warn=warned.append)
        answer = connection.call("Query", BODY)
    assert answer.error() == ("InvalidSignatureException", "Check your secret key")
    assert is_fast(connection) and warned == []


def test_one_lost_packet_is_no_reason_and_a_way_that_never_leads_anywhere_is(warned):
    with serving() as server:
        connection = Connection.from_client(client(server.url), warn=warned.append)

        def lost(*_, **__):
            raise RetryableError("connection refused by a proxy that nobody has")

        connection._transport.call = lost
        for _ in range(2):
            with pytest.raises(RetryableError):
                connection.call("Query", BODY)
        assert is_fast(connection)
        assert connection.call("Query", BODY).status == 200
    assert not is_fast(connection)
    assert "a proxy that nobody has" in warned[0]


def test_once_it_has_answered_the_fast_transport_is_never_doubted_for_the_network(warned):
    with serving() as server:
        connection = Connection.from_client(client(server.url), warn=warned.append)
        connection.call("Query", BODY)
        server.answer = None
        for _ in range(5):
            with pytest.raises(RetryableError):
                connection.call("Query", BODY)
    assert is_fast(connection) and warned == []


class Asleep(list):
    """Each request that comes in is followed by an hour."""

    def __init__(self, now):
        super().__init__()
        self._now = now

    def append(self, request):
        super().append(request)
        self._now[0] += 3600


def asleep_at_each_request(server, warned):
    """A connection to a server that never answers, on a machine that is suspended meanwhile."""
    now = [1000.0]
    server.answer, server.requests = None, Asleep(now)
    return Connection.from_client(client(server.url), warn=warned.append, clock=lambda: now[0])


class TestClientTransport:
    def test_no_try_begins_after_the_time_out(self):
        with serving() as server:
            way = ClientTransport(client(server.url))
            with pytest.raises(RetryableError, match=r"^Query at http.*timed out"):
                way.call("Query", BODY, timeout=0.0)
            assert server.requests == []
            assert way.call("Query", BODY, timeout=60.0).status == 200

    def test_no_try_begins_after_the_machine_was_suspended_for_too_long(self):
        now = [1000.0]
        with serving() as server:
            server.answer = None  # the first try gets lost, and meanwhile the lid is closed
            server.requests = Asleep(now)
            way = ClientTransport(client(server.url), clock=lambda: now[0])
            with pytest.raises(RetryableError, match="timed out"):
                way.call("Query", BODY, timeout=20.0)
            assert len(server.requests) == 1

    def test_nor_where_it_is_asked_for_want_of_any_answer(self, warned):
        with serving() as server:
            connection = asleep_at_each_request(server, warned)

            def lost(*_, **__):
                raise RetryableError("connection refused by a proxy that nobody has")

            connection._transport.call = lost
            for _ in range(3):
                with pytest.raises(RetryableError, match="a proxy that nobody has"):
                    connection.call("Query", BODY, timeout=20.0)
            assert len(server.requests) == 1

    def test_the_clients_other_calls_know_nothing_of_that(self):
        """The ledger asks by the same client, long after the last row was sent."""
        now = [1000.0]
        with serving() as server:
            theirs = client(server.url)
            ClientTransport(theirs, clock=lambda: now[0]).call("Query", BODY, timeout=20.0)
            now[0] += 3600
            theirs.query(TableName="ledger", KeyConditionExpression="a = b")
            assert len(server.requests) == 2

    def test_nor_where_it_took_over_at_the_first_request(self, warned):
        with serving() as server:
            connection = asleep_at_each_request(server, warned)
            connection._transport._pool = Without(connection._transport._pool, "urlopen")
            with pytest.raises(RetryableError, match="timed out"):
                connection.call("Query", BODY, timeout=20.0)
            assert len(server.requests) == 1
        assert not is_fast(connection)

    def test_a_certificate_that_nobody_trusts_does_not_pass_by_itself(self):
        with serving() as server:
            theirs = client(server.url)

        def distrust(**_):
            raise SSLError(endpoint_url=server.url, error="self-signed certificate")

        theirs.query = distrust
        with pytest.raises(FestivalError, match="self-signed") as refused:
            ClientTransport(theirs).call("Query", BODY)
        assert not isinstance(refused.value, RetryableError)

    def test_an_error_answer_keeps_its_status_code_and_message(self):
        refused = b'{"__type":"v#ResourceNotFoundException","message":"no table lineup"}'
        with serving(refused, status=400) as server:
            answer = ClientTransport(client(server.url)).call("Query", BODY)
        assert answer.status == 400
        assert answer.error() == ("ResourceNotFoundException", "no table lineup")

    def test_an_endpoint_that_is_not_there_may_come_back(self):
        with serving() as server:
            gone = server.url
        once = Config(retries={"total_max_attempts": 1})
        with pytest.raises(RetryableError, match=r"^Query at http"):
            ClientTransport(client(gone, config=once)).call("Query", BODY)

    def test_a_body_that_the_client_refuses_never_passes(self):
        with serving() as server, pytest.raises(FestivalError, match="Unknown parameter") as caught:
            ClientTransport(client(server.url)).call("Query", b'{"TableName":"lineup","Key":{}}')
        assert not isinstance(caught.value, RetryableError)
