"""A run from its recipe to its manifest: plan, check, build the Beam graph, take accounts."""

import dataclasses
import hashlib
import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from ruamel.yaml import YAML

from filters.errors import FilterUnavailable
from filters.language import model_path
from filters.redaction import Options, redact
from pipeline import resources, storage
from pipeline.accounts import Accounts, take_accounts
from pipeline.duplicates.against import reference_of
from pipeline.errors import UsageError, UserError, without_user_info
from pipeline.output import (
    FORMAT_VERSION,
    Job,
    Output,
    code_version,
    discard_stale,
    library_versions,
)
from pipeline.progress import shown
from pipeline.recipe import Recipe, digest
from pipeline.redacting import key_mark, names_mark, options_of
from pipeline.sources.formats import stem
from pipeline.sources.plan import plan
from pipeline.sources.records import ERRORS
from pipeline.verdicts import VERDICTS, known_cutoffs


def make_job(name: str, recipe: Recipe, root: str) -> Job:
    """Plans a run's splits and prepares its output directory.

    Args:
        name: The recipe's name.
        recipe: The resolved recipe.
        root: The output directory, a local path or a URL.

    Raises:
        UserError: an input is missing, or the language model is.
        UsageError: the output directory holds something else.
    """
    job, splits, tokenizer = planned(recipe, root)
    _claim(job.output, name, recipe)
    if job.given_tokenizer:
        storage.write_bytes(job.output.path("work/given_tokenizer.json"), tokenizer)
    resources.publish(job)
    if job.output.read_json("work/plan.json") != splits:
        job.output.write_json("work/plan.json", splits)
    return job


def planned(recipe: Recipe, root: str) -> tuple[Job, list[dict[str, Any]], bytes]:
    """Plans a run without writing anything.

    Returns:
        The job, its splits as plain values, and the given tokenizer or nothing.

    Raises:
        UserError: an input, the tokenizer or the language model is missing.
    """
    if not recipe.source.inputs:
        raise UsageError("the recipe names no input", "Give some: --input 'data/*.jsonl.zst'")
    model = ""
    if "language" in recipe.filters.names and not recipe.filters.parameters("language").model:
        try:
            path = model_path()
        except FilterUnavailable as error:
            raise UserError(str(error)) from None
        model = hashlib.sha256(path.read_bytes()).hexdigest()
    tokenizer = storage.read_bytes(recipe.tokenizer.path) if recipe.tokenizer.path else b""
    if recipe.tokenizer.path:  # said now and not when all is milled
        from pipeline.bpe import Encoder, definition_of

        Encoder(definition_of(tokenizer), recipe.tokenizer.end_of_document)
    splits = [
        without_user_info(split.to_dict())
        for split in plan(recipe.source.options(), recipe.source.inputs)
    ]
    root = root if "://" in root else str(Path(root).resolve())
    recipe = _with_absolute_reference(recipe, root)
    reference, reference_parts = reference_of(recipe)
    job = Job(
        output=Output(root.rstrip("/")),
        recipe_json=recipe.model_dump_json(),
        plan=digest(splits),
        n_parts=len(splits),
        code=digest([code_version(), model, names_mark(recipe.redaction)]),
        given_tokenizer=hashlib.sha256(tokenizer).hexdigest() if tokenizer else "",
        files=tuple(resources.hashes(recipe.filters.files()).items()),
        key_mark=key_mark(recipe.redaction),
        reference=reference,
        reference_parts=reference_parts,
    )
    return job, splits, tokenizer


def _claim(output: Output, name: str, recipe: Recipe) -> None:
    """Makes sure that the output directory is new or was made by the same recipe and inputs."""
    mine = {
        "format_version": FORMAT_VERSION,
        "recipe": name,
        "inputs": [_absolute(name) for name in recipe.source.inputs],
    }
    before = output.read_json("work/run.json")
    elsewhere = "Choose another --output, or remove this one."
    if before is None:
        if storage.exists(output.root) and not storage.is_folder(output.root):
            raise UsageError(f"{output.root} is a file, not a folder", elsewhere)
        if not storage.is_empty(output.root):
            raise UsageError(f"{output.root} is not empty and was not made by Gristmill", elsewhere)
        output.write_json("work/run.json", mine)
        return
    for key, what in (
        ("format_version", "in another format"),
        ("recipe", "by another recipe"),
        ("inputs", "from other inputs"),
    ):
        if before[key] != mine[key]:
            raise UsageError(
                f"{output.root} was made {what}: {_short(before[key])}, not {_short(mine[key])}",
                elsewhere,
            )


def _with_absolute_reference(recipe: Recipe, root: str) -> Recipe:
    """Returns the recipe with a `dedup.against` that means the same in every working directory.

    Raises:
        UsageError: it is the run's own output.
    """
    against = recipe.dedup.against if recipe.dedup else None
    if recipe.dedup is None or not against:
        return recipe
    if storage.is_local(against):
        against = str(Path(storage.local_path(against)).resolve())
    if against.rstrip("/") == root.rstrip("/"):
        raise UsageError(
            f"dedup.against: {against} is the output of this run",
            "Give another --output; what is there is matched against and stays as it is.",
        )
    return recipe.model_copy(update={"dedup": recipe.dedup.model_copy(update={"against": against})})


def _absolute(name: str) -> str:
    """Returns an input's name such that it means the same in every working directory."""
    if name == "environment" or name.startswith("hf:") or not storage.is_local(name):
        return str(without_user_info(name))
    return os.path.abspath(storage.local_path(name))  # noqa: PTH100 - a glob is no path


def _short(value: Any) -> str:
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def is_finished(job: Job) -> bool:
    """Tells whether the output is complete and nothing it depends on has changed."""
    manifest = job.output.read_json("manifest.json")
    return manifest is not None and manifest["fingerprint"] == run_fingerprint(job)


def run_fingerprint(job: Job) -> str:
    """Returns the hash of everything that a whole output depends on."""
    return job.fingerprint("tokenize")


def run(
    job: Job, runner: str, workers: int, beam_options: Sequence[str], console: Console
) -> Accounts:
    """Runs all stages that are not finished, checks the ledger, and writes report and manifest.

    Returns:
        The accounts of the finished run.

    Raises:
        UserError: a worker failed; no document was kept; too many records were unreadable.
        VerificationError: the ledger does not add up.
    """
    from pipeline.report import write_report
    from pipeline.runners import execute

    def build(pipeline: Any) -> None:
        # Beam is imported by `execute`, after it has silenced the libraries.
        from pipeline.flow import build as build_flow

        build_flow(pipeline, job)

    storage.remove(job.output.path("manifest.json"))
    discard_stale(job)
    storage.write_bytes(job.output.path("recipe.yaml"), recipe_yaml(job.recipe).encode())
    with shown(job, console):
        execute(build, runner, workers, list(beam_options))
    accounts = take_accounts(job)
    report = write_report(job, accounts)
    if not accounts.read:
        raise UserError("the input holds no document", "Look at the input files and the format.")
    rate, allowed = accounts.error_rate, job.recipe.max_error_rate
    if rate > allowed:
        commonest = accounts.errors.most_common(1)[0][0]
        raise UserError(
            f"{accounts.verdict('error').documents:,} of {accounts.read:,} records could not be "
            f"read ({rate:.1%}; allowed are {allowed:.1%})",
            f"Most frequent: {commonest}. {ERRORS.get(commonest, '')} See all of them: "
            f"`gristmill inspect {job.output.root} errors`. Mend the input or its settings, or "
            "allow more: -s max_error_rate=SHARE. All that was read is kept for the next run.",
        )
    if not accounts.verdict("kept").documents:
        raise UserError(
            f"no document was kept of {accounts.read:,}",
            f"The report tells which rules dropped them: {report}",
        )
    write_manifest(job, accounts)
    return accounts


def recipe_yaml(recipe: Recipe) -> str:
    """Returns the resolved recipe as YAML, without the passwords in its URLs."""
    text = StringIO()
    YAML().dump(without_user_info(recipe.model_dump(mode="json")), text)
    return text.getvalue()


def write_manifest(job: Job, accounts: Accounts) -> None:
    """Writes manifest.json, the last file of a run, and removes what belongs to no manifest."""
    options = options_of(job.recipe.redaction)
    shards = [shard for summary in job.summaries("tokenize") for shard in summary["shards"]]
    tokenizer = job.summaries("tokenizer")[0]
    tallies = {
        "/".join(str(key) for key in keys): dataclasses.asdict(tally)
        for keys, tally in sorted(accounts.by("source", "verdict").items())
    }
    _remove_strays(job, {shard["path"] for shard in shards})
    job.output.write_json(
        "manifest.json",
        {
            "format_version": FORMAT_VERSION,
            "fingerprint": run_fingerprint(job),
            "recipe": without_user_info(json.loads(job.recipe_json)),
            "recipe_hash": job.recipe.hash,
            "code": {"gristmill": version("gristmill"), "source": job.code},
            "libraries": {
                "python": platform.python_version(),
                **library_versions(),
            },
            "inputs": [
                {
                    "url": _redacted_path(split.url, options),
                    **{key: getattr(split, key) for key in ("start", "end", "size", "version")},
                }
                for split in job.splits
            ],
            "files": [
                {"url": without_user_info(url), "sha256": sha256} for url, sha256 in job.files
            ],
            "cutoffs": {rule: cutoff.value for rule, cutoff in known_cutoffs(job).items()},
            "parts": job.n_parts,
            "documents": {
                "read": accounts.read,
                **{name: accounts.verdict(name).documents for name in VERDICTS},
            },
            "by_source_and_verdict": tallies,
            "tokenizer": tokenizer,
            "shards": shards,
        },
    )


def _redacted_path(url: str, options: Options) -> str:
    """Redacts a path or URL, also each name in it by itself, without its suffixes."""
    names = redact(url, options).text.split("/")
    stems = [stem(name) for name in names]
    return "/".join(
        name.replace(short, redact(short, options).text, 1)
        for name, short in zip(names, stems, strict=True)
    )


def _remove_strays(job: Job, shards: set[str]) -> None:
    """Removes parts of an earlier run with other inputs or settings, and broken-off writes."""
    storage.remove_temporary(job.output.root)
    dedup = job.recipe.dedup
    for folder in (
        "documents",
        "ledger",
        "errors",
        "clusters",
        "pairs",
        "passages",
        "tokens/train",
        "tokens/validation",
    ):
        for file in storage.list_files(job.output.path(folder)):
            name = file.url.rsplit("/", 1)[-1]
            if folder.startswith("tokens/"):
                stray = f"{folder}/{name}" not in shards
            elif folder in ("pairs", "clusters"):
                stray = dedup is None or (folder == "pairs" and dedup.minhash is None)
            elif folder == "passages" and not (dedup and dedup.passages):
                stray = True
            else:
                stray = int(name[5:].split(".")[0]) >= job.n_parts
            if stray:
                storage.remove(file.url)
