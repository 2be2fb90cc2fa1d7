"""One picture or many, without a network: files, pixels, near duplicates, arrays.

Here: formats, decoding, shards, perceptual hashes, exclusions, contact sheets and their fonts,
varied views. Not here: where pictures come from (sources), and what a network makes of them
(networks, training).
"""
