"""mtls-edge: a mutual-TLS edge that people run themselves."""

__version__ = "0.1.0"
