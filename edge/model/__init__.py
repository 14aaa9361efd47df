"""The nouns every other room speaks of: names, the flag, heads of messages, refusals.

Standard library only, frozen, and without an opinion: nothing here reads bytes from anywhere,
asks a clock, or decides who may pass.
"""
