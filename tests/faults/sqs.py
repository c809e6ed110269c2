"""SQS in fake time: visibility, receive counts, redrive to a dead-letter queue, delays.

Source: the SQS developer guide, "Amazon SQS visibility timeout", "Using dead-letter queues".
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .store import json_answer, json_error
from .wire import Answer


@dataclass
class Letter:
    """One message of a queue."""

    id: str
    body: str
    visible_at: float
    receives: int = 0


@dataclass
class Queue:
    """A standard queue. What was received is deleted by id: whoever received it last may."""

    now: Callable[[], float]
    visibility: float
    max_receives: int = 10**9
    dead: "Queue | None" = None
    letters: dict[str, Letter] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def send(self, body: str, delay: float = 0, name: str = "") -> Letter:
        letter = Letter(f"{name}message-{next(self._numbers):03d}", body, self.now() + delay)
        self.letters[letter.id] = letter
        return letter

    def visible(self) -> list[Letter]:
        """What a consumer may receive now; what was received too often is dead-lettered first."""
        due = [each for each in self.letters.values() if each.visible_at <= self.now()]
        for letter in due:
            if letter.receives >= self.max_receives and self.dead is not None:
                del self.letters[letter.id]
                self.dead.letters[letter.id] = Letter(
                    letter.id, letter.body, self.now(), letter.receives
                )
        return [each for each in due if each.receives < self.max_receives]

    def receive(self, letter: Letter, *, hide: bool = True) -> dict[str, Any]:
        """The letter as a consumer gets it. Without `hide` another consumer gets it, too."""
        letter.receives += 1
        if hide:
            letter.visible_at = self.now() + self.visibility
        return {
            "MessageId": letter.id,
            "ReceiptHandle": f"{letter.id}/{letter.receives}",
            "Body": letter.body,
            "Attributes": {"ApproximateReceiveCount": str(letter.receives)},
        }

    def delete(self, message_id: str) -> None:
        self.letters.pop(message_id, None)

    def next_visible(self) -> float | None:
        """When there is something to receive; None where the queue is empty."""
        return min((each.visible_at for each in self.letters.values()), default=None)

    def answer(self, operation: str, request: dict[str, Any]) -> Answer:
        """What SQS answers to a client."""
        message_id = request.get("ReceiptHandle", "").partition("/")[0]
        if operation == "SendMessage":
            sent = self.send(request["MessageBody"], request.get("DelaySeconds", 0), "sent-")
            return json_answer({"MessageId": sent.id})
        if operation == "ChangeMessageVisibility":
            if message_id not in self.letters:
                return json_error("InvalidParameterValue", "the message is gone")
            self.letters[message_id].visible_at = self.now() + request["VisibilityTimeout"]
            return json_answer({})
        if operation == "DeleteMessage":
            self.delete(message_id)
            return json_answer({})
        if operation == "ReceiveMessage":
            most = request.get("MaxNumberOfMessages", 1)
            received = [self.receive(each) for each in self.visible()[:most]]
            for message in received:
                self.letters[message["MessageId"]].visible_at = self.now() + request.get(
                    "VisibilityTimeout", self.visibility
                )
            return json_answer({"Messages": received} if received else {})
        raise AssertionError(json.dumps({"operation": operation}))
