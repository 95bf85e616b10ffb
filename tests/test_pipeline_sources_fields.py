from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.fields import exceeds, label, lookup, to_record, valid_unicode
from pipeline.sources.records import Record, SourceOptions, Unreadable


def test_lookup_prefers_the_literal_name():
    row = {"meta.url": 1, "meta": {"url": 2, "deep": {"er": 3}}}
    assert lookup(row, "meta.url") == (True, 1)
    assert lookup(row, "meta.deep.er") == (True, 3)
    assert lookup(row, "meta.none") == (False, None)
    assert lookup({"meta": "x"}, "meta.url") == (False, None)


def test_label():
    assert [label(v) for v in ("a", 7, "", None, True, 1.5, [1])] == [
        "a", "7", None, None, None, None, None,
    ]  # fmt: skip


def test_lone_surrogates_are_replaced_and_pairs_joined():
    assert valid_unicode("a\ud800b") == "a\ufffdb"
    assert valid_unicode("\ud83d\ude00") == "\U0001f600"


@given(st.text(st.characters(codec=None), max_size=20))
def test_valid_unicode_can_be_encoded(text):
    result = valid_unicode(text)
    result.encode()
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert result == text


@given(st.text(max_size=30), st.integers(0, 60))
def test_exceeds(text, limit):
    assert exceeds(text, limit) == (len(text.encode()) > limit)


def test_to_record():
    options = SourceOptions(
        text_field="body.text",
        id_field="n",
        source_field="from",
        snapshot_field="meta.dump",
        max_document_bytes=5,
    )
    row = {"body": {"text": "hello"}, "n": 4, "from": "f", "meta": {"dump": 202410}}
    assert to_record(row, "p", 1, options) == Record("p", "hello", "4", None, "f", "202410")
    assert to_record({"body": {"text": ""}}, "p", 1, options) == Record("p", "")
    assert to_record({"body": {}}, "p", 9, options) == Unreadable("p", "no_text_field", 9)
    assert to_record({"body": {"text": None}}, "p", 9, options) == Unreadable("p", "not_text", 9)
    assert to_record({"body": {"text": "hällo"}}, "p", 0, options) == Unreadable(
        "p", "too_large", 6
    )
