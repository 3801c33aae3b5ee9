"""What the ports of the views hand on."""

from query.views.ports import DamagedView, LiveUpdate


def test_a_damaged_view_names_its_order() -> None:
    error = DamagedView("order-1")

    assert (str(error), error.order_id) == ("order-1", "order-1")


def test_an_update_is_as_large_as_its_orders() -> None:
    assert LiveUpdate("p", [b"{}", b"[1]"], is_snapshot=True).size_bytes == 5
