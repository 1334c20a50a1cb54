"""A package whose version stands in its code."""

__version__ = "1.0.0"
