"""What people decide on labels: the ledger, the FiftyOne App, and the way back into a manifest."""
