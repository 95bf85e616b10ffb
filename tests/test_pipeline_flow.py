"""The graph: what its steps are called, and what waits for what."""

from itertools import pairwise
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from command import ROOT

from pipeline.duplicates.compare import PASSES
from pipeline.flow import build
from pipeline.output import Job, Output
from pipeline.recipe import load_recipe


def job_of(recipe: str, *settings: str) -> Job:
    resolved = load_recipe(recipe, ROOT / "pipelines.yaml", settings)
    return Job(Output("/nowhere"), resolved.model_dump_json(), "plan", 5, "code")


class Steps(beam.pipeline.PipelineVisitor):  # type: ignore[misc]
    def __init__(self) -> None:
        self.labels: list[str] = []
        self.nodes: list[Any] = []

    def visit_transform(self, node: Any) -> None:
        self.labels.append(node.full_label)
        self.nodes.append(node)


def steps(recipe: str, *settings: str) -> list[str]:
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner())
    build(pipeline, job_of(recipe, *settings))
    visitor = Steps()
    pipeline.visit(visitor)
    return visitor.labels


MATCHING = ("order", "exact digests", "bands", "candidates", "sketch", "compare 0", "choose 0")
MATCHING += ("publish pairs", "write survivors", "write clusters", "finish match")


def test_graph_of_a_recipe_with_deduplication() -> None:
    labels = [label.split("/")[0] for label in steps("gopher")]
    for name in (*MATCHING, "mill", "bin"):
        assert name in labels
    assert labels.index("mill") < labels.index("bin") < labels.index("train tokenizer")
    assert labels.index("train tokenizer") < labels.index("tokenize")


def test_graph_of_a_recipe_without_deduplication() -> None:
    labels = {label.split("/")[0] for label in steps("raw")}
    assert {"mill", "bin", "train tokenizer", "tokenize"} <= labels
    assert not labels & set(MATCHING)


@pytest.mark.parametrize(
    ("setting", "there", "absent"),
    [
        ("dedup.url=true", {"url digests", "exact digests", "bands"}, {"spans"}),
        ("dedup.exact=null", {"bands"}, {"url digests", "exact digests"}),
        ("dedup.minhash=null", {"exact digests"}, {"bands", "sketch", "publish pairs"}),
        ("dedup.passages={}", {"exact digests", "bands", "spans"}, set()),
    ],
)
def test_graph_has_the_steps_that_are_on(setting: str, there: set[str], absent: set[str]) -> None:
    labels = {label.split("/")[0] for label in steps("gopher", setting)}
    assert there <= labels
    assert not labels & absent


def before(node: Any, known: dict[Any, set[str]]) -> set[str]:
    """Returns the labels of all steps that a step waits for: those that its input comes from."""
    if node not in known:
        known[node] = set()
        for given in node.inputs:
            producer = getattr(given, "producer", None)
            if producer is not None:
                known[node] |= {producer.full_label} | before(producer, known)
    return known[node]


@pytest.mark.parametrize("rounds", [0, 3])
def test_steps_wait_for_all_whose_files_they_read(rounds: int) -> None:
    """By groupings, never by side inputs, whose origin Dask's runner does anew for each element."""
    settings = ["dedup.url=true", "dedup.passages={}", f"dedup.rounds={rounds}"]
    settings += ["filters.gopher_quality.word_count.keep=50%"]
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner())
    build(pipeline, job_of("gopher", *settings))
    visitor = Steps()
    pipeline.visit(visitor)
    assert not [node.full_label for node in visitor.nodes if node.side_inputs]
    known: dict[Any, set[str]] = {}
    waits = {node.full_label: before(node, known) for node in visitor.nodes}
    chain = ["mill", "cutoffs", "order", "write url", "exact digests", "write exact", "bands"]
    chain += ["write candidates", "sketch", "compare 0", "write near 0"]
    for again in range(1, PASSES):
        chain += [f"leaders {again}", f"compare {again}", f"write near {again}"]
    chain += ["publish pairs", "count compared", "links", "name", "write survivors"]
    chain += ["write clusters", "spans", "write passages", "finish match"]
    chain += ["bin", "train tokenizer", "tokenize"]
    for earlier, later in pairwise(chain):
        assert earlier in waits[later], (earlier, later)


def test_every_step_has_a_name_of_its_own() -> None:
    labels = steps("gopher", "dedup.url=true", "dedup.passages={}")
    assert len(labels) == len(set(labels))
    ours = {label.split("/")[0] for label in labels}
    assert not [label for label in ours if "lambda" in label or "(" in label]


def test_graph_does_not_grow_with_the_input() -> None:
    def size(parts: int) -> int:
        resolved = load_recipe("gopher", ROOT / "pipelines.yaml")
        job = Job(Output("/nowhere"), resolved.model_dump_json(), "plan", parts, "code")
        pipeline = beam.Pipeline(runner=BundleBasedDirectRunner())
        build(pipeline, job)
        return int(pipeline.to_runner_api().ByteSize())

    assert size(100_000) < size(10) + 1000
