"""The output directory: where each file is, and which parts of which stage are finished.

A finished part has a marker, `work/STAGE/part-N.json`, written after all of the part's files and
holding the fingerprint of everything that the part depends on. A part whose marker has the
expected fingerprint is never done again.
"""

import dataclasses
import functools
import json
import platform
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline import storage
from pipeline.errors import UserError
from pipeline.filter_chain import with_files
from pipeline.recipe import Recipe, digest
from pipeline.sources.records import Split

FORMAT_VERSION = 3
LIBRARIES = (
    "datasketch",
    "fasttext-community",
    "google-re2",
    "numpy",
    "phonenumbers",
    "pyarrow",
    "resiliparse",
    "tiktoken",
    "tldextract",
    "tokenizers",
    "trafilatura",
)
OPTIONAL_LIBRARIES = ("kenlm", "presidio-analyzer", "sentencepiece", "spacy")

# Settings of MinHash that decide what a signature is.
_SIGNED = ("unit", "shingle", "bands", "rows", "seed")

# Modules that write no part, by the beginnings of their paths; a change in one makes no part
# obsolete.
_ONLY_SHOWS = (
    "pipeline/alarms.py",
    "pipeline/classifier",
    "pipeline/cli.py",
    "pipeline/cluster_list.py",
    "pipeline/demo.py",
    "pipeline/evidence.py",
    "pipeline/explain.py",
    "pipeline/look",
    "pipeline/progress.py",
    "pipeline/redact_command.py",
    "pipeline/report",
    "pipeline/runners.py",
    "pipeline/summary.py",
    "pipeline/text_diff.py",
    "pipeline/thresholds",
    "pipeline/training.py",
    "pipeline/verify.py",
    "pipeline/visible.py",
)


@dataclass(frozen=True)
class Output:
    """Names the files of one output directory.

    Args:
        root: A local path or a URL, without a slash at its end.
    """

    root: str

    def path(self, name: str) -> str:
        """Returns the place of a file, given its name relative to the root."""
        return f"{self.root}/{name}"

    def part(self, folder: str, part: int, suffix: str) -> str:
        """Returns the place of a numbered part, such as documents/part-00007.parquet."""
        return f"{self.root}/{folder}/part-{part:05d}{suffix}"

    def read_json(self, name: str) -> Any | None:
        """Returns what a JSON file of the output holds, or None if there is no such file."""
        url = self.path(name)
        return json.loads(storage.read_bytes(url)) if storage.exists(url) else None

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file of the output, whole or not at all."""
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        storage.write_bytes(self.path(name), text.encode())

    def commit(self, stage: str, part: int, fingerprint: str, summary: dict[str, Any]) -> None:
        """Marks a part as finished; all its files must be in place."""
        self.write_json(
            f"work/{stage}/part-{part:05d}.json", {"fingerprint": fingerprint, **summary}
        )

    def committed(self, stage: str, part: int, fingerprint: str) -> dict[str, Any] | None:
        """Returns the summary of a finished part, or None if it is still to be done."""
        marker = self.read_json(f"work/{stage}/part-{part:05d}.json")
        return marker if marker and marker["fingerprint"] == fingerprint else None


def library_versions() -> dict[str, str]:
    """Returns the version of every installed library that can change an output's bytes."""
    found = {name: version(name) for name in LIBRARIES}
    for name in OPTIONAL_LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@functools.cache
def code_version() -> str:
    """Returns a hash of everything installed that can change an output's bytes.

    That is Gristmill's own source, the libraries that read, measure and write, and Python with its
    Unicode tables.
    """
    root = Path(__file__).parents[1]
    sources = sorted(
        path
        for package in ("dedup", "filters", "pipeline")
        for path in root.glob(f"{package}/**/*.py")
        if not path.relative_to(root).as_posix().startswith(_ONLY_SHOWS)
    )
    return digest(
        [
            [[path.name, path.read_text(encoding="utf-8")] for path in sources],
            library_versions(),
            [platform.python_version(), unicodedata.unidata_version],
        ]
    )


@dataclass(frozen=True)
class Job:
    """One run as every worker sees it: small, and made of plain values only.

    The splits stay in work/plan.json, so that a job on a remote service holds no list of files.

    Args:
        output: The output directory.
        recipe_json: The resolved recipe.
        plan: Hash of work/plan.json.
        n_parts: How many splits the input has.
        code: Hash of `code_version()` and of the language model, where the run was started.
        files: Path or URL, and SHA-256, of every file that the filters read.
        given_tokenizer: SHA-256 of the tokenizer.json that the recipe names, or "".
        key_mark: What tells another key of redaction from the recipe's, or "".
        reference: Hash of the manifest of the output that is matched against, or "".
        reference_parts: How many parts that one has.
    """

    output: Output
    recipe_json: str
    plan: str
    n_parts: int
    code: str
    given_tokenizer: str = ""
    files: tuple[tuple[str, str], ...] = ()
    key_mark: str = ""
    reference: str = ""
    reference_parts: int = 0

    @property
    def recipe(self) -> Recipe:
        """The recipe; parsed once in each process."""
        return _recipe(self.recipe_json)

    @property
    def splits(self) -> list[Split]:
        """The splits, by part number; read once in each process."""
        return _splits(self.output, self.plan)

    def documents(self, part: int) -> str:
        """Returns the place of a part of documents/; from n_parts on, the reference's."""
        if part < self.n_parts:
            return self.output.part("documents", part, ".parquet")
        return self.reference_part("documents", part)

    def reference_part(self, folder: str, part: int) -> str:
        """Returns the place of a part of the output that is matched against."""
        assert self.recipe.dedup is not None
        reference = Output(str(self.recipe.dedup.against).rstrip("/"))
        return reference.part(folder, part - self.n_parts, ".parquet")

    def summaries(self, stage: str) -> list[dict[str, Any]]:
        """Returns what the parts of a stage committed, by part number.

        Raises:
            UserError: a part is not finished.
        """
        found = []
        for part in range(
            1 if stage in ("cutoffs", "compare", "match", "tokenizer") else self.n_parts
        ):
            summary = self.output.committed(stage, part, self.fingerprint(stage, part))
            if summary is None:
                raise UserError(
                    f"{self.output.root}: part {part} of the stage {stage} is not finished",
                    "Two runs must not write to the same output; run one of them again.",
                )
            found.append(summary)
        return found

    def fingerprint(self, stage: str, part: int = 0) -> str:
        """Returns the hash of everything that a stage's part depends on.

        Args:
            stage: mill, cutoffs, compare, match, bin, tokenizer or tokenize; each depends on those
                before, but match's threshold does not count for compare.
            part: The part's number; only mill's parts depend on single splits.
        """
        settings = self.recipe.model_dump(mode="json")
        filters, files = self.recipe.filters, dict(self.files)
        parameters = {
            name: dataclasses.asdict(with_files(name, filters.parameters(name), files))
            for name in filters.names
        }
        # Bounds and parameters; of files the content, as where they lie changes nothing.
        bounded = {name: {**settings["filters"][name], **parameters[name]} for name in parameters}
        minhash = settings["dedup"] and settings["dedup"]["minhash"]
        signed = minhash and {key: minhash[key] for key in _SIGNED}
        mill = [
            self.code,
            {key: value for key, value in settings["source"].items() if key != "inputs"},
            settings["words"],
            settings["redaction"] and {**settings["redaction"], "key": self.key_mark},
            list(parameters.items()),
            settings["stop_at_first"] and bounded,
            signed,
            settings["dedup"] and [settings["dedup"]["exact"], settings["dedup"]["url"]],
        ]
        if stage == "mill":
            return digest([mill, self.splits[part].to_dict()])
        cutoffs = [mill, self.plan, bounded]
        dedup = settings["dedup"] or {}
        # The alarm only warns, and rounds choose the same survivors.
        matching = {k: v for k, v in dedup.items() if k not in ("alarm", "rounds")}
        match = [cutoffs, matching, self.reference]
        compared = {k: v for k, v in matching.items() if k not in ("minhash", "passages")}
        verdicts = [match, settings["seed"], settings["tokens"]["validation"]]
        tokenizer = [verdicts, settings["tokenizer"], self.given_tokenizer]
        chain = {
            "cutoffs": cutoffs,
            "compare": [cutoffs, compared, signed, self.reference],
            "match": match,
            "bin": verdicts,
            "tokenizer": tokenizer,
            "tokenize": [tokenizer, settings["tokens"], self.recipe.hash],
        }
        return digest(chain[stage])


def discard_stale(job: Job) -> None:
    """Removes the markers of parts that were made with other settings, inputs or code.

    Their files are about to be replaced. If that is broken off, and the old settings come back, an
    old marker would vouch for a new file.
    """
    for stage in ("mill", "cutoffs", "compare", "match", "bin", "tokenizer", "tokenize"):
        for file in storage.list_files(job.output.path(f"work/{stage}")):
            part = int(file.url.rsplit("/part-", 1)[-1].removesuffix(".json"))
            stale = stage == "mill" and part >= job.n_parts
            if stale or not job.output.committed(stage, part, job.fingerprint(stage, part)):
                storage.remove(file.url)


@functools.lru_cache(maxsize=4)
def _recipe(recipe_json: str) -> Recipe:
    return Recipe.model_validate_json(recipe_json)


@functools.lru_cache(maxsize=4)
def _splits(output: Output, plan: str) -> list[Split]:
    splits = output.read_json("work/plan.json") or []
    if digest(splits) != plan:
        raise UserError(
            f"{output.path('work/plan.json')} was changed while the run went on",
            "Two runs must not write to the same output; run one of them again.",
        )
    return [Split.from_dict(split) for split in splits]
