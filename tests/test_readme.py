"""The README's tree lists every file, each with its line, and nothing that is gone.

A line of the tree is a path, deeper ones indented under their folder (├── and │ are welcome), then
what it is for. `name/*.yaml` stands for many files of a kind. A folder under which the tree lists
nothing stands for all in it, except where code lies that a reader should find: there each file counts.
"""

import re
import shutil
import subprocess
from collections import Counter
from fnmatch import fnmatchcase

import pytest

from finetune.recipe import ROOT

README = ROOT / "README.md"

CODE = ("finetune/", "ui/")
"""Here every Python file has its own line or a glob; a folder's line is not enough."""

BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r"^([\s│├└─|`+-]*)([\w.*/{}\[\]-]+)")


def tree_of(markdown):
    """The paths in the README's tree, in order; folders end in a slash. The tree is the block that lists app.py."""
    for block in BLOCK.findall(markdown):
        paths = paths_in(block)
        if "app.py" in paths:
            return paths
    return []


def paths_in(block):
    """Each line's path, put together from the folders that it is indented under."""
    paths, above = [], []
    for line in block.splitlines():
        entry = ENTRY.match(line)
        if not entry or entry[2] in (".", "./"):
            continue
        depth, name = len(entry[1]), entry[2]
        while above and above[-1][0] >= depth:
            above.pop()
        path = (above[-1][1] if above else "") + name
        paths.append(path)
        if name.endswith("/"):
            above.append((depth, path))
    return paths


def exists(path):
    """Whether a path of the tree is there; a glob must find something."""
    return any(ROOT.glob(path)) if "*" in path else (ROOT / path).exists()


def stands_for(pattern, file):
    """Whether a glob names a file; unlike fnmatch's, its * does not reach into deeper folders."""
    return "*" in pattern and pattern.count("/") == file.count("/") and fnmatchcase(file, pattern)


def listed(file, tree):
    """The lines of the tree that stand for a file."""
    found = [path for path in tree if path == file or stands_for(path, file)]
    if file.endswith(".py") and file.startswith(CODE):
        return found
    leaves = [path for path in tree if path.endswith("/") and not any(p != path and p.startswith(path) for p in tree)]
    return found or [path for path in leaves if file.startswith(path)]


def files_of_the_project():
    """Tracked files, and new ones that git does not ignore; empty package markers need no line."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git checkout")
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [file for file in done.stdout.split("\0") if file and (ROOT / file).is_file()]
    return [file for file in files if (ROOT / file).stat().st_size or not file.endswith("__init__.py")]


@pytest.fixture
def tree():
    """The tree in the README that ships."""
    if not README.is_file():
        pytest.skip("README.md is not written yet")
    paths = tree_of(README.read_text(encoding="utf-8"))
    assert paths, "README.md has no code block that lists app.py"
    return paths


def test_every_path_in_the_readmes_tree_exists(tree):
    assert [path for path in tree if not exists(path)] == []


def test_every_file_has_its_line_in_the_readmes_tree(tree):
    files = [file for file in files_of_the_project() if file != "README.md" and not re.fullmatch(r"\.[^/]+", file)]
    assert [file for file in files if not listed(file, tree)] == []


def test_no_file_is_listed_twice(tree):
    assert [path for path, times in Counter(tree).items() if times > 1] == []
    twice = {file: found for file in files_of_the_project() if len(found := listed(file, tree)) > 1}
    assert twice == {}


def test_every_line_of_the_tree_says_what_the_path_is_for():
    if not README.is_file():
        pytest.skip("README.md is not written yet")
    for block in BLOCK.findall(README.read_text(encoding="utf-8")):
        if "app.py" not in paths_in(block):
            continue
        for line in block.splitlines():
            entry = ENTRY.match(line)
            bare = entry and entry[2] not in (".", "./") and not entry[2].endswith("/")
            assert not bare or len(line[entry.end() :].split()) >= 2, f"nothing said about {line!r}"


# the reading of a tree itself

EXAMPLES = {
    "indented": """
app.py                 starts
finetune/              everything
  errors.py            one tree
  demo/
    parts/*.yaml       texts
    corpus.py          composes
tests/                 mirrors finetune
""",
    "drawn": """
.
├── app.py               # starts
├── finetune/            # everything
│   ├── errors.py        # one tree
│   └── demo/
│       ├── parts/*.yaml # texts
│       └── corpus.py    # composes
└── tests/               # mirrors finetune
""",
    "flat": """
app.py                       starts
finetune/errors.py           one tree
finetune/demo/parts/*.yaml   texts
finetune/demo/corpus.py      composes
tests/                       mirrors finetune
""",
}
FILES = {"app.py", "finetune/errors.py", "finetune/demo/parts/*.yaml", "finetune/demo/corpus.py", "tests/"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_tree_is_read_however_it_is_drawn(name):
    read = tree_of(f"# Title\n\n```sh\nmake run\n```\n\n```text{EXAMPLES[name]}```\n")
    assert set(read) - {"finetune/", "finetune/demo/"} == FILES
    assert len(read) == len(set(read))


def test_a_file_counts_as_listed_by_name_by_glob_or_by_a_folder_without_lines_of_its_own():
    tree = ["app.py", "finetune/", "finetune/demo/parts/*.yaml", "tests/", "ui/"]
    assert listed("app.py", tree) == ["app.py"]
    assert listed("finetune/demo/parts/05_shok.yaml", tree) == ["finetune/demo/parts/*.yaml"]
    assert listed("tests/demo/test_parts.py", tree) == ["tests/"]
    assert listed("finetune/notes.md", tree) == [], "finetune/ has lines of its own"
    assert listed("ui/layout.py", tree) == [], "code needs its own line"
    assert listed("Makefile", tree) == []
    assert listed("finetune/demo/parts/old/05_shok.yaml", tree) == [], "* does not reach into folders"
