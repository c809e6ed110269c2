"""DynamoDB's bulk operation: starting it, once, and following it to its end.

Source: StartBulkPutItems, DescribeBulkOperation and BulkOperationDescription in the DynamoDB API
reference, as botocore has them from 1.44.5 on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import botocore
from botocore.exceptions import ClientError

from festival.errors import FestivalError
from festival.ops.bulk_load import Load

# StartBulkPutItems: "The value must be at least 1,024."
LEAST_WRITE_UNITS = 1024
OPERATION = "StartBulkPutItems"
COMPLETED, WITH_ERRORS = "COMPLETED", "COMPLETED_WITH_ERRORS"
TERMINAL = (COMPLETED, WITH_ERRORS, "CANCELLED", "FAILED")
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 15.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How an operation ended: its status, the items it processed, how many of those failed, why."""

    status: str
    processed: int
    failed: int
    reason: str = ""


class NotStartedError(FestivalError):
    """DynamoDB refused to begin the operation: nothing of it was or will be written."""


def can_load_in_bulk(dynamodb: Any) -> bool:
    """Whether the installed botocore knows the operation. `dynamodb` is a low-level client."""
    return OPERATION in dynamodb.meta.service_model.operation_names


def require_bulk(dynamodb: Any) -> None:
    """Raises FestivalError where the installed botocore is too old."""
    if not can_load_in_bulk(dynamodb):
        raise FestivalError(
            f"botocore {botocore.__version__} does not know DynamoDB's {OPERATION}; expected "
            "1.44.5 or later: pip install -U boto3, or take the engine queue or direct"
        )


def start(dynamodb: Any, load: Load) -> str:
    """Begin the operation; its ARN. An operation that the load's token began before is found again.

    Raises NotStartedError where DynamoDB refuses.
    """
    try:
        answer = dynamodb.start_bulk_put_items(**load.request)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise
        raise NotStartedError(
            f"table {load.table}: DynamoDB did not begin the bulk load: {error}; nothing was "
            "written, mend the cause and run again, or take the engine queue"
        ) from error
    return str(answer["BulkOperationDescription"]["BulkOperationArn"])


def follow(
    dynamodb: Any,
    operation: str,
    meanwhile: Callable[[int], None],
    sleep: Callable[[float], object] = time.sleep,
) -> Ended:
    """Wait until the operation has ended; `meanwhile` is told of the items processed so far."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        answer = dynamodb.describe_bulk_operation(BulkOperationArn=operation)
        described = answer["BulkOperationDescription"]
        processed = described.get("ProcessedItemCount", 0)
        meanwhile(processed)
        if (status := described["BulkOperationStatus"]) in TERMINAL:
            said = (described.get("FailureCode", ""), described.get("FailureMessage", ""))
            reason = ": ".join(filter(None, said))
            return Ended(status, processed, described.get("FailedItemCount", 0), reason)
        sleep(pause)
        pause = min(LONGEST_PAUSE_SECONDS, 2 * pause)
