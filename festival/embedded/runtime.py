"""Runs the deployed function as Lambda does: its zip and its handler, in its own process.

The process talks to a stand-in for Lambda's Runtime API (guide: "Using the Lambda runtime API for
custom runtimes") on a loopback port, through AWS's client `awslambdaric` if that is installed.
"""

import io
import json
import subprocess
import sys
import time
import uuid
import zipfile
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import FestivalError
from festival.stack.stack import find_stack, read_outputs

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_logs import CloudWatchLogsClient


class ReplyKind(Enum):
    """What the function's process has done."""

    READY = auto()  # it asks for an event
    RESPONSE = auto()
    ERROR = auto()  # the handler raised
    INIT_ERROR = auto()  # the handler could not be loaded
    EXITED = auto()
    TIMED_OUT = auto()


class FunctionReply(NamedTuple):
    """What the process has done, and the body that it sent, if any."""

    kind: ReplyKind
    body: bytes = b""


class RuntimeApi:
    """The Runtime API on a loopback port, for one process and one event at a time."""

    def __init__(self, replies: SimpleQueue[FunctionReply]) -> None:
        self.replies = replies
        self.offers: SimpleQueue[tuple[bytes, dict[str, str]] | None] = SimpleQueue()
        api = self

        class Handler(_RuntimeApiHandler):
            runtime_api = api

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def offer(self, event: bytes, deadline: float, arn: str) -> None:
        headers = {
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(deadline):08x}-{uuid.uuid4().hex[:24]}",
        }
        self.offers.put((event, headers))

    def close(self) -> None:
        self.offers.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a killed process drops its connection, which is not an error here."""


class _RuntimeApiHandler(BaseHTTPRequestHandler):
    runtime_api: RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise each answer, two small writes, takes 40 ms

    def do_GET(self) -> None:
        self.runtime_api.replies.put(FunctionReply(ReplyKind.READY))
        offer = self.runtime_api.offers.get()
        if offer is None:
            self.close_connection = True
            return
        event, headers = offer
        self._answer(200, event, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self._answer(202, b'{"status":"OK"}', {})
        self.runtime_api.replies.put(FunctionReply(_kind_of_post(self.path), body))

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Print nothing: only the function's own log matters."""


def _kind_of_post(path: str) -> ReplyKind:
    if "/init/" in path:
        return ReplyKind.INIT_ERROR
    return ReplyKind.ERROR if path.endswith("/error") else ReplyKind.RESPONSE


BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
INIT_SECONDS = 60.0  # Lambda allows 10; a busy laptop may take longer to import boto3
KEPT_LOG_LINES = 200
LINES_A_CALL = 1_000


class FunctionError(FestivalError):
    """An invocation that failed: the handler raised, ran out of time or died. SQS tries again."""


class BrokenFunctionError(FestivalError):
    """A function that cannot start: a wrong handler name, an import error."""


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function: its settings in Lambda, and the folder with its unpacked zip."""

    name: str
    arn: str
    handler: str
    timeout: float
    memory: int
    region: str
    environment: Mapping[str, str]
    code: Path
    log_group: str = ""

    def process_environment(self, outside: Mapping[str, str]) -> dict[str, str]:
        """The process's environment: `outside`, the function's variables, and Lambda's own.

        Source: the Lambda guide, "Defined runtime environment variables".
        """
        return {
            **outside,
            **self.environment,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "embedded",
            "LAMBDA_TASK_ROOT": str(self.code),
            "HOME": str(self.code),
            "TZ": ":UTC",
            "_HANDLER": self.handler,
        }


class Runtime:
    """Keeps one warm process for the function, and starts another if it dies or is killed."""

    def __init__(
        self,
        function: Function,
        outside: Mapping[str, str],
        *,
        on_log: Callable[[str], None] | None = None,
    ) -> None:
        """`outside` is the environment of the embedded AWS; `on_log` gets each line of the log."""
        self.function = function
        self._environment = function.process_environment(outside)
        self._on_log = on_log
        self._process: _Process | None = None

    def __enter__(self) -> "Runtime":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def invoke(self, event: Any) -> Any:
        """The handler's answer to `event`, both as plain JSON values.

        Raises FunctionError if this invocation failed, BrokenFunctionError if every one would fail.
        """
        if self._process is None:
            self._process = _Process(self.function, self._environment, self._on_log)
        try:
            return self._process.invoke(event)
        except Exception:
            if not self._process.alive:
                self.close()
            raise

    def close(self) -> None:
        """End the process. The next invocation starts cold."""
        if self._process is not None:
            self._process.end()
            self._process = None


class DeployedFunction:
    """Invokes a stack's function, always with its latest code and settings.

    As in AWS, its logs go to its log group, where `aws logs tail` shows them.
    """

    def __init__(
        self,
        session: "boto3.Session",
        stack: str,
        *,
        outside: Mapping[str, str],
        folder: Path,
        deployments: Callable[[], int],
        on_log: Callable[[str], None] | None = None,
    ) -> None:
        """`deployments` counts the deployments so far; code is unpacked in `folder`."""
        self._session = session
        self._log = FunctionLog(session.client("logs"))
        self._stack = stack
        self._outside = outside
        self._folder = folder
        self._deployments = deployments
        self._on_log = on_log
        self._deployment = -1
        self._is_invoking = False
        self._runtime: Runtime | None = None

    def invoke(self, event: Any) -> Any:
        """Like Runtime.invoke, in a process that has the latest deployment."""
        latest = self._deployments()
        if self._runtime is None or self._deployment != latest:
            self.close()
            function = download_function(self._session, self._stack, self._folder / str(latest))
            self._log.group = function.log_group
            self._runtime = Runtime(function, self._outside, on_log=self._take_line)
            self._deployment = latest
        self._is_invoking = True
        try:
            return self._runtime.invoke(event)
        except FunctionError as error:
            self._log.add(str(error))
            raise
        finally:
            self._is_invoking = False
            self._log.flush()

    def _take_line(self, line: str) -> None:
        """Log a line; after the answer send it at once, as no other invocation may follow."""
        self._log.add(line)
        if not self._is_invoking:
            self._log.flush()
        if self._on_log is not None:
            self._on_log(line)

    def close(self) -> None:
        """End the process."""
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None


class FunctionLog:
    """Sends a function's lines to its log group, in the order they came."""

    def __init__(self, logs: "CloudWatchLogsClient") -> None:
        """`logs` is a boto3 client."""
        self.group = ""
        self._logs = logs
        self._lines: deque[tuple[int, str]] = deque()
        self._streams: set[str] = set()
        self._sending = Lock()

    def add(self, line: str) -> None:
        """Keep a line until `flush`. CloudWatch refuses an empty one."""
        if line.strip():
            self._lines.append((int(time.time() * 1000), line))

    def flush(self) -> None:
        """Send what came since the last time. If the log group is gone, the lines are dropped."""
        stream = time.strftime("%Y/%m/%d/[$LATEST]embedded", time.gmtime())
        names: Any = {"logGroupName": self.group, "logStreamName": stream}
        with self._sending, suppress(ClientError, BotoCoreError):
            if stream not in self._streams:
                with suppress(self._logs.exceptions.ResourceAlreadyExistsException):
                    self._logs.create_log_stream(**names)
                self._streams.add(stream)
            while batch := [
                self._lines.popleft() for _ in range(min(LINES_A_CALL, len(self._lines)))
            ]:
                self._logs.put_log_events(
                    **names, logEvents=[{"timestamp": at, "message": line} for at, line in batch]
                )


def download_function(session: "boto3.Session", stack: str, folder: Path) -> Function:
    """Read a deployed function's settings, and unpack its zip from the deployment bucket.

    Raises FestivalError if there is no such stack.
    """
    name = read_outputs(session, stack).function
    settings = session.client("lambda").get_function_configuration(FunctionName=name)
    deployed = find_stack(session.client("cloudformation"), stack)
    assert deployed is not None
    archive = session.client("s3").get_object(
        Bucket=deployed.parameters["DeploymentBucketName"], Key=deployed.parameters["LambdaZipKey"]
    )
    with zipfile.ZipFile(io.BytesIO(archive["Body"].read())) as code:
        code.extractall(folder)
    variables = settings.get("Environment", {}).get("Variables", {})
    return Function(
        name=name,
        arn=settings["FunctionArn"],
        handler=settings["Handler"],
        timeout=settings["Timeout"],
        memory=settings["MemorySize"],
        region=session.region_name,
        environment={key: str(value) for key, value in variables.items()},
        code=folder,
        log_group=settings.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}",
    )


class _Process:
    """One process of the function, and the Runtime API that serves only this process."""

    def __init__(
        self,
        function: Function,
        environment: Mapping[str, str],
        on_log: Callable[[str], None] | None,
    ) -> None:
        self._function = function
        self._on_log = on_log
        self._log: deque[str] = deque(maxlen=KEPT_LOG_LINES)
        self._replies: SimpleQueue[FunctionReply] = SimpleQueue()
        self._api = RuntimeApi(self._replies)
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-u", str(BOOTSTRAP), function.handler],
            cwd=function.code,
            env={**environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C at the terminal is not meant for the function
        )
        self._reader = Thread(target=self._read_log, name="function-log", daemon=True)
        self._reader.start()
        self._started = False
        self.alive = True

    def invoke(self, event: Any) -> Any:
        """Wait until the process asks for an event, give it this one, and return its answer."""
        self._wait_until_ready()
        seconds = self._function.timeout
        self._api.offer(json.dumps(event).encode(), time.time() + seconds, self._function.arn)
        reply = self._next(seconds)
        name = self._function.name
        match reply.kind:
            case ReplyKind.RESPONSE:
                return _parsed(reply.body, name)
            case ReplyKind.ERROR:
                raise FunctionError(f"{name} failed: {_failure(reply.body)}")
            case ReplyKind.TIMED_OUT:
                self.end()
                raise FunctionError(f"{name}: Task timed out after {seconds:.2f} seconds")
            case _:
                self.end()
                raise FunctionError(f"{name}: Runtime exited: {self._last_lines()}")

    def end(self) -> None:
        self.alive = False
        self._child.kill()
        self._child.wait()
        self._reader.join()
        self._api.close()

    def _wait_until_ready(self) -> None:
        reply = self._next(INIT_SECONDS)
        if reply.kind is ReplyKind.READY:
            self._started = True
            return
        self.end()
        failed = reply.kind is ReplyKind.INIT_ERROR
        reason = _failure(reply.body) if failed else self._last_lines()
        if self._started:
            raise FunctionError(
                f"{self._function.name}: Runtime exited between two events: {reason}"
            )
        handler = self._function.handler
        raise BrokenFunctionError(
            f"{self._function.name} cannot start with the handler {handler}: {reason}"
        )

    def _next(self, seconds: float) -> FunctionReply:
        try:
            return self._replies.get(timeout=seconds)
        except Empty:
            return FunctionReply(ReplyKind.TIMED_OUT)

    def _read_log(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as lines:
            for line in lines:
                self._log.append(line.rstrip("\n"))
                if self._on_log is not None:
                    self._on_log(line.rstrip("\n"))
        self._replies.put(FunctionReply(ReplyKind.EXITED))

    def _last_lines(self) -> str:
        return (
            " | ".join(line for line in list(self._log)[-5:] if line.strip()) or "its log is empty"
        )


def _parsed(body: bytes, name: str) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError as error:
        raise FunctionError(f"{name} answered with something that is not JSON: {error}") from error


def _failure(body: bytes) -> str:
    try:
        failure = json.loads(body)
        return f"{failure['errorType']}: {failure['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:500]
