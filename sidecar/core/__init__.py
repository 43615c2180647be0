"""The deciding part: plain synchronous code that knows no clock, no socket, no gRPC and no log.

Start reading at `engine.py`.
"""
