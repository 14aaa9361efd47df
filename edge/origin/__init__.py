"""Connections to the servers behind the edge."""
