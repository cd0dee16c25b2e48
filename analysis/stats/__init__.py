"""Statistics: paired differences, multiple testing, power, searches.

Functions return numbers and tables of numbers, not text.
"""
