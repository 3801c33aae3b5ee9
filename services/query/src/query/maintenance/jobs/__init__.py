"""What takes an operator long: carried out one at a time, beside the service, and looked at."""
