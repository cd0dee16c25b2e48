"""TensorBoard events and images of one trial."""
