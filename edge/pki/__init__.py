"""Making certificates. A worker never imports this room."""
