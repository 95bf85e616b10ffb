"""Inputs: planned into splits, each read as a stream of records and unreadable places."""
