"""The HTTP door: thin, and the only place that knows status codes.

`app.create_app(platform)` composes it: the intake is bare ASGI because every event passes it; the rest is Starlette.
"""
