"""Additive nets: a small net for every value set, computed as batched products over all nets of one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..game.terms import PresenceSet, ValueSet, extend_presence, players_of

# Size of a net's values before training, for outputs of unit variance; it is small so that training starts near the mean.
_FIRST_VALUES = 0.1


@dataclass(frozen=True)
class NetShape:
    """Sizes of an additive net.

    Attributes
    ----------
    embedding : int
        Length of the vector to which a linear map converts a column's inputs for the nets of interactions.
    hidden : tuple of int
        Widths of a net's hidden layers, the same for every value set.
    features : tuple of int
        Number of functions of a net of one, two and three columns; its value is a combination of them for every presence set.
    shared : tuple of int
        Number of these functions that have coefficients under presence sets larger than the net's own players.
    """

    embedding: int = 6
    hidden: tuple[int, ...] = (24,)
    features: tuple[int, int, int] = (8, 8, 8)
    shared: tuple[int, int, int] = (8, 4, 0)


class TermNets(nn.Module):
    """Nets of all value sets of one size, whose layers are batched matrix products over the sets.

    The product of a net's inputs over the columns is an additional input, and a linear map adds it to the features: smooth
    interactions are nearly products, and a net takes long to learn multiplication.

    Parameters
    ----------
    n_nets, size, n_inputs, n_features : int
        Each of the ``size`` columns has ``n_inputs`` inputs.
    hidden : sequence of int
    """

    def __init__(self, n_nets: int, size: int, n_inputs: int, hidden: Sequence[int], n_features: int) -> None:
        super().__init__()
        self.is_product = size > 1
        widths = [n_inputs * (size + self.is_product), *hidden, n_features]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for n_in, n_out in pairwise(widths):
            self.weights.append(torch.randn(n_nets, n_in, n_out) * np.sqrt(2.0 / n_in))
            self.biases.append(0.5 * torch.randn(n_nets, 1, n_out))
        if self.is_product:
            self.straight = nn.Parameter(torch.randn(n_nets, n_inputs, n_features) / np.sqrt(n_inputs))

    def forward(self, columns: Tensor, nets: slice = slice(None)) -> Tensor:
        """Features of shape (n_nets, n_rows, n_features) from inputs of shape (n_nets, n_rows, size, n_inputs)."""
        values = columns.flatten(2)
        product = columns.prod(dim=2) if self.is_product else None
        if product is not None:
            values = torch.cat([values, product], dim=2)
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = torch.baddbmm(bias[nets], values, weight[nets])
            if layer < last:
                values = nn.functional.silu(values)
        return values if product is None else values + product @ self.straight[nets]


class AdditiveNet(nn.Module):
    """``h_R(x) = sum_{U ⊆ R} psi_{U,R}(x_U)`` for every presence set R, each ``psi_{U,R}`` a combination of the net of U.

    Parameters
    ----------
    columns : ndarray of shape (n_inputs,), int64
        Column of each input.
    value_sets : sequence of tuple of int
        Columns of each net; at most three.
    players : sequence of int
        Player of each column.
    presence_sets : sequence of tuple of int
        Further presence sets; a net has coefficients under each that contains its own players.
    n_outputs : int
    shape : NetShape
    """

    def __init__(
        self,
        columns: NDArray[np.int64],
        value_sets: Sequence[ValueSet],
        players: Sequence[int],
        presence_sets: Sequence[PresenceSet],
        n_outputs: int,
        shape: NetShape,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.columns = columns
        by_size = [[values for values in value_sets if len(values) == size] for size in (1, 2, 3)]
        self.by_size = {size: chosen for size, chosen in enumerate(by_size, start=1) if chosen}
        bases = [players_of(values, players) for chosen in self.by_size.values() for values in chosen]
        self.presence_sets = _collect_presence(bases, presence_sets)
        number = {presence: place for place, presence in enumerate(self.presence_sets)}
        self._keep("own_places", np.array([number[base] for base in bases]))
        self._keep("membership", (columns[:, None] == np.arange(len(players))).astype(np.float32))
        self._keep("places", _place_inputs(columns, len(players)))
        self.embeddings, self.nets, self.own = nn.ParameterDict(), nn.ModuleDict(), nn.ParameterDict()
        owners: list[ValueSet] = []
        for size, chosen in self.by_size.items():
            self._add_nets(size, chosen, n_outputs)
            owners += [values for values in chosen for _ in range(self._count_shared(size))]
        is_live = _mark_shared(owners, players, self.presence_sets)
        self._keep("is_live", is_live[:, :, None].astype(np.float32))
        self.shared = nn.Parameter(torch.zeros(*is_live.shape, n_outputs))
        self.linear = nn.Parameter(torch.zeros(len(columns), n_outputs))

    def _keep(self, name: str, array: NDArray[Any]) -> None:
        self.register_buffer(name, torch.as_tensor(array), persistent=False)

    def _add_nets(self, size: int, chosen: Sequence[ValueSet], n_outputs: int) -> None:
        key, n_features = str(size), self.shape.features[size - 1]
        n_read = self.get_buffer("places").shape[1] if size == 1 else self.shape.embedding
        if size > 1:
            inputs_of_column = max(len(self.columns) / self.get_buffer("membership").shape[1], 1.0)
            self.embeddings[key] = torch.randn(len(self.columns), self.shape.embedding) / np.sqrt(inputs_of_column)
        self.nets[key] = TermNets(len(chosen), size, n_read, self.shape.hidden, n_features)
        self.own[key] = torch.randn(len(chosen), n_features, n_outputs) * (_FIRST_VALUES / np.sqrt(n_features))
        self._keep(f"read_{key}", np.array(chosen))

    def _count_shared(self, size: int) -> int:
        return min(self.shape.shared[size - 1], self.shape.features[size - 1])

    def compute_features(self, inputs: Tensor) -> list[Tensor]:
        """Values of the functions of each net, by size: shapes (n_nets_of_size, n_rows, n_features)."""
        return [self.nets[str(size)](self._read(size, inputs, slice(None))) for size in self.by_size]

    def compute_features_of(self, values: ValueSet, inputs: Tensor) -> Tensor:
        """Values of the functions of one net, shape (n_rows, n_features)."""
        size = len(values)
        place = self.by_size[size].index(values)
        only = slice(place, place + 1)
        features: Tensor = self.nets[str(size)](self._read(size, inputs, only), only)
        return features[0]

    def get_uses(self, values: ValueSet) -> Tensor:
        """Coefficients of a net's functions under its own players, then of the shared ones under larger presence sets.

        Shape (n_features, (1 + n_presence_sets) * n_outputs); zero where a function has none.
        """
        size = len(values)
        place = self.by_size[size].index(values)
        own = self.own[str(size)][place]
        n_shared = self._count_shared(size)
        before = (len(chosen) * self._count_shared(each) for each, chosen in self.by_size.items() if each < size)
        start = place * n_shared + sum(before)
        shared = own.new_zeros(len(own), *self.shared.shape[1:])
        shared[:n_shared] = (self.shared * self.get_buffer("is_live"))[start : start + n_shared]
        return torch.cat([own, shared.flatten(1)], dim=1)

    def _read(self, size: int, inputs: Tensor, nets: slice) -> Tensor:
        """Inputs of the nets of a size, shape (n_nets, n_rows, size, n_inputs)."""
        read = self.get_buffer(f"read_{size}")[nets]  # (n_nets, size)
        if size == 1:
            padded = nn.functional.pad(inputs, (0, 1))
            return padded[:, self.get_buffer("places")[read]].transpose(0, 1)
        # One product for all columns: (n_inputs, n_columns · embedding), zero where an input belongs to another column.
        embedding = (self.embeddings[str(size)][:, None, :] * self.get_buffer("membership")[:, :, None]).flatten(1)
        embedded: Tensor = (inputs @ embedding).view(len(inputs), -1, self.shape.embedding)
        return embedded[:, read].transpose(0, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Parts ``h_R``, shape (n_rows, n_presence_sets, n_outputs), from inputs of shape (n_rows, n_inputs)."""
        features = self.compute_features(inputs)
        sized = zip(self.by_size, features, strict=True)
        own = [torch.einsum("tnf,tfc->ntc", each, self.own[str(size)]) for size, each in sized]
        if 1 in self.by_size:
            line = torch.einsum("ni,ic,ij->njc", inputs, self.linear, self.get_buffer("membership"))
            own[0] = own[0] + line[:, self.get_buffer("read_1")[:, 0]]
        values = torch.cat(own, dim=1)
        parts = values.new_zeros(len(inputs), len(self.presence_sets), values.shape[2])
        parts = parts.index_add(1, self.get_buffer("own_places"), values)
        if not len(self.shared):
            return parts
        counts = map(self._count_shared, self.by_size)
        shared = [each[:, :, :count].transpose(0, 1).flatten(1) for count, each in zip(counts, features, strict=True)]
        return parts + torch.einsum("nk,kpc->npc", torch.cat(shared, dim=1), self.shared * self.get_buffer("is_live"))


def _place_inputs(columns: NDArray[np.int64], n_columns: int) -> NDArray[np.int64]:
    """Positions of each column's inputs, padded with the position after the last input, which holds zero."""
    widest = max(int(np.bincount(columns, minlength=1).max()), 1)
    places = np.full((n_columns, widest), len(columns))
    for column in range(n_columns):
        own = np.flatnonzero(columns == column)
        places[column, : len(own)] = own
    return places


def _collect_presence(bases: Sequence[PresenceSet], presence_sets: Sequence[PresenceSet]) -> tuple[PresenceSet, ...]:
    """All presence sets of the nets by size: their own players and the larger sets that contain them."""
    found = {each for base in bases for each in extend_presence(base, presence_sets)}
    return tuple(sorted(found, key=lambda each: (len(each), each)))


def _mark_shared(owners: Sequence[ValueSet], players: Sequence[int], presence_sets: Sequence[PresenceSet]) -> NDArray[np.bool_]:
    """Whether each shared function has a coefficient under each presence set: its players are a proper subset."""
    marks = np.zeros((len(owners), len(presence_sets)), dtype=bool)
    for row, values in enumerate(owners):
        base = set(players_of(values, players))
        marks[row] = [base < set(presence) for presence in presence_sets]
    return marks
