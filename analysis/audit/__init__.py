"""Label audit: ranking of label errors, calibration, tables, contact sheet."""
