"""The admin process: shows what the edge counted and how it is, to those who look after it."""
