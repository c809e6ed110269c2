"""The life of a stack on the embedded AWS: created, changed, looked at, removed, created again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from festival.embedded.aws import EMAIL, EmbeddedAws
from festival.errors import FestivalError
from festival.stack.build import build_zip
from festival.stack.deploy import DeployRequest, discard, execute, plan
from festival.stack.stack import find_stack, read_outputs, read_template
from festival.stack.status import CONFIRMED, read_status
from festival.stack.teardown import plan_teardown, teardown

LINEUP = b"Performer,Stage,Date,Start,End\nSigur R\xc3\xb3s,Sk\xc3\xb3gur,2025-07-12,23:30,1:00\n"
WISHES = DeployRequest(parameters={"EmailAddress": EMAIL})


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as aws:
        yield aws


def stack_status(aws: EmbeddedAws) -> str | None:
    stack = find_stack(aws.session().client("cloudformation"), WISHES.stack)
    return stack.status if stack else None


def buckets(aws: EmbeddedAws) -> list[str]:
    return [each["Name"] for each in aws.session().client("s3").list_buckets()["Buckets"]]


def test_a_stack_lives_and_dies_and_lives_again(aws: EmbeddedAws):
    session = aws.session()

    planned = plan(session, WISHES)
    assert planned.creates and {change.action for change in planned.changes} == {"Add"}
    assert stack_status(aws) == "REVIEW_IN_PROGRESS"
    assert [step.status for step in execute(session, planned)][-1] == "CREATE_COMPLETE"
    outputs = read_outputs(session)

    assert plan(session, WISHES).change_set is None, "deploying again finds nothing to change"
    assert read_outputs(session) == outputs

    planned = plan(session, DeployRequest(parameters={"LogLevel": "DEBUG"}))
    assert not planned.creates
    assert [change.resource for change in planned.changes] == ["IngestFunction"]
    assert list(execute(session, planned))[-1].status == "UPDATE_COMPLETE"
    deployed = find_stack(session.client("cloudformation"), WISHES.stack)
    assert deployed is not None and deployed.parameters["LogLevel"] == "DEBUG"

    assert not plan_teardown(session).holding_data
    assert list(teardown(session, plan_teardown(session)))[-1].status == "DELETE_COMPLETE"
    assert stack_status(aws) is None
    assert buckets(aws) == ["festival-deployment-123456789012-us-east-2"]

    again = aws.deploy()
    assert again.upload_bucket == outputs.upload_bucket
    assert stack_status(aws) == "CREATE_COMPLETE"


def test_an_interrupted_or_refused_plan_is_no_obstacle(aws: EmbeddedAws):
    session = aws.session()
    plan(session, WISHES)
    discard(session, plan(session, WISHES))
    assert stack_status(aws) is None
    aws.deploy()
    changed = DeployRequest(parameters={"LogLevel": "DEBUG"})
    plan(session, changed)
    assert list(execute(session, plan(session, changed)))[-1].status == "UPDATE_COMPLETE"


def test_data_stops_a_teardown_and_goes_only_when_that_is_meant(aws: EmbeddedAws):
    session = aws.session()
    outputs = aws.deploy()
    session.client("s3").put_object(Bucket=outputs.upload_bucket, Key="skogur.csv", Body=LINEUP)
    aws.drain()

    planned = plan_teardown(session)
    assert {resource.name for resource in planned.holding_data} >= {
        "PerformancesTable",
        "LedgerTable",
        "UploadBucket",
    }
    with pytest.raises(FestivalError, match="--delete-data"):
        list(teardown(session, planned))
    assert stack_status(aws) == "CREATE_COMPLETE"
    assert session.client("dynamodb").scan(TableName=outputs.table)["Count"] == 1

    steps = list(teardown(session, planned, delete_data=True))
    assert steps[-1].status == "DELETE_COMPLETE"
    assert buckets(aws) == [planned.deployment_bucket]
    assert session.client("dynamodb").list_tables()["TableNames"] == []


def test_the_status_shows_queues_ingests_and_mail(aws: EmbeddedAws):
    session = aws.session()
    with pytest.raises(FestivalError, match="no stack o240-festival in us-east-2"):
        read_status(session)
    plan(session, WISHES)
    with pytest.raises(FestivalError, match="is REVIEW_IN_PROGRESS and has no outputs"):
        read_status(session)
    outputs = aws.deploy()
    aws.drain()
    s3: Any = session.client("s3")
    s3.put_object(Bucket=outputs.upload_bucket, Key="skogur.csv", Body=LINEUP)
    assert read_status(session).queue.visible == 1
    aws.drain()
    status = read_status(session)
    assert (status.queue.total, status.dead_letters.total) == (0, 0)
    (ingest,) = status.recent
    assert ingest.file.endswith("/skogur.csv") and ingest.counts.written == 1
    assert [(each.address, each.state) for each in status.subscriptions] == [(EMAIL, CONFIRMED)]


def test_the_plain_aws_way_of_deploying_works_with_the_same_template(
    aws: EmbeddedAws, tmp_path: Path
):
    """What `aws cloudformation create-stack` does: no change set, and a bucket of one's own."""
    session = aws.session()
    s3 = session.client("s3")
    s3.create_bucket(
        Bucket="dep-bucket", CreateBucketConfiguration={"LocationConstraint": "us-east-2"}
    )
    archive = build_zip(tmp_path / "function.zip")
    s3.upload_file(str(archive), "dep-bucket", "lambda/function.zip")
    parameters = {
        "UploadBucketName": "upload-bucket",
        "DeploymentBucketName": "dep-bucket",
        "LambdaZipKey": "lambda/function.zip",
        "EmailAddress": EMAIL,
    }
    session.client("cloudformation").create_stack(
        StackName=WISHES.stack,
        TemplateBody=read_template(),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    s3.put_object(Bucket="upload-bucket", Key="skogur.csv", Body=LINEUP)
    aws.drain()
    (email,) = aws.emails()
    assert email.subject.startswith("SUCCESS")
    assert len(plan(session, DeployRequest()).changes) > 0, (
        "and the kit's own way goes on from there"
    )
