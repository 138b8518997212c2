"""The manifest: written whole or not at all, read in streams, its rows told apart by one fingerprint."""

from ferdata.manifest.file import KEY as KEY
from ferdata.manifest.file import Manifest as Manifest
from ferdata.manifest.file import check_output as check_output
from ferdata.manifest.file import conform as conform
from ferdata.manifest.file import opened_here as opened_here
from ferdata.manifest.file import read_image as read_image
from ferdata.manifest.file import step_record as step_record
from ferdata.manifest.file import stored_hash as stored_hash
from ferdata.manifest.file import write as write
