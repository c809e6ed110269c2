"""moto's server behind the proxies: slower than the stand-in, and somebody else's idea of AWS."""

from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import botocore.session
from moto.server import ThreadedMotoServer

from .expressions import Item
from .wire import Answer, Request

PROXYS_OWN_HEADERS = {"expect", "content-length"}  # part of a batch is shorter than the whole
KEPT_HEADERS = {"etag", "last-modified", "content-range", "content-type", "x-amz-crc32"}


class MotoServer:
    """One server for many schedules; `fresh` gives an empty store on it."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self._server.start()
        self.host, self.port = self._server.get_host_and_port()
        self.session = botocore.session.Session()
        self.session.set_credentials("testing", "testing")
        self.clients = {
            name: self.session.create_client(
                name, region_name="us-east-1", endpoint_url=f"http://{self.host}:{self.port}"
            )
            for name in ("s3", "dynamodb", "sns")
        }

    def fresh(self, *buckets: str) -> "MotoStore":
        self._reset()
        dynamodb, s3 = self.clients["dynamodb"], self.clients["s3"]
        for table, keys in (
            ("performances", ("Performer", "Performance")),
            ("ledger", ("File", "Entry")),
        ):
            dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(keys, ("HASH", "RANGE"), strict=True)
                ],
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"} for name in keys
                ],
            )
        for bucket in buckets:
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.clients["sns"].create_topic(Name="ingest")
        return MotoStore(self)

    def close(self) -> None:
        self._reset()
        for client in self.clients.values():
            client.close()
        self._server.stop()

    def _reset(self) -> None:
        with closing(HTTPConnection(self.host, self.port)) as connection:
            connection.request("POST", "/moto-api/reset")
            connection.getresponse().read()


class MotoStore:
    """The same as the stand-in's Store, by way of moto."""

    table, ledger = "performances", "ledger"
    versioned, may_be_unversioned = True, 0.0

    def __init__(self, server: MotoServer) -> None:
        self._server = server

    def answer(self, request: Request) -> Answer:
        return forward(self._server.host, self._server.port, request)

    def put(self, bucket: str, key: str, body: bytes) -> str:
        answer = self._server.clients["s3"].put_object(Bucket=bucket, Key=key, Body=body)
        return str(answer["VersionId"])

    def delete(self, bucket: str, key: str) -> None:
        self._server.clients["s3"].delete_object(Bucket=bucket, Key=key)

    def newest(self, bucket: str) -> dict[str, bytes]:
        s3 = self._server.clients["s3"]
        found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {
            each["Key"]: s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
            for each in found
        }

    def all_items(self) -> list[Item]:
        return self._scan(self.table)

    def all_entries(self) -> list[Item]:
        return self._scan(self.ledger)

    def _scan(self, table: str) -> list[Item]:
        pages = self._server.clients["dynamodb"].get_paginator("scan").paginate(TableName=table)
        items: list[Any] = [item for page in pages for item in page["Items"]]
        return items


def forward(host: str, port: int, request: Request) -> Answer:
    """Hand a request on to a server, and its answer back."""
    headers = {n: v for n, v in request.headers.items() if n not in PROXYS_OWN_HEADERS}
    with closing(HTTPConnection(host, port)) as connection:
        connection.request(request.method, request.target, request.body, headers)
        response = connection.getresponse()
        body = response.read()
    kept = {
        name: value
        for name, value in response.getheaders()
        if name.lower() in KEPT_HEADERS or name.lower().startswith("x-amz-")
    }
    if request.method == "HEAD":
        kept["Content-Length"] = response.getheader("Content-Length", "0")
    return Answer(response.status, body, kept)
