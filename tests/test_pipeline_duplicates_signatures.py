import hashlib

import numpy as np
import pyarrow as pa
import pytest
from conftest import prose
from hypothesis import given
from hypothesis import strategies as st

from dedup.digests import reference_exact_digest
from dedup.minhash import permutations, signature
from dedup.shingles import shingle_hashes
from pipeline.duplicates.settings import Dedup, MinHash
from pipeline.duplicates.signatures import (
    Marks,
    normalised_url,
    signatures_batch,
    signatures_schema,
    signer,
)

TEXT = prose(1)
ALL = Dedup(url=True, minhash=MinHash(bands=4, rows=3, seed=7, shingle=2))


def test_all_three_marks():
    marks = signer(ALL)(TEXT, "http://Example.com")
    expected = signature(shingle_hashes(TEXT, 2), permutations(12, 7))
    assert marks.signature is not None
    assert np.array_equal(marks.signature, expected)
    assert marks.digest == reference_exact_digest(TEXT, "spaces")
    canonical = b"https://example.com/"
    assert marks.url_digest == hashlib.blake2b(canonical, digest_size=16).digest()


@pytest.mark.parametrize("exact", ["bytes", "spaces", "words"])
def test_the_recipe_says_when_texts_are_equal(exact):
    sign = signer(Dedup(exact=exact, minhash=None))
    texts = ("One two.", "One  two.", "one TWO")
    assert [sign(text, None).digest for text in texts] == [
        reference_exact_digest(text, exact) for text in texts
    ]
    assert len({sign(text, None).digest for text in texts}) == {"bytes": 3, "spaces": 2}.get(
        exact, 1
    )


def test_what_the_recipe_turns_off_is_not_made():
    url = "http://a.org/"
    assert signer(Dedup(exact=None))(TEXT, url)[:2] == (None, None)
    assert signer(Dedup(minhash=None))(TEXT, url).signature is None
    assert signer(Dedup(minhash=None, exact=None, url=True))(TEXT, url)[1:] == (None, None)


@pytest.mark.parametrize("url", [None, ""])
def test_without_a_url_there_is_no_digest_of_one(url):
    assert signer(ALL)(TEXT, url).url_digest is None


@pytest.mark.parametrize("text", ["", " ", "...\n!"])
def test_without_words_there_is_no_signature(text):
    marks = signer(ALL)(text, None)
    assert marks.signature is None
    assert marks.digest is not None


def test_characters_make_shingles_of_their_own():
    words, characters = (
        signer(Dedup(minhash=MinHash(unit=unit)))(TEXT, None).signature
        for unit in ("words", "characters")
    )
    assert not np.array_equal(words, characters)
    expected = signature(shingle_hashes(TEXT, 5, "characters"), permutations(100, 1))
    assert np.array_equal(characters, expected)


SAME = [
    ("http://example.com", "https://example.com/"),
    ("HTTP://EXAMPLE.com/Path", "https://example.com/Path"),
    ("http://example.com:80/a", "https://example.com/a"),
    ("https://example.com:443/a", "https://example.com/a"),
    ("https://example.com/a#part", "https://example.com/a"),
    ("https://example.com?q=1", "https://example.com/?q=1"),
    ("  https://example.com/a\n", "https://example.com/a"),
    ("ftp://EXAMPLE.com/a", "ftp://example.com/a"),
    ("https://[2001:DB8::1]:443/a", "https://[2001:db8::1]/a"),
    ("https://[2001:DB8::1]", "https://[2001:db8::1]/"),
    ("http://example.com:/a", "https://example.com/a"),
    ("ftp://example.com:", "ftp://example.com/"),
    ("http://80", "https://80/"),
    ("HTTP://Me:Secret@EXAMPLE.com:80", "https://Me:Secret@example.com/"),
    ("http://example.com/a?#", "https://example.com/a?"),
    ("http://example.com/a ", "https://example.com/a"),
    ("http://example.com:8080", "http://example.com:8080/"),
    ("http://B\N{LATIN CAPITAL LETTER U WITH DIAERESIS}CHER.de", "https://bücher.de/"),
]
DIFFERENT = [
    ("https://example.com/a", "https://example.com/A"),
    ("https://example.com/a", "https://example.com/a/"),
    ("https://example.com/?a=1&b=2", "https://example.com/?b=2&a=1"),
    ("https://example.com/%41", "https://example.com/A"),
    ("https://example.com:80/", "https://example.com/"),
    ("http://example.com:443/", "http://example.com/"),
    ("https://example.com:8080/", "https://example.com/"),
    ("https://www.example.com/", "https://example.com/"),
    ("ftp://example.com/", "https://example.com/"),
    ("https://example.com/;a", "https://example.com/"),
    ("https://example.com/a?", "https://example.com/a"),
    ("https://example.com/?", "https://example.com/"),
    ("https://example.com/?Q", "https://example.com/?q"),
    ("https://example.com/%2f", "https://example.com/%2F"),
    ("https://Me@example.com/", "https://me@example.com/"),
    ("https://@example.com/", "https://example.com/"),
    ("https://example.com:8080/", "http://example.com:8080/"),
    ("https://example.com/a//b", "https://example.com/a/b"),
    ("https://example.com/a/../b", "https://example.com/b"),
    ("https://example.com/a\tb", "https://example.com/ab"),
]
ODD = [
    "",
    "no url",
    "//",
    "http://",
    "http:///path",
    "http://:80/",
    "http://me@",
    "http:Example.com",
    "//Example.com/",
    "1http://Example.com",
    "\N{KELVIN SIGN}://Example.com",
    "/a?to=http://Example.com",
    "mailto:a@b.org",
    "urn:isbn:1",
    "/path",
    "\0",
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_urls_of_one_page(one, other):
    assert normalised_url(one) == normalised_url(other) == other


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_urls_of_different_pages(one, other):
    assert normalised_url(one) != normalised_url(other)


@pytest.mark.parametrize("url", ODD)
def test_what_has_no_host_stays_as_it_is(url):
    assert normalised_url(url) == url


# Whatever divides a URL, a port, and letters whose case is odd.
PIECES = st.lists(st.sampled_from([*"ab:/?#@[]% \tIıİſ", ":80", "://"]), max_size=9).map("".join)
HOSTS = st.from_regex(
    r"([a-zA-Z0-9-]{1,9}\.){0,2}[a-zA-Z]{1,9}|\[[0-9A-Fa-f:]{2,9}\]", fullmatch=True
)
PART = st.text("aA%2f=&;:@!$", max_size=9)


@given(st.one_of(st.text(), PIECES, PIECES.map("http://{}".format)))
def test_normalising_twice_changes_nothing(url):
    once = normalised_url(url)
    assert normalised_url(once) == once


@given(HOSTS, PART, PART, PART, st.sampled_from(["", ":", ":443"]))
def test_only_scheme_host_default_port_and_fragment_are_normalised(host, path, query, user, port):
    rest = f"/{path}?{query}"
    user = user.replace("@", "") + "@"
    url = f"hTTps://{user}{host}{port}{rest}#{query}"
    assert normalised_url(url) == f"https://{user}{host.lower()}{rest}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://[Broken", "https://[broken/"),
        ("http://[::1:80", "http://[::1:80/"),
        ("http://a::80", "http://a::80/"),
        ("http://a:80:80/", "http://a:80:80/"),
    ],
)
def test_what_is_no_host_and_port_keeps_its_colons(url, expected):
    assert normalised_url(url) == expected


@pytest.mark.parametrize(
    ("dedup", "names"),
    [
        (None, []),
        (Dedup(), ["digest", "signature"]),
        (ALL, ["url_digest", "digest", "signature"]),
        (Dedup(url=True, exact=None, minhash=None), ["url_digest"]),
    ],
)
def test_the_schema_holds_what_the_recipe_needs(dedup, names):
    assert signatures_schema(dedup).names == names


def test_a_batch_holds_null_for_what_a_document_lacks():
    schema = signatures_schema(ALL)
    places = np.arange(12, dtype=np.uint32)
    rows = [Marks(b"u" * 16, b"t" * 16, places), Marks(), Marks(None, b"s" * 16, None)]
    batch = signatures_batch(rows, schema)
    assert batch.schema == schema
    assert batch.to_pylist() == [
        {"url_digest": b"u" * 16, "digest": b"t" * 16, "signature": places.tolist()},
        {"url_digest": None, "digest": None, "signature": None},
        {"url_digest": None, "digest": b"s" * 16, "signature": None},
    ]
    assert batch["signature"].flatten().to_pylist() == places.tolist()


def test_a_batch_of_documents_that_lack_everything():
    batch = signatures_batch([Marks(), Marks()], signatures_schema(ALL))
    assert [column.null_count for column in batch.columns] == [2, 2, 2]
    assert isinstance(batch, pa.RecordBatch)
