"""Networks in training: the learner, its optimiser, pretrained weights, metrics."""
