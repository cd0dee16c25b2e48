"""The report of a study: tables, verdicts in words, the page."""
