"""Additive nets: what each part reads, and how parts are made of functions."""

from itertools import combinations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from instashap.neural.nets import AdditiveNet, NetShape  # noqa: E402

# Inputs 0 and 1 are of column 0, input 2 of column 1, inputs 3 and 4 of column 2.
COLUMNS = np.array([0, 0, 1, 2, 2])


@pytest.fixture
def net():
    value_sets = [each for size in (1, 2, 3) for each in combinations(range(3), size)]
    torch.manual_seed(0)
    net = AdditiveNet(
        COLUMNS, value_sets, range(3), [(0, 1), (0, 2), (1, 2), (0, 1, 2)], 2, NetShape(3, (5,), (4, 4, 4), (3, 2, 0))
    )
    with torch.no_grad():
        net.shared += torch.randn_like(net.shared)
        net.linear += torch.randn_like(net.linear)
    return net


def test_a_part_reads_only_its_own_players(net):
    inputs = torch.randn(6, 5)
    changed = inputs.clone()
    changed[:, 2] += 1.0
    differs = (net(changed) - net(inputs)).abs().amax(dim=(0, 2)) > 1e-6
    assert [presence for presence, moved in zip(net.presence_sets, differs, strict=True) if moved] == [
        (1,),
        (0, 1),
        (1, 2),
        (0, 1, 2),
    ]


def test_functions_of_one_net_are_those_of_all_nets_together(net):
    inputs = torch.randn(6, 5)
    together = net.compute_features(inputs)
    assert torch.allclose(net.compute_features_of((0, 2), inputs), together[1][1], atol=1e-6)
    assert torch.allclose(net.compute_features_of((1,), inputs), together[0][1], atol=1e-6)


def test_parts_are_combinations_of_functions_by_their_uses(net):
    inputs = torch.randn(6, 5)
    expected = torch.zeros(6, len(net.presence_sets), 2)
    for column in range(3):
        place = net.presence_sets.index((column,))
        own = column == COLUMNS
        expected[:, place] += inputs[:, own] @ net.linear[own]
    for size in net.by_size.values():
        for values in size:
            found = net.compute_features_of(values, inputs)
            uses = net.get_uses(values).view(4, 1 + len(net.presence_sets), 2)
            expected[:, net.presence_sets.index(values)] += found @ uses[:, 0]
            expected += torch.einsum("nf,fpc->npc", found, uses[:, 1:])
    assert torch.allclose(net(inputs), expected, atol=1e-5)


def test_shared_functions_count_under_larger_sets_only(net):
    uses = net.get_uses((0, 1)).view(4, -1, 2)[:, 1:]
    used = [presence for place, presence in enumerate(net.presence_sets) if uses[:, place].any()]
    assert used == [(0, 1, 2)]
    assert not uses[2:].any()


def test_grouped_columns_share_a_presence_set():
    net = AdditiveNet(COLUMNS, [(0,), (1,), (0, 1)], [0, 0, 1], [], 1, NetShape())
    assert net.presence_sets == ((0,),)
