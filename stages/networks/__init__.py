"""What is done with any network of the zoo, trained or not.

Here: networks on disk, weight files and their publishers, batch-norm folding, depthwise
convolutions, oneDNN, multiply-adds, heat maps. Not here: how one network is built (zoo), and how
one is trained (training).
"""
