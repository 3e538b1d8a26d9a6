"""The composed corpus, once for all tests of the demo."""

import pytest


@pytest.fixture(scope="session")
def topics():
    """Every topic that was written."""
    from finetune.demo.parts import read_topics

    return read_topics()


@pytest.fixture(scope="session")
def composed():
    """The corpus as the code composes it now: (topic, title, question, answer)."""
    from finetune.demo import corpus

    return corpus.compose()
