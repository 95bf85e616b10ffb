"""The recipe's section `dedup`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.settings import Section

MOST_SOURCES = 2**16 - 1  # their places are stored in 16 bits
Fraction = Annotated[float, Field(ge=0, le=1)]


class MinHash(Section):
    """Near-duplicates: candidates by banded MinHash, decided by exact Jaccard."""

    unit: Literal["words", "characters"] = Field(
        default="words", description="what a shingle is made of; characters remove far too much"
    )
    shingle: int = Field(default=5, ge=1, le=64, description="words or characters in a shingle")
    target: Fraction | None = Field(
        default=None,
        gt=0,
        strict=True,  # what is taken for a number here must be one where bands are chosen
        description="choose bands and rows such that 99.9 % at this Jaccard are found",
    )
    bands: int = Field(default=20, ge=1, le=256, description="bands of the signature")
    rows: int = Field(default=5, ge=1, le=100, description="rows in a band")
    threshold: Fraction = Field(default=0.8, gt=0, description="Jaccard similarity of a duplicate")
    seed: int = Field(default=1, ge=0, lt=2**32, description="seed of the permutations")
    leaders: int = Field(
        default=64, ge=1, description="with how many the documents of a large bucket are compared"
    )

    @property
    def places(self) -> int:
        """How many places a signature has."""
        return self.bands * self.rows

    @model_validator(mode="before")
    @classmethod
    def _target_chooses(cls, data: Any) -> Any:
        """Lets `target` choose bands and rows."""
        target = data.get("target") if isinstance(data, dict) else None
        if isinstance(target, bool) or not isinstance(target, int | float) or not 0 < target <= 1:
            return data  # none, or a mistake that the field's own check names
        from dedup.minhash import bands_for

        try:
            chosen = dict(zip(("bands", "rows"), bands_for(target), strict=True))
        except ValueError:
            raise ValueError(
                f"no 100 places find 99.9 % at the target {target}; give a higher one, or bands "
                "and rows in its place"
            ) from None
        given = {key: data[key] for key in chosen if key in data}
        if any(given[key] != chosen[key] for key in given):
            raise ValueError("target chooses bands and rows; give target, or bands and rows")
        return {**data, **chosen}


class Passages(Section):
    """Repeated parts of documents: cut out of all of them but one."""

    unit: Literal["sentences", "lines", "paragraphs"] = Field(
        default="sentences", description="what a span is a row of"
    )
    length: int = Field(default=3, ge=1, le=64, description="units in a span")
    min_words: int = Field(
        default=50, ge=0, description="a document that is cut to fewer words is dropped"
    )


class Best(Section):
    """Prefers the document with the best value of a signal."""

    best: str = Field(description="FILTER.SIGNAL, such as classifier.score")


class Sources(Section):
    """Prefers the documents of some sources."""

    sources: list[str] = Field(
        min_length=1,
        max_length=MOST_SOURCES,
        description="names of sources, the preferred one first",
    )


def _are_names(values: list[Any]) -> bool:
    return len(values) <= MOST_SOURCES and all(isinstance(value, str) for value in values)


class Dedup(Section):
    """Which documents are duplicates and which one of them stays."""

    over: Literal["kept", "all"] = Field(
        default="kept", description="all: also match documents that a filter drops"
    )
    scope: Literal["corpus", "source", "snapshot"] = Field(
        default="corpus", description="match only documents of the same source or snapshot"
    )
    against: str | None = Field(
        default=None, description="a finished output; documents like those it kept are dropped"
    )
    prefer: Literal["longest", "first_url"] | Best | Sources = Field(
        default="longest",
        description="who stays: longest, first_url, {best: FILTER.SIGNAL} or {sources: [A, B]}",
    )
    url: bool = Field(default=False, description="keep one document of each URL")
    exact: Literal["bytes", "spaces", "words"] | None = Field(
        default="spaces",
        description="drop texts equal in every byte, up to white space, or in their words",
    )
    minhash: MinHash | None = Field(default=MinHash(), description="null: no near-duplicates")
    passages: Passages | None = Field(
        default=None, description="cut repeated sentences, lines or paragraphs out of documents"
    )
    rounds: int = Field(
        default=0,
        ge=0,
        le=100,
        description="choose who stays in so many rounds on all workers; 0: in one process",
    )
    alarm: Fraction = Field(
        default=0.5, description="warn when a source loses more than this share to duplicates"
    )

    @field_validator("prefer", mode="before")
    @classmethod
    def _one_of_four(cls, value: Any) -> Any:
        """Says what is expected once, not once for each form."""
        match value:
            case "longest" | "first_url" | Best() | Sources():
                return value
            case {"best": str(), **more} if not more:
                return value
            case {"sources": [_, *_] as names, **more} if not more and _are_names(names):
                return value
        raise ValueError("expected longest, first_url, {best: FILTER.SIGNAL} or {sources: [A, B]}")

    @field_validator("exact", mode="before")
    @classmethod
    def _no_switch(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("expected bytes, spaces or words; null turns it off")
        return value

    @property
    def reasons(self) -> list[str]:
        """The ledger's reasons that these settings can give, in the order of the steps."""
        steps = ("url", "exact", "minhash", "passages")
        return [f"dedup.{step}" for step in steps if getattr(self, step)]

    @model_validator(mode="after")
    def _matches_something(self) -> Self:
        if not (self.url or self.exact or self.minhash or self.passages):
            raise ValueError(
                "url, exact, minhash and passages are all off; turn matching off by dedup: null"
            )
        return self
