"""A classifier's outputs as log-odds: its own margins (scores before the link) if they are log-odds, else from probabilities.

Log-odds of probabilities of exactly 0 or 1 are infinite. Such probabilities are clipped at a floor, which is estimated once
from the rows of the fit and used for all later rows. Finite log-odds are not changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .._errors import FitWarning, ModelOutputError, warn_caller
from .model import Answer, BatchPlace, BlackBox, Call, Progress, ask_batch, iterate_batches, keep_values

# Sums of probabilities may differ from one by this, as they may be in single precision.
_SUM_TOLERANCE = 1e-3
# Tolerances for a margin's probabilities to agree with the model's own: relative (log-odds within .001) and that of float32.
_RELATIVE, _ABSOLUTE = 1e-3, 2e-7
# The floor if every probability is 0 or 1, so that no scale can be estimated: log-odds of ±6.9.
_NO_SCALE = 1e-3
# If no probability of the fit's rows is 0, the floor is the smallest one times this.
_ROOM = 1e-3
# Log-probabilities of probabilities this close to 0 or 1 are inaccurate, so that the model's own log-probabilities are used.
_EXTREME = 1e-12
# Warn if probabilities of more than this share of the rows were clipped.
_MANY = 0.01


class Margin(NamedTuple):
    """Scores that may be log-odds.

    Attributes
    ----------
    call : callable
        Function from the user's rows to scores: (n_rows,) of the second of two classes, or (n_rows, n_classes).
    name : str
        The method or option that gives them, for example ``"decision_function"``.
    is_known : bool
        Whether they are log-odds by the model's objective; else they are compared with the probabilities.
    is_exact : bool
        False if they are needed only where probabilities are too close to 0 or 1.
    """

    call: Call
    name: str
    is_known: bool = False
    is_exact: bool = True


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probabilities of all classes from log-odds of the second of two, (n_rows, 1), or from scores of a softmax."""
    if scores.shape[1] == 1:
        return -np.logaddexp(0.0, np.hstack([scores, -scores]))
    return np.asarray(scores - np.logaddexp.reduce(scores, axis=1)[:, None])


def compute_probabilities(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of all classes from log-odds of the second of two, (n_rows, 1), or from scores of a softmax."""
    return np.exp(_softmax(scores))


def _one_against_rest(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probabilities from scores of each class against all others: logistic probabilities, divided by their sum."""
    logs = -np.logaddexp(0.0, -scores)
    return np.asarray(logs - np.logaddexp.reduce(logs, axis=1)[:, None])


_LINKS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "softmax": _softmax,
    "one against rest": _one_against_rest,
}


@dataclass(frozen=True)
class ClassBox(BlackBox):
    """A classifier, explained on log-odds.

    ``call`` returns class probabilities, and ``transform`` completes them to all classes. The box that :meth:`ask` returns has
    a ``description`` that states how many of its rows were clipped.

    Attributes
    ----------
    margin : Margin or None
        Scores that may be log-odds.
    link : str or None
        Name of the link from margins to log-probabilities; empty if probabilities are used; None until it is determined.
    floors : tuple of float, or None
        Least probability of each class: smaller ones are replaced by it. None until they are estimated.
    share_cut : float
        Share of rows with a replaced probability, among those from which the floors were estimated.
    note : str
        End of the description.
    """

    margin: Margin | None = None
    link: str | None = None
    floors: tuple[float, ...] | None = None
    share_cut: float = 0.0
    note: str = ""

    def ask(self, X: Any, n_rows: int, progress: Progress | None = None) -> Answer:
        """See :meth:`BlackBox.ask`; the first batch determines whether the margins are log-odds."""
        box = self

        def read(batch: Any, place: BatchPlace) -> NDArray[np.float64]:
            nonlocal box
            if box.link is None:
                box, logs = box._find_link(batch, place)
                return logs
            return box._read_logs(batch, place)

        logs = self._collect(X, n_rows, progress, read)
        floors = learn_floors(logs, bool(box.link)) if box.floors is None else np.array(box.floors)
        cut = cut_logs(logs, floors)
        share = float(np.mean((cut != logs).any(axis=1))) if len(logs) else 0.0
        if self.floors is None:
            is_pair = not self.output_names and logs.shape[1] == 2  # a mixture of two, for example, names no classes
            what = "log-odds of the second class" if is_pair else self.description
            text = f"{what}, {box._describe(floors[(cut != logs).any(axis=0)], share)}{self.note}"
            box = replace(box, floors=tuple(floors.tolist()), share_cut=share, description=text)
        return Answer(to_log_odds(cut), box, np.exp(logs))

    def convert(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """See :meth:`BlackBox.convert`."""
        logs = _take_logs(self.transform(raw))
        return to_log_odds(cut_logs(logs, learn_floors(logs, False) if self.floors is None else np.array(self.floors)))

    def prepare(self, X: Any, n_rows: int) -> "ClassBox":
        """See :meth:`BlackBox.prepare`."""
        if self.floors is not None:
            batch, start, stop = next(iterate_batches(X, n_rows, self.batch_rows))
            return self._find_link(batch, BatchPlace(start, stop, self.source))[0]
        box = self.ask(X, n_rows).box
        assert isinstance(box, ClassBox)
        return box

    @property
    def scale(self) -> dict[str, Any] | None:
        """See :attr:`BlackBox.scale`."""
        if self.floors is None:
            return None
        return {"floors": list(self.floors), "share_cut": self.share_cut, "description": self.description}

    def restore(self, scale: Mapping[str, Any] | None) -> Self:
        """See :meth:`BlackBox.restore`."""
        if scale is None:
            return self
        floors, share = tuple(scale["floors"]), float(scale["share_cut"])
        return replace(self, floors=floors, share_cut=share, description=scale["description"])

    def _find_link(self, batch: Any, place: BatchPlace) -> tuple["ClassBox", NDArray[np.float64]]:
        """The box with its link, and the log-probabilities of a batch."""
        if self.margin is not None and self.margin.is_known:
            box = replace(self, link="softmax")
            return box, box._read_logs(batch, place)
        probabilities = self.transform(ask_batch(self.call, batch, place))
        if self.margin is not None and (self.margin.is_exact or _has_extremes(probabilities)):
            for link, logs in self._try_links(batch, place):
                if _agrees(logs, probabilities):
                    return replace(self, link=link), logs
        return replace(self, link=""), _take_logs(probabilities)

    def _try_links(self, batch: Any, place: BatchPlace) -> list[tuple[str, NDArray[np.float64]]]:
        assert self.margin is not None
        try:
            with np.errstate(divide="ignore"):
                scores = ask_batch(self.margin.call, batch, place)
        except ModelOutputError:  # the model lacks the option, or a logarithm is infinite: probabilities are used
            return []
        return [(link, convert(scores)) for link, convert in _LINKS.items()]

    def _read_logs(self, batch: Any, place: BatchPlace) -> NDArray[np.float64]:
        if not self.link:
            return _take_logs(self.transform(ask_batch(self.call, batch, place)))
        assert self.margin is not None
        return _LINKS[self.link](ask_batch(self.margin.call, batch, place))

    def _describe(self, floors: NDArray[np.float64], share: float) -> str:
        """The origin of the log-odds, and the floors at which classes were clipped."""
        if self.link:
            assert self.margin is not None
            origin = f"the model's own margin ({self.margin.name})"
        else:
            origin = "from probabilities"
        if not share:
            return origin
        least, most = f"{floors.min():.2g}", f"{floors.max():.2g}"
        where = f"below {least}" if most == least else f"below {least} to {most} by class"
        return f"{origin}, those {where} cut ({100 * share:.1f} % of rows)"


@dataclass(frozen=True)
class ProbabilityBox(BlackBox):
    """A classifier, explained on probabilities; ``transform`` completes them to all classes."""

    def ask(self, X: Any, n_rows: int, progress: Progress | None = None) -> Answer:
        """See :meth:`BlackBox.ask`."""
        both = self._collect(X, n_rows, progress, lambda batch, place: self.transform(ask_batch(self.call, batch, place)))
        return Answer(_drop_first_of_two(both), self, both)

    def convert(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """See :meth:`BlackBox.convert`."""
        return _drop_first_of_two(self.transform(raw))


def _drop_first_of_two(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    return probabilities[:, 1:] if probabilities.shape[1] == 2 else probabilities


def describe_classes(
    call: Call,
    names: tuple[str, ...],
    output: str,
    source: str,
    *,
    margin: Margin | None = None,
    to_probabilities: Callable[[NDArray[np.float64]], NDArray[np.float64]] = keep_values,
    are_apart: bool = False,
    note: str = "",
) -> BlackBox:
    """A classifier as a black box, with log-odds as outputs, or probabilities for ``output="probability"``.

    Parameters
    ----------
    call : callable
        Function from the user's rows to probabilities, shape (n_rows, n_classes) or, for the second of two classes, (n_rows,).
    names : tuple of str
        The second of two classes; else every class.
    output : {"auto", "raw", "probability"}
    source : str
    margin : Margin, optional
    to_probabilities : callable
        Applied to the result of ``call``, as float64 of shape (n_rows, n_raw).
    are_apart : bool
        Whether each class is trained against all others; the probabilities, which do not sum to one, are divided by their sum.
    note : str
        End of the description.
    """

    def read(raw: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = to_probabilities(raw)
        if are_apart:
            shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        given = check_probabilities(shares, source)
        return np.hstack([1 - given, given]) if given.shape[1] == 1 else given

    if output == "probability":
        what = f"probability of class {names[0]!r}" if len(names) == 1 else "probability of each class"
        divided = ", divided by their sum, as each is of one class against all others" if are_apart else ""
        return ProbabilityBox(call, read, names, f"{what}{divided}{note}", source)
    what = f"log-odds of class {names[0]!r}" if len(names) == 1 else "log-probability of each class minus the mean over classes"
    return ClassBox(call, read, names, what, source, margin=margin, note=note)


def warn_of_cut(box: BlackBox) -> None:
    """Warn if the log-odds of more than 1 % of the rows were clipped."""
    share = 0.0 if box.scale is None else box.scale["share_cut"]
    if share > _MANY:
        warn_caller(
            f"{box.source} gives probabilities of 0 or 1, or almost, on {100 * share:.1f} % of the rows; "
            "their log-odds are infinite and were cut, so that the explanation understates these rows: "
            "output='probability' explains the probabilities themselves",
            FitWarning,
        )


def name_classes(classes: Any) -> tuple[str, ...]:
    """Names of the outputs: the second class if there are two, else every class. Beside 1, "1" is in quotes.

    Examples
    --------
    >>> name_classes([1, 2, "2"])
    ('1', '2', "'2'")
    >>> name_classes([-1.0, -0.0, 1.0])
    ('-1.0', '0.0', '1.0')
    """
    own = list_classes(classes)
    names = [str(each) for each in own]
    for place, each in enumerate(own):
        if isinstance(each, str) and names.count(each) > 1:
            names[place] = repr(each)
    return tuple(names[1:] if len(names) == 2 else names)


def list_classes(classes: Any) -> list[Any]:
    """A model's classes, of which a list keeps its types: [1, "1"] are two. -0.0, which sorting may put first, is 0.0."""
    found = np.asarray(classes, dtype=None if isinstance(classes, np.ndarray) else object).ravel().tolist()
    return [0.0 if isinstance(each, float) and each == 0.0 else each for each in found]


def check_probabilities(values: NDArray[np.float64], source: str) -> NDArray[np.float64]:
    """The class probabilities, shape (n_rows, n_classes), clipped to [0, 1]; raises ``ModelOutputError`` for other numbers."""
    if values.min() < -_SUM_TOLERANCE or values.max() > 1 + _SUM_TOLERANCE:
        raise ModelOutputError(
            f"{source} gave values from {values.min():.4g} to {values.max():.4g}, which are not probabilities; pass a function "
            "that returns what is to be explained"
        )
    sums = values.sum(axis=1)
    worst = float(sums[np.argmax(np.abs(sums - 1))])
    if values.shape[1] > 1 and abs(worst - 1) > _SUM_TOLERANCE:
        raise ModelOutputError(
            f"{source} gave probabilities of a row that add up to {worst:.4g}, not 1; if they belong to several labels, "
            "explain one label at a time by a function, for example lambda X: model.predict_proba(X)[:, 0]"
        )
    return np.asarray(np.clip(values, 0.0, 1.0))


def _has_extremes(probabilities: NDArray[np.float64]) -> bool:
    return bool(probabilities.min() < _EXTREME or probabilities.max() > 1 - _EXTREME)


def _agrees(logs: NDArray[np.float64], probabilities: NDArray[np.float64]) -> bool:
    """Whether log-probabilities agree with given probabilities."""
    if logs.shape != probabilities.shape:
        return False
    return bool((np.abs(np.exp(logs) - probabilities) <= _RELATIVE * probabilities + _ABSOLUTE).all())


def _take_logs(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def learn_floors(logs: NDArray[np.float64], are_margins: bool) -> NDArray[np.float64]:
    """Least probability of each class, estimated from log-probabilities of rows, shape (n_classes,); 0 means no limit.

    Margins are finite and have no limit. A probability of 0 is replaced by half of the smallest positive one of its class, not
    counting the smallest hundredth: in a forest of 100 trees this is .005. If no probability of these rows is 0, the limit is a
    thousandth of the smallest.
    """
    if are_margins:
        return np.zeros(logs.shape[1])
    floors = np.full(logs.shape[1], np.nan)
    for number, own in enumerate(np.exp(logs).T):
        inside = own[(own > 0) & (own < 1)]
        if own.min() > 0:
            floors[number] = _ROOM * own.min()
        elif inside.size:
            floors[number] = np.quantile(inside, 0.01, method="lower") / 2
    known = floors[np.isfinite(floors)]
    return np.where(np.isnan(floors), known.min() if known.size else _NO_SCALE, floors)


def cut_logs(logs: NDArray[np.float64], floors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-probabilities clipped at the floors; if some are still infinite, at floors estimated from these rows themselves.

    Raises ``ModelOutputError`` if there are more or fewer classes than floors, which an earlier fit may have estimated.
    """
    if logs.shape[1] != len(floors):
        raise ModelOutputError(
            f"the model gives probabilities of {logs.shape[1]} classes, the explainer was fitted on {len(floors)}: pass a "
            "model of the same classes, or fit again"
        )
    cut = np.maximum(logs, _take_logs(floors))
    if np.isfinite(cut).all():
        return cut
    return np.maximum(cut, np.where(floors > 0, -np.inf, _take_logs(learn_floors(logs, False))))


def to_log_odds(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds of the second of two classes, or log-probabilities of more minus their mean over the classes.

    Parameters
    ----------
    logs : ndarray of shape (n_rows, n_classes), float64
        Log-probabilities.

    Returns
    -------
    ndarray of shape (n_rows, 1) for two classes, else (n_rows, n_classes), float64

    Examples
    --------
    >>> to_log_odds(np.log([[0.5, 0.5], [0.001, 0.999]])).round(3)
    array([[0.   ],
           [6.907]])
    """
    if logs.shape[1] == 2:
        return np.asarray(logs[:, 1:] - logs[:, :1])
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))
