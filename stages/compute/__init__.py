"""Where the work on pictures runs: on this machine's cores, or on those of a Ray cluster.

Here: one function over many pieces, whoever computes them, to the same bytes; a cluster, reached
and looked at; a command on one of its nodes. Not here: what the function does, and which stages
run side by side (app/scheduling).
"""
