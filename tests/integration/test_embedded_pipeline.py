"""The whole way on the embedded AWS: the real template, the real zip, AWS's own runtime client."""

import importlib.util
import json
import os
import re
import subprocess
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from festival.embedded.aws import EmbeddedAws
from festival.embedded.poller import Drained
from festival.stack.build import build_zip
from festival.stack.stack import StackOutputs, read_template
from festival.stack.template import parse_template

LINEUP = """Performer,Stage,Date,Start,End,Popularity
Sigur Rós,Skógur,2025-07-12,11:30pm,1:00am,97
"Tyler, the Creator",Main Stage,2025-07-12,8:00pm,9:15pm,91
Kælan Mikla,Main Stage,2025-07-12,25 past six,7pm,60
"""


class Ingested:
    """What became of the lineup: the drained queue, the table, the e-mail, the function's log."""

    def __init__(
        self, aws: EmbeddedAws, outputs: StackOutputs, drained: Drained, log: list[str]
    ) -> None:
        self.drained = drained
        self.log = [json.loads(line) for line in log]
        self.emails = aws.emails()
        dynamodb = aws.session().client("dynamodb")
        self.items: list[dict[str, Any]] = dynamodb.scan(TableName=outputs.table)["Items"]


@pytest.fixture(scope="module")
def ingested() -> Iterator[Ingested]:
    log: list[str] = []
    with EmbeddedAws() as aws:
        outputs = aws.deploy()
        s3 = aws.session().client("s3")
        s3.put_object(Bucket=outputs.upload_bucket, Key="saturday.csv", Body=LINEUP.encode())
        drained = aws.poller(on_log=log.append).drain()
        yield Ingested(aws, outputs, drained, log)


@pytest.mark.skipif(
    importlib.util.find_spec("awslambdaric") is None,
    reason="awslambdaric, AWS's own runtime client, is not installed (it is for Linux only)",
)
def test_aws_s_own_runtime_client_ran_the_zip_to_the_end_of_the_queue(ingested: Ingested):
    assert ingested.drained.left == 0
    assert [invocation.error for invocation in ingested.drained.invocations] == [None, None]
    assert not any(invocation.failed for invocation in ingested.drained.invocations)


def test_a_lineup_that_is_put_into_the_bucket_lands_in_the_table(ingested: Ingested):
    keys = {(item["Performer"]["S"], item["Performance"]["S"]) for item in ingested.items}
    assert keys == {
        ("Sigur Rós", "2025-07-12#23:30#Skógur"),
        ("Tyler, the Creator", "2025-07-12#20:00#Main Stage"),
    }


def test_one_e_mail_says_what_became_of_the_file(ingested: Ingested):
    (email,) = ingested.emails
    assert "saturday.csv" in email.subject and "2 written" in email.subject
    assert "25 past six" in email.body


def test_every_metric_on_the_dashboard_is_one_that_the_function_emits(ingested: Ingested):
    (metrics,) = [line for line in ingested.log if "_aws" in line]
    (emitted,) = metrics["_aws"]["CloudWatchMetrics"]
    assert emitted["Dimensions"] == [["FunctionName"]]
    body = parse_template(read_template())["Resources"]["IngestDashboard"]["Properties"]
    shown: set[str] = set()
    for widget in json.loads(body["DashboardBody"]["Fn::Sub"])["widgets"]:
        namespace = name = ""
        for metric in widget["properties"].get("metrics", []):
            namespace = namespace if metric[0] == "." else metric[0]
            name = name if metric[1] == "." else metric[1]
            shown |= {name} if namespace == emitted["Namespace"] else set()
    assert shown == {metric["Name"] for metric in emitted["Metrics"]}


def test_the_zip_imports_where_only_boto3_and_the_standard_library_exist(tmp_path: Path):
    """A clean environment that sees the boto3 of this one, and not a package beside it."""
    venv.create(tmp_path / "venv", with_pip=False, symlinks=os.name != "nt")
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = next((tmp_path / "venv").rglob("site-packages"))
    for package in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six"):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        source = Path(spec.origin)
        source = source.parent if source.name == "__init__.py" else source
        (site / source.name).symlink_to(source)
    with zipfile.ZipFile(build_zip(tmp_path / "function.zip")) as archive:
        archive.extractall(tmp_path / "task")
    modules = sorted(
        re.sub(r"\.__init__$", "", ".".join(path.relative_to(tmp_path / "task").parts)[:-3])
        for path in (tmp_path / "task").rglob("*.py")
    )
    script = f"import importlib\nfor name in {modules}: importlib.import_module(name)\n"
    script += "import importlib.util\nprint(importlib.util.find_spec('pandas'))"
    said = subprocess.run(
        [python, "-c", script], cwd=tmp_path / "task", capture_output=True, text=True, check=False
    )
    assert (said.stderr, said.stdout) == ("", "None\n")
    assert "festival.ingest.handler" in modules
