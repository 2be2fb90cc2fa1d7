"""An exported network as a service: what strangers send, within limits, to answers in JSON.

Here: taking uploads in, processes that decode them, the application with its routes, its metrics.
Not here: what a network says of a picture (prediction), options and start (app/serve.py).
"""
