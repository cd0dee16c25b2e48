"""Initial weights of networks: fields that methods share. Imports pydantic only."""

import functools
import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, model_validator

from trainable.config.messages import Misfit
from trainable.config.method_base import MethodConfig


class Start(MethodConfig):
    """Initial weights, and the number of epochs that train only the last layer."""

    init: Literal["random", "pretrained", "from_arm"] = "random"
    """Source of the initial weights. pretrained: the file `weights`. from_arm: the final weights of
    the trial that `from_arm` names, which may have other data."""
    weights: str | None = None
    """File of weights: a state dict, a list of one per network, or `model.pt` or `best.pt` of a
    completed trial. A relative path starts at the folder of the study file. A last layer for
    another number of classes is ignored. The trial's id depends on the content, not on the path."""
    weights_hash: Annotated[str | None, Field(repr=False)] = None
    """SHA-256 of the content of `weights`; the program fills it in when it reads a study."""
    head_only_epochs: Annotated[int, Field(ge=0)] = 0
    """Number of first epochs that train only the last linear layer; BatchNorm statistics are still
    updated."""

    @property
    def source_needed_by(self) -> str | None:
        """Name of the field that needs `from_arm`; None: no field does."""
        return "init" if self.init == "from_arm" else None

    def trains_head_only(self, finished: int) -> bool:
        """Return whether the epoch after `finished` epochs is one of the `head_only_epochs`."""
        return finished < self.head_only_epochs

    @model_validator(mode="before")
    @classmethod
    def _identify(cls, content: Any, info: ValidationInfo) -> Any:
        """Hash the file when a study is read; a trial from a folder already has the hash."""
        study_dir = (info.context or {}).get("study_dir")
        if not isinstance(content, dict) or (study_dir is None and "weights_hash" in content):
            return content
        if "weights_hash" in content:
            raise Misfit(("weights_hash",), "is filled in automatically; remove it")
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
    """Return the SHA-256 of a file; it is read again if its mtime (ns) or size (bytes) changes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
