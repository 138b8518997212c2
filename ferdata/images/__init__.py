"""Pictures: decoded, measured, searched for faces, cut onto a template; frames of a film."""

# The codec comes first: it sets what OpenCV reads when it is imported.
from ferdata.images.codec import UnreadableImage as UnreadableImage
from ferdata.images.codec import UnsupportedImage as UnsupportedImage
from ferdata.images.codec import decode as decode
from ferdata.images.codec import encode_png as encode_png
from ferdata.images.facts import ODD_COLUMNS as ODD_COLUMNS
from ferdata.images.facts import VERSION as VERSION
from ferdata.images.facts import Facts as Facts
from ferdata.images.facts import Measured as Measured
from ferdata.images.facts import as_uint8 as as_uint8
from ferdata.images.facts import measure as measure
from ferdata.images.facts import mirrored as mirrored
from ferdata.images.facts import overflowed as overflowed
from ferdata.images.facts import perceptual_hash as perceptual_hash
from ferdata.images.facts import perceptual_hashes as perceptual_hashes
from ferdata.images.facts import pixel_hash as pixel_hash
from ferdata.images.video import Video as Video
from ferdata.images.video import part as part
