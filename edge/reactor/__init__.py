"""Readiness of descriptors, deadlines, and the strands of code they drive."""
