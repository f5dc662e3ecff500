"""What the code may not do if it is to run on Windows and macOS as well, looked for in its syntax trees; what it does on Windows.

Names that a system lacks are found by mypy as well (`make platforms`), which knows all of them; here is what no type says.
"""

from __future__ import annotations

import ast
import errno
import fcntl
import io
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isoglot import disk, locks, one_writer
from isoglot.cli.common import Terminal
from isoglot.errors import InputError
from isoglot.files import atomic_directory, write_text
from isoglot.models import load
from isoglot.one_writer import locked

SOURCE = Path(locks.__file__).parent


def words(text: str) -> set[str]:
    return set(text.split())


OF_ONE_SYSTEM = words(
    "fcntl resource pwd grp termios tty pty syslog posix curses readline msvcrt winreg winsound _winapi"
)
NAMES_OF_ONE_SYSTEM = {
    "os": words(
        "fork forkpty killpg getpgid setpgid getpgrp setsid getsid getuid geteuid getgid getegid setuid setgid pread pwrite "
        "preadv pwritev mkfifo mknod uname nice chown lchown fchown chroot fdatasync sync wait wait3 wait4 waitid WNOHANG "
        "statvfs fstatvfs posix_fallocate posix_fadvise posix_spawn sched_getaffinity sched_setaffinity getloadavg sysconf "
        "confstr sendfile splice copy_file_range memfd_create eventfd O_NONBLOCK O_DIRECTORY O_NOFOLLOW O_SYNC O_DSYNC "
        "O_TMPFILE O_PATH openpty ctermid startfile"
    ),
    "signal": words(
        "SIGKILL SIGHUP SIGQUIT SIGUSR1 SIGUSR2 SIGALRM SIGCHLD SIGSTOP SIGTSTP SIGCONT SIGPIPE SIGWINCH SIGBREAK "
        "CTRL_C_EVENT CTRL_BREAK_EVENT alarm setitimer pause sigwait pthread_kill pthread_sigmask siginterrupt"
    ),
    "socket": words("AF_UNIX SO_REUSEPORT SCM_RIGHTS"),
    "subprocess": words("CREATE_NEW_PROCESS_GROUP CREATE_NO_WINDOW STARTUPINFO"),
    "time": words("tzset clock_gettime"),
    "select": words("poll epoll kqueue"),
}
GUARD = re.compile(r"sys\.platform|os\.name\b|platform\.system|PINS_OPEN_FILES|hasattr\(os,")
PATHS_OF_ONE_SYSTEM = re.compile(r"/(tmp|proc|sys|dev|var|etc|usr|home|opt|Users)(/|$)|[A-Za-z]:\\")
TRIED = {  # looked at only if they are there
    ("processes.py", "/proc/cpuinfo"),
    ("processes.py", "/proc/self/status"),
    ("study/machine.py", "/sys/fs/cgroup"),
}
CUTS = words("split rsplit partition rpartition startswith endswith removeprefix")
MODE = re.compile("[rwxabt+]{1,4}")
FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[ .](/|$)|(^|/)(?i:con|prn|aux|nul|com\d|lpt\d)(\.|/|$)')

Fault = tuple[ast.AST, str]


def faults_in(tree: ast.Module, constants: dict[str, str], name: str = "") -> list[str]:
    """`line: what is wrong` of a module; `constants`: strings that it has names for."""
    nodes: list[ast.AST] = [tree]
    for parent in nodes:
        for child in ast.iter_child_nodes(parent):
            child.parent = parent  # type: ignore[attr-defined]
            nodes.append(child)
    return [
        f"{getattr(place, 'lineno', 0)}: {problem}"
        for node in nodes
        for rule in RULES.get(type(node), ())
        for place, problem in rule(node, constants)
        if not (isinstance(place, ast.Constant) and (name, place.value) in TRIED)
    ]


def strings_of(tree: ast.Module) -> dict[str, str]:
    """The strings that a module gives names to."""
    return {
        target.id: line.value.value
        for line in tree.body
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
        for target in line.targets
        if isinstance(target, ast.Name)
    }


def strings_in(tree: ast.Module, strings: dict[str, dict[str, str]]) -> dict[str, str]:
    """Those that it imports, too; `strings`: of the modules by their dotted names."""
    imported = {
        each.name: strings[line.module][each.name]
        for line in tree.body
        if isinstance(line, ast.ImportFrom) and line.module in strings
        for each in line.names
        if each.name in strings[line.module]
    }
    return imported | strings_of(tree)


def dotted(node: ast.AST) -> str:
    """`os.path.join` of a chain of names; what is before a call or an index is left out: `.open`."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def is_guarded(node: ast.AST) -> bool:
    """Whether it runs on some systems only: under an `if` (or behind one that returns), or in a `try` for ImportError."""
    child, parent = node, getattr(node, "parent", None)
    while parent is not None:
        if (
            isinstance(parent, (ast.If, ast.IfExp))
            and child is not parent.test
            and GUARD.search(ast.unparse(parent.test))
        ):
            return True
        if isinstance(parent, ast.Try) and any(
            "ImportError" in ast.unparse(each.type or each) for each in parent.handlers
        ):
            return True
        if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)) and child in parent.body:
            for line in parent.body[: parent.body.index(child)]:  # type: ignore[arg-type]
                returns = isinstance(line, ast.If) and isinstance(line.body[-1], (ast.Return, ast.Raise))
                if returns and GUARD.search(ast.unparse(line.test)):  # type: ignore[attr-defined]
                    return True
        child, parent = parent, getattr(parent, "parent", None)
    return False


def modules_of_one_system(node: ast.AST, _: dict[str, str]) -> Iterator[Fault]:
    names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    for name in names:
        if name.split(".")[0] in OF_ONE_SYSTEM and not is_guarded(node):
            yield node, f"{name} is not everywhere"


def names_of_one_system(node: ast.AST, _: dict[str, str]) -> Iterator[Fault]:
    of_one = NAMES_OF_ONE_SYSTEM.get(dotted(node.value), set()) if isinstance(node, ast.Attribute) else set()
    if isinstance(node, ast.Attribute) and node.attr in of_one and not is_guarded(node):
        yield node, f"{dotted(node)} is not everywhere"


def texts_without_encoding(node: ast.AST, _: dict[str, str]) -> Iterator[Fault]:
    """And written texts whose line ends would be the system's: their bytes and digests would differ."""
    if not isinstance(node, ast.Call):
        return
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if method in ("run", "Popen", "check_output", "check_call") and {"text", "universal_newlines"} & given.keys():
        if "encoding" not in given:
            yield node, "a program's text without encoding"
        return
    if method in ("read_text", "write_text"):
        mode = "w" if method == "write_text" else "r"
    elif method == "TextIOWrapper":
        mode = "r"
    elif (kind := opened(node, method, given)) is not None:
        mode = kind
    else:
        return
    if "b" in mode:
        return
    if "encoding" not in given:
        yield node, "a text file without encoding"
    if set("wax") & set(mode) and "newline" not in given:
        yield node, "a text file is written without newline"


def opened(call: ast.Call, method: str, given: dict[str | None, ast.expr]) -> str | None:
    """The mode of a call that opens a file; None for any other call."""
    place = {"open": 0, "NamedTemporaryFile": 0, "TemporaryFile": 0, "fdopen": 1}.get(method)
    is_builtin = isinstance(call.func, ast.Name) and call.func.id == "open"
    if place is None and not is_builtin:
        return None
    place = 1 if is_builtin or dotted(call.func) in ("gzip.open", "bz2.open", "lzma.open", "io.open") else place
    mode = given.get("mode") or (call.args[place] if place is not None and len(call.args) > place else None)
    words = [each.value for each in ast.walk(mode) if isinstance(each, ast.Constant)] if mode is not None else []
    modes = [word for word in words if isinstance(word, str) and MODE.fullmatch(word)]
    if modes:
        return min(modes, key=lambda each: "b" in each)
    if method in ("NamedTemporaryFile", "TemporaryFile"):
        return "w+b"
    is_path = isinstance(call.func, ast.Attribute) and re.search(r"(path|file|log)\)?$", ast.unparse(call.func.value))
    return "r" if is_builtin or (is_path and mode is None) else None


def renames_over_files(node: ast.AST, _: dict[str, str]) -> Iterator[Fault]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    if node.func.attr in ("rename", "renames") or dotted(node.func) == "shutil.move":
        yield node, f"{node.func.attr} fails on Windows where the name is taken; replace does not"


def start_methods(node: ast.AST, _: dict[str, str]) -> Iterator[Fault]:
    if not isinstance(node, ast.Call):
        return
    function = dotted(node.func)
    if re.fullmatch(r"(multiprocessing|mp)\.(Process|Pool|Queue|Manager|Pipe|set_start_method)", function):
        yield node, f"{function} starts processes in the system's way; use get_context('spawn')"
    if function.endswith("get_context") and [ast.unparse(each) for each in node.args] != ["'spawn'"]:
        yield node, "only 'spawn' is everywhere"
    if (
        function.endswith("ProcessPoolExecutor")
        and len(node.args) < 2
        and "mp_context" not in {keyword.arg for keyword in node.keywords}
    ):
        yield node, "a pool without mp_context starts processes in the system's way"


def paths_of_one_system(node: ast.AST, _: dict[str, str]) -> Iterator[Fault]:
    if not isinstance(node, ast.Constant) or isinstance(getattr(node, "parent", None), ast.Expr):
        return
    if isinstance(node.value, str) and PATHS_OF_ONE_SYSTEM.match(node.value):
        yield node, f"{node.value[:60]} is not everywhere"


def paths_taken_apart_as_texts(node: ast.AST, _: dict[str, str]) -> Iterator[Fault]:
    """`str(path).split("/")` and the like; a relative path that is written down has to be `as_posix`."""
    inner = node.value if isinstance(node, ast.FormattedValue) else None
    if isinstance(node, ast.Call):
        of = node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr in CUTS else None
        is_path = isinstance(of, ast.Call) and re.fullmatch(
            r"str|os\.fspath|os\.fsdecode|os\.path\.\w+", dotted(of.func)
        )
        if is_path and node.args and ast.unparse(node.args[0]).rstrip("'\"").endswith("/"):
            yield node, "a path is taken apart at '/'"
        inner = node.args[0] if dotted(node.func) == "str" and node.args else None
    if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr == "relative_to":
        yield node, "a relative path as a text has backslashes on Windows; use as_posix"


def forbidden_names(node: ast.AST, constants: dict[str, str]) -> Iterator[Fault]:
    names: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        names = [node.right]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        names = node.args if node.func.attr in ("with_name", "with_suffix", "with_stem", "joinpath") else []
    for name in names:
        parts = name.values if isinstance(name, ast.JoinedStr) else [name]
        texts = [each.value for each in parts if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        texts += [constants[name.id]] if isinstance(name, ast.Name) and name.id in constants else []
        whole = len(parts) == 1
        for text in texts:
            if FORBIDDEN.search(text if whole else f"{text}x"):  # what follows in an f-string is not known
                yield name, f"Windows takes no file name {text!r}"


def prints_past_the_terminal(node: ast.AST, _: dict[str, str]) -> Iterator[Fault]:
    """What is written to stdout by itself: a console of another encoding would end the command (stderr escapes)."""
    text = dotted(node)
    if text in ("sys.stdout.write", "sys.__stdout__", "sys.stdout.buffer"):
        yield node, f"{text} goes past isoglot.cli.common.Terminal"


Rule = Callable[[ast.AST, dict[str, str]], Iterator[Fault]]
RULES: dict[type[ast.AST], tuple[Rule, ...]] = {
    ast.Import: (modules_of_one_system,),
    ast.ImportFrom: (modules_of_one_system,),
    ast.Attribute: (names_of_one_system, prints_past_the_terminal),
    ast.Call: (texts_without_encoding, renames_over_files, start_methods, paths_taken_apart_as_texts, forbidden_names),
    ast.Constant: (paths_of_one_system,),
    ast.FormattedValue: (paths_taken_apart_as_texts,),
    ast.BinOp: (forbidden_names,),
}


def test_nothing_in_the_code_is_of_one_system_only() -> None:
    trees = {path.relative_to(SOURCE).as_posix(): ast.parse(path.read_bytes()) for path in sorted(SOURCE.rglob("*.py"))}
    assert len(trees) > 300
    strings = {
        f"isoglot.{name.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}": strings_of(tree)
        for name, tree in trees.items()
    }
    faults = [
        f"{name}:{fault}" for name, tree in trees.items() for fault in faults_in(tree, strings_in(tree, strings), name)
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import fcntl", "fcntl is not everywhere"),
        ("def a():\n    from pwd import getpwnam", "pwd is not everywhere"),
        ("if sys.platform != 'win32':\n    import fcntl", ""),
        ("try:\n    import resource\nexcept ImportError:\n    resource = None", ""),
        ("def a():\n    if sys.platform == 'win32':\n        return 0\n    import resource", ""),
        ("os.fork()", "os.fork is not everywhere"),
        ("send(signal.SIGKILL)", "signal.SIGKILL is not everywhere"),
        ("if hasattr(os, 'fork'):\n    os.fork()", ""),
        ("path.read_text()", "without encoding"),
        ("path.open()", "without encoding"),
        ("path.open('w', encoding='utf-8')", "without newline"),
        ("open(name)", "without encoding"),
        ("open(name, 'rb')", ""),
        ("path.open('r+b' if kept else 'wb')", ""),
        ("path.write_text('a', encoding='utf-8')", "without newline"),
        ("Collection.open(path)", ""),
        ("subprocess.run(words, text=True)", "without encoding"),
        ("os.rename(a, b)", "replace does not"),
        ("multiprocessing.Process(target=a)", "get_context"),
        ("multiprocessing.get_context('fork')", "only 'spawn'"),
        ("ProcessPoolExecutor(4)", "without mp_context"),
        ("folder = Path('/tmp/a')", "/tmp/a is not everywhere"),
        ("str(path).split('/')", "taken apart"),
        ("f'{path.relative_to(folder)}'", "as_posix"),
        ("folder / 'a:b'", "no file name"),
        ("folder / f'{a}>{b}.run'", "no file name"),
        ("folder / NAME", "no file name"),
        ("folder / f'{a}.run'", ""),
        ("folder / 'aux.json'", "no file name"),
        ("sys.stdout.buffer.write(b'')", "Terminal"),
    ],
)
def test_every_rule_finds_what_it_is_for(code: str, problem: str) -> None:
    faults = faults_in(ast.parse(code), {"NAME": "what?.json"})
    assert problem in faults[0] if problem else not faults


def test_a_console_without_the_signs_of_a_text_shows_their_numbers() -> None:
    raw = io.BytesIO()
    console = io.TextIOWrapper(raw, encoding="cp1252", newline="\n")
    print("ä → ไทย", file=Terminal(console))  # type: ignore[arg-type]
    console.flush()
    assert raw.getvalue().decode("cp1252") == r"ä \u2192 \u0e44\u0e17\u0e22" + "\n"


def _windows_lock() -> Callable[[int], None]:
    """`isoglot.locks.lock` as Windows gets it, on locks of this system."""
    fake = types.ModuleType("msvcrt")
    fake.LK_NBLCK, fake.LK_LOCK = 2, 1  # type: ignore[attr-defined]

    def locking(descriptor: int, mode: int, size: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if mode == 2 else 0))
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None

    fake.locking = locking  # type: ignore[attr-defined]
    names: dict[str, object] = {}
    before = sys.modules.get("msvcrt"), sys.platform
    sys.modules["msvcrt"], sys.platform = fake, "win32"
    try:
        exec(compile(Path(locks.__file__).read_bytes(), "locks.py", "exec"), names)
    finally:
        sys.platform = before[1]
        del sys.modules["msvcrt"]
    assert names["PINS_OPEN_FILES"] is True
    return names["lock"]  # type: ignore[return-value]


def test_windows_has_one_writer_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (disk, one_writer):
        monkeypatch.setattr(module, "lock", _windows_lock())
        monkeypatch.setattr(module, "PINS_OPEN_FILES", True)
    monkeypatch.setattr("isoglot.files.exchange", lambda *_: False)
    folder = tmp_path / "run"
    with locked(folder):
        with pytest.raises(InputError, match="is being written by process"), locked(folder):
            pass
        write_text(folder / "a", "one\n")
        with atomic_directory(folder / "inner") as new:
            write_text(new / "b", "two\n")
            disk.sweep(folder)
            assert new.exists(), "nobody knows whether its process lives"
        with atomic_directory(folder / "inner") as new:
            write_text(new / "b", "three\n")
    assert sorted(path.name for path in folder.iterdir()) == ["a", "inner"]
    assert (folder / "a").read_bytes() == b"one\n"
    assert (folder / "inner" / "b").read_bytes() == b"three\n"
    disk.set_aside(folder / "inner")
    with locked(folder):
        assert (folder / "inner" / "b").read_bytes() == b"three\n", "brought back"


def test_where_links_need_a_right_files_and_folders_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "A required privilege is not held by the client")

    (tmp_path / "folder").mkdir()
    for name in ("file", "folder/inner"):
        (tmp_path / name).write_text(name)
    (tmp_path / "view").mkdir()
    monkeypatch.setattr(Path, "symlink_to", refused)
    for name in ("file", "folder"):
        load._stand_in(tmp_path / "view" / name, tmp_path / name)
    assert (tmp_path / "view" / "file").read_text() == "file"
    assert (tmp_path / "view" / "folder" / "inner").read_text() == "folder/inner"
