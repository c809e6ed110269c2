"""Compares the original README's cost table with this model, and explains the differences.

Source: section 9 of the README this kit continues, "Cost & scalability analysis (approximate)": one
file a day, each record written once, 0.5 KB each, a function of 256 MB that runs under a second.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from festival.analysis.cost.bill import DAYS, IDLE_RECEIVES, bill, idle_bill, total
from festival.analysis.cost.prices import PriceList
from festival.analysis.cost.workload import RowProfile, StackProfile, Workload

# Rows a day, and the lowest and highest dollars a day that the README gives for them.
ORIGINAL = ((1_000, 0.0, 0.05), (10_000, 0.05, 0.15), (100_000, 0.20, 0.60))
ORIGINAL_WRU_PRICE = 1.25
ORIGINAL_ITEM_BYTES = 512


@dataclass(frozen=True, slots=True)
class CostComparison:
    """Dollars a day: the README's range, and this model's for the work and for the idle stack."""

    rows_per_day: int
    original_from: float
    original_to: float
    work: float
    idle: float

    @property
    def here(self) -> float:
        return self.work + self.idle


@dataclass(frozen=True, slots=True)
class Difference:
    """A reason why the figures differ: the README's value, this model's, the dollars a day."""

    what: str
    original: str
    here: str
    dollars_a_day: float


def compare(
    profile: RowProfile, prices: PriceList, *, stack: StackProfile | None = None
) -> Iterator[CostComparison]:
    """The README's three workloads, one file a day, in the first month."""
    idle = total(idle_bill(prices, stack=stack)) / DAYS
    for rows, low, high in ORIGINAL:
        workload = Workload(rows_per_day=rows, reads_per_day=0)
        day = total(bill(workload, profile, prices, stack=stack)) / DAYS
        yield CostComparison(rows, low, high, day - idle, idle)


def differences(
    profile: RowProfile,
    prices: PriceList,
    *,
    rows: int = 100_000,
    stack: StackProfile | None = None,
) -> Iterator[Difference]:
    """Why this model's dollars for a day of `rows` differ from the README's; largest first."""
    reasons = _differences(profile, prices, rows, stack or StackProfile())
    yield from sorted(reasons, key=lambda difference: -abs(difference.dollars_a_day))


def _differences(
    profile: RowProfile, prices: PriceList, rows: int, stack: StackProfile
) -> Iterator[Difference]:
    million = rows / 1_000_000
    price = prices["dynamodb_write"].dollars
    yield Difference(
        "the price of a million WRU",
        f"${ORIGINAL_WRU_PRICE}",
        f"${price} in {prices.region}",
        million * (price - ORIGINAL_WRU_PRICE),
    )
    yield Difference(
        "WRU for a new row",
        "1",
        f"{profile.write_units:.2f}: the table and each index the row is in",
        million * price * (profile.write_units - 1),
    )
    time = stack.ingest_time(rows, profile.shape)
    duration = time.seconds * stack.memory_mb / 1024
    yield Difference(
        "the function's time",
        "under 1 s",
        f"{time.seconds:,.0f} s, decided by {time.decided_by}",
        prices["lambda_duration"].cost(duration),
    )
    yield Difference(
        "requests to SQS a day",
        "about 1",
        f"{IDLE_RECEIVES // DAYS:,} empty receives of the event source mapping",
        prices["sqs_requests"].cost(IDLE_RECEIVES / DAYS),
    )
    yield Difference(
        "alarms, dashboard, metrics",
        "none",
        f"{stack.alarms} alarmed and {stack.metrics} own metrics, {stack.dashboards} dashboard",
        _monitoring(prices, stack),
    )
    yield Difference(
        "storage of a row",
        f"{ORIGINAL_ITEM_BYTES} B, not priced",
        f"{profile.item_bytes:.0f} B an item, {profile.stored:,.0f} B with its index entries",
        _stored(profile, prices, rows, stack),
    )


def _monitoring(prices: PriceList, stack: StackProfile) -> float:
    lines = idle_bill(prices, stack=stack)
    return sum(line.dollars for line in lines if line.component == "CloudWatch") / DAYS


def _stored(profile: RowProfile, prices: PriceList, rows: int, stack: StackProfile) -> float:
    lines = bill(Workload(rows_per_day=rows, reads_per_day=0), profile, prices, stack=stack)
    return sum(line.dollars for line in lines if line.component == "DynamoDB storage") / DAYS
