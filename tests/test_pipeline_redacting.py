import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest
from conftest import CONFIG, make_test_job, run_stages

from filters.redaction import Options, names, redact
from pipeline import redacting
from pipeline.errors import UserError
from pipeline.mill import mill
from pipeline.recipe import load_recipe
from pipeline.redaction import Redaction
from pipeline.run import make_job

KEY = bytes(range(100, 132))
TEXT = "Mail a@b.de or c@d.org, or A@B.de; from 8.8.8.8"


def settings(*keys: str) -> Redaction:
    redaction = load_recipe("raw", CONFIG, [f"redaction.{key}" for key in keys]).redaction
    assert redaction is not None
    return redaction


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "redaction.key"
    path.write_bytes(KEY)
    return path


def digesting(key: object) -> tuple[str, str]:
    return "replace=digest", f"key={key}"


def test_options_are_those_of_the_settings() -> None:
    assert redacting.options_of(settings()) == Options()
    assert redacting.options_of(
        settings("types=[ip]", "regions=[JP]", "spelled_out_emails=true", "private_addresses=true")
    ) == Options(("ip",), ("JP",), spelled_out_emails=True, private_addresses=True)
    assert redacting.options_of(settings("names=[person]", "names_model=a/model")) == Options(
        names=("person",), names_model="a/model"
    )
    assert redact(TEXT, *redacting.redacting(None)) == (TEXT, [])


def test_each_way_of_replacing(key: Path) -> None:
    assert redact(TEXT, *redacting.redacting(settings())).text == (
        "Mail <|email|> or <|email|>, or <|email|>; from <|ip|>"
    )
    assert redact(TEXT, *redacting.redacting(settings("replace=stand_in"))).text == (
        "Mail person1@example.com or person2@example.com, or person1@example.com; from 192.0.2.1"
    )
    how = redacting.redacting(settings(*digesting(key)))
    words = redact(TEXT, *how).text.replace(",", "").replace(";", "").split()
    assert words[1] == words[5] != words[3]
    assert how.replacement() is not None
    assert (
        redact(TEXT, *redacting.redacting(settings(*digesting(key)))).text == redact(TEXT, *how)[0]
    )
    key.write_bytes(KEY[::-1])
    assert words[1] not in redact(TEXT, *redacting.redacting(settings(*digesting(key)))).text


@pytest.mark.parametrize("function", [redacting.redacting, redacting.key_mark])
def test_a_key_that_is_short_or_missing_is_refused(function: Any, key: Path) -> None:
    key.write_bytes(KEY[:15])
    with pytest.raises(UserError, match=r"needs at least 16 bytes and has 15") as caught:
        function(settings(*digesting(key)))
    assert "head -c 32 /dev/urandom" in caught.value.hint
    key.unlink()
    with pytest.raises(UserError, match=r"cannot read .*redaction\.key: there is no such file"):
        function(settings(*digesting(key)))


def test_a_key_can_be_a_url() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe("/keys/redaction.key", KEY)
    assert redacting.key_mark(settings(*digesting("memory://keys/redaction.key")))
    fs.rm("/", recursive=True)


def test_a_recipe_without_digests_has_no_mark() -> None:
    assert redacting.key_mark(settings()) == ""
    assert redacting.key_mark(None) == ""
    redacting.check_key(settings(), "")


def job_with(folder: Path, *settings: str) -> Any:
    """Plans a run over a file that is written once."""
    file = folder / "in.jsonl"
    if not file.exists():
        rows = [{"id": number, "text": f"{TEXT} {number} words"} for number in range(5)]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    resolved = load_recipe("raw", CONFIG, [f"source.inputs=['{file}']", *settings])
    return make_job("raw", resolved, str(folder / "out"))


def job_with_key(key: Path) -> Any:
    return job_with(key.parent, *(f"redaction.{setting}" for setting in digesting(key)))


def texts(job: Any) -> list[str]:
    return pq.read_table(job.output.part("documents", 0, ".parquet"))["text"].to_pylist()


def test_another_key_makes_the_stage_anew_and_the_same_one_elsewhere_does_not(key: Path) -> None:
    job = job_with_key(key)
    mill(job, 0)
    before = texts(job)
    elsewhere = key.rename(key.with_name("another.key"))
    moved = job_with_key(elsewhere)
    assert moved.fingerprint("mill", 0) == job.fingerprint("mill", 0)
    key.write_bytes(KEY[::-1])
    other = job_with_key(key)
    assert other.fingerprint("mill", 0) != job.fingerprint("mill", 0)
    mill(other, 0)
    assert texts(other) != before
    assert "<|email:" in texts(other)[0]


def test_a_key_that_changes_while_the_run_goes_on_is_refused(key: Path) -> None:
    job = job_with_key(key)
    key.write_bytes(KEY[::-1])
    with pytest.raises(UserError, match=r"redaction\.key was changed while the run went on"):
        mill(job, 0)


def test_neither_the_key_nor_a_plain_hash_of_it_is_written(key: Path) -> None:
    job = job_with_key(key)
    run_stages(job)
    secrets = [KEY, KEY.hex().encode(), KEY[:16]]
    for name in ("sha256", "blake2b", "md5", "sha1"):
        digest = hashlib.new(name, KEY)
        secrets += [digest.digest(), digest.hexdigest().encode()]
    files = [Path(folder, name) for folder, _, names in os.walk(job.output.root) for name in names]
    assert len(files) > 5
    for file in files:
        data = file.read_bytes()
        assert not any(secret in data for secret in secrets), file


def test_what_changes_the_text_changes_the_stage(key: Path) -> None:
    settings = [
        ["redaction.types=[email]"],
        ["redaction.replace=stand_in"],
        ["redaction.regions=[US]"],
        ["redaction.spelled_out_emails=true"],
        ["redaction.private_addresses=true"],
        [f"redaction.{setting}" for setting in digesting(key)],
        ["redaction=null"],
        [],
    ]
    prints = {job_with(key.parent, *each).fingerprint("mill", 0) for each in settings}
    assert len(prints) == len(settings)


@pytest.mark.parametrize(
    ("replace", "special"),
    [
        ("tag", ["<|email|>", "<|mac|>", "<|coordinates|>", "<|person|>", "<|nrp|>"]),
        ("stand_in", ["<|coordinates|>", "<|person|>", "<|nrp|>"]),
    ],
)
def test_tags_that_the_recipe_can_write_are_special_tokens(
    replace: str, special: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "finder", lambda types, model: lambda text: [])
    monkeypatch.setattr(names, "digest_of", str.upper)
    settings = [
        f"redaction.replace={replace}",
        "redaction.types=[email, mac, coordinates]",
        "redaction.names=[person, nrp]",
    ]
    rows = [{"text": f"{TEXT} {number} words, a few more of them"} for number in range(5)]
    job = make_test_job(tmp_path, {"in.jsonl": rows}, settings=settings)
    run_stages(job)
    tokenizer = json.loads(Path(job.output.path("tokenizer/tokenizer.json")).read_text())
    tokens = [token["content"] for token in tokenizer["added_tokens"]]
    assert tokens == ["<|endoftext|>", *special]


def test_digests_are_no_tags(key: Path) -> None:
    assert redacting.tags_of(settings(*digesting(key), "names=[person]")) == []
    assert redacting.tags_of(None) == []


def test_a_model_of_names_is_looked_for_before_the_first_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    names.load.cache_clear()
    asked = settings("names=[person]", "names_model=no_such_model")
    for function in (redacting.redacting, redacting.names_mark):
        with pytest.raises(UserError, match=r"pip install 'gristmill\[names\]'"):
            function(asked)
    assert redacting.names_mark(settings()) == redacting.names_mark(None) == ""


def test_another_model_of_names_is_another_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "finder", lambda types, model: lambda text: [])
    monkeypatch.setattr(names, "digest_of", str.upper)

    def code_with(model: str) -> str:
        keys = ["redaction.names=[person]", f"redaction.names_model={model}"]
        return make_test_job(tmp_path, {"in.jsonl": [{"text": TEXT}]}, "raw", keys, model).code

    assert code_with("one") == code_with("one") != code_with("other")
