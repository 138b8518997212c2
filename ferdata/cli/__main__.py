"""`python -m ferdata.cli`: the same as `ferdata`."""

from ferdata.cli import main

main()
