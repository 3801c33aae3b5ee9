"""The stream that serving keeps its tickets in."""
