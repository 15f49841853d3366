"""The public surface is a contract."""

import inspect

import pytest

import instashap

CONTRACT = {
    "Explainer": {
        "fit": ["X", "outputs", "sample_weight"],
        "__call__": ["X", "errors", "outputs", "marginal"],
        "shap_values": ["X"],
        "index_values": ["X", "index", "structure"],
        "importance": ["kind", "X", "y", "sample_weight", "pairs", "errors"],
        "ask": ["question", "given", "options"],
        "export": ["path"],
        "refine": ["X", "model", "value_function", "n_coalitions", "random_state"],
        "reasons": ["X", "n", "reference", "better", "model", "texts", "groups", "target", "stable", "error", "random_state"],
        "learn_residual": ["X", "regressor", "model", "value_function", "n_coalitions", "random_state"],
        "interaction_values": ["X", "errors"],
        "mobius_values": ["X", "players", "errors"],
        "predict": ["X", "masks", "errors"],
        "rank_terms": ["n_terms", "presence"],
        "purify": ["kind", "X", "sample_weight"],
        "accumulate": ["X", "outputs", "sample_weight"],
        "refit": ["moments"],
        "moments_": None,
        "compile": [],
        "explain_to": ["path", "X", "keep"],
        "save": ["path", "errors"],
        "check": ["X", "model", "outputs"],
        "audit": ["X", "y", "model", "thresholds"],
        "expected_value": None,
        "terms_": None,
        "presence_terms_": None,
        "feature_names_": None,
        "feature_names_in_": None,
        "output_names_": None,
        "n_features_in_": None,
        "output_transform_": None,
    },
    "AdditiveRegressor": {
        "fit": ["X", "y", "sample_weight", "exposure", "offset"],
        "predict": ["X", "exposure", "offset"],
        "score": ["X", "y", "sample_weight", "exposure", "offset"],
        "explain": ["X", "errors"],
        "shap_values": ["X"],
        "eval_terms": ["X"],
    },
    "Marginal": {"__init__": ["background"]},
    "Moments": {
        "__add__": ["other"],
        "__sub__": ["other"],
        "save": ["path"],
        "load": ["path"],
        "n_rows": None,
        "total_weight": None,
    },
    "Baseline": {"__init__": ["row"]},
    "TrustReport": {
        "table": None,
        "masked_table": None,
        "verdict": None,
        "verdicts": None,
        "attribution_r2": None,
        "summary": [],
        "to_dict": [],
        "_repr_html_": [],
    },
    "ChangeReport": {
        "table": None,
        "sentences": None,
        "moved": None,
        "change": None,
        "to_text": [],
        "to_markdown": [],
        "to_html": [],
        "write": ["path"],
    },
    "Explanation": {
        "to_shap": ["interactions"],
        "to_frame": ["totals", "data"],
        "_repr_html_": [],
    },
}
OPTIONS = ["model", "order", "presence_order", "interactions", "output", "output_name", "value_function", "fitter", "groups"]
OPTIONS += ["categorical", "bases", "full_weight", "synthetic_rows", "batch_rows", "plan_rows", "n_jobs", "random_state"]
OPTIONS += ["verbose"]


def test_all_is_sorted_and_every_name_exists() -> None:
    assert list(instashap.__all__) == sorted(instashap.__all__)
    for name in instashap.__all__:
        assert getattr(instashap, name) is not None
        assert name in dir(instashap)


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in CONTRACT.items() for name in names])
def test_contracted_name_has_its_parameters(owner: str, name: str) -> None:
    member = inspect.getattr_static(getattr(instashap, owner), name, None)
    if member is None or isinstance(member, classmethod):  # inherited, or bound to the class
        member = getattr(getattr(instashap, owner), name)
    expected = CONTRACT[owner][name]
    if expected is None:
        assert isinstance(member, property)
        return
    assert [each for each in inspect.signature(member).parameters if each != "self"] == expected


def test_explainer_takes_the_contracted_options_by_keyword() -> None:
    parameters = inspect.signature(instashap.Explainer).parameters
    assert list(parameters) == OPTIONS
    assert all(each.kind is each.KEYWORD_ONLY for name, each in parameters.items() if name != "model")


def test_from_ebm_takes_the_model_rows_and_a_value_function() -> None:
    assert list(inspect.signature(instashap.from_ebm).parameters) == ["ebm", "X", "value_function"]


def test_write_report_takes_an_explainer_rows_labels_and_a_path() -> None:
    expected = ["explainer_or_estimator", "X", "y", "path", "title", "marginal"]
    assert list(inspect.signature(instashap.write_report).parameters) == expected


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Explaner'"):
        _ = instashap.Explaner


def test_neural_names_are_the_contracted_ones() -> None:
    contracted = {
        *("FastSHAPExplainer", "ImageExplainer", "ImageExplanation", "MaskedClassifier", "MaskedSurrogate", "NetShape"),
        *("NeuralAdditiveClassifier", "NeuralAdditiveRegressor", "NeuralFitter", "PretrainedClassifier", "TrainingPlan"),
        *("compute_curves", "explain_segments", "search_frontier", "train_masked_classifier", "wrap_pretrained"),
    }
    assert set(instashap.neural.__all__) == contracted
    pytest.importorskip("torch")
    for name in contracted:
        assert getattr(instashap.neural, name).__name__ == name


def test_text_names_are_the_contracted_ones() -> None:
    assert set(instashap.text.__all__) == {"TextExplainer", "TextExplanation"}
    for name in instashap.text.__all__:
        assert getattr(instashap.text, name).__name__ == name
