"""How a stage's process runs: its start and end, what it says, its code as data, random numbers.

Here: what a stage of any kind needs before and after its own work, and a whole study after it. Not
here: TensorFlow's settings (training) and everything that knows of pictures, networks or figures.
"""
