"""Deploying to a CloudFormation that fails as AWS does."""

import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from festival.cli.stack import plan_lines
from festival.errors import FestivalError
from festival.stack.deploy import (
    DeployRequest,
    change_set_parameters,
    default_bucket_name,
    discard,
    ensure_bucket,
    execute,
    function_name,
    guard,
    pending_plans,
    plan,
    watch,
)
from festival.stack.stack import StackOutputs, Step
from tests.fake_stack import (
    ACCOUNT,
    DECLARED,
    FakeCloudFormation,
    FakeLambda,
    FakeLogs,
    FakeS3,
    FakeSession,
)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def deploy_request(**parameters: str) -> DeployRequest:
    return DeployRequest(parameters={"EmailAddress": "ops@festival.example", **parameters})


# ── parameters ───────────────────────────────────────────────────────────────────────────────────


def test_a_first_deployment_needs_the_address_and_says_so():
    with pytest.raises(FestivalError, match="EmailAddress has no value yet: Who is told"):
        plan(FakeSession(), DeployRequest())


def test_a_first_deployment_names_its_buckets_after_stack_account_and_region():
    session = FakeSession()
    plan(session, deploy_request())
    (request,) = session.cloudformation.requests
    values = {p["ParameterKey"]: p.get("ParameterValue") for p in request["Parameters"]}
    assert values["UploadBucketName"] == "o240-festival-uploads-123456789012-eu-north-1"
    assert values["DeploymentBucketName"] == "festival-deployment-123456789012-eu-north-1"
    assert values["EmailAddress"] == "ops@festival.example"
    assert "LogLevel" not in values, "the template's own default holds"
    assert request["ChangeSetType"] == "CREATE"


def test_an_update_keeps_every_value_that_is_not_said_anew():
    known = {p["ParameterKey"]: "old" for p in DECLARED}
    given = {"LogLevel": "DEBUG"}
    by_name = {p["ParameterKey"]: p for p in change_set_parameters(DECLARED, given, known, {})}
    assert by_name["LogLevel"]["ParameterValue"] == "DEBUG"
    assert by_name["EmailAddress"] == {"ParameterKey": "EmailAddress", "UsePreviousValue": True}


def test_a_parameter_that_a_newer_template_brings_takes_its_default():
    known = {"UploadBucketName": "u", "DeploymentBucketName": "d", "EmailAddress": "e"}
    names = {
        p["ParameterKey"] for p in change_set_parameters(DECLARED, {"LambdaZipKey": "k"}, known, {})
    }
    assert "LogLevel" not in names


def test_a_parameter_that_a_newer_template_has_no_more_is_not_passed_on():
    known = {p["ParameterKey"]: "old" for p in DECLARED} | {"PopularityShards": "4"}
    names = [p["ParameterKey"] for p in change_set_parameters(DECLARED, {}, known, {})]
    assert names == [p["ParameterKey"] for p in DECLARED]


def test_an_unknown_parameter_is_named_beside_the_known_ones():
    with pytest.raises(FestivalError, match=r"no parameter Emial: it has UploadBucketName, "):
        plan(FakeSession(), deploy_request(Emial="x"))


def test_a_function_is_named_after_its_stack_unless_it_is_the_default_one():
    assert function_name("o240-festival", {}) == "processFestivalData"
    assert function_name("winter", {}) == "winter-processFestivalData"
    assert function_name("winter", {"FunctionName": "nightShift"}) == "nightShift"


# ── plans ────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_changes_nothing_and_tells_what_would_change():
    session = FakeSession(FakeCloudFormation("CREATE_COMPLETE", former_change_sets=[]))
    planned = plan(session, deploy_request(UploadBucketName="u"))
    assert [change.resource for change in planned.changes] == ["IngestFunction"]
    assert "execute" not in session.cloudformation.calls


def test_without_changes_there_is_nothing_to_execute():
    cloudformation = FakeCloudFormation(
        "UPDATE_COMPLETE",
        change_set_status="FAILED",
        change_set_reason="The submitted information didn't contain changes. Submit different",
    )
    session = FakeSession(cloudformation)
    planned = plan(session, deploy_request(UploadBucketName="u"))
    assert (planned.change_set, planned.changes) == (None, ())
    assert list(execute(session, planned)) == []
    assert cloudformation.calls == ["create change set to UPDATE", "delete change-set"]


def test_a_change_that_cloudformation_refuses_is_told_in_its_words():
    cloudformation = FakeCloudFormation(
        "UPDATE_COMPLETE", change_set_status="FAILED", change_set_reason="Circular dependency"
    )
    with pytest.raises(FestivalError, match="refuses the change of o240-festival: Circular"):
        plan(FakeSession(cloudformation), deploy_request(UploadBucketName="u"))


def plan_of(*changes: tuple[str, str, str, str]) -> list[str]:
    """The lines about each change, and the warnings under them."""
    session = FakeSession(FakeCloudFormation("CREATE_COMPLETE", changes=list(changes)))
    return [" ".join(line.split()) for line in plan_lines(plan(session, deploy_request()))][3:]


def test_a_plan_says_of_each_resource_what_cloudformation_says_of_its_replacement():
    assert plan_of(
        ("Add", "IngestDashboard", "AWS::CloudWatch::Dashboard", ""),
        ("Modify", "LedgerTable", "AWS::DynamoDB::Table", "False"),
        ("Modify", "IngestRole", "AWS::IAM::Role", "True"),
        ("Modify", "IngestFunction", "AWS::Lambda::Function", "Conditional"),
    ) == [
        "Add IngestDashboard AWS::CloudWatch::Dashboard",
        "Modify LedgerTable AWS::DynamoDB::Table False",
        "Modify IngestRole AWS::IAM::Role True",
        "Modify IngestFunction AWS::Lambda::Function Conditional",
    ]


@pytest.mark.parametrize("type_", ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue"])
@pytest.mark.parametrize(
    ("action", "replacement", "told"),
    [
        ("Modify", "True", "would be replaced by an empty one"),
        ("Modify", "Conditional", "may be replaced by an empty one"),
        ("Remove", "", "would be removed"),
    ],
)
def test_a_plan_warns_of_data_that_the_update_would_lose(
    type_: str, action: str, replacement: str, told: str
):
    assert plan_of((action, "Summer", type_, replacement))[1:] == [
        f"Careful: Summer ({type_}) {told}"
    ]


def test_plans_that_an_interrupt_left_behind_are_forgotten_and_others_kept():
    cloudformation = FakeCloudFormation(
        "UPDATE_COMPLETE", former_change_sets=["festival-20250712-200000", "colleague"]
    )
    plan(FakeSession(cloudformation), deploy_request(UploadBucketName="u"))
    assert cloudformation.calls[0] == "delete festival-20250712-200000"
    assert "delete colleague" not in cloudformation.calls


def test_a_creation_that_was_only_planned_is_begun_anew():
    cloudformation = FakeCloudFormation("REVIEW_IN_PROGRESS")
    plan(FakeSession(cloudformation), deploy_request())
    assert cloudformation.calls == [
        "delete stack",
        "wait until it is gone",
        "create change set to CREATE",
    ]


def test_a_discarded_creation_leaves_no_trace():
    session = FakeSession()
    discard(session, plan(session, deploy_request()))
    assert session.cloudformation.calls[-2:] == ["delete change-set", "delete stack"]


def test_a_discarded_update_leaves_the_stack_alone():
    session = FakeSession(FakeCloudFormation("CREATE_COMPLETE"))
    discard(session, plan(session, deploy_request(UploadBucketName="u")))
    assert session.cloudformation.calls[-1] == "delete change-set"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("UPDATE_IN_PROGRESS", "is UPDATE_IN_PROGRESS: wait until it is done"),
        (
            "ROLLBACK_COMPLETE",
            r"is ROLLBACK_COMPLETE \(UploadBucket: already exists\): fix the cause, run festival"
            " teardown --stack o240-festival, then festival deploy",
        ),
        ("ROLLBACK_FAILED", "festival teardown --stack o240-festival, then festival deploy"),
        ("DELETE_FAILED", "festival teardown --stack o240-festival again"),
        ("UPDATE_FAILED", "rollback-stack --stack-name o240-festival, then festival deploy"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name o240-festival, then"),
        ("IMPORT_ROLLBACK_FAILED", "in the CloudFormation console, then festival deploy"),
        ("A_STATUS_OF_NEXT_YEAR", "open it in the CloudFormation console"),
    ],
)
def test_a_stack_that_cannot_be_changed_says_why_and_what_to_do(status: str, told: str):
    events = [
        ("UploadBucket", "CREATE_FAILED", "already exists"),
        ("IngestQueue", "CREATE_FAILED", "Resource creation cancelled"),
    ]
    session = FakeSession(FakeCloudFormation(status, events=events))
    with pytest.raises(FestivalError, match=told) as error:
        plan(session, deploy_request())
    assert "\n" not in str(error.value)
    assert session.s3.calls == [], "nothing is uploaded for a stack that cannot be changed"


# ── execution ────────────────────────────────────────────────────────────────────────────────────


def test_each_step_is_told_once_and_in_order():
    cloudformation = FakeCloudFormation(
        "CREATE_COMPLETE",
        events=[("IngestTopic", "CREATE_COMPLETE", "")],
        outcomes=[
            ([("IngestFunction", "UPDATE_IN_PROGRESS", "")], "UPDATE_IN_PROGRESS"),
            ([("IngestFunction", "UPDATE_COMPLETE", "")], "UPDATE_COMPLETE"),
        ],
    )
    session = FakeSession(cloudformation)
    steps = list(execute(session, plan(session, deploy_request(UploadBucketName="u"))))
    assert [(step.resource, step.status) for step in steps] == [
        ("IngestFunction", "UPDATE_IN_PROGRESS"),
        ("IngestFunction", "UPDATE_COMPLETE"),
        ("o240-festival", "UPDATE_COMPLETE"),
    ]


def test_a_state_from_before_the_change_is_not_taken_for_its_end():
    """DescribeStacks may still answer with the state from before ExecuteChangeSet."""
    session = FakeSession(
        FakeCloudFormation(
            "CREATE_COMPLETE",
            outcomes=[
                ([("UploadBucket", "UPDATE_FAILED", "Access denied")], "UPDATE_ROLLBACK_COMPLETE")
            ],
        )
    )
    planned = plan(session, deploy_request(UploadBucketName="u"))
    session.cloudformation.stale = 3
    with pytest.raises(
        FestivalError, match=r"UPDATE_ROLLBACK_COMPLETE.*UploadBucket: Access denied"
    ):
        list(execute(session, planned))


def test_a_stack_that_stays_as_it_was_is_not_watched_for_ever():
    session = FakeSession(FakeCloudFormation("CREATE_COMPLETE"))
    planned = plan(session, deploy_request(UploadBucketName="u"))
    session.cloudformation.stale = 1_000
    assert list(execute(session, planned)) == []


@pytest.mark.parametrize("code", ["Throttling", "RequestLimitExceeded", "ServiceUnavailable"])
def test_a_throttled_look_does_not_end_a_watch(code: str):
    cloudformation = FakeCloudFormation(
        "UPDATE_IN_PROGRESS",
        outcomes=[
            ([], "UPDATE_IN_PROGRESS"),
            ([("IngestFunction", "UPDATE_COMPLETE", "")], "UPDATE_COMPLETE"),
        ],
    )
    session = FakeSession(cloudformation)
    watching = watch(session)
    cloudformation.throttled = ["", code, code, code]  # the first look is before the watch
    assert [step.status for step in watching] == ["UPDATE_COMPLETE", "UPDATE_COMPLETE"]
    assert cloudformation.throttled == []


def test_a_look_that_is_not_allowed_ends_a_watch_at_once():
    cloudformation = FakeCloudFormation("UPDATE_IN_PROGRESS", throttled=["AccessDenied"])
    with pytest.raises(ClientError, match="AccessDenied"):
        list(watch(FakeSession(cloudformation)))


def test_a_creation_that_fails_is_taken_back_whole_and_says_so():
    session = FakeSession(
        FakeCloudFormation(
            outcomes=[
                (
                    [
                        ("IngestFunction", "CREATE_FAILED", "Runtime is retired"),
                        ("o240-festival", "DELETE_COMPLETE", ""),
                    ],
                    None,
                )
            ]
        )
    )
    planned = plan(session, deploy_request())
    assert session.cloudformation.requests[0]["OnStackFailure"] == "DELETE"
    with pytest.raises(FestivalError) as error:
        list(execute(session, planned))
    assert str(error.value) == (
        "The stack o240-festival could not be deployed and nothing of it is left"
        " (DELETE_COMPLETE): IngestFunction: Runtime is retired"
    )


def test_an_update_that_fails_is_rolled_back_and_never_deleted():
    session = FakeSession(FakeCloudFormation("CREATE_COMPLETE"))
    plan(session, deploy_request(UploadBucketName="u"))
    assert "OnStackFailure" not in session.cloudformation.requests[0]


# ── guard ────────────────────────────────────────────────────────────────────────────────────────


def test_the_tables_of_a_stack_that_is_up_are_protected_once():
    cloudformation = FakeCloudFormation(
        "CREATE_COMPLETE",
        resources=[
            ("PerformancesTable", "AWS::DynamoDB::Table", "performances"),
            ("LedgerTable", "AWS::DynamoDB::Table", "ledger"),
            ("UploadBucket", "AWS::S3::Bucket", "uploads"),
        ],
    )
    session = FakeSession(cloudformation)
    assert [(step.resource, step.status) for step in guard(session)] == [
        ("PerformancesTable", "PROTECTED"),
        ("LedgerTable", "PROTECTED"),
    ]
    assert session.dynamodb.protected == ["performances", "ledger"]
    assert list(guard(session)) == []


# ── taken names ──────────────────────────────────────────────────────────────────────────────────


TAKEN = {
    "bucket": (
        {"s3": FakeS3({"o240-festival-uploads-123456789012-eu-north-1": (ACCOUNT, "eu-north-1")})},
        "The bucket o240-festival-uploads-123456789012-eu-north-1 exists already.*--upload-bucket",
    ),
    "bucket of another account": (
        {"s3": FakeS3({"o240-festival-uploads-123456789012-eu-north-1": ("999", "eu-north-1")})},
        "exists already, in this account or another",
    ),
    "function": (
        {"functions": FakeLambda(["processFestivalData"])},
        "A function processFestivalData exists already: name another with -p FunctionName NAME",
    ),
    "log group": (
        {"logs": FakeLogs(["/aws/lambda/processFestivalData"])},
        "aws logs delete-log-group --log-group-name /aws/lambda/processFestivalData",
    ),
}


@pytest.mark.parametrize("what", TAKEN)
def test_a_name_that_is_taken_is_said_before_anything_is_planned_or_uploaded(what: str):
    taken, told = TAKEN[what]
    session = FakeSession(**taken)
    with pytest.raises(FestivalError, match=told):
        plan(session, deploy_request())
    assert (session.cloudformation.calls, session.s3.calls) == ([], [])


def test_a_second_stack_takes_names_of_its_own():
    session = FakeSession(functions=FakeLambda(["processFestivalData"]))
    session.logs.groups = [
        "/aws/lambda/processFestivalData",
        "/aws/lambda/winter-processFestivalDatax",
    ]
    plan(session, DeployRequest("winter", {"EmailAddress": "ops@festival.example"}))
    session.functions.functions.append("winter-processFestivalData")
    with pytest.raises(FestivalError, match="A function winter-processFestivalData exists already"):
        plan(session, DeployRequest("winter", {"EmailAddress": "ops@festival.example"}))


def test_a_stacks_own_names_are_not_in_its_way():
    session = FakeSession(
        FakeCloudFormation("CREATE_COMPLETE", parameters={"UploadBucketName": "u"}),
        FakeS3({"u": (ACCOUNT, "eu-north-1")}),
        functions=FakeLambda(["processFestivalData"]),
    )
    plan(session, deploy_request())
    session.functions.functions.append("nightShift")
    with pytest.raises(FestivalError, match="A function nightShift exists already"):
        plan(session, deploy_request(FunctionName="nightShift"))


# ── pending plans ────────────────────────────────────────────────────────────────────────────────


def test_a_plan_that_waits_for_a_yes_is_shown_before_another_is_made():
    session = FakeSession(
        FakeCloudFormation(
            "UPDATE_COMPLETE", former_change_sets=["festival-20250712-200000", "colleague"]
        )
    )
    assert [each.name for each in pending_plans(session)] == ["festival-20250712-200000"]
    assert session.cloudformation.calls == []
    assert pending_plans(FakeSession()) == []


def test_a_failure_is_told_by_the_resource_that_caused_it_and_not_by_its_victims():
    cloudformation = FakeCloudFormation(
        "CREATE_COMPLETE",
        outcomes=[
            (
                [
                    ("UploadBucket", "CREATE_FAILED", "lineups already exists"),
                    ("IngestQueue", "CREATE_FAILED", "Resource creation cancelled"),
                ],
                "UPDATE_ROLLBACK_COMPLETE",
            )
        ],
    )
    session = FakeSession(cloudformation)
    planned = plan(session, deploy_request(UploadBucketName="u"))
    steps: list[Step] = []
    with pytest.raises(FestivalError) as error:
        steps.extend(execute(session, planned))
    assert str(error.value) == (
        "The stack o240-festival could not be deployed (UPDATE_ROLLBACK_COMPLETE):"
        " UploadBucket: lineups already exists"
    )


def test_a_deployment_that_was_interrupted_is_watched_to_its_end_and_then_planned_anew():
    cloudformation = FakeCloudFormation(
        "UPDATE_IN_PROGRESS",
        events=[("IngestTopic", "UPDATE_COMPLETE", "")],
        outcomes=[
            ([], "UPDATE_IN_PROGRESS"),
            ([("IngestFunction", "UPDATE_COMPLETE", "")], "UPDATE_COMPLETE"),
        ],
    )
    session = FakeSession(cloudformation)
    assert [step.resource for step in watch(session)] == ["IngestFunction", "o240-festival"]
    assert plan(session, deploy_request(UploadBucketName="u")).changes


def test_a_stack_at_rest_and_one_that_is_not_there_have_nothing_to_watch():
    assert list(watch(FakeSession(FakeCloudFormation("CREATE_COMPLETE")))) == []
    assert list(watch(FakeSession())) == []


# ── deployment bucket ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("region", ["us-east-1", "eu-north-1"])
def test_a_missing_bucket_is_made_in_the_stacks_region_private_and_versioned(region: str):
    session = FakeSession(region_name=region)
    ensure_bucket(session, "deployment", ACCOUNT)
    assert session.s3.buckets == {"deployment": (ACCOUNT, region)}
    assert session.s3.calls == ["block public access", "version"]


def test_a_bucket_of_someone_else_is_never_used():
    session = FakeSession(s3=FakeS3({"deployment": ("999999999999", "eu-north-1")}))
    with pytest.raises(FestivalError, match="does not belong to the account 123456789012"):
        ensure_bucket(session, "deployment", ACCOUNT)


def test_a_bucket_in_another_region_is_refused_before_lambda_would():
    session = FakeSession(s3=FakeS3({"deployment": (ACCOUNT, "us-west-2")}))
    with pytest.raises(FestivalError, match="is in us-west-2 and the stack in eu-north-1"):
        ensure_bucket(session, "deployment", ACCOUNT)


def test_the_same_code_is_uploaded_once():
    session = FakeSession()
    plan(session, deploy_request())
    plan(session, deploy_request())
    assert session.s3.calls.count("upload") == 1


def test_a_bucket_name_that_s3_would_refuse_is_told_before():
    with pytest.raises(FestivalError, match="has 66 characters and S3 allows 63"):
        default_bucket_name("a-stack-with-quite-a-long-name-for-uploads", ACCOUNT, "eu-north-1")


def test_outputs_of_another_stack_are_told_apart():
    with pytest.raises(FestivalError, match="has no output 'UploadBucketNameOut'"):
        StackOutputs.from_outputs("somebodys", {"TableNameOut": "t"})


def test_the_template_is_looked_for_where_it_is_said_to_be(tmp_path: Path):
    with pytest.raises(FestivalError, match=r"nowhere\.yaml cannot be read"):
        plan(FakeSession(), DeployRequest(template=tmp_path / "nowhere.yaml"))
