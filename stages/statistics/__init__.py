"""Metrics and their uncertainty, from tables of predictions alone.

Here: runs as their stages left them, scores, intervals, tests, calibration, label errors, variation
over seeds. Not here: TensorFlow, pictures, and how a figure is drawn (figures).
"""
