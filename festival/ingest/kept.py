"""What the kit keeps in the reports bucket: refused rows, progress of large files."""

import io
import tempfile
from dataclasses import dataclass
from typing import Any

from festival.ingest.key_lists import KeyLists
from festival.ingest.records import Progress
from festival.ingest.rejected import name_hash, rejected_key, write_rejected_rows
from festival.ingest.spool import Spool

LEDGER_BYTES = 100 * 1024
IN_BUCKET = "s3:"


@dataclass(frozen=True)
class Reports:
    """The reports bucket. Everything the kit writes goes there; the upload bucket is people's."""

    s3: Any
    bucket: str

    @property
    def key_lists(self) -> KeyLists:
        """What each version of a file may have put into the table."""
        return KeyLists(self.s3, self.bucket)

    def keep_rejected_rows(self, file: str, version: str, first_line: int, rows: Spool) -> None:
        """Put one part of a file's refused rows, as a CSV that can be corrected and uploaded."""
        with tempfile.TemporaryFile() as part:
            text = io.TextIOWrapper(part, "utf-8-sig", "replace", newline="")
            write_rejected_rows(rows, file, text)
            text.flush()
            part.seek(0)
            self.s3.put_object(
                Bucket=self.bucket,
                Key=rejected_key(file, version, first_line),
                Body=part,
                ContentType="text/csv; charset=utf-8",
            )
            text.detach()

    def rejected_rows_at(self, file: str, version: str) -> str:
        """Where a file version's refused rows are: `s3://bucket/rejected/…/`."""
        folder = rejected_key(file, version, 1).rpartition("/")[0]
        return f"s3://{self.bucket}/{folder}/"

    def save_progress(self, file: str, name: str, progress: Progress) -> str:
        """The progress as text for the ledger: itself, or where in the bucket it is.

        `name` tells version and attempt, so that no attempt overwrites another's.
        """
        text = progress.to_json()
        if len(text) <= LEDGER_BYTES:
            return text
        key = f"state/{name_hash(file)}/{name}.json"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=text.encode())
        return IN_BUCKET + key

    def load_progress(self, text: str) -> Progress:
        """The progress that `save_progress` gave this text for."""
        if text.startswith(IN_BUCKET):
            key = text.removeprefix(IN_BUCKET)
            text = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode()
        return Progress.from_json(text)
