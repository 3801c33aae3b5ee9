"""How commands and news reach serving."""
