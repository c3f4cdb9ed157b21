"""What `benchmarks/faults.py` and the fault tests break, with what, and how they judge what is left.

`installation` runs the real processes, `library` is what readers find there, `acting` is the readers, a process that
`actor` starts and kills; `broker_process` and `tcp_proxy` stand between the parts; `faults`, `clocks` and `champions`
are how each is broken, `small_disk` a disk to be filled, `rounds` a fault while acts flow and what came of it; `tables`
reads what is stored and makes the rows of an undisturbed run, `history` judges.
"""
