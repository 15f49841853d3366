"""No answer of a question depends on how many synthetic rows a fit has, or on the budget of an audit."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def _ask_little(few_calls):
    """See ``few_calls``."""
