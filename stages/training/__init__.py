"""How a network is trained, whichever it is: the loop, what goes in, what is kept.

Here: batches, optimisers, epochs, checkpoints, learning curves, devices, determinism. Not here:
which part of which network is trained (the stages transfer and finetune).
"""
