import json

import pytest

from pipeline.errors import UserError
from pipeline.sources.plan import plan
from pipeline.sources.read import read
from pipeline.sources.records import Record, SourceOptions, Unreadable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # datasets and what it loads
]
OPTIONS = SourceOptions()


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    import datasets
    import huggingface_hub.constants

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "my-set"
    for name, count in (("train-0", 3), ("train-1", 2), ("test-0", 1)):
        file = path / "data" / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            "".join(json.dumps({"text": f"{name} {k}", "id": k}) + "\n" for k in range(count))
        )
    return path


def everything(name):
    return [item for split in plan(OPTIONS, [name]) for item in read(split, OPTIONS)]


def test_local_folder(folder):
    assert [(split.start, split.end) for split in plan(OPTIONS, [f"hf:{folder}"])] == [
        (0, 1),
        (1, 2),
    ]
    items = everything(f"hf:{folder}")
    assert [(item.place, item.text, item.id) for item in items] == [
        ("0:0", "train-0 0", "0"),
        ("0:1", "train-0 1", "1"),
        ("0:2", "train-0 2", "2"),
        ("1:0", "train-1 0", "0"),
        ("1:1", "train-1 1", "1"),
    ]
    assert {(item.source, item.file) for item in items} == {("my-set", f"hf:{folder}")}


def test_the_fields_of_source_and_snapshot(folder):
    lines = [{"text": "a", "source": "own", "snapshot": "2024-10"}, {"text": "b", "source": None}]
    for path in (folder / "data").iterdir():
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = [(item.source, item.snapshot) for item in everything(f"hf:{folder}:test")]
    assert found == [("own", "2024-10"), ("my-set", None)]


def test_split_names(folder):
    assert [item.text for item in everything(f"hf:{folder}:test")] == ["test-0 0"]
    assert [item.text for item in everything(f"hf:{folder}:default:test")] == ["test-0 0"]
    with pytest.raises(UserError, match="has no split 'none'"):
        plan(OPTIONS, [f"hf:{folder}:none"])


def test_saved_dataset(tmp_path):
    import datasets

    datasets.Dataset.from_dict({"text": ["a", None, "c"]}).save_to_disk(tmp_path / "saved")
    a, missing, c = everything(f"hf:{tmp_path}/saved")
    assert (a.text, c.text) == ("a", "c")
    assert isinstance(missing, Unreadable)
    assert missing.error == "not_text"


def test_damaged_shard(folder):
    (folder / "data" / "train-1.jsonl").write_bytes(b'{"text": "x"}\n{"secret')
    items = everything(f"hf:{folder}")
    assert sum(isinstance(item, Record) for item in items) >= 3
    assert [i.error for i in items if isinstance(i, Unreadable)] == ["invalid_dataset"]


def test_out_of_reach():
    with pytest.raises(UserError, match="cannot open the dataset") as caught:
        plan(OPTIONS, ["hf:no-such-user/no-such-set"])
    assert "network" in caught.value.hint
    with pytest.raises(UserError, match="no dataset name"):
        plan(OPTIONS, ["hf:a:b:c:d"])
