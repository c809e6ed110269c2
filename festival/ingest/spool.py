"""A list that does not grow in memory: rejections, warnings, duplicates of a file of any size."""

import json
import tempfile
from collections.abc import Iterator
from typing import Any

MEMORY_BYTES = 1024 * 1024


class Spool:
    """Rows of plain JSON values, appended once and read as often as wanted.

    The first megabyte is held in memory, what comes after it in a temporary file that the
    operating system removes with the process.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES, mode="w+b")  # noqa: SIM115
        self._count = 0
        self.bytes = 0

    def append(self, row: Any) -> None:
        line = json.dumps(row, ensure_ascii=True, separators=(",", ":"), default=str).encode()
        self._file.write(line + b"\n")
        self._count += 1
        self.bytes += len(line) + 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        place = 0
        for _ in range(self._count):
            self._file.seek(place)
            line = self._file.readline()
            place = self._file.tell()
            self._file.seek(0, 2)
            yield json.loads(line)

    def __del__(self) -> None:
        self._file.close()
