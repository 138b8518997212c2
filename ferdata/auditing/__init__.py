"""What is amiss with a manifest: its pictures, its labels, and the set as a whole.

`catalogue` is the table of findings; `pictures`, `answers` and `whole` measure rows and parts; `suspects` ranks labels
by what nets say that have not seen them; `page` is the report that people read.
"""
