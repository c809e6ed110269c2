"""Which of DynamoDB's errors pass by themselves, and how any of them is said in one line.

Source: "Error handling with DynamoDB" (docs: Programming.Errors), its list of codes to retry.
"""

PASSING = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ThrottlingException",
    }
)
THROTTLES = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)


def in_one_line(table: str, code: str, message: str) -> str:
    """A service's error as one line, `table lineup: ResourceNotFoundException: …`."""
    return f"table {table}: {code}: {' '.join(message.split())}".rstrip(": ")
