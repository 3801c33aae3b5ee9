"""Restaurants, menus and orders, and what may happen to them: pure Python."""
