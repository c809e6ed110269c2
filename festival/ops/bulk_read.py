"""The files of a bulk load, read under their leases into the objects that DynamoDB loads."""

import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from festival.errors import RetryableError
from festival.ingest.events import FileEvent
from festival.ingest.key_lists import ListedWriter
from festival.ingest.mappings import applied_mapping
from festival.ingest.means import Means
from festival.ingest.pipeline import ingest_blocks
from festival.ingest.source import StoredObject, SupersededError, current_object, object_chunks
from festival.ingest.tally import Tally
from festival.lineup.mapping import Mapping
from festival.lineup.read import read_lineup
from festival.ops.backfill_plan import GZIP_RATIO
from festival.ops.bulk_leases import CALLS_AT_ONCE, HeldLeases, at_once
from festival.ops.bulk_load import Load, LoadedFile
from festival.ops.bulk_parts import (
    Line,
    Parts,
    PartWriter,
    last_of_each_key,
    part_count,
    write_part,
)

RENEWAL_LOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Opened:
    """A file of the load, its lease held, its version begun in the ledger."""

    stored: StoredObject
    mapping: Mapping

    @property
    def bytes(self) -> int:
        """Its size, unpacked: estimated by its name."""
        return self.stored.size * (GZIP_RATIO if self.stored.key.lower().endswith(".gz") else 1)


@dataclass(frozen=True)
class LoadReader:
    """Makes a load of files: leases, rows, parts, objects."""

    means: Means
    leases: HeldLeases
    table: str
    shards: int
    write_units: int

    def prepare(
        self, files: Sequence[FileEvent], run: str, again: bool
    ) -> tuple[Load, list[FileEvent]]:
        """The load, its objects in place; and the files that are left aside.

        Aside is what somebody else works on, what is no longer there in this version, and what
        breaks off while it is read: an ingest of its own sees to each of these.
        """
        opened = [file for file in at_once(lambda e: self._open(e, again), files) if file]
        with tempfile.TemporaryDirectory(prefix="festival-bulk-") as folder:
            parts = Parts(Path(folder), part_count(sum(file.bytes for file in opened)))
            read = self._read_all(opened, parts)
            kept = {
                number: file
                for number, file in enumerate(read)
                if file is not None and file.file not in self.leases.lost
            }
            load = self._store(run, parts, kept)
        loaded = {file.file for file in load.files}
        aside = [event for event in files if event.file not in loaded]
        for event in aside:
            self.leases.give_back(event.file)
        return load, aside

    def _open(self, event: FileEvent, again: bool) -> Opened | None:
        means, ledger = self.means, self.means.ledger
        try:
            lease = self.leases.take(event.file)
            stored = current_object(means.s3, event.bucket, event.key)
            applied = applied_mapping(means.s3, event.bucket, event.key, means.mapping)
            if stored is None or stored.version != event.version or applied.problem:
                return None
            version = applied.version(stored.version)
            record = ledger.find(event.file, version)
            if record and not again and (record.is_done or record.awaits_notice):
                return None
            ledger.begin(lease, version, again=again)
            ledger.make_current(lease, version)
        except RetryableError:
            return None
        return Opened(replace(stored, ingest=version), applied.mapping)

    def _read_all(self, opened: Sequence[Opened], parts: Parts) -> list[LoadedFile | None]:
        threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="bulk-read")
        try:
            reading = [
                threads.submit(self._read, file, number, parts)
                for number, file in enumerate(opened)
            ]
            while wait(reading, RENEWAL_LOOK_SECONDS).not_done:
                self.leases.renew_in_time()
            return [read.result() for read in reading]
        finally:
            threads.shutdown(cancel_futures=True)

    def _read(self, opened: Opened, number: int, parts: Parts) -> LoadedFile | None:
        began, stored, reports = time.monotonic(), opened.stored, self.means.reports
        tally = Tally(source=stored.file, keep_rows=True)
        chunks = object_chunks(self.means.s3, stored)
        blocks = read_lineup(chunks, mapping=opened.mapping, limits=self.means.limits)
        writer = PartWriter(parts, number)
        listed = ListedWriter(writer, reports.key_lists, stored.file, stored.ingest)
        try:
            ended = ingest_blocks(blocks, tally, listed)
        except (RetryableError, SupersededError):
            return None
        kept_at = ""
        if len(refused := tally.take_rejected_rows()):
            reports.keep_rejected_rows(stored.file, stored.ingest, 1, refused)
            kept_at = reports.rejected_rows_at(stored.file, stored.ingest)
        return LoadedFile(
            stored.bucket,
            stored.key,
            stored.version,
            stored.ingest,
            self.leases.of(stored.file).attempt,
            tally.counts,
            tally.shown,
            ended.error,
            kept_at,
            int((time.monotonic() - began) * 1000),
        )

    def _store(self, run: str, parts: Parts, kept: dict[int, LoadedFile]) -> Load:
        """Put the parts' objects into the reports bucket; files are numbered anew, in order."""
        files = tuple(kept.values())
        numbers = {old: new for new, old in enumerate(kept)}
        load = Load(
            run=run,
            token=str(uuid.uuid4()),
            table=self.table,
            bucket=self.means.reports.bucket,
            write_units=self.write_units,
            parts=parts.count,
            lines={},
            files=files,
        )
        lines, overtakes = {}, set()
        for part in range(parts.count):
            rows = ((numbers[n], row) for n, row in parts.rows(part) if n in numbers)
            winners = last_of_each_key(rows)
            if winners:
                self._put(load, part, winners)
                lines[part] = len(winners)
            overtakes |= {(loser, line.number) for line in winners for loser in line.losers}
            self.leases.renew_in_time()
        return replace(load, lines=lines, overtakes=frozenset(overtakes))

    def _put(self, load: Load, part: int, lines: Sequence[Line]) -> None:
        sources = [file.file for file in load.files]
        with tempfile.TemporaryFile() as items, tempfile.TemporaryFile() as index:
            write_part(lines, sources, self.shards, items, index)
            for stored, key in ((index, load.index_key(part)), (items, load.items_key(part))):
                stored.seek(0)
                self.means.s3.put_object(Bucket=load.bucket, Key=key, Body=stored)
