import gzip
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command import environment
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from filters.redaction import redact
from pipeline.cli import main
from pipeline.errors import UsageError, UserError
from pipeline.redact_command import how_to_redact, redact_file

SECRET = "a@b.de"
COMMAND = (str(Path(sys.executable).with_name("gristmill")), "redact")


def output(
    file: object,
    *settings: str,
    given: bytes = b"",
    field: str = "text",
    as_json: bool = False,
) -> tuple[bytes, str, str]:
    """Returns what the command prints, its messages, and the error that it ends with."""
    sink, messages, error = io.BytesIO(), io.StringIO(), ""
    console = Console(file=messages, soft_wrap=True)
    streams = (io.BytesIO(given), sink)
    try:
        redact_file(str(file), field, how_to_redact(settings), as_json, streams, console)
    except UserError as raised:
        error = str(raised)
    return sink.getvalue(), messages.getvalue(), error


def objects(printed: bytes) -> list[Any]:
    return [json.loads(line) for line in printed.splitlines()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "documents.jsonl"


def write(file: Path, *lines: Any) -> None:
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    file.write_bytes(b"\n".join(encoded))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\n", b"\0\xff\xe9"])
def test_a_text_comes_out_exactly_but_for_personal_data(end: bytes) -> None:
    given = b"\xef\xbb\xbfMail \xffa@b.de\r\nor\te\xcc\x81 8.8.8.8" + end
    printed, messages, error = output("-", given=given)
    assert printed == given.replace(b"a@b.de", b"<|email|>").replace(b"8.8.8.8", b"<|ip|>")
    assert messages == error == ""


def test_a_text_as_json_is_one_object_with_offsets_in_code_points() -> None:
    given = "é👍 a@b.de\nor 8.8.8.8\n".encode() + b"\xff"
    printed, _, _ = output("-", given=given, as_json=True)
    assert printed.count(b"\n") == 1
    assert objects(printed) == [
        {
            "id": 1,
            "spans": [
                {"start": 3, "end": 9, "type": "email"},
                {"start": 13, "end": 20, "type": "ip"},
            ],
            "text": "é👍 <|email|>\nor <|ip|>\n\ufffd",
        }
    ]


def test_a_file_of_text_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt.gz"
    path.write_bytes(gzip.compress(b"Mail a@b.de"))
    assert output(path)[0] == b"Mail <|email|>"
    path.write_bytes(gzip.compress(b"Mail a@b.de" * 1000)[:-20])
    assert "ends too early" in output(path)[2]


def test_records_are_printed_with_their_text_replaced(file: Path) -> None:
    rows = [
        {"id": 7, "text": "Mail a@b.de", "meta": {"é": [1.5, None]}},
        {"text": "née \ud800", "other": "\ud83d"},
        {"text": "big", "number": float("nan")},
    ]
    write(file, *rows)
    printed = objects(output(file)[0])
    assert printed[0] == {**rows[0], "text": "Mail <|email|>"}
    assert printed[1] == {"text": "née \ufffd", "other": "\ud83d"}
    assert printed[2]["number"] != printed[2]["number"]


def test_all_but_the_text_comes_out_as_it_was_written(file: Path) -> None:
    lines = [
        '\ufeff{"id": 12345678901234567890123, "text": "Mail a\\u0040b.de", "x": 1.10 }',
        '{"a":1e400,"text":"née","e":"\\u00e9","text":"8.8.8.8","a":-0}\r',
        '{"id":"a@b.de","text":"no hit \\u00e9\\/"}',
    ]
    file.write_bytes("\n".join(lines).encode())
    printed, messages, error = output(file)
    assert messages == error == ""
    assert printed.decode().split("\n") == [
        lines[0].replace("a\\u0040b.de", "<|email|>"),
        lines[1].replace("8.8.8.8", "<|ip|>"),
        lines[2],
        "",
    ]
    printed, _, _ = output(file, as_json=True)
    ids = [line.partition('"spans"')[0] for line in printed.decode().splitlines()]
    assert ids == ['{"id": 12345678901234567890123, ', '{"id": 2, ', '{"id": "a@b.de", ']
    assert objects(printed)[1]["text"] == "<|ip|>"


def test_a_field_that_is_there_twice_is_redacted_twice(file: Path) -> None:
    write(file, b'{"text":"a@b.de","a":["a@b.de"],"text":7,"text":"8.8.8.8"}')
    assert output(file)[0] == b'{"text":"<|email|>","a":["a@b.de"],"text":7,"text":"<|ip|>"}\n'


def test_a_line_that_is_nested_too_deep_is_told(file: Path) -> None:
    deep = "[" * 1020 + "]" * 1020
    write(file, f'{{"text": "a@b.de", "deep": {deep}}}'.encode(), {"text": "a@b.de"})
    printed, messages, _ = output(file)
    assert printed == b'{"text": "<|email|>"}\n'
    assert messages.startswith(f"{file}:1: The line is not a JSON value.")


def test_of_many_lines_without_document_the_first_are_told(file: Path) -> None:
    file.write_bytes(b"\xff\n" * 1013)
    _, messages, error = output(file)
    assert len(messages.splitlines()) == 11
    assert messages.splitlines()[10] == "and 1,003 more"
    assert "lines without a document: 1,013" in error


@pytest.mark.parametrize("suffix", ["jsonl.gz", "ndjson", "data"])
def test_json_lines_by_any_name(suffix: str, file: Path) -> None:
    path = file.with_suffix(f".{suffix}")
    line = b'{"text": "a@b.de"}\n'
    path.write_bytes(gzip.compress(line) if suffix.endswith("gz") else line)
    assert objects(output(path)[0]) == [{"text": "<|email|>"}]


def test_ids_are_the_records_own_or_the_lines_number(file: Path) -> None:
    lines = [{"id": 5, "text": ""}, b"", {"id": "x", "text": ""}, {"text": ""}]
    write(file, *lines, {"id": None, "text": ""})
    assert [row["id"] for row in objects(output(file, as_json=True)[0])] == [5, "x", 4, 5]


def test_the_field_can_be_named(file: Path) -> None:
    write(file, {"a": {"b": "8.8.8.8", "c": 1}, "text": "8.8.8.8"}, {"a.b": "8.8.8.8", "a": 1})
    assert objects(output(file, field="a.b")[0]) == [
        {"a": {"b": "<|ip|>", "c": 1}, "text": "8.8.8.8"},
        {"a.b": "<|ip|>", "a": 1},
    ]


def test_lines_without_document_are_told_without_their_text(file: Path) -> None:
    write(
        file,
        {"text": SECRET},
        f"{SECRET} is no JSON".encode(),
        {"tekst": SECRET},
        {"text": [SECRET]},
        SECRET,
        b'"\xff"',
        {"text": "good"},
    )
    printed, messages, error = output(file)
    assert [row["text"] for row in objects(printed)] == ["<|email|>", "good"]
    assert [line.partition(":")[2] for line in messages.splitlines()] == [
        "2: The line is not a JSON value.",
        "3: no field text; name the text's field: --text-field NAME",
        "4: the field text holds no string",
        "5: no field text; name the text's field: --text-field NAME",
        "6: The bytes are not UTF-8; convert the file first, for example with iconv.",
    ]
    assert error.startswith(f"{file}: lines without a document: 5")
    assert SECRET not in messages + error


def test_a_truncated_file_gives_what_it_holds(file: Path) -> None:
    path = file.with_suffix(".jsonl.gz")
    choice = random.Random(1)
    lines = b"".join(b'{"text": "%d"}\n' % choice.getrandbits(99) for _ in range(999))
    path.write_bytes(gzip.compress(lines)[:-2000])
    printed, messages, error = output(path)
    assert 0 < len(objects(printed)) < 999
    assert "ends too early" in messages
    assert "lines without a document: 1" in error


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["redaction.types=[emial]"], "did you mean email"),
        (["redaction.replace=digest"], "needs key"),
        (["redaction=null"], "redaction: "),
        (["types=[email]"], "types: unknown key; expected one of redaction"),
    ],
)
def test_settings_are_those_of_a_recipe(settings: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        how_to_redact(settings)
    given = b"a@b.de 8.8.8.8"
    assert output("-", "redaction.types=[ip]", given=given)[0] == b"a@b.de <|ip|>"
    assert output("-", "redaction.replace=stand_in", given=given)[0].startswith(b"person1@")


def test_files_that_are_not_read_here_are_refused() -> None:
    assert "`gristmill run` reads Parquet" in output("x.parquet")[2]
    assert "there is no such file" in output("gone.jsonl")[2]


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("1234@.:-")))
def test_what_is_printed_is_what_redaction_gives(text: str) -> None:
    assert output("-", given=text.encode())[0] == redact(text).text.encode()


def run(*words: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, words)], input=given, capture_output=True, env=environment()
    )


def test_the_command(file: Path) -> None:
    ended = run("-s", "redaction.types=[email]", given=b"Mail a@b.de")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"Mail <|email|>", b"")
    write(file, {"id": 1, "body": "Mail a@b.de"}, {"body": 1})
    ended = run(file, "--text-field", "body", "--json")
    assert ended.returncode == 1
    assert objects(ended.stdout) == [
        {"id": 1, "spans": [{"start": 5, "end": 11, "type": "email"}], "text": "Mail <|email|>"}
    ]
    assert b":2: the field body holds no string" in ended.stderr
    assert run("-s", "redaction.types=[x]").returncode == 2


def test_who_stops_reading_gets_no_error(file: Path) -> None:
    write(file, *({"text": f"Mail a@b.de {number}" * 50} for number in range(2_000)))
    process = subprocess.Popen(
        [*COMMAND, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b'{"text": "Mail <|email|>')
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("lines", [1, 20_000])
def test_a_full_disk_is_told(lines: int, file: Path) -> None:
    file.write_bytes(b'{"text": "a@b.de"}\n' * lines)
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [*COMMAND, str(file)], stdout=full, stderr=subprocess.PIPE, env=environment()
        )
    assert ended.returncode == 1
    assert ended.stderr.decode() == (
        "error: stopped: No space left on device\nThe rest was not redacted.\n"
    )


def test_ctrl_c_is_told_as_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.redact_command.redact_file", stop)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(SystemExit) as ended:
        main(["redact"])
    assert ended.value.code == 130
