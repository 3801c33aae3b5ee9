"""Commands to try the running system with, for pasting into a shell."""

import shlex
from pathlib import Path

from comanda_local.api import Addresses

TEXT = """\
# Order for table 7. The answer holds the order's id.
ORDER=$(curl -K {curl} -sS {ordering}/v1/restaurants/la-piazza/orders \\
  -H 'Content-Type: application/json' \\
  -d '{{"channel": "dine_in", "table": "7", "guests": 2,
       "lines": [{{"sku": "margherita", "quantity": 2}}, {{"sku": "tiramisu", "quantity": 1}}]}}' \\
  | sed 's/.*"order_id": *"\\([^"]*\\)".*/\\1/')

# Where is my food? The answer waits until the read side has version 1 of the order.
curl -K {curl} -sS --retry 5 --fail \\
  "{query}/v1/restaurants/la-piazza/orders/$ORDER?min_version=1"; echo

# In the kitchen: the queue, then start, ready and serve.
curl -K {curl} -sS {serving}/v1/restaurants/la-piazza/queue; echo
for MOVE in start ready serve; do
  curl -K {curl} -sS --retry 5 --retry-all-errors --fail -X POST \\
    {serving}/v1/restaurants/la-piazza/orders/$ORDER/rounds/1/$MOVE; echo
done

# The board that guests see, and the menu.
curl -K {curl} -sS {query}/v1/restaurants/la-piazza/board; echo
curl -K {curl} -sS {query}/v1/restaurants/la-piazza/menu; echo

# The bill: close the order. The answer holds its business day.
BILL=$(curl -K {curl} -sS --retry 5 --retry-all-errors --fail -X POST \\
  {ordering}/v1/restaurants/la-piazza/orders/$ORDER/close); echo "$BILL"

# What sold on that day, by item.
DAY=$(echo "$BILL" | sed 's/.*"business_day": *"\\([^"]*\\)".*/\\1/')
curl -K {curl} -sS "{query}/v1/restaurants/la-piazza/sales?from=$DAY&to=$DAY&by=item"; echo
"""


def examples(addresses: Addresses, curl: Path) -> str:
    """Commands that place an order, carry it through, and show it.

    `curl` is the file from which curl has the token.
    """
    return TEXT.format(
        ordering=addresses.ordering,
        serving=addresses.serving,
        query=addresses.query,
        curl=shlex.quote(str(curl)),
    )
