"""The history of ordering's schema."""
