"""Whatever a till writes is read back the same, or asked for, or named: never silently another."""

import csv
import io
import unicodedata
from datetime import datetime, timedelta
from decimal import Decimal

from comanda_local.pos_export.export import Export
from comanda_local.pos_export.findings import NotAnExport
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local.exports import read

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp1250", "cp850")
DATES = (
    *("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%m/%d/%Y %I:%M %p"),
    *("%d.%m.%y %H:%M", "%Y-%m-%dT%H:%M:%S", "%d-%b-%Y %H:%M", "%B %d, %Y %H:%M"),
)

FIRST = datetime(2001, 1, 1)  # noqa: DTZ001 - local time, as sold
IN_ALL = str.maketrans("", "", "Ż\u0301ø\n")
"""Takes out what not every encoding has."""

Sold = tuple[int, datetime, str, int, int]
"""Number, date, name, quantity and price in minor units."""

names = st.text(st.sampled_from("aZéßø Ż\",;'|\t\n-12.\u0301"), min_size=1, max_size=20).filter(
    str.strip
)
sold_rows = st.lists(
    st.tuples(
        st.integers(1, 10_000),
        st.integers(0, 15_000_000).map(lambda minutes: FIRST + timedelta(minutes=minutes)),
        names,
        st.integers(1, 999),
        st.integers(0, 1_000_000),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
)


def amount(minor_units: int, mark: str, thousands: str) -> str:
    text = f"{Decimal(minor_units) / 100:,.2f}"
    return text.translate({ord(","): thousands, ord("."): mark})


def written(rows: list[Sold], delimiter: str, date_format: str, mark: str, **dialect: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, **dialect)  # type: ignore[arg-type]
    writer.writerow(["Order Number", "Order Date", "Item Name", "Quantity", "Product Price"])
    thousands = "," if mark == "." else "."
    for number, at, name, quantity, minor_units in rows:
        price = amount(minor_units, mark, thousands)
        writer.writerow([number, at.strftime(date_format), name, quantity, price])
    return out.getvalue()


def normal(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).split())


def found(export: Export) -> set[Sold]:
    items = {item.sku: item for item in export.items}
    return {
        (int(order.number), order.at, items[line.sku].name, line.quantity, items[line.sku].price)
        for order in export.orders
        for line in order.lines
        if order.at is not None
    }


@settings(max_examples=100, deadline=None)
@given(
    rows=sold_rows,
    delimiter=st.sampled_from(",;\t|"),
    date_format=st.sampled_from(DATES),
    mark=st.sampled_from(".,"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(ENCODINGS),
)
def test_what_is_written_is_read_back_or_named(
    rows: list[Sold], delimiter: str, date_format: str, mark: str, line_end: str, encoding: str
) -> None:
    text = written(rows, delimiter, date_format, mark, lineterminator=line_end)
    content = text.encode(encoding, errors="ignore")

    try:
        export = read(content, None)
    except NotAnExport:
        return
    if export.questions:
        assert export.orders == []
        return

    expected = {
        (n, at, normal(name.encode(encoding, "ignore").decode(encoding)), q, p)
        for n, at, name, q, p in rows
    }
    assert found(export) <= expected
    assert len(found(export)) + export.left_out_count >= len(rows)


@settings(max_examples=60, deadline=None)
@given(
    rows=sold_rows,
    delimiter=st.sampled_from(",;\t|"),
    date_format=st.sampled_from(DATES),
    mark=st.sampled_from(".,"),
    encoding=st.sampled_from(ENCODINGS),
)
def test_what_is_written_is_read_back_whole_when_the_format_is_told(
    rows: list[Sold], delimiter: str, date_format: str, mark: str, encoding: str
) -> None:
    rows = [(n, at, f"x {name.translate(IN_ALL)}", q, p) for n, at, name, q, p in rows]
    text = written(rows, delimiter, date_format, mark)

    export = read(
        text.encode(encoding),
        None,
        encodings=(encoding,),
        delimiters=(delimiter,),
        date_format=date_format,
        decimals=(mark,),
    )

    assert export.left_out_count == 0
    assert found(export) == {(n, at, normal(name), q, p) for n, at, name, q, p in rows}


@settings(max_examples=100, deadline=None)
@given(
    rows=sold_rows, place=st.integers(0, 10_000), odd=st.sampled_from([b'"', b"\n", b"\xe9", b"\0"])
)
def test_a_byte_that_slipped_in_changes_no_row_but_its_own(
    rows: list[Sold], place: int, odd: bytes
) -> None:
    plain = [(n, at, f"Crème {n}", q, p) for n, at, _, q, p in rows]
    content = written(plain, ",", "%Y-%m-%d %H:%M:%S", ".").encode()
    at = content.index(b"\r\n") + 2 + place % (len(content) - content.index(b"\r\n") - 2)

    try:
        export = read(content[:at] + odd + content[at:], None)
    except NotAnExport:
        return

    assert export.questions or len(plain) - len(found(export) & set(plain)) <= 1 + (odd == b"\n")
