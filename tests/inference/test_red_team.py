"""The figures of a screen: counted by list, tier and kind, held against the bars, for any screen."""

import json

import pytest

from finetune.errors import DataError
from finetune.inference import red_team
from finetune.inference.red_team import LISTS, figures, lines, lists, read


class Alarmed:
    """A screen that finds what it is told to find."""

    def __init__(self, **tiers: str) -> None:
        self.tiers = tiers

    def tier(self, text: str) -> str:
        return self.tiers.get(text, "none")


@pytest.fixture
def listed(tmp_path):
    """A file with these lines."""

    def written(*rows: str, name: str = "list.tsv"):
        (tmp_path / name).write_text("# what ought to be\n" + "\n".join(rows) + "\n\n", encoding="utf-8")
        return tmp_path / name

    return written


def test_lines_are_counted_by_tier_and_kind(listed):
    file = listed("strong\tdirect\ta", "strong\tdirect\tb", "soft\toblique\tc", "none\tidiom\td", "none\tidiom\te")
    one = figures([file], Alarmed(a="strong", c="strong", d="soft"))["lists"][0]
    assert (one["file"], one["lines"]) == ("list.tsv", 5)
    counted = [(row["tier"], row["kind"], row["lines"], row["strong"], row["alarmed"]) for row in one["kinds"]]
    assert counted == [("strong", "direct", 2, 1, 1), ("soft", "oblique", 1, 1, 1), ("none", "idiom", 2, 0, 1)]
    shares = [(bar["tier"], bar["screened"], bar["share"], bar["held"]) for bar in one["bars"]]
    assert shares == [
        ("strong", "strong", 0.5, False),
        ("soft", "soft", 1.0, True),
        ("none", "strong", 0.0, True),
        ("none", "soft", 0.5, False),
    ]


def test_a_bar_is_held_where_it_is_just_reached(listed):
    rows = [f"none\tidiom\t{number}" for number in range(50)]
    bars = figures([listed(*rows)], Alarmed(**{"0": "strong"}))["lists"][0]["bars"]
    assert [(bar["share"], bar["held"]) for bar in bars] == [(0.02, True), (0.02, True)]
    bars = figures([listed(*rows)], Alarmed(**{"0": "strong", "1": "strong"}))["lists"][0]["bars"]
    assert [bar["held"] for bar in bars] == [False, True]


def test_each_list_is_counted_by_itself(listed):
    files = [listed("strong\tdirect\ta", name="a.tsv"), listed("strong\tdirect\tb", name="b.tsv")]
    bars = [one["bars"][0]["held"] for one in figures(files, Alarmed(a="strong"))["lists"]]
    assert bars == [True, False]


def test_the_table_says_what_is_held_and_shows_no_text(listed):
    file = listed("strong\tdirect\tগোপন কথা", "none\tnews\tখবর")
    shown = "\n".join(lines(figures([file], Alarmed())))
    assert "list.tsv: 2 lines" in shown and "NOT HELD" in shown and "harmless" in shown
    assert "গোপন" not in shown and "খবর" not in shown
    assert json.loads(json.dumps(figures([file], Alarmed())))["lists"][0]["lines"] == 2


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("strong\tdirect", "screen.bad_list"),
        ("loud\tdirect\ttext", "screen.bad_list"),
        ("strong\tdirect\ta\tb", "screen.bad_list"),
    ],
)
def test_a_file_that_is_no_list_is_refused_with_its_line(listed, content, key):
    with pytest.raises(DataError, match="Line 3") as error:
        read(listed("soft\toblique\tx", content))
    assert error.value.key == key and error.value.facts["line"] == 3


def test_a_missing_or_unreadable_file_is_refused(tmp_path):
    with pytest.raises(DataError) as error:
        read(tmp_path / "none.tsv")
    assert error.value.key == "screen.no_file"
    (tmp_path / "latin.tsv").write_bytes("strong\tdirect\té".encode("latin-1"))
    with pytest.raises(DataError) as error:
        read(tmp_path / "latin.tsv")
    assert error.value.key == "screen.not_unicode"


def test_the_lists_of_the_checkout_are_found_and_those_of_replies_are_not(monkeypatch, tmp_path):
    assert LISTS / "red_team.tsv" in lists() and LISTS / "reply_red_team.tsv" not in lists()
    monkeypatch.setattr(red_team, "LISTS", tmp_path)
    with pytest.raises(DataError) as error:
        lists()
    assert error.value.key == "screen.no_list"


@pytest.mark.parametrize("name", ["red_team", "red_team_unseen"])
def test_the_lists_that_the_screen_was_mended_on_hold_every_bar(name):
    bars = figures([LISTS / f"{name}.tsv"])["lists"][0]["bars"]
    assert len(bars) == len(red_team.BARS)
    assert [bar for bar in bars if not bar["held"]] == []
