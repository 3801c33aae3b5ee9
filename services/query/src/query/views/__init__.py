"""What is shown, how events fold into it, and what is derived: pure functions."""
