"""The embedded AWS: moto's server on a loopback port, in an environment that leads only there."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import boto3
import botocore.loaders
import botocore.session
from botocore.exceptions import ClientError

from festival.embedded import moto_gaps
from festival.embedded.poller import Drained, EventSource, Invocation, Poller
from festival.embedded.runtime import DeployedFunction
from festival.embedded.server import serving
from festival.errors import FestivalError
from festival.stack.dead_letters import queue_depth
from festival.stack.deploy import DeployRequest, deploy
from festival.stack.stack import DEFAULT_STACK, StackOutputs, read_outputs

REGION = "us-east-2"
# Access keys that tell who makes a call: a person, the function, or AWS itself.
PERSON, FUNCTION = "embedded", "function"
LAMBDA, CLOUDFORMATION = "lambda", "cloudformation"
EMAIL = "operator@festival.example"
QUEUE_OUTPUT = "QueueUrlOut"

# Read once per process: otherwise each session spends a third of a second parsing JSON.
SERVICE_MODELS = botocore.loaders.create_loader()

# Prefixes of the variables that set endpoint, account or stack for boto3, the AWS CLI or this kit.
AWS_VARIABLES = ("AWS_", "BOTO_", "FESTIVAL_TABLE", "FESTIVAL_STACK")


def isolated(environ: Mapping[str, str], endpoint_url: str, folder: Path) -> dict[str, str]:
    """A copy of `environ` that leads only to `endpoint_url` and to no real account.

    It has no profile, no service endpoints, no role to assume and no metadata service. Its config
    and credentials files are empty ones in `folder`, and calls to loopback bypass any proxy.
    """
    others = {
        name: value for name, value in environ.items() if not name.upper().startswith(AWS_VARIABLES)
    }
    loopback = "127.0.0.1,localhost"
    no_proxy = ",".join(filter(None, [others.get("NO_PROXY") or others.get("no_proxy"), loopback]))
    return {
        **others,
        "AWS_ACCESS_KEY_ID": PERSON,
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


@dataclass(frozen=True, slots=True)
class Email:
    """An e-mail as SNS would have sent it."""

    subject: str
    body: str


class EmbeddedAws:
    """An AWS on this machine, for as long as its `with` block lasts.

    Within the block the whole process sees only this AWS: its environment variables are replaced
    and restored afterwards. A process can have only one at a time. Usage:

        with EmbeddedAws() as aws:
            outputs = aws.deploy()
            s3 = aws.session().client("s3")
            s3.upload_file("sample.csv", outputs.upload_bucket, "sample.csv")
            aws.drain()
            print(aws.emails())
    """

    _running = threading.Lock()

    def __init__(
        self,
        port: int = 0,
        *,
        on_request: Callable[[Mapping[str, Any], bytes], None] | None = None,
    ) -> None:
        """`port` 0 means any free port. `on_request` is passed to `server.serving`."""
        self._port = port
        self._on_request = on_request
        self._exit = ExitStack()
        self._sessions = threading.local()
        self._stacks = threading.Lock()  # held while a stack changes
        self._deployments = 0
        self._pollers: dict[str, Poller] = {}  # by the URL of the queue
        self._at_work: dict[str, Poller] = {}  # those that run in the background
        self._ended: dict[str, int] = {}  # by queue, the deployment during which its poller ended
        self._mail: dict[str, list[Email]] = {}  # by the topic
        self.endpoint_url = ""
        self.environment: dict[str, str] = {}

    def __enter__(self) -> "EmbeddedAws":
        if not self._running.acquire(blocking=False):
            raise FestivalError("An embedded AWS is already running in this process: end it first")
        with ExitStack() as starting:
            starting.callback(self._running.release)
            self._folder = Path(starting.enter_context(TemporaryDirectory(prefix="festival-")))
            starting.enter_context(moto_gaps.patched())
            # Restored after the server has ended, because the server needs it until then.
            starting.enter_context(mock.patch.dict(os.environ))
            self.endpoint_url = starting.enter_context(
                serving(self._port, self._changing_a_stack, self._on_request)
            )
            for name in ("config", "credentials"):
                (self._folder / name).touch()
            self.environment = isolated(os.environ, self.endpoint_url, self._folder)
            os.environ.clear()
            os.environ.update(self.environment)
            # An earlier default session would give boto3.client(...) the real credentials.
            starting.enter_context(mock.patch.object(boto3, "DEFAULT_SESSION", None))
            self._exit = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def session(self) -> boto3.Session:
        """A boto3 session for this AWS; each thread has its own."""
        if not hasattr(self._sessions, "session"):
            self._sessions.session = _new_session()
        session: boto3.Session = self._sessions.session
        return session

    def deploy(self, stack: str = DEFAULT_STACK, **parameters: str) -> StackOutputs:
        """Deploy the kit's template; parameters have the template's names."""
        return deploy(self.session(), DeployRequest(stack, {"EmailAddress": EMAIL, **parameters}))

    def poller(
        self,
        stack: str = DEFAULT_STACK,
        *,
        on_log: Callable[[str], None] | None = None,
        on_invocation: Callable[[Invocation], None] | None = None,
    ) -> Poller:
        """A poller from a deployed stack's queue to its function; it ends with this AWS.

        `on_log` gets each line that the function logs, `on_invocation` each batch.
        """
        session = self.session()
        outputs = read_outputs(session, stack)
        mappings = session.client("lambda").list_event_source_mappings(
            FunctionName=outputs.function
        )
        mapping = mappings["EventSourceMappings"][0]
        source = EventSource(
            queue_url=outputs.queue_url,
            queue_arn=mapping["EventSourceArn"],
            batch_size=mapping["BatchSize"],
            reports_item_failures="ReportBatchItemFailures"
            in mapping.get("FunctionResponseTypes", []),
        )
        lambda_session = _new_session(LAMBDA)
        function = DeployedFunction(
            lambda_session,
            stack,
            outside=self._function_environment(),
            folder=Path(self._exit.enter_context(TemporaryDirectory(prefix="festival-code-"))),
            deployments=lambda: self._deployments,
            on_log=on_log,
        )
        self._exit.callback(function.close)
        poller = Poller(lambda_session.client("sqs"), source, function, on_invocation=on_invocation)
        self._exit.callback(poller.stop)
        return poller

    def drain(self, timeout: float = 30.0, stack: str = DEFAULT_STACK) -> Drained:
        """Let the function work until the queue is empty, at most `timeout` seconds."""
        queue = read_outputs(self.session(), stack).queue_url
        if queue not in self._pollers:
            self._pollers[queue] = self.poller(stack)
        return self._pollers[queue].drain(timeout)

    def work(self, on_failure: Callable[[Exception], None]) -> list[str]:
        """Run a poller for each deployed stack; returns the stacks' names.

        Call it again after stacks were deployed or removed; it waits until a change has ended.
        `on_failure` gets the error that ends a poller whose stack still exists; the next
        deployment starts that poller again.
        """
        with self._stacks:
            return self._work(on_failure)

    def _work(self, on_failure: Callable[[Exception], None]) -> list[str]:
        deployed = {
            stack["StackName"]: output["OutputValue"]
            for stack in self.session().client("cloudformation").describe_stacks()["Stacks"]
            for output in stack.get("Outputs", [])
            if output["OutputKey"] == QUEUE_OUTPUT
        }
        for queue in set(self._at_work) - set(deployed.values()):
            if poller := self._at_work.pop(queue, None):  # it may have ended just now
                poller.stop()
        for name, queue in deployed.items():
            if queue not in self._at_work and self._ended.get(queue) != self._deployments:
                self._at_work[queue] = self.poller(name)
                self._at_work[queue].start(partial(self._poller_ended, queue, on_failure))
        return list(deployed)

    def _poller_ended(
        self, queue: str, on_failure: Callable[[Exception], None], error: Exception
    ) -> None:
        """Report the error, unless the poller ended because its queue was removed."""
        self._ended[queue] = self._deployments
        self._at_work.pop(queue, None)
        try:
            queue_depth(_new_session(LAMBDA).client("sqs"), queue)
        except ClientError:
            return
        on_failure(error)

    def emails(self, stack: str = DEFAULT_STACK) -> list[Email]:
        """Every e-mail since the stack was deployed, in order of arrival.

        Raises FestivalError if there is no such stack.
        """
        with self._stacks:
            return self._emails(read_outputs(self.session(), stack).topic_arn)

    def _emails(self, topic: str) -> list[Email]:
        sqs = self.session().client("sqs")
        tap = sqs.get_queue_url(QueueName=moto_gaps.tap_name(topic))["QueueUrl"]
        mail = self._mail.setdefault(topic, [])
        while messages := sqs.receive_message(QueueUrl=tap, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                notification = json.loads(message["Body"])
                mail.append(Email(notification.get("Subject", ""), notification["Message"]))
                sqs.delete_message(QueueUrl=tap, ReceiptHandle=message["ReceiptHandle"])
        return list(mail)

    @contextmanager
    def _changing_a_stack(self, call: str) -> Iterator[None]:
        with self._stacks:
            yield
            if call != "DeleteStack":
                moto_gaps.complete_stacks(_new_session(CLOUDFORMATION))
                self._deployments += 1

    def _function_environment(self) -> dict[str, str]:
        """The environment that the function gets from this machine: as in Lambda, very little."""
        passed_on = {
            name: value
            for name, value in self.environment.items()
            if name.startswith("AWS_") or name in ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
        }
        return {**passed_on, "AWS_ACCESS_KEY_ID": FUNCTION}


def _new_session(access_key: str | None = None) -> boto3.Session:
    core = botocore.session.get_session()
    core.register_component("data_loader", SERVICE_MODELS)
    secret = access_key and "embedded"
    return boto3.Session(access_key, secret, botocore_session=core)
