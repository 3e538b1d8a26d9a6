"""What a notebook hands in: types that are asked for pass, everything else is one sentence with the name in it."""

import pytest

from finetune import argument_checks
from finetune.errors import DataError


@pytest.mark.parametrize(("value", "kinds"), [("a", (str,)), (None, (str, None)), (2, (int,)), (False, (bool, None))])
def test_what_is_asked_for_passes(value, kinds):
    argument_checks.expect("name", value, *kinds)


@pytest.mark.parametrize(
    ("value", "kinds", "said"),
    [
        (2, (str, None), "name has to be str or None; found int. Mend it."),
        ("", (str,), "name has to be str; found an empty text. Mend it."),
        (True, (int,), "name has to be int; found bool. Mend it."),
        (None, (str,), "name has to be str; found NoneType. Mend it."),
    ],
)
def test_what_is_not_is_told_with_what_to_do(value, kinds, said):
    with pytest.raises(DataError) as caught:
        argument_checks.expect("name", value, *kinds, hint=" Mend it.")
    assert str(caught.value) == said


def test_questions_are_one_text_or_several_from_whatever_gives_them():
    assert argument_checks.questions("ক") == ["ক"]
    assert argument_checks.questions(one for one in ("ক", "খ")) == ["ক", "খ"]
    assert argument_checks.questions([]) == []
    for wrong in (3, None, ["ক", 3]):
        with pytest.raises(DataError, match="A question has to be a text"):
            argument_checks.questions(wrong)
