"""Options of an explainer: read and set by name, as scikit-learn does."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any, Self

from .._validation import check_choice
from ..blackbox.held_model import HeldModel

if TYPE_CHECKING:
    from ..table.recipe import Recipe


class ExplainerOptions:
    """The model and the options as the user gave them; see :class:`instashap.Explainer`.

    Attributes
    ----------
    recipe : Recipe or None
        How the command line reads text columns; saved with the fit.
    """

    recipe: Recipe | None = None

    def __init__(
        self,
        model: Any = None,
        *,
        order: int = 2,
        presence_order: int | str = "auto",
        interactions: Any = "auto",
        output: str = "auto",
        output_name: str | None = None,
        value_function: Any = "conditional",
        fitter: Any = "closed-form",
        groups: Any = None,
        categorical: Any = "auto",
        bases: Any = None,
        full_weight: float = 1.0,
        synthetic_rows: int | str = "auto",
        batch_rows: int = 8192,
        plan_rows: int = 100_000,
        n_jobs: int | None = None,
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.order = order
        self.presence_order = presence_order
        self.interactions = interactions
        self.output = output
        self.output_name = output_name
        self.value_function = value_function
        self.fitter = fitter
        self.groups = groups
        self.categorical = categorical
        self.bases = bases
        self.full_weight = full_weight
        self.synthetic_rows = synthetic_rows
        self.batch_rows = batch_rows
        self.plan_rows = plan_rows
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The options by name; ``sklearn.base.clone`` uses them to make an unfitted copy."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def set_params(self, **options: Any) -> Self:
        """Change options; returns the explainer itself. Raises ``ValueError`` for a name that is not an option."""
        for name, value in options.items():
            check_choice(name, tuple(self.get_params()), "option")
            setattr(self, name, value)
        return self


def hold_model(options: ExplainerOptions, model: Any = None) -> HeldModel:
    """The explainer's model, or another one, with the explainer's output scale and batch size."""
    return HeldModel(options.model if model is None else model, options.output, options.batch_rows, options.verbose)


def choose_seed(options: ExplainerOptions, random_state: int | None) -> int:
    """A seed given for one question, or else that of the explainer; 0 if there is neither."""
    return (options.random_state if random_state is None else random_state) or 0
