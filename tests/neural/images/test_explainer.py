"""Laws of image explanations: sums, masks, leaks, files."""

from itertools import permutations

import numpy as np
import pytest

pytest.importorskip("torch", reason="nets of images need torch")


from instashap import FileFormatError, NotFittedError
from instashap.neural import ImageExplainer, TrainingPlan
from instashap.store import read_archive, write_archive

KINDS = [
    {"order": 1},
    {"order": 1, "size_modes": 1},
    {"interactions": "all"},
    {"interactions": "neighbours", "size_modes": 2},
    {"interactions": "hybrid"},
]


def average_over_orders(predict, image, n_players):
    """Shapley values by their definition: gains of each player, mean over all orders of arrival."""
    orders = list(permutations(range(n_players)))
    values = {}
    for bits in range(2**n_players):
        mask = np.array([bits >> k & 1 for k in range(n_players)], dtype=bool)
        values[tuple(mask)] = predict(image, mask)[0]
    gains = np.zeros((n_players, len(next(iter(values.values())))))
    for order in orders:
        mask = [False] * n_players
        for player in order:
            before = values[tuple(mask)]
            mask[player] = True
            gains[player] += values[tuple(mask)] - before
    return gains / len(orders)


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_values_are_shapley_values_of_the_games_own_predictions(make_explainer, digits, options):
    explainer, images = make_explainer(**options), digits[0][600:603]
    explanation = explainer(images)
    for number in range(3):
        expected = average_over_orders(explainer.predict, images[number : number + 1], 4)
        np.testing.assert_allclose(explanation.values[number], expected, atol=2e-4)
    np.testing.assert_allclose(explanation.predictions, explainer.predict(images), atol=2e-4)


@pytest.mark.parametrize("options", KINDS[2:], ids=str)
def test_a_masked_patch_cannot_leak(make_explainer, digits, options):
    explainer, images = make_explainer(**options), digits[0][600:620]
    for patch in range(4):
        changed = images.copy()
        changed[:, explainer.segments_ == patch] = 1 - changed[:, explainer.segments_ == patch]
        mask = np.arange(4) != patch
        np.testing.assert_array_equal(explainer.predict(images, mask), explainer.predict(changed, mask))
        assert np.abs(explainer.predict(images) - explainer.predict(changed)).max() > 0.01


def test_no_patch_gives_the_mean_output_and_so_does_the_mean_over_fitted_images(make_explainer, digits):
    explainer, images = make_explainer(interactions="hybrid"), digits[0][:512]
    means = [images[:, :4].sum(axis=(1, 2)).mean(), (images[:, 2, 2] * images[:, 5, 5]).mean()]
    np.testing.assert_allclose(explainer.expected_value, means, rtol=1e-6)
    np.testing.assert_allclose(explainer.predict(images[:2], np.zeros(4, dtype=bool)), [means, means], rtol=1e-6)
    np.testing.assert_allclose(explainer.predict(images).mean(axis=0), means, rtol=1e-4)


def test_saved_explainers_give_the_same_bits(make_explainer, digits, tmp_path):
    explainer, images = make_explainer(interactions="hybrid"), digits[0][600:610]
    explainer.save(tmp_path / "digits.insta")
    loaded = ImageExplainer.load(tmp_path / "digits.insta", device="cpu")
    np.testing.assert_array_equal(loaded(images).values, explainer(images).values)
    assert loaded.output_names_ == explainer.output_names_
    assert loaded.terms_ == explainer.terms_
    with pytest.raises(ValueError, match="pass model="):
        loaded.audit(images)


def test_one_seed_gives_one_answer(make_explainer, digits):
    images = digits[0][600:605]
    first, again, other = (make_explainer(order=1, random_state=seed)(images).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-6


def test_additive_outputs_of_patches_are_learnt(digits):
    images = digits[0]
    outputs = 3 * images[:, :4, :4].mean(axis=(1, 2)) - images[:, 4:, 4:].mean(axis=(1, 2))
    plan = TrainingPlan(n_epochs=12, batch_rows=64)
    explainer = ImageExplainer(patches=(2, 2), order=1, width=16, plan=plan, device="cpu")
    explainer.fit(images[:1400], outputs=outputs[:1400])
    residual = explainer.predict(images[1400:]) - outputs[1400:]
    assert residual.var() < 0.02 * outputs[1400:].var()


def test_distant_pairs_are_chosen_where_they_matter(digits):
    images = digits[0]
    patches = np.arange(64).reshape(8, 8) // 32 * 2 + np.arange(8) // 4  # two rows and columns
    outputs = (images[:, 2, 2] - 0.5) * (images[:, 5, 5] - 0.5)  # first and last patch, which share a corner only
    plan = TrainingPlan(n_epochs=8, batch_rows=64)
    options = {"interactions": 1, "width": 8, "rank": 4, "size_modes": 1, "plan": plan, "device": "cpu"}
    explainer = ImageExplainer(patches=patches, **options)
    explainer.fit(images, outputs=outputs)
    assert explainer.terms_[4:] == ((0, 1), (0, 2), (1, 3), (2, 3), (0, 3))


def test_single_outputs_and_colours_have_the_shapes_of_the_house(digits):
    colour = np.stack([digits[0][:64]] * 3, axis=-1)
    explainer = ImageExplainer(patches=(2, 4), width=8, plan=TrainingPlan(n_epochs=1), device="cpu")
    explainer.fit(colour, outputs=colour.mean(axis=(1, 2, 3)))
    explanation = explainer(colour[:5])
    assert explanation.values.shape == (5, 8)
    assert explanation.heat_maps.shape == (5, 8, 8)
    assert explanation.base_values.shape == (5,)
    assert explainer.predict(colour[:5]).shape == (5,)
    assert isinstance(explainer.expected_value, float)


def test_an_unfitted_explainer_asks_for_fit():
    with pytest.raises(NotFittedError, match="call fit"):
        ImageExplainer()(np.zeros((1, 8, 8)))


def test_files_of_tables_are_refused(tmp_path):
    write_archive(tmp_path / "table.insta", {"kind": "explainer"}, {})
    with pytest.raises(FileFormatError, match="does not hold an image explainer"):
        ImageExplainer.load(tmp_path / "table.insta")


ALTERED = {
    "a wider net": (lambda content, _: content["size"].__setitem__(1, 10**6), "must have the shape"),
    "a term beyond": (lambda content, _: content["terms"].append([0, 99]), "for every single player"),
    "a term twice": (lambda content, _: content["terms"].append(content["terms"][0]), "distinct sets of players"),
    "more outputs": (lambda content, _: content["output_names"].append("eleven"), "must have the shape"),
    "a player beyond": (lambda _, arrays: arrays["segments"].__setitem__((0, 0), 10**9), "does not number the players"),
    "no number": (lambda _, arrays: arrays["net.net.stem.bias"].fill(np.nan), "infinite values or NaN"),
    "a member more": (lambda _, arrays: arrays.update(more=np.zeros(2)), "its manifest calls for: 'more'"),
}


def test_altered_files_are_refused(make_explainer, tmp_path):
    make_explainer(interactions="hybrid").save(tmp_path / "good.insta")
    for edit, message in ALTERED.values():
        content, arrays = read_archive(tmp_path / "good.insta")
        edit(content, arrays)
        write_archive(tmp_path / "bad.insta", content, arrays)  # every checksum right
        with pytest.raises(FileFormatError, match=message):
            ImageExplainer.load(tmp_path / "bad.insta")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 3}, "order=3 must be 1"),
        ({"order": 1, "interactions": "all"}, "order=1 has no interactions"),
        ({"interactions": "distant"}, "'neighbours'"),
        ({"interactions": [(0, 9)]}, "from 0 to 3"),
        ({"value_function": "marginal"}, "'conditional'"),
        ({"patches": (9, 9)}, "does not fit images of 8 rows"),
        ({"patches": (1, 1)}, "the whole image one player"),
        ({"patches": np.zeros((4, 4), dtype=int)}, "the images are 8 × 8"),
        ({"full_weight": 0.0}, "above 0"),
    ],
)
def test_bad_options_get_one_clear_error(make_explainer, options, message):
    with pytest.raises(ValueError, match=message):
        make_explainer(**options)


@pytest.mark.parametrize(
    ("images", "kind", "message"),
    [
        (np.zeros((8, 8)), ValueError, "a single image is"),
        (np.zeros((2, 3, 8, 8)), ValueError, "channels come last"),
        (np.zeros((2, 8, 8), dtype=int), TypeError, "uint8"),
        (np.full((2, 8, 8), np.nan), ValueError, "not finite"),
        (np.zeros((2, 9, 8)), ValueError, r"fitted on \(8, 8\)"),
    ],
)
def test_bad_images_get_one_clear_error(make_explainer, images, kind, message):
    with pytest.raises(kind, match=message):
        make_explainer(order=1, plan=TrainingPlan(n_epochs=1)).predict(images)


def test_log_odds_of_a_rare_class_are_not_cut_to_one_value(digits, tmp_path):
    """A detector whose every probability is below .001: a cut there would leave no difference between images."""

    class Detector:
        classes_ = np.array(["no", "yes"])

        def predict_proba(self, images):
            yes = 1e-4 * np.exp(images[:, 2:6, 2:6].mean(axis=(1, 2)))
            return np.column_stack([1 - yes, yes])

    images, model = digits[0][:300], Detector()
    options = {"patches": (2, 2), "width": 8, "rank": 1, "plan": TrainingPlan(n_epochs=2, batch_rows=128), "device": "cpu"}
    fitted = ImageExplainer(model, **options).fit(images)
    log_odds = np.log(model.predict_proba(images)) @ [-1, 1]
    assert fitted.expected_value == pytest.approx(log_odds.mean(), abs=1e-3)  # about -8.9; a cut at .001 gives -6.9
    assert "those below" in fitted.output_transform_
    assert "(0.0 % of images)" in fitted.output_transform_
    fitted.save(tmp_path / "rare.insta")
    loaded = ImageExplainer.load(tmp_path / "rare.insta")
    # The floors are those of the fit, whatever images are audited: of ten images of one kind others would be learnt.
    assert loaded._fitted.floors == fitted._fitted.floors == (1e-3, pytest.approx(4e-3 * np.exp(log_odds).mean(), rel=1e-3))
