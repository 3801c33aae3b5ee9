"""Prices with their currency, and which currencies and time zones there are."""

import re
from collections.abc import Iterable
from decimal import Decimal
from zoneinfo import available_timezones

from iso4217 import Currency

from comanda_local.pos_export.amounts import number
from comanda_local.pos_export.findings import Ambiguous, NotAnExport

DEFAULT_CURRENCY = "GBP"
DEFAULT_ZONE = "Europe/London"
NO_PLACES = frozenset({"Factory", "localtime"})
"""Zones that the IANA database or the machine has, of no place."""
HIGHEST_PRICE = 100_000_000
"""Minor units; ordering's limit."""
SYMBOLS = {
    "£": ("GBP",),
    "€": ("EUR",),
    "₹": ("INR",),
    "₩": ("KRW",),
    "₺": ("TRY",),
    "₽": ("RUB",),
    "₪": ("ILS",),
    "₫": ("VND",),
    "₱": ("PHP",),
    "₦": ("NGN",),
    "฿": ("THB",),
    "R$": ("BRL",),
    "US$": ("USD",),
    "zł": ("PLN",),
    "Kč": ("CZK",),
    "Ft": ("HUF",),
    "$": ("USD", "CAD", "AUD", "NZD", "MXN", "SGD", "HKD", "CLP", "COP", "ARS", "TWD"),
    "¥": ("JPY", "CNY"),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "kr.": ("DKK", "ISK"),
}
"""Whose each symbol is."""
_MINOR_DIGITS = {
    currency.code: currency.exponent for currency in Currency if currency.exponent is not None
}
_AMOUNT = re.compile(
    r"([^\d\s.,'\u2019-][^\d\s]{0,3}?)?\s*([0-9.,].*?)\s*([^\d\s.,'][^\d\s]{0,3})?"
)


def check_currency(code: str) -> str:
    """The code, if ISO 4217 has a currency by it. Raises NotAnExport."""
    if code not in _MINOR_DIGITS:
        raise NotAnExport(f"there is no currency {code!r}; ISO 4217 has such as EUR and GBP")
    return code


def check_zone(name: str) -> str:
    """The name, if the IANA database has a place by it. Raises NotAnExport."""
    if name not in available_timezones() - NO_PLACES:
        raise NotAnExport(f"there is no time zone {name!r}; the IANA has such as Europe/London")
    return name


def bare(text: str) -> str:
    """The number in a price, without its currency; the text itself if it is no price."""
    return _parted(text)[1]


def guess_currency(values: Iterable[tuple[int, str]]) -> tuple[str, str]:
    """The currency of a column and why, from its values with their lines. Raises Ambiguous."""
    found: dict[str, int] = {}
    for line, value in values:
        affix = _parted(value)[0]
        if affix:
            found.setdefault(affix, line)
    if not found:
        return DEFAULT_CURRENCY, f"currency {DEFAULT_CURRENCY}, as the file names none"
    shared = set.intersection(*(set(_codes(affix)) for affix in found))
    names = " and ".join(f"{affix!r} (line {line})" for affix, line in found.items())
    if len(shared) == 1:
        [code] = shared
        return code, f"currency {code} by {names}"
    which = f", which is {', '.join(sorted(shared))}" if shared else ", of different currencies"
    raise Ambiguous(f"prices have {names}{which}; say which with --currency")


def price(text: str, mark: str, currency: str) -> int:
    """A price in minor units of the currency. Raises ValueError."""
    affix, bare_number = _parted(text)
    amount = number(bare_number, mark)
    if amount is None:
        raise ValueError(f"{text!r} is not a price such as 8{mark}95")
    if affix and currency not in _codes(affix):
        raise ValueError(f"{text!r} is not a price in {currency}")
    return in_minor_units(amount, text, currency)


def in_minor_units(amount: Decimal, text: str, currency: str) -> int:
    """An amount in minor units. Raises ValueError if it is not a whole number of them."""
    minor = amount * 10 ** _MINOR_DIGITS[currency]
    if minor != minor.to_integral_value() or minor > HIGHEST_PRICE:
        raise ValueError(f"{text!r} is not a price in whole minor units of {currency}")
    return int(minor)


def _parted(text: str) -> tuple[str | None, str]:
    """The sign or code of a currency before or after a number, and the number."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or (found[1] and found[3]):
        return None, text.strip()
    affix = found[1] or found[3]
    return (affix, found[2]) if affix is None or _codes(affix) else (None, text.strip())


def _codes(affix: str) -> tuple[str, ...]:
    return (affix,) if affix in _MINOR_DIGITS else SYMBOLS.get(affix, ())
