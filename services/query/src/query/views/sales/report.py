"""Sales reports: the totals of a span, and its groups."""

# decision/0013: an item's category is the menu's of today

from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, assert_never

from query.views.sales import histogram
from query.views.sales.view import Figures, Period, Sales, SalesSummary, item_of

ReportPart = dict[str, Any]


class By(StrEnum):
    """The grouping of a sales report."""

    DAY = "day"
    HOUR = "hour"
    ITEM = "item"
    CATEGORY = "category"
    CHANNEL = "channel"

    @property
    def needs_items(self) -> bool:
        """True if it needs the sales of each item."""
        return self in (By.ITEM, By.CATEGORY)


def sales_report(summary: SalesSummary, by: By | None, categories: Mapping[str, str]) -> ReportPart:
    """The totals and the groups; `categories` has each sku that ever was on the menu."""
    total = _sum(summary.periods)
    return {
        "currency": total.currency,
        "as_of": summary.as_of,
        "totals": _figures(total.total),
        "groups": _groups(summary.periods, total, by, categories),
    }


def _groups(
    periods: list[Period], total: Sales, by: By | None, categories: Mapping[str, str]
) -> list[ReportPart]:
    match by:
        case By.DAY:
            return _days(periods)
        case By.HOUR:
            return [
                {"day": each.day, "hour": each.hour, **_figures(each.sales.total)}
                for each in periods
            ]
        case By.CHANNEL:
            return [
                {"channel": channel, **_figures(figures)}
                for channel, figures in sorted(total.channels.items())
            ]
        case By.ITEM:
            return _items(total, categories)
        case By.CATEGORY:
            return _categories(total, categories)
        case None:
            return []
        case _:
            assert_never(by)


def _days(periods: list[Period]) -> list[ReportPart]:
    days: dict[str, list[Period]] = defaultdict(list)
    for each in periods:
        days[each.day].append(each)
    return [{"day": day, **_figures(_sum(its).total)} for day, its in days.items()]


def _items(total: Sales, categories: Mapping[str, str]) -> list[ReportPart]:
    return [{**item_of(each), "category": categories.get(each.sku)} for each in total.ranked]


def _categories(total: Sales, categories: Mapping[str, str]) -> list[ReportPart]:
    found: dict[str | None, ReportPart] = {}
    for each in total.ranked:
        category = categories.get(each.sku)
        group = found.setdefault(category, {"category": category, "quantity": 0, "revenue": 0})
        group["quantity"] += each.quantity
        group["revenue"] += each.revenue
    return sorted(found.values(), key=lambda each: (-each["revenue"], each["category"] or ""))


def _sum(periods: Iterable[Period]) -> Sales:
    total = Sales()
    for each in periods:
        total.add(each.sales)
    return total


def _figures(figures: Figures) -> ReportPart:
    return {
        "revenue": figures.revenue,
        "orders": figures.orders,
        "average_basket": round(figures.revenue / figures.orders) if figures.orders else None,
        "waiting": {
            "ready": histogram.summary(figures.ready),
            "served": histogram.summary(figures.served),
        },
    }
