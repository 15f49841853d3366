"""Explainer of images: an additive model of patches, fitted once, then a heat map for every class in one pass."""

import os
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ..._errors import NotFittedError
from ..._row_arrays import check_masks, check_outputs
from ...store import expect_images, read_archive, write_archive
from ...trust.report import TrustReport
from ...trust.thresholds import Thresholds
from ..devices import choose_device
from ..training import Training, TrainingPlan
from .fit_images import fit_images
from .fitted_images import FittedImages
from .image_audit import audit_images
from .image_explanation import ImageExplanation
from .patches import check_images, split_rows, to_tensor
from .reading import MaskedModel, read_model
from .refine_images import estimate_residual, make_play


class ImageExplainer:
    """Fast Shapley values of the patches of images by an additive model: one net shared by all patches, fitted once.

    This is the paper's model for images (InstaSHAP, section on vision) with an exact loss: no masks are drawn, and the black
    box predicts each whole image once. A part depends on its own patches only, and counts if all of them are present.

    Parameters
    ----------
    model : estimator, torch module or callable
        Maps images as they are passed to ``fit`` to outputs or, with ``predict_proba``, to probabilities. Torch modules
        (torchvision, timm) get float32 tensors (n, n_channels, height, width) from 0 to 1 and return scores of classes.
        None if ``outputs`` are passed to ``fit``.
    patches : (int, int) or array of shape (height, width), int
        The players: rows and columns of a grid, or the player of each pixel, numbered from 0.
    order : {1, 2}
        1: single patches only. 2: also ``interactions``.
    interactions : str, list of tuples, or int
        ``"auto"`` and ``"neighbours"``: pairs that share a border; ``"all"``: every pair of patches, by a low-rank form
        whose cost is linear in their number; ``"blocks"``: overlapping 2 × 2 blocks; ``"hybrid"``: blocks and all pairs;
        an int: neighbours and this number of distant pairs, the strongest of a low-rank fit; or the sets of patches themselves.
    output : {"auto", "raw", "probability"}
        As in :class:`instashap.Explainer`: a classifier's centred log-probabilities, or probabilities.
    value_function : "conditional" or callable
        ``"conditional"``: ``E[f(X) | x_S]``, learnt from whole images alone. A callable of images and masks of pixels (bool,
        (n_images, height, width), True = known) with outputs like the model's: its game is learnt from random masks.
    full_weight : float
        Mass of the whole image in the fit, relative to the total mass of all other coalitions.
    size_modes : int
        1: a part has the same value whatever else is known. More: it is also multiplied by powers of the unknown share, which
        redundant patches need; the prediction stays additive.
    context : bool or int
        True: explanations are those of a net that reads the whole image. It learns the Shapley values of the value function,
        a callable, from this number of sampled coalitions of each image (True: the fewest, ``2 + 2 * (n_players // 2)``).
        Explanations then sum to the value function of the whole image; ``predict`` remains the additive model.
    width, rank : int
        Number of features of a patch, and length of the embedding whose products are the pairs.
    plan : TrainingPlan, optional
        Epochs, batches, rates, checkpoint and progress; its device and seed are replaced by the explainer's.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps".
    random_state : int
    verbose : int
        1 shows a progress bar (extra ``progress``).

    Attributes
    ----------
    n_players_, segments_, terms_, output_names_, output_transform_, training_

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> images = digits.images / 16
    >>> explainer = ImageExplainer(patches=(2, 2), order=1, width=8, plan=TrainingPlan(n_epochs=2))
    >>> explainer = explainer.fit(images, outputs=images[:, :4, :4].sum(axis=(1, 2)))
    >>> explainer(images[:3]).heat_maps.shape
    (3, 8, 8)
    """

    def __init__(
        self,
        model: Any = None,
        *,
        patches: Any = (7, 7),
        order: int = 2,
        interactions: Any = "auto",
        output: str = "auto",
        value_function: str | MaskedModel = "conditional",
        full_weight: float = 1.0,
        size_modes: int = 3,
        context: bool | int = False,
        width: int = 64,
        rank: int = 16,
        plan: TrainingPlan | None = None,
        device: str = "auto",
        random_state: int = 0,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.patches = patches
        self.order = order
        self.interactions = interactions
        self.output = output
        self.value_function = value_function
        self.full_weight = full_weight
        self.size_modes = size_modes
        self.context = context
        self.width = width
        self.rank = rank
        self.plan = plan
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, images: Any, *, outputs: Any = None) -> Self:
        """Learn the game from images like those on which the model was trained, without labels.

        Parameters
        ----------
        images : array of shape (n_images, height, width) or (n_images, height, width, n_channels)
            uint8, or float from 0 to 1; channels last.
        outputs : array of shape (n_images,) or (n_images, n_outputs), optional
            Outputs to explain, used unchanged instead of the model's predictions.

        Raises
        ------
        ValueError, TypeError
            For images, patches or options that cannot be used.
        ModelOutputError
            If the model fails, or returns outputs that cannot be explained.
        """
        self._fitted = fit_images(self, images, outputs)
        return self

    def __call__(self, images: Any, *, outputs: Any = None) -> ImageExplanation:
        """Explain images: Shapley values of every patch for every output.

        Parameters
        ----------
        images : array as in ``fit``
        outputs : array of shape (n_images,) or (n_images, n_outputs), optional
            Outputs of the whole images on the explained scale, to which the values of an explainer with ``context`` sum.
            Default: those of the value function, which a loaded explainer does not hold.
        """
        fitted = self._get()
        array = check_images(images, fitted.image_shape)
        base = np.tile(fitted.base_value, (len(array), 1))
        values = self._apply((fitted.context or fitted.game).explain, array)
        if fitted.context is not None:
            lacking = self._find_totals(array, outputs) - base - values.sum(axis=1)
            values += lacking[:, None] / values.shape[1]
        return self._make_explanation(array, values, base, fitted.value_function)

    def _find_totals(self, images: NDArray[Any], outputs: Any) -> NDArray[np.float64]:
        """Outputs of whole images that explanations sum to, shape (n_images, n_outputs)."""
        fitted = self._get()
        if outputs is not None:
            return check_outputs(outputs, len(images), "outputs")
        play = make_play(self.value_function, fitted.model, fitted.patches)
        if play is None:
            raise ValueError("with a context net explanations sum to the value function's outputs: pass outputs=")
        return play(images, np.ones((len(images), fitted.patches.n_players), dtype=bool))

    def _make_explanation(
        self, images: NDArray[Any], values: NDArray[np.float64], base: NDArray[np.float64], game: str, errors: Any = None
    ) -> ImageExplanation:
        """An explanation, without the axis of outputs if there is one."""
        fitted = self._get()
        if values.shape[2] == 1:
            values, base, errors = values[:, :, 0], base[:, 0], None if errors is None else errors[:, :, 0]
        facts = fitted.output_names, fitted.output_transform, game
        return ImageExplanation(values, base, images, fitted.patches.segments, *facts, standard_errors=errors)

    def refine(
        self,
        images: Any,
        *,
        n_coalitions: int = 64,
        shrink: bool = False,
        model: Any = None,
        value_function: MaskedModel | None = None,
        random_state: int | None = None,
    ) -> ImageExplanation:
        """Estimate the Shapley values of the masked value function itself, image by image, with standard errors.

        The fitted games serve as control variate: the estimates are unbiased whatever the fit, and only what the fit leaves has
        sampling errors. They fall as ``1 / sqrt(n_coalitions)`` and are rounding errors from ``2**n_players`` on. Values and
        base value sum to the value function of the whole image.

        Parameters
        ----------
        images : array as in ``fit``
        n_coalitions : int
            Masked images asked about for each image, at least ``2 + 2 * (n_players // 2)``.
        shrink : bool
            Pull estimates towards the fitted games as far as their errors, over all passed images, suggest (empirical Bayes).
            Lower errors with few coalitions, at the price of a bias: no longer unbiased.
        model : optional
            The black box, if the explainer was loaded or fitted on outputs.
        value_function : callable, optional
            A masked black box as in the class. Default: that of the explainer.
        random_state : int, optional
            Seed of the coalitions; default: the explainer's.

        Raises
        ------
        ValueError
            Without a masked value function, or with too few coalitions.
        """
        fitted = self._get()
        array = check_images(images, fitted.image_shape)
        box = fitted.model if model is None else read_model(model, array, self.output, fitted.floors)
        masked = self.value_function if value_function is None else value_function
        play = make_play(masked, box, fitted.patches)
        if play is None:
            raise ValueError("refine() asks about masked images: pass value_function=, a function of images and pixel masks")
        seed = self.random_state if random_state is None else random_state
        found = estimate_residual(play, fitted.game, fitted.context, array, n_coalitions, seed)
        values, errors = found.shrink() if shrink else (found.values, np.sqrt(found.variances))
        return self._make_explanation(array, found.control + values, found.base, "masked, refined", errors)

    def shap_values(self, images: Any) -> NDArray[np.float64]:
        """Shapley values, shape (n_images, n_players) or (n_images, n_players, n_outputs)."""
        return self(images).values

    def predict(self, images: Any, masks: Any = None) -> NDArray[np.float64]:
        """Output of the additive model, shape (n_images,) or (n_images, n_outputs).

        Parameters
        ----------
        images : array as in ``fit``
        masks : array of shape (n_images, n_players) or (n_players,), bool, optional
            Which patches are present. Default: all.
        """
        fitted = self._get()
        array = check_images(images, fitted.image_shape)
        d = fitted.patches.n_players
        present = check_masks(np.ones(d, dtype=bool) if masks is None else masks, len(array), d)
        found = self._apply(lambda some, part: fitted.game.predict(some, part), array, present)
        return found[:, 0] if found.shape[1] == 1 else found

    def _apply(self, compute: Any, images: NDArray[Any], *others: NDArray[Any]) -> NDArray[np.float64]:
        """Results of a function of tensors, computed batch by batch."""
        device = self._get().game.base.device
        found = []
        with torch.no_grad():
            for some in split_rows(len(images)):
                rest = (torch.tensor(each[some], device=device) for each in others)
                found.append(compute(to_tensor(images[some]).to(device), *rest).double().cpu())
        return np.asarray(torch.cat(found).numpy())

    def audit(
        self,
        images: Any,
        y: Any = None,
        *,
        model: Any = None,
        value_function: MaskedModel | None = None,
        thresholds: Thresholds | None = None,
    ) -> TrustReport:
        """Report how reliable these explanations are, from images on which the explainer was not fitted.

        Parameters
        ----------
        images : array as in ``fit``
        y : array of shape (n_images,), optional
            Labels; with them the report also scores the model and the additive model against labels.
        model : optional
            The black box, if the explainer was loaded or fitted on outputs.
        value_function : callable, optional
            A masked black box; with it the report also states how well its masked games are explained. Default: the callable of
            the explainer, if it was fitted to one.
        thresholds : Thresholds, optional
        """
        fitted = self._get()
        array = check_images(images, fitted.image_shape)
        box = fitted.model if model is None else read_model(model, array, self.output, fitted.floors)
        if box is None:
            raise ValueError("an audit compares with the model, but this explainer holds none: pass model=")
        masked = self.value_function if value_function is None else value_function
        play = make_play(masked, box, fitted.patches)
        return audit_images(self, box, array, y, play, thresholds)

    @property
    def expected_value(self) -> Any:
        """Base value: a float, or an array of shape (n_outputs,)."""
        base = self._get().base_value
        return float(base[0]) if len(base) == 1 else base

    @property
    def n_players_(self) -> int:
        return self._get().patches.n_players

    @property
    def segments_(self) -> NDArray[np.int64]:
        """Player of each pixel."""
        return self._get().patches.segments

    @property
    def terms_(self) -> tuple[tuple[int, ...], ...]:
        """Sets of patches with their own part; with ``has_all_pairs_`` every pair has a low-rank part in addition."""
        return self._get().terms.presence_sets

    @property
    def has_all_pairs_(self) -> bool:
        return self._get().terms.has_all_pairs

    @property
    def order_(self) -> int:
        """Number of patches of the largest term: 4 with blocks."""
        return self._get().terms.order

    @property
    def output_names_(self) -> tuple[str, ...]:
        return self._get().output_names

    @property
    def output_transform_(self) -> str:
        return self._get().output_transform

    @property
    def training_(self) -> Training | None:
        """Losses of the fit by epoch; None for a loaded explainer."""
        return self._get().training

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the explainer to one file, without code and without the black box."""
        write_archive(path, *self._get().to_archive(self.output), expect_images)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> Self:
        """Load an explainer, without its black box, from a file.

        Raises
        ------
        FileFormatError
            If the file is damaged or of another kind.
        """
        content, arrays = read_archive(path, expect_images)
        fitted = FittedImages.from_archive(content, arrays).move(choose_device(device))
        loaded = cls(patches=fitted.patches.segments, output=content["output"], device=device)
        loaded._fitted = fitted
        return loaded

    def _get(self) -> FittedImages:
        if not hasattr(self, "_fitted"):
            raise NotFittedError("this ImageExplainer is not fitted yet; call fit(images) first")
        return self._fitted
