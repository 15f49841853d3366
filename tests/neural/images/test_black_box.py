"""The masked classifier on digits, the report about its explanations, and their curves."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets of images need torch")

from instashap.neural import ImageExplainer, TrainingPlan, compute_curves, train_masked_classifier


@pytest.fixture(scope="module")
def model(digits):
    images, labels = digits
    plan = TrainingPlan(n_epochs=8, batch_rows=64, learning_rate=1e-2, device="cpu")
    options = {"patches": [(4, 4)], "widths": (16, 32), "stride": 1, "plan": plan}
    return train_masked_classifier(images[:1400], labels[:1400], **options)


@pytest.fixture(scope="module")
def explainer(model, digits):
    plan = TrainingPlan(n_epochs=10, batch_rows=64)
    return ImageExplainer(model, patches=(4, 4), order=1, width=32, plan=plan, device="cpu").fit(digits[0][:1400])


def test_whole_digits_are_known(model, digits):
    assert (model.predict(digits[0][1400:]) == digits[1][1400:]).mean() > 0.9


def test_nothing_known_gives_the_share_of_each_class_and_absent_pixels_do_not_matter(model, digits):
    images = digits[0][1400:1410]
    nothing = np.zeros((10, 8, 8), dtype=bool)
    blind = model.predict_masked(images, nothing)
    np.testing.assert_array_equal(blind, model.predict_masked(1 - images, nothing))
    np.testing.assert_allclose(blind[0], np.bincount(digits[1][:1400]) / 1400, atol=0.07)


def test_many_masked_images_are_asked_about_with_folded_norms_and_the_same_result(model, digits):
    images, masks = digits[0][:300], np.random.default_rng(0).random((300, 8, 8)) < 0.5
    with torch.no_grad():
        seen = torch.tensor(images[:, None], dtype=torch.float32)
        as_trained = model.net(seen, torch.tensor(masks[:, None], dtype=torch.float32)).softmax(dim=1)
    assert sum(isinstance(each, torch.nn.BatchNorm2d) for each in model.net.fold().modules()) == 0
    np.testing.assert_allclose(model.predict_masked(images, masks), as_trained, atol=1e-5)


def test_report_covers_the_black_box_and_the_labels(explainer, model, digits):
    images, labels = digits[0][1400:], digits[1][1400:]
    report = explainer.audit(images, labels, value_function=model.predict_masked)
    assert report.black_box["accuracy"].value == pytest.approx((model.predict(images) == labels).mean())
    fitted = explainer.predict(images).argmax(axis=1)
    assert report.rungs[1].labels["accuracy"].value == pytest.approx((fitted == labels).mean())
    same = (fitted == model.predict(images)).mean()
    assert report.rungs[1].classes["class agreement"].value == pytest.approx(same)
    probabilities = np.maximum(model.predict_proba(images), 1e-3)
    outputs = np.log(probabilities) - np.log(probabilities).mean(axis=1, keepdims=True)
    spread = outputs.std(axis=0)
    lost = np.square((outputs - explainer.predict(images)) / spread).sum()
    whole = np.square((outputs - explainer.expected_value) / spread).sum()
    assert report.rungs[1].carried.value == pytest.approx(1 - lost / whole, abs=1e-6)
    assert 0.2 < report.rungs[1].masked.carried.value < 1.0
    assert report.verdict in ("unsafe", "caution")
    assert report.summary().startswith("Explanations by single features reproduce")
    assert "Against the labels the model's accuracy is" in report.summary()


@pytest.mark.slow
def test_targets_under_masks_teach_the_masked_game(model, explainer, digits):
    images = digits[0]
    plan = TrainingPlan(n_epochs=10, batch_rows=64)
    options = {"patches": (4, 4), "width": 32, "plan": plan, "device": "cpu", "value_function": model.predict_masked}
    masked = ImageExplainer(model, **options).fit(images[:1400])
    told = [
        each.audit(images[1400:], value_function=model.predict_masked).rungs[1].masked.carried.value
        for each in (masked, explainer)
    ]
    assert told[0] > max(told[1], 0.6)
    blind = model.predict_masked(images[:1], np.zeros((1, 8, 8), dtype=bool)).clip(1e-3)
    np.testing.assert_allclose(masked.expected_value, (np.log(blind) - np.log(blind).mean())[0], atol=1e-5)


def test_important_patches_raise_the_probability_sooner_than_the_others(explainer, model, digits):
    from dataclasses import replace

    explanation = explainer(digits[0][1400:1440])
    curves = compute_curves(explanation, model.predict_masked)
    reverse = compute_curves(replace(explanation, values=-explanation.values), model.predict_masked)
    assert curves.insertion_area > reverse.insertion_area + 0.1
    assert curves.deletion_area < reverse.deletion_area - 0.1
    whole = model.predict_proba(explanation.images).max(axis=1).mean()
    assert curves.insertion[-1] == pytest.approx(whole)
    assert curves.deletion[0] == pytest.approx(whole)
    assert curves.insertion[0] == pytest.approx(curves.deletion[-1])


def test_a_torch_module_is_a_classifier_of_tensors_with_channels_first(digits):
    class Brightness(torch.nn.Module):
        def forward(self, images):
            assert images.shape[1:] == (1, 8, 8)
            light = images.mean(dim=(1, 2, 3))
            return torch.stack([light, 2 * light, -3 * light], dim=1)

    images = digits[0][:256]
    explainer = ImageExplainer(Brightness(), patches=(2, 2), order=1, width=8, plan=TrainingPlan(n_epochs=1), device="cpu")
    explainer.fit(images)
    light = images.mean(axis=(1, 2))
    np.testing.assert_allclose(explainer.expected_value, np.array([1.0, 2.0, -3.0]) * light.mean(), rtol=1e-4)
    assert explainer.output_names_ == ("0", "1", "2")
    assert explainer.output_transform_.startswith("log-probability of each class")


@pytest.mark.parametrize(("labels", "message"), [(np.zeros(8), "of 1 classes"), (np.arange(7), "7 labels")])
def test_bad_labels_get_one_clear_error(digits, labels, message):
    with pytest.raises(ValueError, match=message):
        train_masked_classifier(digits[0][:8], labels)
