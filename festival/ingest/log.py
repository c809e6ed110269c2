"""Structured logs and metrics on standard output: one JSON object a line, for CloudWatch.

A line cannot be forged by a file's content: every value is JSON-escaped. Metrics use CloudWatch's
embedded metric format (docs: "Specification: Embedded metric format"), which costs no call.
"""

import json
import sys
import time
from collections.abc import Mapping
from typing import IO, Any

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
NAMESPACE = "Festival"
UNITS = {"Milliseconds": "Milliseconds"}


class Log:
    """A log whose lines all carry the same context, such as file, version and request id."""

    def __init__(
        self,
        context: Mapping[str, Any] | None = None,
        level: str = "INFO",
        out: IO[str] | None = None,
    ) -> None:
        self._context = dict(context or {})
        self._level = level if level in LEVELS else "INFO"
        self._out = out

    def with_context(self, **context: Any) -> "Log":
        return Log(self._context | context, self._level, self._out)

    def at_level(self, level: str) -> "Log":
        """The same log, without lines below this level."""
        return Log(self._context, level, self._out)

    def info(self, message: str, **fields: Any) -> None:
        self._write("INFO", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        self._write("WARNING", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._write("ERROR", message, fields)

    def metrics(self, function: str, values: Mapping[str, float]) -> None:
        """Log metric values; their only dimension is the function's name."""
        definitions = [{"Name": name, "Unit": UNITS.get(name, "Count")} for name in values]
        self._print(
            {
                "_aws": {
                    "Timestamp": int(time.time() * 1000),
                    "CloudWatchMetrics": [
                        {
                            "Namespace": NAMESPACE,
                            "Dimensions": [["FunctionName"]],
                            "Metrics": definitions,
                        }
                    ],
                },
                "FunctionName": function,
                **self._context,
                **values,
            }
        )

    def _write(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        if LEVELS.index(level) >= LEVELS.index(self._level):
            self._print({"level": level, "message": message, **self._context, **fields})

    def _print(self, line: Mapping[str, Any]) -> None:
        print(json.dumps(line, default=str), file=self._out or sys.stdout, flush=True)
