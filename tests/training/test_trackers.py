"""Trackers, the real ones: wandb and `wandb sync` talk to a server of the test's own, Trackio writes its database."""

import base64
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from finetune.__main__ import app
from finetune.recipe import ROOT, Recipe
from finetune.training import metrics, runs, tracker_backends, trackers
from tests.conftest import kept_environment

KEY = "0123456789abcdef0123456789abcdef01234567"
LINES = [
    {"step": 0, "epoch": 0.0, "eval_loss": 2.5, "elapsed_s": 0.1},
    {"step": 1, "epoch": 0.5, "loss": 2.25, "learning_rate": 0.01, "elapsed_s": 0.2},
    {"step": 2, "epoch": 1.0, "loss": 2.0, "learning_rate": 0.0, "elapsed_s": 0.3},
    {"step": 2, "epoch": 1.0, "eval_loss": 1.75, "elapsed_s": 0.4},
]


class WandbServer(ThreadingHTTPServer):
    """As much of W&B's server as wandb 0.31 asks for; `rows` are the histories that arrive, by run id."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.rows: dict[str, list[dict]] = {}
        self.configs: dict[str, dict] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, asked: dict) -> dict:
        given = asked.get("variables", {})
        if asked.get("operationName") == "UpsertBucket":
            self.configs[given["name"]] = json.loads(given["config"] or "{}")
            project = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": "maker"}}
            bucket = {"id": "b", "name": given["name"], "displayName": given["name"], "project": project}
            return {"upsertBucket": {"bucket": {**bucket, "historyLineCount": 0}, "inserted": True}}
        if asked.get("operationName") == "CreateRunFiles":
            files = [{"name": name, "uploadUrl": f"{self.url}/upload"} for name in given["files"]]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        return {"model": None, "viewer": {"id": "u", "username": "maker", "entity": "maker", "flags": "{}"}}


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        known = base64.b64encode(f"api:{KEY}".encode()).decode()
        if self.path != "/upload" and known not in self.headers.get("Authorization", ""):
            self.send(401, {"errors": [{"message": "permission denied"}]})
        elif self.path == "/graphql":
            self.send(200, {"data": self.server.answer(json.loads(body))})
        else:
            if self.path.endswith("/file_stream"):
                history = (json.loads(body).get("files") or {}).get("wandb-history.jsonl", {"content": []})
                rows = self.server.rows.setdefault(self.path.split("/")[-2], [])
                rows += [json.loads(line) for line in history["content"]]
            self.send(200, {})

    do_PUT = do_POST

    def send(self, code: int, answer: dict) -> None:
        body = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[WandbServer]:
    made = WandbServer()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path):
    """No key and no settings but those of the test; whatever is set is given back."""
    with kept_environment():
        for name in [name for name in os.environ if name.startswith(("WANDB_", "TRACKIO_"))]:
            del os.environ[name]
        os.environ.update(HOME=str(tmp_path), NETRC=str(tmp_path / "netrc"), WANDB_ERROR_REPORTING="false")
        yield


@pytest.fixture
def tracked(tmp_path: Path):
    """Makes a run whose recipe names a tracker."""

    def make(report_to: str = "wandb", mode: str = "offline") -> runs.Run:
        asked = {"tracking.report_to": report_to, "tracking.mode": mode}
        return runs.create(tmp_path / "home", Recipe(name="আলাপ").with_settings(asked))

    return make


def train(run: runs.Run, lines: list[dict]) -> None:
    """What a training run does as far as a tracker sees it."""
    with trackers.following(run):
        for line in lines:
            metrics.append(run.folder, line)


def synced(run: runs.Run, server: WandbServer) -> list[dict]:
    """The rows that reach a server when a person types the command that the page shows."""
    os.environ.update(WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
    done = subprocess.run(
        trackers.sync_command(run),
        shell=True,
        cwd=run.folder.parent,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return rows(run, server)


def rows(run: runs.Run, server: WandbServer) -> list[dict]:
    """The rows of a run on the server, without those keys that wandb adds."""
    own = [{key: value for key, value in row.items() if key[0] != "_"} for row in server.rows.get(state(run)["id"], [])]
    return [row for row in own if row]


def state(run: runs.Run) -> dict:
    """What a run's folder remembers of its tracker; empty before there is anything."""
    file = run.folder / "tracker.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def key_of(run: runs.Run) -> str:
    told = trackers.problem(run)
    return told.key if told else ""


# W&B offline


def test_a_real_offline_run_is_sent_by_wandb_sync_with_every_metric_and_its_folder_holds_no_key(
    tiny_base, tiny_csv, tmp_path, server
):
    asked = Recipe.from_dict(
        {
            "name": "tiny",
            "base": {"model": str(tiny_base), "dtype": "float32"},
            "data": {"source": str(tiny_csv)},
            "adapter": {"r": 4, "lora_alpha": 8},
            "training": {
                "max_length": 256,
                "gradient_accumulation_steps": 1,
                "max_steps": 2,
                "eval_steps": 2,
                "save_steps": 2,
                "sample_prompts": ["নিজের কথা"],
            },
            "tracking": {"report_to": "wandb", "run_name": "প্রথম"},
        }
    )
    file = tmp_path / "tiny.yaml"
    file.write_text(asked.to_yaml(), encoding="utf-8")
    os.environ.update(WANDB_API_KEY=KEY, WANDB_MODE="online", WANDB_BASE_URL=server.url)  # the recipe says offline
    result = CliRunner().invoke(app, ["train", str(file), "--run-dir", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    run = runs.at(tmp_path / "run")
    assert (run.status().state, trackers.problem(run), server.rows) == ("finished", None, {})
    written = [path for path in run.folder.rglob("*") if path.is_file()]
    assert {"recipe.yaml", "command.txt", "log.txt", "status.json", "tracker.json"} <= {path.name for path in written}
    assert [path.name for path in written if KEY.encode() in path.read_bytes()] == []
    sent = [path for path in written if "wandb" in path.parts]
    assert sent and [path.name for path in sent if "নিজের কথা".encode() in path.read_bytes()] == []

    lines = metrics.read(run.folder)[0]
    assert {"loss", "eval_loss", "learning_rate", "grad_norm", "tokens"} <= {key for line in lines for key in line}
    assert synced(run, server) == [tracker_backends.row(line) for line in lines]
    (config,) = server.configs.values()
    assert {name: config[name]["value"] for name in config if name != "_wandb"} == tracker_backends.settings_of(asked)
    assert trackers.sync_command(run) is None  # nothing is left to send


def test_a_resumed_run_goes_on_in_the_same_run_of_w_and_b_and_repeats_no_line(tracked, server):
    run = tracked()
    train(run, LINES[:2])
    identity = state(run)["id"]
    train(run, LINES[2:])
    assert synced(run, server) == [tracker_backends.row(line) for line in LINES]
    assert set(server.rows) == {identity}


def test_a_killed_w_and_b_process_leaves_the_run_alone_is_told_once_and_a_resumed_run_hands_on_the_rest(
    tracked, server, capfd
):
    run = tracked()
    with trackers.following(run):
        metrics.append(run.folder, LINES[0])
        wait_for(lambda: state(run).get("sent"))
        for child in psutil.Process().children():
            if child.name() == "wandb-core":
                child.kill()
        for line in LINES[1:3]:
            metrics.append(run.folder, line)
    assert key_of(run) == "tracker.failed"
    assert state(run)["sent"] == 0  # what the killed process had taken may be lost
    assert capfd.readouterr().out.count("tracker: W&B failed") == 1
    train(run, LINES[3:])
    assert key_of(run) == ""
    assert synced(run, server)[-4:] == [tracker_backends.row(line) for line in LINES]


def test_a_place_where_w_and_b_cannot_write_leaves_the_run_alone_and_is_told(tracked):
    run = tracked()
    (run.folder / "wandb").write_text("a file where a folder belongs", encoding="utf-8")
    train(run, LINES)
    assert key_of(run) == "tracker.failed"


def test_a_disk_that_is_full_at_the_end_is_told_for_wandb_keeps_silent_about_what_it_could_not_write(
    tracked, monkeypatch
):
    run, real = tracked(), tracker_backends.shutil.disk_usage
    monkeypatch.setattr(tracker_backends.shutil, "disk_usage", lambda path: real(path)._replace(free=0))
    train(run, LINES)
    assert trackers.problem(run).facts == {"tracker": "W&B", "kind": "Lost"}


# W&B online


def test_online_every_line_arrives_while_the_run_is_there_and_nothing_is_left_to_send(tracked, server):
    os.environ.update(WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY)
    run = tracked(mode="online")
    train(run, LINES)
    assert (trackers.problem(run), trackers.sync_command(run)) == (None, None)
    assert rows(run, server) == [tracker_backends.row(line) for line in LINES]


@pytest.mark.parametrize(
    ("key", "told"),
    [("f" * 40, "tracker.offline"), ("not a key", "tracker.offline"), ("", "tracker.no_key")],
    ids=["refused", "malformed", "none"],
)
def test_a_key_that_does_not_open_keeps_the_run_offline_is_told_without_the_key_and_can_be_sent_later(
    tracked, server, capfd, key, told
):
    os.environ.update(WANDB_BASE_URL=server.url, **({"WANDB_API_KEY": key} if key else {}))
    run = tracked(mode="online")
    train(run, LINES)
    assert key_of(run) == told
    assert not key or key not in "".join(capfd.readouterr()) + (run.folder / "tracker.json").read_text()
    assert synced(run, server) == [tracker_backends.row(line) for line in LINES]


# Trackio


TRACKIO = """
import json, os, sys
from pathlib import Path
from finetune.recipe import Recipe
from finetune.training import metrics, runs, trackers

home, first, second = Path(sys.argv[1]), *map(json.loads, sys.argv[2:])
run = runs.create(home, Recipe().with_settings({"tracking.report_to": "trackio"}))
for lines in (first, second):
    with trackers.following(run):
        for line in lines:
            metrics.append(run.folder, line)
told = trackers.problem(run)
from trackio.sqlite_storage import SQLiteStorage
names = [] if told else SQLiteStorage.get_runs(run.recipe().tracking.project)
logs = [] if told else SQLiteStorage.get_logs(run.recipe().tracking.project, run.name)
show = trackers.dashboard_command(run)
print(json.dumps({"told": told and told.key, "runs": len(names), "logs": logs, "show": show}))
"""


def trackio(home: Path) -> dict:
    """A run and its resumption in a process of their own, for trackio reads its folder once; what it holds then."""
    done = subprocess.run(
        [sys.executable, "-c", TRACKIO, str(home), json.dumps(LINES[:2]), json.dumps(LINES[2:])],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TRACKIO_SPACE_ID": "somebody/elses"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_trackio_holds_every_line_of_a_resumed_run_in_one_run_under_the_home(tmp_path):
    found = trackio(tmp_path)
    assert (found["told"], found["runs"]) == (None, 1)
    own = [{key: value for key, value in log.items() if "/" in key} for log in found["logs"]]
    assert own == [tracker_backends.row(line) for line in LINES]
    assert [log["step"] for log in found["logs"]] == [0, 1, 2, 2]
    assert found["show"].startswith(f"TRACKIO_DIR={tmp_path / 'trackio'} ")


def test_a_place_where_trackio_cannot_write_leaves_the_run_alone_and_is_told(tmp_path):
    (tmp_path / "trackio").write_text("a file where a folder belongs", encoding="utf-8")
    assert trackio(tmp_path)["told"] == "tracker.failed"


# Whatever a tracker does


def wait_for(truth) -> None:
    deadline = time.monotonic() + 30
    while not truth():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Fake:
    """A tracker that goes wrong where a test says so."""

    def __init__(self, wrong: str, how) -> None:
        self.wrong, self.how, self.abandoned = wrong, how, 0

    def __call__(self, *_: object) -> "Fake":
        self.do("open")
        return self

    def do(self, what: str) -> None:
        if what == self.wrong:
            self.how()

    def log(self, line: dict) -> None:
        self.do("log")

    def close(self, exit_code: int) -> None:
        self.exit_code = exit_code
        self.do("close")

    def abandon(self) -> None:
        self.abandoned += 1


def refuse() -> None:
    raise RuntimeError(f"https://user:{KEY}@example.org refused")


@pytest.mark.parametrize("where", ["open", "log", "close"])
def test_a_tracker_that_raises_anywhere_is_told_once_by_the_kind_of_its_error_alone(tracked, monkeypatch, capfd, where):
    run, fake = tracked(), Fake(where, refuse)
    monkeypatch.setitem(trackers.BACKENDS, "wandb", fake)
    train(run, LINES)
    said = "".join(capfd.readouterr())
    assert said.count("tracker: ") == 1 and "RuntimeError" in said and KEY not in said
    told = trackers.problem(run)
    assert (told.key, told.facts) == ("tracker.failed", {"tracker": "W&B", "kind": "RuntimeError"})
    assert fake.abandoned == (where != "open")


@pytest.mark.parametrize("where", ["open", "log", "close"])
def test_a_tracker_that_hangs_anywhere_is_given_up(tracked, monkeypatch, where):
    run, release = tracked(), threading.Event()
    monkeypatch.setitem(trackers.BACKENDS, "wandb", Fake(where, release.wait))
    monkeypatch.setattr(trackers, "LAST_S", 0.2)
    monkeypatch.setattr(trackers, "POLL_S", 0.05)
    train(run, LINES)
    assert key_of(run) == "tracker.unsent"
    release.set()


def test_a_run_that_fails_ends_as_failed_in_its_tracker_and_its_own_error_goes_on(tracked, monkeypatch):
    run, fake = tracked(), Fake("", refuse)
    monkeypatch.setitem(trackers.BACKENDS, "wandb", fake)
    with pytest.raises(ValueError, match="the run's own"), trackers.following(run):
        raise ValueError("the run's own")
    assert fake.exit_code == 1


def test_what_was_not_uploaded_in_time_can_be_sent_with_the_online_runs(tracked, monkeypatch):
    def late() -> None:
        raise tracker_backends.Unsent

    run = tracked(mode="online")
    monkeypatch.setitem(trackers.BACKENDS, "wandb", Fake("close", late))
    train(run, LINES)
    assert key_of(run) == "tracker.unsent"
    for part in ("run-20261124_110000-abc", "run-20261124_120000-abc"):
        (run.folder / "wandb" / part).mkdir(parents=True)
        (run.folder / "wandb" / part / "run-abc.wandb").touch()
    assert shlex.split(trackers.sync_command(run))[1:] == [
        "sync", "--include-online", str(run.folder / "wandb" / "run-20261124_120000-abc"),
    ]  # fmt: skip


def test_without_a_tracker_in_the_recipe_the_environment_alone_starts_none(tracked, server):
    os.environ.update(WANDB_API_KEY=KEY, WANDB_MODE="online", WANDB_PROJECT="theirs", WANDB_BASE_URL=server.url)
    run = tracked(report_to="none")
    before = {path.name for path in run.folder.iterdir()}
    with trackers.following(run):
        assert "tracker" not in {thread.name for thread in threading.enumerate()}
        metrics.append(run.folder, LINES[0])
    assert {path.name for path in run.folder.iterdir()} - before == {"metrics.jsonl"}
    assert (trackers.problem(run), trackers.sync_command(run), trackers.dashboard_command(run)) == (None, None, None)
