import hashlib
import itertools
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import said_by
from conftest import CANARIES, CONFIG, make_test_job, prose, run_stages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import Kind, train

from filters import gopher_quality, language
from filters.document import Document
from filters.registry import implementation
from pipeline import mill as module
from pipeline import storage
from pipeline.documents import Row
from pipeline.errors import UserError
from pipeline.mill import Count, measured, mill
from pipeline.recipe import load_recipe
from pipeline.sources.records import Record

RAW = load_recipe("raw", CONFIG)
GOPHER_WITHOUT_MODEL = ["filters.language=null"]


def documents(job) -> list[dict]:
    return [
        row
        for part in range(job.n_parts)
        for row in pq.read_table(job.output.part("documents", part, ".parquet")).to_pylist()
    ]


def errors(job) -> list[dict]:
    return [
        row
        for part in range(job.n_parts)
        for row in pq.read_table(job.output.part("errors", part, ".parquet")).to_pylist()
    ]


def milled(job) -> list[dict]:
    for part in range(job.n_parts):
        mill(job, part)
    return documents(job)


def measure(text: str, recipe=RAW, **fields) -> Row:
    return module._measurer(recipe.model_dump_json(), ())(
        Record("0", text, file="f.jsonl", **fields), "f"
    )


def everything_written(root: str) -> str:
    return "\n".join(said_by(path) for path in sorted(Path(root).rglob("*")) if path.is_file())


# --- one row for each record -------------------------------------------------------------------

LINES = st.sampled_from(
    [
        b"",
        b"  ",
        b"broken",
        b"[]",
        b'{"text": 3}',
        b'{"text": ""}',
        b'{"text": "a"}',
        b'{"id": "same", "text": "b c d"}',
        b'{"id": 5, "text": "\\u0000"}',
        b'{"text": "\\ud83d"}',
        b'{"text": "\xff"}',
        b'{"id": "\\udcff", "url": "\\udcff", "source": "\\udcff", "text": "x"}',
    ]
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(LINES, min_size=1, max_size=30))
def test_every_record_becomes_exactly_one_row(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("rows")
    job = make_test_job(folder, {"in.jsonl": lines}, "raw", ["dedup={}"])
    summary = mill(job, 0)
    records = [line for line in lines if line.strip()]
    bad = [
        line for line in records if line in (b"broken", b"[]", b'{"text": 3}') or b"\xff" in line
    ]
    rows = documents(job)
    assert summary["records"] == summary["documents"] == len(rows) == len(records)
    assert sum(summary["errors"].values()) == len(errors(job)) == len(bad)
    assert sum(summary["sources"].values()) == len(records)
    assert summary["bytes"] == sum(row["n_bytes"] for row in rows)
    assert all(row["n_bytes"] == len(row["text"].encode()) for row in rows)
    signatures = pa.ipc.open_file(job.output.part("work/signatures", 0, ".arrow")).read_all()
    assert len(signatures) == len(records)
    assert signatures["digest"].null_count == len(bad)


def test_rows_are_in_the_order_of_the_input(job_of):
    rows = [{"id": str(number), "text": f"text {number}"} for number in range(40)]
    rows[7:7] = [b"broken"]
    found = [row["id"] for row in milled(job_of(rows))]
    assert [name for name in found if len(name) < 5] == [str(number) for number in range(40)]
    assert len(found[7]) == 32


def test_a_finished_part_is_not_done_again(job_of, monkeypatch):
    job = job_of([{"text": "a"}])
    first = mill(job, 0)

    def refuse(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(module, "read", refuse)
    again = mill(job, 0)
    assert {key: again[key] for key in first} == first


def test_the_same_input_gives_the_same_bytes(job_of):
    rows = [{"text": prose(seed)} for seed in range(5)] + [b"broken"]
    outputs = []
    for out in ("one", "two"):
        job = job_of(rows, "gopher", out=out)
        mill(job, 0)
        files = sorted(Path(job.output.root).glob("**/part-*.[pa]*"))
        outputs.append([(file.name, hashlib.sha256(file.read_bytes()).digest()) for file in files])
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == 3  # documents, errors, signatures


def test_a_source_that_changed_is_refused(job_of, tmp_path):
    job = job_of([{"text": "a"}])
    (tmp_path / "in.jsonl").write_bytes(b'{"text": "another text"}\n')
    with pytest.raises(UserError, match="changed since the run was planned"):
        mill(job, 0)
    assert not storage.exists(job.output.part("documents", 0, ".parquet"))


# --- personal data -----------------------------------------------------------------------------


def test_no_raw_personal_data_in_any_file_of_a_whole_output(finished):
    said = everything_written(finished.output.root)
    assert "<|email|>" in said
    for kind, canary in CANARIES.items():
        assert canary not in said, kind
    assert CANARIES["email"].split("@")[0] not in said


@pytest.mark.parametrize("kind", CANARIES)
@pytest.mark.parametrize("field", ["id", "url", "source", "snapshot", "text"])
def test_every_field_is_redacted(job_of, monkeypatch, kind, field):
    canary = CANARIES[kind]
    redact = module.redact

    def fail_at_times(text, *rest):
        if text.startswith("fail"):
            raise ValueError(text)
        return redact(text, *rest)

    monkeypatch.setattr(module, "redact", fail_at_times)
    rows = [
        {"id": "a", "text": "some words"} | {field: f"it is {canary} here"},
        {"text": "fail"} | {field: f"fail {canary}"},
    ]
    job = job_of(rows)
    assert len(milled(job)) == 2
    assert [row["error"] for row in errors(job)] == ["failed_ValueError"]
    assert canary not in everything_written(job.output.root)


def test_what_was_redacted_is_counted():
    row = measure(f"{CANARIES['email']}, {CANARIES['email']} and {CANARIES['ip']}")
    assert row.text == "<|email|>, <|email|> and <|ip|>"
    assert row.redactions == {"email": 2, "ip": 1}
    assert row.n_bytes == len(row.text)


def test_ids_that_were_personal_data_stay_distinct(job_of):
    rows = [{"id": f"{name}@secret-domain.org", "text": "same"} for name in ("anna", "bert")]
    first, second = milled(job_of(rows))
    assert first["id"] != second["id"]
    assert len(first["id"]) == len(second["id"]) == 32


@pytest.mark.parametrize(
    "encoded", ["canary%40b.org", "canary%2540b.org", "%2B44%2020%207946%200958"]
)
def test_ids_are_looked_at_as_urls_are(encoded):
    assert encoded not in measure("x", id=f"https://a.org/?to={encoded}").id
    assert measure("x", id="https://a.org/a%20b").id == "https://a.org/a%20b"


@pytest.mark.parametrize("source", [None, "canary.person@secret-domain.org"])
def test_a_file_name_is_data_of_its_documents(source):
    record = Record("0", "x", source=source, file="/in/canary.person@secret-domain.org.jsonl")
    row = module._measurer(RAW.model_dump_json(), ())(record, "f")
    assert row.source == "<|email|>"


@pytest.mark.parametrize(
    ("url", "redacted", "count"),
    [
        ("https://a.org/?to=canary%40b.org&x=%20", "https://a.org/?to=<|email|>&x=%20", 1),
        ("https://a.org/?u=%3Fto%3Dcanary%2540b.org", "https://a.org/?u=?to=<|email|>", 1),
        ("https://a.org/?to=c@b.org&cc=canary%40b.org", None, 2),
        ("https://a.org/a%20b?c=100%", "https://a.org/a%20b?c=100%", 0),
        ("https://a.org/%FF%ED%A0%80", "https://a.org/%FF%ED%A0%80", 0),
    ],
)
def test_personal_data_encoded_in_a_url(url, redacted, count):
    row = measure("x", url=url)
    assert row.url == redacted if redacted else "canary" not in row.url
    assert sum(row.redactions.values()) == count


def test_a_pattern_named_as_evidence_is_redacted():
    setting = f"filters.regex.patterns=['{CANARIES['email']}']"
    row = measure(f"to {CANARIES['email']}", load_recipe("raw", CONFIG, [setting]))
    assert row.signals["regex"] == {"matches": 1, "evidence": "<|email|>"}


def test_redaction_can_be_limited_or_turned_off():
    text = f"{CANARIES['email']} {CANARIES['ip']}"
    assert measure(text, load_recipe("raw", CONFIG, ["redaction=null"])).text == text
    only_ip = load_recipe("raw", CONFIG, ["redaction.types=[ip]"])
    assert measure(text, only_ip).text == f"{CANARIES['email']} <|ip|>"


def test_signals_are_of_the_text_as_read_and_the_signature_of_the_redacted_one():
    recipe = load_recipe("gopher", CONFIG, GOPHER_WITHOUT_MODEL)
    names = ["anna.a@x.org", "bert.b@y.net"]
    one, other = (measure(f"{prose(1)} {name}", recipe) for name in names)
    assert one.text == other.text
    assert one.marks.digest == other.marks.digest
    assert (one.marks.signature == other.marks.signature).all()
    third = measure(prose(2), recipe).marks
    assert third.digest != one.marks.digest
    assert (third.signature != one.marks.signature).any()
    expected = gopher_quality.signals(
        Document(f"{prose(1)} {names[0]}"), gopher_quality.Parameters()
    )
    assert one.signals["gopher_quality"] == expected


def test_files_with_new_content_are_read_anew_in_the_same_process(tmp_path):
    domains, words, items = (tmp_path / name for name in ("domains", "words", "items"))
    settings = [
        f"filters.url.domains=[{domains}]",
        f"filters.bad_words.lists={{en: {words}}}",
        f"filters.decontamination.benchmarks={{set: {items}}}",
    ]
    row = {"text": "The wide river and the old bridge.", "url": "https://example.com/a"}
    found = []
    for listed in (
        ["other.com", "mill", "the narrow lane"],
        ["example.com", "river", "wide river and the old bridge"],
    ):
        for path, entry in zip((domains, words, items), listed, strict=True):
            path.write_text(f"{entry}\n")
        job = make_test_job(tmp_path, {"in.jsonl": [row]}, "raw", settings, out=f"out-{listed[1]}")
        (document,) = milled(job)
        signals = document["signals"]
        found.append(
            (
                signals["url"]["listed_domain"],
                signals["bad_words"]["matches"],
                signals["decontamination"]["matched_items"],
            )
        )
    assert found == [(0, 0, 0), (1, 1, 1)]


def test_a_model_with_new_content_is_checked_and_used_anew_in_the_same_process(tmp_path):
    model = tmp_path / "model.bin"
    settings = [f"filters.classifier={{model: {model}, label: __label__latin}}"]
    scores = []
    for number, kind in enumerate((Kind(loss="softmax"), Kind(loss="ova"))):
        model.write_bytes(train(kind).read_bytes())
        job = make_test_job(
            tmp_path, {"in.jsonl": [{"text": "abc de"}]}, "raw", settings, out=str(number)
        )
        (document,) = milled(job)
        scores.append(document["signals"]["classifier"]["score"])
    assert scores[0] != scores[1]
    model.write_bytes(b"no model")
    job = make_test_job(tmp_path, {"in.jsonl": [{"text": "abc de"}]}, "raw", settings, out="2")
    with pytest.raises(UserError, match="is not a fastText model"):
        mill(job, 0)


# --- failures ----------------------------------------------------------------------------------


def test_an_exception_in_a_filter_becomes_an_error_row_without_text(job_of, monkeypatch):
    secret = "The secret phrase"

    def fail(document, parameters):
        if secret in document.text:
            raise ValueError(document.text)
        return dict.fromkeys((rule.signal for rule in gopher_quality.RULES), 1.0)

    monkeypatch.setattr(implementation("gopher_quality"), "signals", fail)
    module._measurer.cache_clear()
    rows = [
        {"text": "good"},
        {"id": secret, "source": secret, "text": f"{secret} is"},
        {"text": "x"},
    ]
    job = job_of(rows, "gopher", GOPHER_WITHOUT_MODEL)
    found = milled(job)
    module._measurer.cache_clear()
    assert [row["text"] for row in found] == ["good", "", "x"]
    (error,) = errors(job)
    assert error["error"] == "failed_ValueError"
    assert error["id"] == found[1]["id"]
    assert (error["split"], error["stage"], error["offset"]) == (0, "mill", "17")
    assert secret not in everything_written(job.output.root)


def test_no_memory_is_not_an_error_row(job_of, monkeypatch):
    monkeypatch.setattr(module, "redact", lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        mill(job_of([{"text": "a"}]), 0)


def test_a_broken_language_model_is_said_before_anything_is_read(job_of, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"no model")
    job = job_of([{"text": "a"}], "gopher", [f"filters.language.model={tmp_path / 'model.bin'}"])
    with pytest.raises(UserError, match="is not a fastText model"):
        mill(job, 0)


def test_the_language_columns_are_the_models_best_guess():
    recipe = load_recipe("gopher", CONFIG)
    row = measure("Der alte Mann sitzt am Fluss und liest ein Buch.", recipe)
    assert (row.language, row.language_score) == language.identify(row.text)
    assert row.language == "de"
    assert row.signals["language"]["score"] == pytest.approx(
        language.language_scores(row.text)["en"]
    )
    assert measure("x").language is None


@pytest.mark.parametrize("text", ["", " \n", "\0", "\ud800", "\ud83d\ude00", "\x7f" * 9, "\u202e"])
def test_odd_texts_are_milled(job_of, text):
    (row,) = milled(job_of([{"text": text}], "gopher"))
    assert errors(job_of([{"text": text}], "gopher")) == []
    assert row["n_bytes"] == len(row["text"].encode())
    if text.isprintable() and text:
        assert row["text"] == text


@pytest.mark.parametrize("recipe", ["raw", "gopher"])
@pytest.mark.parametrize("setting", ["redaction={}", "redaction=null"])
def test_lone_surrogates_from_any_source_stop_nothing(recipe, setting):
    odd = "a\ud800b"
    loaded = load_recipe(recipe, CONFIG, [setting])
    row = measure(odd, loaded, id=odd, url=odd, source=odd, snapshot=odd)
    assert row.text == row.id == row.url == row.source == row.snapshot == "a\ufffdb"


# --- names -------------------------------------------------------------------------------------


def test_a_document_without_an_id_is_named_by_place_and_content(tmp_path):
    def ids(name: str, *texts: str) -> list[str]:
        rows = [{"text": text} for text in texts]
        return [
            row["id"]
            for row in milled(
                make_test_job(tmp_path, {name: rows}, out=f"{name}-{len(texts)}-{texts[0]}")
            )
        ]

    one = ids("a.jsonl", "x", "x", "y")
    assert len(set(one)) == 3
    assert ids("a.jsonl", "x", "x") == one[:2]
    assert ids("b.jsonl", "x")[0] != one[0]
    assert ids("a.jsonl", "z", "x")[0] != one[0]


def test_names_do_not_depend_on_the_folder(tmp_path):
    found = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        job = make_test_job(tmp_path / folder, {"a.jsonl": [{"text": "x"}, b"broken"]})
        found.append([row["id"] for row in milled(job)])
    assert found[0] == found[1]


def test_a_url_with_personal_data_is_matched_with_no_other():
    """Both become the same URL, though they are different pages."""
    recipe = load_recipe("raw", CONFIG, ["dedup={url: true}"])
    marks = [
        measure("x", recipe, url=f"https://example.com/?{query}").marks.url_digest
        for query in ("to=anna@x.org", "to=bert@y.net", "to=anna%40x.org", "to=anna", "to=anna")
    ]
    assert marks[:3] == [None] * 3
    assert marks[3] == marks[4] is not None
    assert measure("x", recipe).marks.url_digest is None


def test_the_snapshot_is_stored(job_of):
    rows = [{"text": "a", "snapshot": "CC-MAIN-2024-10"}, {"text": "b"}]
    assert [row["snapshot"] for row in milled(job_of(rows))] == ["CC-MAIN-2024-10", None]


# --- memory ------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 60), max_size=60), st.integers(1, 7), st.integers(1, 100))
def test_batches_are_bounded_in_rows_and_bytes(sizes, most_rows, most_bytes):
    rows = [Row(str(number), "s", n_bytes=size) for number, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH_ROWS", most_rows)
        patch.setattr(module, "BATCH_BYTES", most_bytes)
        batches = list(module._batches(iter(rows)))
    assert [row for batch in batches for row in batch] == rows
    assert all(batches)
    for batch in batches:
        assert len(batch) <= most_rows
        assert sum(row.n_bytes for row in batch[:-1]) < most_bytes


def test_batches_are_a_stream():
    endless = (Row(str(number), "s", n_bytes=2**20) for number in itertools.count())
    first = next(module._batches(endless))
    assert len(first) == module.BATCH_BYTES // 2**20


def test_memory_does_not_grow_with_the_part(job_of, monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 50_000)
    peaks = []
    for out, count in (("warm", 20), ("few", 40), ("many", 400)):
        rows = [{"text": f"{number} " * 2_000} for number in range(count)]
        job = job_of(rows, out=out)
        tracemalloc.start()
        mill(job, 0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        file = pq.ParquetFile(job.output.part("documents", 0, ".parquet"))
        assert file.metadata.num_row_groups >= count // 10
        file.close()
    assert peaks[2] < 1.5 * peaks[1]


def test_records_are_counted_before_anything_can_lose_them(job_of):
    job = job_of([{"text": "a"}, b"broken", {"text": "b"}])
    count = Count()
    rows = measured(job.splits[0], job.recipe, count)
    next(rows)
    assert count.records == 1
    assert [row.error for row in rows] == ["invalid_json", None]
    assert count.records == 3


def test_summaries_hold_what_the_tables_hold(finished):
    rows = documents(finished)
    summaries = [
        finished.output.committed("mill", part, finished.fingerprint("mill", part))
        for part in range(finished.n_parts)
    ]
    assert sum(each["records"] for each in summaries) == len(rows)
    assert sum(each["redactions"].get("email", 0) for each in summaries) == sum(
        dict(row["redactions"]).get("email", 0) for row in rows
    )
    assert json.dumps(summaries)


def test_shuffled_parts_give_the_same_files(tmp_path, corpus, finished):
    from conftest import FINISHED_SETTINGS

    job = make_test_job(tmp_path, corpus, "gopher", FINISHED_SETTINGS)
    run_stages(job, shuffle=5, until="mill")
    assert job.n_parts == finished.n_parts
    for part in range(job.n_parts):
        for folder, suffix in (("documents", ".parquet"), ("work/signatures", ".arrow")):
            assert storage.read_bytes(job.output.part(folder, part, suffix)) == storage.read_bytes(
                finished.output.part(folder, part, suffix)
            )
