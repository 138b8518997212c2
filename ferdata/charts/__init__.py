"""Charts: the class balance, and names in the letters that an installed font has, for every chart there is."""
