"""One bulk load as it is remembered in the reports bucket, so that another process can finish it.

While a load is not settled, `bulk/unfinished.json.gz` says all about it. Its objects are under
`bulk/<run>/<token>/`: what DynamoDB reads under `input/`, where each line came from under `index/`,
and what DynamoDB reports under `output/`.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from festival.errors import FestivalError
from festival.ingest.report import Counts

UNFINISHED = "bulk/unfinished.json.gz"


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One file version of a load: how its reading went, and under which attempt.

    `version` is S3's, and `ingest` the ledger's name of it, which tells the mapping as well.
    `shown` has its first rejections and warnings, `error` says where the file breaks. It is
    `overtaken` where another attempt worked on it while the load was under way.
    """

    bucket: str
    key: str
    version: str
    ingest: str
    attempt: int
    counts: Counts
    shown: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    rejected_rows_at: str = ""
    milliseconds: int = 0
    overtaken: bool = False

    @property
    def file(self) -> str:
        return f"{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Load:
    """A bulk load: its files in the order of their numbers, and how many lines each part has.

    `overtakes` are pairs of file numbers: the second has a key of the first, and its values won.
    `operation` is the operation's ARN, '' until DynamoDB is known to have begun it.
    """

    run: str
    token: str
    table: str
    bucket: str
    write_units: int
    parts: int
    lines: Mapping[int, int]
    files: tuple[LoadedFile, ...]
    overtakes: frozenset[tuple[int, int]] = frozenset()
    operation: str = ""

    @property
    def folder(self) -> str:
        return f"bulk/{self.run}/{self.token}/"

    @property
    def total(self) -> int:
        """How many items DynamoDB is given."""
        return sum(self.lines.values())

    def items_key(self, part: int) -> str:
        return f"{self.folder}input/part-{part:05d}.json.gz"

    def index_key(self, part: int) -> str:
        return f"{self.folder}index/part-{part:05d}.json.gz"

    @property
    def request(self) -> dict[str, Any]:
        """The parameters of StartBulkPutItems; the same ones find the same operation again."""
        return {
            "TableName": self.table,
            "ClientToken": self.token,
            "InputS3Configuration": {
                "S3Bucket": self.bucket,
                "S3KeyPrefix": f"{self.folder}input/",
                "InputFormat": "DYNAMODB_JSON",
                "InputCompressionType": "GZIP",
            },
            "OutputS3Configuration": {
                "S3Bucket": self.bucket,
                "S3KeyPrefix": f"{self.folder}output/",
                "OutputType": ["ERROR"],
            },
            "MaxWriteRequestUnits": self.write_units,
        }

    def to_json(self) -> str:
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(
            fields
            | {
                "files": [asdict(file) for file in self.files],
                "overtakes": sorted(self.overtakes),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Load":
        fields = json.loads(text)
        fields["lines"] = {int(part): lines for part, lines in fields["lines"].items()}
        fields["files"] = tuple(
            LoadedFile(**{**file, "counts": Counts(**file["counts"])}) for file in fields["files"]
        )
        fields["overtakes"] = frozenset((loser, winner) for loser, winner in fields["overtakes"])
        return cls(**fields)


@dataclass(frozen=True)
class Loads:
    """The unfinished load of a reports bucket; there is never more than one."""

    s3: Any
    bucket: str

    def unfinished(self) -> Load | None:
        try:
            stored = self.s3.get_object(Bucket=self.bucket, Key=UNFINISHED)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
        return Load.from_json(gzip.decompress(stored["Body"].read()).decode())

    def begin(self, load: Load) -> None:
        """Remember a new load. Raises FestivalError where another one has begun meanwhile."""
        try:
            self._put(load, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("PreconditionFailed", "412"):
                raise
            raise FestivalError(
                f"s3://{self.bucket}/{UNFINISHED} is there already: another bulk load began at the "
                "same time; wait for it and run this one again"
            ) from None

    def update(self, load: Load) -> None:
        self._put(load)

    def end(self) -> None:
        """The load is settled. What it read and reported stays until it expires."""
        self.s3.delete_object(Bucket=self.bucket, Key=UNFINISHED)

    def _put(self, load: Load, **condition: str) -> None:
        body = gzip.compress(load.to_json().encode())
        self.s3.put_object(Bucket=self.bucket, Key=UNFINISHED, Body=body, **condition)
