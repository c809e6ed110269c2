"""Whether a stack can go from one version of a template to another in place.

Sources: each type's page of the CloudFormation guide ("Update requires: Replacement"), and
"Managing Global Secondary Indexes in DynamoDB" for one index at a time.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Template = Mapping[str, Any]

HOLDS_DATA = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue")

# Properties whose change makes CloudFormation build another resource and drop this one.
REPLACE = {
    "AWS::CloudWatch::Alarm": {"AlarmName"},
    "AWS::CloudWatch::Dashboard": {"DashboardName"},
    "AWS::CodeBuild::Project": {"Name"},
    "AWS::DynamoDB::Table": {
        "TableName",
        "KeySchema",
        "LocalSecondaryIndexes",
        "ImportSourceSpecification",
    },
    "AWS::Events::Rule": {"Name", "EventBusName"},
    "AWS::IAM::ManagedPolicy": {"ManagedPolicyName", "Description", "Path"},
    "AWS::IAM::Role": {"RoleName", "Path"},
    "AWS::Lambda::EventSourceMapping": {
        "EventSourceArn",
        "StartingPosition",
        "StartingPositionTimestamp",
        "SelfManagedEventSource",
    },
    "AWS::Lambda::Function": {"FunctionName", "PackageType", "TenancyConfig", "DurableConfig"},
    "AWS::Logs::LogGroup": {"LogGroupName"},
    "AWS::S3::Bucket": {"BucketName", "BucketNamePrefix", "BucketNamespace"},
    "AWS::S3::BucketPolicy": {"Bucket"},
    "AWS::SNS::Subscription": {"Endpoint", "Protocol", "TopicArn", "Region"},
    "AWS::SNS::Topic": {"TopicName", "FifoTopic"},
    "AWS::SNS::TopicPolicy": set[str](),
    "AWS::SQS::Queue": {"QueueName", "FifoQueue"},
    "AWS::SQS::QueuePolicy": set[str](),
    "AWS::Scheduler::Schedule": {"Name"},
}
NAMES = {
    *("AlarmName", "BucketName", "DashboardName", "FunctionName", "LogGroupName", "Name"),
    *("ManagedPolicyName", "QueueName", "RoleName", "TableName", "TopicName"),
}


def upgrade_problems(before: Template, after: Template) -> list[str]:
    """What would go wrong in an update, a sentence each; none where it happens in place.

    Both are templates as `parse_template` gives them. Told are: a table, bucket or queue that would
    be replaced or removed, more than one index change of a table at once, and a resource with a
    name of its own that would have to exist twice for a moment.
    """
    old, new = before["Resources"], after["Resources"]
    return [
        *_lost(old, new),
        *(problem for name in old.keys() & new.keys() for problem in _changed(name, old, new)),
        *_renamed(old, new),
    ]


def _lost(old: Template, new: Template) -> Iterator[str]:
    for name in sorted(old.keys() - new.keys()):
        if old[name]["Type"] in HOLDS_DATA:
            yield f"{name} ({old[name]['Type']}) is gone: its data would be removed or orphaned"


def _changed(name: str, old: Template, new: Template) -> Iterator[str]:
    type_ = old[name]["Type"]
    if new[name]["Type"] != type_:
        yield f"{name} was {type_} and would be {new[name]['Type']}: a type cannot change"
        return
    was, is_ = old[name].get("Properties", {}), new[name].get("Properties", {})
    reasons = sorted(key for key in REPLACE.get(type_, ()) if was.get(key) != is_.get(key))
    if type_ == "AWS::DynamoDB::Table":
        reasons += _retyped_keys(was, is_)
        yield from _index_changes(name, was, is_)
    if not reasons:
        return
    if type_ in HOLDS_DATA:
        yield f"{name} would be replaced by an empty one: {', '.join(reasons)} changed"
    elif _own_name(was) and _own_name(was) == _own_name(is_):
        yield (
            f"{name} has a name of its own and would have to be replaced ({', '.join(reasons)}"
            " changed): CloudFormation cannot make a second one of that name"
        )


def _retyped_keys(was: Template, is_: Template) -> list[str]:
    old, new = _attribute_types(was), _attribute_types(is_)
    keys = {key["AttributeName"] for key in was["KeySchema"]}
    return sorted(f"the type of {key}" for key in keys & new.keys() if old[key] != new[key])


def _attribute_types(table: Template) -> dict[str, str]:
    return {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}


def _index_changes(name: str, was: Template, is_: Template) -> Iterator[str]:
    """An index whose keys or projection change is removed and made again: two changes."""
    old, new = _indexes(was), _indexes(is_)
    changes = [f"{index} removed" for index in sorted(old.keys() - new.keys())]
    changes += [f"{index} added" for index in sorted(new.keys() - old.keys())]
    for index in sorted(old.keys() & new.keys()):
        if old[index] != new[index]:
            changes += [f"{index} removed", f"{index} added again"]
    if len(changes) > 1:
        yield (
            f"{name} would have {len(changes)} index changes at once ({', '.join(changes)}):"
            " DynamoDB makes one at a time, so take a version in between for each"
        )


def _indexes(table: Template) -> dict[str, Any]:
    types = _attribute_types(table)
    return {
        index["IndexName"]: (
            [(key["AttributeName"], types[key["AttributeName"]]) for key in index["KeySchema"]],
            index["KeySchema"],
            index["Projection"],
        )
        for index in table.get("GlobalSecondaryIndexes", [])
    }


def _renamed(old: Template, new: Template) -> Iterator[str]:
    """CloudFormation makes the new one before it removes the old: both cannot have the name."""
    gone = {_identity(old[name]): name for name in old.keys() - new.keys()}
    for name in sorted(new.keys() - old.keys()):
        identity = _identity(new[name])
        if identity is not None and identity in gone:
            yield f"{gone[identity]} became {name} and both have the name {identity[1]}"


def _identity(resource: Template) -> tuple[str, str] | None:
    name = _own_name(resource.get("Properties", {}))
    return (resource["Type"], name) if name else None


def _own_name(properties: Template) -> str:
    return "".join(str(properties[key]) for key in sorted(NAMES & properties.keys()))
