"""What the function reads from its environment, in one place."""

from collections.abc import Mapping
from typing import NamedTuple

from festival.errors import FestivalError


class FunctionSettings(NamedTuple):
    """The function's environment, as the stack sets it."""

    table: str
    ledger_table: str
    topic_arn: str
    reports_bucket: str
    queue_url: str
    max_receive_count: int = 5
    maximum_concurrency: int = 2
    reconcile_on_upload: bool = False
    reconcile_guard_percent: int = 30
    function_name: str = "festival"
    log_level: str = "INFO"
    default_mapping: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "FunctionSettings":
        """Raises FestivalError if a variable is missing or no number."""
        try:
            return cls(
                table=environment["TABLE_NAME"],
                ledger_table=environment["LEDGER_TABLE_NAME"],
                topic_arn=environment["TOPIC_ARN"],
                reports_bucket=environment["REPORTS_BUCKET_NAME"],
                queue_url=environment["QUEUE_URL"],
                max_receive_count=int(environment.get("MAX_RECEIVE_COUNT", 5)),
                maximum_concurrency=int(environment.get("MAXIMUM_CONCURRENCY", 2)),
                reconcile_on_upload=environment.get("RECONCILE_ON_UPLOAD", "no") == "yes",
                reconcile_guard_percent=int(environment.get("RECONCILE_GUARD_PERCENT", 30)),
                function_name=environment.get("AWS_LAMBDA_FUNCTION_NAME", "festival"),
                default_mapping=environment.get("DEFAULT_MAPPING", ""),
                log_level=environment.get("LOG_LEVEL", "INFO"),
            )
        except KeyError as error:
            raise FestivalError(
                f"environment variable {error.args[0]} is not set; the stack's template sets it on "
                "the function"
            ) from None
        except ValueError as error:
            raise FestivalError(f"an environment variable is not a whole number: {error}") from None
