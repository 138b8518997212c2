"""All that an adapter imports: `from ferdata.sources import Layout, Licence, Sample, Source, images_below`.

What a dataset is (`declaration`), the walk over its folder (`recognise`), the readers of its tables (`tables`),
the words of labels and splits (`words`).
Tables of pixels (`pixel_tables`) need numpy, so that who reads one imports it from there.
"""

from ferdata.schema import Frame as Frame
from ferdata.schema import Sample as Sample
from ferdata.schema import is_image as is_image
from ferdata.sources.declaration import NOT_STATED as NOT_STATED
from ferdata.sources.declaration import UNKNOWN_LABELS as UNKNOWN_LABELS
from ferdata.sources.declaration import Layout as Layout
from ferdata.sources.declaration import Licence as Licence
from ferdata.sources.declaration import Option as Option
from ferdata.sources.declaration import Skipped as Skipped
from ferdata.sources.declaration import Source as Source
from ferdata.sources.recognise import images_below as images_below
from ferdata.sources.recognise import leads_out as leads_out
from ferdata.sources.recognise import relative as relative
from ferdata.sources.tables import USAGES as USAGES
from ferdata.sources.tables import broken as broken
from ferdata.sources.tables import known as known
from ferdata.sources.tables import read_rows as read_rows
from ferdata.sources.tables import read_table as read_table
from ferdata.sources.tables import read_usage as read_usage
from ferdata.sources.tables import read_votes as read_votes
from ferdata.sources.tables import value as value
from ferdata.sources.words import meaning as meaning
from ferdata.sources.words import read_labels as read_labels
from ferdata.sources.words import split_of as split_of
