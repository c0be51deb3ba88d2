"""Task references: resolved to a file and a class by reading, never by importing."""

from __future__ import annotations

import ast
import importlib.machinery
import sys
import warnings
from pathlib import Path

from lrtui.core.errors import TaskError
from lrtui.core.scenario.spec import CodeRef, TaskRef
from lrtui.core.scenario.toml_table import Table
from lrtui.core.text import closest, one_line


def _scenarios() -> Path:
    """The scenarios' folder: inside the package when installed from a wheel, beside it in a
    checkout."""
    package = Path(__file__).parents[2]
    return (
        package / "scenarios" if (package / "scenarios").is_dir() else package.parent / "scenarios"
    )


BUNDLED = _scenarios()


def resolve(text: str, folder: Path, table: Table) -> TaskRef:
    """The task that `text` names: bundled "name", "file.py:Name" relative to `folder`, or
    "module:Name"."""
    target, colon, name = text.rpartition(":")
    try:
        if not colon:
            return _bundled(text)
        if not name.isidentifier() or not target:
            raise TaskError(f'"{one_line(text)}" names no class', "file.py:Name or module:Name")
        if target.endswith(".py"):
            path = _file(target, folder)
            _check_name(path, name, ast.ClassDef)
            return TaskRef("file", str(path), name)
        path, entry = _module_file(target)
        _check_name(path, name, ast.ClassDef)
        return TaskRef("module", target, name, entry)
    except TaskError as error:
        raise table.error("task", error.message, error.hint) from error


def resolve_code(text: str, folder: Path, what: str) -> CodeRef:
    """Resolve "file.py:name" (relative to `folder`) or "module:name"; TaskError without such a
    `what` ("class" or "function"), or for a class that inherits from nothing and has no method
    `step`."""
    target, _, name = text.rpartition(":")
    if not name.isidentifier() or not target:
        raise TaskError(f'"{one_line(text)[:200]}" names no {what}', "file.py:name or module:name")
    if target.endswith(".py"):
        path = _file(target, folder)
        found = CodeRef("file", str(path), name)
    else:
        path, entry = _module_file(target)
        found = CodeRef("module", target, name, entry)
    _check_name(path, name, ast.ClassDef if what == "class" else ast.FunctionDef)
    if what == "class":
        _check_steps(path, name)
    return found


def source_file(code: CodeRef) -> Path | None:
    """The source file of the user's code; None if its module is not found."""
    return Path(code.target) if code.kind == "file" else module_path(code.target, code.found_in)


def bundled_file(name: str) -> tuple[Path, str]:
    """File and class of a bundled task by convention: sprite-generator is SpriteGenerator in
    sprite_generator.py."""
    return BUNDLED / "tasks" / f"{name.replace('-', '_')}.py", "".join(
        word.capitalize() for word in name.split("-")
    )


def module_path(module: str, found_in: str) -> Path | None:
    """The source file that a module has under `found_in` ("": wherever Python finds it); None where
    it is not there."""
    try:
        return _module_file(module, [found_in] if found_in else None)[0]
    except (TaskError, OSError):
        return None


def _bundled(name: str) -> TaskRef:
    tasks = {path.stem.replace("_", "-"): path for path in (BUNDLED / "tasks").glob("*.py")}
    names = [task for task in tasks if _has_class(*bundled_file(task))]
    if name in names:
        return TaskRef("bundled", str(bundled_file(name)[0]), name)
    raise TaskError(
        f'unknown task "{one_line(name)}"{closest(name, names)}',
        f"file.py:Name, module:Name, or one of {', '.join(sorted(names))}",
    )


def _file(target: str, folder: Path) -> Path:
    try:
        return (folder / Path(target).expanduser()).resolve()
    # not a name, a loop of links, or of an unknown user
    except (OSError, ValueError, RuntimeError) as error:
        raise TaskError(f'"{one_line(target)[:200]}": {error}', "a Python file") from error


def _module_file(module: str, path: list[str] | None = None) -> tuple[Path, str]:
    """The source file of a module and the entry of sys.path, or the working directory, under which
    it is found; its parents are not imported."""
    entry = ""
    path = path or [str(Path.cwd()), *sys.path]
    for part in module.split("."):
        spec = importlib.machinery.PathFinder.find_spec(part, path) if part.isidentifier() else None
        if spec is None:
            raise TaskError(
                f'no module "{one_line(module)}"', "a module that Python finds from this folder"
            )
        path = list(spec.submodule_search_locations or ())
        entry = entry or str(Path(path[0] if path else spec.origin or "").parent.absolute())
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise TaskError(
            f'module "{one_line(module)}" has no Python source', "a module written in Python"
        )
    return Path(spec.origin), entry


def _tree(path: Path) -> ast.Module:
    try:
        # what Python thinks of it is told when it is run, in the run's log
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TaskError(f"{path}: {error.strerror or error}", "a readable Python file") from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        where = f" line {error.lineno}:" if isinstance(error, SyntaxError) else ""
        raise TaskError(
            f"{path}:{where} {one_line(str(error))}", "a file that Python can parse"
        ) from error


def _check_name(path: Path, name: str, kind: type[ast.ClassDef | ast.FunctionDef]) -> None:
    """Refuses a name that the module does not bind; the classes or functions that it has are
    told."""
    tree = _tree(path)
    names = _names(tree)
    if name not in names and "*" not in names:
        there = [node.name for node in tree.body if isinstance(node, kind)]
        raise TaskError(
            f'{path.name} has no "{name}"{closest(name, there)}',
            f"one of {', '.join(there) or 'its names'}",
        )


def _check_steps(path: Path, name: str) -> None:
    """Refuses a class that inherits from nothing and has no `step`; what one inherits is known only
    when it is run."""
    for node in ast.walk(_tree(path)):
        if (
            isinstance(node, ast.ClassDef)
            and node.name == name
            and not (node.bases or node.keywords or node.decorator_list)
        ):
            bound = _names(node) | {
                part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)
            }
            if "step" not in bound:
                raise TaskError(
                    f'the class "{name}" in {path.name} has no step()',
                    "a class with a method step()",
                )


def _has_class(path: Path, name: str) -> bool:
    """True if a bundled file holds a task of that name (its helpers do not)."""
    return f"class {name}" in path.read_text(encoding="utf-8")


def _names(tree: ast.AST) -> set[str]:
    """Every name that a piece of source binds anywhere (a class made in an `if` or a function
    counts)."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.alias(name=name, asname=asname):
                found.add(asname or name.partition(".")[0])
    return found
