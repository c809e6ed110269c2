"""What must hold when a schedule is over: nothing lost, nothing twice, all explained."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from festival.ingest.events import files_of_message
from festival.ingest.ledger.records import Status, VersionRecord, to_record
from festival.ingest.ledger.table import unpack
from festival.ingest.reports_bucket import name_hash
from festival.lineup.model import Performance
from festival.table.item import to_item

from .people import UPLOADS
from .plan import DONE_UNKNOWN
from .record import Mail, Upload
from .world import REPORTS, World

TableKey = tuple[str, str]


@dataclass
class Checker:
    """Compares what a world came to with what was uploaded."""

    world: World

    def __post_init__(self) -> None:
        world = self.world
        self.items = {
            (item["Performer"]["S"], item["Performance"]["S"]): item
            for item in world.backend.all_items()
        }
        self.records: dict[tuple[str, str], VersionRecord] = {}
        for entry in map(unpack, world.backend.all_entries()):
            if entry["Entry"] != "HEAD":
                record = to_record(entry)
                self.records[record.file, record.version] = record
        self.newest = {
            file: (upload.version, {each.key: each for each in upload.lineup.accepted})
            for file, upload in self._current()
            if upload.lineup is not None
            and (newest := self.records.get((file, upload.version))) is not None
            and newest.status == Status.NOTIFIED
        }
        self.dead = _named(letter.body for letter in world.dead.letters.values())
        # One of two that have a message at once may give up, and the other take it for done.
        self.together = _named(world.record.together)

    def findings(self) -> list[str]:
        """Everything that is not as it must be; empty is right."""
        return [
            *self._crashes(),
            *self._unfinished(),
            *self._wrong_statuses(),
            *self._wrong_counts(),
            *self._wrong_items(),
            *self._wrong_mails(),
            *self._wrong_rejected_rows(),
            *self._missing_reasons(),
        ]

    def _crashes(self) -> Iterable[str]:
        for crash in self.world.record.crashes:
            yield f"the function raised {crash}"
        for text in self.world.logs:
            if "unexpected error" in text:
                yield "an unexpected error in the log of " + text[:1500]

    def _versions(self) -> Iterable[tuple[str, Upload]]:
        for key, uploads in self.world.record.uploads.items():
            for upload in uploads:
                if upload.lineup is not None:
                    yield f"{UPLOADS}/{key}", upload

    def _current(self) -> Iterable[tuple[str, Upload]]:
        """The files that are there, each with its newest version."""
        for key, uploads in self.world.record.uploads.items():
            if uploads[-1].lineup is not None:
                yield f"{UPLOADS}/{key}", uploads[-1]

    def _done(self, file: str, version: str) -> bool:
        record = self.records.get((file, version))
        return record is not None and record.is_done

    def _is_dead(self, file: str, version: str) -> bool:
        """Whether a dead letter is about it."""
        return _is_among(self.dead, file, version)

    def _unfinished(self) -> Iterable[str]:
        current = {upload.version for _, upload in self._current()}
        for file, upload in self._versions():
            if self._done(file, upload.version) or self._is_dead(file, upload.version):
                continue
            if not self.world.backend.versioned and upload.version not in current:
                continue  # it was overwritten, and nobody can know what it was
            record = self.records.get((file, upload.version))
            status = record.status if record else "unknown to the ledger"
            yield f"LOST: {file} {upload.version} is {status}, and no message is left"

    def _wrong_statuses(self) -> Iterable[str]:
        current = {(file, upload.version) for file, upload in self._current()}
        for file, upload in self._versions():
            record = self.records.get((file, upload.version))
            if record is None or not record.is_done or upload.lineup is None:
                continue
            name = f"{file} {upload.version}"
            is_current = (file, upload.version) in current
            if is_current and record.status == Status.SUPERSEDED:
                yield f"{name} is superseded, and nothing is newer"
            elif record.status == Status.FAILED and not self._may_have_failed(
                file, upload, is_current
            ):
                yield f"{name} failed: {record.error}"
            elif record.status == Status.NOTIFIED and upload.lineup.broken:
                yield f"{name} is broken and was taken for whole"
            if record.status == Status.FAILED and not record.error:
                yield f"{name} failed without saying why"

    def _may_have_failed(self, file: str, upload: Upload, is_current: bool) -> bool:
        assert upload.lineup is not None
        deleted = self.world.record.uploads[file.partition("/")[2]][-1].lineup is None
        return (
            upload.lineup.broken
            or self._is_dead(file, upload.version)
            or _is_among(self.together, file, upload.version)
            or (not is_current and deleted)
            or self._was_gone(file)
        )

    def _was_gone(self, file: str) -> bool:
        """Whether the file was deleted at some time, and uploaded again after that."""
        return any(
            each.lineup is None for each in self.world.record.uploads[file.partition("/")[2]]
        )

    def _wrong_counts(self) -> Iterable[str]:
        for file, upload in self._versions():
            record = self.records.get((file, upload.version))
            lineup = upload.lineup
            if record is None or record.status != Status.NOTIFIED or lineup is None:
                continue
            counts, kept, accepted = record.counts, len(lineup.kept), len(lineup.accepted)
            said = counts.to_dict()
            name = f"{file} {upload.version} ({lineup.shape}): {said}"
            if counts.read != len(lineup.rows):
                yield f"{name}, and the file has {len(lineup.rows)} rows"
            if counts.rejected != len(lineup.rows) - accepted:
                yield f"{name}, and {len(lineup.rows) - accepted} rows are to be refused"
            if counts.unwritten or not kept <= counts.written <= accepted:
                yield f"{name}, and the file has {kept} keys"
            in_one_pass = not record.progress
            if in_one_pass and counts.written != kept:
                yield f"{name}, read at once, and the file has {kept} keys"

    # The table

    def _wrong_items(self) -> Iterable[str]:
        allowed: dict[TableKey, list[Performance]] = defaultdict(list)
        files: dict[TableKey, set[str]] = defaultdict(set)
        for file, upload in self._versions():
            assert upload.lineup is not None
            for performance in upload.lineup.accepted:
                allowed[performance.key].append(performance)
                files[performance.key].add(file)
        for key in self.items.keys() - allowed.keys():
            yield f"{key} is in the table and in no file"
        for key, performances in allowed.items():
            candidates = self._candidates(key, files[key])
            item = self.items.get(key)
            if candidates is None:
                sources = [
                    to_item(each, source=file) for each in performances for file in files[key]
                ]
                if item is not None and item not in sources:
                    yield f"{key} is {item}, as no file has it"
            elif item is None:
                yield f"LOST: {key} of {sorted(files[key])} is not in the table"
            elif item not in candidates:
                yield f"LOST: {key} is {item}, and has to be {candidates}"

    def _candidates(self, key: TableKey, files: set[str]) -> list[object] | None:
        """What the key may be; None where nothing is demanded of it."""
        last = {
            file: (version, kept[key])
            for file, (version, kept) in self.newest.items()
            if file in files and key in kept
        }
        if not last:
            return None
        if last.keys() != files:  # another file had it, and may have written it at any time
            return [
                to_item(each, source=file)
                for file in files
                for each in self._all_values(file, key, last.get(file))
            ]
        spans = {file: self._span(file, version) for file, (version, _) in last.items()}
        latest = max(files, key=lambda file: spans[file][1])
        overlapping = [
            file for file in files if file == latest or spans[file][1] >= spans[latest][0]
        ]
        return [to_item(last[file][1], source=file) for file in overlapping]

    def _all_values(
        self, file: str, key: TableKey, last: tuple[str, Performance] | None
    ) -> Iterable[Performance]:
        if last is not None:
            yield last[1]
            return
        for its, upload in self._versions():
            if its == file and upload.lineup is not None:
                yield from (each for each in upload.lineup.accepted if each.key == key)

    def _span(self, file: str, version: str) -> tuple[int, int]:
        """From the first to the last call that wrote rows of this version."""
        calls = [
            write.call
            for write in self.world.record.writes
            if (write.file, write.version) == (file, version)
        ]
        return (min(calls), max(calls)) if calls else (0, 0)

    # The e-mails

    def _wrong_mails(self) -> Iterable[str]:
        sent = defaultdict(list)
        for mail in self.world.record.mails:
            sent[mail.file, mail.version].append(mail)
            if not mail.settled:
                yield f"told before it was recorded: {mail}"
        for name, record in self.records.items():
            redriven = self.world.record.redriven
            moments = [redriven[each] for each in redriven if _is_among({each}, *name)]
            reopened = min(moments, default=None)
            mails = sent.get(name, [])
            if reopened is not None:
                after = [mail for mail in mails if mail.call >= reopened]
                yield from self._repeated(name, [mail for mail in mails if mail.call < reopened])
                mails = after or mails[-1:]
            yield from self._repeated(name, mails)
            if record.status == Status.SUPERSEDED and mails and reopened is None:
                yield f"{name} was superseded, and has an e-mail: {mails[0].subject}"
            elif record.is_done and record.status != Status.SUPERSEDED and not mails:
                if not record.notified_by.startswith(("run ", "nobody: asked not to")):
                    yield f"{name} is {record.status}, and nobody was told"
            elif (
                record.status == Status.NOTIFIED
                and mails
                and record.notified_by.startswith("e-mail")
            ):
                tail = f" - {record.counts.written} written"
                if tail not in mails[-1].subject or self._status(record) not in mails[-1].subject:
                    yield f"{name}: {mails[-1].subject}, and the ledger has {record.counts}"
        for name in sent.keys() - self.records.keys():
            yield f"an e-mail about {name}, of which the ledger knows nothing"

    def _status(self, record: VersionRecord) -> str:
        return record.report.status.upper()

    def _repeated(self, name: tuple[str, str], mails: list[Mail]) -> Iterable[str]:
        for mail in mails[:-1]:
            # One of two messages gave up, and the other one succeeded after all.
            succeeded = "FAILURE" in mail.subject and "FAILURE" not in mails[-1].subject
            if not succeeded and not self._is_excused(mail):
                yield f"{name} was told of again without need: {mail}"

    def _is_excused(self, mail: Mail) -> bool:
        """Its run died, or lost an answer, between sending it and having recorded it."""
        record = self.world.record
        number, invocation = mail.call, mail.invocation
        if record.died.get(invocation, -1) >= number:
            return True
        calls = [call for call in record.calls[number:] if call.invocation == invocation]
        return any(
            (call.number == number and call.fault in DONE_UNKNOWN)
            or (call.number > number and call.fault and call.operation == "UpdateItem")
            for call in calls
        )

    # What is kept for people

    def _wrong_rejected_rows(self) -> Iterable[str]:
        kept: dict[str, set[tuple[int, str]]] = defaultdict(set)
        for key, body in self.world.backend.newest(REPORTS).items():
            if key.startswith("rejected/"):
                folder = key.rpartition("/")[0]
                for row in csv.DictReader(io.StringIO(body.decode("utf-8-sig"))):
                    kept[folder].add((int(row["line"]), row.get("Performer", "")))
        for file, upload in self._versions():
            record = self.records.get((file, upload.version))
            if record is None or record.status != Status.NOTIFIED or upload.lineup is None:
                continue
            folder = f"rejected/{name_hash(file)}/{upload.version}"
            wanted = {
                (row.line, row.cells[0]) for row in upload.lineup.rows if row.performance is None
            }
            if kept[folder] != wanted:
                yield f"{file} {upload.version}: kept {kept[folder]}, refused {wanted}"

    def _missing_reasons(self) -> Iterable[str]:
        """Whoever opens the dead-letter queue finds why each try failed that could still say so."""
        for letter in self.world.dead.letters.values():
            found = {
                name
                for event in files_of_message(letter.body)
                for (file, version), record in self.records.items()
                if _is_among({(event.file, event.version)}, file, version)
                for name in record.reasons
            }
            for name, receives in sorted(self.world.record.reasons):
                if name == letter.id and f"{name} receive {receives}" not in found:
                    yield f"{name} is dead, and the ledger does not know why receive {receives} was"


def _named(bodies: Iterable[str]) -> set[tuple[str, str]]:
    """The file versions that messages are about."""
    return {(event.file, event.version) for body in bodies for event in files_of_message(body)}


def _is_among(named: set[tuple[str, str]], file: str, version: str) -> bool:
    """Whether messages name it: S3 knows nothing of mappings, and not always of versions."""
    return any(its == file and version.startswith(asked) for its, asked in named)
