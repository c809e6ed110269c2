"""Starts the handler in the function's process, as Lambda's image does.

`festival.embedded.runtime` starts this file as a script. The process can import the standard
library, boto3 and what boto3 needs, and the unpacked zip in the working directory, but, as in
Lambda, nothing else that is installed on this machine.
"""

import http.client
import importlib
import importlib.abc
import importlib.util
import json
import os
import runpy
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

BOTO3 = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3", "certifi"}
RUNTIME_CLIENT = {"awslambdaric", "snapshot_restore_py", "simplejson", "runtime_client"}
API = "/2018-06-01/runtime"


class OnlyWhatLambdaHas(importlib.abc.MetaPathFinder):
    """Refuses to import what Lambda does not have."""

    def __init__(self, task_root: Path) -> None:
        self._task_root = task_root

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top = name.partition(".")[0]
        known = top in sys.stdlib_module_names | BOTO3 | RUNTIME_CLIENT or top.startswith("_")
        if known or (self._task_root / top).is_dir() or (self._task_root / f"{top}.py").is_file():
            return None
        raise ModuleNotFoundError(f"No module named {name!r} in the function's zip", name=name)


def main(handler_name: str) -> None:
    task_root = Path.cwd()
    has_runtime_client = importlib.util.find_spec("awslambdaric") is not None
    sys.path.insert(0, str(task_root))
    sys.meta_path.insert(0, OnlyWhatLambdaHas(task_root))
    if has_runtime_client:
        sys.argv = ["awslambdaric", handler_name]
        runpy.run_module("awslambdaric", run_name="__main__")
    else:
        serve(handler_name, os.environ["AWS_LAMBDA_RUNTIME_API"])


def serve(handler_name: str, api: str) -> None:
    """Serves the Runtime API's events, in place of AWS's own client if that is not installed.

    Source: the Lambda guide, "Using the Lambda runtime API for custom runtimes".
    """
    host, port = api.split(":")
    connection = http.client.HTTPConnection(host, int(port))
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        handler = load(handler_name)
    except Exception as error:
        _post(connection, "init/error", _failure(error))
        sys.exit(1)
    while True:
        connection.request("GET", f"{API}/invocation/next")
        answer = connection.getresponse()
        event = json.loads(answer.read())
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        context = _context(answer.headers)
        try:
            result = json.dumps(handler(event, context)).encode()
        except Exception as error:
            traceback.print_exc()
            _post(connection, f"invocation/{request_id}/error", _failure(error))
        else:
            _post(connection, f"invocation/{request_id}/response", result)


def load(handler_name: str) -> Callable[[Any, Any], Any]:
    """The function that `module.function` names."""
    module, _, function = handler_name.rpartition(".")
    handler: Callable[[Any, Any], Any] = getattr(importlib.import_module(module), function)
    return handler


def _context(headers: Any) -> SimpleNamespace:
    deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])
    return SimpleNamespace(
        aws_request_id=headers["Lambda-Runtime-Aws-Request-Id"],
        invoked_function_arn=headers["Lambda-Runtime-Invoked-Function-Arn"],
        function_name=os.environ.get("AWS_LAMBDA_FUNCTION_NAME"),
        function_version=os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
        memory_limit_in_mb=os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        log_group_name=os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME"),
        log_stream_name=os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
        get_remaining_time_in_millis=lambda: max(deadline_ms - int(time.time() * 1000), 0),
    )


def _failure(error: Exception) -> bytes:
    lines = traceback.format_exception(error)
    failure = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": lines}
    return json.dumps(failure).encode()


def _post(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    connection.request("POST", f"{API}/{path}", body, {"Content-Type": "application/json"})
    connection.getresponse().read()


if __name__ == "__main__":
    main(sys.argv[1])
