"""Patches: segmentations of images into players."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Number of images in one pass outside of training.
BATCH = 256


@dataclass(frozen=True)
class Patches:
    """A segmentation of images into players.

    Attributes
    ----------
    segments : ndarray of shape (height, width), int64
        Player of each pixel, 0 … n_players - 1; every player has pixels.
    """

    segments: NDArray[np.int64]

    @property
    def n_players(self) -> int:
        return int(self.segments.max()) + 1

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.segments.shape[0], self.segments.shape[1]

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """Pixels of each player in its bounding box, row by row, shape (n_players, n_most).

        Entries are positions in the flattened image, or ``height · width`` for a position of the box without a pixel of the
        player. All boxes have the size of the largest, so that equal positions in two boxes are equal positions in the patches.
        """
        boxes = [np.nonzero(self.segments == player) for player in range(self.n_players)]
        height = max(int(np.ptp(rows)) + 1 for rows, _ in boxes)
        width = max(int(np.ptp(columns)) + 1 for _, columns in boxes)
        found = np.full((self.n_players, height, width), self.segments.size, dtype=np.int64)
        for player, (rows, columns) in enumerate(boxes):
            found[player, rows - rows.min(), columns - columns.min()] = rows * self.shape[1] + columns
        return found.reshape(self.n_players, -1)

    def find_neighbours(self, corners: bool = False) -> list[tuple[int, int]]:
        """Pairs of players that share a border, or with ``corners`` a corner."""
        s = self.segments
        sides = [(s[1:], s[:-1]), (s[:, 1:], s[:, :-1])]
        if corners:
            sides += [(s[1:, 1:], s[:-1, :-1]), (s[1:, :-1], s[:-1, 1:])]
        lows, highs = (np.concatenate([pick(a, b).ravel() for a, b in sides]).tolist() for pick in (np.minimum, np.maximum))
        return sorted({(low, high) for low, high in zip(lows, highs, strict=True) if low != high})

    def find_blocks(self) -> list[tuple[int, ...]]:
        """Sets of three or more players around a common corner; in a grid, overlapping 2 × 2 blocks."""
        s = self.segments
        corners = np.stack([s[:-1, :-1], s[:-1, 1:], s[1:, :-1], s[1:, 1:]], axis=-1).reshape(-1, 4)
        blocks = {tuple(sorted(set(each))) for each in corners.tolist()}
        return sorted(block for block in blocks if len(block) >= 3)

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of players, (n_images, n_players, …), as values of pixels, (n_images, height, width, …)."""
        return np.asarray(values[:, self.segments])

    def spread_masks(self, masks: Tensor) -> Tensor:
        """Masks of players, (n_images, n_players), as masks of pixels, (n_images, 1, height, width), float32."""
        segments = torch.as_tensor(self.segments, device=masks.device)
        return masks[:, segments].unsqueeze(1).to(torch.float32)


def make_patches(patches: Any, shape: tuple[int, int]) -> Patches:
    """Segmentation of images of a shape.

    Parameters
    ----------
    patches : (int, int) or array of shape (height, width), int
        Rows and columns of a grid of patches, as even as the image allows; or the player of each pixel, 0, 1, ….
    shape : (int, int)
        Height and width of the images.

    Raises
    ------
    ValueError
        If there are more rows or columns than pixels, or the array is of another shape or leaves out numbers.

    Examples
    --------
    >>> make_patches((1, 2), (2, 4)).segments
    array([[0, 0, 1, 1],
           [0, 0, 1, 1]])
    """
    array = np.asarray(patches)
    if array.dtype.kind not in "iu":
        raise TypeError(f"patches must be (rows, columns) of a grid or an array of ints of shape {shape}, got {patches!r}")
    if array.shape == (2,):
        return _make_grid(array.tolist(), shape)
    if array.shape != shape:
        raise ValueError(f"patches has shape {array.shape}, the images are {shape[0]} × {shape[1]}: give each pixel its player")
    found = np.unique(array)
    if found[0] != 0 or found[-1] != len(found) - 1:
        raise ValueError(f"patches must number the players 0, 1, … without gaps, got {_show(found.tolist())}")
    if len(found) < 2:
        raise ValueError("patches makes the whole image one player, which has the whole output; use two or more")
    return Patches(array.astype(np.int64))


def _make_grid(counts: Sequence[int], shape: tuple[int, int]) -> Patches:
    for count, length, what in zip(counts, shape, ("rows", "columns"), strict=True):
        if not 1 <= count <= length:
            raise ValueError(f"a grid of {count} {what} of patches does not fit images of {length} {what}; use 1 to {length}")
    if max(counts) < 2:
        raise ValueError("patches=(1, 1) makes the whole image one player, which has the whole output; use two or more")
    rows, columns = (np.arange(length) * count // length for count, length in zip(counts, shape, strict=True))
    return Patches(rows[:, None] * counts[1] + columns)


def _show(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:6])) + (", …" if len(numbers) > 6 else "")


def check_images(images: Any, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return images as an array of shape (n_images, height, width) or (n_images, height, width, n_channels), channels last.

    Numbers are uint8 from 0 to 255, or floats. With ``shape`` (of one image) they must be like those of the fit.

    Raises
    ------
    TypeError
        If they are neither uint8 nor floats.
    ValueError
        If the shape is wrong, there is no image, or a number is not finite.
    """
    array = np.asarray(images)
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise TypeError(f"images must be uint8 (0 to 255) or float (0 to 1), got {array.dtype}")
    if array.ndim not in (3, 4) or not array.size:
        raise ValueError(
            "images must have shape (n_images, height, width) or (n_images, height, width, n_channels), channels last, "
            f"got {array.shape}; a single image is images[:1]"
        )
    if array.ndim == 4 and array.shape[3] > 4 and array.shape[1] <= 4:
        raise ValueError(f"images of shape {array.shape} look like channels first; channels come last: transpose(0, 2, 3, 1)")
    if shape is not None and array.shape[1:] != shape:
        raise ValueError(f"images have shape {array.shape[1:]}, the explainer was fitted on {shape}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("images hold numbers that are not finite; replace them")
    return array


def split_rows(n_images: int) -> list[NDArray[np.int64]]:
    """Positions of images in batches for passes outside of training.

    Examples
    --------
    >>> [len(batch) for batch in split_rows(300)]
    [256, 44]
    """
    return [np.arange(start, min(start + BATCH, n_images)) for start in range(0, n_images, BATCH)]


def to_tensor(images: NDArray[Any]) -> Tensor:
    """Images as float32 of shape (n_images, n_channels, height, width); uint8 is divided by 255."""
    array = images[..., None] if images.ndim == 3 else images
    scale = np.float32(255 if array.dtype == np.uint8 else 1)
    # np.divide makes a copy, because torch needs writable arrays.
    return torch.from_numpy(np.divide(array, scale, dtype=np.float32)).permute(0, 3, 1, 2)
