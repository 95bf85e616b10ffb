import dataclasses
import pickle

import pytest
from conftest import CONFIG, make_test_job, prose

from pipeline import output, storage
from pipeline.errors import UserError
from pipeline.output import Output, code_version, discard_stale
from pipeline.recipe import load_recipe

STAGES = ("mill", "compare", "match", "bin", "tokenizer", "tokenize")
ROWS = [{"text": prose(seed)} for seed in range(12)]


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("output")
    return make_test_job(folder, {"in.jsonl": ROWS}, "gopher", ["source.split_bytes=4096"])


def with_settings(job, *settings):
    inputs = f"source.inputs={job.recipe.source.inputs}"
    recipe = load_recipe("gopher", CONFIG, [inputs, "source.split_bytes=4096", *settings])
    return dataclasses.replace(job, recipe_json=recipe.model_dump_json())


def changed_stages(one, other) -> list[str]:
    return [stage for stage in STAGES if one.fingerprint(stage) != other.fingerprint(stage)]


def test_the_names_of_files():
    place = Output("gs://bucket/out")
    assert place.path("manifest.json") == "gs://bucket/out/manifest.json"
    assert (
        place.part("tokens/train", 7, ".arrow") == "gs://bucket/out/tokens/train/part-00007.arrow"
    )
    assert place.part("documents", 123456, ".parquet").endswith("/documents/part-123456.parquet")


def test_json_is_read_as_written_and_absent_is_none(tmp_path):
    place = Output(str(tmp_path))
    assert place.read_json("a/b.json") is None
    value = {"ü": [1, None, 0.1], "a": {}}
    place.write_json("a/b.json", value)
    assert place.read_json("a/b.json") == value
    assert list(place.read_json("a/b.json")) == ["ü", "a"]  # order has a meaning: of filters
    first = storage.read_bytes(place.path("a/b.json"))
    place.write_json("a/b.json", place.read_json("a/b.json"))
    assert storage.read_bytes(place.path("a/b.json")) == first


def test_a_part_is_committed_under_its_fingerprint_only(tmp_path):
    place = Output(str(tmp_path))
    assert place.committed("mill", 3, "f") is None
    place.commit("mill", 3, "f", {"documents": 5})
    assert place.committed("mill", 3, "f")["documents"] == 5
    assert place.committed("mill", 3, "g") is None
    assert place.committed("mill", 2, "f") is None
    assert place.committed("bin", 3, "f") is None
    place.commit("mill", 3, "g", {"documents": 6})
    assert place.committed("mill", 3, "f") is None
    assert place.committed("mill", 3, "g")["documents"] == 6


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("description=other", []),
        ("max_error_rate=0.9", []),
        ("seed=0", []),
        ("tokens.format=parquet", ["tokenize"]),
        ("tokens.repeat={2: 2, 5: 3}", ["tokenize"]),
        ("tokenizer.vocab_size=500", ["tokenizer", "tokenize"]),
        ("tokenizer.sample_bytes=5000", ["tokenizer", "tokenize"]),
        ("tokenizer.end_of_document=<|end|>", ["tokenizer", "tokenize"]),
        ("tokens.validation=0.5", ["bin", "tokenizer", "tokenize"]),
        ("seed=1", ["bin", "tokenizer", "tokenize"]),
        ("filters.gopher_quality.word_count.minimum=3", list(STAGES[1:])),
        ("filters.gopher_quality.word_count=null", list(STAGES[1:])),
        ("dedup.alarm=0.1", ["tokenize"]),
        ("dedup.minhash.threshold=0.7", list(STAGES[2:])),
        ("dedup.passages={}", list(STAGES[2:])),
        ("dedup.over=all", list(STAGES[1:])),
        ("dedup.scope=source", list(STAGES[1:])),
        ("dedup.prefer=first_url", list(STAGES[1:])),
        ("dedup.exact=words", list(STAGES)),
        ("dedup.exact=null", list(STAGES)),
        ("dedup.url=true", list(STAGES)),
        ("dedup.minhash.unit=characters", list(STAGES)),
        ("dedup.minhash.bands=10", list(STAGES)),
        ("dedup.minhash.seed=2", list(STAGES)),
        ("dedup.minhash=null", list(STAGES)),
        ("dedup=null", list(STAGES)),
        ("filters.gopher_quality=null", list(STAGES)),
        ("filters.gopher_quality.stop_words=[a]", list(STAGES)),
        ("filters.fineweb_quality={}", list(STAGES)),
        ("redaction.types=[email]", list(STAGES)),
        ("redaction=null", list(STAGES)),
        ("source.text_field=body", list(STAGES)),
        ("source.max_document_bytes=9999", list(STAGES)),
    ],
)
def test_a_setting_changes_the_fingerprints_of_the_stages_that_it_touches(job, setting, expected):
    assert changed_stages(job, with_settings(job, setting)) == expected


def test_the_order_of_filters_is_part_of_every_fingerprint(job):
    base = load_recipe("raw", CONFIG)
    orders = [
        load_recipe("raw", CONFIG, [f"filters.{name}={{}}" for name in order])
        for order in (["language", "gopher_quality"], ["gopher_quality", "language"])
    ]
    one, other = (
        dataclasses.replace(job, recipe_json=recipe.model_dump_json()) for recipe in orders
    )
    assert base.filters.names == ()
    assert changed_stages(one, other) == list(STAGES)


def test_other_things_that_fingerprints_hold(job):
    assert changed_stages(job, dataclasses.replace(job, code="other")) == list(STAGES)
    assert changed_stages(job, dataclasses.replace(job, reference="other")) == list(STAGES[1:])
    assert changed_stages(job, dataclasses.replace(job, given_tokenizer="x")) == [
        "tokenizer",
        "tokenize",
    ]
    elsewhere = dataclasses.replace(job, recipe_json=job.recipe_json)
    assert changed_stages(job, elsewhere) == []


@pytest.mark.parametrize("stop", ["true", "false"])
def test_files_count_by_their_content_wherever_they_lie(job, stop):
    def reading(sha256, model, domains):
        settings = [
            f"filters.classifier={{model: {model}}}",
            f"filters.url={{domains: [{domains}]}}",
            f"stop_at_first={stop}",
        ]
        files = ((model, sha256), (domains, "2"))
        return dataclasses.replace(with_settings(job, *settings), files=files)

    here = reading("1", "/here/model.bin", "/here/domains")
    there = reading("1", "/there/model.bin", "gs://bucket/domains")
    # A shard's metadata has the hash of the recipe, which names the files.
    assert changed_stages(here, there) == ["tokenize"]
    assert here.fingerprint("cutoffs") == there.fingerprint("cutoffs")
    assert changed_stages(here, reading("3", "/here/model.bin", "/here/domains")) == list(STAGES)


def test_fingerprints_of_stages_and_of_milled_parts_differ(job):
    assert job.n_parts > 1
    found = {job.fingerprint("mill", part) for part in range(job.n_parts)}
    found |= {job.fingerprint(stage) for stage in STAGES[1:]}
    assert len(found) == job.n_parts + len(STAGES) - 1


def test_a_changed_file_touches_its_own_parts_and_what_comes_after(tmp_path):
    files = {"a.jsonl": ROWS[:3], "b.jsonl": ROWS[3:6]}
    before = make_test_job(tmp_path, files)
    mill = [before.fingerprint("mill", part) for part in range(2)]
    after = make_test_job(tmp_path, {"a.jsonl": ROWS[:3], "b.jsonl": ROWS[4:6]}, out="other")
    (tmp_path / "a.jsonl").touch()
    assert after.plan != before.plan
    assert after.fingerprint("mill", 1) != mill[1]
    assert after.fingerprint("match") != before.fingerprint("match")


def test_a_job_is_small_and_travels(job):
    data = pickle.dumps(job)
    assert len(data) < 8_000
    again = pickle.loads(data)
    assert again == job
    assert again.recipe == job.recipe
    assert [again.fingerprint(stage) for stage in STAGES] == [
        job.fingerprint(stage) for stage in STAGES
    ]
    assert str(ROWS[0]["text"][:20]).encode() not in data


def test_a_plan_that_changes_under_a_run_is_refused(tmp_path):
    job = make_test_job(tmp_path, {"in.jsonl": ROWS[:2]})
    job.output.write_json("work/plan.json", [])
    with pytest.raises(UserError, match="was changed while the run went on\nTwo runs"):
        _ = job.splits


def test_the_code_version_changes_with_the_code(tmp_path, monkeypatch):
    for package in ("dedup", "filters", "pipeline", "model"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(output, "__file__", str(tmp_path / "pipeline" / "output.py"))
    version = code_version.__wrapped__
    before = version()
    assert version() == before
    (tmp_path / "model" / "a.py").write_text("x = 2\n")
    assert version() == before
    for package in ("dedup", "filters", "pipeline"):
        (tmp_path / package / "a.py").write_text("x = 2\n")
        assert version() != before
        before = version()
    for name in ("classifier.py", "classifier_page.py", "report_page.py", "look.py"):
        (tmp_path / "pipeline" / name).write_text("")
        assert version() == before
    (tmp_path / "filters" / "classifier.py").write_text("")
    assert version() != before
    before = version()
    (tmp_path / "pipeline" / "sources").mkdir()
    (tmp_path / "pipeline" / "sources" / "b.py").write_text("")
    assert version() != before


def test_stale_markers_are_discarded_and_good_ones_stay(job):
    place = job.output
    for stage in ("mill", "bin"):
        place.commit(stage, 0, job.fingerprint(stage, 0), {})
        place.commit(stage, 1, "of other settings", {})
    place.commit("compare", 0, job.fingerprint("compare"), {})
    place.commit("match", 0, "of other settings", {})
    place.commit("mill", job.n_parts, job.fingerprint("mill", 0), {})
    discard_stale(job)
    left = [
        file.url.removeprefix(place.path("work/"))
        for stage in ("mill", "compare", "match", "bin")
        for file in storage.list_files(place.path(f"work/{stage}"))
    ]
    assert left == [
        "mill/part-00000.json",
        "compare/part-00000.json",
        "bin/part-00000.json",
    ]
