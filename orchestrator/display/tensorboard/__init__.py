"""TensorBoard over studies: averages of arms, trials, and the layout of its pages."""
