"""A Hugging Face dataset through `datasets`, streamed: from the Hub or from a local folder.

The name is ``hf:NAME[:CONFIG][:SPLIT]``, where NAME is a dataset of the Hub (``user/name``) or a
local folder: of data files, or made by `save_to_disk`. With two parts the second is the split if
the dataset has one of that name, else the configuration. The split is ``train`` if not given.
One shard (as a rule one file) of the dataset makes one split.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.sources.fields import to_record
from pipeline.sources.records import Record, SourceOptions, Split, Unreadable

_HINT = (
    "Check the name (hf:NAME[:CONFIG][:SPLIT]) and the network; a private dataset needs "
    "`hf auth login`. Without a network give a local folder: hf:/path/to/folder."
)


def plan(name: str) -> list[Split]:
    """Plans one split for each shard of a dataset; `part` is left at 0.

    Raises:
        UserError: The dataset is unknown, broken or out of reach.
    """
    dataset, version = _open(name)
    url = name if name.startswith("hf:") else f"hf:{name}"
    return [
        Split(0, "huggingface", url, shard, shard + 1, 0, version)
        for shard in range(dataset.num_shards)
    ]


def read(split: Split, options: SourceOptions) -> Iterator[Record | Unreadable]:
    """Reads shards `start` to `end`; places are ``SHARD:ROW``.

    Damage gives one `Unreadable` for the rest of its shard. Records without a source get the
    dataset's name.

    Raises:
        UserError: The dataset is out of reach, or has changed since it was planned.
    """
    dataset, version = _open(split.url)
    if version != split.version:
        raise UserError(f"{split.url} has changed since the run was planned", "Start it again.")
    source = _parts(split.url)[0].rstrip("/").rsplit("/", 1)[-1]
    for shard in range(split.start, split.end):
        row = 0
        try:
            for fields in dataset.shard(num_shards=dataset.num_shards, index=shard):
                item = to_record(fields, f"{shard}:{row}", 0, options)
                if isinstance(item, Record) and item.source is None:
                    item = Record(item.place, item.text, item.id, item.url, source, item.snapshot)
                yield item
                row += 1
        except ConnectionError as error:
            raise UserError(f"lost the connection to {split.url}", _HINT) from error
        except GeneratorExit:
            raise
        except Exception:  # whatever a format's reader raises; its message may quote the data
            yield Unreadable(f"{shard}:{row}", "invalid_dataset", 0)


def _parts(name: str) -> list[str]:
    return name.removeprefix("hf:").split(":")


def _open(name: str) -> tuple[Any, str]:
    """Returns the dataset as a stream, and a string that changes when it does."""
    import datasets

    path, *rest = _parts(name)
    if not path or len(rest) > 2:
        raise UserError(f"{name!r} is no dataset name", _HINT)
    try:
        if (Path(path) / "state.json").exists() or (Path(path) / "dataset_dict.json").exists():
            stored = datasets.load_from_disk(path)
            if isinstance(stored, datasets.DatasetDict):
                stored = _choose(stored, name, rest[-1] if rest else "train")
            shards = max(1, len(stored.data.table.column(0).chunks)) if len(stored) else 1
            return stored.to_iterable_dataset(num_shards=min(shards, 64)), stored._fingerprint
        config = rest[0] if rest else None
        if len(rest) == 1 and config not in datasets.get_dataset_config_names(path):
            rest, config = [rest[0]], None
            split = rest[0]
        else:
            split = rest[1] if len(rest) == 2 else "train"
        builder = datasets.load_dataset_builder(path, config or None)
        streams = builder.as_streaming_dataset()
        return _choose(streams, name, split), str(builder.hash or builder.config_id)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"cannot open the dataset {name} ({type(error).__name__})", _HINT
        ) from error


def _choose(splits: Any, name: str, split: str) -> Any:
    if split not in splits:
        raise UserError(
            f"{name} has no split {split!r}; it has {', '.join(splits)}",
            "Name the split: hf:NAME:SPLIT or hf:NAME:CONFIG:SPLIT.",
        )
    return splits[split]
