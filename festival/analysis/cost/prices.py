"""The prices of the cost model: one dated file, with a source for each figure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from festival.errors import FestivalError

PRICES_FILE = "prices.json"


@dataclass(frozen=True, slots=True)
class Price:
    """One price: `dollars` for each `per` units in a month; the free tier covers `free` units.

    `confirmed` says whether the figure was seen for this region; `seen` says where and when.
    """

    name: str
    what: str
    unit: str
    dollars: float
    per: int
    free: float
    page: str
    confirmed: bool
    seen: str

    def cost(self, amount: float, *, free_tier: bool = False) -> float:
        """Dollars for `amount` units used in one month."""
        billed = max(0.0, amount - self.free) if free_tier else amount
        return billed / self.per * self.dollars


@dataclass(frozen=True, slots=True)
class PriceList:
    """Every price of one region, as of one day."""

    region: str
    as_of: str
    prices: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        return self.prices[name]

    @property
    def unconfirmed(self) -> tuple[Price, ...]:
        """The figures that were not seen for this region; a sum that uses them is an estimate."""
        return tuple(price for price in self.prices.values() if not price.confirmed)

    def sentence(self) -> str:
        """How old the prices are, and how many are not confirmed for this region."""
        return (
            f"Prices of {self.region} as of {self.as_of}; {len(self.unconfirmed)} of "
            f"{len(self.prices)} figures are not confirmed for this region."
        )


@cache
def _document() -> dict[str, Any]:
    text = files("festival.analysis.cost").joinpath(PRICES_FILE).read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def known_regions() -> tuple[str, ...]:
    """The regions that have all prices, in alphabetical order."""
    regions = (set(figure["regions"]) for figure in _document()["figures"].values())
    return tuple(sorted(set.intersection(*regions)))


def price_list(region: str) -> PriceList:
    """The prices of `region` (`us-east-1`). Raises FestivalError if the file does not have it."""
    if region not in known_regions():
        raise FestivalError(
            f"no prices for region {region!r}: known are {', '.join(known_regions())}; "
            f"add the region to festival/analysis/cost/{PRICES_FILE}, with its source"
        )
    figures = _document()["figures"].items()
    prices = {name: _price(name, figure, region) for name, figure in figures}
    return PriceList(region, _document()["as_of"], prices)


def _price(name: str, figure: Mapping[str, Any], region: str) -> Price:
    here = figure["regions"][region]
    return Price(
        name=name,
        what=figure["what"],
        unit=figure["unit"],
        dollars=here["price"],
        per=figure["per"],
        free=figure["free"],
        page=figure["page"],
        confirmed=here["confirmed"],
        seen=here["seen"],
    )
