"""moto's server on a loopback port, that tells when a stack has changed."""

import http.client
import io
import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from festival.errors import FestivalError

HOST = "127.0.0.1"
STACK_CHANGES = {"CreateStack", "UpdateStack", "ExecuteChangeSet"}


class _MotoRequestHandler(MotoRequestHandler):
    disable_nagle_algorithm = True  # an answer is two small writes: 40 ms each time without it


@contextmanager
def serving(
    port: int,
    after_stack_change: Callable[[], None],
    on_request: Callable[[Mapping[str, Any], bytes], None] | None = None,
) -> Iterator[str]:
    """An empty AWS behind the URL that is yielded.

    `after_stack_change` is called once CloudFormation is done with a stack, and before the caller
    has the answer. `on_request` sees each request first: its WSGI environment, and the body of one
    that is a form.
    """
    moto = DomainDispatcherApplication(create_backend_app)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # moto warns of much that it does not do. With each request, because a test runner that
        # makes errors of warnings sets its filters anew for each test.
        warnings.filterwarnings("ignore", module=r"moto\.")
        form = _form(environ)
        if on_request is not None:
            on_request(environ, form)
        answer: Iterable[bytes] = moto(environ, start_response)
        if parse_qs(form.decode()).get("Action", [""])[0] in STACK_CHANGES:
            answer = list(answer)
            after_stack_change()
        return answer

    with _quiet(), _listening(port) as listener:
        server = make_server(
            *(HOST, port, application),
            threaded=True,
            request_handler=_MotoRequestHandler,
            fd=listener.fileno(),
        )
        thread = Thread(target=server.serve_forever, args=(0.05,), name="moto", daemon=True)
        thread.start()
        try:
            _reset(server.port)
            yield f"http://{HOST}:{server.port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A socket of our own: werkzeug ends the whole process where a port is in use.

    Raises FestivalError for a port that is in use or may not be used.
    """
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        raise FestivalError(
            f"Port {port} cannot be used: {os.strerror(error.errno or 0)}; name another, or none"
        ) from error
    with listener:
        yield listener


def _form(environ: dict[str, Any]) -> bytes:
    """The body of a request in AWS's query protocol, such as every one to CloudFormation."""
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return b""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _reset(port: int) -> None:
    """moto keeps its state for as long as the process lives: a new AWS starts empty."""
    connection = http.client.HTTPConnection(HOST, port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """moto logs every resource type it passes over, and its server every request."""
    loggers = [logging.getLogger(name) for name in ("moto", "werkzeug")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
