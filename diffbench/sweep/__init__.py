"""Measuring: what to run, the evaluation of its cells, and the store of the results."""
