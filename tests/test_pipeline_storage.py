import errno
import functools
import http.server
import os
import socket
import threading
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest

from pipeline import storage
from pipeline.errors import UserError


def bucket() -> str:
    return f"memory://bucket-{uuid4().hex}"


@pytest.fixture(params=["local", "file", "memory"])
def root(request, tmp_path) -> str:
    return {"local": str(tmp_path), "file": f"file://{tmp_path}", "memory": bucket()}[request.param]


def put(url: str, data: bytes = b"x") -> None:
    storage.write_bytes(url, data)


def names(files) -> list[str]:
    return [file.url.rsplit("/", 1)[-1] for file in files]


def test_write_read_list_remove(root):
    put(f"{root}/a/one", b"hello")
    put(f"{root}/a/two", b"")
    put(f"{root}/a/one", b"goodbye")
    assert storage.read_bytes(f"{root}/a/one") == b"goodbye"
    with storage.open_binary(f"{root}/a/one", 4) as file:
        assert file.read() == b"bye"
    assert names(storage.list_files(f"{root}/a")) == ["one", "two"]
    assert [file.size for file in storage.list_files(f"{root}/a")] == [7, 0]
    assert storage.list_files(f"{root}/nothing") == []
    assert storage.exists(f"{root}/a/one")
    storage.remove(f"{root}/a/one")
    storage.remove(f"{root}/a/one")
    assert not storage.exists(f"{root}/a/one")
    storage.remove(f"{root}/a", recursive=True)
    assert not storage.exists(f"{root}/a")


def test_failed_write_leaves_the_old_file_and_nothing_else(root):
    put(f"{root}/part", b"old")

    def fail(url):
        with storage.atomic(url) as file:
            file.write(b"half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail(f"{root}/part")
    assert storage.read_bytes(f"{root}/part") == b"old"
    with pytest.raises(RuntimeError):
        fail(f"{root}/new")
    fs, path = fsspec.core.url_to_fs(root)
    assert [name.rsplit("/", 1)[-1] for name in fs.find(path)] == ["part"]


def test_list_files_skips_temporaries(tmp_path):
    put(f"{tmp_path}/part")
    (tmp_path / ".0123.tmp").write_bytes(b"half")
    assert names(storage.list_files(str(tmp_path))) == ["part"]


def test_long_name_can_be_written(tmp_path):
    put(f"{tmp_path}/{'n' * 255}")
    assert names(storage.list_files(str(tmp_path))) == ["n" * 255]


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only")]
)
def test_disk_errors_are_explained(tmp_path, code, words):
    with (
        pytest.raises(UserError, match=words) as caught,
        storage.atomic(f"{tmp_path}/part"),
    ):
        raise OSError(code, "no")
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_expand_globs_folders_and_literal_names(root):
    for name in ("b.jsonl", "a.jsonl", "sub/c.jsonl", "sub/d.txt", "_SUCCESS", "_tmp/e.jsonl"):
        put(f"{root}/{name}")
    put(f"{root}/we[i]rd*.jsonl")
    assert names(storage.expand([f"{root}/*.jsonl"])) == ["a.jsonl", "b.jsonl", "we[i]rd*.jsonl"]
    found = storage.expand([f"{root}/**/*.jsonl", f"{root}/a.jsonl"])
    assert {"a.jsonl", "b.jsonl", "c.jsonl"} <= set(names(found))
    assert len({file.url for file in found}) == len(found)
    assert names(storage.expand([f"{root}/we[i]rd*.jsonl"])) == ["we[i]rd*.jsonl"]
    folder = storage.expand([root], lambda url: url.endswith(".jsonl"))
    assert names(folder) == ["a.jsonl", "b.jsonl", "c.jsonl", "we[i]rd*.jsonl"]
    assert [f.url for f in folder] == sorted(f.url for f in folder)
    assert storage.expand([root]) == storage.expand([root, f"{root}/*.jsonl"])


def test_expand_results_can_be_opened(root):
    put(f"{root}/a.txt", b"text")
    (file,) = storage.expand([f"{root}/*"])
    assert storage.read_bytes(file.url) == b"text"
    assert storage.info(file.url) == file


def test_expand_hides_dot_files(root):
    put(f"{root}/.hidden")
    put(f"{root}/seen")
    assert names(storage.expand([f"{root}/*"])) == ["seen"]
    assert names(storage.expand([f"{root}/.h*"])) == [".hidden"]


def test_relative_paths_become_absolute(tmp_path, monkeypatch):
    put(f"{tmp_path}/a.txt")
    monkeypatch.chdir(tmp_path)
    assert storage.expand(["a.txt", f"{tmp_path}/a.txt"]) == [storage.info(f"{tmp_path}/a.txt")]


def test_version_changes_with_the_file(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x")
    before = storage.info(str(path)).version
    os.utime(path, (1, 1))
    assert storage.info(str(path)).version != before


@pytest.mark.parametrize("pattern", ["none.txt", "*.txt", "no/such/folder/*"])
def test_expand_nothing(root, pattern):
    with pytest.raises(UserError, match="no input file matches"):
        storage.expand([f"{root}/{pattern}"])


def test_missing_and_unusual_files(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        storage.open_binary(str(tmp_path / "none"))
    with pytest.raises(UserError, match="folder"):
        storage.open_binary(str(tmp_path))
    with pytest.raises(UserError, match="no such file"):
        storage.open_binary(f"{bucket()}/none")


def test_unreadable_file(tmp_path, monkeypatch):
    put(f"{tmp_path}/a.txt")
    monkeypatch.setattr(storage.os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match="permission is denied"):
        storage.expand([f"{tmp_path}/a.txt"])


def test_missing_backend_names_the_extra(monkeypatch):
    def missing(url):
        raise ImportError("Please install gcsfs")

    monkeypatch.setattr(storage.fsspec.core, "url_to_fs", missing)
    with pytest.raises(UserError, match="gs://") as caught:
        storage.expand(["gs://bucket/x"])
    assert "gristmill[gcp]" in caught.value.hint
    with pytest.raises(UserError) as caught:
        storage.expand(["s3://bucket/x"])
    assert "s3fs" in caught.value.hint

    with pytest.raises(UserError) as caught:
        storage.expand(["https://example.com/x"])
    assert "aiohttp" in caught.value.hint


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def web(tmp_path):
    """Serves a folder; yields its URL and its path."""
    folder = tmp_path / "web"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        fs = fsspec.filesystem("http")
        fs.close_session(fs.loop, fs._session)
        fs.clear_instance_cache()
        server.shutdown()
        thread.join()


def test_a_server_that_does_not_answer_is_no_missing_file(web):  # which closes the client
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UserError, match="the server does not answer"):
        storage.info(f"http://127.0.0.1:{port}/model.bin")


def test_a_file_by_http(web):
    url, folder = web
    (folder / "model.bin").write_bytes(b"x" * 3_000_000 + b"end")
    before = storage.info(f"{url}/model.bin")
    assert before.size == 3_000_003
    assert storage.read_bytes(f"{url}/model.bin")[-4:] == b"xend"
    os.utime(folder / "model.bin", (1, 1))
    assert storage.info(f"{url}/model.bin").version != before.version
    with pytest.raises(UserError, match="no such file"):
        storage.info(f"{url}/none")
    with pytest.raises(UserError, match="no such file"):
        storage.read_bytes(f"{url}/none")


def test_unknown_protocol():
    with pytest.raises(UserError, match="not a known kind of storage"):
        storage.expand(["gopher://hole/x"])


def test_a_file_in_the_way_of_a_folder(tmp_path):
    put(f"{tmp_path}/a/b/part")
    assert Path(f"{tmp_path}/a/b/part").read_bytes() == b"x"
    with pytest.raises(UserError):
        put(f"{tmp_path}/a/b/part/c")


def test_is_empty(root):
    assert storage.is_empty(f"{root}/nothing")
    put(f"{root}/folder/part")
    assert not storage.is_empty(f"{root}/folder")


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_names_of_all_files_below_a_folder(scheme, tmp_path):
    root = f"{scheme}{tmp_path}"
    for name in ("b/c.txt", "a.txt", "b/.x.tmp"):
        storage.write_bytes(f"{root}/{name}", b"")
    assert storage.names_below(root) == ["a.txt", "b/.x.tmp", "b/c.txt"]
    assert storage.names_below(f"{root}/b/") == [".x.tmp", "c.txt"]
    assert storage.names_below(f"{root}/none") == []
