"""The way of one request, from a TLS connection to the origin and back."""
