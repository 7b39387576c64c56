"""The version of the generator: part of every digest, since another version may make other values."""

VERSION = "0.5.0"
