"""The environment that a race needs when it is resumed elsewhere: working directory and environment
variables that affect its code and results. Reads source files, imports none.

Recorded are: PYTHONPATH; the variables of LIBRARIES, which say where libraries keep data sets and
weights and how numbers are computed; and each variable that the task's source, or a file of its own
folder that it imports, names in `os.environ` or `os.getenv`. Values that look like a secret, by
name or content, are never recorded. Visible devices and thread counts (CUDA_VISIBLE_DEVICES,
OMP_NUM_THREADS, a cluster's variables) describe one machine and are not recorded either.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from lrtui.core.scenario.spec import CodeRef, Race, TaskRef
from lrtui.core.scenario.task_ref import module_path
from lrtui.core.scenario.user_code_files import code_refs

LIBRARIES = re.compile(
    r"HF_\w+|HUGGINGFACE_\w+|TRANSFORMERS_\w+|XDG_CACHE_HOME|KERAS_\w+|TFDS_DATA_DIR|SKLEARN_\w+|NLTK_DATA|"
    r"CUBLAS_WORKSPACE_CONFIG|CUDNN_\w+|NVIDIA_TF32_OVERRIDE|PYTORCH_\w+|TORCH_\w+|TZ|TOKENIZERS_PARALLELISM"
)
"""Variables of libraries that tasks use."""
TODAY = re.compile(
    r"CUDA_VISIBLE_DEVICES|NVIDIA_VISIBLE_DEVICES|(HIP|ROCR)_VISIBLE_DEVICES|\w+_NUM_THREADS|SLURM_\w+|"
    r"(LOCAL_)?RANK|WORLD_SIZE|MASTER_(ADDR|PORT)|PATH|PWD|OLDPWD|HOME|USER|LOGNAME|TMPDIR|TERM|DISPLAY"
)
"""Variables of the machine, the job or the login, whoever reads them."""
SECRET = re.compile(
    r"KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL|AUTH|COOKIE|PRIVATE|SIGNATURE|DSN|WEBHOOK", re.IGNORECASE
)
SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]+@|-----BEGIN|^(sk|hf|ghp|gho|glpat|xox[abp])[-_]|^eyJ[\w-]+\.",
    re.IGNORECASE,
)
"""A password in an address, a private key, a token by its usual beginning."""
LONGEST = 4096
"""Characters of a value; a longer one is data."""
FILES, BYTES = 100, 1_000_000
"""Source files, and bytes of each, that are looked through at most."""


def recorded(race: Race) -> Race:
    """`race` with the working directory and the environment of this process, where it does not have
    those of its start."""
    if race.folder:
        return race
    try:
        folder = os.getcwd()
    except OSError:  # it was deleted: no relative path leads anywhere either
        folder = ""
    return msgspec.structs.replace(
        race, folder=folder, environment=needed(race, os.environ, folder)
    )


def needed(race: Race, environment: Mapping[str, str], folder: str) -> dict[str, str]:
    """The variables of `environment` that are recorded; none for a race that runs no code of the
    user's own. Relative entries of PYTHONPATH are those of `folder`."""
    refs, script = code_refs(race), race.task.target if race.script else ""
    if not refs and not script:
        return {}
    sources = [path for ref in refs if (path := _source(ref)) is not None]
    if script.endswith(".py"):
        sources.append(Path(folder, script))
    read = variables(sources)
    kept = {
        name: value
        for name, value in environment.items()
        if (name in read or LIBRARIES.fullmatch(name))
        and not TODAY.fullmatch(name)
        and _harmless(name, value)
    }
    if entries := environment.get("PYTHONPATH"):
        kept["PYTHONPATH"] = absolute(entries, folder)
    return dict(sorted(kept.items()))


def absolute(path: str, folder: str) -> str:
    """A list of folders such as PYTHONPATH, in which relative ones are those of `folder`."""
    return os.pathsep.join(
        os.path.normpath(os.path.join(folder, entry)) for entry in path.split(os.pathsep)
    )


def variables(files: Iterable[Path]) -> set[str]:
    """The environment variables that source files name, and those files beside them that they
    import."""
    waiting, seen, found = list(files), set[Path](), set[str]()
    while waiting and len(seen) < FILES:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for node in ast.walk(_tree(path)):
            found.update(_named(node))
            waiting += [file for name in _imported(node) for file in _beside(path, name)]
    return found


def _harmless(name: str, value: str) -> bool:
    return (
        not SECRET.search(name)
        and not SECRET_VALUE.search(value)
        and len(value) <= LONGEST
        and value.isprintable()
    )


def _source(ref: TaskRef | CodeRef) -> Path | None:
    return Path(ref.target) if ref.kind == "file" else module_path(ref.target, ref.found_in)


def _tree(path: Path) -> ast.AST:
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(path.read_bytes()[:BYTES])
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])  # whoever imports it says what is wrong with it


def _named(node: ast.AST) -> Iterator[str]:
    """The variable that an expression names: os.environ["X"], os.environ.get("X"), os.getenv("X"),
    "X" in os.environ."""
    match node:
        case (
            ast.Subscript(
                value=ast.Attribute(attr="environ") | ast.Name(id="environ"),
                slice=ast.Constant(value=str(name)),
            )
            | ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr="environ") | ast.Name(id="environ")),
                args=[ast.Constant(value=str(name)), *_],
            )
            | ast.Call(
                func=ast.Attribute(attr="getenv") | ast.Name(id="getenv"),
                args=[ast.Constant(value=str(name)), *_],
            )
            | ast.Compare(
                left=ast.Constant(value=str(name)),
                comparators=[ast.Attribute(attr="environ") | ast.Name(id="environ")],
            )
        ):
            yield name


def _imported(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(module)):
            yield module
        case ast.ImportFrom(module=None, names=names):
            yield from (alias.name for alias in names)


def _beside(path: Path, module: str) -> Iterator[Path]:
    """The file of a module in the folder of `path`, if it is there."""
    stem = path.parent.joinpath(*module.split("."))
    yield from (file for file in (stem.with_suffix(".py"), stem / "__init__.py") if file.is_file())
