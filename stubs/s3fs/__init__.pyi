"""The part of s3fs that the stores use: the library has no types."""

from typing import Any

from fsspec.spec import AbstractFileSystem

class S3FileSystem(AbstractFileSystem):
    client_kwargs: dict[str, Any] | None
    endpoint_url: str | None
    key: str | None
    secret: str | None
    token: str | None
