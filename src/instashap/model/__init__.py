"""The additive model: tables, look-up kernels, nested spans, orthogonal decompositions.

Reading a fitted model needs numpy and numba only.
"""
