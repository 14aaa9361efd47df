"""What the edge keeps on disk itself: files written whole or not at all, and the signing keys."""
