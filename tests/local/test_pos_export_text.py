"""Bytes become text, and text rows, without anything getting lost or changed in silence."""

import codecs

import pytest
from comanda_local.pos_export.encodings import decode
from comanda_local.pos_export.findings import NotAnExport
from comanda_local.pos_export.orders import SoldLine

from tests.local.exports import HEADER, PRICES, ROW, left_out, read

BRULEE = "1,13/8/2019 19:00,Crème brûlée,1\n"
TEXT = HEADER + BRULEE


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("utf-32"), "utf-32"),
    ],
)
def test_unicode_is_known_by_itself(content: bytes, encoding: str) -> None:
    decoded = decode(content)

    assert (decoded.text, decoded.encoding) == (TEXT, encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "cp850", "cp1251", "shift_jis"])
def test_another_encoding_is_asked_for_and_read_when_it_is_given(encoding: str) -> None:
    text = TEXT.encode(encoding, errors="ignore").decode(encoding) + "1,1,Пирог,ナン"
    content = text.encode(encoding, errors="ignore")

    with pytest.raises(NotAnExport, match=r"it is not UTF-8 .* say which with --encoding"):
        decode(content if not content.isascii() else content + b"\x82\xe9")

    assert decode(content, encoding).text == content.decode(encoding)


def test_what_the_encoding_may_be_is_proposed() -> None:
    with pytest.raises(NotAnExport, match=r"line 2 is the first of 1\); it may be "):
        decode(TEXT.encode("cp1252"))


def test_an_encoding_that_does_not_exist_is_refused() -> None:
    with pytest.raises(NotAnExport, match="there is no text encoding 'klingon'"):
        decode(TEXT.encode(), "klingon")


def test_one_bad_byte_costs_its_row_and_no_other() -> None:
    content = TEXT.encode() + b"2,13/8/2019 19:00,Caf" + b"\xe9,1\n" + BRULEE.encode()

    export = read(content)

    [(line, reason)] = left_out(export)
    assert line == 3
    assert "bytes that are no letters" in reason
    assert export.orders[0].lines == (SoldLine("creme-brulee", 1),) * 2


def test_utf_16_with_a_byte_missing_is_refused() -> None:
    content = (HEADER + ROW * 50).encode("utf-16-le")

    with pytest.raises(NotAnExport, match="its bytes are shifted"):
        decode(content[:301] + content[302:])


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF-1.7", b"\x1f\x8b"])
def test_a_file_that_is_no_text_is_refused_by_its_kind(content: bytes) -> None:
    with pytest.raises(NotAnExport, match="no text; save it as CSV"):
        decode(content + bytes(range(256)))


def test_decomposed_letters_are_the_same_letters() -> None:
    decomposed = "1,13/8/2019 19:00,Cre\u0300me bru\u0302le\u0301e,1\n"

    [order] = read(HEADER + decomposed).orders

    assert order.lines == (SoldLine("creme-brulee", 1),)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_end_in_any_way(line_end: str) -> None:
    assert len(read((HEADER + ROW).replace("\n", line_end)).orders) == 1


def test_a_quote_that_is_never_closed_costs_its_row_and_swallows_nothing() -> None:
    odd = '2,13/8/2019 19:01,"Pilau Rice,1\n'

    export = read(HEADER + ROW + odd + ROW * 40)

    assert left_out(export) == [
        (3, "it opens a quote that does not end in place: it would swallow 40 lines")
    ]
    assert len(export.orders[0].lines) == 41


@pytest.mark.parametrize(
    "later",
    [
        '4,13/8/2019 19:02,Plain Papadum",1\n',
        '4,13/8/2019 19:02,"Pilau Rice",1\n',
        '4,13/8/2019 19:02,"",1\n',
        '4,"13/8/2019 19:02",Pilau Rice,1\n',
    ],
)
def test_a_quote_that_a_later_row_closes_swallows_no_rows(later: str) -> None:
    export = read(HEADER + '1,13/8/2019 19:01,"Pilau Rice,1\n' + ROW * 3 + later + ROW)

    assert 2 in {line for line, _ in left_out(export)}
    assert {line for line, _ in left_out(export)} <= {2, 6}
    assert sum(len(order.lines) for order in export.orders) >= 4


def test_in_an_export_of_one_file_swallowed_rows_make_no_item() -> None:
    text = 'order,item,price\n1,"Tea,1\n2,Cake",2\n3,Rice,3\n'

    export = read(text, None)

    assert [item.name for item in export.items] == ["Rice"]
    assert [line for line, _ in left_out(export)] == [2, 3]


def test_a_price_list_of_two_columns_swallows_nothing() -> None:
    prices = 'Item Name,Product Price\n"Pilau Rice,2.95\nPlain Papadum",0.80\nTea,1.00\n'

    export = read(HEADER + "1,13/8/2019 19:00,Tea,1\n", prices)

    assert [line for line, _ in left_out(export, "prices.csv")] == [2, 3]
    assert [item.name for item in export.items] == ["Tea"]


def test_an_inch_mark_costs_its_row_alone() -> None:
    export = read(HEADER + '1,13/8/2019 19:01,"12" Pizza,1\n' + ROW)

    assert [line for line, _ in left_out(export)] == [2]
    assert len(export.orders) == 1


def test_a_quoted_name_over_two_lines_is_one_name() -> None:
    export = read(HEADER + '1,13/8/2019 19:00,"Pilau\r\nRice",1\r\n')

    assert export.orders[0].lines == (SoldLine("pilau-rice", 1),)


def test_blank_rows_are_no_rows() -> None:
    export = read(HEADER + "\n" + ROW + ",,,\n\n", PRICES)

    assert export.readings["orders.csv"].row_count == 1
