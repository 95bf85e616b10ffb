"""The match stage's part of the Beam graph.

Parts and packs go through the steps; a step that needs all of an earlier one waits for it by a side
input. Where a step must write the file of every part or pack, also of one that nothing was found
for, the empty elements of `all_of` make sure that it is called.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsList

from pipeline.beam_steps import Call, Grouped, Spread
from pipeline.duplicates import (
    against,
    bands,
    choice,
    clusters,
    compare,
    exact,
    passages,
    sketches,
)
from pipeline.duplicates.priority import dedup_of, write_order
from pipeline.duplicates.rounds import ChooseInRounds
from pipeline.output import Job


def match(pipeline: beam.Pipeline, ready: tuple[Any, ...], job: Job) -> tuple[Any, ...]:
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

    def build(self, ready: tuple[Any, ...]) -> tuple[Any, ...]:
        parts = self._numbers("all parts", self.job.n_parts + self.job.reference_parts)
        if compare.can_choose_anew(self.job):  # only the threshold is another one
            ordered, done = parts, (self._chosen(0, ready),)
        else:
            ordered = parts | "spread order" >> Spread() | "order" >> self._call(_order, *ready)
            done = self._compared(ordered)
        survivors = self._followed(parts, done)
        cut = (self._passages(ordered, survivors),) if self.dedup.passages else ()
        finished = (
            self.pipeline
            | "one end" >> beam.Create([0])
            | "finish match" >> self._call(_finish, survivors, *cut)
        )
        return (finished,)

    def _compared(self, ordered: Any) -> tuple[Any, ...]:
        """Finds who repeats whom; returns what says that all of it is written."""
        done: tuple[Any, ...] = ()
        if self.dedup.url:
            done += (self._equal(ordered, "url", done),)
        if self.dedup.exact:
            done += (self._equal(ordered, "exact", done),)
        if self.dedup.minhash:
            done += self._near(ordered, done)
        return done

    def _numbers(self, label: str, count: int) -> Any:
        counted = self.pipeline | f"count {label}" >> beam.Create([count])
        return counted | f"number {label}" >> beam.FlatMap(_numbers)

    def _call(self, function: Callable[..., Any], *waited_for: Any, many: bool = False) -> Any:
        return beam.ParDo(Call(function, self.job, many), *map(AsList, waited_for))

    def _all_of(self, found: Any, count: int, label: str) -> Any:
        """Groups what was found, with an empty element for each number below `count`."""
        empty = self._numbers(label, count) | f"empty {label}" >> beam.Map(_empty)
        merged = (found, empty) | f"all {label}" >> beam.Flatten()
        return merged | f"group {label}" >> Grouped()

    def _equal(self, ordered: Any, kind: str, done: tuple[Any, ...]) -> Any:
        """Finds equal URLs or texts; returns what says that their files are written."""
        found = (
            ordered
            | f"{kind} digests" >> self._call(partial(_digest_packs, kind), *done, many=True)
            | f"group {kind} digests" >> Grouped()
            | f"equal {kind}" >> self._call(_group, many=True)
        )
        return self._all_of(found, self.job.n_parts, f"{kind} parts") | (
            f"write {kind}" >> self._call(partial(_write_repeats, kind))
        )

    def _near(self, ordered: Any, done: tuple[Any, ...]) -> tuple[Any, ...]:
        """Finds near-duplicates; returns what says that pairs and decisions are written."""
        found = (
            ordered
            | "bands" >> self._call(_band_packs, *done, many=True)
            | "group bands" >> Grouped()
            | "candidates" >> self._call(_candidate_pairs, many=True)
        )
        small = found | "pairs" >> beam.Filter(_is_pairs)
        buckets = found | "large buckets" >> beam.Filter(_is_other)
        distinct = self._all_of(
            small, bands.PAIR_PACKS, "pair packs"
        ) | "distinct" >> beam.MapTuple(_distinct)
        sketched = (
            (distinct, buckets)
            | "compared" >> beam.Flatten()
            | "documents compared" >> beam.FlatMap(_documents_in)
            | "group documents" >> Grouped()
            | "sketch" >> self._call(_sketch)
        )
        compared = [distinct | "compare 0" >> self._call(partial(_compare, 0), sketched)]
        chosen = [self._chosen(0, compared)]
        for again in range(1, compare.PASSES):
            led = (
                buckets
                | f"group large buckets {again}" >> Grouped()
                | f"leaders {again}" >> self._call(_leaders, sketched, *chosen, many=True)
            )
            more = led | f"led pairs {again}" >> beam.Filter(_is_pairs)
            # Not the same collection for each pass: the local runner would wait for the last one.
            buckets = led | f"large buckets {again}" >> beam.Filter(_is_other)
            grouped = self._all_of(more, bands.PAIR_PACKS, f"pair packs {again}")
            compared.append(
                grouped
                | f"distinct {again}" >> beam.MapTuple(_distinct)
                # With no large buckets there are no leaders that it would have waited for.
                | f"compare {again}" >> self._call(partial(_compare, again), *compared)
            )
            chosen.append(self._chosen(again, compared))
        published = (
            self._numbers("files of pairs", bands.PAIR_PACKS)
            | "spread files of pairs" >> Spread()
            | "publish pairs" >> self._call(_publish, *compared)
        )
        left_out = buckets | "left out" >> beam.Map(_left_out)
        counted = (
            self.pipeline
            | "one count" >> beam.Create([0])
            | "count compared" >> self._call(_count, published, left_out)
        )
        return (*chosen, counted)

    def _chosen(self, again: int, compared: Iterable[Any]) -> Any:
        """Chooses survivors from all pairs compared so far."""
        if self.dedup.rounds:
            label = f"choose in rounds {again}"
            decisions = self.pipeline | label >> ChooseInRounds(self.job, again, list(compared))
        else:
            one = self.pipeline | f"one choice {again}" >> beam.Create([again])
            decisions = one | f"choose {again}" >> self._call(_choose, *compared, many=True)
        return (
            decisions
            | f"group choice {again}" >> Grouped()
            | f"write near {again}" >> self._call(_write_near)
        )

    def _followed(self, parts: Any, done: tuple[Any, ...]) -> Any:
        """Follows duplicates to the documents that are kept, and writes who stands for whom."""
        links = parts | "links" >> self._call(_start, *done, many=True)
        for step in (1, 2):  # by URL to equal texts, then to near-duplicates
            links = (
                links
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
            ordered
            | "spans" >> self._call(_span_packs, survivors, many=True)
            | "group spans" >> Grouped()
            | "repeated spans" >> self._call(_group_spans, many=True)
            | "group repeated spans" >> Grouped()
            | "name spans" >> self._call(_name_spans, many=True)
        )
        return self._all_of(found, self.job.n_parts, "passages") | (
            "write passages" >> self._call(_write_passages)
        )


# Functions with names of their own, since runners pickle them.


def _numbers(count: int) -> list[int]:
    return list(range(count))


def _empty(number: int) -> tuple[int, bytes]:
    return number, b""


def _is_pairs(keyed: tuple[int, Any]) -> bool:
    return not bands.is_bucket(keyed[0])


def _is_other(keyed: tuple[int, Any]) -> bool:
    return bands.is_bucket(keyed[0])


def _order(job: Job, part: int, *ready: list[Any]) -> int:
    return write_order(job, part) if part < job.n_parts else against.write_reference(job, part)


def _digest_packs(kind: Any, job: Job, part: int, *done: list[Any]) -> Iterator[tuple[int, bytes]]:
    return exact.digest_packs(job, part, kind)


def _group(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return exact.group(job, *keyed)


def _write_repeats(kind: Any, job: Job, keyed: tuple[int, Iterable[bytes]]) -> int:
    return exact.write_repeats(job, *keyed, kind)


def _band_packs(job: Job, part: int, *done: list[Any]) -> Iterator[tuple[int, bytes]]:
    return bands.band_packs(job, part)


def _candidate_pairs(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return bands.candidate_pairs(job, *keyed)


def _distinct(pack: int, chunks: Iterable[bytes]) -> tuple[int, bytes]:
    return pack, bands.distinct_pairs(chunks).tobytes()


def _documents_in(keyed: tuple[int, bytes]) -> list[tuple[int, bytes]]:
    keys = np.frombuffer(keyed[1], "<u8")
    return list(bands.documents_in(keys[1:] if _is_other(keyed) else keys))


def _sketch(job: Job, keyed: tuple[int, Iterable[bytes]]) -> int:
    return sketches.write_sketches(job, *keyed)


def _compare(again: int, job: Job, keyed: tuple[int, bytes], *sketched: list[int]) -> int:
    return compare.compare(job, keyed[0], bands.distinct_pairs([keyed[1]]), again)


def _leaders(
    job: Job, keyed: tuple[int, Iterable[bytes]], *done: list[int]
) -> Iterator[tuple[int, bytes]]:
    return compare.leaders_of_buckets(job, *keyed)


def _choose(job: Job, again: int, *compared: list[int]) -> Iterator[tuple[int, bytes]]:
    return choice.choose(job, again)


def _write_near(job: Job, keyed: tuple[int, Iterable[bytes]]) -> int:
    return clusters.write_near(job, *keyed)


def _publish(job: Job, pack: int, *compared: list[int]) -> tuple[int, int]:
    return pack, compare.publish_pairs(job, pack)


def _start(job: Job, part: int, *done: list[int]) -> Iterator[tuple[int, bytes]]:
    return clusters.start(job, part)


def _follow(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return clusters.follow(job, *keyed)


def _name(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return clusters.name_kept(job, *keyed)


def _write_survivors(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return clusters.write_survivors(job, *keyed)


def _write_clusters(job: Job, keyed: tuple[int, Iterable[bytes]]) -> tuple[int, int]:
    return keyed[0], clusters.write_clusters(job, *keyed)


def _span_packs(job: Job, part: int, *done: list[int]) -> Iterator[tuple[int, bytes]]:
    return passages.span_packs(job, part)


def _group_spans(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return passages.group_spans(job, *keyed)


def _name_spans(job: Job, keyed: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    return passages.name_spans(job, *keyed)


def _write_passages(job: Job, keyed: tuple[int, Iterable[bytes]]) -> tuple[int, passages.Cut]:
    return keyed[0], passages.write_passages(job, *keyed)


# Counts come with what they are of, since a runner may give them twice.


def _left_out(keyed: tuple[int, bytes]) -> tuple[bytes, int]:
    return hashlib.blake2b(keyed[1]).digest(), compare.uncompared_in(keyed[1])


def _count(
    job: Job, _: int, pairs: list[tuple[int, int]], uncompared: list[tuple[bytes, int]]
) -> int:
    left_out = dict(uncompared).values()
    compare.finish(job, sum(dict(pairs).values()), len(left_out), sum(left_out))
    return 0


def _finish(job: Job, _: int, sizes: list[tuple[int, int]], *cut: list[Any]) -> int:
    lost = passages.total(dict(*cut).values()) if cut else None
    clusters.finish(job, sum(dict(sizes).values()), lost)
    return 0
