"""Duplicate detection: shingles, MinHash signatures, candidate pairs, exact Jaccard, survivors.

Pure functions on numpy arrays. No Beam, no files. Each module is imported by its own name, so that
``import dedup`` costs nothing.
"""
