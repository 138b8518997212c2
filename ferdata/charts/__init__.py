"""Charts, and tables for a text: one look, and names in the letters that an installed font has."""
