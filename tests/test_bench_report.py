"""The tables and pictures of BENCHMARKS.md are those of the committed results."""

import xml.etree.ElementTree as ElementTree

from finetune import bench_report
from finetune.recipe import ROOT


def test_the_page_holds_the_tables_of_the_committed_results():
    page = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    training, decoding = bench_report.read("training"), bench_report.read("decoding")
    for lines in (bench_report.training_table(training), bench_report.decoding_table(decoding)):
        assert "\n".join(lines) in page
    assert bench_report.many_rows(decoding) in page
    for name, version in (training["versions"] | decoding["versions"]).items():
        assert f"{name} {version}" in page


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
