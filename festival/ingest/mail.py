"""The e-mail about one file: what it says, and sending it at a pace that SNS can take."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import NotYetError, Remedy
from festival.ingest.report import IngestReport, Outcome
from festival.ingest.reports_bucket import corrected_name
from festival.ingest.s3_object import failed_call
from festival.ingest.sidecar import MARK, SIDECAR
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.text import one_line, shortened

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

SUBJECT_LIMIT = 99  # SNS: "must be fewer than 100 characters", ASCII, no control characters
REJECTIONS_SHOWN = 20
WARNINGS_SHOWN = 10
VALUE_SHOWN = 80
EMAILS_A_SECOND = 8.0  # SNS: e-mail delivery is limited to 10 a second for a subscription


def subject(report: IngestReport) -> str:
    """Status, file and counts in fewer than 100 ASCII characters (docs: SNS Publish)."""
    counts = report.counts
    head = f"{report.status.upper()}: "
    tail = f" - {counts.written} written"
    if counts.rejected:
        tail += f", {counts.rejected} rejected"
    if counts.unwritten:
        tail += f", {counts.unwritten} unwritten"
    name = report.file.partition("/")[2] or report.file  # the body names the bucket, too
    room = SUBJECT_LIMIT - len(head) - len(tail)
    return head + shortened(ascii(name)[1:-1], room, dots="...") + tail


def body(report: IngestReport, note: str = "", mapping: LineupMapping = DEFAULT_MAPPING) -> str:
    """The counts, at most 20 rejected rows, what was changed or assumed, and what to do next.

    `mapping` is the one the file was read with.
    """
    counts = report.counts
    lines = [f"File: {one_line(report.file, VALUE_SHOWN)}"]
    if report.version:
        lines.append(f"Version: {report.version}")
    lines += [
        f"Status: {report.status}",
        "",
        f"Rows read: {counts.read:>10,}",
        f"  written: {counts.written:>10,}",
        f" rejected: {counts.rejected:>10,}",
        f"duplicate: {counts.duplicates:>10,}  (a later row of the file has the same key)",
        f"unwritten: {counts.unwritten:>10,}",
    ]
    if report.error:
        lines += ["", f"Why it failed: {one_line(report.error, 1000)}"]
    lines += _shown("Rejected rows", report.rejections, counts.rejected, REJECTIONS_SHOWN)
    lines += _shown("Warnings", report.warnings, counts.warnings, WARNINGS_SHOWN)
    if note:
        lines += ["", note]
    lines += _next_steps(report, mapping)
    return "\n".join(lines) + "\n"


def _shown(title: str, rows: Iterable[Mapping[str, Any]], total: int, most: int) -> list[str]:
    if not total:
        return []
    lines = ["", f"{title}:"]
    for row in islice(rows, most):
        place = f"line {row['line']}" if row["line"] else "file"
        cell = f", {row['field']} =" if row["field"] else ":"
        reason = one_line(row["reason"], 300)
        lines.append(f'  {place}{cell} "{one_line(row["value"], VALUE_SHOWN)}": {reason}')
    if total > len(lines) - 2:
        lines.append(f"  ... and {total - (len(lines) - 2):,} more")
    return lines


def _next_steps(report: IngestReport, mapping: LineupMapping) -> list[str]:
    lines: list[str] = []
    if report.remedy is Remedy.SIDECAR:
        return ["", "The file itself is not at fault: correct the mapping and upload it again."]
    is_the_file = report.status != Outcome.SUCCESS and not report.counts.unwritten
    if is_the_file and report.version and not report.given_up:
        from festival.ingest import remedy  # few e-mails need it

        lines += remedy.lines(report, mapping)
    correct = "Or correct" if lines else "Correct"
    if report.rejected_rows_at:
        key = report.file.partition("/")[2]
        lines += [
            "",
            f"The rejected rows are kept at {report.rejected_rows_at}",
            f"{correct} them and upload them to the same bucket under a new name, for example",
            f"  {one_line(corrected_name(key, report.version), 1100)}",
            "The corrected rows are then added; nothing is removed.",
        ]
        if MARK in report.version:
            lines.append(
                "It needs the file's mapping, too: upload that beside it, as NAME" + SIDECAR
            )
    if report.given_up:
        lines += [
            "",
            "The message is in the dead-letter queue. `festival dlq` shows why, and",
            "`festival dlq --redrive` tries again once the cause is mended.",
        ]
    elif report.counts.unwritten:
        lines += ["", "Ingest the file again once the cause is mended."]
    elif report.status == Outcome.FAILURE and not report.rejected_rows_at:
        which = "the file or its mapping" if MARK in report.version else "the file"
        lines += ["", f"{correct} {which} and upload it again under the same name."]
    return lines


class Mailer:
    """Publishes to the topic, no faster than SNS delivers e-mail to one subscription.

    `processes` is how many may publish at once (the mapping's maximum concurrency): each keeps its
    share of the pace. SNS suspends e-mail subscriptions that are flooded.
    """

    def __init__(
        self,
        sns: "SNSClient",
        topic_arn: str,
        processes: int = 1,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sns = sns
        self._topic_arn = topic_arn
        self._gap = processes / EMAILS_A_SECOND
        self._clock = clock
        self._sleep = sleep
        self._next = 0.0

    def send(
        self,
        report: IngestReport,
        note: str = "",
        *,
        mapping: LineupMapping = DEFAULT_MAPPING,
        until: float = math.inf,
    ) -> str:
        """Send the e-mail about a report; its SNS message id. `note` is a paragraph of its own.

        Raises NotYetError if its turn comes after `until` (a moment on the clock), and
        RetryableError.
        """
        return self.publish(subject(report), body(report, note, mapping), until=until)

    def publish(self, subject_line: str, text: str, *, until: float = math.inf) -> str:
        """One message to the topic; its SNS message id. Raises as `send` does."""
        self._await_turn(until)
        self._next = self._clock() + self._gap
        try:
            answer = self._sns.publish(TopicArn=self._topic_arn, Subject=subject_line, Message=text)
        except (ClientError, BotoCoreError) as error:
            raise failed_call("the e-mail could not be handed to SNS", error) from None
        return str(answer["MessageId"])

    def _await_turn(self, until: float) -> None:
        """Sleep to keep the pace, then check the clock again: a machine may be suspended."""
        wait = max(0.0, min(self._next - self._clock(), self._gap))
        if wait and self._clock() + wait < until:
            self._sleep(wait)
            wait = 0.0
        if (turn := self._clock() + wait) >= until:
            raise NotYetError("the e-mail has to wait for its turn, and this try ends", turn)
