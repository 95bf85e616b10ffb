import gzip
from dataclasses import replace

from pipeline.sources import text
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable


def test_files_of_a_split(tmp_path):
    contents = {
        "a.txt": b"\xef\xbb\xbfhello\r\nworld",
        "b.txt.gz": gzip.compress(b"zipped"),
        "c.txt.gz": gzip.compress(b"clipped" * 100)[:-5],
        "d.txt": b"caf\xe9",
        "e.txt": b"x" * 1001,
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    urls = [str(tmp_path / name) for name in contents]
    split = Split(0, "text", urls[0], 0, 5, 0, "", tuple(urls[1:]))
    options = replace(SourceOptions(), max_document_bytes=1000)
    assert list(text.read(split, options)) == [
        Record("0", "hello\r\nworld", file=urls[0]),
        Record("0", "zipped", file=urls[1]),
        Unreadable("0", "truncated", len(contents["c.txt.gz"]), urls[2]),
        Unreadable("0", "invalid_utf8", 4, urls[3]),
        Unreadable("0", "too_large", 1001, urls[4]),
    ]
