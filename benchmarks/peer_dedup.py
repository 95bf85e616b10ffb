"""Near-duplicates by datatrove or text-dedup, for benchmarks/dedup_quality.py.

    peer/bin/python benchmarks/peer_dedup.py datatrove|text-dedup WORK [OPTIONS OF text-dedup]

That script starts it with the Python of an environment of its own, in which the tool is installed.
WORK holds documents.jsonl (`id`, the line's number, and `text`). Written is WORK/answer.json:
`kept`, the numbers of the documents that the tool keeps, and `words`, each document's words as the
tool has them before it makes 5-grams, by number.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def datatrove(work: Path) -> tuple[list[int], Iterable[Sequence[str]]]:
    """Runs the four steps of datatrove's MinHash with its defaults, which are FineWeb's."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.text import simplify_text

    config = MinhashConfig()
    folders = {name: str(work / name) for name in ("signatures", "buckets", "clusters", "kept")}
    reader = JsonlReader(str(work), glob_pattern="documents.jsonl")
    signature = MinhashDedupSignature(folders["signatures"], config)
    writer = JsonlWriter(folders["kept"], output_filename="${rank}.jsonl", compression=None)
    steps: list[tuple[list[Any], int]] = [
        ([reader, signature], 1),
        (
            [MinhashDedupBuckets(folders["signatures"], folders["buckets"], config=config)],
            config.num_buckets,
        ),
        ([MinhashDedupCluster(folders["buckets"], folders["clusters"], config)], 1),
        ([reader, MinhashDedupFilter(folders["clusters"]), writer], 1),
    ]
    for number, (pipeline, tasks) in enumerate(steps):
        LocalPipelineExecutor(
            pipeline, tasks=tasks, workers=1, logging_dir=str(work / f"log{number}")
        ).run()
    kept = [json.loads(line)["id"] for line in (work / "kept" / "00000.jsonl").open()]
    tokenize = signature.word_tokenizer.word_tokenize
    words = (tokenize(simplify_text(text, config.norm_config)) for text in texts(work))
    return [int(number) for number in kept], words


def text_dedup(work: Path, options: Sequence[str]) -> tuple[list[int], Iterable[Sequence[str]]]:
    """Runs `python -m text_dedup.minhash`; documents of any length take part."""
    from datasets import load_from_disk
    from text_dedup.minhash import NON_ALPHA

    source = ["--path", "json", "--data_files", str(work / "documents.jsonl"), "--split", "train"]
    places = ["--output", str(work / "kept"), "--cache_dir", str(work / "cache")]
    how = ["--column", "text", "--min_length", "1", "--num_proc", "1", *options]
    subprocess.run(
        [sys.executable, "-m", "text_dedup.minhash", *source, *places, *how], check=True, cwd=work
    )
    kept = [int(number) for number in load_from_disk(str(work / "kept"))["id"]]
    return kept, (NON_ALPHA.split(text.lower()) for text in texts(work))


def texts(work: Path) -> list[str]:
    """Reads the documents' texts."""
    with (work / "documents.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def main() -> None:
    """Runs the tool and writes its answer."""
    tool, work, options = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    kept, words = datatrove(work) if tool == "datatrove" else text_dedup(work, options)
    numbers: dict[str, str] = {}  # so that any word is a word to whoever reads the answer
    answer = {
        "kept": kept,
        "words": [
            " ".join(numbers.setdefault(word, f"w{len(numbers)}") for word in found)
            for found in words
        ],
    }
    (work / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
