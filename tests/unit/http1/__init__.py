"""The pure HTTP/1.1 room."""
