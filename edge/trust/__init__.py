"""Whom we believe: CA bundles, and what a verification is worth now. Pure."""
