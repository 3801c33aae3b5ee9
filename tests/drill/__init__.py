"""`make drill`: every store is lost in an evening, and what was ordered comes back."""
