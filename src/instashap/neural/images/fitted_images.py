"""Results of the fit of an image explainer, and their file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..training import Training
from .context_net import ContextNet
from .image_game import ImageGame
from .image_terms import TermChoice
from .image_training import Size
from .patches import Patches
from .reading import FLOOR, ImageModel

_KIND = "image explainer"
# Counters of batches, which only training needs.
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class FittedImages:
    """Results of ``ImageExplainer.fit``; all of them except ``model`` and ``training`` are saved.

    Attributes
    ----------
    game : ImageGame
    patches : Patches
    terms : TermChoice
    size : Size
    image_shape : tuple of int
        Shape of one image.
    output_names : tuple of str
    output_transform, value_function : str
    context : ContextNet or None
        Net of the Shapley values of the value function.
    model : ImageModel or None
    training : Training or None
    floors : tuple of float or None
        Least probabilities of the classes, below which log-odds were cut.
    """

    game: ImageGame
    patches: Patches
    terms: TermChoice
    size: Size
    image_shape: tuple[int, ...]
    output_names: tuple[str, ...]
    output_transform: str
    value_function: str
    context: ContextNet | None = None
    model: ImageModel | None = None
    training: Training | None = None
    floors: tuple[float, ...] | None = None

    def to_archive(self, output: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Content and arrays of the file; ``output`` is the explainer's option."""
        content = {
            "kind": _KIND,
            "terms": [list(each) for each in self.terms.presence_sets],
            "has_all_pairs": self.terms.has_all_pairs,
            "size": [self.size.n_modes, self.size.width, self.size.rank],
            "image_shape": list(self.image_shape),
            "output_names": list(self.output_names),
            "output_transform": self.output_transform,
            "value_function": self.value_function,
            "output": output,
        }
        if self.floors is not None:
            content["floors"] = list(self.floors)
        arrays = {f"net.{name}": value.cpu().numpy() for name, value in self.game.state_dict().items()}
        if self.context is not None:
            trunk, interactions = self.context.trunk, self.context.interactions
            rank = 0 if interactions is None else interactions.rank
            content["context"] = {"widths": list(trunk.widths), "stride": trunk.stride, "rank": rank}
            state = self.context.state_dict().items()
            arrays |= {f"context.{name}": value.cpu().numpy() for name, value in state if not name.endswith(_COUNTER)}
        return content, {"segments": self.patches.segments, **arrays}

    @classmethod
    def from_archive(cls, content: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> FittedImages:
        """Results of a fit, from the content and arrays of a file."""
        patches = Patches(arrays["segments"])
        terms = TermChoice(tuple(tuple(each) for each in content["terms"]), content["has_all_pairs"])
        size, shape = Size(*content["size"]), tuple(content["image_shape"])
        n_channels, n_outputs = 1 if len(shape) == 2 else shape[2], len(arrays["net.base"])
        rank = size.rank if terms.has_all_pairs else 0
        game = ImageGame(patches, terms.presence_sets, n_channels, size.n_modes, n_outputs, size.width, rank)
        game.load_state_dict(_select(arrays, "net."))
        context = None
        if "context" in content:
            context = ContextNet(patches, n_channels, n_outputs, **{"rank": 0, **content["context"]})
            context.load_state_dict(_select(arrays, "context."), strict=False)  # all but the counters
        facts = tuple(content["output_names"]), content["output_transform"], content["value_function"]
        floors = content.get("floors", (FLOOR,) if "below 0.001 cut" in content["output_transform"] else None)
        return cls(game, patches, terms, size, shape, *facts, context, floors=floors and tuple(floors))

    def move(self, device: torch.device) -> FittedImages:
        """Move the nets to a device, ready to explain."""
        self.game.to(device).eval()
        if self.context is not None:
            self.context.to(device).eval()
        return self

    @property
    def base_value(self) -> NDArray[np.float64]:
        """Value of the additive game without any patch, shape (n_outputs,)."""
        return np.asarray(self.game.base.double().cpu().numpy())


def _select(arrays: dict[str, NDArray[Any]], prefix: str) -> dict[str, torch.Tensor]:
    """Arrays of one net, by their names in it."""
    names = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): torch.from_numpy(np.array(arrays[name])) for name in names}
