"""What a recipe is: every setting of a run, its default and its bounds.

The filters' part of the schema is derived from the filters' own tables, so a new filter or rule
needs no line here.
"""

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    create_model,
    field_serializer,
    model_serializer,
    model_validator,
)
from ruamel.yaml.comments import CommentedMap

from filters.registry import FILTERS
from filters.rules import Rule
from pipeline.duplicates.settings import Best, Dedup
from pipeline.errors import UsageError
from pipeline.redaction import Redaction
from pipeline.settings import Section, load_yaml, parse_overrides, plain, validate
from pipeline.sources.records import SourceOptions

Fraction = Annotated[float, Field(ge=0, le=1)]
ClusterSize = Annotated[int, Field(ge=2, lt=2**32)]
Times = Annotated[int, Field(ge=1, le=100)]


class Source(Section):
    """Where the documents come from and how a record becomes one."""

    inputs: list[str] = Field(default=[], description="paths, globs, URLs, hf:NAME, environment")
    format: Literal[
        "auto", "jsonl", "parquet", "text", "warc", "wet", "huggingface", "environment"
    ] = Field(default="auto", description="auto decides by the file's name")
    text_field: str = Field(default="text", description="dotted name of the text's field")
    id_field: str = Field(default="id", description="dotted name of the id's field; may be absent")
    url_field: str = Field(default="url", description="dotted name of the URL's field")
    source_field: str = Field(default="source", description="field that names a document's source")
    snapshot_field: str = Field(
        default="snapshot", description="field that names the crawl or date a document is from"
    )
    html: Literal["resiliparse", "trafilatura"] = Field(
        default="resiliparse", description="what turns HTML into text"
    )
    split_bytes: int = Field(
        default=16 * 2**20, ge=2**12, description="bytes of input that make one part"
    )
    max_document_bytes: int = Field(
        default=32 * 2**20, ge=2**10, description="a larger record is an error row"
    )

    def options(self) -> SourceOptions:
        """Returns the settings as the readers take them."""
        return SourceOptions(**self.model_dump(exclude={"inputs"}))


class Tokenizer(Section):
    """The byte-level BPE tokenizer: trained on a sample of the kept text, or given."""

    path: str | None = Field(default=None, description="a tokenizer.json to use instead")
    vocab_size: int = Field(default=32_768, ge=300, le=2**24, description="tokens in all")
    sample_bytes: int = Field(
        default=50_000_000, ge=1_000, description="text that the training reads"
    )
    end_of_document: str = Field(default="<|endoftext|>", description="token after each document")


class Tokens(Section):
    """The token shards."""

    format: Literal["arrow", "parquet"] = Field(default="arrow", description="file format")
    validation: Fraction = Field(default=0.01, description="share of documents held out")
    repeat: dict[ClusterSize, Times] | None = Field(
        default=None,
        description="how often a training document is there, by the size of its cluster; "
        "`{2: 2, 5: 3}`: twice if it stands for 2 to 4 documents, 3 times for more",
    )


def _share(value: Any) -> Any:
    """Reads a share written as `10%`."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            return value
    return value


Share = Annotated[float, BeforeValidator(_share), Field(gt=0, le=1)]


class LanguageBounds(Section):
    """Bounds of one rule for the documents of one language; what is left out is as elsewhere."""

    minimum: float | None = None
    maximum: float | None = None


class Bounds(LanguageBounds):
    """The bounds of one rule; each filter's table gives the defaults."""

    keep: Share | None = Field(default=None, description="share of the corpus to keep: 10%")
    languages: dict[str, LanguageBounds] = Field(
        default={}, description="other bounds for the documents of a language"
    )

    @model_validator(mode="before")
    @classmethod
    def _keep_has_no_bounds(cls, data: Any) -> Any:
        """Lets `keep` take the place of the published bounds."""
        if not isinstance(data, dict) or data.get("keep") is None:
            return data
        bounds = (data.get("minimum"), data.get("maximum"), data.get("languages") or None)
        if any(bound is not None for bound in bounds):
            raise ValueError("keep takes the place of minimum, maximum and languages; give one")
        return {**data, "minimum": None, "maximum": None}

    @field_serializer("languages")
    def _as_given(self, languages: dict[str, LanguageBounds]) -> dict[str, Any]:
        """Leaves out what was left out: null would say that there is no such bound."""
        return {code: there.model_dump(exclude_unset=True) for code, there in languages.items()}

    @model_validator(mode="after")
    def _in_order(self) -> "Bounds":
        every: list[LanguageBounds] = [self, *self.languages.values()]
        for bounds in every:
            low, high = bounds.minimum, bounds.maximum
            if low is not None and high is not None and low > high:
                raise ValueError("the minimum is above the maximum")
        return self

    def of(self, rule: Rule, language: str | None = None) -> Rule:
        """Returns a rule with these bounds, for all documents or for those of one language."""
        there = self.languages.get(language or "")
        own = there.model_dump(exclude_unset=True) if there else {}
        return dataclasses.replace(
            rule, **{"minimum": self.minimum, "maximum": self.maximum, **own}
        )


def _bounds_model(filter_name: str, rule: Rule) -> type[Bounds]:
    name = f"{filter_name}.{rule.signal}"
    return create_model(
        name,
        __base__=Bounds,
        minimum=(float | None, rule.minimum),
        maximum=(float | None, rule.maximum),
    )


def _filter_model(name: str) -> type[Section]:
    """Builds a filter's settings: its parameters, then the bounds of each of its rules."""
    module = FILTERS[name]
    fields: dict[str, Any] = {
        field.name: (field.type, default_of(field))
        for field in dataclasses.fields(module.Parameters)
    }
    for rule in module.RULES:
        bounds = _bounds_model(name, rule)
        fields[rule.signal] = (bounds | None, Field(bounds(), description=rule.description))

    def check(settings: Any) -> Any:
        if hasattr(module, "validate"):
            module.validate(_parameters(name, settings))
        return settings

    validators: dict[str, Any] = {"check": model_validator(mode="after")(check)}
    return create_model(name, __base__=Section, __validators__=validators, **fields)


def default_of(parameter: "dataclasses.Field[Any]") -> Any:
    """Returns a parameter's default, or ... if the recipe must give it."""
    if parameter.default_factory is not dataclasses.MISSING:
        return parameter.default_factory()
    return ... if parameter.default is dataclasses.MISSING else parameter.default


def _parameters(name: str, settings: Any) -> Any:
    """Returns a filter's settings as what its `signals` function takes."""
    kind = FILTERS[name].Parameters
    return kind(**{field.name: getattr(settings, field.name) for field in dataclasses.fields(kind)})


class Filters(Section):
    """The filters that are on, with their settings; the fields come from the registry."""

    _order: tuple[str, ...] = PrivateAttr(())

    @model_validator(mode="wrap")
    @classmethod
    def _remember_order(cls, data: Any, handler: Any) -> Any:
        filters = handler(data)
        if isinstance(data, dict):
            filters._order = tuple(name for name in data if getattr(filters, name) is not None)
        return filters

    @model_serializer(mode="wrap")
    def _in_order(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = handler(self)
        return {name: fields[name] for name in self._order}

    @property
    def names(self) -> tuple[str, ...]:
        """The filters that are on, in the recipe's order."""
        return self._order

    def parameters(self, name: str) -> Any:
        """Returns the parameters that the filter's `signals` function takes."""
        return _parameters(name, getattr(self, name))

    def rules(self, name: str, language: str | None = None) -> list[Rule]:
        """Returns the filter's rules with the recipe's bounds, without those turned off.

        A rule that keeps a share of the corpus has no bounds yet; see `pipeline.cutoffs`.

        Args:
            name: The filter.
            language: The language of the documents, where it is known.
        """
        return [
            bounds.of(rule, language)
            for rule in FILTERS[name].RULES
            if (bounds := self.bounds(name, rule.signal)) is not None
        ]

    def bounds(self, name: str, signal: str) -> Bounds | None:
        """Returns what the recipe says of one rule; None if it is turned off."""
        bounds: Bounds | None = getattr(getattr(self, name), signal)
        return bounds

    def keeps(self) -> list[tuple[str, Rule, float]]:
        """Returns filter, rule and share of each rule that keeps a share, in the recipe's order."""
        return [
            (name, rule, bounds.keep)
            for name in self.names
            for rule in FILTERS[name].RULES
            if (bounds := self.bounds(name, rule.signal)) and bounds.keep is not None
        ]

    def files(self) -> list[str]:
        """Returns the paths and URLs of all files that the filters read, each once."""
        found: dict[str, None] = {}
        for name in self.names:
            for parameter in getattr(FILTERS[name], "FILES", ()):
                value = getattr(getattr(self, name), parameter)
                several = value.values() if isinstance(value, dict) else value
                found.update(dict.fromkeys([value] if isinstance(value, str) else several or ()))
        return list(found)


if TYPE_CHECKING:
    RegisteredFilters = Filters
else:
    RegisteredFilters = create_model(
        "Filters",
        __base__=Filters,
        **{name: (_filter_model(name) | None, None) for name in FILTERS},
    )


class Recipe(Section):
    """One named recipe of pipelines.yaml, with every default filled in."""

    description: str = Field(default="", description="what it is for and where it comes from")
    seed: int = Field(default=0, ge=0, lt=2**32, description="decides every sampling")
    max_error_rate: Fraction = Field(
        default=0.01, description="share of unreadable records above which the run fails"
    )
    source: Source = Source()
    words: Literal["unicode", "spacy"] = Field(
        default="unicode", description="how text becomes words; spacy as datatrove does it (extra)"
    )
    stop_at_first: bool = Field(
        default=False, description="compute no signals after the first filter that drops"
    )
    filters: RegisteredFilters = RegisteredFilters()
    redaction: Redaction | None = Redaction()
    dedup: Dedup | None = Dedup()
    tokenizer: Tokenizer = Tokenizer()
    tokens: Tokens = Tokens()

    @model_validator(mode="after")
    def _languages_are_identified(self) -> "Recipe":
        for name in self.filters.names:
            for rule in self.filters.rules(name):
                bounds = self.filters.bounds(name, rule.signal)
                if bounds and bounds.languages and "language" not in self.filters.names:
                    raise ValueError(
                        f"filters.{name}.{rule.signal}.languages: needs the filter language, which "
                        "identifies them"
                    )
        return self

    @model_validator(mode="after")
    def _best_signal_is_measured(self) -> "Recipe":
        prefer = self.dedup.prefer if self.dedup else None
        if isinstance(prefer, Best):
            signals = [f"{name}.{r.signal}" for name in FILTERS for r in FILTERS[name].RULES]
            if prefer.best not in signals:
                near = difflib.get_close_matches(prefer.best, signals, n=1)
                hint = f"; did you mean {near[0]}?" if near else "; expected FILTER.SIGNAL"
                raise ValueError(f"dedup.prefer.best: no signal named {prefer.best}{hint}")
            name = prefer.best.split(".")[0]
            if name not in self.filters.names:
                raise ValueError(f"dedup.prefer.best: needs the filter {name}, which measures it")
        return self

    @model_validator(mode="after")
    def _repeated_clusters_are_known(self) -> "Recipe":
        if self.tokens.repeat and self.dedup is None:
            raise ValueError("tokens.repeat: needs dedup, which finds the clusters")
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of all settings that can change what becomes of a document."""
        settings = self.model_dump(mode="json", exclude={"description", "max_error_rate"})
        if settings["dedup"]:
            del settings["dedup"]["rounds"]  # any number gives the same result
        del settings["source"]["inputs"]  # the same files have other names on other machines
        settings["filters"] = list(settings["filters"].items())  # the first to fail is the reason
        return digest(settings)


def digest(value: Any) -> str:
    """Returns the SHA-256 of a JSON value in its canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def default_config() -> Path:
    """Returns ./pipelines.yaml if there is one, or else the file that came with Gristmill."""
    here = Path("pipelines.yaml")
    if here.exists():
        return here
    packaged = Path(__file__).with_name("pipelines.yaml")
    return packaged if packaged.exists() else Path(__file__).parents[1] / "pipelines.yaml"


def recipe_names(config: Path) -> dict[str, str]:
    """Returns each recipe's name and description, in the file's order."""
    return {
        str(name): str(body.get("description", "") if isinstance(body, dict) else "")
        for name, body in load_yaml(config).items()
    }


def load_recipe(name: str, config: Path, overrides: Iterable[str] = ()) -> Recipe:
    """Reads and validates one recipe.

    Args:
        name: The recipe's name in the file.
        config: A file like pipelines.yaml.
        overrides: `dotted.key=value` options, applied before validation.

    Raises:
        UsageError: the recipe does not exist or has mistakes; the message lists all of them.
    """
    document = load_yaml(config)
    if name not in document:
        near = difflib.get_close_matches(name, map(str, document), n=1)
        hint = f"Did you mean {near[0]}?" if near else f"It has: {', '.join(map(str, document))}."
        raise UsageError(f"{config}: no recipe named {name}", hint)
    tree = document[name]
    if tree is None:  # a name with nothing below it: all defaults
        tree = CommentedMap()
    if not isinstance(tree, CommentedMap):
        line, column = document.lc.key(name)
        raise UsageError(f"{config}:{line + 1}:{column + 1}: {name}: expected a mapping")
    return validate(
        Recipe,
        plain(tree),
        overrides=parse_overrides(overrides),
        origin=str(config),
        tree=tree,
    )
