"""The graph: what its steps are called, what crosses a shuffle, how errors travel."""

from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.util import assert_that, equal_to
from command import ROOT

from pipeline.beam_steps import Call, Spread
from pipeline.duplicates.compare import PASSES
from pipeline.errors import UserError, WorkerError, from_worker
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


def test_every_comparison_waits_for_those_before() -> None:
    """It reads their files. Without large buckets there is nothing else that it waits for."""
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner())
    build(pipeline, job_of("gopher"))
    visitor = Steps()
    pipeline.visit(visitor)
    compared: list[str] = []
    for node in visitor.nodes:
        if node.full_label in [f"compare {again}" for again in range(PASSES)]:
            waits = {side.pvalue.producer.full_label for side in node.side_inputs}
            assert waits == (set(compared) or {"sketch"})
            compared.append(node.full_label)
    assert len(compared) == PASSES


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


def _double(job: Job, number: int, *waited_for: Any) -> int:
    return 2 * number


def _twice(job: Job, number: int) -> list[int]:
    return [number, number]


def _refuse(job: Job, number: int) -> int:
    raise UserError("no", "yes")


def test_call_yields_one_result_or_many() -> None:
    job = job_of("raw")
    assert list(Call(_double, job).process(4, [1])) == [8]
    assert list(Call(_twice, job, many=True).process(4)) == [4, 4]


def test_call_marks_errors_for_the_user() -> None:
    with pytest.raises(WorkerError) as raised:
        list(Call(_refuse, job_of("raw")).process(1))
    found = from_worker(RuntimeError(f"Beam says: {raised.value} [while running]"))
    assert found is not None
    assert (found.message, found.hint) == ("no", "yes")


def test_spread_keeps_every_part_once() -> None:
    with beam.Pipeline(runner=BundleBasedDirectRunner()) as pipeline:
        parts = pipeline | beam.Create(range(9)) | Spread()
        assert_that(parts, equal_to(list(range(9))))
