"""What the stack costs in a month: the bill, line by line, each an amount times a price.

Amounts follow the services' own rules. Each assumption is a field of `Workload` or `StackProfile`
with a default. A month has 30 days, and a GB 2^30 bytes.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from festival.analysis.cost.prices import Price, PriceList
from festival.analysis.cost.workload import RowProfile, StackProfile, Workload
from festival.ingest.ledger.ledger import KEEP_DAYS

DAYS = 30
HOURS = 24 * DAYS
GB = 1024**3
# "Using Lambda with Amazon SQS": an event source mapping starts with five long pollers, and "Amazon
# SQS short and long polling": each waits up to 20 s. 5 × 30 days / 20 s = 648,000 receives a month.
POLLERS = 5
POLL_SECONDS = 20
IDLE_RECEIVES = POLLERS * DAYS * 24 * 3600 // POLL_SECONDS
# One ingest writes the ledger's head item three times, and the version's item three times, on the
# table and on its index. It makes two consistent reads. If rows are rejected, the last two writes
# of the version's item are almost 3 KB: it holds the first twenty rejections for the e-mail.
LEDGER_WRITE_UNITS = 3 + 3 * 2
LEDGER_WRITE_UNITS_REJECTING = 3 + (1 + 3 + 3) * 2
LEDGER_READ_UNITS = 2
LEDGER_ENTRY_BYTES = 2 * (1000 + 100)
LEDGER_ENTRY_BYTES_REJECTING = 2 * (3000 + 100)
LEDGER_DAYS = KEEP_DAYS
# A file is read, and its keys are listed, in blocks of this many bytes.
BLOCK_BYTES = 64 * 1024
# Lambda's START, END and REPORT lines, and the function's own JSON line with its metrics.
LOG_BYTES_PER_INVOCATION = 2500


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of the bill: an amount of an item, its price, and in `how` the arithmetic."""

    component: str
    item: str
    amount: float
    price: Price
    how: str
    dollars: float = 0.0


def bill(
    workload: Workload,
    profile: RowProfile,
    prices: PriceList,
    *,
    stack: StackProfile | None = None,
    month: int = 1,
    free_tier: bool = False,
) -> tuple[BillLine, ...]:
    """The bill of the `month`-th month (1 is the first), line by line.

    Stored data grows every day, so storage is billed at the month's mean. With `free_tier`, the
    allowances that an account keeps for ever are deducted, as if this were its only stack.
    """
    stack = stack or StackProfile()
    lines = [
        *_writes(workload, profile, prices),
        *_reads(workload, prices),
        *_storage(workload, profile, prices, stack, month),
        *_function(workload, profile, prices, stack),
        *_queue(workload, prices),
        *_files(workload, profile, prices, stack, month),
        *_emails(workload, prices, stack),
        *_monitoring(workload, prices, stack),
        *_schedule(prices, stack),
    ]
    return _priced(lines, free_tier)


def idle_bill(
    prices: PriceList, *, stack: StackProfile | None = None, free_tier: bool = False
) -> tuple[BillLine, ...]:
    """What the stack costs in a month in which nobody uploads or asks anything."""
    nothing = Workload(rows_per_day=0, files_per_day=0, reads_per_day=0)
    empty = RowProfile(0, 0, {}, 0, 0, 0, 0)
    lines = bill(nothing, empty, prices, stack=stack, free_tier=free_tier)
    return tuple(line for line in lines if line.amount)


def total(lines: Iterable[BillLine]) -> float:
    """The dollars of all lines."""
    return sum(line.dollars for line in lines)


def sentence(lines: Iterable[BillLine], idle: Iterable[BillLine], month: int) -> str:
    """The bill in one sentence."""
    whole, fixed = total(lines), total(idle)
    return (
        f"Month {month} costs ${whole:,.2f}: ${fixed:,.2f} for the idle stack and "
        f"${whole - fixed:,.2f} for its work."
    )


def bills(
    workload: Workload,
    rows_per_day: Iterable[int],
    profile: RowProfile,
    prices: PriceList,
    *,
    stack: StackProfile | None = None,
    month: int = 1,
) -> dict[int, tuple[BillLine, ...]]:
    """The bill of the same workload at each of several numbers of rows a day."""
    return {
        rows: bill(replace(workload, rows_per_day=rows), profile, prices, stack=stack, month=month)
        for rows in rows_per_day
    }


def _writes(workload: Workload, profile: RowProfile, prices: PriceList) -> list[BillLine]:
    new = workload.rows_per_day * DAYS
    again = new * workload.repeated
    price = prices["dynamodb_write"]
    lines = [
        BillLine(
            "DynamoDB writes",
            "table",
            (new + again) * profile.table_units,
            price,
            f"{new + again:,.0f} rows × {profile.table_units:.2f} WRU",
        )
    ]
    lines += [
        BillLine("DynamoDB writes", name, new * units, price, f"{new:,.0f} rows × {units:.2f} WRU")
        for name, units in profile.index_units.items()
    ]
    rejecting = _files_a_month(workload) * workload.rejecting
    clean = _files_a_month(workload) - rejecting
    kinds = {
        "ledger": (clean, LEDGER_WRITE_UNITS, "ingests"),
        "ledger, rejected rows": (
            *(rejecting, LEDGER_WRITE_UNITS_REJECTING),
            "ingests that reject rows",
        ),
    }
    return lines + [
        BillLine("DynamoDB writes", name, count * wru, price, f"{count:,.0f} {what} × {wru} WRU")
        for name, (count, wru, what) in kinds.items()
    ]


def _reads(workload: Workload, prices: PriceList) -> list[BillLine]:
    questions, files = workload.reads_per_day * DAYS, _files_a_month(workload)
    price = prices["dynamodb_read"]
    return [
        BillLine(
            "DynamoDB reads",
            "questions",
            questions * workload.read_units,
            price,
            f"{questions:,.0f} questions × {workload.read_units:g} RRU",
        ),
        BillLine(
            "DynamoDB reads",
            "ledger",
            files * LEDGER_READ_UNITS,
            price,
            f"{files:,.0f} ingests × {LEDGER_READ_UNITS} RRU",
        ),
    ]


def _storage(
    workload: Workload, profile: RowProfile, prices: PriceList, stack: StackProfile, month: int
) -> list[BillLine]:
    rows = workload.rows_per_day * _days_so_far(month)
    entries = workload.files_per_day * (1 + workload.repeated)
    entries *= min(_days_so_far(month), LEDGER_DAYS)
    entry = LEDGER_ENTRY_BYTES * (1 - workload.rejecting)
    entry += LEDGER_ENTRY_BYTES_REJECTING * workload.rejecting
    lines = [
        BillLine(
            "DynamoDB storage",
            "table and indexes",
            rows * profile.stored / GB,
            prices["dynamodb_storage"],
            f"{rows:,.0f} rows × {profile.stored:,.0f} B, 100 B of it for each entry",
        ),
        BillLine(
            "DynamoDB storage",
            "ledger",
            entries * entry / GB,
            prices["dynamodb_storage"],
            f"{entries:,.0f} ingests × {entry:,.0f} B, kept {LEDGER_DAYS} days",
        ),
    ]
    if stack.point_in_time_recovery:
        gigabytes = (rows * profile.in_table + entries * entry / 2) / GB
        how = f"{rows:,.0f} rows × {profile.in_table:,.0f} B and the ledger, without indexes"
        lines.append(
            BillLine(
                "DynamoDB storage",
                "point-in-time recovery",
                gigabytes,
                prices["dynamodb_pitr"],
                how,
            )
        )
    return lines


def _function(
    workload: Workload, profile: RowProfile, prices: PriceList, stack: StackProfile
) -> list[BillLine]:
    files = _files_a_month(workload)
    time = stack.ingest_time(workload.rows_per_file, profile.shape)
    seconds = files * time.seconds
    how = f"{files:,.0f} files × {time.seconds:,.2f} s × {stack.memory_mb} MB / 1,024"
    return [
        BillLine("Lambda", "requests", files, prices["lambda_requests"], f"{files:,.0f} files"),
        BillLine(
            "Lambda", "duration", seconds * stack.memory_mb / 1024, prices["lambda_duration"], how
        ),
    ]


def _queue(workload: Workload, prices: PriceList) -> list[BillLine]:
    files = _files_a_month(workload)
    polling = f"{POLLERS} pollers × {DAYS} days / {POLL_SECONDS} s"
    price = prices["sqs_requests"]
    return [
        BillLine("SQS", "polling", IDLE_RECEIVES, price, polling),
        BillLine("SQS", "messages", 3 * files, price, f"{files:,.0f} files, send, receive, delete"),
    ]


def _files(
    workload: Workload, profile: RowProfile, prices: PriceList, stack: StackProfile, month: int
) -> list[BillLine]:
    files = _files_a_month(workload)
    a_day = workload.rows_per_day * profile.in_file / GB
    current = a_day * _days_so_far(month)
    old = a_day * workload.repeated * min(_days_so_far(month), stack.old_version_days)
    row = f"{profile.in_file:.0f} B a row"
    parts = max(1, math.ceil(workload.rows_per_file * profile.in_file / BLOCK_BYTES))
    lists = workload.rows_per_day * profile.in_list / GB * _days_so_far(month)
    return [
        BillLine("S3", "uploads", files, prices["s3_put"], f"{files:,.0f} files"),
        BillLine(
            "S3",
            "rejected rows",
            files * workload.rejecting,
            prices["s3_put"],
            f"{workload.rejecting:.0%} of the files",
        ),
        BillLine(
            "S3",
            "key lists",
            files * parts,
            prices["s3_put"],
            f"{files:,.0f} files × {parts:,} blocks of {BLOCK_BYTES // 1024} KB",
        ),
        BillLine(
            "S3",
            "reads",
            3 * files,
            prices["s3_get"],
            f"{files:,.0f} files, HEAD, GET, and GET of a mapping",
        ),
        BillLine("S3", "storage", current, prices["s3_storage"], f"every file kept, {row}"),
        BillLine(
            "S3",
            "key lists, storage",
            lists,
            prices["s3_storage"],
            f"every list kept, {profile.in_list:.0f} B a row",
        ),
        BillLine(
            "S3",
            "old versions",
            old,
            prices["s3_storage"],
            f"{workload.repeated:.0%} of the files, {stack.old_version_days} days",
        ),
    ]


def _emails(workload: Workload, prices: PriceList, stack: StackProfile) -> list[BillLine]:
    files = _files_a_month(workload)
    lines = [
        BillLine("SNS", "publishes", files, prices["sns_publish"], f"{files:,.0f} files"),
        BillLine("SNS", "e-mails", files, prices["sns_email"], f"{files:,.0f} files, one reader"),
    ]
    if stack.topic_key:
        lines += [
            BillLine("SNS", "topic's key", 1, prices["kms_keys"], "one key"),
            BillLine(
                "SNS", "topic's key, use", files, prices["kms_requests"], f"{files:,.0f} e-mails"
            ),
        ]
    return lines


def _monitoring(workload: Workload, prices: PriceList, stack: StackProfile) -> list[BillLine]:
    files = _files_a_month(workload)
    logged = files * LOG_BYTES_PER_INVOCATION / GB
    hours = min(24.0, workload.files_per_day) * DAYS
    return [
        BillLine(
            "CloudWatch",
            "logs, ingestion",
            logged,
            prices["logs_ingest"],
            f"{files:,.0f} invocations × {LOG_BYTES_PER_INVOCATION:,} B",
        ),
        BillLine(
            "CloudWatch",
            "logs, storage",
            logged * stack.log_days / DAYS,
            prices["logs_storage"],
            f"kept {stack.log_days} days",
        ),
        BillLine(
            "CloudWatch",
            "custom metrics",
            stack.metrics * hours / HOURS,
            prices["metrics"],
            f"{stack.metrics} metrics, billed in the {hours:,.0f} hours that report",
        ),
        BillLine(
            "CloudWatch",
            "alarms",
            stack.alarms,
            prices["alarms"],
            f"{stack.alarms} metrics that alarms watch",
        ),
        BillLine(
            "CloudWatch",
            "dashboard",
            stack.dashboards,
            prices["dashboards"],
            f"{stack.dashboards} dashboard",
        ),
    ]


def _schedule(prices: PriceList, stack: StackProfile) -> list[BillLine]:
    builds = stack.builds_per_day * DAYS
    minutes = math.ceil(stack.build_minutes)
    archive = stack.archive_mb * 1024**2 / GB if builds else 0.0
    return [
        BillLine(
            "schedule",
            "CodeBuild",
            builds * minutes,
            prices["codebuild"],
            f"{builds:,.0f} builds × {minutes} started minutes, general1.small",
        ),
        BillLine("schedule", "starts", builds, prices["scheduler"], f"{builds:,.0f} builds"),
        BillLine(
            "schedule",
            "archive",
            archive,
            prices["s3_storage"],
            f"{stack.archive_mb:,.0f} MB in the deployment bucket",
        ),
    ]


def _priced(lines: Sequence[BillLine], free_tier: bool) -> tuple[BillLine, ...]:
    """The lines with their dollars; lines with the same price share its free allowance."""
    used: dict[str, float] = {}
    for line in lines:
        used[line.price.name] = used.get(line.price.name, 0.0) + line.amount
    return tuple(
        replace(
            line,
            dollars=line.price.cost(used[line.price.name], free_tier=free_tier)
            * (line.amount / used[line.price.name] if line.amount else 0.0),
        )
        for line in lines
    )


def _files_a_month(workload: Workload) -> float:
    return workload.files_per_day * DAYS * (1 + workload.repeated)


def _days_so_far(month: int) -> float:
    """The mean number of days whose data is stored during the month."""
    return DAYS * (month - 0.5)
