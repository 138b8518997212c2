"""Faces drawn from a seed: a person, an expression in FACS action units, and a picture of both.

`ferdata demo` and the tests need faces that anybody may have and that belong to nobody.
"""

from ferdata.drawing.geometry import landmarks
from ferdata.drawing.paint import paint
from ferdata.drawing.traits import Expression, Person, Scene, blend, expression, person, scene

__all__ = ["Expression", "Person", "Scene", "blend", "expression", "landmarks", "paint", "person", "scene"]
