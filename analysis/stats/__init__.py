"""The statistics of comparison: paired differences, corrections, searches. Tables of numbers, no text."""
