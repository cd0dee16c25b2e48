"""The audit's files: contact sheet, tables, corrected labels."""
