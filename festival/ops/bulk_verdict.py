"""What became of each file of a bulk load: a decision without I/O."""

from dataclasses import dataclass

from festival.lineup.model import Performance
from festival.ops.bulk_load import Load
from festival.ops.bulk_operation import COMPLETED, WITH_ERRORS, Ended


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused row: its file's number, the row, why, and the files that have its key, too."""

    number: int
    performance: Performance
    reason: str
    losers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rows that DynamoDB refused, and the files it left open, by number; `why` it did so."""

    refused: tuple[Refused, ...] = ()
    left_open: frozenset[int] = frozenset()
    why: str = ""


def judge(
    load: Load,
    ended: Ended,
    refused: tuple[Refused, ...] = (),
    stopped: frozenset[int] = frozenset(),
    in_stopped: frozenset[int] = frozenset(),
) -> Verdict:
    """Decide what became of each file. Pure.

    `refused` are the rows that the report names, `stopped` the parts it blames as a whole and
    `in_stopped` the files with rows there. Left open are all files of an operation that failed or
    whose counts do not come out; else those in a stopped part, those whose value has to come back
    since the one that won was refused, and whatever has to win over any of them.
    """
    everything = frozenset(range(len(load.files)))
    if ended.status not in (COMPLETED, WITH_ERRORS):
        said = f": {ended.reason}" if ended.reason else ""
        return Verdict((), everything, f"the bulk load ended as {ended.status}{said}")
    unread = sum(load.lines[part] for part in stopped)
    if ended.failed > len(refused) + len(stopped) or ended.processed < load.total - unread:
        return Verdict(
            (),
            everything,
            f"of {load.total:,} items DynamoDB processed {ended.processed:,} and refused "
            f"{ended.failed:,}, of which its report names {len(refused):,}",
        )
    left_open = set(in_stopped).union(*(row.losers for row in refused))
    for loser, winner in sorted(load.overtakes, key=lambda pair: pair[1]):
        if loser in left_open:
            left_open.add(winner)
    why = "DynamoDB did not read an object of the bulk load to its end, or refused a row that won"
    return Verdict(
        tuple(row for row in refused if row.number not in left_open),
        frozenset(left_open),
        why if left_open else "",
    )
