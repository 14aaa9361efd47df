"""Processes: sockets, supervisor, workers."""
