"""What an adapter may use: how a dataset is declared, found on disk, recognised, read and measured."""
