"""Erasing what ordering keeps of a forgotten guest, and the operators' command."""
