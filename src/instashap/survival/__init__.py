"""Times until an event: an additive model of hazards, and survival at some times as outputs of any survival model."""

from .additive_survival import AdditiveSurvival
from .horizons import survive_at

__all__ = ["AdditiveSurvival", "survive_at"]
