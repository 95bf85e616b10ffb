"""The command line. Commands parse their options, call one function and print its result.

Results go to stdout, all else to stderr. Everything heavy is imported inside a command, so that
`gristmill --help` loads neither Beam nor torch.
"""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pipeline.errors import InternalError, Interrupted, UserError, place_of, trace

app = typer.Typer(
    name="gristmill",
    help="Turns raw text into a pretrained language model, with every document accounted for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
classifier_app = typer.Typer(
    help="Train quality classifiers.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(classifier_app, name="classifier")
out, err = Console(soft_wrap=True), Console(stderr=True, soft_wrap=True)

Set = Annotated[
    list[str], typer.Option("--set", "-s", metavar="KEY=VALUE", help="Override a dotted key.")
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="Recipe file; ./pipelines.yaml if there is one, else the own."),
]
OutputArgument = Annotated[str, typer.Argument(metavar="OUT", help="An output directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (anywhere).")] = False,
) -> None:
    """Turns raw text into a pretrained language model, with every document accounted for."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Where the output goes.")] = Path("out/demo"),
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps.")] = None,
) -> None:
    """Mill the embedded corpus, train a tiny decoder on it, and write the report."""
    from pipeline.demo import run_demo

    with _resumable():
        run_demo(output, workers, steps, out, err)


@app.command(context_settings={"allow_extra_args": True})
def run(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A recipe's name; see `gristmill recipes`.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Directory or URL.")],
    input_: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="GLOB", help="Instead of the recipe's inputs."),
    ] = None,
    config: Config = None,
    runner: Annotated[str, typer.Option(help="local, dask or dataflow.")] = "local",
    workers: Annotated[int, typer.Option(min=1, help="Processes of the local runner.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show recipe and splits only.")
    ] = False,
    set_: Set = [],  # noqa: B006 - Typer copies it
    as_json: AsJson = False,
) -> None:
    """Run a recipe: raw text in; shards, ledger and report out. After `--`: options for Beam."""
    import json

    from pipeline.errors import UsageError
    from pipeline.recipe import default_config, load_recipe
    from pipeline.run import is_finished, make_job, planned, recipe_yaml
    from pipeline.run import run as run_job
    from pipeline.runners import RUNNERS
    from pipeline.summary import print_splits, print_summary, print_warnings, summary

    if runner not in RUNNERS:
        raise UsageError(f"--runner {runner}: expected one of {', '.join(RUNNERS)}")
    if stray := [word for word in context.args if not word.startswith("--")]:
        raise UsageError(
            f"unexpected {stray[0]}", "Quote a glob: --input 'data/*.jsonl'. Beam's options: --k=v"
        )
    if input_:
        set_ = [*set_, f"source.inputs={json.dumps(input_)}"]
    resolved = load_recipe(recipe, config or default_config(), set_)
    if dry_run:
        job, splits, _ = planned(resolved, output)
        out.print(recipe_yaml(resolved), markup=False, highlight=False)
        print_splits(splits, out)
        return
    with _resumable():
        job = make_job(recipe, resolved, output)
        if is_finished(job):
            err.print(f"{output} is finished already; nothing to do.", markup=False)
        else:
            run_job(job, runner, workers, context.args, err)
    if as_json:
        print(json.dumps(summary(job.output), indent=1))
    else:
        print_summary(job.output, out)
    print_warnings(job.output, err)


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this one, resolved.")] = None,
    config: Config = None,
    set_: Set = [],  # noqa: B006
) -> None:
    """List the recipes, or show one with every default filled in."""
    from pipeline.recipe import default_config, load_recipe, recipe_names

    path = config or default_config()
    if name is None:
        from rich.table import Table

        table = Table("recipe", "description", title=str(path), title_justify="left", box=None)
        for recipe, description in recipe_names(path).items():
            table.add_row(recipe, description)
        out.print(table)
    else:
        from pipeline.run import recipe_yaml

        text = recipe_yaml(load_recipe(name, path, set_))
        out.print(text, markup=False, highlight=False, end="")


@app.command()
def filters(
    name: Annotated[str | None, typer.Argument(help="Show this one's rules.")] = None,
) -> None:
    """List the filters, or show one's signals, thresholds and source."""
    from pipeline.summary import print_filter, print_filters

    if name is None:
        print_filters(out)
    else:
        print_filter(name, out)


@app.command()
def thresholds(
    trusted: Annotated[str, typer.Argument(metavar="TRUSTED", help="Output of documents to keep.")],
    against: Annotated[
        str, typer.Option(metavar="UNTRUSTED", help="Output of documents to clean.")
    ],
    filter_: Annotated[
        list[str] | None, typer.Option("--filter", metavar="NAME", help="Only this filter.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Only for documents of this one.")] = None,
    source: Annotated[str | None, typer.Option(help="Only this source of UNTRUSTED.")] = None,
    loss: Annotated[
        float, typer.Option(min=0, max=1, help="Share of TRUSTED that all new bounds may drop.")
    ] = 0.1,
) -> None:
    """Propose bounds that tell a trusted corpus from another, as a fragment of a recipe."""
    from pipeline.thresholds_fragment import thresholds as proposed

    fragment = proposed(trusted, against, filter_ or [], language, source, loss)
    print(fragment, end="")


@app.command()
def report(
    output: OutputArgument,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Print the summary of an output and the path of its report."""
    from pipeline.output import Output
    from pipeline.summary import open_report, print_summary, print_warnings

    print_summary(Output(output.rstrip("/")), out)
    print_warnings(Output(output.rstrip("/")), err)
    if open_:
        open_report(Output(output.rstrip("/")))


@app.command()
def inspect(
    output: OutputArgument,
    what: Annotated[
        str,
        typer.Argument(
            help="documents, ledger, errors or tokens; clusters (the largest first), suspicious "
            "(those that may be none), duplicates (one by one) or pairs (all that were compared)."
        ),
    ],
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show rows of an output's tables, or its clusters of duplicates."""
    from pipeline.look import CLUSTERS, print_rows, rows

    if what in CLUSTERS:
        from pipeline.cluster_list import clusters, print_clusters

        print_clusters(*clusters(output, what, limit), out, as_json)
    else:
        print_rows(rows(output, what, limit), out, as_json)


@app.command()
def explain(
    output: OutputArgument,
    id_: Annotated[str, typer.Argument(metavar="ID", help="A document's id.")],
    as_json: AsJson = False,
) -> None:
    """Tell what became of one document, and why."""
    from pipeline.explain import explanation, print_explanation

    print_explanation(explanation(output, id_), out, as_json)


@app.command()
def verify(output: OutputArgument) -> None:
    """Check counts, checksums and duplicates, and that no personal data is in anything written."""
    from pipeline.look import verify_output

    out.print(verify_output(output), markup=False)


@app.command()
def redact(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="JSON lines, also .gz and .zst, or a text; -: a text from stdin."
        ),
    ] = "-",
    text_field: Annotated[str, typer.Option(help="Dotted name of the text's field.")] = "text",
    set_: Annotated[
        list[str],
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="redaction.KEY, as in a recipe."),
    ] = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Replace personal data in a file of documents, or in a text from standard input.

    Of documents, only the text is redacted: ids and other fields come out as they were.
    """
    from pipeline.redact_command import how_to_redact, redact_file

    streams = (sys.stdin.buffer, sys.stdout.buffer)
    try:
        redact_file(file, text_field, how_to_redact(set_), as_json, streams, err)
    except BrokenPipeError:
        pass  # who reads has seen enough
    except OSError as error:  # such as a full disk
        told = error.strerror or type(error).__name__
        raise UserError(f"stopped: {told}", "The rest was not redacted.") from None
    except KeyboardInterrupt:
        raise Interrupted("stopped", "The rest was not redacted.") from None


@app.command("train")
def train_command(
    output: Annotated[Path, typer.Argument(metavar="OUT", help="An output with token shards.")],
    run: Annotated[Path, typer.Option("--output", "-o", metavar="RUN", help="Training directory.")],
    preset: Annotated[str, typer.Option(help="tiny to 1b; see docs/training.md.")] = "tiny",
    set_: Set = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Pretrain a decoder on an output's shards; the same command resumes a broken-off run."""
    from pipeline.training import print_result, train, training_config

    with _resumable():
        result = train(output, run, training_config(preset, set_), err)
    print_result(result, run, out, as_json)


@app.command()
def generate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A training directory.")],
    prompt: Annotated[str, typer.Option(help="Text to go on from.")] = "",
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens to generate.")] = 200,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")] = 0.8,
    top_k: Annotated[int | None, typer.Option(min=1, help="Sample among the k likeliest.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same text.")] = 0,
) -> None:
    """Generate text with a trained decoder."""
    from pipeline.training import generated

    out.print(
        generated(run, prompt, max_tokens, temperature, top_k, seed), markup=False, highlight=False
    )


@classifier_app.command("train")
def classifier_train(
    positive: Annotated[
        list[str],
        typer.Option("--positive", metavar="GLOB", help="Text to keep; quote globs."),
    ],
    negative: Annotated[
        list[str],
        typer.Option("--negative", metavar="GLOB", help="Text of the other kind; quote globs."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A new folder for model and card.")
    ],
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Decides what is held out.")] = 0,
    threads: Annotated[
        int, typer.Option(min=1, help="More than 1: faster, but another model each time.")
    ] = 1,
    set_: Annotated[
        list[str],
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="source.KEY, as in a recipe."),
    ] = [],  # noqa: B006
) -> None:
    """Train a fastText model for the filter `classifier`, and measure it on held-out text."""
    from pipeline.classifier import Training, print_card, source_options, train

    inputs = {"positive": positive, "negative": negative}
    training = Training(inputs, source_options(set_), seed, threads)
    try:
        card = train(training, output, err)
    except KeyboardInterrupt:
        raise Interrupted("stopped", "Nothing was written.") from None
    print_card(card, output, out)


@contextmanager
def _resumable() -> Iterator[None]:
    """Tells the user who pressed Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            "stopped", "All that is finished is kept; the same command goes on from there."
        ) from None


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits: 0 ok, 1 failed, 2 usage, 3 verification, 130 Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    end = words.index("--") if "--" in words else len(words)
    debug = "--debug" in words[:end]
    words = [word for word in words[:end] if word != "--debug"] + words[end:]
    try:
        app(words)
    except UserError as error:
        if debug:
            sys.stderr.write(trace(error))
        _print_error(error.message, error.hint)
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            sys.stderr.write(trace(error))
        name = error.name if isinstance(error, InternalError) else type(error).__name__
        _print_error(
            f"internal error: {name} in {place_of(error)}",
            "Run again with --debug for the traceback, and please report it.",
        )
        sys.exit(1)


def _print_error(message: str, hint: str = "") -> None:
    err.print("error:", style="bold red", end=" ")
    err.print(message, markup=False, highlight=False)
    if hint:
        err.print(hint, markup=False, highlight=False)


def console() -> None:
    """Runs the command line and ends the process without waiting for threads.

    Threads of Beam and gRPC can still be in compiled code, where the end of Python aborts them, and
    with them a process whose work is done.
    """
    warnings.showwarning = lambda *_, **__: None  # libraries quote what they warn of
    code: Any = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        sys.stderr.write(trace(error))
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass  # who reads has seen enough
    except OSError:  # a full disk
        code = code or 1
    os._exit(code or 0)


if __name__ == "__main__":
    console()
