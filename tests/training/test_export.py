"""What leaves a run's folder is whole and holds no secret, and every refusal says what to do.

llama.cpp and the Hub are stand-ins here: a script that takes the converter's arguments, and an object with the
three calls of `huggingface_hub.HfApi` that are used.
"""

import json
import os
import re
import shlex
import stat
import zipfile
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from typer.testing import CliRunner

from finetune.__main__ import app
from finetune.api import LLAMAFineTuner
from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.training import export, metrics, notes, runs, serving
from tests.training.taken import trained_run

CONTENTS = {
    "README.md", "recipe.yaml", "chat_template.jinja", "adapter_model.safetensors", "adapter_config.json",
    "prompt_format.json", "metrics.jsonl", "data/report.json",
}  # fmt: skip

TOKEN = "hf_aVerySecretTokenOfMine"


@pytest.fixture
def run(tmp_path: Path, tiny_base: Path, tiny_adapter: Path) -> runs.Run:
    run = trained_run(tmp_path, tiny_base, tiny_adapter)
    metrics.append(run.folder, {"step": 3, "loss": 1.5, "elapsed_s": 9.0})
    (run.data / "report.json").write_text('{"rows": 30, "kept": 30, "splits": {"train": 24}}', encoding="utf-8")
    (run.data / "train.jsonl").write_text('{"question": "গোপন কথা"}\n', encoding="utf-8")
    run.log.write_text("গোপন কথা\n", encoding="utf-8")
    notes.set_notes(run, "গোপন কথা", ["নিজের"])
    return run


@pytest.fixture
def said() -> list[str]:
    return []


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def key_of(refused: pytest.ExceptionInfo[RunError]) -> str:
    return refused.value.key


# As a zip file


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_the_zip_file_holds_the_adapter_and_all_that_explains_it(run, tmp_path, said, state):
    run.set_status(state=state)
    path = export.to_zip(run, tmp_path / "out" / "mine.zip", said.append)
    packed = entries(path)
    assert set(packed) == CONTENTS
    for name in ("adapter_model.safetensors", "adapter_config.json", "prompt_format.json"):
        assert packed[name] == (run.adapter / name).read_bytes()
    assert packed["metrics.jsonl"] == (run.folder / "metrics.jsonl").read_bytes()
    assert "## Limits" in packed["README.md"].decode()
    assert [path.name for path in path.parent.iterdir()] == ["mine.zip"]
    assert said and "MB" in said[-1]


def test_unpacked_it_is_an_adapter_that_compare_and_chat_can_read(run, tmp_path, said):
    import torch

    from finetune.inference import adapters

    with zipfile.ZipFile(export.to_zip(run, tmp_path, said.append)) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert adapters.read(tmp_path / "unpacked", torch.float32, "cpu").matrices


def test_nothing_secret_and_nothing_private_is_in_it(run, tmp_path, said, monkeypatch):
    for name in ("HF_TOKEN", "WANDB_API_KEY"):
        monkeypatch.setenv(name, TOKEN)
    everything = b"\n".join(entries(export.to_zip(run, tmp_path / "x.zip", said.append)).values())
    assert TOKEN.encode() not in everything
    assert "গোপন কথা".encode() not in everything
    assert str(tmp_path / "মন.csv").encode() not in everything
    assert "source: মন.csv".encode() in everything


def test_a_run_without_metrics_or_report_is_packed_without_them(tmp_path, tiny_base, tiny_adapter, said):
    run = trained_run(tmp_path, tiny_base, tiny_adapter)
    assert set(entries(export.to_zip(run, tmp_path, said.append))) == CONTENTS - {"metrics.jsonl", "data/report.json"}


def test_in_a_folder_it_is_called_as_the_run_and_replaces_the_one_before(run, tmp_path, said):
    (tmp_path / "tiny-001.zip").write_bytes(b"older")
    path = export.to_zip(run, tmp_path, said.append)
    assert path == tmp_path / "tiny-001.zip"
    assert entries(path)


def test_a_zip_file_that_could_not_be_finished_leaves_the_old_one_and_no_remains(run, tmp_path, said, monkeypatch):
    (tmp_path / "x.zip").write_bytes(b"older")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(OSError, match="No space"):
        export.to_zip(run, tmp_path / "x.zip", said.append)
    assert (tmp_path / "x.zip").read_bytes() == b"older"
    assert list(tmp_path.glob("*.part")) == []


def take(form: str, run: runs.Run, folder: Path) -> object:
    match form:
        case "zip":
            return export.to_zip(run, folder / "x.zip")
        case "merged":
            return export.merge(run, folder / "x")
        case "gguf":
            return export.to_gguf(run, folder / "x.gguf")
        case "hub":
            return export.to_hub(run, "me/x", token=TOKEN, api=Hub())
        case "vllm":
            return serving.to_vllm(run, folder / "x")


@pytest.mark.parametrize("form", export.FORMATS)
def test_a_run_without_an_adapter_is_refused_with_the_way_to_one(tmp_path, form):
    run = runs.create(tmp_path, Recipe())
    run.set_status(state="failed")
    with pytest.raises(RunError, match="no adapter to take away.*Train it to its end, or resume it and stop it"):
        take(form, run, tmp_path)


@pytest.mark.parametrize("form", export.FORMATS)
def test_a_run_that_is_at_work_is_refused_for_it_may_replace_its_adapter(run, tmp_path, form):
    run.set_status(state="training", **runs.this_process())
    with pytest.raises(RunError, match="still at work.*Wait for its end, or stop it"):
        take(form, run, tmp_path)


# Merged


def test_the_merged_model_comes_with_its_card_and_leaves_nothing_beside_it(run, tmp_path, said):
    out = export.merge(run, tmp_path / "new" / "merged", said.append)
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md", "prompt_format.json"} <= {
        path.name for path in out.iterdir()
    }
    assert "library_name: transformers" in (out / "README.md").read_text(encoding="utf-8")
    assert list(out.parent.iterdir()) == [out]
    assert stat.S_IMODE(out.stat().st_mode) & 0o055 == 0o055 & ~current_umask()
    assert any("GB of memory" in line for line in said)


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_merged_model_is_called_after_its_recipe_from_the_command_line_and_in_a_notebook_alike(tmp_path):
    reference = Recipe.read("llama-3.1-8b")
    names = {what: export.artefact(reference, what) for what in ("lora", "merged")}
    assert names == {"lora": "llama-3.1-8b-bangla-empathic-lora", "merged": "llama-3.1-8b-bangla-empathic-merged"}
    trained = runs.create(tmp_path, reference, "third-attempt")
    assert export.place(trained, "merged") == trained.folder / "exports" / names["merged"]
    tuner = LLAMAFineTuner()
    assert {what: tuner._place(None, what).name for what in names} == names


def test_a_folder_with_something_in_it_is_left_as_it_is(run, tmp_path, said):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(RunError, match="already there"):
        export.merge(run, tmp_path / "mine", said.append)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


# As GGUF


STAND_IN = """
import json, pathlib, sys
folder, options = pathlib.Path(sys.argv[1]), dict(zip(sys.argv[2::2], sys.argv[3::2]))
assert (folder / "model.safetensors").is_file() and (folder / "tokenizer.json").is_file()
print("INFO: reading", folder.name, flush=True)
told = json.dumps([folder.name, sorted(options), options["--outtype"]])
pathlib.Path(options["--outfile"]).write_text("GGUF " + told)
"""


@pytest.fixture
def converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for llama.cpp's converter where LLAMA_CPP_DIR says."""
    folder = tmp_path / "llama.cpp"
    folder.mkdir()
    (folder / export.CONVERTER).write_text(STAND_IN, encoding="utf-8")
    monkeypatch.setenv("LLAMA_CPP_DIR", str(folder))
    return folder / export.CONVERTER


def test_the_converter_gets_the_merged_model_and_its_file_arrives(run, tmp_path, converter, said):
    path = export.to_gguf(run, tmp_path / "out", "f16", said.append)  # no such folder: this is the file's name
    made = path.read_text(encoding="utf-8")
    assert json.loads(made.removeprefix("GGUF ")) == ["tiny-001", ["--outfile", "--outtype"], "f16"]
    assert "INFO: reading tiny-001" in said
    assert sorted(p.name for p in tmp_path.iterdir() if "part" in p.name) == []


def test_in_a_folder_the_file_is_called_as_run_and_number_format(run, tmp_path, converter, said):
    assert export.to_gguf(run, tmp_path, tell=said.append).name == "tiny-001-q8_0.gguf"


def test_a_converter_on_the_path_is_found(run, tmp_path, converter, said, monkeypatch):
    monkeypatch.delenv("LLAMA_CPP_DIR")
    converter.chmod(0o755)
    monkeypatch.setenv("PATH", f"{converter.parent}:{os.environ['PATH']}")
    assert export.to_gguf(run, tmp_path, tell=said.append).is_file()


@pytest.mark.parametrize("folder", [None, "/nowhere/llama.cpp"])
def test_without_the_converter_it_says_what_to_install_and_the_command_to_run_then(
    run, tmp_path, said, monkeypatch, folder
):
    monkeypatch.delenv("LLAMA_CPP_DIR", raising=False)
    if folder:
        monkeypatch.setenv("LLAMA_CPP_DIR", folder)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RunError, match="git clone.*ggml-org/llama.cpp.*pip install sentencepiece") as refused:
        export.to_gguf(run, tmp_path / "আমার মডেল.gguf", "f16", said.append)
    command = re.search(r"`(LLAMA_CPP_DIR=[^`]*)`", str(refused.value))[1]
    assert shlex.split(command)[1:] == [
        "python", "-m", "finetune", "export", "--run", str(run.folder), "--to", "gguf", "--quantisation", "f16",
        "--out", str(tmp_path / "আমার মডেল.gguf"),
    ]  # fmt: skip
    assert said == [], "it is told before anything is merged"


def test_a_converter_that_fails_is_told_with_its_last_word(run, tmp_path, converter, said):
    converter.write_text(
        "import sys\nprint('log')\nsys.exit('NotImplementedError: BPE pre-tokenizer')", encoding="utf-8"
    )
    with pytest.raises(RunError, match="NotImplementedError: BPE pre-tokenizer"):
        export.to_gguf(run, tmp_path / "x.gguf", tell=said.append)
    assert [path for path in tmp_path.iterdir() if path.name.startswith("x.gguf")] == []


def test_a_number_format_that_the_converter_does_not_write_is_refused_with_those_it_does(run, tmp_path):
    with pytest.raises(RunError, match="q4_k_m.*q8_0, f16"):
        export.to_gguf(run, tmp_path, "q4_k_m")


# On the Hub


class Hub:
    """Stands in for HfApi: keeps what it is asked, refuses as it is told to."""

    def __init__(self, *, public: bool = False, refuses: Exception | None = None) -> None:
        self.public, self.refuses = public, refuses
        self.asked: list[tuple] = []
        self.files: dict[str, bytes] = {}

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> str:
        self.asked.append(("create_repo", repo_id, private, exist_ok))
        if self.refuses:
            raise self.refuses
        self.private = private and not self.public
        return f"https://huggingface.co/{repo_id}"

    def repo_info(self, repo_id: str) -> SimpleNamespace:
        return SimpleNamespace(private=self.private)

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> None:
        self.asked.append(("upload_folder", repo_id, commit_message))
        folder = Path(folder_path)
        self.files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refusal(code: int) -> HfHubHTTPError:
    request = httpx.Request("POST", "https://huggingface.co/api/repos/create")
    return HfHubHTTPError(f"{code} {TOKEN}", response=httpx.Response(code, request=request))


def test_a_repository_is_private_unless_asked_otherwise_and_holds_what_the_zip_file_holds(run, said):
    hub = Hub()
    assert export.to_hub(run, "me/x", token=TOKEN, api=hub, tell=said.append) == "https://huggingface.co/me/x"
    assert hub.asked == [("create_repo", "me/x", True, True), ("upload_folder", "me/x", "Add the adapter of tiny-001")]
    assert set(hub.files) == CONTENTS
    assert TOKEN not in " ".join(said)
    assert TOKEN.encode() not in b"".join(hub.files.values())


def test_a_token_that_was_given_goes_to_the_hub_s_client_and_the_environment_s_is_next(run, said, monkeypatch):
    got = []

    def client(token: str) -> Hub:
        got.append(token)
        return Hub()

    monkeypatch.setattr("huggingface_hub.HfApi", client)
    monkeypatch.setenv("HF_TOKEN", "hf_environment")
    export.to_hub(run, "me/x", token=TOKEN, tell=said.append)
    export.to_hub(run, "me/x", tell=said.append)
    assert got == [TOKEN, "hf_environment"]


def test_public_is_public_only_when_asked_for(run, said):
    hub = Hub()
    export.to_hub(run, "me/x", private=False, token=TOKEN, api=hub, tell=said.append)
    assert hub.asked[0] == ("create_repo", "me/x", False, True)


def test_a_repository_that_is_already_public_gets_nothing_when_private_was_meant(run, said):
    hub = Hub(public=True)
    with pytest.raises(RunError, match="there already, and it is public") as refused:
        export.to_hub(run, "me/x", token=TOKEN, api=hub, tell=said.append)
    assert key_of(refused) == "export.public_repo"
    assert hub.files == {}


def test_a_public_model_on_llama_must_be_called_llama(tmp_path, tiny_adapter, said):
    run = trained_run(tmp_path, None, tiny_adapter, Recipe.read("llama-3.1-8b"))
    with pytest.raises(RunError, match="Call it Llama-bangla"):
        export.to_hub(run, "me/bangla", private=False, token=TOKEN, api=Hub(), tell=said.append)
    for name, private in (("me/Llama-bangla", False), ("me/bangla", True)):
        assert export.to_hub(run, name, private=private, token=TOKEN, api=Hub(), tell=said.append)


def test_without_a_token_it_says_where_to_get_one(run, monkeypatch):
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(RunError, match=r"settings/tokens.*HF_TOKEN.*hf auth login"):
        export.to_hub(run, "me/x", api=Hub())


@pytest.mark.parametrize("code", [401, 403, 409])
def test_a_refusal_of_the_hub_is_told_without_its_text(run, said, code):
    with pytest.raises(RunError, match=rf"refused me/x \(HTTP {code}\).*token may write") as refused:
        export.to_hub(run, "me/x", token=TOKEN, api=Hub(refuses=refusal(code)), tell=said.append)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("error", [httpx.ConnectError("no route"), OfflineModeIsEnabled("offline")])
def test_a_hub_that_cannot_be_reached_is_told_as_the_network_s_fault(run, said, error):
    with pytest.raises(RunError, match="cannot be reached"):
        export.to_hub(run, "me/x", token=TOKEN, api=Hub(refuses=error), tell=said.append)


@pytest.mark.parametrize("name", ["আমার/মডেল", "a/b/c", "me/x..y", ""])
def test_a_name_that_the_hub_does_not_allow_is_refused_before_it_is_asked(run, name):
    hub = Hub()
    with pytest.raises(RunError) as refused:
        export.to_hub(run, name, token=TOKEN, api=hub)
    assert key_of(refused) == "export.repo_id"
    assert hub.asked == []


# On the command line


def invoke(*arguments: object) -> object:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_the_command_writes_into_the_run_s_exports_and_says_where(run):
    result = invoke("--run", run.folder, "--to", "zip")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(run.folder / "exports" / "tiny-001.zip")
    assert set(entries(run.folder / "exports" / "tiny-001.zip")) == CONTENTS


@pytest.mark.parametrize(("to", "name"), [("zip", "x.zip"), ("merged", "x"), ("gguf", "x.gguf")])
def test_with_json_standard_output_holds_the_path_and_nothing_else(run, tmp_path, converter, to, name):
    result = invoke("--run", run.folder, "--to", to, "--out", tmp_path / name, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"path": str(tmp_path / name)}
    assert (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--to", "docx"], "--to: 'docx' is not known; choose one of zip, merged, gguf, hub, vllm."),
        (["--to", "hub"], "--repo-id: is missing"),
        (["--to", "gguf", "--quantisation", "q4_k_m"], "Choose one of q8_0"),
        (["--to", "hub", "--repo-id", "a/b/c"], "cannot be a repository's name"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, arguments, told):
    result = invoke("--run", run.folder, *arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert told in line
    assert result.stdout == ""


def test_a_folder_that_is_no_run_s_is_told_as_such(tmp_path):
    result = invoke("--run", tmp_path, "--to", "zip")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "is not a run's folder" in result.stderr
