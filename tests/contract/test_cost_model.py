"""The cost model against the template it prices, and against the ingest it counts."""

from pathlib import Path

import pytest

from festival.analysis.cost.workload import StackProfile
from festival.stack.template import parse_template

TEMPLATE = Path(__file__).parents[2] / "cloudformation" / "o240-stack.yaml"


@pytest.fixture(scope="module")
def template():
    return parse_template(TEMPLATE.read_text(encoding="utf-8"))


def of_type(template, kind):
    return [one["Properties"] for one in template["Resources"].values() if one["Type"] == kind]


def test_every_metric_that_an_alarm_watches_is_on_the_bill(template):
    watched = 0
    for alarm in of_type(template, "AWS::CloudWatch::Alarm"):
        metrics = alarm.get("Metrics", [{"MetricStat": alarm.get("MetricName")}])
        watched += sum("MetricStat" in metric for metric in metrics)
    assert watched == StackProfile().alarms


def test_every_dashboard_is_on_the_bill(template):
    assert len(of_type(template, "AWS::CloudWatch::Dashboard")) == StackProfile().dashboards


def test_the_functions_memory_and_log_retention_are_the_templates(template):
    parameters = template["Parameters"]
    assert parameters["FunctionMemory"]["Default"] == StackProfile().memory_mb
    assert parameters["LogRetentionDays"]["Default"] == StackProfile().log_days
    assert (parameters["TopicKeyArn"]["Default"] != "") == StackProfile().topic_key


def test_point_in_time_recovery_is_on_the_bill(template):
    for table in of_type(template, "AWS::DynamoDB::Table"):
        recovery = table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
        assert recovery == StackProfile().point_in_time_recovery


def test_old_versions_are_kept_as_long_as_the_bill_says(template):
    rules = [
        rule
        for bucket in of_type(template, "AWS::S3::Bucket")
        for rule in bucket["LifecycleConfiguration"]["Rules"]
    ]
    (days,) = {
        rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules
        if "NoncurrentVersionExpiration" in rule
    }
    assert days == StackProfile().old_version_days
