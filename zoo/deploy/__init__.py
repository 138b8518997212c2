"""A run put to use: on pictures and films, in a browser, as one ONNX file."""
