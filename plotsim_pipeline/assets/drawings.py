"""Drawings as metadata: an image in markdown, which Dagster draws in place where it is short."""

import base64
from collections.abc import Sequence

import dagster as dg


def drawing_metadata(name: str, drawings: Sequence[str]) -> dg.MarkdownMetadataValue:
    """Return drawings (SVG) of what is called `name` as markdown."""
    encoded = [base64.b64encode(drawing.encode()).decode() for drawing in drawings]
    return dg.MetadataValue.md(" ".join(f"![{name}](data:image/svg+xml;base64,{text})" for text in encoded))
