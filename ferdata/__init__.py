"""ferdata: from the facial-expression datasets you downloaded to one manifest you can trust.

The data half. Nothing here imports torch or the model half, `zoo`.
"""

__version__ = "0.1.0"
