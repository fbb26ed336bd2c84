"""The command line: one module a verb, imported when it is called."""

import logging
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import IO, NoReturn

import click

from diffbench import __version__
from diffbench.errors import DiffbenchError, StoreError, defused

VERBS = {
    "run": ("run", "Sweep schemes over epsilons and functions, and write the report."),
    "plan": ("plan", "Say how large a sweep is, before it is begun."),
    "status": ("status", "Say what of a run is done, what failed, and why."),
    "merge": ("merge", "Put the shards of a run together."),
    "report": ("report", "Make the tables, figures and page of a run again."),
    "show": ("show", "Print a table of a run."),
    "compare": ("compare", "Compare two runs, cell by cell."),
    "check": ("check", "Judge a run, or a spec, by a baseline."),
    "baseline": ("baseline", "Accept a run as a baseline, show what is accepted, compare."),
    "list": ("catalogue", "List functions, schemes, suites, metrics, step rules or libraries."),
    "exact": ("exact", "Print the exact derivative of a formula, with its certificate."),
    "recommend": ("recommend", "Say which scheme and epsilon to take for a formula."),
    "leaderboard": ("leaderboard", "Compare the differentiators of other packages."),
    "conformance": ("conformance", "Check the adapter of a library."),
    "references": ("references", "Verify the references of suites by every way there is."),
    "orders": ("orders", "Verify the orders of schemes by the slopes of their truncation."),
    "weights": ("weights", "Print offsets, weights, order and error constant of a scheme."),
    "doctor": ("doctor", "Say what is here: versions, threads, dtypes, packages."),
}
"""Verb: module of this package, and what it does. The help is printed from here without importing the modules."""

INTERRUPTED = 130
INTERNAL = 70


class LazyGroup(click.Group):
    """A group that imports the module of a verb only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of use."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a verb's command."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command = import_module(f"diffbench.cli.{VERBS[cmd_name][0]}").command
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> object:
        """Run a verb; tell an error of its options which verb they are of, as click's parser does not know it."""
        try:
            return super().invoke(ctx)
        except click.BadOptionUsage as error:
            error.ctx = error.ctx or click.Context(self, parent=ctx, info_name=ctx.invoked_subcommand)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="diffbench")
def cli() -> None:
    """Measure how accurate difference schemes are, against certified exact derivatives.

    Start with `diffbench run`, which sweeps the standard suite and leaves an accuracy report.

    Exit codes: 0 done, 1 references disagree, an adapter does not conform or cells are worse, 2 usage or spec,
    3 finished with failed cells, 4 not comparable, 5 nothing selected, 6 uncertain or nondifferentiable where an answer
    was needed, 7 baseline stale, 70 internal error, 74 input or output, 130 interrupted.
    """


def main() -> NoReturn:
    """Run the command line; every error is one line on stderr and its exit code."""
    _have_streams()
    # What it says of a home folder that it cannot write to is no news to whoever has none.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        code = cli.main(standalone_mode=False)
    except DiffbenchError as error:
        code = _complain(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        said = " ".join(error.format_message().split())
        code = _complain(f"{said}{'' if said.endswith('.') else '.'} See {_verb_of(error)} --help.", error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        code = _complain("interrupted", INTERRUPTED)
    except (BrokenPipeError, SystemExit):
        # The reader of stdout has gone, which click answers with an exit of its own; what is left has nowhere to go.
        _silence(sys.stdout)
        code = 0
    except OSError as error:
        # What is printed may go to a file, and its disk be full.
        _silence(sys.stdout)
        code = _complain(f"{error.filename or 'stdout'}: {error.strerror or error}", StoreError.exit_code)
    except Exception as error:
        if os.environ.get("DIFFBENCH_DEBUG"):
            raise
        text = " ".join(f"{type(error).__name__}: {error}".split())
        code = _complain(f"internal error: {text}; DIFFBENCH_DEBUG=1 shows where", INTERNAL)
    sys.exit(code if isinstance(code, int) else 0)


def _verb_of(error: click.ClickException) -> str:
    """Return the command line up to the verb that is not understood, by whatever name the program was called."""
    context = getattr(error, "ctx", None) or click.Context(cli)
    return "diffbench" + context.command_path.removeprefix(context.find_root().command_path)


def _complain(message: str, code: int) -> int:
    try:
        click.echo(f"diffbench: {defused(message)}", err=True)
    except OSError:
        _silence(sys.stderr)
    return code


def _have_streams() -> None:
    """Have streams that take every text, and lead nowhere where they were closed before this process began."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (for the whole process)
        elif isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def _silence(stream: IO[str]) -> None:
    """Let what is left for a stream, and cannot be written, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
