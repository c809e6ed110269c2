"""How much of a file may be one thing: each limit with the reason it has."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader refuses to take as one record, one document or one decompressed file.

    `record_bytes` and `record_lines` bound one row (a quoted cell may span lines), `document_bytes`
    a JSON document that is only understood whole, `decompressed_bytes` what a `.gz` may grow to.
    `block_bytes` and `block_rows` bound what is in memory at once: text of 32 KiB and its rows
    stay in a processor's cache, which makes reading a third faster than 128 KiB do.
    """

    record_bytes: int = MIB
    record_lines: int = 1_000
    document_bytes: int = 16 * MIB
    decompressed_bytes: int = 4 * GIB
    block_bytes: int = 32 * KIB
    block_rows: int = 4_096


DEFAULT_LIMITS = Limits()
