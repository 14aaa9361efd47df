"""What ``scripts/load.py`` is made of: a load generator for TLS servers that ask for client certificates."""
