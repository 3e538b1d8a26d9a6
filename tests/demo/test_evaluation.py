"""The README shows of the demo's evaluation what the command wrote, and the command writes what was measured."""

from finetune.demo import evaluation
from finetune.recipe import ROOT
from tests.review import evaluations


def test_the_readme_shows_the_table_and_the_picture_that_the_command_wrote():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = evaluation.TABLE.read_text(encoding="utf-8").strip()
    assert "| base | fine-tuned | difference |" in table and table in readme
    assert f"({evaluation.PICTURE.relative_to(ROOT)})" in readme
    assert "python -m finetune.demo.evaluation" in readme


def test_the_table_and_the_picture_hold_the_figures_of_the_result(tmp_path):
    result, _ = evaluations.figures()
    table, picture = tmp_path / "evaluation.md", tmp_path / "evaluation.svg"
    evaluation.write(result, table, picture)
    saved = result["difference"]["bits_per_character"]["mean"]
    assert f"{saved:+.3f}" in table.read_text(encoding="utf-8")
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.startswith('<svg xmlns="http://www.w3.org/2000/svg"') and "শোক" in drawn and "chrF++" in drawn
