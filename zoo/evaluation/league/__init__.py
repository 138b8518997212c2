"""Any runs, ours and adopted ones, judged anew on the test of one manifest: what each scores, weighs and costs."""
