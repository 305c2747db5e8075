"""The version of the package; that of the native engine, in Cargo.toml, is the same."""

__version__ = "0.1.0"
