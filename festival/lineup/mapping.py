"""What a person says about a file whose columns or values are not the design's own."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mapping:
    """How a lineup file's columns and values are meant."""


DEFAULT_MAPPING = Mapping()
