"""Which mapping a file in S3 is read with: its sidecar's, else the stack's default.

The sidecar of `summer.csv` is `summer.csv.mapping.json` beside it. Its content is part of the
ledger's version: the same object version with another mapping is another ingest.
"""

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import LineupError
from festival.ingest.events import FileEvent
from festival.ingest.s3_object import GONE, failed_call
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SIDECAR = ".mapping.json"
MARK = "+"
MOST_BYTES = 256 * 1024
LONGEST_KEY_BYTES = 1024  # S3: "Creating object key names", in UTF-8


class AppliedMapping(NamedTuple):
    """A mapping, and its mark in the ledger's version ('' for the default mapping).

    `problem` says why the sidecar is not a mapping; the file is then not read at all.
    """

    mapping: LineupMapping = DEFAULT_MAPPING
    mark: str = ""
    problem: str = ""

    def version(self, version: str) -> str:
        """The ledger's name for an object version that is read with this mapping."""
        return version + MARK + self.mark if self.mark and version else version


def is_ingest_of(ingest: str, version: str) -> bool:
    """Whether the ledger's name `ingest` is for this object version, with whatever mapping."""
    return ingest == version or ingest.startswith(version + MARK)


def mapping_of(text: str) -> LineupMapping:
    """The mapping in a stack's parameter; the default one if it is empty. Raises LineupError."""
    return LineupMapping.from_json(text) if text else DEFAULT_MAPPING


def file_of_sidecar(event: FileEvent) -> FileEvent:
    """The event itself or, if it is about a sidecar, an event about the sidecar's file.

    An object named just `.mapping.json` belongs to no file. It is read as a lineup, and an e-mail
    says that it is not one.
    """
    key = event.key.removesuffix(SIDECAR)
    if key == event.key or not key or key.endswith("/"):
        return event
    return event._replace(key=key, version="", sequencer="", removed=False, by_sidecar=True)


def _at_most(most: int, body: Any) -> bytes:
    """At most this many bytes of an object. botocore notices a cut only when it reads the end."""
    with closing(body):
        text: bytes = body.read(most)
        if len(text) < most:
            body.read()
        return text


def applied_mapping(
    s3: "S3Client", bucket: str, key: str, default: LineupMapping
) -> AppliedMapping:
    """The mapping for a file: one GetObject. Raises RetryableError if S3 does not answer."""
    sidecar = f"s3://{bucket}/{key}{SIDECAR}"
    if len((key + SIDECAR).encode()) > LONGEST_KEY_BYTES:  # it cannot have a sidecar
        return AppliedMapping(default, default.fingerprint())
    try:
        text = _at_most(MOST_BYTES + 1, s3.get_object(Bucket=bucket, Key=key + SIDECAR)["Body"])
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return AppliedMapping(default, default.fingerprint())
        raise failed_call(sidecar, error) from None
    except (BotoCoreError, OSError) as error:
        raise failed_call(sidecar, error) from None
    try:
        if len(text) > MOST_BYTES:
            raise LineupError(f"the mapping has more than {MOST_BYTES:,} bytes")
        mapping = LineupMapping.from_json(text)
    except LineupError as error:
        mark = hashlib.sha256(text).hexdigest()[:12]
        return AppliedMapping(default, mark, f"{sidecar}: {error}; correct it and upload it again")
    return AppliedMapping(mapping, mapping.fingerprint())
