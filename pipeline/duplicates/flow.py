"""The match stage's part of the Beam graph.

Parts and packs go through the steps; a step that needs all of an earlier one comes behind a
grouping that waits for it. Where a step must write the file of every part or pack, also of one that
nothing was found for, the empty elements of `all_of` make sure that it is called.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any

import apache_beam as beam

from pipeline.beam_steps import Call, Grouped, Spread
from pipeline.duplicates import (
    against,
    bands,
    candidates,
    choice,
    clusters,
    compare,
    exact,
    leaders,
    passages,
    sketches,
)
from pipeline.duplicates.priority import dedup_of, write_order
from pipeline.duplicates.rounds import ChooseInRounds
from pipeline.output import Job


def match(pipeline: beam.Pipeline, ready: Any, job: Job) -> Any:
    """Adds the match stage.

    Args:
        pipeline: The pipeline.
        ready: What must be done before: every part is milled, every cutoff known.
        job: The run.

    Returns:
        What the verdicts must wait for.
    """
    if job.output.committed("match", 0, job.fingerprint("match")):
        return ready
    return _Graph(pipeline, job).build(ready)


class _Graph:
    """Builds the steps one after another."""

    def __init__(self, pipeline: beam.Pipeline, job: Job) -> None:
        self.pipeline = pipeline
        self.job = job
        self.dedup = dedup_of(job)

    def build(self, ready: Any) -> Any:
        parts = self._numbers(self.job.n_parts + self.job.reference_parts)
        if compare.can_choose_anew(self.job):  # only the threshold is another one
            ordered, done = parts, self._chosen(0, ready)
        else:
            ordered = (parts, ready) | "spread order" >> Spread() | "order" >> self._call(_order)
            done = self._compared(ordered)
        sizes = self._followed(parts, done)
        cuts = (self._passages(ordered, sizes),) if self.dedup.passages else ()
        counts = (sizes, *cuts)
        every = counts | "all counts" >> beam.Flatten() | "to one" >> beam.Map(_to_one)
        return (every,) | "group counts" >> Grouped() | "finish match" >> self._call(_finish)

    def _compared(self, ordered: Any) -> Any:
        """Finds who repeats whom; returns what says that all of it is written."""
        done = ordered
        if self.dedup.url:
            done = self._equal(ordered, "url", done)
        if self.dedup.exact:
            done = self._equal(ordered, "exact", done)
        if self.dedup.minhash:
            done = self._near(ordered, done)
        return done

    @cache  # noqa: B019
    def _numbers(self, count: int) -> Any:
        counted = self.pipeline | f"one {count}" >> beam.Create([count])
        return counted | f"below {count}" >> beam.FlatMap(_numbers)

    @cache  # noqa: B019
    def _empties(self, count: int) -> Any:
        return self._numbers(count) | f"empty below {count}" >> beam.Map(_empty)

    def _call(self, function: Callable[..., Any], many: bool = False) -> Any:
        return beam.ParDo(Call(function, self.job, many))

    def _all_of(self, found: Any, count: int, label: str) -> Any:
        """Groups what was found, with an empty element for each number below `count`."""
        merged = (found, self._empties(count)) | f"all {label}" >> beam.Flatten()
        return (merged,) | f"group {label}" >> Grouped()

    def _equal(self, ordered: Any, kind: str, done: Any) -> Any:
        """Finds equal URLs or texts; returns what says that their files are written."""
        digests = (
            (ordered, done)
            | f"spread {kind}" >> Spread()
            | f"{kind} digests" >> self._call(partial(_digest_packs, kind), many=True)
        )
        found = (
            (digests,)
            | f"group {kind} digests" >> Grouped()
            | f"equal {kind}" >> self._call(_group, many=True)
        )
        return self._all_of(found, self.job.n_parts, f"{kind} parts") | (
            f"write {kind}" >> self._call(partial(_write_repeats, kind))
        )

    def _near(self, ordered: Any, done: Any) -> Any:
        """Finds near-duplicates; returns what says that pairs and decisions are written."""
        shared = (
            (ordered, done)
            | "spread bands" >> Spread()
            | "bands" >> self._call(_band_packs, many=True)
        )
        found = (
            (shared,)
            | "group bands" >> Grouped()
            | "candidates" >> self._call(_candidates, many=True)
        )
        documents = self._all_of(found, bands.CANDIDATE_PACKS, "candidates") | (
            "write candidates" >> self._call(_write_candidates, many=True)
        )
        done = (documents,) | "group documents" >> Grouped() | "sketch" >> self._call(_sketch)
        done = self._packs("pairs", bands.PAIR_PACKS, done) | "compare 0" >> self._call(_compare)
        done = self._chosen(0, done)
        for again in range(1, compare.PASSES):
            led = self._packs(f"buckets {again}", bands.BUCKET_PACKS, done) | (
                f"leaders {again}" >> self._call(partial(_leaders, again), many=True)
            )
            done = self._all_of(led, bands.PAIR_PACKS, f"led {again}") | (
                f"compare {again}" >> self._call(partial(_compare_led, again))
            )
            done = self._chosen(again, done)
        done = self._packs("files of pairs", bands.PAIR_PACKS, done) | (
            "publish pairs" >> self._call(_publish)
        )
        return self._packs("count", 1, done) | "count compared" >> self._call(_count)

    def _packs(self, label: str, count: int, done: Any) -> Any:
        """Returns the numbers of packs when something is done."""
        return (self._numbers(count), done) | f"spread {label}" >> Spread()

    def _chosen(self, again: int, compared: Any) -> Any:
        """Chooses survivors from all pairs compared so far."""
        if self.dedup.rounds:
            decisions = compared | f"choose in rounds {again}" >> ChooseInRounds(self.job, again)
        else:
            decisions = self._packs(f"choice {again}", 1, compared) | (
                f"choose {again}" >> self._call(partial(_choose, again), many=True)
            )
        return (
            (decisions,)
            | f"group choice {again}" >> Grouped()
            | f"write near {again}" >> self._call(_write_near)
        )

    def _followed(self, parts: Any, done: Any) -> Any:
        """Follows duplicates to the documents that are kept, and writes who stands for whom."""
        links = (
            (parts, done) | "spread links" >> Spread() | "links" >> self._call(_start, many=True)
        )
        for step in (1, 2):  # by URL to equal texts, then to near-duplicates
            links = (
                (links,)
                | f"group links {step}" >> Grouped()
                | f"follow {step}" >> self._call(_follow, many=True)
            )
        packs = clusters.PART_PACKS
        named = self._all_of(links, packs, "kept") | "name" >> self._call(_name, many=True)
        written = self._all_of(named, packs, "survivors") | (
            "write survivors" >> self._call(_write_survivors, many=True)
        )
        return self._all_of(written, clusters.PACKS, "clusters") | (
            "write clusters" >> self._call(_write_clusters)
        )

    def _passages(self, ordered: Any, survivors: Any) -> Any:
        """Cuts repeated parts out of the documents that are kept; returns what each part loses."""
        found = (
            (ordered, survivors)
            | "spread passages" >> Spread()
            | "spans" >> self._call(_span_packs, many=True)
        )
        for label, function in (("repeated spans", _group_spans), ("name spans", _name_spans)):
            found = (
                (found,) | f"group {label}" >> Grouped() | label >> self._call(function, many=True)
            )
        return self._all_of(found, self.job.n_parts, "passages") | (
            "write passages" >> self._call(_write_passages)
        )


# Functions with names of their own, since runners pickle them.


def _numbers(count: int) -> list[int]:
    return list(range(count))


def _empty(number: int) -> tuple[int, bytes]:
    return number, b""


def _to_one(value: Any) -> tuple[int, Any]:
    return 0, value


def _order(job: Job, part: int) -> int:
    return write_order(job, part) if part < job.n_parts else against.write_reference(job, part)


def _digest_packs(kind: Any, job: Job, part: int) -> Iterator[tuple[int, bytes]]:
    return exact.digest_packs(job, part, kind)


def _group(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return exact.group(job, *keyed)


def _write_repeats(kind: Any, job: Job, keyed: tuple[int, Iterable[bytes]]) -> int:
    return exact.write_repeats(job, *keyed, kind)


def _band_packs(job: Job, part: int) -> Iterator[tuple[int, bytes]]:
    return bands.band_packs(job, part)


def _candidates(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return bands.candidate_packs(job, *keyed)


def _write_candidates(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return candidates.write_candidates(job, *keyed)


def _sketch(job: Job, keyed: tuple[int, Iterable[bytes]]) -> int:
    return sketches.write_sketches(job, *keyed)


def _compare(job: Job, pack: int) -> int:
    return compare.compare(job, pack, candidates.read_candidates(job, pack))


def _leaders(again: int, job: Job, pack: int) -> Iterator[tuple[int, bytes]]:
    return leaders.leaders_of_buckets(job, pack, again)


def _compare_led(again: int, job: Job, keyed: tuple[int, Iterable[bytes]]) -> int:
    pack, chunks = keyed
    return compare.compare(job, pack, bands.distinct_pairs(chunks), again)


def _choose(again: int, job: Job, _: int) -> Iterator[tuple[int, bytes]]:
    return choice.choose(job, again)


def _write_near(job: Job, keyed: tuple[int, Iterable[bytes]]) -> int:
    return clusters.write_near(job, *keyed)


def _publish(job: Job, pack: int) -> int:
    return compare.publish_pairs(job, pack)


def _count(job: Job, _: int) -> int:
    compare.finish(job)
    return 0


def _start(job: Job, part: int) -> Iterator[tuple[int, bytes]]:
    return clusters.start(job, part)


def _follow(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return clusters.follow(job, *keyed)


def _name(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return clusters.name_kept(job, *keyed)


def _write_survivors(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return clusters.write_survivors(job, *keyed)


# Counts come with what they are of, since a runner may give them twice.


def _write_clusters(job: Job, keyed: tuple[int, Iterable[bytes]]) -> tuple[str, int, int]:
    return "clusters", keyed[0], clusters.write_clusters(job, *keyed)


def _span_packs(job: Job, part: int) -> Iterator[tuple[int, bytes]]:
    return passages.span_packs(job, part)


def _group_spans(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return passages.group_spans(job, *keyed)


def _name_spans(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return passages.name_spans(job, *keyed)


def _write_passages(job: Job, keyed: tuple[int, Iterable[bytes]]) -> tuple[str, int, passages.Cut]:
    return "passages", keyed[0], passages.write_passages(job, *keyed)


def _finish(job: Job, keyed: tuple[int, list[tuple[str, int, Any]]]) -> int:
    counts = keyed[1]
    sizes = sum(count for what, _, count in counts if what == "clusters")
    cuts = [count for what, _, count in counts if what == "passages"]
    clusters.finish(job, sizes, passages.total(cuts) if cuts else None)
    return 0
