"""What the API says of itself: an OpenAPI 3.1 document and a plain page, made of the operations and their types."""

import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from dashboard.api import problems
from dashboard.api.operations import Nothing, Operation
from openshelf.database.api_keys import Scope

_REF = "#/components/schemas/{name}"
_REFUSALS = {
    400: "The body is no JSON, or (of a question) does not fit; `errors` says where.",
    401: "A key is needed, and there is none or none that works.",
    403: "The key is for something else.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    409: "An event_id is taken by another act.",
    413: "The body is too large.",
    415: "The body is not sent as JSON.",
    422: "Something of what was sent does not fit; `errors` says where.",
    429: "Too many requests in this minute; `Retry-After` says when to go on.",
    500: "A fault of ours.",
    503: "The library is restarting, or this took too long; `Retry-After` says when to try again.",
}
_INTRODUCTION = (
    "The catalogue, recommendations and acts of readers, for other programs. Keys come from the library "
    "(`openshelf api-keys create`) and are sent as `Authorization: Bearer osk_...`. What goes wrong is answered as "
    "application/problem+json: what is wrong, then what to do."
)
EVENTS = "text/event-stream"
_CODE = re.compile(r"`([^`]+)`")


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The OpenAPI document of these operations."""
    types: list[Any] = [op.answer for op in operations] + [op.body for op in operations if op.body is not None]
    types += [op.asked for op in operations if op.asked is not Nothing] + [problems.Problem]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(f"/api{operation.path}", {})[operation.method.lower()] = _operation(
            operation, by_type, components
        )
    asked = {op.asked.__name__ for op in operations}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Openshelf", "version": "1", "description": _INTRODUCTION},
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in asked},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "A key of the library."}},
        },
    }


def _operation(operation: Operation, by_type: dict[int, Any], components: dict[str, Any]) -> dict[str, Any]:
    refused = {400, 413, 408, 415} if operation.body is not None else set()
    refused |= {401, 403, 422, 429, 500, 503, *operation.refuses}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {
            "200": {
                "description": "The answer.",
                "content": {operation.media_type: {"schema": _answer(operation, by_type)}},
            },
            **{str(status): _refusal(status) for status in sorted(refused)},
        },
    }
    if operation.description:
        described["description"] = operation.description
    if operation.scope is not None:
        described["security"] = [{"key": []}, *([{}] if operation.scope is Scope.READ else [])]
        described["description"] = f"{described.get('description', '')} Scope: `{operation.scope}`.".strip()
    if operation.asked is not Nothing:
        described["parameters"] = _parameters(operation, components[operation.asked.__name__])
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": by_type[id(operation.body)]}},
        }
    return described


def _answer(operation: Operation, by_type: dict[int, Any]) -> dict[str, Any]:
    """What comes back; of a stream, one event, whose data is JSON as text."""
    schema = by_type[id(operation.answer)]
    if operation.media_type != EVENTS:
        return schema
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return {"type": "object", "properties": {"event": {"type": "string"}, "data": data}, "required": ["event", "data"]}


def _parameters(operation: Operation, schema: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = []
    for name, kind in schema["properties"].items():
        place = "path" if f"{{{name}}}" in operation.path else "query"
        is_needed = name in schema.get("required", [])
        parameters.append({"name": name, "in": place, "required": is_needed, "schema": _never_null(kind)})
    return parameters


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is there or not; there is no null in an address."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    rest = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    if len(choices) == 1:
        return {**rest, **choices[0]}
    if "enum" in rest:
        rest["enum"] = [value for value in rest["enum"] if value is not None]
    return {**rest, **({"anyOf": choices} if choices else {})}


def _refusal(status: int) -> dict[str, Any]:
    schema = {"$ref": _REF.format(name=problems.Problem.__name__)}
    return {"description": _REFUSALS[status], "content": {problems.MEDIA_TYPE: {"schema": schema}}}


def page(described: dict[str, Any]) -> bytes:
    """The document for people: HTML without a script, every text of it escaped by the tree it is made in."""
    html = ET.Element("html", lang="en")
    head = ET.SubElement(html, "head")
    ET.SubElement(head, "meta", charset="utf-8")
    ET.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    ET.SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    ET.SubElement(head, "title").text = "The library for programs - Openshelf"
    ET.SubElement(head, "link", rel="stylesheet", href="/assets/openshelf.css")
    body = ET.SubElement(html, "body", {"class": "os-api"})
    main = ET.SubElement(body, "main")
    ET.SubElement(main, "h1").text = "The library for programs"
    _prose(main, described["info"]["description"])
    links = ET.SubElement(main, "p")
    ET.SubElement(links, "a", href="/api/openapi.json").text = "OpenAPI document"
    links[-1].tail = " "
    ET.SubElement(links, "a", href="/opds").text = "Catalogue for e-reader apps (OPDS)"
    links[-1].tail = " "
    ET.SubElement(links, "a", href="/").text = "The library"
    contents = ET.SubElement(ET.SubElement(main, "nav", {"aria-label": "Operations"}), "ul")
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            item = ET.SubElement(ET.SubElement(contents, "li"), "a", href=f"#{operation['operationId']}")
            ET.SubElement(item, "code").text = f"{method.upper()} {path}"
            item[-1].tail = f" {operation['summary']}"
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            _describe(main, f"{method.upper()} {path}", operation)
    ET.SubElement(main, "h2", id="types").text = "Types"
    for name, schema in described["components"]["schemas"].items():
        _describe_type(main, name, schema)
    return b"<!doctype html>\n" + ET.tostring(html, encoding="utf-8", method="html")


def _describe(parent: ET.Element, heading: str, operation: dict[str, Any]) -> None:
    section = ET.SubElement(parent, "section", id=operation["operationId"])
    ET.SubElement(ET.SubElement(section, "h2"), "code").text = heading
    _prose(section, f"{operation['summary']} {operation.get('description', '')}")
    if parameters := operation.get("parameters"):
        rows = [
            (each["name"], _kind(each["schema"]), "required" if each["required"] else "", _meaning(each["schema"]))
            for each in parameters
        ]
        _table(section, f"Parameters of {heading}", ("parameter", "type", "needed", "meaning"), rows)
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        _prose(section, f"Send: {_kind(body)}")
    answers = [
        (status, _kind(next(iter(answer["content"].values()))["schema"]), answer["description"])
        for status, answer in operation["responses"].items()
    ]
    _table(section, f"Answers of {heading}", ("status", "type", "meaning"), answers)


def _describe_type(parent: ET.Element, name: str, schema: dict[str, Any]) -> None:
    section = ET.SubElement(parent, "section", id=name)
    ET.SubElement(ET.SubElement(section, "h3"), "code").text = name
    if "description" in schema:
        _prose(section, " ".join(schema["description"].split()))
    if "enum" in schema:
        _prose(section, "One of " + ", ".join(f"`{value}`" for value in schema["enum"]))
    needed = schema.get("required", [])
    rows = [
        (field, _kind(kind), "required" if field in needed else "", _meaning(kind))
        for field, kind in schema.get("properties", {}).items()
    ]
    if rows:
        _table(section, f"Fields of {name}", ("field", "type", "needed", "meaning"), rows)


def _meaning(schema: dict[str, Any]) -> str:
    """What a schema says of itself, or the first choice of it that says anything."""
    said = [each["description"] for each in (schema, *schema.get("anyOf", [])) if "description" in each]
    return " ".join(said[0].split()) if said else ""


def _kind(schema: dict[str, Any]) -> str:
    """A type in a few words."""
    if "$ref" in schema:
        return f"`#{schema['$ref'].rpartition('/')[2]}`"
    if "contentSchema" in schema.get("properties", {}).get("data", {}):
        return f"stream of {_kind(schema['properties']['data']['contentSchema'])}"
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    limits = [f"{word} {schema[name]}" for name, word in (("minimum", "from"), ("maximum", "to")) if name in schema]
    return " ".join([schema.get("format", schema.get("type", "any")), *limits])


def _prose(parent: ET.Element, text: str, tag: str = "p") -> None:
    """A paragraph. What stands between backticks is code, and `#Name` there leads to that type."""
    paragraph = ET.SubElement(parent, tag)
    plain, *rest = _CODE.split(text.strip())
    paragraph.text = plain
    for code, after in zip(rest[::2], rest[1::2], strict=True):
        holder = ET.SubElement(paragraph, "a", href=code) if code.startswith("#") else paragraph
        element = ET.SubElement(holder, "code")
        element.text = code.removeprefix("#")
        (holder if code.startswith("#") else element).tail = after


def _table(parent: ET.Element, caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = ET.SubElement(ET.SubElement(parent, "div", {"class": "os-api-table"}), "table")
    ET.SubElement(table, "caption").text = caption
    head = ET.SubElement(ET.SubElement(table, "thead"), "tr")
    for name in heads:
        ET.SubElement(head, "th", scope="col").text = name
    body = ET.SubElement(table, "tbody")
    for first, *rest in rows:
        row = ET.SubElement(body, "tr")
        ET.SubElement(ET.SubElement(row, "th", scope="row"), "code").text = first
        for cell in rest:
            _prose(row, cell, "td")
