"""Runs moto's server on a loopback port, and reports each change to a stack."""

import http.client
import io
import json
import logging
import os
import socket
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from festival.errors import FestivalError

HOST = "127.0.0.1"
STACK_CHANGES = {"CreateStack", "UpdateStack", "ExecuteChangeSet", "DeleteStack"}


class _MotoRequestHandler(MotoRequestHandler):
    disable_nagle_algorithm = True  # otherwise each answer, two small writes, takes 40 ms


@contextmanager
def serving(
    port: int,
    changing_a_stack: Callable[[str], AbstractContextManager[None]],
    on_request: Callable[[Mapping[str, Any], bytes], None] | None = None,
) -> Iterator[str]:
    """Yields the URL of an empty AWS.

    Each call that changes a stack runs in a `with` block of `changing_a_stack`, which gets the
    call's name and ends before the caller has the answer. `on_request` gets each request before
    moto does: its WSGI environment and, if it is a form, its body.
    """
    moto = DomainDispatcherApplication(create_backend_app)
    tables = Lock()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # moto warns about features that it lacks. Set for each request, because a test runner that
        # turns warnings into errors resets the filters for each test.
        warnings.filterwarnings("ignore", module=r"moto\.")
        form = _form(environ)
        if on_request is not None:
            on_request(environ, form)
        call = parse_qs(form.decode()).get("Action", [""])[0]
        # A transaction that fails puts copies of moto's tables back: whatever another thread wrote
        # in the meantime would be gone.
        is_for_tables = environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB")
        try:
            with (
                tables if is_for_tables else nullcontext(),
                changing_a_stack(call) if call in STACK_CHANGES else nullcontext(),
            ):
                answer: Iterable[bytes] = moto(environ, start_response)
        except Exception as error:
            return _failure(environ, error, start_response)
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


def _failure(environ: Mapping[str, Any], error: BaseException, start: Any) -> Iterable[bytes]:
    """Answer with an AWS error for an exception in moto, whose server would send an HTML page.

    The status is 501, because clients retry after a 500, and moto would only fail again.
    """
    code = "InternalFailure"
    message = f"the embedded AWS cannot do this: {type(error).__name__}: {error}"
    if environ.get("HTTP_X_AMZ_TARGET") or "json" in environ.get("CONTENT_TYPE", ""):
        kind, body = "application/x-amz-json-1.0", json.dumps({"__type": code, "message": message})
    else:
        kind, body = (
            "text/xml",
            (
                f"<ErrorResponse><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
                "</ErrorResponse>"
            ),
        )
    content = body.encode()
    start(
        "501 Not Implemented",
        [("Content-Type", kind), ("Content-Length", str(len(content))), ("x-amzn-errortype", code)],
        sys.exc_info(),  # moto may have begun an answer
    )
    return [content]


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A listening socket. werkzeug would end the process if it found the port in use.

    Raises FestivalError if the port is in use or not allowed.
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
    """The body of a request in AWS's query protocol, which CloudFormation always uses."""
    if not environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return b""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _reset(port: int) -> None:
    """Start with an empty AWS: moto keeps its state for as long as the process lives."""
    connection = http.client.HTTPConnection(HOST, port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence moto, which logs each resource type it lacks, and its server, which logs requests."""
    loggers = [logging.getLogger(name) for name in ("moto", "werkzeug")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
