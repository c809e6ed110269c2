"""An ingest's AWS clients: tries, the clock they set, and answers that are refused as halves."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import IncompleteReadError

from festival.ingest.clients import Clients, refuse_part_of_an_answer


class Session:
    """Makes clients that only know how they were made and what listens to them."""

    def create_client(self, service, config):
        listens = []
        events = SimpleNamespace(register=lambda event, call: listens.append((event, call)))
        return SimpleNamespace(
            meta=SimpleNamespace(events=events),
            listens=listens,
            tries=config.retries["total_max_attempts"],
        )


SERVICES = ["s3", "dynamodb", "sqs", "sns"]


def test_an_e_mail_is_never_sent_twice_for_want_of_an_answer():
    """Everything else may be asked for again; of the e-mail the ledger decides."""
    clients = Clients(Session())
    assert {name: getattr(clients, name).tries for name in SERVICES} == {
        "s3": 4,
        "dynamodb": 4,
        "sqs": 4,
        "sns": 1,
    }


@pytest.mark.parametrize("service", SERVICES)
def test_every_client_refuses_halves_and_tells_the_time(service):
    watched = []
    clients = Clients(Session(), SimpleNamespace(watch=watched.append))
    client = getattr(clients, service)
    assert ("before-parse", refuse_part_of_an_answer) in client.listens
    assert watched == [client]


def answer(status, body=b"half", method="POST", **headers):
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    model = SimpleNamespace(http={"method": method})
    refuse_part_of_an_answer(model, {"status_code": status, "body": body, "headers": said})


@pytest.mark.parametrize("status", [200, 206])  # 206: a file's rest, from a saved place on
def test_a_good_answer_says_how_long_it_is(status):
    with pytest.raises(IncompleteReadError):
        answer(status)
    answer(status, content_length="4")
    answer(status, transfer_encoding="chunked")


@pytest.mark.parametrize("length", ["3", "5"])
def test_an_answer_of_another_length_is_refused(length):
    with pytest.raises(IncompleteReadError):
        answer(200, content_length=length)


def test_the_answer_to_a_head_has_the_length_of_what_it_is_about():
    answer(200, b"", "HEAD", content_length="2000")


def test_a_stream_is_not_measured_before_it_is_read():
    answer(200, object(), content_length="2000")


def test_a_refusal_may_come_without_a_length():
    answer(404)
