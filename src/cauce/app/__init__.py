"""The composition root: settings → engines → stages → Platform. The only package that knows everybody."""

from cauce.app.assembly import Parts, Views, assemble, decoder
from cauce.app.platform import Platform

__all__ = ["Parts", "Platform", "Views", "assemble", "decoder"]
