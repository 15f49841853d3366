"""Fit of an image explainer: reads images and the model, and trains the game and the context net."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..._progress import show_progress
from ..._row_arrays import check_outputs
from ..._validation import check_at_least, check_positive
from ...game.pairs import count_least_coalitions
from ..training import Training, TrainingPlan
from .context_net import ContextNet, train_context
from .fitted_images import FittedImages
from .image_game import ImageGame
from .image_terms import TermChoice, choose_terms, rank_pairs
from .image_training import Size, Targets, Task, fit_game
from .patches import check_images, make_patches
from .reading import ImageModel, read_model
from .refine_images import Play, make_play, sample_labels

if TYPE_CHECKING:
    from .image_explainer import ImageExplainer

_PLAN = TrainingPlan(batch_rows=256, learning_rate=3e-3, weight_decay=1e-3)
# Number of images by which distant pairs are ranked.
_RANKED = 2048


def fit_images(options: ImageExplainer, images: Any, outputs: Any) -> FittedImages:
    """The fitted game of a black box on images; see :meth:`ImageExplainer.fit`."""
    array = check_images(images)
    patches = make_patches(options.patches, (array.shape[1], array.shape[2]))
    terms = choose_terms(patches, options.order, options.interactions)
    sizes = (check_at_least(getattr(options, name), 1, name, "nets need some") for name in ("size_modes", "width", "rank"))
    size = Size(*sizes)
    full_weight = check_positive(options.full_weight, "full_weight")
    model = None if options.model is None else read_model(options.model, array, options.output)
    values = _find_outputs(model, array, outputs)
    play = make_play(options.value_function, model, patches)
    if options.context and play is None:
        raise ValueError("context= learns from masked images: pass value_function=, a function of images and pixel masks")
    task = Task(array, values, patches, full_weight, None if play is None else _make_targets(play, array))
    terms, game, training = _train(options, task, terms, size)
    context = _train_context(options, task, game, model, play) if options.context and play is not None else None
    names, transform = _name_outputs(model if outputs is None else None, values.shape[1])
    which = options.value_function if isinstance(options.value_function, str) else "masked"
    facts = names, transform, which, context, model, training
    floors = None if model is None or outputs is not None else model.floors
    return FittedImages(game, patches, terms, size, array.shape[1:], *facts, floors=floors)


def _train_context(options: ImageExplainer, task: Task, game: ImageGame, model: ImageModel | None, play: Play) -> ContextNet:
    """Train the context net on the value function at sampled coalitions of every image."""
    least = count_least_coalitions(task.patches.n_players)
    seed = options.random_state
    labels = sample_labels(play, game, task.images, least if options.context is True else options.context, seed)
    with show_progress(options.verbose) as progress:
        plan = options.plan or _PLAN
        plan = replace(plan, device=options.device, seed=seed, progress=plan.progress or progress, checkpoint=None)
        source = getattr(None if model is None else model.source, "net", None)
        return train_context(labels, task.patches, source, plan, game.base.device)


def _train(options: ImageExplainer, task: Task, terms: TermChoice, size: Size) -> tuple[TermChoice, ImageGame, Training]:
    """Train the game; if a number of distant pairs is asked for, they are chosen by a first fit."""
    with show_progress(options.verbose) as progress:
        plan = options.plan or _PLAN
        plan = replace(plan, device=options.device, seed=options.random_state, progress=plan.progress or progress)
        if isinstance(options.interactions, int) and options.interactions > 0:
            everything = TermChoice(terms.presence_sets[: task.patches.n_players], True)
            scout, _ = fit_game(task, everything, size, replace(plan, checkpoint=None))
            distant = rank_pairs(scout, task.images[:_RANKED], options.interactions, terms.presence_sets)
            terms = replace(terms, presence_sets=(*terms.presence_sets, *distant))
        return terms, *fit_game(task, terms, size, plan)


def _find_outputs(model: ImageModel | None, images: NDArray[Any], outputs: Any) -> NDArray[np.float64]:
    if outputs is not None:
        return check_outputs(outputs, len(images), "outputs")
    if model is None:
        raise ValueError("there is no model: pass one to ImageExplainer, or outputs= to fit")
    return model.predict(images)


def _make_targets(play: Play, images: NDArray[Any]) -> Targets:
    """Outputs of the value function by numbers of the fitted images and masks of players."""
    return lambda rows, masks: play(images[rows.numpy()], masks)


def _name_outputs(model: ImageModel | None, n_outputs: int) -> tuple[tuple[str, ...], str]:
    numbered = tuple(f"output {k}" for k in range(n_outputs))
    if model is None:
        return ("output",) if n_outputs == 1 else numbered, "outputs as given to fit"
    box = model.box
    return box.output_names if len(box.output_names) == n_outputs else numbered, box.description
