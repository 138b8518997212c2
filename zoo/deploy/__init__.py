"""A run put to use: on pictures and videos, in a browser, as one ONNX file."""
