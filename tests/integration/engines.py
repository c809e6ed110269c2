"""DynamoDB engines to test the table against: moto's server, and dynalite where Node is.

moto accepts much that DynamoDB refuses (a batch of 26, unused expression values, a wrong type in an
index key); dynalite refuses it.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Any

import boto3
from botocore.config import Config

from festival.embedded.server import serving
from festival.table.schema import INDEXES, PARTITION_KEY, SORT_KEY

DYNALITE = "dynalite@4.0.0"
STARTS_WITHIN = 60.0


class EngineMissingError(Exception):
    """Why an engine cannot run here."""


def create_table_request(name: str) -> dict[str, Any]:
    """The parameters of CreateTable for the table of the template, from the schema alone."""
    keys = {PARTITION_KEY: "S", SORT_KEY: "S"}
    for index in INDEXES:
        keys |= {index.partition_key: "S", index.sort_key: index.sort_type}
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()
        ],
        "KeySchema": _key_schema(PARTITION_KEY, SORT_KEY),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index.name,
                "KeySchema": _key_schema(index.partition_key, index.sort_key),
                "Projection": {"ProjectionType": "ALL"},
            }
            for index in INDEXES
        ],
    }


def _key_schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


def client(endpoint_url: str, **config: Any) -> Any:
    """A boto3 client of an engine, with credentials that are worth nothing."""
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(**config),
    )


@contextmanager
def moto() -> Iterator[str]:
    """moto's server; yields its URL."""
    with serving(0, lambda call: nullcontext()) as url:
        yield url


@contextmanager
def dynalite() -> Iterator[str]:
    """dynalite; yields its URL. Raises EngineMissingError with the reason where it cannot run."""
    if not (npx := shutil.which("npx")):
        raise EngineMissingError("no Node (npx) here: dynalite, the stricter engine, is left out")
    port = _free_port()
    command = [npx, "--yes", DYNALITE, "--port", str(port), "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--createTableMs", "0", "--deleteTableMs", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # npx starts a child that has to go with it
    )
    try:
        _wait_until_open(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise EngineMissingError(f"npx could not start {DYNALITE} (no way to npm's registry?)")
