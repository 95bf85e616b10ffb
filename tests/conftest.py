"""What tests share: a guard of linear time, a small corpus, runs of all stages without Beam."""

import json
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Kernels compile at their first call and machines are shared: a time limit would fail by chance.
settings.register_profile("gristmill", deadline=None)
settings.load_profile("gristmill")

# A shell that starts the tests in the background lets them ignore Ctrl-C, and all their children.
signal.signal(signal.SIGINT, signal.default_int_handler)

CONFIG = Path(__file__).resolve().parents[1] / "pipelines.yaml"

CANARIES = {
    "email": "canary.person@secret-domain.org",
    "phone": "+1 650-253-0000",
    "ip": "81.2.69.142",
    "card": "4111 1111 1111 1111",
}

_NOUNS = (
    "river bridge winter captain garden letter village market window teacher engine forest "
    "harbour kitchen lantern mountain neighbour orchard painter quarrel railway season theatre "
    "umbrella valley weather cottage doctor evening farmer judge history island journey"
)
_ADJECTIVES = "old quiet narrow bright heavy distant careful broken gentle hungry"
_VERBS = "followed carried remembered crossed painted forgot answered repaired watched"


def prose(seed: int, words: int = 120) -> str:
    """Returns English sentences that pass the rules of Gopher; another seed, other sentences."""
    rng = random.Random(seed)
    sentences: list[str] = []
    while sum(len(sentence.split()) for sentence in sentences) < words:
        one, two, three = rng.sample(_NOUNS.split(), 3)
        first, second = rng.sample(_ADJECTIVES.split(), 2)
        verb = rng.choice(_VERBS.split())
        sentences.append(
            rng.choice(
                [
                    f"The {first} {one} {verb} the {second} {two} with a {three}.",
                    f"We have to be {first} when the {one} of that {two} is as {second} as this.",
                    f"Nobody in the {one} {verb} a {first} {two}, and the {three} "
                    f"was {second} for {rng.randint(2, 90)} days.",
                    f"She {verb} her {two} to the {first} {one} before the {three}.",
                ]
            )
        )
    return " ".join(sentences)


@contextmanager
def linear_time() -> Iterator[None]:
    """Fails if what is inside takes more than 10 seconds of the processor.

    A guard for a megabyte of hostile text, which takes minutes in quadratic time; no measurement.
    """
    start = time.process_time()
    yield
    assert time.process_time() - start < 10


def changed(text: str, *places: int) -> str:
    """Returns a near-duplicate: the words at some places replaced by a word that is not there."""
    words = text.split(" ")
    for place in places:
        words[place] = "xylophone"
    return " ".join(words)


def corpus_lines() -> tuple[list[bytes], list[bytes]]:
    """Returns the lines of two JSON-lines files with every kind of document and of damage."""
    bases = [prose(seed) for seed in range(12)]
    first: list[Any] = [
        {"id": f"base-{n}", "text": text, "url": f"https://example.com/{n}", "source": "stories"}
        for n, text in enumerate(bases)
    ]
    first += [
        {"id": "near-0", "text": changed(bases[0], 30)},
        {"id": "near-1", "text": changed(bases[1], 40, 41)},
        {"id": "far-2", "text": changed(bases[2], *range(0, 100, 7))},
        b'{"id": "broken", "text": "canary.person@secret-domain.org',
        {"id": "nothing", "txt": "no text field, but canary.person@secret-domain.org"},
        {"id": "number", "text": 5},
        b'{"text": "\xff\xfe not UTF-8 canary.person@secret-domain.org"}',
        {"id": "huge", "text": "canary.person@secret-domain.org " * 600},
    ]
    contact = (
        f"Write to {CANARIES['email']} or call {CANARIES['phone']} from {CANARIES['ip']} and pay "
        f"with {CANARIES['card']} when you have the time to do so. "
    )
    second: list[Any] = [
        {"id": "copy-0", "text": bases[0].replace(" ", "  ", 3) + "\n", "source": "copies"},
        {"id": "copy-near-1", "text": changed(bases[1], 40, 41)},
        {"id": "contact", "text": contact + prose(50)},
        {"id": CANARIES["email"], "text": contact + prose(51), "source": CANARIES["email"]},
        {
            "id": "address",
            "text": prose(52),
            "url": f"https://example.com/?to={CANARIES['email']}",
        },
        {"id": "short", "text": f"Too short, says {CANARIES['email']}."},
        {"id": "short-copy", "text": f"Too short, says {CANARIES['email']}."},
        {
            "id": "german",
            "text": "Der alte Müller und die Brücke am Fluss im Winter sind gut. " * 9,
        },
        {"id": "empty", "text": ""},
        {"text": prose(53)},
        {"id": "twin", "text": prose(54)},
        {"id": "twin", "text": prose(55)},
        {"id": "end", "text": f"<|endoftext|>{prose(56)} <|endoftext|> and the end."},
        {"id": "nul", "text": f"{prose(57)}\0\0 and the letters"},
        b'{"id": "lone", "text": "' + prose(58).encode() + b' \\ud800 alone"}',
    ]
    return _encoded(first), _encoded(second)


def _encoded(rows: Sequence[Any]) -> list[bytes]:
    return [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]


def run_stages(job: Any, shuffle: int | None = None, until: str = "tokenize") -> Any:
    """Runs the stages of a job as the Beam graph does, in this process and without Beam.

    Args:
        job: From `make_job`.
        shuffle: Seed of another order of parts, packs and chunks; None keeps the natural one.
        until: The last stage: mill, match, bin or tokenize.

    Returns:
        The accounts after tokenize, else None.
    """
    from pipeline.accounts import take_accounts
    from pipeline.cutoffs import find_cutoffs
    from pipeline.mill import mill
    from pipeline.tokens import make_tokenizer, tokenize_part
    from pipeline.verdicts import bin_documents

    rng = random.Random(shuffle)

    def mixed(values: Any) -> list[Any]:
        values = list(values)
        if shuffle is not None:
            rng.shuffle(values)
        return values

    parts = mixed(range(job.n_parts))
    for part in parts:
        mill(job, part)
    if until == "mill":
        return None
    if job.recipe.filters.keeps():
        find_cutoffs(job)
    if job.recipe.dedup is not None:
        _match(job, mixed)
    if until == "match":
        return None
    for part in parts:
        bin_documents(job, part)
    if until == "bin":
        return None
    make_tokenizer(job)
    for part in parts:
        tokenize_part(job, part)
    return take_accounts(job)


def _match(job: Any, mixed: Callable[[Any], list[Any]]) -> None:
    """Does what `pipeline.duplicates.flow` wires."""
    if not job.output.committed("match", 0, job.fingerprint("match")):
        _Match(job, mixed).run()


class _Match:
    def __init__(self, job: Any, mixed: Callable[[Any], list[Any]]) -> None:
        self.job, self.mixed, self.dedup = job, mixed, job.recipe.dedup
        self.every = range(job.n_parts + job.reference_parts)

    def grouped(self, keyed: Any, all_of: int = 0) -> list[tuple[int, list[bytes]]]:
        groups: dict[int, list[bytes]] = {number: [b""] for number in range(all_of)}
        for key, value in keyed:
            groups.setdefault(key, []).append(value)
        return self.mixed((key, self.mixed(values)) for key, values in groups.items())

    def each(self, function: Callable[..., Any], groups: Any) -> list[Any]:
        return [result for key, chunks in groups for result in function(self.job, key, chunks)]

    def run(self) -> None:
        from pipeline.duplicates import clusters, compare, passages

        if compare.can_choose_anew(self.job):
            self.choose(0)
        else:
            self.compared()
        links = [link for part in self.every for link in clusters.start(self.job, part)]
        for _ in range(2):
            links = self.each(clusters.follow, self.grouped(links))
        named = self.each(clusters.name_kept, self.grouped(links, clusters.PART_PACKS))
        written = self.each(clusters.write_survivors, self.grouped(named, clusters.PART_PACKS))
        packs = self.grouped(written, clusters.PACKS)
        sizes = [clusters.write_clusters(self.job, *pack) for pack in packs]
        cut = None
        if self.dedup.passages:
            found = [pack for part in self.every for pack in passages.span_packs(self.job, part)]
            for step in (passages.group_spans, passages.name_spans):
                found = self.each(step, self.grouped(found))
            parts = self.grouped(found, self.job.n_parts)
            cut = passages.total([passages.write_passages(self.job, *part) for part in parts])
        clusters.finish(self.job, sum(sizes), cut)

    def compared(self) -> None:
        from pipeline.duplicates import against, exact
        from pipeline.duplicates.priority import write_order

        for part in self.mixed(self.every):
            write = write_order if part < self.job.n_parts else against.write_reference
            write(self.job, part)
        kinds: list[Any] = ["url"] * self.dedup.url + ["exact"] * bool(self.dedup.exact)
        for kind in kinds:
            packs = [p for part in self.every for p in exact.digest_packs(self.job, part, kind)]
            found = self.each(exact.group, self.grouped(packs))
            for part, chunks in self.grouped(found, self.job.n_parts):
                exact.write_repeats(self.job, part, chunks, kind)
        if self.dedup.minhash:
            self.near()

    def near(self) -> None:
        from pipeline.duplicates import bands, candidates, compare, leaders, sketches

        job = self.job
        packs = [pack for part in self.every for pack in bands.band_packs(job, part)]
        found = self.each(bands.candidate_packs, self.grouped(packs))
        packs = self.grouped(found, bands.CANDIDATE_PACKS)
        for part, chunks in self.grouped(self.each(candidates.write_candidates, packs)):
            sketches.write_sketches(job, part, chunks)
        for pack in self.mixed(range(bands.PAIR_PACKS)):
            compare.compare(job, pack, candidates.read_candidates(job, pack))
        self.choose(0)
        for again in range(1, compare.PASSES):
            led = [
                found
                for pack in self.mixed(range(bands.BUCKET_PACKS))
                for found in leaders.leaders_of_buckets(job, pack, again)
            ]
            for pack, chunks in self.grouped(led, bands.PAIR_PACKS):
                compare.compare(job, pack, bands.distinct_pairs(chunks), again)
            self.choose(again)
        for pack in self.mixed(range(bands.PAIR_PACKS)):
            compare.publish_pairs(job, pack)
        compare.finish(job)

    def choose(self, again: int) -> None:
        from pipeline.duplicates import choice, clusters

        for part, chunks in self.grouped(choice.choose(self.job, again)):
            clusters.write_near(self.job, part, chunks)


def make_test_job(
    folder: Path,
    files: dict[str, Sequence[Any]],
    recipe: str = "raw",
    settings: Sequence[str] = (),
    out: str = "out",
) -> Any:
    """Writes JSON-lines files and plans a run over them.

    Args:
        folder: Gets the files, and the output below.
        files: Lines by file name; a line is bytes or what JSON can hold.
        recipe: A recipe of pipelines.yaml.
        settings: `key=value` overrides.
        out: Name of the output directory.
    """
    from pipeline.recipe import load_recipe
    from pipeline.run import make_job

    for name, lines in files.items():
        (folder / name).write_bytes(b"".join(line + b"\n" for line in _encoded(lines)))
    inputs = json.dumps([str(folder / name) for name in files])
    resolved = load_recipe(recipe, CONFIG, [f"source.inputs={inputs}", *settings])
    return make_job(recipe, resolved, str(folder / out))


@pytest.fixture
def job_of(tmp_path: Path) -> Callable[..., Any]:
    """Returns a function that plans a run over rows: job_of(rows, recipe, settings, out)."""

    def make(rows: Sequence[Any], recipe: str = "raw", settings: Sequence[str] = (), **more: Any):
        return make_test_job(tmp_path, {"in.jsonl": rows}, recipe, settings, **more)

    return make


FINISHED_SETTINGS = (
    "source.split_bytes=4096",
    "source.max_document_bytes=16384",
    "tokenizer.vocab_size=600",
    "tokens.validation=0.25",
)


@pytest.fixture(scope="session")
def corpus() -> dict[str, list[bytes]]:
    """The small corpus: lines by file name."""
    first, second = corpus_lines()
    return {"first.jsonl": first, "second.jsonl": second}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, corpus: dict[str, list[bytes]]) -> Any:
    """A job over the small corpus whose stages are all done. Copy it before changing it."""
    folder = tmp_path_factory.mktemp("finished")
    job = make_test_job(folder, corpus, "gopher", FINISHED_SETTINGS)
    run_stages(job)
    return job


@pytest.fixture
def copied(finished: Any, tmp_path: Path) -> Any:
    """A copy of the finished job's output that a test may damage."""
    import dataclasses
    import shutil

    from pipeline.output import Output

    shutil.copytree(finished.output.root, tmp_path / "copy")
    return dataclasses.replace(finished, output=Output(str(tmp_path / "copy")))
