"""`gristmill demo`: the whole way on the embedded corpus, from raw text to a decoder's sample."""

from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from pipeline.output import Output
from pipeline.recipe import default_config, load_recipe
from pipeline.run import is_finished, make_job, run, run_fingerprint
from pipeline.summary import print_summary
from pipeline.training import generated, print_result, train, training_config

PROMPT = "Return the"
STEPS = 700  # enough to beat the bigram clearly, and some three minutes on two cores


def run_demo(output: Path, workers: int, steps: int | None, out: Console, err: Console) -> None:
    """Mills the embedded corpus, trains a tiny decoder on it and prints what came of both.

    Args:
        output: The data goes to `output`/corpus, the decoder beside it.
        workers: Processes of the pipeline.
        steps: Training steps; STEPS if None.
        out: For results.
        err: For progress.

    Raises:
        UserError: as `gristmill run` and `gristmill train`.
    """
    recipe = load_recipe("demo", default_config())
    job = make_job("demo", recipe, str(output / "corpus"))
    if not is_finished(job):
        run(job, "local", workers, [], err)
    out.print(Rule("from raw text to tokens"))
    print_summary(Output(job.output.root), out)
    # Another corpus (a package was installed) gets another decoder.
    decoder = output / f"decoder-{run_fingerprint(job)[:8]}"
    config = training_config("tiny", [f"steps={steps or STEPS}"])
    result = train(output / "corpus", decoder, config, err)
    out.print(Rule("from tokens to a decoder"))
    print_result(result, decoder, out, as_json=False)
    out.print(Rule("a sample"))
    out.print(Text(generated(decoder, PROMPT, 120, 0.8, 50, 0)))
    out.print(Rule())
    out.print(Text(f"report: {job.output.path('report/report.html')}"))
