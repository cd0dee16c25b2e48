"""What people see: terminal tables, live views, TensorBoard."""
