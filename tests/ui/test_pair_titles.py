from finetune.review import pair_sets
from ui import pair_titles


def test_known_contestants_have_words_of_their_own():
    assert pair_titles.spoken("demo", "bn") == "ডেমো অ্যাডাপ্টার"
    assert pair_titles.spoken("my-run-001", "bn") == "my-run-001"


def test_a_set_that_cannot_be_read_is_called_by_its_folder(services):
    folder = services.home / pair_sets.FOLDER / "base-demo-1"
    folder.mkdir(parents=True)
    assert pair_titles.title_of(services, "base-demo-1", "en") == "base-demo-1"
