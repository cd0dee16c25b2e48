"""The former name of `trainable.engine.learner`, which own methods made before may import."""

from trainable.engine.learner import *  # noqa: F403
