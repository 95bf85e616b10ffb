import pytest

from pipeline.errors import UserError
from pipeline.sources.formats import compression, crawl_of, detect, recognised, stem


@pytest.mark.parametrize(
    ("name", "format", "codec", "short"),
    [
        ("/d/a.jsonl", "jsonl", None, "a"),
        ("/d/a.b.json.gz", "jsonl", "gzip", "a.b"),
        ("gs://b/novels.JSONL.ZST", "jsonl", "zstd", "novels"),
        ("/d/part-0.parquet", "parquet", None, "part-0"),
        ("/d/README.md", "text", None, "README"),
        ("/d/crawl.warc.gz", "warc", "gzip", "crawl"),
        ("/d/crawl.warc.lz4", "warc", "lz4", "crawl"),
        ("/d/crawl.warc.wet.gz", "wet", "gzip", "crawl"),
        ("https://a.org/b.jsonl.gz?signature=secret/x.y", "jsonl", "gzip", "b"),
        ("/d/a?b.jsonl", "jsonl", None, "a?b"),
    ],
)
def test_known_names(name, format, codec, short):
    assert (detect(name, "auto"), compression(name), stem(name)) == (format, codec, short)
    assert recognised(name, "auto")
    assert recognised(name, format)


def test_given_format_wins():
    assert detect("/d/data", "jsonl") == "jsonl"
    assert stem("/d/data") == "data"
    assert stem("/d/.warc") == ".warc"


@pytest.mark.parametrize("name", ["/d/a.arc.gz", "/d/a.warc.wat.gz", "/d/a.jsonl.bz2"])
def test_refused_names_say_what_to_do(name):
    with pytest.raises(UserError, match="cannot read") as caught:
        detect(name, "warc")
    assert caught.value.hint


def test_unknown_name():
    with pytest.raises(UserError, match="cannot tell the format"):
        detect("/d/data.bin", "auto")


def test_recognised_is_choosy():
    assert not recognised("/d/a.csv", "auto")
    assert not recognised("/d/a.txt", "jsonl")
    assert recognised("/d/a.wet.gz", "warc")


@pytest.mark.parametrize(
    ("url", "crawl"),
    [
        (
            "s3://commoncrawl/crawl-data/CC-MAIN-2024-10/segments/1/warc/a.warc.gz",
            "CC-MAIN-2024-10",
        ),
        ("hf://datasets/HuggingFaceFW/fineweb/data/CC-MAIN-2013-20/000.parquet", "CC-MAIN-2013-20"),
        ("/d/CC-MAIN-2024-10.jsonl", "CC-MAIN-2024-10"),
        # The name of a file of a crawl has the time of its capture, not the crawl's name.
        ("/d/CC-MAIN-20240220211055-20240221001055-00000.warc.gz", None),
        ("/d/CC-MAIN-2024-100/a.jsonl", None),
        ("/d/CC-MAIN-2024.jsonl", None),
        ("/d/a.jsonl", None),
    ],
)
def test_the_crawl_that_a_path_names(url, crawl):
    assert crawl_of(url) == crawl
