"""Verifies a deployment: sends a small lineup through the whole stack, then removes it."""

import csv
import io
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.records import Status, VersionRecord
from festival.ingest.report import Outcome
from festival.ingest.reports_bucket import KeyLists
from festival.lineup.model import MINUTES_PER_DAY, Performance, clock
from festival.query.columns import answer
from festival.query.patterns import (
    AccessPattern,
    by_performer,
    more_popular_than,
    on_date,
    on_stage_at,
    stage_at_exactly,
)
from festival.stack.dead_letters import queue_depth
from festival.stack.stack import (
    DEFAULT_STACK,
    Resource,
    Stack,
    StackOutputs,
    existing_stack,
    list_resources,
)
from festival.stack.status import CONFIRMED, read_alarms, read_subscriptions
from festival.table.connection import Connection
from festival.text import counted

if TYPE_CHECKING:
    import boto3

PREFIX = "festival-verify/"  # the operator's policy allows deleting objects under it
DATE, NEXT_DATE = "2000-01-01", "2000-01-02"
WAIT_SECONDS = 300.0  # one run of the function
POLL_SECONDS = 0.2
# GSIs are eventually consistent: "usually within a fraction of a second".
INDEX_SECONDS = 15.0
# S3 reports a removal "typically in seconds".
REMOVAL_SECONDS = 30.0
Key = tuple[str, str]
FIELDS = ("Performer", "Stage", "Date", "Start", "End", "Popularity")


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its name, its finding, its duration. One with a remedy has failed."""

    name: str
    finding: str
    seconds: float
    remedy: str = ""


@dataclass
class Verification:
    """One verification. `session` is a boto3 session; `wait` is for the ingest, in seconds."""

    session: "boto3.Session"
    stack_name: str = DEFAULT_STACK
    wait: float = WAIT_SECONDS
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def checks(self) -> Iterator[Check]:
        """Yield each check when it is done; at the end, remove everything that this run created.

        A failed check has a remedy, and the checks that do not depend on it go on. Raises
        FestivalError if there is no such stack.
        """
        yield self._timed("stack", self._check_stack)
        yield self._timed("function", self._check_function)
        yield self._timed("alarms", self._check_alarms)
        yield self._timed("e-mail subscription", self._check_subscriptions)
        try:
            yield self._timed("upload", self._upload)
            ingested = self._timed("S3, SQS, the function, the ledger", self._follow)
            yield ingested
            if not ingested.remedy:
                for pattern, expected in self._questions():
                    yield self._timed(pattern.question, partial(self._ask, pattern, expected))
                for question, request, expected in self._queries():
                    yield self._timed(
                        f"aws dynamodb query: {question}", partial(self._query, request, expected)
                    )
        finally:
            removed = self._timed("remove what this run created", self._clean_up)
        yield removed

    # ── the stack itself ─────────────────────────────────────────────────────────────────────────

    @cached_property
    def stack(self) -> Stack:
        remedy = "run festival deploy, or name the stack with --stack"
        return existing_stack(self.session, self.stack_name, remedy)

    @cached_property
    def outputs(self) -> StackOutputs:
        return StackOutputs.from_outputs(self.stack_name, self.stack.outputs)

    @cached_property
    def resources(self) -> list[Resource]:
        return list_resources(self.session.client("cloudformation"), self.stack_name)

    def _check_stack(self) -> tuple[str, str]:
        assert self.outputs
        return f"{self.stack.name} is {self.stack.status}", self.stack.remedy

    def _check_function(self) -> tuple[str, str]:
        """Its environment variables match the stack's outputs, and it is ready to run."""
        outputs = self.outputs
        function = self.session.client("lambda").get_function_configuration(
            FunctionName=outputs.function
        )
        variables = function.get("Environment", {}).get("Variables", {})
        expected = {
            "TABLE_NAME": outputs.table,
            "LEDGER_TABLE_NAME": outputs.ledger_table,
            "TOPIC_ARN": outputs.topic_arn,
            "REPORTS_BUCKET_NAME": outputs.reports_bucket,
            "QUEUE_URL": outputs.queue_url,
        }
        wrong = [name for name, value in expected.items() if variables.get(name) != value]
        state = function.get("State", "Active")
        update = function.get("LastUpdateStatus", "Successful")
        size = f"{function['MemorySize']} MB, {function['Timeout']} s"
        finding = f"{outputs.function} is {state}, {size}"
        if wrong:
            return f"{finding}; its {', '.join(wrong)} is not the stack's", "run festival deploy"
        if state not in ("Active", "Inactive") or update != "Successful":
            reason = function.get("StateReason") or function.get("LastUpdateStatusReason") or update
            return finding, f"{reason}: run festival deploy"
        return finding, ""

    def _check_alarms(self) -> tuple[str, str]:
        """The template's alarms exist, and none is in ALARM."""
        alarms = list(read_alarms(self.session.client("cloudwatch"), self.stack_name))
        made = [each for each in self.resources if each.type == "AWS::CloudWatch::Alarm"]
        raised = [alarm for alarm in alarms if alarm.state == "ALARM"]
        finding = f"{counted(len(alarms), 'alarm')}, {len(raised)} in ALARM"
        if len(alarms) < len(made):
            return f"{finding}; the stack made {len(made)}", "run festival deploy"
        return finding, "festival status shows the remedy of each" if raised else ""

    def _check_subscriptions(self) -> tuple[str, str]:
        subscriptions = list(
            read_subscriptions(self.session.client("sns"), self.stack, self.outputs)
        )
        finding = ", ".join(f"{each.address} {each.state}" for each in subscriptions)
        return finding, "; ".join(each.remedy for each in subscriptions if each.state != CONFIRMED)

    # ── one lineup through the stack ─────────────────────────────────────────────────────────────

    @property
    def performer(self) -> str:
        return f"festival verify {self.run}"

    @property
    def stage(self) -> str:
        return f"Stage {self.run}"

    @property
    def key(self) -> str:
        return f"{PREFIX}{self.run}.csv"

    @property
    def file(self) -> str:
        """The ledger's name of the lineup."""
        return f"{self.outputs.upload_bucket}/{self.key}"

    @property
    def performances(self) -> list[Performance]:
        """An evening set, one past midnight, and one with the highest popularity."""
        return [
            Performance(self.performer, self.stage, DATE, 20 * 60, 21 * 60, None, 2),
            Performance(self.performer, self.stage, DATE, 23 * 60 + 30, 25 * 60, 50, 3),
            Performance(f"{self.performer} (headliner)", self.stage, DATE, 1320, 1380, 100, 4),
        ]

    def _upload(self) -> tuple[str, str]:
        out = io.StringIO()
        rows = csv.writer(out)
        rows.writerow(FIELDS)
        for one in self.performances:
            times = [clock(at % MINUTES_PER_DAY) for at in (one.start, one.end)]
            rows.writerow([one.performer, one.stage, one.date, *times, one.popularity or ""])
        self.session.client("s3").put_object(
            Bucket=self.outputs.upload_bucket, Key=self.key, Body=out.getvalue().encode()
        )
        return f"s3://{self.file}", ""

    def _follow(self) -> tuple[str, str]:
        """Wait until the ledger shows the ingest as written and its e-mail as sent."""
        until = self.clock() + self.wait
        while True:
            records = self.ledger.history(self.file)
            if records and records[-1].is_done:
                return self._ended(records[-1])
            if self.clock() >= until:
                return self._why_nothing_happened(records)
            self.sleep(POLL_SECONDS)

    def _ended(self, record: VersionRecord) -> tuple[str, str]:
        rows = len(self.performances)
        finding = f"{record.outcome}, {record.counts.written} of {rows} rows written"
        if record.status == Status.NOTIFIED and record.outcome == Outcome.SUCCESS:
            return f"{finding}; the e-mail about it was sent", ""
        return finding, record.error or "festival history shows why"

    def _why_nothing_happened(self, records: list[VersionRecord]) -> tuple[str, str]:
        """Why the file was not ingested; the likeliest reason that applies."""
        finding = f"not ingested within {self.wait:.0f} s"
        reasons = [reason for record in records for reason in record.reasons.values()]
        if reasons:
            return f"{finding}: {reasons[-1]}", "fix the cause; festival history shows each try"
        sqs = self.session.client("sqs")
        if queue_depth(sqs, self.outputs.dead_letter_queue_url).total:
            return f"{finding}; the dead-letter queue is not empty", "festival dlq shows why"
        for mapping in (each for each in self.resources if each.name == "IngestMapping"):
            state = self.session.client("lambda").get_event_source_mapping(UUID=mapping.id)["State"]
            if state != "Enabled":
                return (
                    f"{finding}; the event source mapping is {state}",
                    f"aws lambda update-event-source-mapping --uuid {mapping.id} --enabled",
                )
        waiting = queue_depth(sqs, self.outputs.queue_url)
        group = f"/aws/lambda/{self.outputs.function}"
        return (
            f"{finding}; {waiting.visible:,} messages wait and {waiting.hidden:,} are hidden",
            f"aws logs tail {group} --since 10m shows what the function does; a long queue has to"
            " drain first",
        )

    # ── the questions, asked in two ways ─────────────────────────────────────────────────────────

    def _questions(self) -> Iterator[tuple[AccessPattern, set[Key]]]:
        evening, night, headliner = (one.key for one in self.performances)
        yield by_performer(self.performer), {evening, night}
        yield on_date(DATE, "22:00", "23:59"), {night, headliner}
        yield stage_at_exactly(self.stage, DATE, "20:00"), {evening}
        yield on_stage_at(self.stage, NEXT_DATE, "00:45"), {night}
        yield more_popular_than(99), {headliner}

    def _ask(self, pattern: AccessPattern, expected: set[Key]) -> tuple[str, str]:
        connection = Connection.from_client(self.session.client("dynamodb"))

        def own_keys() -> set[Key]:
            performances, _ = answer(connection, self.outputs.table, pattern)
            return {one.key for one in performances if one.stage == self.stage}

        return self._compare(own_keys, expected)

    def _queries(self) -> Iterator[tuple[str, dict[str, Any], set[Key]]]:
        """The questions as requests of the AWS CLI, as the README has them."""
        evening, night, headliner = (one.key for one in self.performances)
        yield (
            "by performer",
            {
                "KeyConditionExpression": "Performer = :p",
                "ExpressionAttributeValues": {":p": {"S": self.performer}},
            },
            {evening, night},
        )
        yield (
            "on a date, in a time range",
            {
                "IndexName": "DateIndex",
                "KeyConditionExpression": "#d = :date AND StartSort BETWEEN :from AND :to",
                "ExpressionAttributeNames": {"#d": "Date"},
                "ExpressionAttributeValues": {
                    ":date": {"S": DATE},
                    ":from": {"S": "22:00"},
                    ":to": {"S": "23:59"},
                },
            },
            {night, headliner},
        )
        yield (
            "a stage at an exact time",
            {
                "IndexName": "StageIndex",
                "KeyConditionExpression": "Stage = :s AND DateStart = :at",
                "ExpressionAttributeValues": {
                    ":s": {"S": self.stage},
                    ":at": {"S": f"{DATE}#20:00"},
                },
            },
            {evening},
        )
        yield (
            "popularity above 99",
            {
                "IndexName": "PopularityIndex",
                "KeyConditionExpression": "PopularityBucket = :b AND Popularity > :min",
                "ExpressionAttributeValues": {":b": {"S": "POPULARITY"}, ":min": {"N": "99"}},
                "ScanIndexForward": False,
            },
            {headliner},
        )

    def _query(self, request: dict[str, Any], expected: set[Key]) -> tuple[str, str]:
        pages = self.session.client("dynamodb").get_paginator("query")

        def own_keys() -> set[Key]:
            return {
                (item["Performer"]["S"], item["Performance"]["S"])
                for page in pages.paginate(TableName=self.outputs.table, **request)
                for item in page["Items"]
                if item["Stage"]["S"] == self.stage
            }

        return self._compare(own_keys, expected)

    def _compare(self, read: Callable[[], set[Key]], expected: set[Key]) -> tuple[str, str]:
        """Read until the keys are those expected: an index needs a moment to catch up."""
        until = self.clock() + INDEX_SECONDS
        while (keys := read()) != expected and self.clock() < until:
            self.sleep(POLL_SECONDS)
        finding = f"{len(keys)} of {counted(len(expected), 'performance')}"
        return finding, "" if keys == expected else "the index does not have what was written"

    # ── cleaning up ──────────────────────────────────────────────────────────────────────────────

    def _clean_up(self) -> tuple[str, str]:
        """Remove this run's own items, object versions, ledger entries and key list, nothing else.

        The ledger entries go last, because the function makes one for a removed file that has none.
        """
        removed = self._remove_objects()
        until = self.clock() + REMOVAL_SECONDS
        while self._is_removal_pending() and self.clock() < until:
            self.sleep(POLL_SECONDS)
        removed += self._remove_items() + self._remove_ledger_entries()
        return f"{removed} items and objects", ""

    def _is_removal_pending(self) -> bool:
        """Whether the ledger shows the lineup as ingested and not yet as removed."""
        records = self.ledger.history(self.file)
        return bool(records and records[-1].is_done and not records[-1].removed_at)

    def _remove_items(self) -> int:
        for one in self.performances:
            performer, performance = one.key
            self.session.client("dynamodb").delete_item(
                TableName=self.outputs.table,
                Key={"Performer": {"S": performer}, "Performance": {"S": performance}},
            )
        return len(self.performances)

    def _remove_objects(self) -> int:
        s3, uploads = self.session.client("s3"), self.outputs.upload_bucket
        listed = s3.list_object_versions(Bucket=uploads, Prefix=self.key)
        versions = [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
        for each in versions:
            s3.delete_object(Bucket=uploads, Key=each["Key"], VersionId=each["VersionId"])
        reports = self.outputs.reports_bucket
        parts = [
            part for parts in KeyLists(s3, reports).versions(self.file).values() for part in parts
        ]
        for part in parts:
            s3.delete_object(Bucket=reports, Key=part.key)
        return len(versions) + len(parts)

    def _remove_ledger_entries(self) -> int:
        dynamodb, table = self.session.client("dynamodb"), self.outputs.ledger_table
        items = dynamodb.query(
            TableName=table,
            KeyConditionExpression="#f = :file",
            ExpressionAttributeNames={"#f": "File"},
            ExpressionAttributeValues={":file": {"S": self.file}},
            ConsistentRead=True,
        )["Items"]
        for item in items:
            dynamodb.delete_item(
                TableName=table, Key={"File": item["File"], "Entry": item["Entry"]}
            )
        return len(items)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.session.client("dynamodb"), self.outputs.ledger_table)

    def _timed(self, name: str, check: Callable[[], tuple[str, str]]) -> Check:
        started = self.clock()
        try:
            finding, remedy = check()
        except ClientError as error:
            finding, remedy = f"{error}", "see the rights of an operator in the README"
        return Check(name, finding, self.clock() - started, remedy)
