"""The problems of a manifest: of its images, its labels, and the set as a whole.

`catalogue` is the table of findings; `pictures`, `answers` and `whole` measure rows and parts; `suspects` ranks labels
by out-of-fold predictions; `report` is the page that people read.
"""
