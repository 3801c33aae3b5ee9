"""Answers every question about orders, from views that are filled by events alone."""
