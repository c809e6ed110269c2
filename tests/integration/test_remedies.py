"""A refused file, the mapping that its e-mail proposes, and the file read again with it."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from festival.cli.main import run
from festival.embedded.aws import EmbeddedAws
from festival.stack.stack import StackOutputs

LINEUP = "Performer,Stage,Date,Start,End\nBjörk,Skógur,25/07/2025,20:00,21:00\n"
ENDLESS = "Performer,Stage,Date,Start,End\nBjörk,Skógur,2025-07-25,20:00,\n"


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def outputs(aws: EmbeddedAws) -> StackOutputs:
    return aws.deploy()


def upload(aws: EmbeddedAws, outputs: StackOutputs, key: str, text: str) -> Any:
    """Put it, let it be ingested; the e-mail about it."""
    before = len(aws.emails())
    aws.session().client("s3").put_object(Bucket=outputs.upload_bucket, Key=key, Body=text.encode())
    aws.drain()
    (mail,) = aws.emails()[before:]
    return mail


def test_the_mapping_in_the_mail_is_uploaded_as_it_stands_and_the_file_goes_in(
    aws: EmbeddedAws, outputs: StackOutputs
):
    mail = upload(aws, outputs, "2025/skogur.csv", LINEUP)
    assert mail.subject == "FAILURE: 2025/skogur.csv - 0 written, 1 rejected"
    lines = mail.body.splitlines()
    (mapping,) = [line.strip() for line in lines if line.startswith("    {")]
    name = lines[lines.index(f"    {mapping}") - 1].strip()
    assert json.loads(mapping) == {"date_order": "day_first"}
    mail = upload(aws, outputs, f"2025/{name}", mapping)
    assert mail.subject == "SUCCESS: 2025/skogur.csv - 1 written"


def test_the_command_in_the_mail_asks_and_saves_the_mapping_beside_the_file(
    aws: EmbeddedAws,
    outputs: StackOutputs,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    mail = upload(aws, outputs, "endless.csv", ENDLESS)
    (command,) = [line.split() for line in mail.body.splitlines() if line[:10] == "  festival"]
    monkeypatch.setattr("sys.stdin", io.StringIO("60\n"))
    before = len(aws.emails())
    assert run(command[1:]) == 0, capsys.readouterr()
    saved = f"s3://{outputs.upload_bucket}/endless.csv.mapping.json"
    assert f"{saved}: 1 of 1 rows are performances" in capsys.readouterr().out
    aws.drain()
    (mail,) = aws.emails()[before:]
    assert mail.subject == "SUCCESS: endless.csv - 1 written"
    assert run(["check", f"s3://{outputs.upload_bucket}/endless.csv", "--strict"]) == 0


def test_a_mapping_that_is_broken_is_what_its_e_mail_asks_to_correct(
    aws: EmbeddedAws, outputs: StackOutputs
):
    s3 = aws.session().client("s3")
    sidecar = {"Bucket": outputs.upload_bucket, "Key": "summer.csv.mapping.json"}
    s3.put_object(**sidecar, Body=b"{day first}")
    mail = upload(aws, outputs, "summer.csv", LINEUP)
    assert mail.subject == "FAILURE: summer.csv - 0 written"
    assert f"s3://{outputs.upload_bucket}/summer.csv.mapping.json: " in mail.body
    assert mail.body.endswith(
        "\nThe file itself is not at fault: correct the mapping and upload it again.\n"
    )


def test_a_file_without_a_header_is_told_of_a_mapping(aws: EmbeddedAws, outputs: StackOutputs):
    mail = upload(aws, outputs, "bare.csv", "Björk,Skógur,2025-07-25,20:00,21:00\n")
    assert mail.subject == "FAILURE: bare.csv - 0 written"
    assert f"\n  festival inspect s3://{outputs.upload_bucket}/bare.csv --ask\n" in mail.body


@pytest.mark.parametrize("command", ["check", "inspect", "normalize"])
def test_an_object_that_is_not_there_is_one_line(
    outputs: StackOutputs, capsys: pytest.CaptureFixture[str], command: str
):
    assert run([command, f"s3://{outputs.upload_bucket}/nobody.csv"]) == 2
    _, err = capsys.readouterr()
    assert err == (f"festival: s3://{outputs.upload_bucket}/nobody.csv: is not in the bucket\n")


@pytest.mark.parametrize("command", ["check", "ingest", "normalize"])
def test_a_bucket_that_is_not_there_is_one_line_at_once(
    outputs: StackOutputs, capsys: pytest.CaptureFixture[str], command: str
):
    assert run([command, "s3://no-such-bucket/lineup.csv"]) == 2
    _, err = capsys.readouterr()
    assert err.endswith(": there is no bucket of that name\n")
    assert err.count("\n") == 1
