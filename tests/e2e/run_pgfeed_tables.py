#!/usr/bin/python3
"""leftfold-pgfeed: the cases of tables and rows of run_pgfeed_cases.py."""

import run_pgfeed_cases

if __name__ == "__main__":
    run_pgfeed_cases.main(run_pgfeed_cases.TABLES)
