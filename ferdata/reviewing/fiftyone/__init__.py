"""Everything that touches FiftyOne: starting it, the manifest as one of its datasets, what reviewers decide there.

FiftyOne is a view and never the record: what is decided goes into the ledger (`ferdata.reviewing.ledger`). Nothing here
is imported, and FiftyOne neither, before a command needs the App.
"""
