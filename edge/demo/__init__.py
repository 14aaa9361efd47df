"""The demonstration: an origin that shows its caller what it was told."""
