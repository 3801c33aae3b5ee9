"""Exports are read whatever they look like, and what can't be used is named with its line."""

from pathlib import Path

import pytest
from comanda_local.menus import Item
from comanda_local.pos_export import NotAnExport, decode, read_orders, read_prices

REAL = Path(__file__).parents[3] / "shared" / "data"

PRICES = "Item Name,Product Price\nPilau Rice,2.95\nPlain Papadum,0.8\n"
ITEMS = read_prices(PRICES).items
HEADER = "Order Number,Order Date,Item Name,Quantity\n"


def test_prices_are_read_into_minor_units() -> None:
    found = read_prices(PRICES)

    assert found.items["Pilau Rice"] == Item("pilau-rice", "Pilau Rice", "Takeaway", 295)
    assert found.items["Plain Papadum"].price == 80
    assert found.bad_rows == []


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    text = decode(PRICES.encode("utf-8-sig"))

    assert list(read_prices(text).items) == ["Pilau Rice", "Plain Papadum"]


def test_a_file_that_is_not_utf_8_is_read_as_western_windows() -> None:
    assert decode("Crème brûlée".encode("cp1252")) == "Crème brûlée"


def test_names_that_differ_only_in_punctuation_get_different_skus() -> None:
    found = read_prices('Item Name,Product Price\nCoke (can),1\n"Coke, can",1\nCoke - Can!,1\n')

    assert [item.sku for item in found.items.values()] == ["coke-can", "coke-can-2", "coke-can-3"]


def test_a_name_without_latin_letters_gets_a_sku_too() -> None:
    found = read_prices("Item Name,Product Price\n担々麺,9\n天津飯,8\nCrème brûlée,5\n")

    assert [item.sku for item in found.items.values()] == ["item", "item-2", "creme-brulee"]


def test_a_very_long_name_gets_a_sku_that_is_allowed() -> None:
    found = read_prices(f"Item Name,Product Price\n{'a' * 100},1\n{'a' * 101},1\n")

    assert all(len(item.sku) <= 64 for item in found.items.values())
    assert len({item.sku for item in found.items.values()}) == 2


@pytest.mark.parametrize("price", ["", "free", "-1", "1.005", "NaN", "Infinity", "1e12"])
def test_a_price_that_is_none_is_reported(price: str) -> None:
    found = read_prices(f"Item Name,Product Price\nPilau Rice,{price}\n")

    [bad] = found.bad_rows
    assert bad.line == 2
    assert "is not a price" in bad.reason
    assert not found.items


def test_an_item_with_two_prices_keeps_the_first() -> None:
    found = read_prices(PRICES + "Pilau Rice,3\nPilau Rice,2.95\n")

    assert [bad.line for bad in found.bad_rows] == [4]
    assert found.items["Pilau Rice"].price == 295


def test_the_rows_of_an_order_are_brought_together_from_anywhere_in_the_file() -> None:
    found = read_orders(
        HEADER
        + "2,4/8/2019 20:25,Pilau Rice,1\n"
        + "1,3/8/2019 19:00,Pilau Rice,2\n"
        + "2,4/8/2019 20:25,Plain Papadum,3\n",
        ITEMS,
    )

    assert [(order.number, order.lines) for order in found.orders] == [
        ("1", (("pilau-rice", 2),)),
        ("2", (("pilau-rice", 1), ("plain-papadum", 3))),
    ]


def test_orders_come_by_date_with_the_day_before_the_month() -> None:
    found = read_orders(
        HEADER + "1,1/12/2019 09:00,Pilau Rice,1\n2,2/11/2019 09:00,Pilau Rice,1\n", ITEMS
    )

    assert [f"{order.at:%d %B}" for order in found.orders] == ["02 November", "01 December"]


def test_an_item_that_is_there_twice_stays_two_lines() -> None:
    row = "1,3/8/2019 19:00,Pilau Rice,1\n"

    [order] = read_orders(HEADER + row + row, ITEMS).orders

    assert order.lines == (("pilau-rice", 1), ("pilau-rice", 1))


def test_quoted_commas_and_spaces_around_a_name_are_understood() -> None:
    items = read_prices('Item Name,Product Price\n"Rice,  boiled",2\n').items

    found = read_orders(HEADER + '1,3/8/2019 19:00," Rice, boiled ",1\n', items)

    assert found.bad_rows == []
    assert found.orders[0].lines == (("rice-boiled", 1),)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,3/8/2019 19:00,Lobster,1", "'Lobster' is not in the price list"),
        ("1,3/8/2019 19:00,Pilau Rice,0", "'0' is not a quantity"),
        ("1,3/8/2019 19:00,Pilau Rice,1000", "'1000' is not a quantity"),
        ("1,3/8/2019 19:00,Pilau Rice,two", "'two' is not a quantity"),
        ("1,3/8/2019 19:00,Pilau Rice,²", "'²' is not a quantity"),
        ("1,8/31/2019 19:00,Pilau Rice,1", "'8/31/2019 19:00' is not a date"),
        (" ,3/8/2019 19:00,Pilau Rice,1", "the order number is missing"),
        ("1,3/8/2019 19:00,,1", "'' is not a name"),
        ("1,3/8/2019 19:00,Pilau Rice", "it has not the 4 fields"),
        ("1,3/8/2019 19:00,Pilau Rice,1,1", "it has not the 4 fields"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_the_others_are_kept(row: str, reason: str) -> None:
    good = "1,3/8/2019 19:00,Pilau Rice,1\n"

    found = read_orders(f"{HEADER}{good}{row}\n{good}", ITEMS)

    [bad] = found.bad_rows
    assert bad.line == 3
    assert reason in bad.reason
    assert len(found.orders[0].lines) == 2


def test_lines_beyond_what_an_order_may_have_are_reported() -> None:
    found = read_orders(HEADER + "1,3/8/2019 19:00,Pilau Rice,1\n" * 201, ITEMS)

    assert len(found.orders[0].lines) == 200
    assert [bad.line for bad in found.bad_rows] == [202]


@pytest.mark.parametrize("text", ["", "\n", "Order,Item\n1,Pilau Rice\n"])
def test_a_file_with_other_columns_is_refused_in_words(text: str) -> None:
    with pytest.raises(NotAnExport, match="there is no column 'Order Number'"):
        read_orders(text, ITEMS)


def test_every_order_of_the_real_export_is_understood() -> None:
    if not REAL.exists():
        pytest.skip("skipped: the real export is not beside this repository (../shared/data)")

    prices = read_prices(decode((REAL / "takeaway-prices.csv").read_bytes()))
    found = read_orders(decode((REAL / "takeaway-orders.csv").read_bytes()), prices.items)

    assert len(found.orders) == 13_397
    assert sum(len(order.lines) for order in found.orders) == 74_818
    assert max(len(order.lines) for order in found.orders) == 60
    assert found.bad_rows == prices.bad_rows == []
