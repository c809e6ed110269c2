"""The end-to-end way on a second engine: MiniStack, with its own CloudFormation, SQS and Lambda.

It is run if there is a command `ministack` (in an environment of its own, because it pins botocore:
`uv tool install ministack==1.5.33`), or if MINISTACK names one; else it is left out. What
it lacks of AWS is listed in `DIFFERENCES`, each with what is done about it here.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from engines import _free_port, _wait_until_open

from festival.cli.main import run
from festival.embedded.aws import EMAIL, isolated
from festival.stack.stack import read_outputs, read_template
from festival.stack.template import parse_template

MINISTACK = os.environ.get("MINISTACK") or shutil.which("ministack") or ""

pytestmark = [
    pytest.mark.skipif(not MINISTACK, reason="there is no command ministack here"),
    pytest.mark.timeout(600),
]

DIFFERENCES = {
    "an alarm over several metrics is not supported, and the creation fails": "left out",
    "a Number parameter stays text, and the mapping's poller fails": "its numbers set by the API",
    "a condition does not see AWS::StackName": "the default stack's function has the longer name",
}
LINEUP = "Performer,Stage,Date,Start,End,Popularity\nBjörk,Skógur,2025-07-12,22:00,23:00,90\n"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port, folder = _free_port(), tmp_path_factory.mktemp("ministack")
    process = subprocess.Popen(
        [MINISTACK],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "BIND_HOST": "127.0.0.1",  # else it listens on all interfaces
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": "us-east-2",
        },
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_open(port, process)
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in isolated(os.environ, url, folder).items():
                patch.setenv(name, value)
            patch.setenv("PATH", os.defpath)
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kit's template without what MiniStack cannot make."""
    parsed = parse_template(read_template())
    left_out = {
        name
        for name, each in parsed["Resources"].items()
        if each["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in each["Properties"]
    }
    parsed["Resources"] = {
        name: each
        for name, each in parsed["Resources"].items()
        if name not in left_out and name != "IngestDashboard"  # it names the alarms
    }
    path = tmp_path_factory.mktemp("template") / "template.json"
    path.write_text(json.dumps(parsed))
    return path


def client(service: str) -> Any:
    return boto3.Session().client(service, config=Config(retries={"total_max_attempts": 3}))


def test_deploy_upload_query_verify_and_teardown(
    engine: str, template: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
):
    monkeypatch.setattr("festival.stack.deploy.read_template", lambda path: template.read_text())
    assert run(["deploy", "--yes", "--email", EMAIL]) == 0, capsys.readouterr()
    outputs = read_outputs(boto3.Session())
    mapping = client("lambda").list_event_source_mappings(FunctionName=outputs.function)
    (uuid,) = [each["UUID"] for each in mapping["EventSourceMappings"]]
    client("lambda").update_event_source_mapping(
        UUID=uuid, BatchSize=1, ScalingConfig={"MaximumConcurrency": 10}
    )

    client("s3").put_object(Bucket=outputs.upload_bucket, Key="skogur.csv", Body=LINEUP.encode())
    until = time.monotonic() + 120
    found: list[Any] = []
    while not found and time.monotonic() < until:
        found = client("dynamodb").scan(TableName=outputs.table)["Items"]
        time.sleep(0.2)
    assert [item["Performer"]["S"] for item in found] == ["Björk"]

    capsys.readouterr()
    assert run(["query", "stage", "Skógur", "2025-07-12", "22:30"]) == 0
    assert "Björk" in capsys.readouterr().out
    assert run(["history"]) == 0
    assert "success" in capsys.readouterr().out
    status = run(["verify", "--wait", "120"])
    out, err = capsys.readouterr()
    failed = [line for line in out.splitlines() if line.startswith("✗")]
    assert (status, failed) == (0, []), err
    assert client("dynamodb").scan(TableName=outputs.table)["Count"] == 1

    assert run(["teardown", "--yes"]) == 2
    assert "there is data in" in capsys.readouterr().err
    assert run(["teardown", "--yes", "--delete-data"]) == 0
    assert client("dynamodb").list_tables()["TableNames"] == []
