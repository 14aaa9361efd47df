"""The edge for a long time, under everything at once, held against a model of what each answer must be."""
