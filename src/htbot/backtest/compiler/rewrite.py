"""Methods of `Numeric` classes rewritten, node by node, as functions over records: nothing is added or left out.

`self.rsi.add(close)` becomes `SimpleRsi__add(self.rsi, arena, close)`: the class of every object is known from the
annotations of its fields. An element of a list becomes an element of the arena, a property a call, a member of an
enumeration and a module constant the number they stand for.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import textwrap
from enum import IntEnum
from types import FunctionType, ModuleType
from typing import Any, NoReturn, get_type_hints

from htbot.backtest.compiler.layout import Kinds, fields_of, size_of
from htbot.domain.errors import HtbotError
from htbot.domain.numeric import Numeric

ARENA = "arena"
_BUILTINS = {"abs", "bool", "float", "int", "len", "max", "min", "range", "round", "ValueError"}
_STATEMENTS = (
    ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.If, ast.For, ast.While, ast.Expr, ast.Pass, ast.Break,
    ast.Continue, ast.Raise,
)  # fmt: skip
Piece = tuple[FunctionType, type[Numeric] | None]


class NotCompilable(HtbotError):
    """The source leaves the dialect; the text says where. The strategy then runs in the event loop."""


class Need:
    """What a rewritten function calls; the program collects it."""

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.names: dict[Piece, str] = {}
        self.waiting: list[Piece] = []
        self.tuples: dict[str, type] = {}

    def function(self, piece: Piece) -> str:
        """The name under which a function will be emitted."""
        if piece not in self.names:
            function, owner = piece
            wanted = function.__name__ if owner is None else f"{owner.__name__}__{function.__name__.strip('_')}"
            taken = sum(name == wanted or name.startswith(f"{wanted}_v") for name in self.names.values())
            self.names[piece] = f"{wanted}_v{taken}" if taken else wanted
            self.waiting.append(piece)
        return self.names[piece]


def rewrite(piece: Piece, need: Need) -> ast.FunctionDef:
    """The function over records for one method or module function.

    Raises:
        NotCompilable: it uses what the dialect does not have.
    """
    return _Rewriter(piece, need).run()


class _Rewriter(ast.NodeTransformer):
    def __init__(self, piece: Piece, need: Need) -> None:
        self._function, self._owner = piece
        self._need = need
        self._locals: set[str] = set()
        self._classes: dict[str, type[Numeric]] = {}

    def run(self) -> ast.FunctionDef:
        source = textwrap.dedent(inspect.getsource(self._function))
        tree = ast.parse(source).body[0]
        if not isinstance(tree, ast.FunctionDef):
            self._fail(tree, "only plain functions and methods")
        hints = get_type_hints(self._function)
        names = [argument.arg for argument in tree.args.args]
        self._locals.update(names)
        for name in names:
            if isinstance(hints.get(name), type) and issubclass(hints[name], Numeric):
                self._classes[name] = hints[name]
        if self._owner is not None:
            self._classes[names[0]] = self._owner
        self._locals.update(
            node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )
        names.insert(0 if self._owner is None else 1, ARENA)
        body = [self.visit(statement) for statement in _without_docstring(tree.body)]
        arguments = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, tree.args.defaults)
        name = self._need.function((self._function, self._owner))
        return ast.FunctionDef(name, arguments, body or [ast.Pass()], [], lineno=0)

    # --- statements -------------------------------------------------------------------------------------------------

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.stmt) and not isinstance(node, _STATEMENTS):
            self._fail(node, f"a {type(node).__name__.lower()} statement")
        if isinstance(node, ast.expr) and type(node).__name__ in {"JoinedStr", "Dict", "List", "Lambda", "ListComp"}:
            self._fail(node, f"a {type(node).__name__.lower()}")
        return super().visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        kind = self._class_of(node.value)
        if kind is not None and isinstance(node.targets[0], ast.Name):
            self._classes[node.targets[0].id] = kind
        checked = any(self._is_whole(target) for target in node.targets)
        value = self.visit(node.value)
        targets = [self.visit(target) for target in node.targets]
        return ast.Assign(targets, self._call("whole", [value]) if checked else value, lineno=0)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if not self._is_whole(node.target):
            return self.generic_visit(node)
        read = ast.copy_location(_reading(node.target), node)
        return self.visit_Assign(
            ast.copy_location(ast.Assign([node.target], ast.BinOp(read, node.op, node.value)), node)
        )

    def _is_whole(self, target: ast.expr) -> bool:
        """Whether an assignment goes to a field of whole numbers."""
        kind = self._class_of(target.value) if isinstance(target, ast.Attribute) else None
        if kind is None or not isinstance(target, ast.Attribute):
            return False
        field = fields_of(kind, self._need.kinds).get(target.attr)
        return isinstance(field, type) and field is not bool and issubclass(field, int)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            self._fail(node, "a variable without a value")
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))  # type: ignore[no-any-return]

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """The text of an error is put together outside (`program.load`): machine code cannot print a number."""
        if not isinstance(node.exc, ast.Call) or node.cause is not None:
            self._fail(node, "an error without a text, or with a cause")
        texts = [
            part for text in node.exc.args for part in (text.values if isinstance(text, ast.JoinedStr) else [text])
        ]
        plain = [
            isinstance(text, ast.FormattedValue) and text.conversion < 0 and not text.format_spec for text in texts
        ]
        if not all(ok or isinstance(text, ast.Constant) for ok, text in zip(plain, texts, strict=True)):
            self._fail(node, "a formatted text")
        parts = [text.value if isinstance(text, ast.FormattedValue) else text for text in texts]
        return ast.Raise(self.visit(ast.Call(node.exc.func, parts, node.exc.keywords)))

    # --- expressions ------------------------------------------------------------------------------------------------

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        kind = self._class_of(node.value)
        if kind is not None:
            return self._field(node, kind)
        found = self._global(node.value)
        if isinstance(found, type) and issubclass(found, IntEnum):
            return ast.Constant(int(found[node.attr]))
        if isinstance(found, ModuleType):
            return self._literal(node, getattr(found, node.attr))
        return self.generic_visit(node)

    def _field(self, node: ast.Attribute, kind: type[Numeric]) -> ast.AST:
        fields = fields_of(kind, self._need.kinds)
        if node.attr in fields:
            if fields[node.attr] is list:
                self._fail(node, f"the whole list {node.attr}: read its elements")
            return self.generic_visit(node)
        member = inspect.getattr_static(kind, node.attr, None)
        if isinstance(member, property) and isinstance(member.fget, FunctionType):
            return self._call(self._need.function((member.fget, kind)), [self.visit(node.value), ast.Name(ARENA)])
        if isinstance(member, int | float):
            return self._literal(node, member)
        return self._fail(node, f"{kind.__name__}.{node.attr}, which is no annotated field of numbers")

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        kind = self._class_of(node.value.value) if isinstance(node.value, ast.Attribute) else None
        if kind is None or not isinstance(node.value, ast.Attribute):
            return self.generic_visit(node)
        if fields_of(kind, self._need.kinds).get(node.value.attr) is not list:
            self._fail(node, f"{kind.__name__}.{node.value.attr}, which is no annotated field of numbers")
        owner = self.visit(node.value.value)
        start, size = ast.Attribute(owner, node.value.attr), ast.Attribute(owner, size_of(node.value.attr))
        return ast.Subscript(ast.Name(ARENA), self._call("place_of", [start, size, self.visit(node.slice)]))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        arguments = [self.visit(argument) for argument in node.args]
        keywords = [ast.keyword(one.arg, self.visit(one.value)) for one in node.keywords]
        if isinstance(node.func, ast.Attribute):
            kind = self._class_of(node.func.value)
            if kind is not None:
                method = inspect.getattr_static(kind, node.func.attr, None)
                if not isinstance(method, FunctionType):
                    self._fail(node, f"{kind.__name__}.{node.func.attr}, which is no method")
                name = self._need.function((method, kind))
                return self._call(name, [self.visit(node.func.value), ast.Name(ARENA), *arguments], keywords)
            if self._global(node.func.value) is math:
                return ast.Call(node.func, arguments, keywords)
            self._fail(node, f"a call of {ast.unparse(node.func)}")
        called = self._global(node.func)
        if isinstance(called, FunctionType):
            return self._call(self._need.function((called, None)), [ast.Name(ARENA), *arguments], keywords)
        if isinstance(called, type) and issubclass(called, tuple):
            return self._call(self._tuple(called), arguments, keywords)
        if isinstance(node.func, ast.Name) and node.func.id in _BUILTINS and called is getattr(builtins, node.func.id):
            return ast.Call(node.func, arguments, keywords)
        return self._fail(node, f"a call of {ast.unparse(node.func)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self._locals or isinstance(node.ctx, ast.Store):
            return node
        return self._literal(node, self._global(node))

    # --- names ------------------------------------------------------------------------------------------------------

    def _class_of(self, node: ast.expr) -> type[Numeric] | None:
        """The class of the object that an expression names, None for numbers."""
        if isinstance(node, ast.Name):
            return self._classes.get(node.id)
        if not isinstance(node, ast.Attribute):
            return None
        owner = self._class_of(node.value)
        field = None if owner is None else fields_of(owner, self._need.kinds).get(node.attr)
        return field if isinstance(field, type) and issubclass(field, Numeric) else None

    def _global(self, node: ast.expr) -> Any:
        if not isinstance(node, ast.Name) or node.id in self._locals:
            return None
        space = inspect.unwrap(self._function).__globals__
        return space.get(node.id, getattr(builtins, node.id, None))

    def _literal(self, node: ast.expr, value: Any) -> ast.expr:
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return self._call(self._tuple(type(value)), [self._literal(node, item) for item in value])
        if isinstance(value, tuple):
            return ast.Tuple([self._literal(node, item) for item in value], ast.Load())
        if isinstance(value, float) and not math.isfinite(value):
            name = ast.Attribute(ast.Name("math"), "nan" if math.isnan(value) else "inf")
            return ast.UnaryOp(ast.USub(), name) if value < 0 else name
        if isinstance(value, bool | float):
            return ast.Constant(value)
        if isinstance(value, int):
            return ast.Constant(int(value))
        return self._fail(node, f"{ast.unparse(node)}, which is no number")

    def _tuple(self, kind: type) -> str:
        self._need.tuples[kind.__name__] = kind
        return kind.__name__

    @staticmethod
    def _call(name: str, arguments: list[Any], keywords: list[ast.keyword] | None = None) -> ast.Call:
        return ast.Call(ast.Name(name), arguments, keywords or [])

    def _fail(self, node: ast.AST, what: str) -> NoReturn:
        code = self._function.__code__
        line = code.co_firstlineno + getattr(node, "lineno", 1) - 1
        where = f"{code.co_filename.rsplit('/', 1)[-1]}:{line}"
        raise NotCompilable(f"{where}: {what} is not of the dialect that compiles (docs/concepts/one-source.md)")


def _reading(target: ast.expr) -> ast.expr:
    """The field that is assigned to, as an expression."""
    return ast.parse(ast.unparse(target), mode="eval").body


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return body[1:]
    return body
