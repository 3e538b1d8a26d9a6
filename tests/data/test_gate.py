"""finetune/data/gate.py: a corpus as the run would see it, with real tokenizers and real rows."""

import csv
import random
import shutil

import pytest

from finetune.data import corpus, gate, prompts, splits
from finetune.data.gate import Gate, Segment
from finetune.errors import DataError, ModelError, RunError
from finetune.models import DEMO_BASE, load_tokenizer
from finetune.recipe import Recipe
from finetune.training import trainer
from tests.conftest import COLUMNS
from tests.data.test_preference_file import pairs, write
from tests.data.test_splits import questions
from tests.rows import ROWS

DEMO = Recipe.read("demo")
DIVIDED = "ঔঃৎ ঙৢ ৺ ᱚᱞ"
"""Letters so rare that the demo's tokenizer writes them byte by byte."""

REPLY = "শুনছি আপনার কথা, মন খারাপের কারণটা আরেকটু বলবেন? কথা নম্বর {number}।"


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Gate:
    """The first three hundred rows of the demo corpus, as the demo recipe sees them."""
    return gate.examine(DEMO, tmp_path_factory.mktemp("demo"), limit=300)


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(DEMO.base.model)


@pytest.fixture
def examine(tmp_path):
    """Write rows to a CSV file and examine it by the demo recipe with some settings changed."""

    def examine(rows, **settings) -> Gate:
        path = tmp_path / "corpus.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        changed = {name.replace("__", "."): value for name, value in settings.items()}
        recipe = DEMO.with_settings({"data.source": str(path), **changed})
        return gate.examine(recipe, tmp_path / "out")

    return examine


def rows_of(asked, topic="", reply=REPLY):
    return [(topic, "", question, reply.format(number=number)) for number, question in enumerate(asked)]


def found(gate: Gate) -> dict:
    return {finding.key: finding for finding in gate.warnings}


def text(sample: gate.Sample) -> str:
    return "".join(segment.text for segment in sample)


# the demo corpus


def test_the_demo_corpus_can_be_trained_on_and_its_figures_agree(demo):
    assert not demo.blocked
    assert set(found(demo)) == {"gate.few_rows"}, "three hundred rows are few, and nothing else is the matter"
    assert demo.report["rows"] == demo.report["kept"] == sum(demo.report["splits"].values()) == 300
    lengths = demo.lengths
    assert lengths.examined == lengths.of == 300 and not lengths.sampled
    assert (lengths.truncated_share, lengths.cut_share, lengths.max_length) == (0, 0, DEMO.training.max_length)
    assert lengths.median <= lengths.percentile_95 <= lengths.covering <= lengths.longest


def test_the_preview_shows_the_sources_first_rows_cleaned(demo):
    cleaned = list(corpus.clean_rows(DEMO.data, corpus.Report(), limit=gate.PREVIEW_ROWS))
    assert list(demo.rows) == cleaned
    assert len(demo.rows) == 8


def test_lengths_are_those_of_the_examples_the_trainer_makes(tmp_path, tokenizer):
    demo = gate.examine(DEMO, tmp_path, limit=60)
    rows = [row for name in splits.SPLITS for row in splits.read_split(tmp_path, name)]
    examples = trainer.encode_rows(rows, tokenizer, prompts.PromptFormat.of(DEMO.data), DEMO)
    lengths = sorted(len(example["input_ids"]) for example in examples)
    assert (demo.lengths.longest, demo.lengths.median) == (lengths[-1], lengths[29])
    assert demo.lengths.percentile_95 == lengths[56], "57 of 60 are 95 %"


def test_the_prepared_folder_is_what_a_run_prepares(demo, tmp_path):
    examined, prepared = tmp_path / "examined", tmp_path / "prepared"
    gate.examine(DEMO, examined, limit=40)
    splits.prepare(DEMO.data, prepared, limit=40)
    assert {path.name for path in examined.iterdir()} == {path.name for path in prepared.iterdir()}
    for name in splits.SPLITS:
        assert (examined / f"{name}.jsonl").read_bytes() == (prepared / f"{name}.jsonl").read_bytes()


# samples and the loss mask


def test_a_sample_shows_the_prompt_unlearnt_and_the_reply_with_its_end_learnt(demo, tmp_path):
    assert len(demo.samples) == gate.SAMPLES
    for prompt, reply in demo.samples:
        assert (prompt.learnt, reply.learnt) == (False, True)
        assert prompt.text.startswith("<|begin_of_text|><|start_header_id|>system<|end_header_id|>")
        assert prompt.text.endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")
        assert reply.text.endswith("<|eot_id|>")
        assert "\ufffd" not in prompt.text + reply.text


def test_samples_are_training_rows_and_the_same_every_time(demo, tmp_path):
    again = gate.examine(DEMO, tmp_path, limit=300)
    assert again.samples == demo.samples
    replies = {row["answer"] + "<|eot_id|>" for row in splits.read_split(tmp_path, "train")}
    assert {sample[-1].text for sample in demo.samples} <= replies


@pytest.mark.parametrize("style", ["shohomormi", "official", "reference"])
@pytest.mark.parametrize("max_length", range(60, 140, 9))
def test_the_segments_joined_are_the_decoded_example_wherever_it_is_cut(tokenizer, style, max_length):
    for _, _, question, answer in ROWS[:6]:
        messages = prompts.conversation(question, answer)
        ids, labels = prompts.encode_example(tokenizer, messages, prompts.PromptFormat(style), max_length)
        sample = gate.segments(tokenizer, ids, labels)
        assert text(sample) == tokenizer.decode(ids, skip_special_tokens=False)
        assert sum(segment.learnt for segment in sample) == (labels[-1] != prompts.IGNORED)


def test_letters_that_tokens_divide_are_whole_in_their_segments(tokenizer):
    messages = prompts.conversation(DIVIDED, DIVIDED)
    ids, labels = prompts.encode_example(tokenizer, messages, prompts.PromptFormat(), 2048)
    assert "\ufffd" in "".join(tokenizer.decode([token]) for token in ids), "else this test shows nothing"
    prompt, reply = gate.segments(tokenizer, ids, labels)
    assert f"{DIVIDED}<|eot_id|>" in prompt.text
    assert reply == Segment(f"{DIVIDED}<|eot_id|>", True)


def test_a_cut_in_mid_letter_shows_as_in_the_decoded_example(tokenizer):
    messages = prompts.conversation(DIVIDED, DIVIDED)
    whole, _ = prompts.encode_example(tokenizer, messages, prompts.PromptFormat(), 2048)
    cuts = [prompts.encode_example(tokenizer, messages, prompts.PromptFormat(), n) for n in range(1, len(whole))]
    texts = [text(gate.segments(tokenizer, ids, labels)) for ids, labels in cuts]
    assert texts == [tokenizer.decode(ids) for ids, _ in cuts]
    assert any(shown.endswith("\ufffd") for shown in texts)


# what max_length does


def test_a_tiny_max_length_blocks_the_run_that_the_trainer_would_refuse(examine, tmp_path, tokenizer):
    blocked = examine(ROWS, training__max_length=16)
    assert blocked.blocked
    finding = found(blocked)["gate.all_cut"]
    assert finding.blocking and finding.facts["needed"] == blocked.lengths.covering
    assert blocked.lengths.cut == blocked.lengths.truncated == blocked.lengths.examined == len(ROWS)
    assert all([segment.learnt for segment in sample] == [False] for sample in blocked.samples)
    recipe = DEMO.with_settings({"training.max_length": 16})
    with pytest.raises(RunError, match="max_length"):
        trainer.encode_rows(splits.read_split(tmp_path / "out", "train"), tokenizer, prompts.PromptFormat(), recipe)


def test_the_max_length_that_a_finding_advises_ends_it(examine):
    rows = rows_of(questions(200, length=7))
    first = found(examine(rows, training__max_length=60))["gate.truncated"]
    second = examine(rows, training__max_length=first.facts["needed"])
    assert "gate.truncated" not in found(second)
    assert second.lengths.truncated <= 0.01 * second.lengths.examined


def test_the_rows_counted_as_cut_are_those_that_the_trainer_leaves_out(examine, tmp_path, tokenizer):
    rows = rows_of(questions(100, length=5) + questions(20, seed=1, length=40))
    some = examine(rows, training__max_length=75)
    kept = [row for name in splits.SPLITS for row in splits.read_split(tmp_path / "out", name)]
    recipe = DEMO.with_settings({"training.max_length": 75})
    left = trainer.encode_rows(kept, tokenizer, prompts.PromptFormat.of(DEMO.data), recipe)
    assert 0 < some.lengths.cut == len(kept) - len(left) < len(kept)
    assert found(some)["gate.some_cut"].facts["count"] == some.lengths.cut
    training = splits.read_split(tmp_path / "out", "train")
    learnt = trainer.encode_rows(training, tokenizer, prompts.PromptFormat.of(DEMO.data), recipe)
    assert found(some)["gate.few_rows"].facts["train"] == len(learnt) < len(training)
    assert not some.blocked


def test_a_validation_split_without_one_reply_left_blocks_the_run(examine, tmp_path):
    rows = rows_of(questions(10, length=6))
    examine(rows, data__group="false")
    (validation,) = splits.read_split(tmp_path / "out", "validation")
    endless = "খুব একা লাগছে " * 40
    longer = [
        (topic, title, f"{question} {endless if question == validation['question'] else ''}", answer)
        for topic, title, question, answer in rows
    ]
    blocked = examine(longer, data__group="false", training__max_length=120, training__per_device_train_batch_size=4)
    assert [finding.key for finding in blocked.warnings if finding.blocking] == ["gate.validation_cut"]


# the histogram


@pytest.mark.parametrize(
    "lengths",
    [[57], [57] * 40, list(range(1, 22)), list(range(100, 1100)), [60] * 1000 + [2000] * 5, [60, 61] * 150 + [9000]],
    ids=lambda lengths: f"{len(lengths)}-{lengths[-1]}",
)
def test_every_example_is_in_one_bin_or_beyond_the_last(lengths):
    rng = random.Random(1)
    rng.shuffle(lengths)
    measured = gate._lengths([(length, 30) for length in lengths], len(lengths), max_length=256)
    bins = measured.bins
    assert 1 <= len(bins) <= gate.BINS
    assert sum(bin.count for bin in bins) + measured.overflow == measured.examined == len(lengths)
    assert all(bin.count == sum(bin.low <= length <= bin.high for length in lengths) for bin in bins)
    assert all(one.high + 1 == other.low for one, other in zip(bins, bins[1:], strict=False))
    assert len({bin.high - bin.low for bin in bins}) == 1
    assert measured.overflow <= 0.005 * len(lengths)


def test_a_few_freak_rows_do_not_press_the_others_into_one_bin():
    sizes = [(length, 30) for length in [*range(60, 100)] * 30 + [5000] * 3]
    measured = gate._lengths(sizes, len(sizes), max_length=256)
    assert measured.overflow == 3
    assert len(measured.bins) == 20 and measured.bins[-1].high == 99


def test_the_demo_corpus_histogram_counts_every_example(demo):
    assert sum(bin.count for bin in demo.lengths.bins) + demo.lengths.overflow == 300


# rows


def test_questions_on_two_sides_are_counted_with_grouping_off_and_none_with_grouping_on(examine, tmp_path):
    asked = questions(30) * 3
    torn = examine(rows_of(asked), data__group="false")
    sides = {name: [row["question"] for row in splits.read_split(tmp_path / "out", name)] for name in splits.SPLITS}
    train, validation = set(sides["train"]), set(sides["validation"])
    expected = sum(q in train for q in sides["validation"]) + sum(q in train | validation for q in sides["test"])
    assert found(torn)["gate.repeated"].facts == {"count": expected, "held_out": 18}
    assert "gate.repeated" not in found(examine(rows_of(asked)))


def test_dropped_rows_short_replies_other_scripts_and_one_topic_are_found(examine):
    rows = rows_of(questions(40), topic="শোক", reply="ok, বলুন না {number}")
    rows[3:9] = [("শোক", "", "", "শুনছি।")] * 6
    facts = {key: finding.facts for key, finding in found(examine(rows)).items()}
    assert facts["gate.dropped"] == {"dropped": 6, "rows": 40, "percent": "15"}
    assert facts["gate.one_topic"] == {"percent": "100", "topic": "শোক"}
    assert facts["gate.short_replies"] == {"characters": 14}
    assert 60 < float(facts["gate.little_bengali"]["percent"]) < 90


def test_rows_without_any_topic_are_fine(examine):
    assert "gate.one_topic" not in found(examine(rows_of(questions(30))))


def test_a_recipe_that_wants_more_rows_than_there_are_blocks(examine):
    finding = found(examine(ROWS, training__per_device_train_batch_size=64))["gate.batch"]
    assert finding.blocking and finding.facts == {"train": 24, "batch": 64}


def test_a_large_corpus_is_sampled_with_every_splits_share_and_the_figures_say_so(monkeypatch, examine):
    monkeypatch.setattr(gate, "MOST_EXAMINED", 60)
    rows = rows_of(questions(300))
    sampled = examine(rows)
    assert sampled.lengths.sampled and (sampled.lengths.examined, sampled.lengths.of) == (60, 300)
    assert sum(bin.count for bin in sampled.lengths.bins) + sampled.lengths.overflow == 60
    assert found(sampled)["gate.few_rows"].facts["train"] == 240, "the rows there are, not those examined"
    again = examine(rows)
    assert (again.lengths, again.samples, again.warnings) == (sampled.lengths, sampled.samples, sampled.warnings)


def test_an_unusable_source_is_told_by_the_error_that_says_why(examine, tmp_path):
    with pytest.raises(DataError, match="Only 5 of 5 rows"):
        examine(rows_of(questions(5)))
    with pytest.raises(DataError, match="no column প্রশ্ন"):
        examine(ROWS, data__question="প্রশ্ন")


def test_a_base_that_is_not_there_is_told(examine, tmp_path):
    with pytest.raises(ModelError, match="no config.json"):
        examine(ROWS, base__model=str(tmp_path / "nothing"))


def test_the_tokenizer_is_enough_no_weights_are_loaded(examine, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(DEMO_BASE / name, base)
    assert examine(ROWS, base__model=str(base)).lengths == examine(ROWS).lengths


# the dropped rows, to take away


def test_dropped_rows_come_in_the_sources_order_with_their_reasons(examine):
    rows = [*ROWS, ROWS[0], ("", "", "hello there", "I am here")]
    rows[4] = ("", "", "", "শুনছি।")
    report = examine(rows).report
    assert gate.dropped_rows(report) == [
        {"row": 5, "reason": "empty"},
        {"row": len(ROWS) + 1, "reason": "duplicate"},
        {"row": len(ROWS) + 2, "reason": "not_bengali"},
    ]


def test_the_csv_of_dropped_rows_opens_in_excel_and_holds_no_text_of_theirs(tmp_path):
    report = {"dropped_rows": {"empty": [7], "duplicate": [2, 900]}}
    gate.write_dropped_csv(report, tmp_path / "dropped.csv")
    raw = (tmp_path / "dropped.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf"), "Excel knows UTF-8 by its BOM"
    assert raw.decode("utf-8-sig") == "row,reason\r\n2,duplicate\r\n7,empty\r\n900,duplicate\r\n"


def test_the_csv_of_a_clean_corpus_has_its_heading_only(demo, tmp_path):
    gate.write_dropped_csv(demo.report, tmp_path / "dropped.csv")
    assert (tmp_path / "dropped.csv").read_text(encoding="utf-8-sig") == "row,reason\n"


# preferences


@pytest.fixture
def preferences(tmp_path):
    """Examine a preference file by the DPO preset with some settings changed."""

    def examine(lines, **settings) -> Gate:
        source = write(tmp_path / "dpo.jsonl", lines)
        changed = {name.replace("__", "."): value for name, value in settings.items()}
        recipe = Recipe.read("demo-dpo").with_settings({"data.source": str(source), **changed})
        return gate.examine(recipe, tmp_path / "out")

    return examine


def test_a_preference_file_passes_the_gate_with_what_should_be_known_of_it(preferences):
    seen = preferences(pairs(30))
    assert not seen.blocked and set(found(seen)) == {"gate.few_preferences"}
    assert seen.report["kept"] == 30 and len(seen.rows) == gate.PREVIEW_ROWS
    assert set(seen.rows[0]) == {"topic", "title", "question", "answer", "rejected"}


def test_a_preferences_length_is_that_of_its_longer_side(preferences, tokenizer):
    lines = pairs(10)
    long = "এতটা কষ্টের কথা বলতে পারাটাও সহজ নয়। " * 3
    lines[4]["rejected"][0]["content"] = long
    question = lines[4]["prompt"][0]["content"]
    ids, _ = prompts.encode_example(tokenizer, prompts.conversation(question, long), prompts.PromptFormat(), 2048)
    assert preferences(lines).lengths.longest == len(ids)


def test_a_sample_shows_what_is_preferred_as_learnt_and_behind_it_what_is_rejected(preferences):
    for prompt, chosen, rejected in preferences(pairs(10)).samples:
        assert [prompt.learnt, chosen.learnt, rejected.learnt] == [False, True, False]
        assert [prompt.rejected, chosen.rejected, rejected.rejected] == [False, False, True]
        assert rejected.text == "You should see a doctor.<|eot_id|>"


def test_preferences_that_nothing_is_left_of_block_the_run_instead_of_crashing(preferences):
    assert preferences(pairs(10), training__max_length=16).blocked
    assert "gate.batch" in found(preferences(pairs(4)))
