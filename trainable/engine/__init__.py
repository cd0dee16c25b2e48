"""Training of networks: learner, optimiser, pretrained weights, metrics."""
