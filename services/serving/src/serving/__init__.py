"""Serving: carries each order's tickets through the kitchen to the guest."""
