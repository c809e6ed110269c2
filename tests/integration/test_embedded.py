"""The embedded AWS: sealed off from any real one, and as AWS would behave."""

import json
import os
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from festival.embedded.aws import EmbeddedAws, isolated
from festival.embedded.runtime import BrokenFunctionError
from festival.errors import FestivalError
from festival.stack import deploy as deploy_module
from festival.stack.stack import StackOutputs

REAL_ENDPOINT = "http://203.0.113.1:9"  # an address of documentation: nobody answers there

HOSTILE = {
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_SESSION_TOKEN": "real",
    "AWS_ROLE_ARN": "arn:aws:iam::999999999999:role/admin",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": REAL_ENDPOINT,
    "AWS_REGION": "eu-north-1",
    "AWS_ENDPOINT_URL": REAL_ENDPOINT,
    "AWS_ENDPOINT_URL_S3": REAL_ENDPOINT,
    "AWS_ENDPOINT_URL_DYNAMODB": REAL_ENDPOINT,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_CA_BUNDLE": "/nowhere",
    "HTTP_PROXY": REAL_ENDPOINT,
    "http_proxy": REAL_ENDPOINT,
    "FESTIVAL_TABLE": "production-table",
    "FESTIVAL_STACK": "production",
}

WHO_AND_WHERE = """
import boto3, json
clients = [boto3.client(name) for name in ("s3", "dynamodb", "sts", "sqs")]
credentials = boto3.Session().get_credentials()
print(json.dumps({
    "endpoints": [client.meta.endpoint_url for client in clients],
    "key": credentials.access_key, "token": credentials.token,
    "region": boto3.Session().region_name,
    "account": clients[2].get_caller_identity()["Account"],
    "buckets": clients[0].list_buckets()["Buckets"],
}))
"""

# A function that mails the version it read, fails on what is named so, and can be told apart.
TOY = """
import boto3, json, os
def lambda_handler(event, context):
    failures = []
    for record in event["Records"]:
        for entry in json.loads(record["body"]).get("Records", []):
            described = entry["s3"]["object"]
            if described["key"].startswith("rain"):
                failures.append({{"itemIdentifier": record["messageId"]}})
                continue
            boto3.client("sns").publish(
                TopicArn=os.environ["TOPIC_ARN"], Subject="{name}: " + described["key"],
                Message=described.get("versionId", "none"))
    return {{"batchItemFailures": failures}}
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell with everything set that could lead to a real account."""
    config = tmp_path / "config"
    config.write_text(
        f"[default]\nregion = eu-north-1\nendpoint_url = {REAL_ENDPOINT}\nservices = elsewhere\n"
        f"[profile production]\nregion = eu-north-1\n"
        f"[services elsewhere]\ns3 =\n  endpoint_url = {REAL_ENDPOINT}\n"
    )
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(config))


def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str = "toy") -> None:
    """From here on a toy function is deployed in place of the kit's, by the handler's name."""

    def build_toy(out: Path) -> Path:
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("festival/__init__.py", "")
            archive.writestr("festival/ingest/__init__.py", "")
            archive.writestr("festival/ingest/handler.py", TOY.format(name=name))
        return out

    monkeypatch.setattr(deploy_module, "build_zip", build_toy)


class Deployed:
    """An embedded AWS with the stack and the toy function in it."""

    def __init__(self, aws: EmbeddedAws, outputs: StackOutputs) -> None:
        self.aws = aws
        self.outputs = outputs
        self.s3 = aws.session().client("s3")
        self.sqs = aws.session().client("sqs")

    def upload(self, key: str, body: bytes = b"lineup") -> str:
        put = self.s3.put_object(Bucket=self.outputs.upload_bucket, Key=key, Body=body)
        return str(put["VersionId"])

    def receive_again_after(self, seconds: int) -> None:
        self.sqs.set_queue_attributes(
            QueueUrl=self.outputs.queue_url, Attributes={"VisibilityTimeout": str(seconds)}
        )

    def permitted_tries(self) -> int:
        answer = self.sqs.get_queue_attributes(
            QueueUrl=self.outputs.queue_url, AttributeNames=["RedrivePolicy"]
        )
        return int(json.loads(answer["Attributes"]["RedrivePolicy"])["maxReceiveCount"])

    def dead_letters(self) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=self.outputs.dead_letter_queue_url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
        )
        return list(answer.get("Messages", []))


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    toy(tmp_path, monkeypatch)
    with EmbeddedAws() as aws:
        yield Deployed(aws, aws.deploy())


def test_isolation_is_a_pure_function_of_the_environment(tmp_path: Path):
    inside = isolated({**HOSTILE, "LANG": "is_IS.UTF-8"}, "http://127.0.0.1:5000", tmp_path)
    aws = {name: value for name, value in inside.items() if name.startswith(("AWS_", "FESTIVAL_"))}
    assert aws == {
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": "us-east-2",
        "AWS_REGION": "us-east-2",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert inside["LANG"] == "is_IS.UTF-8"
    assert inside["NO_PROXY"] == "127.0.0.1,localhost"


def test_loopback_joins_the_hosts_that_need_no_proxy_already(tmp_path: Path):
    inside = isolated({"NO_PROXY": "intranet"}, "http://127.0.0.1:5000", tmp_path)
    assert inside["NO_PROXY"] == inside["no_proxy"] == "intranet,127.0.0.1,localhost"


@pytest.mark.usefixtures("hostile")
def test_a_child_process_of_a_hostile_shell_reaches_the_embedded_aws_and_nothing_else():
    with EmbeddedAws() as aws:
        said = subprocess.run(
            [sys.executable, "-c", WHO_AND_WHERE],
            env=aws.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(said.stdout) == {
            "endpoints": [aws.endpoint_url] * 4,
            "key": "embedded",
            "token": None,
            "region": "us-east-2",
            "account": "123456789012",
            "buckets": [],
        }


@pytest.mark.usefixtures("hostile")
def test_this_process_is_sealed_off_within_the_block_and_as_before_after_it():
    before = dict(os.environ)
    with EmbeddedAws() as aws:
        for session in (boto3, aws.session()):
            assert session.client("s3").meta.endpoint_url == aws.endpoint_url
            assert session.client("sts").get_caller_identity()["Account"] == "123456789012"
        assert os.environ == aws.environment
    assert dict(os.environ) == before


def test_a_session_from_before_does_not_leak_in_or_out(monkeypatch: pytest.MonkeyPatch):
    outside = boto3.Session(aws_access_key_id="real", aws_secret_access_key="real")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", outside)
    with EmbeddedAws():
        boto3.client("sts")
        assert boto3.DEFAULT_SESSION.get_credentials().access_key == "embedded"
    assert boto3.DEFAULT_SESSION is outside


def test_one_process_has_one_embedded_aws_at_a_time_and_each_begins_empty():
    with EmbeddedAws() as aws:
        aws.session().client("sqs").create_queue(QueueName="left-behind")
        with pytest.raises(FestivalError, match="already running"), EmbeddedAws():
            pass
    with EmbeddedAws() as aws:
        assert "QueueUrls" not in aws.session().client("sqs").list_queues()


def test_a_transaction_that_fails_takes_nothing_from_those_who_write_beside_it():
    with EmbeddedAws() as aws:
        key = {"AttributeName": "Performer", "KeyType": "HASH"}
        client = aws.session().client("dynamodb")
        client.create_table(
            TableName="lineup",
            KeySchema=[key],
            AttributeDefinitions=[{"AttributeName": "Performer", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        unmet = {
            "TableName": "lineup",
            "Key": {"Performer": {"S": "Nobody"}},
            "ConditionExpression": "attribute_exists(Performer)",
        }

        def write(number: int) -> None:
            item = {"Performer": {"S": f"Band {number}"}}
            client.put_item(TableName="lineup", Item=item)
            with pytest.raises(client.exceptions.TransactionCanceledException):
                client.transact_write_items(TransactItems=[{"ConditionCheck": unmet}])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, range(200)))
        assert client.scan(TableName="lineup")["Count"] == 200


def test_a_port_that_is_in_use_is_said_in_one_line_and_blocks_nothing():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(FestivalError, match=f"Port {port} cannot be used"), EmbeddedAws(port):
            pass
    with EmbeddedAws(port) as aws:
        assert aws.endpoint_url == f"http://127.0.0.1:{port}"


def test_an_upload_reaches_the_function_with_the_version_that_this_put_made(deployed: Deployed):
    versions = [deployed.upload("dag 1/sú.csv") for _ in range(3)]
    drained = deployed.aws.drain()
    assert drained.left == 0
    assert [email.body for email in deployed.aws.emails()] == versions
    assert {email.subject for email in deployed.aws.emails()} == {"toy: dag+1/s%C3%BA.csv"}


def test_a_file_that_keeps_failing_is_dead_lettered_after_as_many_tries_as_the_queue_permits(
    deployed: Deployed,
):
    deployed.receive_again_after(0)
    deployed.upload("rain.csv")
    deployed.upload("sun.csv")
    drained = deployed.aws.drain()
    failed = [invocation for invocation in drained.invocations if invocation.failed]
    assert len(failed) == deployed.permitted_tries()
    (letter,) = deployed.dead_letters()
    assert json.loads(letter["Body"])["Records"][0]["s3"]["object"]["key"] == "rain.csv"
    assert [email.subject for email in deployed.aws.emails()] == ["toy: sun.csv"]


def test_a_message_that_failed_stays_hidden_for_the_visibility_timeout(deployed: Deployed):
    deployed.aws.drain()
    deployed.upload("rain.csv")
    drained = deployed.aws.drain(timeout=0.2)
    assert (len(drained.invocations), drained.left) == (1, 1)


def test_a_new_deployment_of_the_code_is_what_runs_next(
    deployed: Deployed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    deployed.upload("one.csv")
    deployed.aws.drain()
    toy(tmp_path, monkeypatch, "toy 2")
    deployed.aws.deploy()
    deployed.upload("two.csv")
    deployed.aws.drain()
    subjects = [email.subject for email in deployed.aws.emails()]
    assert subjects == ["toy: one.csv", "toy 2: two.csv"]


def test_a_wrong_handler_in_the_template_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    toy(tmp_path, monkeypatch)
    text = deploy_module.read_template().replace("handler.lambda_handler", "handler.main")
    monkeypatch.setattr(deploy_module, "read_template", lambda path: text)
    with EmbeddedAws() as aws:
        Deployed(aws, aws.deploy()).upload("one.csv")
        with pytest.raises(BrokenFunctionError, match=r"festival\.ingest\.handler\.main"):
            aws.drain()


def test_the_poller_works_in_the_background_until_it_is_stopped(deployed: Deployed):
    failures: list[Exception] = []
    done: list[object] = []
    poller = deployed.aws.poller(on_invocation=done.append)
    poller.start(failures.append)
    deployed.upload("one.csv")
    while poller.depth():
        pass
    poller.stop()
    assert failures == []
    assert [email.subject for email in deployed.aws.emails()] == ["toy: one.csv"]


def test_what_tells_the_background_of_a_broken_function_is_its_error(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
):
    failures: list[Exception] = []
    lambda_ = deployed.aws.session().client("lambda")
    lambda_.update_function_configuration(FunctionName=deployed.outputs.function, Handler="no.no")
    deployed.upload("one.csv")
    poller = deployed.aws.poller()
    poller.start(failures.append)
    while not failures:
        pass
    poller.stop()
    assert isinstance(failures[0], BrokenFunctionError)
