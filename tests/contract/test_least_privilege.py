"""The function's role allows what the function does, and nothing else: held against its calls.

The calls are those of fault schedules: everything that the handler asks of AWS, on good days and
on bad ones.
"""

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from faults.invocation import Ports
from faults.people import QUEUE, UPLOADS
from faults.reconciling import let_the_function_reconcile, reconciling_store
from faults.schedules import run_schedule
from faults.world import REPORTS, TOPIC
from moto import settings as moto_settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.dynamodb.responses import DynamoHandler
from moto.sns.responses import SNSResponse

from festival.embedded.aws import EmbeddedAws
from festival.ingest import handler, reports_bucket
from festival.stack.stack import read_template
from festival.stack.template import parse_template

MOST_SCHEDULES = 40
TRANSACTED = {"ConditionCheck": "ConditionCheckItem", "Delete": "DeleteItem", "Put": "PutItem"}
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/"
NAMES = {
    "AWS::Partition": "aws",
    "UploadBucketName": UPLOADS,
    "ReportsBucket.Arn": f"arn:aws:s3:::{REPORTS}",
    "PerformancesTable.Arn": f"{TABLE}performances",
    "LedgerTable.Arn": f"{TABLE}ledger",
    "IngestQueue.Arn": QUEUE,
    "IngestTopic": TOPIC,
    "IngestLogGroup.Arn": "log group",
    "TopicKeyArn": "key",
}
# Rights that are used in the function's name, and the pages of AWS's documentation that say so.
ON_ITS_BEHALF = {
    "sqs:ReceiveMessage": "Lambda guide, Using Lambda with Amazon SQS: execution role",
    "sqs:DeleteMessage": "Lambda guide, Using Lambda with Amazon SQS: execution role",
    "sqs:GetQueueAttributes": "Lambda guide, Using Lambda with Amazon SQS: execution role",
    "s3:ListBucket": "S3 API reference, HeadObject: without it 403, and not 404, for what is gone",
    "logs:CreateLogStream": "Lambda guide, Sending Lambda function logs to CloudWatch Logs",
    "logs:PutLogEvents": "Lambda guide, Sending Lambda function logs to CloudWatch Logs",
    "kms:GenerateDataKey": "SNS guide, Key management: publishing to an encrypted topic",
    "kms:Decrypt": "SNS guide, Key management: publishing to an encrypted topic",
}


def statements():
    """The role's statements, each with the condition of the template that it is under, or ''."""
    role = parse_template(read_template())["Resources"]["IngestRole"]["Properties"]
    (policy,) = role["Policies"]
    for entry in policy["PolicyDocument"]["Statement"]:
        condition, statement, *_ = entry.get("Fn::If", ("", entry))
        yield condition, statement


def grants():
    """Each right with the resource it is for: `(condition, action, resource)`."""
    for condition, statement in statements():
        assert statement["Effect"] == "Allow"
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                yield condition, action, arn(resource)


def as_list(value):
    return value if isinstance(value, list) else [value]


def arn(resource):
    """A resource of the template, with the names that it has in the schedules."""
    if "Fn::GetAtt" in resource:
        return NAMES[".".join(resource["Fn::GetAtt"])]
    if "Ref" in resource:
        return NAMES[resource["Ref"]]
    return re.sub(r"\$\{([^}]+)\}", lambda name: NAMES[name[1]], resource["Fn::Sub"])


def rights_of(call):
    """What a call needs; a transaction its actions' rights ("IAM policies for transactions")."""
    if call.operation != "TransactWriteItems":
        return {right(call)}
    return {
        (f"dynamodb:{TRANSACTED[kind]}", TABLE + what["TableName"])
        for action in call.request.json["TransactItems"]
        for kind, what in action.items()
    }


def right(call):
    """The action that a call needs, and on what ("Actions, resources, and condition keys")."""
    request, operation = call.request, call.operation
    if call.service == "s3":
        bucket, key = request.bucket_and_key
        if not key:
            return "s3:ListBucket", f"arn:aws:s3:::{bucket}"
        if operation == "HeadObject":
            operation = "GetObject"
        version = "Version" if operation == "GetObject" and "versionId" in request.query else ""
        return f"s3:{operation}{version}", f"arn:aws:s3:::{bucket}/{key}"
    if call.service == "sns":
        return f"sns:{operation}", request.form["TopicArn"]
    if call.service == "sqs":
        return f"sqs:{operation}", request.json["QueueUrl"]
    table = request.json.get("TableName") or next(iter(request.json["RequestItems"]))
    return f"dynamodb:{operation}", TABLE + table


def unused(rights, *conditions):
    """What the role allows under these conditions and nobody asked for."""
    return {
        (action, resource)
        for under, action, resource in grants()
        if under in conditions
        and not any(action == a and fnmatchcase(r, resource) for a, r in rights)
    }


def rights_used(condition, *backend):
    """What the function asks for in schedules, until it has asked for everything it may.

    A person's redrive is not the function's.
    """
    ports, used = Ports(), set()
    for seed in range(MOST_SCHEDULES):
        record = run_schedule(f"rights {seed}", ports, *backend, crowded=False).world.record
        for call in record.calls:
            if call.invocation not in record.by_people:
                used |= rights_of(call)
        if {action for action, _ in unused(used, "", condition)} <= set(ON_ITS_BEHALF):
            break
    ports.close()
    return used


@pytest.fixture(scope="module")
def used() -> Iterator[dict[str, set[tuple[str, str]]]]:
    """The rights that the function used: by condition of the template, '' for always."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports_bucket, "LEDGER_BYTES", 100)  # so that state goes to the bucket
        always = rights_used("")
        let_the_function_reconcile(patch)
        yield {"": always, "Reconciles": rights_used("Reconciles", reconciling_store)}


def test_every_call_is_allowed(used):
    for condition, rights in used.items():
        allowed = [(a, r) for under, a, r in grants() if under in ("", condition)]
        refused = {
            (action, resource)
            for action, resource in rights
            if not any(action == a and fnmatchcase(resource, r) for a, r in allowed)
        }
        assert refused == set()


def test_every_right_is_used_or_is_used_on_the_functions_behalf(used):
    for condition, rights in used.items():
        left = unused(rights, "", condition)
        assert {action for action, _ in left} <= set(ON_ITS_BEHALF), left
    key = {action for action, _ in unused(set(), "HasTopicKey")}
    assert key <= set(ON_ITS_BEHALF)


def test_no_right_is_for_everything():
    for _, action, resource in grants():
        assert "*" not in action
        assert resource.strip("*")


@pytest.fixture
def enforcing(monkeypatch):
    """moto refuses what a role does not allow, for the resource in question.

    moto knows the resource of a call for S3 and SQS, and takes `*` for the others.
    """

    def table(self):
        body = json.loads(self.raw_body)
        name = body.get("TableName") or next(iter(body["RequestItems"]))
        return f"arn:aws:dynamodb:{self.region}:{self.current_account}:table/{name}"

    monkeypatch.setattr(DynamoHandler, "_determine_resource", table, raising=False)
    monkeypatch.setattr(
        SNSResponse, "_determine_resource", lambda self: self._get_param("TopicArn"), raising=False
    )

    def begin():
        monkeypatch.setattr(ActionAuthenticatorMixin, "request_count", 0)
        monkeypatch.setattr(moto_settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)

    yield begin
    handler._function.cache_clear()


def assume(session, role_arn):
    """The role's credentials, as the function's environment has them."""
    iam, role = session.client("iam"), role_arn.rpartition("/")[2]
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        # moto keeps a policy that came by CloudFormation as Python's text of a dict.
        text = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        policy = text if isinstance(text, dict) else ast.literal_eval(text)
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))
    answer = session.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="function")
    return {
        "AWS_ACCESS_KEY_ID": answer["Credentials"]["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": answer["Credentials"]["SecretAccessKey"],
        "AWS_SESSION_TOKEN": answer["Credentials"]["SessionToken"],
    }


def test_the_function_does_its_work_with_its_roles_credentials_and_can_do_no_more(
    enforcing, monkeypatch
):
    with EmbeddedAws() as aws:
        outputs, session = aws.deploy(), aws.session()
        rows = b"Performer,Stage,Date,Start,End\nMogwai,Park,2025-06-28,20:00,21:00\nMogwai,,,,\n"
        session.client("s3").put_object(Bucket=outputs.upload_bucket, Key="park.csv", Body=rows)
        sqs = session.client("sqs")
        received = [
            message
            for _ in range(3)
            for message in sqs.receive_message(
                QueueUrl=outputs.queue_url, AttributeNames=["All"]
            ).get("Messages", [])
        ]
        function = session.client("lambda").get_function(FunctionName=outputs.function)
        configured = function["Configuration"]
        for name, value in configured["Environment"]["Variables"].items():
            monkeypatch.setenv(name, str(value))
        for name, value in assume(session, configured["Role"]).items():
            monkeypatch.setenv(name, value)
        enforcing()
        handler._function.cache_clear()
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            for message in received
        ]
        assert len(records) == 2  # S3's test event, and the file
        context = SimpleNamespace(
            aws_request_id="under its role", get_remaining_time_in_millis=lambda: 300_000
        )
        answer = handler.lambda_handler({"Records": records}, context)
        assert answer == {"batchItemFailures": []}

        _, _, clients = handler._function()
        for forbidden in (
            lambda: clients.dynamodb.scan(TableName=outputs.table),
            lambda: clients.s3.put_object(Bucket=outputs.upload_bucket, Key="x", Body=b""),
            lambda: clients.sqs.purge_queue(QueueUrl=outputs.queue_url),
        ):
            with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
                forbidden()
