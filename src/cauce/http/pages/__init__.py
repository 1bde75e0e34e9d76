"""The pages: overview, people, a person; server-rendered, in Spanish and English, nothing loaded from elsewhere."""

from cauce.http.pages.routes import routes

__all__ = ["routes"]
