"""An example of each answer in the OpenAPI document, made from the answer's own schema with the words of this field."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
_AT, _DAY = "2026-11-19T15:42:30Z", "2026-11-19"
_ID = "5f0c0c44-7f3c-4d8e-9d0e-2f6f0a3b1c11"
_BY_NAME: dict[str, object] = {
    "account": "DU4725551",
    "action": "enter",
    "actor": "rest:first",
    "config_hash": "9f3a1c0b7d2e",
    "connection": "connected",
    "currency": "USD",
    "direction": 1,
    "exit_reason": "profit_target",
    "kind": "entry",
    "limit": "-4.25",
    "minutes": 5,
    "mode": "paper",
    "multiplier": 100,
    "name": "fast",
    "next": "WyI5ZjNhMWMwYjdkMmUiLCAxN10",
    "pair": "SPX",
    "purpose": "entry",
    "reason": "high 4160.5 above 4160",
    "ref": "htbot-spx_breakout-DU4725551-20261119-E1",
    "right": "P",
    "rule": "minimum_credit",
    "set_by": "rest:first",
    "side": "SELL",
    "state": "open",
    "strategy": "spx_breakout",
    "symbol": "SPX",
    "task": "htbot.tasks.market_reader_tasks.read_market",
    "trade_id": "spx_breakout-DU4725551-20261119-1",
    "type": "ma_crossover",
    "why_not": "inside the day's range",
}
_BY_FORMAT = {"date-time": _AT, "date": _DAY, "uuid": _ID, "time": "15:00:00"}
_KINDS: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}


def add_examples(document: Schema) -> None:
    """Add them in place to answers that succeed; one that is there already stays."""
    schemas = document.get("components", {}).get("schemas", {})
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation.get("responses", {}).items():
                told = answer.get("content", {}).get("application/json")
                if status.startswith("2") and told and "schema" in told:
                    told.setdefault("example", example(told["schema"], schemas))


def example(schema: Schema, schemas: dict[str, Schema], name: str = "") -> Any:
    """A value that fits a schema; `name` is that of the field it is for."""
    schema = _resolved(schema, schemas)
    if schema.get("type") == "array":
        return [example(schema.get("items", {}), schemas, name)]
    if "properties" in schema:
        return {key: example(kind, schemas, key) for key, kind in schema["properties"].items()}
    fixed = [schema.get("const"), schema.get("default"), *schema.get("enum", ())]
    return next((value for value in fixed if value is not None), None) or _plain(schema, name)


def _resolved(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    """What a schema points to; of several the first that is not null."""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        else:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
    return schema


def _plain(schema: Schema, name: str) -> Any:
    kind = schema.get("type")
    wanted = _BY_NAME.get(name)
    if wanted is not None and _KINDS[type(wanted)] == kind and "format" not in schema and not _decimal(schema):
        return wanted
    if kind == "string":
        return _BY_FORMAT.get(schema.get("format", ""), "4.25" if _decimal(schema) else name or "text")
    if kind == "object":
        return {}
    return {"integer": int(schema.get("minimum", 1)), "number": 0.5, "boolean": True}.get(str(kind))


def _decimal(schema: Schema) -> bool:
    return "pattern" in schema
