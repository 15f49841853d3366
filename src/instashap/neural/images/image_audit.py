"""Trust report of an image explainer on images on which it was not fitted."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...game.coalitions import compute_shapley_size_law, draw_members
from ...table.encoding import Encoded
from ...trust.figures import Figure, estimate_share
from ...trust.held_rows import Rows
from ...trust.masked import MaskedFidelity
from ...trust.report import Rung, TrustReport
from ...trust.scores import Classes, compare_classes, measure_carried, measure_outputs, score_classes, score_labels
from ...trust.thresholds import Thresholds
from .reading import ImageModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from .image_explainer import ImageExplainer

# Largest number of images whose masked games are measured, and number of coalitions of each.
_MASKED_IMAGES, _N_MASKS = 1024, 8


def audit_images(
    explainer: "ImageExplainer",
    model: ImageModel,
    images: NDArray[Any],
    y: Any,
    ask_masked: "Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[np.float64]] | None",
    thresholds: Thresholds | None,
) -> TrustReport:
    """Trust report as for tables: explained shares of the black box's output and masked games, agreement of classes.

    Parameters
    ----------
    explainer : ImageExplainer
    model : ImageModel
    images : ndarray
    y : array of shape (n_images,) or None
    ask_masked : callable or None
        Maps images and masks of players to outputs.
    thresholds : Thresholds or None
    """
    outputs = model.predict(images)
    n = len(images)
    # Images have no columns; rows are distinguished by their outputs.
    nothing = Encoded(np.zeros((n, 0), dtype=np.int64), np.zeros((n, 0)))
    rows = Rows(nothing, outputs, np.ones(n), (), (), ())
    classes = _find_classes(model, images)
    fitted = explainer.predict(images).reshape(n, -1)
    base = np.broadcast_to(np.atleast_1d(explainer.expected_value), outputs.shape)
    score, labels = _prepare_labels(rows, model, classes, y)
    share = 0.0 if np.ptp(outputs, axis=0).any() else 1.0
    ground = Rung(0, 0, Figure(share, share, share), labels=score(base, False))
    rung = Rung(
        order=explainer.order_,
        presence_order=explainer.order_,
        carried=measure_carried(rows, fitted, base),
        classes={} if classes is None else compare_classes(rows, fitted, classes),
        labels=score(fitted, False),
        masked=None if ask_masked is None else _measure_masked(explainer, images, ask_masked),
        outputs=measure_outputs(rows, fitted, base, explainer.output_names_, classes),
    )
    black_box = score(outputs, True) if labels else {}
    facts = n, "new rows", explainer.output_transform_, black_box
    return TrustReport((ground, rung), *facts, thresholds=thresholds or Thresholds())


def _find_classes(model: ImageModel, images: NDArray[Any]) -> Classes | None:
    if model.classes is None:
        return None
    if model.scale == "score":
        return Classes(model.classes, "score")
    return Classes(model.classes, model.scale, model.predict_proba(images))


def _prepare_labels(
    rows: Rows, model: ImageModel, classes: Classes | None, y: Any
) -> "tuple[Callable[[NDArray[np.float64], bool], dict[str, Figure]], bool]":
    """A function that scores outputs against the labels, and whether there are labels."""
    if y is None:
        return lambda outputs, is_black_box: {}, False
    labels = np.asarray(y).ravel()
    if len(labels) != len(rows):
        raise ValueError(f"y has {len(labels)} labels, there are {len(rows)} images")
    if classes is None:
        return lambda outputs, is_black_box: score_labels(rows, outputs, labels.reshape(len(rows), -1).astype(float)), True
    numbers = {name: number for number, name in enumerate(classes.names)}
    unknown = sorted({str(each) for each in labels.tolist()} - set(numbers))
    if unknown:
        raise ValueError(f"y holds labels that are not among the model's classes: {', '.join(unknown[:5])}")
    places = np.array([numbers[str(each)] for each in labels.tolist()], dtype=np.int64)
    return lambda outputs, is_black_box: score_classes(rows, outputs, places, classes, is_black_box), True


def _measure_masked(explainer: "ImageExplainer", images: NDArray[Any], ask_masked: Any) -> MaskedFidelity:
    """Share of the value function's masked games that the explainer's games explain, by the Shapley kernel over sizes."""
    rng = np.random.default_rng(0)
    some, d = images[:_MASKED_IMAGES], explainer.n_players_
    law = compute_shapley_size_law(d)[:d]
    base = np.atleast_1d(explainer.expected_value)
    lost, whole = np.zeros(len(some)), np.zeros(len(some))
    for _ in range(_N_MASKS):
        masks = draw_members(rng.choice(d, size=len(some), p=law / law.sum()), d, rng)
        wanted = ask_masked(some, masks)
        lost += np.square(wanted - explainer.predict(some, masks).reshape(wanted.shape)).sum(axis=1)
        whole += np.square(wanted - base).sum(axis=1)
    return MaskedFidelity(estimate_share(lost, whole, np.ones(len(some))), None, ())
