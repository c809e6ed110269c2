"""How full a queue is."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many messages a queue holds: free to take, in work or hidden, and delayed."""

    visible: int
    hidden: int
    delayed: int

    @property
    def total(self) -> int:
        return self.visible + self.hidden + self.delayed


def queue_depth(sqs: Any, url: str) -> QueueDepth:
    """What a queue holds now, as nearly as SQS knows it. `sqs` is a boto3 client."""
    names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    visible, hidden, delayed = (int(answer.get(name, 0)) for name in names)
    return QueueDepth(visible, hidden, delayed)
