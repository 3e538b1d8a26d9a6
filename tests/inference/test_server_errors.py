"""Errors of servers name the server and what to do, and list no more models than one can read."""

import pytest

from finetune.errors import BackendError
from finetune.inference import server_errors

ADDRESS = "http://localhost:8000/v1"

ALL = [
    server_errors.wrong_address(),
    server_errors.damaged_key(),
    server_errors.refused_key(ADDRESS, 401),
    server_errors.unreachable(ADDRESS),
    server_errors.insecure(ADDRESS),
    server_errors.busy(ADDRESS, 503),
    server_errors.slow(ADDRESS, 120),
    server_errors.broke_off(ADDRESS),
    server_errors.too_long(),
    server_errors.rejected(ADDRESS, 400, "base"),
    server_errors.failed(ADDRESS),
    server_errors.no_openai(ADDRESS),
    server_errors.unknown_model(ADDRESS, "other", ["base"]),
    server_errors.unknown_adapter(ADDRESS, "tuned", ["base"]),
    server_errors.which_model(ADDRESS, ["a", "b"]),
]


def test_each_has_a_key_of_its_own():
    assert len({error.key for error in ALL}) == len(ALL)
    assert all(error.key.startswith("backend.") for error in ALL)


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.key)
def test_its_facts_stand_in_its_sentence(error):
    assert isinstance(error, BackendError)
    assert all(str(fact) in str(error) for fact in error.facts.values())
    assert str(error).endswith(".")


def test_of_many_models_the_first_ten_are_named_and_of_none_a_dash():
    many = server_errors.unknown_model(ADDRESS, "x", (f"model-{number}" for number in range(99)))
    assert many.facts["known"].endswith("model-9, …")
    assert server_errors.which_model(ADDRESS, []).facts["known"] == "-"
