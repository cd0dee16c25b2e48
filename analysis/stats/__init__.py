"""The statistics of comparison: paired differences, corrections, searches.

Returns tables of numbers, no text.
"""
