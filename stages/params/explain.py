"""What pydantic found wrong in params.yaml, in the file's own keys and the schema's own limits."""

from __future__ import annotations

import difflib
from typing import Literal, NoReturn, get_args, get_origin

from pydantic.fields import FieldInfo

from stages.params.schema import CLASS_NAME, Section, Study
from stages.params.words import dotted, refuse, shown


def explain(error: dict, content: dict) -> NoReturn:
    """Say what pydantic found: the key, the value, what is allowed."""
    kind, path = error["type"], list(error["loc"])
    if path[0] == "classes" and path[-1] == "[key]":
        refuse(f"{dotted(path[:-1])} is not a class name", CLASS_NAME)
    if kind == "value_error":  # from a validator above: "key|what is allowed"
        key, _, allowed = str(error["ctx"]["error"]).partition("|")
        path += [key] if key else []
    else:
        owner, field, path = _place(path)
        if field is None:
            refuse(f"{dotted(path)} is not a parameter", _known(owner, path[-1]))
        allowed = _allowed(field)
    value = "missing" if kind == "missing" else shown(content, path)
    refuse(f"{dotted(path)} is {value}", allowed)


def _place(loc: list) -> tuple[type[Section], FieldInfo | None, list]:
    """The section that pydantic's place is in, the field (None: unknown), the keys in the file."""
    owner, field, path = Study, None, []
    for part in loc:
        inner = _section(field) if field else Study
        if inner is None:  # inside a plain value: a list's index, or a branch of a union
            return owner, field, [*path, part] if isinstance(part, int) else path
        path.append(part)
        if field and field.annotation is not inner:
            field = FieldInfo(annotation=inner)  # a class, whatever its name
        else:
            owner, field = inner, inner.model_fields.get(part)
        if field is None:
            break
    return owner, field, path


def _section(field: FieldInfo) -> type[Section] | None:
    """The section that a field holds, or a map of which it holds."""
    kinds = [field.annotation, *get_args(field.annotation)]
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Section)), None)


def _known(owner: type[Section], wrong: object) -> str:
    names = list(owner.model_fields)
    near = difflib.get_close_matches(str(wrong)[:60], names, n=1)
    return ", ".join(names) + (f" (did you mean {near[0]}?)" if near else "")


def _allowed(field: FieldInfo) -> str:
    """What a field takes, in words, from its type and its limits."""
    if field.description:
        return field.description
    if section := _section(field):
        return f"a map of {', '.join(section.model_fields)}"
    if get_origin(field.annotation) is Literal:
        return "one of " + ", ".join(get_args(field.annotation))
    if get_origin(field.annotation) is list:
        return "a list of text"
    kind = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    limits = {type(limit).__name__: limit for limit in field.metadata}
    words = [
        f"{word} {getattr(limits[name], name.lower())}"
        for name, word in (("Gt", "above"), ("Ge", "from"), ("Lt", "below"), ("Le", "up to"))
        if name in limits
    ]
    return f"{kind[field.annotation]} {', '.join(words)}".strip()
