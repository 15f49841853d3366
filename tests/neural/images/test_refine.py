"""Refined values of images and the context net: exact enumeration, unbiased means, errors, sums, files."""

from itertools import permutations

import numpy as np
import pytest

pytest.importorskip("torch", reason="nets of images need torch")

import torch

from instashap import FileFormatError
from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.neural import ImageExplainer, TrainingPlan
from instashap.neural.images.interactions import InteractionNet
from instashap.neural.images.patches import to_tensor
from instashap.neural.images.refine_images import evaluate_control
from instashap.store import read_archive, write_archive

N_PLAYERS = 6
PLAN = TrainingPlan(n_epochs=6, batch_rows=64)


def ask(images, pixels):
    """Two outputs of partly known images in which every part's effect depends on the others."""
    known = np.where(pixels, images, 0.2)
    left, right = known[:, :, :4].mean(axis=(1, 2)), known[:, :, 4:].mean(axis=(1, 2))
    return np.stack([10 * left * right, np.tanh(5 * known[:, 2:5].mean(axis=(1, 2)) - 1)], axis=1)


def enumerate_orders(image, segments):
    """Shapley values of one image by their definition: gains of each player, mean over all orders of arrival."""
    values = {}
    for bits in range(2**N_PLAYERS):
        mask = np.array([bits >> k & 1 for k in range(N_PLAYERS)], dtype=bool)
        values[bits] = ask(image[None], mask[segments][None])[0]
    gains, orders = np.zeros((N_PLAYERS, 2)), list(permutations(range(N_PLAYERS)))
    for order in orders:
        bits = 0
        for player in order:
            gains[player] += values[bits | 1 << player] - values[bits]
            bits |= 1 << player
    return gains / len(orders)


@pytest.fixture(scope="module")
def explainer(digits):
    options = {"patches": (2, 3), "order": 1, "width": 8, "value_function": ask, "plan": PLAN, "device": "cpu"}
    return ImageExplainer(**options).fit(digits[0][:600], outputs=ask(digits[0][:600], np.ones((600, 8, 8), dtype=bool)))


@pytest.fixture(scope="module")
def with_context(digits):
    options = {"patches": (2, 3), "order": 1, "width": 8, "value_function": ask, "plan": PLAN, "device": "cpu"}
    fitted = ImageExplainer(**options, context=20)
    return fitted.fit(digits[0][:600], outputs=ask(digits[0][:600], np.ones((600, 8, 8), dtype=bool)))


@pytest.fixture(scope="module")
def exact(explainer, digits):
    return np.stack([enumerate_orders(image, explainer.segments_) for image in digits[0][700:712]])


@pytest.mark.parametrize("name", ["explainer", "with_context"])
def test_all_coalitions_give_the_exact_values_of_the_masked_model(request, name, digits, exact):
    refined = request.getfixturevalue(name).refine(digits[0][700:712], n_coalitions=2**N_PLAYERS)
    np.testing.assert_allclose(refined.values, exact, atol=1e-6)
    assert refined.standard_errors.max() < 1e-6


@pytest.mark.parametrize("name", ["explainer", "with_context"])
def test_few_coalitions_are_unbiased_and_their_errors_cover(request, name, digits, exact):
    fitted = request.getfixturevalue(name)
    runs = [fitted.refine(digits[0][700:712], n_coalitions=20, random_state=seed) for seed in range(40)]
    values, errors = (np.stack([getattr(run, part) for run in runs]) for part in ("values", "standard_errors"))
    np.testing.assert_allclose(values.sum(axis=2), np.broadcast_to(exact.sum(axis=1), values.sum(axis=2).shape), atol=1e-6)
    bias = values.mean(axis=0) - exact
    assert np.sqrt((bias**2).mean()) < 2 * np.sqrt((values.var(axis=0) / len(runs)).mean())
    assert 0.8 < (np.abs(values - exact) < 1.645 * errors).mean() < 0.97


def test_shrunken_estimates_err_less_with_few_coalitions(explainer, digits, exact):
    images, found = digits[0][700:712], {}
    for shrink in (False, True):
        runs = [explainer.refine(images, n_coalitions=8, shrink=shrink, random_state=seed).values for seed in range(10)]
        found[shrink] = np.mean([np.square(values - exact).sum() for values in runs])
        np.testing.assert_allclose(runs[0].sum(axis=1), exact.sum(axis=1), atol=1e-6)
    assert found[True] < 0.9 * found[False]


def test_a_context_net_is_nearer_to_the_exact_values_and_keeps_their_sum(explainer, with_context, digits, exact):
    images = digits[0][700:712]
    whole = ask(images, np.ones((12, 8, 8), dtype=bool))
    explanation = with_context(images)
    np.testing.assert_allclose(explanation.predictions, whole, atol=1e-6)
    np.testing.assert_array_equal(with_context(images, outputs=whole).values, explanation.values)
    additive = np.square(explainer.shap_values(images) - exact).sum()
    assert np.square(explanation.values - exact).sum() < 0.7 * additive


def test_a_context_net_survives_its_file(with_context, digits, tmp_path):
    images = digits[0][700:705]
    outputs = ask(images, np.ones((5, 8, 8), dtype=bool))
    with_context.save(tmp_path / "context.insta")
    loaded = ImageExplainer.load(tmp_path / "context.insta", device="cpu")
    np.testing.assert_array_equal(loaded(images, outputs=outputs).values, with_context(images, outputs=outputs).values)
    with pytest.raises(ValueError, match="pass outputs="):
        loaded(images)
    with pytest.raises(ValueError, match="pass value_function="):
        loaded.refine(images)
    again = loaded.refine(images, value_function=ask)
    np.testing.assert_allclose(again.values, with_context.refine(images).values, atol=1e-12)


@pytest.mark.parametrize("n_players", [2, 3, 5, 6])
def test_interactions_are_odd_and_have_no_shapley_values(n_players):
    net = InteractionNet(n_players, 2, 4, 3)
    generator = torch.Generator().manual_seed(n_players)
    for each in net.parameters():
        each.data = torch.randn(each.shape, generator=generator)
    masks = enumerate_coalitions(n_players)
    read = [torch.randn(shape, generator=generator).double() for shape in ((1, n_players, 8), (1, 4))]
    with torch.no_grad():
        game = net.double()(*read, torch.as_tensor(masks)[None])[0].numpy()
    assert n_players < 3 or np.abs(game).max() > 0.5
    np.testing.assert_allclose(game, -game[::-1], atol=1e-6)  # the polynomials of the size are float32
    np.testing.assert_allclose(compute_shapley_values(game), 0, atol=1e-6)


def test_the_game_subtracted_with_a_context_net_has_the_values_that_are_added(with_context, digits):
    fitted = with_context._fitted
    masks = enumerate_coalitions(N_PLAYERS)
    known = evaluate_control(fitted.game, fitted.context, digits[0][700:703], np.tile(masks, (3, 1, 1)))
    for values, game in zip(known.values, known.at_masks, strict=True):
        np.testing.assert_allclose(compute_shapley_values(game), values, atol=1e-5)


def level_off(images, pixels):
    """A game in which every part adds less, the more is known."""
    return 1 - np.exp(-8 * np.where(pixels, images, 0.0).mean(axis=(1, 2)))


def test_a_context_net_knows_more_of_the_game_than_its_values(digits):
    """What its game leaves of the odd values of new images is less with the interactions than without."""
    images, masks = digits[0][700:740], enumerate_coalitions(N_PLAYERS)
    options = {"patches": (2, 3), "order": 1, "width": 8, "size_modes": 1, "value_function": level_off}
    whole = level_off(digits[0][:600], np.ones((600, 8, 8), dtype=bool))
    options |= {"plan": TrainingPlan(20, batch_rows=32, learning_rate=2e-2), "context": 20, "device": "cpu"}
    fitted = ImageExplainer(**options).fit(digits[0][:600], outputs=whole)._fitted
    games = [level_off(np.repeat(image[None], len(masks), axis=0), masks[:, fitted.patches.segments]) for image in images]
    present = torch.as_tensor(np.tile(masks, (40, 1, 1)))
    with torch.no_grad():
        interactions = fitted.context.evaluate(to_tensor(images), present)[1].double().numpy()
    left = np.stack(games)[:, :, None] - evaluate_control(fitted.game, fitted.context, images, present.numpy()).at_masks
    left -= left[:, ::-1]
    left -= left[:, -1:] * (masks.mean(axis=1)[:, None] * 2 - 1)  # equal shares of the total, which is measured
    assert np.square(left).sum() < 0.75 * np.square(left + 2 * interactions).sum()


def test_files_of_nets_without_interactions_are_read(with_context, digits, tmp_path):
    with_context.save(tmp_path / "new.insta")
    content, arrays = read_archive(tmp_path / "new.insta")
    del content["context"]["rank"]
    older = {name: each for name, each in arrays.items() if "interactions" not in name}
    write_archive(tmp_path / "old.insta", content, older)
    images, outputs = digits[0][700:705], np.zeros((5, 2))
    loaded = ImageExplainer.load(tmp_path / "old.insta", device="cpu")
    np.testing.assert_array_equal(loaded(images, outputs=outputs).values, with_context(images, outputs=outputs).values)
    again = loaded.refine(images, value_function=ask, n_coalitions=2**N_PLAYERS)
    np.testing.assert_allclose(again.values, with_context.refine(images, n_coalitions=2**N_PLAYERS).values, atol=1e-6)


ALTERED = {
    "more products": (lambda content, _: content["context"].__setitem__("rank", 25), "must have the shape"),
    "wider": (lambda content, _: content["context"].__setitem__("widths", [16, 32, 65]), "must have the shape"),
    "no stride": (lambda content, _: content["context"].__setitem__("stride", 0), "from 1 to 64"),
    "no number": (lambda _, arrays: arrays["context.inner.bias"].fill(np.nan), "infinite values or NaN"),
    "no variance": (lambda _, arrays: arrays["context.trunk.stem.1.running_var"].fill(-1), "below zero"),
}


def test_altered_context_nets_are_refused(with_context, tmp_path):
    with_context.save(tmp_path / "good.insta")
    for edit, message in ALTERED.values():
        content, arrays = read_archive(tmp_path / "good.insta")
        edit(content, arrays)
        write_archive(tmp_path / "bad.insta", content, arrays)
        with pytest.raises(FileFormatError, match=message):
            ImageExplainer.load(tmp_path / "bad.insta")


def test_a_slice_and_a_class_keep_their_errors(explainer, digits):
    refined = explainer.refine(digits[0][700:704], n_coalitions=20)
    np.testing.assert_array_equal(refined[1].standard_errors, refined.standard_errors[1:2])
    np.testing.assert_array_equal(refined.take_output(1).standard_errors, refined.standard_errors[:, :, 1])
    assert explainer(digits[0][:1]).standard_errors is None


def test_too_few_coalitions_and_a_game_without_masks_are_refused(explainer, digits, make_explainer):
    with pytest.raises(ValueError, match="at least 8"):
        explainer.refine(digits[0][:2], n_coalitions=7)
    with pytest.raises(ValueError, match="pass value_function="):
        make_explainer(order=1, plan=TrainingPlan(n_epochs=1)).refine(digits[0][:2])
    with pytest.raises(ValueError, match="pass value_function="):
        make_explainer(order=1, context=True, plan=TrainingPlan(n_epochs=1))
