"""Former name of `trainable.config.base`, kept for own methods and models that import it."""

from trainable.config.base import *  # noqa: F403
