"""Stand-ins for CloudFormation, S3 and DynamoDB that fail as AWS does."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
STACK_NAME = "o240-festival"
STACK_ID = "arn:aws:cloudformation:eu-north-1:123456789012:stack/o240-festival/1"

DECLARED = [
    {"ParameterKey": "UploadBucketName", "Description": "Takes the files."},
    {"ParameterKey": "DeploymentBucketName", "Description": "Holds the zip."},
    {"ParameterKey": "LambdaZipKey", "Description": "Key of the zip."},
    {"ParameterKey": "EmailAddress", "Description": "Who is told."},
    {"ParameterKey": "LogLevel", "Description": "The least line.", "DefaultValue": "INFO"},
    {"ParameterKey": "FunctionName", "Description": "Its name.", "DefaultValue": ""},
]

Event = tuple[str, str, str]  # resource, status, reason


def client_error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


@dataclass
class FakeCloudFormation:
    """A stack with a status, and what each execution or deletion would make of it."""

    status: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    outcomes: list[tuple[list[Event], str | None]] = field(default_factory=list)
    change_set_status: str = "CREATE_COMPLETE"
    change_set_reason: str = ""
    changes: list[tuple[str, str, str, str]] = field(
        default_factory=lambda: [
            ("Modify", "IngestFunction", "AWS::Lambda::Function", "False"),
        ]
    )
    former_change_sets: list[str] = field(default_factory=list)
    resources: list[tuple[str, str, str]] = field(default_factory=list)
    throttled: list[str] = field(default_factory=list)
    stale: int = 0  # how often DescribeStacks shows the state from before the execution
    before: str | None = None
    calls: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        if self.stale and self.before:
            self.stale -= 1
            return self._described(self.before)
        if self.outcomes and self.status is not None and self.status.endswith("_IN_PROGRESS"):
            self._go_on()
        if self.status is None:
            raise client_error("ValidationError", f"Stack with id {StackName} does not exist")
        return self._described(self.status)

    def _described(self, status: str) -> dict[str, Any]:
        return {
            "Stacks": [
                {
                    "StackName": STACK_NAME,
                    "StackId": STACK_ID,
                    "StackStatus": status,
                    "Parameters": [
                        {"ParameterKey": name, "ParameterValue": value}
                        for name, value in self.parameters.items()
                    ],
                }
            ]
        }

    def _go_on(self) -> None:
        events, self.status = self.outcomes.pop(0)
        self.events += events
        if not self.outcomes and self.status is not None:
            self.events.append((STACK_NAME, self.status, ""))

    def describe_stack_events(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        if self.throttled and (code := self.throttled.pop(0)):
            raise client_error(code)
        return {
            "StackEvents": [
                {
                    "EventId": str(number),
                    "Timestamp": datetime(2025, 7, 12, tzinfo=UTC),
                    "LogicalResourceId": resource,
                    "ResourceType": (
                        "AWS::CloudFormation::Stack"
                        if resource == STACK_NAME
                        else "AWS::S3::Bucket"
                    ),
                    "ResourceStatus": status,
                    "ResourceStatusReason": reason,
                }
                for number, (resource, status, reason) in reversed(list(enumerate(self.events)))
            ]
        }

    def get_template_summary(self, TemplateBody: str) -> dict[str, Any]:  # noqa: N803
        return {"Parameters": DECLARED}

    def create_change_set(self, **request: Any) -> dict[str, str]:
        self.calls.append(f"create change set to {request['ChangeSetType']}")
        self.requests.append(request)
        return {"Id": "change-set", "StackId": STACK_ID}

    def describe_change_set(self, ChangeSetName: str) -> dict[str, Any]:  # noqa: N803
        names = ("Action", "LogicalResourceId", "ResourceType", "Replacement")
        return {
            "Status": self.change_set_status,
            "StatusReason": self.change_set_reason,
            "Changes": [
                {
                    "ResourceChange": {
                        name: said for name, said in zip(names, change, strict=True) if said
                    }
                }
                for change in self.changes
            ],
        }

    def list_change_sets(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {
            "Summaries": [
                {"ChangeSetName": name, "ChangeSetId": name, "ExecutionStatus": "AVAILABLE"}
                for name in self.former_change_sets
            ]
        }

    def list_stack_resources(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": name,
                    "ResourceType": type_,
                    "PhysicalResourceId": physical,
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for name, type_, physical in self.resources
            ]
        }

    def execute_change_set(self, ChangeSetName: str) -> None:  # noqa: N803
        self.calls.append("execute")
        self.before, self.status = self.status, "UPDATE_IN_PROGRESS"

    def delete_change_set(self, ChangeSetName: str) -> None:  # noqa: N803
        self.calls.append(f"delete {ChangeSetName}")

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        self.calls.append("delete stack")
        self.status = "DELETE_IN_PROGRESS" if self.outcomes else None

    def get_waiter(self, name: str) -> Any:
        return self

    def wait(self, StackName: str) -> None:  # noqa: N803
        self.calls.append("wait until it is gone")

    def get_paginator(self, operation: str) -> "FakePages":
        return FakePages(getattr(self, operation))


@dataclass
class FakePages:
    operation: Any

    def paginate(self, **request: Any) -> Iterator[Any]:
        yield self.operation(**request)


@dataclass
class FakeS3:
    """Buckets by name: whose they are and where."""

    buckets: dict[str, tuple[str, str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    objects: dict[str, list[str]] = field(default_factory=dict)
    markers: dict[str, list[str]] = field(default_factory=dict)

    def head_bucket(self, Bucket: str, ExpectedBucketOwner: str = ACCOUNT) -> dict[str, str]:  # noqa: N803
        if Bucket not in self.buckets:
            raise client_error("404")
        owner, region = self.buckets[Bucket]
        if owner != ExpectedBucketOwner:
            raise client_error("403")
        return {"BucketRegion": region}

    def create_bucket(self, Bucket: str, **where: Any) -> None:  # noqa: N803
        region = where.get("CreateBucketConfiguration", {}).get("LocationConstraint")
        if region == "us-east-1":
            raise client_error("InvalidLocationConstraint")
        region = region or "us-east-1"
        self.buckets[Bucket] = (ACCOUNT, region)

    def put_public_access_block(self, **request: Any) -> None:
        self.calls.append("block public access")

    def put_bucket_versioning(self, **request: Any) -> None:
        self.calls.append("version")

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:  # noqa: N803
        return {"Contents": [{"Key": k} for k in self.objects.get(Bucket, []) if k == Prefix]}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.calls.append("upload")
        self.objects.setdefault(Bucket, []).append(Key)

    def list_object_versions(self, Bucket: str, MaxKeys: int) -> dict[str, Any]:  # noqa: N803
        versions = [{"Key": k, "VersionId": "1"} for k in self.objects.get(Bucket, [])]
        markers = [{"Key": k, "VersionId": "2"} for k in self.markers.get(Bucket, [])]
        if versions:
            return {"Versions": versions[:MaxKeys]}
        return {"DeleteMarkers": markers[:MaxKeys]} if markers else {}

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        gone = {each["Key"] for each in Delete["Objects"]}
        for kept in (self.objects, self.markers):
            kept[Bucket] = [k for k in kept.get(Bucket, []) if k not in gone]
        return {}


@dataclass
class FakeDynamoDb:
    items: dict[str, int] = field(default_factory=dict)
    unprotected: list[str] = field(default_factory=list)
    protected: list[str] = field(default_factory=list)

    def scan(self, TableName: str, Limit: int, Select: str) -> dict[str, int]:  # noqa: N803
        return {"Count": min(self.items.get(TableName, 0), Limit)}

    def describe_table(self, TableName: str) -> dict[str, Any]:  # noqa: N803
        return {"Table": {"DeletionProtectionEnabled": TableName in self.protected}}

    def update_table(self, TableName: str, DeletionProtectionEnabled: bool) -> None:  # noqa: N803
        changed = self.protected if DeletionProtectionEnabled else self.unprotected
        changed.append(TableName)


class FakeSts:
    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": ACCOUNT}


@dataclass
class FakeLambda:
    """The names of the functions that there are."""

    functions: list[str] = field(default_factory=list)

    def get_function_configuration(self, FunctionName: str) -> dict[str, str]:  # noqa: N803
        if FunctionName not in self.functions:
            raise client_error("ResourceNotFoundException")
        return {"FunctionName": FunctionName}


@dataclass
class FakeLogs:
    groups: list[str] = field(default_factory=list)

    def describe_log_groups(self, logGroupNamePrefix: str) -> dict[str, Any]:  # noqa: N803
        found = [each for each in self.groups if each.startswith(logGroupNamePrefix)]
        return {"logGroups": [{"logGroupName": each} for each in found]}


@dataclass
class FakeIam:
    """Who has a policy, by its ARN: users, groups and roles."""

    attached: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def list_entities_for_policy(self, PolicyArn: str) -> dict[str, Any]:  # noqa: N803
        has = self.attached.get(PolicyArn, {})
        return {
            f"Policy{kind}s": [{f"{kind}Name": name} for name in has.get(kind, [])]
            for kind in ("User", "Group", "Role")
        }

    def get_paginator(self, operation: str) -> FakePages:
        return FakePages(getattr(self, operation))


@dataclass
class FakeSession:
    cloudformation: FakeCloudFormation = field(default_factory=FakeCloudFormation)
    s3: FakeS3 = field(default_factory=FakeS3)
    dynamodb: FakeDynamoDb = field(default_factory=FakeDynamoDb)
    sts: FakeSts = field(default_factory=FakeSts)
    functions: FakeLambda = field(default_factory=FakeLambda)
    logs: FakeLogs = field(default_factory=FakeLogs)
    iam: FakeIam = field(default_factory=FakeIam)
    region_name: str = "eu-north-1"

    def client(self, service: str) -> Any:
        return self.functions if service == "lambda" else getattr(self, service)
