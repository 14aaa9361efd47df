"""What the edge tells about itself: log events."""
