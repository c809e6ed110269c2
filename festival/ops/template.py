"""Reading a CloudFormation template: YAML with CloudFormation's short tags."""

from typing import Any

import yaml

# The C parser takes 15 ms for the kit's template, the one in Python 200 ms.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TemplateLoader(_SafeLoader):  # type: ignore[misc]
    """YAML that knows `!Ref`, `!GetAtt`, `!Sub` and the other intrinsic functions."""


def parse_template(text: str) -> dict[str, Any]:
    """The template with each short form written out: `!Ref X` is `{"Ref": "X"}`.

    Source: the CloudFormation guide, "Intrinsic function reference".
    """
    template: dict[str, Any] = yaml.load(text, Loader=_TemplateLoader)
    return template


def _intrinsic(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_TemplateLoader.add_multi_constructor("!", _intrinsic)
