"""The tables and pictures of BENCHMARKS.md are those of the committed results."""

import re
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec

import pytest

from finetune import bench_report
from finetune.__main__ import app
from finetune.bench_measure import EXAMPLES, WARM_UP, lengths
from finetune.recipe import ROOT
from finetune.training import memory, memory_unpadded


def test_the_page_holds_the_tables_of_the_committed_results():
    page = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    training, decoding = bench_report.read("training"), bench_report.read("decoding")
    profiles = bench_report.training_profile(training), bench_report.step_profile(decoding)
    for lines in (bench_report.training_table(training), bench_report.decoding_table(decoding), *profiles):
        assert "\n".join(lines) in page
    assert "\n".join(f"  {line}" for line in bench_report.products_table(decoding)) in page
    assert bench_report.many_rows(decoding) in page
    for name, version in (training["versions"] | decoding["versions"]).items():
        assert f"{name} {version}" in page


def test_the_page_says_where_the_measured_versions_are_not_those_that_are_installed():
    page = " ".join((ROOT / "BENCHMARKS.md").read_text(encoding="utf-8").split())
    pinned = {}
    for file in ("requirements.txt", "requirements-gpu.txt"):
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        pinned |= dict(line.split("==") for line in lines if "==" in line)
    measured = bench_report.read("training")["versions"]
    other = [f"{name} {pinned[name]}" for name in measured if pinned.get(name, measured[name]) != measured[name]]
    assert other == ["torch 2.13.0", "peft 0.21.2"]
    assert f"`requirements.txt` pins {' and '.join(other)}, with which no GPU figure on this page was measured" in page


def test_the_page_says_how_many_tokens_the_rates_and_the_profiles_stand_on():
    page = " ".join((ROOT / "BENCHMARKS.md").read_text(encoding="utf-8").split())
    found = bench_report.read("training")
    every = lengths(WARM_UP * EXAMPLES, "corpus")
    assert found["warm_up"] == WARM_UP
    for row in found["ways"]:
        assert row["tokens"] == sum(every)
        assert sum(every) / row["updates"] == pytest.approx(row["tokens_per_second"] * row["seconds_an_update"])
    assert f"{sum(every) / WARM_UP:,.0f} tokens each in the mean" in page
    assert f"of {sum(every[-EXAMPLES:]):,} tokens" in page


def test_the_page_tells_earlier_sessions_as_they_were():
    page = " ".join((ROOT / "BENCHMARKS.md").read_text(encoding="utf-8").split())
    now, first, seen, second = (bench_report.read("training", when) for when in ("", "first", "seen", "second"))
    ratios = [f"{found['ratio']:.1f}" for found in (first, seen, second, now)]
    assert "ours was {}, {}, {} and {} times the recipe".format(*ratios) in page
    layers, hosted = second["ways"][3:5]
    assert f"{layers['tokens_per_second']:,.0f} tokens/s in {layers['peak_gb']:.1f} GB, and to" in page
    assert f"{hosted['tokens_per_second']:,.0f} in {hosted['peak_gb']:.1f} on the 4-bit base" in page
    for found in (first, seen, second):
        assert f"{found['matrix_tflops']:.0f} TFLOP/s" in page and f"ours {found['ours']:,.0f}" in page
        assert f"the recipe {found['peer']:,.0f}" in page
    unsloth = [f"{way['tokens_per_second']:,.0f}" for way in first["ways"] if way["way"] == "Unsloth"]
    assert "Unsloth {}, {} and, at batch 16, {}".format(*unsloth) in page


def test_the_page_tells_what_the_hosts_memory_costs():
    page = " ".join((ROOT / "BENCHMARKS.md").read_text(encoding="utf-8").split())
    here, there = bench_report.read("host-memory")["ways"]
    assert f"{here['tokens_per_second']:,.0f} tokens/s in {here['peak_gb']:.1f} GB without" in page
    assert f"{there['tokens_per_second']:,.0f} in {there['peak_gb']:.1f} with" in page
    llama = memory.shape("llama-3.1-8b")
    sent = memory_unpadded.KEPT * 2 * llama.hidden * llama.layers * there["tokens"] / there["updates"]  # in 16 bits
    assert f"{sent / 1e9:.1f} GB an update each way" in page
    copies = sorted(sum(bench_report.read("host-memory")["copies_gb_per_second"].values(), []))
    assert f"at {copies[0]:.0f} to {copies[-1]:.0f} GB/s" in page


def test_the_page_tells_what_two_cards_did():
    page = " ".join((ROOT / "BENCHMARKS.md").read_text(encoding="utf-8").split())
    *found, failed = bench_report.read("two-cards")["ways"]
    _, first, _, sharded = bench_report.read("two-cards", "first")["ways"]
    for way in (*found, sharded):
        assert (way["state"], way["adapter_saved"], len(way["loss"])) == ("finished", True, 24)
        name = f"{way['way']}, in an earlier session" if way is sharded else way["way"]
        told = f"| {name} | {way['tokens_per_second']:,.0f} | {way['first_card_gb']:.1f} | {way['seconds']:.0f} s |"
        assert told in page
    faster = [f"{way['times_as_fast']:.2f}" for way in (found[1], first, sharded)]
    assert "Two cards were {} times as fast as one, and {} times before".format(*faster) in page
    assert f"{faster[2]} times as fast as one card alone" in page
    assert found[1]["loss_apart"] < 2.5e-4 and sharded["loss_apart"] < 4.5e-3
    assert failed["way"] == sharded["way"] and failed["state"] == "failed" and "**failed at its first update**" in page


def test_the_page_tells_the_whole_way_of_a_run_as_it_was_measured():
    page = " ".join((ROOT / "BENCHMARKS.md").read_text(encoding="utf-8").split())
    found = bench_report.read("roundtrip")
    apart, took = found["logits"], found["seconds"]
    assert found["run"]["steps"] == 200
    for what in ("merged_from_adapter", "quantisation", "merged_quantisation", "merge"):
        assert f"{apart[what]:.1%}".replace("%", " %") in page
    assert f"{took['first half'] + took['second half']:.0f} s for the updates" in page
    assert apart["merged_from_adapter"] < apart["quantisation"]


def test_every_missed_target_has_its_profile_its_reason_and_what_comes_next():
    page = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    missed = [point for point in page.split("\n- ") if "**missed**" in point or "**half met**" in point]
    assert [point.partition(":")[0] for point in missed] == [
        "10 times the padded reference recipe",
    ]
    for point in missed:
        assert all(f"*{part}*" in point for part in ("Profile", "Reason", "Next"))


def test_every_command_of_what_is_not_measured_yet_can_be_run():
    page = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    section = page.partition("## Not measured yet")[2].partition("\n## ")[0]
    named = re.findall(r"-m (finetune[.\w]*)(?: ([a-z]+))?", section)
    assert len(named) >= 5
    for module, command in named:
        assert find_spec(module)
        if module == "finetune":
            assert command in {one.name or one.callback.__name__ for one in app.registered_commands}
    for file in re.findall(r"--config_file (\S+)", section):
        assert (ROOT / file).is_file()


def test_kernels_are_counted_once_by_the_first_kind_that_fits_and_the_others_by_themselves():
    kernels = [
        {"kernel": name, "us": 1.0} for name in ("nvjet_a", "flash_fwd", "kernel_cutlass_flash_fwd_sm90", "swiglu")
    ]
    kinds = bench_report.by_kind(kernels, bench_report.TRAINING_KERNELS, "us")
    assert kinds == {"matrix products": 1, "attention": 2, "4-bit weights unpacked": 0, "other": 1}


def test_the_committed_pictures_are_drawn_from_the_committed_results(tmp_path, capsys):
    bench_report.main(tmp_path)
    assert "| ours | 16 × 1 |" in capsys.readouterr().out
    for name in ("training.svg", "decoding.svg"):
        assert (tmp_path / name).read_text() == (bench_report.PICTURES / name).read_text()
        ElementTree.fromstring((tmp_path / name).read_text())


def test_what_failed_stands_in_the_table_and_has_no_bar():
    ways = [{"way": "ours", "settings": "16 x 1", "tokens_per_second": 50.0, "peak_gb": 1.0, "matrix_share": 0.5}]
    found = {"peer": 25.0, "ways": [*ways, {"way": "Unsloth", "batch": 2, "failed": "out of memory"}]}
    assert bench_report.training_table(found)[2:] == [
        "| ours | 16 × 1 | 50 | 1.0 | 50% | 2.0 |",
        "| Unsloth | 2 | failed | | | |",
    ]
    assert bench_report.measured(found) == [("ours, 16 × 1", 50.0)]
    parts = {"a peer": {"failed": "no card"}, "ours, graphs": {"tokens_per_second": 9.0, "first_token_ms": 3.0}}
    assert bench_report.measured({"parts": parts}) == [("ours, graphs", 9.0)]
    assert bench_report.decoding_table({"parts": parts})[2:] == [
        "| a peer | failed | | |",
        "| ours, graphs | 9.0 | 3 ms |  |",
    ]


def test_a_long_name_is_written_in_as_many_lines_as_it_needs():
    name = "ours on the 4-bit base, layers recomputed, kept in host memory, 16 × 1"
    drawn = bench_report.bars("speed", [(name, 2.0), ("peer", 1.0)])
    texts = [text.text for text in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert " ".join(texts[:2]) == name and texts[2:] == ["2", "peer", "1"]
    assert all(len(text) <= bench_report.LONGEST_LINE for text in texts)
