"""Measures how the cost of the edge grows with its configuration and its load; see ``scripts/scaling.py``."""
