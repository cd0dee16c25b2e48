"""What networks start from: fields that methods share. Standard library and pydantic only."""

import functools
import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, model_validator

from trainable.config.messages import Misfit
from trainable.config.method_base import MethodConfig


class Start(MethodConfig):
    """Initial weights, and how long only the last layer learns."""

    init: Literal["random", "pretrained", "from_arm"] = "random"
    """pretrained: from the file `weights`. from_arm: from the last weights of the trial that
    `from_arm` names; it may have been trained on other data."""
    weights: str | None = None
    """A state dict, or a list of them with one a network, as `model.pt` and `best.pt` of a finished
    trial are. Only its content counts, not its place; a relative path is looked up beside the study
    file. A last layer for another number of classes is left out."""
    weights_hash: Annotated[str | None, Field(repr=False)] = None
    """Of the file's content (SHA-256), filled in when a study is read."""
    head_only_epochs: Annotated[int, Field(ge=0)] = 0
    """In the first so many epochs only the last linear layer learns; statistics of BatchNorm move
    all the same."""

    @property
    def source_needed_by(self) -> str | None:
        """The field that needs `from_arm`, if one does."""
        return "init" if self.init == "from_arm" else None

    def trains_head_only(self, finished: int) -> bool:
        """Whether the epoch after `finished` ones is among the first `head_only_epochs`."""
        return finished < self.head_only_epochs

    @model_validator(mode="before")
    @classmethod
    def _identify(cls, content: Any, info: ValidationInfo) -> Any:
        """Look at the file when a study is read; a trial that comes back from its folder knows the
        hash already."""
        study_dir = (info.context or {}).get("study_dir")
        if not isinstance(content, dict) or (study_dir is None and "weights_hash" in content):
            return content
        if "weights_hash" in content:
            raise Misfit(("weights_hash",), "is filled in by itself: leave it out")
        if content.get("init") != "pretrained":
            return content
        path = content.get("weights")
        if not isinstance(path, str):
            raise Misfit(
                ("init",),
                "pretrained needs `weights`: a file that torch.save(network.state_dict(), …) wrote",
            )
        file = (study_dir or Path()) / path
        try:
            stat = file.stat()
            return {**content, "weights_hash": content_hash(file, stat.st_mtime_ns, stat.st_size)}
        except OSError as error:
            raise Misfit(
                ("weights",), f"{path} in {file.parent} cannot be read: {error.strerror}"
            ) from None


@functools.lru_cache(maxsize=64)
def content_hash(file: Path, changed: int, size: int) -> str:
    """SHA-256 of a file, read once while its time of change and its size stay the same."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
