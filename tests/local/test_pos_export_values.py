"""Dates, numbers and prices are read as they were meant, or asked for."""

from datetime import datetime
from decimal import Decimal

import pytest
from comanda_local.pos_export.amounts import guess_mark, number
from comanda_local.pos_export.dates import given_dates, guess_dates
from comanda_local.pos_export.findings import Ambiguous, NotAnExport
from comanda_local.pos_export.money import check_currency, check_zone, guess_currency, price

AUGUST = datetime(2019, 8, 3, 19, 0)  # noqa: DTZ001 - local time, as sold


def dates(*values: str) -> list[datetime]:
    reader, _ = guess_dates(enumerate(values, 2))
    return [reader(value) for value in values]


@pytest.mark.parametrize(
    ("value", "deciding"),
    [
        ("3/8/2019 19:00", "13/8/2019 19:00"),
        ("8/3/2019 7:00 PM", "8/13/2019 7:00 AM"),
        ("03.08.2019 19:00", "31.08.2019 9:00"),
        ("03.08.2019 19.00", "31.08.2019 9.00"),
        ("08-03-2019 19:00:00", "08-31-2019 19:00:00"),
        ("2019-08-03 19:00", "2019-08-04"),
        ("2019-08-03T19:00:00.000", "2019-08-04T19:00:00.123"),
        ("2019/08/03 19:00", "2019/08/04 19:00"),
        ("3 August 2019 19:00", "3 Aug 2019"),
        ("Aug 3, 2019 7:00 pm", "Sept. 13, 2019 7:00 a.m."),
        ("03-Aug-2019 19:00", "04-Sep-2019 19:00"),
        ("03/08/19 19:00", "13/08/99 19:00"),
        ("08/03/19 19:00", "12/31/19 19:00"),
    ],
)
def test_one_date_that_can_be_read_in_one_way_decides_for_all(value: str, deciding: str) -> None:
    assert dates(value, deciding)[0] == AUGUST


@pytest.mark.parametrize(
    "values", [["3/8/2019"], ["03-08-2019", "04-08-2019"], ["03/08/19"], ["03-Aug-19"]]
)
def test_dates_of_which_none_decides_are_asked_for(values: list[str]) -> None:
    with pytest.raises(Ambiguous, match="no value decides; say --date-format"):
        dates(*values)


def test_a_date_that_is_the_same_in_either_order_needs_no_decision() -> None:
    assert [f"{day:%d %B}" for day in dates("8/8/2019")] == ["08 August"]


def test_dates_in_different_orders_are_asked_for() -> None:
    with pytest.raises(Ambiguous, match=r"'13/8/2019' \(line 2\) and '8/13/2019' \(line 3\)"):
        dates("13/8/2019", "8/13/2019")


def test_one_manner_of_writing_dates_does_not_decide_for_another() -> None:
    with pytest.raises(Ambiguous, match="07-03-2022"):
        dates("8/23/2022", "07-03-2022")


def test_a_time_without_am_or_pm_among_those_with_is_no_time() -> None:
    reader, _ = guess_dates([(2, "2019-08-03 7:00 PM"), (3, "2019-08-03 8:00")])

    with pytest.raises(ValueError, match="is not a date"):
        reader("2019-08-03 8:00")


@pytest.mark.parametrize("value", ["2019-08-03 13:00 PM", "2019-08-03 0:00 AM", "2019-08-03 24:00"])
def test_hours_that_no_clock_has_are_refused(value: str) -> None:
    reader, _ = guess_dates([(2, value)])

    with pytest.raises(ValueError, match="is not a date"):
        reader(value)


def test_noon_and_midnight_are_told_apart() -> None:
    assert [date.hour for date in dates("2019-08-03 12:05 PM", "2019-08-03 12:05 AM")] == [12, 0]


@pytest.mark.parametrize(
    ("date_format", "value"),
    [
        ("day-first", "3/8/2019 19:00"),
        ("month-first", "8/3/2019 7:00 PM"),
        ("year-first", "19-08-03 19:00"),
        ("%d/%m/%Y %H:%M", "03/08/2019 19:00"),
        ("%m/%d/%Y", "08/03/2019 7:00 PM"),
        ("%d.%m.%y", "03.08.19 19:00:00"),
        ("%Y%m%d", "20190803 19:00"),
    ],
)
def test_a_given_format_is_obeyed(date_format: str, value: str) -> None:
    assert given_dates(date_format)(value) == AUGUST


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("1,250.00", ".", "1250.00"),
        ("1.250,00", ",", "1250.00"),
        ("1 250,5", ",", "1250.5"),
        ("1'250.5", ".", "1250.5"),
        ("1\u202f250", ",", "1250"),
        (".5", ".", "0.5"),
        ("1,25", ".", None),
        ("1,2500", ".", None),
        ("0,250", ".", None),
        ("1,250,00", ".", None),
        ("1_0.95", ".", None),
        ("1e1", ".", None),
        ("٣.50", ".", None),
        ("3.", ".", None),
        ("-3", ".", None),
        ("+3", ".", None),
        ("0x10", ".", None),
        ("NaN", ".", None),
        ("Infinity", ".", None),
        ("", ".", None),
        (".", ".", None),
    ],
)
def test_a_number_is_what_people_write(text: str, mark: str, expected: str | None) -> None:
    found = number(text, mark)

    assert found == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize("values", [["1,250"], ["1.250", "3"], ["2.95", "2,95"]])
def test_a_decimal_mark_that_nothing_decides_is_asked_for(values: list[str]) -> None:
    with pytest.raises(Ambiguous, match="--decimal"):
        guess_mark(enumerate(values, 2))


@pytest.mark.parametrize(
    ("values", "mark"),
    [(["1,250", "0,80"], ","), (["1,250", "0.80"], "."), (["1.250,00"], ","), (["3"], ".")],
)
def test_a_decimal_mark_is_decided_by_one_value(values: list[str], mark: str) -> None:
    assert guess_mark(enumerate(values, 2))[0] == mark


@pytest.mark.parametrize(
    ("text", "mark", "currency", "expected"),
    [
        ("£2.95", ".", "GBP", 295),
        ("0,90 €", ",", "EUR", 90),
        ("EUR 0,90", ",", "EUR", 90),
        ("$2.39 ", ".", "CAD", 239),
        ("950", ".", "JPY", 950),
        ("¥950", ".", "JPY", 950),
        ("1.250", ".", "KWD", 1250),
    ],
)
def test_a_price_is_in_minor_units_of_its_currency(
    text: str, mark: str, currency: str, expected: int
) -> None:
    assert price(text, mark, currency) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "free", "-1", "(2.95)", "2.95-", "1.005", "NaN", "Infinity", "1e12", "1_0.95", "1e1"),
        *("٣.50", "€2.95", "$0.80", "2.95 each", "£2.95 £", "2.95%", "99999999999", "2.9.5"),
    ],
)
def test_what_is_no_price_in_pounds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a price"):
        price(text, ".", "GBP")


def test_the_currency_is_read_off_the_prices() -> None:
    assert guess_currency([(2, "0,90 €"), (3, "1,20")])[0] == "EUR"
    assert guess_currency([(2, "0.90")])[0] == "GBP"


@pytest.mark.parametrize("values", [["$2"], ["¥2"], ["£2", "$2"], ["EUR 2", "2 £"]])
def test_a_currency_that_the_prices_leave_open_is_asked_for(values: list[str]) -> None:
    with pytest.raises(Ambiguous, match="--currency"):
        guess_currency(enumerate(values, 2))


@pytest.mark.parametrize("code", ["QQQ", "eur", "", "XXX", "XTS", "DEM"])
def test_a_currency_that_does_not_exist_is_refused(code: str) -> None:
    with pytest.raises(NotAnExport, match="there is no currency"):
        check_currency(code)


@pytest.mark.parametrize("name", ["localtime", "Factory", "Europe/Atlantis", "", "europe/london"])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(NotAnExport, match="there is no time zone"):
        check_zone(name)


def test_a_zone_and_a_currency_that_exist_are_taken() -> None:
    assert check_zone("Europe/London") == "Europe/London"
    assert check_currency("EUR") == "EUR"
