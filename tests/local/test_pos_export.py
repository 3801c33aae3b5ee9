"""Exports of one file or two: what becomes an order, and what is left out and named."""

import pytest
from comanda_local.menus import Item
from comanda_local.pos_export.columns import parse_columns
from comanda_local.pos_export.file_format import Numbers, parse_format
from comanda_local.pos_export.findings import NotAnExport
from comanda_local.pos_export.orders import SoldLine

from tests.local.exports import HEADER, PRICES, ROW, SHARED, left_out, read

BAGUETTES = "ticket_number,article,Quantity,unit_price\n1,BAGUETTE,2,0.90\n1,PAIN,1,1.15\n"


def items(prices: str) -> dict[str, Item]:
    return {item.name: item for item in read(HEADER + ROW, prices).items}


def test_prices_are_read_into_minor_units() -> None:
    found = items(PRICES)

    assert found["Pilau Rice"] == Item("pilau-rice", "Pilau Rice", "Takeaway", 295)
    assert found["Plain Papadum"].price == 80


def test_names_that_differ_only_in_punctuation_get_different_skus() -> None:
    found = items('Item Name,Product Price\nCoke (can),1\n"Coke, can",1\nCoke - Can!,1\n')

    assert [item.sku for item in found.values()] == ["coke-can", "coke-can-2", "coke-can-3"]


def test_a_name_without_latin_letters_gets_a_sku_too() -> None:
    found = items("Item Name,Product Price\n担々麺,9\n天津飯,8\nCrème brûlée,5\n")

    assert [item.sku for item in found.values()] == ["item", "item-2", "creme-brulee"]


def test_a_very_long_name_gets_a_sku_that_is_allowed() -> None:
    found = items(f"Item Name,Product Price\n{'a' * 100},1\n{'a' * 101},1\n")

    assert all(len(item.sku) <= 64 for item in found.values())
    assert len({item.sku for item in found.values()}) == 2


def test_an_item_with_two_prices_keeps_the_first() -> None:
    export = read(HEADER + ROW, PRICES + "Pilau Rice,3\nPilau Rice,2.95\n")

    assert [line for line, _ in left_out(export, "prices.csv")] == [5]
    assert export.items[0].price == 295


def test_the_rows_of_an_order_are_brought_together_from_anywhere_in_the_file() -> None:
    export = read(
        HEADER
        + "2,14/8/2019 20:25,Pilau Rice,1\n"
        + "1,13/8/2019 19:00,Pilau Rice,2\n"
        + "2,14/8/2019 20:25,Plain Papadum,3\n"
    )

    assert [(order.number, order.lines) for order in export.orders] == [
        ("1", (SoldLine("pilau-rice", 2),)),
        ("2", (SoldLine("pilau-rice", 1), SoldLine("plain-papadum", 3))),
    ]


def test_an_item_that_is_there_twice_stays_two_lines() -> None:
    [order] = read(HEADER + ROW + ROW).orders

    assert order.lines == (SoldLine("pilau-rice", 1), SoldLine("pilau-rice", 1))


def test_quoted_commas_and_spaces_around_a_name_are_understood() -> None:
    export = read(
        HEADER + '1,13/8/2019 19:00," Rice, boiled ",1\n',
        'Item Name,Product Price\n"Rice,  boiled",2\n',
    )

    assert export.left_out_count == 0
    assert export.orders[0].lines == (SoldLine("rice-boiled", 1),)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,13/8/2019 19:00,Lobster,1", "'Lobster' is not in the price list"),
        ("1,13/8/2019 19:00,Pilau Rice,0", "'0' is not a quantity"),
        ("1,13/8/2019 19:00,Pilau Rice,-3", "'-3' is not a quantity"),
        ("1,13/8/2019 19:00,Pilau Rice,1000", "'1000' is not a quantity"),
        ("1,13/8/2019 19:00,Pilau Rice,1.5", "'1.5' is not a quantity"),
        ("1,13/8/2019 19:00,Pilau Rice,two", "'two' is not a quantity"),
        ("1,13/8/2019 19:00,Pilau Rice,²", "'²' is not a quantity"),
        ("1,31/13/2019 19:00,Pilau Rice,1", "'31/13/2019 19:00' is not a date"),
        ("1,13/8/2019 25:00,Pilau Rice,1", "'13/8/2019 25:00' is not a date"),
        ("1,43680.79,Pilau Rice,1", "'43680.79' is not a date"),
        (" ,13/8/2019 19:00,Pilau Rice,1", "the order number is missing"),
        ("1\a,13/8/2019 19:00,Pilau Rice,1", "'1\\x07' is not a number"),
        ("1.23457E+11,13/8/2019 19:00,Pilau Rice,1", "a spreadsheet has rounded"),
        ("1,13/8/2019 19:00,,1", "'' is not a name"),
        ("1,13/8/2019 19:00,Pilau Rice", "it has not the 4 fields"),
        ("1,13/8/2019 19:00,Pilau Rice,1,1", "it has not the 4 fields"),
        ("Total,,,3", "'' is not a date"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_the_others_are_kept(row: str, reason: str) -> None:
    export = read(f"{HEADER}{ROW}{row}\n{ROW}")

    [(line, why)] = left_out(export)
    assert line == 3
    assert reason in why
    assert len(export.orders[0].lines) == 2


def test_lines_beyond_what_an_order_may_have_are_reported() -> None:
    export = read(HEADER + ROW * 201)

    assert len(export.orders[0].lines) == 200
    assert [line for line, _ in left_out(export)] == [202]


@pytest.mark.parametrize("text", ["\n", "Order,Item\n1,Pilau Rice\n", "Item\nPilau Rice\n"])
def test_a_file_with_other_columns_is_refused_in_words(text: str) -> None:
    with pytest.raises(NotAnExport, match=r"orders.csv: there is no column '.+'; line 1 has"):
        read(text, None)


def test_an_empty_file_is_refused_in_words() -> None:
    with pytest.raises(NotAnExport, match=r"orders\.csv: there is no column at all: it is empty"):
        read("")


@pytest.mark.parametrize(
    "header",
    [
        "order number,ORDER DATE,item name,quantity\n",
        "order_number;order_date;item_name;qty\n",
        "OrderNumber\tOrderDate\tItemName\tQuantity\n",
        "Order #|Date|Product|Qty\n",
    ],
)
def test_columns_are_found_by_other_names_and_delimiters(header: str) -> None:
    delimiter = next(mark for mark in ";\t|," if mark in header)

    export = read(header + ROW.replace(",", delimiter))

    assert export.left_out_count == 0
    assert len(export.orders) == 1


def test_the_header_is_found_below_titles_and_a_line_that_names_the_delimiter() -> None:
    export = read("sep=;\nSales report\n\n" + (HEADER + ROW).replace(",", ";"))

    assert len(export.orders) == 1
    assert "header in line 4, below 1 of titles" in export.readings["orders.csv"].notes


def test_a_row_above_the_header_is_named() -> None:
    assert left_out(read(ROW + HEADER + ROW)) == [(1, "it stands above the header")]


def test_two_columns_that_may_be_the_same_have_to_be_told_apart() -> None:
    text = "Order ID,Ticket,Item,Price\n1,7,Rice,2.50\n"

    with pytest.raises(NotAnExport, match="'Order ID' or 'Ticket'; say which with --columns order"):
        read(text, None)

    [order] = read(text, None, columns=parse_columns("order=Ticket")).orders
    assert order.number == "7"


def test_columns_may_be_named_by_the_user() -> None:
    text = "Bon,Gericht,Preis,Datum\n1,Brezn,1.20,x\n"
    columns = parse_columns("order=Bon,item=Gericht,price=Preis,date=")

    [order] = read(text, None, columns=columns).orders

    assert order.lines == (SoldLine("brezn", 1),)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ("order", "is not such as order=Bon no"),
        ("colour=red", "there is no column 'colour'"),
        ("date=Datum", "no file has a column 'Datum'"),
    ],
)
def test_columns_that_can_not_be_are_refused(columns: str, reason: str) -> None:
    with pytest.raises(NotAnExport, match=reason):
        read(HEADER + ROW, columns=parse_columns(columns))


def test_an_export_of_one_file_has_its_items_at_the_prices_of_its_rows() -> None:
    export = read(BAGUETTES + "2,PAIN,1,1.20\n", None)

    assert [(item.sku, item.price) for item in export.items] == [
        ("baguette", 90),
        ("pain", 115),
        ("pain-2", 120),
    ]
    assert [order.lines[-1].sku for order in export.orders] == ["pain", "pain-2"]


def test_a_total_is_parted_by_the_quantity_and_named_where_that_leaves_a_rest() -> None:
    text = "order_id\tquantity\titem_name\titem_total_price\n1\t2\tBowl\t£16.98\n1\t2\tIce\t£1.01\n"

    export = read(text, None)

    assert [item.price for item in export.items] == [849]
    assert left_out(export) == [(3, "'£1.01' is not a total of 2 at one price")]


def test_options_are_a_note_to_the_kitchen() -> None:
    text = "order_id,item_name,choice_description,price\n1,Izze,Apple,3\n1,Chips,NULL,2\n"

    [order] = read(text, None).orders

    assert [line.note for line in order.lines] == ["Apple", None]


def test_two_files_are_joined_by_the_items_id() -> None:
    export = read(
        "order_id,order_date,order_time,item_id\n1,2023-01-01,11:38:36 AM,109\n",
        "menu_item_id,item_name,category,price\n109,Korean Beef Bowl,Asian,17.95\n",
    )

    assert export.items == (Item("korean-beef-bowl", "Korean Beef Bowl", "Asian", 1795),)
    assert export.orders[0].lines == (SoldLine("korean-beef-bowl", 1),)


def test_an_order_number_that_is_used_anew_is_asked_for_and_never_merged() -> None:
    text = HEADER + ROW + "1,14/8/2019 19:00,Plain Papadum,1\n"

    assert read(text).orders == []
    assert "order 1 has rows of 2019-08-13 19:00 (line 2)" in read(text).questions[0]
    assert len(read(text, numbers=Numbers.REUSED).orders) == 2
    assert len(read(text, numbers=Numbers.UNIQUE).orders) == 1


def test_order_numbers_that_were_taken_for_decimals_are_whole_again() -> None:
    [order] = read(BAGUETTES.replace("\n1,", "\n150040.0,"), None).orders

    assert order.number == "150040"


def test_numbers_that_differ_only_in_decimals_stay_apart() -> None:
    orders = read(BAGUETTES + "1.0,PAIN,1,1.15\n", None).orders

    assert [order.number for order in orders] == ["1", "1.0"]


def test_what_is_asked_of_the_price_list_leaves_no_row_out() -> None:
    export = read(HEADER + ROW, "Item Name,Product Price\nPilau Rice,$2\n")

    assert len(export.questions) == 1
    assert export.left_out_count == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("currency", "QQQ"),
        ("currency", "eur"),
        ("currency", "XXX"),
        ("date_format", "dd.mm.yyyy"),
        ("date_format", "%d/%m"),
        ("decimals", ["x"]),
        ("decimals", [".", ",", "."]),
        ("delimiters", ["ab"]),
        ("delimiters", ['"']),
    ],
)
def test_options_that_mean_nothing_are_refused(option: str, value: object) -> None:
    given: dict[str, object] = {
        "columns": "",
        "date_format": None,
        "decimals": [],
        "encodings": [],
        "delimiters": [],
        "currency": None,
        "numbers": None,
    }

    with pytest.raises(NotAnExport):
        parse_format(**given | {option: value})  # type: ignore[arg-type]


def test_every_order_of_the_real_export_is_understood() -> None:
    folder = SHARED / "data"
    if not folder.exists():
        pytest.skip("skipped: the real export is not beside this repository (../shared/data)")

    export = read(
        (folder / "takeaway-orders.csv").read_bytes(), (folder / "takeaway-prices.csv").read_bytes()
    )

    assert len(export.orders) == 13_397
    assert sum(len(order.lines) for order in export.orders) == 74_818
    assert max(len(order.lines) for order in export.orders) == 60
    assert export.questions == []
    assert export.left_out_count == 0


@pytest.mark.parametrize(
    ("orders", "prices", "count", "lines", "bad"),
    [
        ("tab-separated-with-options.tsv", None, 608, 1499, 0),
        ("ids-ampm-orders.csv", "ids-ampm-menu.csv", 883, 1974, 25),
        ("decimal-comma-euro.csv", None, 7, 12, 0),
    ],
)
def test_other_real_exports_are_understood(
    orders: str, prices: str | None, count: int, lines: int, bad: int
) -> None:
    folder = SHARED / "data" / "exports"
    if not folder.exists():
        pytest.skip("skipped: these exports are not beside this repository (../shared/data)")
    contents = [(folder / name).read_bytes() if name else None for name in (orders, prices)]

    export = read(contents[0] or b"", contents[1], currency="EUR" if "euro" in orders else "USD")

    assert len(export.orders) == count
    assert sum(len(order.lines) for order in export.orders) == lines
    assert export.left_out_count == bad
