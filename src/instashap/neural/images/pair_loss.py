"""The exact masked loss with a term for every pair of players, at a cost linear in their number.

The game is ``g(x; S) = base + sum_m b_m(|S|) [sum_R 1[R ⊆ S] h_R^m(x) + sum_{i<j} 1[i, j ∈ S] p_ij^m(x)]`` with the size
modes ``b_m(s) = ((d - s) / (d - 1))^m``: ``b_0 = 1`` is the plain additive game, the others reduce a part as more players are
known (method.md, section 6) and vanish at the full set. Two parts are both present with mass ``π_{|R ∪ R'|}``, which for two
pairs depends only on the number of shared players, so a few sums replace the matrix of all pairs of pairs: with
``r_i = sum_j p_ij``, ``T = sum_{i<j} p_ij`` and ``Q = sum_{i<j} p_ij²``, the sum of products is ``Q`` over equal pairs,
``sum_i r_i² - 2 Q`` over pairs that share one player, and ``T² - sum_i r_i² + Q`` over disjoint pairs. For
``p_ij = sum_k w_k e_ik e_jk`` all of these are power sums of the embeddings ``e_i``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...game.coalitions import compute_containment_masses
from ...game.terms import PresenceSet, count_unions, make_presence_masks
from ..losses import MaskMasses, compute_exact_loss


def compute_size_modes(n_players: int, n_modes: int) -> NDArray[np.float64]:
    """``b_m(s) = ((d - s) / (d - 1))^m`` for every mode and size, shape (n_modes, n_players + 1).

    Examples
    --------
    >>> compute_size_modes(3, 2)
    array([[1. , 1. , 1. , 1. ],
           [1.5, 1. , 0.5, 0. ]])
    """
    share = (n_players - np.arange(n_players + 1)) / (n_players - 1)
    return np.asarray(share ** np.arange(n_modes)[:, None])


@dataclass(frozen=True)
class PairMasses:
    """Masses of a mask law that the loss needs for parts and pairs.

    Attributes
    ----------
    parts : MaskMasses
        Masses of the parts, one for each presence set and mode.
    own : Tensor of shape (n_modes,)
        ``sum_S μ b_m`` over the coalitions that contain two given players.
    shared : Tensor of shape (3, n_modes, n_modes)
        ``sum_S μ b_m b_m'`` over the coalitions that contain 2, 3, 4 given players.
    beside : Tensor of shape (3, n_sets, n_modes, n_modes)
        ``sum_S μ b_m b_m'`` over the coalitions that contain a presence set and 0, 1, 2 further players.
    members : Tensor of shape (n_sets, n_players)
        1 for the players of each presence set.
    """

    parts: MaskMasses
    own: Tensor
    shared: Tensor
    beside: Tensor
    members: Tensor

    @cached_property
    def large(self) -> Tensor:
        """Positions of the sets of several players, which are those that contain pairs."""
        return torch.nonzero(self.members.sum(dim=1) > 1.5)[:, 0]

    def to(self, device: torch.device) -> "PairMasses":
        """The masses on a device."""
        return PairMasses(*(getattr(self, each.name).to(device) for each in fields(self)))


def make_pair_masses(
    presence_sets: Sequence[PresenceSet], size_law: NDArray[np.float64], n_modes: int, dtype: torch.dtype = torch.float32
) -> PairMasses:
    """Masses of parts and pairs under a size law of shape (n_players + 1,)."""
    d = len(size_law) - 1
    modes = compute_size_modes(d, n_modes)
    # Sizes beyond d are padded with zeros; no such sets exist, so the values are multiplied by zero sums.
    single = np.array([np.pad(compute_containment_masses(size_law * each), (0, 4)) for each in modes])  # (n_modes, d + 5)
    double = np.array([[np.pad(compute_containment_masses(size_law * a * b), (0, 4)) for b in modes] for a in modes])
    members = make_presence_masks(presence_sets, d)
    sizes, n_parts = members.sum(axis=1), len(presence_sets) * n_modes
    unions = double[:, :, count_unions(members)].transpose(2, 0, 3, 1).reshape(n_parts, n_parts)
    own = torch.tensor(single[:, sizes].T.reshape(-1), dtype=dtype)
    parts = MaskMasses(float(size_law.sum()), own, torch.tensor(unions, dtype=dtype))
    beside = np.stack([double[:, :, sizes + more].transpose(2, 0, 1) for more in range(3)])
    shared = np.stack([double[:, :, size] for size in (2, 3, 4)])
    return PairMasses(parts, *(torch.tensor(each, dtype=dtype) for each in (single[:, 2], shared, beside, members)))


@dataclass(frozen=True)
class PairSums:
    """Sums over the symmetric matrix of pairs that the loss needs, for every image, mode and output.

    Attributes
    ----------
    totals : Tensor of shape (n_images, n_modes, n_outputs)
        ``T``.
    rows : Tensor of shape (n_images, n_players, n_modes, n_outputs)
        ``r_i``.
    squares : Tensor of shape (n_images, n_outputs)
        ``Q``: products of two modes' pairs, times their coefficient in the loss, ``π_2 - 2 π_3 + π_4`` of the modes.
    inside : Tensor of shape (n_images, n_large, n_modes, n_outputs)
        Sum of the pairs within each presence set of several players.
    """

    totals: Tensor
    rows: Tensor
    squares: Tensor
    inside: Tensor


def sum_products(embeddings: Tensor, signs: Tensor, masses: PairMasses) -> PairSums:
    """Sums over the pairs ``p_ij = sum_k w_k e_ik e_jk``, computed without the matrix of pairs.

    Parameters
    ----------
    embeddings : Tensor of shape (n_images, n_players, rank)
        ``e_i``.
    signs : Tensor of shape (n_modes, n_outputs, rank)
        ``w``.
    masses : PairMasses
    """
    mass, members = _weigh_squares(masses), masses.members[masses.large]
    whole = embeddings.sum(dim=1, keepdim=True)
    rows = torch.einsum("npk,mck->npmc", embeddings * (whole - embeddings), signs)
    own = torch.einsum("npk,mck->npmc", embeddings.square(), signs)  # "pairs" of a player with itself
    gram = torch.einsum("npk,npl->nkl", embeddings, embeddings)
    ordered = torch.einsum("nkl,ckl->nc", gram.square(), torch.einsum("mu,mck,ucl->ckl", mass, signs, signs))
    sums = torch.einsum("rp,npk->nrk", members, embeddings)
    inside = torch.einsum("nrk,mck->nrmc", sums.square() - torch.einsum("rp,npk->nrk", members, embeddings.square()), signs) / 2
    return PairSums(rows.sum(dim=1) / 2, rows, (ordered - _multiply(own, mass)) / 2, inside)


def sum_matrix(pairs: Tensor, masses: PairMasses) -> PairSums:
    """Sums over given matrices of pairs, shape (n_images, n_players, n_players, n_modes, n_outputs), with zero diagonal."""
    members = masses.members[masses.large]
    rows = pairs.sum(dim=2)
    inside = torch.einsum("rp,rq,npqmc->nrmc", members, members, pairs) / 2
    return PairSums(rows.sum(dim=1) / 2, rows, _multiply(pairs.flatten(1, 2), _weigh_squares(masses)) / 2, inside)


def _weigh_squares(masses: PairMasses) -> Tensor:
    equal, one, none = masses.shared.unbind()  # by how many players two pairs share
    return equal - 2 * one + none


def _multiply(values: Tensor, mass: Tensor) -> Tensor:
    """``sum_p sum_mu mass_mu v_pm v_pu``: values (n_images, n_rows, n_modes, n_outputs) to (n_images, n_outputs)."""
    return (torch.einsum("mu,npuc->npmc", mass, values) * values).sum(dim=(1, 2))


def compute_exact_pair_loss(parts: Tensor, pairs: PairSums, deviations: Tensor, weights: Tensor, masses: PairMasses) -> Tensor:
    """Masked squared loss of parts and all pairs with an exact mask expectation.

    Parameters
    ----------
    parts : Tensor of shape (n_images, n_sets, n_modes, n_outputs)
        ``h_R^m``.
    pairs : PairSums
    deviations : Tensor of shape (n_images, n_outputs)
        Outputs minus the base value.
    weights : Tensor of shape (n_images,)
    masses : PairMasses

    Returns
    -------
    Tensor of shape ()
        Weighted mean over images, summed over outputs.
    """
    of_parts = compute_exact_loss(parts.flatten(1, 2), deviations, weights, masses.parts)
    linear = torch.einsum("m,nmc->nc", masses.own, pairs.totals)
    _, one, none = masses.shared
    among = pairs.squares + _multiply(pairs.rows, one - none) + _multiply(pairs.totals.unsqueeze(1), none)
    rows = (among + 2 * _multiply_beside(parts, pairs, masses) - 2 * deviations * linear).sum(dim=1)
    return of_parts + (weights * rows).sum() / weights.sum()


def _multiply_beside(parts: Tensor, pairs: PairSums, masses: PairMasses) -> Tensor:
    """Sum of the products of every part and every pair, weighted by mass; shape (n_images, n_outputs).

    A pair contains two, one or none of a set's players. With ``touched`` the sum of ``r_i`` over the set's players, the pairs
    of these kinds sum to ``inside``, ``touched - 2 inside`` and ``totals - touched + inside``.
    """
    two, one, none = masses.beside
    touched = torch.einsum("rp,npmc->nrmc", masses.members, pairs.rows)
    found = (torch.einsum("nrmc,rmu->nruc", parts, one - none) * touched).sum(dim=(1, 2))
    found = found + (torch.einsum("nrmc,rmu->nuc", parts, none) * pairs.totals).sum(dim=1)
    if len(masses.large):
        curved = torch.einsum("nrmc,rmu->nruc", parts[:, masses.large], (two - 2 * one + none)[masses.large])
        found = found + (curved * pairs.inside).sum(dim=(1, 2))
    return found


def average_pairs(embeddings: Tensor, signs: Tensor) -> Tensor:
    """Mean over images of every pair, shape (n_players, n_players, n_modes, n_outputs), with zero diagonal."""
    products = torch.einsum("npk,nqk->pqk", embeddings, embeddings) / len(embeddings)
    products = products * (1 - torch.eye(products.shape[0], dtype=products.dtype, device=products.device))[:, :, None]
    return torch.einsum("pqk,mck->pqmc", products, signs)


def compute_centred_loss(
    parts: Tensor, embeddings: Tensor | None, signs: Tensor, deviations: Tensor, masses: PairMasses
) -> Tensor:
    """The loss with every part and pair less its mean over the images of the batch: their best constants.

    A pair of embeddings cannot free itself of its mean, and would bend its shape to do so. Subtracting means ``h̄`` from
    terms changes the loss by ``- h̄ᵀ W h̄ + 2 ē wᵀ h̄``, which is minus the loss of ``h̄`` itself, but for a constant.

    Parameters
    ----------
    parts : Tensor of shape (n_images, n_sets, n_modes, n_outputs)
    embeddings : Tensor of shape (n_images, n_players, rank), or None where there are no pairs
    signs : Tensor of shape (n_modes, n_outputs, rank)
    deviations : Tensor of shape (n_images, n_outputs)
    masses : PairMasses
    """
    weights = torch.ones_like(deviations[:, 0])
    centred = parts - parts.mean(dim=0, keepdim=True)
    if embeddings is None:
        return compute_exact_loss(centred.flatten(1, 2), deviations, weights, masses.parts)
    loss = compute_exact_pair_loss(centred, sum_products(embeddings, signs, masses), deviations, weights, masses)
    means = sum_matrix(average_pairs(embeddings, signs).unsqueeze(0), masses)
    nothing, mean = torch.zeros_like(parts[:1]), deviations.mean(dim=0, keepdim=True)
    of_means = compute_exact_pair_loss(nothing, means, mean, weights[:1], masses)
    return loss - of_means + masses.parts.total * mean.square().sum()
