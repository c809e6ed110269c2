"""Taking a stack away: what goes, what stops it, what is left."""

import time
from typing import Any

import pytest

from festival.errors import FestivalError
from festival.stack.teardown import plan_teardown, teardown
from tests.fake_stack import FakeCloudFormation, FakeDynamoDb, FakeS3, FakeSession


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


RESOURCES = [
    ("PerformancesTable", "AWS::DynamoDB::Table", "performances"),
    ("UploadBucket", "AWS::S3::Bucket", "uploads"),
    ("IngestQueue", "AWS::SQS::Queue", "queue"),
]


def full_stack(**changes: Any) -> FakeSession:
    return FakeSession(
        FakeCloudFormation(
            "CREATE_COMPLETE",
            parameters={"DeploymentBucketName": "deployment"},
            resources=RESOURCES,
            outcomes=[([("o240-festival", "DELETE_COMPLETE", "")], None)],
            **changes,
        ),
        FakeS3(objects={"uploads": ["saturday.csv", "sunday.csv"]}),
        FakeDynamoDb({"performances": 60}),
    )


def test_a_teardown_says_first_what_goes_what_holds_data_and_what_stays():
    planned = plan_teardown(full_stack())
    assert [resource.id for resource in planned.resources] == ["performances", "uploads", "queue"]
    assert [resource.id for resource in planned.holding_data] == ["performances", "uploads"]
    assert planned.deployment_bucket == "deployment"


def test_a_teardown_stops_at_data_and_touches_nothing():
    session = full_stack()
    with pytest.raises(FestivalError, match="holds data in performances, uploads: nothing was rem"):
        list(teardown(session, plan_teardown(session)))
    assert session.dynamodb.unprotected == []
    assert session.s3.objects["uploads"] == ["saturday.csv", "sunday.csv"]
    assert session.cloudformation.calls == []


def test_data_that_came_after_the_plan_stops_the_teardown_as_well():
    session = full_stack()
    session.s3.objects, session.dynamodb.items = {}, {}
    planned = plan_teardown(session)
    assert planned.holding_data == ()
    session.s3.objects = {"uploads": ["encore.csv"]}
    with pytest.raises(FestivalError, match="holds data in uploads"):
        list(teardown(session, planned))


def test_an_empty_stack_goes_without_a_word_about_data():
    session = full_stack()
    session.s3.objects, session.dynamodb.items = {}, {}
    steps = list(teardown(session, plan_teardown(session)))
    assert [(step.resource, step.status) for step in steps] == [
        ("PerformancesTable", "UNPROTECTED"),
        ("o240-festival", "DELETE_COMPLETE"),
    ]


def test_data_goes_when_that_is_meant():
    session = full_stack()
    steps = list(teardown(session, plan_teardown(session), delete_data=True))
    assert [(step.resource, step.status) for step in steps] == [
        ("UploadBucket", "EMPTIED"),
        ("PerformancesTable", "UNPROTECTED"),
        ("o240-festival", "DELETE_COMPLETE"),
    ]
    assert session.s3.objects["uploads"] == []
    assert session.dynamodb.unprotected == ["performances"]


def test_a_bucket_whose_files_are_all_deleted_still_has_their_markers():
    session = full_stack()
    session.s3.objects, session.dynamodb.items = {}, {}
    session.s3.markers = {"uploads": ["saturday.csv"]}
    assert [held.id for held in plan_teardown(session).holding_data] == ["uploads"]
    steps = list(teardown(session, plan_teardown(session), delete_data=True))
    assert steps[0].status == "EMPTIED"
    assert session.s3.markers == {"uploads": []}


ANALYSTS = "arn:aws:iam::123456789012:policy/o240-festival-AnalystPolicy-1"


def test_a_policy_that_somebody_has_stops_a_teardown_before_it_touches_anything():
    session = full_stack()
    session.cloudformation.resources = [
        *RESOURCES,
        ("AnalystPolicy", "AWS::IAM::ManagedPolicy", ANALYSTS),
        ("BackfillRole", "AWS::IAM::Role", "nightly"),
    ]
    session.iam.attached = {ANALYSTS: {"User": ["ada"], "Group": ["bookers"], "Role": ["nightly"]}}
    planned = plan_teardown(session)
    assert planned.attached == (
        f"aws iam detach-user-policy --user-name ada --policy-arn {ANALYSTS}",
        f"aws iam detach-group-policy --group-name bookers --policy-arn {ANALYSTS}",
    )
    with pytest.raises(FestivalError, match="nothing was removed; run aws iam detach-user-policy"):
        list(teardown(session, planned, delete_data=True))
    assert session.s3.objects["uploads"] == ["saturday.csv", "sunday.csv"]
    assert session.cloudformation.calls == []


def test_what_could_not_be_removed_is_told_in_its_words():
    session = full_stack()
    session.cloudformation.outcomes = [
        ([("UploadBucket", "DELETE_FAILED", "The bucket is not empty")], "DELETE_FAILED")
    ]
    with pytest.raises(
        FestivalError, match=r"DELETE_FAILED.*UploadBucket: The bucket is not empty"
    ):
        list(teardown(session, plan_teardown(session), delete_data=True))


def test_no_stack_and_a_busy_one_are_not_torn_down():
    with pytest.raises(FestivalError, match="no stack o240-festival in eu-north-1"):
        plan_teardown(FakeSession())
    with pytest.raises(FestivalError, match="is being changed"):
        plan_teardown(FakeSession(FakeCloudFormation("UPDATE_IN_PROGRESS")))
