"""The masked additive model: moments, the closed-form fit, and its tables.

Reading a fitted model (``model``, ``lookup``, ``kernels``) needs neither scipy nor scikit-learn; fitting one does.
"""
