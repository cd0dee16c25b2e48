"""Which labels are wrong: ranking, calibration, tables, contact sheet."""
