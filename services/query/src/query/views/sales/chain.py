"""The sales of several restaurants, each with its own sums, and the sums of each currency."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class RestaurantSales:
    """What one restaurant has sold in one currency."""

    restaurant: str
    currency: str
    revenue: int = 0
    """In minor units of the currency."""
    orders: int = 0


@dataclass(frozen=True, slots=True)
class ChainSales:
    """The sales of those restaurants that have any."""

    sold: list[RestaurantSales]
    as_of: datetime
    """Whatever was projected before this time is counted."""


def chain_report(
    sold: Iterable[RestaurantSales], venues: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The currencies by name, each with its sums and its restaurants, the best first.

    `venues` are the states of all restaurants, by slug: one without sales is in its own currency.
    """
    by_currency: dict[str, list[RestaurantSales]] = defaultdict(list)
    for each in sold:
        by_currency[each.currency].append(each)
    with_sales = {each.restaurant for its in by_currency.values() for each in its}
    for slug in venues.keys() - with_sales:
        currency = venues[slug]["currency"]
        by_currency[currency].append(RestaurantSales(slug, currency))
    return [
        {"currency": currency, **_sums(its), "restaurants": _restaurants(its, venues)}
        for currency, its in sorted(by_currency.items())
    ]


def _restaurants(
    sold: list[RestaurantSales], venues: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    best_first = sorted(sold, key=lambda each: (-each.revenue, each.restaurant))
    return [
        {
            "restaurant": each.restaurant,
            "name": venues[each.restaurant]["name"],
            **_sums([each]),
        }
        for each in best_first
    ]


def _sums(sold: list[RestaurantSales]) -> dict[str, Any]:
    revenue, orders = sum(each.revenue for each in sold), sum(each.orders for each in sold)
    return {
        "revenue": revenue,
        "orders": orders,
        "average_basket": round(revenue / orders) if orders else None,
    }
