"""What games of patches have beside their Shapley values, in terms whose own Shapley values are zero.

With ``y_i = 1[i ∈ S] - 1/2`` and ``z_i = 1[i ∈ S] - |S| / d`` the odd part of a game consists of ``z`` times its Shapley values
(and equal shares of its total) and of terms without Shapley values. Those that a net can predict from one image are

* slopes ``(P_m(s) - mean) z_i``, m = 2, 4, 6, with ``s = 1 - 2 |S| / d``, Legendre polynomials and the mean over sizes 1 to
  d - 1, and curves ``P_{m+1}(s) - P_{m-1}(s)``, which are zero for the empty and the full coalition: games level off;
* products of three patches ``6 sum_{i<j<k} a_i a_j a_k (y_i y_j y_k - (y_i + y_j + y_k) / 12)``, because ``y_i y_j y_k`` has
  the Shapley value 1/12 for each of the three. Power sums give them at a cost linear in the number of patches.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

# Initial weights of the last layers are scaled by this factor, so that training starts from games without interactions.
_START = 0.1
# Degrees of the slopes' polynomials: two more are needed than :mod:`instashap.game.pairs` fits to few pairs.
_DEGREES = (2, 4, 6)
# Number of weighted products of three.
RANK = 24


class InteractionNet(nn.Module):
    """Interactions from features of patches and of the whole image.

    Parameters
    ----------
    n_players, n_outputs : int
    width : int
        Number of features of a patch, and of the image.
    rank : int
        Number of weighted products of three.
    """

    slope_of: Tensor
    curve_of: Tensor

    def __init__(self, n_players: int, n_outputs: int, width: int, rank: int) -> None:
        super().__init__()
        self.rank = rank
        self.inner = nn.Linear(2 * width, width)
        self.place = nn.Parameter(torch.zeros(n_players, width))
        self.slopes = nn.Linear(width, len(_DEGREES) * n_outputs)
        self.factors = nn.Linear(width, rank)
        self.factor_place = nn.Parameter(torch.zeros(n_players, rank))
        self.curves = nn.Linear(width, len(_DEGREES) * n_outputs)
        self.weights = nn.Linear(width, rank * n_outputs)
        with torch.no_grad():
            for last in (self.slopes, self.curves, self.weights):
                last.weight.mul_(_START)
                last.bias.zero_()
            self.weights.bias.normal_(0.0, _START / rank**0.5)
        polynomials = np.polynomial.legendre.legvander(1 - 2 * np.arange(n_players + 1) / n_players, max(_DEGREES) + 1)
        slopes = polynomials[:, _DEGREES] - polynomials[1:-1, _DEGREES].mean(axis=0)
        curves = polynomials[:, np.add(_DEGREES, 1)] - polynomials[:, np.subtract(_DEGREES, 1)]
        self.register_buffer("slope_of", torch.as_tensor(slopes, dtype=torch.float32), persistent=False)
        self.register_buffer("curve_of", torch.as_tensor(curves, dtype=torch.float32), persistent=False)

    def forward(self, features: Tensor, whole: Tensor, masks: Tensor) -> Tensor:
        """Sum of the terms at masks, shape (n_images, n_masks, n_outputs).

        Parameters
        ----------
        features : Tensor of shape (n_images, n_players, 2 * width)
        whole : Tensor of shape (n_images, width)
            Features of the images.
        masks : Tensor of shape (n_images, n_masks, n_players), bool
        """
        hidden = nn.functional.gelu(self.inner(features) + self.place)
        present, sizes = masks.to(hidden.dtype), masks.sum(dim=2)
        members = present - present.mean(dim=2, keepdim=True)
        slopes, curves = self.slopes(hidden).unflatten(2, (len(_DEGREES), -1)), self.curves(whole)
        curves, weights = curves.unflatten(1, (len(_DEGREES), -1)), self.weights(whole).unflatten(1, (self.rank, -1))
        of_size = torch.einsum("nsm,nsp,npmc->nsc", self.slope_of[sizes], members, slopes) + self.curve_of[sizes] @ curves
        products = _multiply_three(self.factors(hidden) + self.factor_place, present - 0.5)
        values: Tensor = of_size + products @ weights
        return values


def _multiply_three(factors: Tensor, signs: Tensor) -> Tensor:
    """Sums over all three patches of factors (n_images, n_players, rank), at signs ``y``; (n_images, n_masks, rank).

    ``6 e_3(a y) = t³ - (3/4) A_2 t + (1/2) sum_i a_i³ y_i`` with ``t = sum_i a_i y_i`` and ``A_m = sum_i a_i^m``, as
    ``y_i² = 1/4``. What is subtracted has the coefficient ``a_i / 2 · e_2`` of ``y_i``, e_2 of the factors but a_i.
    """
    squares = factors.square()
    first, second = factors.sum(dim=1, keepdim=True), squares.sum(dim=1, keepdim=True)
    others = ((first - factors).square() - (second - squares)) / 2
    linear = factors * (squares / 2 - 0.75 * second - others / 2)
    return (signs @ factors) ** 3 + signs @ linear
