"""How a stage's process runs: its start and end, its code as data, random numbers.

Here: what a stage of any kind needs before and after its own work. Not here: TensorFlow's settings
(training) and everything that knows of pictures, networks or figures.
"""
