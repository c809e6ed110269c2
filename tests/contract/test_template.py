"""The template's promises: names, rights, limits and remedies."""

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from festival.backfill.run import WORKERS
from festival.ingest.handler import FunctionSettings
from festival.ingest.log import LEVELS
from festival.ingest.messages import pause_after
from festival.stack.deploy import function_name
from festival.stack.stack import DEFAULT_STACK, TEMPLATE, StackOutputs, read_template
from festival.stack.template import parse_template
from festival.table import schema

LARGEST_BODY = 51_200  # bytes that CloudFormation takes as --template-body

TEXT = read_template()
PARSED = parse_template(TEXT)
ALWAYS = "always"  # the condition of a statement that has none
RESOURCES = PARSED["Resources"]


def of_type(type_: str) -> dict[str, dict[str, Any]]:
    return {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == type_}


def properties(name: str) -> dict[str, Any]:
    return RESOURCES[name]["Properties"]


def statements(document: dict[str, Any], under: str | None = None) -> Iterator[dict[str, Any]]:
    """Every statement of a policy, also those under a condition, or under this one alone."""
    for statement in document["Statement"]:
        condition, *branches = statement.get("Fn::If", [ALWAYS, statement])
        if under is None or under == condition:
            yield from (branch for branch in branches if branch != {"Ref": "AWS::NoValue"})


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def policy_documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy in the template that says what someone may do."""
    for name, role in of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            yield name, policy["PolicyDocument"]
    for name, policy in of_type("AWS::IAM::ManagedPolicy").items():
        yield name, policy["PolicyDocument"]


def allowed(role: str, under: str | None = None) -> set[str]:
    return {
        action
        for policy in properties(role)["Policies"]
        for statement in statements(policy["PolicyDocument"], under)
        for action in as_list(statement["Action"])
    }


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def test_the_four_parameters_of_old_are_all_that_has_to_be_said():
    without_default = {n for n, p in PARSED["Parameters"].items() if "Default" not in p}
    assert without_default == {
        "UploadBucketName",
        "DeploymentBucketName",
        "LambdaZipKey",
        "EmailAddress",
    }


def test_every_parameter_and_output_is_described():
    for section in ("Parameters", "Outputs"):
        for name, entry in PARSED[section].items():
            assert entry["Description"].strip(), f"{section} {name}"


def test_the_kit_finds_every_output_that_it_needs():
    outputs = dict.fromkeys(PARSED["Outputs"], "1")
    assert StackOutputs.from_outputs("o240-festival", outputs).table == "1"
    assert {"UploadBucketNameOut", "TableNameOut", "TopicArnOut"} <= set(outputs)


def test_only_the_upload_bucket_and_the_function_have_names_of_their_own():
    named = {
        (name, key)
        for name, resource in RESOURCES.items()
        for key in resource["Properties"]
        if key in ("BucketName", "TableName", "QueueName", "RoleName", "FunctionName", "Name")
        or key in ("TopicName", "AlarmName", "DashboardName", "LogGroupName", "ManagedPolicyName")
    }
    assert named - {("IngestMapping", "FunctionName")} == {
        ("UploadBucket", "BucketName"),
        ("IngestFunction", "FunctionName"),
        ("IngestLogGroup", "LogGroupName"),
    }


def named_in(value: Any, stack: str, function: str = "") -> str:
    """A name of the template, as CloudFormation makes it in a stack, with FunctionName given."""
    met = {"HasFunctionName": bool(function), "IsDefaultStack": stack == "o240-festival"}
    if isinstance(value, dict) and "Fn::If" in value:
        condition, yes, no = value["Fn::If"]
        return named_in(yes if met[condition] else no, stack, function)
    if value == {"Ref": "FunctionName"}:
        return function
    text = value["Fn::Sub"] if isinstance(value, dict) else value
    return text.replace("${FunctionName}", function).replace("${AWS::StackName}", stack)


@pytest.mark.parametrize("given", ["", "nightShift"])
@pytest.mark.parametrize("stack", ["o240-festival", "winter"])
def test_function_and_log_group_have_the_name_that_the_kit_expects(stack: str, given: str):
    expected = function_name(stack, {"FunctionName": given})
    assert named_in(properties("IngestFunction")["FunctionName"], stack, given) == expected
    group = properties("IngestLogGroup")["LogGroupName"]
    assert named_in(group, stack, given) == f"/aws/lambda/{expected}"


def test_a_function_has_no_name_of_its_own_unless_one_is_given():
    assert PARSED["Parameters"]["FunctionName"]["Default"] == ""


def test_a_log_group_never_stands_in_the_way_of_its_own_name():
    assert RESOURCES["IngestLogGroup"]["DeletionPolicy"] == "Delete"
    assert RESOURCES["IngestLogGroup"]["UpdateReplacePolicy"] == "Delete"


def test_the_template_fits_into_a_request():
    assert len(TEXT.encode()) <= LARGEST_BODY


# ── function ─────────────────────────────────────────────────────────────────────────────────────


def test_the_handler_is_a_function_of_the_package():
    module, _, function = properties("IngestFunction")["Handler"].rpartition(".")
    assert importlib.util.find_spec(module) is not None
    assert callable(getattr(importlib.import_module(module), function))


def test_the_function_is_as_large_and_as_patient_as_the_design_says():
    function = properties("IngestFunction")
    assert (function["Runtime"], function["Timeout"]) == ("python3.12", 300)
    assert function["MemorySize"] == {"Ref": "FunctionMemory"}
    assert PARSED["Parameters"]["FunctionMemory"]["Default"] == 256
    assert function["RecursiveLoop"] == "Allow"
    assert "ReservedConcurrentExecutions" not in function


class Asked(dict[str, str]):
    """An environment in which everything is set, and that knows what it was asked for."""

    def __missing__(self, name: str) -> str:
        self[name] = "1"
        return "1"

    def get(self, name: str, default: Any = None) -> str:
        return self[name]


def test_the_function_is_told_everything_that_it_reads_from_its_environment():
    asked = Asked()
    FunctionSettings.from_environment(asked)
    told = properties("IngestFunction")["Environment"]["Variables"]
    assert set(told) | {"AWS_LAMBDA_FUNCTION_NAME"} == set(asked)


def test_each_variable_of_the_function_is_what_its_name_says():
    assert properties("IngestFunction")["Environment"]["Variables"] == {
        "TABLE_NAME": {"Ref": "PerformancesTable"},
        "LEDGER_TABLE_NAME": {"Ref": "LedgerTable"},
        "TOPIC_ARN": {"Ref": "IngestTopic"},
        "REPORTS_BUCKET_NAME": {"Ref": "ReportsBucket"},
        "QUEUE_URL": {"Ref": "IngestQueue"},
        "MAX_RECEIVE_COUNT": "20",
        "MAXIMUM_CONCURRENCY": {"Ref": "MaximumConcurrency"},
        "RECONCILE_ON_UPLOAD": {"Ref": "ReconcileOnUpload"},
        "RECONCILE_GUARD_PERCENT": {"Ref": "ReconcileGuardPercent"},
        "DEFAULT_MAPPING": {"Ref": "DefaultMapping"},
        "LOG_LEVEL": {"Ref": "LogLevel"},
    }


def test_each_output_is_what_its_name_says():
    assert {name: each["Value"]["Ref"] for name, each in PARSED["Outputs"].items()} == {
        "UploadBucketNameOut": "UploadBucket",
        "ReportsBucketNameOut": "ReportsBucket",
        "TableNameOut": "PerformancesTable",
        "LedgerTableNameOut": "LedgerTable",
        "TopicArnOut": "IngestTopic",
        "QueueUrlOut": "IngestQueue",
        "DeadLetterQueueUrlOut": "DeadLetterQueue",
        "FunctionNameOut": "IngestFunction",
        "AnalystPolicyArnOut": "AnalystPolicy",
        "OperatorPolicyArnOut": "OperatorPolicy",
    }


def test_the_mapping_reports_item_failures_and_paces_itself():
    mapping = properties("IngestMapping")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaximumConcurrency"}}
    assert PARSED["Parameters"]["MaximumConcurrency"]["MinValue"] == 2
    assert PARSED["Parameters"]["BatchSize"]["Default"] == 1


def test_the_log_belongs_to_the_stack_and_is_not_kept_forever():
    group = properties("IngestLogGroup")
    assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    logging = properties("IngestFunction")["LoggingConfig"]
    assert logging["LogGroup"] == {"Ref": "IngestLogGroup"}


# ── queue and bucket ─────────────────────────────────────────────────────────────────────────────


def test_a_message_stays_hidden_six_times_as_long_as_the_function_may_run():
    queue, function = properties("IngestQueue"), properties("IngestFunction")
    assert queue["VisibilityTimeout"] == 6 * function["Timeout"]


def test_messages_are_tried_twenty_times_within_the_days_that_they_are_kept():
    days = 24 * 60 * 60
    queue = properties("IngestQueue")
    assert queue["MessageRetentionPeriod"] == 4 * days
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 20
    pauses = sum(pause_after(receives, 1.0) for receives in range(1, 20))
    assert pauses + 20 * queue["VisibilityTimeout"] < queue["MessageRetentionPeriod"]
    assert properties("DeadLetterQueue")["MessageRetentionPeriod"] == 14 * days
    variables = properties("IngestFunction")["Environment"]["Variables"]
    assert variables["MAX_RECEIVE_COUNT"] == str(queue["RedrivePolicy"]["maxReceiveCount"])


def test_the_bucket_waits_for_the_queue_policy_before_it_tells_the_queue():
    assert RESOURCES["UploadBucket"]["DependsOn"] == "IngestQueuePolicy"
    queues = properties("UploadBucket")["NotificationConfiguration"]["QueueConfigurations"]
    assert queues == [
        {"Event": event, "Queue": {"Fn::GetAtt": ["IngestQueue", "Arn"]}}
        for event in ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    ]


def test_only_that_bucket_of_this_account_may_send_to_the_queue():
    (allow,) = [
        statement
        for statement in statements(properties("IngestQueuePolicy")["PolicyDocument"])
        if statement["Effect"] == "Allow"
    ]
    assert allow["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allow["Action"] == "sqs:SendMessage"
    assert allow["Condition"] == {
        "ArnEquals": {
            "aws:SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:s3:::${UploadBucketName}"}
        },
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
    }


@pytest.mark.parametrize(
    "type_", ["AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy"]
)
def test_nothing_is_denied_but_requests_without_tls(type_: str):
    denials = [
        statement
        for policy in of_type(type_).values()
        for statement in statements(policy["PolicyDocument"])
        if statement["Effect"] == "Deny"
    ]
    assert len(denials) == len(of_type(type_))
    for denial in denials:
        assert denial["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize("bucket", sorted(of_type("AWS::S3::Bucket")))
def test_a_bucket_is_private_encrypted_and_tidies_up(bucket: str):
    configured = properties(bucket)
    assert set(configured["PublicAccessBlockConfiguration"].values()) == {True}
    (encryption,) = configured["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert configured["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    rules = configured["LifecycleConfiguration"]["Rules"]
    assert {rule["Status"] for rule in rules} == {"Enabled"}
    assert {"DaysAfterInitiation": 7} in [
        rule.get("AbortIncompleteMultipartUpload") for rule in rules
    ]


def test_the_upload_bucket_keeps_old_versions_for_thirty_days():
    bucket = properties("UploadBucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert {"NoncurrentDays": 30} in [
        rule.get("NoncurrentVersionExpiration")
        for rule in bucket["LifecycleConfiguration"]["Rules"]
    ]


def test_the_state_of_an_ingest_outlives_its_last_possible_message():
    days = 24 * 60 * 60
    queues = (properties("IngestQueue"), properties("DeadLetterQueue"))
    longest = sum(queue["MessageRetentionPeriod"] for queue in queues) / days
    rules = properties("ReportsBucket")["LifecycleConfiguration"]["Rules"]
    expiry = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule}
    assert expiry == {"rejected/": 90, "state/": 30}
    assert expiry["state/"] > longest


@pytest.mark.parametrize("queue", sorted(of_type("AWS::SQS::Queue")))
def test_a_queue_is_encrypted_and_goes_with_the_stack(queue: str):
    assert properties(queue)["SqsManagedSseEnabled"] is True
    assert RESOURCES[queue]["UpdateReplacePolicy"] == RESOURCES[queue]["DeletionPolicy"] == "Delete"


# ── tables ───────────────────────────────────────────────────────────────────────────────────────


def key(keys: list[dict[str, str]]) -> tuple[str, str]:
    partition, sort = keys
    assert (partition["KeyType"], sort["KeyType"]) == ("HASH", "RANGE")
    return partition["AttributeName"], sort["AttributeName"]


def indexes(table: dict[str, Any]) -> dict[str, tuple[str, str]]:
    found = table["GlobalSecondaryIndexes"]
    assert all(index["Projection"] == {"ProjectionType": "ALL"} for index in found)
    return {index["IndexName"]: key(index["KeySchema"]) for index in found}


def test_the_table_has_the_keys_and_indexes_of_the_schema():
    table = properties("PerformancesTable")
    assert key(table["KeySchema"]) == (schema.PARTITION_KEY, schema.SORT_KEY)
    assert indexes(table) == {i.name: (i.partition_key, i.sort_key) for i in schema.INDEXES}
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    assert (types[schema.PARTITION_KEY], types[schema.SORT_KEY]) == ("S", "S")
    for index in schema.INDEXES:
        assert (types[index.partition_key], types[index.sort_key]) == ("S", index.sort_type)


def test_the_ledger_finds_an_entry_by_file_and_by_day():
    ledger = properties("LedgerTable")
    assert key(ledger["KeySchema"]) == ("File", "Entry")
    assert indexes(ledger) == {"RecentIndex": ("Day", "StartedAt")}
    assert ledger["TimeToLiveSpecification"] == {"AttributeName": "ExpiresAt", "Enabled": True}
    assert {a["AttributeType"] for a in ledger["AttributeDefinitions"]} == {"S"}


@pytest.mark.parametrize("table", sorted(of_type("AWS::DynamoDB::Table")))
def test_a_table_is_paid_by_use_and_kept_in_time(table: str):
    configured = properties(table)
    assert configured["BillingMode"] == "PAY_PER_REQUEST"
    assert configured["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize(
    "name", sorted([*of_type("AWS::DynamoDB::Table"), *of_type("AWS::S3::Bucket")])
)
def test_what_holds_data_is_kept_when_it_is_replaced_and_goes_with_an_empty_stack(name: str):
    """The guard is the kit's (`guard`): with one here no failed creation could be taken back."""
    assert "DeletionProtectionEnabled" not in RESOURCES[name]["Properties"]
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"
    assert RESOURCES[name]["DeletionPolicy"] == "Delete"


# ── rights ───────────────────────────────────────────────────────────────────────────────────────


def test_the_function_may_do_what_it_does_and_nothing_else():
    assert allowed("IngestRole", ALWAYS) == {
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
        "s3:PutObject",
        "dynamodb:BatchWriteItem",
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:SendMessage",
        "sqs:ChangeMessageVisibility",
        "sns:Publish",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    assert allowed("IngestRole", "HasTopicKey") == {"kms:GenerateDataKey", "kms:Decrypt"}
    assert allowed("IngestRole", "Reconciles") == {
        "dynamodb:Query",
        "s3:GetObject",
        "s3:ListBucket",
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:PutItem",
    }


def test_no_allowed_action_and_no_resource_is_a_wildcard():
    for name, document in policy_documents():
        for statement in statements(document):
            assert "*" not in as_list(statement["Resource"]), f"{name} {statement['Sid']}"
            assert not [a for a in as_list(statement["Action"]) if "*" in a], f"{name} {statement}"


def test_every_statement_of_a_role_is_named():
    for name, document in policy_documents():
        for statement in statements(document):
            assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"]), name


def test_every_statement_of_the_functions_role_has_its_reason_in_a_comment():
    lines = TEXT.splitlines()
    start = lines.index("  IngestRole:")
    end = next(n for n in range(start + 1, len(lines)) if re.match(r"  \S", lines[n]))
    role = [line.strip() for line in lines[start:end]]
    begins = [
        number
        for number, line in enumerate(role)
        if line == "- !If" or (line.startswith("- Sid: ") and role[number - 2] != "- !If")
    ]
    uncommented = [role[number] for number in begins if not role[number - 1].startswith("#")]
    assert uncommented == ["- Sid: TellPeople"], "its name says it all"


def spelled(value: Any) -> str:
    """A resource or condition of the template in short: `Queue.Arn` for `!GetAtt Queue.Arn`."""
    if isinstance(value, dict) and len(value) == 1:
        (name, inner), *_ = value.items()
        if name in ("Ref", "Fn::Sub", "Fn::GetAtt"):
            return ".".join(as_list(inner))
    if isinstance(value, dict):
        return ", ".join(f"{name} {spelled(inner)}" for name, inner in value.items())
    return str(value)


def resource_policies() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy in the template that says who may do something to a resource, or be a role."""
    for type_ in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for name, policy in of_type(type_).items():
            of = policy.get("Bucket") or policy.get("Queues") or policy["Topics"]
            yield f"{name} of {spelled(as_list(of)[0])}", policy["PolicyDocument"]
    for name, role in of_type("AWS::IAM::Role").items():
        yield f"{name} is for", role["AssumeRolePolicyDocument"]


def policies_as_text() -> Iterator[str]:
    """Every statement that says what someone may do, a few lines each."""
    for name, document in (*policy_documents(), *resource_policies()):
        for statement in document["Statement"]:
            under, branch, *_ = statement.get("Fn::If", (ALWAYS, statement))
            title = f"{name} {branch.get('Sid', '')}".strip()
            yield title + (f" if {under}" if under != ALWAYS else "")
            if "Principal" in branch:
                yield f"    to {spelled(branch['Principal'])}"
            for action in as_list(branch["Action"]):
                yield f"    {branch['Effect']} {action}"
            yield from (f"    on {spelled(each)}" for each in as_list(branch.get("Resource", [])))
            if "Condition" in branch:
                yield f"    where {spelled(branch['Condition'])}"


def test_what_each_statement_allows_is_what_was_reviewed():
    """`policies.txt` beside this file is what people have read. Change it with the template."""
    reviewed = Path(__file__).with_name("policies.txt").read_text(encoding="utf-8")
    assert "\n".join(policies_as_text()) + "\n" == reviewed


# ── what refers to what ──────────────────────────────────────────────────────────────────────────


def references(value: Any, path: str) -> Iterator[str]:
    """Each reference in a part of the template, with its place; not those of policies and texts."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from references(each, f"{path}[{number}]")
    elif isinstance(value, dict) and set(value) & {"Ref", "Fn::GetAtt", "Fn::Sub"}:
        yield f"{path}: {spelled(value)}"
    elif isinstance(value, dict):
        for name, each in value.items():
            if not name.endswith(("PolicyDocument", "Description", "DashboardBody", "BuildSpec")):
                yield from references(each, f"{path}.{name}")


def test_each_resource_refers_to_what_was_reviewed():
    """`references.txt` beside this file is what people have read. Change it with the template."""
    found = [
        line
        for name, resource in RESOURCES.items()
        for line in references(resource["Properties"], name)
    ]
    reviewed = Path(__file__).with_name("references.txt").read_text(encoding="utf-8")
    assert "\n".join(found) + "\n" == reviewed


IS_GIVEN = {
    "HasFunctionName": "FunctionName",
    "HasTopicKey": "TopicKeyArn",
    "HasSchedule": "BackfillSchedule",
}


def test_each_condition_is_about_what_its_name_says():
    assert PARSED["Conditions"] == {
        "IsDefaultStack": {"Fn::Equals": [{"Ref": "AWS::StackName"}, DEFAULT_STACK]},
        "Reconciles": {"Fn::Equals": [{"Ref": "ReconcileOnUpload"}, "yes"]},
    } | {name: given(parameter) for name, parameter in IS_GIVEN.items()}


def given(parameter: str) -> dict[str, Any]:
    """The condition that a parameter is not empty."""
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def test_a_schedule_without_the_kits_archive_is_refused():
    (rule,) = PARSED["Rules"].values()
    assert rule["RuleCondition"] == given("BackfillSchedule")
    assert [each["Assert"] for each in rule["Assertions"]] == [given("KitArchiveKey")]


def test_each_number_has_the_default_and_the_limits_that_the_kit_reckons_with():
    """Batches over 10 need a window; the smallest concurrency that Lambda takes is 2."""
    numbers = {n: p for n, p in PARSED["Parameters"].items() if p["Type"] == "Number"}
    assert {
        name: (each["Default"], each.get("MinValue"), each.get("MaxValue"))
        for name, each in numbers.items()
    } == {
        "FunctionMemory": (256, 128, 10_240),
        "BatchSize": (1, 1, 10),
        "MaximumConcurrency": (10, 2, 1000),
        "LogRetentionDays": (30, None, None),
        "ReconcileGuardPercent": (30, 0, 100),
    }
    assert PARSED["Parameters"]["MaximumConcurrency"]["Default"] == WORKERS
    # Lambda takes 4 KB of environment, in which the mapping is one variable of many.
    assert PARSED["Parameters"]["DefaultMapping"]["MaxLength"] == 2000


def test_each_choice_is_one_that_the_function_knows():
    assert tuple(PARSED["Parameters"]["LogLevel"]["AllowedValues"]) == LEVELS
    assert PARSED["Parameters"]["ReconcileOnUpload"]["AllowedValues"] == ["no", "yes"]


def test_no_part_of_the_stack_is_switched_off_or_late():
    """`Enabled: false` and the like leave a resource there that does nothing."""
    switches = {"Enabled", "State", "ActionsEnabled", "DelaySeconds", "FilterCriteria"}
    assert [n for n, each in RESOURCES.items() if switches & set(each["Properties"])] == []


def test_the_log_is_as_the_function_prints_it():
    """Each line is JSON already; as `JSON` Lambda would wrap it, and lose the metrics."""
    assert properties("IngestFunction")["LoggingConfig"]["LogFormat"] == "Text"


def test_a_scheduled_backfill_really_ingests_and_has_time_for_it():
    project, schedule = properties("BackfillProject"), properties("NightlyBackfill")
    build = project["Source"]["BuildSpec"]["Fn::Sub"]
    assert 'run notebooks/backfill.ipynb -p dry_run false -o "s3://$REPORTS_BUCKET_NAME/' in build
    assert "python: ${KitPython}" in build
    assert project["TimeoutInMinutes"] == 240
    assert schedule["Target"]["RetryPolicy"] == {
        "MaximumRetryAttempts": 5,
        "MaximumEventAgeInSeconds": 3600,
    }


def test_what_belongs_to_the_schedule_and_nothing_else_is_made_with_one():
    conditions = {name: each.get("Condition") for name, each in RESOURCES.items()}
    assert {name for name, condition in conditions.items() if condition} == {
        name for name in RESOURCES if "Backfill" in name
    }
    assert set(conditions.values()) == {None, "HasSchedule"}


def test_every_policy_is_in_the_language_that_iam_speaks():
    documents = [document for _, document in (*policy_documents(), *resource_policies())]
    assert {document["Version"] for document in documents} == {"2012-10-17"}


# ── people ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("alarm", sorted(of_type("AWS::CloudWatch::Alarm")))
def test_an_alarm_tells_the_person_who_is_woken_what_to_do(alarm: str):
    configured = properties(alarm)
    description = configured["AlarmDescription"]
    text = description["Fn::Sub"] if isinstance(description, dict) else description
    assert "Remedy: " in text
    assert len(text) <= 1024
    assert configured["TreatMissingData"] == "notBreaching"


def watched(alarm: dict[str, Any]) -> list[tuple[str, str, dict[str, Any], str, int]]:
    """What an alarm looks at: namespace, metric, dimensions, statistic, seconds of a period."""
    stats = [each["MetricStat"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    found = [{**each["Metric"], **each} for each in stats] or [alarm]
    return [
        (
            each["Namespace"],
            each["MetricName"],
            {dimension["Name"]: dimension["Value"] for dimension in each["Dimensions"]},
            each.get("Stat") or each["Statistic"],
            each["Period"],
        )
        for each in found
    ]


DEAD_LETTERS = {"QueueName": {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}}
QUEUE = {"QueueName": {"Fn::GetAtt": ["IngestQueue", "QueueName"]}}
FUNCTION = {"FunctionName": {"Ref": "IngestFunction"}}
TABLE = {"TableName": {"Ref": "PerformancesTable"}}
TOPIC = {"TopicName": {"Fn::GetAtt": ["IngestTopic", "TopicName"]}}
WATCHED = {
    "DeadLetterAlarm": [
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", DEAD_LETTERS, "Maximum", 300)
    ],
    "QueueAgeAlarm": [("AWS/SQS", "ApproximateAgeOfOldestMessage", QUEUE, "Maximum", 300)],
    "FunctionErrorsAlarm": [("AWS/Lambda", "Errors", FUNCTION, "Sum", 300)],
    "FunctionThrottlesAlarm": [("AWS/Lambda", "Throttles", FUNCTION, "Sum", 300)],
    "TableThrottlesAlarm": [
        ("AWS/DynamoDB", "WriteThrottleEvents", TABLE | index, "Sum", 300)
        for index in ({}, *({"GlobalSecondaryIndexName": each.name} for each in schema.INDEXES))
    ],
    "UndeliveredMailAlarm": [
        ("AWS/SNS", "NumberOfMessagesPublished", TOPIC, "Sum", 3600),
        ("AWS/SNS", "NumberOfNotificationsDelivered", TOPIC, "Sum", 3600),
    ],
}
# The threshold, and for how many periods in a row it has to be exceeded.
LIMITS = {
    "DeadLetterAlarm": (0, 1),
    "QueueAgeAlarm": (3600, 1),
    "FunctionErrorsAlarm": (0, 1),
    "FunctionThrottlesAlarm": (0, 3),
    "TableThrottlesAlarm": (0, 3),
    "UndeliveredMailAlarm": (0, 1),
}


@pytest.mark.parametrize("alarm", sorted(of_type("AWS::CloudWatch::Alarm")))
def test_an_alarm_looks_at_what_it_is_about_and_goes_off_above_its_limit(alarm: str):
    configured = properties(alarm)
    assert watched(configured) == WATCHED[alarm]
    assert (configured["Threshold"], configured["EvaluationPeriods"]) == LIMITS[alarm]
    assert configured["ComparisonOperator"] == "GreaterThanThreshold"
    assert configured.get("DatapointsToAlarm") is None


EXPRESSIONS = {
    "TableThrottlesAlarm": "SUM([table, dates, stages, popularities])",
    "UndeliveredMailAlarm": "IF(published > 0 AND MAX([delivered, published * 0]) == 0, 1, 0)",
}


@pytest.mark.parametrize("alarm", sorted(EXPRESSIONS))
def test_an_alarm_over_several_metrics_is_decided_by_one_expression(alarm: str):
    queries = properties(alarm)["Metrics"]
    (decisive,) = [each for each in queries if each.get("ReturnData", True)]
    assert decisive["Expression"] == EXPRESSIONS[alarm]
    named = set(re.findall(r"[a-z]+", decisive["Expression"]))
    assert named == {each["Id"] for each in queries if "MetricStat" in each}


def test_the_dashboard_draws_the_throttles_of_the_table_and_of_each_index():
    body = json.loads(properties("IngestDashboard")["DashboardBody"]["Fn::Sub"])
    rows = [row for widget in body["widgets"] for row in widget["properties"].get("metrics", [])]
    drawn = {part for row in rows for part in row if isinstance(part, str)}
    assert {each.name for each in schema.INDEXES} | {"WriteThrottleEvents"} <= drawn


def test_the_command_for_the_log_is_one_that_a_shell_takes_as_it_stands():
    """`?` is a wildcard of bash and zsh: zsh refuses a pattern that matches no file."""
    text = properties("FunctionErrorsAlarm")["AlarmDescription"]["Fn::Sub"]
    (command,) = re.findall(r"`(aws logs tail [^`]+)`", text)
    words = shlex.split(command)
    pattern = words[words.index("--filter-pattern") + 1]
    assert words[:4] == ["aws", "logs", "tail", "${IngestLogGroup}"]
    assert shlex.split(pattern) == ["?ERROR", "?timed out", "?Runtime exited", "?OutOfMemory"]


def test_every_alarm_but_that_of_the_mail_itself_sends_a_mail():
    silent = {n for n, p in of_type("AWS::CloudWatch::Alarm").items() if "AlarmActions" not in p}
    assert silent == {"UndeliveredMailAlarm"}


def test_the_commands_that_alarms_name_exist():
    text = " ".join(str(p["AlarmDescription"]) for p in of_type("AWS::CloudWatch::Alarm").values())
    named = set(re.findall(r"`festival (\w+)", text))
    assert named == {"dlq", "status", "history"}


def test_alarms_may_publish_to_the_topic():
    services = [
        statement["Principal"]["Service"]
        for statement in statements(properties("IngestTopicPolicy")["PolicyDocument"])
        if statement["Effect"] == "Allow"
    ]
    assert "cloudwatch.amazonaws.com" in services


def test_a_build_that_ends_badly_in_any_way_is_told_of():
    pattern = properties("BackfillFailedRule")["EventPattern"]
    assert pattern == {
        "source": ["aws.codebuild"],
        "detail-type": ["CodeBuild Build State Change"],
        "detail": {
            "build-status": ["FAILED", "FAULT", "STOPPED", "TIMED_OUT"],
            "project-name": [{"Fn::Sub": "${BackfillProject}"}],
        },
    }
    (target,) = properties("BackfillFailedRule")["Targets"]
    assert target["InputTransformer"]["InputPathsMap"] == {
        "status": "$.detail.build-status",
        "log": "$.detail.additional-information.logs.deep-link",
    }
    assert properties("EmailSubscription")["Protocol"] == "email"


def test_eventbridge_may_publish_without_a_condition_that_it_would_not_meet():
    (allow,) = statements(properties("IngestTopicPolicy")["PolicyDocument"], "HasSchedule")
    assert allow == {
        "Sid": "BackfillFailuresPublish",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": {"Ref": "IngestTopic"},
    }


def test_the_topic_is_not_under_the_key_that_alarms_cannot_use():
    key_id = properties("IngestTopic")["KmsMasterKeyId"]
    assert key_id == {"Fn::If": ["HasTopicKey", {"Ref": "TopicKeyArn"}, {"Ref": "AWS::NoValue"}]}


def test_the_dashboard_is_json_and_shows_every_alarm():
    body = properties("IngestDashboard")["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    (alarms,) = [w["properties"]["alarms"] for w in widgets if w["type"] == "alarm"]
    assert {re.findall(r"\$\{(\w+Alarm)\}", arn)[0] for arn in alarms} == set(
        of_type("AWS::CloudWatch::Alarm")
    )
    places = [(w["x"], w["y"], w["width"], w["height"]) for w in widgets]
    assert all(x + width <= 24 for x, _, width, _ in places)


# ── the linter ───────────────────────────────────────────────────────────────────────────────────


def test_the_template_is_clean_for_cfn_lint():
    cfnlint = pytest.importorskip("cfnlint.api", reason="cfn-lint is not installed (extra: lint)")
    assert cfnlint.lint_file(TEMPLATE) == []
