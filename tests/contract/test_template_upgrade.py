"""A stack of an earlier version is brought to this one in place."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from festival.ops.deploy import Wishes, deploy, execute, plan
from festival.ops.embedded import EMAIL, EmbeddedAws
from festival.ops.stack import list_resources, read_template
from festival.ops.template import parse_template
from festival.ops.upgrade import HOLDS_DATA, REPLACE, upgrade_problems

NOW = parse_template(read_template())

Change = Callable[[dict[str, Any]], None]


def changed(change: Change) -> dict[str, Any]:
    """The template's resources after a change."""
    after = copy.deepcopy(NOW)
    change(after["Resources"])
    return after


def index(name: str, partition: str, sort: str) -> dict[str, Any]:
    keys = [(partition, "HASH"), (sort, "RANGE")]
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": type_} for key, type_ in keys],
        "Projection": {"ProjectionType": "ALL"},
    }


def test_the_same_template_is_no_upgrade_at_all():
    assert upgrade_problems(NOW, copy.deepcopy(NOW)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["IngestFunction"]["Properties"].update(MemorySize=512),
        lambda r: r["IngestQueue"]["Properties"].update(VisibilityTimeout=3600),
        lambda r: r["UploadBucket"]["Properties"]["LifecycleConfiguration"]["Rules"].pop(),
        lambda r: r["PerformancesTable"]["Properties"]["GlobalSecondaryIndexes"].pop(),
        lambda r: r["PerformancesTable"]["Properties"]["GlobalSecondaryIndexes"].append(
            index("EndIndex", "Date", "Stage")
        ),
        lambda r: r.pop("IngestDashboard"),
        lambda r: r["LedgerTable"]["Properties"].update(DeletionProtectionEnabled=False),
    ],
    ids=["memory", "visibility", "lifecycle", "index less", "index more", "dashboard", "guard"],
)
def test_what_updates_in_place_is_no_problem(change: Change):
    assert upgrade_problems(NOW, changed(change)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: r.pop("LedgerTable"), "LedgerTable (AWS::DynamoDB::Table) is gone"),
        (
            lambda r: r["PerformancesTable"]["Properties"]["KeySchema"].reverse(),
            "PerformancesTable would be replaced by an empty one: KeySchema changed",
        ),
        (
            lambda r: r["PerformancesTable"]["Properties"]["AttributeDefinitions"][0].update(
                AttributeType="N"
            ),
            "PerformancesTable would be replaced by an empty one: the type of Performer changed",
        ),
        (
            lambda r: r["UploadBucket"]["Properties"].update(BucketName="another"),
            "UploadBucket would be replaced by an empty one: BucketName changed",
        ),
        (
            lambda r: r["IngestQueue"]["Properties"].update(QueueName="ingest"),
            "IngestQueue would be replaced by an empty one: QueueName changed",
        ),
        (
            lambda r: r["PerformancesTable"]["Properties"]["GlobalSecondaryIndexes"].clear(),
            "PerformancesTable would have 3 index changes at once (DateIndex removed, "
            "PopularityIndex removed, StageIndex removed)",
        ),
        (
            lambda r: r["PerformancesTable"]["Properties"]["GlobalSecondaryIndexes"][0][
                "Projection"
            ].update(ProjectionType="KEYS_ONLY"),
            "PerformancesTable would have 2 index changes at once (DateIndex removed, "
            "DateIndex added again)",
        ),
        (
            lambda r: r["IngestFunction"]["Properties"].update(PackageType="Image"),
            "IngestFunction has a name of its own and would have to be replaced (PackageType",
        ),
        (
            lambda r: r.update(Ingester=r.pop("IngestFunction")),
            "IngestFunction became Ingester and both have the name {'Ref': 'FunctionName'}",
        ),
        (
            lambda r: r["IngestTopic"].update(Type="AWS::SQS::Queue"),
            "IngestTopic was AWS::SNS::Topic and would be AWS::SQS::Queue",
        ),
    ],
    ids=[
        *("table gone", "other keys", "other key type", "other bucket", "other queue"),
        *("all indexes", "other projection", "other package", "other logical name", "other type"),
    ],
)
def test_what_would_lose_data_or_fail_is_told(change: Change, told: str):
    (problem,) = upgrade_problems(NOW, changed(change))
    assert problem.startswith(told)


def test_cloudformation_s_own_schemas_know_no_replacement_that_the_kit_does_not():
    schemas = pytest.importorskip(
        "cfnlint.schema", reason="cfn-lint is not installed (extra: lint)"
    )
    for type_ in {resource["Type"] for resource in NOW["Resources"].values()}:
        schema = schemas.PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_).schema
        pointers = [
            *schema.get("createOnlyProperties", []),
            *schema.get("conditionalCreateOnlyProperties", []),
        ]
        assert {pointer.split("/")[2] for pointer in pointers} <= REPLACE[type_], type_


def test_a_stack_of_an_earlier_version_keeps_its_tables_buckets_and_queues(tmp_path: Path):
    """The earlier version is this one without what watches it, and without policies for people."""
    resources = {
        name: resource
        for name, resource in NOW["Resources"].items()
        if not name.endswith(("Alarm", "Dashboard", "Policy")) or name == "IngestQueuePolicy"
    }
    outputs = {name: out for name, out in NOW["Outputs"].items() if "Policy" not in name}
    resources = {name: r for name, r in resources.items() if not name.startswith("Backfill")}
    resources.pop("NightlyBackfill")
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps({**NOW, "Resources": resources, "Outputs": outputs}))
    assert upgrade_problems(parse_template(earlier.read_text()), NOW) == []
    with EmbeddedAws() as aws:
        session = aws.session()
        cloudformation = session.client("cloudformation")
        deploy(session, Wishes(parameters={"EmailAddress": EMAIL}, template=earlier))
        before = list_resources(cloudformation, "o240-festival")
        planned = plan(session, Wishes())
        assert {change.resource for change in planned.changes} >= {"IngestDashboard"}
        assert list(execute(session, planned))[-1].status == "UPDATE_COMPLETE"
        after = list_resources(cloudformation, "o240-festival")
    held = {each.name: each.id for each in before if each.type in HOLDS_DATA}
    assert len(held) == 6
    assert held == {each.name: each.id for each in after if each.type in HOLDS_DATA}
