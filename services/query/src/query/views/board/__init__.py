"""The board that guests see, and its estimates."""
