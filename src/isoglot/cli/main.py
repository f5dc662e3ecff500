"""The `isoglot` command: finds the subcommand and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import TextIO, cast

from isoglot import __version__
from isoglot.cli import (
    bias,
    compare,
    data,
    debias,
    encode,
    evaluate,
    index,
    inject,
    list,
    model,
    plan,
    probe,
    push,
    repair,
    search,
    serve,
    study,
    train,
)
from isoglot.cli.common import Terminal
from isoglot.cli.interrupts import INTERRUPTED, Interrupts, die_silently
from isoglot.cli.parser import Parser, PrintCompletion, verbosity_of
from isoglot.errors import InputError, IsoglotError, is_verbose, lack_of_memory, speaking, warn

_ABOUT = "Train, measure and serve multilingual dense retrievers that treat every language alike."
SHELLS = ("bash", "zsh", "tcsh", "fish")
_EXITS = "exit codes: 0 done, 1 the answer is no (a check that failed), 2 bad input or usage, 130 interrupted (Ctrl-C, SIGTERM)"


def parser() -> Parser:
    """The whole command line."""
    top = Parser(prog="isoglot", description=_ABOUT, epilog=_EXITS)
    top.add_argument("-V", "--version", action="version", version=f"isoglot {__version__}")
    completion = (
        'print what completes commands, options and files in a shell: eval "$(isoglot --print-completion bash)"'
    )
    top.add_argument("--print-completion", action=PrintCompletion, choices=SHELLS, help=completion)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for module in (
        repair,
        evaluate,
        compare,
        encode,
        train,
        debias,
        index,
        search,
        serve,
        bias,
        plan,
        probe,
        inject,
        data,
        model,
        push,
        study,
        list,
    ):
        module.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done, 1 the answer is "no", 2 bad input, 130 interrupted.
    """
    with (
        Interrupts() as interrupts,
        redirect_stdout(cast(TextIO, Terminal(sys.stdout))),
        redirect_stderr(cast(TextIO, Terminal(sys.stderr, bars=True))),
        ExitStack() as stack,  # errors too are said as loudly as was asked for
    ):
        try:
            return _run(arguments, stack)
        except KeyboardInterrupt:
            interrupts.over()
            return _fail("interrupted", INTERRUPTED)


def _run(arguments: Sequence[str] | None, stack: ExitStack) -> int:
    try:
        options = parser().parse_args(arguments)
        stack.enter_context(speaking(verbosity_of(options)))
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # the reader (head, say) has seen enough; python would complain once more while closing stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except InputError as error:
        return _fail(str(error), 2)
    except IsoglotError as error:
        return _fail(str(error), 1)
    except OSError as error:
        return _fail(_file_error(error), 2)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of Rust's is no Exception
        if (lacking := lack_of_memory(error)) is None:
            raise
        return _fail(f"there is not enough memory ({lacking}); give the same command more of it, or smaller batches", 2)


def _file_error(error: OSError) -> str:
    """What the system says of a file (libraries raise the same kind of error without one), in the words of our own errors."""
    if not error.strerror:
        return str(error) or type(error).__name__
    name = error.filename2 or error.filename
    return f"{os.fsdecode(name)}: {error.strerror}" if isinstance(name, (str, bytes)) else error.strerror


def _fail(message: str, code: int) -> int:
    if is_verbose():
        traceback.print_exc()
    warn(" ".join(message.split()))
    return code


def entry() -> None:
    """Console script."""
    try:
        code = main()
    except KeyboardInterrupt:  # between the end of the command and here
        code = _fail("interrupted", INTERRUPTED)
    die_silently()
    sys.exit(code)
