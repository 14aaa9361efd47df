"""The argument behind a verdict: what a worker would do with a request, step by step, and why.

Nobody connects and nothing is sent. The steps are a worker's own functions.
"""
