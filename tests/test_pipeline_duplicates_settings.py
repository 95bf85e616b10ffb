import pytest
from conftest import CONFIG
from pydantic import ValidationError

from dedup.minhash import bands_for, collision_probability
from pipeline.duplicates.settings import Best, Dedup, MinHash, Sources
from pipeline.errors import UsageError
from pipeline.recipe import Recipe, load_recipe


def test_the_defaults():
    dedup = Dedup()
    assert (dedup.over, dedup.scope, dedup.against) == ("kept", "corpus", None)
    assert (dedup.prefer, dedup.url, dedup.exact) == ("longest", False, "spaces")
    minhash = dedup.minhash
    assert minhash is not None
    assert (minhash.unit, minhash.shingle, minhash.threshold) == ("words", 5, 0.8)
    assert (minhash.bands, minhash.rows, minhash.places) == (20, 5, 100)
    assert collision_probability(0.8, minhash.bands, minhash.rows) > 0.999


@pytest.mark.parametrize("target", [0.1, 0.7, 1, 1.0])
def test_the_target_chooses_bands_and_rows(target):
    minhash = MinHash(target=target)
    assert (minhash.bands, minhash.rows) == bands_for(target)
    assert (minhash.bands, minhash.rows) != (20, 5)
    assert collision_probability(target, minhash.bands, minhash.rows) >= 0.999


def test_a_target_bears_the_bands_that_it_chooses():
    """A resolved recipe holds all of them; it must be read again."""
    chosen = MinHash(target=0.7)
    assert MinHash.model_validate(chosen.model_dump()) == chosen
    assert MinHash.model_validate_json(chosen.model_dump_json()) == chosen


@pytest.mark.parametrize("given", [{"bands": 3}, {"rows": 64}, {"bands": 3, "rows": 64}])
def test_a_target_and_other_bands_contradict_each_other(given):
    with pytest.raises(ValidationError, match="target chooses bands and rows"):
        MinHash(target=0.7, **given)


@pytest.mark.parametrize("target", [-0.1, 0, 1.1, "high", "0.7", True, float("nan")])
def test_a_target_out_of_range_is_refused(target):
    with pytest.raises(ValidationError):
        MinHash(target=target)


def test_a_target_without_words_for_it_is_refused():
    with pytest.raises(ValidationError, match="give a higher one, or bands and rows"):
        MinHash(target=0.01)


@pytest.mark.parametrize(
    "given",
    [
        {"bands": 0},
        {"rows": 0},
        {"shingle": 0},
        {"threshold": 0},
        {"threshold": 1.01},
        {"threshold": float("nan")},
        {"seed": -1},
        {"seed": 2**32},
        {"leaders": 0},
        {"unit": "bytes"},
        {"band": 3},
    ],
)
def test_values_out_of_range_are_refused(given):
    with pytest.raises(ValidationError):
        MinHash(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"over": "everything"},
        {"scope": "language"},
        {"prefer": "newest"},
        {"prefer": {"best": "a.b", "sources": ["c"]}},
        {"prefer": {"sources": []}},
        {"prefer": {}},
        {"exact": "case"},
        {"exact": True},
        {"alarm": 1.5},
        {"urls": True},
    ],
)
def test_what_the_section_does_not_know_is_refused(given):
    with pytest.raises(ValidationError):
        Dedup.model_validate(given)


def test_what_is_preferred_has_a_type_for_each_form():
    assert Dedup.model_validate({"prefer": "first_url"}).prefer == "first_url"
    assert Dedup.model_validate({"prefer": {"best": "a.b"}}).prefer == Best(best="a.b")
    assert Dedup.model_validate({"prefer": {"sources": ["a"]}}).prefer == Sources(sources=["a"])


def test_matching_nothing_is_refused():
    with pytest.raises(ValidationError, match="dedup: null"):
        Dedup(exact=None, minhash=None)
    assert Dedup(exact=None, minhash=None, url=True).url
    assert Dedup(exact=None).minhash == MinHash()


FORMS = "expected longest, first_url, {best: FILTER.SIGNAL} or {sources: [A, B]}"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("dedup.prefer=longst", FORMS),
        ("dedup.prefer=null", FORMS),
        ("dedup.prefer={bset: language.score}", FORMS),
        ("dedup.prefer={best: 3}", FORMS),
        ("dedup.prefer={sources: web}", FORMS),
        ("dedup.prefer={sources: []}", FORMS),
        ("dedup.prefer={sources: [web, 3]}", FORMS),
        ("dedup.prefer={sources: [web], best: language.score}", FORMS),
        (
            "dedup.prefer.best=language.scor",
            "no signal named language.scor; did you mean language.score?",
        ),
        ("dedup.prefer.best=x", "no signal named x; expected FILTER.SIGNAL"),
        ("dedup.prefer.best=classifier.score", "needs the filter classifier, which measures it"),
        ("dedup.exact=false", "expected bytes, spaces or words; null turns it off"),
        ("dedup.exact=case", "expected 'bytes', 'spaces' or 'words'"),
        ("dedup.over=filtered", "expected 'kept' or 'all'"),
        ("dedup.scope=url", "expected 'corpus', 'source' or 'snapshot'"),
        ("dedup.minhash.target=0", "expected greater than 0"),
        (
            "dedup.minhash={target: 0.7, rows: 7}",
            "target chooses bands and rows; give target, or bands and rows",
        ),
        (
            "dedup={exact: null, minhash: null}",
            "url, exact, minhash and passages are all off; turn matching off by dedup: null",
        ),
    ],
)
def test_a_mistake_is_told_once(setting, expected):
    option = setting.split("=")[0]
    with pytest.raises(UsageError) as caught:
        load_recipe("gopher", CONFIG, ["seed=3", setting])
    assert caught.value.message == f"--set {option}: {expected}"


def test_a_signal_that_is_not_measured_is_named_where_the_file_prefers_it(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("mine:\n  filters: {}\n  dedup:\n    prefer: {best: language.score}\n")
    with pytest.raises(UsageError) as caught:
        load_recipe("mine", path, ["seed=3"])
    assert caught.value.message.startswith(f"{path}:4:14: dedup.prefer.best: needs the filter")


@pytest.mark.parametrize(
    "setting", ["prefer={best: language.score}", "prefer={sources: [b, a]}", "minhash.target=0.7"]
)
def test_a_resolved_dedup_is_read_again_as_it_was(setting):
    resolved = load_recipe("gopher", CONFIG, [f"dedup.{setting}"])
    assert Recipe.model_validate_json(resolved.model_dump_json()) == resolved
    assert resolved.dedup != load_recipe("gopher", CONFIG).dedup
