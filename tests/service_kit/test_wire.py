"""Header blocks are read as the client library reads them, only sooner."""

from hypothesis import example, given
from hypothesis import strategies as st
from nats.aio.client import Client
from service_kit.nats.wire import CACHED_NAME_LETTERS_MAX, parse_headers

LINES = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.tuples(
            st.sampled_from([b"ce-type", b" ce-id ", b"a b", b"a\x1cb", b"\xc3\xa9", b"", b"\t"])
            | st.binary(max_size=CACHED_NAME_LETTERS_MAX + 8),
            st.sampled_from([b":", b": ", b":\t", b" : ", b"::"]),
            st.binary(max_size=20),
        ).map(b"".join),
    )
)


@given(LINES.map(b"\r\n".join))
@example(b"ce-type: comanda.order.placed.v1\r\nce-id:1\r\nce-id: 2\r\n\r\n")
@example(b"a:\x85b\r\nNBSP\xc2\xa0name: x\r\nname: caf\xe9")
def test_a_header_block_is_read_as_the_client_library_reads_it(block: bytes) -> None:
    headers = parse_headers(block)

    assert headers == Client._parse_header_lines(block)
