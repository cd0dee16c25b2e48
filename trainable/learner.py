"""Former name of `trainable.engine.learner`, kept for own methods that import it."""

from trainable.engine.learner import *  # noqa: F403
