"""How commands and news reach ordering."""
