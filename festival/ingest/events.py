"""Reads the messages of the ingest queue: which files to look at, or which one to continue.

S3's own are described in "Event message structure" of its user guide; only the fields used here
are read. The kit's own continuation message is `{"festival": "continue", …}`.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from festival.errors import FestivalError

CREATED, REMOVED = "ObjectCreated", "ObjectRemoved"


class FileEvent(NamedTuple):
    """A file to look at. `version` is '' if the event names none to ingest.

    `run` is the run (a backfill) that asked for it, and `continues` the attempt that a continuation
    message belongs to; 0 for every other message. `by_sidecar` says that the file's mapping was
    uploaded or deleted, and `removed` that a version of the file, or a delete marker, was removed:
    the file itself may not exist.
    """

    bucket: str
    key: str
    version: str = ""
    sequencer: str = ""
    run: str = ""
    continues: int = 0
    by_sidecar: bool = False
    removed: bool = False

    @property
    def file(self) -> str:
        """The ledger's name for the file: `bucket/key`."""
        return f"{self.bucket}/{self.key}"

    @property
    def version_or_stand_in(self) -> str:
        """The version, or a stand-in if the event names none.

        The sequencer is the same in every delivery of an event and different for the next upload.
        """
        return self.version or f"unknown {self.sequencer}".strip()


def files_of_message(body: str) -> list[FileEvent]:
    """The files that a message's body names; none for S3's test event and for folder markers.

    Raises FestivalError for a message that is neither S3's nor the kit's own.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise _not_understood(body, "not JSON") from None
    if not isinstance(message, dict):
        raise _not_understood(body, "not a JSON object")
    if message.get("Event") == "s3:TestEvent":
        return []
    try:
        if message.get("festival") == "continue":
            return [_continued(message)]
        run = str(message.get("festivalRun", ""))
        events = [_file_of_record(record, run) for record in message["Records"]]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _not_understood(body, f"{type(error).__name__} at {error}") from None
    return [event for event in events if not event.key.endswith("/")]


def continuation(event: FileEvent, attempt: int) -> str:
    """The body of the message that asks for the rest of a large file."""
    return json.dumps(
        {
            "festival": "continue",
            "bucket": event.bucket,
            "key": event.key,
            "version": event.version,
            "sequencer": event.sequencer,
            "run": event.run,
            "attempt": attempt,
        }
    )


def _continued(message: Mapping[str, Any]) -> FileEvent:
    return FileEvent(
        bucket=_text(message["bucket"]),
        key=_text(message["key"]),
        version=_text(message["version"]),
        sequencer=str(message.get("sequencer", "")),
        run=str(message.get("run", "")),
        continues=int(message["attempt"]),
    )


def _file_of_record(record: Mapping[str, Any], run: str) -> FileEvent:
    kind = str(record["eventName"]).partition(":")[0]
    if record["eventSource"] != "aws:s3" or kind not in (CREATED, REMOVED):
        raise ValueError(
            f"{record['eventSource']} {record['eventName']}, not an S3 {CREATED} or {REMOVED}"
        )
    removed = kind == REMOVED
    described = record["s3"]["object"]
    return FileEvent(
        bucket=_text(record["s3"]["bucket"]["name"]),
        key=unquote_plus(_text(described["key"])),
        # The version that was removed is not the one to ingest: S3 says which one is current now.
        version="" if removed else _version(described),
        sequencer=str(described.get("sequencer") or ""),
        run=run,
        removed=removed,
    )


def _version(described: Mapping[str, Any]) -> str:
    """The object's version; '' in a bucket whose versioning is off or suspended."""
    version = str(described.get("versionId") or "")
    return "" if version == "null" else version


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} instead of a name")
    return value


def _not_understood(body: str, reason: str) -> FestivalError:
    return FestivalError(
        f"message {body[:80]!r} is neither an S3 event nor a continuation ({reason}); it goes to "
        "the dead-letter queue, where `festival dlq` shows it"
    )
