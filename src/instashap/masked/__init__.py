"""The closed-form fit of the masked additive model: moments, design, penalties, search, solve."""
