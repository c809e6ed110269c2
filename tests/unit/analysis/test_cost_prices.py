"""The price list: dated, sourced, and never another region's."""

import pytest

from festival.analysis.cost.prices import known_regions, price_list
from festival.errors import FestivalError

REGIONS = ("us-east-1", "us-east-2", "eu-west-1", "ap-southeast-2")


def test_virginia_has_the_prices_of_the_pricing_page():
    prices = price_list("us-east-1")
    assert prices["dynamodb_write"].cost(1_000_000) == pytest.approx(0.625)
    assert prices["dynamodb_read"].cost(1_000_000) == pytest.approx(0.125)
    assert prices["sns_email"].cost(100_000) == pytest.approx(2.0)


@pytest.mark.parametrize("region", REGIONS)
def test_every_figure_of_a_region_has_a_price_a_source_and_a_unit(region):
    prices = price_list(region)
    assert prices.as_of.count("-") == 2
    for price in prices.prices.values():
        assert price.dollars > 0
        assert price.unit
        assert price.page.startswith("https://")
        assert price.seen


def test_the_four_regions_are_known():
    assert set(REGIONS) <= set(known_regions())


def test_an_unknown_region_is_an_error_that_names_the_known_ones():
    with pytest.raises(FestivalError, match=r"eu-west-9.*ap-southeast-2.*us-east-2"):
        price_list("eu-west-9")


def test_an_unconfirmed_figure_says_so():
    unconfirmed = price_list("ap-southeast-2").unconfirmed
    assert {price.name for price in unconfirmed} >= {"sqs_requests", "dashboards"}
    assert all("not confirmed" in price.seen for price in unconfirmed)


def test_the_free_allowance_is_taken_off_only_when_asked():
    queue = price_list("us-east-1")["sqs_requests"]
    assert queue.cost(1_500_000) == pytest.approx(0.60)
    assert queue.cost(1_500_000, free_tier=True) == pytest.approx(0.20)
    assert queue.cost(400_000, free_tier=True) == 0
