import json

from pipeline.sources.records import ERRORS, Split


def test_split_survives_json():
    split = Split(3, "text", "/a.txt", 0, 2, 10, "v", ("/b.txt",))
    assert Split.from_dict(json.loads(json.dumps(split.to_dict()))) == split


def test_every_error_is_explained():
    assert all(meaning.endswith(".") for meaning in ERRORS.values())
