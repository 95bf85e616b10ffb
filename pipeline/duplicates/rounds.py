"""The choice of survivors among near-duplicates in Beam rounds, on all workers.

What happens in a round is in `dedup.rounds`. Here each pack's parcels go through a shuffle once a
round; what is decided leaves, and the rest is decided in one process after the last round.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import apache_beam as beam
import numpy as np

from dedup import rounds
from dedup.survivors import DECISION
from pipeline.beam_steps import Call, Grouped, Spread
from pipeline.duplicates.bands import PAIR_PACKS
from pipeline.duplicates.choice import MOST_PAIRS, compared, decide, similar_pairs, told
from pipeline.duplicates.packs import Keyed, by_part
from pipeline.duplicates.priority import dedup_of
from pipeline.duplicates.sketches import Sketches
from pipeline.errors import UserError
from pipeline.output import Job

PACKS = 64

Parcels = Iterator[tuple[int, rounds.Parcel]]


class ChooseInRounds(beam.PTransform):
    """Yields, for each part, which of its documents are near-duplicates, as `choice.choose` does.

    The input is what must be done before: all comparisons.

    Args:
        job: The run.
        again: The last pass of comparisons.
    """

    def __init__(self, job: Job, again: int) -> None:
        super().__init__()
        self.job = job
        self.again = again

    def expand(self, compared: Any) -> Any:
        """Unrolls the rounds."""
        packs = compared.pipeline | "packs of pairs" >> beam.Create(range(PAIR_PACKS))
        opened = (
            (packs, compared)
            | "spread packs" >> Spread()
            | "edges" >> self._call(partial(_edges, self.again))
        )
        sent, decided = opened, []
        for number in range(dedup_of(self.job).rounds):
            played = (
                (sent,)
                | f"group {number}" >> Grouped()
                | f"round {number}" >> self._call(partial(_round, number))
            )
            decided.append(played | f"decided {number}" >> beam.Filter(_is_decided))
            sent = played | f"open {number}" >> beam.Filter(_is_open)
        rest = (
            (sent | "to one" >> beam.Map(_to_one),)
            | "group rest" >> Grouped()
            | "decide rest" >> self._call(_decide_rest)
        )
        decisions = (*decided, rest) | "decisions" >> beam.Flatten()
        checked = self._checked(opened, decisions)
        one = compared.pipeline | "one list of parts" >> beam.Create([0])
        every = (
            (one, checked)
            | "spread list" >> Spread()
            | "every part" >> self._call(partial(_every_part, self.again))
        )
        found = decisions | "by part" >> beam.FlatMap(_by_part)
        return (found, every) | "all parts" >> beam.Flatten()

    def _checked(self, opened: Any, decisions: Any) -> Any:
        """Adds the check of both guarantees, for all edges and decisions."""
        known = (opened, decisions) | "known" >> beam.Flatten()
        news = (
            (known | "without edges" >> beam.Filter(_is_no_edge),)
            | "group decisions" >> Grouped()
            | "tell of dropped" >> self._call(_tell)
        )
        evidence = known | "without watchers" >> beam.Filter(_is_no_watcher)
        return (
            ((evidence, news) | "all known" >> beam.Flatten(),)
            | "group all" >> Grouped()
            | "check" >> self._call(_check)
        )

    def _call(self, function: Callable[..., Any]) -> Any:
        return beam.ParDo(Call(function, self.job, many=True))


# Functions with names of their own, since runners pickle them.


def _edges(again: int, job: Job, pack: int) -> Parcels:
    if compared(job, again):
        yield from rounds.send_edges(similar_pairs(job, again, pack), PACKS)


def _round(number: int, job: Job, keyed: tuple[int, Iterable[rounds.Parcel]]) -> Parcels:
    pack, parcels = keyed
    held = rounds.Holding.of(parcels)
    if number == 0:
        held = rounds.with_ranks(held, Sketches(job).ranks)
    yield from rounds.play_round(pack, held)


def _is_decided(sent: tuple[int, rounds.Parcel]) -> bool:
    return sent[1][0] == "decisions"


def _is_open(sent: tuple[int, rounds.Parcel]) -> bool:
    return sent[1][0] != "decisions"


def _is_no_edge(sent: tuple[int, rounds.Parcel]) -> bool:
    return sent[1][0] != "edges"


def _is_no_watcher(sent: tuple[int, rounds.Parcel]) -> bool:
    return sent[1][0] != "watchers"


def _to_one(sent: tuple[int, rounds.Parcel]) -> tuple[int, rounds.Parcel]:
    return 0, sent[1]


def _decide_rest(job: Job, keyed: tuple[int, Iterable[rounds.Parcel]]) -> Parcels:
    try:
        edges = rounds.undecided(keyed[1], MOST_PAIRS)
    except rounds.UndecidedError as error:
        given = dedup_of(job).rounds
        raise UserError(
            f"survivors: after {given} rounds {error}",
            f"Each round decides more: -s dedup.rounds={min(2 * given, 100)}",
        ) from None
    yield from rounds.send_decisions(decide(job, edges), PACKS)


def _tell(job: Job, keyed: tuple[int, Iterable[rounds.Parcel]]) -> Parcels:
    yield from rounds.tell_of_dropped(rounds.Holding.of(keyed[1]))


def _check(job: Job, keyed: tuple[int, Iterable[rounds.Parcel]]) -> Iterator[int]:
    minhash = dedup_of(job).minhash
    assert minhash is not None
    with told():
        rounds.check_pack(rounds.Holding.of(keyed[1]), minhash.threshold)
    yield keyed[0]


def _by_part(sent: tuple[int, rounds.Parcel]) -> Keyed:
    decisions = np.frombuffer(sent[1][1], DECISION)
    for part, mine in by_part(decisions["dropped"]):
        yield part, decisions[mine].tobytes()


def _every_part(again: int, job: Job, _: int) -> Keyed:
    """Yields something for each part, since each one's file is to be written."""
    if compared(job, again):
        for part in range(job.n_parts):
            yield part, b""
