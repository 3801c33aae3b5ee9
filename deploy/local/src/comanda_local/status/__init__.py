"""`comanda status`: the whole system on one screen, and what is wrong with it in a line."""
