"""Several stacks on one embedded AWS: side by side, failing, torn down under the poller."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError

from festival.cli.local import CLEAR
from festival.cli.main import run
from festival.embedded.aws import EMAIL, EmbeddedAws
from festival.errors import FestivalError
from festival.stack.deploy import DeployRequest, execute, plan
from festival.stack.stack import find_stack, read_outputs, read_template
from festival.stack.teardown import plan_teardown, teardown

LINEUP = b"Performer,Stage,Date,Start,End\nSigur R\xc3\xb3s,Sk\xc3\xb3gur,2025-07-12,23:30,1:00\n"
BROKEN = """
Parameters:
  UploadBucketName: {Type: String}
  DeploymentBucketName: {Type: String}
  LambdaZipKey: {Type: String}
  FunctionName: {Type: String, Default: ""}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: first-of-two}
  Function:
    Type: AWS::Lambda::Function
    DependsOn: Queue
    Properties:
      FunctionName: never
      Runtime: python3.12
      Handler: a.b
      Role: !GetAtt Role.Arn
      Code: {S3Bucket: no-such-bucket, S3Key: no-such-key}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: []}
"""


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


def client(aws: EmbeddedAws, service: str) -> Any:
    return aws.session().client(service)


def test_two_stacks_ingest_side_by_side_and_go_one_by_one(aws: EmbeddedAws):
    summer, winter = aws.deploy(), aws.deploy("winter")
    assert (summer.function, winter.function) == (
        "processFestivalData",
        "winter-processFestivalData",
    )
    for outputs in (summer, winter):
        client(aws, "s3").put_object(Bucket=outputs.upload_bucket, Key="skogur.csv", Body=LINEUP)
        assert aws.drain(stack=outputs.stack).left == 0
        assert [mail.subject[:7] for mail in aws.emails(outputs.stack)] == ["SUCCESS"]
    list(teardown(aws.session(), plan_teardown(aws.session(), "winter"), delete_data=True))
    assert read_outputs(aws.session()) == summer
    assert client(aws, "dynamodb").scan(TableName=summer.table)["Count"] == 1


def test_a_first_deployment_that_fails_leaves_nothing_behind(aws: EmbeddedAws, tmp_path: Any):
    template = tmp_path / "broken.yaml"
    template.write_text(BROKEN)
    request = DeployRequest("winter", template=template)
    planned = plan(aws.session(), request)
    with pytest.raises(FestivalError) as error:
        list(execute(aws.session(), planned))
    assert "could not be deployed and nothing of it is left (DELETE_COMPLETE): Function: " in str(
        error.value
    )
    assert find_stack(client(aws, "cloudformation"), "winter") is None
    assert client(aws, "sqs").list_queues().get("QueueUrls", []) == []
    aws.deploy("winter")


def test_a_stack_that_failed_as_typed_is_rolled_back_and_breaks_no_other(aws: EmbeddedAws):
    summer = aws.deploy()
    cloudformation = client(aws, "cloudformation")
    names = ("UploadBucketName", "DeploymentBucketName", "LambdaZipKey")
    cloudformation.create_stack(
        StackName="winter",
        TemplateBody=BROKEN,
        Parameters=[{"ParameterKey": name, "ParameterValue": "x"} for name in names],
    )
    failed = find_stack(cloudformation, "winter")
    assert failed is not None and failed.status == "ROLLBACK_COMPLETE"
    assert len(cloudformation.describe_stacks()["Stacks"]) == 2
    assert read_outputs(aws.session()) == summer
    with pytest.raises(
        FestivalError, match=r"is ROLLBACK_COMPLETE \(Function: .*festival teardown"
    ):
        plan(aws.session(), DeployRequest("winter", {"EmailAddress": EMAIL}))
    list(teardown(aws.session(), plan_teardown(aws.session(), "winter")))
    aws.deploy("winter")


def create_as_typed(aws: EmbeddedAws, parameters: Mapping[str, str]) -> None:
    """`aws cloudformation create-stack`, without the kit's commands."""
    client(aws, "cloudformation").create_stack(
        StackName="o240-festival",
        TemplateBody=read_template(),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def removed_parameters(aws: EmbeddedAws) -> Mapping[str, str]:
    """Deploy and remove the stack, so that its zip is in place; its parameters."""
    aws.deploy()
    stack = find_stack(client(aws, "cloudformation"), "o240-festival")
    assert stack is not None
    list(teardown(aws.session(), plan_teardown(aws.session())))
    return stack.parameters


def test_a_creation_and_a_deletion_as_typed_work_on_an_empty_stack(aws: EmbeddedAws):
    create_as_typed(aws, removed_parameters(aws))
    cloudformation = client(aws, "cloudformation")
    outputs = read_outputs(aws.session())
    protected = client(aws, "dynamodb").describe_table(TableName=outputs.table)["Table"]
    assert not protected.get("DeletionProtectionEnabled")
    cloudformation.delete_stack(StackName="o240-festival")
    assert find_stack(cloudformation, "o240-festival") is None
    assert client(aws, "dynamodb").list_tables()["TableNames"] == []


def test_nobody_sees_a_stack_that_is_only_half_made(aws: EmbeddedAws):
    """As in `festival local`, which looks for stacks and e-mails while somebody makes a stack."""
    parameters = removed_parameters(aws)
    typed = Thread(target=create_as_typed, args=(aws, parameters))
    typed.start()
    while typed.is_alive():
        for stack in aws.work(pytest.fail):
            aws.emails(stack)
    assert aws.work(pytest.fail) == ["o240-festival"]
    assert aws.emails() == []


def test_a_poller_that_ended_works_again_after_the_next_deployment(aws: EmbeddedAws):
    failures: list[Exception] = []
    outputs = aws.deploy()
    client(aws, "lambda").update_function_configuration(
        FunctionName=outputs.function, Handler="festival.no_such_module.handler"
    )
    aws.work(failures.append)
    client(aws, "s3").put_object(Bucket=outputs.upload_bucket, Key="skogur.csv", Body=LINEUP)
    wait_until(lambda: bool(failures))
    aws.work(failures.append)
    assert len(failures) == 1, "it is not started again for the same failure"
    client(aws, "lambda").update_function_configuration(
        FunctionName=outputs.function, Handler="festival.ingest.handler.lambda_handler"
    )
    client(aws, "sqs").purge_queue(QueueUrl=outputs.queue_url)
    aws.deploy(LogLevel="DEBUG")
    aws.work(failures.append)
    client(aws, "s3").put_object(Bucket=outputs.upload_bucket, Key="skogur.csv", Body=LINEUP)
    wait_until(lambda: bool(aws.emails()))
    assert len(failures) == 1


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    assert holds()


def test_a_deployed_stack_ends_with_its_tables_protected(aws: EmbeddedAws):
    outputs = aws.deploy()
    for table in (outputs.table, outputs.ledger_table):
        described = client(aws, "dynamodb").describe_table(TableName=table)["Table"]
        assert described["DeletionProtectionEnabled"] is True
        with pytest.raises(ClientError):
            client(aws, "dynamodb").delete_table(TableName=table)


def test_what_moto_cannot_do_is_one_line_like_any_other_error(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    aws.deploy()

    def fail(*_: Any, **__: Any) -> None:
        raise NotImplementedError("no such feature")

    for module, operation in (
        ("cloudformation.models.CloudFormationBackend", "describe_stacks"),
        ("dynamodb.models.DynamoDBBackend", "query"),
        ("s3.models.S3Backend", "list_object_versions"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"moto.{module}.{operation}", fail)
            assert run(["status"] if operation != "list_object_versions" else ["teardown"]) == 2
        _, err = capsys.readouterr()
        assert "the embedded AWS cannot do this: NotImplementedError: no such feature" in err
        assert err.startswith("festival: ") and err.count("\n") == 1


def test_stacks_may_come_and_go_under_the_pollers_at_work(aws: EmbeddedAws):
    failures: list[Exception] = []
    aws.deploy()
    assert aws.work(failures.append) == ["o240-festival"]
    list(teardown(aws.session(), plan_teardown(aws.session())))
    assert aws.work(failures.append) == []
    outputs = aws.deploy()
    assert aws.work(failures.append) == ["o240-festival"]
    client(aws, "s3").put_object(Bucket=outputs.upload_bucket, Key="skogur.csv", Body=LINEUP)
    wait_until(lambda: bool(aws.emails()))
    assert [mail.subject[:7] for mail in aws.emails()] == ["SUCCESS"]
    assert failures == []


def test_the_functions_log_is_in_its_log_group(aws: EmbeddedAws):
    outputs = aws.deploy(LogLevel="DEBUG")
    client(aws, "s3").put_object(Bucket=outputs.upload_bucket, Key="skogur.csv", Body=LINEUP)
    aws.drain()
    group = f"/aws/lambda/{outputs.function}"

    def is_logged() -> bool:
        events = client(aws, "logs").filter_log_events(logGroupName=group)["events"]
        return any("skogur.csv" in event["message"] for event in events)

    wait_until(is_logged)


SHELLS = [shell for shell in ("bash", "zsh", "sh") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_cleared_of_all_that_leads_elsewhere(shell: str):
    leads_away = {
        "AWS_PROFILE": "work",
        "AWS_ENDPOINT_URL_SQS": "https://sqs.example",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "BOTO_CONFIG": "/etc/boto.cfg",
        "FESTIVAL_TABLE": "other",
        "FESTIVAL_STACK": "other",
    }
    kept = {"PATH": os.environ["PATH"], "FESTIVAL_THEME": "dark"}
    done = subprocess.run(
        [shell, "-c", f"{CLEAR}env"],
        env=leads_away | kept,
        capture_output=True,
        text=True,
        check=True,
    )
    names = {line.partition("=")[0] for line in done.stdout.splitlines()}
    assert names & (leads_away.keys() | kept.keys()) == kept.keys()
    assert done.stderr == ""


def test_a_deploy_that_finds_a_plan_asks_before_it_discards_it(aws: EmbeddedAws, capsys: Any):
    aws.deploy()
    plan(aws.session(), DeployRequest(parameters={"LogLevel": "DEBUG"}))
    assert run(["deploy"]) == 2
    out, err = capsys.readouterr()
    assert "was never carried out: an interrupt left it, or somebody is looking at it" in out
    assert err == "festival: not a terminal: pass --yes to continue\n"
    assert run(["deploy", "--yes", "-p", "LogLevel", "ERROR"]) == 0
