"""What is no stage and works on what stages have made.

Here: commands, each a file with a `main()`, run as `python -m app.<name>`: what differs between two
revisions, what to say of it. Not here: whatever DVC runs (stages/), what the project's makers
measure with (benchmarks/). Imports go from here to the rooms of stages/, never back.
"""
