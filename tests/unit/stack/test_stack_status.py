"""Whether mail arrives, as SNS knows it; and what a stack that never came up is told to do."""

import pytest

from festival.errors import FestivalError
from festival.stack.status import (
    CONFIRMED,
    PENDING,
    REMOVED,
    Subscription,
    read_status,
    subscriptions,
)
from tests.fake_stack import FakeCloudFormation, FakeSession

TOPIC = "arn:aws:sns:us-east-2:123456789012:ingest"
OPS = "ops@festival.example"


def state(subscribed: dict[str, str]) -> list[tuple[str, str]]:
    return [(s.address, s.state) for s in subscriptions(subscribed, OPS, TOPIC)]


def test_a_confirmed_subscription_needs_no_remedy():
    assert list(subscriptions({OPS: f"{TOPIC}:1"}, OPS, TOPIC)) == [Subscription(OPS, CONFIRMED)]


def test_an_unconfirmed_one_says_which_mail_to_open():
    (pending,) = subscriptions({OPS: "PendingConfirmation"}, OPS, TOPIC)
    assert pending.state == PENDING
    assert "Subscription Confirmation" in pending.remedy


def test_a_removed_one_says_how_to_subscribe_again_whether_sns_still_shows_it_or_not():
    for subscribed in ({OPS: "Deleted"}, {}):
        (removed,) = subscriptions(subscribed, OPS, TOPIC)
        assert removed.state == REMOVED
        assert f"--topic-arn {TOPIC}" in removed.remedy and OPS in removed.remedy


def test_a_colleague_who_subscribed_by_hand_is_shown_beside_the_stacks_address():
    assert state({"colleague@festival.example": f"{TOPIC}:2", OPS: f"{TOPIC}:1"}) == [
        (OPS, CONFIRMED),
        ("colleague@festival.example", CONFIRMED),
    ]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("ROLLBACK_COMPLETE", "festival teardown --stack o240-festival, then festival deploy"),
        ("REVIEW_IN_PROGRESS", "it was planned and never created: run festival deploy"),
        ("CREATE_IN_PROGRESS", "wait until it is done"),
        ("IMPORT_COMPLETE", "has no outputs: run festival deploy"),
    ],
)
def test_a_stack_without_outputs_is_told_what_works_in_its_state(status: str, told: str):
    with pytest.raises(FestivalError, match=told):
        read_status(FakeSession(FakeCloudFormation(status)))
