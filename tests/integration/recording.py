"""Which rights a call needs: the IAM action behind a request, and who made it."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qs

# Where an operation's right has another name ("Actions, resources, and condition keys").
OTHER_NAMES = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sns:PublishBatch": "sns:Publish",
}


class Call(NamedTuple):
    """An action, and the access key that it was signed with."""

    who: str
    action: str


class Recorder:
    """Collects the actions behind all requests to an embedded AWS, by who made them."""

    def __init__(self) -> None:
        self.actions: dict[str, set[str]] = defaultdict(set)

    def __call__(self, environ: Mapping[str, Any], form: bytes) -> None:
        call = call_of(environ, form)
        if call is not None:
            self.actions[call.who].add(call.action)

    @contextmanager
    def during(self, who: str) -> Iterator[set[str]]:
        """The actions that `who` takes within the block."""
        before, self.actions[who] = self.actions[who], set()
        try:
            yield self.actions[who]
        finally:
            self.actions[who] = before | self.actions[who]


def call_of(environ: Mapping[str, Any], form: bytes) -> Call | None:
    """The call behind a request; None where it is not signed and so not one of AWS's API."""
    signed = re.search(
        r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", "")
    )
    if signed is None:
        return None
    who, service = signed.groups()
    service = {"monitoring": "cloudwatch"}.get(service, service)
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        operation = target.rpartition(".")[2]
    elif operation_in_path := re.search(r"/operation/(\w+)", environ["PATH_INFO"]):
        operation = operation_in_path[1]
    elif form:
        operation = parse_qs(form.decode())["Action"][0]
    elif service == "s3":
        operation = _s3_action(environ)
    elif service == "lambda":
        operation = _lambda_action(environ)
    else:
        operation = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    action = f"{service}:{operation}"
    return Call(who, OTHER_NAMES.get(action, action))


def _lambda_action(environ: Mapping[str, Any]) -> str:
    """The right behind a request to Lambda, of those that the kit makes."""
    request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    for pattern, action in {
        r"GET .*/functions/[^/]+/configuration": "GetFunctionConfiguration",
        r"GET .*/event-source-mappings/[^/]+/?": "GetEventSourceMapping",
        r"GET .*/event-source-mappings/?": "ListEventSourceMappings",
    }.items():
        if re.fullmatch(pattern, request):
            return action
    return request


def _s3_action(environ: Mapping[str, Any]) -> str:
    """The right behind an S3 request ("Required permissions for Amazon S3 API operations")."""
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    method, names_object = environ["REQUEST_METHOD"], "/" in environ["PATH_INFO"].strip("/")
    version = "Version" if "versionId" in query else ""
    if names_object:
        return {
            "GET": f"GetObject{version}",
            "HEAD": f"GetObject{version}",
            "PUT": "PutObject",
            "POST": "PutObject",
            "DELETE": f"DeleteObject{version}",
        }[method]
    for mark, by_method in {
        "versions": {"GET": "ListBucketVersions"},
        "delete": {"POST": "DeleteObjectVersion"},
        "versioning": {"PUT": "PutBucketVersioning"},
        "publicAccessBlock": {"PUT": "PutBucketPublicAccessBlock"},
        "notification": {"PUT": "PutBucketNotification"},
    }.items():
        if mark in query:
            return by_method[method]
    return {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket"}[method]
