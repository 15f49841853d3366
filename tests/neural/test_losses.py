"""The exact masked loss against sums over all masks, written out."""

from itertools import combinations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from instashap.game.coalitions import compute_shapley_size_law, enumerate_coalitions  # noqa: E402
from instashap.neural.losses import (  # noqa: E402
    compute_cross_entropy,
    compute_exact_loss,
    compute_sampled_loss,
    make_mask_masses,
    sum_live_parts,
)
from instashap.neural.nets import AdditiveNet, NetShape  # noqa: E402


def make_net(d, order, presence_order, n_outputs=2):
    """A small net in double precision with shared functions that are not zero, and rows for it."""
    value_sets = [each for size in range(1, order + 1) for each in combinations(range(d), size)]
    larger = [each for size in range(2, presence_order + 1) for each in combinations(range(d), size)]
    torch.manual_seed(0)
    net = AdditiveNet(np.arange(d), value_sets, range(d), larger, n_outputs, NetShape(2, (3,), (2, 2, 2), (2, 1, 1))).double()
    with torch.no_grad():
        net.shared += torch.randn_like(net.shared)
        net.linear += torch.randn_like(net.linear)
    return net, torch.randn(4, d, dtype=torch.float64), torch.randn(4, n_outputs, dtype=torch.float64)


def sum_over_masks(net, inputs, deviations, weights, law):
    """The masked loss by its definition: the mean over coalitions of every size, weighed by the law."""
    d = len(law) - 1
    masks = enumerate_coalitions(d)
    sizes = masks.sum(axis=1)
    mass = law[sizes] / np.bincount(sizes)[sizes]
    members = torch.zeros(len(net.presence_sets), d, dtype=torch.bool)
    for row, presence in enumerate(net.presence_sets):
        members[row, list(presence)] = True
    parts = net(inputs)
    loss = torch.zeros((), dtype=torch.float64)
    for mask, share in zip(masks, mass, strict=True):
        live = torch.as_tensor(mask).expand(len(inputs), d)
        loss = loss + share * compute_sampled_loss(sum_live_parts(parts, live, members), deviations, weights)
    return loss


@pytest.mark.parametrize(
    ("d", "order", "presence_order"), [(1, 1, 1), (5, 1, 1), (5, 1, 3), (6, 2, 2), (5, 2, 4), (6, 3, 3), (10, 2, 3)]
)
def test_exact_loss_and_gradient_are_the_mean_over_all_masks(d, order, presence_order):
    net, inputs, deviations = make_net(d, order, presence_order)
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0], dtype=torch.float64)
    law = compute_shapley_size_law(d, 0.7)
    exact = compute_exact_loss(net(inputs), deviations, weights, make_mask_masses(net.presence_sets, law, torch.float64))
    listed = sum_over_masks(net, inputs, deviations, weights, law)
    assert float(exact.detach()) == pytest.approx(float(listed.detach()), rel=1e-10)
    parameters = [each for each in net.parameters() if each.numel()]
    wanted = torch.autograd.grad(listed, parameters, allow_unused=True)
    found = torch.autograd.grad(exact, parameters, allow_unused=True)
    for want, got in zip(wanted, found, strict=True):
        assert (want is None) == (got is None)
        if want is not None:
            assert float((got - want).abs().max()) <= 1e-6 * max(float(want.abs().max()), 1e-12)


def test_parts_live_where_all_their_players_are_present():
    parts = torch.tensor([[[1.0], [10.0], [100.0]]]).expand(3, 3, 1)
    members = torch.tensor([[True, False], [False, True], [True, True]])
    masks = torch.tensor([[True, False], [True, True], [False, False]])
    assert sum_live_parts(parts, masks, members)[:, 0].tolist() == [1.0, 111.0, 0.0]


def test_cross_entropy_is_the_weighted_mean_of_log_probabilities():
    odds = torch.log(torch.tensor([[3.0], [1.0]]))  # probabilities 3/4 and 1/2 of the second class
    loss = compute_cross_entropy(odds, torch.tensor([[1.0], [0.0]]), torch.tensor([3.0, 1.0]))
    assert float(loss) == pytest.approx((3 * np.log(4 / 3) + np.log(2)) / 4)
    scores = torch.log(torch.tensor([[1.0, 1.0, 2.0]]))
    shares = torch.tensor([[0.5, 0.0, 0.5]])
    assert float(compute_cross_entropy(scores, shares, torch.ones(1))) == pytest.approx(0.5 * np.log(4) + 0.5 * np.log(2))
