"""The former name of `trainable.config.base`, which own methods and models made before may
import."""

from trainable.config.base import *  # noqa: F403
