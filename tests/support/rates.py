"""Rates for services that are sent by one subject what otherwise a thousand would send."""

HIGH_RATES = {
    "COMANDA_RATE_PER_SUBJECT": "1000000/second",
    "COMANDA_RATE_PER_RESTAURANT": "1000000/second",
}
