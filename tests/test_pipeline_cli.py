"""The command line: what it loads, what it prints, and how it answers mistakes."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Ended, environment, gristmill, in_process, write_corpus

Call = Callable[..., Ended]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with good and bad inputs and recipes."""
    folder = tmp_path_factory.mktemp("place")
    write_corpus(folder / "good.jsonl", 20)
    write_corpus(folder / "other.jsonl", 20, seed=2)
    (folder / "empty.jsonl").touch()
    (folder / "nothing").mkdir()
    (folder / "foreign").mkdir()
    (folder / "foreign" / "thesis.txt").write_text("mine")
    (folder / "unknown.bin").write_bytes(b"\0\1")
    (folder / "old.arc").write_bytes(b"x")
    (folder / "a_file").write_text("mine")
    (folder / "mistakes.yaml").write_text(
        "x:\n"
        "  source: {splt_bytes: 5000}\n"
        "  seed: -1\n"
        "  filters: {gopher_quality: {word_count: {minimum: many}}}\n"
    )
    (folder / "broken.yaml").write_text("x:\n  seed: [1\n")
    (folder / "list.yaml").write_text("- x\n")
    return folder


@pytest.fixture
def call(place: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls the command line in this process, in the user's folder."""
    monkeypatch.chdir(place)
    return in_process


def loaded_by(code: str) -> set[str]:
    """Returns the top-level modules that some code loads in a fresh interpreter."""
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    return {name.split(".")[0] for name in ended.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize(
    "code",
    [
        "import filters",
        "import filters.registry",
        "import dedup",
        "import dedup.minhash, dedup.survivors",
        "import model",
        "import pipeline.cli",
        "from pipeline.redact_command import how_to_redact; how_to_redact(())",
        "from pipeline.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from pipeline.cli import main\ntry: main(['run', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_loads_neither_beam_nor_torch(code: str) -> None:
    loaded = loaded_by(code)
    assert "sys" in loaded
    assert not loaded & {"apache_beam", "torch"}


def test_help_names_every_command_and_answers_quickly() -> None:
    fastest = 9.0
    for _ in range(5):
        start = time.perf_counter()
        ended = gristmill("--help")
        fastest = min(fastest, time.perf_counter() - start)
    assert ended.code == 0
    assert ended.err == ""
    commands = "demo run recipes filters report inspect explain redact verify"
    for name in commands.split():
        assert f" {name} " in ended.out
    assert fastest < 0.5


RUN = ("run", "raw", "-o", "out")
GOOD = (*RUN, "-i", "good.jsonl")

# words, exit code, and what the message says: what is wrong, and what to do.
MISTAKES = {
    "missing file": ((*RUN, "-i", "gone.jsonl"), 1, ["'gone.jsonl'", "Check the path"]),
    "empty glob": ((*RUN, "-i", "x*.jsonl"), 1, ["'x*.jsonl'", "quote a glob"]),
    "empty file": ((*RUN, "-i", "empty.jsonl"), 1, ["the input is empty: empty.jsonl", "check"]),
    "empty folder": ((*RUN, "-i", "nothing"), 1, ["nothing holds no file", "source.format"]),
    "unknown format": ((*RUN, "-i", "unknown.bin"), 1, ["unknown.bin", "source.format"]),
    "refused format": ((*RUN, "-i", "old.arc"), 1, ["old.arc", "warcio recompress"]),
    "no input": (RUN, 2, ["no input", "--input"]),
    "unknown recipe": (("run", "gofer", "-o", "out"), 2, ["gofer", "Did you mean gopher?"]),
    "unknown key": ((*GOOD, "-s", "tokenizer.vocabsize=9"), 2, ["did you mean vocab_size?"]),
    "wrong type": ((*GOOD, "-s", "tokenizer.vocab_size=many"), 2, ["vocab_size", "integer"]),
    "no value": ((*GOOD, "-s", "seed"), 2, ["--set seed: expected key=value", "seed=1"]),
    "bad value": ((*GOOD, "-s", "tokenizer={"), 2, ["--set tokenizer={", "not valid YAML"]),
    "out of range": ((*GOOD, "-s", "tokens.validation=2"), 2, ["tokens.validation", "1"]),
    "bad YAML": (("run", "x", "--config", "broken.yaml", "-o", "out"), 2, ["broken.yaml:3:1"]),
    "not a mapping": (("run", "x", "--config", "list.yaml", "-o", "out"), 2, ["list.yaml:1:1"]),
    "no config": (("run", "x", "--config", "no.yaml", "-o", "out"), 2, ["no.yaml", "--config"]),
    "output is a file": (
        ("run", "raw", "-i", "good.jsonl", "-o", "a_file"),
        2,
        ["a_file is a file", "another --output"],
    ),
    "output below a file": (
        ("run", "raw", "-i", "good.jsonl", "-o", "a_file/out"),
        1,
        ["a_file/out", "a part of the path is a file"],
    ),
    "foreign files": (
        ("run", "raw", "-i", "good.jsonl", "-o", "foreign"),
        2,
        ["foreign is not empty", "another --output"],
    ),
    "unknown storage": (
        ("run", "raw", "-i", "good.jsonl", "-o", "foo://bucket/out"),
        1,
        ["foo://", "gs://"],
    ),
    "unknown runner": ((*GOOD, "--runner", "flink"), 2, ["flink", "local, dask, dataflow"]),
    "expanded glob": ((*GOOD, "other.jsonl"), 2, ["unexpected other.jsonl", "Quote a glob"]),
    "no tokenizer": (
        (*GOOD, "-s", "tokenizer.path=gone.json"),
        1,
        ["gone.json", "no such file", "Check"],
    ),
    "no language model": (
        ("run", "gopher", "-i", "good.jsonl", "-o", "out", "-s", "filters.language.model=gone.ftz"),
        1,
        ["gone.ftz"],
    ),
    "wrong option": ((*GOOD, "--worker", "2"), 2, ["--worker"]),
    "no output": (("run", "raw", "-i", "good.jsonl"), 2, ["--output"]),
    "no workers": ((*GOOD, "--workers", "0"), 2, ["--workers"]),
    "unknown command": (("frobnicate",), 2, ["frobnicate"]),
    "unknown filter": (("filters", "gopher_qualiti"), 2, ["Did you mean gopher_quality?"]),
    "unknown recipe to show": (("recipes", "gofer"), 2, ["Did you mean gopher?"]),
    "report of nothing": (("report", "gone"), 2, ["gone holds no report", "--output directory"]),
    "inspect nothing": (("inspect", "gone", "ledger"), 2, ["gone holds no ledger", "--output"]),
    "explain nothing": (("explain", "gone", "x"), 2, ["gone is not a finished output", "--output"]),
    "verify nothing": (("verify", "gone"), 2, ["gone is not a finished output", "--output"]),
    "verify foreign": (("verify", "foreign"), 2, ["foreign is not a finished output"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name: str, call: Call, place: Path) -> None:
    words, code, said = MISTAKES[name]
    before = sorted(place.rglob("*"))
    ended = call(*words)
    assert ended.code == code
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert "internal error" not in ended.err
    for part in said:
        assert part in " ".join(ended.err.split())
    assert sorted(place.rglob("*")) == before  # a mistake leaves nothing behind


def test_all_mistakes_of_a_recipe_at_once_with_their_places(call: Call) -> None:
    ended = call("run", "x", "--config", "mistakes.yaml", "-i", "good.jsonl", "-o", "out")
    assert ended.code == 2
    lines = {line.removeprefix("error: ").split(" ")[0] for line in ended.err.splitlines()}
    assert lines == {"mistakes.yaml:2:12:", "mistakes.yaml:3:3:", "mistakes.yaml:4:43:"}
    assert "did you mean split_bytes?" in ended.err


def test_dry_run_shows_recipe_and_splits_and_writes_nothing(call: Call, place: Path) -> None:
    ended = call(*GOOD, "--dry-run", "-s", "source.split_bytes=4096", "-s", "seed=7")
    assert ended.code == 0
    assert "seed: 7" in ended.out
    assert "good.jsonl" in ended.out
    assert "4,096" in ended.out
    assert "nothing was run" in ended.out
    assert not (place / "out").exists()


def test_recipes_and_filters_are_listed(call: Call) -> None:
    assert call("recipes").out.count("gopher") >= 1
    shown = call("recipes", "gopher", "-s", "seed=11").out
    assert "seed: 11" in shown
    assert "split_bytes: 16777216" in shown
    assert "gopher_quality" in call("filters").out
    assert "word_count" in call("filters", "gopher_quality").out


def test_debug_shows_the_traceback_wherever_it_stands(place: Path) -> None:
    for words in (("--debug", *RUN), (*RUN, "--debug")):
        ended = gristmill(*words, "-i", "gone.jsonl", cwd=place)
        assert ended.code == 1
        assert "Traceback" in ended.err


def test_result_as_json_is_all_of_stdout(place: Path) -> None:
    words = ("run", "raw", "-i", "good.jsonl", "-o", "as_json", "-s", "tokenizer.vocab_size=300")
    ended = gristmill(*words, "--json", cwd=place)
    assert ended.code == 0
    assert json.loads(ended.out)["documents"]["read"] == 20
    again = gristmill(*words, "--json", cwd=place)
    assert json.loads(again.out) == json.loads(ended.out)
    assert "finished already" in again.err


def test_files_in_the_working_directory_are_not_taken_for_modules(
    tmp_path: Path, place: Path
) -> None:
    # Every worker process starts in the user's folder.
    for name in ("filters", "dedup", "pipeline", "json", "model"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('loaded a file of the user')\n")
    words = ("run", "raw", "-i", place / "good.jsonl", "-o", "out", "--workers", "2")
    ended = gristmill(*words, cwd=tmp_path)
    assert ended.code == 0
    assert "loaded" not in ended.err


def test_debug_shows_places_and_no_text(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LookupError("SECRET text of a document")

    monkeypatch.setattr("pipeline.run.make_job", fail)
    ended = call(*GOOD, "--debug")
    assert ended.code == 1
    assert "in fail" in ended.err
    assert "LookupError (its message is left out" in ended.err
    assert "error: internal error: LookupError in test_pipeline_cli:" in ended.err
    assert "SECRET text" not in ended.err.replace('raise LookupError("SECRET text', "")


def test_error_that_nobody_foresaw_is_one_line_without_its_text(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("SECRET text of a document")

    monkeypatch.setattr("pipeline.run.make_job", fail)
    ended = call(*GOOD)
    assert ended.code == 1
    assert ended.err.startswith("error: internal error: LookupError in test_pipeline_cli:")
    assert "--debug" in ended.err
    assert "SECRET" not in ended.err
