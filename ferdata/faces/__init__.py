"""Faces drawn from a seed: a person, an expression in FACS action units, and a picture of both.

`ferdata demo` and the tests need faces that anybody may have and that belong to nobody.
"""

from ferdata.faces.geometry import landmarks
from ferdata.faces.paint import paint
from ferdata.faces.traits import Expression, Person, Scene, blend, expression, person, scene

__all__ = ["Expression", "Person", "Scene", "blend", "expression", "landmarks", "paint", "person", "scene"]
