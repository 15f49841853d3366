"""A segmentation for each image: exact values, guides, padding; and many patches, colour, and nets of other packages."""

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets of images need torch")

from instashap.neural import (
    ImageExplainer,
    PretrainedClassifier,
    TrainingPlan,
    compute_curves,
    explain_segments,
    wrap_pretrained,
)

IMAGES = np.random.default_rng(0).random((6, 4, 6, 3))
# Three images of four vertical stripes, three of five horizontal and vertical pieces.
FOUR = np.tile([0, 0, 1, 2, 3, 3], (4, 1))
FIVE = np.array([[0, 0, 0, 1, 1, 1], [2, 2, 3, 3, 1, 1], [2, 2, 3, 3, 4, 4], [2, 2, 4, 4, 4, 4]])
SEGMENTS = np.stack([FOUR, FIVE] * 3)


def ask(images, masks):
    """Two outputs in which the effect of a pixel depends on the others."""
    known = np.where(masks[..., None], images, 0.3).mean(axis=3)
    return np.stack(
        [10 * known[:, :, :3].mean(axis=(1, 2)) * known[:, :, 3:].mean(axis=(1, 2)), known[:, 1:3].max(axis=(1, 2))], 1
    )


def enumerate_orders(image, segments):
    """Shapley values by their definition: mean gain of each segment over all orders of arrival."""
    d = segments.max() + 1
    worth = lambda players: ask(image[None], np.isin(segments, players)[None])[0]  # noqa: E731
    gains, orders = np.zeros((d, 2)), list(permutations(range(d)))
    for order in orders:
        for place, player in enumerate(order):
            gains[player] += worth(order[: place + 1]) - worth(order[:place])
    return gains / len(orders)


@pytest.fixture(scope="module")
def exact():
    found = np.zeros((6, 5, 2))
    for number, (image, segments) in enumerate(zip(IMAGES, SEGMENTS, strict=True)):
        found[number, : segments.max() + 1] = enumerate_orders(image, segments)
    return found


@pytest.fixture(scope="module")
def guide():
    images = np.random.default_rng(1).random((300, 4, 6, 3))
    options = {"patches": (2, 3), "order": 1, "width": 8, "value_function": ask, "device": "cpu"}
    explainer = ImageExplainer(**options, plan=TrainingPlan(n_epochs=8, batch_rows=32))
    return explainer.fit(images, outputs=ask(images, np.ones((300, 4, 6), dtype=bool)))


@pytest.mark.parametrize("has_guide", [False, True])
def test_all_coalitions_give_the_exact_values_of_each_images_own_segments(exact, guide, has_guide):
    found = explain_segments(ask, IMAGES, SEGMENTS, guide=guide if has_guide else None, n_coalitions=32)
    np.testing.assert_allclose(found.values, exact, atol=1e-6)
    np.testing.assert_allclose(found.predictions, ask(IMAGES, np.ones((6, 4, 6), dtype=bool)), atol=1e-6)
    assert found.standard_errors.max() < 1e-6
    assert not found.values[::2, 4].any()  # the fifth segment, which these images do not have


def test_few_coalitions_are_unbiased_and_a_guide_lowers_the_errors(exact, guide):
    spread = {}
    for each in (None, guide):
        runs = np.stack(
            [explain_segments(ask, IMAGES, SEGMENTS, guide=each, n_coalitions=6, random_state=k).values for k in range(80)]
        )
        spread[each] = np.square(runs - exact)[..., 0].mean()
        bias = runs.mean(axis=0) - exact
        assert np.sqrt((bias**2).mean()) < 2 * np.sqrt((runs.var(axis=0) / len(runs)).mean())
    assert spread[guide] < spread[None]


def test_heat_maps_slices_and_curves_use_the_segments_of_each_image(exact):
    found = explain_segments(ask, IMAGES, lambda image: SEGMENTS[np.flatnonzero((image == IMAGES).all(axis=(1, 2, 3)))[0]])
    by_hand = np.stack([values[segments] for values, segments in zip(exact, SEGMENTS, strict=True)])
    np.testing.assert_allclose(found.heat_maps, by_hand, atol=1e-6)
    np.testing.assert_array_equal(found[3:5].heat_maps, found.heat_maps[3:5])
    curves = compute_curves(found, ask)
    assert curves.insertion[-1] == pytest.approx(ask(IMAGES, np.ones((6, 4, 6), dtype=bool)).max(axis=1).mean())


@pytest.mark.parametrize(
    ("segments", "message"),
    [(SEGMENTS[:5], "5 segmentations for 6 images"), (SEGMENTS + 1, "without gaps"), (SEGMENTS[:, :3], "the images are 4 × 6")],
)
def test_bad_segmentations_get_one_clear_error(segments, message):
    with pytest.raises(ValueError, match=message):
        explain_segments(ask, IMAGES, segments)


def test_a_guide_from_a_file_is_refused_if_its_scale_is_not_known(tmp_path):
    model = PretrainedClassifier(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(72, 2)), "ab", mean=[0.5] * 3, std=[1] * 3
    )
    fitted = ImageExplainer(model, patches=(2, 3), order=1, width=4, plan=TrainingPlan(n_epochs=1), device="cpu").fit(IMAGES)
    fitted.save(tmp_path / "guide.insta")
    with pytest.raises(ValueError, match="comes from a file"):
        explain_segments(model.predict_masked, IMAGES, SEGMENTS, guide=ImageExplainer.load(tmp_path / "guide.insta"))


def test_a_sum_of_pixels_is_explained_patch_by_patch_in_64_patches_of_colour_images():
    images = np.random.default_rng(0).random((300, 8, 8, 3))
    plan = TrainingPlan(n_epochs=16, batch_rows=25, learning_rate=1e-2)
    explainer = ImageExplainer(patches=(8, 8), interactions="all", rank=2, width=8, size_modes=1, device="cpu", plan=plan)
    weights = np.array([3.0, -1.0, 0.5])
    explainer.fit(images, outputs=(images @ weights).sum(axis=(1, 2)))
    own = (images[:50] @ weights).reshape(50, -1) - weights.sum() / 2
    assert np.corrcoef(explainer.shap_values(images[:50]).ravel(), own.ravel())[0, 1] > 0.9


def test_196_patches_of_colour_images_are_refined_to_the_sum_of_their_pixels():
    images = np.random.default_rng(0).random((64, 14, 14, 3))
    total = lambda seen, masks: (seen.mean(axis=3) * masks).sum(axis=(1, 2))  # noqa: E731
    options = {"patches": (14, 14), "order": 1, "width": 4, "value_function": total, "device": "cpu"}
    explainer = ImageExplainer(**options, plan=TrainingPlan(n_epochs=1))
    explainer.fit(images, outputs=total(images, np.ones((64, 14, 14))))
    refined = explainer.refine(images[:4], n_coalitions=1500)
    own = images[:4].mean(axis=3).reshape(4, 196)
    np.testing.assert_allclose(refined.predictions, own.sum(axis=1), atol=1e-4)
    assert np.square(refined.values - own).sum() < 0.1 * np.square(explainer.shap_values(images[:4]) - own).sum()
    inside = np.abs(refined.values - own) <= 1.645 * refined.standard_errors
    assert inside.mean() > 0.85


def small_net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, 2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(36, 3))


def test_a_net_of_timm_reads_what_its_description_says():
    net = small_net()
    net.pretrained_cfg = {"input_size": (3, 8, 8), "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.5), "num_classes": 3}
    model, images = wrap_pretrained(net), np.random.default_rng(0).random((5, 8, 8, 3))
    read = (images - [0.4, 0.5, 0.6]) / [0.2, 0.25, 0.5]
    with torch.no_grad():
        whole = net(torch.tensor(read.transpose(0, 3, 1, 2), dtype=torch.float32)).softmax(dim=1).numpy()
    np.testing.assert_allclose(model.predict_proba(images), whole, atol=1e-6)
    assert model.classes_.tolist() == ["0", "1", "2"]
    masks = np.zeros((5, 8, 8), dtype=bool)
    masks[:, :4] = True
    halved = np.where(masks[..., None], images, [0.4, 0.5, 0.6])  # absent pixels have the mean colour
    np.testing.assert_allclose(model.predict_masked(images, masks), model.predict_proba(halved), atol=1e-6)


def test_a_net_of_torchvision_gets_images_of_its_size_and_the_names_of_its_classes():
    preset = SimpleNamespace(crop_size=[8], resize_size=[10], mean=[0.5] * 3, std=[0.5] * 3)
    weights = SimpleNamespace(transforms=lambda: preset, meta={"categories": ["ant", "bee", "cat"]})
    model = wrap_pretrained(small_net(), weights)
    even = np.full((2, 20, 12, 3), 200, dtype=np.uint8)
    np.testing.assert_allclose(model.predict_proba(even), model.predict_proba(even[:, :8, :8]), atol=1e-6)
    assert set(model.predict(even)) <= {"ant", "bee", "cat"}
    options = {"patches": (2, 2), "order": 1, "width": 4, "value_function": model.predict_masked, "device": "cpu"}
    explainer = ImageExplainer(model, **options, plan=TrainingPlan(n_epochs=1)).fit(
        np.random.default_rng(0).random((40, 8, 8, 3))
    )
    assert explainer.output_names_ == ("ant", "bee", "cat")


def test_a_net_of_torchvision_itself_is_wrapped_with_random_weights():
    try:
        from torchvision.models import ResNet18_Weights, resnet18
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"torchvision cannot be imported: {error}")
    model = wrap_pretrained(resnet18(weights=None), ResNet18_Weights.DEFAULT)
    assert model.predict_proba(np.zeros((1, 32, 32, 3))).shape == (1, 1000)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: wrap_pretrained(small_net()), TypeError, "does not describe its images"),
        (lambda: PretrainedClassifier(small_net(), "abc", mean=[0], std=[1]).predict(IMAGES), ValueError, "have 3 channels"),
        (
            lambda: PretrainedClassifier(small_net(), "abcd", mean=[0] * 3, std=[1] * 3, size=(8, 8)).predict(IMAGES),
            ValueError,
            "3 scores for 4 classes",
        ),
    ],
)
def test_nets_that_do_not_fit_get_one_clear_error(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
