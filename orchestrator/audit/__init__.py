"""Files of a label audit: contact sheet, tables, corrected labels."""
