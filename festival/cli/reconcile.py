"""`festival reconcile`: shows what a new lineup version changed, and removes what it left."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from festival.cli.ingest import say
from festival.cli.printing import table, time_of
from festival.ingest.reconcile.compare import Change, ChangeKind
from festival.kit import Kit, Reconciled, reconcile_files
from festival.lineup.model import Performance
from festival.table.item import attributes
from festival.text import counted, printable

HEADS = ("Change", "Performer", "Was", "Is")


@click.command()
@click.argument("file", required=False)
@click.option("--yes", is_flag=True, help="Remove what older versions left in the table.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def reconcile(file: str | None, yes: bool, as_json: bool) -> None:
    """Show what a new version of a lineup changed; remove what it left.

    FILE is s3://BUCKET/KEY; without it, every file that is not yet reconciled. Nothing is removed
    without --yes.
    """
    reconciler = Kit.from_environment().reconciler()
    results = reconcile_files(reconciler, file, remove=yes, say=say)
    if as_json:
        documents = [document(result) for result in results]
        one = documents[0] if file is not None else documents
        click.echo(json.dumps(one, ensure_ascii=False, indent=1))
        return
    nothing = True
    for result in results:
        nothing = False
        click.echo("\n".join(lines(result)))
    if nothing:
        click.echo("nothing to reconcile")


def lines(result: Reconciled) -> Iterator[str]:
    """For a person: a table of the changes, and what was or would be removed."""
    review, comparison = result.review, result.review.comparison
    name = f"s3://{printable(review.file)}"
    if not review.versions.older:
        yield f"{name} has one version: there is nothing to compare"
        return
    counts = [f"{comparison.count(kind):,} {kind}" for kind in ChangeKind if comparison.count(kind)]
    yield f"{name}: {', '.join(counts) or 'nothing changed'}"
    if comparison.changes:
        yield ""
        yield from (f"  {line}" for line in table(HEADS, map(_cells, comparison.changes)))
        yield ""
    yield from removal_lines(result)


def removal_lines(result: Reconciled) -> Iterator[str]:
    removal = result.removal
    if at := result.review.versions.newest.reconciled_at:
        yield f"it was reconciled on {at[:16].replace('T', ' ')} UTC"
        return
    items = counted(removal.removed, "item")
    yield f"{items} removed" if result.done else f"{items} to remove: --yes removes"
    if removal.kept:
        yield f"{counted(removal.kept, 'item')} kept, because another file also has the performance"
    if removal.gone:
        yield f"{counted(removal.gone, 'item')} no longer in the table"
    if refused := result.review.versions.newest.counts.rejected:
        rows = counted(refused, "row")
        yield (
            f"{rows} of the newest version rejected: a performance only in them counts as cancelled"
        )


def document(result: Reconciled) -> dict[str, Any]:
    """The same as a JSON object."""
    versions, removal = result.review.versions, result.removal
    return {
        "file": result.review.file,
        "version": result.review.version,
        "compared_with": list(versions.older),
        "changes": [_change(change) for change in result.review.comparison.changes],
        "removed" if result.done else "to_remove": removal.removed,
        "kept": removal.kept,
        "gone": removal.gone,
        "reconciled_at": versions.newest.reconciled_at,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "change": change.kind,
        "old": attributes(change.old) if change.old else None,
        "new": attributes(change.new) if change.new else None,
    }


def _cells(change: Change) -> Sequence[object]:
    return (change.kind, change.performance.performer, _cell(change.old), _cell(change.new))


def _cell(row: Performance | None) -> str:
    if row is None:
        return ""
    rank = "" if row.popularity is None else f" ({row.popularity})"
    return f"{row.date} {time_of(row.start)}–{time_of(row.end)} {row.stage}{rank}"
