"""Refined values of images and the context net: exact enumeration, unbiased means, errors, sums, files."""

from itertools import permutations

import numpy as np
import pytest

pytest.importorskip("torch", reason="nets of images need torch")

from instashap import FileFormatError
from instashap.neural import ImageExplainer, TrainingPlan
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


ALTERED = {
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
