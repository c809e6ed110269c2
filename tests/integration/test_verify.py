"""`festival verify`: what it checks, what it says if something is wrong, and that nothing stays."""

from collections.abc import Iterator
from typing import Any

import pytest

from festival.cli.main import run
from festival.embedded.aws import EmbeddedAws
from festival.stack.stack import StackOutputs
from festival.stack.verify import Check, Verification

HEADER = "Performer,Stage,Date,Start,End,Popularity"
LINEUP = f"{HEADER}\nBjörk,Skógur,2000-01-01,22:00,23:00,100\n".encode()


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def outputs(aws: EmbeddedAws) -> StackOutputs:
    outputs = aws.deploy()
    s3 = aws.session().client("s3")
    s3.put_object(Bucket=outputs.upload_bucket, Key="skogur.csv", Body=LINEUP)
    aws.drain()
    return outputs


def everything(aws: EmbeddedAws, outputs: StackOutputs) -> list[Any]:
    """All items, objects and ledger entries there are."""
    session = aws.session()
    dynamodb, s3 = session.client("dynamodb"), session.client("s3")
    return [
        *(dynamodb.scan(TableName=name)["Items"] for name in (outputs.table, outputs.ledger_table)),
        *(
            [(each["Key"], each["VersionId"]) for each in listed.get("Versions", [])]
            + listed.get("DeleteMarkers", [])
            for listed in (
                s3.list_object_versions(Bucket=name)
                for name in (outputs.upload_bucket, outputs.reports_bucket)
            )
        ),
    ]


def checks(aws: EmbeddedAws, **more: Any) -> dict[str, Check]:
    return {check.name: check for check in Verification(aws.session(), **more).checks()}


def test_a_stack_that_works_passes_and_nothing_of_the_run_stays(
    aws: EmbeddedAws, outputs: StackOutputs, capsys: pytest.CaptureFixture[str]
):
    before, mails = everything(aws, outputs), len(aws.emails())
    aws.work(pytest.fail)
    assert run(["verify"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[-1] == "The stack works."
    assert all(line.startswith("✓ ") for line in lines[:-1])
    assert sum("aws dynamodb query" in line for line in lines) == 4
    assert any("3 of 3 rows written; the e-mail about it was sent" in line for line in lines)
    assert everything(aws, outputs) == before, "another file of the same date and stars stays"
    (mail,) = aws.emails()[mails:]
    assert "festival-verify/" in mail.body


def test_what_the_function_notes_of_the_removal_does_not_stay_either(
    aws: EmbeddedAws, outputs: StackOutputs
):
    for poller in aws._at_work.values():
        poller.stop()
    aws._at_work.clear()
    before = everything(aws, outputs)
    slowly = Verification(aws.session(), sleep=lambda seconds: aws.drain(0))
    assert [check.remedy for check in slowly.checks() if check.remedy] == []
    aws.drain()
    assert everything(aws, outputs) == before


def test_a_lineup_that_nobody_ingests_says_what_stands_in_the_way(
    aws: EmbeddedAws, outputs: StackOutputs, capsys: pytest.CaptureFixture[str]
):
    before = everything(aws, outputs)
    for poller in aws._at_work.values():
        poller.stop()
    aws._at_work.clear()
    assert run(["verify", "--wait", "1"]) == 2
    out, err = capsys.readouterr()
    (failed,) = [line for line in out.splitlines() if line.startswith("✗ ")]
    assert failed.startswith("✗ S3, SQS, the function, the ledger (")
    assert "the event source mapping is Disabled: aws lambda update-event-source-mapping" in failed
    assert err == "festival: 1 check failed: each line with ✗ says what to do\n"
    assert everything(aws, outputs) == before
    aws.drain(0)


def test_a_function_with_another_stacks_names_is_noticed(aws: EmbeddedAws, outputs: StackOutputs):
    function = aws.session().client("lambda")
    found = function.get_function_configuration(FunctionName=outputs.function)
    variables = {name: str(value) for name, value in found["Environment"]["Variables"].items()}
    changed = variables | {"TABLE_NAME": "somebody-elses"}
    function.update_function_configuration(
        FunctionName=outputs.function, Environment={"Variables": changed}
    )
    try:
        check = next(c for c in Verification(aws.session()).checks() if c.name == "function")
    finally:
        function.update_function_configuration(
            FunctionName=outputs.function, Environment={"Variables": variables}
        )
    assert "its TABLE_NAME is not the stack's" in check.finding
    assert check.remedy == "run festival deploy"


def test_what_an_index_does_not_have_is_noticed(
    aws: EmbeddedAws, outputs: StackOutputs, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("festival.stack.verify.INDEX_SECONDS", 0.0)
    aws.work(pytest.fail)
    verification = Verification(aws.session())
    made = {}
    for check in verification.checks():
        made[check.name] = check
        if check.name == "S3, SQS, the function, the ledger":
            performer, performance = verification.performances[2].key
            aws.session().client("dynamodb").delete_item(
                TableName=outputs.table,
                Key={"Performer": {"S": performer}, "Performance": {"S": performance}},
            )
    assert made["performances with a popularity above 99"].finding == "0 of 1 performance"
    assert made["aws dynamodb query: popularity above 99"].remedy
    assert not made["aws dynamodb query: by performer"].remedy


def test_there_is_nothing_to_verify_without_a_stack(
    aws: EmbeddedAws, capsys: pytest.CaptureFixture[str]
):
    assert run(["verify", "--stack", "winter"]) == 2
    assert "There is no stack winter in us-east-2" in capsys.readouterr().err
