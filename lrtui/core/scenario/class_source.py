"""The constructor of a class that is not torch's, read from its source without importing it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

FARTHEST = 8
"""Imports that are followed from module to module, at most."""


class Constructor(NamedTuple):
    """The named parameters of a class's __init__, without self and the parameters to train."""

    names: tuple[str, ...]
    required: tuple[str, ...]
    """Those without a default, lr apart."""
    open: bool
    """True if it takes **kwargs."""
    lr: float | None
    """Default of `lr`, where it is a number."""


def constructor(path: Path, name: str, left: int = FARTHEST) -> Constructor | None:
    """The constructor of the class `name` that the module at `path` defines or imports from a
    neighbour; None if reading does not find it, as with an inherited or generated one."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for node in reversed(tree.body):  # the last binding of a name is the one in force
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _of_class(node, path, left)
        if isinstance(node, ast.Assign) and any(_names(target, name) for target in node.targets):
            return None  # made when it is run
        if isinstance(node, ast.ImportFrom) and left:
            for alias in node.names:
                if (alias.asname or alias.name) == name and (found := _neighbour(path, node)):
                    return constructor(found, alias.name, left - 1)
    return None


def _of_class(node: ast.ClassDef, path: Path, left: int) -> Constructor | None:
    if node.decorator_list:  # it may give the class another constructor, or return another class
        return None
    for item in reversed(node.body):
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return _read(item)
    base = node.bases[0] if node.bases else None
    return constructor(path, base.id, left - 1) if isinstance(base, ast.Name) and left else None


def _names(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Name) and target.id == name


def parameters(init: ast.FunctionDef) -> list[tuple[ast.arg, ast.expr | None]]:
    """The parameters of an __init__ with their defaults (None: required), those by name last."""
    given = init.args
    positional = given.posonlyargs + given.args
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    return [
        *zip(positional, defaults, strict=True),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]


def _read(init: ast.FunctionDef) -> Constructor:
    pairs = parameters(init)[2:]  # without self and the parameters to train
    lr = next((default for arg, default in pairs if arg.arg == "lr"), None)
    rate = lr.value if isinstance(lr, ast.Constant) else None
    return Constructor(
        tuple(arg.arg for arg, _ in pairs),
        tuple(arg.arg for arg, default in pairs if default is None and arg.arg != "lr"),
        init.args.kwarg is not None,
        float(rate) if isinstance(rate, (int, float)) and not isinstance(rate, bool) else None,
    )


def _neighbour(path: Path, node: ast.ImportFrom) -> Path | None:
    """The source file that `from ... import` names, in the same package or folder."""
    folder = path.parent
    for _ in range(node.level - 1):
        folder = folder.parent
    parts = node.module.split(".") if node.module else []
    if not node.level:
        # absolute: the package itself, or a module beside the file
        while (folder / "__init__.py").exists():
            folder = folder.parent
    place = folder.joinpath(*parts)
    for candidate in (place.with_suffix(".py"), place / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None
