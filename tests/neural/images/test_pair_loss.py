"""The exact loss against every mask of small images, one by one."""

from math import comb

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets of images need torch")

from instashap.game.coalitions import compute_shapley_size_law, enumerate_coalitions
from instashap.neural.images.pair_loss import (
    compute_centred_loss,
    compute_exact_pair_loss,
    compute_size_modes,
    make_pair_masses,
    sum_matrix,
    sum_products,
)

SETS = [(0,), (1,), (2,), (3,), (4,), (5,), (0, 1), (1, 2, 4, 5)]


def draw(n_images=5, n_players=6, n_modes=3, n_outputs=2, rank=4, sets=SETS):
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "parts": (n_images, len(sets), n_modes, n_outputs),
        "embeddings": (n_images, n_players, rank),
        "signs": (n_modes, n_outputs, rank),
        "deviations": (n_images, n_outputs),
    }
    drawn = {name: torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in shapes.items()}
    weights = torch.rand(n_images, generator=generator, dtype=torch.float64)
    return *(each.requires_grad_() for each in drawn.values()), weights


def enumerate_loss(parts, embeddings, signs, deviations, weights, law, sets):
    """Weighted mean over images, and sum over all masks one by one, of the squared residual."""
    d, n_modes = embeddings.shape[1], parts.shape[2]
    pairs = torch.einsum("nik,njk,mck->nmcij", embeddings, embeddings, signs)
    total = 0.0
    for mask in enumerate_coalitions(d):
        size = int(mask.sum())
        live = [number for number, players in enumerate(sets) if mask[list(players)].all()]
        known = np.flatnonzero(mask)
        both = pairs[..., known[:, None], known].triu(diagonal=1).sum(dim=(3, 4))
        factors = torch.tensor([((d - size) / (d - 1)) ** m for m in range(n_modes)], dtype=torch.float64)
        value = torch.einsum("m,nmc->nc", factors, parts[:, live].sum(dim=1) + both)
        total = total + law[size] / comb(d, size) * (deviations - value).square().sum(dim=1)
    return (weights * total).sum() / weights.sum()


@pytest.mark.parametrize(("n_players", "n_modes"), [(2, 2), (3, 1), (6, 3), (8, 2)])
def test_loss_and_gradient_are_those_of_all_masks(n_players, n_modes):
    sets = [each for each in SETS if max(each) < n_players]
    law = compute_shapley_size_law(n_players, 0.7)
    *inputs, weights = draw(n_players=n_players, n_modes=n_modes, sets=sets)
    parts, embeddings, signs, deviations = inputs
    masses = make_pair_masses(sets, law, n_modes, torch.float64)
    loss = compute_exact_pair_loss(parts, sum_products(embeddings, signs, masses), deviations, weights, masses)
    expected = enumerate_loss(parts, embeddings, signs, deviations, weights, law, sets)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-10)
    for own, other in zip(torch.autograd.grad(loss, inputs), torch.autograd.grad(expected, inputs), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-9, atol=1e-10)


def test_sums_of_embeddings_are_those_of_the_matrix_of_pairs():
    _, embeddings, signs, _, _ = draw()
    masses = make_pair_masses(SETS, compute_shapley_size_law(6), 3, torch.float64)
    matrix = torch.einsum("npk,nqk,mck->npqmc", embeddings, embeddings, signs)
    matrix = matrix * (1 - torch.eye(6, dtype=torch.float64))[None, :, :, None, None]
    own, other = sum_products(embeddings, signs, masses), sum_matrix(matrix, masses)
    for name in ("totals", "rows", "squares", "inside"):
        torch.testing.assert_close(getattr(own, name), getattr(other, name))


def test_loss_of_centred_terms_is_that_of_terms_minus_their_means():
    parts, embeddings, signs, deviations, weights = draw()
    masses = make_pair_masses(SETS, compute_shapley_size_law(6, 2.0), 3, torch.float64)
    pairs = torch.einsum("npk,nqk,mck->npqmc", embeddings, embeddings, signs)
    pairs = pairs * (1 - torch.eye(6, dtype=torch.float64))[None, :, :, None, None]
    centred = sum_matrix(pairs - pairs.mean(dim=0), masses)
    expected = compute_exact_pair_loss(parts - parts.mean(dim=0), centred, deviations, torch.ones_like(weights), masses)
    torch.testing.assert_close(compute_centred_loss(parts, embeddings, signs, deviations, masses), expected)


def test_modes_are_powers_of_the_unknown_share():
    np.testing.assert_allclose(compute_size_modes(4, 3)[2], [16 / 9, 1.0, 4 / 9, 1 / 9, 0.0])
