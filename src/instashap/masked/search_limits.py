"""Sizes and limits of the search for a model in closed form."""

from ..table.grain import LEVELS_PER_TABLE

# Folds that candidates are judged by.
N_FOLDS = 5
# Functions of one column's main effect, and of its side of a pair or a triple.
AXIS_LIMITS = (20, 24, 8)
# Fewest functions of a number column, however many columns share the unknowns: less than the straight line, the
# parabola and a step only where so many functions in all would be too many.
MIN_AXIS = 3
# Levels of a category or code: a main effect has a value for each kept one.
LEVEL_LIMITS = (LEVELS_PER_TABLE, 24, 8)
# Largest product of ranks tried for pairs, coarse to fine; triples stay coarse.
PAIR_RESOLUTIONS = (4, 8, 24, 72)
TRIPLE_RESOLUTION = 4
# Ranks repeated under larger presence sets, narrow to wide.
EXTRA_RANKS = ((2, 1, 1), (6, 2, 1), (12, 8, 1), (24, 24, 1))
# Share of the risk a width must save for the next one to be tried.
WORTHWHILE = 1e-3
# Unknowns a distinct row can support; beyond, time is spent on what the penalty shrinks to nothing. Never fewer than the
# minimum, and no more than take a second a solution.
UNKNOWNS_PER_ROW = 1.5
MIN_UNKNOWNS = 500
# Fewest unknowns under larger presence sets: the few leading functions repeated there are smooth, and 500 rows
# of a three-factor Gaussian gain from them (.84 → .95).
MIN_PRESENCE_UNKNOWNS = 2000
MAX_UNKNOWNS = 30_000
# Unknowns that a fit with synthetic rows may have, if that is more than without. Where rows alone determine more, there are
# rows enough (20 000 of eight columns gained nothing), and a second search would take longer than the first.
MAX_SYNTHETIC_UNKNOWNS = 10_000
# Most unknowns times outputs: without a factorisation every output is a solution of its own.
MAX_UNKNOWNS_ALL_OUTPUTS = 60_000
# Shares of the unknowns for main effects, and of the rest for these under presence pairs; pairs get what is left.
MAIN_SHARE = 0.25
PRESENCE_SHARE = 1 / 3
# Value functions a fit may have: their Gram, its five folds and splits then take 2 GB.
MAX_FUNCTIONS = 4000
# Unknowns up to which the parts under larger presence sets have their strength chosen: it matters where rows are few.
MAX_TUNED_PRESENCE = 3000
# Presence sets of one size, if all are taken: the triples of 20 players, the quadruples of 14. Beyond, so many of the best.
MAX_PRESENCE_SETS = 1200
N_BEST_PRESENCE_SETS = 600
# Players up to which presence sets of several are tried where nobody asks for them: the matrix between all sets is written out.
MAX_PLAYERS_PRESENCE = 1000
# Players up to which quadruples are on offer where nobody asks for them: written out, or two players tied to any two others.
MAX_PLAYERS_QUADRUPLES = 10
MAX_PLAYERS_TIED_QUADRUPLES = 50
