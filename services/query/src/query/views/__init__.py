"""The views: how events fold into them and what is derived, as pure functions."""
