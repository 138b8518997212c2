"""Whose faces these are: indexes of published datasets, of hashes alone, and the look-up of any rows in them."""

from ferdata.known.contamination import contaminated as contaminated
from ferdata.known.index import Index as Index
from ferdata.known.index import indexes as indexes
from ferdata.known.lookup import Known as Known
from ferdata.known.lookup import Lookup as Lookup
from ferdata.known.recognised import Recognised as Recognised
