"""A stack of an earlier version is brought to this one in place."""

import json
from pathlib import Path

from festival.embedded.aws import EMAIL, EmbeddedAws
from festival.stack.deploy import HOLDS_DATA, DeployRequest, deploy, execute, plan
from festival.stack.stack import list_resources, read_template
from festival.stack.template import parse_template

NOW = parse_template(read_template())


def test_what_holds_data_or_subscribers_keeps_the_name_by_which_an_update_knows_it():
    kept = (*HOLDS_DATA, "AWS::SNS::Topic")
    assert {name for name, each in NOW["Resources"].items() if each["Type"] in kept} == {
        *("PerformancesTable", "LedgerTable", "UploadBucket", "ReportsBucket"),
        *("IngestQueue", "DeadLetterQueue", "IngestTopic"),
    }


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
    with EmbeddedAws() as aws:
        session = aws.session()
        cloudformation = session.client("cloudformation")
        deploy(session, DeployRequest(parameters={"EmailAddress": EMAIL}, template=earlier))
        before = list_resources(cloudformation, "o240-festival")
        planned = plan(session, DeployRequest())
        assert {change.resource for change in planned.changes} >= {"IngestDashboard"}
        assert list(execute(session, planned))[-1].status == "UPDATE_COMPLETE"
        after = list_resources(cloudformation, "o240-festival")
    held = {each.name: each.id for each in before if each.type in HOLDS_DATA}
    assert len(held) == 6
    assert held == {each.name: each.id for each in after if each.type in HOLDS_DATA}
