"""Compares the edge with other servers that verify client certificates; see ``scripts/compare.py``."""
