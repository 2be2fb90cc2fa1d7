"""Pages on which a person tries the networks.

Here: the page of the demo and the one that needs no server, what both share, how the demo answers.
Not here: a network in use (prediction), uploads and their limits (serving), and the commands that
make the pages (demo, try_page).
"""
