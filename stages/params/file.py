"""params.yaml as it stands: read in YAML 1.2, as DVC writes it, within limits."""

from __future__ import annotations

import re

import yaml

from stages.errors import ParameterError
from stages.params.words import FILE, refuse, text

MAX_BYTES = 256 * 1024


def read() -> object:
    try:
        with FILE.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            refuse("it is too large", f"{MAX_BYTES} bytes")
        return yaml.load(data.decode("utf-8"), Loader)  # noqa: S506, a SafeLoader
    except FileNotFoundError:
        raise ParameterError(f"{FILE} is missing here: run from the project's folder") from None
    except OSError as error:
        refuse(f"cannot be read ({error.strerror})", "a file")
    except RecursionError:
        refuse("it is nested too deeply", "sections of values")
    # The last four are what PyYAML raises for `!!bool x` or `!!timestamp x`.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        refuse(f"not YAML ({' '.join(str(error).split())})", "YAML")


class Loader(yaml.SafeLoader):
    """YAML 1.2, no key twice, and no aliases: nested, they grow without bounds."""

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            refuse(f"line {self.peek_event().start_mark.line + 1} has an alias", "values in full")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                line = key.start_mark.line + 1
                refuse(f"line {line} has {text(key.value)} a second time", "once")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# DVC reads and writes YAML 1.2, in which `no` and 1:30 are texts and 1e-05 is a number. PyYAML
# follows YAML 1.1, in which it is the other way round.
_YAML_1_2 = {
    "null": r"|~|null|Null|NULL",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}
Loader.yaml_implicit_resolvers = {}
for _kind, _pattern in _YAML_1_2.items():
    Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"^({_pattern})$"), first=None
    )
