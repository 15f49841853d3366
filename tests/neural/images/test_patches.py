"""Players of images, by hand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets of images need torch")

from instashap.neural.images.patches import make_patches, to_tensor


def test_a_grid_numbers_patches_row_by_row_and_spreads_what_is_left():
    np.testing.assert_array_equal(
        make_patches((2, 3), (3, 7)).segments,
        [[0, 0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 2, 2], [3, 3, 3, 4, 4, 5, 5]],
    )


def test_pixels_of_patches_lie_at_the_same_place_of_their_boxes():
    segments = np.array([[0, 0, 1], [0, 2, 1]])
    # Boxes are 2 × 2; 6 stands for no pixel, or one of another player.
    np.testing.assert_array_equal(make_patches(segments, (2, 3)).pixels, [[0, 1, 3, 6], [2, 6, 5, 6], [4, 6, 6, 6]])


def test_neighbours_share_a_border_and_blocks_meet_in_a_point():
    grid = make_patches((2, 3), (4, 6))
    assert grid.find_neighbours() == [(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5)]
    assert grid.find_neighbours(corners=True) == sorted([*grid.find_neighbours(), (0, 4), (1, 3), (1, 5), (2, 4)])
    assert grid.find_blocks() == [(0, 1, 3, 4), (1, 2, 4, 5)]


def test_masks_of_players_are_spread_over_their_pixels():
    masks = make_patches((1, 2), (2, 4)).spread_masks(torch.tensor([[True, False]]))
    assert masks.tolist() == [[[[1.0, 1.0, 0.0, 0.0]] * 2]]


def test_bytes_and_shares_are_the_same_image():
    images = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3) * 10
    images.setflags(write=False)
    assert to_tensor(images).shape == (1, 3, 2, 4)
    torch.testing.assert_close(to_tensor(images), to_tensor(images / 255.0))
    assert float(to_tensor(images)[0, 2, 1, 3]) == pytest.approx(230 / 255)


@pytest.mark.parametrize(
    ("patches", "kind", "message"),
    [
        (np.array([[0, 2], [0, 2]]), ValueError, "without gaps, got 0, 2"),
        (np.zeros((2, 2), dtype=int), ValueError, "the whole image one player"),
        ((0.5, 2), TypeError, "array of ints"),
        ((3, 1), ValueError, "3 rows of patches does not fit images of 2 rows"),
    ],
)
def test_bad_patches_get_one_clear_error(patches, kind, message):
    with pytest.raises(kind, match=message):
        make_patches(patches, (2, 2))
