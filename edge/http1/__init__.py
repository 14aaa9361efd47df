"""Bytes <-> messages: HTTP/1.1 heads and bodies get one meaning, or are refused. Pure."""
