"""Comanda on one machine: the embedded servers, the services, the command line."""
