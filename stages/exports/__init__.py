"""A trained network as a file for other runtimes.

Here: Keras networks as ONNX graphs and in LiteRT's format, lower precision, and how far a file's
answers are from Keras's. Not here: how networks are built (zoo) and kept (networks), and what uses
a file (app).
"""
