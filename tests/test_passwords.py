"""The password in an input's URL is nowhere afterwards."""

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Ended, gristmill, said_by
from conftest import prose


class Guarded(http.server.BaseHTTPRequestHandler):
    """Gives a small corpus to who knows the password."""

    body = b"".join(json.dumps({"text": prose(n)}).encode() + b"\n" for n in range(20))

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(self.body)

    def _answer(self, body: bytes) -> None:
        token = base64.b64encode(b"canary-user:canary-pass").decode()
        known = self.headers.get("Authorization") == f"Basic {token}"
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(self.body) if known else 0))
        self.end_headers()
        self.wfile.write(body if known else b"")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def guarded() -> Iterator[str]:
    pytest.importorskip("aiohttp")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://canary-user:canary-pass@127.0.0.1:{server.server_port}/x.jsonl"
        server.shutdown()


def assert_no_password(ended: Ended, folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not any("canary-" in said for said in (ended.out, ended.err, *map(said_by, files)))


@pytest.fixture
def changes(tmp_path: Path) -> dict[str, str]:
    """Has temporary files written where they are looked at."""
    return {"TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_password_in_an_inputs_url(
    workers: int, guarded: str, changes: dict[str, str], tmp_path: Path
) -> None:
    words = ("raw", "-i", guarded, "-o", tmp_path / "out", "-s", "tokenizer.vocab_size=300")
    ended = gristmill("run", *words, "--workers", workers, **changes)
    assert ended.code == 0
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["documents"]["read"] == 20
    assert_no_password(ended, tmp_path)
    again = gristmill("run", *words, "--dry-run", **changes)
    assert again.code == 0
    assert_no_password(again, tmp_path)


def test_a_password_in_the_url_of_what_fails(
    guarded: str, changes: dict[str, str], tmp_path: Path
) -> None:
    wrong = guarded.replace("canary-pass", "canary-word")
    for words in (("-i", wrong), ("-i", guarded, "-s", f"tokenizer.path={wrong}")):
        ended = gristmill("run", "raw", *words, "-o", tmp_path / "out", "--debug", **changes)
        assert ended.code == 1
        assert_no_password(ended, tmp_path)
