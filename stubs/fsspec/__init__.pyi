"""The part of fsspec that the stores use: the library has no types."""

from fsspec import core as core
from fsspec.spec import AbstractFileSystem as AbstractFileSystem
