"""Functions of linear predictions beside the best model of a search: kept only if they clearly lower the held-out risk."""

from dataclasses import replace
from math import inf

import numpy as np

from ..model.index_part import IndexPart
from .candidate import Candidate, Judgement, Solved
from .cross_validation import WALKED_FOLDS
from .fold_moments import FoldMoments
from .folds import take_census
from .make_indices import make_indices
from .search import Search
from .search_limits import MAX_FUNCTIONS
from .select import Judge

# They must lower the held-out risk by this share: their main effects are learnt from all rows, those held out among them.
_MIN_GAIN = 5e-3
# With fewer different rows a linear prediction follows chance, and gains are chance too.
_MIN_ROWS = 100

Found = tuple[Judge, Judgement, Solved]


def offer_index(search: Search) -> None:
    """Judge the best model with indices (:mod:`.make_indices`); it replaces that without, if its risk is lower.

    The best main effects come first: where indices do not serve them, nothing else is tried.
    """
    judge, chosen, solved = search.best
    if take_census(search.encoded, search.weights).n_distinct < _MIN_ROWS:
        return
    if not 0 < chosen.full_risk < inf or search.n_players < 3 or len(judge.moments.folds) < 2:
        return
    total = judge.moments.total
    kept = judge.moments.select(chosen.candidate.keeps(judge.moments.functions)).blend(chosen.strengths.synthetic)
    merged = solved.problem.merge(solved.solution.coefficients)
    if solved.base is not None:
        merged[solved.base.scores] += solved.base.full_slopes
    variances = total.output_scatter / total.weight
    rows = search.encoded, search.weights
    indices = make_indices(kept.functions, merged, kept.whole[0], variances, search.fitter.players, *rows)
    if indices is None:
        return
    indices = _scale(indices, search)
    if chosen.candidate.order > 1 and _find_better(search, search.simplest, indices) is None:
        return  # main effects have no use for them: the rest of the time is saved
    found = _find_better(search, search.best, indices)
    if found is not None:
        search.best = found
    search.report(0.99, "linear predictions of columns")


def _find_better(search: Search, found: Found, indices: IndexPart) -> Found | None:
    """A candidate with indices, if they clearly lower its risk."""
    judge, chosen, solved = found
    functions = judge.moments.functions.add_indices(indices)
    if len(functions) > MAX_FUNCTIONS:
        return None
    richer = search.make_judge(functions, known=judge.moments)
    richer.moments = _match(richer.moments, judge.moments)
    candidate = replace(chosen.candidate, indices=True)
    is_last = found is search.best
    if not is_last and judge.moments.drawn is not None:  # synthetic rows may have judged it, or fewer folds
        chosen = richer.judge(chosen.candidate, chosen.strengths, ())[0]
    if is_last and not _wins_at_first(richer, chosen, candidate, solved):
        return None
    judged = richer.judge(candidate, chosen.strengths, (), solved if is_last else None)
    search.judgements.append(judged[0])
    is_better = judged[0].lowers_risk(chosen) and judged[0].risk < (1 - _MIN_GAIN) * chosen.risk
    return (richer, *judged) if is_better else None


def _wins_at_first(richer: Judge, chosen: Judgement, candidate: Candidate, solved: Solved) -> bool:
    """Whether a candidate lowers the risk enough on the first folds; else the others are saved."""
    splits = richer.moments.splits
    few = Judge(replace(richer.moments, n_judged=WALKED_FOLDS), richer.presence_sets, richer.players, richer.size_law)
    share = sum(split.share for split in splits[:WALKED_FOLDS]) / sum(split.share for split in splits)
    first = few.judge(candidate, chosen.strengths, (), solved)[0].risk * share
    return first < (1 - _MIN_GAIN) * float(chosen.fold_risks[:WALKED_FOLDS].sum())


def _match(moments: FoldMoments, other: FoldMoments) -> FoldMoments:
    """Moments that judge as others do: by the same folds, with synthetic rows among those held out, or not."""
    drawn = None
    if moments.drawn is not None and other.drawn is not None:
        drawn = replace(moments.drawn, is_judge=other.drawn.is_judge)
    return replace(moments, drawn=drawn, n_judged=other.n_judged)


def _scale(indices: IndexPart, search: Search) -> IndexPart:
    """The same with functions of mean zero and unit variance on the rows, and for missing values as on average."""
    bases = [column.encoder.bases for column in search.fitter.columns]
    shares = search.weights / search.weights.sum()
    found = indices.evaluate(bases, search.encoded)
    means = np.einsum("n,nic->ic", shares, found)
    spread = np.sqrt(np.einsum("n,nic->ic", shares, (found - means) ** 2))
    values = (indices.values - means[:, None]) / np.where(spread > 0, spread, 1.0)[:, None]
    values[:, -1] = 0.0
    return replace(indices, values=values)
